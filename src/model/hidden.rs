//! Letters that are not seen, or turn the direction of text: on their way to people they are shown and not obeyed.

/// Whether a letter is not seen, or changes how others are shown.
#[must_use]
pub fn hides(letter: char) -> bool {
    letter.is_control()
        || matches!(
            letter,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}'
        )
}

/// Such a letter by its number.
#[must_use]
pub fn by_number(letter: char) -> String {
    format!("\\u{{{:x}}}", u32::from(letter))
}
