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
use crate::model::notice::{Notice, NoticeOutcome};
use lettre::message::Mailbox;
use secrecy::SecretString;
use session::{Mail, Smarthost};
use std::time::Duration;

/// Where and how to send, as configured.
#[derive(Clone, Debug)]
pub struct EmailConfig {
    /// Whom it is for. Never empty.
    pub to: Vec<Mailbox>,
    /// Whom it is from.
    pub from: Mailbox,
    /// The server: a name or an address, without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// What we call ourselves there.
    pub hello: String,
    /// User and password.
    pub login: Option<(String, SecretString)>,
    /// How it is encrypted.
    pub encryption: Encryption,
    /// The authorities, in PEM, that are trusted instead of the usual ones.
    pub ca: Option<String>,
}

/// How a connection to a mail server is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encryption {
    /// From its first byte.
    Implicit,
    /// By `STARTTLS`, before anything is told.
    StartTls,
    /// Not at all.
    Never,
}

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
    pub fn new(config: &EmailConfig, pace: Pace) -> Result<Self, NotifierError> {
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
