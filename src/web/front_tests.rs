//! Who comes in at all where `web.config_file` names users: at every path, and what they may do then.

use super::front::Door;
use super::guard::{Access, Peer};
use super::routes_tests::{ALERT, TestSite, people, peopled_site_as, text};
use crate::people::{PasswordHash, Users};
use crate::receiver::auth::{Credential, Sender, Senders};
use axum::body::Body;
use axum::http::{Request, Response};
use base64::Engine;
use secrecy::SecretString;
use tower::ServiceExt;

const BOB: &str = "Bearer bob-has-a-long-token";
const API: &str = "Bearer the-api-token-of-all";
const SENDER: &str = "Bearer opensesame-for-alertmanager";

fn basic(name: &str, password: &str) -> String {
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("{name}:{password}")))
}

fn door() -> Door {
    let hash = |password| PasswordHash::parse(&bcrypt::hash(password, 4).unwrap()).unwrap();
    let users = [("prometheus", "scrape"), ("eve", "of-the-file")];
    let users = Users::new(users.map(|(name, password)| (name.to_owned(), hash(password))).into());
    let headers = vec![
        ("x-frame-options".parse().unwrap(), "sameorigin".parse().unwrap()),
        ("content-security-policy".parse().unwrap(), "img-src 'none'".parse().unwrap()),
    ];
    Door { tls: None, users, headers }
}

fn closed(access: Access) -> TestSite {
    let site = peopled_site_as(access);
    site.site.front.change(door());
    let token = SecretString::from("opensesame-for-alertmanager");
    let sender = Sender { name: "am".to_owned(), credential: Credential::Bearer(token) };
    site.site.webhook.change(Senders::new(&[sender]), 1 << 20);
    site
}

fn peopled() -> TestSite {
    let token = Some(SecretString::from("the-api-token-of-all"));
    closed(Access { token, people: people("sesame"), ..Access::default() })
}

async fn ask(site: &TestSite, line: &str, peer: &str, proof: Option<&str>) -> Response<Body> {
    let (method, path) = line.split_once(' ').unwrap();
    let mut request = Request::builder().method(method).uri(path).extension(Peer::Address(peer.parse().unwrap()));
    request = request.header("host", "127.0.0.1:10112");
    if let Some(proof) = proof {
        request = request.header("authorization", proof);
    }
    let body = if path.ends_with("webhook") { Body::from(ALERT) } else { Body::empty() };
    site.router.clone().oneshot(request.body(body).unwrap()).await.unwrap()
}

/// Every path, as the router has it, and some that it has not.
fn lines() -> Vec<String> {
    let routes = include_str!("routes.rs").lines().filter_map(|line| {
        let (path, rest) = line.trim().strip_prefix(".route(\"")?.split_once("\", ")?;
        let method = rest.split('(').next()?.trim().to_uppercase();
        Some(format!("{} {}", if method == "ANY" { "POST".to_owned() } else { method }, path.replace("{id}", "i12")))
    });
    let others = ["GET /nothing", "PATCH /metrics", "OPTIONS /api/v1/status", "GET /metrics/", "GET //metrics"];
    routes.chain(others.map(str::to_owned)).collect()
}

#[tokio::test]
async fn no_path_is_open_to_whoever_is_none_of_the_users() {
    let site = peopled();
    let lines = lines();
    assert!(30 < lines.len(), "{lines:?}");
    for line in &lines {
        for peer in ["192.0.2.7", "127.0.0.1"] {
            let stranger = ask(&site, line, peer, None).await;
            assert_eq!(stranger.status(), 401, "{line} from {peer}");
            assert_eq!(stranger.headers()["www-authenticate"], "Basic realm=\"sickbay\"", "{line}");
            let told = text(stranger).await;
            assert!(!told.contains("restart-web") && !told.contains("i12"), "{line}: {told}");
        }
    }
    for line in ["GET /metrics", "GET /-/healthy", "GET /-/ready", "GET /api/v1/status", "GET /login", "GET /"] {
        for proof in [&*basic("prometheus", "scrape"), &basic("ada", "sesame"), BOB, API] {
            assert_ne!(ask(&site, line, "192.0.2.7", Some(proof)).await.status(), 401, "{line} {proof}");
        }
    }
}

