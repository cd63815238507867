//! Services on the simulated engine: how they are found, and what calls and people do to them.
//!
//! A Swarm service is an object of its own. A Compose service is the containers with its labels; it is scaled by one more
//! of them, made like the one with the lowest number, or by taking the highest away.

use super::clock::SimTime;
use super::container::{ContainerSpec, Life, SimContainer};
use super::docker::{Caller, Docker, Instant, Reply, Turns};
use super::service::{Definition, ServiceSpec, ServiceTouch, ServiceTurn, ServiceTurns, SimService};
use super::world::{Pending, World};
use crate::model::action::ServiceAction;
use crate::model::container::{COMPOSE_CONFIG_HASH, Container, ContainerState, Health};
use crate::model::host::Host;
use crate::model::owner_names::{CLONE_OF, ROLLED_BACK_FROM};
use crate::model::reason::Reason;
use crate::model::service::{ImageChange, Mode, Obstacle, Previous, Room, Service, ServiceId};
use crate::model::target::{ComposeService, ContainerName, SwarmId, TargetId, TargetName};
use chrono::{DateTime, Utc};
use std::time::Duration;

/// Compose's label for a replica's number.
const COMPOSE_NUMBER: &str = "com.docker.compose.container-number";

/// A call that changes a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceCall {
    /// Which.
    pub id: TargetId,
    /// What.
    pub action: ServiceAction,
    /// The version index that the caller read.
    pub version: u64,
    /// Whose.
    pub by: Caller,
}

/// How long a replica without a health check must run to count as well.
const RUNS_FOR: Duration = Duration::from_secs(10);

/// What a Compose service ran before its present image.
#[derive(Clone, Debug)]
pub(super) struct ImageBefore {
    image: String,
    /// When the present one came.
    at: DateTime<Utc>,
}

/// Whether a replica that lives so gets well after its start.
fn comes_up(life: &Life, spec: &ContainerSpec) -> bool {
    let lasts = life.dies.is_none_or(|(after, _)| RUNS_FOR < after);
    !life.fails_to_start && lasts && (spec.health_check.is_none() || life.healthy_after.is_some())
}

/// One change of what a service is to be, whoever made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceChange {
    /// When.
    pub at: SimTime,
    /// Which service.
    pub id: TargetId,
    /// Whose change; `None` if Swarm itself took an update back.
    pub by: Option<Caller>,
    /// As it was.
    pub before: Definition,
    /// As it is.
    pub after: Definition,
    /// How many replicas were healthy just before.
    pub healthy: u32,
}

impl Docker {
    /// The Swarm services.
    #[must_use]
    pub fn services(&self) -> &[SimService] {
        &self.services
    }

    /// The service of this ID, as it is shown.
    #[must_use]
    pub fn inspect_service(&self, id: &TargetId, wall: DateTime<Utc>) -> Option<Service> {
        match id {
            TargetId::Container(_) => None,
            TargetId::Swarm(id) => self.service(|service| service.id() == id, wall),
            TargetId::Compose(service) => self.composed(service, wall),
        }
    }

    /// The ID of what people call so.
    #[must_use]
    pub fn service_by_name(&self, name: &TargetName) -> Option<TargetId> {
        let swarm = self.services.iter().find(|service| name.bare() == service.spec().name.as_str());
        swarm.map(|service| TargetId::Swarm(service.id().clone())).or_else(|| {
            let service = ComposeService::parse(name.as_str())?;
            (!self.replicas(&service).is_empty()).then_some(TargetId::Compose(service))
        })
    }

    pub(super) fn create_service(&mut self, spec: ServiceSpec, at: Instant, created: DateTime<Utc>) -> ServiceTurns {
        let number = self.services.len();
        let Some(id) = SwarmId::parse(&format!("s{number:024}")) else { return ServiceTurns::new() };
        let (service, turns) = SimService::new(id, spec, at, created);
        self.services.push(service);
        turns
    }

