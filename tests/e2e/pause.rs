//! The kill switch of the real daemon: command line, API, signals, the file, and what outlives a `kill -9`.

use crate::alerts::{firing, notification};
use crate::fake_docker::{FakeDocker, Reply, running};
use crate::http::request;
use crate::rules::{DOWN, engine, settings};
use crate::sickbay_process::Sickbay;
use rustix::process::Signal;
use serde_json::{Value, json};
use std::fs;

fn alarm(sickbay: &Sickbay) {
    let alert = firing(&json!({"alertname": "Down", "container": "web"}));
    assert_eq!(sickbay.post(&notification(&[alert])).status, 200, "{}", sickbay.story());
}

/// Runs `sickbay …` against the daemon: exit code, output, complaints.
fn cli(sickbay: &Sickbay, args: &[&str]) -> (Option<i32>, String, String) {
    let url = format!("http://127.0.0.1:{}", sickbay.port);
    let output = sickbay.run(&[args, &["--url", &url]].concat());
    let [out, err] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    (output.status.code(), out, err)
}

fn status(sickbay: &Sickbay) -> Value {
    request(sickbay.port, "GET /api/v1/status", &[], "").unwrap().json()
}

/// Waits until the alert was refused because of a pause, and sees that nothing was done.
fn refused(sickbay: &Sickbay, docker: &FakeDocker, times: usize) -> Value {
    let decision = sickbay.wait_for("decision", times).remove(times - 1);
    assert_eq!((&decision["gate"], &decision["reason"]), (&"pause".into(), &"paused".into()), "{}", sickbay.story());
    assert_eq!(docker.count("POST", ""), 0, "{}", sickbay.story());
    decision
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_pauses_and_resumes_and_what_was_held_back_goes_on_at_once() {
    let docker = engine();
    let sickbay = Sickbay::running(DOWN, &settings(&docker));
    let (code, out, err) = cli(&sickbay, &["pause", "--reason", "moving house", "--by", "ada", "--for", "1h"]);
    assert_eq!((code, &*err), (Some(0), ""));
    assert!(out.starts_with("paused all by ada, for 1h: moving house\n"), "{out}");
    alarm(&sickbay);
    let inputs = &refused(&sickbay, &docker, 1)["inputs"];
    assert_eq!(
        (&inputs["scope"], &inputs["by"], &inputs["reason"]),
        (&"all".into(), &"ada".into(), &"moving house".into())
    );
    let remaining = inputs["remaining"].as_str().unwrap();
    assert!(remaining == "1h" || remaining.starts_with("59m"), "{inputs}");
    assert!((sickbay.metric("sickbay_paused{scope=\"all\"}") - 1.0).abs() < 0.1);

    let (_, out, _) = cli(&sickbay, &["status"]);
    assert!(out.starts_with("PAUSED all by ada since ") && out.contains(": moving house\n"), "{out}");
    let (code, out, _) = cli(&sickbay, &["resume", "--reason", "moved", "-o", "json"]);
    let said: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &said["result"], &said["pauses"]), (Some(0), &"resumed".into(), &json!([])), "{said}");
    assert_eq!(sickbay.verdict_of(1), "recovered", "{}", sickbay.story());
    assert_eq!(docker.count("POST", "/restart"), 1);
    assert!(sickbay.metric("sickbay_paused{scope=\"all\"}").abs() < 0.1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_says_what_is_wrong() {
    let docker = engine();
    let mut sickbay = Sickbay::running(DOWN, &settings(&docker));
    for (args, code, want) in [
        (
            &["pause", "web-restart", "--reason", "x"][..],
            2,
            "did you mean `target:web-restart` or `playbook:web-restart`?",
        ),
        (&["pause"], 2, "--reason"),
        (&["pause", "--reason", "x", "--for", "90"], 2, "--for"),
        (&["pause", "--reason", " "], 1, "`reason` is empty"),
        (&["resume"], 1, "all is not paused"),
        (&["resume", "--token-file", "nowhere"], 2, "nowhere"),
        (&["pause", "playbook:typo", "--reason", "x"], 0, "is the name right?"),
    ] {
        let (exit, out, err) = cli(&sickbay, args);
        assert!(exit == Some(code) && err.contains(want), "{args:?}: {exit:?} {out} {err}");
    }
    sickbay.stop();
    assert_eq!(cli(&sickbay, &["pause", "--reason", "x"]).0, Some(4));
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_token_nobody_pauses_without_it() {
    let docker = engine();
    let mut sickbay = Sickbay::new(DOWN, &format!("web: {{api_token_file: token}}\n{}", settings(&docker)));
    let token = sickbay.storage().with_file_name("token");
    fs::write(&token, "t0ken-of-everybody\n").unwrap();
    sickbay.start(&[]);
    let (code, _, err) = cli(&sickbay, &["pause", "--reason", "x"]);
    assert!(code == Some(1) && err.contains("401") && err.contains("web.api_token_file"), "{err}");
    let (code, out, err) = cli(&sickbay, &["pause", "--reason", "x", "--token-file", token.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{out}{err}");
    assert_eq!(sickbay.records_of("pause.set").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_another_site_pauses_nothing() {
    let docker = engine();
    let sickbay = Sickbay::running(DOWN, &settings(&docker));
    let json = ("Content-Type", "application/json");
    let body = r#"{"scope": "all", "reason": "x"}"#;
    for (headers, want) in [
        (&[json, ("Origin", "http://evil.example")][..], 403),
        (&[json, ("Sec-Fetch-Site", "cross-site")], 403),
        (&[("Content-Type", "text/plain")], 415),
        (&[json], 200),
    ] {
        let answer = request(sickbay.port, "POST /api/v1/pauses", headers, body).unwrap();
        assert_eq!(answer.status, want, "{headers:?}: {answer:?}");
    }
    assert_eq!(sickbay.records_of("pause.set").len(), 1);
    for path in ["/api/v1/pauses", "/api/v1/status", "/api/v1/pauses/all"] {
        request(sickbay.port, &format!("GET {path}"), &[], "").unwrap();
    }
    assert_eq!(sickbay.records_of("pause.cleared").len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn signals_pause_and_resume() {
    let docker = engine();
    let sickbay = Sickbay::running(DOWN, &settings(&docker));
    sickbay.signal(Signal::USR1);
    let set = sickbay.wait_for("pause.set", 1).remove(0);
    assert_eq!((&set["scope"], &set["by"], &set["reason"]), (&"all".into(), &"signal".into(), &"SIGUSR1".into()));
    alarm(&sickbay);
    refused(&sickbay, &docker, 1);
    sickbay.signal(Signal::USR2);
    assert_eq!(sickbay.verdict_of(1), "recovered", "{}", sickbay.story());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_file_pauses_from_the_first_moment_and_nothing_overrides_it() {
    let docker = engine();
    let mut sickbay = Sickbay::new(DOWN, &settings(&docker));
    let file = sickbay.storage().join("PAUSE");
    fs::create_dir(sickbay.storage()).unwrap();
    fs::write(&file, "the disk is being changed\n").unwrap();
    sickbay.start(&[]);
    alarm(&sickbay);
    let inputs = refused(&sickbay, &docker, 1)["inputs"].clone();
    assert_eq!(inputs["reason"], "the disk is being changed", "{inputs}");
    assert!(inputs["by"].as_str().unwrap().starts_with("file:"), "{inputs}");

    let (code, _, err) = cli(&sickbay, &["resume"]);
    assert!(code == Some(1) && err.contains("409") && err.contains("delete the file"), "{err}");
    sickbay.signal(Signal::USR2);
    // It stands over a kill, too, and the log knows when it goes.
    sickbay.kill();
    sickbay.start(&[]);
    // What others see follows what is recorded, a moment later.
    sickbay.until("it stands", || (status(&sickbay)["pauses"][0]["by"] == inputs["by"]).then_some(()));
    assert_eq!(sickbay.records_of("pause.set").len(), 1, "{}", sickbay.story());
    fs::remove_file(&file).unwrap();
    assert_eq!(sickbay.verdict_of(1), "recovered", "{}", sickbay.story());
    assert_eq!(sickbay.records_of("pause.cleared")[0]["reason"], "the file PAUSE is gone");

    fs::write(&file, "").unwrap();
    sickbay.wait_for("pause.set", 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_went_while_nobody_ran_is_noticed_at_the_start() {
    let docker = engine();
    let mut sickbay = Sickbay::new(DOWN, &settings(&docker));
    let file = sickbay.storage().join("PAUSE");
    fs::create_dir(sickbay.storage()).unwrap();
    fs::write(&file, "x").unwrap();
    sickbay.start(&[]);
    alarm(&sickbay);
    refused(&sickbay, &docker, 1);
    sickbay.kill();
    fs::remove_file(&file).unwrap();
    sickbay.start(&[]);
    assert_eq!(sickbay.verdict_of(1), "recovered", "{}", sickbay.story());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_that_was_answered_outlives_kill_nine_and_ends_by_itself() {
    let docker = engine();
    let mut sickbay = Sickbay::running(DOWN, &settings(&docker));
    assert_eq!(cli(&sickbay, &["pause", "target:web", "--reason", "mine", "--for", "8s"]).0, Some(0));
    sickbay.kill();
    sickbay.start(&[]);
    alarm(&sickbay);
    refused(&sickbay, &docker, 1);
    assert_eq!(sickbay.verdict_of(1), "recovered", "{}", sickbay.story());
    let (set, cleared) = (&sickbay.records_of("pause.set")[0], &sickbay.records_of("pause.cleared")[0]);
    assert_eq!((&cleared["by"], &cleared["reason"]), (&"sickbay".into(), &"its time is over".into()));
    let passed = cleared["up_ms"].as_u64().unwrap() - set["up_ms"].as_u64().unwrap();
    assert!((8_000..20_000).contains(&passed), "{passed} ms");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_between_target_and_dependent_holds_the_run_over_a_kill() {
    let docker = engine();
    let mut sidecar = running("cd", "sidecar");
    sidecar["Config"]["Labels"]["sickbay.enable"] = "true".into();
    sidecar["HostConfig"]["NetworkMode"] = format!("container:{}", "ab".repeat(32)).into();
    docker.put(sidecar);
    docker.always("POST", "/restart", Reply::SlowHead(std::time::Duration::from_secs(3), Value::Null));
    let mut sickbay = Sickbay::running(DOWN, &settings(&docker));
    alarm(&sickbay);
    sickbay.wait_for("action.intent", 1);
    assert_eq!(cli(&sickbay, &["pause", "--reason", "stop"]).0, Some(0));
    sickbay.wait_for("action.outcome", 1);
    let held = sickbay.wait_for("decision", 2).remove(1);
    assert_eq!(held["reason"], "paused", "{}", sickbay.story());
    sickbay.until("it is held", || (status(&sickbay)["incidents"][0]["doing"] == "held").then_some(()));
    sickbay.kill();
    sickbay.start(&[]);
    assert_eq!(docker.count("POST", "/restart"), 1, "{}", sickbay.story());
    assert_eq!(cli(&sickbay, &["resume"]).0, Some(0));
    sickbay.wait_for("action.outcome", 2);
    sickbay.wait_for("incident.closed", 1);
    assert_eq!(docker.count("POST", "/restart"), 2, "{}", sickbay.story());
}
