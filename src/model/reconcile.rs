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
            let words = format!("{}: nobody knows what became of the {}: {error}", target.name, action.word());
            Ok((Reconciled::Unknown, None, words))
        };
        match look {
            Look::Found(found) => {
                let (verdict, words) = match action {
                    Action::Restart { .. } => restarted(pre, found),
                    Action::Start => started(pre, found),
                    Action::Stop { .. } => stopped(pre, found),
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

/// What Docker's "no" means in the light of what became of the container: a restart hides every cause
/// behind one status.
#[must_use]
pub fn after_refusal(refusal: &str, (pre, action): (&Vitals, &Action), look: Look<'_>) -> ActionOutcome {
    let reached = |container: &Container| match action {
        Action::Restart { .. } => container.started_at != pre.started_at && container.state == ContainerState::Running,
        Action::Start => container.state == ContainerState::Running,
        Action::Stop { .. } => container.state == ContainerState::Exited,
    };
    match look {
        Look::Found(container) if reached(container) => {
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

    #[test]
    fn a_failure_is_believed_only_after_looking() {
        let pre = Vitals::from(&seen("t1", 0, "running"));
        let (moved, down) = (seen("t2", 0, "running"), seen("t2", 0, "exited"));
        let (still, dead) = (seen("t1", 0, "running"), seen("t1", 0, "exited"));
        let restart = Action::Restart { stop_timeout: None };
        let stop = Action::Stop { stop_timeout: None };
        for (name, action, look, want) in [
            ("moved and running", &restart, Look::Found(&moved), "Succeeded"),
            ("moved and down", &restart, Look::Found(&down), "Failed"),
            ("not moved", &restart, Look::Found(&still), "Failed"),
            ("not moved and down", &restart, Look::Found(&dead), "Failed"),
            ("gone", &restart, Look::Gone, "Failed"),
            ("cannot be seen", &restart, Look::Unseen("cut"), "Unknown"),
            ("may not be seen", &restart, Look::Hidden("denied"), "Unknown"),
            ("started", &Action::Start, Look::Found(&moved), "Succeeded"),
            ("not started", &Action::Start, Look::Found(&dead), "Failed"),
            ("start cannot be seen", &Action::Start, Look::Unseen("cut"), "Unknown"),
            ("stopped", &stop, Look::Found(&dead), "Succeeded"),
            ("not stopped", &stop, Look::Found(&still), "Failed"),
            ("to be stopped, and gone", &stop, Look::Gone, "Failed"),
        ] {
            let outcome = format!("{:?}", after_refusal("no", (&pre, action), look));
            assert!(outcome.starts_with(want), "{name}: {outcome}");
        }
        let down = Container { start_error: "port is already allocated".to_owned(), ..dead };
        let ActionOutcome::Failed { error } = after_refusal("no", (&pre, &restart), Look::Found(&down)) else {
            panic!()
        };
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
