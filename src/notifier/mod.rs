//! The way out to people: a notice goes to the log, by HTTP to a service of the operator's choice, or by mail.
//!
//! At least once: a notice may arrive twice and then carries the same idempotency key. Where it goes comes from the
//! settings only; alert text is always data. Read [`Notifier`] first.

mod email;
mod http;
mod link;
mod pace;
mod slack;
mod slack_answer;
mod text;

pub use email::EmailNotifier;
pub use http::{HttpConfig, HttpNotifier, NotifierError};
pub use link::SignedLink;
pub use pace::Pace;
pub use slack::SlackNotifier;
pub use slack_answer::SlackAnswers;

use crate::model::approval::AskedPlan;
use crate::model::notice::{Notice, NoticeOutcome};

/// One way to tell people.
#[derive(Clone, Debug)]
pub enum Notifier {
    /// A line in our own log. The record in the incident log is the dispatcher's.
    Log,
    /// A request to a configured URL.
    Http(Box<HttpNotifier>),
    /// A message in a channel of Slack.
    Slack(Box<SlackNotifier>),
    /// A mail.
    Email(Box<EmailNotifier>),
}

impl Notifier {
    /// Sends a notice; `asks` is what people can decide with it, `link` what one person can decide by. `repeat` says that it
    /// may have been sent before, and `log` names the incident log in which its number stands.
    pub async fn send(
        &self,
        notice: &Notice,
        (asks, link): (Option<&AskedPlan>, Option<&SignedLink>),
        (repeat, log): (bool, &str),
    ) -> NoticeOutcome {
        match self {
            Self::Log => {
                say(notice, repeat);
                NoticeOutcome::Delivered
            }
            // A line of the log and a channel are read by many: no link goes there.
            Self::Http(http) => http.send(notice, link, repeat).await,
            Self::Slack(slack) => slack.send(notice, asks, repeat).await,
            Self::Email(email) => email.send(notice, link, (repeat, log)).await,
        }
    }

    /// Connects to where notices go and says nothing; to a mail server it says who we are.
    ///
    /// # Errors
    /// Why nobody can be reached there, without the URL.
    pub async fn knock(&self) -> Result<(), String> {
        match self {
            Self::Log => Ok(()),
            Self::Http(http) => http.knock().await,
            Self::Slack(slack) => slack.knock().await,
            Self::Email(email) => email.knock().await,
        }
    }
}

fn say(notice: &Notice, repeat: bool) {
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
