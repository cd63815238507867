//! What may be done to a container, and how it went.
//!
//! An action is sent once. What is not known after sending is found out by looking, never by sending again.

use super::container::Container;
use super::reason::codes;
use super::target::{ContainerId, ContainerName};
use std::sync::Arc;
use std::time::Duration;

/// A change to one container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Stop (with grace) and start again.
    Restart {
        /// Seconds before Docker kills; `None` leaves the container's own setting.
        stop_timeout: Option<Duration>,
    },
    /// Start what is stopped.
    Start,
    /// Stop, with grace.
    Stop {
        /// Seconds before Docker kills; `None` leaves the container's own setting.
        stop_timeout: Option<Duration>,
    },
}

/// How long Docker lets a container stop if nobody says otherwise.
const DEFAULT_GRACE: Duration = Duration::from_secs(10);

/// What Docker may take beyond the grace: killing, reaping, starting.
const BEYOND_GRACE: Duration = Duration::from_secs(30);

/// The longest grace that is believed: a container's own setting is anybody's number.
const GRACE_MAX: Duration = Duration::from_secs(24 * 3600);

impl Action {
    /// Its name in the log: `container.restart`.
    #[must_use]
    pub fn op(&self) -> &'static str {
        match self {
            Self::Restart { .. } => "container.restart",
            Self::Start => "container.start",
            Self::Stop { .. } => "container.stop",
        }
    }

    /// Its verb in a playbook and in the label `sickbay.actions`.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Restart { .. } => "restart",
            Self::Start => "start",
            Self::Stop { .. } => "stop",
        }
    }

    /// Whether the container is to be up afterwards.
    #[must_use]
    pub fn goal(&self) -> Goal {
        match self {
            Self::Restart { .. } | Self::Start => Goal::Up,
            Self::Stop { .. } => Goal::Down,
        }
    }

    /// How long the call may take before its outcome counts as unknown: the grace, if it stops something, Docker's
    /// fourteen seconds of trying harder, the start, and a margin. The action's own grace comes before the container's.
    #[must_use]
    pub fn deadline(&self, container_stop_timeout: Option<Duration>) -> Duration {
        let grace = match self {
            Self::Start => Duration::ZERO,
            Self::Restart { stop_timeout } | Self::Stop { stop_timeout } => {
                stop_timeout.or(container_stop_timeout).unwrap_or(DEFAULT_GRACE)
            }
        };
        grace.min(GRACE_MAX) + BEYOND_GRACE
    }
}

/// What a container is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// Running, and well.
    Up,
    /// Stopped.
    Down,
}

/// The container an action is meant for, exactly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetIdent {
    /// Full ID: what Docker is given.
    pub id: ContainerId,
    /// Name: what people and limits go by.
    pub name: ContainerName,
    /// `sha256:…` of its image.
    pub image_id: String,
    /// The Compose service it is a replica of, as `project/service`.
    pub service: Option<Arc<str>>,
}

impl From<&Container> for TargetIdent {
    fn from(container: &Container) -> Self {
        Self {
            id: container.id.clone(),
            name: container.name.clone(),
            image_id: container.image_id.clone(),
            service: container.compose().map(|(project, service)| format!("{project}/{service}").into()),
        }
    }
}

/// What is remembered of a container to tell later whether something happened to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vitals {
    /// The engine's `StartedAt`, verbatim.
    pub started_at: String,
    /// Restarts by policy.
    pub restart_count: u64,
    /// Docker's word for the state.
    pub state: String,
    /// Docker's word for the health, if it has a check.
    pub health: Option<String>,
}

impl From<&Container> for Vitals {
    fn from(container: &Container) -> Self {
        Self {
            started_at: container.started_at.clone(),
            restart_count: container.restart_count,
            state: container.state.as_str().to_owned(),
            health: container.health.as_ref().map(|health| health.as_str().to_owned()),
        }
    }
}

/// How an action went, as far as the call itself tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ActionOutcome {
    /// Docker said it was done.
    Succeeded {
        /// The container afterwards, if it could be inspected.
        post: Option<Vitals>,
    },
    /// Docker said no, or the request was never sent.
    Failed {
        /// Docker's words.
        error: String,
    },
    /// The request was sent and no answer came: only looking can tell.
    Unknown {
        /// What went wrong with the call.
        error: String,
    },
    /// Dry run: nothing was sent.
    Rehearsed,
}

codes! {
    /// What looking at the container told about an action whose answer never came.
    Reconciled {
        /// It happened: ours or somebody else's restart, the goal is reached.
        Observed = "observed",
        /// Docker's own restart policy restarted it.
        RestartPolicy = "restart_policy",
        /// It did not happen.
        NotApplied = "not_applied",
        /// The container is gone or was recreated.
        Superseded = "superseded",
        /// Docker could not be asked, so nobody knows.
        Unknown = "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deadline_leaves_the_grace_and_more() {
        let secs = Duration::from_secs;
        for (container, step, want) in [
            (None, None, 40),
            (Some(secs(60)), None, 90),
            (Some(secs(60)), Some(secs(5)), 35),
            (None, Some(secs(0)), 30),
            (Some(Duration::MAX), None, 24 * 3600 + 30),
        ] {
            for action in [Action::Restart { stop_timeout: step }, Action::Stop { stop_timeout: step }] {
                assert_eq!(action.deadline(container), secs(want), "{action:?}");
            }
            assert_eq!(Action::Start.deadline(container), secs(30), "a start waits for nobody's grace");
        }
    }
}
