//! Services in the simulated world: Swarm's and Compose's own ways, and example 2 of the language as a whole.

#![expect(clippy::wildcard_enum_match_arm, reason = "a test picks the few facts it is about")]

use super::clock::SimTime;
use super::container::{ContainerSpec, Life};
use super::input::{Fate, Input};
use super::service::{Definition, OnFailure, Rollout, ServiceSpec, ServiceTouch};
use super::world::{DeliveryId, World};
use crate::engine::ruleset::Ruleset;
use crate::model::alert::{Alert, AlertStatus, Notification};
use crate::model::container::{COMPOSE_PROJECT, COMPOSE_SERVICE};
use crate::model::fact::{Answer, Fact};
use crate::model::host::Host;
use crate::model::label::Labels;
use crate::model::policy::Policy;
use crate::model::reason::Reason;
use crate::model::resources::ResourceLimits;
use crate::model::service::{Mode, Service, Update};
use crate::model::target::{ContainerName, TargetName, TargetQuery};
use crate::playbook::index::Playbooks;
use crate::playbook::{RuleFile, load};
use std::time::Duration;

/// The four examples of the language.
const LANGUAGE: &str = include_str!("../../tests/fixtures/playbooks/language.yaml");

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn rules(target: &str, steps: &str) -> String {
    format!(
        "version: 1\nplaybooks:\n  - name: p\n    matchers: [alertname = \"A\"]\n    target: {target}\n    \
         limits: {{runs: 9, per: 1h, cooldown: 0s}}\n    steps:\n{steps}"
    )
}

fn worker(replicas: u32) -> ServiceSpec {
    let (image, rest) = ("worker:1".to_owned(), "x".to_owned());
    ServiceSpec {
        name: ContainerName::parse("shop_worker").unwrap(),
        definition: Definition { image, rest, replicas, force_update: 0 },
        mode: Mode::Replicated,
        labels: [("sickbay.enable".to_owned(), "true".to_owned())].into(),
        most: None,
        rollout: Rollout { parallelism: 1, start_first: false, monitor: secs(2), on_failure: OnFailure::Rollback },
        start_takes: secs(1),
        lives: vec![Life { healthy_after: Some(secs(2)), ..Life::default() }],
    }
}

fn replica(name: &str) -> ContainerSpec {
    let label = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    ContainerSpec {
        labels: [
            label("sickbay.enable", "true"),
            label("sickbay.scale.enable", "true"),
            label(COMPOSE_PROJECT, "shop"),
            label(COMPOSE_SERVICE, "web"),
        ]
        .into(),
        limits: ResourceLimits { memory: 64 << 20, memory_swap: 128 << 20, ..ResourceLimits::default() },
        ..ContainerSpec::new(&ContainerName::parse(name).unwrap())
    }
}

fn world(text: &str, services: Vec<ServiceSpec>) -> World {
    let loaded = load(&[RuleFile { path: "rules.yaml".to_owned(), text: text.to_owned() }]);
    assert!(!loaded.has_errors(), "{:?}", loaded.problems);
    let policy = Policy { hands_off: Duration::ZERO, ..Policy::default() };
    let ruleset = Ruleset::new(Playbooks::new(loaded.playbooks), policy);
    let mut world = World::new(ruleset, vec![replica("shop-web-1")]);
    world.add_services(services);
    world.run_until(SimTime(60_000));
    world
}

fn fire(world: &mut World, pairs: &[(&str, &str)]) {
    send(world, pairs, AlertStatus::Firing);
}

fn send(world: &mut World, pairs: &[(&str, &str)], status: AlertStatus) {
    let labels: Labels = pairs.iter().copied().collect();
    let alert = Alert {
        fingerprint: labels.fingerprint(),
        status,
        labels,
        annotations: Labels::default(),
        starts_at: Some(world.clock().wall()),
        ends_at: (status == AlertStatus::Resolved).then(|| world.clock().wall()),
        generator_url: "".into(),
    };
    let id = DeliveryId(u64::try_from(world.disk().records().len()).unwrap());
    assert!(world.deliver(id, Notification { alerts: vec![alert], ..Notification::default() }));
}

