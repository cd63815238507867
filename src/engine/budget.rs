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

/// How full a window is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    /// Which window.
    pub window: Window,
    /// How many attempts it holds.
    pub used: usize,
    /// The attempt whose leaving makes room for one more; `None` of an empty window.
    pub next: Option<Leaving>,
}

/// When an attempt leaves a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leaving {
    /// When it was charged.
    pub charged: Moment,
    /// How long from now it still counts; more than zero.
    pub left: Duration,
}

impl Level {
    /// How many more attempts fit.
    #[must_use]
    pub fn left(&self) -> usize {
        usize::try_from(self.window.runs).unwrap_or(usize::MAX).saturating_sub(self.used)
    }

    /// Whether no other attempt fits.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.left() == 0
    }

    /// When one more attempt than now fits, from now; at once, if the window is empty.
    #[must_use]
    pub fn room_in(&self) -> Duration {
        self.next.map(|next| next.left).unwrap_or_default()
    }
}

/// How much of a cooldown is left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cooling {
    /// So much; zero if nothing is cooling down.
    pub left: Duration,
    /// The whole of it; zero if nothing is cooling down.
    pub whole: Duration,
    /// The end of the attempt that it is counted from; `None` while the attempt is under way, or if there is none.
    pub since: Option<Moment>,
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

    /// How full a window is, counting only what `counts` selects.
    #[must_use]
    pub fn level(&self, window: &Window, now: &Moment, counts: impl Fn(&Attempt) -> bool) -> Level {
        // From the latest on, and no further than the window reaches: they stand in the order of their time.
        let leaving = |attempt: &Attempt| now.remaining(&attempt.at, window.per);
        let latest = self.attempts.iter().rev().map(|attempt| (attempt, leaving(attempt)));
        let within = latest.take_while(|(_, left)| !left.is_zero()).filter(|(attempt, _)| counts(attempt));
        let mut within: Vec<Leaving> = within.map(|(attempt, left)| Leaving { charged: attempt.at, left }).collect();
        within.sort_unstable_by_key(|leaving| leaving.left);
        // Where a limit was lowered, several must leave before there is room for one.
        let runs = usize::try_from(window.runs).unwrap_or(usize::MAX);
        let next = within.get(within.len().saturating_sub(runs)).copied();
        Level { window: *window, used: within.len(), next }
    }

    /// How much of the cooldown is left after the latest attempt that `counts` selects; zero if none.
    ///
    /// A run still under way has not begun to cool down: its whole cooldown is left.
    #[must_use]
    pub fn cooling(&self, cooldown: Duration, now: &Moment, counts: impl Fn(&Attempt) -> bool) -> Cooling {
        if self.under_way.iter().filter_map(|number| self.numbered(*number)).any(&counts) {
            return Cooling { left: cooldown, whole: cooldown, since: None };
        }
        // The latest end comes first: what is no longer cooling has only such before it.
        let latest = self.ended.iter().rev().filter_map(|number| self.numbered(*number));
        let ends = latest.filter_map(|attempt| Some((attempt, attempt.ended?)));
        let left = ends.map(|(attempt, end)| (attempt, end, now.remaining(&end, cooldown)));
        let mut cooling = left.take_while(|(.., left)| !left.is_zero());
        let found = cooling.find(|(attempt, ..)| counts(attempt));
        found.map(|(_, end, left)| Cooling { left, whole: cooldown, since: Some(end) }).unwrap_or_default()
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
        let window = Window { runs: 3, per: minutes(60) };
        for minute in [0, 1, 2] {
            assert!(!ledger.level(&window, &at(minute), |_| true).is_full(), "minute {minute}");
            ledger.charge(attempt(minute));
        }
        for (minute, room_in) in [(2, 58), (20, 40), (59, 1)] {
            let level = ledger.level(&window, &at(minute), |_| true);
            assert_eq!((level.used, level.left(), level.room_in()), (3, 0, minutes(room_in)), "minute {minute}");
        }
        assert!(!ledger.level(&window, &at(60), |_| true).is_full());
    }

    #[test]
    fn a_window_tells_how_many_more_fit_and_when_the_next_comes_back() {
        let level = |charged: &[u64], (runs, per): (u32, u64), now: u64| {
            let mut ledger = Ledger::default();
            charged.iter().for_each(|minute| ledger.charge(attempt(*minute)));
            let level = ledger.level(&Window { runs, per: minutes(per) }, &at(now), |_| true);
            let charged = level.next.map(|next| next.charged.passed_ms / 60_000);
            (level.used, level.left(), charged, level.room_in().as_secs() / 60)
        };
        for (name, charged, window, now, want) in [
            ("nothing", &[][..], (3, 60), 10, (0, 3, None, 0)),
            ("some", &[0, 30], (3, 60), 40, (2, 1, Some(0), 20)),
            ("full: the first to leave makes room", &[0, 1, 2], (3, 60), 2, (3, 0, Some(0), 58)),
            ("a moment before the first leaves", &[0, 1, 2], (3, 60), 59, (3, 0, Some(0), 1)),
            ("it has just left", &[0, 1, 2], (3, 60), 60, (2, 1, Some(1), 1)),
            ("all have left", &[0, 1, 2], (3, 60), 62, (0, 3, None, 0)),
            ("at the same time", &[0, 0, 0], (3, 60), 59, (3, 0, Some(0), 1)),
            ("lowered: two must leave", &[0, 10, 20], (2, 60), 30, (3, 0, Some(10), 40)),
            ("a longer window holds more", &[0, 100], (2, 1440), 170, (2, 0, Some(0), 1270)),
            ("a shorter one does not", &[0, 100], (2, 60), 170, (0, 2, None, 0)),
        ] {
            assert_eq!(level(charged, window, now), want, "{name}");
        }
        // The wall clock was set: it moves nothing.
        let mut ledger = Ledger::default();
        ledger.charge(attempt(0));
        let set = Moment { wall: at(10_000).wall, ..at(59) };
        assert_eq!(ledger.level(&Window { runs: 1, per: minutes(60) }, &set, |_| true).room_in(), minutes(1));
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
        assert_eq!(ledger.cooling(minutes(5), &at(60), |_| true).left, Duration::ZERO);
    }

    #[test]
    fn cooldown_counts_from_the_end_of_the_attempt() {
        let mut ledger = Ledger::default();
        ledger.charge(Attempt { ended: None, ..attempt(0) });
        assert_eq!(
            ledger.cooling(minutes(5), &at(60), |_| true),
            Cooling { left: minutes(5), whole: minutes(5), since: None },
            "still under way"
        );
        ledger.end(IncidentId(Seq(0)), at(60));
        let cooling = ledger.cooling(minutes(5), &at(62), |_| true);
        assert_eq!(cooling, Cooling { left: minutes(3), whole: minutes(5), since: Some(at(60)) });
        assert_eq!(ledger.cooling(minutes(5), &at(65), |_| true), Cooling::default());
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
            assert_eq!(ledger.cooling(cooldown, &now, half).left, slow, "step {step}");
            for incident in (0..12).map(|number| IncidentId(Seq(number))) {
                let slow = ledger.iter().any(|attempt| attempt.incident == incident && attempt.ended.is_none());
                assert_eq!(ledger.has_charged(incident), slow, "step {step}");
            }
            if step % 100 == 0 {
                let attempts: Vec<Attempt> = ledger.iter().cloned().collect();
                let read = Ledger::from_memory(&attempts);
                assert_eq!(read, ledger);
                assert_eq!(read.cooling(cooldown, &now, half).left, slow, "step {step}");
            }
        }
        assert!(0 < ledger.forgotten && ledger.iter().count() < 2000, "{} are left", ledger.iter().count());
    }
}
