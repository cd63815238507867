//! All that the daemon knows, rebuilt from facts: episodes, incidents, attempts.
//!
//! [`State::apply`] is the only thing that changes it. One task owns it; readers get a `Snapshot`.

mod budgets;
mod charges;
mod first_host;
mod saved;
mod shown;

use crate::engine::aftermath::Aftermath;
use crate::engine::budget::Ledger;
use crate::engine::history::History;
use crate::engine::incident::Incident;
use crate::engine::own_acts::OwnActs;
use crate::engine::pause::Pauses;
use crate::engine::raised::Raised;
use crate::engine::services::Services;
use crate::engine::storm::StormWatch;
use crate::engine::texts::Texts;
use crate::engine::timeline::Timeline;
use crate::model::approval::ApprovalOutcome;
use crate::model::fact::{AlertEnded, AlertReceived, Cause, Fact, IncidentClosed, IncidentOpened, Record, Taken};
use crate::model::id::{IncidentId, Seq};
use crate::model::incident::FirstSight;
use crate::model::label::Fingerprint;
use crate::model::memory::{Ended, Episode, Help};
use crate::model::moment::Moment;
use crate::model::reason::Reason;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// How long an ended episode is remembered, so that the same start coming back is not a new one.
pub const REOPEN_WINDOW: Duration = Duration::from_secs(3600);

/// The engine's state.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    next_seq: Seq,
    timeline: Timeline,
    episodes: HashMap<Fingerprint, Box<Episode>>,
    incidents: HashMap<IncidentId, Box<Incident>>,
    /// Those whose steps are being done: few, however many alerts are open.
    running: BTreeSet<IncidentId>,
    /// The open incidents of each alert.
    of_alert: HashMap<Fingerprint, BTreeSet<IncidentId>>,
    aftermath: Aftermath,
    /// Those that people are asked about, or have agreed to without anything having come of it yet.
    waiting: BTreeSet<IncidentId>,
    ledger: Ledger,
    pauses: Pauses,
    history: History,
    storm: StormWatch,
    own_acts: OwnActs,
    services: Services,
    raised: Raised,
    texts: Texts,
    open_episodes: usize,
    /// Ended episodes in the order of their end, so that forgetting them costs nothing.
    ended: VecDeque<(Fingerprint, Moment)>,
    /// What the first Docker host was called when the daemon last started.
    first_host: Option<String>,
}

impl State {
    /// The number the next record will have.
    #[must_use]
    pub fn next_seq(&self) -> Seq {
        self.next_seq
    }

    /// The log's own time.
    #[must_use]
    pub fn timeline(&self) -> &Timeline {
        &self.timeline
    }

    /// The episode of an alert.
    #[must_use]
    pub fn episode(&self, fingerprint: Fingerprint) -> Option<&Episode> {
        self.episodes.get(&fingerprint).map(|episode| &**episode)
    }

    /// All remembered episodes.
    pub fn episodes(&self) -> impl Iterator<Item = (Fingerprint, &Episode)> {
        self.episodes.iter().map(|(fingerprint, episode)| (*fingerprint, &**episode))
    }

    /// An open incident.
    #[must_use]
    pub fn incident(&self, id: IncidentId) -> Option<&Incident> {
        self.incidents.get(&id).map(|incident| &**incident)
    }

    /// All open incidents, oldest first. Sorts them, so it is not for the way of an alert.
    pub fn incidents(&self) -> impl Iterator<Item = &Incident> {
        let mut incidents: Vec<&Incident> = self.incidents.values().map(|incident| &**incident).collect();
        incidents.sort_unstable_by_key(|incident| incident.id);
        incidents.into_iter()
    }

    /// How many incidents are open.
    #[must_use]
    pub fn open_incidents(&self) -> usize {
        self.incidents.len()
    }

    /// The incidents whose steps are being done, oldest first.
    pub fn running(&self) -> impl Iterator<Item = &Incident> {
        self.running.iter().filter_map(|id| self.incident(*id))
    }

    /// The incidents with an approval of which something may still come, oldest first.
    pub fn waiting_for_people(&self) -> impl Iterator<Item = &Incident> {
        self.waiting.iter().filter_map(|id| self.incident(*id))
    }

