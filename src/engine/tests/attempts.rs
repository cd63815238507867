//! Several tries of one incident: what follows which, after how long, asked how, told when, over every crash.

use super::stage::{COOLDOWN_S, Stage, ladder};
use super::world::*;
use crate::engine::effect::Effect;
use crate::engine::event::{Event, NewConfig};
use crate::engine::incident::Phase;
use crate::model::action::{Action, ActionOutcome, Reconciled};
use crate::model::container::{ContainerState, TargetReport};
use crate::model::fact::{Fact, StepResult};
use crate::model::id::IncidentId;
use crate::model::incident::AttemptNumber;
use crate::model::label::Labels;
use crate::model::pause::{Pause, PauseScope};
use crate::model::reason::Reason;
use crate::playbook::condition::Condition;
use crate::playbook::definition::{NotifySpec, Playbook, Verb};
use std::time::Duration;

#[test]
fn the_next_try_takes_its_own_steps_once_the_cooldown_is_over() {
    let mut stage = Stage::between(ladder());
    stage.verify = |_| StepResult::Verified("well".into());
    assert_eq!(
        (stage.phase(), stage.world.state.running().count()),
        (Some(&Phase::BetweenTries), 0),
        "nothing is held"
    );
    assert_eq!(stage.told, Vec::<String>::new(), "nobody is told before the last try");
    stage.later(COOLDOWN_S - 1);
    assert_eq!(stage.world.effects, []);
    let before = stage.world.log.len();
    stage.later(1);
    assert!(matches!(&stage.world.effects[..], [Effect::ResolveTarget { .. }]), "{:?}", stage.world.effects);
    stage.rest();
    let kinds = [
        "decision",
        "step.finished",
        "action.intent",
        "action.outcome",
        "action.intent",
        "action.outcome",
        "step.finished",
        "incident.closed",
    ];
    assert_eq!(stage.world.kinds(before), kinds);
    assert_eq!(stage.actions, ["restart", "stop", "start"]);
    let [one, two] = [1, 2].map(|number| AttemptNumber { number, count: 2 });
    assert_eq!(stage.runs(), [one, two]);
    assert_eq!(stage.world.verdict(), Some(("recovered", None)));
    let plans = stage.world.log.iter().filter_map(|record| match &record.fact {
        Fact::ActionIntended(intended) => Some(intended.plan.clone()),
        _ => None,
    });
    let plans: Vec<String> = plans.collect();
    assert!(plans[0] != plans[1] && plans[1] == plans[2], "each try has a plan of its own");
}

#[test]
fn after_the_last_try_people_are_told_once_and_the_breaker_opens_whatever_its_count() {
    let mut playbook = ladder();
    let message = template("{{ run.attempt }}/{{ run.attempts }} {{ failed.error }}");
    let title = Some(message.clone());
    let named = Verb::Notify(NotifySpec { to: vec!["log".into()], severity: "info".into(), title, message });
    playbook.on_failure.push(step(named));
    let mut stage = Stage::between(playbook);
    stage.world.ruleset.policy.breaker.failures = 9;
    stage.later(COOLDOWN_S);
    stage.rest();
    assert_eq!(stage.told, ["restart: web (after 2 of 2 tries)", "2/2 still sick"]);
    assert_eq!(stage.world.verdict(), Some(("ineffective", None)));
    assert_eq!(stage.detail().as_deref(), Some("try 2 of 2: verify: still sick"));
    assert_eq!((stage.count("attempt.ended"), stage.count("breaker.opened")), (1, 1));

    let other: Labels = [("alertname", "Down"), ("container", "web"), ("serial", "2")].into_iter().collect();
    for (later_s, want) in [(COOLDOWN_S, Some(Reason::BreakerOpen)), (3600, None)] {
        // A restart of the daemon knows it as well.
        stage.world.state = stage.world.replayed(stage.world.log.len());
        stage.world.now_s += later_s;
        let labels: Labels = other.iter().chain([("later", later_s.to_string().as_str())]).collect();
        let alert =
            crate::model::alert::Alert { fingerprint: labels.fingerprint(), labels, ..firing(stage.world.now_s) };
        let incident = stage.world.fire(alert).incident.unwrap();
        stage.world.docker(incident, found(container("web")));
        let reason = match &stage.world.state.incident(incident).unwrap().phase {
            Phase::Refused { refusal, .. } => Some(refusal.reason),
            _ => None,
        };
        assert_eq!(reason, want, "after {later_s} s");
    }
}

