//! One incident and how facts move it: from a taken alert over the gates and the steps to a verdict.
//!
//! [`Incident::apply`] is the only way it changes; the running daemon and a replay of the log share it. What comes next
//! is decided in `advance`, from this state alone.

use super::approval::Approval;
pub use super::turns::StepNote;
use super::{aftermath, attempts, look};
use crate::model::action::{ServiceAction, TargetIdent};
use crate::model::diagnosis::Finding;
use crate::model::fact::{
    ActionIntended, AlertReceived, Answer, Branch, Cause, Decided, Fact, NoticeIntended, Origin, Refusal,
    RequestIntended, StepFinished, StepResult, Taken,
};
use crate::model::id::{ActId, IncidentId};
use crate::model::incident::{AttemptNumber, Verdict};
use crate::model::limit::LimitKey;
use crate::model::moment::Moment;
use crate::model::reason::Reason;
use crate::model::service::ServiceVitals;
use crate::model::step::{StepOutcome, Watched};
use crate::model::target::{ContainerId, TargetId};
use std::sync::Arc;
use std::time::Duration;

/// An open incident.
#[derive(Clone, Debug, PartialEq)]
pub struct Incident {
    /// Its name.
    pub id: IncidentId,
    /// The alert that opened it.
    pub alert: Arc<AlertReceived>,
    /// The playbook that took it.
    pub playbook: Arc<str>,
    /// The revision of the playbook that took it.
    pub revision: Arc<str>,
    /// The incident that opened it; `None` if the alert did.
    pub origin: Option<Box<Origin>>,
    /// When.
    pub opened: Moment,
    /// Whether the alert has ended meanwhile. What follows its end began with that, and does not say so here.
    pub alert_ended: bool,
    /// Whether the alert whose end this follows fires again.
    pub fires_again: bool,
    /// Whether it did so in an episode of its own, which something of its own will follow.
    pub superseded: bool,
    /// The further containers of its selector that have incidents of their own.
    pub further: Vec<ContainerId>,
    /// How many acts have been numbered.
    pub acts: u32,
    /// The last try that did not help, once there is one.
    pub tried: Option<Box<Tried>>,
    /// The last question that people were asked about it, once there is one.
    pub approval: Option<Box<Approval>>,
    /// What happened to it, oldest first, without evidence and looks: with the alert, all that makes it what it is.
    pub story: Vec<(Moment, Fact)>,
    /// What it is doing.
    pub phase: Phase,
}

/// What an incident is doing.
#[derive(Clone, Debug, PartialEq)]
pub enum Phase {
    /// Docker is being asked about the target.
    AwaitingTarget,
    /// The gates said yes, and people are asked. Nothing is held meanwhile.
    AwaitingApproval,
    /// A gate said no. It is asked again when the alert is delivered again, and before a further try also by itself.
    Refused {
        /// Which gate and why.
        refusal: Refusal,
        /// When it said no.
        at: Moment,
    },
    /// A try did not help; the next is asked for when the cooldown is over. The target is held by nobody meanwhile.
    BetweenTries,
    /// The gates said yes: its steps are being done.
    Running(Box<Run>),
}

/// A try that came to its end without success, and was not the last.
#[derive(Clone, Debug, PartialEq)]
pub struct Tried {
    /// The run as it ended, before its `on_failure`.
    pub run: Run,
    /// When it ended: the cooldown is counted from here.
    pub at: Moment,
}

