//! What has been seen so far, in true time: everything the invariants need to remember.

use crate::afterwards::follows;
use crate::approvals::ApprovalsSeen;
use crate::invariants::{self, OF_RECORDS, OF_STEPS, OF_THE_END, OF_WRITES};
use sickbay::engine::state::State;
use sickbay::model::container::COMPOSE_SERVICE;
use sickbay::model::fact::{
    AlertReceived, Answer, Branch, Cause, Fact, Record, RequestIntended, StepMarked, StepResult, Taken,
};
use sickbay::model::id::{IncidentId, Seq};
use sickbay::model::incident::{AttemptNumber, EpisodeEnd, Verdict};
use sickbay::model::label::{Fingerprint, Labels};
use sickbay::model::pause::PauseScope;
use sickbay::model::reason::Reason;
use sickbay::model::stamp::Stamp;
use sickbay::model::step::StepMark;
use sickbay::model::target::ContainerId;
use sickbay::playbook::definition::{Playbook, Step};
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
    /// It follows the end of an alert.
    pub(crate) aftercare: bool,
    /// The labels by which its playbook counts, with the alert's own values.
    pub(crate) key: Vec<(String, String)>,
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
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own that was seen")]
#[derive(Clone, Debug)]
pub(crate) struct RunSeen {
    pub(crate) acts: bool,
    pub(crate) dry_run: bool,
    acted: bool,
    /// It waits for people, or goes on after them, and has not taken hold of its target again.
    released: bool,
    /// A request was sent, or was about to be.
    called: bool,
    /// It failed, and what comes is for people.
    failed: bool,
    attempt: AttemptNumber,
    names: Vec<String>,
    keeps: Keeps,
}

/// From when on a run keeps others away from its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keeps {
    FromTheBeginning,
    /// It follows the end of an alert.
    FromItsFirstAct,
}

impl RunSeen {
    /// Whether the container of this name is the one it was decided about.
    pub(crate) fn is_about(&self, name: &str) -> bool {
        self.names.first().is_some_and(|own| own == name)
    }

    /// Whether it keeps others away: what follows the end of an alert does so from its first act on.
    pub(crate) fn keeps_others_away(&self) -> bool {
        self.is_treating() && (self.keeps == Keeps::FromTheBeginning || self.acted)
    }

    /// Whether it was about to do something already.
    pub(crate) fn has_acted(&self) -> bool {
        self.acted || self.called
    }

    /// Whether it goes on to its end, whatever a gate says.
    pub(crate) fn is_past_return(&self) -> bool {
        self.has_acted() || self.failed
    }

    fn is_the_last_of_several(&self) -> bool {
        self.attempt.is_one_of_several() && self.attempt.is_last()
    }

    /// Whether it keeps others from what it is about.
    pub(crate) fn is_treating(&self) -> bool {
        self.acts && !self.released
    }

