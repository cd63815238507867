//! `GET /api/v1/stream`: open incidents and questions to people, told again whenever they change, as server-sent events.
//!
//! Each event holds the whole list, so whoever missed one has missed nothing. A stream ends within a minute; clients come
//! back by themselves and prove anew who they are. Until then its connection counts as idle: where places are rare, it is
//! the first to go. Read `stream` first.

use super::api::{ApprovalList, IncidentList, OpenApproval, OpenIncident};
use super::approvals;
use super::health::{Condition, Phase};
use super::routes::{Site, error};
use crate::engine::snapshot::Snapshot;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use hyper::body::Frame;
use serde::Serialize;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::Instant;

/// Shorter than the server lets a connection be idle.
const LASTS: Duration = Duration::from_secs(50);

/// How soon a client is to come back, in milliseconds.
const RETRY: &str = "retry: 1000\n\n";

/// Something is sent this often, so that whoever is between keeps the connection.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// So many streams at once.
const STREAMS_MAX: usize = 64;

/// The places for streams.
#[derive(Debug)]
pub struct Streams(Arc<Semaphore>);

impl Default for Streams {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(STREAMS_MAX)))
    }
}

/// Begins a stream.
pub(super) async fn stream(State(site): State<Arc<Site>>) -> Response {
    let Ok(place) = Arc::clone(&site.streams.0).try_acquire_owned() else {
        return error(StatusCode::SERVICE_UNAVAILABLE, "as many streams as there may be are open; try again later");
    };
    let (snapshots, conditions) = (site.inbox.snapshots(), site.readiness.conditions());
    let ends = Instant::now() + LASTS;
    let feed = Feed { site, snapshots, conditions, told: Told::default(), begun: false, ends, _place: place };
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    (headers, Body::new(Events(Some(Box::pin(feed.next()))))).into_response()
}

/// What one client was told so far, and where news comes from.
struct Feed {
    site: Arc<Site>,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    conditions: watch::Receiver<Condition>,
    told: Told,
    begun: bool,
    ends: Instant,
    _place: OwnedSemaphorePermit,
}

/// The lists as they were told last; of a question not the time that is left, which is no news.
#[derive(Default, PartialEq)]
struct Told {
    approvals: Option<Vec<OpenApproval>>,
    incidents: Option<Vec<OpenIncident>>,
}

impl Feed {
    /// The next bytes; `None` at the end.
    async fn next(mut self) -> Option<(Bytes, Self)> {
        if !self.begun {
            self.begun = true;
            return Some((Bytes::from_static(RETRY.as_bytes()), self));
        }
        let quiet = Instant::now() + KEEP_ALIVE;
        loop {
            if self.ends <= Instant::now() || self.conditions.borrow().phase == Phase::Stopping {
                return None;
            }
            if let Some(news) = self.news() {
                return Some((Bytes::from(news), self));
            }
            tokio::select! {
                changed = self.snapshots.changed() => changed.ok()?,
                changed = self.conditions.changed() => changed.ok()?,
                () = tokio::time::sleep_until(self.ends) => {}
                () = tokio::time::sleep_until(quiet) => return Some((Bytes::from_static(b":\n\n"), self)),
            }
        }
    }

    /// Whatever is no longer as it was told.
    fn news(&mut self) -> Option<String> {
        let incidents = self.snapshots.borrow_and_update().incidents.iter().map(OpenIncident::from).collect();
        let approvals = approvals::open(&self.site);
        let timeless = approvals.iter().map(|approval| OpenApproval { seconds_left: 0, ..approval.clone() }).collect();
        let now = Told { approvals: Some(timeless), incidents: Some(incidents) };
        let before = std::mem::replace(&mut self.told, now);
        let mut text = String::new();
        if before.approvals != self.told.approvals {
            text.push_str(&event("approvals", &ApprovalList { approvals }));
        }
        if before.incidents != self.told.incidents {
            let incidents = self.told.incidents.clone().unwrap_or_default();
            text.push_str(&event("incidents", &IncidentList { incidents }));
        }
        (!text.is_empty()).then_some(text)
    }
}

/// JSON holds no line breaks, so one line of data is enough.
fn event(name: &str, list: &impl Serialize) -> String {
    let data = serde_json::to_string(list).unwrap_or_default();
    format!("event: {name}\ndata: {data}\n\n")
}

type Next = Pin<Box<dyn Future<Output = Option<(Bytes, Feed)>> + Send>>;

/// A feed as a body.
struct Events(Option<Next>);

impl hyper::body::Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let Some(next) = self.0.as_mut() else { return Poll::Ready(None) };
        let told = ready!(next.as_mut().poll(cx));
        self.0 = None;
        Poll::Ready(told.map(|(bytes, feed)| {
            self.0 = Some(Box::pin(feed.next()));
            Ok(Frame::data(bytes))
        }))
    }
}
