//! What the steps that look at a container ask for: evidence and recovery.

use super::action::{Action, Goal, ServiceAction, TargetIdent, TargetVitals, Vitals};
use super::id::ActId;
use super::reason::codes;
use super::resources::ResourceLimits;
use super::service::ServiceVitals;
use std::time::Duration;

/// What evidence to keep.
#[expect(clippy::struct_excessive_bools, reason = "each is a key of its own in the playbook")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaptureSpec {
    /// How many of the last log lines, 0 to 1000.
    pub logs: u32,
    /// The container's configuration and state, from an allow-list.
    pub inspect: bool,
    /// One sample of memory and process counts.
    pub stats: bool,
    /// The processes that run in it.
    pub top: bool,
    /// Which of its files were added, changed or deleted.
    pub changes: bool,
    /// What Docker remembers of it.
    pub events: bool,
}

impl Default for CaptureSpec {
    fn default() -> Self {
        Self { logs: 50, inspect: true, stats: true, top: false, changes: false, events: true }
    }
}

/// What is looked at before people are asked.
pub const ASKED_ABOUT: CaptureSpec =
    CaptureSpec { logs: 20, inspect: true, stats: true, top: false, changes: false, events: true };

/// What counts as recovered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifySpec {
    /// Which check.
    pub health: HealthGoal,
    /// After this, it did not recover. `None`: as long as the health check's own timing needs, and a margin.
    pub within: Option<Duration>,
    /// Time between looks, at least a second.
    pub every: Duration,
    /// How long it must stay well.
    pub stable_for: Duration,
    /// Whether the alert must end as well, within the same time.
    pub alert_resolved: bool,
}

impl Default for VerifySpec {
    fn default() -> Self {
        Self {
            health: HealthGoal::Auto,
            within: None,
            every: Duration::from_secs(1),
            stable_for: Duration::from_secs(10),
            alert_resolved: false,
        }
    }
}

/// What `verify: {health: …}` asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HealthGoal {
    /// `healthy` where the container has a health check, `running` where not. What was stopped is to be stopped.
    Auto,
    /// The health check passes.
    Healthy,
    /// It runs on the same start.
    Running,
}

codes! {
    /// What came of a step, for the steps after it.
    StepOutcome {
        /// It was done.
        Success = "success",
        /// It failed.
        Failure = "failure",
        /// It was not done: its `if` was false, there was nothing to do in a dry run, or its turn never came.
        Skipped = "skipped",
    }
}

codes! {
    /// What is noted of a step beside its end.
    StepMark {
        /// Its `if` is true.
        Allowed = "allowed",
        /// It failed, and the steps after it are done all the same.
        Tolerated = "tolerated",
        /// The steps after it are done, and none of them saw the target recover: the failure is the run's own.
        Counted = "counted",
    }
}

/// A container that is watched to recover.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watched {
    /// Which.
    pub target: TargetIdent,
    /// How it was before the action: only a later start counts. `None` if nothing was done to it.
    pub before: Option<Vitals>,
    /// What it is to be: down after a stop, up otherwise.
    pub goal: Goal,
    /// Which limits it is to have, if they were changed.
    pub limits: Option<ResourceLimits>,
}

/// How many replicas of a service must run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplicasGoal {
    /// As many as are wanted.
    All,
    /// At least so many.
    AtLeast(u32),
}

/// A service that is watched to recover.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchedService {
    /// Which.
    pub target: TargetIdent,
    /// What was done to it last, and how it was before; `None` if nothing was.
    pub done: Option<(ServiceAction, ServiceVitals)>,
    /// How many replicas must run.
    pub goal: ReplicasGoal,
}

/// An action whose answer never came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reconciliation {
    /// Which act.
    pub act: ActId,
    /// What was meant to happen.
    pub action: Action,
    /// On what.
    pub target: TargetIdent,
    /// The target before.
    pub pre: TargetVitals,
    /// How long to wait before a look may tell: Docker may still be at it.
    pub settle: Duration,
    /// How long the last call may take. Before Docker has answered for so long, nothing says that it will not come yet:
    /// an engine that hung goes on with what it was asked once it is back.
    pub call: Duration,
}
