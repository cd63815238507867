//! What runs are charged with, and when.

use super::stage::Stage;
use super::steps::{NONE, playbook, well};
use super::world::*;
use crate::engine::event::Event;
use crate::model::pause::{Pause, PauseScope};
use crate::model::request::{Request, RequestOutcome};
use crate::model::testimony::Heard;

const CALL: &str = "      - http: {url: \"http://hooks/x\"}\n";

fn refused(_: &Request) -> RequestOutcome {
    RequestOutcome::Failed { error: "refused".into() }
}

/// How many attempts are charged, and how many of them are under way.
fn charged(stage: &Stage) -> (usize, usize) {
    let ledger = stage.world.state.ledger();
    (ledger.iter().count(), ledger.iter().filter(|attempt| attempt.ended.is_none()).count())
}

#[test]
fn a_run_that_goes_back_to_the_gates_is_charged_anew_and_once() {
    let mut stage = Stage::new(playbook(&format!("    steps:\n{CALL}")));
    stage.world.fire(firing(stage.world.now_s));
    stage.world.feed(Event::TargetSkipped { incident: first() });
    assert_eq!(charged(&stage), (1, 1), "it changes nothing here, so its beginning counts");
    let scope = PauseScope::All;
    let pause = Pause { scope: scope.clone(), by: "ada".into(), reason: "why".into(), length: None };
    stage.world.feed(Event::PauseRequested(pause));
    stage.world.feed(Event::StepAsked { incident: first(), index: 0, report: None, heard: Heard::Nobody });
    assert_eq!(charged(&stage), (0, 0), "it went back before it did anything");
    stage.world.now_s += 30;
    stage.world.feed(Event::ResumeRequested { scope, by: "ada".into(), reason: "done".into() });
    stage.rest();
    assert_eq!((stage.sent.len(), charged(&stage)), (1, (1, 0)));
    assert_eq!(stage.world.replayed(stage.world.log.len()), stage.world.state);
}

#[test]
fn what_on_failure_sends_is_not_charged_and_what_the_steps_send_is() {
    let on_failure = format!("    on_failure:\n{CALL}");
    for (steps, want) in [
        (
            "    target: {container: web}\n    steps:\n      - capture: none\n      - verify: {}\n      - restart: {}\n      - \
             verify: {}\n"
                .to_owned(),
            0,
        ),
        (format!("    target: {{container: web}}\n    steps:\n{NONE}{CALL}      - restart: {{}}\n"), 1),
    ] {
        let mut stage = Stage::new(playbook(&format!("{steps}{on_failure}")));
        stage.answer = refused;
        stage.world.fire(firing(stage.world.now_s));
        stage.rest();
        assert_eq!((stage.actions.len(), stage.sent.len()), (0, 1 + want), "{:?}", stage.world.kinds(0));
        assert_eq!(charged(&stage), (want, 0));
    }
}

#[test]
fn a_recovery_after_mere_calls_shows_nothing_about_the_target_and_a_failure_does() {
    let steps = format!(
        "    target: {{container: web}}\n    steps:\n      - capture: none\n{CALL}      - if: target.state == \"exited\"\n        restart: {{}}\n"
    );
    for (verify, want) in
        [(well as fn(u32) -> _, 0), (|_| crate::model::fact::StepResult::NotVerified("sick".into()), 1)]
    {
        let mut stage = Stage::new(playbook(&format!("{steps}      - verify: {{}}\n")));
        stage.verify = verify;
        stage.world.fire(firing(stage.world.now_s));
        stage.rest();
        assert_eq!((stage.actions.len(), stage.sent.len()), (0, 1), "{:?}", stage.world.kinds(0));
        let shown = stage.world.state.history().iter().count();
        assert_eq!(shown, want, "{:?}", stage.world.verdict());
    }
}
