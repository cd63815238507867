//! The virtual time: what passes in truth, and what the machine's clocks say about it.

use crate::model::stamp::{BootId, Stamp};
use chrono::{DateTime, Utc};
use std::fmt;
use std::time::Duration;

/// The wall clock's reading at the beginning, in milliseconds since 1970: 2027-01-15T08:00:00Z.
const BEGAN_MS: i64 = 1_800_000_000_000;

/// How long the machine has been up at the beginning, in milliseconds.
const UP_AT_FIRST_MS: u64 = 1_000_000;

/// How long a machine is up when its programs start, in milliseconds.
pub(super) const UP_AT_START_MS: u64 = 5_000;

/// True time since the beginning, in milliseconds. No program can read it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SimTime(pub u64);

impl SimTime {
    /// The time this much later.
    #[must_use]
    pub fn after(self, span: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(span.as_millis()).unwrap_or(u64::MAX)))
    }

    /// How much time has passed since `earlier`.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// What a clock that was never wrong would say in a world that began when worlds begin by default.
    #[must_use]
    pub fn true_wall(self) -> DateTime<Utc> {
        wall(BEGAN_MS.saturating_add_unsigned(self.0))
    }
}

impl fmt::Display for SimTime {
    /// `1:02:03.456`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (secs, millis) = (self.0 / 1000, self.0 % 1000);
        write!(f, "{}:{:02}:{:02}.{millis:03}", secs / 3600, secs / 60 % 60, secs % 60)
    }
}

/// The machine's clocks.
#[derive(Clone, Debug)]
pub struct Clock {
    now: SimTime,
    /// The wall clock's reading at the beginning, in milliseconds since 1970.
    began_ms: i64,
    /// How far the wall clock is ahead of the truth.
    wrong_by_ms: i64,
    booted: SimTime,
    up_when_booted_ms: u64,
    boots: u32,
}

impl Default for Clock {
    fn default() -> Self {
        let (now, booted) = (SimTime(0), SimTime(0));
        Self { now, began_ms: BEGAN_MS, wrong_by_ms: 0, booted, up_when_booted_ms: UP_AT_FIRST_MS, boots: 1 }
    }
}

impl Clock {
    /// Clocks that show this at the beginning.
    #[must_use]
    pub(super) fn beginning_at(wall: DateTime<Utc>) -> Self {
        Self { began_ms: wall.timestamp_millis(), ..Self::default() }
    }

    /// What a clock that was never wrong says at a time: [`SimTime::true_wall`] where the beginning was set.
    #[must_use]
    pub fn true_wall(&self, at: SimTime) -> DateTime<Utc> {
        wall(self.began_ms.saturating_add_unsigned(at.0))
    }

    /// True time.
    #[must_use]
    pub fn now(&self) -> SimTime {
        self.now
    }

    /// What a program on the machine reads.
    #[must_use]
    pub fn stamp(&self) -> Stamp {
        let up_ms = self.now.0.saturating_sub(self.booted.0) + self.up_when_booted_ms;
        Stamp { wall: self.wall(), up_ms, boot: BootId(self.boots) }
    }

    /// The wall clock.
    #[must_use]
    pub fn wall(&self) -> DateTime<Utc> {
        wall(self.began_ms.saturating_add_unsigned(self.now.0).saturating_add(self.wrong_by_ms))
    }

    /// How often the machine was booted.
    #[must_use]
    pub fn boots(&self) -> u32 {
        self.boots
    }

    pub(super) fn advance_to(&mut self, time: SimTime) {
        self.now = self.now.max(time);
    }

    /// Somebody sets the wall clock.
    pub(super) fn set_wall_by(&mut self, by_ms: i64) {
        self.wrong_by_ms = self.wrong_by_ms.saturating_add(by_ms);
    }

    /// The machine comes up again: another boot, and its boot clock starts anew.
    pub(super) fn boot(&mut self) {
        self.boots += 1;
        self.booted = self.now;
        self.up_when_booted_ms = UP_AT_START_MS;
    }
}

fn wall(millis: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(millis).unwrap_or(DateTime::UNIX_EPOCH)
}
