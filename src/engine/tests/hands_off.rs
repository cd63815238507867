//! What people and deployments are at is left alone, and what we did ourselves is nobody else's doing.

use super::world::*;
use crate::engine::event::Event;
use crate::model::action::ActionOutcome;
use crate::model::container::{
    COMPOSE_CONFIG_HASH, ContainerState, EventHistory, Predecessor, StopCause, TargetReport, TargetView, Touch,
    TouchAction,
};
use crate::model::fact::{Answer, Fact, Refusal, StepResult};
use crate::model::policy::Policy;
use crate::model::reason::Reason;
use chrono::{DateTime, TimeDelta, Utc};
use std::time::Duration;

/// The engine's clock: an hour behind ours, which must not matter.
fn engine(seconds: u64) -> DateTime<Utc> {
    wall(seconds) - TimeDelta::hours(1)
}

/// The container at a moment of ours, with what was done to it at others.
fn seen(now_s: u64, touches: &[(TouchAction, u64)]) -> TargetView {
    let mut web = container("web");
    web.started_at = engine(1_000).to_rfc3339();
    let touches = touches.iter().map(|(action, at)| Touch { action: *action, at: engine(*at) }).collect();
    let history = EventHistory::Known { now: engine(now_s), touches, complete_since: None, predecessor: None };
    TargetView { history, ..view(web) }
}

fn refusal_of(view: TargetView) -> Option<Refusal> {
    refusal_in(&mut World::new(vec![restarting()]), view)
}

fn refusal_in(world: &mut World, view: TargetView) -> Option<Refusal> {
    world.fire(firing(world.now_s));
    world.docker(first(), TargetReport::Found(Box::new(view)));
    world.log.iter().rev().find_map(|record| match &record.fact {
        Fact::Decided(decided) => match &decided.answer {
            Answer::Refused(refusal) => Some(refusal.clone()),
            Answer::Run { .. } => None,
        },
        _ => None,
    })
}

#[test]
fn what_somebody_touched_is_left_alone_for_a_while() {
    for action in TouchAction::ALL {
        let refusal = refusal_of(seen(100_000, &[(TouchAction::Update, 50_000), (*action, 99_900)])).unwrap();
        assert_eq!(refusal.reason, Reason::RecentlyTouched, "{action}");
        assert_eq!(refusal.retry_after, Duration::from_secs(200), "{action}");
        let want = format!("somebody else did a `docker {action}` of web 1m40s ago; docker.hands_off is 5m");
        assert_eq!(refusal.detail, want);
        let inputs: Vec<&str> = refusal.inputs.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(inputs, ["action", "at", "docker_time", "hands_off", "age", "container"]);
        assert_eq!(refusal.inputs[0].1, action.as_str());
        assert_eq!(refusal_of(seen(100_000, &[(*action, 99_700)])), None, "{action}: long enough ago");
    }
    let future = refusal_of(seen(100_000, &[(TouchAction::Stop, 100_010)])).unwrap();
    assert!(future.detail.contains("in the future"), "{}", future.detail);
    // The engine tells its time in whole seconds.
    assert_eq!(refusal_of(seen(100_000, &[(TouchAction::Stop, 100_001)])).unwrap().retry_after.as_secs(), 300);
}

/// The container created at a moment of ours, with a history that is complete from another on.
fn created(at: u64, complete_since: Option<u64>, predecessor: Option<Predecessor>) -> Option<Refusal> {
    let mut view = seen(100_000, &[]);
    view.container.created = engine(at).to_rfc3339();
    view.container.image = "shop/web:2".to_owned();
    view.container.labels.insert(COMPOSE_CONFIG_HASH.to_owned(), "c2".to_owned());
    let complete_since = complete_since.map(engine);
    view.history = EventHistory::Known { now: engine(100_000), touches: vec![], complete_since, predecessor };
    refusal_of(view)
}

#[test]
fn what_a_deployment_brought_is_left_alone_for_a_while() {
    let other = |image: &str, config_hash: Option<&str>| {
        let (image, config_hash) = (image.to_owned(), config_hash.map(str::to_owned));
        Some(Predecessor { gone: engine(99_880), image, config_hash })
    };
    let same = || other("shop/web:2", Some("c2"));
    // The alert began at 100 000.
    for (name, at, predecessor, detail) in [
        (
            "another image",
            99_880,
            other("shop/web:1", Some("c2")),
            "from shop/web:2 in place of one from shop/web:1 2m",
        ),
        ("another definition", 99_880, other("shop/web:2", Some("c1")), "with another definition in place of one"),
        ("made by Compose, and not before", 99_880, other("shop/web:2", None), "with another definition"),
        ("the same once more, before the alert", 99_880, same(), ""),
        ("the same once more, after the alert began", 100_001, same(), "in place of the one that the alert is about"),
        ("the first of its name", 99_880, None, ""),
        ("the first of its name, though the alert is older", 100_001, None, ""),
        ("long ago", 99_700, other("shop/web:1", None), ""),
    ] {
        let refusal = created(at, Some(50_000), predecessor);
        assert_eq!(refusal.is_some(), !detail.is_empty(), "{name}: {refusal:?}");
        let Some(refusal) = refusal else { continue };
        assert_eq!(refusal.reason, Reason::RecentlyDeployed, "{name}");
        assert!(refusal.detail.contains(detail), "{name}: {}", refusal.detail);
    }
    let refusal = created(99_880, Some(50_000), other("shop/web:1", None)).unwrap();
    assert_eq!(refusal.retry_after.as_secs(), 180);
    let inputs: Vec<&str> = refusal.inputs.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(inputs, ["action", "at", "docker_time", "hands_off", "age", "container"]);
}

