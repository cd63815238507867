//! Exact sliding windows over past attempts, rebuilt from the log at every start.
//!
//! An attempt is charged when a run first intends to change something (or, for a run that changes nothing, when it is
//! decided). Refusals are never charged. Targets are known by name, so a recreated container keeps its history.
//! Dry runs are counted apart, so that a dry run decides as the real one would.

use crate::model::id::IncidentId;
use crate::model::limit::{MEMORY, Window};
use crate::model::moment::Moment;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// One run that was charged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The run.
    pub incident: IncidentId,
    /// Its playbook.
    pub playbook: Arc<str>,
    /// Its target's name, if it has one.
    pub target: Option<Arc<str>>,
    /// When it was charged.
    pub at: Moment,
    /// When its incident closed, or the try ended; `None` while it is under way.
    pub ended: Option<Moment>,
    /// Whether it was a dry run.
    pub dry_run: bool,
}

/// All attempts that may still count, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger(VecDeque<Attempt>);

/// A window without room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full {
    /// Which window.
    pub window: Window,
    /// How many attempts it holds.
    pub used: usize,
    /// When the next attempt fits, from now.
    pub room_in: Duration,
}

impl Ledger {
    /// Charges an attempt and forgets those that no window can hold any more.
    pub fn charge(&mut self, attempt: Attempt) {
        let now = attempt.at;
        while self.0.front().is_some_and(|oldest| oldest.ended.is_some() && MEMORY < now.since(&oldest.at)) {
            self.0.pop_front();
        }
        self.0.push_back(attempt);
    }

    /// Notes that the run of an incident, or the try under way, is over.
    pub fn end(&mut self, incident: IncidentId, at: Moment) {
        let under_way = |attempt: &&mut Attempt| attempt.incident == incident && attempt.ended.is_none();
        if let Some(attempt) = self.0.iter_mut().rev().find(under_way) {
            attempt.ended = Some(at);
        }
    }

    /// Whether the incident has been charged for what is under way.
    #[must_use]
    pub fn has_charged(&self, incident: IncidentId) -> bool {
        self.0.iter().rev().any(|attempt| attempt.incident == incident && attempt.ended.is_none())
    }

    /// The first of the windows that has no room for another attempt, counting only what `counts` selects.
    #[must_use]
    pub fn first_full(&self, windows: &[Window], now: &Moment, counts: impl Fn(&Attempt) -> bool) -> Option<Full> {
        windows.iter().find_map(|window| {
            let mut left: Vec<Duration> = self
                .0
                .iter()
                .filter(|attempt| counts(attempt))
                .map(|attempt| now.remaining(&attempt.at, window.per))
                .filter(|left| !left.is_zero())
                .collect();
            let runs = usize::try_from(window.runs).unwrap_or(usize::MAX);
            if left.len() < runs {
                return None;
            }
            left.sort_unstable();
            let room_in = left.get(left.len() - runs).copied().unwrap_or(window.per);
            Some(Full { window: *window, used: left.len(), room_in })
        })
    }

    /// How much of the cooldown is left after the latest attempt that `counts` selects; zero if none.
    ///
    /// A run still under way has not begun to cool down: its whole cooldown is left.
    #[must_use]
    pub fn cooling(&self, cooldown: Duration, now: &Moment, counts: impl Fn(&Attempt) -> bool) -> Duration {
        let left = |attempt: &Attempt| match &attempt.ended {
            Some(ended) => now.remaining(ended, cooldown),
            None => cooldown,
        };
        self.0.iter().filter(|attempt| counts(attempt)).map(left).max().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::id::Seq;
    use chrono::DateTime;

    fn at(minutes: u64) -> Moment {
        let wall = DateTime::from_timestamp(1_800_000_000 + i64::try_from(minutes * 60).unwrap(), 0).unwrap();
        Moment { wall, passed_ms: minutes * 60_000 }
    }

    fn attempt(minutes: u64) -> Attempt {
        let ended = Some(at(minutes));
        let incident = IncidentId(Seq(minutes));
        Attempt { incident, playbook: "p".into(), target: None, at: at(minutes), ended, dry_run: false }
    }

    fn minutes(count: u64) -> Duration {
        Duration::from_secs(count * 60)
    }

    #[test]
    fn never_more_runs_in_any_true_window_than_its_limit() {
        // The trap of token buckets: 3 per hour must not let a fourth through at minute 20.
        let mut ledger = Ledger::default();
        let window = [Window { runs: 3, per: minutes(60) }];
        for minute in [0, 1, 2] {
            assert_eq!(ledger.first_full(&window, &at(minute), |_| true), None, "minute {minute}");
            ledger.charge(attempt(minute));
        }
        for (minute, room_in) in [(2, 58), (20, 40), (59, 1)] {
            let full = ledger.first_full(&window, &at(minute), |_| true).unwrap();
            assert_eq!((full.used, full.room_in), (3, minutes(room_in)), "minute {minute}");
        }
        assert_eq!(ledger.first_full(&window, &at(60), |_| true), None);
    }

    #[test]
    fn every_window_must_have_room() {
        let mut ledger = Ledger::default();
        ledger.charge(attempt(0));
        ledger.charge(attempt(100));
        let windows = [Window { runs: 2, per: minutes(60) }, Window { runs: 2, per: minutes(1440) }];
        let full = ledger.first_full(&windows, &at(170), |_| true).unwrap();
        assert_eq!(full.window, windows[1]);
    }

    #[test]
    fn cooldown_counts_from_the_end_of_the_attempt() {
        let mut ledger = Ledger::default();
        ledger.charge(Attempt { ended: None, ..attempt(0) });
        assert_eq!(ledger.cooling(minutes(5), &at(60), |_| true), minutes(5), "still under way");
        ledger.end(IncidentId(Seq(0)), at(60));
        assert_eq!(ledger.cooling(minutes(5), &at(62), |_| true), minutes(3));
        assert_eq!(ledger.cooling(minutes(5), &at(65), |_| true), Duration::ZERO);
    }
}
