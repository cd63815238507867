//! One question to a running daemon over HTTP, and its answer.

use super::{USAGE, complain};
use crate::settings;
use crate::web::api::ApiError;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::{Method, Request, Response, StatusCode, header};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use std::path::Path;
use std::time::Duration;
use tokio::net::UnixStream;

/// The process's exit code where no daemon answers.
pub(super) const UNREACHABLE: u8 = 4;

/// The process's exit code where the daemon says no.
pub(super) const REFUSED: u8 = 1;

/// Where a daemon with default settings answers.
pub(super) const DAEMON_URL: &str = "http://127.0.0.1:10112";

const ANSWER_WITHIN: Duration = Duration::from_secs(10);
const ANSWER_LEN_MAX: usize = 4 << 20;

/// What is asked.
pub(super) struct Question<'a> {
    /// Where the daemon answers.
    pub(super) url: &'a str,
    /// How it is asked.
    pub(super) method: Method,
    /// The path, encoded.
    pub(super) path: &'a str,
    /// What proves that we may ask.
    pub(super) token: Option<&'a SecretString>,
    /// JSON; empty for none.
    pub(super) body: Vec<u8>,
}

impl<'a> Question<'a> {
    /// A question that changes nothing.
    pub(super) fn get(url: &'a str, path: &'a str) -> Self {
        Self { url, method: Method::GET, path, token: None, body: Vec::new() }
    }
}

/// What `--url` begins with where the daemon listens on a socket in the file system.
const SOCKET_SCHEME: &str = "unix://";

/// What `--url` must be; anything else is wrong usage.
pub(super) fn daemon_url(text: &str) -> Result<String, String> {
    if let Some(path) = text.strip_prefix(SOCKET_SCHEME) {
        let example = "use one like unix:///run/sickbay/sickbay.sock";
        return if path.starts_with('/') {
            Ok(text.to_owned())
        } else {
            Err(format!("it names no whole path; {example}"))
        };
    }
    let uri: hyper::Uri = text.parse().map_err(|error| format!("{error}; use one like {DAEMON_URL}"))?;
    match uri.scheme_str() {
        Some("http") if uri.query().is_none() => Ok(text.to_owned()),
        Some("http") => Err(format!("it has a query; use one like {DAEMON_URL}")),
        Some("https") => Err("this version speaks plain HTTP only; use http://, or a tunnel to the daemon".to_owned()),
        _ => Err(format!("it starts with neither http:// nor unix://; use one like {DAEMON_URL}")),
    }
}

/// The token in a file, if one is named; otherwise what to exit with, after the problem was told.
pub(super) fn token_of(file: Option<&Path>) -> Result<Option<SecretString>, u8> {
    file.map(settings::secret_file).transpose().map_err(|problem| {
        complain(&problem);
        USAGE
    })
}

/// Asks. The error says why there is no answer.
pub(super) fn ask(question: Question<'_>) -> Result<(StatusCode, Bytes), String> {
    let url = question.url;
    let request = request(question)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("the runtime cannot be started: {error}"))?;
    runtime.block_on(async {
        let asked = async {
            let answer = match url.strip_prefix(SOCKET_SCHEME) {
                Some(path) => over_socket(path, request).await,
                None => over_tcp(request).await,
            };
            let answer = answer.map_err(|error| format!("no daemon answers at {url}: {error}"))?;
            let code = answer.status();
            let body = Limited::new(answer.into_body(), ANSWER_LEN_MAX).collect().await;
            let body = body.map_err(|error| format!("the answer of {url} cannot be read: {error}"))?;
            Ok((code, body.to_bytes()))
        };
        tokio::select! {
            answer = asked => answer,
            () = tokio::time::sleep(ANSWER_WITHIN) => {
                Err(format!("no daemon answers at {url} within {} s", ANSWER_WITHIN.as_secs()))
            }
        }
    })
}

async fn over_tcp(request: Request<Full<Bytes>>) -> Result<Response<Incoming>, String> {
    let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    client.request(request).await.map_err(|error| root_cause(&error))
}

/// The kernel tells the daemon which user is asking.
async fn over_socket(path: &str, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, String> {
    let stream = UnixStream::connect(path).await.map_err(|error| error.to_string())?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|error| root_cause(&error))?;
    #[expect(clippy::disallowed_methods, reason = "it ends with the command; what goes wrong is told by the answer")]
    tokio::spawn(connection);
    sender.send_request(request).await.map_err(|error| root_cause(&error))
}

/// hyper's own words say only which half failed; the system's say why.
fn root_cause(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(cause) => root_cause(cause),
        None => error.to_string(),
    }
}

fn request(question: Question<'_>) -> Result<Request<Full<Bytes>>, String> {
    let Question { url, method, path, token, body } = question;
    let over_socket = url.starts_with(SOCKET_SCHEME);
    let base = if over_socket { "" } else { url.trim_end_matches('/') };
    let uri: hyper::Uri = format!("{base}{path}")
        .parse()
        .map_err(|error| format!("{url} is not a URL: {error}; use one like {DAEMON_URL}"))?;
    let mut request = Request::builder().method(method).uri(uri).header(header::ACCEPT, "application/json");
    if over_socket {
        request = request.header(header::HOST, "localhost");
    }
    if !body.is_empty() {
        request = request.header(header::CONTENT_TYPE, "application/json");
    }
    if let Some(token) = token {
        request = request.header(header::AUTHORIZATION, format!("Bearer {}", token.expose_secret()));
    }
    request.body(Full::from(body)).map_err(|_header| "the token holds what no HTTP header can carry".to_owned())
}

/// The answer as what it should be; otherwise what to exit with, after the problem was told.
pub(super) fn understood<T: DeserializeOwned>(url: &str, answer: Result<(StatusCode, Bytes), String>) -> Result<T, u8> {
    let (code, body) = answer.map_err(|problem| {
        complain(&problem);
        UNREACHABLE
    })?;
    match serde_json::from_slice::<T>(&body) {
        Ok(answer) if code == StatusCode::OK => Ok(answer),
        Ok(_) | Err(_) => match serde_json::from_slice::<ApiError>(&body) {
            Ok(said) => {
                complain(&format!("{url} answered {code}: {}", said.error));
                Err(REFUSED)
            }
            Err(_) => {
                complain(&format!("{url} answered {code}, which is no answer of sickbay"));
                Err(UNREACHABLE)
            }
        },
    }
}
