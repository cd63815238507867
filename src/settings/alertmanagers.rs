//! `alertmanagers` of the settings: who is asked whether an alert still fires.

use super::raw::RawAlertmanager;
use super::resolve::Checks;
use super::types::{AlertmanagerSettings, SenderAuth};
use std::collections::BTreeSet;

impl Checks<'_> {
    /// All Alertmanagers that can be asked; the others are reported.
    pub(super) fn alertmanagers(&mut self, raw: Vec<RawAlertmanager>) -> Vec<AlertmanagerSettings> {
        let mut urls = BTreeSet::new();
        let mut instances = Vec::new();
        for (index, entry) in raw.into_iter().enumerate() {
            let key = format!("alertmanagers[{index}]");
            let url = entry.url.trim_end_matches('/').to_owned();
            if let Some(message) = wrong_url(&url) {
                self.fail(&format!("{key}.url"), message);
            } else if !urls.insert(url.clone()) {
                self.fail(&format!("{key}.url"), "is that of an earlier entry; name each instance once");
            }
            let has_bearer = entry.bearer_token.is_some() || entry.bearer_token_file.is_some();
            let bearer = self.secret(&format!("{key}.bearer_token"), entry.bearer_token, entry.bearer_token_file);
            let has_basic = entry.basic_auth.is_some();
            let basic = self.basic_auth(&key, entry.basic_auth);
            if has_bearer && has_basic {
                self.fail(&key, "there is one way to prove who asks: keep `bearer_token` or `basic_auth`");
            }
            instances.push(AlertmanagerSettings { url, auth: bearer.map(SenderAuth::Bearer).or(basic) });
        }
        instances
    }
}

/// Why a URL cannot be asked. Never shows it: whoever writes a password into it has written a secret.
fn wrong_url(url: &str) -> Option<&'static str> {
    let uri = url.parse::<http::Uri>().ok();
    let authority = uri.as_ref().and_then(http::Uri::authority);
    let scheme = uri.as_ref().and_then(http::Uri::scheme_str);
    let Some(authority) = authority.filter(|_| matches!(scheme, Some("http" | "https"))) else {
        return Some("must be a URL that starts with http:// or https://; write it as http://alertmanager:9093");
    };
    if authority.as_str().contains('@') {
        return Some("holds a user; give it as `basic_auth` instead");
    }
    let more = uri.as_ref().is_some_and(|uri| uri.query().is_some()) || url.contains('#');
    more.then_some("must end with the host or a path prefix, without a query")
}
