//! What inspect shows of a container, as far as it may be kept: an allow-list, cleaned of secrets.
//!
//! Of the environment only the names, of commands only the program and never its arguments, of labels only well-known ones.
//! Read [`container_part`] first.

use super::client::Inspected;
use super::convert::{flag, text};
use crate::model::redact::clean;
use chrono::{DateTime, SecondsFormat};
use serde_json::{Map, Value, json};

/// Labels that may leave the host. Others hold passwords more often than one would think.
const LABEL_PREFIXES: [&str; 3] = ["com.docker.compose.", "sickbay.", "org.opencontainers."];

/// The most ports and mounts kept.
const ITEMS_MAX: usize = 20;

/// The last checks kept.
const CHECKS_MAX: usize = 3;

/// The allow-list of inspect.
pub(super) fn container_part(seen: &Inspected) -> Value {
    let json = &seen.json;
    let said = |pointer: &str| clean(text(json, pointer), 256);
    let number = |pointer: &str| json.pointer(pointer).and_then(Value::as_i64);
    let mut part = json!({
        "id": said("/Id"),
        "name": said("/Name").trim_start_matches('/'),
        "image": said("/Config/Image"),
        "image_id": said("/Image"),
        "created": said("/Created"),
        "state": state(json),
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
    });
    let more = json!({
        "seen_at": seen.answered_at.map(|now| now.to_rfc3339_opts(SecondsFormat::Secs, true)),
        "program": said("/Path"),
        "user": said("/Config/User"),
        "workdir": said("/Config/WorkingDir"),
        "read_only": flag(json, "/HostConfig/ReadonlyRootfs"),
        "ports": ports(json),
        "mounts": mounts(json),
        "health_check": health_check(json),
    });
    if let (Some(part), Value::Object(more)) = (part.as_object_mut(), more) {
        part.extend(more);
    }
    part
}

