//! `GET /api/v1/playbooks` and `GET /api/v1/debts`: what each playbook did and what that helped, what is left of its limits,
//! and what keeps being treated.
//!
//! The log is read on each request, a few at a time, as for a story. Read [`Tally`] first.

use super::api::BudgetLeft;
use super::incidents::UNREAD;
use super::routes::{Site, error};
use super::taken::Query;
use crate::model::duration::time_or_age;
use crate::model::pause::PauseScope;
use crate::story::{Debt, PlaybookTally, Tally};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// From when on, and until when, incidents count.
#[derive(Default, Deserialize)]
pub(super) struct Span {
    /// A time, or how long ago.
    pub(super) since: Option<String>,
    /// The same.
    pub(super) until: Option<String>,
}

/// The same, as times.
type Times = (Option<DateTime<Utc>>, Option<DateTime<Utc>>);

/// What `GET /api/v1/playbooks` answers.
#[derive(Serialize)]
struct PlaybookList {
    playbooks: Vec<PlaybookEntry>,
}

/// One playbook: what it did, and what it may still do.
#[derive(Serialize)]
pub(super) struct PlaybookEntry {
    #[serde(flatten)]
    pub(super) tally: PlaybookTally,
    /// What is left of its limits; null if it is not loaded.
    pub(super) budget: Option<BudgetLeft>,
    /// The pauses that hold all of it: `all` or `playbook:NAME`.
    pub(super) paused: Vec<String>,
}

/// What `GET /api/v1/debts` answers.
#[derive(Serialize)]
struct DebtList {
    debts: Vec<Debt>,
}

/// Each playbook.
pub(super) async fn playbooks(State(site): State<Arc<Site>>, Query(span): Query<Span>) -> Response {
    match tally(&site, &span).await {
        Ok(tally) => Json(PlaybookList { playbooks: entries(&site, &tally) }).into_response(),
        Err((status, problem)) => error(status, &problem),
    }
}

/// Each target that keeps being treated.
pub(super) async fn debts(State(site): State<Arc<Site>>, Query(span): Query<Span>) -> Response {
    match tally(&site, &span).await {
        Ok(tally) => Json(DebtList { debts: tally.debts() }).into_response(),
        Err((status, problem)) => error(status, &problem),
    }
}

/// What was counted of each playbook, with what is left of its limits.
pub(super) fn entries(site: &Site, tally: &Tally) -> Vec<PlaybookEntry> {
    let snapshot = site.inbox.snapshot();
    let entry = |tally: PlaybookTally| {
        let budget = snapshot.budgets.iter().find(|budget| *budget.playbook == *tally.playbook);
        let pauses = snapshot.pauses.iter().map(|standing| &standing.pause.scope);
        let holds = |scope: &&PauseScope| match scope {
            PauseScope::All => true,
            PauseScope::Playbook(name) => **name == *tally.playbook,
            PauseScope::Host(_) | PauseScope::Target(_) => false,
        };
        let paused = pauses.filter(holds).map(ToString::to_string).collect();
        PlaybookEntry { budget: budget.map(BudgetLeft::from), paused, tally }
    };
    tally.playbooks().into_iter().map(entry).collect()
}

/// From when on and until when; each is a time, or how long ago.
pub(super) fn times(site: &Site, since: Option<&str>, until: Option<&str>) -> Result<Times, (StatusCode, String)> {
    let now = site.stories.now();
    let time = |name: &str, text: Option<&str>| -> Result<Option<DateTime<Utc>>, (StatusCode, String)> {
        let text = text.map(str::trim).filter(|text| !text.is_empty());
        let bad = |why: String| (StatusCode::BAD_REQUEST, format!("`{name}`: {why}"));
        text.map(|text| time_or_age(text, now)).transpose().map_err(bad)
    };
    Ok((time("since", since)?, time("until", until)?))
}

/// Counts; or why not.
pub(super) async fn tally(site: &Site, span: &Span) -> Result<Tally, (StatusCode, String)> {
    let span = times(site, span.since.as_deref(), span.until.as_deref())?;
    let refused = |(status, problem): (StatusCode, &str)| (status, problem.to_owned());
    let read = site.stories.read(move |path| Tally::read(path, span)).await;
    read.map_err(|no| refused(no.told()))?.map_err(|why| {
        tracing::warn!(%why, "the incident log could not be counted");
        refused(UNREAD)
    })
}
