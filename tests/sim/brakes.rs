//! What must hold a run back: the breaker, a storm, what is left of a service, pauses, owners and people at work; and that
//! evidence is kept before anything is done.

use crate::invariants::Verdict;
use crate::witness::Witness;
use sickbay::model::container::{RestartPolicy, StopCause};
use sickbay::model::fact::{Answer, Fact, Record};
use sickbay::model::limit::MinHealthy;
use sickbay::model::target::{ComposeService, TargetId};
use sickbay::playbook::definition::Verb;
use sickbay::sim::clock::SimTime;
use sickbay::sim::world::{World, Write};
use std::time::Duration;

/// The breaker as the truth has it: ends that count by their true age. The daemon's own may only be stricter.
pub(crate) fn no_run_while_the_breaker_is_open(
    witness: &Witness,
    world: &World,
    record: &Record,
    now: SimTime,
) -> Verdict {
    let Fact::Decided(decided) = &record.fact else { return Ok(()) };
    let (Answer::Run { plan: Some(_), .. }, Some(target)) = (&decided.answer, &decided.target) else { return Ok(()) };
    let policy = &world.ruleset.policy;
    let (mut failures, mut last) = (0, None);
    for end in witness.ends.iter().rev().filter(|end| end.target == target.name.as_str()) {
        let age = now.since(end.at);
        if policy.breaker.per < age || end.helped && policy.relapse_within <= age {
            break;
        }
        if !end.helped {
            failures += 1;
            last.get_or_insert(end.at);
        }
    }
    match last {
        Some(at) if policy.breaker.failures <= failures && now.since(at) < policy.breaker.open_for => {
            Err(format!("{} treats {}, on which {failures} runs did not help", decided.incident, target.name))
        }
        _ => Ok(()),
    }
}

pub(crate) fn no_run_in_a_storm(witness: &Witness, _: &World, record: &Record, now: SimTime) -> Verdict {
    let incident = match &record.fact {
        Fact::Decided(decided) if witness.is_acting_run(record) => decided.incident,
        Fact::ActionIntended(intended) if !intended.dependent => intended.act.incident,
        _ => return Ok(()),
    };
    match witness.frozen {
        Some((at, freeze)) if now.since(at) < freeze => {
            Err(format!("{incident} goes on although everything is frozen since {at}, for {freeze:?}"))
        }
        _ => Ok(()),
    }
}

/// The names of the service of a container that other runs are about, and how many others there are.
fn service_of(witness: &Witness, record: &Record) -> Option<(Vec<String>, usize)> {
    let Fact::Decided(decided) = &record.fact else { return None };
    let (Answer::Run { plan: Some(_), dry_run, .. }, Some(target)) = (&decided.answer, &decided.target) else {
        return None;
    };
    let service = witness.services.get(target.name.as_str())?;
    let others = witness.services.iter().filter(|(name, own)| *own == service && **name != target.name.as_str());
    let others: Vec<String> = others.map(|(name, _)| name.clone()).collect();
    let runs = witness
        .runs
        .iter()
        .filter(|(id, run)| **id != decided.incident && run.keeps_others_away() && run.dry_run == *dry_run);
    let runs: Vec<_> = runs.map(|(_, run)| run).collect();
    let treated = others.iter().filter(|name| runs.iter().any(|run| run.is_about(name))).cloned().collect();
    Some((treated, others.len()))
}

/// However well the others are: where none is left that is not treated itself, none stays healthy.
pub(crate) fn min_healthy_is_kept(witness: &Witness, world: &World, record: &Record, _: SimTime) -> Verdict {
    let Fact::Decided(decided) = &record.fact else { return Ok(()) };
    let Some((treated, others)) = service_of(witness, record) else { return Ok(()) };
    // Whoever scales makes more of them than there were at the beginning.
    let own = decided.target.as_ref().and_then(|target| ComposeService::parse(target.service.as_deref()?));
    let now = own.and_then(|own| {
        let wall = world.clock().wall();
        world.docker().inspect_service(&TargetId::Compose(own), wall)
    });
    let others = others.max(now.map_or(0, |now| usize::try_from(now.wanted).unwrap_or_default().saturating_sub(1)));
    let limits = witness.playbook(decided.incident).map(|playbook| &playbook.limits);
    match limits.and_then(|limits| limits.min_healthy) {
        Some(MinHealthy::Count(wanted)) if others - treated.len() < usize::try_from(wanted).unwrap_or(usize::MAX) => {
            Err(format!(
                "{} leaves less than {wanted} of its service: {treated:?} of {others} are treated",
                decided.incident
            ))
        }
        _ => Ok(()),
    }
}

