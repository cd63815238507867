//! One simulated Swarm service: its definition, its tasks, and how Swarm moves the ones towards the other.
//!
//! By what real managers showed: the version index moves while tasks do; a new number of replicas leaves no trace in the
//! update's state and overwrites what a rollback would go back to; a forced update and a deployment replace tasks bit by
//! bit; a rollback swaps the two definitions, replicas included. Read [`SimService`] first.

use super::clock::SimTime;
use super::container::Life;
use super::docker::Instant;
use crate::model::action::ServiceAction;
use crate::model::reason::Reason;
use crate::model::service::{Mode, Previous, Room, Service, ServiceId, Update};
use crate::model::target::{ContainerName, SwarmId};
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;
use std::time::Duration;

/// How long Swarm waits before it replaces a task that failed.
const REPLACED_AFTER: Duration = Duration::from_secs(5);

/// How long an ill task is left before Swarm replaces it.
const ILL_FOR: Duration = Duration::from_secs(8);

/// The pause between two looks at a rolling update.
const TICK: Duration = Duration::from_millis(500);

/// What a service is made with.
#[derive(Clone, Debug)]
pub struct ServiceSpec {
    /// Its name.
    pub name: ContainerName,
    /// What it runs at first.
    pub definition: Definition,
    /// Whether it can be scaled.
    pub mode: Mode,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// The most replicas its placement allows.
    pub most: Option<u32>,
    /// How its updates go.
    pub rollout: Rollout,
    /// How long a task takes to start.
    pub start_takes: Duration,
    /// The first task lives the first of these lives, and so on; the last one is lived again and again.
    pub lives: Vec<Life>,
}

/// What a service is to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// The image, by name and digest.
    pub image: String,
    /// What else its tasks are made from: environment, limits and the like.
    pub rest: String,
    /// How many tasks.
    pub replicas: u32,
    /// How often they were replaced by force.
    pub force_update: u64,
}

impl Definition {
    /// What [`Service::template`] says of it.
    #[must_use]
    pub fn template(&self) -> String {
        format!("{}+{}", self.image, self.rest)
    }
}

/// How updates go.
#[derive(Clone, Copy, Debug)]
pub struct Rollout {
    /// How many tasks at once.
    pub parallelism: u32,
    /// Whether new tasks come before the old ones go.
    pub start_first: bool,
    /// How long a task is watched.
    pub monitor: Duration,
    /// What follows if new tasks fail.
    pub on_failure: OnFailure,
}

/// What Swarm does when an update's tasks fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFailure {
    /// It stops half way.
    Pause,
    /// It goes on.
    Continue,
    /// It takes the update back.
    Rollback,
}

/// What somebody does to a service, other than sickbay.
#[derive(Clone, Debug)]
pub enum ServiceTouch {
    /// A person scales it.
    Scale(u32),
    /// A deployment brings another image.
    Deploy(String),
    /// A person replaces all tasks by force.
    ForceUpdate,
    /// A person removes it.
    Remove,
    /// One of its tasks ends.
    KillOne,
    /// One of its tasks falls ill.
    SickenOne,
    /// From now on no replica of it can be copied, for this reason. For Compose alone.
    Obstruct(Reason),
}

/// Something that happens to a service by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceTurn {
    /// A task has started, or has failed to.
    Started(u64),
    /// A task ends.
    Ends(u64),
    /// A task that failed is replaced.
    Replaced(u64),
    /// The update goes on.
    Tick,
}

/// What will happen to a service by itself, and after which time.
pub(super) type ServiceTurns = Vec<(SwarmId, Duration, ServiceTurn)>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TaskState {
    Starting,
    Running,
    Ill,
    Failed,
}

#[derive(Clone, Debug)]
struct Task {
    serial: u64,
    /// The definition it was made from: template and counter.
    made_of: (String, u64),
    state: TaskState,
    life: Life,
}

/// A service on the simulated engine.
#[derive(Clone, Debug)]
pub struct SimService {
    id: SwarmId,
    spec: ServiceSpec,
    definition: Definition,
    previous: Option<Definition>,
    update: Option<Update>,
    version: u64,
    tasks: Vec<Task>,
    made: u64,
    created: DateTime<Utc>,
    changed: DateTime<Utc>,
    changed_at: SimTime,
}

impl SimService {
    /// A service whose tasks have been running for long.
    pub(super) fn new(id: SwarmId, spec: ServiceSpec, at: Instant, created: DateTime<Utc>) -> (Self, ServiceTurns) {
        let definition = spec.definition.clone();
        let mut service = Self {
            id,
            spec,
            definition,
            previous: None,
            update: None,
            version: 10,
            tasks: Vec::new(),
            made: 0,
            created,
            changed: created,
            changed_at: SimTime(0),
        };
        let mut turns = ServiceTurns::new();
        service.reconcile(at, &mut turns);
        service.changed = created;
        (service, turns)
    }

    /// What it is to run.
    #[must_use]
    pub fn definition(&self) -> &Definition {
        &self.definition
    }

