//! Legal but suspicious: what a reviewer of playbooks would ask about.
//!
//! Nothing here keeps a playbook from being loaded, and nothing here reads YAML. Read [`playbook`] first.

use super::attempts::Marks;
use super::definition::{Playbook, Step, TargetSpec, Verb, Which};
use super::problem::{Findings, Note};
use super::raw::{Field, Fields};
use super::resolve::{Resolved, matches_any_alert};
use super::yaml::{Content, Node, Span};
use crate::model::action::Action;
use crate::model::duration::format_duration;
use crate::model::limit::{Limits, Window};
use crate::model::matcher::{MatchOp, Matcher, parse_matchers};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What to do about a playbook that is never reached.
const NARROWER_FIRST: &str = "the first playbook that matches takes the alert: put the narrower one first";
/// Above this many runs an hour a limit limits nothing.
const RUNS_PER_HOUR_MAX: f64 = 60.0;
/// Parts of names by which one recognises the machinery that watches and drives the treatment itself.
const MONITORING_WORDS: [&str; 6] =
    ["alertmanager", "prometheus", "sickbay", "socket-proxy", "socketproxy", "docker-proxy"];

/// One matcher by itself.
pub(super) fn matcher(matcher: &Matcher, at: Span, findings: &mut Findings<'_>) {
    let (regex, op) = match &matcher.op {
        MatchOp::Regex(regex) => (regex, "="),
        MatchOp::NotRegex(regex) => (regex, "!="),
        MatchOp::Equal(_) | MatchOp::NotEqual(_) => return,
    };
    let source = regex.source();
    if regex.matches_nothing() {
        let follows = if op == "=" { "the playbook takes no alert" } else { "this keeps no alert out" };
        let message = format!("no text matches `{source}`: {follows}");
        let hint = "`^` matches only where the value begins, `$` only where it ends: `[$]` is the sign itself";
        findings.push(Note::warning("lint.never-matches", at, message).hint(hint));
        return;
    }
    let anchored_end = source.ends_with('$') && !source.ends_with("\\$");
    if source.starts_with('^') || anchored_end {
        let note = Note::warning("lint.redundant-anchor", at, format!("`{source}` is anchored by itself"));
        findings.push(note.hint("`^` and `$` change nothing here: a matcher's regex always takes the whole value"));
    } else if !source.contains(|c: char| "\\.+*?()|[]{}^$".contains(c)) {
        let note = Note::warning("lint.plain-regex", at, format!("the regex `{source}` matches only that very text"));
        let hint = format!("regexes take the whole value: write `{op}`, or `.*{source}.*` if the text may be anywhere");
        findings.push(note.hint(hint));
    }
}

/// One playbook by itself.
pub(super) fn playbook(playbook: &Playbook, fields: &Fields<'_>, marks: &[Marks], findings: &mut Findings<'_>) {
    let place = |name: &str| fields.get(name).map_or(fields.at, |field| field.key);
    if let Some((demand, other)) = contradiction(&playbook.matchers) {
        let message = format!("no alert can satisfy both `{demand}` and `{other}`");
        let later = fields.get("matchers").and_then(|field| later_of(field, [demand, other]));
        let note = Note::warning("lint.never-matches", later.unwrap_or(place("matchers")), message);
        let values = [demanded(demand), demanded(other)].into_iter().collect::<Option<Vec<_>>>();
        let either = values.map(|values| values.concat().join("|")).filter(|either| literal_choice(either).is_some());
        findings.push(note.hint(match either {
            Some(either) => {
                format!("all matchers must match: remove one, or write `{} =~ \"{either}\"` for either", demand.name)
            }
            None => "all matchers must match: correct or remove one of them".to_owned(),
        }));
    }
    if !playbook.acts() {
        return;
    }
    if playbook.matchers.iter().all(|m| matches_any_alert(m) || excludes_only(m)) {
        let note = Note::warning("lint.only-negative", place("matchers"), "the matchers only say what not to treat");
        findings.push(note.hint("name what it is for as well, such as `- alertname = \"…\"`"));
    }
    for at in marks.iter().filter_map(|marks| marks.no_verify) {
        let note = Note::warning("lint.no-verify", at, "nobody looks whether the action helped");
        findings.push(note.hint("without `verify` nobody knows how it ended: the verdict is `unknown`"));
    }
    for at in marks.iter().filter_map(|marks| marks.no_capture) {
        let note = Note::warning("lint.no-capture", at, "the action destroys the evidence");
        findings.push(note.hint("`capture: {logs: 50}` costs little and is all that is left afterwards"));
    }
    if playbook.on_failure.is_empty() {
        let note = Note::warning("lint.no-on-failure", place("name"), "nobody is told if this fails");
        findings.push(note.hint("add `on_failure` with a `notify` to whoever is on call"));
    }
    limits(&playbook.limits, fields, findings);
    key(playbook, fields, findings);
    room_for_all(playbook, fields, findings);
    if let Some(name) = playbook.target.as_ref().and_then(monitoring) {
        let message = format!("the target `{name}` looks like a part of the monitoring itself");
        let hint = "who restarts what alerts and acts may silence the alert it is treating";
        findings.push(Note::warning("lint.monitoring-target", place("target"), message).hint(hint));
    }
}

