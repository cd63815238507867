//! Compose services as the containers that carry their labels, stopped ones included: so Compose itself counts them.
//!
//! What Compose runs once and throws away is no replica. When a replica was last made shows on the replicas; when one was
//! removed only Docker's event history tells, as far as it reaches back. Read [`replicas`] and `service`.

use crate::docker::client::{Inspected, Reader, percent_encode};
use crate::docker::error::DockerError;
use crate::docker::events::{BACK_SECS, parse};
use crate::docker::many::inspect_all;
use crate::docker::resolve::PEERS_MAX;
use crate::model::container::{
    COMPOSE_CONFIG_HASH, COMPOSE_ONEOFF, COMPOSE_PROJECT, COMPOSE_SERVICE, Container, ContainerState, Health,
};
use crate::model::docker_call::DockerCall;
use crate::model::owner::narrowest;
use crate::model::service::{Mode, Room, Service, ServiceId};
use crate::model::target::{ComposeService, ContainerId};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use std::time::Duration;

/// Compose's label for a replica's number.
pub const COMPOSE_NUMBER: &str = "com.docker.compose.container-number";

/// Compose's label on what it runs before or after a service's containers.
const COMPOSE_HOOK: &str = "com.docker.compose.hook";

/// How long reading the history may take.
const HISTORY_WITHIN: Duration = Duration::from_secs(8);

/// One replica: decoded, and raw.
pub struct Replica {
    /// Its number, by its label; 1 without one.
    pub number: u32,
    /// What a gate reads of it.
    pub container: Container,
    /// What `GET /containers/{id}/json` answered.
    pub json: Value,
    /// The engine's clock when it answered.
    pub now: Option<DateTime<Utc>>,
}

/// Every replica of a Compose service, the lowest number first. One that cannot be read, or too many of them, is an error:
/// whoever counts them must be able to trust the number.
///
/// # Errors
/// [`DockerError`] if Docker cannot be asked.
pub async fn replicas(reader: &Reader, service: &ComposeService) -> Result<Vec<Replica>, DockerError> {
    let labels = [format!("{COMPOSE_PROJECT}={}", service.project), format!("{COMPOSE_SERVICE}={}", service.service)];
    let listed = reader.list(true, &json!({"label": labels})).await?;
    let ids: Vec<ContainerId> = listed.into_iter().map(|entry| entry.id).collect();
    if PEERS_MAX < ids.len() {
        let message = format!("the Compose service {service} has {} containers; {PEERS_MAX} are looked at", ids.len());
        return Err(DockerError::Invalid(message));
    }
    let mut replicas = Vec::new();
    for (_, seen) in inspect_all(reader, ids).await? {
        let Inspected { container, json, answered_at } = seen?;
        if is_replica(&container, service) {
            replicas.push(Replica { number: number(&container), container, json, now: answered_at });
        }
    }
    replicas.sort_by(|a, b| (a.number, &a.container.name).cmp(&(b.number, &b.container.name)));
    Ok(replicas)
}

/// A Compose service as a whole; `None` without any replica.
pub(super) async fn look(reader: &Reader, service: &ComposeService) -> Result<Option<Service>, DockerError> {
    told(reader, service, &replicas(reader, service).await?).await
}

async fn told(reader: &Reader, service: &ComposeService, replicas: &[Replica]) -> Result<Option<Service>, DockerError> {
    let Some(now) = replicas.iter().filter_map(|replica| replica.now).max() else {
        return match replicas.is_empty() {
            true => Ok(None),
            false => Err(DockerError::Invalid("docker does not say what time it is".to_owned())),
        };
    };
    let removed = last_removal(reader, (service, now)).await?;
    Ok(self::service(service, replicas, (removed, now)))
}

/// A Compose service as a whole, how far its number of replicas can be moved, and what it can be taken back to: that takes a
/// few questions more.
pub(super) async fn look_closely(reader: &Reader, service: &ComposeService) -> Result<Option<Service>, DockerError> {
    let replicas = replicas(reader, service).await?;
    let Some(found) = told(reader, service, &replicas).await? else { return Ok(None) };
    let room = crate::docker::compose::room(reader, &replicas).await?;
    Ok(Some(match crate::docker::compose::back(reader, service, &replicas).await? {
        Ok(previous) => Service { room, previous: Some(previous), ..found },
        Err(obstacle) => Service { room: Room { back: Some(obstacle), ..room }, ..found },
    }))
}

/// Whether anybody removed a replica, as far as that is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Removal {
    /// None that is remembered.
    NoneKnown,
    /// At this moment, by the engine's clock.
    At(DateTime<Utc>),
    /// The history may not be read.
    Unknown,
}

