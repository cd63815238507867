//! What the gates make of Docker's answer: a run begins, an action is permitted, or a refusal is recorded.

use super::effect::{ActionPermit, Effect};
use super::gate::{self, Question, Shown, refuse};
use super::incident::{Incident, Phase, Run};
use super::limits::{self, Aim};
use super::ruleset::Ruleset;
use super::state::State;
use super::{advance, approval, attempts, look, step_rules, treat, values, witness};
use crate::model::action::{Action, TargetIdent, TargetVitals};
use crate::model::container::{Container, ContainerState, TargetReport, TargetView};
use crate::model::fact::{ActionIntended, Answer, Decided, Fact, Refusal, StepFinished, StepResult};
use crate::model::host::{Host, HostName};
use crate::model::id::ActId;
use crate::model::incident::AttemptNumber;
use crate::model::moment::Moment;
use crate::model::owner;
use crate::model::policy::Policy;
use crate::model::reason::{Gate, Reason};
use crate::model::testimony::Heard;
use crate::playbook::definition::{Playbook, Verb};
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

/// By which name a refusal tells what was looked for.
pub(super) const ASKED: &str = "target";

/// Judges what Docker said about the container an incident needs next, and Alertmanager about its alert.
pub(super) fn judge(
    state: &State,
    ruleset: &Ruleset,
    incident: &Incident,
    (report, heard): (Option<TargetReport>, Heard),
    now: &Moment,
) -> Judgment {
    let Some(playbook) = advance::playbook_of(incident, ruleset) else { return Judgment::default() };
    let seen = report.as_ref().map(|report| view_of(report, (incident, playbook), &ruleset.policy)).transpose();
    let (Shown { view, service }, unseen) = match seen {
        Ok(shown) => (shown.unwrap_or_default(), None),
        Err(refusal) => (Shown::default(), Some(refusal)),
    };
    let policy = &ruleset.policy;
    let testimony = heard.testimony();
    let question = Question { state, policy, playbook, incident, view, service, testimony, now };
    let mut judgment = answer(&question, (&heard, unseen));
    if let Some(report) = report.filter(|_| !judgment.facts.is_empty()) {
        look::keep(report, playbook, &mut judgment.facts);
    }
    judgment
}

/// What the gates say, whose turn it is.
fn answer(question: &Question<'_>, (heard, unseen): (&Heard, Option<Refusal>)) -> Judgment {
    let Question { playbook, incident, view, service, now, .. } = *question;
    // While people are asked, an answer is one to an earlier question.
    if attempts::too_early(incident, playbook, now) || incident.waits_for_people() {
        return Judgment::default();
    }
    let Some(run) = incident.run() else {
        return match unseen {
            Some(refusal) => not_seen(question, refusal),
            None => relapsed(question, begin(question)),
        };
    };
    // Asked first: whoever has acted waits for the end of a pause, whatever Docker says meanwhile.
    let paused = || gate::paused(question).err();
    match (verb_at(playbook, run), unseen) {
        (Some(_), _) if run.has_acted() && paused().is_some() => held(question, run, paused()),
        // Asked before the run began, perhaps twice. The question about the first act is still under way.
        (Some(_), _) if !run.has_acted() && *heard == Heard::NotPut => Judgment::default(),
        (Some(_), Some(refusal)) => witness::ends_alert(question, not_seen(question, refusal)),
        (Some(verb), None) => match (view, service) {
            (Some(view), _) if run.at_dependents() => dependent(question, run, verb, view),
            (Some(view), _) => witness::ends_alert(question, act(question, run, verb, view)),
            (None, Some(service)) => witness::ends_alert(question, treat::act(question, run, verb, service)),
            (None, None) => Judgment::default(),
        },
        // An answer nobody waits for any more.
        (None, _) => Judgment::default(),
    }
}

/// Docker could not show the target: the gates before the target's have the first word all the same.
fn not_seen(question: &Question<'_>, unseen: Refusal) -> Judgment {
    let refusal = gate::before_target(question).err().unwrap_or(unseen);
    refused(question.incident, question.playbook, None, refusal)
}

/// A run that has acted waits before its next act. Told once for each pause.
pub(super) fn held(question: &Question<'_>, run: &Run, paused: Option<Refusal>) -> Judgment {
    let known = |refusal: &Refusal| run.held.as_ref().is_some_and(|held| gate::same_pause(held, refusal));
    let target = run.next_to_act().cloned();
    let news = paused.filter(|refusal| !known(refusal));
    let facts = news.map(|refusal| decided(question.incident, target, Answer::Refused(refusal)));
    Judgment { facts: facts.into_iter().collect(), effect: None }
}

