//! A settings file as it may be shown: whatever could be a secret is hidden, byte for byte, so that all places stay.
//!
//! What is known to be no secret is shown; everything else is hidden, also in a file that is no YAML at all. Read
//! [`ShownFile`] first.

use super::layers::{FILE_BYTES_MAX, Tree, tree_of};
use super::problem::{About, Place, SettingsProblem};
use super::schema::{Holds, SETTINGS};
use serde_saphyr::Spanned;
use std::collections::BTreeMap;
use std::ops::Range;

/// What may be shown of a settings file, and where its keys stand in it.
#[derive(Clone, Debug, Default)]
pub struct ShownFile {
    text: String,
    parts: BTreeMap<String, Part>,
}

/// Where a key and its value stand.
#[derive(Clone, Debug, Default)]
struct Part {
    key: Option<Range<usize>>,
    /// If it is a single one.
    value: Option<Range<usize>>,
}

/// What is underlined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// Byte offset.
    pub offset: usize,
    /// In bytes.
    pub length: usize,
}

impl ShownFile {
    /// Hides what must not be seen.
    pub(super) fn new(text: &str) -> Self {
        if FILE_BYTES_MAX < text.len() {
            return Self::default();
        }
        let mut parts = BTreeMap::new();
        if let Some(tree) = tree_of(text) {
            collect(&tree, text, "", &mut parts);
        }
        Self { text: shown(text), parts }
    }

    /// The text; empty if nothing may be shown.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What a problem is about, if it stands in this file.
    #[must_use]
    pub fn mark(&self, problem: &SettingsProblem) -> Option<Mark> {
        let Place::File { line, column, .. } = &problem.place else { return None };
        let place = (usize::try_from(*line).ok()?, usize::try_from(*column).ok()?);
        let part = self.parts.get(&problem.key);
        let range = part.and_then(|part| match problem.about {
            About::Key => part.key.clone(),
            About::Value => part.value.clone().or_else(|| part.key.clone()),
        });
        let range = range.or_else(|| self.word_at(place))?;
        let before = self.text.get(..range.start)?;
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        let line = before.matches('\n').count() + 1;
        let column = before.get(start..)?.chars().count() + 1;
        Some(Mark { line, column, offset: range.start, length: range.len() })
    }

    /// The word that stands at a line and column.
    fn word_at(&self, (line, column): (usize, usize)) -> Option<Range<usize>> {
        let before: usize = self.text.split_inclusive('\n').take(line.checked_sub(1)?).map(str::len).sum();
        let row = self.text.get(before..)?.lines().next()?;
        let indented = row.get(..row.len() - row.trim_start().len())?;
        if let Some(tab) = indented.find('\t') {
            return Some(before + tab..before + tab + 1);
        }
        let (start, _) = row.char_indices().nth(column.checked_sub(1)?)?;
        let rest = row.get(start..)?;
        let ends = [": ", ", ", "}", "]", " #"].into_iter().filter_map(|end| rest.find(end));
        let end = ends.filter(|end| *end != 0).min().unwrap_or(rest.len());
        let word = rest.get(..end)?.trim_end().trim_end_matches(':');
        Some(before + start..before + start + word.len())
    }
}

/// Where each key stands, and each single value.
fn collect(node: &Spanned<Tree>, text: &str, path: &str, parts: &mut BTreeMap<String, Part>) {
    match &node.value {
        Tree::List(items) => {
            for (index, item) in items.iter().enumerate() {
                let path = format!("{path}[{index}]");
                collect(item, text, &path, parts);
                parts.insert(path, Part { key: None, value: single(item, text) });
            }
        }
        Tree::Map(entries) => {
            for (key, value) in entries {
                let path = if path.is_empty() { key.value.clone() } else { format!("{path}.{}", key.value) };
                collect(value, text, &path, parts);
                parts.insert(path, Part { key: range_of(key, text), value: single(value, text) });
            }
        }
        Tree::Nothing | Tree::Boolean(_) | Tree::Number | Tree::Text(_) => {}
    }
}

fn single(node: &Spanned<Tree>, text: &str) -> Option<Range<usize>> {
    match node.value {
        Tree::Boolean(_) | Tree::Number | Tree::Text(_) => range_of(node, text).filter(|range| !range.is_empty()),
        Tree::Nothing | Tree::List(_) | Tree::Map(_) => None,
    }
}

/// Where something stands, on its first line.
fn range_of<T>(node: &Spanned<T>, text: &str) -> Option<Range<usize>> {
    let span = node.defined.span();
    let start = usize::try_from(span.byte_offset()?).ok()?;
    let length = usize::try_from(span.byte_len()?).ok()?;
    let first = text.get(start..start + length)?.lines().next().unwrap_or_default().trim_end();
    Some(start..start + first.len())
}

