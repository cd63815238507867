//! The world's own behaviour: what real engines showed, and whole stories from the alert to the verdict.

#![expect(clippy::wildcard_enum_match_arm, reason = "a test picks the facts it is about")]

use super::clock::SimTime;
use super::container::{ContainerSpec, Found, Life, Nature};
use super::docker::{Call, CallVerb, Caller, Docker, Instant, Next, Phase, Reply, Turns};
use super::input::{Crash, Fate, Input, Touch};
use super::world::{DeliveryId, World};
use crate::engine::ruleset::Ruleset;
use crate::model::alert::{Alert, AlertStatus, Notification};
use crate::model::container::{ContainerState, RestartPolicy, StopCause};
use crate::model::fact::Fact;
use crate::model::label::Labels;
use crate::model::policy::Policy;
use crate::model::target::{ContainerId, ContainerName, TargetName};
use crate::playbook::index::Playbooks;
use crate::playbook::{RuleFile, load};
use std::time::Duration;

const RULES: &str = r#"
version: 1
playbooks:
  - name: restart
    matchers: [alertname = "Down"]
    target: {container: "{{ labels.container }}"}
    steps:
      - restart: {start_if_stopped: true}
"#;

/// When the containers were created.
const BORN: chrono::DateTime<chrono::Utc> = chrono::DateTime::UNIX_EPOCH;

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn spec(name: &str) -> ContainerSpec {
    ContainerSpec::new(&ContainerName::parse(name).unwrap())
}

fn world(specs: Vec<ContainerSpec>) -> World {
    let file = RuleFile { path: "rules.yaml".to_owned(), text: RULES.to_owned() };
    let loaded = load(&[file]);
    assert!(!loaded.has_errors(), "{:?}", loaded.problems);
    let mut world = World::new(Ruleset::new(Playbooks::new(loaded.playbooks), Policy::default()), specs);
    world.run_until(SimTime(60_000));
    world
}

fn fire(world: &mut World) {
    let labels: Labels = [("alertname", "Down"), ("container", "web")].into_iter().collect();
    let alert = Alert {
        fingerprint: labels.fingerprint(),
        status: AlertStatus::Firing,
        labels,
        annotations: Labels::default(),
        starts_at: Some(world.clock().wall()),
        ends_at: None,
        generator_url: "".into(),
    };
    let notification = Notification { alerts: vec![alert], ..Notification::default() };
    assert!(world.deliver(DeliveryId(1), notification));
}

fn wait(world: &mut World, span: Duration) {
    world.run_until(world.now().after(span));
}

/// What the log says about actions and the end.
fn told(world: &World) -> String {
    let told = world.disk().records().iter().filter_map(|record| match &record.fact {
        Fact::ActionIntended(_) => Some("intended".to_owned()),
        Fact::ActionReconciled(reconciled) => Some(reconciled.finding.to_string()),
        Fact::IncidentClosed(closed) => Some(closed.verdict.to_string()),
        _ => None,
    });
    told.collect::<Vec<_>>().join(" ")
}

#[test]
fn a_container_that_died_is_started_and_recovers() {
    let mut world = world(vec![spec("web")]);
    world.happen(&Input::Touch(TargetName::parse("web").unwrap(), Touch::Die(1)));
    fire(&mut world);
    assert!(world.seen.acks.is_empty(), "not before it is durable");
    wait(&mut world, secs(60));
    assert_eq!(world.seen.acks.len(), 1);
    assert_eq!(told(&world), "intended recovered");
    assert_eq!(world.docker().by_name("web").unwrap().shown().state, ContainerState::Running);
}

#[test]
fn whatever_becomes_of_the_call_it_is_sent_once_and_its_story_told() {
    for (fate, want) in [
        (Fate::Prompt, "intended recovered"),
        (Fate::Late(secs(5)), "intended recovered"),
        (Fate::NotSent, "intended failed"),
        (Fate::Blocked, "intended failed"),
        (Fate::LostOnTheWay, "intended not_applied abandoned"),
        (Fate::Stray(secs(8)), "intended observed recovered"),
        (Fate::AnswerLost, "intended observed recovered"),
        (Fate::Hangs, "intended observed recovered"),
        (Fate::Lies, "intended ineffective"),
        (Fate::DoneAndCalledFailed, "intended recovered"),
        (Fate::Fails, "intended failed"),
    ] {
        let mut world = world(vec![spec("web")]);
        world.happen(&Input::NextWrite(fate));
        fire(&mut world);
        wait(&mut world, secs(300));
        assert_eq!(told(&world), want, "{fate:?}");
        assert_eq!(world.seen.writes.len(), 1, "{fate:?}");
    }
}

