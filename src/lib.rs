//! sickbay: Alertmanager calls; sickbay treats the container, watches it recover, and writes everything down.
//!
//! The modules below stand in reading order, the pure ones first: they decide and never touch the world.
//! `docs/ARCHITECTURE.md` is the map.

pub mod diagnosis;
pub mod engine;
pub mod model;
pub mod playbook;
pub mod record;
pub mod replay;
pub mod sim;
pub mod unit_test;

pub mod alertmanager;
pub mod cli;
pub mod daemon;
pub mod docker;
pub mod http_client;
pub mod inbox;
pub mod incident_log;
pub mod notifier;
pub mod oidc;
pub mod people;
pub mod receiver;
pub mod requester;
pub mod settings;
pub mod story;
pub mod telemetry;
pub mod web;
