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

/// How many pages are numbered; then the numbers begin anew.
const PAGES: usize = 200;

/// What somebody wants to see.
#[derive(Deserialize)]
pub(in crate::web) struct Asked {
    #[serde(rename = "match")]
    matchers: Option<String>,
    page: Option<String>,
    /// The number of the newest record that counts, so that what is written meanwhile moves no record to another page.
    upto: Option<String>,
}

#[derive(Serialize)]
struct Shown {
    #[serde(rename = "match")]
    matchers: String,
    page: usize,
    upto: Option<u64>,
    rows: Vec<Row>,
    older: Option<Turn>,
    problem: Option<String>,
}

/// One page: its number, and up to which record it counts, where somebody has turned pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
struct Turn {
    page: usize,
    upto: Option<u64>,
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
    let (wanted, turn) = (matchers.clone(), turn_of(asked.page.as_deref(), asked.upto.as_deref()));
    let read = match turn {
        Ok(turn) => site.stories.read(move |path| read(path, &wanted, turn)).await,
        Err(problem) => Ok(Err((StatusCode::BAD_REQUEST, problem.to_owned()))),
    };
    let (status, rows, older, problem) = match read {
        Ok(Ok((rows, older))) => (StatusCode::OK, rows, older, None),
        Ok(Err((status, problem))) => (status, Vec::new(), None, Some(problem)),
        Err(no @ NoTurn::Busy) => {
            let (status, problem) = no.told();
            return error(status, problem);
        }
        Err(no @ NoTurn::Broken) => {
            let (status, problem) = no.told();
            (status, Vec::new(), None, Some(problem.to_owned()))
        }
    };
    let Turn { page: number, .. } = turn.unwrap_or(Turn { page: 1, upto: None });
    let upto = older.and_then(|older| older.upto).or(turn.ok().and_then(|turn| turn.upto));
    let known = site.guard.session(&head);
    let facts = Shown { matchers, page: number, upto, rows, older, problem };
    page(status, ("Incidents", "log.html"), &frame(&site, known.as_ref(), None), &facts)
}

/// What was asked for, if it is a page.
fn turn_of(page: Option<&str>, upto: Option<&str>) -> Result<Turn, &'static str> {
    let page = page.map_or(Ok(1), str::parse).ok().filter(|page| (1..=PAGES).contains(page));
    let upto = upto.map(str::parse).transpose();
    page.zip(upto.ok()).map(|(page, upto)| Turn { page, upto }).ok_or("`page` and `upto` are numbers, from 1 on")
}

/// The rows of one page, newest first, and which page has older ones, if there are any.
fn read(path: &Path, matchers: &str, turn: Turn) -> Result<(Vec<Row>, Option<Turn>), (StatusCode, String)> {
    let filter = LogFilter::parse(&[matchers.to_owned()], None, None)
        .map_err(|bad| (StatusCode::BAD_REQUEST, format!("{bad}; write matchers as in a playbook")))?;
    let unread = |why: crate::incident_log::ReadError| {
        tracing::warn!(%why, "the incident log could not be read for a page");
        (UNREAD.0, UNREAD.1.to_owned())
    };
    // Counted first, so that only what is shown is decoded and kept.
    let mut newest = 0;
    let fitting = each(path, (&filter, turn.upto), |_, line| newest = seq(line).unwrap_or(newest)).map_err(unread)?;
    let last = fitting.saturating_sub((turn.page - 1) * ROWS);
    let first = last.saturating_sub(ROWS);
    let upto = turn.upto.unwrap_or(newest);
    let mut rows = Vec::new();
    let shown = first..last;
    let take = |index: usize, line: &[u8]| rows.extend(shown.contains(&index).then(|| row(line)).flatten());
    each(path, (&filter, Some(upto)), take).map_err(unread)?;
    rows.reverse();
    let older = rows.last().filter(|_| 0 < first).map(|oldest| next(turn.page, upto, oldest.seq));
    Ok((rows, older))
}

