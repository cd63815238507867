//! People decide by signed links: the real daemon, and a stand-in for the mailboxes that its messages go to.

use crate::alerts::{firing, notification};
use crate::fake_docker::{FakeDocker, running};
use crate::http::{Answer, request};
use crate::rules::{DOWN, engine, settings};
use crate::sickbay_process::Sickbay;
use crate::sink::Sink as Mailboxes;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use sickbay::people::{LinkAbout, LinkKey};
use std::fs;

/// What nobody but the daemon may ever see.
const SECRET: &str = "c4nary-of-the-link-secret-0123456789";
/// What opens links before people do.
const SCANNERS: [&str; 5] = [
    "Mozilla/5.0 (Windows NT 10.0) SafeLinks",
    "Slackbot-LinkExpanding 1.0",
    "BarracudaCentral",
    "WhatsApp/2.23",
    "python-requests/2.31",
];

/// A daemon that asks `ada` and `bob` in their mailboxes, and `team` in a place that all read.
fn daemon(docker: &FakeDocker, mailboxes: &Mailboxes, approval: &str) -> Sickbay {
    let rules =
        DOWN.replace("    steps:", &format!("    approval: {{from: [sre], timeout: 10m, {approval}}}\n    steps:"));
    let mut sickbay = Sickbay::new(&rules, &settings(docker));
    let port = mailboxes.port;
    let mailbox = |name: &str| format!("  - {{name: {name}, http: {{url: 'http://127.0.0.1:{port}/{name}'}}}}\n");
    sickbay.configure(&format!(
        "web: {{external_url: 'https://sickbay.example/ops/'}}
approvals: {{link_secret_file: links}}
people:
  - {{name: ada, groups: [sre], token_file: ada.token, link_notifier: ada-mail}}
  - {{name: bob, groups: [sre], token_file: bob.token, link_notifier: bob-mail}}
  - {{name: zoe, groups: [dba], link_notifier: zoe-mail}}
notifiers:
{}{}{}{}",
        mailbox("ada-mail"),
        mailbox("bob-mail"),
        mailbox("zoe-mail"),
        mailbox("team"),
    ));
    let home = sickbay.storage().parent().unwrap().to_owned();
    fs::write(home.join("links"), format!("{SECRET}\n")).unwrap();
    fs::write(home.join("ada.token"), "t0ken-of-ada-long-enough\n").unwrap();
    fs::write(home.join("bob.token"), "t0ken-of-bob-long-enough\n").unwrap();
    sickbay.start(&[]);
    sickbay
}

const ALL: &str = "ask: [ada-mail, bob-mail, zoe-mail, team]";

/// An alert about this container comes, and the last of those who are asked has the message.
fn asked(sickbay: &Sickbay, container: &str, (messages, told): (usize, usize)) {
    let alert = firing(&json!({"alertname": "Down", "container": container}));
    assert_eq!(sickbay.post(&notification(&[alert])).status, 200);
    sickbay.wait_for("approval.requested", messages);
    sickbay.wait_for("notify.outcome", told);
}

/// A link as somebody was sent it: the path, the token, the code.
#[derive(Clone)]
struct Link {
    path: String,
    token: String,
    code: String,
}

/// Waits until the pages know of an approval, which they do within a second.
fn shown(sickbay: &Sickbay, path: &str) {
    let headers = [("Authorization", "Bearer t0ken-of-ada-long-enough")];
    let line = format!("GET /api/v1/approvals/{}", path.strip_prefix("/a/").unwrap());
    sickbay.until("the question is shown", || {
        request(sickbay.port, &line, &headers, "").is_ok_and(|answer| answer.status == 200).then_some(())
    });
}

/// Nothing is left to decide, and whoever comes late is told so.
fn too_late((status, code): (u16, String)) {
    assert!(matches!((status, &*code), (404, "unknown") | (409, "already_decided")), "{status} {code}");
}

