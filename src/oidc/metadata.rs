//! What a provider says of itself (OpenID Connect Discovery), and what of it is used. Read [`Metadata::read`].

use crate::model::link_local::{address_of, is_link_local};
use reqwest::Url;
use serde::Deserialize;

/// Where the provider is, and how it wants to be spoken to.
#[derive(Clone, Debug)]
pub(super) struct Metadata {
    pub(super) authorization: Url,
    pub(super) token: Url,
    pub(super) keys: Url,
    /// Its answers name it (RFC 9207): one that does not is another's.
    pub(super) names_itself: bool,
    /// The secret is wanted in the body, and not in the header.
    pub(super) secret_in_body: bool,
}

#[derive(Deserialize)]
struct Said {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    code_challenge_methods_supported: Option<Vec<String>>,
}

impl Metadata {
    /// Where a provider says it.
    pub(super) fn place(issuer: &str) -> String {
        format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'))
    }

    /// The error says what cannot be used, for the operator.
    pub(super) fn read(json: &[u8], issuer: &str) -> Result<Self, String> {
        let said: Said =
            serde_json::from_slice(json).map_err(|error| format!("its metadata cannot be read: {error}"))?;
        if said.issuer != issuer {
            return Err(format!("it calls itself {:?}: write `web.oidc.issuer` exactly so", said.issuer));
        }
        if said.code_challenge_methods_supported.is_some_and(|all| !all.iter().any(|method| method == "S256")) {
            return Err("it does not take PKCE with S256".to_owned());
        }
        let methods = said.token_endpoint_auth_methods_supported.unwrap_or_default();
        let takes = |wanted: &str| methods.iter().any(|method| method == wanted);
        let is_here = issuer.starts_with("http://");
        Ok(Self {
            authorization: endpoint("authorization_endpoint", &said.authorization_endpoint, is_here)?,
            token: endpoint("token_endpoint", &said.token_endpoint, is_here)?,
            keys: endpoint("jwks_uri", &said.jwks_uri, is_here)?,
            names_itself: said.authorization_response_iss_parameter_supported,
            secret_in_body: takes("client_secret_post") && !takes("client_secret_basic"),
        })
    }
}

/// An address that the provider names: over TLS, unless it is on this very machine like the provider.
fn endpoint(name: &str, text: &str, is_here: bool) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("its {name} {text:?} is no URL: {error}"))?;
    let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_owned();
    let address = address_of(&host);
    let loopback = host == "localhost" || address.is_some_and(|address| address.is_loopback());
    let secure = url.scheme() == "https" || (url.scheme() == "http" && is_here && loopback);
    let plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    if !secure || !plain || address.is_some_and(is_link_local) {
        return Err(format!("its {name} {text:?} is no https:// address that sickbay calls"));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn said(changes: &Value) -> Value {
        let mut said = json!({
            "issuer": "https://id.example/a",
            "authorization_endpoint": "https://id.example/authorize?tenant=1",
            "token_endpoint": "https://id.example/token",
            "jwks_uri": "https://keys.example/jwks",
        });
        said.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        said
    }

    #[test]
    fn what_a_provider_says_of_itself_is_read() {
        let read =
            |changes: Value| Metadata::read(said(&changes).to_string().as_bytes(), "https://id.example/a").unwrap();
        let plain = read(json!({}));
        assert_eq!(plain.authorization.as_str(), "https://id.example/authorize?tenant=1");
        assert!(!plain.names_itself && !plain.secret_in_body);
        let methods = |methods: &[&str]| read(json!({"token_endpoint_auth_methods_supported": methods})).secret_in_body;
        assert_eq!(
            [methods(&["client_secret_post"]), methods(&["client_secret_post", "client_secret_basic"])],
            [true, false]
        );
        assert!(read(json!({"authorization_response_iss_parameter_supported": true})).names_itself);
        for (issuer, place) in [
            ("https://id.example/a", "https://id.example/a/.well-known/openid-configuration"),
            ("https://id.example/", "https://id.example/.well-known/openid-configuration"),
        ] {
            assert_eq!(Metadata::place(issuer), place);
        }
    }

    #[test]
    fn a_provider_that_cannot_be_used_is_told_with_the_reason() {
        for (changes, want) in [
            (json!({"issuer": "https://id.example/a/"}), "write `web.oidc.issuer` exactly so"),
            (json!({"issuer": "https://evil.example"}), "it calls itself"),
            (json!({"token_endpoint": null}), "its metadata cannot be read"),
            (json!({"token_endpoint": "http://id.example/token"}), "its token_endpoint"),
            (json!({"token_endpoint": "http://127.0.0.1/token"}), "its token_endpoint"),
            (json!({"token_endpoint": "https://169.254.169.254/token"}), "its token_endpoint"),
            (json!({"jwks_uri": "https://2852039166/jwks"}), "its jwks_uri"),
            (json!({"jwks_uri": "file:///etc/passwd"}), "its jwks_uri"),
            (json!({"jwks_uri": "https://a:b@id.example/jwks"}), "its jwks_uri"),
            (json!({"authorization_endpoint": "javascript:alert(1)"}), "its authorization_endpoint"),
            (json!({"authorization_endpoint": "https://id.example/#a"}), "its authorization_endpoint"),
            (json!({"code_challenge_methods_supported": ["plain"]}), "PKCE with S256"),
        ] {
            let text = said(&changes).to_string();
            let error = Metadata::read(text.as_bytes(), "https://id.example/a").unwrap_err();
            assert!(error.contains(want), "{error} instead of {want}");
        }
        let here = json!({
            "issuer": "http://127.0.0.1:1", "authorization_endpoint": "http://127.0.0.1:1/a",
            "token_endpoint": "http://localhost:1/t", "jwks_uri": "http://[::1]:1/k",
        });
        assert!(Metadata::read(here.to_string().as_bytes(), "http://127.0.0.1:1").is_ok());
    }
}
