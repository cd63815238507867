//! Never two runs at once on one target, nor on what depends on it.

use super::{Question, refuse};
use crate::engine::gate::target::running_dependents;
use crate::model::action::TargetIdent;
use crate::model::fact::Refusal;
use crate::model::reason::{Gate, Reason};

/// Asks whether another incident holds the target or one of its dependents.
pub(super) fn ask(question: &Question<'_>) -> Result<(), Refusal> {
    let Some(target) = question.target().filter(|_| question.acts()) else { return Ok(()) };
    let dependents = question.view.into_iter().flat_map(running_dependents);
    let dependents = dependents.map(|dependent| TargetIdent::from(dependent).on(question.host()));
    let mine: Vec<TargetIdent> = std::iter::once(target).chain(dependents).collect();
    let others = question.state.running().filter(|other| other.id != question.incident.id);
    for other in others {
        let Some(run) = other.holding() else { continue };
        let mut theirs = run.target.iter().chain(&run.dependents);
        let clashes = |held: &&TargetIdent| mine.iter().any(|own| own.name == held.name || of_one_service(own, held));
        if let Some(held) = theirs.find(clashes) {
            let name = &held.name;
            let detail = format!("{name} is being treated by {} ({})", other.id, other.playbook);
            let refusal = refuse(Gate::SingleFlight, Reason::Busy, detail);
            return Err(refusal.saw("held", name).saw("by", other.id).saw("playbook", &other.playbook));
        }
    }
    Ok(())
}

/// Whether both belong to one Compose service, and one of them is the service itself: a service is treated as a whole, or
/// one of its containers is, never both.
fn of_one_service(one: &TargetIdent, other: &TargetIdent) -> bool {
    let is_container = |target: &TargetIdent| target.id.container().is_some();
    let same = one.service.is_some() && one.service == other.service && one.name.host() == other.name.host();
    same && !(is_container(one) && is_container(other))
}
