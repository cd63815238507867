//! Steps of what follows the end of an alert: the same rules as in any run.

use super::stage::Stage;
use super::steps::{NONE, playbook, results, well};
use crate::engine::event::Event;
use crate::model::pause::{Pause, PauseScope};
use crate::model::reason::Reason;
use crate::model::request::RequestOutcome;

/// A playbook whose run is over, and whose alert has ended: what `on_resolved` makes of it.
fn afterwards(on_resolved: &str, set: impl Fn(&mut Stage)) -> Stage {
    let text = format!(
        "    target: {{container: web}}\n    steps:\n{NONE}      - restart: {{}}\n    on_resolved:\n{on_resolved}    \
         on_failure:\n      - notify: {{to: [log], title: \"page: {{{{ failed.name }}}}\", message: x}}\n"
    );
    let (mut stage, alert) = super::afterwards::treated(playbook(&text));
    stage.verify = well;
    set(&mut stage);
    super::afterwards::resolve(&mut stage, &alert);
    stage.rest();
    super::afterwards::replays(&stage);
    stage
}

#[test]
fn what_follows_the_end_of_an_alert_goes_by_the_same_rules() {
    let steps = "      - id: said\n        name: tell them\n        continue_on_error: true\n        http: {url: \"http://hooks/x\"}\n      \
                 - if: steps.said.outcome == \"success\" && target.state == \"running\"\n        restart: {}\n      \
                 - notify: {to: [log], title: \"{{ steps.said.outcome }}\", message: x}\n";
    let stage = afterwards(steps, |_| {});
    assert_eq!(
        results(&stage)[1..],
        [
            "POST http://hooks/x",
            "capture Captured",
            "restart allowed",
            "act restart",
            "verify Verified",
            "notify Notified"
        ],
        "{:?}",
        stage.world.kinds(0)
    );
    assert_eq!((stage.told.as_slice(), stage.sent.len()), (&["success".to_owned()][..], 1));
    let refused = |_: &crate::model::request::Request| RequestOutcome::Failed { error: "refused".into() };
    let stage = afterwards(steps, |stage| stage.answer = refused);
    let want = ["http tolerated", "capture Captured", "restart ConditionFalse", "verify Verified", "notify Notified"];
    assert_eq!(results(&stage)[2..], want);
    // The target was seen to be well after it, so the failure is forgiven.
    assert_eq!(stage.told, ["failure"]);
    assert_eq!(stage.world.verdict(), Some(("recovered", None)));
    let alone = "      - name: tell them\n        continue_on_error: true\n        http: {url: \"http://hooks/x\"}\n      \
                 - notify: {to: [log], title: after, message: x}\n";
    let stage = afterwards(alone, |stage| stage.answer = refused);
    assert_eq!(stage.told, ["after", "page: tell them"], "{:?}", results(&stage));
    assert_eq!(stage.world.verdict(), Some(("failed", None)));
}

#[test]
fn a_refusal_before_the_first_act_afterwards_is_no_failure() {
    let steps = "      - if: target.state == \"running\"\n        restart: {}\n";
    let pause = || Pause { scope: PauseScope::All, by: "ada".into(), reason: "why".into(), length: None };
    let mut stage = afterwards(&format!("      - wait: 1m\n{steps}"), |stage| {
        stage.world.feed(Event::PauseRequested(pause()));
    });
    assert_eq!((stage.actions.len(), stage.world.last_refusal()), (1, Some(Reason::Paused)));
    stage.world.feed(Event::ResumeRequested { scope: PauseScope::All, by: "ada".into(), reason: "done".into() });
    stage.rest();
    assert_eq!((stage.actions.len(), stage.told.len()), (2, 0), "{:?}", results(&stage));
}
