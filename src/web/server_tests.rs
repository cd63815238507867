//! The real accept loop on loopback, against clients that behave badly.

use super::front::Door;
use super::listener::Listener;
use super::routes_tests::{ALERT, TestSite, short_limits, site};
use super::server::{ServerLimits, serve};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

struct Server {
    address: SocketAddr,
    shutdown: CancellationToken,
    running: JoinSet<()>,
    _site: TestSite,
}

const SHORT: Duration = Duration::from_millis(300);
/// Longer than anything here may take.
const PATIENCE: Duration = Duration::from_secs(10);

fn limits() -> ServerLimits {
    ServerLimits { connections: 20, per_peer: 4, head: SHORT, body: SHORT * 3, idle: SHORT * 2, grace: SHORT }
}

async fn start(limits: ServerLimits) -> Server {
    let site = site(short_limits());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown = CancellationToken::new();
    let mut running = JoinSet::new();
    running.spawn(serve(
        vec![Listener::Tcp(listener)],
        (site.router.clone(), Arc::clone(&site.site.front)),
        limits,
        shutdown.clone(),
    ));
    Server { address, shutdown, running, _site: site }
}

/// As [`start`], over TLS with the certificate of `tests/fixtures/tls`.
async fn start_tls(limits: ServerLimits) -> Server {
    let server = start(limits).await;
    let pem = |name: &str| std::fs::read(format!("{}/tests/fixtures/tls/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let chain = CertificateDer::pem_slice_iter(&pem("server.pem")).collect::<Result<Vec<_>, _>>().unwrap();
    let key = PrivateKeyDer::from_pem_slice(&pem("server.key")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_single_cert(chain, key).unwrap();
    server._site.site.front.change(Door { tls: Some(Arc::new(config)), ..Door::default() });
    server
}

impl Server {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    async fn ends(&mut self) {
        tokio::select! {
            ended = self.running.join_next() => ended.unwrap().unwrap(),
            () = tokio::time::sleep(PATIENCE) => panic!("the server does not stop"),
        }
    }

    /// Sends bytes and reads until the server closes.
    async fn exchange(&self, bytes: &[u8]) -> String {
        let mut client = self.connect().await;
        client.write_all(bytes).await.unwrap();
        read_all(&mut client).await
    }
}

/// Everything until the server closes; a server that never does is a failure, not a wait.
async fn read_all(client: &mut (impl AsyncRead + Unpin)) -> String {
    let mut answer = Vec::new();
    tokio::select! {
        _reset = client.read_to_end(&mut answer) => {}
        () = tokio::time::sleep(PATIENCE) => panic!("the connection stays open"),
    }
    String::from_utf8_lossy(&answer).into_owned()
}

/// Reads one answer with a Content-Length.
async fn read_one(client: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&answer).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length =
                head.to_lowercase().split_once("content-length: ").unwrap().1.lines().next().unwrap().to_owned();
            if length.parse::<usize>().unwrap() <= body.len() {
                return text;
            }
        }
        let read = tokio::select! {
            read = client.read_buf(&mut answer) => read.unwrap(),
            () = tokio::time::sleep(PATIENCE) => panic!("no more comes after {text:?}"),
        };
        assert_ne!(read, 0, "closed after {text:?}");
    }
}

