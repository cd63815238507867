//! Services and limits: what the gates say, which numbers an intent has, and what is remembered of it.

use super::world::*;
use crate::engine::effect::Effect;
use crate::engine::event::Event;
use crate::model::action::{Action, ActionOutcome, ServiceAction};
use crate::model::container::{COMPOSE_PROJECT, COMPOSE_SERVICE, Container, ContainerState, TargetReport};
use crate::model::fact::{ActionIntended, Fact, StepResult};
use crate::model::id::{ActId, IncidentId};
use crate::model::label::Labels;
use crate::model::limit::MinHealthy;
use crate::model::reason::Reason;
use crate::model::service::{Mode, Previous, Room, Service, ServiceId, Update};
use crate::model::target::{ComposeService, ContainerName, SwarmId};
use crate::playbook::definition::{
    Attempts, LimitsSpec, Playbook, RaiseCpus, RaiseMemory, RestartSpec, RollbackSpec, ScaleChange, ScaleSpec, Verb,
    VerifyStep, Which,
};
use chrono::TimeDelta;
use std::time::Duration;

fn swarm() -> Service {
    let id = ServiceId::Swarm(SwarmId::parse(&"a".repeat(25)).unwrap(), ContainerName::parse("web").unwrap());
    Service {
        id,
        image: "web:2".into(),
        template: "web:2+x".into(),
        mode: Mode::Replicated,
        wanted: 3,
        running: 3,
        healthy: 3,
        update: None,
        previous: Some(Previous { image: "web:1".into(), replicas: 3, template: "web:1+x".into(), change: None }),
        force_update: 4,
        version: 65,
        monitor: Duration::from_secs(5),
        down_at_once: 1,
        most: None,
        mixed: false,
        created: Some(wall(0)),
        changed: Some(wall(10)),
        now: wall(100_000),
        labels: [("sickbay.enable".to_owned(), "true".to_owned())].into(),
        room: Room::default(),
        stop_timeout: None,
    }
}

fn composed() -> Service {
    let id = ServiceId::Compose(ComposeService::parse("shop/web").unwrap());
    let mut service = Service { id, previous: None, force_update: 0, version: 0, ..swarm() };
    service.labels.insert("sickbay.scale.enable".into(), "true".into());
    service
}

fn unsaid(says: Option<&str>) -> Service {
    let mut service = composed();
    service.labels.remove("sickbay.scale.enable");
    service.labels.extend(says.map(|says| ("sickbay.scale.enable".to_owned(), says.to_owned())));
    service
}

/// Its port is fixed, and one of its three replicas is ours.
fn obstructed() -> Service {
    let why = |reason| (reason, "why".to_owned());
    let room = Room { more: Some(why(Reason::FixedPort)), fewer: Some((1, why(Reason::NotOurReplicas))), back: None };
    Service { room, ..composed() }
}

fn with(change: impl FnOnce(&mut Service)) -> Service {
    let mut service = swarm();
    change(&mut service);
    service
}

fn scale(change: ScaleChange, min: u32, max: Option<u32>) -> Verb {
    Verb::Scale(ScaleSpec { change, min, max })
}

fn up() -> Verb {
    scale(ScaleChange::By(1), 1, Some(6))
}

fn back() -> Verb {
    Verb::Rollback(RollbackSpec::default())
}

fn restart() -> Verb {
    Verb::Restart(RestartSpec::default())
}

/// These verbs on the service that the alert names, then verify.
fn doing(verbs: Vec<Verb>) -> Playbook {
    let mut steps: Vec<_> = verbs.into_iter().map(step).collect();
    steps.push(step(Verb::Verify(VerifyStep::default())));
    let target = Some(Which::Service(template("{{ labels.container }}")).into());
    Playbook { target, attempts: Attempts::only(steps), ..restarting() }
}

pub(super) fn found(service: Service) -> TargetReport {
    TargetReport::FoundService(Box::new(service))
}

