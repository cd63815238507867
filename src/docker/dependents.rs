//! Who lives in a container's namespaces, and is left with a dead one when it restarts.
//!
//! The list of containers shows a shared network. A shared PID or IPC namespace is seen only by looking at each container;
//! it cannot change while the container exists, so each is looked at once and then kept in mind. Docker may be unable to
//! show a container that has nothing to do with the target: what that means is for the caller to judge. Read [`Sharing`].

use super::client::Reader;
use super::convert::{Listed, text};
use super::error::DockerError;
use super::many::inspect_all;
use crate::model::container::Container;
use crate::model::target::ContainerId;
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};

/// How many running containers are inspected at once for a shared PID or IPC namespace.
const INSPECTS_MAX: usize = 200;

/// The namespace modes of running containers that were looked at, such as `container:<id>`.
#[derive(Debug, Default)]
pub(super) struct Namespaces(HashMap<ContainerId, Vec<String>>);

impl Namespaces {
    fn keep(&mut self, id: &ContainerId, modes: Vec<String>) {
        self.0.insert(id.clone(), modes);
    }

    /// Forgets those that are not running any more.
    fn keep_only(&mut self, running: &[Listed]) {
        let ids: HashSet<&ContainerId> = running.iter().map(|entry| &entry.id).collect();
        self.0.retain(|id, _| ids.contains(id));
    }

    /// Whether one shares a namespace with the target; `None` if that is not known.
    fn shares(&self, entry: &Listed, target: &Container) -> Option<bool> {
        if shares_namespace(&entry.network_mode, target) {
            return Some(true);
        }
        self.0.get(&entry.id).map(|modes| modes.iter().any(|mode| shares_namespace(mode, target)))
    }
}

/// Who shares a namespace with a container.
#[derive(Debug)]
pub(super) struct Sharing {
    seen: Vec<Container>,
    unseen: Option<DockerError>,
}

impl Sharing {
    /// All of them.
    ///
    /// # Errors
    /// The [`DockerError`] for which a running container could not be looked at: it may be one of them.
    pub(super) fn all(self) -> Result<Vec<Container>, DockerError> {
        self.unseen.map_or(Ok(self.seen), Err)
    }

    /// Those that were seen. A container that Docker cannot show does not keep the others from being treated.
    pub(super) fn of_those_seen(self) -> Vec<Container> {
        self.seen
    }
}

/// Running containers that live in one of the target's namespaces.
///
/// # Errors
/// [`DockerError`] if Docker does not answer, or does not show one that is known to share.
pub(super) async fn dependents(reader: &Reader, target: &Container) -> Result<Sharing, DockerError> {
    let running = reader.list(false, &json!({})).await?;
    let (mut ids, unknown) = reader.memory(|memory| {
        memory.namespaces.keep_only(&running);
        let namespaces = &memory.namespaces;
        let chosen = |known: Option<bool>| {
            let others = running.iter().filter(|entry| entry.id != target.id);
            let some = others.filter(|entry| namespaces.shares(entry, target) == known);
            some.map(|entry| entry.id.clone()).collect::<Vec<_>>()
        };
        (chosen(Some(true)), chosen(None))
    });
    let sharing: HashSet<ContainerId> = ids.iter().cloned().collect();
    let mut found = Sharing { seen: Vec::new(), unseen: None };
    let room = INSPECTS_MAX.saturating_sub(ids.len());
    if room < unknown.len() {
        let left_out = unknown.len() - room;
        tracing::warn!(
            left_out,
            "too many running containers to look for shared PID and IPC namespaces in all at once"
        );
        let message = format!("{left_out} running containers are not looked at yet");
        found.unseen = Some(DockerError::Invalid(message));
    }
    ids.extend(unknown.into_iter().take(room));
    for (id, seen) in inspect_all(reader, ids).await? {
        match seen {
            Ok(seen) => {
                let modes = modes(&seen.json);
                let shares = modes.iter().any(|mode| shares_namespace(mode, target));
                reader.memory(|memory| memory.namespaces.keep(&id, modes));
                found.seen.extend(shares.then_some(seen.container));
            }
            // It would be left behind broken.
            Err(error) if sharing.contains(&id) => return Err(error),
            Err(error) => {
                tracing::warn!(
                    container.id = id.short(),
                    %error,
                    "whether a running container shares a namespace with the target is not known"
                );
                found.unseen = Some(error);
            }
        }
    }
    found.seen.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

fn modes(json: &Value) -> Vec<String> {
    let modes = ["/HostConfig/NetworkMode", "/HostConfig/PidMode", "/HostConfig/IpcMode"];
    modes.iter().map(|mode| text(json, mode).to_owned()).collect()
}

/// Whether a namespace mode such as `container:<id>` points at the target.
fn shares_namespace(mode: &str, target: &Container) -> bool {
    let Some(other) = mode.strip_prefix("container:") else { return false };
    let other = other.strip_prefix('/').unwrap_or(other);
    let short_id = 12 <= other.len() && target.id.as_str().starts_with(other);
    short_id || other == target.name.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docker::convert::container;

    #[test]
    fn a_namespace_is_shared_by_id_short_id_or_name() {
        let id = "ab".repeat(32);
        let web = container(&json!({"Id": id, "Name": "/web"})).unwrap();
        for (mode, want) in [
            (format!("container:{id}"), true),
            ("container:abababababab".to_owned(), true),
            ("container:web".to_owned(), true),
            ("container:/web".to_owned(), true),
            ("container:ab".to_owned(), false),
            ("container:web2".to_owned(), false),
            ("container:".to_owned(), false),
            ("host".to_owned(), false),
            ("web".to_owned(), false),
            (String::new(), false),
        ] {
            assert_eq!(shares_namespace(&mode, &web), want, "{mode}");
        }
    }
}
