//! A service as a target: opted in, unprotected, in nobody else's hands, and such that the next action makes sense.
//!
//! Part of the gate `target`. Whoever deploys goes first: while an update is under way, or one was made a short while ago
//! and not by us, nothing is done. The preconditions are those of Docker itself, and those that it does not check: a
//! rollback undoes whatever came last, which need not be the deployment that made things worse.

use super::back;
use super::protection::{self, Owned};
use super::target::No;
use super::{Question, refuse};
use crate::engine::scale::aim;
use crate::model::duration::format_duration;
use crate::model::fact::Refusal;
use crate::model::reason::{Gate, Reason};
use crate::model::service::{Mode, Service};
use crate::playbook::definition::Verb;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use std::time::Duration;

/// The engine's own times may be ahead of the clock it tells by this much: it tells whole seconds.
const ROUNDING: TimeDelta = TimeDelta::seconds(2);

/// Asks everything about the service itself.
pub(super) fn ask(question: &Question<'_>, service: &Service) -> Result<(), Refusal> {
    let no = |no: No| of_service(service, no);
    for step in question.steps().iter().filter(|step| step.verb.acts()) {
        protection::allowed(question, &Owned::from(service), step.verb.word()).map_err(no)?;
    }
    in_nobody_elses_hands(service).map_err(no)?;
    hands_off(question, service)?;
    // What comes after the next action is judged when its turn comes: until then the service is another one.
    let next =
        question.steps_to_come().find(|(step, _)| step.verb.acts()).filter(|(_, may_be_left_out)| !may_be_left_out);
    next.map_or(Ok(()), |(step, _)| sensible(question, &step.verb, service)).map_err(no)
}

/// A no about a service, with what the gate saw of it.
fn of_service(service: &Service, (reason, detail): No) -> Refusal {
    let refusal = refuse(Gate::Target, reason, detail)
        .saw("service", service.name())
        .saw("image", &service.image)
        .saw("mode", service.mode.as_str())
        .saw("replicas", service.wanted)
        .saw("running", service.running)
        .saw("healthy", service.healthy);
    let refusal = match &service.update {
        Some(update) => refusal.saw("update", update.as_str()),
        None => refusal,
    };
    let refusal = match &service.previous {
        Some(previous) => refusal.saw("previous_image", &previous.image).saw("previous_replicas", previous.replicas),
        None => refusal,
    };
    let refusal = match service.previous.as_ref().and_then(|previous| previous.change.as_ref()) {
        Some(change) => refusal
            .saw("image_id", &change.image_id)
            .saw("image_changed_at", change.at.to_rfc3339_opts(SecondsFormat::Secs, true)),
        None => refusal,
    };
    let own = service.labels.iter().filter(|(name, _)| name.starts_with("sickbay."));
    own.fold(refusal, |refusal, (name, value)| refusal.saw(&format!("labels.{name}"), value))
}

/// Which services no action may treat.
fn in_nobody_elses_hands(service: &Service) -> Result<(), No> {
    let name = service.name();
    if service.is_being_updated() {
        let update = service.update.as_ref().map_or("", |update| update.as_str());
        return Err((Reason::UpdateInProgress, format!("{name} is being changed right now ({update})")));
    }
    if service.is_stuck() {
        let detail = format!("the last change of {name} stopped half way because tasks failed: a person must look");
        return Err((Reason::UpdatePaused, detail));
    }
    if service.mixed {
        let detail = format!("the replicas of {name} differ in image or definition: a deployment is half way through");
        return Err((Reason::MixedReplicas, detail));
    }
    if let Mode::Other(mode) = &service.mode {
        return Err((Reason::NotReplicated, format!("{name} is a service of the mode {mode}, which is not treated")));
    }
    if service.wanted == 0 {
        return Err((Reason::ServiceStopped, format!("{name} is to have no replicas: somebody turned it off")));
    }
    Ok(())
}

