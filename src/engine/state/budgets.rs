//! What is left of the limits of each loaded playbook, for readers. The counting is the gate's own ([`Account`]).

use super::State;
use crate::engine::gate::Account;
use crate::engine::ruleset::Ruleset;
use crate::engine::snapshot::{BreakerSummary, PlaybookBudget, Room};
use crate::model::limit::Scope;
use crate::model::memory::Attempt;
use crate::model::moment::Moment;
use crate::model::policy::Policy;
use crate::model::target::host_of;
use crate::playbook::definition::Playbook;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

/// How many groups of each playbook are listed, those charged last; and how many of all together.
const GROUPS_MAX: usize = 20;

/// See [`GROUPS_MAX`].
const ALL_GROUPS_MAX: usize = 1000;

/// What playbooks were charged for, the latest first.
type Charged<'a> = BTreeMap<&'a str, Vec<&'a Attempt>>;

impl State {
    /// What is left of the limits of each loaded playbook.
    pub(super) fn budgets(&self, ruleset: &Ruleset, breakers: &[BreakerSummary], now: &Moment) -> Vec<PlaybookBudget> {
        let mut charged = Charged::new();
        let attempts: Vec<&Attempt> = self.ledger.iter().collect();
        for attempt in attempts.into_iter().rev() {
            charged.entry(&attempt.playbook).or_default().push(attempt);
        }
        let mut places = ALL_GROUPS_MAX;
        let of = |playbook: &Arc<Playbook>| {
            let charged = charged.get(&*playbook.name).map(Vec::as_slice).unwrap_or_default();
            let mut budget = self.budget((&ruleset.policy, playbook), charged, now, &mut places);
            let treated = |target: &&Arc<str>| charged.iter().any(|attempt| attempt.target.as_ref() == Some(*target));
            budget.breakers = breakers.iter().map(|breaker| &breaker.target).filter(treated).cloned().collect();
            budget
        };
        ruleset.playbooks.iter().map(of).collect()
    }

    fn budget(
        &self,
        (policy, playbook): (&Policy, &Playbook),
        charged: &[&Attempt],
        now: &Moment,
        places: &mut usize,
    ) -> PlaybookBudget {
        let dry_run = policy.dry_run || playbook.dry_run;
        let account = |attempt: Option<&Attempt>| Account {
            ledger: &self.ledger,
            policy,
            playbook,
            target: attempt.and_then(|attempt| attempt.target.clone()),
            key: attempt.map(|attempt| attempt.key.clone()).unwrap_or_default(),
            dry_run,
            aftercare: false,
            incident: None,
        };
        // Nothing reaches further back.
        let windows = playbook.limits.windows.iter().chain(&policy.per_target).map(|window| window.per);
        let reach = windows.chain([playbook.limits.cooldown]).max().unwrap_or_default();
        let counts = |attempt: &Attempt| attempt.ended.is_none_or(|end| !now.remaining(&end, reach).is_zero());
        let counted = || charged.iter().copied().filter(|attempt| attempt.dry_run == dry_run && counts(attempt));
        let place = (*places).min(GROUPS_MAX);
        let groups = first(counted().filter(|attempt| is_counted_so(attempt, playbook)), place, |attempt| {
            group(attempt, playbook)
        });
        let targets = first(counted().filter(|attempt| attempt.target.is_some()), place, |attempt| {
            attempt.target.iter().map(ToString::to_string).collect()
        });
        *places -= groups.of.len().max(targets.of.len());
        let mut rooms: Vec<Room> = Vec::new();
        let mut chills = Vec::new();
        for attempt in &groups.of {
            let account = account(Some(*attempt));
            rooms.extend(account.of_playbook(now).filter(|room| room.level.next.is_some()));
            chills.extend(account.chill(now));
        }
        for attempt in &targets.of {
            let account = account(Some(*attempt));
            rooms.extend(account.of_target(now).filter(|room| room.level.next.is_some()));
        }
        rooms.extend(account(None).of_all(now));
        PlaybookBudget {
            playbook: Arc::clone(&playbook.name),
            enabled: playbook.enabled,
            dry_run,
            limits: playbook.limits.clone(),
            rooms,
            chills,
            breakers: Vec::new(),
            more: groups.more || targets.more,
        }
    }
}

/// The latest of each group.
struct First<'a> {
    of: Vec<&'a Attempt>,
    more: bool,
}

fn first<'a>(
    attempts: impl Iterator<Item = &'a Attempt>,
    count: usize,
    group: impl Fn(&Attempt) -> Vec<String>,
) -> First<'a> {
    let (mut seen, mut of) = (HashSet::new(), Vec::new());
    for attempt in attempts {
        if seen.insert(group(attempt)) {
            if of.len() == count {
                return First { of, more: true };
            }
            of.push(attempt);
        }
    }
    First { of, more: false }
}

/// Whether the playbook's own limits count an attempt, and by what they count now: what was counted by other labels,
/// before a reload, is part of every group.
fn is_counted_so(attempt: &Attempt, playbook: &Playbook) -> bool {
    let names = || attempt.key.iter().map(|(name, _)| &**name);
    !attempt.aftercare && names().eq(playbook.limits.key.iter().map(|name| &**name))
}

/// What tells a group from others.
fn group(attempt: &Attempt, playbook: &Playbook) -> Vec<String> {
    let target = attempt.target.as_deref();
    match playbook.limits.scope {
        _ if !attempt.key.is_empty() => {
            attempt.key.iter().flat_map(|(name, value)| [name.clone(), value.clone()]).collect()
        }
        Scope::Target => target.iter().map(ToString::to_string).collect(),
        Scope::Host => host_of(target.unwrap_or_default()).name().iter().map(ToString::to_string).collect(),
        Scope::Playbook => Vec::new(),
    }
}
