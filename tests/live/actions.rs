//! Starting and stopping on a real engine: what is sent, what is left alone, and what lives in the target's namespaces.

use crate::alerts::{firing, notification};
use crate::real_docker::{OBEDIENT, TestContainer, docker};
use crate::sickbay_process::Sickbay;
use crate::support::{EngineEvents, OPTED_IN, WIDE_LIMITS, WIDE_SETTINGS, dead_container, down};
use serde_json::json;

/// As [`down`], with these steps in place of its restart.
fn doing(steps: &str) -> String {
    down(WIDE_LIMITS).replace("- restart: {start_if_stopped: true, stop_timeout: 1s}", steps)
}

const STOP_AND_START: &str = "- stop: {stop_timeout: 1s}\n      - wait: 1s\n      - start: {}";

fn alarm(sickbay: &Sickbay, container: &TestContainer) {
    let alert = firing(&json!({"alertname": "Down", "container": container.name}));
    assert_eq!(sickbay.post(&notification(&[alert])).status, 200);
}

fn state(container: &TestContainer) -> String {
    docker(&["inspect", "-f", "{{.State.Status}}", &container.id])
}

/// What the engine tells of, without the signals that a stop is made of.
fn calls(events: EngineEvents) -> Vec<String> {
    events.until_now().into_iter().filter(|action| action != "kill" && action != "die").collect()
}

/// The operations that were intended, in order.
fn ops(sickbay: &Sickbay) -> Vec<String> {
    let op = |record: serde_json::Value| record["op"].as_str().unwrap().to_owned();
    sickbay.records_of("action.intent").into_iter().map(op).collect()
}

#[test]
fn what_died_is_started_and_verified() {
    let container = dead_container("start", &[]);
    let sickbay = Sickbay::running(&doing("- start: {}"), WIDE_SETTINGS);
    let events = EngineEvents::of(&container);
    alarm(&sickbay, &container);
    assert_eq!(sickbay.verdict_of(1), "recovered", "{}", sickbay.story());
    assert_eq!(calls(events), ["start"], "{}", sickbay.story());
    assert_eq!(sickbay.metric("sickbay_actions_total{action=\"container.start\",outcome=\"succeeded\"}"), 1.0);
}

#[test]
fn a_stop_is_followed_by_its_start_and_by_nothing_else() {
    let container = TestContainer::run("stop-start", &[&OPTED_IN[..], &["--restart", "always"]].concat(), &OBEDIENT);
    let sickbay = Sickbay::running(&doing(STOP_AND_START), WIDE_SETTINGS);
    let events = EngineEvents::of(&container);
    alarm(&sickbay, &container);
    assert_eq!(sickbay.verdict_of(1), "recovered", "{}", sickbay.story());
    assert_eq!(calls(events), ["stop", "start"], "{}", sickbay.story());
    assert_eq!(state(&container), "running");
}

#[test]
fn a_lone_stop_is_verified_as_stopped() {
    let container = TestContainer::run("stop", &[&OPTED_IN[..], &["--restart", "always"]].concat(), &OBEDIENT);
    let sickbay = Sickbay::running(&doing("- stop: {stop_timeout: 1s}"), WIDE_SETTINGS);
    alarm(&sickbay, &container);
    assert_eq!(sickbay.verdict_of(1), "recovered", "{}", sickbay.story());
    assert_eq!(state(&container), "exited");
    let seen = sickbay.records_of("step.finished").pop().unwrap();
    assert!(seen["detail"].to_string().contains("stopped, with exit code 0"), "{seen}");
}

