//! The engine on a virtual clock: events in, facts and effects out, and every run replayed from its records.

#![expect(clippy::wildcard_enum_match_arm, reason = "a test picks the one fact it is about")]

mod alerts;
mod brakes;
mod gates;
mod pauses;
mod reload;
mod runs;
pub(super) mod world;
