//! `/playbooks`: what each playbook did and how often it helped, and what keeps being treated in place of being mended.

use super::handlers::frame;
use super::render::page;
use crate::model::duration::format_duration;
use crate::model::pause::PauseScope;
use crate::story::{Debt, PlaybookTally};
use crate::web::routes::Site;
use crate::web::tallies::{Span, tally};
use axum::extract::{Query, State};
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
    tally: PlaybookTally,
    state: &'static str,
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
    let paused = paused(&site);
    let (status, playbooks, debts, problem) = match counted {
        Ok(tally) => {
            let playbooks = tally.playbooks().into_iter().map(|tally| playbook_row(tally, &paused)).collect();
            (StatusCode::OK, playbooks, tally.debts().into_iter().map(debt_row).collect(), None)
        }
        Err((status, problem)) => (status, Vec::new(), Vec::new(), Some(problem)),
    };
    let known = site.guard.session(&head);
    let facts = Shown { since, playbooks, debts, problem };
    page(status, ("Playbooks", "playbooks.html"), &frame(&site, known.as_ref(), None), &facts)
}

/// What is paused: everything, or these playbooks.
fn paused(site: &Site) -> Vec<PauseScope> {
    site.inbox.snapshot().pauses.iter().map(|standing| standing.pause.scope.clone()).collect()
}

fn playbook_row(tally: PlaybookTally, paused: &[PauseScope]) -> PlaybookRow {
    let holds = |scope: &PauseScope| match scope {
        PauseScope::All => true,
        PauseScope::Playbook(name) => **name == *tally.playbook,
        PauseScope::Host(_) | PauseScope::Target(_) => false,
    };
    let state = match (&tally.revision, paused.iter().any(holds)) {
        (None, _) => "not loaded",
        (Some(_), true) => "paused",
        (Some(_), false) => "loaded",
    };
    let success = tally.success.map_or_else(|| "–".to_owned(), |part| format!("{:.0} %", part * 100.0));
    let recovery = tally.recovery_seconds.map_or_else(|| "–".to_owned(), seconds);
    let last = tally.last_treated.map_or_else(String::new, time);
    PlaybookRow { tally, state, success, recovery, last }
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
