//! What cannot be copied, and what to do about it. Pure: a table of checks on what Docker told of a replica.
//!
//! Two containers cannot have one name, one port or one address, and whoever writes to a volume must know of the other
//! one. What cannot be found out by looking is asked of the owner, by a label. Read [`obstacle`].

use super::NUMBER;
use super::copy::{BUILT_IN, is_anonymous, name_of};
use crate::docker::convert::{flag, text};
use crate::model::container::{COMPOSE_CONFIG_HASH, COMPOSE_ONEOFF, Container};
use crate::model::reason::Reason;
use crate::model::service::Obstacle;
use serde_json::Value;

/// Compose's label on what it runs before or after a service's containers.
const HOOK: &str = "com.docker.compose.hook";

/// Where Compose puts secrets.
const SECRETS: &str = "/run/secrets/";

/// A replica that is to be copied, and what else must be known of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subject<'a> {
    /// The replica.
    pub(super) container: &'a Container,
    /// What inspect answered.
    pub(super) json: &'a Value,
    /// The MAC address that somebody chose for it; empty if nobody did.
    pub(super) mac: &'a str,
    /// Files that were added to it since it was made, or why nobody knows.
    pub(super) added: Result<&'a [String], &'a str>,
    /// Whether the image it runs is still there.
    pub(super) image_is_there: bool,
}

/// What is wrong, in words, if anything is.
type Check = fn(&Subject<'_>) -> Option<String>;

/// Every check, in the order in which they are made.
const CHECKS: [(Reason, Check); 21] = [
    (Reason::NotAReplica, not_a_replica),
    (Reason::SwarmTask, swarm_task),
    (Reason::KubernetesPod, kubernetes_pod),
    (Reason::NotMadeByCompose, not_made_by_compose),
    (Reason::FixedName, fixed_name),
    (Reason::AutoRemove, auto_remove),
    (Reason::SharedNetwork, shared_network),
    (Reason::SharedNamespace, shared_namespace),
    (Reason::NetworkMissing, network_missing),
    (Reason::VolumesFrom, volumes_from),
    (Reason::LegacyLinks, legacy_links),
    (Reason::FixedPort, fixed_port),
    (Reason::FixedAddress, fixed_address),
    (Reason::FixedMac, fixed_mac),
    (Reason::FixedHostname, fixed_hostname),
    (Reason::Privileged, privileged),
    (Reason::DeviceRequest, devices),
    (Reason::SharedVolume, shared_volume),
    (Reason::InjectedFiles, injected_files),
    (Reason::InjectedFiles, nobody_knows_what_was_added),
    (Reason::ImageMissing, image_missing),
];

/// The checks on a replica whose place another one is to take: it is stopped first, so what exists once is free again.
const IN_PLACE: [(Reason, Check); 14] = [
    (Reason::NotAReplica, not_a_replica),
    (Reason::SwarmTask, swarm_task),
    (Reason::KubernetesPod, kubernetes_pod),
    (Reason::NotMadeByCompose, not_made_by_compose),
    (Reason::AutoRemove, auto_remove),
    (Reason::SharedNetwork, network_of_another),
    (Reason::SharedNamespace, shared_namespace),
    (Reason::NetworkMissing, network_missing),
    (Reason::VolumesFrom, volumes_from),
    (Reason::LegacyLinks, legacy_links),
    (Reason::FixedMac, fixed_mac),
    (Reason::InjectedFiles, injected_files),
    (Reason::InjectedFiles, nobody_knows_what_was_added),
    (Reason::ImageMissing, image_missing),
];

/// Why no other one can take a replica's place; `None` if one can.
pub(super) fn in_place(subject: &Subject<'_>) -> Option<Obstacle> {
    IN_PLACE.iter().find_map(|(reason, check)| {
        let words = check(subject)?;
        Some((*reason, format!("{} cannot be replaced: {words}", subject.container.name)))
    })
}

/// Why a replica cannot be copied; `None` if it can.
pub(super) fn obstacle(subject: &Subject<'_>) -> Option<Obstacle> {
    CHECKS.iter().find_map(|(reason, check)| {
        let words = check(subject)?;
        Some((*reason, format!("{} cannot be copied: {words}", subject.container.name)))
    })
}

fn label<'a>(subject: &Subject<'a>, key: &str) -> Option<&'a str> {
    subject.container.labels.get(key).map(String::as_str)
}

