//! Compose services taken back from a bad image on a real engine, with real Compose as the judge of what it is left with.

use crate::alerts::{firing, notification};
use crate::real_docker::{docker, image, unique};
use crate::sickbay_process::{Sickbay, free_port, wait_until};
use crate::support::{Generation, Project, WIDE_LIMITS, WIDE_SETTINGS, number};
use serde_json::{Value, json};
use std::fs;
use std::process::Command;
use std::time::Duration;

/// A service with what a second one could not have, and what must go along. Its command and one variable are its image's.
const RICH: &str = r#"
services:
  web:
    image: APP
    container_name: NAME
    environment: {A: "1"}
    labels: {sickbay.enable: "true", sickbay.rollback.enable: "true"}
    restart: unless-stopped
    stop_grace_period: 1s
    networks:
      front: {aliases: [www], ipv4_address: SUBNET.9}
      back: {}
    ports: ["127.0.0.1:PORT:8080"]
    volumes: ["data:/data", "/scratch"]
    healthcheck: {test: ["CMD", "test", "-e", "/tmp/up"], interval: 1s, timeout: 2s, retries: 2}
networks:
  front: {ipam: {config: [{subnet: SUBNET.0/24}]}}
  back: {}
volumes: {data: {}}
"#;

/// A plain one.
pub(crate) const PLAIN: &str = r#"
version: "2.4"
services:
  web:
    image: APP
    labels: {sickbay.enable: "true", sickbay.rollback.enable: "true"}
    stop_grace_period: 1s
    healthcheck: {test: ["CMD", "test", "-e", "/tmp/up"], interval: 1s, timeout: 2s, retries: 2}
"#;

pub(crate) const GOOD: &str = "trap 'exit 0' TERM; touch /tmp/up; while true; do sleep 1000 & wait $!; done";
pub(crate) const BAD: &str = "trap 'exit 0' TERM; while true; do sleep 1000 & wait $!; done";
const CRASHES: &str = "exit 3";

/// Images that are removed in the end.
pub(crate) struct Images(Vec<String>);

impl Images {
    pub(crate) fn none() -> Self {
        Self(Vec::new())
    }

    /// Makes an image that does this, and gives back its ID. A tag that another image had is taken from it.
    pub(crate) fn make(&mut self, tag: &str, script: &str, version: &str) -> String {
        let made = docker(&["create", &image(), "true"]);
        let command = format!("CMD {}", json!(["sh", "-c", script]));
        let id = docker(&["commit", "-c", &command, "-c", &format!("ENV VERSION={version}"), &made, tag]);
        docker(&["rm", &made]);
        self.0.push(id.clone());
        id
    }
}

impl Drop for Images {
    fn drop(&mut self) {
        for id in &self.0 {
            drop(Command::new("docker").args(["rmi", "-f", id]).output());
        }
    }
}

pub(crate) fn rules(project: &Project, more: &str) -> String {
    format!(
        "version: 1\nplaybooks:\n  - name: back\n    matchers: ['alertname = \"Bad\"']\n    target: {{compose: {{project: {}, \
         service: '{{{{ labels.service }}}}'}}}}\n    limits: {WIDE_LIMITS}\n{more}    steps:\n      - rollback: {{within: \
         10m}}\n      - verify: {{replicas_running: all, within: 60s, every: 1s, stable_for: 1s}}\n    on_failure:\n      - \
         notify: {{to: [log], severity: critical, message: '{{{{ failed.error }}}}'}}\n",
        project.name
    )
}

pub(crate) fn alarm(sickbay: &Sickbay, service: &str, extra: &str) -> Value {
    let alert = firing(&json!({"alertname": "Bad", "service": service, "extra": extra}));
    assert_eq!(sickbay.post(&notification(std::slice::from_ref(&alert))).status, 200);
    alert
}

pub(crate) fn text(json: &Value) -> String {
    json.as_str().unwrap().to_owned()
}

fn ids(all: &[Value]) -> Vec<String> {
    all.iter().map(|one| text(&one["Id"])).collect()
}

fn is_healthy(one: &Value) -> bool {
    one["State"]["Running"] == true && one["State"]["Health"]["Status"] == "healthy"
}

fn write(project: &Project, file: &str) {
    fs::write(project.path().join("docker-compose.yml"), file).unwrap();
}

/// A project whose file names this image.
fn project(generation: Generation, purpose: &str, file: &str) -> Option<Project> {
    Project::of(generation, purpose, file)
}

pub(crate) fn up(project: &Project, file: &str, args: &[&str]) {
    write(project, file);
    project.compose(&[&["up", "-d", "-t", "1"], args].concat());
}

