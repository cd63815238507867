//! Blast radius: no storm of alerts, enough left of the service, and not too many containers under treatment at once.

use super::{Question, refuse};
use crate::engine::scale::{Aim, aim};
use crate::model::action::TargetIdent;
use crate::model::container::{Container, ContainerState, Health};
use crate::model::duration::format_duration;
use crate::model::fact::Refusal;
use crate::model::reason::{Gate, Reason};
use crate::playbook::definition::Verb;
use std::time::Duration;

/// Asks whether as many runs as allowed are under way. Dry runs are counted apart.
pub(super) fn ask(question: &Question<'_>) -> Result<(), Refusal> {
    if !question.acts() {
        return Ok(());
    }
    storm(question)?;
    service(question)?;
    replicas(question)?;
    let under_way = question
        .state
        .running()
        .filter(|other| other.id != question.incident.id)
        // One that hangs keeps its own runs, and nobody else's.
        .filter(|other| other.host() == question.host())
        .filter_map(|other| other.holding())
        .filter(|run| run.dry_run == question.dry_run())
        .count();
    let allowed = question.policy.max_parallel;
    if usize::try_from(allowed).is_ok_and(|allowed| allowed <= under_way) {
        let detail = format!("{under_way} runs are under way; limits.max_parallel in the settings is {allowed}");
        let refusal = refuse(Gate::BlastRadius, Reason::MaxParallel, detail);
        return Err(refusal.saw("running", under_way).saw("max_parallel", allowed));
    }
    Ok(())
}

/// One common cause is likelier than many.
fn storm(question: &Question<'_>) -> Result<(), Refusal> {
    let (storm, now) = (&question.policy.storm, question.now);
    let left = question.state.storm().frozen_for(now);
    if left.is_zero() {
        return Ok(());
    }
    let left = Duration::from_secs(left.as_secs() + 1);
    let (alerts, per) = (question.state.storm().count(storm.per, now), format_duration(storm.per));
    let detail = format!(
        "a storm: more than {} alerts came within {per}, so nothing is done for another {}",
        storm.alerts,
        format_duration(left)
    );
    let refusal = refuse(Gate::BlastRadius, Reason::Storm, detail)
        .saw("alerts", alerts)
        .saw("allowed", storm.alerts)
        .saw("per", per)
        .saw("left", format_duration(left));
    Err(Refusal { retry_after: left, ..refusal })
}

/// Not too many containers of the target's service at once, and enough healthy ones without it.
fn service(question: &Question<'_>) -> Result<(), Refusal> {
    let Some(view) = question.view else { return Ok(()) };
    let limits = &question.playbook.limits;
    let target = TargetIdent::from(&view.container).on(question.host());
    let treated: Vec<&TargetIdent> = question
        .state
        .running()
        .filter(|other| other.id != question.incident.id)
        .filter(|other| other.host() == question.host())
        .filter_map(|other| other.holding())
        .filter(|run| run.dry_run == question.dry_run())
        .filter_map(|run| run.target.as_ref())
        .collect();
    if let Some(service) = &target.service {
        let busy: Vec<&str> = treated
            .iter()
            .filter(|other| other.service.as_ref() == Some(service))
            .map(|other| other.name.as_str())
            .collect();
        if usize::try_from(limits.max_parallel).is_ok_and(|allowed| allowed <= busy.len()) {
            let detail = format!("{} of the service {service} is being treated; one after the other", busy.join(", "));
            let refusal = refuse(Gate::BlastRadius, Reason::ServiceBusy, detail);
            return Err(refusal
                .saw("service", service)
                .saw("treated", busy.len())
                .saw("max_parallel", limits.max_parallel));
        }
    }
    let Some(min_healthy) = limits.min_healthy else { return Ok(()) };
    let others = view.peers.iter().filter(|peer| peer.id != view.container.id);
    let left = others
        .filter(|peer| is_well(peer) && !treated.iter().any(|held| held.name.bare() == peer.name.as_str()))
        .count();
    let total = view.peers.len().max(1);
    let needed = min_healthy.of(total);
    if needed <= left {
        return Ok(());
    }
    let name = &target.name;
    let detail = match &target.service {
        Some(service) => format!(
            "without {name}, {left} of {total} containers of {service} would be healthy; min_healthy is {min_healthy}"
        ),
        None => {
            format!("min_healthy is {min_healthy}, and {name} is not one of several containers of a Compose service")
        }
    };
    let refusal = refuse(Gate::BlastRadius, Reason::MinHealthy, detail);
    Err(refusal.saw("healthy", left).saw("needed", needed).saw("total", total).saw("min_healthy", min_healthy))
}

/// Enough healthy replicas left of a service: a smaller one never loses its last healthy replica.
fn replicas(question: &Question<'_>) -> Result<(), Refusal> {
    let Some(service) = question.service else { return Ok(()) };
    let min_healthy = question.playbook.limits.min_healthy;
    let next = question.steps_to_come().map(|(step, _)| &step.verb).find(|verb| verb.acts());
    // Which of them go is Docker's choice, so the healthy ones may.
    let (fewer, after, least) = match next {
        Some(Verb::Scale(spec)) => match aim(question, spec, service) {
            Ok(Aim::Scale { from, to, .. }) if to < from => (from - to, to, 1),
            Ok(Aim::Scale { .. } | Aim::NotNeeded(_)) | Err(_) => return Ok(()),
        },
        Some(Verb::Restart(_) | Verb::Rollback(_)) => (service.down_at_once, service.wanted, 0),
        Some(_) | None => return Ok(()),
    };
    let total = usize::try_from(after).unwrap_or(usize::MAX);
    let needed = min_healthy.map_or(0, |share| share.of(total)).max(least);
    let left = usize::try_from(service.healthy.saturating_sub(fewer)).unwrap_or(usize::MAX);
    if needed <= left {
        return Ok(());
    }
    let (name, healthy) = (service.name(), service.healthy);
    let detail = format!("{healthy} replicas of {name} are healthy, and {fewer} of them may go: {needed} must stay");
    let refusal = refuse(Gate::BlastRadius, Reason::MinHealthy, detail);
    let min_healthy = min_healthy.map_or_else(|| "the last one stays".to_owned(), |share| share.to_string());
    Err(refusal.saw("healthy", left).saw("needed", needed).saw("total", total).saw("min_healthy", min_healthy))
}

/// Running, and healthy where it has a health check. One that is still starting serves nobody yet.
fn is_well(container: &Container) -> bool {
    let healthy = container.health.as_ref().is_none_or(|health| *health == Health::Healthy);
    container.state == ContainerState::Running && healthy
}