/// The run of an incident.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "each says something of its own, and none of them is a phase")]
pub struct Run {
    /// On what; `None` if no step needs a target.
    pub target: Option<TargetIdent>,
    /// Nothing is changed.
    pub dry_run: bool,
    /// SHA-256 of the plan, hex, if the playbook acts.
    pub plan: Option<String>,
    /// Which try it is.
    pub attempt: AttemptNumber,
    /// Why no further try follows although there would be one; its end is recorded already.
    pub no_further: Option<Reason>,
    /// Which list of steps.
    pub branch: Branch,
    /// The step in that list.
    pub index: usize,
    /// When that step began.
    pub since: Moment,
    /// How far that step is.
    pub stage: Stage,
    /// What was acted on, with how it was before.
    pub touched: Vec<Watched>,
    /// What was done to the service last, and how it was before, if the target is one.
    pub done_to_service: Option<(ServiceAction, ServiceVitals)>,
    /// Whether a request to another system was sent, or was about to be.
    pub called: bool,
    /// Dependents that are restarted after the target is up again, in order.
    pub dependents: Vec<TargetIdent>,
    /// Whether the run itself has stopped the target and not started it since: that stop was nobody else's.
    pub stopped: bool,
    /// What the current step has acted on.
    pub begun: Vec<TargetId>,
    /// When the current step first acted: its `timeout` counts from here, so that a pause before costs nothing of it.
    pub acting_since: Option<Moment>,
    /// Whether the current step's `if` is known to be true.
    pub allowed: bool,
    /// What the finished steps left, for templates and conditions.
    pub notes: Vec<StepNote>,
    /// What explains most of what was seen of the target, by the evidence that was kept last.
    pub diagnosis: Option<Finding>,
    /// Which step failed, if one did.
    pub failure: Option<Failure>,
    /// The first failure that its step lets pass (`continue_on_error`), as long as nothing after it saw the target recover.
    pub tolerated: Option<Failure>,
    /// The labels by which the limits count this run, with their values.
    pub key: LimitKey,
    /// Whether the last thing checked after the last action was fine.
    pub verified: bool,
    /// What holds the next act back since something was done already: the run waits, and does not fail.
    pub held: Option<Refusal>,
    /// Whether it has let go of its target while people are asked. Its next act takes hold again, if the gates let it.
    pub released: bool,
}

/// How far a step is.
#[derive(Clone, Debug, PartialEq)]
pub enum Stage {
    /// Not begun, or begun and without a trace in the log: it may be begun again.
    Ready,
    /// The intent is recorded, since when: the call may have been sent.
    Acting(ActionIntended, Moment),
    /// The call was sent and no answer came; since when the intent is recorded.
    InDoubt(ActionIntended, Moment),
    /// A message is on its way.
    Telling {
        /// The message.
        intended: NoticeIntended,
        /// How many of the step's messages are out already.
        told: usize,
    },
    /// Some of a notify step's messages are out: how many.
    Told(usize),
    /// The intent is recorded, since when: the request may have been sent.
    Requesting(RequestIntended, Moment),
    /// The target recovered; its alert still fires. In words, what was seen of the target.
    AwaitingAlert(String),
    /// People are asked whether to go on; what they say is the incident's approval.
    AwaitingApproval,
}

/// The step that failed a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The verdict the incident will have.
    pub verdict: Verdict,
    /// The step's verb.
    pub step: &'static str,
    /// Its place in `steps`.
    pub index: usize,
    /// What went wrong.
    pub error: String,
    /// Its step lets it pass, and it counts all the same: nothing after it saw the target recover.
    pub counted: bool,
}

impl Incident {
    /// The incident a taken alert opens; `None` if nobody took it.
    #[must_use]
    pub fn open(id: IncidentId, alert: &Arc<AlertReceived>, at: Moment) -> Option<Self> {
        let (playbook, revision) = match &alert.taken {
            Taken::ByPlaybook { playbook, revision, .. } => (Arc::clone(playbook), Arc::clone(revision)),
            Taken::ByNobody(_) => return None,
        };
        let alert = Arc::clone(alert);
        let phase = Phase::AwaitingTarget;
        Some(Self {
            id,
            alert,
            playbook,
            revision,
            origin: None,
            opened: at,
            alert_ended: false,
            fires_again: false,
            superseded: false,
            further: Vec::new(),
            acts: 0,
            tried: None,
            approval: None,
            story: Vec::new(),
            phase,
        })
    }

    /// The name of the next act.
    #[must_use]
    pub fn next_act(&self) -> ActId {
        ActId { incident: self.id, number: self.acts + 1 }
    }

    /// The run, if it is running.
    #[must_use]
    pub fn run(&self) -> Option<&Run> {
        match &self.phase {
            Phase::Running(run) => Some(run),
            Phase::AwaitingTarget | Phase::AwaitingApproval | Phase::Refused { .. } | Phase::BetweenTries => None,
        }
    }

