//! What people agree to is bound whole: every argument, and each request as it would be sent. Whatever becomes another one
//! is asked about anew, or refused.

use super::approvals::{asked, ends, questions};
use super::stage::Stage;
use super::steps::playbook;
use super::world::*;
use crate::engine::approval::{About, Terms};
use crate::engine::effect::Effect;
use crate::model::approval::ApprovalOutcome;
use crate::model::fact::{Fact, StepResult};
use crate::model::id::{IncidentId, Seq};
use crate::model::incident::AttemptNumber;
use crate::model::policy::Policy;
use crate::model::reason::Reason;

const GATED: &str = "    target: {container: web}\n    approval: {from: [alice], timeout: 10m}\n    steps:\n";

/// The terms of a playbook, for an alert about `web`.
fn terms_of(text: &str, (incident, policy): (u64, &Policy)) -> String {
    let playbook = playbook(text);
    let mut world = World::new(vec![playbook.clone()]);
    world.fire(firing(world.now_s));
    let found = world.state.incident(first()).unwrap().clone();
    let incident = crate::engine::incident::Incident { id: IncidentId(Seq(incident)), ..found };
    let about = About { target: None, attempt: AttemptNumber::ONLY, dry_run: false };
    let steps = playbook.attempts.steps(1).to_vec();
    let now = world.state.timeline().moment(&world.now());
    Terms { incident: &incident, playbook: &playbook, policy }.of(about, &steps, &now)
}

#[test]
fn every_argument_of_every_step_belongs_to_the_terms() {
    let http = |rest: &str| {
        format!(
            "    steps:\n      - http: {{url: \"http://lb.example/{{{{ labels.container }}}}\", method: POST{rest}}}\n"
        )
    };
    let scale = |rest: &str| format!("    target: {{service: web}}\n    steps:\n      - scale: {{by: 1{rest}}}\n");
    let web = |steps: &str| format!("    target: {{container: web}}\n    steps:\n      - capture: none\n{steps}");
    let restart = |rest: &str| web(&format!("      - restart: {{{rest}}}\n      - verify: none\n"));
    let of = |text: &str| terms_of(text, (0, &Policy::default()));
    for (one, other) in [
        (restart("stop_timeout: 10s"), restart("stop_timeout: 20s")),
        (restart(""), restart("start_if_stopped: true")),
        (restart(""), restart("").replace("restart: {}", "stop: {}")),
        (restart(""), restart("").replace("- restart", "- continue_on_error: true\n        restart")),
        (restart(""), restart("").replace("- restart", "- if: labels.container == \"web\"\n        restart")),
        (restart(""), restart("") + "    on_failure:\n      - notify: {to: [log], message: it failed}\n"),
        (restart(""), restart("") + "    on_resolved:\n      - start: {}\n      - verify: none\n"),
        (scale(", max: 3"), scale(", max: 4")),
        (scale(", max: 3"), scale(", min: 2, max: 3")),
        (http(""), http(", body: x")),
        (http(", body: x"), http(", body: y")),
        (http(", body: \"{{ labels.container }}\""), http(", body: \"{{ labels.alertname }}\"")),
        (http(", headers: {a: b}"), http(", headers: {a: c}")),
        (http(""), http(", expect: [204]")),
        (http(""), http("").replace("POST", "PUT")),
        (http(""), http("").replace("lb.example", "lb2.example")),
    ] {
        assert_eq!(of(&one), of(&one), "{one}");
        assert_ne!(of(&one), of(&other), "{one}{other}");
    }
}

#[test]
fn the_terms_do_not_name_the_incident_and_do_name_what_a_request_takes_from_the_settings() {
    let text =
        "    steps:\n      - http: {url: http://lb.example/, method: POST, body: \"{{ run.id }} {{ run.url }}\"}\n";
    let (here, there) = (Policy::default(), Policy { url: "http://other/".to_owned(), ..Policy::default() });
    assert_eq!(terms_of(text, (1, &here)), terms_of(text, (2, &here)));
    assert_ne!(terms_of(text, (1, &here)), terms_of(text, (1, &there)));
    let untouched = text.replace("{{ run.url }}", "");
    assert_eq!(terms_of(&untouched, (1, &here)), terms_of(&untouched, (1, &there)));
}

/// From now on, what is sent would name another address of sickbay.
fn move_sickbay(stage: &mut Stage) {
    stage.world.ruleset.policy.url = "http://elsewhere.example/".to_owned();
}

const CALL: &str = "http: {url: http://lb.example/, method: POST, body: \"see {{ run.url }}\"}";

#[test]
fn a_request_that_would_be_another_one_after_the_question_is_asked_about_anew() {
    for around in ["", "      - restart: {}\n      - verify: none\n"] {
        let text = format!("{GATED}      - capture: none\n      - {CALL}\n{around}");
        let text = if around.is_empty() { text.replace("      - capture: none\n", "") } else { text };
        let mut stage = asked(playbook(&text));
        move_sickbay(&mut stage);
        stage.yes("alice");
        stage.rest();
        assert_eq!(ends(&stage.world.log).last().unwrap().outcome, ApprovalOutcome::Superseded, "{text}");
        assert_eq!((questions(&stage.world.log).len(), stage.sent.len(), stage.actions.len()), (2, 0, 0), "{text}");
        stage.yes("alice");
        stage.rest();
        assert!(stage.sent[0].body.as_ref().unwrap().contains("elsewhere.example"), "{text}");
        assert_eq!(stage.world.replayed(stage.world.log.len()), stage.world.state);
    }
}