/// The link of the last message to this mailbox.
fn link(sickbay: &Sickbay, mailboxes: &Mailboxes, mailbox: &str) -> Link {
    let message = mailboxes.posted(&format!("/{mailbox}")).pop().unwrap();
    let name = mailbox.strip_suffix("-mail").unwrap();
    assert_eq!(message["link"]["for"], name, "{message}");
    let url = message["link"]["url"].as_str().unwrap();
    let (page, token) = url.strip_prefix("https://sickbay.example/ops").unwrap().split_once('#').unwrap();
    let code = message["link"]["code"].as_str().unwrap();
    shown(sickbay, page);
    Link { path: page.to_owned(), token: token.to_owned(), code: code.to_owned() }
}

fn post(sickbay: &Sickbay, path: &str, body: &Value) -> Answer {
    let headers = [
        ("Content-Type", "application/json"),
        ("Sec-Fetch-Site", "same-origin"),
        ("Origin", "https://sickbay.example"),
    ];
    request(sickbay.port, &format!("POST {path}"), &headers, &body.to_string()).unwrap()
}

/// Somebody presses a button on the page of a link: the status, and the words or the code of what is wrong.
fn press(sickbay: &Sickbay, path: &str, (token, decision): (&str, &str)) -> (u16, String) {
    let answer = post(sickbay, path, &json!({"token": token, "decision": decision, "reason": "by mail"}));
    let told = answer.json();
    let words = told.get("code").or(told.get("message")).and_then(Value::as_str).unwrap_or_default();
    (answer.status, words.to_owned())
}

/// Without a script: the code is typed into the form.
fn typed(sickbay: &Sickbay, path: &str, (code, decision): (&str, &str)) -> Answer {
    let headers = [("Content-Type", "application/x-www-form-urlencoded"), ("Sec-Fetch-Site", "same-origin")];
    let body = format!("code={code}&decision={decision}&reason=by+hand");
    request(sickbay.port, &format!("POST {path}"), &headers, &body).unwrap()
}

/// A token that the daemon itself could have made.
fn signed(path: &str, plan: &str, (approver, until): (&str, i64)) -> String {
    let key = LinkKey::new(SecretString::from(SECRET)).unwrap();
    let approval = path.strip_prefix("/a/").unwrap();
    key.token(LinkAbout { approval, plan, approver, until }).expose_secret().to_owned()
}

fn plan(sickbay: &Sickbay, number: usize) -> String {
    let plan = sickbay.wait_for("approval.requested", number)[number - 1]["plan"].clone();
    plan.as_str().unwrap().trim_start_matches("sha256:").to_owned()
}

fn log_bytes(sickbay: &Sickbay) -> Vec<u8> {
    fs::read(sickbay.storage().join("incident_log.jsonl")).unwrap()
}

