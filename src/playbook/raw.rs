//! The shape of a rules file: which keys each map has, in reading order, and how a value is read.
//!
//! The tables below are the whole language. A key that the language has but this version does not execute is refused
//! by name, never ignored: a playbook must not do less than it says. Nothing here knows what a playbook means; that is
//! `resolve`. Read [`Shape`] first, then [`Fields`].

use super::problem::{Findings, Note};
use super::yaml::{Content, Entry, Node, Span};
use crate::model::duration::parse_duration;
use std::ops::RangeInclusive;
use std::time::Duration;

/// One key of the language.
pub(super) struct Key {
    name: &'static str,
    executed: bool,
}

const fn now(name: &'static str) -> Key {
    Key { name, executed: true }
}

const fn later(name: &'static str) -> Key {
    Key { name, executed: false }
}

/// What a map may hold.
pub(super) struct Shape {
    /// What to call it: "a playbook".
    noun: &'static str,
    /// Its keys, in reading order.
    keys: &'static [Key],
    /// Whether the lint asks for that order.
    ordered: bool,
}

/// A rules file.
pub(super) static FILE: Shape =
    Shape { noun: "a rules file", keys: &[now("version"), now("time_intervals"), now("playbooks")], ordered: true };

/// One entry of the file's `time_intervals`.
pub(super) static TIME_INTERVAL: Shape =
    Shape { noun: "a time interval", keys: &[now("name"), now("time_intervals")], ordered: false };

/// One entry of a time interval's own `time_intervals`.
pub(super) static PERIOD: Shape = Shape {
    noun: "a period of a time interval",
    keys: &[now("times"), now("weekdays"), now("days_of_month"), now("months"), now("years"), now("location")],
    ordered: false,
};

/// One entry of a period's `times`.
pub(super) static TIMES: Shape =
    Shape { noun: "a time range", keys: &[now("start_time"), now("end_time")], ordered: false };

/// One entry of `playbooks`: what, when, on which thing, only if, how often, who must agree, do, otherwise, afterwards.
pub(super) static PLAYBOOK: Shape = Shape {
    noun: "a playbook",
    keys: &[
        now("name"),
        now("description"),
        now("enabled"),
        now("dry_run"),
        now("matchers"),
        now("active_time_intervals"),
        now("mute_time_intervals"),
        now("target"),
        now("if"),
        now("limits"),
        later("approval"),
        now("steps"),
        now("attempts"),
        now("on_failure"),
        later("on_denied"),
        later("on_resolved"),
    ],
    ordered: true,
};

/// `target`
pub(super) static TARGET: Shape = Shape {
    noun: "`target`",
    keys: &[now("container"), now("compose"), later("service"), later("selector"), later("host"), later("max")],
    ordered: false,
};

/// `target.compose`
pub(super) static COMPOSE: Shape = Shape { noun: "`compose`", keys: &[now("project"), now("service")], ordered: false };

/// `limits`, or one entry of it.
pub(super) static LIMIT: Shape = Shape {
    noun: "`limits`",
    keys: &[
        now("runs"),
        now("per"),
        now("cooldown"),
        now("scope"),
        now("max_parallel"),
        now("min_healthy"),
        later("key"),
    ],
    ordered: false,
};

/// One entry of `attempts`.
pub(super) static ATTEMPT: Shape = Shape { noun: "an attempt", keys: &[now("name"), now("steps")], ordered: true };

/// One entry of `steps` or `on_failure`: exactly one of the verbs, and what goes with any step.
pub(super) static STEP: Shape = Shape {
    noun: "a step",
    keys: &[
        now("id"),
        now("name"),
        later("if"),
        later("timeout"),
        later("continue_on_error"),
        now("capture"),
        now("restart"),
        now("start"),
        now("stop"),
        now("verify"),
        now("wait"),
        now("notify"),
        later("scale"),
        later("rollback"),
        later("update_limits"),
        later("http"),
        later("approve"),
        later("pause_playbook"),
    ],
    ordered: false,
};

/// The keys of [`STEP`] that are not verbs.
pub(super) const STEP_COMMON: [&str; 5] = ["id", "name", "if", "timeout", "continue_on_error"];

/// `capture`
pub(super) static CAPTURE: Shape = Shape {
    noun: "`capture`",
    keys: &[now("logs"), now("inspect"), now("stats"), later("top"), later("changes"), later("events")],
    ordered: false,
};

/// `restart`
pub(super) static RESTART: Shape =
    Shape { noun: "`restart`", keys: &[now("stop_timeout"), now("start_if_stopped")], ordered: false };

/// `start`
pub(super) static START: Shape = Shape { noun: "`start`", keys: &[], ordered: false };

/// `stop`
pub(super) static STOP: Shape = Shape { noun: "`stop`", keys: &[now("stop_timeout")], ordered: false };

/// `verify`
pub(super) static VERIFY: Shape = Shape {
    noun: "`verify`",
    keys: &[
        now("health"),
        later("replicas_running"),
        later("http"),
        now("alert_resolved"),
        now("within"),
        now("every"),
        now("stable_for"),
    ],
    ordered: false,
};