/// One that tells what it looks at.
pub(crate) fn watching(rules: &str, settings: &str) -> Sickbay {
    let mut sickbay = Sickbay::new(rules, settings);
    sickbay.start(&["--log.level=debug"]);
    // It hears everything from the second after the one in which it began to listen.
    std::thread::sleep(Duration::from_secs(2));
    sickbay
}

/// What Docker tells of a service, once its replicas are as they are to be and sickbay has looked at each.
pub(crate) fn once((sickbay, project): (&Sickbay, &Project), is_so: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let found = wait_until(|| Some(project.replicas("web")).filter(|all| is_so(all)));
    let found = found.unwrap_or_else(|| panic!("{:#?}", project.replicas("web")));
    sickbay.until("it has looked at every replica", || {
        let said = sickbay.said();
        let looked_at =
            |id: &String| said.lines().any(|line| line.contains(id.as_str()) && line.contains("kept in mind"));
        ids(&found).iter().all(looked_at).then_some(())
    });
    found
}

fn anonymous(one: &Value) -> String {
    let mounts = one["Mounts"].as_array().unwrap();
    text(&mounts.iter().find(|mount| mount["Destination"] == "/scratch").unwrap()["Name"])
}

#[test]
fn a_bad_image_is_taken_back_and_compose_knows_what_it_has() {
    let (mut images, tag, name) = (Images::none(), unique("back-rich"), unique("back-web"));
    let (first, second) = (format!("{tag}:1"), format!("{tag}:2"));
    let good = images.make(&first, GOOD, "1");
    let bad = images.make(&second, BAD, "2");
    let subnet = format!("10.213.{}", 80 + free_port() % 100);
    let rich = RICH.replace("NAME", &name).replace("PORT", &free_port().to_string()).replace("SUBNET", &subnet);
    let (old, new) = (rich.replace("APP", &first), rich.replace("APP", &second));
    let project = project(Generation::Two, "back-rich", &old).unwrap();
    let sickbay = watching(&rules(&project, ""), WIDE_SETTINGS);
    up(&project, &old, &[]);
    let before = once((&sickbay, &project), |all| all.iter().all(is_healthy));
    docker(&["exec", &name, "sh", "-c", "echo kept >/scratch/file"]);
    up(&project, &new, &[]);
    let ill = once((&sickbay, &project), |all| all[0]["State"]["Health"]["Status"] == "unhealthy");
    assert_eq!(ill[0]["Image"], json!(bad));

    alarm(&sickbay, "web", "first");
    assert_eq!(sickbay.verdict_of(1), "recovered", "{}", sickbay.story());
    let now = project.replicas("web");
    assert_eq!((now.len(), &now[0]["Image"], is_healthy(&now[0])), (1, &json!(good), true), "{now:#?}");
    assert_eq!(now[0]["Name"], json!(format!("/{name}")));
    assert_eq!(now[0]["Config"]["Cmd"][2], GOOD, "the command of the image before");
    let env = now[0]["Config"]["Env"].as_array().unwrap();
    assert!(env.contains(&json!("VERSION=1")) && env.contains(&json!("A=1")) && !env.contains(&json!("VERSION=2")));
    assert_eq!(anonymous(&now[0]), anonymous(&before[0]));
    assert_eq!(docker(&["exec", &name, "cat", "/scratch/file"]), "kept");
    for (place, network) in [("front", "www"), ("back", "web")] {
        let seen = &now[0]["NetworkSettings"]["Networks"][format!("{}_{place}", project.name)];
        assert!(seen["Aliases"].as_array().unwrap().contains(&json!(network)), "{seen}");
    }
    let front = &now[0]["NetworkSettings"]["Networks"][format!("{}_front", project.name)];
    assert_eq!(front["IPAddress"], json!(format!("{subnet}.9")));
    assert_eq!(now[0]["HostConfig"]["PortBindings"], before[0]["HostConfig"]["PortBindings"]);
    let intent = sickbay.records_of("action.intent").pop().unwrap();
    assert_eq!((&intent["args"]["from_image"], &intent["args"]["to_image"]), (&json!(bad), &json!(good)));

    // Never back and forth.
    alarm(&sickbay, "web", "second");
    let refused = sickbay.until("it is refused", || {
        sickbay.records_of("decision").into_iter().find(|record| record["reason"] == "already_rolled_back")
    });
    assert!(text(&refused["detail"]).contains("rolled back already"), "{refused}");

    assert!(project.compose(&["ps"]).contains(&name));
    up(&project, &old, &[]);
    assert_eq!(ids(&project.replicas("web")), ids(&now), "it is what the file before says: nothing is made anew");
    up(&project, &new, &[]);
    let again = project.replicas("web");
    assert_eq!((again.len(), &again[0]["Image"]), (1, &json!(bad)), "the file is its owner's word");
    assert_ne!(ids(&again), ids(&now));
}