    pub(super) fn service(&self, is_meant: impl Fn(&SimService) -> bool, wall: DateTime<Utc>) -> Option<Service> {
        self.services.iter().find(|service| is_meant(service)).map(|service| service.shown(wall))
    }

    /// The replicas of a Compose service on the first host, lowest number first.
    fn replicas(&self, service: &ComposeService) -> Vec<&SimContainer> {
        let of = Some((service.project.as_str(), service.service.as_str()));
        let mut replicas: Vec<&SimContainer> =
            self.on(&Host::First).filter(|container| container.shown().compose() == of).collect();
        replicas.sort_by_key(|replica| number_of(replica.shown()));
        replicas
    }

    pub(super) fn composed(&self, service: &ComposeService, wall: DateTime<Utc>) -> Option<Service> {
        let replicas = self.replicas(service);
        let first = replicas.first()?.shown();
        let count = |counts: &dyn Fn(&Container) -> bool| {
            u32::try_from(replicas.iter().filter(|replica| counts(replica.shown())).count()).unwrap_or(u32::MAX)
        };
        let runs = |one: &Container| one.state == ContainerState::Running;
        let well = |one: &Container| runs(one) && one.health.as_ref().is_none_or(|health| *health == Health::Healthy);
        let like_the_first = |one: &Container| (&one.image_id, hash(one)) == (&first.image_id, hash(first));
        let created = replicas.iter().filter_map(|replica| replica.shown().created.parse::<DateTime<Utc>>().ok());
        let oldest = created.clone().min();
        Some(Service {
            id: ServiceId::Compose(service.clone()),
            image: first.image.clone(),
            template: hash(first),
            mode: Mode::Replicated,
            wanted: count(&|_| true),
            running: count(&runs),
            healthy: count(&well),
            update: None,
            previous: self.image_before(service, first, &replicas),
            force_update: 0,
            version: 0,
            monitor: Duration::ZERO,
            down_at_once: 1,
            most: None,
            mixed: !replicas.iter().all(|replica| like_the_first(replica.shown())),
            created: oldest,
            changed: created.chain(self.recomposed.get(service).copied()).max(),
            now: wall,
            labels: first.labels.clone(),
            room: self.room(service, &replicas),
            stop_timeout: replicas.iter().filter_map(|replica| replica.shown().stop_timeout).max(),
        })
    }

    /// How far the number can be moved: what is ours can be taken away, and somebody may have said that there is no more.
    fn room(&self, service: &ComposeService, replicas: &[&SimContainer]) -> Room {
        let ours = replicas.iter().filter(|replica| is_ours(replica.shown())).count();
        let others = (ours < replicas.len()).then(|| {
            let words = format!("{ours} of {} replicas were added by sickbay", replicas.len());
            (u32::try_from(ours).unwrap_or(u32::MAX), (Reason::NotOurReplicas, words))
        });
        let more = self.obstacles.get(service).map(|reason| (*reason, format!("{service} cannot be copied")));
        let rolled_back = replicas.iter().any(|replica| replica.shown().labels.contains_key(ROLLED_BACK_FROM));
        let back = match rolled_back {
            true => Some((Reason::AlreadyRolledBack, format!("{service} was rolled back already"))),
            false => self.no_way_back(service),
        };
        Room { more, fewer: others, back }
    }

    /// What a service is to be, as far as a change of it is told.
    fn definition(&self, id: &TargetId, wall: DateTime<Utc>) -> Option<(Definition, u32)> {
        let shown = self.inspect_service(id, wall)?;
        let rest = match id {
            TargetId::Swarm(id) => {
                self.services.iter().find(|service| service.id() == id).map(|service| service.definition().rest.clone())
            }
            TargetId::Compose(_) | TargetId::Container(_) => None,
        };
        let definition = Definition {
            image: shown.image,
            rest: rest.unwrap_or(shown.template),
            replicas: shown.wanted,
            force_update: shown.force_update,
        };
        Some((definition, shown.healthy))
    }

