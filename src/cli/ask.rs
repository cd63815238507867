//! One question to a running daemon over HTTP, and its answer.

use super::complain;
use super::reach::Way;
use crate::web::api::ApiError;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::{Method, Request, Response, StatusCode, header};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use secrecy::ExposeSecret;
use serde::de::DeserializeOwned;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;

/// The process's exit code where no daemon answers.
pub(super) const UNREACHABLE: u8 = 4;

/// The process's exit code where the daemon says no.
pub(super) const REFUSED: u8 = 1;

/// Where a daemon with default settings answers.
pub(super) const DAEMON_URL: &str = "http://127.0.0.1:10112";

const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// More than a thousand questions with all that was seen, and less than what would be felt.
const ANSWER_LEN_MAX: usize = 64 << 20;

/// What is asked.
pub(super) struct Question<'a> {
    /// How the daemon is reached.
    pub(super) way: &'a Way,
    /// How it is asked.
    pub(super) method: Method,
    /// The path, encoded.
    pub(super) path: &'a str,
    /// JSON; empty for none.
    pub(super) body: Vec<u8>,
}

impl<'a> Question<'a> {
    /// A question that changes nothing.
    pub(super) fn get(way: &'a Way, path: &'a str) -> Self {
        Self { way, method: Method::GET, path, body: Vec::new() }
    }
}

/// What `--url` begins with where the daemon listens on a socket in the file system.
pub(super) const SOCKET_SCHEME: &str = "unix://";

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
        Some("http" | "https") if uri.query().is_none() => Ok(text.to_owned()),
        Some("http" | "https") => Err(format!("it has a query; use one like {DAEMON_URL}")),
        _ => Err(format!("it starts with none of http://, https:// and unix://; use one like {DAEMON_URL}")),
    }
}

/// Asks. The error says why there is no answer.
pub(super) fn ask(question: Question<'_>) -> Result<(StatusCode, Bytes), String> {
    let way = question.way;
    let url = &*way.url;
    let request = request(question)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("the runtime cannot be started: {error}"))?;
    runtime.block_on(async {
        let asked = async {
            let answer = match (way.socket(), &way.tls) {
                (Some(path), _) => over_socket(path, request).await,
                (None, Some(tls)) => over_tls(Arc::clone(tls), request).await,
                (None, None) => over_tcp(request).await,
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
    over(stream, request).await
}

async fn over_tls(tls: Arc<ClientConfig>, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, String> {
    let uri = request.uri();
    let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_owned();
    let port = uri.port_u16().unwrap_or(443);
    let stream = TcpStream::connect((&*host, port)).await.map_err(|error| error.to_string())?;
    let name = ServerName::try_from(host.clone()).map_err(|error| format!("{host}: {error}"))?;
    let greeted = TlsConnector::from(tls).connect(name, stream).await;
    over(greeted.map_err(|error| greeting_failed(&error, &host))?, request).await
}

/// What went wrong with the greeting, and what to do.
fn greeting_failed(error: &io::Error, host: &str) -> String {
    use rustls::CertificateError as Wrong;
    let Some(cause) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) else {
        return error.to_string();
    };
    if let rustls::Error::InvalidCertificate(wrong) = cause {
        return if matches!(wrong, Wrong::UnknownIssuer | Wrong::BadSignature) {
            "its certificate is signed by nobody who is trusted here; name the authority with --ca-file".to_owned()
        } else if matches!(wrong, Wrong::NotValidForName | Wrong::NotValidForNameContext { .. }) {
            format!("its certificate is not for {host}; use a name that stands in it")
        } else if matches!(wrong, Wrong::Expired | Wrong::ExpiredContext { .. }) {
            "its certificate has expired".to_owned()
        } else {
            format!("its certificate is not valid: {wrong}")
        };
    }
    if matches!(cause, rustls::Error::InvalidMessage(_)) {
        return "it does not speak TLS there; use http://".to_owned();
    }
    format!("TLS failed: {cause}")
}

/// Asks over one connection of our own.
async fn over<S>(stream: S, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
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
    let Question { way, method, path, body } = question;
    let (url, over_socket) = (&*way.url, way.socket().is_some());
    let base = if over_socket { "" } else { url.trim_end_matches('/') };
    let uri: hyper::Uri = format!("{base}{path}")
        .parse()
        .map_err(|error| format!("{url} is not a URL: {error}; use one like {DAEMON_URL}"))?;
    let mut request = Request::builder().method(method).uri(uri).header(header::ACCEPT, "application/json");
    let authority = request.uri_ref().and_then(|uri| uri.authority()).map(|authority| authority.as_str().to_owned());
    if over_socket {
        request = request.header(header::HOST, "localhost");
    } else if let Some(authority) = authority.filter(|_| way.tls.is_some()) {
        request = request.header(header::HOST, authority);
    }
    if !body.is_empty() {
        request = request.header(header::CONTENT_TYPE, "application/json");
    }
    if let Some(proof) = &way.proof {
        request = request.header(header::AUTHORIZATION, proof.expose_secret());
    }
    request
        .body(Full::from(body))
        .map_err(|_header| "the proof of who asks holds what no HTTP header can carry".to_owned())
}

/// What the header is called here.
const TOKEN_HERE: &str = ". Here, `--token-file FILE` sends the token in FILE; one that was sent is nobody's";

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
                let here = if code == StatusCode::UNAUTHORIZED { TOKEN_HERE } else { "" };
                complain(&format!("{url} answered {code}: {}{here}", said.error));
                Err(REFUSED)
            }
            Err(_) => {
                complain(&format!("{url} answered {code}, which is no answer of sickbay"));
                Err(UNREACHABLE)
            }
        },
    }
}
