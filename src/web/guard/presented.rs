//! What a request presents to prove who sends it.

use crate::people::PASSWORD_BYTES_MAX;
use axum::http::{HeaderMap, header};
use base64::Engine;
use secrecy::SecretString;

/// What the header `Authorization` holds.
pub(super) enum Presented {
    Nothing,
    Bearer(Vec<u8>),
    Basic {
        name: String,
        password: SecretString,
    },
    /// Several, or none of these.
    Nonsense,
}

impl Presented {
    pub(super) fn read(headers: &HeaderMap) -> Self {
        let mut values = headers.get_all(header::AUTHORIZATION).iter();
        let value = match (values.next(), values.next()) {
            (None, _) => return Self::Nothing,
            (Some(value), None) => value.as_bytes(),
            (Some(_), Some(_)) => return Self::Nonsense,
        };
        let after = |scheme: &[u8]| {
            let (start, rest) = value.split_at_checked(scheme.len())?;
            start.eq_ignore_ascii_case(scheme).then(|| rest.trim_ascii())
        };
        if let Some(token) = after(b"bearer ") {
            return Self::Bearer(token.to_vec());
        }
        let basic = after(b"basic ").filter(|text| text.len() <= 2 * PASSWORD_BYTES_MAX).and_then(decoded);
        match basic.as_deref().and_then(|text| text.split_once(':')) {
            Some((name, password)) => Self::Basic { name: name.to_owned(), password: SecretString::from(password) },
            None => Self::Nonsense,
        }
    }
}

fn decoded(text: &[u8]) -> Option<String> {
    let bytes = base64::engine::general_purpose::STANDARD.decode(text).ok()?;
    String::from_utf8(bytes).ok()
}
