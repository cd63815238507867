//! What must hold after each step, each as a function of its own. They look at what was really done, and at the true
//! time, never at what the daemon's clocks said.
//!
//! To add one: write the function and put it into [`OF_RECORDS`], [`OF_WRITES`], [`OF_STEPS`] or [`OF_THE_END`].

use crate::afterwards::{
    at_most_one_follows_each_run, each_container_of_a_selector_has_one_incident,
    every_run_is_followed_by_what_its_playbook_says, nothing_is_done_after_an_alert_that_fires,
};
use crate::approvals::{
    every_question_ends, no_act_without_consent_to_this_very_plan, no_question_ends_before_its_true_time_or_in_a_pause,
    votes_that_were_answered_are_kept, what_was_agreed_to_begins_in_time_and_once,
};
use crate::brakes::{
    every_refusal_names_what_its_gate_saw, evidence_comes_before_the_act, min_healthy_is_kept,
    never_an_act_while_paused, no_act_on_what_a_person_restarted_lately, no_act_on_what_a_person_stopped,
    no_act_without_the_owners_consent, no_more_of_a_service_at_once_than_allowed, no_pause_ends_before_its_true_time,
    no_run_in_a_storm, no_run_while_the_breaker_is_open,
};
use crate::services::{
    a_change_moves_nothing_but_what_it_is_for, a_rollback_is_not_taken_back, limits_are_raised_within_their_bounds,
    no_change_of_what_others_changed_lately, no_change_while_an_update_is_under_way,
    no_service_and_its_container_at_once, replicas_stay_within_bounds, the_last_healthy_replica_stays,
    the_original_is_the_number_before_the_run,
};
use crate::steps::{
    a_step_whose_if_is_false_never_acts, no_act_comes_back_well_after_its_time,
    no_request_is_sent_twice_or_before_its_intent_is_durable, no_request_that_is_held_back,
    only_what_its_step_tolerates_is_tolerated,
};
use crate::testimony::{alertmanager_is_asked_and_quoted_before_the_first_act, no_end_of_an_alert_is_made_up};
use crate::tries::{
    no_more_acts_than_the_tries_have, no_run_after_the_last_of_several_tries_was_in_vain,
    no_try_before_the_true_cooldown_after_the_last, tries_follow_each_other_and_only_what_did_not_help,
};
use crate::witness::{Charge, Witness};
use sickbay::engine::incident::Phase;
use sickbay::engine::state::State;
use sickbay::model::action::{Action, Reconciled};
use sickbay::model::alert::{AlertStatus, Notification};
use sickbay::model::container::ContainerState;
use sickbay::model::fact::{ActionIntended, ActionReconciled, Answer, Branch, ClockJumped, Fact, Record, Taken};
use sickbay::model::id::ActId;
use sickbay::model::limit::{Scope, Window};
use sickbay::model::reason::Reason;
use sickbay::playbook::definition::{Playbook, Step};
use sickbay::record::{Hash, LogId, decode, encode};
use sickbay::sim::clock::SimTime;
use sickbay::sim::world::{Ack, World, Write};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// What was found wrong, in words.
pub(crate) type Verdict = Result<(), String>;

