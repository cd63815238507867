//! Where an incident comes from, and what that makes of it: most are opened by an alert, some by another incident.
//!
//! What follows the end of an alert turns much around: it goes on because the alert does not fire, and is called off when
//! it does. Read [`Incident::is_called_off`].

use super::incident::{Incident, Run};
use crate::model::fact::{Cause, Origin, Taken};
use crate::model::host::Host;
use crate::model::id::IncidentId;

impl Incident {
    /// The Docker host that it is bound to: everything it looks at and does is there.
    #[must_use]
    pub fn host(&self) -> &Host {
        match &self.alert.taken {
            Taken::ByPlaybook { host, .. } => host,
            // No incident comes of an alert that nobody took.
            Taken::ByNobody(_) => &Host::First,
        }
    }

    /// Whether it follows the end of an alert.
    #[must_use]
    pub fn is_aftercare(&self) -> bool {
        self.origin.as_ref().is_some_and(|origin| origin.cause == Cause::Resolved)
    }

    /// Whether it is about one more container of another incident's selector.
    #[must_use]
    pub fn is_further_target(&self) -> bool {
        self.origin.as_ref().is_some_and(|origin| matches!(origin.cause, Cause::FurtherTarget(_)))
    }

    /// The incident by which its episode is known.
    #[must_use]
    pub fn of_episode(&self) -> IncidentId {
        match self.origin.as_deref() {
            Some(Origin { of, cause: Cause::FurtherTarget(_), .. }) => *of,
            Some(Origin { cause: Cause::Resolved, .. }) | None => self.id,
        }
    }

    /// Whether others may join it: its alert opened it, and no try of it was bound to a container yet.
    #[must_use]
    pub fn may_have_further_targets(&self) -> bool {
        self.origin.is_none() && !self.has_begun()
    }

    /// Whether what it is about is over before anything was done, so that nothing will be done.
    #[must_use]
    pub fn is_called_off(&self) -> bool {
        if self.is_aftercare() { self.fires_again } else { self.alert_ended }
    }

    /// Whether its alert does not fire, as far as was told.
    #[must_use]
    pub fn alert_is_over(&self) -> bool {
        if self.is_aftercare() { !self.fires_again } else { self.alert_ended }
    }

    /// Whether its run was about to do something already.
    #[must_use]
    pub fn has_acted(&self) -> bool {
        self.run().is_some_and(Run::has_acted)
    }

    /// The run that keeps others away from its target, if it does. What follows the end of an alert keeps nobody away
    /// before its first act: it may wait long, and whatever comes meanwhile is more urgent.
    #[must_use]
    pub fn holding(&self) -> Option<&Run> {
        self.run().filter(|run| run.holds_its_target() && (!self.is_aftercare() || run.has_acted()))
    }
}
