//! Virtual time: where the replay stands, and what is going to happen by itself.

use crate::engine::event::Event;
use crate::model::id::IncidentId;
use crate::model::stamp::Stamp;
use chrono::TimeDelta;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

/// What is due, in the order of its time.
#[derive(Debug, Default)]
pub(super) struct Timetable {
    due: BTreeMap<(u64, u64), (IncidentId, Event)>,
    entered: u64,
    /// When an alert is delivered again: once at a time.
    repeats: HashMap<IncidentId, u64>,
}

impl Timetable {
    pub(super) fn put(&mut self, at_ms: u64, incident: IncidentId, event: Event) {
        self.entered += 1;
        self.due.insert((at_ms, self.entered), (incident, event));
    }

    /// An alert is delivered again, unless it is about to be anyway.
    pub(super) fn repeat(&mut self, at_ms: u64, incident: IncidentId, event: Event) {
        if self.repeats.insert(incident, at_ms).is_none_or(|known| known != at_ms) {
            self.put(at_ms, incident, event);
        }
    }

    /// When the next thing is due.
    pub(super) fn next_at(&self) -> Option<u64> {
        self.due.first_key_value().map(|((at_ms, _), _)| *at_ms)
    }

    pub(super) fn take(&mut self) -> Option<(IncidentId, Event)> {
        self.due.pop_first().map(|(_, due)| due)
    }

    /// The daemon died, and with it all that was under way. What people are about to say is not.
    pub(super) fn forget(&mut self) {
        self.due.retain(|_, (_, event)| matches!(event, Event::VoteCast(_)));
    }
}

/// Where the replay stands: a stamp, and milliseconds that only go forward.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    stamp: Stamp,
    pub(super) ms: u64,
}

impl Clock {
    pub(super) fn new(stamp: Stamp) -> Self {
        Self { stamp, ms: 0 }
    }

    /// How long after the last stamp another one is: by the boot clock, and across boots by the wall clock.
    fn until(&self, stamp: &Stamp) -> u64 {
        u64::try_from(stamp.since(&self.stamp).as_millis()).unwrap_or(u64::MAX)
    }

    /// When a stamp is, in the replay's own time.
    pub(super) fn ms_of(&self, stamp: &Stamp) -> u64 {
        self.ms.saturating_add(self.until(stamp))
    }

    /// Goes on to a recorded stamp.
    pub(super) fn go_to(&mut self, stamp: Stamp) {
        *self = Self { ms: self.ms_of(&stamp), stamp };
    }

    /// Goes on to a time between records.
    pub(super) fn pass_to(&mut self, ms: u64) {
        let passed = ms.saturating_sub(self.ms);
        let delta = TimeDelta::from_std(Duration::from_millis(passed)).unwrap_or_default();
        let wall = self.stamp.wall.checked_add_signed(delta).unwrap_or(self.stamp.wall);
        self.stamp = Stamp { wall, up_ms: self.stamp.up_ms.saturating_add(passed), ..self.stamp };
        self.ms = self.ms.max(ms);
    }

    pub(super) fn stamp(&self) -> Stamp {
        self.stamp
    }
}
