//! Which path answers what. No path redirects: Alertmanager would follow with an empty GET and lose the notification.
//!
//! [`Site`] holds what the pages need; [`router`] ties paths to it.

use super::api::{ApiError, Status};
use super::breakers;
use super::guard::Guard;
use super::health::Readiness;
use super::pauses;
use super::reload::{self, Wish};
use crate::inbox::Inbox;
use crate::receiver::handler::Webhook;
use crate::telemetry::exposition::{OPENMETRICS_TYPE, PLAIN_TYPE, wants_openmetrics};
use crate::telemetry::metrics::Metrics;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, delete, get, post};
use axum::{Json, Router};
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::mpsc;

const INDEX: &str =
    "sickbay: Alertmanager calls; sickbay treats the container, watches it recover, and writes everything down.

POST /api/v1/webhook   Alertmanager's webhook_configs go here
GET  /api/v1/status    state, pauses, open incidents (JSON)
GET  /api/v1/pauses    what is paused (JSON); POST pauses, DELETE resumes
GET  /api/v1/breakers  targets that runs did not help (JSON); DELETE resets
GET  /metrics          for Prometheus
GET  /-/healthy        alive
GET  /-/ready          ready, or why not
POST /-/reload         reads settings and playbooks anew
";

/// Whether the daemon changes anything at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It acts.
    Live,
    /// It decides and records only.
    DryRun,
}

/// Everything the pages are made from.
pub struct Site {
    /// Takes deliveries.
    pub webhook: Webhook,
    /// Gives copies of the state.
    pub inbox: Inbox,
    /// Who may change something.
    pub guard: Guard,
    /// Takes those who want a reload.
    pub reloads: mpsc::Sender<Wish>,
    /// How the daemon is.
    pub readiness: Readiness,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// The daemon's version.
    pub version: String,
    /// Whether it acts.
    pub mode: Mode,
    /// When it started.
    pub started: Instant,
}

/// All paths.
pub fn router(site: Arc<Site>) -> Router {
    Router::new()
        .route("/api/v1/webhook", any(webhook))
        .route("/webhook", any(webhook))
        .route("/-/healthy", get(alive))
        .route("/healthz", get(alive))
        .route("/livez", get(alive))
        .route("/-/ready", get(ready))
        .route("/-/reload", post(reload::reload).put(reload::reload))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .route("/api/v1/status", get(status))
        .route("/api/v1/pauses", get(pauses::list).post(pauses::set))
        .route("/api/v1/pauses/{scope}", delete(pauses::end))
        .route("/api/v1/breakers", get(breakers::list))
        .route("/api/v1/breakers/{target}", delete(breakers::reset))
        .route("/", get(index))
        .fallback(not_found)
        .method_not_allowed_fallback(wrong_method)
        .with_state(site)
}

async fn webhook(State(site): State<Arc<Site>>, request: Request) -> Response {
    let received = site.webhook.receive(request).await;
    let tally = received.tally;
    site.metrics.webhook_answered(received.response.status().as_u16());
    site.metrics.webhook_alerts(tally.firing, tally.resolved, tally.rejected, tally.truncated);
    received.response
}

/// Alive: this line runs. Nothing outside the process may make a supervisor restart it.
async fn alive() -> &'static str {
    "sickbay is alive\n"
}

async fn ready(State(site): State<Arc<Site>>) -> Response {
    let unready = site.readiness.condition().unready();
    if unready.is_empty() {
        return "sickbay is ready\n".into_response();
    }
    let mut text = "sickbay is not ready\n".to_owned();
    for reason in unready {
        text = format!("{text}- {reason}\n");
    }
    (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
}

async fn metrics(State(site): State<Arc<Site>>, headers: HeaderMap) -> Response {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    if wants_openmetrics(accept) {
        return ([(header::CONTENT_TYPE, OPENMETRICS_TYPE)], site.metrics.openmetrics()).into_response();
    }
    ([(header::CONTENT_TYPE, PLAIN_TYPE)], site.metrics.plain()).into_response()
}

async fn status(State(site): State<Arc<Site>>) -> Json<Status> {
    let status = Status::of(&site.readiness.condition(), &site.inbox.snapshot());
    Json(Status {
        version: site.version.clone(),
        uptime_seconds: site.started.elapsed().as_secs(),
        dry_run: site.mode == Mode::DryRun,
        ..status
    })
}

async fn index() -> &'static str {
    INDEX
}

async fn not_found() -> Response {
    error(StatusCode::NOT_FOUND, "no such path; Alertmanager posts to /api/v1/webhook, and / lists the others")
}

async fn wrong_method() -> Response {
    error(StatusCode::METHOD_NOT_ALLOWED, "this path does not take this method; the Allow header names those it takes")
}

fn error(status: StatusCode, text: &str) -> Response {
    (status, Json(ApiError { error: text.to_owned() })).into_response()
}
