//! `docker.services` of a test: Swarm services, and Compose services with all of their replicas.
//!
//! Each says how it is found and how the replicas live that are made later: when it is scaled, updated, or one of them
//! has failed. A Compose service is its containers, so it becomes entries of [`Stock::containers`].

use super::containers::{HEALTHY_AFTER, health, labels, lives};
use super::definition::{Placed, PlacedService, Stock};
use super::keys;
use super::values::{container_name, time, word};
use crate::model::container::{COMPOSE_PROJECT, COMPOSE_SERVICE, RestartPolicy};
use crate::model::resources::ResourceLimits;
use crate::model::service::Mode;
use crate::model::target::{ComposeService, ContainerName, TargetName};
use crate::playbook::problem::{Findings, Note};
use crate::playbook::raw::{Field, Fields};
use crate::sim::container::{ContainerSpec, Life, Nature};
use crate::sim::service::{Definition, OnFailure, Rollout, ServiceSpec};
use std::time::Duration;

/// Compose's label for a replica's number.
pub(super) const COMPOSE_NUMBER: &str = "com.docker.compose.container-number";

/// For how long a service has been what it is, where nobody says otherwise.
const SINCE: Duration = Duration::from_secs(3600);

/// The most replicas that a test has at its beginning.
const REPLICAS_MAX: u32 = 100;

/// What an update of a service watches each task for, where nobody says otherwise: Swarm's own default.
const MONITOR: Duration = Duration::from_secs(5);

/// How long a task takes to start.
const START_TAKES: Duration = Duration::from_secs(1);

/// Reads one entry of `docker.services` into the stock.
pub(super) fn service(item: Field<'_>, stock: &mut Stock, findings: &mut Findings<'_>) -> Option<()> {
    let fields = Fields::read(item.value, item.key, &keys::SERVICE, findings)?;
    match (fields.get("name"), fields.get("compose")) {
        (Some(name), None) => swarm((name, &fields), stock, findings),
        (None, Some(compose)) => composed((compose, &fields), stock, findings),
        (None, None) if fields.has_unknown() => None,
        (_, _) => {
            let message = "a service is either one of Swarm, by its `name`, or one of Compose, by `compose`";
            let note = Note::error("test.value", item.key, message);
            findings.push(note.hint("write {name: shop_worker} or {compose: {project: shop, service: worker}}"));
            None
        }
    }
}

fn only_for(fields: &Fields<'_>, names: &[&str], whom: &str, findings: &mut Findings<'_>) {
    for field in fields.iter().filter(|field| names.contains(&field.name)) {
        let message = format!("`{}` is for {whom}", field.name);
        findings.push(Note::error("test.value", field.key, message));
    }
}

fn swarm((name, fields): (Field<'_>, &Fields<'_>), stock: &mut Stock, findings: &mut Findings<'_>) -> Option<()> {
    only_for(fields, &keys::OF_COMPOSE, "a Compose service: one with `compose`", findings);
    if let Some((project, service)) = name.text(findings)?.split_once('/') {
        let note = Note::error("test.value", name.span(), "a Swarm service has no `/` in its name");
        let hint = format!("for a Compose service write compose: {{project: {project}, service: {service}}}");
        findings.push(note.hint(hint));
        return None;
    }
    let service = container_name(name, findings)?;
    if stock.services.iter().any(|other| other.spec.name == service) {
        findings.push(Note::error("test.value", name.span(), format!("the service `{service}` stands twice")));
    }
    let modes = [("replicated", Mode::Replicated), ("global", Mode::Global)];
    let mode = fields.get("mode").map_or(Some(Mode::Replicated), |field| word(field, &modes, findings))?;
    let replicas = replicas(fields, 0, findings);
    let previous = fields.get("previous_image").and_then(|field| field.text(findings)).map(str::to_owned);
    // The first tasks are well, and so are those that the last deployment made.
    let well = Life { healthy_after: Some(HEALTHY_AFTER), ..Life::default() };
    let at_first = usize::try_from(replicas).unwrap_or_default() * (1 + usize::from(previous.is_some()));
    let later = later(fields, findings);
    let image = text(fields, "image", "app:1", findings);
    let spec = ServiceSpec {
        name: service,
        definition: Definition { image, rest: "app".to_owned(), replicas, force_update: 0 },
        mode,
        labels: labels(fields, findings),
        most: fields.get("max_replicas").and_then(|field| field.whole(&(1..=u32::MAX), findings)),
        rollout: rollout(fields, findings),
        start_takes: fields.duration("start_takes", findings).unwrap_or(START_TAKES),
        lives: std::iter::repeat_n(well, at_first).chain(later).collect(),
    };
    let since = fields.get("for").and_then(|field| time(field, findings)).unwrap_or(SINCE);
    stock.services.push(PlacedService { spec, previous, since });
    Some(())
}

