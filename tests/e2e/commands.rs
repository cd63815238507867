//! What a running daemon tells about itself: `status`, `healthcheck`, the metrics.

use crate::alerts::{firing, notification};
use crate::http::request;
use crate::rules::{DOWN, engine, settings};
use crate::sickbay_process::Sickbay;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_in_the_metrics() {
    let docker = engine();
    let sickbay = Sickbay::running(DOWN, &settings(&docker));
    let unopted = crate::fake_docker::running("cd", "plain");
    docker.put(unopted);
    let alerts = ["web", "plain"].map(|name| firing(&json!({"alertname": "Down", "container": name})));
    assert_eq!(sickbay.post(&notification(&alerts)).status, 200);
    assert_eq!(sickbay.verdict_of(1), "recovered", "{}", sickbay.story());
    for (series, want) in [
        ("sickbay_webhook_requests_total{code=\"200\"}", 1.0),
        ("sickbay_webhook_alerts_total{status=\"firing\"}", 2.0),
        ("sickbay_evaluations_total{playbook=\"down\",result=\"matched\"}", 2.0),
        ("sickbay_suppressed_total{playbook=\"down\",reason=\"not_opted_in\"}", 1.0),
        ("sickbay_runs_total{playbook=\"down\",outcome=\"recovered\",dry_run=\"false\"}", 1.0),
        ("sickbay_actions_total{action=\"container.restart\",outcome=\"succeeded\"}", 1.0),
        ("sickbay_open_episodes", 2.0),
        ("sickbay_incidents_open", 1.0),
        ("sickbay_docker_up{host=\"local\"}", 1.0),
        ("sickbay_incident_log_poisoned", 0.0),
        ("sickbay_playbooks_loaded", 1.0),
    ] {
        let found = sickbay.until(series, || Some(sickbay.metric(series)).filter(|found| (found - want).abs() < 0.1));
        assert!((found - want).abs() < 0.1);
    }
    let last = sickbay.records().last().unwrap()["seq"].as_f64().unwrap();
    assert!((sickbay.metric("sickbay_incident_log_last_seq") - last).abs() < 0.1, "{}", sickbay.story());
    let answer = request(sickbay.port, "GET /metrics", &[], "").unwrap();
    assert!(answer.header("Content-Type").is_some_and(|kind| kind.contains("text/")), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn status_and_healthcheck_tell_of_a_daemon_that_runs_and_of_one_that_does_not() {
    let docker = engine();
    let mut sickbay = Sickbay::running(DOWN, &settings(&docker));
    let url = format!("http://127.0.0.1:{}", sickbay.port);
    let code = |sickbay: &Sickbay, args: &[&str]| sickbay.run(&[args, &["--url", &url]].concat()).status.code();
    assert_eq!(code(&sickbay, &["healthcheck"]), Some(0));
    assert_eq!(code(&sickbay, &["healthcheck", "--ready"]), Some(0));

    let alert = firing(&json!({"alertname": "Down", "container": "nobody"}));
    sickbay.post(&notification(&[alert]));
    sickbay.wait_for("decision", 1);
    let refused = || {
        let printed = sickbay.run(&["status", "-o", "json", "--url", &url]);
        assert_eq!(printed.status.code(), Some(0), "{printed:?}");
        let status: Value = serde_json::from_slice(&printed.stdout).unwrap();
        (status["incidents"][0]["doing"] == "refused").then_some(status)
    };
    // What others see follows what is recorded, a moment later.
    let status = sickbay.until("the status shows the refusal", refused);
    assert_eq!((&status["ready"], &status["dry_run"]), (&true.into(), &false.into()), "{status}");
    assert_eq!(status["docker"]["state"], "answering", "{status}");
    assert_eq!(status["incidents"][0]["reason"], "target_missing", "{status}");
    let text = sickbay.run(&["status", "--url", &url]);
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.contains("ready") && text.contains("refused (target_missing)"), "{text}");

    sickbay.stop();
    assert_eq!(code(&sickbay, &["status"]), Some(4));
    assert_eq!(code(&sickbay, &["healthcheck"]), Some(1));
    let verified = sickbay.run(&["log", "verify", "data"]);
    assert!(verified.status.success(), "{verified:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_whose_docker_is_gone_is_alive_and_not_ready() {
    let docker = engine();
    let sickbay = Sickbay::running(DOWN, &settings(&docker));
    drop(docker);
    let url = format!("http://127.0.0.1:{}", sickbay.port);
    let code = |args: &[&str]| sickbay.run(&[args, &["--url", &url]].concat()).status.code();
    sickbay.until("it notices", || (code(&["healthcheck", "--ready"]) == Some(1)).then_some(()));
    assert_eq!(code(&["healthcheck"]), Some(0));
    // It goes on taking alerts, and says why nothing is done.
    let alert = firing(&json!({"alertname": "Down", "container": "web"}));
    assert_eq!(sickbay.post(&notification(&[alert])).status, 200);
    assert_eq!(sickbay.wait_for("decision", 1)[0]["reason"], "docker_unavailable", "{}", sickbay.story());
}

/// On a terminal: `script` lends one.
#[test]
fn whoever_leaves_hash_password_keeps_a_terminal_that_shows_what_is_typed() {
    use std::io::{Read, Write};
    use std::process::{Command, Stdio};
    let asks = format!("{} hash-password; echo left with $?; stty -a; echo end", env!("CARGO_BIN_EXE_sickbay"));
    let mut shell = Command::new("script")
        .args(["-qec", &asks, "/dev/null"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("`script` is part of util-linux");
    let (mut keys, mut screen) = (shell.stdin.take().unwrap(), shell.stdout.take().unwrap());
    let mut seen = String::new();
    let mut read_until = |what: &str| {
        let mut byte = [0];
        while !seen.contains(what) && screen.read(&mut byte).is_ok_and(|count| count == 1) {
            seen.push(char::from(byte[0]));
        }
        seen.clone()
    };
    read_until("password: ");
    keys.write_all(b"ses\x03").unwrap();
    let seen = read_until("\nend");
    drop(keys);
    shell.wait().unwrap();
    assert!(seen.contains("left with 130") && !seen.contains("ses"), "{seen}");
    let modes: Vec<&str> = seen.split([' ', ';', '\r', '\n']).collect();
    for mode in ["echo", "icanon", "isig"] {
        assert!(modes.contains(&mode), "{mode}: {seen}");
    }
}
