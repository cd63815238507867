//! What people are asked with: what is the matter with the container, and what is left of its limits. The engine only
//! pretends.

use crate::alerts::{firing, notification};
use crate::fake_docker::{FakeDocker, Reply, running};
use crate::http::request;
use crate::rules::{DOWN, settings};
use crate::service_wire::{shown, shows};
use crate::sickbay_process::Sickbay;
use serde_json::{Value, json};
use std::fs;

const PEOPLE: &str = "
people:
  - {name: ada, groups: [sre], token_file: ada.token}
";

/// For the alert `Down`: one replica more, if people agree.
const SCALES: &str = "version: 1
playbooks:
  - name: down
    matchers: ['alertname = \"Down\"']
    target: {service: '{{ labels.container }}'}
    limits: {runs: 1000, per: 1h, cooldown: 0s}
    approval: {required: 1, from: [sre], timeout: 10m, ask: [log]}
    steps:
      - scale: {by: 1, max: 5}
      - verify: {replicas_running: all, within: 30s}
    on_failure:
      - notify: {to: [log], severity: critical, message: '{{ failed.error }}'}
";

/// An engine with `web` and `db`, both of which may be treated; each writes a log of its own.
fn engine() -> FakeDocker {
    let docker = silent();
    for (id, name) in [("ab", "web"), ("cd", "db")] {
        let line = format!("2026-01-01T00:00:00Z {name} has password=hunter2 and gives up\n");
        let mut log = vec![1, 0, 0, 0, 0, 0, 0, u8::try_from(line.len()).unwrap()];
        log.extend(line.into_bytes());
        docker.always("GET", &format!("/{}/logs", id.repeat(32)), Reply::Bytes(log));
    }
    docker
}

/// The same, without logs.
fn silent() -> FakeDocker {
    let docker = FakeDocker::start();
    for (id, name) in [("ab", "web"), ("cd", "db")] {
        let mut container = running(id, name);
        container["Config"]["Labels"]["sickbay.enable"] = "true".into();
        docker.put(container);
    }
    docker
}

fn asking(docker: &FakeDocker) -> Sickbay {
    let rules =
        DOWN.replace("    steps:", "    approval: {required: 1, from: [sre], timeout: 10m, ask: [log]}\n    steps:");
    let mut sickbay = Sickbay::new(&rules, &format!("{}{PEOPLE}", settings(docker)));
    fs::write(sickbay.storage().parent().unwrap().join("ada.token"), "t0ken-of-ada-long-enough\n").unwrap();
    sickbay.start(&[]);
    sickbay
}

fn get(sickbay: &Sickbay, path: &str) -> Value {
    request(sickbay.port, &format!("GET {path}"), &[], "").unwrap().json()
}

/// The questions, once there are so many.
fn questions(sickbay: &Sickbay, count: usize) -> Vec<Value> {
    sickbay.until("people are asked", || {
        let list = get(sickbay, "/api/v1/approvals")["approvals"].as_array().unwrap().clone();
        (list.len() == count).then_some(list)
    })
}

fn alarm(sickbay: &Sickbay, name: &str) {
    let alert = firing(&json!({"alertname": "Down", "container": name}));
    assert_eq!(sickbay.post(&notification(&[alert])).json()["accepted"], 1, "{}", sickbay.story());
}

