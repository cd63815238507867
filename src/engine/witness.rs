//! What Alertmanager's own word changes: an alert that it no longer lists has ended, as if a notification had said so.
//!
//! The end is recorded, so that a replay needs no API. A witness that cannot tell changes nothing: the alert counts as
//! firing for whoever waits for its end.

use super::decide::Draft;
use super::gate::Question;
use super::incident::{Incident, Run, Stage};
use super::judge::Judgment;
use super::{advance, intake};
use crate::model::fact::{AlertEnded, Answer, Decided, Fact, StepResult};
use crate::model::id::IncidentId;
use crate::model::incident::EpisodeEnd;
use crate::model::reason::{Gate, Reason};
use crate::model::testimony::{Says, Testimony};

/// Alertmanager was asked while a verify step waits for the alert to end.
pub(super) fn heard(draft: &mut Draft<'_>, (incident, index): (IncidentId, usize), testimony: &Testimony) {
    let Some(incident) = draft.state.incident(incident) else { return };
    let Some(run) = incident.run().filter(|run| run.index == index) else { return };
    let Stage::AwaitingAlert(seen) = &run.stage else { return };
    if testimony.says == Says::NotFiring {
        let fingerprint = incident.alert.fingerprint;
        return intake::end_episode(draft, fingerprint, Some(incident.id), (EpisodeEnd::NotFiring, None));
    }
    match given_up(draft, incident, (run, seen), testimony) {
        Some(fact) => draft.came_back(incident.id, fact),
        // There is time left: it is asked again.
        None => draft.carry_on(incident.clone(), false),
    }
}

/// The end of a step whose time is over without the alert having ended.
fn given_up(draft: &Draft<'_>, incident: &Incident, (run, seen): (&Run, &str), testimony: &Testimony) -> Option<Fact> {
    let playbook = advance::playbook_of(incident, draft.ruleset)?;
    if !advance::alert_remaining(Some(playbook), run, draft.now).is_zero() {
        return None;
    }
    let step = advance::steps_of(playbook, run).get(run.index)?;
    let detail = &testimony.detail;
    let words = match testimony.says {
        Says::Firing => format!("{seen}, but its alert still fires: {detail}"),
        Says::NotFiring | Says::CannotTell => {
            format!("{seen}, but nobody says that its alert ended: {detail}")
        }
    };
    let elapsed = draft.now.since(&run.since);
    Some(advance::finished(incident, run, step, (elapsed, StepResult::NotVerified(words))))
}

/// An alert that ended, says Alertmanager, and whose run is refused for it: its incident ends with it.
pub(super) fn ends_alert(question: &Question<'_>, mut judgment: Judgment) -> Judgment {
    let incident = question.incident;
    let refused = |fact: &Fact| {
        let Fact::Decided(Decided { answer: Answer::Refused(refusal), .. }) = fact else { return false };
        refusal.gate == Gate::Fresh && refusal.reason == Reason::ResolvedFirst
    };
    let says_so = question.testimony.is_some_and(|testimony| testimony.says == Says::NotFiring);
    if says_so && !incident.alert_ended && !incident.is_aftercare() && judgment.facts.iter().any(refused) {
        let (fingerprint, incident) = (incident.alert.fingerprint, Some(incident.id));
        let ended = AlertEnded { fingerprint, incident, end: EpisodeEnd::NotFiring, ends_at: None };
        judgment.facts.push(Fact::AlertEnded(ended));
    }
    judgment
}
