//! All that the daemon knows, rebuilt from facts: episodes, incidents, attempts.
//!
//! [`State::apply`] is the only thing that changes it. One task owns it; readers get a [`Snapshot`].

mod saved;

use crate::engine::budget::Ledger;
use crate::engine::history::{History, Standing};
use crate::engine::incident::{Incident, Phase};
use crate::engine::own_acts::OwnActs;
use crate::engine::pause::Pauses;
use crate::engine::snapshot::{BreakerSummary, IncidentSummary, PauseSummary, Snapshot, StormSummary};
use crate::engine::storm::StormWatch;
use crate::engine::timeline::Timeline;
use crate::model::fact::{ActionIntended, AlertEnded, AlertReceived, Answer, Decided, Fact, Record, Taken};
use crate::model::id::{IncidentId, Seq};
use crate::model::incident::FirstSight;
use crate::model::label::Fingerprint;
use crate::model::memory::{Attempt, Ended, Episode, Help};
use crate::model::moment::Moment;
use crate::model::policy::Policy;
use crate::model::reason::Reason;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// How long an ended episode is remembered, so that the same start coming back is not a new one.
pub const REOPEN_WINDOW: Duration = Duration::from_secs(3600);

/// How many incidents a snapshot lists, and how many breakers.
const SNAPSHOT_LISTED_MAX: usize = 1000;

