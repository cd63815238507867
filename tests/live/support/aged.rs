//! A real Alertmanager as it would answer if it had been started an hour earlier. Everything else is its own word.
//!
//! Its own clock cannot be moved: Go's programs read the kernel's, past libfaketime. What a fresh one is believed is
//! tested with one that is fresh.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// Where the moment of the start stands in an answer.
const UPTIME: &str = "\"uptime\":\"";

pub(crate) struct Aged {
    /// Where it listens.
    pub(crate) port: u16,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Aged {
    /// Stands in front of the Alertmanager at this port, for as long as the test's process lives.
    pub(crate) fn before(alertmanager_port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A connection that breaks is no question.
                log.lock().unwrap().extend(pass_on(stream, alertmanager_port));
            }
        });
        Self { port, asked }
    }

    /// The first lines of all requests so far.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn pass_on(stream: TcpStream, to: u16) -> Option<String> {
    let mut reader = BufReader::new(stream);
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if line.trim_end().is_empty() {
            break;
        }
        head.push(line);
    }
    let mut upstream = TcpStream::connect((Ipv4Addr::LOCALHOST, to)).ok()?;
    let request = format!("{}Connection: close\r\n\r\n", head.concat());
    upstream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    upstream.read_to_string(&mut answer).ok()?;
    reader.into_inner().write_all(an_hour_older(answer).as_bytes()).ok()?;
    head.first().map(|line| line.trim_end().to_owned())
}

/// As long as before: the length stands in the answer's head.
fn an_hour_older(answer: String) -> String {
    let Some((before, rest)) = answer.split_once(UPTIME) else { return answer };
    let (uptime, after) = rest.split_once('"').unwrap();
    let started: chrono::DateTime<chrono::FixedOffset> = uptime.parse().unwrap();
    let earlier = (started - chrono::TimeDelta::hours(1)).to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
    assert_eq!(earlier.len(), uptime.len(), "{uptime}");
    format!("{before}{UPTIME}{earlier}\"{after}")
}
