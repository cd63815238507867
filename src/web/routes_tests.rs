//! Every path and method, without a socket.

use super::guard::Guard;
use super::health::{Condition, DockerCondition, LogCondition, Readiness};
use super::reload::{Outcome, WISHES_LEN_MAX, Wish};
use super::routes::{Mode, Site, router};
use crate::engine::event::Event;
use crate::engine::receipt::{AlertAnswer, AlertReceipt, Reply, Switched};
use crate::engine::ruleset::Changes;
use crate::engine::snapshot::{BreakerSummary, IncidentSummary, PauseSummary, Snapshot, StormSummary};
use crate::inbox::{Delivery, Inbox};
use crate::model::fact::BreakerReset;
use crate::model::id::{IncidentId, Seq};
use crate::model::pause::{Pause, PauseScope};
use crate::model::reason::Reason;
use crate::receiver::auth::Senders;
use crate::receiver::handler::{Webhook, WebhookLimits};
use crate::telemetry::metrics::{BuildInfo, Metrics};
use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use http_body_util::BodyExt;
use secrecy::SecretString;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tower::ServiceExt;

/// A site with a stand-in for the dispatcher that knows no playbook.
pub(super) struct TestSite {
    pub(super) router: Router,
    pub(super) condition: watch::Sender<Condition>,
    _dispatcher: JoinSet<()>,
}

pub(super) fn site(limits: WebhookLimits) -> TestSite {
    guarded_site(limits, None)
}