/// Asked of each new record, before the witness has learnt it. The time is the true one.
pub(crate) const OF_RECORDS: &[(&str, OfRecord)] = &[
    ("no_more_runs_in_any_true_window_than_its_limit", no_more_runs_in_any_true_window_than_its_limit),
    ("no_run_before_its_true_cooldown_is_over", no_run_before_its_true_cooldown_is_over),
    ("no_limit_refuses_without_its_cause", no_limit_refuses_without_its_cause),
    ("no_two_runs_at_once_on_one_target", no_two_runs_at_once_on_one_target),
    ("no_more_runs_at_once_than_allowed", no_more_runs_at_once_than_allowed),
    ("no_act_for_an_alert_that_ended", no_act_for_an_alert_that_ended),
    ("no_act_on_what_cannot_be_treated", no_act_on_what_cannot_be_treated),
    ("never_an_act_while_paused", never_an_act_while_paused),
    ("no_pause_ends_before_its_true_time", no_pause_ends_before_its_true_time),
    ("no_end_of_an_alert_is_made_up", no_end_of_an_alert_is_made_up),
    ("alertmanager_is_asked_and_quoted_before_the_first_act", alertmanager_is_asked_and_quoted_before_the_first_act),
    ("tries_follow_each_other_and_only_what_did_not_help", tries_follow_each_other_and_only_what_did_not_help),
    ("no_try_before_the_true_cooldown_after_the_last", no_try_before_the_true_cooldown_after_the_last),
    ("no_more_acts_than_the_tries_have", no_more_acts_than_the_tries_have),
    ("no_run_after_the_last_of_several_tries_was_in_vain", no_run_after_the_last_of_several_tries_was_in_vain),
    ("no_run_begins_by_what_is_no_longer_loaded", no_run_begins_by_what_is_no_longer_loaded),
    ("a_run_goes_by_the_steps_it_began_with", a_run_goes_by_the_steps_it_began_with),
    ("no_run_while_the_breaker_is_open", no_run_while_the_breaker_is_open),
    ("no_run_in_a_storm", no_run_in_a_storm),
    ("min_healthy_is_kept", min_healthy_is_kept),
    ("no_more_of_a_service_at_once_than_allowed", no_more_of_a_service_at_once_than_allowed),
    ("no_act_without_consent_to_this_very_plan", no_act_without_consent_to_this_very_plan),
    ("what_was_agreed_to_begins_in_time_and_once", what_was_agreed_to_begins_in_time_and_once),
    ("no_question_ends_before_its_true_time_or_in_a_pause", no_question_ends_before_its_true_time_or_in_a_pause),
    ("evidence_comes_before_the_act", evidence_comes_before_the_act),
    ("every_refusal_names_what_its_gate_saw", every_refusal_names_what_its_gate_saw),
    ("the_last_healthy_replica_stays", the_last_healthy_replica_stays),
    ("no_change_while_an_update_is_under_way", no_change_while_an_update_is_under_way),
    ("no_change_of_what_others_changed_lately", no_change_of_what_others_changed_lately),
    ("the_original_is_the_number_before_the_run", the_original_is_the_number_before_the_run),
    ("no_service_and_its_container_at_once", no_service_and_its_container_at_once),
    ("nothing_is_done_after_an_alert_that_fires", nothing_is_done_after_an_alert_that_fires),
    ("at_most_one_follows_each_run", at_most_one_follows_each_run),
    ("every_run_is_followed_by_what_its_playbook_says", every_run_is_followed_by_what_its_playbook_says),
    ("each_container_of_a_selector_has_one_incident", each_container_of_a_selector_has_one_incident),
    ("a_step_whose_if_is_false_never_acts", a_step_whose_if_is_false_never_acts),
    ("no_request_that_is_held_back", no_request_that_is_held_back),
    ("only_what_its_step_tolerates_is_tolerated", only_what_its_step_tolerates_is_tolerated),
    ("no_act_comes_back_well_after_its_time", no_act_comes_back_well_after_its_time),
];

/// Asked of each call that was sent.
pub(crate) const OF_WRITES: &[(&str, OfWrite)] = &[
    ("no_effect_before_its_intent_is_durable", no_effect_before_its_intent_is_durable),
    ("no_target_treated_twice_for_one_intent", no_target_treated_twice_for_one_intent),
    ("no_act_without_the_owners_consent", no_act_without_the_owners_consent),
    ("no_act_on_what_a_person_stopped", no_act_on_what_a_person_stopped),
    ("no_act_on_what_a_person_restarted_lately", no_act_on_what_a_person_restarted_lately),
    ("a_dry_run_changes_nothing", a_dry_run_changes_nothing),
    ("replicas_stay_within_bounds", replicas_stay_within_bounds),
    ("a_rollback_is_not_taken_back", a_rollback_is_not_taken_back),
    ("limits_are_raised_within_their_bounds", limits_are_raised_within_their_bounds),
];

