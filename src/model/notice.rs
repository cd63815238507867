//! Our outbound message. ("Notification" is always inbound.)

use super::id::ActId;

/// One message to one notifier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Names it, and is its idempotency key.
    pub act: ActId,
    /// Which configured notifier; `log` is built in.
    pub notifier: String,
    /// `info`, `warning` or `critical`.
    pub severity: String,
    /// One line.
    pub title: String,
    /// The text, rendered. Untrusted: it holds alert labels.
    pub message: String,
    /// The playbook that sends it.
    pub playbook: String,
    /// The target's name, if the run has one.
    pub target: Option<String>,
    /// Sent by a dry run.
    pub dry_run: bool,
}

/// How sending went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoticeOutcome {
    /// The other side took it.
    Delivered,
    /// It did not, after all tries.
    Failed {
        /// The last error, without secrets.
        error: String,
    },
}
