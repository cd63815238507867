//! The classic grammar: Alertmanager up to 0.26, and its fallback since.
//!
//! It is tolerant in odd ways (values need no quotes, a lone brace is dropped, unknown escapes are kept); each oddity
//! here is Alertmanager's, because a route and a playbook with the same text must mean the same.

use super::condition::{BadMatcher, Matcher, Operator, is_classic_name};

/// Whitespace around a name or a value: ASCII, without the vertical tab.
const SPACE: [char; 5] = ['\t', '\n', '\x0c', '\r', ' '];

/// Reads a list of matchers.
pub(super) fn parse_list(text: &str) -> Result<Vec<Matcher>, BadMatcher> {
    // One brace on either side is dropped, whether or not the other is there.
    let inner = text.strip_prefix('{').unwrap_or(text);
    let inner = inner.strip_suffix('}').unwrap_or(inner);
    split(inner).into_iter().map(parse_one).collect()
}

/// Splits at commas outside quotes. Only the last entry may be empty, and is then left out.
fn split(text: &str) -> Vec<&str> {
    let mut entries = Vec::new();
    let (mut start, mut quoted, mut escaped) = (0, false, false);
    for (at, c) in text.char_indices() {
        match c {
            ',' if !quoted => {
                entries.push(text.get(start..at).unwrap_or_default());
                start = at + 1;
            }
            // A comma within quotes leaves a pending backslash pending, as it does in Alertmanager.
            ',' => {}
            '"' if escaped => escaped = false,
            '"' => quoted = !quoted,
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    let last = text.get(start..).unwrap_or_default().trim();
    entries.extend((!last.is_empty()).then_some(last));
    entries
}

/// Reads one matcher: a name, an operator, and the rest as the value.
pub(super) fn parse_one(text: &str) -> Result<Matcher, BadMatcher> {
    let bad_format = || BadMatcher { message: format!("bad matcher format: {text}"), span: None };
    let trimmed = text.trim_start_matches(SPACE);
    let name_end = trimmed.find(|c: char| c != ':' && c != '_' && !c.is_ascii_alphanumeric());
    let (name, rest) = name_end.and_then(|end| trimmed.split_at_checked(end)).ok_or_else(bad_format)?;
    let rest = rest.trim_start_matches(SPACE);
    let (operator, value) = Operator::ALL
        .iter()
        .find_map(|operator| rest.strip_prefix(operator.as_str()).map(|value| (*operator, value)))
        .filter(|_| is_classic_name(name))
        .ok_or_else(bad_format)?;
    operator.matcher(name, unquote(value.trim_matches(SPACE))?)
}

/// Takes the quotes off a value, if there are any, and resolves its escapes.
fn unquote(written: &str) -> Result<String, BadMatcher> {
    let stray_quote =
        || BadMatcher { message: format!("matcher value contains unescaped double quote: {written}"), span: None };
    let opened = written.strip_prefix('"');
    let mut closed = opened.is_none();
    let mut chars = opened.unwrap_or(written).chars();
    let mut value = String::with_capacity(written.len());
    while let Some(c) = chars.next() {
        match c {
            '"' if closed || !chars.as_str().is_empty() => return Err(stray_quote()),
            '"' => closed = true,
            '\\' => match chars.next() {
                Some('n') => value.push('\n'),
                Some(plain @ ('"' | '\\')) => value.push(plain),
                Some(unknown) => value.extend(['\\', unknown]),
                None => value.push('\\'),
            },
            plain => value.push(plain),
        }
    }
    if closed { Ok(value) } else { Err(stray_quote()) }
}
