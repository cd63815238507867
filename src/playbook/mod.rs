//! Playbooks: YAML text in, [`definition::Playbook`]s out, or every problem with its place.
//!
//! Pure: text comes in as [`RuleFile`]s, and whoever calls [`load()`] has read the files. Read [`definition`] for what a
//! playbook is, `raw` for the keys of the language, `resolve`, `when`,
//! `attempts` and `steps` for what makes it valid.

pub mod condition;
pub mod definition;
pub mod index;
pub mod names;
pub mod template;

mod attempts;
mod limits;
mod lint;
mod load;
mod problem;
mod raw;
mod resolve;
mod steps;
mod when;
mod yaml;

pub use load::{Loaded, RuleFile, load, load_knowing};
pub use problem::{Problem, Severity};