#[test]
fn only_what_did_not_help_is_followed_by_another_try() {
    for (finding, verdict) in [
        (Reconciled::NotApplied, "abandoned"),
        (Reconciled::Superseded, "superseded"),
        (Reconciled::Unknown, "unknown"),
    ] {
        let mut stage = Stage::new(ladder());
        stage.world.fire(firing(stage.world.now_s));
        stage.world.docker(first(), found(container("web")));
        stage.world.step(first(), 0, StepResult::Captured(serde_json::json!({})));
        stage.world.docker(first(), found(container("web")));
        let act = stage.world.permitted().unwrap();
        let outcome = ActionOutcome::Unknown { error: "timeout".into() };
        stage.world.feed(Event::ActionReturned { act, outcome });
        stage.world.feed(Event::ActionObserved { act, finding, post: None, detail: "seen".into() });
        stage.rest();
        assert_eq!(stage.world.verdict(), Some((verdict, None)));
        assert_eq!((stage.count("attempt.ended"), stage.told.len()), (0, 1), "{verdict}");
    }
    // An action that failed is followed, a dry run is not: it could not help.
    let mut stage = Stage::new(ladder());
    stage.world.fire(firing(stage.world.now_s));
    stage.world.docker(first(), found(container("web")));
    stage.world.step(first(), 0, StepResult::Captured(serde_json::json!({})));
    stage.world.docker(first(), found(container("web")));
    let act = stage.world.permitted().unwrap();
    stage.world.feed(Event::ActionReturned { act, outcome: ActionOutcome::Failed { error: "port taken".into() } });
    assert_eq!(stage.phase(), Some(&Phase::BetweenTries));
    let mut rehearsed = Stage::new(Playbook { dry_run: true, ..ladder() });
    rehearsed.world.fire(firing(rehearsed.world.now_s));
    rehearsed.rest();
    assert_eq!(rehearsed.world.verdict(), Some(("unknown", Some(Reason::DryRun))));
}

#[test]
fn every_gate_is_asked_again_for_the_next_try() {
    type Change = fn(&mut Stage);
    let mut held = container("web");
    held.labels.insert("sickbay.protect".into(), "true".into());
    let mut limited = container("web");
    limited.labels.insert("sickbay.actions".into(), "restart".into());
    let mut paused = container("web");
    paused.state = ContainerState::Paused;
    for (report, reason) in [
        (TargetReport::Missing, Reason::TargetMissing),
        (TargetReport::Ambiguous(vec!["a".into(), "b".into()]), Reason::TargetAmbiguous),
        (found(held), Reason::Protected),
        // The first try's action is allowed, the second one's is not.
        (found(limited), Reason::ActionNotAllowed),
        (found(paused), Reason::ContainerPaused),
    ] {
        let mut stage = Stage::between(ladder());
        stage.web = report;
        is_held_back(&mut stage, reason);
    }
    let changes: [(Change, Reason); 4] = [
        (|stage| stage.world.ruleset.policy.max_parallel = 0, Reason::MaxParallel),
        (|stage| stage.world.ruleset.policy.hands_off = Duration::from_secs(86_400 * 3650), Reason::RecentlyDeployed),
        (|stage| stage.world.ruleset.policy.global[0].runs = 1, Reason::GlobalBudget),
        (
            |stage| {
                stage.world.feed(Event::PauseRequested(pause(PauseScope::Target("web".into()))));
            },
            Reason::Paused,
        ),
    ];
    for (change, reason) in changes {
        let mut stage = Stage::between(ladder());
        change(&mut stage);
        is_held_back(&mut stage, reason);
    }
    let mut narrow = ladder();
    narrow.limits.windows[0].runs = 1;
    is_held_back(&mut Stage::between(narrow), Reason::BudgetExhausted);
    let condition = Some(Condition::parse("run.attempt < 2 && run.attempts == 2", ON_CONTAINER).unwrap());
    is_held_back(&mut Stage::between(Playbook { condition, ..ladder() }), Reason::ConditionFalse);
}

