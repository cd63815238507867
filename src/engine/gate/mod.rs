//! The gates, one file each, asked in the order of `design.md` §6. The first no ends the asking; any doubt is a no.
//!
//! They are asked twice: when the target is first known, and again right before each action. Read [`Question`] first.

mod blast_radius;
mod breaker;
mod budget;
mod condition;
mod fresh;
mod hands_off;
mod pause;
mod playbook;
mod protection;
mod single_flight;
mod target;
mod time_interval;

use super::incident::Incident;
use super::state::State;
use crate::model::container::TargetView;
use crate::model::fact::Refusal;
use crate::model::moment::Moment;
use crate::model::policy::Policy;
use crate::model::reason::{Gate, Reason};
use crate::model::testimony::Testimony;
use crate::playbook::definition::{Playbook, Step};
use std::time::Duration;

pub(super) use condition::foresee;
pub(super) use fresh::at_first_sight;
pub(super) use pause::{ask as paused, same_pause};
pub(super) use playbook::ask as takes;
pub(super) use target::{may_restart_dependent, running_dependents};
pub(super) use time_interval::ask as in_time;

/// A refusal for which no better time is known may have another answer after this.
pub(super) const RETRY_AFTER: Duration = Duration::from_secs(30);

/// Everything a gate may look at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question<'a> {
    /// What is known.
    pub(super) state: &'a State,
    /// What the settings impose.
    pub(super) policy: &'a Policy,
    /// The playbook that took the alert.
    pub(super) playbook: &'a Playbook,
    /// The incident the question is about.
    pub(super) incident: &'a Incident,
    /// The target as Docker shows it; `None` if no step needs one.
    pub(super) view: Option<&'a TargetView>,
    /// What Alertmanager just said about the alert; `None` if it was not asked.
    pub(super) testimony: Option<&'a Testimony>,
    /// Now.
    pub(super) now: &'a Moment,
}

impl<'a> Question<'a> {
    /// Whether this run would be a dry run.
    pub(super) fn dry_run(&self) -> bool {
        self.policy.dry_run || self.playbook.dry_run
    }

    /// The steps of the try in question.
    fn steps(&self) -> &'a [Step] {
        self.playbook.attempts.steps(self.incident.attempt())
    }

    /// Whether the run itself has stopped the target and is to start it again.
    fn stopped_here(&self) -> bool {
        self.incident.run().is_some_and(|run| run.stopped)
    }

    /// The target's name, if the run has one.
    fn target_name(&self) -> Option<&str> {
        self.view.map(|view| view.container.name.as_str())
    }
}

/// Asks the gates that come before the target's, whatever Docker says.
pub(super) fn before_target(question: &Question<'_>) -> Result<(), Refusal> {
    fresh::before_acting(question)?;
    pause::ask(question)?;
    time_interval::ask(question)
}

/// Asks every gate.
pub(super) fn ask(question: &Question<'_>) -> Result<(), Refusal> {
    if question.stopped_here() {
        // What the run has stopped it also starts: everything else was asked before the stop, and a no now would leave
        // the target down. Even an alert that ended may have ended because of the stop.
        return target::ask(question);
    }
    before_target(question)?;
    condition::ask(question)?;
    target::ask(question)?;
    single_flight::ask(question)?;
    budget::ask(question)?;
    breaker::ask(question)?;
    blast_radius::ask(question)
}

/// A no without a known better time.
pub(super) fn refuse(gate: Gate, reason: Reason, detail: impl Into<String>) -> Refusal {
    Refusal { gate, reason, detail: detail.into(), inputs: Vec::new(), retry_after: RETRY_AFTER }
}
