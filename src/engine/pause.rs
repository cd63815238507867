//! The pauses that stand, rebuilt from facts: what holds runs back, since when, and which of them covers what.
//!
//! A pause with a length is over only when that much time has surely passed, so a clock that is set or a machine that
//! was off never ends one early. Nothing is decided here: the gate asks, and `switch` sets and clears.

use crate::model::memory::PauseInForce;
use crate::model::moment::Moment;
use crate::model::pause::{Pause, PauseScope};
use std::collections::BTreeMap;
use std::time::Duration;

impl PauseInForce {
    /// Whether its time has surely passed.
    #[must_use]
    pub fn is_over(&self, now: &Moment) -> bool {
        self.remaining(now).is_some_and(|remaining| remaining.is_zero())
    }

    /// How long it still lasts at most; `None` until somebody resumes.
    #[must_use]
    pub fn remaining(&self, now: &Moment) -> Option<Duration> {
        self.pause.length.map(|length| now.remaining(&self.set, length))
    }
}

/// All pauses: the file's own, and at most one for each scope.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pauses {
    file: Option<PauseInForce>,
    set: BTreeMap<PauseScope, PauseInForce>,
}

impl Pauses {
    /// As they were saved.
    #[must_use]
    pub fn from_memory(pauses: &[PauseInForce]) -> Self {
        let mut restored = Self::default();
        pauses.iter().for_each(|standing| restored.set(&standing.pause, standing.set));
        restored
    }

    /// A pause was recorded: it takes the place of the one before.
    pub(super) fn set(&mut self, pause: &Pause, at: Moment) {
        let standing = PauseInForce { pause: pause.clone(), set: at };
        if Pause::is_of_file(&pause.by) {
            self.file = Some(standing);
        } else {
            self.set.insert(pause.scope.clone(), standing);
        }
    }

    /// The end of a pause was recorded.
    pub(super) fn clear(&mut self, scope: &PauseScope, by: &str) {
        if Pause::is_of_file(by) {
            self.file = None;
        } else {
            self.set.remove(scope);
        }
    }

    /// The pause that the file stands for.
    #[must_use]
    pub fn of_file(&self) -> Option<&PauseInForce> {
        self.file.as_ref()
    }

    /// The pause that people set for this very scope.
    #[must_use]
    pub fn of(&self, scope: &PauseScope) -> Option<&PauseInForce> {
        self.set.get(scope)
    }

    /// Every pause, the file's first, then from wide to narrow. One may be over and not yet recorded as such.
    pub fn iter(&self) -> impl Iterator<Item = &PauseInForce> {
        self.file.iter().chain(self.set.values())
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.iter().count()
    }

    /// Those whose time has surely passed.
    pub fn over(&self, now: &Moment) -> impl Iterator<Item = &PauseInForce> {
        self.set.values().filter(|standing| standing.is_over(now))
    }

    /// Of the pauses that stand and cover what is asked about, the one that lasts longest.
    #[must_use]
    pub fn longest(&self, now: &Moment, covers: impl Fn(&Pause) -> bool) -> Option<&PauseInForce> {
        let covering = self.iter().filter(|standing| !standing.is_over(now) && covers(&standing.pause));
        // The first of those that last equally long: the file cannot be overridden, and "all" says more than a name.
        covering.reduce(|longest, next| {
            let lasts = |standing: &PauseInForce| standing.remaining(now).unwrap_or(Duration::MAX);
            if lasts(longest) < lasts(next) { next } else { longest }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;

    fn moment(wall_s: i64, passed_s: u64) -> Moment {
        Moment { wall: DateTime::from_timestamp(1_800_000_000 + wall_s, 0).unwrap(), passed_ms: passed_s * 1000 }
    }

    fn pause(scope: &str, by: &str, length_s: Option<u64>) -> Pause {
        let length = length_s.map(Duration::from_secs);
        Pause { scope: scope.parse().unwrap(), by: by.to_owned(), reason: "why".to_owned(), length }
    }

    #[test]
    fn a_pause_ends_by_the_time_that_surely_passed_alone() {
        let standing = PauseInForce { pause: pause("all", "ada", Some(60)), set: moment(0, 100) };
        for (name, now, over) in [
            ("at once", moment(0, 100), false),
            ("just before", moment(59, 159), false),
            ("wall a day ahead", moment(86_400, 159), false),
            ("on time", moment(60, 160), true),
            ("wall a day back", moment(-86_400, 160), true),
        ] {
            assert_eq!(standing.is_over(&now), over, "{name}");
        }
        let endless = PauseInForce { pause: pause("all", "ada", None), set: moment(0, 0) };
        assert!(!endless.is_over(&moment(1 << 30, 1 << 30)));
    }

    #[test]
    fn the_file_and_people_do_not_end_each_others_pause() {
        let mut pauses = Pauses::default();
        pauses.set(&pause("all", "ada", None), moment(0, 0));
        pauses.set(&pause("all", "file:0", None), moment(1, 1));
        assert_eq!(pauses.count(), 2);
        pauses.clear(&PauseScope::All, "file:0");
        assert_eq!(pauses.of(&PauseScope::All).unwrap().pause.by, "ada");
        pauses.set(&pause("all", "file", None), moment(1, 1));
        pauses.clear(&PauseScope::All, "bob");
        assert!(pauses.of_file().is_some() && pauses.of(&PauseScope::All).is_none());
    }

    #[test]
    fn of_several_pauses_the_one_that_lasts_longest_is_named() {
        let mut pauses = Pauses::default();
        let now = moment(10, 10);
        for (scope, length) in [("all", Some(20)), ("host:local", Some(5)), ("target:web", Some(60))] {
            pauses.set(&pause(scope, "ada", length), moment(0, 0));
        }
        let named = |pauses: &Pauses| pauses.longest(&now, |_| true).map(|standing| standing.pause.scope.to_string());
        assert_eq!(named(&pauses).as_deref(), Some("target:web"));
        pauses.set(&pause("playbook:p", "bob", None), moment(0, 0));
        assert_eq!(named(&pauses).as_deref(), Some("playbook:p"));
        assert_eq!(pauses.longest(&now, |pause| pause.scope.kind() == "host"), None, "its time is over");
    }
}
