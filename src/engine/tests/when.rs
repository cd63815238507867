//! When a playbook may run: the clock, and its condition, at the first asking and again right before the act.

use super::world::*;
use crate::model::action::ActionOutcome;
use crate::model::container::{Container, ContainerState, TargetReport};
use crate::model::fact::{Answer, Fact, Refusal, StepResult};
use crate::model::label::Labels;
use crate::model::reason::{Gate, Reason};
use crate::model::time_interval::{Location, Period, Range, Schedule, TimeInterval, TimeRange};
use crate::playbook::condition::{Condition, Nameable};
use crate::playbook::definition::{Attempts, Playbook};
use chrono::Timelike;
use std::time::Duration;

/// From this many minutes before the world's first minute, for so many.
fn around(name: &str, before: u32, length: u32) -> TimeInterval {
    let start = wall(100_000);
    let minute = start.hour() * 60 + start.minute() - before;
    let times = Some(vec![TimeRange::new(minute, minute + length).unwrap()]);
    TimeInterval { name: name.into(), periods: vec![Period { times, ..Period::default() }] }
}

fn scheduled(active: Vec<TimeInterval>, mute: Vec<TimeInterval>) -> Playbook {
    let all = |intervals: Vec<TimeInterval>| intervals.into_iter().map(Into::into).collect();
    Playbook { schedule: Schedule { active: all(active), mute: all(mute) }, ..restarting() }
}

fn conditional(source: &str) -> Playbook {
    Playbook { condition: Some(Condition::parse(source, ON_CONTAINER).unwrap()), ..restarting() }
}

fn refusal(world: &World) -> Option<Refusal> {
    world.log.iter().rev().find_map(|record| match &record.fact {
        Fact::Decided(decided) => match &decided.answer {
            Answer::Refused(refusal) => Some(refusal.clone()),
            Answer::Run { .. } => None,
        },
        _ => None,
    })
}

/// What a playbook's gates say about an alert and its container.
fn asked(playbook: Playbook, container: Container) -> Option<Refusal> {
    let mut world = World::new(vec![playbook]);
    world.fire(firing(world.now_s));
    world.docker(first(), found(container));
    refusal(&world)
}

#[test]
fn outside_of_its_hours_a_playbook_refuses_and_says_when_to_ask_again() {
    for (active, mute, want) in [
        (vec![around("office", 5, 10)], vec![], None),
        (vec![around("office", 5, 5)], vec![], Some(Reason::OutsideTimeInterval)),
        (vec![around("early", 60, 10), around("office", 0, 1)], vec![], None),
        (vec![], vec![around("backup", 60, 10)], None),
        (vec![], vec![around("backup", 1, 3)], Some(Reason::MutedTimeInterval)),
        (vec![around("office", 5, 10)], vec![around("backup", 1, 3)], Some(Reason::MutedTimeInterval)),
        (vec![around("office", 60, 10)], vec![around("backup", 1, 3)], Some(Reason::OutsideTimeInterval)),
    ] {
        let found = asked(scheduled(active.clone(), mute.clone()), container("web"));
        assert_eq!(found.map(|refusal| refusal.reason), want, "{active:?} {mute:?}");
    }
    let muted = asked(scheduled(vec![], vec![around("backup", 1, 3)]), container("web")).unwrap();
    let now = wall(100_000);
    assert_eq!(
        (muted.gate, muted.retry_after),
        (Gate::TimeInterval, Duration::from_secs(120 - u64::from(now.second())))
    );
    let clock = now.format("%a %Y-%m-%d %H:%M UTC").to_string();
    let inputs = [("mute_time_interval", "backup"), ("local_time", clock.as_str())];
    assert_eq!(muted.inputs, inputs.map(|(name, value)| (name.to_owned(), value.to_owned())));
    assert!(muted.detail.contains("backup") && muted.detail.contains(&clock), "{}", muted.detail);
}

#[test]
fn the_record_names_the_intervals_and_what_their_clocks_show() {
    let mut tokyo = around("tokyo", 60, 10);
    tokyo.periods[0].location = Location::parse("Asia/Tokyo").unwrap();
    tokyo.periods[0].weekdays = Some(vec![Range::weekdays("sunday").unwrap()]);
    let refusal = asked(scheduled(vec![around("office", 60, 10), tokyo], vec![]), container("web")).unwrap();
    let shown: Vec<(&str, &str)> = refusal.inputs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let utc = Location::default().describe(wall(100_000));
    let far = Location::parse("Asia/Tokyo").unwrap().describe(wall(100_000));
    let clocks = format!("{utc}, {far}");
    assert_eq!(shown, [("active_time_intervals", "office, tokyo"), ("local_time", clocks.as_str())]);
}

