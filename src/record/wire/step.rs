//! `step.finished`: a step that changes nothing came to its end.

use super::Problem;
use super::parts::{BorrowedStr, Str, Word};
use crate::model::fact::{Branch, StepFinished, StepRef, StepResult};
use crate::model::id::IncidentId;
use crate::record::text::{Cap, Text, cut_evidence};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::borrow::Cow;
use std::time::Duration;

const VERBS: [&str; 5] = ["capture", "restart", "verify", "wait", "notify"];

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
}

impl<'a> StepLine<'a> {
    pub(super) fn new(finished: &'a StepFinished, cap: Cap) -> Self {
        let StepFinished { incident, step: StepRef { branch, index, id, verb }, elapsed, result } = finished;
        let (result, detail, evidence) = match result {
            StepResult::Captured(evidence) => (ResultWord::Captured, None, Some(cut_evidence(evidence, cap))),
            StepResult::Verified(detail) => (ResultWord::Verified, Some(Text::new(detail, cap)), None),
            StepResult::NotVerified(detail) => (ResultWord::NotVerified, Some(Text::new(detail, cap)), None),
            StepResult::Failed(detail) => (ResultWord::Failed, Some(Text::new(detail, cap)), None),
            StepResult::Waited => (ResultWord::Waited, None, None),
            StepResult::Notified => (ResultWord::Notified, None, None),
            StepResult::Skipped => (ResultWord::Skipped, None, None),
        };
        Self {
            inc: Word(*incident),
            step: PlaceLine {
                branch: Word(*branch),
                index: *index,
                id: id.as_deref().map(BorrowedStr::from),
                verb: Cow::Borrowed(verb),
            },
            elapsed_ms: u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
            result,
            detail,
            evidence,
        }
    }
}

impl TryFrom<StepLine<'_>> for StepFinished {
    type Error = Problem;

    fn try_from(line: StepLine<'_>) -> Result<Self, Problem> {
        let PlaceLine { branch, index, id, verb } = line.step;
        let verb = VERBS.into_iter().find(|known| *known == verb);
        let verb = verb.ok_or_else(|| "the step has a verb this version does not know".to_owned())?;
        let detail = line.detail.map(Text::into_string).unwrap_or_default();
        let result = match line.result {
            ResultWord::Captured => StepResult::Captured(line.evidence.map(Cow::into_owned).unwrap_or_default()),
            ResultWord::Verified => StepResult::Verified(detail),
            ResultWord::NotVerified => StepResult::NotVerified(detail),
            ResultWord::Failed => StepResult::Failed(detail),
            ResultWord::Waited => StepResult::Waited,
            ResultWord::Notified => StepResult::Notified,
            ResultWord::Skipped => StepResult::Skipped,
        };
        Ok(Self {
            incident: line.inc.0,
            step: StepRef { branch: branch.0, index, id: id.map(|id| (*id.0).into()), verb },
            elapsed: Duration::from_millis(line.elapsed_ms),
            result,
        })
    }
}
