//! Logging in by a provider of OpenID Connect: the authorization code flow with PKCE.
//!
//! A browser is sent to the provider with what binds the answer to this very login ([`Provider::begin`]); it comes back with
//! a code, which sickbay exchanges for an ID token, and the token is believed only if everything about it fits
//! ([`Provider::vouch`]). Who that is among the people of the settings, and what a session is, others know.

mod begun;
mod keys;
mod metadata;
mod provider;
mod refused;
mod token;

#[cfg(test)]
mod token_tests;

pub use begun::Begun;
pub use provider::{Answer, Beginning, DEADLINE, Provider};
pub use refused::{Away, Refused, Unfit};
