//! `POST /-/reload`: settings and playbooks are read anew. Whoever gets a 200 can rely on it: the change is on disk.
//!
//! It reads nothing itself: the daemon does, one request after the other. [`Guard`](super::guard::Guard) says who may ask.

use super::api::{ApiError, ReloadAnswer};
use super::change::{bad, person};
use super::routes::Site;
use crate::engine::ruleset::Changes;
use crate::people::Role;
use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// How many may wait for their turn.
pub const WISHES_LEN_MAX: usize = 4;

/// How long the answer may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(8);

/// Somebody asks for a reload.
#[derive(Debug)]
pub struct Wish {
    /// Who, for the record.
    pub by: String,
    /// They wait here for what becomes of it.
    pub answer: oneshot::Sender<Outcome>,
}

/// What may stand in the query.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    /// Who asks, where nothing proves it.
    by: Option<String>,
}

/// What became of a reload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Everything is taken, and on disk.
    Reloaded(Changes),
    /// Nothing is taken, because of these problems; at least one.
    Rejected(Vec<String>),
    /// The daemon is starting or stopping, or its log cannot be written.
    Unavailable(String),
}

/// Reloads.
pub(super) async fn reload(
    State(site): State<Arc<Site>>,
    query: Result<Query<Asked>, QueryRejection>,
    request: Request,
) -> Response {
    let (head, _body) = request.into_parts();
    let caller = match site.guard.admit(&head, Role::Operate).await {
        Ok(caller) => caller,
        Err(denied) => return denied.into_response(),
    };
    let claimed = query.map_err(|rejected| bad(rejected.body_text())).and_then(|Query(asked)| person(asked.by));
    let by = match claimed {
        Ok(claimed) => caller.name(claimed, &site.guard.people()),
        Err(refused) => return refused.into_response(),
    };
    tracing::info!(by, "a reload is asked for");
    let answer = match ask(&site.reloads, by).await {
        Outcome::Reloaded(changes) => ReloadAnswer::from(changes),
        Outcome::Rejected(problems) => ReloadAnswer::rejected(problems),
        Outcome::Unavailable(error) => {
            return (StatusCode::SERVICE_UNAVAILABLE, Json(ApiError::new(error))).into_response();
        }
    };
    let status = if answer.is_reloaded() { StatusCode::OK } else { StatusCode::BAD_REQUEST };
    if wants_json(&head.headers) {
        return (status, Json(answer)).into_response();
    }
    (status, answer.to_string()).into_response()
}

#[expect(clippy::disallowed_methods, reason = "only the wait for the answer is dropped, never the reload")]
async fn ask(reloads: &mpsc::Sender<Wish>, by: String) -> Outcome {
    let unavailable = |why: &str| Outcome::Unavailable(why.to_owned());
    let (told, answer) = oneshot::channel();
    match reloads.try_send(Wish { by, answer: told }) {
        Ok(()) => {}
        Err(mpsc::error::TrySendError::Full(_)) => return unavailable("others wait for a reload already; try again"),
        Err(mpsc::error::TrySendError::Closed(_)) => return unavailable("the daemon is not running normally"),
    }
    match tokio::time::timeout(ANSWER_WITHIN, answer).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_gone)) => unavailable("the daemon is stopping"),
        Err(_elapsed) => {
            unavailable("reading the files or writing the incident log takes too long; the daemon's log will tell")
        }
    }
}

fn wants_json(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    accept.split(',').any(|kind| kind.split(';').next().unwrap_or_default().trim() == "application/json")
}
