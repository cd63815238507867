//! The real sickbay binary as a child process: started, spoken to over HTTP, stopped, and what it said.
//!
//! It listens on a port of the system's choice and never outlives the test. [`Home`] is a directory with everything it
//! needs; read [`Daemon`] next.

#![expect(clippy::panic, clippy::unwrap_used, reason = "helpers of tests are tests too: a panic names its line")]

use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How long anything may take that should take moments: the machine may be busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(180);

/// Limits wide enough that no cycle of a test is refused for coming too often.
const SETTINGS: &str = "
web: {listen_address: 127.0.0.1:0}
storage: {path: data}
# The containers of these tests are only seconds old.
docker: {hands_off: 0s}
limits:
  global: [{runs: 100000, per: 1h}]
  max_parallel: 1000
";

/// Takes the alert `Down` for the container it names.
const PLAYBOOK: &str = r#"
version: 1
playbooks:
  - name: restart-what-is-down
    matchers:
      - alertname = "Down"
    target: {container: "{{ labels.container }}"}
    limits: {runs: 1000, per: 1h, cooldown: 0s}
    steps:
      - capture: {logs: 20, inspect: true, stats: true}
      - restart: {stop_timeout: 1s}
      - verify: {within: 20s, every: 1s, stable_for: 1s}
      - notify: {to: [log], severity: info, message: "{{ target.name }} is back"}
    on_failure:
      - notify: {to: [log], severity: critical, message: "{{ target.name }} is not back: {{ failed.error }}"}
"#;

/// A directory with settings, a playbook, and a place for the log.
pub(crate) struct Home {
    /// Removed when dropped.
    pub(crate) dir: tempfile::TempDir,
}

impl Home {
    /// Makes one.
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("rules")).unwrap();
        fs::write(dir.path().join("rules/down.yaml"), PLAYBOOK).unwrap();
        fs::write(dir.path().join("sickbay.yml"), SETTINGS).unwrap();
        Self { dir }
    }

    /// Where the log is kept.
    pub(crate) fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// The log's only file.
    pub(crate) fn segment(&self) -> PathBuf {
        self.data().join("incident_log/00000000000000000000.jsonl")
    }

    /// How many incidents have their verdict.
    pub(crate) fn closed(&self) -> usize {
        let log = fs::read_to_string(self.segment()).unwrap_or_default();
        log.matches("\"kind\":\"incident.closed\"").count()
    }

    /// The command that runs a daemon here.
    pub(crate) fn command(&self) -> Command {
        self.command_under(&[])
    }

    /// As [`Self::command`], by way of a program such as `strace` that turns into the one it is given.
    pub(crate) fn command_under(&self, wrapper: &[&str]) -> Command {
        let words = [wrapper, &[env!("CARGO_BIN_EXE_sickbay"), "--config.file=sickbay.yml"]].concat();
        let mut words = words.into_iter();
        let mut command = Command::new(words.next().unwrap());
        command.args(words).current_dir(self.dir.path()).env_remove("SICKBAY_CONFIG_FILE");
        command
    }
}

/// What a process left behind.
#[derive(Debug)]
pub(crate) struct Ended {
    /// How it ended.
    pub(crate) status: ExitStatus,
    /// All it wrote on standard error.
    pub(crate) said: String,
}

/// A running daemon.
pub(crate) struct Daemon {
    /// The process.
    pub(crate) child: Child,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    said: Arc<Mutex<String>>,
    listener: Option<JoinHandle<()>>,
}

impl Daemon {
    /// Starts one and waits until it listens.
    pub(crate) fn start(command: Command) -> Self {
        Self::try_start(command).unwrap_or_else(|ended| panic!("the daemon did not start: {ended:?}"))
    }