/// As [`site`], with a token for calls that change something.
pub(super) fn guarded_site(limits: WebhookLimits, token: Option<&str>) -> TestSite {
    let summary = IncidentSummary {
        id: IncidentId(Seq(12)),
        playbook: "restart-web".into(),
        alertname: "Down".to_owned(),
        target: None,
        doing: "refused",
        reason: Some(Reason::Cooldown),
    };
    let length = Some(Duration::from_secs(5400));
    let pause = Pause { scope: PauseScope::Playbook("p".into()), by: "ada".into(), reason: "why".into(), length };
    let since = chrono::DateTime::from_timestamp(1_795_000_000, 0).unwrap();
    let pauses = vec![PauseSummary { pause, since }];
    let open_for = Duration::from_secs(3600);
    let breakers = vec![BreakerSummary { target: "web-1".into(), failures: 3, since, open_for }];
    let storm = Some(StormSummary { since, freeze: Duration::from_secs(600) });
    let snapshot =
        Snapshot { last_seq: Some(Seq(41)), open_episodes: 3, pauses, breakers, storm, incidents: vec![summary] };
    let (_, snapshot) = watch::channel(Arc::new(snapshot));
    let (inbox, deliveries) = Inbox::new(snapshot);
    let mut dispatcher = JoinSet::new();
    dispatcher.spawn(stand_in(deliveries));
    let (reloads, wishes) = mpsc::channel(WISHES_LEN_MAX);
    dispatcher.spawn(reload_in_turns(wishes));
    let (condition, readiness) = watch::channel(Condition::default());
    let clock = Arc::new(|| chrono::DateTime::from_timestamp(1_795_000_000, 0).unwrap());
    let build = BuildInfo { version: "0.1.0".to_owned(), revision: "r".to_owned(), rustversion: "1.95".to_owned() };
    let site = Site {
        webhook: Webhook::new(inbox.clone(), Senders::new(&[]), limits, clock),
        inbox,
        guard: Guard::new(token.map(SecretString::from).as_ref()),
        reloads,
        readiness: Readiness::new(readiness),
        metrics: Arc::new(Metrics::new(&build, 1.0)),
        version: "0.1.0".to_owned(),
        mode: Mode::DryRun,
        started: Instant::now(),
    };
    let odd = Router::new()
        .route("/panics", axum::routing::get(async || -> &'static str { panic!("planted") }))
        .route("/hangs", axum::routing::get(std::future::pending::<&'static str>));
    TestSite { router: router(Arc::new(site)).merge(odd), condition, _dispatcher: dispatcher }
}

/// Everything can be paused, and the playbook `p` is; the file is there. The breaker of `web-1` is open.
#[expect(clippy::wildcard_enum_match_arm, reason = "a stand-in answers what pages ask")]
fn switched(event: Event) -> Switched {
    match event {
        Event::PauseRequested(pause) => {
            let known = pause.scope.kind() != "host";
            Switched::Paused { pause, replaced: None, known }
        }
        Event::ResumeRequested { scope: PauseScope::All, .. } => {
            Switched::HeldByFile(Pause::of_file(Some(0), "by hand".to_owned()))
        }
        Event::ResumeRequested { scope: scope @ PauseScope::Playbook(_), by, reason } => {
            Switched::Resumed(Pause { scope, by, reason, length: None })
        }
        Event::ResumeRequested { scope, .. } => Switched::NotPaused(scope),
        Event::BreakerResetRequested { target, by, reason } if *target == *"web-1" => {
            Switched::Reset { reset: BreakerReset { target, by, reason }, failures: 3 }
        }
        Event::BreakerResetRequested { target, .. } => Switched::NotOpen(target),
        other => panic!("not asked by any page: {other:?}"),
    }
}

/// The first reload succeeds, the second finds mistakes, and the third is never answered.
async fn reload_in_turns(mut wishes: mpsc::Receiver<Wish>) {
    let changes = Changes { playbooks: 2, added: vec!["b".to_owned()], ..Changes::default() };
    let problems = vec!["rules.yaml:1:1: no".to_owned(), "rules.yaml:2:1: nor this".to_owned()];
    for outcome in [Outcome::Reloaded(changes), Outcome::Rejected(problems)] {
        let wish = wishes.recv().await.unwrap();
        wish.send(outcome).unwrap();
    }
}

async fn stand_in(mut deliveries: mpsc::Receiver<Delivery>) {
    while let Some(Delivery { event, ack }) = deliveries.recv().await {
        let Event::NotificationReceived(notification) = event else {
            _ = ack.send(Reply::Switched(switched(event)));
            continue;
        };
        let receipts = notification.alerts.iter().map(|alert| AlertReceipt {
            fingerprint: alert.fingerprint,
            answer: AlertAnswer::NoMatch,
            incident: None,
            playbook: None,
            reason: Some(Reason::NoMatch),
        });
        let _gone = ack.send(Reply::Alerts(receipts.collect()));
    }
}

pub(super) fn ready() -> Condition {
    Condition {
        playbooks: Some(2),
        log: LogCondition::Writable,
        log_head: Some("ab".repeat(32)),
        docker: DockerCondition::Answering,
        ..Condition::default()
    }
}

pub(super) const ALERT: &str = r#"{"version":"4","alerts":[{"labels":{"alertname":"X"}}]}"#;

pub(super) async fn ask(router: &Router, method: &str, path: &str, body: &'static str) -> Response<Body> {
    let request = Request::builder().method(method).uri(path).body(Body::from(body)).unwrap();
    router.clone().oneshot(request).await.unwrap()
}

pub(super) async fn text(response: Response<Body>) -> String {
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

#[tokio::test]
async fn every_path_has_its_answer_and_none_redirects() {
    let site = site(WebhookLimits::default());
    for (method, path, body, code) in [
        ("POST", "/api/v1/webhook", ALERT, 200),
        ("PUT", "/api/v1/webhook", ALERT, 200),
        ("POST", "/webhook", ALERT, 200),
        ("POST", "/webhook?x=y", ALERT, 200),
        ("POST", "/webhook", "[]", 400),
        ("POST", "/webhook/", ALERT, 404),
        ("POST", "/api/v1/webhook/", ALERT, 404),
        ("POST", "/api/v1/webhook/x", ALERT, 404),
        ("POST", "//webhook", ALERT, 404),
        ("POST", "/Webhook", ALERT, 404),
        ("GET", "/api/v1/webhook", "", 405),
        ("DELETE", "/webhook", "", 405),
        ("GET", "/-/healthy", "", 200),
        ("HEAD", "/healthz", "", 200),
        ("GET", "/livez", "", 200),
        ("GET", "/-/ready", "", 503),
        ("GET", "/readyz", "", 503),
        ("GET", "/metrics", "", 200),
        ("GET", "/api/v1/status", "", 200),
        ("GET", "/api/v1/pauses", "", 200),
        ("POST", "/api/v1/pauses", "{}", 403),
        ("DELETE", "/api/v1/pauses/all", "", 403),
        ("GET", "/api/v1/pauses/all", "", 405),
        ("PUT", "/api/v1/pauses", "", 405),
        ("POST", "/-/reload", "", 403),
        ("PUT", "/-/reload", "", 403),
        ("GET", "/-/reload", "", 405),
        ("GET", "/", "", 200),
        ("POST", "/", "", 405),
        ("POST", "/metrics", "", 405),
        ("GET", "/healthz/", "", 404),
        ("GET", "/nothing", "", 404),
    ] {
        let response = ask(&site.router, method, path, body).await;
        assert_eq!(response.status(), code, "{method} {path}");
        assert!(!response.headers().contains_key("location"));
        assert_eq!(response.headers().contains_key("allow"), code == 405, "{method} {path}");
        if code >= 400 && code != 503 {
            let error: serde_json::Value = serde_json::from_str(&text(response).await).unwrap();
            assert!(error["error"].is_string(), "{method} {path}");
        }
    }
}

#[tokio::test]
async fn readiness_follows_the_daemon_and_names_what_is_missing() {
    let site = site(WebhookLimits::default());
    assert!(text(ask(&site.router, "GET", "/-/ready", "").await).await.contains("- playbooks are not loaded yet\n"));
    site.condition.send_replace(ready());
    assert_eq!(ask(&site.router, "GET", "/-/ready", "").await.status(), 200);
    let silent = DockerCondition::Silent { error: "connection refused".to_owned() };
    site.condition.send_replace(Condition { docker: silent, ..ready() });
    let response = ask(&site.router, "GET", "/readyz", "").await;
    assert_eq!(response.status(), 503);
    assert!(text(response).await.contains("- Docker does not answer: connection refused"));
    assert_eq!(ask(&site.router, "GET", "/-/healthy", "").await.status(), 200);
}

#[tokio::test]
async fn the_status_has_its_documented_shape() {
    let site = site(WebhookLimits::default());
    site.condition.send_replace(ready());
    let mut status: serde_json::Value =
        serde_json::from_str(&text(ask(&site.router, "GET", "/api/v1/status", "").await).await).unwrap();
    assert!(status["uptime_seconds"].take().as_u64().unwrap() < 60);
    let want = serde_json::json!({
        "version": "0.1.0", "uptime_seconds": null, "dry_run": true, "ready": true, "not_ready_because": [],
        "playbooks": 2, "log": {"state": "writable", "reason": null, "last_seq": 41, "head": "ab".repeat(32)},
        "docker": {"state": "answering", "error": null}, "open_episodes": 3,
        "pauses": [{"scope": "playbook:p", "by": "ada", "reason": "why", "since": "2026-11-18T11:06:40Z", "for": "1h30m",
                    "until": "2026-11-18T12:36:40Z"}],
        "breakers": [{"target": "web-1", "failures": 3, "since": "2026-11-18T11:06:40Z",
                      "until": "2026-11-18T12:06:40Z"}],
        "storm": {"since": "2026-11-18T11:06:40Z", "for": "10m", "until": "2026-11-18T11:16:40Z"},
        "incidents": [{"id": "i12", "playbook": "restart-web", "alertname": "Down", "target": null,
                       "doing": "refused", "reason": "cooldown"}],
    });
    assert_eq!(status, want);
}

#[tokio::test]
async fn deliveries_are_counted_and_the_format_follows_the_accept_header() {
    let site = site(WebhookLimits { max_body: 200, ..WebhookLimits::default() });
    ask(&site.router, "POST", "/webhook", ALERT).await;
    ask(&site.router, "POST", "/webhook", "{").await;
    let plain = ask(&site.router, "GET", "/metrics", "").await;
    assert!(plain.headers()["content-type"].to_str().unwrap().starts_with("text/plain; version=0.0.4"));
    let plain = text(plain).await;
    for line in [
        "sickbay_webhook_requests_total{code=\"200\"} 1",
        "sickbay_webhook_requests_total{code=\"400\"} 1",
        "sickbay_webhook_alerts_total{status=\"firing\"} 1",
    ] {
        assert!(plain.lines().any(|known| known == line), "{line}");
    }
    let asked = Request::get("/metrics").header("accept", "application/openmetrics-text;version=1.0.0,*/*;q=0.1");
    let response = site.router.clone().oneshot(asked.body(Body::empty()).unwrap()).await.unwrap();
    assert!(response.headers()["content-type"].to_str().unwrap().starts_with("application/openmetrics-text"));
    assert!(text(response).await.ends_with("# EOF\n"));
}

pub(super) fn short_limits() -> WebhookLimits {
    let short = Duration::from_millis(300);
    WebhookLimits { max_body: 100_000, body_deadline: short, accept_deadline: short }
}
