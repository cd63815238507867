//! What the engine's event history says about a container: who stopped it, and who was at it lately.
//!
//! The history is short (256 events, fewer under health checks), so "forgotten" and "unknown" are honest answers. It is
//! read with one call. All times are the engine's own; ours is never compared with them. Read [`look_back`] first.

use super::client::{Inspected, Reader, percent_encode};
use super::convert::text;
use super::error::DockerError;
use crate::model::container::{Container, ContainerState, EventHistory, StopCause, Touch, TouchAction};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use std::time::Duration;

/// How far back is read: as far as the settings can ask for.
const BACK_SECS: i64 = 24 * 3600;

/// How long before the end a stop may have begun: longer than any usual grace.
const BEFORE_SECS: i64 = 120;

/// A stop's event comes last, this long after the end at most.
const AFTER_SECS: i64 = 2;

/// How long reading the history may take. It includes the moment in which the engine waits for `until`.
const HISTORY_WITHIN: Duration = Duration::from_secs(8);

/// One entry of the history.
#[derive(Debug, PartialEq, Eq)]
struct Event {
    action: String,
    at: DateTime<Utc>,
}

/// What ended the container's last run, if it is stopped, and what was done to it lately from outside.
///
/// # Errors
/// [`DockerError`] if the engine cannot be asked, or will not tell who stopped a stopped container. An answer that
/// cannot be read counts as forgotten and unknown.
pub(super) async fn look_back(reader: &Reader, target: &Inspected) -> Result<(StopCause, EventHistory), DockerError> {
    let stopped = target.container.state == ContainerState::Exited;
    let cause_of = |events: &[Event]| match stopped {
        true => StopCause::from_events(events.iter().map(|event| event.action.as_str())),
        false => StopCause::NotAsked,
    };
    let Some((since, until)) = window(&target.container, target.answered_at) else {
        let why = "docker does not say what time it is".to_owned();
        return Ok((cause_of(&[]), EventHistory::Unknown(why)));
    };
    let actions = TouchAction::ALL.iter().map(|action| action.as_str()).chain(["start", "die", "kill"]);
    let actions: Vec<&str> = actions.collect();
    let id = &target.container.id;
    let filters = json!({"type": ["container"], "container": [id.as_str()], "event": actions});
    let filters = percent_encode(&filters.to_string());
    let path = format!("/events?since={since}&until={until}&filters={filters}");
    match reader.get("events", &path, HISTORY_WITHIN).await {
        Ok(reply) => {
            let events = events(&reply.body, id.as_str());
            Ok((cause_of(&events), history(&events, target)))
        }
        Err(
            error @ (DockerError::Rejected { .. }
            | DockerError::Server { .. }
            | DockerError::NotFound(_)
            | DockerError::Conflict(_)
            | DockerError::Invalid(_)),
        ) => {
            tracing::warn!(container.name = %target.container.name, %error, "docker's event history could not be read");
            Ok((cause_of(&[]), EventHistory::Unknown(error.to_string())))
        }
        Err(error @ DockerError::Denied { .. }) if !stopped => {
            Ok((StopCause::NotAsked, EventHistory::Unknown(error.to_string())))
        }
        Err(
            error @ (DockerError::Denied { .. }
            | DockerError::NotSent(_)
            | DockerError::OutcomeUnknown(_)
            | DockerError::UnsupportedVersion { .. }),
        ) => Err(error),
    }
}

/// The stretch of history to read, in Unix seconds; `None` if neither the engine's present nor an end is known.
///
/// An `until` in the engine's future keeps the stream open until then, so it ends at the engine's own present, which is
/// told to the second: what happened within the last second is seen by the next look. Only for a container that ended a
/// moment ago is the stop event, which comes last, waited for.
fn window(container: &Container, engine_now: Option<DateTime<Utc>>) -> Option<(i64, i64)> {
    let finished = container.finished_at.parse::<DateTime<Utc>>().ok();
    let finished = finished.filter(|_| container.state == ContainerState::Exited);
    let soonest = finished.map(|finished| finished + TimeDelta::seconds(AFTER_SECS));
    // The present is told without its fraction. An end further in the future than that is not waited for.
    let nearest = engine_now.map(|now| now + TimeDelta::seconds(AFTER_SECS + 1));
    let near = |soonest: &DateTime<Utc>| nearest.is_none_or(|nearest| *soonest <= nearest);
    let until = engine_now.max(soonest.filter(near)).or(soonest)?;
    let back = until - TimeDelta::seconds(BACK_SECS);
    let since = finished.map_or(back, |finished| back.min(finished - TimeDelta::seconds(BEFORE_SECS)));
    Some((since.timestamp(), until.timestamp()))
}

