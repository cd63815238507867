//! The gates, one file each, asked in the order of `design.md` §6. The first no ends the asking; any doubt is a no.
//!
//! They are asked twice: when the target is first known, and again right before each action. Read [`Question`] first.

mod account;
mod approval;
mod back;
mod blast_radius;
mod breaker;
mod budget;
mod condition;
mod fresh;
mod hands_off;
mod host;
mod pause;
mod playbook;
pub(super) mod protection;
mod service;
mod single_flight;
mod target;
mod time_interval;

pub use protection::{may_be_treated, service_may_be_treated};

use super::advance;
use super::incident::{Incident, Run};
use super::state::State;
use crate::model::action::TargetIdent;
use crate::model::container::TargetView;
use crate::model::fact::Refusal;
use crate::model::host::Host;
use crate::model::id::IncidentId;
use crate::model::moment::Moment;
use crate::model::policy::Policy;
use crate::model::reason::{Gate, Reason};
use crate::model::service::Service;
use crate::model::target::TargetName;
use crate::model::testimony::Testimony;
use crate::playbook::definition::{Playbook, Step};
use std::time::Duration;

pub(super) use account::Account;
pub(super) use budget::limit_key;
pub(super) use condition::foresee;
pub(super) use fresh::{at_first_sight, complete};
pub(super) use host::ask as on_host;
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
    /// The container as Docker shows it; `None` if no step needs one, or the target is a service.
    pub(super) view: Option<&'a TargetView>,
    /// The service as Docker shows it, if the target is one.
    pub(super) service: Option<&'a Service>,
    /// What Alertmanager just said about the alert; `None` if it was not asked.
    pub(super) testimony: Option<&'a Testimony>,
    /// Now.
    pub(super) now: &'a Moment,
}

/// The target as Docker showed it: a container, a service, or nothing.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Shown<'a> {
    /// The container.
    pub(super) view: Option<&'a TargetView>,
    /// The service.
    pub(super) service: Option<&'a Service>,
}

impl<'a> Question<'a> {
    /// The target as Docker showed it.
    pub(super) fn shown(&self) -> Shown<'a> {
        Shown { view: self.view, service: self.service }
    }

    /// Whether this run is a dry run, or would be one.
    pub(super) fn dry_run(&self) -> bool {
        if let Some(run) = self.incident.run() {
            return run.dry_run;
        }
        let followed = self.incident.origin.as_ref().is_some_and(|origin| origin.left.dry_run);
        self.policy.dry_run || self.playbook.dry_run || followed
    }

    /// Whether the run in question changes something.
    pub(super) fn acts(&self) -> bool {
        advance::acts(self.playbook, self.incident)
    }

    /// The steps of the run in question.
    fn steps(&self) -> &'a [Step] {
        advance::work_of(self.playbook, self.incident)
    }

    /// Whether the run itself has stopped the target and is to start it again.
    fn stopped_here(&self) -> bool {
        self.incident.run().is_some_and(|run| run.stopped)
    }

    /// The Docker host that the incident is bound to.
    pub(super) fn host(&self) -> &'a Host {
        self.incident.host()
    }

    /// The target as Docker shows it, if there is one.
    pub(super) fn target(&self) -> Option<TargetIdent> {
        let container = self.view.map(|view| TargetIdent::from(&view.container));
        container.or_else(|| self.service.map(TargetIdent::from)).map(|target| target.on(self.host()))
    }

    /// The target's name, if the run has one.
    fn target_name(&self) -> Option<TargetName> {
        let planned = || self.incident.run()?.target.as_ref().map(|target| target.name.clone());
        self.target().map(|target| target.name).or_else(planned)
    }

    /// The steps from the one whose turn it is, and whether each may yet be left out by its `if`. The one whose turn it is
    /// has been asked already.
    fn steps_to_come(&self) -> impl Iterator<Item = (&'a Step, bool)> + use<'a> {
        let turn = self.incident.run().map(|run| run.index);
        let steps = self.steps().iter().enumerate().skip(turn.unwrap_or_default());
        steps.map(move |(index, step)| (step, step.condition.is_some() && turn != Some(index)))
    }

    /// The incident whose first change of a service tells how many replicas there were before.
    pub(super) fn original_of(&self) -> IncidentId {
        let after = self.incident.origin.as_ref().filter(|_| self.incident.is_aftercare());
        after.map_or(self.incident.id, |origin| origin.of)
    }
}

/// Asks the gates that come before the target's, whatever Docker says.
pub(super) fn before_target(question: &Question<'_>) -> Result<(), Refusal> {
    fresh::before_acting(question)?;
    pause::ask(question)?;
    time_interval::ask(question)?;
    host::of_incident(question)
}

/// Asks the gates that hold a request to another system back, before the run has done anything. What the run is charged
/// with already needs no more room.
pub(super) fn before_request(question: &Question<'_>) -> Result<(), Refusal> {
    before_target(question)?;
    if question.state.ledger().has_charged(question.incident.id) { Ok(()) } else { budget::ask(question) }
}

/// Asks whether people who agreed to the run agreed to what it would send now.
pub(super) fn agreed_request(question: &Question<'_>, run: &Run) -> Result<(), Refusal> {
    approval::of_request(question, run)
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
    target::ask(question).map_err(|refusal| not_somebody_elses(question, refusal))?;
    single_flight::ask(question)?;
    budget::ask(question)?;
    breaker::ask(question)?;
    blast_radius::ask(question)?;
    approval::ask(question)
}

/// What another run of ours does to a service looks like somebody's deployment: then the run is the reason.
fn not_somebody_elses(question: &Question<'_>, refusal: Refusal) -> Refusal {
    let half_way = matches!(refusal.reason, Reason::MixedReplicas | Reason::UpdateInProgress);
    if half_way { single_flight::ask(question).err().unwrap_or(refusal) } else { refusal }
}

/// A no without a known better time.
pub(super) fn refuse(gate: Gate, reason: Reason, detail: impl Into<String>) -> Refusal {
    Refusal { gate, reason, detail: detail.into(), inputs: Vec::new(), retry_after: RETRY_AFTER }
}