fn began(verbs: Vec<Verb>, service: Service) -> World {
    let mut world = World::new(vec![doing(verbs)]);
    world.fire(firing(world.now_s));
    world.docker(first(), found(service));
    world
}

pub(super) fn intents(world: &World) -> Vec<&ActionIntended> {
    let intents = world.log.iter().filter_map(|record| match &record.fact {
        Fact::ActionIntended(intended) => Some(intended),
        _ => None,
    });
    intents.collect()
}

fn scaled(world: &World) -> Option<(u32, u32, u32)> {
    match intents(world).last()?.action {
        Action::Service(ServiceAction::Scale { from, to, original }) => Some((from, to, original)),
        _ => None,
    }
}

fn succeed(world: &mut World, act: ActId) {
    world.feed(Event::ActionReturned { act, outcome: ActionOutcome::Succeeded { post: None } });
}

#[test]
fn each_service_that_must_not_be_treated_is_refused_with_its_reason() {
    let label = |key: &'static str, value: &'static str| with(|s| _ = s.labels.insert(key.into(), value.into()));
    let update = |update: Update| with(|s| s.update = Some(update));
    let previous = |change: fn(&mut Previous)| with(|s| s.previous.as_mut().into_iter().for_each(change));
    for (name, verb, seen, want) in [
        ("as it should be", up(), swarm(), None),
        ("after an update", up(), update(Update::Completed), None),
        ("after a way back", up(), update(Update::RolledBack), None),
        ("not opted in", up(), with(|s| s.labels.clear()), Some(Reason::NotOptedIn)),
        ("protected", up(), label("sickbay.protect", "true"), Some(Reason::Protected)),
        ("only to be restarted", up(), label("sickbay.actions", "restart"), Some(Reason::ActionNotAllowed)),
        ("a part of the watching", up(), with(|s| s.image = "prom/prometheus:v3".into()), Some(Reason::Protected)),
        ("global", up(), with(|s| s.mode = Mode::Global), Some(Reason::NotReplicated)),
        ("global, restarted", restart(), with(|s| s.mode = Mode::Global), None),
        ("a job", restart(), with(|s| s.mode = Mode::Other("replicated-job".into())), Some(Reason::NotReplicated)),
        ("being updated", up(), update(Update::Updating), Some(Reason::UpdateInProgress)),
        ("being taken back", up(), update(Update::RollingBack), Some(Reason::UpdateInProgress)),
        ("in an unknown state", up(), update(Update::Other("x".into())), Some(Reason::UpdateInProgress)),
        ("stuck", back(), update(Update::Paused), Some(Reason::UpdatePaused)),
        ("stuck on the way back", up(), update(Update::RollbackPaused), Some(Reason::UpdatePaused)),
        ("half deployed", up(), with(|s| s.mixed = true), Some(Reason::MixedReplicas)),
        ("turned off", up(), with(|s| s.wanted = 0), Some(Reason::ServiceStopped)),
        ("changed just now", up(), with(|s| s.changed = Some(wall(99_990))), Some(Reason::RecentlyTouched)),
        ("made just now", up(), with(|s| s.created = Some(wall(99_990))), Some(Reason::RecentlyDeployed)),
        ("changed in the future", up(), with(|s| s.changed = Some(wall(200_000))), Some(Reason::RecentlyTouched)),
        ("of unknown age", up(), with(|s| s.changed = None), Some(Reason::DockerUnavailable)),
        ("at its most", up(), with(|s| s.wanted = 6), Some(Reason::AboveMax)),
        ("at its owner's most", up(), label("sickbay.scale.max", "3"), Some(Reason::AboveMax)),
        ("at what its placement allows", up(), with(|s| s.most = Some(3)), Some(Reason::AboveMax)),
        ("with a limit nobody can read", up(), label("sickbay.scale.max", "x"), Some(Reason::ActionNotAllowed)),
        ("at its least", scale(ScaleChange::By(-1), 3, None), swarm(), Some(Reason::BelowMin)),
        ("back, and never scaled", scale(ScaleChange::ToOriginal, 1, None), swarm(), Some(Reason::NoOriginal)),
        ("rolled back", back(), swarm(), None),
        ("without a past", back(), with(|s| s.previous = None), Some(Reason::NoPreviousSpec)),
        ("scaled after the deployment", back(), previous(|p| p.image = "web:2".into()), Some(Reason::NothingToUndo)),
        ("scaled by a rollback", back(), previous(|p| p.replicas = 1), Some(Reason::NothingToUndo)),
        ("Compose, rolled back unsaid", back(), composed(), Some(Reason::RollbackNotEnabled)),
        ("Compose, restarted", restart(), composed(), Some(Reason::TargetInvalid)),
        ("Compose, scaled", up(), composed(), None),
        ("started", Verb::Start, swarm(), Some(Reason::TargetInvalid)),
    ] {
        let world = began(vec![verb], seen);
        assert_eq!(world.last_refusal(), want, "{name}");
    }
    let mut world = World::new(vec![doing(vec![up()])]);
    world.fire(firing(world.now_s));
    world.docker(first(), TargetReport::Missing);
    assert_eq!(world.last_refusal(), Some(Reason::TargetMissing));
}

