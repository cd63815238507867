//! Swarm on the Docker engine of this machine: one node, started if there is none, and left again by who started it.
//!
//! A swarm that was there already is used and left alone. Tests that need one take turns, across processes too, so that
//! nobody leaves it under another's feet. Services are made with Docker's command line and removed when dropped.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests too: a panic names its line")]

use crate::real_docker::{docker, image, unique};
use rustix::fs::{FlockOperation, flock};
use serde_json::Value;
use std::fs::File;
use std::process::Command;
use std::time::{Duration, Instant};

/// How long Swarm may take for what takes it seconds.
const PATIENCE: Duration = Duration::from_secs(90);

/// A swarm for as long as the test needs it.
#[derive(Debug)]
pub(crate) struct Swarm {
    started: bool,
    /// Held until the swarm is left, if it is.
    _turn: File,
}

impl Swarm {
    /// Waits for its turn, and starts a swarm if there is none.
    pub(crate) fn borrow() -> Self {
        let turn = turn(FlockOperation::LockExclusive);
        let started = docker(&["info", "-f", "{{.Swarm.LocalNodeState}}"]) == "inactive";
        if started {
            docker(&["swarm", "init", "--advertise-addr", "127.0.0.1"]);
        }
        Self { started, _turn: turn }
    }
}

impl Drop for Swarm {
    fn drop(&mut self) {
        if self.started {
            drop(Command::new("docker").args(["swarm", "leave", "--force"]).output());
        }
    }
}

/// For as long as it is held, nobody begins or leaves a swarm: that takes every network of the engine down for a moment.
#[derive(Debug)]
pub(crate) struct QuietNetworks {
    _turn: File,
}

impl QuietNetworks {
    /// Waits until there is no test with a swarm.
    pub(crate) fn borrow() -> Self {
        Self { _turn: turn(FlockOperation::LockShared) }
    }
}

fn turn(kind: FlockOperation) -> File {
    let turn = File::create(std::env::temp_dir().join("sickbay-test-swarm.lock")).unwrap();
    flock(&turn, kind).unwrap();
    turn
}

/// A service that is removed when dropped. Drop it before the swarm: declare it after.
#[derive(Debug)]
pub(crate) struct TestService {
    /// Its name.
    pub(crate) name: String,
    /// Its full ID.
    pub(crate) id: String,
}

impl TestService {
    /// Makes one with further options of `docker service create`, and waits until its tasks run.
    pub(crate) fn create(purpose: &str, options: &[&str], command: &[&str]) -> Self {
        let name = unique(purpose);
        let fixed = ["service", "create", "--quiet", "--no-resolve-image", "--name", &name];
        // Tasks that take moments, in place of Swarm's patience.
        let quick: &[&str] = &["--update-monitor", "2s", "--rollback-monitor", "2s", "--stop-grace-period", "1s"];
        // A job has no updates.
        let quick = if options.contains(&"replicated-job") { &[] } else { quick };
        let id = docker(&[&fixed[..], quick, options, &[&image()], command].concat());
        Self { name, id }
    }

    /// What the manager says of it.
    pub(crate) fn inspect(&self) -> Value {
        let inspected: Value = serde_json::from_str(&docker(&["service", "inspect", &self.id])).unwrap();
        inspected.get(0).unwrap().clone()
    }

    /// Its definition.
    pub(crate) fn spec(&self) -> Value {
        self.inspect().get("Spec").unwrap().clone()
    }

    /// The containers of the tasks that are to run, oldest place first: `1 0c1d…`.
    pub(crate) fn tasks(&self) -> Vec<String> {
        let ids = docker(&["service", "ps", "-q", "--no-trunc", "-f", "desired-state=running", &self.id]);
        let format = "{{.Slot}} {{.Status.ContainerStatus.ContainerID}}";
        let mut tasks: Vec<String> = ids.lines().map(|id| docker(&["inspect", "-f", format, id])).collect();
        tasks.sort();
        tasks
    }

    /// How many replicas there are to be.
    pub(crate) fn replicas(&self) -> u64 {
        self.spec().pointer("/Mode/Replicated/Replicas").and_then(Value::as_u64).unwrap()
    }

    /// Docker's word for how far its last change is.
    pub(crate) fn update_state(&self) -> String {
        let inspected = self.inspect();
        inspected.pointer("/UpdateStatus/State").and_then(Value::as_str).unwrap_or_default().to_owned()
    }

    /// Changes it, as a person or a deployment does, and waits until that is done.
    pub(crate) fn update(&self, options: &[&str]) {
        docker(&[&["service", "update", "--quiet", "--no-resolve-image"], options, &[self.id.as_str()]].concat());
        let deadline = Instant::now() + PATIENCE;
        while self.update_state() == "updating" {
            assert!(Instant::now() < deadline, "the update of {} does not end", self.name);
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for TestService {
    fn drop(&mut self) {
        drop(Command::new("docker").args(["service", "rm", &self.id]).output());
    }
}

/// Where two values differ, as JSON pointers.
pub(crate) fn differences(a: &Value, b: &Value) -> Vec<String> {
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => {
            let mut keys: Vec<&String> = a.keys().chain(b.keys()).collect();
            keys.sort();
            keys.dedup();
            let inner = |key: &String| {
                let [a, b] = [a, b].map(|map| map.get(key).unwrap_or(&Value::Null));
                differences(a, b).into_iter().map(|rest| format!("/{key}{rest}")).collect::<Vec<_>>()
            };
            keys.into_iter().flat_map(inner).collect()
        }
        (a, b) if a == b => Vec::new(),
        (_, _) => vec![String::new()],
    }
}