    /// Whether its steps are being done, or one try of them was.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.run().is_some() || self.tried.is_some()
    }

    /// Which try is under way, or would be the next.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        let next = || self.tried.as_ref().map_or(1, |tried| tried.run.attempt.number.saturating_add(1));
        self.run().map_or_else(next, |run| run.attempt.number)
    }

    /// Moves on by one fact about this incident. Facts that do not fit its phase change nothing: a log may hold them,
    /// and a replay must never fail on what it finds.
    pub fn apply(&mut self, fact: &Fact, at: Moment) {
        self.remember(fact, at);
        if self.is_asking(fact) {
            self.acts = self.acts.max(if let Fact::NoticeIntended(it) = fact { it.notice.act.number } else { 0 });
            return;
        }
        match fact {
            Fact::AlertEnded(_) if self.is_aftercare() => self.fires_again = false,
            Fact::AlertEnded(_) => self.alert_ended = true,
            Fact::AlertReceived(received) if self.is_aftercare() => {
                self.fires_again = true;
                self.superseded |= !aftermath::goes_on(received);
            }
            Fact::IncidentOpened(opened) if opened.origin.of == self.id => {
                if let Cause::FurtherTarget(container) = &opened.origin.cause {
                    self.further.push(container.clone());
                }
            }
            Fact::IncidentOpened(opened) => self.origin = Some(Box::new(opened.origin.clone())),
            Fact::Decided(decided) => self.decided(decided, at),
            Fact::AttemptEnded(ended) => self.attempt_ended(ended.attempt, at),
            Fact::BreakerOpened(_) => self.no_further_try(Reason::BreakerOpen, at),
            Fact::ActionIntended(intended) => self.acts = self.acts.max(intended.act.number),
            Fact::NoticeIntended(intended) => self.acts = self.acts.max(intended.notice.act.number),
            Fact::ApprovalRequested(asked) => self.approval_requested(asked, at),
            Fact::VoteCast(vote) => self.vote_cast(vote, at),
            Fact::ApprovalEnded(ended) => self.approval_ended(ended, at),
            Fact::StepFinished(StepFinished { result: StepResult::Approved(_), .. }) => self.use_approval(),
            Fact::RequestIntended(intended) => self.acts = self.acts.max(intended.act.number),
            Fact::LogOpened(_)
            | Fact::LogClosed
            | Fact::LogRecovered(_)
            | Fact::ConfigLoaded(_)
            | Fact::ConfigRejected(_)
            | Fact::ClockJumped(_)
            | Fact::TargetVerified(_)
            | Fact::IncidentRelapsed(_)
            | Fact::PauseSet(_)
            | Fact::PauseCleared(_)
            | Fact::BreakerReset(_)
            | Fact::StormFrozen(_)
            | Fact::StateSaved(_)
            | Fact::AlertReceived(_)
            | Fact::AlertsRejected(_)
            | Fact::StepMarked(_)
            | Fact::RequestFinished(_)
            | Fact::StepFinished(_)
            | Fact::ActionFinished(_)
            | Fact::ActionReconciled(_)
            | Fact::NoticeFinished(_)
            | Fact::IncidentClosed(_) => {}
        }
        if let Phase::Running(run) = &mut self.phase {
            run.apply(fact, at);
        }
    }

    fn decided(&mut self, decided: &Decided, at: Moment) {
        match &decided.answer {
            Answer::Run { dry_run, plan, attempt, key } => {
                let mut run = Run::start(decided.target.clone(), (*dry_run, plan.clone()), *attempt, at);
                if self.is_aftercare() {
                    run.branch = Branch::OnResolved;
                }
                run.key.clone_from(key);
                run.notes.extend(self.tried.iter().flat_map(|tried| tried.run.notes.iter().cloned()));
                self.phase = Phase::Running(Box::new(run));
                self.use_approval();
            }
            Answer::Refused(refusal) => self.refused(refusal, at),
        }
    }

    fn remember(&mut self, fact: &Fact, at: Moment) {
        let refused = |fact: &Fact| matches!(fact, Fact::Decided(Decided { answer: Answer::Refused(_), .. }));
        let opens = matches!(fact, Fact::AlertReceived(_)) && !self.is_aftercare();
        if opens {
            return;
        }
        let kept = look::without(fact);
        // Of refusals in a row, the last one counts.
        let is_refused = matches!(self.phase, Phase::Refused { .. });
        if is_refused && self.story.last().is_some_and(|(_, last)| refused(last)) && refused(&kept) {
            self.story.pop();
        }
        self.story.push((at, kept));
    }

    fn refused(&mut self, refusal: &Refusal, at: Moment) {
        match &mut self.phase {
            // There is no way back once something was done: the run waits where it is.
            Phase::Running(run) if run.is_past_return() => run.held = Some(refusal.clone()),
            Phase::AwaitingTarget
            | Phase::AwaitingApproval
            | Phase::Refused { .. }
            | Phase::BetweenTries
            | Phase::Running(_) => {
                self.phase = Phase::Refused { refusal: refusal.clone(), at };
                if attempts::ends_the_tries(refusal) {
                    self.no_further_try(refusal.reason, at);
                }
            }
        }
    }

    /// A try is over and another may follow.
    fn attempt_ended(&mut self, number: u32, at: Moment) {
        if let Some(run) = self.run().filter(|run| run.attempt.number == number) {
            self.tried = Some(Box::new(Tried { run: run.clone(), at }));
            self.phase = Phase::BetweenTries;
        }
    }

    /// There would be another try, and it must not be made: `on_failure` of the last one is next.
    fn no_further_try(&mut self, reason: Reason, at: Moment) {
        let waits = matches!(self.phase, Phase::BetweenTries | Phase::Refused { .. });
        if let Some(tried) = self.tried.as_ref().filter(|_| waits) {
            let run = Run { no_further: Some(reason), since: at, ..tried.run.clone() };
            self.phase = Phase::Running(Box::new(run));
        }
    }
}

