//! What stands between sickbay and the engine in these tests: it writes down every request, and lets through what its
//! configuration says, as the socket proxy of that kind does.
//!
//! [`SocketProxy::recording`] lets everything through; [`SocketProxy::wollomatic`] goes by a regular expression for each
//! method, between `^` and `$` without a group; [`HaProxy`] is Debian's haproxy with rules that go by groups of calls. Each
//! connection carries one request.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests too: a panic names its line")]

use regex::Regex;
use serde_json::Value;
use sickbay::docker::DockerEndpoint;
use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The engine's own socket.
fn engine() -> PathBuf {
    match crate::real_docker::engine() {
        DockerEndpoint::Unix(path) => path,
        other @ (DockerEndpoint::Tcp { .. } | DockerEndpoint::Ssh { .. }) => {
            panic!("these tests need an engine on a unix socket, and it is at {other}")
        }
    }
}

/// One request as it went over the wire.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Seen {
    /// `GET`
    pub(crate) method: String,
    /// `/v1.41/containers/json`, without a query.
    pub(crate) path: String,
    /// The status with which the proxy itself refused it; 0 if it let it through.
    pub(crate) refused: u16,
}

/// A pattern for each method that is set.
type Allowed = BTreeMap<String, Regex>;

/// A proxy on a Unix socket. Its threads end with their connections.
pub(crate) struct SocketProxy {
    directory: tempfile::TempDir,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl SocketProxy {
    /// Lets everything through.
    pub(crate) fn recording() -> Self {
        Self::start(None, engine())
    }

    /// Goes by arguments such as `-allowGET=(/version)`.
    pub(crate) fn wollomatic(arguments: &[String]) -> Self {
        let allowed = arguments.iter().filter_map(|argument| {
            let (method, pattern) = argument.strip_prefix("-allow")?.split_once('=')?;
            let upper = method.bytes().all(|byte| byte.is_ascii_uppercase());
            upper.then(|| (method.to_owned(), Regex::new(&format!("^{pattern}$")).unwrap()))
        });
        Self::start(Some(allowed.collect()), engine())
    }

    fn start(allowed: Option<Allowed>, engine: PathBuf) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(directory.path().join("proxy.sock")).unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let list = Arc::clone(&seen);
        let allowed = Arc::new(allowed);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (list, allowed, engine) = (Arc::clone(&list), Arc::clone(&allowed), engine.clone());
                // A connection that breaks is the caller's to notice.
                std::thread::spawn(move || stream.and_then(|stream| serve(stream, &engine, (&allowed, &list))));
            }
        });
        Self { directory, seen }
    }

    /// Its address, for the settings.
    pub(crate) fn url(&self) -> String {
        format!("unix://{}", self.directory.path().join("proxy.sock").display())
    }

    /// Every request so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

fn serve(
    mut client: UnixStream,
    engine: &Path,
    (allowed, list): (&Option<Allowed>, &Mutex<Vec<Seen>>),
) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if client.read(&mut byte)? == 0 {
            return Ok(());
        }
        head.extend(byte);
    }
    let text = String::from_utf8_lossy(&head).into_owned();
    let mut words = text.split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let path = target.split('?').next().unwrap_or_default();
    let refused = match allowed {
        None => 0,
        Some(allowed) => match allowed.get(method) {
            None => 405,
            Some(pattern) if pattern.is_match(path) => 0,
            Some(_) => 403,
        },
    };
    list.lock().unwrap().push(Seen { method: method.to_owned(), path: path.to_owned(), refused });
    if refused != 0 {
        let answer = format!(
            "HTTP/1.1 {refused} No\r\nContent-Type: text/plain\r\nContent-Length: 3\r\nConnection: close\r\n\r\nno\n"
        );
        return client.write_all(answer.as_bytes());
    }
    let mut engine = UnixStream::connect(engine)?;
    engine.write_all(&head)?;
    let (mut from_client, mut to_engine) = (client.try_clone()?, engine.try_clone()?);
    std::thread::spawn(move || {
        drop(io::copy(&mut from_client, &mut to_engine));
        // The engine ends a stream once nobody listens any more.
        to_engine.shutdown(Shutdown::Both)
    });
    drop(io::copy(&mut engine, &mut client));
    client.shutdown(Shutdown::Both)
}

/// Debian's haproxy before the engine, on a Unix socket, with the rules of a file of ours.
pub(crate) struct HaProxy {
    directory: tempfile::TempDir,
    child: Child,
}

impl HaProxy {
    /// Starts it with the rules of `tests/fixtures/socket_proxy/NAME.cfg`, and this environment.
    pub(crate) fn start(rules: &str, environment: &Value) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = format!("{}/tests/fixtures/socket_proxy/{rules}.cfg", env!("CARGO_MANIFEST_DIR"));
        let socket = directory.path().join("proxy.sock");
        let mut command = Command::new("haproxy");
        command
            .args(["-db", "-q", "-f", &file])
            .env("SOCKET", &socket)
            .env("ENGINE", engine())
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        for (key, value) in environment.as_object().unwrap() {
            command.env(key, value.to_string());
        }
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn();
        let child = child.unwrap_or_else(|error| panic!("haproxy is missing (apt install haproxy): {error}"));
        let proxy = Self { directory, child };
        for _ in 0..200 {
            if UnixStream::connect(proxy.socket()).is_ok() {
                return proxy;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("haproxy does not listen");
    }

    /// Where it listens.
    pub(crate) fn socket(&self) -> PathBuf {
        self.directory.path().join("proxy.sock")
    }
}

impl Drop for HaProxy {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