fn wait(world: &mut World, span: Duration) {
    world.run_until(world.now().after(span));
}

fn shown(world: &World, query: &TargetQuery) -> Service {
    let report = world.docker().resolve((&Host::First, query), world.clock().wall());
    let crate::model::container::TargetReport::FoundService(service) = report else { panic!("{report:?}") };
    *service
}

fn the_worker(world: &World) -> Service {
    shown(world, &TargetQuery::Service(ContainerName::parse("shop_worker").unwrap()))
}

/// What the log says: refusals, actions and the end.
fn told(world: &World) -> String {
    let told = world.disk().records().iter().filter_map(|record| match &record.fact {
        Fact::Decided(decided) => match &decided.answer {
            Answer::Refused(refusal) => Some(refusal.reason.to_string()),
            Answer::Run { .. } => None,
        },
        Fact::ActionIntended(intended) => Some(intended.action.op().to_owned()),
        Fact::ActionReconciled(reconciled) => Some(reconciled.finding.to_string()),
        Fact::IncidentClosed(closed) => Some(closed.verdict.to_string()),
        _ => None,
    });
    told.collect::<Vec<_>>().join(" ")
}

fn touch(world: &mut World, touch: ServiceTouch) {
    world.happen(&Input::TouchService(TargetName::parse("shop_worker").unwrap(), touch));
}

#[test]
fn example_2_of_the_language_scales_a_service_out() {
    let backlog = |depth| [("alertname", "QueueBacklog"), ("queue", "emails"), ("depth", depth)];
    for (depth, replicas, want, after) in [
        ("2000", 2, "service.scale recovered", 3),
        ("2000", 1, "service.scale recovered", 2),
        ("2000", 5, "service.scale recovered", 6),
        ("1000", 2, "condition_false", 2),
        ("2000", 6, "condition_false", 6),
        ("many", 2, "condition_error", 2),
    ] {
        let text = LANGUAGE.replace("run.url", "run.id");
        let mut world = world(&text, vec![worker(replicas)]);
        fire(&mut world, &backlog(depth));
        wait(&mut world, secs(200));
        assert_eq!((told(&world).as_str(), the_worker(&world).wanted), (want, after), "{depth} {replicas}");
        assert_eq!(the_worker(&world).healthy, after);
        let known = world.daemon().unwrap().state().services().originals().next().map(|known| known.count);
        assert_eq!(known, (after != replicas).then_some(replicas), "on_resolved goes back to this");
    }
}

#[test]
fn example_2_scales_back_when_its_alert_is_resolved() {
    let backlog = [("alertname", "QueueBacklog"), ("queue", "emails"), ("depth", "2000")];
    let text = LANGUAGE.replace("run.url", "run.id");
    for (replicas, somebody, want, after) in [
        (3, None, "service.scale recovered service.scale recovered", 3),
        // Two stay, as its `min` says: that many there are already.
        (1, None, "service.scale recovered recovered", 2),
        // Somebody else has scaled it since, and knows why.
        (3, Some(6), "service.scale recovered replicas_changed", 6),
    ] {
        let mut world = world(&text, vec![worker(replicas)]);
        fire(&mut world, &backlog);
        wait(&mut world, secs(200));
        if let Some(to) = somebody {
            touch(&mut world, ServiceTouch::Scale(to));
        }
        send(&mut world, &backlog, AlertStatus::Resolved);
        wait(&mut world, secs(595));
        assert_eq!(
            the_worker(&world).wanted,
            somebody.unwrap_or((replicas + 1).max(2)),
            "not before ten minutes are over"
        );
        wait(&mut world, secs(400));
        let told = told(&world);
        assert!(told.starts_with(want), "{replicas} {somebody:?}: {told}");
        assert_eq!(the_worker(&world).wanted, after, "{replicas} {somebody:?}");
    }
}