#[test]
fn a_refused_playbook_acts_once_its_time_has_come() {
    let mut world = World::new(vec![scheduled(vec![], vec![around("backup", 1, 3)])]);
    let alert = firing(world.now_s);
    world.fire(alert.clone());
    world.docker(first(), found(container("web")));
    assert_eq!(world.last_refusal(), Some(Reason::MutedTimeInterval));
    world.now_s += 60;
    world.fire(alert.clone());
    assert!(world.effects.is_empty(), "it is still the same interval");
    world.now_s += 60;
    world.fire(alert);
    world.docker(first(), found(container("web")));
    assert!(world.state.incident(first()).unwrap().run().is_some());
}

#[test]
fn an_interval_that_begins_after_the_run_did_stops_the_act() {
    let mut backup = around("backup", 0, 5);
    backup.periods[0].times = backup.periods[0]
        .times
        .take()
        .map(|times| times.into_iter().map(|range| TimeRange::new(range.start + 1, range.end).unwrap()).collect());
    let mut world = World::new(vec![scheduled(vec![], vec![backup])]);
    world.fire(firing(world.now_s));
    world.docker(first(), found(container("web")));
    assert!(world.state.incident(first()).unwrap().run().is_some(), "before it begins");
    world.now_s += 60;
    world.step(first(), 0, StepResult::Captured(serde_json::json!({})));
    world.docker(first(), found(container("web")));
    assert_eq!((world.permitted(), world.last_refusal()), (None, Some(Reason::MutedTimeInterval)));
}

#[test]
fn the_time_is_asked_before_the_target_and_the_condition_after_the_time() {
    let playbook = Playbook {
        condition: Some(Condition::parse("target.state == 'exited'", ON_CONTAINER).unwrap()),
        ..scheduled(vec![], vec![around("backup", 1, 3)])
    };
    let mut hopeless = container("web");
    hopeless.labels.clear();
    let muted = asked(playbook.clone(), hopeless.clone()).unwrap();
    assert_eq!(muted.reason, Reason::MutedTimeInterval);
    let open = Playbook { schedule: Schedule::default(), ..playbook.clone() };
    assert_eq!(asked(open.clone(), hopeless.clone()).unwrap().reason, Reason::ConditionFalse);
    let plain = Playbook { condition: None, ..open.clone() };
    assert_eq!(asked(plain, hopeless).unwrap().reason, Reason::NotOptedIn);
    for (playbook, want) in [(playbook, Reason::MutedTimeInterval), (open, Reason::TargetMissing)] {
        let mut world = World::new(vec![playbook]);
        world.fire(firing(world.now_s));
        world.docker(first(), TargetReport::Missing);
        assert_eq!(world.last_refusal(), Some(want));
    }
}

#[test]
fn a_condition_is_asked_about_the_alert_and_the_container() {
    for (source, want) in [
        ("alert.age > duration('5s') && alert.age < duration('1m')", None),
        ("labels.container == target.name && alert.name == 'Down'", None),
        ("target.state == 'running' && target.health == 'none' && target.restart_policy == 'no'", None),
        ("target.image == 'box:1' && target.image_id == 'sha256:1' && target.labels['sickbay.enable'] == 'true'", None),
        ("target.exit_code == 0 && target.restart_count == 0 && !target.oom_killed", None),
        ("target.running_for > duration('1h') && target.started_at < alert.starts_at", None),
        ("run.playbook == 'restart' && run.id == 'i0' && !run.dry_run", None),
        ("limits.runs == 3 && limits.per == duration('1h') && limits.cooldown == duration('0s')", None),
        ("alert.age > duration('2m')", Some(Reason::ConditionFalse)),
        ("target.state == 'exited'", Some(Reason::ConditionFalse)),
        ("labels.depth == '1'", Some(Reason::ConditionError)),
        ("int(labels.container) > 1", Some(Reason::ConditionError)),
        ("1 / target.exit_code > 0", Some(Reason::ConditionError)),
    ] {
        let found = asked(conditional(source), container("web"));
        assert_eq!(found.as_ref().map(|refusal| refusal.reason), want, "{source}: {found:?}");
    }
}

