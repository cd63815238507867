//! What of a container is its own and not its image's, and whether two containers differ in that. Pure.
//!
//! Docker shows an image's command, environment, labels and the like as if they were the container's. Whoever makes a
//! container of another image must leave them out, or the other image would run with the settings of this one. What was
//! set to exactly what the image says cannot be told from what was not set. Read [`own`] and [`differences`].

use super::copy::{AFFINITY, REPLACE, is_anonymous};
use super::{ACT, CLONE_OF, INCIDENT, NUMBER, ROLLED_BACK_FROM};
use crate::docker::convert::text;
use crate::model::container::{COMPOSE_CONFIG_HASH, COMPOSE_PROJECT, COMPOSE_SERVICE};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Compose's label for the image's ID.
pub(super) const COMPOSE_IMAGE: &str = "com.docker.compose.image";

/// Labels that Compose sets, which no image sets for a container.
const COMPOSE: &str = "com.docker.compose.";

/// Labels that say who made a container and from where, not what it is.
const ABOUT_ITS_MAKING: [&str; 13] = [
    COMPOSE_CONFIG_HASH,
    COMPOSE_IMAGE,
    NUMBER,
    REPLACE,
    ACT,
    INCIDENT,
    CLONE_OF,
    ROLLED_BACK_FROM,
    "com.docker.compose.version",
    "com.docker.compose.project.config_files",
    "com.docker.compose.project.working_dir",
    "com.docker.compose.project.environment_file",
    "com.docker.compose.depends_on",
];

/// A container's `Config` without what its image brought.
pub(super) fn own(json: &Value, image: &Value) -> Map<String, Value> {
    let mut config = json.get("Config").and_then(Value::as_object).cloned().unwrap_or_default();
    let of_image = |key: &str| image.get("Config").and_then(|config| config.get(key)).unwrap_or(&Value::Null);
    // A command belongs to its entrypoint: beside one of its own, a container gets no command of its image's.
    let entrypoint = is_same(config.get("Entrypoint"), of_image("Entrypoint"));
    for key in ["Entrypoint", "Cmd", "WorkingDir", "User", "StopSignal", "Shell", "OnBuild", "ArgsEscaped"] {
        let inherits = key != "Cmd" || entrypoint;
        if inherits && is_same(config.get(key), of_image(key)) {
            config.remove(key);
        }
    }
    if !entrypoint && config.get("Entrypoint").is_none_or(is_nothing) {
        // It was taken away: nothing at all would bring the other image's.
        config.insert("Entrypoint".to_owned(), json!([""]));
    }
    if let Some(Value::Array(env)) = config.get_mut("Env") {
        let brought = of_image("Env").as_array();
        env.retain(|entry| !brought.is_some_and(|brought| brought.contains(entry)));
        env.retain(|entry| !entry.as_str().is_some_and(|entry| entry.starts_with(AFFINITY)));
    }
    if let Some(Value::Object(labels)) = config.get_mut("Labels") {
        let brought = of_image("Labels");
        labels.retain(|key, value| key.starts_with(COMPOSE) || brought.get(key) != Some(value));
    }
    let bound = |port: &String| json.pointer("/HostConfig/PortBindings").is_some_and(|all| all.get(port).is_some());
    for key in ["Volumes", "ExposedPorts"] {
        let brought = of_image(key);
        if let Some(Value::Object(entries)) = config.get_mut(key) {
            entries.retain(|entry, _| brought.get(entry).is_none() || (key == "ExposedPorts" && bound(entry)));
        }
    }
    if let Some(Value::Object(check)) = config.get_mut("Healthcheck") {
        let brought = of_image("Healthcheck");
        check.retain(|key, value| brought.get(key) != Some(value));
        if check.is_empty() {
            config.remove("Healthcheck");
        }
    }
    let hostname = text(json, "/Config/Hostname");
    if text(json, "/Id").starts_with(hostname) || text(json, "/HostConfig/NetworkMode") == "host" {
        config.remove("Hostname");
    }
    config.remove("MacAddress");
    config
}

/// What differs between two containers of one service beside their image, by name; each with its image.
pub(super) fn differences(one: (&Value, &Value), other: (&Value, &Value)) -> Vec<String> {
    let (one, other) = (comparable(one), comparable(other));
    let names = one.keys().chain(other.keys().filter(|key| !one.contains_key(*key)));
    names.filter(|key| one.get(*key) != other.get(*key)).cloned().collect()
}

