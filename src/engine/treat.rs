//! Right before a service is changed: every gate once more, on the very service of the plan, and then one exact intent.

use super::effect::{ActionPermit, Effect};
use super::gate::{self, Question, refuse};
use super::incident::{Incident, Run};
use super::judge::{self, Judgment};
use super::scale::{Aim, aim};
use super::{advance, step_rules};
use crate::model::action::{Action, ServiceAction, TargetIdent, TargetVitals};
use crate::model::container::TargetReport;
use crate::model::fact::{ActionIntended, Fact};
use crate::model::reason::{Gate, Reason};
use crate::model::service::{Previous, Service};
use crate::playbook::definition::{Attempt, Verb};
use std::sync::Arc;

/// The service as it was planned for: our own rollback is no other service.
pub(super) fn planned(incident: &Incident, service: &Service) -> (TargetIdent, String) {
    let (mut target, mut template) = (TargetIdent::from(service).on(incident.host()), service.template.clone());
    let done = incident.run().and_then(|run| run.done_to_service.as_ref());
    if let Some((ServiceAction::Rollback { to_image, .. }, before)) = done
        && service.image == *to_image
    {
        target.image_id.clone_from(&before.image);
        template.clone_from(&before.template);
    }
    (target, template)
}

/// The images that a way back of a Compose service is between, where the playbook has one: they belong to the plan.
pub(super) fn images(question: &Question<'_>) -> Vec<String> {
    let goes_back = |attempt: &Attempt| attempt.steps.iter().any(|step| matches!(step.verb, Verb::Rollback(_)));
    let Some(service) = question.service.filter(|service| !service.is_swarm()) else { return Vec::new() };
    if !question.playbook.attempts.iter().any(goes_back) {
        return Vec::new();
    }
    let done = question.incident.run().and_then(|run| run.done_to_service.as_ref());
    if let Some((ServiceAction::Rollback { from_image, to_image }, _)) = done
        && service.image == *to_image
    {
        return vec![from_image.clone(), to_image.clone()];
    }
    let images = |previous: &Previous| Some(vec![previous.change.as_ref()?.image_id.clone(), previous.image.clone()]);
    service.previous.as_ref().and_then(images).unwrap_or_default()
}

/// Permits the next change of a service, or records why not.
pub(super) fn act(question: &Question<'_>, run: &Run, verb: &Verb, service: &Service) -> Judgment {
    let (incident, playbook) = (question.incident, question.playbook);
    let (target, _) = planned(incident, service);
    if run.target.as_ref() != Some(&target) || run.plan != Some(judge::plan_hash(question, Some(&target))) {
        let detail = "the service was changed since it was decided: another one, another image or another definition";
        return judge::refused(incident, playbook, Some(target.clone()), judge::changed(detail, run, &target));
    }
    let allowed = match step_rules::before_act(question, run) {
        Ok(allowed) => allowed,
        Err(ended) => return Judgment { facts: vec![*ended], effect: None },
    };
    if let Err(refusal) = gate::ask(question) {
        return judge::refused(incident, playbook, Some(target), refusal);
    }
    match exact(question, verb, service) {
        Ok(Step::Do(action)) => {
            let mut judgment = intend(question, run, action, service);
            judgment.facts.splice(0..0, allowed);
            judgment
        }
        Ok(Step::NotNeeded(words)) => judge::not_needed(question, run, words),
        Err((reason, detail)) => {
            let refusal = refuse(Gate::Target, reason, detail).saw("service", service.name());
            judge::refused(incident, playbook, Some(target), refusal)
        }
    }
}

/// What a step comes to.
enum Step {
    Do(ServiceAction),
    NotNeeded(String),
}

/// The action with its numbers, from this very look.
fn exact(question: &Question<'_>, verb: &Verb, service: &Service) -> Result<Step, (Reason, String)> {
    let misfit = || (Reason::TargetInvalid, format!("`{}` is not for a service", verb.word()));
    Ok(match verb {
        Verb::Scale(spec) => match aim(question, spec, service)? {
            Aim::Scale { from, to, original } => Step::Do(ServiceAction::Scale { from, to, original }),
            Aim::NotNeeded(words) => Step::NotNeeded(words),
        },
        Verb::Restart(_) => Step::Do(ServiceAction::ForceUpdate { counter: service.force_update.saturating_add(1) }),
        Verb::Rollback(_) => {
            let previous = service.previous.as_ref().ok_or_else(misfit)?;
            let present = previous.change.as_ref().map_or(&service.image, |change| &change.image_id);
            let (from_image, to_image) = (present.clone(), previous.image.clone());
            Step::Do(ServiceAction::Rollback { from_image, to_image })
        }
        Verb::Start
        | Verb::Stop(_)
        | Verb::UpdateLimits(_)
        | Verb::Capture(_)
        | Verb::Verify(_)
        | Verb::Wait(_)
        | Verb::Notify(_)
        | Verb::Http(_)
        | Verb::Approve(_)
        | Verb::PausePlaybook(_) => return Err(misfit()),
    })
}

fn intend(question: &Question<'_>, run: &Run, action: ServiceAction, service: &Service) -> Judgment {
    let act = question.incident.next_act();
    let (deadline, target, pre) =
        (action.deadline(service), TargetIdent::from(service).on(question.host()), TargetVitals::from(service));
    // What ran before, and how that is known, stands nowhere else.
    let shown = || Arc::new(TargetReport::FoundService(Box::new(service.clone())));
    let look = (!service.is_swarm() && matches!(action, ServiceAction::Rollback { .. })).then(shown);
    let action = Action::Service(action);
    let intended = ActionIntended {
        act,
        playbook: Arc::clone(&question.incident.playbook),
        action: action.clone(),
        target: target.clone(),
        pre: pre.clone(),
        deadline,
        timeout: advance::steps_of(question.playbook, run).get(run.index).and_then(|step| step.timeout),
        plan: run.plan.clone().unwrap_or_default(),
        dependent: false,
        dependents: Vec::new(),
        dry_run: run.dry_run,
        witness: question.testimony.cloned(),
        look,
    };
    let permit = (!run.dry_run).then(|| ActionPermit::new(act, action, target, deadline, pre));
    Judgment { facts: vec![Fact::ActionIntended(intended)], effect: permit.map(Effect::RunAction) }
}
