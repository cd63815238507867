//! How single values of a test file are read: times before and after the start, labels, names, words of a closed list.

use crate::model::duration::parse_duration;
use crate::model::label::Labels;
use crate::model::target::ContainerName;
use crate::playbook::problem::{Findings, Note};
use crate::playbook::raw::{Field, nearest, shorten};
use crate::playbook::yaml::{Content, Node};
use std::time::Duration;

/// The items of a list, each as a field of the list's name.
pub(super) fn items<'n>(field: Field<'n>, hint: &str, findings: &mut Findings<'_>) -> Option<Vec<Field<'n>>> {
    let items = field.list(hint, findings)?;
    Some(items.iter().map(|item| Field { value: item, key: item.span, ..field }).collect())
}

/// The items of a list, or the one thing that stands in its place.
pub(super) fn one_or_many<'n>(field: Field<'n>) -> Vec<Field<'n>> {
    match &field.value.content {
        Content::List { items, .. } => {
            items.iter().map(|item| Field { value: item, key: item.span, ..field }).collect()
        }
        Content::Scalar { .. } | Content::Map(_) => vec![field],
    }
}

/// A duration that may be negative, in milliseconds: `-3m`, `1m`, `+1d`.
pub(super) fn signed_ms(field: Field<'_>, findings: &mut Findings<'_>) -> Option<i64> {
    let text = field.text(findings)?;
    let (sign, span) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    match parse_duration(span) {
        Ok(span) => Some(sign * i64::try_from(span.as_millis()).unwrap_or(i64::MAX)),
        Err(error) => {
            let message = format!("`{}` is not a time: {error}", field.name);
            findings.push(Note::error("playbook.duration", field.span(), message));
            None
        }
    }
}

/// The longest time that a test may last: each of its minutes is played.
const TEST_MAX: Duration = Duration::from_secs(62 * 24 * 3600);

/// A time after the start of the test.
pub(super) fn time(field: Field<'_>, findings: &mut Findings<'_>) -> Option<Duration> {
    let time = field.duration(findings)?;
    if TEST_MAX < time {
        let note = Note::error("test.value", field.span(), "a test lasts at most 62d: each of its minutes is played");
        findings.push(note.hint("attempts are remembered for 31d, and nothing else takes as long"));
        return None;
    }
    Some(time)
}

/// A duration that is more than nothing.
pub(super) fn some_time(field: Field<'_>, findings: &mut Findings<'_>) -> Option<Duration> {
    let span = field.duration(findings)?;
    if span.is_zero() {
        findings.push(Note::error("test.value", field.span(), format!("`{}` must be more than zero", field.name)));
        return None;
    }
    Some(span)
}

/// One word of a closed list.
pub(super) fn word<T: Clone>(field: Field<'_>, words: &[(&str, T)], findings: &mut Findings<'_>) -> Option<T> {
    let text = field.text(findings)?;
    let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| value.clone());
    if found.is_none() {
        unknown(field, &format!("`{}`", field.name), words.iter().map(|(word, _)| *word), findings);
    }
    found
}

/// Reports a word that is none of those that could stand here.
pub(super) fn unknown<'w>(
    field: Field<'_>,
    wanted: &str,
    known: impl Iterator<Item = &'w str>,
    findings: &mut Findings<'_>,
) {
    const LISTED_MAX: usize = 12;
    let known: Vec<&str> = known.collect();
    let text = match &field.value.content {
        Content::Scalar { text, .. } => shorten(text),
        Content::List { .. } | Content::Map(_) => String::new(),
    };
    let message = format!("`{text}` is no {wanted}");
    let hint = match nearest(&text, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.is_empty() => "there is none".to_owned(),
        None if known.len() <= LISTED_MAX => format!("one of: {}", known.join(", ")),
        None => format!(
            "one of: {}, and {} more",
            known.iter().take(LISTED_MAX).copied().collect::<Vec<_>>().join(", "),
            known.len() - LISTED_MAX
        ),
    };
    findings.push(Note::error("test.unknown-word", field.span(), message).hint(hint));
}

/// A name Docker accepts.
pub(super) fn container_name(field: Field<'_>, findings: &mut Findings<'_>) -> Option<ContainerName> {
    let text = field.text(findings)?;
    match ContainerName::parse(text) {
        Ok(name) => Some(name),
        Err(error) => {
            findings.push(Note::error("test.value", field.span(), error.to_string()));
            None
        }
    }
}

/// Names and texts.
pub(super) fn pairs(field: Field<'_>, findings: &mut Findings<'_>) -> Option<Vec<(String, String)>> {
    let Content::Map(entries) = &field.value.content else {
        field.wrong("a map of names and texts, such as {alertname: Down, container: web-1}", findings);
        return None;
    };
    let mut pairs = Vec::with_capacity(entries.len());
    for entry in entries {
        let value = Field { name: &entry.key, key: entry.key_span, value: &entry.value };
        pairs.push((entry.key.clone(), text_or_empty(value, findings)?));
    }
    Some(pairs)
}

/// Text; `""` is text as well.
fn text_or_empty(field: Field<'_>, findings: &mut Findings<'_>) -> Option<String> {
    field.text(findings).map(str::to_owned)
}

/// The labels of one alert.
pub(super) fn labels(field: Field<'_>, findings: &mut Findings<'_>) -> Option<Labels> {
    let pairs = pairs(field, findings)?;
    if pairs.is_empty() {
        let note = Note::error("test.value", field.span(), format!("`{}` needs at least one label", field.name));
        findings.push(note.hint("write for example {alertname: Down, container: web-1}"));
        return None;
    }
    Some(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect())
}

/// A list of texts.
pub(super) fn texts(field: Field<'_>, hint: &str, findings: &mut Findings<'_>) -> Option<Vec<String>> {
    let mut texts = Vec::new();
    for item in items(field, hint, findings)? {
        texts.push(item.text(findings)?.to_owned());
    }
    Some(texts)
}

/// Whether a node holds anything.
pub(super) fn is_empty_list(node: &Node) -> bool {
    matches!(&node.content, Content::List { items, .. } if items.is_empty())
}
