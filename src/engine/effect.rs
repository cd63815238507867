//! Everything the engine can ask for. A closed list; each is released only when the facts before it are durable.

use super::event::Event;
use crate::model::action::{Action, ActionOutcome, TargetIdent, Vitals};
use crate::model::fact::AlertReceived;
use crate::model::id::{ActId, IncidentId};
use crate::model::notice::Notice;
use crate::model::step::{CaptureSpec, VerifySpec};
pub use crate::model::step::{Reconciliation, Watched};
use crate::model::target::TargetQuery;
use std::sync::Arc;
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
        /// Right before a first act: ask Alertmanager first, if one is configured, whether this alert still fires. A
        /// witness that is away must not keep the answer back.
        alert: Option<Arc<AlertReceived>>,
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
    /// Wait for an alert to end. If an Alertmanager is configured, it is asked before long, and at the end in any case;
    /// otherwise this only lets time pass.
    AwaitAlert {
        /// For which incident.
        incident: IncidentId,
        /// The step's number in its branch.
        index: usize,
        /// Which alert.
        alert: Arc<AlertReceived>,
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
    pre: Vitals,
}

impl ActionPermit {
    /// Made where an intent was decided, nowhere else.
    pub(in crate::engine) fn new(
        act: ActId,
        action: Action,
        target: TargetIdent,
        deadline: Duration,
        pre: Vitals,
    ) -> Self {
        Self { act, action, target, deadline, pre }
    }

    /// Which act it permits.
    #[must_use]
    pub fn act(&self) -> ActId {
        self.act
    }

    /// Uses the permit up.
    #[must_use]
    pub fn redeem(self) -> PermittedAction {
        let Self { act, action, target, deadline, pre } = self;
        PermittedAction { act, action, target, deadline, pre }
    }

    /// Uses the permit up, unless its intent took too long, `waited`, to become durable.
    ///
    /// # Errors
    /// [`TooLate`] if so: nothing may be sent.
    pub fn redeem_after(self, waited: Duration) -> Result<PermittedAction, TooLate> {
        let permitted = self.redeem();
        if waited <= SENT_WITHIN {
            return Ok(permitted);
        }
        Err(TooLate { act: permitted.act, waited })
    }
}

/// An act was not sent because its intent took too long to become durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLate {
    /// Which act.
    pub act: ActId,
    /// How long it took.
    pub waited: Duration,
}

impl From<TooLate> for Event {
    fn from(TooLate { act, waited }: TooLate) -> Self {
        let waited = waited.as_secs();
        let error = format!("not sent: it took {waited} s until the intent could be written to the incident log");
        Self::ActionReturned { act, outcome: ActionOutcome::Failed { error } }
    }
}

/// An act whose intent took longer to become durable is not sent: its gates saw another world. Looking after a crash
/// relies on this as well, because it counts an act's deadline from the intent.
const SENT_WITHIN: Duration = Duration::from_secs(5);

/// What a permit permitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PermittedAction {
    /// Which act.
    pub act: ActId,
    /// What.
    pub action: Action,
    /// On what.
    pub target: TargetIdent,
    /// After this time without an answer the outcome is unknown.
    pub deadline: Duration,
    /// The container before.
    pub pre: Vitals,
}
