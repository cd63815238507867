//! What stands around the daemon: the engine's event stream, Alertmanager, Prometheus, playbooks.

mod aged;
mod alertmanager;
pub(crate) mod between;
mod certificates;
mod compose;
mod engine_events;
mod engines;
mod program;
mod prometheus;
mod rules;
mod sshd;

pub(crate) use aged::Aged;
pub(crate) use alertmanager::Alertmanager;
pub(crate) use certificates::Certificates;
pub(crate) use compose::{Generation, Project, number};
pub(crate) use engine_events::{EngineEvents, restarts};
pub(crate) use engines::Engine;
pub(crate) use prometheus::Prometheus;
pub(crate) use rules::{OPTED_IN, WIDE_LIMITS, WIDE_SETTINGS, dead_container, down, down_for, treatment};
pub(crate) use sshd::Sshd;
