//! Which image a Compose service ran before, by what was heard and seen of it: known, or not. Pure.
//!
//! A container that is gone counts only if it was looked at while it was there, and only if nothing was missed since it
//! went. Where anything is missing, the answer is that nobody knows. Read [`before`].

use super::ROLLED_BACK_FROM;
use crate::docker::convert::text;
use crate::docker::events::Event;
use crate::docker::seen::image_name;
use crate::docker::service::compose::Replica;
use crate::model::container::{ContainerState, RestartPolicy, StopCause};
use crate::model::reason::Reason;
use crate::model::service::Obstacle;
use crate::model::target::ComposeService;
use chrono::{DateTime, Utc};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::Arc;

/// What was heard and seen of one service.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// Its containers' events, oldest first.
    pub(super) events: Vec<Event>,
    /// From when on none is missing.
    pub(super) complete_since: Option<DateTime<Utc>>,
    /// What its containers were made of, by ID.
    pub(super) seen: HashMap<String, Arc<Value>>,
}

/// The container before the present ones.
#[derive(Clone, Debug)]
pub(super) struct Before {
    /// Its image's ID.
    pub(super) image_id: String,
    /// What its image was called then.
    pub(super) name: String,
    /// As inspect showed it.
    pub(super) json: Arc<Value>,
    /// When the first container of the present image was made.
    pub(super) at: DateTime<Utc>,
}

/// The last container of this service that ran another image than these replicas, which are of one image.
///
/// # Errors
/// Why nobody knows, or why it must not be gone back to.
pub(super) fn before(service: &ComposeService, replicas: &[Replica], heard: &Heard) -> Result<Before, Obstacle> {
    let unknown = |why: &str| {
        let words = format!(
            "what {service} ran before is not known: {why}. Deploy the image you want; sickbay must be running when the \
             next one is deployed"
        );
        (Reason::PreviousImageUnknown, words)
    };
    let Some(first) = replicas.first() else { return Err(unknown("it has no containers")) };
    if let Some(from) = replicas.iter().find_map(|replica| replica.container.labels.get(ROLLED_BACK_FROM)) {
        let words = format!(
            "{service} was rolled back already, from {from}: what it runs is what a rollback has put there. Deploy the \
             image you want"
        );
        return Err((Reason::AlreadyRolledBack, words));
    }
    let mut made = replicas.iter().filter_map(|replica| replica.container.created.parse::<DateTime<Utc>>().ok()).min();
    for gone in heard.events.iter().rev().filter(|event| event.action == "destroy") {
        let Some(json) = heard.seen.get(&gone.id) else {
            if heard.never_ran(&gone.id) {
                continue;
            }
            return Err(unknown(&format!("sickbay had not looked at {} before it was removed", gone.name)));
        };
        let created = text(json, "/Created").parse::<DateTime<Utc>>().ok();
        let image_id = text(json, "/Image");
        if image_id == first.container.image_id {
            made = made.min(created.or(made));
            continue;
        }
        if heard.complete_since.is_none_or(|since| gone.at < since) {
            return Err(unknown("sickbay was not listening to Docker all the time since"));
        }
        let at = made.ok_or_else(|| unknown("docker does not say when its containers were made"))?;
        let (image_id, name) = (image_id.to_owned(), image_name(json).to_owned());
        return Ok(Before { image_id, name, json: Arc::clone(json), at });
    }
    Err(unknown("no container of it with another image was removed while sickbay was listening"))
}

impl Heard {
    /// Whether a container was made and removed, and never started in between.
    fn never_ran(&self, id: &str) -> bool {
        let mut own = self.events.iter().filter(|event| event.id == id);
        let made = own.clone().find(|event| event.action == "create").map(|event| event.at);
        let all_heard = made.is_some_and(|made| self.complete_since.is_some_and(|since| since <= made));
        all_heard && !own.any(|event| event.action == "start")
    }

    /// What ended a container's last run.
    fn stop_cause(&self, id: &str) -> StopCause {
        StopCause::from_events(self.events.iter().filter(|event| event.id == id).map(|event| event.action.as_str()))
    }
}

