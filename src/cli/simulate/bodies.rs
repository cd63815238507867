//! Webhook bodies as people keep them: plain, one per line, recorded with their headers and times; and amtool's alerts.

use super::input::{Input, Problems, of_bodies};
use crate::model::alert::{AlertStatus, Notification};
use crate::receiver::payload::decode;
use crate::replay::Came;
use anyhow::bail;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use std::time::Duration;

/// Who sent them, as far as anybody knows.
const SENDER: &str = "simulate";

/// What is read file by file.
#[derive(Debug)]
pub(super) struct Bodies {
    at: Option<DateTime<Utc>>,
    spacing: TimeDelta,
    /// Each with its own time, if it has one.
    read: Vec<(Option<DateTime<Utc>>, Notification)>,
    problems: Problems,
    alerts: usize,
    suppressed: usize,
}

impl Bodies {
    pub(super) fn new(at: Option<DateTime<Utc>>, spacing: Duration) -> Self {
        let spacing = TimeDelta::from_std(spacing).unwrap_or(TimeDelta::seconds(1));
        Self { at, spacing, read: Vec::new(), problems: Problems::default(), alerts: 0, suppressed: 0 }
    }

    /// One file: an object, a list, or objects line by line.
    pub(super) fn add(&mut self, place: &str, text: &[u8]) {
        match serde_json::from_slice::<Value>(text) {
            Ok(Value::Array(entries)) => {
                for (index, entry) in entries.iter().enumerate() {
                    self.entry(&format!("{place}[{index}]"), entry);
                }
            }
            Ok(value) => self.entry(place, &value),
            Err(whole) => self.lines(place, text, &whole),
        }
    }

    /// One object on each line.
    fn lines(&mut self, place: &str, text: &[u8], whole: &serde_json::Error) {
        let lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').collect();
        let is_object = |line: &&&[u8]| serde_json::from_slice::<Value>(line).is_ok_and(|value| value.is_object());
        if !lines.iter().any(|line| is_object(&line)) {
            self.problems.add(format!("{place}:{}:{}: it is not JSON: {whole}", whole.line(), whole.column()));
            return;
        }
        for (index, line) in lines.into_iter().enumerate() {
            if line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            let place = format!("{place}:{}", index + 1);
            match serde_json::from_slice::<Value>(line) {
                Ok(value) => self.entry(&place, &value),
                Err(error) => self.problems.add(format!("{place}: it is not JSON: {error}")),
            }
        }
    }

    fn entry(&mut self, place: &str, value: &Value) {
        if let Some(requests) = value.get("sequence").and_then(Value::as_array) {
            self.sequence(place, requests);
        } else if let Some(body) = value.get("body").and_then(Value::as_str) {
            self.body(place, body.as_bytes(), came_at(value));
        } else if value.get("body").is_some_and(Value::is_object) {
            let body = value.get("body").map(Value::to_string).unwrap_or_default();
            self.body(place, body.as_bytes(), came_at(value));
        } else if value.get("labels").is_some() && value.get("alerts").is_none() {
            self.amtool_alert(place, value);
        } else {
            self.body(place, value.to_string().as_bytes(), None);
        }
    }

    /// Requests in the order of their arrival, `t` seconds after the first.
    fn sequence(&mut self, place: &str, requests: &[Value]) {
        let mut begin = None;
        for (index, request) in requests.iter().enumerate() {
            let place = format!("{place}#sequence[{index}]");
            let Some(body) = request.get("body").and_then(Value::as_str) else {
                self.problems.add(format!("{place}: it has no `body`"));
                continue;
            };
            let before = self.read.len();
            self.body(&place, body.as_bytes(), None);
            let seconds = request.get("t").and_then(Value::as_f64).unwrap_or(0.0);
            if let Some((at, notification)) = self.read.get_mut(before) {
                let begin = *begin.get_or_insert_with(|| latest(notification).map(|moment| moment - span(seconds)));
                *at = begin.map(|begin| begin + span(seconds));
            }
        }
    }