async fn last_removal(
    reader: &Reader,
    (service, now): (&ComposeService, DateTime<Utc>),
) -> Result<Removal, DockerError> {
    let labels = [format!("{COMPOSE_PROJECT}={}", service.project), format!("{COMPOSE_SERVICE}={}", service.service)];
    let filters = json!({"type": ["container"], "event": ["destroy"], "label": labels});
    let since = now - TimeDelta::seconds(BACK_SECS);
    let (since, until) = (since.timestamp(), now.timestamp());
    let path = format!("/events?since={since}&until={until}&filters={}", percent_encode(&filters.to_string()));
    let told = match reader.get(DockerCall::Events, &path, HISTORY_WITHIN).await {
        Ok(reply) => parse(&reply.body).into_iter().map(|event| event.at).max(),
        Err(
            DockerError::Denied { .. }
            | DockerError::Rejected { .. }
            | DockerError::Server { .. }
            | DockerError::NotFound(_)
            | DockerError::Conflict(_)
            | DockerError::Invalid(_),
        ) => return Ok(Removal::Unknown),
        Err(
            error @ (DockerError::NotSent(_) | DockerError::OutcomeUnknown(_) | DockerError::UnsupportedVersion { .. }),
        ) => return Err(error),
    };
    let heard = reader.memory(|memory| {
        let destroyed = memory.recall().0.filter(|event| event.action == "destroy");
        destroyed.filter(|event| is_name_of_a_replica(&event.name, service)).map(|event| event.at).max()
    });
    Ok(told.max(heard).map_or(Removal::NoneKnown, Removal::At))
}

fn service(of: &ComposeService, replicas: &[Replica], (removed, now): (Removal, DateTime<Utc>)) -> Option<Service> {
    let first = &replicas.first()?.container;
    let count = |counts: &dyn Fn(&Container) -> bool| {
        u32::try_from(replicas.iter().filter(|replica| counts(&replica.container)).count()).unwrap_or(u32::MAX)
    };
    let made = |one: &Container| (hash(one), one.image_id.clone());
    let created: Vec<DateTime<Utc>> =
        replicas.iter().filter_map(|replica| replica.container.created.parse().ok()).collect();
    // A replica of unknown age may be as young as can be.
    let all_known = created.len() == replicas.len();
    let youngest = created.iter().max().copied().filter(|_| all_known);
    let changed = match removed {
        Removal::NoneKnown => youngest,
        Removal::At(at) => youngest.map(|youngest| youngest.max(at)),
        Removal::Unknown => None,
    };
    Some(Service {
        id: ServiceId::Compose(of.clone()),
        image: first.image.clone(),
        template: hash(first),
        mode: Mode::Replicated,
        wanted: count(&|_| true),
        running: count(&|one| one.state == ContainerState::Running),
        healthy: count(&is_well),
        update: None,
        previous: None,
        force_update: 0,
        version: 0,
        monitor: Duration::ZERO,
        down_at_once: 1,
        most: None,
        mixed: replicas.iter().any(|replica| made(&replica.container) != made(first)),
        created: created.iter().min().copied().filter(|_| all_known),
        changed,
        now,
        labels: replicas.iter().skip(1).fold(first.labels.clone(), |all, replica| {
            // Whoever says no speaks for all of them.
            narrowest(all, &replica.container.labels)
        }),
        room: Room::default(),
        stop_timeout: replicas.iter().filter_map(|replica| replica.container.stop_timeout).max(),
    })
}

/// What Compose tells its definition by.
fn hash(container: &Container) -> String {
    container.labels.get(COMPOSE_CONFIG_HASH).cloned().unwrap_or_default()
}

/// Running, and healthy where it has a health check.
pub(in crate::docker) fn is_well(container: &Container) -> bool {
    let healthy = container.health.as_ref().is_none_or(|health| *health == Health::Healthy);
    container.state == ContainerState::Running && healthy
}

fn is_replica(container: &Container, service: &ComposeService) -> bool {
    let label = |key: &str| container.labels.get(key).map(String::as_str);
    let once = label(COMPOSE_ONEOFF).is_some_and(|once| !once.eq_ignore_ascii_case("false"));
    let meant = label(COMPOSE_PROJECT) == Some(service.project.as_str())
        && label(COMPOSE_SERVICE) == Some(service.service.as_str());
    meant && !once && label(COMPOSE_HOOK).is_none()
}

fn number(container: &Container) -> u32 {
    container.labels.get(COMPOSE_NUMBER).and_then(|number| number.parse().ok()).unwrap_or(1)
}