/// Asked after each step.
pub(crate) const OF_STEPS: &[(&str, OfStep)] = &[
    ("no_message_before_its_intent_is_durable", no_message_before_its_intent_is_durable),
    ("every_open_incident_waits_for_something", every_open_incident_waits_for_something),
    ("nothing_acknowledged_is_lost", nothing_acknowledged_is_lost),
    (
        "no_request_is_sent_twice_or_before_its_intent_is_durable",
        no_request_is_sent_twice_or_before_its_intent_is_durable,
    ),
];

/// Asked when all is calm again.
pub(crate) const OF_THE_END: &[(&str, OfStep)] = &[
    ("any_prefix_of_the_log_replays_to_the_same_state", any_prefix_of_the_log_replays_to_the_same_state),
    ("the_whole_state_is_in_one_record", the_whole_state_is_in_one_record),
    ("each_text_is_told_once_and_before_it_is_needed", each_text_is_told_once_and_before_it_is_needed),
    ("every_incident_comes_to_its_end", every_incident_comes_to_its_end),
    ("looking_tells_what_happened", looking_tells_what_happened),
    ("a_change_moves_nothing_but_what_it_is_for", a_change_moves_nothing_but_what_it_is_for),
    ("every_question_ends", every_question_ends),
    ("votes_that_were_answered_are_kept", votes_that_were_answered_are_kept),
];

pub(crate) type OfRecord = fn(&Witness, &World, &Record, SimTime) -> Verdict;
pub(crate) type OfWrite = fn(&Witness, &World, &Write, usize) -> Verdict;
pub(crate) type OfStep = fn(&Witness, &World) -> Verdict;

/// Whether two runs are counted together by a playbook's limits.
fn in_scope(playbook: &Playbook, a: &Charge, b: &Charge) -> bool {
    let differ = |(name, value): &(String, String)| b.key.iter().any(|(of, other)| of == name && other != value);
    let together = match playbook.limits.scope {
        // What was counted by other labels, before a reload, counts in any case.
        _ if !playbook.limits.key.is_empty() => !a.key.iter().any(differ),
        Scope::Target => a.target == b.target,
        Scope::Playbook | Scope::Host => true,
    };
    a.playbook == b.playbook && together && !a.aftercare && !b.aftercare
}

/// Whether it is not the very run that is charged.
fn is_another(other: &Charge, charge: &Charge) -> bool {
    other.incident != charge.incident || other.ended.is_some()
}

/// The window that is full in truth, counting what `counts` selects.
fn overfull<'a>(
    windows: &'a [Window],
    (witness, now): (&Witness, SimTime),
    counts: impl Fn(&Charge) -> bool,
) -> Option<&'a Window> {
    windows.iter().find(|window| {
        let within = |charge: &&Charge| now.since(charge.at) < window.per && counts(charge);
        let used = witness.charges.iter().filter(within).count();
        usize::try_from(window.runs).is_ok_and(|allowed| allowed <= used)
    })
}

/// The window that has no room for a charge, and whose it is.
fn no_room(witness: &Witness, world: &World, (charge, now): (&Charge, SimTime)) -> Option<(&'static str, Window)> {
    // An earlier try of the same incident is a run like any other.
    let others = |other: &Charge| other.dry_run == charge.dry_run && is_another(other, charge);
    let policy = &world.ruleset.policy;
    let playbook = witness.playbook(charge.incident)?;
    let own = |other: &Charge| others(other) && in_scope(playbook, charge, other);
    let target = |other: &Charge| others(other) && charge.target.is_some() && other.target == charge.target;
    let at = (witness, now);
    None.or_else(|| overfull(&playbook.limits.windows, at, own).map(|window| ("the playbook's", *window)))
        .or_else(|| overfull(&policy.per_target, at, target).map(|window| ("the target's", *window)))
        .or_else(|| overfull(&policy.global, at, others).map(|window| ("the global", *window)))
}

