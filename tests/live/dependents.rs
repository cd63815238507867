//! Containers in the target's network namespace are left with a dead one by its restart, and those in its PID namespace
//! die with it, so they are restarted after.

use crate::alerts::{firing, notification};
use crate::real_docker::{OBEDIENT, TestContainer, docker};
use crate::sickbay_process::Sickbay;
use crate::support::{EngineEvents, OPTED_IN, WIDE_LIMITS, WIDE_SETTINGS, down, restarts};
use serde_json::json;

fn started_at(container: &TestContainer) -> String {
    docker(&["inspect", "-f", "{{.State.StartedAt}}", &container.id])
}

fn child_of(parent: &TestContainer, purpose: &str, labels: &[&str]) -> TestContainer {
    let shared = format!("container:{}", parent.name);
    TestContainer::run(purpose, &[labels, &["--network", &shared]].concat(), &OBEDIENT)
}

#[test]
fn a_dependent_is_restarted_after_its_parent_and_once() {
    let parent = TestContainer::run("parent", &OPTED_IN, &OBEDIENT);
    let child = child_of(&parent, "child", &OPTED_IN);
    let sickbay = Sickbay::running(&down(WIDE_LIMITS), WIDE_SETTINGS);
    let events = [EngineEvents::of(&parent), EngineEvents::of(&child)];
    // It is running, so the alert must be younger than its start.
    let alert = firing(&json!({"alertname": "Down", "container": parent.name}));
    assert_eq!(sickbay.post(&notification(&[alert])).status, 200);
    assert_eq!(sickbay.verdict_of(1), "recovered", "{}", sickbay.story());
    assert!(started_at(&parent) < started_at(&child), "{}", sickbay.story());
    for events in events {
        assert_eq!(restarts(&events.until_now()), 1, "{}", sickbay.story());
    }
    let intents = sickbay.records_of("action.intent");
    let targets: Vec<_> = intents.iter().map(|intent| intent["target"]["id"].as_str().unwrap()).collect();
    assert_eq!(targets, [parent.id.as_str(), &child.id], "{}", sickbay.story());
    let network = docker(&["exec", &child.id, "cat", "/proc/net/dev"]);
    assert!(network.contains("lo:"), "{network}");
}

#[test]
fn a_dependent_that_dies_with_its_parents_pid_namespace_runs_again_afterwards() {
    let parent = TestContainer::run("pid-parent", &OPTED_IN, &OBEDIENT);
    let shared = format!("container:{}", parent.name);
    let child = TestContainer::run("pid-child", &[&OPTED_IN[..], &["--pid", &shared]].concat(), &OBEDIENT);
    // Running ones only: the child's death must not be taken for a stop that somebody wanted.
    let rules = down(WIDE_LIMITS).replace("restart: {start_if_stopped: true", "restart: {start_if_stopped: false");
    let sickbay = Sickbay::running(&rules, WIDE_SETTINGS);
    let alert = firing(&json!({"alertname": "Down", "container": parent.name}));
    assert_eq!(sickbay.post(&notification(&[alert])).status, 200);
    assert_eq!(sickbay.verdict_of(1), "recovered", "{}", sickbay.story());
    assert_eq!(docker(&["inspect", "-f", "{{.State.Status}}", &child.id]), "running", "{}", sickbay.story());
    assert!(started_at(&parent) < started_at(&child), "{}", sickbay.story());
}

#[test]
fn a_dependent_that_did_not_opt_in_keeps_its_parent_from_being_restarted() {
    let parent = TestContainer::run("parent-of-plain", &OPTED_IN, &OBEDIENT);
    let child = child_of(&parent, "plain-child", &[]);
    let sickbay = Sickbay::running(&down(WIDE_LIMITS), WIDE_SETTINGS);
    let events = [EngineEvents::of(&parent), EngineEvents::of(&child)];
    let alert = firing(&json!({"alertname": "Down", "container": parent.name}));
    assert_eq!(sickbay.post(&notification(&[alert])).status, 200);
    assert_eq!(sickbay.wait_for("decision", 1)[0]["reason"], "dependent_refused", "{}", sickbay.story());
    for events in events {
        assert_eq!(events.until_now(), Vec::<String>::new(), "{}", sickbay.story());
    }
}
