//! Signed links: the page that is the same for all, and who decides by it.

use crate::engine::snapshot::Snapshot;
use crate::people::{LinkAbout, LinkKey};
use crate::web::guard::{Access, Peer};
use crate::web::routes_tests::{TestSite, people, peopled_site_as, text};
use axum::body::Body;
use axum::http::{Request, Response};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use std::sync::Arc;
use tower::ServiceExt;

const SECRET: &str = "canary-0123456789abcdef0123456789";
/// When the site's clock stands still, and when its question was put.
const NOW: i64 = 1_795_000_000;
const UNTIL: i64 = NOW + 900;
const PLAN: &str = "abababababababababababababababababababababababababababababababab";

fn key() -> LinkKey {
    LinkKey::new(SecretString::from(SECRET)).unwrap()
}

fn site() -> TestSite {
    peopled_site_as(Access { people: people("sesame"), links: Some(key()), ..Access::default() })
}

fn token(approval: &str, plan: &str, (approver, until): (&str, i64)) -> String {
    key().token(LinkAbout { approval, plan, approver, until }).expose_secret().to_owned()
}

fn good() -> String {
    token("i12.1", PLAN, ("ada", UNTIL))
}

fn code(approver: &str) -> String {
    key().code(LinkAbout { approval: "i12.1", plan: PLAN, approver, until: UNTIL }).expose_secret().to_owned()
}

async fn send(site: &TestSite, line: &str, headers: &[(&str, &str)], body: String) -> Response<Body> {
    let (method, path) = line.split_once(' ').unwrap();
    let peer = Peer::Address("192.0.2.7".parse().unwrap());
    let mut request = Request::builder().method(method).uri(path).extension(peer);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    site.router.clone().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap()
}

async fn post(site: &TestSite, path: &str, body: &Value) -> (u16, String) {
    let headers = [("content-type", "application/json"), ("sec-fetch-site", "same-origin")];
    let response = send(site, &format!("POST {path}"), &headers, body.to_string()).await;
    (response.status().as_u16(), text(response).await)
}

async fn typed(site: &TestSite, fields: &[(&str, &str)]) -> (u16, String) {
    let headers = [("content-type", "application/x-www-form-urlencoded"), ("sec-fetch-site", "same-origin")];
    let body = serde_urlencoded::to_string(fields).unwrap();
    let response = send(site, "POST /a/i12.1", &headers, body).await;
    (response.status().as_u16(), text(response).await)
}

fn counted(site: &TestSite, outcome: &str) -> bool {
    site.site.metrics.plain().contains(&format!("sickbay_link_requests_total{{outcome=\"{outcome}\"}} 1"))
}

#[tokio::test]
async fn whoever_opens_a_link_gets_the_same_page_and_nothing_happens() {
    let site = site();
    let first = text(send(&site, "GET /a/i12.1", &[], String::new()).await).await;
    assert!(first.contains("assets/link.js") && first.contains("name=\"code\"") && !first.contains("i12.1"), "{first}");
    let off = peopled_site_as(Access { people: people("sesame"), ..Access::default() });
    for (site, path) in [
        (&site, "/a/i12.1".to_owned()),
        (&site, "/a/i99.9".to_owned()),
        (&site, format!("/a/i12.1?token={}", good())),
        (&site, format!("/a/{}", good())),
        (&site, "/a/%3Cscript%3E".to_owned()),
        (&off, "/a/i12.1".to_owned()),
    ] {
        let response = send(site, &format!("GET {path}"), &[], String::new()).await;
        assert_eq!(response.status(), 200, "{path}");
        let policy = response.headers()["content-security-policy"].to_str().unwrap().to_owned();
        assert!(policy.contains("default-src 'none'") && policy.contains("require-trusted-types-for 'script'"));
        assert_eq!(response.headers()["cache-control"], "no-store");
        assert!(response.headers().get("set-cookie").is_none());
        assert_eq!(text(response).await, first, "{path}");
    }
    let head = send(&site, "HEAD /a/i12.1", &[], String::new()).await;
    assert_eq!((head.status().as_u16(), text(head).await), (200, String::new()));
    for line in ["OPTIONS /a/i12.1", "PUT /a/i12.1", "DELETE /a/i12.1", "GET /a/i12.1/show", "HEAD /a/i12.1/show"] {
        assert_eq!(send(&site, line, &[], String::new()).await.status(), 405, "{line}");
    }
    assert!(!site.site.metrics.plain().contains("sickbay_link_requests_total{"), "nothing was looked at");
}

