//! Who may look: asked before every page and every answer that tells of alerts, people and targets.
//!
//! It decides nothing: [`Guard`](super::guard::Guard) does. Browsers are shown the form to log in, programs what to send.

use super::guard::Denied;
use super::page;
use super::routes::Site;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::sync::Arc;

/// Lets through what changes nothing if whoever asks may look, and everything else, which is guarded by itself.
pub(super) async fn needed(State(site): State<Arc<Site>>, request: Request, next: Next) -> Response {
    let (head, body) = request.into_parts();
    let is_page = !head.uri.path().starts_with("/api/");
    let looks = matches!(head.method, Method::GET | Method::HEAD);
    // For programs, `/` is the list of paths.
    let is_index = head.uri.path() == "/" && !wants_html(&head.headers);
    let denied = if !looks || is_index || (is_page && site.guard.session(&head).is_some()) {
        None
    } else {
        match site.guard.look(&head).await {
            Ok(true) => None,
            Ok(false) => Some(Denied::Token),
            Err(denied) => Some(denied),
        }
    };
    match denied {
        None => next.run(Request::from_parts(head, body)).await,
        Some(denied) if is_page && wants_html(&head.headers) => page::door(&site, &head, denied),
        Some(denied) => denied.into_response(),
    }
}

/// Whether a browser asks for a page.
pub(super) fn wants_html(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    accept.contains("text/html")
}
