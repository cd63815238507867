//! One conversation with a mail server: greeting, TLS, password, mail.
//!
//! Up to TLS it is spoken here, and whatever came before TLS is forgotten; then `lettre` speaks. Nothing is told before the
//! connection is as the settings want it. An error never holds what a server says after it has seen a password or a text.
//! Read [`Smarthost::send`] first.

use super::super::pace::Failure;
use super::super::text::one_line;
use super::stream::Heard;
use crate::model::mail::{MailConfig, MailTls};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lettre::address::Address;
use lettre::message::Mailbox;
use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, AsyncTokioStream};
use lettre::transport::smtp::commands::{Data, Ehlo, Mail as MailFrom, Rcpt, Starttls};
use lettre::transport::smtp::extension::{ClientId, Extension, ServerInfo};
use lettre::transport::smtp::response::{Response, Severity};
use rustls::pki_types::ServerName;
use rustls::{CertificateError, ClientConfig};
use secrecy::{ExposeSecret, SecretString};
use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// How long a server may take to say good-bye.
const LEAVE_TIME_MAX: Duration = Duration::from_secs(1);

/// How much of a server's words is told.
const WORDS_LETTERS_MAX: usize = 200;

/// A mail server, and how it is spoken to.
#[derive(Clone)]
pub(super) struct Smarthost {
    host: String,
    port: u16,
    name: ServerName<'static>,
    hello: ClientId,
    login: Option<(String, SecretString)>,
    encryption: MailTls,
    tls: TlsConnector,
}

impl fmt::Debug for Smarthost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Smarthost")
            .field("at", &self.at())
            .field("encryption", &self.encryption)
            .finish_non_exhaustive()
    }
}

/// What is sent.
pub(super) struct Mail<'a> {
    pub(super) from: &'a Address,
    pub(super) to: &'a [Mailbox],
    /// Headers and body; ASCII.
    pub(super) content: Vec<u8>,
}

impl Smarthost {
    /// As the settings say.
    ///
    /// # Errors
    /// Why nobody can be asked for a certificate by this name.
    pub(super) fn new(config: &MailConfig, trust: Arc<ClientConfig>) -> Result<Self, String> {
        let name = ServerName::try_from(config.host.clone());
        Ok(Self {
            host: config.host.clone(),
            port: config.port,
            name: name.map_err(|error| format!("`smarthost`: {:?}: {error}", config.host))?,
            hello: ClientId::Domain(config.hello.clone()),
            login: config.login.clone(),
            encryption: config.tls,
            tls: TlsConnector::from(trust),
        })
    }

    /// Sends a mail, once, within so long.
    pub(super) async fn send(&self, mail: &Mail<'_>, deadline: Duration) -> Result<(), Failure> {
        let mut greeted = None;
        let sent = async {
            let open = greeted.insert(self.greet().await?);
            self.hand_over(open, mail).await
        };
        let sent = self.within(deadline, sent).await;
        leave(greeted).await;
        sent
    }

    /// As far as the password, and no further, within so long.
    pub(super) async fn knock(&self, deadline: Duration) -> Result<(), Failure> {
        let mut greeted = None;
        let knocked = async {
            greeted = Some(self.greet().await?);
            Ok(())
        };
        let knocked = self.within(deadline, knocked).await;
        leave(greeted).await;
        knocked
    }

    async fn within(&self, deadline: Duration, work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
        tokio::select! {
            biased;
            done = work => done,
            () = tokio::time::sleep(deadline) => {
                Err(self.again(&format!("did not answer within {} seconds", deadline.as_secs_f32())))
            }
        }
    }

    /// A connection on which mail can be sent.
    async fn greet(&self) -> Result<AsyncSmtpConnection, Failure> {
        let stream = TcpStream::connect((&*self.host, self.port)).await;
        let unreachable = |error: io::Error| self.again(&format!("cannot be reached: {error}"));
        let stream = stream.map_err(unreachable)?;
        let peer = stream.peer_addr().map_err(unreachable)?;
        let stream: Box<dyn AsyncTokioStream> = match self.encryption {
            MailTls::Never => Box::new(Heard::new(stream, peer, "")),
            MailTls::Implicit => Box::new(Heard::new(self.encrypt(stream).await?, peer, "")),
            MailTls::StartTls => {
                let stream = self.start_tls(Heard::new(stream, peer, "")).await?;
                // It greets only once, and that was before TLS.
                Box::new(Heard::new(self.encrypt(stream).await?, peer, "220 encrypted\r\n"))
            }
        };
        let open = AsyncSmtpConnection::connect_with_transport(stream, &self.hello).await;
        let mut open = open.map_err(|error| self.refused("greeted us with", &error))?;
        if let Some(login) = &self.login {
            self.log_in(&mut open, login).await?;
        }
        Ok(open)
    }

