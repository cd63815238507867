//! A real day of a real daemon, replayed from its log: the same decisions, word for word.

use crate::alerts::{firing, notification, resolved};
use crate::real_docker::{OBEDIENT, TestContainer, docker, unique};
use crate::sickbay_process::Sickbay;
use crate::support::{Alertmanager, OPTED_IN, dead_container};
use serde_json::{Value, json};
use sickbay::incident_log::LogReader;
use sickbay::model::fact::Record;
use sickbay::playbook::index::Playbooks;
use sickbay::playbook::{RuleFile, load};
use sickbay::record::{Hash, LogId, decode, encode};
use sickbay::replay::{Assume, Config, History, Origin, play};
use sickbay::settings::{self, Overrides};
use std::collections::BTreeSet;

/// What may become of an alert, by its name.
const RULES: &str = "version: 1
time_intervals:
  - {name: never, time_intervals: [{years: ['1999']}]}
playbooks:
  - name: heal
    matchers: ['alertname = \"Down\"']
    target: {container: '{{ labels.container }}'}
    limits: {runs: 5, per: 1h, cooldown: 10m}
    steps:
      - capture: {logs: 20}
      - restart: {start_if_stopped: true, stop_timeout: 1s}
      - verify: {within: 20s, every: 1s, stable_for: 1s}
      - notify: {to: [log], message: '{{ target.name }} is back'}
    on_failure:
      - notify: {to: [log], severity: critical, message: '{{ failed.error }}'}
  - name: only-long-ago
    matchers: ['alertname = \"Asleep\"']
    target: {container: '{{ labels.container }}'}
    active_time_intervals: [never]
    limits: {runs: 5, per: 1h, cooldown: 10m}
    steps:
      - restart: {stop_timeout: 1s}
      - verify: {within: 5s, stable_for: 1s}
  - name: only-if
    matchers: ['alertname = \"Picky\"']
    target: {container: '{{ labels.container }}'}
    if: target.labels['tier'] == 'front'
    limits: {runs: 5, per: 1h, cooldown: 10m}
    steps:
      - restart: {start_if_stopped: true, stop_timeout: 1s}
      - verify: {within: 20s, every: 1s, stable_for: 1s}
";

fn about(name: &str, container: &str) -> Value {
    firing(&json!({"alertname": name, "container": container}))
}

fn post(sickbay: &Sickbay, alert: &Value) {
    assert_eq!(sickbay.post(&notification(std::slice::from_ref(alert))).status, 200, "{}", sickbay.story());
}

/// A record without its seal, which depends on all before it.
fn line(record: &Record) -> String {
    let mut line = Vec::new();
    encode(record, LogId(1), &Hash::GENESIS, &mut line);
    String::from_utf8(line).unwrap().split(",\"prev\":").next().unwrap().to_owned()
}

fn records(sickbay: &Sickbay) -> Vec<Record> {
    let mut reader = LogReader::open(&sickbay.storage()).unwrap();
    let mut records = Vec::new();
    while let Some(line) = reader.next_line().unwrap() {
        records.extend(decode(line).unwrap().into_record());
    }
    records
}

/// Lets happen whatever a playbook can meet, and stops the daemon.
fn a_day(sickbay: &mut Sickbay) -> Vec<TestContainer> {
    let healed = dead_container("replay-healed", &[]);
    let hopeless = TestContainer::run("replay-hopeless", &OPTED_IN, &["sh", "-c", "sleep 0.2; exit 1"]);
    let plain = TestContainer::run("replay-plain", &[], &OBEDIENT);
    let front = dead_container("replay-front", &["--label", "tier=front"]);
    let back = dead_container("replay-back", &["--label", "tier=back"]);

    let first = about("Down", &healed.name);
    post(sickbay, &first);
    assert_eq!(sickbay.verdict_of(1), "recovered", "{}", sickbay.story());
    // A repeat, its end, and the same trouble once more: too soon for the limits.
    post(sickbay, &first);
    post(sickbay, &resolved(&first));
    sickbay.wait_for("alert.ended", 1);
    docker(&["kill", &healed.id]);
    post(sickbay, &firing(&json!({"alertname": "Down", "container": healed.name, "again": "yes"})));
    sickbay.wait_for("decision", 2);

    post(sickbay, &about("Down", &hopeless.name));
    assert_eq!(sickbay.verdict_of(2), "ineffective", "{}", sickbay.story());
    post(sickbay, &about("Down", &plain.name));
    post(sickbay, &about("Down", &unique("replay-nobody")));
    post(sickbay, &about("Asleep", &plain.name));
    post(sickbay, &about("Picky", &back.name));
    post(sickbay, &about("Unheard", &plain.name));
    sickbay.wait_for("decision", 7);

    let paused = sickbay.run(&[
        "pause",
        "--for",
        "1h",
        "--reason",
        "a look",
        &format!("--url=http://127.0.0.1:{}", sickbay.port),
    ]);
    assert!(paused.status.success(), "{paused:?}");
    post(sickbay, &about("Picky", &front.name));
    sickbay.wait_for("decision", 8);
    sickbay.stop();
    sickbay.start(&[]);
    let resumed = sickbay.run(&["resume", "--reason", "seen", &format!("--url=http://127.0.0.1:{}", sickbay.port)]);
    assert!(resumed.status.success(), "{resumed:?}");
    assert_eq!(sickbay.verdict_of(3), "recovered", "{}", sickbay.story());
    sickbay.stop();
    vec![healed, hopeless, plain, front, back]
}

