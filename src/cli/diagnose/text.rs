//! A diagnosis for people: first what is the matter, then what was seen, then the end of the log.
//!
//! Whatever came from the container is made safe for a terminal.

use crate::diagnosis::{bytes, span};
use crate::model::diagnosis::{Diagnosis, DiagnosisCode, Finding, Weight};
use crate::story::printable;
use chrono::{DateTime, Utc};
use serde_json::Value;
use std::io::{self, Write};

/// So many of the log's last lines are printed.
const LINES_MAX: usize = 10;

/// So many of the last events.
const EVENTS_MAX: usize = 8;

/// Prints everything.
pub(super) fn print(evidence: &Value, diagnosis: &Diagnosis, out: &mut dyn Write) -> io::Result<()> {
    let seen = Seen(evidence);
    writeln!(out, "{}", printable(&headline(seen)))?;
    let (notes, troubles): (Vec<&Finding>, Vec<&Finding>) =
        diagnosis.findings.iter().partition(|finding| finding.weight == Weight::Note);
    if troubles.is_empty() {
        writeln!(out, "\nNothing was found that explains trouble.")?;
    }
    for (number, finding) in (1..).zip(troubles) {
        writeln!(out, "\n{number}. {} [{}]", printable(&finding.what), finding.code)?;
        if !finding.seen.is_empty() {
            writeln!(out, "   seen: {}", printable(&finding.seen))?;
        }
        writeln!(out, "   next: {}", printable(&finding.next))?;
    }
    if !notes.is_empty() {
        writeln!(out, "\nWorth knowing")?;
    }
    for finding in notes {
        // What is missing is in no line below.
        let missing = finding.code == DiagnosisCode::EvidenceMissing;
        let seen = if missing { format!(" ({})", finding.seen) } else { String::new() };
        writeln!(out, "- {}{} [{}]", printable(&finding.what), printable(&seen), finding.code)?;
    }
    writeln!(out, "\nSeen")?;
    for (title, words) in facts(seen) {
        writeln!(out, "  {title:<9} {}", printable(&words))?;
    }
    log(seen, out)
}

fn log(seen: Seen<'_>, out: &mut dyn Write) -> io::Result<()> {
    let lines = seen.list("/logs/lines");
    let error = seen.text("/logs/error");
    if !error.is_empty() {
        return writeln!(out, "\nIts log cannot be read: {}", printable(error));
    }
    if lines.is_empty() {
        return writeln!(out, "\nIts log has no lines.");
    }
    writeln!(out, "\nThe end of its log")?;
    let last = lines.iter().skip(lines.len().saturating_sub(LINES_MAX)).filter_map(Value::as_str);
    for line in last {
        writeln!(out, "  {}", printable(line))?;
    }
    Ok(())
}

/// Evidence, read leniently.
#[derive(Clone, Copy)]
struct Seen<'a>(&'a Value);

impl<'a> Seen<'a> {
    fn text(self, pointer: &str) -> &'a str {
        self.0.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    fn number(self, pointer: &str) -> Option<u64> {
        self.0.pointer(pointer).and_then(Value::as_u64)
    }

    fn positive(self, pointer: &str) -> Option<u64> {
        self.number(pointer).filter(|number| 0 < *number)
    }

    fn list(self, pointer: &str) -> &'a [Value] {
        self.0.pointer(pointer).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
    }

    fn ago(self, pointer: &str) -> Option<i64> {
        let time = |pointer: &str| self.text(pointer).parse::<DateTime<Utc>>().ok().filter(|time| 0 < time.timestamp());
        Some((time("/container/seen_at")? - time(pointer)?).num_seconds().max(0))
    }
}

fn headline(seen: Seen<'_>) -> String {
    let id = seen.text("/container/id");
    let id = id.get(..12).unwrap_or(id);
    format!("{} ({id}), image {}", seen.text("/container/name"), seen.text("/container/image"))
}

