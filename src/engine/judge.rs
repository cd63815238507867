//! What the gates make of Docker's answer: a run begins, an action is permitted, or a refusal is recorded.

use super::effect::{ActionPermit, Effect};
use super::gate::{self, Question, refuse};
use super::incident::{Incident, Phase, Run};
use super::ruleset::Ruleset;
use super::state::State;
use super::{advance, attempts, values, witness};
use crate::model::action::{Action, TargetIdent, Vitals};
use crate::model::container::{Container, ContainerState, TargetReport, TargetView};
use crate::model::fact::{ActionIntended, Answer, Decided, Fact, Refusal, StepFinished, StepResult};
use crate::model::id::ActId;
use crate::model::incident::AttemptNumber;
use crate::model::moment::Moment;
use crate::model::reason::{Gate, Reason};
use crate::model::testimony::Heard;
use crate::playbook::definition::Playbook;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::time::Duration;

/// What is to be recorded, and done once that is durable.
#[derive(Debug, Default)]
pub(super) struct Judgment {
    /// In order.
    pub(super) facts: Vec<Fact>,
    /// At most one.
    pub(super) effect: Option<Effect>,
}

/// Judges what Docker said about the container an incident needs next, and Alertmanager about its alert.
pub(super) fn judge(
    state: &State,
    ruleset: &Ruleset,
    incident: &Incident,
    (report, heard): (Option<TargetReport>, Heard),
    now: &Moment,
) -> Judgment {
    let Some(playbook) = advance::playbook_of(incident, ruleset) else { return Judgment::default() };
    let seen = report.map(|report| view_of(report, (incident, playbook))).transpose();
    let (view, unseen) = match seen {
        Ok(view) => (view, None),
        Err(refusal) => (None, Some(refusal)),
    };
    let policy = &ruleset.policy;
    let testimony = heard.testimony();
    let question = Question { state, policy, playbook, incident, view: view.as_ref(), testimony, now };
    if attempts::too_early(incident, playbook, now) {
        return Judgment::default();
    }
    let Some(run) = incident.run() else {
        return match unseen {
            Some(refusal) => not_seen(&question, refusal),
            None => relapsed(&question, begin(&question)),
        };
    };
    // Asked first: whoever has acted waits for the end of a pause, whatever Docker says meanwhile.
    let paused = || gate::paused(&question).err();
    match (action_at(playbook, run), &view, unseen) {
        (Some(_), _, _) if run.has_acted() && paused().is_some() => held(&question, run, paused()),
        // Asked before the run began, perhaps twice. The question about the first act is still under way.
        (Some(_), _, _) if !run.has_acted() && heard == Heard::NotPut => Judgment::default(),
        (Some(_), _, Some(refusal)) => witness::ends_alert(&question, not_seen(&question, refusal)),
        (Some(action), Some(view), None) if run.at_dependents() => dependent(&question, run, &action, view),
        (Some(action), Some(view), None) => witness::ends_alert(&question, act(&question, run, action, view)),
        // An answer nobody waits for any more.
        (Some(_) | None, _, _) => Judgment::default(),
    }
}

/// Docker could not show the target: the gates before the target's have the first word all the same.
fn not_seen(question: &Question<'_>, unseen: Refusal) -> Judgment {
    let refusal = gate::before_target(question).err().unwrap_or(unseen);
    refused(question.incident, question.playbook, None, refusal)
}

/// A run that has acted waits before its next act. Told once for each pause.
fn held(question: &Question<'_>, run: &Run, paused: Option<Refusal>) -> Judgment {
    let known = |refusal: &Refusal| run.held.as_ref().is_some_and(|held| gate::same_pause(held, refusal));
    let target = run.next_to_act().cloned();
    let news = paused.filter(|refusal| !known(refusal));
    let facts = news.map(|refusal| decided(question.incident, target, Answer::Refused(refusal)));
    Judgment { facts: facts.into_iter().collect(), effect: None }
}

