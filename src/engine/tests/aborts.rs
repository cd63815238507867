//! A person ends an incident: before anything is done, while people are asked, between acts, and never while an answer is
//! awaited.

use super::approvals::{asked, gated};
use super::stage::{Stage, ladder};
use super::world::*;
use crate::engine::event::Event;
use crate::engine::receipt::{AlertAnswer, Reply, Switched};
use crate::model::fact::{Fact, IncidentClosed, StepResult};
use crate::model::id::{IncidentId, Seq};
use crate::model::incident::Verdict;
use crate::model::reason::Reason;

fn abort(stage: &mut Stage, incident: IncidentId) -> Switched {
    let (by, reason) = ("ada".to_owned(), "wrong one".to_owned());
    stage.world.feed(Event::AbortRequested { incident, by, reason });
    let Reply::Switched(switched) = stage.world.reply.clone() else { panic!("{:?}", stage.world.reply) };
    switched
}

fn closed(stage: &Stage) -> IncidentClosed {
    let Some(Fact::IncidentClosed(closed)) = stage.world.log.last().map(|record| record.fact.clone()) else {
        panic!("{:?}", stage.world.kinds(0))
    };
    closed
}

#[test]
fn what_people_are_asked_about_ends_with_its_incident_and_nothing_is_done() {
    let mut stage = asked(gated(2));
    let before = stage.world.log.len();
    let switched = abort(&mut stage, IncidentId(Seq(0)));
    assert!(matches!(switched, Switched::Aborted { verdict: Verdict::Cancelled, .. }), "{switched:?}");
    assert_eq!(stage.world.kinds(before), ["approval.cancelled", "incident.closed"]);
    let end = closed(&stage);
    assert_eq!((end.reason, &*end.detail), (Some(Reason::Aborted), "ada aborted it: wrong one; nothing was done"));
    stage.rest();
    assert!(stage.actions.is_empty());
    // The same episode is not brought up again, and what has ended cannot be ended again.
    let receipt = stage.world.fire(firing(0));
    assert_eq!(receipt.answer, AlertAnswer::Duplicate);
    assert!(matches!(abort(&mut stage, IncidentId(Seq(0))), Switched::NoSuchIncident(_)));
}

#[test]
fn while_an_answer_is_awaited_nothing_can_be_ended_and_afterwards_no_step_follows() {
    let mut stage = Stage::new(restarting());
    stage.world.fire(firing(stage.world.now_s));
    stage.rest_but_acts();
    let effect = stage.world.effects.pop().unwrap();
    let (id, before) = (IncidentId(Seq(0)), stage.world.log.len());
    assert_eq!(abort(&mut stage, id), Switched::ActUnderWay(id));
    assert_eq!(stage.world.log.len(), before);
    // The act comes back; the verify step is under way.
    let crate::engine::effect::Effect::RunAction(permit) = effect else { panic!("{effect:?}") };
    let outcome = crate::model::action::ActionOutcome::Succeeded { post: None };
    stage.world.feed(Event::ActionReturned { act: permit.redeem().act, outcome });
    assert!(matches!(abort(&mut stage, id), Switched::Aborted { verdict: Verdict::Abandoned, .. }));
    assert_eq!(closed(&stage).detail, "ada aborted it: wrong one; the steps that were left are not done");
    let before = stage.world.log.len();
    stage.world.step(id, 2, StepResult::Verified("well".into()));
    assert_eq!(stage.world.log.len(), before, "what comes back later changes nothing");
}

#[test]
fn between_two_tries_it_ends_without_the_next() {
    let mut stage = Stage::between(ladder());
    let actions = stage.actions.len();
    assert!(matches!(abort(&mut stage, IncidentId(Seq(0))), Switched::Aborted { verdict: Verdict::Abandoned, .. }));
    stage.world.now_s += 3600;
    stage.world.feed(Event::Ticked);
    stage.rest();
    assert_eq!(stage.actions.len(), actions);
    assert!(matches!(abort(&mut stage, IncidentId(Seq(99))), Switched::NoSuchIncident(_)));
}
