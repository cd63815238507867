//! The simulated Docker engine: its containers, and what calls do to them, by the table of states that real engines
//! showed.

use super::clock::SimTime;
use super::container::{ContainerSpec, Later, SimContainer, Turn};
use super::input::Touch;
use crate::model::container::{Container, ContainerState, Health, Predecessor, TargetReport, TargetView};
use crate::model::target::{ContainerId, ContainerName, TargetQuery};
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;
use std::time::Duration;

/// The engine.
#[derive(Clone, Debug, Default)]
pub struct Docker {
    containers: Vec<SimContainer>,
    created: u64,
    /// The last one removed of each name.
    removed: BTreeMap<ContainerName, Predecessor>,
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

    /// The container of this name.
    #[must_use]
    pub fn by_name(&self, name: &str) -> Option<&SimContainer> {
        self.containers.iter().find(|container| container.shown().name.as_str() == name)
    }

    fn get_mut(&mut self, id: &ContainerId) -> Option<&mut SimContainer> {
        self.containers.iter_mut().find(|container| container.shown().id == *id)
    }

    /// Creates a container, not started; `None` if its name is taken.
    pub(super) fn create(&mut self, spec: ContainerSpec, wall: DateTime<Utc>) -> Option<ContainerId> {
        if self.by_name(spec.name.as_str()).is_some() {
            return None;
        }
        self.created += 1;
        let digits = format!("{:016x}", self.created.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let id = ContainerId::parse(&digits.repeat(4))?;
        let parent = spec.lives_with.as_ref().and_then(|parent| self.by_name(parent.as_str()));
        let network =
            parent.map_or_else(|| "bridge".to_owned(), |parent| format!("container:{}", parent.shown().id.as_str()));
        let predecessor = self.removed.get(&spec.name).cloned();
        self.containers.push(SimContainer::new(id.clone(), spec, (network, predecessor), wall));
        Some(id)
    }

    /// Which container is meant, with what shares its namespace.
    #[must_use]
    pub fn resolve(&self, query: &TargetQuery, wall: DateTime<Utc>) -> TargetReport {
        let is_meant = |container: &&SimContainer| {
            let shown = container.shown();
            match query {
                TargetQuery::Id(id) => shown.id == *id,
                TargetQuery::Name(name) => shown.name == *name,
                TargetQuery::Compose { project, service } => {
                    shown.compose() == Some((project.as_str(), service.as_str()))
                }
            }
        };
        let mut found: Vec<&SimContainer> = self.containers.iter().filter(is_meant).collect();
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

    fn view(&self, target: &SimContainer, wall: DateTime<Utc>) -> TargetView {
        let mode = format!("container:{}", target.shown().id.as_str());
        let listed = |other: &&SimContainer| up(&other.shown().state);
        let sharing = self.containers.iter().filter(|other| other.shown().network_mode == mode).filter(listed);
        let mut dependents: Vec<Container> = sharing.map(|other| other.shown().clone()).collect();
        dependents.sort_by(|a, b| a.name.cmp(&b.name));
        let service = target.shown().compose();
        let replicas = self.containers.iter().map(SimContainer::shown).filter(|other| other.compose() == service);
        let mut peers: Vec<Container> = replicas.filter(|_| service.is_some()).cloned().collect();
        peers.sort_by(|a, b| a.name.cmp(&b.name));
        let (stop_cause, history) = (target.stop_cause(), target.history(wall));
        TargetView { container: target.shown().clone(), dependents, peers, stop_cause, history }
    }

    /// Carries a call one phase further.
    pub(super) fn carry_on(&mut self, call: &Call, phase: Phase, at: Instant, turns: &mut Turns) -> Next {
        let Some(container) = self.get_mut(&call.id) else { return Next::Over(Reply::NotFound) };
        let state = container.shown().state.clone();
        match (call.verb, phase) {
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
                    CallVerb::Stop(_) => Next::Over(Reply::Done),
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
            Touch::Die(exit_code) if container.shown().state == ContainerState::Running => {
                let starts = container.starts();
                let later = container.die(at.now, at.wall, *exit_code);
                turns.extend(later.map(|later| (id.clone(), starts, later)));
                if container.shown().auto_remove {
                    self.remove(id, at.wall);
                }
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

    fn remove(&mut self, id: &ContainerId, wall: DateTime<Utc>) {
        let gone = self.containers.iter().map(SimContainer::shown).find(|container| container.id == *id);
        if let Some(gone) = gone {
            let predecessor = Predecessor { gone: wall, image: gone.image.clone(), config_hash: None };
            self.removed.insert(gone.name.clone(), predecessor);
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
