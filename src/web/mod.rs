//! Everything that listens: the webhook, health, metrics and the JSON API, behind an accept loop that nobody can fill.
//!
//! It shows copies of the state and hands deliveries in; it owns no state and decides nothing. Read [`server::serve`]
//! and [`routes::router`] first.

pub mod api;
pub mod guard;
pub mod health;
pub mod reload;
pub mod routes;
pub mod server;

mod breakers;
mod change;
mod pauses;
mod seats;
mod stream;

#[cfg(test)]
mod breakers_tests;
#[cfg(test)]
mod pauses_tests;
#[cfg(test)]
mod reload_tests;
#[cfg(test)]
mod routes_tests;
#[cfg(test)]
mod server_tests;
