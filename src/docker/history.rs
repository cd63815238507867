//! What the engine's event history says about a container: who stopped it, whom it took the place of, and who was at it
//! lately.
//!
//! The engine's own history is short, so what was heard since the daemon's start counts as well, and "forgotten" and
//! "unknown" are honest answers. All times are the engine's own; ours is never compared with them. Read [`look_back`]
//! first.

use super::client::{Inspected, Reader};
use super::error::DockerError;
use super::events::{BACK_SECS, Event, filters, parse};
use crate::model::container::{Container, ContainerState, EventHistory, Predecessor, StopCause, Touch, TouchAction};
use crate::model::docker_call::DockerCall;
use chrono::{DateTime, TimeDelta, Utc};
use std::time::Duration;

/// How long before the end a stop may have begun: longer than any usual grace.
const BEFORE_SECS: i64 = 120;

/// A stop's event comes last, this long after the end at most.
const AFTER_SECS: i64 = 2;

/// How long reading the history may take. It includes the moment in which the engine waits for `until`.
const HISTORY_WITHIN: Duration = Duration::from_secs(8);

/// What ended the container's last run, if it is stopped, and what was done to it lately from outside.
///
/// # Errors
/// [`DockerError`] if the engine cannot be asked, or will not tell who stopped a stopped container. An answer that
/// cannot be read counts as forgotten and unknown.
pub(super) async fn look_back(reader: &Reader, target: &Inspected) -> Result<(StopCause, EventHistory), DockerError> {
    let stopped = target.container.state == ContainerState::Exited;
    let cause_of = |told: &Told| match stopped {
        true => StopCause::from_events(told.of(&target.container).map(|event| event.action.as_str())),
        false => StopCause::NotAsked,
    };
    let Some((since, until)) = window(&target.container, target.answered_at) else {
        let why = "docker does not say what time it is".to_owned();
        return Ok((cause_of(&Told::default()), EventHistory::Unknown(why)));
    };
    let path = format!("/events?since={since}&until={until}&filters={}", filters());
    match reader.get(DockerCall::Events, &path, HISTORY_WITHIN).await {
        Ok(reply) => {
            let said = parse(&reply.body);
            let told = reader.memory(|memory| Told::merge(&target.container, memory.recall(), said));
            Ok((cause_of(&told), history(&told, target)))
        }
        Err(
            error @ (DockerError::Rejected { .. }
            | DockerError::Server { .. }
            | DockerError::NotFound(_)
            | DockerError::Conflict(_)
            | DockerError::Invalid(_)),
        ) => {
            tracing::warn!(container.name = %target.container.name, %error, "docker's event history could not be read");
            Ok((cause_of(&Told::default()), EventHistory::Unknown(error.to_string())))
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
pub(super) fn window(container: &Container, engine_now: Option<DateTime<Utc>>) -> Option<(i64, i64)> {
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

/// What is known of a container's past and of those that had its name, in the engine's order.
#[derive(Debug, Default)]
struct Told {
    events: Vec<Event>,
    /// From when on nothing is missing.
    complete_since: Option<DateTime<Utc>>,
}

impl Told {
    /// What was heard, and what the engine says now.
    fn merge<'a>(
        container: &Container,
        (heard, heard_since): (impl Iterator<Item = &'a Event>, Option<DateTime<Utc>>),
        said: Vec<Event>,
    ) -> Self {
        // The engine forgets the oldest first: after the oldest that it still knows, nothing is missing.
        let said_since = said.iter().map(|event| event.at).min();
        let (id, name) = (container.id.as_str(), container.name.as_str());
        let concerns = |event: &Event| event.id == id || event.name == name || event.old_name.as_deref() == Some(name);
        let mut events: Vec<Event> = heard.filter(|event| concerns(event)).cloned().collect();
        let new: Vec<Event> = said.into_iter().filter(|event| concerns(event) && !events.contains(event)).collect();
        events.extend(new);
        events.sort_by_key(|event| event.at);
        Self { events, complete_since: heard_since.into_iter().chain(said_since).min() }
    }

    fn of<'a>(&'a self, container: &'a Container) -> impl DoubleEndedIterator<Item = &'a Event> {
        self.events.iter().filter(|event| event.id == container.id.as_str())
    }

    /// The last container that gave up this name, by its end or by being renamed.
    fn predecessor(&self, container: &Container) -> Option<Predecessor> {
        let name = container.name.as_str();
        let gave_up = |event: &&Event| match event.action.as_str() {
            "destroy" => event.name == name,
            "rename" => event.old_name.as_deref() == Some(name),
            _ => false,
        };
        let last = self.events.iter().rev().filter(|event| event.id != container.id.as_str()).find(gave_up)?;
        Some(Predecessor { gone: last.at, image: last.image.clone(), config_hash: last.config_hash.clone() })
    }
}

fn history(told: &Told, target: &Inspected) -> EventHistory {
    let Some(now) = target.answered_at else {
        return EventHistory::Unknown("docker does not say what time it is".to_owned());
    };
    let touch = |event: &Event| Some(Touch { action: TouchAction::parse(&event.action)?, at: event.at });
    EventHistory::Known {
        now,
        touches: told.of(&target.container).filter_map(touch).collect(),
        complete_since: told.complete_since,
        predecessor: told.predecessor(&target.container),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docker::convert::container;
    use serde_json::json;

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
        let (id, name, image) = ("ab".repeat(32), "web".to_owned(), "shop/web:2".to_owned());
        Event {
            action: action.to_owned(),
            at: at(secs),
            id,
            name,
            old_name: None,
            image,
            config_hash: None,
            service: None,
        }
    }

    fn told(said: Vec<Event>) -> Told {
        Told::merge(&seen("running", (-60, -61), None).container, ([].iter(), None), said)
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
        let actions = ["create", "kill", "die", "stop", "start", "restart", "pause", "unpause", "update", "rename"];
        let mut events: Vec<Event> = actions.into_iter().map(|action| entry(action, -60)).collect();
        events.push(Event { id: "cd".repeat(32), ..entry("stop", -50) });
        let EventHistory::Known { now, touches, .. } = history(&told(events), &target) else { panic!() };
        let actions: Vec<&str> = touches.iter().map(|touch| touch.action.as_str()).collect();
        assert_eq!(actions, ["stop", "restart", "pause", "unpause", "update", "rename"]);
        assert_eq!((now, touches[0].at), (at(0), at(-60)));
        let blind = seen("running", (-60, -61), None);
        assert!(matches!(history(&told(vec![]), &blind), EventHistory::Unknown(_)));
    }

    #[test]
    fn what_was_heard_and_what_the_engine_says_make_one_history() {
        let heard = [entry("start", -90), entry("stop", -50)];
        for (name, heard_since, said, complete_since) in [
            ("nothing at all", None, vec![], None),
            ("the engine alone", None, vec![entry("stop", -50), entry("die", -70)], Some(at(-70))),
            ("we alone", Some(at(-100)), vec![], Some(at(-100))),
            ("whoever knows more", Some(at(-100)), vec![entry("stop", -50)], Some(at(-100))),
            ("whoever knows more, the other way", Some(at(-40)), vec![entry("stop", -50)], Some(at(-50))),
        ] {
            let web = seen("running", (-60, -61), None).container;
            let told = Told::merge(&web, (heard.iter(), heard_since), said);
            assert_eq!(told.complete_since, complete_since, "{name}");
            assert_eq!(told.events.iter().filter(|event| event.action == "stop").count(), 1, "{name}: told once");
            assert!(told.events.is_sorted_by_key(|event| event.at), "{name}");
        }
    }

    #[test]
    fn whoever_gave_up_the_name_is_the_predecessor() {
        let other = |event: Event| Event { id: "cd".repeat(32), image: "shop/web:1".into(), ..event };
        let renamed = Event { name: "web_old".into(), old_name: Some("web".into()), ..other(entry("rename", -30)) };
        let own = Event { old_name: Some("1_web".into()), ..entry("rename", -20) };
        let elsewhere = Event { name: "web-2".into(), ..other(entry("destroy", -20)) };
        let target = seen("running", (-60, -61), Some(0));
        for (name, events, gone) in [
            ("removed", vec![other(entry("destroy", -40)), entry("create", -35)], Some(-40)),
            ("renamed", vec![renamed.clone(), other(entry("destroy", -40))], Some(-30)),
            ("stopped, not gone", vec![other(entry("stop", -40))], None),
            ("another name", vec![elsewhere], None),
            ("its own name given", vec![own], None),
        ] {
            let EventHistory::Known { predecessor, .. } = history(&told(events), &target) else { panic!() };
            assert_eq!(predecessor.as_ref().map(|it| it.gone), gone.map(at), "{name}");
            assert!(predecessor.is_none_or(|it| it.image == "shop/web:1"), "{name}");
        }
    }
}
