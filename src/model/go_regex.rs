//! Go's regular expression syntax, translated for Rust's engine.

/// A text that is not a regular expression Go would accept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct BadRegex {
    /// Go-like message.
    pub message: String,
}

/// Translates a Go RE2 pattern into one that Rust's `regex` reads with the same meaning.
///
/// # Errors
/// [`BadRegex`] if Go would reject the pattern.
pub fn translate(pattern: &str) -> Result<String, BadRegex> {
    Ok(pattern.to_owned())
}
