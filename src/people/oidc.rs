//! A provider of OpenID Connect, as the settings name it: it vouches for who somebody is. That this is one of ours, the
//! settings say as well. Read [`OidcLogin`].

use super::Person;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

/// What `web.oidc` of the settings says.
#[derive(Clone, Debug)]
pub struct OidcLogin {
    /// The provider, as it writes its own name.
    pub issuer: String,
    /// What the provider calls us.
    pub client_id: String,
    /// What we prove ourselves with to the provider; `None` for a public client.
    pub client_secret: Option<SecretString>,
    /// What is asked for. `openid` is among them.
    pub scopes: Vec<String>,
    /// The claim that tells people apart.
    pub claim: String,
    /// What the provider is called on the page.
    pub name: String,
    /// The authorities that are trusted instead of the usual ones, in PEM.
    pub ca: Option<String>,
    /// Where the provider sends people back to.
    pub redirect_url: String,
}

impl OidcLogin {
    /// Where a provider sends people back to, below `web.external_url`.
    pub const CALLBACK: &str = "login/oidc/callback";

    /// The claim of which the provider must say that it has looked.
    pub const EMAIL: &str = "email";

    /// What a session rests on that began with the provider's word for this person: with another one it is over.
    #[must_use]
    pub fn credentials(&self, person: &Person) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(b"oidc/v1\0");
        let user = person.oidc_user.as_deref().unwrap_or_default();
        for part in [&*self.issuer, &*self.client_id, &*self.claim, user] {
            hash.update(part);
            hash.update(b"\0");
        }
        hash.update(person.credentials());
        hash.finalize().into()
    }

    /// Whether the settings say the very same.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        let plain = |of: &Self| {
            (
                [&of.issuer, &of.client_id, &of.claim, &of.name, &of.redirect_url].map(String::clone),
                of.scopes.clone(),
                of.ca.clone(),
            )
        };
        let secret = |of: &Self| of.client_secret.as_ref().map(|secret| secret.expose_secret().to_owned());
        plain(self) == plain(other) && secret(self) == secret(other)
    }
}
