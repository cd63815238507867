//! Is it alive, and is it ready. Alive asks nothing outside the process; ready names every reason against it.
//!
//! The daemon sends a new [`Condition`] whenever something about itself changes; readers look at the latest one.

use crate::model::permission::{Grants, Needs};
use std::collections::BTreeMap;
use std::fmt;
use tokio::sync::watch;

/// What the daemon knows of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Condition {
    /// How many playbooks are loaded; `None` until they are.
    pub playbooks: Option<usize>,
    /// Whether records can be written.
    pub log: LogCondition,
    /// Hex hash of the last durable record, once there is one.
    pub log_head: Option<String>,
    /// Whether each Docker answered lately, by its name, in the order of the settings.
    pub docker: Vec<(String, DockerCondition)>,
    /// What each Docker lets us do, by its name; empty until it was asked.
    pub grants: BTreeMap<String, Grants>,
    /// What the playbooks need of each Docker.
    pub needs: Needs,
    /// Whether the daemon runs or stops.
    pub phase: Phase,
}

/// Whether the incident log can be written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum LogCondition {
    /// Still being read.
    #[default]
    Opening,
    /// It can.
    Writable,
    /// It cannot; nothing is taken and nothing is done.
    Unwritable {
        /// Why, in words.
        reason: String,
    },
}

/// Whether Docker answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum DockerCondition {
    /// Nobody has asked yet.
    #[default]
    Unasked,
    /// It answered lately.
    Answering,
    /// It did not.
    Silent {
        /// The last error, in words.
        error: String,
    },
}

/// Where in its life the daemon is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// Between start and stop.
    #[default]
    Running,
    /// It finishes what it has begun and takes nothing new.
    Stopping,
}

/// The readers' end of the daemon's condition.
#[derive(Clone, Debug)]
pub struct Readiness(watch::Receiver<Condition>);

impl Readiness {
    /// Reads what the daemon sends.
    #[must_use]
    pub fn new(condition: watch::Receiver<Condition>) -> Self {
        Self(condition)
    }

    /// Each condition, from the latest on.
    pub(super) fn conditions(&self) -> watch::Receiver<Condition> {
        self.0.clone()
    }

    /// The latest condition.
    #[must_use]
    pub fn condition(&self) -> Condition {
        self.0.borrow().clone()
    }
}

/// One reason why the daemon is not ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unready {
    /// No playbooks yet.
    PlaybooksNotLoaded,
    /// The log is still being read.
    LogOpening,
    /// The log cannot be written.
    LogUnwritable(String),
    /// Docker was not asked yet.
    DockerUnasked,
    /// Docker does not answer.
    DockerSilent(String),
    /// The daemon stops.
    Stopping,
}

impl fmt::Display for Unready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PlaybooksNotLoaded => f.write_str("playbooks are not loaded yet"),
            Self::LogOpening => f.write_str("the incident log is still being read"),
            Self::LogUnwritable(reason) => write!(f, "the incident log cannot be written: {reason}"),
            Self::DockerUnasked => f.write_str("Docker has not been asked yet"),
            Self::DockerSilent(error) => write!(f, "Docker does not answer: {error}"),
            Self::Stopping => f.write_str("the daemon is stopping"),
        }
    }
}

impl Condition {
    /// What is known of a Docker.
    #[must_use]
    pub fn docker_of(&self, name: &str) -> Option<&DockerCondition> {
        self.docker.iter().find(|(known, _)| known == name).map(|(_, docker)| docker)
    }

    /// A Docker answered, or not.
    pub fn set_docker(&mut self, name: &str, docker: DockerCondition) {
        match self.docker.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => *known = docker,
            None => self.docker.push((name.to_owned(), docker)),
        }
    }

    /// All Dockers as one: it answers if any of them does, and is silent once each is.
    #[must_use]
    pub fn dockers(&self) -> DockerCondition {
        let mut errors = Vec::new();
        let mut unasked = self.docker.is_empty();
        for (name, docker) in &self.docker {
            match docker {
                DockerCondition::Answering => return DockerCondition::Answering,
                DockerCondition::Unasked => unasked = true,
                DockerCondition::Silent { error } => errors.push((name, error)),
            }
        }
        match &*errors {
            _ if unasked => DockerCondition::Unasked,
            [(_, error)] => DockerCondition::Silent { error: (*error).clone() },
            several => {
                let told: Vec<String> = several.iter().map(|(name, error)| format!("{name}: {error}")).collect();
                DockerCondition::Silent { error: told.join("; ") }
            }
        }
    }

    /// Every reason against readiness; none means ready.
    #[must_use]
    pub fn unready(&self) -> Vec<Unready> {
        let phase = match self.phase {
            Phase::Running => None,
            Phase::Stopping => Some(Unready::Stopping),
        };
        let playbooks = self.playbooks.is_none().then_some(Unready::PlaybooksNotLoaded);
        let log = match &self.log {
            LogCondition::Opening => Some(Unready::LogOpening),
            LogCondition::Writable => None,
            LogCondition::Unwritable { reason } => Some(Unready::LogUnwritable(reason.clone())),
        };
        // One that is away must not keep alerts about the others out.
        let docker = match self.dockers() {
            DockerCondition::Unasked => Some(Unready::DockerUnasked),
            DockerCondition::Answering => None,
            DockerCondition::Silent { error } => Some(Unready::DockerSilent(error)),
        };
        [phase, playbooks, log, docker].into_iter().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_missing_thing_is_named() {
        let fresh = Condition::default();
        assert_eq!(fresh.unready(), [Unready::PlaybooksNotLoaded, Unready::LogOpening, Unready::DockerUnasked]);
        let docker = vec![("local".to_owned(), DockerCondition::Answering)];
        let good = Condition { playbooks: Some(0), log: LogCondition::Writable, docker, ..fresh };
        assert_eq!(good.unready(), []);
        let stopping = Condition { phase: Phase::Stopping, ..good.clone() };
        assert_eq!(stopping.unready(), [Unready::Stopping]);
        let full = Condition { log: LogCondition::Unwritable { reason: "disk full".to_owned() }, ..good };
        assert_eq!(full.unready()[0].to_string(), "the incident log cannot be written: disk full");
    }

    #[test]
    fn one_docker_that_answers_is_enough() {
        let silent = |error: &str| DockerCondition::Silent { error: error.to_owned() };
        let (unasked, answers) = (DockerCondition::Unasked, DockerCondition::Answering);
        for (dockers, want) in [
            (vec![], unasked.clone()),
            (vec![unasked.clone(), silent("x")], unasked.clone()),
            (vec![silent("x"), answers.clone()], answers.clone()),
            (vec![answers.clone(), unasked], answers),
            (vec![silent("x")], silent("x")),
            (vec![silent("x"), silent("y")], silent("0: x; 1: y")),
        ] {
            let mut condition = Condition::default();
            for (name, docker) in dockers.iter().enumerate() {
                condition.set_docker(&name.to_string(), docker.clone());
            }
            assert_eq!(condition.dockers(), want, "{dockers:?}");
        }
    }
}
