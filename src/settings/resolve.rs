//! Raw settings into [`Settings`]: every rule is checked, and every broken one reported with its place.
//!
//! Reads nothing by itself; secret files come through a function, so that all of it can be tested. Read [`resolve`]
//! first.

use super::bytes::parse_size;
use super::fixed::FIXED;
use super::layers::{Inputs, Layered, Origins};
use super::problem::{About, Place, SettingsError, SettingsProblem};
use super::raw::{Later, OneOrMany, RawBasicAuth, RawDocker, RawLog, RawSender, RawStorage, RawWeb, RawWebhook};
use super::secret;
use super::types::{
    DockerSettings, LogFormat, LogLevel, LogSettings, Sender, SenderAuth, Settings, WebSettings, WebhookSettings,
};
use super::web_file::WebFile;
use crate::model::duration::parse_duration;
use crate::model::matcher::AnchoredRegex;
use crate::model::policy::{Policy, ProtectedName};
use crate::people::TokenHash;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// What an Alertmanager with a huge group may send.
const MAX_BODY_DEFAULT: usize = 16 << 20;
/// Bodies are held in memory.
const MAX_BODY_MAX: usize = 1 << 30;

/// As far as Docker's event history is read back.
const HANDS_OFF_MAX: Duration = Duration::from_secs(24 * 3600);

/// Reads a secret file.
pub(super) type ReadFile<'r> = &'r dyn Fn(&Path) -> std::io::Result<String>;

/// Checks everything and fills in the defaults.
pub(super) fn resolve(layered: Layered, inputs: &Inputs, read: ReadFile<'_>) -> Result<Settings, SettingsError> {
    let Layered { raw, origins, problems, left_out } = layered;
    let file = inputs.file.as_ref().map(|(path, _)| Path::new(path));
    let base = file.and_then(Path::parent).unwrap_or(Path::new("")).to_path_buf();
    let mut checks = Checks { origins, base, read, problems, left_out };
    let web = checks.web(raw.web);
    let webhook = checks.webhook(raw.webhook);
    checks.refuse_open_door(&web, &webhook, inputs.overrides.insecure_no_auth);
    let rules = checks.rules(raw.rules.paths);
    let storage_path = checks.storage(raw.storage);
    let docker = checks.docker(raw.docker, inputs);
    let labels = checks.labels(raw.labels);
    let limits = checks.limits(raw.limits);
    let has_links = raw.approvals.link_secret.is_some() || raw.approvals.link_secret_file.is_some();
    let approvals = checks.approvals(raw.approvals, &web);
    let has_app = raw.slack.is_some();
    let slack = raw.slack.and_then(|raw| checks.slack(raw));
    let people = checks.people((raw.people, raw.groups), &web, has_app);
    let notifiers = checks.notifiers(raw.notifiers, has_app);
    checks.link_notifiers(&people, &notifiers, has_links);
    let alertmanagers = checks.alertmanagers(raw.alertmanagers);
    let log = checks.log(&raw.log);
    match docker {
        Some(docker) if checks.problems.is_empty() => Ok(Settings {
            web,
            webhook,
            rules,
            storage_path,
            docker,
            labels,
            limits,
            approvals,
            slack,
            people,
            notifiers,
            alertmanagers,
            dry_run: raw.dry_run.unwrap_or(false),
            log,
            own_container: None,
            file: inputs.file.as_ref().map(|(path, text)| (path.clone(), hex::encode(Sha256::digest(text)))),
            places: FIXED.map(|key| (key, checks.origins.place(key))).to_vec(),
        }),
        _ => {
            checks.problems.sort_by(|a, b| a.place.cmp(&b.place));
            Err(SettingsError { problems: checks.problems })
        }
    }
}

/// The problems so far, and what is needed to place the next one.
pub(super) struct Checks<'r> {
    origins: Origins,
    base: PathBuf,
    pub(super) read: ReadFile<'r>,
    problems: Vec<SettingsProblem>,
    /// Keys that are left out because they are wrong.
    left_out: Vec<String>,
}

/// Whether what is said of the one key may only follow from the other one's being left out.
fn concerns(left_out: &str, key: &str) -> bool {
    let within = |outer: &str, inner: &str| {
        inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    };
    // Who may send decides about the addresses, and groups and proxies about people.
    let depends = within("web.listen_address", key) || within("people", key) || within("groups", key);
    let decides = ["web", "webhook", "people", "groups"].iter().any(|top| within(top, left_out));
    let of_slack = within("slack", left_out) && (within("people", key) || within("notifiers", key));
    let of_links = (within("approvals", left_out) || within("notifiers", left_out)) && within("people", key);
    let of_url = within("web", left_out) && within("approvals", key);
    within(left_out, key) || within(key, left_out) || (depends && decides) || of_slack || of_links || of_url
}

