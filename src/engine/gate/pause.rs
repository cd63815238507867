//! The kill switch: nobody has paused everything, the host, the playbook, or a container the run would touch.
//!
//! Asked before a run and right before each act, dry runs included, and before Docker's answer is looked at: a run that
//! is paused must not fail because of anything else meanwhile.

use super::{Question, RETRY_AFTER};
use crate::model::duration::format_duration;
use crate::model::fact::Refusal;
use crate::model::pause::{Pause, PauseScope};
use crate::model::reason::{Gate, Reason};
use crate::model::service::Service;
use crate::model::target::TargetName;
use std::time::Duration;

/// Asks whether a pause covers the run.
pub(in crate::engine) fn ask(question: &Question<'_>) -> Result<(), Refusal> {
    let own = Pause::by_playbook(&question.incident.playbook, &question.incident.id.to_string());
    // A run that paused its own playbook goes on to its end.
    let holds = |pause: &Pause| pause.by != own && covers(question, &pause.scope);
    let Some(standing) = question.state.pauses().longest(question.now, holds) else {
        return Ok(());
    };
    let pause = &standing.pause;
    // Whole seconds, rounded up: asked again then, it is surely over.
    let remaining = standing.remaining(question.now);
    let remaining = remaining.map(|left| Duration::from_secs(left.as_secs() + u64::from(0 < left.subsec_nanos())));
    let until = remaining
        .map_or_else(|| "until somebody resumes".to_owned(), |left| format!("for {} more", format_duration(left)));
    let (scope, by, reason) = (pause.scope.to_string(), pause.by.clone(), pause.reason.clone());
    let detail = format!("{scope} is paused by {by} {until}: {reason}");
    let mut inputs = vec![input("scope", scope), input("by", by), input("reason", reason)];
    inputs.extend(remaining.map(|left| input("remaining", format_duration(left))));
    let retry_after = remaining.unwrap_or(RETRY_AFTER);
    Err(Refusal { gate: Gate::Pause, reason: Reason::Paused, detail, inputs, retry_after })
}

/// Whether two refusals speak of the same pause.
pub(in crate::engine) fn same_pause(one: &Refusal, other: &Refusal) -> bool {
    let told = |refusal: &Refusal| {
        refusal.inputs.iter().filter(|(name, _)| name != "remaining").cloned().collect::<Vec<(String, String)>>()
    };
    told(one) == told(other)
}

fn input(name: &str, value: String) -> (String, String) {
    (name.to_owned(), value)
}

fn covers(question: &Question<'_>, scope: &PauseScope) -> bool {
    match scope {
        PauseScope::All => true,
        PauseScope::Host(name) => is_on(question, name),
        PauseScope::Playbook(name) => *name == question.playbook.name,
        PauseScope::Target(name) => touches(question, name),
    }
}

/// Whether the run is on the host of this name. One without a target is on none; while there is one host, everything is on
/// it.
fn is_on(question: &Question<'_>, name: &str) -> bool {
    let (policy, has_target) = (question.policy, question.playbook.target.is_some());
    (has_target || !policy.has_several_hosts()) && policy.name_of(question.host()) == name
}

/// Whether the run would touch a container of this name: its target, what it does next, or what depends on that.
fn touches(question: &Question<'_>, name: &str) -> bool {
    let run = question.incident.run();
    let asked = question.incident.open_approval().and_then(|approval| approval.asked.target.as_ref());
    let mut planned = run.into_iter().flat_map(|run| run.target.iter().chain(run.next_to_act())).chain(asked);
    let seen = question.view.into_iter().flat_map(|view| std::iter::once(&view.container).chain(&view.dependents));
    let mut seen = seen.map(|container| TargetName::from(&container.name)).chain(question.service.map(Service::name));
    let name = question.policy.recorded(name);
    planned.any(|target| target.name.as_str() == name) || seen.any(|seen| seen.on(question.host()).as_str() == name)
}
