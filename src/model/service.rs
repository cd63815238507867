//! A service as a target: what Docker said about it, as far as a decision needs it.
//!
//! A Swarm service is one object of its manager; a Compose service is the containers that carry its labels. Both have
//! replicas, so both are scaled and taken back. Swarm remembers what a service ran before; of a Compose service only what
//! sickbay itself heard and saw tells it. Read [`Service`] first.

use super::reason::Reason;
use super::target::{ComposeService, ContainerName, SwarmId, TargetId, TargetName};
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;
use std::time::Duration;

/// How a service decides how many tasks it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    /// So many replicas: what can be scaled. Every Compose service is one.
    Replicated,
    /// One task on each node.
    Global,
    /// Tasks that come to an end, of either kind; or a mode this version does not know.
    Other(String),
}

impl Mode {
    /// Docker's word for it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Replicated => "replicated",
            Self::Global => "global",
            Self::Other(word) => word,
        }
    }
}

/// `UpdateStatus.State`: how far the last change of a Swarm service is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Update {
    /// Task by task, the service is being changed.
    Updating,
    /// It stopped half way, because tasks failed.
    Paused,
    /// All tasks are as they were to become.
    Completed,
    /// It is being taken back.
    RollingBack,
    /// The way back stopped half way.
    RollbackPaused,
    /// It was taken back.
    RolledBack,
    /// A value this version does not know.
    Other(String),
}

impl Update {
    /// Reads Docker's word for it.
    #[must_use]
    pub fn parse(word: &str) -> Self {
        match word {
            "updating" => Self::Updating,
            "paused" => Self::Paused,
            "completed" => Self::Completed,
            "rollback_started" => Self::RollingBack,
            "rollback_paused" => Self::RollbackPaused,
            "rollback_completed" => Self::RolledBack,
            other => Self::Other(other.to_owned()),
        }
    }

    /// Docker's word for it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Updating => "updating",
            Self::Paused => "paused",
            Self::Completed => "completed",
            Self::RollingBack => "rollback_started",
            Self::RollbackPaused => "rollback_paused",
            Self::RolledBack => "rollback_completed",
            Self::Other(word) => word,
        }
    }
}

/// What a rollback would go back to, as far as it matters: `PreviousSpec` of a Swarm service, and of a Compose service the
/// last container that ran another image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Previous {
    /// Its image; for Compose, the image's ID.
    pub image: String,
    /// Its replicas: a rollback of a Swarm service takes these back as well.
    pub replicas: u32,
    /// What it ran, as [`Service::template`].
    pub template: String,
    /// How the present image came; `None` for Swarm.
    pub change: Option<ImageChange>,
}

/// The change of a Compose service's image, as it was heard and seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageChange {
    /// The ID of the present image.
    pub image_id: String,
    /// What the image before was called when its containers were made.
    pub name: String,
    /// When the first container of the present image was made, by the engine's clock.
    pub at: DateTime<Utc>,
    /// The longest that a replica may take to come up, by its health check.
    pub settles_within: Duration,
}

/// One service as its replicas and its definition showed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Which.
    pub id: ServiceId,
    /// The image of its definition; for Compose, that of its replicas.
    pub image: String,
    /// SHA-256 of what its tasks are made from (image, environment, limits, mounts and the like) without the counter of
    /// forced updates, hex; for Compose, the replicas' `config-hash`. Two definitions that differ in anything but the
    /// number of replicas and that counter differ here.
    pub template: String,
    /// Whether it can be scaled.
    pub mode: Mode,
    /// How many replicas there are to be; for Compose, how many containers there are, stopped ones included.
    pub wanted: u32,
    /// How many run.
    pub running: u32,
    /// How many of those are healthy; all of them without a health check.
    pub healthy: u32,
    /// How far the last change is; `None` if there was none, or for Compose.
    pub update: Option<Update>,
    /// What a rollback would go back to; `None` if Swarm has nothing, or for Compose nobody has seen it: [`Room::back`].
    pub previous: Option<Previous>,
    /// `ForceUpdate`: how often it was restarted by force; 0 for Compose.
    pub force_update: u64,
    /// The version index of the definition; moves without any change. 0 for Compose.
    pub version: u64,
    /// How long Swarm watches a task before it counts as well (`UpdateConfig.Monitor`); zero for Compose.
    pub monitor: Duration,
    /// How many tasks a rolling update takes down at once; 0 if none, because new ones come first.
    pub down_at_once: u32,
    /// The most replicas its placement allows; `None` for as many as there is room for.
    pub most: Option<u32>,
    /// Whether its replicas differ in definition or image: somebody is half way through a deployment.
    pub mixed: bool,
    /// When it was made, by the engine's clock.
    pub created: Option<DateTime<Utc>>,
    /// When its definition last moved, or a replica was last made or removed, by the engine's clock.
    pub changed: Option<DateTime<Utc>>,
    /// The engine's clock when all this was read.
    pub now: DateTime<Utc>,
    /// Its labels, then those of its containers that it does not set itself.
    pub labels: BTreeMap<String, String>,
    /// What stands in the way of another number of replicas; nothing for Swarm, which refuses by itself.
    pub room: Room,
    /// The longest grace that one of its replicas asks for itself; `None` for Docker's own, or for Swarm.
    pub stop_timeout: Option<Duration>,
}

