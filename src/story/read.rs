//! What the incident log tells about alerts: who took each, what the gates said with which values, and what followed.
//!
//! One pass over the log; only what belongs to a chosen alert is decoded. [`Story`] is also the JSON shape.

use super::advice::advice;
use super::told;
use super::words::{heading, words};
use crate::incident_log::LogReader;
use crate::model::fact::{AlertReceived, Answer, Decided, Fact, IncidentOpened, Record, Taken};
use crate::model::id::IncidentId;
use crate::model::label::Fingerprint;
use crate::model::matcher::{MatchOp, Matcher, parse_matchers};
use crate::model::reason::Reason;
use crate::record::{Header, LogFilter, decode};
use chrono::{DateTime, SecondsFormat, Utc};
use memchr::memmem;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// How many alerts are told of at once: the newest.
const STORIES_MAX: usize = 100;

/// One alert, from its first sight on. The shape is stable: fields are added, never renamed or removed.
#[derive(Debug, Serialize)]
pub struct Story {
    /// The number of its `alert.received`.
    pub(super) seq: u64,
    pub(super) at: String,
    #[serde(skip)]
    pub(super) seen: DateTime<Utc>,
    pub(super) fingerprint: String,
    #[serde(serialize_with = "told::in_order")]
    pub(super) labels: Vec<(String, String)>,
    pub(super) sender: String,
    pub(super) starts_at: Option<String>,
    /// The incident it opened.
    pub(super) incident: Option<String>,
    /// The incident that opened it; null if the alert did.
    pub(super) opened_by: Option<String>,
    /// Why it did: `resolved` or `further_target`.
    pub(super) cause: Option<&'static str>,
    pub(super) playbook: Option<String>,
    pub(super) revision: Option<String>,
    /// Why nobody took it.
    pub(super) reason: Option<&'static str>,
    /// What to do about that.
    pub(super) advice: Option<String>,
    /// The incident that handled the same alert before, where it is a duplicate.
    pub(super) handled_by: Option<String>,
    pub(super) decisions: Vec<Decision>,
    /// What else was recorded of the incident.
    pub(super) afterwards: Vec<Event>,
    /// Whether anything was really done for it.
    pub acted: bool,
    /// How it ended; null while it is open.
    pub(super) verdict: Option<&'static str>,
}

/// What the gates said, once.
#[derive(Debug, Serialize)]
pub(super) struct Decision {
    pub(super) seq: u64,
    pub(super) at: String,
    #[serde(skip)]
    pub(super) seen: DateTime<Utc>,
    /// `run` or `refused`.
    pub(super) result: &'static str,
    pub(super) gate: Option<&'static str>,
    pub(super) reason: Option<&'static str>,
    pub(super) detail: Option<String>,
    /// The values the gate saw.
    #[serde(serialize_with = "told::in_order")]
    pub(super) inputs: Vec<(String, String)>,
    pub(super) retry_after_ms: Option<u64>,
    pub(super) target: Option<String>,
    pub(super) dry_run: bool,
    /// What the reason means and what to do.
    pub(super) advice: Option<String>,
}

/// One more record.
#[derive(Debug, Serialize)]
pub(super) struct Event {
    pub(super) seq: u64,
    pub(super) at: String,
    #[serde(skip)]
    pub(super) seen: DateTime<Utc>,
    pub(super) kind: &'static str,
    #[serde(skip)]
    pub(super) heading: &'static str,
    pub(super) words: String,
}

