//! Both forms on small logs and rules; what a real daemon's log tells is shown in `tests/e2e`.

use super::*;
use crate::model::fact::{Answer, Decided, Fact, Refusal, Taken};
use crate::model::reason::{Gate, Reason};
use crate::record::sample;
use clap::Parser;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    explain: ExplainArgs,
}

/// Exit code, standard output, standard error.
fn explained(args: &[&str]) -> (u8, String, String) {
    let cli = Cli::try_parse_from([&["explain"], args].concat()).unwrap();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let code = run(&cli.explain, sample::moment(), (&mut std::io::empty(), &mut out, &mut err)).unwrap();
    (code, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
}

fn log(facts: Vec<Fact>) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("incident_log")).unwrap();
    fs::write(dir.path().join("incident_log/00000000000000000000.jsonl"), sample::log_of(facts).0).unwrap();
    dir
}

fn of_log(dir: &Path, args: &[&str]) -> (u8, String, String) {
    explained(&[args, &["--path", dir.to_str().unwrap()]].concat())
}

/// An alert that nobody took, and one that was refused.
fn refused(refusal: Refusal) -> TempDir {
    let refused = Decided {
        incident: sample::INCIDENT,
        playbook: "web-restart".into(),
        target: Some(sample::target()),
        look: None,
        answer: Answer::Refused(refusal),
    };
    let unmatched = sample::alert("other", Taken::ByNobody(Reason::NoMatch));
    log(vec![sample::opened(), unmatched, sample::alert("hello", sample::taken()), Fact::Decided(refused)])
}

/// One of them came too soon.
fn cooling_down() -> TempDir {
    let refusal = Refusal {
        gate: Gate::Budget,
        reason: Reason::Cooldown,
        detail: "too soon\u{1b}[2J".to_owned(),
        inputs: vec![("cooldown".to_owned(), "10m".to_owned()), ("left".to_owned(), "8m".to_owned())],
        retry_after: Duration::from_secs(480),
    };
    refused(refusal)
}

/// When the pause ends, the gates are asked at once: its time is no time for the alert to be delivered again.
#[test]
fn what_a_pause_holds_back_is_said_once() {
    let refusal = Refusal {
        gate: Gate::Pause,
        reason: Reason::Paused,
        detail: "all is paused by alice until somebody resumes: a look".to_owned(),
        inputs: vec![("scope".to_owned(), "all".to_owned())],
        retry_after: Duration::from_secs(30),
    };
    let dir = refused(refusal);
    let (code, out, err) = of_log(dir.path(), &["i2"]);
    assert_eq!((code, &*err), (0, ""));
    assert!(out.contains("gate pause said no") && !out.contains("delivered again"), "{out}");
    let advice: String = out.lines().filter_map(|line| line.strip_prefix("    > ")).collect::<Vec<_>>().join(" ");
    assert_eq!(advice.matches("When a pause ends, what it refused is asked about again at once").count(), 1, "{out}");
}

#[test]
fn a_refusal_is_told_with_its_gate_the_values_it_saw_and_what_to_do() {
    let dir = cooling_down();
    let (code, out, err) = of_log(dir.path(), &["i2"]);
    assert_eq!((code, &*err), (0, ""));
    for line in [
        "taken by playbook web-restart (revision 0123456789ab)",
        "+250 ms     gate budget said no on web-1: cooldown",
        "    too soon\\u{1b}[2J",
        "      cooldown  10m",
        "      left      8m",
        "    asked again when the alert is delivered again, not before 8 min 0 s",
        "=> nothing was done so far",
    ] {
        assert!(out.lines().any(|known| known == line), "{line:?}\n{out}");
    }
    assert!(out.contains("    > The last run on the target"), "{out}");
    let (_, out, _) = of_log(dir.path(), &["i2", "-o", "json"]);
    let told: Value = serde_json::from_str(&out).unwrap();
    let decision = &told["alerts"][0]["decisions"][0];
    assert_eq!((&decision["gate"], &decision["reason"]), (&"budget".into(), &"cooldown".into()), "{told}");
    assert_eq!(decision["inputs"], json!({"cooldown": "10m", "left": "8m"}));
    assert_eq!((&told["alerts"][0]["acted"], &told["alerts"][0]["verdict"]), (&false.into(), &Value::Null));
}

