//! One entry of `expect`: which lists are looked at, and what each is to hold. Whatever can be known beforehand is
//! checked here: names of playbooks and containers, reasons, gates, verdicts, verbs.

use super::definition::{Aspect, Expectation, Expected, Item, Stock, Wanted};
use super::observe::{RunOutcome, Value};
use super::read::Reader;
use super::timeline::{known_container, known_target};
use super::values::{items, labels, pairs, time, unknown, word};
use super::{keys_seen as keys, questions};
use crate::model::approval::VoteAnswer;
use crate::model::pause::PauseScope;
use crate::model::reason::{Gate, Reason};
use crate::playbook::keys::{self as language, Shape};
use crate::playbook::problem::{Findings, Note};
use crate::playbook::raw::{Field, Fields};
use crate::playbook::yaml::Content;

/// Reads one entry of `expect`.
pub(super) fn expectation(item: Field<'_>, stock: &Stock, reader: &mut Reader<'_>) -> Option<Expectation> {
    let fields = Fields::read(item.value, item.key, &keys::EXPECTATION, &mut reader.findings)?;
    let at = fields.need("at", &mut reader.findings);
    let at = at.and_then(|field| time(field, &mut reader.findings));
    let mut aspects = Vec::new();
    for aspect in Aspect::ALL {
        if let Some(field) = fields.get(aspect.as_str()) {
            aspects.extend(expected((aspect, field), stock, reader));
        }
    }
    if aspects.is_empty() && fields.iter().all(|field| field.name == "at") && !fields.has_unknown() {
        let known = Aspect::ALL.map(Aspect::as_str).join(", ");
        let note = Note::error("test.vacuous", item.key, "this expectation expects nothing, so it cannot fail");
        reader.findings.push(note.hint(format!("add what is to be seen, by one of: {known}")));
    }
    Some(Expectation { at: at?, aspects })
}

