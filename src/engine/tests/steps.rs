//! What goes with any step, and the verbs that touch no container: `if`, `timeout`, `continue_on_error`, `http`,
//! `pause_playbook`.

use super::stage::Stage;
use super::world::*;
use crate::engine::effect::Effect;
use crate::engine::event::Event;
use crate::engine::incident::Stage as At;
use crate::model::action::ActionOutcome;
use crate::model::container::{ContainerState, TargetReport};
use crate::model::fact::{Fact, StepResult};
use crate::model::limit::Window;
use crate::model::pause::{Pause, PauseScope};
use crate::model::reason::Reason;
use crate::model::request::RequestOutcome;
use crate::model::step::StepMark;
use crate::model::testimony::{Heard, Says, Testimony};
use crate::playbook::definition::Playbook;
use crate::playbook::{RuleFile, load};
use std::time::Duration;

/// A playbook for `Down` with these steps, written as an author would.
pub(super) fn playbook(rest: &str) -> Playbook {
    let text = format!(
        "version: 1\nplaybooks:\n  - name: p\n    matchers:\n      - alertname = \"Down\"\n    \
         limits: {{runs: 100, per: 1h, cooldown: 0s}}\n{rest}"
    );
    let loaded = load(&[RuleFile { path: "t.yaml".to_owned(), text }]);
    assert!(!loaded.has_errors(), "{:?}", loaded.problems);
    let playbook = loaded.playbooks.into_iter().next().unwrap();
    assert_eq!(playbook.not_executed, Vec::<&str>::new());
    playbook
}

/// On container `web`, without evidence and verification unless they are written.
fn on_web(steps: &str) -> Playbook {
    playbook(&format!("    target: {{container: web}}\n    steps:\n{steps}"))
}

pub(super) const NONE: &str = "      - capture: none\n      - verify: none\n";

pub(super) fn well(_: u32) -> StepResult {
    StepResult::Verified("web: healthy".into())
}

/// The alert fires, and everything goes as the stage says.
fn played(playbook: Playbook, set: impl Fn(&mut Stage)) -> Stage {
    let mut stage = Stage::new(playbook);
    stage.verify = well;
    set(&mut stage);
    stage.world.fire(firing(stage.world.now_s));
    stage.rest();
    stage
}

fn exited() -> TargetReport {
    let mut web = container("web");
    web.state = ContainerState::Exited;
    web.restart_policy = crate::model::container::RestartPolicy::Always;
    web.exit_code = 1;
    let mut view = view(web);
    view.stop_cause = crate::model::container::StopCause::Died;
    TargetReport::Found(Box::new(view))
}

/// How each step ended, by the records.
pub(super) fn results(stage: &Stage) -> Vec<String> {
    let told = |fact: &Fact| match fact {
        Fact::StepFinished(finished) => {
            let word = format!("{:?}", finished.result);
            let word = word.split(['(', '{']).next().unwrap_or_default().trim().to_owned();
            Some(format!("{} {word}", finished.step.verb))
        }
        Fact::StepMarked(marked) => Some(format!("{} {}", marked.step.verb, marked.mark)),
        Fact::ActionIntended(intended) => Some(format!("act {}", intended.action.word())),
        Fact::RequestIntended(intended) => Some(format!("{} {}", intended.method, intended.url)),
        _ => None,
    };
    stage.world.log.iter().filter_map(|record| told(&record.fact)).collect()
}

fn details(stage: &Stage) -> Vec<String> {
    let told = |fact: &Fact| match fact {
        Fact::StepFinished(finished) => match &finished.result {
            StepResult::ConditionFalse(words) | StepResult::Failed(words) | StepResult::Paused(words) => {
                Some(words.clone())
            }
            _ => None,
        },
        _ => None,
    };
    stage.world.log.iter().filter_map(|record| told(&record.fact)).collect()
}

