//! What Alertmanager tells us: one [`Notification`] (a webhook body) with its [`Alert`]s.
//!
//! The words keep Alertmanager's meaning. The group's own status and its common labels are not kept: they are computed
//! after truncation and must never decide anything.

use super::label::{Fingerprint, Labels};
use chrono::{DateTime, Utc};
use std::sync::Arc;

/// Whether one alert is firing or resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlertStatus {
    /// The condition holds.
    Firing,
    /// The condition ended, or its lease ran out.
    Resolved,
}

/// One alert of a notification, decoded and complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// Identity: computed from the labels, or the sender's where it hides labels (Grafana).
    pub fingerprint: Fingerprint,
    /// The alert's own status, never the group's.
    pub status: AlertStatus,
    /// The alert's own labels.
    pub labels: Labels,
    /// The alert's own annotations.
    pub annotations: Labels,
    /// When the sender says it began. `None` when absent or zero.
    pub starts_at: Option<DateTime<Utc>>,
    /// When the sender says it ended. `None` while firing.
    pub ends_at: Option<DateTime<Utc>>,
    /// Link to the expression that fired; may be empty or relative.
    pub generator_url: Box<str>,
}

/// One webhook body: an alert group as the sender saw it.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Notification {
    /// Which configured sender authenticated; `"anonymous"` on loopback without authentication.
    pub sender: Arc<str>,
    /// The sender's receiver name, un-escaped.
    pub receiver_name: Arc<str>,
    /// The group, for logs only: it does not identify a route.
    pub group_key: Arc<str>,
    /// Alerts the sender left out of this body.
    pub truncated_alerts: u64,
    /// The usable alerts, in the order of the body.
    pub alerts: Vec<Alert>,
    /// Alerts that could not be read; they do not sink the others.
    pub rejected: Vec<RejectedAlert>,
}

/// One alert of a body that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectedAlert {
    /// Its place in the body's `alerts`, from 0.
    pub index: usize,
    /// What is wrong, with the field.
    pub problem: String,
}