/// Whether the owner's label `sickbay.scale.WHAT` says `allow`.
fn allowed(subject: &Subject<'_>, what: &str) -> bool {
    label(subject, &format!("sickbay.scale.{what}")).is_some_and(|value| value.trim().eq_ignore_ascii_case("allow"))
}

fn not_a_replica(subject: &Subject<'_>) -> Option<String> {
    let once = label(subject, COMPOSE_ONEOFF).is_some_and(|once| !once.eq_ignore_ascii_case("false"));
    let hook = label(subject, HOOK).is_some();
    (once || hook).then(|| "it was made by `docker compose run` or for a hook, and is no replica".to_owned())
}

fn of_orchestrator(subject: &Subject<'_>, prefix: &str, whose: &str) -> Option<String> {
    let label = subject.container.labels.keys().find(|key| key.starts_with(prefix))?;
    Some(format!("its label {label} says that it is {whose}, which makes its replicas itself"))
}

fn swarm_task(subject: &Subject<'_>) -> Option<String> {
    of_orchestrator(subject, "com.docker.swarm.", "Swarm's")
}

fn kubernetes_pod(subject: &Subject<'_>) -> Option<String> {
    of_orchestrator(subject, "io.kubernetes.", "Kubernetes'")
}

fn not_made_by_compose(subject: &Subject<'_>) -> Option<String> {
    let numbered = label(subject, NUMBER).is_some_and(|number| number.parse::<u32>().is_ok());
    let hashed = label(subject, COMPOSE_CONFIG_HASH).is_some_and(|hash| !hash.is_empty());
    let missing = if numbered { COMPOSE_CONFIG_HASH } else { NUMBER };
    let words =
        || format!("it lacks Compose's label {missing}: recreate it with `docker compose up -d --force-recreate`");
    (!numbered || !hashed).then(words)
}

fn fixed_name(subject: &Subject<'_>) -> Option<String> {
    let named = name_of(subject.container, 1).is_none();
    named.then(|| {
        "its name is not the one Compose gives to replicas, and a name exists once: take `container_name` out of the \
         service, then `docker compose up -d`"
            .to_owned()
    })
}

fn auto_remove(subject: &Subject<'_>) -> Option<String> {
    let words = "it is removed when it stops: start it without `--rm`";
    subject.container.auto_remove.then(|| words.to_owned())
}

fn shared_network(subject: &Subject<'_>) -> Option<String> {
    let mode = subject.container.network_mode.as_str();
    if mode == "host" {
        return Some(
            "it uses its host's network, where a second one finds its ports taken: give the service a network of its \
             own instead of `network_mode: host`"
                .to_owned(),
        );
    }
    network_of_another(subject)
}

fn network_of_another(subject: &Subject<'_>) -> Option<String> {
    subject.container.network_mode.starts_with("container:").then(|| {
        "it lives in the network of another container, which has its ports already: give the service a network of its \
         own instead of `network_mode`"
            .to_owned()
    })
}

fn shared_namespace(subject: &Subject<'_>) -> Option<String> {
    let (key, _) = [("ipc", "/HostConfig/IpcMode"), ("pid", "/HostConfig/PidMode"), ("cgroup", "/HostConfig/Cgroup")]
        .into_iter()
        .find(|(_, place)| text(subject.json, place).starts_with("container:"))?;
    Some(format!("it lives in the {key} namespace of one other container: take `{key}` out of the service"))
}

