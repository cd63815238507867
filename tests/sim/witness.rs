//! What has been seen so far, in true time: everything the invariants need to remember.

use crate::invariants::{self, OF_RECORDS, OF_STEPS, OF_THE_END, OF_WRITES};
use sickbay::engine::state::State;
use sickbay::model::container::COMPOSE_SERVICE;
use sickbay::model::fact::{Answer, Branch, Fact, Record, StepResult, Taken};
use sickbay::model::id::IncidentId;
use sickbay::model::incident::{AttemptNumber, Verdict};
use sickbay::model::pause::PauseScope;
use sickbay::model::reason::Reason;
use sickbay::model::target::ContainerId;
use sickbay::playbook::definition::Playbook;
use sickbay::sim::clock::SimTime;
use sickbay::sim::container::ContainerSpec;
use sickbay::sim::world::{World, Write};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// How many states are kept to be compared with a replay.
const CHECKPOINTS_MAX: usize = 8;

/// After how many records another state is kept.
const CHECKPOINT_EVERY: usize = 13;

/// After so many steps without a record, things are looked at all the same.
const LOOKS_WITHOUT_NEWS: usize = 16;

/// An invariant that did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    pub(crate) invariant: &'static str,
    pub(crate) words: String,
}

/// One run that counts against limits.
#[derive(Clone, Debug)]
pub(crate) struct Charge {
    pub(crate) incident: IncidentId,
    pub(crate) playbook: Arc<str>,
    pub(crate) target: Option<String>,
    pub(crate) at: SimTime,
    pub(crate) ended: Option<SimTime>,
    pub(crate) dry_run: bool,
}

/// How a run, or one try of it, ended that had acted on a target.
#[derive(Clone, Debug)]
pub(crate) struct EndSeen {
    incident: IncidentId,
    pub(crate) target: String,
    pub(crate) at: SimTime,
    /// It recovered, and nothing has shown since that this did not last.
    pub(crate) helped: bool,
}

/// A run that is under way.
#[derive(Clone, Debug)]
pub(crate) struct RunSeen {
    pub(crate) acts: bool,
    pub(crate) dry_run: bool,
    acted: bool,
    attempt: AttemptNumber,
    names: Vec<String>,
}

impl RunSeen {
    /// Whether the container of this name is the one it was decided about.
    pub(crate) fn is_about(&self, name: &str) -> bool {
        self.names.first().is_some_and(|own| own == name)
    }

    /// Whether it was about to do something already.
    pub(crate) fn has_acted(&self) -> bool {
        self.acted
    }

    fn is_the_last_of_several(&self) -> bool {
        self.attempt.is_one_of_several() && self.attempt.is_last()
    }

    /// Whether it holds the container of this name.
    pub(crate) fn holds(&self, name: &str) -> bool {
        self.names.iter().any(|held| held == name)
    }
}

/// What has been seen.
#[derive(Debug, Default)]
pub(crate) struct Witness {
    /// Every playbook that is ever loaded, by name and revision.
    playbooks: BTreeMap<(Arc<str>, Arc<str>), Arc<Playbook>>,
    /// Which of them took the alert of an incident.
    takers: BTreeMap<IncidentId, Arc<Playbook>>,
    pub(crate) runs: BTreeMap<IncidentId, RunSeen>,
    pub(crate) charges: Vec<Charge>,
    pub(crate) ended_alerts: BTreeSet<IncidentId>,
    /// Which try of an incident did not help last, and when it ended.
    pub(crate) tries: BTreeMap<IncidentId, (u32, SimTime)>,
    /// How many acts were intended for the target itself.
    pub(crate) acts: BTreeMap<IncidentId, usize>,
    /// When the last of several tries on a target was in vain.
    pub(crate) last_resorts: BTreeMap<String, SimTime>,
    /// How the runs ended that had acted, oldest first.
    pub(crate) ends: Vec<EndSeen>,
    /// The runs under way whose evidence is kept.
    pub(crate) captured: BTreeSet<IncidentId>,
    /// Since when everything is frozen, and for how long.
    pub(crate) frozen: Option<(SimTime, Duration)>,
    /// The Compose service of each container's name.
    pub(crate) services: BTreeMap<String, String>,
    /// When a person began to restart a container.
    pub(crate) restarted_by_hand: BTreeMap<ContainerId, SimTime>,
    /// For which try each write was sent.
    pub(crate) attempts_of_writes: Vec<u32>,
    /// Since when a person's stop holds.
    pub(crate) stopped_by_hand: BTreeMap<ContainerId, SimTime>,
    /// What is paused, since when in true time, and for how long.
    pub(crate) pauses: BTreeMap<PauseScope, (SimTime, Option<Duration>)>,
    pub(crate) checkpoints: Vec<(usize, State)>,
    /// All records before this place were acknowledged to somebody.
    pub(crate) acknowledged: usize,
    pub(crate) notices_seen: usize,
    /// The machine slept at some time.
    pub(crate) slept: bool,
    /// Its wall clock was set at some time.
    pub(crate) wall_was_set: bool,
    looks: usize,
    /// Records, messages and starts of the daemon so far.
    news: (usize, usize, usize),
    records_seen: usize,
    starts_seen: usize,
}

