//! A socket between the daemon and the engine, on which chosen calls have a fate of their own.

use super::WIDE_SETTINGS;
use crate::real_docker::engine;
use sickbay::docker::endpoint::DockerEndpoint;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It goes through like any other.
    Passed,
    /// It never arrives.
    Swallowed,
    /// It is done, and nobody hears of it.
    Unheard,
    /// It is done, and in place of an answer the connection ends.
    CutOff,
}

/// Which calls are meant, by the first line of the request.
pub(crate) type Meant = fn(&str) -> bool;

/// Stands between the daemon and the engine.
pub(crate) struct Between {
    fate: Arc<Mutex<Fate>>,
    held: Arc<AtomicU32>,
    directory: tempfile::TempDir,
}

impl Between {
    /// Lets everything pass but the calls that are meant.
    pub(crate) fn start(meant: Meant, fate: Fate) -> Self {
        let between =
            Self { fate: Arc::new(Mutex::new(fate)), held: Arc::default(), directory: tempfile::tempdir().unwrap() };
        let listener = UnixListener::bind(between.socket()).unwrap();
        let (fate, held) = (Arc::clone(&between.fate), Arc::clone(&between.held));
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let (fate, held) = (Arc::clone(&fate), Arc::clone(&held));
                // A connection that breaks is what it is here for.
                thread::spawn(move || drop(pass(client, (meant, &fate), &held)));
            }
        });
        between
    }

    /// How many calls were not passed.
    pub(crate) fn held(&self) -> u32 {
        self.held.load(Ordering::SeqCst)
    }

    /// From now on everything passes.
    pub(crate) fn let_pass(&self) {
        *self.fate.lock().unwrap() = Fate::Passed;
    }

    fn socket(&self) -> PathBuf {
        self.directory.path().join("docker.sock")
    }

    /// Settings by which the daemon goes this way.
    pub(crate) fn settings(&self) -> String {
        let url = format!("unix://{}", self.socket().display());
        format!("{WIDE_SETTINGS}docker: {{hands_off: 0s, hosts: [{{name: local, url: '{url}'}}]}}\n")
    }
}

fn pass(mut client: UnixStream, (meant, fate): (Meant, &Mutex<Fate>), held: &AtomicU32) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        client.read_exact(&mut byte)?;
        head.extend(byte);
    }
    let line = String::from_utf8_lossy(&head).lines().next().unwrap_or_default().to_owned();
    let fate = if meant(&line) { *fate.lock().unwrap() } else { Fate::Passed };
    if fate == Fate::Swallowed {
        held.fetch_add(1, Ordering::SeqCst);
        return io::copy(&mut client, &mut io::sink()).map(drop);
    }
    let DockerEndpoint::Unix(socket) = engine() else { panic!("these tests need an engine on a socket") };
    let mut engine = UnixStream::connect(socket)?;
    engine.write_all(&head)?;
    let (mut from, mut to) = (client.try_clone()?, engine.try_clone()?);
    thread::spawn(move || {
        // Its end is the client's, and the engine need not be told of it.
        drop(io::copy(&mut from, &mut to));
        drop(to.shutdown(Shutdown::Both));
    });
    if fate != Fate::Passed {
        engine.read_exact(&mut [0])?;
        held.fetch_add(1, Ordering::SeqCst);
    }
    match fate {
        Fate::Unheard => io::copy(&mut engine, &mut io::sink()).map(drop),
        Fate::CutOff => client.shutdown(Shutdown::Both),
        Fate::Passed | Fate::Swallowed => {
            io::copy(&mut engine, &mut client)?;
            client.shutdown(Shutdown::Both)
        }
    }
}
