//! Playbooks: YAML text in, [`definition::Playbook`]s out, or every problem with its place.
//!
//! Pure: text comes in as [`RuleFile`]s, and whoever calls [`load()`] has read the files. Read [`definition`] for what a
//! playbook is, `keys` for the keys of the language, `resolve`, `when`,
//! `attempts` and `steps` for what makes it valid.

pub mod codes;
pub mod condition;
pub mod definition;
pub mod effective;
pub mod index;
pub mod names;
pub mod needs;
pub mod schema;
pub mod template;
mod template_growth;
pub mod url;

mod approval;
mod attempts;
mod dashed;
mod foreign;
mod go_template;
pub(crate) mod keys;
mod limits;
mod lint;
mod load;
pub(crate) mod problem;
pub(crate) mod raw;
mod resolve;
mod scalar;
mod steps;
mod target;
mod text;
mod verbs;
mod when;
pub(crate) mod yaml;

pub use load::{Known, Loaded, RuleFile, found_at, load, load_knowing, load_with};
pub use problem::{Problem, Severity};
