//! Unit tests of playbooks: a `*.test.yaml` file is read, played on a simulated machine, and compared with what it expects.
//!
//! Pure: text comes in, and whoever calls [`read()`] finds the rules files. The decisions are the engine's own, on the
//! virtual clock of [`crate::sim`]; nothing here knows how to print. Read [`definition::TestFile`] for what a file
//! says, [`play()`] for how a test is played, [`observe`] for what is seen of it, [`Failure`] for what it may find.

pub mod coverage;
pub mod definition;
pub mod observe;

mod alerts;
mod calls;
mod compare;
mod containers;
mod expectations;
mod keys;
mod keys_seen;
mod play;
mod questions;
mod read;
mod services;
mod settings;
mod timeline;
mod values;

pub use compare::Failure;
pub use play::{Played, play};
pub use read::{FindRules, Reading, read};

/// The JSON Schema of a test file.
#[must_use]
pub fn schema() -> serde_json::Value {
    crate::playbook::schema::document(&keys::FILE, "Tests of sickbay's playbooks")
}