/// Everything that was set, by the name by which Docker calls it, without what is nothing.
fn comparable((json, image): (&Value, &Value)) -> BTreeMap<String, Value> {
    let mut all = BTreeMap::new();
    for (key, mut value) in own(json, image) {
        match key.as_str() {
            // Mounts tell.
            "Image" | "Volumes" => continue,
            "Env" => sort(&mut value),
            "Labels" => {
                if let Some(labels) = value.as_object_mut() {
                    labels.retain(|label, _| !ABOUT_ITS_MAKING.contains(&label.as_str()));
                }
            }
            _ => {}
        }
        all.insert(key, value);
    }
    let host = json.get("HostConfig").and_then(Value::as_object);
    for (key, value) in host.into_iter().flatten() {
        match key.as_str() {
            "ContainerIDFile" | "Links" | "Binds" => {}
            "Mounts" => drop(all.insert("HostConfig.Mounts".to_owned(), neither_volume_nor_bind(value))),
            _ => drop(all.insert(format!("HostConfig.{key}"), value.clone())),
        }
    }
    all.insert("Mounts".to_owned(), mounts(json, image));
    all.insert("Networks".to_owned(), networks(json));
    all.retain(|_, value| !is_nothing(value));
    all
}

fn neither_volume_nor_bind(mounts: &Value) -> Value {
    let all = mounts.as_array().into_iter().flatten();
    let mut rest =
        Value::Array(all.filter(|mount| !["volume", "bind"].contains(&text(mount, "/Type"))).cloned().collect());
    sort(&mut rest);
    rest
}

/// Where something is mounted, and what; an anonymous volume is as good as another. What only the image asks for is left out.
fn mounts(json: &Value, image: &Value) -> Value {
    let by_image = |place: &str| image.pointer("/Config/Volumes").is_some_and(|all| all.get(place).is_some());
    let all = json.get("Mounts").and_then(Value::as_array).into_iter().flatten();
    let told = all.filter_map(|mount| {
        let (name, place, kind) = (text(mount, "/Name"), text(mount, "/Destination"), text(mount, "/Type"));
        let anonymous = kind == "volume" && is_anonymous(name);
        let from = if kind == "bind" { text(mount, "/Source") } else { name };
        let from = if anonymous { "" } else { from };
        (!anonymous || !by_image(place)).then(|| json!([kind, from, place, mount.get("RW")]))
    });
    let mut told = Value::Array(told.collect());
    sort(&mut told);
    told
}

/// Where it is connected, and by which names it is called there. Which of the replicas it is does not count.
fn networks(json: &Value) -> Value {
    let own = own_names(json);
    let all = json.pointer("/NetworkSettings/Networks").and_then(Value::as_object).into_iter().flatten();
    let told = all.map(|(network, seen)| {
        let mut aliases: Vec<&str> =
            seen.get("Aliases").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
        aliases.retain(|alias| !own.iter().any(|own| own == alias));
        aliases.sort_unstable();
        let some = |key: &str| seen.get(key).filter(|value| !is_nothing(value)).cloned();
        (network.clone(), json!([aliases, some("Links"), some("DriverOpts"), some("IPAMConfig")]))
    });
    Value::Object(told.collect())
}

/// By what no other replica is called: the beginning of its ID, its name, and the name that Compose gives to its number: under
/// that it is known while another container still has the name.
fn own_names(json: &Value) -> [String; 4] {
    let label = |key: &str| text(json, &format!("/Config/Labels/{key}"));
    let parts = [label(COMPOSE_PROJECT), label(COMPOSE_SERVICE), label(NUMBER)];
    let short = text(json, "/Id").chars().take(12).collect();
    [short, text(json, "/Name").trim_start_matches('/').to_owned(), parts.join("-"), parts.join("_")]
}

fn sort(list: &mut Value) {
    if let Value::Array(entries) = list {
        entries.sort_by_key(Value::to_string);
    }
}

fn is_same(one: Option<&Value>, other: &Value) -> bool {
    let one = one.unwrap_or(&Value::Null);
    one == other || (is_nothing(one) && is_nothing(other))
}

