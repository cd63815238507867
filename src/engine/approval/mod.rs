//! People's consent, as a state machine made of facts: asked, voted on, decided, carried out once.
//!
//! `requested → (vote*) → approved | denied | expired | superseded | cancelled`, and an approved one is used up by the run
//! or the step that begins. One event is decided after the other, and each against the state before it, so double clicks,
//! replays and races lose by construction. While people are asked, nothing is held that another run may need. Time that
//! passes never makes a yes out of silence, unless playbook and settings both say so.
//!
//! Read [`Approval`] first; then `question` (what people are asked), `vote` (who counts) and `course` (what follows).

mod course;
mod question;
mod shown;
mod terms;
mod vote;
mod words;

use super::incident::{Incident, Phase, Run, Stage};
use crate::model::approval::{
    ApprovalEnded, ApprovalOutcome, ApprovalRequested, EXECUTE_WITHIN, VoteAnswer, VoteCast, WRONG_LINKS_MAX,
};
use crate::model::fact::Fact;
use crate::model::id::ActId;
use crate::model::moment::Moment;
use crate::model::notice::Notice;
use crate::model::policy::Policy;

pub(super) use course::{expire, moot, next_in_step, next_move, not_agreed, question, run_out};
pub(super) use question::{asked, before_run, before_steps, closer, foreseen, plan_of_step, seen};
pub(super) use shown::shown;
pub(super) use terms::{About, Terms};
pub(super) use vote::{recounted, settled, vote};

/// One approval of an open incident.
#[derive(Clone, Debug, PartialEq)]
pub struct Approval {
    /// What people are asked.
    pub asked: ApprovalRequested,
    /// Since when: their time is counted from here.
    pub since: Moment,
    /// The how many-th question about the same try, because what would be done has changed.
    pub round: u32,
    /// Who agreed, each once, in order.
    pub yes: Vec<String>,
    /// Who said no.
    pub no: Option<String>,
    /// What came with the last vote that counts, and when that was.
    pub said: String,
    /// See `said`.
    pub voted: Moment,
    /// How many votes were recorded that do not count.
    pub vain: u32,
    /// How many links and codes were tried that fit nobody.
    pub wrong_links: u32,
    /// How many notifiers have carried the question, and then that links are taken no more.
    pub told: usize,
    /// The question that is on its way.
    pub asking: Option<Notice>,
    /// How it ended, if it did.
    pub end: Option<End>,
    /// What was approved has begun: it is used up.
    pub used: bool,
}

/// How an approval ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// How.
    pub outcome: ApprovalOutcome,
    /// Who decided it.
    pub by: Vec<String>,
    /// What they said about it.
    pub reason: String,
    /// In words.
    pub detail: String,
    /// When.
    pub at: Moment,
}

impl Approval {
    fn new(asked: &ApprovalRequested, round: u32, since: Moment) -> Self {
        Self {
            asked: ApprovalRequested { look: None, ..asked.clone() },
            since,
            round,
            yes: Vec::new(),
            no: None,
            said: String::new(),
            voted: since,
            vain: 0,
            wrong_links: 0,
            told: 0,
            asking: None,
            end: None,
            used: false,
        }
    }

    /// Whether people have not decided yet.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        self.end.is_none()
    }

    /// Whether they agreed, and nothing has come of it yet.
    #[must_use]
    pub fn is_agreed(&self) -> bool {
        self.outcome() == Some(ApprovalOutcome::Approved) && !self.used
    }

    /// Whether something may still come of it.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.is_pending() || self.is_agreed()
    }

    /// How it ended, if it did.
    #[must_use]
    pub fn outcome(&self) -> Option<ApprovalOutcome> {
        self.end.as_ref().map(|end| end.outcome)
    }

    /// Whether a vote by a signed link may count.
    #[must_use]
    pub fn takes_links(&self) -> bool {
        !self.asked.no_links && self.wrong_links < WRONG_LINKS_MAX
    }

    /// Whether people's time has surely passed: only then does silence mean anything.
    #[must_use]
    pub fn is_surely_over(&self, now: &Moment) -> bool {
        now.remaining(&self.since, self.asked.timeout).is_zero()
    }

    /// Whether it is over by one of the clocks: then nobody's yes counts any more.
    #[must_use]
    pub fn is_perhaps_over(&self, now: &Moment) -> bool {
        self.asked.timeout <= now.perhaps_since(&self.since)
    }

    /// Those whose yes counts no more, because the settings let them decide about it no longer.
    #[must_use]
    pub fn lapsed(&self, policy: &Policy) -> Vec<&str> {
        let agreed = match &self.end {
            Some(end) if end.outcome == ApprovalOutcome::Approved => &end.by,
            Some(_) => return Vec::new(),
            None => &self.yes,
        };
        agreed.iter().map(String::as_str).filter(|person| !policy.lets_decide(&self.asked, person)).collect()
    }

    /// Whether this message carries the question.
    fn is_asked_by(&self, act: ActId) -> bool {
        self.asking.as_ref().is_some_and(|notice| notice.act == act)
    }

    /// Whether it was agreed to so long ago, by one of the clocks, that it may not begin any more.
    fn is_too_old(&self, now: &Moment) -> bool {
        self.end.as_ref().is_some_and(|end| EXECUTE_WITHIN < now.perhaps_since(&end.at))
    }
}

