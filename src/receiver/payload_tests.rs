//! Bodies of every kind: recorded from real Alertmanagers, written by hand, and broken on purpose.

use super::payload::{ALERTS_MAX, LABELS_MAX, PayloadError, VALUE_LEN_MAX, decode};
use crate::model::alert::{Alert, AlertStatus, Notification};
use chrono::{DateTime, Utc};
use std::path::Path;

fn now() -> DateTime<Utc> {
    DateTime::parse_from_rfc3339("2026-11-21T12:00:00Z").unwrap().to_utc()
}

fn read(body: &str) -> Result<Notification, PayloadError> {
    decode(body.as_bytes(), "alertmanager", now())
}

/// Decodes a body with the one alert whose fields are given.
fn alert(fields: &str) -> Result<Alert, String> {
    match read(&format!(r#"{{"version":"4","alerts":[{{{fields}}}]}}"#)) {
        Ok(mut notification) => Ok(notification.alerts.remove(0)),
        Err(PayloadError::NoneUsable { problem, .. }) => Err(problem),
        Err(other) => panic!("{fields}: {other}"),
    }
}

/// Every recorded body, with its file's name.
fn recorded() -> Vec<(String, String)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/payloads");
    let mut bodies = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let file: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let single = file.get("body").into_iter();
        let sequence = file.get("sequence").and_then(|list| list.as_array()).into_iter().flatten();
        let before = bodies.len();
        for body in single.chain(sequence.filter_map(|request| request.get("body"))) {
            bodies.push((path.display().to_string(), body.as_str().unwrap().to_owned()));
        }
        assert!(before < bodies.len(), "{} holds no body", path.display());
    }
    bodies
}

#[test]
fn every_recorded_body_is_read_and_its_fingerprints_are_reproduced() {
    let (mut alerts, mut custom) = (0, 0);
    for (file, body) in recorded() {
        let plain: serde_json::Value = serde_json::from_str(&body).unwrap();
        let Some(sent) = plain.get("alerts").and_then(|alerts| alerts.as_array()) else {
            assert_eq!(read(&body), Err(PayloadError::NoAlerts), "{file}");
            custom += 1;
            continue;
        };
        let notification = read(&body).unwrap_or_else(|error| panic!("{file}: {error}"));
        assert_eq!(notification.rejected, [], "{file}");
        assert_eq!(notification.alerts.len(), sent.len(), "{file}");
        assert_eq!(&*notification.group_key, plain["groupKey"].as_str().unwrap(), "{file}");
        assert_eq!(Some(notification.truncated_alerts), plain["truncatedAlerts"].as_u64(), "{file}");
        for (read, sent) in notification.alerts.iter().zip(sent) {
            assert_eq!(read.labels.fingerprint().to_string(), sent["fingerprint"].as_str().unwrap(), "{file}");
            assert_eq!(read.fingerprint, read.labels.fingerprint(), "{file}");
            assert_eq!(read.status == AlertStatus::Firing, sent["status"] == "firing", "{file}");
            assert_eq!(read.ends_at.is_none(), sent["status"] == "firing", "{file}");
            let start = DateTime::parse_from_rfc3339(sent["startsAt"].as_str().unwrap()).unwrap();
            assert_eq!(read.starts_at, Some(start.to_utc()), "{file}");
            for (name, value) in sent["labels"].as_object().unwrap() {
                assert_eq!(read.labels.get(name), value.as_str(), "{file}");
            }
            alerts += 1;
        }
    }
    assert!(alerts >= 50, "only {alerts} alerts were recorded");
    assert!(custom <= 2, "{custom} recorded bodies have no alerts");
}

