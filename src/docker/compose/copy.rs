//! From a replica's inspect JSON to the call that makes another one like it. Pure.
//!
//! Everything is copied as Docker told it, known or not; what belongs to one container alone is left out. Read [`copy`].

use super::{ACT, CLONE_OF, INCIDENT, NUMBER};
use crate::docker::convert::{self, text};
use crate::model::container::Container;
use crate::model::id::ActId;
use serde_json::{Map, Value, json};

/// Compose's label of a container that took another's place.
pub(super) const REPLACE: &str = "com.docker.compose.replace";

/// What Compose 1 leaves in the environment of a container that took another's place.
pub(super) const AFFINITY: &str = "affinity:container==";

/// Networks that every engine has: a container has no aliases in them.
pub(super) const BUILT_IN: [&str; 4] = ["bridge", "default", "host", "none"];

/// What of an image matters to a copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Image {
    /// What to call it: by its name as long as that still means the same image, else by its ID.
    pub(super) name: String,
    /// Whether it has an entrypoint of its own, which Docker puts in where a container has none.
    pub(super) has_entrypoint: bool,
}

/// A network, and the settings with which a container is in it.
type Endpoint = (String, Value);

/// A replica to be made.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Copy {
    /// Its name.
    pub(super) name: String,
    /// The body of `POST /containers/create`.
    pub(super) body: Value,
    /// Networks to be connected before it starts, each by its ID, with the endpoint's own settings: older engines take
    /// only one when a container is created.
    pub(super) networks: Vec<Endpoint>,
}

/// A copy of a replica with another number; `None` if the answer about it is not one, or its name is not Compose's.
pub(super) fn copy((container, json): (&Container, &Value), image: &Image, number: u32, act: ActId) -> Option<Copy> {
    let name = name_of(container, number)?;
    let mut body = json.get("Config")?.as_object()?.clone();
    if text(json, "/Config/Hostname") == container.id.short() {
        body.remove("Hostname");
    }
    body.remove("MacAddress");
    body.insert("Image".to_owned(), image.name.clone().into());
    if image.has_entrypoint && body.get("Entrypoint").is_none_or(Value::is_null) {
        // Nothing at all would bring the image's own back.
        body.insert("Entrypoint".to_owned(), json!([""]));
    }
    if let Some(Value::Array(env)) = body.get_mut("Env") {
        env.retain(|entry| !entry.as_str().is_some_and(|entry| entry.starts_with(AFFINITY)));
    }
    body.insert("Labels".to_owned(), labels((container, json), number, act));
    let host = host_config(json.get("HostConfig")?.as_object()?.clone(), &mut body);
    let (first, networks) = networks(json, container, &name);
    body.insert("HostConfig".to_owned(), host);
    if let Some((network, endpoint)) = first {
        let mut endpoints = Map::new();
        endpoints.insert(network, endpoint);
        body.insert("NetworkingConfig".to_owned(), json!({"EndpointsConfig": endpoints}));
    }
    Some(Copy { name, body: Value::Object(body), networks })
}

/// The name that Compose would give this number, as it has named the replica: `shop-web-2`, or with `_`.
pub(super) fn name_of(container: &Container, number: u32) -> Option<String> {
    let (project, service) = container.compose()?;
    let own = container.labels.get(NUMBER)?;
    let separator = ["-", "_"]
        .into_iter()
        .find(|separator| container.name.as_str() == format!("{project}{separator}{service}{separator}{own}"))?;
    Some(format!("{project}{separator}{service}{separator}{number}"))
}

/// Those that it carries, and not as they are read: its owner's may stand under a prefix of their own.
fn labels((container, json): (&Container, &Value), number: u32, act: ActId) -> Value {
    let mut labels = convert::labels(json, "/Config/Labels");
    labels.remove(REPLACE);
    labels.insert(NUMBER.to_owned(), number.to_string());
    labels.insert(CLONE_OF.to_owned(), container.name.to_string());
    labels.insert(INCIDENT.to_owned(), act.incident.to_string());
    labels.insert(ACT.to_owned(), act.to_string());
    json!(labels)
}

