//! Who may change something over HTTP: programs on this machine, or whoever knows the token; never another site's page.
//!
//! A browser on this machine is such a program too, so whatever a foreign page could make it send is refused: by the
//! headers that browsers add, and by the name in `Host` (a name that leads here only by a trick of DNS is not ours). Read
//! [`Guard::admit`] first.

use super::api::ApiError;
use axum::Json;
use axum::http::request::Parts;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use std::net::IpAddr;
use std::sync::{PoisonError, RwLock};
use subtle::ConstantTimeEq;

/// Headers by which a proxy says that the request is not its own.
const FORWARDED: [&str; 4] = ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip"];

/// The address a request came from; the server puts it into each request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(pub IpAddr);

/// Lets in, or not.
pub struct Guard {
    /// SHA-256 of the token. Without one, only this machine is let in.
    token: RwLock<Option<[u8; 32]>>,
}

/// Why a request may change nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// A page of another site is behind it.
    #[error("a page of another site may change nothing here")]
    Foreign,
    /// It comes from another machine, and there is no token that it could know.
    #[error("only programs on the machine of the daemon may do this: set `web.api_token_file` to let others in")]
    Elsewhere,
    /// No token, or not the right one.
    #[error("needs the header `Authorization: Bearer …` with the token of `web.api_token_file`")]
    Token,
}

impl Guard {
    /// With a token it is asked of everyone.
    #[must_use]
    pub fn new(token: Option<&SecretString>) -> Self {
        Self { token: RwLock::new(hashed(token)) }
    }

    /// From the next request on, this is the token.
    pub fn change(&self, token: Option<&SecretString>) {
        *self.token.write().unwrap_or_else(PoisonError::into_inner) = hashed(token);
    }

    /// Whether the request may change something.
    ///
    /// # Errors
    /// [`Denied`] says why not.
    pub fn admit(&self, head: &Parts) -> Result<(), Denied> {
        if is_foreign(&head.headers) {
            return Err(Denied::Foreign);
        }
        let token = *self.token.read().unwrap_or_else(PoisonError::into_inner);
        match &token {
            Some(token) => knows(&head.headers, token).then_some(()).ok_or(Denied::Token),
            None => is_local(head).then_some(()).ok_or(Denied::Elsewhere),
        }
    }
}

fn hashed(token: Option<&SecretString>) -> Option<[u8; 32]> {
    token.map(|token| digest(token.expose_secret().as_bytes()))
}

/// Browsers say where a request comes from; other programs do not.
fn is_foreign(headers: &HeaderMap) -> bool {
    let other_site = |value: &HeaderValue| !matches!(value.as_bytes(), b"same-origin" | b"none");
    let host = headers.get(header::HOST).map(HeaderValue::as_bytes).unwrap_or_default();
    let other_origin = |value: &HeaderValue| {
        let origin = value.as_bytes();
        let authority = origin.strip_prefix(b"http://").or_else(|| origin.strip_prefix(b"https://"));
        authority.is_none_or(|authority| authority.is_empty() || !authority.eq_ignore_ascii_case(host))
    };
    headers.get_all("sec-fetch-site").iter().any(other_site) || headers.get_all(header::ORIGIN).iter().any(other_origin)
}

fn knows(headers: &HeaderMap, token: &[u8; 32]) -> bool {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return false };
    let bytes = value.as_bytes();
    let presented = bytes.split_at_checked(7).filter(|(scheme, _)| scheme.eq_ignore_ascii_case(b"bearer "));
    presented.is_some_and(|(_, presented)| digest(presented.trim_ascii()).ct_eq(token).into())
}

fn is_local(head: &Parts) -> bool {
    let peer = head.extensions.get::<Peer>().is_some_and(|Peer(address)| address.to_canonical().is_loopback());
    let by_proxy = FORWARDED.iter().any(|name| head.headers.contains_key(*name));
    peer && !by_proxy && head.headers.get_all(header::HOST).iter().all(is_own_name)
}

/// `localhost`, or an address: no name that somebody else's DNS server could let point here.
fn is_own_name(host: &HeaderValue) -> bool {
    let authority = host.to_str().ok().and_then(|host| host.parse::<Authority>().ok());
    authority.is_some_and(|authority| {
        let name = authority.host().trim_start_matches('[').trim_end_matches(']');
        name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok()
    })
}

