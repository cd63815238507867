//! What happens in a seed's story, and when: a list that can be shortened without changing the rest of it.

use crate::approvals;
use crate::cast::{Cast, container, one_in, reloaded, secs};
use crate::services;
use fastrand::Rng;
use sickbay::engine::event::NewConfig;
use sickbay::model::pause::{Pause, PauseScope};
use sickbay::model::target::TargetName;
use sickbay::playbook::definition::Playbook;
use sickbay::sim::clock::SimTime;
use sickbay::sim::input::{Crash, Fate, Input, Touch};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// One thing that happens.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) at: SimTime,
    pub(crate) what: What,
}

#[derive(Clone, Debug)]
pub(crate) enum What {
    /// On the machine.
    World(Input),
    /// An alert begins to fire; it says that it began so long ago.
    Fire(usize, Duration),
    /// An alert ends.
    Resolve(usize),
    /// Something goes wrong with the next delivery.
    Mishap(Mishap),
}

/// What may go wrong with a delivery.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Mishap {
    /// The other peer of the cluster sends it too, a little later.
    Twin(Duration),
    /// It is held up on its way, perhaps until others have overtaken it.
    Late(Duration),
    /// The answer is lost: it is sent again.
    AnswerLost,
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::World(input) => input.fmt(f),
            Self::Fire(alert, ago) => write!(f, "alert {alert} fires, as if since {ago:?}"),
            Self::Resolve(alert) => write!(f, "alert {alert} resolves"),
            Self::Mishap(mishap) => write!(f, "the next delivery: {mishap:?}"),
        }
    }
}

/// Draws a schedule and its length.
pub(crate) fn draw(rng: &mut Rng, cast: &Cast) -> (Vec<Entry>, SimTime) {
    let length = secs(rng.u64(240..2400));
    let mut entries = Vec::new();
    let moment = |rng: &mut Rng| SimTime(rng.u64(1_000..u64::try_from(length.as_millis()).unwrap_or(u64::MAX)));
    for _ in 0..rng.usize(3..=14) {
        let at = moment(rng);
        fire(rng, cast, at, &mut entries);
    }
    // A storm: everything at once, and perhaps over soon.
    if one_in(rng, 5) {
        let at = moment(rng);
        for alert in 0..cast.alerts.len() {
            entries.push(Entry { at, what: What::Fire(alert, Duration::ZERO) });
        }
    }
    for _ in 0..rng.usize(..=14) {
        let at = moment(rng);
        entries.push(Entry { at, what: What::World(input(rng, cast)) });
    }
    for _ in 0..rng.usize(..=3) {
        let at = moment(rng);
        pause(rng, cast, at, &mut entries);
    }
    for _ in 0..rng.usize(..=4) {
        let delay = Duration::from_millis(rng.u64(1..40_000));
        let mishap = match rng.u32(..3) {
            0 => Mishap::Twin(delay),
            1 => Mishap::Late(delay * 3),
            _ => Mishap::AnswerLost,
        };
        entries.push(Entry { at: moment(rng), what: What::Mishap(mishap) });
    }
    for _ in 0..if cast.asks_alertmanager { rng.usize(..=4) } else { 0 } {
        let (at, span) = (moment(rng), Duration::from_millis(rng.u64(100..200_000)));
        let input = match rng.u32(..3) {
            0 => Input::LoseAlertmanager(span),
            1 => Input::SlowAlertmanager { by: Duration::from_millis(rng.u64(100..7_000)), lasts: span },
            _ => Input::RestartAlertmanager(span / 4),
        };
        entries.push(Entry { at, what: What::World(input) });
    }
    reloads(rng, cast, length, &mut entries);
    approvals::votes(rng, cast, length, &mut entries);
    services::befall(rng, cast, length, &mut entries);
    entries.sort_by_key(|entry| entry.at);
    (entries, SimTime(0).after(length))
}

/// Somebody edits settings and playbooks now and then. Drawn late: the rest of a seed's story is the same without.
fn reloads(rng: &mut Rng, cast: &Cast, length: Duration, entries: &mut Vec<Entry>) {
    let last = u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
    let mut moments: Vec<SimTime> = (0..rng.usize(..=3)).map(|_| SimTime(rng.u64(1_000..last))).collect();
    moments.sort_unstable();
    let (playbooks, policy) = (cast.ruleset.playbooks.clone(), cast.ruleset.policy.clone());
    let mut config = NewConfig { playbooks, policy, files: Vec::new(), by: None };
    for (number, at) in moments.into_iter().enumerate() {
        if one_in(rng, 5) {
            entries.push(Entry { at, what: What::World(Input::ReloadInVain) });
            continue;
        }
        config = reloaded(rng, &config, number + 1);
        entries.push(Entry { at, what: What::World(Input::Reload(Box::new(config.clone()))) });
    }
}