    /// As [`Self::start`], or how it ended instead.
    pub(crate) fn try_start(mut command: Command) -> Result<Self, Ended> {
        let program = command.get_program().to_owned();
        let spawned = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
        let mut child = spawned.unwrap_or_else(|error| {
            let packages = "apt-get install strace util-linux";
            panic!("{} cannot be run: {error}; what the tests need: {packages}", program.display())
        });
        let said = Arc::new(Mutex::new(String::new()));
        let listener = listen(child.stderr.take().unwrap(), Arc::clone(&said));
        let deadline = Instant::now() + PATIENCE;
        loop {
            let address = address_in(&said.lock().unwrap());
            if let Some(address) = address {
                return Ok(Self { child, address, said, listener: Some(listener) });
            }
            if let Some(status) = child.try_wait().unwrap() {
                listener.join().unwrap();
                let said = said.lock().unwrap().clone();
                return Err(Ended { status, said });
            }
            assert!(Instant::now() < deadline, "the daemon does not listen: {}", said.lock().unwrap());
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Runs one that ends by itself, before or after it listens.
    pub(crate) fn run_to_end(command: Command) -> Ended {
        Self::try_start(command).map_or_else(|ended| ended, Self::wait)
    }

    /// What it wrote on standard error so far.
    pub(crate) fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    /// Waits until it has said something.
    pub(crate) fn says(&self, words: &str) {
        until(&format!("it says {words:?}"), || self.said().contains(words));
    }

    /// Waits until it takes alerts and Docker answers.
    pub(crate) fn ready(&self) {
        until("it is ready", || is_ready(self.address));
    }

    /// Tells it to stop, and waits.
    pub(crate) fn stop(self) -> Ended {
        _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        self.wait()
    }

    /// Waits until it ends by itself.
    pub(crate) fn wait(mut self) -> Ended {
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < deadline, "the daemon does not end: {}", self.said());
            thread::sleep(Duration::from_millis(5));
        };
        self.listener.take().map_or(Ok(()), JoinHandle::join).unwrap();
        Ended { status, said: self.said() }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to do.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

fn listen(stderr: ChildStderr, said: Arc<Mutex<String>>) -> JoinHandle<()> {
    thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            let mut said = said.lock().unwrap();
            said.push_str(&line);
            said.push('\n');
        }
    })
}

fn address_in(said: &str) -> Option<SocketAddr> {
    let line = said.lines().find(|line| line.contains("message=listening"))?;
    line.split(' ').find_map(|word| word.strip_prefix("address="))?.parse().ok()
}

/// Waits until something is so.
pub(crate) fn until(what: &str, mut so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !so() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// An HTTP answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// 200 and so on.
    pub(crate) status: u16,
    /// The body.
    pub(crate) body: String,
}

/// Posts a notification.
pub(crate) fn post(address: SocketAddr, body: &str) -> io::Result<Answer> {
    exchange(address, &format!("POST /api/v1/webhook HTTP/1.1\r\nContent-Length: {}", body.len()), body)
}

/// Whether the daemon there takes alerts and Docker answers.
pub(crate) fn is_ready(address: SocketAddr) -> bool {
    get(address, "/-/ready").is_ok_and(|answer| answer.status == 200)
}

/// Reads a page.
pub(crate) fn get(address: SocketAddr, path: &str) -> io::Result<Answer> {
    exchange(address, &format!("GET {path} HTTP/1.1"), "")
}

fn exchange(address: SocketAddr, head: &str, body: &str) -> io::Result<Answer> {
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(10))?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    stream.write_all(format!("{head}\r\nHost: sickbay\r\nConnection: close\r\n\r\n{body}").as_bytes())?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok());
    let (_, body) = text.split_once("\r\n\r\n").unwrap_or_default();
    let status = status.ok_or_else(|| io::Error::other(format!("not an HTTP answer: {text:?}")))?;
    Ok(Answer { status, body: body.to_owned() })
}

/// One firing alert, as JSON. `serial` tells it from all others.
pub(crate) fn alert(alertname: &str, container: &str, serial: &str) -> String {
    let labels = serde_json::json!({"alertname": alertname, "container": container, "serial": serial});
    serde_json::json!({
        "status": "firing", "labels": labels, "annotations": {}, "startsAt": now(),
        "endsAt": "0001-01-01T00:00:00Z", "generatorURL": "http://prometheus.example/graph", "fingerprint": "",
    })
    .to_string()
}

/// A notification of Alertmanager's with these alerts.
pub(crate) fn notification(alerts: &[String]) -> String {
    format!(
        "{{\"version\":\"4\",\"groupKey\":\"{{}}:{{}}\",\"truncatedAlerts\":0,\"status\":\"firing\",\
         \"receiver\":\"sickbay\",\"groupLabels\":{{}},\"commonLabels\":{{}},\"commonAnnotations\":{{}},\
         \"externalURL\":\"http://alertmanager.example\",\"alerts\":[{}]}}",
        alerts.join(",")
    )
}

#[expect(clippy::disallowed_methods, reason = "an alert begins now")]
fn now() -> String {
    chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

/// The lines of standard error that report a problem. A notice to people that goes to the program's log is none.
pub(crate) fn complaints(said: &str) -> Vec<&str> {
    let levels = ["sickbay: ", "level=error", "level=warn"];
    let complains = |line: &&str| levels.iter().any(|level| line.contains(level));
    said.lines().filter(complains).filter(|line| !line.contains("target=sickbay::notifier")).collect()
}
