//! Time intervals: the stretches of time in which a playbook may, or may not, run.
//!
//! The format and its meaning are Alertmanager's: whoever has intervals there can paste them. Nothing here knows a
//! clock; the time is an argument. Read [`TimeInterval`] first, then [`Schedule`]; what may be written is in `range`.

mod interval;
mod location;
mod range;
mod schedule;

pub use interval::{Period, TimeInterval};
pub use location::{BadLocation, Location};
pub use range::{BadRange, Range, TimeRange};
pub use schedule::{Schedule, Standing};

#[cfg(test)]
mod tests;
