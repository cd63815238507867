//! The definition of a Swarm service as raw JSON: what of it counts, and how one thing of it is changed.
//!
//! Pure. Nothing is ever built from a type of ours: a definition goes back as it came, and what a newer engine invents
//! goes with it. Read [`Definition::read`] and [`with`].

use crate::docker::convert::text;
use crate::model::action::ServiceAction;
use crate::model::service::{Mode, Previous, ServiceVitals, Update};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

/// How many replicas there are to be.
const REPLICAS: &str = "/Mode/Replicated/Replicas";

/// How often the tasks were replaced by force.
const FORCE_UPDATE: &str = "/TaskTemplate/ForceUpdate";

/// What counts of a service's definition, and how far its last change is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// As `Service::image`.
    pub image: String,
    /// As `Service::template`.
    pub template: String,
    /// As `Service::mode`.
    pub mode: Mode,
    /// The number of replicas, for a service that has one.
    pub replicas: u32,
    /// As `Service::force_update`.
    pub force_update: u64,
    /// As `Service::version`.
    pub version: u64,
    /// As `Service::update`.
    pub update: Option<Update>,
    /// As `Service::previous`.
    pub previous: Option<Previous>,
}

impl Definition {
    /// Reads what `GET /services/{id}` answers.
    #[must_use]
    pub fn read(service: &Value) -> Self {
        let spec = service.get("Spec").unwrap_or(&Value::Null);
        let update = text(service, "/UpdateStatus/State");
        Self {
            image: image(spec),
            template: template(spec),
            mode: mode(spec),
            replicas: replicas(spec),
            force_update: number(spec, FORCE_UPDATE),
            version: number(service, "/Version/Index"),
            update: (!update.is_empty()).then(|| Update::parse(update)),
            previous: service.get("PreviousSpec").filter(|spec| spec.is_object()).map(|spec| Previous {
                image: image(spec),
                replicas: replicas(spec),
                template: template(spec),
                change: None,
            }),
        }
    }

    /// Whether it is still what an action was decided on. Its version is not asked: that moves by itself.
    ///
    /// # Errors
    /// What somebody else has changed.
    pub fn is_as_decided(&self, pre: &ServiceVitals, action: &ServiceAction) -> Result<(), String> {
        match &self.update {
            None | Some(Update::Completed | Update::RolledBack) => {}
            Some(
                update @ (Update::Updating
                | Update::RollingBack
                | Update::Paused
                | Update::RollbackPaused
                | Update::Other(_)),
            ) => return Err(format!("somebody else is in the middle of changing it ({})", update.as_str())),
        }
        if self.template != pre.template || self.force_update != pre.force_update {
            return Err("somebody else has deployed or restarted it since it was decided".to_owned());
        }
        // A global service has no such number.
        if self.mode == Mode::Replicated && self.replicas != pre.wanted {
            let (found, decided) = (self.replicas, pre.wanted);
            return Err(format!("it is to have {found} replicas, and had {decided} when it was decided"));
        }
        match action {
            ServiceAction::Scale { .. } if self.mode != Mode::Replicated => {
                Err(format!("it is a service of the mode {}", self.mode.as_str()))
            }
            ServiceAction::Rollback { to_image, .. } => match &self.previous {
                Some(previous) if previous.image == *to_image && previous.replicas == self.replicas => Ok(()),
                Some(_) | None => Err(format!("a rollback would not take it back to {to_image} alone")),
            },
            ServiceAction::Scale { .. } | ServiceAction::ForceUpdate { .. } => Ok(()),
        }
    }
}

/// The definition with what an action changes: one number, or nothing, because for a rollback Swarm takes its own.
///
/// # Errors
/// What is missing in it.
pub fn with(spec: &Value, action: &ServiceAction) -> Result<Value, String> {
    let mut spec = spec.clone();
    let (place, number) = match action {
        ServiceAction::Scale { to, .. } => (REPLICAS, u64::from(*to)),
        ServiceAction::ForceUpdate { counter } => (FORCE_UPDATE, *counter),
        ServiceAction::Rollback { .. } => return Ok(spec),
    };
    let (parent, key) = place.rsplit_once('/').unwrap_or_default();
    match spec.pointer_mut(parent) {
        Some(Value::Object(parent)) => _ = parent.insert(key.to_owned(), number.into()),
        Some(_) | None => return Err(format!("its definition has no {parent}")),
    }
    Ok(spec)
}