impl Checks<'_> {
    pub(super) fn fail(&mut self, key: &str, message: impl Into<String>) {
        self.found(key, message.into(), About::Value);
    }

    /// The key itself does not belong there.
    pub(super) fn fail_key(&mut self, key: &str, message: impl Into<String>) {
        self.found(key, message.into(), About::Key);
    }

    fn found(&mut self, key: &str, message: String, about: About) {
        // It follows from a mistake that is reported by itself, or may do so.
        if !self.left_out.iter().any(|left_out| concerns(left_out, key)) {
            let place = self.origins.place(key);
            self.problems.push(SettingsProblem { place, key: key.to_owned(), message, about });
        }
    }

    /// Whether something at or below this key is wrong already.
    pub(super) fn has_problem_at(&self, key: &str) -> bool {
        self.problems.iter().any(|problem| concerns(key, &problem.key))
    }

    /// Keeps a value, or reports why there is none.
    pub(super) fn keep<T>(&mut self, key: &str, result: Result<T, String>) -> Option<T> {
        result.map_err(|message| self.fail(key, message)).ok()
    }

    pub(super) fn refuse_later(&mut self, key: &str, later: Later) {
        if later.is_some() {
            self.fail_key(key, "is part of the settings but this version does not execute it; remove it");
        }
    }

    /// A path as it is meant: relative to the file if the file says it.
    pub(super) fn path(&self, key: &str, text: &str) -> PathBuf {
        match self.origins.place(key) {
            Place::File { .. } => self.base.join(text),
            Place::Environment(_) | Place::Flag(_) | Place::Default => PathBuf::from(text),
        }
    }

    /// The texts of a key that takes one or several; the environment separates them by commas.
    fn texts(&self, key: &str, texts: Option<OneOrMany>, default: &str) -> Vec<String> {
        let texts = texts.map_or_else(|| vec![default.to_owned()], |OneOrMany(texts)| texts);
        match self.origins.place(key) {
            Place::Environment(_) => {
                let parts = texts.iter().flat_map(|text| text.split(','));
                parts.map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
            }
            Place::File { .. } | Place::Flag(_) | Place::Default => texts,
        }
    }

    pub(super) fn duration(&mut self, key: &str, text: Option<&str>, default: Duration) -> Duration {
        let parsed = text.map(|text| parse_duration(text).map_err(|error| error.message));
        match parsed.and_then(|parsed| self.keep(key, parsed)) {
            Some(Duration::ZERO) => {
                self.fail(key, "must be more than zero");
                default
            }
            Some(duration) => duration,
            None => default,
        }
    }

    /// A secret given as text or as a file; exactly one of the two if it is `needed`.
    pub(super) fn secret(&mut self, key: &str, text: Option<String>, file: Option<String>) -> Option<SecretString> {
        let file_key = format!("{key}_file");
        match (text, file) {
            (Some(_), Some(_)) => {
                self.fail_key(&file_key, format!("is given beside `{key}`; keep one of the two"));
                None
            }
            (Some(text), None) if text.is_empty() => {
                self.fail(key, "is empty");
                None
            }
            (Some(text), None) => Some(SecretString::from(text)),
            (None, Some(file)) => {
                let path = self.path(&file_key, &file);
                let content = (self.read)(&path);
                self.keep(&file_key, secret::from_file(&path, content))
            }
            (None, None) => None,
        }
    }

    /// A name that must be unique among its like.
    pub(super) fn unique_name(&mut self, key: &str, name: &str, seen: &mut BTreeSet<String>) {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if name.is_empty() || name.len() > 64 || !name.bytes().all(plain) {
            self.fail(key, "a name is 1 to 64 letters, digits, `.`, `_` and `-`");
        } else if !seen.insert(name.to_owned()) {
            self.fail(key, format!("`{name}` is taken by an earlier entry"));
        }
    }

    fn web(&mut self, raw: RawWeb) -> WebSettings {
        let key = "web.listen_address";
        let mut listen_addresses = Vec::new();
        for text in self.texts(key, raw.listen_address, "127.0.0.1:10112") {
            listen_addresses.extend(self.keep(key, listen_address(&text)));
        }
        if listen_addresses.is_empty() && self.problems.iter().all(|problem| problem.key != key) {
            self.fail(key, "needs at least one address such as 127.0.0.1:10112");
        }
        let external_url = raw.external_url.and_then(|url| self.keep("web.external_url", external_url(&url)));
        let key = if raw.api_token_file.is_some() { "web.api_token_file" } else { "web.api_token" };
        let api_token = self.secret("web.api_token", raw.api_token, raw.api_token_file);
        if let Some(token) = &api_token {
            self.keep(key, TokenHash::of(token.expose_secret()));
        }
        let forward_auth = raw.forward_auth.and_then(|raw| self.forward_auth(raw));
        let socket = raw.socket.and_then(|raw| self.socket(&raw));
        let file = raw.config_file.and_then(|name| self.web_file(&name));
        WebSettings { listen_addresses, external_url, api_token, forward_auth, socket, file }
    }

    /// TLS and users. Each of its problems has its place in that file.
    fn web_file(&mut self, name: &str) -> Option<Arc<WebFile>> {
        let key = "web.config_file";
        if name.is_empty() {
            self.fail(key, "is empty; name the file, or remove it");
            return None;
        }
        match WebFile::read(&self.path(key, name)) {
            Ok(file) => Some(Arc::new(file)),
            Err(problems) => {
                problems.into_iter().for_each(|problem| self.fail(key, problem));
                None
            }
        }
    }

    fn webhook(&mut self, raw: RawWebhook) -> WebhookSettings {
        let mut names = BTreeSet::new();
        let mut senders = Vec::new();
        for (index, sender) in raw.senders.into_iter().enumerate() {
            let key = format!("webhook.senders[{index}]");
            self.unique_name(&format!("{key}.name"), &sender.name, &mut names);
            senders.extend(self.sender(&key, sender));
        }
        let key = "webhook.max_body";
        let max_body = raw.max_body.and_then(|text| self.keep(key, parse_size(&text))).unwrap_or(MAX_BODY_DEFAULT);
        if !(1024..=MAX_BODY_MAX).contains(&max_body) {
            self.fail(key, "must be from 1KiB to 1GiB");
        }
        let max_alert_age = raw.max_alert_age.as_deref();
        let default = Policy::default().max_alert_age;
        let max_alert_age = self.duration("webhook.max_alert_age", max_alert_age, default);
        WebhookSettings { senders, max_body, max_alert_age }
    }

    fn sender(&mut self, key: &str, raw: RawSender) -> Option<Sender> {
        let later = [
            ("hmac_secret", raw.hmac_secret),
            ("hmac_secret_file", raw.hmac_secret_file),
            ("header", raw.header),
            ("client_certificate", raw.client_certificate),
        ];
        let refused = later.iter().any(|(_, later)| later.is_some());
        later.into_iter().for_each(|(name, later)| self.refuse_later(&format!("{key}.{name}"), later));
        let has_bearer = raw.bearer_token.is_some() || raw.bearer_token_file.is_some();
        let bearer = self.secret(&format!("{key}.bearer_token"), raw.bearer_token, raw.bearer_token_file);
        let has_basic = raw.basic_auth.is_some();
        let basic = self.basic_auth(key, raw.basic_auth);
        match (has_bearer, has_basic) {
            (true, true) => self.fail(key, "a sender proves itself in one way: keep `bearer_token` or `basic_auth`"),
            (false, false) if !refused => {
                self.fail(key, "needs `bearer_token`, `bearer_token_file` or `basic_auth`");
            }
            (true, false) | (false, true) | (false, false) => {}
        }
        let auth = bearer.map(SenderAuth::Bearer).or(basic)?;
        Some(Sender { name: raw.name, auth })
    }

    /// The `basic_auth` of an entry.
    pub(super) fn basic_auth(&mut self, key: &str, raw: Option<RawBasicAuth>) -> Option<SenderAuth> {
        let basic = raw?;
        let has_password = basic.password.is_some() || basic.password_file.is_some();
        let key = format!("{key}.basic_auth");
        if basic.username.is_empty() || basic.username.contains(':') {
            self.fail(&format!("{key}.username"), "a user name is not empty and holds no `:`");
        }
        if !has_password {
            self.fail(&key, "needs `password` or `password_file`");
        }
        let password = self.secret(&format!("{key}.password"), basic.password, basic.password_file)?;
        Some(SenderAuth::Basic { username: basic.username, password })
    }

    /// Whoever can reach an open door can have containers restarted.
    fn refuse_open_door(&mut self, web: &WebSettings, webhook: &WebhookSettings, insecure: bool) {
        let open = web.listen_addresses.iter().find(|address| !address.ip().is_loopback());
        // A sender that could not be read has been reported by itself.
        let reported = self.problems.iter().any(|problem| problem.key.starts_with("webhook.senders"));
        if let Some(address) = open.filter(|_| webhook.senders.is_empty() && !insecure && !reported) {
            let message = format!(
                "{address} can be reached from other machines and no `webhook.senders` are configured: anyone could \
                 have containers restarted; add a sender, listen on 127.0.0.1, or give --web.insecure-no-auth"
            );
            self.fail("web.listen_address", message);
        }
    }

    fn rules(&mut self, paths: Option<OneOrMany>) -> Vec<String> {
        let key = "rules.paths";
        let paths = self.texts(key, paths, "rules/*.yaml");
        if paths.is_empty() {
            self.fail(key, "needs at least one path such as rules/*.yaml");
        }
        let full: Vec<String> = paths.iter().map(|path| self.path(key, path).to_string_lossy().into_owned()).collect();
        for pattern in &full {
            if let Err(error) = glob::Pattern::new(pattern) {
                self.fail(key, format!("`{pattern}` is not a glob: {}", error.msg));
            }
        }
        full
    }

    fn storage(&mut self, raw: RawStorage) -> PathBuf {
        self.refuse_later("storage.segment_size", raw.segment_size);
        self.refuse_later("storage.retention", raw.retention);
        let key = "storage.path";
        let text = raw.path.unwrap_or_else(|| "data/".to_owned());
        if text.is_empty() {
            self.fail(key, "is empty; name a directory");
        }
        self.path(key, &text)
    }

    fn docker(&mut self, raw: RawDocker, inputs: &Inputs) -> Option<DockerSettings> {
        let mut protect = Vec::new();
        for (index, text) in raw.protect.into_iter().enumerate() {
            let entry = match text.strip_prefix("regex:") {
                Some(pattern) => AnchoredRegex::new(pattern).map(ProtectedName::Pattern).map_err(|e| e.message),
                None if text.is_empty() => Err("an empty name protects nothing".to_owned()),
                None => Ok(ProtectedName::Exact(text)),
            };
            protect.extend(self.keep(&format!("docker.protect[{index}]"), entry));
        }
        let hosts = self.docker_hosts(raw.hosts, inputs);
        let require_opt_in = raw.require_opt_in.unwrap_or(Policy::default().require_opt_in);
        let key = "docker.hands_off";
        // Unlike elsewhere, zero is an answer: it switches the check off.
        let hands_off = raw.hands_off.map(|text| parse_duration(&text).map_err(|error| error.message));
        let hands_off = hands_off.and_then(|hands_off| self.keep(key, hands_off));
        let hands_off = hands_off.unwrap_or(Policy::default().hands_off);
        if HANDS_OFF_MAX < hands_off {
            self.fail(key, "is at most 1d: Docker's event history is not read further back");
        }
        Some(DockerSettings { require_opt_in, protect, hands_off, hosts: hosts? })
    }

    fn log(&mut self, raw: &RawLog) -> LogSettings {
        let levels = [LogLevel::Debug, LogLevel::Info, LogLevel::Warn, LogLevel::Error];
        let level = match raw.level.as_deref() {
            None => Ok(LogLevel::Info),
            Some(word) => levels.into_iter().find(|level| level.as_str() == word).ok_or_else(|| {
                let near = |level: &LogLevel| strsim::damerau_levenshtein(level.as_str(), word);
                let near = levels.into_iter().filter(|level| near(level) <= 3).min_by_key(near);
                let near = near.map(|level| format!("; did you mean `{}`?", level.as_str())).unwrap_or_default();
                format!("must be one of debug, info, warn, error{near}")
            }),
        };
        let format = match raw.format.as_deref() {
            None | Some("logfmt") => Ok(LogFormat::Logfmt),
            Some("json") => Ok(LogFormat::Json),
            Some(_) => Err("must be logfmt or json".to_owned()),
        };
        LogSettings {
            level: self.keep("log.level", level).unwrap_or(LogLevel::Info),
            format: self.keep("log.format", format).unwrap_or(LogFormat::Logfmt),
        }
    }
}

/// `IP:PORT`, `localhost:PORT`, or `:PORT` for all addresses of the machine.
fn listen_address(text: &str) -> Result<SocketAddr, String> {
    let full = match text.rsplit_once(':') {
        Some(("", port)) => format!("[::]:{port}"),
        Some(("localhost", port)) => format!("127.0.0.1:{port}"),
        _ => text.to_owned(),
    };
    let hint = "write IP:PORT, such as 127.0.0.1:10112, or :10112 for all addresses";
    full.parse().map_err(|cause: std::net::AddrParseError| format!("{text:?}: {cause}; {hint}"))
}

fn external_url(text: &str) -> Result<String, String> {
    let hint = "write it as http://sickbay.example:10112/";
    let uri: http::Uri = text.parse().map_err(|cause| format!("not a URL: {cause}; {hint}"))?;
    let scheme = uri.scheme_str().unwrap_or_default();
    if !matches!(scheme, "http" | "https") || uri.authority().is_none() || uri.query().is_some() || text.contains('#') {
        return Err(format!("must be http or https, with a host and without a query; {hint}"));
    }
    Ok(if text.ends_with('/') { text.to_owned() } else { format!("{text}/") })
}
