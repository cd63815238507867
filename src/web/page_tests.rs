//! The pages without a browser: who sees what, what forms need, and that text from outside stays text.

use super::guard::{Access, Peer};
use super::routes_tests::{TestSite, people, peopled_site, peopled_site_as, text};
use axum::body::Body;
use axum::http::{Request, Response};
use tower::ServiceExt;

/// What a browser sends with a form of our own.
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
const OURS: (&str, &str) = ("sec-fetch-site", "same-origin");

async fn send(site: &TestSite, line: &str, headers: &[(&str, &str)], body: &str) -> Response<Body> {
    let (method, path) = line.split_once(' ').unwrap();
    let peer = Peer::Address("192.0.2.7".parse().unwrap());
    let mut request = Request::builder().method(method).uri(path).extension(peer).header("accept", "text/html,*/*");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    site.router.clone().oneshot(request.body(Body::from(body.to_owned())).unwrap()).await.unwrap()
}

/// Logs somebody in: the cookie, and what their forms bring back.
async fn logged_in(site: &TestSite, body: &str) -> (String, String) {
    let response = send(site, "POST /login", &[FORM, OURS], body).await;
    assert_eq!(response.status(), 200);
    let cookie = response.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(cookie.contains("; Path=/; HttpOnly; SameSite=Strict") && !cookie.contains("Domain"), "{cookie}");
    let html = text(response).await;
    let token = html.split("name=\"form_token\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    (cookie.split(';').next().unwrap().to_owned(), token)
}

#[tokio::test]
async fn pages_are_served_under_a_strict_policy_and_what_comes_from_outside_stays_text() {
    let site = peopled_site(None);
    let (cookie, _) = logged_in(&site, "name=bob&password=bob-has-a-long-token").await;
    let cookie = ("cookie", &*cookie);
    for path in [
        "/",
        "/pending",
        "/playbooks",
        "/status",
        "/login",
        "/assets/style.css",
        "/assets/live.js",
        "/assets/times.js",
        "/assets/course.js",
    ] {
        let response = send(&site, &format!("GET {path}"), &[cookie], "").await;
        assert_eq!(response.status(), 200, "{path}");
        let policy = response.headers()["content-security-policy"].to_str().unwrap().to_owned();
        for part in ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"] {
            assert!(policy.contains(part), "{path}: {policy}");
        }
        let kept = if path.starts_with("/assets/") { "no-cache" } else { "no-store" };
        assert_eq!(response.headers()["cache-control"], kept, "{path}");
        assert_eq!(response.headers()["x-content-type-options"], "nosniff");
    }
    let html = text(send(&site, "GET /", &[cookie], "").await).await;
    assert!(html.contains("&lt;img src=x onerror=alert(1)&gt;") && !html.contains("<img"), "{html}");
    assert!(html.contains("\\u{202e}") && !html.contains('\u{202e}'), "{html}");
    assert!(html.contains("POST &#x2f;containers&#x2f;abc&#x2f;restart"), "{html}");
    for want in [
        "State: exited with code 1.",
        "<strong>cause</strong>: It ended with code 1. <code>exit.application</code><br>Seen: &lt;b&gt;fatal<br>Next: Look.",
        "<pre>&lt;i&gt;bye",
    ] {
        assert!(html.contains(want) && !html.contains("<b>fatal"), "{want}: {html}");
    }
    for want in ["playbook (web-1): 2 left, 1 of 3 used in the last 1h; one more from <time", "3 left, 0 of 3 used in"]
    {
        assert!(html.contains(want), "{want}: {html}");
    }
    // Programs get the list of paths, as ever.
    let plain = Request::get("/").body(Body::empty()).unwrap();
    assert!(text(site.router.clone().oneshot(plain).await.unwrap()).await.starts_with("sickbay:"));
}