/// The one container meant, or why there is none.
fn view_of(report: TargetReport, (incident, playbook): (&Incident, &Playbook)) -> Result<TargetView, Refusal> {
    let planned = incident.run().and_then(|run| run.next_to_act()).map(|target| target.name.to_string());
    let meant = || advance::render_target(playbook, &values::of_alert(&incident.alert)).ok().flatten();
    let asked = planned.or_else(|| Some(meant()?.to_string())).unwrap_or_default();
    let no = |reason, detail: &str| refuse(Gate::Target, reason, detail).saw("target", &asked);
    Err(match report {
        TargetReport::Found(view) => return Ok(*view),
        TargetReport::Missing if incident.run().is_some() => {
            no(Reason::TargetChanged, "the container of the plan is gone")
        }
        TargetReport::Missing => no(Reason::TargetMissing, "no container matches the target"),
        TargetReport::Ambiguous(names) => {
            let listed = names.iter().take(5).map(String::as_str).collect::<Vec<_>>().join(", ");
            let detail = format!("{} containers match: {listed}", names.len());
            no(Reason::TargetAmbiguous, &detail).saw("matches", names.len()).saw("containers", listed)
        }
        TargetReport::Unavailable(error) => no(Reason::DockerUnavailable, &error),
        TargetReport::Denied(error) => no(Reason::DockerDenied, &error),
    })
}

/// Before the first step: all gates.
fn begin(question: &Question<'_>) -> Judgment {
    let target = question.view.map(|view| TargetIdent::from(&view.container));
    if let Err(refusal) = gate::ask(question) {
        return refused(question.incident, question.playbook, target, refusal);
    }
    let plan = target.as_ref().filter(|_| question.playbook.acts()).map(|target| plan_hash(question, target));
    let attempt = AttemptNumber { number: question.incident.attempt(), count: question.playbook.attempts.count() };
    let answer = Answer::Run { dry_run: question.dry_run(), plan, attempt };
    Judgment { facts: vec![decided(question.incident, target, answer)], effect: None }
}

/// A decision about a target that an earlier run had recovered not long ago: that recovery did not last.
fn relapsed(question: &Question<'_>, mut judgment: Judgment) -> Judgment {
    let target = question.view.map(|view| view.container.name.as_str());
    let acts = question.playbook.acts() && !question.dry_run() && !judgment.facts.is_empty();
    if let Some(target) = target.filter(|_| acts) {
        let (state, policy) = (question.state, question.policy);
        let relapse = super::breaker::relapse(state, policy, question.incident, target);
        judgment.facts.splice(0..0, relapse);
    }
    judgment
}

/// Right before the act: all gates again, on the very container of the plan.
fn act(question: &Question<'_>, run: &Run, action: Action, view: &TargetView) -> Judgment {
    let target = TargetIdent::from(&view.container);
    let incident = question.incident;
    if run.target.as_ref() != Some(&target) || run.plan.as_ref() != Some(&plan_hash(question, &target)) {
        let detail = "the container or the plan is not the one that was decided on";
        let mut refusal = refuse(Gate::Target, Reason::TargetChanged, detail);
        if let Some(planned) = &run.target {
            refusal = refusal.saw("planned", &planned.id).saw("planned_image", &planned.image_id);
        }
        let refusal = refusal.saw("found", &target.id).saw("found_image", &target.image_id);
        return refused(incident, question.playbook, Some(target), refusal);
    }
    if let Err(refusal) = gate::ask(question) {
        return refused(incident, question.playbook, Some(target), refusal);
    }
    if let Some(words) = already(run, &action, &view.container) {
        return not_needed(question, run, words);
    }
    // Those that lost their namespace with the run's own stop are owed a restart, whatever became of them since.
    let mut dependents = if run.stopped { run.dependents.clone() } else { Vec::new() };
    for dependent in gate::running_dependents(view).map(TargetIdent::from) {
        if dependents.iter().all(|known| known.id != dependent.id) {
            dependents.push(dependent);
        }
    }
    intend(question, run, action, (&view.container, dependents, false))
}

/// Whether the target is as the action wants it, so that nothing is sent. What the run itself stopped is started in any
/// case: a start of what runs changes nothing, and the dependents are owed their restart. A dry run stops nothing, so
/// there it is the plan that counts.
fn already(run: &Run, action: &Action, container: &Container) -> Option<String> {
    let (name, state) = (&container.name, container.state.as_str());
    match (action, &container.state) {
        (Action::Start, ContainerState::Running) if !run.stopped => {
            Some(format!("{name} is running, since {}", container.started_at))
        }
        (Action::Stop { .. }, ContainerState::Exited | ContainerState::Created) => {
            Some(format!("{name} is not running: it is {state}"))
        }
        (Action::Restart { .. } | Action::Start | Action::Stop { .. }, _) => None,
    }
}

