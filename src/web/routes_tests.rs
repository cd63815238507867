//! Every path and method, without a socket.

use super::events::Streams;
use super::guard::{Access, Guard};
use super::health::{Condition, DockerCondition, LogCondition, Readiness};
use super::reload::{Outcome, WISHES_LEN_MAX, Wish};
use super::routes::{Mode, Site, router};
use super::slack::{ANSWERS_LEN_MAX, Answer, Desk};
use crate::engine::budget::{Cooling, Leaving, Level};
use crate::engine::event::Event;
use crate::engine::receipt::{AlertAnswer, AlertReceipt, Reply, Switched, Voted};
use crate::engine::ruleset::Changes;
use crate::engine::snapshot::{
    ApprovalSummary, BreakerSummary, Chill, IncidentSummary, PauseSummary, PlaybookBudget, Room, Snapshot,
    StormSummary, Whose,
};
use crate::inbox::{Delivery, Inbox};
use crate::model::approval::{ApprovalRequested, ReasonFor, VoteAnswer};
use crate::model::fact::BreakerReset;
use crate::model::id::{ActId, IncidentId, Seq};
use crate::model::incident::{AttemptNumber, Verdict};
use crate::model::limit::{Limits, Window};
use crate::model::moment::Moment;
use crate::model::pause::{Pause, PauseScope};
use crate::model::reason::Reason;
use crate::people::{PasswordHash, People, Person, Role, TokenHash};
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
    pub(super) site: Arc<Site>,
    pub(super) snapshots: watch::Sender<Arc<Snapshot>>,
    pub(super) condition: watch::Sender<Condition>,
    /// What would be posted to Slack.
    pub(super) answered: mpsc::Receiver<Answer>,
    _dispatcher: JoinSet<()>,
}

pub(super) fn site(limits: WebhookLimits) -> TestSite {
    guarded_site(limits, None)
}

/// As [`site`], with a token for calls that change something.
pub(super) fn guarded_site(limits: WebhookLimits, token: Option<&str>) -> TestSite {
    site_of(limits, Access { token: token.map(SecretString::from), ..Access::default() }, Vec::new())
}

/// As [`guarded_site`], with [`people`], who can be reached from elsewhere.
pub(super) fn peopled_site(token: Option<&str>) -> TestSite {
    peopled_site_as(Access { token: token.map(SecretString::from), people: people("sesame"), ..Access::default() })
}

/// As the settings say, with a question to `sre`.
pub(super) fn peopled_site_as(access: Access) -> TestSite {
    site_of(WebhookLimits::default(), access, vec![question()])
}

/// `ada`, who may decide and has this password, `bob`, who may look, and `eve`, who may operate.
pub(super) fn people(password: &str) -> People {
    let person = |name: &str, role: Role| Person {
        name: name.to_owned(),
        groups: vec!["sre".to_owned()],
        roles: vec![role],
        password: None,
        token: Some(TokenHash::of(&format!("{name}-has-a-long-token")).unwrap()),
        uid: None,
        slack_user: Some(format!("U0{}", name.to_uppercase())),
        link_notifier: Some(format!("{name}-mail")),
        oidc_user: (name == "ada").then(|| "ada@example.org".to_owned()),
    };
    let password = PasswordHash::parse(&PasswordHash::make(password).unwrap()).ok();
    let ada = Person { password, ..person("ada", Role::Approve) };
    People::new([ada, person("bob", Role::View), person("eve", Role::Operate)])
}

