//! A failing seed as a story that a person can read: shortened as far as it still fails, then told.

use crate::play::{Played, Plot, play};
use crate::witness::Violation;
use sickbay::model::fact::Fact;
use sickbay::sim::world::World;
use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// How many of the last events and records are told.
const LAST: usize = 40;

/// Plays a seed; a panic is a violation like any other.
pub(crate) fn verdict(plot: &Plot) -> Result<(), Violation> {
    let played = catch_unwind(AssertUnwindSafe(|| play(plot, false).outcome));
    played.unwrap_or_else(|_| Err(Violation { invariant: "nothing_panics", words: "it panicked".to_owned() }))
}

/// Leaves out whatever the failure does not need.
pub(crate) fn shorten(plot: &Plot, violation: &Violation) -> Plot {
    let fails = |plot: &Plot| verdict(plot).is_err_and(|found| found.invariant == violation.invariant);
    let mut short = plot.clone();
    let mut stretch = short.entries.len().div_ceil(2).max(1);
    loop {
        let mut start = 0;
        let mut dropped = false;
        while start < short.entries.len() {
            let mut without = short.clone();
            without.entries.drain(start..(start + stretch).min(short.entries.len()));
            if fails(&without) {
                short = without;
                dropped = true;
            } else {
                start += stretch;
            }
        }
        if stretch == 1 && !dropped {
            return short;
        }
        stretch = (stretch / 2).max(1);
    }
}

/// The story of a seed that failed.
pub(crate) fn tell(seed: u64, plot: &Plot, violation: &Violation) -> String {
    let short = shorten(plot, violation);
    let told = catch_unwind(AssertUnwindSafe(|| play(&short, true)));
    let mut story = format!("seed {seed} breaks {}: {}\n", violation.invariant, violation.words);
    _ = writeln!(story, "again: make sim SEED={seed}\n\nWho plays:");
    for playbook in short.cast.ruleset.playbooks.iter() {
        let steps = playbook.attempts.iter().map(|attempt| &attempt.steps);
        let verbs: Vec<Vec<&str>> = steps.map(|steps| steps.iter().map(|step| step.verb.word()).collect()).collect();
        let matchers: Vec<String> = playbook.matchers.iter().map(|matcher| format!("{matcher:?}")).collect();
        let (name, dry, limits) = (&playbook.name, playbook.dry_run, &playbook.limits);
        _ = writeln!(story, "  playbook {name}: {verbs:?} dry_run={dry} {limits:?} for {matchers:?}");
    }
    let policy = &short.cast.ruleset.policy;
    _ = writeln!(story, "  policy: {policy:?}");
    for spec in &short.cast.containers {
        let (name, labels, nature) = (&spec.name, &spec.labels, &spec.nature);
        let (policy, rm, with) = (spec.restart_policy, spec.auto_remove, &spec.lives_with);
        let checked = spec.health_check.is_some();
        _ = writeln!(story, "  container {name}: {policy:?} rm={rm} checked={checked} with={with:?} {labels:?}");
        _ = writeln!(story, "    {nature:?}");
    }
    for (number, alert) in short.cast.alerts.iter().enumerate() {
        _ = writeln!(story, "  alert {number}: {} in group {}", alert.labels, alert.group);
    }
    _ = writeln!(story, "\nWhat it needs to fail ({} of {} entries):", short.entries.len(), plot.entries.len());
    for entry in &short.entries {
        _ = writeln!(story, "  {} {}", entry.at, entry.what);
    }
    match told {
        Ok(Played { world, outcome }) => {
            _ = writeln!(story, "\nWhat happened, at last:\n{}", last_of(&world));
            if let Err(Violation { invariant, words }) = outcome {
                _ = writeln!(story, "at {}: {invariant}: {words}", world.now());
            }
        }
        Err(_) => _ = writeln!(story, "\nIt panics before its story can be told."),
    }
    story
}

/// The last events and records, in the order of their time.
fn last_of(world: &World) -> String {
    let records = world.disk().records().iter().enumerate().map(|(place, record)| {
        let words = match &record.fact {
            Fact::AlertReceived(received) => format!("{} {:?} {:?}", received.labels, received.sight, received.taken),
            other => format!("{other:?}").chars().take(400).collect(),
        };
        (world.disk().made(place), format!("    {} {} {words}", record.seq, record.fact.kind()))
    });
    let events = world.story().iter().map(|(at, words)| (*at, format!("* {words}")));
    let mut lines: Vec<_> = events.chain(records).collect();
    lines.sort_by_key(|(at, _)| *at);
    let from = lines.len().saturating_sub(LAST);
    lines[from..].iter().map(|(at, words)| format!("  {at} {words}\n")).collect()
}
