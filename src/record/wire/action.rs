//! `action.intent`, `action.outcome`, `action.reconciled`: what was going to be done, and what came of it.

use super::Problem;
use super::parts::{Plan, Str, TargetLine, VitalsLine, Word, is_false, seconds_up};
use crate::model::action::{Action, ActionOutcome, Reconciled};
use crate::model::fact::{ActionFinished, ActionIntended, ActionReconciled};
use crate::model::id::{ActId, IncidentId};
use crate::model::testimony::{Says, Testimony};
use crate::record::text::{Cap, Text};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::time::Duration;

/// `action.intent`
#[derive(Serialize, Deserialize)]
pub(super) struct IntentLine<'a> {
    inc: Word<IncidentId>,
    act: Word<ActId>,
    #[serde(borrow)]
    playbook: Str<'a>,
    #[serde(borrow)]
    op: Str<'a>,
    #[serde(borrow)]
    target: TargetLine<'a>,
    #[serde(borrow)]
    pre: VitalsLine<'a>,
    args: ArgsLine,
    deadline_s: u64,
    plan: Plan<'a>,
    #[serde(default, skip_serializing_if = "is_false")]
    dependent: bool,
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    dependents: Vec<TargetLine<'a>>,
    #[serde(default, skip_serializing_if = "is_false")]
    dry_run: bool,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    witness: Option<WitnessLine<'a>>,
}

/// `witness`: what Alertmanager said about the alert.
#[derive(Serialize, Deserialize)]
struct WitnessLine<'a> {
    alert: Word<Says>,
    #[serde(borrow)]
    detail: Text<'a>,
}

#[derive(Serialize, Deserialize)]
struct ArgsLine {
    #[serde(skip_serializing_if = "Option::is_none")]
    stop_timeout_s: Option<u64>,
}

impl<'a> IntentLine<'a> {
    pub(super) fn new(intended: &'a ActionIntended, cap: Cap) -> Self {
        let args = match &intended.action {
            Action::Restart { stop_timeout } | Action::Stop { stop_timeout } => {
                ArgsLine { stop_timeout_s: stop_timeout.map(seconds_up) }
            }
            Action::Start => ArgsLine { stop_timeout_s: None },
        };
        Self {
            inc: Word(intended.act.incident),
            act: Word(intended.act),
            playbook: Cow::Borrowed(&intended.playbook),
            op: intended.action.op().into(),
            target: (&intended.target).into(),
            pre: (&intended.pre).into(),
            args,
            deadline_s: seconds_up(intended.deadline),
            plan: Plan(Cow::Borrowed(&intended.plan)),
            dependent: intended.dependent,
            dependents: intended.dependents.iter().map(TargetLine::from).collect(),
            dry_run: intended.dry_run,
            witness: intended.witness.as_ref().map(|testimony| WitnessLine {
                alert: Word(testimony.says),
                detail: Text::new(&testimony.detail, cap),
            }),
        }
    }
}

impl TryFrom<IntentLine<'_>> for ActionIntended {
    type Error = Problem;

    fn try_from(line: IntentLine<'_>) -> Result<Self, Problem> {
        let stop_timeout = line.args.stop_timeout_s.map(Duration::from_secs);
        let action = match &*line.op {
            "container.restart" => Action::Restart { stop_timeout },
            "container.start" => Action::Start,
            "container.stop" => Action::Stop { stop_timeout },
            newer => return Err(format!("{newer:?} is not an action this version knows")),
        };
        Ok(Self {
            act: line.act.0,
            playbook: (*line.playbook).into(),
            action,
            target: line.target.try_into()?,
            pre: line.pre.into(),
            deadline: Duration::from_secs(line.deadline_s),
            plan: line.plan.0.into_owned(),
            dependent: line.dependent,
            dependents: line.dependents.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?,
            dry_run: line.dry_run,
            witness: line.witness.map(|witness| {
                let Word(says) = witness.alert;
                Testimony { says, detail: witness.detail.into_string() }
            }),
        })
    }
}

/// `action.outcome`
#[derive(Serialize, Deserialize)]
pub(super) struct OutcomeLine<'a> {
    inc: Word<IncidentId>,
    act: Word<ActId>,
    result: OutcomeWord,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    error: Option<Text<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    post: Option<VitalsLine<'a>>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum OutcomeWord {
    Succeeded,
    Failed,
    Unknown,
    Rehearsed,
}

impl<'a> OutcomeLine<'a> {
    pub(super) fn new(finished: &'a ActionFinished, cap: Cap) -> Self {
        let (result, error, post) = match &finished.outcome {
            ActionOutcome::Succeeded { post } => (OutcomeWord::Succeeded, None, post.as_ref().map(VitalsLine::from)),
            ActionOutcome::Failed { error } => (OutcomeWord::Failed, Some(Text::new(error, cap)), None),
            ActionOutcome::Unknown { error } => (OutcomeWord::Unknown, Some(Text::new(error, cap)), None),
            ActionOutcome::Rehearsed => (OutcomeWord::Rehearsed, None, None),
        };
        Self { inc: Word(finished.act.incident), act: Word(finished.act), result, error, post }
    }
}

impl TryFrom<OutcomeLine<'_>> for ActionFinished {
    type Error = Problem;

    fn try_from(line: OutcomeLine<'_>) -> Result<Self, Problem> {
        let outcome = match (line.result, line.error.map(Text::into_string)) {
            (OutcomeWord::Succeeded, _) => ActionOutcome::Succeeded { post: line.post.map(Into::into) },
            (OutcomeWord::Failed, Some(error)) => ActionOutcome::Failed { error },
            (OutcomeWord::Unknown, Some(error)) => ActionOutcome::Unknown { error },
            (OutcomeWord::Failed | OutcomeWord::Unknown, None) => return Err("error is missing".to_owned()),
            (OutcomeWord::Rehearsed, _) => ActionOutcome::Rehearsed,
        };
        Ok(Self { act: line.act.0, outcome })
    }
}

/// `action.reconciled`
#[derive(Serialize, Deserialize)]
pub(super) struct ReconciledLine<'a> {
    inc: Word<IncidentId>,
    act: Word<ActId>,
    result: Word<Reconciled>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    post: Option<VitalsLine<'a>>,
    #[serde(borrow)]
    detail: Text<'a>,
}

impl<'a> ReconciledLine<'a> {
    pub(super) fn new(reconciled: &'a ActionReconciled, cap: Cap) -> Self {
        let ActionReconciled { act, finding, post, detail } = reconciled;
        Self {
            inc: Word(act.incident),
            act: Word(*act),
            result: Word(*finding),
            post: post.as_ref().map(VitalsLine::from),
            detail: Text::new(detail, cap),
        }
    }
}

impl From<ReconciledLine<'_>> for ActionReconciled {
    fn from(line: ReconciledLine<'_>) -> Self {
        Self {
            act: line.act.0,
            finding: line.result.0,
            post: line.post.map(Into::into),
            detail: line.detail.into_string(),
        }
    }
}
