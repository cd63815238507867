//! Which of the things that were done to a container we did ourselves, in whichever incident.
//!
//! Docker's events do not say who was the cause; so what happened while an act of ours was under way counts as ours.
//! Times are compared as ages: how long ago by the engine's clock, and how long ago by ours, so that the two clocks need
//! not agree.

use crate::model::action::ActionOutcome;
use crate::model::fact::{ActionFinished, ActionIntended, ActionReconciled};
use crate::model::id::ActId;
use crate::model::memory::OwnAct;
use crate::model::moment::Moment;
use crate::model::target::ContainerId;
use std::collections::VecDeque;
use std::time::Duration;

/// Events may come this much before or after: the engine tells its time in whole seconds, and is slow under load.
const SLACK: Duration = Duration::from_secs(5);

/// Nothing asks further back.
const MEMORY: Duration = Duration::from_secs(24 * 3600 + 600);

/// What we did lately, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnActs(VecDeque<OwnAct>);

impl OwnActs {
    /// As it was saved.
    #[must_use]
    pub fn from_memory(acts: &[OwnAct]) -> Self {
        Self(acts.iter().cloned().collect())
    }

    /// All of it, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &OwnAct> {
        self.0.iter()
    }

    /// An act was intended. Dry runs do nothing.
    pub(super) fn intended(&mut self, intended: &ActionIntended, at: Moment) {
        while self.0.front().is_some_and(|oldest| MEMORY < at.since(&oldest.from)) {
            self.0.pop_front();
        }
        if let Some(container) = intended.target.id.container().filter(|_| !intended.dry_run) {
            let (act, container) = (intended.act, container.clone());
            self.0.push_back(OwnAct { act, container, from: at, deadline: intended.deadline, to: None });
        }
    }

    /// Docker answered, or not.
    pub(super) fn finished(&mut self, finished: &ActionFinished, at: Moment) {
        if !matches!(finished.outcome, ActionOutcome::Unknown { .. }) {
            self.end(finished.act, at);
        }
    }

    /// Somebody looked what came of it.
    pub(super) fn reconciled(&mut self, reconciled: &ActionReconciled, at: Moment) {
        self.end(reconciled.act, at);
    }

    fn end(&mut self, act: ActId, at: Moment) {
        if let Some(own) = self.0.iter_mut().rev().find(|own| own.act == act) {
            own.to = Some(at);
        }
    }

    /// Whether what happened to a container so long ago was done by us.
    #[must_use]
    pub fn covers(&self, container: &ContainerId, age: Duration, now: &Moment) -> bool {
        self.0.iter().filter(|own| own.container == *container).any(|own| {
            let oldest = now.since(&own.from);
            let length = own.to.as_ref().map_or(own.deadline, |to| to.since(&own.from)).min(own.deadline);
            let youngest = oldest.saturating_sub(length).saturating_sub(SLACK);
            (youngest..=oldest + SLACK).contains(&age)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::action::{Action, TargetIdent, TargetVitals, Vitals};
    use crate::model::id::{IncidentId, Seq};
    use crate::model::target::{TargetId, TargetName};
    use chrono::DateTime;

    fn at(secs: u64) -> Moment {
        // The wall clock runs backwards: it must not matter.
        let wall = DateTime::from_timestamp(1_800_000_000 - i64::try_from(secs).unwrap(), 0).unwrap();
        Moment { wall, passed_ms: secs * 1000 }
    }

    fn id(pair: &str) -> ContainerId {
        ContainerId::parse(&pair.repeat(32)).unwrap()
    }

    fn intended(dry_run: bool) -> ActionIntended {
        let name = TargetName::parse("web").unwrap();
        let pre = Vitals { started_at: "t1".into(), restart_count: 0, state: "exited".into(), health: None };
        ActionIntended {
            act: ActId { incident: IncidentId(Seq(1)), number: 1 },
            playbook: "p".into(),
            action: Action::Start,
            target: TargetIdent { id: TargetId::from(&id("ab")), name, image_id: String::new(), service: None },
            pre: TargetVitals::Container(pre),
            deadline: Duration::from_secs(40),
            timeout: None,
            plan: String::new(),
            dependent: false,
            dependents: Vec::new(),
            dry_run,
            witness: None,
            look: None,
        }
    }

    fn ended(outcome: ActionOutcome) -> ActionFinished {
        ActionFinished { act: intended(false).act, outcome }
    }

    #[test]
    fn what_happened_during_our_act_is_ours_and_nothing_else() {
        let mut own = OwnActs::default();
        own.intended(&intended(false), at(100));
        own.finished(&ended(ActionOutcome::Succeeded { post: None }), at(102));
        // It is 60 s later: the act is 62 to 60 s old.
        for (age, container, want) in [
            (61, "ab", true),
            (67, "ab", true),
            (55, "ab", true),
            (68, "ab", false),
            (54, "ab", false),
            (0, "ab", false),
            (61, "cd", false),
        ] {
            assert_eq!(own.covers(&id(container), Duration::from_secs(age), &at(162)), want, "{age} {container}");
        }
    }

    #[test]
    fn an_act_without_an_end_lasts_until_docker_must_be_done() {
        for known_at in [None, Some(1000)] {
            let mut own = OwnActs::default();
            own.intended(&intended(false), at(100));
            own.finished(&ended(ActionOutcome::Unknown { error: "cut".into() }), at(101));
            if let Some(known_at) = known_at {
                own.end(intended(false).act, at(known_at));
            }
            let ours = |age| own.covers(&id("ab"), Duration::from_secs(age), &at(1100));
            assert!(ours(1000) && ours(960) && ours(955), "{known_at:?}");
            assert!(!ours(954) && !ours(100), "{known_at:?}");
        }
    }

    #[test]
    fn a_dry_run_did_nothing() {
        let mut own = OwnActs::default();
        own.intended(&intended(true), at(100));
        assert!(!own.covers(&id("ab"), Duration::ZERO, &at(100)));
    }
}
