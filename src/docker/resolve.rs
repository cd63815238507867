//! Which container is meant: a name or a Compose service to one full ID, with everything a gate must know about it. A
//! service as a whole is found by `service`.
//!
//! Docker takes any unique ID prefix for a name, and a filter for a pattern; so what it answers is compared once more,
//! exactly. None and several are answers, never a guess. A selector may mean several, up to its limit.

use super::client::{READ_WITHIN, Reader};
use super::dependents::dependents;
use super::error::DockerError;
use super::history::look_back;
use super::many::inspect_all;
use super::service;
use crate::model::container::{
    COMPOSE_ONEOFF, COMPOSE_PROJECT, COMPOSE_SERVICE, Container, MemoryInUse, TargetReport, TargetView,
};
use crate::model::owner::{self, Dependents};
use crate::model::target::{ContainerId, ContainerName, Selector, TargetQuery};
use serde_json::json;

/// How many replicas of one Compose service are looked at.
pub(super) const PEERS_MAX: usize = 200;

/// Finds the service that a query means; or the container, its running dependents, its service's replicas, how it came to stop if it is
/// stopped, and who was at it lately.
pub async fn resolve(reader: &Reader, query: &TargetQuery) -> TargetReport {
    let found = match query {
        TargetQuery::Service(_) | TargetQuery::ServiceId(_) | TargetQuery::ComposeService(_) => {
            service::find(reader, query).await
        }
        TargetQuery::Name(_) | TargetQuery::Compose { .. } | TargetQuery::Selector(_) | TargetQuery::Id(_) => {
            find(reader, query).await
        }
    };
    if let Err(error) = &found
        && let Some(words) = error.no_manager()
    {
        return TargetReport::NoManager(words.to_owned());
    }
    match found {
        Ok(report) => told(report),
        Err(error @ DockerError::Denied { .. }) => {
            TargetReport::Denied(format!("nobody could look for {query}: {error}"))
        }
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

/// The report, after what its owner should know of has been told.
fn told(report: TargetReport) -> TargetReport {
    let (name, labels) = match &report {
        TargetReport::Found(view) | TargetReport::Several { first: view, .. } => {
            let container = &view.container;
            if owner::dependents(&container.labels) == Dependents::Warn && !view.dependents.is_empty() {
                let left: Vec<&str> = view.dependents.iter().map(|other| other.name.as_str()).collect();
                let (container, dependents) = (container.name.as_str(), left.join(", "));
                tracing::warn!(
                    container,
                    dependents,
                    "they share namespaces with it, and are not restarted after it because of sickbay.dependents=warn"
                );
            }
            (container.name.to_string(), &container.labels)
        }
        TargetReport::FoundService(service) => (service.name().to_string(), &service.labels),
        TargetReport::Missing
        | TargetReport::Ambiguous(_)
        | TargetReport::Unavailable(_)
        | TargetReport::Denied(_)
        | TargetReport::NoManager(_) => return report,
    };
    for label in owner::unreadable(labels) {
        tracing::warn!(name, label, "a label has the safest meaning");
    }
    report
}

async fn find(reader: &Reader, query: &TargetQuery) -> Result<TargetReport, DockerError> {
    if let TargetQuery::Selector(selector) = query {
        return select(reader, (query, selector)).await;
    }
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
    let view = view(reader, query, id).await?;
    Ok(view.map_or(TargetReport::Missing, |view| TargetReport::Found(Box::new(view))))
}

/// The containers that labels choose: the first by name with all that a gate must know, and who the others are.
async fn select(reader: &Reader, (query, selector): (&TargetQuery, &Selector)) -> Result<TargetReport, DockerError> {
    let labels: Vec<String> = selector.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let listed = reader.list(true, &json!({"label": labels})).await?;
    let exact = listed.into_iter().filter(|entry| selector.matches(&entry.labels));
    let named = exact.filter_map(|entry| {
        let name = entry.names.iter().find_map(|name| ContainerName::parse(name).ok())?;
        Some((entry.id, name))
    });
    let mut chosen = match selector.choose(named.collect()) {
        Ok(chosen) => chosen.into_iter(),
        Err(names) => return Ok(TargetReport::Ambiguous(names)),
    };
    let Some((id, _)) = chosen.next() else { return Ok(TargetReport::Missing) };
    let Some(first) = view(reader, query, &id).await? else { return Ok(TargetReport::Missing) };
    let (first, others) = (Box::new(first), chosen.collect::<Vec<_>>());
    Ok(if others.is_empty() { TargetReport::Found(first) } else { TargetReport::Several { first, others } })
}

/// One container and all that a gate must know about it; `None` if it is not the one that is meant.
async fn view(reader: &Reader, query: &TargetQuery, id: &ContainerId) -> Result<Option<TargetView>, DockerError> {
    let target = reader.inspect_fully(id, READ_WITHIN).await?;
    if !is_meant(query, &target.container) {
        return Ok(None);
    }
    let dependents = dependents(reader, &target.container).await?;
    // Whoever asked not to be restarted beside others must be known to have none.
    let dependents = match owner::dependents(&target.container.labels) {
        Dependents::Refuse => dependents.all()?,
        Dependents::Restart | Dependents::Warn => dependents.of_those_seen(),
    };
    let peers = peers(reader, &target.container).await?;
    let (stop_cause, history) = look_back(reader, &target).await?;
    let container = target.container;
    Ok(Some(TargetView { container, dependents, peers, stop_cause, history, memory_in_use: MemoryInUse::NotAsked }))
}

/// Who may be meant: full ID and name.
async fn candidates(reader: &Reader, query: &TargetQuery) -> Result<Vec<(ContainerId, String)>, DockerError> {
    let filters = match query {
        TargetQuery::Id(id) => return Ok(vec![(id.clone(), String::new())]),
        TargetQuery::Service(_) | TargetQuery::ServiceId(_) | TargetQuery::ComposeService(_) => return Ok(Vec::new()),
        TargetQuery::Name(name) => json!({"name": [format!("^/?{}$", regex::escape(name.as_str()))]}),
        TargetQuery::Compose { project, service } => {
            let labels = [
                format!("{COMPOSE_PROJECT}={project}"),
                format!("{COMPOSE_SERVICE}={service}"),
                format!("{COMPOSE_ONEOFF}=False"),
            ];
            json!({"label": labels})
        }
        // Chosen by `select`.
        TargetQuery::Selector(_) => return Ok(Vec::new()),
    };
    let listed = reader.list(true, &filters).await?;
    let exact = listed.into_iter().filter(|entry| match query {
        TargetQuery::Name(name) => entry.names.iter().any(|known| known == name.as_str()),
        TargetQuery::Compose { .. } | TargetQuery::Id(_) | TargetQuery::Selector(_) => true,
        TargetQuery::Service(_) | TargetQuery::ServiceId(_) | TargetQuery::ComposeService(_) => false,
    });
    Ok(exact.map(|entry| (entry.id, entry.names.into_iter().next().unwrap_or_default())).collect())
}

/// Whether what inspect showed is what was asked for: a container can be renamed or exchanged between two calls.
fn is_meant(query: &TargetQuery, container: &Container) -> bool {
    match query {
        TargetQuery::Name(name) => container.name == *name,
        TargetQuery::Id(id) => container.id == *id,
        TargetQuery::Selector(selector) => selector.matches(&container.labels),
        TargetQuery::Compose { project, service } => container.compose() == Some((project.as_str(), service.as_str())),
        TargetQuery::Service(_) | TargetQuery::ServiceId(_) | TargetQuery::ComposeService(_) => false,
    }
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
    fn an_answer_for_another_container_is_not_taken() {
        let compose = |project: &str, service: &str| TargetQuery::Compose {
            project: project.to_owned(),
            service: service.to_owned(),
        };
        let selector = |name: &str, value: &str| {
            let labels = vec![(name.to_owned(), value.to_owned())];
            TargetQuery::Selector(Selector { labels, max: 1, only: None, besides: Vec::new() })
        };
        for (query, want) in [
            (TargetQuery::Name(ContainerName::parse("web").unwrap()), true),
            (TargetQuery::Name(ContainerName::parse("ab").unwrap()), false),
            (TargetQuery::Id(ContainerId::parse(&"ab".repeat(32)).unwrap()), true),
            (TargetQuery::Id(ContainerId::parse(&"cd".repeat(32)).unwrap()), false),
            (compose("shop", "web"), true),
            (compose("shop", "db"), false),
            (compose("", "web"), false),
            (selector(COMPOSE_SERVICE, "web"), true),
            (selector(COMPOSE_SERVICE, "we"), false),
        ] {
            assert_eq!(is_meant(&query, &web()), want, "{query:?}");
        }
    }
}
