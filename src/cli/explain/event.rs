//! What would become of each alert of a recorded webhook body, by the rules alone. The body is read as the daemon reads it.
//!
//! A recorded body may stand alone, or with its time: `{"at": …, "body": …}`. Read [`Report`] for the JSON shape, and
//! [`super::labels`] for what is told of each playbook.

use super::super::print_json;
use super::labels::{Entry, entries, ruleset_of};
use crate::cli::check::Output;
use crate::cli::simulate::bodies::{came_at, latest};
use crate::engine::explain::{Explained, explain_told};
use crate::engine::ruleset::Ruleset;
use crate::model::alert::{Alert, AlertStatus, Notification};
use crate::receiver::payload::decode;
use crate::story::{self, printable};
use anyhow::{Context, anyhow, bail};
use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use serde_json::Value;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

/// The longest file that is read: more than the daemon takes, because recorded bodies are often indented.
const FILE_LEN_MAX: u64 = 64 * 1024 * 1024;

/// The answer. The shape is stable: fields are added, never renamed or removed.
#[derive(Debug, Serialize)]
struct Report {
    at: String,
    /// Alertmanager's receiver.
    receiver: String,
    /// How many alerts of the group the sender left out.
    truncated_alerts: u64,
    /// All that could be read, in the order of the body.
    alerts: Vec<AlertReport>,
    /// Those that could not be read.
    unreadable: Vec<Unreadable>,
}

#[derive(Debug, Serialize)]
struct AlertReport {
    /// `firing` or `resolved`.
    status: &'static str,
    #[serde(serialize_with = "story::in_order")]
    labels: Vec<(String, String)>,
    starts_at: Option<String>,
    /// The playbook that takes the alert; null as well if it is resolved.
    taken_by: Option<String>,
    /// All of them, in the order of the files; none if the alert is resolved.
    playbooks: Vec<Entry>,
}

#[derive(Debug, Serialize)]
struct Unreadable {
    /// Its place in the body, from 0.
    index: usize,
    problem: String,
}

/// Explains; whether for each alert that fires a playbook takes it and nothing that was asked stands in its way.
pub(super) fn explain(
    (paths, output): (&[PathBuf], Output),
    (file, stdin): (&Path, &mut dyn Read),
    (at, now): (Option<DateTime<Utc>>, DateTime<Utc>),
    out: &mut Vec<u8>,
) -> anyhow::Result<bool> {
    let ruleset = ruleset_of(paths)?;
    let (came, notification) = read(file, stdin)?;
    let at = at.or(came).or_else(|| latest(&notification)).unwrap_or(now);
    let mut goes_on = notification.rejected.is_empty();
    let mut alerts = Vec::new();
    for alert in &notification.alerts {
        let explained = match alert.status {
            AlertStatus::Firing => explain_told(&ruleset, (alert, notification.truncated_alerts), at),
            AlertStatus::Resolved => Vec::new(),
        };
        goes_on &= alert.status == AlertStatus::Resolved || explained.iter().any(Explained::goes_on);
        alerts.push(AlertReport::of(alert, explained, &ruleset));
    }
    goes_on &= alerts.iter().any(|alert| alert.status == "firing");
    let unreadable = notification.rejected.iter();
    let report = Report {
        at: written(at),
        receiver: notification.receiver_name.to_string(),
        truncated_alerts: notification.truncated_alerts,
        alerts,
        unreadable: unreadable.map(|one| Unreadable { index: one.index, problem: one.problem.clone() }).collect(),
    };
    match output {
        Output::Json => print_json(&report, out)?,
        Output::Text => print(&report, out)?,
    }
    Ok(goes_on)
}

fn written(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// The body, and when it came, if the file says so.
fn read(file: &Path, stdin: &mut dyn Read) -> anyhow::Result<(Option<DateTime<Utc>>, Notification)> {
    let name = if file == Path::new("-") { "standard input".to_owned() } else { file.display().to_string() };
    let text = bytes(file, stdin).with_context(|| format!("reading {name}"))?;
    let wrapped = serde_json::from_slice::<Value>(&text).ok();
    let (came, body) = match wrapped.as_ref().and_then(|value| Some((value, value.get("body")?))) {
        Some((value, Value::String(body))) => (came_at(value), body.clone().into_bytes()),
        Some((value, body)) => (came_at(value), body.to_string().into_bytes()),
        None => (None, text),
    };
    if wrapped.as_ref().is_some_and(|value| value.get("sequence").is_some()) {
        bail!("{name} holds several requests; `sickbay simulate` plays them all");
    }
    if wrapped.is_none() && is_several(&body) {
        bail!("{name} holds several bodies, one on each line; give one, or let `sickbay simulate` play them all");
    }
    // What has no end of its own ended when it was told, whenever that was.
    let read_at = came.unwrap_or(DateTime::<Utc>::MAX_UTC);
    let notification = decode(&body, "explain", read_at).map_err(|error| anyhow!("{name}: {error}"))?;
    Ok((came, notification))
}

/// Whether each of the first two lines is an object of its own.
fn is_several(text: &[u8]) -> bool {
    let is_object = |line: &[u8]| serde_json::from_slice::<Value>(line).is_ok_and(|value| value.is_object());
    let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.iter().all(u8::is_ascii_whitespace));
    lines.take(2).filter(|line| is_object(line)).count() == 2
}

fn bytes(file: &Path, stdin: &mut dyn Read) -> anyhow::Result<Vec<u8>> {
    let mut text = Vec::new();
    let read = if file == Path::new("-") {
        stdin.take(FILE_LEN_MAX + 1).read_to_end(&mut text)?
    } else {
        std::fs::File::open(file)?.take(FILE_LEN_MAX + 1).read_to_end(&mut text)?
    };
    if u64::try_from(read).is_ok_and(|read| FILE_LEN_MAX < read) {
        bail!("it is longer than {} MiB", FILE_LEN_MAX >> 20);
    }
    Ok(text)
}

impl AlertReport {
    fn of(alert: &Alert, explained: Vec<Explained>, ruleset: &Ruleset) -> Self {
        let fires = alert.status == AlertStatus::Firing;
        let taker = ruleset.playbooks.select(&alert.labels).filter(|_| fires);
        Self {
            status: if fires { "firing" } else { "resolved" },
            labels: alert.labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            starts_at: alert.starts_at.map(written),
            taken_by: taker.map(|playbook| playbook.name.to_string()),
            playbooks: explained.into_iter().map(Entry::from).collect(),
        }
    }
}

fn print(report: &Report, out: &mut Vec<u8>) -> std::io::Result<()> {
    let count = report.alerts.len();
    let noun = if count == 1 { "alert" } else { "alerts" };
    writeln!(out, "{count} {noun} for the receiver {:?} at {}", printable(&report.receiver), report.at)?;
    if report.truncated_alerts != 0 {
        writeln!(out, "the sender left out {} more of the group (max_alerts)", report.truncated_alerts)?;
    }
    for Unreadable { index, problem } in &report.unreadable {
        writeln!(out, "alerts[{index}] cannot be read and is left out: {}", printable(problem))?;
    }
    for alert in &report.alerts {
        writeln!(out, "\n{} {}", alert.status, printable(&story::labels(&alert.labels)))?;
        if alert.status == "resolved" {
            writeln!(
                out,
                "it ends what was known of the alert; no playbook is asked, and `on_resolved` follows a run"
            )?;
            continue;
        }
        match &alert.taken_by {
            Some(name) => writeln!(out, "taken by playbook {name}")?,
            None => writeln!(out, "no playbook takes it: no_match")?,
        }
        entries(&alert.playbooks, out)?;
    }
    Ok(())
}
