//! Where notices go as mail, and how, as the settings say it and the notifier does it.

use lettre::message::Mailbox;
use secrecy::SecretString;

/// A mail server, and whom it is to send to.
#[derive(Clone, Debug)]
pub struct MailConfig {
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
    /// User and password. There is none where nothing is encrypted.
    pub login: Option<(String, SecretString)>,
    /// How the connection is encrypted.
    pub tls: MailTls,
    /// The authorities, in PEM, that are trusted instead of the usual ones.
    pub ca: Option<String>,
}

/// How a connection to a mail server is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailTls {
    /// From its first byte.
    Implicit,
    /// By `STARTTLS`, before anything is told; or nothing is sent.
    StartTls,
    /// Not at all.
    Never,
}