/// Alice agrees, and it goes on to its end; if `moved`, sickbay has another URL from the first wait on.
fn agreed_to(text: &str, moved: bool) -> Stage {
    agreed_until(text, |stage| {
        if moved {
            move_sickbay(stage)
        }
    })
}

/// Alice agrees, and it goes on to its end; this happens at the first wait.
fn agreed_until(text: &str, happens: impl FnOnce(&mut Stage)) -> Stage {
    let mut stage = asked(playbook(text));
    stage.yes("alice");
    stage.rest_but(|effect| matches!(effect, Effect::Sleep { .. }));
    happens(&mut stage);
    stage.rest();
    stage
}

/// Alice is in the settings no more.
fn dismiss_alice(stage: &mut Stage) {
    stage.world.ruleset.policy.voters = Some(Vec::new());
}

#[test]
fn a_request_is_not_sent_by_the_word_of_who_may_decide_no_longer_or_of_long_ago() {
    let asks = "approve: {from: [alice], timeout: 10m}";
    for text in [
        format!("{GATED}      - wait: 1m\n      - {CALL}\n"),
        format!("    steps:\n      - {asks}\n      - wait: 1m\n      - {CALL}\n"),
    ] {
        let nothing = agreed_until(&text, |_| {});
        let gone = agreed_until(&text, dismiss_alice);
        let soon = agreed_until(&text, |stage| stage.world.now_s += 15 * 60);
        let late = agreed_until(&text, |stage| stage.world.now_s += 17 * 60);
        let sent = [&nothing, &gone, &soon, &late].map(|stage| stage.sent.len());
        assert_eq!(sent, [1, 0, 1, 0], "{text}{:?}", gone.world.kinds(0));
        let refusals = [&gone, &late].map(|stage| stage.world.last_refusal());
        assert_eq!(refusals, [Some(Reason::ApprovalMissing); 2], "{text}");
    }
}

#[test]
fn what_stands_between_a_stop_and_the_start_is_sent_whoever_has_gone_meanwhile() {
    let text = format!(
        "{GATED}      - capture: none\n      - stop: {{}}\n      - wait: 1m\n      - {CALL}\n      - start: {{}}\n      - verify: none\n"
    );
    let stage = agreed_until(&text, dismiss_alice);
    assert_eq!((stage.sent.len(), stage.actions.as_slice()), (1, ["stop", "start"].as_slice()), "{:?}", stage.told);
}

#[test]
fn what_tells_of_a_failure_is_sent_whoever_has_gone_meanwhile() {
    let tell = "http: {url: http://pager.example/, method: POST}";
    let text = format!("{GATED}      - {CALL}\n      - wait: 1m\n      - {CALL}\n    on_failure:\n      - {tell}\n");
    let stage = agreed_until(&text, dismiss_alice);
    let sent: Vec<_> = stage.sent.iter().map(|request| &*request.url).collect();
    assert_eq!(sent, ["http://lb.example/", "http://pager.example/"], "{:?}", stage.world.kinds(0));
}

#[test]
fn a_request_that_becomes_another_one_in_the_middle_of_a_run_is_not_sent() {
    // The same sight without the move: it is sent.
    for (moved, sent) in [(false, 1), (true, 0)] {
        let stage = agreed_to(&format!("{GATED}      - wait: 1m\n      - {CALL}\n"), moved);
        assert_eq!(stage.sent.len(), sent, "{:?}", stage.world.kinds(0));
        assert_eq!(stage.world.replayed(stage.world.log.len()), stage.world.state);
    }
    // What was begun has failed.
    let stage = agreed_to(&format!("{GATED}      - {CALL}\n      - wait: 1m\n      - {CALL}\n"), true);
    assert_eq!(stage.sent.len(), 1);
    let failed = stage.world.log.iter().any(|record| match &record.fact {
        Fact::StepFinished(finished) => {
            matches!(&finished.result, StepResult::Failed(why) if why.contains("no longer what people agreed to"))
        }
        _ => false,
    });
    assert!(failed, "{:?}", stage.world.kinds(0));
}

#[test]
fn a_step_that_asks_binds_the_requests_after_it() {
    let asks = "approve: {from: [alice], timeout: 10m}";
    for (moved, sent) in [(false, 1), (true, 0)] {
        let stage = agreed_to(&format!("    steps:\n      - {asks}\n      - wait: 1m\n      - {CALL}\n"), moved);
        assert_eq!(stage.sent.len(), sent, "{:?}", stage.world.kinds(0));
    }
}

#[test]
fn no_secret_of_a_request_stands_in_the_question_or_what_is_shown_beside_it() {
    let call = "http: {url: \"http://lb.example/?token=s3cret\", method: POST, body: \"token=s3cret\"}";
    let stage = asked(playbook(&format!("{GATED}      - capture: none\n      - {call}\n      - restart: {{}}\n")));
    let question = questions(&stage.world.log)[0];
    assert!(question.what.contains("[redacted], with a body; restart"), "{}", question.what);
    let calls = &stage.world.snapshot().approvals[0].calls;
    assert!(calls[0].contains("with a body of 12 bytes (SHA-256 "), "{calls:?}");
    assert!(!format!("{question:?}{calls:?}").contains("s3cret"));
}
