//! Alertmanager's API v2 as text: how an alert is asked for, and what the answers say.
//!
//! Decoding is strict where a mistake could end an alert: what is not understood is no answer.

use crate::model::label::{Fingerprint, Labels};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use std::time::Duration;

/// An entry of `GET /api/v2/alerts`: all of its other members are nobody's business here.
#[derive(Deserialize)]
struct Listed<'a> {
    #[serde(borrow)]
    fingerprint: std::borrow::Cow<'a, str>,
}

/// The answer to `GET /api/v2/status`.
#[derive(Deserialize)]
struct Status {
    /// Despite its name the moment at which it started.
    uptime: String,
}

/// The matcher that selects one label's value, as `filter=` takes it.
pub(super) fn filter(name: &str, value: &str) -> String {
    let plain = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
    // Other names exist since 0.27, which takes them in quotes.
    let name = if plain { name.to_owned() } else { quoted(name) };
    format!("{name}={}", quoted(value))
}

/// A text in quotes. All versions know these three escapes; the older parser knows no others.
fn quoted(text: &str) -> String {
    let escaped = text.replace('\\', r"\\").replace('"', r#"\""#).replace('\n', r"\n");
    format!("\"{escaped}\"")
}

/// The query that lists an alert if it fires, silenced and inhibited or not.
pub(super) fn query(labels: &Labels) -> Vec<(&'static str, String)> {
    let states = ["active", "silenced", "inhibited"].map(|state| (state, "true".to_owned()));
    states.into_iter().chain(labels.iter().map(|(name, value)| ("filter", filter(name, value)))).collect()
}

/// Whether an answer to the query lists the alert.
pub(super) fn lists(body: &[u8], fingerprint: Fingerprint) -> Result<bool, String> {
    let unreadable = |why: String| format!("answered something else than a list of alerts: {why}");
    let listed: Vec<Listed<'_>> = serde_json::from_slice(body).map_err(|error| unreadable(error.to_string()))?;
    let mut found = false;
    for alert in listed {
        let known = Fingerprint::parse(&alert.fingerprint);
        found |= known.ok_or_else(|| unreadable("a fingerprint is not one".to_owned()))? == fingerprint;
    }
    Ok(found)
}

/// How long an instance has been up, by its own clock: the `Date` of the very answer that names its start.
pub(super) fn up(body: &[u8], date: Option<&str>) -> Result<Duration, String> {
    let status: Status =
        serde_json::from_slice(body).map_err(|error| format!("answered something else than its status: {error}"))?;
    let started = DateTime::parse_from_rfc3339(&status.uptime)
        .map_err(|error| format!("does not say when it started: {error}"))?
        .with_timezone(&Utc);
    let now = date.ok_or("does not say what time it is: its answer has no Date")?;
    let now = DateTime::parse_from_rfc2822(now).map_err(|error| format!("does not say what time it is: {error}"))?;
    (now.with_timezone(&Utc) - started).to_std().map_err(|_negative| "says that it starts in the future".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_becomes_a_matcher_that_both_of_alertmanagers_parsers_read() {
        for (name, value, want) in [
            ("alertname", "X", r#"alertname="X""#),
            ("_a1", "", r#"_a1="""#),
            ("name", r#"C:\dir "quoted""#, r#"name="C:\\dir \"quoted\"""#),
            ("name", "two\nlines\t{} , =~", "name=\"two\\nlines\t{} , =~\""),
            ("name", "über=\"1\"", r#"name="über=\"1\"""#),
            ("service.name", "web", r#""service.name"="web""#),
            ("1st", "x", r#""1st"="x""#),
            ("say \"hi\"", "x", r#""say \"hi\""="x""#),
        ] {
            assert_eq!(filter(name, value), want);
        }
    }

    #[test]
    fn a_silenced_or_inhibited_alert_is_asked_for_as_well() {
        let labels: Labels = [("alertname", "Down"), ("container", "web-1")].into_iter().collect();
        let query: Vec<String> = query(&labels).into_iter().map(|(key, value)| format!("{key}={value}")).collect();
        let want = [
            "active=true",
            "silenced=true",
            "inhibited=true",
            r#"filter=alertname="Down""#,
            r#"filter=container="web-1""#,
        ];
        assert_eq!(query, want);
    }

    #[test]
    fn an_alert_is_known_by_its_fingerprint_and_nothing_else() {
        let listed = |prints: &[&str]| {
            let alerts: Vec<_> =
                prints.iter().map(|print| serde_json::json!({"fingerprint": print, "labels": {"a": "b"}})).collect();
            lists(serde_json::json!(alerts).to_string().as_bytes(), Fingerprint(0x197b_79dd_cb5f_fe5d))
        };
        assert_eq!(listed(&["197b79ddcb5ffe5d"]), Ok(true));
        assert_eq!(listed(&["0000000000000001", "197b79ddcb5ffe5d"]), Ok(true));
        assert_eq!(listed(&["0000000000000001"]), Ok(false));
        assert_eq!(listed(&[]), Ok(false));
        assert!(listed(&["197b"]).is_err());
        for body in ["", "null", "{}", r#"{"data":[]}"#, r#"[{"labels":{}}]"#, "[", r#""bad matcher""#, "<html>"] {
            let error = lists(body.as_bytes(), Fingerprint(1)).unwrap_err();
            assert!(error.starts_with("answered something else than a list of alerts"), "{body}: {error}");
        }
    }

    #[test]
    fn the_time_since_the_start_is_told_by_the_instances_own_clock() {
        let status = |uptime: &str| serde_json::json!({"uptime": uptime, "cluster": {"status": "ready"}}).to_string();
        let date = Some("Mon, 05 Jan 2026 10:06:00 GMT");
        for (uptime, date, want) in [
            ("2026-01-05T10:00:00.000Z", date, Ok(Duration::from_secs(360))),
            ("2026-01-05T11:00:00.500+01:00", date, Ok(Duration::from_millis(359_500))),
            ("2026-01-05T10:06:00.123Z", date, Err("says that it starts in the future")),
            ("yesterday", date, Err("does not say when it started")),
            ("2026-01-05T10:00:00.000Z", None, Err("does not say what time it is")),
            ("2026-01-05T10:00:00.000Z", Some("soon"), Err("does not say what time it is")),
        ] {
            match (up(status(uptime).as_bytes(), date), want) {
                (Ok(up), Ok(want)) => assert_eq!(up, want, "{uptime}"),
                (Err(error), Err(want)) => assert!(error.starts_with(want), "{uptime}: {error}"),
                (got, want) => panic!("{uptime}: {got:?} is not {want:?}"),
            }
        }
        assert!(up(b"{}", date).unwrap_err().starts_with("answered something else than its status"));
    }
}