#[test]
fn a_compose_service_is_copied_only_if_its_owner_says_so_and_it_can_be() {
    for (name, verb, seen, want) in [
        ("Compose, not said to be copied", up(), unsaid(None), Some(Reason::ScaleNotEnabled)),
        ("Compose, said not to be copied", up(), unsaid(Some("no")), Some(Reason::ScaleNotEnabled)),
        ("Compose, scaled down unsaid", scale(ScaleChange::By(-1), 1, None), unsaid(None), None),
        ("Compose, not to be copied", up(), obstructed(), Some(Reason::FixedPort)),
        ("Compose, as many down as are ours", scale(ScaleChange::By(-1), 1, None), obstructed(), None),
        (
            "Compose, more down than are ours",
            scale(ScaleChange::By(-2), 1, None),
            obstructed(),
            Some(Reason::NotOurReplicas),
        ),
    ] {
        let world = began(vec![verb], seen);
        assert_eq!(world.last_refusal(), want, "{name}");
    }
}

#[test]
fn the_numbers_are_those_of_the_last_look() {
    let mut world = began(vec![up()], swarm());
    // Somebody scaled it between the two looks; within the bounds that changes the numbers, not the plan.
    world.docker(first(), found(with(|s| s.wanted = 4)));
    assert_eq!(scaled(&world), Some((4, 5, 4)));
    let mut world = began(vec![up()], swarm());
    world.docker(first(), found(with(|s| s.wanted = 6)));
    assert_eq!((scaled(&world), world.last_refusal()), (None, Some(Reason::AboveMax)));
    let mut world = began(vec![up()], swarm());
    world.docker(first(), found(with(|s| s.template = "web:2+y".into())));
    assert_eq!(world.last_refusal(), Some(Reason::TargetChanged), "another definition is another plan");
}

#[test]
fn a_step_is_kept_within_its_bounds_or_refused() {
    let (by, to) = (ScaleChange::By, ScaleChange::To);
    for (change, (min, max), from, want) in [
        (by(1), (1, Some(6)), 3, Ok(Some(4))),
        (by(9), (1, Some(6)), 3, Ok(Some(6))),
        (by(1), (5, Some(6)), 3, Ok(Some(5))),
        (by(1), (1, Some(2)), 3, Err(Reason::AboveMax)),
        (by(-1), (1, None), 3, Ok(Some(2))),
        (by(-9), (2, None), 3, Ok(Some(2))),
        (by(-1), (1, None), 1, Err(Reason::BelowMin)),
        (to(5), (1, None), 3, Ok(Some(5))),
        (to(1), (1, None), 3, Ok(Some(1))),
        (to(3), (1, None), 3, Ok(None)),
        (to(1), (2, None), 3, Err(Reason::BelowMin)),
        (to(9), (1, Some(5)), 3, Err(Reason::AboveMax)),
    ] {
        let seen = || with(|s| (s.wanted, s.running, s.healthy) = (from, from, from));
        let mut world = began(vec![scale(change, min, max)], seen());
        if let Err(reason) = want {
            assert_eq!(world.last_refusal(), Some(reason), "{change:?} {min} {max:?} {from}");
            continue;
        }
        world.docker(first(), found(seen()));
        let sent = scaled(&world).map(|(_, to, _)| to);
        assert_eq!(Ok(sent), want, "{change:?} {min} {max:?} {from}");
        let charged = world.state.ledger().has_charged(first());
        assert_eq!(charged, sent.is_some(), "what is not needed is not counted");
        assert_eq!(world.permitted().is_some(), sent.is_some());
    }
}

