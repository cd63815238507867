//! Who is logged in with a browser. Kept in memory alone: a restart of the daemon ends all sessions.

use crate::people::Person;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use subtle::ConstantTimeEq;

/// A session ends this long after the login, whatever is done with it.
const LASTS: Duration = Duration::from_secs(12 * 3600);

/// So many sessions may one person have: one more ends the oldest of them, and nobody else's.
const SESSIONS_MAX: usize = 20;

/// All sessions.
#[derive(Debug, Default)]
pub(super) struct Sessions(Mutex<HashMap<[u8; 32], Standing>>);

/// One of them.
#[derive(Clone, Debug)]
pub(super) struct Standing {
    /// Whose it is.
    pub(super) person: String,
    /// [`Person::credentials`] at the login: with others, it is over.
    pub(super) credentials: [u8; 32],
    since: Instant,
}

impl Sessions {
    /// Begins one; the secret that names it, for the cookie. `None` if the system gives no random numbers.
    pub(super) fn begin(&self, person: &Person, now: Instant) -> Option<String> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).ok()?;
        let secret = hex::encode(secret);
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|_, standing| standing.lasts(now));
        let own = sessions.iter().filter(|(_, standing)| standing.person == person.name);
        let (count, oldest) = (own.clone().count(), own.min_by_key(|(_, standing)| standing.since));
        if let Some(oldest) = oldest.filter(|_| SESSIONS_MAX <= count).map(|(key, _)| *key) {
            sessions.remove(&oldest);
        }
        let standing = Standing { person: person.name.clone(), credentials: person.credentials(), since: now };
        sessions.insert(key(&secret), standing);
        Some(secret)
    }

    /// The one that this secret names, if it lasts.
    pub(super) fn find(&self, secret: &str, now: Instant) -> Option<Standing> {
        let sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.get(&key(secret)).filter(|standing| standing.lasts(now)).cloned()
    }

    /// Ends it.
    pub(super) fn end(&self, secret: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&key(secret));
    }
}

impl Standing {
    fn lasts(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.since) < LASTS
    }
}

/// What each form of a session's pages must bring back. It is of no use without the session's cookie.
pub(super) fn form_token(secret: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(b"form/v1\0");
    hash.update(secret);
    hex::encode(hash.finalize())
}

/// Whether a form has brought it back.
pub(super) fn is_form_token(secret: &str, presented: &str) -> bool {
    form_token(secret).as_bytes().ct_eq(presented.as_bytes()).into()
}

fn key(secret: &str) -> [u8; 32] {
    Sha256::digest(secret).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::people::TokenHash;

    fn person(name: &str) -> Person {
        let token = TokenHash::of(&format!("{name}-has-a-long-token")).ok();
        Person {
            name: name.to_owned(),
            groups: Vec::new(),
            roles: Vec::new(),
            password: None,
            token,
            uid: None,
            slack_user: None,
            link_notifier: None,
        }
    }

    #[test]
    fn a_session_is_found_by_its_secret_alone_until_its_time_is_over() {
        let (sessions, start) = (Sessions::default(), Instant::now());
        let whose = |secret: &str, now| sessions.find(secret, now).map(|standing| standing.person);
        let secret = sessions.begin(&person("ada"), start).unwrap();
        let other = sessions.begin(&person("bob"), start).unwrap();
        assert!(secret != other && secret.len() == 64);
        for (presented, after, want) in [
            (&*secret, Duration::ZERO, Some("ada")),
            (&other, Duration::ZERO, Some("bob")),
            (&form_token(&secret), Duration::ZERO, None),
            ("", Duration::ZERO, None),
            (&secret, LASTS - Duration::from_secs(1), Some("ada")),
            (&secret, LASTS, None),
        ] {
            assert_eq!(whose(presented, start + after).as_deref(), want, "{presented} {after:?}");
        }
        assert!(is_form_token(&secret, &form_token(&secret)));
        assert!(!is_form_token(&secret, &form_token(&other)) && !is_form_token(&secret, ""));
        sessions.end(&secret);
        assert_eq!(whose(&secret, start), None);
        assert_eq!(whose(&other, start).as_deref(), Some("bob"));
    }

    #[test]
    fn one_person_has_so_many_sessions_and_ends_nobody_elses() {
        let (sessions, start) = (Sessions::default(), Instant::now());
        let adas = sessions.begin(&person("ada"), start).unwrap();
        let first = sessions.begin(&person("bob"), start).unwrap();
        let mut last = String::new();
        for number in 0..u64::try_from(SESSIONS_MAX).unwrap() {
            last = sessions.begin(&person("bob"), start + Duration::from_millis(number + 1)).unwrap();
        }
        let stands = |secret: &str| sessions.find(secret, start).is_some();
        assert_eq!([stands(&first), stands(&last), stands(&adas)], [false, true, true]);
        assert_eq!(sessions.0.lock().unwrap().len(), SESSIONS_MAX + 1);
    }
}
