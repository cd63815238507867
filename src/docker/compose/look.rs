//! What must be asked of Docker before a replica is copied: its image, the files that were added to it, its MAC address.
//!
//! Everything here only looks. What an answer means is decided in `obstacles` and `choice`. Read [`room`].

use super::choice;
use super::copy::Image;
use super::obstacles::{Subject, in_place, obstacle};
use super::past::{self, Before, Heard};
use super::settings::differences;
use crate::docker::client::{READ_WITHIN, Reader};
use crate::docker::convert::text;
use crate::docker::dependents::dependents;
use crate::docker::error::DockerError;
use crate::docker::service::compose::Replica;
use crate::model::docker_call::DockerCall;
use crate::model::reason::Reason;
use crate::model::service::{ImageChange, Obstacle, Previous, Room};
use crate::model::target::{ComposeService, ContainerId};
use serde_json::Value;
use std::time::Duration;

/// The last version of the API that tells a MAC address that somebody chose from one that Docker made up.
const TELLS_MAC: u16 = 43;

/// How long Docker may take to compare a container's files with its image's.
const CHANGES_WITHIN: Duration = Duration::from_secs(8);

/// `Kind` of a file that was added.
const ADDED: u64 = 1;

/// How far the number of these replicas can be moved.
///
/// # Errors
/// [`DockerError`] if Docker cannot be asked.
pub(in crate::docker) async fn room(reader: &Reader, replicas: &[Replica]) -> Result<Room, DockerError> {
    let more = match choice::template(replicas) {
        Ok(template) => copyable(reader, template).await?.err(),
        // What can never be copied is told first: starting it would not help.
        Err(none_runs) => match replicas.first() {
            Some(first) => copyable(reader, first).await?.err().or(Some(none_runs)),
            None => Some(none_runs),
        },
    };
    Ok(Room { more, fewer: choice::fewer(replicas), back: None })
}

/// The image that a copy of this replica gets, or why there can be no copy.
pub(super) async fn copyable(reader: &Reader, replica: &Replica) -> Result<Result<Image, Obstacle>, DockerError> {
    let image = image(reader, &replica.container.image, &replica.container.image_id).await?;
    let in_its_way = judged((reader, replica), image.is_some(), obstacle).await?;
    let image = image.unwrap_or(Image { name: String::new(), has_entrypoint: false });
    Ok(in_its_way.map_or(Ok(image), Err))
}