#[test]
fn the_last_healthy_replica_stays_and_so_does_what_the_playbook_wants() {
    let down = |by: i32| scale(ScaleChange::By(-by), 1, None);
    for (verb, min_healthy, healthy, want) in [
        (down(1), None, 3, None),
        (down(1), None, 2, None),
        (down(1), None, 1, Some(Reason::MinHealthy)),
        (down(1), None, 0, Some(Reason::MinHealthy)),
        (down(2), None, 2, Some(Reason::MinHealthy)),
        (down(1), Some(MinHealthy::Count(2)), 3, None),
        (down(1), Some(MinHealthy::Count(2)), 2, Some(Reason::MinHealthy)),
        (up(), Some(MinHealthy::Count(3)), 0, None),
        (restart(), None, 1, None),
        (restart(), Some(MinHealthy::Count(2)), 3, None),
        (restart(), Some(MinHealthy::Count(2)), 2, Some(Reason::MinHealthy)),
        (back(), Some(MinHealthy::Count(2)), 2, Some(Reason::MinHealthy)),
    ] {
        let mut playbook = doing(vec![verb.clone()]);
        playbook.limits.min_healthy = min_healthy;
        let mut world = World::new(vec![playbook]);
        world.fire(firing(world.now_s));
        world.docker(first(), found(with(|s| s.healthy = healthy)));
        assert_eq!(world.last_refusal(), want, "{verb:?} {min_healthy:?} {healthy}");
    }
}

