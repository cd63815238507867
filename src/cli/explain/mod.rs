//! `sickbay explain`: why something was done, or not. From the incident log, what was decided about an alert, with the
//! values each gate saw; from the rules, what would become of an alert with these labels, or of the alerts of a recorded
//! webhook body. Needs no daemon.
//!
//! Read [`ExplainArgs`], then `crate::story` for the log, `labels` and `event` for the rules.

mod event;
mod labels;

use super::check::Output;
use super::log::parse_time;
use super::print_json;
use crate::model::id::{ActId, IncidentId};
use crate::model::label::Fingerprint;
use crate::story::{self, Story, Subject};
use chrono::{DateTime, Utc};
use clap::Args;
use serde::Serialize;
use std::io::{self, Read, Write};
use std::path::PathBuf;

/// Exit code where no answer could be given: bad arguments, no such incident, a file that cannot be read.
const NO_ANSWER: u8 = 2;

/// With `--exit-code`: nothing was done, or nothing would be.
const NOT_DONE: u8 = 1;

/// Say why something was done, or not: from the incident log, or beforehand from the rules.
#[derive(Args, Clone, Debug)]
pub struct ExplainArgs {
    /// An incident (i12), an act of it (i12.2), an alert's fingerprint, or an alert's labels (alertname=Down container=web);
    /// in the log, labels may be any matchers
    #[arg(value_name = "ID|LABEL=VALUE", required_unless_present = "event")]
    what: Vec<String>,
    /// Explain what would become of each alert of this webhook body, by the rules; `-` reads standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["what", "path", "since", "until"])]
    event: Option<PathBuf>,
    /// Explain what happened, from the incident log in this data directory [default for an id: data/]
    #[arg(long, value_name = "DIR", conflicts_with_all = ["rules", "at"])]
    path: Option<PathBuf>,
    /// In the log, only alerts that came not before: 24h (ago), or 2026-01-05T10:00:00Z
    #[arg(long, value_name = "TIME", conflicts_with_all = ["rules", "at"])]
    since: Option<String>,
    /// In the log, only alerts that came before: 1h (ago), or 2026-01-05T10:00:00Z
    #[arg(long, value_name = "TIME", conflicts_with_all = ["rules", "at"])]
    until: Option<String>,
    /// Explain what would happen, from these rules files or directories [default for labels: rules/]
    #[arg(long, value_name = "FILE|DIR")]
    rules: Vec<PathBuf>,
    /// With rules, as if it were this time: 2026-12-24T23:00:00Z, or 8h (ago) [default: now; with --event, when it came, or
    /// when the last thing that it tells of happened]
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// Exit with 1 if nothing was done, or nothing would be
    #[arg(long)]
    exit_code: bool,
    /// How to print
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

/// The stories as JSON. The shape is stable: fields are added, never renamed or removed.
#[derive(Serialize)]
struct Told<'a> {
    alerts: &'a [Story],
}

fn subject_of(what: &[String]) -> Subject {
    if let [one] = what {
        let incident = one.parse::<IncidentId>().or_else(|_| one.parse().map(|act: ActId| act.incident));
        if let Ok(incident) = incident {
            return Subject::Incident(incident);
        }
        if let Some(fingerprint) = Fingerprint::parse(one) {
            return Subject::Alert(fingerprint);
        }
    }
    Subject::Labels(what.to_vec())
}

/// Explains; the exit code. `now` is what times like `24h` count from.
///
/// # Errors
/// If the result cannot be printed.
pub fn run(
    args: &ExplainArgs,
    now: DateTime<Utc>,
    (stdin, out, err): (&mut dyn Read, &mut dyn Write, &mut dyn Write),
) -> io::Result<u8> {
    let mut result = Vec::new();
    match explain((args, now), stdin, &mut result) {
        Ok(done) => {
            out.write_all(&result)?;
            Ok(if args.exit_code && !done { NOT_DONE } else { 0 })
        }
        Err(error) => {
            writeln!(err, "error: {error:#}")?;
            Ok(NO_ANSWER)
        }
    }
}

/// Whether something was done, or would be.
fn explain(
    (args, now): (&ExplainArgs, DateTime<Utc>),
    stdin: &mut dyn Read,
    out: &mut Vec<u8>,
) -> anyhow::Result<bool> {
    let time = |text: &Option<String>| text.as_deref().map(|text| parse_time(text, now)).transpose();
    if let Some(file) = &args.event {
        return event::explain((&args.rules, args.output), (file, stdin), (time(&args.at)?, now), out);
    }
    let subject = subject_of(&args.what);
    let from_rules = !args.rules.is_empty() || args.at.is_some();
    let from_log = args.path.is_some() || args.since.is_some() || args.until.is_some();
    match subject {
        Subject::Labels(labels) if from_rules || !from_log => {
            let at = time(&args.at)?.unwrap_or(now);
            labels::explain((&args.rules, args.output), &labels, at, out)
        }
        Subject::Incident(_) | Subject::Alert(_) if from_rules => {
            anyhow::bail!("with --rules, name the alert's labels: alertname=Down container=web-1")
        }
        subject @ (Subject::Incident(_) | Subject::Alert(_) | Subject::Labels(_)) => {
            let path = args.path.clone().unwrap_or_else(|| PathBuf::from("data/"));
            let stories = story::read(&path, &subject, (time(&args.since)?, time(&args.until)?))?;
            match args.output {
                Output::Json => print_json(&Told { alerts: &stories }, out)?,
                Output::Text => story::text(&stories, out)?,
            }
            Ok(stories.iter().all(|story| story.acted))
        }
    }
}

#[cfg(test)]
mod tests;
