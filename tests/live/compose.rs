//! Compose services scaled on a real engine, with real Compose as the judge: it must take our replicas for its own, recreate
//! nothing, and count, restart and remove them as if it had made them.

use crate::alerts::{firing, notification, resolved};
use crate::real_docker::{docker, image};
use crate::sickbay_process::{Sickbay, wait_until};
use crate::support::{Generation, Project, WIDE_LIMITS, WIDE_SETTINGS, number};
use serde_json::{Value, json};
use std::fs;

/// A service with everything that a copy must get right.
const RICH: &str = r#"
version: "2.4"
services:
  web:
    image: IMAGE
    command: [sh, -c, "trap 'exit 0' TERM; touch /tmp/up; while true; do sleep 1000 & wait $$!; done"]
    environment: {A: "1", B: "two words"}
    labels: {sickbay.enable: "true", sickbay.scale.enable: "true"}
    restart: unless-stopped
    stop_grace_period: 3s
    networks:
      front: {aliases: [www]}
      back: {}
    ports: ["8080", "127.0.0.1:PORTS:8081"]
    volumes: ["data:/data:ro", "./site:/site:ro", "/scratch"]
    tmpfs: ["/run/x:size=1m"]
    sysctls: {net.core.somaxconn: "1024"}
    ulimits: {nofile: {soft: 1000, hard: 2000}}
    mem_limit: 64m
    healthcheck: {test: ["CMD", "test", "-e", "/tmp/up"], interval: 1s, timeout: 2s, retries: 3}
networks: {front: {}, back: {}}
volumes: {data: {}}
"#;

/// Two alerts: one scales out, and back in the end; the other one scales to two.
fn rules(project: &Project) -> String {
    let target = format!("{{compose: {{project: {}, service: '{{{{ labels.service }}}}'}}}}", project.name);
    let playbook = |name: &str, steps: &str, after: &str| {
        format!(
            "  - name: {name}\n    matchers: ['alertname = \"{name}\"']\n    target: {target}\n    limits: {WIDE_LIMITS}\n    \
             steps:\n      - scale: {steps}\n      - verify: {{replicas_running: all, within: 60s, every: 1s, stable_for: \
             1s}}\n    on_failure:\n      - notify: {{to: [log], severity: critical, message: '{{{{ failed.error }}}}'}}\n{after}"
        )
    };
    let back = "    on_resolved:\n      - scale: {to: original}\n";
    let out = playbook("out", "{by: 3, max: 4}", back);
    let out_by_two = playbook("by-two", "{by: 2, max: 9}", "");
    let two = playbook("two", "{to: 2, max: 9}", "");
    format!("version: 1\nplaybooks:\n{out}{out_by_two}{two}")
}

fn alarm(sickbay: &Sickbay, alertname: &str, service: &str) -> Value {
    let alert = firing(&json!({"alertname": alertname, "service": service}));
    assert_eq!(sickbay.post(&notification(std::slice::from_ref(&alert))).status, 200);
    alert
}

/// Who they are, and since when they run: what must not change unless somebody wants it to.
fn who(replicas: &[Value]) -> Vec<(String, String)> {
    replicas.iter().map(|one| (text(&one["Id"]), text(&one["State"]["StartedAt"]))).collect()
}

fn numbers(replicas: &[Value]) -> Vec<u32> {
    replicas.iter().map(number).collect()
}

fn text(json: &Value) -> String {
    json.as_str().unwrap().to_owned()
}

fn anonymous(replica: &Value) -> Vec<String> {
    let mounts = replica["Mounts"].as_array().unwrap().iter();
    mounts.filter_map(|mount| mount["Name"].as_str()).filter(|name| name.len() == 64).map(str::to_owned).collect()
}

fn volume_is_there(name: &str) -> bool {
    docker(&["volume", "ls", "-q"]).lines().any(|volume| volume == name)
}

/// A range of host ports that nobody else uses.
fn ports(count: u16) -> String {
    let first = crate::sickbay_process::free_port() / 2 + 5000;
    format!("{first}-{}", first + count - 1)
}

fn rich(generation: Generation, purpose: &str) -> Option<Project> {
    let project = Project::of(generation, purpose, &RICH.replace("PORTS", &ports(20)))?;
    fs::create_dir(project.path().join("site")).unwrap();
    project.compose(&["up", "-d"]);
    // From now on its anonymous volume has a name that a careless copy would share.
    project.compose(&["up", "-d", "--force-recreate"]);
    Some(project)
}

