//! Firing and fresh: an old or ended alert is never acted on.

use super::{Question, refuse};
use crate::engine::attempts;
use crate::model::alert::Alert;
use crate::model::duration::format_duration;
use crate::model::fact::Refusal;
use crate::model::moment::Moment;
use crate::model::policy::Policy;
use crate::model::reason::{Gate, Reason};
use crate::model::testimony::Says;
use std::time::Duration;

/// How far in the future a start may lie: two clocks are never quite equal.
const CLOCK_SKEW_MAX: Duration = Duration::from_secs(300);

/// Asked when an episode is first seen, by the sender's clock against ours.
pub(in crate::engine) fn at_first_sight(alert: &Alert, policy: &Policy, now: &Moment) -> Result<(), Reason> {
    let Some(starts_at) = alert.starts_at else { return Ok(()) };
    let age = now.wall - starts_at;
    if age.to_std().is_ok_and(|age| policy.max_alert_age < age) {
        return Err(Reason::StaleAlert);
    }
    if (-age).to_std().is_ok_and(|ahead| CLOCK_SKEW_MAX < ahead) {
        return Err(Reason::ClockSkew);
    }
    Ok(())
}

/// Asked before a run and before each action: the alert must still fire, as far as we were told. A witness that cannot
/// tell refuses nothing: the webhook said that the alert fires, and first aid must not depend on a second service.
pub(super) fn before_acting(question: &Question<'_>) -> Result<(), Refusal> {
    if question.incident.alert_ended {
        let detail = "the alert resolved before anything was done";
        return Err(refuse(Gate::Fresh, Reason::ResolvedFirst, detail).saw("alert", "ended"));
    }
    if let Some(testimony) = question.testimony.filter(|testimony| testimony.says == Says::NotFiring) {
        let detail = "Alertmanager was asked right before the action and no longer lists the alert";
        let refusal = refuse(Gate::Fresh, Reason::ResolvedFirst, detail).saw("alert", testimony.says);
        return Err(refusal.saw("witness", &testimony.detail));
    }
    if question.incident.tried.is_some() {
        return further_try(question);
    }
    let waited = question.now.perhaps_since(&question.incident.opened);
    let refused_before = matches!(question.incident.phase, crate::engine::incident::Phase::Refused { .. });
    if !refused_before && question.incident.run().is_none() && question.policy.max_alert_age < waited {
        let waited = format_duration(waited);
        let detail = format!("the alert came {waited} ago and nothing was heard of it since");
        let refusal = refuse(Gate::Fresh, Reason::StaleAlert, detail).saw("waited", waited);
        return Err(refusal.saw("max_alert_age", format_duration(question.policy.max_alert_age)));
    }
    Ok(())
}

/// What was tried so long ago is another trouble by now: whoever is called must know it.
fn further_try(question: &Question<'_>) -> Result<(), Refusal> {
    let Question { incident, playbook, policy, now, .. } = question;
    if incident.run().is_some() || !attempts::held_back_too_long(incident, playbook, (policy, now)) {
        return Ok(());
    }
    let max_alert_age = format_duration(policy.max_alert_age);
    let detail = format!("try {} was held back for more than {max_alert_age}", incident.attempt());
    Err(refuse(Gate::Fresh, Reason::StaleAlert, detail).saw("max_alert_age", max_alert_age))
}
