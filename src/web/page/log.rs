//! `/incidents`: records of the incident log, chosen by matchers, newest first. Each leads to the story of its incident.
//!
//! The log is read on each request, a few at a time, as for a story. Read [`incidents`] first.

use super::handlers::frame;
use super::render::page;
use crate::incident_log::LogReader;
use crate::record::{Content, Header, LogFilter, decode};
use crate::story::words;
use crate::web::history::ENDED;
use crate::web::incidents::{NoTurn, UNREAD};
use crate::web::routes::{Site, error};
use crate::web::taken::Query;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use chrono::SecondsFormat;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::Arc;

/// How many records a page shows.
const ROWS: usize = 50;

/// How many pages can be turned; matchers lead further.
const PAGES: usize = 200;

/// What somebody wants to see.
#[derive(Deserialize)]
pub(in crate::web) struct Asked {
    #[serde(rename = "match")]
    matchers: Option<String>,
    page: Option<usize>,
    /// The newest record of the first page: what is written after it shifts nothing while somebody turns pages.
    upto: Option<u64>,
}

#[derive(Serialize)]
struct Shown {
    #[serde(rename = "match")]
    matchers: String,
    page: usize,
    upto: Option<u64>,
    rows: Vec<Row>,
    more: bool,
    problem: Option<String>,
}

#[derive(Serialize)]
struct Row {
    seq: u64,
    at: String,
    incident: String,
    kind: String,
    words: String,
}

/// Records that fit.
pub(in crate::web) async fn incidents(
    State(site): State<Arc<Site>>,
    Query(asked): Query<Asked>,
    head: Parts,
) -> Response {
    let matchers = asked.matchers.unwrap_or_else(|| ENDED.to_owned());
    let number = asked.page.unwrap_or(1).clamp(1, PAGES);
    let (wanted, span) = (matchers.clone(), (number, asked.upto));
    let (status, rows, more, problem) = match site.stories.read(move |path| read(path, &wanted, span)).await {
        Ok(Ok((rows, more))) => (StatusCode::OK, rows, more, None),
        Ok(Err((status, problem))) => (status, Vec::new(), false, Some(problem)),
        Err(no @ NoTurn::Busy) => {
            let (status, problem) = no.told();
            return error(status, problem);
        }
        Err(no @ NoTurn::Broken) => {
            let (status, problem) = no.told();
            (status, Vec::new(), false, Some(problem.to_owned()))
        }
    };
    let known = site.guard.session(&head);
    let upto = asked.upto.or_else(|| rows.first().map(|row| row.seq));
    let facts = Shown { matchers, page: number, upto, rows, more, problem };
    page(status, ("Incidents", "log.html"), &frame(&site, known.as_ref(), None), &facts)
}

/// The rows of one page, newest first, and whether there are older ones.
fn read(
    path: &Path,
    matchers: &str,
    (number, upto): (usize, Option<u64>),
) -> Result<(Vec<Row>, bool), (StatusCode, String)> {
    let filter = LogFilter::parse(&[matchers.to_owned()], None, None)
        .map_err(|bad| (StatusCode::BAD_REQUEST, format!("{bad}; write matchers as in a playbook")))?;
    let unread = |why: crate::incident_log::ReadError| {
        tracing::warn!(%why, "the incident log could not be read for a page");
        (UNREAD.0, UNREAD.1.to_owned())
    };
    // Counted first, so that only what is shown is decoded and kept.
    let fitting = each(path, (&filter, upto), |_, _| {}).map_err(unread)?;
    let last = fitting.saturating_sub((number - 1) * ROWS);
    let first = last.saturating_sub(ROWS);
    let mut rows = Vec::new();
    let shown = first..last;
    each(path, (&filter, upto), |index, line| rows.extend(shown.contains(&index).then(|| row(line)).flatten()))
        .map_err(unread)?;
    rows.reverse();
    Ok((rows, 0 < first && number < PAGES))
}

