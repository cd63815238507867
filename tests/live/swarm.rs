//! Swarm services on a real manager, treated by the daemon: scaled, restarted, taken back, and left alone.

use crate::alerts::{firing, notification, resolved};
use crate::real_docker::{OBEDIENT, docker, engine, unique};
use crate::real_swarm::{Swarm, TestService, differences};
use crate::sickbay_process::Sickbay;
use crate::steps::examples;
use crate::support::{WIDE_SETTINGS, treatment};
use serde_json::{Value, json};
use sickbay::docker::client::{Reader, Writer};
use sickbay::docker::{perform, resolve};
use sickbay::model::action::{Action, ActionOutcome, ServiceAction, TargetVitals};
use sickbay::model::container::TargetReport;
use sickbay::model::id::{ActId, IncidentId, Seq};
use sickbay::model::service::Service;
use sickbay::model::target::{ContainerName, TargetQuery};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

const ACT: ActId = ActId { incident: IncidentId(Seq(1)), number: 1 };

/// The number of replicas, in a definition.
const REPLICAS: &str = "/Mode/Replicated/Replicas";

/// A playbook for the alert `Busy`, on the service that the alert names.
pub(crate) fn treating(steps: &str) -> String {
    format!("version: 1\nplaybooks:\n{}", treatment("Busy", "{service: '{{ labels.service }}'}", steps))
}

pub(crate) fn busy(service: &TestService) -> Value {
    firing(&json!({"alertname": "Busy", "service": service.name}))
}

fn opted_in<'a>(options: &[&'a str]) -> Vec<&'a str> {
    [&["--label", "sickbay.enable=true"], options].concat()
}

