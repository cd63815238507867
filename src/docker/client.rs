//! Two clients for one engine: [`Reader`] can only look, [`Writer`] can also change something.
//!
//! They are different types so that a dry run can hold one that cannot change anything; the reader's transport refuses
//! every method but GET as well. Decisions are made from raw JSON, read leniently; bollard's typed calls serve where
//! nothing depends on its enums. The version prefix `/v1.NN` is ours to add: bollard 0.21 drops it. Nothing is
//! connected before the first call, and a failed connection only fails its call.

use super::convert;
use super::endpoint::DockerEndpoint;
use super::error::{CallContext, DockerError};
use super::events::Memory;
use super::transport::{Answer, Methods, NOT_JSON, Sender, transport, until};
use crate::model::action::Action;
use crate::model::container::Container;
use crate::model::docker_call::DockerCall;
use crate::model::owner::{OwnerLabels, read_under};
use crate::model::target::{ContainerId, ContainerName};
use bollard::query_parameters::{RestartContainerOptions, StartContainerOptions, StopContainerOptions};
use bollard::{BollardRequest, ClientVersion, Docker};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::Uri;
use http::response::Parts;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::Value;
use std::fmt;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// The lowest API version we speak: Debian 12's engine.
const MINOR_MIN: u16 = 41;

/// The highest API version we speak: what bollard's types are made from.
const MINOR_MAX: u16 = 53;

/// How long a question may take, head and body.
pub(super) const READ_WITHIN: Duration = Duration::from_secs(5);

/// Told of every call: its operation (`inspect`, `restart`, …) and its HTTP status or a word for what went wrong.
pub type Observer = Arc<dyn Fn(&'static str, &str) + Send + Sync>;

/// An engine as it introduces itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineVersion {
    /// Version of the engine: `20.10.24`.
    pub engine: String,
    /// The API version we use with it: `1.41`.
    pub api: String,
}

/// A client that can only look. Clones share what they remember of the engine's events.
#[derive(Clone)]
pub struct Reader {
    link: Arc<Link>,
    memory: Arc<Mutex<Memory>>,
    /// The prefix under which owners' labels are read beside our own.
    label_prefix: Option<Arc<str>>,
}

/// A client that can change what containers do.
#[derive(Clone)]
pub struct Writer {
    link: Arc<Link>,
    reader: Reader,
}

impl Reader {
    /// A reader of the engine at an address, which need not answer yet.
    #[must_use]
    pub fn new(endpoint: &DockerEndpoint, observer: Option<Observer>) -> Self {
        let link = Arc::new(Link::new(endpoint, Methods::Get, observer));
        Self { link, memory: Arc::default(), label_prefix: None }
    }

    /// The same, which reads what owners say by labels under this prefix as well.
    #[must_use]
    pub fn with_label_prefix(self, prefix: Option<&str>) -> Self {
        Self { label_prefix: prefix.map(Arc::from), ..self }
    }

    /// What owners say by labels, under our own prefix and the other one.
    pub(super) fn owner_labels(&self, labels: OwnerLabels) -> OwnerLabels {
        match &self.label_prefix {
            Some(prefix) => read_under(prefix, labels),
            None => labels,
        }
    }

    /// Asks the engine who it is, and settles the API version anew.
    ///
    /// # Errors
    /// [`DockerError`] if it does not answer or speaks no version of ours.
    pub async fn version(&self) -> Result<EngineVersion, DockerError> {
        let (engine, minor) = self.link.negotiate(Instant::now() + READ_WITHIN).await?;
        Ok(EngineVersion { engine, api: format!("1.{minor}") })
    }

    /// Looks at one container.
    ///
    /// # Errors
    /// [`DockerError`]; `NotFound` if there is no container of this ID.
    pub async fn inspect(&self, id: &ContainerId) -> Result<Container, DockerError> {
        Ok(self.inspect_fully(id, READ_WITHIN).await?.container)
    }

