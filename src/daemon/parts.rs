//! Makes the daemon's parts out of settings: notifiers, senders, the hands, the metrics.

use super::executor::{Hands, Notifiers, Outside};
use super::hosts::{DockerHost, Hosts};
use super::links::Links;
use crate::alertmanager::{self, InstanceConfig, Witnesses};
use crate::docker::{DockerEndpoint, Observer, Reader, Tls, Writer};
use crate::notifier::{EmailNotifier, HttpConfig, HttpNotifier, Notifier, NotifierError, Pace, SlackNotifier};
use crate::people::{People, Users};
use crate::receiver::auth::{Credential, Sender, Senders};
use crate::requester::Requester;
use crate::settings::web_file::WebFile;
use crate::settings::{self, AlertmanagerSettings, NotifierTo, SenderAuth, Settings};
use crate::telemetry::metrics::{BuildInfo, Metrics};
use crate::web::front::Door;
use crate::web::guard::Access;
use secrecy::ExposeSecret;
use std::collections::HashMap;
use std::sync::Arc;

/// This build's version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Notifiers by their names.
pub type Named = HashMap<String, Notifier>;

/// Where messages go, who is asked whether an alert still fires, and what sends requests.
///
/// # Errors
/// Which of them cannot be made, and why.
pub fn outside(settings: &Settings, metrics: &Arc<Metrics>) -> Result<Outside, String> {
    let (notifiers, witnesses) = (Notifiers::new(notifiers(settings)?), alertmanagers(settings, metrics)?);
    Ok(Outside { notifiers, witnesses, requester: Requester::new()?, links: Links::new(settings) })
}

/// All notifiers by name, the built-in `log` among them.
///
/// # Errors
/// Which notifier cannot be made, and why.
pub fn notifiers(settings: &Settings) -> Result<Named, String> {
    let mut notifiers = HashMap::from([("log".to_owned(), Notifier::Log)]);
    for notifier in &settings.notifiers {
        let made = notifier_to(&notifier.to).map_err(|error| format!("notifiers: {}: {error}", notifier.name))?;
        notifiers.insert(notifier.name.clone(), made);
    }
    Ok(notifiers)
}

fn notifier_to(to: &NotifierTo) -> Result<Notifier, NotifierError> {
    match to {
        NotifierTo::Http(http) => {
            let config = HttpConfig {
                url: http.url.clone(),
                method: http.method.clone(),
                headers: http.headers.clone(),
                bearer_token: http.bearer_token.clone(),
            };
            HttpNotifier::new(&config, Pace::default()).map(|http| Notifier::Http(Box::new(http)))
        }
        NotifierTo::Slack(slack) => SlackNotifier::new(slack.url.clone(), slack.buttons, Pace::default())
            .map(|slack| Notifier::Slack(Box::new(slack))),
        NotifierTo::Email(config) => {
            EmailNotifier::new(config, EmailNotifier::pace()).map(|email| Notifier::Email(Box::new(email)))
        }
    }
}

/// Who is asked whether an alert still fires.
///
/// # Errors
/// Which Alertmanager cannot be asked, and why.
pub fn alertmanagers(settings: &Settings, metrics: &Arc<Metrics>) -> Result<Witnesses, String> {
    let config = |entry: &AlertmanagerSettings| InstanceConfig {
        url: entry.url.clone(),
        credential: entry.auth.as_ref().map(|auth| match auth {
            SenderAuth::Bearer(token) => alertmanager::Credential::Bearer(token.clone()),
            SenderAuth::Basic { username, password } => {
                alertmanager::Credential::Basic { username: username.clone(), password: password.clone() }
            }
        }),
    };
    let configs: Vec<InstanceConfig> = settings.alertmanagers.iter().map(config).collect();
    let counted = Arc::clone(metrics);
    let observer: alertmanager::Observer =
        Arc::new(move |operation, code| counted.alertmanager_requested(operation, code));
    let witnesses = Witnesses::new(&configs, Some(&observer));
    witnesses.map_err(|(place, error)| format!("alertmanagers[{place}]: {error}"))
}

/// Who may send alerts.
#[must_use]
pub fn senders(settings: &Settings) -> Senders {
    let senders: Vec<Sender> = settings
        .webhook
        .senders
        .iter()
        .map(|sender| {
            let credential = match &sender.auth {
                SenderAuth::Bearer(token) => Credential::Bearer(token.clone()),
                SenderAuth::Basic { username, password } => {
                    Credential::Basic { username: username.clone(), password: password.clone() }
                }
            };
            Sender { name: sender.name.clone(), credential }
        })
        .collect();
    Senders::new(&senders)
}