fn not_needed(question: &Question<'_>, run: &Run, words: String) -> Judgment {
    let Some(step) = advance::steps_of(question.playbook, run).get(run.index) else { return Judgment::default() };
    let (incident, step) = (question.incident.id, advance::step_ref(run, step));
    let result = StepResult::NotNeeded(words);
    let fact = Fact::StepFinished(StepFinished { incident, step, elapsed: Duration::ZERO, result });
    Judgment { facts: vec![fact], effect: None }
}

/// A dependent of a target that is up again: its namespace is dead, so it is restarted if its owner still allows it.
fn dependent(question: &Question<'_>, run: &Run, action: &Action, view: &TargetView) -> Judgment {
    if run.next_to_act().is_none_or(|next| next.id != view.container.id) {
        // An answer about a container whose turn is over.
        return Judgment::default();
    }
    if let Err(refusal) = gate::may_restart_dependent(question, view) {
        return refused(question.incident, question.playbook, None, refusal);
    }
    let stop_timeout = match action {
        Action::Restart { stop_timeout } | Action::Stop { stop_timeout } => *stop_timeout,
        Action::Start => None,
    };
    intend(question, run, Action::Restart { stop_timeout }, (&view.container, Vec::new(), true))
}

fn intend(
    question: &Question<'_>,
    run: &Run,
    action: Action,
    (container, dependents, dependent): (&Container, Vec<TargetIdent>, bool),
) -> Judgment {
    let act: ActId = question.incident.next_act();
    let target = TargetIdent::from(container);
    let deadline = action.deadline(container.stop_timeout);
    let intended = ActionIntended {
        act,
        playbook: Arc::clone(&question.incident.playbook),
        action: action.clone(),
        target: target.clone(),
        pre: Vitals::from(container),
        deadline,
        plan: run.plan.clone().unwrap_or_default(),
        dependent,
        dependents,
        dry_run: run.dry_run,
        witness: question.testimony.cloned(),
    };
    let permit = (!run.dry_run).then(|| ActionPermit::new(act, action, target, deadline, intended.pre.clone()));
    Judgment { facts: vec![Fact::ActionIntended(intended)], effect: permit.map(Effect::RunAction) }
}

/// A refusal is recorded once: the same answer to the same question again changes nothing.
///
/// Before the first act, a refusal puts the run back to where the gates are asked again later. After it there is no way
/// back: what was begun has failed.
fn refused(incident: &Incident, playbook: &Playbook, target: Option<TargetIdent>, refusal: Refusal) -> Judgment {
    let same = |before: &Refusal| {
        before.reason == refusal.reason && (refusal.reason != Reason::Paused || gate::same_pause(before, &refusal))
    };
    let again = matches!(&incident.phase, Phase::Refused { refusal: before, .. } if same(before));
    if again {
        return Judgment::default();
    }
    let fact = match incident.run().filter(|run| !run.touched.is_empty()) {
        Some(run) => {
            let Some(step) = advance::steps_of(playbook, run).get(run.index) else { return Judgment::default() };
            let result = StepResult::Failed(format!("not done: {} ({})", refusal.detail, refusal.reason));
            let step = advance::step_ref(run, step);
            Fact::StepFinished(StepFinished { incident: incident.id, step, elapsed: Duration::ZERO, result })
        }
        None => decided(incident, target, Answer::Refused(refusal)),
    };
    Judgment { facts: vec![fact], effect: None }
}

/// A gate's answer, for the log.
pub(super) fn decided(incident: &Incident, target: Option<TargetIdent>, answer: Answer) -> Fact {
    let playbook = Arc::clone(&incident.playbook);
    Fact::Decided(Decided { incident: incident.id, playbook, target, answer })
}

/// What the step whose turn it is does, if it acts.
fn action_at(playbook: &Playbook, run: &Run) -> Option<Action> {
    if run.branch != crate::model::fact::Branch::Steps || !matches!(run.stage, super::incident::Stage::Ready) {
        return None;
    }
    advance::steps_of(playbook, run).get(run.index)?.verb.action()
}

/// What exactly is about to happen: any difference makes another hash.
fn plan_hash(question: &Question<'_>, target: &TargetIdent) -> String {
    let playbook = question.playbook;
    let mut hash = Sha256::new();
    for part in [target.id.as_str(), target.name.as_str(), &target.image_id, &playbook.name, &playbook.revision] {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hash.update(question.incident.id.to_string().as_bytes());
    hash.update([0]);
    hash.update(question.incident.attempt().to_be_bytes());
    hex::encode(hash.finalize())
}
