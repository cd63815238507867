//! Which replica is copied, and which goes. Pure.
//!
//! Only what sickbay added goes, unless the owner's label allows more; and never the last one that is well. Read
//! [`template`] and [`goes`].

use super::CLONE_OF;
use crate::docker::service::compose::{Replica, is_well};
use crate::model::container::{COMPOSE_CONFIG_HASH, Container, ContainerState};
use crate::model::owner_names::SCALE_REMOVE as REMOVE;
use crate::model::reason::Reason;
use crate::model::service::Obstacle;

/// The replica to be copied: the running one of the lowest number.
///
/// # Errors
/// Why there is none.
pub(super) fn template(replicas: &[Replica]) -> Result<&Replica, Obstacle> {
    let first = replicas.iter().find(|replica| replica.container.state == ContainerState::Running);
    first.ok_or_else(|| {
        let words = format!("none of {} replicas runs, so there is none to copy: start one", replicas.len());
        (Reason::NoRunningReplica, words)
    })
}

/// The number after the highest one: so Compose counts, and gaps stay.
pub(super) fn next_number(replicas: &[Replica]) -> u32 {
    replicas.iter().map(|replica| replica.number).max().unwrap_or(0).saturating_add(1)
}

/// How many can go at most, and why not one more; `None` if any can.
pub(super) fn fewer(replicas: &[Replica]) -> Option<(u32, Obstacle)> {
    let candidates = candidates(replicas).len();
    (candidates < replicas.len()).then(|| (u32::try_from(candidates).unwrap_or(u32::MAX), not_ours(replicas)))
}

fn not_ours(replicas: &[Replica]) -> Obstacle {
    let ours = candidates(replicas).len();
    let words = format!(
        "{ours} of {} replicas were added by sickbay, and no others are taken away: set the label {REMOVE}=any if they \
         may be, or lower the number with Compose",
        replicas.len()
    );
    (Reason::NotOurReplicas, words)
}

/// The one that goes next: one that is not as the first is, else the one of the highest number.
///
/// # Errors
/// Why none may go.
pub(super) fn goes(replicas: &[Replica]) -> Result<&Replica, Obstacle> {
    let first = replicas.first().map(|first| made_of(&first.container));
    let mut candidates = candidates(replicas);
    candidates.sort_by_key(|replica| (Some(made_of(&replica.container)) != first, replica.number));
    let Some(last) = candidates.pop() else { return Err(not_ours(replicas)) };
    let stays_well = |replica: &&Replica| replica.container.id != last.container.id && is_well(&replica.container);
    if !replicas.iter().any(|replica| stays_well(&replica)) {
        let words = format!("without {} no replica would be running and healthy", last.container.name);
        return Err((Reason::MinHealthy, words));
    }
    Ok(last)
}

/// Those that may go at all.
fn candidates(replicas: &[Replica]) -> Vec<&Replica> {
    let any = replicas.first().is_some_and(|first| {
        first.container.labels.get(REMOVE).is_some_and(|value| value.trim().eq_ignore_ascii_case("any"))
    });
    replicas.iter().filter(|replica| any || is_ours(&replica.container)).collect()
}

/// Whether sickbay made it. Compose carries no label over that is not in its file.
pub(super) fn is_ours(container: &Container) -> bool {
    container.labels.contains_key(CLONE_OF)
}

fn made_of(container: &Container) -> (Option<&String>, &str) {
    (container.labels.get(COMPOSE_CONFIG_HASH), &container.image_id)
}

#[cfg(test)]
mod tests {
    use super::super::recorded;
    use super::*;
    use crate::docker::convert::container;
    use serde_json::{Value, json};

    /// Replicas by number, each with what sets it apart.
    fn replicas(all: &[(u32, &str)]) -> Vec<Replica> {
        all.iter().map(|(number, what)| replica(*number, what)).collect()
    }

    fn replica(number: u32, what: &str) -> Replica {
        let mut json = recorded::replica("plain-1");
        json["Id"] = json!(format!("{number:064x}"));
        json["Name"] = json!(format!("/shop-plain-{number}"));
        for word in what.split_whitespace() {
            match word {
                "ours" => json["Config"]["Labels"][CLONE_OF] = json!("shop-plain-1"),
                "any" => json["Config"]["Labels"][REMOVE] = json!("Any"),
                "stopped" => json["State"]["Status"] = json!("exited"),
                "ill" => json["State"]["Health"] = json!({"Status": "unhealthy"}),
                "old" => json["Config"]["Labels"][COMPOSE_CONFIG_HASH] = json!("other"),
                "retagged" => json["Image"] = json!("sha256:other"),
                _ => unreachable!("{word}"),
            }
        }
        replica_of(number, json)
    }

    fn replica_of(number: u32, json: Value) -> Replica {
        Replica { number, container: container(&json).unwrap(), json, now: None }
    }

    #[test]
    fn the_highest_of_ours_goes_first_and_never_the_last_that_is_well() {
        for (name, all, want) in [
            ("the highest", &[(1, ""), (2, "ours"), (3, "ours")][..], Ok(3)),
            ("ours alone", &[(1, ""), (2, "ours"), (3, "")], Ok(2)),
            ("none of ours", &[(1, ""), (2, "")], Err(Reason::NotOurReplicas)),
            ("any, as its owner says", &[(1, "any"), (2, "any")], Ok(2)),
            ("another definition first", &[(1, ""), (2, "ours old"), (3, "ours")], Ok(2)),
            ("another image first", &[(1, ""), (2, "ours retagged"), (3, "ours")], Ok(2)),
            ("the last that runs", &[(1, "stopped"), (2, "ours")], Err(Reason::MinHealthy)),
            ("the last healthy one", &[(1, "ill"), (2, "ours")], Err(Reason::MinHealthy)),
            ("one that does not run", &[(1, ""), (2, "ours stopped")], Ok(2)),
            ("no other", &[(2, "ours")], Err(Reason::MinHealthy)),
        ] {
            let all = replicas(all);
            let found = goes(&all).map(|replica| replica.number).map_err(|(reason, _)| reason);
            assert_eq!(found, want, "{name}");
        }
    }

    #[test]
    fn as_many_can_go_as_are_ours() {
        for (all, want) in [
            (&[(1, ""), (2, "ours"), (3, "ours")][..], Some(2)),
            (&[(1, ""), (2, "")], Some(0)),
            (&[(2, "ours"), (3, "ours")], None),
            (&[(1, "any"), (2, "")], None),
        ] {
            let found = fewer(&replicas(all));
            assert_eq!(found.as_ref().map(|(count, _)| *count), want, "{all:?}");
            assert!(found.is_none_or(|(_, (reason, _))| reason == Reason::NotOurReplicas));
        }
    }

    #[test]
    fn the_lowest_that_runs_is_copied_and_numbers_go_on_from_the_highest() {
        for (all, template_is, next) in [
            (&[(1, ""), (2, "")][..], Some(1), 3),
            (&[(1, "stopped"), (4, "")], Some(4), 5),
            (&[(3, "stopped")], None, 4),
            (&[], None, 1),
        ] {
            let all = replicas(all);
            assert_eq!(template(&all).ok().map(|replica| replica.number), template_is, "{next}");
            assert_eq!(next_number(&all), next);
        }
    }
}
