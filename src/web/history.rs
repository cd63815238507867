//! `GET /api/v1/incidents` and `GET /api/v1/incidents/ID`: what the incident log tells, for programs. The first gives the
//! records that fit matchers, newest first; the second an alert's story, in the shape of `sickbay explain ID -o json`.
//!
//! The log is read on each request, a few at a time. A page is named by the record before which it begins, so whatever is
//! written meanwhile shifts nothing. Read [`newest`] first.

use super::incidents::UNREAD;
use super::routes::{Site, error};
use super::taken::{Path, Query};
use super::tallies::times;
use crate::incident_log::{LogReader, ReadError};
use crate::model::fact::Fact;
use crate::model::id::{ActId, IncidentId};
use crate::record::{Content, Header, LogFilter, decode};
use crate::story::{self, Story, Subject, Unread, words};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chrono::SecondsFormat;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::VecDeque;
use std::sync::Arc;

/// What is told if nobody asks for something else: how each incident ended.
pub(super) const ENDED: &str = "kind=\"incident.closed\"";

/// How many records a page has if nobody says, and at most.
const RECORDS: usize = 50;
const RECORDS_MAX: usize = 500;

/// How long the records of a page are together, in bytes, unless there is but one.
const BYTES_MAX: usize = 8 << 20;

/// Which records are wanted.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    #[serde(rename = "match")]
    matchers: Option<String>,
    since: Option<String>,
    until: Option<String>,
    /// Only those with a smaller number.
    before: Option<u64>,
    limit: Option<usize>,
}

/// What `GET /api/v1/incidents` answers.
#[derive(Debug, Serialize)]
struct RecordList {
    records: Vec<Entry>,
    /// What `before` must be for the page after this one; null if there is none.
    next: Option<u64>,
}

/// One record.
#[derive(Debug, Serialize)]
struct Entry {
    seq: u64,
    at: String,
    incident: Option<String>,
    kind: String,
    words: String,
    /// The log's own line.
    record: Box<RawValue>,
}

/// What `GET /api/v1/incidents/ID` answers.
#[derive(Serialize)]
struct StoryList {
    alerts: Vec<Story>,
}

/// Records that fit.
pub(super) async fn records(State(site): State<Arc<Site>>, Query(asked): Query<Asked>) -> Response {
    match listed(&site, asked).await {
        Ok(list) => Json(list).into_response(),
        Err((status, problem)) => error(status, &problem),
    }
}

async fn listed(site: &Site, asked: Asked) -> Result<RecordList, (StatusCode, String)> {
    let bad = |problem: String| (StatusCode::BAD_REQUEST, problem);
    let (since, until) = times(site, asked.since.as_deref(), asked.until.as_deref())?;
    let limit = asked.limit.unwrap_or(RECORDS);
    if !(1..=RECORDS_MAX).contains(&limit) {
        return Err(bad(format!("`limit` must be 1 to {RECORDS_MAX}; `next` of the answer leads on, as `before`")));
    }
    let matchers = asked.matchers.unwrap_or_else(|| ENDED.to_owned());
    let filter = LogFilter::parse(&[matchers], since, until)
        .map_err(|wrong| bad(format!("`match`: {wrong}; write matchers as in a playbook")))?;
    let told = |(status, problem): (StatusCode, &str)| (status, problem.to_owned());
    let read = site.stories.read(move |path| newest(path, &filter, (asked.before, limit))).await;
    read.map_err(|no| told(no.told()))?.map_err(|why| {
        tracing::warn!(%why, "the incident log could not be read for the API");
        told(UNREAD)
    })
}

/// The newest records that fit, of those before a number; so many at most.
fn newest(
    path: &std::path::Path,
    filter: &LogFilter,
    (before, limit): (Option<u64>, usize),
) -> Result<RecordList, ReadError> {
    let mut reader = LogReader::open(path)?;
    let (mut lines, mut bytes, mut more) = (VecDeque::new(), 0, false);
    while let Some(line) = reader.next_line()? {
        let Ok(header) = Header::of(line) else { continue };
        if before.is_some_and(|before| before <= header.seq.0) {
            break;
        }
        if !filter.matches(line) {
            continue;
        }
        bytes += line.len();
        lines.push_back((header.seq.0, line.to_vec()));
        while limit < lines.len() || (BYTES_MAX < bytes && 1 < lines.len()) {
            bytes -= lines.pop_front().map_or(0, |(_, older)| older.len());
            more = true;
        }
    }
    let next = lines.front().map(|(seq, _)| *seq).filter(|_| more);
    let records = lines.iter().rev().filter_map(|(seq, line)| entry(*seq, line)).collect();
    Ok(RecordList { records, next })
}

fn entry(seq: u64, line: &[u8]) -> Option<Entry> {
    let decoded = decode(line).ok()?;
    let at = decoded.at.wall.to_rfc3339_opts(SecondsFormat::Millis, true);
    let (incident, kind, words) = match &decoded.content {
        Content::Unknown { kind } => (None, kind.clone(), "of a newer version".to_owned()),
        Content::Fact(fact) => {
            (fact.incident(decoded.seq).map(|incident| incident.to_string()), fact.kind().to_owned(), words(fact))
        }
    };
    let record = RawValue::from_string(String::from_utf8(line.to_vec()).ok()?).ok()?;
    Some(Entry { seq, at, incident, kind, words, record })
}