fn written(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

fn joined(reason: Reason) -> String {
    advice(reason).join(" ")
}

/// Whose story is to be told.
#[derive(Clone, Debug)]
pub enum Subject {
    /// The alert that opened this incident.
    Incident(IncidentId),
    /// Every alert of this fingerprint.
    Alert(Fingerprint),
    /// Every alert whose labels match all of these matchers.
    Labels(Vec<String>),
}

/// Why there is no story.
#[derive(Debug, thiserror::Error)]
pub enum Unread {
    /// Nothing of the kind was recorded.
    #[error("{0}")]
    Nothing(String),
    /// What is asked for cannot be understood.
    #[error("{0}")]
    Question(String),
    /// The log cannot be read.
    #[error("{0}")]
    Log(String),
}

/// Reads the stories that are asked for, oldest first.
///
/// # Errors
/// [`Unread`]: there is none, or the log cannot be read.
pub fn read(
    path: &Path,
    subject: &Subject,
    span: (Option<DateTime<Utc>>, Option<DateTime<Utc>>),
) -> Result<Vec<Story>, Unread> {
    let wrong = |error: &dyn std::fmt::Display| Unread::Log(error.to_string());
    let filter = chosen(subject, span)?;
    let opened = match subject {
        Subject::Incident(id) => LogReader::open_from(path, id.0),
        Subject::Alert(_) | Subject::Labels(_) => LogReader::open(path),
    };
    let mut reader = opened.map_err(|error| wrong(&error))?;
    let mut telling = Telling { inc: memmem::Finder::new(b"\"inc\":\"").into_owned(), ..Telling::default() };
    let of_incident = if let Subject::Incident(id) = subject { Some(*id) } else { None };
    let mut unreadable = 0_u64;
    while let Some(line) = reader.next_line().map_err(|error| wrong(&error))? {
        match Header::of(line) {
            Err(_) => unreadable += 1,
            Ok(header) => {
                let begins = header.kind == "alert.received" && filter.matches(line);
                let opens = header.kind == "incident.opened";
                if (begins || opens || telling.concerns(line))
                    && let Some(record) = decode(line).map_err(|error| wrong(&error))?.into_record()
                {
                    telling.add(&record, opens && of_incident.is_some_and(|id| id.0 == record.seq));
                }
            }
        }
    }
    if 0 < unreadable {
        return Err(Unread::Log(format!("{unreadable} lines are not records: see what `sickbay log verify` says")));
    }
    if telling.stories.is_empty() {
        return Err(Unread::Nothing(nothing(subject, &path.display().to_string())));
    }
    Ok(telling.stories.into_values().collect())
}

fn nothing(subject: &Subject, place: &str) -> String {
    let hint = "`sickbay log query kind=\"alert.received\"` lists them";
    match subject {
        Subject::Incident(id) => format!("there is no incident {id} in {place}: {hint}"),
        Subject::Alert(fingerprint) => format!("no alert with the fingerprint {fingerprint} came, says {place}"),
        Subject::Labels(labels) => format!("no alert with {} came, says {place}: {hint}", labels.join(" ")),
    }
}

/// Which `alert.received` records begin a story.
fn chosen(
    subject: &Subject,
    (since, until): (Option<DateTime<Utc>>, Option<DateTime<Utc>>),
) -> Result<LogFilter, Unread> {
    let equal = |name: &str, value: String| Matcher { name: name.to_owned(), op: MatchOp::Equal(value) };
    let matchers = match subject {
        Subject::Incident(id) => vec![equal("inc", id.to_string())],
        Subject::Alert(fingerprint) => vec![equal("fingerprint", fingerprint.to_string())],
        Subject::Labels(texts) => {
            let mut matchers = Vec::new();
            for text in texts {
                let bad =
                    |bad| Unread::Question(format!("{bad}; write i12, a fingerprint, or labels like container=web-1"));
                matchers.extend(parse_matchers(text).map_err(bad)?.matchers);
            }
            // Whoever speaks of an alert means its labels; in the record they are a level deeper.
            let deeper = |matcher: Matcher| Matcher { name: format!("labels.{}", matcher.name), ..matcher };
            matchers.into_iter().map(deeper).collect()
        }
    };
    Ok(LogFilter::new(matchers, since, until))
}

/// The stories so far.
struct Telling {
    stories: BTreeMap<u64, Story>,
    /// Which incident an alert opened last.
    incidents: HashMap<String, String>,
    inc: memmem::Finder<'static>,
}

impl Default for Telling {
    fn default() -> Self {
        Self { stories: BTreeMap::new(), incidents: HashMap::new(), inc: memmem::Finder::new(b"") }
    }
}

impl Telling {
    /// Whether a line is about the incident of one of the stories.
    fn concerns(&self, line: &[u8]) -> bool {
        if self.stories.is_empty() {
            return false;
        }
        let behind = self.inc.find(line).and_then(|at| line.get(at + self.inc.needle().len()..));
        let name = behind.and_then(|rest| rest.split(|byte| *byte == b'"').next());
        let incident = name.and_then(|name| str::from_utf8(name).ok()?.parse::<IncidentId>().ok());
        incident.is_some_and(|incident| self.stories.contains_key(&incident.0.0))
    }

    /// `wanted`: it is an incident that another one opened, and somebody asks for that very one.
    fn add(&mut self, record: &Record, wanted: bool) {
        if let Fact::IncidentOpened(opened) = &record.fact {
            return self.opened(record, opened, wanted);
        }
        if let Fact::AlertReceived(received) = &record.fact {
            let story = begin(record, received, &self.incidents);
            if let Some(incident) = &story.incident {
                self.incidents.insert(story.fingerprint.clone(), incident.clone());
            }
            self.stories.insert(story.seq, story);
            if STORIES_MAX < self.stories.len() {
                self.stories.pop_first();
            }
            return;
        }
        let incident = record.fact.incident(record.seq);
        if let Some(story) = incident.and_then(|incident| self.stories.get_mut(&incident.0.0)) {
            story.go_on(record);
        }
    }
}

impl Telling {
    /// Told with the incident that opened it, and as a story of its own beside it.
    fn opened(&mut self, record: &Record, opened: &IncidentOpened, wanted: bool) {
        let parent = self.stories.get_mut(&opened.origin.of.0.0);
        if parent.is_none() && !wanted {
            return;
        }
        if let Some(parent) = parent {
            parent.go_on(record);
        }
        let mut story = begin(record, &opened.alert, &HashMap::new());
        story.opened_by = Some(opened.origin.of.to_string());
        story.cause = Some(opened.origin.cause.as_str());
        story.go_on(record);
        self.stories.insert(story.seq, story);
    }
}

fn begin(record: &Record, received: &AlertReceived, incidents: &HashMap<String, String>) -> Story {
    let (playbook, revision, reason) = match &received.taken {
        Taken::ByPlaybook { playbook, revision, .. } => (Some(playbook), Some(revision), None),
        Taken::ByNobody(reason) => (None, None, Some(*reason)),
    };
    let fingerprint = received.fingerprint.to_string();
    let duplicate = reason == Some(Reason::Duplicate);
    Story {
        seq: record.seq.0,
        at: written(record.at.wall),
        seen: record.at.wall,
        handled_by: incidents.get(&fingerprint).filter(|_| duplicate).cloned(),
        fingerprint,
        labels: received.labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        sender: received.sender.to_string(),
        starts_at: received.starts_at.map(written),
        incident: record.fact.incident(record.seq).map(|incident| incident.to_string()),
        opened_by: None,
        cause: None,
        playbook: playbook.map(ToString::to_string),
        revision: revision.map(ToString::to_string),
        reason: reason.map(Reason::as_str),
        advice: reason.map(joined),
        decisions: Vec::new(),
        afterwards: Vec::new(),
        acted: false,
        verdict: None,
    }
}

impl Story {
    fn go_on(&mut self, record: &Record) {
        if let Fact::Decided(decided) = &record.fact {
            // A run that changes nothing is done by being decided; every other one when it first intends to.
            self.acted |= matches!(&decided.answer, Answer::Run { dry_run: false, plan: None, .. });
            return self.decisions.push(decision(record, decided));
        }
        if let Fact::ActionIntended(intended) = &record.fact {
            self.acted |= !intended.dry_run;
        } else if let Fact::IncidentClosed(closed) = &record.fact {
            self.verdict = Some(closed.verdict.as_str());
        }
        let (seen, kind, heading) = (record.at.wall, record.fact.kind(), heading(&record.fact));
        let words = words(&record.fact);
        self.afterwards.push(Event { seq: record.seq.0, at: written(seen), seen, kind, heading, words });
    }
}

fn decision(record: &Record, decided: &Decided) -> Decision {
    let mut told = Decision {
        seq: record.seq.0,
        at: written(record.at.wall),
        seen: record.at.wall,
        result: "run",
        gate: None,
        reason: None,
        detail: None,
        inputs: Vec::new(),
        retry_after_ms: None,
        target: decided.target.as_ref().map(|target| target.name.to_string()),
        dry_run: false,
        advice: None,
    };
    match &decided.answer {
        Answer::Run { dry_run, .. } => told.dry_run = *dry_run,
        Answer::Refused(refusal) => {
            told.result = "refused";
            told.gate = Some(refusal.gate.as_str());
            told.reason = Some(refusal.reason.as_str());
            told.detail = Some(refusal.detail.clone());
            told.inputs.clone_from(&refusal.inputs);
            told.retry_after_ms = u64::try_from(refusal.retry_after.as_millis()).ok();
            told.advice = Some(joined(refusal.reason));
        }
    }
    told
}
