//! The way out to the systems that playbooks name: one request, sent once, and whether a URL answers.
//!
//! No redirects, no proxy, no link-local addresses, and never without a deadline. What comes back is untrusted: its start is
//! kept, without secrets. Read [`Requester::send`] first.

use crate::http_client::guarded;
use crate::model::id::ActId;
use crate::model::link_local::is_link_local;
use crate::model::redact::clean;
use crate::model::request::{ANSWER_LEN_MAX, IDEMPOTENCY_KEY, REQUEST_WITHIN, Request, RequestOutcome};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Method, Response, Url};
use std::error::Error;
use std::net::IpAddr;
use std::time::Duration;

/// How long a URL is given that is only looked at.
const PROBE_WITHIN: Duration = Duration::from_secs(5);

/// Sends requests. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Requester(Client);

impl Requester {
    /// Makes one.
    ///
    /// # Errors
    /// Why TLS could not be set up.
    pub fn new() -> Result<Self, String> {
        Ok(Self(guarded(REQUEST_WITHIN)?))
    }

    /// Sends a request once.
    pub async fn send(&self, act: ActId, request: &Request, deadline: Duration) -> RequestOutcome {
        let failed = |error: String| RequestOutcome::Failed { error };
        let (url, method, headers) = match parts(act, request) {
            Ok(parts) => parts,
            Err(error) => return failed(format!("not sent: {error}")),
        };
        let mut call = self.0.request(method, url).headers(headers).timeout(deadline);
        if let Some(body) = &request.body {
            call = call.body(body.clone());
        }
        match call.send().await {
            Ok(response) => {
                let status = response.status().as_u16();
                let detail = start_of(response).await;
                RequestOutcome::Answered { status, expected: request.expect.contains(&status), detail }
            }
            // Nobody took the connection, so nothing was sent.
            Err(error) if error.is_connect() || error.is_builder() => failed(format!("not sent: {}", causes(&error))),
            Err(error) if request.only_asks() => failed(said(&error, deadline)),
            Err(error) => RequestOutcome::Unknown { error: said(&error, deadline) },
        }
    }

    /// Whether a GET is answered with a status of 200 to 299.
    ///
    /// # Errors
    /// What came instead.
    pub async fn probe(&self, url: &str) -> Result<String, String> {
        let url = allowed(url)?;
        let answered = self.0.get(url).timeout(PROBE_WITHIN).send().await;
        let status = answered.map_err(|error| said(&error, PROBE_WITHIN))?.status();
        if status.is_success() { Ok(status.as_u16().to_string()) } else { Err(format!("answered {}", status.as_u16())) }
    }
}

fn parts(act: ActId, request: &Request) -> Result<(Url, Method, HeaderMap), String> {
    let method = Method::from_bytes(request.method.as_bytes()).map_err(|error| error.to_string())?;
    let mut headers = HeaderMap::new();
    for (name, value) in &request.headers {
        let name: HeaderName = name.parse().map_err(|error| format!("the header {name:?}: {error}"))?;
        let value = HeaderValue::from_str(value).map_err(|error| format!("the header {name:?}: {error}"))?;
        headers.append(name, value);
    }
    let key = HeaderValue::from_str(&act.to_string()).map_err(|error| error.to_string())?;
    headers.insert(HeaderName::from_bytes(IDEMPOTENCY_KEY.as_bytes()).map_err(|error| error.to_string())?, key);
    if let Some(body) = &request.body
        && !headers.contains_key(CONTENT_TYPE)
    {
        let json = serde_json::from_str::<serde::de::IgnoredAny>(body).is_ok();
        let kind = if json { "application/json" } else { "text/plain; charset=utf-8" };
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    }
    Ok((allowed(&request.url)?, method, headers))
}

/// A URL that may be called.
fn allowed(url: &str) -> Result<Url, String> {
    let url: Url = url.parse().map_err(|error| format!("this is not a URL: {error}"))?;
    let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    if host.parse::<IpAddr>().is_ok_and(is_link_local) {
        return Err(format!("{host} is a link-local address, which sickbay does not call"));
    }
    Ok(url)
}

/// The start of an answer, in one line.
async fn start_of(mut response: Response) -> String {
    let mut bytes = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        bytes.extend_from_slice(&chunk);
        if ANSWER_LEN_MAX < bytes.len() {
            break;
        }
    }
    clean(&String::from_utf8_lossy(&bytes), ANSWER_LEN_MAX)
}

fn said(error: &reqwest::Error, deadline: Duration) -> String {
    if error.is_timeout() {
        return format!("timed out after {} s", deadline.as_secs_f64());
    }
    causes(error)
}

