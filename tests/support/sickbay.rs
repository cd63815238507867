//! The real program as a child process, with a directory of its own: settings, rules, and the incident log.
//!
//! The directory and the port outlast the process, so that it can be stopped, killed and started again. Whatever waits
//! here waits long: the machine may be busy. Read [`Sickbay`] first.

use super::http::{Answer, request};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// How long anything may take that should take seconds.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// A daemon, running or not. It ends with the test.
pub(crate) struct Sickbay {
    directory: tempfile::TempDir,
    /// Where it listens whenever it runs.
    pub(crate) port: u16,
    /// The command that runs it, if it is not run as it is.
    launcher: Vec<String>,
    /// What tells that it is ready, if a question over plain HTTP does not.
    ready: Option<Box<dyn Fn() -> bool + Send + Sync>>,
    child: Option<Child>,
}

impl Sickbay {
    /// Writes the rules and these settings; `storage` and `rules` are set already, and so is `docker` if they do not speak
    /// of it: tests side by side make the engine forget within seconds who did what before sickbay ran, so nothing is kept
    /// from what may have been touched. It is not started.
    pub(crate) fn new(rules: &str, settings: &str) -> Self {
        let sickbay = Self {
            directory: tempfile::tempdir().unwrap(),
            port: free_port(),
            launcher: Vec::new(),
            ready: None,
            child: None,
        };
        sickbay.write(rules, settings);
        sickbay
    }

    /// Writes other rules and settings, as [`Self::new`] does. A daemon that runs is not told.
    pub(crate) fn write(&self, rules: &str, settings: &str) {
        let docker = if settings.contains("docker:") { "" } else { "docker: {hands_off: 0s}\n" };
        let settings = format!("storage: {{path: data}}\nrules: {{paths: [rules.yaml]}}\n{docker}{settings}");
        fs::write(self.directory.path().join("rules.yaml"), rules).unwrap();
        fs::write(self.directory.path().join("sickbay.yml"), settings).unwrap();
    }

    /// Adds these settings, for the next start.
    pub(crate) fn configure(&self, settings: &str) {
        let file = self.directory.path().join("sickbay.yml");
        let before = fs::read_to_string(&file).unwrap();
        fs::write(file, before + settings).unwrap();
    }

    /// As [`Self::new`], and started.
    pub(crate) fn running(rules: &str, settings: &str) -> Self {
        let mut sickbay = Self::new(rules, settings);
        sickbay.start(&[]);
        sickbay
    }

    /// Starts it and waits until it takes alerts and Docker answers.
    pub(crate) fn start(&mut self, flags: &[&str]) {
        let said = fs::OpenOptions::new().create(true).append(true).open(self.stderr()).unwrap();
        let mut command = self.command_by(&self.launcher);
        command.arg("--config.file=sickbay.yml").arg(format!("--web.listen-address=127.0.0.1:{}", self.port));
        command.args(flags).stdin(Stdio::null()).stdout(Stdio::null()).stderr(said);
        self.child = Some(command.spawn().unwrap());
        let asked = || request(self.port, "GET /-/ready", &[], "").is_ok_and(|answer| answer.status == 200);
        let ready = || self.ready.as_ref().map_or_else(asked, |ready| ready());
        self.until("it is ready", || ready().then_some(()));
    }

    /// Runs one of the program's other commands in the same directory.
    pub(crate) fn run(&self, args: &[&str]) -> Output {
        self.command().args(args).output().unwrap()
    }

    /// Its directory.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Writes a file into its directory.
    pub(crate) fn write_file(&self, name: &str, text: &str) {
        fs::write(self.directory.path().join(name), text).unwrap();
    }

    /// From the next start on, this tells that it is ready.
    pub(crate) fn ready_when(&mut self, ready: impl Fn() -> bool + Send + Sync + 'static) {
        self.ready = Some(Box::new(ready));
    }

    /// From the next start on, another command runs it: the world in which it runs.
    pub(crate) fn launch_by(&mut self, launcher: &[String]) {
        self.launcher = launcher.to_vec();
    }

    fn command(&self) -> Command {
        self.command_by(&[])
    }

