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
}

impl Action {
    /// Its name in the log: `container.restart`.
    #[must_use]
    pub fn op(&self) -> &'static str {
        match self {
            Self::Restart { .. } => "container.restart",
        }
    }
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
