//! What the settings impose on every playbook. A playbook can only be stricter.

use super::limit::{Breaker, Storm, Window};
use super::matcher::AnchoredRegex;
use std::time::Duration;

/// The rules that stand above all playbooks.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Nothing is changed, by anyone.
    pub dry_run: bool,
    /// At first sight of an episode, an older alert is refused as stale.
    pub max_alert_age: Duration,
    /// Only containers with `sickbay.enable=true` may be treated.
    pub require_opt_in: bool,
    /// Containers that may never be treated, by name.
    pub protect: Vec<ProtectedName>,
    /// Who touched a container from outside, or created it, within this time keeps it to themselves. Zero: nobody does.
    pub hands_off: Duration,
    /// The host name by which Docker is reached, where it is reached over a network: the container of that name is what
    /// stands between us and Docker.
    pub docker_host: Option<String>,
    /// Windows over all runs of all playbooks.
    pub global: Vec<Window>,
    /// Windows over all runs on one target, whichever playbook.
    pub per_target: Vec<Window>,
    /// How many runs may act at once.
    pub max_parallel: u32,
    /// When runs on a target do not help.
    pub breaker: Breaker,
    /// When too many alerts come at once.
    pub storm: Storm,
    /// A target that falls ill again this soon after a recovery had not recovered.
    pub relapse_within: Duration,
    /// The container sickbay itself runs in: a prefix of its ID, if any.
    pub own_container: Option<String>,
    /// The name of the one Docker host, by which it can be paused.
    pub host: String,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            dry_run: false,
            max_alert_age: Duration::from_secs(3600),
            require_opt_in: true,
            protect: Vec::new(),
            hands_off: Duration::from_secs(300),
            docker_host: None,
            global: vec![Window { runs: 20, per: Duration::from_secs(3600) }],
            per_target: Vec::new(),
            max_parallel: 2,
            breaker: Breaker::default(),
            storm: Storm::default(),
            relapse_within: Duration::from_secs(600),
            own_container: None,
            host: "local".to_owned(),
        }
    }
}

/// Images that are never treated, by the last part of their names: what watches, what calls, and what stands between us
/// and Docker. Whoever restarts those may silence the alert that is being treated.
pub const GUARDIANS: [&str; 5] = ["prometheus", "alertmanager", "docker-socket-proxy", "socket-proxy", "sickbay"];

/// Which of the [`GUARDIANS`] an image name means: `registry:5000/prom/prometheus:v3` is `prometheus`.
#[must_use]
pub fn guardian(image: &str) -> Option<&'static str> {
    let unpinned = image.split_once('@').map_or(image, |(name, _digest)| name);
    let last = unpinned.rsplit('/').next().unwrap_or(unpinned);
    let name = last.split_once(':').map_or(last, |(name, _tag)| name);
    GUARDIANS.into_iter().find(|guardian| name.eq_ignore_ascii_case(guardian))
}

/// One entry of `docker.protect`.
#[derive(Clone, Debug)]
pub enum ProtectedName {
    /// The exact container name.
    Exact(String),
    /// `regex:…`, anchored at both ends.
    Pattern(AnchoredRegex),
}

impl ProtectedName {
    /// Whether the entry covers a container of this name.
    #[must_use]
    pub fn covers(&self, name: &str) -> bool {
        match self {
            Self::Exact(exact) => exact == name,
            Self::Pattern(pattern) => pattern.is_match(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guardians_are_known_by_the_last_part_of_their_image() {
        for (image, want) in [
            ("prom/prometheus:v3.5.0", Some("prometheus")),
            ("prometheus", Some("prometheus")),
            ("registry.example:5000/mirror/prom/Alertmanager@sha256:0123", Some("alertmanager")),
            ("wollomatic/socket-proxy:1.13.1", Some("socket-proxy")),
            ("tecnativa/docker-socket-proxy", Some("docker-socket-proxy")),
            ("sickbay:dev", Some("sickbay")),
            ("registry.example:5000/prometheus-demo", None),
            ("prometheus/web:1", None),
            ("sickbay-demo-box:1", None),
            ("sha256:62b4", None),
            ("", None),
        ] {
            assert_eq!(guardian(image), want, "{image}");
        }
    }
}
