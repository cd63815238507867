//! Blast radius: not too many containers under treatment at once.

use super::{Question, refuse};
use crate::model::fact::Refusal;
use crate::model::reason::{Gate, Reason};

/// Asks whether as many runs as allowed are under way. Dry runs are counted apart.
pub(super) fn ask(question: &Question<'_>) -> Result<(), Refusal> {
    if !question.playbook.acts() {
        return Ok(());
    }
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
        return Err(refuse(Gate::BlastRadius, Reason::MaxParallel, detail));
    }
    Ok(())
}
