//! What was kept before a treatment, line by line.

use super::printable::printable;
use serde_json::Value;

/// One line for each line and value of it, each with its name; safe for a terminal.
#[must_use]
pub fn evidence_lines(evidence: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    flatten("", evidence, &mut lines);
    lines
}

fn flatten(name: &str, value: &Value, lines: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (member, value) in members {
                let path = if name.is_empty() { member.clone() } else { format!("{name}.{member}") };
                flatten(&path, value, lines);
            }
        }
        Value::Array(items) => {
            for item in items {
                flatten(name, item, lines);
            }
        }
        Value::String(text) => {
            lines.extend(text.split('\n').map(|line| format!("{}: {}", printable(name), printable(line))));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => lines.push(format!("{}: {value}", printable(name))),
    }
}
