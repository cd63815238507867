//! Password hashes: argon2id, and bcrypt for those who have them already.
//!
//! Checking one takes tens of milliseconds and argon2's memory on purpose: never on a thread that serves others.

use argon2::password_hash::{PasswordHasher, PasswordVerifier, phc};
use argon2::{Argon2, Params};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

/// A longer password is somebody's attempt to keep us busy.
pub const PASSWORD_BYTES_MAX: usize = 1024;

/// What one check may cost: 256 MiB, so many passes, so many lanes; bcrypt's cost is the exponent of its rounds.
const MEMORY_KIB_MAX: u32 = 256 << 10;
const PASSES_MAX: u32 = 16;
const LANES_MAX: u32 = 16;
const BCRYPT_COST_MAX: u32 = 15;

/// The hash of a password.
#[derive(Clone, Debug)]
pub struct PasswordHash {
    text: SecretString,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Argon2id,
    Bcrypt,
}

/// So many bytes of a password bcrypt looks at.
const BCRYPT_BYTES_MAX: usize = 72;

impl PasswordHash {
    /// As it stands in the settings. The error says what is wrong, without showing it.
    ///
    /// # Errors
    /// If it is no hash that can be checked, or one that would cost too much.
    pub fn parse(text: &str) -> Result<Self, String> {
        let kind = if text.starts_with("$argon2id$") {
            Kind::Argon2id
        } else if ["$2a$", "$2b$", "$2y$"].iter().any(|prefix| text.starts_with(prefix)) {
            Kind::Bcrypt
        } else {
            return Err("is no hash of argon2id or bcrypt; make one with `sickbay hash-password`".to_owned());
        };
        match kind {
            Kind::Argon2id => argon2id(text)?,
            Kind::Bcrypt => bcrypt(text)?,
        }
        Ok(Self { text: SecretString::from(text), kind })
    }

    /// Makes one, with a salt of its own.
    ///
    /// # Errors
    /// If the password is empty or too long, or the system gives no random numbers.
    pub fn make(password: &str) -> Result<String, String> {
        if password.is_empty() {
            return Err("the password is empty".to_owned());
        }
        if PASSWORD_BYTES_MAX < password.len() {
            return Err(format!("the password is longer than {PASSWORD_BYTES_MAX} bytes"));
        }
        let mut salt = [0; 16];
        getrandom::fill(&mut salt).map_err(|error| format!("the system gives no random numbers: {error}"))?;
        let hash = Argon2::default().hash_password_with_salt(password.as_bytes(), &salt);
        hash.map(|hash: phc::PasswordHash| hash.to_string()).map_err(|error| format!("it cannot be hashed: {error}"))
    }

    /// A digest of the hash itself.
    pub(super) fn digest(&self) -> [u8; 32] {
        Sha256::digest(self.text.expose_secret()).into()
    }

    /// Whether it is the hash of this password. Slow.
    #[must_use]
    pub fn fits(&self, password: &str) -> bool {
        if PASSWORD_BYTES_MAX < password.len() {
            return false;
        }
        let text = self.text.expose_secret();
        match self.kind {
            Kind::Argon2id => {
                let known = phc::PasswordHash::new(text);
                known.is_ok_and(|known| Argon2::default().verify_password(password.as_bytes(), &known).is_ok())
            }
            // Of more bytes bcrypt would look at the first ones alone.
            Kind::Bcrypt => password.len() <= BCRYPT_BYTES_MAX && bcrypt::verify(password, text).unwrap_or(false),
        }
    }
}

fn argon2id(text: &str) -> Result<(), String> {
    let broken = "is no whole hash of argon2id; make one with `sickbay hash-password`";
    let known = phc::PasswordHash::new(text).map_err(|_cause| broken.to_owned())?;
    let params = Params::try_from(&known).map_err(|_cause| broken.to_owned())?;
    if known.salt.is_none() || known.hash.is_none() {
        return Err(broken.to_owned());
    }
    let dear = MEMORY_KIB_MAX < params.m_cost() || PASSES_MAX < params.t_cost() || LANES_MAX < params.p_cost();
    if dear {
        return Err(format!(
            "costs too much to check: at most m={MEMORY_KIB_MAX}, t={PASSES_MAX} and p={LANES_MAX}; make one with \
             `sickbay hash-password`"
        ));
    }
    Ok(())
}

fn bcrypt(text: &str) -> Result<(), String> {
    let parts: Result<bcrypt::HashParts, _> = text.parse();
    let cost = parts.map_err(|_cause| "is no whole hash of bcrypt".to_owned())?.get_cost();
    // What is checked here is what a check would meet: a salt or a hash that cannot be read fits nothing.
    if text.len() != 60 || !(4..=BCRYPT_COST_MAX).contains(&cost) {
        return Err(format!("is no hash of bcrypt with a cost of 4 to {BCRYPT_COST_MAX}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_fits_its_password_and_no_other() {
        let made = PasswordHash::make("correct horse").unwrap();
        assert!(made.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{made}");
        assert_ne!(made, PasswordHash::make("correct horse").unwrap(), "each has a salt of its own");
        let htpasswd = "$2y$05$bvIG6Nmid91Mu9RcmmWZfO5HJIMCT8riNW0hEp8f6/FuA2/mHZFpe";
        for (hash, password, want) in [
            (made.as_str(), "correct horse", true),
            (&made, "correct hors", false),
            (&made, "correct horse ", false),
            (&made, "", false),
            (htpasswd, "password", true),
            (htpasswd, "Password", false),
        ] {
            assert_eq!(PasswordHash::parse(hash).unwrap().fits(password), want, "{hash} {password:?}");
        }
        assert!(!PasswordHash::parse(&made).unwrap().fits(&"x".repeat(PASSWORD_BYTES_MAX + 1)));
        assert!(PasswordHash::make("").is_err() && PasswordHash::make(&"x".repeat(2000)).is_err());
    }

    #[test]
    fn what_cannot_be_checked_is_refused_without_being_shown() {
        let salt = "c2FsdHNhbHRzYWx0";
        let hash = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE";
        for text in [
            "s3cret",
            "",
            "$argon2id$",
            "$argon2i$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaA",
            &format!("$argon2id$v=19$m=19456,t=2,p=1${salt}"),
            &format!("$argon2id$v=19$m=4194304,t=2,p=1${salt}${hash}"),
            &format!("$argon2id$v=19$m=19456,t=2000,p=1${salt}${hash}"),
            "$2y$05$bvIG6Nmid91Mu9RcmmWZfO5HJIMCT8riNW0hEp8f6/FuA2/mHZFp",
            "$2y$31$bvIG6Nmid91Mu9RcmmWZfO5HJIMCT8riNW0hEp8f6/FuA2/mHZFpe",
            "$5$rounds=5000$toolongsaltstrin$Un/5jzAHMgOGZ5.mWJpuolil07guHPvOW8mGsh",
        ] {
            let message = PasswordHash::parse(text).map(|_| text).unwrap_err();
            assert!(text.is_empty() || !message.contains(text), "{message}");
        }
        let whole = format!("$argon2id$v=19$m=19456,t=2,p=1${salt}${hash}");
        assert!(PasswordHash::parse(&whole).is_ok());
        assert!(!format!("{:?}", PasswordHash::parse(&whole).unwrap()).contains(hash));
    }
}
