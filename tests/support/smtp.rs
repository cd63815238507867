//! A mail server, small but real: EHLO, STARTTLS, AUTH PLAIN and LOGIN, envelopes and mails, over the certificates of
//! `tests/fixtures/tls`. It can be told to offer no TLS, to refuse, to be busy, and to hang.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Who may send.
pub(crate) const USER: &str = "sickbay@ops.example";
/// What nobody but the server and the daemon may ever see.
pub(crate) const PASSWORD: &str = "c4nary-of-the-mail pass\u{df}word";

/// Which encryption it offers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Tls {
    /// By STARTTLS.
    #[default]
    Start,
    /// From the first byte, and no other.
    Implicit,
    /// None.
    Never,
}

/// What it does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Manner {
    pub(crate) tls: Tls,
    /// Anybody may send.
    pub(crate) open: bool,
    /// It shows this certificate of the fixtures, instead of `server`.
    pub(crate) certificate: Option<&'static str>,
    /// So many recipients are told to come later.
    pub(crate) busy: usize,
    /// It answers nobody.
    pub(crate) hangs: bool,
}

/// A mail as it came.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) from: String,
    pub(crate) to: Vec<String>,
    pub(crate) encrypted: bool,
    pub(crate) text: String,
}

#[derive(Default)]
struct Inner {
    manner: Mutex<Manner>,
    received: Mutex<Vec<Received>>,
    /// All commands of all connections, without passwords.
    heard: Mutex<Vec<String>>,
}

/// Serves as long as the test lasts.
pub(crate) struct MailServer {
    pub(crate) port: u16,
    inner: Arc<Inner>,
}

impl MailServer {
    pub(crate) fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let inner = Arc::new(Inner { manner: Mutex::new(manner), ..Inner::default() });
        let served = Arc::clone(&inner);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let inner = Arc::clone(&served);
                // Who breaks off is no longer there to be told.
                std::thread::spawn(move || {
                    let _broke_off = serve(&inner, stream);
                });
            }
        });
        Self { port, inner }
    }

    pub(crate) fn behave(&self, manner: Manner) {
        *self.inner.manner.lock().unwrap() = manner;
    }

    /// What came for this address.
    pub(crate) fn received(&self, to: &str) -> Vec<Received> {
        let all = self.inner.received.lock().unwrap();
        all.iter().filter(|mail| mail.to.iter().any(|address| address == to)).cloned().collect()
    }

    pub(crate) fn heard(&self) -> Vec<String> {
        self.inner.heard.lock().unwrap().clone()
    }
}

fn tls(name: &str) -> Arc<ServerConfig> {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tls");
    let chain = CertificateDer::pem_file_iter(fixtures.join(format!("{name}.pem"))).unwrap();
    let key = PrivateKeyDer::from_pem_file(fixtures.join(format!("{name}.key"))).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    Arc::new(config.with_no_client_auth().with_single_cert(chain.flatten().collect(), key).unwrap())
}

trait Stream: Read + Write {}

impl<S: Read + Write> Stream for S {}

/// One client, over whatever it speaks now.
struct Client<'i> {
    inner: &'i Inner,
    stream: BufReader<Box<dyn Stream>>,
    encrypted: bool,
}

fn encrypted(stream: TcpStream, manner: &Manner) -> Box<dyn Stream> {
    let config = tls(manner.certificate.unwrap_or("server"));
    Box::new(StreamOwned::new(ServerConnection::new(config).unwrap(), stream))
}

fn serve(inner: &Inner, stream: TcpStream) -> Option<()> {
    let manner = inner.manner.lock().unwrap().clone();
    stream.set_read_timeout(Some(Duration::from_secs(60))).ok()?;
    if manner.hangs {
        let _nothing = (&stream).read(&mut [0; 1]);
        std::thread::sleep(Duration::from_secs(60));
        return None;
    }
    let raw = stream.try_clone().ok()?;
    let first: Box<dyn Stream> = match manner.tls {
        Tls::Implicit => encrypted(stream, &manner),
        Tls::Start | Tls::Never => Box::new(stream),
    };
    let mut client = Client { inner, stream: BufReader::new(first), encrypted: manner.tls == Tls::Implicit };
    client.say("220 mail.example ESMTP")?;
    if client.converse(&manner)? {
        client = Client { inner, stream: BufReader::new(encrypted(raw, &manner)), encrypted: true };
        client.converse(&manner)?;
    }
    Some(())
}

