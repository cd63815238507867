//! When a playbook may run: the files' time intervals, the names a playbook gives of them, and its `if`.
//!
//! Intervals belong to all files together, as in Alertmanager: any playbook may name any of them. What they mean is in
//! `model::time_interval`, what a condition may say in `condition`. Read [`Intervals`] first.

use super::condition::{Condition, Nameable};
use super::keys;
use super::load::Reading;
use super::problem::{Findings, Note};
use super::raw::{self, Field, Fields};
use super::resolve::Resolved;
use super::yaml::{Node, Span};
use crate::model::time_interval::{BadRange, Location, Period, Range, Schedule, TimeInterval, TimeRange};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Longest name of an interval, in characters.
const NAME_LEN_MAX: usize = 128;

/// The time intervals of all files, by name.
#[derive(Debug, Default)]
pub(super) struct Intervals(BTreeMap<String, Defined>);

/// One interval as it stands in a file.
#[derive(Debug)]
struct Defined {
    /// `None` if something in it is wrong: its name is taken all the same.
    interval: Option<Arc<TimeInterval>>,
    /// The texts it is made of, for the revision of whoever names it.
    sources: Vec<String>,
    /// `FILE:LINE`
    place: String,
    /// The number of its file, and where its name stands.
    at: (usize, Span),
    /// Whether a playbook names it.
    used: Cell<bool>,
}

impl Intervals {
    /// Reads the `time_intervals` of one file.
    pub(super) fn read(&mut self, fields: &Fields<'_>, file: usize, findings: &mut Findings<'_>) {
        let Some(field) = fields.get("time_intervals") else { return };
        let Some(entries) = field.list("start each time interval with `- name: …`", findings) else { return };
        for entry in entries {
            self.add(entry, file, findings);
        }
    }

    fn add(&mut self, entry: &Node, file: usize, findings: &mut Findings<'_>) {
        let errors = findings.errors();
        let Some(fields) = Fields::read(entry, entry.span, &keys::TIME_INTERVAL, findings) else { return };
        let named = fields.need("name", findings).and_then(|field| Some((field, field.text(findings)?)));
        let field = fields.need("time_intervals", findings);
        let entries = field.and_then(|field| field.list("start each period with `- `", findings));
        let periods = entries.unwrap_or_default().iter().filter_map(|entry| period(entry, findings)).collect();
        if let Some(field) = field.filter(|_| entries.is_some_and(<[Node]>::is_empty)) {
            never_holds(field.span(), "a time interval without periods never holds", findings);
        }
        let Some((field, name)) = named else { return };
        if name.trim().is_empty() || NAME_LEN_MAX < name.chars().count() {
            let message = format!("a name of 1 to {NAME_LEN_MAX} characters is needed here");
            findings.push(Note::error("playbook.time-interval", field.span(), message));
            return;
        }
        if let Some(first) = self.0.get(name) {
            let message = format!("the name `{}` is taken by the time interval at {}", raw::shorten(name), first.place);
            let note = Note::error("playbook.duplicate-name", field.span(), message);
            findings
                .push(note.hint("choose another, or add these periods to the first: playbooks of all files name it"));
            return;
        }
        let interval = TimeInterval { name: name.into(), periods };
        let defined = Defined {
            interval: (findings.errors() == errors).then(|| Arc::new(interval)),
            sources: entry.sources(findings.text()).into_iter().map(str::to_owned).collect(),
            place: findings.place(field.key.start),
            at: (file, field.span()),
            used: Cell::new(false),
        };
        self.0.insert(name.to_owned(), defined);
    }

