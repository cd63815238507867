//! Everything that listens: the webhook, health, metrics and the JSON API, behind an accept loop that nobody can fill.
//!
//! It shows copies of the state and hands deliveries in; it owns no state and decides nothing. Read [`server::serve`]
//! and [`routes::router`] first.

pub mod api;
mod api_approvals;
mod api_budgets;
pub mod events;
pub mod front;
pub mod guard;
pub mod health;
pub mod incidents;
pub mod listener;
pub mod reload;
pub mod routes;
pub mod server;
pub mod slack;

mod abort;
mod approvals;
mod breakers;
mod change;
mod history;
mod link;
mod openapi;
mod page;
mod pauses;
mod seats;
mod sessions;
mod sight;
mod stream;
mod taken;
mod tallies;
mod tls;

#[cfg(test)]
mod approvals_tests;
#[cfg(test)]
mod breakers_tests;
#[cfg(test)]
mod events_tests;
#[cfg(test)]
mod front_tests;
#[cfg(test)]
mod openapi_tests;
#[cfg(test)]
mod page_tests;
#[cfg(test)]
mod pauses_tests;
#[cfg(test)]
mod reload_tests;
#[cfg(test)]
mod routes_tests;
#[cfg(test)]
mod server_tests;
#[cfg(test)]
mod sight_tests;
