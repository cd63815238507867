//! Steps that touch no container, and must be asked about all the same: because their `if` looks at the target, or because
//! they change another system (`http`).
//!
//! A request is held back like an act: by a pause, and as long as nothing was done, by an alert that no
//! longer fires, a time interval, or a full budget. Read
//! [`answered`] first.

use super::decide::Draft;
use super::effect::{Effect, RequestPermit};
use super::gate::{self, Question, Shown};
use super::incident::{Incident, Run, Stage};
use super::judge::{self, Judgment};
use super::{advance, look, step_rules, values, witness};
use crate::model::container::TargetReport;
use crate::model::fact::{Fact, RequestFinished, RequestIntended, StepMarked, StepResult};
use crate::model::id::IncidentId;
use crate::model::redact::clean;
use crate::model::request::{REQUEST_WITHIN, Request, RequestOutcome};
use crate::model::testimony::Heard;
use crate::playbook::definition::{HttpSpec, Step, Verb};
use std::sync::Arc;
use std::time::Duration;

/// How much of a request's URL and body is recorded, in bytes.
const RECORDED_LEN_MAX: usize = 2048;

/// What must be asked before the step.
pub(super) fn question(incident: &Incident, run: &Run, step: &Step) -> Effect {
    let looks = step.condition.as_ref().is_some_and(|condition| condition.looks_at_target());
    let target = run.target.as_ref().filter(|_| looks).map(|target| advance::query_of(&target.id));
    // What was begun is not left half done because its alert ended meanwhile.
    let sends = matches!(step.verb, Verb::Http(_)) && !run.is_past_return();
    let alert = sends.then(|| Arc::clone(&incident.alert));
    Effect::AskStep { incident: incident.id, index: run.index, host: incident.host().clone(), target, alert }
}

/// The answer: the step is done, left out or held back.
pub(super) fn answered(
    draft: &mut Draft<'_>,
    (incident, index): (IncidentId, usize),
    (report, heard): (Option<TargetReport>, Heard),
) {
    let Some(incident) = draft.state.incident(incident) else { return };
    let Some(run) = incident.run().filter(|run| run.index == index && run.stage == Stage::Ready) else { return };
    let Some(playbook) = advance::playbook_of(incident, draft.ruleset) else {
        return draft.carry_on(incident.clone(), false);
    };
    let Some(step) = advance::steps_of(playbook, run).get(index).filter(|step| !step.verb.acts()) else { return };
    let seen = report.as_ref().map(|report| judge::view_of(report, (incident, playbook), &draft.ruleset.policy));
    let seen = seen.transpose();
    let Shown { view, service } = seen.as_ref().ok().copied().flatten().unwrap_or_default();
    let testimony = heard.testimony();
    let (state, policy, now) = (draft.state, &draft.ruleset.policy, draft.now);
    let question = Question { state, policy, playbook, incident, view, service, testimony, now };
    let asks = || {
        let shown = seen.as_ref().map(|shown| shown.unwrap_or_default()).map_err(|refusal| refusal.detail.clone());
        step_rules::answered((incident, run, step), playbook, shown, now)
    };
    let judgment = match &step.verb {
        Verb::Http(spec) => match held_back(&question, run) {
            Some(judgment) => judgment,
            None => match asks() {
                Some(ended @ Fact::StepFinished(_)) => Judgment { facts: vec![ended], effect: None },
                Some(Fact::StepMarked(marked)) => {
                    let witness = testimony.cloned();
                    send(&question, (run, step, spec), Some(Fact::StepMarked(StepMarked { witness, ..marked })))
                }
                allowed => send(&question, (run, step, spec), allowed),
            },
        },
        // An answer that nobody waits for any more.
        _ if run.allowed => return,
        Verb::Capture(_)
        | Verb::Verify(_)
        | Verb::Wait(_)
        | Verb::Notify(_)
        | Verb::PausePlaybook(_)
        | Verb::Approve(_) => Judgment { facts: asks().into_iter().collect(), effect: None },
        Verb::Restart(_) | Verb::Start | Verb::Stop(_) | Verb::Scale(_) | Verb::Rollback(_) | Verb::UpdateLimits(_) => {
            return;
        }
    };
    let mut judgment = judgment;
    if let Some(report) = report.filter(|_| !judgment.facts.is_empty()) {
        look::keep(report, playbook, &mut judgment.facts);
    }
    let incident = incident.clone();
    draft.judged(&incident, judgment);
}