#[tokio::test]
async fn what_is_wrong_is_no_proof_and_guesses_are_bounded() {
    for proof in [
        &*basic("prometheus", "Scrape"),
        &basic("prometheus", ""),
        &basic("nobody", "scrape"),
        &basic("", ""),
        &basic("ada", "scrape"),
        "Bearer nothing-that-anybody-has",
        "Bearer scrape",
        SENDER,
        "Digest x",
    ] {
        let site = peopled();
        assert_eq!(ask(&site, "GET /metrics", "192.0.2.7", Some(proof)).await.status(), 401, "{proof}");
    }
    let site = peopled();
    let right = basic("prometheus", "scrape");
    assert_eq!(ask(&site, "GET /metrics", "192.0.2.7", Some(&right)).await.status(), 200);
    for _ in 0..crate::people::FAILURES_MAX {
        assert_eq!(ask(&site, "GET /metrics", "192.0.2.7", Some("Bearer wrong")).await.status(), 401);
    }
    for (proof, want) in [(&*basic("prometheus", "wrong"), 429), ("Bearer wrong", 429), (&right, 200), (API, 200)] {
        assert_eq!(ask(&site, "GET /metrics", "192.0.2.7", Some(proof)).await.status(), want, "{proof}");
    }
    assert_eq!(ask(&site, "GET /metrics", "192.0.2.8", Some("Bearer wrong")).await.status(), 401);
}

#[tokio::test]
async fn a_user_looks_and_changes_nothing_unless_people_has_the_name() {
    let user = basic("prometheus", "scrape");
    for (access, peer, want) in [
        (Access { people: people("sesame"), ..Access::default() }, "192.0.2.7", 403),
        (Access { people: people("sesame"), ..Access::default() }, "127.0.0.1", 403),
        (Access { token: Some("the-api-token-of-all".into()), ..Access::default() }, "127.0.0.1", 403),
        (Access::default(), "192.0.2.7", 403),
        // As without a file: a program on this machine, where nobody else is named who may.
        (Access::default(), "127.0.0.1", 200),
    ] {
        let site = closed(access);
        assert_eq!(ask(&site, "GET /api/v1/approvals", peer, Some(&user)).await.status(), 200, "{peer}");
        assert_eq!(ask(&site, "POST /-/reload", peer, Some(&user)).await.status(), want, "{peer}");
    }
    let site = peopled();
    let eve = basic("eve", "of-the-file");
    assert_eq!(ask(&site, "POST /-/reload", "192.0.2.7", Some(&eve)).await.status(), 200, "eve may operate");
    assert_eq!(ask(&site, "POST /-/reload", "192.0.2.7", Some(&basic("ada", "sesame"))).await.status(), 403);
    assert_eq!(ask(&peopled(), "POST /-/reload", "192.0.2.7", Some(API)).await.status(), 200);
}

#[tokio::test]
async fn senders_come_to_the_webhook_alone_and_users_are_no_senders() {
    let site = peopled();
    for (line, proof, want) in [
        ("POST /api/v1/webhook", SENDER, 200),
        ("POST /webhook", SENDER, 200),
        ("GET /metrics", SENDER, 401),
        ("GET /api/v1/status", SENDER, 401),
        ("POST /api/v1/webhook", API, 401),
        ("POST /api/v1/webhook", &basic("prometheus", "scrape"), 401),
    ] {
        assert_eq!(ask(&site, line, "192.0.2.7", Some(proof)).await.status(), want, "{line} {proof}");
    }
    let site = closed(Access::default());
    site.site.webhook.change(Senders::new(&[]), 1 << 20);
    assert_eq!(ask(&site, "POST /api/v1/webhook", "127.0.0.1", None).await.status(), 401, "no senders are not all");
    let user = basic("prometheus", "scrape");
    assert_eq!(ask(&site, "POST /api/v1/webhook", "127.0.0.1", Some(&user)).await.status(), 200);
}

#[tokio::test]
async fn headers_are_added_and_make_nothing_laxer() {
    let site = peopled();
    let page = ask(&site, "GET /login", "192.0.2.7", Some(BOB)).await;
    let all = |name: &str| -> Vec<String> {
        page.headers().get_all(name).iter().map(|value| value.to_str().unwrap().to_owned()).collect()
    };
    let policies = all("content-security-policy");
    assert!(policies.len() == 2 && policies[1] == "img-src 'none'", "{policies:?}");
    assert_eq!(all("x-frame-options").len(), 1);
    let refused = ask(&site, "GET /metrics", "192.0.2.7", None).await;
    assert_eq!(refused.headers()["x-frame-options"], "sameorigin");
}

#[tokio::test]
async fn no_answer_is_kept_framed_or_taken_for_something_else() {
    let site = peopled();
    for line in lines() {
        for proof in [None, Some(BOB)] {
            let answer = ask(&site, &line, "192.0.2.7", proof).await;
            let said = |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
            let policy = said("content-security-policy").unwrap_or_default();
            assert!(
                policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
                "{line}: {policy}"
            );
            assert_eq!(said("x-content-type-options").as_deref(), Some("nosniff"), "{line}");
            assert!(said("referrer-policy").is_some(), "{line}");
            let kept = if line.contains("/assets/") && proof.is_some() { "no-cache" } else { "no-store" };
            assert_eq!(said("cache-control").as_deref(), Some(kept), "{line}");
        }
    }
}
