//! Every webhook body that was recorded from real Alertmanagers, with its own headers, byte for byte.

use crate::http::{Answer, request};
use crate::rules::{engine, settings};
use crate::sickbay_process::Sickbay;
use serde_json::Value;
use std::path::Path;

/// A playbook that takes all of them and changes nothing.
const TAKES_ALL: &str = "version: 1
playbooks:
  - name: everything
    matchers: ['alertname =~ \".*\"']
    steps:
      - notify: {to: [log], message: '{{ labels.alertname }}'}
";

/// The credentials that the recorded requests carry.
const SENDERS: &str = "webhook:
  max_alert_age: 1000000h
  senders:
    - {name: colon, basic_auth: {username: u, password: 'p@ss'}}
    - {name: plain, basic_auth: {username: user, password: pw}}
    - {name: token, bearer_token: tok123}
";

/// All recorded requests, those of the sequences included.
fn recorded() -> Vec<(String, Value)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/payloads");
    let mut all = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let file: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        match file["sequence"].as_array() {
            Some(requests) => all.extend(requests.iter().map(|request| (name.clone(), request.clone()))),
            None => all.push((name, file)),
        }
    }
    all.sort_by(|(one, _), (other, _)| one.cmp(other));
    assert!(35 < all.len(), "only {} recorded requests", all.len());
    all
}

fn send(sickbay: &Sickbay, recorded: &Value, without: &[&str]) -> Answer {
    let headers: Vec<(&str, &str)> = recorded["headers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|header| (header[0].as_str().unwrap(), header[1].as_str().unwrap()))
        .filter(|(name, _)| !["Host", "Content-Length"].contains(name) && !without.contains(name))
        .collect();
    let body = recorded["body"].as_str().unwrap();
    request(sickbay.port, "POST /api/v1/webhook?team=x", &headers, body).unwrap()
}

fn is_authenticated(recorded: &Value) -> bool {
    recorded["headers"].as_array().unwrap().iter().any(|header| header[0] == "Authorization")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_recorded_body_is_taken_and_each_of_its_alerts_answered() {
    let docker = engine();
    let sickbay = Sickbay::running(TAKES_ALL, &settings(&docker));
    for (name, recorded) in recorded() {
        let body: Value = serde_json::from_str(recorded["body"].as_str().unwrap()).unwrap();
        let want: Vec<_> = body["alerts"].as_array().unwrap().iter().map(|alert| &alert["fingerprint"]).collect();
        let answer = send(&sickbay, &recorded, &[]);
        assert_eq!(answer.status, 200, "{name}: {answer:?}");
        let answer = answer.json();
        let told: Vec<_> = answer["alerts"].as_array().unwrap().iter().map(|alert| &alert["fingerprint"]).collect();
        assert_eq!(told, want, "{name}: {answer}");
        let counts = ["accepted", "duplicates", "no_match", "refused", "resolved"];
        let counted: u64 = counts.iter().map(|count| answer[count].as_u64().unwrap()).sum();
        assert_eq!((counted, &answer["rejected"]), (want.len() as u64, &0.into()), "{name}: {answer}");
        assert!(answer["delivery"].as_str().is_some_and(|id| !id.is_empty()), "{name}: {answer}");
    }
    assert_eq!(docker.count("POST", ""), 0, "{:?}", docker.requests());
}

#[tokio::test(flavor = "multi_thread")]
async fn recorded_credentials_open_the_door_and_their_absence_does_not() {
    let docker = engine();
    let sickbay = Sickbay::running(TAKES_ALL, &format!("{}{SENDERS}", settings(&docker)));
    let mut authenticated = 0;
    for (name, recorded) in recorded() {
        let refused = send(&sickbay, &recorded, &["Authorization"]);
        assert_eq!(refused.status, 401, "{name}: {refused:?}");
        assert!(refused.header("WWW-Authenticate").is_some(), "{name}: {refused:?}");
        if is_authenticated(&recorded) {
            authenticated += 1;
            let taken = send(&sickbay, &recorded, &[]);
            assert_eq!(taken.status, 200, "{name}: {taken:?}");
        }
    }
    assert!(6 <= authenticated, "{authenticated}");
    let senders: Vec<_> =
        sickbay.records_of("alert.received").iter().map(|alert| alert["sender"].to_string()).collect();
    for sender in ["colon", "plain", "token"] {
        assert!(senders.contains(&format!("\"{sender}\"")), "{sender}: {senders:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn text_from_a_recorded_alert_reaches_the_log_unchanged() {
    let docker = engine();
    let sickbay = Sickbay::running(TAKES_ALL, &settings(&docker));
    for (name, recorded) in recorded() {
        if !name.ends_with("-01-basic") {
            continue;
        }
        send(&sickbay, &recorded, &[]);
        let body: Value = serde_json::from_str(recorded["body"].as_str().unwrap()).unwrap();
        let received = sickbay.records_of("alert.received");
        assert_eq!(received[0]["labels"], body["alerts"][0]["labels"], "{name}");
        assert_eq!(received[0]["annotations"], body["alerts"][0]["annotations"], "{name}");
        assert_eq!(received[0]["group_key"], body["groupKey"], "{name}");
        assert_eq!(received[0]["receiver"], body["receiver"], "{name}");
    }
}