#[test]
fn a_crash_at_any_record_is_carried_on_from_the_log() {
    for records in 1..12 {
        for kept_permille in [0, 500, 1000] {
            let mut world = world(vec![spec("web")]);
            let crash = Crash { kept_permille, down: secs(3), requests_arrive: true };
            world.happen(&Input::CrashAfter(records, crash));
            fire(&mut world);
            wait(&mut world, secs(300));
            let told = told(&world);
            assert!(world.seen.writes.len() <= 1, "after {records}: {told}");
            // What was lost was not acknowledged: its sender delivers it again.
            let recorded = world.disk().records().iter().any(|record| matches!(record.fact, Fact::AlertReceived(_)));
            assert!(recorded || world.seen.acks.is_empty(), "after {records}: acknowledged and lost");
            let open = world.daemon().map(|daemon| daemon.state().open_incidents());
            assert_eq!(open, Some(0), "after {records}, {kept_permille} kept: {told}");
        }
    }
}

#[test]
fn a_reboot_brings_another_boot_and_what_its_policy_wants() {
    let always = ContainerSpec { restart_policy: RestartPolicy::Always, ..spec("always") };
    let mut world = world(vec![spec("web"), always]);
    let before = world.clock().stamp();
    world.happen(&Input::Reboot(Crash { kept_permille: 0, down: secs(30), requests_arrive: false }));
    wait(&mut world, secs(40));
    let after = world.clock().stamp();
    assert_ne!(before.boot, after.boot);
    assert!(after.up_ms < before.up_ms && world.daemon().is_some());
    let state = |name: &str| world.docker().by_name(name).unwrap().shown().state.clone();
    assert_eq!((state("web"), state("always")), (ContainerState::Exited, ContainerState::Running));
}

#[test]
fn a_world_begins_at_any_time_with_its_containers_as_they_are_found() {
    let noon: chrono::DateTime<chrono::Utc> = "2026-01-05T12:00:00Z".parse().unwrap();
    let mut world = World::beginning_at(noon, Ruleset::new(Playbooks::default(), Policy::default()));
    assert_eq!(
        (world.clock().wall(), world.clock().true_wall(SimTime(1000))),
        (noon, noon + chrono::TimeDelta::seconds(1))
    );
    for (name, found, want) in [
        ("died", Some(Found::Died(137)), (ContainerState::Exited, 137, StopCause::Died)),
        ("stopped", Some(Found::Stopped), (ContainerState::Exited, 143, StopCause::Stopped)),
        ("paused", Some(Found::Paused), (ContainerState::Paused, 0, StopCause::NotAsked)),
        ("runs", None, (ContainerState::Running, 0, StopCause::NotAsked)),
    ] {
        // Its policy would start it again at once.
        world.create(ContainerSpec { restart_policy: RestartPolicy::Always, ..spec(name) }, false);
        let name = TargetName::parse(name).unwrap();
        assert_eq!(world.docker().by_name(name.as_str()).unwrap().shown().state, ContainerState::Created);
        world.start(&name);
        found.into_iter().for_each(|found| world.find(&name, found));
        wait(&mut world, secs(300));
        let container = world.docker().by_name(name.as_str()).unwrap();
        let shown = container.shown();
        assert_eq!((shown.state.clone(), shown.exit_code, container.stop_cause()), want, "{name}");
    }
}

/// The engine alone: calls carried to their end, and turns left out.
struct Engine(Docker, SimTime);

impl Engine {
    fn at(&self) -> Instant {
        Instant { now: self.1, wall: self.1.true_wall() }
    }

