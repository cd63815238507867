//! What goes with any step, and requests to other systems, on a real engine: the examples of the language as they stand.

use crate::alerts::{firing, notification};
use crate::http::request;
use crate::real_docker::{OBEDIENT, TestContainer, docker};
use crate::sickbay_process::Sickbay;
use crate::sink::Sink;
use crate::support::{EngineEvents, OPTED_IN, WIDE_LIMITS, WIDE_SETTINGS, restarts};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpListener;

/// The whole language, and the entries of it that this version executes.
pub(crate) fn examples(names: &[&str]) -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/playbooks/language.yaml");
    let text = std::fs::read_to_string(path).unwrap();
    let (_, playbooks) = text.split_once("\nplaybooks:\n").unwrap();
    let entries =
        playbooks.split("\n\n").filter(|entry| names.iter().any(|name| entry.contains(&format!("name: {name}\n"))));
    format!("version: 1\nplaybooks:\n{}\n", entries.collect::<Vec<_>>().join("\n"))
}

fn settings(sink: &Sink) -> String {
    let url = format!("http://127.0.0.1:{}/", sink.port);
    format!(
        "{WIDE_SETTINGS}notifiers:\n  - {{name: sre-chat, http: {{url: '{url}', method: POST}}}}\n  \
         - {{name: pagerduty, http: {{url: '{url}', method: POST}}}}\n"
    )
}

fn told(sink: &Sink) -> Vec<Value> {
    sink.bodies().iter().map(|body| serde_json::from_str(body).unwrap()).collect()
}

/// An alert that has fired for so many seconds.
fn old(labels: &Value, seconds: i64) -> Value {
    let mut alert = firing(labels);
    let now = chrono::DateTime::parse_from_rfc3339(&crate::alerts::now()).unwrap();
    alert["startsAt"] = (now - chrono::TimeDelta::seconds(seconds)).to_rfc3339().into();
    alert["annotations"] = json!({"summary": "it fills up"});
    alert
}

/// A container whose name is an address of this machine, so that the URL of the example leads to it, with a health check
/// that passes once it was started a second time.
fn web(address: &str) -> TestContainer {
    let script = "if [ -e /tmp/again ]; then touch /tmp/well; fi; touch /tmp/again; trap 'exit 0' TERM; \
                  while true; do sleep 1000 & wait $!; done";
    let check = ["--health-cmd", "test -e /tmp/well", "--health-interval", "1s", "--health-retries", "1"];
    TestContainer::run_as(address, &[&OPTED_IN[..], &check].concat(), &["sh", "-c", script])
}

/// Answers every GET at port 8080 of this address with this status.
fn answering(address: &str, status: u16) -> std::thread::JoinHandle<()> {
    let listener = TcpListener::bind((address, 8080)).unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut head = [0; 4096];
            let read = stream.read(&mut head).unwrap_or_default();
            if head[..read].starts_with(b"STOP") {
                return;
            }
            assert!(head[..read].starts_with(b"GET /healthz "), "{}", String::from_utf8_lossy(&head[..read]));
            let answer = format!("HTTP/1.1 {status} Any\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            drop(stream.write_all(answer.as_bytes()));
        }
    })
}

fn stop(address: &str, server: std::thread::JoinHandle<()>) {
    std::net::TcpStream::connect((address, 8080)).unwrap().write_all(b"STOP").unwrap();
    server.join().unwrap();
}

#[test]
fn the_first_example_restarts_verifies_by_both_witnesses_and_leads_to_its_story() {
    for (address, status, verdict) in [("127.77.0.1", 204, "recovered"), ("127.77.0.2", 500, "ineffective")] {
        let container = web(address);
        let server = answering(address, status);
        let sink = Sink::start();
        // Nobody waits for minutes here.
        let rules = examples(&["restart-unhealthy-web"]).replace("within: 2m, every: 5s", "within: 20s, every: 1s");
        let rules = rules.replace("duration(\"2m\")", "duration(\"2s\")");
        std::thread::sleep(std::time::Duration::from_secs(4));
        let sickbay = Sickbay::running(&rules, &settings(&sink));
        let events = EngineEvents::of(&container);
        let labels = json!({"alertname": "BlackboxProbeFailed", "severity": "critical", "container": address});
        assert_eq!(sickbay.post(&notification(&[old(&labels, 3)])).status, 200);
        assert_eq!(sickbay.verdict_of(1), verdict, "{}", sickbay.story());
        assert_eq!(restarts(&events.until_now()), 1, "{}", sickbay.story());
        let message = told(&sink).pop().unwrap();
        let text = message["message"].as_str().unwrap().to_owned();
        if status == 204 {
            assert_eq!(message["severity"], "info");
            assert!(text.starts_with(&format!("Restarted {address}; healthy again after ")), "{text}");
        } else {
            assert_eq!(message["severity"], "critical");
            assert!(text.contains("did not answer well within 20 s: answered 500"), "{text}");
            let url = text.split("Evidence: ").nth(1).unwrap().trim();
            let path = url.strip_prefix(&format!("http://127.0.0.1:{}", sickbay.port)).unwrap();
            let page = request(sickbay.port, &format!("GET {path}"), &[], "").unwrap();
            assert_eq!((page.status, page.header("content-type")), (200, Some("text/plain; charset=utf-8")));
            assert!(page.body.contains("=> it was treated, and ended as ineffective"), "{}", page.body);
        }
        stop(address, server);
    }
}

