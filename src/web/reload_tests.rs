//! `/-/reload`: who may, and what is answered. What a reload does is shown with the real daemon.

use super::guard::Peer;
use super::routes_tests::{TestSite, guarded_site, site, text};
use crate::receiver::handler::WebhookLimits;
use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};
use tower::ServiceExt;

async fn send(site: &TestSite, method: &str, peer: &str, headers: &[(&str, &str)]) -> (u16, String) {
    let mut request =
        Request::builder().method(method).uri("/-/reload").extension(Peer::Address(peer.parse().unwrap()));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = site.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    (response.status().as_u16(), text(response).await)
}

#[tokio::test]
async fn what_became_of_it_is_told_as_text_or_as_json() {
    let texts = site(WebhookLimits::default());
    assert_eq!(send(&texts, "POST", "127.0.0.1", &[]).await, (200, "reloaded: 2 playbooks\nadded: b\n".to_owned()));
    let rejected = "not reloaded, what was loaded stays:\nrules.yaml:1:1: no\nrules.yaml:2:1: nor this\n";
    assert_eq!(send(&texts, "PUT", "::1", &[("accept", "*/*")]).await, (400, rejected.to_owned()));

    let objects = site(WebhookLimits::default());
    let accept = &[("accept", "text/html, application/json;q=0.9")][..];
    let shape = |result: &str, playbooks: Value, added: Value, problems: Value| {
        json!({
            "result": result, "playbooks": playbooks, "added": added, "changed": [], "removed": [],
            "problems": problems,
        })
    };
    let problems = json!(["rules.yaml:1:1: no", "rules.yaml:2:1: nor this"]);
    for (status, want) in [
        (200, shape("reloaded", json!(2), json!(["b"]), json!([]))),
        (400, shape("rejected", Value::Null, json!([]), problems)),
    ] {
        let (code, body) = send(&objects, "POST", "127.0.0.1", accept).await;
        assert_eq!((code, serde_json::from_str::<Value>(&body).unwrap()), (status, want));
    }
    // Nobody reads the wishes any more: the daemon stops, or its log is damaged.
    let (code, body) = send(&objects, "POST", "127.0.0.1", &[]).await;
    assert!(code == 503 && body.contains("not running normally"), "{code} {body}");
}

#[tokio::test]
async fn only_this_machine_may_reload_unless_there_is_a_token() {
    let open = site(WebhookLimits::default());
    assert_eq!(send(&open, "POST", "192.0.2.7", &[]).await.0, 403);
    assert_eq!(send(&open, "POST", "127.0.0.1", &[("origin", "http://evil.example")]).await.0, 403);
    let guarded = guarded_site(WebhookLimits::default(), Some("s3cret"));
    assert_eq!(send(&guarded, "POST", "127.0.0.1", &[]).await.0, 401);
    assert_eq!(send(&guarded, "POST", "192.0.2.7", &[("authorization", "Bearer s3cret")]).await.0, 200);
}
