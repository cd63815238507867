//! What real Alertmanagers sent in ten recorded situations, sent once more to the real daemon with a real container.
//!
//! The times in a recording are moved so that it begins now. Waiting is kept where it matters: nothing is sent before
//! the last moment that it tells of. The table says how often the container is restarted, and why.

use crate::http::request;
use crate::sickbay_process::Sickbay;
use crate::support::{EngineEvents, WIDE_LIMITS, WIDE_SETTINGS, dead_container, down_for, restarts};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// An hour is long enough to outlast every recording.
const CALM: &str = "{runs: 1000, per: 1h, cooldown: 1h}";

/// How many are replayed at once: more would make the engine slow, and times matter.
const LANES: usize = 5;

/// Recorded situation, limits, restarts, why.
type Row = (&'static str, &'static str, usize, &'static str);

const TABLE: &[Row] = &[
    ("A_silence_then_resolve_then_refire", WIDE_LIMITS, 1, "the silence hides the end and the second firing"),
    (
        "B_max_alerts_status",
        WIDE_LIMITS,
        0,
        "alerts were left out of the notification, so nobody knows how many there are",
    ),
    ("C_kill9_restart", WIDE_LIMITS, 1, "an Alertmanager that forgot sends the same episode again"),
    ("D_reload_groupkey", WIDE_LIMITS, 1, "another group key is not another episode"),
    ("E_ha_receiver_slower_than_peer_timeout", WIDE_LIMITS, 1, "two peers tell of one episode"),
    ("E2_ha_fast", WIDE_LIMITS, 1, "one peer tells of it"),
    ("F_flap_inside_group_interval", CALM, 1, "a later start is a new episode, but the cooldown holds for its target"),
    (
        "F_flap_inside_group_interval",
        WIDE_LIMITS,
        2,
        "a later start is a new episode; the alert beside it finds it busy",
    ),
    ("G_repeat", WIDE_LIMITS, 1, "repeats tell nothing new, and the end asks for nothing"),
    ("H_4xx_then_resolve_before_success", WIDE_LIMITS, 1, "what was refused there is taken here, once"),
    ("I_two_proms_startsAt_moves_earlier", WIDE_LIMITS, 1, "an earlier start, or the same after the end, is the same"),
];

fn payloads() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/payloads")
}

fn recordings() -> Vec<String> {
    let names = std::fs::read_dir(payloads()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| name.starts_with("scen-")).collect();
    names.sort();
    names
}

#[test]
fn each_recorded_sequence_causes_the_actions_it_should_and_no_others() {
    let mut replays = Vec::new();
    for name in recordings() {
        let rows = TABLE.iter().enumerate().filter(|(_, row)| name.ends_with(&format!("-{}.json", row.0)));
        let before = replays.len();
        replays.extend(rows.map(|(row, expected)| (name.clone(), row, expected)));
        assert!(before < replays.len(), "the table says nothing about {name}");
    }
    let todo = Mutex::new(replays);
    let wrong = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..LANES {
            scope.spawn(|| {
                while let Some((name, row, expected)) = next(&todo) {
                    let outcome = replay(&name, row, expected);
                    wrong.lock().unwrap().extend(outcome.err());
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

fn next<T>(todo: &Mutex<Vec<T>>) -> Option<T> {
    todo.lock().unwrap().pop()
}

/// Replays one recording; the error tells what was wrong.
fn replay(name: &str, row: usize, (_, limits, expected, why): &Row) -> Result<(), String> {
    let text = std::fs::read_to_string(payloads().join(name)).unwrap();
    let recording: Value = serde_json::from_str(&text).unwrap();
    let purpose = name.trim_start_matches("scen-").trim_end_matches(".json").replace(['.', '_'], "-");
    let container = dead_container(&format!("{purpose}-{row}"), &[]);
    let sickbay = Sickbay::running(&down_for(&format!("{{container: {}}}", container.name), limits), WIDE_SETTINGS);
    let events = EngineEvents::of(&container);
    let requests = recording["sequence"].as_array().unwrap();
    let shift = now() - moments(&requests[0]).into_iter().max().unwrap();
    for request in requests {
        send(&sickbay, request, shift);
        settle(&sickbay);
    }
    let seen = restarts(&events.until_now());
    if seen == *expected {
        return Ok(());
    }
    Err(format!("{name} under {limits}: {seen} restarts, should be {expected} ({why})\n{}", sickbay.story()))
}

/// Waits until every alert that a playbook took is decided on, and every run is over.
fn settle(sickbay: &Sickbay) {
    sickbay.until("everything is decided and done", || {
        let (decisions, closed) = (sickbay.records_of("decision"), sickbay.records_of("incident.closed"));
        let taken = sickbay.records_of("alert.received").into_iter().filter(|alert| !alert["inc"].is_null());
        let over = |incident: &Value| {
            let decided = decisions.iter().find(|decision| decision["inc"] == *incident);
            decided.is_some_and(|decision| decision["result"] == "refused")
                || closed.iter().any(|closed| closed["inc"] == *incident)
        };
        taken.into_iter().all(|alert| over(&alert["inc"])).then_some(())
    });
}

/// Sends one recorded request, with its own headers, once it is time for all it tells of.
fn send(sickbay: &Sickbay, recorded: &Value, shift: TimeDelta) {
    let latest = moments(recorded).into_iter().max().unwrap() + shift;
    let wait = (latest + TimeDelta::milliseconds(500) - now()).to_std().unwrap_or_default();
    std::thread::sleep(wait);
    let mut body: Value = serde_json::from_str(recorded["body"].as_str().unwrap()).unwrap();
    for alert in body["alerts"].as_array_mut().unwrap() {
        for key in ["startsAt", "endsAt"] {
            let moved = moment(&alert[key]).map(|at| (at + shift).to_rfc3339_opts(SecondsFormat::Micros, true));
            if let Some(moved) = moved {
                alert[key] = moved.into();
            }
        }
    }
    let headers: Vec<(&str, &str)> = recorded["headers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|header| (header[0].as_str().unwrap(), header[1].as_str().unwrap()))
        .filter(|(name, _)| !["Host", "Content-Length"].contains(name))
        .collect();
    let answer = request(sickbay.port, "POST /api/v1/webhook", &headers, &body.to_string()).unwrap();
    assert_eq!(
        (answer.status, answer.header("Content-Type")),
        (200, Some("application/json")),
        "{answer:?}\n{}",
        sickbay.story()
    );
}

/// All moments a recorded request tells of.
fn moments(recorded: &Value) -> Vec<DateTime<Utc>> {
    let body: Value = serde_json::from_str(recorded["body"].as_str().unwrap()).unwrap();
    let alerts = body["alerts"].as_array().unwrap();
    alerts.iter().flat_map(|alert| [moment(&alert["startsAt"]), moment(&alert["endsAt"])]).flatten().collect()
}

fn moment(text: &Value) -> Option<DateTime<Utc>> {
    let at: DateTime<Utc> = text.as_str()?.parse().ok()?;
    (0 < at.timestamp()).then_some(at)
}

#[expect(clippy::disallowed_methods, reason = "a recording is moved to this moment")]
fn now() -> DateTime<Utc> {
    Utc::now()
}
