//! All loaded playbooks, in order, with an index so that an alert only meets those that could match it.

use super::definition::Playbook;
use crate::model::label::Labels;
use std::sync::Arc;

/// The loaded playbooks: files in the order of their paths, entries in the order of their file.
#[derive(Clone, Debug, Default)]
pub struct Playbooks {
    all: Vec<Arc<Playbook>>,
}

impl Playbooks {
    /// Builds the index.
    #[must_use]
    pub fn new(all: Vec<Playbook>) -> Self {
        Self { all: all.into_iter().map(Arc::new).collect() }
    }

    /// All playbooks, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Playbook>> {
        self.all.iter()
    }

    /// The playbook of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Arc<Playbook>> {
        self.all.iter().find(|playbook| &*playbook.name == name)
    }

    /// The first enabled playbook all of whose matchers match.
    #[must_use]
    pub fn select(&self, labels: &Labels) -> Option<&Arc<Playbook>> {
        self.all.iter().find(|p| p.enabled && p.matchers.iter().all(|m| m.matches(labels)))
    }
}
