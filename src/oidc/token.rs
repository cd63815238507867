//! ID tokens: what must be true of one before it says who somebody is (OpenID Connect Core, section 3.1.3.7).
//!
//! Read [`subject`].

use super::keys::Keys;
use super::refused::Unfit;
use crate::people::OidcLogin;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// A longer one is none.
const TOKEN_LEN_MAX: usize = 32 << 10;

/// How far apart both clocks may be, in seconds.
const SKEW: i64 = 60;

/// The longest name that a provider may give to somebody, in bytes: that of the standard.
const SUBJECT_LEN_MAX: usize = 255;

/// What the token has to say.
pub(super) struct Expected<'e> {
    pub(super) login: &'e OidcLogin,
    pub(super) nonce: &'e str,
    /// Seconds since 1970.
    pub(super) now: i64,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    /// What must be understood; nothing of it is.
    crit: Option<Value>,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    aud: Audience,
    azp: Option<String>,
    exp: i64,
    iat: i64,
    nbf: Option<i64>,
    nonce: Option<String>,
    #[serde(flatten)]
    others: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

impl Audience {
    /// It is ours alone: whoever else it is for could present it here.
    fn is(&self, client: &str) -> bool {
        match self {
            Self::One(one) => one == client,
            Self::Several(all) => matches!(&all[..], [one] if one == client),
        }
    }
}

/// Whom the token names, if it may be believed.
pub(super) fn subject(token: &str, keys: &Keys, expected: &Expected<'_>) -> Result<String, Unfit> {
    if TOKEN_LEN_MAX < token.len() {
        return Err(Unfit::Unreadable);
    }
    let (signed, signature) = token.rsplit_once('.').ok_or(Unfit::Unreadable)?;
    let (header, payload) = signed.split_once('.').ok_or(Unfit::Unreadable)?;
    let header: Header = read(header)?;
    if header.crit.is_some() {
        return Err(Unfit::Unreadable);
    }
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_no_base64| Unfit::Unreadable)?;
    keys.prove((&header.alg, header.kid.as_deref()), (signed.as_bytes(), &signature))?;
    let claims: Claims = read(payload)?;
    claims.fit(expected)?;
    claims.user(&expected.login.claim)
}

impl Claims {
    fn fit(&self, expected: &Expected<'_>) -> Result<(), Unfit> {
        let (login, now) = (expected.login, expected.now);
        let party = self.azp.as_ref().is_none_or(|party| *party == login.client_id);
        if self.iss != login.issuer {
            return Err(Unfit::Issuer);
        }
        if !(self.aud.is(&login.client_id) && party) {
            return Err(Unfit::Audience);
        }
        if self.exp.saturating_add(SKEW) <= now {
            return Err(Unfit::Expired);
        }
        if now.saturating_add(SKEW) < self.iat.max(self.nbf.unwrap_or(self.iat)) {
            return Err(Unfit::Early);
        }
        if self.nonce.as_deref() != Some(expected.nonce) {
            return Err(Unfit::Nonce);
        }
        Ok(())
    }

    fn user(&self, claim: &str) -> Result<String, Unfit> {
        let user = self.others.get(claim).and_then(Value::as_str);
        let user = user.filter(|user| (1..=SUBJECT_LEN_MAX).contains(&user.len())).ok_or(Unfit::Claim)?;
        if claim == OidcLogin::EMAIL && self.others.get("email_verified") != Some(&Value::Bool(true)) {
            return Err(Unfit::Unverified);
        }
        Ok(user.to_owned())
    }
}

fn read<T: DeserializeOwned>(part: &str) -> Result<T, Unfit> {
    let json = URL_SAFE_NO_PAD.decode(part).map_err(|_no_base64| Unfit::Unreadable)?;
    serde_json::from_slice(&json).map_err(|_no_json| Unfit::Unreadable)
}
