//! Budgets: the playbook's cooldown and windows, then the windows of the settings. Every one must have room.
//!
//! What follows the end of an alert is bounded by the run that it follows: the playbook's own limits neither ask nor count
//! it, or its own run's cooldown would hold it back, and a treatment would cost two. The caps of the settings do both.

use super::{Question, RETRY_AFTER};
use crate::engine::budget::Full;
use crate::engine::snapshot::Room;
use crate::model::duration::format_duration;
use crate::model::fact::Refusal;
use crate::model::label::Labels;
use crate::model::limit::{LimitKey, Scope, Window};
use crate::model::memory::Attempt;
use crate::model::reason::{Gate, Reason};
use crate::model::target::{TargetName, host_of};
use crate::playbook::definition::Playbook;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::time::Duration;

/// Longer values are counted by their hash, so that none is cut in the log.
const VALUE_LEN_MAX: usize = 128;

/// Asks every window of every scope.
pub(super) fn ask(question: &Question<'_>) -> Result<(), Refusal> {
    let ledger = question.state.ledger();
    let (now, limits) = (question.now, &question.playbook.limits);
    // Of the incident's own runs only the one under way does not count: an earlier try is a run like any other.
    let this_one = |attempt: &Attempt| attempt.incident == question.incident.id && attempt.ended.is_none();
    let own = |attempt: &Attempt| attempt.dry_run == question.dry_run() && !this_one(attempt);
    let target = question.target_name();
    let name = target.as_ref().map(TargetName::as_str);
    let same_target = |attempt: &Attempt| attempt.target.as_deref() == name;
    let key = limit_key(question.playbook, &question.incident.alert.labels)?;
    let in_scope = |attempt: &Attempt| own(attempt) && counts_for(question.playbook, &key, name, attempt);
    let treats = !question.incident.is_aftercare();
    let left = ledger.cooling(limits.cooldown, now, in_scope);
    if treats && !left.is_zero() {
        let (cooldown, left) = (format_duration(limits.cooldown), whole(left));
        let detail = format!("the last attempt ended too recently: the cooldown is {cooldown}, {} are left", {
            format_duration(left)
        });
        let refusal = refusal(Reason::Cooldown, detail, left);
        return Err(refusal.saw("cooldown", format_duration(limits.cooldown)).saw("left", format_duration(left)));
    }
    if let Some(full) = ledger.first_full(&limits.windows, now, in_scope).filter(|_| treats) {
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

/// Whether an attempt counts for the playbook's own limits.
fn counts_for(playbook: &Playbook, key: &LimitKey, target: Option<&str>, attempt: &Attempt) -> bool {
    let same_playbook = attempt.playbook == playbook.name;
    !attempt.aftercare
        && same_playbook
        && match playbook.limits.scope {
            _ if !key.is_empty() => agrees(key, &attempt.key),
            Scope::Target => attempt.target.as_deref() == target,
            Scope::Host => {
                host_of(attempt.target.as_deref().unwrap_or_default()) == host_of(target.unwrap_or_default())
            }
            Scope::Playbook => true,
        }
}

/// How full the windows are that a run of this incident on this target would have to fit into, for people to see.
pub(in crate::engine) fn room(question: &Question<'_>, target: Option<&str>) -> Vec<Room> {
    let (ledger, now, policy) = (question.state.ledger(), question.now, question.policy);
    let own = |attempt: &Attempt| attempt.dry_run == question.dry_run();
    let key = limit_key(question.playbook, &question.incident.alert.labels).unwrap_or_default();
    let of = |whose: &'static str, windows: &[Window], counts: &dyn Fn(&Attempt) -> bool| {
        let room = |window: &Window| Room { whose, window: *window, used: ledger.used(window, now, counts) };
        windows.iter().map(room).collect::<Vec<_>>()
    };
    let in_scope = |attempt: &Attempt| own(attempt) && counts_for(question.playbook, &key, target, attempt);
    let on_target = |attempt: &Attempt| own(attempt) && target.is_some() && attempt.target.as_deref() == target;
    let mut room = of("playbook", &question.playbook.limits.windows, &in_scope);
    room.extend(of("per_target", &policy.per_target, &on_target));
    room.extend(of("global", &policy.global, &own));
    room
}

/// The labels by which the playbook's limits count, with their values in the alert; none where they count by scope.
///
/// # Errors
/// The refusal where the alert lacks one of them: nobody could tell what to count it with.
pub(in crate::engine) fn limit_key(playbook: &Playbook, labels: &Labels) -> Result<LimitKey, Refusal> {
    let value = |name: &Arc<str>| match labels.value(name) {
        "" => {
            let detail = format!("`limits` count by the label `{name}`, and the alert has none of that name");
            Err(refusal(Reason::LimitKeyMissing, detail, RETRY_AFTER).saw(&format!("labels.{name}"), "(absent)"))
        }
        long if VALUE_LEN_MAX < long.len() => {
            Ok((name.to_string(), format!("sha256:{}", hex::encode(Sha256::digest(long)))))
        }
        value => Ok((name.to_string(), value.to_owned())),
    };
    playbook.limits.key.iter().map(value).collect()
}

/// Whether an attempt counts together with what is asked about: unless it is known to differ in one of the labels. What
/// was counted by other labels, before a reload, counts: limits may be too strict for a while, never too loose.
fn agrees(key: &LimitKey, of_attempt: &LimitKey) -> bool {
    let differs = |(name, value): &(String, String)| of_attempt.iter().any(|(of, known)| of == name && known != value);
    !key.iter().any(differs)
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
