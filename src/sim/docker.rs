//! The simulated Docker engine: its containers, and what calls do to them, by the table of states that real engines
//! showed.

use super::clock::SimTime;
use super::container::{ContainerSpec, Found, Later, Life, SimContainer, Turn};
use super::input::Touch;
use super::service::SimService;
use crate::model::container::{Container, ContainerState, Health, MemoryInUse, Predecessor, TargetReport, TargetView};
use crate::model::host::Host;
use crate::model::reason::Reason;
use crate::model::resources::{LimitsChange, ResourceLimits};
use crate::model::target::{ComposeService, ContainerId, ContainerName, Selector, TargetName, TargetQuery};
use chrono::{DateTime, Utc};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// The engine; or the engines, if there are several hosts. Services are on the first one alone.
#[derive(Clone, Debug, Default)]
pub struct Docker {
    containers: Vec<SimContainer>,
    created: u64,
    /// The last one removed of each name.
    removed: BTreeMap<TargetName, Predecessor>,
    pub(super) services: Vec<SimService>,
    /// When a replica of each Compose service was last made or removed, after the beginning.
    pub(super) recomposed: BTreeMap<ComposeService, DateTime<Utc>>,
    /// Compose services whose replicas cannot be copied.
    pub(super) obstacles: BTreeMap<ComposeService, Reason>,
    /// What Compose services ran before, where somebody saw it.
    pub(super) images_before: BTreeMap<ComposeService, super::services::ImageBefore>,
    /// How the replicas of a Compose service live that are made later, one after the other; the last of these lives is
    /// lived by all after it. Without any, they are as the first one.
    pub(super) to_come: BTreeMap<ComposeService, VecDeque<Life>>,
}

/// A call that changes something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// On which container.
    pub id: ContainerId,
    /// What.
    pub verb: CallVerb,
    /// Whose.
    pub by: Caller,
}

/// What a call asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallVerb {
    /// Stop, then start; with this time to stop.
    Restart(Option<Duration>),
    /// Start.
    Start,
    /// Stop; with this time to stop.
    Stop(Option<Duration>),
    /// Get other limits.
    UpdateLimits(LimitsChange),
}

/// Who makes a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// A person.
    Person,
    /// The daemon: the place of its write.
    Daemon(usize),
}

/// How far a call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It has arrived.
    Arrived,
    /// Its process has ended.
    Stopped,
    /// It is to be started.
    Starting,
}

/// The engine's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// 204
    Done,
    /// 304: it was so already.
    Unchanged,
    /// 404
    NotFound,
    /// 409
    Conflict(String),
    /// 500
    Failed(String),
}

/// What comes next of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// The next phase comes after a while.
    Wait(Duration, Phase),
    /// It is over.
    Over(Reply),
}

/// What will happen to containers by itself: which container, in which of its runs, and what.
pub(super) type Turns = Vec<(ContainerId, usize, Later)>;

/// A moment as the engine sees it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Instant {
    pub(super) now: SimTime,
    pub(super) wall: DateTime<Utc>,
}

impl Docker {
    /// All containers.
    #[must_use]
    pub fn containers(&self) -> &[SimContainer] {
        &self.containers
    }

    /// The container of this ID.
    #[must_use]
    pub fn inspect(&self, id: &ContainerId) -> Option<&SimContainer> {
        self.containers.iter().find(|container| container.shown().id == *id)
    }

    /// The container of this name, as sickbay calls it: `web`, or `web-2:web`.
    #[must_use]
    pub fn by_name(&self, name: &str) -> Option<&SimContainer> {
        self.containers.iter().find(|container| container.spec().name.as_str() == name)
    }

    fn get_mut(&mut self, id: &ContainerId) -> Option<&mut SimContainer> {
        self.containers.iter_mut().find(|container| container.shown().id == *id)
    }

