//! Swarm services as a manager shows them: the definition, which of its tasks run, and which nodes there are.
//!
//! How many replicas run is counted by the tasks that are as the definition wants them now, so a rolling update does not
//! look finished while old tasks still run. Docker takes any prefix of an ID for a name, so what it answers is compared
//! once more. Read [`by_name`] and [`by_id`].

use super::definition::Definition;
use super::placement::Nodes;
use crate::docker::client::{READ_WITHIN, Reader, Reply, percent_encode};
use crate::docker::convert::{labels, text};
use crate::docker::error::DockerError;
use crate::model::docker_call::DockerCall;
use crate::model::owner::{OwnerLabels, narrowest};
use crate::model::service::{Mode, Room, Service, ServiceId};
use crate::model::target::{ContainerName, SwarmId};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How long Swarm watches a task of an update if the service does not say.
const MONITOR: Duration = Duration::from_secs(5);

/// A definition as it stands in the manager's answer.
pub(super) struct Raw {
    pub(super) json: Value,
    pub(super) id: SwarmId,
    answered_at: Option<DateTime<Utc>>,
}

/// The service of exactly this name.
pub(super) async fn by_name(reader: &Reader, name: &ContainerName) -> Result<Option<Service>, DockerError> {
    // The filter takes a prefix.
    let path = format!("/services?filters={}", filters(&json!({"name": [name.as_str()]})));
    let reply = reader.get(DockerCall::Services, &path, READ_WITHIN).await?;
    let listed = reply.json()?;
    let exact = listed.as_array().into_iter().flatten().find(|entry| text(entry, "/Spec/Name") == name.as_str());
    match exact {
        Some(json) => full(reader, &raw(json.clone(), &reply)?).await.map(Some),
        None => Ok(None),
    }
}

/// The service of this ID, with all that a gate must know of it.
pub(super) async fn by_id(reader: &Reader, id: &SwarmId) -> Result<Service, DockerError> {
    full(reader, &inspect(reader, id).await?).await
}

/// The definition alone.
pub(super) async fn inspect(reader: &Reader, id: &SwarmId) -> Result<Raw, DockerError> {
    let path = format!("/services/{}", id.as_str());
    let reply = reader.get(DockerCall::Service, &path, READ_WITHIN).await?;
    let raw = raw(reply.json()?, &reply)?;
    if raw.id == *id { Ok(raw) } else { Err(DockerError::NotFound(format!("service {}", id.as_str()))) }
}

/// What the tasks of a service that failed last say for themselves, the latest first.
pub(super) async fn troubles(reader: &Reader, id: &SwarmId) -> Result<Vec<Value>, DockerError> {
    let tasks = tasks(reader, &json!({"service": [id.as_str()]})).await?;
    let mut troubled: Vec<Value> = tasks.into_iter().filter(|task| !text(task, "/Status/Err").is_empty()).collect();
    troubled.sort_by(|a, b| text(b, "/Status/Timestamp").cmp(text(a, "/Status/Timestamp")));
    Ok(troubled)
}

fn raw(json: Value, reply: &Reply) -> Result<Raw, DockerError> {
    let id = SwarmId::parse(text(&json, "/ID"));
    let id = id.ok_or_else(|| DockerError::Invalid("a service without a full ID".to_owned()))?;
    Ok(Raw { json, id, answered_at: reply.answered_at })
}

async fn tasks(reader: &Reader, of: &Value) -> Result<Vec<Value>, DockerError> {
    let path = format!("/tasks?filters={}", filters(of));
    let tasks = reader.get(DockerCall::Tasks, &path, READ_WITHIN).await?.json()?;
    Ok(tasks.as_array().cloned().unwrap_or_default())
}

fn filters(filters: &Value) -> String {
    percent_encode(&filters.to_string())
}

async fn full(reader: &Reader, raw: &Raw) -> Result<Service, DockerError> {
    let id = raw.id.as_str();
    let (wanted, current) = (
        json!({"service": [id], "desired-state": ["running"]}),
        json!({"service": [id], "desired-state": ["running"], "_up-to-date": ["true"]}),
    );
    let nodes = async { reader.get(DockerCall::Nodes, "/nodes", READ_WITHIN).await?.json() };
    let (all, current, nodes) = tokio::try_join!(tasks(reader, &wanted), tasks(reader, &current), nodes)?;
    let read = |labels| reader.owner_labels(labels);
    service(raw, (&all, &current), (&Nodes::read(&nodes), &read))
}

