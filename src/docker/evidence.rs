//! What a container looked like before anything was done to it: configuration and state, health log, last log lines,
//! usage, its image and what stands around it, Docker's own history, and on demand its processes and changed files.
//!
//! Every part is optional, bounded and read at the same time as the others, and all of them within one deadline; one that
//! fails or is late says why and blocks nothing. Everything is taken from an allow-list (`portrait`) and cleaned of
//! secrets. The texts are still untrusted. Read [`capture`] first.

use super::client::{Inspected, READ_WITHIN, Reader, Reply};
use super::convert::flag;
use super::error::DockerError;
use super::log_text::{Framing, tail};
use super::portrait::{container_part, health_log_part};
use super::service;
use super::surroundings;
use super::traces;
use super::transport::until;
use super::usage::sample;
use crate::model::action::TargetIdent;
use crate::model::docker_call::DockerCall;
use crate::model::redact::clean;
use crate::model::step::CaptureSpec;
use crate::model::target::ContainerId;
use serde_json::{Map, Value, json};
use std::time::Duration;
use tokio::time::Instant;

/// How long evidence may take in total.
const CAPTURE_WITHIN: Duration = Duration::from_secs(3);

/// How long the log may take: a driver may have to search for its end.
const LOGS_WITHIN: Duration = Duration::from_secs(1);

/// The whole evidence as JSON, in bytes.
const JSON_LEN_MAX: usize = 48 * 1024;

