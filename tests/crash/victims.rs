//! Containers that may be restarted, and what the engine says happened to them.

use crate::real_daemon::until;
use crate::real_docker::{TestContainer, docker, unique};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

/// A process that does not react to SIGTERM: Docker waits for the whole stop timeout.
pub(crate) const STUBBORN: [&str; 2] = ["sleep", "100000"];

/// Some containers that opted in.
pub(crate) struct Victims {
    /// The containers.
    pub(crate) boxes: Vec<TestContainer>,
    /// What happens to them.
    pub(crate) events: Events,
}

impl Victims {
    /// Starts `count` containers with this command.
    pub(crate) fn start(purpose: &str, count: usize, command: &[&str]) -> Self {
        let mark = format!("sickbay-test={}", unique(purpose));
        let events = Events::watch(&mark);
        let start = |number: usize| {
            let labels = ["--label", &mark, "--label", "sickbay.enable=true"];
            TestContainer::run(&format!("{purpose}-{number}"), &labels, command)
        };
        // Starting is mostly waiting for the engine.
        let numbers: Vec<usize> = (0..count).collect();
        let boxes = thread::scope(|scope| {
            let starting: Vec<_> = numbers
                .chunks(count.div_ceil(4))
                .map(|chunk| scope.spawn(|| chunk.iter().copied().map(start).collect::<Vec<_>>()))
                .collect();
            starting.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        let victims = Self { boxes, events };
        until("the engine tells of the containers", || victims.count("start") == count);
        victims
    }

    /// How often something happened to all of them together.
    fn count(&self, action: &str) -> usize {
        self.boxes.iter().map(|victim| self.events.count(action, victim)).sum()
    }
}

/// The engine's own event stream: the witness of what was really done.
pub(crate) struct Events {
    stream: Child,
    seen: Arc<Mutex<Vec<(String, String)>>>,
}

impl Events {
    fn watch(label: &str) -> Self {
        let since = docker(&["info", "--format", "{{.SystemTime}}"]);
        let mut stream = Command::new("docker")
            .args(["events", "--since", &since, "--filter", "type=container", "--filter", &format!("label={label}")])
            .args(["--format", "{{.Action}} {{.ID}}"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(stream.stdout.take().unwrap()).lines();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let seen_there = Arc::clone(&seen);
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if let Some((action, id)) = line.split_once(' ') {
                    seen_there.lock().unwrap().push((action.to_owned(), id.to_owned()));
                }
            }
        });
        Self { stream, seen }
    }

    /// How often something happened to a container.
    pub(crate) fn count(&self, action: &str, victim: &TestContainer) -> usize {
        let seen = self.seen.lock().unwrap();
        seen.iter().filter(|(what, id)| what == action && *id == victim.id).count()
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to do.
        _ = self.stream.kill();
        _ = self.stream.wait();
    }
}
