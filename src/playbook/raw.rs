//! How the maps and values of a rules file are read, by the tables of `keys`.
//!
//! Every key is checked against the table of its map. A key that this version does not execute is pointed out and
//! remembered: the daemon refuses the playbook, because it must not do less than it says. Nothing here knows what a
//! playbook means; that is `resolve`. Read [`Fields`] first.

use super::foreign;
use super::keys::{Key, STEP, Shape};
use super::problem::{Findings, Note};
use super::yaml::{Content, Entry, Node, Span};
use crate::model::duration::parse_duration;
use std::ops::RangeInclusive;
use std::time::Duration;

/// Keys people try for running a command.
const COMMAND_WORDS: [&str; 6] = ["run", "exec", "shell", "command", "cmd", "script"];

/// What a key that is either takes.
const TRUE_OR_FALSE: &str = "`true` or `false`";

/// The largest factor and number of CPUs.
const NUMBER_MAX: f64 = 1000.0;

/// The keys of one map, checked against its shape.
pub(crate) struct Fields<'n> {
    /// Where to point if something is missing: a key or the first line of the map.
    pub(crate) at: Span,
    noun: &'static str,
    /// What its shape has.
    keys: &'static [Key],
    /// Keys to be read, in the order of the file.
    found: Vec<Field<'n>>,
    /// Whether a key was refused as unknown.
    unknown: bool,
}

/// One key and its value.
#[derive(Clone, Copy)]
pub(crate) struct Field<'n> {
    /// The key.
    pub(crate) name: &'n str,
    /// Where it stands.
    pub(crate) key: Span,
    /// What it holds.
    pub(crate) value: &'n Node,
}

impl<'n> Fields<'n> {
    /// Reads a map, and reports every key that cannot be there. `None` (reported) if the node is not a map.
    pub(crate) fn read(node: &'n Node, at: Span, shape: &Shape, findings: &mut Findings<'_>) -> Option<Self> {
        let Content::Map(entries) = &node.content else {
            let message = format!("{} is a map of keys and values, not {}", shape.noun, node.kind());
            let note = Note::error("playbook.type", if node.is_nothing() { at } else { node.span }, message);
            findings.push(note.hint(shape_in_words(node, shape)));
            return None;
        };
        let mut fields = Self { at, noun: shape.noun, keys: shape.keys, found: Vec::new(), unknown: false };
        for entry in entries {
            match shape.keys.iter().find(|key| key.name == entry.key) {
                Some(key) => {
                    if !key.executed {
                        findings.not_executed(entry.key_span, key.name);
                    }
                    fields.found.push(Field { name: &entry.key, key: entry.key_span, value: &entry.value });
                }
                None => {
                    fields.unknown = true;
                    findings.push(unknown_key(entry, shape));
                }
            }
        }
        if shape.ordered {
            lint_order(entries, shape, findings);
        }
        Some(fields)
    }

    /// The field of this name, if it is there.
    pub(crate) fn get(&self, name: &str) -> Option<Field<'n>> {
        self.found.iter().find(|field| field.name == name).copied()
    }

    /// The field of this name; reported if it is missing.
    pub(crate) fn need(&self, name: &str, findings: &mut Findings<'_>) -> Option<Field<'n>> {
        let field = self.get(name);
        if field.is_none() {
            let message = format!("{} needs the key `{name}`", self.noun);
            let note = Note::error("playbook.missing-key", self.at, message);
            findings.push(match self.keys.iter().find(|key| key.name == name) {
                Some(key) => note.hint(format!("add `{name}`: {}", key.about.trim_end_matches('.'))),
                None => note,
            });
        }
        field
    }

    /// All fields, in the order of the file.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Field<'n>> {
        self.found.iter().copied()
    }

    /// Whether a key was refused as unknown: it may be the one that is missing, mistyped.
    pub(crate) fn has_unknown(&self) -> bool {
        self.unknown
    }

    /// `true` or `false`, or the default if the key is absent.
    pub(crate) fn boolean(&self, name: &str, default: bool, findings: &mut Findings<'_>) -> bool {
        self.get(name).and_then(|field| field.boolean(findings)).unwrap_or(default)
    }

    /// A duration, if the key is there.
    pub(crate) fn duration(&self, name: &str, findings: &mut Findings<'_>) -> Option<Duration> {
        self.get(name).and_then(|field| field.duration(findings))
    }
}

