//! What the engine tells about containers as it happens, and what we remember of it.
//!
//! The engine itself remembers its last 256 events of any kind; health checks alone push out the rest within minutes. So
//! [`Memory`] keeps those that matter here, and says from when on it has them all. Times are the engine's own.

use super::convert::text;
use super::dependents::Namespaces;
use super::seen::Seen;
use crate::model::container::{COMPOSE_CONFIG_HASH, COMPOSE_ONEOFF, COMPOSE_PROJECT, COMPOSE_SERVICE};
use crate::model::target::{ComposeService, ContainerName};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use std::collections::VecDeque;

/// How far back is remembered: as far as the settings can ask for.
pub(super) const BACK_SECS: i64 = 24 * 3600;

/// How many events are remembered.
const EVENTS_MAX: usize = 8192;

/// Every kind of event that is asked for.
const ACTIONS: [&str; 11] =
    ["create", "start", "die", "kill", "stop", "restart", "pause", "unpause", "update", "rename", "destroy"];

/// One entry of the history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Event {
    /// Docker's word: `start`.
    pub(super) action: String,
    /// When, by the engine's clock.
    pub(super) at: DateTime<Utc>,
    /// The container's full ID.
    pub(super) id: String,
    /// The container's name; after a rename, the new one.
    pub(super) name: String,
    /// Of a rename: the name before.
    pub(super) old_name: Option<String>,
    /// The image, as the container was created with it.
    pub(super) image: String,
    /// Compose's digest of the service's definition, if it made the container.
    pub(super) config_hash: Option<String>,
    /// The Compose service that the container was a replica of.
    pub(super) service: Option<ComposeService>,
}

impl Event {
    fn read(event: &Value) -> Self {
        let nanos = event.pointer("/timeNano").and_then(Value::as_i64).unwrap_or(0);
        let attribute = |name: &str| event.get("Actor")?.get("Attributes")?.get(name)?.as_str().map(str::to_owned);
        let old_name = attribute("oldName").map(|name| name.trim_start_matches('/').to_owned());
        Self {
            action: text(event, "/Action").to_owned(),
            at: DateTime::from_timestamp_nanos(nanos),
            id: text(event, "/Actor/ID").to_owned(),
            name: attribute("name").unwrap_or_default(),
            old_name,
            image: attribute("image").unwrap_or_default(),
            config_hash: attribute(COMPOSE_CONFIG_HASH),
            service: service_of(&attribute),
        }
    }
}

/// The service of a replica. What Compose runs once is none.
fn service_of(attribute: &impl Fn(&str) -> Option<String>) -> Option<ComposeService> {
    let once = attribute(COMPOSE_ONEOFF).is_some_and(|once| !once.eq_ignore_ascii_case("false"));
    let name = |label| ContainerName::parse(&attribute(label)?).ok();
    let (project, service) = name(COMPOSE_PROJECT).zip(name(COMPOSE_SERVICE))?;
    (!once).then_some(ComposeService { project, service })
}

/// The filter of both the look back and the watch.
pub(super) fn filters() -> String {
    super::client::percent_encode(&json!({"type": ["container"], "event": ACTIONS}).to_string())
}

/// The events in a stream of JSON objects, up to its end or its first unreadable byte.
pub(super) fn parse(body: &[u8]) -> Vec<Event> {
    let stream = serde_json::Deserializer::from_slice(body).into_iter::<Value>();
    stream.map_while(Result::ok).map(|event| Event::read(&event)).collect()
}

/// The events told so far, oldest first.
#[derive(Debug, Default)]
pub(super) struct Memory {
    events: VecDeque<Event>,
    /// From when on none is missing; `None` while nobody listens.
    complete_since: Option<DateTime<Utc>>,
    /// After an interruption: the last event before it, and what was complete then. Hearing it again closes the gap.
    gap: Option<(Event, DateTime<Utc>)>,
    /// What containers were made of, where somebody wants to know.
    pub(super) seen: Seen,
    /// What namespaces running containers live in.
    pub(super) namespaces: Namespaces,
}

impl Memory {
    /// Somebody listens from now on, by the engine's clock, and hears first what the engine still knows.
    pub(super) fn listening(&mut self, now: DateTime<Utc>) {
        self.complete_since = Some(now);
    }

    /// Nobody listens any more.
    pub(super) fn interrupted(&mut self) {
        if let Some(since) = self.complete_since.take() {
            self.gap = self.events.back().cloned().map(|last| (last, since));
        }
    }

