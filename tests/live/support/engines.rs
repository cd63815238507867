//! Docker engines of their own beside the machine's: each in a network namespace of its own, with its own data, so that it
//! can be paused, cut off and killed without harm to anybody else.
//!
//! Root is needed, and Debian's packages `docker.io`, `iproute2` and `util-linux`. `ip netns exec` would hide the control
//! groups from an engine; `nsenter` does not. In the machine's own namespace an engine without a bridge would delete the
//! bridge of the machine's engine.

use super::certificates::Certificates;
use crate::real_docker::{OBEDIENT, image};
use crate::sickbay_process::wait_until;
use rustix::fs::{FlockOperation, flock};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::{self, File, OpenOptions};
use std::process::{Child, Command, Stdio};

/// One engine. It is ended, and its namespace removed, when dropped.
pub(crate) struct Engine {
    directory: tempfile::TempDir,
    /// Which of the networks 10.213.N.0/30 it has.
    number: u8,
    /// Held for as long as the number is taken.
    _number: File,
    /// With which certificate it listens on TCP, if it does.
    tls: Option<Certificates>,
    child: Option<Child>,
}

impl Engine {
    /// Starts one with this machine's test image.
    pub(crate) fn start(tls: bool) -> Self {
        let (number, lock) = free_number();
        let directory = tempfile::tempdir().unwrap();
        let mut engine = Self { directory, number, _number: lock, tls: None, child: None };
        engine.tls = tls.then(|| Certificates::for_host(&engine.address()));
        let (space, outer, inner) = (engine.namespace(), engine.link(), engine.address());
        run("ip", &["netns", "add", &space]);
        run("ip", &["link", "add", &outer, "type", "veth", "peer", "name", "eth0", "netns", &space]);
        run("ip", &["address", "add", &format!("10.213.{number}.1/30"), "dev", &outer]);
        run("ip", &["link", "set", &outer, "up"]);
        run("ip", &["-n", &space, "address", "add", &format!("{inner}/30"), "dev", "eth0"]);
        run("ip", &["-n", &space, "link", "set", "lo", "up"]);
        run("ip", &["-n", &space, "link", "set", "eth0", "up"]);
        engine.spawn();
        let saved = engine.directory.path().join("image.tar");
        run("docker", &["save", "-o", saved.to_str().unwrap(), &image()]);
        engine.docker(&["load", "-q", "-i", saved.to_str().unwrap()]);
        engine
    }

    /// Starts it, or starts it again after [`Self::kill`], and waits until it answers.
    pub(crate) fn spawn(&mut self) {
        let path = |name: &str| self.directory.path().join(name).display().to_string();
        let said = OpenOptions::new().create(true).append(true).open(path("said")).unwrap();
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/var/run/netns/{}", self.namespace())).arg("dockerd");
        command.args(["--bridge", "none", "--iptables=false", "--ip6tables=false", "--host", &self.url()]);
        command.args(["--data-root", &path("data"), "--exec-root", &path("exec"), "--pidfile", &path("pid")]);
        if let Some(certificates) = &self.tls {
            command.args(["--host", &self.tcp(), "--tlsverify", "--tlscacert", &certificates.ca()]);
            command.args(["--tlscert", &certificates.server(), "--tlskey", &certificates.server_key()]);
        }
        // A killed one leaves its file behind, and somebody may have its number by now.
        drop(fs::remove_file(path("pid")));
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(said).spawn();
        self.child = Some(child.unwrap_or_else(|error| panic!("nsenter: {error} (apt install util-linux)")));
        let answers = || self.try_docker(&["version"]).status.success();
        if wait_until(|| answers().then_some(())).is_none() {
            panic!("the engine does not answer: {}", fs::read_to_string(path("said")).unwrap());
        }
    }

    /// Its socket, as the settings write it.
    pub(crate) fn url(&self) -> String {
        format!("unix://{}", self.directory.path().join("docker.sock").display())
    }

