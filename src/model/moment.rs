//! A place in the time that has surely passed. The engine measures with moments; a [`Stamp`](super::stamp::Stamp) is only
//! what the clocks said.
//!
//! Within one boot the difference of two moments is exact, whatever the wall clock did. Across boots it is a lower bound:
//! how long the machine was off is known to the wall clock alone, and that may have been set. So whatever opens a limit
//! asks [`Moment::since`], which never says too much, and whatever makes something too old asks
//! [`Moment::perhaps_since`], which never says too little.

use chrono::{DateTime, Utc};
use std::time::Duration;

/// A moment on the timeline of one log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Wall clock, UTC. May go backwards between moments.
    pub wall: DateTime<Utc>,
    /// Milliseconds that have surely passed since the log's first record. Never goes backwards.
    pub passed_ms: u64,
}

impl Moment {
    /// How much time has surely passed since `earlier`: never more than in truth.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Duration {
        Duration::from_millis(self.passed_ms.saturating_sub(earlier.passed_ms))
    }

    /// How much time may have passed since `earlier`, by whichever clock says more.
    #[must_use]
    pub fn perhaps_since(&self, earlier: &Self) -> Duration {
        let wall = (self.wall - earlier.wall).to_std().unwrap_or_default();
        wall.max(self.since(earlier))
    }

    /// How much of `span`, counted from `earlier`, is still to come at most; zero once it is surely over.
    #[must_use]
    pub fn remaining(&self, earlier: &Self, span: Duration) -> Duration {
        span.saturating_sub(self.since(earlier))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(wall_s: i64, passed_s: u64) -> Moment {
        let wall = DateTime::from_timestamp(1_800_000_000 + wall_s, 0).unwrap();
        Moment { wall, passed_ms: passed_s * 1000 }
    }

    #[test]
    fn limits_believe_the_time_that_surely_passed_and_age_believes_the_later_clock() {
        let earlier = moment(0, 1_000);
        for (name, later, surely_s, perhaps_s) in [
            ("both clocks agree", moment(60, 1_060), 60, 60),
            ("wall a day ahead", moment(86_460, 1_060), 60, 86_460),
            ("wall a day back", moment(-86_340, 1_060), 60, 60),
            ("no time at all", moment(0, 1_000), 0, 0),
        ] {
            assert_eq!(later.since(&earlier).as_secs(), surely_s, "{name}");
            assert_eq!(later.perhaps_since(&earlier).as_secs(), perhaps_s, "{name}");
        }
        assert_eq!(moment(0, 1_060).remaining(&earlier, Duration::from_secs(100)).as_secs(), 40);
    }
}
