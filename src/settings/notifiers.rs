//! `notifiers` of the settings.

use super::raw::{Later, RawHttp, RawNotifier, RawSlackNotifier};
use super::resolve::Checks;
use super::types::{HttpNotifier, NotifierSettings, NotifierTo, SlackNotifier};
use secrecy::{ExposeSecret, SecretString};
use std::collections::BTreeSet;

impl Checks<'_> {
    /// All notifiers that can be used; the others are reported.
    pub(super) fn notifiers(&mut self, raw: Vec<RawNotifier>, has_app: bool) -> Vec<NotifierSettings> {
        let mut names = BTreeSet::new();
        let mut notifiers = Vec::new();
        for (index, mut notifier) in raw.into_iter().enumerate() {
            let key = format!("notifiers[{index}]");
            self.unique_name(&format!("{key}.name"), &notifier.name, &mut names);
            if notifier.name == "log" {
                self.fail(&format!("{key}.name"), "`log` is built in; choose another name");
            }
            let kinds = kinds_of_later(&mut notifier);
            let refused = kinds.iter().any(|(_, later)| later.is_some());
            kinds.into_iter().for_each(|(kind, later)| self.refuse_later(&format!("{key}.{kind}"), later));
            let to = match (notifier.http, notifier.slack, notifier.email) {
                (Some(http), None, None) => self.http(&format!("{key}.http"), http).map(NotifierTo::Http),
                (None, Some(slack), None) => {
                    self.slack_notifier(&format!("{key}.slack"), slack, has_app).map(NotifierTo::Slack)
                }
                (None, None, Some(email)) => {
                    self.email(&format!("{key}.email"), email).map(|email| NotifierTo::Email(Box::new(email)))
                }
                (None, None, None) if refused => None,
                (None, None, None) => {
                    self.fail(&key, "needs `http`, `slack` or `email`: where its notices go");
                    None
                }
                (Some(_), Some(_), _) | (Some(_), _, Some(_)) | (_, Some(_), Some(_)) => {
                    let message = "goes one way: keep one of `http`, `slack` and `email`, and write another entry for the \
                                   other";
                    self.fail(&key, message);
                    None
                }
            };
            notifiers.extend(to.map(|to| NotifierSettings { name: notifier.name, to }));
        }
        notifiers
    }

    fn slack_notifier(&mut self, key: &str, raw: RawSlackNotifier, has_app: bool) -> Option<SlackNotifier> {
        if raw.buttons == Some(true) && !has_app {
            let message = "needs `slack` at the top of the file, with `signing_secret_file` and `team_id`: without them \
                           nobody could tell whose click it is; add it, or write `buttons: false`";
            self.fail(&format!("{key}.buttons"), message);
        }
        let url = self.url(key, raw.url, raw.url_file);
        Some(SlackNotifier { url: url?, buttons: raw.buttons.unwrap_or(has_app) })
    }

    /// Where it sends: exactly one of the two.
    fn url(&mut self, key: &str, text: Option<String>, file: Option<String>) -> Option<SecretString> {
        let url_key = if text.is_some() { format!("{key}.url") } else { format!("{key}.url_file") };
        if text.is_none() && file.is_none() {
            self.fail(key, "needs `url` or `url_file`");
        }
        let url = self.secret(&format!("{key}.url"), text, file);
        if let Some(message) = url.as_ref().and_then(|url| wrong_url(url.expose_secret())) {
            self.fail(&url_key, message);
        }
        url
    }

    fn http(&mut self, key: &str, raw: RawHttp) -> Option<HttpNotifier> {
        let url = self.url(key, raw.url, raw.url_file);
        let method = raw.method.unwrap_or_else(|| "POST".to_owned());
        if !matches!(method.as_str(), "POST" | "PUT") {
            self.fail(&format!("{key}.method"), "must be POST or PUT");
        }
        let has_token = raw.bearer_token.is_some() || raw.bearer_token_file.is_some();
        for (name, value) in &raw.headers {
            let valid = http::HeaderName::try_from(name).is_ok() && http::HeaderValue::try_from(value).is_ok();
            let key = format!("{key}.headers.{name}");
            if !valid {
                self.fail(&key, "is not a header: letters, digits and `-`, and a value without line breaks");
            } else if has_token && name.eq_ignore_ascii_case("authorization") {
                self.fail_key(&key, "is given beside `bearer_token`; keep one of the two");
            }
        }
        let headers = raw.headers.into_iter().map(|(name, value)| (name, SecretString::from(value))).collect();
        let bearer_token = self.secret(&format!("{key}.bearer_token"), raw.bearer_token, raw.bearer_token_file);
        Some(HttpNotifier { url: url?, method, headers, bearer_token })
    }
}

/// Why a URL cannot be sent to. Never shows the URL: chat services put their token into it.
fn wrong_url(url: &str) -> Option<&'static str> {
    let uri = url.parse::<http::Uri>().ok().filter(|uri| uri.authority().is_some());
    let scheme = uri.as_ref().and_then(|uri| uri.scheme_str());
    (!matches!(scheme, Some("http" | "https")))
        .then_some("must be a URL that starts with http:// or https://; write it as https://chat.example/hooks")
}

fn kinds_of_later(raw: &mut RawNotifier) -> [(&'static str, Later); 11] {
    [
        ("discord", raw.discord.take()),
        ("teams", raw.teams.take()),
        ("telegram", raw.telegram.take()),
        ("mattermost", raw.mattermost.take()),
        ("google_chat", raw.google_chat.take()),
        ("ntfy", raw.ntfy.take()),
        ("gotify", raw.gotify.take()),
        ("pagerduty", raw.pagerduty.take()),
        ("opsgenie", raw.opsgenie.take()),
        ("apprise", raw.apprise.take()),
        ("alertmanager", raw.alertmanager.take()),
    ]
}
