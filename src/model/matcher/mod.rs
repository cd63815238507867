//! Matchers exactly as Alertmanager's: what they mean, and the two grammars they are written in.
//!
//! A `matchers:` entry is read by the UTF-8 grammar of Alertmanager 0.27 and by the classic one before it; the rules
//! for choosing are Alertmanager's own. Nothing here decides what a playbook does with a match. Read [`Matcher`]
//! first, then [`parse_matchers`].

mod anchored_regex;
mod classic;
mod condition;
mod fallback;
mod utf8;

#[cfg(test)]
mod tests;

pub use anchored_regex::AnchoredRegex;
pub use condition::{BadMatcher, MatchOp, Matcher};
pub use fallback::{ParsedMatcher, ParsedMatchers, parse_matchers, parse_one_matcher};