fn pause(scope: PauseScope) -> Pause {
    Pause { scope, by: "ada".into(), reason: "looking".into(), length: None }
}

/// The second try is refused, with this reason, and nothing is done.
fn is_held_back(stage: &mut Stage, reason: Reason) {
    stage.later(COOLDOWN_S);
    stage.rest();
    assert_eq!(stage.world.last_refusal(), Some(reason));
    assert_eq!((stage.actions.len(), stage.told.len(), stage.world.verdict()), (1, 0, None), "{reason}");
}

#[test]
fn a_refusal_between_two_tries_is_asked_about_again_by_itself() {
    let mut stage = Stage::between(ladder());
    stage.web = TargetReport::Missing;
    is_held_back(&mut stage, Reason::TargetMissing);
    stage.later(29);
    assert_eq!(stage.world.effects, [], "its time has not come");
    stage.later(31);
    assert!(matches!(&stage.world.effects[..], [Effect::ResolveTarget { .. }]), "{:?}", stage.world.effects);
    let before = stage.world.log.len();
    stage.rest();
    assert_eq!(stage.world.log.len(), before, "the same answer is not written twice");
    stage.web = found(container("web"));
    stage.later(60);
    stage.rest();
    assert_eq!(stage.actions, ["restart", "stop", "start"]);
    // A refusal before the first try waits for the alert to be delivered again, as ever.
    let mut stage = Stage::new(ladder());
    stage.web = TargetReport::Missing;
    stage.world.fire(firing(stage.world.now_s));
    stage.rest();
    stage.later(86_400);
    assert_eq!(stage.world.effects, []);
}

#[test]
fn what_a_pause_holds_back_is_tried_when_the_pause_ends() {
    let mut stage = Stage::between(ladder());
    stage.world.feed(Event::PauseRequested(pause(PauseScope::All)));
    stage.later(COOLDOWN_S);
    stage.rest();
    assert_eq!(stage.world.last_refusal(), Some(Reason::Paused));
    stage.later(600);
    assert_eq!(stage.world.effects, [], "nobody is asked while it is paused");
    let (by, reason) = ("bob".to_owned(), "done".to_owned());
    stage.world.feed(Event::ResumeRequested { scope: PauseScope::All, by, reason });
    stage.rest();
    assert_eq!(stage.actions, ["restart", "stop", "start"]);
}

#[test]
fn a_breaker_that_opens_ends_the_tries_and_people_are_told_at_once() {
    let mut stage = Stage::new(ladder());
    stage.world.ruleset.policy.breaker.failures = 1;
    stage.world.fire(firing(stage.world.now_s));
    stage.rest();
    assert_eq!(stage.told, ["restart: web (after 1 of 2 tries)"]);
    assert_eq!(stage.world.verdict(), Some(("ineffective", Some(Reason::BreakerOpen))));
    assert_eq!(stage.detail().as_deref(), Some("try 1 of 2: verify: still sick; no further try: breaker_open"));
    assert_eq!((stage.count("attempt.ended"), stage.count("breaker.opened"), stage.actions.len()), (1, 1, 1));
    // One try in vain counts once, although its incident closed later.
    let breaker = stage.world.ruleset.policy.breaker;
    let standing =
        |now: &crate::model::moment::Moment| stage.world.state.history().standing("web", &breaker, Duration::ZERO, now);
    assert_eq!(standing(&stage.world.state.timeline().moment(&stage.world.now())).failures, 1);

    // Another incident opens it meanwhile: the gate says so when the next try is asked for.
    let mut stage = Stage::between(ladder());
    stage.world.ruleset.policy.breaker.failures = 1;
    stage.later(COOLDOWN_S);
    stage.rest();
    assert_eq!(stage.told.len(), 1);
    assert_eq!(stage.world.verdict(), Some(("ineffective", Some(Reason::BreakerOpen))));
    assert_eq!(stage.actions.len(), 1);
}

