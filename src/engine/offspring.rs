//! Incidents that an incident opens: `on_resolved` once its alert has ended, and one more for each further container of
//! its selector.
//!
//! Each is an incident like any other, with gates, limits and a verdict of its own, named by the record that opens it.
//! Read [`settle`] for what follows an alert's end, [`further_targets`] for selectors.

use super::advance;
use super::aftermath::Aftermath;
use super::decide::Draft;
use super::effect::Effect;
use super::incident::{Incident, Phase};
use crate::model::container::TargetReport;
use crate::model::fact::{
    AlertEnded, AlertReceived, Answer, Cause, Decided, Fact, IncidentOpened, Left, Origin, Taken,
};
use crate::model::host::Host;
use crate::model::id::IncidentId;
use crate::model::incident::FirstSight;
use crate::model::label::Fingerprint;
use crate::model::memory::Owed;
use crate::model::moment::Moment;
use crate::model::policy::Policy;
use crate::model::reason::Reason;
use crate::playbook::definition::{Playbook, Verb};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// What the ends and the beginnings of alerts that were just decided on mean for the incidents beside the one they are about,
/// and what is due now that a run is over or an alert has ended. Asked after each alert of a notification, so that it does
/// not matter which alerts came together, and after everything else.
pub(super) fn settle(draft: &mut Draft<'_>) {
    let (mut ends, mut fires) = (Vec::new(), Vec::new());
    for fact in draft.unsettled() {
        if let Fact::AlertEnded(ended) = fact {
            ends.push(ended.clone());
        } else if let Fact::AlertReceived(received) = fact {
            fires.push(Arc::clone(received));
        }
    }
    ends.iter().for_each(|ended| end_siblings(draft, ended));
    fires.iter().for_each(|received| call_off(draft, received));
    follow_up(draft);
    draft.settled = draft.decision.facts.len();
}

/// An alert ended: the other incidents of its episode learn it as well.
fn end_siblings(draft: &mut Draft<'_>, ended: &AlertEnded) {
    let others = draft.state.of_alert(ended.fingerprint).filter(|incident| {
        let handled = Some(incident.id) == ended.incident || draft.has_closed(incident.id);
        !handled && draft.waiting_for_alert(Some(incident.id)).is_some()
    });
    for mut other in others.cloned().collect::<Vec<_>>() {
        other.apply(&Fact::AlertEnded(ended.clone()), *draft.now);
        draft.carry_on(other, false);
    }
}

/// An alert fires again: what was to follow its end is not done, unless it was begun.
fn call_off(draft: &mut Draft<'_>, received: &Arc<AlertReceived>) {
    let pending = |incident: &&Incident| incident.is_aftercare() && !incident.has_acted();
    let pending = draft.state.of_alert(received.fingerprint).filter(pending);
    for mut incident in pending.cloned().collect::<Vec<_>>() {
        incident.apply(&Fact::AlertReceived(Arc::clone(received)), *draft.now);
        draft.carry_on(incident, false);
    }
}

/// At a start, before anything else goes on: what was due when the log ended, and was cut off by a crash.
pub(super) fn cut_off(draft: &mut Draft<'_>) {
    let due: Vec<Owed> = draft.state.aftermath().due().map(|(owed, _)| owed.clone()).collect();
    due.iter().for_each(|owed| follow(draft, owed));
}

/// Opens what became due in this decision.
fn follow_up(draft: &mut Draft<'_>) {
    let brings_about = |fact: &Fact| matches!(fact, Fact::AlertEnded(_) | Fact::IncidentClosed(_));
    if !draft.unsettled().iter().any(brings_about) {
        return;
    }
    let aftermath = after_this_decision(draft);
    let now = *draft.now;
    let due = aftermath.due().filter(|(_, due)| due.passed_ms == now.passed_ms).map(|(owed, _)| owed);
    due.for_each(|owed| follow(draft, owed));
}

/// Opens what follows a run, by the playbook that is loaded now under the name of the one that ran.
fn follow(draft: &mut Draft<'_>, owed: &Owed) {
    let playbook = taker_of(&owed.alert).and_then(|name| draft.ruleset.playbooks.get(name));
    let Some(playbook) = playbook.filter(|playbook| playbook.enabled && !playbook.on_resolved.is_empty()) else {
        return;
    };
    let left = owed.left.clone().unwrap_or_default();
    let origin = Origin { of: owed.incident, cause: Cause::Resolved, left };
    let alert = taken_by(draft, &owed.alert, playbook);
    open(draft, IncidentOpened { alert, origin });
}

/// What will be owed once the facts of this decision are applied, as far as they say anything about it.
fn after_this_decision(draft: &Draft<'_>) -> Aftermath {
    let mut aftermath = draft.state.aftermath().only(&alerts_of(draft));
    for fact in &draft.decision.facts {
        if let Fact::Decided(Decided { incident, answer: Answer::Run { .. }, .. }) = fact {
            draft.state.incident(*incident).into_iter().for_each(|incident| aftermath.begun(incident));
        } else if let Fact::AlertReceived(received) = fact {
            aftermath.fires(received);
        } else if let Fact::AlertEnded(ended) = fact {
            aftermath.ended(ended.fingerprint, ended.end, *draft.now);
        } else if let Fact::IncidentOpened(opened) = fact {
            aftermath.opened(opened);
        } else if let Fact::IncidentClosed(closed) = fact
            && let Some(incident) = draft.closed_as(closed.incident)
        {
            aftermath.closed(incident, closed, *draft.now);
        }
    }
    aftermath
}

