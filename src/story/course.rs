//! One incident as it went, moment by moment: what came, what each gate said with which values, what was done with what in
//! and out, who said what, and by which playbook's text.
//!
//! For the page; the words are those of the command line. Read [`course()`] first, then [`Course`].

use super::advice::advice;
use super::printable::span;
use super::read::Unread;
use super::saw::{gates, lines, saw};
use super::words::{heading, origin, words};
use crate::incident_log::{LogReader, ReadError};
use crate::model::fact::{AlertReceived, Answer, Fact, IncidentClosed, Record, Taken};
use crate::model::id::{IncidentId, Seq};
use crate::record::{Header, LogFilter, decode};
use chrono::{DateTime, SecondsFormat, Utc};
use memchr::memmem::Finder;
use serde::Serialize;
use std::path::Path;

/// How many moments are shown at most, and how many of them are the first ones: an alert may be refused for weeks.
const MOMENTS_MAX: usize = 500;
const BEGINNING: usize = 100;

/// An incident, ready to be shown.
#[derive(Debug, Default, Serialize)]
pub struct Course {
    incident: String,
    alertname: String,
    opened: String,
    target: Option<String>,
    playbook: String,
    revision: String,
    /// Where it comes from, if another incident opened it.
    origin: Option<String>,
    opened_by: Option<String>,
    labels: Vec<(String, String)>,
    annotations: Vec<(String, String)>,
    starts_at: Option<String>,
    sender: String,
    /// Leads to the expression that fired; only if it leads to a web page.
    link: Option<String>,
    moments: Vec<Moment>,
    /// How many are left out after the first [`BEGINNING`].
    left_out: usize,
    /// How it ended; null while it is open.
    verdict: Option<&'static str>,
    /// How long it took until then.
    took: Option<String>,
    /// The playbook's text, in the revision by which it was decided.
    text: Option<Vec<String>>,
    /// What has become of the playbook since.
    since: Since,
}

/// What has become of a playbook.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Since {
    /// It is loaded as it was.
    Same,
    /// It is loaded with another text.
    Changed,
    /// It is loaded no more.
    #[default]
    Gone,
}

/// One thing that happened.
#[derive(Debug, Serialize)]
struct Moment {
    seq: u64,
    at: String,
    after: String,
    heading: &'static str,
    words: String,
    /// What was seen, asked for or sent, by name.
    saw: Vec<(String, String)>,
    /// What each gate said.
    gates: Vec<(&'static str, &'static str)>,
    /// What a refusal means, and what to do about it.
    advice: String,
    /// What the lines below are.
    below: &'static str,
    lines: Vec<String>,
}

/// Reads how an incident went.
///
/// # Errors
/// [`Unread`]: there is none, or the log cannot be read.
pub fn course(path: &Path, id: IncidentId) -> Result<Course, Unread> {
    let unread = |error: ReadError| Unread::Log(error.to_string());
    let wanted = LogFilter::parse(&[format!("inc=\"{id}\"")], None, None)
        .map_err(|error| Unread::Question(error.to_string()))?;
    let mut reader = LogReader::open_from(path, id.0).map_err(unread)?;
    let (mut telling, mut loaded) = (Telling::default(), Vec::new());
    while let Some(line) = reader.next_line().map_err(unread)? {
        let Ok(header) = Header::of(line) else {
            return Err(Unread::Log("a line is no record: see what `sickbay log verify` says".to_owned()));
        };
        let is_config = header.kind == "config.loaded";
        if !is_config && !wanted.matches(line) {
            continue;
        }
        let decoded = decode(line).map_err(|error| Unread::Log(error.to_string()))?;
        let Some(record) = decoded.into_record() else { continue };
        if let Fact::ConfigLoaded(config) = record.fact {
            loaded = config.playbooks;
        } else {
            telling.add(&record);
        }
    }
    let mut course = telling.course;
    if course.incident.is_empty() {
        return Err(Unread::Nothing(format!("there is no incident {id} in {}", path.display())));
    }
    let now = loaded.iter().find(|(name, _)| *name == course.playbook).map(|(_, revision)| revision);
    course.since = match now {
        Some(revision) if *revision == course.revision => Since::Same,
        Some(_) => Since::Changed,
        None => Since::Gone,
    };
    course.text = text_of(path, &course.revision).map_err(unread)?;
    Ok(course)
}

