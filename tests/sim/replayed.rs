//! Replays of logs that simulated worlds wrote: the same playbooks give the same records, word for word.

use crate::number;
use crate::play::{self, Played, Plot};
use crate::schedule::{Entry, What};
use sickbay::engine::event::NewConfig;
use sickbay::model::fact::{Fact, Record};
use sickbay::model::id::Seq;
use sickbay::model::reason::Reason;
use sickbay::record::{Hash, LogId, decode, encode};
use sickbay::replay::{Assume, Config, History, Origin};
use sickbay::sim::clock::SimTime;
use sickbay::sim::input::Input;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// How many seeds' logs are replayed where nobody says otherwise.
const SEEDS: u64 = 400;

/// A record as one line, the seal left out: it depends on all lines before it.
fn line(record: &Record) -> String {
    let mut line = Vec::new();
    encode(record, LogId(1), &Hash::GENESIS, &mut line);
    let line = String::from_utf8(line).unwrap();
    line.split(",\"prev\":").next().unwrap().to_owned()
}

/// As a reader of the log gets it.
fn read_back(record: &Record) -> Record {
    let mut line = Vec::new();
    encode(record, LogId(1), &Hash::GENESIS, &mut line);
    decode(line.strip_suffix(b"\n").unwrap()).unwrap().into_record().unwrap()
}

/// What is different, if anything is.
fn difference(seed: u64) -> Option<String> {
    difference_of(seed, &play::play(&Plot::of_seed(seed), false))
}

fn difference_of(seed: u64, played: &Played) -> Option<String> {
    let records: Vec<Record> = played.world.disk().records().iter().map(read_back).collect();
    let configs = &played.world.seen.configs;
    let loaded = |seq: Seq| configs.iter().rev().find(|(at, _)| *at == seq).map(|(_, config)| config.clone());
    let first: NewConfig = loaded_first(configs);
    let mut again: Vec<(Record, Origin)> = Vec::new();
    let config = Config {
        playbooks: first.playbooks,
        policy: first.policy,
        assume: Assume::default(),
        repeat: None,
        configs: Some(&loaded),
    };
    let history = History::Log(records.clone());
    sickbay::replay::play(&history, config, &mut |seen| again.push((seen.record.clone(), seen.origin)));
    let lines = |record: Option<&Record>| record.map(line).unwrap_or_default();
    for place in 0..records.len().max(again.len()) {
        let (recorded, replayed) = (records.get(place), again.get(place));
        let differs = lines(recorded) != lines(replayed.map(|(record, _)| record));
        let assumed = replayed.is_some_and(|(_, origin)| *origin != Origin::Told);
        if differs || assumed {
            let before = place.saturating_sub(3);
            let context: Vec<String> = records[before..place].iter().map(line).collect();
            let after: Vec<String> = records.iter().skip(place + 1).take(3).map(line).collect();
            return Some(format!(
                "seed {seed}, record {place}\n  before   {}\n  recorded {}\n  replayed {} {:?}\n  after    {}",
                context.join("\n           "),
                lines(recorded),
                lines(replayed.map(|(record, _)| record)),
                replayed.map(|(_, origin)| origin),
                after.join("\n           "),
            ));
        }
    }
    None
}

fn loaded_first(configs: &[(Seq, NewConfig)]) -> NewConfig {
    configs.first().map(|(_, config)| config.clone()).unwrap()
}

#[test]
fn a_replay_of_each_log_decides_as_the_daemon_did() {
    let seeds = number("SEEDS").unwrap_or(SEEDS).min(100_000);
    let (next, different) = (AtomicU64::new(number("SEED").unwrap_or(0)), Mutex::new(Vec::new()));
    let last = number("SEED").map_or(seeds, |seed| seed + 1);
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, std::num::NonZero::get) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if last <= seed {
                        break;
                    }
                    different.lock().unwrap().extend(difference(seed));
                }
            });
        }
    });
    let different = different.into_inner().unwrap();
    let shown: Vec<&str> = different.iter().take(5).map(String::as_str).collect();
    assert!(different.is_empty(), "{} of {seeds} logs replay otherwise:\n{}", different.len(), shown.join("\n\n"));
}

/// Where people abort now and then whatever is the oldest incident.
#[test]
fn what_people_aborted_is_aborted_in_the_replay() {
    let (mut aborted, mut different) = (0, Vec::new());
    for seed in 0..150 {
        let mut plot = Plot::of_seed(seed);
        let at = |part: u64| SimTime(plot.length.0 / 12 * part);
        plot.entries.extend((1..12).map(|part| Entry { at: at(part), what: What::World(Input::Abort) }));
        plot.entries.sort_by_key(|entry| entry.at);
        let played = play::play(&plot, false);
        let facts = played.world.disk().records().iter().map(|record| &record.fact);
        aborted += facts
            .filter(|fact| matches!(fact, Fact::IncidentClosed(end) if end.reason == Some(Reason::Aborted)))
            .count();
        different.extend(difference_of(seed, &played));
    }
    assert!(100 < aborted, "{aborted}");
    let shown: Vec<&str> = different.iter().take(5).map(String::as_str).collect();
    assert!(different.is_empty(), "{} logs replay otherwise:\n{}", different.len(), shown.join("\n\n"));
}

/// The test can fail: with another limit, decisions differ.
#[test]
fn other_limits_decide_otherwise() {
    let differs = |seed: u64| {
        let plot = Plot::of_seed(seed);
        let played = play::play(&plot, false);
        let records: Vec<Record> = played.world.disk().records().iter().map(read_back).collect();
        let runs = |facts: &[&Fact]| facts.iter().filter(|fact| matches!(fact, Fact::ActionIntended(_))).count();
        let recorded: Vec<&Fact> = records.iter().map(|record| &record.fact).collect();
        let before = runs(&recorded);
        let first = loaded_first(&played.world.seen.configs);
        let policy =
            sickbay::model::policy::Policy { global: vec![], hands_off: std::time::Duration::MAX, ..first.policy };
        let config =
            Config { playbooks: first.playbooks, policy, assume: Assume::default(), repeat: None, configs: None };
        let mut after = 0;
        let history = History::Log(records.clone());
        sickbay::replay::play(&history, config, &mut |seen| {
            after += usize::from(matches!(seen.record.fact, Fact::ActionIntended(_)));
        });
        after != before
    };
    assert!((0..50).filter(|seed| differs(*seed)).count() > 5);
}