    fn command_by(&self, launcher: &[String]) -> Command {
        let words: Vec<&str> = launcher.iter().map(String::as_str).chain([env!("CARGO_BIN_EXE_sickbay")]).collect();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]);
        command.current_dir(self.directory.path()).env_remove("SICKBAY_CONFIG_FILE").env_remove("SICKBAY_URL");
        command
    }

    /// Ends it in good order, and waits.
    pub(crate) fn stop(&mut self) {
        let mut child = self.child.take().unwrap();
        kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
        assert!(child.wait().unwrap().success(), "it did not stop in good order\n{}", self.story());
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(self.child.as_ref().unwrap()), signal).unwrap();
    }

    /// Where it keeps its log.
    pub(crate) fn storage(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// Ends it as a power cut would.
    pub(crate) fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Delivers a webhook body.
    pub(crate) fn post(&self, body: &Value) -> Answer {
        let headers = [("Content-Type", "application/json"), ("User-Agent", "Alertmanager/0.25.0")];
        let answer = request(self.port, "POST /api/v1/webhook", &headers, &body.to_string());
        answer.unwrap_or_else(|error| panic!("no answer: {error}\n{}", self.story()))
    }

    /// The value of a metric, its labels included in the name; zero if it has none yet.
    pub(crate) fn metric(&self, series: &str) -> f64 {
        let answer = request(self.port, "GET /metrics", &[], "").unwrap();
        let line = answer.body.lines().find_map(|line| line.strip_prefix(series)?.trim().parse().ok());
        line.unwrap_or_default()
    }

    /// The incident log so far.
    pub(crate) fn records(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.directory.path().join("data/incident_log.jsonl")).unwrap_or_default();
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The records of one kind.
    pub(crate) fn records_of(&self, kind: &str) -> Vec<Value> {
        self.records().into_iter().filter(|record| record["kind"] == kind).collect()
    }

    /// Waits for so many records of a kind, and gives them back.
    pub(crate) fn wait_for(&self, kind: &str, count: usize) -> Vec<Value> {
        self.until(&format!("{count} records {kind}"), || {
            let found = self.records_of(kind);
            (count <= found.len()).then_some(found)
        })
    }

    /// Waits until so many incidents are closed; how the last one ended.
    pub(crate) fn verdict_of(&self, count: usize) -> String {
        let closed = self.wait_for("incident.closed", count);
        closed[count - 1]["verdict"].as_str().unwrap().to_owned()
    }

    /// Waits for something, and tells the whole story if it does not come.
    pub(crate) fn until<T>(&self, what: &str, look: impl FnMut() -> Option<T>) -> T {
        wait_until(look).unwrap_or_else(|| panic!("waited in vain until {what}\n{}", self.story()))
    }

    /// What it said in its own log.
    pub(crate) fn said(&self) -> String {
        fs::read_to_string(self.stderr()).unwrap_or_default()
    }

    /// What it said and recorded, for a failed test.
    pub(crate) fn story(&self) -> String {
        let said = self.said();
        let mut story = format!("--- stderr\n{said}--- incident log\n");
        for mut record in self.records() {
            // What nobody needs to understand it.
            for key in ["v", "up_ms", "boot", "log", "prev", "hash", "plan", "evidence", "revision"] {
                record.as_object_mut().unwrap().remove(key);
            }
            story.push_str(&format!("{record}\n"));
        }
        story
    }

    fn stderr(&self) -> PathBuf {
        self.directory.path().join("stderr")
    }
}

impl Drop for Sickbay {
    fn drop(&mut self) {
        if self.child.is_some() {
            self.kill();
        }
    }
}

/// Looks again and again until there is something, for as long as patience lasts.
pub(crate) fn wait_until<T>(mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match look() {
            None if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(50)),
            seen => return seen,
        }
    }
}

/// A port nobody uses, outside the range from which the system serves those who ask for any: it stays free while its
/// owner is being started again.
pub(crate) fn free_port() -> u16 {
    loop {
        let number = 20_000 + getrandom::u32().unwrap() % 12_000;
        let port = u16::try_from(number).unwrap();
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}
