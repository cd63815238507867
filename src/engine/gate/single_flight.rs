//! Never two runs at once on one target, nor on what depends on it.

use super::{Question, refuse};
use crate::engine::gate::target::running_dependents;
use crate::model::fact::Refusal;
use crate::model::reason::{Gate, Reason};

/// Asks whether another incident holds the target or one of its dependents.
pub(super) fn ask(question: &Question<'_>) -> Result<(), Refusal> {
    let Some(view) = question.view else { return Ok(()) };
    if !question.playbook.acts() {
        return Ok(());
    }
    let mine: Vec<_> =
        std::iter::once(&view.container).chain(running_dependents(view)).map(|held| &held.name).collect();
    let others = question.state.running().filter(|other| other.id != question.incident.id);
    for other in others {
        let Some(run) = other.run().filter(|run| run.plan.is_some()) else { continue };
        let theirs = run.target.iter().chain(&run.dependents);
        if let Some(held) = theirs.map(|target| &target.name).find(|name| mine.contains(name)) {
            let detail = format!("{held} is being treated by {} ({})", other.id, other.playbook);
            let refusal = refuse(Gate::SingleFlight, Reason::Busy, detail);
            return Err(refusal.saw("held", held).saw("by", other.id).saw("playbook", &other.playbook));
        }
    }
    Ok(())
}
