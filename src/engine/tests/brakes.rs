//! What holds back beyond one decision: the breaker, storms, the rest of a service, and clocks that are set.

use super::world::*;
use crate::engine::effect::Effect;
use crate::engine::event::Event;
use crate::engine::receipt::{Reply, Switched};
use crate::model::action::ActionOutcome;
use crate::model::alert::{Alert, Notification};
use crate::model::container::{Container, ContainerState, Health, TargetReport, TargetView};
use crate::model::fact::{Fact, StepResult};
use crate::model::id::IncidentId;
use crate::model::label::Labels;
use crate::model::limit::{Limits, MinHealthy};
use crate::model::pause::{Pause, PauseScope};
use crate::model::reason::Reason;
use crate::playbook::definition::{Playbook, Verb, VerifySpec, VerifyStep};
use std::time::Duration;

/// A playbook that may run as often as it likes, so that only the brakes hold it.
fn unlimited() -> Playbook {
    let mut playbook = restarting();
    playbook.limits.windows[0].runs = 1000;
    playbook.on_failure.clear();
    playbook
}

/// An alert about a container, one of many.
fn about(world: &World, name: &str, serial: usize) -> Alert {
    let serial = serial.to_string();
    let labels: Labels = [("alertname", "Down"), ("container", name), ("serial", &serial)].into_iter().collect();
    Alert { fingerprint: labels.fingerprint(), labels, ..firing(world.now_s) }
}

/// A new alert about `web`, and what the gates say: the incident if they say yes.
fn ask(world: &mut World, serial: usize) -> Result<IncidentId, Reason> {
    let incident = world.fire(about(world, "web", serial)).incident.expect("taken");
    world.docker(incident, found(container("web")));
    match world.state.incident(incident).and_then(|incident| incident.run()) {
        Some(_) => Ok(incident),
        None => Err(world.last_refusal().expect("refused")),
    }
}

/// A whole run on `web` that ends as `result` says.
fn run(world: &mut World, serial: usize, result: &StepResult) -> Result<(), Reason> {
    let incident = ask(world, serial)?;
    restart(world, incident);
    world.step(incident, 2, result.clone());
    Ok(())
}

fn restart(world: &mut World, incident: IncidentId) {
    world.step(incident, 0, StepResult::Captured(serde_json::json!({})));
    world.docker(incident, found(container("web")));
    let act = world.permitted().expect("permitted");
    world.feed(Event::ActionReturned { act, outcome: ActionOutcome::Succeeded { post: None } });
}

fn sick() -> StepResult {
    StepResult::NotVerified("still sick".into())
}

fn well() -> StepResult {
    StepResult::Verified("well".into())
}

fn count(world: &World, kind: &str) -> usize {
    world.log.iter().filter(|record| record.fact.kind() == kind).count()
}

#[test]
fn runs_that_do_not_help_open_the_breaker_until_its_time_or_a_person() {
    let mut world = World::new(vec![unlimited()]);
    for serial in 0..3 {
        assert_eq!(run(&mut world, serial, &sick()), Ok(()), "{serial}");
        world.now_s += 60;
    }
    assert_eq!(count(&world, "breaker.opened"), 1);
    assert_eq!(run(&mut world, 3, &sick()), Err(Reason::BreakerOpen));
    world.state = world.replayed(world.log.len());
    assert_eq!(run(&mut world, 4, &sick()), Err(Reason::BreakerOpen), "a restart forgets nothing");
    world.now_s += 3600;
    assert_eq!(run(&mut world, 5, &sick()), Ok(()), "one trial");
    assert_eq!(run(&mut world, 6, &sick()), Err(Reason::BreakerOpen), "which did not help either");
    world.feed(Event::BreakerResetRequested { target: "web".into(), by: "alice".into(), reason: "new image".into() });
    assert_eq!(run(&mut world, 7, &well()), Ok(()));
}

fn reset(world: &mut World, target: &str) -> Reply {
    world.feed(Event::BreakerResetRequested { target: target.into(), by: "alice".into(), reason: "new image".into() });
    world.reply.clone()
}