/// Whether the action can be done and would do what it is for.
fn sensible(question: &Question<'_>, verb: &Verb, service: &Service) -> Result<(), No> {
    let name = service.name();
    let swarm_only = || {
        let word = verb.word();
        (
            Reason::TargetInvalid,
            format!("{name} is a Compose service, and `{word}` is for a container or a Swarm service"),
        )
    };
    match verb {
        Verb::Scale(_) if service.mode != Mode::Replicated => {
            Err((Reason::NotReplicated, format!("{name} runs one task on each node, so it has no number to change")))
        }
        Verb::Scale(spec) => aim(question, spec, service).map(|_| ()),
        Verb::Restart(_) if service.is_swarm() => Ok(()),
        Verb::Rollback(_) if service.is_swarm() => undoes_something(question, service),
        Verb::Rollback(spec) => back::ask(question, *spec, service),
        Verb::Restart(_) => Err(swarm_only()),
        Verb::Start | Verb::Stop(_) | Verb::UpdateLimits(_) => {
            Err((Reason::TargetInvalid, format!("`{}` is for a container, and {name} is a service", verb.word())))
        }
        Verb::Capture(_)
        | Verb::Verify(_)
        | Verb::Wait(_)
        | Verb::Notify(_)
        | Verb::Http(_)
        | Verb::Approve(_)
        | Verb::PausePlaybook(_) => Ok(()),
    }
}

/// Whether a rollback would take back an image, that alone, and not for the second time: it would toggle.
fn undoes_something(question: &Question<'_>, service: &Service) -> Result<(), No> {
    let name = service.name();
    let Some(previous) = &service.previous else {
        return Err((Reason::NoPreviousSpec, format!("Swarm remembers nothing that {name} ran before")));
    };
    let nothing = |detail: String| Err((Reason::NothingToUndo, detail));
    if previous.image == service.image {
        let image = &service.image;
        return nothing(format!(
            "the last change of {name} was not of its image: a rollback would go from {image} to {image}"
        ));
    }
    if back::is_undone(question, (service, previous)) {
        return nothing(format!("{name} was rolled back already: once more would bring {} back", previous.image));
    }
    if previous.replicas != service.wanted {
        let (from, to) = (service.wanted, previous.replicas);
        return nothing(format!("a rollback of {name} would also scale it from {from} to {to} replicas"));
    }
    Ok(())
}

/// Asks who was at the service within `docker.hands_off`. What is as our own last change left it was nobody else.
fn hands_off(question: &Question<'_>, service: &Service) -> Result<(), Refusal> {
    let hands_off = question.policy.hands_off;
    if hands_off.is_zero() {
        return Ok(());
    }
    let name = service.name();
    let (Some(created), Some(changed)) = (service.created, service.changed) else {
        let detail = format!("Docker does not say when {name} was made or changed, so nobody knows who was at it");
        return Err(of_service(service, (Reason::DockerUnavailable, detail)));
    };
    leave_alone((service, hands_off), (Reason::RecentlyDeployed, created), "was created")?;
    if question.state.services().is_as_left(service, question.host()) {
        return Ok(());
    }
    leave_alone((service, hands_off), (Reason::RecentlyTouched, changed), "was changed by somebody else")
}

/// No, if it was less than `hands_off` ago, or is yet to come by the engine's own clock.
fn leave_alone(
    (service, hands_off): (&Service, Duration),
    (reason, at): (Reason, DateTime<Utc>),
    what: &str,
) -> Result<(), Refusal> {
    let (name, limit) = (service.name(), format_duration(hands_off));
    let refused = |detail: String| {
        let shown = |time: DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Secs, true);
        of_service(service, (reason, detail))
            .saw("at", shown(at))
            .saw("docker_time", shown(service.now))
            .saw("hands_off", &limit)
    };
    if service.now + ROUNDING < at {
        let detail = format!("{name} {what} in the future, by Docker's own clock: nobody can tell how long ago");
        return Err(refused(detail));
    }
    let age = Duration::from_secs((service.now - at).to_std().unwrap_or_default().as_secs());
    if hands_off <= age {
        return Ok(());
    }
    let age_shown = format_duration(age);
    let refusal = refused(format!("{name} {what} {age_shown} ago; docker.hands_off is {limit}")).saw("age", age_shown);
    Err(Refusal { retry_after: hands_off - age, ..refusal })
}
