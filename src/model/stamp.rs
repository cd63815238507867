//! When something happened, on two clocks: the wall clock for people, boot time for limits.
//!
//! Wall time may jump; `CLOCK_BOOTTIME` does not and runs through suspend, but starts anew with each boot. What that
//! proves about elapsed time is `engine::timeline`'s part.

use chrono::{DateTime, Utc};
use std::fmt;
use std::time::Duration;

/// The first 8 hex digits of the kernel's boot id: which boot a [`Stamp`]'s `up_ms` counts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BootId(pub u32);

impl fmt::Display for BootId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

/// A moment: wall time (information), milliseconds since boot, and which boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Wall clock, UTC. May go backwards between records.
    pub wall: DateTime<Utc>,
    /// `CLOCK_BOOTTIME` in milliseconds.
    pub up_ms: u64,
    /// Which boot `up_ms` counts from.
    pub boot: BootId,
}

impl Stamp {
    /// How much time passed since `earlier` as far as the clocks alone tell, for people and metrics: the difference of
    /// boot times within one boot, and of wall times across boots. Limits ask [`super::moment::Moment`] instead.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Duration {
        if self.boot == earlier.boot {
            return Duration::from_millis(self.up_ms.saturating_sub(earlier.up_ms));
        }
        (self.wall - earlier.wall).to_std().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(wall_s: i64, up_s: u64, boot: u32) -> Stamp {
        let wall = DateTime::from_timestamp(1_800_000_000 + wall_s, 0).unwrap();
        Stamp { wall, up_ms: up_s * 1000, boot: BootId(boot) }
    }

    #[test]
    fn within_a_boot_the_boot_clock_tells_and_across_boots_the_wall_clock() {
        let earlier = stamp(0, 1_000, 1);
        for (name, later, want_s) in [
            ("same boot", stamp(60, 1_060, 1), 60),
            ("same boot, wall a day ahead", stamp(86_460, 1_060, 1), 60),
            ("same boot, wall a day back", stamp(-86_340, 1_060, 1), 60),
            ("rebooted 30 s ago", stamp(100, 30, 2), 100),
            ("rebooted, wall set back", stamp(-5_000, 30, 2), 0),
        ] {
            assert_eq!(later.since(&earlier).as_secs(), want_s, "{name}");
        }
    }
}
