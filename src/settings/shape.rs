//! The settings file against the table of its keys: all that has the wrong shape, at once and in plain words.
//!
//! Asked only about a file that the types have refused: they decide, and this says it better. Read [`mistakes`] first.

use super::layers::{Tree, written};
use super::problem::About;
use super::schema::{Holds, Key, SETTINGS, Table};
use serde_saphyr::Spanned;

/// Keys that `raw` reads so that they can be refused by name.
pub(super) const LATER: [&str; 17] = [
    "alertmanager",
    "apprise",
    "client_certificate",
    "discord",
    "google_chat",
    "gotify",
    "header",
    "hmac_secret",
    "hmac_secret_file",
    "mattermost",
    "ntfy",
    "opsgenie",
    "pagerduty",
    "retention",
    "segment_size",
    "teams",
    "telegram",
];

/// A longer key is not shown whole.
const KEY_CHARS_MAX: usize = 60;

/// One thing that has the wrong shape.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mistake {
    /// Line and column, from 1.
    pub(super) at: (u64, u64),
    /// The key, such as `webhook.senders[0].name`.
    pub(super) key: String,
    /// What is wrong, and what to do.
    pub(super) message: String,
    /// Whether the key is wrong, or its value.
    pub(super) about: About,
    /// The key without which the rest can be read: the mistake's own, or what it stands in.
    pub(super) leave_out: String,
}

/// What of a mistake in a value is left out: the second part of the key at most, and no item of a list, so that the others
/// keep their numbers and nothing is missing.
fn outer(key: &str) -> String {
    let key = key.split('[').next().unwrap_or_default();
    let second = key.match_indices('.').nth(1).map_or(key.len(), |(at, _)| at);
    key.get(..second).unwrap_or(key).to_owned()
}

/// All of them, in the order of the file.
pub(super) fn mistakes(tree: &Spanned<Tree>, text: &str) -> Vec<Mistake> {
    mistakes_by((&SETTINGS, &LATER), tree, text)
}

/// The same of a file that has other keys, some of which are refused elsewhere.
pub(super) fn mistakes_by(
    (top, later): (&'static Table, &'static [&'static str]),
    tree: &Spanned<Tree>,
    text: &str,
) -> Vec<Mistake> {
    let mut reader = Reader { top, later, text, found: Vec::new() };
    reader.map(tree, top, ("", place(tree)));
    reader.found.sort_by_key(|mistake| mistake.at);
    reader.found
}

type Place = (u64, u64);

fn place<T>(node: &Spanned<T>) -> Place {
    (node.referenced.line(), node.referenced.column())
}

struct Reader<'t> {
    top: &'static Table,
    later: &'static [&'static str],
    text: &'t str,
    found: Vec<Mistake>,
}

impl Reader<'_> {
    fn wrong(&mut self, at: Place, key: &str, message: String) {
        self.found.push(Mistake { at, key: key.to_owned(), message, about: About::Value, leave_out: outer(key) });
    }

    fn unknown(&mut self, at: Place, key: &str, message: String) {
        let leave_out = key.to_owned();
        self.found.push(Mistake { at, key: key.to_owned(), message, about: About::Key, leave_out });
    }

    fn map(&mut self, node: &Spanned<Tree>, table: &Table, (path, at): (&str, Place)) {
        let Tree::Map(entries) = &node.value else {
            let message = format!(
                "a map of keys and values belongs here, and here is {}; write `KEY: VALUE` below it",
                kind(&node.value)
            );
            return self.wrong(place(node), path, message);
        };
        for (key, value) in entries {
            let below = if path.is_empty() { key.value.clone() } else { format!("{path}.{}", key.value) };
            match table.keys.iter().find(|known| known.name == key.value) {
                Some(known) => self.value(value, &known.holds, (&below, place(key))),
                None if self.later.contains(&&*key.value) => {}
                None => self.unknown(place(key), &below, unknown(&key.value, table, self.top)),
            }
        }
        let missing = |key: &&Key| key.needed && !entries.iter().any(|(there, _)| there.value == key.name);
        for key in table.keys.iter().filter(missing) {
            self.wrong(at, path, format!("needs `{}`, which has no default; add it", key.name));
        }
    }

    fn value(&mut self, node: &Spanned<Tree>, holds: &Holds, (path, at): (&str, Place)) {
        // A key without a value is as good as none, or the types say what is wrong with that.
        if matches!(node.value, Tree::Nothing) {
            return;
        }
        let here = kind(&node.value);
        let is_single = !matches!(node.value, Tree::List(_) | Tree::Map(_));
        match holds {
            Holds::Map(table) => self.map(node, table, (path, at)),
            Holds::List(items) => match &node.value {
                Tree::List(nodes) => self.items(nodes, items, path),
                Tree::Map(_) | Tree::Nothing | Tree::Boolean(_) | Tree::Number | Tree::Text(_) => {
                    let message = format!("must be a list, and here is {here}; begin each item with `- `");
                    self.wrong(place(node), path, message);
                }
            },
            Holds::Names => match &node.value {
                Tree::Map(entries) => entries.iter().for_each(|(key, value)| {
                    self.value(value, &Holds::Text, (&format!("{path}.{}", key.value), place(key)));
                }),
                Tree::List(_) | Tree::Nothing | Tree::Boolean(_) | Tree::Number | Tree::Text(_) => {
                    self.wrong(
                        place(node),
                        path,
                        format!("must be names and their texts, and here is {here}; write `NAME: TEXT` below it"),
                    );
                }
            },
            Holds::Texts => match &node.value {
                Tree::List(nodes) => self.items(nodes, &Holds::Text, path),
                Tree::Map(_) => self.wrong(
                    place(node),
                    path,
                    format!(
                        "must be a text or a list of texts, and here is {here}; write one text, or begin each with `- `"
                    ),
                ),
                Tree::Nothing | Tree::Boolean(_) | Tree::Number | Tree::Text(_) => {}
            },
            Holds::Flag if matches!(node.value, Tree::Boolean(_)) => {}
            Holds::Flag => self.wrong(
                place(node),
                path,
                format!("must be true or false, and here is {here}; write `true` or `false`, without quotes"),
            ),
            Holds::Count(..) if is_count(node, self.text) => {}
            Holds::Count(..) => self.wrong(
                place(node),
                path,
                format!("must be a whole number, and here is {here}; write digits, without quotes"),
            ),
            Holds::Text | Holds::Time(_) | Holds::Size | Holds::Word(_) if is_single => {}
            Holds::Text | Holds::Time(_) | Holds::Size | Holds::Word(_) => {
                self.wrong(place(node), path, format!("must be one text, and here is {here}; write a single value"));
            }
        }
    }

    fn items(&mut self, nodes: &[Spanned<Tree>], holds: &Holds, path: &str) {
        for (index, node) in nodes.iter().enumerate() {
            self.value(node, holds, (&format!("{path}[{index}]"), place(node)));
        }
    }
}