/// How much of a cooldown is left for a charge, in truth.
fn cooling(witness: &Witness, (charge, now): (&Charge, SimTime)) -> Option<Duration> {
    let playbook = witness.playbook(charge.incident)?;
    let cooldown = playbook.limits.cooldown;
    let others = witness.charges.iter().filter(|other| {
        other.dry_run == charge.dry_run && is_another(other, charge) && in_scope(playbook, charge, other)
    });
    let left = others.map(|other| other.ended.map_or(cooldown, |ended| cooldown.saturating_sub(now.since(ended))));
    left.max().filter(|left| !left.is_zero())
}

fn no_more_runs_in_any_true_window_than_its_limit(
    witness: &Witness,
    world: &World,
    record: &Record,
    now: SimTime,
) -> Verdict {
    let Some(charge) = witness.charge_of(record, now) else { return Ok(()) };
    match no_room(witness, world, (&charge, now)) {
        Some((whose, window)) => Err(format!("{charge:?} is one more than {whose} {window:?} allows")),
        None => Ok(()),
    }
}

fn no_run_before_its_true_cooldown_is_over(witness: &Witness, _: &World, record: &Record, now: SimTime) -> Verdict {
    let Some(charge) = witness.charge_of(record, now) else { return Ok(()) };
    match cooling(witness, (&charge, now)) {
        Some(left) => Err(format!("{charge:?} comes {left:?} too early for its cooldown")),
        None => Ok(()),
    }
}

/// A refusal that blames a limit is right about it. After a reboot limits may be stricter than the truth.
fn no_limit_refuses_without_its_cause(witness: &Witness, world: &World, record: &Record, now: SimTime) -> Verdict {
    let Fact::Decided(decided) = &record.fact else { return Ok(()) };
    let Answer::Refused(refusal) = &decided.answer else { return Ok(()) };
    if 1 < world.clock().boots() {
        return Ok(());
    }
    let policy_dry = world.ruleset.policy.dry_run;
    let charge = Charge {
        incident: decided.incident,
        playbook: Arc::clone(&decided.playbook),
        target: decided.target.as_ref().map(|target| target.name.to_string()),
        at: now,
        ended: None,
        key: witness.key_of(decided.incident),
        dry_run: policy_dry || witness.is_dry(decided.incident),
        aftercare: witness.is_aftercare(decided.incident),
    };
    let has_cause = match refusal.reason {
        Reason::Cooldown => cooling(witness, (&charge, now)).is_some(),
        Reason::BudgetExhausted | Reason::GlobalBudget => no_room(witness, world, (&charge, now)).is_some(),
        _ => true,
    };
    if has_cause { Ok(()) } else { Err(format!("{} was refused without cause: {}", decided.incident, refusal.detail)) }
}

/// Neither two runs on one target, nor an act on what another run holds.
fn no_two_runs_at_once_on_one_target(witness: &Witness, _: &World, record: &Record, _: SimTime) -> Verdict {
    let (incident, name) = match &record.fact {
        Fact::Decided(decided) if witness.is_acting_run(record) => match &decided.target {
            Some(target) => (decided.incident, &target.name),
            None => return Ok(()),
        },
        Fact::ActionIntended(intended) => (intended.act.incident, &intended.target.name),
        _ => return Ok(()),
    };
    let holder =
        witness.runs.iter().find(|(id, run)| **id != incident && run.keeps_others_away() && run.holds(name.as_str()));
    match holder {
        Some((holder, _)) => Err(format!("{incident} and {holder} are at {name} at once")),
        None => Ok(()),
    }
}