fn state(json: &Value) -> Value {
    let said = |pointer: &str| clean(text(json, pointer), 256);
    let health = json.pointer("/State/Health/Status").and_then(Value::as_str);
    json!({
        "status": said("/State/Status"),
        "started_at": said("/State/StartedAt"),
        "finished_at": said("/State/FinishedAt"),
        "exit_code": json.pointer("/State/ExitCode").and_then(Value::as_i64),
        "oom_killed": flag(json, "/State/OOMKilled"),
        // What went wrong stands at the end of what the runtime says.
        "error": clean(text(json, "/State/Error"), 1024),
        "health": health.filter(|status| *status != "none").map(|word| clean(word, 64)),
        "failing_streak": json.pointer("/State/Health/FailingStreak").and_then(Value::as_i64),
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

/// The published ports, as they are asked for: those of a container that could not be started are not in the network's.
fn ports(json: &Value) -> Vec<Value> {
    let bindings = json.pointer("/HostConfig/PortBindings").and_then(Value::as_object).into_iter().flatten();
    let port = |(inside, outside): (&String, &Value)| {
        let outside: Vec<Value> =
            outside.as_array().into_iter().flatten().map(|binding| outside_port(inside, binding)).collect();
        outside
    };
    bindings.flat_map(port).take(ITEMS_MAX).collect()
}

fn outside_port(inside: &str, binding: &Value) -> Value {
    json!({
        "container": clean(inside, 32),
        "host_ip": clean(text(binding, "/HostIp"), 64),
        "host_port": clean(text(binding, "/HostPort"), 32),
    })
}

fn mounts(json: &Value) -> Vec<Value> {
    let mounts = json.pointer("/Mounts").and_then(Value::as_array).into_iter().flatten();
    let mount = |mount: &Value| {
        json!({
            "type": clean(text(mount, "/Type"), 32),
            "source": clean(text(mount, if text(mount, "/Name").is_empty() { "/Source" } else { "/Name" }), 256),
            "destination": clean(text(mount, "/Destination"), 256),
            "rw": flag(mount, "/RW"),
        })
    };
    mounts.take(ITEMS_MAX).map(mount).collect()
}

/// Of the check's command the program alone: what stands behind it may be a password.
fn health_check(json: &Value) -> Value {
    let test = json.pointer("/Config/Healthcheck/Test").and_then(Value::as_array);
    let mut words = test.into_iter().flatten().filter_map(Value::as_str);
    let (Some(kind @ ("CMD" | "CMD-SHELL")), Some(command)) = (words.next(), words.next()) else { return Value::Null };
    let program = if kind == "CMD" { command } else { command.split_whitespace().next().unwrap_or_default() };
    // What is set before a command may be a secret: `TOKEN=… check`.
    let program = if program.contains('=') { "" } else { program };
    let millis = |key: &str| {
        let nanos = json.pointer(&format!("/Config/Healthcheck/{key}")).and_then(Value::as_i64).unwrap_or(0);
        if nanos <= 0 { Value::Null } else { Value::from(nanos / 1_000_000) }
    };
    json!({
        "kind": kind,
        "program": clean(program, 128),
        "interval_ms": millis("Interval"),
        "timeout_ms": millis("Timeout"),
        "start_period_ms": millis("StartPeriod"),
        "retries": json.pointer("/Config/Healthcheck/Retries").and_then(Value::as_i64).filter(|retries| 0 < *retries),
    })
}

/// The last three checks. Docker keeps those from before a restart, so each says on which side it stands.
pub(super) fn health_log_part(json: &Value) -> Value {
    let checks = json.pointer("/State/Health/Log").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let started = DateTime::parse_from_rfc3339(text(json, "/State/StartedAt")).ok();
    let newest = checks.iter().rev().take(CHECKS_MAX).rev();
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docker::convert::container;

    fn inspect() -> Value {
        json!({
            "Id": "ab".repeat(32),
            "Name": "/web-1",
            "Path": "serve",
            "Args": ["--password", "hunter2"],
            "Config": {
                "Env": ["DB_PASSWORD=hunter2", "PATH=/bin", "odd"],
                "Cmd": ["serve", "--password", "hunter2"],
                "Healthcheck": {"Test": ["CMD-SHELL", "curl -u bob:hunter2 http://127.0.0.1/"], "Timeout": 2_000_000_000_u64},
                "Labels": {
                    "com.docker.compose.service": "web",
                    "sickbay.enable": "true",
                    "traefik.http.middlewares.auth.basicauth.users": "bob:hunter2",
                },
            },
            "HostConfig": {
                "LogConfig": {"Type": "splunk", "Config": {"splunk-token": "hunter2"}}, "Memory": 1024,
                "PortBindings": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}]},
            },
            "Mounts": [
                {"Type": "volume", "Name": "data", "Source": "/var/lib/docker/volumes/data/_data", "Destination": "/data", "RW": true},
                {"Type": "bind", "Source": "/srv/conf", "Destination": "/etc/app", "RW": false},
            ],
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

    fn part() -> Value {
        let json = inspect();
        container_part(&Inspected { container: container(&json).unwrap(), json, answered_at: None })
    }

    #[test]
    fn no_secret_of_inspect_gets_out() {
        let evidence = json!([part(), health_log_part(&inspect())]).to_string();
        assert!(!evidence.contains("hunter2"), "{evidence}");
        for kept in ["DB_PASSWORD", "\"front\"", "com.docker.compose.service", "sickbay.enable", "splunk"] {
            assert!(evidence.contains(kept), "{kept}: {evidence}");
        }
        assert!(!evidence.contains("traefik"), "{evidence}");
    }

    #[test]
    fn of_commands_the_program_alone_is_kept() {
        let part = part();
        assert_eq!((&part["program"], &part["health_check"]["program"]), (&json!("serve"), &json!("curl")));
        assert_eq!(
            (&part["health_check"]["timeout_ms"], &part["health_check"]["retries"]),
            (&json!(2000), &Value::Null)
        );
        for (test, want) in [
            (json!(["CMD", "/app/check", "hunter2"]), json!("/app/check")),
            (json!(["CMD-SHELL", "TOKEN=hunter2 check"]), json!("")),
            (json!(["NONE"]), Value::Null),
            (json!([]), Value::Null),
        ] {
            let json = json!({"Config": {"Healthcheck": {"Test": test}}});
            assert_eq!(health_check(&json).get("program").cloned().unwrap_or_default(), want, "{test}");
        }
    }

    #[test]
    fn ports_and_mounts_are_told() {
        let part = part();
        assert_eq!(part["ports"], json!([{"container": "80/tcp", "host_ip": "127.0.0.1", "host_port": "8080"}]));
        let sources: Vec<&str> =
            part["mounts"].as_array().unwrap().iter().filter_map(|one| one["source"].as_str()).collect();
        assert_eq!(sources, ["data", "/srv/conf"]);
    }

    #[test]
    fn the_health_log_says_which_checks_are_older_than_the_start() {
        let part = health_log_part(&inspect());
        let sides: Vec<Option<bool>> =
            part.as_array().unwrap().iter().map(|check| check["before_start"].as_bool()).collect();
        assert_eq!(sides, [Some(true), Some(false), Some(false)]);
        assert_eq!(part[2]["output"].as_str().unwrap().len(), 512);
    }
}