#[test]
fn a_service_and_its_container_are_never_treated_at_once() {
    let compose = || Which::Compose { project: template("shop"), service: template("web") };
    let of_service = Playbook {
        target: Some(compose().into()),
        name: "service".into(),
        matchers: crate::model::matcher::parse_matchers(r#"alertname="Slow""#).unwrap().matchers,
        ..doing(vec![up()])
    };
    let slow = |now_s| {
        let labels: Labels = [("alertname", "Slow")].into_iter().collect();
        crate::model::alert::Alert { fingerprint: labels.fingerprint(), labels, ..firing(now_s) }
    };
    let replica = || {
        let mut web = container("web");
        web.labels.insert(COMPOSE_PROJECT.into(), "shop".into());
        web.labels.insert(COMPOSE_SERVICE.into(), "web".into());
        super::world::found(web)
    };
    let newest = |world: &World| IncidentId(world.log.last().unwrap().seq);
    let mut world = World::new(vec![restarting(), of_service.clone()]);
    world.fire(firing(world.now_s));
    world.docker(first(), replica());
    world.fire(slow(world.now_s));
    let second = newest(&world);
    world.docker(second, found(composed()));
    assert_eq!(world.last_refusal(), Some(Reason::Busy));
    // Half way through, it looks like a deployment, and is our own doing.
    let again = slow(world.now_s + 1);
    let labels: Labels = again.labels.iter().chain([("serial", "2")]).collect();
    world.fire(crate::model::alert::Alert { fingerprint: labels.fingerprint(), labels, ..again });
    let third = newest(&world);
    world.docker(third, found(Service { mixed: true, ..composed() }));
    assert_eq!(world.last_refusal(), Some(Reason::Busy), "{}", world.last_words());

    let mut world = World::new(vec![restarting(), of_service]);
    world.fire(slow(world.now_s));
    world.docker(first(), found(composed()));
    world.fire(firing(world.now_s));
    let second = newest(&world);
    world.docker(second, replica());
    assert_eq!(world.last_refusal(), Some(Reason::Busy));
}

#[test]
fn what_moved_by_our_own_change_is_nobody_elses() {
    let mut playbook = doing(vec![restart()]);
    playbook.limits.windows[0].runs = 9;
    let mut world = World::new(vec![playbook]);
    let alert = firing(world.now_s);
    world.fire(alert.clone());
    world.docker(first(), found(swarm()));
    world.docker(first(), found(swarm()));
    let act = world.permitted().unwrap();
    succeed(&mut world, act);
    world.step(first(), 1, StepResult::Verified("3 of 3 replicas run".into()));
    assert_eq!(world.verdict(), Some(("recovered", None)));
    world.fire(resolved(&alert, world.now_s));
    world.now_s += 100;
    let at = wall(world.now_s);
    let again = |change: fn(&mut Service)| {
        let mut seen = with(|s| (s.force_update, s.changed, s.now) = (5, Some(at - TimeDelta::seconds(80)), at));
        change(&mut seen);
        seen
    };
    world.fire(firing(world.now_s));
    let second = IncidentId(world.log.last().unwrap().seq);
    for (name, change, want) in [
        ("another image", (|s| s.template = "web:3+x".into()) as fn(&mut Service), Some(Reason::RecentlyTouched)),
        ("another number", |s| s.wanted = 5, Some(Reason::RecentlyTouched)),
        ("restarted once more", |s| s.force_update = 6, Some(Reason::RecentlyTouched)),
    ] {
        world.docker(second, found(again(change)));
        assert_eq!(world.last_refusal(), want, "{name}");
    }
    let written = world.log.len();
    world.docker(second, found(again(|_| {})));
    assert_eq!(world.kinds(written), ["decision"]);
    assert!(world.state.incident(second).unwrap().run().is_some(), "as our own restart left it");
}

#[test]
fn a_rollback_is_made_once_and_never_taken_back() {
    let mut world = began(vec![back()], swarm());
    world.docker(first(), found(swarm()));
    let want = ServiceAction::Rollback { from_image: "web:2".into(), to_image: "web:1".into() };
    assert_eq!(intents(&world)[0].action, Action::Service(want));
    let act = world.permitted().unwrap();
    succeed(&mut world, act);
    let [Effect::VerifyService { watched, .. }] = &world.effects[..] else { panic!("{:?}", world.effects) };
    assert!(watched.done.is_some());
    world.step(first(), 1, StepResult::Verified("well".into()));
    let alert = firing(100_000);
    world.fire(resolved(&alert, world.now_s));
    world.now_s += 7_000;
    // Swarm has swapped the two.
    let now = wall(world.now_s);
    let swapped = with(|s| {
        (s.image, s.template, s.now) = ("web:1".into(), "web:1+x".into(), now);
        s.previous = Some(Previous { image: "web:2".into(), replicas: 3, template: "web:2+x".into(), change: None });
    });
    world.fire(firing(world.now_s));
    let second = IncidentId(world.log.last().unwrap().seq);
    world.docker(second, found(swapped));
    assert_eq!(world.last_refusal(), Some(Reason::NothingToUndo));
}

#[test]
fn the_number_before_the_run_is_kept_and_gone_back_to_unless_somebody_else_scaled() {
    let back = || scale(ScaleChange::ToOriginal, 2, None);
    for (found_then, want) in [(4, Some((4, 3, 3))), (5, None), (3, None)] {
        let mut world = began(vec![up(), back()], swarm());
        world.docker(first(), found(swarm()));
        let act = world.permitted().unwrap();
        succeed(&mut world, act);
        // The next step's look.
        world.docker(first(), found(with(|s| (s.wanted, s.running, s.healthy) = (found_then, found_then, found_then))));
        let second = intents(&world).get(1).and_then(|_| scaled(&world));
        assert_eq!(second, want, "{found_then}");
        let known = world.state.services().originals().next().unwrap();
        assert_eq!(known.count, 3);
        assert_eq!(world.replayed(world.log.len()), world.state);
    }
}

#[test]
fn after_a_crash_a_change_is_looked_at_and_never_sent_again() {
    let mut world = began(vec![up()], swarm());
    world.docker(first(), found(swarm()));
    assert!(world.permitted().is_some());
    world.state = world.replayed(world.log.len());
    let (version, hostname) = ("1".to_owned(), "x".to_owned());
    world.feed(Event::Started { recovered: None, version, hostname, files: Vec::new() });
    let [Effect::Reconcile(looking)] = &world.effects[..] else { panic!("{:?}", world.effects) };
    assert_eq!(looking.pre.service().map(|pre| (pre.wanted, pre.version)), Some((3, 65)));
    let want = Action::Service(ServiceAction::Scale { from: 3, to: 4, original: 3 });
    assert_eq!(looking.action, want);
}

#[test]
fn limits_are_raised_by_their_factor_up_to_their_bound() {
    let memory = |factor, max| Some(RaiseMemory { factor, max });
    let cpus = |factor, max| Some(RaiseCpus { factor, max });
    let limited = |memory, nano_cpus| {
        let mut web = container("web");
        (web.limits.memory, web.limits.memory_swap, web.limits.nano_cpus) = (memory, -1, nano_cpus);
        web
    };
    let stopped = |mut web: Container| {
        (web.state, web.exit_code) = (ContainerState::Exited, 137);
        web
    };
    let gib = 1 << 30;
    for (name, spec, seen, want) in [
        ("memory", (memory(1.5, 2 * gib), None), limited(gib, 0), Ok((gib * 3 / 2, 0))),
        ("memory, to its bound", (memory(3.0, 2 * gib), None), limited(gib, 0), Ok((2 * gib, 0))),
        ("memory, at its bound", (memory(3.0, gib), None), limited(gib, 0), Err(Reason::LimitAtMax)),
        ("memory without a limit", (memory(3.0, gib), None), limited(0, 0), Err(Reason::NoLimit)),
        ("CPUs", (None, cpus(2.0, 4.0)), limited(0, 500_000_000), Ok((0, 1_000_000_000))),
        ("CPUs, at their bound", (None, cpus(2.0, 0.5)), limited(0, 500_000_000), Err(Reason::LimitAtMax)),
        ("CPUs without a limit", (None, cpus(2.0, 4.0)), limited(0, 0), Err(Reason::NoLimit)),
        ("stopped", (memory(1.5, 2 * gib), None), stopped(limited(gib, 0)), Err(Reason::ContainerStopped)),
    ] {
        let verb = Verb::UpdateLimits(LimitsSpec::Raise { memory: spec.0, cpus: spec.1 });
        let steps = vec![step(verb), step(Verb::Verify(VerifyStep::default()))];
        let mut world = World::new(vec![Playbook { attempts: Attempts::only(steps), ..restarting() }]);
        world.fire(firing(world.now_s));
        world.docker(first(), super::world::found(seen.clone()));
        world.docker(first(), super::world::found(seen));
        let got = match (intents(&world).first().map(|intended| intended.action.clone()), world.last_refusal()) {
            (Some(Action::UpdateLimits(change)), None) => Ok((change.to.memory, change.to.nano_cpus)),
            (_, Some(reason)) => Err(reason),
            (action, None) => panic!("{name}: {action:?}"),
        };
        assert_eq!(got, want, "{name}");
        if let Some(act) = world.permitted() {
            succeed(&mut world, act);
            let [Effect::Verify { watched, .. }] = &world.effects[..] else { panic!("{:?}", world.effects) };
            assert!(watched[0].before.is_none() && watched[0].limits.is_some(), "nothing starts anew");
        }
    }
}
