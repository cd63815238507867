//! What the words mean: alerts, matchers, targets, actions, facts.
//!
//! Everything here is plain data with the rules that make it valid. Nothing here knows a clock, a file, a socket or
//! another module of this crate. Read [`alert::Alert`] first, then [`fact::Fact`].

pub mod action;
pub mod alert;
pub mod approval;
pub mod container;
pub mod convergence;
pub mod diagnosis;
pub mod docker_call;
pub mod duration;
pub mod fact;
pub mod go_regex;
pub mod hidden;
pub mod host;
pub mod id;
pub mod incident;
pub mod label;
pub mod limit;
pub mod link_local;
pub mod mail;
pub mod matcher;
pub mod memory;
pub mod moment;
pub mod notice;
pub mod owner;
pub mod owner_names;
pub mod pause;
pub mod permission;
pub mod policy;
pub mod reason;
pub mod reconcile;
pub mod recovery;
pub mod redact;
pub mod request;
pub mod resources;
pub mod service;
pub mod ssh;
pub mod stamp;
pub mod step;
pub mod taken;
pub mod target;
pub mod testimony;
pub mod time_interval;
