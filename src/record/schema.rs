//! The records of the incident log as JSON Schema (draft-07), for other programs that read it.
//!
//! Open, as the format is: a record may have members and a log may have kinds that are not listed. Each line that this
//! crate's tests write is checked against it, and the other way round. Read [`schema`] first.

use super::schema_acts::{of_acts, of_approvals, of_notices, of_requests, of_steps};
use super::{SCHEMA_VERSION, schema_services as services};
use crate::model::container::TouchAction;
use crate::model::incident::{EpisodeEnd, FirstSight, Verdict};
use crate::model::memory::Help;
use crate::model::reason::{Gate, Reason};
use serde_json::{Map, Value, json};

/// A member: its name, and a question mark behind it if it may be absent; what it holds.
pub(super) type Member = (&'static str, Value);

/// The schema of one line.
#[must_use]
pub fn schema() -> Value {
    let kinds = kinds();
    let known: Vec<&str> = kinds.iter().map(|(kind, _)| *kind).collect();
    let bodies = kinds.iter().map(|(kind, members)| {
        json!({
            "if": {"properties": {"kind": {"const": kind}}},
            "then": object(members.clone()),
        })
    });
    let header: Vec<Member> = vec![
        ("v", json!({"const": SCHEMA_VERSION, "description": "The version of this format."})),
        ("seq", about(count(), "The record's number, from 0.")),
        ("ts", about(moment(), "The wall clock. The order of the lines is the truth, not this.")),
        ("up_ms", about(count(), "Milliseconds since boot, suspend included.")),
        ("boot", about(pattern("^[0-9a-f]{8}$"), "The first digits of the kernel's boot id.")),
        ("log", about(pattern("^[0-9a-f]{8}$"), "Drawn when the log was born; the same in every record.")),
        ("kind", json!({"type": "string", "examples": known, "description": "What kind of record."})),
        ("prev", about(pattern("^[0-9a-f]{64}$"), "The `hash` of the record before; zeros in record 0.")),
        ("hash", about(pattern("^[0-9a-f]{64}$"), "SHA-256 of the line's bytes before `,\"hash\":`.")),
    ];
    let mut schema = object(header);
    if let Value::Object(members) = &mut schema {
        members.insert("$schema".to_owned(), json!("http://json-schema.org/draft-07/schema#"));
        members.insert("title".to_owned(), json!("A record of sickbay's incident log"));
        members.insert("allOf".to_owned(), bodies.collect());
        members.insert("definitions".to_owned(), definitions());
    }
    schema
}

/// What each kind of record holds beside what all begin and end with.
fn kinds() -> Vec<(&'static str, Vec<Member>)> {
    [
        of_the_log(),
        of_alerts(),
        of_decisions(),
        of_steps(),
        of_acts(),
        of_requests(),
        of_notices(),
        of_brakes(),
        of_approvals(),
    ]
    .concat()
}

fn of_the_log() -> Vec<(&'static str, Vec<Member>)> {
    vec![
        ("log.open", vec![("version", text()), ("hostname", text()), ("dry_run?", flag()), ("first_host?", text())]),
        ("log.close", vec![]),
        (
            "log.recovered",
            vec![
                ("bytes", count()),
                ("sha256", pattern("^[0-9a-f]{64}$")),
                ("offset", count()),
                ("quarantine", text()),
            ],
        ),
        (
            "config.loaded",
            vec![
                ("files", named("texts")),
                ("playbooks", named("texts")),
                ("dry_run?", flag()),
                ("reloaded?", flag()),
                ("by?", named("text")),
            ],
        ),
        ("config.rejected", vec![("problem", named("text")), ("by?", named("text"))]),
        ("clock.jump", vec![("by_ms", json!({"type": "integer"})), ("rebooted?", flag())]),
        ("state.saved", state()),
    ]
}

fn of_alerts() -> Vec<(&'static str, Vec<Member>)> {
    vec![
        (
            "alert.received",
            [
                vec![("inc?", incident())],
                alert(),
                vec![
                    ("playbook?", text()),
                    ("revision?", text()),
                    ("host?", host()),
                    ("reason?", reason()),
                    ("playbook_text?", playbook_text()),
                ],
            ]
            .concat(),
        ),
        (
            "alert.ended",
            vec![
                ("inc?", incident()),
                ("fingerprint", fingerprint()),
                ("end", words(EpisodeEnd::ALL.iter().map(|end| end.as_str()))),
                ("ends_at?", moment()),
            ],
        ),
        ("alert.rejected_summary", vec![("sender", text()), ("count", count()), ("first", named("text"))]),
    ]
}

fn of_decisions() -> Vec<(&'static str, Vec<Member>)> {
    let verdict = words(Verdict::ALL.iter().map(|verdict| verdict.as_str()));
    vec![
        (
            "decision",
            vec![
                ("inc", incident()),
                ("playbook", text()),
                ("result", words(["run", "refused"])),
                ("gate?", words(Gate::ALL.iter().map(|gate| gate.as_str()))),
                ("reason?", reason()),
                ("detail?", named("text")),
                ("inputs?", named("texts")),
                ("retry_after_ms?", count()),
                ("target?", named("target")),
                ("plan?", plan()),
                ("dry_run?", flag()),
                ("attempt?", count()),
                ("attempts?", count()),
                ("key?", named("texts")),
                ("look?", named("look")),
            ],
        ),
        (
            "attempt.ended",
            vec![("inc", incident()), ("attempt", count()), ("verdict", verdict.clone()), ("detail", named("text"))],
        ),
        (
            "incident.closed",
            vec![("inc", incident()), ("verdict", verdict), ("reason?", reason()), ("detail", named("text"))],
        ),
        ("incident.relapsed", vec![("inc", incident()), ("by", incident())]),
        ("incident.opened", opened()),
    ]
}

fn of_brakes() -> Vec<(&'static str, Vec<Member>)> {
    let target = object(vec![("name", text())]);
    let somebody = [("by", named("text")), ("reason", named("text"))];
    vec![
        ("pause.set", pause()),
        ("pause.cleared", [vec![("scope", scope())], somebody.to_vec()].concat()),
        (
            "breaker.opened",
            vec![("inc", incident()), ("target", target.clone()), ("failures", count()), ("open_for_ms", count())],
        ),
        ("breaker.reset", [vec![("target", target)], somebody.to_vec()].concat()),
        ("storm.frozen", vec![("alerts", count()), ("per_ms", count()), ("freeze_ms", count())]),
    ]
}

fn pause() -> Vec<Member> {
    vec![("scope", scope()), ("by", named("text")), ("reason", named("text")), ("length_ms?", count())]
}

/// An alert as it was first seen.
fn alert() -> Vec<Member> {
    vec![
        ("fingerprint", fingerprint()),
        ("labels", named("texts")),
        ("annotations", named("texts")),
        ("starts_at?", moment()),
        ("generator_url", named("text")),
        ("sender", named("text")),
        ("receiver", named("text")),
        ("group_key", named("text")),
        ("sight", words(FirstSight::ALL.iter().map(|sight| sight.as_str()))),
    ]
}

/// What an incident that another one opened begins with.
fn opened() -> Vec<Member> {
    let begin = vec![
        ("inc", incident()),
        ("of", incident()),
        ("cause", words(["resolved", "further_target"])),
        ("playbook", text()),
        ("revision", text()),
        ("host?", host()),
        ("container_id?", pattern("^[0-9a-f]{64}$")),
        ("alert", object(alert())),
        ("playbook_text?", playbook_text()),
    ];
    [begin, left()].concat()
}

/// Stands in the first record that opens an incident by a revision.
fn playbook_text() -> Value {
    let told = "The playbook's text in this revision, where no record before tells it. Without secrets.";
    json!({"allOf": [named("text")], "description": told})
}

/// What a run left to what follows it.
fn left() -> Vec<Member> {
    let stopped = vec![("container_id", pattern("^[0-9a-f]{64}$")), ("started_at", text())];
    vec![("container?", text()), ("stopped?", object(stopped)), ("dry_run?", flag())]
}

/// `state.saved`
fn state() -> Vec<Member> {
    let clock =
        vec![("ts", moment()), ("up_ms", count()), ("boot", pattern("^[0-9a-f]{1,8}$")), ("passed_ms", count())];
    let episode = vec![
        ("fingerprint", fingerprint()),
        ("starts_at?", moment()),
        ("seen", named("moment")),
        ("ended?", named("moment")),
        ("ends_at?", moment()),
        ("inc?", incident()),
        ("playbook?", text()),
        ("reason?", reason()),
        ("acted", flag()),
    ];
    let body = json!({"type": "object", "description": "The body of a record of its kind."});
    let told = vec![("at", named("moment")), ("kind", text()), ("body", body.clone())];
    let open = vec![("inc", incident()), ("opened", named("moment")), ("alert", body), ("story", list(object(told)))];
    let attempt = vec![
        ("inc", incident()),
        ("playbook", text()),
        ("target?", text()),
        ("at", named("moment")),
        ("ended?", named("moment")),
        ("dry_run", flag()),
        ("aftercare?", flag()),
        ("key?", named("texts")),
    ];
    let end = vec![
        ("inc", incident()),
        ("playbook", text()),
        ("target", text()),
        ("at", named("moment")),
        ("help", words(Help::ALL.iter().map(|help| help.as_str()))),
    ];
    let own_act = vec![
        ("act", act()),
        ("container", pattern("^[0-9a-f]{64}$")),
        ("from", named("moment")),
        ("deadline_ms", count()),
        ("to?", named("moment")),
    ];
    let ended = vec![("fingerprint", fingerprint()), ("at", named("moment"))];
    vec![
        ("clock?", object(clock)),
        ("episodes", list(object(episode))),
        ("ended", list(object(ended))),
        ("incidents", list(object(open))),
        ("owed?", list(object(owed()))),
        ("attempts", list(object(attempt))),
        ("ends", list(object(end))),
        ("pauses", list(object(vec![("pause", object(pause())), ("set", named("moment"))]))),
        ("taken", list(named("moment"))),
        ("frozen?", object(vec![("at", named("moment")), ("freeze_ms", count())])),
        ("own_acts", list(object(own_act))),
        ("texts?", about(list(text()), "The revisions of playbooks whose texts the log tells.")),
        ("first_host?", text()),
    ]
    .into_iter()
    .chain(services::remembered())
    .collect()
}

/// What may follow the end of an alert.
fn owed() -> Vec<Member> {
    vec![
        ("inc", incident()),
        ("alert", json!({"type": "object", "description": "The body of a record of its kind."})),
        ("left?", object(left())),
        ("ended", flag()),
        ("due?", named("moment")),
    ]
}

/// What several kinds share.
fn definitions() -> Value {
    let cut = vec![
        ("_cut", json!({"const": true})),
        ("sha256", pattern("^[0-9a-f]{64}$")),
        ("len", count()),
        ("head?", text()),
        ("tail?", text()),
    ];
    let step =
        vec![("branch", pattern("^[a-z_]+$")), ("index", count()), ("id?", text()), ("verb", pattern("^[a-z_]+$"))];
    let vitals = vec![("startedAt", text()), ("restartCount", count()), ("state", text()), ("health?", text())];
    let target = vec![
        ("name", text()),
        ("kind?", services::kind()),
        ("id", services::id()),
        ("image", text()),
        ("service?", text()),
    ];
    json!({
        "cut": about(object(cut), "What is left of a text that was too long."),
        "text": {"anyOf": [text(), named("cut")], "description": "Words from outside or for people: whole, or cut."},
        "texts": {"type": "object", "additionalProperties": named("text"), "description": "Texts by their names."},
        "step": about(object(step), "Which step of the playbook."),
        "vitals": {
            "anyOf": [object(vitals), object(services::vitals())],
            "description": "How a container or a service looked, in Docker's words.",
        },
        "target": about(object(target), "The container or service that is meant."),
        "moment": about(object(vec![("ts", moment()), ("passed_ms", count())]), "A moment of the log's own time."),
        "look": about(object(look()), "What Docker showed of the target when the gates were asked."),
        "container": about(object(container()), "A container, in Docker's words, as far as gates read it."),
    })
}

/// `look`
fn look() -> Vec<Member> {
    let answers = ["found", "several", "missing", "ambiguous", "unavailable", "denied", "no_manager"];
    let touches =
        list(object(vec![("action", words(TouchAction::ALL.iter().map(|it| it.as_str()))), ("at", moment())]));
    let before = object(vec![("gone", moment()), ("image", text()), ("config_hash?", text())]);
    let history = vec![
        ("unknown?", named("text")),
        ("now?", moment()),
        ("since?", moment()),
        ("touches?", touches),
        ("before?", before),
    ];
    vec![
        ("answer", words(answers)),
        ("error?", named("text")),
        ("names?", list(text())),
        ("others?", list(object(vec![("name", text()), ("id", pattern("^[0-9a-f]{64}$"))]))),
        ("container?", named("container")),
        ("service?", services::look()),
        ("stop_cause?", words(["stopped", "died", "forgotten"])),
        ("dependents?", list(named("container"))),
        ("peers?", named("texts")),
        ("history?", object(history)),
        ("memory_in_use?", count()),
        ("memory_unknown?", named("text")),
    ]
}

fn container() -> Vec<Member> {
    vec![
        ("name", text()),
        ("id", pattern("^[0-9a-f]{64}$")),
        ("image", text()),
        ("image_id", text()),
        ("state", text()),
        ("health?", text()),
        ("start_period_ms?", count()),
        ("created", text()),
        ("started_at", text()),
        ("finished_at", text()),
        ("restart_count?", count()),
        ("exit_code?", json!({"type": "integer"})),
        ("oom_killed?", flag()),
        ("start_error?", named("text")),
        ("restart_policy", text()),
        ("auto_remove?", flag()),
        ("stop_timeout_ms?", count()),
        ("limits?", services::limits()),
        ("labels?", named("texts")),
    ]
}

#[expect(clippy::needless_pass_by_value, reason = "the tables above are written as values")]
pub(super) fn object(members: Vec<Member>) -> Value {
    let required: Vec<&str> = members.iter().map(|(name, _)| *name).filter(|name| !name.ends_with('?')).collect();
    let properties: Map<String, Value> =
        members.iter().map(|(name, value)| (name.trim_end_matches('?').to_owned(), value.clone())).collect();
    json!({"type": "object", "required": required, "properties": properties})
}

pub(super) fn about(mut schema: Value, what: &str) -> Value {
    if let Value::Object(members) = &mut schema {
        members.insert("description".to_owned(), json!(what));
    }
    schema
}

pub(super) fn named(definition: &str) -> Value {
    json!({"$ref": format!("#/definitions/{definition}")})
}

#[expect(clippy::needless_pass_by_value, reason = "the tables above are written as values")]
pub(super) fn list(items: Value) -> Value {
    json!({"type": "array", "items": items})
}

pub(super) fn words<'w>(words: impl IntoIterator<Item = &'w str>) -> Value {
    json!({"enum": words.into_iter().collect::<Vec<&str>>()})
}

