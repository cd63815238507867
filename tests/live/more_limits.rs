//! Raising the limits of a running container on a real engine and taking that back, and what of it is refused.

use crate::alerts::{firing, notification, resolved};
use crate::real_docker::{OBEDIENT, TestContainer, docker};
use crate::sickbay_process::Sickbay;
use crate::support::{EngineEvents, OPTED_IN, WIDE_LIMITS, WIDE_SETTINGS, down};
use serde_json::{Value, json};

const MIB: u64 = 1024 * 1024;

fn raising(what: &str) -> String {
    down(WIDE_LIMITS)
        .replace("- restart: {start_if_stopped: true, stop_timeout: 1s}", &format!("- update_limits: {what}"))
}

fn alarm(sickbay: &Sickbay, container: &TestContainer, serial: &str) {
    let alert = firing(&json!({"alertname": "Down", "container": container.name, "serial": serial}));
    assert_eq!(sickbay.post(&notification(&[alert])).status, 200);
}

/// Memory, memory and swap, and billionths of a CPU.
fn limits(container: &TestContainer) -> (u64, i64, u64) {
    let shown = docker(&["inspect", "-f", "{{json .HostConfig}}", &container.id]);
    let shown: Value = serde_json::from_str(&shown).unwrap();
    let number = |key: &str| shown[key].as_i64().unwrap_or(0);
    (number("Memory").unsigned_abs(), number("MemorySwap"), number("NanoCpus").unsigned_abs())
}

#[test]
fn limits_are_raised_up_to_their_cap_while_the_container_runs_on() {
    let options = [&OPTED_IN[..], &["--memory", "64m", "--memory-swap", "96m", "--cpus", "0.5"]].concat();
    let container = TestContainer::run("more", &options, &OBEDIENT);
    let started = docker(&["inspect", "-f", "{{.State.StartedAt}}", &container.id]);
    let (_, swap, _) = limits(&container);
    let sickbay =
        Sickbay::running(&raising("{memory: {factor: 2, max: 160MiB}, cpus: {factor: 1.5, max: 0.6}}"), WIDE_SETTINGS);
    let events = EngineEvents::of(&container);
    // An engine without a limit on swap says -1, and that stays.
    let swapped = |mebibytes: i64| if swap < 0 { swap } else { mebibytes << 20 };
    alarm(&sickbay, &container, "1");
    assert_eq!(sickbay.verdict_of(1), "recovered", "{}", sickbay.story());
    assert_eq!(limits(&container), (128 * MIB, swapped(192), 600_000_000), "{}", sickbay.story());
    assert_eq!(docker(&["inspect", "-f", "{{.State.StartedAt}}", &container.id]), started, "it ran on");
    let intent = &sickbay.records_of("action.intent")[0];
    assert_eq!(intent["op"], "container.update_limits", "{intent}");

    // The CPUs are as many as they may be by now.
    alarm(&sickbay, &container, "2");
    let refused = sickbay.wait_for("decision", 2).remove(1);
    assert_eq!(refused["reason"], "limit_at_max", "{refused}");
    assert_eq!(limits(&container), (128 * MIB, swapped(192), 600_000_000));
    assert_eq!(events.until_now(), ["update"], "{}", sickbay.story());
}

#[test]
fn what_has_no_limit_gets_none_and_what_docker_refuses_has_failed() {
    let unlimited = TestContainer::run("unlimited", &OPTED_IN, &OBEDIENT);
    let sickbay = Sickbay::running(&raising("{memory: {factor: 2, max: 1GiB}}"), WIDE_SETTINGS);
    alarm(&sickbay, &unlimited, "1");
    assert_eq!(sickbay.wait_for("decision", 1)[0]["reason"], "no_limit", "{}", sickbay.story());
    assert_eq!(limits(&unlimited), (0, 0, 0));

    let options = [&OPTED_IN[..], &["--cpus", "0.5"]].concat();
    let greedy = TestContainer::run("greedy", &options, &OBEDIENT);
    let sickbay = Sickbay::running(&raising("{cpus: {factor: 1000, max: 500}}"), WIDE_SETTINGS);
    alarm(&sickbay, &greedy, "1");
    assert_eq!(sickbay.verdict_of(1), "failed", "{}", sickbay.story());
    let closed = &sickbay.records_of("incident.closed")[0];
    assert!(closed["detail"].to_string().contains("CPUs"), "Docker's words: {closed}");
    assert_eq!(limits(&greedy), (0, 0, 500_000_000));
}

/// Raises, and takes it back when the alert has resolved.
fn lending() -> String {
    let back = "    on_resolved:\n      - update_limits: {to: original}\n      - verify: {within: 30s, every: 1s, \
                stable_for: 1s}\n";
    let raise = "{memory: {factor: 2, max: 1GiB}, cpus: {factor: 2, max: 1}}";
    format!("{}\n{back}", raising(raise).trim_end())
}

