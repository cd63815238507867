//! How a run moves by its actions: intended, done, failed, or found out by looking.
//!
//! A part of `incident`: changes of a [`Run`] by facts, and nothing else.

use super::incident::{Run, Stage};
use crate::model::action::{Action, ActionOutcome, Goal, Reconciled, Vitals};
use crate::model::container::ContainerState;
use crate::model::duration::format_duration;
use crate::model::fact::{ActionIntended, ActionReconciled};
use crate::model::incident::Verdict;
use crate::model::moment::Moment;
use crate::model::step::{StepOutcome, Watched};

impl Run {
    pub(super) fn action_intended(&mut self, intended: &ActionIntended, at: Moment) {
        let goal = intended.action.goal();
        if !intended.dependent {
            self.dependents.clone_from(&intended.dependents);
            self.stopped = goal == Goal::Down;
        }
        self.verified = false;
        self.held = None;
        self.released = false;
        self.acting_since.get_or_insert(at);
        self.begun.push(intended.target.id.clone());
        if let (Action::Service(action), Some(pre)) = (&intended.action, intended.pre.service()) {
            self.done_to_service = Some((action.clone(), pre.clone()));
        } else if let Some(pre) = intended.pre.container() {
            self.touch(intended, pre, goal);
        }
        self.stage = Stage::Acting(ActionIntended { look: None, ..intended.clone() }, at);
    }

    /// A container is about to be changed: from here on it is watched for that.
    fn touch(&mut self, intended: &ActionIntended, pre: &Vitals, goal: Goal) {
        let earlier = self.touched.iter().position(|touched| touched.target.id == intended.target.id);
        let earlier = earlier.map(|place| self.touched.remove(place));
        let (starts_anew, limits) = match &intended.action {
            Action::Restart { .. } | Action::Stop { .. } | Action::Service(_) => (true, None),
            // What runs already has the start that a start wants.
            Action::Start => (pre.state != ContainerState::Running.as_str(), None),
            Action::UpdateLimits(change) => (false, Some(change.to)),
        };
        let before = starts_anew.then(|| pre.clone());
        let limits = limits.or(earlier.and_then(|earlier| earlier.limits));
        self.touched.push(Watched { target: intended.target.clone(), before, goal, limits });
    }

    pub(super) fn action_finished(
        &mut self,
        (intended, since): (ActionIntended, Moment),
        outcome: &ActionOutcome,
        at: Moment,
    ) {
        match outcome {
            ActionOutcome::Succeeded { .. } | ActionOutcome::Rehearsed => self.action_done(&intended, at),
            ActionOutcome::Failed { error } => {
                self.fail((Verdict::Failed, intended.action.word()), (error, self.took(at)), at);
            }
            ActionOutcome::Unknown { .. } => self.stage = Stage::InDoubt(intended, since),
        }
    }

    pub(super) fn action_reconciled(&mut self, reconciled: &ActionReconciled, at: Moment) {
        let (Stage::Acting(intended, _) | Stage::InDoubt(intended, _)) = &self.stage else { return };
        if intended.act != reconciled.act {
            return;
        }
        let (intended, error) = (intended.clone(), (reconciled.detail.as_str(), self.took(at)));
        let word = intended.action.word();
        match reconciled.finding {
            Reconciled::Observed | Reconciled::RestartPolicy => self.action_done(&intended, at),
            Reconciled::NotApplied | Reconciled::Partly => self.fail((Verdict::Abandoned, word), error, at),
            Reconciled::Superseded => self.fail((Verdict::Superseded, word), error, at),
            Reconciled::Unknown => self.fail((Verdict::Unknown, word), error, at),
        }
    }

    /// One container is done: the next dependent, or the next step. While the target is down its dependents wait.
    pub(super) fn action_done(&mut self, intended: &ActionIntended, at: Moment) {
        let (name, word) = (&intended.target.name, intended.action.word());
        if let Some(timeout) = self.timed_out(intended.timeout, at) {
            let (timeout, took) = (format_duration(timeout), self.took(at));
            let error = format!("timed out after {timeout}: {name} was done after {}", format_duration(took));
            self.fail((Verdict::Failed, word), (&error, took), at);
        } else if !self.stopped && self.next_to_act().is_some() {
            self.stage = Stage::Ready;
        } else {
            self.next_step((StepOutcome::Success, self.took(at), "done"), at);
        }
    }
}
