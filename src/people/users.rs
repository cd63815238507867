//! Names and passwords that open the door, and no more: whoever knows one may come in.

use super::password::PasswordHash;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use subtle::ConstantTimeEq;

/// Who may come in.
#[derive(Debug, Default)]
pub struct Users {
    known: Vec<(String, PasswordHash)>,
    /// What each presented last that fitted, so that the slow check is done once. Useless without the key, which is
    /// another one in each process.
    seen: Mutex<HashMap<String, [u8; 32]>>,
    key: [u8; 32],
}

impl Users {
    /// These. Without random numbers nothing is remembered.
    #[must_use]
    pub fn new(known: Vec<(String, PasswordHash)>) -> Self {
        let mut key = [0; 32];
        // Without it digests could be made by somebody else; they never leave the process.
        _ = getrandom::fill(&mut key);
        Self { known, seen: Mutex::default(), key }
    }

    /// Whether there is nobody.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// Whether this very password was found right before. Quick.
    #[must_use]
    pub fn have_seen(&self, name: &str, password: &str) -> bool {
        let presented = self.digest(name, password);
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.get(name).is_some_and(|known| known.ct_eq(&presented).into())
    }

    /// Whether it is the password of this user. Slow, and as slow where nobody has the name.
    #[must_use]
    pub fn check(&self, name: &str, password: &str) -> bool {
        let user = self.known.iter().find(|(known, _)| known == name);
        let Some((_, hash)) = user.or_else(|| self.known.first()) else { return false };
        let fits = hash.fits(password) && user.is_some();
        if fits {
            let digest = self.digest(name, password);
            self.seen.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), digest);
        }
        fits
    }

    fn digest(&self, name: &str, password: &str) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(self.key);
        // So that no end of a name is the beginning of a password.
        hash.update(name.len().to_le_bytes());
        hash.update(name);
        hash.update(password);
        hash.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn users() -> Users {
        let hash = |password| PasswordHash::parse(&bcrypt::hash(password, 4).unwrap()).unwrap();
        Users::new(vec![("prometheus".to_owned(), hash("sesame")), ("grafana".to_owned(), hash("other"))])
    }

    #[test]
    fn a_password_is_its_owners_alone_and_is_remembered_once_it_fitted() {
        let users = users();
        for (name, password, want) in [
            ("prometheus", "sesame", true),
            ("grafana", "other", true),
            ("prometheus", "other", false),
            ("prometheus", "", false),
            ("grafana", "sesame", false),
            // The hash of the first one is only there to take as long.
            ("nobody", "sesame", false),
            ("", "sesame", false),
            ("Prometheus", "sesame", false),
        ] {
            assert!(!users.have_seen(name, password), "{name} {password}");
            assert_eq!(users.check(name, password), want, "{name} {password}");
            assert_eq!(users.have_seen(name, password), want, "{name} {password}");
        }
        assert!(!users.have_seen("prometheu", "ssesame") && !users.have_seen("grafana", "sesame"));
        assert!(!Users::default().check("", "") && !Users::default().have_seen("", ""));
    }
}
