//! What Docker has when a test begins, and its containers: how each is made, the state it is found in, and how it behaves after each later start.

use super::definition::{Placed, Stock};
use super::keys;
use super::services::{self, COMPOSE_NUMBER};
use super::values::{container_name, items, one_or_many, pairs, some_time, time, word};
use crate::model::container::{COMPOSE_PROJECT, COMPOSE_SERVICE, HealthCheck, RestartPolicy};
use crate::model::resources::ResourceLimits;
use crate::model::target::{ContainerName, TargetName};
use crate::playbook::problem::{Findings, Note};
use crate::playbook::raw::{Field, Fields};
use crate::sim::container::{ContainerSpec, Found, Life, Nature};
use std::collections::BTreeMap;
use std::time::Duration;

/// For how long a container has been as it is found, where nobody says otherwise.
const SINCE: Duration = Duration::from_secs(3600);

/// Longer than any test: "never".
const NEVER: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// Docker's own timing of a health check that says nothing about it.
const HEALTH_CHECK: HealthCheck = HealthCheck {
    interval: Duration::from_secs(30),
    timeout: Duration::from_secs(30),
    retries: 3,
    start_period: Duration::ZERO,
};

/// How soon a container is healthy that is well.
pub(super) const HEALTHY_AFTER: Duration = Duration::from_secs(2);

/// The state a container is found in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Running,
    Created,
    Paused,
    Exited,
    Restarting,
}

/// The health it is found in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Health {
    Starting,
    Healthy,
    Unhealthy,
}

const HEALTHS: [(&str, Health); 3] =
    [("starting", Health::Starting), ("healthy", Health::Healthy), ("unhealthy", Health::Unhealthy)];

/// Reads `docker: {containers: […], services: […]}`.
pub(super) fn stock(field: Option<Field<'_>>, hosts: &[String], findings: &mut Findings<'_>) -> Stock {
    let mut stock = Stock::default();
    let Some(field) = field else { return stock };
    let Some(fields) = Fields::read(field.value, field.key, &keys::DOCKER, findings) else { return stock };
    if fields.iter().next().is_none() && !fields.has_unknown() {
        let note = Note::error("test.value", field.span(), "`docker` has neither `containers` nor `services`");
        findings.push(note.hint("list what there is, or leave `docker` out"));
    }
    if let Some(list) = fields.get("containers") {
        for item in items(list, "start each container with `- name: …`", findings).unwrap_or_default() {
            if let Some(container) = container(item, (&stock, hosts), findings) {
                stock.containers.push(container);
            }
        }
    }
    if let Some(list) = fields.get("services") {
        for item in items(list, "start each service with `- name: …` or `- compose: …`", findings).unwrap_or_default()
        {
            services::service(item, &mut stock, findings);
        }
    }
    stock
}

fn container(item: Field<'_>, (stock, hosts): (&Stock, &[String]), findings: &mut Findings<'_>) -> Option<Placed> {
    let fields = Fields::read(item.value, item.key, &keys::CONTAINER, findings)?;
    let field = fields.need("name", findings)?;
    let name = name_on_a_host(field, hosts, findings)?;
    if stock.names().any(|other| other == name.as_str()) {
        findings.push(Note::error("test.value", field.span(), format!("the container `{name}` stands twice")));
    }
    let states = [
        ("running", State::Running),
        ("created", State::Created),
        ("paused", State::Paused),
        ("exited", State::Exited),
        ("restarting", State::Restarting),
    ];
    let state = fields.get("state").map_or(Some(State::Running), |field| word(field, &states, findings))?;
    let found = found(&fields, state, findings);
    let policy = restart_policy(&fields, state, findings);
    let (health_check, first, later) = health(&fields, state, findings);
    let default = Nature::default();
    let nature = Nature {
        stop_takes: fields.duration("stop_takes", findings).unwrap_or(default.stop_takes),
        start_takes: fields.duration("start_takes", findings).unwrap_or(default.start_takes),
        lives: first.into_iter().chain(later).collect(),
    };
    let lives_with = parent(&fields, (&name, stock), findings);
    let spec = ContainerSpec {
        name,
        image: Some(fields.get("image").and_then(|field| field.text(findings)).unwrap_or("app:1").to_owned()),
        image_id: "sha256:1".to_owned(),
        labels: labels(&fields, findings),
        restart_policy: policy,
        auto_remove: fields.boolean("auto_remove", false, findings),
        stop_timeout: fields.duration("stop_timeout", findings),
        health_check,
        lives_with,
        limits: limits(&fields, findings),
        memory_in_use: fields.get("memory_in_use").and_then(|field| field.bytes(findings)).unwrap_or_default(),
        nature,
    };
    let since = fields.get("for").and_then(|field| time(field, findings)).unwrap_or(SINCE);
    let mut placed = Placed { spec, started: state != State::Created, found, since };
    // Compose numbers its replicas in the order in which it makes them.
    if let Some(service) = placed.compose() {
        let number = stock.composed(&service).count() + 1;
        placed.spec.labels.entry(COMPOSE_NUMBER.to_owned()).or_insert_with(|| number.to_string());
    }
    Some(placed)
}

