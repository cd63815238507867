//! What whoever sends alerts is told, over a real socket: the status decides whether Alertmanager comes again.

use crate::alerts::{firing, notification, resolved};
use crate::http::{Answer, request};
use crate::rules::{DOWN, engine, settings};
use crate::sickbay_process::Sickbay;
use serde_json::json;

/// Credentials in all forms, and a small body limit.
const SENDERS: &str = "webhook:
  max_body: 4KiB
  senders:
    - {name: token, bearer_token: opensesame}
    - {name: basic, basic_auth: {username: am, password: secret}}
";

const BEARER: (&str, &str) = ("Authorization", "Bearer opensesame");
/// `am:secret`
const BASIC: (&str, &str) = ("Authorization", "Basic YW06c2VjcmV0");

fn usual_body() -> String {
    notification(&[firing(&json!({"alertname": "Nobody's"}))]).to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_mistake_has_its_own_status_and_words() {
    let docker = engine();
    let sickbay = Sickbay::running(DOWN, &format!("{}{SENDERS}", settings(&docker)));
    let (good, large) = (usual_body(), format!("{{\"alerts\":[], \"padding\":\"{}\"}}", "x".repeat(5000)));
    let post = "POST /api/v1/webhook";
    let gzip = ("Content-Encoding", "gzip");
    let wrong_token = ("Authorization", "Bearer openbarley");
    let wrong_word = ("Authorization", "Basic YW06d3Jvbmc=");
    type Row<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], &'a str, u16, &'a str);
    let table: &[Row<'_>] = &[
        ("a bearer token", post, &[BEARER], &good, 200, "\"no_match\":1"),
        ("basic authentication", post, &[BASIC], &good, 200, "\"duplicates\":1"),
        ("as Grafana may send it", "PUT /api/v1/webhook", &[BEARER], &good, 200, "\"delivery\":"),
        ("the short path", "POST /webhook?team=x", &[BEARER], &good, 200, "\"delivery\":"),
        ("no credentials", post, &[], &good, 401, "error"),
        ("a wrong token", post, &[wrong_token], &good, 401, "error"),
        ("a wrong password", post, &[wrong_word], &good, 401, "error"),
        ("a browser", "GET /api/v1/webhook", &[BEARER], "", 405, "use POST or PUT"),
        ("a packed body", post, &[BEARER, gzip], &good, 415, "Content-Encoding"),
        ("a large body", post, &[BEARER], &large, 413, "webhook.max_body"),
        ("no JSON", post, &[BEARER], "alerts!", 400, "JSON"),
        ("no body", post, &[BEARER], "", 400, "error"),
        ("Prometheus' own push", post, &[BEARER], "[{\"labels\":{}}]", 400, "array"),
        ("legacy Grafana", post, &[BEARER], "{\"evalMatches\":[],\"state\":\"alerting\"}", 400, "Grafana"),
        ("a custom payload", post, &[BEARER], "{\"text\":\"hi\"}", 400, "alerts"),
        ("no alerts at all", post, &[BEARER], "{\"alerts\":[]}", 400, "error"),
        ("a slash too many", "POST /api/v1/webhook/", &[BEARER], &good, 404, ""),
        ("another path", "POST /hook", &[BEARER], &good, 404, ""),
    ];
    for (name, line, headers, body, status, words) in table {
        let answer = request(sickbay.port, line, headers, body).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(answer.status, *status, "{name}: {answer:?}");
        assert!(answer.body.contains(words), "{name}: {answer:?}");
        assert!(answer.header("Location").is_none() && answer.body.len() < 1024, "{name}: {answer:?}");
        match status {
            401 => assert!(answer.header("WWW-Authenticate").is_some(), "{name}: {answer:?}"),
            405 => assert_eq!(answer.header("Allow"), Some("POST, PUT"), "{name}"),
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_answer_says_what_becomes_of_each_alert() {
    let docker = engine();
    let sickbay = Sickbay::running(DOWN, &settings(&docker));
    let taken = firing(&json!({"alertname": "Down", "container": "web"}));
    let unknown = firing(&json!({"alertname": "Nobody's"}));
    let mut old = firing(&json!({"alertname": "Down", "container": "web", "age": "old"}));
    old["startsAt"] = "2020-01-01T00:00:00Z".into();
    let broken = json!({"status": "firing", "labels": {"alertname": {"not": "text"}}});
    let answer = sickbay.post(&notification(&[taken.clone(), unknown, old, broken, taken.clone()])).json();
    let counts = ["accepted", "no_match", "refused", "rejected", "duplicates", "resolved"];
    assert_eq!(counts.map(|key| answer[key].as_u64().unwrap()), [1, 1, 1, 1, 1, 0], "{answer}");
    let alert = |index: usize, key: &str| answer["alerts"][index][key].as_str().unwrap_or("-").to_owned();
    assert_eq!((alert(0, "status"), alert(0, "playbook")), ("accepted".to_owned(), "down".to_owned()), "{answer}");
    let received = sickbay.records_of("alert.received");
    let opened = received.iter().find(|alert| alert["playbook"] == "down").unwrap();
    assert_eq!(alert(0, "incident"), opened["inc"].as_str().unwrap(), "{answer}");
    assert_eq!((alert(1, "status"), alert(1, "reason")), ("no_match".to_owned(), "no_match".to_owned()), "{answer}");
    assert_eq!((alert(2, "status"), alert(2, "reason")), ("refused".to_owned(), "stale_alert".to_owned()), "{answer}");
    assert_eq!(alert(3, "status"), "duplicate", "{answer}");
    assert_eq!(sickbay.verdict_of(1), "recovered", "{}", sickbay.story());

    let answer = sickbay.post(&notification(&[resolved(&taken)])).json();
    assert_eq!((&answer["resolved"], &answer["alerts"][0]["status"]), (&1.into(), &"resolved".into()), "{answer}");
    assert_eq!(docker.count("POST", "/restart"), 1, "{:?}", docker.requests());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_that_is_answered_is_in_the_log() {
    let docker = engine();
    let mut sickbay = Sickbay::running(DOWN, &settings(&docker));
    for number in 0..20 {
        let alert = firing(&json!({"alertname": "Nobody's", "number": number.to_string()}));
        assert_eq!(sickbay.post(&notification(&[alert])).status, 200);
    }
    sickbay.kill();
    assert_eq!(sickbay.records_of("alert.received").len(), 20, "{}", sickbay.story());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_action_does_not_change_the_answer() {
    let docker = engine();
    let refuses = crate::fake_docker::Reply::Json(500, json!({"message": "Cannot restart container"}));
    docker.always("POST", "/restart", refuses);
    let sickbay = Sickbay::running(DOWN, &settings(&docker));
    let body = notification(&[firing(&json!({"alertname": "Down", "container": "web"}))]);
    let first: Answer = sickbay.post(&body);
    assert_eq!((first.status, &first.json()["accepted"]), (200, &1.into()), "{first:?}");
    assert_eq!(sickbay.verdict_of(1), "failed", "{}", sickbay.story());
    let again = sickbay.post(&body);
    assert_eq!((again.status, &again.json()["duplicates"]), (200, &1.into()), "{again:?}");
    assert_eq!(docker.count("POST", "/restart"), 1, "{:?}", docker.requests());
}