/// What happened to the container, in the engine's order.
fn events(body: &[u8], id: &str) -> Vec<Event> {
    let stream = serde_json::Deserializer::from_slice(body).into_iter::<Value>();
    let read = |event: Value| {
        let nanos = event.pointer("/timeNano").and_then(Value::as_i64).unwrap_or(0);
        Event { action: text(&event, "/Action").to_owned(), at: DateTime::from_timestamp_nanos(nanos) }
    };
    let own = stream.map_while(Result::ok).filter(|event| text(event, "/Actor/ID") == id);
    let mut events: Vec<Event> = own.map(read).collect();
    events.sort_by_key(|event| event.at);
    events
}

fn history(events: &[Event], target: &Inspected) -> EventHistory {
    let Some(now) = target.answered_at else {
        return EventHistory::Unknown("docker does not say what time it is".to_owned());
    };
    let touch = |event: &Event| Some(Touch { action: TouchAction::parse(&event.action)?, at: event.at });
    // The engine forgets the oldest first: with one entry from before a moment, everything after that moment is there.
    let started = target.container.started_at.parse::<DateTime<Utc>>().ok();
    let reaches = |started| events.iter().any(|event| event.at <= started + TimeDelta::seconds(AFTER_SECS));
    EventHistory::Known {
        now,
        touches: events.iter().filter_map(touch).collect(),
        reaches_start: started.is_some_and(reaches),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docker::convert::container;

    fn at(secs: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_000_000 + secs, 0).unwrap()
    }

    fn seen(status: &str, (started, finished): (i64, i64), now: Option<i64>) -> Inspected {
        let state =
            json!({"Status": status, "StartedAt": at(started).to_rfc3339(), "FinishedAt": at(finished).to_rfc3339()});
        let json = json!({"Id": "ab".repeat(32), "Name": "/web", "State": state});
        Inspected { container: container(&json).unwrap(), json, answered_at: now.map(at) }
    }

    fn entry(action: &str, secs: i64) -> Event {
        Event { action: action.to_owned(), at: at(secs) }
    }

    #[test]
    fn events_are_read_in_time_order_and_for_one_container() {
        let body = br#"{"Action":"die","Actor":{"ID":"a"},"timeNano":2}
{"Action":"start","Actor":{"ID":"a"},"timeNano":1}
{"Action":"stop","Actor":{"ID":"b"},"timeNano":3}
{"Action":"torn"#;
        let actions: Vec<String> = events(body, "a").into_iter().map(|event| event.action).collect();
        assert_eq!(actions, ["start", "die"]);
    }

    #[test]
    fn the_window_never_reaches_far_into_the_engines_future() {
        for (name, status, finished, now, want) in [
            ("running", "running", -500, Some(0), Some((-86_400, 0))),
            ("running, no clock", "running", -500, None, None),
            ("ended this second: its stop is waited for", "exited", 0, Some(0), Some((2 - 86_400, 2))),
            ("ended in the second after", "exited", 1, Some(0), Some((3 - 86_400, 3))),
            ("ended a while ago", "exited", -10, Some(0), Some((-86_400, 0))),
            ("ended long ago", "exited", -100_000, Some(0), Some((-100_120, 0))),
            ("ended in the future", "exited", 3600, Some(0), Some((-86_400, 0))),
            ("ended, no clock", "exited", 0, None, Some((2 - 86_400, 2))),
        ] {
            let target = seen(status, (-3600, finished), now);
            let want = want.map(|(since, until)| (1_000_000 + since, 1_000_000 + until));
            assert_eq!(window(&target.container, target.answered_at), want, "{name}");
        }
    }

    #[test]
    fn only_what_nobody_but_others_can_cause_is_a_touch() {
        let target = seen("running", (-60, -61), Some(0));
        let events = ["kill", "die", "stop", "start", "restart", "pause", "unpause", "update", "rename"];
        let events: Vec<Event> = events.into_iter().map(|action| entry(action, -60)).collect();
        let EventHistory::Known { now, touches, reaches_start } = history(&events, &target) else { panic!() };
        let actions: Vec<&str> = touches.iter().map(|touch| touch.action.as_str()).collect();
        assert_eq!(actions, ["stop", "restart", "pause", "unpause", "update", "rename"]);
        assert_eq!((now, reaches_start), (at(0), true));
        assert_eq!(touches[0].at, at(-60));
    }

    #[test]
    fn a_history_that_begins_after_the_start_says_so() {
        let target = seen("running", (-60, -61), Some(0));
        for (events, want) in [
            (vec![], false),
            (vec![entry("update", -30)], false),
            (vec![entry("start", -59)], true),
            (vec![entry("die", -1000), entry("update", -30)], true),
        ] {
            let EventHistory::Known { reaches_start, .. } = history(&events, &target) else { panic!() };
            assert_eq!(reaches_start, want, "{events:?}");
        }
        let blind = seen("running", (-60, -61), None);
        assert!(matches!(history(&[], &blind), EventHistory::Unknown(_)));
    }
}
