//! How deeply the text of a condition nests, before anything reads it.
//!
//! Brackets by themselves leave no trace in what is read, and neither do pairs of signs: `((x))` and `!!x` are read as
//! `x`. Who reads them goes down all the same, so they are counted here. What stands in quotes or in a comment does not
//! count. Read [`too_deep`] first.

use std::iter::Peekable;
use std::str::CharIndices;

/// The first opening bracket, or sign before a value, that lies deeper than this.
pub(super) fn too_deep(source: &str, limit: usize) -> Option<(usize, usize)> {
    let mut chars = source.char_indices().peekable();
    let mut levels = Levels::default();
    let mut word: Option<usize> = None;
    while let Some((at, c)) = chars.next() {
        let before = word.take();
        match c {
            '(' | '[' | '{' => levels.open(),
            ')' | ']' | '}' => levels.close(),
            '!' if chars.next_if(|(_, next)| *next == '=').is_some() => levels.operator(),
            '!' => levels.signs += 1,
            '-' if !levels.after_value => levels.signs += 1,
            '\'' | '"' | '`' => {
                let letters = before.and_then(|start| source.get(start..at)).unwrap_or_default();
                let raw = ["r", "br", "rb"].iter().any(|prefix| letters.eq_ignore_ascii_case(prefix));
                skip_text(&mut chars, c, raw || c == '`');
                levels.value();
            }
            '/' if chars.next_if(|(_, next)| *next == '/').is_some() => {
                while chars.next_if(|(_, next)| *next != '\n').is_some() {}
            }
            c if c.is_whitespace() => {}
            c if c.is_alphanumeric() || c == '_' => {
                word = before.or(Some(at));
                levels.value();
            }
            _ => levels.operator(),
        }
        if limit < levels.all() {
            return Some((at, at + c.len_utf8()));
        }
    }
    None
}

/// What is open at one place of the text.
#[derive(Default)]
struct Levels {
    /// Open brackets, each with the signs before it.
    open: Vec<usize>,
    /// All of these together.
    depth: usize,
    /// Signs that wait for their value.
    signs: usize,
    /// Whether a value ends here: then a `-` stands between two values, not before one.
    after_value: bool,
}

impl Levels {
    fn all(&self) -> usize {
        self.depth + self.signs
    }

    fn open(&mut self) {
        let own = self.signs + 1;
        self.open.push(own);
        self.depth += own;
        self.operator();
    }

    fn close(&mut self) {
        self.depth -= self.open.pop().unwrap_or_default();
        self.value();
    }

    fn value(&mut self) {
        (self.signs, self.after_value) = (0, true);
    }

    fn operator(&mut self) {
        (self.signs, self.after_value) = (0, false);
    }
}

/// Goes on behind a text that has begun with this quote, once or three times.
fn skip_text(chars: &mut Peekable<CharIndices<'_>>, quote: char, raw: bool) {
    let ahead: Vec<char> = chars.clone().take(2).map(|(_, c)| c).collect();
    let quotes = if ahead == [quote, quote] { 3 } else { 1 };
    if quotes == 3 {
        let _opening = (chars.next(), chars.next());
    }
    let mut closing = 0;
    while let Some((_, c)) = chars.next() {
        closing = if c == quote { closing + 1 } else { 0 };
        if closing == quotes {
            return;
        }
        if c == '\\' && !raw {
            let _escaped = chars.next();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_and_signs_count_and_what_stands_in_quotes_does_not() {
        for (source, deepest) in [
            ("a", 0),
            ("a - b - -c", 1),
            ("a-b", 0),
            ("a != b", 0),
            ("!a && !b || !!c", 2),
            ("! // two\n ! a", 2),
            ("((a))", 2),
            ("(a) && (b)", 1),
            ("!(!(a))", 4),
            ("-[{1: (2)}]", 4),
            ("f(a)[0] - (b)", 1),
            ("'((((' == \"[[[['\"", 0),
            ("'\\'((((' == a", 0),
            ("r'\\' == (a)", 1),
            ("Rb\"\\\" == (a)", 1),
            ("'''(( '' ((''' == (a)", 1),
            ("'' == ((a))", 2),
            ("labels.`((` == (a)", 1),
            ("a // ((((\n== (b)", 1),
            ("a // ((((", 0),
            ("'((((", 0),
            (")))((", 2),
        ] {
            assert_eq!(too_deep(source, deepest), None, "{source}");
            assert!(deepest == 0 || too_deep(source, deepest - 1).is_some(), "{source}");
        }
        assert_eq!(too_deep("'é' == ((a))", 1), Some((9, 10)));
        assert_eq!(too_deep("a == -- b", 1), Some((6, 7)));
    }
}