/// The run has raised the limits of a container that had 64 MiB and half a CPU; what it had, and the alert.
fn lent(purpose: &str) -> (TestContainer, Sickbay, Value, (u64, i64, u64)) {
    let options = [&OPTED_IN[..], &["--memory", "64m", "--memory-swap", "96m", "--cpus", "0.5"]].concat();
    let container = TestContainer::run(purpose, &options, &OBEDIENT);
    let before = limits(&container);
    let sickbay = Sickbay::running(&lending(), WIDE_SETTINGS);
    let alert = firing(&json!({"alertname": "Down", "container": container.name}));
    assert_eq!(sickbay.post(&notification(std::slice::from_ref(&alert))).status, 200);
    assert_eq!(sickbay.verdict_of(1), "recovered", "{}", sickbay.story());
    let (memory, _, cpus) = limits(&container);
    assert_eq!((memory, cpus), (128 * MIB, 1_000_000_000), "{}", sickbay.story());
    (container, sickbay, alert, before)
}

/// What the last decision refused, and why.
fn refused(sickbay: &Sickbay, decisions: usize) -> Value {
    let refused = sickbay.wait_for("decision", decisions).pop().unwrap();
    assert_eq!(refused["result"], "refused", "{}", sickbay.story());
    refused
}

#[test]
fn what_was_raised_is_taken_back_on_resolve_also_after_a_crash() {
    let (container, mut sickbay, alert, before) = lent("lent");
    let started = docker(&["inspect", "-f", "{{.State.StartedAt}}", &container.id]);
    // What there was before is in the log alone.
    sickbay.kill();
    sickbay.start(&[]);
    assert_eq!(sickbay.post(&notification(&[resolved(&alert)])).status, 200);
    assert_eq!(sickbay.verdict_of(2), "recovered", "{}", sickbay.story());
    assert_eq!(limits(&container), before, "{}", sickbay.story());
    assert_eq!(docker(&["inspect", "-f", "{{.State.StartedAt}}", &container.id]), started, "it ran on");
    let intent = &sickbay.records_of("action.intent")[1];
    assert_eq!(intent["args"]["to_limits"]["memory"], 64 * MIB, "{intent}");
    assert!(intent["look"]["memory_in_use"].as_u64().is_some_and(|bytes| 0 < bytes), "it was looked: {intent}");
}

#[test]
fn a_stopped_container_gets_its_limits_back_and_stays_stopped() {
    let (container, sickbay, alert, before) = lent("lent-stopped");
    let events = EngineEvents::of(&container);
    // Nobody has laid hands on it.
    container.end_from_within();
    docker(&["wait", &container.id]);
    assert_eq!(sickbay.post(&notification(&[resolved(&alert)])).status, 200);
    let outcome = sickbay.wait_for("action.outcome", 2).remove(1);
    assert_eq!(outcome["result"], "succeeded", "{outcome}\n{}", sickbay.story());
    // What is verified behind it does not run.
    assert_eq!(sickbay.verdict_of(2), "ineffective", "{}", sickbay.story());
    assert_eq!(limits(&container), before, "{}", sickbay.story());
    assert_eq!(docker(&["inspect", "-f", "{{.State.Status}}", &container.id]), "exited");
    assert_eq!(events.until_now(), ["die", "update"], "{}", sickbay.story());
    docker(&["start", &container.id]);
    assert_eq!(limits(&container), before, "it starts within them");
}

#[test]
fn a_limit_is_not_lowered_below_what_is_in_use() {
    let (container, sickbay, alert, _) = lent("full");
    let raised = limits(&container);
    // What lies in memory and cannot be given back counts, unlike the cache of a disk.
    docker(&["exec", &container.id, "busybox", "dd", "if=/dev/zero", "of=/dev/shm/full", "bs=1048576", "count=60"]);
    assert_eq!(sickbay.post(&notification(&[resolved(&alert)])).status, 200);
    let no = refused(&sickbay, 2);
    assert_eq!(no["reason"], "memory_in_use", "{no}");
    assert!(no["detail"].to_string().contains("by hand"), "it says what to do: {no}");
    assert!(60 * MIB < no["inputs"]["memory_in_use"].as_str().unwrap().parse().unwrap(), "{no}");
    assert_eq!(limits(&container), raised, "{}", sickbay.story());
}

#[test]
fn what_somebody_else_has_set_since_is_left_alone() {
    let (container, sickbay, alert, _) = lent("changed");
    docker(&["update", "--memory", "160m", "--memory-swap", "320m", &container.id]);
    let theirs = limits(&container);
    assert_eq!(sickbay.post(&notification(&[resolved(&alert)])).status, 200);
    let no = refused(&sickbay, 2);
    assert_eq!(no["reason"], "limits_changed", "{no}");
    assert_eq!(limits(&container), theirs, "{}", sickbay.story());
}