fn several(generation: Generation, purpose: &str, script: &str) {
    let (mut images, tag) = (Images::none(), format!("{}:latest", unique(purpose)));
    let good = images.make(&tag, GOOD, "1");
    let file = PLAIN.replace("APP", &tag);
    let Some(project) = project(generation, purpose, &file) else { return };
    let sickbay = watching(&rules(&project, ""), WIDE_SETTINGS);
    up(&project, &file, &["--scale", "web=3"]);
    once((&sickbay, &project), |all| all.len() == 3 && all.iter().all(is_healthy));
    // The same tag, another image.
    images.make(&tag, script, "2");
    up(&project, &file, &["--scale", "web=3"]);
    once((&sickbay, &project), |all| all.len() == 3 && all.iter().all(|one| one["Image"] != json!(good)));
    alarm(&sickbay, "web", "first");
    assert_eq!(sickbay.verdict_of(1), "recovered", "{}", sickbay.story());
    let now = project.replicas("web");
    assert!(now.iter().all(|one| is_healthy(one) && one["Image"] == json!(good)), "{now:#?}");
    assert_eq!(now.iter().map(number).collect::<Vec<_>>(), [1, 2, 3]);
    project.compose(&["up", "-d", "-t", "1", "--scale", "web=3"]);
    let again = project.replicas("web");
    assert!(again.iter().all(|one| one["Image"] != json!(good)), "the file's tag means the other image: {again:#?}");
}

#[test]
fn one_after_the_other_is_taken_back_where_a_tag_has_moved() {
    several(Generation::Two, "back-several", BAD);
}

#[test]
fn what_compose_1_has_deployed_is_taken_back() {
    // Compose 1 itself fails at the first recreation there: it reads `ContainerConfig`, which images no longer have.
    let speaks: f32 = docker(&["version", "--format", "{{.Server.APIVersion}}"]).parse().unwrap();
    if 1.43 < speaks {
        return;
    }
    several(Generation::One, "back-one", CRASHES);
}

/// The image before is as bad as the present one.
#[test]
fn what_does_not_get_well_is_put_back_as_it_was() {
    let (mut images, tag) = (Images::none(), unique("back-worse"));
    let (first, second) = (format!("{tag}:1"), format!("{tag}:2"));
    images.make(&first, BAD, "1");
    images.make(&second, BAD, "2");
    let (old, new) = (PLAIN.replace("APP", &first), PLAIN.replace("APP", &second));
    let project = project(Generation::Two, "back-worse", &old).unwrap();
    let sickbay = watching(&rules(&project, ""), WIDE_SETTINGS);
    up(&project, &old, &[]);
    once((&sickbay, &project), |all| all[0]["State"]["Running"] == true);
    up(&project, &new, &[]);
    let before = once((&sickbay, &project), |all| all[0]["State"]["Health"]["Status"] == "unhealthy");
    alarm(&sickbay, "web", "first");
    assert_eq!(sickbay.verdict_of(1), "failed", "{}", sickbay.story());
    let now = project.replicas("web");
    assert_eq!((ids(&now), &now[0]["Name"]), (ids(&before), &before[0]["Name"]), "{now:#?}");
    assert_eq!(now[0]["State"]["Running"], true);
    let outcome = sickbay.records_of("action.outcome").pop().unwrap().to_string();
    assert!(outcome.contains("put back as it was"), "{outcome}");
}

/// What is asked for in vain, and why.
struct Refused {
    reason: &'static str,
    /// Changes of the file before the first and the second deployment.
    file: fn(&str) -> String,
    /// What is done after the deployment.
    then: fn(&Project, &str),
}

fn same(file: &str) -> String {
    file.to_owned()
}

fn nothing(_: &Project, _: &str) {}

fn refusals() -> [Refused; 8] {
    [
        Refused {
            reason: "rollback_not_enabled",
            file: |file| file.replace("sickbay.rollback.enable", "x"),
            then: nothing,
        },
        Refused {
            reason: "settings_changed",
            file: |file| match file.contains(":2") {
                true => format!("{file}    environment: {{NEW: \"1\"}}\n"),
                false => file.to_owned(),
            },
            then: nothing,
        },
        Refused { reason: "previous_image_gone", file: same, then: |_, old| drop(docker(&["rmi", "-f", old])) },
        Refused {
            reason: "stopped_by_human",
            file: same,
            then: |project, _| drop(project.compose(&["stop", "-t", "1", "web"])),
        },
        Refused { reason: "container_paused", file: same, then: |project, _| drop(project.compose(&["pause", "web"])) },
        Refused {
            reason: "injected_files",
            file: |file| {
                format!("{file}    secrets: [token]\nsecrets: {{token: {{environment: SICKBAY_TEST_TOKEN}}}}\n")
            },
            then: nothing,
        },
        Refused {
            reason: "has_dependents",
            file: |file| {
                format!("{file}  side: {{image: IMAGE, network_mode: \"service:web\", stop_grace_period: 1s}}\n")
            },
            then: nothing,
        },
        Refused {
            reason: "volumes_from",
            file: |file| {
                format!(
                    "{file}    volumes_from: [side]\n  side: {{image: IMAGE, stop_grace_period: 1s, volumes: [/x]}}\n"
                )
            },
            then: nothing,
        },
    ]
}

