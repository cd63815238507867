//! What went wrong, as a page, for browsers that asked for one. Programs are answered as ever.

use super::handlers::frame;
use super::render::page;
use crate::web::api::ApiError;
use crate::web::routes::Site;
use crate::web::sight::wants_html;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use serde::Serialize;
use std::sync::Arc;

/// More than any error says, in bytes.
const WORDS_MAX: usize = 64 << 10;

/// What is answered as ever, whoever asks: these paths are for programs.
const FOR_PROGRAMS: [&str; 7] = ["/api/", "/webhook", "/-/", "/metrics", "/healthz", "/livez", "/readyz"];

/// What an answer keeps that becomes a page.
const KEPT: [header::HeaderName; 3] = [header::ALLOW, header::RETRY_AFTER, header::WWW_AUTHENTICATE];

#[derive(Serialize)]
struct Wrong<'w> {
    heading: &'w str,
}

/// Makes a page of each error that is none.
pub(in crate::web) async fn as_pages(State(site): State<Arc<Site>>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if !wants_html(request.headers()) || FOR_PROGRAMS.iter().any(|program| path.starts_with(program)) {
        return next.run(request).await;
    }
    let (head, body) = request.into_parts();
    let asks = head.clone();
    let response = next.run(Request::from_parts(head, body)).await;
    let status = response.status();
    let kind = response.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !(status.is_client_error() || status.is_server_error()) || kind.starts_with("text/html") {
        return response;
    }
    let (answered, body) = response.into_parts();
    let known = site.guard.session(&asks);
    let frame = frame(&site, known.as_ref(), Some((false, words(status, body).await)));
    let heading = if status == StatusCode::NOT_FOUND { "No such page" } else { "Not done" };
    let mut shown = page(status, (heading, "said.html"), &frame, &Wrong { heading });
    for name in KEPT {
        if let Some(value) = answered.headers.get(&name) {
            shown.headers_mut().insert(name, value.clone());
        }
    }
    shown
}

async fn words(status: StatusCode, body: Body) -> String {
    let bytes = to_bytes(body, WORDS_MAX).await.unwrap_or_default();
    match serde_json::from_slice::<ApiError>(&bytes) {
        Ok(said) => said.error,
        Err(_plain) if bytes.is_empty() => status.to_string(),
        Err(_plain) => String::from_utf8_lossy(&bytes).into_owned(),
    }
}
