//! Every key of the format, those that are refused included.

use super::super::schema::Holds::{self, Flag, List, Names, Text};
use super::super::schema::{Table, key, table};

/// Keys of the format that are refused with a reason.
pub(super) const REFUSED: [(&str, &str); 1] = [(
    "rate_limit",
    "is not executed: sickbay bounds what clients hold by itself, and Alertmanager gives up a notification that is \
     answered with 429; remove it",
)];

/// The headers that may be added, and the values that some of them may have.
pub(super) const HEADERS: [(&str, &[&str]); 5] = [
    ("Content-Security-Policy", &[]),
    ("X-Frame-Options", &["deny", "sameorigin"]),
    ("X-Content-Type-Options", &["nosniff"]),
    ("X-XSS-Protection", &[]),
    ("Strict-Transport-Security", &[]),
];

/// The names of [`REFUSED`].
pub(super) const REFUSED_NAMES: [&str; 1] = ["rate_limit"];

/// The whole file.
pub(super) static WEB_FILE: Table = table(&[
    key("tls_server_config", Holds::Map(&TLS), "The certificate, and how TLS is spoken."),
    key("http_server_config", Holds::Map(&HTTP), "How HTTP is spoken."),
    key("basic_auth_users", Names, "Names and hashes of passwords."),
]);

static TLS: Table = table(&[
    key("cert", Text, "The certificate, as PEM."),
    key("cert_file", Text, "The file that holds it."),
    key("key", Text, "Its key, as PEM."),
    key("key_file", Text, "The file that holds it."),
    key("client_ca", Text, "Who signs the certificates of clients, as PEM."),
    key("client_ca_file", Text, "The file that holds it."),
    key("client_auth_type", Text, "Whether clients show certificates."),
    key("client_allowed_sans", List(&Text), "The names of which a client's certificate has one."),
    key("min_version", Text, "The oldest TLS."),
    key("max_version", Text, "The newest TLS."),
    key("cipher_suites", List(&Text), "Cipher suites."),
    key("prefer_server_cipher_suites", Flag, "Whose order of them counts."),
    key("curve_preferences", List(&Text), "Curves, the best first."),
]);

static HTTP: Table = table(&[
    key("http2", Flag, "Whether HTTP/2 is spoken."),
    key("headers", Holds::Map(&HEADER_KEYS), "Headers that are added to each answer."),
]);

static HEADER_KEYS: Table = table(&[
    key("Content-Security-Policy", Text, ""),
    key("X-Frame-Options", Text, ""),
    key("X-Content-Type-Options", Text, ""),
    key("X-XSS-Protection", Text, ""),
    key("Strict-Transport-Security", Text, ""),
]);
