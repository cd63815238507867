//! `approval.*`: what people were asked, what each of them said, and how it ended.

use super::Problem;
use super::look::LookLine;
use super::parts::{Plan, Str, TargetLine, Word, is_false, millis_up};
use super::step::PlaceLine;
use crate::model::approval::{
    ApprovalEnded, ApprovalOutcome, ApprovalRequested, Ballot, ReasonFor, VoteAnswer, VoteCast,
};
use crate::model::id::{ActId, IncidentId};
use crate::model::incident::AttemptNumber;
use crate::record::text::{Cap, Text, cut_evidence};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::borrow::Cow;
use std::time::Duration;

/// `approval.requested`
#[expect(clippy::struct_excessive_bools, reason = "each is a member of the record")]
#[derive(Serialize, Deserialize)]
pub(super) struct RequestedLine<'a> {
    inc: Word<IncidentId>,
    act: Word<ActId>,
    #[serde(borrow)]
    playbook: Str<'a>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    target: Option<TargetLine<'a>>,
    plan: Plan<'a>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    terms: Option<Plan<'a>>,
    #[serde(borrow)]
    what: Text<'a>,
    required: u32,
    #[serde(borrow)]
    from: Vec<Text<'a>>,
    timeout_ms: u64,
    #[serde(default, skip_serializing_if = "is_false")]
    approve_on_timeout: bool,
    prevent_self_approval: bool,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    cause: Option<Text<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    step: Option<PlaceLine<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempts: Option<u32>,
    #[serde(default, skip_serializing_if = "is_false")]
    dry_run: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    no_links: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Word<ReasonFor>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    evidence: Option<Cow<'a, Value>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    look: Option<LookLine<'a>>,
}

impl<'a> RequestedLine<'a> {
    pub(super) fn new(asked: &'a ApprovalRequested, cap: Cap) -> Self {
        let several = asked.attempt.is_one_of_several().then_some(asked.attempt);
        Self {
            inc: Word(asked.approval.incident),
            act: Word(asked.approval),
            playbook: Cow::Borrowed(&asked.playbook),
            target: asked.target.as_ref().map(TargetLine::from),
            plan: Plan(Cow::Borrowed(&asked.plan)),
            terms: (!asked.terms.is_empty()).then(|| Plan(Cow::Borrowed(&*asked.terms))),
            what: Text::new(&asked.what, cap),
            required: asked.required,
            from: asked.from.iter().map(|who| Text::new(who, cap)).collect(),
            timeout_ms: millis_up(asked.timeout),
            approve_on_timeout: asked.approve_on_timeout,
            prevent_self_approval: asked.prevent_self_approval,
            cause: asked.cause.as_deref().map(|cause| Text::new(cause, cap)),
            step: asked.step.as_ref().map(PlaceLine::from),
            attempt: several.map(|attempt| attempt.number),
            attempts: several.map(|attempt| attempt.count),
            dry_run: asked.dry_run,
            no_links: asked.no_links,
            reason: (asked.reason != ReasonFor::Never).then_some(Word(asked.reason)),
            evidence: asked.evidence.as_ref().map(|evidence| cut_evidence(evidence, cap)),
            look: asked.look.as_deref().and_then(|look| LookLine::new(look, cap)),
        }
    }
}

impl TryFrom<RequestedLine<'_>> for ApprovalRequested {
    type Error = Problem;

    fn try_from(line: RequestedLine<'_>) -> Result<Self, Problem> {
        Ok(Self {
            approval: line.act.0,
            playbook: (*line.playbook).into(),
            target: line.target.map(TryInto::try_into).transpose()?,
            plan: line.plan.0.into_owned(),
            terms: line.terms.map(|terms| terms.0.into_owned()).unwrap_or_default(),
            what: line.what.into_string(),
            required: line.required,
            from: line.from.into_iter().map(Text::into_string).collect(),
            timeout: Duration::from_millis(line.timeout_ms),
            approve_on_timeout: line.approve_on_timeout,
            prevent_self_approval: line.prevent_self_approval,
            cause: line.cause.map(Text::into_string),
            step: line.step.map(TryInto::try_into).transpose()?,
            attempt: match (line.attempt, line.attempts) {
                (Some(number), Some(count)) => AttemptNumber { number, count },
                (_, _) => AttemptNumber::ONLY,
            },
            dry_run: line.dry_run,
            no_links: line.no_links,
            reason: line.reason.map_or(ReasonFor::Never, |reason| reason.0),
            evidence: line.evidence.map(Cow::into_owned),
            look: line.look.map(LookLine::into_look).transpose()?,
        })
    }
}

