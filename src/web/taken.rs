//! What the path and the query of a request say. What cannot be read is told as everything else that is wrong with a request:
//! in JSON, as the document of the API promises.

use super::change::{Refused, bad};
use axum::extract::{self, FromRequestParts};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

/// As [`extract::Path`].
pub(super) struct Path<T>(pub(super) T);

/// As [`extract::Query`].
pub(super) struct Query<T>(pub(super) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        match extract::Path::from_request_parts(parts, state).await {
            Ok(extract::Path(taken)) => Ok(Self(taken)),
            Err(rejected) => Err(bad(format!("the path cannot be read: {}", rejected.body_text()))),
        }
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        match extract::Query::from_request_parts(parts, state).await {
            Ok(extract::Query(taken)) => Ok(Self(taken)),
            Err(rejected) => Err(bad(rejected.body_text())),
        }
    }
}
