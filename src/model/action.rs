//! What may be done to a container or a service, and how it went.
//!
//! An action is sent once. What is not known after sending is found out by looking, never by sending again.

use super::container::Container;
use super::host::Host;
use super::reason::codes;
use super::resources::LimitsChange;
use super::service::{Service, ServiceVitals};
use super::target::{ComposeService, ContainerName, TargetId, TargetName};
use std::sync::Arc;
use std::time::Duration;

/// A change to one container or service, with every number fixed.
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
    /// Give a running container other limits.
    UpdateLimits(LimitsChange),
    /// Change a service.
    Service(ServiceAction),
}

/// A change to one service. Nothing of its definition changes but what is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServiceAction {
    /// Have another number of replicas.
    Scale {
        /// How many there were to be when it was decided.
        from: u32,
        /// How many there are to be. Never `from`, never 0.
        to: u32,
        /// How many there were before the run first scaled it: what `to: original` goes back to.
        original: u32,
    },
    /// Replace all tasks by new ones of the same definition, as the service's own update settings say.
    ForceUpdate {
        /// The counter of forced updates afterwards.
        counter: u64,
    },
    /// Go back to the definition before this one.
    Rollback {
        /// The image that is left; for Compose, its ID.
        from_image: String,
        /// The image that is gone back to; for Compose, its ID.
        to_image: String,
    },
}

/// How long Docker lets a container stop if nobody says otherwise.
const DEFAULT_GRACE: Duration = Duration::from_secs(10);

/// What Docker may take beyond the grace: killing, reaping, starting.
const BEYOND_GRACE: Duration = Duration::from_secs(30);

/// How long a replica of another image is watched beyond what its health check may take.
pub const UNTIL_WELL: Duration = Duration::from_secs(60);

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
            Self::UpdateLimits(_) => "container.update_limits",
            Self::Service(ServiceAction::Scale { .. }) => "service.scale",
            Self::Service(ServiceAction::ForceUpdate { .. }) => "service.restart",
            Self::Service(ServiceAction::Rollback { .. }) => "service.rollback",
        }
    }

    /// The same; where it stops a container and does not say how long that may take, it may take this long.
    #[must_use]
    pub fn with_grace(self, grace: Option<Duration>) -> Self {
        match self {
            Self::Restart { stop_timeout } => Self::Restart { stop_timeout: stop_timeout.or(grace) },
            Self::Stop { stop_timeout } => Self::Stop { stop_timeout: stop_timeout.or(grace) },
            Self::Start | Self::UpdateLimits(_) | Self::Service(_) => self,
        }
    }

    /// Its verb in a playbook and in the label `sickbay.actions`.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Restart { .. } | Self::Service(ServiceAction::ForceUpdate { .. }) => "restart",
            Self::Start => "start",
            Self::Stop { .. } => "stop",
            Self::UpdateLimits(_) => "update_limits",
            Self::Service(ServiceAction::Scale { .. }) => "scale",
            Self::Service(ServiceAction::Rollback { .. }) => "rollback",
        }
    }

    /// Whether the target is to be up afterwards.
    #[must_use]
    pub fn goal(&self) -> Goal {
        match self {
            Self::Restart { .. } | Self::Start | Self::UpdateLimits(_) | Self::Service(_) => Goal::Up,
            Self::Stop { .. } => Goal::Down,
        }
    }

    /// How long the call may take before its outcome counts as unknown: the grace, if it stops something, Docker's
    /// fourteen seconds of trying harder, the start, and a margin. The action's own grace comes before the container's.
    #[must_use]
    pub fn deadline(&self, container_stop_timeout: Option<Duration>) -> Duration {
        let grace = match self {
            // Swarm answers at once, and gives itself twenty seconds for it: the rest is watched.
            Self::Start | Self::UpdateLimits(_) | Self::Service(_) => Duration::ZERO,
            Self::Restart { stop_timeout } | Self::Stop { stop_timeout } => {
                stop_timeout.or(container_stop_timeout).unwrap_or(DEFAULT_GRACE)
            }
        };
        grace.min(GRACE_MAX) + BEYOND_GRACE
    }
}

impl Action {
    /// How long what was sent last may still take, once nothing more is sent. A Compose service is taken back by many calls,
    /// each of which takes no longer than one stop and start: nobody waits for all of them to learn that it broke off.
    #[must_use]
    pub fn last_call(&self, (id, pre): (&TargetId, &TargetVitals), deadline: Duration) -> Duration {
        match (self, id, pre.service()) {
            (Self::Service(ServiceAction::Rollback { .. }), TargetId::Compose(_), Some(pre)) => {
                deadline / pre.wanted.max(1).saturating_mul(2)
            }
            (_, TargetId::Container(_) | TargetId::Swarm(_) | TargetId::Compose(_), _) => deadline,
        }
    }
}

