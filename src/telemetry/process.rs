//! The `process_*` metrics every Prometheus client exposes, read from `/proc/self` when somebody asks.

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use rustix::process::{Resource, getrlimit};
use rustix::time::{ClockId, clock_gettime};

/// Reads the process's own figures. What cannot be read is left out.
#[derive(Debug)]
pub(super) struct Process {
    /// When the process started, in seconds since 1970.
    pub(super) started_at: f64,
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let cpu = ConstCounter::new(cpu_seconds());
        let to = encoder.encode_descriptor("process_cpu_seconds", "CPU time used", None, MetricType::Counter)?;
        cpu.encode(to)?;
        let mut gauge = |name, help, value: Option<f64>| {
            let Some(value) = value else { return Ok(()) };
            ConstGauge::new(value).encode(encoder.encode_descriptor(name, help, None, MetricType::Gauge)?)
        };
        gauge("process_start_time_seconds", "When the process started", Some(self.started_at))?;
        gauge("process_resident_memory_bytes", "Memory that is in RAM", status_bytes("VmRSS:"))?;
        gauge("process_virtual_memory_bytes", "Address space", status_bytes("VmSize:"))?;
        gauge("process_open_fds", "Open file descriptors", open_fds())?;
        gauge("process_max_fds", "The most file descriptors that may be open", max_fds())
    }
}

fn cpu_seconds() -> f64 {
    let spent = clock_gettime(ClockId::ProcessCPUTime);
    std::time::Duration::try_from(spent).unwrap_or_default().as_secs_f64()
}

/// A line such as `VmRSS:    5024 kB` of `/proc/self/status`.
fn status_bytes(field: &str) -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    let kibibytes: u32 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(f64::from(kibibytes) * 1024.0)
}

fn open_fds() -> Option<f64> {
    // The directory that is being read has a descriptor of its own.
    let count = std::fs::read_dir("/proc/self/fd").ok()?.count().saturating_sub(1);
    u32::try_from(count).ok().map(f64::from)
}

fn max_fds() -> Option<f64> {
    let limit = getrlimit(Resource::Nofile).current?;
    Some(u32::try_from(limit).map_or(f64::from(u32::MAX), f64::from))
}
