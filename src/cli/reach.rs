//! Where a daemon answers, and what proves who asks it: the same flags for every command that asks one.

use super::ask::{DAEMON_URL, SOCKET_SCHEME, daemon_url};
use super::{USAGE, complain};
use crate::settings;
use base64::Engine;
use clap::Args;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use secrecy::{ExposeSecret, SecretString};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Which daemon, and as whom.
#[derive(Args, Clone, Debug)]
pub(super) struct Reach {
    /// Where the daemon answers
    #[arg(long, value_name = "URL", default_value = DAEMON_URL, env = "SICKBAY_URL", value_parser = daemon_url)]
    url: String,
    /// The file that holds your token: that of one of `people` in the settings, or of `web.api_token_file`
    #[arg(long, value_name = "FILE", env = "SICKBAY_TOKEN_FILE")]
    token_file: Option<PathBuf>,
    /// A user of `basic_auth_users` in the daemon's `web.config_file`, or one of `people`
    #[arg(long, value_name = "NAME", env = "SICKBAY_USER", requires = "password_file", conflicts_with = "token_file")]
    user: Option<String>,
    /// The file that holds the user's password
    #[arg(long, value_name = "FILE", env = "SICKBAY_PASSWORD_FILE", requires = "user")]
    password_file: Option<PathBuf>,
    /// The file with the authority that has signed the daemon's certificate, if no public one has
    #[arg(long, value_name = "FILE", env = "SICKBAY_CA_FILE")]
    ca_file: Option<PathBuf>,
    /// The file with the certificate to show to the daemon
    #[arg(long, value_name = "FILE", env = "SICKBAY_CERT_FILE", requires = "key_file")]
    cert_file: Option<PathBuf>,
    /// The file with its key
    #[arg(long, value_name = "FILE", env = "SICKBAY_KEY_FILE", requires = "cert_file")]
    key_file: Option<PathBuf>,
}

/// [`Reach`], with what its files hold.
pub(super) struct Way {
    /// Where the daemon answers.
    pub(super) url: String,
    /// What the header `Authorization` holds.
    pub(super) proof: Option<SecretString>,
    /// How it is greeted, if `url` begins with https.
    pub(super) tls: Option<Arc<ClientConfig>>,
}

impl Reach {
    /// Reads the files; otherwise what to exit with, after the problem was told.
    pub(super) fn way(&self) -> Result<Way, u8> {
        self.read().map_err(|problem| {
            complain(&problem);
            USAGE
        })
    }

    fn read(&self) -> Result<Way, String> {
        // Not where the flag is parsed: what is wrong there is shown whole, and so would be the password.
        if holds_a_user(&self.url) {
            return Err(
                "the URL of the daemon holds a user or a password, which is shown to everybody who lists processes: \
                        name them with --user and --password-file"
                    .to_owned(),
            );
        }
        let token = self.token_file.as_deref().map(settings::secret_file).transpose()?;
        let password = self.password_file.as_deref().map(settings::secret_file).transpose()?;
        let basic = self.user.as_ref().zip(password).map(|(user, password)| {
            let pair = SecretString::from(format!("{user}:{}", password.expose_secret()));
            let encoded = base64::engine::general_purpose::STANDARD.encode(pair.expose_secret());
            SecretString::from(format!("Basic {encoded}"))
        });
        let bearer = token.map(|token| SecretString::from(format!("Bearer {}", token.expose_secret())));
        let tls = if self.url.starts_with("https://") { Some(Arc::new(self.tls()?)) } else { None };
        Ok(Way { url: self.url.clone(), proof: bearer.or(basic), tls })
    }

    /// Trusts the authority that is named, or else the public ones, and shows a certificate, if there is one.
    fn tls(&self) -> Result<ClientConfig, String> {
        let mut roots = RootCertStore::empty();
        match &self.ca_file {
            None => {
                let public = webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().cloned();
                let (_added, _ignored) = roots.add_parsable_certificates(public);
            }
            Some(file) => {
                for root in certificates(file)? {
                    roots.add(root).map_err(|error| format!("{}: {error}", file.display()))?;
                }
            }
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let builder = builder.map_err(|error| error.to_string())?.with_root_certificates(roots);
        let Some((cert, key)) = self.cert_file.as_ref().zip(self.key_file.as_ref()) else {
            return Ok(builder.with_no_client_auth());
        };
        let read = PrivateKeyDer::from_pem_file(key);
        let read = read.map_err(|_cause| format!("{}: no private key that can be read", key.display()))?;
        let made = builder.with_client_auth_cert(certificates(cert)?, read);
        made.map_err(|error| format!("{} and {}: {error}", cert.display(), key.display()))
    }
}

impl Way {
    /// The path of a socket in the file system, if it answers there.
    pub(super) fn socket(&self) -> Option<&str> {
        self.url.strip_prefix(SOCKET_SCHEME)
    }
}

/// Whether something stands before the host, as in `https://user:password@host`.
fn holds_a_user(url: &str) -> bool {
    let authority = url.split_once("://").filter(|(scheme, _)| scheme.starts_with("http"));
    authority.and_then(|(_, rest)| rest.split('/').next()).is_some_and(|authority| authority.contains('@'))
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let wrong = |error: rustls::pki_types::pem::Error| format!("{}: no PEM that can be read: {error}", file.display());
    let read: Result<Vec<_>, _> = CertificateDer::pem_file_iter(file).map_err(wrong)?.collect();
    let read = read.map_err(wrong)?;
    if read.is_empty() { Err(format!("{}: no certificate in it", file.display())) } else { Ok(read) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_in_the_url_is_refused_and_not_repeated() {
        for (url, refused) in [
            ("http://ada:secret@127.0.0.1:10112", true),
            ("https://secret@sickbay.example/below/", true),
            ("http://127.0.0.1:10112", false),
            ("http://sickbay.example/a@b", false),
            ("unix:///run/a@b.sock", false),
        ] {
            let (token_file, user, password_file) = (None, None, None);
            let (ca_file, cert_file, key_file) = (None, None, None);
            let reach = Reach { url: url.to_owned(), token_file, user, password_file, ca_file, cert_file, key_file };
            let read = reach.read();
            assert_eq!(read.is_err(), refused, "{url}");
            assert!(
                read.err().is_none_or(|problem| !problem.contains("secret") && problem.contains("--user")),
                "{url}"
            );
        }
    }
}
