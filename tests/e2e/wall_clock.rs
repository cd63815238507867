//! The wall clock is set by a day, forward or back, while people are asked and while the daemon is down: what is over stays over,
//! what is open stays open, and no proof outlives its time.

use crate::alerts::{firing, notification};
use crate::fake_clock::FakeClock;
use crate::fake_docker::{FakeDocker, running};
use crate::http::{Answer, request};
use crate::rules::{DOWN, engine, settings};
use crate::sickbay_process::Sickbay;
use crate::slack::{form, now, signature};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use sickbay::people::{LinkAbout, LinkKey};
use std::time::{Duration, Instant};

const DAY: i64 = 86_400;
const SIGNING: &str = "c4nary-of-the-signing-secret-0123456789";
const LINKS: &str = "c4nary-of-the-link-secret-0123456789";
const ORIGIN: (&str, &str) = ("Sec-Fetch-Site", "same-origin");
const JSON: (&str, &str) = ("Content-Type", "application/json");
const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");
const ADA: (&str, &str) = ("Authorization", "Bearer t0ken-of-ada-long-enough");

/// `web` may be asked about for ten minutes, `shop` for three seconds.
fn daemon(docker: &FakeDocker) -> (Sickbay, FakeClock) {
    let mut shop = running("cd", "shop");
    shop["Config"]["Labels"]["sickbay.enable"] = "true".into();
    docker.put(shop);
    let asking = |timeout: &str| {
        let approval = format!("    approval: {{required: 1, from: [sre], timeout: {timeout}}}\n    steps:");
        DOWN.replace("    steps:", &approval)
    };
    let brief = asking("3s").replace("name: down", "name: brief").replace("\"Down\"", "\"Brief\"");
    let rules = asking("10m") + brief.split_once("playbooks:\n").unwrap().1;
    let own = "
web: {external_url: 'https://sickbay.example/'}
approvals: {link_secret_file: links}
slack: {signing_secret_file: signing, team_id: T0US, answer_origin: 'http://127.0.0.1:9'}
people:
  - {name: ada, groups: [sre], token_file: ada.token, slack_user: U0ADA, link_notifier: mail}
notifiers:
  - {name: mail, http: {url: 'http://127.0.0.1:9/mail'}}
";
    let mut sickbay = Sickbay::new(&rules, &format!("{}{own}", settings(docker)));
    sickbay.write_file("links", LINKS);
    sickbay.write_file("signing", SIGNING);
    sickbay.write_file("ada.token", "t0ken-of-ada-long-enough");
    let clock = FakeClock::new(sickbay.directory());
    sickbay.launch_by(&clock.launcher());
    sickbay.start(&[]);
    (sickbay, clock)
}

/// The question about a container, once people are asked about it.
fn asked(sickbay: &Sickbay, (alertname, container): (&str, &str)) -> Value {
    let alert = firing(&json!({"alertname": alertname, "container": container}));
    assert_eq!(sickbay.post(&notification(&[alert])).status, 200);
    sickbay.until("people are asked", || {
        let open = request(sickbay.port, "GET /api/v1/approvals", &[ADA], "").unwrap().json();
        open["approvals"].as_array().unwrap().iter().find(|asked| asked["target"] == container).cloned()
    })
}

fn by_api(sickbay: &Sickbay, asked: &Value) -> Answer {
    let body = json!({"vote": "approve", "plan": asked["plan"]}).to_string();
    let line = format!("POST /api/v1/approvals/{}", asked["id"].as_str().unwrap());
    request(sickbay.port, &line, &[JSON, ADA], &body).unwrap()
}

/// By the link that was sent when people were asked.
fn by_link(sickbay: &Sickbay, asked: &Value) -> Answer {
    let text = |key: &str| asked[key].as_str().unwrap();
    let until = text("until").parse::<chrono::DateTime<chrono::Utc>>().unwrap().timestamp();
    let key = LinkKey::new(SecretString::from(LINKS)).unwrap();
    let token = key.token(LinkAbout { approval: text("id"), plan: text("plan"), approver: "ada", until });
    let body = json!({"token": token.expose_secret(), "decision": "approve"}).to_string();
    request(sickbay.port, &format!("POST /a/{}", text("id")), &[JSON, ORIGIN], &body).unwrap()
}