#[test]
fn an_alert_is_found_by_incident_act_fingerprint_and_labels() {
    let dir = cooling_down();
    let (_, out, _) = of_log(dir.path(), &["i2", "-o", "json"]);
    let told: Value = serde_json::from_str(&out).unwrap();
    let fingerprint = told["alerts"][0]["fingerprint"].as_str().unwrap();
    for (what, seqs) in [
        (&["i2.1"][..], &[2][..]),
        (&[fingerprint], &[2]),
        (&["alertname=InstanceDown"], &[1, 2]),
        (&["alertname=InstanceDown", "text=~hel.*"], &[2]),
        (&[r#"{text!="hello"}"#], &[1]),
        (&["alertname=InstanceDown", "--until", "2026-01-05T10:00:07.5Z"], &[1]),
    ] {
        let (code, out, err) = of_log(dir.path(), &[what, &["-o", "json"]].concat());
        assert_eq!((code, &*err), (0, ""), "{what:?}");
        let told: Value = serde_json::from_str(&out).unwrap();
        let found: Vec<u64> =
            told["alerts"].as_array().unwrap().iter().map(|alert| alert["seq"].as_u64().unwrap()).collect();
        assert_eq!(found, seqs, "{what:?}");
    }
}

#[test]
fn what_nobody_took_says_why_and_the_exit_code_says_whether_anything_was_done() {
    let dir = cooling_down();
    let (code, out, _) = of_log(dir.path(), &["text=other", "--exit-code"]);
    assert!(code == 1 && out.contains("no playbook took it: no_match") && out.contains("    > No enabled"), "{out}");
    assert!(out.starts_with("#1  InstanceDown"), "{out}");
    assert_eq!(of_log(dir.path(), &["i2", "--exit-code"]).0, 1);
    let treated = log(sample::story("hello"));
    let (code, out, _) = of_log(treated.path(), &["i2", "--exit-code"]);
    assert!(code == 0 && out.ends_with("=> it was treated, and ended as recovered\n"), "{out}");
    assert!(out.contains("every gate said yes on web-1"), "{out}");
}

#[test]
fn what_cannot_be_told_is_an_error_that_says_what_to_do() {
    let dir = cooling_down();
    for (args, want) in [
        (&["i7"][..], "there is no incident i7"),
        (&["0123456789abcdef"], "no alert with the fingerprint 0123456789abcdef"),
        (&["container=nobody"], "no alert with container=nobody"),
        (&["web-1"], "write i12, a fingerprint, or labels like container=web-1"),
        (&["i2", "--since", "soon"], "neither a time like"),
    ] {
        let (code, out, err) = of_log(dir.path(), args);
        assert!(code == 2 && out.is_empty() && err.starts_with("error: ") && err.contains(want), "{args:?}: {err}");
    }
    let (code, _, err) = explained(&["i2", "--path", "nowhere"]);
    assert!(code == 2 && err.contains("there is no incident log in nowhere"), "{err}");
}

const RULES: &str = r#"version: 1
time_intervals:
  - name: night
    time_intervals: [{times: [{start_time: "00:00", end_time: "06:00"}]}]
playbooks:
  - name: by-day
    matchers: ['alertname = "Down"', 'severity =~ "page|warn"']
    mute_time_intervals: [night]
    target: {container: "{{ labels.container }}"}
    if: labels.severity == "page" && target.state == "running"
    limits: {runs: 3, per: 1h, cooldown: 5m}
    steps: [{restart: {}}]
  - name: tell
    matchers: ['alertname =~ ".+"']
    steps: [{notify: {to: [log], message: "it is {{ labels.alertname }}"}}]
"#;

fn rules() -> (TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("down.yaml"), RULES).unwrap();
    let path = dir.path().to_str().unwrap().to_owned();
    (dir, path)
}

#[test]
fn labels_are_explained_by_the_rules_alone() {
    let (_dir, rules) = rules();
    let day = "2026-01-05T10:00:00Z";
    // The gate and reason of each of the two playbooks, and the exit code.
    for (args, first, second, code) in [
        (&["alertname=Down", "container=web", "severity=page", "--at", day][..], ("-", "-"), ("playbook", "-"), 0),
        (
            &["alertname=Down", "container=web", "severity=warn", "--at", day],
            ("condition", "condition_false"),
            ("playbook", "-"),
            1,
        ),
        (
            &["alertname=Down", "container=web", "severity=page", "--at", "2026-01-05T03:00:00Z"],
            ("time_interval", "muted_time_interval"),
            ("playbook", "-"),
            1,
        ),
        (&["alertname=Down", "severity=page", "--at", day], ("target", "target_invalid"), ("playbook", "-"), 1),
        (&["alertname=Up"], ("playbook", "no_match"), ("-", "-"), 0),
        (&["severity=page"], ("playbook", "no_match"), ("playbook", "no_match"), 1),
    ] {
        let (exit, out, err) = explained(&[args, &["--rules", &rules, "--exit-code", "-o", "json"]].concat());
        assert_eq!((exit, &*err), (code, ""), "{args:?}: {out}");
        let told: Value = serde_json::from_str(&out).unwrap();
        for (playbook, want) in told["playbooks"].as_array().unwrap().iter().zip([first, second]) {
            let word = |key: &str| playbook[key].as_str().unwrap_or("-").to_owned();
            assert_eq!((word("gate").as_str(), word("reason").as_str()), want, "{args:?}: {playbook:#}");
            if word("reason") != "-" {
                assert!(!playbook["inputs"].as_object().unwrap().is_empty(), "{args:?}: {playbook:#}");
            }
        }
    }
}

#[test]
fn the_text_names_what_was_not_asked() {
    let (_dir, rules) = rules();
    let day = "2026-01-05T10:00:00Z";
    let args = ["alertname=Down", "container=web", "severity=page", "--rules", &rules, "--at", day];
    let (code, out, _) = explained(&args);
    assert_eq!(code, 0);
    for line in [
        "taken by playbook by-day",
        "    target: container web",
        "    said yes: playbook, time_interval",
        "      condition      needs target.state, which the labels do not tell",
        "      target         needs Docker",
        "    it matches, but by-day comes first and takes the alert",
    ] {
        assert!(out.lines().any(|known| known == line), "{line:?}\n{out}");
    }
}

#[test]
fn wrong_labels_and_rules_say_what_to_write() {
    let (dir, rules) = rules();
    for (args, want) in [
        (&["alertname=~Down"][..], "is a matcher, and an alert has labels"),
        (&["Down"], "write the alert's labels"),
        (&["a=1", "a=2"], "a"),
        (&["i2"], "with --rules, name the alert's labels"),
    ] {
        let (code, out, err) = explained(&[args, &["--rules", &rules]].concat());
        assert!(code == 2 && out.is_empty() && err.contains(want), "{args:?}: {err}");
    }
    fs::write(dir.path().join("broken.yaml"), "version: 1\nplaybooks: [{name: x}]\n").unwrap();
    let (code, _, err) = explained(&["alertname=Down", "--rules", &rules]);
    assert!(code == 2 && err.contains("`sickbay check` shows each place") && err.contains("broken.yaml:2:"), "{err}");
    let (code, _, err) = explained(&["alertname=Down", "--rules", "nowhere"]);
    assert!(code == 2 && err.contains("nowhere"), "{err}");
}

const EVENT: &str = r#"{"receiver":"sickbay","status":"firing","version":"4","groupKey":"{}","truncatedAlerts":0,"alerts":[
  {"status":"firing","labels":{"alertname":"Down","container":"web","severity":"page"},"annotations":{"host":"a"},"startsAt":"2026-01-05T10:00:00Z","endsAt":"0001-01-01T00:00:00Z"},
  {"status":"firing","labels":{"alertname":"Down","container":"db","severity":"warn"},"annotations":{},"startsAt":"2026-01-05T10:05:00Z","endsAt":"0001-01-01T00:00:00Z"},
  {"status":"resolved","labels":{"alertname":"Down","container":"api","severity":"page"},"annotations":{},"startsAt":"2026-01-05T09:00:00Z","endsAt":"2026-01-05T10:01:00Z"}]}"#;

