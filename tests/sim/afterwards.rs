//! What must hold of incidents that other incidents opened: after the end of an alert, and for the further containers of a
//! selector.

use crate::invariants::Verdict;
use crate::witness::Witness;
use sickbay::model::fact::{Answer, Cause, Fact, Record};
use sickbay::model::id::IncidentId;
use sickbay::model::testimony::Says;
use sickbay::playbook::definition::{Playbook, Which};
use sickbay::sim::clock::SimTime;
use sickbay::sim::world::World;
use std::time::Duration;

/// How long an answer of Alertmanager's may be on its way: a slow one, and two slow looks at Docker after it.
const ANSWER_IN_FLIGHT: Duration = Duration::from_secs(30);

/// As far as sickbay was told, by whomever.
pub(crate) fn nothing_is_done_after_an_alert_that_fires(
    witness: &Witness,
    world: &World,
    record: &Record,
    now: SimTime,
) -> Verdict {
    let Fact::ActionIntended(intended) = &record.fact else { return Ok(()) };
    let incident = intended.act.incident;
    let first = witness.runs.get(&incident).is_some_and(|run| !run.has_acted());
    if !witness.is_aftercare(incident) || !first {
        return Ok(());
    }
    let Some(alert) = witness.alerts.get(&incident) else { return Err(format!("{incident} has no alert")) };
    if witness.firing.contains(alert) {
        return Err(format!("{} follows the end of an alert that fires", intended.act));
    }
    let said = intended.witness.as_ref().map(|testimony| testimony.says);
    let fires_since = world.api().and_then(|api| api.fires_since(*alert));
    match (said, fires_since) {
        (Some(Says::Firing), _) => Err(format!("{} although Alertmanager said that the alert fires", intended.act)),
        (Some(Says::NotFiring), Some(since)) if !witness.slept && ANSWER_IN_FLIGHT < now.since(since) => {
            Err(format!("{} quotes Alertmanager, which has listed the alert since {since}", intended.act))
        }
        _ => Ok(()),
    }
}

/// Whatever is opened after a run is opened when the run is over and its alert has ended, and once, unless it was called
/// off before it did anything.
pub(crate) fn at_most_one_follows_each_run(witness: &Witness, world: &World, record: &Record, _: SimTime) -> Verdict {
    let Fact::IncidentOpened(opened) = &record.fact else { return Ok(()) };
    let of = opened.origin.of;
    if opened.origin.cause != Cause::Resolved {
        return Ok(());
    }
    let no = |why: &str| Err(format!("i{} follows {of}, {why}", record.seq.0));
    if witness.is_aftercare(of) {
        return no("which itself follows the end of an alert");
    }
    if !witness.closed_runs.contains(&of) {
        return no("whose run never began, or is not over");
    }
    if witness.firing.contains(&opened.alert.fingerprint) {
        return no("whose alert fires");
    }
    if witness.followed.contains_key(&of) {
        return no("which is followed already");
    }
    match witness.playbooks_now(world, &opened.alert) {
        Some(playbook) if !playbook.on_resolved.is_empty() => Ok(()),
        Some(_) | None => no("although nothing that is loaded says so"),
    }
}

/// Asked when anything else is recorded: what should have followed by then.
pub(crate) fn every_run_is_followed_by_what_its_playbook_says(
    witness: &Witness,
    world: &World,
    record: &Record,
    _: SimTime,
) -> Verdict {
    let of_a_start = matches!(
        record.fact,
        Fact::LogOpened(_)
            | Fact::LogRecovered(_)
            | Fact::ConfigLoaded(_)
            | Fact::ClockJumped(_)
            | Fact::PauseCleared(_)
            | Fact::StormFrozen(_)
            | Fact::IncidentOpened(_)
    );
    if of_a_start {
        return Ok(());
    }
    for (of, (at, _)) in &witness.to_be_followed {
        // Of one decision's records, those that follow come last; after a crash other playbooks may be loaded.
        let loaded = witness.playbook(*of).and_then(|taker| world.ruleset.playbooks.get(&taker.name));
        if *at == record.at || !loaded.is_some_and(|playbook| follows(playbook)) {
            continue;
        }
        return Err(format!("nothing follows {of}, and {} is recorded", record.fact.kind()));
    }
    Ok(())
}

/// No container has two incidents of one selector, and each has the labels.
pub(crate) fn each_container_of_a_selector_has_one_incident(
    witness: &Witness,
    world: &World,
    record: &Record,
    _: SimTime,
) -> Verdict {
    match &record.fact {
        Fact::IncidentOpened(opened) => {
            let Cause::FurtherTarget(container) = &opened.origin.cause else { return Ok(()) };
            let of = opened.origin.of;
            if witness.further.get(&of).is_some_and(|known| known.contains(container)) {
                return Err(format!("{of} opens a second incident for {}", container.short()));
            }
            match witness.playbook(of).map(|playbook| playbook.target.as_ref().map(|target| &target.which)) {
                Some(Some(Which::Selector { max, .. })) if 1 < *max => Ok(()),
                _ => Err(format!("{of} opens another one, and its playbook is for one container")),
            }
        }
        Fact::Decided(decided) if matches!(decided.answer, Answer::Run { .. }) => {
            let Some(target) = &decided.target else { return Ok(()) };
            let Some(id) = target.id.container() else { return Ok(()) };
            if witness.further.get(&decided.incident).is_some_and(|known| known.contains(id)) {
                return Err(format!("{} takes {}, which has an incident of its own", decided.incident, target.name));
            }
            let matches = matches_selector(witness, world, (decided.incident, id));
            if matches {
                Ok(())
            } else {
                Err(format!("{} takes {}, which is not meant", decided.incident, target.name))
            }
        }
        _ => Ok(()),
    }
}

/// Labels never change; a container that is gone by now cannot be asked.
fn matches_selector(
    witness: &Witness,
    world: &World,
    (incident, id): (IncidentId, &sickbay::model::target::ContainerId),
) -> bool {
    let Some(Which::Selector { labels, .. }) =
        witness.playbook(incident).and_then(|playbook| playbook.target.as_ref()).map(|target| &target.which)
    else {
        return true;
    };
    let Some(container) = world.docker().inspect(id) else { return true };
    labels.iter().all(|(name, _)| container.spec().labels.contains_key(name))
}

/// Whether anything in a playbook follows the end of its alert.
pub(crate) fn follows(playbook: &Playbook) -> bool {
    playbook.enabled && !playbook.on_resolved.is_empty()
}
