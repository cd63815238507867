//! Exact sliding windows over past attempts, rebuilt from the log at every start.
//!
//! An attempt is charged when a run first intends to change something (or, for a run that changes nothing, when it is
//! decided). Refusals are never charged. Targets are known by name, so a recreated container keeps its history.
//! Dry runs are counted apart, so that a dry run decides as the real one would.

use crate::model::id::IncidentId;
use crate::model::limit::{MEMORY, Window};
use crate::model::memory::Attempt;
use crate::model::moment::Moment;
use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

/// All attempts that may still count, oldest first.
///
/// What is under way and what ended lately is found without looking at all of them: a month may hold many.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    attempts: VecDeque<Attempt>,
    /// How many were forgotten: the number of the oldest that is left.
    forgotten: usize,
    /// The numbers of those under way.
    under_way: BTreeSet<usize>,
    /// The numbers of those that ended, in the order of their ends.
    ended: VecDeque<usize>,
}

/// The rest follows from the attempts.
impl PartialEq for Ledger {
    fn eq(&self, other: &Self) -> bool {
        self.attempts == other.attempts
    }
}

impl Eq for Ledger {}

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
    /// As it was saved.
    #[must_use]
    pub fn from_memory(attempts: &[Attempt]) -> Self {
        let mut ledger = Self::default();
        ledger.number(attempts.iter().cloned().collect());
        ledger
    }

    /// All of it, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Attempt> {
        self.attempts.iter()
    }

    /// Charges an attempt and forgets those that no window can hold any more.
    pub fn charge(&mut self, attempt: Attempt) {
        let now = attempt.at;
        while self.attempts.front().is_some_and(|oldest| oldest.ended.is_some() && MEMORY < now.since(&oldest.at)) {
            self.attempts.pop_front();
            self.forgotten += 1;
        }
        while self.ended.front().is_some_and(|number| *number < self.forgotten) {
            self.ended.pop_front();
        }
        let number = self.forgotten + self.attempts.len();
        if attempt.ended.is_some() {
            self.ended.push_back(number);
        } else {
            self.under_way.insert(number);
        }
        self.attempts.push_back(attempt);
    }

    /// Notes that the run of an incident, or the try under way, is over.
    pub fn end(&mut self, incident: IncidentId, at: Moment) {
        let number = self.under_way.iter().rev().find(|number| self.is_of(**number, incident)).copied();
        let Some(number) = number else { return };
        self.under_way.remove(&number);
        self.ended.push_back(number);
        if let Some(attempt) = self.attempts.get_mut(number - self.forgotten) {
            attempt.ended = Some(at);
        }
    }

    /// Takes back what an incident was charged with when its run began, because it went back before it did anything.
    pub fn withdraw(&mut self, incident: IncidentId) {
        if self.has_charged(incident) {
            let mut attempts = std::mem::take(&mut self.attempts);
            attempts.retain(|attempt| attempt.incident != incident || attempt.ended.is_some());
            self.number(attempts);
        }
    }

    /// Whether the incident has been charged for what is under way.
    #[must_use]
    pub fn has_charged(&self, incident: IncidentId) -> bool {
        self.under_way.iter().any(|number| self.is_of(*number, incident))
    }

    fn is_of(&self, number: usize, incident: IncidentId) -> bool {
        self.numbered(number).is_some_and(|attempt| attempt.incident == incident)
    }

    /// The attempt with this number, unless it is forgotten.
    fn numbered(&self, number: usize) -> Option<&Attempt> {
        self.attempts.get(number.checked_sub(self.forgotten)?)
    }

    fn number(&mut self, attempts: VecDeque<Attempt>) {
        let mut ends: Vec<(u64, usize)> = Vec::new();
        self.forgotten = 0;
        self.under_way.clear();
        for (number, attempt) in attempts.iter().enumerate() {
            match &attempt.ended {
                Some(ended) => ends.push((ended.passed_ms, number)),
                None => drop(self.under_way.insert(number)),
            }
        }
        ends.sort_unstable();
        self.ended = ends.into_iter().map(|(_, number)| number).collect();
        self.attempts = attempts;
    }

    /// The first of the windows that has no room for another attempt, counting only what `counts` selects.
    #[must_use]
    pub fn first_full(&self, windows: &[Window], now: &Moment, counts: impl Fn(&Attempt) -> bool) -> Option<Full> {
        windows.iter().find_map(|window| {
            // From the latest on, and no further than the window reaches: they stand in the order of their time.
            let latest = self.attempts.iter().rev().map(|attempt| (attempt, now.remaining(&attempt.at, window.per)));
            let within = latest.take_while(|(_, left)| !left.is_zero());
            let mut left: Vec<Duration> = within.filter(|(attempt, _)| counts(attempt)).map(|(_, left)| left).collect();
            let runs = usize::try_from(window.runs).unwrap_or(usize::MAX);
            if left.len() < runs {
                return None;
            }
            left.sort_unstable();
            let room_in = left.get(left.len() - runs).copied().unwrap_or(window.per);
            Some(Full { window: *window, used: left.len(), room_in })
        })
    }

    /// How many attempts a window holds, counting only what `counts` selects.
    #[must_use]
    pub fn used(&self, window: &Window, now: &Moment, counts: impl Fn(&Attempt) -> bool) -> usize {
        let within = self.attempts.iter().rev().take_while(|attempt| !now.remaining(&attempt.at, window.per).is_zero());
        within.filter(|attempt| counts(attempt)).count()
    }

    /// How much of the cooldown is left after the latest attempt that `counts` selects; zero if none.
    ///
    /// A run still under way has not begun to cool down: its whole cooldown is left.
    #[must_use]
    pub fn cooling(&self, cooldown: Duration, now: &Moment, counts: impl Fn(&Attempt) -> bool) -> Duration {
        if self.under_way.iter().filter_map(|number| self.numbered(*number)).any(&counts) {
            return cooldown;
        }
        // The latest end comes first: what is no longer cooling has only such before it.
        let latest = self.ended.iter().rev().filter_map(|number| self.numbered(*number));
        let left = latest.map(|attempt| (attempt, attempt.ended.map_or(cooldown, |end| now.remaining(&end, cooldown))));
        let mut cooling = left.take_while(|(_, left)| !left.is_zero());
        cooling.find(|(attempt, _)| counts(attempt)).map(|(_, left)| left).unwrap_or_default()
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
        Attempt {
            incident,
            playbook: "p".into(),
            target: None,
            at: at(minutes),
            ended,
            dry_run: false,
            aftercare: false,
            key: Vec::new(),
        }
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
    fn what_is_withdrawn_was_never_charged_and_what_has_ended_stays() {
        let mut ledger = Ledger::default();
        let under_way = Attempt { ended: None, ..attempt(1) };
        for attempt in [attempt(0), Attempt { ended: Some(at(1)), ..attempt(1) }, under_way] {
            ledger.charge(attempt);
        }
        ledger.withdraw(IncidentId(Seq(1)));
        assert_eq!(ledger.iter().map(|attempt| attempt.ended.is_some()).collect::<Vec<_>>(), [true, true]);
        assert_eq!(ledger.cooling(minutes(5), &at(60), |_| true), Duration::ZERO);
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

    /// Whatever happens to it, it answers as one that looks at every attempt, and as one that was saved and read.
    #[test]
    fn what_is_found_quickly_is_what_looking_at_all_would_find() {
        let mut ledger = Ledger::default();
        let mut dice = 1_u64;
        let mut roll = |sides: u64| {
            dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (dice >> 33) % sides
        };
        let day = MEMORY.as_secs() / 60 / 31;
        for step in 0..4000_u64 {
            // So that many are forgotten on the way.
            let now = step * day / 40;
            let incident = IncidentId(Seq(roll(12)));
            match roll(5) {
                0 | 1 if !ledger.has_charged(incident) => {
                    let ended = (roll(3) == 0).then(|| at(now));
                    ledger.charge(Attempt { incident, ended, ..attempt(now) });
                }
                2 | 3 => ledger.end(incident, at(now)),
                _ if roll(4) == 0 => ledger.withdraw(incident),
                _ => {}
            }
            let (cooldown, now, half) = (minutes(roll(3 * day)), at(now), |attempt: &Attempt| attempt.incident.0.0 < 6);
            let left = |attempt: &Attempt| attempt.ended.map_or(cooldown, |end| now.remaining(&end, cooldown));
            let slow = ledger.iter().filter(|attempt| half(attempt)).map(left).max().unwrap_or_default();
            assert_eq!(ledger.cooling(cooldown, &now, half), slow, "step {step}");
            for incident in (0..12).map(|number| IncidentId(Seq(number))) {
                let slow = ledger.iter().any(|attempt| attempt.incident == incident && attempt.ended.is_none());
                assert_eq!(ledger.has_charged(incident), slow, "step {step}");
            }
            if step % 100 == 0 {
                let attempts: Vec<Attempt> = ledger.iter().cloned().collect();
                let read = Ledger::from_memory(&attempts);
                assert_eq!(read, ledger);
                assert_eq!(read.cooling(cooldown, &now, half), slow, "step {step}");
            }
        }
        assert!(0 < ledger.forgotten && ledger.iter().count() < 2000, "{} are left", ledger.iter().count());
    }
}
