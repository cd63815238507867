//! What holds back what follows the end of an alert, and what calls it off.

use super::afterwards::{followed, opened, parking, replays, resolve, treated};
use super::stage::Stage;
use super::world::*;
use crate::engine::effect::Effect;
use crate::engine::event::{Event, NewConfig};
use crate::engine::incident::Phase;
use crate::model::alert::Alert;
use crate::model::container::{ContainerState, StopCause, TargetReport};
use crate::model::fact::StepResult;
use crate::model::id::IncidentId;
use crate::model::limit::Window;
use crate::model::pause::{Pause, PauseScope};
use crate::model::reason::Reason;
use crate::model::testimony::{Heard, Says, Testimony};
use crate::playbook::definition::Playbook;
use crate::playbook::index::Playbooks;
use std::time::Duration;

use super::afterwards::{WAIT_S, only_open};

/// Its wait is under way.
fn waiting() -> (Stage, Alert, IncidentId) {
    let (mut stage, alert) = treated(followed());
    resolve(&mut stage, &alert);
    let id = only_open(&stage).id;
    stage.world.docker(id, found(container("web")));
    assert!(matches!(&stage.world.effects[..], [Effect::Sleep { .. }]), "{:?}", stage.world.effects);
    (stage, alert, id)
}

#[test]
fn an_alert_that_fires_again_before_the_first_act_calls_it_off_and_the_same_episode_still_owes_it() {
    let (mut stage, alert, id) = waiting();
    let before = stage.world.log.len();
    stage.world.now_s += 60;
    stage.world.fire(alert.clone());
    assert_eq!(stage.world.kinds(before), ["alert.received", "incident.closed"]);
    assert_eq!(stage.world.verdict(), Some(("cancelled", Some(Reason::AlertFiresAgain))));
    assert!(stage.world.state.incident(id).is_none());
    replays(&stage);
    // The wait that was under way is nobody's any more.
    stage.world.step(id, 0, StepResult::Waited);
    assert_eq!(stage.world.log.len(), before + 2);
    // The same start goes on, and was handled: when it ends at last, what follows is done.
    stage.world.now_s += 60;
    resolve(&mut stage, &alert);
    assert_eq!(opened(&stage).iter().map(|(_, of, _)| *of).collect::<Vec<_>>(), [first(), first()]);
    stage.rest();
    assert_eq!(stage.actions, ["restart", "restart"]);
    replays(&stage);
}

#[test]
fn a_new_episode_is_never_held_up_and_takes_the_place_of_what_was_to_follow() {
    let (mut stage, alert, _) = waiting();
    stage.world.now_s += 120;
    let again = Alert { starts_at: Some(wall(stage.world.now_s)), ..alert };
    let receipt = stage.world.fire(again.clone());
    let second = receipt.incident.unwrap();
    assert_ne!(second, first());
    stage.rest();
    assert_eq!(stage.actions, ["restart", "restart"], "it was treated at once");
    resolve(&mut stage, &again);
    let of: Vec<IncidentId> = opened(&stage).iter().map(|(_, of, _)| *of).collect();
    assert_eq!(of, [first(), second], "one for each that ran, none twice");
    replays(&stage);
}

#[test]
fn it_holds_nobody_away_before_its_first_act_and_everybody_after_it() {
    let (mut stage, _, id) = waiting();
    let mut other = firing(stage.world.now_s);
    other.labels = [("alertname", "Down"), ("container", "web"), ("instance", "b")].into_iter().collect();
    other.fingerprint = other.labels.fingerprint();
    stage.world.ruleset.policy.max_parallel = 1;
    let second = stage.world.fire(other).incident.unwrap();
    stage.world.docker(second, found(container("web")));
    assert!(matches!(stage.world.state.incident(second).unwrap().phase, Phase::Running(_)), "it goes first");
    // The wait is over, and the other one is at the target: it is asked about again later.
    stage.world.now_s += WAIT_S;
    stage.world.step(id, 0, StepResult::Waited);
    stage.world.docker(id, found(container("web")));
    assert_eq!(stage.world.last_refusal(), Some(Reason::Busy));
    let Phase::Refused { .. } = stage.world.state.incident(id).unwrap().phase else { panic!() };

    let (mut stage, _, id) = waiting();
    stage.world.now_s += WAIT_S;
    stage.world.step(id, 0, StepResult::Waited);
    stage.world.docker(id, found(container("web")));
    assert!(stage.world.permitted().is_some());
    let mut other = firing(stage.world.now_s);
    other.labels = [("alertname", "Down"), ("container", "web"), ("instance", "b")].into_iter().collect();
    other.fingerprint = other.labels.fingerprint();
    let second = stage.world.fire(other).incident.unwrap();
    stage.world.docker(second, found(container("web")));
    assert_eq!(stage.world.last_refusal(), Some(Reason::Busy));
}

