//! What was kept before a treatment, line by line.

use super::printable::printable;
use crate::model::fact::{Fact, StepResult};
use serde_json::Value;

/// What was found out about the container: kept by a step, or shown to those who are asked. Untrusted.
#[must_use]
pub fn evidence_of(fact: &Fact) -> Option<&Value> {
    if let Fact::StepFinished(finished) = fact
        && let StepResult::Captured(evidence) = &finished.result
    {
        Some(evidence)
    } else if let Fact::ApprovalRequested(asked) = fact {
        asked.evidence.as_ref()
    } else {
        None
    }
}

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