/// The one container meant, or why there is none.
pub(super) fn view_of<'a>(
    report: &'a TargetReport,
    (incident, playbook): (&Incident, &Playbook),
    policy: &Policy,
) -> Result<Shown<'a>, Refusal> {
    let planned = incident.run().and_then(|run| run.next_to_act()).map(|target| target.name.to_string());
    let meant = || advance::render_target(playbook, &values::of_alert(&incident.alert)).ok().flatten();
    let own = || incident.origin.as_ref()?.left.container.as_ref().map(ToString::to_string);
    let asked = planned.or_else(own).or_else(|| Some(meant()?.to_string())).unwrap_or_default();
    let no = |reason, detail: &str| refuse(Gate::Target, reason, detail).saw(ASKED, &asked);
    Err(match report {
        TargetReport::Found(view) | TargetReport::Several { first: view, .. } => {
            return Ok(Shown { view: Some(view), service: None });
        }
        TargetReport::FoundService(service) => return Ok(Shown { view: None, service: Some(service) }),
        TargetReport::Missing if incident.run().is_some() => no(Reason::TargetChanged, gone(playbook)),
        TargetReport::Missing => no(Reason::TargetMissing, &nothing(&asked, (playbook, policy), incident.host())),
        TargetReport::Ambiguous(names) => {
            let listed = names.iter().take(5).map(String::as_str).collect::<Vec<_>>().join(", ");
            let detail = format!("{} containers match: {listed}", names.len());
            no(Reason::TargetAmbiguous, &detail).saw("matches", names.len()).saw("containers", listed)
        }
        TargetReport::Unavailable(error) => no(Reason::DockerUnavailable, error),
        TargetReport::Denied(error) => no(Reason::DockerDenied, error),
        TargetReport::NoManager(words) => {
            let detail = format!("the Docker host does not manage a swarm: {words}");
            no(Reason::NoSwarmManager, &detail).saw("error", words)
        }
    })
}

/// What is no longer there.
fn gone(playbook: &Playbook) -> &'static str {
    if playbook.treats_a_service() { "the service of the plan is gone" } else { "the container of the plan is gone" }
}

/// What was not found, and where if there are several hosts.
fn nothing(asked: &str, (playbook, policy): (&Playbook, &Policy), host: &Host) -> String {
    let name = host.name().map(HostName::as_str).or_else(|| policy.hosts.first().map(String::as_str));
    let at = name.filter(|_| 1 < policy.hosts.len()).map(|name| format!(" on the host {name}")).unwrap_or_default();
    let kind = if playbook.treats_a_service() { "service" } else { "container" };
    match asked {
        "" => format!("no {kind} matches the target{at}"),
        asked if asked.contains(' ') => format!("no {kind} matches the target: Docker knows no {asked}{at}"),
        name => format!("no {kind} matches the target: Docker knows no {kind} {name}{at}"),
    }
}

/// Before the first step: all gates.
fn begin(question: &Question<'_>) -> Judgment {
    let target = question.target();
    if let Err(refusal) = gate::ask(question) {
        return refused(question.incident, question.playbook, target, refusal);
    }
    // What follows the end of an alert belongs to a run that people have agreed to.
    let asks = question.playbook.approval.as_ref().filter(|_| !question.incident.is_aftercare());
    if let Some(judgment) = asks.and_then(|spec| approval::before_run(question, spec, target.as_ref())) {
        return judgment;
    }
    let plan = target.as_ref().filter(|_| question.acts()).map(|target| plan_hash(question, Some(target)));
    let attempt = if question.incident.is_aftercare() {
        AttemptNumber::ONLY
    } else {
        AttemptNumber { number: question.incident.attempt(), count: question.playbook.attempts.count() }
    };
    let key = gate::limit_key(question.playbook, &question.incident.alert.labels).unwrap_or_default();
    let answer = Answer::Run { dry_run: question.dry_run(), plan, attempt, key };
    Judgment { facts: vec![decided(question.incident, target, answer)], effect: None }
}

/// A decision about a target that an earlier run had recovered not long ago: that recovery did not last.
fn relapsed(question: &Question<'_>, mut judgment: Judgment) -> Judgment {
    let target = question.target().map(|target| target.name);
    let acts = question.acts() && !question.dry_run() && !judgment.facts.is_empty();
    // What follows the end of an alert does not show that anything fell ill again.
    let acts = acts && !question.incident.is_aftercare();
    if let Some(target) = target.filter(|_| acts) {
        let (state, policy) = (question.state, question.policy);
        let relapse = super::breaker::relapse(state, policy, question.incident, target.as_str());
        judgment.facts.splice(0..0, relapse);
    }
    judgment
}

