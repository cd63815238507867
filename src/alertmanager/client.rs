//! Asks every configured Alertmanager at once, and never for longer than a few seconds.
//!
//! An answer that cannot be used is told with the instance's host and port; the rest of its URL and its secrets are not.
//! Read [`Witnesses::ask`] first.

use super::decode;
use crate::http_client;
use crate::model::fact::AlertReceived;
use crate::model::testimony::{Answer, Heard, Testimony};
use reqwest::header::{DATE, HeaderMap};
use reqwest::{Client, StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::task::Poll;
use std::time::{Duration, Instant};

/// How long one instance gets, both of its answers together.
const DEADLINE: Duration = Duration::from_secs(5);

/// The longest answer that is read. All labels are matched, so that a list has few entries.
const BODY_MAX: usize = 1 << 20;

/// Told of each request: which operation, and its status or `error`.
pub type Observer = Arc<dyn Fn(&'static str, &str) + Send + Sync>;

/// One Alertmanager, as configured.
#[derive(Clone, Debug)]
pub struct InstanceConfig {
    /// Its URL, with a path prefix if it has one.
    pub url: String,
    /// How to prove who asks.
    pub credential: Option<Credential>,
}

/// How to prove who asks.
#[derive(Clone, Debug)]
pub enum Credential {
    /// `Authorization: Bearer …`
    Bearer(SecretString),
    /// `Authorization: Basic …`
    Basic {
        /// The user.
        username: String,
        /// The password.
        password: SecretString,
    },
}

/// Why an Alertmanager cannot be asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InstanceError {
    /// Not a URL, or none we can ask.
    #[error("its `url` is not an http or https URL without user, query and fragment")]
    Url,
    /// Not a header.
    #[error("its secret holds characters that HTTP does not allow")]
    Secret,
    /// TLS could not be set up.
    #[error("the HTTP client cannot be set up: {0}")]
    Client(String),
}

/// All configured Alertmanagers: a cluster, of which any may say that an alert fires. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Witnesses(Arc<RwLock<Vec<Arc<Instance>>>>);

impl Witnesses {
    /// These. Their requests are told to `observer`.
    ///
    /// # Errors
    /// The place of the one that cannot be asked, and why.
    pub fn new(configs: &[InstanceConfig], observer: Option<&Observer>) -> Result<Self, (usize, InstanceError)> {
        let instances = configs.iter().enumerate().map(|(place, config)| {
            Instance::new(config, DEADLINE, observer.cloned()).map(Arc::new).map_err(|error| (place, error))
        });
        Ok(Self::of(instances.collect::<Result<_, _>>()?))
    }

    pub(super) fn of(instances: Vec<Arc<Instance>>) -> Self {
        Self(Arc::new(RwLock::new(instances)))
    }

    /// From here on, those of another one are asked. Questions under way go on.
    pub fn replace_by(&self, other: &Self) {
        let instances = other.instances();
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = instances;
    }

    fn instances(&self) -> Vec<Arc<Instance>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether there is nobody to ask.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.instances().is_empty()
    }

    /// Asks each of them how it is, in the order of the settings: nothing, or why it gives no answer that can be used.
    pub async fn how_are_they(&self) -> Vec<Result<(), String>> {
        let instances = self.instances();
        all(instances.iter().map(async |instance| {
            let (headers, body) = instance
                .get("status", instance.status.clone(), instance.deadline)
                .await
                .map_err(|why| format!("{} {why}", instance.name()))?;
            let date = headers.get(DATE).and_then(|date| date.to_str().ok());
            decode::up(&body, date).map(|_up| ()).map_err(|why| format!("{} {why}", instance.name()))
        }))
        .await
    }

    /// Asks all of them whether an alert still fires, if there is one to ask about and somebody to ask.
    pub async fn hear(&self, alert: Option<Arc<AlertReceived>>) -> Heard {
        match alert {
            None => Heard::NotPut,
            Some(_) if self.is_empty() => Heard::Nobody,
            Some(alert) => Heard::Said(self.ask(&alert).await),
        }
    }

    /// Asks all of them whether an alert still fires.
    pub async fn ask(&self, alert: &AlertReceived) -> Testimony {
        if let Some(testimony) = Testimony::about_a_stranger(alert) {
            return testimony;
        }
        let instances = self.instances();
        let asked = instances.iter().map(async |instance| (instance.name(), instance.ask(alert).await));
        Testimony::of(&all(asked).await)
    }
}

/// Waits for all of some futures, which wait at the same time.
async fn all<T>(futures: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut waiting: Vec<_> = futures.map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(|context| {
        for (future, output) in waiting.iter_mut().filter(|(_, output)| output.is_none()) {
            if let Poll::Ready(ready) = Pin::new(future).poll(context) {
                *output = Some(ready);
            }
        }
        if waiting.iter().all(|(_, output)| output.is_some()) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    waiting.into_iter().filter_map(|(_, output)| output).collect()
}

/// One Alertmanager.
pub(super) struct Instance {
    client: Client,
    alerts: Url,
    status: Url,
    headers: HeaderMap,
    deadline: Duration,
    observer: Option<Observer>,
    /// Whether its last answer could not be used: that is logged when it begins and when it ends.
    silent: AtomicBool,
}

impl fmt::Debug for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Instance").field("name", &self.name()).finish_non_exhaustive()
    }
}