/// Why a replica is not to be replaced, by what it is doing.
pub(super) fn held(replica: &Replica, heard: &Heard) -> Option<Obstacle> {
    let container = &replica.container;
    let name = &container.name;
    let finished =
        container.exit_code == 0 && matches!(container.restart_policy, RestartPolicy::No | RestartPolicy::OnFailure);
    match &container.state {
        ContainerState::Running | ContainerState::Restarting | ContainerState::Created => None,
        ContainerState::Exited if heard.stop_cause(container.id.as_str()) == StopCause::Stopped => {
            Some((Reason::StoppedByHuman, format!("somebody has stopped {name}: start it to hand it back")))
        }
        ContainerState::Exited if finished => {
            Some((Reason::ContainerFinished, format!("{name} ended with exit code 0, like a finished job")))
        }
        ContainerState::Exited => None,
        ContainerState::Paused => {
            Some((Reason::ContainerPaused, format!("{name} is paused: a person or a backup holds it")))
        }
        ContainerState::Removing | ContainerState::Dead => {
            Some((Reason::ContainerGone, format!("{name} is {}", container.state.as_str())))
        }
        ContainerState::Other(state) => {
            Some((Reason::ContainerStateUnknown, format!("{name} is in the unknown state {state:?}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::recorded;
    use super::*;
    use crate::docker::convert::container;
    use serde_json::json;

    fn shop() -> ComposeService {
        ComposeService::parse("shop/plain").unwrap()
    }

    fn at(secs: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_000_000 + secs, 0).unwrap()
    }

    fn made(id: &str, image: &str, created: i64) -> Value {
        let mut json = recorded::replica("plain-1");
        json["Id"] = json!(id.repeat(64));
        json["Image"] = json!(image);
        json["Config"]["Image"] = json!(format!("name-of-{image}"));
        json["Created"] = json!(at(created).to_rfc3339());
        json
    }

    fn replica(json: Value) -> Replica {
        Replica { number: 1, container: container(&json).unwrap(), json, now: None }
    }

    fn event(action: &str, id: &str, secs: i64) -> Event {
        Event {
            action: action.to_owned(),
            at: at(secs),
            id: id.repeat(64),
            name: "shop-plain-1".to_owned(),
            old_name: None,
            image: "plain:latest".to_owned(),
            config_hash: None,
            service: Some(shop()),
        }
    }

    fn heard(since: Option<i64>, events: Vec<Event>, seen: &[(&str, &str, i64)]) -> Heard {
        let seen =
            seen.iter().map(|(id, image, created)| (id.repeat(64), Arc::new(made(id, image, *created)))).collect();
        Heard { events, complete_since: since.map(at), seen }
    }

    #[test]
    fn what_ran_before_is_known_only_if_it_was_seen_and_nothing_was_missed() {
        let old = ("a", "old", -900);
        let gone = || vec![event("destroy", "a", -90)];
        for (name, heard, want) in [
            ("as a deployment is heard", heard(Some(-500), gone(), &[old]), Ok(("old", -100))),
            ("nothing heard", heard(Some(-500), vec![], &[old]), Err(Reason::PreviousImageUnknown)),
            ("not seen", heard(Some(-500), gone(), &[]), Err(Reason::PreviousImageUnknown)),
            ("nobody listens", heard(None, gone(), &[old]), Err(Reason::PreviousImageUnknown)),
            ("listening since", heard(Some(-80), gone(), &[old]), Err(Reason::PreviousImageUnknown)),
            (
                "the same image again",
                heard(Some(-500), [gone(), vec![event("destroy", "b", -50)]].concat(), &[old, ("b", "new", -120)]),
                Ok(("old", -120)),
            ),
            (
                "one that never ran in between",
                heard(
                    Some(-500),
                    [gone(), vec![event("create", "b", -80), event("destroy", "b", -50)]].concat(),
                    &[old],
                ),
                Ok(("old", -100)),
            ),
            (
                "one that ran unseen in between",
                heard(
                    Some(-500),
                    [gone(), vec![event("create", "b", -80), event("start", "b", -70), event("destroy", "b", -50)]]
                        .concat(),
                    &[old],
                ),
                Err(Reason::PreviousImageUnknown),
            ),
            (
                "the last of two",
                heard(Some(-500), [vec![event("destroy", "c", -200)], gone()].concat(), &[old, ("c", "older", -950)]),
                Ok(("old", -100)),
            ),
        ] {
            let found = before(&shop(), &[replica(made("f", "new", -100))], &heard);
            let found = found.map(|found| (found.image_id, found.at)).map_err(|(reason, _)| reason);
            assert_eq!(found, want.map(|(image, secs)| (image.to_owned(), at(secs))), "{name}");
        }
    }

    #[test]
    fn what_a_rollback_has_put_there_is_not_left_again() {
        let heard = heard(Some(-500), vec![event("destroy", "a", -90)], &[("a", "bad", -900)]);
        let mut json = made("f", "good", -100);
        json["Config"]["Labels"][ROLLED_BACK_FROM] = json!("bad");
        let found = before(&shop(), &[replica(json)], &heard);
        assert_eq!(found.map(|found| found.image_id).map_err(|(reason, _)| reason), Err(Reason::AlreadyRolledBack));
    }

    #[test]
    fn what_somebody_holds_is_not_replaced() {
        let stopped = || vec![event("kill", "f", -20), event("die", "f", -20), event("stop", "f", -20)];
        for (status, code, events, want) in [
            ("running", 0, vec![], None),
            ("restarting", 1, vec![], None),
            ("created", 127, vec![], None),
            ("exited", 1, vec![event("die", "f", -20)], None),
            ("exited", 143, stopped(), Some(Reason::StoppedByHuman)),
            ("exited", 0, vec![event("die", "f", -20)], Some(Reason::ContainerFinished)),
            ("paused", 0, vec![], Some(Reason::ContainerPaused)),
            ("removing", 0, vec![], Some(Reason::ContainerGone)),
            ("thinking", 0, vec![], Some(Reason::ContainerStateUnknown)),
        ] {
            let mut json = made("f", "new", -100);
            json["State"]["Status"] = json!(status);
            json["State"]["ExitCode"] = json!(code);
            json["HostConfig"]["RestartPolicy"] = json!({"Name": "no"});
            let found = held(&replica(json), &heard(Some(-500), events, &[]));
            assert_eq!(found.map(|(reason, _)| reason), want, "{status} {code}");
        }
    }
}
