//! A Docker that hangs, cuts the line or is kept from us: an action's outcome is looked up and its call never repeated.

use crate::alerts::{firing, notification};
use crate::fake_docker::{FakeDocker, Reply};
use crate::rules::{DOWN, engine, settings};
use crate::sickbay_process::Sickbay;
use serde_json::json;

/// Sends the alert that leads to a restart of `web`.
fn alarm(sickbay: &Sickbay) {
    let alert = firing(&json!({"alertname": "Down", "container": "web"}));
    assert_eq!(sickbay.post(&notification(&[alert])).json()["accepted"], 1, "{}", sickbay.story());
}

/// The restart happened although nobody said so.
fn restart_unheard(docker: &FakeDocker) {
    let mut container = crate::fake_docker::running("ab", "web");
    container["Config"]["Labels"]["sickbay.enable"] = "true".into();
    container["State"]["StartedAt"] = "2026-08-20T10:30:00Z".into();
    docker.put(container);
}

/// Waits for the end; verdict, outcome of the call, finding of the look.
fn ending(sickbay: &Sickbay) -> [String; 3] {
    let verdict = sickbay.verdict_of(1);
    let word = |kind: &str, key: &str| {
        let record = sickbay.records_of(kind).into_iter().next();
        record.map(|record| record[key].as_str().unwrap_or_default().to_owned()).unwrap_or_default()
    };
    [verdict, word("action.outcome", "result"), word("action.reconciled", "result")]
}

fn assert_sent_once(docker: &FakeDocker) {
    assert_eq!(docker.count("POST", "/restart"), 1, "{:?}", docker.requests());
}

