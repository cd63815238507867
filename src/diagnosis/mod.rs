//! From what was seen of a container to what is the matter with it: the diagnosis of `sickbay diagnose`, of recorded
//! evidence and of messages.
//!
//! It reads one thing, the evidence as it is recorded, and asks nobody: the same evidence always gives the same diagnosis.
//! Evidence is untrusted and may lack any part, so nothing here fails; what is not known leads to no finding. The rules
//! stand by subject, one file each; how their findings are ordered stands in `findings`. Read [`diagnose()`] first.

mod cause;
mod diagnose;
mod ending;
mod findings;
mod for_people;
mod health;
mod listening;
mod log;
mod log_causes;
mod log_line;
mod look;
mod notes;
mod pressure;
mod service;
mod signals;
mod start;
mod start_causes;
mod state;
mod trend;
mod words;

pub use diagnose::{diagnose, with_diagnosis};
pub use for_people::for_people;
pub use words::{bytes, span};

#[cfg(test)]
mod tests;
