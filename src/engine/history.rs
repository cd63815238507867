//! How the runs on each target ended, and whether more of them may be expected to help: the breaker's memory.
//!
//! It ages by time alone. That a target is well for a moment clears nothing: only a recovery that lasted does, or a
//! person. Targets are known by name, so a recreated container keeps its history.

use crate::model::id::IncidentId;
use crate::model::incident::Verdict;
use crate::model::limit::{Breaker, MEMORY};
use crate::model::memory::{Ended, Help};
use crate::model::moment::Moment;
use crate::model::reason::Reason;
use std::collections::{BTreeMap, VecDeque};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

/// How many ends are remembered. The oldest make room.
const LEN_MAX: usize = 10_000;

impl Help {
    /// What a verdict says about it; `None` if it says nothing about the treatment.
    #[must_use]
    pub fn of(verdict: Verdict, reason: Option<Reason>) -> Option<Self> {
        match verdict {
            Verdict::Recovered => Some(Self::Yes),
            // Nobody looked, so nothing is known; and what a dry run left undone could not help.
            Verdict::Unknown if matches!(reason, Some(Reason::NotVerified | Reason::DryRun)) => None,
            // Whoever ended it may know.
            Verdict::Abandoned if reason == Some(Reason::Aborted) => None,
            Verdict::Ineffective | Verdict::Failed | Verdict::Abandoned | Verdict::Unknown => Some(Self::No),
            // What people did not agree to says nothing about the treatment.
            Verdict::Denied | Verdict::Expired => None,
            Verdict::Cancelled | Verdict::Superseded => None,
        }
    }
}

/// How a target stands with the breaker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Runs in a row that did not help for long.
    pub failures: u32,
    /// When the last of them ended.
    pub last: Option<Moment>,
    /// Whether one of them was the last of several tries: then their number does not matter.
    pub none_left: bool,
}

/// All ends that may still count, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History(VecDeque<Ended>);

impl History {
    /// As it was saved.
    #[must_use]
    pub fn from_memory(ends: &[Ended]) -> Self {
        Self(ends.iter().cloned().collect())
    }

    /// All of it, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Ended> {
        self.0.iter()
    }

    /// Adds an end and forgets what is too old to count.
    pub fn add(&mut self, ended: Ended) {
        let now = ended.at;
        while self.0.front().is_some_and(|oldest| LEN_MAX <= self.0.len() || MEMORY < now.since(&oldest.at)) {
            self.0.pop_front();
        }
        self.0.push_back(ended);
    }

    /// Notes that what an incident had recovered did not last.
    pub fn relapsed(&mut self, incident: IncidentId, at: Moment) {
        let of_incident = |ended: &&mut Ended| ended.incident == incident && ended.help == Help::Yes;
        if let Some(ended) = self.0.iter_mut().rev().find(of_incident) {
            ended.help = Help::NotForLong;
            ended.at = at;
        }
    }

    /// The last run of this playbook on this target, if it helped so lately that an alert that came at `opened`, after its
    /// end, shows that it did not last.
    #[must_use]
    pub fn not_lasting(
        &self,
        (playbook, target): (&str, &str),
        within: Duration,
        opened: &Moment,
    ) -> Option<IncidentId> {
        let last = self.0.iter().rev().find(|ended| *ended.target == *target)?;
        let lately = last.at.passed_ms < opened.passed_ms && opened.since(&last.at) < within;
        (last.help == Help::Yes && *last.playbook == *playbook && lately).then_some(last.incident)
    }

    /// How a target stands. `within` is the time in which a recovery counts as not yet lasting.
    #[must_use]
    pub fn standing(&self, target: &str, breaker: &Breaker, within: Duration, now: &Moment) -> Standing {
        let mut standing = Standing::default();
        for ended in self.0.iter().rev().filter(|ended| *ended.target == *target) {
            if standing.reaches(ended, breaker, within, now).is_break() {
                break;
            }
        }
        standing
    }

    /// The targets that stand too badly for another run, by name. One walk, however many targets there are.
    #[must_use]
    pub fn open(&self, breaker: &Breaker, within: Duration, now: &Moment) -> Vec<(&Arc<str>, Standing)> {
        let mut standings: BTreeMap<&Arc<str>, (Standing, ControlFlow<()>)> = BTreeMap::new();
        for ended in self.0.iter().rev() {
            let (standing, flow) =
                standings.entry(&ended.target).or_insert((Standing::default(), ControlFlow::Continue(())));
            if flow.is_continue() {
                *flow = standing.reaches(ended, breaker, within, now);
            }
        }
        let standings = standings.into_iter().map(|(target, (standing, _))| (target, standing));
        standings.filter(|(_, standing)| standing.is_open(breaker, now)).collect()
    }
}

