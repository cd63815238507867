//! A playbook, valid by construction: nothing here needs a later check.
//!
//! Made by `resolve` from YAML; read by the engine. [`Playbook`] is the type to read first.

use super::condition::Condition;
use super::template::Template;
use super::url::UrlTemplate;
use crate::model::action::Action;
use crate::model::approval::ReasonFor;
use crate::model::label::Labels;
use crate::model::limit::Limits;
use crate::model::matcher::Matcher;
pub use crate::model::step::{CaptureSpec, HealthGoal, ReplicasGoal, VerifySpec};
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
    /// That text, for people and for the log: without secrets, and cut where it is very long.
    pub text: Arc<str>,
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
    /// Who must agree before anything is done; `None` if nobody.
    pub approval: Option<ApprovalSpec>,
    /// What is done: try after try, until one helps.
    pub attempts: Attempts,
    /// What is done when the last try failed: notices and evidence only.
    pub on_failure: Vec<Step>,
    /// What is done when nobody agreed: notices and evidence only.
    pub on_denied: Vec<Step>,
    /// What is done when the alert that was treated has resolved.
    pub on_resolved: Vec<Step>,
    /// The keys it has that the daemon of this version does not execute, each once. The daemon loads it only disabled.
    pub not_executed: Vec<&'static str>,
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

    /// Whether its target is a service rather than one container: a Compose service is, where it is scaled.
    #[must_use]
    pub fn treats_a_service(&self) -> bool {
        let mut steps = self.attempts.iter().flat_map(|attempt| &attempt.steps).chain(&self.on_resolved);
        match self.target.as_ref().map(|target| &target.which) {
            Some(Which::Service(_)) => true,
            Some(Which::Compose { .. }) => steps.any(|step| matches!(step.verb, Verb::Scale(_) | Verb::Rollback(_))),
            Some(Which::Container(_) | Which::Selector { .. }) | None => false,
        }
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
        self.steps.iter().any(|step| step.verb.acts())
    }
}

/// What is meant, still to be rendered from an alert.
#[derive(Clone, Debug)]
pub struct TargetSpec {
    /// Which container or service.
    pub which: Which,
    /// On which Docker host of the settings; `None` for the only one.
    pub host: Option<Template>,
}

/// Which container or service is meant.
#[derive(Clone, Debug)]
pub enum Which {
    /// `container: NAME`
    Container(Template),
    /// `compose: {project, service}`: the service's one container, or the service where it is scaled.
    Compose {
        /// The Compose project's name.
        project: Template,
        /// The service's name within the project.
        service: Template,
    },
    /// `service: NAME`: a Swarm service.
    Service(Template),
    /// `selector: {LABEL: VALUE, …}`: the containers that have all of these labels with exactly these values.
    Selector {
        /// Each label with its value. Never empty.
        labels: Vec<(String, Template)>,
        /// With more containers than this none is touched; at least 1.
        max: u32,
    },
}

impl TargetSpec {
    /// What is rendered, each with its key.
    pub fn templates(&self) -> impl Iterator<Item = (String, &Template)> {
        let named: Vec<(String, &Template)> = match &self.which {
            Which::Container(name) => vec![("target.container".to_owned(), name)],
            Which::Compose { project, service } => {
                vec![("target.compose.project".to_owned(), project), ("target.compose.service".to_owned(), service)]
            }
            Which::Service(name) => vec![("target.service".to_owned(), name)],
            Which::Selector { labels, .. } => {
                labels.iter().map(|(label, value)| (format!("target.selector[{label:?}]"), value)).collect()
            }
        };
        named.into_iter().chain(self.host.iter().map(|host| ("target.host".to_owned(), host)))
    }
}

impl From<Which> for TargetSpec {
    fn from(which: Which) -> Self {
        Self { which, host: None }
    }
}

/// One entry of `steps` (of the playbook or of an attempt), `on_failure`, `on_denied` or `on_resolved`.
#[derive(Clone, Debug)]
pub struct Step {
    /// How templates refer to it: `steps.ID`.
    pub id: Option<Arc<str>>,
    /// How people call it.
    pub name: Option<String>,
    /// It is done only if this is true; `None` if always. No answer fails it.
    pub condition: Option<Condition>,
    /// It has failed after this time; more than zero. `None` leaves the verb's own bounds.
    pub timeout: Option<Duration>,
    /// Whether the steps after it are done although it failed.
    pub continue_on_error: bool,
    /// What it does.
    pub verb: Verb,
}

impl From<Verb> for Step {
    /// A step with nothing but its verb.
    fn from(verb: Verb) -> Self {
        Self { id: None, name: None, condition: None, timeout: None, continue_on_error: false, verb }
    }
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
    /// Change the number of a service's replicas.
    Scale(ScaleSpec),
    /// Take a service back to what it ran before.
    Rollback(RollbackSpec),
    /// Raise the target's memory or CPU limit, or take back what was raised.
    UpdateLimits(LimitsSpec),
    /// Watch the target recover.
    Verify(VerifyStep),
    /// Let time pass.
    Wait(Duration),
    /// Tell people.
    Notify(NotifySpec),
    /// Send one HTTP request to another system.
    Http(HttpSpec),
    /// Ask people before the steps after it are done.
    Approve(ApprovalSpec),
    /// Hold back every further run of this playbook.
    PausePlaybook(PauseSpec),
}

