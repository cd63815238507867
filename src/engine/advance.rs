//! What comes next in an incident, from its state alone.
//!
//! The same function answers after each fact and at the start of the daemon: whatever was under way goes on, and an
//! action whose answer is missing is looked at, never sent again.

use super::effect::{Effect, LookCloser, Reconciliation, TimeLeft, Watched, WatchedService};
use super::incident::{Incident, Phase, Run, Stage};
use super::ruleset::Ruleset;
use super::{approval, attempts, gate, judge, limits, step_asked, step_rules, telling, values};
use crate::model::action::{ActionOutcome, Goal};
use crate::model::fact::{
    ActionFinished, ActionIntended, Answer, Branch, Cause, Fact, IncidentClosed, Origin, Refusal, StepFinished,
    StepRef, StepResult, TargetVerified,
};
use crate::model::incident::Verdict;
use crate::model::label::Labels;
use crate::model::moment::Moment;
use crate::model::pause::Pause;
use crate::model::policy::Policy;
use crate::model::reason::{Gate, Reason};
use crate::model::target::{ComposeService, ContainerName, Selector, TargetId, TargetQuery};
use crate::playbook::definition::{Playbook, ReplicasGoal, Step, TargetSpec, Verb, Which};
use crate::playbook::template::Template;
use minijinja::Value;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// The next move of an incident.
#[expect(clippy::large_enum_variant, reason = "it lives for one turn of a loop, and a box would cost each turn")]
pub(super) enum Move {
    /// Something can be recorded at once; ask again afterwards.
    Record(Fact),
    /// Something must be done outside; its result is an event.
    Do(Effect),
    /// An intent is recorded, then carried out.
    RecordAndDo(Fact, Effect),
    /// Its playbook is paused by this step.
    Pause(Pause, StepRef),
    /// Nothing, until an event comes.
    Rest,
}

/// The playbook in the very revision that took the alert, if that still counts.
///
/// What has begun, further tries included, ends by what it began with. What has not does not begin by a text that is no
/// longer loaded: whoever changed, removed or disabled the playbook does not want that text to run.
pub(super) fn playbook_of<'a>(incident: &Incident, ruleset: &'a Ruleset) -> Option<&'a Arc<Playbook>> {
    let (name, revision) = (&incident.playbook, &incident.revision);
    if incident.has_begun() { ruleset.revision(name, revision) } else { ruleset.loaded(name, revision) }
}

/// What comes next. `resuming` is true at the start of the daemon, when whatever was sent may have been done.
pub(super) fn next_move(incident: &Incident, ruleset: &Ruleset, now: &Moment, resuming: bool) -> Move {
    let playbook = playbook_of(incident, ruleset);
    let over = || approval::moot(incident, playbook.map(|known| &**known));
    if let Some(settled) = approval::settled(incident, now).or_else(over) {
        return Move::Record(settled);
    }
    match (&incident.phase, playbook) {
        (Phase::AwaitingTarget | Phase::Refused { .. }, _) if incident.is_aftercare() => {
            not_begun_afterwards(incident, playbook.map(|known| &**known))
        }
        (Phase::Running(run), _) => {
            let knows = (playbook.map(|known| &**known), &ruleset.policy);
            running(incident, run, knows, (now, resuming))
        }
        (Phase::AwaitingApproval, _) => {
            approval::next_move(incident, (playbook.map(|known| &**known), &ruleset.policy), (now, resuming))
        }
        (Phase::AwaitingTarget, _) if incident.alert_ended => {
            let detail = "the alert ended before anything was done".to_owned();
            Move::Record(closed(incident, Verdict::Cancelled, Some(Reason::ResolvedFirst), detail))
        }
        (Phase::Refused { refusal, .. }, _) if incident.alert_ended => {
            let nothing = || {
                let detail = "the alert ended; nothing was done".to_owned();
                closed(incident, Verdict::Cancelled, Some(refusal.reason), detail)
            };
            Move::Record(attempts::ended_between(incident, Some(refusal.reason)).unwrap_or_else(nothing))
        }
        (Phase::BetweenTries, _) => match attempts::ended_between(incident, None).filter(|_| incident.alert_ended) {
            Some(closed) => Move::Record(closed),
            None => attempts::next_move(incident, ruleset, now),
        },
        (Phase::AwaitingTarget | Phase::Refused { .. }, None) => Move::Record(playbook_changed(incident)),
        (Phase::AwaitingTarget, Some(playbook)) => match ask_target(incident, playbook) {
            Ok(effect) => Move::Do(effect),
            // The daemon died before the refusal was recorded.
            Err(detail) => Move::Record(target_invalid((incident, playbook), detail)),
        },
        (Phase::Refused { .. }, Some(_)) => Move::Rest,
    }
}

