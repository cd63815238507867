//! One incident and how facts move it: from a taken alert over the gates and the steps to a verdict.
//!
//! [`Incident::apply`] is the only way it changes; the running daemon and a replay of the log share it. What comes next
//! is decided in `advance`, from this state alone.

use super::attempts;
use crate::model::action::{Action, ActionOutcome, Goal, Reconciled, TargetIdent};
use crate::model::container::ContainerState;
use crate::model::fact::{
    ActionIntended, ActionReconciled, AlertReceived, Answer, Branch, Decided, Fact, NoticeIntended, Refusal,
    StepFinished, StepResult, Taken,
};
use crate::model::id::{ActId, IncidentId};
use crate::model::incident::{AttemptNumber, Verdict};
use crate::model::moment::Moment;
use crate::model::reason::Reason;
use crate::model::step::Watched;
use crate::model::target::ContainerId;
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
    /// When.
    pub opened: Moment,
    /// Whether the alert has ended meanwhile.
    pub alert_ended: bool,
    /// How many acts have been numbered.
    pub acts: u32,
    /// The last try that did not help, once there is one.
    pub tried: Option<Box<Tried>>,
    /// What happened to it, oldest first, without evidence: with the alert, all that makes it what it is.
    pub story: Vec<(Moment, Fact)>,
    /// What it is doing.
    pub phase: Phase,
}

/// What an incident is doing.
#[derive(Clone, Debug, PartialEq)]
pub enum Phase {
    /// Docker is being asked about the target.
    AwaitingTarget,
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
    /// Dependents that are restarted after the target is up again, in order.
    pub dependents: Vec<TargetIdent>,
    /// Whether the run itself has stopped the target and not started it since: that stop was nobody else's.
    pub stopped: bool,
    /// The containers the current step has acted on.
    pub begun: Vec<ContainerId>,
    /// What the finished steps with an id left for templates.
    pub notes: Vec<StepNote>,
    /// Which step failed, if one did.
    pub failure: Option<Failure>,
    /// Whether the last thing checked after the last action was fine.
    pub verified: bool,
    /// What holds the next act back since something was done already: the run waits, and does not fail.
    pub held: Option<Refusal>,
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
    /// The target recovered; its alert still fires. In words, what was seen of the target.
    AwaitingAlert(String),
}

/// What a finished step left for templates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepNote {
    /// The step's id.
    pub id: Arc<str>,
    /// How long it took.
    pub elapsed: Duration,
    /// In words.
    pub detail: String,
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
}

