//! Bracketed classes: `[a-z]`, `[^\d]`, `[[:alpha:]_]`.
//!
//! Go knows no nesting and no set operations: `[a&&b]` and `[a[b]` are plain lists. Everything is written so that Rust
//! cannot read more into it.

use super::cursor::{BadRegex, Cursor};
use super::escape::{perl_class, push_literal, single, unicode_class};

const POSIX: [&str; 14] = [
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space", "upper", "word",
    "xdigit",
];

/// Reads a class and gives Rust's. The cursor stands on the opening bracket.
pub(super) fn class(cursor: &mut Cursor<'_>) -> Result<String, BadRegex> {
    let start = *cursor;
    cursor.take();
    let negated = cursor.eat("^");
    let mut members = String::new();
    // A closing bracket that comes first is a member.
    let mut first = true;
    while first || cursor.peek() != Some(']') {
        first = false;
        if let Some(named) = named_class(cursor)? {
            members.push_str(named);
        } else if let Some(unicode) = unicode_class(cursor)? {
            members.push_str(&unicode);
        } else if let Some(perl) = perl_class(cursor) {
            members.push_str(perl);
        } else {
            range(start, cursor, &mut members)?;
        }
    }
    cursor.take();
    Ok(match (members.is_empty(), negated) {
        (false, false) => format!("[{members}]"),
        (false, true) => format!("[^{members}]"),
        // Only surrogates stood there, which no text contains.
        (true, false) => r"\P{any}".to_owned(),
        (true, true) => r"\p{any}".to_owned(),
    })
}

/// Reads `[:alpha:]` or `[:^alpha:]`; `None`, and nothing taken, if there is no such form. Go looks for its end
/// anywhere in the rest of the pattern.
fn named_class<'p>(cursor: &mut Cursor<'p>) -> Result<Option<&'p str>, BadRegex> {
    let start = *cursor;
    let mut ahead = *cursor;
    if !ahead.eat("[:") {
        return Ok(None);
    }
    let Some(name) = ahead.take_until(":]") else { return Ok(None) };
    if !POSIX.contains(&name.strip_prefix('^').unwrap_or(name)) {
        return Err(BadRegex::new("invalid character class range", ahead.since(start)));
    }
    *cursor = ahead;
    Ok(Some(ahead.since(start)))
}

/// Reads one character or `a-z`. `class` is where the class began, for the refusal.
fn range(class: Cursor<'_>, cursor: &mut Cursor<'_>, members: &mut String) -> Result<(), BadRegex> {
    let start = *cursor;
    let low = member(class, cursor)?;
    let mut ahead = *cursor;
    // A hyphen before the closing bracket, or at the end, is a member of its own.
    let is_range = ahead.eat("-") && !matches!(ahead.peek(), Some(']') | None);
    if !is_range {
        push_range(members, low, low);
        return Ok(());
    }
    *cursor = ahead;
    let high = member(class, cursor)?;
    if high < low {
        return Err(BadRegex::new("invalid character class range", cursor.since(start)));
    }
    push_range(members, low, high);
    Ok(())
}

/// Reads one end of a range.
fn member(class: Cursor<'_>, cursor: &mut Cursor<'_>) -> Result<u32, BadRegex> {
    match cursor.peek() {
        None => Err(BadRegex::new("missing closing ]", class.rest())),
        Some('\\') => single(cursor),
        Some(plain) => {
            cursor.take();
            Ok(u32::from(plain))
        }
    }
}

/// Writes a range without the surrogates in it: Rust refuses them, and no text contains them.
fn push_range(members: &mut String, low: u32, high: u32) {
    for (low, high) in [(low, high.min(0xd7ff)), (low.max(0xe000), high)] {
        if high < low {
            continue;
        }
        push_literal(members, low);
        if low < high {
            members.push('-');
            push_literal(members, high);
        }
    }
}
