//! What Docker said about a container, as far as a decision needs it.
//!
//! Decoded leniently: a state or health value of a newer engine becomes `Other` and is refused by the gates instead of
//! making the whole answer unreadable.

use super::action::TargetIdent;
use super::reason::codes;
use super::resources::ResourceLimits;
use super::service::Service;
use super::target::{ContainerId, ContainerName};
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;
use std::time::Duration;

/// `State.Status` of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContainerState {
    /// Created, never started.
    Created,
    /// Running.
    Running,
    /// Paused.
    Paused,
    /// Docker's restart policy is at work.
    Restarting,
    /// Being removed.
    Removing,
    /// Stopped.
    Exited,
    /// Could not be removed.
    Dead,
    /// A value this version does not know.
    Other(String),
}

impl ContainerState {
    /// Those that this version knows.
    pub const KNOWN: &'static [Self] =
        &[Self::Created, Self::Running, Self::Paused, Self::Restarting, Self::Removing, Self::Exited, Self::Dead];

    /// Reads Docker's word for it.
    #[must_use]
    pub fn parse(word: &str) -> Self {
        let known = Self::KNOWN.iter().find(|state| state.as_str() == word);
        known.cloned().unwrap_or_else(|| Self::Other(word.to_owned()))
    }

    /// Docker's word for it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Created => "created",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Restarting => "restarting",
            Self::Removing => "removing",
            Self::Exited => "exited",
            Self::Dead => "dead",
            Self::Other(word) => word,
        }
    }
}

/// `State.Health.Status` of a container that has a health check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// In its start period, no verdict yet.
    Starting,
    /// The last checks passed.
    Healthy,
    /// As many checks in a row failed as `Retries` says.
    Unhealthy,
    /// A value this version does not know.
    Other(String),
}

impl Health {
    /// Those that this version knows.
    pub const KNOWN: &'static [Self] = &[Self::Starting, Self::Healthy, Self::Unhealthy];

    /// Docker's word for a container without a health check.
    pub const NONE: &'static str = "none";

    /// Reads Docker's word for it.
    #[must_use]
    pub fn parse(word: &str) -> Self {
        let known = Self::KNOWN.iter().find(|health| health.as_str() == word);
        known.cloned().unwrap_or_else(|| Self::Other(word.to_owned()))
    }

    /// Docker's word for it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Starting => "starting",
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
            Self::Other(word) => word,
        }
    }
}

codes! {
    /// `HostConfig.RestartPolicy.Name`.
    RestartPolicy {
        /// Docker never restarts it.
        No = "no",
        /// Docker restarts it after a non-zero exit.
        OnFailure = "on-failure",
        /// Docker restarts it whenever it ends.
        Always = "always",
        /// As `Always`, until a person stops it.
        UnlessStopped = "unless-stopped",
    }
}

/// The timing of a container's health check, with Docker's defaults filled in (moby `daemon/health.go`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HealthCheck {
    /// Time between checks.
    pub interval: Duration,
    /// Time one check may take.
    pub timeout: Duration,
    /// Failures in a row that make it unhealthy.
    pub retries: u32,
    /// Time after the start in which failures do not count.
    pub start_period: Duration,
}

impl HealthCheck {
    /// The longest a sound container takes from start to its first verdict.
    #[must_use]
    pub fn settles_within(&self) -> Duration {
        self.start_period + (self.interval + self.timeout) * self.retries
    }
}

