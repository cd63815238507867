//! `step.finished` and `verify.target`: a step that changes nothing came to its end, or half of the way there.

use super::Problem;
use super::parts::{BorrowedStr, Str, Word};
use crate::model::fact::{Branch, StepFinished, StepRef, StepResult, TargetVerified};
use crate::model::id::IncidentId;
use crate::record::text::{Cap, Text, cut_evidence};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::borrow::Cow;
use std::time::Duration;

const VERBS: [&str; 7] = ["capture", "restart", "start", "stop", "verify", "wait", "notify"];

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
struct PlaceLine<'a> {
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
