//! Episodes: what is new, what is a repeat, and what never causes an action.

use super::world::*;
use crate::engine::effect::Effect;
use crate::engine::event::Event;
use crate::engine::receipt::AlertAnswer;
use crate::model::fact::{Fact, Taken};
use crate::model::incident::FirstSight;
use crate::model::reason::Reason;
use chrono::TimeDelta;

/// Takes an alert through a whole run that recovers.
fn treat(world: &mut World, incident: crate::model::id::IncidentId) {
    use crate::model::fact::StepResult;
    world.docker(incident, found(container("web")));
    world.step(incident, 0, StepResult::Captured(serde_json::json!({})));
    world.docker(incident, found(container("web")));
    let act = world.permitted().expect("the action is permitted");
    let outcome = crate::model::action::ActionOutcome::Succeeded { post: None };
    world.feed(Event::ActionReturned { act, outcome });
    world.step(incident, 2, StepResult::Verified("healthy".into()));
}

#[test]
fn a_firing_alert_is_taken_and_its_target_asked_for() {
    let mut world = World::new(vec![restarting()]);
    let receipt = world.fire(firing(world.now_s));
    assert_eq!(receipt.answer, AlertAnswer::Accepted);
    assert_eq!(receipt.incident.unwrap().to_string(), "i0");
    assert!(matches!(world.effects[..], [Effect::ResolveTarget { .. }]));
}

#[test]
fn a_resolved_alert_never_causes_anything() {
    let mut world = World::new(vec![restarting()]);
    let alert = resolved(&firing(world.now_s), world.now_s);
    let receipt = world.fire(alert);
    assert_eq!(receipt.answer, AlertAnswer::Duplicate);
    assert!(world.effects.is_empty() && world.log.is_empty());
}

#[test]
fn a_repeat_changes_nothing_and_is_not_written() {
    let mut world = World::new(vec![restarting()]);
    let alert = firing(world.now_s);
    world.fire(alert.clone());
    treat(&mut world, first());
    let written = world.log.len();
    for earlier_s in [0, 20] {
        // Two Prometheis disagree about the start: an earlier one is the same episode.
        let starts_at = alert.starts_at.map(|start| start - TimeDelta::seconds(earlier_s));
        let receipt = world.fire(crate::model::alert::Alert { starts_at, ..alert.clone() });
        assert_eq!((receipt.answer, receipt.incident), (AlertAnswer::Duplicate, Some(first())));
    }
    assert_eq!(world.log.len(), written);
    assert!(world.effects.is_empty());
}

#[test]
fn the_same_start_coming_back_after_its_end_is_not_acted_on_again() {
    let mut world = World::new(vec![restarting()]);
    let alert = firing(world.now_s);
    world.fire(alert.clone());
    treat(&mut world, first());
    world.now_s += 30;
    assert_eq!(world.fire(resolved(&alert, world.now_s)).answer, AlertAnswer::Resolved);
    world.now_s += 3;
    let receipt = world.fire(alert.clone());
    assert_eq!((receipt.answer, receipt.incident), (AlertAnswer::Duplicate, Some(first())));
    assert!(world.effects.is_empty());
    let Fact::AlertReceived(reopened) = &world.log.last().unwrap().fact else { panic!("{:?}", world.log.last()) };
    assert_eq!(reopened.sight, FirstSight::Reopened);
    // And it stays handled after that.
    world.now_s += 60;
    assert_eq!(world.fire(alert).answer, AlertAnswer::Duplicate);
    assert!(world.effects.is_empty());
}

#[test]
fn a_later_start_without_an_end_between_is_a_new_episode() {
    let mut world = World::new(vec![restarting()]);
    let alert = firing(world.now_s);
    world.fire(alert.clone());
    treat(&mut world, first());
    let before = world.log.len();
    world.now_s += 600;
    let receipt = world.fire(firing(world.now_s));
    assert_eq!(receipt.answer, AlertAnswer::Accepted);
    assert_eq!(world.kinds(before), ["alert.ended", "alert.received"]);
    assert_eq!(world.effects.len(), 1);
}

