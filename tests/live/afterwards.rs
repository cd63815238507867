//! What follows the end of an alert, and the containers of a selector, on a real engine.

use crate::alerts::{firing, notification, resolved};
use crate::real_docker::{OBEDIENT, TestContainer, docker, unique};
use crate::sickbay_process::Sickbay;
use crate::support::{EngineEvents, OPTED_IN, WIDE_LIMITS, WIDE_SETTINGS, dead_container, down, down_for, restarts};
use serde_json::json;

fn state(container: &TestContainer) -> String {
    docker(&["inspect", "-f", "{{.State.Status}}", &container.id])
}

#[test]
fn a_container_that_was_restarted_is_restarted_once_more_when_its_alert_has_resolved() {
    let container = dead_container("afterwards", &[]);
    let afterwards = "    on_resolved:\n      - wait: 1s\n      - restart: {stop_timeout: 1s}\n";
    let sickbay = Sickbay::running(&format!("{}\n{afterwards}", down(WIDE_LIMITS).trim_end()), WIDE_SETTINGS);
    let events = EngineEvents::of(&container);
    let alert = firing(&json!({"alertname": "Down", "container": container.name}));
    assert_eq!(sickbay.post(&notification(std::slice::from_ref(&alert))).status, 200);
    assert_eq!(sickbay.verdict_of(1), "recovered", "{}", sickbay.story());
    let end = resolved(&alert);
    for _ in 0..2 {
        assert_eq!(sickbay.post(&notification(std::slice::from_ref(&end))).status, 200);
    }
    assert_eq!(sickbay.verdict_of(2), "recovered", "{}", sickbay.story());
    let opened = sickbay.records_of("incident.opened");
    assert_eq!(opened.len(), 1, "{}", sickbay.story());
    let first = sickbay.records_of("alert.received")[0]["inc"].clone();
    assert_eq!((&opened[0]["of"], &opened[0]["cause"]), (&first, &json!("resolved")));
    assert_eq!(restarts(&events.until_now()), 2, "{}", sickbay.story());
    assert_eq!(sickbay.metric("sickbay_incidents_opened_total{playbook=\"down\",cause=\"resolved\"}"), 1.0);
    let told = sickbay.run(&["log", "show", opened[0]["inc"].as_str().unwrap()]);
    let told = String::from_utf8(told.stdout).unwrap();
    let words = format!("after {} for {}, because the alert resolved", first.as_str().unwrap(), container.name);
    assert!(told.contains(&words), "{told}");
}

#[test]
fn what_was_stopped_for_an_alert_is_started_after_it() {
    let container = TestContainer::run("parked", &[&OPTED_IN[..], &["--restart", "always"]].concat(), &OBEDIENT);
    let parking = down(WIDE_LIMITS)
        .replace("- restart: {start_if_stopped: true, stop_timeout: 1s}", "- stop: {stop_timeout: 1s}");
    let parking = format!("{}\n    on_resolved:\n      - start: {{}}\n", parking.trim_end());
    let sickbay = Sickbay::running(&parking, WIDE_SETTINGS);
    let alert = firing(&json!({"alertname": "Down", "container": container.name}));
    assert_eq!(sickbay.post(&notification(std::slice::from_ref(&alert))).status, 200);
    assert_eq!(sickbay.verdict_of(1), "recovered", "{}", sickbay.story());
    assert_eq!(state(&container), "exited");
    assert_eq!(sickbay.post(&notification(&[resolved(&alert)])).status, 200);
    assert_eq!(sickbay.verdict_of(2), "recovered", "{}", sickbay.story());
    assert_eq!(state(&container), "running");
}

#[test]
fn a_selector_treats_each_container_in_an_incident_of_its_own_and_none_of_too_many() {
    let role = unique("role");
    let label = format!("sbtest.role={role}");
    let near = format!("sbtest.role={role}x");
    let labelled =
        |label: &str| [&OPTED_IN[..], &["--label"], &[label]].concat().iter().map(ToString::to_string).collect();
    let run = |purpose: &str, label: &str| {
        let options: Vec<String> = labelled(label);
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        TestContainer::run(purpose, &options, &OBEDIENT)
    };
    let (one, two, other) = (run("sel-a", &label), run("sel-b", &label), run("sel-c", &near));
    let selecting = |max: u32| {
        down_for(&format!("{{selector: {{sbtest.role: '{{{{ labels.container }}}}'}}, max: {max}}}"), WIDE_LIMITS)
    };
    let sickbay = Sickbay::running(&selecting(2), WIDE_SETTINGS);
    let (events_one, events_two) = (EngineEvents::of(&one), EngineEvents::of(&two));
    let events_other = EngineEvents::of(&other);
    let alert = firing(&json!({"alertname": "Down", "container": role}));
    assert_eq!(sickbay.post(&notification(std::slice::from_ref(&alert))).status, 200);
    sickbay.wait_for("incident.closed", 2);
    let opened = sickbay.records_of("incident.opened");
    assert_eq!((opened.len(), &opened[0]["cause"]), (1, &json!("further_target")), "{}", sickbay.story());
    assert_eq!(restarts(&events_one.until_now()), 1, "{}", sickbay.story());
    assert_eq!(restarts(&events_two.until_now()), 1, "{}", sickbay.story());
    assert_eq!(restarts(&events_other.until_now()), 0, "{}", sickbay.story());
    drop(sickbay);

    let sickbay = Sickbay::running(&selecting(1), WIDE_SETTINGS);
    assert_eq!(sickbay.post(&notification(&[alert])).status, 200);
    let decision = sickbay.wait_for("decision", 1).remove(0);
    assert_eq!(decision["reason"], "target_ambiguous", "{}", sickbay.story());
    assert_eq!(sickbay.records_of("action.intent").len(), 0);
}
