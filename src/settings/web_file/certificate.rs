//! What stands in a certificate: until when it holds, and for which names. Whether it is genuine is asked elsewhere.

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::net::IpAddr;
use x509_cert::Certificate;
use x509_cert::der::Decode;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

/// The certificates in a PEM text, at least one.
pub(super) fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let read = read.map_err(|error| format!("is no PEM that can be read: {error}"))?;
    if read.is_empty() {
        return Err("has no certificate in it: a line -----BEGIN CERTIFICATE----- is missing".to_owned());
    }
    Ok(read)
}

/// The private key in a PEM text. What is wrong is said without a byte of it.
pub(super) fn private_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, String> {
    PrivateKeyDer::from_pem_slice(pem).map_err(|_cause| {
        "has no private key in it that can be read: a line -----BEGIN PRIVATE KEY----- is missing, or the key is \
         encrypted"
            .to_owned()
    })
}

/// When it ends, in seconds since 1970.
pub(super) fn expires(certificate: &CertificateDer<'_>) -> Result<u64, String> {
    let parsed = Certificate::from_der(certificate).map_err(|error| format!("is no certificate: {error}"))?;
    Ok(parsed.tbs_certificate().validity().not_after.to_unix_duration().as_secs())
}

/// Whether one of its alternative names is one of these, byte by byte. One that cannot be read has none.
pub(super) fn has_name_of(certificate: &CertificateDer<'_>, allowed: &[String]) -> bool {
    let Ok(parsed) = Certificate::from_der(certificate) else { return false };
    let Ok(Some((_, names))) = parsed.tbs_certificate().get_extension::<SubjectAltName>() else { return false };
    let is = |name: &str| allowed.iter().any(|allowed| allowed == name);
    names.0.iter().any(|name| match name {
        GeneralName::DnsName(name) => is(name.as_str()),
        GeneralName::Rfc822Name(name) => is(name.as_str()),
        GeneralName::UniformResourceIdentifier(name) => is(name.as_str()),
        GeneralName::IpAddress(bytes) => {
            let address = <[u8; 4]>::try_from(bytes.as_bytes()).map(IpAddr::from);
            let address = address.or_else(|_six| <[u8; 16]>::try_from(bytes.as_bytes()).map(IpAddr::from));
            address.is_ok_and(|address| allowed.iter().any(|allowed| allowed.parse() == Ok(address)))
        }
        GeneralName::OtherName(_)
        | GeneralName::DirectoryName(_)
        | GeneralName::EdiPartyName(_)
        | GeneralName::RegisteredId(_) => false,
    })
}