impl Standing {
    /// The walk back through a target's past has come to this end: whether what lies before it may still count.
    fn reaches(&mut self, ended: &Ended, breaker: &Breaker, within: Duration, now: &Moment) -> ControlFlow<()> {
        let age = now.since(&ended.at);
        if breaker.per < age {
            return ControlFlow::Break(());
        }
        match ended.help {
            Help::Reset => return ControlFlow::Break(()),
            Help::Yes if within <= age => return ControlFlow::Break(()),
            Help::Yes => {}
            Help::No | Help::NoneLeft | Help::NotForLong => {
                self.none_left |= ended.help == Help::NoneLeft;
                self.failures += 1;
                self.last.get_or_insert(ended.at);
            }
        }
        ControlFlow::Continue(())
    }

    /// Whether nothing may be done now.
    #[must_use]
    pub fn is_open(&self, breaker: &Breaker, now: &Moment) -> bool {
        let left = self.last.map(|last| now.remaining(&last, breaker.open_for));
        (self.none_left || breaker.failures <= self.failures) && left.is_some_and(|left| !left.is_zero())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::id::Seq;
    use chrono::DateTime;

    const BREAKER: Breaker =
        Breaker { failures: 3, per: Duration::from_secs(24 * 3600), open_for: Duration::from_secs(3600) };
    const LASTING: Duration = Duration::from_secs(600);

    fn at(minutes: u64) -> Moment {
        let wall = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        Moment { wall, passed_ms: minutes * 60_000 }
    }

    fn history(ends: &[(u64, Help)]) -> History {
        let mut history = History::default();
        for (minutes, help) in ends {
            let incident = IncidentId(Seq(*minutes));
            history.add(Ended { incident, playbook: "p".into(), target: "web".into(), at: at(*minutes), help: *help });
        }
        history
    }

    #[test]
    fn runs_in_a_row_that_do_not_help_open_it_and_only_lasting_help_closes_it() {
        use Help::{No, NoneLeft, NotForLong, Reset, Yes};
        for (name, ends, now, failures, open) in [
            ("two failures", vec![(0, No), (10, No)], 11, 2, false),
            ("three failures", vec![(0, No), (10, No), (20, No)], 21, 3, true),
            ("a brief recovery in between clears nothing", vec![(0, No), (10, No), (20, Yes), (25, No)], 26, 3, true),
            ("a brief recovery at the end clears nothing", vec![(0, No), (10, No), (15, No), (20, Yes)], 26, 3, true),
            ("a recovery that did not last counts", vec![(0, No), (10, NotForLong), (20, No)], 21, 3, true),
            ("a recovery that lasted clears", vec![(0, No), (10, No), (15, No), (20, Yes)], 31, 0, false),
            ("failures after lasting help begin anew", vec![(0, No), (10, No), (20, Yes), (40, No)], 41, 1, false),
            ("a trial after its time", vec![(0, No), (10, No), (20, No)], 80, 3, false),
            ("a trial that failed opens it again", vec![(0, No), (10, No), (20, No), (81, No)], 100, 4, true),
            ("the last of several tries", vec![(0, No), (10, NoneLeft)], 11, 2, true),
            ("a trial after it", vec![(0, No), (10, NoneLeft)], 70, 2, false),
            ("a trial after it that failed", vec![(0, No), (10, NoneLeft), (71, No)], 72, 3, true),
            ("help that lasted after it", vec![(10, NoneLeft), (71, Yes), (90, No)], 91, 1, false),
            ("a person resets", vec![(0, No), (10, No), (20, No), (21, Reset)], 22, 0, false),
            ("what is too old is forgotten", vec![(0, No), (10, No), (1445, No)], 1446, 2, false),
        ] {
            let standing = history(&ends).standing("web", &BREAKER, LASTING, &at(now));
            assert_eq!((standing.failures, standing.is_open(&BREAKER, &at(now))), (failures, open), "{name}");
            let listed = history(&ends).open(&BREAKER, LASTING, &at(now)).len();
            assert_eq!(listed, usize::from(open), "{name}");
        }
        let other = history(&[(0, No), (1, No), (2, No)]).standing("db", &BREAKER, LASTING, &at(3));
        assert_eq!(other.failures, 0, "another target");
    }

    #[test]
    fn a_new_run_shortly_after_a_recovery_shows_that_it_did_not_last() {
        for (name, ends, asked, want) in [
            ("lately", vec![(10, Help::Yes)], ("p", "web"), Some(10)),
            ("another playbook", vec![(10, Help::Yes)], ("q", "web"), None),
            ("another target", vec![(10, Help::Yes)], ("p", "db"), None),
            ("long ago", vec![(1, Help::Yes)], ("p", "web"), None),
            ("the alert came before the recovery", vec![(16, Help::Yes)], ("p", "web"), None),
            ("it never recovered", vec![(10, Help::No)], ("p", "web"), None),
        ] {
            let found = history(&ends).not_lasting(asked, LASTING, &at(15));
            assert_eq!(found, want.map(|seq| IncidentId(Seq(seq))), "{name}");
        }
        let mut history = history(&[(10, Help::Yes)]);
        history.relapsed(IncidentId(Seq(10)), at(15));
        assert_eq!(history.not_lasting(("p", "web"), LASTING, &at(15)), None, "told once");
        assert_eq!(history.standing("web", &BREAKER, LASTING, &at(15)).failures, 1);
    }
}