impl Run {
    pub(super) fn start(
        target: Option<TargetIdent>,
        (dry_run, plan): (bool, Option<String>),
        attempt: AttemptNumber,
        at: Moment,
    ) -> Self {
        Self {
            target,
            dry_run,
            plan,
            attempt,
            no_further: None,
            branch: Branch::Steps,
            index: 0,
            since: at,
            stage: Stage::Ready,
            touched: Vec::new(),
            done_to_service: None,
            called: false,
            dependents: Vec::new(),
            stopped: false,
            begun: Vec::new(),
            acting_since: None,
            allowed: false,
            notes: Vec::new(),
            diagnosis: None,
            failure: None,
            tolerated: None,
            key: LimitKey::new(),
            verified: false,
            held: None,
            released: false,
        }
    }

    /// Whether nobody else may treat its target meanwhile.
    #[must_use]
    pub fn holds_its_target(&self) -> bool {
        self.plan.is_some() && !self.released && self.branch != Branch::OnDenied
    }

    /// Nobody agreed: nothing more is done to the target, and people are told.
    pub(super) fn not_agreed(&mut self, at: Moment) {
        self.branch = Branch::OnDenied;
        self.index = 0;
        self.begun.clear();
        self.held = None;
        self.since = at;
        self.stage = Stage::Ready;
    }

    /// Whether anything was done, or was about to be done: then a refusal cannot undo the run.
    #[must_use]
    pub fn has_acted(&self) -> bool {
        self.has_treated() || self.called
    }

    /// Whether anything was done to a container or a service, or was about to be done.
    #[must_use]
    pub fn has_treated(&self) -> bool {
        !self.touched.is_empty() || self.done_to_service.is_some()
    }

    /// Whether it goes on to its end, whatever a gate says: something was done, or it has failed and people are told.
    #[must_use]
    pub fn is_past_return(&self) -> bool {
        self.has_acted() || matches!(self.branch, Branch::OnFailure | Branch::OnDenied)
    }

    /// Whether it was the last of several tries, and in vain.
    #[must_use]
    pub fn was_the_last_resort(&self) -> bool {
        self.attempt.is_one_of_several() && self.attempt.is_last() && self.asks_for_another()
    }

    /// Whether it ended so that another try may mend what this one did not. What nobody understands, nobody treats.
    #[must_use]
    pub fn asks_for_another(&self) -> bool {
        self.failure.as_ref().is_some_and(|failure| matches!(failure.verdict, Verdict::Ineffective | Verdict::Failed))
    }

    fn apply(&mut self, fact: &Fact, at: Moment) {
        match fact {
            Fact::StepFinished(finished)
                if finished.step.branch == self.branch && finished.step.index == self.index =>
            {
                self.step_finished(finished, at);
            }
            Fact::StepMarked(marked) => self.step_marked(marked, at),
            Fact::RequestIntended(intended) => self.request_intended(intended, at),
            Fact::RequestFinished(finished) => self.request_finished(finished, at),
            Fact::ActionIntended(intended) => self.action_intended(intended, at),
            Fact::ActionFinished(finished) => {
                if let Stage::Acting(intended, since) = &self.stage
                    && intended.act == finished.act
                {
                    let doubt = (intended.clone(), *since);
                    self.action_finished(doubt, &finished.outcome, at);
                }
            }
            Fact::ActionReconciled(reconciled) => self.action_reconciled(reconciled, at),
            Fact::TargetVerified(verified)
                if verified.step.branch == self.branch && verified.step.index == self.index =>
            {
                self.stage = Stage::AwaitingAlert(verified.detail.clone());
            }
            Fact::NoticeIntended(intended) => {
                let told = if let Stage::Told(told) = self.stage { told } else { 0 };
                self.stage = Stage::Telling { intended: intended.clone(), told };
            }
            Fact::NoticeFinished(finished) => self.notice_finished(finished.act),
            Fact::LogOpened(_)
            | Fact::LogClosed
            | Fact::LogRecovered(_)
            | Fact::ConfigLoaded(_)
            | Fact::ConfigRejected(_)
            | Fact::ClockJumped(_)
            | Fact::AttemptEnded(_)
            | Fact::IncidentRelapsed(_)
            | Fact::PauseSet(_)
            | Fact::PauseCleared(_)
            | Fact::BreakerOpened(_)
            | Fact::BreakerReset(_)
            | Fact::StormFrozen(_)
            | Fact::ApprovalRequested(_)
            | Fact::VoteCast(_)
            | Fact::ApprovalEnded(_)
            | Fact::StateSaved(_)
            | Fact::AlertReceived(_)
            | Fact::AlertEnded(_)
            | Fact::IncidentOpened(_)
            | Fact::AlertsRejected(_)
            | Fact::Decided(_)
            | Fact::StepFinished(_)
            | Fact::TargetVerified(_)
            | Fact::IncidentClosed(_) => {}
        }
    }