impl ServiceAction {
    /// How long it may take before its outcome counts as unknown. Swarm takes one call and does the rest by itself; a
    /// Compose service is scaled and taken back replica by replica.
    #[must_use]
    pub fn deadline(&self, service: &Service) -> Duration {
        let one_call = Action::Service(self.clone()).deadline(None);
        if service.is_swarm() {
            return one_call;
        }
        let (from, to) = match self {
            Self::Scale { from, to, .. } => (from, to),
            Self::ForceUpdate { .. } => return one_call,
            Self::Rollback { .. } => {
                // Each is stopped, and the next one's turn comes when the one in its place is well; if it does not get
                // well, the way back takes another stop and start.
                let change = service.previous.as_ref().and_then(|previous| previous.change.as_ref());
                let settles = change.map_or(Duration::ZERO, |change| change.settles_within.min(GRACE_MAX));
                let stop = Action::Stop { stop_timeout: None }.deadline(service.stop_timeout);
                let start = Action::Start.deadline(None);
                return (stop + start)
                    .saturating_mul(2)
                    .saturating_add(settles + UNTIL_WELL)
                    .saturating_mul(service.wanted.max(1));
            }
        };
        let each = if to < from {
            Action::Stop { stop_timeout: None }.deadline(service.stop_timeout)
        } else {
            Action::Start.deadline(None)
        };
        each.saturating_mul(from.abs_diff(*to).max(1))
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

/// The container or service an action is meant for, exactly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetIdent {
    /// What it is, and its full ID: what Docker is given.
    pub id: TargetId,
    /// Name: what people and limits go by.
    pub name: TargetName,
    /// `sha256:…` of a container's image; for a service, the image and digest its definition names.
    pub image_id: String,
    /// The Compose service it is a replica of, or is itself, as `project/service`.
    pub service: Option<Arc<str>>,
}

impl TargetIdent {
    /// The container's name, if it is one.
    #[must_use]
    pub fn container_name(&self) -> Option<ContainerName> {
        self.id.container()?;
        ContainerName::parse(self.name.bare()).ok()
    }

    /// The same on a host.
    #[must_use]
    pub fn on(mut self, host: &Host) -> Self {
        self.name = self.name.on(host);
        self
    }
}

impl From<&Container> for TargetIdent {
    fn from(container: &Container) -> Self {
        Self {
            id: TargetId::from(&container.id),
            name: TargetName::from(&container.name),
            image_id: container.image_id.clone(),
            service: container.compose().map(|(project, service)| format!("{project}/{service}").into()),
        }
    }
}

impl From<&Service> for TargetIdent {
    fn from(service: &Service) -> Self {
        let id = service.id.target_id();
        let compose = match &id {
            TargetId::Compose(ComposeService { project, service }) => Some(format!("{project}/{service}").into()),
            TargetId::Swarm(_) | TargetId::Container(_) => None,
        };
        Self { id, name: service.name(), image_id: service.image.clone(), service: compose }
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

/// What is remembered of a target of either kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TargetVitals {
    /// Of a container.
    Container(Vitals),
    /// Of a service.
    Service(Box<ServiceVitals>),
}

impl TargetVitals {
    /// The container's, if it is one.
    #[must_use]
    pub fn container(&self) -> Option<&Vitals> {
        match self {
            Self::Container(vitals) => Some(vitals),
            Self::Service(_) => None,
        }
    }

    /// The service's, if it is one.
    #[must_use]
    pub fn service(&self) -> Option<&ServiceVitals> {
        match self {
            Self::Container(_) => None,
            Self::Service(vitals) => Some(vitals),
        }
    }
}

impl From<&Container> for TargetVitals {
    fn from(container: &Container) -> Self {
        Self::Container(Vitals::from(container))
    }
}

impl From<&Service> for TargetVitals {
    fn from(service: &Service) -> Self {
        Self::Service(Box::new(ServiceVitals::from(service)))
    }
}

/// How an action went, as far as the call itself tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ActionOutcome {
    /// Docker said it was done.
    Succeeded {
        /// The target afterwards, if it could be looked at.
        post: Option<TargetVitals>,
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
        /// It happened: by us or by somebody else, the goal is reached.
        Observed = "observed",
        /// Docker's own restart policy restarted it.
        RestartPolicy = "restart_policy",
        /// It did not happen.
        NotApplied = "not_applied",
        /// It began and did not get to its end: some replicas were added or taken away, not all.
        Partly = "partly",
        /// The target is gone, was recreated, or was changed to something else.
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
