//! `sickbay log`: reads the incident log for people and scripts. Needs no daemon and takes no lock.
//!
//! Results go to the first writer, everything else to the second. Read [`run()`] first.

mod args;
mod query;
mod run;
mod show;
mod tally;
mod verify;

pub use args::{LogArgs, LogCommand, LogOutput};
pub(super) use query::parse_time;
pub use run::run;

#[cfg(test)]
mod tests;
