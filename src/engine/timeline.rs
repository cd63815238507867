//! The log's own time: what its records prove to have passed, across restarts, reboots and clocks that were set.
//!
//! Each boot begins where the last record of the boot before it stood, so the time the machine was off counts as none.
//! That makes limits stricter than they need be after a reboot, and never looser (`CLOCK_BOOTTIME`, `clock_gettime(2)`).

use crate::model::fact::ClockJumped;
use crate::model::moment::Moment;
use crate::model::stamp::Stamp;
use chrono::TimeDelta;

/// The wall clock may drift from the boot clock by this much between two records before it counts as a jump, and by
/// [`DRIFT_PER_MILLE`] of the time between them: clocks are slewed.
const JUMP_MIN_MS: i64 = 2_000;

/// How far a slewed clock may drift, in thousandths. `adjtimex(2)` allows half of that.
const DRIFT_PER_MILLE: i64 = 1;

/// Where the log's time stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timeline {
    last: Option<Last>,
}

/// The last record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Last {
    stamp: Stamp,
    passed_ms: u64,
}

impl Timeline {
    /// As it was saved.
    #[must_use]
    pub fn from_memory(clock: Option<(Stamp, u64)>) -> Self {
        Self { last: clock.map(|(stamp, passed_ms)| Last { stamp, passed_ms }) }
    }

    /// When the last record was written, and how much time is proven to have passed until then, in milliseconds.
    #[must_use]
    pub fn remembered(&self) -> Option<(Stamp, u64)> {
        self.last.map(|last| (last.stamp, last.passed_ms))
    }

    /// Where a stamp stands. A stamp from before the last record counts as the same moment.
    #[must_use]
    pub fn moment(&self, stamp: &Stamp) -> Moment {
        let passed_ms = match self.last {
            None => 0,
            Some(last) if last.stamp.boot == stamp.boot => {
                last.passed_ms + stamp.up_ms.saturating_sub(last.stamp.up_ms)
            }
            // This boot began after the last record, so at least its uptime has passed since.
            Some(last) => last.passed_ms + stamp.up_ms,
        };
        Moment { wall: stamp.wall, passed_ms }
    }

    /// Moves on to a record.
    pub fn advance(&mut self, stamp: &Stamp) -> Moment {
        let moment = self.moment(stamp);
        let stamp = match self.last {
            // Boot time does not run backwards; if a record says so, the later one is kept.
            Some(last) if last.stamp.boot == stamp.boot && stamp.up_ms < last.stamp.up_ms => {
                Stamp { up_ms: last.stamp.up_ms, ..*stamp }
            }
            Some(_) | None => *stamp,
        };
        self.last = Some(Last { stamp, passed_ms: moment.passed_ms });
        moment
    }

    /// Whether the wall clock was set since the last record: it moved otherwise than the boot clock, or, across a reboot,
    /// it went backwards.
    #[must_use]
    pub fn jump(&self, now: &Stamp) -> Option<ClockJumped> {
        let last = self.last?.stamp;
        let wall = now.wall - last.wall;
        let (by, allowed_ms) = if now.boot == last.boot {
            let passed = i64::try_from(now.up_ms.saturating_sub(last.up_ms)).unwrap_or(i64::MAX);
            (wall - TimeDelta::milliseconds(passed), JUMP_MIN_MS + passed.saturating_mul(DRIFT_PER_MILLE) / 1000)
        } else {
            (wall.min(TimeDelta::zero()), JUMP_MIN_MS)
        };
        let by_ms = by.num_milliseconds();
        (allowed_ms < by_ms.abs()).then_some(ClockJumped { by_ms, rebooted: now.boot != last.boot })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::stamp::BootId;
    use chrono::DateTime;
    use std::time::Duration;

    fn stamp(wall_s: i64, up_s: u64, boot: u32) -> Stamp {
        let wall = DateTime::from_timestamp(1_800_000_000 + wall_s, 0).unwrap();
        Stamp { wall, up_ms: up_s * 1000, boot: BootId(boot) }
    }

    #[test]
    fn time_never_passes_faster_than_the_records_prove() {
        for (name, later, want_s) in [
            ("same boot", stamp(60, 1_060, 1), 60),
            ("same boot, wall a day ahead", stamp(86_460, 1_060, 1), 60),
            ("same boot, wall a day back", stamp(-86_340, 1_060, 1), 60),
            ("same boot, boot clock behind", stamp(60, 900, 1), 0),
            ("rebooted 30 s ago", stamp(100, 30, 2), 30),
            ("rebooted, wall a day ahead", stamp(86_500, 30, 2), 30),
            ("rebooted, wall set back", stamp(-5_000, 30, 2), 30),
        ] {
            let mut timeline = Timeline::default();
            let earlier = timeline.advance(&stamp(0, 1_000, 1));
            assert_eq!(timeline.moment(&later).since(&earlier), Duration::from_secs(want_s), "{name}");
            assert_eq!(
                timeline.advance(&later),
                timeline.moment(&Stamp { up_ms: 0, ..later }),
                "{name}: not backwards"
            );
        }
    }

    #[test]
    fn boots_follow_each_other() {
        let mut timeline = Timeline::default();
        let first = timeline.advance(&stamp(0, 5_000, 1));
        timeline.advance(&stamp(50, 5_050, 1));
        timeline.advance(&stamp(500, 20, 2));
        timeline.advance(&stamp(510, 30, 2));
        assert_eq!(timeline.moment(&stamp(900, 7, 3)).since(&first), Duration::from_secs(50 + 30 + 7));
    }

    #[test]
    fn a_wall_clock_that_was_set_is_noticed_and_one_that_is_slewed_is_not() {
        for (name, later, want_ms) in [
            ("in step", stamp(60, 1_060, 1), None),
            ("slewed over a day", stamp(86_443, 87_400, 1), None),
            ("set ahead", stamp(3_660, 1_060, 1), Some(3_600_000)),
            ("set back", stamp(-40, 1_060, 1), Some(-100_000)),
            ("rebooted, off for an hour", stamp(3_660, 30, 2), None),
            ("rebooted, set back", stamp(-100, 30, 2), Some(-100_000)),
        ] {
            let mut timeline = Timeline::default();
            timeline.advance(&stamp(0, 1_000, 1));
            assert_eq!(timeline.jump(&later).map(|jump| jump.by_ms), want_ms, "{name}");
        }
        assert_eq!(Timeline::default().jump(&stamp(0, 1, 1)), None, "an empty log");
    }
}
