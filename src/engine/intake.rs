//! What a notification means: new episodes, repeats, ends. Each alert by itself; the group decides nothing.

use super::advance;
use super::decide::Draft;
use super::effect::LookCloser;
use super::gate;
use super::incident::{Incident, Phase};
use super::receipt::{AlertAnswer, AlertReceipt, Reply};
use super::state::REOPEN_WINDOW;
use super::{offspring, values};
use crate::model::alert::{Alert, AlertStatus, Notification};
use crate::model::fact::{AlertEnded, AlertReceived, AlertsRejected, Answer, Fact, Refusal, Taken};
use crate::model::id::IncidentId;
use crate::model::incident::{EpisodeEnd, FirstSight};
use crate::model::label::Fingerprint;
use crate::model::memory::Episode;
use crate::model::reason::Reason;
use crate::model::target::TargetQuery;
use crate::playbook::definition::Playbook;
use chrono::TimeDelta;
use std::collections::HashSet;
use std::sync::Arc;

/// Two deliveries of one start may differ by this much: senders round.
const SAME_START: TimeDelta = TimeDelta::seconds(1);

/// Goes through the alerts in the order of the body.
pub(super) fn notification(draft: &mut Draft<'_>, notification: Notification) {
    let Notification { sender, receiver_name, group_key, alerts, rejected, truncated_alerts } = notification;
    if let Some(first) = rejected.first() {
        let count = u64::try_from(rejected.len()).unwrap_or(u64::MAX);
        let first = format!("alerts[{}]: {}", first.index, first.problem);
        draft.decision.facts.push(Fact::AlertsRejected(AlertsRejected { sender: sender.clone(), count, first }));
    }
    let from = From { sender, receiver_name, group_key, truncated_alerts };
    let mut seen = HashSet::new();
    let several = 1 < alerts.len();
    let mut receipts = Vec::with_capacity(alerts.len());
    let ended: HashSet<_> = alerts.iter().filter(|alert| ends(alert)).map(|alert| alert.fingerprint).collect();
    for alert in alerts {
        // Which of two contradicting twins is the newer one, nobody can tell: nothing is done for one that may be over.
        let contradicted = several && !ends(&alert) && ended.contains(&alert.fingerprint);
        // The state is that before the whole body, so the same alert twice in one body would be new twice.
        let receipt = if contradicted || several && !seen.insert(alert.fingerprint) {
            receipt(alert.fingerprint, AlertAnswer::Duplicate, draft.state.episode(alert.fingerprint))
        } else {
            match alert.status {
                AlertStatus::Firing => firing(draft, alert, &from),
                AlertStatus::Resolved => resolved(draft, &alert),
            }
        };
        receipts.push(receipt);
        offspring::settle(draft);
    }
    draft.decision.reply = Reply::Alerts(receipts);
}

fn ends(alert: &Alert) -> bool {
    alert.status == AlertStatus::Resolved
}

/// Where a notification came from.
struct From {
    sender: Arc<str>,
    receiver_name: Arc<str>,
    group_key: Arc<str>,
    /// How many alerts of the group the sender left out.
    truncated_alerts: u64,
}

/// How a firing alert relates to what is known of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sight {
    First(FirstSight),
    Repeat,
}

fn sight(episode: Option<&Episode>, alert: &Alert, draft: &Draft<'_>) -> Sight {
    let Some(episode) = episode else { return Sight::First(FirstSight::New) };
    let later = match (alert.starts_at, episode.starts_at) {
        (Some(start), Some(known)) => known + SAME_START < start,
        (Some(_) | None, _) => false,
    };
    let Some(ended) = &episode.ended else {
        return if later { Sight::First(FirstSight::Recurred) } else { Sight::Repeat };
    };
    let before_the_end = match (alert.starts_at, episode.ends_at) {
        (Some(start), Some(end)) => start <= end,
        (Some(_) | None, _) => !later,
    };
    let recent = draft.now.since(ended) < REOPEN_WINDOW;
    Sight::First(if recent && (before_the_end || !later) { FirstSight::Reopened } else { FirstSight::New })
}

fn firing(draft: &mut Draft<'_>, alert: Alert, from: &From) -> AlertReceipt {
    let episode = draft.state.episode(alert.fingerprint);
    let first = match sight(episode, &alert, draft) {
        Sight::Repeat if is_free(episode) && draft.ruleset.playbooks.select(&alert.labels).is_some() => {
            FirstSight::Reconsidered
        }
        Sight::Repeat => return repeat(draft, alert.fingerprint, episode, from),
        Sight::First(first) => first,
    };
    let before = episode.filter(|_| first == FirstSight::Recurred);
    if let Some(missed) = before {
        let incident = missed.incident;
        end_episode(draft, alert.fingerprint, incident, (EpisodeEnd::Inferred, None));
    }
    let handled = episode.filter(|episode| first == FirstSight::Reopened && episode.acted);
    if let Some(handled) = handled {
        record(draft, alert, from, (first, Taken::ByNobody(Reason::Duplicate)));
        let fingerprint = draft_fingerprint(draft);
        return receipt(fingerprint, AlertAnswer::Duplicate, Some(handled));
    }
    take(draft, alert, from, first)
}