/// What `rollback` says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RollbackSpec {
    /// Of a Compose service: how long after the change of image the alert may have begun. `None` for Swarm.
    pub within: Option<Duration>,
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
            Self::Scale(_) => "scale",
            Self::Rollback(_) => "rollback",
            Self::UpdateLimits(_) => "update_limits",
            Self::Verify(_) => "verify",
            Self::Wait(_) => "wait",
            Self::Notify(_) => "notify",
            Self::Http(_) => "http",
            Self::Approve(_) => "approve",
            Self::PausePlaybook(_) => "pause_playbook",
        }
    }

    /// What it does to the target; `None` if it changes nothing.
    #[must_use]
    pub fn action(&self) -> Option<Action> {
        match self {
            Self::Restart(spec) => Some(Action::Restart { stop_timeout: spec.stop_timeout }),
            Self::Start => Some(Action::Start),
            Self::Stop(spec) => Some(Action::Stop { stop_timeout: spec.stop_timeout }),
            Self::Scale(_) | Self::Rollback(_) | Self::UpdateLimits(_) => None,
            Self::Capture(_)
            | Self::Verify(_)
            | Self::Wait(_)
            | Self::Notify(_)
            | Self::Http(_)
            | Self::Approve(_)
            | Self::PausePlaybook(_) => None,
        }
    }

    /// Whether it changes something about the target.
    #[must_use]
    pub fn acts(&self) -> bool {
        match self {
            Self::Restart(_)
            | Self::Start
            | Self::Stop(_)
            | Self::Scale(_)
            | Self::Rollback(_)
            | Self::UpdateLimits(_) => true,
            Self::Capture(_)
            | Self::Verify(_)
            | Self::Wait(_)
            | Self::Notify(_)
            | Self::Http(_)
            | Self::Approve(_)
            | Self::PausePlaybook(_) => false,
        }
    }

    /// Whether it needs a target.
    #[must_use]
    pub fn needs_target(&self) -> bool {
        self.acts() || matches!(self, Self::Capture(_) | Self::Verify(_))
    }
}

/// How many replicas a service is to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScaleSpec {
    /// What to aim for.
    pub change: ScaleChange,
    /// Never fewer than this.
    pub min: u32,
    /// Never more than this; `None` only where nothing scales up but back to what was.
    pub max: Option<u32>,
}

/// What a `scale` step aims for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScaleChange {
    /// So many more, or fewer. Never 0.
    By(i32),
    /// So many.
    To(u32),
    /// As many as there were before the run scaled it.
    ToOriginal,
}

/// What an `update_limits` step aims for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LimitsSpec {
    /// More than there is. At least one of them.
    Raise {
        /// The memory limit.
        memory: Option<RaiseMemory>,
        /// The CPU limit.
        cpus: Option<RaiseCpus>,
    },
    /// What there was before the run raised it.
    ToOriginal,
}

/// How to raise the memory limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RaiseMemory {
    /// Times what it is; more than 1.
    pub factor: f64,
    /// In bytes: never more than this.
    pub max: u64,
}

/// How to raise the CPU limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RaiseCpus {
    /// Times what it is; more than 1.
    pub factor: f64,
    /// Never more CPUs than this; more than 0.
    pub max: f64,
}

/// What counts as recovered, and which URL must answer as well.
#[derive(Clone, Debug, Default)]
pub struct VerifyStep {
    /// What is watched on the target and its alert.
    pub spec: VerifySpec,
    /// How many replicas must run, for a service.
    pub replicas: Option<ReplicasGoal>,
    /// Must answer a GET with a status of 200 to 299. Only `target.name` may stand in its host.
    pub http: Option<UrlTemplate>,
}

/// One HTTP request to another system.
#[derive(Clone, Debug)]
pub struct HttpSpec {
    /// Where. Nothing of the alert stands in its scheme, host or port.
    pub url: UrlTemplate,
    /// `GET`, `POST`, `PUT`, `PATCH` or `DELETE`.
    pub method: &'static str,
    /// Further headers, as they are.
    pub headers: Vec<(String, String)>,
    /// What is sent; `None` for nothing.
    pub body: Option<Template>,
    /// Which answers are good. Never empty.
    pub expect: Vec<u16>,
}

/// Who must agree, and until when.
#[derive(Clone, Debug)]
pub struct ApprovalSpec {
    /// How many different people; at least 1.
    pub required: u32,
    /// Groups or people who may decide. Never empty.
    pub from: Vec<String>,
    /// How long they have; more than zero.
    pub timeout: Duration,
    /// Whether no decision in time counts as a yes. The settings must allow it.
    pub approve_on_timeout: bool,
    /// Whether who caused the run may not agree to it.
    pub prevent_self_approval: bool,
    /// Whether votes by signed links count.
    pub links: bool,
    /// Which votes count only with a reason.
    pub reason: ReasonFor,
    /// The notifiers that carry the question.
    pub ask: Vec<String>,
    /// The question; `None` for the default.
    pub message: Option<Template>,
}

/// How long further runs are held back, and why.
#[derive(Clone, Debug)]
pub struct PauseSpec {
    /// How long; `None` until somebody resumes it.
    pub length: Option<Duration>,
    /// Why; `None` for the default.
    pub reason: Option<Template>,
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