/// What an engineer would look up, one line each; what is not known is left out.
fn facts(seen: Seen<'_>) -> Vec<(&'static str, String)> {
    let facts = [
        ("state", state(seen)),
        ("restarts", restarts(seen)),
        ("health", health(seen)),
        ("memory", memory(seen)),
        ("cpu", cpu(seen)),
        ("processes", processes(seen)),
        ("ports", ports(seen)),
        ("network", network(seen)),
        ("mounts", mounts(seen)),
        ("image", image(seen)),
        ("events", events(seen)),
    ];
    facts.into_iter().filter(|(_, words)| !words.is_empty()).collect()
}

fn state(seen: Seen<'_>) -> String {
    let status = seen.text("/container/state/status");
    let since = match status {
        "running" | "paused" => {
            seen.ago("/container/state/started_at").map(|secs| format!(", started {} ago", span(secs)))
        }
        "exited" | "restarting" | "dead" => {
            seen.ago("/container/state/finished_at").map(|secs| format!(", ended {} ago", span(secs)))
        }
        _ => seen.ago("/container/created").map(|secs| format!(", made {} ago", span(secs))),
    };
    let exit = seen.0.pointer("/container/state/exit_code").and_then(Value::as_i64);
    let exit = exit.filter(|_| ["exited", "restarting", "dead", "created"].contains(&status));
    let exit = exit.map(|code| format!(", exit code {code}")).unwrap_or_default();
    let oom = seen.0.pointer("/container/state/oom_killed").and_then(Value::as_bool) == Some(true);
    let oom = if oom { ", OOMKilled" } else { "" };
    format!("{status}{}{exit}{oom}", since.unwrap_or_default())
}

fn restarts(seen: Seen<'_>) -> String {
    let policy = match seen.text("/container/restart_policy") {
        "" => "no",
        policy => policy,
    };
    format!("{}, policy {policy}", seen.number("/container/restart_count").unwrap_or(0))
}

fn health(seen: Seen<'_>) -> String {
    let status = seen.text("/container/state/health");
    if status.is_empty() {
        return "no health check".to_owned();
    }
    let streak =
        seen.positive("/container/state/failing_streak").map(|streak| format!(", {streak} checks in a row failed"));
    let check = seen.text("/container/health_check/program");
    let check = if check.is_empty() { String::new() } else { format!(", by {check}") };
    format!("{status}{check}{}", streak.unwrap_or_default())
}

fn memory(seen: Seen<'_>) -> String {
    let limit = seen.positive("/container/limits/memory");
    let limit_words = limit.map_or_else(|| "no limit".to_owned(), |limit| format!("limit {}", bytes(limit)));
    let used = |sample: &Value| {
        let part = |key: &str| sample.get(key).and_then(Value::as_u64);
        part("memory_usage").map(|usage| usage.saturating_sub(part("memory_inactive_file").unwrap_or(0)))
    };
    let Some(now) = seen.0.pointer("/stats").and_then(used) else { return limit_words };
    let samples: Vec<u64> = seen.list("/samples").iter().filter_map(used).collect();
    let trend = match (samples.first(), samples.last()) {
        (Some(first), Some(last)) if 1 < samples.len() => {
            format!(", {} samples: {} to {}", samples.len(), bytes(*first), bytes(*last))
        }
        _ => String::new(),
    };
    let most = seen.positive("/stats/memory_max").map(|most| format!(", at most {} so far", bytes(most)));
    format!("{} used, {limit_words}{}{trend}", bytes(now), most.unwrap_or_default())
}

fn cpu(seen: Seen<'_>) -> String {
    let part = |at: Option<&Value>, key: &str| at.and_then(|sample| sample.get(key)).and_then(Value::as_u64);
    let samples = seen.list("/samples");
    let between = |key: &str| Some(part(samples.last(), key)?.saturating_sub(part(samples.first(), key)?));
    let used = between("cpu_ms").zip(between("system_cpu_ms")).filter(|(_, system)| 0 < *system);
    let used = used
        .zip(seen.positive("/stats/cpus"))
        .map(|((own, system), cpus)| format!("{} % of one CPU", own.saturating_mul(100).saturating_mul(cpus) / system));
    let throttled = seen.positive("/stats/cpu_throttled_periods").zip(seen.positive("/stats/cpu_periods"));
    let throttled =
        throttled.map(|(throttled, periods)| format!("{throttled} of {periods} periods throttled since its start"));
    used.into_iter().chain(throttled).collect::<Vec<String>>().join(", ")
}

