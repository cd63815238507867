//! The tries of one incident, one after the other: when one is over, when the next may be asked for, and when there is none.
//!
//! Between two tries nothing is held and everything is asked anew: the target, and every gate. A try whose end nobody
//! understands (`unknown`, `abandoned`, `superseded`) is followed by none. Read [`ended`] first.

use super::advance::{self, Move};
use super::decide::Draft;
use super::effect::Effect;
use super::incident::{Incident, Phase, Run, Stage, Tried};
use super::ruleset::Ruleset;
use crate::model::fact::{AttemptEnded, Fact, Refusal};
use crate::model::incident::Verdict;
use crate::model::moment::Moment;
use crate::model::policy::Policy;
use crate::model::reason::Reason;
use crate::playbook::definition::Playbook;
use std::time::Duration;

/// The end of a try that did not help and is not the last. Recorded before anything else follows.
pub(super) fn ended(incident: &Incident, run: &Run) -> Option<Fact> {
    let over = run.stage == Stage::Ready && run.asks_for_another();
    let failure = run.failure.as_ref().filter(|_| over && !run.attempt.is_last() && run.no_further.is_none())?;
    Some(Fact::AttemptEnded(AttemptEnded {
        incident: incident.id,
        attempt: run.attempt.number,
        verdict: failure.verdict,
        detail: format!("{}: {}", failure.step, failure.error),
    }))
}

/// Whether after this refusal of a further try none is made any more: the treatment is over, or it is too late for it.
pub(super) fn ends_the_tries(refusal: &Refusal) -> bool {
    matches!(refusal.reason, Reason::BreakerOpen | Reason::StaleAlert)
}

/// What comes next while an incident waits for its next try.
pub(super) fn next_move(incident: &Incident, ruleset: &Ruleset, now: &Moment) -> Move {
    let (Some(tried), Some(playbook)) = (&incident.tried, advance::playbook_of(incident, ruleset)) else {
        return Move::Record(advance::playbook_changed(incident));
    };
    if !rest(tried, playbook, now).is_zero() {
        return Move::Rest;
    }
    match advance::ask_target(incident, playbook) {
        Ok(effect) => Move::Do(effect),
        Err(detail) => Move::Record(advance::target_invalid((incident, playbook), detail)),
    }
}

/// How much of the cooldown is left after a try.
fn rest(tried: &Tried, playbook: &Playbook, now: &Moment) -> Duration {
    now.remaining(&tried.at, playbook.limits.cooldown)
}

/// Whether a try follows that cannot be asked for yet. What Docker says meanwhile answers an earlier question.
pub(super) fn too_early(incident: &Incident, playbook: &Playbook, now: &Moment) -> bool {
    let waits = incident.run().is_none();
    incident.tried.as_ref().is_some_and(|tried| waits && !rest(tried, playbook, now).is_zero())
}

/// Whether the next try could have been made long ago, and was held back for longer than an alert may be old.
pub(super) fn held_back_too_long(incident: &Incident, playbook: &Playbook, (policy, now): (&Policy, &Moment)) -> bool {
    let waited = |tried: &Tried| now.perhaps_since(&tried.at).saturating_sub(playbook.limits.cooldown);
    incident.tried.as_ref().is_some_and(|tried| policy.max_alert_age < waited(tried))
}

/// The question for the next try, once its time has come. What a pause holds back is asked about when the pause ends.
pub(super) fn question(draft: &Draft<'_>, incident: &Incident) -> Option<Effect> {
    let playbook = advance::playbook_of(incident, draft.ruleset)?;
    let tried = incident.tried.as_ref().filter(|_| !incident.alert_ended)?;
    let (now, policy) = (draft.now, &draft.ruleset.policy);
    let due = match &incident.phase {
        Phase::BetweenTries => rest(tried, playbook, now).is_zero(),
        Phase::Refused { refusal, .. } if refusal.reason == Reason::Paused => false,
        Phase::Refused { refusal, at } => {
            refusal.retry_after <= now.since(at) || held_back_too_long(incident, playbook, (policy, now))
        }
        Phase::AwaitingTarget | Phase::AwaitingApproval | Phase::Running(_) => false,
    };
    due.then(|| advance::ask_target(incident, playbook).ok()).flatten()
}

/// The end of an incident whose alert ended between two tries: the last of them has the word.
pub(super) fn ended_between(incident: &Incident, reason: Option<Reason>) -> Option<Fact> {
    let run = &incident.tried.as_ref()?.run;
    let (verdict, last) = verdict(run)?;
    let next = run.attempt.number.saturating_add(1);
    let detail = format!("{last}; the alert ended before try {next}, so nothing more was done");
    Some(advance::closed(incident, verdict, reason, detail))
}

/// How a run that failed ends, and in which words.
pub(super) fn verdict(run: &Run) -> Option<(Verdict, String)> {
    let failure = run.failure.as_ref()?;
    let words = format!("{}: {}", failure.step, failure.error);
    let attempt = run.attempt;
    let words = if attempt.is_one_of_several() { format!("try {attempt}: {words}") } else { words };
    Some((failure.verdict, words))
}
