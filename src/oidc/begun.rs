//! Logins that have been begun: a cookie binds each to its browser, and nothing is kept here until the answer comes.
//!
//! The cookie names the login and is signed; `state`, `nonce` and the verifier of PKCE follow from its name by a key that
//! only this process has. So however many are begun, no memory is taken. Only what was answered is remembered, until it is
//! too old to be answered again. Read [`Logins::begin`] and [`Logins::recognise`].

use super::refused::Refused;
use crate::people::Mac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A login that was begun must be answered within this.
pub(super) const LASTS: Duration = Duration::from_secs(600);

/// So many answers are remembered. Beyond, nobody is logged in in this way for a while.
const ANSWERED_MAX: usize = 4096;

/// The longest path to return to.
const PATH_LEN_MAX: usize = 512;

/// All of them.
pub(super) struct Logins {
    key: Option<[u8; 32]>,
    start: Instant,
    answered: Mutex<HashMap<String, Instant>>,
}

/// One of them.
#[derive(Clone)]
pub struct Begun {
    id: String,
    state: String,
    pub(super) nonce: String,
    pub(super) verifier: String,
    /// Where its person was going: a path of ours that begins with `/`.
    pub to: String,
}

impl fmt::Debug for Begun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Begun").field("to", &self.to).finish_non_exhaustive()
    }
}

impl Begun {
    /// What the provider gives back with its answer.
    pub(super) fn state(&self) -> &str {
        &self.state
    }

    /// What the provider is told of the verifier.
    pub(super) fn challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(&self.verifier))
    }
}

impl Logins {
    pub(super) fn new(start: Instant) -> Self {
        let mut key = [0; 32];
        let key = getrandom::fill(&mut key).ok().map(|()| key);
        Self { key, start, answered: Mutex::default() }
    }

    /// Begins one, and its cookie. `None` if the system gives no random numbers.
    pub(super) fn begin(&self, to: &str, now: Instant) -> Option<(Begun, String)> {
        let key = self.key?;
        let mut id = [0; 32];
        getrandom::fill(&mut id).ok()?;
        let begun = Begun::new(&key, hex::encode(id), own_path(to).to_owned());
        let to = URL_SAFE_NO_PAD.encode(&begun.to);
        let text = format!("{}.{}.{to}", begun.id, now.saturating_duration_since(self.start).as_secs());
        let cookie = format!("{text}.{}", signature(&key, &text).hex());
        Some((begun, cookie))
    }

    /// The login that a browser has begun, if the answer is to this one and the first to it.
    pub(super) fn recognise(&self, cookie: Option<&str>, state: &str, now: Instant) -> Result<Begun, Refused> {
        let key = self.key.ok_or(Refused::NotBegun)?;
        let cookie = cookie.ok_or(Refused::NotBegun)?;
        let begun = self.read(&key, cookie, now).ok_or(Refused::Stale)?;
        let fits = Mac::of(&key, &[b"state/v1\0", begun.id.as_bytes()]).is_hex(state);
        if !fits {
            return Err(Refused::State);
        }
        self.first_answer(&begun.id, now)?;
        Ok(begun)
    }

    fn read(&self, key: &[u8; 32], cookie: &str, now: Instant) -> Option<Begun> {
        let (text, mac) = cookie.rsplit_once('.')?;
        if !signature(key, text).is_hex(mac) {
            return None;
        }
        let mut parts = text.split('.');
        let (id, at, to) = (parts.next()?, parts.next()?.parse().ok()?, parts.next()?);
        let age = now.saturating_duration_since(self.start).as_secs().checked_sub(at)?;
        let to = String::from_utf8(URL_SAFE_NO_PAD.decode(to).ok()?).ok()?;
        (age < LASTS.as_secs()).then(|| Begun::new(key, id.to_owned(), to))
    }

    fn first_answer(&self, id: &str, now: Instant) -> Result<(), Refused> {
        let mut answered = self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        if answered.contains_key(id) {
            return Err(Refused::Replayed);
        }
        answered.retain(|_, since| now.saturating_duration_since(*since) <= LASTS);
        if ANSWERED_MAX <= answered.len() {
            return Err(Refused::Busy);
        }
        answered.insert(id.to_owned(), now);
        Ok(())
    }
}

impl Begun {
    fn new(key: &[u8; 32], id: String, to: String) -> Self {
        let of = |what: &[u8]| Mac::of(key, &[what, id.as_bytes()]).hex();
        let (state, nonce, verifier) = (of(b"state/v1\0"), of(b"nonce/v1\0"), of(b"verifier/v1\0"));
        Self { id, state, nonce, verifier, to }
    }
}