/// Docker's word for the mode: the one key of `Mode`.
fn mode(spec: &Value) -> Mode {
    let mode = spec.get("Mode").and_then(Value::as_object);
    match mode.and_then(|mode| mode.keys().next()).map_or("", String::as_str) {
        "Replicated" => Mode::Replicated,
        "Global" => Mode::Global,
        "ReplicatedJob" => Mode::Other("replicated-job".to_owned()),
        "GlobalJob" => Mode::Other("global-job".to_owned()),
        other => Mode::Other(other.to_owned()),
    }
}

fn image(spec: &Value) -> String {
    text(spec, "/TaskTemplate/ContainerSpec/Image").to_owned()
}

/// Swarm's own default is one.
fn replicas(spec: &Value) -> u32 {
    let replicas = spec.pointer(REPLICAS).and_then(Value::as_u64).unwrap_or(1);
    u32::try_from(replicas).unwrap_or(u32::MAX)
}

fn number(json: &Value, pointer: &str) -> u64 {
    json.pointer(pointer).and_then(Value::as_u64).unwrap_or(0)
}

/// SHA-256 of a definition without the two numbers that sickbay changes, whatever order its keys stand in.
fn template(spec: &Value) -> String {
    let mut spec = spec.clone();
    for place in [REPLICAS, FORCE_UPDATE] {
        let (parent, key) = place.rsplit_once('/').unwrap_or_default();
        if let Some(Value::Object(parent)) = spec.pointer_mut(parent) {
            parent.remove(key);
        }
    }
    let mut canonical = String::new();
    write_sorted(&spec, &mut canonical);
    hex::encode(Sha256::digest(canonical))
}

