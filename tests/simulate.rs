//! `sickbay simulate` as people call it: its inputs, its reports, its exit codes.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use serde_json::{Value, json};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// A playbook for the alert `Down`, with these limits and these further steps.
fn rules(limits: &str, more: &str) -> String {
    format!(
        "version: 1
playbooks:
  - name: down
    matchers: ['alertname = \"Down\"']
    target: {{container: '{{{{ labels.container }}}}'}}
    limits: {limits}
    steps:
      - restart: {{start_if_stopped: true}}
      - verify: {{within: 1m, stable_for: 5s}}
{more}"
    )
}

const WIDE: &str = "{runs: 1000, per: 1h, cooldown: 0s}";

struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    fn simulate(&self, args: &[&str]) -> Output {
        self.simulate_with(args, "")
    }

    fn simulate_with(&self, args: &[&str], stdin: &str) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sickbay"));
        command.arg("simulate").args(args).current_dir(self.0.path()).env_remove("SICKBAY_CONFIG_FILE");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // It may have ended without reading.
        drop(child.stdin.take().unwrap().write_all(stdin.as_bytes()));
        child.wait_with_output().unwrap()
    }

    fn report(&self, args: &[&str]) -> Value {
        let output = self.simulate(&[args, &["-o", "json"]].concat());
        assert!(output.status.success(), "{args:?}: {output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

/// One alert; `minute` is when it began, or ended.
fn body(name: &str, container: &str, (status, minute): (&str, u32)) -> String {
    let at = format!("2026-11-21T10:{minute:02}:00Z");
    let begins = "2026-11-21T10:00:00Z".to_owned();
    let (starts, ends) = if status == "firing" { (at, "0001-01-01T00:00:00Z".to_owned()) } else { (begins, at) };
    let alert = json!({
        "status": status, "labels": {"alertname": name, "container": container}, "annotations": {},
        "startsAt": starts, "endsAt": ends, "generatorURL": "", "fingerprint": "",
    });
    json!({"receiver": "sickbay", "status": status, "version": "4", "groupKey": "{}", "alerts": [alert]}).to_string()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn payloads() -> PathBuf {
    Path::new(ROOT).join("tests/fixtures/payloads")
}

#[test]
fn each_recorded_request_is_read_and_each_of_its_alerts_counted() {
    let home = Home::new();
    home.write("rules/x.yaml", "version: 1\nplaybooks:\n  - name: x\n    matchers: ['alertname =~ \".+\"']\n    steps:\n      - notify: {to: [log], message: hello}\n");
    let mut files: Vec<PathBuf> = fs::read_dir(payloads()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(20 < files.len());
    for file in &files {
        let report = home.report(&[file.to_str().unwrap()]);
        assert_eq!(report["input"]["kind"], "webhook_bodies", "{}", file.display());
        assert_eq!(report["input"]["left_out"], 0, "{}: {report}", file.display());
        let recorded: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
        let requests = recorded["sequence"].as_array().map_or(1, Vec::len);
        assert_eq!(report["input"]["entries"], requests, "{}", file.display());
        // An alert whose end alone was recorded is none.
        let fires = |body: &str| body.contains("\"status\":\"firing\",\"labels\"");
        let bodies =
            recorded["sequence"].as_array().map_or_else(|| vec![&recorded], |requests| requests.iter().collect());
        let any = bodies.iter().any(|request| fires(request["body"].as_str().unwrap()));
        assert_eq!(report["input"]["alerts"] != 0, any, "{}", file.display());
    }
    let all = home.report(&[payloads().to_str().unwrap()]);
    assert!(40 <= all["input"]["entries"].as_u64().unwrap(), "{all}");
}

#[test]
fn repeats_and_ends_of_a_recorded_sequence_are_no_new_alerts() {
    let home = Home::new();
    home.write("rules/x.yaml", &rules(WIDE, "").replace("Down", "X").replace("{{ labels.container }}", "web"));
    let file = payloads().join("scen-0.25.0-G_repeat.json");
    let report = home.report(&[file.to_str().unwrap()]);
    assert_eq!((&report["input"]["alerts"], &report["playbooks"][0]["actions"]), (&json!(1), &json!(1)), "{report}");
}

#[test]
fn bodies_come_as_files_as_lines_with_their_time_and_on_standard_input() {
    let home = Home::new();
    home.write("rules/down.yaml", &rules(WIDE, ""));
    let (one, two) = (body("Down", "web-1", ("firing", 0)), body("Other", "web-2", ("firing", 4)));
    let timed = json!({"at": "2026-11-21T10:05:00Z", "body": serde_json::from_str::<Value>(&two).unwrap()});
    home.write("lines.jsonl", &format!("{one}\n\n{timed}\n"));
    home.write("bodies/a.json", &one);
    home.write("bodies/b.json", &two);
    for (args, to) in [(["lines.jsonl"], "2026-11-21T10:05:00.000Z"), (["bodies"], "2026-11-21T10:04:00.000Z")] {
        let report = home.report(&args);
        assert_eq!((&report["input"]["entries"], &report["input"]["to"]), (&json!(2), &json!(to)), "{report}");
        assert_eq!(report["nobody_took"], json!([{"alertname": "Other", "reason": "no_match", "alerts": 1}]));
    }
    let output = home.simulate_with(&["-", "-o", "json"], &one);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["playbooks"][0]["targets"], json!([{"name": "web-1", "runs": 1, "actions": 1, "refused": 0}]));
}

#[test]
fn what_cannot_be_read_is_named_with_its_place_and_counted() {
    let home = Home::new();
    home.write("rules/down.yaml", &rules(WIDE, ""));
    let good = body("Down", "web-1", ("firing", 0));
    home.write("mixed.jsonl", &format!("{good}\n{{\"broken\": \n{{\"evalMatches\": []}}\n"));
    let output = home.simulate(&["mixed.jsonl"]);
    assert!(output.status.success());
    let said = said(&output);
    assert!(
        said.contains("mixed.jsonl:2: it is not JSON") && said.contains("mixed.jsonl:3: this is Grafana's legacy"),
        "{said}"
    );
    assert!(String::from_utf8_lossy(&output.stdout).contains("left out: 2 that could not be read"), "{output:?}");

    home.write("nothing.json", "[1, 2");
    home.write("empty/notes.txt", "");
    for (args, want) in [
        (vec!["nothing.json"], "nothing to simulate"),
        (vec!["absent.json"], "absent.json"),
        (vec!["empty"], "holds no *.json"),
        (vec!["mixed.jsonl", "--rules", "absent"], "absent"),
        (vec!["mixed.jsonl", "--since", "soon"], "neither a time"),
        (vec!["mixed.jsonl", "--fail-on", "any"], "--diff"),
        (vec!["mixed.jsonl", "--spacing", "5"], "5"),
    ] {
        let output = home.simulate(&args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(crate::said(&output).contains(want), "{args:?}: {}", crate::said(&output));
    }
}

#[test]
fn amtools_silenced_alerts_are_left_out_and_counted() {
    let home = Home::new();
    home.write("rules/down.yaml", &rules(WIDE, ""));
    let alert = |container: &str, state: &str| {
        json!({
            "labels": {"alertname": "Down", "container": container}, "annotations": {}, "endsAt": "2026-11-21T11:00:00Z",
            "startsAt": "2026-11-21T10:00:00.123Z", "fingerprint": "197b79ddcb5ffe5d", "receivers": [{"name": "x"}],
            "status": {"inhibitedBy": [], "silencedBy": [], "state": state}, "updatedAt": "2026-11-21T10:10:00Z",
        })
    };
    home.write("alerts.json", &json!([alert("web-1", "active"), alert("web-2", "suppressed")]).to_string());
    let report = home.report(&["alerts.json"]);
    assert_eq!(report["input"]["kind"], "amtool_alerts");
    assert_eq!((&report["input"]["alerts"], &report["input"]["suppressed"]), (&json!(1), &json!(1)));
    assert_eq!(report["playbooks"][0]["targets"][0]["name"], "web-1");
}

#[test]
fn the_assumption_can_be_changed_and_is_said() {
    let home = Home::new();
    let failure = "    on_failure:\n      - notify: {to: [log], message: help}\n";
    home.write("rules/down.yaml", &rules(WIDE, failure));
    home.write("one.json", &body("Down", "web-1", ("firing", 0)));
    for (assume, verdict) in [("recovers", "recovered"), ("ineffective", "ineffective")] {
        let report = home.report(&["one.json", "--assume", assume, "--alerts"]);
        assert_eq!(report["playbooks"][0]["verdicts"], json!({verdict: 1}), "{report}");
        assert_eq!(report["alerts"][0]["assumed"], true);
        assert_eq!(report["alerts"][0]["notices"].as_array().unwrap().len(), usize::from(assume == "ineffective"));
    }
    let output = home.simulate(&["one.json"]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("Of Docker nothing is known: every target is assumed to exist, opted in and ill"), "{text}");
}

/// Two alerts about one container, five minutes apart, and one about another.
fn three_alerts() -> String {
    let second = body("Down", "web-1", ("firing", 6)).replace("\"web-1\"", "\"web-1\",\"n\":\"2\"");
    [
        body("Down", "web-1", ("firing", 0)),
        body("Down", "web-1", ("resolved", 3)),
        second,
        body("Down", "web-2", ("firing", 8)),
    ]
    .join("\n")
}

#[test]
fn limits_refuse_in_virtual_time_and_peaks_are_counted() {
    let home = Home::new();
    home.write("rules/down.yaml", &rules("{runs: 5, per: 1h, cooldown: 10m}", ""));
    home.write("three.jsonl", &three_alerts());
    let report = home.report(&["three.jsonl"]);
    let down = &report["playbooks"][0];
    assert_eq!((&down["matched"], &down["would_act"], &down["actions"]), (&json!(3), &json!(2), &json!(2)), "{report}");
    assert_eq!(down["refused"], json!([{"gate": "budget", "reason": "cooldown", "count": 1}]));
    assert_eq!((&down["peak_actions_per_hour"], &down["approvals_asked"]), (&json!(2), &json!(0)));
    // Delivered again every seven minutes, the second one finds the cooldown over at its second repeat.
    let repeated = home.report(&["three.jsonl", "--repeat", "7m"]);
    assert_eq!(repeated["playbooks"][0]["actions"], 3, "{repeated}");
    let later = home.report(&["three.jsonl", "--since", "2026-11-21T10:05:00Z"]);
    assert_eq!((&later["input"]["alerts"], &later["playbooks"][0]["actions"]), (&json!(2), &json!(1)), "{later}");
    let earlier = home.report(&["three.jsonl", "--until", "2026-11-21T10:05:00Z"]);
    assert_eq!((&earlier["input"]["alerts"], &earlier["playbooks"][0]["actions"]), (&json!(1), &json!(1)));
}

#[test]
fn diff_names_each_alert_decided_otherwise_and_the_exit_code_is_for_ci() {
    let home = Home::new();
    home.write("three.jsonl", &three_alerts());
    home.write("strict/down.yaml", &rules("{runs: 5, per: 1h, cooldown: 10m}", ""));
    home.write("loose/down.yaml", &rules("{runs: 5, per: 1h, cooldown: 0s}", ""));
    home.write(
        "renamed/down.yaml",
        &rules("{runs: 5, per: 1h, cooldown: 10m}", "").replace("name: down", "name: other"),
    );
    let commented = format!("# the same\n{}", rules("{runs: 5, per: 1h, cooldown: 10m}", ""));
    home.write("same/down.yaml", &commented);
    for (new, old, fail_on, code, different) in [
        ("same", "strict", "any", 0, 0),
        ("loose", "strict", "any", 1, 1),
        ("loose", "strict", "acts-more", 1, 1),
        ("strict", "loose", "acts-more", 0, 1),
        ("strict", "loose", "any", 1, 1),
        ("loose", "strict", "none", 0, 1),
        ("renamed", "strict", "any", 1, 3),
        ("renamed", "strict", "acts-more", 0, 3),
    ] {
        let args = ["three.jsonl", "--rules", new, "--diff", old, "--fail-on", fail_on, "-o", "json"];
        let output = home.simulate(&args);
        assert_eq!(output.status.code(), Some(code), "{args:?} {output:?}");
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(report["different"], different, "{args:?} {report}");
    }
    let output = home.simulate(&["three.jsonl", "--rules", "loose", "--diff", "strict"]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("decision  refused by budget: cooldown \u{2192} run"), "{text}");
    assert!(text.contains("actions   none \u{2192} container.restart web-1"), "{text}");
    assert!(text.contains("acts more"), "{text}");
}

#[test]
fn a_log_without_looks_is_replayed_and_says_what_is_taken_from_the_record() {
    let home = Home::new();
    let log = Path::new(ROOT).join("incident_log.example.jsonl");
    let rules = Path::new(ROOT).join("rules");
    let report = home.report(&[log.to_str().unwrap(), "--rules", rules.to_str().unwrap(), "--alerts"]);
    assert_eq!(report["input"]["kind"], "incident_log");
    assert_eq!(report["decisions"]["assumed"], 0, "{report}");
    assert_eq!(report["alerts"][0]["verdict"], "recovered", "{report}");
}

#[test]
fn settings_bring_their_rules_and_limits() {
    let home = Home::new();
    home.write("three.jsonl", &three_alerts());
    home.write("elsewhere/down.yaml", &rules(WIDE, ""));
    let settings = "rules: {paths: [elsewhere/*.yaml]}\nlimits: {global: [{runs: 1, per: 1d}]}\n";
    home.write("sickbay.yml", settings);
    let report = home.report(&["three.jsonl", "--config.file", "sickbay.yml"]);
    assert_eq!(report["playbooks"][0]["actions"], 1, "{report}");
    assert_eq!(report["playbooks"][0]["refused"], json!([{"gate": "budget", "reason": "global_budget", "count": 2}]));
}

#[test]
fn without_an_input_it_is_the_data_directory_of_the_settings() {
    let home = Home::new();
    let log = Path::new(ROOT).join("incident_log.example.jsonl");
    let place = home.write("elsewhere/data/incident_log/00000000000000000000.jsonl", "");
    fs::copy(log, place).unwrap();
    home.write("rules/down.yaml", &rules(WIDE, ""));
    let settings = "rules: {paths: [rules/*.yaml]}\nstorage: {path: elsewhere/data}\n";
    home.write("sickbay.yml", settings);
    let report = home.report(&["--config.file", "sickbay.yml"]);
    assert_eq!(report["input"]["entries"], 13, "{report}");
}

#[test]
fn approvals_that_would_be_asked_are_counted() {
    let home = Home::new();
    let asks = "    approval: {required: 2, from: [dba], timeout: 15m}\n";
    home.write("rules/x.yaml", &rules(WIDE, "").replace("    steps:\n", &format!("{asks}    steps:\n")));
    home.write("old/x.yaml", &rules(WIDE, ""));
    home.write("bodies/1.json", &body("Down", "web", ("firing", 0)));
    home.write("bodies/2.json", &body("Down", "db", ("firing", 30)));
    let report = home.report(&["bodies", "--alerts"]);
    let playbook = &report["playbooks"][0];
    assert_eq!((&playbook["approvals_asked"], &playbook["would_act"]), (&2.into(), &0.into()), "nobody answers");
    assert_eq!(playbook["verdicts"], json!({"expired": 2}));
    assert_eq!(report["alerts"][0]["approvals_asked"], 1);
    let said = String::from_utf8(home.simulate(&["bodies"]).stdout).unwrap();
    assert!(said.lines().any(|line| line.starts_with("down ") && line.trim_end().ends_with('2')), "{said}");
    let diff = home.report(&["bodies", "--diff", "old", "--fail-on", "none"]);
    let changes = diff["differences"][0]["changes"].as_array().unwrap();
    assert!(changes.contains(&json!({"what": "approvals", "old": "0", "new": "1"})), "{diff:#}");
}

#[test]
fn services_are_scaled_and_other_systems_told_in_a_simulation() {
    let home = Home::new();
    home.write(
        "rules/x.yaml",
        "version: 1
playbooks:
  - name: out
    matchers: ['alertname = \"Down\"']
    target: {service: shop_worker}
    if: target.replicas < 6
    limits: {runs: 4, per: 1h, cooldown: 5m}
    steps:
      - http: {url: \"http://balancer.example/hold\"}
      - scale: {by: 1, max: 6}
      - verify: {replicas_running: all, within: 3m}
    on_resolved:
      - scale: {to: original}
",
    );
    home.write("bodies/1.json", &body("Down", "x", ("firing", 0)));
    home.write("bodies/2.json", &body("Down", "x", ("resolved", 30)));
    let report = home.report(&["bodies", "--alerts"]);
    let alert = &report["alerts"][0];
    let scaled = json!({"op": "service.scale", "target": "shop_worker", "dry_run": false});
    assert_eq!(alert["actions"], json!([scaled, scaled]), "out, and back when it ended: {report:#}");
    assert_eq!((&alert["verdict"], &alert["assumed"]), (&"recovered".into(), &true.into()));
    assert_eq!(report["playbooks"][0]["targets"][0]["name"], "shop_worker");
}