    /// Looks at one container and keeps the raw answer too.
    pub(super) async fn inspect_fully(&self, id: &ContainerId, allowed: Duration) -> Result<Inspected, DockerError> {
        let reply = self.get(DockerCall::Inspect, &format!("/containers/{id}/json"), allowed).await?;
        let json = reply.json()?;
        let mut container = convert::container(&json)?;
        container.labels = self.owner_labels(container.labels);
        Ok(Inspected { container, json, answered_at: reply.answered_at })
    }

    /// Lists containers, running ones only unless `all`.
    pub(super) async fn list(&self, all: bool, filters: &Value) -> Result<Vec<convert::Listed>, DockerError> {
        let filters = percent_encode(&filters.to_string());
        let path = format!("/containers/json?all={all}&filters={filters}");
        Ok(convert::list(&self.get(DockerCall::List, &path, READ_WITHIN).await?.json()?))
    }

    /// Asks anything that is asked with GET. An engine that was exchanged behind our back is asked for its version and
    /// then once more.
    pub(super) async fn get(&self, call: DockerCall, path: &str, allowed: Duration) -> Result<Reply, DockerError> {
        let deadline = Instant::now() + allowed;
        let first = self.link.get(call, path, (MINOR_MAX, deadline)).await;
        match first {
            Err(error @ DockerError::Rejected { .. }) if error.doubts_version() => {
                self.link.get(call, path, (MINOR_MAX, deadline)).await
            }
            first => first,
        }
    }

    /// As [`Self::get`], in the words of an older version of the API, which tells what newer ones leave out. Asked once.
    pub(super) async fn get_as_of(
        &self,
        minor: u16,
        (call, path): (DockerCall, &str),
        allowed: Duration,
    ) -> Result<Reply, DockerError> {
        self.link.get(call, path, (minor, Instant::now() + allowed)).await
    }

    /// Asks for something that goes on and on.
    pub(super) async fn open(&self, call: DockerCall, path: &str) -> Result<Stream, DockerError> {
        self.link.open(call, path, Instant::now() + READ_WITHIN).await
    }

    /// Looks at, or changes, what is remembered of the engine's events. Not to be held over a call.
    pub(super) fn memory<T>(&self, with: impl FnOnce(&mut Memory) -> T) -> T {
        with(&mut self.memory.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Writer {
    /// A writer to the engine at an address, which need not answer yet. The reader may go another way, because some
    /// socket proxies need one instance to read and one to write.
    #[must_use]
    pub fn new(endpoint: &DockerEndpoint, reader: Reader, observer: Option<Observer>) -> Self {
        Self { link: Arc::new(Link::new(endpoint, Methods::Writing, observer)), reader }
    }

    /// The client to look with.
    #[must_use]
    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    /// Asks for the version, so that what is sent next goes to an engine that answered a moment ago.
    pub(super) async fn prepare(&self) -> Result<Prepared<'_>, DockerError> {
        let (_, minor) = self.link.negotiate(Instant::now() + READ_WITHIN).await?;
        Ok(Prepared { link: &self.link, minor })
    }
}

/// A writer whose engine has just answered: the right moment to send one thing.
pub(super) struct Prepared<'a> {
    link: &'a Link,
    minor: u16,
}

impl Prepared<'_> {
    /// Sends an action, once.
    pub(super) async fn send(self, id: &ContainerId, action: &Action, allowed: Duration) -> Result<(), DockerError> {
        let call = match action {
            Action::Restart { .. } => DockerCall::Restart,
            Action::Start => DockerCall::Start,
            Action::Stop { .. } => DockerCall::Stop,
            // Those are sent as raw JSON.
            Action::UpdateLimits(_) | Action::Service(_) => {
                return Err(DockerError::NotSent(format!("{} is not sent this way", action.op())));
            }
        };
        let path = call.path(id.as_str());
        let context = self.link.context(call, &path)?;
        let docker = self.link.typed(Some(self.minor), allowed)?;
        let id = id.as_str();
        let sending = async {
            match action {
                Action::Restart { stop_timeout } => {
                    let options = stop_timeout
                        .map(|grace| RestartContainerOptions { signal: None, t: Some(whole_seconds(grace)) });
                    docker.restart_container(id, options).await
                }
                Action::Start => docker.start_container(id, None::<StartContainerOptions>).await,
                Action::Stop { stop_timeout } => {
                    let options =
                        stop_timeout.map(|grace| StopContainerOptions { signal: None, t: Some(whole_seconds(grace)) });
                    docker.stop_container(id, options).await
                }
                // Those are sent as raw JSON.
                Action::UpdateLimits(_) | Action::Service(_) => {
                    Err(bollard::errors::Error::UnsupportedURISchemeError { uri: action.op().to_owned() })
                }
            }
        };
        let answer = until(Instant::now() + allowed, sending).await;
        let result =
            answer.map_or_else(|| Err(context.late()), |answer| answer.map_err(|error| context.failed(&error)));
        self.link.observe(call, result.as_ref().map(|()| 204));
        result
    }

