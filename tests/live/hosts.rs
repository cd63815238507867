//! Three real engines, each in a network of its own: one is paused, one cut off and one killed while incidents run on all
//! three. The others finish on time; after recovery each incident has its verdict.

use crate::alerts::{firing, notification};
use crate::http::request;
use crate::sickbay_process::Sickbay;
use crate::support::{Engine, WIDE_LIMITS, WIDE_SETTINGS, down_for};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// The hosts of the settings, in their order.
const HOSTS: [&str; 3] = ["one", "two", "three"];

/// What an incident takes that nothing delays: seconds, on a machine that is busy.
const ON_TIME: Duration = Duration::from_secs(30);

/// Enough for whatever waits for an answer that never comes.
const IN_THE_END: Duration = Duration::from_secs(240);

/// An alert about the container `web` of a host.
fn alert(host: &str, round: usize) -> Value {
    firing(&json!({"alertname": "Down", "container": "web", "host": host, "round": round.to_string()}))
}

/// Waits until so many acts are on their way.
fn acting(sickbay: &Sickbay, count: usize) {
    sickbay.wait_for("action.intent", count);
}

/// The verdict of the incident about a host in a round, once it has one.
fn verdict(sickbay: &Sickbay, host: &str, round: usize) -> Option<String> {
    let round = round.to_string();
    let wanted = |record: &Value| record["labels"]["host"] == *host && record["labels"]["round"] == *round;
    let opened = sickbay.records_of("alert.received").into_iter().find(wanted)?;
    let closed = sickbay.records_of("incident.closed").into_iter().find(|record| record["inc"] == opened["inc"])?;
    closed["verdict"].as_str().map(str::to_owned)
}

fn wait_for_verdict(sickbay: &Sickbay, (host, round): (&str, usize), until: Instant) -> String {
    loop {
        if let Some(verdict) = verdict(sickbay, host, round) {
            return verdict;
        }
        assert!(Instant::now() < until, "no verdict for {host} in round {round}\n{}", sickbay.story());
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// One alert for each host; while all three are being treated, something befalls one of them. The others recover on time.
fn round(sickbay: &Sickbay, (round, sick): (usize, &str), befall: impl FnOnce()) {
    let alerts = HOSTS.map(|host| alert(host, round));
    let before = sickbay.records_of("action.intent").len();
    assert_eq!(sickbay.post(&notification(&alerts)).status, 200);
    acting(sickbay, before + HOSTS.len());
    befall();
    let until = Instant::now() + ON_TIME;
    for host in HOSTS.into_iter().filter(|host| *host != sick) {
        assert_eq!(wait_for_verdict(sickbay, (host, round), until), "recovered", "{host}\n{}", sickbay.story());
    }
}

/// A second alert for each of the healthy hosts, while the third is still away.
fn meanwhile(sickbay: &Sickbay, (round, sick): (usize, &str)) {
    let others: Vec<&str> = HOSTS.into_iter().filter(|host| *host != sick).collect();
    let alerts: Vec<Value> = others.iter().map(|host| alert(host, round)).collect();
    assert_eq!(sickbay.post(&notification(&alerts)).status, 200);
    let until = Instant::now() + ON_TIME;
    for host in others {
        assert_eq!(wait_for_verdict(sickbay, (host, round), until), "recovered", "{host}\n{}", sickbay.story());
    }
}

fn state_of(sickbay: &Sickbay, host: usize) -> Value {
    request(sickbay.port, "GET /api/v1/status", &[], "").unwrap().json()["docker"]["hosts"][host]["state"].clone()
}

/// The host is back: it answers, and the incident that it kept waiting comes to its end.
fn recovers(sickbay: &Sickbay, (round, host): (usize, &str), index: usize) {
    let verdict = wait_for_verdict(sickbay, (host, round), Instant::now() + IN_THE_END);
    let known = ["recovered", "ineffective", "failed", "abandoned"].contains(&&*verdict);
    assert!(known, "{host}: {verdict}\n{}", sickbay.story());
    sickbay.until("it answers again", || (state_of(sickbay, index) == "answering").then_some(()));
}

#[test]
fn one_engine_is_paused_one_cut_off_and_one_killed_and_the_others_finish_on_time() {
    let (one, two, mut three) = (Engine::start(false), Engine::start(true), Engine::start(false));
    for engine in [&one, &two, &three] {
        engine.container("web");
    }
    let settings = format!(
        "docker:\n  hands_off: 0s\n  hosts:\n    - {{name: one, url: '{}'}}\n    - {{name: two, url: '{}', tls: {}}}\n    \
         - {{name: three, url: '{}'}}\n{WIDE_SETTINGS}",
        one.url(),
        two.tcp(),
        two.certificates().settings(),
        three.url(),
    );
    // One run at a time on each host; and that it falls ill again and again is the test's own doing.
    let settings =
        settings.replace("max_parallel: 100", "max_parallel: 1, breaker: {failures: 100, per: 1d, open_for: 1h}");
    let rules = down_for("{container: '{{ labels.container }}', host: '{{ labels.host }}'}", WIDE_LIMITS);
    // Long enough that something can befall an engine while it restarts a container.
    let rules = rules.replace("stop_timeout: 1s", "stop_timeout: 3s");
    let sickbay = Sickbay::running(&rules, &settings);
    sickbay.until("all answer", || (0..3).all(|host| state_of(&sickbay, host) == "answering").then_some(()));

    round(&sickbay, (1, "one"), || one.pause());
    meanwhile(&sickbay, (2, "one"));
    sickbay.until("it is silent", || (state_of(&sickbay, 0) == "silent").then_some(()));
    one.unpause();
    recovers(&sickbay, (1, "one"), 0);

    round(&sickbay, (3, "two"), || two.cut_off());
    meanwhile(&sickbay, (4, "two"));
    sickbay.until("it is silent", || (state_of(&sickbay, 1) == "silent").then_some(()));
    two.reconnect();
    recovers(&sickbay, (3, "two"), 1);

    let started = three.started_at("web");
    round(&sickbay, (5, "three"), || three.kill());
    meanwhile(&sickbay, (6, "three"));
    sickbay.until("it is silent", || (state_of(&sickbay, 2) == "silent").then_some(()));
    three.spawn();

    // It died in the middle of a restart: whatever that came to, it is known.
    recovers(&sickbay, (5, "three"), 2);
    assert_ne!(three.started_at("web"), "", "it is still there, whatever became of it since {started}");
    // Every incident on an engine was about that engine's own container, and no act was sent twice.
    let intents = sickbay.records_of("action.intent");
    let acts: std::collections::BTreeSet<String> = intents.iter().map(|intent| intent["act"].to_string()).collect();
    assert_eq!(acts.len(), intents.len(), "{}", sickbay.story());
    for intent in &intents {
        let id = intent["target"]["id"].as_str().unwrap();
        let engine = match intent["target"]["name"].as_str().unwrap() {
            "web" => &one,
            "two:web" => &two,
            "three:web" => &three,
            other => panic!("{other}"),
        };
        assert_eq!(engine.docker(&["inspect", "-f", "{{.Id}}", "web"]), id);
    }
}
