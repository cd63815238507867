//! `tls_server_config` into what greets clients. The provider is ring, and HTTP/1.1 is all that is offered.

use super::WebTls;
use super::certificate::{certificates, expires, private_key};
use super::reader::Reader;
use super::verifier::Clients;
use rustls::crypto::{CryptoProvider, SupportedKxGroup, ring};
use rustls::pki_types::UnixTime;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::version::{TLS12, TLS13};
use rustls::{RootCertStore, ServerConfig, SupportedCipherSuite, SupportedProtocolVersion};
use std::fmt;
use std::sync::Arc;

/// Where all of it stands.
const TOP: &str = "tls_server_config";

/// `client_auth_type`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAuth {
    /// Nobody is asked for a certificate.
    NoClientCert,
    /// They are asked, and any will do, also none.
    RequestClientCert,
    /// Any will do, but not none.
    RequireAnyClientCert,
    /// None will do, but not one that the authority has not signed.
    VerifyClientCertIfGiven,
    /// One that the authority has signed.
    RequireAndVerifyClientCert,
}

impl ClientAuth {
    const ALL: [Self; 5] = [
        Self::NoClientCert,
        Self::RequestClientCert,
        Self::RequireAnyClientCert,
        Self::VerifyClientCertIfGiven,
        Self::RequireAndVerifyClientCert,
    ];

    fn verifies(self) -> bool {
        matches!(self, Self::VerifyClientCertIfGiven | Self::RequireAndVerifyClientCert)
    }

    fn needs_one(self) -> bool {
        matches!(self, Self::RequireAnyClientCert | Self::RequireAndVerifyClientCert)
    }

    fn parse(word: &str) -> Result<Self, String> {
        // The old name, which Prometheus takes as well.
        let word = if word == "RequireClientCert" { "RequireAnyClientCert" } else { word };
        Self::ALL.into_iter().find(|kind| kind.to_string() == word).ok_or_else(|| {
            let words: Vec<String> = Self::ALL.iter().map(Self::to_string).collect();
            format!("must be one of {}", words.join(", "))
        })
    }
}