/// The story of one incident.
pub(super) async fn one(State(site): State<Arc<Site>>, Path(id): Path<String>) -> Response {
    let Ok(id) = id.parse::<IncidentId>() else {
        return error(StatusCode::NOT_FOUND, "an incident is named like i1042");
    };
    match site.stories.read(move |path| story::read(path, &Subject::Incident(id), (None, None))).await {
        Ok(Ok(alerts)) => Json(StoryList { alerts }).into_response(),
        Ok(Err(Unread::Nothing(_))) => error(StatusCode::NOT_FOUND, "there is no such incident in the log"),
        Ok(Err(Unread::Question(why) | Unread::Log(why))) => {
            tracing::warn!(incident.id = %id, why, "an incident could not be told");
            error(UNREAD.0, UNREAD.1)
        }
        Err(no) => {
            let (status, problem) = no.told();
            error(status, problem)
        }
    }
}

/// How an approval ended that is not open any more, in words; `None` if the log does not say.
pub(super) async fn end_of(site: &Site, id: &str) -> Option<String> {
    let approval: ActId = id.parse().ok()?;
    site.stories.read(move |path| ended(path, approval)).await.ok()?
}

fn ended(path: &std::path::Path, approval: ActId) -> Option<String> {
    let filter = LogFilter::parse(&[format!("inc=\"{}\",kind=~\"approval.+\"", approval.incident)], None, None).ok()?;
    let mut reader = LogReader::open_from(path, approval.incident.0).ok()?;
    let mut told = None;
    while let Ok(Some(line)) = reader.next_line() {
        if !filter.matches(line) {
            continue;
        }
        let Some(record) = decode(line).ok().and_then(crate::record::Decoded::into_record) else { continue };
        if let Fact::ApprovalEnded(ended) = &record.fact
            && ended.approval == approval
        {
            let at = record.at.wall.to_rfc3339_opts(SecondsFormat::Secs, true);
            told = Some(format!("{approval} is not open any more: {} ({at})", story::approval_end(ended)));
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::sample::log_of;
    use crate::record::sample::story as sample_story;

    fn page(path: &std::path::Path, matchers: &str, span: (Option<u64>, usize)) -> (Vec<u64>, Option<u64>) {
        let filter = LogFilter::parse(&[matchers.to_owned()], None, None).unwrap();
        let list = newest(path, &filter, span).unwrap();
        (list.records.iter().map(|entry| entry.seq).collect(), list.next)
    }

    #[test]
    fn turning_pages_loses_nothing_and_tells_nothing_twice_while_the_log_grows() {
        let lines = log_of(std::iter::repeat_with(|| sample_story("x")).take(4).flatten().collect()).0;
        let ends: Vec<usize> =
            lines.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1).collect();
        let half = ends[ends.len() / 2];
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &lines[..half]).unwrap();
        let (mut told, mut next) = page(file.path(), "", (None, 3));
        std::fs::write(file.path(), &lines).unwrap();
        while let Some(before) = next {
            let (older, further) = page(file.path(), "", (Some(before), 3));
            assert!(!older.is_empty() && older.len() <= 3);
            told.extend(older);
            assert!(told.len() <= ends.len(), "{told:?}");
            next = further;
        }
        let want: Vec<u64> = (0..u64::try_from(ends.len() / 2 + 1).unwrap()).rev().collect();
        assert_eq!(told, want);
    }

    #[test]
    fn how_an_approval_ended_is_told_with_who_said_so() {
        let asked = ActId { incident: crate::record::sample::INCIDENT, number: 1 };
        let facts: Vec<Fact> = [sample_story("x"), crate::record::sample::every_shape("bob said no")].concat();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), log_of(facts).0).unwrap();
        // Of all the ways in which the sample ends it the last one stands.
        let told = ended(file.path(), asked).unwrap();
        assert!(told.starts_with("i2.1 is not open any more: ") && told.contains(": bob said no (2026-"), "{told}");
        assert_eq!(ended(file.path(), ActId { number: 99, ..asked }), None);
        assert_eq!(ended(std::path::Path::new("/nowhere"), asked), None);
    }

    #[test]
    fn records_are_chosen_by_matchers_and_are_the_logs_own_lines() {
        let log = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("incident_log.example.jsonl");
        let filter = LogFilter::parse(&[ENDED.to_owned()], None, None).unwrap();
        let list = newest(&log, &filter, (None, RECORDS)).unwrap();
        assert!(!list.records.is_empty() && list.next.is_none());
        let text = std::fs::read_to_string(&log).unwrap();
        for entry in &list.records {
            assert!(entry.kind == "incident.closed" && entry.incident.is_some(), "{entry:?}");
            assert!(text.lines().any(|line| line == entry.record.get()), "{entry:?}");
        }
        assert_eq!(page(&log, "kind=\"nothing\"", (None, RECORDS)), (vec![], None));
        assert_eq!(page(&log, "", (Some(0), RECORDS)), (vec![], None));
    }
}
