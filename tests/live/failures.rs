//! Restarts that fail, and restarts that do not help: each ends with its own verdict, once, and calls for help.

use crate::alerts::{firing, notification};
use crate::real_docker::{OBEDIENT, TestContainer, docker};
use crate::sickbay_process::{Sickbay, free_port};
use crate::sink::Sink;
use crate::support::{EngineEvents, OPTED_IN, WIDE_LIMITS, WIDE_SETTINGS, down, restarts};
use serde_json::{Value, json};
use std::net::{Ipv4Addr, TcpListener};

/// How it ended.
struct Ending {
    verdict: String,
    error: String,
    calls_for_help: Vec<Value>,
    actions: Vec<String>,
    outcome: String,
}

/// Lets the playbook treat a container; `on_failure` posts to a web server.
fn treat(container: &TestContainer) -> Ending {
    let sink = Sink::start();
    let notifier = format!("notifiers: [{{name: people, http: {{url: 'http://127.0.0.1:{}/hook'}}}}]\n", sink.port);
    let sickbay = Sickbay::running(
        &down(WIDE_LIMITS).replace("to: [log]", "to: [people]"),
        &format!("{WIDE_SETTINGS}{notifier}"),
    );
    let events = EngineEvents::of(container);
    let alert = firing(&json!({"alertname": "Down", "container": container.name}));
    let body = notification(&[alert]);
    assert_eq!(sickbay.post(&body).status, 200);
    let verdict = sickbay.verdict_of(1);
    // It goes on firing, and is not tried again in the same episode.
    assert_eq!(sickbay.post(&body).json()["accepted"], 0);
    let closed = &sickbay.records_of("incident.closed")[0];
    Ending {
        verdict,
        error: closed["detail"].as_str().unwrap().to_owned(),
        calls_for_help: sink.bodies().iter().map(|body| serde_json::from_str(body).unwrap()).collect(),
        actions: events.until_now(),
        outcome: sickbay.records_of("action.outcome")[0]["result"].as_str().unwrap().to_owned(),
    }
}

/// One attempt, one call for help that names the error.
fn check(ending: &Ending, (verdict, outcome): (&str, &str), words: &str) {
    let Ending { error, calls_for_help, actions, .. } = ending;
    assert_eq!((ending.verdict.as_str(), ending.outcome.as_str()), (verdict, outcome), "{error}");
    assert!(error.contains(words), "{error}");
    assert_eq!(calls_for_help.len(), 1, "{calls_for_help:?}");
    let help = &calls_for_help[0];
    assert_eq!((&help["severity"], &help["playbook"]), (&"critical".into(), &"down".into()), "{help}");
    assert!(help["message"].as_str().unwrap().contains(words), "{help}");
    // A restart whose start fails is no `restart` to the engine, but whatever was done was done once.
    assert!(restarts(actions) <= 1, "{actions:?}");
}

#[test]
fn a_restart_that_cannot_have_its_port_back_has_failed() {
    let port = free_port();
    let publish = format!("127.0.0.1:{port}:80");
    let options = [&OPTED_IN[..], &["--network", "bridge", "-p", &publish]].concat();
    let container = TestContainer::run("port", &options, &OBEDIENT);
    docker(&["kill", &container.id]);
    let _taken = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
    check(&treat(&container), ("failed", "failed"), "address already in use");
}

#[test]
fn a_restart_whose_mount_is_gone_has_failed() {
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("source");
    std::fs::create_dir(&source).unwrap();
    let mount = format!("type=bind,src={},dst=/mnt", source.display());
    let container = TestContainer::run("mount", &[&OPTED_IN[..], &["--mount", &mount]].concat(), &OBEDIENT);
    std::fs::remove_dir(&source).unwrap();
    check(&treat(&container), ("failed", "failed"), "now exited");
}

#[test]
fn a_container_that_stays_unhealthy_was_restarted_in_vain() {
    let health =
        ["--health-interval", "1s", "--health-timeout", "5s", "--health-retries", "2", "--health-cmd", "false"];
    let container = TestContainer::run("sick", &[&OPTED_IN[..], &health].concat(), &OBEDIENT);
    let ending = treat(&container);
    check(&ending, ("ineffective", "succeeded"), "unhealthy");
    assert_eq!(restarts(&ending.actions), 1, "{:?}", ending.actions);
}

#[test]
fn a_container_that_ends_again_was_restarted_in_vain() {
    let script = "test -e /tmp/ran && exit 7; touch /tmp/ran; sleep 1000";
    let container = TestContainer::run("ends", &OPTED_IN, &["sh", "-c", script]);
    docker(&["kill", &container.id]);
    let ending = treat(&container);
    check(&ending, ("ineffective", "succeeded"), "exited with code 7");
    assert_eq!(restarts(&ending.actions), 1, "{:?}", ending.actions);
}

#[test]
fn after_a_restart_in_vain_nothing_is_done_until_a_person_has_mended_it_and_says_so() {
    let check = "test -e /tmp/mended";
    let health = ["--health-interval", "1s", "--health-timeout", "5s", "--health-retries", "2", "--health-cmd", check];
    let container = TestContainer::run("breaker", &[&OPTED_IN[..], &health].concat(), &OBEDIENT);
    let strict = WIDE_SETTINGS.replace("limits: {", "limits: {breaker: {failures: 1, per: 1d, open_for: 1h}, ");
    let sickbay = Sickbay::running(&down(WIDE_LIMITS), &strict);
    let events = EngineEvents::of(&container);
    for serial in ["1", "2"] {
        let alert = firing(&json!({"alertname": "Down", "container": container.name, "serial": serial}));
        assert_eq!(sickbay.post(&notification(&[alert])).status, 200);
        sickbay.verdict_of(1);
    }
    let refused = sickbay.wait_for("decision", 2).remove(1);
    assert_eq!((&refused["reason"], &refused["inputs"]["failures"]), (&"breaker_open".into(), &"1".into()));
    docker(&["exec", &container.id, "touch", "/tmp/mended"]);
    assert_eq!(sickbay.records_of("action.intent").len(), 1, "{}", sickbay.story());
    let url = format!("http://127.0.0.1:{}", sickbay.port);
    let reset = sickbay.run(&["reset", &container.name, "--reason", "mended", "--url", &url]);
    assert!(reset.status.success(), "{reset:?}");
    assert_eq!(sickbay.verdict_of(2), "recovered", "{}", sickbay.story());
    assert_eq!(restarts(&events.until_now()), 2, "{}", sickbay.story());
}
