//! What we remember of services that outlives an incident: how our last change left each, and how many replicas there
//! were before an incident scaled one.
//!
//! A Swarm service moves by itself while its tasks are replaced, so the time of its last change says nothing about who
//! made it; its content does. Read [`Services::is_as_left`].

use crate::model::action::{Action, Reconciled, ServiceAction, TargetVitals};
use crate::model::fact::{ActionIntended, ActionReconciled};
use crate::model::host::Host;
use crate::model::id::IncidentId;
use crate::model::limit::MEMORY;
use crate::model::memory::{Original, ServiceLeft};
use crate::model::moment::Moment;
use crate::model::service::Service;
use crate::model::target::TargetId;
use std::collections::VecDeque;

/// What is remembered, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Services {
    left: VecDeque<ServiceLeft>,
    originals: VecDeque<Original>,
}

impl Services {
    /// As it was saved.
    #[must_use]
    pub fn from_memory(left: &[ServiceLeft], originals: &[Original]) -> Self {
        Self { left: left.iter().cloned().collect(), originals: originals.iter().cloned().collect() }
    }

    /// How each service was left, oldest first.
    pub fn left(&self) -> impl Iterator<Item = &ServiceLeft> {
        self.left.iter()
    }

    /// The counts before incidents scaled, oldest first.
    pub fn originals(&self) -> impl Iterator<Item = &Original> {
        self.originals.iter()
    }

    /// An act was intended.
    pub(super) fn intended(&mut self, intended: &ActionIntended, at: Moment) {
        let (Action::Service(action), Some(pre)) = (&intended.action, intended.pre.service()) else { return };
        self.forget(at);
        if let ServiceAction::Scale { to, original, .. } = action {
            let (incident, id, host) = (intended.act.incident, intended.target.id.clone(), intended.target.name.host());
            match self.originals.iter_mut().find(|known| known.incident == incident && known.id == id) {
                Some(known) => known.left = *to,
                None => self.originals.push_back(Original { incident, id, host, count: *original, left: *to, at }),
            }
        }
        // A dry run leaves everything as it was.
        if intended.dry_run {
            return;
        }
        let host = intended.target.name.host();
        let before = self.left.iter().position(|left| left.id == intended.target.id && left.host == host);
        let before = before.and_then(|place| self.left.remove(place));
        let mut left = ServiceLeft {
            id: intended.target.id.clone(),
            host,
            at,
            wanted: pre.wanted,
            force_update: pre.force_update,
            template: pre.template.clone(),
            undone: before.and_then(|before| before.undone),
        };
        match action {
            ServiceAction::Scale { to, .. } => left.wanted = *to,
            ServiceAction::ForceUpdate { counter } => left.force_update = *counter,
            // Its definition is another one now, which only a look tells.
            ServiceAction::Rollback { from_image, .. } => {
                left.undone = Some(from_image.clone());
                left.template = String::new();
            }
        }
        self.left.push_back(left);
    }

    /// It was looked at what became of a change. One that broke off half way left another number than was intended.
    pub(super) fn reconciled(&mut self, reconciled: &ActionReconciled) {
        let Some(post) = reconciled.post.as_ref().and_then(TargetVitals::service) else { return };
        if reconciled.finding != Reconciled::Partly {
            return;
        }
        let incident = reconciled.act.incident;
        for original in self.originals.iter_mut().filter(|original| original.incident == incident) {
            original.left = post.wanted;
            for left in self.left.iter_mut().filter(|left| left.id == original.id && left.host == original.host) {
                left.wanted = post.wanted;
            }
        }
    }

    fn forget(&mut self, now: Moment) {
        let old = |at: &Moment| MEMORY < now.since(at);
        while self.left.front().is_some_and(|left| old(&left.at)) {
            self.left.pop_front();
        }
        while self.originals.front().is_some_and(|original| old(&original.at)) {
            self.originals.pop_front();
        }
    }

    /// Whether a service is as our last change left it: then whatever moved since was that change.
    #[must_use]
    pub fn is_as_left(&self, service: &Service, host: &Host) -> bool {
        self.last((&service.id.target_id(), host)).is_some_and(|left| {
            left.template == service.template
                && left.wanted == service.wanted
                && left.force_update == service.force_update
        })
    }

    /// The image that our last rollback of a service left behind.
    #[must_use]
    pub fn undone(&self, id: &TargetId, host: &Host) -> Option<&str> {
        self.last((id, host))?.undone.as_deref()
    }

    /// How many replicas there were before an incident scaled a service, and how many it left.
    #[must_use]
    pub fn original(&self, incident: IncidentId, id: &TargetId) -> Option<&Original> {
        self.originals.iter().find(|original| original.incident == incident && original.id == *id)
    }

    fn last(&self, (id, host): (&TargetId, &Host)) -> Option<&ServiceLeft> {
        self.left.iter().find(|left| left.id == *id && left.host == *host)
    }
}