fn expected((aspect, field): (Aspect, Field<'_>), stock: &Stock, reader: &mut Reader<'_>) -> Option<Expected> {
    let line = reader.line(field.key);
    if aspect == Aspect::Frozen {
        let frozen = word(field, &[("true", true), ("false", false)], &mut reader.findings)?;
        let items = vec![Item(vec![("frozen", Wanted::Is(Value::Flag(frozen)))])];
        return Some(Expected { aspect, line, items });
    }
    let hint = format!("write `{}: []` where nothing is to be there, or list what is", aspect.as_str());
    let mut expected = Vec::new();
    for entry in items(field, &hint, &mut reader.findings)? {
        expected.extend(item((aspect, entry), stock, reader));
    }
    if matches!(aspect, Aspect::Containers | Aspect::Services) && expected.is_empty() {
        let message = format!("`{}` looks at those it names, and names none", aspect.as_str());
        let note = Note::error("test.vacuous", field.key, message);
        reader.findings.push(note);
    }
    Some(Expected { aspect, line, items: expected })
}

fn item((aspect, entry): (Aspect, Field<'_>), stock: &Stock, reader: &mut Reader<'_>) -> Option<Item> {
    let (shape, short): (&Shape, Option<&'static str>) = match aspect {
        Aspect::Matched => (&keys::MATCHED, Some("playbook")),
        Aspect::NoMatch => return no_match(entry, reader),
        Aspect::Runs => (&keys::RUN, None),
        Aspect::Suppressed => (&keys::SUPPRESSED, None),
        Aspect::Notices => (&keys::NOTICE, None),
        Aspect::Open => (&keys::OPEN, Some("playbook")),
        Aspect::Containers => (&keys::CONTAINER_SEEN, None),
        Aspect::Services => (&keys::SERVICE_SEEN, None),
        Aspect::Approvals => (&keys::APPROVAL_SEEN, None),
        Aspect::Votes => (&keys::VOTE_SEEN, None),
        Aspect::Requests => (&keys::REQUEST_SEEN, None),
        Aspect::Paused => return scope(entry, reader),
        Aspect::Breakers | Aspect::Frozen => {
            let name = known_target(entry, stock, &mut reader.findings)?.to_string();
            return Some(Item(vec![("target", Wanted::Is(Value::Text(name)))]));
        }
    };
    if let (Some(short), Content::Scalar { .. }) = (short, &entry.value.content) {
        let wanted = wanted(Field { name: short, ..entry }, (aspect, stock), reader)?;
        return Some(Item(vec![(short, wanted)]));
    }
    let fields = Fields::read(entry.value, entry.key, shape, &mut reader.findings)?;
    let mut item = Vec::new();
    for key in shape.keys {
        if let Some(field) = fields.get(key.name) {
            item.extend(wanted(field, (aspect, stock), reader).map(|wanted| (seen_as(key.name), wanted)));
        }
    }
    if matches!(aspect, Aspect::Containers | Aspect::Services) {
        fields.need("name", &mut reader.findings)?;
    }
    if item.is_empty() && fields.iter().next().is_none() && !fields.has_unknown() {
        let note = Note::error("test.vacuous", entry.key, format!("{} that says nothing fits any", shape.noun));
        reader.findings.push(note.hint("name at least one of its keys"));
    }
    Some(Item(item))
}

/// The key of what is seen, where the expected one has another name.
fn seen_as(key: &'static str) -> &'static str {
    match key {
        "title_contains" => "title",
        "message_contains" => "message",
        "plan_contains" => "plan",
        "url_contains" => "url",
        "body_contains" => "body",
        other => other,
    }
}

/// How the value of one key is to be.
fn wanted(field: Field<'_>, (aspect, stock): (Aspect, &Stock), reader: &mut Reader<'_>) -> Option<Wanted> {
    if field.name == "playbook" {
        let name = field.text(&mut reader.findings)?;
        reader.known_playbook(field, name);
        return Some(is(name));
    }
    let findings = &mut reader.findings;
    if let Some(words) = words(field.name, aspect) {
        let words: Vec<(&str, &'static str)> = words.into_iter().map(|word| (word, word)).collect();
        return word(field, &words, findings).map(is);
    }
    match field.name {
        "reason" => reason(field, findings).map(is),
        "steps" | "on_failure" => {
            let mut verbs = Vec::new();
            for item in items(field, "list verbs: [capture, restart, verify]", findings)? {
                let known = language::STEP.keys.iter().map(|key| key.name);
                let known = known.filter(|name| !language::STEP_COMMON.contains(name));
                verbs.push(word(item, &known.map(|verb| (verb, verb)).collect::<Vec<_>>(), findings)?.to_owned());
            }
            Some(Wanted::Is(Value::Texts(verbs)))
        }
        "notified" => names(field, "list notifiers: [log]", findings),
        "from" => names(field, "list groups and people: [dba]", findings),
        "by" if aspect == Aspect::Approvals => names(field, "list people: [alice, bob]", findings),
        "attempt" | "required" => number(field, 1, findings),
        "replicas" | "running" | "healthy" => number(field, 0, findings),
        "dry_run" | "delivered" => {
            word(field, &[("true", true), ("false", false)], findings).map(|flag| Wanted::Is(Value::Flag(flag)))
        }
        "labels" => {
            let labels = labels(field, findings)?;
            let pairs = labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
            Some(Wanted::Includes(pairs.collect()))
        }
        "saw" => pairs(field, findings).map(Wanted::Includes),
        "name" if aspect == Aspect::Containers => container(field, stock, findings).map(is),
        "name" if aspect == Aspect::Services => service(field, stock, findings).map(is),
        // Whatever else there is, is text: a target may be one that is not there.
        "target" => known_target(field, stock, findings).map(|name| is(name.as_str())),
        name if name.ends_with("_contains") => field.text(findings).map(|part| Wanted::Contains(part.to_owned())),
        _ => field.text(findings).map(is),
    }
}

fn is(text: &str) -> Wanted {
    Wanted::Is(Value::Text(text.to_owned()))
}

/// The words that a key may have, where they are known beforehand.
fn words(key: &str, aspect: Aspect) -> Option<Vec<&'static str>> {
    Some(match (key, aspect) {
        ("gate", _) => Gate::ALL.iter().map(|gate| gate.as_str()).collect(),
        ("outcome", Aspect::Approvals) => questions::outcomes(),
        ("outcome", _) => RunOutcome::words(),
        ("answer", _) => VoteAnswer::ALL.iter().map(|answer| answer.as_str()).collect(),
        ("doing", _) => keys::DOINGS.to_vec(),
        ("severity", _) => vec!["info", "warning", "critical"],
        ("state", Aspect::Services) => vec!["present", "missing"],
        ("state", _) => vec!["created", "running", "paused", "restarting", "exited", "missing"],
        ("health", _) => vec!["none", "starting", "healthy", "unhealthy"],
        ("update", _) => keys::UPDATES.to_vec(),
        ("method", _) => vec!["GET", "POST", "PUT", "PATCH", "DELETE"],
        (_, _) => return None,
    })
}

fn number(field: Field<'_>, least: u32, findings: &mut Findings<'_>) -> Option<Wanted> {
    let number = field.whole(&(least..=u32::MAX), findings)?;
    Some(Wanted::Is(Value::Number(number.into())))
}

fn names(field: Field<'_>, hint: &str, findings: &mut Findings<'_>) -> Option<Wanted> {
    let names = items(field, hint, findings)?;
    let names = names.into_iter().map(|item| item.text(findings).map(str::to_owned)).collect::<Option<_>>()?;
    Some(Wanted::Is(Value::Texts(names)))
}

/// A container of the test, or a replica that may be made later.
fn container<'n>(field: Field<'n>, stock: &Stock, findings: &mut Findings<'_>) -> Option<&'n str> {
    let name = field.text(findings)?;
    if stock.may_have(name) { Some(name) } else { known_container(field, stock, findings).map(|(name, _)| name) }
}

fn service<'n>(field: Field<'n>, stock: &Stock, findings: &mut Findings<'_>) -> Option<&'n str> {
    let name = field.text(findings)?;
    if !stock.has_service(name) {
        let known = stock.service_names();
        unknown(field, "service of this test", known.iter().map(String::as_str), findings);
        return None;
    }
    Some(name)
}

/// A reason that can be a refusal's.
fn reason<'n>(field: Field<'n>, findings: &mut Findings<'_>) -> Option<&'n str> {
    let code = field.text(findings)?;
    if Reason::parse(code).is_none() {
        unknown(field, "reason of docs/REASONS.md", Reason::ALL.iter().map(|reason| reason.as_str()), findings);
        return None;
    }
    Some(code)
}

fn no_match(entry: Field<'_>, reader: &mut Reader<'_>) -> Option<Item> {
    let labels = labels(entry, &mut reader.findings)?;
    let pairs = labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    Some(Item(vec![("labels", Wanted::Includes(pairs))]))
}

fn scope(entry: Field<'_>, reader: &mut Reader<'_>) -> Option<Item> {
    let text = entry.text(&mut reader.findings)?;
    if let Err(error) = text.parse::<PauseScope>() {
        reader.findings.push(Note::error("test.value", entry.span(), error.to_string()));
        return None;
    }
    Some(Item(vec![("scope", Wanted::Is(Value::Text(text.to_owned())))]))
}
