//! One way onto the wire for typed and for raw calls: a connection per call, a cap on what comes back, a guard on what
//! goes out.
//!
//! It knows nothing of API versions or of what an answer means. Nothing is retried here: a request leaves once.

use super::endpoint::DockerEndpoint;
use super::ssh::{self, SshStream};
use super::tls::Tls;
use crate::model::docker_call::DockerCall;
use crate::model::target::ContainerId;
use bollard::BollardRequest;
use http::{Method, Response, Uri};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// The most one call may bring back, head and body together. Each call has its own connection, so this counts per call.
const ANSWER_BYTES_MAX: usize = 8 * 1024 * 1024;

/// How long the engine may take to accept a connection.
const CONNECT_WITHIN: Duration = Duration::from_secs(3);

/// The answer to one request, on its way.
pub(super) type Answer = Pin<Box<dyn Future<Output = Result<Response<Incoming>, bollard::errors::Error>> + Send>>;

/// Sends one request.
pub(super) type Sender = Arc<dyn Fn(BollardRequest) -> Answer + Send + Sync>;

/// What a transport lets through: of the calls that `DockerCall` lists, and of nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Methods {
    /// Those that look.
    Get,
    /// All of them.
    Writing,
    /// Those that look, and of the others what cannot change anything: about things of this ID, which nothing has, and a
    /// creation from a text that is no JSON.
    Probing(ContainerId),
}

impl Methods {
    fn allow(&self, request: &BollardRequest) -> bool {
        let path = request.uri().path();
        let Some(call) = DockerCall::of(request.method().as_str(), path) else { return false };
        match self {
            Self::Get => !call.writes(),
            Self::Writing => true,
            Self::Probing(_) if !call.writes() => true,
            Self::Probing(_) if call == DockerCall::Create => {
                request.headers().get(http::header::CONTENT_TYPE).is_some_and(|kind| kind == NOT_JSON)
            }
            Self::Probing(nothing) => {
                path.split('/').any(|part| part == nothing.as_str() || part == service_id(nothing))
            }
        }
    }
}

/// The content type with which Docker reads no body.
pub(super) const NOT_JSON: &str = "text/plain";

/// An ID in the form of a Swarm service's, made of a container's.
pub(super) fn service_id(id: &ContainerId) -> &str {
    id.as_str().get(..25).unwrap_or_default()
}

/// A request that this client may not send.
#[derive(Debug, thiserror::Error)]
#[error("this docker client may not send {0} {1}")]
pub(super) struct ReadOnly(Method, String);

/// An answer beyond [`ANSWER_BYTES_MAX`].
#[derive(Debug, thiserror::Error)]
#[error("the answer is larger than 8 MiB")]
pub(super) struct AnswerTooLarge;

/// The engine was never spoken to, although there was a connection to something: nothing happened there.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct NotAccepted(pub(super) String);

/// Opens the way to an engine. Nothing is connected before the first call.
pub(super) fn transport(endpoint: &DockerEndpoint, methods: Methods) -> Sender {
    let mut builder = Client::builder(TokioExecutor::new());
    builder.pool_max_idle_per_host(0).retry_canceled_requests(false);
    let turns = Arc::new(Semaphore::new(ssh::CONNECTIONS_MAX));
    let client = builder.build(Connector { endpoint: Arc::new(endpoint.clone()), turns });
    let authority = match endpoint {
        DockerEndpoint::Unix(_) | DockerEndpoint::Ssh { .. } => "docker".to_owned(),
        DockerEndpoint::Tcp { host, port, tls: _ } => format!("{host}:{port}"),
    };
    Arc::new(move |mut request: BollardRequest| {
        if !methods.allow(&request) {
            let refusal = ReadOnly(request.method().clone(), request.uri().path().to_owned());
            let refusal = io::Error::new(io::ErrorKind::PermissionDenied, refusal);
            return Box::pin(std::future::ready(Err(refusal.into())));
        }
        let path = request.uri().path_and_query().cloned();
        let target = Uri::builder().scheme("http").authority(authority.as_str());
        match target.path_and_query(path.map_or_else(|| "/".to_owned(), |path| path.to_string())).build() {
            Ok(uri) => *request.uri_mut() = uri,
            Err(error) => return Box::pin(std::future::ready(Err(error.into()))),
        }
        let answer = client.request(request);
        Box::pin(async move { Ok(answer.await?) })
    })
}