#[test]
fn a_step_whose_if_is_false_is_left_out_with_what_it_saw_and_no_answer_fails_it() {
    for (condition, want, seen) in [
        ("labels.container == \"web\"", vec!["notify allowed", "notify Notified"], None),
        (
            "labels.container == \"db\"",
            vec!["notify ConditionFalse"],
            Some("its `if` is false: labels.container is web"),
        ),
        ("int(labels.depth) > 3", vec!["notify Failed"], Some("its `if` has no answer: `labels.depth` is absent")),
    ] {
        let text = format!("      - if: '{condition}'\n        notify: {{to: [log], message: hi}}\n");
        let stage = played(playbook(&format!("    steps:\n{text}")), |_| {});
        assert_eq!(results(&stage), want, "{condition}");
        let detail = details(&stage).pop();
        assert!(detail.as_deref().unwrap_or_default().starts_with(seen.unwrap_or_default()), "{detail:?}");
        assert_eq!(stage.told.len(), usize::from(want.len() == 2), "{condition}");
    }
}

#[test]
fn an_act_is_asked_about_right_before_it_and_an_act_that_is_left_out_is_none() {
    let steps = format!(
        "{NONE}      - id: r\n        if: target.state != \"running\"\n        restart: {{start_if_stopped: true}}\n      - notify: {{to: [log], title: \"{{{{ steps.r.outcome }}}}\", message: x}}\n"
    );
    let stage = played(on_web(&steps), |_| {});
    assert_eq!(results(&stage), ["restart ConditionFalse", "notify Notified"]);
    assert_eq!((stage.actions.len(), stage.told.as_slice()), (0, &["skipped".to_owned()][..]));
    // Nothing was done, so nothing is charged, and nobody claims that it helped.
    assert_eq!(stage.world.state.ledger().iter().count(), 0);
    assert_eq!(stage.world.verdict(), Some(("unknown", Some(Reason::NotVerified))));
    let stage = played(on_web(&steps), |stage| stage.web = exited());
    assert_eq!(results(&stage), ["restart allowed", "act restart", "notify Notified"]);
    assert_eq!((stage.actions.len(), stage.told.as_slice()), (1, &["success".to_owned()][..]));
}

#[test]
fn a_step_that_may_be_left_out_refuses_nothing_before_its_turn() {
    let steps = "      - wait: 1s\n      - if: target.state == \"running\"\n        restart: {}\n      - if: target.state != \"running\"\n        start: {}\n";
    for (web, act) in [(found(container("web")), "act restart"), (exited(), "act start")] {
        let stage = played(on_web(&format!("{NONE}{steps}")), |stage| stage.web = web.clone());
        assert!(results(&stage).contains(&act.to_owned()), "{:?}", results(&stage));
        assert_eq!(stage.actions.len(), 1);
    }
    // What is to be done in any case is asked about from the beginning.
    let mut stage = Stage::new(on_web(&format!("{NONE}      - wait: 1s\n      - restart: {{}}\n")));
    stage.web = exited();
    stage.world.fire(firing(stage.world.now_s));
    stage.rest();
    assert_eq!(stage.world.last_refusal(), Some(Reason::ContainerStopped));
}

#[test]
fn an_if_is_not_even_asked_while_the_run_is_paused() {
    let steps = format!("{NONE}      - wait: 1s\n      - if: target.state != \"running\"\n        restart: {{}}\n");
    let mut stage = Stage::new(on_web(&steps));
    stage.world.fire(firing(stage.world.now_s));
    stage.world.docker(first(), found(container("web")));
    let pause = Pause { scope: PauseScope::All, by: "ada".into(), reason: "why".into(), length: None };
    stage.world.feed(Event::PauseRequested(pause));
    stage.world.step(first(), 0, StepResult::Waited);
    stage.rest();
    assert_eq!(stage.world.last_refusal(), Some(Reason::Paused));
    assert_eq!(results(&stage), ["wait Waited"]);
}

#[test]
fn another_step_that_looks_at_the_target_looks_anew() {
    let steps = "      - if: target.state == \"running\"\n        notify: {to: [log], message: hi}\n";
    let playbook = || on_web(&format!("      - verify: {{}}\n{steps}"));
    assert_eq!(results(&played(playbook(), |_| {})), ["verify Verified", "notify allowed", "notify Notified"]);
    // What Docker does not show has no answer.
    let mut stage = Stage::new(playbook());
    stage.verify = well;
    stage.world.fire(firing(stage.world.now_s));
    stage.world.docker(first(), found(container("web")));
    stage.world.step(first(), 0, StepResult::Verified("well".into()));
    assert!(matches!(stage.world.effects[..], [Effect::AskStep { target: Some(_), alert: None, index: 1, .. }]));
    let report = Some(TargetReport::Missing);
    stage.world.feed(Event::StepAsked { incident: first(), index: 1, report, heard: Heard::NotPut });
    assert_eq!(details(&stage), ["its `if` has no answer: the container of the plan is gone"]);
    // An answer to another question changes nothing.
    let before = stage.world.log.len();
    let report = Some(found(container("web")));
    stage.world.feed(Event::StepAsked { incident: first(), index: 1, report, heard: Heard::NotPut });
    assert_eq!(stage.world.log.len(), before);
}

