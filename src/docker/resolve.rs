//! Which container is meant: a name or a Compose service to one full ID, with everything a gate must know about it.
//!
//! Docker takes any unique ID prefix for a name, and a filter for a pattern; so what it answers is compared once more,
//! exactly. None and several are answers, never a guess.

use super::client::{Inspected, READ_WITHIN, Reader};
use super::convert::{Listed, text};
use super::error::DockerError;
use super::history::look_back;
use crate::model::container::{COMPOSE_ONEOFF, COMPOSE_PROJECT, COMPOSE_SERVICE, Container, TargetReport, TargetView};
use crate::model::target::{ContainerId, TargetQuery};
use serde_json::json;
use std::sync::Mutex;

/// How many running containers are inspected for a shared PID or IPC namespace.
const INSPECTS_MAX: usize = 200;

/// How many replicas of one Compose service are looked at.
const PEERS_MAX: usize = 200;

/// Finds the container that a query means, its running dependents, its service's replicas, how it came to stop if it is
/// stopped, and who was at it lately.
pub async fn resolve(reader: &Reader, query: &TargetQuery) -> TargetReport {
    match find(reader, query).await {
        Ok(report) => report,
        Err(DockerError::Denied { method, path, .. }) => TargetReport::Denied(format!("{method} {path}")),
        Err(DockerError::NotFound(_)) => TargetReport::Missing,
        Err(
            error @ (DockerError::NotSent(_)
            | DockerError::Conflict(_)
            | DockerError::Rejected { .. }
            | DockerError::Server { .. }
            | DockerError::OutcomeUnknown(_)
            | DockerError::Invalid(_)
            | DockerError::UnsupportedVersion { .. }),
        ) => TargetReport::Unavailable(error.to_string()),
    }
}

async fn find(reader: &Reader, query: &TargetQuery) -> Result<TargetReport, DockerError> {
    let candidates = candidates(reader, query).await?;
    let id = match candidates.as_slice() {
        [] => return Ok(TargetReport::Missing),
        [(id, _)] => id,
        several => {
            let mut names: Vec<String> = several.iter().map(|(_, name)| name.clone()).collect();
            names.sort();
            return Ok(TargetReport::Ambiguous(names));
        }
    };
    let target = reader.inspect_fully(id, READ_WITHIN).await?;
    if !is_meant(query, &target.container) {
        return Ok(TargetReport::Missing);
    }
    let dependents = dependents(reader, &target.container).await?;
    let peers = peers(reader, &target.container).await?;
    let (stop_cause, history) = look_back(reader, &target).await?;
    let container = target.container;
    Ok(TargetReport::Found(Box::new(TargetView { container, dependents, peers, stop_cause, history })))
}

/// Who may be meant: full ID and name.
async fn candidates(reader: &Reader, query: &TargetQuery) -> Result<Vec<(ContainerId, String)>, DockerError> {
    let filters = match query {
        TargetQuery::Id(id) => return Ok(vec![(id.clone(), String::new())]),
        TargetQuery::Name(name) => json!({"name": [format!("^/?{}$", regex::escape(name.as_str()))]}),
        TargetQuery::Compose { project, service } => {
            let labels = [
                format!("{COMPOSE_PROJECT}={project}"),
                format!("{COMPOSE_SERVICE}={service}"),
                format!("{COMPOSE_ONEOFF}=False"),
            ];
            json!({"label": labels})
        }
    };
    let listed = reader.list(true, &filters).await?;
    let exact = listed.into_iter().filter(|entry| match query {
        TargetQuery::Name(name) => entry.names.iter().any(|known| known == name.as_str()),
        TargetQuery::Compose { .. } | TargetQuery::Id(_) => true,
    });
    Ok(exact.map(|entry| (entry.id, entry.names.into_iter().next().unwrap_or_default())).collect())
}

/// Whether what inspect showed is what was asked for: a container can be renamed or exchanged between two calls.
fn is_meant(query: &TargetQuery, container: &Container) -> bool {
    match query {
        TargetQuery::Name(name) => container.name == *name,
        TargetQuery::Id(id) => container.id == *id,
        TargetQuery::Compose { project, service } => container.compose() == Some((project.as_str(), service.as_str())),
    }
}

/// Running containers that live in one of the target's namespaces and are left with a dead one when it restarts.
async fn dependents(reader: &Reader, target: &Container) -> Result<Vec<Container>, DockerError> {
    let running = reader.list(false, &json!({})).await?;
    let others = running.into_iter().filter(|entry| entry.id != target.id);
    // The list shows a shared network. A shared PID or IPC namespace is seen only by looking at each, which is bounded.
    let (mut to_inspect, rest): (Vec<Listed>, Vec<Listed>) =
        others.partition(|entry| shares_namespace(&entry.network_mode, target));
    let room = INSPECTS_MAX.saturating_sub(to_inspect.len());
    if room < rest.len() {
        let left_out = rest.len() - room;
        tracing::warn!(left_out, "too many running containers to look for shared PID and IPC namespaces in all");
    }
    to_inspect.extend(rest.into_iter().take(room));
    let ids = to_inspect.into_iter().map(|entry| entry.id).collect();
    let inspected = inspect_all(reader, ids).await?.into_iter().filter_map(|(id, seen)| match seen {
        Ok(seen) => Some(seen),
        Err(error) => {
            tracing::warn!(container.id = id.short(), %error, "a running container cannot be read");
            None
        }
    });
    let mut sharing: Vec<Container> = inspected
        .filter(|other| {
            ["/HostConfig/NetworkMode", "/HostConfig/PidMode", "/HostConfig/IpcMode"]
                .iter()
                .any(|mode| shares_namespace(text(&other.json, mode), target))
        })
        .map(|other| other.container)
        .collect();
    sharing.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(sharing)
}

