//! The only place that reads a clock for decisions: wall time, boot time and the boot id as one [`Stamp`].

use crate::model::stamp::{BootId, Stamp};
use chrono::Utc;
use std::fmt;
use std::sync::Arc;

/// Where "now" comes from. Cheap to clone.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Stamp + Send + Sync>);

impl Clock {
    /// The machine's clocks: wall time, `CLOCK_BOOTTIME`, and the kernel's boot id.
    ///
    /// # Errors
    /// Why `/proc/sys/kernel/random/boot_id` could not be read: without it, limits could not tell one boot from another.
    pub fn system() -> Result<Self, std::io::Error> {
        const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";
        let text = std::fs::read_to_string(BOOT_ID)?;
        let digits = text.get(..8).and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let boot = digits.map(BootId).ok_or_else(|| std::io::Error::other(format!("{BOOT_ID} holds no boot id")))?;
        Ok(Self::from_fn(move || Stamp { wall: wall_clock(), up_ms: boot_time_ms(), boot }))
    }

    /// A clock of one's own making, for tests that set the time.
    pub fn from_fn(now: impl Fn() -> Stamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// The present moment.
    #[must_use]
    pub fn now(&self) -> Stamp {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the place that reads the wall clock")]
fn wall_clock() -> chrono::DateTime<Utc> {
    // The log keeps microseconds: what was decided must read back as the same moment.
    let now = Utc::now();
    chrono::DateTime::from_timestamp_micros(now.timestamp_micros()).unwrap_or(now)
}

fn boot_time_ms() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let whole = u64::try_from(time.tv_sec).unwrap_or_default() * 1000;
    whole + u64::try_from(time.tv_nsec).unwrap_or_default() / 1_000_000
}
