//! Text from outside, made safe for a terminal and a reader: control characters and the like are shown, not obeyed, and what
//! nobody would see is shown too, so that no name looks like another one.

use crate::model::hidden::{by_number, hides};
use std::borrow::Cow;
use std::time::Duration;

/// The text with everything that a terminal would obey, and whatever hides in it, written as an escape.
#[must_use]
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(hides) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for scalar in text.chars() {
        match scalar {
            '\n' => shown.push_str("\\n"),
            '\t' => shown.push_str("\\t"),
            '\r' => shown.push_str("\\r"),
            scalar if hides(scalar) => shown.push_str(&by_number(scalar)),
            scalar => shown.push(scalar),
        }
    }
    Cow::Owned(shown)
}

/// A span of time for people: three significant digits at most.
#[must_use]
pub fn span(duration: Duration) -> String {
    let (secs, millis) = (duration.as_secs(), duration.subsec_millis());
    match secs {
        0 => format!("{millis} ms"),
        1..60 => format!("{secs}.{} s", millis / 100),
        60..3600 => format!("{} min {} s", secs / 60, secs % 60),
        3600..86_400 => format!("{} h {} min", secs / 3600, secs % 3600 / 60),
        _ => format!("{} d {} h", secs / 86_400, secs % 86_400 / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_obeys_nothing() {
        for (text, want) in [
            ("plain ünïcode 🚑", "plain ünïcode 🚑"),
            ("a\nb\tc\r", "a\\nb\\tc\\r"),
            ("\u{1b}[2J\u{7}", "\\u{1b}[2J\\u{7}"),
            ("w\u{200b}eb a\u{ad}b \u{2060}\u{e0041}", "w\\u{200b}eb a\\u{ad}b \\u{2060}\\u{e0041}"),
            ("\u{9b}31m \u{202e}evil\u{feff}", "\\u{9b}31m \\u{202e}evil\\u{feff}"),
        ] {
            assert_eq!(printable(text), want);
        }
    }

    #[test]
    fn spans_are_short() {
        for (millis, want) in [
            (0, "0 ms"),
            (999, "999 ms"),
            (1_250, "1.2 s"),
            (61_000, "1 min 1 s"),
            (3_660_000, "1 h 1 min"),
            (90_000_000, "1 d 1 h"),
        ] {
            assert_eq!(span(Duration::from_millis(millis)), want);
        }
    }
}
