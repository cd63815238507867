//! What became of a request with a link, as it is counted and as it is told.

use crate::web::api::ApiError;
use crate::web::routes::Site;
use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

/// As it is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Shown,
    Counted,
    NotCounted,
    Wrong,
    Expired,
    Closed,
    Unknown,
    NotAllowed,
    Foreign,
    Unreadable,
    Unavailable,
    Off,
}

impl Outcome {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Shown => "shown",
            Self::Counted => "counted",
            Self::NotCounted => "not_counted",
            Self::Wrong => "wrong_link",
            Self::Expired => "link_expired",
            Self::Closed => "no_links",
            Self::Unknown => "unknown",
            Self::NotAllowed => "not_allowed",
            Self::Foreign => "foreign",
            Self::Unreadable => "unreadable",
            Self::Unavailable => "unavailable",
            Self::Off => "off",
        }
    }
}

/// Why somebody with a link is not served.
#[derive(Debug)]
pub(super) struct Turned {
    pub(super) outcome: Outcome,
    pub(super) status: StatusCode,
    pub(super) words: String,
    /// For programs.
    pub(super) code: &'static str,
}

impl Turned {
    pub(super) fn new(outcome: Outcome, status: StatusCode, words: impl Into<String>) -> Self {
        Self { outcome, status, words: words.into(), code: outcome.as_str() }
    }

    pub(super) fn counted(self, site: &Site) -> Self {
        site.metrics.link_used(self.outcome.as_str());
        self
    }
}

impl IntoResponse for Turned {
    fn into_response(self) -> Response {
        let error = ApiError { error: self.words, code: Some(self.code.to_owned()) };
        (self.status, Json(error)).into_response()
    }
}