#[test]
fn whatever_becomes_of_a_scaling_call_it_is_sent_once_and_its_story_told() {
    for (fate, want, after) in [
        (Fate::Prompt, "service.scale recovered", 3),
        (Fate::Late(secs(5)), "service.scale recovered", 3),
        (Fate::NotSent, "service.scale failed", 2),
        (Fate::LostOnTheWay, "service.scale not_applied abandoned", 2),
        (Fate::Stray(secs(8)), "service.scale observed recovered", 3),
        (Fate::AnswerLost, "service.scale observed recovered", 3),
        (Fate::Hangs, "service.scale observed recovered", 3),
        (Fate::Lies, "service.scale ineffective", 2),
        (Fate::DoneAndCalledFailed, "service.scale recovered", 3),
        (Fate::Fails, "service.scale failed", 2),
    ] {
        let text = rules("{service: shop_worker}", "      - scale: {by: 1, max: 6}\n");
        let mut world = world(&text, vec![worker(2)]);
        world.happen(&Input::NextWrite(fate));
        fire(&mut world, &[("alertname", "A")]);
        wait(&mut world, secs(400));
        assert_eq!((told(&world).as_str(), the_worker(&world).wanted), (want, after), "{fate:?}");
        assert_eq!(world.seen.writes.len(), 1, "{fate:?}");
    }
}

#[test]
fn a_scale_leaves_no_update_behind_and_destroys_what_a_rollback_would_take_back() {
    let text = rules("{service: shop_worker}", "      - rollback: {}\n");
    let mut world = world(&text, vec![worker(2)]);
    touch(&mut world, ServiceTouch::Deploy("worker:2".to_owned()));
    wait(&mut world, secs(60));
    let deployed = the_worker(&world);
    assert_eq!((deployed.update.clone(), deployed.healthy), (Some(Update::Completed), 2));
    touch(&mut world, ServiceTouch::Scale(3));
    wait(&mut world, secs(60));
    let scaled = the_worker(&world);
    assert_eq!(scaled.update, deployed.update, "no trace in the update's state");
    assert_eq!(scaled.previous.as_ref().map(|previous| previous.image.as_str()), Some("worker:2"));
    assert!(deployed.version < scaled.version);
    fire(&mut world, &[("alertname", "A")]);
    wait(&mut world, secs(60));
    assert_eq!(told(&world), "nothing_to_undo");
}

#[test]
fn a_bad_deployment_is_taken_back_and_not_brought_again() {
    let text = rules("{service: shop_worker}", "      - rollback: {}\n");
    let mut world = world(&text, vec![worker(2)]);
    touch(&mut world, ServiceTouch::Deploy("worker:2".to_owned()));
    wait(&mut world, secs(60));
    fire(&mut world, &[("alertname", "A")]);
    wait(&mut world, secs(100));
    let back = the_worker(&world);
    assert_eq!((told(&world).as_str(), back.image.as_str()), ("service.rollback recovered", "worker:1"));
    assert_eq!(back.update, Some(Update::RolledBack));
    fire(&mut world, &[("alertname", "A"), ("other", "x")]);
    wait(&mut world, secs(100));
    assert_eq!(told(&world), "service.rollback recovered nothing_to_undo");
}

#[test]
fn a_restart_whose_tasks_fail_is_taken_back_by_swarm_and_has_not_helped() {
    let text = rules("{service: shop_worker}", "      - restart: {}\n");
    let mut well = world(&text, vec![worker(3)]);
    fire(&mut well, &[("alertname", "A")]);
    wait(&mut well, secs(100));
    assert_eq!((told(&well).as_str(), the_worker(&well).force_update), ("service.restart recovered", 1));
    let dies = Life { fails_to_start: true, ..Life::default() };
    let lives = [vec![Life { healthy_after: Some(secs(1)), ..Life::default() }; 3], vec![dies; 2]].concat();
    let lives = [lives, worker(3).lives].concat();
    let mut ill = world(&text, vec![ServiceSpec { lives, ..worker(3) }]);
    fire(&mut ill, &[("alertname", "A")]);
    wait(&mut ill, secs(400));
    assert_eq!((told(&ill).as_str(), the_worker(&ill).force_update), ("service.restart ineffective", 0));
}