    /// Whether it holds the container of this name.
    pub(crate) fn holds(&self, name: &str) -> bool {
        self.is_treating() && self.names.iter().any(|held| held == name)
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
    /// The alert of each incident.
    pub(crate) alerts: BTreeMap<IncidentId, Fingerprint>,
    /// The alerts that fire, as far as was recorded.
    pub(crate) firing: BTreeSet<Fingerprint>,
    /// The incidents that follow the end of an alert, with what each follows.
    aftercare: BTreeMap<IncidentId, IncidentId>,
    /// What follows a run and was not called off.
    pub(crate) followed: BTreeMap<IncidentId, IncidentId>,
    /// Incidents that are over and whose run had begun.
    pub(crate) closed_runs: BTreeSet<IncidentId>,
    /// Those of them that something is to follow, since which record.
    pub(crate) to_be_followed: BTreeMap<IncidentId, (Stamp, Seq)>,
    /// Runs that nothing followed when it was time, because nothing that was loaded said so.
    settled: BTreeSet<IncidentId>,
    /// What changes nothing because the run before it did not.
    dry: BTreeSet<IncidentId>,
    /// Runs whose episode was replaced by another one, or forgotten.
    superseded: BTreeSet<IncidentId>,
    /// The further containers of an incident's selector.
    pub(crate) further: BTreeMap<IncidentId, Vec<ContainerId>>,
    pub(crate) approvals: ApprovalsSeen,
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
    pub(crate) pauses: BTreeMap<PauseScope, (SimTime, Option<Duration>, String)>,
    /// The labels of each incident's alert.
    labels: BTreeMap<IncidentId, Labels>,
    /// The last step whose `if` was recorded as true.
    pub(crate) allowed: BTreeMap<IncidentId, usize>,
    /// The steps of the try under way that were left out, or needed nothing.
    pub(crate) left_out: BTreeMap<IncidentId, BTreeSet<usize>>,
    /// The steps of the try under way that acted.
    pub(crate) acted_at: BTreeMap<IncidentId, BTreeSet<usize>>,
    /// The last step with a `timeout` that acted: its place, when it did, and its time.
    pub(crate) timed: BTreeMap<IncidentId, (usize, SimTime, Duration)>,
    /// Each request that was intended: by whom, in which try, list and step.
    pub(crate) requested: BTreeSet<(IncidentId, u32, &'static str, usize)>,
    /// When the last act came back.
    pub(crate) came_back: BTreeMap<IncidentId, SimTime>,
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

    /// The text of a playbook in a revision.
    pub(crate) fn text_of(&self, playbook: &Arc<str>, revision: &Arc<str>) -> Option<&str> {
        let known = self.playbooks.get(&(Arc::clone(playbook), Arc::clone(revision)));
        known.map(|playbook| &*playbook.text)
    }

    /// The playbook that took the alert of an incident, in the revision that took it.
    pub(crate) fn playbook(&self, incident: IncidentId) -> Option<&Arc<Playbook>> {
        self.takers.get(&incident)
    }

    /// Whether an incident follows the end of an alert.
    pub(crate) fn is_aftercare(&self, incident: IncidentId) -> bool {
        self.aftercare.contains_key(&incident)
    }

    /// The incident that this one follows.
    pub(crate) fn followed_by(&self, incident: IncidentId) -> Option<IncidentId> {
        self.aftercare.get(&incident).copied()
    }

    /// Whether an incident changes nothing, whatever the settings say.
    pub(crate) fn is_dry(&self, incident: IncidentId) -> bool {
        self.dry.contains(&incident) || self.playbook(incident).is_some_and(|playbook| playbook.dry_run)
    }

    /// The steps that an incident is there to do now.
    pub(crate) fn work_of(&self, incident: IncidentId) -> &[Step] {
        let Some(playbook) = self.playbook(incident) else { return &[] };
        if self.is_aftercare(incident) {
            return &playbook.on_resolved;
        }
        playbook.attempts.steps(self.tries.get(&incident).map_or(0, |(number, _)| *number) + 1)
    }

    /// The playbook that is loaded by the name of the one that took an alert.
    pub(crate) fn playbooks_now<'w>(&self, world: &'w World, alert: &AlertReceived) -> Option<&'w Arc<Playbook>> {
        let Taken::ByPlaybook { playbook, .. } = &alert.taken else { return None };
        world.ruleset.playbooks.get(playbook).filter(|playbook| playbook.enabled)
    }