    fn body(&mut self, place: &str, body: &[u8], at: Option<DateTime<Utc>>) {
        // What has no end of its own is told as it comes: at its own time, or now.
        match decode(body, SENDER, at.or(self.at).unwrap_or(DateTime::<Utc>::MAX_UTC)) {
            Ok(notification) => {
                for rejected in &notification.rejected {
                    let (index, problem) = (rejected.index, &rejected.problem);
                    self.problems.add(format!("{place}: alerts[{index}]: {problem}"));
                }
                self.read.push((at, notification));
            }
            Err(error) => self.problems.add(format!("{place}: {error}")),
        }
    }

    /// One alert as Alertmanager's API lists it: it is told when it began.
    fn amtool_alert(&mut self, place: &str, alert: &Value) {
        self.alerts += 1;
        if alert.pointer("/status/state").and_then(Value::as_str) == Some("suppressed") {
            self.suppressed += 1;
            return;
        }
        let mut sent = json!({"status": "firing"});
        for key in ["labels", "annotations", "startsAt", "generatorURL", "fingerprint"] {
            if let (Some(value), Some(sent)) = (alert.get(key), sent.as_object_mut()) {
                sent.insert(key.to_owned(), value.clone());
            }
        }
        let body = json!({"version": "4", "receiver": "amtool", "groupKey": "", "alerts": [sent]});
        self.body(place, body.to_string().as_bytes(), None);
    }

    /// All of them, each with its time.
    pub(super) fn finish(self, until: Option<DateTime<Utc>>) -> anyhow::Result<Input> {
        let Self { at, spacing, read, problems, alerts, suppressed } = self;
        if alerts != 0 && alerts == suppressed && read.is_empty() && problems.count == 0 {
            bail!("there is nothing to simulate: all {alerts} alerts are silenced or inhibited");
        }
        let kind = if alerts == 0 { "webhook_bodies" } else { "amtool_alerts" };
        let mut next = at;
        let timed = read.into_iter().map(|(own, mut notification)| {
            let given = || next.inspect(|given| next = Some(*given + spacing));
            let at = own.or_else(given).or_else(|| latest(&notification)).unwrap_or(DateTime::UNIX_EPOCH);
            // An end that was not told is when it was told of.
            let untold = |end: &&mut Option<DateTime<Utc>>| **end == Some(DateTime::<Utc>::MAX_UTC);
            notification
                .alerts
                .iter_mut()
                .map(|alert| &mut alert.ends_at)
                .filter(untold)
                .for_each(|end| *end = Some(at));
            Came { at, notification }
        });
        let mut came: Vec<Came> = timed.collect();
        came.sort_by_key(|came| came.at);
        // Those of one moment came one after the other.
        let mut last: Option<DateTime<Utc>> = None;
        for one in &mut came {
            if let Some(last) = last.filter(|last| one.at <= *last) {
                one.at = last + spacing;
            }
            last = Some(one.at);
        }
        came.retain(|one| until.is_none_or(|until| one.at < until));
        of_bodies((came, kind), problems, suppressed)
    }
}

/// `at`, `time` or `received_at` beside a `body`.
pub(in crate::cli) fn came_at(value: &Value) -> Option<DateTime<Utc>> {
    let text = ["at", "time", "received_at"].into_iter().find_map(|key| value.get(key)?.as_str())?;
    text.parse().ok()
}

fn span(seconds: f64) -> TimeDelta {
    TimeDelta::from_std(Duration::try_from_secs_f64(seconds).unwrap_or_default()).unwrap_or_default()
}

/// The last moment that a notification tells of.
pub(in crate::cli) fn latest(notification: &Notification) -> Option<DateTime<Utc>> {
    let told = notification.alerts.iter().filter_map(|alert| match alert.status {
        AlertStatus::Firing => alert.starts_at,
        // Where nothing was said, the reader put the time of reading.
        AlertStatus::Resolved => alert.ends_at.filter(|end| *end != DateTime::<Utc>::MAX_UTC).or(alert.starts_at),
    });
    told.max()
}
