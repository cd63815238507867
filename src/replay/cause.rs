//! What must have happened for a record to be written: the event behind it. And whether two facts tell the same.

use super::oracle;
use crate::engine::abort;
use crate::engine::event::Event;
use crate::engine::incident::Incident;
use crate::model::action::TargetIdent;
use crate::model::alert::{Alert, AlertStatus, Notification, RejectedAlert};
use crate::model::approval::ApprovalOutcome;
use crate::model::container::TargetReport;
use crate::model::fact::{
    ActionIntended, AlertEnded, AlertReceived, AlertsRejected, Answer, Decided, Fact, Refusal, StepFinished,
    StepMarked, StepRef, StepResult,
};
use crate::model::id::{ActId, IncidentId};
use crate::model::incident::EpisodeEnd;
use crate::model::label::Labels;
use crate::model::moment::Moment;
use crate::model::reason::{Gate, Reason};
use crate::model::step::StepMark;
use crate::model::testimony::{Heard, Says, Testimony};
use chrono::{DateTime, Utc};
use std::mem::discriminant;
use std::sync::Arc;

/// The event behind a record about an open incident; `None` if it follows from an earlier one, or nothing tells.
pub(super) fn of(fact: &Fact, incident: &Incident, needs_target: bool, now: &Moment) -> Option<Event> {
    match abort::asked_by(fact) {
        Some((by, reason)) => Some(Event::AbortRequested { incident: incident.id, by, reason }),
        None => not_aborted(fact, incident, needs_target, now),
    }
}

fn not_aborted(fact: &Fact, incident: &Incident, needs_target: bool, now: &Moment) -> Option<Event> {
    let id = incident.id;
    let own = |act: &ActId| ActId { incident: id, number: act.number };
    Some(match fact {
        Fact::Decided(decided) => match report_of(decided, (incident, needs_target), now)? {
            Some(report) => Event::TargetResolved { incident: id, report, evidence: None, heard: heard(decided, incident) },
            None => Event::TargetSkipped { incident: id },
        },
        Fact::ActionIntended(intended) => {
            let heard = intended.witness.clone().map_or(Heard::Nobody, Heard::Said);
            let report = intended.look.as_deref().cloned().unwrap_or_else(|| oracle::before(intended, now));
            Event::TargetResolved { incident: id, report, evidence: None, heard }
        }
        Fact::StepFinished(StepFinished { step, elapsed, result, .. }) => {
            Event::StepEnded { incident: id, index: step.index, elapsed: *elapsed, result: result.clone() }
        }
        Fact::TargetVerified(verified) => {
            let result = StepResult::Verified(verified.detail.clone());
            Event::StepEnded { incident: id, index: verified.step.index, elapsed: verified.elapsed, result }
        }
        Fact::AlertEnded(AlertEnded { end: EpisodeEnd::NotFiring, .. }) => Event::AlertWitnessed {
            incident: id,
            index: incident.run()?.index,
            testimony: Testimony { says: Says::NotFiring, detail: String::new() },
        },
        Fact::ActionFinished(finished) => {
            Event::ActionReturned { act: own(&finished.act), outcome: finished.outcome.clone() }
        }
        Fact::ActionReconciled(reconciled) => Event::ActionObserved {
            act: own(&reconciled.act),
            finding: reconciled.finding,
            post: reconciled.post.clone(),
            detail: reconciled.detail.clone(),
        },
        Fact::StepMarked(_) | Fact::RequestIntended(_) => of_step(fact, incident)?,
        Fact::RequestFinished(it) => Event::RequestReturned { act: own(&it.act), outcome: it.outcome.clone() },
        Fact::NoticeFinished(it) => Event::NoticeReturned { act: own(&it.act), outcome: it.outcome.clone() },
        Fact::ApprovalRequested(_) | Fact::ApprovalEnded(_) => of_people(fact, id, now)?,
        Fact::LogOpened(_)
        | Fact::LogClosed
        | Fact::LogRecovered(_)
        | Fact::ConfigLoaded(_)
        | Fact::ConfigRejected(_)
        | Fact::ClockJumped(_)
        | Fact::AlertReceived(_)
        | Fact::IncidentOpened(_)
        | Fact::AlertEnded(_)
        | Fact::AlertsRejected(_)
        | Fact::NoticeIntended(_)
        // Whose question it answers, the story tells.
        | Fact::VoteCast(_)
        | Fact::AttemptEnded(_)
        | Fact::IncidentClosed(_)
        | Fact::IncidentRelapsed(_)
        | Fact::PauseSet(_)
        | Fact::PauseCleared(_)
        | Fact::BreakerOpened(_)
        | Fact::BreakerReset(_)
        | Fact::StormFrozen(_)
        | Fact::StateSaved(_) => return None,
    })
}

