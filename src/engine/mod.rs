//! The heart: events in, facts and effects out. Pure and synchronous; the same code serves the daemon and its tests.
//!
//! Read [`event::Event`] and [`effect::Effect`], then [`decide::decide`] and [`state::State`].

pub mod abort;
mod acting;
mod advance;
pub mod aftermath;
pub mod approval;
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
mod limits;
mod look;
mod offspring;
mod origin;
pub mod own_acts;
pub mod pause;
pub mod raised;
pub mod receipt;
pub mod ruleset;
mod scale;
pub mod services;
pub mod snapshot;
pub mod state;
mod step_asked;
mod step_rules;
pub mod storm;
mod switch;
mod telling;
#[cfg(test)]
mod tests;
pub mod texts;
mod tick;
pub mod timeline;
mod treat;
mod turns;
mod values;
mod witness;

pub use decide::{Decision, decide};

pub use gate::{may_be_treated, service_may_be_treated};
