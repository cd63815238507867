//! `slack` of the settings: the app whose buttons approve and deny.

use super::raw::RawSlack;
use super::resolve::Checks;
use crate::people::SlackApp;
use secrecy::ExposeSecret;
use std::net::SocketAddr;

/// The longest ID that Slack may give to anything.
const ID_LEN_MAX: usize = 32;

impl Checks<'_> {
    /// All of it must be right: half of it would take strangers for people.
    pub(super) fn slack(&mut self, raw: RawSlack) -> Option<SlackApp> {
        let key = |name: &str| format!("slack.{name}");
        let secret_key = key(if raw.signing_secret_file.is_some() { "signing_secret_file" } else { "signing_secret" });
        if raw.signing_secret.is_none() && raw.signing_secret_file.is_none() {
            let message = "needs `signing_secret_file`: without it anybody could click; copy the signing secret from \
                           Basic Information of the app into a file, and name it here";
            self.fail("slack", message);
        }
        let secret = self.secret(&key("signing_secret"), raw.signing_secret, raw.signing_secret_file);
        let secret = secret.and_then(|secret| {
            let least = SlackApp::SECRET_LEN_MIN;
            let message = format!(
                "is shorter than {least} characters, as none of Slack's is; copy the signing secret from Basic \
                 Information of the app"
            );
            let long = least <= secret.expose_secret().len();
            self.keep(&secret_key, if long { Ok(secret) } else { Err(message) })
        });
        let team =
            self.keep(&key("team_id"), slack_id(raw.team_id, ["T", "E"], "the address of Slack in a browser has it"));
        let app = raw
            .app_id
            .map(|id| self.keep(&key("app_id"), slack_id(id, ["A", "A"], "Basic Information of the app shows it")));
        let origin = raw.answer_origin.unwrap_or_else(|| SlackApp::ANSWERS.to_owned());
        let origin = self.keep(&key("answer_origin"), answer_origin(origin));
        Some(SlackApp {
            signing_secret: secret?,
            team_id: team?,
            app_id: app.map_or(Some(None), |app| app.map(Some))?,
            answer_origin: origin?,
        })
    }
}

/// An ID as Slack gives it: one of these letters, then letters and digits, all large.
pub(super) fn slack_id(id: String, begins: [&str; 2], found: &str) -> Result<String, String> {
    let plain = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
    let fits = (3..=ID_LEN_MAX).contains(&id.len()) && id.bytes().all(plain);
    if fits && begins.iter().any(|letter| id.starts_with(letter)) {
        return Ok(id);
    }
    Err(format!("is no ID of Slack such as {}012AB3CD; {found}", begins.first().copied().unwrap_or_default()))
}

/// Slack, or a program on this machine: whoever learns the signing secret must not be able to send us anywhere.
fn answer_origin(text: String) -> Result<String, String> {
    let local = text.strip_prefix("http://").and_then(|address| address.parse::<SocketAddr>().ok());
    if text == SlackApp::ANSWERS || local.is_some_and(|address| address.ip().is_loopback()) {
        return Ok(text);
    }
    Err(format!(
        "must be {}, or for tests http:// with an address and port of this machine; leave it out",
        SlackApp::ANSWERS
    ))
}
