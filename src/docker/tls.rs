//! TLS to an engine: only the authority that the settings name is trusted, and the engine is shown our own certificate.
//!
//! The system's roots are not trusted: whoever answers as an engine is root on what it answers for. Read [`Tls`].

use super::transport::NotAccepted;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{AlertDescription, CertificateError, ClientConfig, Error, RootCertStore};
use std::fmt;
use std::io;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// How an engine is spoken to over TLS. Cheap to clone.
#[derive(Clone)]
pub struct Tls {
    config: Arc<ClientConfig>,
    /// Whether the engine is shown a certificate.
    shown: bool,
}

impl Tls {
    /// Trusts the authorities in `ca`, and shows a certificate with its key, if there is one. All of it is PEM.
    ///
    /// # Errors
    /// Which part cannot be used, and why.
    pub fn new(ca: &str, identity: Option<(&str, &str)>) -> Result<Self, String> {
        let mut roots = RootCertStore::empty();
        for root in certificates(ca).map_err(|error| format!("tls.ca_file: {error}"))? {
            roots.add(root).map_err(|error| format!("tls.ca_file: {error}"))?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let builder = builder.map_err(|error| error.to_string())?.with_root_certificates(roots);
        let config = match identity {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let chain = certificates(certificate).map_err(|error| format!("tls.cert_file: {error}"))?;
                let key = PrivateKeyDer::from_pem_slice(key.as_bytes());
                let key = key.map_err(|error| format!("tls.key_file: no private key in it: {error}"))?;
                let config = builder.with_client_auth_cert(chain, key);
                config.map_err(|error| format!("tls.cert_file and tls.key_file: {error}"))?
            }
        };
        Ok(Self { config: Arc::new(config), shown: identity.is_some() })
    }

    /// Greets the engine behind a connection. An IPv6 address has its brackets.
    pub(super) async fn greet(&self, stream: TcpStream, host: &str) -> io::Result<TlsStream<TcpStream>> {
        let name = ServerName::try_from(host.trim_start_matches('[').trim_end_matches(']').to_owned());
        let name = name.map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let greeted = TlsConnector::from(Arc::clone(&self.config)).connect(name, stream).await;
        greeted.map_err(|error| self.in_words(error, host))
    }

    /// With the newest TLS an engine refuses our certificate only after the greeting, when a request may be on its way. It
    /// has not read it then. Any other end of a connection leaves open what became of the request.
    pub(super) fn after_greeting(&self, error: io::Error) -> io::Error {
        let cause = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
        match cause.and_then(|cause| self.refusal(cause)) {
            Some(words) => io::Error::new(io::ErrorKind::ConnectionAborted, NotAccepted(words)),
            None => error,
        }
    }

    /// What went wrong with the greeting, for whoever wrote the settings.
    fn in_words(&self, error: io::Error, host: &str) -> io::Error {
        let Some(cause) = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) else { return error };
        let words = if let Error::InvalidCertificate(wrong) = cause {
            about_its_certificate(wrong, host)
        } else if matches!(cause, Error::InvalidMessage(_)) {
            "it does not speak TLS there".to_owned()
        } else {
            self.refusal(cause).unwrap_or_else(|| format!("TLS failed: {cause}"))
        };
        io::Error::new(io::ErrorKind::ConnectionAborted, NotAccepted(words))
    }

    /// What it says against our certificate, if that is what it says.
    fn refusal(&self, error: &Error) -> Option<String> {
        let is_about_ours = matches!(
            error,
            Error::AlertReceived(
                AlertDescription::BadCertificate
                    | AlertDescription::UnknownCA
                    | AlertDescription::CertificateUnknown
                    | AlertDescription::CertificateExpired
                    | AlertDescription::CertificateRequired
            )
        );
        is_about_ours.then(|| match self.shown {
            true => format!("it refuses the certificate in tls.cert_file ({error})"),
            false => "it wants a certificate from us: set tls.cert_file and tls.key_file".to_owned(),
        })
    }
}

fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    let read = read.map_err(|error| error.to_string())?;
    if read.is_empty() { Err("no certificate in it".to_owned()) } else { Ok(read) }
}

/// What is wrong with the engine's certificate.
fn about_its_certificate(wrong: &CertificateError, host: &str) -> String {
    use CertificateError as Wrong;
    if matches!(wrong, Wrong::UnknownIssuer | Wrong::BadSignature) {
        "its certificate is not signed by the authority in tls.ca_file".to_owned()
    } else if matches!(wrong, Wrong::NotValidForName | Wrong::NotValidForNameContext { .. }) {
        format!("its certificate is not for {host}")
    } else if matches!(wrong, Wrong::Expired | Wrong::ExpiredContext { .. }) {
        "its certificate has expired".to_owned()
    } else {
        format!("its certificate is not valid: {wrong}")
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}

impl PartialEq for Tls {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.config, &other.config)
    }
}

impl Eq for Tls {}
