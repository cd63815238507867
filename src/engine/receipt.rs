//! What the sender of a notification is told about each alert.

use crate::model::id::IncidentId;
use crate::model::label::Fingerprint;
use crate::model::reason::{Reason, codes};
use std::sync::Arc;

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