impl Witness {
    pub(crate) fn who_knows<'a>(
        playbooks: impl Iterator<Item = &'a Arc<Playbook>>,
        containers: &[ContainerSpec],
    ) -> Self {
        let key = |playbook: &Playbook| (Arc::clone(&playbook.name), Arc::clone(&playbook.revision));
        let service = |spec: &ContainerSpec| Some((spec.name.to_string(), spec.labels.get(COMPOSE_SERVICE)?.clone()));
        Self {
            playbooks: playbooks.map(|known| (key(known), Arc::clone(known))).collect(),
            services: containers.iter().filter_map(service).collect(),
            ..Self::default()
        }
    }

    /// The playbook that took the alert of an incident, in the revision that took it.
    pub(crate) fn playbook(&self, incident: IncidentId) -> Option<&Arc<Playbook>> {
        self.takers.get(&incident)
    }

    /// Looks at what the last step did.
    pub(crate) fn look(&mut self, world: &World) -> Result<(), Violation> {
        let records = world.disk().records();
        if records.len() < self.records_seen {
            self.learn_anew(world);
        }
        for (place, record) in records.iter().enumerate().skip(self.records_seen) {
            let at = world.disk().made(place);
            for (invariant, holds) in OF_RECORDS {
                holds(self, world, record, at).map_err(|words| Violation { invariant, words })?;
            }
            self.learn(record, at);
        }
        self.records_seen = records.len();
        self.keep_checkpoint(world);
        self.see_containers(world);
        for place in self.attempts_of_writes.len()..world.seen.writes.len() {
            let write = &world.seen.writes[place];
            for (invariant, holds) in OF_WRITES {
                holds(self, world, write, place).map_err(|words| Violation { invariant, words })?;
            }
            self.attempts_of_writes.push(self.attempt_of(write));
        }
        // A step that recorded nothing rarely matters; what stays wrong is found a little later.
        self.looks += 1;
        let news = (records.len(), world.seen.notices.len(), world.seen.starts);
        if self.news != news || self.looks.is_multiple_of(LOOKS_WITHOUT_NEWS) {
            for (invariant, holds) in OF_STEPS {
                holds(self, world).map_err(|words| Violation { invariant, words })?;
            }
        }
        self.news = news;
        self.notices_seen = world.seen.notices.len();
        Ok(())
    }

    /// Looks at how it ended.
    pub(crate) fn look_at_the_end(&self, world: &World) -> Result<(), Violation> {
        for (invariant, holds) in OF_THE_END {
            holds(self, world).map_err(|words| Violation { invariant, words })?;
        }
        Ok(())
    }

    /// The try for which a write was sent.
    pub(crate) fn attempt_of(&self, write: &Write) -> u32 {
        self.tries.get(&write.act.incident).map_or(0, |(number, _)| *number)
    }

    /// Whether a record begins a run that will change something.
    pub(crate) fn is_acting_run(&self, record: &Record) -> bool {
        matches!(&record.fact, Fact::Decided(decided) if matches!(decided.answer, Answer::Run { plan: Some(_), .. }))
    }

    /// What a record charges against limits: a run's first intent, or the beginning of one that changes nothing.
    pub(crate) fn charge_of(&self, record: &Record, at: SimTime) -> Option<Charge> {
        match &record.fact {
            Fact::Decided(decided) => match &decided.answer {
                Answer::Run { plan: None, dry_run, attempt: _ } => Some(Charge {
                    incident: decided.incident,
                    playbook: Arc::clone(&decided.playbook),
                    target: decided.target.as_ref().map(|target| target.name.to_string()),
                    at,
                    ended: None,
                    dry_run: *dry_run,
                }),
                Answer::Run { plan: Some(_), .. } | Answer::Refused(_) => None,
            },
            Fact::ActionIntended(intended) if !intended.dependent => {
                let incident = intended.act.incident;
                let charged = |charge: &Charge| charge.incident == incident && charge.ended.is_none();
                (!self.charges.iter().any(charged)).then(|| Charge {
                    incident,
                    playbook: Arc::clone(&intended.playbook),
                    target: Some(intended.target.name.to_string()),
                    at,
                    ended: None,
                    dry_run: intended.dry_run,
                })
            }
            _ => None,
        }
    }

    fn learn(&mut self, record: &Record, at: SimTime) {
        self.charges.extend(self.charge_of(record, at));
        match &record.fact {
            Fact::AlertReceived(received) => {
                if let Taken::ByPlaybook { playbook, revision } = &received.taken
                    && let Some(taker) = self.playbooks.get(&(Arc::clone(playbook), Arc::clone(revision)))
                {
                    self.takers.insert(IncidentId(record.seq), Arc::clone(taker));
                }
            }
            Fact::AlertEnded(ended) => self.ended_alerts.extend(ended.incident),
            Fact::Decided(decided) => match &decided.answer {
                Answer::Run { dry_run, plan, attempt } => {
                    self.captured.remove(&decided.incident);
                    let names = decided.target.iter().map(|target| target.name.to_string()).collect();
                    let (acts, dry_run, attempt) = (plan.is_some(), *dry_run, *attempt);
                    let run = RunSeen { acts, dry_run, acted: false, attempt, names };
                    self.runs.insert(decided.incident, run);
                }
                // A run that has acted is held back, and is still under way.
                Answer::Refused(_) if self.runs.get(&decided.incident).is_some_and(|run| run.acted) => {}
                Answer::Refused(_) => drop(self.runs.remove(&decided.incident)),
            },
            Fact::ActionIntended(intended) if !intended.dependent => {
                *self.acts.entry(intended.act.incident).or_default() += 1;
                if let Some(run) = self.runs.get_mut(&intended.act.incident) {
                    run.acted = true;
                    run.names.extend(intended.dependents.iter().map(|dependent| dependent.name.to_string()));
                }
            }
            Fact::PauseSet(pause) => drop(self.pauses.insert(pause.scope.clone(), (at, pause.length))),
            Fact::PauseCleared(cleared) => drop(self.pauses.remove(&cleared.scope)),
            Fact::StepFinished(finished)
                if finished.step.branch == Branch::Steps && matches!(finished.result, StepResult::Captured(_)) =>
            {
                self.captured.insert(finished.incident);
            }
            Fact::StormFrozen(storm) => self.frozen = Some((at, storm.freeze)),
            Fact::IncidentRelapsed(relapsed) => {
                let earlier = self.ends.iter_mut().rev().find(|end| end.incident == relapsed.incident && end.helped);
                if let Some(end) = earlier {
                    (end.helped, end.at) = (false, at);
                }
            }
            Fact::AttemptEnded(ended) => {
                self.run_ended(ended.incident, (ended.verdict, None), at);
                self.tries.insert(ended.incident, (ended.attempt, at));
                self.runs.remove(&ended.incident);
                self.end_charge(ended.incident, at);
            }
            Fact::IncidentClosed(closed) => {
                self.run_ended(closed.incident, (closed.verdict, closed.reason), at);
                let in_vain = matches!(closed.verdict, Verdict::Ineffective | Verdict::Failed);
                let run = self.runs.remove(&closed.incident).filter(|run| in_vain && run.is_the_last_of_several());
                if let Some(run) = run.filter(|run| run.acted && !run.dry_run) {
                    self.last_resorts.extend(run.names.first().map(|name| (name.clone(), at)));
                }
                self.end_charge(closed.incident, at);
            }
            _ => {}
        }
    }

    /// What a run that acted shows about its target, if it shows anything.
    fn run_ended(&mut self, incident: IncidentId, (verdict, reason): (Verdict, Option<Reason>), at: SimTime) {
        let helped = match verdict {
            Verdict::Recovered => true,
            Verdict::Unknown if matches!(reason, Some(Reason::NotVerified | Reason::DryRun)) => return,
            Verdict::Ineffective | Verdict::Failed | Verdict::Abandoned | Verdict::Unknown => false,
            Verdict::Cancelled | Verdict::Superseded => return,
        };
        let run = self.runs.get(&incident).filter(|run| run.acted && !run.dry_run);
        let target = run.and_then(|run| run.names.first()).cloned();
        self.ends.extend(target.map(|target| EndSeen { incident, target, at, helped }));
    }

    fn end_charge(&mut self, incident: IncidentId, at: SimTime) {
        let open = self.charges.iter_mut().filter(|charge| charge.incident == incident && charge.ended.is_none());
        open.for_each(|charge| charge.ended = Some(at));
    }

    /// A crash took records back: they never were.
    fn learn_anew(&mut self, world: &World) {
        self.takers.clear();
        self.runs.clear();
        self.charges.clear();
        self.ended_alerts.clear();
        self.tries.clear();
        self.acts.clear();
        self.last_resorts.clear();
        self.pauses.clear();
        self.ends.clear();
        self.captured.clear();
        self.frozen = None;
        let records = world.disk().records();
        for (place, record) in records.iter().enumerate() {
            self.learn(record, world.disk().made(place));
        }
        self.records_seen = records.len();
        self.checkpoints.retain(|(count, _)| *count <= records.len());
    }

    fn keep_checkpoint(&mut self, world: &World) {
        let Some(daemon) = world.daemon() else { return };
        let count = self.records_seen;
        let last = self.checkpoints.last().map_or(0, |(count, _)| *count);
        let restarted = self.starts_seen < world.seen.starts;
        self.starts_seen = world.seen.starts;
        if (restarted || last + CHECKPOINT_EVERY <= count) && last < count && self.checkpoints.len() < CHECKPOINTS_MAX {
            self.checkpoints.push((count, daemon.state().clone()));
        }
    }

    fn see_containers(&mut self, world: &World) {
        let now = world.now();
        for container in world.docker().containers() {
            let shown = container.shown();
            if container.stopped_by_hand() && invariants::is_stopped(&shown.state) {
                self.stopped_by_hand.entry(shown.id.clone()).or_insert(now);
            } else if !self.stopped_by_hand.is_empty() {
                self.stopped_by_hand.remove(&shown.id);
            }
        }
    }
}
