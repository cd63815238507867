//! A hundred times: webhook load, one container to treat, SIGKILL at a chosen moment, start again.
//!
//! The load keeps a ledger of every alert that was answered with 200 and sends again what was not, as Alertmanager does.
//! Each scenario has its own daemon and containers; several run side by side because most of the time is waiting.

use crate::real_daemon::{Daemon, Home, alert, notification, post};
use crate::real_docker::{OBEDIENT, TestContainer};
use crate::sender::Sender;
use crate::story::{Story, check};
use crate::victims::{STUBBORN, Victims};
use sickbay::incident_log::LogReader;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// When the daemon is killed.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// The gates said yes: the evidence is being captured.
    Capture,
    /// From the time when the intent stands in the file, synced or not, to the time when the call is sent.
    Intent,
    /// While Docker waits for the container to stop.
    Call,
    /// Docker has started the container again and is about to answer.
    Answer,
    /// While the container is watched.
    Verify,
    /// Any time from the delivery on.
    Any,
}

const CYCLES: usize = 17;

#[test]
fn killed_around_the_act_it_neither_repeats_nor_forgets() {
    side_by_side(&[Moment::Intent, Moment::Call, Moment::Answer]);
}

#[test]
fn killed_while_looking_or_at_any_moment_it_goes_on_where_it_was() {
    side_by_side(&[Moment::Capture, Moment::Verify, Moment::Any]);
}

fn side_by_side(moments: &[Moment]) {
    thread::scope(|scope| {
        for moment in moments {
            scope.spawn(move || kill_and_start_again(*moment));
        }
    });
}

fn kill_and_start_again(moment: Moment) {
    let command: &[&str] = match moment {
        Moment::Call | Moment::Answer => &STUBBORN,
        Moment::Capture | Moment::Intent | Moment::Verify | Moment::Any => &OBEDIENT,
    };
    let name = format!("{moment:?}");
    let victims = Victims::start(&name.to_lowercase(), CYCLES, command);
    let home = Home::new();
    let load = Load::default();
    let mut alerts = Vec::new();
    let mut in_doubt = 0;
    thread::scope(|scope| {
        // Also when an assertion fails, or the scope would wait for the load for ever.
        let _over = Over(&load.over);
        scope.spawn(|| load.run(&name));
        for victim in &victims.boxes {
            alerts.push(alert("Down", &victim.name, &victim.name));
            in_doubt += usize::from(cycle(moment, (&home, &load), (&victims, victim), &alerts));
        }
        let daemon = Daemon::start(home.command());
        load.goes_to(&daemon);
        // The repeats change nothing; what is still open comes to its end.
        daemon.ready();
        Sender::new(&daemon, notification(&alerts)).all_closed(&home);
        let repeats = post(daemon.address, &notification(&alerts)).unwrap();
        assert!(repeats.body.contains(&format!("\"duplicates\":{CYCLES},")), "{name}: {}", repeats.body);
        load.over.store(true, Ordering::Relaxed);
        let ended = daemon.stop();
        assert!(ended.status.success(), "{name}: {ended:?}");
    });
    let story = check(&name, &home, &victims);
    load.is_all_in(&story);
    assert_eq!(story.count("log.open"), CYCLES + 1, "{name}: each start is recorded");
    let load_len = load.ledger.lock().unwrap().len();
    assert!(CYCLES * 5 <= load_len, "{name}: only {load_len} alerts were acknowledged: that is no load");
    match moment {
        Moment::Call => assert_eq!(in_doubt, CYCLES, "{name}: a kill during the call leaves the act in doubt"),
        Moment::Intent | Moment::Answer => assert!(0 < in_doubt, "{name}: no kill came between intent and outcome"),
        Moment::Capture | Moment::Verify | Moment::Any => {}
    }
}

/// Start, everything again, one new alert, kill. Whether the kill left the act in doubt.
fn cycle(
    moment: Moment,
    (home, load): (&Home, &Load),
    (victims, victim): (&Victims, &TestContainer),
    alerts: &[String],
) -> bool {
    let daemon = Daemon::start(home.command());
    daemon.ready();
    load.is_all_in(&Story::read(home));
    load.goes_to(&daemon);
    let mut log = LogReader::open_at_last(&home.data(), 0).unwrap();
    let answer = post(daemon.address, &notification(alerts)).unwrap();
    assert!(answer.status == 200 && answer.body.contains("\"accepted\":1,"), "{moment:?}: {answer:?}");
    let sender = Sender::new(&daemon, notification(alerts));
    let mut recorded = |kind: &str| {
        sender.until(&format!("{kind} of {} is in the log", victim.name), || {
            let mut found = false;
            while let Some(line) = log.next_line().unwrap() {
                let line = String::from_utf8_lossy(line);
                found |= line.contains(&format!("\"kind\":\"{kind}\"")) && line.contains(&victim.id);
            }
            found
        });
    };
    match moment {
        Moment::Capture => {
            recorded("decision");
            pause_up_to(30);
        }
        Moment::Intent => {
            recorded("action.intent");
            pause_up_to(20);
        }
        Moment::Call => {
            recorded("action.intent");
            thread::sleep(Duration::from_millis(50));
            pause_up_to(700);
        }
        Moment::Answer => sender.until("Docker starts it again", || victims.events.count("start", victim) == 2),
        Moment::Verify => {
            recorded("action.intent");
            sender.until("Docker has restarted it", || victims.events.count("restart", victim) == 1);
            pause_up_to(1500);
        }
        Moment::Any => pause_up_to(2000),
    }
    // SIGKILL, and nothing of it remains.
    drop(daemon);
    let story = Story::read(home);
    load.is_all_in(&story);
    let doubtful = story.in_doubt();
    story.intents(victim).any(|intended| doubtful.contains(&intended.act))
}

fn pause_up_to(millis: u64) {
    thread::sleep(Duration::from_millis(getrandom::u64().unwrap() % millis));
}

/// Alerts that no playbook takes: a few at a time, for as long as the test runs.
#[derive(Default)]
struct Load {
    address: Mutex<Option<SocketAddr>>,
    /// The serials of all alerts that were answered with 200.
    ledger: Mutex<Vec<String>>,
    over: AtomicBool,
}

impl Load {
    fn goes_to(&self, daemon: &Daemon) {
        *self.address.lock().unwrap() = Some(daemon.address);
    }

    fn run(&self, name: &str) {
        for number in 0.. {
            let serials: Vec<String> = (0..3).map(|alert| format!("{name}-{number}-{alert}")).collect();
            let alerts: Vec<String> = serials.iter().map(|serial| alert("Noise", "none", serial)).collect();
            let body = notification(&alerts);
            loop {
                if self.over.load(Ordering::Relaxed) {
                    return;
                }
                let address = *self.address.lock().unwrap();
                let answer = address.map(|address| post(address, &body));
                if answer.is_some_and(|answer| answer.is_ok_and(|answer| answer.status == 200)) {
                    break;
                }
                thread::sleep(Duration::from_millis(20));
            }
            self.ledger.lock().unwrap().extend(serials);
            thread::sleep(Duration::from_millis(40));
        }
    }

    /// Whether every alert that was acknowledged before the log was read is in it.
    fn is_all_in(&self, story: &Story) {
        let ledger = self.ledger.lock().unwrap();
        let serials = story.serials();
        let lost: Vec<&String> = ledger.iter().filter(|serial| !serials.contains(serial.as_str())).collect();
        assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
    }
}

struct Over<'l>(&'l AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
