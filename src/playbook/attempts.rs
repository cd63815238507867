//! What a playbook does: `steps` or `attempts`, and `on_failure`, with the evidence and the verification that acting calls
//! for in each try.
//!
//! One step by itself is read by `steps`. Does not know limits, targets or matchers; that is `resolve`. Read [`read`]
//! first.

use super::definition::{Attempt, Attempts, CaptureSpec, HealthGoal, Step, Verb, VerifySpec};
use super::load::Reading;
use super::problem::{Findings, Note};
use super::raw::{self, Field, Fields};
use super::steps::{Entry, step};
use super::yaml::{Content, Node, Span};
use crate::model::action::Goal;

/// What the text of any notice may name; `target` and `failed` join them where there is one.
const ROOTS: [&str; 6] = ["labels", "annotations", "alert", "steps", "run", "limits"];
/// The most tries of one playbook: what so many did not mend needs a person.
const ATTEMPTS_MAX: usize = 10;
/// What to do about a list of steps that is none.
const STEPS_HINT: &str = "start each step with `- `, such as `- restart: {}`";

/// Everything a playbook does.
#[derive(Debug, Default)]
pub(super) struct Doings {
    /// Its tries, in order, with what was added. Empty only if there is an error.
    pub(super) attempts: Vec<Attempt>,
    /// What is done when the last try failed.
    pub(super) on_failure: Vec<Step>,
    /// The first step that needs a target, and where it stands.
    pub(super) first_on_target: Option<(&'static str, Span)>,
    /// What the author did without, try by try.
    pub(super) marks: Vec<Marks>,
}

/// Where the author said that something which is added by itself shall not be.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Marks {
    /// `capture: none`
    pub(super) no_capture: Option<Span>,
    /// `verify: none`
    pub(super) no_verify: Option<Span>,
}

impl Doings {
    /// Whether anything changes something.
    pub(super) fn acts(&self) -> bool {
        self.attempts.iter().any(Attempt::acts)
    }

    /// The tries; `None` if there are none.
    pub(super) fn into_attempts(self) -> Option<(Attempts, Vec<Step>, Vec<Marks>)> {
        let mut attempts = self.attempts.into_iter();
        let first = attempts.next()?;
        Some((Attempts { first, more: attempts.collect() }, self.on_failure, self.marks))
    }
}

/// Reads all lists of a playbook; every problem is in the findings.
pub(super) fn read(fields: &Fields<'_>, reading: &mut Reading<'_>) -> Doings {
    let mut doings = Doings::default();
    let mut roots = ROOTS.to_vec();
    roots.extend(fields.get("target").map(|_| "target"));
    let mut ids = Vec::new();
    match (fields.get("steps"), fields.get("attempts")) {
        (Some(steps), attempts) => {
            if let Some(attempts) = attempts {
                let message = "a playbook has either `steps` or `attempts`, not both";
                let note = Note::error("playbook.attempts", attempts.key, message);
                reading.findings.push(note.hint("make the `steps` the first of the attempts"));
            }
            let steps = attempt(steps, (&mut ids, &roots), (&mut doings, reading));
            doings.attempts.extend(steps.map(|steps| Attempt { name: None, steps }));
        }
        (None, Some(field)) => several(field, (&mut ids, &roots), (&mut doings, reading)),
        (None, None) => {
            fields.need("steps", &mut reading.findings);
        }
    }
    if doings.attempts.is_empty() {
        return doings;
    }
    let on_failure = fields.get("on_failure").and_then(|field| field.list(STEPS_HINT, &mut reading.findings));
    roots.push("failed");
    for entry in on_failure.unwrap_or_default() {
        refuse_outside_failure(entry, &mut reading.findings);
        if let Some(Entry::Step(step)) = step(entry, (&mut ids, &roots), reading, &mut doings.first_on_target) {
            doings.on_failure.push(step);
        }
    }
    doings
}

