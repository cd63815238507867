//! A web server on loopback that keeps what is posted to it and answers the same to everything.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

pub(crate) struct Sink {
    /// Where it listens.
    pub(crate) port: u16,
    bodies: Arc<Mutex<Vec<String>>>,
    stopping: Arc<AtomicBool>,
    server: Option<JoinHandle<()>>,
}

impl Sink {
    /// Listens on this port, and answers with this status.
    pub(crate) fn start(port: u16, status: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
        let bodies = Arc::new(Mutex::new(Vec::new()));
        let stopping = Arc::new(AtomicBool::new(false));
        let (kept, stop) = (Arc::clone(&bodies), Arc::clone(&stopping));
        let server = std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                kept.lock().unwrap().extend(take(stream, status));
            }
        });
        Self { port, bodies, stopping, server: Some(server) }
    }

    /// What was posted so far.
    pub(crate) fn bodies(&self) -> Vec<String> {
        self.bodies.lock().unwrap().clone()
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
fn take(stream: TcpStream, status: u16) -> Option<String> {
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
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
    Some(String::from_utf8_lossy(&body).into_owned())
}