/// `notify`
pub(super) static NOTIFY: Shape =
    Shape { noun: "`notify`", keys: &[now("to"), now("severity"), now("title"), now("message")], ordered: false };

/// Keys people try for running a command.
const COMMAND_WORDS: [&str; 6] = ["run", "exec", "shell", "command", "cmd", "script"];

/// The keys of one map, checked against its shape.
pub(super) struct Fields<'n> {
    /// Where to point if something is missing: a key or the first line of the map.
    pub(super) at: Span,
    noun: &'static str,
    /// Keys to be read, in the order of the file.
    found: Vec<Field<'n>>,
    /// Keys that were refused because they are not executed yet.
    refused: Vec<&'n str>,
    /// Whether a key was refused as unknown.
    unknown: bool,
}

/// One key and its value.
#[derive(Clone, Copy)]
pub(super) struct Field<'n> {
    /// The key.
    pub(super) name: &'n str,
    /// Where it stands.
    pub(super) key: Span,
    /// What it holds.
    pub(super) value: &'n Node,
}

impl<'n> Fields<'n> {
    /// Reads a map, and reports every key that cannot be there. `None` (reported) if the node is not a map.
    pub(super) fn read(node: &'n Node, at: Span, shape: &Shape, findings: &mut Findings<'_>) -> Option<Self> {
        let Content::Map(entries) = &node.content else {
            let message = format!("{} is a map of keys and values, not {}", shape.noun, node.kind());
            findings.push(Note::error("playbook.type", if node.is_nothing() { at } else { node.span }, message));
            return None;
        };
        let mut fields = Self { at, noun: shape.noun, found: Vec::new(), refused: Vec::new(), unknown: false };
        for entry in entries {
            match shape.keys.iter().find(|key| key.name == entry.key) {
                Some(key) if key.executed => {
                    fields.found.push(Field { name: &entry.key, key: entry.key_span, value: &entry.value });
                }
                Some(_) => {
                    fields.refused.push(&entry.key);
                    findings.push(not_executed(entry.key_span, &format!("`{}`", entry.key)));
                }
                None => {
                    fields.unknown = true;
                    findings.push(unknown_key(entry, shape));
                }
            }
        }
        if shape.ordered {
            lint_order(entries, shape, findings);
        }
        Some(fields)
    }

    /// The field of this name, if it is there.
    pub(super) fn get(&self, name: &str) -> Option<Field<'n>> {
        self.found.iter().find(|field| field.name == name).copied()
    }

    /// The field of this name; reported if it is missing.
    pub(super) fn need(&self, name: &str, findings: &mut Findings<'_>) -> Option<Field<'n>> {
        let field = self.get(name);
        if field.is_none() {
            let message = format!("{} needs the key `{name}`", self.noun);
            findings.push(Note::error("playbook.missing-key", self.at, message));
        }
        field
    }

    /// All fields, in the order of the file.
    pub(super) fn iter(&self) -> impl Iterator<Item = Field<'n>> {
        self.found.iter().copied()
    }

    /// The keys that were refused as not executed: what they stand for must not be called missing as well.
    pub(super) fn refused(&self) -> &[&'n str] {
        &self.refused
    }

    /// Whether a key was refused as unknown: it may be the one that is missing, mistyped.
    pub(super) fn has_unknown(&self) -> bool {
        self.unknown
    }

    /// `true` or `false`, or the default if the key is absent.
    pub(super) fn boolean(&self, name: &str, default: bool, findings: &mut Findings<'_>) -> bool {
        self.get(name).and_then(|field| field.boolean(findings)).unwrap_or(default)
    }

    /// A duration, if the key is there.
    pub(super) fn duration(&self, name: &str, findings: &mut Findings<'_>) -> Option<Duration> {
        self.get(name).and_then(|field| field.duration(findings))
    }
}

impl<'n> Field<'n> {
    /// Where to underline the value; the key if there is no value.
    pub(super) fn span(&self) -> Span {
        if self.value.is_nothing() { self.key } else { self.value.span }
    }

    /// Reports that the value is of the wrong kind.
    pub(super) fn wrong(&self, wanted: &str, findings: &mut Findings<'_>) {
        let message = match &self.value.content {
            Content::Scalar { text, .. } if !self.value.is_nothing() => {
                format!("`{}` is {wanted}, not {:?}", self.name, shorten(text))
            }
            Content::Scalar { .. } | Content::List { .. } | Content::Map(_) => {
                format!("`{}` is {wanted}, not {}", self.name, self.value.kind())
            }
        };
        findings.push(Note::error("playbook.type", self.span(), message));
    }

