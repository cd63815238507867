//! The real daemon, killed or with a broken disk at any point of a run, on the real Docker engine.
//!
//! Whatever happens, after the next start: nothing acknowledged is lost, nothing is done twice, and every incident
//! reaches a verdict. What the log alone does on a broken disk stands in `log_faults.rs`.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    reason = "helpers of tests are tests too: a panic names its line, and a test picks the facts it is about"
)]

mod broken_disk;
mod in_flight;
mod kill_points;
#[path = "../support/real_daemon.rs"]
mod real_daemon;
#[expect(dead_code, reason = "shared with other tests, which need more of it")]
#[path = "../support/real_docker.rs"]
mod real_docker;
mod sender;
mod story;
mod under_load;
mod victims;
