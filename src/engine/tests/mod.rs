//! The engine on a virtual clock: events in, facts and effects out, and every run replayed from its records.

#![expect(clippy::wildcard_enum_match_arm, reason = "a test picks the one fact it is about")]

mod actions;
mod alerts;
mod attempts;
mod brakes;
mod explain;
mod gates;
mod hands_off;
mod pauses;
mod reload;
mod runs;
mod stage;
mod when;
mod witness;
pub(super) mod world;
