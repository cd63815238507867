//! People decide with the buttons of a message in Slack: the real daemon, and a stand-in that takes its messages and
//! signs clicks as Slack does.

use crate::alerts::{firing, notification};
use crate::fake_docker::FakeDocker;
use crate::http::{Answer, request};
use crate::rules::{DOWN, engine, settings};
use crate::sickbay_process::Sickbay;
use crate::sink::Sink as Slack;
use serde_json::{Value, json};
use sickbay::people::Mac;
use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

/// What nobody but Slack and the daemon may ever see.
const SECRET: &str = "c4nary-of-the-signing-secret-0123456789";
const WEBHOOK: &str = "/services/T0US/c4nary-of-the-webhook";
const RESPONSE: &str = "/actions/T0US/c4nary-of-the-response";

/// A daemon that asks two of `sre` in Slack, and the message that it posted.
fn asked(docker: &FakeDocker, slack: &Slack) -> (Sickbay, Value) {
    asked_with((docker, slack), "required: 2")
}

/// The same, with these keys of the approval.
fn asked_with((docker, slack): (&FakeDocker, &Slack), keys: &str) -> (Sickbay, Value) {
    let approval = format!("    approval: {{{keys}, from: [sre], timeout: 10m, ask: [team]}}\n    steps:");
    let people = "
people:
  - {name: ada, groups: [sre], token_file: ada.token, slack_user: U0ADA}
  - {name: bob, groups: [sre], slack_user: U0BOB}
  - {name: eve, groups: [sre], roles: [view], slack_user: U0EVE}
  - {name: zoe, groups: [dba], slack_user: U0ZOE}
";
    let port = slack.port;
    let own = format!(
        "slack: {{signing_secret_file: signing, team_id: T0US, app_id: A0US, answer_origin: 'http://127.0.0.1:{port}'}}
notifiers:
  - {{name: team, slack: {{url_file: webhook}}}}
"
    );
    let mut sickbay =
        Sickbay::new(&DOWN.replace("    steps:", &approval), &format!("{}{people}{own}", settings(docker)));
    let home = sickbay.storage().parent().unwrap().to_owned();
    fs::write(home.join("signing"), format!("{SECRET}\n")).unwrap();
    fs::write(home.join("webhook"), format!("http://127.0.0.1:{port}{WEBHOOK}\n")).unwrap();
    fs::write(home.join("ada.token"), "t0ken-of-ada-long-enough\n").unwrap();
    sickbay.start(&[]);
    let alert = firing(&json!({"alertname": "Down", "container": "web", "note": "<!channel> & <@U0BOB>"}));
    assert_eq!(sickbay.post(&notification(&[alert])).status, 200);
    let message = sickbay.until("people are asked in Slack", || slack.posted(WEBHOOK).pop());
    (sickbay, message)
}

/// The approval that a message is about, and its plan.
fn about(message: &Value) -> (String, String) {
    let blocks = message["blocks"].as_array().unwrap();
    let actions = blocks.iter().find(|block| block["type"] == "actions").unwrap();
    let (id, plan) = actions["elements"][0]["value"].as_str().unwrap().split_once(' ').unwrap();
    (id.to_owned(), plan.to_owned())
}

/// What Slack sends when this user clicks on the first or the second button.
fn payload(slack: &Slack, message: &Value, (user, button): (&str, usize)) -> Value {
    let blocks = message["blocks"].as_array().unwrap();
    let actions = blocks.iter().find(|block| block["type"] == "actions").unwrap();
    json!({
        "type": "block_actions", "api_app_id": "A0US", "token": "old", "team": {"id": "T0US"},
        "user": {"id": user, "team_id": "T0US"}, "actions": [actions["elements"][button]], "message": message,
        "response_url": format!("http://127.0.0.1:{}{RESPONSE}", slack.port),
    })
}

pub(crate) fn form(payload: &Value) -> String {
    let mut body = "payload=".to_owned();
    for byte in payload.to_string().bytes() {
        body.push_str(&format!("%{byte:02X}"));
    }
    body
}

