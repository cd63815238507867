//! What a service looked like before anything was done to it: its numbers, its last change, and its tasks in trouble.
//!
//! Nothing of its environment, commands, mounts, secrets or configs: definitions hold passwords.

use super::{look, swarm};
use crate::docker::client::Reader;
use crate::docker::convert::text;
use crate::docker::evidence::failed;
use crate::model::redact::clean;
use crate::model::service::Service;
use crate::model::target::TargetId;
use serde_json::{Map, Value, json};

/// The most tasks in trouble that are kept, the latest.
const TASKS_MAX: usize = 10;

/// Gathers the evidence about one service.
pub(in crate::docker) async fn capture(reader: &Reader, id: &TargetId) -> Value {
    let mut evidence = Map::new();
    let service = look(reader, id).await;
    evidence.insert("service".to_owned(), service.as_ref().map_or_else(failed, service_part));
    if let TargetId::Swarm(id) = id {
        let troubles = swarm::troubles(reader, id).await;
        let troubles = troubles.map_or_else(|error| failed(&error), |tasks| tasks_part(&tasks));
        evidence.insert("tasks".to_owned(), troubles);
    }
    Value::Object(evidence)
}

fn service_part(service: &Service) -> Value {
    let word = |text: &str| clean(text, 200);
    json!({
        "id": word(&service.id.target_id().to_string()),
        "name": word(service.name().as_str()),
        "image": word(&service.image),
        // Without a digest a new task may run another image than those before it.
        "image_pinned": service.image.contains("@sha256:"),
        "mode": word(service.mode.as_str()),
        "replicas": service.wanted,
        "running": service.running,
        "healthy": service.healthy,
        "update": service.update.as_ref().map(|update| word(update.as_str())),
        "previous_image": service.previous.as_ref().map(|previous| word(&previous.image)),
        "previous_replicas": service.previous.as_ref().map(|previous| previous.replicas),
        "version": service.version,
        "changed": service.changed.map(|changed| changed.to_rfc3339()),
    })
}

fn tasks_part(tasks: &[Value]) -> Value {
    let task = |task: &Value| {
        json!({
            "slot": task.get("Slot").and_then(Value::as_u64),
            "state": clean(text(task, "/Status/State"), 40),
            "at": clean(text(task, "/Status/Timestamp"), 40),
            "exit_code": task.pointer("/Status/ContainerStatus/ExitCode").and_then(Value::as_i64),
            "error": clean(text(task, "/Status/Err"), 200),
        })
    };
    json!({"in_trouble": tasks.iter().take(TASKS_MAX).map(task).collect::<Vec<_>>(), "count": tasks.len()})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_tasks_only_what_went_wrong_is_kept_and_not_too_many() {
        let task = json!({
            "Slot": 3,
            "Spec": {"ContainerSpec": {"Env": ["PASSWORD=hunter2"]}},
            "Status": {
                "State": "failed", "Timestamp": "2026-01-01T00:00:00Z", "Err": "task: non-zero exit (3) --token=hunter2",
                "ContainerStatus": {"ExitCode": 3},
            },
        });
        let part = tasks_part(&vec![task; 40]);
        assert_eq!((part["in_trouble"].as_array().unwrap().len(), &part["count"]), (TASKS_MAX, &json!(40)));
        assert_eq!((&part["in_trouble"][0]["slot"], &part["in_trouble"][0]["exit_code"]), (&json!(3), &json!(3)));
        assert!(!part.to_string().contains("hunter2"), "{part}");
    }
}
