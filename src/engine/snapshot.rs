//! The state as readers may see it: a copy, made by the owner of the state now and then.

use crate::model::id::{IncidentId, Seq};
use crate::model::reason::Reason;
use std::sync::Arc;

/// What `/api/v1/status` shows. At most a second old.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// The last record that is durable.
    pub last_seq: Option<Seq>,
    /// Alerts whose episode is open.
    pub open_episodes: usize,
    /// Incidents that are open, oldest first, at most 1000.
    pub incidents: Vec<IncidentSummary>,
}

/// One open incident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IncidentSummary {
    /// Its name.
    pub id: IncidentId,
    /// The playbook that took the alert.
    pub playbook: Arc<str>,
    /// The alert's `alertname`.
    pub alertname: String,
    /// The target's name, once known.
    pub target: Option<String>,
    /// What it is doing: `awaiting_target`, `refused`, or the verb of the running step.
    pub doing: &'static str,
    /// Why a gate refused, if one did.
    pub reason: Option<Reason>,
}