    /// Sends raw JSON, once: what bollard's types would lose goes along.
    pub(super) async fn post(
        self,
        call: DockerCall,
        path: &str,
        body: &Value,
        allowed: Duration,
    ) -> Result<Reply, DockerError> {
        self.change(call, (path, Some(body)), allowed).await
    }

    /// Removes a container, by force and with its anonymous volumes or not, once.
    pub(super) async fn remove(
        self,
        id: &ContainerId,
        (force, volumes): (bool, bool),
        allowed: Duration,
    ) -> Result<(), DockerError> {
        let path = format!("{}?force={force}&v={volumes}", DockerCall::Remove.path(id.as_str()));
        self.change(DockerCall::Remove, (&path, None), allowed).await.map(|_| ())
    }

    /// Gives a container another name, once.
    pub(super) async fn rename(
        self,
        id: &ContainerId,
        name: &ContainerName,
        allowed: Duration,
    ) -> Result<(), DockerError> {
        let path = format!("{}?name={name}", DockerCall::Rename.path(id.as_str()));
        self.change(DockerCall::Rename, (&path, None), allowed).await.map(|_| ())
    }

    async fn change(
        self,
        call: DockerCall,
        (path, body): (&str, Option<&Value>),
        allowed: Duration,
    ) -> Result<Reply, DockerError> {
        let context = self.link.context(call, path)?;
        let exchange = self.link.exchange(&context, self.minor, body);
        let answer = until(Instant::now() + allowed, exchange).await;
        let result = answer.unwrap_or_else(|| Err(context.late()));
        self.link.observe(call, result.as_ref().map(|reply| reply.status));
        result
    }
}

/// Docker takes whole seconds; a part of one is rounded up, so that nobody gets less grace than was asked for.
fn whole_seconds(timeout: Duration) -> i32 {
    let secs = timeout.as_secs().saturating_add(u64::from(timeout.subsec_nanos() != 0));
    i32::try_from(secs).unwrap_or(i32::MAX)
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reader({})", self.link.endpoint)
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Writer({})", self.link.endpoint)
    }
}

/// One container, decoded and raw.
pub(super) struct Inspected {
    pub(super) container: Container,
    pub(super) json: Value,
    /// The engine's clock, to the second, if it said.
    pub(super) answered_at: Option<DateTime<Utc>>,
}

/// A successful answer.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) body: Bytes,
    pub(super) answered_at: Option<DateTime<Utc>>,
}

impl Reply {
    pub(super) fn json(&self) -> Result<Value, DockerError> {
        serde_json::from_slice(&self.body).map_err(|error| DockerError::Invalid(error.to_string()))
    }
}

/// An answer that goes on and on.
pub(super) struct Stream {
    /// The engine's clock when it began, to the second, if it said.
    pub(super) answered_at: Option<DateTime<Utc>>,
    body: Incoming,
}

