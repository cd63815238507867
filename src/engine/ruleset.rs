//! What decisions are made by: the loaded playbooks and the policy above them.

use crate::model::policy::Policy;
use crate::playbook::index::Playbooks;

/// Playbooks and policy, fixed for one decision.
#[derive(Clone, Debug, Default)]
pub struct Ruleset {
    /// The loaded playbooks.
    pub playbooks: Playbooks,
    /// What the settings impose on all of them.
    pub policy: Policy,
}