#[tokio::test]
async fn a_vote_on_the_page_needs_the_session_and_its_form() {
    let site = peopled_site(None);
    let (cookie, token) = logged_in(&site, "name=ada&password=sesame").await;
    let body = |token: &str| format!("form_token={token}&plan={}&vote=approve&comment=fine", "AB".repeat(32));
    let (_, others) = logged_in(&site, "name=eve&password=eve-has-a-long-token").await;
    let line = "POST /approvals/i12.1";
    for (headers, token, want) in [
        (&[FORM, OURS, ("cookie", &*cookie)][..], &*token, 200),
        (&[FORM, OURS], &token, 401),
        (&[FORM, OURS, ("cookie", "sickbay_session=00")], &token, 401),
        (&[FORM, OURS, ("cookie", &cookie)], &others, 403),
        (&[FORM, OURS, ("cookie", &cookie)], "", 403),
        (&[FORM, ("sec-fetch-site", "cross-site"), ("cookie", &cookie)], &token, 403),
        // A browser that does not say whose page it was would not say so of a foreign one either.
        (&[FORM, ("cookie", &cookie)], &token, 403),
        (&[FORM, ("origin", "http://evil.example"), ("cookie", &cookie)], &token, 403),
    ] {
        let response = send(&site, line, headers, &body(token)).await;
        assert_eq!(response.status(), want, "{headers:?} {token}");
        let html = text(response).await;
        assert_eq!(html.contains("counted: 1 of 2 agreed"), want == 200, "{html}");
    }
    // A session is no token: the API takes its own proofs alone.
    let json = [("content-type", "application/json"), ("cookie", &*cookie)];
    let vote = format!("{{\"vote\": \"approve\", \"plan\": \"{}\"}}", "ab".repeat(32));
    assert_eq!(send(&site, "POST /api/v1/approvals/i12.1", &json, &vote).await.status(), 401);
    assert_eq!(send(&site, line, &[OURS, ("cookie", &cookie)], &body(&token)).await.status(), 400);

    let out = format!("form_token={token}");
    assert_eq!(send(&site, "POST /logout", &[FORM, OURS, ("cookie", &cookie)], &out).await.status(), 200);
    assert_eq!(send(&site, line, &[FORM, OURS, ("cookie", &cookie)], &body(&token)).await.status(), 401);
}

#[tokio::test]
async fn who_may_not_is_shown_no_form_and_turned_away_with_one() {
    let site = peopled_site(None);
    let (ada, ada_token) = logged_in(&site, "name=ada&password=sesame").await;
    let (eve, eve_token) = logged_in(&site, "name=eve&password=eve-has-a-long-token").await;
    let page = async |path: &str, cookie: &str| {
        text(send(&site, &format!("GET {path}"), &[("cookie", cookie)], "").await).await
    };
    assert!(page("/", &ada).await.contains(">Approve</button>"));
    assert!(page("/", &eve).await.contains("You may not decide about this plan."));
    assert!(page("/", "").await.contains("<h1>Log in</h1>"));
    assert!(page("/status", &eve).await.contains(">Pause</button>"));
    assert!(!page("/status", &ada).await.contains(">Pause</button>"));
    let pause = |token: &str| format!("form_token={token}&scope=all&reason=moving&for=1h");
    let paused = send(&site, "POST /pause", &[FORM, OURS, ("cookie", &eve)], &pause(&eve_token)).await;
    assert_eq!(paused.status(), 200);
    assert!(text(paused).await.contains("paused all by eve: moving"));
    let refused = send(&site, "POST /pause", &[FORM, OURS, ("cookie", &ada)], &pause(&ada_token)).await;
    assert_eq!(refused.status(), 403);
    let resume = format!("form_token={eve_token}&scope=all&reason=x");
    let held = send(&site, "POST /resume", &[FORM, OURS, ("cookie", &eve)], &resume).await;
    assert_eq!(held.status(), 409);
    assert!(text(held).await.contains("delete the file"));
}