/// The alerts that ended in this decision, and those of the incidents that did.
fn alerts_of(draft: &Draft<'_>) -> BTreeSet<Fingerprint> {
    let alert = |fact: &Fact| {
        if let Fact::AlertEnded(ended) = fact {
            Some(ended.fingerprint)
        } else if let Fact::IncidentClosed(closed) = fact {
            draft.closed_as(closed.incident).map(|incident| incident.alert.fingerprint)
        } else {
            None
        }
    };
    draft.unsettled().iter().filter_map(alert).collect()
}

/// The playbook that took an alert.
fn taker_of(alert: &AlertReceived) -> Option<&str> {
    match &alert.taken {
        Taken::ByPlaybook { playbook, .. } => Some(playbook),
        Taken::ByNobody(_) => None,
    }
}

/// An alert as it is taken by a playbook now.
fn taken_by(draft: &Draft<'_>, alert: &AlertReceived, playbook: &Playbook) -> Arc<AlertReceived> {
    // Whatever the playbook says by now: what follows a run is done where the run was.
    let host = match &alert.taken {
        Taken::ByPlaybook { host, .. } => host.clone(),
        Taken::ByNobody(_) => Host::First,
    };
    let taken = draft.taken(playbook, host);
    Arc::new(AlertReceived { taken, sight: FirstSight::New, ..alert.clone() })
}

/// Records a new incident and asks what it asks first.
fn open(draft: &mut Draft<'_>, opened: IncidentOpened) {
    let id = IncidentId(draft.next_seq());
    let Some(mut incident) = Incident::open(id, &opened.alert, *draft.now) else { return };
    let fact = Fact::IncidentOpened(opened);
    incident.apply(&fact, *draft.now);
    draft.opens(fact);
    draft.carry_on(incident, false);
}

/// Docker found several containers for an incident, as many as its playbook allows: it takes the first, and every other
/// one gets an incident of its own, recorded before anything is decided about this one.
pub(super) fn further_targets(draft: &mut Draft<'_>, incident: &Incident, report: TargetReport) -> TargetReport {
    let TargetReport::Several { first, others } = report else { return report };
    let may = incident.may_have_further_targets() && !incident.alert_ended;
    let Some(playbook) = advance::playbook_of(incident, draft.ruleset).filter(|_| may).cloned() else {
        let names = std::iter::once(&first.container.name).chain(others.iter().map(|(_, name)| name));
        return TargetReport::Ambiguous(names.map(ToString::to_string).collect());
    };
    for (id, name) in others.iter().filter(|(id, _)| !incident.further.contains(id)).cloned() {
        let left = Left { container: Some(name), ..Left::default() };
        let origin = Origin { of: incident.id, cause: Cause::FurtherTarget(id), left };
        let alert = taken_by(draft, &incident.alert, &playbook);
        open(draft, IncidentOpened { alert, origin });
    }
    TargetReport::Several { first, others }
}

/// The questions for further targets that were refused, when their alert is delivered again.
pub(super) fn repeated(draft: &Draft<'_>, fingerprint: Fingerprint) -> Vec<Effect> {
    let siblings = draft.state.of_alert(fingerprint).filter(|incident| incident.is_further_target());
    let question = |incident: &Incident| {
        let Phase::Refused { refusal, at } = &incident.phase else { return None };
        let due = refusal.retry_after <= draft.now.since(at);
        let playbook = advance::playbook_of(incident, draft.ruleset).filter(|_| due)?;
        advance::ask_target(incident, playbook).ok()
    };
    siblings.filter_map(question).collect()
}

/// The question for what follows the end of an alert and was refused, once its time has come: nobody delivers an alert
/// that has ended. What a pause holds back is asked about when the pause ends.
pub(super) fn question(draft: &Draft<'_>, incident: &Incident) -> Option<Effect> {
    let playbook = advance::playbook_of(incident, draft.ruleset).filter(|_| incident.is_aftercare())?;
    let (now, policy) = (draft.now, &draft.ruleset.policy);
    let due = match &incident.phase {
        Phase::Refused { refusal, .. } if refusal.reason == Reason::Paused => false,
        Phase::Refused { refusal, at } => {
            refusal.retry_after <= now.since(at) || held_back_too_long(incident, playbook, (policy, now))
        }
        Phase::AwaitingTarget | Phase::AwaitingApproval | Phase::BetweenTries | Phase::Running(_) => false,
    };
    due.then(|| advance::ask_target(incident, playbook).ok()).flatten()
}

/// Whether what follows the end of an alert was held back for longer than an alert may be old, its own waiting aside.
pub(super) fn held_back_too_long(incident: &Incident, playbook: &Playbook, (policy, now): (&Policy, &Moment)) -> bool {
    policy.max_alert_age + waits(playbook) < now.perhaps_since(&incident.opened)
}

/// How long `on_resolved` itself waits.
fn waits(playbook: &Playbook) -> Duration {
    let wait = |verb: &Verb| if let Verb::Wait(span) = verb { *span } else { Duration::ZERO };
    playbook.on_resolved.iter().map(|step| wait(&step.verb)).sum()
}