#[tokio::test]
async fn a_token_shows_its_question_and_a_second_request_is_the_vote() {
    let site = site();
    let (status, html) = post(&site, "/a/i12.1/show", &json!({"token": good()})).await;
    assert_eq!(status, 200, "{html}");
    for part in ["restart-web", "i12.1, plan <code>abababababab</code>", "POST &#x2f;containers", "<dd>ada</dd>"] {
        assert!(html.contains(part), "{part}: {html}");
    }
    assert!(html.contains("&lt;img src=x onerror=alert(1)&gt; \\u{202e}live") && !html.contains("<img"), "{html}");
    assert!(!html.contains(&good()) && !html.contains("name=\"code\""), "{html}");
    assert!(counted(&site, "shown"));
    let vote = |decision: &str| json!({"token": good(), "decision": decision, "reason": "looks right"});
    let (status, told) = post(&site, "/a/i12.1", &vote("approve")).await;
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!((status, &told["by"], &told["message"]), (200, &json!("ada"), &json!("counted: 1 of 2 agreed")));
    let (status, told) = post(&site, "/a/i12.1", &vote("deny")).await;
    assert!(status == 200 && told.contains("denied: it is not carried out"), "{told}");
    // A decision is one word of two.
    let (status, told) = post(&site, "/a/i12.1", &vote("show")).await;
    assert!(status == 400 && told.contains("must be approve or deny"), "{told}");
}

#[tokio::test]
async fn without_a_script_a_code_shows_the_question_and_decides_and_is_shown_nowhere() {
    let site = site();
    let code = code("ada");
    let (status, html) = typed(&site, &[("code", &code), ("decision", "show")]).await;
    assert!(status == 200 && html.contains("Code, once more") && html.contains("<dd>ada</dd>"), "{html}");
    assert!(!html.contains(&code) && !html.contains(&code.replace('-', "")), "{html}");
    let lower = code.to_lowercase().replace('-', " ");
    let (status, html) = typed(&site, &[("code", &lower), ("decision", "approve"), ("reason", "<b>")]).await;
    assert!(status == 200 && html.contains("counted: 1 of 2 agreed"), "{html}");
    // Whoever may only look, or operate, has none.
    for wrong in [self::code("bob"), self::code("eve"), "0000000000".to_owned(), "\u{430}".repeat(10), good()] {
        let (status, html) = typed(&site, &[("code", &wrong), ("decision", "approve")]).await;
        assert!(status == 403 && html.contains("does not fit this approval"), "{wrong}: {html}");
        assert!(!html.contains(&wrong));
    }
    assert_eq!(typed(&site, &[("code", " "), ("decision", "approve")]).await.0, 400);
    assert_eq!(typed(&site, &[("decision", "approve")]).await.0, 400);
}

