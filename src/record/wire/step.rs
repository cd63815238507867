//! `step.finished`, `step.marked` and `verify.target`: a step that changes nothing came to its end, or half of the way
//! there, and what is noted of steps besides.

use super::Problem;
use super::action::WitnessLine;
use super::look::LookLine;
use super::parts::{BorrowedStr, Str, Word};
use crate::model::fact::{Branch, StepFinished, StepMarked, StepRef, StepResult, TargetVerified};
use crate::model::id::IncidentId;
use crate::model::step::StepMark;
use crate::model::testimony::Testimony;
use crate::record::text::{Cap, Text, cut_evidence};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::borrow::Cow;
use std::time::Duration;

const VERBS: [&str; 13] = [
    "capture",
    "restart",
    "start",
    "stop",
    "scale",
    "rollback",
    "update_limits",
    "verify",
    "wait",
    "notify",
    "http",
    "approve",
    "pause_playbook",
];

/// `step.finished`
#[derive(Serialize, Deserialize)]
pub(super) struct StepLine<'a> {
    inc: Word<IncidentId>,
    #[serde(borrow)]
    step: PlaceLine<'a>,
    elapsed_ms: u64,
    result: ResultWord,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    detail: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    evidence: Option<Cow<'a, Value>>,
}

/// Which step of the playbook.
#[derive(Serialize, Deserialize)]
pub(super) struct PlaceLine<'a> {
    branch: Word<Branch>,
    index: usize,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    id: Option<BorrowedStr<'a>>,
    #[serde(borrow)]
    verb: Str<'a>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ResultWord {
    Captured,
    Verified,
    NotVerified,
    Failed,
    Waited,
    Notified,
    Skipped,
    NotNeeded,
    Approved,
    ConditionFalse,
    Paused,
}

impl<'a> StepLine<'a> {
    pub(super) fn new(finished: &'a StepFinished, cap: Cap) -> Self {
        let StepFinished { incident, step, elapsed, result } = finished;
        let (result, detail, evidence) = match result {
            StepResult::Captured(evidence) => (ResultWord::Captured, None, Some(cut_evidence(evidence, cap))),
            StepResult::Verified(detail) => (ResultWord::Verified, Some(Text::new(detail, cap)), None),
            StepResult::NotVerified(detail) => (ResultWord::NotVerified, Some(Text::new(detail, cap)), None),
            StepResult::Failed(detail) => (ResultWord::Failed, Some(Text::new(detail, cap)), None),
            StepResult::Waited => (ResultWord::Waited, None, None),
            StepResult::Notified => (ResultWord::Notified, None, None),
            StepResult::Skipped => (ResultWord::Skipped, None, None),
            StepResult::NotNeeded(detail) => (ResultWord::NotNeeded, Some(Text::new(detail, cap)), None),
            StepResult::Approved(detail) => (ResultWord::Approved, Some(Text::new(detail, cap)), None),
            StepResult::ConditionFalse(detail) => (ResultWord::ConditionFalse, Some(Text::new(detail, cap)), None),
            StepResult::Paused(detail) => (ResultWord::Paused, Some(Text::new(detail, cap)), None),
        };
        Self { inc: Word(*incident), step: step.into(), elapsed_ms: millis(*elapsed), result, detail, evidence }
    }
}

impl TryFrom<StepLine<'_>> for StepFinished {
    type Error = Problem;

    fn try_from(line: StepLine<'_>) -> Result<Self, Problem> {
        let detail = line.detail.map(Text::into_string).unwrap_or_default();
        let result = match line.result {
            ResultWord::Captured => StepResult::Captured(line.evidence.map(Cow::into_owned).unwrap_or_default()),
            ResultWord::Verified => StepResult::Verified(detail),
            ResultWord::NotVerified => StepResult::NotVerified(detail),
            ResultWord::Failed => StepResult::Failed(detail),
            ResultWord::Waited => StepResult::Waited,
            ResultWord::Notified => StepResult::Notified,
            ResultWord::Skipped => StepResult::Skipped,
            ResultWord::NotNeeded => StepResult::NotNeeded(detail),
            ResultWord::Approved => StepResult::Approved(detail),
            ResultWord::ConditionFalse => StepResult::ConditionFalse(detail),
            ResultWord::Paused => StepResult::Paused(detail),
        };
        Ok(Self {
            incident: line.inc.0,
            step: line.step.try_into()?,
            elapsed: Duration::from_millis(line.elapsed_ms),
            result,
        })
    }
}