#[test]
fn what_docker_does_not_know_is_absent() {
    let mut stopped = container("web");
    stopped.state = ContainerState::Exited;
    let refusal = asked(conditional("target.running_for < duration('1h')"), stopped.clone()).unwrap();
    assert_eq!(refusal.reason, Reason::ConditionError);
    assert!(refusal.detail.contains("`target.running_for` is absent"), "{}", refusal.detail);
    stopped.started_at = "0001-01-01T00:00:00Z".into();
    assert_eq!(asked(conditional("has(target.started_at)"), stopped).unwrap().reason, Reason::ConditionFalse);
    let mut world = World::new(vec![conditional("alert.age > duration('0s')")]);
    world.fire(crate::model::alert::Alert { starts_at: None, ..firing(world.now_s) });
    world.docker(first(), found(container("web")));
    assert_eq!(world.last_refusal(), Some(Reason::ConditionError));
}

#[test]
fn the_record_says_what_the_condition_saw() {
    let refusal = asked(conditional("target.state == 'exited' && has(labels.team)"), container("web")).unwrap();
    let shown: Vec<(&str, &str)> = refusal.inputs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(shown, [("labels.team", "(absent)"), ("target.state", "running")]);
    assert_eq!(refusal.gate, Gate::Condition);
    assert!(refusal.detail.contains("target.state is running"), "{}", refusal.detail);
}

#[test]
fn a_condition_that_no_longer_holds_right_before_the_act_stops_it() {
    let mut world = World::new(vec![conditional("target.state == 'running'")]);
    world.fire(firing(world.now_s));
    world.docker(first(), found(container("web")));
    world.step(first(), 0, StepResult::Captured(serde_json::json!({})));
    let mut exited = container("web");
    exited.state = ContainerState::Exited;
    world.docker(first(), found(exited));
    assert_eq!((world.permitted(), world.last_refusal()), (None, Some(Reason::ConditionFalse)));
    world.now_s += 60;
    world.fire(firing(world.now_s - 60));
    world.docker(first(), found(container("web")));
    world.step(first(), 0, StepResult::Captured(serde_json::json!({})));
    world.docker(first(), found(container("web")));
    let act = world.permitted().expect("it holds again");
    let returned =
        crate::engine::event::Event::ActionReturned { act, outcome: ActionOutcome::Succeeded { post: None } };
    world.feed(returned);
}

#[test]
fn a_playbook_without_a_target_asks_its_condition_and_its_hours_too() {
    let tell = |condition: &str, mute: Vec<TimeInterval>| {
        let condition = Some(Condition::parse(condition, Nameable::default()).unwrap());
        let playbook = scheduled(vec![], mute);
        let playbook = Playbook {
            target: None,
            attempts: Attempts::only(vec![notify()]),
            on_failure: vec![],
            condition,
            ..playbook
        };
        let mut world = World::new(vec![playbook]);
        let labels: Labels = [("alertname", "Down"), ("depth", "5")].into_iter().collect();
        world.fire(crate::model::alert::Alert { fingerprint: labels.fingerprint(), labels, ..firing(world.now_s) });
        world.feed(crate::engine::event::Event::TargetSkipped { incident: first() });
        world.last_refusal()
    };
    assert_eq!(tell("int(labels.depth) > 4", vec![]), None);
    assert_eq!(tell("int(labels.depth) > 5", vec![]), Some(Reason::ConditionFalse));
    assert_eq!(tell("int(labels.depth) > 4", vec![around("backup", 1, 3)]), Some(Reason::MutedTimeInterval));
}

/// Every name that `check` accepts has a value of the type it says.
#[test]
fn every_name_of_a_condition_is_given_with_its_type() {
    use crate::playbook::condition::names::{FIXED, Kind, OF_SERVICES};
    for (root, fields) in FIXED.iter().filter(|(root, _)| !["failed", "approval"].contains(root)) {
        for (field, kind) in fields.iter().filter(|(field, _)| !OF_SERVICES.contains(field)) {
            let path = format!("{root}.{field}");
            // Each is false, and none is an error: a value that is absent or of another type would be one.
            let source = match kind {
                Kind::Bool => format!("{path} && !{path}"),
                Kind::Int => format!("{path} + 1 == {path}"),
                Kind::Double => format!("{path} + 1.0 == {path}"),
                Kind::Text => format!("{path} + 'x' == {path}"),
                Kind::Span => format!("{path} + duration('1s') == {path}"),
                Kind::Time => format!("{path} + duration('1s') == {path}"),
            };
            let refusal = asked(conditional(&source), container("web")).unwrap_or_else(|| panic!("{source}"));
            assert_eq!(refusal.reason, Reason::ConditionFalse, "{source}: {refusal:?}");
        }
    }
}
