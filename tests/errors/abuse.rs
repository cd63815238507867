//! Clients that hold on to what they can, all at once, while one good client is served as ever.

use crate::real_daemon::{Daemon, Home, alert, notification, post};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_secs(10);

/// The slowest answer that a good client may get on a busy machine.
const SLOWEST: Duration = Duration::from_secs(3);

/// A request whose header never ends, one whose body never ends, and a connection that says nothing.
const HOLDERS: [(&str, usize); 3] = [
    ("POST /api/v1/webhook HTTP/1.1\r\nHost: sickbay\r\nX-Slow: ", 200),
    ("POST /api/v1/webhook HTTP/1.1\r\nHost: sickbay\r\nContent-Length: 1000000\r\n\r\n{", 200),
    ("", 600),
];

#[test]
fn slow_idle_and_huge_clients_do_not_shut_out_a_good_one() {
    let home = Home::new();
    let daemon = Daemon::start(home.command());
    let address = daemon.address;
    let over = &AtomicBool::new(false);
    thread::scope(|scope| {
        for (head, count) in HOLDERS {
            scope.spawn(move || hold(address, head, count, over));
        }
        scope.spawn(move || {
            while !over.load(Ordering::Relaxed) {
                too_large(address);
            }
        });
        let (good, slowest) = be_good(address);
        over.store(true, Ordering::Relaxed);
        assert!(50 <= good && slowest < SLOWEST, "{good} deliveries, the slowest took {slowest:?}");
    });
    let ended = daemon.stop();
    assert!(ended.status.success(), "{ended:?}");
    assert!(!ended.said.contains("level=error"), "{}", ended.said);
}

/// Delivers one alert after the other; how many, and how long the slowest took.
fn be_good(address: SocketAddr) -> (usize, Duration) {
    let begun = Instant::now();
    let (mut good, mut slowest) = (0, Duration::ZERO);
    while begun.elapsed() < LONG {
        let body = notification(&[alert("Noise", "none", &format!("good-{good}"))]);
        let sent = Instant::now();
        let answer = post(address, &body).unwrap_or_else(|error| panic!("delivery {good}: {error}"));
        assert_eq!(answer.status, 200, "delivery {good}: {answer:?}");
        slowest = slowest.max(sent.elapsed());
        good += 1;
        thread::sleep(Duration::from_millis(20));
    }
    (good, slowest)
}

/// Holds as many connections as it can, and opens a new one for each that is closed.
fn hold(address: SocketAddr, head: &str, count: usize, over: &AtomicBool) {
    let connect = || {
        let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1)).ok()?;
        stream.write_all(head.as_bytes()).ok()?;
        stream.set_nonblocking(true).ok()?;
        Some(stream)
    };
    let mut held: Vec<TcpStream> = Vec::new();
    while !over.load(Ordering::Relaxed) {
        // One more byte for each that has begun; whoever was closed fails or says so.
        held.retain_mut(|stream| {
            let alive = head.is_empty() || stream.write_all(b" ").is_ok();
            let closed = matches!(stream.read(&mut [0; 256]), Ok(0));
            alive && !closed
        });
        held.extend((held.len()..count).map_while(|_| connect()));
        thread::sleep(Duration::from_millis(500));
    }
}

/// A body above the limit is refused from its announced length or where it crosses the limit.
fn too_large(address: SocketAddr) {
    const LEN: usize = 17 << 20;
    let Ok(mut stream) = TcpStream::connect_timeout(&address, Duration::from_secs(1)) else { return };
    let head = format!("POST /api/v1/webhook HTTP/1.1\r\nHost: sickbay\r\nContent-Length: {LEN}\r\n\r\n");
    // The server may answer and close before it has read everything: that is the point.
    let piece = vec![b' '; 1 << 20];
    let mut sent = stream.write_all(head.as_bytes());
    for _ in 0..LEN / piece.len() {
        sent = sent.and_then(|()| stream.write_all(&piece));
    }
    let mut answer = String::new();
    if stream.set_read_timeout(Some(Duration::from_secs(2))).is_ok() && stream.read_to_string(&mut answer).is_ok() {
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 413 "), "{answer}");
    }
    _ = sent;
    thread::sleep(Duration::from_millis(100));
}