fn no_more_runs_at_once_than_allowed(witness: &Witness, world: &World, record: &Record, _: SimTime) -> Verdict {
    let incident = match &record.fact {
        Fact::Decided(decided) if witness.is_acting_run(record) => decided.incident,
        Fact::ActionIntended(intended) if !intended.dependent => intended.act.incident,
        _ => return Ok(()),
    };
    let dry_run = match &record.fact {
        Fact::Decided(decided) => matches!(decided.answer, Answer::Run { dry_run: true, .. }),
        Fact::ActionIntended(intended) => intended.dry_run,
        _ => false,
    };
    let others =
        witness.runs.iter().filter(|(id, run)| **id != incident && run.keeps_others_away() && run.dry_run == dry_run);
    let under_way = others.count();
    if usize::try_from(world.ruleset.policy.max_parallel).is_ok_and(|allowed| allowed <= under_way) {
        return Err(format!("{incident} acts although {under_way} other runs are under way"));
    }
    Ok(())
}

/// Once the target was restarted, what lives in its namespace is restarted after it, whatever the alert says.
fn no_act_for_an_alert_that_ended(witness: &Witness, _: &World, record: &Record, _: SimTime) -> Verdict {
    match &record.fact {
        Fact::ActionIntended(intended)
            if !intended.dependent && witness.ended_alerts.contains(&intended.act.incident) =>
        {
            Err(format!("{} acts although its alert had ended", intended.act))
        }
        _ => Ok(()),
    }
}

fn no_act_on_what_cannot_be_treated(_: &Witness, _: &World, record: &Record, _: SimTime) -> Verdict {
    match &record.fact {
        // A dependent of what was restarted has lost its namespace, whatever Docker tries with it.
        Fact::ActionIntended(intended) if intended.dependent && state_before(intended) == "restarting" => Ok(()),
        Fact::ActionIntended(intended) if !["running", "exited"].contains(&state_before(intended)) => {
            Err(format!("{} acts on {}, which is {}", intended.act, intended.target.name, state_before(intended)))
        }
        _ => Ok(()),
    }
}

fn no_run_begins_by_what_is_no_longer_loaded(witness: &Witness, world: &World, record: &Record, _: SimTime) -> Verdict {
    let Fact::Decided(decided) = &record.fact else { return Ok(()) };
    let Some(taker) = witness.playbook(decided.incident) else {
        return Err(format!("{} goes by a playbook that was never loaded", decided.incident));
    };
    let is_loaded = world.ruleset.loaded(&taker.name, &taker.revision).is_some();
    match decided.answer {
        // Further tries go by what the first one began with.
        Answer::Run { attempt, .. } if attempt.number == 1 && !is_loaded => {
            Err(format!("{} begins by {}@{}, which is not loaded", decided.incident, taker.name, taker.revision))
        }
        Answer::Run { .. } | Answer::Refused(_) => Ok(()),
    }
}

/// Whatever was loaded meanwhile.
fn a_run_goes_by_the_steps_it_began_with(witness: &Witness, _: &World, record: &Record, _: SimTime) -> Verdict {
    let (incident, step, action) = match &record.fact {
        Fact::StepFinished(finished) => (finished.incident, Some(&finished.step), None),
        Fact::TargetVerified(verified) => (verified.incident, Some(&verified.step), None),
        Fact::ActionIntended(intended) if !intended.dependent => (intended.act.incident, None, Some(&intended.action)),
        _ => return Ok(()),
    };
    let Some(taker) = witness.playbook(incident) else { return Ok(()) };
    let work = witness.work_of(incident);
    let says = |step: &Step, wanted: &Action| match step.verb.action() {
        Some(action) if !matches!(wanted, Action::Service(_)) => action == *wanted,
        // Their numbers are not the playbook's.
        _ => step.verb.word() == wanted.word(),
    };
    let has = |wanted: &Action| work.iter().any(|step| says(step, wanted));
    let own = step.is_none_or(|step| {
        let steps = match step.branch {
            Branch::Steps | Branch::OnResolved => work,
            Branch::OnFailure => &taker.on_failure,
            Branch::OnDenied => &taker.on_denied,
        };
        steps.get(step.index).is_some_and(|own| own.verb.word() == step.verb)
    });
    if own && action.is_none_or(has) {
        return Ok(());
    }
    Err(format!("{incident} began by {}@{}, and does what that does not say", taker.name, taker.revision))
}