/// Parts by name, in no order that matters.
type Parts = Vec<(&'static str, Value)>;

/// Gathers the evidence about one container or service, within three seconds.
pub async fn capture(reader: &Reader, target: &TargetIdent, spec: &CaptureSpec) -> Value {
    let deadline = Instant::now() + CAPTURE_WITHIN;
    let Some(id) = target.id.container() else {
        let captured = Box::pin(service::capture(reader, &target.id));
        let evidence = until(deadline, captured).await;
        return evidence.unwrap_or_else(|| json!({"error": "docker did not show the service in time"}));
    };
    Box::pin(container(reader, id, spec, (deadline, LOGS_WITHIN))).await
}

/// As [`capture`], for a container, until a deadline; the log has one of its own.
pub(super) async fn container(
    reader: &Reader,
    id: &ContainerId,
    spec: &CaptureSpec,
    (deadline, logs_within): (Instant, Duration),
) -> Value {
    let tail_len = spec.logs;
    let inspect = reader.inspect_fully(id, CAPTURE_WITHIN.min(READ_WITHIN));
    let around = async {
        let inspected = inspect.await;
        let parts = match &inspected {
            Ok(seen) => Box::pin(surroundings_of(reader, seen, spec, deadline)).await,
            Err(error) => vec![("container", failed(error))],
        };
        (inspected, parts)
    };
    let logs = async {
        let path = format!("/containers/{id}/logs?stdout=true&stderr=true&timestamps=true&tail={tail_len}");
        if tail_len == 0 { None } else { Some(reader.get(DockerCall::Logs, &path, logs_within).await) }
    };
    let stats = async {
        let taken = async { sample(reader, id, CAPTURE_WITHIN).await.unwrap_or_else(|error| failed(&error)) };
        if spec.stats { Some(in_time(deadline, taken).await) } else { None }
    };
    let engine = async {
        let engine = in_time(deadline, surroundings::engine(reader, CAPTURE_WITHIN));
        if spec.inspect { Some(engine.await) } else { None }
    };
    let traces = Box::pin(traces::read(reader, id, spec, CAPTURE_WITHIN));
    let ((inspected, parts), logs, stats, engine, traces) = tokio::join!(around, logs, stats, engine, traces);
    let mut evidence: Map<String, Value> = traces.collect();
    let logs = logs.map(|logs| ("logs", logs_part(logs, inspected.as_ref().ok())));
    let single = [logs, stats.map(|stats| ("stats", stats)), engine.map(|engine| ("engine", engine))];
    let kept = parts.into_iter().chain(single.into_iter().flatten());
    evidence.extend(
        kept.filter(|(name, _)| spec.inspect || *name != "container").map(|(name, part)| (name.to_owned(), part)),
    );
    fit(evidence)
}

/// What is known of the container by inspect, and what can only be asked once that is known.
async fn surroundings_of(reader: &Reader, seen: &Inspected, spec: &CaptureSpec, deadline: Instant) -> Parts {
    let left = || deadline.saturating_duration_since(Instant::now());
    let image = async {
        if spec.inspect { Some(in_time(deadline, surroundings::image(reader, seen, left())).await) } else { None }
    };
    let parent = async {
        let parent = surroundings::network_parent(reader, seen, left());
        if spec.inspect { until(deadline, parent).await.flatten() } else { None }
    };
    let past =
        async { if spec.inspect { Some(in_time(deadline, surroundings::past(reader, seen)).await) } else { None } };
    let events = async {
        let events = traces::events(reader, seen, left());
        if spec.events { Some(in_time(deadline, events).await) } else { None }
    };
    let (image, parent, past, events) = tokio::join!(image, parent, past, events);
    let mut parts = Vec::with_capacity(6);
    if spec.inspect {
        parts.push(("container", container_part(seen)));
        parts.push(("health_log", health_log_part(&seen.json)));
    }
    let around = [("image", image), ("network_parent", parent), ("past", past), ("events", events)];
    parts.extend(around.into_iter().filter_map(|(name, part)| Some((name, part?))));
    parts
}

/// A part that is late is left out, and says so.
async fn in_time(deadline: Instant, part: impl Future<Output = Value>) -> Value {
    until(deadline, part).await.unwrap_or_else(|| json!({"error": "docker did not tell it in time"}))
}

/// A part that could not be had.
pub(super) fn failed(error: &DockerError) -> Value {
    json!({"error": clean(&error.to_string(), 300)})
}

fn logs_part(logs: Result<Reply, DockerError>, inspected: Option<&Inspected>) -> Value {
    let reply = match logs {
        Ok(reply) => reply,
        Err(error) => return failed(&error),
    };
    let framing = match inspected.map(|seen| flag(&seen.json, "/Config/Tty")) {
        Some(false) => Framing::Multiplexed,
        Some(true) | None => Framing::Raw,
    };
    let tail = tail(&reply.body, framing);
    json!({"lines": tail.lines, "truncated": tail.truncated})
}

/// Drops the older half of the log until the evidence fits, and then whole parts, largest last resort first.
fn fit(mut evidence: Map<String, Value>) -> Value {
    let too_long =
        |evidence: &Map<String, Value>| serde_json::to_string(evidence).map_or(true, |json| JSON_LEN_MAX <= json.len());
    while too_long(&evidence) {
        let logs = evidence.get_mut("logs").and_then(Value::as_object_mut);
        let lines = logs.and_then(|logs| {
            logs.insert("truncated".to_owned(), Value::Bool(true));
            logs.get_mut("lines").and_then(Value::as_array_mut)
        });
        match lines {
            Some(lines) if !lines.is_empty() => drop(lines.drain(..lines.len().div_ceil(2))),
            Some(_) | None => break,
        }
    }
    for part in ["logs", "changes", "top", "samples", "events", "health_log", "image", "past", "container", "stats"] {
        if too_long(&evidence) {
            evidence.insert(part.to_owned(), json!({"error": "left out: the evidence was too large"}));
        }
    }
    Value::Object(evidence)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evidence_always_fits() {
        let lines: Vec<String> = (0..40).map(|number| format!("{number}{}", "\"".repeat(1000))).collect();
        let big = "\"".repeat(100_000);
        for (name, evidence) in [
            ("long log", json!({"logs": {"lines": lines, "truncated": false}, "stats": null})),
            ("huge parts", json!({"logs": {"lines": [big]}, "container": {"x": big}, "health_log": [big]})),
        ] {
            let Value::Object(evidence) = evidence else { panic!() };
            let fitted = fit(evidence);
            assert!(fitted.to_string().len() < JSON_LEN_MAX, "{name}");
        }
        let Value::Object(evidence) = json!({"logs": {"lines": lines, "truncated": false}}) else { panic!() };
        let fitted = fit(evidence);
        assert_eq!(fitted["logs"]["truncated"], true);
        assert!(fitted["logs"]["lines"].as_array().unwrap().last().unwrap().as_str().unwrap().starts_with("39"));
    }
}