/// `approval.vote`
#[derive(Serialize, Deserialize)]
pub(super) struct VoteLine<'a> {
    inc: Word<IncidentId>,
    act: Word<ActId>,
    #[serde(borrow)]
    plan: Text<'a>,
    #[serde(borrow)]
    by: Text<'a>,
    #[serde(borrow)]
    groups: Vec<Text<'a>>,
    #[serde(borrow)]
    channel: Text<'a>,
    vote: YesNo,
    result: Word<VoteAnswer>,
    #[serde(borrow)]
    comment: Text<'a>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum YesNo {
    Yes,
    No,
}

impl<'a> VoteLine<'a> {
    pub(super) fn new(vote: &'a VoteCast, cap: Cap) -> Self {
        let VoteCast { ballot, answer } = vote;
        let Ballot { approval, plan, person, groups, channel, approve, comment } = ballot;
        Self {
            inc: Word(approval.incident),
            act: Word(*approval),
            plan: Text::new(plan, cap),
            by: Text::new(person, cap),
            groups: groups.iter().map(|group| Text::new(group, cap)).collect(),
            channel: Text::new(channel, cap),
            vote: if *approve { YesNo::Yes } else { YesNo::No },
            result: Word(*answer),
            comment: Text::new(comment, cap),
        }
    }
}

impl From<VoteLine<'_>> for VoteCast {
    fn from(line: VoteLine<'_>) -> Self {
        let ballot = Ballot {
            approval: line.act.0,
            plan: line.plan.into_string(),
            person: line.by.into_string(),
            groups: line.groups.into_iter().map(Text::into_string).collect(),
            channel: line.channel.into_string(),
            approve: matches!(line.vote, YesNo::Yes),
            comment: line.comment.into_string(),
        };
        Self { ballot, answer: line.result.0 }
    }
}

/// `approval.approved`, `approval.denied`, `approval.expired`, `approval.superseded`, `approval.cancelled`
#[derive(Serialize, Deserialize)]
pub(super) struct EndedLine<'a> {
    inc: Word<IncidentId>,
    act: Word<ActId>,
    #[serde(borrow)]
    by: Vec<Text<'a>>,
    #[serde(borrow)]
    reason: Text<'a>,
    #[serde(borrow)]
    detail: Text<'a>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    look: Option<LookLine<'a>>,
}

impl<'a> EndedLine<'a> {
    pub(super) fn new(ended: &'a ApprovalEnded, cap: Cap) -> Self {
        let ApprovalEnded { approval, outcome: _, by, reason, detail, look } = ended;
        Self {
            inc: Word(approval.incident),
            act: Word(*approval),
            by: by.iter().map(|person| Text::new(person, cap)).collect(),
            reason: Text::new(reason, cap),
            detail: Text::new(detail, cap),
            look: look.as_deref().and_then(|look| LookLine::new(look, cap)),
        }
    }

    /// The kind of the record says how it ended.
    ///
    /// # Errors
    /// If the look in it makes no sense.
    pub(super) fn ended(self, outcome: ApprovalOutcome) -> Result<ApprovalEnded, Problem> {
        Ok(ApprovalEnded {
            approval: self.act.0,
            outcome,
            by: self.by.into_iter().map(Text::into_string).collect(),
            reason: self.reason.into_string(),
            detail: self.detail.into_string(),
            look: self.look.map(LookLine::into_look).transpose()?,
        })
    }
}