/// What keeps a request from being sent now. A run that cannot go back waits; any other one is asked about again later.
fn held_back(question: &Question<'_>, run: &Run) -> Option<Judgment> {
    if run.is_past_return() {
        let paused = gate::paused(question).err()?;
        return Some(judge::held(question, run, Some(paused)));
    }
    let refusal = gate::before_request(question).err()?;
    let judgment = judge::refused(question.incident, question.playbook, run.target.clone(), refusal);
    Some(witness::ends_alert(question, judgment))
}

/// Its intent is recorded, then it is sent.
fn send(question: &Question<'_>, (run, step, spec): (&Run, &Step, &HttpSpec), allowed: Option<Fact>) -> Judgment {
    let (incident, playbook) = (question.incident, question.playbook);
    if let Err(refusal) = gate::agreed_request(question, run) {
        return judge::refused(incident, playbook, run.target.clone(), refusal);
    }
    let request = match rendered(question, run, spec) {
        Ok(request) => request,
        Err(error) => {
            let failed = advance::finished(incident, run, step, (Duration::ZERO, StepResult::Failed(error)));
            return Judgment { facts: vec![failed], effect: None };
        }
    };
    let act = incident.next_act();
    let deadline = step.timeout.map_or(REQUEST_WITHIN, |timeout| timeout.min(REQUEST_WITHIN));
    let intended = Fact::RequestIntended(RequestIntended {
        act,
        playbook: Arc::clone(&playbook.name),
        step: advance::step_ref(run, step),
        method: request.method.to_owned(),
        url: clean(&request.url, RECORDED_LEN_MAX),
        body: request.body.as_deref().map(|body| clean(body, RECORDED_LEN_MAX)),
        body_len: request.body.as_ref().map_or(0, |body| u64::try_from(body.len()).unwrap_or(u64::MAX)),
        deadline,
        dry_run: run.dry_run,
        witness: question.testimony.cloned(),
    });
    let permit = (!run.dry_run).then(|| RequestPermit::new(act, request, deadline));
    Judgment { facts: allowed.into_iter().chain([intended]).collect(), effect: permit.map(Effect::SendRequest) }
}

fn rendered(question: &Question<'_>, run: &Run, spec: &HttpSpec) -> Result<Request, String> {
    let values = values::of_run(question.incident, run, question.playbook, question.policy);
    let url = spec.url.render(&values).map_err(|error| format!("http.url cannot be rendered: {error}"))?;
    let body = spec.body.as_ref().map(|body| body.render(&values)).transpose();
    let body = body.map_err(|error| format!("http.body cannot be rendered: {error}"))?;
    Ok(Request { method: spec.method, url, headers: spec.headers.clone(), body, expect: spec.expect.clone() })
}

/// What becomes of a request that was intended in a dry run, or whose answer the daemon did not live to hear. Whether it
/// was sent nobody knows, and it is never sent again.
pub(super) fn not_answered(intended: &RequestIntended) -> Fact {
    let error = || "sickbay stopped before the answer came; the request is not sent again".to_owned();
    let outcome = if intended.dry_run {
        RequestOutcome::Rehearsed
    } else if intended.method == "GET" {
        RequestOutcome::Failed { error: error() }
    } else {
        RequestOutcome::Unknown { error: error() }
    };
    Fact::RequestFinished(RequestFinished { act: intended.act, outcome })
}
