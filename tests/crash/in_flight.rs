//! SIGKILL between the intent and the outcome of a restart, a stop and a start, twenty times each, on the real engine.
//!
//! The kills are spread over the time that the call takes. The engine's own events are the witness: what was done is
//! found as done, what was not done as not done, and nothing is sent again.

use crate::real_daemon::{Daemon, Home, alert, notification, post};
use crate::real_docker::docker;
use crate::sender::Sender;
use crate::story::check;
use crate::victims::{STUBBORN, Victims};
use sickbay::model::action::Reconciled;
use sickbay::model::fact::{ActionReconciled, Fact};
use sickbay::model::incident::Verdict;
use std::fs;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

/// How often each kind of action is killed.
const KILLS: u32 = 20;

/// How many are tried at once: most of the time is spent waiting until Docker must be done.
const SIDE_BY_SIDE: usize = 10;

/// One kind of action.
#[derive(Clone, Copy)]
struct Kind {
    /// The step in the playbook.
    step: &'static str,
    /// The engine's event that shows that it was done.
    event: &'static str,
    /// How often that event is there before.
    before: usize,
    /// Whether the container is down at the start.
    down: bool,
    /// About how long the call takes, from the intent to the outcome.
    takes: Duration,
}

#[test]
fn killed_between_intent_and_outcome_of_a_restart_it_finds_out() {
    let takes = Duration::from_millis(1400);
    kill_all("restart", Kind { step: "restart: {stop_timeout: 1s}", event: "restart", before: 0, down: false, takes });
}

#[test]
fn killed_between_intent_and_outcome_of_a_stop_it_finds_out() {
    let takes = Duration::from_millis(1100);
    kill_all("stop", Kind { step: "stop: {stop_timeout: 1s}", event: "stop", before: 0, down: false, takes });
}

#[test]
fn killed_between_intent_and_outcome_of_a_start_it_finds_out() {
    let takes = Duration::from_millis(250);
    kill_all("start", Kind { step: "start: {}", event: "start", before: 1, down: true, takes });
}

fn kill_all(name: &str, kind: Kind) {
    let numbers = Mutex::new(0..KILLS);
    let outcomes: Vec<bool> = thread::scope(|scope| {
        let threads: Vec<_> = (0..SIDE_BY_SIDE)
            .map(|_| {
                scope.spawn(|| {
                    let next = || numbers.lock().unwrap().next();
                    std::iter::from_fn(next).map(|number| kill_in_flight(name, kind, number)).collect::<Vec<_>>()
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(outcomes.len(), usize::try_from(KILLS).unwrap());
    // A busy machine sends the call late.
    let late = (1..6).map(|times| kill_in_flight(name, Kind { takes: kind.takes * (1 << times), ..kind }, KILLS));
    assert!(outcomes.into_iter().chain(late).any(|done| done), "{name}: no kill came after the call was sent");
}

/// One kill, later or earlier by its number. A kill that comes too late is tried again, and earlier. Whether the action
/// was done all the same.
fn kill_in_flight(name: &str, kind: Kind, number: u32) -> bool {
    let mut delay = kind.takes * number / KILLS;
    for round in 0..6 {
        if let Some(done) = kill_after(&format!("{name}-{number}-{round}"), kind, delay) {
            return done;
        }
        delay /= 2;
    }
    panic!("{name} {number}: every kill came after the outcome");
}

fn kill_after(name: &str, kind: Kind, delay: Duration) -> Option<bool> {
    let victims = Victims::start(&format!("in-flight-{name}"), 1, &STUBBORN);
    let victim = &victims.boxes[0];
    if kind.down {
        docker(&["kill", &victim.id]);
        docker(&["wait", &victim.id]);
    }
    let home = Home::new();
    let rules = fs::read_to_string(home.dir.path().join("rules/down.yaml")).unwrap();
    let rules = rules.replace("restart: {stop_timeout: 1s}", kind.step).replace("is back", "is as it should be");
    fs::write(home.dir.path().join("rules/down.yaml"), rules).unwrap();

    let mut daemon = Daemon::start(home.command());
    daemon.ready();
    let body = notification(&[alert("Down", &victim.name, name)]);
    assert_eq!(post(daemon.address, &body).unwrap().status, 200, "{name}");
    let log = || fs::read_to_string(home.segment()).unwrap_or_default();
    let sender = Sender::new(&daemon, body.clone());
    sender.until("the intent is recorded", || log().contains("\"kind\":\"action.intent\""));
    thread::sleep(delay);
    daemon.child.kill().unwrap();
    drop(daemon);
    if log().contains("\"kind\":\"action.outcome\"") {
        return None;
    }

    let daemon = Daemon::start(home.command());
    Sender::new(&daemon, body).all_closed(&home);
    let ended = daemon.stop();
    assert!(ended.status.success(), "{name}: {ended:?}");
    let done = victims.events.count(kind.event, victim) - kind.before;
    let story = check(name, &home, &victims);
    let findings: Vec<&ActionReconciled> = story
        .0
        .iter()
        .filter_map(|record| match &record.fact {
            Fact::ActionReconciled(reconciled) => Some(reconciled),
            _ => None,
        })
        .collect();
    let verdicts: Vec<Verdict> = story.verdicts().into_values().collect();
    let want = match done {
        0 => (Reconciled::NotApplied, Verdict::Abandoned),
        1 => (Reconciled::Observed, Verdict::Recovered),
        _ => panic!("{name}: done {done} times"),
    };
    assert_eq!((findings.len(), verdicts.len()), (1, 1), "{name}");
    assert_eq!((findings[0].finding, verdicts[0]), want, "{name}: {}", findings[0].detail);
    assert_eq!(story.count("action.intent"), 1, "{name}: nothing is sent again");
    Some(done == 1)
}