/// The next move of what follows the end of an alert, before its run begins. It ends when the alert fires again, and when
/// it has waited for too long.
fn not_begun_afterwards(incident: &Incident, playbook: Option<&Playbook>) -> Move {
    let given_up = |reason: Reason, detail: &str| {
        Move::Record(closed(incident, Verdict::Cancelled, Some(reason), format!("{detail}; nothing was done")))
    };
    if incident.is_called_off() {
        return given_up(Reason::AlertFiresAgain, "the alert fires again");
    }
    let Some(playbook) = playbook else { return Move::Record(playbook_changed(incident)) };
    let Phase::Refused { refusal, .. } = &incident.phase else {
        return match ask_target(incident, playbook) {
            Ok(effect) => Move::Do(effect),
            Err(detail) => Move::Record(target_invalid((incident, playbook), detail)),
        };
    };
    // From the same alert and the same text never comes another name.
    if matches!(refusal.reason, Reason::AlertFiresAgain | Reason::StaleAlert | Reason::TargetInvalid) {
        return given_up(refusal.reason, &refusal.detail);
    }
    Move::Rest
}

/// The question that finds the incident's target.
pub(super) fn ask_target(incident: &Incident, playbook: &Playbook) -> Result<Effect, String> {
    let (incident_id, host) = (incident.id, incident.host().clone());
    let memory = limits::asks_for_memory(incident, playbook);
    let closer = approval::closer(incident, playbook);
    if let Some(Origin { cause: Cause::FurtherTarget(container), .. }) = incident.origin.as_deref() {
        let query = TargetQuery::Id(container.clone());
        return Ok(Effect::ResolveTarget { incident: incident_id, host, query, alert: None, memory, closer });
    }
    Ok(match render_target(playbook, &values::of_alert(&incident.alert))?.map(|query| one_of(incident, query)) {
        // Nothing is about to be done yet: Alertmanager is asked right before the first act.
        Some(query) => Effect::ResolveTarget { incident: incident_id, host, query, alert: None, memory, closer },
        None => Effect::SkipTarget { incident: incident_id },
    })
}

/// The question about what a selector matches, narrowed to what is the incident's own.
fn one_of(incident: &Incident, query: TargetQuery) -> TargetQuery {
    let TargetQuery::Selector(selector) = query else { return query };
    let tried = incident.tried.as_ref().and_then(|tried| tried.run.target.as_ref()?.container_name());
    let left = || incident.origin.as_ref().and_then(|origin| origin.left.container.clone());
    let (only, besides) = (tried.or_else(left), incident.further.clone());
    TargetQuery::Selector(Selector { only, besides, ..selector })
}

/// The question about the very thing that a plan was made for.
pub(super) fn query_of(id: &TargetId) -> TargetQuery {
    match id {
        TargetId::Container(id) => TargetQuery::Id(id.clone()),
        TargetId::Swarm(id) => TargetQuery::ServiceId(id.clone()),
        TargetId::Compose(service) => TargetQuery::ComposeService(service.clone()),
    }
}

/// The question before the next act: the gates are asked once more, on the very container of the plan.
pub(super) fn ask_next(incident: &Incident, run: &Run, playbook: &Playbook) -> Option<Effect> {
    let step = steps_of(playbook, run).get(run.index);
    if let Some(step) = step.filter(|step| !step.verb.acts()) {
        return Some(step_asked::question(incident, run, step));
    }
    let query = query_of(&run.next_to_act()?.id);
    // What was begun is not left half done because its alert ended meanwhile.
    let alert = (!run.has_acted()).then(|| Arc::clone(&incident.alert));
    let (host, memory) = (incident.host().clone(), limits::asks_for_memory(incident, playbook));
    Some(Effect::ResolveTarget { incident: incident.id, host, query, alert, memory, closer: LookCloser::No })
}

