//! By which text an incident is decided stands in the log, once for each revision.

use super::world::*;
use crate::engine::event::{Event, NewConfig};
use crate::engine::state::State;
use crate::model::alert::{Alert, Notification};
use crate::model::fact::{Fact, Record, Taken};
use crate::model::label::Labels;
use crate::model::policy::Policy;
use crate::playbook::definition::Playbook;
use crate::playbook::index::Playbooks;

fn written(revision: &str, text: &str) -> Playbook {
    Playbook { revision: revision.into(), text: text.into(), ..restarting() }
}

fn reload(world: &mut World, playbook: Playbook) {
    let playbooks = Playbooks::new(vec![playbook]);
    let new = NewConfig { playbooks, policy: Policy::default(), files: Vec::new(), by: None };
    world.feed(Event::Reloaded(Box::new(new)));
}

/// An alert for a container of its own.
fn about(world: &World, container: &str) -> Alert {
    let alert = firing(world.now_s);
    let labels: Labels = [("alertname", "Down"), ("container", container)].into_iter().collect();
    Alert { fingerprint: labels.fingerprint(), labels, ..alert }
}

/// Of each record that opens an incident: the revision, and the text if it tells it.
fn told(log: &[Record]) -> Vec<(String, Option<String>)> {
    let taken = log.iter().filter_map(|record| match &record.fact {
        Fact::AlertReceived(alert) => Some(&alert.taken),
        Fact::IncidentOpened(opened) => Some(&opened.alert.taken),
        _ => None,
    });
    let told = taken.filter_map(|taken| match taken {
        Taken::ByPlaybook { revision, text, .. } => {
            Some((revision.to_string(), text.as_ref().map(ToString::to_string)))
        }
        Taken::ByNobody(_) => None,
    });
    told.collect()
}

fn with(revision: &str, text: &str) -> (String, Option<String>) {
    (revision.to_owned(), Some(text.to_owned()))
}

fn without(revision: &str) -> (String, Option<String>) {
    (revision.to_owned(), None)
}

#[test]
fn the_first_incident_of_each_revision_tells_its_text() {
    let mut world = World::new(vec![written("r1", "the first")]);
    let fire = |world: &mut World, container: &str| {
        let alert = about(world, container);
        world.fire(alert);
    };
    fire(&mut world, "a");
    fire(&mut world, "b");
    reload(&mut world, written("r2", "the second"));
    fire(&mut world, "c");
    reload(&mut world, written("r1", "the first"));
    fire(&mut world, "d");
    let told = told(&world.log);
    // What was being asked at the reloads is taken anew, which tells nothing twice.
    let texts: Vec<_> = told.iter().filter(|(_, text)| text.is_some()).cloned().collect();
    assert_eq!(texts, [with("r1", "the first"), with("r2", "the second")]);
    assert_eq!(told.first(), Some(&with("r1", "the first")));
    assert_eq!(told.last(), Some(&without("r1")));
    assert_eq!(world.replayed(world.log.len()), world.state);
}

#[test]
fn alerts_that_come_together_tell_it_once() {
    let mut world = World::new(vec![written("r1", "the first")]);
    let alerts = ["a", "b", "c"].map(|container| about(&world, container)).to_vec();
    world.feed(Event::NotificationReceived(Notification { alerts, ..Notification::default() }));
    assert_eq!(told(&world.log), [with("r1", "the first"), without("r1"), without("r1")]);
}

#[test]
fn what_was_not_durable_is_told_again_and_what_was_is_not() {
    for (kept, want) in [(0, with("r1", "the first")), (1, without("r1"))] {
        let mut world = World::new(vec![written("r1", "the first")]);
        let alert = about(&world, "a");
        world.fire(alert);
        world.log.truncate(kept);
        world.state = world.replayed(kept);
        let alert = about(&world, "b");
        world.fire(alert);
        assert_eq!(told(&world.log).last(), Some(&want), "{kept}");
    }
}

#[test]
fn it_is_saved_what_is_told() {
    let mut world = World::new(vec![written("r1", "the first")]);
    let alert = about(&world, "a");
    world.fire(alert);
    let memory = Box::new(world.state.memory());
    let mut saved = State::default();
    saved.apply(&Record { fact: Fact::StateSaved(memory), ..world.log[0].clone() });
    assert_eq!(saved.texts(), world.state.texts());
    assert!(saved.texts().tell("r1") && !saved.texts().tell("r2"));
}