    fn call(&mut self, id: &ContainerId, verb: CallVerb) -> Reply {
        let call = Call { id: id.clone(), verb, by: Caller::Person };
        let mut phase = Phase::Arrived;
        loop {
            let at = self.at();
            match self.0.carry_on(&call, phase, at, &mut Turns::new()) {
                Next::Wait(after, next) => {
                    self.1 = self.1.after(after);
                    phase = next;
                }
                Next::Over(reply) => return reply,
            }
        }
    }

    fn touch(&mut self, id: &ContainerId, touch: &Touch) {
        let at = self.at();
        self.0.touch(id, touch, at, &mut Turns::new());
    }
}

#[test]
fn calls_do_to_each_state_what_real_engines_do() {
    use ContainerState::{Created, Exited, Paused, Restarting, Running};
    let conflict = || Reply::Conflict("cannot start it now".to_owned());
    let restart = CallVerb::Restart(None);
    for (before, verb, reply, after) in [
        (Running, restart, Reply::Done, Running),
        (Running, CallVerb::Stop(None), Reply::Done, Exited),
        (Running, CallVerb::Start, Reply::Unchanged, Running),
        (Exited, restart, Reply::Done, Running),
        (Exited, CallVerb::Stop(None), Reply::Unchanged, Exited),
        (Exited, CallVerb::Start, Reply::Done, Running),
        (Created, restart, Reply::Done, Running),
        (Created, CallVerb::Stop(None), Reply::Unchanged, Created),
        (Created, CallVerb::Start, Reply::Done, Running),
        (Paused, restart, Reply::Done, Running),
        (Paused, CallVerb::Stop(None), Reply::Done, Exited),
        (Paused, CallVerb::Start, conflict(), Paused),
        (Restarting, restart, Reply::Done, Running),
        (Restarting, CallVerb::Stop(None), Reply::Done, Exited),
        (Restarting, CallVerb::Start, Reply::Unchanged, Restarting),
    ] {
        let mut engine = Engine(Docker::default(), SimTime(0));
        let id = engine.0.create(ContainerSpec { restart_policy: RestartPolicy::Always, ..spec("web") }, BORN).unwrap();
        if before != Created {
            engine.call(&id, CallVerb::Start);
        }
        match before {
            Exited => _ = engine.call(&id, CallVerb::Stop(None)),
            Paused => engine.touch(&id, &Touch::Pause),
            Restarting => engine.touch(&id, &Touch::Die(1)),
            _ => {}
        }
        assert_eq!(engine.call(&id, verb), reply, "{before:?} {verb:?}");
        assert_eq!(engine.0.inspect(&id).unwrap().shown().state, after, "{before:?} {verb:?}");
    }
    let mut engine = Engine(Docker::default(), SimTime(0));
    let missing = ContainerId::parse(&"0".repeat(64)).unwrap();
    assert_eq!(engine.call(&missing, restart), Reply::NotFound);
}

#[test]
fn the_engines_numbers_and_history_tell_who_did_what() {
    let mut engine = Engine(Docker::default(), SimTime(0));
    let fails = Life { fails_to_start: true, ..Life::default() };
    let nature = Nature { lives: vec![Life::default(), Life::default(), fails], ..Nature::default() };
    let id = engine.0.create(ContainerSpec { nature, ..spec("web") }, BORN).unwrap();
    engine.call(&id, CallVerb::Start);
    engine.touch(&id, &Touch::Die(137));
    assert_eq!(engine.0.inspect(&id).unwrap().stop_cause(), StopCause::Died);
    let first = engine.0.inspect(&id).unwrap().shown().started_at.clone();
    engine.call(&id, CallVerb::Restart(None));
    assert_ne!(engine.0.inspect(&id).unwrap().shown().started_at, first);
    engine.call(&id, CallVerb::Stop(None));
    assert_eq!(engine.0.inspect(&id).unwrap().stop_cause(), StopCause::Stopped);
    let reply = engine.call(&id, CallVerb::Start);
    assert!(matches!(reply, Reply::Failed(_)), "{reply:?}");
    assert_eq!(engine.0.inspect(&id).unwrap().shown().start_error, "port is already allocated");
}