fn limits(limits: &Limits, fields: &Fields<'_>, findings: &mut Findings<'_>) {
    let Some(field) = fields.get("limits") else { return };
    let per_hour = |runs: u32, secs: f64| f64::from(runs) * 3600.0 / secs;
    let rates = limits.windows.iter().map(|window| per_hour(window.runs, window.per.as_secs_f64()));
    // A cooldown lets one run follow the other, and no sooner. One of nothing divides to infinity: it limits nothing.
    let strictest = rates.fold(per_hour(1, limits.cooldown.as_secs_f64()), f64::min);
    if RUNS_PER_HOUR_MAX < strictest {
        let message = format!("these limits allow {strictest:.0} runs an hour");
        let hint = "a container that needs more than a few restarts an hour needs a person";
        findings.push(Note::warning("lint.toothless-limits", field.key, message).hint(hint));
    }
    if limits.cooldown.is_zero() {
        let note = Note::warning("lint.no-cooldown", field.key, "a cooldown of nothing: runs may follow at once");
        findings.push(note.hint("give the target time to show whether the last run helped"));
    }
}

/// Limits by labels that one target's alerts may have many values of: each value has the whole limit to itself.
fn key(playbook: &Playbook, fields: &Fields<'_>, findings: &mut Findings<'_>) {
    let names_target: BTreeSet<String> = playbook
        .target
        .iter()
        .flat_map(TargetSpec::templates)
        .flat_map(|(_, template)| template.references())
        .collect();
    let looser = playbook.limits.key.iter().find(|label| !names_target.contains(&format!("labels.{label}")));
    if let (Some(label), Some(field)) = (looser, fields.get("limits")) {
        let message =
            format!("alerts with another `{label}` count apart, so one target is treated more often than this");
        let note = Note::warning("lint.key-loosens-limits", place_of_key(field).unwrap_or(field.key), message);
        let hint = "leave `key` out to count by target, or set `limits.per_target` in the settings, which always holds";
        findings.push(note.hint(hint));
    }
}

/// Where `key` stands in `limits`.
fn place_of_key(field: Field<'_>) -> Option<Span> {
    let windows = if let Content::List { items, .. } = &field.value.content { items.as_slice() } else { &[] };
    windows.iter().chain([field.value]).find_map(|window| place_in(window, "key"))
}

fn place_in(node: &Node, name: &str) -> Option<Span> {
    let Content::Map(entries) = &node.content else { return None };
    entries.iter().find(|entry| entry.key == name).map(|entry| entry.key_span)
}

/// A `timeout` that is over before Docker would kill.
pub(super) fn timeout(step: &Step, at: Span, findings: &mut Findings<'_>) {
    let grace = match step.verb.action() {
        Some(Action::Restart { stop_timeout } | Action::Stop { stop_timeout }) => stop_timeout,
        Some(Action::Start | Action::UpdateLimits(_) | Action::Service(_)) | None => None,
    };
    if let (Some(timeout), Some(grace)) = (step.timeout, grace)
        && timeout <= grace
    {
        let message = format!("the step fails before the `stop_timeout` of {} is over", format_duration(grace));
        let note = Note::warning("lint.timeout-too-short", at, message);
        findings.push(note.hint("make `timeout` longer, or leave it out: sickbay knows how long Docker may take"));
    }
}