    /// The incidents that go by the playbook they began with, in no order. Looks at all open ones.
    pub fn begun(&self) -> impl Iterator<Item = &Incident> {
        self.incidents.values().map(|incident| &**incident).filter(|incident| incident.has_begun())
    }

    /// The open incidents of an alert, oldest first.
    pub fn of_alert(&self, fingerprint: Fingerprint) -> impl Iterator<Item = &Incident> {
        self.of_alert.get(&fingerprint).into_iter().flatten().filter_map(|id| self.incident(*id))
    }

    /// What is still to come of runs.
    #[must_use]
    pub fn aftermath(&self) -> &Aftermath {
        &self.aftermath
    }

    /// The attempts that count against limits.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The pauses that stand.
    #[must_use]
    pub fn pauses(&self) -> &Pauses {
        &self.pauses
    }

    /// How the runs on each target ended.
    #[must_use]
    pub fn history(&self) -> &History {
        &self.history
    }

    /// Whether there is a storm of alerts.
    #[must_use]
    pub fn storm(&self) -> &StormWatch {
        &self.storm
    }

    /// What is remembered of services.
    #[must_use]
    pub fn services(&self) -> &Services {
        &self.services
    }

    /// Which limits containers had before they were raised.
    #[must_use]
    pub fn raised(&self) -> &Raised {
        &self.raised
    }

    /// Which playbooks' texts the log tells.
    #[must_use]
    pub fn texts(&self) -> &Texts {
        &self.texts
    }

    /// What was done lately, to tell it from what others do.
    #[must_use]
    pub fn own_acts(&self) -> &OwnActs {
        &self.own_acts
    }

    /// Moves on by one record. Live and at replay alike, this is all that ever changes the state.
    pub fn apply(&mut self, record: &Record) {
        self.next_seq = record.seq.next();
        if let Fact::StateSaved(memory) = &record.fact {
            self.recall(memory);
        }
        let at = self.timeline.advance(&record.at);
        self.forget_ended(&at);
        self.aftermath.pass(&record.fact, at);
        match &record.fact {
            Fact::AlertReceived(received) => self.alert_received(record.seq, received, at),
            Fact::AlertEnded(ended) => self.alert_ended(ended, at),
            Fact::IncidentOpened(opened) => self.incident_opened(record.seq, opened, at),
            Fact::Decided(decided) => self.decided(decided, at),
            Fact::ActionIntended(intended) => self.action_intended(intended, at),
            Fact::RequestIntended(intended) => self.request_intended(intended, at),
            Fact::AttemptEnded(ended) => {
                self.ledger.end(ended.incident, at);
                self.run_ended(ended.incident, Help::of(ended.verdict, None), at);
            }
            Fact::ActionFinished(finished) => {
                self.own_acts.finished(finished, at);
                self.raised.finished(finished);
            }
            Fact::ActionReconciled(reconciled) => {
                self.own_acts.reconciled(reconciled, at);
                self.services.reconciled(reconciled);
                self.raised.reconciled(reconciled);
            }
            Fact::IncidentClosed(closed) => self.incident_closed(closed, at),
            Fact::PauseSet(pause) => self.pauses.set(pause, at),
            Fact::PauseCleared(cleared) => self.pauses.clear(&cleared.scope, &cleared.by),
            Fact::IncidentRelapsed(relapsed) => self.history.relapsed(relapsed.incident, at),
            Fact::BreakerReset(reset) => self.breaker_reset(record.seq, &reset.target, at),
            Fact::StormFrozen(frozen) => self.storm.freeze(at, frozen.freeze),
            // A person has decided: the same episode is not brought up again.
            Fact::ApprovalEnded(ended) if ended.outcome == ApprovalOutcome::Denied => {
                self.mark_acted(ended.approval.incident);
            }
            // A log of before does not say, and nothing is known.
            Fact::LogOpened(opened) => self.first_host.clone_from(&opened.first_host),
            Fact::LogClosed
            | Fact::LogRecovered(_)
            | Fact::ConfigLoaded(_)
            | Fact::ConfigRejected(_)
            | Fact::ClockJumped(_)
            | Fact::TargetVerified(_)
            | Fact::BreakerOpened(_)
            | Fact::ApprovalRequested(_)
            | Fact::VoteCast(_)
            | Fact::ApprovalEnded(_)
            | Fact::StateSaved(_)
            | Fact::AlertsRejected(_)
            | Fact::StepFinished(_)
            | Fact::StepMarked(_)
            | Fact::RequestFinished(_)
            | Fact::NoticeIntended(_)
            | Fact::NoticeFinished(_) => {}
        }
        self.tell_others(&record.fact, at);
        self.tell_incident(record, at);
    }

