//! Of evidence, what somebody needs who is asked now: the likeliest findings and the end of the log. Short, because the
//! question keeps it until it is answered, and over restarts.

use crate::model::diagnosis::Diagnosis;
use serde_json::{Map, Value, json};

/// How many findings, the likeliest first.
const FINDINGS_MAX: usize = 3;

/// How many lines of the log, the last.
const LINES_MAX: usize = 5;

/// How long a text may be, in characters.
const TEXT_MAX: usize = 240;

/// What of the container's state is told.
const STATE: [&str; 6] = ["status", "exit_code", "oom_killed", "error", "finished_at", "health"];

/// What of a service is told.
const NUMBERS: [&str; 4] = ["replicas", "running", "healthy", "update"];

/// The short form of evidence that holds its diagnosis; or why there is none.
#[must_use]
pub fn for_people(evidence: &Value) -> Value {
    let kind = if evidence.get("service").is_some() { "service" } else { "container" };
    let target = evidence.get(kind);
    let said = |pointer: &str| target.and_then(|target| target.pointer(pointer)).cloned();
    let (Some(id), Some(name)) = (said("/id"), said("/name")) else {
        let error = target.or(Some(evidence)).and_then(|target| target.get("error")).and_then(Value::as_str);
        return json!({"error": error.map_or_else(|| format!("docker did not show the {kind}"), cut)});
    };
    let parts = |keys: &[&str], within: &str| -> Map<String, Value> {
        keys.iter().filter_map(|key| Some(((*key).to_owned(), short(&said(&format!("{within}/{key}"))?)?))).collect()
    };
    let mut findings = Diagnosis::in_evidence(evidence).findings;
    findings.truncate(FINDINGS_MAX);
    for finding in &mut findings {
        for text in [&mut finding.what, &mut finding.seen, &mut finding.next] {
            *text = cut(text);
        }
    }
    let diagnosis = Diagnosis { findings }.to_json();
    if kind == "service" {
        return json!({
            "service": {"id": id, "name": name, "state": parts(&NUMBERS, "")},
            "diagnosis": diagnosis,
        });
    }
    let lines = evidence.pointer("/logs/lines").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let lines = lines.iter().rev().take(LINES_MAX).rev().filter_map(Value::as_str).map(cut).collect::<Vec<_>>();
    json!({
        "container": {"id": id, "name": name, "state": parts(&STATE, "/state")},
        "diagnosis": diagnosis,
        "logs": {"lines": lines},
    })
}

fn short(value: &Value) -> Option<Value> {
    match value {
        Value::String(text) => Some(Value::from(cut(text))),
        Value::Bool(_) | Value::Number(_) => Some(value.clone()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(TEXT_MAX) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::with_diagnosis;

    #[test]
    fn what_people_are_told_is_short_and_about_the_container_that_was_looked_at() {
        let lines: Vec<String> = (0..50).map(|number| format!("{number} {}", "ä".repeat(2000))).collect();
        let evidence = json!({
            "container": {
                "id": "ab".repeat(32), "name": "web-1", "env_names": ["x".repeat(9000)],
                "state": {"status": "exited", "exit_code": 137, "oom_killed": true, "health": "h".repeat(5000)},
            },
            "logs": {"lines": lines, "truncated": false},
        });
        let told = for_people(&with_diagnosis(evidence));
        assert_eq!(told["container"]["id"], "ab".repeat(32));
        assert_eq!(
            (&told["container"]["name"], &told["container"]["state"]["exit_code"]),
            (&json!("web-1"), &json!(137))
        );
        let first = Diagnosis::in_evidence(&told).findings.remove(0);
        assert_eq!(first.code.as_str(), "memory.oom-killed", "{told}");
        let kept = told["logs"]["lines"].as_array().unwrap();
        assert!(kept.len() == 5 && kept[4].as_str().unwrap().starts_with("49 "), "{kept:?}");
        assert!(told.to_string().len() < 8 * 1024, "{} bytes", told.to_string().len());
    }

    #[test]
    fn of_a_service_they_are_told_its_numbers_and_what_its_tasks_die_of() {
        let task = json!({"slot": 1, "state": "failed", "exit_code": 137, "error": "task: non-zero exit (137)"});
        let evidence = json!({
            "service": {
                "id": "q1", "name": "app_web", "image": "app", "replicas": 3, "running": 1, "healthy": 1, "update": null,
            },
            "tasks": {"in_trouble": vec![task; 3], "count": 3},
        });
        let told = for_people(&with_diagnosis(evidence));
        assert_eq!(
            told["service"],
            json!({"id": "q1", "name": "app_web", "state": {"replicas": 3, "running": 1, "healthy": 1}})
        );
        let codes: Vec<&str> =
            Diagnosis::in_evidence(&told).findings.iter().map(|finding| finding.code.as_str()).collect();
        assert_eq!(codes, ["service.tasks-failing", "service.replicas-missing"], "{told}");
    }

    #[test]
    fn where_nobody_could_look_it_says_why() {
        for (evidence, want) in [
            (json!({"container": {"error": "no answer in 3s"}}), "no answer in 3s"),
            (json!({}), "docker did not show the container"),
            (Value::Null, "docker did not show the container"),
            (json!({"container": {"id": 7}}), "docker did not show the container"),
            (json!({"service": {"error": "no answer in 3s"}}), "no answer in 3s"),
            (json!({"service": {"id": "app/web"}}), "docker did not show the service"),
            (json!({"error": "docker did not show the service in time"}), "docker did not show the service in time"),
        ] {
            assert_eq!(for_people(&evidence), json!({"error": want}));
        }
    }
}
