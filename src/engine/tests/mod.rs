//! The engine on a virtual clock: events in, facts and effects out, and every run replayed from its records.

mod alerts;
mod gates;
mod runs;
mod world;
