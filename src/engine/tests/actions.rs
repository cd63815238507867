//! Runs that start and stop: what is sent, what is left alone, and what becomes of it when the daemon dies.

use super::world::*;
use crate::engine::effect::Effect;
use crate::engine::event::Event;
use crate::model::action::{Action, ActionOutcome, Goal, Reconciled};
use crate::model::container::{Container, ContainerState, StopCause, TargetReport, TargetView};
use crate::model::fact::{Fact, StepResult};
use crate::model::id::{ActId, IncidentId};
use crate::model::reason::Reason;
use crate::playbook::definition::{Attempts, CaptureSpec, Playbook, RestartSpec, StopSpec, Verb, VerifyStep};
use std::time::Duration;

const STOP: Verb = Verb::Stop(StopSpec { stop_timeout: None });

/// capture, these verbs, verify.
fn doing(verbs: Vec<Verb>) -> Playbook {
    let mut steps = vec![step(Verb::Capture(CaptureSpec::default()))];
    steps.extend(verbs.into_iter().map(step));
    steps.push(step(Verb::Verify(VerifyStep::default())));
    Playbook { attempts: Attempts::only(steps), ..restarting() }
}

fn died() -> TargetView {
    let mut web = container("web");
    web.state = ContainerState::Exited;
    web.exit_code = 137;
    TargetView { stop_cause: StopCause::Died, ..view(web) }
}

fn stopped() -> TargetView {
    TargetView { stop_cause: StopCause::Stopped, ..died() }
}

fn running() -> TargetView {
    view(container("web"))
}

fn report(view: TargetView) -> TargetReport {
    TargetReport::Found(Box::new(view))
}

/// A world in which the evidence is kept and the first action is to be judged.
fn before_acting(verbs: Vec<Verb>, seen: TargetView) -> World {
    let mut world = World::new(vec![doing(verbs)]);
    world.fire(firing(world.now_s));
    world.docker(first(), report(seen));
    world.step(first(), 0, StepResult::Captured(serde_json::json!({})));
    world
}

fn permitted(world: &mut World, seen: TargetView) -> (ActId, String) {
    world.docker(first(), report(seen));
    let op = world.log.iter().rev().find_map(|record| match &record.fact {
        Fact::ActionIntended(intended) => Some(intended.action.op().to_owned()),
        _ => None,
    });
    (world.permitted().expect("permitted"), op.unwrap())
}

fn succeed(world: &mut World, act: ActId) {
    world.feed(Event::ActionReturned { act, outcome: ActionOutcome::Succeeded { post: None } });
}

#[test]
fn a_start_follows_the_stop_of_its_own_run_and_is_verified() {
    let mut world = before_acting(vec![STOP, Verb::Wait(Duration::from_secs(5)), Verb::Start], running());
    let (stop, op) = permitted(&mut world, running());
    assert_eq!(op, "container.stop");
    succeed(&mut world, stop);
    assert!(matches!(world.effects[..], [Effect::Sleep { .. }]), "{:?}", world.effects);
    world.step(first(), 2, StepResult::Waited);
    // Docker's history shows a stop: it was ours.
    let (start, op) = permitted(&mut world, stopped());
    assert_eq!((op.as_str(), start.number), ("container.start", 2));
    succeed(&mut world, start);
    let [Effect::Verify { watched, .. }] = &world.effects[..] else { panic!("{:?}", world.effects) };
    assert_eq!((watched.len(), watched[0].goal), (1, Goal::Up));
    assert_eq!(watched[0].before.as_ref().unwrap().state, "exited");
    world.step(first(), 4, StepResult::Verified("running".into()));
    assert_eq!(world.verdict(), Some(("recovered", None)));
}

#[test]
fn a_lone_stop_is_verified_as_stopped() {
    let mut world = before_acting(vec![STOP], running());
    let (stop, _) = permitted(&mut world, running());
    succeed(&mut world, stop);
    let [Effect::Verify { watched, .. }] = &world.effects[..] else { panic!("{:?}", world.effects) };
    assert_eq!(watched[0].goal, Goal::Down);
}

