//! Text from outside on its way to people, in one line.

use crate::model::hidden::{by_number, hides};

/// The text in one line, with all such letters by their numbers, and not longer than this.
pub(super) fn one_line(text: &str, letters_max: usize) -> String {
    let mut line = String::new();
    let mut letters = text.trim().chars();
    for letter in letters.by_ref().take(letters_max) {
        match letter {
            '\n' | '\t' => line.push(' '),
            letter if hides(letter) => line.push_str(&by_number(letter)),
            letter => line.push(letter),
        }
    }
    if letters.next().is_some() {
        line.push('…');
    }
    line
}
