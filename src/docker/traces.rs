//! Evidence that is kept on demand: what runs in a container, which of its files it changed, what Docker remembers of it.
//!
//! Of processes the name and no arguments, of files the path and no content, of events no command: those hold secrets. Each
//! part is bounded and says what it left out.

use super::client::{Inspected, Reader, percent_encode};
use super::convert::text;
use super::error::DockerError;
use super::evidence::failed;
use super::history::window;
use crate::model::docker_call::DockerCall;
use crate::model::redact::clean;
use crate::model::step::CaptureSpec;
use crate::model::target::ContainerId;
use chrono::{DateTime, SecondsFormat};
use serde_json::{Value, json};
use std::time::Duration;

/// What `ps` shows: of the command its name alone.
const PS_ARGS: &str = "-eo pid,user,pcpu,pmem,rss,etime,comm";

/// The most processes kept.
const PROCESSES_MAX: usize = 50;

/// The most changed files kept.
const CHANGES_MAX: usize = 100;

/// The most events kept, the newest.
const EVENTS_MAX: usize = 50;

/// What is asked for: health checks alone would push out the rest.
const ACTIONS: [&str; 12] = [
    "create",
    "start",
    "die",
    "oom",
    "kill",
    "stop",
    "restart",
    "pause",
    "unpause",
    "update",
    "rename",
    "health_status",
];

/// Processes and changed files, as far as they are asked for.
pub(super) async fn read(
    reader: &Reader,
    id: &ContainerId,
    spec: &CaptureSpec,
    within: Duration,
) -> impl Iterator<Item = (String, Value)> {
    let top = async {
        let path = format!("/containers/{id}/top?ps_args={}", percent_encode(PS_ARGS));
        if spec.top { Some(part(reader, DockerCall::Top, &path, within, top_part).await) } else { None }
    };
    let changes = async {
        let path = format!("/containers/{id}/changes");
        if spec.changes { Some(part(reader, DockerCall::Changes, &path, within, changes_part).await) } else { None }
    };
    let (top, changes) = tokio::join!(top, changes);
    [("top", top), ("changes", changes)].into_iter().filter_map(|(name, part)| Some((name.to_owned(), part?)))
}

/// What one question brings, read by `read`; or why it brought nothing.
pub(super) async fn part(
    reader: &Reader,
    call: DockerCall,
    path: &str,
    within: Duration,
    read: fn(&Value) -> Value,
) -> Value {
    let reply = reader.get(call, path, within).await;
    reply.and_then(|reply| reply.json()).map_or_else(|error| failed(&error), |json| read(&json))
}

/// What the engine remembers of the container, up to its own present, and to the end of one that ended a moment ago.
pub(super) async fn events(reader: &Reader, target: &Inspected, within: Duration) -> Value {
    let Some(path) = events_path(target) else {
        return failed(&DockerError::Invalid("docker does not say what time it is".to_owned()));
    };
    match reader.get(DockerCall::Events, &path, within).await {
        Ok(reply) => events_part(&reply.body),
        Err(error) => failed(&error),
    }
}

/// The same stretch as who stopped it is looked for in; the engine itself keeps its last 256 events, of all containers.
fn events_path(target: &Inspected) -> Option<String> {
    let (since, until) = window(&target.container, target.answered_at)?;
    let id = target.container.id.as_str();
    let filters = percent_encode(&json!({"type": ["container"], "container": [id], "event": ACTIONS}).to_string());
    Some(format!("/events?since={since}&until={until}&filters={filters}"))
}

fn top_part(json: &Value) -> Value {
    let row = |row: &Value| {
        let cells = row.as_array().into_iter().flatten().filter_map(Value::as_str);
        clean(&cells.collect::<Vec<_>>().join(" "), 200)
    };
    let rows = json.get("Processes").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let lines: Vec<String> = rows.iter().take(PROCESSES_MAX).map(row).collect();
    json!({
        "titles": json.get("Titles").map(row).unwrap_or_default(),
        "processes": lines,
        "count": rows.len(),
    })
}

fn changes_part(json: &Value) -> Value {
    let all = json.as_array().map(Vec::as_slice).unwrap_or_default();
    let kind = |change: &Value| match change.get("Kind").and_then(Value::as_i64) {
        Some(0) => "changed",
        Some(1) => "added",
        Some(2) => "deleted",
        _ => "unknown",
    };
    let line = |change: &Value| format!("{} {}", kind(change), clean(text(change, "/Path"), 256));
    let files: Vec<String> = all.iter().take(CHANGES_MAX).map(line).collect();
    json!({"files": files, "count": all.len()})
}

fn events_part(body: &[u8]) -> Value {
    let stream = serde_json::Deserializer::from_slice(body).into_iter::<Value>();
    let all: Vec<Value> = stream.map_while(Result::ok).collect();
    let newest = all.iter().skip(all.len().saturating_sub(EVENTS_MAX)).map(event);
    json!({"events": newest.collect::<Vec<Value>>(), "count": all.len()})
}

