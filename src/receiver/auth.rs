//! Who may send: named senders with a bearer token or a user and password.
//!
//! What a sender presents is hashed and compared with every sender's hash in constant time, so neither the time nor the
//! answer tells how close a guess was or whose it nearly was. Secrets are kept as hashes only. Read [`Senders`] first.

use axum::http::{HeaderMap, HeaderValue, header};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

/// What a configured sender proves itself with.
pub enum Credential {
    /// `Authorization: Bearer …`
    Bearer(SecretString),
    /// `Authorization: Basic …`
    Basic {
        /// The user's name.
        username: String,
        /// The user's password.
        password: SecretString,
    },
}

impl Credential {
    /// What the right `Authorization` header holds: the scheme in lower case, and the hash of the rest.
    fn expected(&self) -> (Scheme, [u8; 32]) {
        match self {
            Self::Bearer(token) => (Scheme::Bearer, hash(token.expose_secret().as_bytes())),
            Self::Basic { username, password } => {
                let pair = SecretString::from(format!("{username}:{}", password.expose_secret()));
                (Scheme::Basic, hash(base64(pair.expose_secret().as_bytes()).as_bytes()))
            }
        }
    }
}

/// One configured sender.
pub struct Sender {
    /// How the log names it.
    pub name: String,
    /// What it proves itself with.
    pub credential: Credential,
}

/// The proof that a request came from a sender we know. Only [`Senders::verify`] makes one.
#[derive(Debug, PartialEq, Eq)]
pub struct Verified {
    sender: Box<str>,
}

impl Verified {
    /// The sender's configured name; `anonymous` where none is configured.
    #[must_use]
    pub fn sender(&self) -> &str {
        &self.sender
    }
}

/// Why a request was not let in. Says nothing about which sender came near.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unauthorized {
    /// No credentials.
    #[error(
        "no credentials: set `http_config` with `authorization` or `basic_auth` for this webhook in alertmanager.yml"
    )]
    Missing,
    /// More than one header, or none of the schemes we know.
    #[error("the Authorization header is not one of Bearer and Basic, or stands twice")]
    Malformed,
    /// Not what any sender would present.
    #[error("the credentials fit no sender under `webhook.senders`")]
    Wrong,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Bearer,
    Basic,
}

struct Known {
    name: Box<str>,
    scheme: Scheme,
    hash: [u8; 32],
}

/// All senders that may send.
pub struct Senders(Vec<Known>);

impl Senders {
    /// Keeps names and hashes. With no sender at all everybody is let in as `anonymous`: the settings allow that on
    /// loopback only, or where it was asked for by name.
    #[must_use]
    pub fn new(senders: &[Sender]) -> Self {
        let known = |sender: &Sender| {
            let (scheme, hash) = sender.credential.expected();
            Known { name: sender.name.as_str().into(), scheme, hash }
        };
        Self(senders.iter().map(known).collect())
    }

    /// Whether nobody has to prove anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Finds the sender of a request by its headers.
    ///
    /// # Errors
    /// [`Unauthorized`] if it is none of them.
    pub fn verify(&self, headers: &HeaderMap) -> Result<Verified, Unauthorized> {
        if self.0.is_empty() {
            return Ok(Verified { sender: "anonymous".into() });
        }
        let mut given = headers.get_all(header::AUTHORIZATION).iter();
        let (value, another) = (given.next().ok_or(Unauthorized::Missing)?, given.next());
        let (scheme, credentials) = parse(value).filter(|_| another.is_none()).ok_or(Unauthorized::Malformed)?;
        if credentials.is_empty() {
            return Err(Unauthorized::Wrong);
        }
        let presented = hash(credentials);
        // Every sender is compared, always, and the last one that fits is picked without a branch.
        let mut picked = u64::MAX;
        for (index, known) in (0_u64..).zip(&self.0) {
            let fits = known.hash.ct_eq(&presented) & Choice::from(u8::from(known.scheme == scheme));
            picked.conditional_assign(&index, fits);
        }
        let sender = usize::try_from(picked).ok().and_then(|index| self.0.get(index)).ok_or(Unauthorized::Wrong)?;
        Ok(Verified { sender: sender.name.clone() })
    }