/// What `sre` is asked, about an alert that tries to be more than text.
fn question() -> ApprovalSummary {
    let since = chrono::DateTime::from_timestamp(1_795_000_000, 0).unwrap();
    let asked = ApprovalRequested {
        approval: ActId { incident: IncidentId(Seq(12)), number: 1 },
        playbook: "restart-web".into(),
        target: None,
        plan: "ab".repeat(32),
        terms: "cd".repeat(32),
        what: "<img src=x onerror=alert(1)> \u{202e}live".to_owned(),
        required: 2,
        from: vec!["sre".to_owned()],
        timeout: Duration::from_secs(900),
        approve_on_timeout: false,
        prevent_self_approval: true,
        cause: None,
        step: None,
        attempt: AttemptNumber::ONLY,
        evidence: Some(serde_json::json!({
            "container": {"id": "0b".repeat(32), "name": "web-1", "state": {"status": "exited", "exit_code": 1}},
            "diagnosis": {"findings": [{
                "code": "exit.application", "weight": "cause", "what": "It ended with code 1.", "seen": "<b>fatal", "next": "Look.",
            }]},
            "logs": {"lines": ["<i>bye"]},
        })),
        dry_run: false,
        no_links: false,
        reason: ReasonFor::Never,
        look: None,
    };
    ApprovalSummary {
        asked,
        since,
        left: Duration::from_secs(600),
        yes: Vec::new(),
        approved: false,
        takes_links: true,
        alertname: "<script>alert(1)</script>".to_owned(),
        calls: vec!["POST /containers/abc/restart".to_owned()],
        room: vec![room(Whose::Playbook, "web-1", 1), room(Whose::Global, "all playbooks", 0)],
        chill: None,
    }
}

/// So many of three an hour.
fn room(whose: Whose, of: &str, used: usize) -> Room {
    let (passed_ms, per) = (5_000_000, Duration::from_secs(3600));
    let charged = Moment { wall: chrono::DateTime::from_timestamp(1_794_999_000, 0).unwrap(), passed_ms };
    let next = (0 < used).then_some(Leaving { charged, left: Duration::from_secs(2600) });
    Room { whose, of: of.to_owned(), level: Level { window: Window { runs: 3, per }, used, next } }
}

/// What is left to the playbook of the example log, whose target tries to be more than text.
fn budget() -> PlaybookBudget {
    let since =
        Some(Moment { wall: chrono::DateTime::from_timestamp(1_794_999_900, 0).unwrap(), passed_ms: 5_900_000 });
    let (left, whole) = (Duration::from_secs(200), Duration::from_secs(300));
    PlaybookBudget {
        playbook: "restart-after-failed-probe".into(),
        enabled: true,
        dry_run: true,
        limits: Limits::default(),
        rooms: vec![room(Whose::Playbook, "<b>web-1", 2), room(Whose::Global, "all playbooks", 1)],
        chills: vec![Chill { of: "<b>web-1".to_owned(), cooling: Cooling { left, whole, since } }],
        breakers: vec!["web-1".into()],
        more: false,
    }
}