/// Hands over each line that fits, with its place among them; how many there are.
fn each(
    path: &Path,
    (filter, upto): (&LogFilter, Option<u64>),
    mut take: impl FnMut(usize, &[u8]),
) -> Result<usize, crate::incident_log::ReadError> {
    let (mut reader, mut count) = (LogReader::open(path)?, 0);
    while let Some(line) = reader.next_line()? {
        if upto.is_some_and(|upto| Header::of(line).is_ok_and(|header| upto < header.seq.0)) {
            break;
        }
        if filter.matches(line) {
            take(count, line);
            count += 1;
        }
    }
    Ok(count)
}

fn row(line: &[u8]) -> Option<Row> {
    let decoded = decode(line).ok()?;
    let seq = decoded.seq.0;
    let at = decoded.at.wall.to_rfc3339_opts(SecondsFormat::Secs, true);
    Some(match &decoded.content {
        Content::Unknown { kind } => {
            Row { seq, at, incident: String::new(), kind: kind.clone(), words: "of a newer version".to_owned() }
        }
        Content::Fact(fact) => {
            let incident = fact.incident(decoded.seq).map(|incident| incident.to_string()).unwrap_or_default();
            Row { seq, at, incident, kind: fact.kind().to_owned(), words: words(fact) }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_found_by_matchers_newest_first_and_what_is_no_matcher_is_said() {
        let log = Path::new(env!("CARGO_MANIFEST_DIR")).join("incident_log.example.jsonl");
        let any = "kind=~\".+\"";
        let (all, more) = read(&log, any, (1, None)).unwrap();
        assert!(10 < all.len() && !more);
        let mut times: Vec<&str> = all.iter().map(|row| &*row.at).collect();
        times.reverse();
        assert!(times.is_sorted());
        let long = tempfile::NamedTempFile::new().unwrap();
        let facts = std::iter::repeat_with(|| crate::record::sample::story("x")).take(10).flatten().collect();
        let lines = crate::record::sample::log_of(facts).0;
        std::fs::write(long.path(), &lines).unwrap();
        let count = lines.iter().filter(|byte| **byte == b'\n').count();
        let pages: Vec<(usize, bool)> = (1..=4)
            .map(|number| read(long.path(), any, (number, None)).map(|(rows, more)| (rows.len(), more)).unwrap())
            .collect();
        let rest = count - 2 * ROWS;
        assert_eq!(pages, [(ROWS, true), (ROWS, true), (rest, false), (0, false)]);
        // What comes in meanwhile is on the first page alone.
        let first = read(long.path(), any, (1, None)).unwrap().0;
        let shorter: Vec<u8> =
            lines.split_inclusive(|byte| *byte == b'\n').take(count - 7).flatten().copied().collect();
        let before = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(before.path(), shorter).unwrap();
        let upto = read(before.path(), any, (1, None)).unwrap().0.first().map(|row| row.seq);
        let turned =
            |path: &Path| -> Vec<u64> { read(path, any, (2, upto)).unwrap().0.iter().map(|row| row.seq).collect() };
        assert_eq!(upto, first.get(7).map(|row| row.seq));
        assert_eq!(turned(before.path()), turned(long.path()));
        let (closed, _) = read(&log, ENDED, (1, None)).unwrap();
        assert!(
            !closed.is_empty() && closed.iter().all(|row| row.kind == "incident.closed" && !row.incident.is_empty())
        );
        assert_eq!(read(&log, ENDED, (PAGES, None)).unwrap().0.len(), 0);
        assert_eq!(read(&log, "kind", (1, None)).map(|_| ()).unwrap_err().0, StatusCode::BAD_REQUEST);
        assert_eq!(
            read(Path::new("/nowhere"), ENDED, (1, None)).map(|_| ()).unwrap_err().0,
            StatusCode::INTERNAL_SERVER_ERROR
        );
    }
}
