//! The heart: events in, facts and effects out. Pure and synchronous; the same code serves the daemon and its tests.
//!
//! Read [`event::Event`], then [`effect::Effect`], then [`decide`].

pub mod effect;
pub mod event;
pub mod receipt;
pub mod snapshot;
