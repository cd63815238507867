//! Alertmanager as a second witness: what its word ends, and what no word ends.

use super::stage::{COOLDOWN_S, Stage, ladder};
use super::world::{World, container, firing, first, found, resolved, restarting};
use crate::engine::effect::Effect;
use crate::engine::event::Event;
use crate::model::action::ActionOutcome;
use crate::model::alert::Alert;
use crate::model::fact::{Answer, Fact, StepResult};
use crate::model::id::IncidentId;
use crate::model::reason::{Gate, Reason};
use crate::model::target::TargetQuery;
use crate::model::testimony::{Heard, Says, Testimony};
use crate::playbook::definition::{Playbook, Verb, VerifySpec, VerifyStep};
use std::time::Duration;

fn says(says: Says) -> Testimony {
    Testimony { says, detail: "am:9093 was asked".to_owned() }
}

/// capture, restart, and a verify that wants the alert to end within 5 minutes.
fn until_resolved() -> Playbook {
    let mut playbook = Playbook { on_failure: Vec::new(), ..restarting() };
    let within = Some(Duration::from_secs(300));
    playbook.attempts.first.steps[2].verb = Verb::Verify(VerifyStep {
        spec: VerifySpec { alert_resolved: true, within, ..VerifySpec::default() },
        ..VerifyStep::default()
    });
    playbook
}

/// A run whose capture is done: the question before its restart is out.
fn before_the_act(playbook: Playbook) -> (World, IncidentId, Alert) {
    let mut world = World::new(vec![playbook]);
    let alert = firing(world.now_s);
    let incident = world.fire(alert.clone()).incident.unwrap();
    assert!(matches!(&world.effects[..], [Effect::ResolveTarget { alert: None, .. }]), "nothing is about to be done");
    world.docker(incident, found(container("web")));
    world.step(incident, 0, StepResult::Captured(serde_json::Value::Null));
    (world, incident, alert)
}

fn witnessed(world: &mut World, incident: IncidentId, heard: Heard) {
    let report = found(container("web"));
    world.feed(Event::TargetResolved { incident, report, evidence: None, heard });
}

fn waits_for_its_alert() -> (World, IncidentId, Alert) {
    let (mut world, incident, alert) = before_the_act(until_resolved());
    witnessed(&mut world, incident, Heard::Nobody);
    let act = world.permitted().unwrap();
    world.feed(Event::ActionReturned { act, outcome: ActionOutcome::Succeeded { post: None } });
    world.now_s += 20;
    world.step(incident, 2, StepResult::Verified("well".to_owned()));
    (world, incident, alert)
}

fn last_intent(world: &World) -> Option<&Option<Testimony>> {
    world.log.iter().rev().find_map(|record| match &record.fact {
        Fact::ActionIntended(intended) => Some(&intended.witness),
        _ => None,
    })
}

#[test]
fn alertmanager_is_asked_right_before_the_first_act_and_for_no_later_one() {
    let (mut world, incident, alert) = before_the_act(restarting());
    let [Effect::ResolveTarget { query: TargetQuery::Id(_), alert: Some(asked), .. }] = &world.effects[..] else {
        panic!("{:?}", world.effects)
    };
    assert_eq!((asked.fingerprint, &asked.labels), (alert.fingerprint, &alert.labels));
    witnessed(&mut world, incident, Heard::Said(says(Says::Firing)));
    assert!(world.permitted().is_some());

    let mut twice = restarting();
    twice.attempts.first.steps.insert(2, twice.attempts.first.steps[1].clone());
    let (mut world, incident, _) = before_the_act(twice);
    witnessed(&mut world, incident, Heard::Nobody);
    let act = world.permitted().unwrap();
    world.feed(Event::ActionReturned { act, outcome: ActionOutcome::Succeeded { post: None } });
    assert!(matches!(&world.effects[..], [Effect::ResolveTarget { alert: None, .. }]), "{:?}", world.effects);
}

#[test]
fn an_alert_that_alertmanager_says_has_ended_is_not_acted_on_and_its_incident_ends() {
    let (mut world, incident, alert) = before_the_act(restarting());
    let before = world.log.len();
    witnessed(&mut world, incident, Heard::Said(says(Says::NotFiring)));
    assert!(world.effects.is_empty(), "{:?}", world.effects);
    assert_eq!(world.kinds(before), ["decision", "alert.ended", "incident.closed"]);
    assert_eq!(world.verdict(), Some(("cancelled", Some(Reason::ResolvedFirst))));
    let Fact::Decided(decided) = &world.log[before].fact else { panic!() };
    let Answer::Refused(refusal) = &decided.answer else { panic!() };
    assert_eq!((refusal.gate, refusal.reason), (Gate::Fresh, Reason::ResolvedFirst));
    let inputs: Vec<(&str, &str)> = refusal.inputs.iter().map(|(name, value)| (&**name, &**value)).collect();
    assert_eq!(inputs, [("alert", "not_firing"), ("witness", "am:9093 was asked")]);
    assert_eq!(world.replayed(world.log.len()), world.state);

    // The notification that says so too is news to nobody; one that says otherwise opens it again.
    let before = world.log.len();
    world.fire(resolved(&alert, world.now_s));
    assert_eq!(world.kinds(before), Vec::<&str>::new());
    assert!(world.fire(alert).incident.is_some_and(|again| again != incident));
}

