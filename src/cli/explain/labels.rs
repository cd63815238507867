//! What would become of an alert with these labels, by the rules alone. The gates are the engine's own.
//!
//! Read [`crate::engine::explain`] first: it says which gates can be asked. [`Report`] is the JSON shape.

use crate::cli::check::Output;
use crate::cli::print_json;
use crate::cli::rules::load_rules;
use crate::engine::explain::{Explained, No};
use crate::engine::ruleset::Ruleset;
use crate::model::label::Labels;
use crate::model::matcher::{MatchOp, parse_matchers};
use crate::model::policy::Policy;
use crate::playbook::Known;
use crate::story::{self, printable};
use anyhow::{anyhow, bail};
use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use std::io::Write;
use std::path::PathBuf;

/// The answer. The shape is stable: fields are added, never renamed or removed.
#[derive(Debug, Serialize)]
struct Report {
    at: String,
    #[serde(serialize_with = "story::in_order")]
    labels: Vec<(String, String)>,
    /// The playbook that takes the alert.
    taken_by: Option<String>,
    /// All of them, in the order of the files.
    playbooks: Vec<Entry>,
}

/// One playbook.
#[derive(Debug, Serialize)]
pub(super) struct Entry {
    name: String,
    source: String,
    /// Whether it is enabled and all of its matchers match.
    matched: bool,
    /// The first gate that says no; null if none of those that were asked does.
    gate: Option<&'static str>,
    /// Its reason; null as well where another playbook takes the alert.
    reason: Option<&'static str>,
    detail: Option<String>,
    /// The values the gate saw.
    #[serde(serialize_with = "story::in_order")]
    inputs: Vec<(String, String)>,
    /// What it would act on, as far as the labels tell.
    target: Option<String>,
    dry_run: bool,
    /// The gates that were asked and said yes.
    said_yes: Vec<&'static str>,
    /// The gates that were not asked, and why.
    not_asked: Vec<NotAsked>,
}

#[derive(Debug, Serialize)]
pub(super) struct NotAsked {
    gate: &'static str,
    why: String,
}

/// Explains; whether a playbook takes the alert and nothing that was asked stands in its way.
pub(super) fn explain(
    (paths, output): (&[PathBuf], Output),
    texts: &[String],
    at: DateTime<Utc>,
    out: &mut Vec<u8>,
) -> anyhow::Result<bool> {
    let labels = labels_of(texts)?;
    let ruleset = ruleset_of(paths)?;
    let explained = crate::engine::explain::explain(&ruleset, &labels, at);
    let goes_on = explained.iter().any(Explained::goes_on);
    let report = Report {
        at: at.to_rfc3339_opts(SecondsFormat::Secs, true),
        labels: labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        taken_by: ruleset.playbooks.select(&labels).map(|playbook| playbook.name.to_string()),
        playbooks: explained.into_iter().map(Entry::from).collect(),
    };
    match output {
        Output::Json => print_json(&report, out)?,
        Output::Text => print(&report, out)?,
    }
    Ok(goes_on)
}

/// The playbooks of these files and directories; of none, those of `rules/`.
pub(super) fn ruleset_of(paths: &[PathBuf]) -> anyhow::Result<Ruleset> {
    let rules = [PathBuf::from("rules/")];
    let paths = if paths.is_empty() { &rules } else { paths };
    Ok(Ruleset::new(load_rules(paths, Known::default())?, Policy::default()))
}

/// `alertname=Down container=web-1`, as in an alert: names with their values.
fn labels_of(texts: &[String]) -> anyhow::Result<Labels> {
    let mut pairs = Vec::new();
    for text in texts {
        let example = "write the alert's labels, such as alertname=Down container=web-1";
        for matcher in parse_matchers(text).map_err(|bad| anyhow!("{bad}; {example}"))?.matchers {
            match matcher.op {
                MatchOp::Equal(value) => pairs.push((matcher.name, value)),
                MatchOp::NotEqual(_) | MatchOp::Regex(_) | MatchOp::NotRegex(_) => {
                    bail!("{text} is a matcher, and an alert has labels: {example}")
                }
            }
        }
    }
    Labels::from_pairs(pairs).map_err(|twice| anyhow!("{twice}"))
}

impl From<Explained> for Entry {
    fn from(explained: Explained) -> Self {
        let Explained { playbook, source, dry_run, matched, no, target, yes, not_asked } = explained;
        let (gate, reason, detail, inputs) = match no {
            None => (None, None, None, Vec::new()),
            Some(No::TakenBy(other)) => {
                let detail = format!("it matches, but {other} comes first and takes the alert");
                (Some("playbook"), None, Some(detail), vec![("taken_by".to_owned(), other.to_string())])
            }
            Some(No::Refused(refusal)) => {
                (Some(refusal.gate.as_str()), Some(refusal.reason.as_str()), Some(refusal.detail), refusal.inputs)
            }
        };
        let not_asked = not_asked.into_iter().map(|(gate, why)| NotAsked { gate: gate.as_str(), why });
        Self {
            name: playbook.to_string(),
            source,
            matched,
            gate,
            reason,
            detail,
            inputs,
            target,
            dry_run,
            said_yes: yes.into_iter().map(|gate| gate.as_str()).collect(),
            not_asked: not_asked.collect(),
        }
    }
}

fn print(report: &Report, out: &mut Vec<u8>) -> std::io::Result<()> {
    writeln!(out, "{} at {}", printable(&story::labels(&report.labels)), report.at)?;
    match &report.taken_by {
        Some(name) => writeln!(out, "taken by playbook {name}")?,
        None => writeln!(out, "no playbook takes it: no_match")?,
    }
    entries(&report.playbooks, out)
}

/// What each playbook says.
pub(super) fn entries(playbooks: &[Entry], out: &mut Vec<u8>) -> std::io::Result<()> {
    for entry in playbooks {
        let Entry { name, source, gate, reason, .. } = entry;
        writeln!(out)?;
        let Some(gate) = gate else {
            let dry = if entry.dry_run { ", in dry-run" } else { "" };
            writeln!(out, "{name}  {source}  nothing that was asked says no{dry}")?;
            if let Some(target) = &entry.target {
                writeln!(out, "    target: {}", printable(target))?;
            }
            writeln!(out, "    said yes: {}", entry.said_yes.join(", "))?;
            writeln!(out, "    not asked")?;
            for NotAsked { gate, why } in &entry.not_asked {
                writeln!(out, "      {gate:<13}  {}", printable(why))?;
            }
            continue;
        };
        let reason = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
        writeln!(out, "{name}  {source}  gate {gate} says no{reason}")?;
        if let Some(detail) = &entry.detail {
            writeln!(out, "    {}", printable(detail))?;
        }
        story::inputs(&entry.inputs, out)?;
    }
    Ok(())
}
