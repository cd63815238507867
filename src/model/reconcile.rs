//! What looking shows of an action whose answer never came, or whose answer was a no: pure, one look at a time.
//!
//! The engine's own numbers from before and after are compared; nothing is ever sent again. The daemon and the simulation
//! judge by the same table. Read [`Inquiry`] first.

use super::action::{Action, ActionOutcome, Reconciled, ServiceAction, TargetVitals, Vitals};
use super::container::{Container, ContainerState};
use super::resources::LimitsChange;
use super::service::{Service, ServiceVitals, Update};
use super::step::Reconciliation;
use std::time::Duration;

/// How long an engine that does not answer is asked again.
const PATIENCE: Duration = Duration::from_secs(60);

/// An engine that answers and falls silent by turns is given up after so much more than what the call may take.
const PATIENCE_IN_ALL: Duration = Duration::from_secs(600);

/// The longest pause while the engine answers: in between it may hang and come back.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// A look that took longer was not answered when it was made but when the engine came back.
const PROMPT: Duration = Duration::from_secs(1);

/// The pause after the first failed look; it doubles up to [`PAUSE_MAX`].
const PAUSE_MIN: Duration = Duration::from_millis(500);

/// The longest pause between two looks.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// What one look at a target showed.
#[derive(Clone, Copy, Debug)]
pub enum Look<'a> {
    /// The container.
    Found(&'a Container),
    /// The service.
    FoundService(&'a Service),
    /// There is no such container or service.
    Gone,
    /// Docker did not answer; it may yet.
    Unseen(&'a str),
    /// Docker will not answer.
    Hidden(&'a str),
}

/// What is known in the end: the verdict, the target as found, and both in words.
pub type Finding = (Reconciled, Option<TargetVitals>, String);

/// The looking for one action's outcome.
///
/// What was done shows. That nothing was done is believed only after the engine has answered, without falling silent, for
/// as long as the call may take: one that hung was sent the call and carries it out when it is back.
#[derive(Clone, Debug)]
pub struct Inquiry {
    reconciliation: Reconciliation,
    pause: Duration,
    /// Since when the engine has answered each look at once, from the first one on.
    heard: Option<Duration>,
    /// Since when it has not.
    silent: Option<Duration>,
}

impl Inquiry {
    /// Nothing looked at yet.
    #[must_use]
    pub fn new(reconciliation: Reconciliation) -> Self {
        Self { reconciliation, pause: PAUSE_MIN, heard: None, silent: None }
    }

    /// What is looked for.
    #[must_use]
    pub fn reconciliation(&self) -> &Reconciliation {
        &self.reconciliation
    }

    /// Judges one look: when it was made and when it was answered, counted from the first.
    ///
    /// # Errors
    /// The pause until the next look, if this one does not settle it.
    pub fn look(&mut self, look: Look<'_>, (made, answered): (Duration, Duration)) -> Result<Finding, Duration> {
        let finding = match look {
            Look::Found(_) | Look::FoundService(_) | Look::Gone | Look::Hidden(_) => self.judge(look),
            Look::Unseen(error) => return self.unseen(error, (made, answered)),
        };
        let at_once = answered.saturating_sub(made) <= PROMPT;
        let heard = if at_once { self.heard.unwrap_or(made) } else { answered };
        (self.heard, self.silent, self.pause) = (Some(heard), None, PAUSE_MIN);
        let Reconciliation { settle, call, .. } = self.reconciliation;
        let due = match finding.0 {
            // What is gone does not come back under the same ID.
            Reconciled::Superseded if matches!(look, Look::Gone) => answered,
            Reconciled::Observed | Reconciled::Unknown => settle,
            Reconciled::NotApplied | Reconciled::Partly | Reconciled::RestartPolicy | Reconciled::Superseded => {
                settle.max(heard.saturating_add(call))
            }
        };
        if due <= answered {
            return Ok(finding);
        }
        if self.gives_up(answered) {
            return Ok(self.unknown("Docker falls silent again and again"));
        }
        Err((due - answered).min(LOOK_EVERY))
    }

    fn judge(&self, look: Look<'_>) -> Finding {
        let Reconciliation { action, target, pre, .. } = &self.reconciliation;
        let (verdict, post, words) = match look {
            Look::Found(found) => match of_container((action, pre), found) {
                Some((verdict, words)) => (verdict, Some(TargetVitals::from(found)), words),
                None => return self.unknown(OTHER_KIND),
            },
            Look::FoundService(found) => match (action, pre.service()) {
                (Action::Service(action), Some(pre)) => {
                    let (verdict, words) = changed((action, pre), found);
                    (verdict, Some(TargetVitals::from(found)), words)
                }
                (_, Some(_) | None) => return self.unknown(OTHER_KIND),
            },
            Look::Gone => {
                let what = if target.id.container().is_some() { "container" } else { "service" };
                (Reconciled::Superseded, None, format!("the {what} is gone: removed or recreated"))
            }
            Look::Hidden(error) | Look::Unseen(error) => return self.unknown(error),
        };
        (verdict, post, format!("{}: {words}", target.name))
    }

    fn unseen(&mut self, error: &str, (made, answered): (Duration, Duration)) -> Result<Finding, Duration> {
        let silent = *self.silent.get_or_insert(made);
        self.heard = None;
        let pause = self.pause;
        let patient = silent.max(self.reconciliation.settle).saturating_add(PATIENCE);
        if patient <= answered.saturating_add(pause) || self.gives_up(answered) {
            return Ok(self.unknown(error));
        }
        self.pause = (pause * 2).min(PAUSE_MAX);
        Err(pause)
    }

    fn gives_up(&self, now: Duration) -> bool {
        let Reconciliation { settle, call, .. } = self.reconciliation;
        settle.saturating_add(call).saturating_add(PATIENCE_IN_ALL) <= now
    }

    fn unknown(&self, error: &str) -> Finding {
        let Reconciliation { action, target, .. } = &self.reconciliation;
        let words = format!("{}: nobody knows what became of the {}: {error}", target.name, action.word());
        (Reconciled::Unknown, None, words)
    }
}

/// Docker showed something of another kind than what was acted on.
const OTHER_KIND: &str = "docker showed another kind of thing";

fn of_container((action, pre): (&Action, &TargetVitals), found: &Container) -> Option<(Reconciled, String)> {
    let pre = pre.container()?;
    Some(match action {
        Action::Restart { .. } => restarted(pre, found),
        Action::Start => started(pre, found),
        Action::Stop { .. } => stopped(pre, found),
        Action::UpdateLimits(change) => limited(change, found),
        Action::Service(_) => return None,
    })
}

/// The numbers themselves tell: whoever set them.
fn limited(change: &LimitsChange, found: &Container) -> (Reconciled, String) {
    if found.limits == change.to {
        return (Reconciled::Observed, format!("its limits were changed: {}", change.words()));
    }
    if found.limits == change.from {
        return (Reconciled::NotApplied, "its limits are what they were".to_owned());
    }
    (Reconciled::Superseded, "somebody else has changed its limits meanwhile".to_owned())
}

/// A Compose service is taken back replica by replica, and each is put aside, replaced, and then removed.
fn taken_back(to_image: &str, pre: &ServiceVitals, found: &Service) -> (Reconciled, String) {
    let (running, wanted, image) = (found.running, found.wanted, &found.image);
    if image == to_image && !found.mixed && wanted == pre.wanted {
        return (Reconciled::Observed, format!("taken back to {to_image}"));
    }
    let as_before = (image, &found.template, wanted) == (&pre.image, &pre.template, pre.wanted) && !found.mixed;
    if as_before && pre.running <= running {
        return (Reconciled::NotApplied, format!("not taken back: {wanted} replicas of {image}, as before"));
    }
    if as_before || found.mixed {
        let down = if running == 0 { "the service is down: " } else { "" };
        let words = format!(
            "{down}broke off half way back: {running} of {wanted} containers run, and {} ran before",
            pre.running
        );
        return (Reconciled::Partly, words);
    }
    (Reconciled::Superseded, format!("somebody else has changed it meanwhile: {wanted} replicas of {image}"))
}

/// A service's counts and counters, never its version index, which moves by itself.
fn changed((action, pre): (&ServiceAction, &ServiceVitals), found: &Service) -> (Reconciled, String) {
    if let (ServiceAction::Rollback { to_image, .. }, false) = (action, found.is_swarm()) {
        return taken_back(to_image, pre, found);
    }
    if reached((action, pre), found) {
        let words = match action {
            ServiceAction::Scale { from, to, .. } => format!("scaled from {from} to {to} replicas"),
            ServiceAction::ForceUpdate { .. } => "its tasks are being replaced, or were".to_owned(),
            ServiceAction::Rollback { to_image, .. } => format!("taken back to {to_image}"),
        };
        return (Reconciled::Observed, words);
    }
    let as_before =
        (found.wanted, &found.template, found.force_update) == (pre.wanted, &pre.template, pre.force_update);
    // Its tasks failed and Swarm took it back: it was done, and what follows will see that it did not help.
    let taken_back = matches!(found.update, Some(Update::RollingBack | Update::RolledBack | Update::RollbackPaused));
    let by_swarm = found.is_swarm() && taken_back && found.update.as_ref().map(Update::as_str) != pre.update.as_deref();
    if as_before && by_swarm {
        return (Reconciled::Observed, "changed, and taken back by Swarm because tasks failed".to_owned());
    }
    // One after the other they are stopped, then removed. Who counts them counts the stopped one as well.
    if let ServiceAction::Scale { from, to, .. } = action
        && as_before
        && to < from
        && !found.is_swarm()
        && found.running < pre.running
    {
        let (running, wanted) = (found.running, found.wanted);
        let words =
            format!("broke off half way from {from} to {to}: of {wanted} replicas {running} run, none was removed");
        return (Reconciled::Partly, words);
    }
    if as_before {
        let (wanted, image) = (found.wanted, &found.image);
        return (Reconciled::NotApplied, format!("not changed: {wanted} replicas of {image}, as before"));
    }
    if let ServiceAction::Scale { from, to, .. } = action
        && is_between(*from, *to, (pre, found))
    {
        let words = format!("broke off half way from {from} to {to}: there are {} replicas", found.wanted);
        return (Reconciled::Partly, words);
    }
    let words = format!("somebody else has changed it meanwhile: {} replicas of {}", found.wanted, found.image);
    (Reconciled::Superseded, words)
}

/// Whether a Compose service, which is scaled replica by replica, is on its way from one number to the other.
fn is_between(from: u32, to: u32, (pre, found): (&ServiceVitals, &Service)) -> bool {
    let (least, most) = (from.min(to), from.max(to));
    !found.is_swarm() && found.template == pre.template && least < found.wanted && found.wanted < most
}

/// Whether the service is as the action wants it, and has been otherwise before.
fn reached((action, pre): (&ServiceAction, &ServiceVitals), found: &Service) -> bool {
    match action {
        ServiceAction::Scale { to, .. } => found.wanted == *to && found.template == pre.template,
        ServiceAction::ForceUpdate { counter } => {
            *counter <= found.force_update && found.template == pre.template && found.wanted == pre.wanted
        }
        // Back again by itself it would be another definition than before, too.
        ServiceAction::Rollback { to_image, .. } => {
            let under_way =
                matches!(found.update, Some(Update::RollingBack | Update::RolledBack | Update::RollbackPaused));
            found.image == *to_image && found.template != pre.template && under_way
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

/// What Docker's "no" means in the light of what became of the target: a restart hides every cause
/// behind one status.
#[must_use]
pub fn after_refusal(refusal: &str, (pre, action): (&TargetVitals, &Action), look: Look<'_>) -> ActionOutcome {
    match look {
        Look::Found(container) if is_done((pre, action), container) => {
            ActionOutcome::Succeeded { post: Some(TargetVitals::from(container)) }
        }
        Look::Found(container) => {
            let state = container.state.as_str();
            let cause = match container.start_error.as_str() {
                "" => String::new(),
                cause => format!(" ({cause})"),
            };
            ActionOutcome::Failed { error: format!("{refusal}: the container is now {state}{cause}") }
        }
        Look::FoundService(service) => match (action, pre.service()) {
            (Action::Service(action), Some(pre)) if reached((action, pre), service) => {
                ActionOutcome::Succeeded { post: Some(TargetVitals::from(service)) }
            }
            (_, _) => {
                let (wanted, image) = (service.wanted, &service.image);
                ActionOutcome::Failed { error: format!("{refusal}: the service has {wanted} replicas of {image}") }
            }
        },
        Look::Gone => {
            let what = if matches!(action, Action::Service(_)) { "service" } else { "container" };
            ActionOutcome::Failed { error: format!("{refusal}: the {what} is gone") }
        }
        Look::Unseen(unseen) | Look::Hidden(unseen) => {
            ActionOutcome::Unknown { error: format!("{refusal}, and then: {unseen}") }
        }
    }
}

/// Whether a container is as the action wants it, and the action may have made it so.
fn is_done((pre, action): (&TargetVitals, &Action), container: &Container) -> bool {
    let moved = || pre.container().is_some_and(|pre: &Vitals| container.started_at != pre.started_at);
    match action {
        Action::Restart { .. } => moved() && container.state == ContainerState::Running,
        Action::Start => container.state == ContainerState::Running,
        Action::Stop { .. } => container.state == ContainerState::Exited,
        Action::UpdateLimits(change) => container.limits == change.to,
        Action::Service(_) => false,
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
    fn a_way_back_that_broke_off_is_told_by_what_is_there() {
        let shop = crate::model::target::ComposeService::parse("shop/web").unwrap();
        let id = crate::model::service::ServiceId::Compose(shop);
        let service = |image: &str, template: &str, (wanted, running): (u32, u32), mixed: bool| Service {
            id: id.clone(),
            running,
            mixed,
            ..service(wanted, (image, template), 0, None)
        };
        let pre = ServiceVitals::from(&service("web:2", "new", (2, 2), false));
        for (name, found, want) in [
            ("done", service("sha256:old", "old", (2, 2), false), Reconciled::Observed),
            ("done, and one is down", service("sha256:old", "old", (2, 1), false), Reconciled::Observed),
            ("not begun", service("web:2", "new", (2, 2), false), Reconciled::NotApplied),
            ("stopped and put aside", service("web:2", "new", (2, 1), false), Reconciled::Partly),
            ("made and not started", service("web:2", "new", (3, 1), true), Reconciled::Partly),
            ("the first of two", service("sha256:old", "old", (2, 2), true), Reconciled::Partly),
            ("the old one is left", service("sha256:old", "old", (3, 2), true), Reconciled::Partly),
            ("deployed by somebody", service("web:3", "newer", (2, 2), false), Reconciled::Superseded),
        ] {
            assert_eq!(taken_back("sha256:old", &pre, &found).0, want, "{name}");
        }
        let down = taken_back("sha256:old", &pre, &service("web:2", "new", (2, 0), false)).1;
        assert!(down.starts_with("the service is down"), "{down}");
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
        let pre = TargetVitals::from(&seen("t1", 0, "running"));
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

    fn service(wanted: u32, (image, template): (&str, &str), force_update: u64, update: Option<Update>) -> Service {
        let name = crate::model::target::ContainerName::parse("worker").unwrap();
        let id = crate::model::target::SwarmId::parse(&"a".repeat(25)).unwrap();
        Service {
            id: crate::model::service::ServiceId::Swarm(id, name),
            image: image.into(),
            template: template.into(),
            mode: crate::model::service::Mode::Replicated,
            wanted,
            running: wanted,
            healthy: wanted,
            update,
            previous: None,
            force_update,
            version: 70,
            monitor: Duration::ZERO,
            down_at_once: 1,
            most: None,
            mixed: false,
            created: None,
            changed: None,
            now: chrono::DateTime::UNIX_EPOCH,
            labels: [].into(),
            room: crate::model::service::Room::default(),
            stop_timeout: None,
        }
    }

    #[test]
    fn a_replica_that_was_stopped_and_not_removed_is_half_of_the_way_down() {
        let new = ("w:2", "t2");
        let composed = |wanted| {
            let id = crate::model::target::ComposeService::parse("shop/web").unwrap();
            Service { id: crate::model::service::ServiceId::Compose(id), ..service(wanted, new, 0, None) }
        };
        let ran = |running, found| ServiceVitals { running, ..ServiceVitals::from(&found) };
        let down = ServiceAction::Scale { from: 2, to: 1, original: 2 };
        for (name, pre, found, want) in [
            ("stopped and not removed", ran(2, composed(2)), Service { running: 1, ..composed(2) }, Reconciled::Partly),
            ("not begun", ran(2, composed(2)), Service { running: 2, ..composed(2) }, Reconciled::NotApplied),
            ("one was down before", ran(1, composed(2)), Service { running: 1, ..composed(2) }, Reconciled::NotApplied),
            (
                "Swarm's tasks come and go",
                ran(2, service(2, new, 0, None)),
                Service { running: 1, ..service(2, new, 0, None) },
                Reconciled::NotApplied,
            ),
        ] {
            assert_eq!(changed((&down, &pre), &found).0, want, "{name}");
        }
    }

    #[test]
    fn a_services_numbers_decide_and_never_its_version() {
        let (new, old) = (("w:2", "t2"), ("w:1", "t1"));
        let pre = ServiceVitals::from(&Service { version: 65, ..service(2, new, 3, None) });
        let scale = ServiceAction::Scale { from: 2, to: 3, original: 2 };
        let force = ServiceAction::ForceUpdate { counter: 4 };
        let back = ServiceAction::Rollback { from_image: "w:2".into(), to_image: "w:1".into() };
        let rolling = Some(Update::RollingBack);
        for (name, action, found, want) in [
            ("scaled", &scale, service(3, new, 3, None), Reconciled::Observed),
            ("not scaled", &scale, service(2, new, 3, None), Reconciled::NotApplied),
            ("scaled by another", &scale, service(5, new, 3, None), Reconciled::Superseded),
            ("deployed", &scale, service(3, old, 3, None), Reconciled::Superseded),
            ("restarted", &force, service(2, new, 4, Some(Update::Updating)), Reconciled::Observed),
            ("restarted twice", &force, service(2, new, 5, None), Reconciled::Observed),
            ("not restarted", &force, service(2, new, 3, None), Reconciled::NotApplied),
            ("scaled meanwhile", &force, service(4, new, 3, None), Reconciled::Superseded),
            ("on its way back", &back, service(2, old, 3, rolling.clone()), Reconciled::Observed),
            ("not rolled back", &back, service(2, new, 3, None), Reconciled::NotApplied),
            ("deployed to the old image", &back, service(2, old, 3, Some(Update::Updating)), Reconciled::Superseded),
            ("deployed to a third", &back, service(2, ("w:3", "t3"), 3, None), Reconciled::Superseded),
        ] {
            assert_eq!(changed((action, &pre), &found).0, want, "{name}");
        }
        let composed = |wanted| {
            let id = crate::model::service::ServiceId::Compose(
                crate::model::target::ComposeService::parse("shop/web").unwrap(),
            );
            Service { id, ..service(wanted, new, 0, None) }
        };
        let pre_composed = ServiceVitals::from(&composed(1));
        for (name, (from, to), found, want) in [
            ("half way up", (1, 4), composed(3), Reconciled::Partly),
            ("all the way", (1, 4), composed(4), Reconciled::Observed),
            ("not begun", (1, 4), composed(1), Reconciled::NotApplied),
            ("beyond", (1, 4), composed(5), Reconciled::Superseded),
            ("Swarm goes in one step", (1, 4), service(3, new, 0, None), Reconciled::Superseded),
            ("deployed half way", (1, 4), Service { template: "t9".into(), ..composed(3) }, Reconciled::Superseded),
        ] {
            let scale = ServiceAction::Scale { from, to, original: from };
            assert_eq!(changed((&scale, &pre_composed), &found).0, want, "{name}");
        }
        let refused = |action: &ServiceAction, found: &Service| {
            let (pre, action) = (TargetVitals::Service(Box::new(pre.clone())), Action::Service(action.clone()));
            format!("{:?}", after_refusal("no", (&pre, &action), Look::FoundService(found)))
        };
        assert!(refused(&scale, &service(3, new, 3, None)).starts_with("Succeeded"));
        assert!(refused(&scale, &service(2, new, 3, None)).starts_with("Failed"));
    }

    #[test]
    fn limits_tell_by_themselves() {
        let limits = |memory| crate::model::resources::ResourceLimits { memory, ..Default::default() };
        let change = LimitsChange { from: limits(1), to: limits(2) };
        let of = |memory| Container { limits: limits(memory), ..seen("t1", 0, "running") };
        assert_eq!(limited(&change, &of(2)).0, Reconciled::Observed);
        assert_eq!(limited(&change, &of(1)).0, Reconciled::NotApplied);
        assert_eq!(limited(&change, &of(3)).0, Reconciled::Superseded);
    }

    #[test]
    fn a_silent_engine_is_asked_for_a_minute_and_a_refusing_one_not_again() {
        let container = seen("t1", 0, "running");
        let (target, pre) = (TargetIdent::from(&container), TargetVitals::from(&container));
        let act = ActId { incident: IncidentId(Seq(1)), number: 1 };
        let action = Action::Restart { stop_timeout: None };
        let (settle, call) = (Duration::ZERO, Duration::from_secs(32));
        let mut inquiry = Inquiry::new(Reconciliation { act, action, target, pre, settle, call });
        let mut now = Duration::ZERO;
        let end = loop {
            match inquiry.look(Look::Unseen("cut"), (now, now)) {
                Ok(end) => break end,
                Err(pause) => now += pause,
            }
        };
        assert_eq!(end.0, Reconciled::Unknown);
        assert!(Duration::from_secs(50) < now && now <= PATIENCE, "{now:?}");
        let at_once = (Duration::ZERO, Duration::ZERO);
        assert_eq!(inquiry.look(Look::Hidden("denied"), at_once).unwrap().0, Reconciled::Unknown);
        assert_eq!(inquiry.look(Look::Gone, at_once).unwrap().0, Reconciled::Superseded);
    }

    /// Plays looks at an engine, each at the end of the pause before it: how long it takes to answer and whether it does,
    /// and whether the restart is seen by then. The last one is repeated.
    fn played(settle: u64, looks: &[(u64, bool, bool)]) -> (Reconciled, u64) {
        let secs = Duration::from_secs;
        let (before, after) = (seen("t1", 0, "running"), seen("t2", 0, "running"));
        let (target, pre) = (TargetIdent::from(&before), TargetVitals::from(&before));
        let act = ActId { incident: IncidentId(Seq(1)), number: 1 };
        let action = Action::Restart { stop_timeout: None };
        let mut inquiry =
            Inquiry::new(Reconciliation { act, action, target, pre, settle: secs(settle), call: secs(30) });
        let mut now = Duration::ZERO;
        for number in 0..10_000 {
            let (takes, answers, done) = looks[number.min(looks.len() - 1)];
            let look = match (answers, done) {
                (false, _) => Look::Unseen("no answer"),
                (true, false) => Look::Found(&before),
                (true, true) => Look::Found(&after),
            };
            let made = now;
            now += secs(takes);
            match inquiry.look(look, (made, now)) {
                Ok((verdict, ..)) => return (verdict, now.as_secs()),
                Err(pause) => now += pause,
            }
        }
        panic!("it never ends");
    }

    #[test]
    fn that_nothing_was_done_is_believed_of_an_engine_that_has_answered_for_as_long_as_it_may_take() {
        let (prompt, silent, done) = ((0, true, false), (5, false, false), (0, true, true));
        for (name, settle, looks, want) in [
            ("done, and to be waited for", 30, vec![done], (Reconciled::Observed, 30)),
            ("done long ago", 0, vec![done], (Reconciled::Observed, 0)),
            ("not done, heard all the time", 30, vec![prompt], (Reconciled::NotApplied, 30)),
            ("not done, and nobody has listened", 0, vec![prompt], (Reconciled::NotApplied, 30)),
            // The engine hung, came back, and has it still before it.
            ("answered late", 0, vec![(4, true, false), done], (Reconciled::Observed, 9)),
            ("answered late, and nothing comes", 0, vec![(4, true, false), prompt], (Reconciled::NotApplied, 34)),
            ("silent, then back", 0, vec![silent, silent, prompt, done], (Reconciled::Observed, 16)),
            ("silent in between", 30, vec![prompt, prompt, silent, prompt], (Reconciled::NotApplied, 45)),
            ("silent for ever", 30, vec![silent], (Reconciled::Unknown, 92)),
        ] {
            assert_eq!(played(settle, &looks), want, "{name}");
        }
        let by_turns: Vec<_> = [prompt, silent].repeat(5_000);
        let (verdict, took) = played(0, &by_turns);
        assert_eq!(verdict, Reconciled::Unknown);
        assert!((600..=660).contains(&took), "{took} s");
    }
}