impl Instance {
    pub(super) fn new(
        config: &InstanceConfig,
        deadline: Duration,
        observer: Option<Observer>,
    ) -> Result<Self, InstanceError> {
        let base = base(&config.url).ok_or(InstanceError::Url)?;
        let under = |path: &str| base.join(path).map_err(|_invalid| InstanceError::Url);
        let client = http_client::client(deadline).map_err(InstanceError::Client)?;
        let (alerts, status) = (under("api/v2/alerts")?, under("api/v2/status")?);
        let headers = headers(&client, &alerts, config.credential.as_ref())?;
        Ok(Self { client, alerts, status, headers, deadline, observer, silent: AtomicBool::new(false) })
    }

    /// Host and port: all of the URL that is told.
    fn name(&self) -> String {
        let port = self.alerts.port().map(|port| format!(":{port}")).unwrap_or_default();
        format!("{}{port}", self.alerts.host_str().unwrap_or_default())
    }

    async fn ask(&self, alert: &AlertReceived) -> Answer {
        let answer = self.answer(alert).await;
        let was_silent = self.silent.swap(answer.is_err(), Ordering::Relaxed);
        let name = self.name();
        match &answer {
            Err(why) if !was_silent => {
                tracing::warn!(alertmanager.name = name, why, "Alertmanager gives no answer that can be used");
            }
            Ok(_) if was_silent => tracing::info!(alertmanager.name = name, "Alertmanager answers again"),
            Ok(_) | Err(_) => {}
        }
        answer.unwrap_or_else(Answer::Silent)
    }

    /// The list first: an instance that restarts in between then shows that it is fresh.
    async fn answer(&self, alert: &AlertReceived) -> Result<Answer, String> {
        let begun = Instant::now();
        let mut url = self.alerts.clone();
        url.query_pairs_mut().extend_pairs(decode::query(&alert.labels));
        let (_, body) = self.get("alerts", url, self.deadline).await?;
        if decode::lists(&body, alert.fingerprint)? {
            return Ok(Answer::Lists);
        }
        let left = self.deadline.saturating_sub(begun.elapsed());
        let (headers, body) = self.get("status", self.status.clone(), left).await?;
        let date = headers.get(DATE).and_then(|date| date.to_str().ok());
        Ok(Answer::Lacks { up: decode::up(&body, date)? })
    }

    async fn get(&self, operation: &'static str, url: Url, within: Duration) -> Result<(HeaderMap, Vec<u8>), String> {
        let request = self.client.get(url).headers(self.headers.clone()).timeout(within);
        let answer = self.read(request).await;
        if let Some(observer) = &self.observer {
            match &answer {
                Ok((code, ..)) => observer(operation, code.as_str()),
                Err(_) => observer(operation, "error"),
            }
        }
        let (code, headers, body) = answer?;
        if code != StatusCode::OK {
            let redirects = if code.is_redirection() { "; redirects are not followed" } else { "" };
            return Err(format!("answered {}{redirects}", code.as_u16()));
        }
        Ok((headers, body))
    }

    async fn read(&self, request: reqwest::RequestBuilder) -> Result<(StatusCode, HeaderMap, Vec<u8>), String> {
        let wrong = |error| self.words(error);
        let mut response = request.send().await.map_err(wrong)?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(wrong)? {
            if BODY_MAX < body.len() + chunk.len() {
                return Err("answered with more than 1 MiB".to_owned());
            }
            body.extend_from_slice(&chunk);
        }
        Ok((response.status(), response.headers().clone(), body))
    }

    /// What went wrong below HTTP, without the URL.
    fn words(&self, error: reqwest::Error) -> String {
        if error.is_timeout() {
            return format!("did not answer within {} seconds", self.deadline.as_secs_f32());
        }
        let error = error.without_url();
        let mut text = format!("cannot be asked: {error}");
        let mut cause = error.source();
        while let Some(inner) = cause {
            text = format!("{text}: {inner}");
            cause = inner.source();
        }
        text
    }
}

/// The URL under which the API lies. A path prefix is kept, whether or not it ends in a slash.
fn base(text: &str) -> Option<Url> {
    let mut url: Url = text.parse().ok()?;
    let usable = matches!(url.scheme(), "http" | "https") && url.host_str().is_some();
    let plain = url.username().is_empty() && url.password().is_none() && url.query().is_none();
    if !usable || !plain || url.fragment().is_some() {
        return None;
    }
    if !url.path().ends_with('/') {
        url.set_path(&format!("{}/", url.path()));
    }
    Some(url)
}

/// The headers of every request: those that prove who asks.
fn headers(client: &Client, url: &Url, credential: Option<&Credential>) -> Result<HeaderMap, InstanceError> {
    let request = client.get(url.clone());
    let request = match credential {
        None => request,
        Some(Credential::Bearer(token)) => request.bearer_auth(token.expose_secret()),
        Some(Credential::Basic { username, password }) => request.basic_auth(username, Some(password.expose_secret())),
    };
    Ok(request.build().map_err(|_invalid| InstanceError::Secret)?.headers().clone())
}