/// The engine's state.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    next_seq: Seq,
    timeline: Timeline,
    episodes: HashMap<Fingerprint, Box<Episode>>,
    incidents: HashMap<IncidentId, Box<Incident>>,
    /// Those whose steps are being done: few, however many alerts are open.
    running: BTreeSet<IncidentId>,
    ledger: Ledger,
    pauses: Pauses,
    history: History,
    storm: StormWatch,
    own_acts: OwnActs,
    open_episodes: usize,
    /// Ended episodes in the order of their end, so that forgetting them costs nothing.
    ended: VecDeque<(Fingerprint, Moment)>,
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

    /// The incidents that go by the playbook they began with, in no order. Looks at all open ones.
    pub fn begun(&self) -> impl Iterator<Item = &Incident> {
        self.incidents.values().map(|incident| &**incident).filter(|incident| incident.has_begun())
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
        match &record.fact {
            Fact::AlertReceived(received) => self.alert_received(record.seq, received, at),
            Fact::AlertEnded(ended) => self.alert_ended(ended, at),
            Fact::Decided(decided) => self.decided(decided, at),
            Fact::ActionIntended(intended) => self.action_intended(intended, at),
            Fact::AttemptEnded(ended) => {
                self.ledger.end(ended.incident, at);
                self.run_ended(ended.incident, Help::of(ended.verdict, None), at);
            }
            Fact::ActionFinished(finished) => self.own_acts.finished(finished, at),
            Fact::ActionReconciled(reconciled) => self.own_acts.reconciled(reconciled, at),
            Fact::IncidentClosed(closed) => {
                self.ledger.end(closed.incident, at);
                self.run_ended(closed.incident, Help::of(closed.verdict, closed.reason), at);
                if closed.reason == Some(Reason::PlaybookChanged) {
                    self.set_free(closed.incident);
                }
                self.incidents.remove(&closed.incident);
                self.running.remove(&closed.incident);
            }
            Fact::PauseSet(pause) => self.pauses.set(pause, at),
            Fact::PauseCleared(cleared) => self.pauses.clear(&cleared.scope, &cleared.by),
            Fact::IncidentRelapsed(relapsed) => self.history.relapsed(relapsed.incident, at),
            Fact::BreakerReset(reset) => self.history.add(Ended {
                incident: IncidentId(record.seq),
                playbook: "".into(),
                target: Arc::clone(&reset.target),
                at,
                help: Help::Reset,
            }),
            Fact::StormFrozen(frozen) => self.storm.freeze(at, frozen.freeze),
            Fact::LogOpened(_)
            | Fact::LogClosed
            | Fact::LogRecovered(_)
            | Fact::ConfigLoaded(_)
            | Fact::ConfigRejected(_)
            | Fact::ClockJumped(_)
            | Fact::TargetVerified(_)
            | Fact::BreakerOpened(_)
            | Fact::StateSaved(_)
            | Fact::AlertsRejected(_)
            | Fact::StepFinished(_)
            | Fact::NoticeIntended(_)
            | Fact::NoticeFinished(_) => {}
        }
        if let Some(incident) = record.fact.incident(record.seq).and_then(|id| self.incidents.get_mut(&id)) {
            incident.apply(&record.fact, at);
            if incident.run().is_some() {
                self.running.insert(incident.id);
            } else {
                self.running.remove(&incident.id);
            }
        }
    }

    /// The log goes on at this number: records of kinds that this version does not know were passed over.
    pub fn continue_at(&mut self, next_seq: Seq) {
        self.next_seq = self.next_seq.max(next_seq);
    }

    fn alert_received(&mut self, seq: Seq, received: &Arc<AlertReceived>, at: Moment) {
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
        let before = self.episodes.insert(received.fingerprint, Box::new(episode));
        if before.is_none_or(|before| before.ended.is_some()) {
            self.open_episodes += 1;
        }
        if let Some(incident) = opened {
            self.storm.taken(at);
            self.incidents.insert(incident.id, Box::new(incident));
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
    }

    fn action_intended(&mut self, intended: &ActionIntended, at: Moment) {
        self.own_acts.intended(intended, at);
        let incident = intended.act.incident;
        if !intended.dependent && !self.ledger.has_charged(incident) {
            let target = Some(Arc::from(intended.target.name.as_str()));
            let playbook = Arc::clone(&intended.playbook);
            let dry_run = intended.dry_run;
            self.ledger.charge(Attempt { incident, playbook, target, at, ended: None, dry_run });
        }
        self.mark_acted(incident);
    }

    fn decided(&mut self, decided: &Decided, at: Moment) {
        match &decided.answer {
            Answer::Run { plan: None, dry_run, attempt: _ } => {
                // A run that changes nothing is charged here; the others when they first intend to.
                let target = decided.target.as_ref().map(|target| Arc::from(target.name.as_str()));
                let playbook = Arc::clone(&decided.playbook);
                let incident = decided.incident;
                self.ledger.charge(Attempt { incident, playbook, target, at, ended: None, dry_run: *dry_run });
                self.mark_acted(incident);
            }
            Answer::Run { plan: Some(_), .. } | Answer::Refused(_) => {}
        }
    }

    /// A run, or one try of it, is over: how it ended counts for the next ones if something was done.
    fn run_ended(&mut self, incident: IncidentId, help: Option<Help>, at: Moment) {
        let acted = self.incidents.get(&incident).and_then(|incident| Some((incident, incident.run()?)));
        // A try whose end is recorded counts once, although its `on_failure` came later.
        let acted = acted.filter(|(_, run)| !run.dry_run && !run.touched.is_empty() && run.no_further.is_none());
        if let Some((incident, run)) = acted
            && let (Some(target), Some(help)) = (&run.target, help)
        {
            let (playbook, target) = (Arc::clone(&incident.playbook), target.name.as_str().into());
            let help = if help == Help::No && run.was_the_last_resort() { Help::NoneLeft } else { help };
            self.history.add(Ended { incident: incident.id, playbook, target, at, help });
        }
    }

    fn mark_acted(&mut self, incident: IncidentId) {
        let fingerprint = self.incidents.get(&incident).map(|incident| incident.alert.fingerprint);
        if let Some(episode) = fingerprint.and_then(|fingerprint| self.episodes.get_mut(&fingerprint))
            && episode.incident == Some(incident)
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
            }
            self.ended.pop_front();
        }
    }

    /// The oldest open incidents, oldest first.
    fn oldest(&self, count: usize) -> Vec<&Incident> {
        let mut ids: Vec<IncidentId> = self.incidents.keys().copied().collect();
        if count < ids.len() {
            ids.select_nth_unstable(count);
            ids.truncate(count);
        }
        ids.sort_unstable();
        ids.into_iter().filter_map(|id| self.incident(id)).collect()
    }

    /// The targets whose breaker is open.
    fn open_breakers(&self, policy: &Policy, now: &Moment) -> Vec<BreakerSummary> {
        let open = self.history.open(&policy.breaker, policy.relapse_within, now).into_iter();
        let summary = |(target, standing): (&Arc<str>, Standing)| BreakerSummary {
            target: Arc::clone(target),
            failures: standing.failures,
            since: standing.last.map_or(now.wall, |last| last.wall),
            open_for: policy.breaker.open_for,
        };
        open.map(summary).take(SNAPSHOT_LISTED_MAX).collect()
    }

    /// A copy for readers, as the policy lets things stand now.
    #[must_use]
    pub fn snapshot(&self, last_durable: Option<Seq>, policy: &Policy, now: &Moment) -> Snapshot {
        let summary = |incident: &Incident| {
            let (doing, reason, target) = match &incident.phase {
                Phase::AwaitingTarget => ("awaiting_target", None, None),
                Phase::Refused { refusal, .. } => ("refused", Some(refusal.reason), None),
                Phase::BetweenTries => {
                    let target = incident.tried.as_ref().and_then(|tried| tried.run.target.as_ref());
                    ("between_tries", None, target.map(|target| target.name.to_string()))
                }
                Phase::Running(run) => {
                    let (doing, reason) =
                        run.held.as_ref().map_or(("running", None), |held| ("held", Some(held.reason)));
                    (doing, reason, run.target.as_ref().map(|target| target.name.to_string()))
                }
            };
            IncidentSummary {
                id: incident.id,
                playbook: Arc::clone(&incident.playbook),
                alertname: incident.alert.labels.value("alertname").to_owned(),
                target,
                doing,
                reason,
            }
        };
        Snapshot {
            last_seq: last_durable,
            open_episodes: self.open_episodes,
            pauses: self.pauses.iter().map(PauseSummary::from).collect(),
            breakers: self.open_breakers(policy, now),
            storm: self.storm.freeze_since(now).map(|(at, freeze)| StormSummary { since: at.wall, freeze }),
            incidents: self.oldest(SNAPSHOT_LISTED_MAX).into_iter().map(summary).collect(),
        }
    }
}
