//! The real engine on a virtual clock: a simulated Docker, disk and machine, where everything that may go wrong can be
//! made to.
//!
//! Pure: nothing here waits, draws lots or touches the world, so the same inputs always give the same story. Decisions,
//! state, holding back, judging recovery and reconciliation are the daemon's own code; simulated is only what lies
//! outside of it. Read [`world::World`] first, then [`input::Input`] for what can happen to it.

pub mod alertmanager;
pub mod clock;
pub mod container;
pub mod daemon;
pub mod disk;
pub mod docker;
mod executor;
pub mod input;
mod queue;
mod request;
pub mod service;
#[cfg(test)]
mod service_tests;
pub mod services;
#[cfg(test)]
mod tests;
pub mod vote;
pub mod world;
