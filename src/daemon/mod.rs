//! The daemon: wires the pure engine to the log, to Docker and to the people.
//!
//! One task, the [`dispatcher`], owns all state. Everything else brings it events or carries out its effects.
//! Read [`run`] for the wiring, then [`dispatcher`].

pub mod clock;
pub mod config;
pub mod diagnose;
pub mod dispatcher;
pub mod executor;
pub mod hosts;
pub mod links;
pub mod observe;
pub mod online;
pub mod parts;
pub mod permits;
pub mod probe;
pub mod reload;
pub mod run;
pub mod slack;
pub mod switches;
pub mod tasks;
pub mod web_file;