/// The event behind a question to people, or its end.
fn of_people(fact: &Fact, incident: IncidentId, now: &Moment) -> Option<Event> {
    if let Fact::ApprovalRequested(asked) = fact {
        let asks_first = asked.step.is_none();
        return asks_first.then(|| looked(incident, (asked.look.as_deref(), asked.target.as_ref()), now));
    }
    let Fact::ApprovalEnded(ended) = fact else { return None };
    match (&ended.look, ended.outcome) {
        (Some(look), _) => Some(looked(incident, (Some(look), None), now)),
        (None, ApprovalOutcome::Expired) => Some(Event::Ticked),
        (None, ApprovalOutcome::Approved) => ended.by.is_empty().then_some(Event::Ticked),
        // Votes, the end of the alert and reloads bring these about.
        (None, ApprovalOutcome::Denied | ApprovalOutcome::Superseded | ApprovalOutcome::Cancelled) => None,
    }
}

/// The event behind a step that is done because its `if` is true; `None` where nobody was asked for it.
fn of_marked(marked: &StepMarked, incident: IncidentId) -> Option<Event> {
    let (heard, index) = (marked.witness.clone().map_or(Heard::Nobody, Heard::Said), marked.step.index);
    let verb = marked.step.verb;
    match marked.look.as_deref().cloned().filter(|_| marked.mark == StepMark::Allowed) {
        Some(report) if acts(verb) => Some(Event::TargetResolved { incident, report, evidence: None, heard }),
        Some(report) => Some(Event::StepAsked { incident, index, report: Some(report), heard }),
        None if verb == "http" && marked.mark == StepMark::Allowed => {
            Some(Event::StepAsked { incident, index, report: None, heard })
        }
        None => None,
    }
}

/// The event behind what was asked before a step.
fn of_step(fact: &Fact, incident: &Incident) -> Option<Event> {
    if let Fact::StepMarked(marked) = fact {
        return of_marked(marked, incident.id);
    }
    let Fact::RequestIntended(intended) = fact else { return None };
    let heard = intended.witness.clone().map_or(Heard::Nobody, Heard::Said);
    Some(Event::StepAsked { incident: incident.id, index: incident.run()?.index, report: None, heard })
}

/// Whether a step of this verb is asked about with the gates of an act.
fn acts(verb: &str) -> bool {
    matches!(verb, "restart" | "start" | "stop" | "scale" | "rollback" | "update_limits")
}

/// The event behind a decision about a request to another system.
pub(super) fn of_request(decided: &Decided, incident: &Incident) -> Option<Event> {
    let (id, index) = (incident.id, incident.run()?.index);
    let report = decided.look.as_deref().cloned();
    Some(Event::StepAsked { incident: id, index, report, heard: heard(decided, incident) })
}

/// Docker's answer before a run began, or people were asked about it.
fn looked(incident: IncidentId, (look, target): (Option<&TargetReport>, Option<&TargetIdent>), now: &Moment) -> Event {
    match (look, target) {
        (Some(look), _) => {
            Event::TargetResolved { incident, report: look.clone(), evidence: None, heard: Heard::NotPut }
        }
        (None, Some(target)) => Event::TargetResolved {
            incident,
            report: oracle::as_recorded(target, now),
            evidence: None,
            heard: Heard::NotPut,
        },
        (None, None) => Event::TargetSkipped { incident },
    }
}

/// What Docker answered before a decision; `Some(None)` if nobody asked. Logs of older versions tell it only in part.
fn report_of(
    decided: &Decided,
    (incident, needs_target): (&Incident, bool),
    now: &Moment,
) -> Option<Option<TargetReport>> {
    if let Some(look) = &decided.look {
        return Some(Some(TargetReport::clone(look)));
    }
    if !needs_target {
        return Some(None);
    }
    let told = if let Answer::Refused(refusal) = &decided.answer { told_by(refusal) } else { None };
    if told.is_some() {
        return Some(told);
    }
    let planned = || incident.run().and_then(|run| run.target.as_ref());
    let target = decided.target.as_ref().or_else(planned)?;
    Some(Some(oracle::as_recorded(target, now)))
}

/// What a refusal alone tells of Docker's answer.
fn told_by(refusal: &Refusal) -> Option<TargetReport> {
    let is = |reason| refusal.reason == reason;
    if is(Reason::TargetMissing) {
        Some(TargetReport::Missing)
    } else if is(Reason::TargetAmbiguous) {
        let names = input(refusal, "containers").unwrap_or_default();
        Some(TargetReport::Ambiguous(names.split(", ").map(str::to_owned).collect()))
    } else if is(Reason::DockerUnavailable) {
        Some(TargetReport::Unavailable(refusal.detail.clone()))
    } else if is(Reason::DockerDenied) {
        Some(TargetReport::Denied(refusal.detail.clone()))
    } else if is(Reason::NoSwarmManager) {
        Some(TargetReport::NoManager(input(refusal, "error").unwrap_or_default().to_owned()))
    } else {
        None
    }
}

