//! `web.oidc` of the settings: the provider by which people log in.

use super::raw::RawOidc;
use super::resolve::Checks;
use super::types::WebSettings;
use crate::people::OidcLogin;
use std::net::IpAddr;

/// The longest text that any provider gives to a client or a claim.
const NAME_LEN_MAX: usize = 255;

/// What a token says of itself and not of a person.
const NOBODYS_CLAIMS: [&str; 8] = ["iss", "aud", "azp", "exp", "iat", "nbf", "nonce", "email_verified"];

impl Checks<'_> {
    /// All of it must be right: half of it would take strangers for people.
    pub(super) fn oidc(&mut self, raw: RawOidc, external_url: Option<&str>) -> Option<OidcLogin> {
        let key = |name: &str| format!("web.oidc.{name}");
        let redirect_url = self.keep("web.oidc", redirect_url(external_url));
        let issuer = self.keep(&key("issuer"), issuer(raw.issuer));
        let client_id = self.keep(&key("client_id"), plain_text(raw.client_id));
        let gives_secret = raw.client_secret.is_some() || raw.client_secret_file.is_some();
        let client_secret = self.secret(&key("client_secret"), raw.client_secret, raw.client_secret_file);
        let claim = raw.claim.unwrap_or_else(|| "sub".to_owned());
        let claim = self.keep(&key("claim"), claim_name(claim));
        let scopes = match (raw.scopes, claim.as_deref()) {
            (Some(scopes), _) => scopes,
            (None, Some(OidcLogin::EMAIL)) => vec!["openid".to_owned(), "email".to_owned()],
            (None, Some("sub") | None) => vec!["openid".to_owned()],
            (None, Some(_)) => vec!["openid".to_owned(), "profile".to_owned()],
        };
        let is_scope = |scope: &String| {
            !scope.is_empty() && scope.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"\\".contains(&byte))
        };
        if !scopes.iter().all(is_scope) {
            self.fail(&key("scopes"), "a scope is letters, digits and signs, without spaces: one item for each");
        } else if !scopes.iter().any(|scope| scope == "openid") {
            self.fail(&key("scopes"), "needs `openid`: without it the provider says nothing about who somebody is");
        }
        let ca_key = key("ca_file");
        let ca = raw.ca_file.map(|file| {
            let path = self.path(&ca_key, &file);
            self.pem(&ca_key, &path)
        });
        let issuer = issuer?;
        let host = issuer.split_once("://").and_then(|(_, rest)| rest.split('/').next()).unwrap_or_default();
        let name = self.keep(&key("name"), plain_text(raw.name.unwrap_or_else(|| host.to_owned())));
        if gives_secret && client_secret.is_none() {
            return None;
        }
        Some(OidcLogin {
            client_id: client_id?,
            client_secret,
            scopes,
            claim: claim?,
            name: name?,
            ca: ca.map_or(Some(None), |ca| ca.map(Some))?,
            redirect_url: redirect_url?,
            issuer,
        })
    }

    /// What `people[].oidc_user` says, if the provider can say it.
    pub(super) fn oidc_user(&mut self, key: &str, user: Option<String>, web: &WebSettings) -> Option<String> {
        let user = user?;
        let key = format!("{key}.oidc_user");
        // A provider that could not be read has been reported by itself.
        if web.oidc.is_none() && !self.is_wrong("web.oidc") {
            let message = "needs `web.oidc`, with `issuer` and `client_id`: without it nobody says who that is; add it, or \
                           remove this";
            self.fail(&key, message);
        }
        let is_user = (1..=NAME_LEN_MAX).contains(&user.len()) && user.bytes().all(|byte| byte.is_ascii_graphic());
        let message = "is no name that is compared byte by byte: 1 to 255 letters, digits and signs of ASCII, without spaces; \
                       copy it from the provider, or log in once and read it on the page";
        self.keep(&key, if is_user { Ok(user) } else { Err(message.to_owned()) })
    }
}

/// Below the address by which browsers reach us, and over TLS: what comes back there logs somebody in.
fn redirect_url(external_url: Option<&str>) -> Result<String, String> {
    let example = "such as https://sickbay.example/";
    let Some(url) = external_url else {
        return Err(format!("needs `web.external_url`, {example}: the provider sends people back there"));
    };
    if is_secure(url) {
        return Ok(format!("{url}{}", OidcLogin::CALLBACK));
    }
    Err(format!("needs `web.external_url` to begin with https://, {example}; only on this machine http:// will do"))
}

fn issuer(text: String) -> Result<String, String> {
    let uri: Option<http::Uri> = text.parse().ok();
    let authority = uri.as_ref().and_then(http::Uri::authority);
    let is_plain = authority.is_some_and(|authority| !authority.as_str().contains('@'))
        && uri.as_ref().is_some_and(|uri| uri.query().is_none())
        && !text.contains('#');
    if is_plain && is_secure(&text) {
        return Ok(text);
    }
    Err("must be the provider's https:// address as it writes it itself, such as https://id.example/realms/ops, without \
         name, password, `?` and `#`; only on this machine http:// will do"
        .to_owned())
}

/// Whether nobody on the way can read along.
fn is_secure(url: &str) -> bool {
    let Ok(uri) = url.parse::<http::Uri>() else { return false };
    let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    let is_here = host.eq_ignore_ascii_case("localhost") || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
    match uri.scheme_str() {
        Some("https") => !host.is_empty(),
        Some("http") => is_here,
        Some(_) | None => false,
    }
}

fn plain_text(text: String) -> Result<String, String> {
    let is_plain = (1..=NAME_LEN_MAX).contains(&text.len()) && !text.chars().any(char::is_control);
    if is_plain { Ok(text) } else { Err("is empty, too long, or holds control characters".to_owned()) }
}

fn claim_name(name: String) -> Result<String, String> {
    let is_name = (1..=NAME_LEN_MAX).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic());
    if is_name && !NOBODYS_CLAIMS.contains(&&*name) {
        return Ok(name);
    }
    Err("is no claim that names a person; write sub, email, or another that nobody can choose for themselves"
        .to_owned())
}
