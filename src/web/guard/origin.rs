//! Where a request comes from: from one of our own pages, from another site's, or from a program on this machine.

use super::Peer;
use axum::http::request::Parts;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, header};
use std::net::IpAddr;

/// Headers by which a proxy says that the request is not its own.
const FORWARDED: [&str; 6] =
    ["forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip"];

/// The origin of a URL as browsers write it: without path, and without the port that goes without saying.
pub(super) fn origin_of(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let authority = rest.split('/').next().unwrap_or_default();
    let usual = if scheme == "https" { ":443" } else { ":80" };
    let authority = authority.strip_suffix(usual).unwrap_or(authority);
    Some(format!("{scheme}://{authority}").to_ascii_lowercase())
}

/// Whether a page of another site is behind it. Browsers say where a request comes from; other programs do not. Ours is
/// what has the name in `Host`, or that of `web.external_url` where a proxy puts another name there. Where we speak TLS, nothing
/// that a browser got without it is ours.
pub(super) fn is_foreign(headers: &HeaderMap, ours: Option<&str>, tls: bool) -> bool {
    let other_site = |value: &HeaderValue| !matches!(value.as_bytes(), b"same-origin" | b"none");
    let host = headers.get(header::HOST).map(HeaderValue::as_bytes).unwrap_or_default();
    let other_origin = |value: &HeaderValue| {
        let origin = value.as_bytes();
        if ours.is_some_and(|ours| origin.eq_ignore_ascii_case(ours.as_bytes())) {
            return false;
        }
        let plain = origin.strip_prefix(b"http://").filter(|_| !tls);
        let authority = plain.or_else(|| origin.strip_prefix(b"https://"));
        authority.is_none_or(|authority| authority.is_empty() || !authority.eq_ignore_ascii_case(host))
    };
    headers.get_all("sec-fetch-site").iter().any(other_site) || headers.get_all(header::ORIGIN).iter().any(other_origin)
}

/// Whether whoever sends it says where it comes from, as browsers do with every form.
pub(super) fn says_where(headers: &HeaderMap) -> bool {
    headers.contains_key("sec-fetch-site") || headers.contains_key(header::ORIGIN)
}

/// The address a request came from, if it came from one.
pub(super) fn address_of(head: &Parts) -> Option<IpAddr> {
    match head.extensions.get::<Peer>()? {
        Peer::Address(address) => Some(*address),
        Peer::User(_) => None,
    }
}

/// The user of this machine who sends it; a proxy sends it for somebody else.
pub(super) fn user_of(head: &Parts) -> Option<u32> {
    match head.extensions.get::<Peer>()? {
        Peer::Address(_) => None,
        Peer::User(uid) => (!is_by_proxy(head)).then_some(*uid),
    }
}

/// Whether a program on this machine sends it, and no proxy for somebody else, as far as one can tell.
pub(super) fn is_local(head: &Parts) -> bool {
    let is_here = match head.extensions.get::<Peer>() {
        Some(Peer::Address(address)) => address.to_canonical().is_loopback(),
        Some(Peer::User(_)) => true,
        None => false,
    };
    is_here && !is_by_proxy(head) && head.headers.get_all(header::HOST).iter().all(is_own_name)
}

fn is_by_proxy(head: &Parts) -> bool {
    FORWARDED.iter().any(|name| head.headers.contains_key(*name))
}

/// `localhost`, or an address: no name that somebody else's DNS server could let point here.
fn is_own_name(host: &HeaderValue) -> bool {
    let authority = host.to_str().ok().and_then(|host| host.parse::<Authority>().ok());
    authority.is_some_and(|authority| {
        let name = authority.host().trim_start_matches('[').trim_end_matches(']');
        name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok()
    })
}