/// Runs one HTTP exchange, head and body, until a deadline; `None` once it is over.
///
/// This is the one place for it: dropping the exchange closes its connection, and the caller reports the outcome of a
/// dropped write as unknown.
pub(super) async fn until<T>(deadline: Instant, exchange: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout_at(deadline, exchange).await.ok()
}

/// Connects to the engine, whatever the request's address says.
#[derive(Clone)]
struct Connector {
    endpoint: Arc<DockerEndpoint>,
    /// For connections through ssh.
    turns: Arc<Semaphore>,
}

impl tower::Service<Uri> for Connector {
    type Response = TokioIo<CappedStream>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _uri: Uri) -> Self::Future {
        let Self { endpoint, turns } = self.clone();
        Box::pin(async move {
            let connected = until(Instant::now() + CONNECT_WITHIN, connect(&endpoint, turns)).await;
            let late = || io::Error::new(io::ErrorKind::TimedOut, "no connection within 3 s");
            let stream = connected.ok_or_else(late)??;
            let tls = match &*endpoint {
                DockerEndpoint::Tcp { tls, .. } => tls.clone(),
                DockerEndpoint::Unix(_) | DockerEndpoint::Ssh { .. } => None,
            };
            Ok(TokioIo::new(CappedStream { stream, tls, left: ANSWER_BYTES_MAX }))
        })
    }
}

/// What a connection of any kind can do.
trait Line: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Line for T {}

async fn connect(endpoint: &DockerEndpoint, turns: Arc<Semaphore>) -> io::Result<Box<dyn Line>> {
    match endpoint {
        DockerEndpoint::Unix(path) => Ok(Box::new(UnixStream::connect(path).await?)),
        DockerEndpoint::Tcp { host, port, tls } => {
            let stream = TcpStream::connect(format!("{host}:{port}")).await?;
            stream.set_nodelay(true)?;
            match tls {
                None => Ok(Box::new(stream)),
                Some(tls) => Ok(Box::new(tls.greet(stream, host).await?)),
            }
        }
        DockerEndpoint::Ssh { address, config } => {
            let turn = turns.acquire_owned().await.map_err(io::Error::other)?;
            Ok(Box::new(SshStream::start(address, config.as_deref(), turn)?))
        }
    }
}

/// A connection that fails once too much was read from it.
struct CappedStream {
    stream: Box<dyn Line>,
    tls: Option<Tls>,
    left: usize,
}

