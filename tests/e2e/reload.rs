//! Reloading the real daemon: command line, API and signal, what is taken and what is refused, and what a reload forgets:
//! nothing.

use crate::alerts::{firing, notification};
use crate::fake_docker::{FakeDocker, Reply, running};
use crate::http::request;
use crate::rules::{DOWN, engine, settings};
use crate::sickbay_process::Sickbay;
use rustix::process::Signal;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fs;
use std::time::Duration;

const SUCCESSFUL: &str = "sickbay_config_last_reload_successful";
const SUCCESS_AT: &str = "sickbay_config_last_reload_success_timestamp_seconds";

/// [`DOWN`] with another text: the same matcher, no restart.
fn watching() -> String {
    DOWN.replace("- restart: {stop_timeout: 0s}", "- wait: 1s")
}

fn alarm(sickbay: &Sickbay, instance: &str) {
    let alert = firing(&json!({"alertname": "Down", "container": "web", "instance": instance}));
    assert_eq!(sickbay.post(&notification(&[alert])).status, 200, "{}", sickbay.story());
}

/// Runs `sickbay reload …` against the daemon: exit code, output, complaints.
fn reload(sickbay: &Sickbay, args: &[&str]) -> (Option<i32>, String, String) {
    let url = format!("http://127.0.0.1:{}", sickbay.port);
    let output = sickbay.run(&[&["reload", "--url", &url], args].concat());
    let [out, err] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    (output.status.code(), out, err)
}

fn is(sickbay: &Sickbay, series: &str, want: f64) -> bool {
    (sickbay.metric(series) - want).abs() < 0.1
}