#[test]
fn an_alert_that_ends_between_two_tries_ends_the_incident_with_the_last_verdict() {
    type Change = fn(&mut Stage);
    let changes: [(&str, Change, Option<Reason>); 3] = [
        ("during the cooldown", |_| {}, None),
        (
            "while the next try is refused",
            |stage| {
                stage.web = TargetReport::Missing;
                is_held_back(stage, Reason::TargetMissing);
            },
            Some(Reason::TargetMissing),
        ),
        ("while the next try is asked for", |stage| stage.later(COOLDOWN_S), None),
    ];
    for (name, change, reason) in changes {
        let mut stage = Stage::between(ladder());
        let alert = firing(100_000);
        change(&mut stage);
        let asked = std::mem::take(&mut stage.world.effects);
        let over = resolved(&alert, stage.world.now_s);
        stage.world.fire(over);
        stage.world.effects.extend(asked);
        stage.rest();
        stage.later(COOLDOWN_S * 3);
        stage.rest();
        assert_eq!(stage.world.verdict(), Some(("ineffective", reason)), "{name}");
        assert!(stage.detail().unwrap().ends_with("the alert ended before try 2, so nothing more was done"), "{name}");
        assert_eq!((stage.actions.len(), stage.told.len()), (1, 0), "{name}");
        assert_eq!(stage.world.replayed(stage.world.log.len()), stage.world.state, "{name}");
    }
}

#[test]
fn an_alert_that_ends_during_a_try_is_followed_by_none() {
    let mut stage = Stage::new(ladder());
    let alert = firing(stage.world.now_s);
    stage.world.fire(alert.clone());
    stage.world.docker(first(), found(container("web")));
    stage.world.step(first(), 0, StepResult::Captured(serde_json::json!({})));
    stage.world.docker(first(), found(container("web")));
    let act = stage.world.permitted().unwrap();
    stage.world.feed(Event::ActionReturned { act, outcome: ActionOutcome::Succeeded { post: None } });
    let watched = std::mem::take(&mut stage.world.effects);
    let over = resolved(&alert, stage.world.now_s);
    stage.world.fire(over);
    stage.world.effects = watched;
    stage.rest();
    assert_eq!(stage.world.verdict(), Some(("ineffective", None)));
    assert_eq!(stage.count("attempt.ended"), 1);
}

#[test]
fn a_try_that_is_held_back_for_too_long_is_given_up_and_people_are_told() {
    let mut stage = Stage::between(ladder());
    stage.web = TargetReport::Missing;
    is_held_back(&mut stage, Reason::TargetMissing);
    for _ in 0..60 {
        stage.later(60);
        stage.rest();
    }
    assert_eq!(stage.world.verdict(), None, "an hour has not passed since it could have been made");
    stage.later(60);
    stage.rest();
    assert_eq!(stage.world.verdict(), Some(("ineffective", Some(Reason::StaleAlert))));
    assert_eq!(stage.told, ["restart: web (after 1 of 2 tries)"]);
    assert_eq!(stage.actions.len(), 1);
}