impl Incident {
    /// The incident a taken alert opens; `None` if nobody took it.
    #[must_use]
    pub fn open(id: IncidentId, alert: &Arc<AlertReceived>, at: Moment) -> Option<Self> {
        let (playbook, revision) = match &alert.taken {
            Taken::ByPlaybook { playbook, revision } => (Arc::clone(playbook), Arc::clone(revision)),
            Taken::ByNobody(_) => return None,
        };
        let alert = Arc::clone(alert);
        let phase = Phase::AwaitingTarget;
        Some(Self {
            id,
            alert,
            playbook,
            revision,
            opened: at,
            alert_ended: false,
            acts: 0,
            tried: None,
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
            Phase::AwaitingTarget | Phase::Refused { .. } | Phase::BetweenTries => None,
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
        match fact {
            Fact::AlertEnded(_) => self.alert_ended = true,
            Fact::Decided(decided) => match &decided.answer {
                Answer::Run { dry_run, plan, attempt } => {
                    let mut run = Run::start(decided.target.clone(), (*dry_run, plan.clone()), *attempt, at);
                    run.notes.extend(self.tried.iter().flat_map(|tried| tried.run.notes.iter().cloned()));
                    self.phase = Phase::Running(Box::new(run));
                }
                Answer::Refused(refusal) => self.refused(refusal, at),
            },
            Fact::AttemptEnded(ended) => self.attempt_ended(ended.attempt, at),
            Fact::BreakerOpened(_) => self.no_further_try(Reason::BreakerOpen, at),
            Fact::ActionIntended(intended) => self.acts = self.acts.max(intended.act.number),
            Fact::NoticeIntended(intended) => self.acts = self.acts.max(intended.notice.act.number),
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

    fn remember(&mut self, fact: &Fact, at: Moment) {
        let refused = |fact: &Fact| matches!(fact, Fact::Decided(Decided { answer: Answer::Refused(_), .. }));
        let kept = if let Fact::AlertReceived(_) = fact {
            return;
        } else if let Fact::StepFinished(finished) = fact
            && let StepResult::Captured(_) = finished.result
        {
            let result = StepResult::Captured(serde_json::json!({}));
            let (step, elapsed) = (finished.step.clone(), finished.elapsed);
            Fact::StepFinished(StepFinished { incident: finished.incident, step, elapsed, result })
        } else {
            fact.clone()
        };
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
            Phase::Running(run) if run.has_acted() => run.held = Some(refusal.clone()),
            Phase::AwaitingTarget | Phase::Refused { .. } | Phase::BetweenTries | Phase::Running(_) => {
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
    fn start(
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
            dependents: Vec::new(),
            stopped: false,
            begun: Vec::new(),
            notes: Vec::new(),
            failure: None,
            verified: false,
            held: None,
        }
    }

    /// Whether anything was done, or was about to be done: then a refusal cannot undo the run.
    #[must_use]
    pub fn has_acted(&self) -> bool {
        !self.touched.is_empty()
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
            Fact::ActionIntended(intended) => {
                self.action_intended(intended, at);
            }
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
            Fact::NoticeFinished(finished) => {
                if let Stage::Telling { intended, told } = &self.stage
                    && intended.notice.act == finished.act
                {
                    self.stage = Stage::Told(told + 1);
                }
            }
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
            | Fact::StateSaved(_)
            | Fact::AlertReceived(_)
            | Fact::AlertEnded(_)
            | Fact::AlertsRejected(_)
            | Fact::Decided(_)
            | Fact::StepFinished(_)
            | Fact::TargetVerified(_)
            | Fact::IncidentClosed(_) => {}
        }
    }

    fn step_finished(&mut self, finished: &StepFinished, at: Moment) {
        let detail = match &finished.result {
            StepResult::Verified(seen) => {
                self.verified = true;
                seen.clone()
            }
            StepResult::NotVerified(seen) => {
                self.fail((Verdict::Ineffective, finished.step.verb), seen, at);
                return;
            }
            StepResult::Failed(error) => {
                self.fail((Verdict::Failed, finished.step.verb), error, at);
                return;
            }
            StepResult::Captured(_) => "captured".to_owned(),
            StepResult::Waited => "waited".to_owned(),
            StepResult::Notified => "notified".to_owned(),
            StepResult::Skipped => "skipped".to_owned(),
            StepResult::NotNeeded(seen) => seen.clone(),
        };
        if let Some(id) = &finished.step.id {
            self.notes.push(StepNote { id: Arc::clone(id), elapsed: finished.elapsed, detail });
        }
        self.next_step(at);
    }

    fn action_intended(&mut self, intended: &ActionIntended, at: Moment) {
        let goal = intended.action.goal();
        if !intended.dependent {
            self.dependents.clone_from(&intended.dependents);
            self.stopped = goal == Goal::Down;
        }
        self.verified = false;
        self.held = None;
        self.begun.push(intended.target.id.clone());
        self.touched.retain(|touched| touched.target.id != intended.target.id);
        // What runs already has the start that a start wants.
        let runs_already = intended.action == Action::Start && intended.pre.state == ContainerState::Running.as_str();
        let before = (!runs_already).then(|| intended.pre.clone());
        self.touched.push(Watched { target: intended.target.clone(), before, goal });
        self.stage = Stage::Acting(intended.clone(), at);
    }

    fn action_finished(&mut self, (intended, since): (ActionIntended, Moment), outcome: &ActionOutcome, at: Moment) {
        match outcome {
            ActionOutcome::Succeeded { .. } | ActionOutcome::Rehearsed => self.action_done(at),
            ActionOutcome::Failed { error } => self.fail((Verdict::Failed, intended.action.word()), error, at),
            ActionOutcome::Unknown { .. } => self.stage = Stage::InDoubt(intended, since),
        }
    }

    fn action_reconciled(&mut self, reconciled: &ActionReconciled, at: Moment) {
        let (Stage::Acting(intended, _) | Stage::InDoubt(intended, _)) = &self.stage else { return };
        if intended.act != reconciled.act {
            return;
        }
        let word = intended.action.word();
        match reconciled.finding {
            Reconciled::Observed | Reconciled::RestartPolicy => self.action_done(at),
            Reconciled::NotApplied => self.fail((Verdict::Abandoned, word), &reconciled.detail, at),
            Reconciled::Superseded => self.fail((Verdict::Superseded, word), &reconciled.detail, at),
            Reconciled::Unknown => self.fail((Verdict::Unknown, word), &reconciled.detail, at),
        }
    }

    /// One container is done: the next dependent, or the next step. While the target is down its dependents wait.
    fn action_done(&mut self, at: Moment) {
        if !self.stopped && self.next_to_act().is_some() {
            self.stage = Stage::Ready;
        } else {
            self.next_step(at);
        }
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

    fn next_step(&mut self, at: Moment) {
        self.index += 1;
        self.begun.clear();
        self.held = None;
        self.since = at;
        self.stage = Stage::Ready;
    }

    /// The run failed: `on_failure` is next. A failure within `on_failure` only ends it.
    fn fail(&mut self, (verdict, step): (Verdict, &'static str), error: &str, at: Moment) {
        if self.branch == Branch::OnFailure {
            self.next_step(at);
            return;
        }
        self.failure = Some(Failure { verdict, step, index: self.index, error: error.to_owned() });
        self.branch = Branch::OnFailure;
        self.held = None;
        self.index = 0;
        self.since = at;
        self.stage = Stage::Ready;
    }
}