/// The service by what the manager said of it. `all` are the tasks that are to run, `current` those of them that are made
/// from the definition as it is now.
fn service(
    raw: &Raw,
    (all, current): (&[Value], &[Value]),
    (nodes, read): (&Nodes, &dyn Fn(OwnerLabels) -> OwnerLabels),
) -> Result<Service, DockerError> {
    let invalid = |what: &str| DockerError::Invalid(format!("a service without {what}"));
    let (json, spec) = (&raw.json, raw.json.get("Spec").ok_or_else(|| invalid("a definition"))?);
    let name = ContainerName::parse(text(spec, "/Name")).map_err(|_bad| invalid("a valid name"))?;
    let now = raw.answered_at.ok_or_else(|| DockerError::Invalid("docker does not say what time it is".to_owned()))?;
    let Definition { image, template, mode, replicas, force_update, version, update, previous } =
        Definition::read(json);
    let wanted = if mode == Mode::Global { nodes.eligible(spec) } else { replicas };
    let running = running(current, nodes);
    let known: BTreeSet<&str> = current.iter().map(|task| text(task, "/ID")).collect();
    let is_old = |task: &Value| !known.contains(text(task, "/ID")) && nodes.is_up(text(task, "/NodeID"));
    let time = |pointer: &str| text(json, pointer).parse::<DateTime<Utc>>().ok();
    Ok(Service {
        id: ServiceId::Swarm(raw.id.clone(), name),
        image,
        template,
        mode,
        wanted,
        running,
        // Swarm calls no task running before its health check has passed, and replaces one that falls ill.
        healthy: running,
        update,
        previous,
        force_update,
        version,
        monitor: monitor(spec),
        down_at_once: down_at_once(spec, wanted),
        most: nodes.most(spec),
        mixed: all.iter().any(is_old),
        created: time("/CreatedAt"),
        changed: time("/UpdatedAt"),
        now,
        labels: own_labels(spec, read),
        room: Room::default(),
        stop_timeout: None,
    })
}

/// How many places have all of their tasks running: a place is one of the numbered replicas, or a node of a global service.
fn running(current: &[Value], nodes: &Nodes) -> u32 {
    let mut places: BTreeMap<(u64, &str), bool> = BTreeMap::new();
    for task in current {
        let (slot, node) = (task.get("Slot").and_then(Value::as_u64).unwrap_or(0), text(task, "/NodeID"));
        let runs = text(task, "/Status/State") == "running" && nodes.is_up(node);
        let place = places.entry(if slot == 0 { (0, node) } else { (slot, "") }).or_insert(true);
        *place &= runs;
    }
    u32::try_from(places.values().filter(|runs| **runs).count()).unwrap_or(u32::MAX)
}

/// The longer of what updates and rollbacks are watched for.
fn monitor(spec: &Value) -> Duration {
    let of = |config: &str| {
        let nanos = spec.pointer(&format!("/{config}/Monitor")).and_then(Value::as_u64);
        nanos.filter(|nanos| *nanos != 0).map_or(MONITOR, Duration::from_nanos)
    };
    of("UpdateConfig").max(of("RollbackConfig"))
}

/// Swarm replaces one task at a time unless told otherwise; 0 means all at once.
fn down_at_once(spec: &Value, wanted: u32) -> u32 {
    if text(spec, "/UpdateConfig/Order") == "start-first" {
        return 0;
    }
    match spec.pointer("/UpdateConfig/Parallelism").and_then(Value::as_u64) {
        None => 1,
        Some(0) => wanted,
        Some(number) => u32::try_from(number).unwrap_or(u32::MAX),
    }
}

