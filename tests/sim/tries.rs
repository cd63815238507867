//! What must hold of the tries of one incident: their order, their distance, their number, and what follows the last.

use crate::invariants::Verdict;
use crate::witness::Witness;
use sickbay::model::fact::{Answer, Fact, Record};
use sickbay::sim::clock::SimTime;
use sickbay::sim::world::World;
use std::time::Duration;

/// A try begins only after the one before it did not help, in the order of the playbook, for an alert that still fires.
pub(crate) fn tries_follow_each_other_and_only_what_did_not_help(
    witness: &Witness,
    _: &World,
    record: &Record,
    _: SimTime,
) -> Verdict {
    let Fact::Decided(decided) = &record.fact else { return Ok(()) };
    let Answer::Run { attempt, .. } = &decided.answer else { return Ok(()) };
    let ended = witness.tries.get(&decided.incident).map_or(0, |(number, _)| *number);
    let aftercare = witness.is_aftercare(decided.incident);
    let known =
        witness.playbook(decided.incident).map(|playbook| if aftercare { 1 } else { playbook.attempts.count() });
    if attempt.number != ended + 1
        || attempt.count < attempt.number
        || known.is_some_and(|known| known != attempt.count)
    {
        return Err(format!("{} begins try {attempt} after {ended} that did not help", decided.incident));
    }
    if 1 < attempt.number && witness.ended_alerts.contains(&decided.incident) {
        return Err(format!("{} begins try {attempt} although its alert had ended", decided.incident));
    }
    Ok(())
}

pub(crate) fn no_try_before_the_true_cooldown_after_the_last(
    witness: &Witness,
    _: &World,
    record: &Record,
    now: SimTime,
) -> Verdict {
    let Fact::Decided(decided) = &record.fact else { return Ok(()) };
    let (Answer::Run { .. }, Some((_, ended))) = (&decided.answer, witness.tries.get(&decided.incident)) else {
        return Ok(());
    };
    let cooldown = witness.playbook(decided.incident).map_or(Duration::ZERO, |playbook| playbook.limits.cooldown);
    if now.since(*ended) < cooldown {
        return Err(format!("{} tries again at {now}, after a try that ended at {ended}", decided.incident));
    }
    Ok(())
}

/// Dependents are restarted with their target, whatever the playbook says.
pub(crate) fn no_more_acts_than_the_tries_have(witness: &Witness, _: &World, record: &Record, _: SimTime) -> Verdict {
    let Fact::ActionIntended(intended) = &record.fact else { return Ok(()) };
    let Some(playbook) = witness.playbook(intended.act.incident).filter(|_| !intended.dependent) else { return Ok(()) };
    let tries = playbook.attempts.iter().flat_map(|attempt| &attempt.steps).collect::<Vec<_>>();
    let aftercare = witness.is_aftercare(intended.act.incident);
    let steps = if aftercare { playbook.on_resolved.iter().collect() } else { tries };
    let allowed = steps.into_iter().filter(|step| step.verb.acts()).count();
    let done = witness.acts.get(&intended.act.incident).copied().unwrap_or_default();
    if allowed <= done {
        return Err(format!("{} is one more than the {allowed} acts of {}", intended.act, playbook.name));
    }
    Ok(())
}

/// The breaker of that target is open for its time, however few the runs were.
pub(crate) fn no_run_after_the_last_of_several_tries_was_in_vain(
    witness: &Witness,
    world: &World,
    record: &Record,
    now: SimTime,
) -> Verdict {
    let Fact::Decided(decided) = &record.fact else { return Ok(()) };
    let (Answer::Run { plan: Some(_), .. }, Some(target)) = (&decided.answer, &decided.target) else { return Ok(()) };
    let breaker = world.ruleset.policy.breaker;
    match witness.last_resorts.get(target.name.as_str()) {
        Some(at) if now.since(*at) < breaker.open_for.min(breaker.per) => {
            Err(format!("{} treats {}, for which nothing was left to try at {at}", decided.incident, target.name))
        }
        _ => Ok(()),
    }
}
