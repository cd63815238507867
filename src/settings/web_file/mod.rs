//! `web.config_file`: TLS, users and headers, in the format of Prometheus' `--web.config.file`.
//!
//! Every key of the format is read. What sickbay does not do is refused, never ignored, and each problem has its line and
//! column. The same reading serves the start, `check`, a reload, and whoever looks whether the files have changed
//! ([decisions/0018](../../../docs/decisions/0018-web-config-file.md)). Read [`WebFile::read`] first.

mod certificate;
mod keys;
mod reader;
#[cfg(test)]
mod tests;
mod tls;
mod verifier;

use super::layers::{FILE_BYTES_MAX, Tree, parsed};
use super::shape;
use crate::people::PasswordHash;
use http::{HeaderName, HeaderValue};
use keys::{HEADERS, REFUSED, REFUSED_NAMES, WEB_FILE};
use reader::Reader;
use rustls::ServerConfig;
use sha2::{Digest, Sha256};
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
pub use tls::ClientAuth;

/// The file, and the files it names.
#[derive(Clone, Debug)]
pub struct WebFile {
    /// As it was named.
    pub path: PathBuf,
    /// `None`: plain HTTP.
    pub tls: Option<WebTls>,
    /// Names and hashes. Empty: nobody needs a password to come in.
    pub users: Vec<(String, PasswordHash)>,
    /// Added to each answer.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// What was in the files when they were read.
    pub digest: FilesDigest,
    files: Vec<PathBuf>,
}

/// How TLS is spoken.
#[derive(Clone)]
pub struct WebTls {
    /// For the greeting.
    pub config: Arc<ServerConfig>,
    /// Whether clients show certificates.
    pub client_auth: ClientAuth,
    /// When our certificate ends, in seconds since 1970.
    pub expires: u64,
}

impl fmt::Debug for WebTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebTls").field("client_auth", &self.client_auth).field("expires", &self.expires).finish()
    }
}

/// Tells whether files hold what they held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FilesDigest([u8; 32]);

/// What protects, in words: it is there from the start to the end of a process, or not at all.
impl fmt::Display for WebFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tls = self.tls.as_ref().map_or_else(|| "no TLS".to_owned(), |tls| format!("TLS ({})", tls.client_auth));
        let users = if self.users.is_empty() { "without users" } else { "with users" };
        write!(f, "{} with {tls}, {users}", self.path.display())
    }
}

impl WebFile {
    /// Reads it, with the files it names.
    ///
    /// # Errors
    /// Everything that is wrong, each with its place in the file.
    pub fn read(path: &Path) -> Result<Self, Vec<String>> {
        let name = path.display().to_string();
        let mut opened = Opened::default();
        let text = opened.text(path).map_err(|cause| vec![unreadable(path, &cause)])?;
        let tree = parsed(&name, &text).map_err(|problem| vec![problem.to_string()])?;
        let mistakes = shape::mistakes_by((&WEB_FILE, &REFUSED_NAMES), &tree, &text);
        let base = path.parent().unwrap_or(Path::new(""));
        let mut reader = Reader::new((&name, base), (&tree, &text), opened);
        let is_map = matches!(tree.value, Tree::Map(_));
        for mistake in mistakes {
            reader.mistake(&mistake);
        }
        let tls = if is_map { reader.tls() } else { None };
        let headers = reader.headers();
        let users = reader.users();
        let (problems, opened) = reader.done();
        if problems.is_empty() {
            let (digest, files) = (opened.digest(), opened.0.into_iter().map(|(path, _)| path).collect());
            return Ok(Self { path: path.to_owned(), tls, users, headers, digest, files });
        }
        Err(problems)
    }

    /// What is in the files now.
    #[must_use]
    pub fn digest_now(&self) -> FilesDigest {
        let mut opened = Opened::default();
        for path in &self.files {
            _ = opened.bytes(path);
        }
        opened.digest()
    }

