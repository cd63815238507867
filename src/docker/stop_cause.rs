//! Why a container is stopped: a person's stop, or a death of its own. Only the engine's event history knows.
//!
//! The history is short (256 events, fewer under health checks), so "forgotten" is an honest answer. All times are the
//! engine's own; ours is never compared with them.

use super::client::{Inspected, Reader, percent_encode};
use super::convert::text;
use super::error::DockerError;
use crate::model::container::{ContainerState, StopCause};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use std::time::Duration;

/// How long before the end a stop may have begun: longer than any usual grace.
const BEFORE_SECS: i64 = 120;

/// How long after the end its events may still come, on an engine under load.
const AFTER_SECS: i64 = 60;

/// How long reading the history may take. It includes the moment in which the engine waits for `until`.
const HISTORY_WITHIN: Duration = Duration::from_secs(8);

/// What ended the container's last run; asked only of a container that is stopped.
///
/// # Errors
/// [`DockerError`] if the history could not be had; an answer that cannot be read counts as forgotten.
pub(super) async fn stop_cause(reader: &Reader, target: &Inspected) -> Result<StopCause, DockerError> {
    if target.container.state != ContainerState::Exited {
        return Ok(StopCause::NotAsked);
    }
    let Ok(finished) = DateTime::parse_from_rfc3339(&target.container.finished_at) else {
        return Ok(StopCause::Forgotten);
    };
    let id = &target.container.id;
    let (since, until) = window(finished.to_utc(), target.answered_at);
    let filters = json!({"type": ["container"], "container": [id.as_str()], "event": ["start", "die", "kill", "stop"]});
    let filters = percent_encode(&filters.to_string());
    let path = format!("/events?since={since}&until={until}&filters={filters}");
    match reader.get("events", &path, HISTORY_WITHIN).await {
        Ok(reply) => {
            let events = events(&reply.body, id.as_str());
            Ok(StopCause::from_events(events.iter().map(String::as_str)))
        }
        Err(
            error @ (DockerError::Rejected { .. }
            | DockerError::Server { .. }
            | DockerError::NotFound(_)
            | DockerError::Conflict(_)
            | DockerError::Invalid(_)),
        ) => {
            tracing::warn!(container.name = %target.container.name, %error, "docker's event history could not be read");
            Ok(StopCause::Forgotten)
        }
        Err(
            error @ (DockerError::NotSent(_)
            | DockerError::Denied { .. }
            | DockerError::OutcomeUnknown(_)
            | DockerError::UnsupportedVersion { .. }),
        ) => Err(error),
    }
}

/// The stretch of history to read, in Unix seconds. An `until` in the engine's future keeps the stream open until then,
/// so it ends at the engine's own present where the answer told it; only for a container that ended a moment ago is the
/// stop event, which comes last, waited for.
fn window(finished: DateTime<Utc>, engine_now: Option<DateTime<Utc>>) -> (i64, i64) {
    let soonest = finished + TimeDelta::seconds(2);
    let latest = finished + TimeDelta::seconds(AFTER_SECS);
    let until = engine_now.map_or(soonest, |now| now.clamp(soonest, latest));
    (finished.timestamp() - BEFORE_SECS, until.timestamp())
}

/// What happened to the container, in the engine's order.
fn events(body: &[u8], id: &str) -> Vec<String> {
    let stream = serde_json::Deserializer::from_slice(body).into_iter::<Value>();
    let mut events: Vec<(i64, String)> = stream
        .map_while(Result::ok)
        .filter(|event| text(event, "/Actor/ID") == id)
        .map(|event| {
            let time = event.pointer("/timeNano").and_then(Value::as_i64).unwrap_or(0);
            (time, text(&event, "/Action").to_owned())
        })
        .collect();
    events.sort_by_key(|(time, _)| *time);
    events.into_iter().map(|(_, action)| action).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_in_time_order_and_for_one_container() {
        let body = br#"{"Action":"die","Actor":{"ID":"a"},"timeNano":2}
{"Action":"start","Actor":{"ID":"a"},"timeNano":1}
{"Action":"stop","Actor":{"ID":"b"},"timeNano":3}
{"Action":"torn"#;
        assert_eq!(events(body, "a"), ["start", "die"]);
    }

    #[test]
    fn the_window_never_reaches_far_into_the_engines_future() {
        let at = |secs: i64| DateTime::from_timestamp(1_000_000 + secs, 0).unwrap();
        for (now, want_until) in [(None, 2), (Some(0), 2), (Some(10), 10), (Some(3600), 60), (Some(-3600), 2)] {
            let (since, until) = window(at(0), now.map(at));
            assert_eq!((since, until), (1_000_000 - 120, 1_000_000 + want_until), "{now:?}");
        }
    }
}