/// The alert names no container that could be asked for.
pub(super) fn target_invalid((incident, playbook): (&Incident, &Playbook), detail: String) -> Fact {
    judge::decided(incident, None, Answer::Refused(not_rendered(playbook, &incident.alert.labels, detail)))
}

/// The refusal where a target cannot be rendered from these labels.
pub(super) fn not_rendered(playbook: &Playbook, labels: &Labels, detail: String) -> Refusal {
    let mut refusal = gate::refuse(Gate::Target, Reason::TargetInvalid, detail);
    let mut names = BTreeSet::new();
    for (key, template) in playbook.target.iter().flat_map(TargetSpec::templates) {
        refusal = refusal.saw(&key, template.source());
        names.extend(template.references());
    }
    for name in names {
        if let Some(label) = name.strip_prefix("labels.") {
            refusal = refusal.saw(&name, labels.get(label).unwrap_or("(absent)"));
        }
    }
    refusal
}

/// Renders and validates the target; the error says what to correct.
pub(super) fn render_target(playbook: &Playbook, values: &Value) -> Result<Option<TargetQuery>, String> {
    let query = match playbook.target.as_ref().map(|target| &target.which) {
        None => return Ok(None),
        Some(Which::Container(template)) => {
            let name = template.render(values).map_err(|error| format!("target.container: {error}"))?;
            let name = ContainerName::parse(name.trim()).map_err(|error| format!("target.container: {error}"))?;
            TargetQuery::Name(name)
        }
        Some(Which::Compose { project, service }) => {
            let render = |template: &Template, key: &str| {
                let text = template.render(values).map_err(|error| format!("target.compose.{key}: {error}"))?;
                ContainerName::parse(text.trim()).map_err(|error| format!("target.compose.{key}: {error}"))
            };
            let (project, service) = (render(project, "project")?, render(service, "service")?);
            if playbook.treats_a_service() {
                TargetQuery::ComposeService(ComposeService { project, service })
            } else {
                let (project, service) = (project.as_str().to_owned(), service.as_str().to_owned());
                TargetQuery::Compose { project, service }
            }
        }
        Some(Which::Service(template)) => {
            let name = template.render(values).map_err(|error| format!("target.service: {error}"))?;
            let name = ContainerName::parse(name.trim()).map_err(|error| format!("target.service: {error}"))?;
            TargetQuery::Service(name)
        }
        Some(Which::Selector { labels, max }) => {
            let render = |(label, template): &(String, Template)| {
                let text = template.render(values).map_err(|error| format!("target.selector[{label:?}]: {error}"))?;
                match text.trim() {
                    "" => Err(format!("target.selector[{label:?}]: it is empty")),
                    value => Ok((label.clone(), value.to_owned())),
                }
            };
            let labels = labels.iter().map(render).collect::<Result<_, String>>()?;
            TargetQuery::Selector(Selector { labels, max: *max, only: None, besides: Vec::new() })
        }
    };
    Ok(Some(query))
}