/// Limits, mounts, ports and the like. An anonymous volume would be shared by name: the copy gets its own.
fn host_config(mut host: Map<String, Value>, body: &mut Map<String, Value>) -> Value {
    host.remove("ContainerIDFile");
    host.insert("Links".to_owned(), Value::Null);
    for mount in host.get_mut("Mounts").and_then(Value::as_array_mut).into_iter().flatten() {
        if mount.get("Type").and_then(Value::as_str) == Some("volume")
            && mount.get("Source").and_then(Value::as_str).is_some_and(is_anonymous)
            && let Some(mount) = mount.as_object_mut()
        {
            mount.remove("Source");
        }
    }
    if let Some(Value::Array(binds)) = host.get_mut("Binds") {
        let mut own = Vec::new();
        binds.retain(|bind| {
            let mut parts = bind.as_str().unwrap_or_default().split(':');
            let anonymous = parts.next().is_some_and(is_anonymous);
            own.extend(parts.next().filter(|_| anonymous).map(str::to_owned));
            !anonymous
        });
        let volumes = body.entry("Volumes").or_insert(Value::Null);
        if volumes.is_null() && !own.is_empty() {
            *volumes = json!({});
        }
        if let Value::Object(volumes) = volumes {
            own.into_iter().for_each(|place| _ = volumes.entry(place).or_insert(json!({})));
        }
    }
    Value::Object(host)
}

