//! Two hundred alerts about twenty containers of one service: every one is decided, and hardly anything is touched.

use crate::alerts::{firing, notification};
use crate::real_docker::{OBEDIENT, TestContainer, unique};
use crate::sickbay_process::Sickbay;
use crate::support::{EngineEvents, OPTED_IN, WIDE_SETTINGS, down};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

const REPLICAS: usize = 20;
const WAVES: usize = 10;

/// The replicas of one Compose service, all running.
fn service() -> (String, Vec<TestContainer>) {
    let project = format!("com.docker.compose.project={}", unique("storm"));
    let service = "com.docker.compose.service=web";
    let labels = ["--label", &project, "--label", service, "--label", "com.docker.compose.oneoff=False"];
    let options = [&OPTED_IN[..], &labels].concat();
    let replicas = (0..REPLICAS).map(|number| TestContainer::run(&format!("web-{number}"), &options, &OBEDIENT));
    let replicas = replicas.collect();
    (project, replicas)
}

fn wave(replicas: &[TestContainer], serial: usize) -> Value {
    let alert = |replica: &TestContainer| {
        firing(&json!({"alertname": "Down", "container": replica.name, "serial": serial.to_string()}))
    };
    notification(&replicas.iter().map(alert).collect::<Vec<_>>())
}

/// How many were down at the same time, at most.
fn down_at_once(actions: &[String]) -> usize {
    let (mut down, mut most) = (0_usize, 0);
    for action in actions {
        match action.as_str() {
            "die" => down += 1,
            "start" => down -= 1,
            _ => {}
        }
        most = most.max(down);
    }
    most
}

/// Every alert has its record, and every incident that was opened has a decision.
fn all_decided(sickbay: &Sickbay) -> Vec<Value> {
    let opened = sickbay.wait_for("alert.received", REPLICAS * WAVES);
    let incidents: BTreeSet<String> = opened.iter().map(|opened| opened["inc"].as_str().unwrap().to_owned()).collect();
    assert_eq!(incidents.len(), REPLICAS * WAVES);
    sickbay.until("every alert is decided", || {
        let decisions = sickbay.records_of("decision");
        let decided: BTreeSet<String> = decisions.iter().map(|one| one["inc"].as_str().unwrap().to_owned()).collect();
        (decided == incidents).then_some(decisions)
    })
}

/// Whatever was refused is explained by its gate and by what that gate saw.
fn all_explained(sickbay: &Sickbay, decisions: &[Value]) {
    let is_refused = |decision: &&Value| decision["result"] == "refused";
    let mut explained = 0;
    for serial in 0..WAVES {
        let told = sickbay.run(&["explain", "--path", "data", "-o", "json", &format!("serial=\"{serial}\"")]);
        let told: Value = serde_json::from_slice(&told.stdout).unwrap();
        let alerts = told["alerts"].as_array().unwrap().iter();
        for decision in alerts.flat_map(|alert| alert["decisions"].as_array().unwrap()).filter(is_refused) {
            let named = decision["gate"].is_string() && !decision["inputs"].as_object().unwrap().is_empty();
            assert!(named, "{decision:#}");
            explained += 1;
        }
    }
    assert_eq!(explained, decisions.iter().filter(is_refused).count());
}

#[test]
fn no_more_of_a_service_than_allowed_are_down_at_once_and_every_alert_is_decided() {
    let (project, replicas) = service();
    let settings = WIDE_SETTINGS.replace("max_parallel: 100}", "max_parallel: 100, storm: {alerts: 10000}}");
    let events = EngineEvents::of_label(&project, &replicas[0]);
    let rules = down("{runs: 1000, per: 1h, cooldown: 0s, max_parallel: 2, min_healthy: 80%}");
    let sickbay = Sickbay::running(&rules, &settings);
    for serial in 0..WAVES {
        assert_eq!(sickbay.post(&wave(&replicas, serial)).status, 200);
        std::thread::sleep(Duration::from_millis(700));
    }
    let decisions = all_decided(&sickbay);
    let acted = sickbay.records_of("action.intent").len();
    assert!(2 <= acted, "some are treated: {}", sickbay.story());
    sickbay.wait_for("action.outcome", acted);
    let refused = decisions.iter().filter(|decision| decision["reason"] == "service_busy").count();
    assert!(REPLICAS < refused, "{refused} found the service busy");
    sickbay.wait_for("incident.closed", acted);
    let most = down_at_once(&events.until_now());
    assert!((1..=2).contains(&most), "{most} were down at once: {}", sickbay.story());
    all_explained(&sickbay, &sickbay.records_of("decision"));
}

#[test]
fn a_storm_freezes_everything() {
    let (project, replicas) = service();
    let events = EngineEvents::of_label(&project, &replicas[0]);
    let sickbay = Sickbay::running(&down("{runs: 1000, per: 1h, cooldown: 0s}"), WIDE_SETTINGS);
    let all = (0..WAVES).flat_map(|serial| wave(&replicas, serial)["alerts"].as_array().unwrap().clone());
    let all: Vec<Value> = all.collect();
    assert_eq!(sickbay.post(&notification(&all)).status, 200);
    let decisions = all_decided(&sickbay);
    assert!(decisions.iter().all(|decision| decision["reason"] == "storm"), "{}", sickbay.story());
    assert_eq!(sickbay.records_of("storm.frozen").len(), 1);
    assert_eq!(events.until_now(), Vec::<String>::new(), "{}", sickbay.story());
    all_explained(&sickbay, &decisions);
}