impl Stream {
    /// The next piece; `None` at the end. Waits as long as the engine has nothing to tell.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, DockerError> {
        while let Some(frame) = self.body.frame().await {
            let frame = frame.map_err(|error| DockerError::Invalid(format!("the stream broke off: {error}")))?;
            if let Ok(data) = frame.into_data() {
                return Ok(Some(data));
            }
        }
        Ok(None)
    }
}

/// What all clients share: the way to the engine and the API version settled with it.
pub(super) struct Link {
    endpoint: DockerEndpoint,
    send: Sender,
    /// The NN of `/v1.NN`; 0 while it is not settled.
    minor: AtomicU16,
    observer: Option<Observer>,
}

impl Link {
    pub(super) fn new(endpoint: &DockerEndpoint, methods: Methods, observer: Option<Observer>) -> Self {
        Self { endpoint: endpoint.clone(), send: transport(endpoint, methods), minor: AtomicU16::new(0), observer }
    }

    /// What the list of calls does not have is not asked for.
    pub(super) fn context<'a>(&'a self, call: DockerCall, path: &'a str) -> Result<CallContext<'a>, DockerError> {
        let (method, bare) = (call.method(), path.split_once('?').map_or(path, |(bare, _query)| bare));
        if DockerCall::of(method, bare) != Some(call) {
            let operation = call.operation();
            return Err(DockerError::NotSent(format!("{method} {bare} is no call to {operation} that sickbay makes")));
        }
        Ok(CallContext { endpoint: &self.endpoint, method, path })
    }

    /// Asks GET /version, without a prefix: the engine's version, and the highest API version both sides speak, which is
    /// kept.
    pub(super) async fn negotiate(&self, deadline: Instant) -> Result<(String, u16), DockerError> {
        let context = self.context(DockerCall::Version, "/version")?;
        let docker = self.typed(None, READ_WITHIN)?;
        let answer = until(deadline, docker.version()).await;
        let answer =
            answer.map_or_else(|| Err(context.late()), |answer| answer.map_err(|error| context.failed(&error)));
        self.observe(DockerCall::Version, answer.as_ref().map(|_| 200));
        let answer = answer?;
        let engine_max = answer.api_version.unwrap_or_default();
        let engine_min = answer.min_api_version.unwrap_or_else(|| engine_max.clone());
        let minor = common_minor(&engine_min, &engine_max)?;
        self.minor.store(minor, Ordering::Relaxed);
        Ok((answer.version.unwrap_or_default(), minor))
    }

    /// In the words of the settled version, or of an older one.
    async fn get(&self, call: DockerCall, path: &str, (most, deadline): (u16, Instant)) -> Result<Reply, DockerError> {
        let exchange =
            async |context: &CallContext<'_>, minor: u16| self.exchange(context, minor.min(most), None).await;
        let result = self.within((call, path), deadline, exchange).await;
        self.observe(call, result.as_ref().map(|reply| reply.status));
        result
    }

    /// The deadline is for the answer's head.
    async fn open(&self, call: DockerCall, path: &str, deadline: Instant) -> Result<Stream, DockerError> {
        let result = self.within((call, path), deadline, async |context, minor| {
            let (head, body) = self.request(context, minor, None).await?;
            if !head.status.is_success() {
                let body = body.collect().await.map_err(|error| context.cut(&error))?.to_bytes();
                return Err(context.refused(head.status.as_u16(), &String::from_utf8_lossy(&body)));
            }
            Ok(Stream { answered_at: date(&head), body })
        });
        let result = result.await;
        self.observe(call, result.as_ref().map(|_| 200));
        result
    }