/// One container as inspect showed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    /// Full ID.
    pub id: ContainerId,
    /// Name without the leading slash.
    pub name: ContainerName,
    /// Image name as the container was created with it.
    pub image: String,
    /// `sha256:…` of the image it runs.
    pub image_id: String,
    /// What it is doing.
    pub state: ContainerState,
    /// Health; `None` without a health check. Meaningful only while running.
    pub health: Option<Health>,
    /// The health check's timing; `None` without one.
    pub health_check: Option<HealthCheck>,
    /// The engine's own `Created`, verbatim.
    pub created: String,
    /// The engine's own `StartedAt`, verbatim: compared with the engine's own times only.
    pub started_at: String,
    /// The engine's own `FinishedAt`, verbatim.
    pub finished_at: String,
    /// How often the restart policy restarted it; an API restart resets it.
    pub restart_count: u64,
    /// Exit code of the last run.
    pub exit_code: i64,
    /// Whether the kernel killed it for memory.
    pub oom_killed: bool,
    /// `State.Error`: why the last start failed; bounded, without secrets.
    pub start_error: String,
    /// What Docker does when it ends.
    pub restart_policy: RestartPolicy,
    /// `--rm`: deleted with its volumes when it stops.
    pub auto_remove: bool,
    /// Seconds Docker waits before it kills, if the container says so.
    pub stop_timeout: Option<Duration>,
    /// `HostConfig.NetworkMode`.
    pub network_mode: String,
    /// How much memory and CPU it may use.
    pub limits: ResourceLimits,
    /// All labels.
    pub labels: BTreeMap<String, String>,
}

/// Compose's label for the project's name.
pub const COMPOSE_PROJECT: &str = "com.docker.compose.project";

/// Compose's label for the service's name.
pub const COMPOSE_SERVICE: &str = "com.docker.compose.service";

/// Compose's label of containers that `compose run` made: they are no replicas of their service.
pub const COMPOSE_ONEOFF: &str = "com.docker.compose.oneoff";

/// The label by which Compose tells whether a service's definition has changed.
pub const COMPOSE_CONFIG_HASH: &str = "com.docker.compose.config-hash";

impl Container {
    /// A container of which nothing is known but its name and ID: it runs.
    #[must_use]
    pub fn named(name: &ContainerName, id: &ContainerId) -> Self {
        Self {
            id: id.clone(),
            name: name.clone(),
            image: String::new(),
            image_id: String::new(),
            state: ContainerState::Running,
            health: None,
            health_check: None,
            created: String::new(),
            started_at: String::new(),
            finished_at: String::new(),
            restart_count: 0,
            exit_code: 0,
            oom_killed: false,
            start_error: String::new(),
            restart_policy: RestartPolicy::No,
            auto_remove: false,
            stop_timeout: None,
            network_mode: String::new(),
            limits: ResourceLimits::default(),
            labels: BTreeMap::new(),
        }
    }

    /// Its Compose project and service, if it is one of the service's replicas.
    #[must_use]
    pub fn compose(&self) -> Option<(&str, &str)> {
        let label = |key| self.labels.get(key).map(String::as_str).filter(|value| !value.is_empty());
        let replica = label(COMPOSE_ONEOFF).is_none_or(|oneoff| oneoff.eq_ignore_ascii_case("false"));
        if replica { label(COMPOSE_PROJECT).zip(label(COMPOSE_SERVICE)) } else { None }
    }
}

/// What Docker's event history says about how a stopped container came to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopCause {
    /// It is not stopped, or nobody asked.
    NotAsked,
    /// Somebody called stop: the event is there.
    Stopped,
    /// It died without a stop: killed, crashed or out of memory.
    Died,
    /// The history no longer reaches back that far.
    Forgotten,
}

impl StopCause {
    /// For the record.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotAsked => "not_asked",
            Self::Stopped => "stopped",
            Self::Died => "died",
            Self::Forgotten => "forgotten",
        }
    }

    /// What the events of a stopped container say, oldest first. A restart stops too, so only what came after the last
    /// start counts. A stop always leaves its event behind the death.
    #[must_use]
    pub fn from_events<'a>(events: impl DoubleEndedIterator<Item = &'a str>) -> Self {
        let mut died = false;
        for action in events.rev().take_while(|action| *action != "start") {
            match action {
                "stop" => return Self::Stopped,
                "die" => died = true,
                _ => {}
            }
        }
        if died { Self::Died } else { Self::Forgotten }
    }
}

/// How much memory a container uses, without the cache that the kernel gives back first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum MemoryInUse {
    /// Nobody asked: nothing depends on it.
    #[default]
    NotAsked,
    /// So many bytes.
    Known(u64),
    /// It could not be had, and why.
    Unknown(String),
}

