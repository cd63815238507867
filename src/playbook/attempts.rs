//! What a playbook does: `steps` or `attempts`, and what comes after them, with the evidence and the verification that
//! acting calls for.
//!
//! One step by itself is read by `steps`. Does not know limits, targets or matchers; that is `resolve`. Read [`read`]
//! first.

use super::approval::approval;
use super::condition::Looks;
use super::definition::{
    ApprovalSpec, Attempt, Attempts, CaptureSpec, HealthGoal, LimitsSpec, ScaleChange, ScaleSpec, Step, Verb,
    VerifyStep,
};
use super::keys;
use super::lint;
use super::load::Reading;
use super::problem::{Findings, Note};
use super::raw::{Field, Fields};
use super::steps::{Entry, Sees, step};
use super::target::is_compose;
use super::yaml::{self, Content, Node, Span};
use crate::model::action::Goal;

/// What the text of any notice may name; `target` and `failed` join them where there is one.
const ROOTS: [&str; 6] = ["labels", "annotations", "alert", "steps", "run", "limits"];
/// What may be done after a failure, or when nobody agreed: a person takes over.
const AFTER_FAILURE: [&str; 5] = ["capture", "wait", "notify", "http", "pause_playbook"];
/// What may be done when the alert has resolved.
const AFTER_ALERT: [&str; 11] = [
    "capture",
    "restart",
    "start",
    "stop",
    "scale",
    "update_limits",
    "verify",
    "wait",
    "notify",
    "http",
    "pause_playbook",
];
/// The most tries of one playbook: what so many did not mend needs a person.
const ATTEMPTS_MAX: usize = 10;
/// What to do about a list of steps that is none.
const STEPS_HINT: &str = "start each step with `- `, such as `- restart: {}`";

/// Everything a playbook does, as far as it was read.
#[derive(Debug, Default)]
pub(super) struct Doings {
    /// Who must agree first.
    pub(super) approval: Option<ApprovalSpec>,
    /// Its tries, in order, with what was added. Empty only if there is an error.
    pub(super) attempts: Vec<Attempt>,
    /// What is done when the last try failed.
    pub(super) on_failure: Vec<Step>,
    /// What is done when nobody agreed.
    pub(super) on_denied: Vec<Step>,
    /// What is done when the alert has resolved.
    pub(super) on_resolved: Vec<Step>,
    /// The first step that needs a target, and where it stands.
    pub(super) first_on_target: Option<(&'static str, Span)>,
    /// What the author did without, list by list.
    pub(super) marks: Vec<Marks>,
}

/// Everything a playbook does.
#[derive(Debug)]
pub(super) struct Done {
    /// As in [`Doings`].
    pub(super) approval: Option<ApprovalSpec>,
    /// All tries.
    pub(super) attempts: Attempts,
    /// As in [`Doings`].
    pub(super) on_failure: Vec<Step>,
    /// As in [`Doings`].
    pub(super) on_denied: Vec<Step>,
    /// As in [`Doings`].
    pub(super) on_resolved: Vec<Step>,
    /// As in [`Doings`].
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

    /// Whether anything that follows the end of the alert does.
    pub(super) fn acts_afterwards(&self) -> bool {
        self.on_resolved.iter().any(|step| step.verb.acts())
    }

