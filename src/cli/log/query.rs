//! `log tail` and `log query`: lines of the log, chosen by place or by content.

use super::args::LogOutput;
use crate::incident_log::LogReader;
use crate::model::duration::time_or_age;
use crate::model::matcher::parse_matchers;
use crate::record::schema::schema;
use crate::record::{Content, Decoded, Header, LogFilter, decode};
use crate::story::{printable, words};
use anyhow::{anyhow, bail};
use chrono::{DateTime, SubsecRound, Utc};
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::thread;
use std::time::Duration;

const POLL_EVERY: Duration = Duration::from_millis(200);

/// `2026-01-05T10:00:00Z`, or a duration before now.
pub(in crate::cli) fn parse_time(text: &str, now: DateTime<Utc>) -> anyhow::Result<DateTime<Utc>> {
    time_or_age(text, now).map_err(|why| anyhow!(why))
}

/// Reads the matchers of a query.
pub(super) fn filter(
    matchers: &[String],
    (since, until): (Option<DateTime<Utc>>, Option<DateTime<Utc>>),
) -> anyhow::Result<LogFilter> {
    LogFilter::parse(matchers, since, until)
        .map_err(|bad| anyhow!("{bad}; write matchers as in a playbook: kind=\"decision\""))
}

/// Names in matchers that no record of this version has. What newer versions write may have them.
pub(super) fn unknown_names(matchers: &[String]) -> BTreeSet<String> {
    let schema = schema();
    let bodies = schema.get("allOf").and_then(Value::as_array).into_iter().flatten();
    let bodies = bodies.filter_map(|body| body.pointer("/then/properties")).chain(schema.get("properties"));
    let members = bodies.filter_map(Value::as_object).flat_map(Map::keys);
    let known: BTreeSet<&str> = members.map(String::as_str).chain(["alertname"]).collect();
    let asked = matchers.iter().filter_map(|text| parse_matchers(text).ok()).flat_map(|parsed| parsed.matchers);
    let unknown = |name: &String| name.split('.').next().is_some_and(|first| !known.contains(first));
    asked.map(|matcher| matcher.name.to_string()).filter(unknown).collect()
}

/// The last records, and on as the log grows.
pub(super) fn tail(
    path: &Path,
    output: LogOutput,
    (follow, count): (bool, usize),
    out: &mut dyn Write,
) -> anyhow::Result<u8> {
    let mut reader = LogReader::open_at_last(path, count)?;
    loop {
        while let Some(line) = reader.next_line()? {
            print(line, output, out)?;
        }
        out.flush()?;
        if !follow {
            return Ok(0);
        }
        thread::sleep(POLL_EVERY);
    }
}

/// All records the filter wants.
pub(super) fn query(path: &Path, output: LogOutput, filter: &LogFilter, out: &mut dyn Write) -> anyhow::Result<u8> {
    let mut reader = LogReader::open(path)?;
    let mut out = BufWriter::new(out);
    let mut unreadable = 0_u64;
    while let Some(line) = reader.next_line()? {
        if filter.matches(line) {
            print(line, output, &mut out)?;
        } else if Header::of(line).is_err() {
            unreadable += 1;
        }
    }
    out.flush()?;
    if 0 < unreadable {
        bail!("{unreadable} lines are not records and were left out: see what `sickbay log verify` says");
    }
    Ok(0)
}

fn print(line: &[u8], output: LogOutput, out: &mut dyn Write) -> anyhow::Result<()> {
    match output {
        LogOutput::Json => {
            out.write_all(line)?;
            out.write_all(b"\n")?;
        }
        LogOutput::Text => writeln!(out, "{}", sentence(line))?,
    }
    Ok(())
}

/// One record on one line.
fn sentence(line: &[u8]) -> String {
    let Decoded { seq, at, content, .. } = match decode(line) {
        Ok(decoded) => decoded,
        Err(error) => return format!("? {error}: {}", printable(&String::from_utf8_lossy(line))),
    };
    let time = at.wall.trunc_subsecs(3).format("%F %T%.3fZ");
    match content {
        Content::Unknown { kind } => format!("{time} {seq:>6} {:<8} {kind}: of a newer version", ""),
        Content::Fact(fact) => {
            let incident = fact.incident(seq).map(|incident| incident.to_string()).unwrap_or_default();
            format!("{time} {seq:>6} {incident:<8} {:<17} {}", fact.kind(), words(&fact))
        }
    }
}