    /// Does something with the settled version, until a deadline.
    async fn within<T>(
        &self,
        (call, path): (DockerCall, &str),
        deadline: Instant,
        work: impl AsyncFnOnce(&CallContext<'_>, u16) -> Result<T, DockerError>,
    ) -> Result<T, DockerError> {
        let minor = match self.minor.load(Ordering::Relaxed) {
            0 => self.negotiate(deadline).await?.1,
            settled => settled,
        };
        let context = self.context(call, path)?;
        until(deadline, work(&context, minor)).await.unwrap_or_else(|| Err(context.late()))
    }

    /// One raw call, head and body.
    async fn exchange(
        &self,
        context: &CallContext<'_>,
        minor: u16,
        sent: Option<&Value>,
    ) -> Result<Reply, DockerError> {
        self.read(context, self.request(context, minor, sent).await?).await
    }

    /// The whole answer, if it is a success.
    async fn read(&self, context: &CallContext<'_>, (head, body): (Parts, Incoming)) -> Result<Reply, DockerError> {
        let body = body.collect().await.map_err(|error| context.cut(&error))?.to_bytes();
        if !head.status.is_success() {
            return Err(context.refused(head.status.as_u16(), &String::from_utf8_lossy(&body)));
        }
        Ok(Reply { status: head.status.as_u16(), body, answered_at: date(&head) })
    }

    /// Asks whether a call gets through, with a body that Docker does not read, if there is one. Waits for the deadline.
    pub(super) async fn knock(
        &self,
        call: DockerCall,
        (path, body): (&str, Option<&'static str>),
        (minor, deadline): (u16, Instant),
    ) -> Result<(), DockerError> {
        let context = self.context(call, path)?;
        let request = http::Request::builder().method(context.method).uri(with_version(path, minor));
        // Whoever reads the log of a proxy sees that nothing was attempted.
        let request = request.header(http::header::USER_AGENT, "sickbay-probe");
        let request = match body {
            Some(_) => request.header(http::header::CONTENT_TYPE, NOT_JSON),
            None => request,
        };
        let request = request.body(bollard::body_full(Bytes::from_static(body.unwrap_or_default().as_bytes())));
        let request = request.map_err(|error| DockerError::NotSent(format!("the request is not valid: {error}")))?;
        let knocking = async {
            let answer = (self.send)(request).await.map_err(|error| context.failed(&error))?;
            self.read(&context, answer.into_parts()).await
        };
        let result = until(deadline, knocking).await.unwrap_or_else(|| Err(context.late()));
        self.observe(call, result.as_ref().map(|reply| reply.status));
        result.map(|_reply| ())
    }

    /// Sends one raw request by the context's method, with JSON if there is any, and gets the head of its answer.
    async fn request(
        &self,
        context: &CallContext<'_>,
        minor: u16,
        sent: Option<&Value>,
    ) -> Result<(Parts, Incoming), DockerError> {
        let versioned = with_version(context.path, minor);
        let request = http::Request::builder().method(context.method).uri(versioned);
        let request = match sent {
            Some(sent) => request
                .header(http::header::CONTENT_TYPE, "application/json")
                .body(bollard::body_full(Bytes::from(sent.to_string()))),
            None => request.body(bollard::body_full(Bytes::new())),
        };
        let request = request.map_err(|error| DockerError::NotSent(format!("the request is not valid: {error}")))?;
        let answer = (self.send)(request).await.map_err(|error| context.failed(&error))?;
        Ok(answer.into_parts())
    }

    /// A bollard client on our transport that puts `/v1.minor` before every path, or nothing.
    fn typed(&self, minor: Option<u16>, allowed: Duration) -> Result<Docker, DockerError> {
        let send = Arc::clone(&self.send);
        let transport = move |mut request: BollardRequest| -> Answer {
            let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
            let path = minor.map_or_else(|| path.to_owned(), |minor| with_version(path, minor));
            match Uri::try_from(path) {
                Ok(uri) => *request.uri_mut() = uri,
                Err(error) => return Box::pin(std::future::ready(Err(error.into()))),
            }
            send(request)
        };
        // Our own deadline covers the body too and comes first; bollard's only has to be no shorter.
        let backstop_secs = allowed.as_secs() + 1;
        let version = ClientVersion { major_version: 1, minor_version: usize::from(minor.unwrap_or(MINOR_MIN)) };
        Docker::connect_with_custom_transport(transport, Some("http://docker"), backstop_secs, &version)
            .map_err(|error| DockerError::NotSent(error.to_string()))
    }

    /// Tells the observer, and forgets the version where the engine may have been exchanged.
    fn observe(&self, call: DockerCall, result: Result<u16, &DockerError>) {
        if result.is_err_and(DockerError::doubts_version) {
            self.minor.store(0, Ordering::Relaxed);
        }
        let Some(observer) = &self.observer else { return };
        match result {
            Ok(status) => observer(call.operation(), &status.to_string()),
            Err(error) => observer(call.operation(), &error.code()),
        }
    }
}

/// The engine's clock, to the second, if it said.
fn date(head: &Parts) -> Option<DateTime<Utc>> {
    let date = head.headers.get(http::header::DATE)?.to_str().ok()?;
    Some(DateTime::parse_from_rfc2822(date).ok()?.to_utc())
}

/// The highest API version that the engine and we speak, as the NN of 1.NN.
fn common_minor(engine_min: &str, engine_max: &str) -> Result<u16, DockerError> {
    let unsupported = || DockerError::UnsupportedVersion {
        engine_min: engine_min.to_owned(),
        engine_max: engine_max.to_owned(),
        ours_min: format!("1.{MINOR_MIN}"),
        ours_max: format!("1.{MINOR_MAX}"),
    };
    let unreadable = || DockerError::Invalid(format!("API version {engine_max:?} in GET /version"));
    let minor = |version: &str| version.strip_prefix("1.").and_then(|minor| minor.parse::<u16>().ok());
    let engine_max = minor(engine_max).ok_or_else(unreadable)?;
    let engine_min = minor(engine_min).unwrap_or(0);
    let common = engine_max.min(MINOR_MAX);
    if common < MINOR_MIN || common < engine_min { Err(unsupported()) } else { Ok(common) }
}

/// Puts `/v1.minor` before a path, in place of a version that stands there already.
fn with_version(path: &str, minor: u16) -> String {
    let bare = path.strip_prefix("/v1.").and_then(|rest| rest.find('/').and_then(|slash| rest.get(slash..)));
    format!("/v1.{minor}{}", bare.unwrap_or(path))
}

/// Makes a text safe as the value of a query parameter.
pub(super) fn percent_encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len() * 2);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_common_version_is_used() {
        for (engine, min, max, want) in [
            ("20.10.24", "1.12", "1.41", Some(41)),
            ("26.1", "1.24", "1.45", Some(45)),
            ("29.0", "1.44", "1.52", Some(52)),
            ("29.6", "1.40", "1.55", Some(53)),
            ("too old", "1.12", "1.40", None),
            ("too new", "1.54", "1.60", None),
            ("unreadable", "x", "y", None),
        ] {
            assert_eq!(common_minor(min, max).ok(), want, "{engine}");
        }
        let message = common_minor("1.54", "1.60").unwrap_err().to_string();
        assert!(message.contains("1.54 to 1.60") && message.contains("1.41 to 1.53"), "{message}");
    }

    #[test]
    fn nobody_gets_less_grace_than_was_asked_for() {
        assert_eq!(whole_seconds(Duration::from_millis(1200)), 2);
        assert_eq!(whole_seconds(Duration::MAX), i32::MAX);
    }

    #[test]
    fn every_path_gets_one_version() {
        assert_eq!(with_version("/containers/json?all=1", 41), "/v1.41/containers/json?all=1");
        assert_eq!(with_version("/v1.53/info", 41), "/v1.41/info");
    }

    #[test]
    fn filters_survive_the_query() {
        assert_eq!(percent_encode(r#"{"a":["b&c=é"]}"#), "%7B%22a%22%3A%5B%22b%26c%3D%C3%A9%22%5D%7D");
    }
}
