//! Makes the daemon's parts out of settings: notifiers, senders, the hands, the metrics.

use super::executor::{Hands, Notifiers};
use crate::alertmanager::{self, InstanceConfig, Witnesses};
use crate::docker::{DockerEndpoint, Reader, Writer};
use crate::notifier::{HttpConfig, HttpNotifier, Notifier, Pace};
use crate::receiver::auth::{Credential, Sender, Senders};
use crate::settings::{AlertmanagerSettings, SenderAuth, Settings};
use crate::telemetry::metrics::{BuildInfo, Metrics};
use std::collections::HashMap;
use std::sync::Arc;

/// This build's version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Notifiers by their names.
pub type Named = HashMap<String, Notifier>;

/// Where messages go, and who is asked whether an alert still fires.
///
/// # Errors
/// Which of them cannot be made, and why.
pub fn outside(settings: &Settings, metrics: &Arc<Metrics>) -> Result<(Notifiers, Witnesses), String> {
    Ok((Notifiers::new(notifiers(settings)?), alertmanagers(settings, metrics)?))
}

/// All notifiers by name, the built-in `log` among them.
///
/// # Errors
/// Which notifier cannot be made, and why.
pub fn notifiers(settings: &Settings) -> Result<Named, String> {
    let mut notifiers = HashMap::from([("log".to_owned(), Notifier::Log)]);
    for notifier in &settings.notifiers {
        let http = &notifier.http;
        let config = HttpConfig {
            url: http.url.clone(),
            method: http.method.clone(),
            headers: http.headers.clone(),
            bearer_token: http.bearer_token.clone(),
        };
        let made = HttpNotifier::new(&config, Pace::default())
            .map_err(|error| format!("notifiers: {}: {error}", notifier.name))?;
        notifiers.insert(notifier.name.clone(), Notifier::Http(Box::new(made)));
    }
    Ok(notifiers)
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

/// What the daemon can do to Docker: in dry-run it gets no writer at all.
///
/// # Errors
/// Why the address cannot be used.
pub fn hands(settings: &Settings, metrics: &Arc<Metrics>) -> Result<Hands, String> {
    let endpoint: DockerEndpoint = settings
        .docker
        .host
        .url
        .to_string()
        .parse()
        .map_err(|error| format!("docker.hosts: {}: {error}", settings.docker.host.name))?;
    let counted = Arc::clone(metrics);
    let observer: crate::docker::Observer = Arc::new(move |operation, code| counted.docker_requested(operation, code));
    let reader = Reader::new(&endpoint, Some(Arc::clone(&observer)));
    if settings.dry_run {
        return Ok(Hands::DryRun(reader));
    }
    let writer = Writer::new(&endpoint, reader.clone(), Some(observer));
    Ok(Hands::Live(reader, writer))
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
            let writer = matches!(hands(&settings, &metrics).unwrap(), Hands::Live(..));
            assert_eq!(writer, writes, "dry_run: {dry_run}");
        }
    }
}
