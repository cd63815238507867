//! What the rest of the program is configured with: resolved, so that nothing here needs a later check.
//!
//! Secrets are [`SecretString`]s: they are neither printed nor serialised. Read [`Settings`] first.

use super::problem::Place;
use super::web_file::WebFile;
use crate::model::limit::{Breaker, Storm, Window};
use crate::model::mail::MailConfig;
use crate::model::policy::{Policy, ProtectedName};
use crate::model::ssh::SshAddress;
use crate::people::{ForwardAuth, LinkKey, OidcLogin, Person, Role, SlackApp};
use secrecy::SecretString;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
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
    /// What owners' labels are called, and which of them are about this sickbay.
    pub labels: LabelSettings,
    /// Caps over all playbooks.
    pub limits: LimitSettings,
    /// What playbooks may do about people's consent.
    pub approvals: ApprovalSettings,
    /// The Slack app whose buttons count; `None`: no click does.
    pub slack: Option<SlackApp>,
    /// Who may decide, operate and look.
    pub people: Vec<Person>,
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
        self.policy_at(None)
    }

    /// The same, where the first listen address turned out to be this one.
    #[must_use]
    pub fn policy_at(&self, listening: Option<SocketAddr>) -> Policy {
        Policy {
            dry_run: self.dry_run,
            max_alert_age: self.webhook.max_alert_age,
            require_opt_in: self.docker.require_opt_in,
            scope: self.labels.scope.clone(),
            protect: self.docker.protect.clone(),
            hands_off: self.docker.hands_off,
            docker_hosts: self
                .docker
                .hosts
                .iter()
                .flat_map(DockerHost::urls)
                .filter_map(DockerUrl::host)
                .map(str::to_owned)
                .collect(),
            global: self.limits.global.clone(),
            per_target: self.limits.per_target.clone(),
            max_parallel: self.limits.max_parallel,
            breaker: self.limits.breaker,
            storm: self.limits.storm,
            relapse_within: self.limits.relapse_within,
            own_container: self.own_container.clone(),
            hosts: self.host_names(),
            approve_on_timeout_allowed: self.approvals.approve_on_timeout,
            voters: Some(self.deciders()),
            url: self.web.url(listening),
        }
    }

    /// The names a playbook's `notify: {to: …}` may use, beside `log`.
    #[must_use]
    pub fn notifier_names(&self) -> Vec<String> {
        self.notifiers.iter().map(|notifier| notifier.name.clone()).collect()
    }

    /// Those who may decide about plans, with their groups: a playbook's `approval: {from: […]}` must name enough of them.
    #[must_use]
    pub fn deciders(&self) -> Vec<(String, Vec<String>)> {
        let deciders = self.people.iter().filter(|person| person.may(Role::Approve));
        deciders.map(|person| (person.name.clone(), person.groups.clone())).collect()
    }

    /// The names a playbook's `target: {host: …}` may use.
    #[must_use]
    pub fn host_names(&self) -> Vec<String> {
        self.docker.hosts.iter().map(|host| host.name.clone()).collect()
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
    /// The proxies that say who somebody is; `None`: nobody is believed.
    pub forward_auth: Option<ForwardAuth>,
    /// The provider of OpenID Connect by which people log in; `None`: nobody does.
    pub oidc: Option<OidcLogin>,
    /// Listened on beside the addresses.
    pub socket: Option<SocketSettings>,
    /// TLS, users and headers, as `config_file` says them.
    pub file: Option<Arc<WebFile>>,
}

/// `web.socket`: callers on this machine are known by their user ID.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SocketSettings {
    /// Where its file is; at most [`SocketSettings::PATH_LEN_MAX`] bytes.
    pub path: PathBuf,
    /// Who may open it: the permission bits, at most 0o777.
    pub mode: u32,
}

impl SocketSettings {
    /// The longest path that Linux binds, in bytes (`sun_path` of unix(7), without the zero at its end).
    pub const PATH_LEN_MAX: usize = 107;

    /// Owner and group.
    pub const MODE_DEFAULT: u32 = 0o660;
}

impl WebSettings {
    /// Whether its addresses are spoken to over TLS.
    #[must_use]
    pub fn speaks_tls(&self) -> bool {
        self.file.as_ref().is_some_and(|file| file.tls.is_some())
    }

    /// Where people reach the pages: `external_url`, or else the first listen address, as it was bound. Ends in `/`.
    #[must_use]
    pub fn url(&self, listening: Option<SocketAddr>) -> String {
        let listening = || {
            let address = listening.or_else(|| self.listen_addresses.first().copied())?;
            // All addresses are none that anybody could call.
            let host = match (address.ip(), address.ip().is_unspecified()) {
                (IpAddr::V4(_), true) => IpAddr::V4(Ipv4Addr::LOCALHOST),
                (IpAddr::V6(_), true) => IpAddr::V6(Ipv6Addr::LOCALHOST),
                (host, false) => host,
            };
            let scheme = if self.speaks_tls() { "https" } else { "http" };
            Some(format!("{scheme}://{}/", SocketAddr::new(host, address.port())))
        };
        self.external_url.clone().or_else(listening).unwrap_or_default()
    }
}

