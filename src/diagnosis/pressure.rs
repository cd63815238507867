//! How much memory, how many processes and how much CPU it uses of what it may, and where its memory is going.

use super::findings::{Class, Findings};
use super::look::{Look, number, time};
use super::trend::{Growth, growth};
use super::words::{bytes, size, span};
use crate::model::diagnosis::DiagnosisCode as Code;
use serde_json::Value;

/// From this share of a limit on, it is nearly reached.
const NEAR_PERCENT: u64 = 90;

/// From this share of CPU periods on, throttling is felt.
const THROTTLED_PERCENT: u64 = 25;

/// Of so few periods nothing can be said.
const PERIODS_MIN: u64 = 20;

/// A growth of less than this is no leak, whatever the limit is.
const GROWTH_MIN: f64 = 512.0 * 1024.0;

/// A limit that is further away than this is nobody's concern today.
const LEAK_SECS_MAX: f64 = 7.0 * 24.0 * 3600.0;

/// One sample of memory.
#[derive(Clone, Copy, Debug)]
struct Memory {
    used: u64,
    limit: u64,
}

pub(super) fn find(look: &Look<'_>, findings: &mut Findings) {
    if !look.runs() {
        return;
    }
    let growth = memory_growth(look);
    if let Some(memory) = memory(look.at("/stats")) {
        let limited = look.positive("/container/limits/memory");
        near_limit(look, (memory, limited), growth, findings);
        if let Some(growth) = growth {
            growing(look, (memory, limited), growth, findings);
        }
    }
    pids(look, findings);
    cpu(look, findings);
}

/// What it really holds: without the cache that the kernel gives back first.
fn memory(sample: Option<&Value>) -> Option<Memory> {
    let sample = sample?;
    let part = |key: &str| sample.get(key).and_then(number).and_then(|value| u64::try_from(value).ok());
    let used = part("memory_usage")?.saturating_sub(part("memory_inactive_file").unwrap_or(0));
    Some(Memory { used, limit: part("memory_limit").unwrap_or(0) })
}

#[expect(clippy::cast_precision_loss, reason = "an estimate")]
fn memory_growth(look: &Look<'_>) -> Option<Growth> {
    let samples = undisturbed(look.list("/samples")).into_iter().filter_map(|sample| {
        let at = time(sample.get("at")?.as_str()?)?;
        Some((at.timestamp_millis() as f64 / 1000.0, memory(Some(sample))?.used as f64))
    });
    let samples: Vec<(f64, f64)> = samples.collect();
    let (_, last) = samples.last()?;
    // What grows by less than a hundredth while it is looked at is at rest.
    growth(&samples, GROWTH_MIN.max(last / 100.0))
}

/// Without the samples in which there were processes that were gone again later: a health check, an exec. What they used is
/// no growth.
fn undisturbed(samples: &[Value]) -> Vec<&Value> {
    let pids = |sample: &Value| sample.get("pids").and_then(number);
    let gone_later = |(at, sample): &(usize, &Value)| {
        let later = samples.iter().skip(at + 1).filter_map(pids);
        pids(sample).zip(later.min()).is_some_and(|(now, least)| least < now)
    };
    samples.iter().enumerate().filter(|sample| !gone_later(sample)).map(|(_, sample)| sample).collect()
}

fn near_limit(
    look: &Look<'_>,
    (memory, limited): (Memory, Option<u64>),
    growth: Option<Growth>,
    findings: &mut Findings,
) {
    let Some(limit) = limited else { return };
    let share = memory.used.saturating_mul(100) / limit;
    if share < NEAR_PERCENT {
        return;
    }
    let trend = growth.map(|growth| format!(", and it grows by {} a second", size(growth.per_sec))).unwrap_or_default();
    let what = format!(
        "It uses {share} % of the memory that it may use{trend}: when the limit is reached, the kernel kills it (OOM)."
    );
    let seen = format!("{} of {}", bytes(memory.used), bytes(limit));
    let next = format!(
        "Raise the limit if the work needs it (`docker update --memory`, or the step update_limits); otherwise look for what \
         holds the memory: `docker stats {0}`, `docker top {0} -o pid,rss,comm`.",
        look.name()
    );
    findings.risk(Class::Pressure, Code::MemoryNearLimit, (what, seen, next));
}

