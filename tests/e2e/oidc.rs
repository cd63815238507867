//! People log in by a provider of OpenID Connect: the real daemon, a stand-in that signs tokens, and a browser that keeps
//! cookies.

use crate::alerts::{firing, notification};
use crate::fake_docker::FakeDocker;
use crate::http::{Answer, request};
use crate::oidc_provider::{Provider, SECRET, Signer, Twist, now, pairs};
use crate::rules::{DOWN, engine, settings};
use crate::sickbay_process::{Sickbay, free_port};
use serde_json::{Value, json};
use sickbay::people::PasswordHash;
use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::time::{Duration, Instant};

const HTML: (&str, &str) = ("Accept", "text/html");

/// Who comes by a proxy is no program of this machine, and has to log in to look.
const ELSEWHERE: (&str, &str) = ("X-Forwarded-For", "192.0.2.7");

/// Which of `people` is at the provider, by which claim; bob has a password, and eve nothing but the provider.
fn configure(sickbay: &Sickbay, docker: &FakeDocker, (issuer, claim, user): (&str, &str, &str)) {
    let port = sickbay.port;
    let own = format!(
        "web:
  external_url: http://127.0.0.1:{port}/
  oidc: {{issuer: '{issuer}', client_id: sickbay, client_secret_file: client, claim: {claim}, name: Example}}
people:
  - {{name: ada, groups: [sre], token_file: ada.token, oidc_user: '{user}'}}
  - {{name: bob, groups: [sre], password_hash_file: bob.hash}}
  - {{name: eve, groups: [sre], roles: [view], oidc_user: eve}}
"
    );
    let rules = DOWN.replace("    steps:", "    approval: {required: 2, from: [sre], timeout: 10m}\n    steps:");
    sickbay.write(&rules, &format!("{}{own}", settings(docker)));
}

fn sickbay_of(docker: &FakeDocker, provider: &str, claim: &str) -> Sickbay {
    let mut sickbay = Sickbay::new(DOWN, "");
    let user = if claim == "email" { "ada@example.org" } else { "248289" };
    configure(&sickbay, docker, (provider, claim, user));
    let home = sickbay.storage().parent().unwrap().to_owned();
    fs::write(home.join("client"), format!("{SECRET}\n")).unwrap();
    fs::write(home.join("ada.token"), "t0ken-of-ada-long-enough\n").unwrap();
    fs::write(home.join("bob.hash"), PasswordHash::make("c4nary-of-bob").unwrap()).unwrap();
    sickbay.start(&[]);
    sickbay
}

/// One browser: it keeps what it is told to keep.
struct Browser<'s> {
    sickbay: &'s Sickbay,
    cookies: BTreeMap<String, String>,
    set: Vec<String>,
}

impl<'s> Browser<'s> {
    fn new(sickbay: &'s Sickbay) -> Self {
        Self { sickbay, cookies: BTreeMap::new(), set: Vec::new() }
    }

