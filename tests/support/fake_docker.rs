//! A Docker engine for faults that a real one will not produce on demand: it speaks HTTP on a Unix socket, and
//! on loopback TCP if asked.
//!
//! It answers `/version` and knows a few containers by their raw inspect JSON; any answer can be replaced by a
//! [`Reply`], misbehaving ones included. Every request is kept as it stood on the wire. Read [`FakeDocker::start`]
//! first. It checks nothing by itself: the tests do.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests are tests too: a panic names its line"
)]

use serde_json::{Value, json};
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, UnixListener};

/// How one request is answered.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// A JSON answer.
    Json(u16, Value),
    /// Any other answer, such as a proxy's page.
    Text(u16, &'static str, String),
    /// Bytes as they are, after a 200 that announces them.
    Bytes(Vec<u8>),
    /// Reads the request and closes the connection.
    Cut,
    /// Reads the request and says nothing.
    Silence,
    /// Sends the head of an answer and never its body.
    HungBody,
    /// Sends a body without end.
    Endless,
    /// Sends the first bytes of the head, waits, and then the rest.
    SlowHead(Duration, Value),
}

/// A scripted answer: for this method, to a path that contains this text.
#[derive(Clone, Debug)]
struct Script {
    method: &'static str,
    path_part: String,
    reply: Reply,
    /// `None` lasts for ever.
    times_left: Option<u32>,
}

#[derive(Debug)]
struct Engine {
    api_version: String,
    min_api_version: String,
    containers: Vec<Value>,
    scripts: VecDeque<Script>,
    requests: Vec<String>,
    probes: Vec<String>,
    bodies: Vec<String>,
}

/// The engine. It stops when it is dropped.
#[derive(Debug)]
pub(crate) struct FakeDocker {
    engine: Arc<Mutex<Engine>>,
    directory: tempfile::TempDir,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl FakeDocker {
    /// Starts an engine of API version 1.41 without containers.
    pub(crate) fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let engine = Engine {
            api_version: "1.41".to_owned(),
            min_api_version: "1.12".to_owned(),
            containers: Vec::new(),
            scripts: VecDeque::new(),
            requests: Vec::new(),
            probes: Vec::new(),
            bodies: Vec::new(),
        };
        let engine = Arc::new(Mutex::new(engine));
        let listener = UnixListener::bind(directory.path().join("docker.sock")).unwrap();
        let tasks = vec![serve(listener, Arc::clone(&engine))];
        Self { engine, directory, tasks }
    }

    /// Lets it listen on loopback TCP too, as a socket proxy does, and gives back that address.
    pub(crate) async fn also_on_tcp(&mut self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        self.tasks.push(serve_tcp(listener, Arc::clone(&self.engine)));
        format!("tcp://127.0.0.1:{port}")
    }

    /// Where it listens.
    pub(crate) fn socket(&self) -> PathBuf {
        self.directory.path().join("docker.sock")
    }

    /// Its address as the settings write it.
    pub(crate) fn url(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    /// Exchanges the engine for one of another version.
    pub(crate) fn set_versions(&self, min: &str, max: &str) {
        let mut engine = self.engine.lock().unwrap();
        engine.api_version = max.to_owned();
        engine.min_api_version = min.to_owned();
    }

    /// Adds a container, or replaces the one of the same ID, by its raw inspect JSON.
    pub(crate) fn put(&self, inspect: Value) {
        let mut engine = self.engine.lock().unwrap();
        engine.containers.retain(|known| known["Id"] != inspect["Id"]);
        engine.containers.push(inspect);
    }

    /// Answers every request of this method, to a path that contains this text, in this way.
    pub(crate) fn always(&self, method: &'static str, path_part: &str, reply: Reply) {
        self.script(method, path_part, reply, None);
    }

    /// As [`Self::always`], for the next request only.
    pub(crate) fn once(&self, method: &'static str, path_part: &str, reply: Reply) {
        self.script(method, path_part, reply, Some(1));
    }

    fn script(&self, method: &'static str, path_part: &str, reply: Reply, times_left: Option<u32>) {
        let script = Script { method, path_part: path_part.to_owned(), reply, times_left };
        self.engine.lock().unwrap().scripts.push_back(script);
    }

    /// The request lines so far: `GET /v1.41/containers/json?all=true`.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.engine.lock().unwrap().requests.clone()
    }