    /// Its address in its namespace.
    pub(crate) fn address(&self) -> String {
        format!("10.213.{}.2", self.number)
    }

    /// Where it listens with TLS.
    pub(crate) fn tcp(&self) -> String {
        format!("tcp://{}:2376", self.address())
    }

    /// The certificates for it.
    pub(crate) fn certificates(&self) -> &Certificates {
        self.tls.as_ref().unwrap()
    }

    fn namespace(&self) -> String {
        format!("sickbay-test-{}", self.number)
    }

    fn link(&self) -> String {
        format!("sbtest{}", self.number)
    }

    fn try_docker(&self, args: &[&str]) -> std::process::Output {
        Command::new("docker").args([&["-H", &self.url()], args].concat()).output().unwrap()
    }

    /// Runs `docker` there, and gives back what it printed.
    pub(crate) fn docker(&self, args: &[&str]) -> String {
        let output = self.try_docker(args);
        assert!(output.status.success(), "docker {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// A container that may be treated.
    pub(crate) fn container(&self, name: &str) {
        let fixed = ["run", "-d", "--network", "none", "--label", "sickbay.enable=true", "--name", name];
        self.docker(&[&fixed[..], &[&image()], &OBEDIENT].concat());
    }

    /// When a container was started last.
    pub(crate) fn started_at(&self, name: &str) -> String {
        self.docker(&["inspect", "-f", "{{.State.StartedAt}}", name])
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(self.child.as_ref().unwrap()), signal).unwrap();
    }

    /// It answers nothing any more, and its socket takes connections all the same.
    pub(crate) fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// It goes on.
    pub(crate) fn unpause(&self) {
        self.signal(Signal::CONT);
    }

    /// Its end of the line goes down. Nobody else can get what is sent to it: the way there is still the same.
    pub(crate) fn cut_off(&self) {
        run("ip", &["-n", &self.namespace(), "link", "set", "eth0", "down"]);
        let way = run("ip", &["route", "get", &self.address()]);
        assert!(way.contains(&self.link()), "{way}");
    }

    /// The line is mended.
    pub(crate) fn reconnect(&self) {
        run("ip", &["-n", &self.namespace(), "link", "set", "eth0", "up"]);
    }

    /// Ends it as a power cut would.
    pub(crate) fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if self.child.is_none() && !std::thread::panicking() {
            self.spawn();
        }
        if let Some(mut child) = self.child.take() {
            let pid = Pid::from_child(&child);
            _ = kill_process(pid, Signal::CONT);
            let ids = String::from_utf8_lossy(&self.try_docker(&["ps", "-aq"]).stdout).into_owned();
            let ids: Vec<&str> = ids.split_whitespace().collect();
            self.try_docker(&[&["rm", "-f", "-v"][..], &ids].concat());
            _ = kill_process(pid, Signal::TERM);
            if wait_until(|| child.try_wait().unwrap()).is_none() {
                drop(child.kill());
                drop(child.wait());
            }
        }
        drop(Command::new("ip").args(["link", "delete", &self.link()]).output());
        drop(Command::new("ip").args(["netns", "delete", &self.namespace()]).output());
    }
}

/// A number that no other test has.
fn free_number() -> (u8, File) {
    for number in 1..=100 {
        let lock = File::create(std::env::temp_dir().join(format!("sickbay-test-engine-{number}.lock"))).unwrap();
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok() {
            // What a killed test left behind.
            drop(Command::new("ip").args(["link", "delete", &format!("sbtest{number}")]).output());
            drop(Command::new("ip").args(["netns", "delete", &format!("sickbay-test-{number}")]).output());
            return (number, lock);
        }
    }
    panic!("a hundred engines run already");
}

/// Runs a command that must succeed, and gives back what it printed.
fn run(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error} (apt install iproute2 docker.io)"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {args:?}: {said}; engines of their own need root");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