fn signature(key: &[u8; 32], text: &str) -> Mac {
    Mac::of(key, &[b"cookie/v1\0", text.as_bytes()])
}

/// The path if it leads to a page of ours, and else that of all pages. `//host` and `/\host` lead elsewhere.
pub(super) fn own_path(to: &str) -> &str {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~?=&%+,:;@!$'()*".contains(&byte);
    let is_own = to.starts_with('/') && !to.starts_with("//") && to.len() <= PATH_LEN_MAX && to.bytes().all(plain);
    let is_door = ["/login", "/logout"].iter().any(|door| to.starts_with(door));
    if is_own && !is_door { to } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_answered_once_in_time_and_by_the_browser_that_began_it() {
        let start = Instant::now();
        let (logins, after) = (Logins::new(start), |seconds: u64| start + Duration::from_secs(seconds));
        let begin = || logins.begin("/incidents?q=1", after(5)).unwrap();
        let ((begun, cookie), (other, others)) = (begin(), begin());
        assert!(![&begun.state, &begun.nonce, &begun.verifier].iter().any(|secret| cookie.contains(secret.as_str())));
        assert!(begun.verifier.len() == 64 && begun.challenge().len() == 43);
        let elsewhere = Logins::new(start).begin("/", after(5)).unwrap();
        let forged = cookie.replace(".5.", ".6.");
        for (what, cookie, state, at, want) in [
            ("no cookie", None, &*begun.state, 6, Refused::NotBegun),
            ("no state", Some(&*cookie), "", 6, Refused::State),
            ("another login's state", Some(&cookie), &other.state, 6, Refused::State),
            ("another login's cookie", Some(&others), &begun.state, 6, Refused::State),
            ("its nonce", Some(&cookie), &begun.nonce, 6, Refused::State),
            ("a cookie that was changed", Some(&forged), &begun.state, 6, Refused::Stale),
            ("no cookie of ours", Some("a.b.c.d"), &begun.state, 6, Refused::Stale),
            ("an empty cookie", Some(""), &begun.state, 6, Refused::Stale),
            ("another process's cookie", Some(&elsewhere.1), &elsewhere.0.state, 6, Refused::Stale),
            ("too late", Some(&cookie), &begun.state, 605, Refused::Stale),
        ] {
            assert_eq!(logins.recognise(cookie, state, after(at)).map(|begun| begun.to), Err(want), "{what}");
        }
        let known = logins.recognise(Some(&cookie), &begun.state, after(604)).unwrap();
        assert_eq!((&*known.to, &known.nonce, &known.verifier), ("/incidents?q=1", &begun.nonce, &begun.verifier));
        let again = logins.recognise(Some(&cookie), &begun.state, after(604));
        assert_eq!(again.map(|begun| begun.to), Err(Refused::Replayed));
        assert!(logins.recognise(Some(&others), &other.state, after(10)).is_ok());
        assert_eq!(format!("{begun:?}"), "Begun { to: \"/incidents?q=1\", .. }");
    }

    #[test]
    fn however_many_are_answered_no_more_are_remembered() {
        let start = Instant::now();
        let logins = Logins::new(start);
        let answer = |at: Instant| {
            let (begun, cookie) = logins.begin("/", at).unwrap();
            logins.recognise(Some(&cookie), &begun.state, at).map(|_begun| ())
        };
        for _ in 0..ANSWERED_MAX {
            assert_eq!(answer(start), Ok(()));
        }
        assert_eq!(answer(start), Err(Refused::Busy));
        assert_eq!(answer(start + LASTS + Duration::from_secs(1)), Ok(()));
        assert_eq!(logins.answered.lock().unwrap().len(), 1);
    }

    #[test]
    fn nobody_is_sent_elsewhere_after_a_login() {
        for own in ["/", "/status", "/incidents?matcher=a%3D%22b%22&page=2", "/incidents/12"] {
            assert_eq!(own_path(own), own);
        }
        let long = format!("/{}", "a".repeat(PATH_LEN_MAX));
        for other in [
            "",
            "status",
            "//evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "https://evil.example/",
            "/\t/evil.example",
            "/\n/evil.example",
            " //evil.example",
            "javascript:alert(1)",
            "/a\"onload=\"b",
            "/\u{430}",
            "/login/oidc",
            "/logout",
            &long,
        ] {
            assert_eq!(own_path(other), "/", "{other:?}");
        }
    }
}