    /// The request lines of the questions about what is allowed: of those, nothing counts as a request.
    pub(crate) fn probes(&self) -> Vec<String> {
        self.engine.lock().unwrap().probes.clone()
    }

    /// The bodies of those requests that had one, as JSON.
    pub(crate) fn bodies(&self) -> Vec<Value> {
        let bodies = self.engine.lock().unwrap().bodies.clone();
        bodies.iter().map(|body| serde_json::from_str(body).unwrap()).collect()
    }

    /// How many requests of this method went to a path that contains this text.
    pub(crate) fn count(&self, method: &str, path_part: &str) -> usize {
        let requests = self.requests();
        requests.iter().filter(|line| line.starts_with(method) && line.contains(path_part)).count()
    }
}

impl Drop for FakeDocker {
    fn drop(&mut self) {
        self.tasks.iter().for_each(tokio::task::JoinHandle::abort);
    }
}

/// A container that runs: its raw inspect JSON.
pub(crate) fn running(id_pair: &str, name: &str) -> Value {
    json!({
        "Id": id_pair.repeat(32),
        "Name": format!("/{name}"),
        "Image": "sha256:0",
        "State": {"Status": "running", "StartedAt": "2026-08-20T10:00:00Z", "FinishedAt": "0001-01-01T00:00:00Z"},
        "Created": "2026-08-20T09:00:00Z",
        "RestartCount": 0,
        "Config": {"Image": "web:1", "Tty": false, "Labels": {}},
        "HostConfig": {"NetworkMode": "bridge", "RestartPolicy": {"Name": "no"}},
    })
}

#[expect(clippy::disallowed_methods, reason = "a test server has no daemon whose task list it could join")]
fn serve(listener: UnixListener, engine: Arc<Mutex<Engine>>) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // A connection that breaks is a test's intention.
            tokio::spawn(answer(stream, Arc::clone(&engine)));
        }
    })
}

#[expect(clippy::disallowed_methods, reason = "a test server has no daemon whose task list it could join")]
fn serve_tcp(listener: TcpListener, engine: Arc<Mutex<Engine>>) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream, Arc::clone(&engine)));
        }
    })
}

async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin, engine: Arc<Mutex<Engine>>) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if stream.read(&mut byte).await? == 0 {
            return Ok(());
        }
        head.extend(byte);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let length = head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).await?;
    let line = head.lines().next().unwrap_or_default();
    let line = line.strip_suffix(" HTTP/1.1").unwrap_or(line).to_owned();
    if head.contains("sickbay-probe") {
        let reply = engine.lock().unwrap().reply_to_probe(&line);
        return send(&mut stream, reply).await;
    }
    if !body.is_empty() {
        engine.lock().unwrap().bodies.push(String::from_utf8_lossy(&body).into_owned());
    }
    let reply = engine.lock().unwrap().reply(&line);
    send(&mut stream, reply).await
}

impl Engine {
    /// A question about what is allowed. Only a proxy's lasting no is an answer to it; scripts are for what follows.
    fn reply_to_probe(&mut self, line: &str) -> Reply {
        self.probes.push(line.to_owned());
        let (method, path) = line.split_once(' ').unwrap_or_default();
        let no = |script: &&Script| {
            let denied = matches!(script.reply, Reply::Text(401 | 403 | 405, ..));
            denied && script.times_left.is_none() && script.method == method && path.contains(&script.path_part)
        };
        let denied = self.scripts.iter().find(no).map(|script| script.reply.clone());
        denied.unwrap_or_else(|| Reply::Json(404, json!({"message": "No such thing"})))
    }

    fn reply(&mut self, line: &str) -> Reply {
        self.requests.push(line.to_owned());
        let (method, path) = line.split_once(' ').unwrap_or_default();
        let fits = |script: &Script| script.method == method && path.contains(&script.path_part);
        if let Some(index) = self.scripts.iter().position(fits) {
            let script = &mut self.scripts[index];
            let reply = script.reply.clone();
            if script.times_left.is_some() {
                self.scripts.remove(index);
            }
            return reply;
        }
        if path == "/version" {
            let version =
                json!({"Version": "20.10.24", "ApiVersion": self.api_version, "MinAPIVersion": self.min_api_version});
            return Reply::Json(200, version);
        }
        self.reply_about_containers(method, path)
    }

