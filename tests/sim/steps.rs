//! What must hold of steps with an `if`, of requests to other systems, and of playbooks that pause themselves.

use crate::invariants::{Verdict, state_before};
use crate::witness::Witness;
use sickbay::model::fact::{Fact, Record, RequestIntended, StepResult};
use sickbay::model::id::IncidentId;
use sickbay::model::step::StepMark;
use sickbay::playbook::definition::{Playbook, Step};
use sickbay::sim::clock::SimTime;
use sickbay::sim::world::World;

/// The steps of the try that an incident is at.
fn steps_of(witness: &Witness, incident: IncidentId) -> (Option<&Playbook>, &[Step]) {
    let taker = witness.playbook(incident);
    (taker.map(|taker| &**taker), witness.work_of(incident))
}

/// A step that acts, with an `if` about the target's state, acts only on a target in such a state, and never after the
/// record that it is left out.
pub(crate) fn a_step_whose_if_is_false_never_acts(
    witness: &Witness,
    _: &World,
    record: &Record,
    _: SimTime,
) -> Verdict {
    let Fact::ActionIntended(intended) = &record.fact else { return Ok(()) };
    if intended.dependent {
        return Ok(());
    }
    let incident = intended.act.incident;
    let (_, steps) = steps_of(witness, incident);
    let (allowed, left_out) = (witness.allowed.get(&incident), witness.left_out.get(&incident));
    // The step whose turn it is: the first that acts and is neither done nor left out.
    let done = witness.acted_at.get(&incident);
    let past = |index: usize| {
        done.is_some_and(|done| done.contains(&index)) || left_out.is_some_and(|out| out.contains(&index))
    };
    let turn = steps.iter().enumerate().find(|(index, step)| step.verb.acts() && !past(*index));
    let Some((index, step)) = turn else {
        return Err(format!("{} acts although every step that acts is done or left out", intended.act));
    };
    let Some(condition) = &step.condition else { return Ok(()) };
    if allowed.is_none_or(|allowed| *allowed != index) {
        return Err(format!("{} acts in step {index}, and nothing says that its `if` is true", intended.act));
    }
    if condition.source() == "target.state == \"running\"" && state_before(intended) != "running" {
        return Err(format!(
            "{} acts on what is {}, and its `if` wants it running",
            intended.act,
            state_before(intended)
        ));
    }
    Ok(())
}

/// An http step's intent comes only where its own playbook has such a step, no pause covers it, and its alert fires.
pub(crate) fn no_request_that_is_held_back(witness: &Witness, _: &World, record: &Record, _: SimTime) -> Verdict {
    let Fact::RequestIntended(intended) = &record.fact else { return Ok(()) };
    let RequestIntended { act, playbook, .. } = intended;
    if witness.requested.contains(&witness.place_of(intended)) {
        return Err(format!("{act} is the second request of one step"));
    }
    let run = witness.runs.get(&act.incident);
    let over = |name: &str| run.is_some_and(|run| run.is_about(name));
    if let Some(scope) = witness.pause_over((act.incident, playbook), over) {
        return Err(format!("{act} is sent while {scope} is paused"));
    }
    if witness.ended_alerts.contains(&act.incident) && run.is_some_and(|run| !run.is_past_return()) {
        return Err(format!("{act} is sent although its alert had ended"));
    }
    Ok(())
}

/// Each request is sent at most once, after its intent is durable, and never in a dry run.
pub(crate) fn no_request_is_sent_twice_or_before_its_intent_is_durable(_: &Witness, world: &World) -> Verdict {
    let requests = &world.seen.requests;
    for (place, sent) in requests.iter().enumerate() {
        if requests.iter().take(place).any(|before| before.act == sent.act) {
            return Err(format!("the request {} was sent twice", sent.act));
        }
        let durable = world.disk().records().iter().take_while(|record| record.seq < sent.durable);
        let intended = |record: &Record| matches!(&record.fact, Fact::RequestIntended(intended) if intended.act == sent.act && !intended.dry_run);
        if !durable.into_iter().any(intended) {
            return Err(format!("the request {} was sent and its intent was not durable", sent.act));
        }
    }
    Ok(())
}

/// Only what nobody needs to understand is let pass, and a step is let pass only if it says so.
pub(crate) fn only_what_its_step_tolerates_is_tolerated(
    witness: &Witness,
    _: &World,
    record: &Record,
    _: SimTime,
) -> Verdict {
    let Fact::StepMarked(marked) = &record.fact else { return Ok(()) };
    let (_, steps) = steps_of(witness, marked.incident);
    let step = steps.get(marked.step.index);
    match marked.mark {
        StepMark::Allowed => Ok(()),
        StepMark::Tolerated | StepMark::Counted if step.is_some_and(|step| step.continue_on_error) => Ok(()),
        StepMark::Tolerated | StepMark::Counted => {
            Err(format!("{} goes on after step {}, which does not say so", marked.incident, marked.step.index))
        }
    }
}

/// A run that began a step at most so long ago has not gone over its time: what takes longer has failed.
pub(crate) fn no_act_comes_back_well_after_its_time(
    witness: &Witness,
    world: &World,
    record: &Record,
    now: SimTime,
) -> Verdict {
    // The step after one that acted begins only if that one came back in time.
    let Fact::StepFinished(finished) = &record.fact else { return Ok(()) };
    let Some((index, began, timeout)) = witness.timed.get(&finished.incident) else { return Ok(()) };
    let good = !matches!(finished.result, StepResult::Failed(_));
    let of_next = finished.step.index == index + 1
        && matches!(
            finished.step.branch,
            sickbay::model::fact::Branch::Steps | sickbay::model::fact::Branch::OnResolved
        );
    // How long a machine was without power nobody can tell afterwards.
    let told = !witness.slept && world.clock().boots() < 2;
    let came_back = witness.came_back.get(&finished.incident).copied().unwrap_or(now);
    if good && of_next && told && *timeout + std::time::Duration::from_secs(1) < came_back.since(*began) {
        return Err(format!("{} went on although step {index} had no time left", finished.incident));
    }
    Ok(())
}
