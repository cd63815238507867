//! What stands around the daemon: the engine's event stream, Alertmanager, Prometheus, a sink for notices, playbooks.

mod aged;
mod alertmanager;
mod engine_events;
mod program;
mod prometheus;
mod rules;
mod sink;

pub(crate) use aged::Aged;
pub(crate) use alertmanager::Alertmanager;
pub(crate) use engine_events::{EngineEvents, restarts};
pub(crate) use prometheus::Prometheus;
pub(crate) use rules::{OPTED_IN, WIDE_LIMITS, WIDE_SETTINGS, dead_container, down, down_for};
pub(crate) use sink::Sink;
