//! Looks at targets, for the tests of this crate: what decisions keep of what Docker showed.

use super::sample::{INCIDENT, moment, target};
use super::sample_services::service_looks;
use crate::model::container::{
    Container, ContainerState, EventHistory, Health, HealthCheck, MemoryInUse, Predecessor, RestartPolicy, StopCause,
    TargetReport, TargetView, Touch, TouchAction,
};
use crate::model::fact::{Answer, Decided, Fact};
use crate::model::incident::AttemptNumber;
use crate::model::resources::ResourceLimits;
use crate::model::target::{ContainerId, ContainerName};
use chrono::TimeDelta;
use std::sync::Arc;
use std::time::Duration;

/// A container with everything that a look keeps.
pub(crate) fn look(text: &str) -> TargetReport {
    let ident = target();
    let id = ident.id.container().unwrap().clone();
    let name = ContainerName::parse(ident.name.as_str()).unwrap();
    let labels = [("sickbay.enable", "true"), ("com.docker.compose.project", "shop"), ("text", text)];
    let container = Container {
        image: "registry.example/web:1".into(),
        image_id: ident.image_id.clone(),
        state: ContainerState::Exited,
        health: Some(Health::Unhealthy),
        health_check: Some(HealthCheck {
            interval: Duration::ZERO,
            timeout: Duration::ZERO,
            retries: 0,
            start_period: Duration::from_secs(5),
        }),
        created: "2026-01-05T07:00:00.474728664Z".into(),
        started_at: "2026-01-05T08:00:00.474728664Z".into(),
        finished_at: "2026-01-05T09:00:00.474728664Z".into(),
        restart_count: 2,
        exit_code: 137,
        oom_killed: true,
        start_error: text.into(),
        restart_policy: RestartPolicy::OnFailure,
        auto_remove: true,
        stop_timeout: Some(Duration::from_secs(30)),
        labels: labels.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        limits: ResourceLimits { memory: 512 << 20, memory_swap: -1, nano_cpus: 1, cpu_quota: false },
        ..Container::named(&name, &id)
    };
    let dependent = Container::named(&ContainerName::parse("sidecar").unwrap(), &id);
    let itself = Container { health: Some(Health::Unhealthy), ..Container::named(&name, &id) };
    let touches = vec![Touch { action: TouchAction::Stop, at: moment() }];
    let gone = moment() - TimeDelta::hours(2);
    let before = Predecessor { gone, image: "web:0".into(), config_hash: Some("4f".into()) };
    TargetReport::Found(Box::new(TargetView {
        container,
        dependents: vec![dependent],
        peers: vec![itself],
        stop_cause: StopCause::Died,
        history: EventHistory::Known { now: moment(), touches, complete_since: Some(gone), predecessor: Some(before) },
        memory_in_use: MemoryInUse::Known(300 << 20),
    }))
}

/// A decision for each of Docker's answers.
pub(super) fn looks(text: &str) -> Vec<Fact> {
    let TargetReport::Found(view) = look(text) else { panic!("another answer") };
    let others = vec![(ContainerId::parse(&"0c".repeat(32)).unwrap(), ContainerName::parse("web-2").unwrap())];
    let several = TargetReport::Several { first: view.clone(), others };
    let unknown = TargetView {
        history: EventHistory::Unknown(text.into()),
        stop_cause: StopCause::NotAsked,
        memory_in_use: MemoryInUse::Unknown(text.into()),
        ..*view
    };
    let answers = vec![
        look(text),
        TargetReport::Found(Box::new(unknown)),
        several,
        TargetReport::Missing,
        TargetReport::Ambiguous(vec!["web-1".into(), "web-2".into()]),
        TargetReport::Unavailable(text.into()),
        TargetReport::Denied(text.into()),
        TargetReport::NoManager(text.into()),
    ];
    let services = service_looks().into_iter().map(|service| TargetReport::FoundService(Box::new(service)));
    let run = || Answer::Run { dry_run: false, plan: None, attempt: AttemptNumber::ONLY, key: Vec::new() };
    let decided = |look| Decided {
        incident: INCIDENT,
        playbook: "web-restart".into(),
        target: None,
        answer: run(),
        look: Some(Arc::new(look)),
    };
    answers.into_iter().chain(services).map(|look| Fact::Decided(decided(look))).collect()
}
