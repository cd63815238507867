//! What a real daemon refused, explained from its log once it is gone: the gate, the values it saw, and what to do.

use crate::alerts::{firing, notification};
use crate::fake_docker::{FakeDocker, running};
use crate::http::request;
use crate::rules::settings;
use crate::sickbay_process::Sickbay;
use serde_json::{Value, json};

const RULES: &str = "version: 1
time_intervals:
  - name: always
    time_intervals: [{times: [{start_time: '00:00', end_time: '24:00'}]}]
playbooks:
  - name: down
    matchers: ['alertname = \"Down\"']
    target: {container: '{{ labels.container }}'}
    limits: {runs: 1000, per: 1h, cooldown: 1h}
    steps:
      - restart: {stop_timeout: 0s}
      - verify: {within: 30s, every: 1s, stable_for: 1s}
  - name: narrow
    matchers: ['alertname = \"Narrow\"']
    target: {container: '{{ labels.container }}'}
    if: target.health == \"unhealthy\" && labels.severity == \"page\"
    limits: {runs: 1, per: 1h, cooldown: 0s}
    steps: [{restart: {}}]
  - name: muted
    matchers: ['alertname = \"Muted\"']
    mute_time_intervals: [always]
    target: {container: '{{ labels.container }}'}
    limits: {runs: 1, per: 1h, cooldown: 0s}
    steps: [{restart: {}}]
";

/// What is the matter with a container, as Docker would show it.
fn change(id_pair: &str, name: &str, change: impl FnOnce(&mut Value)) -> Value {
    let mut container = running(id_pair, name);
    container["Config"]["Labels"]["sickbay.enable"] = "true".into();
    change(&mut container);
    container
}

fn engine() -> FakeDocker {
    let docker = FakeDocker::start();
    docker.put(change("a0", "web", |_| {}));
    docker.put(change("a1", "shy", |shown| shown["Config"]["Labels"] = json!({})));
    docker.put(change("a2", "db", |shown| shown["Config"]["Labels"]["sickbay.protect"] = "true".into()));
    docker.put(change("a3", "held", |shown| shown["State"]["Status"] = "paused".into()));
    docker.put(change("a4", "loop", |shown| shown["State"]["Status"] = "restarting".into()));
    docker.put(change("a5", "brief", |shown| shown["HostConfig"]["AutoRemove"] = true.into()));
    docker.put(change("a6", "new", |shown| shown["State"]["Status"] = "created".into()));
    docker.put(change("a7", "task", |shown| shown["Config"]["Labels"]["com.docker.swarm.task.id"] = "t".into()));
    docker
}

/// An alert, the gate and reason of its refusal, and an input that its record has.
const REFUSED: [(&str, &str, &str, &str, &str, &str); 13] = [
    ("Down", "shy", "target", "not_opted_in", "container", "shy"),
    ("Down", "db", "target", "protected", "labels.sickbay.protect", "true"),
    ("Down", "held", "target", "container_paused", "state", "paused"),
    ("Down", "loop", "target", "crash_loop", "state", "restarting"),
    ("Down", "brief", "target", "auto_remove", "container", "brief"),
    ("Down", "new", "target", "container_created", "state", "created"),
    ("Down", "task", "target", "swarm_task", "container", "task"),
    ("Down", "nobody", "target", "target_missing", "target", "container nobody"),
    ("Down", "a b", "target", "target_invalid", "labels.container", "a b"),
    ("Narrow", "web", "condition", "condition_false", "target.health", "none"),
    ("Muted", "web", "time_interval", "muted_time_interval", "mute_time_interval", "always"),
    // These two come after a run on `web`, and under a pause.
    ("Down", "web", "budget", "cooldown", "cooldown", "1h"),
    ("Down", "late", "pause", "paused", "by", "ada"),
];

fn alarm(sickbay: &Sickbay, labels: &Value) {
    assert_eq!(sickbay.post(&notification(&[firing(labels)])).status, 200, "{}", sickbay.story());
}