impl fmt::Display for ClientAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl Reader<'_> {
    /// How TLS is spoken; `None` without `tls_server_config`, or if something is wrong with it.
    pub(super) fn tls(&mut self) -> Option<WebTls> {
        if !self.has(TOP) || !self.is_sound(TOP) {
            return None;
        }
        let certificate = self.pem("cert", certificates);
        let key = self.pem("key", private_key);
        let versions = self.versions();
        let provider = self.provider();
        let client_auth = self.client_auth();
        let authority = self.authority(client_auth);
        let names = self.client_names(client_auth);
        let (cert_key, chain) = certificate?;
        let expires = self.certificate_end(&cert_key, chain.first()?)?;
        let (key_key, key) = key?;
        let (versions, provider, client_auth) = (versions?, Arc::new(provider?), client_auth?);
        let clients = self.clients((client_auth, authority?, names), &provider)?;
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_protocol_versions(&versions);
        let builder = builder.map_err(|error| self.fail(TOP, format!("no TLS can be spoken: {error}"))).ok()?;
        let builder = match clients {
            Some(clients) => builder.with_client_cert_verifier(clients),
            None => builder.with_no_client_auth(),
        };
        let config = builder.with_single_cert(chain, key);
        let mut config = config.map_err(|error| self.fail(&key_key, mismatch(&error))).ok()?;
        config.ignore_client_order = self.flag(&under("prefer_server_cipher_suites")).unwrap_or(true);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        // Whoever comes again is greeted in full: no certificate of theirs is believed longer than it holds.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Some(WebTls { config: Arc::new(config), client_auth, expires })
    }

    /// A PEM text that must be there, and the key that it came by.
    fn pem<T>(&mut self, name: &str, read: fn(&[u8]) -> Result<T, String>) -> Option<(String, T)> {
        let (key, file_key) = (under(name), under(&format!("{name}_file")));
        if self.is_missing(name) {
            // Without both it is one mistake.
            let is_first = name == "cert" || !self.is_missing("cert");
            if is_first && [&key, &file_key].into_iter().all(|key| self.is_sound(key)) {
                self.fail_key(TOP, format!("needs `{name}_file`; without a certificate and its key there is no TLS"));
            }
            return None;
        }
        let (key, bytes) = self.text_or_file(&key)?;
        match read(&bytes) {
            Ok(read) => Some((key, read)),
            Err(wrong) => {
                self.fail(&key, wrong);
                None
            }
        }
    }

    fn is_missing(&self, name: &str) -> bool {
        let says_nothing = |key: String| self.text(&key).is_none_or(|text| text.is_empty());
        says_nothing(under(name)) && says_nothing(under(&format!("{name}_file")))
    }

    fn certificate_end(&mut self, key: &str, certificate: &rustls::pki_types::CertificateDer<'_>) -> Option<u64> {
        match expires(certificate) {
            Ok(end) if end <= UnixTime::now().as_secs() => {
                self.fail(key, format!("the certificate has expired, on {}; renew it", date(end)));
                None
            }
            Ok(end) => Some(end),
            Err(wrong) => {
                self.fail(key, wrong);
                None
            }
        }
    }

    fn versions(&mut self) -> Option<Vec<&'static SupportedProtocolVersion>> {
        let known: [(&str, &'static SupportedProtocolVersion); 2] = [("TLS12", &TLS12), ("TLS13", &TLS13)];
        let mut read = |name: &str, default: usize| {
            let key = under(name);
            let Some(word) = self.text(&key) else { return Some(default) };
            let found = known.iter().position(|(known, _)| *known == word);
            if found.is_none() {
                let old = matches!(&*word, "TLS10" | "TLS11");
                let why = if old { "is too old, and not spoken" } else { "is no version of TLS" };
                self.fail(&key, format!("{word} {why}; write TLS12 or TLS13"));
            }
            found
        };
        let (min, max) = (read("min_version", 0)?, read("max_version", 1)?);
        if max < min {
            self.fail(
                &under("max_version"),
                "is older than `min_version`: nothing could be spoken; correct one of the two",
            );
            return None;
        }
        Some(known.iter().map(|(_, version)| *version).skip(min).take(max + 1 - min).collect())
    }

    /// Ring, with the cipher suites and curves that are named.
    fn provider(&mut self) -> Option<CryptoProvider> {
        let mut provider = ring::default_provider();
        let suites = provider.cipher_suites.clone();
        if let Some(named) = self.choice("cipher_suites", &suites, suite_name) {
            // As in Prometheus, a list without suites of TLS 1.3 says nothing about TLS 1.3.
            let is_new = |suite: &SupportedCipherSuite| suite.tls13().is_some();
            let further = suites.iter().filter(|suite| is_new(suite) && !named.iter().any(is_new)).copied();
            provider.cipher_suites = further.chain(named.iter().copied()).collect();
        }
        let curves = provider.kx_groups.clone();
        if let Some(named) = self.choice("curve_preferences", &curves, |curve| curve_name(*curve)) {
            provider.kx_groups = named;
        }
        Some(provider)
    }

    /// Those of a list that are named, in the order of their names; `None` if none is.
    fn choice<T: Copy>(&mut self, name: &str, all: &[T], called: fn(&T) -> String) -> Option<Vec<T>> {
        let key = under(name);
        let mut found = Vec::new();
        for (index, (word, at)) in self.list(&key).into_iter().enumerate() {
            match all.iter().find(|one| called(one) == word) {
                Some(one) => found.push(*one),
                None => {
                    let words: Vec<String> = all.iter().map(called).collect();
                    let message = format!("sickbay does not have `{word}`; it has {}", words.join(", "));
                    self.fail_item((&key, index), at, &message);
                }
            }
        }
        (!found.is_empty()).then_some(found)
    }

    fn client_auth(&mut self) -> Option<ClientAuth> {
        let key = under("client_auth_type");
        let word = self.text(&key).filter(|word| !word.is_empty());
        match word.map_or(Ok(ClientAuth::NoClientCert), |word| ClientAuth::parse(&word)) {
            Ok(kind) => Some(kind),
            Err(wrong) => {
                self.fail(&key, wrong);
                None
            }
        }
    }

    /// Who signs the certificates of clients; the outer `None` if something is wrong.
    fn authority(&mut self, client_auth: Option<ClientAuth>) -> Option<Option<RootCertStore>> {
        let is_named = ["client_ca", "client_ca_file"].iter().any(|name| self.has(&under(name)));
        if !is_named {
            if client_auth.is_some_and(ClientAuth::verifies) {
                let message = "needs `client_ca_file`: who signs the certificates of clients; add it";
                self.fail(&under("client_auth_type"), message);
                return None;
            }
            return Some(None);
        }
        let (key, bytes) = self.text_or_file(&under("client_ca"))?;
        if client_auth == Some(ClientAuth::NoClientCert) {
            let message =
                "is never asked: nobody needs a certificate; add `client_auth_type: RequireAndVerifyClientCert`";
            self.fail_key(&key, message);
            return None;
        }
        let mut roots = RootCertStore::empty();
        let added = certificates(&bytes).and_then(|found| {
            found
                .into_iter()
                .try_for_each(|root| roots.add(root))
                .map_err(|error| format!("cannot be trusted: {error}"))
        });
        added.map_err(|wrong| self.fail(&key, wrong)).ok()?;
        Some(Some(roots))
    }

    fn client_names(&mut self, client_auth: Option<ClientAuth>) -> Vec<String> {
        let key = under("client_allowed_sans");
        let needs = client_auth != Some(ClientAuth::RequireAndVerifyClientCert) && client_auth.is_some();
        if self.has(&key) && needs {
            let message = "needs `client_auth_type: RequireAndVerifyClientCert`: a name in a certificate that nobody has \
                           to show, or that nobody has signed, proves nothing";
            self.fail_key(&key, message);
        }
        let names: Vec<String> = self.list(&key).into_iter().map(|(name, _)| name).collect();
        if self.has(&key) && names.is_empty() && self.is_sound(&key) {
            self.fail(&key, "names nobody, so that no client could connect; name one, or remove it");
        }
        names
    }

    /// What checks the certificates of clients; the outer `None` if something is wrong.
    fn clients(
        &mut self,
        (kind, authority, names): (ClientAuth, Option<RootCertStore>, Vec<String>),
        provider: &Arc<CryptoProvider>,
    ) -> Option<Option<Arc<dyn ClientCertVerifier>>> {
        if kind == ClientAuth::NoClientCert {
            return Some(None);
        }
        let verified = match authority.filter(|_| kind.verifies()) {
            None => None,
            Some(roots) => {
                let made = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider)).build();
                Some(made.map_err(|error| self.fail(&under("client_ca_file"), error.to_string())).ok()?)
            }
        };
        let algorithms = provider.signature_verification_algorithms;
        Some(Some(Arc::new(Clients { authority: verified, needed: kind.needs_one(), names, algorithms })))
    }
}

fn under(name: &str) -> String {
    format!("{TOP}.{name}")
}

fn mismatch(error: &rustls::Error) -> String {
    if matches!(error, rustls::Error::InconsistentKeys(_)) {
        return "is not the key of the certificate; the two belong together".to_owned();
    }
    format!("certificate and key cannot be used: {error}")
}

/// As Go calls it.
fn suite_name(suite: &SupportedCipherSuite) -> String {
    format!("{:?}", suite.suite()).replace("TLS13_", "TLS_")
}

/// As Go calls it.
fn curve_name(curve: &'static dyn SupportedKxGroup) -> String {
    // Go's names differ from the standard's for these.
    format!("{:?}", curve.name()).replace("secp256r1", "CurveP256").replace("secp384r1", "CurveP384")
}

fn date(seconds: u64) -> String {
    let time = i64::try_from(seconds).ok().and_then(|seconds| chrono::DateTime::from_timestamp(seconds, 0));
    time.map_or_else(|| "a day long ago".to_owned(), |time| time.format("%Y-%m-%d %H:%M:%S UTC").to_string())
}