#[test]
fn what_is_as_wanted_already_is_left_alone() {
    let up = TestContainer::run("up", &OPTED_IN, &OBEDIENT);
    let down = TestContainer::run("down-already", &OPTED_IN, &OBEDIENT);
    docker(&["stop", "-t", "1", &down.id]);
    for (container, steps) in [(&up, "- start: {}"), (&down, "- stop: {}")] {
        let sickbay = Sickbay::running(&doing(steps), WIDE_SETTINGS);
        let events = EngineEvents::of(container);
        alarm(&sickbay, container);
        assert_eq!(sickbay.verdict_of(1), "recovered", "{steps}: {}", sickbay.story());
        assert_eq!(calls(events), Vec::<String>::new(), "{steps}: {}", sickbay.story());
        let results: Vec<_> = sickbay.records_of("step.finished").iter().map(|step| step["result"].clone()).collect();
        assert_eq!(results, ["captured", "not_needed", "verified"], "{}", sickbay.story());
        assert_eq!(ops(&sickbay), Vec::<String>::new());
    }
}

#[test]
fn what_a_person_stopped_is_not_started() {
    let container = TestContainer::run("stays-stopped", &OPTED_IN, &OBEDIENT);
    docker(&["stop", "-t", "1", &container.id]);
    for steps in ["- start: {}", STOP_AND_START] {
        let sickbay = Sickbay::running(&doing(steps), WIDE_SETTINGS);
        alarm(&sickbay, &container);
        let decision = &sickbay.wait_for("decision", 1)[0];
        assert_eq!(decision["reason"], "stopped_by_human", "{steps}: {decision}");
        assert_eq!(state(&container), "exited");
    }
}

#[test]
fn what_lives_in_the_targets_namespaces_is_restarted_after_the_start() {
    let parent = TestContainer::run("parent-of-two", &OPTED_IN, &OBEDIENT);
    let shared = format!("container:{}", parent.name);
    let in_network = TestContainer::run("in-network", &[&OPTED_IN[..], &["--network", &shared]].concat(), &OBEDIENT);
    // This one dies with the target, because the first process of its PID namespace does.
    let in_pid = TestContainer::run("in-pid", &[&OPTED_IN[..], &["--pid", &shared]].concat(), &OBEDIENT);
    let sickbay = Sickbay::running(&doing(STOP_AND_START), WIDE_SETTINGS);
    alarm(&sickbay, &parent);
    assert_eq!(sickbay.verdict_of(1), "recovered", "{}", sickbay.story());
    let mut all = ops(&sickbay);
    all.sort();
    let want = ["container.restart", "container.restart", "container.start", "container.stop"];
    assert_eq!(all, want, "{}", sickbay.story());
    let started = |container: &TestContainer| docker(&["inspect", "-f", "{{.State.StartedAt}}", &container.id]);
    for child in [&in_network, &in_pid] {
        assert_eq!(state(child), "running", "{}", sickbay.story());
        assert!(started(&parent) < started(child), "{}", sickbay.story());
    }
}

#[test]
fn a_stop_that_would_strand_somebody_is_refused() {
    let parent = TestContainer::run("needed", &OPTED_IN, &OBEDIENT);
    let shared = format!("container:{}", parent.name);
    let _child = TestContainer::run("needs-it", &[&OPTED_IN[..], &["--network", &shared]].concat(), &OBEDIENT);
    let sickbay = Sickbay::running(&doing("- stop: {stop_timeout: 1s}"), WIDE_SETTINGS);
    alarm(&sickbay, &parent);
    let decision = &sickbay.wait_for("decision", 1)[0];
    assert_eq!(decision["reason"], "dependent_refused", "{decision}");
    assert_eq!(state(&parent), "running");
}

#[test]
fn a_start_that_fails_calls_people_with_dockers_words() {
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("source");
    std::fs::create_dir(&source).unwrap();
    let mount = format!("type=bind,src={},dst=/mnt", source.display());
    let container = dead_container("start-fails", &["--mount", &mount]);
    std::fs::remove_dir(&source).unwrap();
    let sickbay = Sickbay::running(&doing("- start: {}"), WIDE_SETTINGS);
    alarm(&sickbay, &container);
    assert_eq!(sickbay.verdict_of(1), "failed", "{}", sickbay.story());
    let notice = &sickbay.records_of("notify.intent")[0];
    assert!(notice["message"].to_string().contains("bind source path does not exist"), "{notice}");
}
