//! The engine on a virtual clock: events in, facts and effects out, and every run replayed from its records.

#![expect(clippy::wildcard_enum_match_arm, reason = "a test picks the one fact it is about")]

mod aborts;
mod actions;
mod afterwards;
mod alerts;
mod approvals;
mod asked_evidence;
mod attempts;
mod back;
mod brakes;
mod budgets;
mod called_off;
mod charges;
mod consent;
mod diagnoses;
mod explain;
mod further;
mod gates;
mod hands_off;
mod hosts;
mod limits;
mod links;
mod pauses;
mod recount;
mod refusals;
mod reload;
mod runs;
mod services;
mod shown;
mod stage;
mod steps;
mod steps_afterwards;
mod terms;
mod texts;
mod when;
mod witness;
pub(super) mod world;
