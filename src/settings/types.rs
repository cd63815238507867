//! What the rest of the program is configured with: resolved, so that nothing here needs a later check.
//!
//! Secrets are [`SecretString`]s: they are neither printed nor serialised. Read [`Settings`] first.

use super::problem::Place;
use crate::model::limit::{Breaker, Storm, Window};
use crate::model::policy::{Policy, ProtectedName};
use secrecy::SecretString;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// All settings.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where it listens and how it is reached.
    pub web: WebSettings,
    /// Who may send alerts, and how much.
    pub webhook: WebhookSettings,
    /// Globs of the rules files; read them with [`super::rules::read`].
    pub rules: Vec<String>,
    /// Where the incident log is kept.
    pub storage_path: PathBuf,
    /// Which Docker, and what may be touched there.
    pub docker: DockerSettings,
    /// Caps over all playbooks.
    pub limits: LimitSettings,
    /// Where notices go, beside the built-in `log`.
    pub notifiers: Vec<NotifierSettings>,
    /// Who is asked whether an alert still fires; empty: nobody.
    pub alertmanagers: Vec<AlertmanagerSettings>,
    /// Nothing is changed, by anyone.
    pub dry_run: bool,
    /// The program's own log.
    pub log: LogSettings,
    /// The container sickbay itself runs in, as far as it can tell: a prefix of its ID.
    pub own_container: Option<String>,
    /// The settings file, as it was named, with the SHA-256 of its text: for the record.
    pub file: Option<(String, String)>,
    /// Who set each key that cannot change while the daemon runs.
    pub places: Vec<(&'static str, Place)>,
}

impl Settings {
    /// What stands above all playbooks.
    #[must_use]
    pub fn policy(&self) -> Policy {
        Policy {
            dry_run: self.dry_run,
            max_alert_age: self.webhook.max_alert_age,
            require_opt_in: self.docker.require_opt_in,
            protect: self.docker.protect.clone(),
            hands_off: self.docker.hands_off,
            docker_host: self.docker.host.url.host().map(str::to_owned),
            global: self.limits.global.clone(),
            per_target: self.limits.per_target.clone(),
            max_parallel: self.limits.max_parallel,
            breaker: self.limits.breaker,
            storm: self.limits.storm,
            relapse_within: self.limits.relapse_within,
            own_container: self.own_container.clone(),
            host: self.docker.host.name.clone(),
        }
    }

    /// The names a playbook's `notify: {to: …}` may use, beside `log`.
    #[must_use]
    pub fn notifier_names(&self) -> Vec<String> {
        self.notifiers.iter().map(|notifier| notifier.name.clone()).collect()
    }
}

/// `web`
#[derive(Clone, Debug)]
pub struct WebSettings {
    /// Never empty. Port 0 lets the system choose.
    pub listen_addresses: Vec<SocketAddr>,
    /// How people and other programs reach it; `None` if only the listen address is known. Ends in `/`.
    pub external_url: Option<String>,
    /// What a call that changes something must present; `None`: only programs on this machine may.
    pub api_token: Option<SecretString>,
}

/// `webhook`
#[derive(Clone, Debug)]
pub struct WebhookSettings {
    /// Empty: nobody has to prove anything, and it listens on loopback only (or was told not to care).
    pub senders: Vec<Sender>,
    /// Longest request body in bytes.
    pub max_body: usize,
    /// At first sight of an episode, an older alert is refused as stale.
    pub max_alert_age: Duration,
}

/// One who may send alerts.
#[derive(Clone, Debug)]
pub struct Sender {
    /// Unique; recorded with what it sends.
    pub name: String,
    /// How it proves who it is.
    pub auth: SenderAuth,
}

