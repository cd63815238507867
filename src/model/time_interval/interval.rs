//! One named interval and what belongs to it.

use super::location::Location;
use super::range::{Range, TimeRange};
use chrono::{DateTime, Datelike, NaiveDateTime, Timelike, Utc};
use std::sync::Arc;

/// A named interval: any of its periods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeInterval {
    /// Unique over all files.
    pub name: Arc<str>,
    /// It holds where one of these does; never, if there is none.
    pub periods: Vec<Period>,
}

/// What must be true of a moment at once. A part that is absent is true of every moment; one that is an empty list is
/// true of none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Period {
    /// Times of day.
    pub times: Option<Vec<TimeRange>>,
    /// Days of the week, Sunday is 0.
    pub weekdays: Option<Vec<Range>>,
    /// Days of the month, negative ones from its end.
    pub days_of_month: Option<Vec<Range>>,
    /// Months, January is 1.
    pub months: Option<Vec<Range>>,
    /// Years.
    pub years: Option<Vec<Range>>,
    /// By whose clocks.
    pub location: Location,
}

impl TimeInterval {
    /// Whether the moment belongs to it.
    #[must_use]
    pub fn contains(&self, at: DateTime<Utc>) -> bool {
        self.period_at(at).is_some()
    }

    /// The first period to which the moment belongs.
    #[must_use]
    pub fn period_at(&self, at: DateTime<Utc>) -> Option<&Period> {
        self.periods.iter().find(|period| period.contains(at))
    }

    /// The places whose clocks count, each once.
    #[must_use]
    pub fn locations(&self) -> Vec<Location> {
        let mut all: Vec<Location> = Vec::new();
        for period in &self.periods {
            if !all.contains(&period.location) {
                all.push(period.location);
            }
        }
        all
    }
}

impl Period {
    /// Whether the moment belongs to it.
    #[must_use]
    pub fn contains(&self, at: DateTime<Utc>) -> bool {
        let local = self.location.clock(at);
        let minute = local.hour() * 60 + local.minute();
        let any = |ranges: &Option<Vec<Range>>, number: i64| {
            ranges.as_ref().is_none_or(|ranges| ranges.iter().any(|range| range.contains(number)))
        };
        self.times.as_ref().is_none_or(|times| times.iter().any(|range| range.contains(minute)))
            && self.days_of_month.as_ref().is_none_or(|days| days.iter().any(|range| holds_day(*range, local)))
            && any(&self.months, local.month().into())
            && any(&self.weekdays, local.weekday().num_days_from_sunday().into())
            && any(&self.years, local.year().into())
    }
}

/// Whether the range holds the day, in this very month. Days are counted by the calendar, not by hours, so that a month
/// in which the clocks are set has as many as any other.
fn holds_day(range: Range, local: NaiveDateTime) -> bool {
    let length = i64::from(local.num_days_in_month());
    let from_start = |day: i64| if day < 0 { length + day + 1 } else { day };
    // A range that starts after the month's end does not reach back into it; one that only ends there is cut.
    Range { first: from_start(range.first), last: from_start(range.last) }.contains(local.day().into())
}
