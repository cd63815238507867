//! What a container uses: memory, processes and CPU, once or several times.
//!
//! One sample says how much; only several say where it is going. Times are the engine's own.

use super::client::Reader;
use super::convert::text;
use super::error::DockerError;
use crate::model::container::{MemoryInUse, TargetReport};
use crate::model::docker_call::DockerCall;
use crate::model::redact::clean;
use crate::model::target::ContainerId;
use serde_json::{Value, json};
use std::time::Duration;

/// How long the one sample before an act may take.
const MEMORY_WITHIN: Duration = Duration::from_secs(5);

/// One sample; null for a container that does not run.
pub(super) async fn sample(reader: &Reader, id: &ContainerId, within: Duration) -> Result<Value, DockerError> {
    // Engines before 24 wait up to a second for their collector.
    let path = format!("/containers/{id}/stats?stream=false&one-shot=true");
    Ok(stats_part(&reader.get(DockerCall::Stats, &path, within).await?.json()?))
}

/// How much memory the container of a look uses now: put to the look, whatever comes of it.
pub async fn look_at_memory(reader: &Reader, report: &mut TargetReport) {
    let (TargetReport::Found(view) | TargetReport::Several { first: view, .. }) = report else { return };
    view.memory_in_use = match sample(reader, &view.container.id, MEMORY_WITHIN).await {
        Ok(sample) => in_use(&sample),
        Err(error) => MemoryInUse::Unknown(error.to_string()),
    };
}

/// What the kernel cannot give back at once. Everything uses some memory: a zero is no answer.
fn in_use(sample: &Value) -> MemoryInUse {
    let number = |key: &str| sample.get(key).and_then(Value::as_u64);
    let used = number("memory_usage").map(|usage| usage.saturating_sub(number("memory_inactive_file").unwrap_or(0)));
    match used {
        Some(used) if 0 < used => MemoryInUse::Known(used),
        Some(_) | None => MemoryInUse::Unknown("Docker shows no memory usage".to_owned()),
    }
}

/// A container that does not run has none: Docker then answers with empty numbers.
fn stats_part(json: &Value) -> Value {
    let number = |pointer: &str| json.pointer(pointer).and_then(Value::as_u64);
    let Some(usage) = number("/memory_stats/usage") else { return Value::Null };
    // Cache that the kernel gives back first: cgroup v1 and v2 name it differently.
    let inactive = number("/memory_stats/stats/total_inactive_file").or(number("/memory_stats/stats/inactive_file"));
    let millis = |pointer: &str| number(pointer).map(|nanos| nanos / 1_000_000);
    json!({
        "at": clean(text(json, "/read"), 64),
        "memory_usage": usage,
        "memory_inactive_file": inactive,
        "memory_limit": number("/memory_stats/limit"),
        // The most that it ever used; cgroup v1 alone tells.
        "memory_max": number("/memory_stats/max_usage"),
        "pids": number("/pids_stats/current"),
        // Without a limit, the largest number there is.
        "pids_limit": number("/pids_stats/limit").filter(|limit| *limit < 1 << 32),
        "cpu_periods": number("/cpu_stats/throttling_data/periods"),
        "cpu_throttled_periods": number("/cpu_stats/throttling_data/throttled_periods"),
        "cpu_ms": millis("/cpu_stats/cpu_usage/total_usage"),
        "system_cpu_ms": millis("/cpu_stats/system_cpu_usage"),
        "cpus": number("/cpu_stats/online_cpus"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_that_does_not_run_has_no_stats() {
        assert_eq!(stats_part(&json!({"memory_stats": {}, "pids_stats": {}})), Value::Null);
        let v2 = json!({"memory_stats": {"usage": 5, "limit": 9, "stats": {"inactive_file": 2}}, "pids_stats": {"current": 3, "limit": u64::MAX}});
        let part = stats_part(&v2);
        assert_eq!((part["memory_usage"].as_u64(), part["memory_inactive_file"].as_u64()), (Some(5), Some(2)));
        assert_eq!((part["memory_limit"].as_u64(), part["pids"].as_u64()), (Some(9), Some(3)));
        assert_eq!(part["pids_limit"], Value::Null);
    }

    #[test]
    fn what_is_in_use_leaves_cache_aside_and_nothing_is_guessed() {
        let unknown = || MemoryInUse::Unknown("Docker shows no memory usage".to_owned());
        for (stats, want) in [
            (json!({"usage": 50, "stats": {"inactive_file": 20}}), MemoryInUse::Known(30)),
            (json!({"usage": 50, "stats": {"total_inactive_file": 10, "inactive_file": 20}}), MemoryInUse::Known(40)),
            (json!({"usage": 50}), MemoryInUse::Known(50)),
            (json!({"usage": 0}), unknown()),
            (json!({"usage": 20, "stats": {"inactive_file": 20}}), unknown()),
            (json!({"usage": "many"}), unknown()),
            (json!({}), unknown()),
        ] {
            assert_eq!(in_use(&stats_part(&json!({"memory_stats": stats}))), want, "{stats}");
        }
    }
}