    /// Text as written. Nothing, a list or a map is reported.
    pub(super) fn text(&self, findings: &mut Findings<'_>) -> Option<&'n str> {
        match &self.value.content {
            Content::Scalar { text, .. } if !self.value.is_nothing() => Some(text),
            Content::Scalar { .. } | Content::List { .. } => {
                self.wrong("text", findings);
                None
            }
            Content::Map(_) => {
                let note = Note::error("playbook.type", self.span(), format!("`{}` is text, not a map", self.name));
                findings.push(note.hint("quote a value that starts with `{`, such as \"{{ labels.container }}\""));
                None
            }
        }
    }

    fn boolean(&self, findings: &mut Findings<'_>) -> Option<bool> {
        if let Content::Scalar { text, plain: true } = &self.value.content
            && let Ok(value) = text.parse()
        {
            return Some(value);
        }
        self.wrong("`true` or `false`", findings);
        None
    }

    /// A whole number within the bounds.
    pub(super) fn whole(&self, bounds: &RangeInclusive<u32>, findings: &mut Findings<'_>) -> Option<u32> {
        let number = match &self.value.content {
            Content::Scalar { text, plain: true } if text.bytes().all(|byte| byte.is_ascii_digit()) => {
                text.parse().ok().filter(|number| bounds.contains(number))
            }
            Content::Scalar { .. } | Content::List { .. } | Content::Map(_) => None,
        };
        if number.is_none() {
            let wanted = match *bounds.end() {
                u32::MAX => format!("a whole number, at least {}", bounds.start()),
                most => format!("a whole number from {} to {most}", bounds.start()),
            };
            self.wrong(&wanted, findings);
        }
        number
    }

    /// A duration in Prometheus' grammar.
    pub(super) fn duration(&self, findings: &mut Findings<'_>) -> Option<Duration> {
        let text = self.text(findings)?;
        match parse_duration(text) {
            Ok(duration) => Some(duration),
            Err(error) => {
                let message = format!("`{}` is not a duration: {error}", self.name);
                findings.push(Note::error("playbook.duration", self.span(), message));
                None
            }
        }
    }

    /// The items of a list. Anything else is reported.
    pub(super) fn list(&self, hint: &str, findings: &mut Findings<'_>) -> Option<&'n [Node]> {
        if let Content::List { items, .. } = &self.value.content {
            return Some(items);
        }
        let message = format!("`{}` is a list, not {}", self.name, self.value.kind());
        findings.push(Note::error("playbook.type", self.span(), message).hint(hint));
        None
    }

    /// Whether the value is the bare word.
    pub(super) fn is_word(&self, word: &str) -> bool {
        matches!(&self.value.content, Content::Scalar { text, plain: true } if text == word)
    }
}

/// The refusal of something the language has but this version does not execute.
pub(super) fn not_executed(at: Span, what: &str) -> Note {
    let message = format!("{what} is part of the playbook language but this version does not execute it; remove it");
    let hint = "a part that is not executed is refused, never ignored: a playbook must not do less than it says";
    Note::error("playbook.not-executed", at, message).hint(hint)
}

fn unknown_key(entry: &Entry, shape: &Shape) -> Note {
    let message = format!("unknown key `{}` in {}", shorten(&entry.key), shape.noun);
    let note = Note::error("playbook.unknown-key", entry.key_span, message);
    if shape.noun == STEP.noun && COMMAND_WORDS.contains(&entry.key.as_str()) {
        return note.hint("no step runs a command: alert text must never become one");
    }
    let names = shape.keys.iter().map(|key| key.name);
    match nearest(&entry.key, names.clone()) {
        Some(name) => note.hint(format!("did you mean `{name}`?")),
        None => {
            let known: Vec<&str> = shape.keys.iter().filter(|key| key.executed).map(|key| key.name).collect();
            note.hint(format!("known keys: {}", known.join(", ")))
        }
    }
}

/// The known word a mistyped one was probably meant to be.
pub(super) fn nearest<'w>(wrong: &str, known: impl Iterator<Item = &'w str>) -> Option<&'w str> {
    let wrong: String = wrong.chars().take(64).collect();
    known
        .map(|word| (strsim::damerau_levenshtein(&wrong.to_lowercase(), word), word))
        .filter(|(distance, word)| *distance <= (word.len() / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

/// Text from the file, short enough for a message.
pub(super) fn shorten(text: &str) -> String {
    const CHARS_MAX: usize = 60;
    let short: String = text.chars().take(CHARS_MAX).collect();
    if short.len() < text.len() { format!("{short}…") } else { short }
}

fn lint_order(entries: &[Entry], shape: &Shape, findings: &mut Findings<'_>) {
    let place = |entry: &Entry| shape.keys.iter().position(|key| key.name == entry.key);
    let mut latest = 0;
    for entry in entries {
        let Some(index) = place(entry) else { continue };
        if index < latest {
            let after = shape.keys.get(latest).map_or("", |key| key.name);
            let message = format!("`{}` stands after `{after}`", entry.key);
            let order: Vec<&str> = shape.keys.iter().filter(|key| key.executed).map(|key| key.name).collect();
            let hint = format!("reviewers look for keys in a fixed order: {}", order.join(", "));
            findings.push(Note::warning("lint.key-order", entry.key_span, message).hint(hint));
        }
        latest = latest.max(index);
    }
}