/// What sets one replica apart, left out of what inspect says of its settings.
fn settings(replica: &Value) -> Value {
    let own = text(&replica["Name"]);
    let short = text(&replica["Id"]).chars().take(12).collect::<String>();
    let mut config = replica["Config"].clone();
    let map = config.as_object_mut().unwrap();
    map.remove("Hostname");
    map["Env"].as_array_mut().unwrap().retain(|entry| !entry.as_str().unwrap().starts_with("affinity:"));
    map["Labels"].as_object_mut().unwrap().retain(|label, _| {
        let ours = ["sickbay.clone-of", "sickbay.incident", "sickbay.act"].contains(&label.as_str());
        !ours && !label.ends_with("container-number") && !label.ends_with("compose.replace")
    });
    let mut host = replica["HostConfig"].clone();
    for list in ["Binds", "Mounts"] {
        let Some(entries) = host[list].as_array() else { continue };
        let entries: Vec<String> = entries.iter().map(Value::to_string).map(|entry| without_hex(&entry)).collect();
        host[list] = json!(entries);
    }
    let networks: Vec<Value> = replica["NetworkSettings"]["Networks"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(network, seen)| {
            let aliases = seen["Aliases"].as_array().unwrap().iter().map(text);
            let aliases = aliases.filter(|alias| *alias != short);
            let mut aliases: Vec<String> =
                aliases.map(|alias| alias.replace(own.trim_start_matches('/'), "ITSELF")).collect();
            aliases.sort();
            json!([network, aliases])
        })
        .collect();
    let mut volumes: Vec<String> = replica["Mounts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|mount| without_hex(&format!("{} {} {}", mount["Name"], mount["Destination"], mount["RW"])))
        .collect();
    volumes.sort();
    json!({"config": config, "host": host, "networks": networks, "volumes": volumes})
}

/// A mount without the name that Docker made up for it.
fn without_hex(entry: &str) -> String {
    let hex = regex::Regex::new("(\"Source\":)?\"?[0-9a-f]{64}(\",?|:/scratch:rw)?").unwrap();
    hex.replace_all(entry, "").into_owned()
}

fn same_settings(replicas: &[Value]) {
    let first = settings(&replicas[0]);
    for other in &replicas[1..] {
        let other = settings(other);
        for part in ["config", "networks", "volumes"] {
            assert_eq!(first[part], other[part], "{part}");
        }
        let (first, other) = (first["host"].as_object().unwrap(), other["host"].as_object().unwrap());
        for (key, value) in first.iter().filter(|(key, _)| *key != "Binds" && *key != "Mounts") {
            assert_eq!(Some(value), other.get(key), "{key}");
        }
    }
}

/// From one to four by sickbay, to two by sickbay, with Compose asked about each.
fn out_and_in_again(generation: Generation, purpose: &str) {
    let Some(project) = rich(generation, purpose) else { return };
    let sickbay = Sickbay::running(&rules(&project), WIDE_SETTINGS);
    alarm(&sickbay, "out", "web");
    assert_eq!(sickbay.verdict_of(1), "recovered", "{}", sickbay.story());
    let four = project.replicas("web");
    assert_eq!(numbers(&four), [1, 2, 3, 4]);
    same_settings(&four);
    everything_has_its_own(&four, &project);

    let listed = project.compose(&["ps"]);
    assert!(four.iter().all(|one| listed.contains(text(&one["Name"]).trim_start_matches('/'))), "{listed}");
    let said = project.compose(&["up", "-d", "--scale", "web=4"]);
    assert_eq!(who(&project.replicas("web")), who(&four), "nothing is recreated or restarted: {said}");
    project.compose(&["restart", "-t", "1", "web"]);
    let healthy = |one: &Value| one["State"]["Health"]["Status"] == "healthy";
    wait_until(|| project.replicas("web").iter().all(healthy).then_some(())).unwrap();
    let restarted = project.replicas("web");
    let ids = |all: &[Value]| who(all).into_iter().map(|(id, _)| id).collect::<Vec<_>>();
    assert_eq!(ids(&restarted), ids(&four));
    assert!(who(&restarted).iter().zip(who(&four)).all(|(new, old)| new.1 != old.1), "all four are restarted");

    let left_behind: Vec<String> = restarted[2..].iter().flat_map(anonymous).collect();
    alarm(&sickbay, "two", "web");
    assert_eq!(sickbay.verdict_of(2), "recovered", "{}", sickbay.story());
    let two = project.replicas("web");
    assert_eq!(who(&two), who(&restarted[..2]), "the highest numbers go, and the others are left alone");
    assert!(left_behind.iter().all(|volume| !volume_is_there(volume)), "their anonymous volumes go with them");
    assert!(project.volumes().iter().any(|volume| volume.ends_with("_data")), "a named volume stays");
    project.compose(&["up", "-d", "--scale", "web=2"]);
    assert_eq!(who(&project.replicas("web")), who(&two));

    project.compose(&["up", "-d", "--scale", "web=3"]);
    let three = project.replicas("web");
    assert_eq!((numbers(&three), who(&three[..2])), (vec![1, 2, 3], who(&two)), "Compose adds one after ours");
    project.compose(&["up", "-d"]);
    assert_eq!(who(&project.replicas("web")), who(&two[..1]), "the number in the file is its owner's");
    project.compose(&["down", "-v", "-t", "1"]);
    assert!(project.replicas("web").is_empty() && project.volumes().is_empty());
}

/// What two replicas must not share, and what they must be reached by.
fn everything_has_its_own(replicas: &[Value], project: &Project) {
    let mut volumes: Vec<String> = replicas.iter().flat_map(anonymous).collect();
    let count = volumes.len();
    volumes.sort();
    volumes.dedup();
    assert!(volumes.len() == count && replicas.len() <= count, "each has its own anonymous volume");
    for port in ["8080/tcp", "8081/tcp"] {
        let mut published: Vec<String> =
            replicas.iter().map(|one| text(&one["NetworkSettings"]["Ports"][port][0]["HostPort"])).collect();
        published.sort();
        published.dedup();
        assert_eq!(published.len(), replicas.len(), "{port}");
    }
    for (network, name) in [("front", "www"), ("front", "web"), ("back", "web")] {
        let network = format!("{}_{network}", project.name);
        let addresses = |one: &Value| text(&one["NetworkSettings"]["Networks"][&network]["IPAddress"]);
        // It also asks for IPv6 addresses, and says so with its status that there are none.
        let ask = format!("busybox nslookup {name} || true");
        let found = wait_until(|| {
            let said = docker(&["run", "--rm", "--network", &network, &image(), "sh", "-c", &ask]);
            replicas.iter().all(|one| said.contains(&addresses(one))).then_some(())
        });
        assert!(found.is_some(), "{name} in {network} leads to all replicas");
    }
    for one in replicas {
        assert_eq!(one["State"]["Health"]["Status"], "healthy");
        let id = text(&one["Id"]);
        let seen =
            docker(&["exec", &id, "sh", "-c", "cat /proc/1/limits /proc/sys/net/core/somaxconn; echo x >/run/x/y"]);
        let files = seen.lines().find(|line| line.starts_with("Max open files")).unwrap();
        assert_eq!(files.split_whitespace().collect::<Vec<_>>()[3..5], ["1000", "2000"]);
        assert_eq!(seen.lines().last(), Some("1024"));
    }
}

#[test]
fn compose_2_takes_our_replicas_for_its_own() {
    out_and_in_again(Generation::Two, "compose2");
}

#[test]
fn compose_1_takes_our_replicas_for_its_own() {
    // Compose 1 itself fails at the first recreation there: it reads `ContainerConfig`, which images no longer have.
    let speaks: f32 = docker(&["version", "--format", "{{.Server.APIVersion}}"]).parse().unwrap();
    if 1.43 < speaks {
        return;
    }
    out_and_in_again(Generation::One, "compose1");
}

#[test]
fn when_the_alert_ends_there_are_as_many_as_before() {
    let project = rich(Generation::Two, "original").unwrap();
    let sickbay = Sickbay::running(&rules(&project), WIDE_SETTINGS);
    let before = who(&project.replicas("web"));
    let alert = alarm(&sickbay, "out", "web");
    assert_eq!(sickbay.verdict_of(1), "recovered", "{}", sickbay.story());
    assert_eq!(project.replicas("web").len(), 4);
    assert_eq!(sickbay.post(&notification(&[resolved(&alert)])).status, 200);
    wait_until(|| (project.replicas("web").len() == 1).then_some(())).unwrap();
    assert_eq!(who(&project.replicas("web")), before);
}

/// Services of which none can be copied, each for one reason.
const ODD: &str = r#"
x-base: &base
  image: IMAGE
  stop_grace_period: 1s
services:
  fixed_name: {<<: *base, container_name: NAME}
  fixed_port: {<<: *base, ports: ["127.0.0.1:PORT:80"]}
  shared_network: {<<: *base, network_mode: host}
  shared_network_too: {<<: *base, network_mode: "service:owner"}
  owner: {<<: *base, ipc: shareable}
  shared_namespace: {<<: *base, pid: "service:owner"}
  shared_namespace_too: {<<: *base, ipc: "service:owner"}
  volumes_from: {<<: *base, volumes_from: [owner]}
  fixed_address: {<<: *base, networks: {fixed: {ipv4_address: 10.213.77.9}}}
  fixed_mac: {<<: *base, MAC}
  swarm_task: {<<: *base, labels: {com.docker.swarm.service.id: x}}
  kubernetes_pod: {<<: *base, labels: {io.kubernetes.pod.name: x}}
  injected_files: {<<: *base, secrets: [token]}
  shared_volume: {<<: *base, volumes: ["data:/data"]}
  shared_volume_too: {<<: *base, volumes: ["./x:/x"]}
  fixed_hostname: {<<: *base, hostname: one}
  device_request: {<<: *base, devices: ["/dev/null:/dev/xnull"]}
  no_running_replica: {<<: *base, command: ["true"]}
  scale_not_enabled: {<<: *base}
secrets: {token: {environment: SICKBAY_TEST_TOKEN}}
networks: {fixed: {ipam: {config: [{subnet: 10.213.77.0/24}]}}}
volumes: {data: {}}
"#;

#[test]
fn what_cannot_be_copied_is_refused_for_its_own_reason_before_anything_is_begun() {
    let name = crate::real_docker::unique("the-one");
    let port = crate::sickbay_process::free_port().to_string();
    // Compose gives a container its own MAC address by the network where the engine takes it there, and else by itself.
    let speaks: f32 = docker(&["version", "--format", "{{.Server.APIVersion}}"]).parse().unwrap();
    let own = r#"mac_address: "02:42:ac:11:65:43""#;
    let own = if speaks < 1.44 { own.to_owned() } else { format!("networks: {{default: {{{own}}}}}") };
    let odd = ODD.replace("NAME", &name).replace("PORT", &port).replace("MAC", &own);
    let project = Project::of(Generation::Two, "odd", &with_labels(&odd));
    let project = project.unwrap();
    fs::create_dir(project.path().join("x")).unwrap();
    project.compose(&["up", "-d"]);
    let sickbay = Sickbay::running(&rules(&project), WIDE_SETTINGS);
    let services: Vec<&str> =
        ODD.lines().filter_map(|line| line.strip_prefix("  ")?.split_once(": {<<")).map(|(name, _)| name).collect();
    let services: Vec<&str> = services.into_iter().filter(|service| *service != "owner").collect();
    assert_eq!(services.len(), 18);
    for service in &services {
        alarm(&sickbay, "out", service);
    }
    let decisions = sickbay.wait_for("decision", services.len());
    for service in &services {
        let target = format!("{}/{service}", project.name);
        let about =
            |record: &&Value| record["inputs"]["service"] == json!(target) || record["target"]["name"] == json!(target);
        let decision = decisions.iter().find(about).unwrap_or_else(|| panic!("{service}: {decisions:#?}"));
        assert_eq!(decision["reason"], service.trim_end_matches("_too"), "{decision:#}");
        assert!(20 < decision["detail"].as_str().unwrap().len(), "it says what to do: {decision}");
        assert_eq!(project.replicas(service).len(), 1, "{service}");
    }
    assert!(sickbay.records_of("action.intent").is_empty());
}

/// As an owner would who wants each to be scaled but one.
fn with_labels(file: &str) -> String {
    let lines = file.lines().map(|line| {
        if !line.contains("<<: *base") {
            return line.to_owned();
        }
        let own = if line.contains("scale_not_enabled") { "" } else { ", sickbay.scale.enable: \"true\"" };
        match line.split_once("labels: {") {
            Some((before, after)) => format!("{before}labels: {{sickbay.enable: \"true\"{own}, {after}"),
            None => line.replacen("*base", &format!("*base, labels: {{sickbay.enable: \"true\"{own}}}"), 1),
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn one_that_cannot_be_started_takes_the_others_of_its_act_with_it() {
    let file = "services:\n  web: {image: IMAGE, stop_grace_period: 1s, ports: [\"127.0.0.1:PORTS:80\"], volumes: [/x], \
                labels: {sickbay.enable: 'true', sickbay.scale.enable: 'true'}}\n";
    let project = Project::of(Generation::Two, "halfway", &file.replace("PORTS", &ports(2))).unwrap();
    project.compose(&["up", "-d"]);
    let before = project.replicas("web");
    let sickbay = Sickbay::running(&rules(&project), WIDE_SETTINGS);
    // Two ports are there for three replicas.
    alarm(&sickbay, "by-two", "web");
    assert_eq!(sickbay.verdict_of(1), "failed", "{}", sickbay.story());
    assert_eq!(who(&project.replicas("web")), who(&before), "{}", sickbay.story());
    let finished = sickbay.records_of("action.outcome").pop().unwrap().to_string();
    assert!(finished.contains("did not start") && finished.contains("was removed again"), "{finished}");
}