const TOLERANT: &str = "    target: {container: web}\n    steps:\n      - capture: none\n      - verify: none\n      - id: r\n        continue_on_error: true\n        restart: {}\n      - notify: {to: [log], title: \"{{ steps.r.outcome }}\", message: x}\n";

#[test]
fn a_failure_that_is_let_pass_counts_in_the_end_unless_a_later_look_sees_recovery() {
    let with = |more: &str| {
        playbook(
            &TOLERANT.replace("      - verify: none\n", "").replace("      - notify", &format!("{more}      - notify")),
        )
    };
    let failing = |mut stage: Stage| {
        stage.world.fire(firing(stage.world.now_s));
        loop {
            let restart = stage.world.effects.iter().any(|effect| matches!(effect, Effect::RunAction(_)));
            if restart {
                let act = stage.world.permitted().unwrap();
                let outcome = ActionOutcome::Failed { error: "no such image".into() };
                stage.world.feed(Event::ActionReturned { act, outcome });
            } else if stage.world.effects.is_empty() {
                return stage;
            }
            stage.rest_but_acts();
        }
    };
    let stage = failing(Stage::new(playbook(&format!(
        "{TOLERANT}    on_failure:\n      - notify: {{to: [log], title: page, message: x}}\n"
    ))));
    assert_eq!(
        results(&stage),
        ["act restart", "restart tolerated", "notify Notified", "restart counted", "notify Notified"]
    );
    assert_eq!(
        (stage.told.as_slice(), stage.world.verdict()),
        (&["failure".to_owned(), "page".to_owned()][..], Some(("failed", None)))
    );
    let mut stage = Stage::new(with("      - verify: {}\n"));
    stage.verify = well;
    let stage = failing(stage);
    assert_eq!(stage.world.verdict(), Some(("recovered", None)), "{:?}", results(&stage));
}

#[test]
fn what_nobody_understands_is_never_let_pass() {
    let mut stage = Stage::new(playbook(TOLERANT));
    stage.world.fire(firing(stage.world.now_s));
    stage.world.docker(first(), found(container("web")));
    stage.world.docker(first(), found(container("web")));
    let act = stage.world.permitted().unwrap();
    stage.world.feed(Event::ActionReturned { act, outcome: ActionOutcome::Unknown { error: "cut".into() } });
    let finding = crate::model::action::Reconciled::Unknown;
    stage.world.feed(Event::ActionObserved { act, finding, post: None, detail: "nobody knows".into() });
    assert_eq!(results(&stage), ["act restart"]);
    assert_eq!(stage.world.verdict(), Some(("unknown", None)));
}

#[test]
fn a_timeout_never_shortens_the_wait_for_docker_and_fails_what_comes_back_late() {
    for (took_s, want) in [(8, "recovered"), (9, "failed")] {
        let steps = "      - timeout: 8s\n        restart: {}\n";
        let mut stage = Stage::new(on_web(&format!("      - capture: none\n{steps}")));
        stage.verify = well;
        stage.world.fire(firing(stage.world.now_s));
        stage.world.docker(first(), found(container("web")));
        // Whatever a pause costs before the act is not the step's time.
        stage.world.now_s += 100;
        stage.world.docker(first(), found(container("web")));
        let [Effect::RunAction(permit)] = &stage.world.effects[..] else { panic!("{:?}", stage.world.effects) };
        let deadline = permit.clone().redeem().deadline;
        assert_eq!(deadline, Duration::from_secs(40), "the deadline is Docker's, not the step's");
        let act = stage.world.permitted().unwrap();
        stage.world.now_s += took_s;
        stage.world.feed(Event::ActionReturned { act, outcome: ActionOutcome::Succeeded { post: None } });
        stage.rest();
        assert_eq!(stage.world.verdict().map(|(verdict, _)| verdict), Some(want), "{took_s}");
    }
}

