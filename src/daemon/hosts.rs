//! The Docker hosts that the daemon can reach. Each has clients, connections and a bound of its own, so that one which hangs
//! delays nobody but those who want something of it.

use super::executor::Hands;
use crate::docker::Reader;
use crate::model::host::{Host, HostName};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// How many targets are looked for at the same time on one host: each takes a call for every replica and neighbour, and a
/// storm of alerts must not make Docker too slow to answer any of them.
const LOOKS_MAX: usize = 16;

/// One Docker host, and what can be done there. Cheap to clone.
#[derive(Clone, Debug)]
pub struct DockerHost {
    /// Its name in the settings.
    pub name: Arc<str>,
    /// What can be done there.
    pub hands: Hands,
    /// Who may look for a target now.
    pub looks: Arc<Semaphore>,
}

impl DockerHost {
    /// A host of this name.
    #[must_use]
    pub fn new(name: &str, hands: Hands) -> Self {
        Self { name: name.into(), hands, looks: Arc::new(Semaphore::new(LOOKS_MAX)) }
    }

    /// The looking half.
    #[must_use]
    pub fn reader(&self) -> &Reader {
        self.hands.reader()
    }
}

/// All of them, in the order of the settings. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Hosts(Arc<[DockerHost]>);

impl Hosts {
    /// These.
    #[must_use]
    pub fn new(hosts: Vec<DockerHost>) -> Self {
        Self(hosts.into())
    }

    /// The one that is meant.
    ///
    /// # Errors
    /// The words for it if there is none: the settings may have lost it since.
    pub fn get(&self, host: &Host) -> Result<&DockerHost, String> {
        let found = match host {
            Host::First => self.0.first(),
            Host::Named(name) => self.0.iter().skip(1).find(|known| *known.name == *name.as_str()),
        };
        found.ok_or_else(|| {
            let name = host.name().map_or("", HostName::as_str);
            format!("docker.hosts in the settings has no {name:?}")
        })
    }

    /// Each, in order.
    pub fn iter(&self) -> impl Iterator<Item = &DockerHost> {
        self.0.iter()
    }

    /// Whether anything may be changed, anywhere.
    #[must_use]
    pub fn are_live(&self) -> bool {
        self.0.iter().any(|host| matches!(host.hands, Hands::Live(..)))
    }
}
