//! From what an `update_limits` step asks for to exact limits, by a look that is fresh.
//!
//! What is raised ends at its bound. What is taken back is what the run itself has set, on the very container, and only
//! where what runs in it has room: the kernel kills what does not fit. Read [`aim`], then [`has_room`].

use super::advance;
use super::gate::Question;
use super::incident::Incident;
use crate::model::container::{Container, ContainerState, MemoryInUse, TargetView};
use crate::model::memory::LimitsRaised;
use crate::model::reason::Reason;
use crate::model::resources::{LimitsChange, ResourceLimits, cpus, in_use_max, mebibytes};
use crate::playbook::definition::{LimitsSpec, Playbook, RaiseCpus, RaiseMemory, Step, Verb};

/// Less memory than this Docker does not give.
const MEMORY_MIN: u64 = 6 * 1024 * 1024;

/// What an `update_limits` step comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Aim {
    /// Other limits.
    Change(LimitsChange),
    /// They are as they are to be; in words.
    NotNeeded(String),
}

/// A reason, and the words for it.
type No = (Reason, String);

/// Which limits a step means.
///
/// # Errors
/// Why the step cannot be done.
pub(super) fn aim(question: &Question<'_>, spec: &LimitsSpec, container: &Container) -> Result<Aim, No> {
    match spec {
        LimitsSpec::Raise { memory, cpus } => more((*memory, *cpus), container).map(Aim::Change),
        LimitsSpec::ToOriginal => taken_back(question, container),
    }
}

/// The limits of before the run first raised them; of each kind that it raised and nobody else has changed since.
fn taken_back(question: &Question<'_>, container: &Container) -> Result<Aim, No> {
    let (name, now) = (&container.name, container.limits);
    let (raised, of) = (question.state.raised(), question.original_of());
    let Some(known) = raised.of(of, &container.id) else {
        if raised.has(of) {
            let words = format!("{name} was made anew since its limits were raised, and what was raised went with it");
            return Ok(Aim::NotNeeded(words));
        }
        let detail = format!("nobody recorded which limits {name} had before: the run did not raise them");
        return Err((Reason::NoOriginal, detail));
    };
    let to = before((known, name.as_str()), now)?;
    if to == now {
        return Ok(Aim::NotNeeded(format!("{name} has the limits that it had before")));
    }
    Ok(Aim::Change(LimitsChange { from: now, to }))
}

fn before((known, name): (&LimitsRaised, &str), now: ResourceLimits) -> Result<ResourceLimits, No> {
    let LimitsRaised { original, left, .. } = known;
    let changed = |is: String, left: String| {
        let detail = format!("{name} may use {is} and the run left {left}: somebody else has changed its limits");
        Err((Reason::LimitsChanged, detail))
    };
    let mut to = now;
    let memory = |limits: &ResourceLimits| (limits.memory, limits.memory_swap);
    if memory(original) != memory(left) && memory(original) != memory(&now) {
        if memory(&now) != memory(left) {
            return changed(of_memory(now), of_memory(*left));
        }
        // Docker takes 0 for "as it is".
        let swap =
            if original.memory_swap == 0 { now.with_memory(original.memory).memory_swap } else { original.memory_swap };
        to = ResourceLimits { memory: original.memory, memory_swap: swap, ..to };
    }
    if original.nano_cpus != left.nano_cpus && original.nano_cpus != now.nano_cpus {
        if (now.nano_cpus, now.cpu_quota) != (left.nano_cpus, left.cpu_quota) {
            return changed(format!("{} CPUs", cpus(now.nano_cpus)), format!("{} CPUs", cpus(left.nano_cpus)));
        }
        to = ResourceLimits { nano_cpus: original.nano_cpus, ..to };
    }
    Ok(to)
}

fn of_memory(limits: ResourceLimits) -> String {
    let swap = u64::try_from(limits.memory_swap).map_or("any".to_owned(), mebibytes);
    format!("{} of memory ({swap} with swap)", mebibytes(limits.memory))
}