impl WebSettings {
    /// Whether nobody but this machine reaches it: it listens on loopback alone, and no proxy has another name for it.
    #[must_use]
    pub fn is_only_here(&self) -> bool {
        let authority = self.external_url.as_deref().and_then(|url| url.split_once("://")?.1.split('/').next());
        let is_here = |authority: &str| {
            let host = authority.rsplit_once(':').filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
            let host = host.map_or(authority, |(host, _)| host).trim_start_matches('[').trim_end_matches(']');
            host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
        };
        self.listen_addresses.iter().all(|address| address.ip().is_loopback()) && authority.is_none_or(is_here)
    }

    /// The path below which people reach the pages, as `external_url` says it. Begins and ends with `/`.
    #[must_use]
    pub fn root(&self) -> String {
        let path = self.external_url.as_deref().and_then(|url| url.split_once("://")?.1.split_once('/'));
        path.map_or_else(|| "/".to_owned(), |(_, path)| format!("/{path}"))
    }
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

/// `labels`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabelSettings {
    /// A prefix under which owners' labels are read beside `sickbay`.
    pub prefix: Option<String>,
    /// What the label `sickbay.scope` must say where it stands.
    pub scope: Option<String>,
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
    /// The Dockers, in the order of the settings. Never empty. Where a record names no host, it means the first.
    pub hosts: Vec<DockerHost>,
}

/// One Docker.
#[derive(Clone, Debug)]
pub struct DockerHost {
    /// How people, playbooks and limits call it.
    pub name: String,
    /// Where it answers.
    pub url: DockerUrl,
    /// Where what changes something is sent, if not there as well: some socket proxies need two instances.
    pub write_url: Option<DockerUrl>,
    /// How it is spoken to over TLS, where it is TCP; `None` for plain HTTP.
    pub tls: Option<DockerTls>,
    /// The configuration of ssh, where it is SSH and not the user's own.
    pub ssh_config: Option<PathBuf>,
    /// What it was called before, if it is the first and has another name than in the incident log.
    pub renamed_from: Option<String>,
}

impl DockerHost {
    /// Every address by which it is reached.
    pub fn urls(&self) -> impl Iterator<Item = &DockerUrl> {
        std::iter::once(&self.url).chain(&self.write_url)
    }
}

impl fmt::Display for DockerHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}", self.name, self.url)?;
        self.write_url.iter().try_for_each(|url| write!(f, ", writing to {url}"))?;
        self.tls.iter().try_for_each(|tls| write!(f, " with {}", tls.files))?;
        self.ssh_config.iter().try_for_each(|config| write!(f, " with {}", config.display()))?;
        f.write_str(")")
    }
}

/// `docker.hosts[].tls`, as it was read: PEM.
#[derive(Clone, Debug)]
pub struct DockerTls {
    /// The authorities that are trusted.
    pub ca: String,
    /// Our certificate and its key, if the engine wants one.
    pub identity: Option<(String, SecretString)>,
    /// The names of the files.
    pub files: String,
}

/// Where a Docker answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DockerUrl {
    /// `unix:///var/run/docker.sock`
    Unix(PathBuf),
    /// `tcp://HOST:PORT`: the `HOST:PORT`.
    Tcp(String),
    /// `ssh://USER@HOST`
    Ssh(SshAddress),
}

impl DockerUrl {
    /// The host it is on, where it is reached over a network.
    #[must_use]
    pub fn host(&self) -> Option<&str> {
        match self {
            // What stands behind ssh is the engine itself.
            Self::Unix(_) | Self::Ssh(_) => None,
            Self::Tcp(authority) => authority.rsplit_once(':').map(|(host, _port)| host),
        }
    }
}

impl fmt::Display for DockerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Tcp(authority) => write!(f, "tcp://{authority}"),
            Self::Ssh(address) => address.fmt(f),
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

/// `approvals`
#[derive(Clone, Debug, Default)]
pub struct ApprovalSettings {
    /// Whether a playbook may take silence for a yes: `on_timeout: approve`.
    pub approve_on_timeout: bool,
    /// What signed links are signed with; `None`: there are none, and none is taken.
    pub link_key: Option<LinkKey>,
}

/// One entry of `notifiers`.
#[derive(Clone, Debug)]
pub struct NotifierSettings {
    /// Unique; playbooks name it in `notify: {to: …}`.
    pub name: String,
    /// Where its notices go.
    pub to: NotifierTo,
}

/// The way that a notifier goes.
#[derive(Clone, Debug)]
pub enum NotifierTo {
    /// `http`
    Http(HttpNotifier),
    /// `slack`
    Slack(SlackNotifier),
    /// `email`
    Email(Box<MailConfig>),
}

impl NotifierTo {
    /// The word in the settings.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Http(_) => "http",
            Self::Slack(_) => "slack",
            Self::Email(_) => "email",
        }
    }
}

/// A notifier that posts in a channel of Slack.
#[derive(Clone, Debug)]
pub struct SlackNotifier {
    /// `http` or `https`. Secret: whoever knows it may post there.
    pub url: SecretString,
    /// Whether questions carry buttons.
    pub buttons: bool,
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
    /// `--web.config.file`
    pub web_config_file: Option<PathBuf>,
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
