use super::*;
use crate::model::fact::{Answer, Decided, Fact, IncidentRelapsed, Refusal};
use crate::model::id::{IncidentId, Seq};
use crate::model::incident::Verdict;
use crate::model::reason::{Gate, Reason};
use crate::record::sample;
use chrono::{DateTime, TimeDelta, Utc};
use clap::Parser;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    log: LogArgs,
}

fn data(text: &str) -> TempDir {
    data_of(sample::story(text))
}

fn data_of(facts: Vec<crate::model::fact::Fact>) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("incident_log")).unwrap();
    let (log, _) = sample::log_of(facts);
    fs::write(dir.path().join("incident_log/00000000000000000000.jsonl"), log).unwrap();
    dir
}

fn now() -> DateTime<Utc> {
    sample::moment() + TimeDelta::seconds(60)
}

/// Exit code, standard output, standard error.
fn sickbay_log(dir: &Path, args: &[&str]) -> (u8, String, String) {
    let path = dir.to_str().unwrap();
    let cli = Cli::try_parse_from([&["log"], args, &["--path", path]].concat()).unwrap();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let code = run(&cli.log, now(), &mut out, &mut err);
    (code, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
}

#[test]
fn an_incident_is_shown_from_alert_to_verdict() {
    let dir = data("hello");
    let (code, out, err) = sickbay_log(dir.path(), &["show", "i2"]);
    assert_eq!((code, &*err), (0, ""));
    let want = [
        "i2  InstanceDown on web-1, playbook web-restart: recovered after 2.2 s",
        "2026-01-05 10:00:07 UTC",
        "├─ +0 ms        alert     InstanceDown {severity=\"page\", text=\"hello\"} from alertmanager, firing since \
         2026-01-05 10:00:00 UTC; taken by playbook web-restart (revision 0123456789ab), on the host web-2",
        "├─ +250 ms      decision  run web-restart on web-1 (96af117896af): every gate said yes",
        "├─ +500 ms      capture   kept in 1.2 s: inspect (exit_code 0, oom_killed false, state running); \
         logs (driver json-file, lines (2 entries)); stats missing: timed out",
        "├─ +750 ms      action    i2.1 restart, 10.0 s to stop, web-1 (96af117896af); before: running, unhealthy, \
         started 2026-01-05T08:00:00.474728664Z, 2 restarts by Docker",
        "│                         └─ after 250 ms: succeeded; now: running, starting, started 2026-01-05T08:00:00.474728664Z, \
         2 restarts by Docker",
        "├─ +1.2 s       verify    recovered, seen for 1.2 s: hello",
        "├─ +1.5 s       notice    i2.2 to sre-chat (warning): hello",
        "│                         └─ after 250 ms: delivered",
        "├─ +2.0 s       alert     ended: resolved at 2026-01-05 10:00:07 UTC",
        "└─ +2.2 s       closed    recovered: hello",
        "",
    ];
    assert_eq!(out.split('\n').collect::<Vec<_>>(), want);
}

#[test]
fn each_try_is_a_branch_of_its_own() {
    let dir = data_of(sample::two_tries());
    let (code, out, err) = sickbay_log(dir.path(), &["show", "i2"]);
    assert_eq!((code, &*err), (0, ""));
    let shape: Vec<&str> = out.lines().skip(3).collect();
    let want = [
        "├─ +250 ms      try       1 of 2",
        "│  ├─ +250 ms      decision  run",
        "│  ├─ +500 ms      action    i2.1 restart",
        "│  │                         └─ after 250 ms: succeeded",
        "│  ├─ +1.0 s       verify    not recovered after",
        "│  └─ +1.2 s       try       try 1 ended as ineffective: verify: still sick",
        "├─ +1.5 s       decision  refused",
        "├─ +1.7 s       try       2 of 2",
        "│  ├─ +1.7 s       decision  run",
        "│  └─ +2.0 s       verify    not recovered after",
        "├─ +2.2 s       notice    i2.2 to sre-chat",
        "│                         └─ after 250 ms: delivered",
        "└─ +2.7 s       closed    ineffective: try 2 of 2: verify: still sick",
    ];
    assert_eq!(shape.len(), want.len(), "{out}");
    for (line, want) in shape.iter().zip(want) {
        assert!(line.starts_with(want), "{want}\n{out}");
    }
}

#[test]
fn evidence_is_printed_on_demand_and_never_obeyed_by_the_terminal() {
    let dir = data("\u{1b}]0;owned\u{7} \u{202e}x\nnext");
    let (_, plain, _) = sickbay_log(dir.path(), &["show", "i2"]);
    let (_, full, _) = sickbay_log(dir.path(), &["show", "i2", "--evidence"]);
    assert!(!plain.contains("second line") && full.contains("logs.lines: second line"));
    assert!(full.contains("logs.lines: 2026-01-05T10:00:00Z \\u{1b}]0;owned\\u{7} \\u{202e}x"), "{full}");
    for text in [plain, full] {
        assert!(!text.chars().any(|scalar| scalar != '\n' && (scalar.is_control() || scalar == '\u{202e}')));
    }
}

#[test]
fn tail_prints_the_last_records_and_json_is_the_log_itself() {
    let dir = data("x");
    let whole = fs::read_to_string(dir.path().join("incident_log/00000000000000000000.jsonl")).unwrap();
    let (code, out, _) = sickbay_log(dir.path(), &["tail", "-n", "2", "-o", "json"]);
    assert_eq!((code, out.lines().count()), (0, 2));
    assert!(whole.ends_with(&out));
    let (_, out, _) = sickbay_log(dir.path(), &["tail", "-n", "100", "-o", "json"]);
    assert_eq!(out, whole);
    let (_, out, _) = sickbay_log(dir.path(), &["tail", "-n2"]);
    let want = "2026-01-05 10:00:09.871Z     11 i2       incident.closed   recovered: x\n\
                2026-01-05 10:00:10.121Z     12          log.close         sickbay stopped in good order\n";
    assert_eq!(out, want);
}

#[test]
fn query_takes_matchers_and_times() {
    let dir = data("x");
    let count = |args: &[&str]| {
        let (code, out, err) = sickbay_log(dir.path(), &[&["query", "-o", "json"], args].concat());
        assert_eq!((code, &*err), (0, ""), "{args:?}");
        out.lines().count()
    };
    assert_eq!(count(&[]), 13);
    assert_eq!(count(&["kind=\"decision\""]), 1);
    assert_eq!(count(&["inc=\"i2\"", "act=\"i2.1\""]), 2);
    assert_eq!(count(&["kind=\"nothing\""]), 0);
    assert_eq!(count(&["--since", "2026-01-05T10:00:08.121900Z"]), 9);
    assert_eq!(count(&["--until", "2026-01-05T10:00:08.121900Z"]), 4);
    assert_eq!(count(&["--since", "58s"]), 5);
    for wrong in [&["query", "--since", "yesterday"][..], &["query", "no matcher"]] {
        let (code, out, err) = sickbay_log(dir.path(), wrong);
        assert_eq!((code, &*out), (2, ""));
        assert!(err.starts_with("error: "), "{err}");
    }
}

#[test]
fn a_member_that_no_record_has_is_named() {
    let dir = data_of(vec![sample::opened()]);
    let (code, out, err) = sickbay_log(dir.path(), &["query", "knd=\"x\"", "kind=~\"log.*\"", "labels.knd=\"\""]);
    assert_eq!((code, &*out), (0, ""));
    assert_eq!(err.lines().count(), 1, "{err}");
    assert!(err.starts_with("warning: no record has a member `knd`"), "{err}");
    let known =
        ["kind!=\"\"", "alertname=\"\"", "target=\"\"", "inc=\"\"", "reason=\"\"", "playbook=\"\"", "seq=\"0\""];
    assert_eq!(sickbay_log(dir.path(), &[&["query"], &known[..]].concat()).2, "");
}

#[test]
fn show_json_is_one_object_with_the_very_lines() {
    let dir = data("x");
    let (_, out, _) = sickbay_log(dir.path(), &["show", "i2", "-o", "json"]);
    let object: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&object["incident"], object["records"].as_array().unwrap().len()), (&"i2".into(), 10));
    assert_eq!(object["records"][9]["verdict"], "recovered");
}

