//! Which path answers what. No path redirects but the one that sends people to their provider to log in: Alertmanager would
//! follow with an empty GET and lose the notification.
//!
//! [`Site`] holds what the pages need; [`router`] ties paths to it.

use super::abort;
use super::api::{ApiError, Status};
use super::approvals;
use super::breakers;
use super::events::{self, Streams};
use super::front::{self, Front};
use super::guard::Guard;
use super::health::Readiness;
use super::history;
use super::incidents::Stories;
use super::link;
use super::openapi;
use super::page;
use super::pauses;
use super::reload::{self, Wish};
use super::sight;
use super::slack::{self, Desk};
use super::tallies;
use crate::inbox::Inbox;
use crate::receiver::handler::Webhook;
use crate::telemetry::exposition::{OPENMETRICS_TYPE, PLAIN_TYPE, wants_openmetrics};
use crate::telemetry::metrics::Metrics;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, delete, get, post};
use axum::{Json, Router};
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::mpsc;

const INDEX: &str =
    "sickbay: Alertmanager calls; sickbay treats the container, watches it recover, and writes everything down.

POST /api/v1/webhook   Alertmanager's webhook_configs go here
GET  /api/v1/openapi.json   all of the API, for programs (OpenAPI 3.1)
GET  /api/v1/status    state, pauses, open incidents (JSON)
GET  /api/v1/stream    open incidents and questions, whenever they change (server-sent events)
GET  /api/v1/pauses    what is paused (JSON); POST pauses, DELETE resumes
GET  /api/v1/approvals what people are asked (JSON); POST /api/v1/approvals/ID votes
POST /api/v1/slack/interactive   clicks on buttons in Slack go here
GET  /api/v1/incidents how incidents ended, newest first (JSON); ?match= finds any records, by matchers
GET  /api/v1/incidents/ID   what became of one (JSON), as told by `sickbay explain ID -o json`
POST /api/v1/incidents/ID/abort   nothing more is done about it
GET  /api/v1/breakers  targets that runs did not help (JSON); DELETE resets
GET  /api/v1/playbooks what each playbook did and how often it helped (JSON); ?since=30d
GET  /api/v1/debts     targets that keep being treated (JSON); ?since=30d
GET  /incidents/ID     what became of an incident, told as by `sickbay explain ID`; a page for browsers
GET  /a/ID             for whoever was sent a signed link: decide by it
GET  /                 for browsers: what people are asked, with forms to answer; /status, with forms to pause
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
    /// What stands before every path.
    pub front: Arc<Front>,
    /// Who may change something.
    pub guard: Guard,
    /// Takes those who want a reload.
    pub reloads: mpsc::Sender<Wish>,
    /// How the daemon is.
    pub readiness: Readiness,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Tells stories from the incident log.
    pub stories: Stories,
    /// Deals with clicks in Slack.
    pub slack: Desk,
    /// How many follow what happens.
    pub streams: Streams,
    /// The daemon's version.
    pub version: String,
    /// Whether it acts.
    pub mode: Mode,
    /// How people reach the daemon. Ends in `/`.
    pub url: String,
    /// Where the pages are, as a path that ends in `/`: `/`, unless a proxy serves them below another.
    pub root: String,
    /// When it started.
    pub started: Instant,
}

/// All paths.
pub fn router(site: Arc<Site>) -> Router {
    open_to_all()
        .merge(for_viewers().route_layer(from_fn_with_state(Arc::clone(&site), sight::needed)))
        .fallback(not_found)
        .method_not_allowed_fallback(wrong_method)
        .layer(from_fn_with_state(Arc::clone(&site), page::as_pages))
        .layer(from_fn_with_state(Arc::clone(&site), front::needed))
        .with_state(site)
}

