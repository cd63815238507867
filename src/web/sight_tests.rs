//! Who may look: from where, with which proof, and at what without any.

use super::guard::{Access, Peer};
use super::routes_tests::{TestSite, people, peopled_site, peopled_site_as, ready, site, text};
use crate::receiver::handler::WebhookLimits;
use axum::body::Body;
use axum::http::{Request, Response};
use serde_json::{Value, json};
use tower::ServiceExt;

const BOB: (&str, &str) = ("authorization", "Bearer bob-has-a-long-token");
const HTML: (&str, &str) = ("accept", "text/html,*/*");

async fn get(site: &TestSite, path: &str, peer: &str, headers: &[(&str, &str)]) -> Response<Body> {
    let mut request = Request::get(path).extension(Peer::Address(peer.parse().unwrap()));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    site.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
}

/// Every path that takes GET, as the router has it.
fn paths() -> Vec<String> {
    let source = include_str!("routes.rs");
    let routes = source.lines().filter_map(|line| line.trim().strip_prefix(".route(\"")?.split_once("\", get("));
    routes.map(|(path, _)| path.replace("{id}", "i12")).collect()
}

/// What everybody may see, whoever is configured. Whoever adds a path decides about it here.
const OPEN: [&str; 18] = [
    "/-/healthy",
    "/healthz",
    "/livez",
    "/-/ready",
    "/readyz",
    "/metrics",
    "/api/v1/status",
    "/api/v1/openapi.json",
    // The same for everybody.
    "/a/i12",
    "/login",
    // Looked at, it is the form to log in.
    "/logout",
    "/login/oidc",
    "/login/oidc/callback",
    "/assets/style.css",
    "/assets/live.js",
    "/assets/times.js",
    "/assets/course.js",
    "/assets/link.js",
];

#[tokio::test]
async fn once_there_are_people_whatever_tells_of_alerts_people_and_targets_needs_a_proof() {
    let closed = peopled_site(Some("the-api-token-of-all"));
    let open = site(WebhookLimits::default());
    let paths = paths();
    assert!(paths.len() > OPEN.len() + 6, "{paths:?}");
    for path in &paths {
        let stranger = get(&closed, path, "192.0.2.7", &[HTML]).await;
        assert_eq!(stranger.status() == 401, !OPEN.contains(&&**path), "{path}");
        let is_page = !path.starts_with("/api/");
        if stranger.status() == 401 {
            let told = text(stranger).await;
            assert_eq!(told.contains("<h1>Log in</h1>"), is_page, "{path}: {told}");
            assert!(!told.contains("restart-web") && !told.contains("i12"), "{path}: {told}");
        }
        // On this machine, too: a proxy may be there.
        let here = get(&closed, path, "127.0.0.1", &[HTML, ("host", "127.0.0.1:10112")]).await;
        assert_eq!(here.status() == 401, !OPEN.contains(&&**path), "{path}");
        for proof in [BOB, ("authorization", "Bearer the-api-token-of-all")] {
            assert_ne!(get(&closed, path, "192.0.2.7", &[HTML, proof]).await.status(), 401, "{path} {proof:?}");
        }
        assert_ne!(get(&open, path, "192.0.2.7", &[HTML]).await.status(), 401, "{path}, while there is nobody to be");
    }
    // Programs get the list of paths, as ever.
    assert!(text(get(&closed, "/", "192.0.2.7", &[]).await).await.starts_with("sickbay:"));
    assert_eq!(get(&closed, "/api/v1/approvals", "192.0.2.7", &[BOB, BOB]).await.status(), 401);
}

#[tokio::test]
async fn as_long_as_nobody_else_reaches_the_daemon_programs_on_its_machine_may_look() {
    let site = peopled_site_as(Access { people: people("sesame"), only_here: true, ..Access::default() });
    let here = ("host", "127.0.0.1:10112");
    for (peer, headers, want) in [
        ("127.0.0.1", &[here][..], 200),
        ("::1", &[("host", "localhost:10112")], 200),
        ("192.0.2.7", &[here], 401),
        ("127.0.0.1", &[here, ("x-forwarded-for", "192.0.2.8")], 401),
        ("127.0.0.1", &[("host", "evil.example")], 401),
        ("192.0.2.7", &[here, BOB], 200),
    ] {
        let status = get(&site, "/api/v1/approvals", peer, headers).await.status();
        assert_eq!(status, want, "{peer} {headers:?}");
    }
}

#[tokio::test]
async fn strangers_are_told_how_the_daemon_is_and_nothing_else() {
    let site = peopled_site(None);
    site.condition.send_replace(ready());
    let status = async |headers: &[(&str, &str)]| -> (u16, Value) {
        let response = get(&site, "/api/v1/status", "192.0.2.7", headers).await;
        (response.status().as_u16(), serde_json::from_str(&text(response).await).unwrap())
    };
    let (code, told) = status(&[]).await;
    assert_eq!((code, &told["ready"], &told["withheld"]), (200, &json!(true), &json!(true)));
    for kept in ["pauses", "breakers", "approvals", "incidents"] {
        assert_eq!(told[kept], json!([]), "{kept}");
    }
    assert_eq!((&told["storm"], &told["playbooks"]), (&Value::Null, &json!(2)));
    let (code, told) = status(&[BOB]).await;
    assert_eq!((code, &told["withheld"], &told["approvals"][0]["id"]), (200, &json!(false), &json!("i12.1")));
    assert_eq!(status(&[("authorization", "Bearer bob-has-another-token")]).await.0, 401);
}