/// The target is not the one that the gates said yes to.
pub(super) fn changed(detail: &str, run: &Run, found: &TargetIdent) -> Refusal {
    let mut refusal = refuse(Gate::Target, Reason::TargetChanged, detail);
    if let Some(planned) = &run.target {
        refusal = refusal.saw("planned", &planned.id).saw("planned_image", &planned.image_id);
        refusal = refusal.saw("planned_name", &planned.name);
    }
    refusal.saw("found", &found.id).saw("found_image", &found.image_id).saw("found_name", &found.name)
}

/// Right before the act: all gates again, on the very container of the plan.
fn act(question: &Question<'_>, run: &Run, verb: &Verb, view: &TargetView) -> Judgment {
    let target = TargetIdent::from(&view.container).on(question.host());
    let incident = question.incident;
    if run.target.as_ref() != Some(&target) || run.plan != Some(plan_hash(question, Some(&target))) {
        let refusal = changed("the container or the plan is not the one that was decided on", run, &target);
        return refused(incident, question.playbook, Some(target), refusal);
    }
    // A step that is not to be done needs no gate's leave; while it is paused, not even that is found out.
    let allowed = match step_rules::before_act(question, run) {
        Ok(allowed) => allowed,
        Err(ended) => return Judgment { facts: vec![*ended], effect: None },
    };
    if let Err(refusal) = gate::ask(question) {
        return refused(incident, question.playbook, Some(target), refusal);
    }
    let action = match exact(question, verb, &view.container) {
        Ok(Step::Do(action)) => action,
        Ok(Step::NotNeeded(words)) => return not_needed(question, run, words),
        Err((reason, detail)) => {
            let refusal = refuse(Gate::Target, reason, detail).saw("container", &view.container.name);
            return refused(incident, question.playbook, Some(target), refusal);
        }
    };
    if let Some(words) = already(run, &action, &view.container) {
        return not_needed(question, run, words);
    }
    if let Action::UpdateLimits(_) = action {
        // Nothing stops, so nothing that lives in its namespaces is lost.
        let mut judgment = intend(question, run, action, (&view.container, Vec::new(), false));
        judgment.facts.splice(0..0, allowed);
        return judgment;
    }
    // Those that lost their namespace with the run's own stop are owed a restart, whatever became of them since.
    let mut dependents = if run.stopped { run.dependents.clone() } else { Vec::new() };
    for dependent in gate::running_dependents(view) {
        let dependent = TargetIdent::from(dependent).on(question.host());
        if dependents.iter().all(|known| known.id != dependent.id) {
            dependents.push(dependent);
        }
    }
    let mut judgment = intend(question, run, action, (&view.container, dependents, false));
    judgment.facts.splice(0..0, allowed);
    judgment
}

/// What a step comes to.
enum Step {
    Do(Action),
    NotNeeded(String),
}

/// The action with its numbers, from this very look.
fn exact(question: &Question<'_>, verb: &Verb, container: &Container) -> Result<Step, (Reason, String)> {
    if let Verb::UpdateLimits(spec) = verb {
        return Ok(match limits::aim(question, spec, container)? {
            Aim::Change(change) => Step::Do(Action::UpdateLimits(change)),
            Aim::NotNeeded(words) => Step::NotNeeded(words),
        });
    }
    let misfit = || (Reason::TargetInvalid, format!("`{}` is not for a container", verb.word()));
    let action = verb.action().map(|action| action.with_grace(owner::stop_timeout(&container.labels)));
    action.map(Step::Do).ok_or_else(misfit)
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
        (
            Action::Restart { .. } | Action::Start | Action::Stop { .. } | Action::UpdateLimits(_) | Action::Service(_),
            _,
        ) => None,
    }
}

pub(super) fn not_needed(question: &Question<'_>, run: &Run, words: String) -> Judgment {
    let Some(step) = advance::steps_of(question.playbook, run).get(run.index) else { return Judgment::default() };
    let (incident, step) = (question.incident.id, advance::step_ref(run, step));
    let result = StepResult::NotNeeded(words);
    let fact = Fact::StepFinished(StepFinished { incident, step, elapsed: Duration::ZERO, result });
    Judgment { facts: vec![fact], effect: None }
}

