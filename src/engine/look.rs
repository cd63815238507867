//! What a decision keeps of the look at its target, so that it can be made anew from the log alone.
//!
//! Only what a gate or the playbook's own `if` may read: of the labels those that mean something to sickbay or to whoever
//! owns the container, and those that the condition names. The state keeps none of it.

use crate::model::approval::{ApprovalEnded, ApprovalRequested};
use crate::model::container::{Container, TargetReport};
use crate::model::diagnosis::Diagnosis;
use crate::model::fact::{ActionIntended, Decided, Fact, StepFinished, StepMarked, StepResult};
use crate::model::owner_names::seems_meant;
use crate::playbook::definition::Playbook;
use std::sync::Arc;

/// Labels that gates read begin with one of these.
const READ_BY_GATES: [&str; 4] = ["sickbay.", "com.docker.compose.", "com.docker.swarm.", "io.kubernetes."];

/// Puts the look to what was decided by it.
pub(super) fn keep(report: TargetReport, playbook: &Playbook, facts: &mut [Fact]) {
    let look = Arc::new(essence(report, playbook));
    for fact in facts {
        if let Fact::Decided(decided) = fact {
            decided.look = Some(Arc::clone(&look));
        } else if let Fact::ActionIntended(intended) = fact {
            intended.look = Some(Arc::clone(&look));
        } else if let Fact::StepMarked(marked) = fact {
            marked.look = Some(Arc::clone(&look));
        } else if let Fact::ApprovalRequested(asked) = fact {
            asked.look = Some(Arc::clone(&look));
        } else if let Fact::ApprovalEnded(ended) = fact {
            ended.look = Some(Arc::clone(&look));
        }
    }
}

/// A fact as the story of an incident keeps it: without evidence, but for what it says most of all, and looks, which no
/// decision needs again.
pub(super) fn without(fact: &Fact) -> Fact {
    if let Fact::StepFinished(finished) = fact
        && let StepResult::Captured(evidence) = &finished.result
    {
        // What messages may name.
        let first = Diagnosis::in_evidence(evidence).first().cloned();
        let kept = first.map(|first| ("diagnosis".to_owned(), Diagnosis { findings: vec![first] }.to_json()));
        let result = StepResult::Captured(kept.into_iter().collect());
        let (step, elapsed) = (finished.step.clone(), finished.elapsed);
        return Fact::StepFinished(StepFinished { incident: finished.incident, step, elapsed, result });
    }
    if let Fact::Decided(decided) = fact {
        Fact::Decided(Decided { look: None, ..decided.clone() })
    } else if let Fact::ActionIntended(intended) = fact {
        Fact::ActionIntended(ActionIntended { look: None, ..intended.clone() })
    } else if let Fact::StepMarked(marked) = fact {
        Fact::StepMarked(StepMarked { look: None, ..marked.clone() })
    } else if let Fact::ApprovalRequested(asked) = fact {
        Fact::ApprovalRequested(Box::new(ApprovalRequested { look: None, ..ApprovalRequested::clone(asked) }))
    } else if let Fact::ApprovalEnded(ended) = fact {
        Fact::ApprovalEnded(ApprovalEnded { look: None, ..ended.clone() })
    } else {
        fact.clone()
    }
}

fn essence(report: TargetReport, playbook: &Playbook) -> TargetReport {
    // What a condition names stands in its text: names are written out.
    let afterwards = [&playbook.on_failure, &playbook.on_denied, &playbook.on_resolved];
    let of_steps = playbook.attempts.iter().map(|attempt| &attempt.steps).chain(afterwards).flatten();
    let of_steps = of_steps.filter_map(|step| step.condition.as_ref());
    let sources: Vec<&str> = playbook.condition.iter().chain(of_steps).map(|condition| condition.source()).collect();
    let read = |label: &str| {
        READ_BY_GATES.iter().any(|prefix| label.starts_with(prefix))
            || seems_meant(label).is_some()
            || sources.iter().any(|source| source.contains(label))
    };
    let (mut view, others) = match report {
        TargetReport::Found(view) => (view, None),
        TargetReport::Several { first, others } => (first, Some(others)),
        TargetReport::FoundService(mut service) => {
            service.labels.retain(|label, _| read(label));
            return TargetReport::FoundService(service);
        }
        other @ (TargetReport::Missing
        | TargetReport::Ambiguous(_)
        | TargetReport::Unavailable(_)
        | TargetReport::Denied(_)
        | TargetReport::NoManager(_)) => return other,
    };
    let shorten = |container: &mut Container| container.labels.retain(|label, _| read(label));
    shorten(&mut view.container);
    view.dependents.iter_mut().for_each(shorten);
    // Of the others of the service, only how they are.
    view.peers.iter_mut().for_each(|peer| peer.labels.clear());
    match others {
        Some(others) => TargetReport::Several { first: view, others },
        None => TargetReport::Found(view),
    }
}
