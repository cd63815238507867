//! `action.intent`, `action.outcome`, `action.reconciled`: what was going to be done, and what came of it.

use super::Problem;
use super::look::LookLine;
use super::parts::{BorrowedStr, Plan, Str, TargetLine, VitalsLine, Word, is_false, millis_up, seconds_up};
use crate::model::action::{Action, ActionOutcome, Reconciled, ServiceAction, TargetIdent, TargetVitals};
use crate::model::fact::{ActionFinished, ActionIntended, ActionReconciled};
use crate::model::id::{ActId, IncidentId};
use crate::model::resources::{LimitsChange, ResourceLimits};
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
    #[serde(borrow)]
    args: ArgsLine<'a>,
    deadline_s: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout_ms: Option<u64>,
    plan: Plan<'a>,
    #[serde(default, skip_serializing_if = "is_false")]
    dependent: bool,
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    dependents: Vec<TargetLine<'a>>,
    #[serde(default, skip_serializing_if = "is_false")]
    dry_run: bool,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    witness: Option<WitnessLine<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    look: Option<LookLine<'a>>,
}

/// `witness`: what Alertmanager said about the alert.
#[derive(Serialize, Deserialize)]
pub(super) struct WitnessLine<'a> {
    alert: Word<Says>,
    #[serde(borrow)]
    detail: Text<'a>,
}

impl<'a> WitnessLine<'a> {
    pub(super) fn new(Testimony { says, detail }: &'a Testimony, cap: Cap) -> Self {
        Self { alert: Word(*says), detail: Text::new(detail, cap) }
    }
}

impl From<WitnessLine<'_>> for Testimony {
    fn from(WitnessLine { alert: Word(says), detail }: WitnessLine<'_>) -> Self {
        Self { says, detail: detail.into_string() }
    }
}

/// `args`: each action's own, and no others.
#[derive(Default, Serialize, Deserialize)]
struct ArgsLine<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    stop_timeout_s: Option<u64>,
    /// Of `service.scale`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    to: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    original: Option<u32>,
    /// Of `service.restart`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    force_update: Option<u64>,
    /// Of `service.rollback`.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    from_image: Option<BorrowedStr<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    to_image: Option<BorrowedStr<'a>>,
    /// Of `container.update_limits`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from_limits: Option<LimitsLine>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    to_limits: Option<LimitsLine>,
}

/// Limits in Docker's own spelling.
#[derive(Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LimitsLine {
    memory: u64,
    memory_swap: i64,
    nano_cpus: u64,
    #[serde(default, skip_serializing_if = "is_false")]
    cpu_quota: bool,
}

impl LimitsLine {
    /// For `skip_serializing_if`: nothing is limited.
    pub(super) fn are_none(&self) -> bool {
        *self == Self::default()
    }
}

impl From<ResourceLimits> for LimitsLine {
    fn from(limits: ResourceLimits) -> Self {
        let ResourceLimits { memory, memory_swap, nano_cpus, cpu_quota } = limits;
        Self { memory, memory_swap, nano_cpus, cpu_quota }
    }
}

impl From<LimitsLine> for ResourceLimits {
    fn from(line: LimitsLine) -> Self {
        let LimitsLine { memory, memory_swap, nano_cpus, cpu_quota } = line;
        Self { memory, memory_swap, nano_cpus, cpu_quota }
    }
}

impl<'a> From<&'a Action> for ArgsLine<'a> {
    fn from(action: &'a Action) -> Self {
        let none = Self::default();
        match action {
            Action::Restart { stop_timeout } | Action::Stop { stop_timeout } => {
                Self { stop_timeout_s: stop_timeout.map(seconds_up), ..none }
            }
            Action::Start => none,
            Action::UpdateLimits(LimitsChange { from, to }) => {
                Self { from_limits: Some((*from).into()), to_limits: Some((*to).into()), ..none }
            }
            Action::Service(ServiceAction::Scale { from, to, original }) => {
                Self { from: Some(*from), to: Some(*to), original: Some(*original), ..none }
            }
            Action::Service(ServiceAction::ForceUpdate { counter }) => Self { force_update: Some(*counter), ..none },
            Action::Service(ServiceAction::Rollback { from_image, to_image }) => Self {
                from_image: Some(BorrowedStr::from(from_image.as_str())),
                to_image: Some(BorrowedStr::from(to_image.as_str())),
                ..none
            },
        }
    }
}

