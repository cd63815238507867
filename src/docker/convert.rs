//! Docker's JSON to our types, leniently: what is missing gets Docker's own default, what is unknown is kept as such.
//!
//! Only an answer without a usable ID or name is an error, since nothing can be done to such a container.

use super::error::DockerError;
use crate::model::container::{Container, ContainerState, Health, HealthCheck, RestartPolicy};
use crate::model::redact;
use crate::model::resources::ResourceLimits;
use crate::model::target::{ContainerId, ContainerName};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// The longest time of a health check that is believed.
const DAY_NANOS: u64 = 24 * 3600 * 1_000_000_000;

/// How much is kept of why the last start failed.
const START_ERROR_LEN_MAX: usize = 300;

/// One line of the container list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    /// Full ID.
    pub(super) id: ContainerId,
    /// All names, without the leading slash. A legacy link's name keeps its inner slash.
    pub(super) names: Vec<String>,
    /// `HostConfig.NetworkMode`.
    pub(super) network_mode: String,
    /// Its labels.
    pub(super) labels: BTreeMap<String, String>,
}

/// Reads an inspect answer.
///
/// # Errors
/// [`DockerError::Invalid`] without a full ID or a valid name.
pub fn container(json: &Value) -> Result<Container, DockerError> {
    let invalid = |what: &str| DockerError::Invalid(format!("a container without {what}"));
    let id = ContainerId::parse(text(json, "/Id")).ok_or_else(|| invalid("a full ID"))?;
    let name = text(json, "/Name");
    let name = ContainerName::parse(name.strip_prefix('/').unwrap_or(name)).map_err(|_bad| invalid("a valid name"))?;
    let (health, health_check) = health(json);
    Ok(Container {
        id,
        name,
        image: text(json, "/Config/Image").to_owned(),
        image_id: text(json, "/Image").to_owned(),
        state: ContainerState::parse(text(json, "/State/Status")),
        health,
        health_check,
        created: text(json, "/Created").to_owned(),
        started_at: text(json, "/State/StartedAt").to_owned(),
        finished_at: text(json, "/State/FinishedAt").to_owned(),
        restart_count: json.pointer("/RestartCount").and_then(Value::as_u64).unwrap_or(0),
        exit_code: json.pointer("/State/ExitCode").and_then(Value::as_i64).unwrap_or(0),
        oom_killed: flag(json, "/State/OOMKilled"),
        start_error: redact::clean(text(json, "/State/Error"), START_ERROR_LEN_MAX),
        restart_policy: restart_policy(text(json, "/HostConfig/RestartPolicy/Name")),
        auto_remove: flag(json, "/HostConfig/AutoRemove"),
        stop_timeout: json.pointer("/Config/StopTimeout").and_then(Value::as_u64).map(Duration::from_secs),
        network_mode: text(json, "/HostConfig/NetworkMode").to_owned(),
        limits: limits(json),
        labels: labels(json, "/Config/Labels"),
    })
}

/// How much it may use. What Docker calls null is no limit.
fn limits(json: &Value) -> ResourceLimits {
    let number = |pointer: &str| json.pointer(pointer).and_then(Value::as_i64).unwrap_or(0);
    let positive = |pointer: &str| u64::try_from(number(pointer)).unwrap_or(0);
    ResourceLimits {
        memory: positive("/HostConfig/Memory"),
        memory_swap: number("/HostConfig/MemorySwap"),
        nano_cpus: positive("/HostConfig/NanoCpus"),
        cpu_quota: 0 < number("/HostConfig/CpuQuota"),
    }
}

/// Reads a list answer. Entries without a full ID are left out.
pub(super) fn list(json: &Value) -> Vec<Listed> {
    let entries = json.as_array().map(Vec::as_slice).unwrap_or_default();
    let listed = |entry: &Value| {
        let names = entry.pointer("/Names").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let names = names.iter().filter_map(Value::as_str);
        Some(Listed {
            id: ContainerId::parse(text(entry, "/Id"))?,
            names: names.map(|name| name.strip_prefix('/').unwrap_or(name).to_owned()).collect(),
            network_mode: text(entry, "/HostConfig/NetworkMode").to_owned(),
            labels: labels(entry, "/Labels"),
        })
    };
    entries.iter().filter_map(listed).collect()
}

/// A string at a JSON pointer; empty if there is none.
pub(super) fn text<'a>(json: &'a Value, pointer: &str) -> &'a str {
    json.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// A truth value at a JSON pointer; false if there is none.
pub(super) fn flag(json: &Value, pointer: &str) -> bool {
    json.pointer(pointer).and_then(Value::as_bool).unwrap_or(false)
}

/// The health and the check's timing. An image's check can be switched off with `NONE`.
fn health(json: &Value) -> (Option<Health>, Option<HealthCheck>) {
    let first_word = text(json, "/Config/Healthcheck/Test/0");
    if first_word == "NONE" {
        return (None, None);
    }
    let health = match text(json, "/State/Health/Status") {
        "" | Health::NONE => None,
        word => Some(Health::parse(word)),
    };
    let checked = !first_word.is_empty() || health.is_some();
    (health, checked.then(|| health_check(json)))
}

/// Zero means Docker's default. The numbers are anybody's, so they are bounded where they are read: sums stay sums.
fn health_check(json: &Value) -> HealthCheck {
    let number = |key: &str, max: u64| {
        let value = json.pointer(&format!("/Config/Healthcheck/{key}")).and_then(Value::as_u64);
        value.filter(|value| 0 < *value).map(|value| value.min(max))
    };
    let time = |key: &str| number(key, DAY_NANOS).map(Duration::from_nanos);
    HealthCheck {
        interval: time("Interval").unwrap_or(Duration::from_secs(30)),
        timeout: time("Timeout").unwrap_or(Duration::from_secs(30)),
        retries: number("Retries", 1000).and_then(|retries| u32::try_from(retries).ok()).unwrap_or(3),
        start_period: time("StartPeriod").unwrap_or(Duration::ZERO),
    }
}

