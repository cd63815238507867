//! The kill switch over HTTP: who may, what is asked, what is answered.

use super::guard::Peer;
use super::routes_tests::{ask, guarded_site, site, text};
use crate::receiver::handler::WebhookLimits;
use axum::Router;
use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};
use tower::ServiceExt;

pub(super) const HERE: &str = "127.0.0.1";

/// Sends from an address; the status and the JSON of the answer.
pub(super) async fn send(
    router: &Router,
    line: &str,
    (peer, headers): (&str, &[(&str, &str)]),
    body: impl Into<Body>,
) -> (u16, Value) {
    let (method, path) = line.split_once(' ').unwrap();
    let mut request = Request::builder().method(method).uri(path).extension(Peer::Address(peer.parse().unwrap()));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = router.clone().oneshot(request.body(body.into()).unwrap()).await.unwrap();
    let status = response.status().as_u16();
    (status, serde_json::from_str(&text(response).await).unwrap())
}

const JSON: &[(&str, &str)] = &[("content-type", "application/json")];
const POST: &str = "POST /api/v1/pauses";

#[tokio::test]
async fn a_pause_needs_a_scope_and_a_reason_and_says_what_stands() {
    let site = site(WebhookLimits::default());
    let whole = json!({"scope": "target:web-1", "reason": " moving it ", "by": "ada", "for": "1h"});
    let (status, said) = send(&site.router, POST, (HERE, JSON), whole.to_string()).await;
    assert_eq!(status, 200, "{said}");
    let pause = json!({"scope": "target:web-1", "reason": "moving it", "by": "ada", "for": "1h"});
    assert_eq!((&said["result"], &said["pause"], &said["warning"]), (&"paused".into(), &pause, &Value::Null));
    assert_eq!(said["pauses"][0]["scope"], "playbook:p");

    let (_, said) = send(&site.router, POST, (HERE, JSON), r#"{"scope": "host:loacl", "reason": "x"}"#).await;
    assert_eq!((&said["pause"]["by"], &said["pause"]["for"]), (&"unknown".into(), &Value::Null));
    assert!(said["warning"].as_str().unwrap().contains("host:loacl"), "{said}");

    let longest = json!({"scope": "all", "reason": "é".repeat(500)}).to_string();
    assert_eq!(send(&site.router, POST, (HERE, JSON), longest).await.0, 200);
}

#[tokio::test]
async fn what_is_not_a_pause_is_refused_with_what_is_wrong() {
    let site = site(WebhookLimits::default());
    for (body, want) in [
        (json!({"reason": "x"}), "scope"),
        (json!({"scope": "all"}), "reason"),
        (json!({"scope": "all", "reason": " "}), "`reason` is empty"),
        (json!({"scope": "all", "reason": "x".repeat(501)}), "longer than 500"),
        (json!({"scope": "all", "reason": "a\nb"}), "control characters"),
        (json!({"scope": "all", "reason": "x", "by": ""}), "`by` is empty"),
        (json!({"scope": "all", "reason": "x", "by": "file:0"}), "switch of the daemon"),
        (json!({"scope": "all", "reason": "x", "by": "sickbay"}), "switch of the daemon"),
        (json!({"scope": "web-1", "reason": "x"}), "cannot be paused"),
        (json!({"scope": "all", "reason": "x", "for": "90"}), "`for`"),
        (json!({"scope": "all", "reason": "x", "for": "0s"}), "more than zero"),
        (json!({"scope": "all", "reason": "x", "until": "1h"}), "until"),
        (json!(["all"]), "send {"),
    ] {
        let (status, said) = send(&site.router, POST, (HERE, JSON), body.to_string()).await;
        assert_eq!(status, 400, "{body}");
        assert!(said["error"].as_str().unwrap().contains(want), "{body}: {said}");
    }
    let good = r#"{"scope": "all", "reason": "x"}"#;
    assert_eq!(send(&site.router, POST, (HERE, &[("content-type", "text/plain")]), good).await.0, 415);
    assert_eq!(send(&site.router, POST, (HERE, JSON), "x".repeat(20_000)).await.0, 413);
}

#[tokio::test]
async fn a_resume_ends_what_stands_and_says_why_it_cannot() {
    let site = site(WebhookLimits::default());
    for (line, body, status, want) in [
        ("DELETE /api/v1/pauses/playbook:p", "", 200, "no reason given"),
        ("DELETE /api/v1/pauses/playbook:p", r#"{"by": "bob", "reason": "done"}"#, 200, "done"),
        ("DELETE /api/v1/pauses/playbook%3Ap?by=bob&reason=all%20done", "", 200, "all done"),
        ("DELETE /api/v1/pauses/target:web-1", "", 404, "target:web-1 is not paused"),
        ("DELETE /api/v1/pauses/all", "", 409, "delete the file"),
        ("DELETE /api/v1/pauses/web-1", "", 400, "cannot be paused"),
        ("DELETE /api/v1/pauses/playbook:p", r#"{"why": "x"}"#, 400, "why"),
        ("DELETE /api/v1/pauses/playbook:p?why=x", "", 400, "why"),
        ("DELETE /api/v1/pauses/playbook:p?by=signal", "", 400, "switch of the daemon"),
    ] {
        let (answered, said) = send(&site.router, line, (HERE, &[]), body).await;
        assert_eq!(answered, status, "{line}: {said}");
        assert!(said.to_string().contains(want), "{line}: {said}");
    }
}

#[tokio::test]
async fn only_this_machine_may_unless_there_is_a_token_and_no_foreign_page_ever() {
    let good = r#"{"scope": "all", "reason": "x"}"#;
    let open = site(WebhookLimits::default());
    let closed = guarded_site(WebhookLimits::default(), Some("t0ken"));
    let with = |extra: &[(&'static str, &'static str)]| [JSON, extra].concat();
    for (site, peer, extra, want) in [
        (&open, HERE, &[][..], 200),
        (&open, "192.0.2.7", &[], 403),
        (&open, HERE, &[("origin", "http://evil.example")], 403),
        (&open, HERE, &[("sec-fetch-site", "cross-site")], 403),
        (&closed, HERE, &[], 401),
        (&closed, "192.0.2.7", &[("authorization", "Bearer wrong")], 401),
        (&closed, "192.0.2.7", &[("authorization", "Bearer t0ken")], 200),
        (&closed, HERE, &[("authorization", "Bearer t0ken"), ("origin", "http://evil.example")], 403),
    ] {
        assert_eq!(send(&site.router, POST, (peer, &with(extra)), good).await.0, want, "{peer} {extra:?}");
        let deleted = send(&site.router, "DELETE /api/v1/pauses/playbook:p", (peer, extra), "").await.0;
        assert_eq!(deleted, want, "{peer} {extra:?}");
    }
    // Looking is free.
    assert_eq!(ask(&closed.router, "GET", "/api/v1/pauses", "").await.status(), 200);
}
