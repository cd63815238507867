//! What goes with any step, whatever it does: its `if`, its `timeout`, and `continue_on_error`.
//!
//! A step that acts is asked about right before its act, with the gates (`judge`); one that sends a request with what
//! holds it back (`step_asked`); every other one when its turn comes. Read [`first`] first.

use super::advance::{self, Move};
use super::condition_values;
use super::gate::{self, Question, Shown};
use super::incident::{Incident, Run, Stage};
use super::state::State;
use super::step_asked;
use crate::model::duration::format_duration;
use crate::model::fact::{Branch, Fact, StepFinished, StepMarked, StepRef, StepResult};
use crate::model::incident::Verdict;
use crate::model::moment::Moment;
use crate::model::pause::Pause;
use crate::model::step::StepMark;
use crate::playbook::condition::{Condition, Given};
use crate::playbook::definition::{Playbook, Step, Verb};
use std::time::Duration;

/// Values named in one sentence.
const NAMED_MAX: usize = 8;

/// What a step's `if` says.
enum Said {
    /// It is done.
    Yes(String),
    /// It is left out, or has failed.
    No(StepResult),
}

/// What comes before a step is begun: the question whether it is to be done at all, and how that turned out.
pub(super) fn first(
    incident: &Incident,
    run: &Run,
    (playbook, step): (&Playbook, &Step),
    now: &Moment,
) -> Option<Move> {
    let condition = step.condition.as_ref().filter(|_| run.stage == Stage::Ready && !run.allowed)?;
    if step.verb.acts() || matches!(step.verb, Verb::Http(_)) {
        return None;
    }
    if condition.looks_at_target() {
        return Some(Move::Do(step_asked::question(incident, run, step)));
    }
    let given = condition_values::of_step(incident, run, (playbook, Shown::default()), now);
    Some(Move::Record(recorded((incident, run, step), said(condition, &given))))
}

/// The answer about a step whose condition looks at the target, as Docker just showed it.
pub(super) fn answered(
    (incident, run, step): (&Incident, &Run, &Step),
    playbook: &Playbook,
    shown: Result<Shown<'_>, String>,
    now: &Moment,
) -> Option<Fact> {
    let condition = step.condition.as_ref()?;
    let said = match shown {
        Ok(shown) => said(condition, &condition_values::of_step(incident, run, (playbook, shown), now)),
        Err(unseen) => Said::No(StepResult::Failed(format!("its `if` has no answer: {unseen}"))),
    };
    Some(recorded((incident, run, step), said))
}

/// Asked right before an act, once the target is known to be the one of the plan: what is to be recorded before the
/// intent, if it has an `if`. While a pause holds the run nothing is asked: the gates will say so.
///
/// # Errors
/// The end of the step, if it is not to be done.
pub(super) fn before_act(question: &Question<'_>, run: &Run) -> Result<Option<Fact>, Box<Fact>> {
    let (incident, playbook) = (question.incident, question.playbook);
    let Some(step) = advance::steps_of(playbook, run).get(run.index) else { return Ok(None) };
    if step.condition.is_none() || gate::paused(question).is_err() {
        return Ok(None);
    }
    let fact = answered((incident, run, step), playbook, Ok(question.shown()), question.now);
    match fact {
        Some(ended @ Fact::StepFinished(_)) => Err(Box::new(ended)),
        Some(Fact::StepMarked(marked)) => {
            Ok(Some(Fact::StepMarked(StepMarked { witness: question.testimony.cloned(), ..marked })))
        }
        other => Ok(other),
    }
}

fn said(condition: &Condition, given: &Given) -> Said {
    let seen: Vec<String> =
        condition.seen(given).iter().take(NAMED_MAX).map(|(name, value)| format!("{name} is {value}")).collect();
    let seen = if seen.is_empty() { "it names no value".to_owned() } else { seen.join(", ") };
    match condition.evaluate(given) {
        Ok(true) => Said::Yes(format!("its `if` is true: {seen}")),
        Ok(false) => Said::No(StepResult::ConditionFalse(format!("its `if` is false: {seen}"))),
        Err(error) => Said::No(StepResult::Failed(format!("its `if` has no answer: {error}"))),
    }
}