/// A secret, a configuration, a network or a volume that is removed when dropped.
struct Thing(&'static str, String);

impl Thing {
    fn new(kind: &'static str, options: &[&str]) -> Self {
        let name = unique(&format!("swarm-{kind}"));
        match kind {
            "secret" | "config" => {
                let file = tempfile::NamedTempFile::new().unwrap();
                std::fs::write(file.path(), "something").unwrap();
                let path = file.path().display().to_string();
                docker(&[kind, "create", &name, &path]);
            }
            _ => drop(docker(&[&[kind, "create"], options, &[name.as_str()]].concat())),
        }
        Self(kind, name)
    }
}

impl Drop for Thing {
    fn drop(&mut self) {
        for _ in 0..50 {
            // What uses it is going by now.
            let removed = Command::new("docker").args([self.0, "rm", &self.1]).output();
            if removed.is_ok_and(|removed| removed.status.success()) {
                return;
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

/// A service with every field of its definition set that this engine knows. What it uses goes after it.
fn with_everything() -> (TestService, Vec<Thing>) {
    let things = vec![
        Thing::new("secret", &[]),
        Thing::new("config", &[]),
        Thing::new("network", &["-d", "overlay"]),
        Thing::new("volume", &[]),
    ];
    let (secret, config) = (&things[0].1, &things[1].1);
    let mount = format!("type=volume,src={},dst=/kept,volume-label=a=b", things[3].1);
    let network = format!("name={},alias=worker,driver-opt=x=y", things[2].1);
    let plain = "--replicas 2 --env A=b --container-label c=d --hostname h-{{.Task.Slot}} --user 0 --workdir /tmp --init \
         --tty --read-only --stop-signal TERM --cap-add NET_ADMIN --cap-drop CHOWN --group 0 --isolation default \
         --host x:1.2.3.4 --dns 1.1.1.1 --dns-search example --dns-option timeout:1 --sysctl net.core.somaxconn=512 \
         --ulimit nofile=512:1024 --health-cmd true --health-interval 1s --health-timeout 2s --health-retries 2 \
         --health-start-period 1s --limit-cpu 0.5 --limit-memory 64M --limit-pids 100 --reserve-cpu 0.01 \
         --reserve-memory 4M --restart-condition any --restart-delay 1s --restart-max-attempts 3 --restart-window 10s \
         --constraint node.role==manager --placement-pref spread=node.labels.zone --replicas-max-per-node 6 \
         --log-driver json-file --log-opt max-size=1m --update-parallelism 1 --update-delay 100ms \
         --update-failure-action pause --update-max-failure-ratio 0.2 --update-order start-first \
         --rollback-parallelism 1 --rollback-delay 100ms --rollback-failure-action pause \
         --rollback-max-failure-ratio 0.1 --rollback-order stop-first --endpoint-mode vip \
         --mount type=tmpfs,dst=/fast,tmpfs-size=1048576,tmpfs-mode=1770";
    let used = ["--secret", secret, "--config", config, "--network", &network, "--mount", &mount, "--publish", "80"];
    let options: Vec<&str> = plain.split_whitespace().chain(used).collect();
    let service = TestService::create("swarm-all", &opted_in(&options), &["sleep", "100000"]);
    (service, things)
}

#[test]
fn scaling_a_service_changes_one_number_restarts_nobody_and_is_taken_back() {
    let _swarm = Swarm::borrow();
    let (service, _things) = with_everything();
    let (spec, tasks) = (service.spec(), service.tasks());
    assert_eq!(tasks.len(), 2);
    let rules = treating("- scale: {by: 1, max: 5}") + "    on_resolved:\n      - scale: {to: original}\n";
    let sickbay = Sickbay::running(&rules, WIDE_SETTINGS);
    let alert = busy(&service);
    assert_eq!(sickbay.post(&notification(std::slice::from_ref(&alert))).status, 200);
    assert_eq!(sickbay.verdict_of(1), "recovered", "{}", sickbay.story());
    let scaled = service.inspect();
    assert_eq!(differences(&spec, &scaled["Spec"]), [REPLICAS], "{}", sickbay.story());
    assert_eq!(scaled["Spec"].pointer(REPLICAS), Some(&json!(3)));
    assert_eq!(scaled.get("UpdateStatus"), None, "a number is no update");
    let more = service.tasks();
    assert!(tasks.iter().all(|task| more.contains(task)) && more.len() == 3, "{tasks:?} {more:?}");
    let intent = &sickbay.records_of("action.intent")[0];
    assert_eq!((&intent["op"], &intent["target"]["name"]), (&json!("service.scale"), &json!(service.name)), "{intent}");

    assert_eq!(sickbay.post(&notification(&[resolved(&alert)])).status, 200);
    sickbay.wait_for("incident.closed", 2);
    assert_eq!(differences(&spec, &service.spec()), Vec::<String>::new(), "{}", sickbay.story());
}

#[test]
fn the_second_example_scales_out_and_back_when_its_alert_ends() {
    let _swarm = Swarm::borrow();
    let service = TestService::create("swarm-worker", &opted_in(&["--replicas", "2"]), &OBEDIENT);
    // Nobody waits for minutes here.
    let rules = examples(&["scale-out-workers"]).replace("shop_worker", &service.name).replace("wait: 10m", "wait: 1s");
    let sickbay = Sickbay::running(&rules, WIDE_SETTINGS);
    let backlog =
        |queue: &str, depth: &str| firing(&json!({"alertname": "QueueBacklog", "queue": queue, "depth": depth}));
    let alert = backlog("emails", "1500");
    for other in [backlog("reports", "1500"), backlog("emails", "900"), alert.clone()] {
        assert_eq!(sickbay.post(&notification(&[other])).status, 200);
    }
    sickbay.wait_for("incident.closed", 1);
    assert_eq!(service.replicas(), 3, "{}", sickbay.story());
    assert_eq!(sickbay.records_of("action.intent").len(), 1, "{}", sickbay.story());
    assert_eq!(sickbay.post(&notification(&[resolved(&alert)])).status, 200);
    sickbay.wait_for("action.outcome", 2);
    assert_eq!(service.replicas(), 2, "{}", sickbay.story());
}

#[test]
fn a_restart_of_a_service_replaces_all_of_its_tasks_and_nothing_else() {
    let _swarm = Swarm::borrow();
    let service = TestService::create("swarm-restart", &opted_in(&["--replicas", "2"]), &OBEDIENT);
    let (spec, tasks) = (service.spec(), service.tasks());
    let sickbay = Sickbay::running(&treating("- restart: {}"), WIDE_SETTINGS);
    assert_eq!(sickbay.post(&notification(&[busy(&service)])).status, 200);
    assert_eq!(sickbay.verdict_of(1), "recovered", "{}", sickbay.story());
    assert_eq!(differences(&spec, &service.spec()), ["/TaskTemplate/ForceUpdate"]);
    assert_eq!(service.update_state(), "completed", "it was watched to its end: {}", sickbay.story());
    let new = service.tasks();
    assert!(new.len() == 2 && tasks.iter().all(|task| !new.contains(task)), "{tasks:?} {new:?}");
    let verified = sickbay.records_of("step.finished").pop().unwrap();
    assert!(verified.to_string().contains("2 of 2 replicas run, stable for 2 s"), "{verified}");
}

#[test]
fn a_restart_whose_tasks_fail_has_not_helped_and_says_why() {
    let _swarm = Swarm::borrow();
    let volume = Thing::new("volume", &[]);
    let mount = format!("type=volume,src={},dst=/kept", volume.1);
    let options = ["--mount", &mount, "--update-failure-action", "pause", "--restart-condition", "none"];
    let service = TestService::create(
        "swarm-fails",
        &opted_in(&options),
        &["sh", "-c", "test -e /kept/bad && exit 3; sleep 1000"],
    );
    let task = service.tasks().remove(0);
    docker(&["exec", task.split(' ').nth(1).unwrap(), "touch", "/kept/bad"]);
    let sickbay = Sickbay::running(&treating("- restart: {}"), WIDE_SETTINGS);
    assert_eq!(sickbay.post(&notification(&[busy(&service)])).status, 200);
    assert_eq!(sickbay.verdict_of(1), "ineffective", "{}", sickbay.story());
    let closed = sickbay.records_of("incident.closed")[0]["detail"].as_str().unwrap().to_owned();
    assert!(closed.contains("stopped half way") && closed.contains("non-zero exit (3)"), "{closed}");
    // Whatever is half way is a person's.
    let again = firing(&json!({"alertname": "Busy", "service": service.name, "serial": "2"}));
    assert_eq!(sickbay.post(&notification(&[again])).status, 200);
    let refused = refusal(&sickbay);
    assert_eq!(refused, "update_paused", "{}", sickbay.story());
}

#[test]
fn a_bad_deployment_is_rolled_back_once() {
    let _swarm = Swarm::borrow();
    let service = TestService::create("swarm-back", &opted_in(&["--replicas", "2"]), &OBEDIENT);
    let before = service.spec();
    let image = before.pointer("/TaskTemplate/ContainerSpec/Image").unwrap().as_str().unwrap();
    let bad = image.replace(":1", ":2");
    docker(&["tag", image, &bad]);
    service.update(&["--image", &bad]);
    assert_eq!(differences(&before, &service.spec()), ["/TaskTemplate/ContainerSpec/Image"]);
    let sickbay = Sickbay::running(&treating("- rollback: {}"), WIDE_SETTINGS);
    assert_eq!(sickbay.post(&notification(&[busy(&service)])).status, 200);
    assert_eq!(sickbay.verdict_of(1), "recovered", "{}", sickbay.story());
    assert_eq!(differences(&before, &service.spec()), Vec::<String>::new());
    assert_eq!(service.update_state(), "rollback_completed");
    let again = firing(&json!({"alertname": "Busy", "service": service.name, "serial": "2"}));
    assert_eq!(sickbay.post(&notification(&[again])).status, 200);
    assert_eq!(refusal(&sickbay), "nothing_to_undo", "{}", sickbay.story());
}

/// Why something was refused.
fn refusal(sickbay: &Sickbay) -> String {
    let refused = sickbay.until("something is refused", || {
        sickbay.records_of("decision").into_iter().find(|decision| decision["result"] == "refused")
    });
    refused["reason"].as_str().unwrap().to_owned()
}

#[test]
fn what_must_not_be_scaled_is_refused_and_left_as_it_is() {
    let _swarm = Swarm::borrow();
    let global = TestService::create("swarm-global", &opted_in(&["--mode", "global"]), &OBEDIENT);
    let job = TestService::create("swarm-job", &opted_in(&["--mode", "replicated-job"]), &["true"]);
    let off = TestService::create("swarm-off", &opted_in(&["--replicas", "0"]), &OBEDIENT);
    let unasked = TestService::create("swarm-unasked", &[], &OBEDIENT);
    let tight = TestService::create("swarm-tight", &opted_in(&["--replicas-max-per-node", "1"]), &OBEDIENT);
    let slow = TestService::create("swarm-slow", &opted_in(&["--update-delay", "60s", "--replicas", "2"]), &OBEDIENT);
    docker(&["service", "update", "--quiet", "--detach", "--no-resolve-image", "--force", &slow.id]);
    for (service, want) in [
        (&global, "not_replicated"),
        (&job, "not_replicated"),
        (&off, "service_stopped"),
        (&unasked, "not_opted_in"),
        (&tight, "above_max"),
        (&slow, "update_in_progress"),
    ] {
        let before = service.spec();
        let sickbay = Sickbay::running(&treating("- scale: {by: 1, max: 5}"), WIDE_SETTINGS);
        assert_eq!(sickbay.post(&notification(&[busy(service)])).status, 200);
        assert_eq!(refusal(&sickbay), want, "{}: {}", service.name, sickbay.story());
        assert_eq!(differences(&before, &service.spec()), Vec::<String>::new(), "{}", service.name);
    }
}

#[test]
fn a_part_of_a_name_or_an_id_is_no_service() {
    let _swarm = Swarm::borrow();
    let service = TestService::create("swarm-name", &opted_in(&[]), &OBEDIENT);
    let sickbay = Sickbay::running(&treating("- scale: {by: 1, max: 5}"), WIDE_SETTINGS);
    let parts = [service.name.get(..service.name.len() - 1), service.id.get(..12)];
    for (count, name) in parts.into_iter().flatten().enumerate() {
        let alert = firing(&json!({"alertname": "Busy", "service": name}));
        assert_eq!(sickbay.post(&notification(&[alert])).status, 200);
        let decision = sickbay.wait_for("decision", count + 1).remove(count);
        assert_eq!(decision["reason"], "target_missing", "{name}");
    }
    assert_eq!(service.replicas(), 1);
}

async fn look(name: &str) -> Service {
    let reader = Reader::new(&engine(), None);
    let report = resolve(&reader, &TargetQuery::Service(ContainerName::parse(name).unwrap())).await;
    let TargetReport::FoundService(service) = report else { panic!("{report:?}") };
    *service
}

/// Somebody labels the service anew again and again while it is scaled: both stay, whoever comes first.
#[tokio::test(flavor = "multi_thread")]
async fn scaling_survives_changes_that_come_first() {
    let _swarm = Swarm::borrow();
    let service = TestService::create("swarm-race", &opted_in(&[]), &OBEDIENT);
    let (over, labelled) = (AtomicBool::new(false), AtomicU32::new(0));
    let label = || {
        while !over.load(Ordering::Relaxed) {
            let next = labelled.load(Ordering::Relaxed) + 1;
            let label = format!("n={next}");
            let args = ["service", "update", "--quiet", "--detach", "--no-resolve-image", "--label-add", &label];
            if Command::new("docker").args(args).arg(&service.id).output().unwrap().status.success() {
                labelled.store(next, Ordering::Relaxed);
            }
        }
    };
    let reader = Reader::new(&engine(), None);
    let writer = Writer::new(&engine(), reader, None);
    let mut replicas = 1;
    let mut outcomes = Vec::new();
    std::thread::scope(|scope| {
        scope.spawn(label);
        let scaling = async {
            for _ in 0..30 {
                let before = look(&service.name).await;
                let action = ServiceAction::Scale { from: replicas, to: 3 - replicas, original: 1 };
                let (id, pre) = (before.id.target_id(), TargetVitals::from(&before));
                let outcome =
                    perform(&writer, (ACT, &id), (&pre, &Action::Service(action)), Duration::from_secs(30)).await;
                if matches!(outcome, ActionOutcome::Succeeded { .. }) {
                    replicas = 3 - replicas;
                }
                assert_eq!(u64::from(replicas), service.replicas(), "{outcome:?}");
                outcomes.push(format!("{outcome:?}"));
            }
        };
        tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(scaling));
        over.store(true, Ordering::Relaxed);
    });
    let label = service.spec().pointer("/Labels/n").and_then(Value::as_str).map(str::to_owned);
    assert_eq!(label, Some(labelled.load(Ordering::Relaxed).to_string()), "no label was lost");
    let done = outcomes.iter().filter(|outcome| outcome.starts_with("Succeeded")).count();
    assert!(0 < done, "{outcomes:?}");
    assert!(outcomes.iter().all(|outcome| !outcome.starts_with("Unknown")), "{outcomes:?}");
}
