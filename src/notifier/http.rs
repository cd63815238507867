//! Notices by HTTP: one JSON object to one configured URL.
//!
//! Redirects are not followed, the answer's body is not read, and an error names the host only: the path of such a URL
//! is usually a secret. A try is repeated only where the other side may not have seen it or asks for it.
//! Read [`HttpNotifier::send`] first.

use super::link::SignedLink;
use super::pace::{Failure, Pace};
use crate::http_client;
use crate::model::notice::{Notice, NoticeOutcome};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Method, StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};
use std::error::Error;
use std::fmt;
use tokio::net::TcpStream;

/// Where and how to send, as configured.
#[derive(Clone, Debug)]
pub struct HttpConfig {
    /// The whole URL. Often it holds a secret.
    pub url: SecretString,
    /// `POST`, `PUT` or `PATCH`.
    pub method: String,
    /// More headers.
    pub headers: Vec<(String, SecretString)>,
    /// For `Authorization: Bearer …`.
    pub bearer_token: Option<SecretString>,
}

/// Why a notifier cannot be made from its settings.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotifierError {
    /// Not a URL, or none we can send to.
    #[error("the notifier's `url` is not an http or https URL: {0}")]
    Url(String),
    /// Not a method that carries a body.
    #[error("the notifier's `method` is {0:?}; use POST, PUT or PATCH")]
    Method(String),
    /// Not a header.
    #[error("the notifier's header {0:?} has a name or value that HTTP does not allow")]
    Header(String),
    /// TLS could not be set up.
    #[error("the HTTP client cannot be set up: {0}")]
    Client(String),
    /// A mail server that cannot be spoken to.
    #[error("mail cannot be set up: {0}")]
    Mail(String),
}

/// Sends notices to one URL.
#[derive(Clone)]
pub struct HttpNotifier {
    client: Client,
    method: Method,
    url: Url,
    headers: HeaderMap,
    pace: Pace,
}

impl fmt::Debug for HttpNotifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpNotifier").field("host", &self.host()).finish_non_exhaustive()
    }
}

impl HttpNotifier {
    /// Makes a notifier from its settings.
    ///
    /// # Errors
    /// [`NotifierError`] naming the setting that is wrong.
    pub fn new(config: &HttpConfig, pace: Pace) -> Result<Self, NotifierError> {
        let url: Url = config.url.expose_secret().parse().map_err(|error| NotifierError::Url(format!("{error}")))?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return Err(NotifierError::Url(format!("its scheme is {:?}", url.scheme())));
        }
        let method = match config.method.to_ascii_uppercase().as_str() {
            "POST" => Method::POST,
            "PUT" => Method::PUT,
            "PATCH" => Method::PATCH,
            _ => return Err(NotifierError::Method(config.method.clone())),
        };
        let client = http_client::client(pace.deadline).map_err(NotifierError::Client)?;
        Ok(Self { client, method, url, headers: headers(config)?, pace })
    }

    /// Sends a notice, a few times if need be, with a link for the one person whom this notifier reaches.
    pub async fn send(&self, notice: &Notice, link: Option<&SignedLink>, repeat: bool) -> NoticeOutcome {
        self.post(notice, &body(notice, link, repeat)).await
    }

    /// Sends a notice as somebody else has written it.
    pub(super) async fn post(&self, notice: &Notice, body: &str) -> NoticeOutcome {
        self.pace.tries(notice, || self.try_once(notice, body)).await
    }

    /// Connects to where notices go and says nothing.
    ///
    /// # Errors
    /// Why nobody can be reached there, without the URL.
    pub async fn knock(&self) -> Result<(), String> {
        let host = self.url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        let port = self.url.port_or_known_default().unwrap_or_default();
        tokio::select! {
            connected = TcpStream::connect((host, port)) => match connected {
                Ok(_unused) => Ok(()),
                Err(error) => Err(format!("{host}:{port} cannot be reached: {error}")),
            },
            () = tokio::time::sleep(self.pace.deadline) => {
                Err(format!("{host}:{port} did not answer within {} seconds", self.pace.deadline.as_secs_f32()))
            }
        }
    }

    async fn try_once(&self, notice: &Notice, body: &str) -> Result<(), Failure> {
        let request = self
            .client
            .request(self.method.clone(), self.url.clone())
            .headers(self.headers.clone())
            .header("Idempotency-Key", notice.act.to_string())
            .body(body.to_owned());
        let response = request.send().await.map_err(|error| self.transport_failure(error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(());
        }
        let redirects = if status.is_redirection() { "; redirects are not followed" } else { "" };
        Err(Failure {
            error: format!("{} answered {}{redirects}", self.host(), status.as_u16()),
            try_again: status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS,
        })
    }

    /// What went wrong below HTTP, without the URL.
    fn transport_failure(&self, error: reqwest::Error) -> Failure {
        let try_again = error.is_connect() || error.is_timeout();
        let error = error.without_url();
        let mut text = if error.is_timeout() {
            format!("{} did not answer within {} seconds", self.host(), self.pace.deadline.as_secs_f32())
        } else {
            format!("sending to {} failed: {error}", self.host())
        };
        let mut cause = error.source().filter(|_| !error.is_timeout());
        while let Some(inner) = cause {
            text = format!("{text}: {inner}");
            cause = inner.source();
        }
        Failure { error: text, try_again }
    }

    /// Host and port: all of the URL that may be told.
    fn host(&self) -> String {
        let port = self.url.port().map(|port| format!(":{port}")).unwrap_or_default();
        format!("{}{port}", self.url.host_str().unwrap_or_default())
    }
}

