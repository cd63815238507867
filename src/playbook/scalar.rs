//! Where the characters of a scalar's value stand in the scalar as it is written.
//!
//! Quotes, escapes, folded lines and indentation make the two differ. What cannot be followed to the last character is
//! given up rather than guessed: the value that the parser read must come out. Read [`place`].

use std::iter::Peekable;
use std::str::CharIndices;

/// A character of the value, and the bytes of the written text from which it comes: first, and after the last.
type Piece = (char, usize, usize);

/// Where a byte range of the value stands in the text as written, as far as its first line goes. What is written begins
/// with a quote, or with the first character that is not indentation.
pub(super) fn place(raw: &str, value: &str, (start, end): (usize, usize)) -> Option<(usize, usize)> {
    let pieces = quoted(raw).filter(|pieces| pieces.iter().map(|piece| piece.0).eq(value.chars()));
    let pieces = pieces.or_else(|| unquoted(raw, value))?;
    let within = |(at, _): &(usize, char)| (start..end).contains(at);
    let wanted: Vec<Piece> =
        value.char_indices().zip(pieces).filter(|(place, _)| within(place)).map(|(_, piece)| piece).collect();
    let first = wanted.iter().find(|piece| !piece.0.is_whitespace()).or_else(|| wanted.first())?.1;
    let line = raw.get(first..wanted.last()?.2)?.lines().next().unwrap_or_default();
    (!line.is_empty()).then_some((first, first + line.len()))
}

fn is_blank(letter: char) -> bool {
    matches!(letter, ' ' | '\t' | '\n' | '\r')
}

/// Without quotes, lines are only indented, folded and cut: what is not blank stands in the same order, unchanged.
fn unquoted(raw: &str, value: &str) -> Option<Vec<Piece>> {
    let mut written = raw.char_indices().filter(|(_, letter)| !is_blank(*letter));
    let mut pieces: Vec<Piece> = Vec::new();
    let mut after = 0;
    for letter in value.chars() {
        if is_blank(letter) {
            let here = raw.get(after..).and_then(|rest| rest.chars().next()).filter(|here| is_blank(*here));
            let width = here.map_or(0, char::len_utf8);
            pieces.push((letter, after, after + width));
            after += width;
        } else {
            let (at, _) = written.next().filter(|(_, found)| *found == letter)?;
            after = at + letter.len_utf8();
            pieces.push((letter, at, after));
        }
    }
    Some(pieces)
}

/// What stands between quotes, with escapes undone and lines folded; `None` if it is not quoted.
fn quoted(raw: &str) -> Option<Vec<Piece>> {
    let quote = raw.chars().next().filter(|first| matches!(first, '\'' | '"'))?;
    let mut letters = raw.get(..raw.len().checked_sub(1)?)?.char_indices().peekable();
    letters.next();
    let mut pieces = Vec::new();
    while let Some((at, letter)) = letters.next() {
        if is_blank(letter) {
            fold((at, letter), &mut letters, &mut pieces);
        } else if letter == '\'' && quote == '\'' {
            let (second, _) = letters.next_if(|(_, next)| *next == '\'')?;
            pieces.push((letter, at, second + 1));
        } else if letter == '\\' && quote == '"' {
            pieces.extend(escaped(at, &mut letters)?);
        } else {
            pieces.push((letter, at, at + letter.len_utf8()));
        }
    }
    Some(pieces)
}

/// Blanks within a line are what they are. One end of a line is a space, and each further one the end of a line.
fn fold(first: (usize, char), letters: &mut Peekable<CharIndices<'_>>, pieces: &mut Vec<Piece>) {
    let mut run = vec![first];
    while let Some(next) = letters.next_if(|(_, letter)| is_blank(*letter)) {
        run.push(next);
    }
    let ends: Vec<usize> = run.iter().filter(|(_, letter)| *letter == '\n').map(|(at, _)| *at).collect();
    match ends.as_slice() {
        [] => pieces.extend(run.iter().map(|(at, letter)| (*letter, *at, at + 1))),
        [end] => pieces.push((' ', *end, end + 1)),
        [_, further @ ..] => pieces.extend(further.iter().map(|end| ('\n', *end, end + 1))),
    }
}

/// What a backslash and what follows it stand for: a character, or nothing where it joins two lines.
fn escaped(at: usize, letters: &mut Peekable<CharIndices<'_>>) -> Option<Option<Piece>> {
    let (mut end, letter) = letters.next()?;
    if matches!(letter, '\n' | '\r') {
        while letters.next_if(|(_, next)| is_blank(*next)).is_some() {}
        return Some(None);
    }
    let digits = match letter {
        'x' => 2,
        'u' => 4,
        'U' => 8,
        _ => 0,
    };
    let mut code = 0;
    for _ in 0..digits {
        let (digit_at, digit) = letters.next()?;
        code = code * 16 + digit.to_digit(16)?;
        end = digit_at;
    }
    let meant = if digits == 0 { meaning(letter)? } else { char::from_u32(code)? };
    Some(Some((meant, at, end + letter.len_utf8())))
}