#[test]
fn what_may_be_a_deployment_counts_as_one() {
    let forgotten = |at, complete_since| created(at, complete_since, None).map(|refusal| refusal.reason);
    assert_eq!(forgotten(99_880, None), Some(Reason::RecentlyDeployed));
    assert_eq!(forgotten(99_880, Some(99_890)), Some(Reason::RecentlyDeployed));
    assert_eq!(forgotten(99_880, Some(99_880)), None);
    assert_eq!(forgotten(99_700, None), None);
    assert_eq!(forgotten(100_100, None), Some(Reason::RecentlyDeployed), "in the future");
    let mut unknown = seen(100_000, &[]);
    unknown.container.created = String::new();
    assert_eq!(refusal_of(unknown).unwrap().reason, Reason::RecentlyDeployed);
}

#[test]
fn a_history_that_is_not_there_is_no_innocence() {
    let unknown = TargetView { history: EventHistory::Unknown("http 500".into()), ..seen(100_000, &[]) };
    let refusal = refusal_of(unknown.clone()).unwrap();
    assert_eq!(refusal.reason, Reason::DockerUnavailable);
    assert!(refusal.detail.contains("http 500"), "{}", refusal.detail);
    let mut off = World::new(vec![restarting()]);
    off.ruleset.policy = Policy { hands_off: Duration::ZERO, ..Policy::default() };
    assert_eq!(refusal_in(&mut off, unknown), None, "whoever switches it off needs no history");
}

#[test]
fn a_start_or_an_end_that_nobody_explains_may_be_anybodys() {
    let started = |at: u64, reaches: bool| {
        let mut view = seen(100_000, &[]);
        view.container.started_at = engine(at).to_rfc3339();
        let EventHistory::Known { complete_since, .. } = &mut view.history else { panic!() };
        *complete_since = reaches.then(|| engine(at));
        refusal_of(view).map(|refusal| (refusal.reason, refusal.retry_after.as_secs()))
    };
    assert_eq!(started(99_760, false), Some((Reason::RecentlyTouched, 60)));
    assert_eq!(started(99_700, false), None);
    assert_eq!(started(99_760, true), None, "its policy or its own owner's start: the history shows no touch");
    for (cause, want) in [(StopCause::Died, None), (StopCause::Forgotten, Some(Reason::RecentlyTouched))] {
        let mut view = seen(100_000, &[]);
        view.container.state = ContainerState::Exited;
        view.container.exit_code = 1;
        view.container.finished_at = engine(99_900).to_rfc3339();
        view.stop_cause = cause;
        assert_eq!(refusal_of(view).map(|refusal| refusal.reason), want, "{cause:?}");
    }
}

/// A world in which one run restarted the container and ended well.
fn after_our_restart() -> World {
    let mut world = World::new(vec![restarting()]);
    let alert = firing(world.now_s);
    world.fire(alert.clone());
    let quiet = |world: &World| TargetReport::Found(Box::new(seen(world.now_s, &[])));
    world.docker(first(), quiet(&world));
    world.step(first(), 0, StepResult::Captured(serde_json::json!({})));
    world.docker(first(), quiet(&world));
    let act = world.permitted().unwrap();
    world.now_s += 12;
    world.feed(Event::ActionReturned { act, outcome: ActionOutcome::Succeeded { post: None } });
    world.step(first(), 2, StepResult::Verified("running".into()));
    world.fire(resolved(&alert, world.now_s));
    world.now_s += 60;
    world
}

/// What a second run meets, a minute after the first.
fn second_run(world: &mut World, touches: &[(TouchAction, u64)]) -> Option<Reason> {
    let mut again = firing(world.now_s);
    again.labels = [("alertname", "Down"), ("container", "web"), ("n", "2")].into_iter().collect();
    again.fingerprint = again.labels.fingerprint();
    let incident = world.fire(again).incident.unwrap();
    let mut view = seen(world.now_s, touches);
    view.container.started_at = engine(100_011).to_rfc3339();
    world.docker(incident, TargetReport::Found(Box::new(view)));
    let begun = world.state.incident(incident).unwrap().run().is_some();
    world.last_refusal().filter(|_| !begun)
}

#[test]
fn our_own_restart_never_looks_like_somebody_elses() {
    use TouchAction::{Restart, Stop, Update};
    let ours = [(Stop, 100_010), (Restart, 100_011)];
    assert_eq!(second_run(&mut after_our_restart(), &ours), None);
    let theirs = [(Stop, 100_010), (Restart, 100_011), (Restart, 100_050)];
    assert_eq!(second_run(&mut after_our_restart(), &theirs), Some(Reason::RecentlyTouched));
    assert_eq!(second_run(&mut after_our_restart(), &[(Update, 99_990)]), Some(Reason::RecentlyTouched));
    // Nor after a restart of the daemon.
    let mut world = after_our_restart();
    world.state = world.replayed(world.log.len());
    assert_eq!(second_run(&mut world, &ours), None);
}

#[test]
fn somebody_who_comes_between_the_decision_and_the_act_is_left_alone() {
    let mut world = World::new(vec![restarting()]);
    world.fire(firing(world.now_s));
    world.docker(first(), TargetReport::Found(Box::new(seen(100_000, &[]))));
    world.step(first(), 0, StepResult::Captured(serde_json::json!({})));
    world.now_s += 2;
    world.docker(first(), TargetReport::Found(Box::new(seen(100_002, &[(TouchAction::Restart, 100_001)]))));
    assert_eq!(world.permitted(), None);
    assert_eq!(world.last_refusal(), Some(Reason::RecentlyTouched));
}
