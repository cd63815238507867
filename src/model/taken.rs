//! Who took an alert when it was first seen.

use super::host::Host;
use super::reason::Reason;
use std::sync::Arc;

/// What became of an alert when it was first seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// A playbook took it: an incident is open.
    ByPlaybook {
        /// Its name.
        playbook: Arc<str>,
        /// The revision it was decided with.
        revision: Arc<str>,
        /// The Docker host its target is on, as far as the alert tells.
        host: Host,
        /// The text of that revision, where no record before tells it.
        text: Option<Arc<str>>,
    },
    /// Nobody took it, and why.
    ByNobody(Reason),
}

impl Taken {
    /// The text of the playbook that took it, if this record is the one to tell it.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::ByPlaybook { text, .. } => text.as_deref(),
            Self::ByNobody(_) => None,
        }
    }
}
