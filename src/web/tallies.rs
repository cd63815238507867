//! `GET /api/v1/playbooks` and `GET /api/v1/debts`: what each playbook did and what that helped, and what keeps being treated.
//!
//! The log is read on each request, a few at a time, as for a story. Read [`Tally`] first.

use super::incidents::UNREAD;
use super::routes::{Site, error};
use crate::model::duration::time_or_age;
use crate::story::{Debt, PlaybookTally, Tally};
use axum::Json;
use axum::extract::{Query, State};
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

/// What `GET /api/v1/playbooks` answers.
#[derive(Serialize)]
struct PlaybookList {
    playbooks: Vec<PlaybookTally>,
}

/// What `GET /api/v1/debts` answers.
#[derive(Serialize)]
struct DebtList {
    debts: Vec<Debt>,
}

/// Each playbook.
pub(super) async fn playbooks(State(site): State<Arc<Site>>, Query(span): Query<Span>) -> Response {
    match tally(&site, &span).await {
        Ok(tally) => Json(PlaybookList { playbooks: tally.playbooks() }).into_response(),
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

/// Counts; or why not.
pub(super) async fn tally(site: &Site, span: &Span) -> Result<Tally, (StatusCode, String)> {
    let now = site.stories.now();
    let time = |name: &str, text: Option<&str>| -> Result<Option<DateTime<Utc>>, (StatusCode, String)> {
        let text = text.map(str::trim).filter(|text| !text.is_empty());
        let bad = |why: String| (StatusCode::BAD_REQUEST, format!("`{name}`: {why}"));
        text.map(|text| time_or_age(text, now)).transpose().map_err(bad)
    };
    let span = (time("since", span.since.as_deref())?, time("until", span.until.as_deref())?);
    let refused = |(status, problem): (StatusCode, &str)| (status, problem.to_owned());
    let read = site.stories.read(move |path| Tally::read(path, span)).await;
    read.map_err(|no| refused(no.told()))?.map_err(|why| {
        tracing::warn!(%why, "the incident log could not be counted");
        refused(UNREAD)
    })
}