/// A copy of it would have none of its other networks and aliases.
fn network_missing(subject: &Subject<'_>) -> Option<String> {
    let mode = subject.container.network_mode.as_str();
    let networks = subject.json.pointer("/NetworkSettings/Networks").and_then(Value::as_object);
    let there = |(name, seen): (&String, &Value)| name == mode || text(seen, "/NetworkID") == mode;
    let connected = networks.is_some_and(|networks| networks.iter().any(there));
    (!connected && !BUILT_IN.contains(&mode) && !mode.is_empty()).then(|| {
        format!("it is not connected to its network {mode}: somebody has taken it off, or it is just being started")
    })
}

fn volumes_from(subject: &Subject<'_>) -> Option<String> {
    let words = "it takes its volumes from another container: name them under `volumes` instead of `volumes_from`";
    has_entries(subject.json, "/HostConfig/VolumesFrom").then(|| words.to_owned())
}

fn legacy_links(subject: &Subject<'_>) -> Option<String> {
    let words = "it is linked on the default network, by old means: put the services on a network, where names suffice";
    has_entries(subject.json, "/HostConfig/Links").then(|| words.to_owned())
}

fn fixed_port(subject: &Subject<'_>) -> Option<String> {
    let bindings = subject.json.pointer("/HostConfig/PortBindings")?.as_object()?;
    let mut published = bindings.iter().flat_map(|(port, hosts)| {
        hosts.as_array().into_iter().flatten().map(move |host| (port, text(host, "/HostPort")))
    });
    let (port, host) = published.find(|(_, host)| !leaves_a_choice(host))?;
    Some(format!(
        "it publishes {port} on port {host} of its host, which a second one cannot have: publish a range such as \
         \"{host}-{}:{}\", or no host port at all",
        host.parse::<u32>().unwrap_or_default() + 9,
        port.split('/').next().unwrap_or_default(),
    ))
}

/// Whether Docker can pick another port: none is named, or a range of several.
fn leaves_a_choice(host_port: &str) -> bool {
    let range = host_port.split_once('-').map(|(from, to)| (from.parse::<u16>(), to.parse::<u16>()));
    match range {
        Some((Ok(from), Ok(to))) => from < to,
        Some(_) => false,
        None => host_port.is_empty() || host_port == "0",
    }
}

fn fixed_address(subject: &Subject<'_>) -> Option<String> {
    let networks = subject.json.pointer("/NetworkSettings/Networks")?.as_object()?;
    let fixed = |seen: &Value| {
        let own = ["/IPAMConfig/IPv4Address", "/IPAMConfig/IPv6Address"];
        own.iter().any(|place| !text(seen, place).is_empty()) || has_entries(seen, "/IPAMConfig/LinkLocalIPs")
    };
    let (network, _) = networks.iter().find(|(_, seen)| fixed(seen))?;
    Some(format!(
        "it has a fixed address in the network {network}: take `ipv4_address`, `ipv6_address` and `link_local_ips` out \
         of the service"
    ))
}

fn fixed_mac(subject: &Subject<'_>) -> Option<String> {
    let mac = subject.mac;
    (!mac.is_empty()).then(|| format!("it has the fixed MAC address {mac}: take `mac_address` out of the service"))
}

fn fixed_hostname(subject: &Subject<'_>) -> Option<String> {
    let hostname = text(subject.json, "/Config/Hostname");
    let fixed = !hostname.is_empty() && hostname != subject.container.id.short() && !allowed(subject, "hostname");
    fixed.then(|| {
        format!(
            "it calls itself {hostname}, and so would every other one: take `hostname` out of the service, or set the \
             label sickbay.scale.hostname=allow if that does no harm"
        )
    })
}

fn privileged(subject: &Subject<'_>) -> Option<String> {
    let privileged = flag(subject.json, "/HostConfig/Privileged") && !allowed(subject, "privileged");
    privileged.then(|| {
        "it is privileged, and may do to its host what is to be done once: set the label \
         sickbay.scale.privileged=allow if there may be several"
            .to_owned()
    })
}