    /// All of it; `None` if there are no tries.
    pub(super) fn finish(self) -> Option<Done> {
        let Self { approval, attempts, on_failure, on_denied, on_resolved, first_on_target: _, marks } = self;
        let mut attempts = attempts.into_iter();
        let attempts = Attempts { first: attempts.next()?, more: attempts.collect() };
        Some(Done { approval, attempts, on_failure, on_denied, on_resolved, marks })
    }
}

/// Reads all lists of a playbook; every problem is in the findings.
pub(super) fn read(fields: &Fields<'_>, looks: Option<Looks>, reading: &mut Reading<'_>) -> Doings {
    let mut doings = Doings::default();
    let mut roots = ROOTS.to_vec();
    roots.extend(looks.iter().flat_map(|_| ["target", "diagnosis"]));
    let sees = Sees { roots: &roots, looks, compose: is_compose(fields) };
    let mut ids = Vec::new();
    doings.approval = fields.get("approval").and_then(|field| approval(field, (&[], sees), reading));
    match (fields.get("steps"), fields.get("attempts")) {
        (Some(steps), attempts) => {
            if let Some(attempts) = attempts {
                let message = "a playbook has either `steps` or `attempts`, not both";
                let note = Note::error("playbook.attempts", attempts.key, message);
                reading.findings.push(note.hint("make the `steps` the first of the attempts"));
            }
            let steps = list(steps, (&mut ids, sees), (&mut doings, reading));
            doings.attempts.extend(steps.map(|steps| Attempt { name: None, steps }));
        }
        (None, Some(field)) => several(field, (&mut ids, sees), (&mut doings, reading)),
        (None, None) => {
            fields.need("steps", &mut reading.findings);
        }
    }
    if !doings.attempts.is_empty() {
        afterwards(fields, (&mut ids, sees), (&mut doings, reading));
    }
    doings
}

/// What comes after the tries, in the one or the other case.
fn afterwards<'n>(fields: &Fields<'n>, (ids, sees): (&mut Vec<&'n str>, Sees<'_>), (doings, reading): Found<'_, '_>) {
    let with = |root: &'static str| sees.roots.iter().copied().chain([root]).collect::<Vec<_>>();
    let (failed, denied) = (with("failed"), with("approval"));
    if let Some(field) = fields.get("on_failure") {
        let sees = Sees { roots: &failed, ..sees };
        doings.on_failure = only(field, &AFTER_FAILURE, (ids, sees), (&mut *doings, &mut *reading));
    }
    if let Some(field) = fields.get("on_denied") {
        let asks = |step: &Step| matches!(step.verb, Verb::Approve(_));
        if doings.approval.is_none() && !doings.attempts.iter().any(|attempt| attempt.steps.iter().any(asks)) {
            let note = Note::error("playbook.on-denied", field.key, "`on_denied`, but nobody is asked");
            reading.findings.push(note.hint("add `approval`, or remove `on_denied`"));
        }
        let sees = Sees { roots: &denied, ..sees };
        doings.on_denied = only(field, &AFTER_FAILURE, (ids, sees), (&mut *doings, &mut *reading));
    }
    if let Some(field) = fields.get("on_resolved") {
        refuse_other_verbs(field, &AFTER_ALERT, &mut reading.findings);
        // By then the run is over, perhaps by another text of the playbook, and not every step of it was done.
        let mut own = Vec::new();
        doings.on_resolved = list(field, (&mut own, sees), (&mut *doings, &mut *reading)).unwrap_or_default();
    }
    for what in [&SCALED, &RAISED] {
        misplaced(what, fields, (doings, &mut reading.findings));
    }
}

/// What `to: original` takes back, and the words for a step that has nothing to take back.
struct Original {
    verb: &'static str,
    code: &'static str,
    /// Whether a step changes what may be taken back.
    changes: fn(&Verb) -> bool,
    /// Whether a step takes it back.
    takes_back: fn(&Verb) -> bool,
    nothing_before: (&'static str, &'static str),
    too_early: (&'static str, &'static str),
}

static SCALED: Original = Original {
    verb: "scale",
    code: "playbook.scale",
    changes: |verb| matches!(verb, Verb::Scale(_)),
    takes_back: |verb| matches!(verb, Verb::Scale(ScaleSpec { change: ScaleChange::ToOriginal, .. })),
    nothing_before: (
        "`to: original`, and no step scales anything before",
        "`original` is the number before the steps scaled: write a number instead",
    ),
    too_early: (
        "`to: original` before anything was scaled",
        "move it to `on_resolved`: it takes back what the steps scaled",
    ),
};

