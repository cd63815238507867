//! What comes next in an incident, from its state alone.
//!
//! The same function answers after each fact and at the start of the daemon: whatever was under way goes on, and an
//! action whose answer is missing is looked at, never sent again.

use super::effect::{Effect, Reconciliation};
use super::incident::{Incident, Phase, Run, Stage};
use super::ruleset::Ruleset;
use super::{attempts, gate, judge, values};
use crate::model::action::{ActionOutcome, Goal, TargetIdent};
use crate::model::fact::{
    ActionFinished, ActionIntended, Answer, Branch, Fact, IncidentClosed, NoticeIntended, Refusal, StepFinished,
    StepRef, StepResult, TargetVerified,
};
use crate::model::incident::Verdict;
use crate::model::label::Labels;
use crate::model::moment::Moment;
use crate::model::notice::Notice;
use crate::model::reason::{Gate, Reason};
use crate::model::target::{ContainerName, TargetQuery};
use crate::playbook::definition::{NotifySpec, Playbook, Step, TargetSpec, Verb, VerifySpec};
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
    match (&incident.phase, playbook) {
        (Phase::Running(run), _) => running(incident, run, playbook.map(|known| &**known), (now, resuming)),
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

/// The question that finds the incident's target.
pub(super) fn ask_target(incident: &Incident, playbook: &Playbook) -> Result<Effect, String> {
    let incident_id = incident.id;
    Ok(match render_target(playbook, &values::of_alert(&incident.alert))? {
        // Nothing is about to be done yet: Alertmanager is asked right before the first act.
        Some(query) => Effect::ResolveTarget { incident: incident_id, query, alert: None },
        None => Effect::SkipTarget { incident: incident_id },
    })
}

/// The question before the next act: the gates are asked once more, on the very container of the plan.
pub(super) fn ask_next(incident: &Incident, run: &Run) -> Option<Effect> {
    let query = TargetQuery::Id(run.next_to_act()?.id.clone());
    // What was begun is not left half done because its alert ended meanwhile.
    let alert = (!run.has_acted()).then(|| Arc::clone(&incident.alert));
    Some(Effect::ResolveTarget { incident: incident.id, query, alert })
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
        refusal = refusal.saw(key, template.source());
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
    let query = match &playbook.target {
        None => return Ok(None),
        Some(TargetSpec::Container(template)) => {
            let name = template.render(values).map_err(|error| format!("target.container: {error}"))?;
            let name = ContainerName::parse(name.trim()).map_err(|error| format!("target.container: {error}"))?;
            TargetQuery::Name(name)
        }
        Some(TargetSpec::Compose { project, service }) => {
            let render = |template: &crate::playbook::template::Template, key: &str| {
                let text = template.render(values).map_err(|error| format!("target.compose.{key}: {error}"))?;
                match ContainerName::parse(text.trim()) {
                    Ok(name) => Ok(name.as_str().to_owned()),
                    Err(error) => Err(format!("target.compose.{key}: {error}")),
                }
            };
            TargetQuery::Compose { project: render(project, "project")?, service: render(service, "service")? }
        }
    };
    Ok(Some(query))
}

fn running(incident: &Incident, run: &Run, playbook: Option<&Playbook>, (now, resuming): (&Moment, bool)) -> Move {
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
            Move::Do(Effect::SendNotice { notice: intended.notice.clone(), repeat: true })
        }
        Stage::Telling { .. } => Move::Rest,
        Stage::AwaitingAlert(seen) if incident.alert_ended => {
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
        Stage::Ready | Stage::Told(_) => {
            if let Some(ended) = attempts::ended(incident, run) {
                return Move::Record(ended);
            }
            let Some(playbook) = playbook else {
                return Move::Record(playbook_changed(incident));
            };
            match steps_of(playbook, run).get(run.index) {
                Some(step) => begin(incident, run, (playbook, step), now),
                None => Move::Record(over(incident, run)),
            }
        }
    }
}

/// How long a verify step waits for the alert to end where the playbook does not say: Alertmanager tells the end of an
/// alert with the next notification of its group (`group_interval`, 5 minutes by default).
const ALERT_WITHIN: Duration = Duration::from_secs(600);

/// How long a verify step still waits for its alert.
pub(super) fn alert_remaining(playbook: Option<&Playbook>, run: &Run, now: &Moment) -> Duration {
    let within = match playbook.and_then(|playbook| steps_of(playbook, run).get(run.index)).map(|step| &step.verb) {
        Some(Verb::Verify(spec)) => spec.within.unwrap_or(ALERT_WITHIN),
        Some(Verb::Capture(_) | Verb::Restart(_) | Verb::Start | Verb::Stop(_) | Verb::Wait(_) | Verb::Notify(_))
        | None => ALERT_WITHIN,
    };
    now.remaining(&run.since, within)
}