    /// Creates a container, not started; `None` if its name is taken.
    pub(super) fn create(&mut self, spec: ContainerSpec, wall: DateTime<Utc>) -> Option<ContainerId> {
        if self.by_name(spec.name.as_str()).is_some() {
            return None;
        }
        let name = ContainerName::parse(spec.name.bare()).ok()?;
        self.created += 1;
        let digits = format!("{:016x}", self.created.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let id = ContainerId::parse(&digits.repeat(4))?;
        let parent = spec.lives_with.as_ref().and_then(|parent| self.by_name(parent.as_str()));
        let network =
            parent.map_or_else(|| "bridge".to_owned(), |parent| format!("container:{}", parent.shown().id.as_str()));
        let predecessor = self.removed.get(&spec.name).cloned();
        self.containers.push(SimContainer::new((id.clone(), name), spec, (network, predecessor), wall));
        Some(id)
    }

    /// The containers of a host.
    pub(super) fn on(&self, host: &Host) -> impl Iterator<Item = &SimContainer> {
        self.containers.iter().filter(move |container| container.spec().name.host() == *host)
    }

    /// Which container of a host is meant, with what shares its namespace.
    #[must_use]
    pub fn resolve(&self, (host, query): (&Host, &TargetQuery), wall: DateTime<Utc>) -> TargetReport {
        let service = match query {
            TargetQuery::Service(_) | TargetQuery::ServiceId(_) | TargetQuery::ComposeService(_)
                if *host != Host::First =>
            {
                Some(None)
            }
            TargetQuery::Service(name) => Some(self.service(|service| service.spec().name == *name, wall)),
            TargetQuery::ServiceId(id) => Some(self.service(|service| service.id() == id, wall)),
            TargetQuery::ComposeService(service) => Some(self.composed(service, wall)),
            TargetQuery::Id(_) | TargetQuery::Name(_) | TargetQuery::Compose { .. } | TargetQuery::Selector(_) => None,
        };
        if let Some(service) = service {
            return service.map_or(TargetReport::Missing, |service| TargetReport::FoundService(Box::new(service)));
        }
        if let TargetQuery::Selector(selector) = query {
            return self.select((host, selector), wall);
        }
        let is_meant = |container: &&SimContainer| {
            let shown = container.shown();
            match query {
                TargetQuery::Service(_) | TargetQuery::ServiceId(_) | TargetQuery::ComposeService(_) => false,
                TargetQuery::Id(id) => shown.id == *id,
                TargetQuery::Name(name) => shown.name == *name,
                TargetQuery::Selector(selector) => selector.matches(&shown.labels),
                TargetQuery::Compose { project, service } => {
                    shown.compose() == Some((project.as_str(), service.as_str()))
                }
            }
        };
        let mut found: Vec<&SimContainer> = self.on(host).filter(is_meant).collect();
        match (found.pop(), found.is_empty()) {
            (None, _) => TargetReport::Missing,
            (Some(only), true) => TargetReport::Found(Box::new(self.view(only, wall))),
            (Some(last), false) => {
                found.push(last);
                let mut names: Vec<String> = found.iter().map(|one| one.shown().name.to_string()).collect();
                names.sort();
                TargetReport::Ambiguous(names)
            }
        }
    }

    fn select(&self, (host, selector): (&Host, &Selector), wall: DateTime<Utc>) -> TargetReport {
        let matching = self.on(host).map(SimContainer::shown).filter(|shown| selector.matches(&shown.labels));
        let mut chosen = match selector.choose(matching.map(|shown| (shown.id.clone(), shown.name.clone())).collect()) {
            Ok(chosen) => chosen.into_iter(),
            Err(names) => return TargetReport::Ambiguous(names),
        };
        let Some(first) = chosen.next().and_then(|(id, _)| self.inspect(&id)) else { return TargetReport::Missing };
        let (first, others) = (Box::new(self.view(first, wall)), chosen.collect::<Vec<_>>());
        if others.is_empty() { TargetReport::Found(first) } else { TargetReport::Several { first, others } }
    }

    fn view(&self, target: &SimContainer, wall: DateTime<Utc>) -> TargetView {
        let mode = format!("container:{}", target.shown().id.as_str());
        let listed = |other: &&SimContainer| up(&other.shown().state);
        let sharing = self.containers.iter().filter(|other| other.shown().network_mode == mode).filter(listed);
        let mut dependents: Vec<Container> = sharing.map(|other| other.shown().clone()).collect();
        dependents.sort_by(|a, b| a.name.cmp(&b.name));
        let service = target.shown().compose();
        let host = target.spec().name.host();
        let replicas = self.on(&host).map(SimContainer::shown).filter(|other| other.compose() == service);
        let mut peers: Vec<Container> = replicas.filter(|_| service.is_some()).cloned().collect();
        peers.sort_by(|a, b| a.name.cmp(&b.name));
        let (stop_cause, history) = (target.stop_cause(), target.history(wall));
        let (container, memory_in_use) = (target.shown().clone(), MemoryInUse::NotAsked);
        TargetView { container, dependents, peers, stop_cause, history, memory_in_use }
    }

    /// Carries a call one phase further.
    pub(super) fn carry_on(&mut self, call: &Call, phase: Phase, at: Instant, turns: &mut Turns) -> Next {
        let Some(container) = self.get_mut(&call.id) else { return Next::Over(Reply::NotFound) };
        let state = container.shown().state.clone();
        match (call.verb, phase) {
            (CallVerb::UpdateLimits(change), Phase::Arrived) => {
                let given = container.limit(at.now, at.wall, change.to);
                self.kill_for_memory(&call.id, at, turns);
                Next::Over(if given { Reply::Done } else { Reply::Conflict("memory above swap".to_owned()) })
            }
            (CallVerb::Restart(_), Phase::Arrived) if !up(&state) => {
                Next::Wait(container.spec().nature.start_takes, Phase::Starting)
            }
            (CallVerb::Stop(_), Phase::Arrived) if !up(&state) => Next::Over(Reply::Unchanged),
            (CallVerb::Restart(timeout) | CallVerb::Stop(timeout), Phase::Arrived) => {
                Next::Wait(container.stop_takes(timeout), Phase::Stopped)
            }
            (CallVerb::Start, Phase::Arrived) => match state {
                ContainerState::Running | ContainerState::Restarting => Next::Over(Reply::Unchanged),
                ContainerState::Exited | ContainerState::Created => {
                    Next::Wait(container.spec().nature.start_takes, Phase::Starting)
                }
                ContainerState::Paused | ContainerState::Removing | ContainerState::Dead | ContainerState::Other(_) => {
                    Next::Over(Reply::Conflict("cannot start it now".to_owned()))
                }
            },
            (verb, Phase::Stopped) => {
                if up(&state) {
                    container.stop(at.now, at.wall);
                }
                if container.shown().auto_remove {
                    self.remove(&call.id, at.wall);
                    return Next::Over(Reply::Done);
                }
                match verb {
                    CallVerb::Stop(_) | CallVerb::UpdateLimits(_) => Next::Over(Reply::Done),
                    CallVerb::Restart(_) | CallVerb::Start => {
                        Next::Wait(container.spec().nature.start_takes, Phase::Starting)
                    }
                }
            }
            // Another call was quicker: the starts coalesce.
            (_, Phase::Starting) if up(&state) => Next::Over(Reply::Done),
            (verb, Phase::Starting) => match start(container, at, false, turns) {
                Ok(()) => {
                    if let CallVerb::Restart(_) = verb {
                        container.event(at.now, at.wall, "restart");
                    }
                    Next::Over(Reply::Done)
                }
                Err(error) => Next::Over(Reply::Failed(format!("Cannot restart container: {error}"))),
            },
        }
    }

    /// What is done to a container at once; calls that take their time are made with [`Docker::carry_on`].
    pub(super) fn touch(&mut self, id: &ContainerId, touch: &Touch, at: Instant, turns: &mut Turns) {
        let Some(container) = self.get_mut(id) else { return };
        match touch {
            Touch::Pause => _ = container.pause(at.now, at.wall),
            Touch::Unpause => container.unpause(at.now, at.wall),
            Touch::Sicken => container.turn(Health::Unhealthy),
            Touch::Recover => container.turn(Health::Healthy),
            Touch::Die(exit_code) if container.shown().state == ContainerState::Running => {
                let starts = container.starts();
                let later = container.die(at.now, at.wall, *exit_code);
                turns.extend(later.map(|later| (id.clone(), starts, later)));
                if container.shown().auto_remove {
                    self.remove(id, at.wall);
                }
            }
            Touch::Limit { memory, nano_cpus } => {
                let now = container.shown().limits;
                let limits = memory.map_or(now, |memory| now.with_memory(memory));
                let limits = ResourceLimits { nano_cpus: nano_cpus.unwrap_or(now.nano_cpus), ..limits };
                container.limit(at.now, at.wall, limits);
                self.kill_for_memory(id, at, turns);
            }
            Touch::UseMemory(bytes) => {
                container.use_memory(*bytes);
                self.kill_for_memory(id, at, turns);
            }
            Touch::Remove => self.remove(id, at.wall),
            Touch::Recreate(spec) => {
                self.remove(id, at.wall);
                if let Some(id) = self.create((**spec).clone(), at.wall)
                    && let Some(container) = self.get_mut(&id)
                {
                    // One that does not start is there all the same.
                    _ = start(container, at, false, turns);
                }
            }
            Touch::Die(_) | Touch::Stop | Touch::Start | Touch::Restart => {}
        }
    }

    /// Whose process uses more memory than it may is killed.
    fn kill_for_memory(&mut self, id: &ContainerId, at: Instant, turns: &mut Turns) {
        if self.inspect(id).is_some_and(SimContainer::lacks_memory) {
            self.touch(id, &Touch::Die(137), at, turns);
        }
    }

    /// How much memory the container of a look uses now.
    pub(super) fn look_at_memory(&self, report: &mut TargetReport) {
        if let TargetReport::Found(view) | TargetReport::Several { first: view, .. } = report
            && let Some(container) = self.inspect(&view.container.id)
        {
            view.memory_in_use = MemoryInUse::Known(container.memory_in_use());
        }
    }

    /// Puts a container into a state, as it is found when a story begins.
    pub(super) fn put(&mut self, id: &ContainerId, found: Found, at: Instant) {
        if let Some(container) = self.get_mut(id) {
            container.put(found, at.now, at.wall);
        }
    }

    /// A turn has come, unless the container was started anew since.
    pub(super) fn turn(&mut self, (id, starts, turn): (&ContainerId, usize, Turn), at: Instant, turns: &mut Turns) {
        let Some(container) = self.get_mut(id).filter(|container| container.starts() == starts) else { return };
        match turn {
            Turn::Dies(exit_code) => self.touch(id, &Touch::Die(exit_code), at, turns),
            Turn::Healthy => container.turn(Health::Healthy),
            Turn::Unhealthy => container.turn(Health::Unhealthy),
            Turn::StartsAgain if container.shown().state == ContainerState::Restarting => {
                _ = start(container, at, true, turns);
            }
            Turn::StartsAgain => {}
        }
    }

    /// Starts a container that was just created, as it comes up with its world.
    pub(super) fn start_now(&mut self, id: &ContainerId, at: Instant, turns: &mut Turns) {
        if let Some(container) = self.get_mut(id) {
            _ = start(container, at, false, turns);
        }
    }

    /// The machine lost its power: which containers the engine starts when it comes up again.
    pub(super) fn lose_power(&mut self, at: Instant) -> Vec<ContainerId> {
        let mut again = Vec::new();
        for container in &mut self.containers {
            if container.lose_power(at.now, at.wall) {
                again.push(container.shown().id.clone());
            }
        }
        again
    }

    pub(super) fn forget_history(&mut self) {
        self.containers.iter_mut().for_each(SimContainer::forget_events);
    }

    pub(super) fn remove(&mut self, id: &ContainerId, wall: DateTime<Utc>) {
        if let Some(gone) = self.inspect(id) {
            let predecessor = Predecessor { gone: wall, image: gone.shown().image.clone(), config_hash: None };
            self.removed.insert(gone.spec().name.clone(), predecessor);
        }
        self.containers.retain(|container| container.shown().id != *id);
    }
}

/// States a stop ends.
fn up(state: &ContainerState) -> bool {
    matches!(state, ContainerState::Running | ContainerState::Paused | ContainerState::Restarting)
}

fn start(container: &mut SimContainer, at: Instant, by_policy: bool, turns: &mut Turns) -> Result<(), String> {
    let later = container.start(at.now, at.wall, by_policy)?;
    let (id, starts) = (container.shown().id.clone(), container.starts());
    turns.extend(later.into_iter().map(|later| (id.clone(), starts, later)));
    Ok(())
}
