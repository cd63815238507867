//! The real daemon against a real Docker engine, a real Alertmanager and a real Prometheus. What is missing is an error
//! that names the Debian package, never a skipped test.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests are tests too: a panic names its line"
)]

mod actions;
mod afterwards;
mod alertmanager;
mod approvals;
mod attempts;
mod chain;
mod clocks;
mod compose;
mod compose_back;
mod compose_back_crash;
mod compose_crash;
mod dependents;
mod diagnose;
mod docker;
mod dry_run;
mod failures;
mod hands_off;
mod hosts;
mod hosts_secured;
mod labels;
mod limits;
mod more_limits;
mod permissions;
mod refusals;
mod reload;
mod replay;
mod scenarios;
mod steps;
mod storm;
mod support;
mod swarm;
mod swarm_crash;
mod web_file;
mod when;
mod witness;

#[path = "../support/alerts.rs"]
mod alerts;
#[path = "../support/http.rs"]
mod http;
#[path = "../support/real_docker.rs"]
mod real_docker;
#[path = "../support/real_swarm.rs"]
mod real_swarm;
#[path = "../support/sickbay.rs"]
mod sickbay_process;
#[expect(dead_code, reason = "shared with other tests, which need more of it")]
#[path = "../support/sink.rs"]
mod sink;
#[path = "../support/socket_proxy.rs"]
mod socket_proxy;
