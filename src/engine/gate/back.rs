//! Whether a Compose service may be taken back to the image that it ran before.
//!
//! Part of the gate `target`. A rollback is for one thing: a deployment that brought another image, and an alert that began
//! soon after it. What ran before must have been seen, nothing but the image may differ, and nobody goes back and forth.
//! Read [`ask`].

use super::Question;
use super::target::No;
use crate::model::action::{Action, ServiceAction};
use crate::model::duration::format_duration;
use crate::model::fact::Fact;
use crate::model::owner::{ROLLBACK_ENABLE, is_true};
use crate::model::reason::Reason;
use crate::model::service::{ImageChange, Previous, Service};
use crate::playbook::definition::RollbackSpec;
use chrono::TimeDelta;
use std::time::Duration;

/// Prometheus' clock and the engine's may differ by this much.
const SKEW: TimeDelta = TimeDelta::seconds(5);

/// Asks everything about the way back of a Compose service.
pub(super) fn ask(question: &Question<'_>, spec: RollbackSpec, service: &Service) -> Result<(), No> {
    let (name, label) = (service.name(), ROLLBACK_ENABLE);
    if !service.labels.get(label).is_some_and(|value| is_true(value)) {
        let detail = format!(
            "{name} does not carry the label {label}=true: set it if its containers can be made anew from what Docker \
             shows of them, that is, if it has no secrets or configs with `environment:` or `content:`, no hooks and no \
             `develop.watch`, and if its older images cope with the data that newer ones have written"
        );
        return Err((Reason::RollbackNotEnabled, detail));
    }
    if let Some(obstacle) = &service.room.back {
        return Err(obstacle.clone());
    }
    let known = service.previous.as_ref().and_then(|previous| Some((previous, previous.change.as_ref()?)));
    let Some((previous, change)) = known else {
        let detail = format!("nobody has seen what {name} ran before its present image: deploy the image you want");
        return Err((Reason::PreviousImageUnknown, detail));
    };
    if is_undone(question, (service, previous)) {
        let detail = format!("{name} was rolled back already: once more would bring {} back", previous.image);
        return Err((Reason::AlreadyRolledBack, detail));
    }
    began_with_it(question, spec, (service, change))
}

/// Whether the alert began after the change of image, and not too long after it.
fn began_with_it(
    question: &Question<'_>,
    spec: RollbackSpec,
    (service, change): (&Service, &ImageChange),
) -> Result<(), No> {
    let name = service.name();
    let Some(began) = question.incident.alert.starts_at else {
        let detail =
            format!("nobody knows whether the alert began before {name} got its present image: it has no start");
        return Err((Reason::FiredBeforeDeploy, detail));
    };
    let after = began.signed_duration_since(change.at);
    let words = |span: TimeDelta| format_duration(Duration::from_secs(span.abs().num_seconds().unsigned_abs()));
    if after < -SKEW {
        let detail = format!(
            "the alert began {} before {name} got its present image, so that is not its cause: look for another",
            words(after)
        );
        return Err((Reason::FiredBeforeDeploy, detail));
    }
    let within = spec.within.unwrap_or_default();
    if after.to_std().is_ok_and(|after| within < after) {
        let detail = format!(
            "{name} had run its present image for {} when the alert began, and `within` is {}: the deployment is not the \
             likeliest cause",
            words(after),
            format_duration(within)
        );
        return Err((Reason::DeployTooOld, detail));
    }
    Ok(())
}

/// Whether this incident, or our last rollback, has left this image behind.
pub(super) fn is_undone(question: &Question<'_>, (service, previous): (&Service, &Previous)) -> bool {
    let undone = question.state.services().undone(&service.id.target_id(), question.host());
    let here = question.incident.story.iter().any(|(_, fact)| is_rollback(fact));
    here || undone == Some(previous.image.as_str())
}

fn is_rollback(fact: &Fact) -> bool {
    let Fact::ActionIntended(intended) = fact else { return false };
    matches!(intended.action, Action::Service(ServiceAction::Rollback { .. }))
}