/// The breaker of `web` is open, and an alert that still fires was refused because of it.
fn tripped() -> World {
    let mut world = World::new(vec![unlimited()]);
    for serial in 0..3 {
        assert_eq!(run(&mut world, serial, &sick()), Ok(()), "{serial}");
        world.now_s += 60;
    }
    let alert = about(&world, "web", 3);
    let incident = world.fire(alert).incident.unwrap();
    world.docker(incident, found(container("web")));
    assert_eq!(world.last_refusal(), Some(Reason::BreakerOpen));
    world
}

#[test]
fn only_an_open_breaker_can_be_reset_and_a_wrong_name_changes_nothing() {
    let mut world = tripped();
    for target in ["wbe", "WEB", "db"] {
        let before = world.log.len();
        assert_eq!(reset(&mut world, target), Reply::Switched(Switched::NotOpen(target.into())));
        assert_eq!((world.log.len(), world.effects.len()), (before, 0), "{target}");
    }
    let open = world.snapshot().breakers;
    assert_eq!((open.len(), &*open[0].target, open[0].failures), (1, "web", 3));
    let told = reset(&mut world, "web");
    assert!(matches!(told, Reply::Switched(Switched::Reset { failures: 3, .. })), "{told:?}");
    assert_eq!(world.snapshot().breakers, []);
    assert_eq!(reset(&mut world, "web"), Reply::Switched(Switched::NotOpen("web".into())), "once is enough");
}

#[test]
fn what_an_open_breaker_held_back_is_asked_about_again_when_it_is_reset() {
    for (name, restart) in [("at once", false), ("killed right after the reset", true)] {
        let mut world = tripped();
        let refused = world.state.incidents().last().unwrap().id;
        reset(&mut world, "web");
        if restart {
            world.state = world.replayed(world.log.len());
            let (version, hostname, files) = (String::new(), String::new(), Vec::new());
            world.feed(Event::Started { recovered: None, version, hostname, files });
        }
        let asked = |effect: &Effect| matches!(effect, Effect::ResolveTarget { incident, .. } if *incident == refused);
        assert_eq!(world.effects.iter().filter(|effect| asked(effect)).count(), 1, "{name}: {:?}", world.effects);
        world.docker(refused, found(container("web")));
        assert!(world.state.incident(refused).unwrap().run().is_some(), "{name}");
    }
    let mut paused = tripped();
    let pause = Pause { scope: PauseScope::All, by: "ada".into(), reason: "x".into(), length: None };
    paused.feed(Event::PauseRequested(pause));
    reset(&mut paused, "web");
    assert_eq!(paused.effects, [], "while everything stands still, nobody is asked");
}

#[test]
fn readers_see_a_breaker_and_a_storm_until_their_time_is_over() {
    let mut world = tripped();
    let opened = world.log.iter().find(|record| record.fact.kind() == "breaker.opened").unwrap().at.wall;
    let since = world.snapshot().breakers[0].since;
    assert_eq!(since, opened);
    world.ruleset.policy.storm.alerts = 2;
    let alerts: Vec<Alert> = (10..14).map(|serial| about(&world, "web", serial)).collect();
    world.feed(Event::NotificationReceived(Notification { alerts, ..Notification::default() }));
    let storm = world.snapshot().storm.unwrap();
    assert_eq!((storm.freeze, storm.since), (world.ruleset.policy.storm.freeze, world.now().wall));
    assert!(world.snapshot().runs_out());
    world.now_s += 3600;
    let later = world.snapshot();
    assert_eq!((later.breakers.len(), later.storm, later.runs_out()), (0, None, false));
}

#[test]
fn a_brief_recovery_does_not_clear_the_breaker_and_one_that_lasts_does() {
    for (rest_s, want) in [(60, Err(Reason::BreakerOpen)), (700, Ok(()))] {
        let mut world = World::new(vec![unlimited()]);
        for result in [sick(), sick(), well()] {
            let serial = world.log.len();
            assert_eq!(run(&mut world, serial, &result), Ok(()));
            world.now_s += 60;
        }
        world.now_s += rest_s;
        assert_eq!(run(&mut world, 1000, &well()), want, "after {rest_s} s");
        assert_eq!(count(&world, "incident.relapsed"), usize::from(want.is_err()), "after {rest_s} s");
    }
}