fn no_effect_before_its_intent_is_durable(_: &Witness, world: &World, write: &Write, _: usize) -> Verdict {
    let durable = world.disk().records().iter().take_while(|record| record.seq < write.durable);
    let intent = |record: &Record| {
        matches!(&record.fact, Fact::ActionIntended(intended)
            if intended.act == write.act && !intended.dry_run && intended.target == write.target)
    };
    if durable.into_iter().any(intent) {
        return Ok(());
    }
    Err(format!("{} was sent and its intent was not durable", write.act))
}

fn no_target_treated_twice_for_one_intent(witness: &Witness, world: &World, write: &Write, place: usize) -> Verdict {
    for (before, attempt) in world.seen.writes.iter().zip(&witness.attempts_of_writes).take(place) {
        if before.act == write.act {
            return Err(format!("{} was sent twice", write.act));
        }
        let same_attempt = before.act.incident == write.act.incident && *attempt == witness.attempt_of(write);
        // A service may be scaled by one step and back by another: each of them once.
        let once = before.action == write.action || write.target.id.container().is_some();
        if same_attempt && once && before.target.name == write.target.name {
            return Err(format!("{} and {} treat {} for one attempt", before.act, write.act, write.target.name));
        }
    }
    Ok(())
}

fn a_dry_run_changes_nothing(witness: &Witness, world: &World, write: &Write, _: usize) -> Verdict {
    let dry = witness.runs.get(&write.act.incident).is_some_and(|run| run.dry_run);
    if world.ruleset.policy.dry_run || dry {
        return Err(format!("{} changes something in a dry run", write.act));
    }
    Ok(())
}

fn no_message_before_its_intent_is_durable(witness: &Witness, world: &World) -> Verdict {
    for notice in world.seen.notices.iter().skip(witness.notices_seen) {
        let mut durable = world.disk().records().iter().rev().skip_while(|record| notice.durable <= record.seq);
        let intended = durable
            .any(|record| matches!(&record.fact, Fact::NoticeIntended(intended) if intended.notice.act == notice.act));
        if !intended {
            return Err(format!("the message {} was sent and its intent was not durable", notice.act));
        }
    }
    Ok(())
}

/// A refused one waits for its alert to be delivered again, or to end; any other one for an effect that is under way.
fn every_open_incident_waits_for_something(_: &Witness, world: &World) -> Verdict {
    let Some(daemon) = world.daemon().filter(|daemon| !daemon.is_stopping()) else { return Ok(()) };
    for incident in daemon.state().incidents() {
        match &incident.phase {
            Phase::Refused { refusal, .. } if !refusal.retry_after.is_zero() => {}
            Phase::Refused { refusal, .. } => {
                return Err(format!("{} was refused for no time: {refusal:?}", incident.id));
            }
            // The tick asks for the next try, and the end of the alert ends it.
            Phase::BetweenTries if incident.tried.is_some() => {}
            Phase::BetweenTries => return Err(format!("{} is between tries and made none", incident.id)),
            // The tick ends what nobody decides.
            Phase::AwaitingApproval | Phase::Running(_) if incident.waits_for_people() => {}
            Phase::AwaitingTarget | Phase::AwaitingApproval | Phase::Running(_) if daemon.awaits(incident.id) => {}
            Phase::Running(run) if run.held.is_some() && 0 < daemon.state().pauses().count() => {}
            Phase::AwaitingTarget | Phase::AwaitingApproval | Phase::Running(_) => {
                return Err(format!("{} waits for nothing: {:?}", incident.id, incident.phase));
            }
        }
    }
    Ok(())
}