/// The error without its URL, and what is behind it.
fn causes(error: &reqwest::Error) -> String {
    let mut words = Vec::new();
    let mut source = error.source();
    while let Some(cause) = source {
        words.push(cause.to_string());
        source = cause.source();
    }
    if words.is_empty() { "the request failed".to_owned() } else { clean(&words.join(": "), ANSWER_LEN_MAX) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::id::{IncidentId, Seq};
    use axum::Router;
    use axum::extract::Request as Received;
    use axum::http::StatusCode;
    use axum::response::{IntoResponse, Redirect};
    use axum::routing::any;
    use std::sync::{Arc, Mutex};
    use tokio::net::TcpListener;
    use tokio::task::JoinSet;

    const ACT: ActId = ActId { incident: IncidentId(Seq(1042)), number: 2 };
    const SECOND: Duration = Duration::from_secs(1);

    type Seen = Arc<Mutex<Vec<(String, HeaderMap, String)>>>;

    /// A service with one path for each way to answer.
    async fn service() -> (JoinSet<()>, String, Seen) {
        let seen = Seen::default();
        let noted = Arc::clone(&seen);
        let answer = move |received: Received| {
            let noted = Arc::clone(&noted);
            async move {
                let (head, body) = received.into_parts();
                let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
                let body = String::from_utf8_lossy(&body).into_owned();
                noted.lock().unwrap().push((format!("{} {}", head.method, head.uri), head.headers, body));
                match head.uri.path() {
                    "/away" => Redirect::temporary("/elsewhere").into_response(),
                    "/slow" => {
                        tokio::time::sleep(SECOND * 30).await;
                        StatusCode::OK.into_response()
                    }
                    "/long" => format!("token=hunter2 {}", "x".repeat(100_000)).into_response(),
                    "/bad" => (StatusCode::SERVICE_UNAVAILABLE, "not today").into_response(),
                    _ => (StatusCode::CREATED, "done\n").into_response(),
                }
            }
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let mut tasks = JoinSet::new();
        let app = Router::new().fallback(any(answer));
        tasks.spawn(async move { axum::serve(listener, app).await.unwrap() });
        (tasks, base, seen)
    }

    fn request(method: &'static str, url: String, body: Option<&str>) -> Request {
        let headers = vec![("X-Source".to_owned(), "sickbay".to_owned())];
        Request { method, url, headers, body: body.map(str::to_owned), expect: vec![200, 201] }
    }

    #[tokio::test]
    async fn a_request_is_sent_once_with_its_key_and_its_answer_is_judged() {
        let (_tasks, base, seen) = service().await;
        let requester = Requester::new().unwrap();
        for (path, body, kind) in
            [("/json?c=a%2Fb", "{\"a\": 1}", "application/json"), ("/text", "a b", "text/plain; charset=utf-8")]
        {
            let sent = requester.send(ACT, &request("POST", format!("{base}{path}"), Some(body)), SECOND * 5).await;
            assert_eq!(sent, RequestOutcome::Answered { status: 201, expected: true, detail: "done".to_owned() });
            let (line, headers, got) = seen.lock().unwrap().pop().unwrap();
            assert_eq!((line, got.as_str()), (format!("POST {path}"), body));
            assert_eq!(
                (&headers["idempotency-key"], &headers["x-source"]),
                (&"i1042.2".parse().unwrap(), &"sickbay".parse().unwrap())
            );
            assert_eq!(headers["content-type"], kind);
        }
        for (path, status) in [("/bad", 503), ("/away", 307)] {
            let sent = requester.send(ACT, &request("PUT", format!("{base}{path}"), None), SECOND * 5).await;
            assert!(
                matches!(sent, RequestOutcome::Answered { status: got, expected: false, .. } if got == status),
                "{sent:?}"
            );
        }
        assert_eq!(seen.lock().unwrap().len(), 2, "nothing is followed, nothing is tried again");
    }

    #[tokio::test]
    async fn an_answer_is_kept_short_and_without_secrets() {
        let (_tasks, base, _) = service().await;
        let sent = Requester::new().unwrap().send(ACT, &request("GET", format!("{base}/long"), None), SECOND * 5).await;
        let RequestOutcome::Answered { detail, .. } = sent else { panic!("{sent:?}") };
        assert!(detail.len() <= ANSWER_LEN_MAX && detail.starts_with("token=[redacted] xxx"), "{detail}");
    }

    #[tokio::test]
    async fn what_got_no_answer_is_unknown_unless_it_only_asked_or_was_never_sent() {
        let (_tasks, base, _) = service().await;
        let requester = Requester::new().unwrap();
        let send = async |method, url: String| requester.send(ACT, &request(method, url, None), SECOND / 2).await;
        let slow = format!("{base}/slow");
        assert_eq!(
            send("POST", slow.clone()).await,
            RequestOutcome::Unknown { error: "timed out after 0.5 s".to_owned() }
        );
        assert_eq!(send("GET", slow).await, RequestOutcome::Failed { error: "timed out after 0.5 s".to_owned() });
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let nobody = format!("http://{}/", free.local_addr().unwrap());
        drop(free);
        let refused = send("POST", nobody).await;
        assert!(matches!(&refused, RequestOutcome::Failed { error } if error.starts_with("not sent: ")), "{refused:?}");
    }

    #[tokio::test]
    async fn link_local_addresses_are_not_called_however_they_are_written() {
        let requester = Requester::new().unwrap();
        for url in [
            "http://169.254.169.254/latest/meta-data/",
            "http://[fe80::1]/",
            "http://[::ffff:169.254.169.254]/",
            "http://2852039166/",
            "http://0xa9.0xfe.0xa9.0xfe/",
        ] {
            let sent = requester.send(ACT, &request("POST", url.to_owned(), None), SECOND).await;
            let RequestOutcome::Failed { error } = sent else { panic!("{url}: {sent:?}") };
            assert!(error.contains("link-local"), "{url}: {error}");
            assert!(requester.probe(url).await.is_err_and(|error| error.contains("link-local")), "{url}");
        }
    }

    #[tokio::test]
    async fn a_url_is_well_with_any_status_from_200_to_299() {
        let (_tasks, base, seen) = service().await;
        let requester = Requester::new().unwrap();
        for (path, want) in [("/", Ok("201")), ("/bad", Err("answered 503")), ("/away", Err("answered 307"))] {
            let probed = requester.probe(&format!("{base}{path}")).await;
            assert_eq!(probed.as_deref().map_err(String::as_str), want, "{path}");
        }
        assert_eq!(seen.lock().unwrap().len(), 3);
    }
}
