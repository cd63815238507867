//! A regular expression as Alertmanager uses it: Go's syntax, the whole text, linear time.

use crate::model::go_regex::{BadRegex, NESTING_MAX, translate};
use regex::{Regex, RegexBuilder};

/// Compiled form of one pattern, in bytes. `\pL{1000}` needs more and is refused.
const COMPILED_MAX: usize = 10 << 20;

/// Cache of one pattern while it matches, in bytes; past it the engine is slower, not wrong.
const CACHE_MAX: usize = 1 << 20;

/// A Go regular expression, anchored at both ends.
#[derive(Clone, Debug)]
pub struct AnchoredRegex {
    source: String,
    regex: Regex,
}

impl AnchoredRegex {
    /// Compiles `^(?:source)$`.
    ///
    /// # Errors
    /// [`BadRegex`] if Go would reject it or it grows too large.
    pub fn new(source: &str) -> Result<Self, BadRegex> {
        // Flags within the source end with the group, so the anchors are those of the text, whatever `(?m)` says.
        let regex = RegexBuilder::new(&format!("^(?:{})$", translate(source)?))
            .size_limit(COMPILED_MAX)
            .dfa_size_limit(CACHE_MAX)
            .nest_limit(NESTING_MAX)
            .build()
            .map_err(|error| BadRegex::new(problem(&error), source))?;
        Ok(Self { source: source.to_owned(), regex })
    }

    /// Whether the whole text matches.
    #[must_use]
    pub fn is_match(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }

    /// The pattern as written.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }
}

/// Why a translated pattern does not compile. Its syntax is right, so only a limit can be the reason.
fn problem(error: &regex::Error) -> &'static str {
    if matches!(error, regex::Error::CompiledTooBig(_)) {
        "expression too large"
    } else {
        "expression nests too deeply"
    }
}

/// Two expressions are the same if they are written the same.
impl PartialEq for AnchoredRegex {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for AnchoredRegex {}
