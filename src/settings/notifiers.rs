//! `notifiers` of the settings.

use super::raw::{Later, RawHttp, RawNotifier};
use super::resolve::Checks;
use super::types::{HttpNotifier, NotifierSettings};
use secrecy::{ExposeSecret, SecretString};
use std::collections::BTreeSet;

impl Checks<'_> {
    /// All notifiers that can be used; the others are reported.
    pub(super) fn notifiers(&mut self, raw: Vec<RawNotifier>) -> Vec<NotifierSettings> {
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
            match notifier.http {
                Some(http) => {
                    let http = self.http(&format!("{key}.http"), http);
                    notifiers.extend(http.map(|http| NotifierSettings { name: notifier.name, http }));
                }
                None if refused => {}
                None => self.fail(&key, "needs `http`: where its notices go"),
            }
        }
        notifiers
    }

    fn http(&mut self, key: &str, raw: RawHttp) -> Option<HttpNotifier> {
        let url_key = if raw.url.is_some() { format!("{key}.url") } else { format!("{key}.url_file") };
        if raw.url.is_none() && raw.url_file.is_none() {
            self.fail(key, "needs `url` or `url_file`");
        }
        let url = self.secret(&format!("{key}.url"), raw.url, raw.url_file);
        if let Some(message) = url.as_ref().and_then(|url| wrong_url(url.expose_secret())) {
            self.fail(&url_key, message);
        }
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
                self.fail(&key, "is given beside `bearer_token`; keep one of the two");
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
    (!matches!(scheme, Some("http" | "https"))).then_some("must be a URL that starts with http:// or https://")
}

fn kinds_of_later(raw: &mut RawNotifier) -> [(&'static str, Later); 13] {
    [
        ("slack", raw.slack.take()),
        ("discord", raw.discord.take()),
        ("teams", raw.teams.take()),
        ("telegram", raw.telegram.take()),
        ("mattermost", raw.mattermost.take()),
        ("google_chat", raw.google_chat.take()),
        ("ntfy", raw.ntfy.take()),
        ("gotify", raw.gotify.take()),
        ("pagerduty", raw.pagerduty.take()),
        ("opsgenie", raw.opsgenie.take()),
        ("email", raw.email.take()),
        ("apprise", raw.apprise.take()),
        ("alertmanager", raw.alertmanager.take()),
    ]
}
