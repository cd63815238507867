//! The language as JSON Schema (draft-07), made from the tables of `keys`: editors complete and underline by it.
//!
//! A file that `check` takes is valid, unless it writes text as YAML's numbers or `true`; much that `check` refuses is
//! not. What needs more than a look at one key (a template, a condition, a regex) is left to `check`. Read [`rules`].

use super::keys::{self, Key, Kind, Shape};
use super::problem::Findings;
use super::yaml::{self, Content, Node};
use serde_json::{Map, Value, json};

/// The largest number with a fraction that the language takes.
const NUMBER_MAX: u32 = 1000;

/// The schema of a rules file.
#[must_use]
pub fn rules() -> Value {
    document(&keys::FILE, "A rules file of sickbay: playbooks and time intervals")
}

/// The schema of a file that is one map of this shape.
pub(crate) fn document(shape: &'static Shape, title: &str) -> Value {
    let mut shapes = Shapes::default();
    shapes.name(shape);
    // Each shape may name others, which join the list behind it.
    let mut index = 0;
    while let Some((name, shape)) = shapes.named.get(index).cloned() {
        let definition = shapes.map(shape);
        shapes.definitions.insert(name, definition);
        index += 1;
    }
    let mut document = Map::new();
    document.insert("$schema".to_owned(), json!("http://json-schema.org/draft-07/schema#"));
    document.insert("title".to_owned(), json!(title));
    let root = shapes.named.first().map(|(name, _)| name.clone()).unwrap_or_default();
    if let Some(Value::Object(root)) = shapes.definitions.remove(&root) {
        document.extend(root);
    }
    document.insert("definitions".to_owned(), Value::Object(shapes.definitions));
    Value::Object(document)
}

/// What more than one key decides.
enum Rule {
    /// One of these keys, and only one.
    ExactlyOne(&'static [&'static str]),
    /// One of these keys, or several.
    AtLeastOne(&'static [&'static str]),
    /// The first key alone, or one or several of the others.
    AloneOr(&'static str, &'static [&'static str]),
    /// Each of these keys needs the others.
    Together(&'static [&'static str]),
}

fn rules_of(shape: &Shape) -> Vec<Rule> {
    let is = |other: &Shape| std::ptr::eq(shape, other);
    if is(&keys::FILE) {
        vec![Rule::AtLeastOne(&["playbooks", "time_intervals"])]
    } else if is(&keys::PLAYBOOK) {
        vec![Rule::ExactlyOne(&["steps", "attempts"])]
    } else if is(&keys::TARGET) {
        vec![Rule::ExactlyOne(&["container", "compose", "service", "selector"])]
    } else if is(&keys::LIMIT) {
        vec![Rule::Together(&["runs", "per"])]
    } else if is(&keys::SCALE) {
        vec![Rule::ExactlyOne(&["by", "to"])]
    } else if is(&keys::UPDATE_LIMITS) {
        vec![Rule::AloneOr("to", &["memory", "cpus"])]
    } else {
        Vec::new()
    }
}

/// The shapes that a document uses, each under a name of its own.
#[derive(Default)]
struct Shapes {
    named: Vec<(String, &'static Shape)>,
    definitions: Map<String, Value>,
}

impl Shapes {
    /// What a shape is called: its noun, and a number if that is taken.
    fn name(&mut self, shape: &'static Shape) -> String {
        if let Some((name, _)) = self.named.iter().find(|(_, known)| std::ptr::eq(*known, shape)) {
            return name.clone();
        }
        let noun = shape.noun.trim_start_matches("a ").trim_start_matches("an ").replace('`', "");
        let noun = noun.replace(|letter: char| !letter.is_ascii_alphanumeric(), "_");
        let taken = |name: &str| self.named.iter().any(|(known, _)| known == name);
        let numbered = (2..).map(|number| format!("{noun}_{number}"));
        let name = std::iter::once(noun.clone()).chain(numbered).find(|name| !taken(name)).unwrap_or(noun);
        self.named.push((name.clone(), shape));
        name
    }

    fn map(&mut self, shape: &'static Shape) -> Value {
        let properties: Map<String, Value> =
            shape.keys.iter().map(|key| (key.name.to_owned(), self.member(key))).collect();
        let required: Vec<&str> = shape.keys.iter().filter(|key| key.needed).map(|key| key.name).collect();
        let mut schema = Map::new();
        schema.insert("type".to_owned(), json!("object"));
        schema.insert("properties".to_owned(), Value::Object(properties));
        schema.insert("additionalProperties".to_owned(), json!(false));
        if !required.is_empty() {
            schema.insert("required".to_owned(), json!(required));
        }
        if std::ptr::eq(shape, &keys::STEP) {
            let verbs = shape.keys.iter().map(|key| key.name).filter(|name| !keys::STEP_COMMON.contains(name));
            schema.insert("oneOf".to_owned(), one_required(verbs));
        }
        for rule in rules_of(shape) {
            let (word, value) = match rule {
                Rule::ExactlyOne(names) => ("oneOf", one_required(names.iter().copied())),
                Rule::AtLeastOne(names) => ("anyOf", one_required(names.iter().copied())),
                Rule::AloneOr(alone, names) => {
                    let others = json!({"anyOf": one_required(names.iter().copied())});
                    ("oneOf", json!([{"required": [alone]}, others]))
                }
                Rule::Together(names) => {
                    ("dependencies", names.iter().map(|name| ((*name).to_owned(), json!(names))).collect())
                }
            };
            schema.insert(word.to_owned(), value);
        }
        Value::Object(schema)
    }