/// Whether a name is one that Compose gives a replica: `project-service-3`, or with `_`.
fn is_name_of_a_replica(name: &str, service: &ComposeService) -> bool {
    let number = |separator: char| {
        let rest = name.strip_prefix(service.project.as_str())?.strip_prefix(separator)?;
        rest.strip_prefix(service.service.as_str())?.strip_prefix(separator)
    };
    let number = number('-').or_else(|| number('_'));
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docker::convert::container;

    fn at(secs: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_000_000 + secs, 0).unwrap()
    }

    fn shop_web() -> ComposeService {
        ComposeService::parse("shop/web").unwrap()
    }

    fn replica(number: u32, created: i64, change: impl Fn(&mut Value)) -> Replica {
        let mut json = json!({
            "Id": format!("{number:064x}"),
            "Name": format!("/shop-web-{number}"),
            "Created": at(created).to_rfc3339(),
            "Image": "sha256:11",
            "State": {"Status": "running"},
            "Config": {"Image": "web:1", "Labels": {
                COMPOSE_PROJECT: "shop", COMPOSE_SERVICE: "web", COMPOSE_ONEOFF: "False",
                COMPOSE_CONFIG_HASH: "c0", COMPOSE_NUMBER: number.to_string(),
            }},
        });
        change(&mut json);
        let container = container(&json).unwrap();
        Replica { number: self::number(&container), container, json, now: Some(at(0)) }
    }

    fn read(replicas: &[Replica], removed: Removal) -> Service {
        service(&shop_web(), replicas, (removed, at(0))).unwrap()
    }

    #[test]
    fn a_service_is_what_its_replicas_are() {
        let plain = || vec![replica(1, -500, |_| {}), replica(2, -300, |_| {})];
        let found = read(&plain(), Removal::NoneKnown);
        assert_eq!((found.wanted, found.running, found.healthy, found.mixed), (2, 2, 2, false));
        assert_eq!((found.created, found.changed), (Some(at(-500)), Some(at(-300))));
        assert_eq!((found.template.as_str(), found.image.as_str()), ("c0", "web:1"));
        assert_eq!(read(&plain(), Removal::At(at(-100))).changed, Some(at(-100)));
        assert_eq!(read(&plain(), Removal::At(at(-400))).changed, Some(at(-300)));
        assert_eq!(read(&plain(), Removal::Unknown).changed, None);
        let with = |change: fn(&mut Value)| vec![replica(1, -500, |_| {}), replica(2, -300, change)];
        let stopped = read(&with(|json| json["State"]["Status"] = json!("exited")), Removal::NoneKnown);
        assert_eq!((stopped.wanted, stopped.running, stopped.healthy), (2, 1, 1));
        let ill = |json: &mut Value| json["State"]["Health"] = json!({"Status": "unhealthy"});
        let ill = read(&with(ill), Removal::NoneKnown);
        assert_eq!((ill.running, ill.healthy), (2, 1));
        assert!(read(&with(|json| json["Image"] = json!("sha256:22")), Removal::NoneKnown).mixed);
        let redefined = |json: &mut Value| json["Config"]["Labels"][COMPOSE_CONFIG_HASH] = json!("c1");
        assert!(read(&with(redefined), Removal::NoneKnown).mixed);
        let ageless = read(&with(|json| json["Created"] = json!("")), Removal::NoneKnown);
        assert_eq!((ageless.created, ageless.changed), (None, None));
        assert!(service(&shop_web(), &[], (Removal::NoneKnown, at(0))).is_none());
    }

    #[test]
    fn what_runs_once_is_no_replica() {
        for (label, value, want) in [
            ("x", "y", true),
            (COMPOSE_ONEOFF, "True", false),
            (COMPOSE_ONEOFF, "perhaps", false),
            (COMPOSE_HOOK, "pre_start", false),
            (COMPOSE_SERVICE, "web2", false),
            (COMPOSE_PROJECT, "shop2", false),
        ] {
            let found = replica(1, 0, |json| json["Config"]["Labels"][label] = json!(value));
            assert_eq!(is_replica(&found.container, &shop_web()), want, "{label}={value}");
        }
    }

    #[test]
    fn a_name_that_compose_gives_is_known() {
        for (name, want) in [
            ("shop-web-1", true),
            ("shop_web_12", true),
            ("shop-web", false),
            ("shop-web-", false),
            ("shop-web-1a", false),
            ("shop-web-x-1", false),
            ("shop-webby-1", false),
            ("a-shop-web-1", false),
        ] {
            assert_eq!(is_name_of_a_replica(name, &shop_web()), want, "{name}");
        }
    }
}
