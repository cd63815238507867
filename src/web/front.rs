//! What stands before every path: TLS, users, and further headers, as `web.config_file` says them.
//!
//! It knows no file: whoever reads one hands it what came of it, at the start and whenever it has changed. Read [`Front`].

use super::routes::Site;
use crate::people::Users;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use rustls::ServerConfig;
use std::sync::{Arc, PoisonError, RwLock};

/// What a connection and a request meet first.
#[derive(Debug, Default)]
pub struct Front(RwLock<Arc<Door>>);

/// [`Front`], for one connection or one request.
#[derive(Debug, Default)]
pub struct Door {
    /// How addresses are spoken to; `None`: plain HTTP.
    pub tls: Option<Arc<ServerConfig>>,
    /// Who may come in; empty: everybody.
    pub users: Users,
    /// Added to each answer.
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

impl Front {
    /// This one.
    #[must_use]
    pub fn new(door: Door) -> Self {
        Self(RwLock::new(Arc::new(door)))
    }

    /// From the next connection and the next request on, this one.
    pub fn change(&self, door: Door) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(door);
    }

    /// As it is now.
    #[must_use]
    pub fn door(&self) -> Arc<Door> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Paths to which `webhook.senders` come, and nobody else by their word.
const FOR_SENDERS: [&str; 2] = ["/api/v1/webhook", "/webhook"];

/// What each answer says that does not say otherwise itself: no browser takes it for anything else, runs it, frames it, tells
/// where it was, or keeps it.
const ALWAYS: [(HeaderName, &str); 4] = [
    (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-store"),
];

/// Lets through whoever may come in at all, and adds the headers.
pub(super) async fn needed(State(site): State<Arc<Site>>, request: Request, next: Next) -> Response {
    let door = site.front.door();
    let (mut head, body) = request.into_parts();
    let entered = if door.users.is_empty() {
        Ok(None)
    } else {
        let is_sender = FOR_SENDERS.contains(&head.uri.path()) && site.webhook.knows(&head.headers);
        if is_sender { Ok(None) } else { site.guard.enter(&head, &door).await }
    };
    let mut response = match entered {
        Ok(entered) => {
            if let Some(entered) = entered {
                head.extensions.insert(entered);
            }
            next.run(Request::from_parts(head, body)).await
        }
        Err(denied) => denied.into_response(),
    };
    let headers = response.headers_mut();
    for (name, value) in ALWAYS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    for (name, value) in &door.headers {
        // A browser keeps to each of several policies; of everything else the stricter one is ours.
        if *name == header::CONTENT_SECURITY_POLICY {
            headers.append(name, value.clone());
        } else if !headers.contains_key(name) {
            headers.insert(name, value.clone());
        }
    }
    response
}
