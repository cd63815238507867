//! From a replica's inspect JSON to the call that makes one of another image in its place. Pure.
//!
//! It gets the same name, number, networks, addresses and volumes, anonymous ones included, as Compose itself carries them
//! over; what the image brought is the other image's own. Read [`replacement`].

use super::copy::{Copy, is_anonymous, networks};
use super::settings::{COMPOSE_IMAGE, own};
use super::{ACT, INCIDENT, ROLLED_BACK_FROM};
use crate::docker::convert::text;
use crate::model::container::{COMPOSE_CONFIG_HASH, Container};
use crate::model::id::ActId;
use serde_json::{Map, Value, json};

/// What the replacement is of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Becomes<'a> {
    /// The image that is left, as inspect showed it.
    pub(super) from: &'a Value,
    /// The ID of the other image.
    pub(super) image_id: &'a str,
    /// Compose's digest of the definition that had the other image.
    pub(super) config_hash: &'a str,
    /// The act that makes it.
    pub(super) act: ActId,
}

/// The replacement of a replica; `None` if the answer about it is not one. It has the replica's own name.
pub(super) fn replacement((container, json): (&Container, &Value), becomes: &Becomes<'_>) -> Option<Copy> {
    let name = container.name.to_string();
    let mut body = own(json, becomes.from);
    body.insert("Image".to_owned(), becomes.image_id.into());
    let labels = body.entry("Labels").or_insert(json!({})).as_object_mut()?;
    if labels.contains_key(COMPOSE_IMAGE) {
        labels.insert(COMPOSE_IMAGE.to_owned(), becomes.image_id.into());
    }
    labels.insert(COMPOSE_CONFIG_HASH.to_owned(), becomes.config_hash.into());
    labels.insert(ROLLED_BACK_FROM.to_owned(), container.image_id.as_str().into());
    labels.insert(INCIDENT.to_owned(), becomes.act.incident.to_string().into());
    labels.insert(ACT.to_owned(), becomes.act.to_string().into());
    let host = host_config(json.get("HostConfig")?.as_object()?.clone(), json);
    body.insert("HostConfig".to_owned(), host);
    let (first, networks) = networks(json, container, &name);
    if let Some((network, endpoint)) = first {
        let mut endpoints = Map::new();
        endpoints.insert(network, endpoint);
        body.insert("NetworkingConfig".to_owned(), json!({"EndpointsConfig": endpoints}));
    }
    Some(Copy { name, body: Value::Object(body), networks })
}

/// As it is; and each anonymous volume by the name that Docker made up for it, so that its content goes along.
fn host_config(mut host: Map<String, Value>, json: &Value) -> Value {
    host.remove("ContainerIDFile");
    host.insert("Links".to_owned(), Value::Null);
    let mounted = json.get("Mounts").and_then(Value::as_array).into_iter().flatten();
    for volume in mounted.filter(|mount| text(mount, "/Type") == "volume" && is_anonymous(text(mount, "/Name"))) {
        let (name, place) = (text(volume, "/Name"), text(volume, "/Destination"));
        let named = host.get_mut("Mounts").and_then(Value::as_array_mut).into_iter().flatten();
        let mut named = named.filter(|mount| text(mount, "/Target") == place);
        if let Some(mount) = named.next() {
            mount["Source"] = name.into();
            continue;
        }
        let binds = host.entry("Binds").or_insert(Value::Null);
        if binds.is_null() {
            *binds = json!([]);
        }
        let Some(binds) = binds.as_array_mut() else { continue };
        let is_there = |bind: &Value| bind.as_str().is_some_and(|bind| bind.split(':').nth(1) == Some(place));
        if !binds.iter().any(is_there) {
            let read_only = volume.get("RW").and_then(Value::as_bool) == Some(false);
            binds.push(format!("{name}:{place}{}", if read_only { ":ro" } else { "" }).into());
        }
    }
    Value::Object(host)
}

#[cfg(test)]
mod tests {
    use super::super::recorded::{self, act};
    use super::*;
    use crate::docker::convert::container;

    fn replaced(json: &Value) -> Copy {
        let from = json!({"Config": {"Cmd": json["Config"]["Cmd"], "Env": ["PATH=/bin"]}});
        let becomes = Becomes { from: &from, image_id: "sha256:old", config_hash: "hash-before", act: act() };
        replacement((&container(json).unwrap(), json), &becomes).unwrap()
    }

    #[test]
    fn it_takes_the_place_of_the_other_in_everything_but_the_image() {
        for name in ["web-1", "web_1", "web_1-fresh"] {
            let web = recorded::replica(name);
            let Copy { name, body, networks } = replaced(&web);
            assert_eq!(format!("/{name}"), text(&web, "/Name"));
            assert_eq!((&body["Image"], body.get("Cmd")), (&json!("sha256:old"), None), "the command is the image's");
            let labels = &body["Labels"];
            for (label, want) in [
                (COMPOSE_CONFIG_HASH, json!("hash-before")),
                (ROLLED_BACK_FROM, web["Image"].clone()),
                (ACT, json!("i7.1")),
                (INCIDENT, json!("i7")),
                ("com.docker.compose.container-number", json!("1")),
                ("com.docker.compose.oneoff", json!("False")),
            ] {
                assert_eq!(labels[label], want, "{label}");
            }
            if web["Config"]["Labels"].get(COMPOSE_IMAGE).is_some() {
                assert_eq!(labels[COMPOSE_IMAGE], "sha256:old", "Compose sees that it is not its file's image");
            }
            assert_eq!(networks.len(), 1);
            assert!(body.get("Hostname").is_none() && body.get("MacAddress").is_none());
            assert_eq!(body["HostConfig"]["PortBindings"], web["HostConfig"]["PortBindings"]);
        }
    }

    #[test]
    fn its_anonymous_volumes_go_along_and_nothing_is_mounted_twice() {
        for name in ["web-1", "web_1", "web_1-fresh"] {
            let web = recorded::replica(name);
            let host = replaced(&web).body["HostConfig"].clone();
            let list = |key: &str| host[key].as_array().cloned().unwrap_or_default();
            let places: Vec<String> = list("Binds")
                .iter()
                .map(|bind| bind.as_str().unwrap().split(':').nth(1).unwrap().to_owned())
                .chain(list("Mounts").iter().map(|mount| text(mount, "/Target").to_owned()))
                .collect();
            for mount in web["Mounts"].as_array().unwrap() {
                let place = text(mount, "/Destination");
                assert_eq!(places.iter().filter(|known| *known == place).count(), 1, "{name}: {place}");
                let volume = text(mount, "/Name");
                assert!(!is_anonymous(volume) || host.to_string().contains(volume), "{name}: {place} goes along");
            }
        }
    }
}