fn nothing_acknowledged_is_lost(witness: &Witness, world: &World) -> Verdict {
    let left = world.disk().records().len();
    if left < witness.acknowledged {
        return Err(format!("{} records were acknowledged, and {left} are left", witness.acknowledged));
    }
    Ok(())
}

/// Asked of each answer that the sender heard, with the body it answers.
pub(crate) fn an_answer_tells_what_is_recorded(world: &World, ack: &Ack, body: &Notification) -> Verdict {
    if ack.durable < ack.before {
        return Err(format!("delivery {} was answered before its records were durable", ack.id.0));
    }
    if ack.receipts.len() != body.alerts.len() {
        return Err(format!("{} alerts were answered with {} receipts", body.alerts.len(), ack.receipts.len()));
    }
    for alert in &body.alerts {
        let known = |record: &&Record| match &record.fact {
            Fact::AlertReceived(received) => received.fingerprint == alert.fingerprint,
            _ => false,
        };
        let durable = world.disk().records().iter().take_while(|record| record.seq < ack.durable);
        if alert.status == AlertStatus::Firing && durable.filter(known).count() == 0 {
            return Err(format!("alert {} was acknowledged and never recorded", alert.fingerprint));
        }
    }
    Ok(())
}

fn any_prefix_of_the_log_replays_to_the_same_state(witness: &Witness, world: &World) -> Verdict {
    let mut state = State::default();
    let mut checkpoints = witness.checkpoints.iter();
    let mut next = checkpoints.next();
    for (count, record) in world.disk().records().iter().enumerate() {
        while let Some((_, live)) = next.filter(|(at, _)| *at == count) {
            if *live != state {
                return Err(format!("the first {count} records replay to another state than the one that wrote them"));
            }
            next = checkpoints.next();
        }
        state.apply(record);
    }
    Ok(())
}

/// Written as a line and read back, it says all that the records before it said.
fn the_whole_state_is_in_one_record(witness: &Witness, world: &World) -> Verdict {
    let records = world.disk().records();
    for (count, live) in &witness.checkpoints {
        let Some(at) = count.checked_sub(1).and_then(|last| records.get(last)).map(|last| last.at) else { continue };
        let saved = Record { seq: live.next_seq(), at, fact: Fact::StateSaved(Box::new(live.memory())) };
        let mut line = Vec::new();
        encode(&saved, LogId(1), &Hash::GENESIS, &mut line);
        line.pop();
        let read =
            decode(&line).map_err(|error| format!("after {count} records the saved state is unreadable: {error}"))?;
        let Some(read) = read.into_record() else { return Err("it is of an unknown kind".to_owned()) };
        let (mut goes_on, mut starts_here) = (live.clone(), State::default());
        goes_on.apply(&saved);
        starts_here.apply(&read);
        if goes_on != starts_here {
            return Err(format!("the state after {count} records is not what its record says"));
        }
        let mut undisturbed = live.clone();
        let nothing = ClockJumped { by_ms: 0, rebooted: false };
        undisturbed.apply(&Record { fact: Fact::ClockJumped(nothing), ..saved });
        if goes_on != undisturbed {
            return Err(format!("saving the state after {count} records changes it"));
        }
    }
    Ok(())
}

/// Whoever reads the log finds by which text each incident was decided.
fn each_text_is_told_once_and_before_it_is_needed(witness: &Witness, world: &World) -> Verdict {
    let mut told = BTreeSet::new();
    for record in world.disk().records() {
        let alert = if let Fact::AlertReceived(alert) = &record.fact {
            alert
        } else if let Fact::IncidentOpened(opened) = &record.fact {
            &opened.alert
        } else {
            continue;
        };
        let Taken::ByPlaybook { playbook, revision, text, .. } = &alert.taken else { continue };
        let is_new = told.insert(Arc::clone(revision));
        let right = witness.text_of(playbook, revision);
        if text.as_deref() != right.filter(|_| is_new) {
            return Err(format!("record {} tells {text:?} of {playbook} {revision}", record.seq.0));
        }
    }
    Ok(())
}

