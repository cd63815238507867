use super::*;
use crate::model::fact::{StepResult, Taken};
use crate::model::label::Labels;
use crate::record::sample::{self, LOG, every_shape, record};
use crate::record::{Chain, needs_escape};
use proptest::prelude::*;
use std::sync::Arc;

fn line_of(fact: Fact) -> String {
    let mut out = Vec::new();
    encode(&record(3, fact), LOG, &Hash::GENESIS, &mut out);
    let line = String::from_utf8(out).unwrap();
    line.strip_suffix('\n').unwrap().to_owned()
}

fn read_back(fact: Fact) -> Fact {
    let line = line_of(fact);
    let decoded = decode(line.as_bytes()).unwrap_or_else(|error| panic!("{error}: {line}"));
    match decoded.content {
        Content::Fact(fact) => fact,
        Content::Unknown { kind } => panic!("{kind} is unknown"),
    }
}

#[test]
fn a_line_has_the_published_shape() {
    let intended = sample::story("x").into_iter().find(|fact| fact.kind() == "action.intent").unwrap();
    let id = "96af1178".repeat(8);
    let plan = "d0c1".repeat(16);
    let hashed = format!(
        concat!(
            r#"{{"v":1,"seq":3,"ts":"2026-01-05T10:00:07.871900Z","up_ms":86407871,"boot":"5f0c2b1e","#,
            r#""log":"a1b2c3d4","kind":"action.intent","inc":"i2","act":"i2.1","playbook":"web-restart","#,
            r#""op":"container.restart","target":{{"name":"web-1","id":"{id}","image":"sha256:62b4"}},"#,
            r#""pre":{{"startedAt":"2026-01-05T08:00:00.474728664Z","restartCount":2,"state":"running","#,
            r#""health":"unhealthy"}},"args":{{"stop_timeout_s":10}},"deadline_s":40,"plan":"sha256:{plan}","#,
            r#""prev":"{zeros}""#
        ),
        id = id,
        plan = plan,
        zeros = "0".repeat(64)
    );
    let want = format!("{hashed},\"hash\":\"{}\"}}", Hash::of(hashed.as_bytes()));
    assert_eq!(line_of(intended), want);
}

