//! What Docker, or the proxy before it, lets us do: asked when Docker begins to answer and when the playbooks change, and
//! told to operators. It stops nothing: an action that is denied is recorded as that.
//!
//! Only calls that the playbooks need are asked about, so a probe never goes beyond what an allow-list for them lets
//! through, and a daemon in dry-run asks about looking alone. Read [`Permits::ask`] and [`tell`].

use super::parts;
use crate::docker::{Observer, Prober};
use crate::model::docker_call::DockerCall;
use crate::model::permission::{ABILITIES, Grant, Grants, Need, Needs, Why, missing};
use crate::playbook::definition::Playbook;
use crate::playbook::index::Playbooks;
use crate::playbook::needs::{Terms, needs};
use crate::settings::{DockerHost, Settings};
use crate::telemetry::metrics::Metrics;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Asks what is allowed, where it is read and where it is written.
#[derive(Debug)]
pub struct Permits {
    host: String,
    reading: Prober,
    /// `None` in dry-run: nothing will be written.
    writing: Option<Prober>,
}

impl Permits {
    /// One for each Docker of the settings, in their order.
    ///
    /// # Errors
    /// Why an address cannot be used.
    pub fn all(settings: &Settings, metrics: &Arc<Metrics>) -> Result<Vec<Self>, String> {
        let one = |host: &DockerHost| Self::new(host, settings.dry_run, Some(&parts::observer(&host.name, metrics)));
        settings.docker.hosts.iter().map(one).collect()
    }

    /// One for a Docker.
    ///
    /// # Errors
    /// Why its address cannot be used.
    pub fn new(host: &DockerHost, dry_run: bool, observer: Option<&Observer>) -> Result<Self, String> {
        let reading = Prober::new(&parts::endpoint(host)?, observer.cloned())?;
        let writing = match dry_run {
            true => None,
            false => Some(Prober::new(&parts::write_endpoint(host)?, observer.cloned())?),
        };
        Ok(Self { host: host.name.clone(), reading, writing })
    }

    /// What the Docker is called.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Asks about the calls that are needed.
    pub async fn ask(&self, needs: &[Need]) -> Grants {
        let calls = |writes| needs.iter().map(|need| need.call).filter(move |call| call.writes() == writes);
        let mut grants = self.reading.ask(calls(false)).await;
        if let Some(writing) = self.writing.as_ref().filter(|_| calls(true).next().is_some()) {
            // It asks for the version first, on its own way, and tells if that is denied.
            grants.extend(writing.ask(calls(true)).await);
        }
        grants
    }
}

/// What these playbooks need of each Docker.
#[must_use]
pub fn needed(settings: &Settings, playbooks: &Playbooks) -> Needs {
    let at = |host: &DockerHost| needed_at(settings, &host.name, playbooks.iter().map(Arc::as_ref));
    settings.docker.hosts.iter().map(|host| (host.name.clone(), at(host))).collect()
}

/// What these playbooks need of one Docker: those with a target there, or wherever an alert says.
#[must_use]
pub fn needed_at<'a>(settings: &Settings, host: &str, playbooks: impl IntoIterator<Item = &'a Playbook>) -> Vec<Need> {
    let is_first = settings.docker.hosts.first().is_some_and(|first| first.name == host);
    let may_mean = |playbook: &&Playbook| match playbook.target.as_ref().and_then(|target| target.host.as_ref()) {
        None => is_first,
        Some(named) => named.literal().is_none_or(|named| named.trim() == host),
    };
    needed_anywhere(settings, playbooks.into_iter().filter(may_mean))
}

/// What these playbooks need, whichever Docker they are about.
#[must_use]
pub fn needed_anywhere<'a>(settings: &Settings, playbooks: impl IntoIterator<Item = &'a Playbook>) -> Vec<Need> {
    let terms = Terms { dry_run: settings.dry_run, hands_off: !settings.docker.hands_off.is_zero() };
    needs(playbooks, terms)
}

/// Tells operators what is allowed, and what of that is missing.
pub fn tell(host: &str, grants: &Grants, metrics: &Metrics) {
    for (call, grant) in grants {
        match grant {
            Grant::Allowed | Grant::Denied => {
                metrics.docker_call_allowed(host, call.operation(), *grant == Grant::Allowed);
            }
            Grant::Unknown(_) => metrics.docker_call_unknown(host, call.operation()),
        }
    }
    let report: Vec<String> = ABILITIES
        .iter()
        .filter_map(|ability| {
            Some(match ability.of(grants)? {
                (Grant::Denied, denied) => format!("{}: denied by a proxy ({})", ability.name, listed(&denied)),
                (grant @ (Grant::Allowed | Grant::Unknown(_)), _) => format!("{}: {}", ability.name, grant.as_str()),
            })
        })
        .collect();
    tracing::info!(docker.host = host, "what Docker lets us do: {}", report.join(", "));
}

/// Warns of each call that a playbook needs and a proxy denies.
pub fn warn(host: &str, needs: &[Need], grants: &Grants) {
    for need in missing(needs, grants) {
        let (method, path) = (need.call.method(), need.call.shown());
        let whose = whose(need);
        if need.optional {
            tracing::info!(docker.host = host, "a proxy denies {method} {path}: {whose} goes without");
        } else {
            tracing::warn!(
                docker.host = host,
                "a proxy denies {method} {path}, which {whose} needs: `sickbay permissions` prints what to allow there"
            );
        }
    }
}

/// Who needs it, in words.
#[must_use]
pub fn whose(need: &Need) -> String {
    let named = |why: &Why| why.playbook.as_ref().map_or_else(|| why.what.to_owned(), |name| format!("`{name}`"));
    let all: BTreeSet<String> = need.why.iter().map(named).collect();
    all.into_iter().collect::<Vec<_>>().join(", ")
}

fn listed(calls: &[DockerCall]) -> String {
    calls.iter().map(|call| format!("{} {}", call.method(), call.shown())).collect::<Vec<_>>().join(", ")
}