/// Who may look, decide and change something.
#[must_use]
pub fn access(settings: &Settings) -> Access {
    let web = &settings.web;
    Access {
        token: web.api_token.clone(),
        people: People::new(settings.people.clone()),
        only_here: web.is_only_here(),
        external_url: web.external_url.clone(),
        tls: web.speaks_tls(),
        forward: web.forward_auth.clone(),
        slack: settings.slack.clone(),
        links: settings.approvals.link_key.clone(),
        oidc: web.oidc.clone(),
    }
}

/// What stands before every path.
#[must_use]
pub fn door(file: Option<&WebFile>) -> Door {
    let Some(file) = file else { return Door::default() };
    Door {
        tls: file.tls.as_ref().map(|tls| Arc::clone(&tls.config)),
        users: Users::new(file.users.clone()),
        headers: file.headers.clone(),
    }
}

/// The Docker hosts, and what the daemon can do there.
///
/// # Errors
/// Which address or certificate cannot be used, and why.
pub fn hosts(settings: &Settings, metrics: &Arc<Metrics>) -> Result<Hosts, String> {
    let host = |host: &settings::DockerHost| {
        metrics.docker_silent(&host.name);
        Ok(DockerHost::new(&host.name, hands(host, settings, metrics)?))
    };
    Ok(Hosts::new(settings.docker.hosts.iter().map(host).collect::<Result<_, String>>()?))
}

/// What the daemon can do to one Docker: in dry-run it gets no writer at all.
fn hands(host: &settings::DockerHost, settings: &Settings, metrics: &Arc<Metrics>) -> Result<Hands, String> {
    let endpoint = endpoint(host)?;
    let observer = observer(&host.name, metrics);
    let reader = Reader::new(&endpoint, Some(Arc::clone(&observer)));
    let reader = reader.with_label_prefix(settings.labels.prefix.as_deref());
    if settings.dry_run {
        return Ok(Hands::DryRun(reader));
    }
    let writer = Writer::new(&write_endpoint(host)?, reader.clone(), Some(observer));
    Ok(Hands::Live(reader, writer))
}

/// Where a Docker answers.
///
/// # Errors
/// Why the address or a certificate cannot be used.
pub fn endpoint(host: &settings::DockerHost) -> Result<DockerEndpoint, String> {
    endpoint_at(host, &host.url)
}

/// Where what changes something is sent: to `write_url`, if there is one.
///
/// # Errors
/// Why the address or a certificate cannot be used.
pub fn write_endpoint(host: &settings::DockerHost) -> Result<DockerEndpoint, String> {
    endpoint_at(host, host.write_url.as_ref().unwrap_or(&host.url))
}

fn endpoint_at(host: &settings::DockerHost, url: &settings::DockerUrl) -> Result<DockerEndpoint, String> {
    let name = &host.name;
    let endpoint: Result<DockerEndpoint, _> = url.to_string().parse();
    let endpoint = endpoint.map_err(|error| format!("docker.hosts: {name}: {error}"))?;
    let tls = |tls: &settings::DockerTls| {
        let identity = tls.identity.as_ref().map(|(cert, key)| (cert.as_str(), key.expose_secret()));
        Tls::new(&tls.ca, identity).map_err(|error| format!("docker.hosts: {name}: {error}"))
    };
    let tls = host.tls.as_ref().map(tls).transpose()?;
    Ok(endpoint.with_tls(tls).with_ssh_config(host.ssh_config.clone()))
}

/// Counts every call to the Docker of this name.
#[must_use]
pub fn observer(host: &str, metrics: &Arc<Metrics>) -> Observer {
    let (counted, name) = (Arc::clone(metrics), host.to_owned());
    Arc::new(move |operation, code| counted.docker_requested(&name, operation, code))
}

/// What is counted.
#[must_use]
pub fn metrics(started_at: f64) -> Arc<Metrics> {
    let build = BuildInfo {
        version: VERSION.to_owned(),
        revision: option_env!("SICKBAY_REVISION").unwrap_or("unknown").to_owned(),
        rustversion: env!("CARGO_PKG_RUST_VERSION").to_owned(),
    };
    Arc::new(Metrics::new(&build, started_at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Overrides, load};

    #[test]
    fn a_dry_run_is_handed_nothing_that_could_write() {
        let metrics = metrics(0.0);
        for (dry_run, writes) in [(true, false), (false, true)] {
            let settings = load(Overrides { dry_run: Some(dry_run), ..Overrides::default() }, None).unwrap();
            assert_eq!(hosts(&settings, &metrics).unwrap().are_live(), writes, "dry_run: {dry_run}");
        }
    }
}
