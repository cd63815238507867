//! The place within a pattern, and the refusal that names the text around it.

/// A text that is not a regular expression Go would accept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct BadRegex {
    /// Go-like message.
    pub message: String,
}

impl BadRegex {
    /// A refusal in Go's form: what is wrong, and the piece of the pattern that is.
    pub(in crate::model) fn new(problem: &str, piece: &str) -> Self {
        Self { message: format!("error parsing regexp: {problem}: `{piece}`") }
    }
}

/// What of the pattern is still to be read. Copies are places to go back to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'p> {
    rest: &'p str,
}

impl<'p> Cursor<'p> {
    pub(super) fn new(pattern: &'p str) -> Self {
        Self { rest: pattern }
    }

    /// All that is left.
    pub(super) fn rest(self) -> &'p str {
        self.rest
    }

    /// The next character, left in place.
    pub(super) fn peek(self) -> Option<char> {
        self.rest.chars().next()
    }

    /// The next character, taken.
    pub(super) fn take(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let taken = chars.next();
        self.rest = chars.as_str();
        taken
    }

    /// Takes the text if it comes next.
    pub(super) fn eat(&mut self, text: &str) -> bool {
        let after = self.rest.strip_prefix(text);
        self.rest = after.unwrap_or(self.rest);
        after.is_some()
    }

    /// Takes everything before the mark, and the mark; `None`, and nothing taken, if it does not come.
    pub(super) fn take_until(&mut self, mark: &str) -> Option<&'p str> {
        let (before, after) = self.rest.split_once(mark)?;
        self.rest = after;
        Some(before)
    }

    /// Takes the digits that come next, maybe none.
    pub(super) fn take_digits(&mut self) -> &'p str {
        let after = self.rest.trim_start_matches(|c: char| c.is_ascii_digit());
        let digits = Self { rest: after }.since(*self);
        self.rest = after;
        digits
    }

    /// The text between an earlier place and this one.
    pub(super) fn since(self, earlier: Self) -> &'p str {
        let length = earlier.rest.len().saturating_sub(self.rest.len());
        earlier.rest.get(..length).unwrap_or_default()
    }
}