#[test]
fn what_is_as_wanted_is_left_alone() {
    for (verb, seen, goal) in
        [(Verb::Start, running(), Goal::Up), (STOP, died(), Goal::Down), (STOP, stopped(), Goal::Down)]
    {
        let mut world = before_acting(vec![verb], seen.clone());
        let written = world.log.len();
        world.docker(first(), report(seen));
        assert_eq!(world.permitted(), None);
        assert_eq!(world.kinds(written), ["step.finished"]);
        let [Effect::Verify { watched, .. }] = &world.effects[..] else { panic!("{:?}", world.effects) };
        assert_eq!((watched[0].goal, &watched[0].before), (goal, &None));
        let incident = world.log[0].seq;
        assert!(!world.state.ledger().has_charged(IncidentId(incident)), "nothing was done, so nothing counts");
    }
}

#[test]
fn only_states_that_the_next_actions_can_treat_pass() {
    let state = |state: ContainerState| {
        let mut web = container("web");
        web.state = state;
        view(web)
    };
    let change = |change: fn(&mut Container)| {
        let mut web = container("web");
        change(&mut web);
        view(web)
    };
    let finished = || {
        let mut view = died();
        view.container.exit_code = 0;
        view
    };
    let restart = |start_if_stopped| Verb::Restart(RestartSpec { stop_timeout: None, start_if_stopped });
    let only = |actions: &str| {
        let mut web = container("web");
        web.labels.insert("sickbay.actions".into(), actions.into());
        view(web)
    };
    for (name, verbs, seen, want) in [
        ("start what died", vec![Verb::Start], died(), None),
        ("start what runs", vec![Verb::Start], running(), None),
        ("start what a person stopped", vec![Verb::Start], stopped(), Some(Reason::StoppedByHuman)),
        ("start a finished job", vec![Verb::Start], finished(), Some(Reason::ContainerFinished)),
        (
            "start what was never started",
            vec![Verb::Start],
            state(ContainerState::Created),
            Some(Reason::ContainerCreated),
        ),
        ("start what is paused", vec![Verb::Start], state(ContainerState::Paused), Some(Reason::ContainerPaused)),
        ("start in a loop", vec![Verb::Start], state(ContainerState::Restarting), Some(Reason::CrashLoop)),
        ("stop what runs", vec![STOP], running(), None),
        ("stop what is stopped", vec![STOP], stopped(), None),
        ("stop what is paused", vec![STOP], state(ContainerState::Paused), Some(Reason::ContainerPaused)),
        ("stop in a loop", vec![STOP], state(ContainerState::Restarting), Some(Reason::CrashLoop)),
        ("stop what goes", vec![STOP], state(ContainerState::Removing), Some(Reason::ContainerGone)),
        ("stop --rm", vec![STOP], change(|web| web.auto_remove = true), Some(Reason::AutoRemove)),
        ("stop, start", vec![STOP, Verb::Start], running(), None),
        ("stop, start what a person stopped", vec![STOP, Verb::Start], stopped(), Some(Reason::StoppedByHuman)),
        ("stop, start what died", vec![STOP, Verb::Start], died(), None),
        ("stop, restart", vec![STOP, restart(false)], running(), Some(Reason::ContainerStopped)),
        ("stop, restart what is stopped", vec![STOP, restart(true)], running(), None),
        ("may restart only", vec![Verb::Start], only("restart"), Some(Reason::ActionNotAllowed)),
        ("may stop, not start", vec![STOP, Verb::Start], only("stop"), Some(Reason::ActionNotAllowed)),
        ("may stop and start", vec![STOP, Verb::Start], only("start, stop"), None),
    ] {
        let mut world = World::new(vec![doing(verbs)]);
        world.fire(firing(world.now_s));
        world.docker(first(), report(seen));
        assert_eq!(world.last_refusal(), want, "{name}");
    }
}

#[test]
fn what_the_run_stopped_is_started_whatever_the_alert_and_the_limits_say_meanwhile() {
    let mut playbook = doing(vec![STOP, Verb::Start]);
    playbook.limits.windows[0].runs = 1;
    let mut world = World::new(vec![playbook]);
    let alert = firing(world.now_s);
    world.fire(alert.clone());
    world.docker(first(), report(running()));
    world.step(first(), 0, StepResult::Captured(serde_json::json!({})));
    let (stop, _) = permitted(&mut world, running());
    succeed(&mut world, stop);
    world.fire(resolved(&alert, world.now_s));
    let (start, op) = permitted(&mut world, stopped());
    assert_eq!(op, "container.start");
    succeed(&mut world, start);
    world.step(first(), 3, StepResult::Verified("running".into()));
    assert_eq!(world.verdict(), Some(("recovered", None)));
}