#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "an estimate, bounded before")]
fn growing(look: &Look<'_>, (memory, limited): (Memory, Option<u64>), growth: Growth, findings: &mut Findings) {
    let limit = limited.unwrap_or(memory.limit);
    let left = limit.saturating_sub(memory.used) as f64 / growth.per_sec;
    if limit == 0 || LEAK_SECS_MAX < left {
        return;
    }
    let whose = if limited.is_some() { "its limit" } else { "the end of the machine's memory (it has no limit)" };
    let young = look.running_secs().filter(|secs| *secs < 120).map_or_else(String::new, |secs| {
        format!(" It has been running for {} only, so it may still be warming up.", span(secs))
    });
    findings.risk(
        Class::Pressure,
        Code::MemoryGrowing,
        (
            format!(
                "Its memory grows by {} a second, like a leak: at this rate it reaches {whose} in {}.{young}",
                size(growth.per_sec),
                span(left as i64)
            ),
            format!("{} more within {:.0} s; {} of {} used", size(growth.total), growth.secs, bytes(memory.used), bytes(limit)),
            "Look once more in some minutes (`sickbay diagnose --samples 10 --interval 30s`); if it still grows, find the \
             leak. A restart buys the time that it needs to grow again."
                .to_owned(),
        ),
    );
}

fn pids(look: &Look<'_>, findings: &mut Findings) {
    let limit = look.positive("/container/limits/pids").or_else(|| look.positive("/stats/pids_limit"));
    let Some((current, limit)) = look.positive("/stats/pids").zip(limit) else { return };
    if current.saturating_mul(100) / limit < NEAR_PERCENT {
        return;
    }
    findings.risk(
        Class::Pressure,
        Code::PidsNearLimit,
        (
            "It has nearly as many processes and threads as it may: soon it cannot start another one.".to_owned(),
            format!("{current} of {limit}"),
            format!("Look at `docker top {}` for processes that pile up or are never waited for; raise `pids_limit` if the work needs it.", look.name()),
        ),
    );
}

fn cpu(look: &Look<'_>, findings: &mut Findings) {
    let samples = look.list("/samples");
    let pair = samples.first().zip(samples.last()).filter(|_| 1 < samples.len());
    let count =
        |sample: &Value, key: &str| sample.get(key).and_then(number).and_then(|value| u64::try_from(value).ok());
    // Between two samples, or else since its start.
    let since = |key: &str| match pair {
        Some((first, last)) => Some(count(last, key)?.saturating_sub(count(first, key)?)),
        None => count(look.at("/stats")?, key),
    };
    if let Some((periods, throttled)) = since("cpu_periods").zip(since("cpu_throttled_periods"))
        && PERIODS_MIN <= periods
        && THROTTLED_PERCENT <= throttled.saturating_mul(100) / periods
    {
        findings.risk(
            Class::Pressure,
            Code::CpuThrottled,
            (
                "Its CPU limit holds it back: it has to wait though it has work to do, and everything takes longer."
                    .to_owned(),
                format!("{throttled} of {periods} periods throttled"),
                "Raise the CPU limit (`docker update --cpus`, or the step update_limits), or find what uses the CPU."
                    .to_owned(),
            ),
        );
        return;
    }
    if pair.is_some()
        && let Some((own, system)) = since("cpu_ms").zip(since("system_cpu_ms"))
        && let Some(cpus) = look.positive("/stats/cpus")
        && 1000 <= system
        && system.saturating_mul(95) <= own.saturating_mul(100).saturating_mul(cpus)
    {
        let percent = own.saturating_mul(100).saturating_mul(cpus) / system;
        findings.risk(
            Class::Hint,
            Code::CpuBusy,
            (
                format!("It uses {percent} % of one CPU, without a pause: an endless loop, or simply much work."),
                format!("{own} ms of CPU while the machine's {cpus} CPUs had {system} ms"),
                format!("Look at `docker top {} -o pid,pcpu,comm`.", look.name()),
            ),
        );
    }
}
