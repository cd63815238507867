//! One entry of a list of steps into a [`Step`].
//!
//! Knows each verb's arguments and bounds. Which lists there are, and what must stand in them, is `attempts`. Read
//! [`step`] first.

use super::definition::{CaptureSpec, HealthGoal, NotifySpec, RestartSpec, Step, StopSpec, Verb, VerifySpec};
use super::load::Reading;
use super::problem::{Findings, Note};
use super::raw::{self, Field, Fields};
use super::resolve::{one_of, positive, template};
use super::yaml::{Content, Node, Span};
use std::time::Duration;

/// The longest that Docker may wait before it kills.
const STOP_TIMEOUT_MAX: Duration = Duration::from_secs(600);
/// The most log lines kept as evidence.
const LOG_LINES_MAX: u32 = 1000;
/// Longest `id` of a step.
const ID_LEN_MAX: usize = 64;

/// What a step's text may name: the ids of the steps before it, and the roots.
type Sees<'a> = (&'a [&'a str], &'a [&'a str]);

/// What one list entry turned out to be.
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
    (ids, roots): (&mut Vec<&'n str>, &[&str]),
    reading: &mut Reading<'_>,
    first_on_target: &mut Option<(&'static str, Span)>,
) -> Option<Entry> {
    let findings = &mut reading.findings;
    let fields = Fields::read(entry, entry.span, &raw::STEP, findings)?;
    let name = fields.get("name").and_then(|field| field.text(findings)).map(str::to_owned);
    let verb = only_verb(&fields, findings);
    let result = verb.and_then(|field| {
        let on_target = ["capture", "restart", "start", "stop", "verify"].into_iter().find(|word| *word == field.name);
        if let Some(word) = on_target.filter(|_| !field.is_word("none")) {
            first_on_target.get_or_insert((word, field.key));
        }
        read_verb(field, (ids, roots), reading)
    });
    // After the verb: a step's own text cannot name the step.
    let id = id(&fields, ids, &mut reading.findings);
    Some(match result? {
        Entry::Step(step) => Entry::Step(Step { id: id.map(Into::into), name, ..step }),
        mark @ (Entry::NoCapture(_) | Entry::NoVerify(_)) => mark,
    })
}

fn only_verb<'n>(fields: &Fields<'n>, findings: &mut Findings<'_>) -> Option<Field<'n>> {
    let mut verbs = fields.iter().filter(|field| !raw::STEP_COMMON.contains(&field.name));
    let refused = fields.refused().iter().any(|name| !raw::STEP_COMMON.contains(name));
    let (first, second) = (verbs.next(), verbs.next());
    if let (Some(first), Some(second)) = (first, second) {
        let message = format!("a step does one thing, and this one has both `{}` and `{}`", first.name, second.name);
        findings.push(Note::error("playbook.two-verbs", second.key, message).hint("make it two steps"));
    }
    if first.is_none() && !refused && !fields.has_unknown() {
        let message = "this step does nothing: it has no verb";
        let hint = "one of capture, restart, start, stop, verify, wait, notify";
        findings.push(Note::error("playbook.no-verb", fields.at, message).hint(hint));
    }
    first
}

fn id<'n>(fields: &Fields<'n>, ids: &mut Vec<&'n str>, findings: &mut Findings<'_>) -> Option<&'n str> {
    let field = fields.get("id")?;
    let id = field.text(findings)?;
    let starts_well = id.starts_with(|first: char| first.is_ascii_lowercase());
    let plain = id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    if !starts_well || !plain || id.len() > ID_LEN_MAX {
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

fn read_verb(field: Field<'_>, sees: Sees<'_>, reading: &mut Reading<'_>) -> Option<Entry> {
    let findings = &mut reading.findings;
    let verb = match field.name {
        "capture" if field.is_word("none") => return Some(Entry::NoCapture(field.key)),
        "verify" if field.is_word("none") => return Some(Entry::NoVerify(field.key)),
        "capture" => Verb::Capture(capture(field, findings)?),
        "restart" => Verb::Restart(restart(field, findings)?),
        "start" => {
            arguments(field, &raw::START, "{}", findings)?;
            Verb::Start
        }
        "stop" => {
            let fields = arguments(field, &raw::STOP, "{}", findings)?;
            Verb::Stop(StopSpec { stop_timeout: stop_timeout(&fields, findings) })
        }
        "verify" => Verb::Verify(verify(field, findings)?),
        "wait" => Verb::Wait(positive(field, findings)?),
        "notify" => Verb::Notify(notify(field, sees, reading)?),
        _ => return None,
    };
    Some(Entry::Step(Step { id: None, name: None, verb }))
}

fn capture(field: Field<'_>, findings: &mut Findings<'_>) -> Option<CaptureSpec> {
    let fields = arguments(field, &raw::CAPTURE, "{logs: 50}`, or `capture: none", findings)?;
    let default = CaptureSpec::default();
    let logs = fields.get("logs").and_then(|field| field.whole(&(0..=LOG_LINES_MAX), findings));
    Some(CaptureSpec {
        logs: logs.unwrap_or(default.logs),
        inspect: fields.boolean("inspect", default.inspect, findings),
        stats: fields.boolean("stats", default.stats, findings),
    })
}

fn restart(field: Field<'_>, findings: &mut Findings<'_>) -> Option<RestartSpec> {
    let fields = arguments(field, &raw::RESTART, "{}", findings)?;
    let stop_timeout = stop_timeout(&fields, findings);
    Some(RestartSpec { stop_timeout, start_if_stopped: fields.boolean("start_if_stopped", false, findings) })
}

fn stop_timeout(fields: &Fields<'_>, findings: &mut Findings<'_>) -> Option<Duration> {
    let stop_timeout = fields.duration("stop_timeout", findings);
    if let Some(timeout) = stop_timeout
        && let Some(field) = fields.get("stop_timeout")
        && (timeout.subsec_nanos() != 0 || STOP_TIMEOUT_MAX < timeout)
    {
        let message = "`stop_timeout` is in whole seconds and at most 10m";
        findings.push(Note::error("playbook.stop-timeout", field.span(), message));
    }
    stop_timeout
}

fn verify(field: Field<'_>, findings: &mut Findings<'_>) -> Option<VerifySpec> {
    let fields = arguments(field, &raw::VERIFY, "{within: 2m}`, or `verify: none", findings)?;
    let default = VerifySpec::default();
    let goals = [("healthy", HealthGoal::Healthy), ("running", HealthGoal::Running)];
    let health = fields.get("health").and_then(|field| one_of(field, &goals, findings)).unwrap_or(default.health);
    let every = fields.duration("every", findings).unwrap_or(default.every);
    if let Some(field) = fields.get("every")
        && every < Duration::from_secs(1)
    {
        findings.push(Note::error("playbook.verify", field.span(), "`every` must be at least 1s"));
    }
    let stable_for = fields.duration("stable_for", findings).unwrap_or(default.stable_for);
    let within = fields.duration("within", findings);
    if let (Some(within), Some(field)) = (within, fields.get("within")) {
        if within <= every {
            let message = "`within` must be longer than `every`: there must be time to look twice";
            findings.push(Note::error("playbook.verify", field.span(), message));
        } else if within <= stable_for {
            let message = "`within` is not longer than `stable_for` (10s unless given)";
            let hint = "the target has to come up and then stay well for all of `stable_for`";
            findings.push(Note::warning("lint.verify-too-short", field.span(), message).hint(hint));
        }
    }
    let alert_resolved = fields.boolean("alert_resolved", default.alert_resolved, findings);
    Some(VerifySpec { health, within, every, stable_for, alert_resolved })
}

fn notify(field: Field<'_>, (ids, roots): Sees<'_>, reading: &mut Reading<'_>) -> Option<NotifySpec> {
    let fields = arguments(field, &raw::NOTIFY, "{to: [log], message: \"…\"}", &mut reading.findings)?;
    let to = recipients(&fields, reading);
    let findings = &mut reading.findings;
    let severities = [("info", "info"), ("warning", "warning"), ("critical", "critical")];
    let severity = fields.get("severity").and_then(|field| one_of(field, &severities, findings)).unwrap_or("info");
    let title = fields.get("title").and_then(|field| template(field, roots, ids, findings));
    let message = fields.need("message", findings).and_then(|field| template(field, roots, ids, findings));
    Some(NotifySpec { to: to?, severity: severity.to_owned(), title, message: message? })
}

fn recipients(fields: &Fields<'_>, reading: &mut Reading<'_>) -> Option<Vec<String>> {
    let field = fields.need("to", &mut reading.findings)?;
    let items = field.list("name one or more notifiers: to: [log]", &mut reading.findings)?;
    if items.is_empty() {
        let note = Note::error("playbook.notify", field.span(), "`to` names nobody");
        reading.findings.push(note.hint("name one or more notifiers; `log` is built in"));
    }
    let mut to: Vec<String> = Vec::new();
    for item in items {
        let item = Field { value: item, key: item.span, ..field };
        let Some(name) = item.text(&mut reading.findings) else { continue };
        let known = |names: &&[String]| name == "log" || names.iter().any(|known| known == name);
        if name.is_empty() || to.iter().any(|earlier| earlier == name) {
            let message = if name.is_empty() { "an empty name" } else { "this notifier is named twice" };
            reading.findings.push(Note::error("playbook.notify", item.span(), message));
        } else if let Some(names) = reading.notifiers.filter(|names| !known(names)) {
            let note = Note::error("playbook.unknown-notifier", item.span(), format!("no notifier is called `{name}`"));
            let mut configured: Vec<&str> = names.iter().map(String::as_str).collect();
            configured.push("log");
            reading.findings.push(note.hint(format!("the settings have: {}", configured.join(", "))));
        }
        to.push(name.to_owned());
    }
    Some(to)
}

/// The arguments of a verb, which are always a map.
fn arguments<'n>(
    field: Field<'n>,
    shape: &raw::Shape,
    example: &str,
    findings: &mut Findings<'_>,
) -> Option<Fields<'n>> {
    if let Content::Map(_) = field.value.content {
        return Fields::read(field.value, field.key, shape, findings);
    }
    let message = format!("`{}` is a map of arguments, not {}", field.name, field.value.kind());
    let note = Note::error("playbook.type", field.span(), message);
    findings.push(note.hint(format!("write `{}: {example}`", field.name)));
    None
}
