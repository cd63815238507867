//! The Docker host: which one `target.host` means. Part of the gate `target`, asked before any Docker is.
//!
//! An incident is bound to a host when it is opened. With several hosts, a playbook must say on which one its target is: the
//! same name may stand for different things on each, and nobody guesses.

use super::{Question, refuse};
use crate::engine::values;
use crate::model::fact::Refusal;
use crate::model::host::{Host, HostName};
use crate::model::policy::Policy;
use crate::model::reason::{Gate, Reason};
use crate::playbook::definition::Playbook;
use minijinja::Value;

/// The host for an alert whose values these are, and what is to be said against it. What the settings do not have is kept:
/// they may have it after a restart.
pub(in crate::engine) fn ask(playbook: &Playbook, values: &Value, policy: &Policy) -> (Host, Result<(), Refusal>) {
    let Some(target) = &playbook.target else { return (Host::First, Ok(())) };
    let known = policy.hosts.join(", ");
    let Some(template) = &target.host else {
        if !policy.has_several_hosts() {
            return (Host::First, Ok(()));
        }
        let detail =
            format!("docker.hosts in the settings has {known}, and the playbook does not say which: add target.host");
        let no = refuse(Gate::Target, Reason::UnknownHost, detail).saw("target.host", "(absent)");
        return (Host::First, Err(no.saw("known", known)));
    };
    let no = |reason, detail: String| refuse(Gate::Target, reason, detail).saw("target.host", template.source());
    let named = match template.render(values) {
        Ok(named) => named,
        Err(error) => return (Host::First, Err(no(Reason::TargetInvalid, format!("target.host: {error}")))),
    };
    let named = named.trim();
    if let Some(host) = policy.host(named) {
        return (host, Ok(()));
    }
    let detail = format!("the target is on the host {named:?}, and docker.hosts in the settings has {known}");
    let no = no(Reason::UnknownHost, detail).saw("host", named).saw("known", known);
    (HostName::parse(named).into(), Err(no))
}

/// Asks for the incident in question: its host must still be there, and be the one that its playbook means.
pub(super) fn of_incident(question: &Question<'_>) -> Result<(), Refusal> {
    let (policy, bound) = (question.policy, question.host());
    let (named, answer) = ask(question.playbook, &values::of_alert(&question.incident.alert), policy);
    answer?;
    if named == *bound {
        return Ok(());
    }
    let (bound, named) = (policy.name_of(bound), policy.name_of(&named));
    let detail = format!(
        "the incident belongs to the host {bound:?}, and by the settings and the playbook it would be {named:?}"
    );
    Err(refuse(Gate::Target, Reason::UnknownHost, detail).saw("bound", bound).saw("host", named))
}
