//! The result of `check` as SARIF 2.1.0, which code-scanning services read.
//!
//! Columns count characters (`unicodeCodePoints`), as in all our output. Files below the working directory are named
//! relative to it. Read [`print()`] first.

use super::super::print_json;
use super::report::{ProblemReport, Report};
use super::sources::STDIN;
use crate::playbook::codes::{self, Code};
use serde_json::{Value, json};
use std::io::{self, Write};
use std::path::Path;

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";
/// The root that relative names are relative to; services know this word.
const ROOT: &str = "%SRCROOT%";
/// Characters of the marked text that are quoted.
const SNIPPET_MAX: usize = 200;
/// Prints everything.
pub(super) fn print(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let log = json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "sickbay",
                "version": env!("CARGO_PKG_VERSION"),
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": codes::CODES.iter().map(rule).collect::<Vec<Value>>(),
            }},
            "columnKind": "unicodeCodePoints",
            "results": results(report),
        }],
    });
    print_json(&log, out)
}

fn rule(code: &Code) -> Value {
    let level = if code.code.starts_with("lint.") { "warning" } else { "error" };
    json!({
        "id": code.code,
        "shortDescription": {"text": code.means},
        "fullDescription": {"text": code.means},
        "help": {"text": code.help, "markdown": code.help},
        "defaultConfiguration": {"level": level},
    })
}

fn results(report: &Report) -> Vec<Value> {
    let of_settings = report.settings.iter().flat_map(|settings| {
        settings.problems.iter().map(|problem| of_rules((&settings.path, settings.file.text()), problem))
    });
    let of_files = report
        .files
        .iter()
        .flat_map(|file| file.problems.iter().map(|problem| of_rules((&file.path, &file.text), problem)));
    of_settings.chain(of_files).collect()
}

fn of_rules((path, text): (&str, &str), problem: &ProblemReport) -> Value {
    let hint = problem.hint.as_ref().map(|hint| format!("\n{hint}")).unwrap_or_default();
    let region = (problem.line != 0).then(|| {
        let marked = text.get(problem.offset..problem.offset + problem.length).unwrap_or_default();
        json!({
            "startLine": problem.line,
            "startColumn": problem.column,
            "endLine": problem.line,
            "endColumn": problem.column + marked.chars().count(),
            "snippet": {"text": marked.chars().take(SNIPPET_MAX).collect::<String>()},
        })
    });
    let message = format!("{}{hint}", problem.message);
    result((problem.code, problem.severity), &message, &location(path, region))
}

fn result((code, level): (&str, &str), message: &str, location: &Value) -> Value {
    let index = codes::CODES.iter().position(|rule| rule.code == code);
    json!({
        "ruleId": code,
        "ruleIndex": index.map_or(json!(-1), |index| json!(index)),
        "level": level,
        "message": {"text": message},
        "locations": [{"physicalLocation": location}],
    })
}

fn location(path: &str, region: Option<Value>) -> Value {
    let mut location = json!({"artifactLocation": artifact(path)});
    if let (Value::Object(location), Some(region)) = (&mut location, region) {
        location.insert("region".to_owned(), region);
    }
    location
}

/// A file relative to the working directory where it is below it, by its full path where it is not.
fn artifact(path: &str) -> Value {
    if path == STDIN {
        return json!({"uri": "stdin", "description": {"text": "standard input"}});
    }
    let path = Path::new(path);
    let here = std::env::current_dir().unwrap_or_default();
    let below = if path.is_absolute() { path.strip_prefix(&here).ok() } else { Some(path) };
    match below {
        Some(below) => json!({"uri": encoded(below), "uriBaseId": ROOT}),
        None => json!({"uri": format!("file://{}", encoded(path))}),
    }
}

/// A path as a URI's path: everything but plain letters is escaped.
fn encoded(path: &Path) -> String {
    let text = path.to_string_lossy();
    let text = text.strip_prefix("./").unwrap_or(&text);
    let mut uri = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            uri.push_str(&format!("%{byte:02X}"));
        }
    }
    uri
}