    fn reply_about_containers(&mut self, method: &str, path: &str) -> Reply {
        let bare = path.split_once('?').map_or(path, |(bare, _)| bare);
        if method == "GET" && bare == format!("/v{}/events", self.api_version) {
            return Reply::Bytes(Vec::new());
        }
        let prefix = format!("/v{}/containers/", self.api_version);
        let Some(rest) = bare.strip_prefix(&prefix) else {
            return Reply::Json(404, json!({"message": "page not found"}));
        };
        if method == "GET" && rest == "json" {
            return Reply::Json(200, self.containers.iter().map(listed).collect());
        }
        let (id, verb) = rest.split_once('/').unwrap_or((rest, ""));
        let Some(container) = self.containers.iter_mut().find(|container| container["Id"] == id) else {
            return Reply::Json(404, json!({"message": format!("No such container: {id}")}));
        };
        match (method, verb) {
            ("GET", "json") => Reply::Json(200, container.clone()),
            ("GET", "logs") => Reply::Bytes(Vec::new()),
            ("GET", "stats") => Reply::Json(200, json!({})),
            ("POST", "restart" | "start" | "stop") => {
                Reply::Text(if act(container, verb) { 204 } else { 304 }, "text/plain", String::new())
            }
            _ => Reply::Json(404, json!({"message": "page not found"})),
        }
    }
}

/// The list's entry for a container. The filter is not applied: whoever asks has to compare anyway.
fn listed(inspect: &Value) -> Value {
    json!({
        "Id": inspect["Id"],
        "Names": [inspect["Name"]],
        "State": inspect["State"]["Status"],
        "Labels": inspect["Config"]["Labels"],
        "HostConfig": {"NetworkMode": inspect["HostConfig"]["NetworkMode"]},
    })
}

/// Does what was asked for; no if there was nothing to do, as the engine has it.
fn act(container: &mut Value, verb: &str) -> bool {
    let runs = container["State"]["Status"] == "running";
    match (verb, runs) {
        ("start", true) | ("stop", false) => return false,
        ("stop", true) => container["State"]["Status"] = "exited".into(),
        (_, _) => start(container),
    }
    true
}

/// Each start is a minute later than the last one, by the engine's clock.
fn start(container: &mut Value) {
    let started = container["State"]["StartedAt"].as_str().unwrap_or_default();
    let started = chrono::DateTime::parse_from_rfc3339(started).unwrap_or_default();
    let next = started + chrono::TimeDelta::minutes(1);
    container["State"]["StartedAt"] = next.to_utc().to_rfc3339_opts(chrono::SecondsFormat::Secs, true).into();
    container["State"]["Status"] = "running".into();
    container["RestartCount"] = 0.into();
}

async fn send(stream: &mut (impl AsyncWrite + Unpin), reply: Reply) -> std::io::Result<()> {
    match reply {
        Reply::Json(status, body) => {
            stream.write_all(&answer_bytes(status, "application/json", body.to_string().as_bytes())).await
        }
        Reply::Text(status, kind, body) => stream.write_all(&answer_bytes(status, kind, body.as_bytes())).await,
        Reply::Bytes(body) => stream.write_all(&answer_bytes(200, "application/octet-stream", &body)).await,
        Reply::Cut => Ok(()),
        Reply::Silence => std::future::pending().await,
        Reply::HungBody => {
            stream
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
                .await?;
            std::future::pending().await
        }
        Reply::Endless => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n").await?;
            loop {
                stream.write_all(&[b' '; 65536]).await?;
            }
        }
        Reply::SlowHead(pause, body) => {
            let bytes = answer_bytes(200, "application/json", body.to_string().as_bytes());
            let (first, rest) = bytes.split_at(10);
            stream.write_all(first).await?;
            tokio::time::sleep(pause).await;
            stream.write_all(rest).await
        }
    }
}

fn answer_bytes(status: u16, kind: &str, body: &[u8]) -> Vec<u8> {
    let date = "Thu, 20 Aug 2026 10:00:30 GMT";
    let length =
        if matches!(status, 204 | 304) { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
    let head =
        format!("HTTP/1.1 {status} Any\r\nContent-Type: {kind}\r\nDate: {date}\r\n{length}Connection: close\r\n\r\n");
    [head.as_bytes(), body].concat()
}