/// A policy we do not know counts as none: then nothing is taken for granted about what Docker will do.
fn restart_policy(name: &str) -> RestartPolicy {
    RestartPolicy::parse(name).unwrap_or(RestartPolicy::No)
}

/// The labels at a JSON pointer.
pub(super) fn labels(json: &Value, pointer: &str) -> BTreeMap<String, String> {
    let labels = json.pointer(pointer).and_then(Value::as_object);
    let pairs = labels.into_iter().flatten();
    pairs.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn inspect(config: &Value, state: &Value, host_config: &Value) -> Value {
        json!({"Id": "ab".repeat(32), "Name": "/web-1", "Config": config, "State": state, "HostConfig": host_config})
    }

    #[test]
    fn an_almost_empty_answer_is_readable() {
        let read = container(&json!({"Id": "ab".repeat(32), "Name": "/web-1"})).unwrap();
        assert_eq!(read.name.as_str(), "web-1");
        assert_eq!(read.state, ContainerState::Other(String::new()));
        assert_eq!((read.health, read.health_check, read.stop_timeout), (None, None, None));
        assert!(container(&json!({"Id": "abab", "Name": "/web-1"})).is_err());
        assert!(container(&json!({"Id": "ab".repeat(32), "Name": "/../x"})).is_err());
    }

    #[test]
    fn values_of_newer_engines_are_kept_and_blind_nobody() {
        let state = json!({"Status": "hibernating", "Health": {"Status": "degraded"}, "ExitCode": "?"});
        let read = container(&inspect(&json!({}), &state, &json!({"RestartPolicy": {"Name": "sometimes"}}))).unwrap();
        assert_eq!(read.state.as_str(), "hibernating");
        assert_eq!(read.health, Some(Health::Other("degraded".to_owned())));
        assert_eq!((read.restart_policy, read.exit_code), (RestartPolicy::No, 0));
    }

    #[test]
    fn zeros_in_a_health_check_are_dockers_defaults() {
        let defaults = HealthCheck {
            interval: Duration::from_secs(30),
            timeout: Duration::from_secs(30),
            retries: 3,
            start_period: Duration::ZERO,
        };
        let second = Duration::from_secs(1);
        let own = HealthCheck { interval: second, timeout: second * 2, retries: 4, start_period: second * 5 };
        let none = json!({"Status": "none"});
        let starting = json!({"Status": "starting"});
        for (name, check, health, want) in [
            ("defaults", json!({"Test": ["CMD-SHELL", "x"]}), &starting, Some(defaults)),
            (
                "zeros",
                json!({"Test": ["CMD", "x"], "Interval": 0, "Timeout": 0, "Retries": 0}),
                &starting,
                Some(defaults),
            ),
            (
                "own",
                json!({"Test": ["CMD", "x"], "Interval": 1_000_000_000_u64, "Timeout": 2_000_000_000_u64,
                       "Retries": 4, "StartPeriod": 5_000_000_000_u64}),
                &starting,
                Some(own),
            ),
            ("from the image only", json!(null), &starting, Some(defaults)),
            ("switched off", json!({"Test": ["NONE"]}), &starting, None),
            ("none", json!(null), &none, None),
        ] {
            let json = inspect(&json!({"Healthcheck": check}), &json!({"Health": health}), &json!({}));
            let read = container(&json).unwrap();
            assert_eq!(read.health_check, want, "{name}");
            assert_eq!(read.health.is_some(), want.is_some(), "{name}");
        }
    }

    #[test]
    fn absurd_times_stay_sums() {
        let max = u64::MAX;
        let check = json!({"Test": ["CMD"], "Interval": max, "Timeout": max, "Retries": max, "StartPeriod": max});
        let read = container(&inspect(&json!({"Healthcheck": check}), &json!({}), &json!({}))).unwrap();
        assert!(read.health_check.unwrap().settles_within() < Duration::from_secs(10 * 365 * 24 * 3600));
    }

    #[test]
    fn what_a_gate_needs_is_read() {
        let config = json!({"StopTimeout": 7, "Image": "web:1", "Labels": {"sickbay.enable": "true", "odd": 1}});
        let state = json!({"Status": "exited", "ExitCode": 137, "OOMKilled": true, "Error": "no"});
        let host = json!({"AutoRemove": true, "NetworkMode": "host", "RestartPolicy": {"Name": "unless-stopped"}});
        let read = container(&inspect(&config, &state, &host)).unwrap();
        assert_eq!(read.stop_timeout, Some(Duration::from_secs(7)));
        assert_eq!((read.exit_code, read.oom_killed, read.auto_remove), (137, true, true));
        assert_eq!((read.start_error.as_str(), read.network_mode.as_str()), ("no", "host"));
        assert_eq!(read.restart_policy, RestartPolicy::UnlessStopped);
        assert_eq!(read.labels, BTreeMap::from([("sickbay.enable".to_owned(), "true".to_owned())]));
    }

    #[test]
    fn list_entries_without_an_id_are_left_out() {
        let json = json!([{"Id": "cd".repeat(32), "Names": ["/a", "/b/a"], "HostConfig": {"NetworkMode": "host"}}, {}]);
        let read = list(&json);
        assert_eq!(read.len(), 1);
        assert_eq!(read[0].names, ["a", "b/a"]);
    }
}