#[test]
fn alertmanager_is_asked_before_its_first_act_and_calls_it_off() {
    let says = |says| Heard::Said(Testimony { says, detail: "am:9093 was asked".to_owned() });
    for (heard, acts) in [
        (says(Says::NotFiring), true),
        (says(Says::CannotTell), true),
        (Heard::Nobody, true),
        (says(Says::Firing), false),
    ] {
        let (mut stage, _, id) = waiting();
        stage.world.step(id, 0, StepResult::Waited);
        assert!(matches!(&stage.world.effects[..], [Effect::ResolveTarget { alert: Some(_), .. }]), "it is asked");
        let report = found(container("web"));
        stage.world.feed(Event::TargetResolved { incident: id, report, evidence: None, heard: heard.clone() });
        assert_eq!(stage.world.permitted().is_some(), acts, "{heard:?}");
        if !acts {
            assert_eq!(stage.world.verdict(), Some(("cancelled", Some(Reason::AlertFiresAgain))));
        }
        replays(&stage);
    }
}

#[test]
fn an_alert_that_fires_again_after_the_first_act_leaves_nothing_half_done() {
    let (mut stage, alert, id) = waiting();
    stage.world.step(id, 0, StepResult::Waited);
    stage.world.docker(id, found(container("web")));
    stage.world.fire(alert);
    assert!(stage.world.state.incident(id).is_some(), "it goes on");
    let act = stage.world.state.incident(id).unwrap().run().unwrap().touched.len();
    assert_eq!(act, 1);
    replays(&stage);
}

#[test]
fn every_gate_but_the_playbooks_own_limits_and_condition_holds_it_back_and_time_asks_again() {
    type Change = fn(&mut Stage);
    let cases: [(&str, Change, Reason); 5] = [
        ("paused", |stage| pause(stage), Reason::Paused),
        ("opted out", |stage| stage.web = found(without_labels()), Reason::NotOptedIn),
        ("gone", |stage| stage.web = TargetReport::Missing, Reason::TargetMissing),
        ("no docker", |stage| stage.web = TargetReport::Unavailable("x".into()), Reason::DockerUnavailable),
        (
            "the cap of the settings",
            |stage| stage.world.ruleset.policy.global = vec![Window { runs: 1, per: Duration::from_secs(900) }],
            Reason::GlobalBudget,
        ),
    ];
    for (name, change, want) in cases {
        let (mut stage, alert) = treated(followed());
        change(&mut stage);
        resolve(&mut stage, &alert);
        stage.rest();
        assert_eq!(stage.world.last_refusal(), Some(want), "{name}");
        assert!(matches!(only_open(&stage).phase, Phase::Refused { .. }), "{name}");
        // Nobody delivers the alert again: the tick asks, or the end of the pause.
        stage.world.ruleset.policy.global = Vec::new();
        stage.web = found(container("web"));
        let everything = || Event::ResumeRequested { scope: PauseScope::All, by: "ada".into(), reason: "x".into() };
        stage.later(60);
        if name == "the cap of the settings" {
            stage.later(900);
        }
        if want == Reason::Paused {
            assert!(stage.world.effects.is_empty(), "a pause is asked about when it ends");
            stage.world.feed(everything());
        }
        assert!(
            matches!(&stage.world.effects[..], [Effect::ResolveTarget { .. }]),
            "{name}: {:?}",
            stage.world.effects
        );
        stage.rest();
        assert_eq!(stage.world.verdict(), Some(("recovered", None)), "{name}");
        assert_eq!(stage.actions.len(), 2, "{name}");
        replays(&stage);
    }
}