#[tokio::test]
async fn passwords_can_be_guessed_at_ten_times_a_minute_from_one_place() {
    let site = peopled_site(None);
    for attempt in 0..12 {
        let status = send(&site, "POST /login", &[FORM, OURS], "name=ada&password=Sesame").await.status();
        assert_eq!(status.as_u16(), if attempt < 10 { 401 } else { 429 }, "attempt {attempt}");
    }
    assert_eq!(send(&site, "POST /login", &[FORM, OURS], "name=ada&password=sesame").await.status(), 429);
}

#[tokio::test]
async fn a_session_ends_with_the_password_or_token_it_was_begun_with() {
    let site = peopled_site(None);
    let (ada, _) = logged_in(&site, "name=ada&password=ada-has-a-long-token").await;
    let (bob, _) = logged_in(&site, "name=bob&password=bob-has-a-long-token").await;
    let stands = async |cookie: &str| send(&site, "GET /status", &[("cookie", cookie)], "").await.status() == 200;
    assert!(stands(&ada).await && stands(&bob).await);
    // A reload: only ada's password is another one, and the hash alone tells.
    site.site.guard.change(Access { people: people("another"), ..Access::default() });
    assert!(!stands(&ada).await && stands(&bob).await);
    site.site.guard.change(Access { people: crate::people::People::default(), only_here: true, ..Access::default() });
    assert!(site.site.guard.people().is_empty());
}

#[tokio::test]
async fn over_tls_the_cookie_is_the_very_hosts_and_a_form_behind_a_proxy_is_ours() {
    let external_url = Some("https://sickbay.example/".to_owned());
    let site = peopled_site_as(Access { people: people("sesame"), external_url, ..Access::default() });
    let proxied = [FORM, OURS, ("origin", "https://sickbay.example"), ("host", "10.0.0.7:10112")];
    let response = send(&site, "POST /login", &proxied, "name=ada&password=sesame").await;
    assert_eq!(response.status(), 200);
    let cookie = response.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(cookie.starts_with("__Host-sickbay_session=") && cookie.ends_with("; Secure"), "{cookie}");
    let cookie = cookie.split(';').next().unwrap().to_owned();
    assert_eq!(send(&site, "GET /status", &[("cookie", &cookie)], "").await.status(), 200);
    // Another program on the host's name may have set the plain one.
    let plain = cookie.trim_start_matches("__Host-");
    assert_eq!(send(&site, "GET /status", &[("cookie", plain)], "").await.status(), 401);
    let elsewhere = [FORM, ("origin", "https://evil.example"), ("host", "10.0.0.7:10112")];
    assert_eq!(send(&site, "POST /login", &elsewhere, "name=ada&password=sesame").await.status(), 403);
}

#[tokio::test]
async fn what_is_wrong_with_a_form_is_told_as_a_page() {
    let site = peopled_site(None);
    let (cookie, token) = logged_in(&site, "name=ada&password=sesame").await;
    let cookie = ("cookie", &*cookie);
    let (long, whole) = (format!("form_token={token}&comment={}", "x".repeat(17_000)), format!("form_token={token}"));
    for (line, headers, body, status, words) in [
        ("POST /approvals/i12.1", &[FORM, OURS, cookie][..], &*long, 413, "cannot be read"),
        ("POST /approvals/i12.1", &[FORM, OURS, cookie], &whole, 400, "missing field"),
        ("POST /approvals/i12.1", &[FORM, OURS, cookie], "", 400, "missing field"),
        ("POST /approvals/i12.1", &[OURS, cookie], &whole, 400, "send a form"),
        ("POST /login", &[FORM, OURS], &long, 413, "cannot be read"),
        ("POST /login", &[FORM, OURS], "name=ada", 400, "missing field"),
        ("POST /login", &[FORM, ("origin", "http://evil.example")], "name=a&password=b", 403, "another site"),
        ("POST /logout", &[FORM, OURS], &whole, 401, "log in again"),
        ("POST /pause", &[FORM, OURS, cookie], "form_token=x&scope=all&reason=x", 403, "another site"),
    ] {
        let response = send(&site, line, headers, body).await;
        assert_eq!(response.status(), status, "{line} {body:.40}");
        assert!(response.headers()["content-type"].to_str().unwrap().starts_with("text/html"), "{line} {body:.40}");
        let html = text(response).await;
        assert!(html.contains(words) && html.contains("</html>"), "{line} {body:.40}: {html}");
    }
}