#[test]
fn a_witness_that_cannot_tell_refuses_nothing_and_is_quoted_in_the_intent() {
    for testimony in [says(Says::CannotTell), says(Says::Firing)] {
        let (mut world, incident, _) = before_the_act(restarting());
        witnessed(&mut world, incident, Heard::Said(testimony.clone()));
        assert!(world.permitted().is_some(), "{testimony:?}");
        assert_eq!(last_intent(&world), Some(&Some(testimony)));
    }
    let (mut world, incident, _) = before_the_act(restarting());
    witnessed(&mut world, incident, Heard::Nobody);
    assert_eq!(last_intent(&world), Some(&None), "nobody was asked");
}

#[test]
fn an_alert_that_alertmanager_says_has_ended_counts_as_resolved_for_the_run_that_waits() {
    let (mut world, incident, _) = waits_for_its_alert();
    let Effect::AwaitAlert { remaining, index: 2, .. } = &world.effects[0] else { panic!("{:?}", world.effects) };
    assert_eq!(*remaining, Duration::from_secs(280));
    // Not yet, and nobody can tell: it is asked again, and nothing is recorded.
    for (testimony, left) in [(says(Says::Firing), 265), (says(Says::CannotTell), 250)] {
        world.now_s += 15;
        let before = world.log.len();
        world.feed(Event::AlertWitnessed { incident, index: 2, testimony });
        assert_eq!(world.log.len(), before);
        let [Effect::AwaitAlert { remaining, .. }] = &world.effects[..] else { panic!("{:?}", world.effects) };
        assert_eq!(*remaining, Duration::from_secs(left));
    }
    world.now_s += 15;
    let before = world.log.len();
    // An answer about another step is nobody's.
    world.feed(Event::AlertWitnessed { incident, index: 1, testimony: says(Says::NotFiring) });
    assert_eq!(world.log.len(), before);
    world.feed(Event::AlertWitnessed { incident, index: 2, testimony: says(Says::NotFiring) });
    assert_eq!(world.kinds(before)[..2], ["alert.ended", "step.finished"]);
    assert_eq!(world.verdict(), Some(("recovered", None)));
    assert_eq!(world.replayed(world.log.len()), world.state);
}

#[test]
fn a_resolved_notification_still_counts_and_a_late_answer_changes_nothing_more() {
    let (mut world, incident, alert) = waits_for_its_alert();
    world.fire(resolved(&alert, world.now_s));
    assert_eq!(world.verdict(), Some(("recovered", None)));
    let before = world.log.len();
    world.feed(Event::AlertWitnessed { incident, index: 2, testimony: says(Says::NotFiring) });
    assert_eq!(world.log.len(), before);
}

#[test]
fn a_run_gives_up_on_its_alert_in_time_whatever_the_witness_says() {
    for (testimony, words) in [
        (says(Says::Firing), "its alert still fires: am:9093 was asked"),
        (says(Says::CannotTell), "nobody says that its alert ended: am:9093 was asked"),
    ] {
        let (mut world, incident, _) = waits_for_its_alert();
        world.now_s += 280;
        world.feed(Event::AlertWitnessed { incident, index: 2, testimony });
        assert_eq!(world.verdict(), Some(("ineffective", None)));
        let told = world.log.iter().find_map(|record| match &record.fact {
            Fact::StepFinished(finished) => match &finished.result {
                StepResult::NotVerified(words) => Some(words.clone()),
                _ => None,
            },
            _ => None,
        });
        assert!(told.as_deref().is_some_and(|told| told.ends_with(words)), "{told:?}");
    }
}

#[test]
fn a_restart_waits_on_and_one_without_the_playbook_does_not_wait_for_ever() {
    let (mut world, incident, _) = waits_for_its_alert();
    let started = || Event::Started { recovered: None, version: "0".into(), hostname: "h".into(), files: Vec::new() };
    world.state = world.replayed(world.log.len());
    world.now_s += 500;
    world.feed(started());
    let [Effect::AwaitAlert { remaining: Duration::ZERO, .. }] = &world.effects[..] else {
        panic!("it is asked once more: {:?}", world.effects)
    };
    let mut without = World { log: world.log.clone(), ..World::new(Vec::new()) };
    (without.state, without.now_s) = (world.state.clone(), world.now_s);
    world.feed(Event::AlertWitnessed { incident, index: 2, testimony: says(Says::NotFiring) });
    assert_eq!(world.verdict(), Some(("recovered", None)), "it ended while nobody listened");
    without.feed(started());
    assert_eq!(without.verdict(), Some(("abandoned", Some(Reason::PlaybookChanged))));
}

#[test]
fn an_answer_to_an_earlier_question_never_stands_for_the_one_before_the_first_act() {
    let (mut world, incident, _) = before_the_act(restarting());
    let before = world.log.len();
    witnessed(&mut world, incident, Heard::NotPut);
    assert!(world.effects.is_empty() && world.log.len() == before, "{:?}", world.effects);
    witnessed(&mut world, incident, Heard::Nobody);
    assert!(world.permitted().is_some());
}

#[test]
fn a_further_try_is_not_made_for_an_alert_that_alertmanager_says_has_ended() {
    let mut stage = Stage::between(ladder());
    stage.later(COOLDOWN_S);
    let world = &mut stage.world;
    world.docker(first(), found(container("web")));
    world.step(first(), 0, StepResult::Captured(serde_json::Value::Null));
    assert!(matches!(&world.effects[..], [Effect::ResolveTarget { alert: Some(_), .. }]), "{:?}", world.effects);
    witnessed(world, first(), Heard::Said(says(Says::NotFiring)));
    assert_eq!(world.verdict(), Some(("ineffective", Some(Reason::ResolvedFirst))));
    assert!(stage.detail().unwrap().ends_with("the alert ended before try 2, so nothing more was done"));
    assert_eq!(stage.actions, ["restart"]);
}
