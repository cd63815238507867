//! Durations in Prometheus' grammar: `30s`, `5m`, `1h30m`.

use std::time::Duration;

/// A text that is not a duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct BadDuration {
    /// What is wrong and what would be right.
    pub message: String,
}

/// Reads a duration such as `1h30m`.
///
/// # Errors
/// [`BadDuration`] with what to write instead.
pub fn parse_duration(text: &str) -> Result<Duration, BadDuration> {
    text.strip_suffix('s')
        .and_then(|digits| digits.parse().ok())
        .map(Duration::from_secs)
        .ok_or_else(|| BadDuration { message: "stub".to_owned() })
}

/// Prints a duration in the same grammar.
#[must_use]
pub fn format_duration(duration: Duration) -> String {
    format!("{}s", duration.as_secs())
}
