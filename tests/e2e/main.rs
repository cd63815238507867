//! The real daemon over real sockets: what it answers to whoever sends alerts, and what it does when Docker misbehaves
//! in ways that a real engine will not produce on demand.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests are tests too: a panic names its line"
)]

mod asked;
mod canary;
mod check_online;
mod commands;
mod docker_faults;
mod docker_wire;
mod doors;
mod explain;
mod hosts;
mod house;
mod impostors;
mod links;
mod mail;
mod oidc;
mod page;
mod pause;
mod payloads;
mod permits;
mod races;
mod receiver;
mod reload;
mod reset;
mod rules;
mod scanners;
mod service_wire;
mod slack;
mod socket;
mod wall_clock;
mod web_file;

#[path = "../support/alerts.rs"]
mod alerts;
#[path = "../support/fake_clock.rs"]
mod fake_clock;
#[path = "../support/fake_docker.rs"]
mod fake_docker;
#[path = "../support/http.rs"]
mod http;
#[path = "../support/oidc_provider.rs"]
mod oidc_provider;
#[path = "../support/sickbay.rs"]
mod sickbay_process;
#[expect(dead_code, reason = "shared with other tests, which need more of it")]
#[path = "../support/sink.rs"]
mod sink;
#[path = "../support/smtp.rs"]
mod smtp;
