//! What is still to come of runs: when the alert of one has ended and the run is over, its playbook's `on_resolved` is due.
//!
//! Rebuilt from facts alone, so that a crash neither loses it nor does it twice: an entry stands from the first step of a
//! run until the record of the incident that follows it. Whether anything follows at all, the loaded playbooks say, and
//! this does not know them. Read [`Aftermath`].

use super::incident::Incident;
use crate::model::action::TargetIdent;
use crate::model::fact::{AlertReceived, Cause, Fact, IncidentClosed, IncidentOpened, Left, Stopped, Taken};
use crate::model::id::IncidentId;
use crate::model::incident::{EpisodeEnd, Verdict};
use crate::model::label::Fingerprint;
use crate::model::memory::Owed;
use crate::model::moment::Moment;
use crate::model::reason::Reason;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The runs that something may follow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Aftermath {
    owed: BTreeMap<Fingerprint, BTreeMap<IncidentId, Owed>>,
    /// The alerts of what is due.
    due: BTreeSet<Fingerprint>,
}

impl Aftermath {
    /// As it was saved.
    #[must_use]
    pub fn from_memory(owed: &[Owed]) -> Self {
        let mut aftermath = Self::default();
        owed.iter().cloned().for_each(|owed| aftermath.insert(owed));
        aftermath
    }

    /// All of it.
    pub fn iter(&self) -> impl Iterator<Item = &Owed> {
        self.owed.values().flat_map(BTreeMap::values)
    }

    /// What is due: the run is over, and its alert has ended.
    pub fn due(&self) -> impl Iterator<Item = (&Owed, Moment)> {
        let entries = self.due.iter().filter_map(|fingerprint| self.owed.get(fingerprint));
        entries.flat_map(BTreeMap::values).filter_map(|owed| Some((owed, owed.due?)))
    }

    /// What belongs to these alerts, apart from the rest.
    #[must_use]
    pub(super) fn only(&self, alerts: &BTreeSet<Fingerprint>) -> Self {
        let owed = alerts.iter().filter_map(|alert| Some((*alert, self.owed.get(alert)?.clone())));
        Self { owed: owed.collect(), due: self.due.intersection(alerts).copied().collect() }
    }

    fn insert(&mut self, owed: Owed) {
        let fingerprint = owed.alert.fingerprint;
        if owed.due.is_some() {
            self.due.insert(fingerprint);
        }
        self.owed.entry(fingerprint).or_default().insert(owed.incident, owed);
    }

    /// Keeps of an alert's what `keep` says.
    fn retain(&mut self, fingerprint: Fingerprint, keep: impl Fn(&Owed) -> bool) {
        let Some(entries) = self.owed.get_mut(&fingerprint) else { return };
        entries.retain(|_, owed| keep(owed));
        if entries.values().all(|owed| owed.due.is_none()) {
            self.due.remove(&fingerprint);
        }
        if entries.is_empty() {
            self.owed.remove(&fingerprint);
        }
    }

    /// A run began. What follows the end of an alert is itself followed by nothing.
    pub(super) fn begun(&mut self, incident: &Incident) {
        let known = self.owed.get(&incident.alert.fingerprint).is_some_and(|owed| owed.contains_key(&incident.id));
        if !known && !incident.is_aftercare() {
            let alert = Arc::clone(&incident.alert);
            self.insert(Owed { incident: incident.id, alert, left: None, ended: false, due: None });
        }
    }

    /// An alert fires, or fires again. A new episode takes the place of the old one, and of what was to follow it.
    pub(super) fn fires(&mut self, received: &AlertReceived) {
        let goes_on = goes_on(received);
        for owed in self.owed.get_mut(&received.fingerprint).into_iter().flat_map(BTreeMap::values_mut) {
            (owed.ended, owed.due) = (false, None);
        }
        self.retain(received.fingerprint, |_| goes_on);
    }

    /// An alert ended. Only an end that somebody told of is one: an episode that was replaced or forgotten has none.
    pub(super) fn ended(&mut self, fingerprint: Fingerprint, end: EpisodeEnd, at: Moment) {
        let told = match end {
            EpisodeEnd::Resolved | EpisodeEnd::NotFiring => true,
            EpisodeEnd::Inferred | EpisodeEnd::Expired => false,
        };
        for owed in self.owed.get_mut(&fingerprint).into_iter().flat_map(BTreeMap::values_mut) {
            owed.ended = true;
            owed.due = owed.left.is_some().then_some(at);
            if owed.due.is_some() {
                self.due.insert(fingerprint);
            }
        }
        self.retain(fingerprint, |_| told);
    }