#[test]
fn an_empty_body_leaves_no_comma() {
    assert!(line_of(Fact::LogClosed).contains(r#""kind":"log.close","prev":""#));
}

#[test]
fn every_kind_reads_back_as_written() {
    for fact in every_shape("plain text") {
        assert_eq!(read_back(fact.clone()), fact);
    }
}

/// Every scalar that could break a line, a terminal or a parser, and its neighbours.
fn nasty() -> impl Strategy<Value = String> {
    let edges = [
        0, 8, 9, 10, 13, 0x1b, 0x1f, 0x20, 0x22, 0x5c, 0x7e, 0x7f, 0x80, 0x85, 0x9b, 0x9f, 0xa0, 0x61c, 0x200d, 0x200e,
        0x200f, 0x2027, 0x2028, 0x202a, 0x202e, 0x202f, 0x2065, 0x2066, 0x2069, 0x206a, 0xd7ff, 0xe000, 0xfeff, 0xfffd,
        0xffff, 0x1_0000, 0x1_f691, 0x10_ffff,
    ];
    let edge = prop::sample::select(edges.to_vec()).prop_map(|code| char::from_u32(code).unwrap());
    prop::collection::vec(prop_oneof![3 => edge, 1 => any::<char>()], 0..40).prop_map(|all| all.into_iter().collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_text_stays_one_printable_line_and_reads_back(text in nasty()) {
        for fact in every_shape(&text) {
            let line = line_of(fact.clone());
            prop_assert!(line.bytes().all(|byte| 0x20 <= byte), "{line:?}");
            prop_assert!(!line.chars().any(needs_escape), "{line:?}");
            prop_assert!(Chain::is_self_consistent(line.as_bytes()));
            prop_assert_eq!(read_back(fact.clone()), fact);
        }
    }

    #[test]
    fn no_line_makes_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..400), at in 0_usize..400) {
        drop(decode(&bytes));
        let mut line = line_of(sample::alert("x", sample::taken())).into_bytes();
        let end = (at + bytes.len()).min(line.len());
        line.splice(at.min(end)..end, bytes);
        drop(decode(&line));
    }
}

#[test]
fn a_record_that_would_grow_too_long_is_cut_and_still_reads_back() {
    for text in ["x".repeat(90_000), "\u{9b}".repeat(40_000), "\u{1}\n\"".repeat(30_000)] {
        for fact in every_shape(&text).into_iter().filter(|fact| !matches!(fact.kind(), "log.open" | "state.saved")) {
            let line = line_of(fact.clone());
            assert!(line.len() < RECORD_LEN_MAX, "{} has {} bytes", fact.kind(), line.len());
            assert_eq!(read_back(fact.clone()).kind(), fact.kind());
            if fact.kind() == "incident.closed" {
                assert!(line.contains(&format!(r#"{{"_cut":true,"sha256":"{}""#, Hash::of(text.as_bytes()))));
            }
        }
    }
}

#[test]
fn the_whole_state_is_never_cut() {
    let mut memory = sample::memory(&"x".repeat(90_000));
    memory.taken = vec![memory.taken[0]; 50_000];
    let fact = Fact::StateSaved(Box::new(memory));
    assert!(RECORD_LEN_MAX < line_of(fact.clone()).len());
    assert_eq!(read_back(fact.clone()), fact);
}

#[test]
fn a_state_with_a_fact_that_this_version_does_not_know_is_an_error() {
    let line = line_of(Fact::StateSaved(Box::new(sample::memory("x"))));
    for (known, unknown) in
        [(r#""kind":"action.intent""#, r#""kind":"action.wish""#), (r#""help":"yes""#, r#""help":"so""#)]
    {
        assert!(line.contains(known), "{line}");
        let error = decode(line.replace(known, unknown).as_bytes()).unwrap_err();
        assert!(matches!(&error, LineError::Body { kind, .. } if kind == "state.saved"), "{error}");
    }
}

#[test]
fn a_cut_label_keeps_both_ends_and_short_ones_stay_whole() {
    let fact = sample::alert(&format!("begin{}end", "y".repeat(100_000)), sample::taken());
    let Fact::AlertReceived(received) = read_back(fact) else { panic!("another kind") };
    let text = received.labels.value("text");
    assert!(text.starts_with("beginyyy") && text.ends_with("yyyend") && text.contains("[… cut: 100008 bytes"));
    assert_eq!(received.labels.value("alertname"), "InstanceDown");
}

#[test]
fn too_many_labels_are_left_out_with_a_remark() {
    let Fact::AlertReceived(received) = sample::alert("x", Taken::ByNobody(crate::model::reason::Reason::NoMatch))
    else {
        panic!("another kind")
    };
    let mut received = (*received).clone();
    received.labels = (0..20_000).map(|n| (format!("label_{n:05}"), "value".to_owned())).collect::<Labels>();
    let line = line_of(Fact::AlertReceived(Arc::new(received)));
    assert!(line.len() < RECORD_LEN_MAX);
    assert!(line.contains(r#""":{"_cut":true,"sha256":""#));
    let Ok(Decoded { content: Content::Fact(Fact::AlertReceived(kept)), .. }) = decode(line.as_bytes()) else {
        panic!("unreadable")
    };
    assert_eq!(kept.labels.value("label_00000"), "value");
    assert!(kept.labels.get("").is_none());
}

#[test]
fn of_long_evidence_the_last_log_lines_are_kept() {
    let lines: Vec<String> = (0..5_000).map(|n| format!("line {n} {}", "z".repeat(40))).collect();
    let mut facts = sample::story("x");
    for fact in &mut facts {
        if let Fact::StepFinished(step) = fact
            && let StepResult::Captured(evidence) = &mut step.result
        {
            *evidence = serde_json::json!({"logs": {"lines": lines}, "inspect": {"state": "running"}});
        }
    }
    let captured = facts.into_iter().find(|fact| fact.kind() == "step.finished").unwrap();
    let line = line_of(captured);
    assert!(line.len() < RECORD_LEN_MAX);
    assert!(line.contains("line 4999 ") && !line.contains("line 1 "));
    assert!(line.contains(r#""inspect":{"state":"running"}"#) && line.contains(r#"{"_cut":true"#));
}

#[test]
fn what_a_newer_version_added_is_ignored_and_what_it_changed_is_an_error() {
    let line = line_of(sample::alert("x", sample::taken()));
    let renamed = line.replace("alert.received", "alert.muted");
    let decoded = decode(renamed.as_bytes()).unwrap();
    assert_eq!(decoded.content, Content::Unknown { kind: "alert.muted".into() });
    assert_eq!((decoded.seq, decoded.into_record()), (Seq(3), None));

    let more = line.replace(r#""sender":"#, r#""weather":{"sky":["blue"]},"sender":"#);
    assert_eq!(decode(more.as_bytes()).unwrap().content, decode(line.as_bytes()).unwrap().content);

    let v2 = line.replace(r#"{"v":1,"#, r#"{"v":2,"#);
    assert_eq!(decode(v2.as_bytes()), Err(LineError::UnknownVersion(2)));

    let code = line.replace(r#""sight":"new""#, r#""sight":"imagined""#);
    let error = decode(code.as_bytes()).unwrap_err().to_string();
    assert!(error.contains("\"imagined\" is not a first sight this version knows"), "{error}");
}

#[test]
fn what_is_not_a_record_is_an_error() {
    let line = line_of(Fact::LogClosed);
    for wrong in [
        "",
        "{}",
        line.strip_suffix('}').unwrap(),
        line.strip_prefix('{').unwrap(),
        line.split(",\"prev\"").next().unwrap(),
        &line.replace("\"seq\":3", "\"seq\":03"),
        &line.replace("\"seq\":3", "\"seq\":99999999999999999999999"),
        &line.replace("\"seq\":3", "\"seq\":-3"),
        &line.replace("5f0c2b1e", "5F0C2B1E"),
        &line.replace("5f0c2b1e", "+f0c2b1e"),
        &line.replace(",\"log\":", ", \"log\":"),
        &line.replace("log.close", "log close"),
    ] {
        assert!(matches!(decode(wrong.as_bytes()), Err(LineError::NotARecord(_))), "{wrong}");
    }
    for wrong in [line.replace("log.close", "alert.ended"), line.replace("log.close", "decision")] {
        assert!(matches!(decode(wrong.as_bytes()), Err(LineError::Body { .. })), "{wrong}");
    }
}