/// Whether the record itself holds what the gates saw of the target.
pub(super) fn is_told(fact: &Fact) -> bool {
    if let Fact::Decided(decided) = fact { decided.look.is_some() || decided.target.is_none() } else { true }
}

/// Whether a refusal was about what Docker showed, which a log without looks does not tell.
pub(super) fn is_about_docker(fact: &Fact) -> Option<&Refusal> {
    let Fact::Decided(Decided { answer: Answer::Refused(refusal), .. }) = fact else { return None };
    let of_service = matches!(refusal.reason, Reason::ServiceBusy | Reason::MinHealthy);
    let reads = matches!(refusal.gate, Gate::Target | Gate::Condition | Gate::SingleFlight) || of_service;
    reads.then_some(refusal)
}

fn input<'a>(refusal: &'a Refusal, name: &str) -> Option<&'a str> {
    refusal.inputs.iter().find(|(input, _)| input == name).map(|(_, value)| value.as_str())
}

/// What Alertmanager said right before, where that was asked.
fn heard(decided: &Decided, incident: &Incident) -> Heard {
    if incident.run().is_none() {
        return Heard::NotPut;
    }
    if let Answer::Refused(refusal) = &decided.answer
        && refusal.reason == Reason::AlertFiresAgain
        && let Some(detail) = input(refusal, "witness")
    {
        return Heard::Said(Testimony { says: Says::Firing, detail: detail.to_owned() });
    }
    if let Answer::Refused(refusal) = &decided.answer
        && refusal.reason == Reason::ResolvedFirst
        && input(refusal, "alert") == Some(Says::NotFiring.as_str())
    {
        let detail = input(refusal, "witness").unwrap_or_default().to_owned();
        return Heard::Said(Testimony { says: Says::NotFiring, detail });
    }
    Heard::Nobody
}

/// The notification behind an alert's first sight.
pub(super) fn firing(received: &AlertReceived, truncated_alerts: u64) -> Notification {
    let alert = Alert {
        fingerprint: received.fingerprint,
        status: AlertStatus::Firing,
        labels: received.labels.clone(),
        annotations: received.annotations.clone(),
        starts_at: received.starts_at,
        ends_at: None,
        generator_url: received.generator_url.clone(),
    };
    Notification {
        sender: Arc::clone(&received.sender),
        receiver_name: Arc::clone(&received.receiver_name),
        group_key: Arc::clone(&received.group_key),
        truncated_alerts,
        alerts: vec![alert],
        rejected: Vec::new(),
    }
}