static RAISED: Original = Original {
    verb: "update_limits",
    code: "playbook.update-limits",
    changes: |verb| matches!(verb, Verb::UpdateLimits(LimitsSpec::Raise { .. })),
    takes_back: |verb| matches!(verb, Verb::UpdateLimits(LimitsSpec::ToOriginal)),
    nothing_before: (
        "`to: original`, and no step raises a limit before",
        "it takes back what the steps raised: add `update_limits` to them, or remove this",
    ),
    too_early: (
        "`to: original` before any limit was raised",
        "move it to `on_resolved`: it takes back what the steps raised",
    ),
};

/// A step that takes something back stands in `on_resolved`, after steps that changed it.
fn misplaced(what: &Original, fields: &Fields<'_>, (doings, findings): (&Doings, &mut Findings<'_>)) {
    let tries = || doings.attempts.iter().flat_map(|attempt| &attempt.steps);
    let back =
        fields.get("on_resolved").filter(|_| doings.on_resolved.iter().any(|step| (what.takes_back)(&step.verb)));
    if let Some(field) = back.filter(|_| !tries().any(|step| (what.changes)(&step.verb))) {
        let (message, hint) = what.nothing_before;
        let at = place_of_original(what.verb, field.value).unwrap_or(field.key);
        findings.push(Note::error(what.code, at, message).hint(hint));
    }
    if tries().any(|step| (what.takes_back)(&step.verb)) {
        let field = fields.get("steps").or(fields.get("attempts"));
        let at = field.map_or(fields.at, |field| place_of_original(what.verb, field.value).unwrap_or(field.key));
        let (message, hint) = what.too_early;
        findings.push(Note::error(what.code, at, message).hint(hint));
    }
}

/// Where the first `to: original` of a verb stands, in a list of steps or of tries.
fn place_of_original(verb: &str, node: &Node) -> Option<Span> {
    match &node.content {
        Content::List { items, .. } => items.iter().find_map(|item| place_of_original(verb, item)),
        Content::Map(entries) => entries.iter().find_map(|entry| match &entry.value.content {
            Content::Map(arguments) if entry.key == verb => {
                let is_original = |argument: &&yaml::Entry| {
                    matches!(&argument.value.content, Content::Scalar { text, .. } if argument.key == "to" && text == "original")
                };
                arguments.iter().find(is_original).map(|argument| argument.value.span)
            }
            Content::List { .. } if entry.key == "steps" => place_of_original(verb, &entry.value),
            Content::Scalar { .. } | Content::List { .. } | Content::Map(_) => None,
        }),
        Content::Scalar { .. } => None,
    }
}

/// A list in which only some verbs may stand.
fn only<'n>(
    field: Field<'n>,
    verbs: &[&str],
    (ids, sees): (&mut Vec<&'n str>, Sees<'_>),
    (doings, reading): Found<'_, '_>,
) -> Vec<Step> {
    refuse_other_verbs(field, verbs, &mut reading.findings);
    let mut steps = Vec::new();
    for entry in field.list(STEPS_HINT, &mut reading.findings).unwrap_or_default() {
        if let Some(Entry::Step(step)) = step(entry, (&mut *ids, sees), reading, &mut doings.first_on_target) {
            steps.push(step);
        }
    }
    steps
}

