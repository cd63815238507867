//! Logging in by a provider of OpenID Connect: from the link on our own page to a session like any other.
//!
//! Until the answer is known to belong to the login of this very browser, nobody is asked and nothing is counted: otherwise
//! a foreign page could use up its visitors' attempts.

use super::origin::address_of;
use super::{Denied, Guard, LoggedIn, cookie};
use crate::oidc::{Answer, Away, Provider, Refused};
use crate::web::sessions::Way;
use axum::http::request::Parts;
use std::sync::Arc;
use std::time::Instant;

/// The cookie of a login that has been begun.
const COOKIE: &str = "sickbay_login";

/// The same over TLS.
const TLS_COOKIE: &str = "__Host-sickbay_login";

/// Why nobody was logged in by the provider.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotIn {
    /// The settings name no provider, or another one by now.
    #[error("the settings have no `web.oidc`, or have changed since; log in in another way, or begin again")]
    Off,
    /// It was not begun on a page of ours, or tried too often.
    #[error("{0}")]
    Denied(#[from] Denied),
    /// The provider's word is not taken.
    #[error("{0}")]
    Refused(#[from] Refused),
    /// The provider vouches for somebody who is nobody here.
    #[error(
        "the provider knows you, and you are not in this daemon's people; ask the operator: your entry of `people` needs \
         `oidc_user: {0:?}`"
    )]
    Nobody(String),
}

impl NotIn {
    /// As it is counted.
    pub(in crate::web) fn as_str(&self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Denied(_) => "denied",
            Self::Refused(refused) => refused.as_str(),
            Self::Nobody(_) => "unknown_person",
        }
    }
}

/// A login that begins.
pub struct Begins {
    /// Where the browser is sent.
    pub url: String,
    /// The cookie to set.
    pub cookie: String,
}

/// Somebody who came back from the provider and is logged in.
pub struct CameBack {
    /// Who.
    pub known: LoggedIn,
    /// Where they were going: a path of ours that begins with `/`.
    pub to: String,
}

impl Guard {
    /// The provider of the settings, if there is one.
    #[must_use]
    pub fn provider(&self) -> Option<Arc<Provider>> {
        self.known().oidc
    }

    /// Begins a login by the provider, for a browser that was going to this path.
    ///
    /// # Errors
    /// [`NotIn`] says why not.
    pub async fn begin_login(&self, head: &Parts, to: &str) -> Result<Begins, NotIn> {
        let known = self.known();
        if known.is_foreign(&head.headers) {
            return Err(Denied::Foreign.into());
        }
        let provider = known.oidc.as_ref().ok_or(NotIn::Off)?;
        let beginning = provider.begin(to).await?;
        Ok(Begins { url: beginning.url, cookie: cookie_of(known.over_tls(), &beginning.cookie, "") })
    }

    /// The cookie of no login.
    #[must_use]
    pub fn no_login_cookie(&self) -> String {
        cookie_of(self.known().over_tls(), "", "; Max-Age=0")
    }

    /// Lets somebody in whom the provider has sent back with this query; `now` in seconds since 1970.
    ///
    /// # Errors
    /// [`NotIn`] says why not.
    pub async fn finish_login(&self, head: &Parts, now: i64) -> Result<CameBack, NotIn> {
        let before = self.known();
        let provider = before.oidc.as_ref().ok_or(NotIn::Off)?;
        let name = if before.over_tls() { TLS_COOKIE } else { COOKIE };
        let answer = Answer::read(head.uri.query().unwrap_or_default());
        let begun = provider.recognise(cookie(&head.headers, name), &answer)?;
        let from = address_of(head);
        if !self.attempts.begin(from, Instant::now()) {
            return Err(Denied::TooOften.into());
        }
        let vouched = provider.vouch(&begun, answer, now).await;
        if let Ok(_) | Err(Refused::Away(Away::Unreachable | Away::Slow(_) | Away::Unusable) | Refused::Provider(_)) =
            &vouched
        {
            // Nobody has tried to be somebody else.
            self.attempts.succeeded(from);
        }
        let user = vouched?;
        let known = self.known();
        // What the provider said counts under the settings that it was asked by.
        if !known.oidc.as_ref().is_some_and(|now| Arc::ptr_eq(now, provider)) {
            return Err(NotIn::Off);
        }
        let person = known.people.by_oidc_user(&user).cloned().ok_or(NotIn::Nobody(user))?;
        let secret = self.begin_session(&person, (Way::Oidc, &known)).ok_or(Refused::Busy)?;
        tracing::info!(person = person.name, by = "oidc", "logged in");
        let known =
            LoggedIn { person, secret, over_tls: known.over_tls(), channel: Way::Oidc.channel(), by_proxy: false };
        Ok(CameBack { known, to: begun.to })
    }
}

/// It comes along when the provider sends the browser back, which is another site, and with no form of another site.
fn cookie_of(over_tls: bool, value: &str, ends: &str) -> String {
    let (name, secure) = if over_tls { (TLS_COOKIE, "; Secure") } else { (COOKIE, "") };
    let lasts = if ends.is_empty() { "; Max-Age=600" } else { ends };
    format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax{secure}{lasts}")
}