#[test]
fn a_recovery_that_did_not_last_hides_nothing_however_late_the_gates_are_asked() {
    let mut world = World::new(vec![unlimited()]);
    for result in [sick(), sick(), well()] {
        let serial = world.log.len();
        assert_eq!(run(&mut world, serial, &result), Ok(()));
        world.now_s += 60;
    }
    let alert = about(&world, "web", 1000);
    let incident = world.fire(alert).incident.unwrap();
    // Docker, or the daemon, was away for longer than a recovery needs to count as lasting.
    world.now_s += 700;
    world.docker(incident, found(container("web")));
    assert_eq!(world.last_refusal(), Some(Reason::BreakerOpen));
    assert_eq!(count(&world, "incident.relapsed"), 1);
}

#[test]
fn refusals_and_cancelled_runs_do_not_count_against_a_target() {
    let mut world = World::new(vec![unlimited()]);
    for serial in 0..5 {
        let alert = about(&world, "web", serial);
        let incident = world.fire(alert.clone()).incident.unwrap();
        world.docker(incident, TargetReport::Missing);
        world.fire(resolved(&alert, world.now_s));
    }
    assert_eq!(run(&mut world, 9, &well()), Ok(()));
}

#[test]
fn a_storm_of_alerts_freezes_every_action_for_a_while() {
    let mut world = World::new(vec![unlimited()]);
    world.ruleset.policy.storm.alerts = 20;
    let alerts: Vec<Alert> = (0..21).map(|serial| about(&world, "web", serial)).collect();
    let receipts = world.feed(Event::NotificationReceived(Notification { alerts, ..Notification::default() }));
    assert_eq!(count(&world, "storm.frozen"), 1);
    for receipt in receipts {
        world.docker(receipt.incident.unwrap(), found(container("web")));
        assert_eq!(world.last_refusal(), Some(Reason::Storm));
    }
    assert_eq!(world.state.running().count(), 0);
    world.state = world.replayed(world.log.len());
    world.now_s += 599;
    assert_eq!(ask(&mut world, 100), Err(Reason::Storm));
    world.now_s += 2;
    assert!(ask(&mut world, 101).is_ok());
}

#[test]
fn a_storm_whose_freeze_was_lost_in_a_crash_is_frozen_at_the_start() {
    let mut world = World::new(vec![unlimited()]);
    world.ruleset.policy.storm.alerts = 20;
    let alerts: Vec<Alert> = (0..21).map(|serial| about(&world, "web", serial)).collect();
    world.feed(Event::NotificationReceived(Notification { alerts, ..Notification::default() }));
    let frozen = world.log.iter().position(|record| record.fact.kind() == "storm.frozen").unwrap();
    world.log.truncate(frozen);
    world.state = world.replayed(frozen);
    world.feed(Event::Started { recovered: None, version: "0".into(), hostname: "h".into(), files: Vec::new() });
    assert_eq!(count(&world, "storm.frozen"), 1);
    world.docker(first(), found(container("web")));
    assert_eq!(world.last_refusal(), Some(Reason::Storm));
}

#[test]
fn as_many_alerts_as_allowed_are_no_storm() {
    let mut world = World::new(vec![unlimited()]);
    world.ruleset.policy.storm.alerts = 20;
    let alerts: Vec<Alert> = (0..20).map(|serial| about(&world, "web", serial)).collect();
    world.feed(Event::NotificationReceived(Notification { alerts, ..Notification::default() }));
    assert_eq!(count(&world, "storm.frozen"), 0);
}

