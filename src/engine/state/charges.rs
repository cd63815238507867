//! What runs are charged with, against every limit: with the first thing they change, or, if they change nothing here, with
//! their beginning.
//!
//! Read [`State::charge`]. Which attempts count for which window is the gate's to say (`engine::gate::budget`).

use super::State;
use crate::engine::incident::Incident;
use crate::model::fact::{ActionIntended, Answer, Branch, Decided, RequestIntended};
use crate::model::id::IncidentId;
use crate::model::limit::LimitKey;
use crate::model::memory::Attempt;
use crate::model::moment::Moment;
use std::sync::Arc;

impl State {
    pub(super) fn action_intended(&mut self, intended: &ActionIntended, at: Moment) {
        self.raised.intended(intended, at);
        self.own_acts.intended(intended, at);
        self.services.intended(intended, at);
        let incident = intended.act.incident;
        if !intended.dependent && !self.ledger.has_charged(incident) {
            let target = Some(Arc::from(intended.target.name.as_str()));
            let key = self.key_of(incident);
            self.charge((incident, &intended.playbook), target, (intended.dry_run, key), at);
        }
        self.mark_acted(incident);
    }

    /// A request changes something too, if in another system: a run that sends one first is charged with it. What is sent
    /// after it failed or was not agreed to is a message about it: it follows a run, and is none.
    pub(super) fn request_intended(&mut self, intended: &RequestIntended, at: Moment) {
        let incident = intended.act.incident;
        let treats = match intended.step.branch {
            Branch::Steps | Branch::OnResolved => true,
            Branch::OnFailure | Branch::OnDenied => false,
        };
        if treats && !self.ledger.has_charged(incident) {
            let run = self.incident(incident).and_then(Incident::run);
            let target = run.and_then(|run| run.target.as_ref()).map(|target| Arc::from(target.name.as_str()));
            let key = self.key_of(incident);
            self.charge((incident, &intended.playbook), target, (intended.dry_run, key), at);
        }
        self.mark_acted(incident);
    }

    pub(super) fn decided(&mut self, decided: &Decided, at: Moment) {
        let incident = decided.incident;
        if let Answer::Run { .. } = &decided.answer
            && let Some(incident) = self.incidents.get(&incident)
        {
            self.aftermath.begun(incident);
        }
        match &decided.answer {
            Answer::Run { plan: None, dry_run, attempt: _, key } => {
                // A run that changes nothing is charged here; the others when they first intend to.
                let target = decided.target.as_ref().map(|target| Arc::from(target.name.as_str()));
                self.charge((incident, &decided.playbook), target, (*dry_run, key.clone()), at);
                self.mark_acted(incident);
            }
            // It goes back to the gates, and will be charged when it passes them.
            Answer::Refused(_) if self.goes_back(incident) => self.ledger.withdraw(incident),
            Answer::Run { plan: Some(_), .. } | Answer::Refused(_) => {}
        }
    }

    fn charge(
        &mut self,
        (incident, playbook): (IncidentId, &Arc<str>),
        target: Option<Arc<str>>,
        (dry_run, key): (bool, LimitKey),
        at: Moment,
    ) {
        let playbook = Arc::clone(playbook);
        let aftercare = self.incident(incident).is_some_and(Incident::is_aftercare);
        self.ledger.charge(Attempt { incident, playbook, target, at, ended: None, dry_run, aftercare, key });
    }

    /// The labels by which the limits count the run that is under way.
    fn key_of(&self, incident: IncidentId) -> LimitKey {
        let run = self.incident(incident).and_then(Incident::run);
        run.map(|run| run.key.clone()).unwrap_or_default()
    }

    /// Whether a no ends the run of an incident, because nothing was done yet.
    fn goes_back(&self, incident: IncidentId) -> bool {
        self.incident(incident).and_then(Incident::run).is_some_and(|run| !run.is_past_return())
    }
}