/// A click that Slack has signed at this moment.
fn by_slack(sickbay: &Sickbay, asked: &Value, at: i64) -> Answer {
    let value = format!("{} {}", asked["id"].as_str().unwrap(), asked["plan"].as_str().unwrap());
    let body = form(&json!({
        "type": "block_actions", "team": {"id": "T0US"}, "user": {"id": "U0ADA", "team_id": "T0US"},
        "actions": [{"action_id": "sickbay_approve", "value": value}],
    }));
    let (time, signed) = (at.to_string(), signature(&body, at, SIGNING));
    let headers = [FORM, ("X-Slack-Request-Timestamp", &*time), ("X-Slack-Signature", &signed)];
    request(sickbay.port, "POST /api/v1/slack/interactive", &headers, &body).unwrap()
}

/// Whatever way a yes comes, it is too late.
fn is_over(sickbay: &Sickbay, asked: &Value, off: i64) {
    for answer in [by_api(sickbay, asked), by_link(sickbay, asked)] {
        assert!([404, 409, 410].contains(&answer.status), "{off:+}: {answer:?}");
    }
    let click = by_slack(sickbay, asked, now() + off);
    assert!(click.status == 200 && click.body.contains("decided before"), "{off:+}: {click:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wall_clock_that_is_set_neither_ends_an_open_question_nor_opens_one_that_is_over() {
    for off in [DAY, -DAY] {
        let docker = engine();
        let (mut sickbay, clock) = daemon(&docker);
        let login = "name=ada&password=t0ken-of-ada-long-enough";
        let entered = request(sickbay.port, "POST /login", &[FORM, ORIGIN], login).unwrap();
        let cookie = entered.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
        let web = asked(&sickbay, ("Down", "web"));
        let (shop, begun) = (asked(&sickbay, ("Brief", "shop")), Instant::now());
        clock.set(off);
        // It is over after its three seconds, neither before nor a day later.
        let expired = sickbay.wait_for("approval.expired", 1);
        assert_eq!(expired[0]["act"], shop["id"], "{expired:?}");
        assert!((Duration::from_secs(2)..Duration::from_secs(60)).contains(&begun.elapsed()), "{:?}", begun.elapsed());
        let shown = request(sickbay.port, "GET /status", &[("Cookie", &cookie), ("Accept", "text/html")], "").unwrap();
        assert_eq!(shown.status, 200, "a session is not ended by it");
        for down in [false, true] {
            if down {
                sickbay.kill();
                sickbay.start(&[]);
                sickbay.until("the question is shown again", || {
                    let open = request(sickbay.port, "GET /api/v1/approvals", &[ADA], "").unwrap().json();
                    (open["approvals"].as_array().unwrap().len() == 1).then_some(())
                });
            }
            is_over(&sickbay, &shop, off);
            // Slack and the daemon must agree on the time, whichever of them is wrong.
            assert_eq!(by_slack(&sickbay, &web, now()).status, 401, "{off:+}");
            if 0 < off {
                let link = by_link(&sickbay, &web);
                assert_eq!((link.status, &link.json()["code"]), (410, &"link_expired".into()), "{link:?}");
                // By this clock it is too late, and by the other one it is not: nobody's yes counts, and nothing is ended.
                let said = by_api(&sickbay, &web);
                assert_eq!((said.status, &said.json()["code"]), (410, &"too_late".into()), "{said:?}");
            }
        }
        assert_eq!(docker.count("POST", "/restart"), 0, "{}", sickbay.story());
        assert_eq!(sickbay.records_of("approval.expired").len(), 1);
        // Set ahead, it must be set right first; set back, it is in nobody's way.
        clock.set(off.min(0));
        let said = by_api(&sickbay, &web);
        assert_eq!((said.status, &said.json()["result"]), (200, &"approved".into()), "{off:+}: {said:?}");
        assert_eq!(sickbay.verdict_of(2), "recovered", "{}", sickbay.story());
        assert_eq!(docker.count("POST", "/restart"), 1);
    }
}