/// Whether what runs in the container has room in the limits of a change. Only memory can be wanting: a process with fewer
/// CPUs is slower, one without memory is killed. Where nobody knows what is in use, there is no room. In a stopped container
/// nothing runs, and its next start is within the limits that its owner gave it.
pub(super) fn has_room(change: &LimitsChange, view: &TargetView) -> Result<(), No> {
    let (name, to) = (&view.container.name, change.to.memory);
    if change.from.memory <= to || view.container.state == ContainerState::Exited {
        return Ok(());
    }
    let by_hand = "lower the limit by hand once usage has fallen, or let the container be made anew";
    let unknown = |why: &str| {
        let detail = format!("nobody knows how much memory {name} uses, so its limit is not lowered: {why}; {by_hand}");
        Err((Reason::MemoryUseUnknown, detail))
    };
    match &view.memory_in_use {
        MemoryInUse::Known(in_use) if *in_use <= in_use_max(to) => Ok(()),
        MemoryInUse::Known(in_use) => {
            let (in_use, to) = (mebibytes(*in_use), mebibytes(to));
            let detail = format!(
                "{name} uses {in_use} of memory, and with its limit back at {to} less than a fifth of that would be free: \
                 the kernel could kill its processes; {by_hand}"
            );
            Err((Reason::MemoryInUse, detail))
        }
        MemoryInUse::Unknown(why) => unknown(why),
        MemoryInUse::NotAsked => unknown("Docker was not asked"),
    }
}

/// Whether the next thing that these steps do is to take limits back: only then does it matter what is in use now.
pub(super) fn takes_back_next<'a>(mut steps: impl Iterator<Item = &'a Step>) -> bool {
    let next = steps.find(|step| step.verb.acts() || matches!(step.verb, Verb::Wait(_)));
    next.is_some_and(|step| matches!(step.verb, Verb::UpdateLimits(LimitsSpec::ToOriginal)))
}

/// Whether it must be known how much memory the target uses, before the run and right before its next act.
pub(super) fn asks_for_memory(incident: &Incident, playbook: &Playbook) -> bool {
    let turn = incident.run().map(|run| run.index).unwrap_or_default();
    takes_back_next(advance::work_of(playbook, incident).iter().skip(turn))
}

/// More memory or CPUs.
///
/// # Errors
/// Why not: there is nothing to raise, or it is as high as it may be.
pub(super) fn more(
    (memory, cpu): (Option<RaiseMemory>, Option<RaiseCpus>),
    container: &Container,
) -> Result<LimitsChange, No> {
    let (name, from) = (&container.name, container.limits);
    let mut to = from;
    if let Some(raise) = memory {
        if from.memory == 0 {
            return Err((Reason::NoLimit, format!("{name} has no memory limit, so there is none to raise")));
        }
        let memory = raised(from.memory, raise.factor).max(MEMORY_MIN).min(raise.max);
        if memory <= from.memory {
            let (is, max) = (mebibytes(from.memory), mebibytes(raise.max));
            return Err((
                Reason::LimitAtMax,
                format!("{name} may use {is} of memory, and it is not to be more than {max}"),
            ));
        }
        to = to.with_memory(memory);
    }
    if let Some(raise) = cpu {
        if from.nano_cpus == 0 {
            let why = if from.cpu_quota {
                "is limited by a CPU quota, which is not raised: give its limit as `cpus` in place of `cpu_quota`"
            } else {
                "has no CPU limit, so there is none to raise: give it one as `cpus`"
            };
            return Err((Reason::NoLimit, format!("{name} {why}")));
        }
        let max = billionths(raise.max);
        let nano_cpus = raised(from.nano_cpus, raise.factor).min(max);
        if nano_cpus <= from.nano_cpus {
            let (is, max) = (cpus(from.nano_cpus), cpus(max));
            return Err((Reason::LimitAtMax, format!("{name} may use {is} CPUs, and it is not to be more than {max}")));
        }
        to = ResourceLimits { nano_cpus, ..to };
    }
    Ok(LimitsChange { from, to })
}

/// CPUs in Docker's unit, billionths of one: what an approval tells is what is done.
pub(super) fn billionths(cpus: f64) -> u64 {
    raised(1_000_000_000, cpus)
}

/// A whole number times a factor, cut.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "bytes and billionths of a CPU far below 2^53; the factor is more than 0, and `as` saturates"
)]
fn raised(number: u64, factor: f64) -> u64 {
    (number as f64 * factor) as u64
}
