//! The one way in which sickbay speaks HTTP to others: no redirects, no proxy, and never without a deadline.
//!
//! It knows nothing of what is sent. Read [`client`].

use reqwest::Client;
use std::time::Duration;

/// A client that trusts the roots it brings along besides the system's, so that it works in an image without any. Each
/// request, with all of its answer, may take so long.
///
/// # Errors
/// Why TLS could not be set up.
pub fn client(deadline: Duration) -> Result<Client, String> {
    // Fails only if a provider is installed already, which is just as well.
    let _installed_before = rustls::crypto::ring::default_provider().install_default();
    let wrong = |error: reqwest::Error| error.to_string();
    let roots = webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter();
    let roots: Result<Vec<_>, _> = roots.map(|root| reqwest::Certificate::from_der(root)).collect();
    Client::builder()
        .tls_certs_merge(roots.map_err(wrong)?)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .timeout(deadline)
        .user_agent(concat!("sickbay/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(wrong)
}
