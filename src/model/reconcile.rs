//! What looking shows of an action whose answer never came, or whose answer was a no: pure, one look at a time.
//!
//! The engine's own numbers from before and after are compared; nothing is ever sent again. The daemon and the simulation
//! judge by the same table. Read [`Inquiry`] first.

use super::action::{Action, ActionOutcome, Reconciled, Vitals};
use super::container::{Container, ContainerState};
use super::step::Reconciliation;
use std::time::Duration;

/// How long an engine that does not answer is asked again.
const PATIENCE: Duration = Duration::from_secs(60);

/// The pause after the first failed look; it doubles up to [`PAUSE_MAX`].
const PAUSE_MIN: Duration = Duration::from_millis(500);

/// The longest pause between two looks.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// What one look at a container showed.
#[derive(Clone, Copy, Debug)]
pub enum Look<'a> {
    /// The container.
    Found(&'a Container),
    /// There is no such container.
    Gone,
    /// Docker did not answer; it may yet.
    Unseen(&'a str),
    /// Docker will not answer.
    Hidden(&'a str),
}

/// What is known in the end: the verdict, the container as found, and both in words.
pub type Finding = (Reconciled, Option<Vitals>, String);

/// The looking for one action's outcome, after its deadline is over.
#[derive(Clone, Debug)]
pub struct Inquiry {
    reconciliation: Reconciliation,
    pause: Duration,
}

impl Inquiry {
    /// Nothing looked at yet.
    #[must_use]
    pub fn new(reconciliation: Reconciliation) -> Self {
        Self { reconciliation, pause: PAUSE_MIN }
    }

    /// What is looked for.
    #[must_use]
    pub fn reconciliation(&self) -> &Reconciliation {
        &self.reconciliation
    }

    /// Judges one look, `now` being the time since the first was made.
    ///
    /// # Errors
    /// The pause until the next look, if this one told nothing.
    pub fn look(&mut self, look: Look<'_>, now: Duration) -> Result<Finding, Duration> {
        let Reconciliation { act: _, action, target, pre, settle: _ } = &self.reconciliation;
        let unknown = |error| {
            let words = format!("{}: nobody knows whether it was restarted: {error}", target.name);
            Ok((Reconciled::Unknown, None, words))
        };
        match look {
            Look::Found(found) => {
                let (verdict, words) = match action {
                    Action::Restart { .. } => restarted(pre, found),
                };
                Ok((verdict, Some(Vitals::from(found)), format!("{}: {words}", target.name)))
            }
            Look::Gone => {
                let words = format!("{}: the container is gone: removed or recreated", target.name);
                Ok((Reconciled::Superseded, None, words))
            }
            Look::Hidden(error) => unknown(error),
            Look::Unseen(error) if PATIENCE <= now + self.pause => unknown(error),
            Look::Unseen(_) => {
                let pause = self.pause;
                self.pause = (pause * 2).min(PAUSE_MAX);
                Err(pause)
            }
        }
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

/// What Docker's "no" to a restart means in the light of what became of the container: a restart hides every cause
/// behind one status.
#[must_use]
pub fn after_refusal(refusal: &str, pre: &Vitals, look: Look<'_>) -> ActionOutcome {
    match look {
        Look::Found(container)
            if container.started_at != pre.started_at && container.state == ContainerState::Running =>
        {
            ActionOutcome::Succeeded { post: Some(Vitals::from(container)) }
        }
        Look::Found(container) => {
            let state = container.state.as_str();
            let cause = match container.start_error.as_str() {
                "" => String::new(),
                cause => format!(" ({cause})"),
            };
            ActionOutcome::Failed { error: format!("{refusal}: the container is now {state}{cause}") }
        }
        Look::Gone => ActionOutcome::Failed { error: format!("{refusal}: the container is gone") },
        Look::Unseen(unseen) | Look::Hidden(unseen) => {
            ActionOutcome::Unknown { error: format!("{refusal}, and then: {unseen}") }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docker::convert::container;
    use crate::model::action::TargetIdent;
    use crate::model::id::{ActId, IncidentId, Seq};
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
    fn a_failure_is_believed_only_after_looking() {
        let pre = Vitals::from(&seen("t1", 0, "running"));
        let (moved, down) = (seen("t2", 0, "running"), seen("t2", 0, "exited"));
        let (still, dead) = (seen("t1", 0, "running"), seen("t1", 0, "exited"));
        for (name, look, want) in [
            ("moved and running", Look::Found(&moved), "Succeeded"),
            ("moved and down", Look::Found(&down), "Failed"),
            ("not moved", Look::Found(&still), "Failed"),
            ("not moved and down", Look::Found(&dead), "Failed"),
            ("gone", Look::Gone, "Failed"),
            ("cannot be seen", Look::Unseen("cut"), "Unknown"),
            ("may not be seen", Look::Hidden("denied"), "Unknown"),
        ] {
            let outcome = format!("{:?}", after_refusal("no", &pre, look));
            assert!(outcome.starts_with(want), "{name}: {outcome}");
        }
        let down = Container { start_error: "port is already allocated".to_owned(), ..dead };
        let ActionOutcome::Failed { error } = after_refusal("no", &pre, Look::Found(&down)) else { panic!() };
        assert_eq!(error, "no: the container is now exited (port is already allocated)");
    }

    #[test]
    fn a_silent_engine_is_asked_for_a_minute_and_a_refusing_one_not_again() {
        let container = seen("t1", 0, "running");
        let (target, pre) = (TargetIdent::from(&container), Vitals::from(&container));
        let act = ActId { incident: IncidentId(Seq(1)), number: 1 };
        let action = Action::Restart { stop_timeout: None };
        let mut inquiry = Inquiry::new(Reconciliation { act, action, target, pre, settle: Duration::ZERO });
        let mut now = Duration::ZERO;
        let end = loop {
            match inquiry.look(Look::Unseen("cut"), now) {
                Ok(end) => break end,
                Err(pause) => now += pause,
            }
        };
        assert_eq!(end.0, Reconciled::Unknown);
        assert!(Duration::from_secs(50) < now && now <= PATIENCE, "{now:?}");
        assert_eq!(inquiry.look(Look::Hidden("denied"), Duration::ZERO).unwrap().0, Reconciled::Unknown);
        assert_eq!(inquiry.look(Look::Gone, Duration::ZERO).unwrap().0, Reconciled::Superseded);
    }
}
