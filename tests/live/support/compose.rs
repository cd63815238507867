//! A project of real Docker Compose, of either generation, in a directory of its own. It is taken down when dropped.

use crate::real_docker::{docker, image};
use crate::real_swarm::QuietNetworks;
use crate::sickbay_process::wait_until;
use serde_json::Value;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output};
use std::thread;
use std::time::{Duration, Instant};

/// Which Compose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Generation {
    /// Compose 1.29, in Python.
    One,
    /// Compose 2, in Go.
    Two,
}

/// A project that is up.
pub(crate) struct Project {
    directory: tempfile::TempDir,
    command: Vec<String>,
    /// Its name, and that of nothing else on the machine.
    pub(crate) name: String,
    /// Held until it is taken down.
    _networks: QuietNetworks,
}

impl Project {
    /// Writes a file, in which `IMAGE` stands for the tests' image, and starts nothing. `None` where this Compose cannot be
    /// had, which only Compose 1 may be.
    pub(crate) fn of(generation: Generation, purpose: &str, file: &str) -> Option<Self> {
        let command = command(generation)?;
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("docker-compose.yml"), file.replace("IMAGE", &image())).unwrap();
        let name = crate::real_docker::unique(purpose);
        Some(Self { directory, command, name, _networks: QuietNetworks::borrow() })
    }

    /// The project's folder.
    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Runs Compose and gives back all it said.
    pub(crate) fn compose(&self, args: &[&str]) -> String {
        let output = self.try_compose(args);
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "compose {args:?}: {said}");
        said
    }

    /// As [`Self::compose`], and it may fail.
    pub(crate) fn try_compose(&self, args: &[&str]) -> Output {
        let mut command = Command::new(&self.command[0]);
        command.args(&self.command[1..]).args(["-p", &self.name]).args(args);
        command.current_dir(self.path()).env("SICKBAY_TEST_TOKEN", "x");
        let mut output = command.output().unwrap();
        // An engine has addresses for some thirty networks. Where they are all taken, other projects give theirs back.
        let end = Instant::now() + Duration::from_secs(120);
        while String::from_utf8_lossy(&output.stderr).contains("non-overlapping IPv4 address pool")
            && Instant::now() < end
        {
            thread::sleep(Duration::from_secs(1));
            output = command.output().unwrap();
        }
        output
    }

    /// What inspect says of each container of a service, the lowest number first.
    pub(crate) fn replicas(&self, service: &str) -> Vec<Value> {
        let project = format!("label=com.docker.compose.project={}", self.name);
        let service = format!("label=com.docker.compose.service={service}");
        // One may be gone before it is asked about: then they are listed anew.
        let seen = wait_until(|| {
            let ids = docker(&["ps", "-aq", "--no-trunc", "--filter", &project, "--filter", &service]);
            let seen = Command::new("docker").arg("inspect").args(ids.lines()).output().unwrap();
            if ids.is_empty() { Some("[]".into()) } else { seen.status.success().then_some(seen.stdout) }
        });
        let Value::Array(mut all) = serde_json::from_slice(&seen.unwrap()).unwrap() else { unreachable!("a list") };
        all.sort_by_key(number);
        all
    }

    /// The volumes of the project's name, and those that its containers have.
    pub(crate) fn volumes(&self) -> Vec<String> {
        let project = format!("label=com.docker.compose.project={}", self.name);
        docker(&["volume", "ls", "-q", "--filter", &project]).lines().map(str::to_owned).collect()
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        drop(self.try_compose(&["down", "-v", "-t", "1", "--remove-orphans"]));
        // Whatever Compose does not count as its own is still ours to remove.
        let project = format!("label=com.docker.compose.project={}", self.name);
        let left = docker(&["ps", "-aq", "--filter", &project]);
        left.lines().for_each(|id| drop(Command::new("docker").args(["rm", "-f", "-v", id]).output()));
    }
}

/// A replica's number, by its label.
pub(crate) fn number(replica: &Value) -> u32 {
    replica["Config"]["Labels"]["com.docker.compose.container-number"].as_str().unwrap().parse().unwrap()
}

fn command(generation: Generation) -> Option<Vec<String>> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/compose.sh");
    let word = if generation == Generation::One { "1" } else { "2" };
    let lock = std::env::temp_dir().join("sickbay-compose.lock");
    let output = Command::new("flock").arg(lock).args(["bash", script, word]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        assert_eq!(generation, Generation::One, "Compose 2 cannot be had: {said}");
        let mut stderr = std::io::stderr();
        writeln!(stderr, "LEFT OUT: Compose 1.29 cannot be had here: {said}").unwrap();
        return None;
    }
    let printed = String::from_utf8_lossy(&output.stdout);
    Some(printed.split_whitespace().map(str::to_owned).collect())
}