#[test]
fn what_cannot_be_answered_is_an_error_with_a_hint() {
    let dir = data("x");
    let (code, out, err) = sickbay_log(dir.path(), &["show", "i7"]);
    assert_eq!((code, &*out), (2, ""));
    assert!(err.contains("there is no incident i7"), "{err}");
    let nowhere = dir.path().join("nowhere");
    for args in [&["tail"][..], &["query"], &["show", "i2"], &["verify"]] {
        let (code, out, err) = sickbay_log(&nowhere, args);
        assert_eq!((code, &*out), (2, ""));
        assert!(err.contains("there is no incident log in ") && err.contains("--path"), "{err}");
    }
    assert!(Cli::try_parse_from(["log", "show", "7"]).is_err());
}

#[test]
fn verify_answers_with_its_exit_code() {
    let dir = data("x");
    let path = dir.path().join("incident_log/00000000000000000000.jsonl");
    let whole = fs::read(&path).unwrap();
    let check = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        let (code, text, err) = sickbay_log(dir.path(), &["verify"]);
        let (same, json, _) = sickbay_log(Path::new("elsewhere"), &["verify", path.to_str().unwrap(), "-o", "json"]);
        assert_eq!((same, &*err), (code, ""));
        (code, text, serde_json::from_str::<serde_json::Value>(&json).unwrap())
    };
    let (code, text, json) = check(&whole);
    assert_eq!(
        (code, &json["result"], &json["records"], &json["last_seq"]),
        (0, &"clean".into(), &13.into(), &12.into())
    );
    assert!(text.starts_with("ok: 13 records in 1 file ("), "{text}");
    assert!(text.contains(&format!("hash {}", json["head"].as_str().unwrap())));

    let (code, text, json) = check(&whole[..whole.len() - 20]);
    assert_eq!((code, &json["result"], &json["problem"]["seq"]), (3, &"torn".into(), &12.into()));
    assert!(text.starts_with("torn: ") && text.contains("quarantine"), "{text}");

    let mut changed = whole.clone();
    let at = whole.windows(9).position(|part| part == b"unhealthy").unwrap();
    changed[at..at + 9].copy_from_slice(b"sound    ");
    let (code, text, json) = check(&changed);
    assert_eq!((code, &json["result"], &json["problem"]["seq"]), (1, &"damaged".into(), &3.into()));
    assert!(
        text.starts_with("damaged: ") && text.contains("where record 3 belongs: the line's bytes hash to "),
        "{text}"
    );
    assert!(json["problem"]["rule"].as_str().unwrap().starts_with("the line's bytes hash to"));
}