/// What is collected while a playbook is read.
type Found<'a, 'r> = (&'a mut Doings, &'a mut Reading<'r>);

/// `attempts`: try after try.
fn several<'n>(field: Field<'n>, (ids, sees): (&mut Vec<&'n str>, Sees<'_>), (doings, reading): Found<'_, '_>) {
    let hint = "start each attempt with `- steps:`";
    let Some(entries) = field.list(hint, &mut reading.findings) else { return };
    if entries.is_empty() || ATTEMPTS_MAX < entries.len() {
        let message = format!("`attempts` has 1 to {ATTEMPTS_MAX} entries, not {}", entries.len());
        reading.findings.push(Note::error("playbook.attempts", field.key, message));
    }
    for entry in entries {
        let errors = reading.findings.errors();
        let Some(fields) = Fields::read(entry, entry.span, &keys::ATTEMPT, &mut reading.findings) else { continue };
        let name = fields.get("name").and_then(|field| field.text(&mut reading.findings)).map(str::to_owned);
        let Some(steps) = fields.need("steps", &mut reading.findings) else { continue };
        // A try knows its own steps alone: whether one of an earlier try was ever done, nobody can tell beforehand.
        let mut own = Vec::new();
        let Some(steps) = list(steps, (&mut own, sees), (&mut *doings, &mut *reading)) else { continue };
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

/// The steps of one try, or those for the end of the alert.
fn list<'n>(
    field: Field<'n>,
    (ids, sees): (&mut Vec<&'n str>, Sees<'_>),
    (doings, reading): Found<'_, '_>,
) -> Option<Vec<Step>> {
    let entries = field.list(STEPS_HINT, &mut reading.findings)?;
    if entries.is_empty() {
        reading.findings.push(Note::error("playbook.steps", field.key, "a playbook needs at least one step"));
    }
    let (mut steps, mut marks) = (Vec::new(), Marks::default());
    for entry in entries {
        match step(entry, (&mut *ids, sees), reading, &mut doings.first_on_target) {
            Some(Entry::Step(step)) => {
                refuse_health_after_stop(&steps, &step, entry.span, &mut reading.findings);
                lint::conditional_start(&steps, &step, entry, &mut reading.findings);
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
    let acts = |step: &Step| step.verb.acts();
    // Scaling destroys no evidence.
    let destroys = |step: &Step| acts(step) && !matches!(step.verb, Verb::Scale(_));
    let Some(last) = steps.iter().rposition(acts) else { return };
    let verified = steps.iter().skip(last).any(|step| matches!(step.verb, Verb::Verify(_)));
    if !verified && marks.no_verify.is_none() {
        steps.insert(last + 1, Verb::Verify(VerifyStep::default()).into());
    }
    let Some(first) = steps.iter().position(destroys) else { return };
    let captured = steps.iter().take(first).any(|step| matches!(step.verb, Verb::Capture(_)));
    if !captured && marks.no_capture.is_none() {
        steps.insert(first, Verb::Capture(CaptureSpec::default()).into());
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
    if last.is_some_and(|action| action.goal() == Goal::Down) && spec.spec.health != HealthGoal::Auto {
        let message = "this `verify` asks for `health`, but the last action before it is a `stop`";
        let hint = "leave `health` out: after a `stop`, `verify` watches that the target stays stopped";
        findings.push(Note::error("playbook.verify", at, message).hint(hint));
    }
}

/// In some lists only some verbs may stand, and nothing is left out by `none` that nobody would add.
fn refuse_other_verbs(field: Field<'_>, verbs: &[&str], findings: &mut Findings<'_>) {
    let Content::List { items, .. } = &field.value.content else { return };
    let none = |node: &Node| matches!(&node.content, Content::Scalar { text, plain: true } if text == "none");
    let known = |name: &str| keys::STEP.keys.iter().any(|key| key.name == name);
    for item in items {
        let Content::Map(entries) = &item.content else { continue };
        let wrong = entries.iter().filter(|entry| {
            let verb = known(&entry.key) && !keys::STEP_COMMON.contains(&entry.key.as_str());
            verb && (!verbs.contains(&entry.key.as_str()) || (!verbs.contains(&"verify") && none(&entry.value)))
        });
        for wrong in wrong {
            let message = format!("this `{}` cannot stand in `{}`", wrong.key, field.name);
            let note = Note::error(code_of(field.name), wrong.key_span, message);
            findings.push(note.hint(format!("here stand only {}", verbs.join(", "))));
        }
    }
}

fn code_of(list: &str) -> &'static str {
    match list {
        "on_failure" => "playbook.on-failure",
        "on_denied" => "playbook.on-denied",
        _ => "playbook.on-resolved",
    }
}