#[test]
fn a_replay_of_a_real_daemons_log_decides_as_it_did() {
    let mut sickbay = Sickbay::running(RULES, "");
    let containers = a_day(&mut sickbay);
    drop(containers);
    let records = records(&sickbay);
    let reasons: BTreeSet<String> = sickbay
        .records_of("decision")
        .iter()
        .filter_map(|decision| decision["reason"].as_str().map(str::to_owned))
        .collect();
    let wanted = ["condition_false", "cooldown", "not_opted_in", "outside_time_interval", "paused", "target_missing"];
    assert_eq!(reasons, wanted.map(str::to_owned).into(), "{}", sickbay.story());

    let loaded = load(&[RuleFile { path: "rules.yaml".to_owned(), text: RULES.to_owned() }]);
    let file = sickbay.storage().parent().unwrap().join("sickbay.yml");
    let policy = settings::load(Overrides::default(), Some(&file)).unwrap().policy();
    let playbooks = Playbooks::new(loaded.playbooks);
    let config = Config { playbooks, policy, assume: Assume::Ineffective, repeat: None, configs: None };
    let mut again = Vec::new();
    play(&History::Log(records.clone()), config, &mut |seen| {
        assert_eq!(seen.origin, Origin::Told, "{}", line(seen.record));
        again.push(line(seen.record));
    });
    let recorded: Vec<String> = records.iter().map(line).collect();
    for (place, recorded) in recorded.iter().enumerate() {
        assert_eq!(again.get(place), Some(recorded), "record {place}\n{}", sickbay.story());
    }
    assert_eq!(again.len(), recorded.len());
    the_command_tells_the_same(&sickbay);
}

/// `sickbay simulate`, alert by alert, against the log.
fn the_command_tells_the_same(sickbay: &Sickbay) {
    let args = ["simulate", "data", "--config.file=sickbay.yml", "--alerts", "-o", "json"];
    let output = sickbay.run(&args);
    assert!(output.status.success(), "{output:?}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&report["decisions"]["assumed"], &report["decisions"]["from_record"]), (&json!(0), &json!(0)));
    for received in sickbay.records_of("alert.received") {
        let alerts = report["alerts"].as_array().unwrap();
        let told = alerts.iter().find(|alert| alert["fingerprint"] == received["fingerprint"]);
        let told = told.unwrap_or_else(|| panic!("{received} is not told\n{report}"));
        assert_eq!(told["playbook"], received["playbook"], "{received}");
        let of_it = |kind: &str| -> Vec<Value> {
            sickbay
                .records_of(kind)
                .into_iter()
                .filter(|record| !received["inc"].is_null() && record["inc"] == received["inc"])
                .collect()
        };
        let answers: Vec<Value> =
            of_it("decision").iter().map(|d| json!([d["result"], d["gate"], d["reason"]])).collect();
        let decisions = told["decisions"].as_array().unwrap();
        let told_answers: Vec<Value> = decisions.iter().map(|d| json!([d["result"], d["gate"], d["reason"]])).collect();
        assert_eq!(told_answers, answers, "{received}");
        let verdict = of_it("incident.closed").first().map_or(Value::Null, |closed| closed["verdict"].clone());
        assert_eq!(told["verdict"], verdict, "{received}");
    }
}

#[test]
fn what_amtool_prints_can_be_simulated() {
    let sickbay = Sickbay::new(RULES, "");
    let alertmanager = Alertmanager::start(sickbay.port, "1h");
    alertmanager.alert(&[about("Down", "web-1"), about("Unheard", "web-2")]);
    let url = format!("--alertmanager.url=http://127.0.0.1:{}", alertmanager.port);
    let printed = sickbay.until("amtool lists both", || {
        let output =
            std::process::Command::new("amtool").args([&url, "alert", "query", "-o", "json"]).output().unwrap();
        let alerts: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap_or_default();
        (alerts.len() == 2).then_some(output.stdout)
    });
    let file = sickbay.storage().parent().unwrap().join("alerts.json");
    std::fs::write(&file, printed).unwrap();
    let output = sickbay.run(&["simulate", "alerts.json", "--rules", "rules.yaml", "-o", "json"]);
    assert!(output.status.success(), "{output:?}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&report["input"]["kind"], &report["input"]["alerts"]), (&json!("amtool_alerts"), &json!(2)));
    assert_eq!(
        (&report["playbooks"][0]["matched"], &report["playbooks"][0]["would_act"]),
        (&json!(1), &json!(1)),
        "{report}"
    );
    assert_eq!(report["nobody_took"], json!([{"alertname": "Unheard", "reason": "no_match", "alerts": 1}]));
}
