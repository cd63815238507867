//! One condition on one label: what it means and how it is printed.

use super::anchored_regex::AnchoredRegex;
use crate::model::label::Labels;
use std::fmt;

/// How a matcher compares.
#[derive(Clone, Debug, PartialEq, Eq)]
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matcher {
    /// The label's name.
    pub name: String,
    /// The comparison.
    pub op: MatchOp,
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

    /// Whether no alert fails it, as with `=~".*"`.
    ///
    /// Found by trying a few very different values, so `=~"[^\n]{0,1000}"` counts too. `!=` and `!~` never count:
    /// each leaves something out.
    #[must_use]
    pub fn matches_everything(&self) -> bool {
        match &self.op {
            MatchOp::Regex(regex) => {
                let long = "any value at all ".repeat(32);
                let printable: String = (' '..='~').collect();
                ["", "0", "-", "Zz", "węb-1 🙂", printable.as_str(), long.as_str()]
                    .iter()
                    .all(|value| regex.is_match(value))
            }
            MatchOp::Equal(_) | MatchOp::NotEqual(_) | MatchOp::NotRegex(_) => false,
        }
    }

    /// The name and the value it demands, if it demands one value. An empty value demands that the label is absent.
    #[must_use]
    pub fn equality(&self) -> Option<(&str, &str)> {
        match &self.op {
            MatchOp::Equal(value) => Some((&self.name, value)),
            MatchOp::NotEqual(_) | MatchOp::Regex(_) | MatchOp::NotRegex(_) => None,
        }
    }
}

/// Prints a form that both grammars read back as the same matcher.
impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (operator, value) = match &self.op {
            MatchOp::Equal(value) => (Operator::Equal, value.as_str()),
            MatchOp::NotEqual(value) => (Operator::NotEqual, value.as_str()),
            MatchOp::Regex(regex) => (Operator::Regex, regex.source()),
            MatchOp::NotRegex(regex) => (Operator::NotRegex, regex.source()),
        };
        // The classic grammar cannot write other names at all, so those may as well be quoted.
        if is_classic_name(&self.name) {
            f.write_str(&self.name)?;
        } else {
            write_quoted(f, &self.name)?;
        }
        f.write_str(operator.as_str())?;
        write_quoted(f, value)
    }
}

/// Writes a text in quotes with the three escapes that both grammars know. Rust's own `{:?}` has more.
fn write_quoted(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_str("\"")?;
    for c in text.chars() {
        match c {
            '\\' => f.write_str(r"\\")?,
            '"' => f.write_str(r#"\""#)?,
            '\n' => f.write_str(r"\n")?,
            plain => write!(f, "{plain}")?,
        }
    }
    f.write_str("\"")
}

/// Whether the classic grammar knows names like this.
pub(super) fn is_classic_name(name: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b':');
    name.bytes().next().is_some_and(letter) && name.bytes().all(|byte| letter(byte) || byte.is_ascii_digit())
}

/// The four operators, as the grammars see them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    NotEqual,
    Regex,
    NotRegex,
}

impl Operator {
    /// In an order in which the first that fits is the longest.
    pub(super) const ALL: [Self; 4] = [Self::Regex, Self::Equal, Self::NotEqual, Self::NotRegex];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Regex => "=~",
            Self::NotRegex => "!~",
        }
    }

    /// Makes the matcher that a grammar has read.
    pub(super) fn matcher(self, name: &str, value: String) -> Result<Matcher, BadMatcher> {
        if name.is_empty() {
            return Err(BadMatcher { message: "the label name is empty".to_owned(), span: None });
        }
        let regex = |source: &str| {
            AnchoredRegex::new(source).map_err(|bad_regex| BadMatcher { message: bad_regex.message, span: None })
        };
        let op = match self {
            Self::Equal => MatchOp::Equal(value),
            Self::NotEqual => MatchOp::NotEqual(value),
            Self::Regex => MatchOp::Regex(regex(&value)?),
            Self::NotRegex => MatchOp::NotRegex(regex(&value)?),
        };
        Ok(Matcher { name: name.to_owned(), op })
    }
}
