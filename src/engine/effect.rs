//! Everything the engine can ask for. A closed list; each is released only when the facts before it are durable.

use crate::model::action::{Action, TargetIdent};
use crate::model::id::{ActId, IncidentId};
use crate::model::notice::Notice;
use crate::model::step::{CaptureSpec, VerifySpec};
pub use crate::model::step::{Reconciliation, Watched};
use crate::model::target::TargetQuery;
use std::time::Duration;

/// One thing to do outside. Its result comes back as an event.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Ask Docker which container is meant, and how it is.
    ResolveTarget {
        /// For which incident.
        incident: IncidentId,
        /// The question.
        query: TargetQuery,
    },
    /// No step needs a target: only the gates are to be asked, once what opened the incident is durable.
    SkipTarget {
        /// For which incident.
        incident: IncidentId,
    },
    /// Keep the evidence.
    Capture {
        /// For which incident.
        incident: IncidentId,
        /// The step's number in its branch.
        index: usize,
        /// Which container.
        target: TargetIdent,
        /// What to keep.
        spec: CaptureSpec,
    },
    /// Change something. The permit cannot be made outside the gates.
    RunAction(ActionPermit),
    /// Pretend to change something, for a dry run.
    RehearseAction {
        /// Which action.
        act: ActId,
    },
    /// Wait out the deadline, then look what became of an action.
    Reconcile(Reconciliation),
    /// Watch containers recover.
    Verify {
        /// For which incident.
        incident: IncidentId,
        /// The step's number in its branch.
        index: usize,
        /// Each container.
        watched: Vec<Watched>,
        /// What counts as recovered.
        spec: VerifySpec,
        /// How long ago the step began: a restart of the daemon must not give it more time.
        already: Duration,
    },
    /// Let time pass.
    Sleep {
        /// For which incident.
        incident: IncidentId,
        /// The step's number in its branch.
        index: usize,
        /// How long still.
        remaining: Duration,
    },
    /// Tell people.
    SendNotice {
        /// What.
        notice: Notice,
        /// It may have been sent before.
        repeat: bool,
    },
}

/// The right to do one action once. Only the gates make one, and the executor uses it up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionPermit {
    act: ActId,
    action: Action,
    target: TargetIdent,
    deadline: Duration,
}

impl ActionPermit {
    /// Made where an intent was decided, nowhere else.
    pub(in crate::engine) fn new(act: ActId, action: Action, target: TargetIdent, deadline: Duration) -> Self {
        Self { act, action, target, deadline }
    }

    /// Uses the permit up: which act, what, on what, and how long to wait for the answer.
    #[must_use]
    pub fn redeem(self) -> (ActId, Action, TargetIdent, Duration) {
        (self.act, self.action, self.target, self.deadline)
    }
}
