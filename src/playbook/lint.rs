//! Legal but suspicious: what a reviewer of playbooks would ask about.
//!
//! Nothing here keeps a playbook from being loaded, and nothing here reads YAML. Read [`playbook`] first.

use super::attempts::Marks;
use super::definition::{Playbook, TargetSpec};
use super::problem::{Findings, Note};
use super::raw::Fields;
use super::resolve::{Resolved, matches_any_alert};
use super::yaml::Span;
use crate::model::duration::format_duration;
use crate::model::limit::Limits;
use crate::model::matcher::{MatchOp, Matcher};

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
    if let Some(missing) = contradiction(&playbook.matchers) {
        let message = format!("no alert can satisfy both `{}` and `{}`", missing.0, missing.1);
        findings.push(Note::warning("lint.never-matches", place("matchers"), message));
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
    let strictest = rates.fold(f64::INFINITY, f64::min);
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

/// Tries that the playbook's own limits hold back until a window has room again.
fn room_for_all(playbook: &Playbook, fields: &Fields<'_>, findings: &mut Findings<'_>) {
    let (Some(field), tries) = (fields.get("attempts"), playbook.attempts.count()) else { return };
    if let Some(narrow) = playbook.limits.windows.iter().find(|window| window.runs < tries) {
        let (runs, per) = (narrow.runs, format_duration(narrow.per));
        let message = format!("{tries} attempts, and `limits` allow {runs} runs per {per}");
        let hint = "each attempt is a run: allow as many, or the later ones wait until there is room again";
        findings.push(Note::warning("lint.attempts-beyond-limits", field.key, message).hint(hint));
    }
}

/// A literal target whose name says that it watches or drives.
fn monitoring(target: &TargetSpec) -> Option<&str> {
    let name = match target {
        TargetSpec::Container(name) => name.source(),
        TargetSpec::Compose { service, .. } => service.source(),
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

/// Two matchers on one label of which one demands a value the other does not take.
fn contradiction(matchers: &[Matcher]) -> Option<(&Matcher, &Matcher)> {
    matchers.iter().find_map(|demand| {
        let MatchOp::Equal(value) = &demand.op else { return None };
        let against = matchers.iter().find(|other| other.name == demand.name && !takes(other, value))?;
        Some((demand, against))
    })
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
    let mut shadowed: Vec<(usize, Span, String)> = Vec::new();
    let all: Vec<(usize, &Resolved)> = files
        .iter()
        .enumerate()
        .flat_map(|(file, (_, resolved))| resolved.iter().map(move |one| (file, one)))
        .collect();
    let enabled: Vec<&(usize, &Resolved)> = all.iter().filter(|(_, one)| one.playbook.enabled).collect();
    for (index, (file, later)) in enabled.iter().enumerate() {
        let earlier = enabled.iter().take(index).map(|(_, earlier)| earlier);
        let Some(first) = earlier.into_iter().find(|earlier| leaves_nothing(earlier, later)) else { continue };
        let (first, source) = (&first.playbook.name, &first.playbook.source);
        let name = &later.playbook.name;
        shadowed.push((*file, later.matchers, format!("`{name}` is never reached: `{first}` ({source}) comes first")));
    }
    for (file, at, message) in shadowed {
        if let Some((findings, _)) = files.get_mut(file) {
            let note = Note::warning("lint.unreachable", at, message);
            findings.push(note.hint("the first playbook that matches takes the alert: put the narrower one first"));
        }
    }
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