fn rollout(fields: &Fields<'_>, findings: &mut Findings<'_>) -> Rollout {
    let default = Rollout { parallelism: 1, start_first: false, monitor: MONITOR, on_failure: OnFailure::Pause };
    let field = fields.get("update_config");
    let fields = field.and_then(|field| Fields::read(field.value, field.key, &keys::UPDATE_CONFIG, findings));
    let Some(fields) = fields else { return default };
    let orders = [("stop-first", false), ("start-first", true)];
    let actions = [("pause", OnFailure::Pause), ("continue", OnFailure::Continue), ("rollback", OnFailure::Rollback)];
    Rollout {
        parallelism: fields
            .get("parallelism")
            .and_then(|field| field.whole(&(1..=u32::MAX), findings))
            .unwrap_or(default.parallelism),
        start_first: fields.get("order").and_then(|field| word(field, &orders, findings)).unwrap_or(false),
        monitor: fields.duration("monitor", findings).unwrap_or(MONITOR),
        on_failure: fields
            .get("failure_action")
            .and_then(|field| word(field, &actions, findings))
            .unwrap_or(default.on_failure),
    }
}

fn composed((field, fields): (Field<'_>, &Fields<'_>), stock: &mut Stock, findings: &mut Findings<'_>) -> Option<()> {
    only_for(fields, &keys::OF_SWARM, "a Swarm service: one with a `name`", findings);
    let compose = Fields::read(field.value, field.key, &keys::COMPOSE, findings)?;
    let project = compose.need("project", findings).and_then(|field| container_name(field, findings));
    let service = compose.need("service", findings).and_then(|field| container_name(field, findings));
    let service = ComposeService { project: project?, service: service? };
    if stock.composed(&service).next().is_some() {
        let message = format!("the service `{service}` has replicas already");
        let note = Note::error("test.value", field.span(), message);
        findings.push(note.hint("list it here or, container by container, under `containers`"));
    }
    let image = text(fields, "image", "app:1", findings);
    let previous = fields.get("previous_image").and_then(|field| field.text(findings)).map(str::to_owned);
    let since = fields.get("for").and_then(|field| time(field, findings)).unwrap_or(SINCE);
    // Where two images matter, they are told apart by their names.
    let image_id = previous.as_ref().map_or_else(|| "sha256:1".to_owned(), |_| image.clone());
    let mut labels = labels(fields, findings);
    labels.insert(COMPOSE_PROJECT.to_owned(), service.project.to_string());
    labels.insert(COMPOSE_SERVICE.to_owned(), service.service.to_string());
    let (health_check, first, after) = health(fields, super::containers::State::Running, findings);
    let default = Nature::default();
    let nature = Nature {
        stop_takes: fields.duration("stop_takes", findings).unwrap_or(default.stop_takes),
        start_takes: fields.duration("start_takes", findings).unwrap_or(default.start_takes),
        lives: first.into_iter().chain(after).collect(),
    };
    for number in 1..=replicas(fields, 1, findings) {
        let name = ContainerName::parse(&format!("{service}-{number}").replace('/', "-")).ok()?;
        let mut labels = labels.clone();
        labels.insert(COMPOSE_NUMBER.to_owned(), number.to_string());
        let spec = ContainerSpec {
            name: TargetName::from(&name),
            image: Some(image.clone()),
            image_id: image_id.clone(),
            labels,
            restart_policy: RestartPolicy::No,
            auto_remove: false,
            stop_timeout: None,
            health_check,
            lives_with: None,
            limits: ResourceLimits::default(),
            memory_in_use: 0,
            nature: nature.clone(),
        };
        stock.containers.push(Placed { spec, started: true, found: None, since });
    }
    let later = later(fields, findings);
    stock.images_before.extend(previous.map(|image| (service.clone(), image, since)));
    stock.replicas.push((service, later));
    Some(())
}

/// How replicas live that are made later: well, where nobody says otherwise.
fn later(fields: &Fields<'_>, findings: &mut Findings<'_>) -> Vec<Life> {
    let said = fields.get("new_replicas").map_or_else(Vec::new, |field| lives(field, findings));
    let later: Vec<Life> = said.into_iter().map(|(life, _)| life).collect();
    let well = Life { healthy_after: Some(HEALTHY_AFTER), ..Life::default() };
    if later.is_empty() { vec![well] } else { later }
}

fn replicas(fields: &Fields<'_>, least: u32, findings: &mut Findings<'_>) -> u32 {
    fields.get("replicas").and_then(|field| field.whole(&(least..=REPLICAS_MAX), findings)).unwrap_or(1)
}

fn text(fields: &Fields<'_>, name: &str, default: &str, findings: &mut Findings<'_>) -> String {
    fields.get(name).and_then(|field| field.text(findings)).unwrap_or(default).to_owned()
}