fn headers(config: &HttpConfig) -> Result<HeaderMap, NotifierError> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let mut insert = |name: &str, value: &str| {
        let wrong = || NotifierError::Header(name.to_owned());
        let key = HeaderName::try_from(name).map_err(|_invalid| wrong())?;
        let mut value = HeaderValue::from_str(value).map_err(|_invalid| wrong())?;
        value.set_sensitive(true);
        headers.insert(key, value);
        Ok(())
    };
    for (name, value) in &config.headers {
        insert(name, value.expose_secret())?;
    }
    if let Some(token) = &config.bearer_token {
        insert(AUTHORIZATION.as_str(), &format!("Bearer {}", token.expose_secret()))?;
    }
    Ok(headers)
}

fn body(notice: &Notice, link: Option<&SignedLink>, repeat: bool) -> String {
    let mut body = serde_json::json!({
        "incident": notice.act.incident.to_string(),
        "act": notice.act.to_string(),
        "playbook": notice.playbook,
        "target": notice.target,
        "severity": notice.severity,
        "title": notice.title,
        "message": notice.message,
        "dry_run": notice.dry_run,
        "repeat": repeat,
    });
    if let (Some(SignedLink { person, url, code }), Some(members)) = (link, body.as_object_mut()) {
        let link = serde_json::json!({"for": person, "url": url.expose_secret(), "code": code.expose_secret()});
        members.insert("link".to_owned(), link);
    }
    body.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::id::{ActId, IncidentId, Seq};
    use axum::Router;
    use axum::extract::Request;
    use axum::response::{IntoResponse, Response};
    use http_body_util::BodyExt;
    use std::sync::{Arc, Mutex};
    use std::time::Duration;
    use tokio::net::TcpListener;
    use tokio::task::JoinSet;

    /// What the other side saw: path, some headers, body.
    type Seen = Arc<Mutex<Vec<(String, HeaderMap, serde_json::Value)>>>;

    /// A service on loopback that answers with these codes in turn, the last one for ever; 0 never answers.
    async fn service(codes: &'static [u16]) -> (JoinSet<()>, String, Seen) {
        let seen = Seen::default();
        let log = Arc::clone(&seen);
        let answer = async move |request: Request| -> Response {
            let (head, body) = request.into_parts();
            let body = serde_json::from_slice(&body.collect().await.unwrap().to_bytes()).unwrap();
            let number = {
                let mut log = log.lock().unwrap();
                log.push((head.uri.path().to_owned(), head.headers, body));
                log.len() - 1
            };
            match *codes.get(number).or(codes.last()).unwrap() {
                0 => std::future::pending().await,
                302 => (StatusCode::FOUND, [("location", "/elsewhere")]).into_response(),
                code => StatusCode::from_u16(code).unwrap().into_response(),
            }
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}/hooks/s3cret?key=s3cret", listener.local_addr().unwrap());
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await.unwrap() });
        (tasks, base, seen)
    }

    fn config(url: &str) -> HttpConfig {
        HttpConfig {
            url: SecretString::from(url),
            method: "post".to_owned(),
            headers: vec![("X-Team".to_owned(), SecretString::from("sre"))],
            bearer_token: Some(SecretString::from("s3cret-token")),
        }
    }

    fn notifier(url: &str) -> HttpNotifier {
        let pause = Duration::from_millis(20);
        let pace = Pace { deadline: Duration::from_millis(200), pauses: vec![pause, pause] };
        HttpNotifier::new(&config(url), pace).unwrap()
    }

    fn notice() -> Notice {
        Notice {
            act: ActId { incident: IncidentId(Seq(1042)), number: 2 },
            notifier: "chat".to_owned(),
            severity: "critical".to_owned(),
            title: "web-1 did not recover".to_owned(),
            message: "<!channel> \"quoted\"\n".to_owned(),
            playbook: "restart-web".to_owned(),
            target: Some("web-1".to_owned()),
            dry_run: false,
        }
    }

    #[tokio::test]
    async fn a_failing_service_is_tried_again_with_the_same_key() {
        let (_tasks, url, seen) = service(&[500, 429, 200]).await;
        assert_eq!(notifier(&url).send(&notice(), None, true).await, NoticeOutcome::Delivered);
        let seen = seen.lock().unwrap();
        assert_eq!(seen.len(), 3);
        for (_, headers, body) in seen.iter() {
            assert_eq!(headers["idempotency-key"], "i1042.2");
            assert_eq!(headers["authorization"], "Bearer s3cret-token");
            assert_eq!(headers["x-team"], "sre");
            assert_eq!(headers["content-type"], "application/json");
            let want = serde_json::json!({
                "incident": "i1042", "act": "i1042.2", "playbook": "restart-web", "target": "web-1",
                "severity": "critical", "title": "web-1 did not recover", "message": "<!channel> \"quoted\"\n",
                "dry_run": false, "repeat": true,
            });
            assert_eq!(*body, want);
        }
    }

    #[tokio::test]
    async fn a_signed_link_goes_with_the_question_and_is_told_nowhere_else() {
        let link = SignedLink {
            person: "alice".to_owned(),
            url: SecretString::from("https://sickbay.example/a/i12.1#alice.1.c4nary"),
            code: SecretString::from("C4NAR-Y0000"),
        };
        let (_tasks, url, seen) = service(&[200, 404]).await;
        let notifier = notifier(&url);
        assert_eq!(notifier.send(&notice(), Some(&link), false).await, NoticeOutcome::Delivered);
        let want = serde_json::json!({
            "for": "alice", "url": "https://sickbay.example/a/i12.1#alice.1.c4nary", "code": "C4NAR-Y0000",
        });
        assert_eq!(seen.lock().unwrap()[0].2["link"], want);
        let NoticeOutcome::Failed { error } = notifier.send(&notice(), Some(&link), false).await else { panic!() };
        let told = format!("{error} {link:?}");
        assert!(!told.to_lowercase().contains("c4nar"), "{told}");
    }

    #[tokio::test]
    async fn failures_are_told_without_the_urls_secrets() {
        for (codes, tries, why) in [
            (&[500][..], 3, "answered 500"),
            (&[404], 1, "answered 404"),
            (&[302, 200], 1, "answered 302; redirects are not followed"),
            (&[0], 3, "did not answer within 0.2 seconds"),
        ] {
            let (_tasks, url, seen) = service(codes).await;
            let notifier = notifier(&url);
            let NoticeOutcome::Failed { error } = notifier.send(&notice(), None, false).await else { panic!("{why}") };
            assert!(error.starts_with("127.0.0.1:") && error.ends_with(why), "{error}");
            assert!(!error.contains("s3cret") && !format!("{notifier:?}").contains("s3cret"), "{error}");
            let seen = seen.lock().unwrap();
            assert_eq!(seen.len(), tries, "{why}");
            assert!(seen.iter().all(|(path, ..)| path == "/hooks/s3cret"));
        }
    }

    #[tokio::test]
    async fn nobody_listening_is_told_with_the_cause() {
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/s3cret", free.local_addr().unwrap());
        drop(free);
        let NoticeOutcome::Failed { error } = notifier(&url).send(&notice(), None, false).await else { panic!() };
        assert!(error.contains("refused") && !error.contains("s3cret"), "{error}");
    }

    #[test]
    fn wrong_settings_are_named() {
        let make = |change: fn(&mut HttpConfig)| {
            let mut config = config("https://hooks.example/x");
            change(&mut config);
            HttpNotifier::new(&config, Pace::default()).map(|_| ()).map_err(|error| error.to_string())
        };
        assert_eq!(make(|_| ()), Ok(()));
        for (change, why) in [
            ((|c| c.url = SecretString::from("hooks.example")) as fn(&mut HttpConfig), "`url` is not an http"),
            (|c| c.url = SecretString::from("file:///etc/passwd"), "its scheme is \"file\""),
            (|c| c.method = "GET".to_owned(), "use POST, PUT or PATCH"),
            (|c| c.headers = vec![("a b".to_owned(), SecretString::from("v"))], "header \"a b\""),
            (|c| c.bearer_token = Some(SecretString::from("a\nb")), "header \"authorization\""),
        ] {
            let error = make(change).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }
}
