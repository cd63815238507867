//! How often a playbook may run: exact sliding windows and a cooldown.

use std::sync::Arc;
use std::time::Duration;

/// How long attempts are remembered: a window or a cooldown that is longer would forget what it is to count.
pub const MEMORY: Duration = Duration::from_secs(31 * 24 * 3600);

/// At most `runs` attempts in any stretch of `per`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Attempts allowed, at least 1.
    pub runs: u32,
    /// The length of the window, more than zero and at most [`MEMORY`].
    pub per: Duration,
}

/// What the windows and the cooldown of a playbook count together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// Each target for itself.
    #[default]
    Target,
    /// All targets of the playbook.
    Playbook,
    /// All targets on one Docker host.
    Host,
}

/// The labels by which the limits of a playbook count, each with its value in the alert: short, so that no log cuts it.
pub type LimitKey = Vec<(String, String)>;

/// The limits of one playbook, complete: defaults are filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Every window must have room. Never empty.
    pub windows: Vec<Window>,
    /// What they count together.
    pub scope: Scope,
    /// Labels of the alert: what agrees in all of them is counted together, in place of `scope`. Empty for `scope`.
    pub key: Vec<Arc<str>>,
    /// Minimum time between the end of one attempt and the start of the next, at most [`MEMORY`].
    pub cooldown: Duration,
    /// How many containers of one service may be treated at once, at least 1.
    pub max_parallel: u32,
    /// What must be left healthy of the target's service while it is treated.
    pub min_healthy: Option<MinHealthy>,
}

/// How much of a service must be healthy without the container that is treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MinHealthy {
    /// So many containers, at least 1.
    Count(u32),
    /// So many of a hundred, 1 to 99, rounded up to whole containers.
    Percent(u32),
}

impl MinHealthy {
    /// How many of `total` containers that is.
    #[must_use]
    pub fn of(self, total: usize) -> usize {
        match self {
            Self::Count(count) => usize::try_from(count).unwrap_or(usize::MAX),
            Self::Percent(share) => total.saturating_mul(usize::try_from(share).unwrap_or(usize::MAX)).div_ceil(100),
        }
    }
}

impl std::fmt::Display for MinHealthy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Count(count) => write!(f, "{count}"),
            Self::Percent(share) => write!(f, "{share}%"),
        }
    }
}

impl Default for Limits {
    /// Three runs per hour and target, five minutes apart.
    fn default() -> Self {
        Self {
            windows: vec![Window { runs: 3, per: Duration::from_secs(3600) }],
            scope: Scope::Target,
            key: Vec::new(),
            cooldown: Duration::from_secs(300),
            max_parallel: 1,
            min_healthy: None,
        }
    }
}

/// When runs on a target do not help, nothing more is done to it for a while.
///
/// What counts are the runs that acted, one after the other: `failures` of them that failed, did not help or did not
/// last, without one in between that helped and lasted, all within `per`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Breaker {
    /// Runs in a row without lasting help that open it, at least 1.
    pub failures: u32,
    /// Older runs are forgotten; more than zero and at most [`MEMORY`].
    pub per: Duration,
    /// How long it stays open after the last of them; then one trial is allowed. More than zero.
    pub open_for: Duration,
}

impl Default for Breaker {
    fn default() -> Self {
        Self { failures: 3, per: Duration::from_secs(24 * 3600), open_for: Duration::from_secs(3600) }
    }
}

/// How many taken alerts are remembered to tell a storm, and so the most that one may be set to.
pub const STORM_ALERTS_MAX: u32 = 10_000;

/// Too many alerts at once: one common cause is likelier than many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Storm {
    /// More alerts than this, taken by playbooks that act, make a storm; 1 to [`STORM_ALERTS_MAX`].
    pub alerts: u32,
    /// In this time; more than zero and at most an hour.
    pub per: Duration,
    /// How long nothing is done after it; more than zero.
    pub freeze: Duration,
}

impl Default for Storm {
    fn default() -> Self {
        Self { alerts: 50, per: Duration::from_secs(60), freeze: Duration::from_secs(600) }
    }
}