    /// Moves the incident on that a record belongs to.
    fn tell_incident(&mut self, record: &Record, at: Moment) {
        if let Some(incident) = record.fact.incident(record.seq).and_then(|id| self.incidents.get_mut(&id)) {
            incident.apply(&record.fact, at);
            if incident.run().is_some() {
                self.running.insert(incident.id);
            } else {
                self.running.remove(&incident.id);
            }
            if incident.open_approval().is_some() {
                self.waiting.insert(incident.id);
            } else {
                self.waiting.remove(&incident.id);
            }
        }
    }

    fn breaker_reset(&mut self, seq: Seq, target: &Arc<str>, at: Moment) {
        let (incident, playbook) = (IncidentId(seq), "".into());
        self.history.add(Ended { incident, playbook, target: Arc::clone(target), at, help: Help::Reset });
    }

    /// The log goes on at this number: records of kinds that this version does not know were passed over.
    pub fn continue_at(&mut self, next_seq: Seq) {
        self.next_seq = self.next_seq.max(next_seq);
    }

    fn alert_received(&mut self, seq: Seq, received: &Arc<AlertReceived>, at: Moment) {
        self.texts.opened(received);
        let opened = Incident::open(IncidentId(seq), received, at);
        let incident = opened.as_ref().map(|incident| incident.id);
        let playbook = opened.as_ref().map(|incident| Arc::clone(&incident.playbook));
        let nobody = match received.taken {
            Taken::ByNobody(reason) => Some(reason),
            Taken::ByPlaybook { .. } => None,
        };
        let mut episode = Episode {
            starts_at: received.starts_at,
            seen: at,
            ended: None,
            ends_at: None,
            incident,
            playbook,
            nobody,
            acted: false,
        };
        if matches!(received.sight, FirstSight::Reopened | FirstSight::Reconsidered)
            && let Some(before) = self.episodes.get(&received.fingerprint)
        {
            episode.starts_at = episode.starts_at.max(before.starts_at);
            if before.acted {
                // The same episode goes on: what was done for it counts.
                episode.incident = before.incident;
                episode.playbook.clone_from(&before.playbook);
                episode.acted = true;
            }
        }
        self.aftermath.fires(received);
        let before = self.episodes.insert(received.fingerprint, Box::new(episode));
        if before.is_none_or(|before| before.ended.is_some()) {
            self.open_episodes += 1;
        }
        if let Some(incident) = opened {
            self.storm.taken(at);
            self.begin(incident);
        }
    }

    fn incident_opened(&mut self, seq: Seq, opened: &IncidentOpened, at: Moment) {
        self.aftermath.opened(opened);
        self.texts.opened(&opened.alert);
        if let Some(incident) = Incident::open(IncidentId(seq), &opened.alert, at) {
            self.begin(incident);
        }
    }

    fn begin(&mut self, incident: Incident) {
        self.of_alert.entry(incident.alert.fingerprint).or_default().insert(incident.id);
        self.incidents.insert(incident.id, Box::new(incident));
    }

    fn incident_closed(&mut self, closed: &IncidentClosed, at: Moment) {
        let id = closed.incident;
        self.ledger.end(id, at);
        self.run_ended(id, Help::of(closed.verdict, closed.reason), at);
        if closed.reason == Some(Reason::PlaybookChanged) {
            self.set_free(id);
        }
        self.running.remove(&id);
        self.waiting.remove(&id);
        if let Some(incident) = self.incidents.remove(&id) {
            self.aftermath.closed(&incident, closed, at);
            let fingerprint = incident.alert.fingerprint;
            if let Some(others) = self.of_alert.get_mut(&fingerprint) {
                others.remove(&id);
                if others.is_empty() {
                    self.of_alert.remove(&fingerprint);
                }
            }
        }
    }

