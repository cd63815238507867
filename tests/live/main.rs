//! The real daemon against a real Docker engine, a real Alertmanager and a real Prometheus. What is missing is an error
//! that names the Debian package, never a skipped test.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests are tests too: a panic names its line"
)]

mod actions;
mod alertmanager;
mod attempts;
mod chain;
mod clocks;
mod dependents;
mod docker;
mod dry_run;
mod failures;
mod hands_off;
mod limits;
mod refusals;
mod reload;
mod scenarios;
mod storm;
mod support;
mod when;
mod witness;

#[path = "../support/alerts.rs"]
mod alerts;
#[path = "../support/http.rs"]
mod http;
#[path = "../support/real_docker.rs"]
mod real_docker;
#[path = "../support/sickbay.rs"]
mod sickbay_process;