/// A person pauses something, for a time or until somebody thinks of it.
fn pause(rng: &mut Rng, cast: &Cast, at: SimTime, entries: &mut Vec<Entry>) {
    let playbooks: Vec<&Arc<Playbook>> = cast.ruleset.playbooks.iter().collect();
    let scope = match rng.u32(..6) {
        0 | 1 => PauseScope::All,
        2 => PauseScope::Host("local".into()),
        3 if !playbooks.is_empty() => PauseScope::Playbook(Arc::clone(&playbooks[rng.usize(..playbooks.len())].name)),
        _ => PauseScope::Target(format!("c{}", rng.usize(..cast.containers.len())).into()),
    };
    let length = rng.bool().then(|| Duration::from_millis(rng.u64(500..400_000)));
    let (by, reason) = ("somebody".to_owned(), "looking".to_owned());
    let pause = Pause { scope: scope.clone(), by, reason, length };
    entries.push(Entry { at, what: What::World(Input::Pause(pause)) });
    if !one_in(rng, 3) {
        let over = at.after(Duration::from_millis(rng.u64(100..300_000)));
        entries.push(Entry { at: over, what: What::World(Input::Resume(scope)) });
    }
}

fn fire(rng: &mut Rng, cast: &Cast, at: SimTime, entries: &mut Vec<Entry>) {
    let alert = rng.usize(..cast.alerts.len());
    // Most began just now; some are told late.
    let ago = if one_in(rng, 10) { secs(rng.u64(3_000..4_500)) } else { secs(rng.u64(..90)) };
    entries.push(Entry { at, what: What::Fire(alert, ago) });
    if !one_in(rng, 3) {
        let over = at.after(secs(rng.u64(1..600)));
        entries.push(Entry { at: over, what: What::Resolve(alert) });
    }
}

fn input(rng: &mut Rng, cast: &Cast) -> Input {
    let some_secs = |rng: &mut Rng, most: u64| Duration::from_millis(rng.u64(100..most * 1000));
    match rng.u32(..24) {
        0..=2 => Input::CrashAfter(rng.u64(1..25), crash(rng)),
        3 | 4 => Input::Crash(crash(rng)),
        5 => Input::Stop(some_secs(rng, 60)),
        6 => Input::Reboot(crash(rng)),
        7 => Input::SetWall(rng.i64(-86_400_000..=86_400_000)),
        8 => Input::Suspend(some_secs(rng, 900)),
        9 | 10 => Input::StallDisk(some_secs(rng, 15)),
        11 => Input::LoseDocker(some_secs(rng, 120)),
        12 if rng.bool() => Input::BlockDocker(some_secs(rng, 60)),
        12 => Input::LoseNotices(some_secs(rng, 300)),
        13 => Input::SlowDocker { by: some_secs(rng, 11), lasts: some_secs(rng, 120) },
        14 if rng.bool() => Input::ForgetHistory,
        14..=17 => Input::NextWrite(fate(rng)),
        _ => {
            let number = rng.usize(..cast.containers.len());
            let name = TargetName::parse(&format!("c{number}")).expect("a name of ours");
            Input::Touch(name, touch(rng, number))
        }
    }
}

fn crash(rng: &mut Rng) -> Crash {
    let down = Duration::from_millis(if rng.bool() { rng.u64(10..2_000) } else { rng.u64(2_000..90_000) });
    Crash { kept_permille: rng.u16(..=1000), down, requests_arrive: rng.bool() }
}

fn fate(rng: &mut Rng) -> Fate {
    let delay = Duration::from_millis(rng.u64(100..10_000));
    match rng.u32(..9) {
        0 => Fate::Late(delay),
        1 => Fate::NotSent,
        2 => Fate::LostOnTheWay,
        3 => Fate::Stray(delay),
        4 => Fate::AnswerLost,
        5 => Fate::Hangs,
        6 => Fate::Lies,
        7 => Fate::DoneAndCalledFailed,
        _ => Fate::Fails,
    }
}

fn touch(rng: &mut Rng, number: usize) -> Touch {
    match rng.u32(..12) {
        0 | 1 => Touch::Stop,
        2 => Touch::Start,
        3 => Touch::Restart,
        4 => Touch::Pause,
        5 => Touch::Unpause,
        6 if rng.bool() => Touch::Remove,
        6..=8 => Touch::Recreate(Box::new(container(rng, number))),
        9 => Touch::Sicken,
        _ => Touch::Die([0, 1, 137][rng.usize(..3)]),
    }
}