#[tokio::test(flavor = "multi_thread")]
async fn each_question_tells_of_its_own_container_and_goes_on_to_after_a_restart() {
    let docker = engine();
    let mut sickbay = asking(&docker);
    for name in ["web", "db"] {
        alarm(&sickbay, name);
    }
    let asked = questions(&sickbay, 2);
    for question in &asked {
        let (name, evidence) = (question["target"].as_str().unwrap(), &question["evidence"]);
        let id = if name == "web" { "ab" } else { "cd" }.repeat(32);
        assert_eq!((&evidence["container"], &evidence["state"]), (&id.into(), &"running".into()), "{question}");
        let log = evidence["log"].as_array().unwrap();
        assert!(log.len() == 1 && log[0].as_str().unwrap().contains(&format!("{name} has")), "{question}");
        assert!(!question.to_string().contains("hunter2"), "{question}");
        assert_eq!(question["limits"][0]["of"], name, "{question}");
    }
    assert_eq!(docker.count("POST", ""), 0, "{:?}", docker.requests());
    sickbay.kill();
    sickbay.start(&[]);
    let timeless = |mut question: Value| {
        question["seconds_left"] = 0.into();
        question["url"] = Value::Null;
        question
    };
    let again = questions(&sickbay, 2).into_iter().map(timeless).collect::<Vec<_>>();
    assert_eq!(again, asked.into_iter().map(timeless).collect::<Vec<_>>());
    let log = sickbay.run(&["log", "show", again[0]["incident"].as_str().unwrap(), "--evidence"]);
    let told = String::from_utf8(log.stdout).unwrap();
    assert!(told.contains("diagnosis.findings") && !told.contains("hunter2"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_about_a_service_tells_how_many_run_and_what_its_tasks_die_of() {
    let docker = FakeDocker::start();
    let task = |slot: u64, state: &str, status: Value| json!({"ID": format!("t{slot}"), "Slot": slot, "NodeID": "n1", "DesiredState": state, "Status": status});
    let died = json!({"State": "failed", "Err": "task: non-zero exit (137)", "ContainerStatus": {"ExitCode": 137}});
    let tasks = json!([task(1, "running", json!({"State": "running"})), task(2, "shutdown", died)]);
    // What is said first is answered.
    docker.always("GET", "/tasks?", Reply::Json(200, tasks));
    shows(&docker, &shown(70, 3, "x"));
    let mut sickbay = Sickbay::new(SCALES, &format!("{}{PEOPLE}", settings(&docker)));
    fs::write(sickbay.storage().parent().unwrap().join("ada.token"), "t0ken-of-ada-long-enough\n").unwrap();
    sickbay.start(&[]);
    alarm(&sickbay, "worker");
    let question = &questions(&sickbay, 1)[0];
    let evidence = &question["evidence"];
    assert_eq!(
        (&evidence["container"], &evidence["service"], &evidence["state"]),
        (&Value::Null, &question["target_id"], &json!("1 of 3 replicas run")),
        "{question}"
    );
    assert_eq!(evidence["findings"][0]["code"], "service.tasks-failing", "{question}");
}

#[tokio::test(flavor = "multi_thread")]
async fn people_are_asked_however_little_can_be_found_out() {
    let docker = silent();
    for part in ["/logs", "/stats", "/images/"] {
        docker.always("GET", part, Reply::Silence);
    }
    let sickbay = asking(&docker);
    alarm(&sickbay, "web");
    let question = &questions(&sickbay, 1)[0];
    assert_eq!(
        (&question["evidence"]["error"], &question["evidence"]["log"]),
        (&Value::Null, &json!([])),
        "{question}"
    );
    let bearer = [("Content-Type", "application/json"), ("Authorization", "Bearer t0ken-of-ada-long-enough")];
    let line = format!("POST /api/v1/approvals/{}", question["id"].as_str().unwrap());
    let body = json!({"vote": "approve", "plan": question["plan"]}).to_string();
    assert_eq!(request(sickbay.port, &line, &bearer, &body).unwrap().status, 200);
    assert_eq!(sickbay.verdict_of(1), "recovered", "{}", sickbay.story());
    assert_eq!(docker.count("POST", "/restart"), 1);
    // What was done counts for `web` alone; `db` has its whole budget.
    alarm(&sickbay, "db");
    let question = &sickbay.until("people are asked about db", || {
        questions(&sickbay, 1).into_iter().find(|question| question["target"] == "db")
    });
    let own = &question["limits"][0];
    assert_eq!((&own["of"], &own["used"], &own["left"]), (&json!("db"), &json!(0), &json!(1000)), "{question}");
    let told = get(&sickbay, "/api/v1/playbooks")["playbooks"][0]["budget"].clone();
    let web = told["limits"].as_array().unwrap().iter().find(|left| left["whose"] == "playbook").unwrap();
    assert_eq!((&web["of"], &web["used"], &web["left"]), (&json!("web"), &json!(1), &json!(999)), "{told}");
}