#[test]
fn an_end_before_the_known_start_ends_nothing() {
    let mut world = World::new(vec![restarting()]);
    let alert = firing(world.now_s);
    world.fire(alert.clone());
    let late = resolved(&alert, world.now_s - 60);
    assert_eq!(world.fire(late).answer, AlertAnswer::Duplicate);
    assert_eq!(world.log.len(), 1);
}

#[test]
fn an_alert_that_is_too_old_or_from_the_future_is_refused_at_first_sight() {
    for (age_s, want) in [(3599, None), (3700, Some(Reason::StaleAlert)), (-299, None), (-400, Some(Reason::ClockSkew))]
    {
        let mut world = World::new(vec![restarting()]);
        let starts_at = Some(wall(world.now_s) - TimeDelta::seconds(age_s));
        let alert = crate::model::alert::Alert { starts_at, ..firing(world.now_s) };
        let receipt = world.fire(alert);
        assert_eq!(receipt.reason, want, "age {age_s}");
        assert_eq!(world.effects.is_empty(), want.is_some(), "age {age_s}");
    }
}

#[test]
fn an_alert_nobody_takes_is_recorded_once() {
    let mut world = World::new(vec![]);
    let receipt = world.fire(firing(world.now_s));
    assert_eq!((receipt.answer, receipt.reason), (AlertAnswer::NoMatch, Some(Reason::NoMatch)));
    let Fact::AlertReceived(received) = &world.log[0].fact else { panic!() };
    assert_eq!(received.taken, Taken::ByNobody(Reason::NoMatch));
    world.fire(firing(world.now_s));
    assert_eq!(world.log.len(), 1);
}

#[test]
fn an_alert_that_resolves_before_the_gates_answer_is_cancelled() {
    let mut world = World::new(vec![restarting()]);
    let alert = firing(world.now_s);
    world.fire(alert.clone());
    world.fire(resolved(&alert, world.now_s));
    assert_eq!(world.verdict(), Some(("cancelled", Some(Reason::ResolvedFirst))));
    world.docker(first(), found(container("web")));
    assert!(world.effects.is_empty(), "the late answer of Docker begins nothing");
}

#[test]
fn the_same_alert_twice_in_one_body_is_one_episode() {
    let mut world = World::new(vec![restarting()]);
    let alert = firing(world.now_s);
    let notification = crate::model::alert::Notification { alerts: vec![alert.clone(), alert], ..Default::default() };
    let receipts = world.feed(Event::NotificationReceived(notification));
    assert_eq!(receipts[1].answer, AlertAnswer::Duplicate);
    assert_eq!(world.effects.len(), 1);
}

#[test]
fn an_alert_that_is_firing_and_resolved_in_one_body_is_not_acted_on() {
    for firing_first in [true, false] {
        let mut world = World::new(vec![restarting()]);
        let alert = firing(world.now_s);
        let mut alerts = vec![alert.clone(), resolved(&alert, world.now_s)];
        if !firing_first {
            alerts.reverse();
        }
        let notification = crate::model::alert::Notification { alerts: alerts.clone(), ..Default::default() };
        let receipts = world.feed(Event::NotificationReceived(notification));
        assert_eq!(receipts.iter().map(|receipt| receipt.answer).collect::<Vec<_>>(), [AlertAnswer::Duplicate; 2]);
        assert!(world.log.is_empty() && world.effects.is_empty(), "{:?}", world.kinds(0));
        // What was known to fire before is known to have ended afterwards.
        world.fire(alert);
        let notification = crate::model::alert::Notification { alerts, ..Default::default() };
        world.feed(Event::NotificationReceived(notification));
        assert!(world.kinds(1).contains(&"alert.ended"), "{:?}", world.kinds(0));
    }
}

#[test]
fn an_episode_nobody_speaks_of_ends_after_a_week() {
    let mut world = World::new(vec![]);
    world.fire(firing(world.now_s));
    world.now_s += 6 * 24 * 3600;
    world.feed(Event::Ticked);
    assert_eq!(world.log.len(), 1);
    world.now_s += 2 * 24 * 3600;
    world.feed(Event::Ticked);
    assert_eq!(world.kinds(1), ["alert.ended"]);
}