#[test]
fn what_must_not_be_taken_back_is_refused_for_its_own_reason() {
    for Refused { reason, file, then } in refusals() {
        let (mut images, tag) = (Images::none(), unique(&format!("back-{}", reason.replace('_', "-"))));
        let (first, second) = (format!("{tag}:1"), format!("{tag}:2"));
        let good = images.make(&first, GOOD, "1");
        images.make(&second, BAD, "2");
        let of = |image: &str| {
            file(&PLAIN.replace("version: \"2.4\"\n", "").replace("APP", image))
                .replace("IMAGE", &crate::real_docker::image())
        };
        let project = project(Generation::Two, &format!("back-{}", reason.replace('_', "-")), &of(&first)).unwrap();
        let sickbay = watching(&rules(&project, ""), WIDE_SETTINGS);
        up(&project, &of(&first), &[]);
        once((&sickbay, &project), |all| all[0]["Image"] == json!(good) && all[0]["State"]["Running"] == true);
        up(&project, &of(&second), &[]);
        once((&sickbay, &project), |all| all[0]["Image"] != json!(good) && all[0]["State"]["Running"] == true);
        then(&project, &good);
        std::thread::sleep(Duration::from_millis(300));
        let before = ids(&project.replicas("web"));
        alarm(&sickbay, "web", "first");
        let decision = sickbay.wait_for("decision", 1).remove(0);
        assert_eq!(decision["reason"], reason, "{decision:#}\n{}", sickbay.story());
        assert!(30 < text(&decision["detail"]).len(), "it says what to do: {decision}");
        assert_eq!(ids(&project.replicas("web")), before, "{reason}");
        assert!(sickbay.records_of("action.intent").is_empty());
        drop(project.try_compose(&["unpause"]));
    }
}

#[test]
fn what_nobody_has_seen_or_what_came_at_another_time_is_left_alone() {
    let (mut images, tag) = (Images::none(), unique("back-unseen"));
    let (first, second) = (format!("{tag}:1"), format!("{tag}:2"));
    images.make(&first, GOOD, "1");
    images.make(&second, BAD, "2");
    let (old, new) = (PLAIN.replace("APP", &first), PLAIN.replace("APP", &second));
    let project = project(Generation::Two, "back-unseen", &old).unwrap();
    up(&project, &old, &[]);
    up(&project, &new, &[]);
    let at = |sickbay: &Sickbay, started: chrono::TimeDelta, extra: &str| {
        let mut alert = firing(&json!({"alertname": "Bad", "service": "web", "extra": extra}));
        let now: chrono::DateTime<chrono::Utc> = text(&alert["startsAt"]).parse().unwrap();
        alert["startsAt"] = json!((now + started).to_rfc3339());
        assert_eq!(sickbay.post(&notification(&[alert])).status, 200);
    };
    let reason = |sickbay: &Sickbay, count| text(&sickbay.wait_for("decision", count)[count - 1]["reason"]);
    let mut sickbay = watching(&rules(&project, ""), WIDE_SETTINGS);
    alarm(&sickbay, "web", "unseen");
    assert_eq!(reason(&sickbay, 1), "previous_image_unknown", "it was deployed before anybody looked");
    up(&project, &old, &[]);
    once((&sickbay, &project), |all| all.iter().all(is_healthy));
    at(&sickbay, chrono::TimeDelta::minutes(-3), "before");
    assert_eq!(reason(&sickbay, 2), "fired_before_deploy", "{}", sickbay.story());
    sickbay.write(&rules(&project, "").replace("within: 10m", "within: 1s"), WIDE_SETTINGS);
    sickbay.signal(rustix::process::Signal::HUP);
    sickbay.until("it is reloaded", || (sickbay.records_of("config.loaded").len() == 2).then_some(()));
    std::thread::sleep(Duration::from_secs(3));
    at(&sickbay, chrono::TimeDelta::zero(), "late");
    assert_eq!(reason(&sickbay, 3), "deploy_too_old", "{}", sickbay.story());
    sickbay.stop();
}
