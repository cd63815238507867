//! On which nodes a service's tasks may run: pure, by Swarm's own rules for constraints.
//!
//! It only bounds what is asked for. Whether a node has room is Swarm's to find out, and a constraint this version does not
//! know keeps no node out. Read [`Nodes::eligible`].

use crate::docker::convert::text;
use serde_json::Value;

/// The nodes of a swarm, as `GET /nodes` lists them.
#[derive(Clone, Debug)]
pub(super) struct Nodes(Vec<Value>);

impl Nodes {
    /// Reads the list.
    pub(super) fn read(json: &Value) -> Self {
        Self(json.as_array().cloned().unwrap_or_default())
    }

    /// Whether what runs on a node counts: tasks of a node that is down seem to run for a while. A node that is not in the
    /// list was removed.
    pub(super) fn is_up(&self, id: &str) -> bool {
        self.0.iter().any(|node| text(node, "/ID") == id && text(node, "/Status/State") != "down")
    }

    /// How many nodes take tasks of a definition.
    pub(super) fn eligible(&self, spec: &Value) -> u32 {
        let constraints = spec.pointer("/TaskTemplate/Placement/Constraints").and_then(Value::as_array);
        let constraints: Vec<&str> = constraints.into_iter().flatten().filter_map(Value::as_str).collect();
        let takes = |node: &&Value| {
            text(node, "/Status/State") == "ready"
                && text(node, "/Spec/Availability") == "active"
                && constraints.iter().all(|constraint| allows(constraint, node))
        };
        u32::try_from(self.0.iter().filter(takes).count()).unwrap_or(u32::MAX)
    }

    /// The most replicas that a definition's own bound per node lets it have; `None` without such a bound.
    pub(super) fn most(&self, spec: &Value) -> Option<u32> {
        let per_node = spec.pointer("/TaskTemplate/Placement/MaxReplicas").and_then(Value::as_u64).unwrap_or(0);
        let per_node = u32::try_from(per_node).unwrap_or(u32::MAX);
        (per_node != 0).then(|| per_node.saturating_mul(self.eligible(spec)))
    }
}

/// Whether `node.labels.disk == ssd` and the like lets a node take tasks.
fn allows(constraint: &str, node: &Value) -> bool {
    let (key, wanted, equal) = match (constraint.split_once("=="), constraint.split_once("!=")) {
        (Some((key, wanted)), _) => (key.trim(), wanted.trim(), true),
        (None, Some((key, wanted))) => (key.trim(), wanted.trim(), false),
        (None, None) => return true,
    };
    let found = match key.to_ascii_lowercase().as_str() {
        "node.id" => text(node, "/ID"),
        "node.hostname" => text(node, "/Description/Hostname"),
        "node.role" => text(node, "/Spec/Role"),
        "node.platform.os" => text(node, "/Description/Platform/OS"),
        "node.platform.arch" => text(node, "/Description/Platform/Architecture"),
        _ => match label(key) {
            Some((labels, name)) => {
                node.pointer(labels).and_then(|labels| labels.get(name)).and_then(Value::as_str).unwrap_or_default()
            }
            None => return true,
        },
    };
    found.eq_ignore_ascii_case(wanted) == equal
}

/// Where a label that a constraint names is found, and its name.
fn label(key: &str) -> Option<(&'static str, &str)> {
    let of_node = key.strip_prefix("node.labels.").map(|name| ("/Spec/Labels", name));
    of_node.or_else(|| key.strip_prefix("engine.labels.").map(|name| ("/Description/Engine/Labels", name)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn nodes() -> Nodes {
        let node = |id: &str, role: &str, state: &str, availability: &str, disk: &str| {
            json!({
                "ID": id,
                "Status": {"State": state},
                "Spec": {"Role": role, "Availability": availability, "Labels": {"disk": disk}},
                "Description": {
                    "Hostname": format!("host-{id}"),
                    "Platform": {"OS": "linux", "Architecture": "x86_64"},
                    "Engine": {"Labels": {"zone": "a"}},
                },
            })
        };
        Nodes::read(&json!([
            node("m1", "manager", "ready", "active", "ssd"),
            node("w1", "worker", "ready", "active", "SSD"),
            node("w2", "worker", "ready", "active", "hdd"),
            node("w3", "worker", "ready", "drain", "ssd"),
            node("w4", "worker", "down", "active", "ssd"),
        ]))
    }

    #[test]
    fn a_node_counts_if_it_takes_tasks_and_every_constraint_lets_it() {
        for (constraints, want) in [
            (json!([]), 3),
            (json!(null), 3),
            (json!(["node.role == worker"]), 2),
            (json!(["node.role!=worker"]), 1),
            (json!(["node.labels.disk==ssd"]), 2),
            (json!(["node.labels.disk==ssd", "node.role==worker"]), 1),
            (json!(["node.labels.none==x"]), 0),
            (json!(["node.labels.none!=x"]), 3),
            (json!(["engine.labels.zone==a", "node.platform.os==linux"]), 3),
            (json!(["node.hostname==HOST-w2"]), 1),
            (json!(["node.id == w4"]), 0),
            (json!(["node.invented == x", "neither"]), 3),
        ] {
            let spec = json!({"TaskTemplate": {"Placement": {"Constraints": constraints, "MaxReplicas": 2}}});
            assert_eq!(nodes().eligible(&spec), want, "{constraints}");
            assert_eq!(nodes().most(&spec), Some(2 * want), "{constraints}");
        }
        assert_eq!(nodes().most(&json!({})), None);
        assert_eq!((nodes().is_up("w3"), nodes().is_up("w4"), nodes().is_up("gone")), (true, false, false));
    }
}