#[test]
fn what_the_run_stopped_and_somebody_started_is_done_without_harm() {
    let mut world = before_acting(vec![STOP, Verb::Start], running());
    let (stop, _) = permitted(&mut world, running());
    succeed(&mut world, stop);
    // The start is sent all the same: Docker answers that there is nothing to do.
    let (start, _) = permitted(&mut world, running());
    succeed(&mut world, start);
    let [Effect::Verify { watched, .. }] = &world.effects[..] else { panic!("{:?}", world.effects) };
    assert_eq!(watched[0].before, None, "the start it has is the one that is watched");
}

#[test]
fn a_start_that_is_refused_after_the_stop_is_a_failure_that_people_hear_of() {
    let mut world = before_acting(vec![STOP, Verb::Start], running());
    let (stop, _) = permitted(&mut world, running());
    succeed(&mut world, stop);
    let mut paused = container("web");
    paused.state = ContainerState::Paused;
    world.docker(first(), found(paused));
    assert_eq!(world.permitted(), None);
    assert!(matches!(world.effects[..], [Effect::SendNotice { .. }]), "{:?}", world.effects);
}

fn with_sidecar(view: TargetView) -> TargetView {
    TargetView { dependents: vec![container("sidecar")], ..view }
}

#[test]
fn dependents_wait_for_the_start_and_a_stop_never_strands_them() {
    let mut world = World::new(vec![doing(vec![STOP])]);
    world.fire(firing(world.now_s));
    world.docker(first(), report(with_sidecar(running())));
    assert_eq!(world.last_refusal(), Some(Reason::DependentRefused));

    let mut world = before_acting(vec![STOP, Verb::Start], with_sidecar(running()));
    let (stop, _) = permitted(&mut world, with_sidecar(running()));
    succeed(&mut world, stop);
    // The one in the target's PID namespace died with it, so Docker names no dependent any more.
    let (start, op) = permitted(&mut world, stopped());
    assert_eq!(op, "container.start");
    succeed(&mut world, start);
    let mut sidecar = container("sidecar");
    sidecar.state = ContainerState::Exited;
    sidecar.exit_code = 137;
    let (restart, op) = permitted(&mut world, TargetView { stop_cause: StopCause::Died, ..view(sidecar) });
    assert_eq!((op.as_str(), restart.number), ("container.restart", 3));
    succeed(&mut world, restart);
    let [Effect::Verify { watched, .. }] = &world.effects[..] else { panic!("{:?}", world.effects) };
    assert_eq!(watched.len(), 2);
}

#[test]
fn a_dependent_that_a_person_stopped_meanwhile_stays_stopped() {
    let mut world = before_acting(vec![STOP, Verb::Start], with_sidecar(running()));
    for seen in [with_sidecar(running()), stopped()] {
        let (act, _) = permitted(&mut world, seen);
        succeed(&mut world, act);
    }
    let mut sidecar = container("sidecar");
    sidecar.state = ContainerState::Exited;
    world.docker(first(), report(TargetView { stop_cause: StopCause::Stopped, ..view(sidecar) }));
    assert_eq!(world.permitted(), None);
    assert!(matches!(world.effects[..], [Effect::SendNotice { .. }]), "{:?}", world.effects);
}

#[test]
fn a_crash_at_any_record_of_a_stop_and_a_start_sends_neither_again() {
    let mut world = before_acting(vec![STOP, Verb::Start], running());
    for seen in [running(), stopped()] {
        let (act, _) = permitted(&mut world, seen);
        succeed(&mut world, act);
    }
    for count in 0..=world.log.len() {
        let mut after = World::new(vec![doing(vec![STOP, Verb::Start])]);
        after.state = world.replayed(count);
        after.now_s = world.now_s + 5;
        let of = |wanted: fn(&Fact) -> bool| world.log[..count].iter().filter(|record| wanted(&record.fact)).count();
        let intended = of(|fact| matches!(fact, Fact::ActionIntended(_)));
        let in_doubt = intended - of(|fact| matches!(fact, Fact::ActionFinished(_)));
        after.feed(Event::Started { recovered: None, version: "0".into(), hostname: "h".into(), files: Vec::new() });
        assert_eq!(after.permitted(), None, "after {count} records");
        let looked_at = after.effects.iter().find_map(|effect| match effect {
            Effect::Reconcile(reconciliation) => Some(reconciliation.act.number),
            _ => None,
        });
        let want = u32::try_from(intended).ok().filter(|_| in_doubt == 1);
        assert_eq!(looked_at, want, "after {count} records");
    }
}