/// A `start` after a `stop` that may be left out.
pub(super) fn conditional_start(before: &[Step], step: &Step, entry: &Node, findings: &mut Findings<'_>) {
    let last = before.iter().rev().find_map(|step| step.verb.action());
    let after_stop = matches!(last, Some(Action::Stop { .. }));
    if after_stop
        && step.condition.is_some()
        && matches!(step.verb, Verb::Start)
        && let Some(at) = place_in(entry, "if")
    {
        let message = "if this is false, or has no answer, what the step before has stopped stays down";
        let note = Note::warning("lint.conditional-start", at, message);
        findings.push(note.hint("move the `if` to the `stop`, or leave it out"));
    }
}

/// Tries that the playbook's own limits hold back until a window has room again.
fn room_for_all(playbook: &Playbook, fields: &Fields<'_>, findings: &mut Findings<'_>) {
    let (Some(field), tries) = (fields.get("attempts"), playbook.attempts.count()) else { return };
    // Runs that are a cooldown apart leave a window before it is full, if it is as short as this.
    let Limits { windows, cooldown, .. } = &playbook.limits;
    let holds_back = |window: &&Window| window.runs < tries && cooldown.saturating_mul(window.runs) < window.per;
    if let Some(narrow) = windows.iter().find(holds_back) {
        let (runs, per) = (narrow.runs, format_duration(narrow.per));
        let message = format!("{tries} attempts, and `limits` allow {runs} runs per {per}");
        let hint = "each attempt is a run: allow as many, or the later ones wait until there is room again";
        findings.push(Note::warning("lint.attempts-beyond-limits", field.key, message).hint(hint));
    }
}

/// A literal target whose name says that it watches or drives.
fn monitoring(target: &TargetSpec) -> Option<&str> {
    let name = match &target.which {
        Which::Container(name) | Which::Service(name) => name.source(),
        Which::Compose { service, .. } => service.source(),
        Which::Selector { .. } => return None,
    };
    let lower = name.to_lowercase();
    let literal = !name.contains("{{") && !name.contains("{%");
    let suspicious = literal && MONITORING_WORDS.iter().any(|word| names_part(&lower, word));
    suspicious.then_some(name)
}

/// Whether a word is one of a name's parts: `my-prometheus-1`, but not `prometheusdemo`.
fn names_part(name: &str, word: &str) -> bool {
    let letter = |c: char| c.is_ascii_alphanumeric();
    name.match_indices(word).any(|(at, _)| {
        let before = name.get(..at).is_some_and(|before| before.ends_with(letter));
        let after = name.get(at + word.len()..).is_some_and(|after| after.starts_with(letter));
        !before && !after
    })
}

/// Whether a matcher only keeps alerts out.
fn excludes_only(matcher: &Matcher) -> bool {
    match &matcher.op {
        MatchOp::NotEqual(_) | MatchOp::NotRegex(_) => true,
        MatchOp::Equal(_) | MatchOp::Regex(_) => false,
    }
}

/// Two matchers on one label of which one demands values that the other does not take.
fn contradiction(matchers: &[Matcher]) -> Option<(&Matcher, &Matcher)> {
    matchers.iter().find_map(|demand| {
        let values = demanded(demand)?;
        let refuses = |other: &&Matcher| other.name == demand.name && !values.iter().any(|value| takes(other, value));
        Some((demand, matchers.iter().find(refuses)?))
    })
}

/// Where the later of two matchers stands.
fn later_of(field: Field<'_>, two: [&Matcher; 2]) -> Option<Span> {
    let Content::List { items, .. } = &field.value.content else { return None };
    let holds = |item: &&Node, one: &Matcher| match &item.content {
        Content::Scalar { text, .. } => parse_matchers(text).is_ok_and(|read| read.matchers.contains(one)),
        Content::List { .. } | Content::Map(_) => false,
    };
    let places = two.map(|one| items.iter().find(|item| holds(item, one)).map(|item| item.span));
    places.into_iter().flatten().max_by_key(|span| span.start)
}

/// The only values that a matcher takes, where they can be listed.
fn demanded(matcher: &Matcher) -> Option<Vec<&str>> {
    match &matcher.op {
        MatchOp::Equal(value) => Some(vec![value]),
        MatchOp::Regex(choice) => literal_choice(choice.source()),
        MatchOp::NotEqual(_) | MatchOp::NotRegex(_) => None,
    }
}

/// Whether a matcher takes this value of its label.
fn takes(matcher: &Matcher, value: &str) -> bool {
    match &matcher.op {
        MatchOp::Equal(wanted) => wanted == value,
        MatchOp::NotEqual(unwanted) => unwanted != value,
        MatchOp::Regex(regex) => regex.is_match(value),
        MatchOp::NotRegex(regex) => !regex.is_match(value),
    }
}

