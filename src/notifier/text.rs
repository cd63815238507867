//! Text from outside on its way to people: what is not seen, or turns the direction of text, is shown and not obeyed.

/// Whether a letter is not seen, or changes how others are shown.
pub(super) fn hides(letter: char) -> bool {
    letter.is_control()
        || matches!(
            letter,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}'
        )
}

/// Such a letter by its number.
pub(super) fn by_number(letter: char) -> String {
    format!("\\u{{{:x}}}", u32::from(letter))
}

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
