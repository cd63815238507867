//! Compose services taken back to the image before: what the gate says, the intent, and what is asked of people.

use super::services::{found, intents};
use super::world::*;
use crate::engine::effect::Effect;
use crate::engine::event::Event;
use crate::model::action::{Action, ActionOutcome, ServiceAction};
use crate::model::fact::StepResult;
use crate::model::id::IncidentId;
use crate::model::reason::Reason;
use crate::model::service::{ImageChange, Mode, Previous, Room, Service, ServiceId};
use crate::model::target::ComposeService;
use crate::playbook::definition::{Attempts, Playbook, RollbackSpec, Verb, VerifyStep, Which};
use std::time::Duration;

/// When the alert of these tests began, in seconds of the world.
const BEGAN: u64 = 99_990;

/// Deployed a quarter of an hour before the alert began.
fn deployed() -> Service {
    let change = ImageChange {
        image_id: "sha256:bad".into(),
        name: "web:1".into(),
        at: wall(BEGAN - 900),
        settles_within: Duration::from_secs(20),
    };
    let previous =
        Previous { image: "sha256:good".into(), replicas: 2, template: "hash-1".into(), change: Some(change) };
    let labels = [("sickbay.enable", "true"), ("sickbay.rollback.enable", "true")];
    Service {
        id: ServiceId::Compose(ComposeService::parse("shop/web").unwrap()),
        image: "web:2".into(),
        template: "hash-2".into(),
        mode: Mode::Replicated,
        wanted: 2,
        running: 2,
        healthy: 0,
        update: None,
        previous: Some(previous),
        force_update: 0,
        version: 0,
        monitor: Duration::ZERO,
        down_at_once: 1,
        most: None,
        mixed: false,
        created: Some(wall(BEGAN - 900)),
        changed: Some(wall(BEGAN - 890)),
        now: wall(100_000),
        labels: labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
        room: Room::default(),
        stop_timeout: Some(Duration::from_secs(5)),
    }
}

fn with(change: impl FnOnce(&mut Service)) -> Service {
    let mut service = deployed();
    change(&mut service);
    service
}

fn at(began: u64) -> Service {
    with(|service| {
        let change = service.previous.as_mut().and_then(|previous| previous.change.as_mut());
        change.into_iter().for_each(|change| change.at = wall(began));
    })
}

fn playbook() -> Playbook {
    let back = Verb::Rollback(RollbackSpec { within: Some(Duration::from_secs(3600)) });
    let steps = vec![step(back), step(Verb::Verify(VerifyStep::default()))];
    let which = Which::Compose { project: template("shop"), service: template("{{ labels.container }}") };
    Playbook { target: Some(which.into()), attempts: Attempts::only(steps), ..restarting() }
}

fn began(service: Service) -> World {
    let mut world = World::new(vec![playbook()]);
    world.fire(firing(world.now_s));
    world.docker(first(), found(service));
    world
}

#[test]
fn only_an_alert_that_began_soon_after_a_known_change_of_image_takes_it_back() {
    let obstacle = |reason| with(|service| service.room.back = Some((reason, "why".to_owned())));
    let label = |value: &str| with(|s| _ = s.labels.insert("sickbay.rollback.enable".into(), value.into()));
    for (name, seen, want) in [
        ("as it should be", deployed(), None),
        (
            "not said to be taken back",
            with(|s| drop(s.labels.remove("sickbay.rollback.enable"))),
            Some(Reason::RollbackNotEnabled),
        ),
        ("said not to be", label("no"), Some(Reason::RollbackNotEnabled)),
        ("said in a way nobody understands", label("perhaps"), Some(Reason::RollbackNotEnabled)),
        ("nobody saw it", with(|s| s.previous = None), Some(Reason::PreviousImageUnknown)),
        ("in its way", obstacle(Reason::SettingsChanged), Some(Reason::SettingsChanged)),
        ("gone", obstacle(Reason::PreviousImageGone), Some(Reason::PreviousImageGone)),
        ("rolled back before", obstacle(Reason::AlreadyRolledBack), Some(Reason::AlreadyRolledBack)),
        ("deployed when it fired already", at(BEGAN + 6), Some(Reason::FiredBeforeDeploy)),
        ("deployed as it began to fire, by another clock", at(BEGAN + 4), None),
        ("deployed an hour before", at(BEGAN - 3600), None),
        ("deployed more than that before", at(BEGAN - 3601), Some(Reason::DeployTooOld)),
        ("half deployed", with(|s| s.mixed = true), Some(Reason::MixedReplicas)),
        ("deployed just now", with(|s| s.created = Some(wall(99_900))), Some(Reason::RecentlyDeployed)),
        ("scaled just now", with(|s| s.changed = Some(wall(99_900))), Some(Reason::RecentlyTouched)),
    ] {
        assert_eq!(began(seen).last_refusal(), want, "{name}");
    }
}

#[test]
fn the_way_back_is_from_one_exact_image_to_another_and_is_gone_once() {
    let mut world = began(deployed());
    world.docker(first(), found(deployed()));
    let want = ServiceAction::Rollback { from_image: "sha256:bad".into(), to_image: "sha256:good".into() };
    let intended = intents(&world)[0].clone();
    assert_eq!(intended.action, Action::Service(want));
    // Two stops with their grace and two starts, what its check takes, and a minute: for each of two.
    assert_eq!(intended.deadline.as_secs(), 2 * (2 * (35 + 30) + 20 + 60));
    assert!(intended.look.is_some(), "how it was known is recorded");
    let act = world.permitted().unwrap();
    world.feed(Event::ActionReturned { act, outcome: ActionOutcome::Succeeded { post: None } });
    let [Effect::VerifyService { .. }] = &world.effects[..] else { panic!("{:?}", world.effects) };
    world.step(first(), 1, StepResult::Verified("well".into()));
    assert_eq!(world.replayed(world.log.len()), world.state);

    // What is left behind is never gone back to, whatever Docker shows.
    world.fire(resolved(&firing(100_000), world.now_s));
    world.now_s += 7_000;
    let now = wall(world.now_s);
    let swapped = with(|service| {
        (service.image, service.template, service.now) = ("sha256:good".into(), "hash-1".into(), now);
        let change = ImageChange {
            image_id: "sha256:good".into(),
            name: "web:2".into(),
            at: wall(106_000),
            settles_within: Duration::ZERO,
        };
        service.previous =
            Some(Previous { image: "sha256:bad".into(), replicas: 2, template: "hash-2".into(), change: Some(change) });
    });
    world.fire(firing(world.now_s));
    let second = IncidentId(world.log.last().unwrap().seq);
    world.docker(second, found(swapped));
    assert_eq!(world.last_refusal(), Some(Reason::AlreadyRolledBack));
}

#[test]
fn another_image_since_it_was_decided_is_another_plan() {
    let mut world = began(deployed());
    // The same name and definition, and another image of that name.
    let moved = with(|service| {
        let change = service.previous.as_mut().and_then(|previous| previous.change.as_mut());
        change.into_iter().for_each(|change| change.image_id = "sha256:newer".into());
    });
    world.docker(first(), found(moved));
    assert_eq!(world.last_refusal(), Some(Reason::TargetChanged));
    assert!(intents(&world).is_empty());
}
