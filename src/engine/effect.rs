//! Everything the engine can ask for. A closed list; each is released only when the facts before it are durable.

use super::event::Event;
use crate::model::action::{Action, ActionOutcome, TargetIdent, TargetVitals};
use crate::model::approval::AskedPlan;
use crate::model::duration::format_duration;
use crate::model::fact::AlertReceived;
use crate::model::host::Host;
use crate::model::id::{ActId, IncidentId};
use crate::model::notice::Notice;
use crate::model::request::{Request, RequestOutcome};
use crate::model::step::{CaptureSpec, VerifySpec};
pub use crate::model::step::{Reconciliation, Watched, WatchedService};
use crate::model::target::{TargetId, TargetQuery};
use std::sync::Arc;
use std::time::Duration;

/// One thing to do outside. Its result comes back as an event.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Ask Docker which container is meant, and how it is.
    ResolveTarget {
        /// For which incident.
        incident: IncidentId,
        /// Which Docker is asked.
        host: Host,
        /// The question.
        query: TargetQuery,
        /// Right before a first act: ask Alertmanager first, if one is configured, whether this alert still fires. A
        /// witness that is away must not keep the answer back.
        alert: Option<Arc<AlertReceived>>,
        /// Look as well how much memory the container uses: its limit may be lowered next.
        memory: bool,
        /// Whether to look as well what is the matter with it.
        closer: LookCloser,
    },
    /// No step needs a target: only the gates are to be asked, once what opened the incident is durable.
    SkipTarget {
        /// For which incident.
        incident: IncidentId,
    },
    /// Ask what must be known right before a step that touches no container: how the target is, and whether the alert
    /// still fires.
    AskStep {
        /// For which incident.
        incident: IncidentId,
        /// The step's number in its branch.
        index: usize,
        /// Which Docker is asked.
        host: Host,
        /// The container to be looked at; `None` if nothing needs to be known of it.
        target: Option<TargetQuery>,
        /// As for [`Self::ResolveTarget`].
        alert: Option<Arc<AlertReceived>>,
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
        /// What is left of the step's `timeout`, if it has one.
        within: Option<TimeLeft>,
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
        /// What must answer as well.
        http: Option<String>,
        /// How long ago the step began: a restart of the daemon must not give it more time.
        already: Duration,
    },
    /// Watch a service recover.
    VerifyService {
        /// For which incident.
        incident: IncidentId,
        /// The step's number in its branch.
        index: usize,
        /// Which service, and what was done to it.
        watched: WatchedService,
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
        /// Which plan it asks people about, if it does.
        asks: Option<AskedPlan>,
        /// What is left of the step's `timeout`, if it has one.
        within: Option<TimeLeft>,
    },
    /// Send a request to another system, once. The permit cannot be made outside the gates.
    SendRequest(RequestPermit),
}

/// Whether a look at a target finds out as well what is the matter with it, because people are to be asked about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LookCloser {
    /// Nobody is to be asked.
    No,
    /// People are.
    Yes,
    /// They have agreed to something about this target. About another one they would be asked anew.
    Unless(TargetId),
}

impl LookCloser {
    /// Whether it finds out what is the matter with this target.
    #[must_use]
    pub fn at(&self, target: &TargetId) -> bool {
        match self {
            Self::No => false,
            Self::Yes => true,
            Self::Unless(agreed) => agreed != target,
        }
    }
}

impl Effect {
    /// The incident it is for.
    #[must_use]
    pub fn incident(&self) -> IncidentId {
        match self {
            Self::ResolveTarget { incident, .. }
            | Self::SkipTarget { incident }
            | Self::AskStep { incident, .. }
            | Self::Capture { incident, .. }
            | Self::Verify { incident, .. }
            | Self::VerifyService { incident, .. }
            | Self::Sleep { incident, .. }
            | Self::AwaitAlert { incident, .. } => *incident,
            Self::RunAction(permit) => permit.act().incident,
            Self::Reconcile(reconciliation) => reconciliation.act.incident,
            Self::SendRequest(permit) => permit.act().incident,
            Self::SendNotice { notice, .. } => notice.act.incident,
        }
    }
}

/// What is left of a step's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeLeft {
    /// All of it.
    pub timeout: Duration,
    /// How much is left.
    pub left: Duration,
}

impl TimeLeft {
    /// What is said when it is over.
    #[must_use]
    pub fn words(&self) -> String {
        format!("timed out after {}", format_duration(self.timeout))
    }
}

/// The right to send one request once. Only the gates make one, and the executor uses it up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestPermit {
    act: ActId,
    request: Request,
    deadline: Duration,
}

impl RequestPermit {
    /// Made where an intent was decided, nowhere else.
    pub(in crate::engine) fn new(act: ActId, request: Request, deadline: Duration) -> Self {
        Self { act, request, deadline }
    }

    /// Which act it permits.
    #[must_use]
    pub fn act(&self) -> ActId {
        self.act
    }

    /// Uses the permit up, unless its intent took too long, `waited`, to become durable: the act, what is sent, and how
    /// long an answer may take.
    ///
    /// # Errors
    /// The event that says so: nothing may be sent.
    pub fn redeem_after(self, waited: Duration) -> Result<(ActId, Request, Duration), Box<Event>> {
        let Self { act, request, deadline } = self;
        if waited <= SENT_WITHIN {
            return Ok((act, request, deadline));
        }
        let outcome = RequestOutcome::Failed { error: too_late(waited) };
        Err(Box::new(Event::RequestReturned { act, outcome }))
    }
}

/// The right to do one action once. Only the gates make one, and the executor uses it up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionPermit {
    act: ActId,
    action: Action,
    target: TargetIdent,
    deadline: Duration,
    pre: TargetVitals,
}

impl ActionPermit {
    /// Made where an intent was decided, nowhere else.
    pub(in crate::engine) fn new(
        act: ActId,
        action: Action,
        target: TargetIdent,
        deadline: Duration,
        pre: TargetVitals,
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
        Self::ActionReturned { act, outcome: ActionOutcome::Failed { error: too_late(waited) } }
    }
}

fn too_late(waited: Duration) -> String {
    format!("not sent: it took {} s until the intent could be written to the incident log", waited.as_secs())
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
    /// The target before.
    pub pre: TargetVitals,
}