fn pause(stage: &mut Stage) {
    let (by, reason, length) = ("ada".to_owned(), "looking".to_owned(), None);
    stage.world.feed(Event::PauseRequested(Pause { scope: PauseScope::All, by, reason, length }));
}

fn without_labels() -> crate::model::container::Container {
    let mut web = container("web");
    web.labels.clear();
    web
}

#[test]
fn what_is_held_back_for_longer_than_an_alert_may_be_old_is_given_up() {
    let (mut stage, alert) = treated(followed());
    stage.web = found(without_labels());
    resolve(&mut stage, &alert);
    stage.rest();
    let max = stage.world.ruleset.policy.max_alert_age.as_secs();
    // Its own waiting does not count.
    stage.later(max + WAIT_S - 60);
    stage.rest();
    assert_eq!(stage.world.state.open_incidents(), 1);
    stage.later(120);
    stage.rest();
    assert_eq!(stage.world.verdict(), Some(("cancelled", Some(Reason::StaleAlert))));
    replays(&stage);
}

#[test]
fn the_playbooks_own_limits_neither_hold_it_back_nor_count_it() {
    let mut playbook = followed();
    playbook.limits.windows = vec![Window { runs: 2, per: Duration::from_secs(3600) }];
    playbook.limits.cooldown = Duration::from_secs(300);
    let (mut stage, alert) = treated(playbook);
    resolve(&mut stage, &alert);
    stage.rest();
    assert_eq!(stage.actions.len(), 2, "within the cooldown of its own run");
    stage.world.now_s += 400;
    let again = Alert { starts_at: Some(wall(stage.world.now_s)), ..alert };
    stage.world.fire(again);
    stage.rest();
    assert_eq!(stage.actions.len(), 3, "it took no room in the playbook's window: {:?}", stage.world.last_refusal());
}

#[test]
fn it_says_nothing_about_whether_the_treatment_helps_unless_it_fails() {
    let (mut stage, alert) = treated(followed());
    resolve(&mut stage, &alert);
    stage.rest();
    assert_eq!(stage.count("incident.relapsed"), 0);
    assert_eq!(stage.world.state.history().iter().count(), 1, "the run's own end alone");

    let (mut stage, alert) = treated(followed());
    stage.verify = |_| StepResult::NotVerified("sick".into());
    resolve(&mut stage, &alert);
    stage.rest();
    assert_eq!(stage.world.verdict(), Some(("ineffective", None)));
    assert_eq!(stage.world.state.history().iter().count(), 2);
    assert_eq!(stage.told.len(), 1, "on_failure calls somebody");
}

#[test]
fn what_follows_a_dry_run_is_one() {
    let (mut stage, alert) = treated(Playbook { dry_run: true, ..followed() });
    let policy = stage.world.ruleset.policy.clone();
    let wet = Playbook { revision: "r2".into(), ..followed() };
    let new = NewConfig { playbooks: Playbooks::new(vec![wet]), policy, files: Vec::new(), by: None };
    stage.world.feed(Event::Reloaded(Box::new(new)));
    resolve(&mut stage, &alert);
    stage.rest();
    assert!(stage.actions.is_empty(), "{:?}", stage.actions);
    assert_eq!(stage.world.verdict(), Some(("unknown", Some(Reason::DryRun))));
}

#[test]
fn what_the_run_stopped_is_started_and_what_somebody_stopped_is_not() {
    let down = |started_at: &str| {
        let mut web = container("web");
        web.state = ContainerState::Exited;
        web.exit_code = 143;
        web.started_at = started_at.into();
        let mut view = view(web);
        view.stop_cause = StopCause::Stopped;
        TargetReport::Found(Box::new(view))
    };
    for (started_at, starts) in [("2026-01-01T00:00:00Z", true), ("2026-01-01T00:05:00Z", false)] {
        let (mut stage, alert) = treated(parking());
        assert_eq!(stage.actions, ["stop"]);
        stage.world.ruleset.policy.hands_off = Duration::ZERO;
        stage.web = down(started_at);
        resolve(&mut stage, &alert);
        stage.rest();
        assert_eq!(stage.actions.len(), 1 + usize::from(starts), "started at {started_at}");
        if !starts {
            assert_eq!(stage.world.last_refusal(), Some(Reason::StoppedByHuman), "somebody started it since");
        }
    }
}
