//! Alertmanager as a witness: asked over its API whether an alert still fires. It only reads.
//!
//! What the answers mean together is decided in `model::testimony`; here they are fetched and decoded, within a few
//! seconds whatever the other side does. Read [`Witnesses`] first.

mod client;
mod decode;

pub use client::{Credential, InstanceConfig, InstanceError, Observer, Witnesses};

#[cfg(test)]
mod tests;
