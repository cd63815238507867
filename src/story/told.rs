//! The stories of alerts as text for people.

use super::printable::{printable, span};
use super::read::{Decision, Event, Story};
use crate::model::reason::Reason;
use chrono::{DateTime, Utc};
use serde::Serializer;
use std::io::{self, Write};
use std::time::Duration;

/// The longest line of advice, in characters.
const WIDTH: usize = 100;

/// Pairs as one JSON object, in their own order.
///
/// # Errors
/// The serializer's own.
pub fn in_order<S: Serializer>(pairs: &[(String, String)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(pairs.iter().map(|(name, value)| (name, value)))
}

/// Tells all of them as text for people, safe for a terminal.
///
/// # Errors
/// If it cannot be written.
pub fn text(stories: &[Story], out: &mut dyn Write) -> io::Result<()> {
    for (index, story) in stories.iter().enumerate() {
        if index != 0 {
            writeln!(out)?;
        }
        one(story, out)?;
    }
    Ok(())
}

fn one(story: &Story, out: &mut dyn Write) -> io::Result<()> {
    let alert = labels(&story.labels);
    let name = story.incident.clone().unwrap_or_else(|| format!("#{}", story.seq));
    writeln!(out, "{name}  {}", printable(&alert))?;
    let at = story.seen.format("%F %T UTC");
    let starts_at = story.starts_at.as_ref().map(|start| format!(", firing since {start}")).unwrap_or_default();
    writeln!(out, "{at}, fingerprint {}, from {}{starts_at}", story.fingerprint, printable(&story.sender))?;
    match (&story.playbook, &story.revision, story.reason) {
        (Some(playbook), Some(revision), _) => {
            writeln!(out, "taken by playbook {} (revision {revision})", printable(playbook))?;
        }
        (_, _, reason) => {
            let handled = story.handled_by.as_ref().map(|by| format!("; see {by}")).unwrap_or_default();
            writeln!(out, "no playbook took it: {}{handled}", reason.unwrap_or("unknown"))?;
            advise(story.advice.as_deref(), out)?;
        }
    }
    let mut events = story.afterwards.iter().peekable();
    for decided in &story.decisions {
        while let Some(before) = events.next_if(|event| event.seq < decided.seq) {
            event(story.seen, before, out)?;
        }
        decision(story.seen, decided, out)?;
    }
    for later in events {
        event(story.seen, later, out)?;
    }
    match (story.verdict, story.acted) {
        (Some(verdict), true) => writeln!(out, "=> it was treated, and ended as {verdict}"),
        (Some(verdict), false) => writeln!(out, "=> nothing was done, and it ended as {verdict}"),
        (None, true) => writeln!(out, "=> it is being treated"),
        (None, false) if story.incident.is_some() => writeln!(out, "=> nothing was done so far"),
        (None, false) => writeln!(out, "=> nothing was done"),
    }
}

fn event(begun: DateTime<Utc>, event: &Event, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{} {:<9} {}", after(begun, event.seen), event.heading, event.words)
}

fn decision(begun: DateTime<Utc>, decided: &Decision, out: &mut dyn Write) -> io::Result<()> {
    let time = after(begun, decided.seen);
    let on = decided.target.as_ref().map(|target| format!(" on {target}")).unwrap_or_default();
    let (Some(gate), Some(reason)) = (decided.gate, decided.reason) else {
        let dry = if decided.dry_run { ", in dry-run: nothing is changed" } else { "" };
        return writeln!(out, "{time} every gate said yes{on}{dry}");
    };
    writeln!(out, "{time} gate {gate} said no{on}: {reason}")?;
    if let Some(detail) = decided.detail.as_ref().filter(|detail| !detail.is_empty()) {
        writeln!(out, "    {}", printable(detail))?;
    }
    if !decided.inputs.is_empty() {
        writeln!(out, "    it saw")?;
        inputs(&decided.inputs, out)?;
    }
    // What a pause holds back goes on when it ends, as the advice says.
    let by_time = decided.reason != Some(Reason::Paused.as_str());
    if let Some(wait) = decided.retry_after_ms.filter(|wait| by_time && *wait != 0) {
        let wait = span(Duration::from_millis(wait));
        writeln!(out, "    asked again when the alert is delivered again, not before {wait}")?;
    }
    advise(decided.advice.as_deref(), out)
}

/// Values by name, one a line.
///
/// # Errors
/// If it cannot be written.
pub fn inputs(inputs: &[(String, String)], out: &mut dyn Write) -> io::Result<()> {
    let width = inputs.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default().min(40);
    inputs.iter().try_for_each(|(name, value)| writeln!(out, "      {:<width$}  {}", printable(name), printable(value)))
}

fn advise(advice: Option<&str>, out: &mut dyn Write) -> io::Result<()> {
    let mut line = String::new();
    for word in advice.into_iter().flat_map(str::split_whitespace) {
        if WIDTH < line.chars().count() + 1 + word.chars().count() {
            writeln!(out, "    > {line}")?;
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if line.is_empty() { Ok(()) } else { writeln!(out, "    > {line}") }
}

fn after(begun: DateTime<Utc>, at: DateTime<Utc>) -> String {
    format!("{:<11}", format!("+{}", span((at - begun).to_std().unwrap_or_default())))
}

/// `Down {container="web"}`
#[must_use]
pub fn labels(labels: &[(String, String)]) -> String {
    let value = |wanted: &str| labels.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
    let name = value("alertname").unwrap_or("an alert without a name");
    let others = labels.iter().filter(|(name, _)| name != "alertname").map(|(name, value)| format!("{name}={value:?}"));
    let others: Vec<String> = others.collect();
    if others.is_empty() { name.to_owned() } else { format!("{name} {{{}}}", others.join(", ")) }
}
