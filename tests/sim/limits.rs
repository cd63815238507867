//! Limits that are lent while an alert fires: raised, taken back when it has ended, whatever becomes of calls, crashes and
//! people meanwhile; and the replay of it all.

use sickbay::engine::ruleset::Ruleset;
use sickbay::model::alert::{Alert, AlertStatus, Notification};
use sickbay::model::fact::{Answer, Fact};
use sickbay::model::label::Labels;
use sickbay::model::policy::Policy;
use sickbay::model::resources::ResourceLimits;
use sickbay::model::target::{ContainerName, TargetName};
use sickbay::playbook::index::Playbooks;
use sickbay::playbook::{RuleFile, load};
use sickbay::replay::{Assume, Config, History, Origin};
use sickbay::sim::clock::SimTime;
use sickbay::sim::container::ContainerSpec;
use sickbay::sim::input::{Crash, Fate, Input, Touch};
use sickbay::sim::world::{DeliveryId, World};
use std::time::Duration;

const RULES: &str = "version: 1
playbooks:
  - name: lend
    matchers: ['alertname = \"Full\"']
    target: {container: web}
    limits: {runs: 9, per: 1h, cooldown: 0s}
    steps:
      - update_limits: {memory: {factor: 2, max: 1GiB}, cpus: {factor: 2, max: 4}}
      - verify: {within: 30s, stable_for: 2s}
    on_resolved:
      - update_limits: {to: original}
      - verify: {within: 30s, stable_for: 2s}
";

const MIB: u64 = 1 << 20;

fn playbooks() -> Playbooks {
    let loaded = load(&[RuleFile { path: "rules.yaml".to_owned(), text: RULES.to_owned() }]);
    assert!(!loaded.has_errors(), "{:?}", loaded.problems);
    Playbooks::new(loaded.playbooks)
}

fn policy() -> Policy {
    Policy { hands_off: Duration::ZERO, ..Policy::default() }
}

fn web() -> ContainerSpec {
    ContainerSpec {
        limits: ResourceLimits { nano_cpus: 1_000_000_000, ..ResourceLimits::default() }.with_memory(256 * MIB),
        memory_in_use: 100 * MIB,
        ..ContainerSpec::new(&ContainerName::parse("web").unwrap())
    }
}

fn pass(world: &mut World, secs: u64) {
    let until = world.now().after(Duration::from_secs(secs));
    world.run_until(until);
}