fn devices(subject: &Subject<'_>) -> Option<String> {
    let asked = ["/HostConfig/Devices", "/HostConfig/DeviceRequests", "/HostConfig/DeviceCgroupRules"];
    let some = asked.iter().any(|place| has_entries(subject.json, place)) && !allowed(subject, "devices");
    some.then(|| {
        "it has devices of its host, such as a GPU, which may not be shared: set the label sickbay.scale.devices=allow \
         if they can be"
            .to_owned()
    })
}

fn shared_volume(subject: &Subject<'_>) -> Option<String> {
    let mounts = subject.json.get("Mounts").and_then(Value::as_array).into_iter().flatten();
    let shared = mounts.filter(|mount| is_shared(mount)).map(|mount| text(mount, "/Destination")).next()?;
    (!allowed(subject, "shared-volumes")).then(|| {
        format!(
            "it writes to {shared}, and a second one would write to the same place: mount it read-only (`:ro`), or set \
             the label sickbay.scale.shared-volumes=allow if the program copes with that"
        )
    })
}

/// Whether a mount is one place for all replicas and can be written to.
fn is_shared(mount: &Value) -> bool {
    let own = match text(mount, "/Type") {
        "tmpfs" => true,
        "volume" => is_anonymous(text(mount, "/Name")),
        _ => false,
    };
    // What does not say that it is read-only is not.
    !own && mount.get("RW").and_then(Value::as_bool).unwrap_or(true)
}

fn injected_files(subject: &Subject<'_>) -> Option<String> {
    let added = subject.added.ok()?;
    let mounts = subject.json.get("Mounts").and_then(Value::as_array).into_iter().flatten();
    let places: Vec<&str> = mounts.map(|mount| text(mount, "/Destination")).collect();
    let injected = added.iter().find(|path| path.starts_with(SECRETS) && !places.contains(&path.as_str()))?;
    Some(format!(
        "Compose has put the file {injected} into it, which no copy would have: give the secret by `file:` instead of \
         `environment:`"
    ))
}

fn nobody_knows_what_was_added(subject: &Subject<'_>) -> Option<String> {
    let error = subject.added.err()?;
    Some(format!("docker does not say which files were put into it ({error}): allow GET /containers/ID/changes"))
}

fn image_missing(subject: &Subject<'_>) -> Option<String> {
    (!subject.image_is_there)
        .then(|| "the image it runs was removed: pull or build it again, then `docker compose up -d`".to_owned())
}

fn has_entries(json: &Value, pointer: &str) -> bool {
    json.pointer(pointer).and_then(Value::as_array).is_some_and(|entries| !entries.is_empty())
}

#[cfg(test)]
mod tests {
    use super::super::recorded;
    use super::*;
    use crate::docker::convert::container;
    use serde_json::json;

    fn reason_of(json: &Value, added: Result<&[String], &str>) -> Option<Reason> {
        let container = container(json).unwrap();
        // Up to API 1.43 this is where it stands.
        let mac = text(json, "/Config/MacAddress");
        let subject = Subject { container: &container, json, mac, added, image_is_there: true };
        obstacle(&subject).map(|(reason, words)| {
            assert!(words.starts_with(&format!("{} cannot be copied: ", container.name)), "{words}");
            reason
        })
    }