#[test]
fn a_timeout_is_not_renewed_by_a_restart_of_the_daemon() {
    let steps = "      - timeout: 30s\n        notify: {to: [log, chat], message: hi}\n";
    let mut stage = Stage::new(playbook(&format!("    steps:\n{steps}")));
    stage.world.fire(firing(stage.world.now_s));
    stage.world.feed(Event::TargetSkipped { incident: first() });
    stage.world.now_s += 20;
    stage.world.feed(Event::Started { recovered: None, version: "v".into(), hostname: "h".into(), files: Vec::new() });
    let [Effect::SendNotice { notice, repeat: true, asks: None, within: Some(within) }] = &stage.world.effects[..]
    else {
        panic!("{:?}", stage.world.effects)
    };
    assert_eq!(within.left, Duration::from_secs(10));
    let act = notice.act;
    stage.world.now_s += 10;
    stage.world.feed(Event::NoticeReturned { act, outcome: crate::model::notice::NoticeOutcome::Delivered });
    assert_eq!((details(&stage), stage.world.effects.len()), (vec!["timed out after 30s".to_owned()], 0));
}

const CALL: &str = "      - id: call\n        http:\n          url: \"http://hooks/x?c={{ labels.container }}&token=secret1\"\n          body: \"{{ labels|tojson }}\"\n      - notify: {to: [log], title: \"{{ steps.call.detail }}\", message: x}\n";

#[test]
fn a_request_is_intended_before_it_is_sent_without_secrets_and_its_answer_is_the_steps() {
    let stage = played(playbook(&format!("    steps:\n{CALL}")), |_| {});
    assert_eq!(stage.world.kinds(0)[2..5], ["http.intent", "http.outcome", "notify.intent"]);
    assert_eq!(stage.sent[0].url, "http://hooks/x?c=web&token=secret1");
    assert_eq!(stage.sent[0].body.as_deref(), Some("{\"alertname\": \"Down\", \"container\": \"web\"}"));
    let recorded = format!("{:?}", stage.world.log);
    assert!(recorded.contains("hooks/x?c=web&token=[redacted]") && !recorded.contains("secret1"), "{recorded}");
    assert_eq!(stage.told, ["200: ok"]);
    for (answer, want) in [
        (RequestOutcome::Answered { status: 500, expected: false, detail: "oops".into() }, "failed"),
        (RequestOutcome::Failed { error: "refused".into() }, "failed"),
        (RequestOutcome::Unknown { error: "timed out".into() }, "unknown"),
    ] {
        let mut stage = Stage::new(playbook(&format!("    steps:\n{CALL}")));
        stage.world.fire(firing(stage.world.now_s));
        stage.rest_but_acts();
        let act = sent(&mut stage);
        stage.world.feed(Event::RequestReturned { act, outcome: answer });
        assert_eq!(stage.world.verdict().map(|(verdict, _)| verdict), Some(want));
    }
}

/// The request that is on its way.
fn sent(stage: &mut Stage) -> crate::model::id::ActId {
    let [Effect::SendRequest(permit)] = &stage.world.effects[..] else { panic!("{:?}", stage.world.effects) };
    let act = permit.act();
    stage.world.effects.clear();
    act
}

#[test]
fn a_request_without_an_answer_is_never_sent_again() {
    for (method, want) in [("POST", "unknown"), ("GET", "failed")] {
        let steps = CALL.replace("          body", &format!("          method: {method}\n          body"));
        let mut stage = Stage::new(playbook(&format!("    steps:\n{steps}")));
        stage.world.fire(firing(stage.world.now_s));
        stage.rest_but_acts();
        sent(&mut stage);
        let at = |stage: &Stage| stage.world.state.incident(first()).and_then(|i| i.run()).map(|run| run.stage.clone());
        assert!(matches!(at(&stage), Some(At::Requesting(..))));
        let files = Vec::new();
        stage.world.feed(Event::Started { recovered: None, version: "v".into(), hostname: "h".into(), files });
        assert!(stage.world.effects.is_empty(), "{:?}", stage.world.effects);
        assert_eq!(stage.world.verdict().map(|(verdict, _)| verdict), Some(want), "{method}");
    }
}