/// Whether a playbook that is loaded by now may take an episode that goes on: nobody has it, and nothing was done.
fn is_free(episode: Option<&Episode>) -> bool {
    let by_nobody = |nobody| matches!(nobody, Some(Reason::NoMatch | Reason::PlaybookChanged));
    episode.is_some_and(|episode| !episode.acted && by_nobody(episode.nobody))
}

/// Takes an alert that was taken a moment ago by a playbook that a reload changed.
pub(super) fn take_anew(draft: &mut Draft<'_>, received: &AlertReceived) {
    let from = From {
        sender: Arc::clone(&received.sender),
        receiver_name: Arc::clone(&received.receiver_name),
        group_key: Arc::clone(&received.group_key),
        truncated_alerts: 0,
    };
    let alert = Alert {
        status: AlertStatus::Firing,
        labels: received.labels.clone(),
        annotations: received.annotations.clone(),
        starts_at: received.starts_at,
        ends_at: None,
        generator_url: received.generator_url.clone(),
        fingerprint: received.fingerprint,
    };
    take(draft, alert, &from, FirstSight::Reconsidered);
}

/// The fingerprint of the alert recorded last.
fn draft_fingerprint(draft: &Draft<'_>) -> Fingerprint {
    match draft.decision.facts.last() {
        Some(Fact::AlertReceived(received)) => received.fingerprint,
        Some(_) | None => Fingerprint(0),
    }
}

/// A delivery that tells nothing new. A refused run may be asked about again, once its time has come.
fn repeat(draft: &mut Draft<'_>, fingerprint: Fingerprint, episode: Option<&Episode>, from: &From) -> AlertReceipt {
    let incident = episode.and_then(|episode| episode.incident);
    let mut answer = receipt(fingerprint, AlertAnswer::Duplicate, episode);
    let further = offspring::repeated(draft, fingerprint);
    draft.decision.effects.extend(further);
    let Some(incident) = draft.not_begun(incident) else { return answer };
    if let Phase::Refused { refusal, at } = &incident.phase {
        answer.answer = AlertAnswer::Refused;
        answer.reason = Some(refusal.reason);
        let incomplete = refusal.reason == Reason::Truncated && from.truncated_alerts != 0;
        let due = !incomplete && refusal.retry_after <= draft.now.since(at);
        let question = advance::playbook_of(incident, draft.ruleset)
            .filter(|_| due)
            .and_then(|playbook| advance::ask_target(incident, playbook).ok());
        draft.decision.effects.extend(question);
    }
    answer
}

/// First sight of an episode: fresh, and taken by a playbook?
fn take(draft: &mut Draft<'_>, alert: Alert, from: &From, first: FirstSight) -> AlertReceipt {
    let fingerprint = alert.fingerprint;
    // What a playbook had taken was fresh then; what nobody wanted for long does not begin because of a new playbook.
    let was_taken = first == FirstSight::Reconsidered
        && draft.state.episode(fingerprint).is_some_and(|episode| episode.nobody != Some(Reason::NoMatch));
    let fresh = if was_taken { Ok(()) } else { gate::at_first_sight(&alert, &draft.ruleset.policy, draft.now) };
    if let Err(reason) = fresh {
        record(draft, alert, from, (first, Taken::ByNobody(reason)));
        return AlertReceipt { reason: Some(reason), ..receipt(fingerprint, AlertAnswer::Refused, None) };
    }
    let ruleset = draft.ruleset;
    let Some(playbook) = ruleset.playbooks.select(&alert.labels) else {
        record(draft, alert, from, (first, Taken::ByNobody(Reason::NoMatch)));
        let reason = Some(Reason::NoMatch);
        return AlertReceipt { reason, ..receipt(fingerprint, AlertAnswer::NoMatch, None) };
    };
    // Only a refusal needs the labels, which go into the record.
    let (bound, host) = gate::on_host(playbook, &values::of_new_alert(&alert), &draft.ruleset.policy);
    let query = render(playbook, &alert).map_err(|detail| (alert.labels.clone(), detail));
    let taken = draft.taken(playbook, bound.clone());
    let id = IncidentId(record(draft, alert, from, (first, taken)));
    draft.count_towards_storm();
    let query = query.map_err(|(labels, detail)| advance::not_rendered(playbook, &labels, detail));
    let query = host.and(query);
    let query = query.and_then(|query| gate::complete(playbook, from.truncated_alerts).map(|()| query));
    let (answer, reason) = match query {
        Ok(Some(query)) => {
            // Nothing was raised yet that could be taken back.
            let (alert, memory) = (None, false);
            let closer = if playbook.approval.is_some() { LookCloser::Yes } else { LookCloser::No };
            let resolve =
                super::effect::Effect::ResolveTarget { incident: id, host: bound, query, alert, memory, closer };
            draft.decision.effects.push(resolve);
            (AlertAnswer::Accepted, None)
        }
        Ok(None) => {
            draft.decision.effects.push(super::effect::Effect::SkipTarget { incident: id });
            (AlertAnswer::Accepted, None)
        }
        Err(refusal) => {
            let reason = refusal.reason;
            refused_at_once(draft, id, refusal);
            (AlertAnswer::Refused, Some(reason))
        }
    };
    let playbook = Some(Arc::clone(&playbook.name));
    AlertReceipt { fingerprint, answer, incident: Some(id), playbook, reason }
}

