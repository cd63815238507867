//! Too often, too soon, too many at once: refused although the container itself could be treated.

use crate::alerts::{firing, notification};
use crate::real_docker::{TestContainer, docker};
use crate::sickbay_process::Sickbay;
use crate::support::{EngineEvents, OPTED_IN, WIDE_LIMITS, WIDE_SETTINGS, dead_container, down};
use serde_json::{Value, json};

fn alert(container: &TestContainer, serial: &str) -> Value {
    let labels = json!({"alertname": "Down", "container": container.name, "serial": serial});
    notification(&[firing(&labels)])
}

/// A container is treated, dies again, and is left alone: why.
fn second_time(purpose: &str, limits: &str, settings: &str) -> (String, String) {
    let container = dead_container(purpose, &[]);
    let mut sickbay = Sickbay::running(&down(limits), settings);
    assert_eq!(sickbay.post(&alert(&container, "1")).status, 200);
    assert_eq!(sickbay.verdict_of(1), "recovered", "{}", sickbay.story());
    docker(&["kill", &container.id]);
    // What was used up is not given back by a restart of the daemon.
    sickbay.kill();
    sickbay.start(&[]);
    let events = EngineEvents::of(&container);
    assert_eq!(sickbay.post(&alert(&container, "2")).status, 200);
    let refusal = refusal(&sickbay);
    assert_eq!(events.until_now(), Vec::<String>::new(), "{}", sickbay.story());
    refusal
}

/// The refusal among the decisions so far.
fn refusal(sickbay: &Sickbay) -> (String, String) {
    let refused = sickbay.until("something is refused", || {
        sickbay.records_of("decision").into_iter().find(|decision| decision["result"] == "refused")
    });
    let text = |key: &str| refused[key].as_str().unwrap_or_default().to_owned();
    (text("gate"), text("reason"))
}

fn code(gate: &str, reason: &str) -> (String, String) {
    (gate.to_owned(), reason.to_owned())
}

#[test]
fn within_the_cooldown() {
    let limits = "{runs: 1000, per: 1h, cooldown: 10m}";
    assert_eq!(second_time("cooldown", limits, WIDE_SETTINGS), code("budget", "cooldown"));
}

#[test]
fn beyond_the_playbooks_budget() {
    let limits = "{runs: 1, per: 1h, cooldown: 0s}";
    assert_eq!(second_time("budget", limits, WIDE_SETTINGS), code("budget", "budget_exhausted"));
}

#[test]
fn beyond_the_budget_of_the_settings() {
    let per_target = "limits: {per_target: [{runs: 1, per: 1h}]}\n";
    assert_eq!(second_time("target-budget", WIDE_LIMITS, per_target), code("budget", "global_budget"));
    let global = "limits: {global: [{runs: 1, per: 1h}]}\n";
    assert_eq!(second_time("global-budget", WIDE_LIMITS, global), code("budget", "global_budget"));
}

#[test]
fn again_once_the_cooldown_is_over_and_the_alert_is_repeated() {
    let container = dead_container("patient", &[]);
    let sickbay = Sickbay::running(&down("{runs: 1000, per: 1h, cooldown: 3s}"), WIDE_SETTINGS);
    let events = EngineEvents::of(&container);
    sickbay.post(&alert(&container, "1"));
    assert_eq!(sickbay.verdict_of(1), "recovered", "{}", sickbay.story());
    docker(&["kill", &container.id]);
    let again = alert(&container, "2");
    sickbay.post(&again);
    assert_eq!(refusal(&sickbay), code("budget", "cooldown"));
    sickbay.until("a repeat is acted on", || {
        sickbay.post(&again);
        (sickbay.records_of("action.intent").len() == 2).then_some(())
    });
    assert_eq!(sickbay.verdict_of(2), "recovered", "{}", sickbay.story());
    sickbay.post(&again);
    assert_eq!(events.until_now(), ["start", "restart", "kill", "die", "start", "restart"], "{}", sickbay.story());
}

/// It takes its five seconds to stop.
fn slow_to_stop(purpose: &str) -> TestContainer {
    TestContainer::run(purpose, &[&OPTED_IN[..], &["--stop-timeout", "5"]].concat(), &["sleep", "1000"])
}

#[test]
fn while_another_run_holds_the_target() {
    let container = slow_to_stop("busy");
    let rules = down(WIDE_LIMITS).replace(", stop_timeout: 1s", "");
    let sickbay = Sickbay::running(&rules, WIDE_SETTINGS);
    let events = EngineEvents::of(&container);
    sickbay.post(&alert(&container, "1"));
    sickbay.wait_for("action.intent", 1);
    sickbay.post(&alert(&container, "2"));
    assert_eq!(refusal(&sickbay), code("single_flight", "busy"));
    assert_eq!(sickbay.verdict_of(1), "recovered", "{}", sickbay.story());
    assert_eq!(events.until_now(), ["kill", "kill", "die", "stop", "start", "restart"], "{}", sickbay.story());
}

#[test]
fn while_as_many_runs_as_allowed_are_under_way() {
    let (slow, other) = (slow_to_stop("parallel-1"), dead_container("parallel-2", &[]));
    let rules = down(WIDE_LIMITS).replace(", stop_timeout: 1s", "");
    let sickbay = Sickbay::running(&rules, "limits: {max_parallel: 1}\n");
    let events = EngineEvents::of(&other);
    sickbay.post(&alert(&slow, "1"));
    sickbay.wait_for("action.intent", 1);
    sickbay.post(&alert(&other, "2"));
    assert_eq!(refusal(&sickbay), code("blast_radius", "max_parallel"));
    assert_eq!(events.until_now(), Vec::<String>::new(), "{}", sickbay.story());
    assert_eq!(sickbay.verdict_of(1), "recovered", "{}", sickbay.story());
}