/// The reason of the last decision, once there are so many.
fn refusal(sickbay: &Sickbay, decisions: usize) -> String {
    let decision = sickbay.wait_for("decision", decisions).remove(decisions - 1);
    decision["reason"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_reloads_and_the_record_names_each_file_with_its_digest() {
    let docker = engine();
    let sickbay = Sickbay::running(DOWN, &format!("log: {{level: error}}\n{}", settings(&docker)));
    let before = sickbay.metric(SUCCESS_AT);
    assert!(is(&sickbay, SUCCESSFUL, 1.0) && 0.0 < before);
    assert_eq!(reload(&sickbay, &[]), (Some(0), "reloaded: 1 playbook, none of them changed\n".into(), String::new()));

    let second = watching().replace("version: 1\nplaybooks:\n", "").replace("name: down", "name: second");
    let rules = format!("{}{}", watching(), second.replace("\"Down\"", "\"Up\""));
    sickbay.write(&rules, &format!("log: {{level: info}}\n{}", settings(&docker)));
    let (code, out, err) = reload(&sickbay, &["-o", "json"]);
    let said: Value = serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out} {err}"));
    let want = json!({
        "result": "reloaded", "playbooks": 2, "added": ["second"], "changed": ["down"], "removed": [], "problems": [],
    });
    assert_eq!((code, &said), (Some(0), &want));

    let loaded = sickbay.wait_for("config.loaded", 3).remove(2);
    assert_eq!(loaded["reloaded"], true, "{loaded}");
    for name in ["rules.yaml", "sickbay.yml"] {
        let text = fs::read(sickbay.storage().with_file_name(name)).unwrap();
        let digests = loaded["files"].as_object().unwrap();
        let known = digests.iter().find(|(path, _)| path.ends_with(name)).map(|(_, digest)| digest.as_str().unwrap());
        assert_eq!(known, Some(&*hex::encode(Sha256::digest(text))), "{loaded}");
    }
    assert!(is(&sickbay, "sickbay_playbooks_loaded", 2.0) && before < sickbay.metric(SUCCESS_AT));
    // The settings of before kept silent about what is no error.
    assert!(sickbay.story().contains("changed=down"), "{}", sickbay.story());
    alarm(&sickbay, "a");
    sickbay.wait_for("incident.closed", 1);
    assert_eq!(docker.count("POST", ""), 0, "{}", sickbay.story());
}

/// Where a problem that `check` found is, and what it is.
fn place(problem: &Value) -> String {
    format!("rules.yaml:{}:{}: {}", problem["line"], problem["column"], problem["message"].as_str().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mistake_anywhere_leaves_everything_as_it_was_and_is_told_as_check_tells_it() {
    let docker = engine();
    let sickbay = Sickbay::running(DOWN, &settings(&docker));
    let broken = DOWN.replace("runs: 1000", "runs: many").replace("within: 30s", "within: 30");
    // The settings of the same reload would be fine, and are not taken either.
    sickbay.write(&broken, &format!("webhook: {{max_alert_age: 1s}}\n{}", settings(&docker)));
    let checked = sickbay.run(&["check", "-o", "json", "rules.yaml"]);
    let checked: Value = serde_json::from_slice(&checked.stdout).unwrap();
    let problems = checked["files"][0]["problems"].as_array().unwrap().iter();
    let places: Vec<String> = problems.filter(|problem| problem["severity"] == "error").map(place).collect();
    assert!(2 <= places.len(), "{checked}");

    let answer = request(sickbay.port, "POST /-/reload", &[], "").unwrap();
    assert_eq!(answer.status, 400, "{answer:?}");
    let (code, out, err) = reload(&sickbay, &[]);
    assert_eq!((code, &*out), (Some(1), ""));
    let (json_code, out, _) = reload(&sickbay, &["-o", "json"]);
    let said: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((json_code, &said["result"], &said["playbooks"]), (Some(1), &"rejected".into(), &Value::Null));
    let listed: Vec<&str> =
        said["problems"].as_array().unwrap().iter().map(|problem| problem.as_str().unwrap()).collect();
    for place in places {
        for told in [&answer.body, &err, &listed.join("\n")] {
            assert!(told.contains(&place), "{place} is missing in {told}");
        }
    }
    sickbay.signal(Signal::HUP);
    let rejected = sickbay.wait_for("config.rejected", 4).remove(3);
    assert!(rejected["problem"].as_str().unwrap().contains("rules.yaml:"), "{rejected}");
    let told = || sickbay.story().contains("not reloaded because of this").then_some(());
    sickbay.until("the problems of a signal's reload are in the daemon's own log", told);
    assert!(is(&sickbay, SUCCESSFUL, 0.0) && is(&sickbay, "sickbay_playbooks_loaded", 1.0));
    assert_eq!(sickbay.records_of("config.loaded").len(), 1);

    alarm(&sickbay, "a");
    assert_eq!(sickbay.verdict_of(1), "recovered", "{}", sickbay.story());
    assert_eq!(docker.count("POST", "/restart"), 1);
    sickbay.write(DOWN, &settings(&docker));
    sickbay.signal(Signal::HUP);
    sickbay.wait_for("config.loaded", 2);
    sickbay.until("the metric says so", || is(&sickbay, SUCCESSFUL, 1.0).then_some(()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_a_start_can_change_is_named_and_nothing_is_taken() {
    let docker = engine();
    let sickbay = Sickbay::running(DOWN, &settings(&docker));
    sickbay.write(&watching(), &format!("dry_run: true\nlog: {{format: json}}\n{}", settings(&docker)));
    let (code, _, err) = reload(&sickbay, &[]);
    assert_eq!(code, Some(1));
    for part in ["sickbay.yml:3:", "`dry_run`", "`log.format`", "cannot change while sickbay runs", "restart sickbay"] {
        assert!(err.contains(part), "{part} is missing in {err}");
    }
    alarm(&sickbay, "a");
    assert_eq!(sickbay.verdict_of(1), "recovered", "{}", sickbay.story());
    assert_eq!(docker.count("POST", "/restart"), 1, "neither the new playbook nor the dry run");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_who_may_pause_may_reload_and_looking_changes_nothing() {
    let docker = engine();
    let mut sickbay = Sickbay::new(DOWN, &format!("web: {{api_token_file: token}}\n{}", settings(&docker)));
    let token = sickbay.storage().with_file_name("token");
    fs::write(&token, "t0ken-of-everybody\n").unwrap();
    sickbay.start(&[]);
    let send = |line: &str, headers: &[(&str, &str)]| request(sickbay.port, line, headers, "").unwrap().status;
    let bearer = ("Authorization", "Bearer t0ken-of-everybody");
    assert_eq!(send("POST /-/reload", &[]), 401);
    assert_eq!(send("GET /-/reload", &[bearer]), 405);
    assert_eq!(send("POST /-/reload", &[bearer, ("Origin", "http://evil.example")]), 403);
    let (code, _, err) = reload(&sickbay, &[]);
    assert!(code == Some(1) && err.contains("401") && err.contains("web.api_token_file"), "{err}");
    assert_eq!(sickbay.records_of("config.loaded").len(), 1);

    // The file may hold another token by now: that one counts from the reload on.
    fs::write(&token, "an0ther-of-everybody\n").unwrap();
    assert_eq!(send("PUT /-/reload", &[bearer]), 200);
    assert_eq!(send("POST /-/reload", &[bearer]), 401);
    let (code, _, err) = reload(&sickbay, &["--token-file", token.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{err}");
    sickbay.stop();
    assert_eq!(reload(&sickbay, &[]).0, Some(4));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_ends_by_the_playbook_it_began_with_and_the_next_goes_by_the_new_one() {
    let docker = engine();
    docker.once("POST", "/restart", Reply::SlowHead(Duration::from_secs(3), Value::Null));
    let sickbay = Sickbay::running(DOWN, &settings(&docker));
    alarm(&sickbay, "a");
    sickbay.until("the call is under way", || (docker.count("POST", "/restart") == 1).then_some(()));
    let told = "version: 1\nplaybooks:\n  - name: told\n    matchers: ['alertname = \"Down\"']\n    steps:\n      \
                - notify: {to: [log], severity: info, message: seen}\n";
    sickbay.write(told, &settings(&docker));
    assert_eq!(reload(&sickbay, &[]).1, "reloaded: 1 playbook\nadded: told\nremoved: down\n");
    assert_eq!(sickbay.records_of("action.outcome").len(), 0, "it was in the middle: {}", sickbay.story());
    restarted(&docker);
    assert_eq!(sickbay.verdict_of(1), "recovered", "{}", sickbay.story());
    assert_eq!(sickbay.records_of("step.finished").len(), 2, "capture and verify: {}", sickbay.story());

    alarm(&sickbay, "b");
    sickbay.wait_for("incident.closed", 2);
    assert_eq!(sickbay.records_of("alert.received")[1]["playbook"], "told", "{}", sickbay.story());
    assert_eq!(docker.count("POST", "/restart"), 1);
}

/// What the slow answer stands for.
fn restarted(docker: &FakeDocker) {
    let mut container = running("ab", "web");
    container["Config"]["Labels"]["sickbay.enable"] = "true".into();
    container["State"]["StartedAt"] = "2026-08-20T10:30:00Z".into();
    docker.put(container);
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_are_not_forgotten_by_a_reload() {
    for (name, rules, limits, reason) in [
        ("budget", DOWN.replace("runs: 1000", "runs: 1"), "", "budget_exhausted"),
        ("cooldown", DOWN.replace("cooldown: 0s", "cooldown: 1h"), "", "cooldown"),
        ("breaker", DOWN.to_owned(), ", breaker: {failures: 1, per: 1h, open_for: 1h}", "breaker_open"),
    ] {
        let docker = engine();
        if name == "breaker" {
            docker.always("POST", "/restart", Reply::Json(500, json!({"message": "no"})));
        }
        let settings = settings(&docker).replace(", max_parallel", &format!("{limits}, max_parallel"));
        let sickbay = Sickbay::running(&rules, &settings);
        alarm(&sickbay, "a");
        sickbay.wait_for("incident.closed", 1);
        // Another text, and with it another revision.
        sickbay.write(&rules.replace("name: down", "name: down\n    description: 'treats what is down'"), &settings);
        assert_eq!(reload(&sickbay, &[]).1, "reloaded: 1 playbook\nchanged: down\n", "{name}");
        alarm(&sickbay, "b");
        assert_eq!(refusal(&sickbay, 2), reason, "{}", sickbay.story());
        assert_eq!(docker.count("POST", ""), 1, "{}", sickbay.story());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_holds_over_a_reload() {
    let docker = engine();
    let sickbay = Sickbay::running(DOWN, &settings(&docker));
    let url = format!("http://127.0.0.1:{}", sickbay.port);
    let paused = sickbay.run(&["pause", "playbook:down", "--reason", "x", "--url", &url]);
    assert!(paused.status.success(), "{paused:?}");
    sickbay.write(&watching(), &settings(&docker));
    assert_eq!(reload(&sickbay, &[]).0, Some(0));
    alarm(&sickbay, "a");
    assert_eq!(refusal(&sickbay, 1), "paused", "{}", sickbay.story());
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_take_effect_with_the_reload() {
    let docker = engine();
    let sender = |token: &str| {
        let sender = format!("webhook: {{senders: [{{name: am, bearer_token: {token}}}]}}\n");
        format!("{sender}{}", settings(&docker))
    };
    let sickbay = Sickbay::running(DOWN, &sender("0ld"));
    let post = |token: &str, instance: &str| {
        let alert = firing(&json!({"alertname": "Down", "container": "web", "instance": instance}));
        let headers = [("Content-Type", "application/json"), ("Authorization", &*format!("Bearer {token}"))];
        request(sickbay.port, "POST /webhook", &headers, &notification(&[alert]).to_string()).unwrap().status
    };
    assert_eq!((post("0ld", "a"), post("n3w", "a")), (200, 401));
    sickbay.wait_for("incident.closed", 1);
    // A notifier that the new playbooks name must be there from the first of them on.
    let told = "      - notify: {to: [chat], severity: info, message: done}\n    on_failure:";
    let rules = DOWN.replace("    on_failure:", told);
    let chat = "notifiers: [{name: chat, http: {url: 'http://127.0.0.1:9/'}}]\n";
    sickbay.write(&rules, &format!("{chat}{}", sender("n3w")));
    assert_eq!(reload(&sickbay, &[]).0, Some(0));
    assert_eq!((post("0ld", "b"), post("n3w", "b")), (401, 200));
    let outcome = sickbay.wait_for("notify.outcome", 1).remove(0);
    assert!(!outcome.to_string().contains("no notifier named"), "{outcome}");

    let protect = sender("n3w").replace("docker: {", "docker: {protect: [web], ");
    sickbay.write(&rules, &format!("{chat}{protect}"));
    assert_eq!(reload(&sickbay, &[]).0, Some(0));
    let decided = sickbay.records_of("decision").len();
    assert_eq!(post("n3w", "c"), 200);
    assert_eq!(refusal(&sickbay, decided + 1), "protected", "{}", sickbay.story());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_that_waits_is_taken_by_the_corrected_playbook_when_it_comes_again() {
    let docker = engine();
    let wrong = DOWN.replace("'{{ labels.container }}'", "'{{ labels.container }}-1'");
    let sickbay = Sickbay::running(&wrong, &settings(&docker));
    let alert = firing(&json!({"alertname": "Down", "container": "web"}));
    sickbay.post(&notification(std::slice::from_ref(&alert)));
    assert_eq!(refusal(&sickbay, 1), "target_missing", "{}", sickbay.story());
    sickbay.write(DOWN, &settings(&docker));
    assert_eq!(reload(&sickbay, &[]).0, Some(0));
    let closed = sickbay.wait_for("incident.closed", 1).remove(0);
    assert_eq!((&closed["verdict"], &closed["reason"]), (&"abandoned".into(), &"playbook_changed".into()), "{closed}");
    sickbay.post(&notification(&[alert]));
    assert_eq!(sickbay.verdict_of(2), "recovered", "{}", sickbay.story());
    assert_eq!(sickbay.records_of("alert.received")[1]["sight"], "reconsidered");
}