    /// Everything up to TLS. What the server says here anybody on the way may have said: nothing of it is kept.
    async fn start_tls(&self, stream: Heard<TcpStream>) -> Result<TcpStream, Failure> {
        let mut plain = BufReader::new(stream);
        self.hear(&mut plain, "greeted us with").await?;
        self.say(&mut plain, &Ehlo::new(self.hello.clone()).to_string()).await?;
        let answer = self.hear(&mut plain, "answered our greeting with").await?;
        let offers = ServerInfo::from_response(&answer).is_ok_and(|info| info.supports_feature(Extension::StartTls));
        if !offers {
            let words = "offers no encryption (STARTTLS), and `require_tls` is true: nothing was sent";
            return Err(self.final_word(words));
        }
        self.say(&mut plain, &Starttls.to_string()).await?;
        self.hear(&mut plain, "answered STARTTLS with").await?;
        if !plain.buffer().is_empty() {
            let words = "said more before TLS than belongs there, as if somebody stood in between: nothing was sent";
            return Err(self.final_word(words));
        }
        Ok(plain.into_inner().into_inner())
    }

    async fn say(&self, plain: &mut BufReader<Heard<TcpStream>>, command: &str) -> Result<(), Failure> {
        let said = plain.get_mut().write_all(command.as_bytes()).await;
        said.map_err(|error| self.again(&format!("cannot be spoken to: {error}")))
    }

    /// One answer, of as many lines as it has, if it is a good one.
    async fn hear(&self, plain: &mut BufReader<Heard<TcpStream>>, what: &str) -> Result<Response, Failure> {
        let mut text = String::new();
        loop {
            let mut line = String::new();
            let read = plain.read_line(&mut line).await;
            if read.map_err(|error| self.again(&format!("cannot be heard: {error}")))? == 0 {
                return Err(self.again("closed the connection"));
            }
            text.push_str(&line);
            if line.as_bytes().get(3) != Some(&b'-') {
                break;
            }
        }
        let response: Response =
            text.parse().map_err(|_unreadable: SmtpError| self.final_word("does not speak SMTP there"))?;
        match response.code().severity {
            Severity::PositiveCompletion => Ok(response),
            Severity::PermanentNegativeCompletion => Err(self.final_word(&self.quoted(what, &response))),
            Severity::TransientNegativeCompletion | Severity::PositiveIntermediate => {
                Err(self.again(&self.quoted(what, &response)))
            }
        }
    }

    async fn encrypt(&self, stream: TcpStream) -> Result<TlsStream<TcpStream>, Failure> {
        self.tls.connect(self.name.clone(), stream).await.map_err(|error| self.not_encrypted(&error))
    }

    /// What went wrong with TLS, for whoever wrote the settings. A wrong certificate is wrong the next time too.
    fn not_encrypted(&self, error: &io::Error) -> Failure {
        let cause = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        match cause {
            None => self.again(&format!("broke off before TLS was agreed on: {error}")),
            Some(rustls::Error::InvalidCertificate(wrong)) => {
                self.final_word(&format!("showed a certificate that {}: nothing was sent", self.about(wrong)))
            }
            Some(rustls::Error::InvalidMessage(_)) => {
                let words = "does not speak TLS from the start there; set `force_implicit_tls: false`, or another port";
                self.final_word(words)
            }
            Some(other) => self.final_word(&format!("could not agree with us on TLS: {other}")),
        }
    }