fn digest(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

impl IntoResponse for Denied {
    fn into_response(self) -> Response {
        let body = Json(ApiError { error: self.to_string() });
        match self {
            Self::Foreign | Self::Elsewhere => (StatusCode::FORBIDDEN, body).into_response(),
            Self::Token => {
                let challenge = [(header::WWW_AUTHENTICATE, "Bearer realm=\"sickbay\"")];
                (StatusCode::UNAUTHORIZED, challenge, body).into_response()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::Request;

    fn head(peer: Option<&str>, headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::post("/api/v1/pauses");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        parts.extensions.extend(
            peer.map(|peer| {
                let mut extensions = axum::http::Extensions::new();
                extensions.insert(Peer(peer.parse().unwrap()));
                extensions
            })
            .unwrap_or_default(),
        );
        parts
    }

    #[test]
    fn without_a_token_only_programs_of_this_machine_are_let_in() {
        let guard = Guard::new(None);
        let here = ("host", "127.0.0.1:10112");
        for (peer, headers, want) in [
            (Some("127.0.0.1"), &[here][..], Ok(())),
            (Some("::1"), &[("host", "[::1]:10112")], Ok(())),
            (Some("::ffff:127.0.0.1"), &[("host", "localhost:10112")], Ok(())),
            (Some("127.0.0.1"), &[], Ok(())),
            (Some("127.0.0.1"), &[here, ("origin", "http://127.0.0.1:10112")], Ok(())),
            (Some("127.0.0.1"), &[here, ("sec-fetch-site", "same-origin")], Ok(())),
            (Some("192.0.2.7"), &[here], Err(Denied::Elsewhere)),
            (None, &[here], Err(Denied::Elsewhere)),
            (Some("127.0.0.1"), &[here, ("x-forwarded-for", "192.0.2.7")], Err(Denied::Elsewhere)),
            (Some("127.0.0.1"), &[("host", "evil.example:10112")], Err(Denied::Elsewhere)),
            (Some("127.0.0.1"), &[("host", "localhost.evil.example")], Err(Denied::Elsewhere)),
            (Some("192.0.2.7"), &[here, ("authorization", "Bearer ")], Err(Denied::Elsewhere)),
            (Some("127.0.0.1"), &[here, ("origin", "http://evil.example")], Err(Denied::Foreign)),
            (Some("127.0.0.1"), &[here, ("origin", "null")], Err(Denied::Foreign)),
            (Some("127.0.0.1"), &[here, ("sec-fetch-site", "cross-site")], Err(Denied::Foreign)),
            (Some("127.0.0.1"), &[here, ("sec-fetch-site", "same-site")], Err(Denied::Foreign)),
        ] {
            assert_eq!(guard.admit(&head(peer, headers)), want, "{peer:?} {headers:?}");
        }
    }

    #[test]
    fn with_a_token_everybody_needs_it() {
        let guard = Guard::new(Some(&SecretString::from("s3cret")));
        let good = ("authorization", "Bearer s3cret");
        for (peer, headers, want) in [
            ("192.0.2.7", &[good][..], Ok(())),
            ("192.0.2.7", &[("authorization", "bearer  s3cret")], Ok(())),
            ("192.0.2.7", &[good, ("host", "sickbay.example"), ("x-forwarded-for", "192.0.2.8")], Ok(())),
            ("127.0.0.1", &[], Err(Denied::Token)),
            ("127.0.0.1", &[("authorization", "Bearer s3cre")], Err(Denied::Token)),
            ("127.0.0.1", &[("authorization", "Bearer ")], Err(Denied::Token)),
            ("127.0.0.1", &[("authorization", "s3cret")], Err(Denied::Token)),
            ("127.0.0.1", &[("authorization", "Basic s3cret")], Err(Denied::Token)),
            ("127.0.0.1", &[good, good], Err(Denied::Token)),
            ("127.0.0.1", &[good, ("origin", "http://evil.example")], Err(Denied::Foreign)),
        ] {
            assert_eq!(guard.admit(&head(Some(peer), headers)), want, "{peer} {headers:?}");
        }
        guard.change(Some(&SecretString::from("another")));
        assert_eq!(guard.admit(&head(Some("127.0.0.1"), &[good])), Err(Denied::Token));
        guard.change(None);
        assert_eq!(guard.admit(&head(Some("192.0.2.7"), &[good])), Err(Denied::Elsewhere));
    }
}