    /// What the runs that are over by now, and whose alerts have ended, are to be followed by.
    fn expect_what_follows(&mut self, world: &World, record: &Record) {
        self.to_be_followed.retain(|of, _| !self.followed.contains_key(of));
        let (told, closed): (bool, Vec<IncidentId>) = match &record.fact {
            Fact::AlertEnded(ended) => {
                let told = matches!(ended.end, EpisodeEnd::Resolved | EpisodeEnd::NotFiring);
                let of = |incident: &&IncidentId| self.alerts.get(incident) == Some(&ended.fingerprint);
                (told, self.closed_runs.iter().filter(of).copied().collect())
            }
            Fact::IncidentClosed(closed) => {
                let ended = |alert| !self.firing.contains(alert);
                // What was called off because its playbook changed is owed once more, at once.
                let called_off = self
                    .aftercare
                    .get(&closed.incident)
                    .filter(|of| closed.reason == Some(Reason::PlaybookChanged) && !self.followed.contains_key(of));
                let over = std::iter::once(closed.incident).chain(called_off.copied());
                (self.alerts.get(&closed.incident).is_some_and(ended), over.collect())
            }
            _ => return,
        };
        for of in closed.into_iter().filter(|_| told) {
            let loaded = self.playbook(of).and_then(|taker| world.ruleset.playbooks.get(&taker.name));
            let due = self.closed_runs.contains(&of) && !self.superseded.contains(&of) && !self.is_aftercare(of);
            if !due || self.followed.contains_key(&of) || self.settled.contains(&of) {
                continue;
            }
            if loaded.is_some_and(|playbook| follows(playbook)) {
                self.to_be_followed.insert(of, (record.at, record.seq));
            } else {
                self.settled.insert(of);
            }
        }
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
            self.expect_what_follows(world, record);
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
                Answer::Run { plan: None, dry_run, attempt: _, key: _ } => Some(Charge {
                    incident: decided.incident,
                    playbook: Arc::clone(&decided.playbook),
                    target: decided.target.as_ref().map(|target| target.name.to_string()),
                    at,
                    ended: None,
                    dry_run: *dry_run,
                    aftercare: self.is_aftercare(decided.incident),
                    key: self.key_of(decided.incident),
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
                    aftercare: self.is_aftercare(incident),
                    key: self.key_of(incident),
                })
            }
            // After a failure or a no, a request tells somebody.
            Fact::RequestIntended(intended)
                if !matches!(intended.step.branch, Branch::OnFailure | Branch::OnDenied) =>
            {
                let incident = intended.act.incident;
                let charged = |charge: &Charge| charge.incident == incident && charge.ended.is_none();
                let run = self.runs.get(&incident);
                (!self.charges.iter().any(charged)).then(|| Charge {
                    incident,
                    playbook: Arc::clone(&intended.playbook),
                    target: run.and_then(|run| run.names.first().cloned()),
                    at,
                    ended: None,
                    dry_run: intended.dry_run,
                    aftercare: self.is_aftercare(incident),
                    key: self.key_of(incident),
                })
            }
            _ => None,
        }
    }

    #[expect(clippy::too_many_lines, reason = "one short arm for each fact that tells something")]
    fn learn(&mut self, record: &Record, at: SimTime) {
        self.charges.extend(self.charge_of(record, at));
        self.learn_what_follows(record);
        self.approvals.learn(record, at);
        match &record.fact {
            Fact::AlertReceived(received) => {
                if let Taken::ByPlaybook { playbook, revision, .. } = &received.taken
                    && let Some(taker) = self.playbooks.get(&(Arc::clone(playbook), Arc::clone(revision)))
                {
                    self.takers.insert(IncidentId(record.seq), Arc::clone(taker));
                    self.labels.insert(IncidentId(record.seq), received.labels.clone());
                }
            }
            Fact::Decided(decided) => match &decided.answer {
                Answer::Run { dry_run, plan, attempt, key: _ } => {
                    self.captured.remove(&decided.incident);
                    self.left_out.remove(&decided.incident);
                    self.acted_at.remove(&decided.incident);
                    self.timed.remove(&decided.incident);
                    let names = decided.target.iter().map(|target| target.name.to_string()).collect();
                    let (acts, dry_run, attempt) = (plan.is_some(), *dry_run, *attempt);
                    let aftercare = self.is_aftercare(decided.incident);
                    let keeps = if aftercare { Keeps::FromItsFirstAct } else { Keeps::FromTheBeginning };
                    let (acted, released, called, failed) = (false, false, false, false);
                    let run = RunSeen { acts, dry_run, acted, released, called, failed, attempt, names, keeps };
                    self.runs.insert(decided.incident, run);
                }
                // A run that has acted is held back, and is still under way.
                Answer::Refused(_) if self.runs.get(&decided.incident).is_some_and(RunSeen::is_past_return) => {}
                Answer::Refused(_) => {
                    self.runs.remove(&decided.incident);
                    self.charges.retain(|charge| charge.incident != decided.incident || charge.ended.is_some());
                }
            },
            Fact::ActionIntended(intended) if !intended.dependent => {
                *self.acts.entry(intended.act.incident).or_default() += 1;
                self.acted_in_step(intended.act.incident, at);
                if let Some(run) = self.runs.get_mut(&intended.act.incident) {
                    (run.acted, run.released) = (true, false);
                    run.names.extend(intended.dependents.iter().map(|dependent| dependent.name.to_string()));
                }
            }
            Fact::ApprovalRequested(asked) if asked.step.is_some() => {
                if let Some(run) = self.runs.get_mut(&asked.approval.incident) {
                    run.released = true;
                }
            }
            Fact::ActionFinished(finished) => drop(self.came_back.insert(finished.act.incident, at)),
            Fact::ActionReconciled(reconciled) => drop(self.came_back.insert(reconciled.act.incident, at)),
            Fact::RequestIntended(intended) => {
                if let Some(run) = self.runs.get_mut(&intended.act.incident) {
                    run.called = true;
                }
                let place = self.place_of(intended);
                self.requested.insert(place);
            }
            Fact::StepMarked(marked) => self.step_marked(marked),
            Fact::PauseSet(pause) => {
                drop(self.pauses.insert(pause.scope.clone(), (at, pause.length, pause.by.clone())));
            }
            Fact::PauseCleared(cleared) => drop(self.pauses.remove(&cleared.scope)),
            Fact::StepFinished(finished)
                if finished.step.branch != Branch::OnFailure && matches!(finished.result, StepResult::Captured(_)) =>
            {
                self.captured.insert(finished.incident);
            }
            Fact::StepFinished(finished) if matches!(finished.step.branch, Branch::Steps | Branch::OnResolved) => {
                let bad = matches!(finished.result, StepResult::Failed(_) | StepResult::NotVerified(_));
                if let Some(run) = self.runs.get_mut(&finished.incident).filter(|_| bad) {
                    run.failed = true;
                }
                self.left_out.entry(finished.incident).or_default().insert(finished.step.index);
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

    /// Which incidents there are, whose alerts fire, and what follows what.
    fn learn_what_follows(&mut self, record: &Record) {
        let id = IncidentId(record.seq);
        match &record.fact {
            Fact::AlertReceived(received) => {
                self.firing.insert(received.fingerprint);
                if !matches!(received.taken, Taken::ByNobody(Reason::Duplicate)) {
                    let of_alert = self.alerts.iter().filter(|(_, alert)| **alert == received.fingerprint);
                    self.superseded.extend(of_alert.map(|(incident, _)| *incident).collect::<Vec<_>>());
                }
                self.alerts.insert(id, received.fingerprint);
            }
            Fact::AlertEnded(ended) => {
                self.firing.remove(&ended.fingerprint);
                let of_alert = self.alerts.iter().filter(|(_, alert)| **alert == ended.fingerprint);
                let of_alert: Vec<IncidentId> = of_alert.map(|(incident, _)| *incident).collect();
                if !matches!(ended.end, EpisodeEnd::Resolved | EpisodeEnd::NotFiring) {
                    self.superseded.extend(of_alert.iter().copied());
                }
                self.ended_alerts
                    .extend(of_alert.into_iter().filter(|incident| !self.aftercare.contains_key(incident)));
            }
            Fact::IncidentOpened(opened) => {
                self.alerts.insert(id, opened.alert.fingerprint);
                self.labels.insert(id, opened.alert.labels.clone());
                self.dry.extend(opened.origin.left.dry_run.then_some(id));
                if let Taken::ByPlaybook { playbook, revision, .. } = &opened.alert.taken
                    && let Some(taker) = self.playbooks.get(&(Arc::clone(playbook), Arc::clone(revision)))
                {
                    self.takers.insert(id, Arc::clone(taker));
                }
                match &opened.origin.cause {
                    Cause::Resolved => {
                        self.aftercare.insert(id, opened.origin.of);
                        self.followed.insert(opened.origin.of, id);
                    }
                    Cause::FurtherTarget(container) => {
                        self.further.entry(opened.origin.of).or_default().push(container.clone());
                    }
                }
            }
            Fact::IncidentClosed(closed) => {
                let begun = self.runs.contains_key(&closed.incident) || self.tries.contains_key(&closed.incident);
                let acted = self.runs.get(&closed.incident).is_some_and(RunSeen::has_acted);
                // To what nobody agreed before anything was done, nothing follows.
                let not_agreed = matches!(closed.verdict, Verdict::Denied | Verdict::Expired)
                    && !acted
                    && !self.tries.contains_key(&closed.incident);
                if begun && !not_agreed {
                    self.closed_runs.insert(closed.incident);
                }
                let called_off = matches!(closed.reason, Some(Reason::AlertFiresAgain | Reason::PlaybookChanged));
                if let Some(of) = self.aftercare.get(&closed.incident).filter(|_| called_off && !acted) {
                    self.followed.remove(of);
                }
            }
            _ => {}
        }
    }

    /// An act for the target itself: the first step that acts and is neither done nor left out.
    fn acted_in_step(&mut self, incident: IncidentId, at: SimTime) {
        let steps = self.work_of(incident).to_vec();
        let left_out = self.left_out.entry(incident).or_default();
        let acted_at = self.acted_at.entry(incident).or_default();
        let turn = steps.iter().enumerate().filter(|(_, step)| step.verb.acts());
        let turn = turn.into_iter().find(|(index, _)| !left_out.contains(index) && !acted_at.contains(index));
        if let Some((index, step)) = turn {
            acted_at.insert(index);
            match step.timeout {
                Some(timeout) => drop(self.timed.insert(incident, (index, at, timeout))),
                None => drop(self.timed.remove(&incident)),
            }
        }
    }

    /// A pause that holds back what this incident does, if there is one.
    pub(crate) fn pause_over(
        &self,
        (incident, playbook): (IncidentId, &str),
        is_touched: impl Fn(&str) -> bool,
    ) -> Option<&PauseScope> {
        // A run that paused its own playbook goes on to its end.
        let own = format!("playbook {playbook} ({incident})");
        let covers = |scope: &PauseScope| match scope {
            PauseScope::All => true,
            PauseScope::Host(name) => &**name == "local",
            PauseScope::Playbook(name) => &**name == playbook,
            PauseScope::Target(name) => is_touched(name),
        };
        self.pauses.iter().find(|(scope, (_, _, by))| *by != own && covers(scope)).map(|(scope, _)| scope)
    }

    /// Which step of which try a request is.
    pub(crate) fn place_of(&self, intended: &RequestIntended) -> (IncidentId, u32, &'static str, usize) {
        let incident = intended.act.incident;
        let tried = self.tries.get(&incident).map_or(0, |(number, _)| *number);
        (incident, tried, intended.step.branch.as_str(), intended.step.index)
    }

    fn step_marked(&mut self, marked: &StepMarked) {
        let run = self.runs.get_mut(&marked.incident);
        match marked.mark {
            StepMark::Allowed => drop(self.allowed.insert(marked.incident, marked.step.index)),
            StepMark::Tolerated => {
                if let Some(run) = run {
                    run.failed = false;
                }
                self.timed.remove(&marked.incident);
            }
            StepMark::Counted => {
                if let Some(run) = run {
                    run.failed = true;
                }
            }
        }
    }

    /// The labels by which the playbook of an incident counts, with the values of its alert.
    pub(crate) fn key_of(&self, incident: IncidentId) -> Vec<(String, String)> {
        let Some((taker, labels)) = self.takers.get(&incident).zip(self.labels.get(&incident)) else {
            return Vec::new();
        };
        taker.limits.key.iter().map(|name| (name.to_string(), labels.value(name).to_owned())).collect()
    }

    /// What a run that acted shows about its target, if it shows anything.
    fn run_ended(&mut self, incident: IncidentId, (verdict, reason): (Verdict, Option<Reason>), at: SimTime) {
        let helped = match verdict {
            Verdict::Recovered => true,
            Verdict::Unknown if matches!(reason, Some(Reason::NotVerified | Reason::DryRun)) => return,
            Verdict::Ineffective | Verdict::Failed | Verdict::Abandoned | Verdict::Unknown => false,
            Verdict::Cancelled | Verdict::Superseded | Verdict::Denied | Verdict::Expired => return,
        };
        let run = self.runs.get(&incident).filter(|run| run.has_acted() && !run.dry_run);
        // That what came afterwards went well, or what only another system was called for, says nothing about the treatment.
        let run = run.filter(|run| !helped || (run.keeps == Keeps::FromTheBeginning && run.acted));
        let target = run.and_then(|run| run.names.first()).cloned();
        self.ends.extend(target.map(|target| EndSeen { incident, target, at, helped }));
    }

    fn end_charge(&mut self, incident: IncidentId, at: SimTime) {
        let open = self.charges.iter_mut().filter(|charge| charge.incident == incident && charge.ended.is_none());
        open.for_each(|charge| charge.ended = Some(at));
    }

    /// A crash took records back: they never were.
    fn learn_anew(&mut self, world: &World) {
        self.alerts.clear();
        self.firing.clear();
        self.aftercare.clear();
        self.followed.clear();
        self.closed_runs.clear();
        let kept = u64::try_from(world.disk().records().len()).unwrap_or(u64::MAX);
        self.to_be_followed.retain(|_, (_, seq)| seq.0 < kept);
        self.settled.retain(|incident| incident.0.0 < kept);
        self.dry.clear();
        self.superseded.clear();
        self.further.clear();
        self.takers.clear();
        self.runs.clear();
        self.approvals = ApprovalsSeen::default();
        self.charges.clear();
        self.ended_alerts.clear();
        self.tries.clear();
        self.acts.clear();
        self.last_resorts.clear();
        self.pauses.clear();
        self.labels.clear();
        self.allowed.clear();
        self.left_out.clear();
        self.acted_at.clear();
        self.timed.clear();
        self.came_back.clear();
        self.requested.clear();
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
