//! What people are shown beside the question: what exactly would be sent, and what is left of the limits. Nothing is
//! decided by it.

use super::Approval;
use super::words::Known;
use crate::engine::advance;
use crate::engine::gate::{Account, Question};
use crate::engine::incident::{Incident, Run};
use crate::engine::ruleset::Ruleset;
use crate::engine::snapshot::ApprovalSummary;
use crate::engine::state::State;
use crate::engine::values;
use crate::model::action::TargetIdent;
use crate::model::moment::Moment;
use crate::playbook::definition::{Playbook, Step, Verb};
use std::time::Duration;

/// One open question, with all that people may want to know of it.
pub(in crate::engine) fn shown(
    (state, ruleset): (&State, &Ruleset),
    (incident, approval): (&Incident, &Approval),
    now: &Moment,
) -> ApprovalSummary {
    let mut summary = ApprovalSummary::of(approval, now);
    incident.alert.labels.value("alertname").clone_into(&mut summary.alertname);
    let Some(playbook) = advance::playbook_of(incident, ruleset) else { return summary };
    let (asked, policy) = (&approval.asked, &ruleset.policy);
    let about = Run::of_approval(asked, *now);
    let values = values::of_run(incident, incident.run().unwrap_or(&about), playbook, policy);
    let known = Known { values: &values, container: None, service: None };
    let calls = |steps: &[Step]| -> Vec<String> {
        steps.iter().filter_map(|step| call(step, asked.target.as_ref(), known)).collect()
    };
    summary.calls = calls(steps_to_come(incident, (playbook, approval)));
    // Nobody is asked again about what follows the end of the alert.
    let afterwards = calls(&playbook.on_resolved);
    summary.calls.extend(afterwards.into_iter().map(|call| format!("when the alert has ended: {call}")));
    let question = Question { state, policy, playbook, incident, view: None, service: None, testimony: None, now };
    // An alert without a label that limits count by is refused: then there is nothing to be left.
    if let Ok(account) = Account::of(&question, asked.target.as_ref().map(|target| &target.name)) {
        (summary.room, summary.chill) = (account.rooms(now).collect(), account.chill(now));
    }
    summary
}

/// The steps that people are asked about.
fn steps_to_come<'a>(incident: &Incident, (playbook, approval): (&'a Playbook, &Approval)) -> &'a [Step] {
    match (&approval.asked.step, incident.run()) {
        (Some(step), Some(run)) => advance::steps_of(playbook, run).get(step.index + 1..).unwrap_or_default(),
        (Some(_), None) => &[],
        (None, _) => playbook.attempts.steps(approval.asked.attempt.number),
    }
}

/// What a step sends to Docker, or to another system; `None` if it changes nothing.
fn call(step: &Step, target: Option<&TargetIdent>, known: Known<'_>) -> Option<String> {
    let id = target.map(|target| target.id.to_string()).unwrap_or_default();
    let container = |what: &str, grace: Option<Duration>| {
        let grace = grace.map(|span| span.as_secs() + u64::from(0 < span.subsec_nanos()));
        let query = grace.map(|secs| format!("?t={secs}")).unwrap_or_default();
        Some(format!("POST /containers/{id}/{what}{query}"))
    };
    let is_container = target.is_some_and(|target| target.id.container().is_some());
    match &step.verb {
        Verb::Restart(spec) if is_container => container("restart", spec.stop_timeout),
        Verb::Start if is_container => container("start", None),
        Verb::Stop(spec) if is_container => container("stop", spec.stop_timeout),
        Verb::UpdateLimits(spec) if is_container => {
            container("update", None).map(|call| format!("{call} with {}", known.limits(spec)))
        }
        Verb::Http(spec) => Some(known.request_with_body(spec)),
        // A service is changed as its own settings say, container by container.
        Verb::Restart(_) | Verb::Start | Verb::Stop(_) | Verb::Scale(_) | Verb::Rollback(_) | Verb::UpdateLimits(_) => {
            Some(format!("{} of the service {id}", step.verb.word()))
        }
        Verb::Capture(_)
        | Verb::Verify(_)
        | Verb::Wait(_)
        | Verb::Notify(_)
        | Verb::Approve(_)
        | Verb::PausePlaybook(_) => None,
    }
}