/// How much memory and CPU it may use. Swap goes along as Docker's own default does.
fn limits(fields: &Fields<'_>, findings: &mut Findings<'_>) -> ResourceLimits {
    let mut limits = ResourceLimits::default();
    if let Some(memory) = fields.get("memory").and_then(|field| field.bytes(findings)) {
        limits = limits.with_memory(memory);
    }
    limits.nano_cpus = fields.get("cpus").and_then(|field| cpus(field, findings)).unwrap_or_default();
    limits
}

/// A number of CPUs, in billionths.
pub(super) fn cpus(field: Field<'_>, findings: &mut Findings<'_>) -> Option<u64> {
    let text = field.text(findings)?;
    let nano = nano_cpus(text);
    if nano.is_none() {
        let message = format!("`cpus` is not a number of CPUs: {text:?}");
        findings.push(Note::error("test.value", field.span(), message).hint("such as: cpus: 1.5"));
    }
    nano
}

/// Billionths of a CPU.
fn nano_cpus(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(whole) || !is_number(fraction) || 9 < fraction.len() {
        return None;
    }
    let nano = whole.parse::<u64>().ok()?.checked_mul(1_000_000_000)?;
    nano.checked_add(format!("{fraction:0<9}").parse().ok()?).filter(|nano| 0 < *nano)
}

fn found(fields: &Fields<'_>, state: State, findings: &mut Findings<'_>) -> Option<Found> {
    let exited = state == State::Exited;
    let stopped_by = fields.get("stopped_by");
    let exit_code = fields.get("exit_code");
    for field in [stopped_by, exit_code].into_iter().flatten().filter(|_| !exited) {
        let message = format!("`{}` goes with `state: exited` only", field.name);
        findings.push(Note::error("test.value", field.key, message));
    }
    if let (Some(field), Some(_)) = (exit_code, stopped_by) {
        let note = Note::error("test.value", field.key, "what a person stopped ends with exit code 143 here");
        findings.push(note.hint("keep `stopped_by: person` or `exit_code`"));
    }
    match state {
        State::Exited if stopped_by.is_some_and(|field| word(field, &[("person", ())], findings).is_some()) => {
            Some(Found::Stopped)
        }
        State::Exited => {
            let code = exit_code.and_then(|field| field.whole(&(0..=255), findings)).unwrap_or(1);
            Some(Found::Died(i64::from(code)))
        }
        State::Paused => Some(Found::Paused),
        State::Running | State::Created | State::Restarting => None,
    }
}

fn restart_policy(fields: &Fields<'_>, state: State, findings: &mut Findings<'_>) -> RestartPolicy {
    let words: Vec<(&str, RestartPolicy)> =
        RestartPolicy::ALL.iter().map(|policy| (policy.as_str(), *policy)).collect();
    let field = fields.get("restart_policy");
    let given = field.and_then(|field| word(field, &words, findings));
    if let (State::Restarting, Some(RestartPolicy::No), Some(field)) = (state, given, field) {
        let message = "a container whose policy is `no` is never found restarting";
        findings.push(Note::error("test.value", field.span(), message));
    }
    given.unwrap_or(if state == State::Restarting { RestartPolicy::Always } else { RestartPolicy::No })
}