    /// Warns of intervals that nobody names. `files` are in the order in which their intervals were read.
    pub(super) fn lint_unused(&self, files: &mut [(Findings<'_>, Vec<Resolved>)]) {
        for (name, defined) in self.0.iter().filter(|(_, defined)| !defined.used.get()) {
            let (file, at) = defined.at;
            if let Some((findings, _)) = files.get_mut(file) {
                let message = format!("no playbook names the time interval `{}`", raw::shorten(name));
                let note = Note::warning("lint.unused-interval", at, message);
                findings.push(note.hint("name it in `active_time_intervals` or `mute_time_intervals`, or remove it"));
            }
        }
    }
}

/// The periods in which a playbook may run, and the texts of the intervals it names.
pub(super) fn schedule(fields: &Fields<'_>, reading: &mut Reading<'_>) -> (Schedule, Vec<String>) {
    let mut sources = Vec::new();
    let [active, mute] = ["active_time_intervals", "mute_time_intervals"]
        .map(|key| fields.get(key).map_or_else(Vec::new, |field| named(field, reading, &mut sources)));
    if let Some(field) = fields.get("mute_time_intervals")
        && !active.is_empty()
        && active.iter().all(|interval| mute.contains(interval))
    {
        let message = "every active interval is muted: the playbook never runs";
        reading.findings.push(Note::warning("lint.never-runs", field.key, message));
    }
    (Schedule { active, mute }, sources)
}

/// The intervals that a list names.
fn named(field: Field<'_>, reading: &mut Reading<'_>, sources: &mut Vec<String>) -> Vec<Arc<TimeInterval>> {
    let (findings, known) = (&mut reading.findings, &reading.intervals.0);
    let items = field.list("list names of `time_intervals`, such as [business-hours]", findings).unwrap_or_default();
    let mut found = Vec::new();
    for item in items {
        let item = Field { value: item, key: item.span, ..field };
        let Some(name) = item.text(findings) else { continue };
        let Some(defined) = known.get(name) else {
            let message = format!("there is no time interval `{}`", raw::shorten(name));
            let note = Note::error("playbook.unknown-interval", item.span(), message);
            findings.push(match raw::nearest(name, known.keys().map(String::as_str)) {
                Some(near) => note.hint(format!("did you mean `{near}`?")),
                None => note.hint("define it under `time_intervals` at the top of any rules file"),
            });
            continue;
        };
        defined.used.set(true);
        sources.extend(defined.sources.iter().cloned());
        found.extend(defined.interval.clone());
    }
    found
}

/// One entry of an interval's `time_intervals`.
fn period(entry: &Node, findings: &mut Findings<'_>) -> Option<Period> {
    let fields = Fields::read(entry, entry.span, &keys::PERIOD, findings)?;
    let months = list(&fields, "months", findings, |item, findings| range(item, Range::months, findings));
    if let (Some(field), Some(months)) = (fields.get("months"), &months)
        && !months.is_empty()
        && months.iter().all(|range| range.last < 1 || 12 < range.first)
    {
        never_holds(field.span(), "there are no such months", findings);
    }
    Some(Period {
        times: list(&fields, "times", findings, times),
        weekdays: list(&fields, "weekdays", findings, |item, findings| range(item, Range::weekdays, findings)),
        days_of_month: list(&fields, "days_of_month", findings, |item, findings| {
            range(item, Range::days_of_month, findings)
        }),
        months,
        years: list(&fields, "years", findings, |item, findings| range(item, Range::years, findings)),
        location: fields.get("location").and_then(|field| location(field, findings)).unwrap_or_default(),
    })
}

/// The items of a part that can be read; `None` if the part is absent.
fn list<'n, T>(
    fields: &Fields<'n>,
    key: &str,
    findings: &mut Findings<'_>,
    read: impl Fn(Field<'n>, &mut Findings<'_>) -> Option<T>,
) -> Option<Vec<T>> {
    let field = fields.get(key)?;
    let items = field.list("write a list, such as [\"monday:friday\"]", findings)?;
    if items.is_empty() {
        never_holds(field.span(), "an empty list holds at no time", findings);
    }
    Some(items.iter().filter_map(|item| read(Field { value: item, key: item.span, ..field }, findings)).collect())
}

fn range(
    item: Field<'_>,
    parse: impl Fn(&str) -> Result<Range, BadRange>,
    findings: &mut Findings<'_>,
) -> Option<Range> {
    let text = item.text(findings)?;
    parse(text).map_err(|error| findings.push(bad_range(item.span(), error))).ok()
}

fn times(item: Field<'_>, findings: &mut Findings<'_>) -> Option<TimeRange> {
    let fields = Fields::read(item.value, item.span(), &keys::TIMES, findings)?;
    let [start, end] = ["start_time", "end_time"].map(|key| {
        let field = fields.need(key, findings)?;
        let text = field.text(findings)?;
        TimeRange::minutes(text).map_err(|error| findings.push(bad_range(field.span(), error))).ok()
    });
    TimeRange::new(start?, end?).map_err(|error| findings.push(bad_range(item.span(), error))).ok()
}

fn location(field: Field<'_>, findings: &mut Findings<'_>) -> Option<Location> {
    let text = field.text(findings)?;
    let bad = |error: crate::model::time_interval::BadLocation| {
        Note::error("playbook.time-interval", field.span(), error.message).hint(error.hint)
    };
    Location::parse(text).map_err(|error| findings.push(bad(error))).ok()
}

fn bad_range(at: Span, error: BadRange) -> Note {
    let note = Note::error("playbook.time-interval", at, error.message);
    match error.hint {
        Some(hint) => note.hint(hint),
        None => note,
    }
}

fn never_holds(at: Span, message: &str, findings: &mut Findings<'_>) {
    findings.push(Note::warning("lint.never-holds", at, message).hint("leave out what does not matter"));
}

/// The `if` of a playbook or of a step.
pub(super) fn condition(field: Field<'_>, scope: Nameable<'_>, findings: &mut Findings<'_>) -> Option<Condition> {
    let source = field.text(findings)?;
    match Condition::parse(source, scope) {
        Ok(condition) => {
            if condition.is_constant() {
                let note = Note::warning("lint.constant-condition", field.span(), "the answer is always the same");
                findings.push(note.hint("name something of the alert or the target, or leave `if` out"));
            }
            Some(condition)
        }
        Err(flaws) => {
            for flaw in flaws {
                let at = field.value.inner_span(findings.text(), flaw.span);
                let note = Note::error("playbook.condition", at, flaw.message);
                findings.push(match flaw.hint {
                    Some(hint) => note.hint(hint),
                    None => note,
                });
            }
            None
        }
    }
}