/// Whether a namespace mode such as `container:<id>` points at the target.
fn shares_namespace(mode: &str, target: &Container) -> bool {
    let Some(other) = mode.strip_prefix("container:") else { return false };
    let other = other.strip_prefix('/').unwrap_or(other);
    let short_id = 12 <= other.len() && target.id.as_str().starts_with(other);
    short_id || other == target.name.as_str()
}

/// Every replica of the target's Compose service, stopped ones and the target included. Whoever counts them must be able
/// to trust the number, so one that cannot be read, or too many of them, is an error.
async fn peers(reader: &Reader, target: &Container) -> Result<Vec<Container>, DockerError> {
    let Some((project, service)) = target.compose() else { return Ok(Vec::new()) };
    let filters = json!({"label": [format!("{COMPOSE_PROJECT}={project}"), format!("{COMPOSE_SERVICE}={service}")]});
    let listed = reader.list(true, &filters).await?;
    let ids: Vec<ContainerId> = listed.into_iter().map(|entry| entry.id).filter(|id| *id != target.id).collect();
    if PEERS_MAX <= ids.len() {
        let count = ids.len() + 1;
        let message =
            format!("the Compose service {project}/{service} has {count} containers; {PEERS_MAX} are looked at");
        return Err(DockerError::Invalid(message));
    }
    let mut peers = vec![target.clone()];
    for (_, seen) in inspect_all(reader, ids).await? {
        let other = seen?.container;
        if other.compose() == target.compose() {
            peers.push(other);
        }
    }
    peers.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(peers)
}

/// A container that was inspected, or why its answer cannot be read.
type Seen = (ContainerId, Result<Inspected, DockerError>);

/// Inspects many, eight at a time. One that is gone by now is left out. One that cannot be read is for the caller to
/// judge; any other failure ends it, because a dependent that was not seen would be left behind broken.
async fn inspect_all(reader: &Reader, ids: Vec<ContainerId>) -> Result<Vec<Seen>, DockerError> {
    let queue = Mutex::new(ids.into_iter());
    let next = || queue.lock().ok().and_then(|mut queue| queue.next());
    let work = async || -> Result<Vec<Seen>, DockerError> {
        let mut found = Vec::new();
        while let Some(id) = next() {
            match reader.inspect_fully(&id, READ_WITHIN).await {
                Err(DockerError::NotFound(_)) => {}
                seen @ (Ok(_) | Err(DockerError::Invalid(_))) => found.push((id, seen)),
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    };
    let worker = || Box::pin(work());
    let (a, b, c, d, e, f, g, h) =
        tokio::try_join!(worker(), worker(), worker(), worker(), worker(), worker(), worker(), worker())?;
    Ok([a, b, c, d, e, f, g, h].into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docker::convert::container;
    use crate::model::target::ContainerName;

    fn web() -> Container {
        let labels = json!({COMPOSE_PROJECT: "shop", COMPOSE_SERVICE: "web"});
        container(&json!({"Id": "ab".repeat(32), "Name": "/web", "Config": {"Labels": labels}})).unwrap()
    }

    #[test]
    fn a_namespace_is_shared_by_id_short_id_or_name() {
        let id = "ab".repeat(32);
        for (mode, want) in [
            (format!("container:{id}"), true),
            ("container:abababababab".to_owned(), true),
            ("container:web".to_owned(), true),
            ("container:/web".to_owned(), true),
            ("container:ab".to_owned(), false),
            ("container:web2".to_owned(), false),
            ("container:".to_owned(), false),
            ("host".to_owned(), false),
            ("web".to_owned(), false),
            (String::new(), false),
        ] {
            assert_eq!(shares_namespace(&mode, &web()), want, "{mode}");
        }
    }

    #[test]
    fn an_answer_for_another_container_is_not_taken() {
        let compose = |project: &str, service: &str| TargetQuery::Compose {
            project: project.to_owned(),
            service: service.to_owned(),
        };
        for (query, want) in [
            (TargetQuery::Name(ContainerName::parse("web").unwrap()), true),
            (TargetQuery::Name(ContainerName::parse("ab").unwrap()), false),
            (TargetQuery::Id(ContainerId::parse(&"ab".repeat(32)).unwrap()), true),
            (TargetQuery::Id(ContainerId::parse(&"cd".repeat(32)).unwrap()), false),
            (compose("shop", "web"), true),
            (compose("shop", "db"), false),
            (compose("", "web"), false),
        ] {
            assert_eq!(is_meant(&query, &web()), want, "{query:?}");
        }
    }
}