/// What is collected while a playbook is read.
type Found<'a, 'r> = (&'a mut Doings, &'a mut Reading<'r>);

/// `attempts`: try after try.
fn several<'n>(field: Field<'n>, (ids, roots): (&mut Vec<&'n str>, &[&str]), (doings, reading): Found<'_, '_>) {
    let hint = "start each attempt with `- steps:`";
    let Some(entries) = field.list(hint, &mut reading.findings) else { return };
    if entries.is_empty() || ATTEMPTS_MAX < entries.len() {
        let message = format!("`attempts` has 1 to {ATTEMPTS_MAX} entries, not {}", entries.len());
        reading.findings.push(Note::error("playbook.attempts", field.key, message));
    }
    for entry in entries {
        let errors = reading.findings.errors();
        let Some(fields) = Fields::read(entry, entry.span, &raw::ATTEMPT, &mut reading.findings) else { continue };
        let name = fields.get("name").and_then(|field| field.text(&mut reading.findings)).map(str::to_owned);
        let Some(steps) = fields.need("steps", &mut reading.findings) else { continue };
        // A try knows its own steps alone: whether one of an earlier try was ever done, nobody can tell beforehand.
        let mut own = Vec::new();
        let Some(steps) = attempt(steps, (&mut own, roots), (&mut *doings, &mut *reading)) else { continue };
        own.retain(|id| !ids.contains(id));
        ids.append(&mut own);
        let attempt = Attempt { name, steps };
        if 1 < entries.len() && !attempt.acts() && reading.findings.errors() == errors {
            let note = Note::error("playbook.attempts", fields.at, "this attempt changes nothing, so it is no try");
            reading
                .findings
                .push(note.hint("each attempt has a `restart`, `start` or `stop`; a `wait` can precede it"));
        }
        doings.attempts.push(attempt);
    }
}

/// The steps of one try.
fn attempt<'n>(
    field: Field<'n>,
    (ids, roots): (&mut Vec<&'n str>, &[&str]),
    (doings, reading): Found<'_, '_>,
) -> Option<Vec<Step>> {
    let entries = field.list(STEPS_HINT, &mut reading.findings)?;
    if entries.is_empty() {
        reading.findings.push(Note::error("playbook.steps", field.key, "a playbook needs at least one step"));
    }
    let (mut steps, mut marks) = (Vec::new(), Marks::default());
    for entry in entries {
        match step(entry, (&mut *ids, roots), reading, &mut doings.first_on_target) {
            Some(Entry::Step(step)) => {
                refuse_health_after_stop(&steps, &step, entry.span, &mut reading.findings);
                steps.push(step);
            }
            Some(Entry::NoCapture(at)) => marks.no_capture = Some(at),
            Some(Entry::NoVerify(at)) => marks.no_verify = Some(at),
            None => {}
        }
    }
    refuse_contradictions(&steps, marks, &mut reading.findings);
    add_what_acting_calls_for(&mut steps, marks);
    doings.marks.push(marks);
    Some(steps)
}

/// Invariant: a try that acts captures before its first action and verifies after its last one, unless its author said
/// `none`. A stop that is followed by a start is verified with it; a stop that is the last is verified as stopped.
fn add_what_acting_calls_for(steps: &mut Vec<Step>, marks: Marks) {
    let added = |verb: Verb| Step { id: None, name: None, verb };
    let acts = |step: &Step| step.verb.action().is_some();
    let Some(last) = steps.iter().rposition(acts) else { return };
    let verified = steps.iter().skip(last).any(|step| matches!(step.verb, Verb::Verify(_)));
    if !verified && marks.no_verify.is_none() {
        steps.insert(last + 1, added(Verb::Verify(VerifySpec::default())));
    }
    let Some(first) = steps.iter().position(acts) else { return };
    let captured = steps.iter().take(first).any(|step| matches!(step.verb, Verb::Capture(_)));
    if !captured && marks.no_capture.is_none() {
        steps.insert(first, added(Verb::Capture(CaptureSpec::default())));
    }
}

fn refuse_contradictions(steps: &[Step], marks: Marks, findings: &mut Findings<'_>) {
    let has = |word: &str| steps.iter().any(|step| step.verb.word() == word);
    for (word, mark) in [("capture", marks.no_capture), ("verify", marks.no_verify)] {
        if let Some(at) = mark.filter(|_| has(word)) {
            let message = format!("`{word}: none`, but another step does `{word}`");
            findings.push(Note::error("playbook.contradiction", at, message).hint("remove one of them"));
        }
    }
}

/// What was stopped has no health: `verify` sees whether it is stopped.
fn refuse_health_after_stop(before: &[Step], step: &Step, at: Span, findings: &mut Findings<'_>) {
    let Verb::Verify(spec) = &step.verb else { return };
    let last = before.iter().rev().find_map(|step| step.verb.action());
    if last.is_some_and(|action| action.goal() == Goal::Down) && spec.health != HealthGoal::Auto {
        let message = "this `verify` asks for `health`, but the last action before it is a `stop`";
        let hint = "leave `health` out: after a `stop`, `verify` watches that the target stays stopped";
        findings.push(Note::error("playbook.verify", at, message).hint(hint));
    }
}

/// After a failure people are told and evidence is kept; nothing is changed any more.
fn refuse_outside_failure(entry: &Node, findings: &mut Findings<'_>) {
    let Content::Map(entries) = &entry.content else { return };
    let none = |node: &Node| matches!(&node.content, Content::Scalar { text, plain: true } if text == "none");
    let wrong = entries.iter().filter(|entry| {
        matches!(entry.key.as_str(), "restart" | "start" | "stop" | "verify")
            || (entry.key == "capture" && none(&entry.value))
    });
    for wrong in wrong {
        let message = format!("this `{}` cannot stand in `on_failure`", wrong.key);
        let note = Note::error("playbook.on-failure", wrong.key_span, message);
        findings.push(note.hint("after a failure only `capture`, `wait` and `notify` are done: a person takes over"));
    }
}