fn every_incident_comes_to_its_end(_: &Witness, world: &World) -> Verdict {
    let Some(daemon) = world.daemon() else { return Err("the daemon never came up again".to_owned()) };
    match daemon.state().incidents().next() {
        Some(open) => Err(format!("{} is still open, long after all alerts have ended: {:?}", open.id, open.phase)),
        None => Ok(()),
    }
}

/// "Not applied" is the truth. Where the machine slept, Docker slept too, and its deadline says nothing.
fn looking_tells_what_happened(witness: &Witness, world: &World) -> Verdict {
    for record in world.disk().records() {
        let Fact::ActionReconciled(reconciled) = &record.fact else { continue };
        let write = world.seen.writes.iter().find(|write| write.act == reconciled.act);
        let done = write.and_then(|write| write.done);
        match (reconciled.finding, done) {
            (Reconciled::NotApplied, Some(done))
                if !witness.slept
                    && !started_again(world, reconciled)
                    && !undone_by_others(world, reconciled.act, done) =>
            {
                return Err(format!("{} was done at {done} and found not to be", reconciled.act));
            }
            (Reconciled::Observed, None) if nothing_shows(world, reconciled) => {
                return Err(format!("{} was found to be done, and nothing shows it", reconciled.act));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Whether others changed the service after an act on it.
fn undone_by_others(world: &World, act: ActId, done: SimTime) -> bool {
    let write = world.seen.writes.iter().find(|write| write.act == act);
    write.is_some_and(|write| {
        write.target.id.container().is_none()
            && world.seen.service_changes.iter().any(|change| change.id == write.target.id && done <= change.at)
    })
}

/// How the target of an act was before it, in Docker's word. A service with replicas runs.
pub(crate) fn state_before(intended: &ActionIntended) -> &str {
    intended.pre.container().map_or("running", |pre| pre.state.as_str())
}

fn intended_of<'w>(world: &'w World, reconciled: &ActionReconciled) -> Option<&'w ActionIntended> {
    world.disk().records().iter().find_map(|record| match &record.fact {
        Fact::ActionIntended(intended) if intended.act == reconciled.act => Some(intended),
        _ => None,
    })
}

/// Whether what was to be stopped runs, on another start than before: somebody started it since, and nobody who looks
/// at it can tell whether it was stopped.
fn started_again(world: &World, reconciled: &ActionReconciled) -> bool {
    let stop = intended_of(world, reconciled).filter(|intended| matches!(intended.action, Action::Stop { .. }));
    let before = stop.and_then(|intended| intended.pre.container());
    let shown = before.zip(reconciled.post.as_ref().and_then(|post| post.container()));
    shown.is_some_and(|(pre, post)| !post.started_at.is_empty() && post.started_at != pre.started_at)
}

/// Whether a restart that was found to be done left the very start that was there before it.
fn nothing_shows(world: &World, reconciled: &ActionReconciled) -> bool {
    let intended = intended_of(world, reconciled);
    let before = intended.filter(|intended| matches!(intended.action, Action::Restart { .. }));
    let before = before.and_then(|intended| intended.pre.container()).map(|pre| pre.started_at.as_str());
    let post = reconciled.post.as_ref().and_then(|post| post.container());
    match (before, post) {
        (Some(before), Some(post)) => post.started_at.is_empty() || post.started_at == before,
        (Some(_), None) => true,
        // What was done to a service is told by its own invariants.
        (None, _) => false,
    }
}

/// A container that is shown as stopped.
pub(crate) fn is_stopped(state: &ContainerState) -> bool {
    *state == ContainerState::Exited
}
