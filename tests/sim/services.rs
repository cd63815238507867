//! Services and limits in a seed's story: who plays, what befalls them, and what must hold.
//!
//! All of it is drawn from a generator of its own, so that the rest of a seed's story is the same without.

use crate::cast::{Cast, one_in, secs, window};
use crate::invariants::Verdict;
use crate::schedule::{Entry, What};
use crate::witness::Witness;
use fastrand::Rng;
use sickbay::engine::ruleset::Ruleset;
use sickbay::model::action::{Action, ServiceAction};
use sickbay::model::fact::{ActionIntended, Fact, Record};
use sickbay::model::limit::{Limits, MinHealthy, Scope};
use sickbay::model::matcher::parse_matchers;
use sickbay::model::reason::Reason;
use sickbay::model::resources::ResourceLimits;
use sickbay::model::service::{Mode, Service};
use sickbay::model::target::{ContainerName, TargetId, TargetName};
use sickbay::playbook::definition::{Playbook, ScaleChange, ScaleSpec, Verb};
use sickbay::playbook::index::Playbooks;
use sickbay::playbook::{RuleFile, load};
use sickbay::sim::clock::SimTime;
use sickbay::sim::container::Life;
use sickbay::sim::docker::Caller;
use sickbay::sim::input::Input;
use sickbay::sim::service::{Definition, OnFailure, Rollout, ServiceSpec, ServiceTouch};
use sickbay::sim::services::ServiceChange;
use sickbay::sim::world::{World, Write};
use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::Duration;

/// The shapes, read once.
static SHAPES: LazyLock<Vec<Playbook>> = LazyLock::new(|| {
    let file = RuleFile { path: "services.yaml".to_owned(), text: include_str!("services.yaml").to_owned() };
    let loaded = load(&[file]);
    assert!(!loaded.has_errors(), "{:?}", loaded.problems);
    loaded.playbooks
});

/// A generator that takes nothing from the story's own.
pub(crate) fn aside(rng: &Rng) -> Rng {
    Rng::with_seed(rng.clone().u64(..) ^ 0x5e41)
}

/// In some stories, services join the cast.
pub(crate) fn join(cast: Cast, rng: &mut Rng) -> Cast {
    if !one_in(rng, 3) {
        return cast;
    }
    let services = (0..rng.usize(1..=2)).map(|number| service(rng, number)).collect();
    let mut playbooks: Vec<Playbook> = (0..rng.usize(1..=2)).map(|number| playbook(rng, number)).collect();
    playbooks.extend(cast.ruleset.playbooks.iter().map(|old| Playbook::clone(old)));
    let mut containers = cast.containers;
    for spec in &mut containers {
        let memory = rng.u64(64..256) << 20;
        let memory_swap = if rng.bool() { -1 } else { i64::try_from(memory * 2).unwrap() };
        spec.limits = ResourceLimits { memory, memory_swap, nano_cpus: rng.u64(1..20) * 100_000_000, cpu_quota: false };
    }
    let ruleset = Ruleset::new(Playbooks::new(playbooks), cast.ruleset.policy);
    Cast { ruleset, containers, services, ..cast }
}

