//! What stands around a container and may explain it: its image, the engine, the owner of its network, what was before.

use super::client::{Inspected, Reader};
use super::convert::text;
use super::error::DockerError;
use super::evidence::failed;
use super::history::look_back;
use super::traces::part;
use crate::model::container::{EventHistory, Predecessor};
use crate::model::docker_call::DockerCall;
use crate::model::redact::clean;
use crate::model::target::ContainerId;
use serde_json::{Value, json};
use std::time::Duration;

/// The image that it runs: which it is in a registry, and for which machines it is made.
pub(super) async fn image(reader: &Reader, target: &Inspected, within: Duration) -> Value {
    let id = text(&target.json, "/Image");
    let digits = id.strip_prefix("sha256:").unwrap_or_default();
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return failed(&DockerError::Invalid("docker does not say which image it is".to_owned()));
    }
    part(reader, DockerCall::Image, &format!("/images/{id}/json"), within, image_part).await
}

fn image_part(json: &Value) -> Value {
    let list = |pointer: &str| {
        let items = json.pointer(pointer).and_then(Value::as_array).into_iter().flatten();
        items.filter_map(Value::as_str).take(10).map(|item| clean(item, 256)).collect::<Vec<String>>()
    };
    json!({
        "repo_digests": list("/RepoDigests"),
        "repo_tags": list("/RepoTags"),
        "architecture": clean(text(json, "/Architecture"), 32),
        "os": clean(text(json, "/Os"), 32),
        "created": clean(text(json, "/Created"), 64),
    })
}

/// The engine, and what machine it runs on.
pub(super) async fn engine(reader: &Reader, within: Duration) -> Value {
    part(reader, DockerCall::Version, "/version", within, engine_part).await
}

fn engine_part(json: &Value) -> Value {
    json!({
        "version": clean(text(json, "/Version"), 64),
        "architecture": clean(text(json, "/Arch"), 32),
        "os": clean(text(json, "/Os"), 32),
    })
}

/// The container in whose network it lives, if it does.
pub(super) async fn network_parent(reader: &Reader, target: &Inspected, within: Duration) -> Option<Value> {
    let parent = text(&target.json, "/HostConfig/NetworkMode").strip_prefix("container:")?;
    let Some(id) = ContainerId::parse(parent) else {
        return Some(failed(&DockerError::Invalid("docker does not say in whose network it lives".to_owned())));
    };
    Some(match reader.inspect_fully(&id, within).await {
        Ok(seen) => json!({
            "name": clean(seen.container.name.as_str(), 128),
            "status": clean(seen.container.state.as_str(), 64),
            "started_at": clean(&seen.container.started_at, 64),
        }),
        Err(DockerError::NotFound(_)) => json!({"gone": true}),
        Err(error) => failed(&error),
    })
}

/// Who ended it, if it is stopped, and which container had its name before.
pub(super) async fn past(reader: &Reader, target: &Inspected) -> Value {
    match look_back(reader, target).await {
        Ok((stop_cause, history)) => {
            let predecessor = match history {
                EventHistory::Known { predecessor, .. } => predecessor,
                EventHistory::Unknown(_) => None,
            };
            json!({"stop_cause": stop_cause.as_str(), "predecessor": predecessor.as_ref().map(predecessor_part)})
        }
        Err(error) => failed(&error),
    }
}

fn predecessor_part(predecessor: &Predecessor) -> Value {
    json!({"image": clean(&predecessor.image, 256), "gone": predecessor.gone.to_rfc3339()})
}