/// The page after this one, whose oldest record is this.
fn next(page: usize, upto: u64, oldest: u64) -> Turn {
    if page < PAGES {
        return Turn { page: page + 1, upto: Some(upto) };
    }
    Turn { page: 1, upto: Some(oldest.saturating_sub(1)) }
}

fn seq(line: &[u8]) -> Option<u64> {
    Header::of(line).ok().map(|header| header.seq.0)
}

/// Hands over each line that fits, with its place among them; how many there are.
fn each(
    path: &Path,
    (filter, upto): (&LogFilter, Option<u64>),
    mut take: impl FnMut(usize, &[u8]),
) -> Result<usize, crate::incident_log::ReadError> {
    let (mut reader, mut count) = (LogReader::open(path)?, 0);
    while let Some(line) = reader.next_line()? {
        if filter.matches(line) && upto.is_none_or(|upto| seq(line).is_some_and(|seq| seq <= upto)) {
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
    use crate::model::fact::Fact;
    use crate::record::sample::log_of;

    const FIRST: Turn = Turn { page: 1, upto: None };

    #[test]
    fn records_are_found_by_matchers_newest_first_and_what_is_no_matcher_is_said() {
        let log = Path::new(env!("CARGO_MANIFEST_DIR")).join("incident_log.example.jsonl");
        let any = "kind=~\".+\"";
        let (all, older) = read(&log, any, FIRST).unwrap();
        assert!(10 < all.len() && older.is_none());
        let mut times: Vec<&str> = all.iter().map(|row| &*row.at).collect();
        times.reverse();
        assert!(times.is_sorted());
        let (closed, _) = read(&log, ENDED, FIRST).unwrap();
        assert!(
            !closed.is_empty() && closed.iter().all(|row| row.kind == "incident.closed" && !row.incident.is_empty())
        );
        assert_eq!(read(&log, ENDED, Turn { page: PAGES, upto: None }).unwrap().0.len(), 0);
        assert_eq!(read(&log, "kind", FIRST).map(|_| ()).unwrap_err().0, StatusCode::BAD_REQUEST);
        assert_eq!(
            read(Path::new("/nowhere"), ENDED, FIRST).map(|_| ()).unwrap_err().0,
            StatusCode::INTERNAL_SERVER_ERROR
        );
    }
    /// Pages are turned while the log grows: no record is shown twice, and none is left out.
    #[test]
    fn who_turns_pages_meets_each_record_once_however_many_are_written_meanwhile() {
        let any = "kind=~\".+\"";
        let (log, _) = log_of(vec![Fact::LogClosed; 3 * ROWS + 20]);
        let lines: Vec<&[u8]> = log.split_inclusive(|byte| *byte == b'\n').collect();
        let file = tempfile::NamedTempFile::new().unwrap();
        let write = |count: usize| std::fs::write(file.path(), lines[..count].concat()).unwrap();
        let begun = lines.len() - 10;
        write(begun);
        let (mut rows, mut older) = read(file.path(), any, FIRST).unwrap();
        write(lines.len());
        while let Some(turn) = older {
            let (more, next) = read(file.path(), any, turn).unwrap();
            rows.extend(more);
            older = next;
        }
        let seen: Vec<u64> = rows.iter().map(|row| row.seq).collect();
        let want: Vec<u64> = lines[..begun].iter().rev().map(|line| seq(line).unwrap()).collect();
        assert_eq!(seen, want);
        // Behind the last number, numbers begin anew.
        assert_eq!(next(PAGES - 1, 90_000, 80_000), Turn { page: PAGES, upto: Some(90_000) });
        assert_eq!(next(PAGES, 90_000, 80_000), Turn { page: 1, upto: Some(79_999) });
        for (page, upto) in [("0", "1"), ("201", "1"), ("x", "1"), ("1", "-1"), ("1", "")] {
            assert!(turn_of(Some(page), Some(upto)).is_err(), "{page} {upto}");
        }
    }
}