    /// A key with what it holds, what it is for and what holds without it.
    fn member(&mut self, key: &Key) -> Value {
        let later = if key.executed { "" } else { " This version's daemon does not execute it." };
        let default = key.default.map(|default| format!(" Left out: {default}.")).unwrap_or_default();
        let mut about = Map::new();
        about.insert("description".to_owned(), json!(format!("{}{default}{later}", key.about)));
        if let Some(default) = key.default.and_then(plain_value) {
            about.insert("default".to_owned(), default);
        }
        match self.value(key.kind) {
            // What stands beside a reference is ignored in draft-07.
            Value::Object(reference) if reference.contains_key("$ref") => {
                about.insert("allOf".to_owned(), json!([reference]));
            }
            Value::Object(schema) => about.extend(schema),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {}
        }
        Value::Object(about)
    }

    fn value(&mut self, kind: Kind) -> Value {
        match kind {
            Kind::Version => json!({"const": 1}),
            Kind::Text | Kind::Template | Kind::Matcher => json!({"type": "string", "minLength": 1}),
            Kind::Name(pattern, longest) => {
                json!({"type": "string", "pattern": format!("^(?:{pattern})$"), "maxLength": longest})
            }
            Kind::Condition => json!({"type": ["string", "boolean"], "minLength": 1}),
            Kind::Bool => json!({"type": "boolean"}),
            Kind::Whole(least, u32::MAX) => json!({"type": "integer", "minimum": least}),
            Kind::Whole(least, most) => json!({"type": "integer", "minimum": least, "maximum": most}),
            Kind::Signed(least, most) => json!({"type": "integer", "minimum": least, "maximum": most}),
            Kind::MoreThan(bound) => json!({"type": "number", "exclusiveMinimum": bound, "maximum": NUMBER_MAX}),
            Kind::Duration => duration(),
            Kind::Bytes => json!({"type": "string", "pattern": "^[0-9]*[1-9][0-9]*(?:KiB|MiB|GiB|TiB)$"}),
            Kind::Share => json!({"anyOf": [
                {"type": "integer", "minimum": 1},
                {"type": "string", "pattern": "^[1-9][0-9]?%$|^[0-9]*[1-9][0-9]*$"},
            ]}),
            Kind::Word(words) => json!({"enum": words}),
            Kind::Range => json!({"type": ["string", "integer"], "minLength": 1}),
            Kind::Minutes => json!({"type": "string", "pattern": "^(?:(?:[01][0-9]|2[0-3]):[0-5][0-9]|24:00)$"}),
            Kind::List(kind) => json!({"type": "array", "items": self.value(*kind)}),
            Kind::Map(shape) => json!({"$ref": format!("#/definitions/{}", self.name(shape))}),
            // Labels often look like `true` or a number, and mean the text.
            Kind::Names(Kind::Text | Kind::Template) => {
                json!({"type": "object", "additionalProperties": {"type": ["string", "boolean", "number"]}})
            }
            Kind::Names(kind) => json!({"type": "object", "additionalProperties": self.value(*kind)}),
            Kind::Any(kinds) => {
                let kinds: Vec<Value> = kinds.iter().map(|kind| self.value(*kind)).collect();
                json!({"anyOf": kinds})
            }
        }
    }
}

/// Durations in Prometheus' grammar; `0` alone needs no unit.
fn duration() -> Value {
    let units = ["y", "w", "d", "h", "m", "s", "ms"].map(|unit| format!("(?:[0-9]+{unit})?"));
    let pattern = format!("^(?:0|(?=[0-9]){})$", units.concat());
    json!({"type": ["string", "integer"], "pattern": pattern, "maximum": 0, "minimum": 0})
}

fn one_required<'n>(names: impl Iterator<Item = &'n str>) -> Value {
    names.map(|name| json!({"required": [name]})).collect()
}

/// A default, which is written as in a file, as JSON.
fn plain_value(text: &str) -> Option<Value> {
    let mut findings = Findings::new("default", text);
    yaml::parse(text, &mut findings).as_ref().map(to_json)
}

fn to_json(node: &Node) -> Value {
    match &node.content {
        Content::Scalar { text, plain } => {
            let number_or_flag =
                serde_json::from_str::<Value>(text).ok().filter(|value| value.is_number() || value.is_boolean());
            number_or_flag.filter(|_| *plain).unwrap_or_else(|| json!(text))
        }
        Content::List { items, .. } => items.iter().map(to_json).collect(),
        Content::Map(entries) => entries.iter().map(|entry| (entry.key.clone(), to_json(&entry.value))).collect(),
    }
}
