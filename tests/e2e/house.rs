//! A daemon with every way in at once, and one question: tokens, the page, a proxy that has people log in, a provider, Slack
//! and signed links. `ada` and `bob` of `sre` may answer it, `ada` operates as well, and `eve` looks on.

use crate::alerts::{firing, notification};
use crate::fake_docker::FakeDocker;
use crate::http::{Answer, request};
use crate::oidc_provider::{Provider, SECRET as CLIENT_SECRET};
use crate::rules::{DOWN, engine, settings};
use crate::sickbay_process::Sickbay;
use crate::sink::Sink;
use crate::slack::{form, now, signature};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use sickbay::people::{LinkAbout, LinkKey};
use std::fs;

const SIGNING: &str = "c4nary-of-the-signing-secret-0123456789";
const LINKS: &str = "c4nary-of-the-link-secret-0123456789";

/// What proxies prove themselves with.
pub(crate) const PROXY: (&str, &str) = ("X-Proxy-Secret", "c4nary-of-the-proxy-0123");

pub(crate) const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");
pub(crate) const JSON: (&str, &str) = ("Content-Type", "application/json");
const HTML: (&str, &str) = ("Accept", "text/html");

/// Each path that the router knows, and what handles it there.
pub(crate) fn routes() -> Vec<(&'static str, &'static str)> {
    let source = include_str!("../../src/web/routes.rs");
    let routes = source.lines().filter_map(|line| line.trim().strip_prefix(".route(\"")?.split_once("\", "));
    let routes: Vec<_> = routes.collect();
    assert!(30 < routes.len(), "{routes:?}");
    routes
}

pub(crate) struct House {
    pub(crate) docker: FakeDocker,
    pub(crate) sickbay: Sickbay,
    pub(crate) provider: Provider,
    pub(crate) slack: Sink,
    /// The question.
    pub(crate) asked: Value,
}

/// All that may change when somebody decides: the log, byte by byte, and what is shown.
#[derive(Debug, PartialEq)]
pub(crate) struct State(Vec<u8>, Value, usize, usize);

impl House {
    /// Believes proxies at this address.
    pub(crate) fn new(trusted: &str) -> Self {
        let (docker, provider, slack) = (engine(), Provider::start(), Sink::start());
        let mut sickbay = Sickbay::new(DOWN, "");
        let (port, stand_in, issuer) = (sickbay.port, slack.port, provider.issuer());
        let own = format!(
            "web:
  external_url: http://127.0.0.1:{port}/
  forward_auth: {{header: Remote-User, secret_header: X-Proxy-Secret, secret_file: proxy, trusted: [{trusted}]}}
  oidc: {{issuer: '{issuer}', client_id: sickbay, client_secret_file: client}}
approvals: {{link_secret_file: links}}
slack: {{signing_secret_file: signing, team_id: T0US, app_id: A0US, answer_origin: 'http://127.0.0.1:{stand_in}'}}
people:
  - {{name: ada, groups: [sre], roles: [approve, operate], token_file: ada.token, slack_user: U0ADA, link_notifier: mail, oidc_user: '248289'}}
  - {{name: bob, groups: [sre], token_file: bob.token, slack_user: U0BOB}}
  - {{name: eve, groups: [sre], roles: [view], token_file: eve.token}}
notifiers:
  - {{name: mail, http: {{url: 'http://127.0.0.1:{stand_in}/mail'}}}}
"
        );
        let rules = DOWN.replace("    steps:", "    approval: {required: 2, from: [sre], timeout: 10m}\n    steps:");
        sickbay.write(&rules, &format!("{}{own}", settings(&docker)));
        for (file, secret) in [
            ("proxy", PROXY.1),
            ("client", CLIENT_SECRET),
            ("links", LINKS),
            ("signing", SIGNING),
            ("ada.token", "t0ken-of-ada-long-enough"),
            ("bob.token", "t0ken-of-bob-long-enough"),
            ("eve.token", "t0ken-of-eve-long-enough"),
        ] {
            sickbay.write_file(file, &format!("{secret}\n"));
        }
        sickbay.start(&[]);
        assert_eq!(sickbay.post(&alarm()).status, 200);
        let asked = sickbay.until("people are asked", || {
            let all = request(sickbay.port, "GET /api/v1/approvals", &[bearer("ada")], "").unwrap().json();
            all["approvals"].as_array().and_then(|all| all.first().cloned())
        });
        Self { docker, sickbay, provider, slack, asked }
    }

    pub(crate) fn id(&self) -> &str {
        self.asked["id"].as_str().unwrap()
    }

    pub(crate) fn plan(&self) -> &str {
        self.asked["plan"].as_str().unwrap()
    }