#[test]
fn a_stop_whose_end_only_looking_told_is_followed_by_the_start() {
    for (finding, want) in [(Reconciled::Observed, None), (Reconciled::NotApplied, Some("abandoned"))] {
        let mut world = before_acting(vec![STOP, Verb::Start], running());
        let (stop, _) = permitted(&mut world, running());
        world.feed(Event::ActionReturned { act: stop, outcome: ActionOutcome::Unknown { error: "cut".into() } });
        world.feed(Event::ActionObserved { act: stop, finding, post: None, detail: "seen".into() });
        match want {
            None => assert_eq!(permitted(&mut world, stopped()).1, "container.start"),
            Some(verdict) => {
                let [Effect::SendNotice { notice, .. }] = &world.effects[..] else { panic!("{:?}", world.effects) };
                let act = notice.act;
                let outcome = crate::model::notice::NoticeOutcome::Delivered;
                world.feed(Event::NoticeReturned { act, outcome });
                assert_eq!(world.verdict(), Some((verdict, None)));
            }
        }
    }
}

#[test]
fn a_dry_run_of_a_stop_and_a_start_rehearses_both() {
    let mut world = World::new(vec![Playbook { dry_run: true, ..doing(vec![STOP, Verb::Start]) }]);
    world.fire(firing(world.now_s));
    world.docker(first(), report(running()));
    world.step(first(), 0, StepResult::Captured(serde_json::json!({})));
    for _ in 0..2 {
        world.docker(first(), report(running()));
        assert_eq!(world.permitted(), None);
    }
    assert_eq!(world.verdict(), Some(("unknown", Some(Reason::DryRun))));
    let ops: Vec<&str> = world
        .log
        .iter()
        .filter_map(|record| match &record.fact {
            Fact::ActionIntended(intended) if intended.dry_run => Some(intended.action.op()),
            _ => None,
        })
        .collect();
    assert_eq!(ops, ["container.stop", "container.start"]);
}

#[test]
fn an_owner_says_how_long_a_stop_may_take_only_where_the_playbook_does_not() {
    let secs = |secs| Some(Duration::from_secs(secs));
    for (playbooks, label, want) in [
        (None, None, None),
        (None, Some("30"), secs(30)),
        (None, Some("1m30s"), secs(90)),
        (secs(5), Some("30s"), secs(5)),
        (None, Some("11m"), None),
        (None, Some("long"), None),
    ] {
        let mut web = container("web");
        web.labels.extend(label.map(|label| ("sickbay.stop-timeout".to_owned(), label.to_owned())));
        for verb in [
            Verb::Stop(StopSpec { stop_timeout: playbooks }),
            Verb::Restart(RestartSpec { stop_timeout: playbooks, start_if_stopped: false }),
        ] {
            let mut world = before_acting(vec![verb, Verb::Start], view(web.clone()));
            permitted(&mut world, view(web.clone()));
            let Some(Fact::ActionIntended(intended)) = world.log.last().map(|record| &record.fact) else { panic!() };
            let (Action::Stop { stop_timeout } | Action::Restart { stop_timeout }) = intended.action else { panic!() };
            assert_eq!(stop_timeout, want, "{playbooks:?} {label:?}");
            let grace = want.unwrap_or(Duration::from_secs(10));
            assert!(grace < intended.deadline, "{label:?}: {:?} leaves no time for the stop", intended.deadline);
        }
    }
}

#[test]
fn dependents_are_left_alone_if_the_owner_of_the_target_says_so() {
    for (label, want) in [("restart", 1), ("warn", 0)] {
        let mut seen = with_sidecar(running());
        seen.container.labels.insert("sickbay.dependents".into(), label.into());
        let restart = Verb::Restart(RestartSpec { stop_timeout: None, start_if_stopped: false });
        let mut world = before_acting(vec![restart], seen.clone());
        permitted(&mut world, seen);
        let Some(Fact::ActionIntended(intended)) = world.log.last().map(|record| &record.fact) else { panic!() };
        assert_eq!(intended.dependents.len(), want, "{label}");
    }
}