pub(super) fn pattern(pattern: &str) -> Value {
    json!({"type": "string", "pattern": pattern})
}

pub(super) fn text() -> Value {
    json!({"type": "string"})
}

pub(super) fn flag() -> Value {
    json!({"type": "boolean"})
}

pub(super) fn count() -> Value {
    json!({"type": "integer", "minimum": 0})
}

pub(super) fn moment() -> Value {
    json!({
        "type": "string",
        "format": "date-time",
        "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.([0-9]{6}|[0-9]{9})Z$",
    })
}

pub(super) fn incident() -> Value {
    about(pattern("^i[0-9]+$"), "The incident: `i` and the number of the record that opened it.")
}

pub(super) fn act() -> Value {
    about(pattern("^i[0-9]+\\.[0-9]+$"), "One act of the incident; intent and outcome share it.")
}

pub(super) fn fingerprint() -> Value {
    about(pattern("^[0-9a-f]{16}$"), "Alertmanager's fingerprint of the alert's labels.")
}

pub(super) fn plan() -> Value {
    about(pattern("^sha256:[0-9a-f]{64}$"), "The digest of what was going to be done, exactly.")
}

fn reason() -> Value {
    about(words(Reason::ALL.iter().map(|reason| reason.as_str())), "docs/REASONS.md explains each.")
}

