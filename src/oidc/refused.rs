//! Why nobody is logged in by the provider's word: each in words for the person, and as it is counted.

use std::time::Duration;

/// Why the provider's word is not taken, or could not be had. Nothing in it is secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// No cookie of a login.
    #[error("this browser has not begun this login; begin again")]
    NotBegun,
    /// The cookie is too old, from another process, or made up.
    #[error("this login was begun too long ago, or before sickbay started anew; begin again")]
    Stale,
    /// The answer belongs to another login.
    #[error("this answer does not belong to the login that this browser has begun; begin again")]
    State,
    /// The answer has been used.
    #[error("this answer has been used already; begin again")]
    Replayed,
    /// Too many logins at once.
    #[error("too many people log in at once; try again in a few minutes")]
    Busy,
    /// The answer says, or should say, that another provider gives it (RFC 9207).
    #[error("this answer does not come from the provider of the settings; begin again")]
    OtherProvider,
    /// The provider said no.
    #[error("the provider has not let you in: {0}")]
    Provider(&'static str),
    /// The provider could not be asked.
    #[error("{0}")]
    Away(Away),
    /// The provider does not take the code, or gives nothing for it.
    #[error("the provider takes its own answer back: it gives no ID token for it; begin again")]
    Code,
    /// The ID token is not one that we accept.
    #[error("the provider's ID token is not accepted: {0}")]
    Token(Unfit),
}

/// Why the provider could not be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Away {
    /// It cannot be reached.
    #[error("the provider cannot be reached; log in in another way, or try again later")]
    Unreachable,
    /// It takes too long.
    #[error("the provider does not answer within {} s; log in in another way, or try again later", .0.as_secs())]
    Slow(Duration),
    /// What it says of itself is not what OpenID Connect asks for.
    #[error("the provider cannot be used as the settings name it; sickbay's own log says why")]
    Unusable,
}

/// What is wrong with an ID token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// It is no signed token.
    #[error("it cannot be read")]
    Unreadable,
    /// It is not signed, or in a way that proves nothing.
    #[error("it is not signed with a key of the provider's own (RS, PS, ES or EdDSA)")]
    Algorithm,
    /// No such key.
    #[error("the provider publishes no such key as it is signed with")]
    Key,
    /// The signature does not fit.
    #[error("its signature does not fit")]
    Signature,
    /// Somebody else gave it.
    #[error("it was issued by somebody else")]
    Issuer,
    /// It is for somebody else.
    #[error("it was issued to somebody else")]
    Audience,
    /// Too old.
    #[error("it has expired; are both clocks right?")]
    Expired,
    /// From a time that has not come.
    #[error("it is from the future; are both clocks right?")]
    Early,
    /// For another login.
    #[error("it belongs to another login")]
    Nonce,
    /// It names nobody.
    #[error("it lacks the claim that `web.oidc.claim` names")]
    Claim,
    /// The provider has not looked whether the address is theirs.
    #[error("it does not say that the mail address is verified (`email_verified`)")]
    Unverified,
}

impl Refused {
    /// As it is counted.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotBegun | Self::Stale | Self::State | Self::Replayed => "not_begun_here",
            Self::Busy => "busy",
            Self::OtherProvider => "other_provider",
            Self::Provider(_) => "denied_by_provider",
            Self::Away(_) => "unavailable",
            Self::Code => "no_token",
            Self::Token(_) => "bad_token",
        }
    }
}

impl From<Unfit> for Refused {
    fn from(unfit: Unfit) -> Self {
        Self::Token(unfit)
    }
}

impl From<Away> for Refused {
    fn from(away: Away) -> Self {
        Self::Away(away)
    }
}
