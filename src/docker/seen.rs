//! What the containers of Compose services are made of, looked at while they are there.
//!
//! Once a container is gone only events tell of it, and those name its image by a name, which may mean another image by
//! then. So each is looked at when it starts, and what Docker showed is kept in memory: it may hold secrets, and goes
//! nowhere else. Nothing is looked at unless a playbook may take a Compose service back. Read [`Seen`] and [`remember`].

use super::client::{READ_WITHIN, Reader};
use super::convert::text;
use super::error::DockerError;
use super::events::Event;
use super::many::inspect_all;
use crate::model::container::{COMPOSE_PROJECT, Container};
use crate::model::target::ContainerId;
use serde_json::{Value, json};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// How many containers are kept in mind, the latest.
const SEEN_MAX: usize = 1024;

/// What never was.
const NEVER: &str = "0001-";

/// Containers of Compose services as inspect showed them.
#[derive(Debug, Default)]
pub(super) struct Seen {
    wanted: bool,
    by_id: HashMap<String, Arc<Value>>,
    /// Oldest first.
    order: VecDeque<String>,
}

impl Seen {
    /// What a container was made of.
    pub(super) fn of(&self, id: &str) -> Option<Arc<Value>> {
        self.by_id.get(id).map(Arc::clone)
    }

    /// Whether an event calls for a look at its container. A look may fail, so what happens to it later is another chance.
    pub(super) fn calls_for_a_look(&self, event: &Event) -> bool {
        let is_there = !["create", "destroy"].contains(&&*event.action);
        let new = is_there && !self.by_id.contains_key(&event.id);
        self.wanted && event.service.is_some() && (new || event.action == "update")
    }

    /// Keeps what inspect showed of a container that has run.
    fn keep(&mut self, container: &Container, json: Value) {
        if !self.wanted || container.started_at.is_empty() || container.started_at.starts_with(NEVER) {
            return;
        }
        let id = container.id.as_str();
        if self.by_id.insert(id.to_owned(), Arc::new(made_of(json))).is_none() {
            tracing::debug!(container.name = %container.name, container.id = id, "what it is made of is kept in mind");
            self.order.push_back(id.to_owned());
        }
        while SEEN_MAX < self.order.len() {
            self.order.pop_front().map(|oldest| self.by_id.remove(&oldest));
        }
    }
}

/// Only what a container is made with.
fn made_of(mut json: Value) -> Value {
    let keys = ["Id", "Name", "Created", "Image", "Config", "HostConfig", "Mounts", "NetworkSettings"];
    if let Some(map) = json.as_object_mut() {
        map.retain(|key, _| keys.contains(&key.as_str()));
    }
    json
}

/// From now on, containers of Compose services are looked at, or not. Those that are there are looked at now.
///
/// # Errors
/// [`DockerError`] if they cannot be: then what they ran will not be known.
pub async fn remember(reader: &Reader, wanted: bool) -> Result<(), DockerError> {
    reader.memory(|memory| match wanted {
        true => memory.seen.wanted = true,
        false => memory.seen = Seen::default(),
    });
    look_at_all(reader).await
}

/// Looks at those that are there and were not looked at before.
pub(super) async fn look_at_all(reader: &Reader) -> Result<(), DockerError> {
    if !reader.memory(|memory| memory.seen.wanted) {
        return Ok(());
    }
    let listed = reader.list(true, &json!({"label": [COMPOSE_PROJECT]})).await?;
    let ids: Vec<ContainerId> = listed.into_iter().map(|entry| entry.id).collect();
    let new = reader.memory(|memory| {
        let new = ids.into_iter().filter(|id| memory.seen.of(id.as_str()).is_none());
        new.take(SEEN_MAX).collect::<Vec<_>>()
    });
    for (_, seen) in inspect_all(reader, new).await? {
        let Ok(seen) = seen else { continue };
        reader.memory(|memory| memory.seen.keep(&seen.container, seen.json));
    }
    Ok(())
}

/// Looks at the container of an event, if it is still there.
pub(super) async fn look_at(reader: &Reader, event: &Event) {
    let Some(id) = ContainerId::parse(&event.id) else { return };
    match reader.inspect_fully(&id, READ_WITHIN).await {
        Ok(seen) => reader.memory(|memory| memory.seen.keep(&seen.container, seen.json)),
        Err(error) => {
            tracing::debug!(container.name = event.name, %error, "a container that has just started is not seen")
        }
    }
}

/// The name under which Docker showed the image.
pub(super) fn image_name(json: &Value) -> &str {
    text(json, "/Config/Image")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docker::convert::container;
    use crate::docker::events::parse;

    fn seen(number: usize, started_at: &str) -> (Container, Value) {
        let json = json!({"Id": format!("{number:064x}"), "Name": "/web", "State": {"StartedAt": started_at, "Status": "running"}});
        (container(&json).unwrap(), json)
    }

    #[test]
    fn what_happens_to_a_container_that_nobody_has_seen_calls_for_a_look() {
        let labels = json!({"com.docker.compose.project": "shop", "com.docker.compose.service": "web"});
        let event = |action: &str, labels: &Value| {
            let mut attributes = labels.clone();
            attributes["name"] = json!("web");
            let event = json!({"Action": action, "Actor": {"ID": format!("{:064x}", 1), "Attributes": attributes}});
            parse(event.to_string().as_bytes()).remove(0)
        };
        let mut memory = Seen { wanted: true, ..Seen::default() };
        let looks = |memory: &Seen, action: &str| memory.calls_for_a_look(&event(action, &labels));
        let actions = ["create", "start", "kill", "die", "rename", "destroy", "update"];
        assert_eq!(actions.map(|action| looks(&memory, action)), [false, true, true, true, true, false, true]);
        assert!(!memory.calls_for_a_look(&event("start", &json!({}))), "no replica");
        let (web, json) = seen(1, "2026-01-01T00:00:00Z");
        memory.keep(&web, json);
        assert_eq!(actions.map(|action| looks(&memory, action)), [false, false, false, false, false, false, true]);
        memory.wanted = false;
        assert!(!looks(&memory, "update"), "nobody wants to know");
    }

    #[test]
    fn only_what_has_run_is_kept_and_only_where_somebody_wants_to_know() {
        let id = |number: usize| format!("{number:064x}");
        let mut memory = Seen::default();
        let (web, json) = seen(1, "2026-01-01T00:00:00Z");
        memory.keep(&web, json.clone());
        assert!(memory.of(&id(1)).is_none(), "nobody wants to know");
        memory.wanted = true;
        let (created, never) = seen(2, "0001-01-01T00:00:00Z");
        memory.keep(&created, never);
        memory.keep(&web, json);
        assert!(memory.of(&id(2)).is_none() && memory.of(&id(1)).is_some());
        assert!(memory.of(&id(1)).unwrap().get("State").is_none(), "how it is doing belongs to the moment");
        for number in 10..10 + SEEN_MAX {
            let (web, json) = seen(number, "2026-01-01T00:00:00Z");
            memory.keep(&web, json);
        }
        assert!(memory.of(&id(1)).is_none() && memory.of(&id(10)).is_some());
    }
}