    /// A call arrives.
    pub(super) fn change(&mut self, call: &ServiceCall, at: Instant, turns: &mut BothTurns) -> Reply {
        let done = match &call.id {
            TargetId::Container(_) => return Reply::NotFound,
            TargetId::Swarm(id) => {
                let Some(service) = self.services.iter_mut().find(|service| service.id() == id) else {
                    return Reply::NotFound;
                };
                service.call((&call.action, call.version), at, &mut turns.of_services)
            }
            TargetId::Compose(service) => match &call.action {
                ServiceAction::Scale { from, to, .. } => {
                    let found = self.replicas(service).len();
                    if usize::try_from(*from) == Ok(found) {
                        self.recompose(service, (*to, true), at, turns);
                        Ok(())
                    } else {
                        Err(format!("somebody else scales: {found} replicas"))
                    }
                }
                ServiceAction::Rollback { from_image, to_image } => {
                    self.take_back(service, (from_image, to_image), at, turns)
                }
                ServiceAction::ForceUpdate { .. } => Err("not for Compose".to_owned()),
            },
        };
        done.map_or_else(Reply::Failed, |()| Reply::Done)
    }

    /// A person, a deployment or a process does something to a service.
    pub(super) fn touch_service(&mut self, id: &TargetId, touch: &ServiceTouch, at: Instant, turns: &mut BothTurns) {
        match id {
            TargetId::Container(_) => {}
            TargetId::Swarm(id) if matches!(touch, ServiceTouch::Remove) => {
                self.services.retain(|service| service.id() != id);
            }
            TargetId::Swarm(id) => {
                if let Some(service) = self.services.iter_mut().find(|service| service.id() == id) {
                    service.touch(touch, at, &mut turns.of_services);
                }
            }
            TargetId::Compose(service) => self.touch_composed(service, touch, at, turns),
        }
    }

    fn touch_composed(&mut self, service: &ComposeService, touch: &ServiceTouch, at: Instant, turns: &mut BothTurns) {
        let replicas = self.replicas(service);
        let last = replicas.last().map(|last| (last.shown().id.clone(), last.spec().clone()));
        match (touch, last) {
            (ServiceTouch::Scale(to), _) => self.recompose(service, (*to, false), at, turns),
            (ServiceTouch::Remove, _) => self.recompose(service, (0, false), at, turns),
            (ServiceTouch::Obstruct(reason), _) => drop(self.obstacles.insert(service.clone(), *reason)),
            // One replica after the other: this is the first of them.
            (ServiceTouch::Deploy(image), Some((id, spec))) => {
                self.recomposed.insert(service.clone(), at.wall);
                if spec.image_id != *image {
                    let before = ImageBefore { image: spec.image_id.clone(), at: at.wall };
                    self.images_before.insert(service.clone(), before);
                }
                let mut spec = ContainerSpec { image_id: image.clone(), ..spec };
                spec.image = spec.image.map(|_| image.clone());
                spec.labels.remove(ROLLED_BACK_FROM);
                let touch = super::input::Touch::Recreate(Box::new(spec));
                self.touch(&id, &touch, at, &mut turns.of_containers);
            }
            (ServiceTouch::KillOne, Some((id, _))) => {
                self.touch(&id, &super::input::Touch::Die(137), at, &mut turns.of_containers);
            }
            (ServiceTouch::SickenOne, Some((id, _))) => {
                self.touch(&id, &super::input::Touch::Sicken, at, &mut turns.of_containers);
            }
            (ServiceTouch::ForceUpdate, _) | (_, None) => {}
        }
    }

    /// What the service ran before, as far as anybody saw it.
    fn image_before(
        &self,
        service: &ComposeService,
        first: &Container,
        replicas: &[&SimContainer],
    ) -> Option<Previous> {
        let ImageBefore { image, at } = self.images_before.get(service)?;
        let settles =
            replicas.iter().filter_map(|replica| replica.shown().health_check).map(|check| check.settles_within());
        let change = ImageChange {
            image_id: first.image_id.clone(),
            name: image.clone(),
            at: *at,
            settles_within: settles.max().unwrap_or_default(),
        };
        let replicas = u32::try_from(replicas.len()).unwrap_or(u32::MAX);
        Some(Previous { image: image.clone(), replicas, template: hash(first), change: Some(change) })
    }

