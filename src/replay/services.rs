//! Services where the replay goes its own way: what an assumed one is, and what becomes of it.
//!
//! As for containers, nothing here is the truth about what would have been.

use crate::model::action::{ServiceAction, TargetIdent};
use crate::model::fact::ActionIntended;
use crate::model::moment::Moment;
use crate::model::owner::ROLLBACK_ENABLE;
use crate::model::reason::Reason;
use crate::model::service::{ImageChange, Mode, Previous, Room, Service, ServiceId, ServiceVitals, Update};
use crate::model::target::{ContainerName, SwarmId, TargetId, TargetQuery};
use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest, Sha256};
use std::time::Duration;

/// How many replicas an assumed service has.
const REPLICAS: u32 = 2;

/// How long an assumed service has been what it is.
const SETTLED_FOR: TimeDelta = TimeDelta::days(1);

/// How long an assumed Compose service has run its image.
const DEPLOYED_FOR: TimeDelta = TimeDelta::minutes(30);

/// A service in whose way nothing stands; `None` if the question is about a container.
pub(super) fn assumed(query: &TargetQuery, now: &Moment) -> Option<Service> {
    let id = match query {
        TargetQuery::Service(name) => ServiceId::Swarm(id_of(name.as_str()), name.clone()),
        TargetQuery::ServiceId(id) => ServiceId::Swarm(id.clone(), ContainerName::parse(id.as_str()).ok()?),
        TargetQuery::ComposeService(service) => ServiceId::Compose(service.clone()),
        TargetQuery::Name(_) | TargetQuery::Compose { .. } | TargetQuery::Id(_) | TargetQuery::Selector(_) => {
            return None;
        }
    };
    let mut service = of(id, now);
    if !service.is_swarm() {
        service.labels.insert(ROLLBACK_ENABLE.to_owned(), "true".to_owned());
        let (image_id, name) = (service.image.clone(), "assumed:1".to_owned());
        let change = ImageChange { image_id, name, at: now.wall - DEPLOYED_FOR, settles_within: Duration::ZERO };
        service.previous.as_mut().into_iter().for_each(|previous| previous.change = Some(change.clone()));
    }
    Some(service)
}

/// A service of which a log tells only who it is, as good as it can be; `None` if it is a container.
pub(super) fn as_recorded(target: &TargetIdent, now: &Moment) -> Option<Service> {
    let id = match &target.id {
        TargetId::Container(_) => return None,
        TargetId::Swarm(id) => ServiceId::Swarm(id.clone(), ContainerName::parse(target.name.bare()).ok()?),
        TargetId::Compose(service) => ServiceId::Compose(service.clone()),
    };
    Some(Service { image: target.image_id.clone(), ..of(id, now) })
}

/// The same right before an act.
pub(super) fn before(intended: &ActionIntended, now: &Moment) -> Option<Service> {
    let service = as_recorded(&intended.target, now)?;
    let ServiceVitals { wanted, running, healthy, image, template, force_update, version, update, previous_image } =
        intended.pre.service()?.clone();
    let previous =
        previous_image.map(|image| Previous { template: image.clone(), image, replicas: wanted, change: None });
    let update = update.as_deref().map(Update::parse);
    Some(Service { wanted, running, healthy, image, template, force_update, version, update, previous, ..service })
}

/// An act has been done to it.
pub(super) fn acted(service: &mut Service, action: &ServiceAction, now: &Moment) {
    match action {
        ServiceAction::Scale { to, .. } => {
            (service.wanted, service.running, service.healthy) = (*to, *to, *to);
        }
        ServiceAction::ForceUpdate { counter } => {
            service.force_update = *counter;
            service.update = Some(Update::Completed);
        }
        ServiceAction::Rollback { to_image, .. } if !service.is_swarm() => {
            service.image.clone_from(to_image);
            service.template = service.previous.take().map(|previous| previous.template).unwrap_or_default();
            service.room.back = Some((Reason::AlreadyRolledBack, "it was rolled back already".to_owned()));
        }
        ServiceAction::Rollback { .. } => {
            if let Some(previous) = service.previous.take() {
                let left = (service.image.clone(), service.template.clone());
                (service.image, service.template) = (previous.image, previous.template);
                service.previous =
                    Some(Previous { image: left.0, template: left.1, replicas: previous.replicas, change: None });
            }
            service.update = Some(Update::RolledBack);
        }
    }
    service.version += 1;
    service.changed = Some(now.wall);
}

/// A look at another time than its own: Docker's clock went on, and what came later has not happened yet.
pub(super) fn moved(mut service: Service, seen: DateTime<Utc>, now: DateTime<Utc>) -> Service {
    service.now += now - seen;
    let docker_now = service.now;
    service.changed = service.changed.map(|changed| changed.min(docker_now));
    service
}

fn of(id: ServiceId, now: &Moment) -> Service {
    let since = Some(now.wall - SETTLED_FOR);
    Service {
        id,
        image: "assumed:2".to_owned(),
        template: "assumed:2".to_owned(),
        mode: Mode::Replicated,
        wanted: REPLICAS,
        running: REPLICAS,
        healthy: REPLICAS,
        update: None,
        previous: Some(Previous {
            image: "assumed:1".to_owned(),
            replicas: REPLICAS,
            template: "assumed:1".to_owned(),
            change: None,
        }),
        force_update: 0,
        version: 1,
        monitor: Duration::ZERO,
        down_at_once: 1,
        most: None,
        mixed: false,
        created: since,
        changed: since,
        now: now.wall,
        labels: [("sickbay.enable".to_owned(), "true".to_owned())].into(),
        room: Room::default(),
        stop_timeout: None,
    }
}

fn id_of(name: &str) -> SwarmId {
    let digits: String = hex::encode(Sha256::digest(name)).chars().take(25).collect();
    SwarmId::parse(&digits).expect("25 hex digits have the form of a service id")
}
