//! What is to be simulated, told apart by what it holds: an incident log, webhook bodies, or amtool's list of alerts.
//!
//! What cannot be read is named with its place and left out, never silently. Read [`read()`] first.

use super::bodies::Bodies;
use crate::incident_log::LogReader;
use crate::model::fact::Record;
use crate::record::{Content, Header, decode};
use crate::replay::History;
use anyhow::{Context, bail};
use chrono::{DateTime, Utc};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How many problems are named one by one.
const NAMED_MAX: usize = 20;

/// Everything that was read.
#[derive(Debug)]
pub(super) struct Input {
    /// What is to be played.
    pub(super) history: History,
    /// `incident_log`, `webhook_bodies` or `amtool_alerts`.
    pub(super) kind: &'static str,
    /// How many records or bodies.
    pub(super) entries: usize,
    /// How many records, bodies and alerts were left out.
    pub(super) left_out: usize,
    /// How many alerts of amtool's were silenced or inhibited: Alertmanager would not have sent them.
    pub(super) suppressed: usize,
    /// What could not be read, with its place: the first ones.
    pub(super) problems: Vec<String>,
}

/// When bodies came that do not say so, and when to end.
pub(super) type Times = (Option<DateTime<Utc>>, Duration, Option<DateTime<Utc>>);

/// Reads all of them.
///
/// # Errors
/// If one cannot be read at all, if kinds are mixed, or if nothing is left.
pub(super) fn read(paths: &[PathBuf], (at, spacing, until): Times, stdin: &mut dyn Read) -> anyhow::Result<Input> {
    if let [path] = paths
        && is_log(path)?
    {
        return read_log(path, until);
    }
    let mut bodies = Bodies::new(at, spacing);
    for path in paths {
        if path.as_os_str() == "-" {
            let mut text = Vec::new();
            stdin.read_to_end(&mut text).context("reading standard input")?;
            bodies.add("-", &text);
            continue;
        }
        for file in files_of(path)? {
            if is_log(&file)? {
                bail!("{} is an incident log: simulate it alone, by its data directory", file.display());
            }
            let text = fs::read(&file).with_context(|| format!("reading {}", file.display()))?;
            bodies.add(&file.display().to_string(), &text);
        }
    }
    bodies.finish(until)
}

/// Whether a path is a data directory, a directory of segments, or a file that begins with a record.
fn is_log(path: &Path) -> anyhow::Result<bool> {
    if path.as_os_str() == "-" {
        return Ok(false);
    }
    if path.is_dir() {
        let holds =
            |place: &Path| fs::read_dir(place).is_ok_and(|files| files.flatten().any(|file| is_segment(&file.path())));
        return Ok(path.join("incident_log").is_dir() || holds(path));
    }
    let mut first = [0; 12];
    let mut file = fs::File::open(path).with_context(|| format!("reading {}", path.display()))?;
    let read = file.read(&mut first).with_context(|| format!("reading {}", path.display()))?;
    Ok(first.get(..read).is_some_and(|first| first.starts_with(b"{\"v\":1,\"seq")))
}

/// Whether a file is named as a segment of the log is.
fn is_segment(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    name.strip_suffix(".jsonl").is_some_and(|digits| digits.len() == 20 && digits.bytes().all(|b| b.is_ascii_digit()))
}

/// A file itself, or the `*.json` and `*.jsonl` of a directory by name.
fn files_of(path: &Path) -> anyhow::Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let entries = fs::read_dir(path).with_context(|| format!("reading {}", path.display()))?;
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "json" || extension == "jsonl"));
    files.sort();
    if files.is_empty() {
        bail!("{} holds no *.json, no *.jsonl and no incident log", path.display());
    }
    Ok(files)
}

fn read_log(path: &Path, until: Option<DateTime<Utc>>) -> anyhow::Result<Input> {
    let mut reader = LogReader::open(path)?;
    let mut problems = Problems::default();
    let mut records: Vec<Record> = Vec::new();
    let mut number = 0_u64;
    while let Some(line) = reader.next_line()? {
        number += 1;
        if let Some(until) = until
            && Header::of(line).is_ok_and(|header| until <= header.at.wall)
        {
            break;
        }
        match decode(line) {
            Ok(decoded) => match decoded.content {
                Content::Fact(fact) => {
                    records.push(Record { seq: decoded.seq, at: decoded.at, fact: History::lean(fact) })
                }
                Content::Unknown { kind } => {
                    problems.add(format!(
                        "{}:{number}: a record of the kind {kind}, unknown to this version",
                        path.display()
                    ));
                }
            },
            Err(error) => problems.add(format!("{}:{number}: {error}", path.display())),
        }
    }
    if records.is_empty() {
        bail!("{} holds no record that could be played", path.display());
    }
    let entries = records.len();
    let Problems { named, count } = problems;
    let history = History::Log(records);
    Ok(Input { history, kind: "incident_log", entries, left_out: count, suppressed: 0, problems: named })
}

/// What could not be read.
#[derive(Debug, Default)]
pub(super) struct Problems {
    pub(super) named: Vec<String>,
    pub(super) count: usize,
}

impl Problems {
    pub(super) fn add(&mut self, problem: String) {
        self.count += 1;
        match self.count.cmp(&(NAMED_MAX + 1)) {
            std::cmp::Ordering::Less => self.named.push(problem),
            std::cmp::Ordering::Equal => self.named.push("and more, which are counted and not named".to_owned()),
            std::cmp::Ordering::Greater => {}
        }
    }
}

/// What bodies become.
pub(super) fn of_bodies(
    (came, kind): (Vec<crate::replay::Came>, &'static str),
    problems: Problems,
    suppressed: usize,
) -> anyhow::Result<Input> {
    if came.is_empty() {
        let first = problems.named.first().map_or_else(|| "the input is empty".to_owned(), Clone::clone);
        bail!("there is nothing to simulate: {first}");
    }
    let entries = came.len();
    let Problems { named, count } = problems;
    let history = History::of_notifications(came);
    Ok(Input { history, kind, entries, left_out: count, suppressed, problems: named })
}