#[test]
fn a_request_is_held_back_like_an_act() {
    let mut stage = Stage::new(playbook(&format!("    steps:\n{CALL}")));
    stage.world.fire(firing(stage.world.now_s));
    stage.world.feed(Event::TargetSkipped { incident: first() });
    let [Effect::AskStep { alert: Some(_), target: None, .. }] = &stage.world.effects[..] else {
        panic!("{:?}", stage.world.effects)
    };
    let mut paused = Stage::new(playbook(&format!("    steps:\n{CALL}")));
    paused.world.state = stage.world.state.clone();
    let heard = Heard::Said(Testimony { says: Says::NotFiring, detail: "am does not list it".into() });
    stage.world.feed(Event::StepAsked { incident: first(), index: 0, report: None, heard });
    assert_eq!(stage.world.verdict(), Some(("cancelled", Some(Reason::ResolvedFirst))));
    assert_eq!(stage.count("http.intent"), 0);
    // A pause holds it until somebody resumes.
    let scope = PauseScope::Playbook("p".into());
    let pause = Pause { scope: scope.clone(), by: "ada".into(), reason: "why".into(), length: None };
    paused.world.feed(Event::PauseRequested(pause));
    paused.world.feed(Event::StepAsked { incident: first(), index: 0, report: None, heard: Heard::Nobody });
    assert_eq!((paused.world.last_refusal(), paused.sent.len()), (Some(Reason::Paused), 0));
    paused.world.feed(Event::ResumeRequested { scope, by: "ada".into(), reason: "done".into() });
    paused.rest();
    assert_eq!(paused.sent.len(), 1);
}

#[test]
fn a_run_that_has_called_somebody_does_not_begin_anew() {
    let steps = format!("{NONE}{CALL}      - restart: {{}}\n");
    let mut stage = Stage::new(on_web(&steps));
    stage.world.fire(firing(stage.world.now_s));
    stage.world.docker(first(), found(container("web")));
    stage.world.feed(Event::StepAsked { incident: first(), index: 0, report: None, heard: Heard::Nobody });
    let act = sent(&mut stage);
    // The run is charged with its first request, and what comes after it cannot put it back.
    assert_eq!(stage.world.state.ledger().iter().count(), 1);
    let pause = Pause { scope: PauseScope::All, by: "ada".into(), reason: "why".into(), length: None };
    stage.world.feed(Event::PauseRequested(pause));
    let outcome = RequestOutcome::Answered { status: 200, expected: true, detail: "ok".into() };
    stage.world.feed(Event::RequestReturned { act, outcome });
    stage.rest();
    let run = stage.world.state.incident(first()).and_then(|incident| incident.run()).expect("it waits");
    assert!(run.held.is_some() && stage.actions.is_empty());
}

#[test]
fn a_dry_run_sends_nothing_and_pauses_nothing() {
    let steps = format!("    dry_run: true\n    steps:\n{CALL}      - pause_playbook: {{for: 1h}}\n");
    let stage = played(playbook(&steps), |_| {});
    assert_eq!((stage.sent.len(), stage.count("http.intent"), stage.count("pause.set")), (0, 1, 0));
    assert!(results(&stage).contains(&"pause_playbook Skipped".to_owned()));
}

#[test]
fn a_playbook_that_pauses_itself_lets_its_own_run_go_on_and_nothing_else() {
    let steps = format!(
        "{NONE}      - pause_playbook: {{for: 1h, reason: \"{{{{ labels.container }}}} again\"}}\n      - restart: {{}}\n"
    );
    let mut stage = played(on_web(&steps), |_| {});
    assert_eq!(results(&stage), ["pause_playbook Paused", "act restart"]);
    let standing = stage.world.snapshot().pauses;
    assert_eq!(standing.len(), 1);
    assert_eq!(standing[0].pause.by, format!("playbook p ({})", first()));
    assert_eq!(
        (standing[0].pause.reason.as_str(), standing[0].pause.length),
        ("web again", Some(Duration::from_secs(3600)))
    );
    // The next alert finds it paused.
    let mut other = firing(stage.world.now_s);
    other.labels = [("alertname", "Down"), ("container", "web"), ("n", "2")].into_iter().collect();
    other.fingerprint = other.labels.fingerprint();
    stage.world.fire(other);
    stage.rest();
    assert_eq!((stage.world.last_refusal(), stage.actions.len()), (Some(Reason::Paused), 1));
}