    /// An incident is over. One whose run never began is followed by nothing.
    pub(super) fn closed(&mut self, incident: &Incident, closed: &IncidentClosed, at: Moment) {
        if incident.is_aftercare() {
            return self.owed_again(incident, closed, at);
        }
        let fingerprint = incident.alert.fingerprint;
        // People said no, or nothing, and nothing had been done: there is nothing to follow.
        let not_agreed = matches!(closed.verdict, Verdict::Denied | Verdict::Expired)
            && !incident.has_acted()
            && incident.tried.is_none();
        if !incident.has_begun() || not_agreed {
            return self.retain(fingerprint, |owed| owed.incident != incident.id);
        }
        if let Some(owed) = self.owed.get_mut(&fingerprint).and_then(|entries| entries.get_mut(&incident.id)) {
            owed.left = Some(left_by(incident));
            owed.due = owed.ended.then_some(at);
            if owed.ended {
                self.due.insert(fingerprint);
            }
        }
    }

    /// What was called off before it did anything is still owed: to the next end of the same episode, or, if only its
    /// playbook changed, at once.
    fn owed_again(&mut self, incident: &Incident, closed: &IncidentClosed, at: Moment) {
        let Some(origin) = incident.origin.as_deref().filter(|_| !incident.has_acted() && !incident.superseded) else {
            return;
        };
        let ended = match closed.reason {
            Some(Reason::AlertFiresAgain) => false,
            Some(Reason::PlaybookChanged) => true,
            Some(_) | None => return,
        };
        let (alert, left) = (Arc::clone(&incident.alert), Some(origin.left.clone()));
        self.insert(Owed { incident: origin.of, alert, left, ended, due: ended.then_some(at) });
    }

    /// An incident was opened by another one.
    pub(super) fn opened(&mut self, opened: &IncidentOpened) {
        if opened.origin.cause == Cause::Resolved {
            self.retain(opened.alert.fingerprint, |owed| owed.incident != opened.origin.of);
        }
    }

    /// What was due and did not follow, because no playbook says what, is owed no more once anything else is recorded. A
    /// crash may have cut off what followed: so the records of a start do not count.
    pub(super) fn pass(&mut self, fact: &Fact, at: Moment) {
        if self.due.is_empty() || is_of_a_start(fact) {
            return;
        }
        for fingerprint in self.due.clone() {
            self.retain(fingerprint, |owed| owed.due.is_none_or(|due| due.passed_ms == at.passed_ms));
        }
    }

    /// An episode is remembered no more.
    pub(super) fn forget(&mut self, fingerprint: Fingerprint) {
        self.retain(fingerprint, |owed| owed.left.is_none());
    }
}

/// Whether an alert that fires again is the same episode, in which something was done already.
pub(super) fn goes_on(received: &AlertReceived) -> bool {
    received.taken == Taken::ByNobody(Reason::Duplicate)
}

/// What the run of an incident leaves, now that it is over.
fn left_by(incident: &Incident) -> Left {
    let Some(run) = incident.run().or(incident.tried.as_deref().map(|tried| &tried.run)) else {
        return Left::default();
    };
    let target = run.target.as_ref();
    // What is stopped keeps the time of its last start.
    let stopped = run.touched.iter().find(|touched| target.is_some_and(|target| touched.target.id == target.id));
    let stopped = stopped.filter(|_| run.stopped && !run.dry_run).and_then(|touched| {
        let started_at = touched.before.as_ref()?.started_at.clone();
        Some(Stopped { container: touched.target.id.container()?.clone(), started_at })
    });
    Left { container: target.and_then(TargetIdent::container_name), stopped, dry_run: run.dry_run }
}

/// Whether a record stands between the log of before and what a start goes on with.
fn is_of_a_start(fact: &Fact) -> bool {
    match fact {
        Fact::LogOpened(_)
        | Fact::LogRecovered(_)
        | Fact::ConfigLoaded(_)
        | Fact::ClockJumped(_)
        | Fact::PauseCleared(_)
        | Fact::StormFrozen(_)
        | Fact::StateSaved(_) => true,
        Fact::LogClosed
        | Fact::ApprovalRequested(_)
        | Fact::VoteCast(_)
        | Fact::ApprovalEnded(_)
        | Fact::ConfigRejected(_)
        | Fact::AlertReceived(_)
        | Fact::AlertEnded(_)
        | Fact::IncidentOpened(_)
        | Fact::AlertsRejected(_)
        | Fact::Decided(_)
        | Fact::StepFinished(_)
        | Fact::StepMarked(_)
        | Fact::RequestIntended(_)
        | Fact::RequestFinished(_)
        | Fact::ActionIntended(_)
        | Fact::ActionFinished(_)
        | Fact::ActionReconciled(_)
        | Fact::NoticeIntended(_)
        | Fact::NoticeFinished(_)
        | Fact::TargetVerified(_)
        | Fact::AttemptEnded(_)
        | Fact::IncidentClosed(_)
        | Fact::IncidentRelapsed(_)
        | Fact::PauseSet(_)
        | Fact::BreakerOpened(_)
        | Fact::BreakerReset(_) => false,
    }
}
