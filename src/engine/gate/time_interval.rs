//! The time: in one of the playbook's active intervals, if it has any, and in none of those that mute it.
//!
//! By the wall clock, since that is what people mean: a window of limits never depends on it, this gate does.

use super::Question;
use crate::model::fact::Refusal;
use crate::model::reason::{Gate, Reason};
use crate::model::time_interval::{Standing, TimeInterval};
use std::sync::Arc;

/// Names and places shown in one record.
const SHOWN_MAX: usize = 4;

/// Asks the playbook's schedule about this minute.
pub(in crate::engine) fn ask(question: &Question<'_>) -> Result<(), Refusal> {
    let schedule = &question.playbook.schedule;
    let now = question.now.wall;
    let (reason, detail, inputs) = match schedule.at(now) {
        Standing::Open => return Ok(()),
        Standing::Outside => {
            let names: Vec<&str> = schedule.active.iter().take(SHOWN_MAX).map(|interval| &*interval.name).collect();
            let names = names.join(", ");
            let clocks = clocks(&schedule.active, question);
            let detail = format!("none of its active_time_intervals ({names}) holds now: it is {clocks}");
            let inputs = [("active_time_intervals", names), ("local_time", clocks)];
            (Reason::OutsideTimeInterval, detail, inputs)
        }
        Standing::Muted(by) => {
            let clock = by.period_at(now).map(|period| period.location.describe(now)).unwrap_or_default();
            let detail = format!("muted by the time interval {}: it is {clock}", by.name);
            let inputs = [("mute_time_interval", by.name.to_string()), ("local_time", clock)];
            (Reason::MutedTimeInterval, detail, inputs)
        }
    };
    let inputs = inputs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Err(Refusal { gate: Gate::TimeInterval, reason, detail, inputs, retry_after: schedule.same_for(now) })
}

/// What the clocks show that these intervals go by.
fn clocks(intervals: &[Arc<TimeInterval>], question: &Question<'_>) -> String {
    let mut shown: Vec<String> = Vec::new();
    for location in intervals.iter().flat_map(|interval| interval.locations()) {
        let clock = location.describe(question.now.wall);
        if !shown.contains(&clock) && shown.len() < SHOWN_MAX {
            shown.push(clock);
        }
    }
    shown.join(", ")
}
