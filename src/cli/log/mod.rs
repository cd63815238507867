//! `sickbay log`: reads the incident log for people and scripts. Needs no daemon and takes no lock.
//!
//! Results go to the first writer, everything else to the second. Read [`run()`] first.

mod args;
mod printable;
mod query;
mod run;
mod show;
mod verify;
mod words;

pub use args::{LogArgs, LogCommand, LogOutput};
pub(super) use printable::{printable, span};
pub(super) use query::parse_time;
pub use run::run;
pub(super) use words::{heading, words};

#[cfg(test)]
mod tests;