/// The Docker host, unless it is the first of the settings.
pub(super) fn host() -> Value {
    about(pattern("^[a-zA-Z0-9][a-zA-Z0-9_.-]*$"), "The Docker host; left out for the first of the settings.")
}

fn scope() -> Value {
    pattern("^(all|(host|playbook|target):.+)$")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::fact::Fact;
    use crate::record::{Hash, encode, sample};
    use std::collections::BTreeSet;

    /// The schema, in which no member is allowed that it does not name.
    fn strict() -> Value {
        fn close(schema: &mut Value) {
            match schema {
                Value::Object(members) => {
                    if members.contains_key("properties") && members.contains_key("required") {
                        members.insert("additionalProperties".to_owned(), json!(false));
                    }
                    members.values_mut().for_each(close);
                }
                Value::Array(items) => items.iter_mut().for_each(close),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
            }
        }
        // What every record has is allowed in each body.
        let mut schema = schema();
        let header = schema["properties"].as_object().unwrap().clone();
        for body in schema["allOf"].as_array_mut().unwrap() {
            body["then"]["properties"].as_object_mut().unwrap().extend(header.clone());
        }
        let own = schema.as_object_mut().unwrap().remove("properties");
        close(&mut schema);
        schema["properties"] = own.unwrap();
        schema
    }

    fn lines() -> Vec<Value> {
        let long = "x".repeat(30_000);
        let mut facts: Vec<Fact> = Vec::new();
        for text in ["x", "a\u{202e}\u{0} \"b", &long] {
            facts.extend(sample::every_shape(text));
            facts.push(Fact::StateSaved(Box::new(sample::memory(text))));
        }
        let line = |fact| {
            let mut out = Vec::new();
            encode(&sample::record(3, fact), sample::LOG, &Hash::GENESIS, &mut out);
            serde_json::from_slice(&out).unwrap()
        };
        let example = include_str!("../../incident_log.example.jsonl").lines();
        let example = example.map(|line| serde_json::from_str(line).unwrap());
        facts.into_iter().map(line).chain(example).collect()
    }

    #[test]
    fn every_record_we_write_is_as_the_schema_says_and_nothing_more() {
        let (open, strict) =
            (jsonschema::validator_for(&schema()).unwrap(), jsonschema::validator_for(&strict()).unwrap());
        for line in lines() {
            assert!(
                open.is_valid(&line),
                "{line}: {:?}",
                open.iter_errors(&line).map(|e| e.to_string()).collect::<Vec<_>>()
            );
            let errors: Vec<String> = strict.iter_errors(&line).map(|error| error.to_string()).collect();
            assert!(errors.is_empty(), "{line}: {errors:?}");
        }
    }

    #[test]
    fn everything_the_schema_names_is_written_by_some_record() {
        let lines = lines();
        for (kind, members) in kinds() {
            let of_kind: Vec<&Value> = lines.iter().filter(|line| line["kind"] == kind).collect();
            assert!(!of_kind.is_empty(), "no record of the kind {kind}");
            for (name, _) in members {
                let there = of_kind.iter().filter(|line| line.get(name.trim_end_matches('?')).is_some()).count();
                assert!(0 < there, "{kind}: {name} is in no record");
            }
        }
        let kinds: BTreeSet<&str> = kinds().into_iter().map(|(kind, _)| kind).collect();
        let written: BTreeSet<&str> = lines.iter().map(|line| line["kind"].as_str().unwrap()).collect();
        assert_eq!(kinds, written);
    }

    #[test]
    fn a_record_that_is_none_is_refused() {
        let validator = jsonschema::validator_for(&schema()).unwrap();
        for (line, change) in
            lines().into_iter().zip(["v", "seq", "ts", "kind", "prev", "hash", "boot", "log"].iter().cycle())
        {
            let mut changed = line.clone();
            changed[change] = json!([1]);
            assert!(!validator.is_valid(&changed), "{changed}");
            changed.as_object_mut().unwrap().remove(*change);
            assert!(!validator.is_valid(&changed), "{changed}");
        }
        let newer = json!({"v": 1, "seq": 0, "ts": "2026-01-05T10:00:07.871900Z", "up_ms": 1, "boot": "00000000",
            "log": "00000000", "kind": "tea.served", "sugar": 2, "prev": "0".repeat(64), "hash": "0".repeat(64)});
        assert!(validator.is_valid(&newer), "kinds may be added");
    }
}
