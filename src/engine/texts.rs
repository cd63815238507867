//! Which playbooks' texts the log tells already: each revision's stands in the first record that opens an incident by it.
//!
//! So that a page can show by which text an incident was decided, whatever is loaded by now.

use crate::model::fact::{AlertReceived, Taken};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The revisions whose texts are told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Texts(BTreeSet<Arc<str>>);

impl Texts {
    /// As they were saved.
    #[must_use]
    pub fn from_memory(revisions: &[Arc<str>]) -> Self {
        Self(revisions.iter().cloned().collect())
    }

    /// All of them, in the order of their letters.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<str>> {
        self.0.iter()
    }

    /// An incident was opened.
    pub fn opened(&mut self, alert: &AlertReceived) {
        if let Taken::ByPlaybook { revision, text: Some(_), .. } = &alert.taken {
            self.0.insert(Arc::clone(revision));
        }
    }

    /// Whether this revision's text is told.
    #[must_use]
    pub fn tell(&self, revision: &str) -> bool {
        self.0.contains(revision)
    }
}
