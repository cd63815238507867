//! `GET /incidents/ID`: what became of an incident, in the words of `sickbay explain ID`, as plain text. Browsers are shown a
//! page (`page::incident`) unless they ask for `?as=text`.
//!
//! It is read from the incident log on each request, a few at a time. Read `story` first.

use super::routes::{Site, error};
use crate::model::id::IncidentId;
use crate::receiver::handler::Clock;
use crate::story::{self, Subject, Unread};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// How many stories are read at the same time: each reads much of the log.
const READERS_MAX: usize = 2;

/// Plain text that no browser takes for anything else, and nobody keeps: it may have gone on since.
const HEADERS: [(header::HeaderName, &str); 4] = [
    (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    (header::CACHE_CONTROL, "no-store"),
];

/// Reads stories from the log.
pub struct Stories {
    /// The data directory.
    path: PathBuf,
    clock: Clock,
    readers: Arc<Semaphore>,
}

impl Stories {
    /// From the log in this data directory.
    #[must_use]
    pub fn new(path: PathBuf, clock: Clock) -> Self {
        Self { path, clock, readers: Arc::new(Semaphore::new(READERS_MAX)) }
    }

    /// What time it is, for those who say how long ago.
    pub(super) fn now(&self) -> DateTime<Utc> {
        (self.clock)()
    }

    /// Reads from the log, beside what else is served.
    ///
    /// # Errors
    /// [`NoTurn`] while enough others do, or if the reader broke.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Path) -> T + Send + 'static,
    ) -> Result<T, NoTurn> {
        let turn = Arc::clone(&self.readers).try_acquire_owned().map_err(|_taken| NoTurn::Busy)?;
        let path = self.path.clone();
        let read = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            read(&path)
        });
        read.await.map_err(|_panicked| NoTurn::Broken)
    }
}

/// Why the log was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoTurn {
    /// Enough others are reading it.
    Busy,
    /// A bug of ours.
    Broken,
}

impl NoTurn {
    /// What is answered, and in which words.
    pub(super) fn told(self) -> (StatusCode, &'static str) {
        match self {
            Self::Busy => (StatusCode::SERVICE_UNAVAILABLE, "the log is being read for others; try again in a moment"),
            Self::Broken => (StatusCode::INTERNAL_SERVER_ERROR, "the incident log could not be read"),
        }
    }
}

/// What is answered if the log cannot be read; the reason is for operators.
pub(super) const UNREAD: (StatusCode, &str) =
    (StatusCode::INTERNAL_SERVER_ERROR, "the incident log could not be read; sickbay's own log says why");

/// Tells the story of one incident.
pub(super) async fn as_text(site: &Site, id: &str) -> Response {
    let Ok(id) = id.parse::<IncidentId>() else {
        return error(StatusCode::NOT_FOUND, "an incident is named like i1042");
    };
    match site.stories.read(move |path| tell(path, id)).await {
        Ok(Ok(text)) => (HEADERS, text).into_response(),
        Ok(Err(Unread::Nothing(_))) => error(StatusCode::NOT_FOUND, "there is no such incident in the log"),
        Ok(Err(Unread::Question(why) | Unread::Log(why))) => {
            tracing::warn!(incident.id = %id, why, "an incident could not be told");
            error(UNREAD.0, UNREAD.1)
        }
        Err(no) => {
            let (status, problem) = no.told();
            error(status, problem)
        }
    }
}

fn tell(path: &Path, id: IncidentId) -> Result<Vec<u8>, Unread> {
    let stories = story::read(path, &Subject::Incident(id), (None, None))?;
    let mut text = Vec::new();
    story::text(&stories, &mut text).map_err(|error| Unread::Log(error.to_string()))?;
    Ok(text)
}
