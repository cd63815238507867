//! Who plays in a seed's story: playbooks, containers and alerts, drawn from the seed.

use crate::approvals;
use crate::services;
use fastrand::Rng;
use sickbay::engine::event::NewConfig;
use sickbay::engine::ruleset::Ruleset;
use sickbay::model::container::{COMPOSE_PROJECT, COMPOSE_SERVICE, HealthCheck, RestartPolicy};
use sickbay::model::label::Labels;
use sickbay::model::limit::{Breaker, Limits, MinHealthy, Scope, Storm, Window};
use sickbay::model::matcher::parse_matchers;
use sickbay::model::policy::{Policy, ProtectedName};
use sickbay::model::resources::ResourceLimits;
use sickbay::model::target::TargetName;
use sickbay::playbook::definition::{Playbook, Which};
use sickbay::playbook::index::Playbooks;
use sickbay::playbook::template::Template;
use sickbay::playbook::{RuleFile, load};
use sickbay::sim::container::{ContainerSpec, Life, Nature};
use sickbay::sim::service::ServiceSpec;
use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::Duration;

/// The shapes, read once.
static SHAPES: LazyLock<Vec<Playbook>> = LazyLock::new(|| {
    let file = RuleFile { path: "playbooks.yaml".to_owned(), text: include_str!("playbooks.yaml").to_owned() };
    let loaded = load(&[file]);
    assert!(!loaded.has_errors(), "{:?}", loaded.problems);
    loaded.playbooks
});

/// What may follow the end of an alert. The first is played as a whole.
static AFTERWARDS: LazyLock<Vec<Playbook>> = LazyLock::new(|| {
    let file = RuleFile { path: "afterwards.yaml".to_owned(), text: include_str!("afterwards.yaml").to_owned() };
    let loaded = load(std::slice::from_ref(&file));
    assert!(!loaded.has_errors(), "{:?}", loaded.problems);
    loaded.playbooks
});

/// Those with what goes with any step.
static STEPS: LazyLock<Vec<Playbook>> = LazyLock::new(|| {
    let file = RuleFile { path: "steps.yaml".to_owned(), text: include_str!("steps.yaml").to_owned() };
    let loaded = load(&[file]);
    assert!(!loaded.has_errors(), "{:?}", loaded.problems);
    loaded.playbooks
});

/// An alert that may fire.
#[derive(Clone, Debug)]
pub(crate) struct AlertSpec {
    pub(crate) labels: Labels,
    /// Which group of Alertmanager's.
    pub(crate) group: usize,
}

/// Everything that is there at the beginning.
#[derive(Clone, Debug)]
pub(crate) struct Cast {
    pub(crate) ruleset: Ruleset,
    pub(crate) containers: Vec<ContainerSpec>,
    /// Swarm services.
    pub(crate) services: Vec<ServiceSpec>,
    pub(crate) alerts: Vec<AlertSpec>,
    pub(crate) groups: usize,
    /// Whether the daemon asks Alertmanager's API.
    pub(crate) asks_alertmanager: bool,
}

pub(crate) fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// True once in so many draws.
pub(crate) fn one_in(rng: &mut Rng, many: u32) -> bool {
    rng.u32(..many) == 0
}

impl Cast {
    pub(crate) fn draw(rng: &mut Rng) -> Self {
        // Some stories are about containers that no restart mends, and playbooks that try more than once.
        let stubborn = one_in(rng, 5);
        let mut containers = containers(rng);
        if stubborn {
            containers.iter_mut().for_each(|spec| sicken(rng, spec));
        }
        let names: Vec<String> = containers.iter().map(|spec| spec.name.to_string()).collect();
        let groups = rng.usize(1..=2);
        let alerts = (0..rng.usize(1..=6)).map(|instance| alert(rng, &names, instance, groups)).collect();
        let ruleset = ruleset(rng, stubborn);
        let cast = Self { ruleset, containers, services: Vec::new(), alerts, groups, asks_alertmanager: rng.bool() };
        services::join(cast, &mut services::aside(rng))
    }
}

fn ruleset(rng: &mut Rng, stubborn: bool) -> Ruleset {
    let playbooks = (0..rng.usize(1..=4)).map(|number| playbook(rng, (number, stubborn))).collect();
    let mut policy = Policy { max_parallel: rng.u32(1..=3), ..Policy::default() };
    if one_in(rng, 3) {
        policy.global = vec![window(rng)];
    }
    if one_in(rng, 3) {
        policy.per_target = vec![window(rng)];
    }
    policy.breaker = Breaker { failures: rng.u32(1..=3), per: secs(rng.u64(600..4000)), open_for: window(rng).per };
    policy.relapse_within = secs(rng.u64(10..600));
    if one_in(rng, 4) {
        policy.storm = Storm { alerts: rng.u32(1..=4), per: secs(rng.u64(10..60)), freeze: secs(rng.u64(30..400)) };
    }
    policy.hands_off = if one_in(rng, 2) { Duration::ZERO } else { secs(rng.u64(5..200)) };
    policy.approve_on_timeout_allowed = Rng::with_seed(rng.clone().u64(..)).bool();
    policy.dry_run = one_in(rng, 12);
    policy.require_opt_in = !one_in(rng, 6);
    if one_in(rng, 6) {
        policy.protect = vec![ProtectedName::Exact("c1".to_owned())];
    }
    Ruleset::new(Playbooks::new(playbooks), policy)
}

