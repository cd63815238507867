//! `docs/INCIDENT_LOG.md` says how to verify a log without sickbay: here the page's own script runs on real logs.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

use serde_json::json;
use sickbay::incident_log::{Conclusion, verify};
use sickbay::model::fact::{AlertsRejected, Branch, Fact, Record, StepFinished, StepRef, StepResult};
use sickbay::model::id::{IncidentId, Seq};
use sickbay::model::stamp::{BootId, Stamp};
use sickbay::record::{Hash, LogId, encode};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const PAGE: &str = include_str!("../docs/INCIDENT_LOG.md");

fn script() -> &'static str {
    let (_, from_script) = PAGE.split_once("```bash\n").unwrap();
    from_script.split_once("```").unwrap().0
}

fn sample_log() -> Vec<u8> {
    let mut log = Vec::new();
    let mut head = Hash::GENESIS;
    for seq in 0..12 {
        let at = Stamp { wall: chrono::DateTime::UNIX_EPOCH, up_ms: seq, boot: BootId(7) };
        let first = format!("alerts[{seq}].labels: \"ünïcode\" \\ 100 % $HOME `id` ,\"hash\": 🚑 \u{1b}[0m\n");
        let fact = Fact::AlertsRejected(AlertsRejected { sender: " spaces  ".into(), count: seq, first });
        head = encode(&Record { seq: Seq(seq), at, fact }, LogId(1), &head, &mut log);
    }
    log
}

/// Whether the page's script finds the directory's log in order.
fn script_agrees(dir: &Path) -> bool {
    let file = dir.join("verify.sh");
    fs::write(&file, script()).unwrap();
    let mut segments: Vec<_> =
        fs::read_dir(dir.join("incident_log")).unwrap().map(|entry| entry.unwrap().path()).collect();
    segments.sort();
    script_on(&file, &segments)
}

fn script_on(script: &Path, segments: &[PathBuf]) -> bool {
    let output = Command::new("bash").arg(script).args(segments).env("LC_ALL", "C").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.success(), text.starts_with("ok, head "), "{output:?}");
    output.status.success()
}

#[test]
fn the_pages_script_and_log_verify_agree() {
    let dir = tempfile::tempdir().unwrap();
    let segments = dir.path().join("incident_log");
    fs::create_dir(&segments).unwrap();
    let log = sample_log();
    let lines: Vec<&[u8]> = log.split_inclusive(|byte| *byte == b'\n').collect();
    let mut cases = vec![
        ("as written", log.clone(), true),
        ("empty", Vec::new(), true),
        ("cut between records", lines[..5].concat(), true),
        ("a record removed", [lines[..5].concat(), lines[6..].concat()].concat(), false),
        ("a record doubled", [&lines[..5].concat(), lines[4], &lines[5..].concat()].concat(), false),
        (
            "two records swapped",
            [lines[..3].concat(), lines[4].into(), lines[3].into(), lines[5..].concat()].concat(),
            false,
        ),
        ("cut within a record", log[..log.len() - 30].to_vec(), false),
        ("NUL bytes at the end", [&log[..], &[0; 64]].concat(), false),
        ("a NUL byte put in", [&log[..100], b"\0", &log[100..]].concat(), false),
        ("an empty line", [&lines[..5].concat(), &b"\n"[..], &lines[5..].concat()].concat(), false),
        ("a space before a newline", [&log[..lines[0].len() - 1], b" ", &log[lines[0].len() - 1..]].concat(), false),
    ];
    for at in (0..log.len() - 1).step_by(211) {
        let mut flipped = log.clone();
        flipped[at] ^= 1 << (at % 8);
        cases.push(("a bit flipped", flipped, false));
    }
    for (name, bytes, want) in cases {
        fs::write(segments.join("00000000000000000000.jsonl"), &bytes).unwrap();
        let verdict = verify(dir.path()).unwrap().conclusion == Conclusion::Clean;
        assert_eq!((verdict, script_agrees(dir.path())), (want, want), "{name}: {}", String::from_utf8_lossy(&bytes));
    }
}

/// The log that ships as an example was written by a real run of `make demo`; it must stay as it was written.
#[test]
fn the_example_log_verifies_with_the_pages_script_too() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("verify.sh");
    fs::write(&file, script()).unwrap();
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("incident_log.example.jsonl");
    assert!(script_on(&file, std::slice::from_ref(&example)));
    assert_eq!(verify(&example).unwrap().conclusion, Conclusion::Clean);
    let text = fs::read_to_string(&example).unwrap().replacen("\"restart", "\"rostart", 1);
    let altered = dir.path().join("altered.jsonl");
    fs::write(&altered, text).unwrap();
    assert!(!script_on(&file, &[altered]), "a changed copy must not pass");
}

#[test]
fn the_chain_covers_the_evidence_and_its_diagnosis() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("00000000000000000000.jsonl");
    let finding = |what: &str| json!({"findings": [{"code": "memory.oom-killed", "what": what}]});
    let evidence = json!({"logs": {"lines": ["Killed"]}, "diagnosis": finding("the kernel killed it")});
    let step = StepRef { branch: Branch::Steps, index: 0, id: None, verb: "capture" };
    let result = StepResult::Captured(evidence);
    let finished = StepFinished { incident: IncidentId(Seq(0)), step, elapsed: Duration::ZERO, result };
    let (mut log, mut head) = (Vec::new(), Hash::GENESIS);
    for seq in 0..3 {
        let at = Stamp { wall: chrono::DateTime::UNIX_EPOCH, up_ms: seq, boot: BootId(7) };
        let fact = Fact::StepFinished(finished.clone());
        head = encode(&Record { seq: Seq(seq), at, fact }, LogId(1), &head, &mut log);
    }
    let log = String::from_utf8(log).unwrap();
    let agrees = |text: &str| {
        fs::write(&file, text).unwrap();
        let verdict = Command::new(env!("CARGO_BIN_EXE_sickbay")).args(["log", "verify"]).arg(&file).output().unwrap();
        verdict.status.success()
    };
    assert!(agrees(&log));
    for (was, is) in [("the kernel killed it", "a person killed it"), ("[\"Killed\"]", "[\"Filled\"]")] {
        assert!(log.contains(was), "{log}");
        assert!(!agrees(&log.replacen(was, is, 1)), "{is}");
    }
}
