//! Logging in by the provider of `web.oidc`: the way there, and the way back.
//!
//! The answer to the way back is a page, and no redirect: browsers leave the session's cookie out as long as a request was
//! caused by another site, and only from a page of ours on it comes along.

use super::handlers::{ask_to_log_in, frame, set_cookie, turned_away};
use super::render::page;
use crate::oidc::{Away, Refused};
use crate::web::guard::{CameBack, NotIn};
use crate::web::routes::Site;
use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use std::sync::Arc;

#[derive(Serialize)]
struct Entered {
    onward: String,
}

/// Where a login begins that leads back to the page that was asked for.
pub(super) fn begin_path(site: &Site, head: &Parts) -> String {
    let shown = head.method == Method::GET;
    let to = head.uri.path_and_query().map(|path| path.as_str());
    let to = to.filter(|path| shown && !path.starts_with("/login"));
    let to = to.and_then(|to| serde_urlencoded::to_string([("to", to)]).ok());
    let query = to.map(|to| format!("?{to}")).unwrap_or_default();
    format!("{}login/oidc{query}", site.root)
}

/// Somebody goes to the provider to log in.
pub(in crate::web) async fn begin_login(State(site): State<Arc<Site>>, head: Parts) -> Response {
    let query: Vec<(String, String)> =
        serde_urlencoded::from_str(head.uri.query().unwrap_or_default()).unwrap_or_default();
    let to = query.iter().find(|(key, _)| key == "to").map_or("/", |(_, to)| &**to);
    let begins = match site.guard.begin_login(&head, to).await {
        Ok(begins) => begins,
        Err(not_in) => return told(&site, &head, &not_in),
    };
    let Ok(url) = HeaderValue::from_str(&begins.url) else {
        return told(&site, &head, &NotIn::Refused(Refused::Away(Away::Unusable)));
    };
    let kept = [(header::CACHE_CONTROL, "no-store"), (header::REFERRER_POLICY, "no-referrer")];
    let mut response = (StatusCode::SEE_OTHER, kept).into_response();
    response.headers_mut().insert(header::LOCATION, url);
    set_cookie(&mut response, &begins.cookie);
    response
}

/// Somebody comes back from the provider.
pub(in crate::web) async fn finish_login(State(site): State<Arc<Site>>, head: Parts) -> Response {
    let now = site.slack.clock.as_ref()().timestamp();
    let mut response = match site.guard.finish_login(&head, now).await {
        Ok(CameBack { known, to }) => {
            site.metrics.oidc_login("logged_in");
            let onward = format!("{}{}", site.root, to.trim_start_matches('/'));
            let facts = Entered { onward: onward.clone() };
            let mut response =
                page(StatusCode::OK, ("Logged in", "entered.html"), &frame(&site, Some(&known), None), &facts);
            set_cookie(&mut response, &known.cookie());
            if let Ok(refresh) = HeaderValue::from_str(&format!("0;url={onward}")) {
                response.headers_mut().insert("refresh", refresh);
            }
            response
        }
        Err(not_in) => told(&site, &head, &not_in),
    };
    set_cookie(&mut response, &site.guard.no_login_cookie());
    // The address of this page holds the provider's code.
    response.headers_mut().insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

/// Why somebody is not logged in, with the ways to do it.
fn told(site: &Site, head: &Parts, not_in: &NotIn) -> Response {
    site.metrics.oidc_login(not_in.as_str());
    tracing::warn!(why = %not_in, "somebody could not log in by the provider of `web.oidc`");
    let status = match not_in {
        NotIn::Off => StatusCode::NOT_FOUND,
        NotIn::Denied(denied) => return turned_away(site, head, *denied),
        NotIn::Nobody(_) => StatusCode::FORBIDDEN,
        NotIn::Refused(refused) => match refused {
            Refused::NotBegun | Refused::Stale | Refused::State | Refused::Replayed | Refused::OtherProvider => {
                StatusCode::BAD_REQUEST
            }
            Refused::Provider(_) | Refused::Code | Refused::Token(_) => StatusCode::FORBIDDEN,
            Refused::Busy | Refused::Away(_) => StatusCode::SERVICE_UNAVAILABLE,
        },
    };
    ask_to_log_in(site, head, status, Some((false, not_in.to_string())))
}
