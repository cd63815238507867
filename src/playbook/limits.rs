//! Reads `limits`: how often a playbook may run, and how much it may take down at once.

use super::keys;
use super::problem::{Findings, Note};
use super::raw::{self, Field, Fields};
use super::resolve::{one_of, positive};
use super::yaml::Content;
use crate::model::duration::format_duration;
use crate::model::limit::{Limits, MEMORY, MinHealthy, Scope, Window};
use std::sync::Arc;
use std::time::Duration;

/// The most labels of a `key`.
const KEY_MAX: usize = 8;

/// Reads `limits`: a map for one window, or a list of such maps for several. A window is `runs` with `per`; `cooldown`
/// and `scope` hold for all windows, so each may stand once, in any entry. Without a window the default one holds.
pub(super) fn limits(field: Field<'_>, findings: &mut Findings<'_>) -> Option<Limits> {
    let entries = match &field.value.content {
        Content::List { items, .. } => items.as_slice(),
        Content::Map(_) => std::slice::from_ref(field.value),
        Content::Scalar { .. } => {
            field.wrong("a map such as {runs: 3, per: 1h, cooldown: 10m}, or a list of them", findings);
            return None;
        }
    };
    let mut read = ReadLimits::default();
    for entry in entries {
        let fields = Fields::read(entry, entry.span, &keys::LIMIT, findings)?;
        read.add(&fields, findings);
    }
    if entries.is_empty() {
        let note = Note::error("playbook.limits", field.span(), "`limits` is empty");
        findings.push(note.hint("leave it out for the default: 3 runs per 1h, cooldown 5m"));
    }
    let default = Limits::default();
    Some(Limits {
        windows: if read.windows.is_empty() { default.windows } else { read.windows },
        scope: read.scope.unwrap_or(default.scope),
        key: read.key.unwrap_or(default.key),
        cooldown: read.cooldown.unwrap_or(default.cooldown),
        max_parallel: read.max_parallel.unwrap_or(default.max_parallel),
        min_healthy: read.min_healthy,
    })
}

#[derive(Default)]
struct ReadLimits {
    windows: Vec<Window>,
    cooldown: Option<Duration>,
    scope: Option<Scope>,
    key: Option<Vec<Arc<str>>>,
    max_parallel: Option<u32>,
    min_healthy: Option<MinHealthy>,
}

impl ReadLimits {
    fn add(&mut self, fields: &Fields<'_>, findings: &mut Findings<'_>) {
        if fields.iter().next().is_none() {
            findings.push(Note::error("playbook.limits", fields.at, "a limit is {runs, per}, {cooldown} or {scope}"));
        }
        match (fields.get("runs"), fields.get("per")) {
            (Some(runs), Some(per)) => {
                let (runs, length) = (runs.whole(&(1..=u32::MAX), findings), positive(per, findings));
                let length = length.and_then(|length| remembered(length, per, findings));
                self.windows.extend(runs.zip(length).map(|(runs, per)| Window { runs, per }));
            }
            (Some(alone), None) => one_without_the_other(alone, "per", findings),
            (None, Some(alone)) => one_without_the_other(alone, "runs", findings),
            (None, None) => {}
        }
        if let Some(field) = fields.get("cooldown") {
            let cooldown = field.duration(findings).and_then(|cooldown| remembered(cooldown, field, findings));
            once(&mut self.cooldown, cooldown, field, findings);
        }
        if let Some(field) = fields.get("scope") {
            let words = [("target", Scope::Target), ("playbook", Scope::Playbook), ("host", Scope::Host)];
            let scope = one_of(field, &words, findings);
            once(&mut self.scope, scope, field, findings);
        }
        if let Some(field) = fields.get("key") {
            once(&mut self.key, key(field, findings), field, findings);
            if self.scope.is_some() {
                let note = Note::error("playbook.limits", field.key, "`key` and `scope` both say what counts together");
                findings.push(note.hint("remove one of them"));
            }
        }
        if let Some(field) = fields.get("max_parallel") {
            once(&mut self.max_parallel, field.whole(&(1..=1000), findings), field, findings);
        }
        if let Some(field) = fields.get("min_healthy") {
            once(&mut self.min_healthy, min_healthy(field, findings), field, findings);
        }
    }
}

/// Names of labels, each once.
fn key(field: Field<'_>, findings: &mut Findings<'_>) -> Option<Vec<Arc<str>>> {
    let items = field.list("name labels of the alert: key: [instance, mountpoint]", findings)?;
    if items.is_empty() || KEY_MAX < items.len() {
        let note = Note::error("playbook.limits", field.span(), format!("`key` names 1 to {KEY_MAX} labels"));
        findings.push(note.hint("such as: key: [instance, mountpoint]"));
        return None;
    }
    let mut names: Vec<Arc<str>> = Vec::new();
    for item in items {
        let item = Field { value: item, key: item.span, ..field };
        let name = item.text(findings)?;
        if names.iter().any(|earlier| **earlier == *name) {
            let note = Note::error("playbook.limits", item.span(), format!("the label `{name}` stands twice"));
            findings.push(note.hint("remove one of them"));
        }
        names.push(name.into());
    }
    Some(names)
}

/// A number of containers, or a share of them such as `50%`.
fn min_healthy(field: Field<'_>, findings: &mut Findings<'_>) -> Option<MinHealthy> {
    let text = field.text(findings)?.trim();
    let parsed = match text.strip_suffix('%') {
        Some(share) => share.parse().ok().filter(|share| (1..100).contains(share)).map(MinHealthy::Percent),
        None => text.parse().ok().filter(|count| 0 < *count).map(MinHealthy::Count),
    };
    if parsed.is_none() {
        let message =
            format!("`min_healthy` is a number from 1, or a share from 1% to 99%, not {:?}", raw::shorten(text));
        let note = Note::error("playbook.limits", field.span(), message);
        findings.push(note.hint("it is what must be left healthy while this container is treated"));
    }
    parsed
}

/// A duration over which attempts are remembered.
fn remembered(duration: Duration, field: Field<'_>, findings: &mut Findings<'_>) -> Option<Duration> {
    if MEMORY < duration {
        let message = format!("`{}` is at most {}: older attempts are forgotten", field.name, format_duration(MEMORY));
        findings.push(Note::error("playbook.limits", field.span(), message));
        return None;
    }
    Some(duration)
}

fn once<T>(slot: &mut Option<T>, value: Option<T>, field: Field<'_>, findings: &mut Findings<'_>) {
    if slot.is_some() {
        let message = format!("`{}` holds for all windows and stands twice", field.name);
        findings.push(Note::error("playbook.limits", field.key, message));
    }
    *slot = value.or(slot.take());
}

fn one_without_the_other(alone: Field<'_>, other: &str, findings: &mut Findings<'_>) {
    let message = format!("`{}` means nothing without `{other}`", alone.name);
    findings.push(Note::error("playbook.limits", alone.key, message).hint("a window is {runs: 3, per: 1h}"));
}