fn write_sorted(value: &Value, out: &mut String) {
    match value {
        Value::Object(map) => write_map(map, out),
        Value::Array(entries) => {
            out.push('[');
            for entry in entries {
                write_sorted(entry, out);
                out.push(',');
            }
            out.push(']');
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => out.push_str(&value.to_string()),
    }
}

fn write_map(map: &Map<String, Value>, out: &mut String) {
    let mut keys: Vec<&String> = map.keys().collect();
    keys.sort();
    out.push('{');
    for key in keys {
        out.push_str(&Value::from(key.as_str()).to_string());
        out.push(':');
        write_sorted(map.get(key).unwrap_or(&Value::Null), out);
        out.push(',');
    }
    out.push('}');
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn spec(replicas: u64, force_update: u64, image: &str) -> Value {
        json!({
            "Name": "w",
            "Labels": {"b": "1", "a": "2"},
            "TaskTemplate": {
                "ContainerSpec": {"Image": image, "Healthcheck": {"Test": ["CMD", "true"]}, "Invented": {"by": 2031}},
                "ForceUpdate": force_update,
            },
            "Mode": {"Replicated": {"Replicas": replicas}},
            "UpdateConfig": {"MaxFailureRatio": 0.2},
        })
    }

    fn service(spec: &Value, previous: Option<&Value>, update: Option<&str>) -> Definition {
        let mut json = json!({"Version": {"Index": 70}, "Spec": spec});
        if let Some(previous) = previous {
            json["PreviousSpec"] = previous.clone();
        }
        if let Some(update) = update {
            json["UpdateStatus"] = json!({"State": update});
        }
        Definition::read(&json)
    }

    /// Where two values differ.
    fn differences(a: &Value, b: &Value, at: &str, found: &mut Vec<String>) {
        match (a, b) {
            (Value::Object(a_map), Value::Object(b_map)) => {
                for key in a_map.keys().chain(b_map.keys().filter(|key| !a_map.contains_key(*key))) {
                    differences(&a[key], &b[key], &format!("{at}/{key}"), found);
                }
            }
            (a, b) if a != b => found.push(at.to_owned()),
            (_, _) => {}
        }
    }

    #[test]
    fn an_action_changes_one_number_and_keeps_what_nobody_knows() {
        let before = spec(2, 3, "w:1");
        for (action, want) in [
            (ServiceAction::Scale { from: 2, to: 5, original: 2 }, vec![REPLICAS]),
            (ServiceAction::ForceUpdate { counter: 4 }, vec![FORCE_UPDATE]),
            (ServiceAction::Rollback { from_image: "w:1".into(), to_image: "w:0".into() }, vec![]),
        ] {
            let after = with(&before, &action).unwrap();
            let mut found = Vec::new();
            differences(&before, &after, "", &mut found);
            assert_eq!(found, want, "{action:?}");
        }
        let scale = ServiceAction::Scale { from: 1, to: 2, original: 1 };
        assert!(with(&json!({"Mode": {"Global": {}}}), &scale).is_err());
        let default = with(&json!({"Mode": {"Replicated": {}}}), &scale).unwrap();
        assert_eq!(default, json!({"Mode": {"Replicated": {"Replicas": 2}}}));
    }

    #[test]
    fn the_template_is_all_but_the_two_numbers() {
        let of = |spec: &Value| service(spec, None, None).template;
        let base = of(&spec(2, 0, "w:1"));
        assert_eq!(base, of(&spec(7, 9, "w:1")), "numbers");
        assert_ne!(base, of(&spec(2, 0, "w:2")), "image");
        let mut labelled = spec(2, 0, "w:1");
        labelled["Labels"]["a"] = json!("3");
        assert_ne!(base, of(&labelled), "label");
        let turned: Value = serde_json::from_str(r#"{"b":{"d":1,"c":[1,2]},"a":"x"}"#).unwrap();
        let sorted: Value = serde_json::from_str(r#"{"a":"x","b":{"c":[1,2],"d":1}}"#).unwrap();
        assert_eq!(template(&turned), template(&sorted), "order");
    }

    #[test]
    fn modes_are_told_by_their_key() {
        for (mode, want, word) in [
            (json!({"Replicated": {"Replicas": 3}}), Mode::Replicated, "replicated"),
            (json!({"Replicated": {}}), Mode::Replicated, "replicated"),
            (json!({"Global": {}}), Mode::Global, "global"),
            (json!({"ReplicatedJob": {}}), Mode::Other("replicated-job".into()), "replicated-job"),
            (json!({"GlobalJob": {}}), Mode::Other("global-job".into()), "global-job"),
            (json!({"Quantum": {}}), Mode::Other("Quantum".into()), "Quantum"),
        ] {
            let read = service(&json!({"Mode": mode}), None, None).mode;
            assert_eq!((read.as_str(), &read), (word, &want));
        }
        assert_eq!(service(&json!({"Mode": {"Replicated": {}}}), None, None).replicas, 1);
    }

    #[test]
    fn only_what_was_decided_on_is_changed() {
        let pre = ServiceVitals {
            wanted: 2,
            running: 2,
            healthy: 2,
            image: "w:1".into(),
            template: service(&spec(2, 3, "w:1"), None, None).template,
            force_update: 3,
            version: 65,
            update: None,
            previous_image: None,
        };
        let scale = ServiceAction::Scale { from: 2, to: 3, original: 2 };
        let force = ServiceAction::ForceUpdate { counter: 4 };
        let back = ServiceAction::Rollback { from_image: "w:1".into(), to_image: "w:0".into() };
        let same = spec(2, 3, "w:1");
        let global = json!({"Mode": {"Global": {}}, "TaskTemplate": {"ForceUpdate": 3}});
        let of_global = ServiceVitals { template: service(&global, None, None).template, ..pre.clone() };
        for (name, action, found, pre, want) in [
            ("the version moved", &scale, service(&same, None, Some("completed")), &pre, true),
            ("being updated", &scale, service(&same, None, Some("updating")), &pre, false),
            ("stopped half way", &scale, service(&same, None, Some("paused")), &pre, false),
            ("being taken back", &force, service(&same, None, Some("rollback_started")), &pre, false),
            ("scaled", &scale, service(&spec(4, 3, "w:1"), None, None), &pre, false),
            ("scaled, to be restarted", &force, service(&spec(4, 3, "w:1"), None, None), &pre, false),
            ("restarted", &scale, service(&spec(2, 4, "w:1"), None, None), &pre, false),
            ("deployed", &scale, service(&spec(2, 3, "w:2"), None, None), &pre, false),
            ("global, to be scaled", &scale, service(&global, None, None), &of_global, false),
            ("global, to be restarted", &force, service(&global, None, None), &of_global, true),
            ("goes back", &back, service(&same, Some(&spec(2, 3, "w:0")), None), &pre, true),
            ("goes back and is scaled", &back, service(&same, Some(&spec(1, 3, "w:0")), None), &pre, false),
            ("goes back elsewhere", &back, service(&same, Some(&spec(2, 3, "w:9")), None), &pre, false),
            ("nothing to go back to", &back, service(&same, None, None), &pre, false),
        ] {
            assert_eq!(found.is_as_decided(pre, action).is_ok(), want, "{name}");
        }
    }
}