#[tokio::test]
async fn what_is_wrong_with_an_address_is_told_browsers_as_a_page() {
    let site = peopled_site(None);
    let (cookie, _) = logged_in(&site, "name=ada&password=sesame").await;
    for (line, status, words) in [
        ("GET /nothing", 404, "there is nothing at this address"),
        ("GET /%3Cb%3E", 404, "there is nothing at this address"),
        ("POST /status", 405, "does not take this method"),
        ("GET /incidents?page=x", 400, "are numbers"),
        ("GET /incidents?page=0", 400, "are numbers"),
        ("GET /playbooks?since=1d&since=2d", 400, "since"),
        // Where a form was sent to, loaded again: nothing is sent.
        ("GET /approvals/i12.1", 200, "<h1>What people are asked</h1>"),
        ("GET /pause", 200, "<h1>Status</h1>"),
        ("GET /resume", 200, "<h1>Status</h1>"),
        ("GET /logout", 200, "<h1>Log in</h1>"),
    ] {
        let response = send(&site, line, &[("cookie", &cookie)], "").await;
        assert_eq!(response.status(), status, "{line}");
        assert_eq!(response.headers()["content-type"], "text/html; charset=utf-8", "{line}");
        assert_eq!(response.headers().contains_key("allow"), status == 405, "{line}");
        let html = text(response).await;
        assert!(html.contains(words) && html.contains("</html>"), "{line}: {html}");
        assert!(html.contains("<span>ada</span>"), "{line}: {html}");
    }
    // Programs, and paths for them, are answered as ever.
    for line in ["GET /api/v1/nothing", "POST /metrics", "POST /-/ready"] {
        let response = send(&site, line, &[("cookie", &cookie)], "").await;
        assert_eq!(response.headers()["content-type"], "application/json", "{line}");
    }
    let request = Request::get("/nothing").body(Body::empty()).unwrap();
    assert_eq!(site.router.clone().oneshot(request).await.unwrap().headers()["content-type"], "application/json");
}

#[tokio::test]
async fn what_a_browser_has_already_is_not_sent_again() {
    let site = peopled_site(None);
    let (cookie, _) = logged_in(&site, "name=ada&password=sesame").await;
    let (other, _) = logged_in(&site, "name=bob&password=bob-has-a-long-token").await;
    for path in ["/pending?as=ada", "/assets/style.css", "/assets/live.js", "/assets/link.js"] {
        let line = format!("GET {path}");
        let first = send(&site, &line, &[("cookie", &cookie)], "").await;
        let tag = first.headers()["etag"].to_str().unwrap().to_owned();
        let again = send(&site, &line, &[("cookie", &cookie), ("if-none-match", &tag)], "").await;
        assert_eq!((again.status().as_u16(), &*text(again).await), (304, ""), "{path}");
        let stale = send(&site, &line, &[("cookie", &cookie), ("if-none-match", "\"x\"")], "").await;
        assert_eq!(stale.status(), 200, "{path}");
        // What another person is shown is not the same: it holds their forms.
        let others =
            send(&site, &line.replace("?as=ada", ""), &[("cookie", &other), ("if-none-match", &tag)], "").await;
        assert_eq!(others.status(), if path.starts_with("/pending") { 200 } else { 304 }, "{path}");
    }
    // Whoever the page was for is no longer logged in, or somebody else is.
    assert_eq!(send(&site, "GET /pending?as=ada", &[("cookie", &other)], "").await.status(), 401);
    assert_eq!(send(&site, "GET /pending", &[("cookie", &other)], "").await.status(), 200);
}

