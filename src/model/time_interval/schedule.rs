//! When a playbook may run: the intervals it names, and what they say together about a moment.

use super::interval::TimeInterval;
use chrono::{DateTime, TimeDelta, Utc};
use std::sync::Arc;
use std::time::Duration;

/// How far ahead a change is looked for, in minutes: asking again once an hour costs nothing.
const LOOK_AHEAD: i32 = 60;

/// The intervals a playbook names. Without any, it may run at all times.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schedule {
    /// One of them must hold, if there are any.
    pub active: Vec<Arc<TimeInterval>>,
    /// None of them may hold.
    pub mute: Vec<Arc<TimeInterval>>,
}

/// What a schedule says about a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing<'a> {
    /// The playbook may run.
    Open,
    /// None of the active intervals holds.
    Outside,
    /// This one mutes it.
    Muted(&'a TimeInterval),
}

impl Schedule {
    /// What it says about a moment. The active intervals come first, as in Alertmanager.
    #[must_use]
    pub fn at(&self, at: DateTime<Utc>) -> Standing<'_> {
        if !self.active.is_empty() && !self.active.iter().any(|interval| interval.contains(at)) {
            return Standing::Outside;
        }
        self.mute.iter().find(|interval| interval.contains(at)).map_or(Standing::Open, |muting| Standing::Muted(muting))
    }

    /// How long it surely says the same: up to the minute in which that changes, at most an hour.
    #[must_use]
    pub fn same_for(&self, at: DateTime<Utc>) -> Duration {
        let standing = self.at(at);
        // Intervals begin and end with a minute.
        let into_minute = at.timestamp().rem_euclid(60);
        let minute = |ahead: i32| at - TimeDelta::seconds(into_minute) + TimeDelta::minutes(ahead.into());
        let change = (1..LOOK_AHEAD).find(|ahead| self.at(minute(*ahead)) != standing).unwrap_or(LOOK_AHEAD);
        (minute(change) - at).to_std().unwrap_or_default()
    }
}