#[test]
fn the_receivers_name_is_unescaped() {
    for (sent, want) in [
        (r"web\\.hook", "web.hook"),
        (r"team\\.a\\+b", "team.a+b"),
        (r"a\\\\b", r"a\b"),
        (r"a\\xb", r"a\xb"),
        ("plain", "plain"),
    ] {
        let body = format!(r#"{{"receiver":"{sent}","alerts":[{{"labels":{{"a":"b"}}}}]}}"#);
        assert_eq!(&*read(&body).unwrap().receiver_name, want);
    }
}

#[test]
fn a_numeric_group_key_keeps_its_digits() {
    for key in ["4.3e19", "43000000000000000000000", "7", "\"{}:{a=\\\"b\\\"}\""] {
        let body = format!(r#"{{"groupKey":{key},"alerts":[{{"labels":{{"a":"b"}}}}]}}"#);
        let want = serde_json::from_str::<String>(key).unwrap_or_else(|_number| key.to_owned());
        assert_eq!(&*read(&body).unwrap().group_key, want);
    }
}

#[test]
fn the_least_body_is_enough_and_null_is_absent() {
    let least = read(r#" {"alerts":[{"labels":{"alertname":"X"}}]} "#).unwrap();
    assert_eq!(least.alerts.len(), 1);
    assert_eq!(&*least.sender, "alertmanager");
    let nulls = read(
        r#"{"receiver":null,"status":null,"groupKey":null,"version":null,"truncatedAlerts":null,"commonLabels":null,
            "alerts":[{"status":null,"labels":{"alertname":"X"},"annotations":null,"startsAt":null,"endsAt":null,
            "generatorURL":null,"fingerprint":null,"values":null}]}"#,
    );
    assert_eq!(nulls, Ok(least));
}

#[test]
fn values_that_are_no_text_become_their_own_json() {
    let alert = alert(r#""labels":{"port":8080,"v":1.10,"up":true,"big":4.3e19,"none":null,"empty":""}"#).unwrap();
    let pairs: Vec<_> = alert.labels.iter().collect();
    assert_eq!(pairs, [("big", "4.3e19"), ("port", "8080"), ("up", "true"), ("v", "1.10")]);
}

#[test]
fn the_status_is_the_alerts_own() {
    const PAST: &str = r#""2026-11-21T11:00:00Z""#;
    const FUTURE: &str = r#""2026-11-21T13:00:00Z""#;
    const ZERO: &str = r#""0001-01-01T00:00:00Z""#;
    let past = DateTime::parse_from_rfc3339("2026-11-21T11:00:00Z").unwrap().to_utc();
    for (group, status, end, want, want_end) in [
        ("resolved", r#""firing""#, ZERO, AlertStatus::Firing, None),
        ("resolved", r#""firing""#, PAST, AlertStatus::Firing, None),
        ("firing", r#""resolved""#, PAST, AlertStatus::Resolved, Some(past)),
        ("firing", r#""resolved""#, ZERO, AlertStatus::Resolved, Some(now())),
        ("firing", r#""resolved""#, "null", AlertStatus::Resolved, Some(now())),
        ("firing", "null", PAST, AlertStatus::Resolved, Some(past)),
        ("resolved", "null", FUTURE, AlertStatus::Firing, None),
        ("resolved", "null", ZERO, AlertStatus::Firing, None),
        ("resolved", r#""""#, "null", AlertStatus::Resolved, Some(now())),
        ("firing", "null", "null", AlertStatus::Firing, None),
        ("", "null", "null", AlertStatus::Firing, None),
    ] {
        let body =
            format!(r#"{{"status":"{group}","alerts":[{{"status":{status},"endsAt":{end},"labels":{{"a":"b"}}}}]}}"#);
        let alert = read(&body).unwrap().alerts.remove(0);
        assert_eq!((alert.status, alert.ends_at), (want, want_end), "{body}");
    }
}

#[test]
fn grafanas_fingerprint_is_trusted_and_nobody_elses() {
    let fingerprint = |version: &str, given: &str| {
        let body = format!(r#"{{"version":{version},"alerts":[{{"labels":{{"a":"b"}},"fingerprint":"{given}"}}]}}"#);
        read(&body).unwrap().alerts[0].fingerprint.to_string()
    };
    let computed = fingerprint("\"4\"", "");
    assert_eq!(fingerprint("\"1\"", "00000000000000aa"), "00000000000000aa");
    for (version, given) in
        [("\"4\"", "00000000000000aa"), ("\"1\"", "zz"), ("3", "00000000000000aa"), ("\"1\"", ""), ("null", "aa")]
    {
        assert_eq!(fingerprint(version, given), computed, "{version} {given}");
    }
}

#[test]
fn a_grafana_body_is_read() {
    let body = r#"{"receiver":"","status":"firing","orgId":1,"state":"alerting","title":"t","message":"m","version":"1",
        "groupKey":"{}2022-08-31 05:54:04.52 +0000 UTC m=+42208.25","truncatedAlerts":0,"alerts":[{"status":"firing",
        "labels":{"alertname":"A","rulename":"R"},"annotations":{},"startsAt":"2026-11-21T11:59:00+08:00",
        "endsAt":"0001-01-01T00:00:00Z","generatorURL":"u","fingerprint":"57c6d9296de2ad39","silenceURL":"s",
        "values":{"B":null,"C":1e300},"valueString":"v","enrichments":[[[{}]]]}]}"#;
    let notification = read(body).unwrap();
    assert_eq!(notification.alerts[0].fingerprint.to_string(), "57c6d9296de2ad39");
    assert_eq!(notification.alerts[0].starts_at.unwrap().to_rfc3339(), "2026-11-21T03:59:00+00:00");
}

#[test]
fn one_bad_alert_does_not_sink_the_others() {
    let body = r#"{"alerts":[7,{"labels":{"a":"b"}},{"labels":{"a":{"b":"c"}}},null,{"labels":{"c":"d"}}]}"#;
    let notification = read(body).unwrap();
    assert_eq!(notification.alerts.len(), 2);
    let places: Vec<_> = notification.rejected.iter().map(|rejected| rejected.index).collect();
    assert_eq!(places, [0, 2, 3]);
    assert_eq!(notification.rejected[0].problem, "the alert is a number, not an object");
}

#[test]
fn a_bad_alert_says_what_is_wrong() {
    let many: Vec<_> = (0..=LABELS_MAX).map(|n| format!("\"l{n}\":\"x\"")).collect();
    let too_many = format!("\"labels\":{{{}}}", many.join(","));
    let too_long = format!("\"labels\":{{\"a\":\"{}\"}}", "x".repeat(VALUE_LEN_MAX + 1));
    let long_name = format!("\"labels\":{{\"{}\":\"x\"}}", "n".repeat(1025));
    for (fields, want) in [
        ("", "`labels` is empty: an alert is known by its labels"),
        (r#""labels":{"a":""}"#, "`labels` is empty: an alert is known by its labels"),
        (r#""labels":"a=b""#, "`labels` is a text, not an object"),
        (r#""labels":[]"#, "`labels` is a list, not an object"),
        (r#""labels":{"a":"b","a":"c"}"#, "`labels` names \"a\" twice"),
        (r#""labels":{"a":"b","\u0061":"b"}"#, "`labels` names \"a\" twice"),
        (r#""labels":{"a":"b"},"labels":{"a":"c"}"#, "`labels` stands twice"),
        (r#""labels":{"a":"b"},"annotations":{"s":1,"s":""}"#, "`annotations` names \"s\" twice"),
        (r#""labels":{"a":["b"]}"#, "`labels` has \"a\", which is not a text"),
        (r#""labels":{"a":"\ud800"}"#, "`labels` has \"a\", which has an invalid escape"),
        (r#""labels":{"":"b"}"#, "`labels` has an entry without a name"),
        (r#""labels":{"a":"b"},"status":"ok""#, "`status` is \"ok\", neither firing nor resolved"),
        (r#""labels":{"a":"b"},"startsAt":"yesterday""#, "`startsAt` is \"yesterday\", not an RFC 3339 time"),
        (r#""labels":{"a":"b"},"endsAt":1700000000"#, "`endsAt` is 1700000000, not an RFC 3339 time"),
        (&too_many, "`labels` holds more than 512 entries"),
        (&too_long, "`labels` has \"a\", which is 65537 bytes long; at most 65536 are read"),
        (&long_name, "`labels` has a name of 1025 bytes; at most 1024 are read"),
    ] {
        assert_eq!(alert(fields), Err(want.to_owned()));
    }
}

#[test]
fn another_shape_is_told_what_it_is() {
    for (body, want) in [
        (r#"[{"labels":{"alertname":"X"}}]"#, PayloadError::PrometheusPush),
        (r#"{"evalMatches":[],"state":"alerting","ruleName":"r"}"#, PayloadError::LegacyGrafana),
        (r#"{"@timestamp":"t","instance":"i","data":{"alertResolved":{}}}"#, PayloadError::EventRecorder),
        (r#"{"text":"custom"}"#, PayloadError::NoAlerts),
        (r#"{"alerts":null}"#, PayloadError::NoAlerts),
        (r#"{"alerts":"none"}"#, PayloadError::AlertsOdd("a text")),
        (r#"{"alerts":{"a":1}}"#, PayloadError::AlertsOdd("an object")),
        (r#"{"alerts":[{"labels":{"a":"b"}}],"alerts":[]}"#, PayloadError::AlertsOdd("there twice")),
        (r#"{"alerts":[]}"#, PayloadError::Empty),
    ] {
        assert_eq!(read(body), Err(want), "{body}");
    }
}

#[test]
fn what_is_not_json_is_refused() {
    let deep = format!(r#"{{"alerts":[{{"x":{}"#, "[".repeat(100_000));
    for body in
        ["", " \n", "alerts", "\"{}\"", "{", r#"{"alerts":[{}]"#, r#"{"alerts":[]} x"#, r#"{"a":"b" "c"}"#, &deep]
    {
        assert!(matches!(read(body), Err(PayloadError::NotJson(_))), "{body:.40}: {:?}", read(body));
    }
    assert!(matches!(decode(b"{\"a\":\"\xff\"}", "s", now()), Err(PayloadError::NotJson(_))));
}

#[test]
fn deep_nesting_in_a_field_we_ignore_costs_nothing() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let body = format!(r#"{{"x":{deep},"alerts":[{{"labels":{{"a":"b"}},"x":{deep}}},{deep}]}}"#);
    let notification = read(&body).unwrap();
    assert_eq!((notification.alerts.len(), notification.rejected.len()), (1, 1));
}

#[test]
fn too_many_alerts_are_refused_as_a_whole() {
    let body = |count: usize| format!(r#"{{"alerts":[{}]}}"#, vec![r#"{"labels":{"a":"b"}}"#; count].join(","));
    assert_eq!(read(&body(ALERTS_MAX)).unwrap().alerts.len(), ALERTS_MAX);
    assert_eq!(read(&body(ALERTS_MAX + 1)), Err(PayloadError::TooMany(ALERTS_MAX + 1)));
}

proptest::proptest! {
    #[test]
    fn no_body_makes_it_panic(body in "\\PC{0,200}", bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
        let _ = read(&body);
        let _ = decode(&bytes, "s", now());
        let _ = alert_lenient(&body);
    }

    #[test]
    fn any_label_text_survives(name in "\\PC{1,20}", value in "\\PC{1,40}") {
        let labels = serde_json::json!({ name.clone(): value.clone() });
        let read = alert(&format!("\"labels\":{labels}")).unwrap();
        proptest::prop_assert_eq!(read.labels.get(&name), Some(&*value));
    }
}

fn alert_lenient(inside: &str) -> Result<Notification, PayloadError> {
    read(&format!(r#"{{"alerts":[{{"labels":{{"a":"b"}},{inside}}}]}}"#))
}
