//! Which limits containers had before an incident first raised them, and how it left them: what `to: original` of
//! `update_limits` goes back to, and how somebody else's change is told from the run's own.
//!
//! It outlives the incident, because what follows the end of an alert is another one. Read [`Raised::of`].

use crate::model::action::{Action, ActionOutcome, Reconciled};
use crate::model::fact::{ActionFinished, ActionIntended, ActionReconciled};
use crate::model::id::{ActId, IncidentId};
use crate::model::limit::MEMORY;
use crate::model::memory::LimitsRaised;
use crate::model::moment::Moment;
use crate::model::target::ContainerId;
use std::collections::VecDeque;

/// What is remembered, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Raised(VecDeque<LimitsRaised>);

impl Raised {
    /// As it was saved.
    #[must_use]
    pub fn from_memory(raised: &[LimitsRaised]) -> Self {
        Self(raised.iter().cloned().collect())
    }

    /// All of it, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &LimitsRaised> {
        self.0.iter()
    }

    /// Which limits a container had before an incident raised them.
    #[must_use]
    pub fn of(&self, incident: IncidentId, container: &ContainerId) -> Option<&LimitsRaised> {
        self.0.iter().find(|known| known.act.incident == incident && known.container == *container)
    }

    /// Whether an incident raised the limits of any container.
    #[must_use]
    pub fn has(&self, incident: IncidentId) -> bool {
        self.0.iter().any(|known| known.act.incident == incident)
    }

    /// An act was intended. In a dry run everything stays as it was.
    pub(super) fn intended(&mut self, intended: &ActionIntended, at: Moment) {
        let (Action::UpdateLimits(change), Some(container)) = (&intended.action, intended.target.id.container()) else {
            return;
        };
        self.forget(at);
        let (act, before) = (intended.act, change.from);
        let left = if intended.dry_run { before } else { change.to };
        let same = |known: &&mut LimitsRaised| known.act.incident == act.incident && known.container == *container;
        if let Some(known) = self.0.iter_mut().find(same) {
            (known.act, known.before, known.left) = (act, before, left);
        } else if change.raises() {
            let container = container.clone();
            self.0.push_back(LimitsRaised { act, container, original: before, before, left, at });
        }
    }

    /// An act came to its end. One that failed has left what was before it.
    pub(super) fn finished(&mut self, finished: &ActionFinished) {
        match finished.outcome {
            ActionOutcome::Failed { .. } => self.not_done(finished.act),
            ActionOutcome::Succeeded { .. } | ActionOutcome::Unknown { .. } | ActionOutcome::Rehearsed => {}
        }
    }

    /// It was looked at what became of an act.
    pub(super) fn reconciled(&mut self, reconciled: &ActionReconciled) {
        match reconciled.finding {
            Reconciled::NotApplied => self.not_done(reconciled.act),
            Reconciled::Observed
            | Reconciled::RestartPolicy
            | Reconciled::Partly
            | Reconciled::Superseded
            | Reconciled::Unknown => {}
        }
    }

    fn not_done(&mut self, act: ActId) {
        for known in self.0.iter_mut().filter(|known| known.act == act) {
            known.left = known.before;
        }
    }

    fn forget(&mut self, now: Moment) {
        while self.0.front().is_some_and(|known| MEMORY < now.since(&known.at)) {
            self.0.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::action::{TargetIdent, TargetVitals};
    use crate::model::container::Container;
    use crate::model::id::Seq;
    use crate::model::resources::{LimitsChange, ResourceLimits};
    use crate::model::target::ContainerName;
    use std::time::Duration;

    const INCIDENT: IncidentId = IncidentId(Seq(7));

    fn at(passed_ms: u64) -> Moment {
        Moment { wall: chrono::DateTime::UNIX_EPOCH, passed_ms }
    }

    fn act(number: u32) -> ActId {
        ActId { incident: INCIDENT, number }
    }

    fn limits(memory: u64) -> ResourceLimits {
        ResourceLimits { memory, ..ResourceLimits::default() }
    }

    fn web() -> Container {
        let id = ContainerId::parse(&"ab".repeat(32)).unwrap();
        Container::named(&ContainerName::parse("web").unwrap(), &id)
    }

    fn intended(number: u32, (from, to): (u64, u64), dry_run: bool) -> ActionIntended {
        ActionIntended {
            act: act(number),
            playbook: "more".into(),
            action: Action::UpdateLimits(LimitsChange { from: limits(from), to: limits(to) }),
            target: TargetIdent::from(&web()),
            pre: TargetVitals::from(&web()),
            deadline: Duration::from_secs(30),
            timeout: None,
            plan: String::new(),
            dependent: false,
            dependents: Vec::new(),
            dry_run,
            witness: None,
            look: None,
        }
    }

    fn original_and_left(raised: &Raised) -> Option<(u64, u64)> {
        raised.of(INCIDENT, &web().id).map(|known| (known.original.memory, known.left.memory))
    }

    #[test]
    fn the_first_raising_tells_what_was_before_and_the_last_that_was_done_what_was_left() {
        let failed = |number| {
            let outcome = ActionOutcome::Failed { error: "no".into() };
            ActionFinished { act: act(number), outcome }
        };
        let looked = |number, finding| {
            let (post, detail) = (None, String::new());
            ActionReconciled { act: act(number), finding, post, detail }
        };
        let mut raised = Raised::default();
        raised.intended(&intended(1, (9, 5), false), at(0));
        assert_eq!(original_and_left(&raised), None, "nothing was raised");
        raised.intended(&intended(2, (5, 8), false), at(0));
        assert_eq!(original_and_left(&raised), Some((5, 8)));
        raised.intended(&intended(3, (8, 12), false), at(0));
        raised.finished(&failed(2));
        assert_eq!(original_and_left(&raised), Some((5, 12)), "that was another act");
        raised.finished(&failed(3));
        assert_eq!(original_and_left(&raised), Some((5, 8)), "it was not done");
        for (number, finding, want) in
            [(4, Reconciled::NotApplied, 8), (5, Reconciled::Unknown, 12), (6, Reconciled::Observed, 12)]
        {
            raised.intended(&intended(number, (8, 12), false), at(0));
            raised.reconciled(&looked(number, finding));
            assert_eq!(original_and_left(&raised), Some((5, want)), "{finding}");
        }
        raised.intended(&intended(7, (12, 20), true), at(0));
        assert_eq!(original_and_left(&raised), Some((5, 12)), "a dry run changes nothing");
        let other = ContainerId::parse(&"cd".repeat(32)).unwrap();
        assert!(raised.of(INCIDENT, &other).is_none() && raised.has(INCIDENT));
        assert!(!raised.has(IncidentId(Seq(8))));
    }

    #[test]
    fn what_is_older_than_any_limit_is_forgotten() {
        let mut raised = Raised::default();
        raised.intended(&intended(1, (5, 8), false), at(0));
        let mut later = intended(1, (5, 8), false);
        later.act.incident = IncidentId(Seq(8));
        let memory = u64::try_from(MEMORY.as_millis()).unwrap();
        raised.intended(&later, at(memory));
        assert!(raised.has(INCIDENT));
        raised.intended(&later, at(memory + 1));
        assert!(!raised.has(INCIDENT) && raised.has(IncidentId(Seq(8))));
    }
}