/// What the next reload finds, after what was found before: the same revision is the same playbook.
pub(crate) fn reloaded(rng: &mut Rng, before: &NewConfig, generation: usize) -> NewConfig {
    let revised = |playbook: Playbook| Playbook { revision: format!("r{generation}").into(), ..playbook };
    let mut playbooks = Vec::new();
    for old in before.playbooks.iter().map(|old| Playbook::clone(old)) {
        let stubborn = one_in(rng, 3);
        match rng.u32(..8) {
            0 => {}
            1 => playbooks.push(revised(Playbook { enabled: !old.enabled, ..old })),
            2..=4 => playbooks.push(revised(Playbook { name: old.name, ..playbook(rng, (0, stubborn)) })),
            _ => playbooks.push(old),
        }
    }
    if one_in(rng, 3) {
        let stubborn = one_in(rng, 3);
        playbooks.push(revised(Playbook { name: format!("n{generation}").into(), ..playbook(rng, (0, stubborn)) }));
    }
    let mut policy = before.policy.clone();
    if rng.bool() {
        policy.max_parallel = rng.u32(1..=3);
        policy.global = vec![window(rng)];
        policy.per_target = if rng.bool() { vec![window(rng)] } else { Vec::new() };
    }
    NewConfig { playbooks: Playbooks::new(playbooks), policy, files: Vec::new(), by: None }
}

