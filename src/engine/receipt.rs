//! What whoever brought an event is told: about each alert of a notification, a pause, a breaker, or a reload.

use super::ruleset::Changes;
use crate::model::approval::{ApprovalOutcome, VoteAnswer};
use crate::model::fact::BreakerReset;
use crate::model::id::IncidentId;
use crate::model::incident::Verdict;
use crate::model::label::Fingerprint;
use crate::model::pause::{Pause, PauseScope};
use crate::model::reason::{Reason, codes};
use std::sync::Arc;

/// The answer to an event, given once everything it caused is durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// To a notification: one receipt per usable alert.
    Alerts(Vec<AlertReceipt>),
    /// To somebody at a switch.
    Switched(Switched),
    /// To whoever voted.
    Voted(Voted),
    /// To whoever had settings and playbooks read anew: what that changed.
    Reloaded(Changes),
    /// They cannot be used, and that is recorded.
    NotReloaded,
}

impl Default for Reply {
    fn default() -> Self {
        Self::Alerts(Vec::new())
    }
}

/// What became of a wish to pause, to resume, to reset a breaker, or to end an incident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Switched {
    /// It stands.
    Paused {
        /// The pause.
        pause: Pause,
        /// The one whose place it took.
        replaced: Option<Pause>,
        /// False if nothing of this name is known to the daemon: the name may be misspelt.
        known: bool,
    },
    /// The pause that has ended.
    Resumed(Pause),
    /// There was no such pause.
    NotPaused(PauseScope),
    /// The file's pause stands while the file is there; nothing was changed.
    HeldByFile(Pause),
    /// As many pauses as there may be stand already; nothing was changed.
    TooMany,
    /// The target may be treated again.
    Reset {
        /// Whose breaker, by whom, and why.
        reset: BreakerReset,
        /// How many runs in a row had not helped.
        failures: u32,
    },
    /// The breaker of this target is not open; nothing was changed.
    NotOpen(Arc<str>),
    /// The incident has ended: nothing more is done about it.
    Aborted {
        /// Which.
        incident: IncidentId,
        /// How it ended.
        verdict: Verdict,
        /// Who said so.
        by: String,
        /// Why.
        reason: String,
    },
    /// An answer to what was sent is awaited; nothing was changed.
    ActUnderWay(IncidentId),
    /// No incident of this name is open; nothing was changed.
    NoSuchIncident(IncidentId),
}

/// What became of a vote, and how things stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Voted {
    /// Whether it counts.
    pub answer: VoteAnswer,
    /// How the approval ended, if it has.
    pub outcome: Option<ApprovalOutcome>,
    /// How many different people have agreed by now.
    pub yes: u32,
    /// How many must.
    pub required: u32,
}

codes! {
    /// What became of one alert of one delivery.
    AlertAnswer {
        /// A playbook took it: an incident is open.
        Accepted = "accepted",
        /// Seen before: nothing new is done.
        Duplicate = "duplicate",
        /// No playbook matches; recorded.
        NoMatch = "no_match",
        /// Recorded and refused, with a reason.
        Refused = "refused",
        /// The end of an episode; recorded.
        Resolved = "resolved",
    }
}

/// The answer for one alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertReceipt {
    /// Which alert.
    pub fingerprint: Fingerprint,
    /// What became of it.
    pub answer: AlertAnswer,
    /// The incident of its episode, if there is one.
    pub incident: Option<IncidentId>,
    /// The playbook that took it.
    pub playbook: Option<Arc<str>>,
    /// Why nothing is done, where that is so.
    pub reason: Option<Reason>,
}