    /// The value of `WWW-Authenticate`: only the schemes somebody may use.
    #[must_use]
    pub fn challenge(&self) -> HeaderValue {
        let uses = |scheme| self.0.iter().any(|known| known.scheme == scheme);
        HeaderValue::from_static(match (uses(Scheme::Bearer), uses(Scheme::Basic)) {
            (true, true) => "Bearer realm=\"sickbay\", Basic realm=\"sickbay\"",
            (false, true) => "Basic realm=\"sickbay\"",
            (true | false, false) => "Bearer realm=\"sickbay\"",
        })
    }
}

fn parse(value: &HeaderValue) -> Option<(Scheme, &[u8])> {
    let bytes = value.as_bytes();
    let space = bytes.iter().position(|byte| *byte == b' ')?;
    let (word, rest) = bytes.split_at_checked(space)?;
    let scheme = if word.eq_ignore_ascii_case(b"bearer") {
        Scheme::Bearer
    } else if word.eq_ignore_ascii_case(b"basic") {
        Scheme::Basic
    } else {
        return None;
    };
    Some((scheme, rest.trim_ascii()))
}

fn hash(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// Base64 with padding, as every HTTP client writes it for basic authentication.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |place: usize| u32::from(chunk.get(place).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4_usize {
            let digit = usize::try_from(bits >> (18 - 6 * place) & 63).ok().and_then(|index| DIGITS.get(index));
            text.push(digit.filter(|_| place <= chunk.len()).map_or('=', |digit| char::from(*digit)));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn senders() -> Senders {
        let bearer = |name: &str, token: &str| Sender {
            name: name.to_owned(),
            credential: Credential::Bearer(SecretString::from(token)),
        };
        let basic = Credential::Basic { username: "user".to_owned(), password: SecretString::from("pw") };
        Senders::new(&[
            bearer("one", "token-one"),
            bearer("two", "token-two"),
            Sender { name: "three".to_owned(), credential: basic },
        ])
    }

    fn verify(senders: &Senders, values: &[&str]) -> Result<String, Unauthorized> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::AUTHORIZATION, HeaderValue::from_str(value).unwrap());
        }
        senders.verify(&headers).map(|verified| verified.sender().to_owned())
    }

    #[test]
    fn each_sender_is_known_by_its_own_credential() {
        for (value, want) in [
            ("Bearer token-one", "one"),
            ("bearer  token-two ", "two"),
            ("Basic dXNlcjpwdw==", "three"),
            ("BASIC dXNlcjpwdw==", "three"),
        ] {
            assert_eq!(verify(&senders(), &[value]).as_deref(), Ok(want), "{value}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for (values, want) in [
            (&[][..], Unauthorized::Missing),
            (&["Bearer "], Unauthorized::Wrong),
            (&["Bearer token-on"], Unauthorized::Wrong),
            (&["Bearer token-one1"], Unauthorized::Wrong),
            (&["Bearer token-three"], Unauthorized::Wrong),
            (&["Basic token-one"], Unauthorized::Wrong),
            (&["Bearer dXNlcjpwdw=="], Unauthorized::Wrong),
            (&["token-one"], Unauthorized::Malformed),
            (&["Digest token-one"], Unauthorized::Malformed),
            (&["Bearer token-one", "Bearer token-one"], Unauthorized::Malformed),
        ] {
            assert_eq!(verify(&senders(), values), Err(want), "{values:?}");
        }
    }

    #[test]
    fn without_senders_everybody_is_anonymous() {
        assert_eq!(verify(&Senders::new(&[]), &[]).as_deref(), Ok("anonymous"));
        assert_eq!(verify(&Senders::new(&[]), &["Bearer x"]).as_deref(), Ok("anonymous"));
    }

    #[test]
    fn base64_is_the_standard_one() {
        for (plain, want) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("user:pw", "dXNlcjpwdw==")] {
            assert_eq!(base64(plain.as_bytes()), want);
        }
        assert_eq!(base64(&[0xfb, 0xff]), "+/8=");
    }
}