/// How many alerts of its group were left out of the notification, says the refusal for it.
pub(super) fn truncated(fact: &Fact) -> u64 {
    let Fact::Decided(Decided { answer: Answer::Refused(refusal), .. }) = fact else { return 0 };
    let told = input(refusal, "truncated_alerts").filter(|_| refusal.reason == Reason::Truncated);
    told.and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// The notification behind an alert's end.
pub(super) fn resolved(ended: &AlertEnded, now: DateTime<Utc>) -> Notification {
    let alert = Alert {
        fingerprint: ended.fingerprint,
        status: AlertStatus::Resolved,
        labels: Labels::default(),
        annotations: Labels::default(),
        starts_at: None,
        ends_at: Some(ended.ends_at.unwrap_or(now)),
        generator_url: "".into(),
    };
    Notification { alerts: vec![alert], ..Notification::default() }
}

/// The notification behind alerts that could not be read.
pub(super) fn unreadable(rejected: &AlertsRejected) -> Notification {
    let (place, problem) = rejected.first.split_once("]: ").unwrap_or(("", &rejected.first));
    let index = place.trim_start_matches("alerts[").parse().unwrap_or(0);
    let one = RejectedAlert { index, problem: problem.to_owned() };
    let count = usize::try_from(rejected.count).unwrap_or(usize::MAX).min(100_000);
    Notification { sender: Arc::clone(&rejected.sender), rejected: vec![one; count], ..Notification::default() }
}

/// Whether two facts about one incident tell the same: the same answer, the same step, the same act, the same end. Words,
/// revisions and times may differ. Whether two questions are the same, [`Player::same`](super::play::Player::same) knows.
pub(super) fn same(one: &Fact, other: &Fact) -> bool {
    match (one, other) {
        (Fact::Decided(one), Fact::Decided(other)) => same_answer(one, other),
        (Fact::StepFinished(one), Fact::StepFinished(other)) => {
            same_place(&one.step, &other.step) && discriminant(&one.result) == discriminant(&other.result)
        }
        (Fact::TargetVerified(one), Fact::TargetVerified(other)) => same_place(&one.step, &other.step),
        (Fact::ActionIntended(one), Fact::ActionIntended(other)) => same_act(one, other),
        (Fact::ActionFinished(one), Fact::ActionFinished(other)) => {
            discriminant(&one.outcome) == discriminant(&other.outcome)
        }
        (Fact::ActionReconciled(one), Fact::ActionReconciled(other)) => one.finding == other.finding,
        (Fact::NoticeIntended(one), Fact::NoticeIntended(other)) => one.notice.notifier == other.notice.notifier,
        (Fact::StepMarked(one), Fact::StepMarked(other)) => {
            same_place(&one.step, &other.step) && one.mark == other.mark
        }
        (Fact::RequestIntended(one), Fact::RequestIntended(other)) => {
            (&one.method, one.dry_run) == (&other.method, other.dry_run)
        }
        (Fact::RequestFinished(one), Fact::RequestFinished(other)) => {
            discriminant(&one.outcome) == discriminant(&other.outcome)
        }
        (Fact::NoticeFinished(one), Fact::NoticeFinished(other)) => {
            discriminant(&one.outcome) == discriminant(&other.outcome)
        }
        (Fact::AttemptEnded(one), Fact::AttemptEnded(other)) => {
            (one.attempt, one.verdict) == (other.attempt, other.verdict)
        }
        (Fact::IncidentClosed(one), Fact::IncidentClosed(other)) => {
            (one.verdict, one.reason) == (other.verdict, other.reason)
        }
        (Fact::AlertEnded(one), Fact::AlertEnded(other)) => one.end == other.end,
        (Fact::VoteCast(one), Fact::VoteCast(other)) => {
            (&one.ballot.person, one.answer) == (&other.ballot.person, other.answer)
        }
        (Fact::ApprovalEnded(one), Fact::ApprovalEnded(other)) => one.outcome == other.outcome,
        (Fact::IncidentOpened(one), Fact::IncidentOpened(other)) => one.origin.cause == other.origin.cause,
        (one, other) => discriminant(one) == discriminant(other),
    }
}

fn same_answer(one: &Decided, other: &Decided) -> bool {
    let name = |decided: &Decided| decided.target.as_ref().map(|target| target.name.clone());
    match (&one.answer, &other.answer) {
        (
            Answer::Run { dry_run, plan, attempt, key },
            Answer::Run { dry_run: other_dry_run, plan: other_plan, attempt: other_attempt, key: other_key },
        ) => {
            name(one) == name(other)
                && (dry_run, plan.is_some(), attempt.number, key)
                    == (other_dry_run, other_plan.is_some(), other_attempt.number, other_key)
        }
        (Answer::Refused(one), Answer::Refused(other)) => (one.gate, one.reason) == (other.gate, other.reason),
        (Answer::Run { .. } | Answer::Refused(_), _) => false,
    }
}

fn same_place(one: &StepRef, other: &StepRef) -> bool {
    (one.branch, one.index, one.verb) == (other.branch, other.index, other.verb)
}

fn same_act(one: &ActionIntended, other: &ActionIntended) -> bool {
    (&one.action, &one.target.name, one.dependent, one.dry_run)
        == (&other.action, &other.target.name, other.dependent, other.dry_run)
}

/// The question that a decision answers, where no container was found for it.
pub(super) fn asked_for(decided: &Decided) -> Option<String> {
    let Answer::Refused(refusal) = &decided.answer else { return None };
    input(refusal, "target").map(str::to_owned)
}

/// The refusal that a decision is.
pub(super) fn refusal_of(fact: &Fact) -> Option<&Refusal> {
    if let Fact::Decided(Decided { answer: Answer::Refused(refusal), .. }) = fact { Some(refusal) } else { None }
}

/// What the gates saw.
pub(super) fn look_of(fact: &Fact) -> Option<&TargetReport> {
    if let Fact::Decided(decided) = fact {
        decided.look.as_deref()
    } else if let Fact::ActionIntended(intended) = fact {
        intended.look.as_deref().filter(|_| !intended.dependent)
    } else if let Fact::ApprovalRequested(asked) = fact {
        asked.look.as_deref()
    } else {
        None
    }
}

/// The same decision about an incident of the replay.
pub(super) fn about(fact: &Fact, incident: IncidentId) -> Fact {
    if let Fact::Decided(decided) = fact {
        Fact::Decided(Decided { incident, ..decided.clone() })
    } else {
        fact.clone()
    }
}