/// What is told about the alerts with these labels.
fn explained(sickbay: &Sickbay, args: &[&str]) -> (Option<i32>, Value) {
    let output = sickbay.run(&[&["explain", "--path", "data", "-o", "json", "--exit-code"], args].concat());
    let told = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    (output.status.code(), told)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_refusal_of_a_run_is_explained_by_its_gate_and_what_it_saw() {
    let docker = engine();
    let mut sickbay = Sickbay::running(RULES, &settings(&docker));
    alarm(&sickbay, &json!({"alertname": "Down", "container": "web", "serial": "first"}));
    assert_eq!(sickbay.verdict_of(1), "recovered", "{}", sickbay.story());
    for (done, (alertname, container, ..)) in REFUSED.iter().enumerate() {
        if *container == "late" {
            docker.put(change("a8", "late", |_| {}));
            let url = format!("http://127.0.0.1:{}", sickbay.port);
            let paused = sickbay.run(&["pause", "--reason", "moving", "--by", "ada", "--url", &url]);
            assert!(paused.status.success(), "{paused:?}");
        }
        alarm(&sickbay, &json!({"alertname": alertname, "container": container, "severity": "warn"}));
        sickbay.wait_for("decision", done + 2);
    }
    alarm(&sickbay, &json!({"alertname": "Nothing", "container": "unmatched"}));
    // Nobody answers any more, and nobody needs to.
    sickbay.stop();

    for (alertname, container, gate, reason, input, value) in REFUSED {
        let labels = [format!("alertname={alertname}"), format!("container={container:?}"), "severity=warn".to_owned()];
        let (code, told) = explained(&sickbay, &labels.each_ref().map(String::as_str));
        let alert = &told["alerts"][0];
        let decision = &alert["decisions"][0];
        assert_eq!((&decision["gate"], &decision["reason"]), (&gate.into(), &reason.into()), "{told:#}");
        assert_eq!(decision["inputs"][input], value, "{told:#}");
        assert!(20 < decision["advice"].as_str().unwrap().len(), "{told:#}");
        assert_eq!((code, &alert["acted"]), (Some(1), &false.into()), "{told:#}");
        // By its incident's name it is the same story.
        let by_id = explained(&sickbay, &[alert["incident"].as_str().unwrap()]);
        assert_eq!(by_id, (code, told));
    }
    let (code, told) = explained(&sickbay, &["container=unmatched"]);
    assert_eq!((code, &told["alerts"][0]["reason"]), (Some(1), &"no_match".into()), "{told:#}");
    let (code, told) = explained(&sickbay, &["serial=first"]);
    let alert = &told["alerts"][0];
    assert_eq!((code, &alert["acted"], &alert["verdict"]), (Some(0), &true.into(), &"recovered".into()), "{told:#}");
    let unknown = sickbay.run(&["explain", "i9999"]);
    let said = String::from_utf8(unknown.stderr).unwrap();
    assert!(unknown.status.code() == Some(2) && said.contains("there is no incident i9999"), "{said}");
}

/// What the rules alone say must be what the daemon says, wherever they say no.
#[tokio::test(flavor = "multi_thread")]
async fn the_rules_alone_and_the_daemon_give_the_same_reasons() {
    let docker = engine();
    let sickbay = Sickbay::running(RULES, &settings(&docker));
    for (alertname, container) in [("Down", "a b"), ("Narrow", "web"), ("Muted", "web"), ("Nothing", "web")] {
        let labels = [format!("alertname={alertname}"), format!("container={container:?}"), "severity=warn".to_owned()];
        let beforehand = sickbay.run(
            &[&["explain", "--rules", "rules.yaml", "-o", "json"][..], &labels.each_ref().map(String::as_str)].concat(),
        );
        let beforehand: Value = serde_json::from_slice(&beforehand.stdout).unwrap();
        alarm(&sickbay, &json!({"alertname": alertname, "container": container, "severity": "warn"}));
        let taken_by = &beforehand["taken_by"];
        let entry = beforehand["playbooks"].as_array().unwrap().iter().find(|entry| entry["name"] == *taken_by);
        let Some(entry) = entry else {
            let received = sickbay.records_of("alert.received").pop().unwrap();
            assert_eq!((taken_by, &received["reason"]), (&Value::Null, &"no_match".into()), "{received}");
            continue;
        };
        let decided = || sickbay.records_of("decision").into_iter().find(|decision| decision["playbook"] == *taken_by);
        let decision = sickbay.until("it is decided", decided);
        assert_eq!((&decision["gate"], &decision["reason"]), (&entry["gate"], &entry["reason"]), "{entry:#}");
    }
}

/// The page of an incident is what `sickbay explain` says, and cannot be taken for anything but text.
#[tokio::test(flavor = "multi_thread")]
async fn the_page_of_an_incident_is_its_story_as_plain_text() {
    let docker = engine();
    let sickbay = Sickbay::running(RULES, &settings(&docker));
    alarm(&sickbay, &json!({"alertname": "Down", "container": "shy", "text": "<script>alert(1)</script>"}));
    let incident = sickbay.wait_for("decision", 1)[0]["inc"].as_str().unwrap().to_owned();
    let page = request(sickbay.port, &format!("GET /incidents/{incident}"), &[], "").unwrap();
    let told = sickbay.run(&["explain", "--path", "data", &incident]);
    assert_eq!((page.status, page.body.as_str()), (200, String::from_utf8(told.stdout).unwrap().as_str()));
    assert!(page.body.contains("gate target said no on shy: not_opted_in") || page.body.contains("not_opted_in"));
    for (name, want) in [
        ("content-type", "text/plain; charset=utf-8"),
        ("x-content-type-options", "nosniff"),
        ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
        ("cache-control", "no-store"),
    ] {
        assert_eq!(page.header(name), Some(want));
    }
    for (path, status) in [("i9999", 404), ("i9999999999999999999999", 404), ("..%2Fsecrets", 404), ("12", 404)] {
        let page = request(sickbay.port, &format!("GET /incidents/{path}"), &[], "").unwrap();
        assert_eq!(page.status, status, "{path}: {}", page.body);
    }
    let written = request(sickbay.port, &format!("POST /incidents/{incident}"), &[], "").unwrap();
    assert_eq!(written.status, 405);
}
