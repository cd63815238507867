//! What the container looked like before anything was done to it: configuration and state, health log, last log lines,
//! memory.
//!
//! Every part is optional, bounded and read at the same time as the others; one that fails says why and blocks nothing.
//! Everything is taken from an allow-list and cleaned of secrets: of the environment only the names, of the labels only
//! well-known ones. The texts are still untrusted. Read [`capture`] first.

use super::client::{Inspected, READ_WITHIN, Reader, Reply};
use super::convert::{flag, text};
use super::error::DockerError;
use super::log_text::{Framing, tail};
use super::redact::clean;
use crate::model::action::TargetIdent;
use crate::model::step::CaptureSpec;
use chrono::DateTime;
use serde_json::{Map, Value, json};
use std::time::Duration;

/// How long evidence may take in total.
const CAPTURE_WITHIN: Duration = Duration::from_secs(3);

/// How long the log may take: a driver may have to search for its end.
const LOGS_WITHIN: Duration = Duration::from_secs(1);

/// The whole evidence as JSON, in bytes.
const JSON_LEN_MAX: usize = 48 * 1024;

/// Labels that may leave the host. Others hold passwords more often than one would think.
const LABEL_PREFIXES: [&str; 3] = ["com.docker.compose.", "sickbay.", "org.opencontainers."];

/// Gathers the evidence about one container, within three seconds.
pub async fn capture(reader: &Reader, target: &TargetIdent, spec: &CaptureSpec) -> Value {
    let id = &target.id;
    let tail_len = spec.logs;
    let inspect = reader.inspect_fully(id, CAPTURE_WITHIN.min(READ_WITHIN));
    let logs = async {
        let path = format!("/containers/{id}/logs?stdout=true&stderr=true&timestamps=true&tail={tail_len}");
        if tail_len == 0 { None } else { Some(reader.get("logs", &path, LOGS_WITHIN).await) }
    };
    let stats = async {
        let path = format!("/containers/{id}/stats?stream=false&one-shot=true");
        if spec.stats { Some(reader.get("stats", &path, CAPTURE_WITHIN).await) } else { None }
    };
    let (inspected, logs, stats) = tokio::join!(inspect, logs, stats);
    let mut evidence = Map::new();
    if spec.inspect {
        let container = inspected.as_ref().map_or_else(failed, |seen| container_part(&seen.json));
        evidence.insert("container".to_owned(), container);
        if let Ok(health_log) = inspected.as_ref().map(|seen| health_log_part(&seen.json)) {
            evidence.insert("health_log".to_owned(), health_log);
        }
    }
    if let Some(logs) = logs {
        evidence.insert("logs".to_owned(), logs_part(logs, inspected.as_ref().ok()));
    }
    if let Some(stats) = stats {
        evidence.insert(
            "stats".to_owned(),
            stats.and_then(|reply| reply.json()).map_or_else(|error| failed(&error), |json| stats_part(&json)),
        );
    }
    fit(evidence)
}

/// A part that could not be had.
fn failed(error: &DockerError) -> Value {
    json!({"error": clean(&error.to_string(), 300)})
}

/// The allow-list of inspect.
fn container_part(json: &Value) -> Value {
    let at = |pointer: &str| json.pointer(pointer).cloned().unwrap_or(Value::Null);
    let said = |pointer: &str| clean(text(json, pointer), 256);
    let number = |pointer: &str| json.pointer(pointer).and_then(Value::as_i64);
    json!({
        "id": said("/Id"),
        "name": said("/Name").trim_start_matches('/'),
        "image": said("/Config/Image"),
        "image_id": said("/Image"),
        "created": said("/Created"),
        "state": {
            "status": said("/State/Status"),
            "started_at": said("/State/StartedAt"),
            "finished_at": said("/State/FinishedAt"),
            "exit_code": number("/State/ExitCode"),
            "oom_killed": flag(json, "/State/OOMKilled"),
            "error": said("/State/Error"),
            "health": at("/State/Health/Status").as_str().map(|word| clean(word, 64)),
            "failing_streak": number("/State/Health/FailingStreak"),
        },
        "restart_count": number("/RestartCount"),
        "restart_policy": said("/HostConfig/RestartPolicy/Name"),
        "auto_remove": flag(json, "/HostConfig/AutoRemove"),
        "limits": {
            "memory": number("/HostConfig/Memory"),
            "memory_swap": number("/HostConfig/MemorySwap"),
            "nano_cpus": number("/HostConfig/NanoCpus"),
            "cpu_quota": number("/HostConfig/CpuQuota"),
            "cpu_period": number("/HostConfig/CpuPeriod"),
            "pids": number("/HostConfig/PidsLimit"),
        },
        "network_mode": said("/HostConfig/NetworkMode"),
        "networks": keys(json, "/NetworkSettings/Networks"),
        "log_driver": said("/HostConfig/LogConfig/Type"),
        "tty": flag(json, "/Config/Tty"),
        "env_names": env_names(json),
        "labels": labels(json),
    })
}