fn running(
    incident: &Incident,
    run: &Run,
    (playbook, policy): (Option<&Playbook>, &Policy),
    (now, resuming): (&Moment, bool),
) -> Move {
    match &run.stage {
        Stage::Acting(intended, _) if intended.dry_run => {
            let outcome = ActionOutcome::Rehearsed;
            Move::Record(Fact::ActionFinished(ActionFinished { act: intended.act, outcome }))
        }
        // Whether the call was sent before the daemon stopped, only looking can tell.
        Stage::Acting(intended, since) if resuming => Move::Do(reconcile(intended, since, now)),
        Stage::Acting(..) => Move::Rest,
        Stage::InDoubt(intended, since) => Move::Do(reconcile(intended, since, now)),
        Stage::Telling { intended, .. } if resuming => {
            let step = playbook.and_then(|playbook| steps_of(playbook, run).get(run.index));
            let within = step.and_then(|step| time_left(run, step, now));
            Move::Do(Effect::SendNotice { notice: intended.notice.clone(), repeat: true, asks: None, within })
        }
        Stage::Telling { .. } => Move::Rest,
        Stage::Requesting(intended, _) if intended.dry_run || resuming => {
            Move::Record(step_asked::not_answered(intended))
        }
        Stage::Requesting(..) => Move::Rest,
        Stage::AwaitingAlert(seen) if incident.alert_is_over() => {
            let seen = format!("{seen}; its alert ended");
            after_alert(incident, (run, playbook), StepResult::Verified(seen), now)
        }
        // Whatever becomes of the alert, nobody knows any more what would come after the step.
        Stage::AwaitingAlert(_) if playbook.is_none() => Move::Record(playbook_changed(incident)),
        Stage::AwaitingAlert(_) => Move::Do(Effect::AwaitAlert {
            incident: incident.id,
            index: run.index,
            alert: Arc::clone(&incident.alert),
            remaining: alert_remaining(playbook, run, now),
        }),
        Stage::AwaitingApproval => approval::next_in_step(incident, run, (playbook, policy), (now, resuming)),
        // What would be told is gone with the text; how it ended is not.
        Stage::Ready | Stage::Told(_) if run.branch == Branch::OnDenied && playbook.is_none() => {
            Move::Record(approval::not_agreed(incident))
        }
        Stage::Ready | Stage::Told(_) if is_called_off_in_time(incident, run) => {
            let detail = "the alert fires again before anything was done".to_owned();
            Move::Record(closed(incident, Verdict::Cancelled, Some(Reason::AlertFiresAgain), detail))
        }
        Stage::Ready | Stage::Told(_) => {
            if let Some(passed) = playbook.and_then(|playbook| step_rules::let_pass(incident, run, playbook)) {
                return Move::Record(passed);
            }
            if let Some(ended) = attempts::ended(incident, run) {
                return Move::Record(ended);
            }
            let Some(playbook) = playbook else {
                return Move::Record(playbook_changed(incident));
            };
            match steps_of(playbook, run).get(run.index) {
                Some(step) => {
                    let first = step_rules::first(incident, run, (playbook, step), now);
                    first.unwrap_or_else(|| begin(incident, run, (playbook, step), (policy, now)))
                }
                None => {
                    Move::Record(step_rules::counted(incident, run, playbook).unwrap_or_else(|| over(incident, run)))
                }
            }
        }
    }
}

/// Whether the alert whose end the run follows fires again before its first act.
fn is_called_off_in_time(incident: &Incident, run: &Run) -> bool {
    incident.is_aftercare() && incident.is_called_off() && !run.has_acted() && run.failure.is_none()
}

/// How long a verify step waits for the alert to end where the playbook does not say: Alertmanager tells the end of an
/// alert with the next notification of its group (`group_interval`, 5 minutes by default).
const ALERT_WITHIN: Duration = Duration::from_secs(600);

/// How long a verify step still waits for its alert.
pub(super) fn alert_remaining(playbook: Option<&Playbook>, run: &Run, now: &Moment) -> Duration {
    let within = match playbook.and_then(|playbook| steps_of(playbook, run).get(run.index)).map(|step| &step.verb) {
        Some(Verb::Verify(step)) => step.spec.within.unwrap_or(ALERT_WITHIN),
        Some(
            Verb::Capture(_)
            | Verb::Restart(_)
            | Verb::Start
            | Verb::Stop(_)
            | Verb::Scale(_)
            | Verb::Rollback(_)
            | Verb::UpdateLimits(_)
            | Verb::Wait(_)
            | Verb::Notify(_)
            | Verb::Http(_)
            | Verb::Approve(_)
            | Verb::PausePlaybook(_),
        )
        | None => ALERT_WITHIN,
    };
    now.remaining(&run.since, within)
}

/// The steps the run is at.
pub(super) fn steps_of<'a>(playbook: &'a Playbook, run: &Run) -> &'a [Step] {
    match run.branch {
        Branch::Steps => playbook.attempts.steps(run.attempt.number),
        Branch::OnFailure => &playbook.on_failure,
        Branch::OnResolved => &playbook.on_resolved,
        Branch::OnDenied => &playbook.on_denied,
    }
}

