//! What every call that changes something has in common: its body, its texts, and the wait until it is on disk.
//!
//! Read [`Refused`] first: what is wrong with a call, with the status and the words it is answered with.

use super::api::{ApiError, ResumeRequest};
use crate::inbox::Unavailable;
use crate::model::pause::Pause;
use axum::Json;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use std::time::Duration;

/// The longest body, in bytes.
const BODY_MAX: usize = 16 << 10;

/// The longest reason, in characters.
const REASON_MAX: usize = 500;

/// The longest name of a person, in characters.
const BY_MAX: usize = 100;

/// How long it may take until the record is on disk.
const DURABLE_WITHIN: Duration = Duration::from_secs(5);

/// A request that is not understood, or not fulfilled.
pub(super) struct Refused(pub(super) StatusCode, pub(super) String);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (self.0, Json(ApiError::new(self.1))).into_response()
    }
}

impl Refused {
    /// The answer of another question: our own mistake.
    pub(super) fn mixed_up() -> Self {
        Self(StatusCode::INTERNAL_SERVER_ERROR, "the daemon answered another question than was asked".to_owned())
    }
}

pub(super) fn bad(message: impl Into<String>) -> Refused {
    Refused(StatusCode::BAD_REQUEST, message.into())
}

/// Who ends something and why, from the body or, if that is empty, from the query.
pub(super) async fn ending(
    query: Result<Query<ResumeRequest>, QueryRejection>,
    body: Body,
) -> Result<(String, Option<String>), Refused> {
    let Query(query) = query.map_err(|rejected| bad(rejected.body_text()))?;
    let body = read(body).await?;
    let told = if body.is_empty() {
        query
    } else {
        serde_json::from_slice(&body)
            .map_err(|error| bad(format!("{error}; send {{\"by\": \"…\", \"reason\": \"…\"}}")))?
    };
    let reason = told.reason.map(|text| reason(&text)).transpose()?;
    Ok((person(told.by)?, reason))
}

/// Whether the body says that it is JSON. A form of a foreign page can send other kinds without asking first.
pub(super) fn must_be_json(headers: &HeaderMap) -> Result<(), Refused> {
    if is_of_kind(headers, "application/json") {
        return Ok(());
    }
    let message = "send JSON, with the header `Content-Type: application/json`".to_owned();
    Err(Refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, message))
}

/// How browsers send forms.
pub(super) const FORM_TYPE: &str = "application/x-www-form-urlencoded";

/// Whether the body says that it is of this media type, whatever its parameters.
pub(super) fn is_of_kind(headers: &HeaderMap, wanted: &str) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(wanted)
}

pub(super) async fn read(body: Body) -> Result<Bytes, Refused> {
    let read = to_bytes(body, BODY_MAX).await;
    read.map_err(|error| Refused(StatusCode::PAYLOAD_TOO_LARGE, format!("the body cannot be read: {error}")))
}

/// Why somebody does it.
pub(super) fn reason(text: &str) -> Result<String, Refused> {
    said("reason", text, REASON_MAX)
}

/// Who does it.
pub(super) fn person(by: Option<String>) -> Result<String, Refused> {
    let Some(by) = by else { return Ok("unknown".to_owned()) };
    let by = said("by", &by, BY_MAX)?;
    let switch = by.split(':').next().unwrap_or_default();
    if Pause::SWITCHES.contains(&switch) {
        return Err(bad(format!("`by`: {switch} is a switch of the daemon itself; write who you are")));
    }
    Ok(by)
}

/// One line of text, trimmed.
pub(super) fn said(name: &str, text: &str, len_max: usize) -> Result<String, Refused> {
    let text = text.trim();
    if text.is_empty() {
        return Err(bad(format!("`{name}` is empty: whoever finds it in the log must know")));
    }
    if len_max < text.chars().count() {
        return Err(bad(format!("`{name}` is longer than {len_max} characters")));
    }
    if text.chars().any(char::is_control) {
        return Err(bad(format!("`{name}` holds control characters; write one line of text")));
    }
    Ok(text.to_owned())
}

/// Waits for the answer. What is given up here may still be carried out.
pub(super) async fn within<T>(asked: impl Future<Output = Result<T, Unavailable>>) -> Result<T, Refused> {
    within_limit(asked, DURABLE_WITHIN).await
}

/// The same, for so long at most.
#[expect(clippy::disallowed_methods, reason = "only the wait for the answer is dropped, never the request")]
pub(super) async fn within_limit<T>(
    asked: impl Future<Output = Result<T, Unavailable>>,
    limit: Duration,
) -> Result<T, Refused> {
    let unavailable = |message: String| Refused(StatusCode::SERVICE_UNAVAILABLE, message);
    match tokio::time::timeout(limit, asked).await {
        Ok(answer) => answer.map_err(|why| unavailable(why.to_string())),
        Err(_elapsed) => {
            Err(unavailable("the incident log takes too long; look with GET whether it stands".to_owned()))
        }
    }
}