fn playbook(rng: &mut Rng, (number, stubborn): (usize, bool)) -> Playbook {
    // Most restart the container that the alert names.
    let any = rng.usize(..SHAPES.len() * 2).checked_sub(SHAPES.len()).unwrap_or_else(|| rng.usize(..3));
    // The last two try more than once.
    let shape = if stubborn { SHAPES.len() - rng.usize(1..=2) } else { any };
    let matcher = match rng.u32(..4) {
        0 => r#"alertname=~"A[01]""#.to_owned(),
        1 => r#"alertname=~"A.",severity!="info""#.to_owned(),
        _ => format!(r#"alertname="A{}""#, rng.u32(..3)),
    };
    let cooldown = if rng.bool() { Duration::ZERO } else { secs(rng.u64(5..400)) };
    let scope = if one_in(rng, 3) { Scope::Playbook } else { Scope::Target };
    let windows = (0..rng.usize(1..=2)).map(|_| window(rng)).map(|window| match stubborn {
        true => Window { runs: window.runs + 2, ..window },
        false => window,
    });
    let windows = windows.collect();
    // From a generator of its own: the rest of a seed's story is the same without.
    let aside = &mut Rng::with_seed(rng.clone().u64(..));
    let min_healthy = one_in(aside, 8).then_some(MinHealthy::Count(1));
    let with_steps = (!stubborn && one_in(aside, 5)).then(|| &STEPS[aside.usize(..STEPS.len())]);
    let key = match aside.u32(..12) {
        0 => vec!["instance".into()],
        1 => vec!["service".into(), "severity".into()],
        2 if one_in(aside, 4) => vec!["absent".into()],
        _ => Vec::new(),
    };
    let shape = &afterwards(aside, with_steps.unwrap_or(&SHAPES[shape]).clone());
    let drawn = Playbook {
        name: format!("p{number}").into(),
        revision: "r0".into(),
        matchers: parse_matchers(&matcher).expect("a matcher of ours").matchers,
        limits: Limits { windows, scope, key, cooldown, max_parallel: rng.u32(1..=2), min_healthy },
        dry_run: one_in(rng, 8),
        ..shape.clone()
    };
    approvals::ask(aside, drawn)
}

/// Some playbooks have an end, and some choose several containers.
fn afterwards(rng: &mut Rng, shape: Playbook) -> Playbook {
    let lent = &AFTERWARDS[rng.usize(..AFTERWARDS.len())];
    let shape = match rng.u32(..8) {
        0 => AFTERWARDS[0].clone(),
        1 | 2 if shape.target.is_some() => Playbook { on_resolved: lent.on_resolved.clone(), ..shape },
        _ => shape,
    };
    if shape.target.is_none() || !one_in(rng, 6) {
        return shape;
    }
    let value = Template::parse("{{ labels.service }}", &["labels"]).expect("a template of ours");
    let which = Which::Selector { labels: vec![(COMPOSE_SERVICE.to_owned(), value)], max: rng.u32(1..=3) };
    Playbook { target: Some(which.into()), ..shape }
}

pub(crate) fn window(rng: &mut Rng) -> Window {
    Window { runs: rng.u32(1..=3), per: secs(rng.u64(30..1500)) }
}

fn containers(rng: &mut Rng) -> Vec<ContainerSpec> {
    let mut specs: Vec<ContainerSpec> = (0..rng.usize(1..=4)).map(|number| container(rng, number)).collect();
    if one_in(rng, 3) {
        let sidecar = container(rng, specs.len());
        let parent = specs[0].name.clone();
        specs.push(ContainerSpec { lives_with: Some(parent), ..sidecar });
    }
    specs
}

/// A container of this number, as it is made first or by a deployment.
pub(crate) fn container(rng: &mut Rng, number: usize) -> ContainerSpec {
    let mut labels = BTreeMap::from([("sickbay.enable".to_owned(), "true".to_owned())]);
    match rng.u32(..40) {
        0 => drop(labels.remove("sickbay.enable")),
        1 => drop(labels.insert("sickbay.protect".to_owned(), "true".to_owned())),
        2 => drop(labels.insert("sickbay.enable".to_owned(), "false".to_owned())),
        3 => drop(labels.insert("sickbay.actions".to_owned(), "stop".to_owned())),
        4 => drop(labels.insert("com.docker.swarm.task.id".to_owned(), "x".to_owned())),
        _ => {}
    }
    // Not every service may be scaled.
    if number % 5 != 4 {
        labels.insert("sickbay.scale.enable".to_owned(), "true".to_owned());
    }
    labels.insert(COMPOSE_PROJECT.to_owned(), "shop".to_owned());
    labels.insert(COMPOSE_SERVICE.to_owned(), format!("s{}", number.min(2)));
    let policies = [RestartPolicy::No, RestartPolicy::OnFailure, RestartPolicy::Always, RestartPolicy::UnlessStopped];
    let second = secs(1);
    let check = HealthCheck { interval: second * 2, timeout: second, retries: 2, start_period: second * 3 };
    ContainerSpec {
        name: TargetName::parse(&format!("c{number}")).expect("a name of ours"),
        image: None,
        image_id: format!("sha256:{}", rng.u32(..2)),
        labels,
        restart_policy: policies[rng.usize(..policies.len())],
        auto_remove: one_in(rng, 40),
        stop_timeout: one_in(rng, 4).then(|| secs(rng.u64(1..20))),
        health_check: rng.bool().then_some(check),
        lives_with: None,
        limits: ResourceLimits::default(),
        memory_in_use: 0,
        nature: nature(rng),
    }
}

/// Most of its lives are bad, and its health check shows it.
fn sicken(rng: &mut Rng, spec: &mut ContainerSpec) {
    let second = secs(1);
    let check = HealthCheck { interval: second * 2, timeout: second, retries: 2, start_period: second * 3 };
    spec.health_check.get_or_insert(check);
    for life in &mut spec.nature.lives {
        if !one_in(rng, 5) {
            life.healthy_after = None;
        }
    }
}

fn nature(rng: &mut Rng) -> Nature {
    let lives = (0..rng.usize(1..=4)).map(|_| life(rng)).collect();
    let millis = |rng: &mut Rng, most: u64| Duration::from_millis(rng.u64(5..most));
    let slow = one_in(rng, 4);
    Nature {
        stop_takes: millis(rng, if slow { 15_000 } else { 500 }),
        start_takes: millis(rng, if slow { 3_000 } else { 500 }),
        lives,
    }
}

fn life(rng: &mut Rng) -> Life {
    let well = Life { healthy_after: Some(Duration::from_millis(rng.u64(100..8_000))), ..Life::default() };
    match rng.u32(..10) {
        0 => Life { fails_to_start: true, ..well },
        1 => Life { dies: Some((Duration::from_millis(rng.u64(10..2_000)), 1)), ..well },
        2 => Life { dies: Some((secs(rng.u64(5..600)), [0, 1, 137][rng.usize(..3)])), ..well },
        3 => Life { healthy_after: None, ..well },
        _ => well,
    }
}

fn alert(rng: &mut Rng, names: &[String], instance: usize, groups: usize) -> AlertSpec {
    let container = if one_in(rng, 12) { "gone".to_owned() } else { names[rng.usize(..names.len())].clone() };
    let severity = if one_in(rng, 8) { "info" } else { "page" };
    let pairs = [
        ("alertname", format!("A{}", rng.u32(..3))),
        ("container", container),
        ("instance", format!("i{instance}")),
        ("service", format!("s{}", rng.u32(..3))),
        ("severity", severity.to_owned()),
    ];
    AlertSpec { labels: pairs.into_iter().collect(), group: rng.usize(..groups) }
}