/// What an incident is there to do: a try of its playbook, or `on_resolved`.
pub(super) fn work_of<'a>(playbook: &'a Playbook, incident: &Incident) -> &'a [Step] {
    if incident.is_aftercare() { &playbook.on_resolved } else { playbook.attempts.steps(incident.attempt()) }
}

/// Whether that changes something.
pub(super) fn acts(playbook: &Playbook, incident: &Incident) -> bool {
    if incident.is_aftercare() { playbook.on_resolved.iter().any(|step| step.verb.acts()) } else { playbook.acts() }
}

/// The end of a verify step that waited for its alert.
fn after_alert(
    incident: &Incident,
    (run, playbook): (&Run, Option<&Playbook>),
    result: StepResult,
    now: &Moment,
) -> Move {
    match playbook.and_then(|playbook| steps_of(playbook, run).get(run.index)) {
        Some(step) => Move::Record(finished(incident, run, step, (now.since(&run.since), result))),
        None => Move::Record(playbook_changed(incident)),
    }
}

/// What a step that came to its end outside makes of it: for a verify step that also wants the alert to end, the target's
/// recovery is half of the way.
pub(super) fn step_fact(
    incident: &Incident,
    (playbook, run): (&Playbook, &Run),
    (step, elapsed, result): (StepRef, Duration, StepResult),
) -> Fact {
    let waits_for_alert = matches!(
        steps_of(playbook, run).get(run.index).map(|step| &step.verb),
        Some(Verb::Verify(step)) if step.spec.alert_resolved
    );
    let result = match (&run.stage, result) {
        (Stage::AwaitingAlert(seen), StepResult::Waited) => {
            StepResult::NotVerified(format!("{seen}, but its alert still fires"))
        }
        (Stage::Ready, StepResult::Verified(detail)) if waits_for_alert && !incident.alert_is_over() => {
            return Fact::TargetVerified(TargetVerified { incident: incident.id, step, elapsed, detail });
        }
        (_, result) => result,
    };
    Fact::StepFinished(StepFinished { incident: incident.id, step, elapsed, result })
}

pub(super) fn playbook_changed(incident: &Incident) -> Fact {
    let (name, revision) = (&incident.playbook, &incident.revision);
    let detail = if incident.has_begun() {
        format!("the playbook {name} is no longer loaded in revision {revision}")
    } else {
        format!("the playbook {name} was changed, removed or disabled before anything was done")
    };
    closed(incident, Verdict::Abandoned, Some(Reason::PlaybookChanged), detail)
}

fn reconcile(intended: &ActionIntended, since: &Moment, now: &Moment) -> Effect {
    let call = intended.action.last_call((&intended.target.id, &intended.pre), intended.deadline);
    Effect::Reconcile(Reconciliation {
        act: intended.act,
        action: intended.action.clone(),
        target: intended.target.clone(),
        pre: intended.pre.clone(),
        // Docker goes on after its client is gone: only after the deadline does looking tell.
        settle: now.remaining(since, intended.deadline).min(call),
        call,
    })
}