fn recorded((incident, run, step): (&Incident, &Run, &Step), said: Said) -> Fact {
    match said {
        Said::Yes(detail) => {
            let step = advance::step_ref(run, step);
            let (look, witness) = (None, None);
            Fact::StepMarked(StepMarked { incident: incident.id, step, mark: StepMark::Allowed, detail, look, witness })
        }
        Said::No(result) => advance::finished(incident, run, step, (Duration::ZERO, result)),
    }
}

/// The record that a failed step is let pass, if it says so and has not counted yet. Where nobody knows what became of an
/// act there is nothing to go on with.
pub(super) fn let_pass(incident: &Incident, run: &Run, playbook: &Playbook) -> Option<Fact> {
    let failure = run.failure.as_ref().filter(|failure| !failure.counted && run.no_further.is_none())?;
    let at_its_end = (run.branch, run.index) == (Branch::OnFailure, 0) && run.stage == Stage::Ready;
    let understood = matches!(failure.verdict, Verdict::Failed | Verdict::Ineffective);
    let step = advance::work_of(playbook, incident).get(failure.index)?;
    let passes = at_its_end && understood && step.continue_on_error;
    passes.then(|| marked(incident, (failure.index, step), StepMark::Tolerated, &failure.error))
}

/// The record that a failure which was let pass is the run's own in the end.
pub(super) fn counted(incident: &Incident, run: &Run, playbook: &Playbook) -> Option<Fact> {
    let failure = run.tolerated.as_ref().filter(|_| matches!(run.branch, Branch::Steps | Branch::OnResolved))?;
    let step = advance::work_of(playbook, incident).get(failure.index)?;
    Some(marked(incident, (failure.index, step), StepMark::Counted, &failure.error))
}

fn marked(incident: &Incident, (index, step): (usize, &Step), mark: StepMark, error: &str) -> Fact {
    let branch = if incident.is_aftercare() { Branch::OnResolved } else { Branch::Steps };
    let step = StepRef { branch, index, id: step.id.clone(), verb: step.verb.word() };
    let (detail, look, witness) = (error.to_owned(), None, None);
    Fact::StepMarked(StepMarked { incident: incident.id, step, mark, detail, look, witness })
}

/// The end of a step that has no time left for its next dependent.
pub(super) fn too_late_for(question: &Question<'_>, run: &Run, name: &str) -> Option<Fact> {
    let step = advance::steps_of(question.playbook, run).get(run.index)?;
    let timeout = run.timed_out(step.timeout, *question.now)?;
    let result = StepResult::Failed(format!("timed out after {}: {name} was left alone", format_duration(timeout)));
    Some(advance::finished(question.incident, run, step, (run.took(*question.now), result)))
}

/// A playbook is paused by one of its runs: the pause, if nobody else has paused it already, and the end of the step.
/// What a person said, or another run, is left as it is: no run lets itself go on where somebody else holds it back.
pub(super) fn paused(
    state: &State,
    incident: &Incident,
    (pause, step): (Pause, StepRef),
    now: &Moment,
) -> (Option<Fact>, Fact) {
    let standing = state.pauses().of(&pause.scope).filter(|standing| !standing.is_over(now));
    let others = standing.filter(|standing| standing.pause.by != pause.by);
    let until = |length: Option<Duration>| {
        length
            .map_or_else(|| "until somebody resumes it".to_owned(), |length| format!("for {}", format_duration(length)))
    };
    let (words, set) = match others {
        Some(standing) => {
            let (by, left) = (&standing.pause.by, until(standing.remaining(now)));
            (format!("{} was paused by {by} already, {left}: left as it is", pause.scope), None)
        }
        None => (format!("{} is paused {}: {}", pause.scope, until(pause.length), pause.reason), Some(pause)),
    };
    let (incident, result) = (incident.id, StepResult::Paused(words));
    let finished = Fact::StepFinished(StepFinished { incident, step, elapsed: Duration::ZERO, result });
    (set.map(Fact::PauseSet), finished)
}
