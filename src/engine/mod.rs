//! The heart: events in, facts and effects out. Pure and synchronous; the same code serves the daemon and its tests.
//!
//! Read [`event::Event`] and [`effect::Effect`], then [`decide::decide`] and [`state::State`].

mod advance;
mod attempts;
mod breaker;
pub mod budget;
mod condition_values;
pub mod decide;
pub mod effect;
pub mod event;
pub mod explain;
mod gate;
pub mod history;
pub mod hold;
pub mod incident;
mod intake;
mod judge;
pub mod own_acts;
pub mod pause;
pub mod receipt;
pub mod ruleset;
pub mod snapshot;
pub mod state;
pub mod storm;
mod switch;
#[cfg(test)]
mod tests;
mod tick;
pub mod timeline;
mod values;
mod witness;

pub use decide::{Decision, decide};
