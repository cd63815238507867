//! What decisions are made by: the loaded playbooks and the policy above them, and what a reload leaves of them.
//!
//! A reload takes the place of everything at once. The playbooks that runs began with are kept beside it, in the
//! very revision that took the alert, until those runs are over. Read [`Ruleset`] first.

use super::event::NewConfig;
use super::state::State;
use crate::model::policy::Policy;
use crate::playbook::definition::Playbook;
use crate::playbook::index::Playbooks;
use std::collections::HashSet;
use std::sync::Arc;

/// Playbooks and policy, fixed for one decision.
#[derive(Clone, Debug, Default)]
pub struct Ruleset {
    /// The loaded playbooks: new episodes are taken by these alone.
    pub playbooks: Playbooks,
    /// What the settings impose on all of them, kept ones included.
    pub policy: Policy,
    /// Revisions that are loaded no more and that runs still go by.
    kept: Vec<Arc<Playbook>>,
}

/// What a reload changed, by the names of the playbooks, in the order of their files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// How many playbooks are loaded now.
    pub playbooks: usize,
    /// New names.
    pub added: Vec<String>,
    /// Names whose text is another one now.
    pub changed: Vec<String>,
    /// Names that are gone.
    pub removed: Vec<String>,
}

impl Ruleset {
    /// What a start goes by.
    #[must_use]
    pub fn new(playbooks: Playbooks, policy: Policy) -> Self {
        Self { playbooks, policy, kept: Vec::new() }
    }

    /// The playbook in this very revision, loaded or kept.
    #[must_use]
    pub fn revision(&self, name: &str, revision: &str) -> Option<&Arc<Playbook>> {
        let loaded = self.playbooks.get(name).into_iter();
        loaded.chain(&self.kept).find(|playbook| &*playbook.name == name && &*playbook.revision == revision)
    }

    /// The playbook in this very revision, if new episodes may be taken by it.
    #[must_use]
    pub fn loaded(&self, name: &str, revision: &str) -> Option<&Arc<Playbook>> {
        self.playbooks.get(name).filter(|playbook| playbook.enabled && &*playbook.revision == revision)
    }

    /// Whether a playbook of this name is loaded, or kept for what it took.
    #[must_use]
    pub fn knows(&self, name: &str) -> bool {
        self.playbooks.get(name).is_some() || self.kept.iter().any(|playbook| &*playbook.name == name)
    }

    /// What decisions are made by after a reload.
    #[must_use]
    pub fn replaced_by(&self, new: &NewConfig, state: &State) -> Self {
        let mut next = Self {
            playbooks: new.playbooks.clone(),
            policy: new.policy.clone(),
            kept: self.playbooks.iter().chain(&self.kept).cloned().collect(),
        };
        next.forget_unused(state);
        next
    }

    /// What a reload would change.
    #[must_use]
    pub fn changes_to(&self, new: &Playbooks) -> Changes {
        let names = |among: &Playbooks, wanted: &dyn Fn(&Playbook) -> bool| {
            among.iter().filter(|playbook| wanted(playbook)).map(|playbook| playbook.name.to_string()).collect()
        };
        let before = |playbook: &Playbook| self.playbooks.get(&playbook.name);
        Changes {
            playbooks: new.iter().count(),
            added: names(new, &|playbook| before(playbook).is_none()),
            changed: names(new, &|playbook| before(playbook).is_some_and(|old| old.revision != playbook.revision)),
            removed: names(&self.playbooks, &|playbook| new.get(&playbook.name).is_none()),
        }
    }

    /// Lets go of the revisions that no run goes by any more.
    pub fn forget_unused(&mut self, state: &State) {
        if self.kept.is_empty() {
            return;
        }
        let used: HashSet<_> = state.begun().map(|incident| (&incident.playbook, &incident.revision)).collect();
        let loaded = &self.playbooks;
        let is_loaded =
            |kept: &Playbook| loaded.get(&kept.name).is_some_and(|playbook| playbook.revision == kept.revision);
        self.kept.retain(|kept| used.contains(&(&kept.name, &kept.revision)) && !is_loaded(kept));
    }

    /// How many revisions are kept for runs.
    #[must_use]
    pub fn kept(&self) -> usize {
        self.kept.len()
    }
}