    /// Its ID.
    #[must_use]
    pub fn id(&self) -> &SwarmId {
        &self.id
    }

    /// What it was made with.
    #[must_use]
    pub fn spec(&self) -> &ServiceSpec {
        &self.spec
    }

    /// Its version index.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// How many of its tasks run and are healthy.
    #[must_use]
    pub fn healthy(&self) -> u32 {
        self.count(|state| state == TaskState::Running)
    }

    fn count(&self, counts: impl Fn(TaskState) -> bool) -> u32 {
        u32::try_from(self.tasks.iter().filter(|task| counts(task.state)).count()).unwrap_or(u32::MAX)
    }

    /// As inspect and the list of its tasks show it.
    #[must_use]
    pub fn shown(&self, now: DateTime<Utc>) -> Service {
        let Definition { image, replicas, force_update, .. } = &self.definition;
        let Rollout { parallelism, start_first, monitor, .. } = self.spec.rollout;
        Service {
            id: ServiceId::Swarm(self.id.clone(), self.spec.name.clone()),
            image: image.clone(),
            template: self.definition.template(),
            mode: self.spec.mode.clone(),
            wanted: *replicas,
            running: self.count(|state| matches!(state, TaskState::Running | TaskState::Ill)),
            healthy: self.healthy(),
            update: self.update.clone(),
            previous: self.previous.as_ref().map(|previous| Previous {
                image: previous.image.clone(),
                replicas: previous.replicas,
                template: previous.template(),
                change: None,
            }),
            force_update: *force_update,
            version: self.version,
            monitor,
            down_at_once: if start_first { 0 } else { parallelism },
            most: self.spec.most,
            mixed: false,
            created: Some(self.created),
            changed: Some(self.changed),
            now,
            labels: self.spec.labels.clone(),
            room: Room::default(),
            stop_timeout: None,
        }
    }

    /// A call with this version index: nothing is done if another change was quicker.
    ///
    /// # Errors
    /// Docker's words.
    pub(super) fn call(
        &mut self,
        (action, version): (&ServiceAction, u64),
        at: Instant,
        turns: &mut ServiceTurns,
    ) -> Result<(), String> {
        if version != self.version {
            return Err("rpc error: code = Unknown desc = update out of sequence".to_owned());
        }
        match action {
            ServiceAction::Scale { to, .. } => {
                if self.spec.mode != Mode::Replicated {
                    return Err("scale can only be used with replicated mode".to_owned());
                }
                self.define(Definition { replicas: *to, ..self.definition.clone() }, at, turns);
            }
            ServiceAction::ForceUpdate { counter } => {
                self.define(Definition { force_update: *counter, ..self.definition.clone() }, at, turns);
            }
            ServiceAction::Rollback { .. } => {
                let Some(previous) = self.previous.clone() else {
                    return Err("rpc error: code = FailedPrecondition desc = service has no previous spec".to_owned());
                };
                self.define(previous, at, turns);
                self.update = Some(Update::RollingBack);
            }
        }
        Ok(())
    }

    /// Somebody else does something to it.
    pub(super) fn touch(&mut self, touch: &ServiceTouch, at: Instant, turns: &mut ServiceTurns) {
        let definition = self.definition.clone();
        match touch {
            ServiceTouch::Scale(to) => self.define(Definition { replicas: *to, ..definition }, at, turns),
            ServiceTouch::Deploy(image) => self.define(Definition { image: image.clone(), ..definition }, at, turns),
            ServiceTouch::ForceUpdate => {
                let force_update = definition.force_update + 1;
                self.define(Definition { force_update, ..definition }, at, turns);
            }
            ServiceTouch::Remove | ServiceTouch::Obstruct(_) => {}
            ServiceTouch::KillOne => {
                let one = self.tasks.iter().find(|task| task.state == TaskState::Running).map(|task| task.serial);
                one.into_iter().for_each(|serial| self.fail(serial, turns));
            }
            ServiceTouch::SickenOne => {
                if let Some(task) = self.tasks.iter_mut().find(|task| task.state == TaskState::Running) {
                    task.state = TaskState::Ill;
                    turns.push((self.id.clone(), ILL_FOR, ServiceTurn::Ends(task.serial)));
                }
            }
        }
    }

    /// Something that was to happen by itself happens, unless the task is gone.
    pub(super) fn turn(&mut self, turn: ServiceTurn, at: Instant, turns: &mut ServiceTurns) {
        match turn {
            ServiceTurn::Started(serial) => self.started(serial, turns),
            ServiceTurn::Ends(serial) => self.fail(serial, turns),
            ServiceTurn::Replaced(serial) => {
                let failed = |task: &Task| task.serial == serial && task.state == TaskState::Failed;
                if self.tasks.iter().any(failed) {
                    self.tasks.retain(|task| task.serial != serial);
                    self.reconcile(at, turns);
                }
            }
            ServiceTurn::Tick => self.tick(at, turns),
        }
    }