#[expect(clippy::disallowed_methods, reason = "the daemon compares the time of a signature with its own clock")]
pub(crate) fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

pub(crate) fn signature(body: &str, at: i64, secret: &str) -> String {
    format!("v0={}", Mac::of(secret.as_bytes(), &[format!("v0:{at}:{body}").as_bytes()]).hex())
}

fn post(sickbay: &Sickbay, body: &str, (at, signature): (i64, &str)) -> Answer {
    let at = at.to_string();
    let headers = [
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("X-Slack-Request-Timestamp", &*at),
        ("X-Slack-Signature", signature),
    ];
    request(sickbay.port, "POST /api/v1/slack/interactive", &headers, body).unwrap()
}

/// Signed as Slack does; what is said to whoever clicked.
fn click(sickbay: &Sickbay, payload: &Value) -> String {
    let (body, at) = (form(payload), now());
    let answer = post(sickbay, &body, (at, &signature(&body, at, SECRET)));
    assert_eq!(answer.status, 200, "{answer:?}\n{}", sickbay.story());
    answer.json()["text"].as_str().unwrap().to_owned()
}

/// None of the secrets stands in anything that the daemon wrote or answers.
fn nothing_leaked(sickbay: &Sickbay) {
    let home = sickbay.storage().parent().unwrap().to_owned();
    let mut told = fs::read_to_string(home.join("stderr")).unwrap();
    for path in ["/", "/metrics", "/api/v1/status", "/api/v1/approvals", "/-/ready"] {
        told.push_str(&request(sickbay.port, &format!("GET {path}"), &[], "").unwrap().body);
    }
    for record in sickbay.records() {
        told.push_str(&record.to_string());
    }
    assert!(told.contains("asked") || told.contains("approval"), "{told}");
    for secret in ["c4nary", "t0ken-of", "v0="] {
        assert!(!told.contains(secret), "{secret} stands in what is told:\n{told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_people_click_approve_and_it_is_done_once() {
    let (docker, slack) = (engine(), Slack::start());
    let (sickbay, message) = asked(&docker, &slack);
    let text = message.to_string();
    assert!(text.contains("sickbay_approve") && !text.contains("<!") && !text.contains("<@"), "{text}");
    let [yes, no] = [0, 1].map(|button| move |user: &'static str| (user, button));
    let (id, plan) = about(&message);
    let said = click(&sickbay, &payload(&slack, &message, yes("U0ADA")));
    assert_eq!(said, format!("{id}: counted: 1 of 2 agreed"));
    // The same person once more, by Slack and by the API: they count once.
    assert!(click(&sickbay, &payload(&slack, &message, yes("U0ADA"))).contains("counts once: 1 of 2"));
    let headers = [("Content-Type", "application/json"), ("Authorization", "Bearer t0ken-of-ada-long-enough")];
    let body = json!({"vote": "approve", "plan": plan}).to_string();
    let again = request(sickbay.port, &format!("POST /api/v1/approvals/{id}"), &headers, &body).unwrap();
    assert_eq!((again.status, &again.json()["result"]), (200, &json!("repeated")));
    assert_eq!(docker.count("POST", "/restart"), 0);

    let said = click(&sickbay, &payload(&slack, &message, yes("U0BOB")));
    assert!(said.contains("approved: it is carried out now"), "{said}");
    assert_eq!(sickbay.verdict_of(1), "recovered", "{}", sickbay.story());
    assert_eq!(docker.count("POST", "/restart"), 1);
    let votes = sickbay.records_of("approval.vote");
    let cast: Vec<_> = votes.iter().map(|vote| (vote["by"].as_str(), vote["channel"].as_str())).collect();
    assert_eq!(cast.len(), 2, "{votes:?}");
    assert!(votes.iter().all(|vote| vote["channel"] == "slack"), "{votes:?}");

    // The message says so, and has no buttons any more; late clicks change nothing.
    let replaced = sickbay.until("the message is updated", || {
        slack.posted(RESPONSE).into_iter().find(|body| {
            body["replace_original"] == true && body["text"].as_str().is_some_and(|text| text.contains("approved"))
        })
    });
    assert!(!replaced.to_string().contains("sickbay_approve"), "{replaced}");
    assert!(replaced["text"].as_str().unwrap().contains("bob"), "{replaced}");
    for button in [yes("U0ADA"), no("U0ADA")] {
        let said = click(&sickbay, &payload(&slack, &message, button));
        assert!(said.contains("decided before"), "{said}");
    }
    assert_eq!((docker.count("POST", "/restart"), sickbay.records_of("approval.vote").len()), (1, 2));
    nothing_leaked(&sickbay);
}

#[tokio::test(flavor = "multi_thread")]
async fn clicks_that_are_not_slacks_or_not_of_people_who_may_do_not_count() {
    let (docker, slack) = (engine(), Slack::start());
    let (sickbay, message) = asked(&docker, &slack);
    let good = payload(&slack, &message, ("U0ADA", 0));
    let (body, at) = (form(&good), now());
    let signed = signature(&body, at, SECRET);
    let altered = form(&payload(&slack, &message, ("U0BOB", 0)));
    for (what, body, at, signed) in [
        ("altered", &altered, at, &signed),
        ("another secret", &body, at, &signature(&body, at, "another-secret-of-somebody-else-0123")),
        ("another time", &body, at - 1, &signed),
        ("old", &body, at - 301, &signature(&body, at - 301, SECRET)),
        ("of tomorrow", &body, at + 400, &signature(&body, at + 400, SECRET)),
        ("unsigned", &body, at, &"v0=".to_owned()),
    ] {
        assert_eq!(post(&sickbay, body, (at, signed)).status, 401, "{what}");
    }
    let changed = |pointer: &str, value: Value| {
        let mut payload = good.clone();
        *payload.pointer_mut(pointer).unwrap() = value;
        click(&sickbay, &payload)
    };
    let (id, plan) = about(&message);
    let other_plan: String = plan.chars().map(|digit| if digit == '0' { '1' } else { '0' }).collect();
    for (said, want) in [
        (changed("/team/id", json!("T0THEM")), "own workspace"),
        (changed("/user/team_id", json!("T0THEM")), "own workspace"),
        (changed("/api_app_id", json!("A0THEM")), "own workspace"),
        (changed("/user/id", json!("U0WHO")), "does not know you"),
        (changed("/user/id", json!("U0EVE")), "takes the role `approve`"),
        (changed("/user/id", json!("U0ZOE")), "asks others"),
        (changed("/actions/0/value", json!(format!("{id} {other_plan}"))), "not the plan"),
        (changed("/actions/0/value", json!(format!("i9999.1 {plan}"))), "no approval of this name"),
    ] {
        assert!(said.contains(want), "{want}: {said}");
    }
    let answers: Vec<String> = sickbay
        .records_of("approval.vote")
        .iter()
        .map(|vote| vote["result"].as_str().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(answers, ["not_eligible", "wrong_plan"], "{}", sickbay.story());
    assert_eq!(docker.count("POST", "/restart"), 0);
    for (outcome, count) in [("unsigned", 6.0), ("foreign", 3.0), ("unknown_user", 1.0), ("not_allowed", 1.0)] {
        let seen = sickbay.metric(&format!("sickbay_slack_requests_total{{outcome=\"{outcome}\"}}"));
        assert!((seen - count).abs() < 0.1, "{outcome}: {seen}");
    }
    // The very same request twice: it counts once.
    assert_eq!(post(&sickbay, &body, (at, &signed)).json()["text"], format!("{id}: counted: 1 of 2 agreed"));
    assert!(post(&sickbay, &body, (at, &signed)).body.contains("counts once"));
    let said = click(&sickbay, &payload(&slack, &message, ("U0BOB", 1)));
    assert_eq!(said, format!("{id}: denied: it is not carried out"));
    assert_eq!(sickbay.verdict_of(1), "denied", "{}", sickbay.story());
    assert!(post(&sickbay, &body, (at, &signed)).status == 200);
    assert_eq!(docker.count("POST", "/restart"), 0);
    nothing_leaked(&sickbay);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_must_say_why_is_told_so_on_each_channel_and_counts_once_they_do() {
    let (docker, slack) = (engine(), Slack::start());
    let (sickbay, message) = asked_with((&docker, &slack), "reason: on_deny");
    let told = message.to_string();
    assert!(told.contains("one of sre; a no needs a reason"), "{told}");
    let ((id, plan), url) = (about(&message), format!("http://127.0.0.1:{}", sickbay.port));
    let said = click(&sickbay, &payload(&slack, &message, ("U0BOB", 1)));
    assert!(said.contains("does not count without a reason"), "{said}");

    let command = |args: &[&str]| {
        let said = sickbay.run(&[args, &["--url", &url, "--token-file", "ada.token"]].concat());
        let text = [said.stdout, said.stderr].map(|text| String::from_utf8(text).unwrap()).concat();
        (said.status.success(), text)
    };
    let (_, pending) = command(&["pending"]);
    let shown: String = plan.chars().take(12).collect();
    for want in ["one of sre; a no needs a reason", &format!("sickbay deny {id} --plan {shown} --comment WHY")] {
        assert!(pending.contains(want), "{want}: {pending}");
    }
    assert!(pending.contains(&format!("sickbay approve {id} --plan {shown}  or")), "{pending}");
    for args in [&["deny", &id] as &[&str], &["deny", &id, "--comment", " "]] {
        let (counted, text) = command(args);
        assert!(!counted && text.contains("Say why in the comment"), "{text}");
    }
    let headers = [("Content-Type", "application/json"), ("Authorization", "Bearer t0ken-of-ada-long-enough")];
    let body = json!({"vote": "deny", "plan": plan}).to_string();
    let answer = request(sickbay.port, &format!("POST /api/v1/approvals/{id}"), &headers, &body).unwrap();
    assert_eq!((answer.status, &answer.json()["code"]), (400, &json!("no_reason")), "{answer:?}");

    let (counted, text) = command(&["deny", &id, "--comment", "the backup still runs"]);
    assert!(counted, "{text}");
    assert_eq!(sickbay.verdict_of(1), "denied", "{}", sickbay.story());
    let votes = sickbay.records_of("approval.vote");
    let results: Vec<&Value> = votes.iter().map(|vote| &vote["result"]).collect();
    assert_eq!(results, ["no_reason", "no_reason", "no_reason", "no_reason", "denied"]);
    assert_eq!(docker.count("POST", "/restart"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_posted_nowhere_but_to_slack() {
    let (docker, slack, other) = (engine(), Slack::start(), Slack::start());
    let (sickbay, message) = asked(&docker, &slack);
    for url in [
        format!("http://127.0.0.1:{}{RESPONSE}", other.port),
        format!("http://localhost:{}{RESPONSE}", slack.port),
        format!("http://127.0.0.1:{}@127.0.0.1:{}{RESPONSE}", slack.port, other.port),
        "file:///etc/passwd".to_owned(),
        "c4nary".to_owned(),
    ] {
        let mut payload = payload(&slack, &message, ("U0ADA", 0));
        payload["response_url"] = json!(url);
        click(&sickbay, &payload);
    }
    // What is allowed comes after them, in order.
    click(&sickbay, &payload(&slack, &message, ("U0ADA", 0)));
    sickbay.until("Slack has its answer", || slack.posted(RESPONSE).pop());
    assert_eq!(slack.posted(RESPONSE).len(), 1, "one answer for one click that may be answered");
    assert!(other.posted(RESPONSE).is_empty(), "nobody else has");
    let said = sickbay.story();
    assert!(said.contains("leads to 127.0.0.1, and answers go to http://127.0.0.1:"), "{said}");
    nothing_leaked(&sickbay);
}
