//! The simulation: the real engine in a world where everything that may go wrong does, driven by a seed.
//!
//! `make sim SEED=123` plays one seed and tells its story if it fails; `make sim SEEDS=1000000` plays so many, on all
//! cores. Read `play` for how a story goes, `schedule` for what happens in it, `invariants` for what must hold.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]
#![expect(clippy::wildcard_enum_match_arm, reason = "an invariant picks the facts it is about")]

mod afterwards;
mod alertmanager;
mod approvals;
mod brakes;
mod cast;
mod example;
mod invariants;
mod limits;
mod play;
mod replayed;
mod schedule;
mod services;
mod steps;
mod story;
mod testimony;
mod tries;
mod witness;

use play::Plot;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;
use witness::Violation;

/// How many seeds are played where nobody says otherwise.
const SEEDS: u64 = 10_000;

/// After so many seeds that failed, no more are tried, where nobody says otherwise.
const FAILURES_MAX: usize = 5;

/// What was counted over all seeds.
#[derive(Default)]
struct Tally {
    seeds: u64,
    records: u64,
    writes: u64,
    starts: u64,
    verdicts: BTreeMap<String, u64>,
    failed: Vec<(u64, Violation)>,
}

#[expect(clippy::disallowed_methods, reason = "how many seeds, and which, is said from outside")]
pub(crate) fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok().filter(|text| !text.is_empty())?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable}={text} is not a number")))
}

#[test]
fn no_seed_breaks_an_invariant() {
    if let Some(seed) = number("SEED") {
        let plot = Plot::of_seed(seed);
        match story::verdict(&plot) {
            Ok(()) => return println!("seed {seed} breaks nothing"),
            Err(violation) => panic!("{}", story::tell(seed, &plot, &violation)),
        }
    }
    let seeds = number("SEEDS").unwrap_or(SEEDS);
    let began = Instant::now();
    let tally = play_all(seeds, began);
    println!("{}", table(&tally, began.elapsed().as_secs_f64()));
    if let Some((seed, violation)) = tally.failed.iter().min_by_key(|(seed, _)| *seed) {
        for (seed, Violation { invariant, words }) in &tally.failed {
            println!("seed {seed}: {invariant}: {words}");
        }
        panic!("{} seeds failed\n{}", tally.failed.len(), story::tell(*seed, &Plot::of_seed(*seed), violation));
    }
}

#[expect(clippy::print_stderr, reason = "a long run says how far it is")]
fn play_all(seeds: u64, began: Instant) -> Tally {
    let (next, tally) = (AtomicU64::new(0), Mutex::new(Tally::default()));
    // All seeds below one that failed are played to their end: the lowest is the same each time.
    let failures_max = number("FAILURES").and_then(|max| usize::try_from(max).ok()).unwrap_or(FAILURES_MAX);
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut own = Tally::default();
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seeds <= seed || tally.lock().unwrap().failed.len() >= failures_max {
                        break;
                    }
                    count(&mut own, seed, &tally);
                    if seed % 50_000 == 49_999 {
                        let rate = (seed + 1) as f64 / began.elapsed().as_secs_f64();
                        eprintln!("{} of {seeds} seeds, {rate:.0} a second", seed + 1);
                    }
                }
                tally.lock().unwrap().add(own);
            });
        }
    });
    tally.into_inner().unwrap()
}

fn count(own: &mut Tally, seed: u64, all: &Mutex<Tally>) {
    let plot = Plot::of_seed(seed);
    let played = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| play::play(&plot, false)));
    own.seeds += 1;
    let outcome = match played {
        Ok(played) => {
            own.see(&played.world);
            played.outcome
        }
        Err(_) => Err(Violation { invariant: "nothing_panics", words: "it panicked".to_owned() }),
    };
    if let Err(violation) = outcome {
        all.lock().unwrap().failed.push((seed, violation));
    }
}

impl Tally {
    fn see(&mut self, world: &sickbay::sim::world::World) {
        use sickbay::model::fact::{AlertEnded, Answer, Fact};
        use sickbay::model::incident::{EpisodeEnd, FirstSight};
        let length = |len: usize| u64::try_from(len).unwrap_or(u64::MAX);
        self.records += length(world.disk().records().len());
        self.writes += length(world.seen.writes.len());
        self.starts += length(world.seen.starts);
        for record in world.disk().records() {
            let what = match &record.fact {
                Fact::IncidentClosed(closed) => format!("closed as {}", closed.verdict),
                Fact::AlertEnded(AlertEnded { end: EpisodeEnd::NotFiring, .. }) => "ended: not_firing".to_owned(),
                Fact::ActionIntended(intended) => match &intended.witness {
                    Some(testimony) => format!("acts, and the alert is {}", testimony.says),
                    None => continue,
                },
                Fact::IncidentOpened(opened) => format!("opened another: {}", opened.origin.cause.as_str()),
                Fact::AttemptEnded(ended) => format!("try {} ended in vain", ended.attempt),
                Fact::ApprovalEnded(ended) => format!("approval {}", ended.outcome),
                Fact::VoteCast(vote) => format!("vote: {}", vote.answer),
                Fact::ConfigLoaded(loaded) if loaded.reloaded => "reloaded".to_owned(),
                Fact::AlertReceived(received) if received.sight == FirstSight::Reconsidered => {
                    "reconsidered after a reload".to_owned()
                }
                Fact::ActionReconciled(reconciled) => format!("reconciled: {}", reconciled.finding),
                Fact::Decided(decided) => match &decided.answer {
                    Answer::Refused(refusal) => format!("refused: {}", refusal.reason),
                    Answer::Run { .. } => "run".to_owned(),
                },
                _ => continue,
            };
            *self.verdicts.entry(what).or_default() += 1;
        }
    }

    fn add(&mut self, other: Self) {
        self.seeds += other.seeds;
        self.records += other.records;
        self.writes += other.writes;
        self.starts += other.starts;
        for (what, many) in other.verdicts {
            *self.verdicts.entry(what).or_default() += many;
        }
        self.failed.extend(other.failed);
    }
}

/// What was played, for whoever asks how much a green run says.
fn table(tally: &Tally, secs: f64) -> String {
    let rate = tally.seeds as f64 / secs;
    let mut table = format!("{:>10} seeds in {secs:.1} s, {rate:.0} a second\n", tally.seeds);
    let totals = [("records", tally.records), ("calls sent", tally.writes), ("starts of the daemon", tally.starts)];
    for (what, many) in totals {
        table.push_str(&format!("{many:>10} {what}\n"));
    }
    for (what, many) in &tally.verdicts {
        table.push_str(&format!("{many:>10} {what}\n"));
    }
    table.push_str(&format!("{:>10} violations\n", tally.failed.len()));
    table
}
