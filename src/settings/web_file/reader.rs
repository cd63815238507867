//! Values by their keys, and problems with their places.

use super::super::layers::{Tree, written};
use super::super::shape::Mistake;
use super::{Opened, unreadable};
use serde_saphyr::Spanned;
use std::path::Path;

/// Told at most.
const PROBLEMS_MAX: usize = 100;

/// One reading of one file.
pub(super) struct Reader<'t> {
    name: &'t str,
    base: &'t Path,
    tree: &'t Spanned<Tree>,
    text: &'t str,
    opened: Opened,
    /// What was found, and where.
    problems: Vec<((u64, u64), String)>,
    /// Keys that have been reported: what follows from them is not.
    wrong: Vec<String>,
}

type Node<'t> = (&'t Spanned<String>, &'t Spanned<Tree>);

impl<'t> Reader<'t> {
    pub(super) fn new(
        (name, base): (&'t str, &'t Path),
        (tree, text): (&'t Spanned<Tree>, &'t str),
        opened: Opened,
    ) -> Self {
        Self { name, base, tree, text, opened, problems: Vec::new(), wrong: Vec::new() }
    }

    /// The problems, in the order of the file, and what was opened.
    pub(super) fn done(mut self) -> (Vec<String>, Opened) {
        self.problems.sort_by_key(|(at, _)| *at);
        let problems = self.problems.into_iter().take(PROBLEMS_MAX).map(|(_, message)| message).collect();
        (problems, self.opened)
    }

    pub(super) fn mistake(&mut self, mistake: &Mistake) {
        self.wrong.push(mistake.key.clone());
        self.found(mistake.at, &mistake.key, &mistake.message);
    }

    /// The value is wrong.
    pub(super) fn fail(&mut self, key: &str, message: impl AsRef<str>) {
        let at = self.at(key, |(_, value)| value.referenced);
        self.found(at, key, message.as_ref());
    }

    /// The key does not belong there, or something is missing in it.
    pub(super) fn fail_key(&mut self, key: &str, message: impl AsRef<str>) {
        let at = self.at(key, |(key, _)| key.referenced);
        self.found(at, key, message.as_ref());
    }

    fn found(&mut self, (line, column): (u64, u64), key: &str, message: &str) {
        let key = if key.is_empty() { String::new() } else { format!("`{key}`: ") };
        self.problems.push(((line, column), format!("{}:{line}:{column}: {key}{message}", self.name)));
    }

    /// The place of a key, or of the one it would stand in.
    fn at(&self, key: &str, part: impl Fn(Node<'t>) -> serde_saphyr::Location) -> (u64, u64) {
        let whole = || (1, 1);
        let place = self.node(key).map(part);
        let place = place.or_else(|| self.node(key.rsplit_once('.')?.0).map(|(key, _)| key.referenced));
        place.map_or_else(whole, |location| (location.line(), location.column()))
    }

    /// What stands at a path whose last part may have dots, as the names of users do.
    fn node(&self, path: &str) -> Option<Node<'t>> {
        let mut entries = entries(self.tree)?;
        let mut rest = path;
        loop {
            if let Some((key, value)) = entries.iter().find(|(key, _)| key.value == rest) {
                return Some((key, value));
            }
            let (head, tail) = rest.split_once('.')?;
            let (_, value) = entries.iter().find(|(key, _)| key.value == head)?;
            (entries, rest) = (self::entries(value)?, tail);
        }
    }

    pub(super) fn has(&self, path: &str) -> bool {
        self.node(path).is_some_and(|(_, value)| !matches!(value.value, Tree::Nothing))
    }

    /// Whether nothing was wrong with its shape.
    pub(super) fn is_sound(&self, path: &str) -> bool {
        !self.wrong.iter().any(|wrong| wrong.is_empty() || wrong == path || path.starts_with(&format!("{wrong}.")))
    }

    fn scalar(&self, node: &Spanned<Tree>) -> Option<String> {
        match &node.value {
            Tree::Text(text) => Some(text.clone()),
            Tree::Number | Tree::Boolean(_) => Some(written(node, self.text).to_owned()),
            Tree::Nothing | Tree::List(_) | Tree::Map(_) => None,
        }
    }

    pub(super) fn text(&self, path: &str) -> Option<String> {
        self.node(path).and_then(|(_, value)| self.scalar(value))
    }

    pub(super) fn flag(&self, path: &str) -> Option<bool> {
        match self.node(path)?.1.value {
            Tree::Boolean(flag) => Some(flag),
            Tree::Nothing | Tree::Number | Tree::Text(_) | Tree::List(_) | Tree::Map(_) => None,
        }
    }

    /// A list of texts, each with its place.
    pub(super) fn list(&self, path: &str) -> Vec<(String, (u64, u64))> {
        let Some((_, value)) = self.node(path) else { return Vec::new() };
        let Tree::List(items) = &value.value else { return Vec::new() };
        let place = |item: &Spanned<Tree>| (item.referenced.line(), item.referenced.column());
        items.iter().filter_map(|item| Some((self.scalar(item)?, place(item)))).collect()
    }

    /// Something is wrong with one item of a list.
    pub(super) fn fail_item(&mut self, (key, index): (&str, usize), at: (u64, u64), message: &str) {
        self.found(at, &format!("{key}[{index}]"), message);
    }

    /// The keys of a map.
    pub(super) fn names(&self, path: &str) -> Vec<String> {
        let entries = self.node(path).and_then(|(_, value)| entries(value)).unwrap_or_default();
        entries.iter().map(|(key, _)| key.value.clone()).collect()
    }

    /// A text that stands there or in a file that is named there; reports why there is none, and `None` also if nothing is
    /// said.
    pub(super) fn text_or_file(&mut self, key: &str) -> Option<(String, Vec<u8>)> {
        let file_key = format!("{key}_file");
        let (inline, file) = (self.text(key), self.text(&file_key));
        match (inline.filter(|text| !text.is_empty()), file.filter(|name| !name.is_empty())) {
            (Some(_), Some(_)) => {
                self.fail_key(&file_key, format!("is given beside `{}`; keep one of the two", last(key)));
                None
            }
            (Some(text), None) => Some((key.to_owned(), text.into_bytes())),
            (None, Some(name)) => {
                let path = self.base.join(name);
                match self.opened.bytes(&path) {
                    Ok(bytes) => Some((file_key, bytes)),
                    Err(cause) => {
                        self.fail(&file_key, unreadable(&path, &cause));
                        None
                    }
                }
            }
            (None, None) => None,
        }
    }
}

fn entries(node: &Spanned<Tree>) -> Option<&[(Spanned<String>, Spanned<Tree>)]> {
    if let Tree::Map(entries) = &node.value { Some(entries) } else { None }
}

fn last(key: &str) -> &str {
    key.rsplit('.').next().unwrap_or(key)
}