fn post(body: &str) -> String {
    format!("POST /api/v1/webhook HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

#[tokio::test]
async fn one_connection_carries_many_requests() {
    let server = start(limits()).await;
    let mut client = server.connect().await;
    for _ in 0..3 {
        client.write_all(post(ALERT).as_bytes()).await.unwrap();
        let answer = read_one(&mut client).await;
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("\"no_match\":1"), "{answer}");
    }
}

#[tokio::test]
async fn a_slow_header_is_cut_off_however_steadily_it_drips() {
    let server = start(limits()).await;
    let mut client = server.connect().await;
    let started = Instant::now();
    client.write_all(b"POST /webhook HTTP/1.1\r\n").await.unwrap();
    while client.write_all(b"X: y\r\n").await.is_ok() && started.elapsed() < SHORT * 6 {
        tokio::time::sleep(SHORT / 6).await;
    }
    assert!((SHORT..SHORT * 4).contains(&started.elapsed()), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_slow_header_is_cut_off_on_a_used_connection_too() {
    let server = start(ServerLimits { idle: PATIENCE * 3, ..limits() }).await;
    let mut client = server.connect().await;
    client.write_all(post(ALERT).as_bytes()).await.unwrap();
    read_one(&mut client).await;
    tokio::time::sleep(SHORT * 2).await;
    client.write_all(b"POST /webhook HTTP/1.1\r\n").await.unwrap();
    let started = Instant::now();
    assert_eq!(read_all(&mut client).await, "");
    assert!(started.elapsed() < SHORT * 4, "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_greeting_over_tls_that_does_not_end_gives_up_its_seat() {
    let server = start_tls(limits()).await;
    // Nothing, the beginning of a greeting, and one that announces more than it sends.
    for bytes in [&b""[..], &[0x16], &[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]] {
        let begun = Instant::now();
        let mut client = server.connect().await;
        client.write_all(bytes).await.unwrap();
        assert!(!read_all(&mut client).await.contains("HTTP"), "{bytes:?}");
        assert!(begun.elapsed() < PATIENCE / 2, "{bytes:?}: {:?}", begun.elapsed());
    }
    // However steadily it drips.
    let (mut client, begun) = (server.connect().await, Instant::now());
    let dripped = async {
        for _ in 0..1000 {
            if client.write_all(&[0x16]).await.is_err() {
                break;
            }
            tokio::time::sleep(SHORT / 30).await;
        }
    };
    dripped.await;
    assert!(begun.elapsed() < PATIENCE / 2, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn plain_http_where_tls_is_spoken_is_told_so_and_reaches_nothing() {
    let server = start_tls(limits()).await;
    let answer = server.exchange(b"GET /-/healthy HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.ends_with("begin the address with https\"}\n"), "{answer}");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains(&format!("content-length: {}", body.len())), "{answer}");
}

#[tokio::test]
async fn silence_and_idleness_end() {
    let server = start(limits()).await;
    let mut silent = server.connect().await;
    let started = Instant::now();
    assert_eq!(read_all(&mut silent).await, "");
    assert!((SHORT..SHORT * 4).contains(&started.elapsed()), "{:?}", started.elapsed());

    let mut idle = server.connect().await;
    idle.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let started = Instant::now();
    assert!(read_all(&mut idle).await.starts_with("HTTP/1.1 200"));
    assert!((SHORT * 2..SHORT * 5).contains(&started.elapsed()), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_slow_body_is_answered_with_408() {
    let server = start(limits()).await;
    let answer = server.exchange(b"POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{").await;
    assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("connection: close"), "{answer}");
}

#[tokio::test]
async fn a_body_that_is_too_large_gets_its_413_while_it_is_still_being_sent() {
    let server = start(limits()).await;
    let body = "x".repeat(0x0100_0000);
    for head in ["Content-Length: 16777216\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n1000000\r\n"] {
        let (mut reader, mut writer) = server.connect().await.into_split();
        let request = format!("POST /webhook HTTP/1.1\r\nHost: x\r\n{head}{body}");
        let mut sending = JoinSet::new();
        sending.spawn(async move { writer.write_all(request.as_bytes()).await });
        let answer = read_all(&mut reader).await;
        assert!(answer.starts_with("HTTP/1.1 413") && answer.contains("max_alerts"), "{answer}");
        // Go's client forgets the answer if writing fails before it, and Alertmanager would send it all again at once.
        sending.join_next().await.unwrap().unwrap().expect("the rest is taken, and forgotten");
    }
}

#[tokio::test]
async fn a_good_client_is_served_while_slow_ones_hold_every_seat() {
    let server = start(ServerLimits { head: Duration::from_secs(30), body: Duration::from_secs(30), ..limits() }).await;
    let mut held = Vec::new();
    for number in 0..60 {
        let mut client = server.connect().await;
        let half =
            if number % 2 == 0 { "POST /webhook HTT" } else { "POST /webhook HTTP/1.1\r\nContent-Length: 9\r\n\r\n{" };
        client.write_all(half.as_bytes()).await.unwrap();
        held.push(client);
    }
    let started = Instant::now();
    let mut good = server.connect().await;
    good.write_all(post(ALERT).as_bytes()).await.unwrap();
    assert!(read_one(&mut good).await.starts_with("HTTP/1.1 200"));
    assert!(started.elapsed() < SHORT, "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_panic_is_a_500_and_the_server_goes_on() {
    let server = start(limits()).await;
    let mut client = server.connect().await;
    for _ in 0..2 {
        client.write_all(b"GET /panics HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        assert!(read_one(&mut client).await.starts_with("HTTP/1.1 500"));
    }
}

#[tokio::test]
async fn what_is_not_http_1_is_not_served() {
    let server = start(limits()).await;
    let long = format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "y".repeat(200_000));
    for (bytes, want) in [
        (&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], "HTTP/1.1 400"),
        (b"POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n{}", "HTTP/1.1 400"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 tls?", "HTTP/1.1 400"),
        (long.as_bytes(), "HTTP/1.1 431"),
    ] {
        let answer = server.exchange(bytes).await;
        assert!(answer.is_empty() || answer.starts_with(want), "{answer}");
    }
    assert!(server.exchange(b"GET /healthz HTTP/1.0\r\n\r\n").await.contains("200 OK"));
}

#[tokio::test]
async fn stopping_lets_requests_finish_and_waits_for_nobody_else() {
    let mut server = start(ServerLimits { idle: PATIENCE * 3, grace: PATIENCE * 3, ..limits() }).await;
    let mut idle = server.connect().await;
    idle.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    read_one(&mut idle).await;
    let mut busy = server.connect().await;
    let request = post(ALERT);
    let (first, rest) = request.as_bytes().split_at(request.len() - 5);
    busy.write_all(first).await.unwrap();
    tokio::time::sleep(SHORT / 3).await;
    let started = Instant::now();
    server.shutdown.cancel();
    tokio::time::sleep(SHORT / 10).await;
    assert!(TcpStream::connect(server.address).await.is_err(), "the listener is closed");
    busy.write_all(rest).await.unwrap();
    let answer = read_all(&mut busy).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(read_all(&mut idle).await, "");
    drop((busy, idle));
    server.ends().await;
    assert!(started.elapsed() < SHORT * 3, "{:?}", started.elapsed());
}

#[tokio::test]
async fn stopping_waits_for_an_answer_no_longer_than_the_grace() {
    let mut server = start(limits()).await;
    let mut client = server.connect().await;
    client.write_all(b"GET /hangs HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    tokio::time::sleep(SHORT / 3).await;
    let started = Instant::now();
    server.shutdown.cancel();
    server.ends().await;
    assert!((SHORT..SHORT * 4).contains(&started.elapsed()), "{:?}", started.elapsed());
}
