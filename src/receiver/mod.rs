//! The way in for Alertmanager: a webhook body becomes a [`Notification`](crate::model::alert::Notification) in the inbox.
//!
//! It limits, authenticates, decodes, hands in and waits for the answer; it decides nothing and acts on nothing.
//! Read [`handler::Webhook`] first.

pub mod auth;
pub mod handler;
pub mod payload;

mod answer;
mod instant;
mod shape;

#[cfg(test)]
mod handler_tests;
#[cfg(test)]
mod payload_tests;
