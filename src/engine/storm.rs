//! Whether alerts come faster than they could come one by one: then nothing is done for a while.

use crate::model::limit::{STORM_ALERTS_MAX, Storm};
use crate::model::moment::Moment;
use std::collections::VecDeque;
use std::time::Duration;

/// The alerts that playbooks took lately, and the freeze that followed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StormWatch {
    /// Oldest first.
    taken: VecDeque<Moment>,
    frozen: Option<(Moment, Duration)>,
}

impl StormWatch {
    /// A playbook took an alert.
    pub fn taken(&mut self, at: Moment) {
        if usize::try_from(STORM_ALERTS_MAX).is_ok_and(|max| max < self.taken.len()) {
            self.taken.pop_front();
        }
        self.taken.push_back(at);
    }

    /// A freeze began.
    pub fn freeze(&mut self, at: Moment, freeze: Duration) {
        self.frozen = Some((at, freeze));
    }

    /// How much of the freeze is left; zero if there is none.
    #[must_use]
    pub fn frozen_for(&self, now: &Moment) -> Duration {
        self.frozen.map_or(Duration::ZERO, |(at, freeze)| now.remaining(&at, freeze))
    }

    /// When the freeze began that still lasts, and how long it is.
    #[must_use]
    pub fn freeze_since(&self, now: &Moment) -> Option<(Moment, Duration)> {
        self.frozen.filter(|_| !self.frozen_for(now).is_zero())
    }

    /// How many alerts were taken in the last `per`.
    #[must_use]
    pub fn count(&self, per: Duration, now: &Moment) -> usize {
        self.taken.len() - self.taken.partition_point(|taken| per <= now.since(taken))
    }

    /// With how many alerts a freeze is due, `more` just being taken: at the first excess, and again when half of the
    /// freeze is over and the storm is not.
    #[must_use]
    pub fn due(&self, storm: &Storm, more: usize, now: &Moment) -> Option<u32> {
        if storm.freeze / 2 < self.frozen_for(now) {
            return None;
        }
        let count = u32::try_from(self.count(storm.per, now).saturating_add(more)).unwrap_or(u32::MAX);
        (storm.alerts < count).then_some(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;

    const STORM: Storm = Storm { alerts: 3, per: Duration::from_secs(60), freeze: Duration::from_secs(600) };

    fn at(seconds: u64) -> Moment {
        Moment { wall: DateTime::from_timestamp(1_800_000_000, 0).unwrap(), passed_ms: seconds * 1000 }
    }

    #[test]
    fn more_alerts_than_allowed_within_the_time_make_a_storm() {
        for (name, taken, now, want) in [
            ("as many as allowed", vec![0, 1], 2, None),
            ("one more", vec![0, 1, 2], 3, Some(4)),
            ("spread out", vec![0, 20, 40], 61, None),
            ("the first has left the window", vec![0, 20, 40], 60, None),
            ("just within the window", vec![0, 20, 40], 59, Some(4)),
        ] {
            let mut watch = StormWatch::default();
            taken.into_iter().for_each(|second| watch.taken(at(second)));
            assert_eq!(watch.due(&STORM, 1, &at(now)), want, "{name}");
        }
    }

    #[test]
    fn a_storm_that_goes_on_is_frozen_anew_before_it_thaws() {
        let mut watch = StormWatch::default();
        (0..1000).for_each(|second| watch.taken(at(second)));
        watch.freeze(at(700), STORM.freeze);
        assert_eq!(watch.frozen_for(&at(701)).as_secs(), 599);
        assert_eq!(watch.due(&STORM, 1, &at(900)), None, "frozen for long enough");
        assert!(watch.due(&STORM, 1, &at(1000)).is_some());
        assert_eq!(watch.due(&STORM, 1, &at(1060)), None, "it is over");
        assert_eq!(watch.frozen_for(&at(1300)), Duration::ZERO);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut watch = StormWatch::default();
        (0..30_000).for_each(|_| watch.taken(at(1)));
        assert!(watch.taken.len() <= 10_001);
    }
}