/// A dependent of a target that is up again: its namespace is dead, so it is restarted if its owner still allows it.
fn dependent(question: &Question<'_>, run: &Run, verb: &Verb, view: &TargetView) -> Judgment {
    if run.next_to_act().is_none_or(|next| next.id.container() != Some(&view.container.id)) {
        // An answer about a container whose turn is over.
        return Judgment::default();
    }
    if let Err(refusal) = gate::may_restart_dependent(question, view) {
        return refused(question.incident, question.playbook, None, refusal);
    }
    if let Some(late) = step_rules::too_late_for(question, run, view.container.name.as_str()) {
        return Judgment { facts: vec![late], effect: None };
    }
    let stop_timeout = match verb.action() {
        Some(Action::Restart { stop_timeout } | Action::Stop { stop_timeout }) => stop_timeout,
        Some(Action::Start | Action::UpdateLimits(_) | Action::Service(_)) | None => None,
    };
    let restart = Action::Restart { stop_timeout }.with_grace(owner::stop_timeout(&view.container.labels));
    intend(question, run, restart, (&view.container, Vec::new(), true))
}

fn intend(
    question: &Question<'_>,
    run: &Run,
    action: Action,
    (container, dependents, dependent): (&Container, Vec<TargetIdent>, bool),
) -> Judgment {
    let act: ActId = question.incident.next_act();
    let target = TargetIdent::from(container).on(question.host());
    let deadline = action.deadline(container.stop_timeout);
    let intended = ActionIntended {
        act,
        playbook: Arc::clone(&question.incident.playbook),
        action: action.clone(),
        target: target.clone(),
        pre: TargetVitals::from(container),
        deadline,
        timeout: advance::steps_of(question.playbook, run).get(run.index).and_then(|step| step.timeout),
        plan: run.plan.clone().unwrap_or_default(),
        dependent,
        dependents,
        dry_run: run.dry_run,
        witness: question.testimony.cloned(),
        look: None,
    };
    let permit = (!run.dry_run).then(|| ActionPermit::new(act, action, target, deadline, intended.pre.clone()));
    Judgment { facts: vec![Fact::ActionIntended(intended)], effect: permit.map(Effect::RunAction) }
}

/// A refusal is recorded once: the same answer to the same question again changes nothing.
///
/// Before the first act, a refusal puts the run back to where the gates are asked again later. After it there is no way
/// back: what was begun has failed.
pub(super) fn refused(
    incident: &Incident,
    playbook: &Playbook,
    target: Option<TargetIdent>,
    refusal: Refusal,
) -> Judgment {
    let same = |before: &Refusal| {
        before.reason == refusal.reason && (refusal.reason != Reason::Paused || gate::same_pause(before, &refusal))
    };
    let again = matches!(&incident.phase, Phase::Refused { refusal: before, .. } if same(before));
    if again {
        return Judgment::default();
    }
    let fact = match incident.run().filter(|run| run.is_past_return()) {
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
    Fact::Decided(Decided { incident: incident.id, playbook, target, answer, look: None })
}

/// What the step whose turn it is does, if it acts.
fn verb_at<'a>(playbook: &'a Playbook, run: &Run) -> Option<&'a Verb> {
    if run.branch == crate::model::fact::Branch::OnFailure || !matches!(run.stage, super::incident::Stage::Ready) {
        return None;
    }
    Some(&advance::steps_of(playbook, run).get(run.index)?.verb).filter(|verb| verb.acts())
}

/// What exactly is about to happen: any difference makes another hash.
pub(super) fn plan_hash(question: &Question<'_>, target: Option<&TargetIdent>) -> String {
    let playbook = question.playbook;
    let template = question.service.map(|service| treat::planned(question.incident, service).1).unwrap_or_default();
    let mut hash = Sha256::new();
    let id = target.map(|target| target.id.to_string()).unwrap_or_default();
    let own = target.map_or([""; 2], |target| [target.name.as_str(), &target.image_id]);
    for part in std::iter::once(&*id).chain(own).chain([&*playbook.name, &*playbook.revision]) {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    // Nobody agrees to an act by agreeing to its rehearsal.
    if question.dry_run() {
        hash.update(b"dry run\0");
    }
    if !template.is_empty() {
        hash.update(template.as_bytes());
        hash.update([0]);
    }
    if let Some(terms) = terms_of_requests(question, target) {
        hash.update(terms.as_bytes());
        hash.update([0]);
    }
    for image in treat::images(question) {
        hash.update(image.as_bytes());
        hash.update([0]);
    }
    hash.update(question.incident.id.to_string().as_bytes());
    hash.update([0]);
    hash.update(question.incident.attempt().to_be_bytes());
    hex::encode(hash.finalize())
}

/// Each request as it would be sent, if the incident's work has any.
fn terms_of_requests(question: &Question<'_>, target: Option<&TargetIdent>) -> Option<String> {
    let Question { incident, playbook, policy, now, .. } = *question;
    let attempt = AttemptNumber { number: incident.attempt(), count: playbook.attempts.count() };
    let about = approval::About { target, attempt, dry_run: question.dry_run() };
    let steps = advance::work_of(playbook, incident);
    approval::Terms { incident, playbook, policy }.of_requests(about, steps, now)
}