    /// Keeps one event.
    pub(super) fn heard(&mut self, event: Event) {
        if let Some((_, since)) = self.gap.take_if(|(last, _)| *last == event) {
            self.complete_since = self.complete_since.map(|now| now.min(since));
        }
        let place = self.events.partition_point(|known| known.at <= event.at);
        let known =
            self.events.range(..place).rev().take_while(|known| known.at == event.at).any(|known| *known == event);
        if known {
            return;
        }
        self.events.insert(place, event);
        let oldest_wanted = self.events.back().map(|latest| latest.at - TimeDelta::seconds(BACK_SECS));
        while self
            .events
            .front()
            .is_some_and(|oldest| Some(oldest.at) < oldest_wanted || EVENTS_MAX < self.events.len())
        {
            let forgotten = self.events.pop_front().map(|event| event.at);
            self.complete_since = self.complete_since.max(self.complete_since.and(forgotten));
        }
    }

    /// Everything told, and from when on none is missing.
    pub(super) fn recall(&self) -> (impl Iterator<Item = &Event>, Option<DateTime<Utc>>) {
        (self.events.iter(), self.complete_since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_000_000 + secs, 0).unwrap()
    }

    fn event(action: &str, secs: i64) -> Event {
        let (id, name) = ("ab".repeat(32), "web".to_owned());
        let image = "shop/web:1".to_owned();
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

    fn actions(memory: &Memory) -> Vec<&str> {
        memory.recall().0.map(|event| event.action.as_str()).collect()
    }

    #[test]
    fn an_event_is_read_with_all_that_tells_a_deployment() {
        let body = br#"{"Action":"rename","Actor":{"ID":"a","Attributes":{"name":"web","oldName":"/1_web","image":"shop/web:2",
"com.docker.compose.config-hash":"c0","com.docker.compose.project":"shop","com.docker.compose.service":"web"}},"timeNano":1000000000000000}
{"Action":"start","Actor":{"ID":"b"}}
{"Action":"torn"#;
        let read = parse(body);
        let want = Event {
            id: "a".into(),
            old_name: Some("1_web".into()),
            image: "shop/web:2".into(),
            config_hash: Some("c0".into()),
            service: ComposeService::parse("shop/web"),
            ..event("rename", 0)
        };
        assert_eq!(read[0], want);
        assert_eq!((read.len(), read[1].action.as_str(), read[1].name.as_str()), (2, "start", ""));
    }

    #[test]
    fn what_was_told_twice_is_kept_once_and_in_order() {
        let mut memory = Memory::default();
        for (action, secs) in [("start", 5), ("stop", 9), ("start", 5), ("die", 7), ("kill", 7), ("die", 7)] {
            memory.heard(event(action, secs));
        }
        assert_eq!(actions(&memory), ["start", "die", "kill", "stop"]);
    }

    #[test]
    fn it_is_complete_from_when_somebody_listened_without_a_gap() {
        let complete = |memory: &Memory| memory.recall().1;
        let mut memory = Memory::default();
        memory.heard(event("start", -50));
        assert_eq!(complete(&memory), None, "nobody listens");
        memory.listening(at(0));
        memory.heard(event("stop", 10));
        assert_eq!(complete(&memory), Some(at(0)));
        memory.interrupted();
        assert_eq!(complete(&memory), None);
        memory.listening(at(100));
        memory.heard(event("start", 50));
        assert_eq!(complete(&memory), Some(at(100)), "something may be missing in between");
        memory.heard(event("stop", 10));
        assert_eq!(complete(&memory), Some(at(0)), "the engine still knew what we had heard last");
        // A gap that nothing closed is not closed by a later one.
        memory.interrupted();
        memory.listening(at(200));
        memory.interrupted();
        memory.listening(at(300));
        memory.heard(event("start", 50));
        assert_eq!(complete(&memory), Some(at(200)));
    }

    #[test]
    fn it_forgets_what_is_old_or_too_much_and_says_so() {
        let mut memory = Memory::default();
        memory.listening(at(-90_000));
        memory.heard(event("start", -90_000));
        memory.heard(event("stop", 0));
        assert_eq!((actions(&memory), memory.recall().1), (vec!["stop"], Some(at(-90_000))));
        for second in 1..=i64::try_from(EVENTS_MAX).unwrap() {
            memory.heard(event("start", second));
        }
        assert_eq!((memory.events.len(), memory.recall().1), (EVENTS_MAX, Some(at(0))));
    }
}
