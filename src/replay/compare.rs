//! What two replays of one history decided differently, alert by alert.

use super::tally::{Act, Decision, Outcome};
use crate::model::label::Fingerprint;
use std::collections::HashMap;

/// An alert that is decided differently.
#[derive(Clone, Debug)]
pub struct Difference<'a> {
    /// As it was decided before; `None` if it was not seen as an alert of its own.
    pub old: Option<&'a Outcome>,
    /// As it is decided now.
    pub new: Option<&'a Outcome>,
    /// In what.
    pub changes: Vec<Change>,
    /// Whether something is done now that was not done before.
    pub acts_more: bool,
}

/// One thing that is different.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// `playbook`, `decision`, `approvals`, `unanswered`, `actions`, `notices` or `verdict`.
    pub what: &'static str,
    /// Before.
    pub old: String,
    /// Now.
    pub new: String,
}

/// What an alert is asked for.
type Ask = fn(&Outcome) -> String;

/// Compares them; differences in the order in which the alerts came.
#[must_use]
pub fn compare<'a>(old: &'a [Outcome], new: &'a [Outcome]) -> Vec<Difference<'a>> {
    let mut before: HashMap<(usize, Fingerprint), &Outcome> = old.iter().map(|one| (one.key(), one)).collect();
    let mut found: Vec<Difference<'a>> =
        new.iter().filter_map(|now| difference(before.remove(&now.key()), Some(now))).collect();
    found.extend(before.into_values().filter_map(|gone| difference(Some(gone), None)));
    let place = |one: &Difference<'_>| one.new.or(one.old).map(Outcome::key);
    found.sort_by_key(|one| place(one).map(|(entry, fingerprint)| (entry, fingerprint.0)));
    found
}

fn difference<'a>(old: Option<&'a Outcome>, new: Option<&'a Outcome>) -> Option<Difference<'a>> {
    let asked: [(&'static str, Ask); 7] = [
        ("playbook", playbook),
        ("decision", decisions),
        ("approvals", |outcome| outcome.approvals.to_string()),
        ("unanswered", unanswered),
        ("actions", |outcome| acts(&outcome.actions)),
        ("notices", |outcome| some(&outcome.notices.join(", "))),
        ("verdict", verdict),
    ];
    let told = |outcome: Option<&Outcome>, ask: Ask| outcome.map_or_else(not_seen, ask);
    let changes = asked.into_iter().map(|(what, ask)| Change { what, old: told(old, ask), new: told(new, ask) });
    let changes: Vec<Change> = changes.filter(|change| change.old != change.new).collect();
    let acts_more = acts_more(old, new);
    (!changes.is_empty()).then_some(Difference { old, new, changes, acts_more })
}

fn not_seen() -> String {
    "not seen".to_owned()
}

fn playbook(outcome: &Outcome) -> String {
    match (outcome.playbook(), outcome.nobody()) {
        (Some(playbook), _) => playbook.to_string(),
        (None, Some(reason)) => format!("nobody ({reason})"),
        (None, None) => "nobody".to_owned(),
    }
}

fn decisions(outcome: &Outcome) -> String {
    let word = |decision: &Decision| match decision {
        Decision::Run { dry_run: false, .. } => "run".to_owned(),
        Decision::Run { dry_run: true, .. } => "dry run".to_owned(),
        Decision::Refused { gate, reason, .. } => format!("refused by {gate}: {reason}"),
    };
    some(&outcome.decisions.iter().map(word).collect::<Vec<_>>().join(", then "))
}

/// Nobody knows what people would say to what they were not asked.
fn unanswered(outcome: &Outcome) -> String {
    match outcome.unanswered {
        0 => "0".to_owned(),
        count => format!("{count} (a new approval would be asked; nobody is assumed to answer)"),
    }
}

fn acts(actions: &[Act]) -> String {
    some(&actions.iter().map(act).collect::<Vec<_>>().join(", "))
}

fn act(act: &Act) -> String {
    let dry = if act.dry_run { " (dry run)" } else { "" };
    format!("{} {}{dry}", act.op, act.target)
}

fn verdict(outcome: &Outcome) -> String {
    match outcome.verdict {
        None => "open".to_owned(),
        Some((verdict, None)) => verdict.to_string(),
        Some((verdict, Some(reason))) => format!("{verdict} ({reason})"),
    }
}

fn some(text: &str) -> String {
    if text.is_empty() { "none".to_owned() } else { text.to_owned() }
}

/// Whether an action is among the new ones that has no like among the old ones.
fn acts_more(old: Option<&Outcome>, new: Option<&Outcome>) -> bool {
    let of = |outcome: Option<&Outcome>| -> Vec<String> {
        let real = outcome.into_iter().flat_map(|outcome| &outcome.actions).filter(|act| !act.dry_run);
        real.map(act).collect()
    };
    let mut before = of(old);
    of(new).into_iter().any(|now| match before.iter().position(|known| *known == now) {
        Some(place) => {
            before.swap_remove(place);
            false
        }
        None => true,
    })
}
