//! Breakers over HTTP: who may reset one, what is asked, what is answered.

use super::pauses_tests::{HERE, send};
use super::routes_tests::{ask, guarded_site, site, text};
use crate::receiver::handler::WebhookLimits;
use serde_json::{Value, json};

const RESET: &str = "DELETE /api/v1/breakers/web-1";
const GOOD: &str = r#"{"by": "ada", "reason": "new image"}"#;

#[tokio::test]
async fn a_reset_needs_a_reason_and_an_open_breaker() {
    let site = site(WebhookLimits::default());
    for (line, body, status, want) in [
        (RESET, GOOD, 200, "new image"),
        ("DELETE /api/v1/breakers/web-1?by=bob&reason=looked%20at%20it", "", 200, "looked at it"),
        (RESET, "", 400, "`reason` is missing"),
        (RESET, r#"{"by": "ada"}"#, 400, "`reason` is missing"),
        (RESET, r#"{"reason": " "}"#, 400, "`reason` is empty"),
        (RESET, r#"{"reason": "x", "by": "sickbay"}"#, 400, "switch of the daemon"),
        (RESET, r#"{"reason": "x", "why": "x"}"#, 400, "why"),
        ("DELETE /api/v1/breakers/web-2", GOOD, 404, "the breaker of web-2 is not open"),
        ("DELETE /api/v1/breakers/a%20b", GOOD, 400, "not the name of a target"),
    ] {
        let (answered, said) = send(&site.router, line, (HERE, &[]), body).await;
        assert_eq!(answered, status, "{line} {body}: {said}");
        assert!(said.to_string().contains(want), "{line} {body}: {said}");
    }
    let (_, said) = send(&site.router, RESET, (HERE, &[]), GOOD).await;
    let open =
        json!([{"target": "web-1", "failures": 3, "since": "2026-11-18T11:06:40Z", "until": "2026-11-18T12:06:40Z"}]);
    let want = json!({
        "result": "reset", "target": "web-1", "failures": 3, "by": "ada", "reason": "new image", "breakers": open
    });
    assert_eq!(said, want);
}

#[tokio::test]
async fn whoever_may_not_pause_may_not_reset_either() {
    let open = site(WebhookLimits::default());
    let closed = guarded_site(WebhookLimits::default(), Some("t0ken"));
    for (site, peer, headers, want) in [
        (&open, HERE, &[][..], 200),
        (&open, "192.0.2.7", &[], 403),
        (&open, HERE, &[("origin", "http://evil.example")], 403),
        (&closed, HERE, &[], 401),
        (&closed, "192.0.2.7", &[("authorization", "Bearer t0ken")], 200),
    ] {
        assert_eq!(send(&site.router, RESET, (peer, headers), GOOD).await.0, want, "{peer} {headers:?}");
    }
}

#[tokio::test]
async fn status_and_list_show_what_is_open_and_frozen() {
    let site = site(WebhookLimits::default());
    let read = async |path: &str| -> Value {
        serde_json::from_str(&text(ask(&site.router, "GET", path, "").await).await).unwrap()
    };
    let (status, list) = (read("/api/v1/status").await, read("/api/v1/breakers").await);
    assert_eq!((&status["breakers"], list["breakers"][0]["target"].as_str()), (&list["breakers"], Some("web-1")));
    let storm = json!({"since": "2026-11-18T11:06:40Z", "for": "10m", "until": "2026-11-18T11:16:40Z"});
    assert_eq!(status["storm"], storm);
}
