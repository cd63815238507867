//! A container that a person or a deployment is at is left alone, on a real engine; what sickbay did itself is nobody
//! else's doing.

use crate::alerts::{firing, notification};
use crate::real_docker::{OBEDIENT, TestContainer, docker, unique};
use crate::sickbay_process::Sickbay;
use crate::support::{EngineEvents, OPTED_IN, WIDE_LIMITS, WIDE_SETTINGS, dead_container, down, restarts};
use serde_json::{Value, json};
use std::thread;
use std::time::Duration;

/// Long enough for a test, and short enough to wait for its end.
const SHORT: Duration = Duration::from_secs(8);

fn settings() -> String {
    format!("{WIDE_SETTINGS}docker: {{hands_off: {}s}}\n", SHORT.as_secs())
}

fn alert(container: &TestContainer) -> Value {
    firing(&json!({"alertname": "Down", "container": container.name}))
}

/// A container that nobody has touched for longer than the settings ask for.
fn quiet(purpose: &str) -> TestContainer {
    let container = TestContainer::run(purpose, &OPTED_IN, &OBEDIENT);
    thread::sleep(SHORT + Duration::from_secs(1));
    container
}

/// The answer to an alert about the container, and that nothing was done to it.
fn refused(container: &TestContainer) -> Value {
    let sickbay = Sickbay::running(&down(WIDE_LIMITS), &settings());
    assert_eq!(sickbay.post(&notification(&[alert(container)])).status, 200);
    let decision = sickbay.wait_for("decision", 1).remove(0);
    assert_eq!(decision["result"], "refused", "{}", sickbay.story());
    assert_eq!(sickbay.records_of("action.intent").len(), 0, "{}", sickbay.story());
    decision
}

#[test]
fn what_a_person_touched_is_left_alone_and_the_log_says_what_and_when() {
    let container = quiet("touched");
    for (arguments, action) in [
        (&["restart", "-t", "1"][..], "restart"),
        (&["update", "--memory", "64m", "--memory-swap", "64m"], "update"),
        (&["pause"], "unpause"),
    ] {
        docker(&[arguments, &[container.id.as_str()]].concat());
        if action == "unpause" {
            docker(&["unpause", &container.id]);
        }
        // Docker tells its time in whole seconds, so the current one is seen when it is over.
        thread::sleep(Duration::from_millis(1100));
        let decision = refused(&container);
        assert_eq!(decision["reason"], "recently_touched", "{decision}");
        let detail = decision["detail"].as_str().unwrap();
        assert!(detail.contains(&format!("`docker {action}` of {}", container.name)), "{decision}");
        assert_eq!((&decision["inputs"]["action"], &decision["inputs"]["hands_off"]), (&action.into(), &"8s".into()));
        assert!(decision["retry_after_ms"].as_u64().unwrap() <= 8000, "{decision}");
    }
    thread::sleep(SHORT);
    let sickbay = Sickbay::running(&down(WIDE_LIMITS), &settings());
    assert_eq!(sickbay.post(&notification(&[alert(&container)])).status, 200);
    assert_eq!(sickbay.verdict_of(1), "recovered", "{}", sickbay.story());
}

#[test]
fn what_was_just_deployed_is_left_alone() {
    let name = unique("deployed");
    let tag = format!("{name}:2");
    let before = TestContainer::run_as(&name, &OPTED_IN, &OBEDIENT);
    let image = docker(&["inspect", "-f", "{{.Config.Image}}", &before.id]);
    docker(&["tag", &image, &tag]);
    docker(&["rm", "-f", "-v", &before.id]);
    let container = TestContainer::of_image(&tag, &name, (&OPTED_IN, &OBEDIENT));
    docker(&["kill", &container.id]);
    docker(&["wait", &container.id]);
    thread::sleep(Duration::from_millis(1100));
    let decision = refused(&container);
    assert_eq!(decision["reason"], "recently_deployed", "{decision}");
    assert!(decision["detail"].to_string().contains(&format!("from {tag} in place of one from {image}")), "{decision}");
    thread::sleep(SHORT);
    let sickbay = Sickbay::running(&down(WIDE_LIMITS), &settings());
    assert_eq!(sickbay.post(&notification(&[alert(&container)])).status, 200);
    assert_eq!(sickbay.verdict_of(1), "recovered", "{}", sickbay.story());
    drop(container);
    docker(&["rmi", &tag]);
}

#[test]
fn what_is_new_and_stands_in_for_nothing_is_treated_at_once_by_the_settings_as_they_come() {
    // Started first: it hears what happens, however soon the engine forgets it.
    let sickbay = Sickbay::running(&down(WIDE_LIMITS), &format!("{WIDE_SETTINGS}docker: {{require_opt_in: true}}\n"));
    let container = dead_container("new", &[]);
    thread::sleep(Duration::from_millis(1100));
    assert_eq!(sickbay.post(&notification(&[alert(&container)])).status, 200);
    assert_eq!(sickbay.verdict_of(1), "recovered", "{}", sickbay.story());
}