fn send(world: &mut World, status: AlertStatus) {
    let labels: Labels = [("alertname", "Full")].into_iter().collect();
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

/// Raised; then this happens; then the alert ends, and this becomes of the call that takes it back.
fn lent(meanwhile: &[Input], fate: Option<Fate>) -> World {
    let mut world = World::new(Ruleset::new(playbooks(), policy()), vec![web()]);
    world.run_until(SimTime(60_000));
    send(&mut world, AlertStatus::Firing);
    pass(&mut world, 60);
    assert_eq!(limits(&world), (512, 2), "{}", told(&world));
    meanwhile.iter().for_each(|input| world.happen(input));
    pass(&mut world, 60);
    fate.into_iter().for_each(|fate| world.happen(&Input::NextWrite(fate)));
    send(&mut world, AlertStatus::Resolved);
    pass(&mut world, 120);
    world
}

/// MiB of memory, and CPUs.
fn limits(world: &World) -> (u64, u64) {
    let limits = world.docker().by_name("web").unwrap().shown().limits;
    (limits.memory / MIB, limits.nano_cpus / 1_000_000_000)
}

/// What the log says: refusals, actions and ends.
fn told(world: &World) -> String {
    let told = world.disk().records().iter().filter_map(|record| match &record.fact {
        Fact::Decided(decided) => match &decided.answer {
            Answer::Refused(refusal) => Some(refusal.reason.to_string()),
            Answer::Run { .. } => None,
        },
        Fact::ActionIntended(intended) => Some(intended.action.word().to_owned()),
        Fact::ActionReconciled(reconciled) => Some(reconciled.finding.to_string()),
        Fact::IncidentClosed(closed) => Some(closed.verdict.to_string()),
        _ => None,
    });
    told.collect::<Vec<_>>().join(" ")
}

/// From the log alone the same comes out, record by record.
fn replays(world: &World) {
    let records = world.disk().records().to_vec();
    let config =
        Config { playbooks: playbooks(), policy: policy(), assume: Assume::Recovers, repeat: None, configs: None };
    let (mut again, mut place) = (0, 0);
    sickbay::replay::play(&History::Log(records.clone()), config, &mut |seen| {
        assert_eq!(seen.origin, Origin::Told, "{:?}", seen.record);
        assert_eq!(records.get(place), Some(seen.record), "record {place}");
        (again, place) = (again + 1, place + 1);
    });
    assert_eq!(again, records.len());
}

fn touch(touch: Touch) -> Input {
    Input::Touch(TargetName::parse("web").unwrap(), touch)
}

#[test]
fn whatever_becomes_of_the_call_that_takes_limits_back_it_is_sent_once() {
    const RAISED: &str = "update_limits recovered update_limits";
    for (fate, want, left) in [
        (Fate::Prompt, "recovered", (256, 1)),
        (Fate::Late(Duration::from_secs(5)), "recovered", (256, 1)),
        (Fate::AnswerLost, "observed recovered", (256, 1)),
        (Fate::LostOnTheWay, "not_applied abandoned", (512, 2)),
        (Fate::NotSent, "failed", (512, 2)),
        (Fate::Fails, "failed", (512, 2)),
        (Fate::Lies, "ineffective", (512, 2)),
    ] {
        let world = lent(&[], Some(fate));
        assert_eq!(told(&world), format!("{RAISED} {want}"), "{fate:?}");
        assert_eq!((limits(&world), world.seen.writes.len()), (left, 2), "{fate:?}");
        replays(&world);
    }
}

#[test]
fn a_crash_forgets_nothing_and_what_others_did_is_left_alone() {
    let crash = Crash { kept_permille: 0, down: Duration::from_secs(5), requests_arrive: true };
    let more = |memory: Option<u64>, nano_cpus: Option<u64>| touch(Touch::Limit { memory, nano_cpus });
    for (name, meanwhile, want, left) in [
        ("a crash", vec![Input::Crash(crash)], "update_limits recovered", (256, 1)),
        ("more memory", vec![more(Some(1024 * MIB), None)], "limits_changed", (1024, 2)),
        ("more CPUs", vec![more(None, Some(3_000_000_000))], "limits_changed", (512, 3)),
        ("its memory back", vec![more(Some(256 * MIB), None)], "update_limits recovered", (256, 1)),
        ("a deployment", vec![touch(Touch::Recreate(Box::new(web())))], "recovered", (256, 1)),
        ("little room", vec![touch(Touch::UseMemory(205 * MIB))], "memory_in_use", (512, 2)),
    ] {
        let world = lent(&meanwhile, None);
        let told = told(&world);
        assert_eq!(told, format!("update_limits recovered {want}"), "{name}");
        assert_eq!(limits(&world), left, "{name}");
        let state = world.docker().by_name("web").unwrap().shown().state.as_str().to_owned();
        assert_eq!(state, "running", "{name}: nothing was killed for memory");
        replays(&world);
    }
}

#[test]
fn what_has_no_room_is_taken_back_when_it_has_and_given_up_in_time() {
    let mut world = lent(&[touch(Touch::UseMemory(500 * MIB))], None);
    assert_eq!((told(&world).as_str(), limits(&world)), ("update_limits recovered memory_in_use", (512, 2)));
    world.happen(&touch(Touch::UseMemory(100 * MIB)));
    pass(&mut world, 120);
    assert_eq!(told(&world), "update_limits recovered memory_in_use update_limits recovered");
    assert_eq!(limits(&world), (256, 1));
    replays(&world);
    let mut world = lent(&[touch(Touch::UseMemory(500 * MIB))], None);
    pass(&mut world, 24 * 3600);
    assert!(told(&world).ends_with("memory_in_use stale_alert cancelled"), "{}", told(&world));
    assert_eq!(limits(&world), (512, 2));
}