/// What stands in the way of a replica, as `judge` sees it, after what inspect does not show was asked.
async fn judged(
    (reader, Replica { container, json, .. }): (&Reader, &Replica),
    image_is_there: bool,
    judge: fn(&Subject<'_>) -> Option<Obstacle>,
) -> Result<Option<Obstacle>, DockerError> {
    let (added, mac) = (added(reader, &container.id).await?, mac(reader, &container.id, json).await?);
    let added = added.as_deref().map_err(String::as_str);
    Ok(judge(&Subject { container, json, mac: &mac, added, image_is_there }))
}

/// Everything that is needed to take a service back.
pub(super) struct WayBack {
    /// What ran before.
    pub(super) before: Before,
    /// The present image, as inspect shows it.
    pub(super) image: Value,
    /// Compose's digest of the definition before.
    pub(super) config_hash: String,
}

/// What a Compose service can be taken back to.
///
/// # Errors
/// [`DockerError`] if Docker cannot be asked.
pub(in crate::docker) async fn back(
    reader: &Reader,
    service: &ComposeService,
    replicas: &[Replica],
) -> Result<Result<Previous, Obstacle>, DockerError> {
    let WayBack { before, image: _, config_hash } = match way_back(reader, service, replicas).await? {
        Ok(way) => way,
        Err(obstacle) => return Ok(Err(obstacle)),
    };
    let settles =
        replicas.iter().filter_map(|replica| replica.container.health_check).map(|check| check.settles_within());
    let change = ImageChange {
        image_id: replicas.first().map(|first| first.container.image_id.clone()).unwrap_or_default(),
        name: before.name,
        at: before.at,
        settles_within: settles.max().unwrap_or_default(),
    };
    Ok(Ok(Previous {
        image: before.image_id,
        replicas: u32::try_from(replicas.len()).unwrap_or(u32::MAX),
        template: config_hash,
        change: Some(change),
    }))
}

/// As [`back`], with all that the replacement is made from.
pub(super) async fn way_back(
    reader: &Reader,
    service: &ComposeService,
    replicas: &[Replica],
) -> Result<Result<WayBack, Obstacle>, DockerError> {
    let heard = heard(reader, service);
    let before = match past::before(service, replicas, &heard) {
        Ok(before) => before,
        Err(obstacle) => return Ok(Err(obstacle)),
    };
    if let Some(obstacle) = replicas.iter().find_map(|replica| past::held(replica, &heard)) {
        return Ok(Err(obstacle));
    }
    let mut image = None;
    for replica in replicas {
        match replaceable(reader, replica).await? {
            Ok(found) => image = Some(found),
            Err(obstacle) => return Ok(Err(obstacle)),
        }
    }
    let Some(old_image) =
        inspect_image(reader, &before.image_id).await?.filter(|found| text(found, "/Id") == before.image_id)
    else {
        let (id, name) = (&before.image_id, &before.name);
        let words = format!("the image that {service} ran before, {id} ({name}), was removed: pull or build it again");
        return Ok(Err((Reason::PreviousImageGone, words)));
    };
    let (Some(first), Some(image)) = (replicas.first(), image) else {
        return Ok(Err((Reason::PreviousImageUnknown, format!("{service} has no containers"))));
    };
    let differ = differences((&first.json, &image), (&before.json, &old_image));
    if !differ.is_empty() {
        return Ok(Err((Reason::SettingsChanged, more_changed(service, &differ))));
    }
    let config_hash = text(&before.json, "/Config/Labels/com.docker.compose.config-hash").to_owned();
    Ok(Ok(WayBack { before, image, config_hash }))
}

/// What was changed beside the image, in words.
fn more_changed(service: &ComposeService, differ: &[String]) -> String {
    let differ = if let [one] = differ { format!("{one} differs") } else { format!("{} differ", differ.join(", ")) };
    format!(
        "more than the image of {service} was changed: {differ} as well, so the image before may not go with what is there \
         now. Deploy what you want"
    )
}

/// The image of a replica whose place another one can take, or why none can.
async fn replaceable(reader: &Reader, replica: &Replica) -> Result<Result<Value, Obstacle>, DockerError> {
    let container = &replica.container;
    let image = inspect_image(reader, &container.image_id).await?;
    if let Some(obstacle) = judged((reader, replica), image.is_some(), in_place).await? {
        return Ok(Err(obstacle));
    }
    let dependents = dependents(reader, container).await?.all()?;
    if let Some(dependent) = dependents.first() {
        let (name, dependent) = (&container.name, &dependent.name);
        let words = format!(
            "{name} cannot be replaced: {dependent} lives in its network, PID or IPC namespace, and would be left with a \
             dead one: give it one of its own"
        );
        return Ok(Err((Reason::HasDependents, words)));
    }
    Ok(Ok(image.unwrap_or_default()))
}

/// What was heard and seen of a service.
fn heard(reader: &Reader, service: &ComposeService) -> Heard {
    reader.memory(|memory| {
        let (events, complete_since) = memory.recall();
        let events: Vec<_> = events.filter(|event| event.service.as_ref() == Some(service)).cloned().collect();
        let seen = events.iter().filter_map(|event| Some((event.id.clone(), memory.seen.of(&event.id)?))).collect();
        Heard { events, complete_since, seen }
    })
}

/// The image, by name if the name still means it; `None` if it is gone.
async fn image(reader: &Reader, name: &str, id: &str) -> Result<Option<Image>, DockerError> {
    let Some(found) = inspect_image(reader, id).await? else { return Ok(None) };
    let entrypoint = found.pointer("/Config/Entrypoint").and_then(Value::as_array);
    let has_entrypoint = entrypoint.is_some_and(|words| !words.is_empty());
    let by_name = inspect_image(reader, name).await?;
    let same = by_name.is_some_and(|by_name| text(&by_name, "/Id") == id);
    Ok(Some(Image { name: if same { name } else { id }.to_owned(), has_entrypoint }))
}

async fn inspect_image(reader: &Reader, reference: &str) -> Result<Option<Value>, DockerError> {
    if !is_reference(reference) {
        return Ok(None);
    }
    match reader.get(DockerCall::Image, &format!("/images/{reference}/json"), READ_WITHIN).await {
        Ok(reply) => Ok(Some(reply.json()?)),
        Err(DockerError::NotFound(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether this can stand in a path as it is.
fn is_reference(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.:/@-".contains(&byte);
    text.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric())
        && text.bytes().all(plain)
        && !text.contains("..")
        && !text.contains("//")
}

/// Files that were added to a container, or why Docker does not say.
async fn added(reader: &Reader, id: &ContainerId) -> Result<Result<Vec<String>, String>, DockerError> {
    let reply = match reader.get(DockerCall::Changes, &format!("/containers/{id}/changes"), CHANGES_WITHIN).await {
        Ok(reply) => reply.json(),
        Err(error) => Err(error),
    };
    match reply {
        Ok(changes) => {
            let changes = changes.as_array().into_iter().flatten();
            let added = changes.filter(|change| change.get("Kind").and_then(Value::as_u64) == Some(ADDED));
            Ok(Ok(added.map(|change| text(change, "/Path").to_owned()).collect()))
        }
        Err(
            error @ (DockerError::Denied { .. }
            | DockerError::Rejected { .. }
            | DockerError::Conflict(_)
            | DockerError::Server { .. }
            | DockerError::Invalid(_)),
        ) => Ok(Err(error.to_string())),
        Err(
            error @ (DockerError::NotSent(_)
            | DockerError::NotFound(_)
            | DockerError::OutcomeUnknown(_)
            | DockerError::UnsupportedVersion { .. }),
        ) => Err(error),
    }
}

/// The MAC address that somebody chose. An engine that speaks no version that tells it is believed not to have one.
async fn mac(reader: &Reader, id: &ContainerId, json: &Value) -> Result<String, DockerError> {
    let chosen = |json: &Value| text(json, "/Config/MacAddress").to_owned();
    if !chosen(json).is_empty() {
        return Ok(chosen(json));
    }
    match reader.get_as_of(TELLS_MAC, (DockerCall::Inspect, &format!("/containers/{id}/json")), READ_WITHIN).await {
        Ok(reply) => Ok(chosen(&reply.json()?)),
        Err(DockerError::Rejected { .. }) => Ok(String::new()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn one_thing_that_differs_and_several_are_told_in_their_number() {
        let service = ComposeService::parse("shop/web").unwrap();
        let told =
            |differ: &[&str]| more_changed(&service, &differ.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert!(told(&["Env"]).contains("was changed: Env differs as well,"), "{}", told(&["Env"]));
        assert!(told(&["Env", "Cmd"]).contains("was changed: Env, Cmd differ as well,"));
    }
    use super::*;

    #[test]
    fn only_plain_names_of_images_are_put_into_a_path() {
        for (reference, want) in [
            ("web:1", true),
            ("registry.example:5000/team/web@sha256:62b4", true),
            ("sha256:c2a0b9aa", true),
            ("", false),
            ("../containers", false),
            ("a/../../containers", false),
            ("a//b", false),
            ("a?b", false),
            ("a#b", false),
            ("a%2e", false),
            ("/a", false),
        ] {
            assert_eq!(is_reference(reference), want, "{reference}");
        }
    }
}