    fn about(&self, wrong: &CertificateError) -> String {
        if matches!(wrong, CertificateError::UnknownIssuer) {
            "is of an authority that is not trusted; name its own authority in `ca_file`".to_owned()
        } else if matches!(wrong, CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }) {
            format!("is not for {}; name the server in `smarthost` as its certificate does", self.host)
        } else if matches!(wrong, CertificateError::Expired | CertificateError::ExpiredContext { .. }) {
            "has expired".to_owned()
        } else {
            format!("cannot be believed: {wrong}")
        }
    }

    /// Proves who we are. What the server says to that is not told: some repeat what they were given.
    async fn log_in(&self, open: &mut AsyncSmtpConnection, login: &(String, SecretString)) -> Result<(), Failure> {
        if self.encryption == MailTls::Never {
            return Err(self.final_word("would hear the password unencrypted: nothing was sent"));
        }
        let (user, password) = login;
        let credentials = Credentials::new(user.clone(), password.expose_secret().to_owned());
        let answer = match open.auth(DEFAULT_MECHANISMS, &credentials).await {
            Ok(answer) => return self.completed(&answer, "answered the login with"),
            Err(error) => error,
        };
        Err(match answer.status() {
            Some(code) if answer.is_transient() => self.again(&format!("cannot check user and password now ({code})")),
            Some(code) => self.final_word(&format!("does not take `auth_username` and its password ({code})")),
            None if answer.is_client() => {
                self.final_word("offers no login by password that sickbay knows, which are PLAIN and LOGIN")
            }
            None => self.again("broke off during the login"),
        })
    }

    /// Envelope and content. Nobody gets it unless everybody does.
    async fn hand_over(&self, open: &mut AsyncSmtpConnection, mail: &Mail<'_>) -> Result<(), Failure> {
        let what = format!("answered the sender {} with", mail.from);
        let answer = open.command(MailFrom::new(Some(mail.from.clone()), Vec::new())).await;
        self.completed(&answer.map_err(|error| self.refused(&what, &error))?, &what)?;
        for Mailbox { email, .. } in mail.to {
            let what = format!("answered the address {email} with");
            let answer = open.command(Rcpt::new(email.clone(), Vec::new())).await;
            self.completed(&answer.map_err(|error| self.refused(&what, &error))?, &what)?;
        }
        let answer = open.command(Data).await.map_err(|error| self.refused("answered DATA with", &error))?;
        if answer.code().severity != Severity::PositiveIntermediate {
            return Err(self.again(&format!("answered DATA with {}", answer.code())));
        }
        match open.message(&mail.content).await {
            Ok(answer) => self.completed(&answer, "answered the mail with"),
            // Filters quote what they do not like, and that may be a link.
            Err(error) => Err(match error.status() {
                Some(code) if error.is_permanent() => self.final_word(&format!("does not take the mail ({code})")),
                Some(code) => self.again(&format!("does not take the mail now ({code})")),
                None => self.again("broke off before it said that it has the mail"),
            }),
        }
    }

    /// Only what is done is done: an answer that wants more is none to rely on.
    fn completed(&self, answer: &Response, what: &str) -> Result<(), Failure> {
        match answer.code().severity {
            Severity::PositiveCompletion => Ok(()),
            Severity::PositiveIntermediate
            | Severity::TransientNegativeCompletion
            | Severity::PermanentNegativeCompletion => Err(self.again(&format!("{what} {}", answer.code()))),
        }
    }

    /// What a server said that has seen no text yet, unless it repeats the password.
    fn refused(&self, what: &str, error: &SmtpError) -> Failure {
        let Some(code) = error.status() else {
            let cause = error.source().and_then(|source| source.downcast_ref::<io::Error>());
            let cause = cause.map_or_else(|| "what is no SMTP".to_owned(), ToString::to_string);
            return self.again(&format!("{what} {cause}"));
        };
        let words = error.source().map(ToString::to_string).unwrap_or_default();
        let text = format!("{what} {code}{}", self.harmless(&words));
        if error.is_transient() { self.again(&text) } else { self.final_word(&text) }
    }

    fn quoted(&self, what: &str, answer: &Response) -> String {
        let words: Vec<&str> = answer.message().collect();
        format!("{what} {}{}", answer.code(), self.harmless(&words.join(" ")))
    }

    /// A server's words as they can be told.
    pub(super) fn harmless(&self, words: &str) -> String {
        let tells = |secret: &str| !secret.is_empty() && words.contains(secret);
        let repeats = self.login.as_ref().is_some_and(|(user, password)| {
            let password = password.expose_secret();
            let plain = STANDARD.encode(format!("\0{user}\0{password}"));
            tells(password) || tells(&STANDARD.encode(password)) || tells(&plain)
        });
        if repeats || words.trim().is_empty() {
            return String::new();
        }
        format!(" {}", one_line(words, WORDS_LETTERS_MAX))
    }

    /// Another try may help.
    fn again(&self, words: &str) -> Failure {
        Failure { error: format!("{} {words}", self.at()), try_again: true }
    }

    /// No other try helps.
    fn final_word(&self, words: &str) -> Failure {
        Failure { error: format!("{} {words}", self.at()), try_again: false }
    }

    fn at(&self) -> String {
        let brackets = if self.host.contains(':') { ("[", "]") } else { ("", "") };
        format!("{}{}{}:{}", brackets.0, self.host, brackets.1, self.port)
    }
}

/// What has been taken is taken, however a server says good-bye.
async fn leave(greeted: Option<AsyncSmtpConnection>) {
    let Some(mut open) = greeted else { return };
    tokio::select! {
        biased;
        _answer = open.quit() => {}
        () = tokio::time::sleep(LEAVE_TIME_MAX) => {}
    }
}
