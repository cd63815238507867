//! Runs from the first step to the verdict, with crashes at every record.

use super::world::*;
use crate::engine::effect::Effect;
use crate::engine::event::Event;
use crate::model::action::{ActionOutcome, Reconciled};
use crate::model::container::{Container, ContainerState, StopCause, TargetReport, TargetView};
use crate::model::fact::{Fact, StepResult};
use crate::model::notice::NoticeOutcome;
use crate::model::reason::Reason;
use crate::playbook::definition::{Attempts, Playbook};

type Answer = fn(&mut World) -> TargetReport;

fn captured() -> StepResult {
    StepResult::Captured(serde_json::json!({}))
}

/// A world whose incident has its action permitted.
fn acting() -> (World, crate::model::id::ActId) {
    let mut world = World::new(vec![restarting()]);
    world.fire(firing(world.now_s));
    world.docker(first(), found(container("web")));
    world.step(first(), 0, captured());
    world.docker(first(), found(container("web")));
    let act = world.permitted().expect("permitted");
    (world, act)
}

fn done(world: &mut World, act: crate::model::id::ActId) {
    world.feed(Event::ActionReturned { act, outcome: ActionOutcome::Succeeded { post: None } });
}

/// Answers the message that is on its way.
fn deliver(world: &mut World) {
    let [Effect::SendNotice { notice, .. }] = &world.effects[..] else { panic!("{:?}", world.effects) };
    let act = notice.act;
    world.feed(Event::NoticeReturned { act, outcome: NoticeOutcome::Delivered });
}

#[test]
fn a_run_goes_from_capture_over_restart_and_verify_to_recovered() {
    let (mut world, act) = acting();
    done(&mut world, act);
    world.step(first(), 2, StepResult::Verified("web: healthy".into()));
    assert_eq!(
        world.kinds(0),
        [
            "alert.received",
            "decision",
            "step.finished",
            "action.intent",
            "action.outcome",
            "step.finished",
            "incident.closed"
        ]
    );
    assert_eq!(world.verdict(), Some(("recovered", None)));
    assert_eq!(world.state.incidents().count(), 0);
}

#[test]
fn a_restart_that_fails_tells_people_and_ends_as_failed() {
    let (mut world, act) = acting();
    world.feed(Event::ActionReturned { act, outcome: ActionOutcome::Failed { error: "port taken".into() } });
    deliver(&mut world);
    assert_eq!(world.verdict(), Some(("failed", None)));
}

#[test]
fn a_target_that_does_not_recover_ends_as_ineffective() {
    let (mut world, act) = acting();
    done(&mut world, act);
    world.step(first(), 2, StepResult::NotVerified("web: exited with code 1".into()));
    deliver(&mut world);
    assert_eq!(world.verdict(), Some(("ineffective", None)));
}

#[test]
fn a_call_without_an_answer_is_looked_at_and_never_sent_again() {
    for (finding, verdict) in [
        (Reconciled::Observed, None),
        (Reconciled::RestartPolicy, None),
        (Reconciled::NotApplied, Some("abandoned")),
        (Reconciled::Superseded, Some("superseded")),
        (Reconciled::Unknown, Some("unknown")),
    ] {
        let (mut world, act) = acting();
        world.feed(Event::ActionReturned { act, outcome: ActionOutcome::Unknown { error: "timeout".into() } });
        assert!(matches!(world.effects[..], [Effect::Reconcile(_)]), "{:?}", world.effects);
        world.feed(Event::ActionObserved { act, finding, post: None, detail: "seen".into() });
        assert_eq!(world.permitted(), None);
        match verdict {
            None => assert!(matches!(world.effects[..], [Effect::Verify { .. }]), "{:?}", world.effects),
            Some(verdict) => {
                deliver(&mut world);
                assert_eq!(world.verdict(), Some((verdict, None)));
            }
        }
    }
}

#[test]
fn a_crash_at_any_record_never_sends_the_action_again() {
    let (mut world, act) = acting();
    done(&mut world, act);
    world.step(first(), 2, StepResult::NotVerified("still sick".into()));
    deliver(&mut world);
    for count in 0..=world.log.len() {
        let mut after = World::new(vec![restarting()]);
        after.state = world.replayed(count);
        after.now_s = world.now_s + 5;
        let intended = world.log[..count].iter().any(|record| matches!(record.fact, Fact::ActionIntended(_)));
        let answered = world.log[..count].iter().any(|record| matches!(record.fact, Fact::ActionFinished(_)));
        let started = Event::Started { recovered: None, version: "0".into(), hostname: "h".into(), files: Vec::new() };
        after.feed(started);
        assert_eq!(after.permitted(), None, "after {count} records");
        let looks = after.effects.iter().any(|effect| matches!(effect, Effect::Reconcile(_)));
        assert_eq!(looks, intended && !answered, "after {count} records");
    }
}