fn playbook(rng: &mut Rng, number: usize) -> Playbook {
    let matcher = match rng.u32(..3) {
        0 => r#"alertname=~"A[01]""#.to_owned(),
        _ => format!(r#"alertname="A{}""#, rng.u32(..3)),
    };
    let cooldown = if rng.bool() { Duration::ZERO } else { secs(rng.u64(5..200)) };
    let windows = vec![window(rng)];
    let min_healthy = one_in(rng, 4).then_some(MinHealthy::Count(1));
    Playbook {
        name: format!("s{number}").into(),
        revision: "r0".into(),
        matchers: parse_matchers(&matcher).unwrap().matchers,
        limits: Limits { windows, scope: Scope::Target, key: Vec::new(), cooldown, max_parallel: 1, min_healthy },
        dry_run: one_in(rng, 10),
        ..SHAPES[rng.usize(..SHAPES.len())].clone()
    }
}

fn service(rng: &mut Rng, number: usize) -> ServiceSpec {
    let mut labels = BTreeMap::from([("sickbay.enable".to_owned(), "true".to_owned())]);
    match rng.u32(..20) {
        0 => drop(labels.remove("sickbay.enable")),
        1 => drop(labels.insert("sickbay.protect".to_owned(), "true".to_owned())),
        2 => drop(labels.insert("sickbay.scale.max".to_owned(), "3".to_owned())),
        3 => drop(labels.insert("sickbay.scale.max".to_owned(), "many".to_owned())),
        4 => drop(labels.insert("sickbay.actions".to_owned(), "scale".to_owned())),
        _ => {}
    }
    let on_failure = [OnFailure::Pause, OnFailure::Continue, OnFailure::Rollback][rng.usize(..3)];
    let monitor = Duration::from_millis(rng.u64(500..6_000));
    let rollout = Rollout { parallelism: rng.u32(1..=2), start_first: rng.bool(), monitor, on_failure };
    let replicas = if one_in(rng, 15) { 0 } else { rng.u32(1..=4) };
    let (image, rest) = ("app:0".to_owned(), "x".to_owned());
    ServiceSpec {
        name: ContainerName::parse(&format!("w-s{number}")).unwrap(),
        definition: Definition { image, rest, replicas, force_update: 0 },
        mode: if one_in(rng, 15) { Mode::Global } else { Mode::Replicated },
        labels,
        most: one_in(rng, 8).then_some(3),
        rollout,
        start_takes: Duration::from_millis(rng.u64(50..4_000)),
        lives: (0..rng.usize(1..=6)).map(|_| life(rng)).collect(),
    }
}

fn life(rng: &mut Rng) -> Life {
    let well = Life { healthy_after: Some(Duration::from_millis(rng.u64(50..4_000))), ..Life::default() };
    match rng.u32(..12) {
        0 => Life { fails_to_start: true, ..well },
        1 => Life { dies: Some((secs(rng.u64(5..300)), 1)), ..well },
        2 => Life { healthy_after: None, ..well },
        _ => well,
    }
}

/// People scale and deploy, and replicas die.
pub(crate) fn befall(rng: &Rng, cast: &Cast, length: Duration, entries: &mut Vec<Entry>) {
    let rng = &mut aside(rng);
    if cast.services.is_empty() {
        return;
    }
    let last = u64::try_from(length.as_millis()).unwrap();
    for _ in 0..rng.usize(..=7) {
        let at = SimTime(rng.u64(1_000..last));
        let name = if one_in(rng, 3) {
            TargetName::parse(&format!("shop/s{}", rng.u32(..3))).unwrap()
        } else {
            TargetName::from(&cast.services[rng.usize(..cast.services.len())].name)
        };
        let touch = match rng.u32(..10) {
            0..=2 => ServiceTouch::Scale(rng.u32(..6)),
            3 | 4 => ServiceTouch::Deploy(format!("app:{}", rng.u32(..4))),
            5 if one_in(rng, 3) => ServiceTouch::Obstruct(Reason::FixedPort),
            5 => ServiceTouch::ForceUpdate,
            6 if one_in(rng, 3) => ServiceTouch::Remove,
            6..=8 => ServiceTouch::KillOne,
            _ => ServiceTouch::SickenOne,
        };
        entries.push(Entry { at, what: What::World(Input::TouchService(name, touch)) });
    }
}

fn scaled(action: &Action) -> Option<(u32, u32, u32)> {
    match action {
        Action::Service(ServiceAction::Scale { from, to, original }) => Some((*from, *to, *original)),
        _ => None,
    }
}

/// The scale steps of the playbook that an act was made for.
fn scale_steps<'a>(witness: &'a Witness, write: &Write) -> impl Iterator<Item = &'a ScaleSpec> {
    let playbook = witness.playbook(write.act.incident);
    let steps = playbook
        .into_iter()
        .flat_map(|playbook| playbook.attempts.iter().flat_map(|attempt| &attempt.steps).chain(&playbook.on_resolved));
    steps.filter_map(|step| match &step.verb {
        Verb::Scale(spec) => Some(spec),
        _ => None,
    })
}