/// The target as it stands, with the containers that depend on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetView {
    /// The target itself.
    pub container: Container,
    /// Containers that live in its network, PID or IPC namespace, by name.
    pub dependents: Vec<Container>,
    /// All replicas of the target's Compose service by name, stopped ones and the target itself included; empty where it
    /// belongs to none.
    pub peers: Vec<Container>,
    /// How it came to stop, if it is stopped.
    pub stop_cause: StopCause,
    /// What somebody may have done to it lately.
    pub history: EventHistory,
    /// How much memory it uses, where its limit may be lowered next.
    pub memory_in_use: MemoryInUse,
}

/// Docker's event history of one container, by the engine's own clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventHistory {
    /// It could be read.
    Known {
        /// The engine's clock when it was read, to the second.
        now: DateTime<Utc>,
        /// What was done to it from outside, oldest first, as far as the history reaches back.
        touches: Vec<Touch>,
        /// From when on nothing is missing, by the engine's clock; `None` if nobody can tell.
        complete_since: Option<DateTime<Utc>>,
        /// The container that had its name before, if the history shows one.
        predecessor: Option<Predecessor>,
    },
    /// It could not be had, and why: nobody knows who was at it.
    Unknown(String),
}

/// A container that gave up its name to the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Predecessor {
    /// When it was removed or renamed, by the engine's clock.
    pub gone: DateTime<Utc>,
    /// Its image, as it was created with it; empty if Docker did not say.
    pub image: String,
    /// Compose's digest of its definition, if it had one.
    pub config_hash: Option<String>,
}

/// Something only a person, a deployment or another program does: Docker does none of it by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Touch {
    /// What.
    pub action: TouchAction,
    /// When.
    pub at: DateTime<Utc>,
}

codes! {
    /// What can be done to a container from outside. A kill, a death or a start alone is not among it: those happen
    /// without anybody, too.
    TouchAction {
        /// `docker stop`
        Stop = "stop",
        /// `docker restart`
        Restart = "restart",
        /// `docker pause`
        Pause = "pause",
        /// `docker unpause`
        Unpause = "unpause",
        /// `docker update`: its limits were changed.
        Update = "update",
        /// `docker rename`
        Rename = "rename",
    }
}

/// Docker's answer to a [`super::target::TargetQuery`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TargetReport {
    /// Exactly one container.
    Found(Box<TargetView>),
    /// Exactly one service.
    FoundService(Box<Service>),
    /// Several, as many as are allowed: the first by its name, and who the others are.
    Several {
        /// The first.
        first: Box<TargetView>,
        /// The others, by name.
        others: Vec<(ContainerId, ContainerName)>,
    },
    /// None.
    Missing,
    /// More than one: their names.
    Ambiguous(Vec<String>),
    /// Docker could not be asked, or did not answer in time.
    Unavailable(String),
    /// A proxy or plugin said no: to what, in words.
    Denied(String),
    /// It was asked about Swarm, and is no manager of one: its words.
    NoManager(String),
}

impl TargetReport {
    /// What Docker showed, the first of several; `None` if nothing.
    #[must_use]
    pub fn target(&self) -> Option<TargetIdent> {
        match self {
            Self::Found(view) | Self::Several { first: view, .. } => Some(TargetIdent::from(&view.container)),
            Self::FoundService(service) => Some(TargetIdent::from(service.as_ref())),
            Self::Missing | Self::Ambiguous(_) | Self::Unavailable(_) | Self::Denied(_) | Self::NoManager(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_end_of_the_last_run_counts() {
        for (events, want) in [
            ("kill die stop", StopCause::Stopped),
            ("start kill die stop", StopCause::Stopped),
            ("stop", StopCause::Stopped),
            ("die", StopCause::Died),
            ("kill die", StopCause::Died),
            ("start die", StopCause::Died),
            ("kill die stop start die", StopCause::Died),
            ("die start kill die stop", StopCause::Stopped),
            ("kill die stop start", StopCause::Forgotten),
            ("kill", StopCause::Forgotten),
            ("", StopCause::Forgotten),
        ] {
            assert_eq!(StopCause::from_events(events.split_whitespace()), want, "{events:?}");
        }
    }
}