// Each of the first three takes the half minute after which Docker itself would have given up.

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_that_hangs_and_was_not_done_is_looked_up_and_not_sent_again() {
    let docker = engine();
    docker.always("POST", "/restart", Reply::Silence);
    let sickbay = Sickbay::running(DOWN, &settings(&docker));
    alarm(&sickbay);
    assert_eq!(ending(&sickbay), ["abandoned", "unknown", "not_applied"], "{}", sickbay.story());
    assert_sent_once(&docker);
    assert_eq!(sickbay.records_of("notify.intent").len(), 1, "{}", sickbay.story());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_that_was_cut_off_and_done_all_the_same_is_found_out() {
    let docker = engine();
    docker.always("POST", "/restart", Reply::Cut);
    let sickbay = Sickbay::running(DOWN, &settings(&docker));
    alarm(&sickbay);
    sickbay.wait_for("action.outcome", 1);
    restart_unheard(&docker);
    assert_eq!(ending(&sickbay), ["recovered", "unknown", "observed"], "{}", sickbay.story());
    assert_sent_once(&docker);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_killed_during_the_call_looks_before_it_does_anything_else() {
    let docker = engine();
    docker.always("POST", "/restart", Reply::Silence);
    let mut sickbay = Sickbay::running(DOWN, &settings(&docker));
    alarm(&sickbay);
    sickbay.until("the call is under way", || (docker.count("POST", "/restart") == 1).then_some(()));
    sickbay.kill();
    restart_unheard(&docker);
    sickbay.start(&[]);
    let [verdict, outcome, finding] = ending(&sickbay);
    assert_eq!((verdict.as_str(), finding.as_str()), ("recovered", "observed"), "{outcome}\n{}", sickbay.story());
    assert_sent_once(&docker);
}

/// As [`DOWN`], but it stops and starts.
fn stop_and_start() -> String {
    DOWN.replace("- restart: {stop_timeout: 0s}", "- stop: {stop_timeout: 0s}\n      - start: {}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_killed_during_a_stop_or_a_start_looks_and_goes_on() {
    for verb in ["stop", "start"] {
        let docker = engine();
        docker.always("POST", &format!("/{verb}"), Reply::Silence);
        let mut sickbay = Sickbay::running(&stop_and_start(), &settings(&docker));
        alarm(&sickbay);
        sickbay.until("the call is under way", || (docker.count("POST", &format!("/{verb}")) == 1).then_some(()));
        sickbay.kill();
        // It was done although nobody said so.
        let mut container = crate::fake_docker::running("ab", "web");
        container["Config"]["Labels"]["sickbay.enable"] = "true".into();
        match verb {
            "stop" => container["State"]["Status"] = "exited".into(),
            _ => container["State"]["StartedAt"] = "2026-08-20T10:30:00Z".into(),
        }
        docker.put(container);
        sickbay.start(&[]);
        assert_eq!(sickbay.verdict_of(1), "recovered", "{verb}: {}", sickbay.story());
        let findings = sickbay.records_of("action.reconciled");
        assert_eq!(
            (findings.len(), findings[0]["result"].as_str()),
            (1, Some("observed")),
            "{verb}: {}",
            sickbay.story()
        );
        assert_eq!((docker.count("POST", "/stop"), docker.count("POST", "/start")), (1, 1), "{:?}", docker.requests());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_fails_after_its_stop_calls_people() {
    let docker = engine();
    docker.always("POST", "/start", Reply::Json(500, json!({"message": "port is already allocated"})));
    let sickbay = Sickbay::running(&stop_and_start(), &settings(&docker));
    alarm(&sickbay);
    assert_eq!(sickbay.verdict_of(1), "failed", "{}", sickbay.story());
    assert_eq!(sickbay.records_of("notify.intent").len(), 1, "{}", sickbay.story());
    assert_eq!((docker.count("POST", "/stop"), docker.count("POST", "/start")), (1, 1), "{:?}", docker.requests());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_that_cannot_be_read_keeps_our_hands_off() {
    let docker = engine();
    docker.always("GET", "/events", Reply::Text(403, "text/html", String::new()));
    let sickbay = Sickbay::running(DOWN, &settings(&docker).replace("hands_off: 0s", "hands_off: 5m"));
    alarm(&sickbay);
    let decision = &sickbay.wait_for("decision", 1)[0];
    assert_eq!(decision["reason"], "docker_unavailable", "{decision}");
    assert!(decision["detail"].to_string().contains("/events"), "{decision}");
    assert_eq!(docker.count("POST", ""), 0, "{:?}", docker.requests());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_keeps_us_from_looking_is_a_refusal_of_its_own() {
    let docker = engine();
    let page = "<html><body><h1>403 Forbidden</h1></body></html>";
    docker.always("GET", "/containers/", Reply::Text(403, "text/html", page.to_owned()));
    let sickbay = Sickbay::running(DOWN, &settings(&docker));
    alarm(&sickbay);
    let decision = &sickbay.wait_for("decision", 1)[0];
    assert_eq!((&decision["gate"], &decision["reason"]), (&"target".into(), &"docker_denied".into()), "{decision}");
    let detail = decision["detail"].as_str().unwrap();
    for part in ["container web:", "was denied by the socket proxy", "http 403", "`sickbay permissions`"] {
        assert!(detail.contains(part), "{part}: {detail}");
    }
    assert_eq!(docker.count("POST", ""), 0, "{:?}", docker.requests());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_keeps_us_from_acting_makes_the_run_fail_at_once() {
    let docker = engine();
    docker.always("POST", "/restart", Reply::Text(403, "text/html", "<html>Forbidden</html>".to_owned()));
    let sickbay = Sickbay::running(DOWN, &settings(&docker));
    alarm(&sickbay);
    assert_eq!(ending(&sickbay), ["failed", "failed", ""], "{}", sickbay.story());
    let error = sickbay.records_of("action.outcome")[0]["error"].to_string();
    assert!(error.contains("403") || error.contains("denied"), "{error}");
    assert_sent_once(&docker);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_sends_nothing_but_questions() {
    let docker = engine();
    let mut sickbay = Sickbay::new(DOWN, &settings(&docker));
    sickbay.start(&["--dry-run"]);
    alarm(&sickbay);
    assert_eq!(ending(&sickbay), ["unknown", "rehearsed", ""], "{}", sickbay.story());
    let others: Vec<_> = docker.requests().into_iter().filter(|line| !line.starts_with("GET ")).collect();
    assert_eq!(others, Vec::<String>::new());
}
