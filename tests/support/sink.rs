//! A web server on loopback that keeps what is posted to it and answers the same to everything: mailboxes, a chat, or
//! whatever else is told by HTTP.

use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

pub(crate) struct Sink {
    /// Where it listens.
    pub(crate) port: u16,
    posted: Arc<Mutex<Vec<Posted>>>,
    stopping: Arc<AtomicBool>,
    server: Option<JoinHandle<()>>,
}

/// One request, as it came.
struct Posted {
    path: String,
    body: String,
}

impl Sink {
    /// Listens on a free port, and takes everything.
    pub(crate) fn start() -> Self {
        Self::answering(0, 200)
    }

    /// Listens on this port, and answers with this status.
    pub(crate) fn answering(port: u16, status: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let posted = Arc::new(Mutex::new(Vec::new()));
        let stopping = Arc::new(AtomicBool::new(false));
        let (kept, stop) = (Arc::clone(&posted), Arc::clone(&stopping));
        let server = std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                kept.lock().unwrap().extend(take(stream, status));
            }
        });
        Self { port, posted, stopping, server: Some(server) }
    }

    /// What was posted so far, whatever to.
    pub(crate) fn bodies(&self) -> Vec<String> {
        self.posted.lock().unwrap().iter().map(|posted| posted.body.clone()).collect()
    }

    /// The JSON that was posted to this path so far.
    pub(crate) fn posted(&self, path: &str) -> Vec<Value> {
        let posted = self.posted.lock().unwrap();
        posted.iter().filter(|to| to.path == path).map(|to| serde_json::from_str(&to.body).unwrap()).collect()
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::Relaxed);
        // Wakes it up, so that it sees that it is over and lets go of the port.
        drop(TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)));
        drop(self.server.take().map(JoinHandle::join));
    }
}

/// Reads one request; a connection that breaks is no request.
fn take(stream: TcpStream, status: u16) -> Option<Posted> {
    let mut reader = BufReader::new(stream);
    let (mut path, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        if path.is_empty() {
            path = line.split(' ').nth(1)?.to_owned();
        }
        match line.trim_end().split_once(':') {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => length = value.trim().parse().ok()?,
            None if line.trim_end().is_empty() => break,
            Some(_) | None => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let answer = format!("HTTP/1.1 {status} Any\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    reader.into_inner().write_all(answer.as_bytes()).ok()?;
    Some(Posted { path, body: String::from_utf8_lossy(&body).into_owned() })
}