impl Connection for CappedStream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl AsyncRead for CappedStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        if let Err(error) = ready!(Pin::new(&mut this.stream).poll_read(cx, buf)) {
            let tls = this.tls.as_ref().filter(|_| this.left == ANSWER_BYTES_MAX);
            return Poll::Ready(Err(if let Some(tls) = tls { tls.after_greeting(error) } else { error }));
        }
        let read = buf.filled().len() - before;
        let Some(left) = this.left.checked_sub(read) else {
            return Poll::Ready(Err(io::Error::other(AnswerTooLarge)));
        };
        this.left = left;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for CappedStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    /// Whether a request gets as far as the network.
    async fn is_sent(methods: &Methods, (method, path): (&str, &str), kind: &str) -> bool {
        // Nobody listens here: a request that was let through would fail to connect.
        let endpoint = DockerEndpoint::Unix("/nonexistent/docker.sock".into());
        let request = http::Request::builder().method(method).uri(path).header(http::header::CONTENT_TYPE, kind);
        let request = request.body(bollard::body_full(Bytes::new())).unwrap();
        let error = transport(&endpoint, methods.clone())(request).await.unwrap_err();
        matches!(error, bollard::errors::Error::HyperLegacyError { .. })
    }

    #[tokio::test]
    async fn only_calls_of_the_list_are_sent_and_a_reading_transport_lets_nothing_through_that_writes() {
        let id = "ab".repeat(32);
        for (method, path, by_reader, by_writer) in [
            ("GET", format!("/v1.41/containers/{id}/json"), true, true),
            ("GET", "/v1.41/containers/json?all=true".to_owned(), true, true),
            ("POST", format!("/v1.41/containers/{id}/restart"), false, true),
            ("DELETE", format!("/v1.41/containers/{id}?force=1&v=1"), false, true),
            ("POST", "/v1.41/containers/create?name=web-2".to_owned(), false, true),
            ("PUT", format!("/v1.41/containers/{id}/archive"), false, false),
            ("HEAD", "/_ping".to_owned(), false, false),
            ("GET", "/v1.41/secrets".to_owned(), false, false),
            ("GET", format!("/v1.41/containers/{id}/export"), false, false),
            ("POST", format!("/v1.41/containers/{id}/kill"), false, false),
            ("POST", format!("/v1.41/containers/{id}/exec"), false, false),
            ("POST", "/v1.41/containers/a/../../images/prune".to_owned(), false, false),
            ("POST", "/v1.41/containers/web/restart".to_owned(), false, false),
            ("DELETE", format!("/v1.41/containers/{id}/json"), false, false),
            ("DELETE", "/v1.41/containers/web".to_owned(), false, false),
            ("DELETE", "/v1.41/volumes/data".to_owned(), false, false),
            ("DELETE", "/v1.41/images/web".to_owned(), false, false),
            ("DELETE", "/v1.41/networks/web".to_owned(), false, false),
        ] {
            let call = (method, path.as_str());
            assert_eq!(is_sent(&Methods::Get, call, NOT_JSON).await, by_reader, "{method} {path}");
            assert_eq!(is_sent(&Methods::Writing, call, NOT_JSON).await, by_writer, "{method} {path}");
        }
    }

    #[tokio::test]
    async fn a_probe_sends_nothing_that_could_change_something() {
        let nothing = ContainerId::parse(&"cd".repeat(32)).unwrap();
        let methods = Methods::Probing(nothing.clone());
        let (theirs, service) = ("ab".repeat(32), service_id(&nothing));
        for (method, path, kind, sent) in [
            ("GET", format!("/v1.41/containers/{theirs}/json"), NOT_JSON, true),
            ("POST", format!("/v1.41/containers/{nothing}/restart"), NOT_JSON, true),
            ("DELETE", format!("/v1.41/containers/{nothing}"), NOT_JSON, true),
            ("POST", format!("/v1.41/services/{service}/update?version=0"), NOT_JSON, true),
            ("POST", "/v1.41/containers/create?name=%3F".to_owned(), NOT_JSON, true),
            ("POST", "/v1.41/containers/create?name=%3F".to_owned(), "application/json", false),
            ("POST", format!("/v1.41/containers/{theirs}/restart"), NOT_JSON, false),
            ("POST", format!("/v1.41/containers/{theirs}/stop?t={nothing}"), NOT_JSON, false),
            ("DELETE", format!("/v1.41/containers/{theirs}"), NOT_JSON, false),
            ("POST", "/v1.41/services/a1b2ca1b2ca1b2ca1b2ca1b2c/update".to_owned(), NOT_JSON, false),
            ("POST", "/v1.41/networks/bridge/connect".to_owned(), NOT_JSON, false),
        ] {
            assert_eq!(is_sent(&methods, (method, &path), kind).await, sent, "{method} {path} {kind}");
        }
    }
}
