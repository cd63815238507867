//! Budgets: the playbook's cooldown and windows, then the windows of the settings. Every one must have room.

use super::Question;
use crate::engine::budget::{Attempt, Full};
use crate::model::duration::format_duration;
use crate::model::fact::Refusal;
use crate::model::limit::Scope;
use crate::model::reason::{Gate, Reason};
use std::time::Duration;

/// Asks every window of every scope.
pub(super) fn ask(question: &Question<'_>) -> Result<(), Refusal> {
    let ledger = question.state.ledger();
    let (now, limits) = (question.now, &question.playbook.limits);
    // Of the incident's own runs only the one under way does not count: an earlier try is a run like any other.
    let this_one = |attempt: &Attempt| attempt.incident == question.incident.id && attempt.ended.is_none();
    let own = |attempt: &Attempt| attempt.dry_run == question.dry_run() && !this_one(attempt);
    let same_target = |attempt: &Attempt| attempt.target.as_deref() == question.target_name();
    let same_playbook = |attempt: &Attempt| attempt.playbook == question.playbook.name;
    let in_scope = |attempt: &Attempt| {
        own(attempt)
            && match limits.scope {
                Scope::Target => same_playbook(attempt) && same_target(attempt),
                // With one Docker host, all of the playbook's targets are on it.
                Scope::Playbook | Scope::Host => same_playbook(attempt),
            }
    };
    let left = ledger.cooling(limits.cooldown, now, in_scope);
    if !left.is_zero() {
        let (cooldown, left) = (format_duration(limits.cooldown), whole(left));
        let detail = format!("the last attempt ended too recently: the cooldown is {cooldown}, {} are left", {
            format_duration(left)
        });
        let refusal = refusal(Reason::Cooldown, detail, left);
        return Err(refusal.saw("cooldown", format_duration(limits.cooldown)).saw("left", format_duration(left)));
    }
    if let Some(full) = ledger.first_full(&limits.windows, now, in_scope) {
        return Err(no_room(Reason::BudgetExhausted, "the playbook's limit", full));
    }
    let on_target = |attempt: &Attempt| own(attempt) && attempt.target.is_some() && same_target(attempt);
    if let Some(full) = ledger.first_full(&question.policy.per_target, now, on_target) {
        return Err(no_room(Reason::GlobalBudget, "limits.per_target in the settings", full));
    }
    if let Some(full) = ledger.first_full(&question.policy.global, now, own) {
        return Err(no_room(Reason::GlobalBudget, "limits.global in the settings", full));
    }
    Ok(())
}

fn no_room(reason: Reason, whose: &str, full: Full) -> Refusal {
    let (runs, per, room_in) = (full.window.runs, format_duration(full.window.per), whole(full.room_in));
    let detail = format!(
        "{} runs in the last {per}; {whose} is {runs} per {per}; room again in {}",
        full.used,
        format_duration(room_in)
    );
    refusal(reason, detail, room_in)
        .saw("limit", whose)
        .saw("runs", runs)
        .saw("per", per)
        .saw("used", full.used)
        .saw("room_in", format_duration(room_in))
}

fn refusal(reason: Reason, detail: String, retry_after: Duration) -> Refusal {
    Refusal { gate: Gate::Budget, reason, detail, inputs: Vec::new(), retry_after }
}

/// Rounded up to whole seconds, for people.
fn whole(left: Duration) -> Duration {
    Duration::from_secs(left.as_secs() + u64::from(0 < left.subsec_nanos()))
}