/// What is not set: Docker shows it in several ways.
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(set) => !set,
        Value::Number(number) => number.as_i64() == Some(0),
        Value::String(text) => text.is_empty(),
        Value::Array(entries) => entries.is_empty(),
        Value::Object(entries) => entries.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::recorded;
    use super::*;

    fn image(config: &Value) -> Value {
        json!({"Config": config})
    }

    fn with(place: &str, value: Value) -> Value {
        let mut json = recorded::replica("web-1");
        let (parent, key) = place.rsplit_once('/').unwrap();
        json.pointer_mut(parent).unwrap()[key] = value;
        json
    }

    fn config(config: &Value) -> Value {
        json!({"Id": "ab".repeat(32), "Config": config})
    }

    #[test]
    fn what_the_image_brought_is_left_out() {
        let brought = json!({
            "Cmd": ["serve"], "Entrypoint": ["/start"], "Env": ["PATH=/bin", "V=1"], "WorkingDir": "/app", "User": "app",
            "Labels": {"by": "build", "com.docker.compose.project": "built"}, "Volumes": {"/data": {}},
            "ExposedPorts": {"80/tcp": {}}, "Healthcheck": {"Test": ["CMD", "x"], "Interval": 5},
        });
        let image = image(&brought);
        let mut all = brought.clone();
        all["Labels"]["com.docker.compose.project"] = json!("built");
        let left = own(&config(&all), &image);
        let want =
            json!({"Env": [], "Labels": {"com.docker.compose.project": "built"}, "Volumes": {}, "ExposedPorts": {}});
        assert_eq!(Value::Object(left), want);
        for (key, value, want) in [
            ("Cmd", json!(["other"]), json!(["other"])),
            ("Env", json!(["PATH=/bin", "V=2"]), json!(["V=2"])),
            ("User", json!("root"), json!("root")),
            ("Healthcheck", json!({"Test": ["CMD", "x"], "Interval": 9}), json!({"Interval": 9})),
            ("Labels", json!({"by": "hand"}), json!({"by": "hand"})),
            ("Entrypoint", Value::Null, json!([""])),
        ] {
            let mut changed = brought.clone();
            changed[key] = value;
            assert_eq!(own(&config(&changed), &image)[key], want, "{key}");
        }
        let mut changed = brought.clone();
        changed["Entrypoint"] = json!(["/other"]);
        assert_eq!(
            own(&config(&changed), &image)["Cmd"],
            json!(["serve"]),
            "an entrypoint of its own brings no command"
        );
        let mut bound = config(&brought);
        bound["HostConfig"]["PortBindings"] = json!({"80/tcp": [{"HostPort": "8080"}]});
        assert_eq!(own(&bound, &image)["ExposedPorts"], json!({"80/tcp": {}}));
    }

    #[test]
    fn what_compose_makes_twice_of_one_definition_does_not_differ() {
        let none = image(&json!({"Volumes": {"/cache": {}}}));
        for (one, other) in [("web-1", "web-2"), ("web_1", "web_2"), ("web_1-fresh", "web_1")] {
            let (one, other) = (recorded::replica(one), recorded::replica(other));
            let found = differences((&one, &none), (&other, &none));
            assert!(found.is_empty(), "{found:?}");
        }
        // While Compose makes it anew, it is called otherwise, and known by the name that it is going to have.
        let mut renamed = with("/Name", json!("/0123456789ab_shop-web-1"));
        assert_eq!(renamed["NetworkSettings"]["Networks"]["shop_back"]["Aliases"][0], "shop-web-1");
        assert!(differences((&recorded::replica("web-2"), &none), (&renamed, &none)).is_empty());
        // Under another's name it is not one of them.
        renamed["Config"]["Labels"][NUMBER] = json!("7");
        assert_eq!(differences((&recorded::replica("web-2"), &none), (&renamed, &none)), ["Networks"]);
    }

    #[test]
    fn whatever_else_was_changed_is_found() {
        let none = image(&Value::Null);
        let web = recorded::replica("web-1");
        let mount = json!([{"Type": "bind", "Source": "/a", "Destination": "/b", "RW": true}]);
        for (place, value, want) in [
            ("/Config/Env", json!(["A=9"]), "Env"),
            ("/Config/Cmd", json!(["x"]), "Cmd"),
            ("/Config/Labels/tier", json!("1"), "Labels"),
            ("/HostConfig/Memory", json!(7), "HostConfig.Memory"),
            ("/HostConfig/Invented", json!(7), "HostConfig.Invented"),
            ("/Mounts", mount, "Mounts"),
            ("/NetworkSettings/Networks/shop_back/Aliases", json!(["x"]), "Networks"),
        ] {
            assert_eq!(differences((&web, &none), (&with(place, value), &none)), [want], "{place}");
        }
        for (place, value) in [
            ("/Config/Image", json!("other")),
            ("/Config/Labels/com.docker.compose.config-hash", json!("other")),
            ("/Config/Labels/sickbay.act", json!("i1.1")),
            ("/HostConfig/ContainerIDFile", json!("x")),
        ] {
            assert!(differences((&web, &none), (&with(place, value), &none)).is_empty(), "{place}");
        }
    }
}
