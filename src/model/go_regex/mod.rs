//! Go's regular expression syntax, translated for Rust's engine.
//!
//! Alertmanager compiles matchers with Go's `regexp`; Rust's `regex` reads most patterns alike, but not all: some mean
//! something else, some are accepted by one side only. [`translate()`] rewrites a pattern so that Rust matches what Go
//! would match, and refuses what Go would refuse, in Go's words. It never matches anything itself. Capture groups
//! become plain groups: matchers do not capture. Read [`translate()`] first.

mod class;
mod cursor;
mod escape;
mod translate;

#[cfg(test)]
mod tests;

pub use cursor::BadRegex;
pub(in crate::model) use translate::NESTING_MAX;
pub use translate::translate;