/// What a letter behind a backslash stands for.
fn meaning(letter: char) -> Option<char> {
    Some(match letter {
        '0' => '\0',
        'a' => '\u{7}',
        'b' => '\u{8}',
        't' | '\t' => '\t',
        'n' => '\n',
        'v' => '\u{b}',
        'f' => '\u{c}',
        'r' => '\r',
        'e' => '\u{1b}',
        ' ' | '"' | '/' | '\\' => letter,
        'N' => '\u{85}',
        '_' => '\u{a0}',
        'L' => '\u{2028}',
        'P' => '\u{2029}',
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use crate::playbook::problem::Findings;
    use crate::playbook::yaml::{Content, parse};

    /// Written in the rules file, what is looked for in the value, and how it is written there if otherwise.
    const TABLE: [(&str, &str, &str); 31] = [
        ("k: a && bad == 1 # bad", "bad", "bad"),
        ("k: a\n  && x\n\n  && bad == 1\nn: bad", "bad", "bad"),
        ("k: ä\n  ö bad", "bad", "bad"),
        ("k: 'a == ''x'' && bad'", "bad", "bad"),
        ("k: 'a == ''x'' && bad'", "'x'", "''x''"),
        ("k: 'a\n  b\n\n  bad'", "bad", "bad"),
        ("k: '\"bad\"'", "\"bad\"", "\"bad\""),
        (r#"k: "a == \"x\\n\" && bad""#, "bad", "bad"),
        (r#"k: "a == \"x\\n\" && bad""#, "\"x", "\\\"x"),
        (r#"k: "\x41\u00e4\U0001F600\t\_\N\L\P\e\/ bad""#, "bad", "bad"),
        (r#"k: "a\nb\n bad""#, "bad", "bad"),
        (r#"k: "a \u00e4 b""#, "ä b", "\\u00e4 b"),
        ("k: \"a  \n    b\n\n\n  bad\"", "bad", "bad"),
        ("k: \"a \\\n    b \\\n  bad\"", "bad", "bad"),
        ("k: |\n  a\n  b\n   bad\n", "bad", "bad"),
        ("k: |2-\n    more\n  bad\n", "bad", "bad"),
        ("k: |+\n  a\n\n\n  bad\n\n\n", "bad", "bad"),
        ("k: | # bad\n\n\n  a\n  bad\n", "bad", "bad"),
        ("k: |\n  \"a\" == \"bad\"\n", "bad", "bad"),
        ("k: >-\n  a\n  && b\n  && bad == 3\n", "bad", "bad"),
        ("k: >\n  a\n  b\n\n  bad\n", "bad", "bad"),
        ("k: >+\n  a\n  b\n\n  bad\n\n", "bad", "bad"),
        ("k: >-\n  a\n    more\n    more\n  bad\n", "bad", "bad"),
        ("k: >1-\n    more\n bad\n bad2\n", "bad2", "bad2"),
        ("k: >- # bad\n\n  a\n\n\n  bad\n", "bad", "bad"),
        ("k: >-\n  'a' == 'bad'\n", "bad", "bad"),
        ("k: >-\r\n  a\r\n  b\r\n  bad\r\n", "bad", "bad"),
        ("- >-\n  ä\n  ö bad\n", "bad", "bad"),
        ("{k: 'it''s', l: \"\\\"bad\"}", "bad", "bad"),
        ("k: >-\n  a\n  bad\n  worse\n", "bad worse", "bad"),
        ("k: 'bad\n  worse'", "bad worse", "bad"),
    ];

    #[test]
    fn what_a_value_says_is_found_where_it_is_written() {
        for (text, wanted, written) in TABLE {
            let mut findings = Findings::new("a.yaml", text);
            let root = parse(text, &mut findings).unwrap();
            let node = match &root.content {
                Content::Map(entries) => &entries.iter().rfind(|entry| entry.key != "n").unwrap().value,
                Content::List { items, .. } => items.first().unwrap(),
                Content::Scalar { .. } => &root,
            };
            let Content::Scalar { text: value, .. } = &node.content else { panic!("{text}") };
            let start = value.rfind(wanted).unwrap_or_else(|| panic!("{value:?} of {text:?}"));
            let span = node.inner_span(text, Some((start, start + wanted.len())));
            assert_eq!(text.get(span.start..span.end).unwrap(), written, "{text:?}");
            // Not only the same words: the place. The last ones are meant, but for what follows the value.
            let kept = text.rfind("\nn:").unwrap_or(text.len());
            let kept = text
                .get(..kept)
                .unwrap()
                .find(" # bad")
                .filter(|at| !text.get(*at..).unwrap().contains('\n'))
                .unwrap_or(kept);
            assert_eq!(span.start, text.get(..kept).unwrap().rfind(written).unwrap(), "{text:?}");
        }
    }

    #[test]
    fn what_cannot_be_followed_is_not_guessed() {
        assert_eq!(super::place("another text", "value", (0, 5)), None);
        assert_eq!(super::place("\"a\\qb\"", "ab", (0, 2)), None);
        assert_eq!(super::place("\"it's", "it's", (0, 2)), None);
    }
}
