//! Budgets: the playbook's cooldown and windows, then the windows of the settings. Every one must have room.
//!
//! What follows the end of an alert is bounded by the run that it follows: the playbook's own limits neither ask nor count
//! it, or its own run's cooldown would hold it back, and a treatment would cost two. The caps of the settings do both.

use super::account::Account;
use super::{Question, RETRY_AFTER};
use crate::engine::snapshot::{Room, Whose};
use crate::model::duration::format_duration;
use crate::model::fact::Refusal;
use crate::model::label::Labels;
use crate::model::limit::LimitKey;
use crate::model::reason::{Gate, Reason};
use crate::playbook::definition::Playbook;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::time::Duration;

/// Longer values are counted by their hash, so that none is cut in the log.
const VALUE_LEN_MAX: usize = 128;

/// Asks every window of every scope.
pub(super) fn ask(question: &Question<'_>) -> Result<(), Refusal> {
    let account = Account::of(question, question.target_name().as_ref())?;
    let left = account.cooling(question.now).left;
    if !left.is_zero() {
        let (cooldown, left) = (format_duration(question.playbook.limits.cooldown), whole(left));
        let detail = format!("the last attempt ended too recently: the cooldown is {cooldown}, {} are left", {
            format_duration(left)
        });
        let refusal = refusal(Reason::Cooldown, detail, left);
        return Err(refusal.saw("cooldown", cooldown).saw("left", format_duration(left)));
    }
    match account.rooms(question.now).find(|room| room.level.is_full()) {
        Some(full) => Err(no_room(&full)),
        None => Ok(()),
    }
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
pub(super) fn agrees(key: &LimitKey, of_attempt: &LimitKey) -> bool {
    let differs = |(name, value): &(String, String)| of_attempt.iter().any(|(of, known)| of == name && known != value);
    !key.iter().any(differs)
}

fn no_room(Room { whose, level, .. }: &Room) -> Refusal {
    let (reason, whose) = match whose {
        Whose::Playbook => (Reason::BudgetExhausted, "the playbook's limit"),
        Whose::PerTarget => (Reason::GlobalBudget, "limits.per_target in the settings"),
        Whose::Global => (Reason::GlobalBudget, "limits.global in the settings"),
    };
    let (runs, per, room_in) = (level.window.runs, format_duration(level.window.per), whole(level.room_in()));
    let detail = format!(
        "{} runs in the last {per}; {whose} is {runs} per {per}; room again in {}",
        level.used,
        format_duration(room_in)
    );
    refusal(reason, detail, room_in)
        .saw("limit", whose)
        .saw("runs", runs)
        .saw("per", per)
        .saw("used", level.used)
        .saw("room_in", format_duration(room_in))
}

fn refusal(reason: Reason, detail: String, retry_after: Duration) -> Refusal {
    Refusal { gate: Gate::Budget, reason, detail, inputs: Vec::new(), retry_after }
}

/// Rounded up to whole seconds, for people.
fn whole(left: Duration) -> Duration {
    Duration::from_secs(left.as_secs() + u64::from(0 < left.subsec_nanos()))
}
