//! One entry of a list of steps into a [`Step`].
//!
//! Knows what goes with any step: its id, its condition, its time. Each verb's arguments are read by `verbs`; which lists
//! there are, and what must stand in them, is `attempts`. Read [`step`] first.

use super::condition::{Looks, Nameable};
use super::definition::{Step, Verb};
use super::keys;
use super::lint;
use super::load::Reading;
use super::problem::{Findings, Note};
use super::raw::{self, Field, Fields};
use super::resolve::positive;
use super::verbs::{self, Read};
use super::when;
use super::yaml::{Content, Node, Span};

pub(super) use super::verbs::recipients;

/// What a text or a condition may name where it stands, beside the ids of the steps before it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sees<'a> {
    /// The roots of templates.
    pub(super) roots: &'a [&'static str],
    /// What the playbook's target is; `None` if it has none.
    pub(super) looks: Option<Looks>,
    /// Whether that is named as a service of a Compose project.
    pub(super) compose: bool,
}

impl Sees<'_> {
    /// The same for conditions.
    pub(super) fn scope<'i>(&self, ids: &'i [&'i str]) -> Nameable<'i> {
        let has = |root: &str| self.roots.contains(&root);
        Nameable { target: self.looks, steps: ids, failed: has("failed"), approval: has("approval") }
    }
}

/// What one list entry turned out to be.
#[expect(clippy::large_enum_variant, reason = "it lives for one turn of a loop")]
pub(super) enum Entry {
    /// A step.
    Step(Step),
    /// `capture: none`, and where it stands.
    NoCapture(Span),
    /// `verify: none`, and where it stands.
    NoVerify(Span),
}

/// Reads one entry; every problem is in the findings.
pub(super) fn step<'n>(
    entry: &'n Node,
    (ids, sees): (&mut Vec<&'n str>, Sees<'_>),
    reading: &mut Reading<'_>,
    first_on_target: &mut Option<(&'static str, Span)>,
) -> Option<Entry> {
    let findings = &mut reading.findings;
    let fields = Fields::read(entry, entry.span, &keys::STEP, findings)?;
    let name = fields.get("name").and_then(|field| field.text(findings)).map(str::to_owned);
    let condition = fields.get("if").map(|field| when::condition(field, sees.scope(ids), findings));
    let timeout = fields.get("timeout").map(|field| positive(field, findings));
    let continue_on_error = fields.boolean("continue_on_error", false, findings);
    let verb = only_verb(&fields, findings);
    let result = verb.and_then(|field| verbs::read(field, (ids, sees), reading));
    // After the verb: a step's own text cannot name the step.
    let id = id(&fields, ids, &mut reading.findings);
    Some(match (result?, verb?) {
        (Read::Verb(verb), field) => {
            if verb.needs_target() {
                first_on_target.get_or_insert((verb.word(), field.key));
            }
            refuse_what_does_not_fit(&verb, (&fields, field), sees, &mut reading.findings);
            let (condition, timeout) = (condition.map_or(Some(None), |c| c.map(Some))?, timeout.flatten());
            let step = Step { id: id.map(Into::into), name, condition, timeout, continue_on_error, verb };
            if let Some(field) = fields.get("timeout") {
                lint::timeout(&step, field.key, &mut reading.findings);
            }
            Entry::Step(step)
        }
        (Read::None, field) => {
            if let Some(extra) = fields.iter().find(|extra| extra.name != field.name) {
                let message = format!("`{}: none` is no step, so it has no `{}`", field.name, extra.name);
                let note = Note::error("playbook.contradiction", extra.key, message);
                reading.findings.push(note.hint(format!("remove `{}`", extra.name)));
            }
            if field.name == "capture" { Entry::NoCapture(field.key) } else { Entry::NoVerify(field.key) }
        }
    })
}