#[test]
fn a_late_answer_about_the_target_begins_no_try_before_the_cooldown_is_over() {
    let mut stage = Stage::between(ladder());
    let before = stage.world.log.len();
    stage.world.docker(first(), found(container("web")));
    assert_eq!((stage.world.log.len(), stage.phase()), (before, Some(&Phase::BetweenTries)));
    let again = firing(100_000);
    stage.world.fire(again);
    assert_eq!(stage.world.effects, [], "nor does the alert's repetition");
}

#[test]
fn a_playbook_that_changed_between_two_tries_is_followed_no_more() {
    let mut stage = Stage::between(ladder());
    let changed = Playbook { revision: "r2".into(), ..ladder() };
    stage.world.ruleset.playbooks = crate::playbook::index::Playbooks::new(vec![changed]);
    let started = Event::Started { recovered: None, version: "0".into(), hostname: "h".into(), files: Vec::new() };
    stage.world.feed(started);
    stage.rest();
    assert_eq!(stage.world.verdict(), Some(("abandoned", Some(Reason::PlaybookChanged))));
}

#[test]
fn a_reload_between_two_tries_changes_nothing_about_the_next() {
    for playbooks in [vec![Playbook { revision: "r2".into(), ..restarting() }], Vec::new()] {
        let mut stage = Stage::between(ladder());
        let playbooks = crate::playbook::index::Playbooks::new(playbooks);
        let new = NewConfig { playbooks, policy: stage.world.ruleset.policy.clone(), files: Vec::new(), by: None };
        stage.world.feed(Event::Reloaded(Box::new(new)));
        stage.rest();
        assert_eq!(stage.world.verdict(), None);
        stage.later(COOLDOWN_S);
        stage.rest();
        assert_eq!((stage.count("action.intent"), stage.world.verdict()), (3, Some(("ineffective", None))));
        stage.world.feed(Event::Ticked);
        stage.world.ruleset.forget_unused(&stage.world.state);
        assert_eq!(stage.world.ruleset.kept(), 0, "nobody goes by it any more");
    }
}

#[test]
fn a_crash_at_any_record_changes_nothing_about_the_tries() {
    let mut whole = Stage::between(ladder());
    whole.later(COOLDOWN_S);
    whole.rest();
    assert_eq!(whole.count("incident.closed"), 1);
    for count in 1..=whole.world.log.len() {
        let mut after = Stage::new(ladder());
        after.world.log = whole.world.log[..count].to_vec();
        after.world.state = whole.world.replayed(count);
        after.world.now_s = whole.world.now_s;
        let started = Event::Started { recovered: None, version: "0".into(), hostname: "h".into(), files: Vec::new() };
        after.world.feed(started);
        for _ in 0..10 {
            after.rest();
            after.later(COOLDOWN_S);
        }
        after.rest();
        let intents: Vec<(IncidentId, &str)> = after
            .world
            .log
            .iter()
            .filter_map(|record| match &record.fact {
                Fact::ActionIntended(intended) => Some((intended.act.incident, Action::word(&intended.action))),
                _ => None,
            })
            .collect();
        let want = ["restart", "stop", "start"].map(|word| (first(), word));
        assert_eq!(intents, want, "after {count} records");
        assert_eq!(after.world.verdict(), Some(("ineffective", None)), "after {count} records");
        assert_eq!(after.count("attempt.ended"), 1, "after {count} records");
        assert_eq!(after.world.replayed(after.world.log.len()), after.world.state, "after {count} records");
    }
}

#[test]
fn what_the_steps_of_an_earlier_try_left_is_there_on_failure() {
    let mut playbook = ladder();
    playbook.attempts.first.steps[0].id = Some("evidence".into());
    let title = Some(template("{{ steps.evidence.detail }}"));
    let message = template("-");
    let told = NotifySpec { to: vec!["log".into()], severity: "info".into(), title, message };
    playbook.on_failure = vec![Verb::Notify(told).into()];
    let mut stage = Stage::between(playbook);
    stage.later(COOLDOWN_S);
    stage.rest();
    assert_eq!(stage.told, ["captured"]);
}