/// The steps the run is at.
pub(super) fn steps_of<'a>(playbook: &'a Playbook, run: &Run) -> &'a [Step] {
    match run.branch {
        Branch::Steps => playbook.attempts.steps(run.attempt.number),
        Branch::OnFailure => &playbook.on_failure,
    }
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
        Some(Verb::Verify(VerifySpec { alert_resolved: true, .. }))
    );
    let result = match (&run.stage, result) {
        (Stage::AwaitingAlert(seen), StepResult::Waited) => {
            StepResult::NotVerified(format!("{seen}, but its alert still fires"))
        }
        (Stage::Ready, StepResult::Verified(detail)) if waits_for_alert && !incident.alert_ended => {
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
    Effect::Reconcile(Reconciliation {
        act: intended.act,
        action: intended.action.clone(),
        target: intended.target.clone(),
        pre: intended.pre.clone(),
        // Docker goes on after its client is gone: only after the deadline does looking tell.
        settle: now.remaining(since, intended.deadline),
    })
}

/// Begins a step, or goes on with one that was begun.
fn begin(incident: &Incident, run: &Run, (playbook, step): (&Playbook, &Step), now: &Moment) -> Move {
    let (id, index) = (incident.id, run.index);
    match &step.verb {
        Verb::Capture(spec) => match &run.target {
            Some(target) => {
                Move::Do(Effect::Capture { incident: id, index, target: target.clone(), spec: spec.clone() })
            }
            None => Move::Record(finished(incident, run, step, (Duration::ZERO, StepResult::Skipped))),
        },
        // Whoever ends the pause asks again, and so does a start.
        Verb::Restart(_) | Verb::Start | Verb::Stop(_) if run.held.is_some() => Move::Rest,
        Verb::Restart(_) | Verb::Start | Verb::Stop(_) => match ask_next(incident, run) {
            Some(question) => Move::Do(question),
            None => {
                let detail = "the playbook acts, but has no target".to_owned();
                Move::Record(closed(incident, Verdict::Abandoned, None, detail))
            }
        },
        Verb::Verify(spec) => {
            if run.dry_run || run.target.is_none() {
                return Move::Record(finished(incident, run, step, (Duration::ZERO, StepResult::Skipped)));
            }
            let mut watched = run.touched.clone();
            if watched.is_empty() {
                // Nothing had to be done: it is to stay as the last action wanted it.
                let last = steps_of(playbook, run).iter().take(run.index).rev().find_map(|step| step.verb.action());
                let goal = last.map_or(Goal::Up, |action| action.goal());
                let untouched =
                    |target: &TargetIdent| super::effect::Watched { target: target.clone(), before: None, goal };
                watched.extend(run.target.iter().map(untouched));
            }
            let already = now.since(&run.since);
            Move::Do(Effect::Verify { incident: id, index, watched, spec: spec.clone(), already })
        }
        Verb::Wait(span) => {
            Move::Do(Effect::Sleep { incident: id, index, remaining: now.remaining(&run.since, *span) })
        }
        Verb::Notify(spec) => notify(incident, run, (playbook, step, spec), now),
    }
}

/// The next of a notify step's messages. Its intent is recorded before it is sent.
fn notify(
    incident: &Incident,
    run: &Run,
    (playbook, step, spec): (&Playbook, &Step, &NotifySpec),
    now: &Moment,
) -> Move {
    let told = if let Stage::Told(told) = run.stage { told } else { 0 };
    let Some(notifier) = spec.to.get(told) else {
        return Move::Record(finished(incident, run, step, (now.since(&run.since), StepResult::Notified)));
    };
    let values = values::of_run(incident, run, playbook);
    let target = run.target.as_ref().map(|target| target.name.to_string());
    let render = |template: &crate::playbook::template::Template| {
        template.render(&values).unwrap_or_else(|error| {
            format!("(the message of playbook {} could not be rendered: {error})", playbook.name)
        })
    };
    let about = target.clone().unwrap_or_else(|| incident.alert.labels.value("alertname").to_owned());
    let title = spec.title.as_ref().map_or_else(|| format!("{}: {about}{}", playbook.name, tries(run)), render);
    let mark = if run.dry_run { "[dry run] " } else { "" };
    let notice = Notice {
        act: incident.next_act(),
        notifier: notifier.clone(),
        severity: spec.severity.clone(),
        title: format!("{mark}{title}"),
        message: format!("{mark}{}", render(&spec.message)),
        playbook: playbook.name.to_string(),
        target,
        dry_run: run.dry_run,
    };
    let effect = Effect::SendNotice { notice: notice.clone(), repeat: false };
    Move::RecordAndDo(Fact::NoticeIntended(NoticeIntended { notice }), effect)
}

/// How many tries were made, where there is more than one.
fn tries(run: &Run) -> String {
    let attempt = run.attempt;
    match run.branch {
        _ if !attempt.is_one_of_several() => String::new(),
        Branch::Steps => format!(" (try {attempt})"),
        Branch::OnFailure => format!(" (after {attempt} tries)"),
    }
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