fn render(playbook: &Playbook, alert: &Alert) -> Result<Option<TargetQuery>, String> {
    if playbook.target.is_none() {
        return Ok(None);
    }
    advance::render_target(playbook, &values::of_new_alert(alert))
}

fn refused_at_once(draft: &mut Draft<'_>, id: IncidentId, refusal: Refusal) {
    let received = draft
        .decision
        .facts
        .iter()
        .rev()
        .find_map(|fact| if let Fact::AlertReceived(received) = fact { Some(received) } else { None });
    let Some(incident) = received.and_then(|received| Incident::open(id, received, *draft.now)) else { return };
    draft.decision.facts.push(super::judge::decided(&incident, None, Answer::Refused(refusal)));
}

/// Records an alert; the record's number.
fn record(
    draft: &mut Draft<'_>,
    alert: Alert,
    from: &From,
    (sight, taken): (FirstSight, Taken),
) -> crate::model::id::Seq {
    let seq = draft.next_seq();
    let Alert { fingerprint, labels, annotations, starts_at, generator_url, status: _, ends_at: _ } = alert;
    draft.opens(Fact::AlertReceived(Arc::new(AlertReceived {
        fingerprint,
        labels,
        annotations,
        starts_at,
        generator_url,
        sender: from.sender.clone(),
        receiver_name: from.receiver_name.clone(),
        group_key: from.group_key.clone(),
        sight,
        taken,
    })));
    seq
}

fn resolved(draft: &mut Draft<'_>, alert: &Alert) -> AlertReceipt {
    let episode = draft.state.episode(alert.fingerprint);
    let Some(open) = episode.filter(|episode| episode.ended.is_none()) else {
        return receipt(alert.fingerprint, AlertAnswer::Duplicate, episode);
    };
    // Deliveries of two peers may overtake each other: an end before the start we know of ends an earlier stretch.
    if let (Some(end), Some(start)) = (alert.ends_at, open.starts_at)
        && end < start
    {
        return receipt(alert.fingerprint, AlertAnswer::Duplicate, episode);
    }
    let incident = open.incident;
    end_episode(draft, alert.fingerprint, incident, (EpisodeEnd::Resolved, alert.ends_at));
    receipt(alert.fingerprint, AlertAnswer::Resolved, episode)
}

/// Records the end of an episode. What was waiting for the gates will not be done.
pub(super) fn end_episode(
    draft: &mut Draft<'_>,
    fingerprint: Fingerprint,
    incident: Option<IncidentId>,
    (end, ends_at): (EpisodeEnd, Option<chrono::DateTime<chrono::Utc>>),
) {
    // The incident is named even if it is closed by now: its story ends with the end of its alert.
    let ended = Fact::AlertEnded(AlertEnded { fingerprint, incident, end, ends_at });
    let waiting = draft.waiting_for_alert(incident).cloned();
    if let Some(mut waiting) = waiting {
        waiting.apply(&ended, *draft.now);
        draft.decision.facts.push(ended);
        draft.carry_on(waiting, false);
    } else {
        draft.decision.facts.push(ended);
    }
}

fn receipt(fingerprint: Fingerprint, answer: AlertAnswer, episode: Option<&Episode>) -> AlertReceipt {
    AlertReceipt {
        fingerprint,
        answer,
        incident: episode.and_then(|episode| episode.incident),
        playbook: episode.and_then(|episode| episode.playbook.clone()),
        reason: episode.and_then(|episode| episode.nobody),
    }
}