/// Whether Docker made this name of a volume up: 64 hex digits. After Compose has recreated a container, its anonymous
/// volumes are named so outright.
pub(super) fn is_anonymous(volume: &str) -> bool {
    volume.len() == 64 && volume.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The endpoint that comes with the creation, by its network's name, and those to be connected after it, by ID.
pub(super) fn networks(json: &Value, container: &Container, name: &str) -> (Option<Endpoint>, Vec<Endpoint>) {
    let none = Map::new();
    let networks = json.pointer("/NetworkSettings/Networks").and_then(Value::as_object).unwrap_or(&none);
    let (mut first, mut others) = (None, Vec::new());
    for (network, seen) in networks {
        if BUILT_IN.contains(&network.as_str()) {
            continue;
        }
        let (endpoint, id) = (endpoint(seen, container, name), text(seen, "/NetworkID"));
        if container.network_mode == *network || container.network_mode == id {
            first = Some((network.clone(), endpoint));
        } else {
            let id = if id.is_empty() { network } else { id };
            others.push((id.to_owned(), endpoint));
        }
    }
    (first, others)
}

/// What of an endpoint is settings, not state. In the aliases the new name stands where the old one stood.
fn endpoint(seen: &Value, container: &Container, name: &str) -> Value {
    let mut endpoint = Map::new();
    for key in ["Links", "DriverOpts", "IPAMConfig", "GwPriority"] {
        if let Some(value) = seen.get(key).filter(|value| !value.is_null()) {
            endpoint.insert(key.to_owned(), value.clone());
        }
    }
    let aliases = seen.get("Aliases").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let aliases = aliases.filter(|alias| *alias != container.id.short());
    let aliases: Vec<&str> = aliases.map(|alias| if alias == container.name.as_str() { name } else { alias }).collect();
    endpoint.insert("Aliases".to_owned(), json!(aliases));
    Value::Object(endpoint)
}

#[cfg(test)]
mod tests {
    use super::super::recorded::{self, act};
    use super::*;
    use crate::docker::convert::container;

    fn plain() -> Image {
        Image { name: "sickbay-test-box:1".into(), has_entrypoint: false }
    }

    fn copied(json: &Value, number: u32) -> Copy {
        copy((&container(json).unwrap(), json), &plain(), number, act()).unwrap()
    }

    /// What a container was created with, as far as inspect tells it.
    fn created_with(json: &Value) -> Value {
        let seen = container(json).unwrap();
        let copied = copied(json, 2);
        let mut endpoints = copied.networks.clone();
        let first = copied.body.pointer("/NetworkingConfig/EndpointsConfig").unwrap().as_object().unwrap();
        endpoints.extend(first.iter().map(|(network, endpoint)| (network.clone(), endpoint.clone())));
        let mut all = copied.body;
        let map = all.as_object_mut().unwrap();
        map.remove("NetworkingConfig");
        for own in [CLONE_OF, INCIDENT, ACT, REPLACE] {
            map["Labels"].as_object_mut().unwrap().remove(own);
        }
        let mut env: Vec<Value> = map["Env"].as_array().unwrap().clone();
        env.sort_by_key(Value::to_string);
        map["Env"] = json!(env);
        for list in ["Mounts", "Binds"] {
            let Some(Value::Array(entries)) = map["HostConfig"].get(list).cloned() else { continue };
            // A volume that the image declares comes by itself; after a recreation it is named once more.
            let mut entries: Vec<Value> = entries
                .into_iter()
                .filter(|mount| mount["Target"] != json!("/cache"))
                .map(|mut mount| {
                    if let Some(mount) = mount.as_object_mut() {
                        mount.retain(|_, value| *value != json!({}));
                    }
                    mount
                })
                .collect();
            entries.sort_by_key(Value::to_string);
            map["HostConfig"][list] = json!(entries);
        }
        for (_, endpoint) in &mut endpoints {
            let mut aliases = endpoint["Aliases"].as_array().unwrap().clone();
            aliases.retain(|alias| alias != seen.id.short());
            aliases.sort_by_key(Value::to_string);
            endpoint["Aliases"] = json!(aliases);
        }
        json!({"body": all, "endpoints": endpoints})
    }

    #[test]
    fn a_copy_is_created_as_compose_itself_created_its_second_replica() {
        for (first, second) in [("web-1", "web-2"), ("web_1", "web_2"), ("web_1-fresh", "web_2")] {
            let (first, second) = (recorded::replica(first), recorded::replica(second));
            let (ours, theirs) = (created_with(&first), created_with(&second));
            for part in ["body", "endpoints"] {
                assert_eq!(ours[part], theirs[part], "{part} of {}", second["Name"]);
            }
        }
    }

    #[test]
    fn what_belongs_to_one_container_alone_is_left_out() {
        let web = recorded::replica("web-1");
        let Copy { name, body, networks } = copied(&web, 7);
        assert_eq!(name, "shop-web-7");
        let labels = &body["Labels"];
        assert_eq!(labels[NUMBER], "7");
        assert_eq!(labels["com.docker.compose.config-hash"], web["Config"]["Labels"]["com.docker.compose.config-hash"]);
        assert_eq!(
            (&labels[CLONE_OF], &labels[INCIDENT], &labels[ACT]),
            (&json!("shop-web-1"), &json!("i7"), &json!("i7.1"))
        );
        assert!(labels.get(REPLACE).is_none() && body.get("Hostname").is_none());
        let own = text(&web, "/Config/Hostname");
        assert!(!body.to_string().contains(own) && !networks[0].1.to_string().contains(own), "its own short ID");
        assert_eq!(body["NetworkingConfig"]["EndpointsConfig"]["shop_back"]["Aliases"], json!(["shop-web-7", "web"]));
        let front = web["NetworkSettings"]["Networks"]["shop_front"]["NetworkID"].as_str().unwrap();
        let aliases = json!(["shop-web-7", "web", "www", "shop-web"]);
        assert_eq!(networks, [(front.to_owned(), json!({"Aliases": aliases, "IPAMConfig": {}}))]);
        for own in ["MacAddress", "IPAddress", "EndpointID", "GlobalIPv6Address", "DNSNames"] {
            assert!(!body.to_string().contains(own), "{own}");
        }
    }

    #[test]
    fn no_two_replicas_share_an_anonymous_volume() {
        let anonymous = |json: &Value| {
            let mounts = json["Mounts"].as_array().unwrap().iter();
            let names = mounts.filter_map(|mount| mount["Name"].as_str()).filter(|name| is_anonymous(name));
            names.map(str::to_owned).collect::<Vec<_>>()
        };
        for name in ["web-1", "web_1", "web_1-fresh"] {
            let web = recorded::replica(name);
            let (names, body) = (anonymous(&web), copied(&web, 2).body);
            assert_eq!(names.len(), 2, "{name}");
            names.iter().for_each(|volume| assert!(!body.to_string().contains(volume.as_str()), "{name}: {volume}"));
            let mounts = body["HostConfig"]["Mounts"].as_array().cloned().unwrap_or_default();
            let fresh = mounts.iter().any(|mount| mount["Target"] == "/scratch" && mount.get("Source").is_none());
            assert!(fresh || body["Volumes"].get("/scratch").is_some(), "{name} gets one of its own");
            assert!(body["HostConfig"].to_string().contains("shop_data"), "{name}: a named volume is shared");
        }
        let mut bare = recorded::replica("web_1");
        bare["Config"]["Volumes"] = Value::Null;
        assert_eq!(copied(&bare, 2).body["Volumes"], json!({"/scratch": {}}));
    }

    #[test]
    fn what_nobody_knows_yet_goes_along() {
        let mut web = recorded::replica("web-1");
        web["Config"]["Invented"] = json!({"by": 2031});
        web["HostConfig"]["AlsoInvented"] = json!([1]);
        web["NetworkSettings"]["Networks"]["shop_back"]["GwPriority"] = json!(7);
        let body = copied(&web, 2).body;
        assert_eq!((&body["Invented"], &body["HostConfig"]["AlsoInvented"]), (&json!({"by": 2031}), &json!([1])));
        assert_eq!(body["NetworkingConfig"]["EndpointsConfig"]["shop_back"]["GwPriority"], 7);
        assert_eq!(body["HostConfig"]["Links"], Value::Null);
        assert!(body["HostConfig"].get("ContainerIDFile").is_none());
    }

    #[test]
    fn an_entrypoint_that_was_taken_away_stays_away() {
        let entry = recorded::odd("entry");
        let seen = container(&entry).unwrap();
        for (has_entrypoint, want) in [(true, json!([""])), (false, Value::Null)] {
            let image = Image { name: "box".into(), has_entrypoint };
            let body = copy((&seen, &entry), &image, 2, act()).unwrap().body;
            assert_eq!((&body["Entrypoint"], &body["Image"]), (&want, &json!("box")));
        }
    }

    #[test]
    fn built_in_networks_have_no_aliases_to_copy() {
        for name in ["bridge", "none"] {
            let Copy { body, networks, .. } = copied(&recorded::odd(name), 2);
            assert!(body.get("NetworkingConfig").is_none() && networks.is_empty(), "{name}");
            assert_eq!(body["HostConfig"]["NetworkMode"], name);
        }
        let linked = copied(&recorded::odd("linked"), 2).body;
        let links = &linked["NetworkingConfig"]["EndpointsConfig"]["odd_default"]["Links"];
        assert_eq!(links[0], "odd-owner-1:o");
    }

    #[test]
    fn only_compose_s_own_names_are_counted_on() {
        let plain = recorded::replica("plain-1");
        for (name, want) in [
            ("shop-plain-1", Some("shop-plain-3")),
            ("shop_plain_1", Some("shop_plain_3")),
            ("shop-plain_1", None),
            ("shop-plain-2", None),
            ("plain", None),
            ("shop-plain", None),
            ("x_shop-plain-1", None),
        ] {
            let mut json = plain.clone();
            json["Name"] = json!(format!("/{name}"));
            assert_eq!(name_of(&container(&json).unwrap(), 3).as_deref(), want, "{name}");
        }
    }
}