impl Client<'_> {
    fn say(&mut self, line: &str) -> Option<()> {
        self.stream.get_mut().write_all(format!("{line}\r\n").as_bytes()).ok()?;
        self.stream.get_mut().flush().ok()
    }

    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = self.stream.read_line(&mut line).ok()?;
        (read != 0).then(|| line.trim_end_matches(['\r', '\n']).to_owned())
    }

    /// Until it leaves, or true if it wants TLS now.
    fn converse(&mut self, manner: &Manner) -> Option<bool> {
        let (mut from, mut to, mut known) = (String::new(), Vec::new(), manner.open);
        loop {
            let line = self.line()?;
            let word = line.split(' ').next().unwrap_or_default().to_ascii_uppercase();
            let told = if word == "AUTH" { "AUTH" } else { &*line };
            self.inner.heard.lock().unwrap().push(told.to_owned());
            match &*word {
                "EHLO" => self.say(match (self.encrypted, manner.tls) {
                    (true, _) => "250-mail.example\r\n250-8BITMIME\r\n250 AUTH PLAIN LOGIN",
                    (false, Tls::Never | Tls::Implicit) => "250-mail.example\r\n250 AUTH PLAIN LOGIN",
                    (false, Tls::Start) => "250-mail.example\r\n250 STARTTLS",
                })?,
                "STARTTLS" if !self.encrypted && manner.tls == Tls::Start => {
                    self.say("220 2.0.0 go ahead")?;
                    return Some(true);
                }
                "AUTH" => {
                    let given = line.split(' ').nth(2).and_then(|given| STANDARD.decode(given).ok());
                    known = given == Some(format!("\0{USER}\0{PASSWORD}").into_bytes());
                    // Some repeat what they were given.
                    let told = format!("535 5.7.8 not you: {line}");
                    self.say(if known { "235 2.7.0 welcome" } else { &told })?;
                }
                "MAIL" if !known => self.say("530 5.7.0 log in first")?,
                "MAIL" => {
                    from = line.trim_start_matches("MAIL FROM:").to_owned();
                    to.clear();
                    self.say("250 2.1.0 ok")?;
                }
                "RCPT" => {
                    if self.comes_too_early() {
                        self.say("450 4.2.1 mailbox busy, try again later")?;
                        continue;
                    }
                    to.push(line.trim_start_matches("RCPT TO:<").trim_end_matches('>').to_owned());
                    self.say("250 2.1.5 ok")?;
                }
                "DATA" => {
                    self.say("354 end with a dot")?;
                    let text = self.content()?;
                    let mail = Received { from: from.clone(), to: to.clone(), encrypted: self.encrypted, text };
                    self.inner.received.lock().unwrap().push(mail);
                    self.say("250 2.0.0 taken")?;
                }
                "QUIT" => {
                    self.say("221 2.0.0 bye")?;
                    return Some(false);
                }
                _ => self.say("502 5.5.2 what?")?,
            }
        }
    }

    fn comes_too_early(&self) -> bool {
        let mut manner = self.inner.manner.lock().unwrap();
        let left = manner.busy.checked_sub(1);
        manner.busy = left.unwrap_or(0);
        left.is_some()
    }

    /// Up to the dot, as it was meant.
    fn content(&mut self) -> Option<String> {
        let mut text = String::new();
        loop {
            let line = self.line()?;
            if line == "." {
                return Some(text);
            }
            text.push_str(line.strip_prefix('.').unwrap_or(&line));
            text.push_str("\r\n");
        }
    }
}