    fn no_way_back(&self, service: &ComposeService) -> Option<Obstacle> {
        let unknown = || (Reason::PreviousImageUnknown, format!("what {service} ran before is not known"));
        (!self.images_before.contains_key(service)).then(unknown)
    }

    /// Each replica is replaced by one of the other image; one that does not get well is put back.
    fn take_back(
        &mut self,
        service: &ComposeService,
        (from, to): (&str, &str),
        at: Instant,
        turns: &mut BothTurns,
    ) -> Result<(), String> {
        let replicas: Vec<_> =
            self.replicas(service).iter().map(|one| (one.shown().id.clone(), one.spec().clone())).collect();
        let known = self.images_before.get(service).is_some_and(|before| before.image == to);
        if !known || replicas.iter().any(|(_, spec)| spec.image_id != from) {
            return Err("somebody has deployed another image since".to_owned());
        }
        for (id, spec) in replicas {
            let life = self.next_life(service).or(spec.nature.lives.first().copied()).unwrap_or_default();
            if !comes_up(&life, &spec) {
                return Err(format!("{} did not get well; it was put back as it was", spec.name));
            }
            let mut spec = ContainerSpec { image_id: to.to_owned(), ..spec };
            spec.image = spec.image.map(|_| to.to_owned());
            spec.labels.insert(ROLLED_BACK_FROM.to_owned(), from.to_owned());
            spec.nature.lives = vec![life];
            self.recomposed.insert(service.clone(), at.wall);
            self.remove(&id, at.wall);
            let Some(id) = self.create(spec, at.wall) else { return Err("its name is taken".to_owned()) };
            self.start_now(&id, at, &mut turns.of_containers);
        }
        Ok(())
    }

    /// How the next replica lives that is made, if somebody has said so.
    fn next_life(&mut self, service: &ComposeService) -> Option<Life> {
        let lives = self.to_come.get_mut(service)?;
        if lives.len() <= 1 { lives.front().copied() } else { lives.pop_front() }
    }

    /// As many replicas as there are to be, made like the first, or taken away from the highest number on: only our own if
    /// it is us.
    fn recompose(&mut self, service: &ComposeService, (to, us): (u32, bool), at: Instant, turns: &mut BothTurns) {
        let to = usize::try_from(to).unwrap_or(usize::MAX);
        let Some(first) = self.replicas(service).first().map(|first| first.spec().clone()) else { return };
        self.recomposed.insert(service.clone(), at.wall);
        loop {
            let replicas = self.replicas(service);
            if replicas.len() == to {
                return;
            }
            if to < replicas.len() {
                let removable = replicas.iter().rev().find(|replica| !us || is_ours(replica.shown()));
                let Some(id) = removable.map(|replica| replica.shown().id.clone()) else { return };
                self.remove(&id, at.wall);
                continue;
            }
            let number = replicas.last().map_or(0, |last| number_of(last.shown())) + 1;
            let Ok(name) = ContainerName::parse(&format!("{}-{}-{number}", service.project, service.service)) else {
                return;
            };
            let mut labels = first.labels.clone();
            labels.insert(COMPOSE_NUMBER.to_owned(), number.to_string());
            labels.remove(CLONE_OF);
            if us {
                labels.insert(CLONE_OF.to_owned(), first.name.to_string());
            }
            let mut spec = ContainerSpec { name: TargetName::from(&name), labels, lives_with: None, ..first.clone() };
            if self.to_come.contains_key(service) {
                spec.nature.lives = self.next_life(service).into_iter().collect();
            }
            let Some(id) = self.create(spec, at.wall) else { return };
            self.start_now(&id, at, &mut turns.of_containers);
        }
    }

    /// Something happens to a service by itself.
    pub(super) fn service_turn(&mut self, id: &SwarmId, turn: ServiceTurn, at: Instant, turns: &mut ServiceTurns) {
        if let Some(service) = self.services.iter_mut().find(|service| service.id() == id) {
            service.turn(turn, at, turns);
        }
    }