#[test]
fn alerts_that_were_left_out_keep_the_others_waiting_for_a_complete_notification() {
    let mut world = World::new(vec![unlimited()]);
    let deliver = |world: &mut World, truncated_alerts| {
        let alerts = vec![firing(100_000)];
        let notification = Notification { alerts, truncated_alerts, ..Notification::default() };
        world.feed(Event::NotificationReceived(notification)).remove(0)
    };
    assert_eq!(deliver(&mut world, 3).reason, Some(Reason::Truncated));
    assert_eq!(world.effects, []);
    world.now_s += 60;
    deliver(&mut world, 1);
    assert_eq!(world.effects, [], "still not complete");
    deliver(&mut world, 0);
    world.docker(first(), found(container("web")));
    assert!(world.state.incident(first()).unwrap().run().is_some());
}

/// A replica of `shop/web`.
fn replica(number: usize, change: impl FnOnce(&mut Container)) -> Container {
    let mut replica = container(&format!("web-{number}"));
    let label = |key: &str, value: &str| (format!("com.docker.compose.{key}"), value.to_owned());
    replica.labels.extend([label("project", "shop"), label("service", "web")]);
    replica.id = crate::model::target::ContainerId::parse(&format!("{number:064x}")).unwrap();
    change(&mut replica);
    replica
}

fn of_service(target: usize, peers: Vec<Container>) -> TargetReport {
    let container = peers[target].clone();
    TargetReport::Found(Box::new(TargetView { peers, ..view(container) }))
}

#[test]
fn enough_of_a_service_must_be_healthy_without_the_one_that_is_treated() {
    let fine = |number| replica(number, |_| {});
    let ill = |number| replica(number, |web| web.health = Some(Health::Unhealthy));
    let starting = |number| replica(number, |web| web.health = Some(Health::Starting));
    let down = |number| replica(number, |web| web.state = ContainerState::Exited);
    let (half, two) = (Some(MinHealthy::Percent(50)), Some(MinHealthy::Count(2)));
    for (name, min_healthy, peers, want) in [
        ("all well", half, vec![ill(0), fine(1), fine(2), fine(3)], None),
        ("half of four", half, vec![ill(0), ill(1), fine(2), fine(3)], None),
        ("less than half of four", half, vec![ill(0), ill(1), ill(2), fine(3)], Some(Reason::MinHealthy)),
        ("half of three is two", half, vec![ill(0), ill(1), fine(2)], Some(Reason::MinHealthy)),
        ("one that starts is not healthy", two, vec![ill(0), starting(1), fine(2)], Some(Reason::MinHealthy)),
        ("nor is one that is down", two, vec![ill(0), down(1), fine(2)], Some(Reason::MinHealthy)),
        ("two others", two, vec![ill(0), fine(1), fine(2)], None),
        ("the last one", half, vec![ill(0)], Some(Reason::MinHealthy)),
        ("nothing asked for", None, vec![ill(0), ill(1), ill(2)], None),
    ] {
        let limits = Limits { min_healthy, ..unlimited().limits };
        let mut world = World::new(vec![Playbook { limits, ..unlimited() }]);
        world.fire(about(&world, "web-0", 0));
        world.docker(first(), of_service(0, peers));
        assert_eq!(world.last_refusal(), want, "{name}");
    }
}

#[test]
fn a_container_that_is_no_replica_never_satisfies_min_healthy() {
    let limits = Limits { min_healthy: Some(MinHealthy::Count(1)), ..unlimited().limits };
    let mut world = World::new(vec![Playbook { limits, ..unlimited() }]);
    assert_eq!(ask(&mut world, 0), Err(Reason::MinHealthy));
}

#[test]
fn the_containers_of_a_service_are_treated_one_after_the_other() {
    for (max_parallel, want) in [(1, Some(Reason::ServiceBusy)), (2, None)] {
        let limits = Limits { max_parallel, ..unlimited().limits };
        let mut world = World::new(vec![Playbook { limits, ..unlimited() }]);
        world.ruleset.policy.max_parallel = 10;
        let peers: Vec<Container> = (0..3).map(|number| replica(number, |_| {})).collect();
        for target in 0..2 {
            let incident = world.fire(about(&world, &format!("web-{target}"), target)).incident.unwrap();
            world.docker(incident, of_service(target, peers.clone()));
        }
        assert_eq!(world.last_refusal(), want, "{max_parallel} at once");
    }
}

