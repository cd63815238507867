//! `/api/v1/pauses`: the kill switch over HTTP. Whoever gets a 200 can rely on it: the pause is on disk.
//!
//! It decides nothing: the engine sets and ends pauses, [`Guard`](super::guard::Guard) says who may ask.

use super::api::{ApiError, PauseBrief, PauseChanged, PauseList, PauseRequest, ResumeRequest, StandingPause};
use super::routes::Site;
use crate::engine::receipt::Switched;
use crate::inbox::Unavailable;
use crate::model::duration::parse_duration;
use crate::model::pause::{NotAScope, Pause, PauseScope};
use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use std::sync::Arc;
use std::time::Duration;

/// The longest body, in bytes.
const BODY_MAX: usize = 16 << 10;

/// The longest reason, in characters.
const REASON_MAX: usize = 500;

/// The longest name of a person, in characters.
const BY_MAX: usize = 100;

/// How long it may take until the record is on disk.
const DURABLE_WITHIN: Duration = Duration::from_secs(5);

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
    let asked = match wanted(&head.headers, body).await {
        Ok(pause) => pause,
        Err(refused) => return refused.into_response(),
    };
    answered(&site, within(site.inbox.pause(asked)).await)
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
    let query = match query {
        Ok(Query(query)) => query,
        Err(rejected) => return bad(rejected.body_text()).into_response(),
    };
    match ending(&scope, query, body).await {
        Ok((scope, by, reason)) => answered(&site, within(site.inbox.resume(scope, by, reason)).await),
        Err(refused) => refused.into_response(),
    }
}

/// A request that is not understood.
struct Refused(StatusCode, String);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (self.0, Json(ApiError { error: self.1 })).into_response()
    }
}

fn bad(message: impl Into<String>) -> Refused {
    Refused(StatusCode::BAD_REQUEST, message.into())
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
    let reason = said("reason", &request.reason, REASON_MAX)?;
    Ok(Pause { scope, by: person(request.by)?, reason, length })
}

async fn ending(scope: &str, query: ResumeRequest, body: Body) -> Result<(PauseScope, String, String), Refused> {
    let scope = scope_of(scope)?;
    let body = read(body).await?;
    let told = if body.is_empty() {
        query
    } else {
        serde_json::from_slice(&body)
            .map_err(|error| bad(format!("{error}; send {{\"by\": \"…\", \"reason\": \"…\"}}")))?
    };
    let reason = told.reason.map(|reason| said("reason", &reason, REASON_MAX)).transpose()?;
    Ok((scope, person(told.by)?, reason.unwrap_or_else(|| "no reason given".to_owned())))
}

fn scope_of(text: &str) -> Result<PauseScope, Refused> {
    text.parse().map_err(|error: NotAScope| bad(error.to_string()))
}

async fn read(body: Body) -> Result<axum::body::Bytes, Refused> {
    let read = to_bytes(body, BODY_MAX).await;
    read.map_err(|error| Refused(StatusCode::PAYLOAD_TOO_LARGE, format!("the body cannot be read: {error}")))
}

fn said(name: &str, text: &str, len_max: usize) -> Result<String, Refused> {
    let text = text.trim();
    if text.is_empty() {
        return Err(bad(format!("`{name}` is empty: whoever finds the pause must know")));
    }
    if len_max < text.chars().count() {
        return Err(bad(format!("`{name}` is longer than {len_max} characters")));
    }
    if text.chars().any(char::is_control) {
        return Err(bad(format!("`{name}` holds control characters; write one line of text")));
    }
    Ok(text.to_owned())
}

fn person(by: Option<String>) -> Result<String, Refused> {
    let Some(by) = by else { return Ok("unknown".to_owned()) };
    let by = said("by", &by, BY_MAX)?;
    let switch = by.split(':').next().unwrap_or_default();
    if Pause::SWITCHES.contains(&switch) {
        return Err(bad(format!("`by`: {switch} is a switch of the daemon itself; write who you are")));
    }
    Ok(by)
}

/// Waits for the answer. What is given up here may still be carried out.
#[expect(clippy::disallowed_methods, reason = "only the wait for the answer is dropped, never the request")]
async fn within(asked: impl Future<Output = Result<Switched, Unavailable>>) -> Result<Switched, String> {
    match tokio::time::timeout(DURABLE_WITHIN, asked).await {
        Ok(answer) => answer.map_err(|unavailable| unavailable.to_string()),
        Err(_elapsed) => Err("the incident log takes too long; look with GET whether it stands".to_owned()),
    }
}

fn answered(site: &Site, switched: Result<Switched, String>) -> Response {
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
        Err(message) => return refuse(StatusCode::SERVICE_UNAVAILABLE, message),
    };
    let (pause, replaced) = (PauseBrief::from(&pause), replaced.as_ref().map(PauseBrief::from));
    let changed = PauseChanged { result: result.to_owned(), pause, replaced, warning, pauses: standing(site) };
    Json(changed).into_response()
}

fn standing(site: &Site) -> Vec<StandingPause> {
    site.inbox.snapshot().pauses.iter().map(StandingPause::from).collect()
}