    pub(super) fn boot_services(&mut self, at: Instant, turns: &mut ServiceTurns) {
        self.services.iter_mut().for_each(|service| service.boot(at, turns));
    }

    /// Does something, and tells what it changed about what services are to be.
    pub(super) fn told<T>(
        &mut self,
        (id, by): (&TargetId, Option<Caller>),
        at: Instant,
        does: impl FnOnce(&mut Self) -> T,
    ) -> (T, Option<ServiceChange>) {
        let before = self.definition(id, at.wall);
        let done = does(self);
        let after = self.definition(id, at.wall);
        let change = before.zip(after).filter(|((before, _), (after, _))| before != after);
        let change = change.map(|((before, healthy), (after, _))| ServiceChange {
            at: at.now,
            id: id.clone(),
            by,
            before,
            after,
            healthy,
        });
        (done, change)
    }
}

impl World {
    /// How the replicas of a Compose service live that are made from here on, one after the other.
    pub fn script_replicas(&mut self, service: ComposeService, lives: Vec<Life>) {
        self.docker.to_come.insert(service, lives.into());
    }

    /// What the replicas of a Compose service ran before, until this long from now.
    pub fn script_image_before(&mut self, service: ComposeService, image: String, until: Duration) {
        let at = self.instant().wall + until;
        self.docker.images_before.insert(service, ImageBefore { image, at });
    }

    pub(super) fn put_service_turns(&mut self, turns: ServiceTurns) {
        for (id, after, turn) in turns {
            self.later(after, Pending::ServiceTurn(id, turn));
        }
    }

    fn put_both(&mut self, turns: BothTurns) {
        self.put(turns.of_containers);
        self.put_service_turns(turns.of_services);
    }

    /// A call that changes a service arrives.
    pub(super) fn change_service(&mut self, call: &ServiceCall) {
        let (at, mut turns) = (self.instant(), BothTurns::default());
        let whose = (&call.id, Some(call.by));
        let (reply, change) = self.docker.told(whose, at, |docker| docker.change(call, at, &mut turns));
        self.seen.service_changes.extend(change);
        self.put_both(turns);
        if let Caller::Daemon(write) = call.by {
            self.call_replied(write, &reply);
        }
    }

    pub(super) fn turn_service(&mut self, id: &SwarmId, turn: ServiceTurn) {
        let (at, mut turns) = (self.instant(), ServiceTurns::new());
        let target = TargetId::Swarm(id.clone());
        let does = |docker: &mut Docker| docker.service_turn(id, turn, at, &mut turns);
        let ((), change) = self.docker.told((&target, None), at, does);
        self.seen.service_changes.extend(change);
        self.put_service_turns(turns);
    }

    /// Somebody does something to a service.
    pub(super) fn touch_service(&mut self, name: &TargetName, touch: &ServiceTouch) {
        let Some(id) = self.docker.service_by_name(name).filter(|_| self.has_power) else { return };
        let (at, mut turns) = (self.instant(), BothTurns::default());
        let whose = (&id, Some(Caller::Person));
        let does = |docker: &mut Docker| docker.touch_service(&id, touch, at, &mut turns);
        let ((), change) = self.docker.told(whose, at, does);
        self.seen.service_changes.extend(change);
        self.put_both(turns);
    }
}

/// What will happen by itself to containers and services.
#[derive(Debug, Default)]
pub(super) struct BothTurns {
    pub(super) of_containers: Turns,
    pub(super) of_services: ServiceTurns,
}

fn is_ours(container: &Container) -> bool {
    container.labels.contains_key(CLONE_OF)
}

fn number_of(container: &Container) -> u32 {
    container.labels.get(COMPOSE_NUMBER).and_then(|number| number.parse().ok()).unwrap_or(1)
}

/// What Compose tells its definition by; without the label, the image.
fn hash(container: &Container) -> String {
    container.labels.get(COMPOSE_CONFIG_HASH).unwrap_or(&container.image_id).clone()
}