/// A verb that cannot be done to such a target, or that cannot have such a bound.
fn refuse_what_does_not_fit(
    verb: &Verb,
    (fields, field): (&Fields<'_>, Field<'_>),
    sees: Sees<'_>,
    findings: &mut Findings<'_>,
) {
    let word = verb.word();
    let on_service = sees.looks == Some(Looks::Service);
    let wrong = match verb {
        Verb::Start | Verb::Stop(_) | Verb::UpdateLimits(_) if on_service => Some("a container, and this is a service"),
        Verb::Scale(_) | Verb::Rollback(_) if sees.looks == Some(Looks::Container) => {
            Some("a service (`service` or `compose`), and this is a container")
        }
        Verb::Restart(_) if on_service && sees.compose => {
            Some("a container or a Swarm service, and a Compose service that is scaled is neither")
        }
        Verb::Capture(_)
        | Verb::Restart(_)
        | Verb::Start
        | Verb::Stop(_)
        | Verb::Scale(_)
        | Verb::Rollback(_)
        | Verb::UpdateLimits(_)
        | Verb::Verify(_)
        | Verb::Wait(_)
        | Verb::Notify(_)
        | Verb::Http(_)
        | Verb::Approve(_)
        | Verb::PausePlaybook(_) => None,
    };
    if let Some(wants) = wrong {
        let note = Note::error("playbook.target", field.key, format!("the target of `{word}` is {wants}"));
        findings.push(note.hint("make it a playbook of its own with a target of that kind"));
    }
    if let (Verb::Restart(_), true) = (verb, on_service)
        && let Content::Map(entries) = &field.value.content
    {
        for entry in entries {
            let message =
                format!("`{}` is for a container: Swarm stops a service's tasks as the service says", entry.key);
            findings.push(Note::error("playbook.target", entry.key_span, message).hint("write `restart: {}`"));
        }
    }
    let bounded = match verb {
        Verb::Wait(_) => Some("`wait` is a time already"),
        Verb::Verify(_) => Some("`verify` has `within`"),
        Verb::Approve(_) => Some("`approve` has a `timeout` of its own"),
        Verb::PausePlaybook(_) => Some("`pause_playbook` takes no time"),
        Verb::Capture(_)
        | Verb::Restart(_)
        | Verb::Start
        | Verb::Stop(_)
        | Verb::Scale(_)
        | Verb::Rollback(_)
        | Verb::UpdateLimits(_)
        | Verb::Notify(_)
        | Verb::Http(_) => None,
    };
    if let (Some(why), Some(timeout)) = (bounded, fields.get("timeout")) {
        let note = Note::error("playbook.step-timeout", timeout.key, format!("a `timeout` beside `{word}`: {why}"));
        findings.push(note.hint("remove `timeout`"));
    }
}

fn only_verb<'n>(fields: &Fields<'n>, findings: &mut Findings<'_>) -> Option<Field<'n>> {
    let mut verbs = fields.iter().filter(|field| !keys::STEP_COMMON.contains(&field.name));
    let (first, second) = (verbs.next(), verbs.next());
    if let (Some(first), Some(second)) = (first, second) {
        let message = format!("a step does one thing, and this one has both `{}` and `{}`", first.name, second.name);
        findings.push(Note::error("playbook.two-verbs", second.key, message).hint("make it two steps"));
    }
    if first.is_none() && !fields.has_unknown() {
        let message = "this step does nothing: it has no verb";
        let verbs = keys::STEP.keys.iter().map(|key| key.name).filter(|name| !keys::STEP_COMMON.contains(name));
        let hint = format!("one of {}", verbs.collect::<Vec<_>>().join(", "));
        findings.push(Note::error("playbook.no-verb", fields.at, message).hint(hint));
    }
    first
}

fn id<'n>(fields: &Fields<'n>, ids: &mut Vec<&'n str>, findings: &mut Findings<'_>) -> Option<&'n str> {
    let field = fields.get("id")?;
    let id = field.text(findings)?;
    let starts_well = id.starts_with(|first: char| first.is_ascii_lowercase());
    let plain = id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    if !starts_well || !plain || id.len() > keys::NAME_LEN_MAX as usize {
        let message = format!("{:?} cannot be the id of a step", raw::shorten(id));
        let hint = "lower-case letters, digits and `_`, starting with a letter: templates read it as `steps.ID`";
        findings.push(Note::error("playbook.step-id", field.span(), message).hint(hint));
        return None;
    }
    if ids.contains(&id) {
        let message = format!("the id `{id}` is taken by an earlier step");
        findings.push(Note::error("playbook.step-id", field.span(), message));
        return None;
    }
    ids.push(id);
    Some(id)
}
