//! The way out to people: a notice goes to the log, or by HTTP to a service of the operator's choice.
//!
//! At least once: a notice may arrive twice and then carries the same idempotency key. Where it goes comes from the
//! settings only; alert text is always data. Read [`Notifier`] first.

mod http;

pub use http::{HttpConfig, HttpNotifier, NotifierError, Pace};

use crate::model::notice::{Notice, NoticeOutcome};

/// One way to tell people.
#[derive(Clone, Debug)]
pub enum Notifier {
    /// A line in our own log. The record in the incident log is the dispatcher's.
    Log,
    /// A request to a configured URL.
    Http(Box<HttpNotifier>),
}

impl Notifier {
    /// Sends a notice; `repeat` says that it may have been sent before.
    pub async fn send(&self, notice: &Notice, repeat: bool) -> NoticeOutcome {
        match self {
            Self::Log => {
                log(notice, repeat);
                NoticeOutcome::Delivered
            }
            Self::Http(http) => http.send(notice, repeat).await,
        }
    }
}

fn log(notice: &Notice, repeat: bool) {
    let target = notice.target.as_deref().unwrap_or_default();
    let act = notice.act;
    tracing::warn!(
        incident.id = %act.incident,
        act.id = %act,
        playbook.name = %notice.playbook,
        container.name = target,
        severity = %notice.severity,
        dry_run = notice.dry_run,
        repeat,
        "notice: {}: {}",
        notice.title,
        notice.message
    );
}