/// A revision's text. The first record that opens an incident by it tells it; in logs of earlier versions none does.
fn text_of(path: &Path, revision: &str) -> Result<Option<Vec<String>>, ReadError> {
    let tells = Finder::new("\"playbook_text\":");
    let mut reader = LogReader::open(path)?;
    while let Some(line) = reader.next_line()? {
        if tells.find(line).is_none() {
            continue;
        }
        let record = decode(line).ok().and_then(crate::record::Decoded::into_record);
        let Some(record) = record else { continue };
        let taken = opened_by(&record.fact).map(|alert| &alert.taken);
        if let Some(Taken::ByPlaybook { text: Some(text), revision: of, .. }) = taken
            && **of == *revision
        {
            return Ok(Some(text.lines().map(str::to_owned).collect()));
        }
    }
    Ok(None)
}

/// The alert that a record opens an incident about.
fn opened_by(fact: &Fact) -> Option<&AlertReceived> {
    if let Fact::AlertReceived(alert) = fact {
        Some(alert)
    } else if let Fact::IncidentOpened(opened) = fact {
        Some(&opened.alert)
    } else {
        None
    }
}

#[derive(Default)]
struct Telling {
    course: Course,
    begun: Option<DateTime<Utc>>,
    /// Whether a run is under way: then not all gates are asked anew.
    runs: bool,
}

impl Telling {
    fn add(&mut self, record: &Record) {
        let begun = *self.begun.get_or_insert(record.at.wall);
        let after = span((record.at.wall - begun).to_std().unwrap_or_default());
        if let Some(alert) = opened_by(&record.fact) {
            self.open(record.seq, record.at.wall, alert);
        }
        let course = &mut self.course;
        let (mut said, mut told) = (Vec::new(), String::new());
        if let Fact::IncidentOpened(opened) = &record.fact {
            course.origin = Some(origin(&opened.origin));
            course.opened_by = Some(opened.origin.of.to_string());
        } else if let Fact::Decided(decided) = &record.fact {
            said = gates(decided, self.runs);
            let (target, answer) = (&decided.target, &decided.answer);
            course.target = target.as_ref().map(|target| target.name.to_string()).or(course.target.take());
            match answer {
                Answer::Run { .. } => self.runs = true,
                Answer::Refused(refusal) => told = advice(refusal.reason).join(" "),
            }
        } else if let Fact::AttemptEnded(_) = &record.fact {
            self.runs = false;
        } else if let Fact::IncidentClosed(IncidentClosed { verdict, .. }) = &record.fact {
            course.verdict = Some(verdict.as_str());
            course.took = Some(after.clone());
        }
        let (below, lines) = lines(&record.fact);
        course.moments.push(Moment {
            seq: record.seq.0,
            at: written(record.at.wall),
            after,
            heading: heading(&record.fact),
            words: words(&record.fact),
            saw: saw(&record.fact),
            gates: said,
            advice: told,
            below,
            lines,
        });
        if MOMENTS_MAX < course.moments.len() {
            course.moments.remove(BEGINNING);
            course.left_out += 1;
        }
    }

    fn open(&mut self, seq: Seq, at: DateTime<Utc>, alert: &AlertReceived) {
        let Taken::ByPlaybook { playbook, revision, .. } = &alert.taken else { return };
        let pairs = |labels: &crate::model::label::Labels| {
            labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
        };
        let course = &mut self.course;
        course.incident = IncidentId(seq).to_string();
        course.alertname = alert.labels.value("alertname").to_owned();
        course.opened = written(at);
        course.playbook = playbook.to_string();
        course.revision = revision.to_string();
        course.labels = pairs(&alert.labels);
        course.annotations = pairs(&alert.annotations);
        course.starts_at = alert.starts_at.map(written);
        course.sender = alert.sender.to_string();
        course.link = link(&alert.generator_url);
    }
}

/// An address that a browser may be led to: nothing that runs, nothing that is hidden in it.
fn link(url: &str) -> Option<String> {
    let lower = url.to_ascii_lowercase();
    let leads = lower.starts_with("http://") || lower.starts_with("https://");
    let plain = url.chars().all(|letter| letter.is_ascii_graphic());
    (leads && plain).then(|| url.to_owned())
}

fn written(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}
