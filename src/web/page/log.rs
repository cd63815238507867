//! `/incidents`: records of the incident log, chosen by matchers, newest first. Each leads to the story of its incident.
//!
//! The log is read on each request, a few at a time, as for a story. Read [`incidents`] first.

use super::handlers::frame;
use super::render::page;
use crate::incident_log::LogReader;
use crate::record::{Content, LogFilter, decode};
use crate::story::words;
use crate::web::incidents::{NoTurn, UNREAD};
use crate::web::routes::{Site, error};
use axum::extract::{Query, State};
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

/// What is shown if nobody asks for something else.
const ENDED: &str = "kind=\"incident.closed\"";

/// What somebody wants to see.
#[derive(Deserialize)]
pub(in crate::web) struct Asked {
    #[serde(rename = "match")]
    matchers: Option<String>,
    page: Option<usize>,
}

#[derive(Serialize)]
struct Shown {
    #[serde(rename = "match")]
    matchers: String,
    page: usize,
    rows: Vec<Row>,
    more: bool,
    problem: Option<String>,
}

#[derive(Serialize)]
struct Row {
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
    let wanted = matchers.clone();
    let (status, rows, more, problem) = match site.stories.read(move |path| read(path, &wanted, number)).await {
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
    let facts = Shown { matchers, page: number, rows, more, problem };
    page(status, ("Incidents", "log.html"), &frame(&site, known.as_ref(), None), &facts)
}

/// The rows of one page, newest first, and whether there are older ones.
fn read(path: &Path, matchers: &str, number: usize) -> Result<(Vec<Row>, bool), (StatusCode, String)> {
    let filter = LogFilter::parse(&[matchers.to_owned()], None, None)
        .map_err(|bad| (StatusCode::BAD_REQUEST, format!("{bad}; write matchers as in a playbook")))?;
    let unread = |why: crate::incident_log::ReadError| {
        tracing::warn!(%why, "the incident log could not be read for a page");
        (UNREAD.0, UNREAD.1.to_owned())
    };
    // Counted first, so that only what is shown is decoded and kept.
    let fitting = each(path, &filter, |_, _| {}).map_err(unread)?;
    let last = fitting.saturating_sub((number - 1) * ROWS);
    let first = last.saturating_sub(ROWS);
    let mut rows = Vec::new();
    let shown = first..last;
    each(path, &filter, |index, line| rows.extend(shown.contains(&index).then(|| row(line)).flatten()))
        .map_err(unread)?;
    rows.reverse();
    Ok((rows, 0 < first && number < PAGES))
}

/// Hands over each line that fits, with its number among them; how many there are.
fn each(
    path: &Path,
    filter: &LogFilter,
    mut take: impl FnMut(usize, &[u8]),
) -> Result<usize, crate::incident_log::ReadError> {
    let (mut reader, mut count) = (LogReader::open(path)?, 0);
    while let Some(line) = reader.next_line()? {
        if filter.matches(line) {
            take(count, line);
            count += 1;
        }
    }
    Ok(count)
}

fn row(line: &[u8]) -> Option<Row> {
    let decoded = decode(line).ok()?;
    let at = decoded.at.wall.to_rfc3339_opts(SecondsFormat::Secs, true);
    Some(match &decoded.content {
        Content::Unknown { kind } => {
            Row { at, incident: String::new(), kind: kind.clone(), words: "of a newer version".to_owned() }
        }
        Content::Fact(fact) => {
            let incident = fact.incident(decoded.seq).map(|incident| incident.to_string()).unwrap_or_default();
            Row { at, incident, kind: fact.kind().to_owned(), words: words(fact) }
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
        let (all, more) = read(&log, any, 1).unwrap();
        assert!(10 < all.len() && !more);
        let mut times: Vec<&str> = all.iter().map(|row| &*row.at).collect();
        times.reverse();
        assert!(times.is_sorted());
        let long = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(long.path(), std::fs::read(&log).unwrap().repeat(10)).unwrap();
        let pages: Vec<(usize, bool)> = (1..=4)
            .map(|number| read(long.path(), any, number).map(|(rows, more)| (rows.len(), more)).unwrap())
            .collect();
        let rest = all.len() * 10 - 2 * ROWS;
        assert_eq!(pages, [(ROWS, true), (ROWS, true), (rest, false), (0, false)]);
        let (closed, _) = read(&log, ENDED, 1).unwrap();
        assert!(
            !closed.is_empty() && closed.iter().all(|row| row.kind == "incident.closed" && !row.incident.is_empty())
        );
        assert_eq!(read(&log, ENDED, PAGES).unwrap().0.len(), 0);
        assert_eq!(read(&log, "kind", 1).map(|_| ()).unwrap_err().0, StatusCode::BAD_REQUEST);
        assert_eq!(read(Path::new("/nowhere"), ENDED, 1).map(|_| ()).unwrap_err().0, StatusCode::INTERNAL_SERVER_ERROR);
    }
}
