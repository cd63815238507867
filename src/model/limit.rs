//! How often a playbook may run: exact sliding windows and a cooldown.

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

/// The limits of one playbook, complete: defaults are filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Every window must have room. Never empty.
    pub windows: Vec<Window>,
    /// What they count together.
    pub scope: Scope,
    /// Minimum time between the end of one attempt and the start of the next, at most [`MEMORY`].
    pub cooldown: Duration,
}

impl Default for Limits {
    /// Three runs per hour and target, five minutes apart.
    fn default() -> Self {
        Self {
            windows: vec![Window { runs: 3, per: Duration::from_secs(3600) }],
            scope: Scope::Target,
            cooldown: Duration::from_secs(300),
        }
    }
}