/// Rules that ask for more than labels.
const TOLD: &str = r#"version: 1
playbooks:
  - name: old-enough
    matchers: ['alertname = "Down"']
    target: {container: "{{ labels.container }}"}
    if: alert.age > duration("2m") && annotations.host == "a"
    limits: {runs: 3, per: 1h, cooldown: 5m}
    steps: [{restart: {}}]
"#;

fn told_of(body: &str, rules: &str, args: &[&str]) -> (u8, Value, String) {
    let dir = tempfile::tempdir().unwrap();
    let (body_file, rules_file) = (dir.path().join("body.json"), dir.path().join("rules.yaml"));
    fs::write(&body_file, body).unwrap();
    fs::write(&rules_file, rules).unwrap();
    let files = ["--event", body_file.to_str().unwrap(), "--rules", rules_file.to_str().unwrap(), "-o", "json"];
    let (code, out, err) = explained(&[&files, args].concat());
    (code, serde_json::from_str(&out).unwrap_or_default(), err)
}

#[test]
fn a_recorded_body_is_explained_alert_by_alert() {
    let (code, told, err) = told_of(EVENT, RULES, &["--exit-code"]);
    assert_eq!((code, &*err), (1, ""), "one is refused");
    let alerts = told["alerts"].as_array().unwrap();
    let word = |alert: usize, key: &str| alerts[alert]["playbooks"][0][key].as_str().unwrap_or("-").to_owned();
    assert_eq!((word(0, "gate"), word(1, "reason")), ("-".to_owned(), "condition_false".to_owned()));
    assert_eq!((&alerts[0]["taken_by"], &alerts[2]["taken_by"]), (&"by-day".into(), &Value::Null));
    assert_eq!((&alerts[2]["status"], &alerts[2]["playbooks"]), (&"resolved".into(), &json!([])));
    // As if it came when the last thing that it tells of happened.
    assert_eq!(told["at"], "2026-01-05T10:05:00Z");
    let said_yes = alerts[0]["playbooks"][0]["said_yes"].as_array().unwrap();
    assert!(said_yes.contains(&"parsed".into()) && said_yes.contains(&"time_interval".into()), "{told:#}");
    let (_, night, _) = told_of(EVENT, RULES, &["--at", "2026-01-05T03:00:00Z"]);
    assert_eq!(night["alerts"][0]["playbooks"][0]["reason"], "muted_time_interval");
}

