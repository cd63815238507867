//! `GET /api/v1/openapi.json`: what the API takes and answers, for programs that make clients and for people who write them.
//!
//! The document is `docs/openapi.json`, as it stood when the daemon was built. It holds no secret, so everybody may read it.

use axum::http::header;
use axum::response::{IntoResponse, Response};

/// The document.
pub(super) const DOCUMENT: &str = include_str!("../../docs/openapi.json");

/// Shows it.
pub(super) async fn document() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], DOCUMENT).into_response()
}