/// By the playbook, by the owner's label and by what the placement allows; and never to nothing.
pub(crate) fn replicas_stay_within_bounds(witness: &Witness, world: &World, write: &Write, _: usize) -> Verdict {
    let Some((from, to, original)) = scaled(&write.action) else { return Ok(()) };
    let service = world.docker().inspect_service(&write.target.id, world.clock().wall());
    let label = |key: &str| service.as_ref().and_then(|service| service.labels.get(key)?.parse::<u32>().ok());
    let most = [label("sickbay.scale.max"), service.as_ref().and_then(|service| service.most)];
    let most = most.into_iter().flatten().min().unwrap_or(u32::MAX);
    let means = |spec: &&ScaleSpec| {
        let within = spec.min <= to && spec.max.is_none_or(|max| to <= max);
        let towards = match spec.change {
            ScaleChange::By(by) => to.abs_diff(from) <= by.unsigned_abs().max(spec.min) && (from < to) == (0 < by),
            ScaleChange::To(wanted) => to == wanted,
            ScaleChange::ToOriginal => to == original.max(spec.min),
        };
        within && towards
    };
    let allowed = scale_steps(witness, write).any(|spec| means(&spec));
    // What cannot be copied is told before anything is begun.
    let copyable = |service: &Service| {
        service.is_swarm() || service.labels.get("sickbay.scale.enable").is_some_and(|value| value == "true")
    };
    if from < to && service.as_ref().is_some_and(|service| !copyable(service)) {
        return Err(format!("{} copies replicas of {}, which nobody allowed", write.act, write.target.name));
    }
    if from == to || to == 0 || !allowed || (from < to && most < to) {
        return Err(format!("{} scales {} from {from} to {to}", write.act, write.target.name));
    }
    Ok(())
}

/// Of what a service is to be, only what the action is for has moved; and it was as it was decided on.
pub(crate) fn a_change_moves_nothing_but_what_it_is_for(_: &Witness, world: &World) -> Verdict {
    for change in &world.seen.service_changes {
        let Some(Caller::Daemon(place)) = change.by else { continue };
        let write = &world.seen.writes[place];
        let ServiceChange { before, after, .. } = change;
        let want = match &write.action {
            Action::Service(ServiceAction::Scale { from, to, .. }) if before.replicas == *from => {
                Definition { replicas: *to, ..before.clone() }
            }
            Action::Service(ServiceAction::ForceUpdate { counter }) => {
                Definition { force_update: *counter, ..before.clone() }
            }
            Action::Service(ServiceAction::Rollback { from_image, to_image }) if before.image == *from_image => {
                Definition { image: to_image.clone(), force_update: after.force_update, ..before.clone() }
            }
            _ => return Err(format!("{} changed {change:?}", write.act)),
        };
        if *after != want {
            return Err(format!("{} made {after:?} of {before:?}", write.act));
        }
    }
    Ok(())
}

fn on_service(record: &Record) -> Option<(&ActionIntended, &sickbay::model::service::ServiceVitals)> {
    let Fact::ActionIntended(intended) = &record.fact else { return None };
    Some((intended, intended.pre.service()?))
}

/// Whichever of them Docker takes.
pub(crate) fn the_last_healthy_replica_stays(_: &Witness, _: &World, record: &Record, _: SimTime) -> Verdict {
    let Some((intended, pre)) = on_service(record) else { return Ok(()) };
    match scaled(&intended.action) {
        Some((from, to, _)) if to < from && pre.healthy <= from - to => {
            Err(format!("{} takes {} of {} healthy replicas away", intended.act, from - to, pre.healthy))
        }
        _ => Ok(()),
    }
}

pub(crate) fn no_change_while_an_update_is_under_way(_: &Witness, _: &World, record: &Record, _: SimTime) -> Verdict {
    let Some((intended, pre)) = on_service(record) else { return Ok(()) };
    match pre.update.as_deref() {
        Some("updating" | "rollback_started" | "paused" | "rollback_paused") => {
            Err(format!("{} changes {} while it is {:?}", intended.act, intended.target.name, pre.update))
        }
        _ => Ok(()),
    }
}

/// How long a look may have been on its way.
const IN_FLIGHT: Duration = Duration::from_secs(35);

/// Where clocks were set or stood still, nobody can tell how long ago it was.
pub(crate) fn no_change_of_what_others_changed_lately(
    witness: &Witness,
    world: &World,
    record: &Record,
    now: SimTime,
) -> Verdict {
    let Some((intended, _)) = on_service(record) else { return Ok(()) };
    if witness.slept || witness.wall_was_set || 1 < world.clock().boots() {
        return Ok(());
    }
    let mut changes = world.seen.service_changes.iter().filter(|change| change.id == intended.target.id);
    let Some(last) = changes.rfind(|change| change.at <= now) else { return Ok(()) };
    let ago = now.since(last.at);
    // What was changed and changed back shows nowhere: tasks move by themselves, and so do the versions of a service.
    let of_service = world.seen.service_changes.iter().filter(|change| change.id == intended.target.id);
    let ours = of_service.rev().find(|change| matches!(change.by, Some(Caller::Daemon(_))));
    if ours.is_some_and(|ours| ours.after == last.after) {
        return Ok(());
    }
    if last.by == Some(Caller::Person) && IN_FLIGHT < ago && ago < world.ruleset.policy.hands_off {
        return Err(format!("{} changes {}, which a person did {ago:?} ago", intended.act, intended.target.name));
    }
    Ok(())
}