/// The health check, the life a container is found in (none if it was never started), and those after it.
pub(super) fn health(
    fields: &Fields<'_>,
    state: State,
    findings: &mut Findings<'_>,
) -> (Option<HealthCheck>, Option<Life>, Vec<Life>) {
    let check = fields.get("health_check").and_then(|field| health_check(field, findings));
    let field = fields.get("health");
    let found = field.and_then(|field| word(field, &HEALTHS, findings));
    if let Some(field) = field.filter(|_| matches!(state, State::Created | State::Restarting)) {
        let note = Note::error("test.value", field.key, "a container that does not run has no health");
        findings.push(note.hint("say with `health_check: {}` that it has a check"));
    }
    let well = |healthy_after| Life { healthy_after, ..Life::default() };
    let first = match (state, found) {
        (State::Created, _) => None,
        (State::Restarting, _) => Some(Life { dies: Some((Duration::from_millis(100), 1)), ..Life::default() }),
        (_, Some(Health::Starting)) => Some(well(Some(NEVER))),
        (_, Some(Health::Unhealthy)) => Some(well(None)),
        (_, Some(Health::Healthy) | None) => Some(well(Some(Duration::ZERO))),
    };
    let field = fields.get("after_restart");
    if let Some(field) = field.filter(|_| state == State::Restarting) {
        let message = "a container that is found restarting dies after each start: `after_restart` says otherwise";
        findings.push(Note::error("test.value", field.key, message));
    }
    let later: Vec<(Life, bool)> = field.map_or_else(Vec::new, |field| lives(field, findings));
    let speaks_of_health = found.is_some() || later.iter().any(|(_, says)| *says);
    let check = check.or_else(|| speaks_of_health.then_some(HEALTH_CHECK));
    let mut later: Vec<Life> = later.into_iter().map(|(life, _)| life).collect();
    if later.is_empty() && state != State::Restarting {
        later.push(well(Some(HEALTHY_AFTER)));
    }
    (check, first, later)
}

fn health_check(field: Field<'_>, findings: &mut Findings<'_>) -> Option<HealthCheck> {
    let fields = Fields::read(field.value, field.key, &keys::HEALTH_CHECK, findings)?;
    let span = |name: &str, findings: &mut Findings<'_>| fields.get(name).and_then(|field| some_time(field, findings));
    Some(HealthCheck {
        interval: span("interval", findings).unwrap_or(HEALTH_CHECK.interval),
        timeout: span("timeout", findings).unwrap_or(HEALTH_CHECK.timeout),
        retries: fields
            .get("retries")
            .and_then(|field| field.whole(&(1..=1000), findings))
            .unwrap_or(HEALTH_CHECK.retries),
        start_period: fields.duration("start_period", findings).unwrap_or(HEALTH_CHECK.start_period),
    })
}

/// The lives of `after_restart`, each with whether it speaks of health.
pub(super) fn lives(field: Field<'_>, findings: &mut Findings<'_>) -> Vec<(Life, bool)> {
    let mut lives = Vec::new();
    for item in one_or_many(field) {
        lives.extend(life(item, findings));
    }
    if lives.is_empty() && findings.errors() == 0 {
        findings.push(Note::error("test.value", field.span(), "`after_restart` is empty: leave it out"));
    }
    lives
}

fn life(item: Field<'_>, findings: &mut Findings<'_>) -> Option<(Life, bool)> {
    let fields = Fields::read(item.value, item.key, &keys::LIFE, findings)?;
    let well = [("healthy", true), ("unhealthy", false)];
    let says = fields.get("health");
    let healthy = says.is_none_or(|field| word(field, &well, findings).unwrap_or(true));
    let after = fields.duration("healthy_after", findings);
    if let Some(field) = fields.get("healthy_after").filter(|_| !healthy) {
        findings.push(Note::error("test.value", field.key, "what stays unhealthy is not healthy after any time"));
    }
    let ends = fields.get("state").and_then(|field| word(field, &[("running", false), ("exited", true)], findings));
    let dies_after = fields.duration("dies_after", findings).or(ends.unwrap_or(false).then_some(Duration::ZERO));
    let exit_code = fields.get("exit_code");
    if let Some(field) = exit_code.filter(|_| dies_after.is_none()) {
        findings.push(Note::error("test.value", field.key, "`exit_code` goes with `dies_after` or `state: exited`"));
    }
    let code = exit_code.and_then(|field| field.whole(&(0..=255), findings)).unwrap_or(1);
    let life = Life {
        fails_to_start: fields.boolean("fails_to_start", false, findings),
        dies: dies_after.map(|after| (after, i64::from(code))),
        healthy_after: healthy.then_some(after.unwrap_or(HEALTHY_AFTER)),
    };
    Some((life, says.is_some() || after.is_some()))
}

