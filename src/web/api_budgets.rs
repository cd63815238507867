//! The JSON about limits: how full each window is, and what is left. The numbers are the gate's own.
//!
//! The shapes are stable: fields are added, never renamed or removed. Read [`RoomLeft`] first.

use super::api::end_of;
use crate::engine::snapshot::{Chill, PlaybookBudget, Room, Whose};
use crate::model::duration::format_duration;
use crate::model::limit::{Limits, Scope};
use serde::{Deserialize, Serialize};

/// How full a window of the limits is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomLeft {
    /// Whose limit: `playbook`, `per_target` or `global`.
    pub whose: String,
    /// What is counted together: a target, a host, values of labels, or everything. Untrusted text.
    #[serde(default)]
    pub of: String,
    /// So many runs are allowed.
    pub runs: u32,
    /// In any stretch of this length.
    pub per: String,
    /// So many were begun in it.
    pub used: u64,
    /// So many more may be begun now.
    #[serde(default)]
    pub left: u64,
    /// When one more may be begun than now, at the earliest: later if the machine was off, or its clock was set. Null if
    /// none was begun.
    #[serde(default)]
    pub next: Option<String>,
}

/// A cooldown that is not over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CooldownLeft {
    /// What is counted together. Untrusted text.
    pub of: String,
    /// When it is over, at the earliest; null while a run is under way: it begins with the end of that.
    pub until: Option<String>,
}

/// What is left of the limits of a loaded playbook. What it has not treated lately is not listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BudgetLeft {
    /// Its limits in words, and what becomes of its runs.
    pub words: String,
    /// Whether it takes alerts.
    pub enabled: bool,
    /// Whether its runs are dry runs: these alone are counted here.
    pub dry_run: bool,
    /// Each window that holds a run, and those over all playbooks.
    pub limits: Vec<RoomLeft>,
    /// The cooldowns that are not over.
    pub cooldowns: Vec<CooldownLeft>,
    /// Of the targets that it has treated, those whose breaker is open.
    pub breakers: Vec<String>,
    /// Whether some that were charged longest ago are left out.
    pub more: bool,
}

impl From<&Room> for RoomLeft {
    fn from(Room { whose, of, level }: &Room) -> Self {
        let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        Self {
            whose: whose.as_str().to_owned(),
            of: of.clone(),
            runs: level.window.runs,
            per: format_duration(level.window.per),
            used: number(level.used),
            left: number(level.left()),
            next: level.next.and_then(|next| end_of(next.charged.wall, level.window.per)),
        }
    }
}

impl CooldownLeft {
    /// Of a playbook with these limits.
    pub(super) fn of(Chill { of, cooling }: &Chill) -> Self {
        Self { of: of.clone(), until: cooling.since.and_then(|since| end_of(since.wall, cooling.whole)) }
    }
}

impl From<&PlaybookBudget> for BudgetLeft {
    fn from(budget: &PlaybookBudget) -> Self {
        let PlaybookBudget { playbook: _, enabled, dry_run, limits: _, rooms, chills, breakers, more } = budget;
        Self {
            words: words(budget),
            enabled: *enabled,
            dry_run: *dry_run,
            limits: rooms.iter().map(RoomLeft::from).collect(),
            cooldowns: chills.iter().map(CooldownLeft::of).collect(),
            breakers: breakers.iter().map(ToString::to_string).collect(),
            more: *more,
        }
    }
}

fn words(budget: &PlaybookBudget) -> String {
    let Limits { windows, scope, key, cooldown, .. } = &budget.limits;
    let windows = windows.iter().map(|window| format!("{} runs per {}", window.runs, format_duration(window.per)));
    let windows = windows.collect::<Vec<_>>().join(" and ");
    let together = match scope {
        _ if !key.is_empty() => format!("for each {}", key.iter().map(|name| &**name).collect::<Vec<_>>().join(", ")),
        Scope::Target => "for each target".to_owned(),
        Scope::Playbook => "for all its targets together".to_owned(),
        Scope::Host => "for each Docker host".to_owned(),
    };
    let cooldown = if cooldown.is_zero() {
        "no cooldown".to_owned()
    } else {
        format!("a cooldown of {}", format_duration(*cooldown))
    };
    let mut words = format!("{windows} {together}, {cooldown}");
    if budget.rooms.iter().all(|room| room.whose != Whose::Global) {
        words.push_str("; the settings set no limit over all playbooks");
    }
    if !budget.enabled {
        words.push_str("; disabled: it takes no alert");
    }
    if budget.dry_run {
        words.push_str("; dry run: it changes nothing, and dry runs alone are counted here");
    }
    words
}