#[tokio::test]
async fn each_reason_to_turn_a_link_away_is_its_own() {
    let of = |approver: &str, until: i64| token("i12.1", PLAN, (approver, until));
    for (what, token, path, status, outcome) in [
        ("another approval", token("i12.2", PLAN, ("ada", UNTIL)), "/a/i12.1", 403, "wrong_link"),
        ("another plan", token("i12.1", &"cd".repeat(32), ("ada", UNTIL)), "/a/i12.1", 403, "wrong_link"),
        ("cut off", good().chars().take(30).collect(), "/a/i12.1", 403, "wrong_link"),
        ("expired", of("ada", NOW), "/a/i12.1", 410, "link_expired"),
        ("gone from the settings", of("gone", UNTIL), "/a/i12.1", 403, "not_allowed"),
        ("without the role", of("bob", UNTIL), "/a/i12.1", 403, "not_allowed"),
        ("of a question of another time", of("ada", UNTIL - 1), "/a/i12.1", 404, "unknown"),
        ("of a question of a later time", of("ada", UNTIL + 1), "/a/i12.1", 404, "unknown"),
        ("of no open approval", good(), "/a/i99.1", 404, "unknown"),
        ("of no approval", good(), "/a/x", 404, "unknown"),
        ("empty", String::new(), "/a/i12.1", 400, "unreadable"),
    ] {
        for path in [path.to_owned(), format!("{path}/show")] {
            let site = site();
            let mut body = json!({"token": token, "decision": "approve"});
            if path.ends_with("show") {
                body = json!({"token": token});
            }
            let (was, told) = post(&site, &path, &body).await;
            assert_eq!(was, status, "{what} {path}: {told}");
            let told: Value = serde_json::from_str(&told).unwrap();
            assert_eq!(told["code"], outcome, "{what}: {told}");
            assert!(counted(&site, outcome), "{what}: {}", site.site.metrics.plain());
            assert!(token.is_empty() || !told.to_string().contains(&token), "{what}: {told}");
        }
    }
    let closed = site();
    let change = |snapshot: &mut Arc<Snapshot>| {
        let mut next = Snapshot::clone(snapshot);
        next.approvals[0].takes_links = false;
        *snapshot = Arc::new(next);
    };
    closed.snapshots.send_modify(change);
    let (status, told) = post(&closed, "/a/i12.1", &json!({"token": good(), "decision": "approve"})).await;
    assert!(status == 403 && told.contains("no link is taken for this approval"), "{told}");
    let off = peopled_site_as(Access { people: people("sesame"), ..Access::default() });
    let (status, told) = post(&off, "/a/i12.1", &json!({"token": good(), "decision": "approve"})).await;
    assert!(status == 404 && told.contains("link_secret_file"), "{told}");
    let other = LinkKey::new(SecretString::from("another-key-of-thirty-two-letters")).unwrap();
    let rotated = peopled_site_as(Access { people: people("sesame"), links: Some(other), ..Access::default() });
    assert_eq!(post(&rotated, "/a/i12.1/show", &json!({"token": good()})).await.0, 403);
}

#[tokio::test]
async fn pages_of_other_sites_and_bodies_that_are_not_ours_decide_nothing() {
    let site = site();
    let vote = json!({"token": good(), "decision": "approve"}).to_string();
    let form = serde_urlencoded::to_string([("code", code("ada")), ("decision", "approve".to_owned())]).unwrap();
    let (json_type, form_type) = ("application/json", "application/x-www-form-urlencoded");
    for (what, headers, body, want) in [
        ("another site's fetch", vec![("content-type", json_type), ("sec-fetch-site", "cross-site")], &vote, 403),
        ("another origin", vec![("content-type", json_type), ("origin", "https://evil.example")], &vote, 403),
        ("no origin", vec![("content-type", json_type), ("origin", "null")], &vote, 403),
        ("another site's form", vec![("content-type", form_type), ("sec-fetch-site", "cross-site")], &form, 403),
        ("a form's plain text", vec![("content-type", "text/plain")], &vote, 415),
        ("nothing said", vec![], &vote, 415),
        ("a program", vec![("content-type", json_type)], &vote, 200),
    ] {
        let response = send(&site, "POST /a/i12.1", &headers, body.clone()).await;
        assert_eq!(response.status(), want, "{what}");
    }
    for body in [
        json!({"token": {"c4nary": "c4nary"}, "decision": "approve"}).to_string(),
        json!({"token": good(), "decision": "approve", "c4nary": 1}).to_string(),
        "\"c4nary".to_owned(),
    ] {
        let response = send(&site, "POST /a/i12.1", &[("content-type", json_type)], body).await;
        assert_eq!(response.status(), 400);
        let told = text(response).await;
        assert!(!told.contains("c4nary"), "what is wrong with it does not show it: {told}");
    }
    let long = json!({"token": "x".repeat(64 << 10), "decision": "approve"}).to_string();
    assert_eq!(send(&site, "POST /a/i12.1", &[("content-type", json_type)], long).await.status(), 413);
}
