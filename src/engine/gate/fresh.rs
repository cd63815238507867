//! Told wholly, firing and fresh: an old or ended alert is never acted on.

use super::{Question, refuse};
use crate::engine::{attempts, offspring};
use crate::model::alert::Alert;
use crate::model::duration::format_duration;
use crate::model::fact::Refusal;
use crate::model::moment::Moment;
use crate::model::policy::Policy;
use crate::model::reason::{Gate, Reason};
use crate::model::testimony::Says;
use crate::playbook::definition::Playbook;
use std::time::Duration;

/// How far in the future a start may lie: two clocks are never quite equal.
const CLOCK_SKEW_MAX: Duration = Duration::from_secs(300);

/// Where alerts were left out of a notification, nobody knows how large the trouble is.
pub(in crate::engine) fn complete(playbook: &Playbook, left_out: u64) -> Result<(), Refusal> {
    if left_out == 0 || !playbook.acts() {
        return Ok(());
    }
    let detail = format!("the sender left {left_out} alerts of the group out of its notification (max_alerts)");
    Err(refuse(Gate::Parsed, Reason::Truncated, detail).saw("truncated_alerts", left_out))
}

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
    if question.incident.is_aftercare() {
        return before_acting_afterwards(question);
    }
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
    // Whoever was asked about it meanwhile has heard of it.
    let refused_before = matches!(question.incident.phase, crate::engine::incident::Phase::Refused { .. })
        || question.incident.open_approval().is_some();
    if !refused_before && question.incident.run().is_none() && question.policy.max_alert_age < waited {
        let waited = format_duration(waited);
        let detail = format!("the alert came {waited} ago and nothing was heard of it since");
        let refusal = refuse(Gate::Fresh, Reason::StaleAlert, detail).saw("waited", waited);
        return Err(refusal.saw("max_alert_age", format_duration(question.policy.max_alert_age)));
    }
    Ok(())
}

/// Asked before anything follows the end of an alert: it must not fire, as far as we were told.
fn before_acting_afterwards(question: &Question<'_>) -> Result<(), Refusal> {
    let Question { incident, playbook, policy, now, .. } = question;
    let again = |detail: &str| refuse(Gate::Fresh, Reason::AlertFiresAgain, detail);
    if incident.fires_again && !incident.has_acted() {
        return Err(again("the alert fires again before anything was done").saw("alert", "firing"));
    }
    let says = question.testimony.filter(|testimony| testimony.says == Says::Firing);
    if let Some(testimony) = says.filter(|_| !incident.has_acted()) {
        let refusal = again("Alertmanager was asked right before the action, and the alert fires");
        return Err(refusal.saw("alert", testimony.says).saw("witness", &testimony.detail));
    }
    if incident.run().is_none() && offspring::held_back_too_long(incident, playbook, (policy, now)) {
        let max_alert_age = format_duration(policy.max_alert_age);
        let detail = format!("what follows the end of the alert was held back for more than {max_alert_age}");
        return Err(refuse(Gate::Fresh, Reason::StaleAlert, detail).saw("max_alert_age", max_alert_age));
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
