//! A playbook, valid by construction: nothing here needs a later check.
//!
//! Made by `resolve` from YAML; read by the engine. [`Playbook`] is the type to read first.

use super::condition::Condition;
use super::template::Template;
use crate::model::action::Action;
use crate::model::label::Labels;
use crate::model::limit::Limits;
use crate::model::matcher::Matcher;
pub use crate::model::step::{CaptureSpec, HealthGoal, VerifySpec};
use crate::model::time_interval::Schedule;
use std::sync::Arc;
use std::time::Duration;

/// One entry of a rules file.
#[derive(Clone, Debug)]
pub struct Playbook {
    /// Unique over all files.
    pub name: Arc<str>,
    /// SHA-256 (first 12 hex digits) of the entry's own text and those of the time intervals it names: changes with any
    /// edit of them.
    pub revision: Arc<str>,
    /// Where it stands: `rules/web.yaml:12`.
    pub source: String,
    /// What it is for, in a sentence; may be empty.
    pub description: String,
    /// Whether it may match at all.
    pub enabled: bool,
    /// Decides and records, changes nothing.
    pub dry_run: bool,
    /// All must match. Never empty for a playbook with an action.
    pub matchers: Vec<Matcher>,
    /// When it may run.
    pub schedule: Schedule,
    /// What it acts on; `None` only if no step needs a target.
    pub target: Option<TargetSpec>,
    /// What must be true of the alert and the target besides; `None` if nothing.
    pub condition: Option<Condition>,
    /// How often it may run.
    pub limits: Limits,
    /// What is done: try after try, until one helps.
    pub attempts: Attempts,
    /// What is done when the last try failed: notices and evidence only.
    pub on_failure: Vec<Step>,
}

impl Playbook {
    /// The first of its matchers that these labels do not satisfy.
    #[must_use]
    pub fn mismatch(&self, labels: &Labels) -> Option<&Matcher> {
        self.matchers.iter().find(|matcher| !matcher.matches(labels))
    }

    /// Whether any step changes something.
    #[must_use]
    pub fn acts(&self) -> bool {
        self.attempts.iter().any(Attempt::acts)
    }
}

/// The tries of a playbook, in order: one or more.
#[derive(Clone, Debug)]
pub struct Attempts {
    /// The first.
    pub first: Attempt,
    /// Those that follow where the one before did not help.
    pub more: Vec<Attempt>,
}

impl Attempts {
    /// What a playbook with plain `steps` does.
    #[must_use]
    pub fn only(steps: Vec<Step>) -> Self {
        Self { first: Attempt { name: None, steps }, more: Vec::new() }
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Attempt> {
        std::iter::once(&self.first).chain(&self.more)
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u32 {
        u32::try_from(self.more.len()).unwrap_or(u32::MAX).saturating_add(1)
    }

    /// The try of this number, from 1.
    #[must_use]
    pub fn get(&self, number: u32) -> Option<&Attempt> {
        self.iter().nth(usize::try_from(number).ok()?.checked_sub(1)?)
    }

    /// The steps of the try of this number; none if there is no such try.
    #[must_use]
    pub fn steps(&self, number: u32) -> &[Step] {
        self.get(number).map_or(&[], |attempt| &attempt.steps)
    }
}

/// One try.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// How people call it.
    pub name: Option<String>,
    /// What is done, in order.
    pub steps: Vec<Step>,
}

impl Attempt {
    /// Whether any step changes something.
    #[must_use]
    pub fn acts(&self) -> bool {
        self.steps.iter().any(|step| step.verb.action().is_some())
    }
}

/// Which container is meant, still to be rendered from an alert.
#[derive(Clone, Debug)]
pub enum TargetSpec {
    /// `container: NAME`
    Container(Template),
    /// `compose: {project, service}`: the service's one container.
    Compose {
        /// The Compose project's name.
        project: Template,
        /// The service's name within the project.
        service: Template,
    },
}

impl TargetSpec {
    /// What is rendered, each with its key.
    pub fn templates(&self) -> impl Iterator<Item = (&'static str, &Template)> {
        let (first, second) = match self {
            Self::Container(name) => (("target.container", name), None),
            Self::Compose { project, service } => {
                (("target.compose.project", project), Some(("target.compose.service", service)))
            }
        };
        std::iter::once(first).chain(second)
    }
}

/// One entry of `steps` (of the playbook or of an attempt) or `on_failure`.
#[derive(Clone, Debug)]
pub struct Step {
    /// How templates refer to it: `steps.ID`.
    pub id: Option<Arc<str>>,
    /// How people call it.
    pub name: Option<String>,
    /// What it does.
    pub verb: Verb,
}

impl Step {
    /// The step's `name`, or its verb where it has none.
    #[must_use]
    pub fn title(&self) -> &str {
        self.name.as_deref().unwrap_or_else(|| self.verb.word())
    }
}

/// What a step does.
#[derive(Clone, Debug)]
pub enum Verb {
    /// Keep the evidence.
    Capture(CaptureSpec),
    /// Stop and start the target, then its dependents.
    Restart(RestartSpec),
    /// Start the target, if it is not running, and restart the dependents that its stop left behind.
    Start,
    /// Stop the target, if it is running.
    Stop(StopSpec),
    /// Watch the target recover.
    Verify(VerifySpec),
    /// Let time pass.
    Wait(Duration),
    /// Tell people.
    Notify(NotifySpec),
}

impl Verb {
    /// The key in the playbook.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Capture(_) => "capture",
            Self::Restart(_) => "restart",
            Self::Start => "start",
            Self::Stop(_) => "stop",
            Self::Verify(_) => "verify",
            Self::Wait(_) => "wait",
            Self::Notify(_) => "notify",
        }
    }

    /// What it does to the target; `None` if it changes nothing.
    #[must_use]
    pub fn action(&self) -> Option<Action> {
        match self {
            Self::Restart(spec) => Some(Action::Restart { stop_timeout: spec.stop_timeout }),
            Self::Start => Some(Action::Start),
            Self::Stop(spec) => Some(Action::Stop { stop_timeout: spec.stop_timeout }),
            Self::Capture(_) | Self::Verify(_) | Self::Wait(_) | Self::Notify(_) => None,
        }
    }
}

/// How to restart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RestartSpec {
    /// Time before Docker kills; `None` leaves the container's own setting. Whole seconds, at most 10 minutes.
    pub stop_timeout: Option<Duration>,
    /// Whether a container that is not running may be started.
    pub start_if_stopped: bool,
}

/// How to stop.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StopSpec {
    /// Time before Docker kills; `None` leaves the container's own setting. Whole seconds, at most 10 minutes.
    pub stop_timeout: Option<Duration>,
}

/// Whom to tell, and what.
#[derive(Clone, Debug)]
pub struct NotifySpec {
    /// Names of notifiers; `log` is built in. Never empty.
    pub to: Vec<String>,
    /// `info`, `warning` or `critical`.
    pub severity: String,
    /// One line; `None` for the default.
    pub title: Option<Template>,
    /// The text.
    pub message: Template,
}
