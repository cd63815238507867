//! What the engine says it did to a container, from its own event stream.

use crate::real_docker::{TestContainer, docker, unique};
use crate::sickbay_process::wait_until;
use std::fs::{self, File};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// Tells the marks of one process apart.
static MARKS: AtomicU32 = AtomicU32::new(0);

/// Listens to what happens to one container.
///
/// The stream is read while things happen: the engine itself remembers only its last 256 events, and health checks of
/// other containers use them up.
pub(crate) struct EngineEvents {
    listener: Child,
    directory: tempfile::TempDir,
    id: String,
}

impl EngineEvents {
    /// Listens from now on.
    pub(crate) fn of(container: &TestContainer) -> Self {
        Self::listening(&format!("container={}", container.id), container)
    }

    /// Listens from now on to all containers of a label, one of which is `last`.
    pub(crate) fn of_label(label: &str, last: &TestContainer) -> Self {
        Self::listening(&format!("label={label}"), last)
    }

    fn listening(filter: &str, container: &TestContainer) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut command = Command::new("docker");
        command.args(["events", "--since", &now(), "--filter", filter, "--format", "{{.Action}}"]);
        let listener = command.stdout(File::create(directory.path().join("events")).unwrap()).stdin(Stdio::null());
        Self { listener: listener.spawn().unwrap(), directory, id: container.id.clone() }
    }

    /// All actions until now, the health checks' own commands left out.
    ///
    /// A last event is made by giving the container another name: once that is in the stream, so is all before it.
    pub(crate) fn until_now(self) -> Vec<String> {
        let mark = MARKS.fetch_add(1, Ordering::Relaxed);
        docker(&["rename", &self.id, &unique(&format!("mark-{mark}"))]);
        self.until("rename")
    }

    /// As [`Self::until_now`], for one in a crash loop, which cannot be renamed: its removal is the last event.
    pub(crate) fn until_removed(self) -> Vec<String> {
        docker(&["rm", "-f", "-v", &self.id]);
        self.until("destroy")
    }

    /// Waits until the engine has told of its death, which it does a moment after `docker kill` is done.
    pub(crate) fn until_dead(self) {
        self.until("die");
    }

    fn until(&self, last: &str) -> Vec<String> {
        let seen = wait_until(|| {
            let text = fs::read_to_string(self.directory.path().join("events")).unwrap();
            let actions: Vec<String> = text.lines().map(str::to_owned).collect();
            let end = actions.iter().position(|action| action == last)?;
            Some(actions[..end].to_vec())
        });
        let seen = seen.unwrap_or_else(|| panic!("the engine does not tell its events"));
        let mut seen: Vec<String> = seen.into_iter().filter(|action| !action.starts_with("exec_")).collect();
        // Newer engines tell of a stop before they tell of the death that it was.
        for at in 1..seen.len() {
            if seen[at - 1] == "stop" && seen[at] == "die" {
                seen.swap(at - 1, at);
            }
        }
        seen
    }
}

impl Drop for EngineEvents {
    fn drop(&mut self) {
        // It may have ended together with the engine.
        drop(self.listener.kill());
        drop(self.listener.wait());
    }
}

/// How often it was restarted.
pub(crate) fn restarts(actions: &[String]) -> usize {
    actions.iter().filter(|action| *action == "restart").count()
}

#[expect(clippy::disallowed_methods, reason = "the engine's stream is asked for from now on")]
fn now() -> String {
    let now = chrono::Utc::now();
    format!("{}.{:09}", now.timestamp(), now.timestamp_subsec_nanos())
}