    #[test]
    fn every_service_out_of_the_ordinary_has_its_own_reason() {
        for (name, want) in [
            ("named", Some(Reason::FixedName)),
            ("port", Some(Reason::FixedPort)),
            ("hostnet", Some(Reason::SharedNetwork)),
            ("sidecar", Some(Reason::SharedNetwork)),
            ("owner", None),
            ("pid", Some(Reason::SharedNamespace)),
            ("ipc", Some(Reason::SharedNamespace)),
            ("from", Some(Reason::VolumesFrom)),
            ("static", Some(Reason::FixedAddress)),
            ("mac", Some(Reason::FixedMac)),
            ("swarmlike", Some(Reason::SwarmTask)),
            ("kube", Some(Reason::KubernetesPod)),
            ("shared", Some(Reason::SharedVolume)),
            ("sharedbind", Some(Reason::SharedVolume)),
            ("host", Some(Reason::FixedHostname)),
            ("device", Some(Reason::DeviceRequest)),
            ("privileged", Some(Reason::Privileged)),
            ("linked", None),
            ("bridge", None),
            ("entry", None),
            ("none", None),
        ] {
            assert_eq!(reason_of(&recorded::odd(name), Ok(&[])), want, "{name}");
        }
        for name in ["web-1", "web-2", "plain-1", "web_1", "web_2", "web_1-fresh"] {
            assert_eq!(reason_of(&recorded::replica(name), Ok(&[])), None, "{name}");
        }
    }

    #[test]
    fn what_no_recording_shows_is_refused_as_well() {
        let with = |place: &str, value: Value| {
            let mut json = recorded::replica("web-1");
            let (parent, key) = place.rsplit_once('/').unwrap();
            json.pointer_mut(parent).unwrap()[key] = value;
            json
        };
        let labelled = |label: &str, value: Value| {
            let mut json = recorded::replica("web-1");
            json["Config"]["Labels"][label] = value;
            json
        };
        let binding = |ports: Value| with("/HostConfig/PortBindings", json!({"80/tcp": ports}));
        let port = |port: &str| binding(json!([{"HostIp": "", "HostPort": port}]));
        for (name, json, want) in [
            ("unchanged", with("/HostConfig/Invented", json!(1)), None),
            ("--rm", with("/HostConfig/AutoRemove", json!(true)), Some(Reason::AutoRemove)),
            ("old links", with("/HostConfig/Links", json!(["/db:/web/db"])), Some(Reason::LegacyLinks)),
            ("a GPU", with("/HostConfig/DeviceRequests", json!([{"Count": -1}])), Some(Reason::DeviceRequest)),
            ("a rule", with("/HostConfig/DeviceCgroupRules", json!(["c 1:3 r"])), Some(Reason::DeviceRequest)),
            ("cgroup", with("/HostConfig/Cgroup", json!("container:ab")), Some(Reason::SharedNamespace)),
            ("any port", port(""), None),
            ("port 0", port("0"), None),
            ("a range", port("8000-8009"), None),
            ("a range of one", port("8000-8000"), Some(Reason::FixedPort)),
            ("a range of nothing", port("8000-x"), Some(Reason::FixedPort)),
            (
                "a fixed port behind a range",
                binding(json!([{"HostPort": "1-2"}, {"HostPort": "80"}])),
                Some(Reason::FixedPort),
            ),
            ("IPv6", address(json!({"IPv6Address": "fd00::9"})), Some(Reason::FixedAddress)),
            ("link local", address(json!({"LinkLocalIPs": ["169.254.1.1"]})), Some(Reason::FixedAddress)),
            ("no address", address(json!({"LinkLocalIPs": []})), None),
            ("run once", labelled(COMPOSE_ONEOFF, json!("True")), Some(Reason::NotAReplica)),
            ("of a hook", labelled(HOOK, json!("pre_start")), Some(Reason::NotAReplica)),
            ("taken off its network", with("/NetworkSettings/Networks", json!({})), Some(Reason::NetworkMissing)),
            ("no number", labelled(NUMBER, json!("one")), Some(Reason::NotMadeByCompose)),
            ("no hash", labelled(COMPOSE_CONFIG_HASH, json!("")), Some(Reason::NotMadeByCompose)),
            (
                "a cluster volume",
                mount(&json!({"Type": "cluster", "Destination": "/x", "RW": true})),
                Some(Reason::SharedVolume),
            ),
            ("of unknown kind", mount(&json!({"Destination": "/x"})), Some(Reason::SharedVolume)),
            ("read-only", mount(&json!({"Type": "bind", "Destination": "/x", "RW": false})), None),
            ("tmpfs", mount(&json!({"Type": "tmpfs", "Destination": "/x", "RW": true})), None),
        ] {
            assert_eq!(reason_of(&json, Ok(&[])), want, "{name}");
        }
    }

