//! `decision`, `attempt.ended`, `incident.closed`, `incident.relapsed`: what the gates said, and how it ended.

use super::Problem;
use super::look::LookLine;
use super::parts::{Plan, Str, TargetLine, Word, is_false, millis_up};
use crate::model::fact::{Answer, AttemptEnded, Decided, IncidentClosed, IncidentRelapsed, Refusal};
use crate::model::id::IncidentId;
use crate::model::incident::{AttemptNumber, Verdict};
use crate::model::reason::{Gate, Reason};
use crate::record::text::{Cap, PairList, Text};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::time::Duration;

/// `decision`
#[derive(Serialize, Deserialize)]
pub(super) struct DecisionLine<'a> {
    inc: Word<IncidentId>,
    #[serde(borrow)]
    playbook: Str<'a>,
    result: DecisionResult,
    #[serde(skip_serializing_if = "Option::is_none")]
    gate: Option<Word<Gate>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Word<Reason>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    detail: Option<Text<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    inputs: Option<PairList<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u64>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    target: Option<TargetLine<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<Plan<'a>>,
    #[serde(default, skip_serializing_if = "is_false")]
    dry_run: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempts: Option<u32>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    key: Option<PairList<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    look: Option<LookLine<'a>>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum DecisionResult {
    Run,
    Refused,
}

impl<'a> DecisionLine<'a> {
    pub(super) fn new(decided: &'a Decided, cap: Cap) -> Self {
        let line = Self {
            inc: Word(decided.incident),
            playbook: Cow::Borrowed(&decided.playbook),
            result: DecisionResult::Run,
            gate: None,
            reason: None,
            detail: None,
            inputs: None,
            retry_after_ms: None,
            target: decided.target.as_ref().map(TargetLine::from),
            plan: None,
            dry_run: false,
            attempt: None,
            attempts: None,
            key: None,
            look: decided.look.as_deref().and_then(|look| LookLine::new(look, cap)),
        };
        match &decided.answer {
            Answer::Run { dry_run, plan, attempt, key } => {
                let several = attempt.is_one_of_several().then_some(*attempt);
                Self {
                    dry_run: *dry_run,
                    plan: plan.as_deref().map(|digits| Plan(digits.into())),
                    attempt: several.map(|attempt| attempt.number),
                    attempts: several.map(|attempt| attempt.count),
                    key: (!key.is_empty()).then(|| PairList(Cow::Borrowed(key), cap)),
                    ..line
                }
            }
            Answer::Refused(Refusal { gate, reason, detail, inputs, retry_after }) => Self {
                result: DecisionResult::Refused,
                gate: Some(Word(*gate)),
                reason: Some(Word(*reason)),
                detail: Some(Text::new(detail, cap)),
                inputs: (!inputs.is_empty()).then(|| PairList(Cow::Borrowed(inputs), cap)),
                retry_after_ms: Some(millis_up(*retry_after)),
                ..line
            },
        }
    }
}

impl TryFrom<DecisionLine<'_>> for Decided {
    type Error = Problem;

    fn try_from(line: DecisionLine<'_>) -> Result<Self, Problem> {
        let answer = match (line.result, line.gate, line.reason) {
            (DecisionResult::Run, _, _) => Answer::Run {
                dry_run: line.dry_run,
                plan: line.plan.map(|plan| plan.0.into_owned()),
                attempt: match (line.attempt, line.attempts) {
                    (Some(number), Some(count)) => AttemptNumber { number, count },
                    (_, _) => AttemptNumber::ONLY,
                },
                key: line.key.map(|key| key.0.into_owned()).unwrap_or_default(),
            },
            (DecisionResult::Refused, Some(Word(gate)), Some(Word(reason))) => Answer::Refused(Refusal {
                gate,
                reason,
                detail: line.detail.map(Text::into_string).unwrap_or_default(),
                inputs: line.inputs.map(|inputs| inputs.0.into_owned()).unwrap_or_default(),
                retry_after: Duration::from_millis(line.retry_after_ms.unwrap_or_default()),
            }),
            (DecisionResult::Refused, _, _) => return Err("a refusal needs gate and reason".to_owned()),
        };
        Ok(Self {
            incident: line.inc.0,
            playbook: (*line.playbook).into(),
            target: line.target.map(TryInto::try_into).transpose()?,
            answer,
            look: line.look.map(LookLine::into_look).transpose()?,
        })
    }
}

/// `incident.closed`
#[derive(Serialize, Deserialize)]
pub(super) struct ClosedLine<'a> {
    inc: Word<IncidentId>,
    verdict: Word<Verdict>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Word<Reason>>,
    #[serde(borrow)]
    detail: Text<'a>,
}

impl<'a> ClosedLine<'a> {
    pub(super) fn new(closed: &'a IncidentClosed, cap: Cap) -> Self {
        let IncidentClosed { incident, verdict, reason, detail } = closed;
        Self { inc: Word(*incident), verdict: Word(*verdict), reason: reason.map(Word), detail: Text::new(detail, cap) }
    }
}

impl From<ClosedLine<'_>> for IncidentClosed {
    fn from(line: ClosedLine<'_>) -> Self {
        Self {
            incident: line.inc.0,
            verdict: line.verdict.0,
            reason: line.reason.map(|Word(reason)| reason),
            detail: line.detail.into_string(),
        }
    }
}

/// `attempt.ended`
#[derive(Serialize, Deserialize)]
pub(super) struct AttemptLine<'a> {
    inc: Word<IncidentId>,
    attempt: u32,
    verdict: Word<Verdict>,
    #[serde(borrow)]
    detail: Text<'a>,
}

impl<'a> AttemptLine<'a> {
    pub(super) fn new(ended: &'a AttemptEnded, cap: Cap) -> Self {
        let AttemptEnded { incident, attempt, verdict, detail } = ended;
        Self { inc: Word(*incident), attempt: *attempt, verdict: Word(*verdict), detail: Text::new(detail, cap) }
    }
}

impl From<AttemptLine<'_>> for AttemptEnded {
    fn from(line: AttemptLine<'_>) -> Self {
        let detail = line.detail.into_string();
        Self { incident: line.inc.0, attempt: line.attempt, verdict: line.verdict.0, detail }
    }
}

/// `incident.relapsed`
#[derive(Serialize, Deserialize)]
pub(super) struct RelapsedLine {
    inc: Word<IncidentId>,
    by: Word<IncidentId>,
}

impl From<&IncidentRelapsed> for RelapsedLine {
    fn from(relapsed: &IncidentRelapsed) -> Self {
        Self { inc: Word(relapsed.incident), by: Word(relapsed.by) }
    }
}

impl From<RelapsedLine> for IncidentRelapsed {
    fn from(line: RelapsedLine) -> Self {
        Self { incident: line.inc.0, by: line.by.0 }
    }
}