#[test]
fn every_prefix_of_the_log_replays_to_the_state_that_wrote_it() {
    let (mut world, act) = acting();
    let mut states = vec![(world.log.len(), world.state.clone())];
    done(&mut world, act);
    states.push((world.log.len(), world.state.clone()));
    world.step(first(), 2, StepResult::Verified("fine".into()));
    world.now_s += 4000;
    world.feed(Event::Ticked);
    states.push((world.log.len(), world.state.clone()));
    for (count, state) in states {
        assert_eq!(world.replayed(count), state, "{count}");
    }
}

#[test]
fn the_gates_are_asked_again_right_before_the_act() {
    let cases: [(&str, Answer, Reason); 4] = [
        (
            "paused meanwhile",
            |_| {
                let mut web = container("web");
                web.state = ContainerState::Paused;
                found(web)
            },
            Reason::ContainerPaused,
        ),
        (
            "protected meanwhile",
            |_| {
                let mut web = container("web");
                web.labels.insert("sickbay.protect".into(), "true".into());
                found(web)
            },
            Reason::Protected,
        ),
        (
            "image changed meanwhile",
            |_| {
                let mut web = container("web");
                web.image_id = "sha256:2".into();
                found(web)
            },
            Reason::TargetChanged,
        ),
        ("gone meanwhile", |_| TargetReport::Missing, Reason::TargetChanged),
    ];
    for (name, answer, want) in cases {
        let mut world = World::new(vec![restarting()]);
        world.fire(firing(world.now_s));
        world.docker(first(), found(container("web")));
        world.step(first(), 0, captured());
        let report = answer(&mut world);
        world.docker(first(), report);
        assert_eq!(world.permitted(), None, "{name}");
        assert_eq!(world.last_refusal(), Some(want), "{name}");
    }
}

#[test]
fn an_alert_that_resolves_during_capture_stops_the_act() {
    let mut world = World::new(vec![restarting()]);
    let alert = firing(world.now_s);
    world.fire(alert.clone());
    world.docker(first(), found(container("web")));
    world.fire(resolved(&alert, world.now_s));
    world.step(first(), 0, captured());
    world.docker(first(), found(container("web")));
    assert_eq!(world.permitted(), None);
    assert_eq!(world.last_refusal(), Some(Reason::ResolvedFirst));
    assert_eq!(world.verdict(), Some(("cancelled", Some(Reason::ResolvedFirst))));
    assert_eq!(world.state.incidents().count(), 0);
}

#[test]
fn a_dry_run_records_the_intent_and_permits_nothing() {
    for global in [true, false] {
        let mut world = World::new(vec![Playbook { dry_run: !global, ..restarting() }]);
        world.ruleset.policy.dry_run = global;
        world.fire(firing(world.now_s));
        world.docker(first(), found(container("web")));
        world.step(first(), 0, captured());
        world.docker(first(), found(container("web")));
        assert_eq!(world.permitted(), None);
        assert_eq!(world.verdict(), Some(("unknown", Some(Reason::DryRun))));
        let intents = world.log.iter().filter(|r| matches!(&r.fact, Fact::ActionIntended(i) if i.dry_run)).count();
        assert_eq!(intents, 1);
    }
}

#[test]
fn dependents_are_restarted_after_their_parent_and_watched_with_it() {
    let mut world = World::new(vec![restarting()]);
    world.fire(firing(world.now_s));
    let mut parent = view(container("web"));
    parent.dependents = vec![container("sidecar")];
    let report = TargetReport::Found(Box::new(parent));
    world.docker(first(), report.clone());
    world.step(first(), 0, captured());
    world.docker(first(), report);
    let act = world.permitted().unwrap();
    done(&mut world, act);
    assert!(matches!(world.effects[..], [Effect::ResolveTarget { .. }]), "{:?}", world.effects);
    world.docker(first(), found(container("sidecar")));
    let act = world.permitted().unwrap();
    assert_eq!(act.number, 2);
    done(&mut world, act);
    let [Effect::Verify { watched, .. }] = &world.effects[..] else { panic!("{:?}", world.effects) };
    assert_eq!(watched.len(), 2);
}