impl<'n> Field<'n> {
    /// Where to underline the value; the key if there is no value.
    pub(crate) fn span(&self) -> Span {
        if self.value.is_nothing() { self.key } else { self.value.span }
    }

    /// Reports that the value is of the wrong kind.
    pub(crate) fn wrong(&self, wanted: &str, findings: &mut Findings<'_>) {
        let message = match &self.value.content {
            Content::Scalar { text, .. } if !self.value.is_nothing() => {
                format!("`{}` is {wanted}, not {:?}", self.name, shorten(text))
            }
            Content::Scalar { .. } | Content::List { .. } | Content::Map(_) => {
                format!("`{}` is {wanted}, not {}", self.name, self.value.kind())
            }
        };
        let note = Note::error("playbook.type", self.span(), message);
        let quoted = matches!(&self.value.content, Content::Scalar { plain: false, .. });
        let bare = quoted && !wanted.starts_with("text");
        findings.push(match &self.value.content {
            _ if bare => note.hint("write it without quotes: between them it is a text"),
            Content::Scalar { text, .. } if wanted == TRUE_OR_FALSE && ["yes", "on"].contains(&text.as_str()) => {
                note.hint("write `true`")
            }
            Content::Scalar { text, .. } if wanted == TRUE_OR_FALSE && ["no", "off"].contains(&text.as_str()) => {
                note.hint("write `false`")
            }
            Content::Scalar { text, .. } if wanted.starts_with("one of ") => {
                match nearest(text, wanted.split('`').skip(1).step_by(2)) {
                    Some(word) => note.hint(format!("did you mean `{word}`?")),
                    None => note.hint(format!("write {wanted}")),
                }
            }
            Content::Scalar { .. } | Content::List { .. } | Content::Map(_) => note.hint(format!("write {wanted}")),
        });
    }