#[test]
fn an_act_on_what_a_deployment_changes_is_not_sent() {
    let text = rules("{service: shop_worker}", "      - scale: {by: 1, max: 6}\n");
    let mut world = world(&text, vec![worker(2)]);
    touch(&mut world, ServiceTouch::Deploy("worker:2".to_owned()));
    fire(&mut world, &[("alertname", "A")]);
    wait(&mut world, secs(2));
    assert_eq!(told(&world), "update_in_progress");
    assert!(world.seen.writes.is_empty());
}

#[test]
fn a_compose_service_gets_replicas_with_the_next_numbers_and_loses_the_highest() {
    let text = rules(
        "{compose: {project: shop, service: web}}",
        "      - scale: {by: 2, max: 4}\n      - verify: {replicas_running: all, within: 60s}\n      - scale: {to: 2}\n",
    );
    let mut world = world(&text, Vec::new());
    fire(&mut world, &[("alertname", "A")]);
    wait(&mut world, secs(8));
    let names = |world: &World| {
        let mut names: Vec<String> =
            world.docker().containers().iter().map(|one| one.shown().name.to_string()).collect();
        names.sort();
        names.join(" ")
    };
    assert_eq!(names(&world), "shop-web-1 shop-web-2 shop-web-3");
    wait(&mut world, secs(60));
    assert_eq!(told(&world), "service.scale service.scale recovered");
    assert_eq!(names(&world), "shop-web-1 shop-web-2");
    assert_eq!(world.seen.service_changes.len(), 2);
}

#[test]
fn a_compose_service_is_refused_before_anything_is_begun_if_it_cannot_be_copied_or_the_replicas_are_not_ours() {
    let name = TargetName::parse("shop/web").unwrap();
    for (scale, touch, want) in [
        ("{by: 1, max: 4}", ServiceTouch::Obstruct(Reason::FixedPort), Reason::FixedPort),
        ("{by: -1}", ServiceTouch::Scale(3), Reason::NotOurReplicas),
    ] {
        let steps = format!("      - scale: {scale}\n      - verify: {{replicas_running: all, within: 60s}}\n");
        let mut world = world(&rules("{compose: {project: shop, service: web}}", &steps), Vec::new());
        world.happen(&Input::TouchService(name.clone(), touch));
        wait(&mut world, secs(400));
        fire(&mut world, &[("alertname", "A")]);
        wait(&mut world, secs(20));
        assert_eq!(told(&world), want.as_str(), "{scale}");
        assert!(world.seen.writes.is_empty(), "{scale}");
    }
}

#[test]
fn limits_are_raised_in_the_world_too() {
    let text = rules(
        "{container: shop-web-1}",
        "      - update_limits: {memory: {factor: 2, max: 100MiB}}\n      - verify: {within: 30s, stable_for: 2s}\n",
    );
    for (fate, want, memory) in [
        (Fate::Prompt, "container.update_limits recovered", 100),
        (Fate::AnswerLost, "container.update_limits observed recovered", 100),
        (Fate::LostOnTheWay, "container.update_limits not_applied abandoned", 64),
        (Fate::Lies, "container.update_limits ineffective", 64),
    ] {
        let mut world = world(&text, Vec::new());
        world.happen(&Input::NextWrite(fate));
        fire(&mut world, &[("alertname", "A")]);
        wait(&mut world, secs(100));
        let limits = world.docker().by_name("shop-web-1").unwrap().shown().limits;
        assert_eq!((told(&world).as_str(), limits.memory >> 20), (want, memory), "{fate:?}");
        assert_eq!(limits.memory_swap >> 20, i64::try_from(memory * 2).unwrap(), "{fate:?}");
    }
}