    fn address(ipam: Value) -> Value {
        let mut json = recorded::replica("web-1");
        json["NetworkSettings"]["Networks"]["shop_front"]["IPAMConfig"] = ipam;
        json
    }

    fn mount(mount: &Value) -> Value {
        let mut json = recorded::replica("web-1");
        json["Mounts"] = json!([mount]);
        json
    }

    #[test]
    fn what_exists_once_can_be_had_by_the_one_that_takes_the_place() {
        for (name, want) in [
            ("named", None),
            ("port", None),
            ("static", None),
            ("shared", None),
            ("sharedbind", None),
            ("host", None),
            ("device", None),
            ("privileged", None),
            ("hostnet", None),
            ("bridge", None),
            ("entry", None),
            ("sidecar", Some(Reason::SharedNetwork)),
            ("pid", Some(Reason::SharedNamespace)),
            ("ipc", Some(Reason::SharedNamespace)),
            ("from", Some(Reason::VolumesFrom)),
            ("mac", Some(Reason::FixedMac)),
            ("swarmlike", Some(Reason::SwarmTask)),
            ("kube", Some(Reason::KubernetesPod)),
        ] {
            let json = recorded::odd(name);
            let container = container(&json).unwrap();
            let mac = text(&json, "/Config/MacAddress");
            let seen = Subject { container: &container, json: &json, mac, added: Ok(&[]), image_is_there: true };
            assert_eq!(in_place(&seen).map(|(reason, _)| reason), want, "{name}");
            let unseen = Subject { added: Err("blocked"), ..seen };
            assert!(in_place(&unseen).is_some() && in_place(&Subject { image_is_there: false, ..seen }).is_some());
        }
    }

    #[test]
    fn its_owner_may_allow_what_can_be_shared_and_nothing_else() {
        for (name, label, want) in [
            ("shared", "shared-volumes", None),
            ("sharedbind", "shared-volumes", None),
            ("host", "hostname", None),
            ("device", "devices", None),
            ("privileged", "privileged", None),
            ("shared", "hostname", Some(Reason::SharedVolume)),
            ("port", "port", Some(Reason::FixedPort)),
        ] {
            let mut json = recorded::odd(name);
            for (value, want) in [("allow", want), (" Allow ", want), ("no", reason_of(&recorded::odd(name), Ok(&[])))]
            {
                json["Config"]["Labels"][format!("sickbay.scale.{label}")] = json!(value);
                assert_eq!(reason_of(&json, Ok(&[])), want, "{name}: {label}={value}");
            }
        }
    }

    #[test]
    fn files_that_compose_put_in_are_found_among_those_that_were_added() {
        let added = |paths: &[&str]| paths.iter().map(|path| (*path).to_owned()).collect::<Vec<_>>();
        let (env, file) = (recorded::odd("envsecret"), recorded::replica("web-1"));
        let changes = added(&["/run", "/run/secrets", "/run/secrets/token", "/cache"]);
        assert_eq!(reason_of(&env, Ok(&changes)), Some(Reason::InjectedFiles));
        assert_eq!(reason_of(&env, Ok(&[])), None, "only its file system tells");
        // A secret of a file is a mount, and its place is added to the container as well.
        let changes = added(&["/run/secrets", "/run/secrets/filesec", "/sbin/docker-init"]);
        assert_eq!(reason_of(&file, Ok(&changes)), None);
        assert_eq!(reason_of(&file, Err("blocked")), Some(Reason::InjectedFiles));
        let container = container(&file).unwrap();
        let subject = Subject { container: &container, json: &file, mac: "", added: Ok(&[]), image_is_there: false };
        assert_eq!(obstacle(&subject).map(|(reason, _)| reason), Some(Reason::ImageMissing));
    }
}