/// capture, restart, and a verify that wants the alert to end within 5 minutes.
fn until_resolved() -> Playbook {
    let mut playbook = unlimited();
    let within = Some(Duration::from_secs(300));
    playbook.attempts.first.steps[2].verb = Verb::Verify(VerifyStep {
        spec: VerifySpec { alert_resolved: true, within, ..VerifySpec::default() },
        ..VerifyStep::default()
    });
    playbook
}

#[test]
fn a_target_that_recovers_has_not_recovered_until_its_alert_ends() {
    let mut world = World::new(vec![until_resolved()]);
    let incident = ask(&mut world, 0).unwrap();
    restart(&mut world, incident);
    world.now_s += 20;
    world.step(incident, 2, well());
    assert_eq!(world.verdict(), None);
    let remaining = Duration::from_secs(280);
    let awaits = |remaining| {
        let alert = std::sync::Arc::clone(&world.state.incident(incident).unwrap().alert);
        Effect::AwaitAlert { incident, index: 2, alert, remaining }
    };
    assert_eq!(world.effects, [awaits(remaining)]);
    let later = awaits(Duration::from_secs(200));

    // A restart of the daemon waits on, and for no longer.
    world.state = world.replayed(world.log.len());
    world.now_s += 80;
    world.feed(Event::Started { recovered: None, version: "0".into(), hostname: "h".into(), files: Vec::new() });
    assert_eq!(world.effects, [later]);

    let mut other = World { log: world.log.clone(), ..World::new(vec![until_resolved()]) };
    (other.state, other.now_s) = (world.state.clone(), world.now_s);
    let alert = about(&world, "web", 0);
    world.fire(resolved(&alert, world.now_s));
    assert_eq!(world.verdict(), Some(("recovered", None)));
    assert_eq!(world.replayed(world.log.len()), world.state);

    other.step(incident, 2, StepResult::Waited);
    assert_eq!(other.verdict(), Some(("ineffective", None)), "the alert fires on");
}

#[test]
fn an_alert_that_ends_during_the_verification_counts() {
    let mut world = World::new(vec![until_resolved()]);
    let alert = about(&world, "web", 0);
    let incident = ask(&mut world, 0).unwrap();
    restart(&mut world, incident);
    world.fire(resolved(&alert, world.now_s));
    assert_eq!(world.verdict(), None, "the target has not been seen well");
    world.step(incident, 2, well());
    assert_eq!(world.verdict(), Some(("recovered", None)));
}

#[test]
fn no_clock_that_is_set_and_no_reboot_opens_a_window() {
    type Change = fn(&mut World);
    let changes: [(&str, Change); 4] = [
        ("a day ahead", |world| world.wall_ahead_s = 86_400),
        ("a day back", |world| world.wall_ahead_s = -86_400),
        ("a reboot", |world| world.boot = (2, world.now_s)),
        ("a reboot and a day ahead", |world| {
            world.boot = (2, world.now_s);
            world.wall_ahead_s = 86_400;
        }),
    ];
    for (name, change) in changes {
        let mut world = World::new(vec![restarting()]);
        world.ruleset.policy.breaker.failures = 100;
        for serial in 0..3 {
            assert_eq!(run(&mut world, serial, &well()), Ok(()), "{name}");
            world.now_s += 60;
        }
        change(&mut world);
        world.state = world.replayed(world.log.len());
        world.now_s += 60;
        let alert = about(&world, "web", 9);
        let starts_at = alert.starts_at.map(|start| start + chrono::TimeDelta::seconds(world.wall_ahead_s));
        let incident = world.fire(Alert { starts_at, ..alert }).incident.unwrap();
        world.docker(incident, found(container("web")));
        assert_eq!(world.last_refusal(), Some(Reason::BudgetExhausted), "{name}");
        let jumped = world.log.iter().any(|record| matches!(record.fact, Fact::ClockJumped(_)));
        assert_eq!(jumped, name.starts_with("a day"), "{name}: recorded");
    }
}
