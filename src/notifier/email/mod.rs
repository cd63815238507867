//! Notices as mail, by SMTP to one configured server.
//!
//! It goes encrypted or not at all, unless the settings say otherwise, and at least once: what is sent again carries the
//! same `Message-ID`. A signed link goes only to a notifier of a single address. Read [`EmailNotifier::send`] first.

mod message;
mod session;
mod stream;

use super::http::NotifierError;
use super::link::SignedLink;
use super::pace::Pace;
use crate::http_client;
use crate::model::mail::MailConfig;
use crate::model::notice::{Notice, NoticeOutcome};
use lettre::message::Mailbox;
use session::{Mail, Smarthost};
use std::time::Duration;

/// Sends notices as mail.
#[derive(Clone, Debug)]
pub struct EmailNotifier {
    smarthost: Smarthost,
    from: Mailbox,
    to: Vec<Mailbox>,
    pace: Pace,
}

impl EmailNotifier {
    /// Makes a notifier from its settings.
    ///
    /// # Errors
    /// [`NotifierError`] naming the setting that is wrong.
    pub fn new(config: &MailConfig, pace: Pace) -> Result<Self, NotifierError> {
        let trust = http_client::trust(config.ca.as_deref()).map_err(NotifierError::Mail)?;
        let smarthost = Smarthost::new(config, trust).map_err(NotifierError::Mail)?;
        Ok(Self { smarthost, from: config.from.clone(), to: config.to.clone(), pace })
    }

    /// Mail servers take their time to greet: three tries within 50 seconds.
    #[must_use]
    pub fn pace() -> Pace {
        Pace { deadline: Duration::from_secs(15), ..Pace::default() }
    }

    /// Sends a notice, a few times if need be, with a link for the one person whom this notifier reaches. `log` names the
    /// incident log, whose numbers are no other one's.
    pub async fn send(&self, notice: &Notice, link: Option<&SignedLink>, (repeat, log): (bool, &str)) -> NoticeOutcome {
        // The settings refuse several; whoever reads a link may vote by it.
        let link = link.filter(|_| self.to.len() == 1);
        let written = message::write((notice, link), (&self.from, &self.to), (repeat, log));
        match written {
            Ok(message) => {
                let mail = Mail { from: &self.from.email, to: &self.to, content: message };
                self.pace.tries(notice, || self.smarthost.send(&mail, self.pace.deadline)).await
            }
            Err(error) => NoticeOutcome::Failed { error },
        }
    }

    /// Greets the server as if a mail were to follow, with TLS and password, and takes leave.
    ///
    /// # Errors
    /// Why no mail could be sent, without the password.
    pub async fn knock(&self) -> Result<(), String> {
        self.smarthost.knock(self.pace.deadline).await.map_err(|failure| failure.error)
    }
}

#[cfg(test)]
mod tests;