/// What everybody may ask for: whether it lives, what it counts, and the door. Whatever changes something asks for more
/// itself.
fn open_to_all() -> Router<Arc<Site>> {
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
        .route("/api/v1/openapi.json", get(openapi::document))
        .route("/api/v1/pauses/{scope}", delete(pauses::end))
        .route("/api/v1/incidents/{id}/abort", post(abort::abort))
        .route("/api/v1/breakers/{target}", delete(breakers::reset))
        .route("/api/v1/slack/interactive", post(slack::interactive))
        .route("/login", get(page::login).post(page::log_in))
        .route("/login/oidc", get(page::begin_login))
        .route("/login/oidc/callback", get(page::finish_login))
        .route("/logout", get(page::login).post(page::log_out))
        .route("/approvals/{id}", post(page::vote))
        .route("/a/{id}", get(link::start).post(link::answer))
        .route("/a/{id}/show", post(link::show))
        .route("/pause", post(page::pause))
        .route("/resume", post(page::resume))
        .route("/assets/style.css", get(page::style))
        .route("/assets/live.js", get(page::script))
        .route("/assets/times.js", get(page::times))
        .route("/assets/course.js", get(page::course))
        .route("/assets/link.js", get(page::link_script))
}

/// What only those see who may look ([`Guard::look`]); what is posted there is guarded by itself.
fn for_viewers() -> Router<Arc<Site>> {
    Router::new()
        .route("/api/v1/stream", get(events::stream))
        .route("/api/v1/incidents", get(history::records))
        .route("/api/v1/incidents/{id}", get(history::one))
        .route("/api/v1/pauses", get(pauses::list).post(pauses::set))
        .route("/api/v1/approvals", get(approvals::list))
        .route("/api/v1/approvals/{id}", get(approvals::one).post(approvals::vote))
        .route("/api/v1/breakers", get(breakers::list))
        .route("/api/v1/playbooks", get(tallies::playbooks))
        .route("/api/v1/debts", get(tallies::debts))
        .route("/incidents", get(page::incidents))
        .route("/playbooks", get(page::playbooks))
        .route("/incidents/{id}", get(page::incident))
        .route("/", get(page::home))
        .route("/pending", get(page::fragment))
        .route("/approvals/{id}", get(page::after_vote))
        .route("/pause", get(page::after_pause))
        .route("/resume", get(page::after_pause))
        .route("/status", get(page::status))
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
    site.metrics.identities_ignored(site.guard.ignored());
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    if wants_openmetrics(accept) {
        return ([(header::CONTENT_TYPE, OPENMETRICS_TYPE)], site.metrics.openmetrics()).into_response();
    }
    ([(header::CONTENT_TYPE, PLAIN_TYPE)], site.metrics.plain()).into_response()
}

/// Who may not look is told how the daemon is, and nothing of alerts, people and targets.
async fn status(State(site): State<Arc<Site>>, request: Request) -> Response {
    let (head, _body) = request.into_parts();
    match site.guard.look(&head).await {
        Ok(true) => Json(status_of(&site)).into_response(),
        Ok(false) => Json(status_of(&site).for_strangers()).into_response(),
        Err(denied) => denied.into_response(),
    }
}

/// How the daemon is.
pub(super) fn status_of(site: &Site) -> Status {
    let status = Status::of(&site.readiness.condition(), &site.inbox.snapshot());
    Status {
        approvals: approvals::open(site),
        version: site.version.clone(),
        uptime_seconds: site.started.elapsed().as_secs(),
        dry_run: site.mode == Mode::DryRun,
        ..status
    }
}

/// What there is, for those who are no browser.
pub(super) fn index() -> &'static str {
    INDEX
}

async fn not_found(headers: HeaderMap) -> Response {
    let words = if sight::wants_html(&headers) {
        "there is nothing at this address; it may be mistyped, or of another version"
    } else {
        "no such path; Alertmanager posts to /api/v1/webhook, and / lists the others"
    };
    error(StatusCode::NOT_FOUND, words)
}

pub(super) async fn wrong_method() -> Response {
    error(StatusCode::METHOD_NOT_ALLOWED, "this path does not take this method; the Allow header names those it takes")
}

pub(super) fn error(status: StatusCode, text: &str) -> Response {
    (status, Json(ApiError::new(text))).into_response()
}