    fn notice_finished(&mut self, act: ActId) {
        if let Stage::Telling { intended, told } = &self.stage
            && intended.notice.act == act
        {
            self.stage = Stage::Told(told + 1);
        }
    }

    fn step_finished(&mut self, finished: &StepFinished, at: Moment) {
        let elapsed = finished.elapsed;
        let (outcome, detail) = match &finished.result {
            StepResult::Verified(seen) => {
                self.verified = true;
                self.tolerated = None;
                (StepOutcome::Success, seen.as_str())
            }
            StepResult::NotVerified(seen) => {
                return self.fail((Verdict::Ineffective, finished.step.verb), (seen, elapsed), at);
            }
            StepResult::Failed(error) => {
                return self.fail((Verdict::Failed, finished.step.verb), (error, elapsed), at);
            }
            StepResult::Captured(evidence) => return self.captured((evidence, elapsed), at),
            StepResult::Waited => (StepOutcome::Success, "waited"),
            StepResult::Notified => (StepOutcome::Success, "notified"),
            StepResult::Skipped => (StepOutcome::Skipped, "skipped"),
            StepResult::ConditionFalse(seen) => (StepOutcome::Skipped, seen.as_str()),
            StepResult::NotNeeded(seen) | StepResult::Paused(seen) | StepResult::Approved(seen) => {
                (StepOutcome::Success, seen.as_str())
            }
        };
        self.next_step((outcome, elapsed, detail), at);
    }

    /// The container whose turn it is in a step that acts: the target itself, then its dependents.
    #[must_use]
    pub fn next_to_act(&self) -> Option<&TargetIdent> {
        let target = self.target.as_ref()?;
        let turns = std::iter::once(target).chain(&self.dependents);
        turns.into_iter().find(|turn| !self.begun.contains(&turn.id))
    }

    /// Whether the container whose turn it is depends on the target, which is done.
    #[must_use]
    pub fn at_dependents(&self) -> bool {
        self.target.as_ref().is_some_and(|target| self.begun.contains(&target.id))
    }

    pub(super) fn next_step(&mut self, (outcome, elapsed, detail): (StepOutcome, Duration, &str), at: Moment) {
        self.note((outcome, elapsed, detail));
        self.turn_to((self.branch, self.index + 1), at);
    }

    /// The step whose turn it is now.
    pub(super) fn turn_to(&mut self, (branch, index): (Branch, usize), at: Moment) {
        (self.branch, self.index) = (branch, index);
        self.begun.clear();
        self.acting_since = None;
        self.allowed = false;
        self.held = None;
        self.since = at;
        self.stage = Stage::Ready;
    }

    /// The run failed: `on_failure` is next, unless the step lets it pass. A failure within `on_failure` or `on_denied`
    /// only ends its step.
    pub(super) fn fail(
        &mut self,
        (verdict, step): (Verdict, &'static str),
        (error, elapsed): (&str, Duration),
        at: Moment,
    ) {
        match self.branch {
            Branch::Steps | Branch::OnResolved => {}
            Branch::OnFailure | Branch::OnDenied => {
                return self.next_step((StepOutcome::Failure, elapsed, error), at);
            }
        }
        self.note((StepOutcome::Failure, elapsed, error));
        self.failure = Some(Failure { verdict, step, index: self.index, error: error.to_owned(), counted: false });
        self.turn_to((Branch::OnFailure, 0), at);
    }
}
