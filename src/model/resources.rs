//! The memory and CPU that a container may use, and what a change of them is.
//!
//! A change holds the whole of both, so that looking later tells whether it happened. Read [`ResourceLimits`] first.

/// What Docker lets a container use: `HostConfig` as inspect shows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResourceLimits {
    /// `Memory`, in bytes; 0 for as much as there is.
    pub memory: u64,
    /// `MemorySwap`: memory and swap together, in bytes; -1 for as much as there is, 0 for Docker's default.
    pub memory_swap: i64,
    /// `NanoCpus`: billionths of a CPU; 0 for as much as there is.
    pub nano_cpus: u64,
    /// Whether CPU time is limited by a quota, which does not go together with `NanoCpus`.
    pub cpu_quota: bool,
}

/// From which limits to which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitsChange {
    /// As they were when it was decided.
    pub from: ResourceLimits,
    /// As they are to be.
    pub to: ResourceLimits,
}

impl ResourceLimits {
    /// The same with this much memory. Swap goes along in the same ratio: Docker refuses more memory than swap.
    #[must_use]
    pub fn with_memory(self, memory: u64) -> Self {
        let doubled = || i64::try_from(memory.saturating_mul(2)).unwrap_or(i64::MAX);
        let memory_swap = match u128::try_from(self.memory_swap) {
            // As much swap as there is stays so.
            Err(_negative) => self.memory_swap,
            Ok(0) => doubled(),
            Ok(swap) if self.memory != 0 => {
                let scaled = swap.saturating_mul(u128::from(memory)) / u128::from(self.memory);
                i64::try_from(scaled.max(u128::from(memory))).unwrap_or(i64::MAX)
            }
            Ok(_) => doubled(),
        };
        Self { memory, memory_swap, ..self }
    }
}

/// Of how many parts of a memory limit one must be free where the limit is lowered: processes grow between a look and
/// the call, and what has no room is killed.
const FREE_PART: u64 = 5;

/// The most memory that may be in use where a limit is lowered to this.
#[must_use]
pub fn in_use_max(limit: u64) -> u64 {
    limit - limit.div_ceil(FREE_PART)
}

impl LimitsChange {
    /// Whether more memory or CPUs are given.
    #[must_use]
    pub fn raises(&self) -> bool {
        self.from.memory < self.to.memory || self.from.nano_cpus < self.to.nano_cpus
    }

    /// In words: `memory from 512.0 MiB to 768.0 MiB`.
    #[must_use]
    pub fn words(&self) -> String {
        let mut parts = Vec::new();
        if self.from.memory != self.to.memory {
            parts.push(format!("memory from {} to {}", mebibytes(self.from.memory), mebibytes(self.to.memory)));
        }
        if self.from.nano_cpus != self.to.nano_cpus {
            parts.push(format!("CPUs from {} to {}", cpus(self.from.nano_cpus), cpus(self.to.nano_cpus)));
        }
        parts.join(", ")
    }
}

/// Bytes, for people.
#[must_use]
pub fn mebibytes(bytes: u64) -> String {
    // Tenths are cut, not rounded: a limit is never shown as more than it is.
    let tenths = bytes / (1024 * 1024 / 10);
    format!("{}.{} MiB", tenths / 10, tenths % 10)
}

/// Billionths of a CPU, for people.
#[must_use]
pub fn cpus(nano: u64) -> String {
    format!("{}.{:02}", nano / 1_000_000_000, nano % 1_000_000_000 / 10_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn swap_goes_along_with_memory() {
        for (memory, swap, to, want) in [
            (100, 200, 150, 300),
            (100, 100, 150, 150),
            (100, -1, 150, -1),
            (100, 0, 150, 300),
            (0, 500, 150, 300),
            (100, 50, 150, 150),
            (u64::MAX, i64::MAX, u64::MAX, i64::MAX),
        ] {
            let limits = ResourceLimits { memory, memory_swap: swap, ..ResourceLimits::default() };
            assert_eq!(limits.with_memory(to).memory_swap, want, "{memory} {swap} {to}");
        }
    }

    #[test]
    fn a_fifth_of_a_limit_stays_free() {
        for (limit, want) in
            [(0, 0), (1, 0), (5, 4), (100, 80), (101, 80), (512 << 20, 429_496_729), (u64::MAX, u64::MAX / 5 * 4)]
        {
            assert_eq!(in_use_max(limit), want, "{limit}");
        }
    }

    #[test]
    fn a_change_says_what_changes() {
        let from = ResourceLimits { memory: 512 << 20, nano_cpus: 500_000_000, ..ResourceLimits::default() };
        let to = ResourceLimits { nano_cpus: 1_250_000_000, ..from.with_memory(768 << 20) };
        assert_eq!(LimitsChange { from, to }.words(), "memory from 512.0 MiB to 768.0 MiB, CPUs from 0.50 to 1.25");
    }
}
