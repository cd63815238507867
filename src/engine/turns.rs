//! What a step leaves behind, beside that the next one has its turn: what is noted of it, and how long it took.
//!
//! The other half of `incident`: changes of a [`Run`] by facts, and nothing else.

use super::incident::{Failure, Run, Stage};
use crate::model::diagnosis::Diagnosis;
use crate::model::fact::{Branch, RequestFinished, RequestIntended, StepMarked, StepRef};
use crate::model::incident::Verdict;
use crate::model::moment::Moment;
use crate::model::request::RequestOutcome;
use crate::model::step::{StepMark, StepOutcome};
use serde_json::Value;
use std::time::Duration;

/// What a finished step left for those after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepNote {
    /// In which try.
    pub attempt: u32,
    /// In which list of it.
    pub branch: Branch,
    /// Its place in that list.
    pub index: usize,
    /// What came of it.
    pub outcome: StepOutcome,
    /// How long it took.
    pub elapsed: Duration,
    /// In words.
    pub detail: String,
}

impl Run {
    pub(super) fn step_marked(&mut self, marked: &StepMarked, at: Moment) {
        let StepRef { branch, index, .. } = marked.step;
        match marked.mark {
            StepMark::Allowed => self.allowed |= (branch, index) == (self.branch, self.index),
            StepMark::Tolerated => {
                if let Some(failure) = self.failure.take_if(|failure| failure.index == index) {
                    self.tolerated.get_or_insert(failure);
                    self.turn_to((branch, index + 1), at);
                }
            }
            StepMark::Counted => {
                if let Some(failure) = self.tolerated.take() {
                    self.failure = Some(Failure { counted: true, ..failure });
                    self.turn_to((Branch::OnFailure, 0), at);
                }
            }
        }
    }

    pub(super) fn request_intended(&mut self, intended: &RequestIntended, at: Moment) {
        self.called = true;
        self.held = None;
        self.stage = Stage::Requesting(intended.clone(), at);
    }

    pub(super) fn request_finished(&mut self, finished: &RequestFinished, at: Moment) {
        let Stage::Requesting(intended, since) = &self.stage else { return };
        if intended.act != finished.act {
            return;
        }
        let elapsed = at.since(since);
        match &finished.outcome {
            RequestOutcome::Answered { expected: true, status, detail } => {
                let detail = format!("{status}: {detail}");
                self.next_step((StepOutcome::Success, elapsed, &detail), at);
            }
            RequestOutcome::Answered { expected: false, status, detail } => {
                let error = format!("answered with the status {status}: {detail}");
                self.fail((Verdict::Failed, "http"), (&error, elapsed), at);
            }
            RequestOutcome::Failed { error } => self.fail((Verdict::Failed, "http"), (error, elapsed), at),
            RequestOutcome::Unknown { error } => self.fail((Verdict::Unknown, "http"), (error, elapsed), at),
            RequestOutcome::Rehearsed => self.next_step((StepOutcome::Skipped, elapsed, "rehearsed"), at),
        }
    }

    /// How long ago the current step first acted, or began.
    pub(super) fn took(&self, at: Moment) -> Duration {
        at.since(&self.acting_since.unwrap_or(self.since))
    }

    /// The time after which the current step has failed, if it is over: counted from its first act.
    #[must_use]
    pub fn timed_out(&self, timeout: Option<Duration>, at: Moment) -> Option<Duration> {
        timeout.filter(|timeout| self.acting_since.is_some() && *timeout < self.took(at))
    }

    /// Evidence is kept: what it says most of all is left for messages.
    pub(super) fn captured(&mut self, (evidence, elapsed): (&Value, Duration), at: Moment) {
        self.diagnosis = Diagnosis::in_evidence(evidence).first().cloned();
        let what = self.diagnosis.as_ref().map_or("captured", |finding| &finding.what).to_owned();
        self.next_step((StepOutcome::Success, elapsed, &what), at);
    }

    /// What is left of the current step for those after it.
    pub(super) fn note(&mut self, (outcome, elapsed, detail): (StepOutcome, Duration, &str)) {
        let (attempt, branch, index) = (self.attempt.number, self.branch, self.index);
        self.notes.push(StepNote { attempt, branch, index, outcome, elapsed, detail: detail.to_owned() });
    }
}
