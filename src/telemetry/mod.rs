//! What sickbay tells about itself: log lines for people, metrics for Prometheus.
//!
//! Neither is the incident log: nothing here is evidence, and nothing waits for it. The methods take plain values, so
//! that this module needs to know no other. Read [`metrics::Metrics`] and [`logging::init`].

pub mod exposition;
pub mod logging;
pub mod metrics;

mod process;