/// How somebody proves who it is: a sender to us, or we to an Alertmanager.
#[derive(Clone, Debug)]
pub enum SenderAuth {
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

/// `docker`
#[derive(Clone, Debug)]
pub struct DockerSettings {
    /// Only containers with `sickbay.enable=true` may be treated.
    pub require_opt_in: bool,
    /// Containers that may never be treated, by name.
    pub protect: Vec<ProtectedName>,
    /// Whoever touched or created a container within this time keeps it to themselves. Zero switches it off.
    pub hands_off: Duration,
    /// The one Docker this version drives.
    pub host: DockerHost,
}

/// One Docker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DockerHost {
    /// How people and limits call it.
    pub name: String,
    /// Where it answers.
    pub url: DockerUrl,
}

/// Where a Docker answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DockerUrl {
    /// `unix:///var/run/docker.sock`
    Unix(PathBuf),
    /// `tcp://HOST:PORT`, plain HTTP: the `HOST:PORT`.
    Tcp(String),
}

impl DockerUrl {
    /// The host it is on, where it is reached over a network.
    #[must_use]
    pub fn host(&self) -> Option<&str> {
        match self {
            Self::Unix(_) => None,
            Self::Tcp(authority) => authority.rsplit_once(':').map(|(host, _port)| host),
        }
    }
}

impl fmt::Display for DockerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Tcp(authority) => write!(f, "tcp://{authority}"),
        }
    }
}

/// `limits`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitSettings {
    /// Windows over all runs of all playbooks.
    pub global: Vec<Window>,
    /// Windows over all runs on one target.
    pub per_target: Vec<Window>,
    /// How many runs may act at once, at least 1.
    pub max_parallel: u32,
    /// `breaker`
    pub breaker: Breaker,
    /// `storm`
    pub storm: Storm,
    /// A target that falls ill again this soon after a recovery had not recovered.
    pub relapse_within: Duration,
}

/// One entry of `notifiers`.
#[derive(Clone, Debug)]
pub struct NotifierSettings {
    /// Unique; playbooks name it in `notify: {to: …}`.
    pub name: String,
    /// Where its notices go.
    pub http: HttpNotifier,
}

/// A notifier that sends an HTTP request.
#[derive(Clone, Debug)]
pub struct HttpNotifier {
    /// `http` or `https`. Secret, because chat services put their token into it.
    pub url: SecretString,
    /// `POST` or `PUT`.
    pub method: String,
    /// Further headers, checked to be headers.
    pub headers: Vec<(String, SecretString)>,
    /// Sent as `Authorization: Bearer …`.
    pub bearer_token: Option<SecretString>,
}

/// One entry of `alertmanagers`.
#[derive(Clone, Debug)]
pub struct AlertmanagerSettings {
    /// `http` or `https`, with a path prefix if it has one, and without any secret.
    pub url: String,
    /// How to prove who asks.
    pub auth: Option<SenderAuth>,
}

/// `log`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogSettings {
    /// The least important line that is written.
    pub level: LogLevel,
    /// How a line looks.
    pub format: LogFormat,
}

/// `log.level`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    /// Everything.
    Debug,
    /// What an operator wants to know.
    Info,
    /// What an operator should look at.
    Warn,
    /// What is broken.
    Error,
}

impl LogLevel {
    /// The word in the settings.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// `log.format`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// `ts=… level=… msg=…`
    Logfmt,
    /// One JSON object per line.
    Json,
}

/// What the flags say. They win over everything.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// `--web.listen-address`, repeatable.
    pub listen_addresses: Vec<String>,
    /// `--web.external-url`
    pub external_url: Option<String>,
    /// `--storage.path`
    pub storage_path: Option<PathBuf>,
    /// `--rules`, repeatable.
    pub rules: Vec<String>,
    /// `--dry-run`: can only make it stricter, so absent says nothing.
    pub dry_run: Option<bool>,
    /// `--log.level`
    pub log_level: Option<String>,
    /// `--log.format`
    pub log_format: Option<String>,
    /// `--web.insecure-no-auth`: listen beyond loopback without any sender.
    pub insecure_no_auth: bool,
}
