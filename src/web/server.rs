//! The accept loop: HTTP/1.1 only, with a bound on everything a client can hold open.
//!
//! axum's own server has no deadline for headers, bodies or idle connections, so a few hundred slow clients would shut
//! Alertmanager out. Here each wait for a client ends, and a full house makes room (see `seats`). Read [`serve`] first.

use super::front::Front;
use super::guard::Peer;
use super::listener::{Listener, Stream, counted_as};
use super::seats::{NoSeat, Seat, Seats, Waiting};
use super::stream::{Watched, WatchedBody};
use super::tls;
use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response, StatusCode, header};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service;

/// The largest request head, in bytes. Bodies are read in pieces of this size.
const HEAD_LEN_MAX: usize = 64 * 1024;

/// What clients may hold, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerLimits {
    /// Connections at once.
    pub connections: usize,
    /// Connections at once from one address; this machine's own are not counted.
    pub per_peer: usize,
    /// For a header to arrive.
    pub head: Duration,
    /// For a body to arrive. The handler's own deadline should be shorter, so that it can answer.
    pub body: Duration,
    /// Between an answer and the next request.
    pub idle: Duration,
    /// For requests under way when the server stops.
    pub grace: Duration,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            connections: 512,
            per_peer: 64,
            head: Duration::from_secs(5),
            body: Duration::from_secs(15),
            idle: Duration::from_secs(60),
            grace: Duration::from_secs(5),
        }
    }
}

/// Serves until `shutdown`: then it closes the listeners, lets requests under way finish within the grace, and returns.
pub async fn serve(
    listeners: Vec<Listener>,
    (router, front): (Router, Arc<Front>),
    limits: ServerLimits,
    shutdown: CancellationToken,
) {
    let server = Server {
        seats: Seats::new(limits),
        connections: TaskTracker::new(),
        http: http(),
        router,
        front,
        grace: limits.grace,
        shutdown,
    };
    let mut loops = JoinSet::new();
    for listener in listeners {
        loops.spawn(accept(listener, server.clone()));
    }
    // Deadlines need not be exact, but short ones (in tests) should be kept within their own length.
    let every = limits.head.min(limits.body).min(limits.idle).min(Duration::from_secs(1)).max(Duration::from_millis(1));
    let mut ticks = tokio::time::interval(every);
    while !server.shutdown.is_cancelled() {
        tokio::select! {
            _ = ticks.tick() => server.seats.evict_overdue(),
            () = server.shutdown.cancelled() => {}
        }
    }
    loops.join_all().await;
    server.connections.close();
    server.connections.wait().await;
}

#[derive(Clone)]
struct Server {
    seats: Arc<Seats>,
    connections: TaskTracker,
    http: http1::Builder,
    router: Router,
    front: Arc<Front>,
    grace: Duration,
    shutdown: CancellationToken,
}

fn http() -> http1::Builder {
    let mut http = http1::Builder::new();
    // The seats watch the clock, with different times for headers and idle connections; hyper knows only one for both.
    http.timer(TokioTimer::new()).header_read_timeout(None).max_buf_size(HEAD_LEN_MAX);
    http
}

async fn accept(listener: Listener, server: Server) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = server.shutdown.cancelled() => return,
        };
        match accepted {
            Ok((stream, peer)) => seat((stream, peer), &server).await,
            Err(error) => {
                // Usually out of file descriptors: trying again at once would only burn the processor.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// Finds a seat, waiting for one if every connection is being answered, and starts serving.
async fn seat((stream, peer): (Stream, Peer), server: &Server) {
    loop {
        // Asked before looking, so that a seat that becomes free in between is not missed.
        let freed = server.seats.freed.notified();
        match server.seats.sit(counted_as(peer)) {
            Ok(seat) => {
                server.connections.spawn(connection((stream, peer), seat, server.clone()));
                return;
            }
            Err(NoSeat::PeerHasEnough) => return,
            Err(NoSeat::AllBusy) => {
                tokio::select! {
                    () = freed => {}
                    () = server.shutdown.cancelled() => return,
                }
            }
        }
    }
}

/// Greets a client, over TLS where that is spoken, and serves the connection to its end.
async fn connection((stream, peer): (Stream, Peer), seat: Arc<Seat>, server: Server) {
    // Whoever comes over the socket in the file system is on this machine, and known by the kernel.
    let tls = server.front.door().tls.clone().filter(|_| matches!(peer, Peer::Address(_)));
    let Some(config) = tls else {
        let stream = Watched::new(stream, Arc::clone(&seat));
        return serve_connection((stream, peer), seat, server).await;
    };
    // The greeting has the time of the first header: whoever does not end it gives up the seat.
    let greeted = tokio::select! {
        greeted = tls::greet(stream, config, &seat) => greeted,
        () = seat.leave.cancelled() => return,
        () = server.shutdown.cancelled() => return,
    };
    match greeted {
        Ok(stream) => serve_connection((stream, peer), seat, server).await,
        Err(error) => tracing::debug!(%error, "a connection ended before its first request"),
    }
}

async fn serve_connection<S>((stream, peer): (S, Peer), seat: Arc<Seat>, server: Server)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let router = server.router;
    let service = service_fn(|mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        answer(request, router.clone(), Arc::clone(&seat))
    });
    let mut http = pin!(server.http.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = http.as_mut() => Some(ended),
        () = seat.leave.cancelled() => return,
        () = server.shutdown.cancelled() => None,
    };
    let ended = match ended {
        Some(ended) => ended,
        None => {
            http.as_mut().graceful_shutdown();
            tokio::select! {
                ended = http => ended,
                () = seat.leave.cancelled() => return,
                () = tokio::time::sleep(server.grace) => return,
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}

async fn answer(request: Request<Incoming>, mut router: Router, seat: Arc<Seat>) -> Result<Response<Body>, Infallible> {
    let request = request.map(|body| Body::new(WatchedBody::new(body, Arc::clone(&seat))));
    let answered = match catch_panic(router.call(request)).await {
        Some(Ok(response)) => response,
        None => internal_error(),
    };
    seat.now_waits_for(Waiting::Idle);
    Ok(answered)
}

/// `None` if the future panics: one request's bug is not the other connections' problem.
async fn catch_panic<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(Poll::Ready(output)) => Poll::Ready(Some(output)),
        Ok(Poll::Pending) => Poll::Pending,
        Err(_panic) => Poll::Ready(None),
    })
    .await
}

fn internal_error() -> Response<Body> {
    tracing::error!("a request made its handler panic; this is a bug");
    let mut response = Response::new(Body::from("{\"error\":\"internal error; see the daemon's log\"}"));
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    response
}
