//! Notifications of a test's timeline: alerts that fire and are resolved, once or again and again.

use super::definition::{Happening, Sent, Timed};
use super::keys;
use super::values::{labels, one_or_many, pairs, signed_ms, some_time, time};
use crate::model::label::Labels;
use crate::playbook::problem::{Findings, Note};
use crate::playbook::raw::{Field, Fields};
use std::time::Duration;

/// The most deliveries that one input may stand for.
const REPEATS_MAX: u128 = 10_000;

/// Reads the notification of an input, with its repeats.
pub(super) fn notifications(
    (at, line): (Duration, usize),
    fields: &Fields<'_>,
    findings: &mut Findings<'_>,
) -> Vec<Timed> {
    let of = |name: &str, findings: &mut Findings<'_>| -> Vec<Labels> {
        let alerts = fields.get(name).map(one_or_many).unwrap_or_default();
        alerts.into_iter().filter_map(|alert| labels(alert, findings)).collect()
    };
    let (firing, resolved) = (of("firing", findings), of("resolved", findings));
    let starts = fields.get("starts");
    let starts_ms = starts.and_then(|field| signed_ms(field, findings));
    if let (Some(field), Some(starts_ms)) = (starts, starts_ms)
        && firing.is_empty()
    {
        let note = Note::error("test.value", field.key, format!("`starts` ({starts_ms} ms) goes with `firing`"));
        findings.push(note.hint("a resolved alert ends at the time of its input"));
    }
    let annotations = fields.get("annotations").and_then(|field| pairs(field, findings)).unwrap_or_default();
    let annotations: Labels = annotations.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let truncated = fields.get("truncated").and_then(|field| field.whole(&(1..=u32::MAX), findings));
    let sent = Sent { firing, resolved, annotations, starts_ms, truncated: truncated.unwrap_or(0).into() };
    let times = times(at, fields, findings);
    times.into_iter().map(|at| Timed { at, what: Happening::Notification(sent.clone()), line }).collect()
}

/// When it is sent: once, or every so often.
fn times(at: Duration, fields: &Fields<'_>, findings: &mut Findings<'_>) -> Vec<Duration> {
    let (every, until) = (fields.get("repeat_every"), fields.get("until"));
    let (every, until) = match (every, until) {
        (None, None) => return vec![at],
        (Some(every), Some(until)) => (every, until),
        (Some(alone), None) | (None, Some(alone)) => {
            let message = "`repeat_every` and `until` go together";
            let note = Note::error("test.value", alone.key, message);
            findings.push(note.hint("write {at: 0s, repeat_every: 5m, until: 1h, firing: {…}}"));
            return vec![at];
        }
    };
    let (Some(step), Some(last)) = (some_time(every, findings), time(until, findings)) else { return vec![at] };
    if last <= at {
        let message = "`until` is a time after the start of the test, later than `at`";
        findings.push(Note::error("test.value", until.span(), message));
        return vec![at];
    }
    let count = (last - at).as_nanos() / step.as_nanos().max(1) + 1;
    if REPEATS_MAX < count {
        let message = format!("that is {count} deliveries; at most {REPEATS_MAX} are played");
        findings.push(Note::error("test.value", every.span(), message));
        return vec![at];
    }
    let number = |index: u128| step * u32::try_from(index).unwrap_or(u32::MAX);
    (0..count).map(|index| at + number(index)).collect()
}

/// The keys of an input that go with alerts, where it is about none.
pub(super) fn stray<'n>(fields: &Fields<'n>) -> impl Iterator<Item = Field<'n>> {
    fields.iter().filter(|field| keys::WITH_ALERTS.contains(&field.name))
}
