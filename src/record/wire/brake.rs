//! `pause.*`, `breaker.*`, `storm.frozen`: what holds actions back beyond one decision.

use super::parts::{Str, Word, millis_up};
use crate::model::fact::{BreakerOpened, BreakerReset, PauseCleared, StormFrozen};
use crate::model::id::IncidentId;
use crate::model::pause::{Pause, PauseScope};
use crate::record::text::{Cap, Text};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// `pause.set`
#[derive(Serialize, Deserialize)]
pub(super) struct PauseLine<'a> {
    scope: Word<PauseScope>,
    #[serde(borrow)]
    by: Text<'a>,
    #[serde(borrow)]
    reason: Text<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    length_ms: Option<u64>,
}

impl<'a> PauseLine<'a> {
    pub(super) fn new(pause: &'a Pause, cap: Cap) -> Self {
        let Pause { scope, by, reason, length } = pause;
        let (by, reason) = (Text::new(by, cap), Text::new(reason, cap));
        Self { scope: Word(scope.clone()), by, reason, length_ms: length.map(millis_up) }
    }
}

impl From<PauseLine<'_>> for Pause {
    fn from(line: PauseLine<'_>) -> Self {
        Self {
            scope: line.scope.0,
            by: line.by.into_string(),
            reason: line.reason.into_string(),
            length: line.length_ms.map(Duration::from_millis),
        }
    }
}

/// `pause.cleared`
#[derive(Serialize, Deserialize)]
pub(super) struct ClearedLine<'a> {
    scope: Word<PauseScope>,
    #[serde(borrow)]
    by: Text<'a>,
    #[serde(borrow)]
    reason: Text<'a>,
}

impl<'a> ClearedLine<'a> {
    pub(super) fn new(cleared: &'a PauseCleared, cap: Cap) -> Self {
        let PauseCleared { scope, by, reason } = cleared;
        Self { scope: Word(scope.clone()), by: Text::new(by, cap), reason: Text::new(reason, cap) }
    }
}

impl From<ClearedLine<'_>> for PauseCleared {
    fn from(line: ClearedLine<'_>) -> Self {
        Self { scope: line.scope.0, by: line.by.into_string(), reason: line.reason.into_string() }
    }
}

/// `breaker.opened`
#[derive(Serialize, Deserialize)]
pub(super) struct OpenedLine<'a> {
    inc: Word<IncidentId>,
    #[serde(borrow)]
    target: NameLine<'a>,
    failures: u32,
    open_for_ms: u64,
}

/// `target`, where only its name is meant.
#[derive(Serialize, Deserialize)]
struct NameLine<'a> {
    #[serde(borrow)]
    name: Str<'a>,
}

impl<'a> From<&'a BreakerOpened> for OpenedLine<'a> {
    fn from(opened: &'a BreakerOpened) -> Self {
        let BreakerOpened { incident, target, failures, open_for } = opened;
        let target = NameLine { name: (&**target).into() };
        Self { inc: Word(*incident), target, failures: *failures, open_for_ms: millis_up(*open_for) }
    }
}

impl From<OpenedLine<'_>> for BreakerOpened {
    fn from(line: OpenedLine<'_>) -> Self {
        let open_for = Duration::from_millis(line.open_for_ms);
        Self { incident: line.inc.0, target: (&*line.target.name).into(), failures: line.failures, open_for }
    }
}

/// `breaker.reset`
#[derive(Serialize, Deserialize)]
pub(super) struct ResetLine<'a> {
    #[serde(borrow)]
    target: NameLine<'a>,
    #[serde(borrow)]
    by: Text<'a>,
    #[serde(borrow)]
    reason: Text<'a>,
}

impl<'a> ResetLine<'a> {
    pub(super) fn new(reset: &'a BreakerReset, cap: Cap) -> Self {
        let BreakerReset { target, by, reason } = reset;
        let target = NameLine { name: (&**target).into() };
        Self { target, by: Text::new(by, cap), reason: Text::new(reason, cap) }
    }
}

impl From<ResetLine<'_>> for BreakerReset {
    fn from(line: ResetLine<'_>) -> Self {
        let (by, reason) = (line.by.into_string(), line.reason.into_string());
        Self { target: (&*line.target.name).into(), by, reason }
    }
}

/// `storm.frozen`
#[derive(Serialize, Deserialize)]
pub(super) struct StormLine {
    alerts: u32,
    per_ms: u64,
    freeze_ms: u64,
}

impl From<&StormFrozen> for StormLine {
    fn from(storm: &StormFrozen) -> Self {
        Self { alerts: storm.alerts, per_ms: millis_up(storm.per), freeze_ms: millis_up(storm.freeze) }
    }
}

impl From<StormLine> for StormFrozen {
    fn from(line: StormLine) -> Self {
        let [per, freeze] = [line.per_ms, line.freeze_ms].map(Duration::from_millis);
        Self { alerts: line.alerts, per, freeze }
    }
}
