//! The one way in which sickbay speaks HTTP to others: no redirects, no proxy, and never without a deadline; and whom it
//! trusts over TLS.
//!
//! It knows nothing of what is sent. Read [`client`].

use crate::model::link_local::is_link_local;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, ClientBuilder};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// A client that trusts the roots it brings along besides the system's, so that it works in an image without any. Each
/// request, with all of its answer, may take so long.
///
/// # Errors
/// Why TLS could not be set up.
pub fn client(deadline: Duration) -> Result<Client, String> {
    builder(deadline)?.build().map_err(|error| error.to_string())
}

/// The same, for URLs that somebody else than the settings' author may have thought of: it connects to no link-local
/// address, whatever a name resolves to. There clouds keep their machines' credentials. A URL that names such an address
/// itself is for [`is_link_local`].
///
/// # Errors
/// Why TLS could not be set up.
pub fn guarded(deadline: Duration) -> Result<Client, String> {
    builder(deadline)?.dns_resolver(Arc::new(Elsewhere)).build().map_err(|error| error.to_string())
}

/// As [`guarded`]; with authorities in PEM, these alone are trusted.
///
/// # Errors
/// Why TLS could not be set up.
pub fn trusting(deadline: Duration, authorities: Option<&str>) -> Result<Client, String> {
    let builder = builder(deadline)?.dns_resolver(Arc::new(Elsewhere));
    let builder = match authorities {
        None => builder,
        Some(pem) => {
            let own = reqwest::Certificate::from_pem_bundle(pem.as_bytes()).map_err(|error| error.to_string())?;
            builder.tls_certs_only(own)
        }
    };
    builder.build().map_err(|error| error.to_string())
}

/// TLS for what is not HTTP, with the same trust: the roots brought along besides the system's or, with authorities in PEM,
/// these alone.
///
/// # Errors
/// Why TLS could not be set up.
pub fn trust(authorities: Option<&str>) -> Result<Arc<ClientConfig>, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| error.to_string())?;
    let Some(pem) = authorities else {
        let roots = webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().cloned();
        let verifier = rustls_platform_verifier::Verifier::new_with_extra_roots(roots, provider);
        let verifier = Arc::new(verifier.map_err(|error| error.to_string())?);
        return Ok(Arc::new(builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth()));
    };
    let mut roots = RootCertStore::empty();
    for root in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let root = root.map_err(|error| format!("`ca_file`: {error}"))?;
        roots.add(root).map_err(|error| format!("`ca_file`: {error}"))?;
    }
    if roots.is_empty() {
        return Err("`ca_file`: no certificate in it".to_owned());
    }
    Ok(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
}

/// Names lead anywhere but to link-local addresses.
struct Elsewhere;

impl Resolve for Elsewhere {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let (barred, open): (Vec<SocketAddr>, Vec<SocketAddr>) =
                found.into_iter().partition(|address| is_link_local(address.ip()));
            if open.is_empty() && !barred.is_empty() {
                return Err(format!("{} is a link-local address, which sickbay does not call", name.as_str()).into());
            }
            Ok(Box::new(open.into_iter()) as Addrs)
        })
    }
}

fn builder(deadline: Duration) -> Result<ClientBuilder, String> {
    // Fails only if a provider is installed already, which is just as well.
    let _installed_before = rustls::crypto::ring::default_provider().install_default();
    let wrong = |error: reqwest::Error| error.to_string();
    let roots = webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter();
    let roots: Result<Vec<_>, _> = roots.map(|root| reqwest::Certificate::from_der(root)).collect();
    let builder = Client::builder()
        .tls_certs_merge(roots.map_err(wrong)?)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .timeout(deadline)
        .user_agent(concat!("sickbay/", env!("CARGO_PKG_VERSION")));
    Ok(builder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_clouds_keep_credentials_is_known_in_each_spelling() {
        for (address, want) in [
            ("169.254.169.254", true),
            ("169.254.0.1", true),
            ("::ffff:169.254.169.254", true),
            ("fe80::1", true),
            ("fd00:ec2::254", true),
            ("10.0.0.1", false),
            ("127.0.0.1", false),
            ("172.17.0.2", false),
            ("fd00::1", false),
        ] {
            assert_eq!(is_link_local(address.parse().unwrap()), want, "{address}");
        }
    }

    #[tokio::test]
    async fn a_name_that_leads_there_is_not_resolved() {
        let resolved = Elsewhere.resolve("169.254.169.254".parse().unwrap()).await;
        assert!(resolved.is_err_and(|error| error.to_string().contains("link-local")));
        assert_eq!(Elsewhere.resolve("127.0.0.1".parse().unwrap()).await.unwrap().count(), 1);
    }
}
