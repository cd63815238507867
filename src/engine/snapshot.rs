//! The state as readers may see it: a copy, made by the owner of the state now and then.

use super::approval::Approval;
use crate::model::approval::ApprovalRequested;
use crate::model::id::{IncidentId, Seq};
use crate::model::limit::Window;
use crate::model::memory::PauseInForce;
use crate::model::moment::Moment;
use crate::model::pause::Pause;
use crate::model::reason::Reason;
use chrono::{DateTime, Utc};
use std::sync::Arc;
use std::time::Duration;

/// What `/api/v1/status` shows. At most a second old.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// The last record that is durable.
    pub last_seq: Option<Seq>,
    /// Alerts whose episode is open.
    pub open_episodes: usize,
    /// What is paused, the file's pause first, then from wide to narrow.
    pub pauses: Vec<PauseSummary>,
    /// Targets that nothing is done to because the last runs did not help, by name, at most 1000.
    pub breakers: Vec<BreakerSummary>,
    /// What people are asked, and what they agreed to and has not begun yet, oldest first, at most 1000.
    pub approvals: Vec<ApprovalSummary>,
    /// The freeze, while there is a storm of alerts.
    pub storm: Option<StormSummary>,
    /// Incidents that are open, oldest first, at most 1000.
    pub incidents: Vec<IncidentSummary>,
}

impl Snapshot {
    /// Whether something in it ends by time alone, without a record.
    #[must_use]
    pub fn runs_out(&self) -> bool {
        !self.breakers.is_empty() || self.storm.is_some() || !self.approvals.is_empty()
    }
}

/// One open breaker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BreakerSummary {
    /// The target's name.
    pub target: Arc<str>,
    /// How many runs in a row did not help.
    pub failures: u32,
    /// When the last of them ended, by the wall clock of then.
    pub since: DateTime<Utc>,
    /// How long from then on nothing is done.
    pub open_for: Duration,
}

/// A freeze because of a storm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StormSummary {
    /// When it began, by the wall clock of then.
    pub since: DateTime<Utc>,
    /// How long it lasts.
    pub freeze: Duration,
}

/// One question that people are asked.
#[derive(Clone, Debug, PartialEq)]
pub struct ApprovalSummary {
    /// The question.
    pub asked: ApprovalRequested,
    /// When it was put, by the wall clock of then.
    pub since: DateTime<Utc>,
    /// How much of their time is left at most.
    pub left: Duration,
    /// Who has agreed.
    pub yes: Vec<String>,
    /// Whether enough have, and nothing has come of it yet.
    pub approved: bool,
    /// Whether a vote by a signed link may count.
    pub takes_links: bool,
    /// The `alertname` of the alert behind it.
    pub alertname: String,
    /// What would be sent to Docker and to other systems, in order.
    pub calls: Vec<String>,
    /// What is left of the limits.
    pub room: Vec<Room>,
}

/// How full a window of the limits is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Room {
    /// Whose limit: `playbook`, `per_target` or `global`.
    pub whose: &'static str,
    /// The window.
    pub window: Window,
    /// How many runs it holds already.
    pub used: usize,
}

impl ApprovalSummary {
    /// What readers may know of it.
    #[must_use]
    pub fn of(approval: &Approval, now: &Moment) -> Self {
        Self {
            asked: approval.asked.clone(),
            since: approval.since.wall,
            left: now.remaining(&approval.since, approval.asked.timeout),
            yes: approval.yes.clone(),
            approved: approval.is_agreed(),
            takes_links: approval.takes_links(),
            alertname: String::new(),
            calls: Vec::new(),
            room: Vec::new(),
        }
    }
}

/// One pause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PauseSummary {
    /// What, by whom, why, how long.
    pub pause: Pause,
    /// When it was set, by the wall clock of then.
    pub since: DateTime<Utc>,
}

impl From<&PauseInForce> for PauseSummary {
    fn from(standing: &PauseInForce) -> Self {
        Self { pause: standing.pause.clone(), since: standing.set.wall }
    }
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
    /// What it is doing: `awaiting_target`, `awaiting_approval`, `refused`, `running`, `between_tries`, or `held` before
    /// its next act.
    pub doing: &'static str,
    /// Why a gate refused or holds it, if one does.
    pub reason: Option<Reason>,
    /// The incident that opened it, and why, if none but an alert did: `resolved` or `further_target`.
    pub origin: Option<(IncidentId, &'static str)>,
}
