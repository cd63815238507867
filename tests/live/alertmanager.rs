//! What a real Alertmanager sends again, and that nothing is done twice for it.
//!
//! Limits are wide open here: only the episode can tell a repeat from something new.

use crate::alerts::{firing, notification, resolved};
use crate::real_docker::{TestContainer, docker};
use crate::sickbay_process::Sickbay;
use crate::sink::Sink;
use crate::support::{Alertmanager, EngineEvents, WIDE_LIMITS, WIDE_SETTINGS, dead_container, down, restarts};
use serde_json::{Value, json};

const DELIVERIES: &str = "sickbay_webhook_requests_total{code=\"200\"}";

fn down_alert(container: &TestContainer) -> Value {
    firing(&json!({"alertname": "Down", "container": container.name}))
}

/// Waits until so many more deliveries have been taken.
fn more_deliveries(sickbay: &Sickbay, count: f64) {
    let before = sickbay.metric(DELIVERIES);
    sickbay.until("Alertmanager delivers again", || (before + count <= sickbay.metric(DELIVERIES)).then_some(()));
}

#[test]
fn the_end_of_an_alert_never_causes_an_action() {
    let container = dead_container("resolved", &[]);
    let sickbay = Sickbay::running(&down(WIDE_LIMITS), WIDE_SETTINGS);
    let alertmanager = Alertmanager::start(sickbay.port, "1h");
    let events = EngineEvents::of(&container);
    let alert = down_alert(&container);
    alertmanager.alert(std::slice::from_ref(&alert));
    assert_eq!(sickbay.verdict_of(1), "recovered", "{}", sickbay.story());
    docker(&["kill", &container.id]);
    alertmanager.alert(&[resolved(&alert)]);
    sickbay.wait_for("alert.ended", 1);
    // The same once more, and the end of an alert whose beginning nobody has heard of.
    let unheard = firing(&json!({"alertname": "Down", "container": container.name, "unheard": "yes"}));
    let answer = sickbay.post(&notification(&[resolved(&alert), resolved(&unheard)]));
    assert_eq!((answer.status, answer.json()["accepted"].as_u64()), (200, Some(0)), "{answer:?}");
    assert_eq!(events.until_now(), ["start", "restart", "kill", "die"], "{}", sickbay.story());
    assert_eq!(sickbay.records_of("action.intent").len(), 1, "{}", sickbay.story());
}

#[test]
fn a_group_sent_again_acts_for_the_alert_that_joined_and_for_no_other() {
    let (first, second) = (dead_container("group-1", &[]), dead_container("group-2", &[]));
    let mut sickbay = Sickbay::running(&down(WIDE_LIMITS), WIDE_SETTINGS);
    let mut alertmanager = Alertmanager::start(sickbay.port, "2s");
    let events = [EngineEvents::of(&first), EngineEvents::of(&second)];
    let alerts = [down_alert(&first), down_alert(&second)];

    alertmanager.alert(&alerts[..1]);
    assert_eq!(sickbay.verdict_of(1), "recovered", "{}", sickbay.story());
    alertmanager.alert(&alerts);
    assert_eq!(sickbay.verdict_of(2), "recovered", "{}", sickbay.story());
    // Alertmanager repeats the group every two or three seconds from now on.
    more_deliveries(&sickbay, 2.0);
    sickbay.stop();
    sickbay.start(&[]);
    more_deliveries(&sickbay, 1.0);
    sickbay.kill();
    sickbay.start(&[]);
    more_deliveries(&sickbay, 1.0);
    // It forgets what it has sent, and sends it as if for the first time.
    alertmanager.kill_and_start();
    alertmanager.alert(&alerts);
    more_deliveries(&sickbay, 1.0);

    for events in events {
        assert_eq!(events.until_now(), ["start", "restart"], "{}", sickbay.story());
    }
    assert_eq!(sickbay.records_of("alert.received").len(), 2, "{}", sickbay.story());
    assert_eq!(sickbay.records_of("action.intent").len(), 2, "{}", sickbay.story());
}

#[test]
fn the_same_delivery_twice_at_once_is_one_action() {
    let container = dead_container("twice", &[]);
    let sickbay = Sickbay::running(&down(WIDE_LIMITS), WIDE_SETTINGS);
    let events = EngineEvents::of(&container);
    let body = notification(&[down_alert(&container), down_alert(&container)]);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert_eq!(sickbay.post(&body).status, 200));
        }
    });
    assert_eq!(sickbay.verdict_of(1), "recovered", "{}", sickbay.story());
    assert_eq!(restarts(&events.until_now()), 1, "{}", sickbay.story());
    assert_eq!(sickbay.records_of("alert.received").len(), 1, "{}", sickbay.story());
}

#[test]
fn what_could_not_be_delivered_is_delivered_later_and_acted_on_once() {
    let container = dead_container("later", &[]);
    let mut sickbay = Sickbay::new(&down(WIDE_LIMITS), WIDE_SETTINGS);
    let events = EngineEvents::of(&container);
    let overloaded = Sink::answering(sickbay.port, 503);
    let alertmanager = Alertmanager::start(sickbay.port, "1h");
    alertmanager.alert(&[down_alert(&container)]);
    sickbay.until("two tries are answered 503", || (2 <= overloaded.bodies().len()).then_some(()));
    drop(overloaded);
    // For a while nobody listens at all.
    std::thread::sleep(std::time::Duration::from_secs(1));
    sickbay.start(&[]);
    assert_eq!(sickbay.verdict_of(1), "recovered", "{}", sickbay.story());
    more_deliveries_are_none(&sickbay);
    assert_eq!(events.until_now(), ["start", "restart"], "{}", sickbay.story());
}

/// Once it was taken with a 200, Alertmanager is content until it would repeat.
fn more_deliveries_are_none(sickbay: &Sickbay) {
    let before = sickbay.metric(DELIVERIES);
    std::thread::sleep(std::time::Duration::from_secs(2));
    assert!((sickbay.metric(DELIVERIES) - before).abs() < 0.5, "{}", sickbay.story());
}
