//! `/playbooks`: what each playbook did and how often it helped, what is left of its limits, and what keeps being treated in
//! place of being mended.

use super::handlers::frame;
use super::render::page;
use crate::model::duration::format_duration;
use crate::story::Debt;
use crate::web::routes::Site;
use crate::web::taken::Query;
use crate::web::tallies::{PlaybookEntry, Span, entries, tally};
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;

/// What counts if nobody asks for something else.
const SINCE: &str = "30d";

#[derive(Serialize)]
struct Shown {
    since: String,
    playbooks: Vec<PlaybookRow>,
    debts: Vec<DebtRow>,
    problem: Option<String>,
}

#[derive(Serialize)]
struct PlaybookRow {
    #[serde(flatten)]
    entry: PlaybookEntry,
    state: String,
    success: String,
    recovery: String,
    last: String,
}

#[derive(Serialize)]
struct DebtRow {
    #[serde(flatten)]
    debt: Debt,
    every: String,
    last: String,
}

/// All of them.
pub(in crate::web) async fn playbooks(
    State(site): State<Arc<Site>>,
    Query(asked): Query<Span>,
    head: Parts,
) -> Response {
    let since = asked.since.unwrap_or_else(|| SINCE.to_owned());
    let counted = tally(&site, &Span { since: Some(since.clone()), until: None }).await;
    let (status, playbooks, debts, problem) = match counted {
        Ok(tally) => {
            let playbooks = entries(&site, &tally).into_iter().map(playbook_row).collect();
            (StatusCode::OK, playbooks, tally.debts().into_iter().map(debt_row).collect(), None)
        }
        Err((status, problem)) => (status, Vec::new(), Vec::new(), Some(problem)),
    };
    let known = site.guard.session(&head);
    let facts = Shown { since, playbooks, debts, problem };
    page(status, ("Playbooks", "playbooks.html"), &frame(&site, known.as_ref(), None), &facts)
}

fn playbook_row(entry: PlaybookEntry) -> PlaybookRow {
    let PlaybookEntry { tally, budget, paused } = &entry;
    let state = match budget {
        None => "not loaded".to_owned(),
        Some(budget) => {
            let words = [(!budget.enabled, "disabled"), (!paused.is_empty(), "paused"), (budget.dry_run, "dry run")];
            let words: Vec<&str> = words.into_iter().filter_map(|(so, word)| so.then_some(word)).collect();
            if words.is_empty() { "loaded".to_owned() } else { words.join(", ") }
        }
    };
    let success = tally.success.map_or_else(|| "–".to_owned(), |part| format!("{:.0} %", part * 100.0));
    let recovery = tally.recovery_seconds.map_or_else(|| "–".to_owned(), seconds);
    let last = tally.last_treated.map_or_else(String::new, time);
    PlaybookRow { entry, state, success, recovery, last }
}

fn debt_row(debt: Debt) -> DebtRow {
    DebtRow { every: seconds(debt.between_seconds), last: time(debt.last), debt }
}

fn seconds(seconds: u64) -> String {
    format_duration(Duration::from_secs(seconds))
}

fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}
