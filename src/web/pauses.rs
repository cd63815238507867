//! `/api/v1/pauses`: the kill switch over HTTP. Whoever gets a 200 can rely on it: the pause is on disk.
//!
//! It decides nothing: the engine sets and ends pauses, [`Guard`](super::guard::Guard) says who may ask.

use super::api::{PauseBrief, PauseChanged, PauseList, PauseRequest, ResumeRequest, StandingPause};
use super::change::{Refused, bad, ending, person, read, reason, within};
use super::routes::Site;
use crate::engine::receipt::Switched;
use crate::model::duration::parse_duration;
use crate::model::pause::{NotAScope, Pause, PauseScope};
use axum::Json;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use std::sync::Arc;
use std::time::Duration;

/// What stands.
pub(super) async fn list(State(site): State<Arc<Site>>) -> Json<PauseList> {
    Json(PauseList { pauses: standing(&site) })
}

/// Sets a pause.
pub(super) async fn set(State(site): State<Arc<Site>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    if let Err(denied) = site.guard.admit(&head) {
        return denied.into_response();
    }
    let asked = async {
        let pause = wanted(&head.headers, body).await?;
        within(site.inbox.pause(pause)).await
    };
    answered(&site, asked.await)
}

/// Ends a pause.
pub(super) async fn end(
    State(site): State<Arc<Site>>,
    Path(scope): Path<String>,
    query: Result<Query<ResumeRequest>, QueryRejection>,
    request: Request,
) -> Response {
    let (head, body) = request.into_parts();
    if let Err(denied) = site.guard.admit(&head) {
        return denied.into_response();
    }
    let asked = async {
        let scope = scope_of(&scope)?;
        let (by, reason) = ending(query, body).await?;
        let reason = reason.unwrap_or_else(|| "no reason given".to_owned());
        within(site.inbox.resume(scope, by, reason)).await
    };
    answered(&site, asked.await)
}

async fn wanted(headers: &HeaderMap, body: Body) -> Result<Pause, Refused> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    // A form of a foreign page can send other kinds without asking first.
    if !kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json") {
        let message = "send JSON, with the header `Content-Type: application/json`".to_owned();
        return Err(Refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
    }
    let request: PauseRequest = serde_json::from_slice(&read(body).await?).map_err(|error| {
        bad(format!("{error}; send {{\"scope\": \"all\", \"reason\": \"…\", \"by\": \"…\", \"for\": \"1h\"}}"))
    })?;
    let length = match request.length.as_deref().map(parse_duration) {
        None => None,
        Some(Ok(Duration::ZERO)) => {
            return Err(bad("`for` must be more than zero; leave it out to pause until resumed"));
        }
        Some(Ok(length)) => Some(length),
        Some(Err(error)) => return Err(bad(format!("`for`: {error}"))),
    };
    let scope = scope_of(&request.scope)?;
    let reason = reason(&request.reason)?;
    Ok(Pause { scope, by: person(request.by)?, reason, length })
}

fn scope_of(text: &str) -> Result<PauseScope, Refused> {
    text.parse().map_err(|error: NotAScope| bad(error.to_string()))
}

fn answered(site: &Site, switched: Result<Switched, Refused>) -> Response {
    let refuse = |status, message: String| Refused(status, message).into_response();
    let (result, pause, replaced, warning) = match switched {
        Ok(Switched::Paused { pause, replaced, known }) => {
            let nothing = format!("{} stands for nothing that the daemon knows: is the name right?", pause.scope);
            ("paused", pause, replaced, (!known).then_some(nothing))
        }
        Ok(Switched::Resumed(pause)) => ("resumed", pause, None, None),
        Ok(Switched::NotPaused(scope)) => {
            return refuse(StatusCode::NOT_FOUND, format!("{scope} is not paused; GET lists what is"));
        }
        Ok(Switched::HeldByFile(pause)) => {
            let message = format!(
                "the file PAUSE in the storage directory pauses everything ({}: {}); no call can override it: delete \
                 the file",
                pause.by, pause.reason
            );
            return refuse(StatusCode::CONFLICT, message);
        }
        Ok(Switched::TooMany) => {
            let message = "as many pauses as there may be stand already: pause all, or end some".to_owned();
            return refuse(StatusCode::CONFLICT, message);
        }
        Ok(Switched::Reset { .. } | Switched::NotOpen(_)) => return Refused::mixed_up().into_response(),
        Err(refused) => return refused.into_response(),
    };
    let (pause, replaced) = (PauseBrief::from(&pause), replaced.as_ref().map(PauseBrief::from));
    let changed = PauseChanged { result: result.to_owned(), pause, replaced, warning, pauses: standing(site) };
    Json(changed).into_response()
}

fn standing(site: &Site) -> Vec<StandingPause> {
    site.inbox.snapshot().pauses.iter().map(StandingPause::from).collect()
}