fn keys(json: &Value, pointer: &str) -> Vec<String> {
    let keys = json.pointer(pointer).and_then(Value::as_object).into_iter().flat_map(Map::keys);
    keys.take(50).map(|key| clean(key, 128)).collect()
}

/// What stands before the `=`, never what stands after it.
fn env_names(json: &Value) -> Vec<String> {
    let env = json.pointer("/Config/Env").and_then(Value::as_array).into_iter().flatten();
    let names = env.filter_map(Value::as_str).filter_map(|pair| pair.split_once('=').map(|(name, _)| name));
    names.take(100).map(|name| clean(name, 64)).collect()
}

fn labels(json: &Value) -> Map<String, Value> {
    let labels = json.pointer("/Config/Labels").and_then(Value::as_object).into_iter().flatten();
    let known = labels.filter(|(name, _)| LABEL_PREFIXES.iter().any(|prefix| name.starts_with(prefix)));
    let texts = known.filter_map(|(name, value)| Some((clean(name, 128), Value::from(clean(value.as_str()?, 256)))));
    texts.take(50).collect()
}

/// The last three checks. Docker keeps those from before a restart, so each says on which side it stands.
fn health_log_part(json: &Value) -> Value {
    let checks = json.pointer("/State/Health/Log").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let started = DateTime::parse_from_rfc3339(text(json, "/State/StartedAt")).ok();
    let newest = checks.iter().rev().take(3).rev();
    let part = newest.map(|check| {
        let began = DateTime::parse_from_rfc3339(text(check, "/Start")).ok();
        let before_start = began.zip(started).map(|(began, started)| began < started);
        json!({
            "start": clean(text(check, "/Start"), 64),
            "end": clean(text(check, "/End"), 64),
            "exit_code": check.pointer("/ExitCode").and_then(Value::as_i64),
            "before_start": before_start,
            "output": clean(text(check, "/Output"), 512),
        })
    });
    Value::Array(part.collect())
}

fn logs_part(logs: Result<Reply, DockerError>, inspected: Option<&Inspected>) -> Value {
    let reply = match logs {
        Ok(reply) => reply,
        Err(error) => return failed(&error),
    };
    let framing = match inspected.map(|seen| flag(&seen.json, "/Config/Tty")) {
        Some(false) => Framing::Multiplexed,
        Some(true) | None => Framing::Raw,
    };
    let tail = tail(&reply.body, framing);
    json!({"lines": tail.lines, "truncated": tail.truncated})
}

/// One sample. A container that does not run has none: Docker then answers with empty numbers.
fn stats_part(json: &Value) -> Value {
    let number = |pointer: &str| json.pointer(pointer).and_then(Value::as_u64);
    let Some(usage) = number("/memory_stats/usage") else { return Value::Null };
    // Cache that the kernel gives back first: cgroup v1 and v2 name it differently.
    let inactive = number("/memory_stats/stats/total_inactive_file").or(number("/memory_stats/stats/inactive_file"));
    json!({
        "memory_usage": usage,
        "memory_inactive_file": inactive,
        "memory_limit": number("/memory_stats/limit"),
        "pids": number("/pids_stats/current"),
        "cpu_periods": number("/cpu_stats/throttling_data/periods"),
        "cpu_throttled_periods": number("/cpu_stats/throttling_data/throttled_periods"),
    })
}

