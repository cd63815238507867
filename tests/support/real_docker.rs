//! Containers on the Docker engine of this machine, made with its command line and removed when dropped.
//!
//! No registry is needed: the image is made of the machine's static busybox. A missing engine is an error that says how
//! to start one, never a skipped test.

#![expect(clippy::panic, reason = "helpers of tests are tests too: a panic names its line")]

use sickbay::docker::endpoint::DockerEndpoint;
use std::env;
use std::process::Command;
use std::time::Duration;

/// What every name begins with, so that a person can see where a container came from.
const PREFIX: &str = match option_env!("SICKBAY_TEST_PREFIX") {
    Some(prefix) => prefix,
    None => "sickbay-test",
};

/// The engine that `docker` speaks to.
#[expect(clippy::disallowed_methods, reason = "a test finds the engine as the docker command does")]
pub(crate) fn engine() -> DockerEndpoint {
    let named = env::var("DOCKER_HOST").ok().filter(|host| !host.is_empty());
    named.map_or_else(DockerEndpoint::default, |host| {
        host.parse().unwrap_or_else(|error| panic!("DOCKER_HOST={host}: {error}"))
    })
}

/// Runs `docker` and gives back what it printed.
pub(crate) fn docker(args: &[&str]) -> String {
    let output = Command::new("docker").args(args).output();
    let output =
        output.unwrap_or_else(|error| panic!("the docker command is missing (apt install docker.io): {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "docker {args:?}: {said}\nif no engine answers, start one: dockerd >/tmp/dockerd.log 2>&1 &"
    );
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// A container that is removed with its volumes when dropped.
#[derive(Debug)]
pub(crate) struct TestContainer {
    /// Its name.
    pub(crate) name: String,
    /// Its full ID.
    pub(crate) id: String,
}

impl TestContainer {
    /// Runs `command` in a new container, with further options of `docker run`.
    pub(crate) fn run(purpose: &str, options: &[&str], command: &[&str]) -> Self {
        let name = unique(purpose);
        Self::run_as(&name, options, command)
    }

    /// As [`Self::run`], under exactly this name.
    pub(crate) fn run_as(name: &str, options: &[&str], command: &[&str]) -> Self {
        Self::made(&["run", "-d"], name, (options, command))
    }

    /// As [`Self::run_as`], by this command of Docker's.
    pub(crate) fn made(by: &[&str], name: &str, run: (&[&str], &[&str])) -> Self {
        Self::of(&image(), by, (name, run))
    }

    /// As [`Self::run_as`], of another image.
    pub(crate) fn of_image(image: &str, name: &str, run: (&[&str], &[&str])) -> Self {
        Self::of(image, &["run", "-d"], (name, run))
    }

    fn of(image: &str, by: &[&str], (name, (options, command)): (&str, (&[&str], &[&str]))) -> Self {
        let network: &[&str] = if options.contains(&"--network") { &[] } else { &["--network", "none"] };
        let id = docker(&[by, &["--name", name], network, options, &[image], command].concat());
        Self { name: name.to_owned(), id }
    }
}

impl TestContainer {
    /// Waits until the container's process has printed this.
    pub(crate) fn wait_for_output(&self, text: &str) {
        for _ in 0..100 {
            if docker(&["logs", &self.id]).contains(text) {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("{} did not print {text:?} within 10 s", self.name);
    }

    /// Lets the container's process end by itself, as far as Docker can tell.
    pub(crate) fn end_from_within(&self) {
        // The command dies together with the process that it ends, so its own status says nothing.
        let script = "while kill 1; do sleep 0.1; done";
        drop(Command::new("docker").args(["exec", &self.id, "sh", "-c", script]).output());
    }
}

impl Drop for TestContainer {
    fn drop(&mut self) {
        // Most likely it fails only because the test removed the container itself.
        drop(Command::new("docker").args(["rm", "-f", "-v", &self.id]).output());
    }
}

/// A name nobody else uses.
pub(crate) fn unique(purpose: &str) -> String {
    format!("{PREFIX}-{purpose}-{}", std::process::id())
}

/// A command that runs until it is told to stop, and then stops at once.
pub(crate) const OBEDIENT: [&str; 3] = ["sh", "-c", "trap 'exit 0' TERM; while true; do sleep 1000 & wait $!; done"];

/// The image, made once per machine.
pub(crate) fn image() -> String {
    let tag = format!("{PREFIX}-box:1");
    let directory = std::env::temp_dir().join(format!("{PREFIX}-box"));
    let build = r#"
        set -e
        mkdir -p "$1" && cd "$1"
        exec 9>lock && flock 9
        docker image inspect "$2" >/dev/null 2>&1 && exit 0
        mkdir -p root/bin root/tmp
        cp /bin/busybox root/bin/busybox
        for name in sh sleep test cat echo printf touch rm tail kill true false seq; do ln -sf busybox root/bin/$name; done
        tar -C root -c . | docker import -c 'CMD ["sleep","100000"]' -c 'ENV PATH=/bin' - "$2"
    "#;
    let output = Command::new("sh").args(["-c", build, "sh"]).arg(&directory).arg(&tag).output();
    let output = output.unwrap_or_else(|error| panic!("sh: {error}"));
    assert!(
        output.status.success(),
        "the test image needs a static busybox (apt install busybox-static) and a docker engine \
         (dockerd >/tmp/dockerd.log 2>&1 &): {}",
        String::from_utf8_lossy(&output.stderr)
    );
    tag
}
