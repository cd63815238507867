//! Finding out what became of an action whose answer never came.
//!
//! It waits until Docker must be done, looks at the very container by its ID, and compares the engine's own numbers
//! with those from before. It never sends anything. The verdicts are the table in `judge`.

use super::client::Reader;
use super::error::DockerError;
use crate::model::action::{Action, Reconciled, Vitals};
use crate::model::container::{Container, ContainerState};
use crate::model::step::Reconciliation;
use std::time::Duration;
use tokio::time::Instant;

/// How long an engine that does not answer is asked again.
const PATIENCE: Duration = Duration::from_secs(60);

/// The pause after the first failed look; it doubles up to [`PAUSE_MAX`].
const PAUSE_MIN: Duration = Duration::from_millis(500);

/// The longest pause between two looks.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// Waits, looks, and says what happened: the verdict, the container as found, and both in words.
pub async fn reconcile(reader: &Reader, reconciliation: &Reconciliation) -> (Reconciled, Option<Vitals>, String) {
    let Reconciliation { act: _, action, target, pre, settle } = reconciliation;
    tokio::time::sleep(*settle).await;
    let begun = Instant::now();
    let mut pause = PAUSE_MIN;
    loop {
        match reader.inspect(&target.id).await {
            Ok(found) => {
                let (verdict, words) = match action {
                    Action::Restart { .. } => restarted(pre, &found),
                    Action::Start => started(pre, &found),
                    Action::Stop { .. } => stopped(pre, &found),
                };
                return (verdict, Some(Vitals::from(&found)), format!("{}: {words}", target.name));
            }
            Err(DockerError::NotFound(_)) => {
                let words = format!("{}: the container is gone: removed or recreated", target.name);
                return (Reconciled::Superseded, None, words);
            }
            Err(error) if !error.may_pass() || PATIENCE <= begun.elapsed() + pause => {
                let words = format!("{}: nobody knows what became of the {}: {error}", target.name, action.word());
                return (Reconciled::Unknown, None, words);
            }
            Err(_passing) => {}
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// A restart by the API sets `RestartCount` to zero, one by Docker's policy raises it.
fn restarted(pre: &Vitals, found: &Container) -> (Reconciled, String) {
    let state = found.state.as_str();
    if found.started_at == pre.started_at {
        let words = if state == pre.state {
            format!("not restarted: still {state} since {}", found.started_at)
        } else {
            format!("not started again since {}: was {}, is {state}", found.started_at, pre.state)
        };
        return (Reconciled::NotApplied, words);
    }
    if pre.restart_count < found.restart_count {
        let words = format!(
            "restarted by its restart policy at {} (restart count {} after {}), now {state}",
            found.started_at, found.restart_count, pre.restart_count
        );
        return (Reconciled::RestartPolicy, words);
    }
    (Reconciled::Observed, format!("restarted at {}, now {state}", found.started_at))
}

/// What runs was started, and so was what has another start than before, whatever became of it since.
fn started(pre: &Vitals, found: &Container) -> (Reconciled, String) {
    let state = found.state.as_str();
    if found.started_at != pre.started_at {
        return (Reconciled::Observed, format!("started at {}, now {state}", found.started_at));
    }
    if found.state == ContainerState::Running {
        return (Reconciled::Observed, format!("running, as before, since {}", found.started_at));
    }
    (Reconciled::NotApplied, format!("not started: still {state}"))
}

/// Only a container that is down was stopped. One that was stopped and started again by somebody is up: not our stop.
fn stopped(pre: &Vitals, found: &Container) -> (Reconciled, String) {
    let (state, code) = (found.state.as_str(), found.exit_code);
    match &found.state {
        ContainerState::Exited | ContainerState::Dead | ContainerState::Created => {
            (Reconciled::Observed, format!("stopped at {} with exit code {code}", found.finished_at))
        }
        ContainerState::Running
        | ContainerState::Paused
        | ContainerState::Restarting
        | ContainerState::Removing
        | ContainerState::Other(_) => {
            let words = if found.started_at == pre.started_at {
                format!("not stopped: {state} since {}", found.started_at)
            } else {
                format!(
                    "not stopped, or started again: {state} since {}, before since {}",
                    found.started_at, pre.started_at
                )
            };
            (Reconciled::NotApplied, words)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docker::convert::container;
    use serde_json::json;

    fn seen(started_at: &str, restart_count: u64, status: &str) -> Container {
        let state = json!({"StartedAt": started_at, "Status": status});
        let json = json!({"Id": "ab".repeat(32), "Name": "/web", "State": state, "RestartCount": restart_count});
        container(&json).unwrap()
    }

    #[test]
    fn the_engines_own_numbers_decide() {
        for (name, pre, found, want) in [
            ("unchanged", seen("t1", 0, "running"), seen("t1", 0, "running"), Reconciled::NotApplied),
            ("stopped only", seen("t1", 0, "running"), seen("t1", 0, "exited"), Reconciled::NotApplied),
            ("restarted", seen("t1", 0, "running"), seen("t2", 0, "running"), Reconciled::Observed),
            ("restarted, count reset", seen("t1", 3, "running"), seen("t2", 0, "running"), Reconciled::Observed),
            ("restarted by policy", seen("t1", 0, "running"), seen("t2", 1, "running"), Reconciled::RestartPolicy),
            ("restarted and died", seen("t1", 0, "running"), seen("t2", 0, "exited"), Reconciled::Observed),
        ] {
            assert_eq!(restarted(&Vitals::from(&pre), &found).0, want, "{name}");
        }
        let (_, words) = restarted(&Vitals::from(&seen("t1", 0, "running")), &seen("t1", 0, "exited"));
        assert_eq!(words, "not started again since t1: was running, is exited");
    }

    #[test]
    fn what_is_as_it_was_wanted_counts_as_done() {
        let exited = || Vitals::from(&seen("t1", 0, "exited"));
        for (name, pre, found, want) in [
            ("started", exited(), seen("t2", 0, "running"), Reconciled::Observed),
            ("started and died", exited(), seen("t2", 0, "exited"), Reconciled::Observed),
            ("started and in a loop", exited(), seen("t3", 2, "restarting"), Reconciled::Observed),
            ("not started", exited(), seen("t1", 0, "exited"), Reconciled::NotApplied),
            ("ran before", Vitals::from(&seen("t1", 0, "running")), seen("t1", 0, "running"), Reconciled::Observed),
        ] {
            assert_eq!(started(&pre, &found).0, want, "start: {name}");
        }
        for (name, found, want) in [
            ("stopped", seen("t1", 0, "exited"), Reconciled::Observed),
            ("still running", seen("t1", 0, "running"), Reconciled::NotApplied),
            ("running again", seen("t2", 0, "running"), Reconciled::NotApplied),
            ("in a loop", seen("t2", 1, "restarting"), Reconciled::NotApplied),
        ] {
            assert_eq!(stopped(&Vitals::from(&seen("t1", 0, "running")), &found).0, want, "stop: {name}");
        }
    }
}