#[test]
fn what_the_body_tells_beside_the_labels_is_judged_too() {
    let reason = |body: &str, args: &[&str]| {
        let (_, told, _) = told_of(body, TOLD, args);
        told["alerts"][0]["playbooks"][0]["reason"].as_str().unwrap_or("-").to_owned()
    };
    assert_eq!(reason(EVENT, &[]), "-", "five minutes old, on host a");
    assert_eq!(reason(EVENT, &["--at", "2026-01-05T10:01:00Z"]), "condition_false");
    assert_eq!(reason(&EVENT.replace(r#""host":"a""#, r#""host":"b""#), &[]), "condition_false");
    let truncated = EVENT.replace(r#""truncatedAlerts":0"#, r#""truncatedAlerts":3"#);
    assert_eq!(reason(&truncated, &[]), "truncated");
    let recorded = json!({"at": "2026-01-05T10:01:00Z", "headers": {}, "body": EVENT}).to_string();
    assert_eq!(reason(&recorded, &[]), "condition_false", "the recorded time counts");
    assert_eq!(reason(&recorded, &["--at", "2026-01-05T10:05:00Z"]), "-");
}

#[test]
fn the_exit_code_tells_whether_every_firing_alert_goes_on() {
    let only_the_first = EVENT.replace(r#""severity":"warn""#, r#""severity":"page""#);
    assert_eq!(told_of(&only_the_first, RULES, &["--exit-code"]).0, 0);
    assert_eq!(told_of(EVENT, RULES, &[]).0, 0, "nobody asked");
    let none = EVENT.replace(r#""status":"firing","labels""#, r#""status":"resolved","labels""#);
    assert_eq!(told_of(&none, RULES, &["--exit-code"]).0, 1, "nothing fires");
    let unreadable = only_the_first.replace("2026-01-05T10:05:00Z", "yesterday");
    let (code, told, _) = told_of(&unreadable, RULES, &["--exit-code"]);
    assert_eq!((code, &told["unreadable"][0]["index"]), (1, &1.into()), "{told:#}");
}

#[test]
fn what_is_no_webhook_body_is_an_error() {
    for (body, want) in [
        ("", "the body is not JSON"),
        ("[]", "Prometheus' own alert push"),
        (r#"{"alerts":[]}"#, "`alerts` is empty"),
        ("{\"alerts\":[]}\n{\"alerts\":[]}", "several bodies"),
        (r#"{"sequence":[]}"#, "several requests"),
    ] {
        let (code, _, err) = told_of(body, RULES, &[]);
        assert!(code == 2 && err.starts_with("error: ") && err.contains(want), "{body}: {err}");
    }
    let (_dir, rules) = rules();
    let (code, _, err) = explained(&["--event", "nowhere.json", "--rules", &rules]);
    assert!(code == 2 && err.contains("reading nowhere.json"), "{err}");
    assert!(Cli::try_parse_from(["explain", "--event", "x", "alertname=Down"]).is_err());
    assert!(Cli::try_parse_from(["explain", "--event", "x", "--path", "data"]).is_err());
    assert!(Cli::try_parse_from(["explain"]).is_err());
}