/// Why not, and in words what to do about it.
pub type Obstacle = (Reason, String);

/// How far the number of a Compose service's replicas can be moved, and whether they can be taken back, found by looking at
/// them.
///
/// A replica is added by copying one that runs, and not everything can be copied; taken away is only what sickbay added.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Room {
    /// Why no replica can be added.
    pub more: Option<Obstacle>,
    /// How many can be taken away, and why not one more; `None` if any can.
    pub fewer: Option<(u32, Obstacle)>,
    /// Why its replicas cannot be taken back to the image before.
    pub back: Option<Obstacle>,
}

impl Room {
    /// What stands between these two numbers of replicas.
    #[must_use]
    pub fn obstacle(&self, from: u32, to: u32) -> Option<&Obstacle> {
        if from < to {
            return self.more.as_ref();
        }
        self.fewer.as_ref().filter(|(fewer, _)| *fewer < from - to).map(|(_, obstacle)| obstacle)
    }
}

/// A service's full name for Docker.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ServiceId {
    /// A Swarm service by its ID, with its name for people.
    Swarm(SwarmId, ContainerName),
    /// A service of a Compose project.
    Compose(ComposeService),
}

impl ServiceId {
    /// What Docker is given.
    #[must_use]
    pub fn target_id(&self) -> TargetId {
        match self {
            Self::Swarm(id, _) => TargetId::Swarm(id.clone()),
            Self::Compose(service) => TargetId::Compose(service.clone()),
        }
    }

    /// What people and limits go by.
    #[must_use]
    pub fn name(&self) -> TargetName {
        match self {
            Self::Swarm(_, name) => TargetName::from(name),
            Self::Compose(service) => TargetName::from(service),
        }
    }
}

impl Service {
    /// What people and limits go by.
    #[must_use]
    pub fn name(&self) -> TargetName {
        self.id.name()
    }

    /// Whether Swarm can be asked to restart it or to take it back.
    #[must_use]
    pub fn is_swarm(&self) -> bool {
        matches!(self.id, ServiceId::Swarm(..))
    }

    /// Whether somebody, or Swarm, is in the middle of changing it.
    #[must_use]
    pub fn is_being_updated(&self) -> bool {
        matches!(self.update, Some(Update::Updating | Update::RollingBack | Update::Other(_)))
    }

    /// Whether a change of it stopped half way and waits for a person.
    #[must_use]
    pub fn is_stuck(&self) -> bool {
        matches!(self.update, Some(Update::Paused | Update::RollbackPaused))
    }
}

/// What is remembered of a service to tell later whether something happened to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceVitals {
    /// Replicas wanted.
    pub wanted: u32,
    /// Replicas running.
    pub running: u32,
    /// Replicas healthy.
    pub healthy: u32,
    /// As [`Service::image`].
    pub image: String,
    /// As [`Service::template`].
    pub template: String,
    /// As [`Service::force_update`].
    pub force_update: u64,
    /// As [`Service::version`].
    pub version: u64,
    /// As [`Service::update`], in Docker's word.
    pub update: Option<String>,
    /// The image a rollback would have gone back to. Any change of a service overwrites it.
    pub previous_image: Option<String>,
}

impl From<&Service> for ServiceVitals {
    fn from(service: &Service) -> Self {
        Self {
            wanted: service.wanted,
            running: service.running,
            healthy: service.healthy,
            image: service.image.clone(),
            template: service.template.clone(),
            force_update: service.force_update,
            version: service.version,
            update: service.update.as_ref().map(|update| update.as_str().to_owned()),
            previous_image: service.previous.as_ref().map(|previous| previous.image.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_copied_can_still_be_taken_away_as_far_as_it_is_ours() {
        let obstacle = |reason| (reason, "why".to_owned());
        let fewer = Some((2, obstacle(Reason::NotOurReplicas)));
        let room = Room { more: Some(obstacle(Reason::FixedPort)), fewer, back: None };
        let reason = |room: &Room, from, to| room.obstacle(from, to).map(|(reason, _)| *reason);
        for (from, to, want) in [
            (1, 2, Some(Reason::FixedPort)),
            (4, 3, None),
            (4, 2, None),
            (4, 1, Some(Reason::NotOurReplicas)),
            (4, 4, None),
        ] {
            assert_eq!(reason(&room, from, to), want, "{from} to {to}");
            assert_eq!(reason(&Room::default(), from, to), None, "{from} to {to}");
        }
    }

    #[test]
    fn every_word_of_an_update_reads_back() {
        for word in ["updating", "paused", "completed", "rollback_started", "rollback_paused", "rollback_completed"] {
            assert!(!matches!(Update::parse(word), Update::Other(_)), "{word}");
            assert_eq!(Update::parse(word).as_str(), word);
        }
        assert_eq!(Update::parse("newer").as_str(), "newer");
    }
}