    /// The machine came up again: all its tasks are new ones.
    pub(super) fn boot(&mut self, at: Instant, turns: &mut ServiceTurns) {
        self.tasks.clear();
        self.reconcile(at, turns);
        if matches!(self.update, Some(Update::Updating | Update::RollingBack)) {
            turns.push((self.id.clone(), TICK, ServiceTurn::Tick));
        }
    }

    fn define(&mut self, definition: Definition, at: Instant, turns: &mut ServiceTurns) {
        let before = std::mem::replace(&mut self.definition, definition);
        let rolls = (before.template(), before.force_update) != self.made_of();
        self.previous = Some(before);
        self.moved(at);
        if rolls {
            self.update = Some(Update::Updating);
            turns.push((self.id.clone(), TICK, ServiceTurn::Tick));
        }
        self.reconcile(at, turns);
    }

    fn made_of(&self) -> (String, u64) {
        (self.definition.template(), self.definition.force_update)
    }

    /// The object was written anew: its index is the cluster's own.
    fn moved(&mut self, at: Instant) {
        self.version += 3;
        self.changed = at.wall;
        self.changed_at = at.now;
    }

    /// As many tasks as there are to be.
    fn reconcile(&mut self, at: Instant, turns: &mut ServiceTurns) {
        let wanted = usize::try_from(self.definition.replicas).unwrap_or(usize::MAX);
        self.tasks.truncate(wanted);
        while self.tasks.len() < wanted {
            let task = self.make(at, turns);
            self.tasks.push(task);
        }
    }

    fn make(&mut self, at: Instant, turns: &mut ServiceTurns) -> Task {
        let place = usize::try_from(self.made).unwrap_or(usize::MAX);
        let life = self.spec.lives.get(place).or(self.spec.lives.last()).copied().unwrap_or_default();
        self.made += 1;
        // Those it has from the beginning have been up for long.
        let old = at.now == SimTime(0);
        let task = Task {
            serial: self.made,
            made_of: self.made_of(),
            state: if old { TaskState::Running } else { TaskState::Starting },
            life,
        };
        let first = if old {
            life.dies.map(|(after, _)| (self.id.clone(), after, ServiceTurn::Ends(task.serial)))
        } else {
            let healthy_after = life.healthy_after.unwrap_or(ILL_FOR);
            let takes = self.spec.start_takes + healthy_after;
            Some((self.id.clone(), takes, ServiceTurn::Started(task.serial)))
        };
        turns.extend(first);
        task
    }

    fn started(&mut self, serial: u64, turns: &mut ServiceTurns) {
        let Some(task) = self.tasks.iter_mut().find(|task| task.serial == serial) else { return };
        let well = !task.life.fails_to_start && task.life.healthy_after.is_some();
        if task.state != TaskState::Starting {
            return;
        }
        if !well {
            return self.fail(serial, turns);
        }
        task.state = TaskState::Running;
        let dies = task.life.dies.map(|(after, _)| (self.id.clone(), after, ServiceTurn::Ends(serial)));
        turns.extend(dies);
    }

    fn fail(&mut self, serial: u64, turns: &mut ServiceTurns) {
        let Some(task) = self.tasks.iter_mut().find(|task| task.serial == serial) else { return };
        if task.state != TaskState::Failed {
            task.state = TaskState::Failed;
            turns.push((self.id.clone(), REPLACED_AFTER, ServiceTurn::Replaced(serial)));
        }
    }

    /// A rolling update, or the way back, goes one step on.
    fn tick(&mut self, at: Instant, turns: &mut ServiceTurns) {
        let back = match self.update {
            Some(Update::Updating) => false,
            Some(Update::RollingBack) => true,
            _ => return,
        };
        self.moved(at);
        let made_of = self.made_of();
        let is_new = |task: &Task| task.made_of == made_of;
        if self.tasks.iter().any(|task| is_new(task) && task.state == TaskState::Failed)
            && self.spec.rollout.on_failure != OnFailure::Continue
        {
            return self.give_up(back, at, turns);
        }
        if !self.tasks.iter().any(|task| is_new(task) && task.state == TaskState::Starting) {
            let many = usize::try_from(self.spec.rollout.parallelism.max(1)).unwrap_or(usize::MAX);
            let old: Vec<u64> =
                self.tasks.iter().filter(|task| !is_new(task)).take(many).map(|task| task.serial).collect();
            if old.is_empty() {
                self.update = Some(if back { Update::RolledBack } else { Update::Completed });
                return;
            }
            self.tasks.retain(|task| !old.contains(&task.serial));
            self.reconcile(at, turns);
        }
        turns.push((self.id.clone(), TICK, ServiceTurn::Tick));
    }

    fn give_up(&mut self, back: bool, at: Instant, turns: &mut ServiceTurns) {
        match (self.spec.rollout.on_failure, self.previous.clone()) {
            (OnFailure::Rollback, Some(previous)) if !back => {
                self.define(previous, at, turns);
                self.update = Some(Update::RollingBack);
                turns.push((self.id.clone(), TICK, ServiceTurn::Tick));
            }
            _ => self.update = Some(if back { Update::RollbackPaused } else { Update::Paused }),
        }
    }
}