#[test]
fn a_late_answer_to_a_question_asked_twice_changes_nothing() {
    let mut world = World::new(vec![restarting()]);
    world.fire(firing(world.now_s));
    let mut parent = view(container("web"));
    parent.dependents = vec![container("sidecar")];
    let report = TargetReport::Found(Box::new(parent));
    world.docker(first(), report.clone());
    world.step(first(), 0, captured());
    let unexpected = |world: &mut World, report: TargetReport, when: &str| {
        let before = world.log.len();
        world.docker(first(), report);
        assert_eq!((world.permitted(), world.log.len()), (None, before), "{when}");
    };
    world.docker(first(), report.clone());
    let act = world.permitted().unwrap();
    unexpected(&mut world, report.clone(), "while the call is under way");
    unexpected(&mut world, TargetReport::Unavailable("no answer".into()), "while the call is under way");
    done(&mut world, act);
    unexpected(&mut world, report.clone(), "the target again, at its dependent's turn");
    world.docker(first(), found(container("sidecar")));
    let act = world.permitted().unwrap();
    done(&mut world, act);
    unexpected(&mut world, TargetReport::Missing, "while it is watched");
}

#[test]
fn once_the_parent_was_restarted_trouble_with_a_dependent_is_a_failure_not_a_second_chance() {
    let mut world = World::new(vec![restarting()]);
    world.fire(firing(world.now_s));
    let mut parent = view(container("web"));
    parent.dependents = vec![container("sidecar")];
    let report = TargetReport::Found(Box::new(parent));
    world.docker(first(), report.clone());
    world.step(first(), 0, captured());
    world.docker(first(), report);
    let act = world.permitted().unwrap();
    done(&mut world, act);
    world.docker(first(), TargetReport::Unavailable("no answer".into()));
    deliver(&mut world);
    assert_eq!(world.verdict(), Some(("failed", None)));
}

#[test]
fn a_dependent_that_died_with_its_parent_is_started_again_and_one_that_was_stopped_is_not() {
    for (state, cause, started) in [
        (ContainerState::Exited, StopCause::Died, true),
        (ContainerState::Restarting, StopCause::NotAsked, true),
        (ContainerState::Exited, StopCause::Stopped, false),
        (ContainerState::Paused, StopCause::NotAsked, false),
    ] {
        let mut world = World::new(vec![restarting()]);
        world.fire(firing(world.now_s));
        let mut parent = view(container("web"));
        parent.dependents = vec![container("sidecar")];
        let report = TargetReport::Found(Box::new(parent));
        world.docker(first(), report.clone());
        world.step(first(), 0, captured());
        world.docker(first(), report);
        let act = world.permitted().unwrap();
        done(&mut world, act);
        let after = Container { state: state.clone(), exit_code: 137, ..container("sidecar") };
        let seen = TargetView { stop_cause: cause, ..view(after) };
        world.docker(first(), TargetReport::Found(Box::new(seen)));
        assert_eq!(world.permitted().is_some_and(|act| act.number == 2), started, "{state:?} {cause:?}");
    }
}

#[test]
fn a_playbook_that_only_notifies_needs_no_target() {
    let playbook =
        Playbook { target: None, attempts: Attempts::only(vec![notify()]), on_failure: vec![], ..restarting() };
    let mut world = World::new(vec![playbook]);
    world.fire(firing(world.now_s));
    assert_eq!(world.effects, [Effect::SkipTarget { incident: first() }]);
    world.feed(Event::TargetSkipped { incident: first() });
    deliver(&mut world);
    assert_eq!(world.verdict(), Some(("unknown", Some(Reason::NotVerified))));
}

#[test]
fn a_playbook_that_changed_while_the_daemon_was_down_is_not_carried_on() {
    let (world, _) = acting();
    let answered_by = |count: usize| {
        let mut after = World::new(vec![Playbook { revision: "r2".into(), ..restarting() }]);
        after.state = world.replayed(count);
        after.feed(Event::Started { recovered: None, version: "0".into(), hostname: "h".into(), files: vec![] });
        after
    };
    let waiting = answered_by(1);
    assert_eq!(waiting.verdict_in_log(), Some(("abandoned", Some(Reason::PlaybookChanged))));
    let in_flight = answered_by(world.log.len());
    assert!(matches!(in_flight.effects[..], [Effect::Reconcile(_)]), "an action in flight is still looked at");
}

impl World {
    fn verdict_in_log(&self) -> Option<(&'static str, Option<Reason>)> {
        self.verdict()
    }
}
