//! Blast radius: no storm of alerts, and not too many containers under treatment at once.

use super::{Question, refuse};
use crate::model::duration::format_duration;
use crate::model::fact::Refusal;
use crate::model::reason::{Gate, Reason};
use std::time::Duration;

/// Asks whether as many runs as allowed are under way. Dry runs are counted apart.
pub(super) fn ask(question: &Question<'_>) -> Result<(), Refusal> {
    if !question.playbook.acts() {
        return Ok(());
    }
    storm(question)?;
    let under_way = question
        .state
        .running()
        .filter(|other| other.id != question.incident.id)
        .filter_map(|other| other.run())
        .filter(|run| run.plan.is_some() && run.dry_run == question.dry_run())
        .count();
    let allowed = question.policy.max_parallel;
    if usize::try_from(allowed).is_ok_and(|allowed| allowed <= under_way) {
        let detail = format!("{under_way} runs are under way; limits.max_parallel in the settings is {allowed}");
        let refusal = refuse(Gate::BlastRadius, Reason::MaxParallel, detail);
        return Err(refusal.saw("running", under_way).saw("max_parallel", allowed));
    }
    Ok(())
}

/// One common cause is likelier than many.
fn storm(question: &Question<'_>) -> Result<(), Refusal> {
    let (storm, now) = (&question.policy.storm, question.now);
    let left = question.state.storm().frozen_for(now);
    if left.is_zero() {
        return Ok(());
    }
    let left = Duration::from_secs(left.as_secs() + 1);
    let (alerts, per) = (question.state.storm().count(storm.per, now), format_duration(storm.per));
    let detail = format!(
        "a storm: more than {} alerts came within {per}, so nothing is done for another {}",
        storm.alerts,
        format_duration(left)
    );
    let refusal = refuse(Gate::BlastRadius, Reason::Storm, detail)
        .saw("alerts", alerts)
        .saw("allowed", storm.alerts)
        .saw("per", per)
        .saw("left", format_duration(left));
    Err(Refusal { retry_after: left, ..refusal })
}