    /// The origin of its pages.
    pub(crate) fn origin(&self) -> String {
        format!("http://127.0.0.1:{}", self.sickbay.port)
    }

    pub(crate) fn send(&self, line: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        request(self.sickbay.port, line, headers, body).unwrap_or_else(|error| panic!("{line}: {error}"))
    }

    pub(crate) fn state(&self) -> State {
        let log = fs::read(self.sickbay.storage().join("incident_log.jsonl")).unwrap();
        let mut status = self.send("GET /api/v1/status", &[bearer("ada")], "").json();
        status["uptime_seconds"] = Value::Null;
        status["approvals"].as_array_mut().unwrap().iter_mut().for_each(|asked| asked["seconds_left"] = Value::Null);
        State(log, status, self.docker.count("POST", ""), self.slack.posted("/mail").len())
    }

    /// Logs somebody in with their token: the cookie, and what their forms bring back.
    pub(crate) fn session(&self, name: &str) -> (String, String) {
        let body = format!("name={name}&password=t0ken-of-{name}-long-enough");
        let answer = self.send("POST /login", &[FORM, ("Origin", &self.origin())], &body);
        assert_eq!(answer.status, 200, "{answer:?}");
        let cookie = answer.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
        (cookie, form_token(&answer).unwrap())
    }

    pub(crate) fn vote_by_api(&self, (who, vote): (&str, &str)) -> Answer {
        let body = json!({"vote": vote, "plan": self.plan()}).to_string();
        self.send(&format!("POST /api/v1/approvals/{}", self.id()), &[JSON, bearer(who)], &body)
    }

    /// On the page, as whoever these headers show: with the form that they are shown.
    pub(crate) fn vote_on_page(&self, headers: &[(&str, &str)], vote: &str) -> Answer {
        let page = self.send("GET /", &[headers, &[HTML]].concat(), "");
        let token = form_token(&page).unwrap_or_default();
        let body = format!("form_token={token}&plan={}&vote={vote}", self.plan());
        let origin = self.origin();
        let headers = [headers, &[FORM, HTML, ("Origin", &origin)]].concat();
        self.send(&format!("POST /approvals/{}", self.id()), &headers, &body)
    }

    /// The form and the headers of a click in Slack.
    pub(crate) fn click_of(&self, (user, button): (&str, &str)) -> (String, [(String, String); 2]) {
        let payload = json!({
            "type": "block_actions", "api_app_id": "A0US", "team": {"id": "T0US"}, "user": {"id": user, "team_id": "T0US"},
            "actions": [{"action_id": button, "value": format!("{} {}", self.id(), self.plan())}],
        });
        let (body, at) = (form(&payload), now());
        let signed = signature(&body, at, SIGNING);
        let named = |name: &str, value: String| (name.to_owned(), value);
        (body, [named("X-Slack-Request-Timestamp", at.to_string()), named("X-Slack-Signature", signed)])
    }

    /// What Slack tells whoever has clicked.
    pub(crate) fn click(&self, user: &str, button: &str) -> String {
        let (body, [time, signed]) = self.click_of((user, button));
        let headers = [FORM, (&*time.0, &*time.1), (&*signed.0, &*signed.1)];
        let answer = self.send("POST /api/v1/slack/interactive", &headers, &body);
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()["text"].as_str().unwrap().to_owned()
    }

    /// The token of a link of this person, as the daemon itself would make it.
    pub(crate) fn link_token(&self, approver: &str) -> String {
        let key = LinkKey::new(SecretString::from(LINKS)).unwrap();
        let until = self.asked["until"].as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>().unwrap().timestamp();
        let about = LinkAbout { approval: self.id(), plan: self.plan(), approver, until };
        key.token(about).expose_secret().to_owned()
    }

    pub(crate) fn press(&self, approver: &str, decision: &str) -> Answer {
        let body = json!({"token": self.link_token(approver), "decision": decision}).to_string();
        self.send(&format!("POST /a/{}", self.id()), &[JSON, ("Origin", &self.origin())], &body)
    }
}

/// The alert that people are asked about.
pub(crate) fn alarm() -> Value {
    notification(&[firing(&json!({"alertname": "Down", "container": "web"}))])
}

/// The token of one of the people, or of nobody.
pub(crate) fn bearer(name: &str) -> (&'static str, &'static str) {
    let value = match name {
        "ada" => "Bearer t0ken-of-ada-long-enough",
        "bob" => "Bearer t0ken-of-bob-long-enough",
        _ => "Bearer t0ken-of-eve-long-enough",
    };
    ("Authorization", value)
}

/// What the forms of a page bring back, if it has any.
pub(crate) fn form_token(page: &Answer) -> Option<String> {
    Some(page.body.split("name=\"form_token\" value=\"").nth(1)?.split('"').next().unwrap().to_owned())
}