    /// Text as written. Nothing, a list or a map is reported.
    pub(crate) fn text(&self, findings: &mut Findings<'_>) -> Option<&'n str> {
        match &self.value.content {
            Content::Scalar { text, .. } if !self.value.is_nothing() => Some(text),
            Content::Scalar { .. } | Content::List { .. } => {
                self.wrong("text", findings);
                None
            }
            Content::Map(entries) => {
                let note = Note::error("playbook.type", self.span(), format!("`{}` is text, not a map", self.name));
                if let (true, Some(first)) = (self.name == "matchers", entries.first()) {
                    findings.push(note.hint(matcher_in_words(first)));
                    return None;
                }
                let hint = match self.name {
                    "body" => "write it as a text between quotes: body: '{\"key\": \"value\"}'",
                    _ => "quote a value that starts with `{`, such as \"{{ labels.container }}\"",
                };
                findings.push(note.hint(hint));
                None
            }
        }
    }

    fn boolean(&self, findings: &mut Findings<'_>) -> Option<bool> {
        if let Content::Scalar { text, plain: true } = &self.value.content
            && let Ok(value) = text.parse()
        {
            return Some(value);
        }
        self.wrong(TRUE_OR_FALSE, findings);
        None
    }

    /// A whole number within the bounds.
    pub(crate) fn whole(&self, bounds: &RangeInclusive<u32>, findings: &mut Findings<'_>) -> Option<u32> {
        let number = match &self.value.content {
            Content::Scalar { text, plain: true } if text.bytes().all(|byte| byte.is_ascii_digit()) => {
                text.parse().ok().filter(|number| bounds.contains(number))
            }
            Content::Scalar { .. } | Content::List { .. } | Content::Map(_) => None,
        };
        if number.is_none() {
            let wanted = match *bounds.end() {
                u32::MAX => format!("a whole number, at least {}", bounds.start()),
                most => format!("a whole number from {} to {most}", bounds.start()),
            };
            self.wrong(&wanted, findings);
        }
        number
    }

    /// A whole number that may be negative, within the bounds.
    pub(crate) fn signed(&self, bounds: RangeInclusive<i32>, findings: &mut Findings<'_>) -> Option<i32> {
        let number = match &self.value.content {
            Content::Scalar { text, plain: true } => text.parse().ok().filter(|number| bounds.contains(number)),
            Content::Scalar { .. } | Content::List { .. } | Content::Map(_) => None,
        };
        if number.is_none() {
            self.wrong(&format!("a whole number from {} to {}", bounds.start(), bounds.end()), findings);
        }
        number
    }

    /// A number, which may have a fraction, of more than the bound.
    pub(crate) fn more_than(&self, bound: u32, findings: &mut Findings<'_>) -> Option<f64> {
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        let number = match &self.value.content {
            Content::Scalar { text, plain: true } if digits(text) => {
                text.parse().ok().filter(|number| f64::from(bound) < *number && *number <= NUMBER_MAX)
            }
            Content::Scalar { .. } | Content::List { .. } | Content::Map(_) => None,
        };
        if number.is_none() {
            self.wrong(&format!("a number of more than {bound} and at most {NUMBER_MAX}, such as {bound}.5"), findings);
        }
        number
    }

    /// A size with its unit.
    pub(crate) fn bytes(&self, findings: &mut Findings<'_>) -> Option<u64> {
        let text = self.text(findings)?;
        let units = [("KiB", 10), ("MiB", 20), ("GiB", 30), ("TiB", 40)];
        let parse = |(unit, shift): (&str, u32)| {
            let digits = text.strip_suffix(unit).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
            digits.parse::<u64>().ok()?.checked_mul(1 << shift).filter(|bytes| 0 < *bytes)
        };
        let bytes = units.into_iter().find_map(parse);
        if bytes.is_none() {
            self.wrong("a size of more than zero in KiB, MiB, GiB or TiB, such as 512MiB", findings);
        }
        bytes
    }

    /// A duration in Prometheus' grammar.
    pub(crate) fn duration(&self, findings: &mut Findings<'_>) -> Option<Duration> {
        if let Content::Map(_) | Content::List { .. } = &self.value.content {
            let message = format!("`{}` is a length of time, not {}", self.name, self.value.kind());
            let meant = first_duration(self.value).unwrap_or("5m");
            let hint = format!("write `{}: {meant}`", self.name);
            findings.push(Note::error("playbook.duration", self.span(), message).hint(hint));
            return None;
        }
        let text = self.text(findings)?;
        match parse_duration(text) {
            Ok(duration) => Some(duration),
            Err(error) => {
                let message = format!("`{}` is not a duration: {error}", self.name);
                findings.push(Note::error("playbook.duration", self.span(), message));
                None
            }
        }
    }

    /// The items of a list. Anything else is reported.
    pub(crate) fn list(&self, hint: &str, findings: &mut Findings<'_>) -> Option<&'n [Node]> {
        if let Content::List { items, .. } = &self.value.content {
            return Some(items);
        }
        let message = format!("`{}` is a list, not {}", self.name, self.value.kind());
        findings.push(Note::error("playbook.type", self.span(), message).hint(hint));
        None
    }

    /// Whether the value is the bare word.
    pub(crate) fn is_word(&self, word: &str) -> bool {
        matches!(&self.value.content, Content::Scalar { text, plain: true } if text == word)
    }
}

/// The duration that somebody wrote deeper than it belongs.
fn first_duration(node: &Node) -> Option<&str> {
    let of = |node: &'_ Node| matches!(&node.content, Content::Scalar { text, .. } if parse_duration(text).is_ok());
    let inner = match &node.content {
        Content::Map(entries) => entries.iter().map(|entry| &entry.value).find(|value| of(value))?,
        Content::List { items, .. } => items.iter().find(|item| of(item))?,
        Content::Scalar { .. } => return None,
    };
    if let Content::Scalar { text, .. } = &inner.content { Some(text) } else { None }
}

/// What belongs in place of something that is no map.
fn shape_in_words(node: &Node, shape: &Shape) -> String {
    let names: Vec<&str> = shape.keys.iter().map(|key| key.name).collect();
    match &node.content {
        Content::Scalar { text, .. } if shape.noun == STEP.noun && names.contains(&text.as_str()) => {
            format!("write `- {text}: {{}}`, with its arguments between the braces")
        }
        Content::Scalar { .. } | Content::List { .. } | Content::Map(_) => {
            format!("write `KEY: VALUE`; its keys are: {}", names.join(", "))
        }
    }
}

/// The matcher that somebody wrote as a key and a value.
fn matcher_in_words(entry: &Entry) -> String {
    match &entry.value.content {
        Content::Scalar { text, .. } => format!("write `- {} = {:?}`", shorten(&entry.key), shorten(text)),
        Content::List { items, .. } => {
            let texts = items.iter().filter_map(|item| match &item.content {
                Content::Scalar { text, .. } => Some(text.as_str()),
                Content::List { .. } | Content::Map(_) => None,
            });
            let any = texts.collect::<Vec<_>>().join("|");
            format!("write `- {} =~ {:?}`", shorten(&entry.key), shorten(&any))
        }
        Content::Map(_) => "write each matcher as `- name = \"value\"`".to_owned(),
    }
}

fn unknown_key(entry: &Entry, shape: &Shape) -> Note {
    let message = format!("unknown key `{}` in {}", shorten(&entry.key), shape.noun);
    let note = Note::error("playbook.unknown-key", entry.key_span, message);
    if shape.noun == STEP.noun && COMMAND_WORDS.contains(&entry.key.as_str()) {
        return note.hint("no step runs a command: alert text must never become one");
    }
    if let Some(hint) = foreign::instead(shape.noun, &entry.key) {
        return note.hint(hint);
    }
    let names = shape.keys.iter().map(|key| key.name);
    match nearest(&entry.key, names.clone()) {
        Some(name) => note.hint(format!("did you mean `{name}`?")),
        None => {
            let known: Vec<&str> = names.collect();
            let hint = if known.is_empty() {
                "it has none: write `{}`".to_owned()
            } else {
                format!("known keys: {}", known.join(", "))
            };
            note.hint(hint)
        }
    }
}

/// The known word a mistyped one was probably meant to be.
pub(crate) fn nearest<'w>(wrong: &str, known: impl Iterator<Item = &'w str>) -> Option<&'w str> {
    let wrong: String = wrong.chars().take(64).collect();
    known
        .map(|word| (strsim::damerau_levenshtein(&wrong.to_lowercase(), &word.to_lowercase()), word))
        .filter(|(distance, word)| *distance <= (word.len() / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

/// Text from the file, short enough for a message.
pub(crate) fn shorten(text: &str) -> String {
    const CHARS_MAX: usize = 60;
    let short: String = text.chars().take(CHARS_MAX).collect();
    if short.len() < text.len() { format!("{short}…") } else { short }
}

fn lint_order(entries: &[Entry], shape: &Shape, findings: &mut Findings<'_>) {
    let place = |entry: &Entry| shape.keys.iter().position(|key| key.name == entry.key);
    let mut latest = 0;
    for entry in entries {
        let Some(index) = place(entry) else { continue };
        if index < latest {
            let after = shape.keys.get(latest).map_or("", |key| key.name);
            let message = format!("`{}` stands after `{after}`", entry.key);
            let order: Vec<&str> = shape.keys.iter().map(|key| key.name).collect();
            let hint = format!("reviewers look for keys in a fixed order: {}", order.join(", "));
            findings.push(Note::warning("lint.key-order", entry.key_span, message).hint(hint));
        }
        latest = latest.max(index);
    }
}