pub(crate) fn no_more_of_a_service_at_once_than_allowed(
    witness: &Witness,
    _: &World,
    record: &Record,
    _: SimTime,
) -> Verdict {
    let Fact::Decided(decided) = &record.fact else { return Ok(()) };
    let Some((treated, _)) = service_of(witness, record) else { return Ok(()) };
    let allowed = witness.playbook(decided.incident).map(|playbook| playbook.limits.max_parallel);
    if allowed.and_then(|allowed| usize::try_from(allowed).ok()).is_some_and(|allowed| allowed <= treated.len()) {
        return Err(format!("{} begins while {treated:?} of the same service are treated", decided.incident));
    }
    Ok(())
}

/// Unless the playbook says `capture: none`, which leaves its try without that step.
pub(crate) fn evidence_comes_before_the_act(witness: &Witness, _: &World, record: &Record, _: SimTime) -> Verdict {
    let Fact::ActionIntended(intended) = &record.fact else { return Ok(()) };
    let incident = intended.act.incident;
    // Another number of replicas destroys no evidence.
    if intended.action.word() == "scale" {
        return Ok(());
    }
    let captures = witness.work_of(incident).iter().any(|step| matches!(step.verb, Verb::Capture(_)));
    if captures && !intended.dependent && !witness.captured.contains(&incident) {
        return Err(format!("{} acts before its evidence is kept", intended.act));
    }
    Ok(())
}

/// Dry runs too: they decide as the real ones would.
pub(crate) fn never_an_act_while_paused(witness: &Witness, _: &World, record: &Record, _: SimTime) -> Verdict {
    let Fact::ActionIntended(intended) = &record.fact else { return Ok(()) };
    let run = witness.runs.get(&intended.act.incident);
    let touched = |name: &str| {
        let mut touched = std::iter::once(&intended.target).chain(&intended.dependents);
        touched.any(|target| target.name.as_str() == name) || run.is_some_and(|run| run.is_about(name))
    };
    match witness.pause_over((intended.act.incident, &intended.playbook), touched) {
        Some(scope) => Err(format!("{} acts on {} while {scope} is paused", intended.act, intended.target.name)),
        None => Ok(()),
    }
}

pub(crate) fn no_pause_ends_before_its_true_time(
    witness: &Witness,
    _: &World,
    record: &Record,
    now: SimTime,
) -> Verdict {
    match &record.fact {
        Fact::PauseCleared(cleared) if cleared.by == "sickbay" => match witness.pauses.get(&cleared.scope) {
            Some((set, Some(length), _)) if *length <= now.since(*set) => Ok(()),
            pause => Err(format!("{} ends although it stands so: {pause:?}", cleared.scope)),
        },
        _ => Ok(()),
    }
}

pub(crate) fn no_act_without_the_owners_consent(_: &Witness, world: &World, write: &Write, _: usize) -> Verdict {
    let container = write.target.id.container().and_then(|id| world.docker().inspect(id));
    let service = world.docker().inspect_service(&write.target.id, world.clock().wall());
    let labels = container.map(|one| one.spec().labels.clone()).or_else(|| service.map(|one| one.labels));
    let Some(labels) = labels else { return Ok(()) };
    let label = |key: &str| labels.get(key).map(String::as_str);
    let policy = &world.ruleset.policy;
    let no = |why: &str| Err(format!("{} acts on {}, which {why}", write.act, write.target.name));
    if label("sickbay.protect").is_some_and(|value| value != "false") {
        return no("is protected by its label");
    }
    if policy.protect.iter().any(|protected| protected.covers(write.target.name.as_str())) {
        return no("is protected by the settings");
    }
    match label("sickbay.enable") {
        Some("true") => {}
        None if !policy.require_opt_in => {}
        Some(_) | None => return no("has not opted in"),
    }
    if label("sickbay.actions").is_some_and(|listed| !listed.contains(write.action.word())) {
        return no("does not list the action");
    }
    if label("com.docker.swarm.task.id").is_some() && container.is_some() {
        return no("is Swarm's");
    }
    if container.is_some_and(|one| one.spec().auto_remove) {
        return no("is removed when it stops");
    }
    Ok(())
}

