//! Finding out what became of a restart whose answer never came.
//!
//! It waits until Docker must be done, looks at the very container by its ID, and compares the engine's own numbers
//! with those from before. It never sends anything. The verdicts are the table of [`judge`].

use super::client::Reader;
use super::error::DockerError;
use crate::model::action::{Action, Reconciled, Vitals};
use crate::model::container::Container;
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
                    Action::Restart { .. } => judge(pre, &found),
                };
                return (verdict, Some(Vitals::from(&found)), format!("{}: {words}", target.name));
            }
            Err(DockerError::NotFound(_)) => {
                let words = format!("{}: the container is gone: removed or recreated", target.name);
                return (Reconciled::Superseded, None, words);
            }
            Err(error) if !error.may_pass() || PATIENCE <= begun.elapsed() + pause => {
                let words = format!("{}: nobody knows whether it was restarted: {error}", target.name);
                return (Reconciled::Unknown, None, words);
            }
            Err(_passing) => {}
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// A restart by the API sets `RestartCount` to zero, one by Docker's policy raises it.
fn judge(pre: &Vitals, found: &Container) -> (Reconciled, String) {
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
            assert_eq!(judge(&Vitals::from(&pre), &found).0, want, "{name}");
        }
        let (_, words) = judge(&Vitals::from(&seen("t1", 0, "running")), &seen("t1", 0, "exited"));
        assert_eq!(words, "not started again since t1: was running, is exited");
    }
}