impl ArgsLine<'_> {
    /// The action of this name with these arguments.
    fn action(self, op: &str) -> Result<Action, Problem> {
        let stop_timeout = self.stop_timeout_s.map(Duration::from_secs);
        let missing = || format!("{op} lacks an argument");
        Ok(match op {
            "container.restart" => Action::Restart { stop_timeout },
            "container.start" => Action::Start,
            "container.stop" => Action::Stop { stop_timeout },
            "container.update_limits" => {
                let (from, to) = self.from_limits.zip(self.to_limits).ok_or_else(missing)?;
                Action::UpdateLimits(LimitsChange { from: from.into(), to: to.into() })
            }
            "service.scale" => {
                let (from, to) = self.from.zip(self.to).ok_or_else(missing)?;
                let original = self.original.ok_or_else(missing)?;
                Action::Service(ServiceAction::Scale { from, to, original })
            }
            "service.restart" => {
                Action::Service(ServiceAction::ForceUpdate { counter: self.force_update.ok_or_else(missing)? })
            }
            "service.rollback" => {
                let (from, to) = self.from_image.zip(self.to_image).ok_or_else(missing)?;
                let (from_image, to_image) = (from.0.into_owned(), to.0.into_owned());
                Action::Service(ServiceAction::Rollback { from_image, to_image })
            }
            newer => return Err(format!("{newer:?} is not an action this version knows")),
        })
    }
}

impl<'a> IntentLine<'a> {
    pub(super) fn new(intended: &'a ActionIntended, cap: Cap) -> Self {
        Self {
            inc: Word(intended.act.incident),
            act: Word(intended.act),
            playbook: Cow::Borrowed(&intended.playbook),
            op: intended.action.op().into(),
            target: (&intended.target).into(),
            pre: (&intended.pre).into(),
            args: (&intended.action).into(),
            deadline_s: seconds_up(intended.deadline),
            timeout_ms: intended.timeout.map(millis_up),
            plan: Plan(Cow::Borrowed(&intended.plan)),
            dependent: intended.dependent,
            dependents: intended.dependents.iter().map(TargetLine::from).collect(),
            dry_run: intended.dry_run,
            witness: intended.witness.as_ref().map(|testimony| WitnessLine::new(testimony, cap)),
            look: intended.look.as_deref().and_then(|look| LookLine::new(look, cap)),
        }
    }
}

impl TryFrom<IntentLine<'_>> for ActionIntended {
    type Error = Problem;

    fn try_from(line: IntentLine<'_>) -> Result<Self, Problem> {
        let action = line.args.action(&line.op)?;
        let (target, pre) = (TargetIdent::try_from(line.target)?, TargetVitals::from(line.pre));
        let on_service = matches!(action, Action::Service(_));
        if on_service != target.id.container().is_none() || on_service != pre.service().is_some() {
            return Err(format!("{} is not done to a target of this kind", action.op()));
        }
        Ok(Self {
            act: line.act.0,
            playbook: (*line.playbook).into(),
            action,
            target,
            pre,
            deadline: Duration::from_secs(line.deadline_s),
            timeout: line.timeout_ms.map(Duration::from_millis),
            plan: line.plan.0.into_owned(),
            dependent: line.dependent,
            dependents: line.dependents.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?,
            dry_run: line.dry_run,
            witness: line.witness.map(Testimony::from),
            look: line.look.map(LookLine::into_look).transpose()?,
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
