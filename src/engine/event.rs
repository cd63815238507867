//! Everything that can happen to the engine. A closed list.

use crate::model::action::{ActionOutcome, Reconciled, TargetVitals};
use crate::model::alert::Notification;
use crate::model::approval::Ballot;
use crate::model::container::TargetReport;
use crate::model::fact::{LogRecovered, StepResult};
use crate::model::id::{ActId, IncidentId};
use crate::model::notice::NoticeOutcome;
use crate::model::pause::{Pause, PauseScope};
use crate::model::policy::Policy;
use crate::model::request::RequestOutcome;
use crate::model::testimony::{Heard, Testimony};
use crate::playbook::index::Playbooks;
use std::sync::Arc;
use std::time::Duration;

/// One thing that happened outside.
#[derive(Clone, Debug)]
pub enum Event {
    /// The daemon has read its log and starts: what was under way goes on.
    Started {
        /// The log's torn end, if it had one.
        recovered: Option<LogRecovered>,
        /// Version of the daemon.
        version: String,
        /// Name of the machine.
        hostname: String,
        /// Each loaded file with its SHA-256.
        files: Vec<(String, String)>,
    },
    /// A webhook body arrived and was decoded.
    NotificationReceived(Notification),
    /// Docker answered, or not, which container is meant.
    TargetResolved {
        /// For which incident.
        incident: IncidentId,
        /// The answer.
        report: TargetReport,
        /// What was found to be the matter with it, where people are to be asked; `None` where nobody looked.
        evidence: Option<serde_json::Value>,
        /// What Alertmanager said about the alert, if the question was put right before a first act.
        heard: Heard,
    },
    /// No step needs a target.
    TargetSkipped {
        /// For which incident.
        incident: IncidentId,
    },
    /// What was asked right before a step that touches no container is known, as far as it could be.
    StepAsked {
        /// For which incident.
        incident: IncidentId,
        /// The step's number in its branch when the question was put: an answer for another step is ignored.
        index: usize,
        /// The target, if it was asked for.
        report: Option<TargetReport>,
        /// What Alertmanager said about the alert.
        heard: Heard,
    },
    /// A capture, verify or wait step came to its end.
    StepEnded {
        /// The incident.
        incident: IncidentId,
        /// The step's number in its branch when it was started: an answer for another step is ignored.
        index: usize,
        /// How long it took.
        elapsed: Duration,
        /// How it went.
        result: StepResult,
    },
    /// Alertmanager was asked about the alert that a verify step waits for.
    AlertWitnessed {
        /// The incident.
        incident: IncidentId,
        /// The step's number in its branch when the question was put: an answer for another step is ignored.
        index: usize,
        /// What it said.
        testimony: Testimony,
    },
    /// An action's call came back, or not.
    ActionReturned {
        /// Which.
        act: ActId,
        /// How the call went.
        outcome: ActionOutcome,
    },
    /// A request was answered, or not.
    RequestReturned {
        /// Which.
        act: ActId,
        /// How it went.
        outcome: RequestOutcome,
    },
    /// Looking showed what became of an action.
    ActionObserved {
        /// Which.
        act: ActId,
        /// What looking showed.
        finding: Reconciled,
        /// The target as found.
        post: Option<TargetVitals>,
        /// In words.
        detail: String,
    },
    /// A message was sent, or not.
    NoticeReturned {
        /// Which.
        act: ActId,
        /// How it went.
        outcome: NoticeOutcome,
    },
    /// Somebody holds runs back.
    PauseRequested(Pause),
    /// Somebody lets them go on.
    ResumeRequested {
        /// Which pause is to end.
        scope: PauseScope,
        /// Who says so.
        by: String,
        /// Why.
        reason: String,
    },
    /// The file that pauses everything was looked at: what it says, or `None` if it is not there.
    PauseFileRead(Option<Pause>),
    /// A person says that a target's past failures count no more.
    BreakerResetRequested {
        /// The target's name.
        target: Arc<str>,
        /// Who.
        by: String,
        /// Why.
        reason: String,
    },
    /// A person says that nothing more is to be done about an incident.
    AbortRequested {
        /// Which.
        incident: IncidentId,
        /// Who.
        by: String,
        /// Why.
        reason: String,
    },
    /// Somebody who is known by now says yes or no to a plan.
    VoteCast(Ballot),
    /// Settings and playbooks were read anew, and nothing is wrong with them.
    Reloaded(Box<NewConfig>),
    /// Settings or playbooks were read anew, and cannot be used.
    ReloadFailed {
        /// The first problem, with its place, and how many more there are.
        problem: String,
        /// Who asked for it.
        by: Option<String>,
    },
    /// Time passed: about once a minute.
    Ticked,
    /// The daemon stops in good order.
    Stopping,
}

/// What a reload read: it takes the place of everything at once.
#[derive(Clone, Debug)]
pub struct NewConfig {
    /// All playbooks.
    pub playbooks: Playbooks,
    /// What the settings impose on them.
    pub policy: Policy,
    /// Each file with its SHA-256.
    pub files: Vec<(String, String)>,
    /// Who asked for it.
    pub by: Option<String>,
}
