//! One question to a running daemon over HTTP, and its answer.

use super::complain;
use crate::web::api::ApiError;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::{Method, Request, StatusCode, header};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use std::time::Duration;

/// The process's exit code where no daemon answers.
pub(super) const UNREACHABLE: u8 = 4;

/// The process's exit code where the daemon says no.
pub(super) const REFUSED: u8 = 1;

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

/// Asks. The error says why there is no answer.
pub(super) fn ask(question: Question<'_>) -> Result<(StatusCode, Bytes), String> {
    let url = question.url;
    let request = request(question)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("the runtime cannot be started: {error}"))?;
    runtime.block_on(async {
        let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
        let asked = async {
            let answer = client.request(request).await;
            let answer = answer.map_err(|error| format!("no daemon answers at {url}: {}", root_cause(&error)))?;
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

/// hyper's own words say only which half failed; the system's say why.
fn root_cause(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(cause) => root_cause(cause),
        None => error.to_string(),
    }
}

fn request(question: Question<'_>) -> Result<Request<Full<Bytes>>, String> {
    let Question { url, method, path, token, body } = question;
    let uri: hyper::Uri = format!("{}{path}", url.trim_end_matches('/'))
        .parse()
        .map_err(|error| format!("{url} is not a URL: {error}; use one like http://127.0.0.1:10112"))?;
    if uri.scheme_str() != Some("http") {
        return Err(format!("{url} is not an http URL; this version speaks plain HTTP only"));
    }
    let mut request = Request::builder().method(method).uri(uri).header(header::ACCEPT, "application/json");
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