fn unknown(key: &str, table: &Table, top: &Table) -> String {
    if KEY_CHARS_MAX < key.chars().count() {
        let head: String = key.chars().take(KEY_CHARS_MAX).collect();
        return format!("unknown key `{head}…`; no key is that long");
    }
    let names = || table.keys.iter().map(|known| known.name);
    let near = names().map(|name| (strsim::damerau_levenshtein(key, name), name));
    let near =
        near.filter(|(distance, name)| *distance <= (name.len() / 3).max(1)).min_by_key(|(distance, _)| *distance);
    if let Some((_, name)) = near {
        return format!("unknown key `{key}`; did you mean `{name}`?");
    }
    match top.keys.iter().find(|outer| matches!(&outer.holds, Holds::Map(table) if has(table, key))) {
        Some(outer) if table.keys.iter().any(|known| known.name == outer.name) => {
            format!("unknown key `{key}`; it belongs under `{}`", outer.name)
        }
        Some(outer) => format!("unknown key `{key}`; it belongs under `{}`, at the top of the file", outer.name),
        None => format!("unknown key `{key}`; the keys here are {}", names().collect::<Vec<_>>().join(", ")),
    }
}

fn has(table: &Table, key: &str) -> bool {
    table.keys.iter().any(|known| known.name == key)
}

/// What is wrong with a key as a variable names it, such as `web.listn`; `None` if there is such a key.
pub(super) fn unknown_path(path: &str) -> Option<String> {
    let mut table = &SETTINGS;
    for part in path.split('.') {
        let Some(key) = table.keys.iter().find(|known| known.name == part) else {
            return (!LATER.contains(&part)).then(|| unknown(part, table, &SETTINGS));
        };
        let Holds::Map(inner) = &key.holds else { return None };
        table = inner;
    }
    None
}

fn is_count(node: &Spanned<Tree>, text: &str) -> bool {
    matches!(node.value, Tree::Number) && written(node, text).parse::<u32>().is_ok()
}

fn kind(tree: &Tree) -> &'static str {
    match tree {
        Tree::Nothing => "nothing",
        Tree::Boolean(_) => "true or false",
        Tree::Number => "a number",
        Tree::Text(_) => "a text",
        Tree::List(_) => "a list",
        Tree::Map(_) => "a map",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::layers::tree_of;

    fn found(text: &str) -> Vec<String> {
        let tree = tree_of(text).unwrap();
        let told = |mistake: Mistake| format!("{}:{} {}: {}", mistake.at.0, mistake.at.1, mistake.key, mistake.message);
        mistakes(&tree, text).into_iter().map(told).collect()
    }

    #[test]
    fn every_wrong_key_and_value_is_found_at_once_in_plain_words() {
        let text = "\
webb: {}
dry_run: perhaps
limits:
  max_parallel: many
  global: {runs: 1}
  storm: [1]
docker:
  protect: a
  hosts:
    - {url: x, nme: y}
notifiers:
  - name: [a]
    http: {url: u, headers: [h]}
";
        let expected = [
            "1:1 webb: unknown key `webb`; did you mean `web`?",
            "2:10 dry_run: must be true or false, and here is a text; write `true` or `false`, without quotes",
            "4:17 limits.max_parallel: must be a whole number, and here is a text; write digits, without quotes",
            "5:11 limits.global: must be a list, and here is a map; begin each item with `- `",
            "6:10 limits.storm: a map of keys and values belongs here, and here is a list; write `KEY: VALUE` below it",
            "8:12 docker.protect: must be a list, and here is a text; begin each item with `- `",
            "10:7 docker.hosts[0]: needs `name`, which has no default; add it",
            "10:16 docker.hosts[0].nme: unknown key `nme`; did you mean `name`?",
            "12:11 notifiers[0].name: must be one text, and here is a list; write a single value",
            "13:29 notifiers[0].http.headers: must be names and their texts, and here is a list; write `NAME: TEXT` below it",
        ];
        assert_eq!(found(text), expected);
        assert_eq!(
            found("- a\n"),
            ["1:1 : a map of keys and values belongs here, and here is a list; write `KEY: VALUE` below it"]
        );
    }
}