fn site_of(limits: WebhookLimits, access: Access, approvals: Vec<ApprovalSummary>) -> TestSite {
    let summary = IncidentSummary {
        id: IncidentId(Seq(12)),
        playbook: "restart-web".into(),
        alertname: "Down".to_owned(),
        target: None,
        doing: "refused",
        reason: Some(Reason::Cooldown),
        origin: Some((IncidentId(Seq(7)), "resolved")),
    };
    let length = Some(Duration::from_secs(5400));
    let pause = Pause { scope: PauseScope::Playbook("p".into()), by: "ada".into(), reason: "why".into(), length };
    let since = chrono::DateTime::from_timestamp(1_795_000_000, 0).unwrap();
    let pauses = vec![PauseSummary { pause, since }];
    let open_for = Duration::from_secs(3600);
    let breakers = vec![BreakerSummary { target: "web-1".into(), failures: 3, since, open_for }];
    let storm = Some(StormSummary { since, freeze: Duration::from_secs(600) });
    let snapshot = Snapshot {
        last_seq: Some(Seq(41)),
        open_episodes: 3,
        pauses,
        breakers,
        approvals,
        budgets: vec![budget()],
        storm,
        incidents: vec![summary],
    };
    let (snapshots, snapshot) = watch::channel(Arc::new(snapshot));
    let (inbox, deliveries) = Inbox::new(snapshot);
    let mut dispatcher = JoinSet::new();
    dispatcher.spawn(stand_in(deliveries));
    let (reloads, wishes) = mpsc::channel(WISHES_LEN_MAX);
    dispatcher.spawn(reload_in_turns(wishes));
    let (answers, answered) = mpsc::channel(ANSWERS_LEN_MAX);
    let (condition, readiness) = watch::channel(Condition::default());
    let clock: crate::receiver::handler::Clock =
        Arc::new(|| chrono::DateTime::from_timestamp(1_795_000_000, 0).unwrap());
    let build = BuildInfo { version: "0.1.0".to_owned(), revision: "r".to_owned(), rustversion: "1.95".to_owned() };
    let site = Arc::new(Site {
        webhook: Webhook::new(inbox.clone(), Senders::new(&[]), limits, Arc::clone(&clock)),
        inbox,
        front: Arc::default(),
        guard: Guard::new(access),
        reloads,
        readiness: Readiness::new(readiness),
        metrics: Arc::new(Metrics::new(&build, 1.0)),
        slack: Desk { clock: Arc::clone(&clock), answers },
        stories: super::incidents::Stories::new(
            concat!(env!("CARGO_MANIFEST_DIR"), "/incident_log.example.jsonl").into(),
            clock,
        ),
        streams: Streams::default(),
        version: "0.1.0".to_owned(),
        mode: Mode::DryRun,
        url: "http://127.0.0.1:10112/".to_owned(),
        root: "/".to_owned(),
        started: Instant::now(),
    });
    let router = router(Arc::clone(&site)).merge(odd());
    TestSite { router, site, snapshots, condition, answered, _dispatcher: dispatcher }
}