/// The text of a settings file as it may be shown: what could be a secret is hidden, byte for byte. Empty if nothing may be.
fn shown(text: &str) -> String {
    let Some(tree) = tree_of(text) else { return hidden(text, &after_colons(text)) };
    let mut secret = Vec::new();
    if hide(&tree, Some(&Holds::Map(&SETTINGS)), text, &mut secret).is_none() {
        return String::new();
    }
    secret.extend(comments(text));
    secret.extend(passwords_of_urls(text));
    hidden(text, &secret)
}

/// Collects what must not be seen; `None` if its place is not known.
fn hide(node: &Spanned<Tree>, holds: Option<&Holds>, text: &str, secret: &mut Vec<Range<usize>>) -> Option<()> {
    match &node.value {
        Tree::Nothing | Tree::Boolean(_) => {}
        Tree::List(items) => {
            let of = if let Some(Holds::List(of)) = holds {
                Some(*of)
            } else {
                holds.filter(|holds| matches!(holds, Holds::Texts))
            };
            items.iter().try_for_each(|item| hide(item, of, text, secret))?;
        }
        Tree::Map(entries) => {
            let table = if let Some(Holds::Map(table)) = holds { Some(table) } else { None };
            for (key, value) in entries {
                let known = table.and_then(|table| table.keys.iter().find(|known| known.name == key.value));
                let known = known.filter(|known| !is_secret(known.name));
                hide(value, known.map(|known| &known.holds), text, secret)?;
            }
        }
        Tree::Number | Tree::Text(_) if holds.is_some() => {}
        Tree::Number | Tree::Text(_) => {
            let span = node.defined.span();
            let start = usize::try_from(span.byte_offset()?).ok()?;
            let end = start + usize::try_from(span.byte_len()?).ok()?;
            let there = text.get(start..end)?;
            if let Tree::Text(value) = &node.value
                && !there.contains(value.as_str())
            {
                return None;
            }
            secret.push(start..end);
        }
    }
    Some(())
}

/// Whether a key holds a secret, or may: a file's name is none.
fn is_secret(name: &str) -> bool {
    let may = ["token", "password", "secret", "hash", "url", "headers"].iter().any(|word| name.contains(word));
    may && !name.ends_with("_file") && name != "external_url"
}

/// What stands before the `@` of a URL, also where none of it belongs.
fn passwords_of_urls(text: &str) -> Vec<Range<usize>> {
    let ends = |letter: char| letter.is_whitespace() || "/'\",]}".contains(letter);
    let after = text.match_indices("://").map(|(at, sign)| at + sign.len());
    let whole = |start: usize| {
        let authority = text.get(start..)?.split(ends).next()?;
        let (told, _) = authority.rsplit_once('@')?;
        let (user, _) = told.split_once(':')?;
        Some(start + user.len()..start + told.len())
    };
    after.filter_map(whole).collect()
}

/// From each comment's sign to the end of its line.
fn comments(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let sign = if line.trim_start().starts_with('#') { line.find('#') } else { line.find(" #").map(|at| at + 1) };
        found.extend(sign.map(|sign| start + sign + 1..start + line.len()));
        start += line.len();
    }
    found
}

/// From the first colon of each line to its end: for a text that is no YAML.
fn after_colons(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let from = line.find(':').unwrap_or(0);
        found.push(start + from..start + line.len());
        start += line.len();
    }
    found
}

/// With these parts hidden: all but white space and YAML's own signs gives way to signs that are as long.
fn hidden(text: &str, secret: &[Range<usize>]) -> String {
    let sign = |letter: char| match letter.len_utf8() {
        _ if letter.is_whitespace() || "\"'[]{},:#".contains(letter) => letter,
        1 => '*',
        2 => '\u{d7}',
        3 => '\u{2217}',
        _ => '\u{1f512}',
    };
    let mut mask = vec![false; text.len()];
    for range in secret {
        if let Some(part) = mask.get_mut(range.clone()) {
            part.fill(true);
        }
    }
    let is_secret = |at: usize| mask.get(at).copied().unwrap_or(true);
    text.char_indices().map(|(at, letter)| if is_secret(at) { sign(letter) } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_be_a_secret_is_never_shown() {
        let text = "\
web: {api_token: s3cret1, external_url: \"http://u:s3cret0@b/\"}
slack: {answer_origin: http://me:s3cret8@:s3cret9@a/}
# bearer_token: s3cret2
webhook:
  senders:
    - name: am # s3cret3
      bearer_tokn: 's3cret4'
      basic_auth: {username: me, password: [\"s3cret5\"]}
notifiers: [{name: a, http: {url: http://s3cret6/, headers: {x: s3cret7}}}]
";
        let told = shown(text);
        assert!(!told.contains("s3cret"), "{told}");
        assert_eq!((told.len(), told.lines().count()), (text.len(), text.lines().count()));
        for word in
            ["api_token:", "http://u:*******@b/", "http://me:*", "@a/", "name: am", "bearer_tokn:", "username: me"]
        {
            assert!(told.contains(word), "{word}: {told}");
        }
        assert!(!shown("web: [\n  api_token: s3cret\n").contains("s3cret"));
        assert!(!shown("web: {api_token: \"s3\\x63ret\"}\n").contains("s3"));
    }
}