/// No key, token or code stands in anything that the daemon wrote or answers.
fn nothing_leaked(sickbay: &Sickbay, links: &[&Link]) {
    let mut told = sickbay.said();
    let ada = [("Authorization", "Bearer t0ken-of-ada-long-enough")];
    for path in ["/", "/metrics", "/api/v1/status", "/api/v1/approvals", "/-/ready", "/a/i1.1", "/incidents/i2"] {
        told.push_str(&request(sickbay.port, &format!("GET {path}"), &ada, "").unwrap().body);
    }
    for record in sickbay.records() {
        told.push_str(&record.to_string());
    }
    assert!(told.contains("approval.requested"));
    for Link { token, code, .. } in links {
        let proof = token.rsplit('.').next().unwrap();
        for secret in ["c4nary", proof, code, &code.replace('-', "")] {
            assert!(!told.contains(secret), "{secret} stands in what is told:\n{told}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn scanners_open_links_a_thousand_times_and_nothing_changes_and_then_two_people_decide() {
    let (docker, mailboxes) = (engine(), Mailboxes::start());
    let sickbay = daemon(&docker, &mailboxes, &format!("required: 2, {ALL}"));
    asked(&sickbay, "web", (1, 4));
    let (ada, bob) = (link(&sickbay, &mailboxes, "ada-mail"), link(&sickbay, &mailboxes, "bob-mail"));
    for unread in ["zoe-mail", "team"] {
        let message = mailboxes.posted(&format!("/{unread}")).pop().unwrap();
        assert!(message.get("link").is_none(), "{unread} may not decide, or is read by all: {message}");
    }
    let before = log_bytes(&sickbay);
    let page = request(sickbay.port, &format!("GET {}", ada.path), &[], "").unwrap();
    for number in 0..1000 {
        let path = [&*ada.path, &*bob.path, &format!("{}?{}", ada.path, ada.token)][number % 3].to_owned();
        let method = ["GET", "GET", "HEAD", "OPTIONS"][number % 4];
        let agent = [("User-Agent", SCANNERS[number % SCANNERS.len()])];
        let answer = request(sickbay.port, &format!("{method} {path}"), &agent, "").unwrap();
        assert_eq!(answer.status, if method == "OPTIONS" { 405 } else { 200 });
        assert!(method != "GET" || answer.body == page.body, "the same bytes for all");
    }
    // A scanner that runs scripts does what the page's script does by itself.
    for link in [&ada, &bob] {
        let shown = post(&sickbay, &format!("{}/show", link.path), &json!({"token": link.token}));
        assert!(shown.status == 200 && shown.body.contains("restart"), "{shown:?}");
    }
    assert!(log_bytes(&sickbay) == before, "looking is written nowhere");
    assert_eq!(docker.count("POST", "/restart"), 0);

    assert_eq!(press(&sickbay, &ada.path, (&ada.token, "approve")), (200, "counted: 1 of 2 agreed".to_owned()));
    let (status, words) = press(&sickbay, &ada.path, (&ada.token, "approve"));
    assert!(status == 200 && words.contains("counts once: 1 of 2"), "{words}");
    // The same person by another way counts no more.
    let headers = [("Content-Type", "application/json"), ("Authorization", "Bearer t0ken-of-ada-long-enough")];
    let vote = json!({"vote": "approve", "plan": plan(&sickbay, 1)}).to_string();
    let line = format!("POST /api/v1/approvals/{}", ada.path.strip_prefix("/a/").unwrap());
    let again = request(sickbay.port, &line, &headers, &vote).unwrap();
    assert_eq!((again.status, &again.json()["result"]), (200, &json!("repeated")));

    let shown = typed(&sickbay, &bob.path, (&bob.code, "show"));
    assert!(shown.status == 200 && shown.body.contains("Code, once more"), "{shown:?}");
    assert_eq!(docker.count("POST", "/restart"), 0);
    let answer = typed(&sickbay, &bob.path, (&bob.code.to_lowercase(), "approve"));
    assert!(answer.status == 200 && answer.body.contains("approved: it is carried out now"), "{answer:?}");
    assert_eq!(sickbay.verdict_of(1), "recovered", "{}", sickbay.story());
    assert_eq!(docker.count("POST", "/restart"), 1);
    let votes = sickbay.records_of("approval.vote");
    let cast: Vec<_> =
        votes.iter().map(|vote| (vote["by"].as_str().unwrap(), vote["channel"].as_str().unwrap())).collect();
    assert_eq!(cast, [("ada", "link"), ("bob", "link")]);
    too_late(press(&sickbay, &ada.path, (&ada.token, "deny")));
    assert_eq!(sickbay.records_of("approval.vote").len(), 2);
    let told = sickbay.run(&["log", "show", "i2"]);
    let told = String::from_utf8_lossy(&told.stdout).into_owned() + &String::from_utf8_lossy(&told.stderr);
    assert!(told.contains("ada said yes by link: by mail") && !told.contains("c4nary"), "{told}");
    nothing_leaked(&sickbay, &[&ada, &bob]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_is_good_for_one_approval_one_plan_one_person_and_its_time() {
    let (docker, mailboxes) = (engine(), Mailboxes::start());
    let mut other = running("cd", "shop");
    other["Config"]["Labels"]["sickbay.enable"] = "true".into();
    docker.put(other);
    let mut sickbay = daemon(&docker, &mailboxes, "ask: [ada-mail]");
    asked(&sickbay, "web", (1, 1));
    let web = link(&sickbay, &mailboxes, "ada-mail");
    asked(&sickbay, "shop", (2, 2));
    let shop = link(&sickbay, &mailboxes, "ada-mail");
    assert!(web.path != shop.path && web.token != shop.token && web.code != shop.code);
    let wrong = (403, "wrong_link".to_owned());
    assert_eq!(press(&sickbay, &shop.path, (&web.token, "approve")), wrong, "of A on B");
    assert_eq!(typed(&sickbay, &shop.path, (&web.code, "approve")).status, 403, "of A on B");
    let (until, own, others) = (4_000_000_000, plan(&sickbay, 1), plan(&sickbay, 2));
    assert_eq!(press(&sickbay, &web.path, (&signed(&web.path, &others, ("ada", until)), "approve")), wrong);
    let as_bob = web.token.replacen("ada", "bob", 1);
    assert_eq!(press(&sickbay, &web.path, (&as_bob, "approve")), wrong, "of ada as bob");
    assert_eq!(sickbay.records_of("approval.vote").len(), 4);
    for (token, want) in [
        (signed(&web.path, &own, ("ada", 1_000)), (410, "link_expired")),
        // A question of this name and plan, of another daemon with this secret or of a log before this one.
        (signed(&web.path, &own, ("ada", until)), (404, "unknown")),
        (signed(&web.path, &own, ("zoe", until)), (403, "not_allowed")),
        (signed(&web.path, &own, ("gone", until)), (403, "not_allowed")),
    ] {
        assert_eq!(press(&sickbay, &web.path, (&token, "approve")), (want.0, want.1.to_owned()));
    }
    assert_eq!(sickbay.records_of("approval.vote").len(), 4, "what was signed is no guess");
    assert_eq!(docker.count("POST", "/restart"), 0);

    // The container runs another image by now: the yes was about another plan, and they are asked anew.
    let mut renewed = running("ab", "web");
    renewed["Config"]["Labels"]["sickbay.enable"] = "true".into();
    renewed["Image"] = "sha256:1".into();
    docker.put(renewed);
    let (status, words) = press(&sickbay, &web.path, (&web.token, "approve"));
    assert!(status == 200 && words.contains("approved"), "{status} {words}");
    sickbay.wait_for("approval.superseded", 1);
    sickbay.wait_for("notify.outcome", 3);
    let anew = link(&sickbay, &mailboxes, "ada-mail");
    assert_eq!(press(&sickbay, &anew.path, (&web.token, "approve")), wrong, "of the plan before");
    too_late(press(&sickbay, &web.path, (&web.token, "approve")));
    assert_eq!(docker.count("POST", "/restart"), 0);
    sickbay.kill();
    sickbay.start(&[]);
    shown(&sickbay, &anew.path);
    let (status, words) = press(&sickbay, &anew.path, (&anew.token, "approve"));
    assert!(status == 200 && words.contains("approved"), "{status} {words}");
    assert_eq!(sickbay.verdict_of(1), "recovered", "{}", sickbay.story());
    assert_eq!(docker.count("POST", "/restart"), 1);

    // A no by link, after a restart in between.
    let (status, words) = press(&sickbay, &shop.path, (&shop.token, "deny"));
    assert!(status == 200 && words.contains("denied"), "{status} {words}\n{}", sickbay.story());
    assert_eq!(sickbay.verdict_of(2), "denied", "{}", sickbay.story());
    too_late(press(&sickbay, &shop.path, (&shop.token, "approve")));
    nothing_leaked(&sickbay, &[&web, &shop, &anew]);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_ten_that_fit_nobody_no_link_is_taken_and_those_who_were_asked_are_told() {
    let (docker, mailboxes) = (engine(), Mailboxes::start());
    let mut sickbay = daemon(&docker, &mailboxes, "ask: [ada-mail, team]");
    asked(&sickbay, "web", (1, 2));
    let ada = link(&sickbay, &mailboxes, "ada-mail");
    let guess = |number: usize| format!("ada.4000000000.{}", format!("c4nary{number}").repeat(6));
    for number in 0..5 {
        assert_eq!(press(&sickbay, &ada.path, (&guess(number), "approve")).1, "wrong_link");
    }
    sickbay.kill();
    sickbay.start(&[]);
    shown(&sickbay, &ada.path);
    for number in 5..9 {
        let shown = post(&sickbay, &format!("{}/show", ada.path), &json!({"token": guess(number)}));
        assert_eq!(shown.status, 403, "to look is to try: {shown:?}");
    }
    assert!(post(&sickbay, &format!("{}/show", ada.path), &json!({"token": ada.token})).status == 200);
    assert_eq!(typed(&sickbay, &ada.path, ("00000-00000", "approve")).status, 403);
    sickbay.wait_for("notify.outcome", 4);
    for mailbox in ["/ada-mail", "/team"] {
        let last = mailboxes.posted(mailbox).pop().unwrap();
        assert!(last["title"].as_str().unwrap().contains("links are closed"), "{last}");
        assert!(last.get("link").is_none(), "{last}");
    }
    sickbay.until("the pages know that they are closed", || {
        let shown = post(&sickbay, &format!("{}/show", ada.path), &json!({"token": ada.token}));
        (shown.status == 403).then_some(())
    });
    let before = log_bytes(&sickbay);
    let closed = (403, "no_links".to_owned());
    for token in [&ada.token, &guess(1)] {
        assert_eq!(press(&sickbay, &ada.path, (token, "approve")), closed);
    }
    assert_eq!(typed(&sickbay, &ada.path, (&ada.code, "deny")).status, 403);
    assert!(log_bytes(&sickbay) == before);
    let tried = sickbay.records_of("approval.vote");
    assert_eq!(tried.len(), 10);
    assert!(tried.iter().all(|vote| vote["result"] == "wrong_link" && vote["by"] == "" && vote["channel"] == "link"));
    assert!(sickbay.metric("sickbay_link_requests_total{outcome=\"no_links\"}") > 0.5);
    // Another way is open as before.
    let headers = [("Content-Type", "application/json"), ("Authorization", "Bearer t0ken-of-ada-long-enough")];
    let vote = json!({"vote": "approve", "plan": plan(&sickbay, 1)}).to_string();
    let line = format!("POST /api/v1/approvals/{}", ada.path.strip_prefix("/a/").unwrap());
    assert_eq!(request(sickbay.port, &line, &headers, &vote).unwrap().status, 200);
    assert_eq!(sickbay.verdict_of(1), "recovered", "{}", sickbay.story());
    nothing_leaked(&sickbay, &[&ada]);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_link_is_sent_or_taken_where_the_playbook_wants_none_and_another_secret_ends_those_of_before() {
    let (docker, mailboxes) = (engine(), Mailboxes::start());
    let sickbay = daemon(&docker, &mailboxes, "links: false, ask: [ada-mail]");
    asked(&sickbay, "web", (1, 1));
    let message = mailboxes.posted("/ada-mail").pop().unwrap();
    assert!(message.get("link").is_none(), "{message}");
    let path = format!("/a/{}", sickbay.records_of("approval.requested")[0]["act"].as_str().unwrap());
    let token = signed(&path, &plan(&sickbay, 1), ("ada", 4_000_000_000));
    shown(&sickbay, &path);
    assert_eq!(press(&sickbay, &path, (&token, "approve")), (403, "no_links".to_owned()));
    assert_eq!(docker.count("POST", "/restart"), 0);
    drop(sickbay);

    let sickbay = daemon(&docker, &mailboxes, "ask: [ada-mail]");
    asked(&sickbay, "web", (1, 1));
    let ada = link(&sickbay, &mailboxes, "ada-mail");
    let home = sickbay.storage().parent().unwrap().to_owned();
    fs::write(home.join("links"), "c4nary-of-another-secret-0123456789\n").unwrap();
    let operator = [("Authorization", "Bearer t0ken-of-bob-long-enough")];
    assert_eq!(request(sickbay.port, "POST /-/reload", &operator, "").unwrap().status, 403, "bob may not");
    sickbay.signal(rustix::process::Signal::HUP);
    sickbay.wait_for("config.loaded", 2);
    sickbay.until("the other secret counts", || {
        (post(&sickbay, &format!("{}/show", ada.path), &json!({"token": ada.token})).status == 403).then_some(())
    });
    let (status, code) = press(&sickbay, &ada.path, (&ada.token, "approve"));
    assert_eq!((status, &*code), (403, "wrong_link"), "{}", sickbay.story());
    assert_eq!(docker.count("POST", "/restart"), 0);
    nothing_leaked(&sickbay, &[&ada]);
}