/// `verify.target`
#[derive(Serialize, Deserialize)]
pub(super) struct TargetVerifiedLine<'a> {
    inc: Word<IncidentId>,
    #[serde(borrow)]
    step: PlaceLine<'a>,
    elapsed_ms: u64,
    #[serde(borrow)]
    detail: Text<'a>,
}

impl<'a> TargetVerifiedLine<'a> {
    pub(super) fn new(verified: &'a TargetVerified, cap: Cap) -> Self {
        let TargetVerified { incident, step, elapsed, detail } = verified;
        let detail = Text::new(detail, cap);
        Self { inc: Word(*incident), step: step.into(), elapsed_ms: millis(*elapsed), detail }
    }
}

impl TryFrom<TargetVerifiedLine<'_>> for TargetVerified {
    type Error = Problem;

    fn try_from(line: TargetVerifiedLine<'_>) -> Result<Self, Problem> {
        let elapsed = Duration::from_millis(line.elapsed_ms);
        Ok(Self { incident: line.inc.0, step: line.step.try_into()?, elapsed, detail: line.detail.into_string() })
    }
}

/// `step.marked`
#[derive(Serialize, Deserialize)]
pub(super) struct MarkedLine<'a> {
    inc: Word<IncidentId>,
    #[serde(borrow)]
    step: PlaceLine<'a>,
    mark: Word<StepMark>,
    #[serde(borrow)]
    detail: Text<'a>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    witness: Option<WitnessLine<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    look: Option<LookLine<'a>>,
}

impl<'a> MarkedLine<'a> {
    pub(super) fn new(marked: &'a StepMarked, cap: Cap) -> Self {
        let StepMarked { incident, step, mark, detail, look, witness } = marked;
        Self {
            inc: Word(*incident),
            step: step.into(),
            mark: Word(*mark),
            detail: Text::new(detail, cap),
            witness: witness.as_ref().map(|testimony| WitnessLine::new(testimony, cap)),
            look: look.as_deref().and_then(|look| LookLine::new(look, cap)),
        }
    }
}

impl TryFrom<MarkedLine<'_>> for StepMarked {
    type Error = Problem;

    fn try_from(line: MarkedLine<'_>) -> Result<Self, Problem> {
        let (mark, detail) = (line.mark.0, line.detail.into_string());
        let look = line.look.map(LookLine::into_look).transpose()?;
        let witness = line.witness.map(Testimony::from);
        Ok(Self { incident: line.inc.0, step: line.step.try_into()?, mark, detail, look, witness })
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

impl<'a> From<&'a StepRef> for PlaceLine<'a> {
    fn from(step: &'a StepRef) -> Self {
        let StepRef { branch, index, id, verb } = step;
        let id = id.as_deref().map(BorrowedStr::from);
        Self { branch: Word(*branch), index: *index, id, verb: Cow::Borrowed(verb) }
    }
}

impl TryFrom<PlaceLine<'_>> for StepRef {
    type Error = Problem;

    fn try_from(PlaceLine { branch, index, id, verb }: PlaceLine<'_>) -> Result<Self, Problem> {
        let verb = VERBS.into_iter().find(|known| *known == verb);
        let verb = verb.ok_or_else(|| "the step has a verb this version does not know".to_owned())?;
        Ok(Self { branch: branch.0, index, id: id.map(|id| (*id.0).into()), verb })
    }
}
