//! `http.intent` and `http.outcome`: requests to other systems.

use super::Problem;
use super::action::WitnessLine;
use super::parts::{Str, Word, is_false, millis_up};
use super::step::PlaceLine;
use crate::model::fact::{RequestFinished, RequestIntended};
use crate::model::id::{ActId, IncidentId};
use crate::model::request::RequestOutcome;
use crate::model::testimony::Testimony;
use crate::record::text::{Cap, Text};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::time::Duration;

/// `http.intent`
#[derive(Serialize, Deserialize)]
pub(super) struct IntentLine<'a> {
    inc: Word<IncidentId>,
    act: Word<ActId>,
    #[serde(borrow)]
    playbook: Str<'a>,
    #[serde(borrow)]
    step: PlaceLine<'a>,
    #[serde(borrow)]
    method: Str<'a>,
    #[serde(borrow)]
    url: Text<'a>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    body: Option<Text<'a>>,
    body_bytes: u64,
    deadline_ms: u64,
    #[serde(default, skip_serializing_if = "is_false")]
    dry_run: bool,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    witness: Option<WitnessLine<'a>>,
}

impl<'a> IntentLine<'a> {
    pub(super) fn new(intended: &'a RequestIntended, cap: Cap) -> Self {
        let RequestIntended { act, playbook, step, method, url, body, body_len, deadline, dry_run, witness } = intended;
        Self {
            inc: Word(act.incident),
            act: Word(*act),
            playbook: Cow::Borrowed(playbook),
            step: step.into(),
            method: method.into(),
            url: Text::new(url, cap),
            body: body.as_deref().map(|body| Text::new(body, cap)),
            body_bytes: *body_len,
            deadline_ms: millis_up(*deadline),
            dry_run: *dry_run,
            witness: witness.as_ref().map(|testimony| WitnessLine::new(testimony, cap)),
        }
    }
}

impl TryFrom<IntentLine<'_>> for RequestIntended {
    type Error = Problem;

    fn try_from(line: IntentLine<'_>) -> Result<Self, Problem> {
        Ok(Self {
            act: line.act.0,
            playbook: (*line.playbook).into(),
            step: line.step.try_into()?,
            method: line.method.into_owned(),
            url: line.url.into_string(),
            body: line.body.map(Text::into_string),
            body_len: line.body_bytes,
            deadline: Duration::from_millis(line.deadline_ms),
            dry_run: line.dry_run,
            witness: line.witness.map(Testimony::from),
        })
    }
}

/// `http.outcome`
#[derive(Serialize, Deserialize)]
pub(super) struct OutcomeLine<'a> {
    inc: Word<IncidentId>,
    act: Word<ActId>,
    result: OutcomeWord,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    detail: Option<Text<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    error: Option<Text<'a>>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum OutcomeWord {
    Expected,
    Unexpected,
    Failed,
    Unknown,
    Rehearsed,
}

impl<'a> OutcomeLine<'a> {
    pub(super) fn new(finished: &'a RequestFinished, cap: Cap) -> Self {
        let text = |text: &'a String| Some(Text::new(text, cap));
        let (result, status, detail, error) = match &finished.outcome {
            RequestOutcome::Answered { status, expected: true, detail } => {
                (OutcomeWord::Expected, Some(*status), text(detail), None)
            }
            RequestOutcome::Answered { status, expected: false, detail } => {
                (OutcomeWord::Unexpected, Some(*status), text(detail), None)
            }
            RequestOutcome::Failed { error } => (OutcomeWord::Failed, None, None, text(error)),
            RequestOutcome::Unknown { error } => (OutcomeWord::Unknown, None, None, text(error)),
            RequestOutcome::Rehearsed => (OutcomeWord::Rehearsed, None, None, None),
        };
        Self { inc: Word(finished.act.incident), act: Word(finished.act), result, status, detail, error }
    }
}

impl TryFrom<OutcomeLine<'_>> for RequestFinished {
    type Error = Problem;

    fn try_from(line: OutcomeLine<'_>) -> Result<Self, Problem> {
        let detail = line.detail.map(Text::into_string).unwrap_or_default();
        let error = line.error.map(Text::into_string).ok_or_else(|| "error is missing".to_owned());
        let status = line.status.ok_or_else(|| "status is missing".to_owned());
        let outcome = match line.result {
            OutcomeWord::Expected => RequestOutcome::Answered { status: status?, expected: true, detail },
            OutcomeWord::Unexpected => RequestOutcome::Answered { status: status?, expected: false, detail },
            OutcomeWord::Failed => RequestOutcome::Failed { error: error? },
            OutcomeWord::Unknown => RequestOutcome::Unknown { error: error? },
            OutcomeWord::Rehearsed => RequestOutcome::Rehearsed,
        };
        Ok(Self { act: line.act.0, outcome })
    }
}
