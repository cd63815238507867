//! One way onto the wire for typed and for raw calls: a connection per call, a cap on what comes back, a guard on what
//! goes out.
//!
//! It knows nothing of API versions or of what an answer means. Nothing is retried here: a request leaves once.

use super::endpoint::DockerEndpoint;
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
use tokio::time::Instant;
use tokio_util::either::Either;

/// The most one call may bring back, head and body together. Each call has its own connection, so this counts per call.
const ANSWER_BYTES_MAX: usize = 8 * 1024 * 1024;

/// How long the engine may take to accept a connection.
const CONNECT_WITHIN: Duration = Duration::from_secs(3);

/// The answer to one request, on its way.
pub(super) type Answer = Pin<Box<dyn Future<Output = Result<Response<Incoming>, bollard::errors::Error>> + Send>>;

/// Sends one request.
pub(super) type Send1 = Arc<dyn Fn(BollardRequest) -> Answer + Send + Sync>;

/// What a transport lets through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Methods {
    /// GET, nothing else.
    Get,
    /// GET and POST.
    GetAndPost,
}

impl Methods {
    fn allow(self, method: &Method) -> bool {
        match self {
            Self::Get => method == Method::GET,
            Self::GetAndPost => method == Method::GET || method == Method::POST,
        }
    }
}

/// A request that this client may not send.
#[derive(Debug, thiserror::Error)]
#[error("this docker client may only look, and {0} changes something")]
pub(super) struct ReadOnly(Method);

/// An answer beyond [`ANSWER_BYTES_MAX`].
#[derive(Debug, thiserror::Error)]
#[error("the answer is larger than 8 MiB")]
pub(super) struct AnswerTooLarge;

/// Opens the way to an engine. Nothing is connected before the first call.
pub(super) fn transport(endpoint: &DockerEndpoint, methods: Methods) -> Send1 {
    let mut builder = Client::builder(TokioExecutor::new());
    builder.pool_max_idle_per_host(0).retry_canceled_requests(false);
    let client = builder.build(Connector { endpoint: Arc::new(endpoint.clone()) });
    let authority = match endpoint {
        DockerEndpoint::Unix(_) => "docker".to_owned(),
        DockerEndpoint::Tcp { host, port } => format!("{host}:{port}"),
    };
    Arc::new(move |mut request: BollardRequest| {
        if !methods.allow(request.method()) {
            let refusal = io::Error::new(io::ErrorKind::PermissionDenied, ReadOnly(request.method().clone()));
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
}

impl tower::Service<Uri> for Connector {
    type Response = TokioIo<CappedStream>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _uri: Uri) -> Self::Future {
        let endpoint = Arc::clone(&self.endpoint);
        Box::pin(async move {
            let connected = until(Instant::now() + CONNECT_WITHIN, connect(&endpoint)).await;
            let late = || io::Error::new(io::ErrorKind::TimedOut, "no connection within 3 s");
            let stream = connected.ok_or_else(late)??;
            Ok(TokioIo::new(CappedStream { stream, left: ANSWER_BYTES_MAX }))
        })
    }
}

/// A connection of either kind.
type Stream = Either<UnixStream, TcpStream>;

async fn connect(endpoint: &DockerEndpoint) -> io::Result<Stream> {
    match endpoint {
        DockerEndpoint::Unix(path) => Ok(Either::Left(UnixStream::connect(path).await?)),
        DockerEndpoint::Tcp { host, port } => {
            let stream = TcpStream::connect(format!("{host}:{port}")).await?;
            stream.set_nodelay(true)?;
            Ok(Either::Right(stream))
        }
    }
}

/// A connection that fails once too much was read from it.
struct CappedStream {
    stream: Stream,
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
        ready!(Pin::new(&mut this.stream).poll_read(cx, buf))?;
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

    #[tokio::test]
    async fn a_reading_transport_lets_nothing_through_that_writes() {
        // Nobody listens here: a request that was let through would fail to connect.
        let endpoint = DockerEndpoint::Unix("/nonexistent/docker.sock".into());
        let sent = async |methods, method: Method| {
            let request = http::Request::builder().method(method).uri("/containers/a/restart");
            let request = request.body(bollard::body_full(Bytes::new())).unwrap();
            let error = transport(&endpoint, methods)(request).await.unwrap_err();
            matches!(error, bollard::errors::Error::HyperLegacyError { .. })
        };
        for (method, by_reader, by_writer) in [
            (Method::GET, true, true),
            (Method::POST, false, true),
            (Method::PUT, false, false),
            (Method::DELETE, false, false),
            (Method::HEAD, false, false),
        ] {
            assert_eq!(sent(Methods::Get, method.clone()).await, by_reader, "{method}");
            assert_eq!(sent(Methods::GetAndPost, method.clone()).await, by_writer, "{method}");
        }
    }
}
