//! Which playbook takes an alert: enabled, and all of its matchers match. [`Playbooks::select`] asks the same of those
//! that its index leaves, and gives the first; here is what it says about one of them, in words.
//!
//! [`Playbooks::select`]: crate::playbook::index::Playbooks::select

use super::refuse;
use crate::model::fact::Refusal;
use crate::model::label::Labels;
use crate::model::reason::{Gate, Reason};
use crate::playbook::definition::Playbook;

/// Asks whether the playbook could take an alert with these labels.
pub(in crate::engine) fn ask(playbook: &Playbook, labels: &Labels) -> Result<(), Refusal> {
    let no = |detail: String| refuse(Gate::Playbook, Reason::NoMatch, detail);
    if !playbook.enabled {
        return Err(no("the playbook is not enabled: it counts as not there".to_owned()).saw("enabled", false));
    }
    let Some(matcher) = playbook.mismatch(labels) else { return Ok(()) };
    let name = &matcher.name;
    let (detail, seen) = match labels.get(name) {
        Some(value) => (format!("the matcher {matcher} does not match: the alert's {name} is {value:?}"), value),
        None => (format!("the matcher {matcher} does not match: the alert has no label {name}"), "(absent)"),
    };
    Err(no(detail).saw("matcher", matcher).saw(&format!("labels.{name}"), seen))
}
