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
