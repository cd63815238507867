//! The same container, the same alert: whether anything happens depends on the hour and on what the playbook asks.

use crate::alerts::{firing, notification};
use crate::sickbay_process::Sickbay;
use crate::support::{EngineEvents, WIDE_LIMITS, WIDE_SETTINGS, dead_container, down};
use serde_json::{Value, json};

/// Holds today and for many years, or not at all.
const INTERVALS: &str = "time_intervals:
  - {name: this-century, time_intervals: [{years: ['2020:2099'], location: Europe/Berlin}]}
  - {name: long-ago, time_intervals: [{years: ['1999']}]}
";

fn rules(when: &str) -> String {
    let playbook = down(WIDE_LIMITS).replace("    limits:", &format!("{when}    limits:"));
    playbook.replace("playbooks:\n", &format!("{INTERVALS}playbooks:\n"))
}

/// Sends one alert about a killed container; the first decision, and what the engine was asked to do.
fn decision(purpose: &str, when: &str) -> (Value, Vec<String>) {
    let container = dead_container(purpose, &[]);
    let sickbay = Sickbay::running(&rules(when), WIDE_SETTINGS);
    let events = EngineEvents::of(&container);
    let alert = firing(&json!({"alertname": "Down", "container": container.name, "depth": "12"}));
    assert_eq!(sickbay.post(&notification(&[alert])).status, 200);
    let decision = sickbay.wait_for("decision", 1).remove(0);
    if decision["result"] == "run" {
        assert_eq!(sickbay.verdict_of(1), "recovered", "{}", sickbay.story());
    }
    (decision, events.until_now())
}

const MUTED: &str = "    mute_time_intervals: [this-century]\n";
const OUTSIDE: &str = "    active_time_intervals: [long-ago]\n";
const OPEN: &str = "    active_time_intervals: [long-ago, this-century]\n    mute_time_intervals: [long-ago]\n";

#[test]
fn a_muted_playbook_refuses_and_an_active_one_acts() {
    for (purpose, when, reason) in
        [("muted", MUTED, "muted_time_interval"), ("outside", OUTSIDE, "outside_time_interval")]
    {
        let (decision, events) = decision(purpose, when);
        assert_eq!((&decision["gate"], &decision["reason"]), (&json!("time_interval"), &json!(reason)), "{decision}");
        assert!(!decision["inputs"]["local_time"].as_str().unwrap().is_empty(), "{decision}");
        assert_eq!(events, Vec::<String>::new());
    }
    let (decision, events) = decision("active", OPEN);
    assert_eq!((&decision["result"], events), (&json!("run"), vec!["start".to_owned(), "restart".to_owned()]));
}

#[test]
fn a_condition_is_asked_about_the_container_that_docker_shows() {
    let asked = "    if: target.state == \"exited\" && target.exit_code == 137 && int(labels.depth) > 10\n";
    let (yes, events) = decision("condition-true", asked);
    assert_eq!((&yes["result"], events), (&json!("run"), vec!["start".to_owned(), "restart".to_owned()]), "{yes}");
    for (purpose, when, reason, seen) in [
        ("condition-false", asked.replace("137", "1"), "condition_false", ("target.exit_code", "137")),
        ("condition-error", asked.replace("depth", "width"), "condition_error", ("labels.width", "(absent)")),
    ] {
        let (no, events) = decision(purpose, &when);
        assert_eq!((&no["gate"], &no["reason"]), (&json!("condition"), &json!(reason)), "{no}");
        assert_eq!(no["inputs"][seen.0], seen.1, "{no}");
        assert_eq!(events, Vec::<String>::new());
    }
}