/// What the facts about an approval make of an incident.
impl Incident {
    /// The approval that may still lead to something.
    #[must_use]
    pub fn open_approval(&self) -> Option<&Approval> {
        self.approval.as_deref().filter(|approval| approval.is_open())
    }

    /// Whether people are being asked, and nothing else happens meanwhile.
    #[must_use]
    pub fn waits_for_people(&self) -> bool {
        let waits = match &self.phase {
            Phase::AwaitingApproval => true,
            Phase::Running(run) => run.stage == Stage::AwaitingApproval,
            Phase::AwaitingTarget | Phase::Refused { .. } | Phase::BetweenTries => false,
        };
        waits && self.approval.as_ref().is_some_and(|approval| approval.is_pending())
    }

    pub(in crate::engine) fn approval_requested(&mut self, asked: &ApprovalRequested, at: Moment) {
        self.acts = self.acts.max(asked.approval.number);
        let again = |before: &&Approval| {
            let same = before.asked.attempt == asked.attempt && before.asked.step == asked.step;
            same && before.outcome() == Some(ApprovalOutcome::Superseded)
        };
        let round = self.approval.as_deref().filter(again).map_or(1, |before| before.round.saturating_add(1));
        self.approval = Some(Box::new(Approval::new(asked, round, at)));
        if asked.step.is_none() {
            self.phase = Phase::AwaitingApproval;
        } else if let Phase::Running(run) = &mut self.phase {
            run.stage = Stage::AwaitingApproval;
            // What it has stopped itself is nobody else's. Anything else may be treated by others meanwhile.
            run.released = !run.stopped;
        }
    }

    pub(in crate::engine) fn vote_cast(&mut self, vote: &VoteCast, at: Moment) {
        let Some(approval) = self.approval.as_mut().filter(|known| known.asked.approval == vote.ballot.approval) else {
            return;
        };
        if vote.answer.counts() {
            (approval.said, approval.voted) = (vote.ballot.comment.clone(), at);
        }
        match vote.answer {
            VoteAnswer::Counted | VoteAnswer::Approved => approval.yes.push(vote.ballot.person.clone()),
            VoteAnswer::Denied => approval.no = Some(vote.ballot.person.clone()),
            VoteAnswer::Lapsed => approval.yes.retain(|person| *person != vote.ballot.person),
            VoteAnswer::WrongLink => approval.wrong_links = approval.wrong_links.saturating_add(1),
            VoteAnswer::Repeated
            | VoteAnswer::NotEligible
            | VoteAnswer::SelfApproval
            | VoteAnswer::WrongPlan
            | VoteAnswer::TooLate
            | VoteAnswer::AlreadyDecided
            | VoteAnswer::Unknown
            | VoteAnswer::NoLinks
            | VoteAnswer::NoReason => approval.vain = approval.vain.saturating_add(1),
        }
    }

    pub(in crate::engine) fn approval_ended(&mut self, ended: &ApprovalEnded, at: Moment) {
        let tried = self.tried.as_ref().map(|tried| tried.run.notes.clone()).unwrap_or_default();
        let Some(approval) = self.approval.as_mut().filter(|known| known.asked.approval == ended.approval) else {
            return;
        };
        if !approval.is_open() {
            return;
        }
        let ApprovalEnded { approval: _, outcome, by, reason, detail, look: _ } = ended.clone();
        approval.end = Some(End { outcome, by, reason, detail, at });
        match outcome {
            ApprovalOutcome::Approved | ApprovalOutcome::Superseded | ApprovalOutcome::Cancelled => return,
            ApprovalOutcome::Denied | ApprovalOutcome::Expired => {}
        }
        if let Phase::Running(run) = &mut self.phase {
            run.not_agreed(at);
            return;
        }
        let mut run = Run::of_approval(&approval.asked, at);
        run.notes = tried;
        run.not_agreed(at);
        self.phase = Phase::Running(Box::new(run));
    }

    /// What was agreed to has begun.
    pub(in crate::engine) fn use_approval(&mut self) {
        if let Some(approval) = self.approval.as_mut().filter(|approval| approval.is_agreed()) {
            approval.used = true;
        }
    }

    /// Whether this message carries the question to people; if so, it is noted.
    pub(in crate::engine) fn is_asking(&mut self, fact: &Fact) -> bool {
        let waits = self.waits_for_people();
        let Some(approval) = &mut self.approval else { return false };
        if let Fact::NoticeIntended(intended) = fact {
            if waits {
                approval.asking = Some(intended.notice.clone());
            }
            return waits;
        }
        if let Fact::NoticeFinished(finished) = fact {
            let asked = approval.is_asked_by(finished.act);
            if asked {
                approval.asking = None;
                approval.told += 1;
            }
            return asked;
        }
        false
    }
}

impl Run {
    /// What would be done, as far as the question says.
    fn of_approval(asked: &ApprovalRequested, at: Moment) -> Self {
        Self::start(asked.target.clone(), (asked.dry_run, Some(asked.plan.clone())), asked.attempt, at)
    }
}