#[tokio::test]
async fn what_each_playbook_did_is_shown_and_what_cannot_be_read_is_said() {
    let site = peopled_site(None);
    let shown = async |path: &str| {
        let bearer = ("authorization", "Bearer bob-has-a-long-token");
        let response = send(&site, &format!("GET {path}"), &[bearer], "").await;
        (response.status().as_u16(), text(response).await)
    };
    let (status, page) = shown("/playbooks?since=2020-01-01T00:00:00Z").await;
    assert_eq!(status, 200);
    for want in ["<th scope=\"row\">restart-after-failed-probe</th>", "100 %", "Nothing was treated more than once."] {
        assert!(page.contains(want), "{want}: {page}");
    }
    let next = "<time datetime=\"2026-11-18T11:50:00Z\">2026-11-18T11:50:00Z</time>";
    for want in [
        "<td>dry run</td>",
        "3 runs per 1h for each target, a cooldown of 5m; dry run: it changes nothing, and dry runs alone are counted here",
        &format!(
            "<th scope=\"row\">&lt;b&gt;web-1</th><td>playbook</td><td>3 per 1h</td><td>2</td><td>1</td><td>{next}"
        ),
        "<li>&lt;b&gt;web-1 cools down until <time",
        "Breaker open: nothing is done to web-1",
    ] {
        assert!(page.contains(want), "{want}: {page}");
    }
    assert!(!page.contains("<b>web-1"), "{page}");
    let (status, page) = shown("/playbooks?since=%3Cb%3Eyesterday").await;
    assert!(status == 400 && page.contains("&lt;b&gt;yesterday") && !page.contains("<b>yesterday"), "{status} {page}");
    let (status, answer) = shown("/api/v1/debts?since=yesterday").await;
    assert!(status == 400 && answer.contains("`since`"), "{status} {answer}");
    let (_, answer) = shown("/api/v1/playbooks?until=2020-01-01T00:00:00Z").await;
    let told: serde_json::Value = serde_json::from_str(&answer).unwrap();
    assert!(told["playbooks"].as_array().unwrap().iter().all(|playbook| playbook["incidents"] == 0), "{told}");
}

#[tokio::test]
async fn an_incident_is_a_page_for_browsers_and_plain_text_for_everybody_else() {
    let site = peopled_site(None);
    let get = async |path: &str, accept: &str| {
        let bearer = "Bearer bob-has-a-long-token";
        let request = Request::get(path).extension(Peer::Address("192.0.2.7".parse().unwrap()));
        let request = request.header("accept", accept).header("authorization", bearer).body(Body::empty()).unwrap();
        let response = site.router.clone().oneshot(request).await.unwrap();
        let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
        (response.status().as_u16(), kind, text(response).await)
    };
    let (html, any) = ("text/html,*/*", "*/*");
    for (path, accept, status, kind, words) in [
        ("/incidents/i2", html, 200, "text/html", "<h2>What happened</h2>"),
        ("/incidents/i2", html, 200, "text/html", "<h2>The playbook as it was</h2>"),
        ("/incidents/i2?as=text", html, 200, "text/plain", "=> it was treated, and ended as recovered"),
        ("/incidents/i2", any, 200, "text/plain", "=> it was treated, and ended as recovered"),
        ("/incidents/i1", html, 404, "text/html", "there is no such incident in the log"),
        ("/incidents/%3Cb%3E", html, 404, "text/html", "Incident &lt;b&gt;"),
        ("/incidents/i1", any, 404, "application/json", "there is no such incident in the log"),
    ] {
        let (got, sort, body) = get(path, accept).await;
        assert_eq!(got, status, "{path} {accept}: {body}");
        assert!(sort.starts_with(kind), "{path} {accept}: {sort}");
        assert!(body.contains(words), "{path} {accept}: {body}");
    }
    // Strangers are asked who they are.
    assert_eq!(send(&site, "GET /incidents/i2", &[], "").await.status(), 401);
}