pub(super) fn labels(fields: &Fields<'_>, findings: &mut Findings<'_>) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    if let Some(pairs) = fields.get("labels").and_then(|field| pairs(field, findings)) {
        labels = pairs.into_iter().collect();
    }
    if let Some(field) = fields.get("compose")
        && let Some(compose) = Fields::read(field.value, field.key, &keys::COMPOSE, findings)
    {
        for (key, label) in [("project", COMPOSE_PROJECT), ("service", COMPOSE_SERVICE)] {
            if let Some(value) = compose.need(key, findings).and_then(|field| field.text(findings)) {
                labels.insert(label.to_owned(), value.to_owned());
            }
        }
    }
    labels
}

/// A container's name as sickbay calls it: `web`, or `web-2:web` on another host than the first.
fn name_on_a_host(field: Field<'_>, hosts: &[String], findings: &mut Findings<'_>) -> Option<TargetName> {
    let text = field.text(findings)?;
    let Some((host, bare)) = text.split_once(':') else {
        return container_name(field, findings).map(|name| TargetName::from(&name));
    };
    let (first, others) = hosts.split_first()?;
    if let Err(error) = ContainerName::parse(bare) {
        findings.push(Note::error("test.value", field.span(), error.to_string()));
    } else if host == first {
        let message = format!("`{host}` is the first host, whose containers have no host before their names");
        findings.push(Note::error("test.value", field.span(), message).hint(format!("write `{bare}`")));
    } else if !others.iter().any(|other| other == host) {
        let message = format!("there is no Docker host `{host}`");
        let hint = format!("name it after the others: `settings: {{hosts: [{}, {host}]}}`", hosts.join(", "));
        findings.push(Note::error("test.value", field.span(), message).hint(hint));
    } else {
        return TargetName::parse(text);
    }
    None
}

fn parent(fields: &Fields<'_>, (own, stock): (&TargetName, &Stock), findings: &mut Findings<'_>) -> Option<TargetName> {
    let field = fields.get("lives_with")?;
    let text = field.text(findings)?;
    let name = TargetName::parse(text).filter(|name| name.host() == own.host());
    let known = name.filter(|name| stock.names().any(|other| other == name.as_str()));
    if known.is_none() {
        let message =
            format!("`lives_with` names `{text}`, which is not among the containers before this one on its host");
        let note = Note::error("test.unknown-container", field.span(), message);
        findings.push(note.hint("list the container it shares a network with first"));
    }
    known
}

/// The container that takes the place of another: the same but for what `with` says.
pub(super) fn successor(
    with: Option<Field<'_>>,
    old: &ContainerSpec,
    findings: &mut Findings<'_>,
) -> Option<ContainerSpec> {
    let mut spec = old.clone();
    // A new container lives its first life.
    if 1 < spec.nature.lives.len() {
        spec.nature.lives.remove(0);
    }
    let Some(with) = with else { return Some(spec) };
    let fields = Fields::read(with.value, with.key, &keys::SUCCESSOR, findings)?;
    if let Some(image) = fields.get("image").and_then(|field| field.text(findings)) {
        spec.image = Some(image.to_owned());
        spec.image_id = format!("sha256:{image}");
    }
    if let Some(pairs) = fields.get("labels").and_then(|field| pairs(field, findings)) {
        spec.labels = pairs.into_iter().collect();
    }
    if fields.iter().any(|field| matches!(field.name, "health" | "health_check" | "after_restart")) {
        let (check, first, later) = health(&fields, State::Running, findings);
        spec.health_check = check.or(spec.health_check);
        spec.nature.lives = first.into_iter().chain(later).collect();
    }
    Some(spec)
}