#[test]
fn the_fourth_example_tells_once_for_each_instance_and_mountpoint() {
    let sink = Sink::start();
    let sickbay = Sickbay::running(&examples(&["disk-filling"]), &settings(&sink));
    let alert = |instance: &str, mountpoint: &str, n: &str| {
        old(
            &json!({"alertname": "HostDiskWillFillIn4Hours", "instance": instance, "mountpoint": mountpoint, "n": n}),
            300,
        )
    };
    for (instance, mountpoint, n) in [("a", "/", "1"), ("a", "/srv", "1"), ("a", "/", "2"), ("b", "", "1")] {
        assert_eq!(sickbay.post(&notification(&[alert(instance, mountpoint, n)])).status, 200);
    }
    let decisions = sickbay.wait_for("decision", 4);
    let reasons: Vec<&Value> = decisions.iter().map(|decision| &decision["reason"]).collect();
    assert_eq!(reasons, [&Value::Null, &Value::Null, &json!("cooldown"), &json!("limit_key_missing")], "{decisions:?}");
    sickbay.wait_for("notify.outcome", 2);
    let messages: Vec<String> = told(&sink).iter().map(|body| body["message"].as_str().unwrap().to_owned()).collect();
    let mut messages: Vec<&str> = messages.iter().map(|text| text.trim()).collect();
    messages.sort_unstable();
    assert_eq!(messages, ["[dry run] it fills up", "[dry run] it fills up (root!)"]);
}

const STEPS: &str = "version: 1
playbooks:
  - name: choosy
    matchers: ['alertname = \"Down\"']
    target: {container: '{{ labels.container }}'}
    limits: LIMITS
    steps:
      - capture: {logs: 5, top: true, changes: true, events: true}
      - id: bounce
        if: target.state == \"running\"
        restart: {stop_timeout: 1s}
      - if: steps.bounce.outcome == \"skipped\"
        start: {}
      - verify: {within: 20s, every: 1s, stable_for: 1s}
      - id: said
        continue_on_error: true
        http: {url: 'http://127.0.0.1:PORT/x?c={{ labels.container }}', body: '{\"c\": {{ labels.container|tojson }}}'}
      - if: steps.said.outcome == \"success\"
        pause_playbook: {for: 1h, reason: 'treated {{ target.name }}'}
";

#[test]
fn each_step_goes_by_what_docker_shows_and_by_what_the_others_left() {
    let sink = Sink::start();
    let container = TestContainer::run("choosy", &OPTED_IN, &OBEDIENT);
    docker(&["exec", &container.id, "touch", "/tmp/changed"]);
    docker(&["kill", &container.id]);
    let rules = STEPS.replace("LIMITS", WIDE_LIMITS).replace("PORT", &sink.port.to_string());
    let sickbay = Sickbay::running(&rules, WIDE_SETTINGS);
    let events = EngineEvents::of(&container);
    let labels = json!({"alertname": "Down", "container": container.name});
    assert_eq!(sickbay.post(&notification(&[firing(&labels)])).status, 200);
    assert_eq!(sickbay.verdict_of(1), "recovered", "{}", sickbay.story());
    assert_eq!(events.until_now(), ["start"], "{}", sickbay.story());
    let results: Vec<String> = sickbay
        .records_of("step.finished")
        .iter()
        .map(|step| format!("{} {}", step["step"]["verb"].as_str().unwrap(), step["result"].as_str().unwrap()))
        .collect();
    let want = ["capture captured", "restart condition_false", "verify verified", "pause_playbook paused"];
    assert_eq!(results, want, "{}", sickbay.story());
    let evidence = sickbay.records_of("step.finished")[0]["evidence"].clone();
    let files = evidence["changes"]["files"].as_array().unwrap();
    assert!(files.contains(&json!("added /tmp/changed")), "{evidence:#}");
    assert!(
        evidence["events"]["events"].as_array().unwrap().iter().any(|event| event["action"] == "die"),
        "{evidence:#}"
    );
    // A container that does not run has no processes: Docker's no is the part.
    assert!(evidence["top"]["error"].is_string(), "{evidence:#}");
    assert_eq!(sink.bodies(), [format!("{{\"c\": \"{}\"}}", container.name)]);
    let sent = &sickbay.records_of("http.intent")[0];
    assert_eq!((&sent["method"], &sent["body_bytes"]), (&json!("POST"), &json!(sink.bodies()[0].len())));
    let paused = &sickbay.records_of("pause.set")[0];
    assert_eq!(paused["scope"], "playbook:choosy");
    assert_eq!(paused["by"], format!("playbook choosy ({})", sent["inc"].as_str().unwrap()));
    // What comes next finds the playbook paused.
    let again = json!({"alertname": "Down", "container": container.name, "n": "2"});
    assert_eq!(sickbay.post(&notification(&[firing(&again)])).status, 200);
    let refused = sickbay.wait_for("decision", 2).pop().unwrap();
    assert_eq!(refused["reason"], "paused", "{refused}");
}

#[test]
fn the_processes_of_a_running_container_are_kept_without_their_arguments() {
    let container = TestContainer::run("top", &OPTED_IN, &["sh", "-c", "exec sleep 100001"]);
    let rules = STEPS.split("      - id: bounce").next().unwrap().replace("LIMITS", WIDE_LIMITS);
    let sickbay = Sickbay::running(&rules, WIDE_SETTINGS);
    let labels = json!({"alertname": "Down", "container": container.name});
    assert_eq!(sickbay.post(&notification(&[firing(&labels)])).status, 200);
    let evidence = sickbay.wait_for("step.finished", 1)[0]["evidence"].clone();
    assert_eq!(evidence["top"]["count"], 1, "{evidence:#}");
    let process = evidence["top"]["processes"][0].as_str().unwrap();
    assert!(process.contains("sleep") && !process.contains("100001"), "{evidence:#}");
}