    /// What a fact means for incidents beside the one it belongs to.
    fn tell_others(&mut self, fact: &Fact, at: Moment) {
        let told: Vec<IncidentId> = if let Fact::AlertEnded(ended) = fact {
            let all = self.of_alert(ended.fingerprint).map(|incident| incident.id);
            all.filter(|id| Some(*id) != ended.incident).collect()
        } else if let Fact::AlertReceived(received) = fact {
            let all = self.of_alert(received.fingerprint).filter(|incident| incident.is_aftercare());
            all.map(|incident| incident.id).collect()
        } else if let Fact::IncidentOpened(opened) = fact
            && opened.origin.cause != Cause::Resolved
        {
            vec![opened.origin.of]
        } else {
            return;
        };
        for id in told {
            if let Some(incident) = self.incidents.get_mut(&id) {
                incident.apply(fact, at);
            }
        }
    }

    fn alert_ended(&mut self, ended: &AlertEnded, at: Moment) {
        if let Some(episode) = self.episodes.get_mut(&ended.fingerprint)
            && episode.ended.is_none()
        {
            self.open_episodes -= 1;
            episode.ended = Some(at);
            episode.ends_at = ended.ends_at;
            self.ended.push_back((ended.fingerprint, at));
        }
        self.aftermath.ended(ended.fingerprint, ended.end, at);
    }

    /// A run, or one try of it, is over: how it ended counts for the next ones if something was done.
    fn run_ended(&mut self, incident: IncidentId, help: Option<Help>, at: Moment) {
        let acted = self.incidents.get(&incident).and_then(|incident| Some((incident, incident.run()?)));
        // A try whose end is recorded counts once, although its `on_failure` came later.
        let acted = acted.filter(|(_, run)| !run.dry_run && run.has_acted() && run.no_further.is_none());
        if let Some((incident, run)) = acted
            && let (Some(target), Some(help)) = (&run.target, help)
        {
            let (playbook, target) = (Arc::clone(&incident.playbook), target.name.as_str().into());
            // That what came afterwards went well says nothing about whether the treatment helps; nor does a recovery before
            // which only another system was called.
            if help == Help::Yes && (incident.is_aftercare() || !run.has_treated()) {
                return;
            }
            let help = if help == Help::No && run.was_the_last_resort() { Help::NoneLeft } else { help };
            self.history.add(Ended { incident: incident.id, playbook, target, at, help });
        }
    }

    fn mark_acted(&mut self, incident: IncidentId) {
        let known = self.incidents.get(&incident).map(|incident| (incident.alert.fingerprint, incident.of_episode()));
        if let Some((fingerprint, of_episode)) = known
            && let Some(episode) = self.episodes.get_mut(&fingerprint)
            && episode.incident == Some(of_episode)
        {
            episode.acted = true;
        }
    }

    /// Its playbook is gone before anything was done: another one may take the alert, if it goes on.
    fn set_free(&mut self, incident: IncidentId) {
        let fingerprint = self.incidents.get(&incident).map(|incident| incident.alert.fingerprint);
        if let Some(episode) = fingerprint.and_then(|fingerprint| self.episodes.get_mut(&fingerprint))
            && episode.incident == Some(incident)
            && !episode.acted
        {
            episode.nobody = Some(Reason::PlaybookChanged);
        }
    }

    fn forget_ended(&mut self, now: &Moment) {
        while let Some((fingerprint, ended)) = self.ended.front()
            && REOPEN_WINDOW <= now.since(ended)
        {
            // It may have been reopened or begun anew since: then another entry, or none, speaks for it.
            if self.episodes.get(fingerprint).is_some_and(|episode| episode.ended == Some(*ended)) {
                self.episodes.remove(fingerprint);
                self.aftermath.forget(*fingerprint);
            }
            self.ended.pop_front();
        }
    }
}