    /// Whether `new` may take its place while sickbay runs; otherwise why not. What protects is neither taken away nor
    /// made weaker by a file: half of an edit, and an empty one, are files too.
    ///
    /// # Errors
    /// What it would change.
    pub fn may_become(&self, new: &Self) -> Result<(), String> {
        if self.to_string() == new.to_string() {
            return Ok(());
        }
        Err(format!(
            "cannot change while sickbay runs: it is {self} and would become {new}; restart sickbay, or set it back"
        ))
    }
}

impl Reader<'_> {
    /// What is added to each answer.
    fn headers(&mut self) -> Vec<(HeaderName, HeaderValue)> {
        for (name, why) in REFUSED {
            if self.has(name) {
                self.fail_key(name, why);
            }
        }
        if self.flag("http_server_config.http2") == Some(true) {
            let message = "HTTP/2 is not spoken: sickbay speaks HTTP/1.1; write false, or remove it";
            self.fail("http_server_config.http2", message);
        }
        let mut headers = Vec::new();
        for (name, allowed) in HEADERS {
            let key = format!("http_server_config.headers.{name}");
            // Nothing is a value too, and not one of those that are allowed.
            let Some(value) = self.text(&key).filter(|value| !(value.is_empty() && allowed.is_empty())) else {
                continue;
            };
            if !allowed.is_empty() && !allowed.contains(&&*value) {
                self.fail(&key, format!("must be {}", allowed.join(" or ")));
                continue;
            }
            match (name.parse::<HeaderName>(), HeaderValue::from_str(&value)) {
                (Ok(name), Ok(value)) => headers.push((name, value)),
                _ => self.fail(&key, "holds what no HTTP header can carry; write one line of plain text"),
            }
        }
        headers
    }

    /// Whose password opens the door.
    fn users(&mut self) -> Vec<(String, PasswordHash)> {
        let mut users = Vec::new();
        for name in self.names("basic_auth_users") {
            let key = format!("basic_auth_users.{name}");
            let Some(hash) = self.text(&key) else {
                self.fail_key(
                    &key,
                    "has no hash; `htpasswd -nBC 10 NAME` prints one, and `sickbay hash-password` another",
                );
                continue;
            };
            if name.is_empty() || name.contains(':') || name.chars().any(char::is_control) {
                self.fail_key(&key, "a user name is not empty and holds no `:`");
            }
            match PasswordHash::parse(&hash) {
                Ok(hash) => users.push((name, hash)),
                Err(wrong) => self.fail(&key, wrong),
            }
        }
        users
    }
}

/// Files that were read, with a digest of what came of it.
#[derive(Default)]
struct Opened(Vec<(PathBuf, [u8; 32])>);

impl Opened {
    fn bytes(&mut self, path: &Path) -> io::Result<Vec<u8>> {
        let read = read_file(path);
        let mut hash = Sha256::new();
        match &read {
            Ok(bytes) => {
                hash.update(b"is\0");
                hash.update(bytes);
            }
            Err(error) => hash.update(format!("not\0{:?}", error.kind())),
        }
        self.0.push((path.to_owned(), hash.finalize().into()));
        read
    }

    fn text(&mut self, path: &Path) -> io::Result<String> {
        String::from_utf8(self.bytes(path)?).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    }

    fn digest(&self) -> FilesDigest {
        let mut hash = Sha256::new();
        for (_, digest) in &self.0 {
            hash.update(digest);
        }
        FilesDigest(hash.finalize().into())
    }
}

/// A file that can be read again and again: a pipe is none.
fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no plain file, and is read again and again"));
    }
    let enough = u64::try_from(FILE_BYTES_MAX + 1).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    let length = File::open(path)?.take(enough).read_to_end(&mut bytes)?;
    if FILE_BYTES_MAX < length {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than 1 MiB"));
    }
    Ok(bytes)
}

fn unreadable(path: &Path, cause: &io::Error) -> String {
    format!("cannot read {}: {cause}; create it, or let the user sickbay runs as read it", path.display())
}
