//! The breaker of the real daemon: what opens it is seen, and a person closes it from the command line.

use crate::alerts::{firing, notification};
use crate::fake_docker::{FakeDocker, Reply};
use crate::http::request;
use crate::rules::{DOWN, engine, settings};
use crate::sickbay_process::Sickbay;
use serde_json::{Value, json};
use std::fs;

/// Settings with which two runs that fail open the breaker.
fn strict(docker: &FakeDocker) -> String {
    settings(docker).replace("limits: {", "limits: {breaker: {failures: 2, per: 1d, open_for: 1h}, ")
}

fn alarm(sickbay: &Sickbay, serial: usize) {
    let alert = firing(&json!({"alertname": "Down", "container": "web", "serial": serial.to_string()}));
    assert_eq!(sickbay.post(&notification(&[alert])).status, 200, "{}", sickbay.story());
}

fn cli(sickbay: &Sickbay, args: &[&str]) -> (Option<i32>, String, String) {
    let url = format!("http://127.0.0.1:{}", sickbay.port);
    let output = sickbay.run(&[args, &["--url", &url]].concat());
    let [out, err] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    (output.status.code(), out, err)
}

fn status(sickbay: &Sickbay) -> Value {
    request(sickbay.port, "GET /api/v1/status", &[], "").unwrap().json()
}

/// Two restarts of `web` have failed, and a third alert waits.
fn tripped(docker: &FakeDocker, extra: &str) -> Sickbay {
    docker.always("POST", "/restart", Reply::Json(500, json!({"message": "no such luck"})));
    let mut sickbay = Sickbay::new(DOWN, &format!("{extra}{}", strict(docker)));
    fs::write(sickbay.storage().with_file_name("token"), "t0ken-of-everybody\n").unwrap();
    sickbay.start(&[]);
    for serial in 1..=2 {
        alarm(&sickbay, serial);
        assert_eq!(sickbay.verdict_of(serial), "failed", "{}", sickbay.story());
    }
    alarm(&sickbay, 3);
    let refused = sickbay.wait_for("decision", 3).remove(2);
    assert_eq!(
        (&refused["gate"], &refused["reason"]),
        (&"breaker".into(), &"breaker_open".into()),
        "{}",
        sickbay.story()
    );
    assert_eq!(refused["inputs"]["target"], "web");
    sickbay
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_breaker_is_seen_and_a_reset_lets_what_it_held_back_go_on() {
    let docker = engine();
    let mut sickbay = tripped(&docker, "");
    let open = |sickbay: &Sickbay| sickbay.metric("sickbay_breakers_open");
    sickbay.until("the gauge shows it", || (open(&sickbay) > 0.9).then_some(()));
    assert!(sickbay.metric("sickbay_storm_frozen").abs() < 0.1);
    // It outlives a kill.
    sickbay.kill();
    sickbay.start(&[]);
    let shown = sickbay.until("the status shows it", || status(&sickbay)["breakers"].get(0).cloned());
    assert_eq!((&shown["target"], &shown["failures"]), (&"web".into(), &2.into()), "{shown}");
    let (_, out, _) = cli(&sickbay, &["status"]);
    assert!(out.contains("BREAKER OPEN web since ") && out.contains("`sickbay reset web`"), "{out}");

    let (code, out, err) = cli(&sickbay, &["reset", "wbe", "--reason", "x"]);
    assert!(code == Some(1) && err.contains("404") && err.contains("wbe is not open"), "{out}{err}");
    assert_eq!(sickbay.records_of("breaker.reset").len(), 0);
    let (code, out, err) = cli(&sickbay, &["reset", "web", "--reason", "disk was full", "--by", "ada"]);
    assert_eq!((code, &*err), (Some(0), ""), "{}", sickbay.story());
    assert_eq!(out, "reset web by ada, after 2 runs that did not help: disk was full\n");
    let reset = sickbay.records_of("breaker.reset").remove(0);
    assert_eq!(
        (&reset["target"]["name"], &reset["by"], &reset["reason"]),
        (&"web".into(), &"ada".into(), &"disk was full".into())
    );
    assert!(open(&sickbay).abs() < 0.1);
    assert_eq!(status(&sickbay)["breakers"], json!([]));
    sickbay.wait_for("action.intent", 3);
    assert_eq!(cli(&sickbay, &["reset", "web", "--reason", "again"]).0, Some(1), "it is closed already");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_says_what_is_wrong_and_answers_in_json() {
    let docker = engine();
    let mut sickbay = tripped(&docker, "web: {api_token_file: token}\n");
    let token = sickbay.storage().with_file_name("token");
    let token = token.to_str().unwrap();
    for (args, code, want) in [
        (&["reset", "web"][..], 2, "--reason"),
        (&["reset", "--reason", "x"], 2, "<TARGET>"),
        (&["reset", "web", "--reason", "x"], 1, "web.api_token_file"),
        (&["reset", "web", "--reason", "x", "--token-file", "nowhere"], 2, "nowhere"),
        (&["reset", "web", "--reason", " ", "--token-file", token], 1, "`reason` is empty"),
        (&["reset", "a b", "--reason", "x", "--token-file", token], 1, "is not the name of a target"),
    ] {
        let (exit, out, err) = cli(&sickbay, args);
        assert!(exit == Some(code) && err.contains(want), "{args:?}: {exit:?} {out} {err}");
    }
    assert_eq!(sickbay.records_of("breaker.reset").len(), 0);
    let (code, out, err) = cli(&sickbay, &["reset", "web", "--reason", "x", "--token-file", token, "-o", "json"]);
    let said: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &said["result"], &said["failures"]), (Some(0), &"reset".into(), &2.into()), "{said}{err}");
    sickbay.stop();
    assert_eq!(cli(&sickbay, &["reset", "web", "--reason", "x", "--token-file", token]).0, Some(4));
}
