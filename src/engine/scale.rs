//! From what a step asks for to an exact number of replicas, by a look that is fresh.
//!
//! A number is never carried over from an earlier look. What a step cannot move any further is refused, because nothing
//! would be done and nothing could help by it; what is already as the step names it is not needed, and that is a success.

use super::gate::Question;
use crate::model::owner::{SCALE_ENABLE, SCALE_MAX, SCALE_MIN, is_true};
use crate::model::reason::Reason;
use crate::model::service::Service;
use crate::playbook::definition::{ScaleChange, ScaleSpec};

/// What a scale step comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Aim {
    /// Another number of replicas.
    Scale {
        /// What is.
        from: u32,
        /// What is to be.
        to: u32,
        /// What was before the run first scaled it.
        original: u32,
    },
    /// There are as many as there are to be; in words.
    NotNeeded(String),
}

/// A reason, and the words for it.
type No = (Reason, String);

/// How many replicas a step means, within the playbook's bounds and those that the owner set on the service.
///
/// # Errors
/// Why the step cannot be done.
pub(super) fn aim(question: &Question<'_>, spec: &ScaleSpec, service: &Service) -> Result<Aim, No> {
    let (name, from) = (service.name(), service.wanted);
    let (min, max) = bounds(spec, service)?;
    let known = question.state.services().original(question.original_of(), &service.id.target_id());
    // A bound keeps a number from moving past it; it never moves one the other way.
    let clamp = |number: u32| if number < from { number.max(min) } else { number.min(max.max(from)).max(min) };
    let to = match spec.change {
        ScaleChange::By(by) if 0 < by => {
            if max <= from {
                let detail = format!("{name} has {from} replicas, and there are to be no more than {max}");
                return Err((Reason::AboveMax, detail));
            }
            clamp(from.saturating_add_signed(by))
        }
        ScaleChange::By(by) => {
            if from <= min {
                let detail = format!("{name} has {from} replicas, and there are to be no fewer than {min}");
                return Err((Reason::BelowMin, detail));
            }
            clamp(from.saturating_add_signed(by))
        }
        ScaleChange::To(to) if to < min => {
            return Err((Reason::BelowMin, format!("{name} is to have {to} replicas, fewer than {min}")));
        }
        ScaleChange::To(to) if max < to => {
            return Err((Reason::AboveMax, format!("{name} is to have {to} replicas, more than {max}")));
        }
        ScaleChange::To(to) => to,
        ScaleChange::ToOriginal => match known {
            None => {
                let detail = format!("nobody recorded how many replicas {name} had before: the run did not scale it");
                return Err((Reason::NoOriginal, detail));
            }
            Some(known) if clamp(known.count) == from => clamp(known.count),
            Some(known) if known.left != from => {
                let left = known.left;
                let detail = format!("{name} has {from} replicas and the run left {left}: somebody else has scaled it");
                return Err((Reason::ReplicasChanged, detail));
            }
            Some(known) => clamp(known.count),
        },
    };
    if to == from {
        return Ok(Aim::NotNeeded(format!("{name} has {from} replicas already")));
    }
    possible(service, from, to)?;
    Ok(Aim::Scale { from, to, original: known.map_or(from, |known| known.count) })
}

/// Whether the number can be moved that far. Of a Compose service a replica is copied, and what its owner alone can know
/// of it, the owner's label must say.
fn possible(service: &Service, from: u32, to: u32) -> Result<(), No> {
    let (name, label) = (service.name(), SCALE_ENABLE);
    let enabled = service.labels.get(label).is_some_and(|value| is_true(value));
    if from < to && !service.is_swarm() && !enabled {
        let detail = format!(
            "{name} does not carry the label {label}=true: set it if its replicas can be copied, that is, if it has no \
             secrets or configs with `environment:` or `content:`, no hooks and no `develop.watch`"
        );
        return Err((Reason::ScaleNotEnabled, detail));
    }
    service.room.obstacle(from, to).map_or(Ok(()), |obstacle| Err(obstacle.clone()))
}

/// The fewest and the most replicas. Labels may only narrow, and one that cannot be read allows nothing.
fn bounds(spec: &ScaleSpec, service: &Service) -> Result<(u32, u32), No> {
    let label = |key: &str| match service.labels.get(key) {
        None => Ok(None),
        Some(value) => value.trim().parse::<u32>().map(Some).map_err(|_bad| {
            let detail = format!("{} has the label {key}={value}, which is not a number", service.name());
            (Reason::ActionNotAllowed, detail)
        }),
    };
    // Nothing is ever scaled to nothing.
    let min = spec.min.max(1).max(label(SCALE_MIN)?.unwrap_or(1));
    let most = [spec.max, label(SCALE_MAX)?, service.most].into_iter().flatten().min();
    Ok((min, most.unwrap_or(u32::MAX)))
}
