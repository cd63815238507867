//! What follows a backslash: single characters, Perl's classes, Unicode's classes.
//!
//! These three forms stand both inside and outside brackets, so each is read here once.

use super::cursor::{BadRegex, Cursor};
use regex::Regex;

const BAD_ESCAPE: &str = "invalid escape sequence";
const BAD_RANGE: &str = "invalid character class range";

/// The Rust class that no text matches, and the one that every character matches.
const NOTHING: &str = r"\P{any}";
const ANYTHING: &str = r"\p{any}";

/// Scripts whose full name has four letters. Every other four-letter name is an ISO code, which Go does not know.
const SCRIPTS_OF_FOUR_LETTERS: [&str; 7] = ["ahom", "cham", "kawi", "lisu", "modi", "thai", "toto"];

/// Reads one escaped character and gives its code point. The cursor stands on the backslash.
///
/// A code point may be a surrogate: Go can write it, no text contains it.
pub(super) fn single(cursor: &mut Cursor<'_>) -> Result<u32, BadRegex> {
    let start = *cursor;
    cursor.take();
    let Some(escaped) = cursor.take() else {
        return Err(BadRegex::new("trailing backslash at end of expression", ""));
    };
    let code = match escaped {
        'a' => Some(0x07),
        'f' => Some(0x0c),
        'n' => Some(0x0a),
        'r' => Some(0x0d),
        't' => Some(0x09),
        'v' => Some(0x0b),
        'x' => hexadecimal(cursor),
        // One digit other than 0 would be a back-reference, which Go does not have.
        '0' => Some(octal(escaped, cursor)),
        '1'..='7' if cursor.peek().is_some_and(|next| next.is_digit(8)) => Some(octal(escaped, cursor)),
        // Any other ASCII character that is no letter and no digit stands for itself, `\<` included.
        _ => (escaped.is_ascii() && !escaped.is_ascii_alphanumeric()).then_some(u32::from(escaped)),
    };
    code.ok_or_else(|| BadRegex::new(BAD_ESCAPE, cursor.since(start)))
}

/// Up to three octal digits, of which the first is taken already.
fn octal(first: char, cursor: &mut Cursor<'_>) -> u32 {
    let mut code = first.to_digit(8).unwrap_or_default();
    for _ in 1..3 {
        let Some(digit) = cursor.peek().and_then(|next| next.to_digit(8)) else { break };
        code = code * 8 + digit;
        cursor.take();
    }
    code
}

/// `41` or `{1F642}`, after `\x`.
fn hexadecimal(cursor: &mut Cursor<'_>) -> Option<u32> {
    if !cursor.eat("{") {
        let high = cursor.take().and_then(|digit| digit.to_digit(16));
        let low = cursor.take().and_then(|digit| digit.to_digit(16));
        return Some(high? * 16 + low?);
    }
    let mut code: Option<u32> = None;
    loop {
        let digit = match cursor.take()? {
            '}' => return code,
            other => other.to_digit(16)?,
        };
        code = Some(code.unwrap_or(0) * 16 + digit).filter(|code| *code <= u32::from(char::MAX));
        code?;
    }
}

/// Reads `\d`, `\w`, `\s` or their negations as the ASCII classes they are in Go; `None`, and nothing taken, if the
/// cursor stands on something else.
pub(super) fn perl_class(cursor: &mut Cursor<'_>) -> Option<&'static str> {
    for (written, meant) in [
        (r"\d", "[0-9]"),
        (r"\D", "[^0-9]"),
        (r"\s", r"[\t\n\x0C\r ]"),
        (r"\S", r"[^\t\n\x0C\r ]"),
        (r"\w", "[0-9A-Za-z_]"),
        (r"\W", "[^0-9A-Za-z_]"),
    ] {
        if cursor.eat(written) {
            return Some(meant);
        }
    }
    None
}

/// Reads `\pL`, `\p{Greek}`, `\P{^Greek}`; `None`, and nothing taken, if the cursor stands on something else.
pub(super) fn unicode_class(cursor: &mut Cursor<'_>) -> Result<Option<String>, BadRegex> {
    let start = *cursor;
    let mut negated = cursor.eat(r"\P");
    if !negated && !cursor.eat(r"\p") {
        return Ok(None);
    }
    let mut name = if cursor.eat("{") {
        cursor.take_until("}").ok_or_else(|| BadRegex::new(BAD_RANGE, start.rest()))?
    } else {
        let before = *cursor;
        cursor.take();
        cursor.since(before)
    };
    if let Some(rest) = name.strip_prefix('^') {
        negated = !negated;
        name = rest;
    }
    let property = property(name).ok_or_else(|| BadRegex::new(BAD_RANGE, cursor.since(start)))?;
    Ok(Some(match (property, negated) {
        (Property::Named(rust_name), false) => format!(r"\p{{{rust_name}}}"),
        (Property::Named(rust_name), true) => format!(r"\P{{{rust_name}}}"),
        (Property::Surrogates, false) => NOTHING.to_owned(),
        (Property::Surrogates, true) => ANYTHING.to_owned(),
    }))
}

/// What a name within `\p{…}` stands for.
enum Property {
    /// Rust's name of it.
    Named(String),
    /// Code points that no text contains; Rust has no class for them.
    Surrogates,
}

/// Finds a general category or a script. Rust knows more (`Alphabetic`, `Script=Greek`, ISO codes); Go does not.
fn property(name: &str) -> Option<Property> {
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b' '));
    let key: String = name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    // Rust would skip the prefix `is`, which no name of Go's has.
    if !plain || key.is_empty() || key.starts_with("is") {
        return None;
    }
    match key.as_str() {
        "any" | "assigned" | "ascii" => return Some(Property::Named(key)),
        "cs" | "surrogate" => return Some(Property::Surrogates),
        _ => {}
    }
    let script_may_be = key.len() != 4 || SCRIPTS_OF_FOUR_LETTERS.contains(&key.as_str());
    let known = |class: &String| Regex::new(&format!(r"\p{{{class}}}")).is_ok();
    let category = Some(format!("gc={key}")).filter(known);
    category.or_else(|| Some(format!("sc={key}")).filter(|class| script_may_be && known(class))).map(Property::Named)
}

/// Writes a code point so that Rust reads it as this one character, inside or outside brackets.
pub(super) fn push_literal(out: &mut String, code: u32) {
    match char::from_u32(code) {
        Some(c) if c.is_ascii_alphanumeric() || (!c.is_ascii() && !c.is_control()) => out.push(c),
        Some(_) => out.push_str(&format!(r"\x{{{code:X}}}")),
        None => out.push_str(NOTHING),
    }
}
