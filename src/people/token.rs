//! Tokens: long random texts that programs present. Only their SHA-256 is kept, and compared in constant time.

use sha2::{Digest, Sha256};
use std::fmt;
use subtle::{Choice, ConstantTimeEq};

/// The SHA-256 of a token.
#[derive(Clone)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// A shorter token could be guessed.
    pub const LEN_MIN: usize = 16;

    /// Of a token. The error says what is wrong with it, without showing it.
    ///
    /// # Errors
    /// If it is too short.
    pub fn of(token: &str) -> Result<Self, String> {
        if token.len() < Self::LEN_MIN {
            let least = Self::LEN_MIN;
            return Err(format!("is shorter than {least} characters; make one with `sickbay hash-password --token`"));
        }
        Ok(Self::digest(token.as_bytes()))
    }

    /// As it stands in the settings: 64 hexadecimal digits.
    ///
    /// # Errors
    /// If it is something else.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_digits| {
            "is no SHA-256, which has 64 hexadecimal digits; make one with `sickbay hash-password --token`".to_owned()
        })?;
        Ok(Self(bytes))
    }

    /// Of whatever somebody presents.
    #[must_use]
    pub fn digest(presented: &[u8]) -> Self {
        Self(Sha256::digest(presented).into())
    }

    /// Whether it is the same one. Takes as long whatever differs.
    #[must_use]
    pub fn is(&self, other: &Self) -> Choice {
        self.0.ct_eq(&other.0)
    }

    pub(super) fn bytes(&self) -> [u8; 32] {
        self.0
    }

    /// In hexadecimal digits, for the settings.
    #[must_use]
    pub fn hex(&self) -> String {
        hex::encode(self.0)
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(…)")
    }
}