/// What no page does.
fn odd() -> Router {
    Router::new()
        .route("/panics", axum::routing::get(async || -> &'static str { panic!("planted") }))
        .route("/hangs", axum::routing::get(std::future::pending::<&'static str>))
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
        Event::AbortRequested { incident, by, reason } => {
            Switched::Aborted { incident, verdict: Verdict::Cancelled, by, reason }
        }
        other => panic!("not asked by any page: {other:?}"),
    }
}

/// The first reload succeeds, the second finds mistakes, and the third is never answered.
async fn reload_in_turns(mut wishes: mpsc::Receiver<Wish>) {
    let changes = Changes { playbooks: 2, added: vec!["b".to_owned()], ..Changes::default() };
    let problems = vec!["rules.yaml:1:1: no".to_owned(), "rules.yaml:2:1: nor this".to_owned()];
    for outcome in [Outcome::Reloaded(changes), Outcome::Rejected(problems)] {
        let Wish { by, answer } = wishes.recv().await.unwrap();
        assert!(matches!(&*by, "unknown" | "eve" | "unproven:eve"), "{by}");
        answer.send(outcome).unwrap();
    }
}

async fn stand_in(mut deliveries: mpsc::Receiver<Delivery>) {
    while let Some(Delivery { event, ack }) = deliveries.recv().await {
        if let Event::VoteCast(ballot) = event {
            let is_wrong = ballot.channel == "link" && ballot.person.is_empty();
            assert!(matches!(&*ballot.channel, "api" | "web" | "slack" | "link"));
            assert!(is_wrong || ballot.groups == ["sre"]);
            let answer = if is_wrong {
                VoteAnswer::WrongLink
            } else if ballot.approve {
                VoteAnswer::Counted
            } else {
                VoteAnswer::Denied
            };
            _ = ack.send(Reply::Voted(Voted { answer, outcome: None, yes: 1, required: 2 }));
            continue;
        }
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
        docker: vec![("local".to_owned(), DockerCondition::Answering)],
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
        ("GET", "/api/v1/incidents", "", 200),
        ("GET", "/api/v1/incidents?match=&limit=1&before=5&since=365d", "", 200),
        ("GET", "/api/v1/incidents/i2", "", 200),
        ("POST", "/api/v1/incidents/i2", "", 405),
        ("GET", "/api/v1/approvals", "", 200),
        ("GET", "/api/v1/approvals/i1.1", "", 404),
        ("POST", "/api/v1/approvals/i1.1", "{}", 401),
        ("DELETE", "/api/v1/approvals/i1.1", "", 405),
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
async fn what_cannot_be_read_of_a_path_or_a_query_is_told_in_json() {
    let site = site(WebhookLimits::default());
    for (line, code, want) in [
        ("GET /api/v1/playbooks?since=1h&since=2h", 400, "duplicate field `since`"),
        ("GET /api/v1/debts?until=1h&until=2h", 400, "duplicate field `until`"),
        ("GET /api/v1/approvals/%ff", 400, "the path cannot be read"),
        ("POST /api/v1/approvals/%ff", 400, "the path cannot be read"),
        ("DELETE /api/v1/pauses/%ff", 400, "the path cannot be read"),
        ("DELETE /api/v1/breakers/%ff", 400, "the path cannot be read"),
        ("POST /api/v1/incidents/%ff/abort", 400, "the path cannot be read"),
        ("GET /api/v1/incidents/%ff", 400, "the path cannot be read"),
        ("GET /incidents/%ff", 400, "the path cannot be read"),
        ("GET /playbooks?since=1h&since=2h", 400, "duplicate field `since`"),
        ("GET /api/v1/incidents?match=kind", 400, "`match`: "),
        ("GET /api/v1/incidents?macth=kind", 400, "unknown field `macth`"),
        ("GET /api/v1/incidents?before=-1", 400, "before"),
        ("GET /api/v1/incidents?limit=0", 400, "`limit` must be 1 to 500"),
        ("GET /api/v1/incidents?limit=501", 400, "`limit` must be 1 to 500"),
        ("GET /api/v1/incidents?since=yesterday", 400, "`since`: "),
        ("GET /api/v1/incidents/12", 404, "named like i1042"),
        ("GET /api/v1/incidents/i99999", 404, "no such incident"),
    ] {
        let (method, path) = line.split_once(' ').unwrap();
        let response = ask(&site.router, method, path, "").await;
        assert_eq!(response.status(), code, "{line}");
        assert_eq!(response.headers()["content-type"], "application/json", "{line}");
        let said: serde_json::Value = serde_json::from_str(&text(response).await).unwrap();
        assert!(said["error"].as_str().unwrap().contains(want), "{line}: {said}");
    }
}

#[tokio::test]
async fn readiness_follows_the_daemon_and_names_what_is_missing() {
    let site = site(WebhookLimits::default());
    assert!(text(ask(&site.router, "GET", "/-/ready", "").await).await.contains("- playbooks are not loaded yet\n"));
    site.condition.send_replace(ready());
    assert_eq!(ask(&site.router, "GET", "/-/ready", "").await.status(), 200);
    let silent = DockerCondition::Silent { error: "connection refused".to_owned() };
    site.condition.send_replace(Condition { docker: vec![("local".to_owned(), silent)], ..ready() });
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
        "docker": {"state": "answering", "error": null, "hosts": [{"name": "local", "state": "answering", "error": null}]},
        "permissions": [], "open_episodes": 3,
        "pauses": [{"scope": "playbook:p", "by": "ada", "reason": "why", "since": "2026-11-18T11:06:40Z", "for": "1h30m",
                    "until": "2026-11-18T12:36:40Z"}],
        "approvals": [],
        "breakers": [{"target": "web-1", "failures": 3, "since": "2026-11-18T11:06:40Z",
                      "until": "2026-11-18T12:06:40Z"}],
        "storm": {"since": "2026-11-18T11:06:40Z", "for": "10m", "until": "2026-11-18T11:16:40Z"},
        "incidents": [{"id": "i12", "playbook": "restart-web", "alertname": "Down", "target": null,
                       "doing": "refused", "reason": "cooldown", "of": "i7", "cause": "resolved"}],
        "withheld": false,
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