fn event(event: &Value) -> Value {
    let nanos = event.get("timeNano").and_then(Value::as_i64).unwrap_or_default();
    let attribute = |name: &str| event.pointer(&format!("/Actor/Attributes/{name}")).and_then(Value::as_str);
    let action = text(event, "/Action");
    // `exec_start: sh -c …` names a command with all of its arguments.
    let action = if action.starts_with("exec_") { action.split(':').next().unwrap_or_default() } else { action };
    json!({
        "at": DateTime::from_timestamp_nanos(nanos).to_rfc3339_opts(SecondsFormat::Millis, true),
        "action": clean(action, 64),
        "exit_code": attribute("exitCode").map(|code| clean(code, 16)),
        "signal": attribute("signal").map(|signal| clean(signal, 16)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docker::convert::container;

    #[test]
    fn each_part_is_bounded_and_says_how_much_there_was() {
        let process = json!(["1", "root", "0.0", "0.1", "9000", "05:00", "web --token=hunter2"]);
        let top = top_part(&json!({"Titles": ["PID", "USER", "COMMAND"], "Processes": vec![process; 80]}));
        assert_eq!((top["processes"].as_array().unwrap().len(), &top["count"]), (PROCESSES_MAX, &json!(80)));
        assert_eq!(top["titles"], "PID USER COMMAND");
        let change = json!({"Kind": 1, "Path": format!("/tmp/{}", "x".repeat(500))});
        let changes = changes_part(&json!(vec![change; 300]));
        assert_eq!((changes["files"].as_array().unwrap().len(), &changes["count"]), (CHANGES_MAX, &json!(300)));
        assert!(changes["files"][0].as_str().unwrap().starts_with("added /tmp/x"));
        assert_eq!(changes_part(&Value::Null), json!({"files": [], "count": 0}));
        let all = [top, changes].map(|part| part.to_string()).concat();
        assert!(!all.contains("hunter2") && all.len() < 60_000, "{all}");
    }

    #[test]
    fn the_events_of_an_end_a_moment_ago_are_waited_for() {
        let until = |status: &str, finished: &str, now: Option<&str>| {
            let state = json!({"Status": status, "StartedAt": "2026-01-01T11:00:00Z", "FinishedAt": finished});
            let json = json!({"Id": "ab".repeat(32), "Name": "/web", "State": state});
            let answered_at = now.map(|now| now.parse().unwrap());
            let target = Inspected { container: container(&json).unwrap(), json, answered_at };
            let path = events_path(&target)?;
            let until = path.split("until=").nth(1)?.split('&').next()?.parse().ok()?;
            Some(DateTime::from_timestamp(until, 0).unwrap().to_rfc3339_opts(SecondsFormat::Secs, true))
        };
        // The engine tells its present to the second: the end lies behind it.
        let now = Some("2026-01-01T12:00:00Z");
        for (name, status, finished, now, want) in [
            ("ended in this second", "exited", "2026-01-01T12:00:00.7Z", now, Some("2026-01-01T12:00:02Z")),
            ("ended a while ago", "exited", "2026-01-01T11:59:00Z", now, Some("2026-01-01T12:00:00Z")),
            ("runs", "running", "2026-01-01T11:00:00Z", now, Some("2026-01-01T12:00:00Z")),
            ("nobody knows when", "running", "0001-01-01T00:00:00Z", None, None),
        ] {
            assert_eq!(until(status, finished, now).as_deref(), want, "{name}");
        }
    }

    #[test]
    fn of_an_event_no_command_is_kept() {
        let one = |action: &str, attributes: Value| {
            json!({"Action": action, "Actor": {"ID": "ab", "Attributes": attributes}, "timeNano": 1_767_607_207_000_000_000_i64})
                .to_string()
        };
        let body = [
            one("exec_start: sh -c 'login --password hunter2'", json!({"execID": "cd"})),
            one("health_status: unhealthy", json!({})),
            one("die", json!({"exitCode": "137", "env": "hunter2"})),
        ];
        let part = events_part(body.join("\n").as_bytes());
        assert!(!part.to_string().contains("hunter2"), "{part}");
        let actions: Vec<&str> =
            part["events"].as_array().unwrap().iter().filter_map(|e| e["action"].as_str()).collect();
        assert_eq!(actions, ["exec_start", "health_status: unhealthy", "die"]);
        assert_eq!((&part["events"][2]["exit_code"], &part["count"]), (&json!("137"), &json!(3)));
        let many = vec![one("start", json!({})); 200].concat();
        assert_eq!(events_part(many.as_bytes())["events"].as_array().unwrap().len(), EVENTS_MAX);
    }
}