fn processes(seen: Seen<'_>) -> String {
    let limit = seen.positive("/container/limits/pids").map_or_else(String::new, |limit| format!(", limit {limit}"));
    seen.positive("/stats/pids").map_or_else(String::new, |pids| format!("{pids}{limit}"))
}

fn ports(seen: Seen<'_>) -> String {
    let port = |port: &Value| {
        let part = |key: &str| port.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (address, outside) = (part("host_ip"), part("host_port"));
        let address = if address.is_empty() { "0.0.0.0".to_owned() } else { address };
        let outside = if outside.is_empty() { "any".to_owned() } else { outside };
        format!("{address}:{outside} -> {}", part("container"))
    };
    match seen.list("/container/ports") {
        [] => String::new(),
        ports => ports.iter().map(port).collect::<Vec<String>>().join(", "),
    }
}

fn network(seen: Seen<'_>) -> String {
    let networks: Vec<&str> = seen.list("/container/networks").iter().filter_map(Value::as_str).collect();
    if networks.is_empty() { seen.text("/container/network_mode").to_owned() } else { networks.join(", ") }
}

fn mounts(seen: Seen<'_>) -> String {
    let mount = |mount: &Value| {
        let part = |key: &str| mount.get(key).and_then(Value::as_str).unwrap_or_default();
        let mode = if mount.get("rw").and_then(Value::as_bool) == Some(false) { " (read-only)" } else { "" };
        format!("{} on {}{mode}", part("source"), part("destination"))
    };
    seen.list("/container/mounts").iter().take(6).map(mount).collect::<Vec<String>>().join(", ")
}

fn image(seen: Seen<'_>) -> String {
    let digest = seen.list("/image/repo_digests").first().and_then(Value::as_str);
    let id = seen.text("/container/image_id");
    let architecture = match seen.text("/image/architecture") {
        "" => String::new(),
        architecture => format!(", {architecture}"),
    };
    format!("{}{architecture}", digest.unwrap_or(id))
}

fn events(seen: Seen<'_>) -> String {
    let event = |event: &Value| {
        let part = |key: &str| event.get(key).and_then(Value::as_str).unwrap_or_default();
        match (part("exit_code"), part("signal")) {
            ("", "") => part("action").to_owned(),
            ("", signal) => format!("{} {signal}", part("action")),
            (code, _) => format!("{} ({code})", part("action")),
        }
    };
    let events = seen.list("/events/events");
    let last = events.iter().skip(events.len().saturating_sub(EVENTS_MAX));
    last.map(event).collect::<Vec<String>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn printed(evidence: &Value, diagnosis: &Diagnosis) -> String {
        let mut out = Vec::new();
        print(evidence, diagnosis, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_is_not_known_is_left_out_and_nothing_is_obeyed() {
        let finding = Finding {
            code: DiagnosisCode::Paused,
            weight: Weight::Cause,
            what: "It is \u{1b}[2Jpaused.".to_owned(),
            seen: String::new(),
            next: "Ask.".to_owned(),
        };
        let evidence = json!({
            "container": {"name": "web-1", "id": "ab".repeat(32), "image": "web:1", "state": {"status": "paused"}},
            "logs": {"lines": ["\u{1b}]0;title\u{7}x"]},
        });
        let text = printed(&evidence, &Diagnosis { findings: vec![finding] });
        assert!(!text.contains('\u{1b}') && !text.contains('\u{7}'), "{text:?}");
        assert!(
            text.starts_with("web-1 (abababababab), image web:1\n\n1. It is \\u{1b}[2Jpaused. [paused]\n   next: Ask."),
            "{text}"
        );
        for absent in ["seen:", "ports", "mounts", "events"] {
            assert!(!text.contains(absent), "{absent}: {text}");
        }
    }

    #[test]
    fn of_nothing_nothing_is_told() {
        let text = printed(&json!({}), &Diagnosis::default());
        assert!(
            text.contains("Nothing was found that explains trouble.") && text.contains("Its log has no lines."),
            "{text}"
        );
    }
}