/// The service's own labels, then those of its containers. Neither can lift what the other forbids.
fn own_labels(spec: &Value, read: &dyn Fn(OwnerLabels) -> OwnerLabels) -> OwnerLabels {
    let [own, containers] = ["/Labels", "/TaskTemplate/ContainerSpec/Labels"].map(|place| read(labels(spec, place)));
    narrowest(own, &containers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::service::Update;

    fn nodes() -> Nodes {
        let node = |id: &str, state: &str| json!({"ID": id, "Status": {"State": state}, "Spec": {"Availability": "active", "Role": "worker"}});
        Nodes::read(&json!([node("n1", "ready"), node("n2", "ready"), node("n3", "down")]))
    }

    fn task(id: &str, slot: u64, node: &str, state: &str) -> Value {
        json!({"ID": id, "Slot": slot, "NodeID": node, "Status": {"State": state}})
    }

    fn read(spec: &Value, tasks: (&[Value], &[Value])) -> Service {
        let json = json!({
            "ID": "a".repeat(25), "Version": {"Index": 70}, "CreatedAt": "2026-01-01T00:00:00.5Z",
            "UpdatedAt": "2026-01-02T00:00:00Z", "Spec": spec, "UpdateStatus": {"State": "completed"},
        });
        let id = SwarmId::parse(text(&json, "/ID")).unwrap();
        service(&Raw { json, id, answered_at: Some(DateTime::UNIX_EPOCH) }, tasks, (&nodes(), &|labels| labels))
            .unwrap()
    }

    fn spec() -> Value {
        json!({
            "Name": "shop_worker",
            "Labels": {"sickbay.enable": "true"},
            "TaskTemplate": {
                "ContainerSpec": {"Image": "w:1@sha256:aa", "Labels": {"sickbay.enable": "yes", "tier": "1"}},
                "Placement": {"MaxReplicas": 2},
            },
            "Mode": {"Replicated": {"Replicas": 3}},
        })
    }

    #[test]
    fn what_runs_is_counted_by_place_and_only_where_the_node_is_up() {
        let old_and_new = [task("t1", 1, "n1", "running"), task("t2", 1, "n1", "starting")];
        for (name, current, want) in [
            ("all", vec![task("t1", 1, "n1", "running"), task("t2", 2, "n2", "running")], 2),
            ("one starts", vec![task("t1", 1, "n1", "running"), task("t2", 2, "n2", "starting")], 1),
            ("a place with two", old_and_new.to_vec(), 0),
            ("on a node that is down", vec![task("t1", 1, "n3", "running")], 0),
            ("on a node that is gone", vec![task("t1", 1, "n9", "running")], 0),
            ("global", vec![task("t1", 0, "n1", "running"), task("t2", 0, "n2", "running")], 2),
            ("none", vec![], 0),
        ] {
            assert_eq!(running(&current, &nodes()), want, "{name}");
        }
    }

    #[test]
    fn a_service_is_read_with_all_that_a_gate_asks() {
        let tasks = [task("t1", 1, "n1", "running"), task("t2", 2, "n2", "running")];
        let found = read(&spec(), (&tasks, &tasks));
        assert_eq!((found.wanted, found.running, found.healthy, found.most), (3, 2, 2, Some(4)));
        assert_eq!((found.version, found.update, found.mixed), (70, Some(Update::Completed), false));
        assert_eq!((found.monitor, found.down_at_once), (MONITOR, 1));
        assert_eq!(found.labels["sickbay.enable"], "yes", "both consent");
        assert_eq!(found.labels["tier"], "1");
        assert!(found.created.unwrap() < found.changed.unwrap());
        assert!(read(&spec(), (&tasks, &tasks[..1])).mixed, "an old task is to run on");
        let old_on_a_dead_node = [tasks[0].clone(), task("t3", 2, "n3", "running")];
        assert!(!read(&spec(), (&old_on_a_dead_node, &tasks[..1])).mixed);
    }

    #[test]
    fn neither_a_service_nor_its_containers_lift_what_the_other_forbids() {
        for (service, containers, key, want) in [
            (json!({"sickbay.protect": "false"}), json!({"sickbay.protect": "true"}), "sickbay.protect", "true"),
            (json!({"sickbay.protect": "true"}), json!({"sickbay.protect": "false"}), "sickbay.protect", "true"),
            (json!({"sickbay.enable": "true"}), json!({"sickbay.enable": "false"}), "sickbay.enable", "false"),
            (json!({"sickbay.actions": "scale"}), json!({"sickbay.actions": "restart"}), "sickbay.actions", ""),
            (json!({}), json!({"sickbay.protect": "true"}), "sickbay.protect", "true"),
        ] {
            let mut spec = spec();
            spec["Labels"] = service.clone();
            spec["TaskTemplate"]["ContainerSpec"]["Labels"] = containers.clone();
            assert_eq!(read(&spec, (&[], &[])).labels[key], want, "{service} {containers}");
        }
    }

    #[test]
    fn labels_of_both_are_read_under_another_prefix_before_they_are_compared() {
        let mut spec = spec();
        spec["Labels"] = json!({"com.example.sickbay.protect": "false"});
        spec["TaskTemplate"]["ContainerSpec"]["Labels"] = json!({"com.example.sickbay.protect": "true"});
        let under = |labels| crate::model::owner::read_under("com.example.sickbay", labels);
        assert_eq!(own_labels(&spec, &under)["sickbay.protect"], "true");
    }

    #[test]
    fn a_global_service_wants_a_task_on_each_node_that_takes_one() {
        let mut global = spec();
        global["Mode"] = json!({"Global": {}});
        let found = read(&global, (&[], &[]));
        assert_eq!((found.mode, found.wanted), (Mode::Global, 2));
    }

    #[test]
    fn how_an_update_goes_is_read_as_swarm_means_it() {
        for (config, want) in [
            (json!(null), (1, 5)),
            (json!({"Parallelism": 2, "Monitor": 30_000_000_000_u64}), (2, 30)),
            (json!({"Parallelism": 0, "Monitor": 0}), (3, 5)),
            (json!({"Parallelism": 2, "Order": "start-first"}), (0, 5)),
            (json!({"Order": "stop-first"}), (1, 5)),
        ] {
            let mut spec = spec();
            spec["UpdateConfig"] = config.clone();
            let found = read(&spec, (&[], &[]));
            assert_eq!((found.down_at_once, found.monitor.as_secs()), want, "{config}");
        }
        let mut spec = spec();
        spec["RollbackConfig"] = json!({"Monitor": 60_000_000_000_u64});
        assert_eq!(read(&spec, (&[], &[])).monitor.as_secs(), 60);
    }
}