/// Three treatments that recovered, of which the second did not last, one that did not help, one of a dry run, and one that
/// a gate refused, each begun a second after the one before.
fn treatments() -> TempDir {
    let verdicts = [
        (false, Verdict::Recovered),
        (false, Verdict::Recovered),
        (false, Verdict::Recovered),
        (false, Verdict::Ineffective),
        (true, Verdict::Recovered),
    ];
    let mut facts = vec![sample::opened()];
    for run in verdicts {
        let seq = facts.len() as u64;
        facts.extend(sample::run(seq, run));
    }
    let refused = facts.len() as u64;
    facts.push(sample::alert("x", sample::taken()));
    let refusal = Refusal {
        gate: Gate::Budget,
        reason: Reason::Cooldown,
        detail: "too soon".to_owned(),
        inputs: Vec::new(),
        retry_after: Duration::ZERO,
    };
    facts.push(Fact::Decided(Decided {
        incident: IncidentId(Seq(refused)),
        playbook: "web-restart".into(),
        target: Some(sample::target()),
        look: None,
        answer: Answer::Refused(refusal),
    }));
    facts.push(Fact::IncidentRelapsed(IncidentRelapsed { incident: IncidentId(Seq(5)), by: IncidentId(Seq(9)) }));
    data_of(facts)
}

#[test]
fn what_was_done_and_what_it_helped_is_counted_by_incident() {
    let dir = treatments();
    let (code, out, err) = sickbay_log(dir.path(), &["stats", "-o", "json"]);
    assert_eq!((code, &*err), (0, ""));
    let told: Value = serde_json::from_str(&out).unwrap();
    let [playbook] = told["playbooks"].as_array().unwrap().as_slice() else { panic!("{told}") };
    let want = json!({
        "playbook": "web-restart", "revision": null, "incidents": 6, "refusals": 1, "treated": 4, "recovered": 2,
        "relapsed": 1, "open": 1, "verdicts": {"recovered": 4, "ineffective": 1}, "success": 0.5, "recovery_seconds": 0,
        "last_treated": playbook["last_treated"], "last_incident": "i21",
    });
    assert_eq!(*playbook, want);
    let (_, out, _) = sickbay_log(dir.path(), &["stats"]);
    let want = "PLAYBOOK     INCIDENTS  REFUSALS  TREATED  RECOVERED  RELAPSED  OPEN  SUCCESS  RECOVERY\n\
                web-restart  6          1         4        2          1         1     50 %     0s\n";
    assert_eq!(out, want);
    // Whatever was opened before does not count, nor what came of it.
    let (_, out, _) =
        sickbay_log(dir.path(), &["stats", "-o", "json", "--since", "1h", "--until", "2026-01-05T10:00:08Z"]);
    let told: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (&told["playbooks"][0]["incidents"], &told["playbooks"][0]["refusals"]),
        (&json!(1), &json!(0)),
        "{told}"
    );
    let (_, out, _) = sickbay_log(data("x").path(), &["stats", "--until", "2000-01-01T00:00:00Z"]);
    assert!(out.contains("\nweb-restart  0 ") && out.contains("-\n"), "loaded, and nothing came of it: {out}");
}

#[test]
fn what_keeps_being_treated_is_told_the_most_often_treated_first() {
    let dir = treatments();
    let (code, out, err) = sickbay_log(dir.path(), &["debt", "-o", "json"]);
    assert_eq!((code, &*err), (0, ""));
    let told: Value = serde_json::from_str(&out).unwrap();
    let [debt] = told["debts"].as_array().unwrap().as_slice() else { panic!("{told}") };
    let want = json!({
        "target": "web-1", "playbook": "web-restart", "treated": 4, "recovered": 2, "relapsed": 1, "first": debt["first"],
        "last": debt["last"], "between_seconds": 1, "last_incident": "i13",
    });
    assert_eq!(*debt, want);
    let (_, out, _) = sickbay_log(dir.path(), &["debt"]);
    assert!(out.starts_with("TARGET  PLAYBOOK     TREATED  RECOVERED  RELAPSED  EVERY  LAST "), "{out}");
    assert!(out.contains("\nweb-1   web-restart  4        2          1         1s     2026-01-05T10:00:"), "{out}");
    let (_, out, _) = sickbay_log(data("x").path(), &["debt"]);
    assert_eq!(out, "nothing was treated more than once\n");
    let (code, _, err) = sickbay_log(Path::new("/nowhere"), &["debt"]);
    assert_eq!(code, 2, "{err}");
}