    fn send(&mut self, line: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let cookies = cookies.join("; ");
        let mut all = vec![HTML, ELSEWHERE, ("Cookie", &*cookies)];
        all.extend(headers);
        let answer = request(self.sickbay.port, line, &all, body).unwrap();
        self.set =
            answer.head.lines().filter_map(|line| line.strip_prefix("set-cookie: ")).map(str::to_owned).collect();
        for cookie in &self.set {
            let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
            if cookie.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }

    fn get(&mut self, path: &str) -> Answer {
        self.send(&format!("GET {path}"), &[], "")
    }

    fn post(&mut self, path: &str, body: &str) -> Answer {
        let origin = format!("http://127.0.0.1:{}", self.sickbay.port);
        let headers = [("Content-Type", "application/x-www-form-urlencoded"), ("Origin", &*origin)];
        self.send(&format!("POST {path}"), &headers, body)
    }

    /// Where it is sent to log in.
    fn begin(&mut self, to: &str) -> BTreeMap<String, String> {
        let answer = self.get(&format!("/login/oidc?to={to}"));
        assert_eq!(answer.status, 303, "{answer:?}\n{}", self.sickbay.story());
        pairs(answer.header("location").unwrap().split_once('?').unwrap().1)
    }

    /// There and back again.
    fn log_in(&mut self, provider: &Provider) -> Answer {
        let asked = self.begin("/");
        let code = provider.agree(&asked);
        self.get(&callback(&[("code", &code), ("state", &asked["state"]), ("iss", provider.issuer())]))
    }
}

fn callback(query: &[(&str, &str)]) -> String {
    let query: Vec<String> = query.iter().map(|(key, value)| format!("{key}={value}")).collect();
    format!("/login/oidc/callback?{}", query.join("&"))
}

/// None of the secrets stands in anything that the daemon wrote or answers.
fn nothing_leaked(sickbay: &Sickbay, others: &[&str]) {
    let mut told = sickbay.story();
    for path in ["/", "/metrics", "/api/v1/status", "/login", "/-/ready"] {
        told.push_str(&request(sickbay.port, &format!("GET {path}"), &[HTML], "").unwrap().body);
    }
    assert!(told.contains("logged in") && told.contains("sickbay_oidc_logins_total"), "{told}");
    for secret in ["c4nary", "t0ken-of", "eyJ", SECRET].iter().chain(others) {
        assert!(!told.contains(secret), "{secret} stands in what is told:\n{told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_the_provider_vouches_for_decides_and_counts_once() {
    let (docker, provider) = (engine(), Provider::start());
    let sickbay = sickbay_of(&docker, provider.issuer(), "sub");
    assert!(provider.asked().is_empty(), "nobody is asked before somebody logs in");
    let alert = firing(&json!({"alertname": "Down", "container": "web"}));
    assert_eq!(sickbay.post(&notification(&[alert])).status, 200);
    let asked = sickbay.until("people are asked", || {
        let all = request(sickbay.port, "GET /api/v1/approvals", &[], "").unwrap().json();
        all["approvals"].as_array().and_then(|all| all.first().cloned())
    });
    let [id, plan] = ["id", "plan"].map(|key| asked[key].as_str().unwrap().to_owned());

    let mut ada = Browser::new(&sickbay);
    let door = ada.get("/login");
    assert!(door.body.contains("Log in with Example") && door.body.contains("name=\"password\""), "{}", door.body);
    let query = ada.begin("/status");
    let login = ada.set.concat();
    assert!(login.contains("HttpOnly; SameSite=Lax; Max-Age=600") && login.starts_with("sickbay_login="), "{login}");
    assert_eq!((&*query["scope"], &*query["client_id"]), ("openid", "sickbay"));
    assert_eq!(query["redirect_uri"], format!("http://127.0.0.1:{}/login/oidc/callback", sickbay.port));
    let code = provider.agree(&query);
    let back = callback(&[("code", &code), ("state", &query["state"]), ("iss", provider.issuer())]);
    let entered = ada.get(&back);
    assert_eq!(entered.status, 200, "{entered:?}\n{}", sickbay.story());
    assert_eq!(
        (entered.header("refresh"), entered.header("referrer-policy")),
        (Some("0;url=/status"), Some("no-referrer"))
    );
    assert!(ada.set.iter().any(|cookie| cookie.contains("HttpOnly; SameSite=Strict")), "{:?}", ada.set);
    assert_eq!(ada.cookies.keys().collect::<Vec<_>>(), ["sickbay_session"], "the login's own cookie is gone");
    let replayed = ada.get(&back);
    assert_eq!(replayed.status, 400, "{replayed:?}");

    let page = ada.get("/");
    let token = page.body.split("name=\"form_token\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let voted = ada.post(&format!("/approvals/{id}"), &format!("form_token={token}&plan={plan}&vote=approve"));
    assert!(voted.status == 200 && voted.body.contains("1 of 2 agreed"), "{voted:?}");
    // The same person by their token: they count once.
    let headers = [("Content-Type", "application/json"), ("Authorization", "Bearer t0ken-of-ada-long-enough")];
    let body = json!({"vote": "approve", "plan": plan}).to_string();
    let again = request(sickbay.port, &format!("POST /api/v1/approvals/{id}"), &headers, &body).unwrap();
    assert_eq!((again.status, &again.json()["result"]), (200, &json!("repeated")));
    assert_eq!(docker.count("POST", "/restart"), 0);

    let mut bob = Browser::new(&sickbay);
    let page = bob.post("/login", "name=bob&password=c4nary-of-bob");
    assert_eq!(page.status, 200, "{page:?}");
    let token = page.body.split("name=\"form_token\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    bob.post(&format!("/approvals/{id}"), &format!("form_token={token}&plan={plan}&vote=approve"));
    assert_eq!(sickbay.verdict_of(1), "recovered", "{}", sickbay.story());
    assert_eq!(docker.count("POST", "/restart"), 1);
    let votes = sickbay.records_of("approval.vote");
    let cast: Vec<_> =
        votes.iter().map(|vote| [&vote["by"], &vote["channel"]].map(|text| text.as_str().unwrap())).collect();
    assert_eq!(cast, [["ada", "oidc"], ["bob", "web"]]);
    assert!((sickbay.metric("sickbay_oidc_logins_total{outcome=\"logged_in\"}") - 1.0).abs() < 0.1);
    nothing_leaked(&sickbay, &[&query["state"], &query["nonce"], &query["code_challenge"], &code]);
}

/// What comes of a login with something wrong in it.
struct Bad {
    what: &'static str,
    twist: Twist,
    /// What is different in the answer that the browser brings back; an empty value leaves it out.
    query: Vec<(&'static str, String)>,
    status: u16,
    want: &'static str,
}

fn bad(what: &'static str, twist: Twist, want: &'static str) -> Bad {
    Bad { what, twist, query: Vec::new(), status: 403, want }
}

fn odd(what: &'static str, query: &[(&'static str, &str)], (status, want): (u16, &'static str)) -> Bad {
    let query = query.iter().map(|(key, value)| (*key, (*value).to_owned())).collect();
    Bad { what, twist: Twist::default(), query, status, want }
}

fn claims(claims: Value) -> Twist {
    Twist { claims, ..Twist::default() }
}

fn signed(header: Value, signer: Signer) -> Twist {
    Twist { header, signer, ..Twist::default() }
}

fn table() -> Vec<Bad> {
    vec![
        bad("another nonce", claims(json!({"nonce": "another"})), "it belongs to another login"),
        bad("no nonce", claims(json!({"nonce": null})), "it belongs to another login"),
        bad("for somebody else", claims(json!({"aud": "another"})), "issued to somebody else"),
        bad("for others too", claims(json!({"aud": ["sickbay", "b"], "azp": "b"})), "issued to somebody else"),
        bad("of somebody else", claims(json!({"iss": "http://127.0.0.1:1"})), "issued by somebody else"),
        bad("expired", claims(json!({"exp": now() - 120})), "it has expired"),
        bad("of tomorrow", claims(json!({"iat": now() + 86400, "exp": now() + 90000})), "from the future"),
        bad("alg none", signed(json!({"alg": "none", "kid": null}), Signer::Nobody), "not signed with a key"),
        bad("HS256 by the public key", signed(json!({"alg": "HS256"}), Signer::Reader), "not signed with a key"),
        bad("an unknown key", signed(json!({"kid": "k9"}), Signer::Own), "publishes no such key"),
        bad("somebody else's signature", signed(json!({}), Signer::Other), "its signature does not fit"),
        bad("no signature", signed(json!({}), Signer::Nobody), "its signature does not fit"),
        bad("not verified", claims(json!({"email_verified": false})), "the mail address is verified"),
        bad("no address", claims(json!({"email": null})), "lacks the claim"),
        bad(
            "nobody of ours",
            claims(json!({"email": "zoe@example.org"})),
            "not in this daemon&#x27;s people; ask the operator",
        ),
        bad(
            "somebody's in other letters",
            claims(json!({"email": "Ada@example.org"})),
            "not in this daemon&#x27;s people",
        ),
        bad(
            "somebody's in look-alikes",
            claims(json!({"email": "\u{430}da@example.org"})),
            "not in this daemon&#x27;s people",
        ),
        odd("another state", &[("state", "00")], (400, "does not belong to the login")),
        odd("no state", &[("state", "")], (400, "does not belong to the login")),
        odd("another provider", &[("iss", "http://127.0.0.1:1")], (400, "not come from the provider of the settings")),
        odd("no provider, where it names itself", &[("iss", "")], (400, "not come from the provider of the settings")),
        odd("a no", &[("code", ""), ("error", "access_denied")], (403, "has not let you in: access_denied")),
        odd("a no in strange words", &[("error", "%3Cb%3Ec4nary")], (403, "none of the standard")),
        odd("a code of nobody", &[("code", "c4nary-guessed")], (403, "takes its own answer back")),
        odd("no code", &[("code", "")], (403, "takes its own answer back")),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_does_not_fit_logs_nobody_in() {
    let (docker, provider) = (engine(), Provider::start());
    // Whoever fails ten times is not looked at any more.
    for chunk in table().chunks(8) {
        let sickbay = sickbay_of(&docker, provider.issuer(), "email");
        for Bad { what, twist, query, status, want } in chunk {
            provider.twist(twist.clone());
            let mut browser = Browser::new(&sickbay);
            let asked = browser.begin("/");
            let code = provider.agree(&asked);
            let mut back =
                vec![("code", code), ("state", asked["state"].clone()), ("iss", provider.issuer().to_owned())];
            for (key, value) in query {
                back.retain(|(kept, _)| kept != key);
                back.push((*key, value.clone()));
            }
            let back: Vec<_> = back.iter().filter(|(_, value)| !value.is_empty()).map(|(k, v)| (*k, &**v)).collect();
            let answer = browser.get(&callback(&back));
            assert_eq!(answer.status, *status, "{what}: {answer:?}\n{}", sickbay.story());
            assert!(answer.body.contains(want), "{what}: {}", answer.body);
            assert!(!browser.cookies.contains_key("sickbay_session"), "{what}");
            assert!(!answer.body.contains("<b>") && !answer.body.contains("c4nary"), "{what}: {}", answer.body);
            assert!(browser.get("/").body.contains("Log in with Example"), "{what}");
        }
        provider.twist(Twist::default());
        assert_eq!(Browser::new(&sickbay).log_in(&provider).status, 200, "{}", sickbay.story());
        nothing_leaked(&sickbay, &[]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_counts_in_the_browser_that_began_and_once() {
    let (docker, provider) = (engine(), Provider::start());
    let sickbay = sickbay_of(&docker, provider.issuer(), "sub");
    let (mut victim, mut other) = (Browser::new(&sickbay), Browser::new(&sickbay));
    let asked = other.begin("/");
    let back = |code: &str, state: &str| callback(&[("code", code), ("state", state), ("iss", provider.issuer())]);
    // Somebody is led to the end of a login that somebody else began: with no login of their own, and with one.
    let code = provider.agree(&asked);
    let answer = victim.get(&back(&code, &asked["state"]));
    assert!(answer.status == 400 && answer.body.contains("has not begun this login"), "{answer:?}");
    victim.begin("/");
    let answer = victim.get(&back(&code, &asked["state"]));
    assert!(answer.status == 400 && answer.body.contains("does not belong to the login"), "{answer:?}");
    // A stolen code is of no use with another login's verifier.
    let mut thief = Browser::new(&sickbay);
    let own = thief.begin("/");
    let answer = thief.get(&back(&code, &own["state"]));
    assert!(answer.status == 403 && answer.body.contains("takes its own answer back"), "{answer:?}");
    // What came back twice counts once, though the browser kept its cookie.
    let kept = other.cookies.clone();
    let code = provider.agree(&asked);
    assert_eq!(other.get(&back(&code, &asked["state"])).status, 200, "{}", sickbay.story());
    other.cookies = kept;
    let code = provider.agree(&asked);
    let answer = other.get(&back(&code, &asked["state"]));
    assert!(answer.status == 400 && answer.body.contains("has been used already"), "{answer:?}");
    // Twice in one query is not clear, another site's page begins nothing, and nobody is sent elsewhere.
    let asked = victim.begin("/");
    let twice = format!("{}&state={}", back("c", &asked["state"]), asked["state"]);
    assert_eq!(victim.get(&twice).status, 400);
    let foreign = victim.send("GET /login/oidc", &[("Sec-Fetch-Site", "cross-site")], "");
    assert_eq!((foreign.status, foreign.header("location")), (403, None));
    for to in ["//evil.example/", "https://evil.example/", "%2F%5Cevil.example", "/login/oidc"] {
        let mut browser = Browser::new(&sickbay);
        let asked = browser.begin(to);
        let answer = browser.get(&back(&provider.agree(&asked), &asked["state"]));
        assert_eq!((answer.status, answer.header("refresh")), (200, Some("0;url=/")), "{to}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_is_away_or_slow_keeps_nobody_else_out() {
    let (docker, provider) = (engine(), Provider::start());
    let port = free_port();
    let away = sickbay_of(&docker, &format!("http://127.0.0.1:{port}"), "sub");
    let says = |sickbay: &Sickbay, want: &str| {
        let answer = Browser::new(sickbay).get("/login/oidc");
        assert!(answer.status == 503 && answer.body.contains(want), "{want}: {answer:?}\n{}", sickbay.story());
    };
    let password = |sickbay: &Sickbay| Browser::new(sickbay).post("/login", "name=bob&password=c4nary-of-bob").status;
    // More often than anybody may fail: it was not they who failed.
    for _ in 0..11 {
        says(&away, "the provider cannot be reached");
    }
    assert_eq!(password(&away), 200);
    // One that takes connections and says nothing.
    let silent = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let before = Instant::now();
    std::thread::scope(|scope| {
        let slow = scope.spawn(|| says(&away, "does not answer within 5 s"));
        assert_eq!(password(&away), 200);
        assert!(!slow.is_finished(), "others do not wait for it");
    });
    assert!(before.elapsed() < Duration::from_secs(30));
    drop(silent);

    let sickbay = sickbay_of(&docker, provider.issuer(), "sub");
    for (twist, want) in [
        (json!({"issuer": "http://127.0.0.1:1"}), "cannot be used as the settings name it"),
        (json!({"token_endpoint": "http://192.0.2.1/token"}), "cannot be used as the settings name it"),
        (json!({"jwks_uri": "http://169.254.169.254/keys"}), "cannot be used as the settings name it"),
        (json!({"code_challenge_methods_supported": ["plain"]}), "cannot be used as the settings name it"),
    ] {
        provider.twist(Twist { metadata: twist, ..Twist::default() });
        says(&sickbay, want);
    }
    assert!(sickbay.said().contains("write `web.oidc.issuer` exactly so"), "{}", sickbay.said());
    // Slow after people came back.
    provider.twist(Twist::default());
    let mut browser = Browser::new(&sickbay);
    let asked = browser.begin("/");
    provider.twist(Twist { delay: Duration::from_secs(60), ..Twist::default() });
    let back = callback(&[("code", &provider.agree(&asked)), ("state", &asked["state"]), ("iss", provider.issuer())]);
    let answer = browser.get(&back);
    assert!(answer.status == 503 && answer.body.contains("does not answer within 5 s"), "{answer:?}");
    provider.twist(Twist::default());
    assert_eq!(browser.log_in(&provider).status, 200, "{}", sickbay.story());
    // Another key: it is fetched when a token names it, and what is known of the provider is kept.
    provider.rotate("k2");
    assert_eq!(Browser::new(&sickbay).log_in(&provider).status, 200, "{}", sickbay.story());
    let count = |path: &str| provider.asked().iter().filter(|asked| *asked == path).count();
    assert_eq!((count("/.well-known/openid-configuration"), count("/jwks")), (5, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_by_the_provider_ends_with_what_it_was_begun_with() {
    let (docker, provider) = (engine(), Provider::start());
    let sickbay = sickbay_of(&docker, provider.issuer(), "sub");
    let mut ada = Browser::new(&sickbay);
    assert_eq!(ada.log_in(&provider).status, 200);
    let asked = ada.begin("/");
    let is_in = |browser: &mut Browser<'_>| browser.get("/").body.contains("Log out");
    assert!(is_in(&mut ada));
    let told = |line: &str| sickbay.said().matches(line).count();
    let reloaded = |count: usize| {
        sickbay.signal(rustix::process::Signal::HUP);
        sickbay.until("it is reloaded", || (count <= told("reloaded")).then_some(()));
    };
    reloaded(1);
    assert!(is_in(&mut ada), "nothing has changed");
    let back = callback(&[("code", &provider.agree(&asked)), ("state", &asked["state"]), ("iss", provider.issuer())]);
    assert_eq!(ada.get(&back).status, 200, "who is on the way need not begin again\n{}", sickbay.story());
    configure(&sickbay, &docker, (provider.issuer(), "sub", "somebody-else"));
    reloaded(2);
    assert!(!is_in(&mut ada), "she is somebody else at the provider now");
    let answer = ada.log_in(&provider);
    assert!(answer.status == 403 && answer.body.contains("oidc_user: &quot;248289&quot;"), "{answer:?}");
    configure(&sickbay, &docker, (provider.issuer(), "sub", "248289"));
    reloaded(3);
    assert_eq!(ada.log_in(&provider).status, 200);
    configure(&sickbay, &docker, ("https://id.example", "sub", "248289"));
    reloaded(4);
    assert!(!is_in(&mut ada), "another provider vouches now");
}
