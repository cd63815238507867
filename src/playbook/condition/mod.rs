//! Conditions: the `if` of a playbook, in CEL.
//!
//! A condition is bounded and compiled, and its names and types are checked, when its playbook is loaded; so at run time
//! only values can be wrong: a label that is absent, a text that is no number. It has no loops and no regexes: the work
//! it can do is bounded by its own length. Read [`Condition`] first, then [`names`] for what a condition may name.

mod closed;
mod depth;
mod evaluate;
mod functions;
pub mod names;
mod syntax;
mod types;
mod value;

pub use evaluate::{Condition, ConditionError};
pub use names::{Looks, Nameable};
pub use syntax::Flaw;
pub use value::{Given, Value};

#[cfg(test)]
mod tests;