/// Recorded with the first change, and the same in each one after it.
pub(crate) fn the_original_is_the_number_before_the_run(
    witness: &Witness,
    world: &World,
    record: &Record,
    _: SimTime,
) -> Verdict {
    let Some((intended, _)) = on_service(record) else { return Ok(()) };
    let Some((from, _, original)) = scaled(&intended.action) else { return Ok(()) };
    let before = witness.followed_by(intended.act.incident);
    let of_the_same = |earlier: &&Record| {
        earlier.seq < record.seq
            && on_service(earlier).is_some_and(|(known, _)| {
                (known.act.incident == intended.act.incident || Some(known.act.incident) == before)
                    && known.target.id == intended.target.id
                    && scaled(&known.action).is_some()
            })
    };
    let first = world.disk().records().iter().find(of_the_same);
    let first =
        first.and_then(|first| scaled(&on_service(first)?.0.action)).map_or(from, |(first_from, ..)| first_from);
    if original == first {
        return Ok(());
    }
    Err(format!("{} says that there were {original} replicas before the run, and there were {first}", intended.act))
}

/// Neither is one treated while the other is.
pub(crate) fn no_service_and_its_container_at_once(
    witness: &Witness,
    _: &World,
    record: &Record,
    _: SimTime,
) -> Verdict {
    let Fact::ActionIntended(intended) = &record.fact else { return Ok(()) };
    let others = |name: &str| {
        let others = witness.runs.iter().filter(|(id, _)| **id != intended.act.incident);
        others.map(|(_, run)| run).any(|run| run.keeps_others_away() && run.holds(name))
    };
    let of_service = |service: &str| {
        let name = service.strip_prefix("shop/").unwrap_or_default().to_owned();
        witness.services.iter().filter(move |(_, own)| **own == name).map(|(name, _)| name.clone())
    };
    let held = match (&intended.target.id, &intended.target.service) {
        (TargetId::Compose(_), Some(service)) => of_service(service).find(|name| others(name)),
        (TargetId::Container(_), Some(service)) => Some(service.to_string()).filter(|name| others(name)),
        _ => None,
    };
    match held {
        Some(held) => Err(format!("{} is at {} while {held} is treated", intended.act, intended.target.name)),
        None => Ok(()),
    }
}

/// What one of our rollbacks left behind is not brought back by another one.
pub(crate) fn a_rollback_is_not_taken_back(_: &Witness, world: &World, write: &Write, place: usize) -> Verdict {
    let Action::Service(ServiceAction::Rollback { to_image, .. }) = &write.action else { return Ok(()) };
    let earlier = world.seen.writes.iter().take(place).rev().find_map(|earlier| match &earlier.action {
        Action::Service(ServiceAction::Rollback { from_image, .. }) if earlier.target.id == write.target.id => {
            Some(from_image)
        }
        _ => None,
    });
    if earlier == Some(to_image) {
        return Err(format!("{} brings {to_image} back, which was rolled back", write.act));
    }
    Ok(())
}

/// By what `services.yaml` says: memory to 200 MiB, one and a half CPUs.
pub(crate) fn limits_are_raised_within_their_bounds(_: &Witness, _: &World, write: &Write, _: usize) -> Verdict {
    let Action::UpdateLimits(change) = &write.action else { return Ok(()) };
    let (from, to) = (change.from, change.to);
    let raised = from.memory < to.memory && from.nano_cpus < to.nano_cpus;
    let swap = to.memory_swap == -1 || to.memory <= u64::try_from(to.memory_swap).unwrap_or_default();
    if !raised || 200 << 20 < to.memory || 1_500_000_000 < to.nano_cpus || !swap {
        return Err(format!("{} gives {} the limits {to:?} after {from:?}", write.act, write.target.name));
    }
    Ok(())
}