/// Playbooks that an earlier one leaves nothing for: the first match takes the alert.
pub(super) fn overlaps(files: &mut [(Findings<'_>, Vec<Resolved>)]) {
    let mut found: Vec<(usize, Note)> = Vec::new();
    let all: Vec<(usize, &Resolved)> = files
        .iter()
        .enumerate()
        .flat_map(|(file, (_, resolved))| resolved.iter().map(move |one| (file, one)))
        .collect();
    let enabled: Vec<&(usize, &Resolved)> = all.iter().filter(|(_, one)| one.playbook.enabled).collect();
    for (index, (file, later)) in enabled.iter().enumerate() {
        let earlier: Vec<&Resolved> = enabled.iter().take(index).map(|(_, earlier)| *earlier).collect();
        let named = |one: &Resolved| (Arc::clone(&one.playbook.name), one.playbook.source.clone());
        let name = &later.playbook.name;
        if let Some((first, source)) =
            earlier.iter().find(|earlier| leaves_nothing(earlier, later)).map(|one| named(one))
        {
            let message = format!("`{name}` is never reached: `{first}` ({source}) comes first");
            found.push((*file, Note::warning("lint.unreachable", later.matchers, message).hint(NARROWER_FIRST)));
        } else if let Some((first, source)) =
            earlier.iter().find(|earlier| overlap(earlier, later)).map(|one| named(one))
        {
            let message = format!("some alerts match both `{name}` and `{first}` ({source}), which takes them");
            let hint = "let their matchers exclude each other, or make the earlier one the narrower in every label";
            found.push((*file, Note::warning("lint.overlap", later.matchers, message).hint(hint)));
        }
    }
    for (file, note) in found {
        if let Some((findings, _)) = files.get_mut(file) {
            findings.push(note);
        }
    }
}

/// Whether two playbooks are for the same alert by its name, and neither is a narrower case of the other.
fn overlap(earlier: &Resolved, later: &Resolved) -> bool {
    let both: Vec<Matcher> = earlier.playbook.matchers.iter().chain(&later.playbook.matchers).cloned().collect();
    let names = |one: &Resolved| {
        let of_name = one.playbook.matchers.iter().filter(|matcher| matcher.name == "alertname");
        of_name.filter_map(demanded).flatten().map(str::to_owned).collect::<Vec<String>>()
    };
    let (first, second) = (names(earlier), names(later));
    let share =
        first.iter().any(|name| second.contains(name) && both.iter().all(|m| m.name != "alertname" || takes(m, name)));
    share && contradiction(&both).is_none() && !leaves_nothing(later, earlier)
}

/// Whether every alert that the later playbook matches is matched by the earlier one.
fn leaves_nothing(earlier: &Resolved, later: &Resolved) -> bool {
    let implied = |broad: &Matcher| {
        let narrow = later.playbook.matchers.iter().filter(|narrow| narrow.name == broad.name);
        matches_any_alert(broad) || narrow.into_iter().any(|narrow| implies(narrow, broad))
    };
    earlier.playbook.matchers.iter().all(implied)
}

/// Whether a value that the narrow matcher takes is always taken by the broad one. Says no where it cannot tell.
fn implies(narrow: &Matcher, broad: &Matcher) -> bool {
    match (&narrow.op, &broad.op) {
        (MatchOp::Equal(value), _) => takes(broad, value),
        (MatchOp::NotEqual(a), MatchOp::NotEqual(b)) => a == b,
        (MatchOp::Regex(a), MatchOp::Regex(b)) if a.source() == b.source() => true,
        (MatchOp::NotRegex(a), MatchOp::NotRegex(b)) => a.source() == b.source(),
        (MatchOp::Regex(choice), _) => {
            literal_choice(choice.source()).is_some_and(|all| all.iter().all(|v| takes(broad, v)))
        }
        (MatchOp::NotEqual(_) | MatchOp::NotRegex(_), _) => false,
    }
}

/// The values of a regex that is nothing but `a|b|c`.
fn literal_choice(source: &str) -> Option<Vec<&str>> {
    let literal = |c: char| c.is_ascii_alphanumeric() || "_-: /|".contains(c);
    source.chars().all(literal).then(|| source.split('|').collect())
}