/// Begins a step, or goes on with one that was begun.
fn begin(
    incident: &Incident,
    run: &Run,
    (playbook, step): (&Playbook, &Step),
    (policy, now): (&Policy, &Moment),
) -> Move {
    let (id, index) = (incident.id, run.index);
    match &step.verb {
        Verb::Capture(spec) => match &run.target {
            Some(target) => {
                let (target, within) = (target.clone(), time_left(run, step, now));
                Move::Do(Effect::Capture { incident: id, index, target, spec: spec.clone(), within })
            }
            None => Move::Record(finished(incident, run, step, (Duration::ZERO, StepResult::Skipped))),
        },
        // Whoever ends the pause asks again, and so does a start.
        Verb::Http(_) if run.held.is_some() => Move::Rest,
        verb if verb.acts() && run.held.is_some() => Move::Rest,
        Verb::Restart(_)
        | Verb::Start
        | Verb::Stop(_)
        | Verb::Scale(_)
        | Verb::Rollback(_)
        | Verb::UpdateLimits(_)
        | Verb::Http(_) => match ask_next(incident, run, playbook) {
            Some(question) => Move::Do(question),
            None => {
                let detail = "the playbook acts, but has no target".to_owned();
                Move::Record(closed(incident, Verdict::Abandoned, None, detail))
            }
        },
        Verb::Verify(verify) => {
            let Some(target) = run.target.as_ref().filter(|_| !run.dry_run) else {
                return Move::Record(finished(incident, run, step, (Duration::ZERO, StepResult::Skipped)));
            };
            if target.id.container().is_none() {
                let (target, done) = (target.clone(), run.done_to_service.clone());
                let watched = WatchedService { target, done, goal: verify.replicas.unwrap_or(ReplicasGoal::All) };
                let (spec, already) = (verify.spec.clone(), now.since(&run.since));
                return Move::Do(Effect::VerifyService { incident: id, index, watched, spec, already });
            }
            let url = verify.http.as_ref().map(|url| url.render(&values::of_run(incident, run, playbook, policy)));
            let http = match url.transpose() {
                Ok(http) => http,
                Err(error) => {
                    let result = StepResult::Failed(format!("verify.http cannot be rendered: {error}"));
                    return Move::Record(finished(incident, run, step, (Duration::ZERO, result)));
                }
            };
            let mut watched = run.touched.clone();
            if watched.is_empty() {
                // Nothing had to be done: it is to stay as the last action wanted it.
                let last = steps_of(playbook, run).iter().take(run.index).rev().find_map(|step| step.verb.action());
                let goal = last.map_or(Goal::Up, |action| action.goal());
                watched.push(Watched { target: target.clone(), before: None, goal, limits: None });
            }
            let already = now.since(&run.since);
            Move::Do(Effect::Verify { incident: id, index, watched, spec: verify.spec.clone(), http, already })
        }
        Verb::Wait(span) => {
            Move::Do(Effect::Sleep { incident: id, index, remaining: now.remaining(&run.since, *span) })
        }
        Verb::Notify(spec) => telling::notify(incident, run, (playbook, step, spec), (policy, now)),
        Verb::PausePlaybook(spec) => telling::pause_playbook(incident, run, (playbook, step, spec), policy),
        Verb::Approve(spec) => {
            Move::Record(approval::before_steps((incident, run), (playbook, step, spec), (policy, now)))
        }
    }
}

/// How much of its `timeout` a step has left that asks nobody before it begins.
pub(super) fn time_left(run: &Run, step: &Step, now: &Moment) -> Option<TimeLeft> {
    step.timeout.map(|timeout| TimeLeft { timeout, left: now.remaining(&run.since, timeout) })
}

/// The end of a step.
pub(super) fn finished(incident: &Incident, run: &Run, step: &Step, (elapsed, result): (Duration, StepResult)) -> Fact {
    let step = step_ref(run, step);
    Fact::StepFinished(StepFinished { incident: incident.id, step, elapsed, result })
}

/// A step's place, for the log.
pub(super) fn step_ref(run: &Run, step: &Step) -> StepRef {
    StepRef { branch: run.branch, index: run.index, id: step.id.clone(), verb: step.verb.word() }
}

/// All steps are done: the verdict.
fn over(incident: &Incident, run: &Run) -> Fact {
    if run.branch == Branch::OnDenied {
        return approval::not_agreed(incident);
    }
    if let Some((verdict, words)) = attempts::verdict(run) {
        let detail =
            run.no_further.map_or_else(|| words.clone(), |reason| format!("{words}; no further try: {reason}"));
        return closed(incident, verdict, run.no_further, detail);
    }
    if run.dry_run {
        let detail = "dry run: nothing was changed, so nothing could recover by it".to_owned();
        return closed(incident, Verdict::Unknown, Some(Reason::DryRun), detail);
    }
    if run.verified {
        return closed(incident, Verdict::Recovered, None, "verified after the last action".to_owned());
    }
    let detail = "no step checked whether the target recovered".to_owned();
    closed(incident, Verdict::Unknown, Some(Reason::NotVerified), detail)
}

/// The end of an incident.
pub(super) fn closed(incident: &Incident, verdict: Verdict, reason: Option<Reason>, detail: String) -> Fact {
    Fact::IncidentClosed(IncidentClosed { incident: incident.id, verdict, reason, detail })
}