#[test]
fn a_playbook_never_frees_itself_of_somebody_elses_pause() {
    let steps = format!("{NONE}      - pause_playbook: {{for: 1h}}\n      - restart: {{}}\n");
    let mut stage = Stage::new(on_web(&steps));
    stage.world.fire(firing(stage.world.now_s));
    let scope = PauseScope::Playbook("p".into());
    stage.world.docker(first(), found(container("web")));
    assert_eq!(stage.count("pause.set"), 1, "its own");
    let mut held = Stage::new(on_web(&format!("      - wait: 1s\n{steps}")));
    held.world.fire(firing(held.world.now_s));
    held.world.docker(first(), found(container("web")));
    let pause = Pause { scope, by: "ada".into(), reason: "mine".into(), length: Some(Duration::from_secs(60)) };
    held.world.feed(Event::PauseRequested(pause));
    held.world.step(first(), 0, StepResult::Waited);
    held.rest();
    assert_eq!((held.count("pause.set"), held.actions.len()), (1, 0), "{:?}", details(&held));
    assert!(details(&held)[0].contains("was paused by ada already"), "{:?}", details(&held));
    assert_eq!(held.world.last_refusal(), Some(Reason::Paused));
}

#[test]
fn limits_count_by_the_labels_of_their_key() {
    let keyed = || {
        let mut keyed = playbook("    steps:\n      - notify: {to: [log], message: hi}\n");
        keyed.limits.windows = vec![Window { runs: 1, per: Duration::from_secs(3600) }];
        keyed.limits.key = vec!["instance".into(), "mountpoint".into()];
        keyed
    };
    let alert = |pairs: &[(&str, &str)], now_s: u64| {
        let mut alert = firing(now_s);
        alert.labels = pairs.iter().copied().chain([("alertname", "Down")]).collect();
        alert.fingerprint = alert.labels.fingerprint();
        alert
    };
    let mut stage = Stage::new(keyed());
    for (name, pairs, want) in [
        ("the first", &[("instance", "a"), ("mountpoint", "/"), ("n", "1")][..], None),
        ("another mountpoint", &[("instance", "a"), ("mountpoint", "/srv")], None),
        ("the same again", &[("instance", "a"), ("mountpoint", "/"), ("n", "2")], Some(Reason::BudgetExhausted)),
        ("a label is absent", &[("instance", "a")], Some(Reason::LimitKeyMissing)),
        ("a label is empty", &[("instance", "a"), ("mountpoint", ""), ("n", "3")], Some(Reason::LimitKeyMissing)),
    ] {
        let before = stage.world.log.len();
        stage.world.fire(alert(pairs, stage.world.now_s));
        stage.rest();
        let refused = stage.world.log[before..].iter().any(|record| match &record.fact {
            Fact::Decided(decided) => matches!(decided.answer, crate::model::fact::Answer::Refused(_)),
            _ => false,
        });
        assert_eq!(refused, want.is_some(), "{name}");
        assert_eq!(stage.world.last_refusal().filter(|_| refused), want, "{name}");
    }
    // What was counted is the same after a restart.
    assert_eq!(stage.world.replayed(stage.world.log.len()), stage.world.state);
}

#[test]
fn every_crash_in_such_a_run_is_carried_on_from() {
    let steps = format!(
        "{NONE}      - id: r\n        if: target.state == \"running\"\n        continue_on_error: true\n        timeout: 1m\n        restart: {{}}\n{CALL}      - pause_playbook: {{for: 1m}}\n"
    );
    let whole = played(on_web(&steps), |_| {});
    for count in 1..whole.world.log.len() {
        let mut stage = Stage::new(on_web(&steps));
        stage.verify = well;
        stage.world.now_s = whole.world.now_s;
        stage.world.state = whole.world.replayed(count);
        stage.world.log = whole.world.log[..count].to_vec();
        let files = Vec::new();
        stage.world.feed(Event::Started { recovered: None, version: "v".into(), hostname: "h".into(), files });
        stage.rest();
        assert!(stage.world.verdict().is_some(), "after {count} records: {:?}", stage.world.kinds(0));
        assert!(stage.count("http.intent") <= 1 && stage.count("action.intent") <= 1, "after {count} records");
    }
    let marks: Vec<_> = StepMark::ALL.iter().map(|mark| mark.as_str()).collect();
    assert_eq!(marks, ["allowed", "tolerated", "counted"]);
}