/// How long after a person's stop a call may still be on its way: two slow looks, a slow disk.
const IN_FLIGHT: Duration = Duration::from_secs(35);

/// The history is read until a minute after the end of the run. A container that is stopped while its restart policy
/// pauses ended earlier than that only if the machine slept in between; then its stop is not seen.
pub(crate) fn no_act_on_what_a_person_stopped(witness: &Witness, world: &World, write: &Write, _: usize) -> Verdict {
    if witness.slept {
        return Ok(());
    }
    let Some(id) = write.target.id.container() else { return Ok(()) };
    let (Some(container), Some(since)) = (world.docker().inspect(id), witness.stopped_by_hand.get(id)) else {
        return Ok(());
    };
    // What the run before this one stopped was stopped for this.
    let before = witness.followed_by(write.act.incident);
    let stop = |earlier: &Write| {
        Some(earlier.act.incident) == before && earlier.target.id == write.target.id && earlier.action.word() == "stop"
    };
    if world.seen.writes.iter().any(stop) {
        return Ok(());
    }
    // What nobody remembers, nobody can respect: but a stop in good order is told by its exit code.
    let remembered = container.stop_cause() == StopCause::Stopped
        || matches!(container.shown().restart_policy, RestartPolicy::Always | RestartPolicy::UnlessStopped)
        || container.shown().exit_code == 143;
    if container.stopped_by_hand() && remembered && IN_FLIGHT < world.now().since(*since) {
        return Err(format!("{} starts {}, which a person stopped at {since}", write.act, write.target.name));
    }
    Ok(())
}

/// Where clocks were set or stood still, nobody can tell how long ago it was; and what happened while an act of our own
/// was under way counts as ours.
pub(crate) fn no_act_on_what_a_person_restarted_lately(
    witness: &Witness,
    world: &World,
    write: &Write,
    place: usize,
) -> Verdict {
    let Some(id) = write.target.id.container() else { return Ok(()) };
    let hands_off = world.ruleset.policy.hands_off;
    let about = witness.runs.get(&write.act.incident).is_some_and(|run| run.is_about(write.target.name.as_str()));
    let (Some(since), true) = (witness.restarted_by_hand.get(id), about) else { return Ok(()) };
    if witness.slept || witness.wall_was_set || 1 < world.clock().boots() {
        return Ok(());
    }
    let own = world.seen.writes.iter().take(place).any(|write| write.target.id.container() == Some(id));
    let shown = world.docker().inspect(id).map(|container| container.shown());
    let started = shown.and_then(|shown| shown.started_at.parse::<chrono::DateTime<chrono::Utc>>().ok());
    let was_restarted = started.is_some_and(|started| since.true_wall() <= started);
    let ago = world.now().since(*since);
    if !own && was_restarted && IN_FLIGHT < ago && ago < hands_off {
        return Err(format!("{} acts on {}, which a person restarted {ago:?} ago", write.act, write.target.name));
    }
    Ok(())
}

pub(crate) fn every_refusal_names_what_its_gate_saw(_: &Witness, _: &World, record: &Record, _: SimTime) -> Verdict {
    let Fact::Decided(decided) = &record.fact else { return Ok(()) };
    match &decided.answer {
        Answer::Refused(refusal) if refusal.inputs.is_empty() => Err(format!("no inputs: {refusal:?}")),
        Answer::Refused(_) | Answer::Run { .. } => Ok(()),
    }
}