/// Drops the older half of the log until the evidence fits, and then whole parts, largest last resort first.
fn fit(mut evidence: Map<String, Value>) -> Value {
    let too_long =
        |evidence: &Map<String, Value>| serde_json::to_string(evidence).map_or(true, |json| JSON_LEN_MAX <= json.len());
    while too_long(&evidence) {
        let logs = evidence.get_mut("logs").and_then(Value::as_object_mut);
        let lines = logs.and_then(|logs| {
            logs.insert("truncated".to_owned(), Value::Bool(true));
            logs.get_mut("lines").and_then(Value::as_array_mut)
        });
        match lines {
            Some(lines) if !lines.is_empty() => drop(lines.drain(..lines.len().div_ceil(2))),
            Some(_) | None => break,
        }
    }
    for part in ["logs", "health_log", "container", "stats"] {
        if too_long(&evidence) {
            evidence.insert(part.to_owned(), json!({"error": "left out: the evidence was too large"}));
        }
    }
    Value::Object(evidence)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inspect() -> Value {
        json!({
            "Id": "ab".repeat(32),
            "Name": "/web-1",
            "Config": {
                "Env": ["DB_PASSWORD=hunter2", "PATH=/bin", "odd"],
                "Cmd": ["serve", "--password", "hunter2"],
                "Labels": {
                    "com.docker.compose.service": "web",
                    "sickbay.enable": "true",
                    "traefik.http.middlewares.auth.basicauth.users": "bob:hunter2",
                },
            },
            "HostConfig": {"LogConfig": {"Type": "splunk", "Config": {"splunk-token": "hunter2"}}, "Memory": 1024},
            "NetworkSettings": {"Networks": {"front": {"IPAddress": "10.0.0.2"}}},
            "State": {
                "Status": "running",
                "Error": "exec: --token hunter2: not found",
                "StartedAt": "2026-08-20T10:00:00.5Z",
                "Health": {"Status": "unhealthy", "FailingStreak": 4, "Log": [
                    {"Start": "2026-08-20T09:00:00Z", "ExitCode": 0, "Output": "oldest"},
                    {"Start": "2026-08-20T09:59:59Z", "ExitCode": 1, "Output": "old"},
                    {"Start": "2026-08-20T12:00:01+02:00", "ExitCode": 1, "Output": "token=hunter2"},
                    {"Start": "2026-08-20T10:00:02Z", "ExitCode": 1, "Output": "x".repeat(4096)},
                ]},
            },
        })
    }

    #[test]
    fn no_secret_of_inspect_gets_out() {
        let evidence = json!([container_part(&inspect()), health_log_part(&inspect())]).to_string();
        assert!(!evidence.contains("hunter2"), "{evidence}");
        for kept in ["DB_PASSWORD", "\"front\"", "com.docker.compose.service", "sickbay.enable", "splunk"] {
            assert!(evidence.contains(kept), "{kept}: {evidence}");
        }
        assert!(!evidence.contains("traefik"), "{evidence}");
    }

    #[test]
    fn the_health_log_says_which_checks_are_older_than_the_start() {
        let part = health_log_part(&inspect());
        let sides: Vec<Option<bool>> =
            part.as_array().unwrap().iter().map(|check| check["before_start"].as_bool()).collect();
        assert_eq!(sides, [Some(true), Some(false), Some(false)]);
        assert_eq!(part[2]["output"].as_str().unwrap().len(), 512);
    }

    #[test]
    fn a_container_that_does_not_run_has_no_stats() {
        assert_eq!(stats_part(&json!({"memory_stats": {}, "pids_stats": {}})), Value::Null);
        let v2 = json!({"memory_stats": {"usage": 5, "limit": 9, "stats": {"inactive_file": 2}}, "pids_stats": {"current": 3}});
        let part = stats_part(&v2);
        assert_eq!((part["memory_usage"].as_u64(), part["memory_inactive_file"].as_u64()), (Some(5), Some(2)));
        assert_eq!((part["memory_limit"].as_u64(), part["pids"].as_u64()), (Some(9), Some(3)));
    }

    #[test]
    fn evidence_always_fits() {
        let lines: Vec<String> = (0..40).map(|number| format!("{number}{}", "\"".repeat(1000))).collect();
        let big = "\"".repeat(100_000);
        for (name, evidence) in [
            ("long log", json!({"logs": {"lines": lines, "truncated": false}, "stats": null})),
            ("huge parts", json!({"logs": {"lines": [big]}, "container": {"x": big}, "health_log": [big]})),
        ] {
            let Value::Object(evidence) = evidence else { panic!() };
            let fitted = fit(evidence);
            assert!(fitted.to_string().len() < JSON_LEN_MAX, "{name}");
        }
        let Value::Object(evidence) = json!({"logs": {"lines": lines, "truncated": false}}) else { panic!() };
        let fitted = fit(evidence);
        assert_eq!(fitted["logs"]["truncated"], true);
        assert!(fitted["logs"]["lines"].as_array().unwrap().last().unwrap().as_str().unwrap().starts_with("39"));
    }
}