#[test]
fn what_the_engine_forgot_was_heard_all_the_same() {
    let sickbay = Sickbay::running(&down(WIDE_LIMITS), &format!("{WIDE_SETTINGS}docker: {{require_opt_in: true}}\n"));
    let container = dead_container("heard", &[]);
    docker(&["start", &container.id]);
    docker(&["restart", "-t", "1", &container.id]);
    docker(&["kill", &container.id]);
    docker(&["wait", &container.id]);
    let noise = TestContainer::run("noise", &[], &OBEDIENT);
    (0..140).for_each(|_| _ = docker(&["exec", &noise.id, "/bin/busybox", "true"]));
    assert_eq!(sickbay.post(&notification(&[alert(&container)])).status, 200);
    let decision = sickbay.wait_for("decision", 1).remove(0);
    assert_eq!(decision["reason"], "recently_touched", "{decision}");
    assert!(decision["detail"].to_string().contains("`docker restart`"), "{decision}");
}

#[test]
fn our_own_restarts_keep_nobody_off_not_even_after_a_restart_of_sickbay() {
    let container = quiet("ours");
    let mut sickbay = Sickbay::running(&down(WIDE_LIMITS), &settings());
    let events = EngineEvents::of(&container);
    for round in 1..=3 {
        let alert = firing(&json!({"alertname": "Down", "container": container.name, "round": round.to_string()}));
        assert_eq!(sickbay.post(&notification(&[alert])).status, 200);
        assert_eq!(sickbay.verdict_of(round), "recovered", "{}", sickbay.story());
        sickbay.kill();
        sickbay.start(&[]);
    }
    assert_eq!(restarts(&events.until_now()), 3, "{}", sickbay.story());
}

/// As [`down`], with time between the decision and the act.
fn slow() -> String {
    down(WIDE_LIMITS).replace("- restart:", "- wait: 4s\n      - restart:")
}

#[test]
fn somebody_who_comes_between_the_decision_and_the_act_is_left_alone() {
    let container = quiet("meanwhile");
    let sickbay = Sickbay::running(&slow(), &settings());
    assert_eq!(sickbay.post(&notification(&[alert(&container)])).status, 200);
    assert_eq!(sickbay.wait_for("decision", 1)[0]["result"], "run", "{}", sickbay.story());
    let events = EngineEvents::of(&container);
    docker(&["restart", "-t", "1", &container.id]);
    let decision = &sickbay.wait_for("decision", 2)[1];
    assert_eq!(
        (&decision["result"], &decision["reason"]),
        (&"refused".into(), &"recently_touched".into()),
        "{decision}"
    );
    assert_eq!(restarts(&events.until_now()), 1, "only theirs: {}", sickbay.story());
}

#[test]
fn what_was_recreated_between_the_decision_and_the_act_is_left_alone() {
    let name = unique("recreated");
    let before = TestContainer::run_as(&name, &OPTED_IN, &OBEDIENT);
    // Even where nobody keeps off what is new, the plan was made for another container.
    let sickbay = Sickbay::running(&slow(), WIDE_SETTINGS);
    assert_eq!(sickbay.post(&notification(&[alert(&before)])).status, 200);
    assert_eq!(sickbay.wait_for("decision", 1)[0]["result"], "run", "{}", sickbay.story());
    docker(&["rm", "-f", "-v", &before.id]);
    let after = TestContainer::run_as(&name, &OPTED_IN, &OBEDIENT);
    let events = EngineEvents::of(&after);
    let decision = &sickbay.wait_for("decision", 2)[1];
    assert_eq!((&decision["result"], &decision["reason"]), (&"refused".into(), &"target_changed".into()), "{decision}");
    assert_eq!(events.until_now(), Vec::<String>::new(), "{}", sickbay.story());
}

#[test]
fn what_watches_and_what_stands_before_docker_is_protected_by_its_image() {
    let tag = format!("{}/socket-proxy:1", unique("mirror"));
    let model = TestContainer::run("model", &[], &OBEDIENT);
    let image = docker(&["inspect", "-f", "{{.Config.Image}}", &model.id]);
    docker(&["tag", &image, &tag]);
    let labels = [&OPTED_IN[..], &["--label", "sickbay.protect=false"]].concat();
    let guardian = TestContainer::of_image(&tag, &unique("guardian"), (&labels, &OBEDIENT));
    let decision = refused(&guardian);
    assert_eq!(decision["reason"], "protected", "{decision}");
    assert!(decision["detail"].to_string().contains("built in"), "{decision}");
    drop(guardian);
    docker(&["rmi", &tag]);
}
