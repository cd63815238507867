//! What goes over the wire to change a Swarm service, and what becomes of answers that a healthy manager seldom gives.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests too: a panic names its line")]

use crate::fake_docker::{FakeDocker, Reply};
use serde_json::{Value, json};
use sickbay::docker::client::{Reader, Writer};
use sickbay::docker::endpoint::DockerEndpoint;
use sickbay::docker::{capture, perform, reconcile, resolve, service};
use sickbay::model::action::{Action, ActionOutcome, Reconciled, ServiceAction, TargetIdent, TargetVitals};
use sickbay::model::container::TargetReport;
use sickbay::model::fact::StepResult;
use sickbay::model::id::{ActId, IncidentId, Seq};
use sickbay::model::service::Service;
use sickbay::model::step::{CaptureSpec, Reconciliation, ReplicasGoal, VerifySpec, WatchedService};
use sickbay::model::target::{ContainerName, TargetQuery};
use std::time::{Duration, Instant};

const ID: &str = "3nmaya5ebpg17lmdvr8kchh0d";

/// A service as a manager shows it, with what this version knows nothing of.
pub(crate) fn shown(version: u64, replicas: u64, label: &str) -> Value {
    json!({
        "ID": ID, "Version": {"Index": version}, "CreatedAt": "2026-01-01T00:00:00Z", "UpdatedAt": "2026-01-01T00:00:00Z",
        "Spec": {
            "Name": "worker", "Labels": {"sickbay.enable": "true", "by": label},
            "TaskTemplate": {
                "ContainerSpec": {"Image": "w:1@sha256:aa", "Healthcheck": {"Test": ["CMD", "true"]}, "Invented": [1, {"a": 0.2}]},
                "ForceUpdate": 3,
            },
            "Mode": {"Replicated": {"Replicas": replicas}},
        },
        "PreviousSpec": {
            "Name": "worker", "TaskTemplate": {"ContainerSpec": {"Image": "w:0"}}, "Mode": {"Replicated": {"Replicas": 2}},
        },
    })
}

/// A manager of one node that shows this service, with a task for each of its replicas.
fn manager(service: &Value) -> FakeDocker {
    let fake = FakeDocker::start();
    shows(&fake, service);
    fake
}

pub(crate) fn shows(fake: &FakeDocker, service: &Value) {
    let replicas = service["Spec"]["Mode"]["Replicated"]["Replicas"].as_u64().unwrap();
    let task =
        |slot: u64| json!({"ID": format!("t{slot}"), "Slot": slot, "NodeID": "n1", "Status": {"State": "running"}});
    let node = json!({"ID": "n1", "Status": {"State": "ready"}, "Spec": {"Availability": "active"}});
    fake.always("GET", "/services?", Reply::Json(200, json!([service])));
    fake.always("GET", "/services/", Reply::Json(200, service.clone()));
    fake.always("GET", "/tasks?", Reply::Json(200, (1..=replicas).map(task).collect()));
    fake.always("GET", "/nodes", Reply::Json(200, json!([node])));
}

fn clients(fake: &FakeDocker) -> (Reader, Writer) {
    let endpoint: DockerEndpoint = fake.url().parse().unwrap();
    let reader = Reader::new(&endpoint, None);
    (reader.clone(), Writer::new(&endpoint, reader, None))
}

fn query(name: &str) -> TargetQuery {
    TargetQuery::Service(ContainerName::parse(name).unwrap())
}

async fn look(fake: &FakeDocker) -> Service {
    let report = resolve(&clients(fake).0, &query("worker")).await;
    let TargetReport::FoundService(service) = report else { panic!("{report:?}") };
    *service
}

const SCALE: ServiceAction = ServiceAction::Scale { from: 2, to: 3, original: 2 };

/// Does it to the service as it was in the beginning.
async fn change(fake: &FakeDocker, action: &ServiceAction, before: &Service) -> ActionOutcome {
    let (_, writer) = clients(fake);
    let (id, pre) = (before.id.target_id(), TargetVitals::from(before));
    let act = ActId { incident: IncidentId(Seq(1)), number: 1 };
    perform(&writer, (act, &id), (&pre, &Action::Service(action.clone())), Duration::from_secs(2)).await
}

fn posts(fake: &FakeDocker) -> Vec<String> {
    fake.requests().into_iter().filter(|line| line.starts_with("POST")).collect()
}

#[tokio::test]
async fn a_change_carries_the_whole_definition_with_one_number_changed_and_the_version_it_was_read_at() {
    let rollback = ServiceAction::Rollback { from_image: "w:1@sha256:aa".into(), to_image: "w:0".into() };
    for (action, place, number, query) in [
        (SCALE, "/Mode/Replicated/Replicas", 3, ""),
        (ServiceAction::ForceUpdate { counter: 4 }, "/TaskTemplate/ForceUpdate", 4, ""),
        (rollback, "/TaskTemplate/ForceUpdate", 3, "&rollback=previous"),
    ] {
        let before = shown(70, 2, "x");
        let fake = manager(&before);
        fake.always("POST", "/services/", Reply::Json(200, json!({"Warnings": null})));
        let outcome = change(&fake, &action, &look(&fake).await).await;
        assert!(matches!(outcome, ActionOutcome::Succeeded { post: Some(_) }), "{action:?}: {outcome:?}");
        let want = format!("POST /v1.41/services/{ID}/update?version=70&registryAuthFrom=spec{query}");
        assert_eq!(posts(&fake), [want]);
        let mut spec = before["Spec"].clone();
        *spec.pointer_mut(place).unwrap() = number.into();
        assert_eq!(fake.bodies(), [spec], "{action:?}");
    }
}

#[tokio::test]
async fn a_version_that_has_moved_is_read_again_and_so_is_all_that_was_decided_on() {
    let sequence = || Reply::Json(500, json!({"message": "rpc error: code = Unknown desc = update out of sequence"}));
    for (name, second, sent, want) in [
        ("only the version", shown(71, 2, "x"), vec![70, 71], "Succeeded"),
        ("somebody scaled", shown(71, 5, "x"), vec![70], "Failed"),
        ("somebody deployed", shown(71, 2, "y"), vec![70], "Failed"),
    ] {
        let fake = FakeDocker::start();
        let first = manager(&shown(70, 2, "x"));
        let before = look(&first).await;
        fake.once("GET", "/services/", Reply::Json(200, shown(70, 2, "x")));
        shows(&fake, &second);
        fake.once("POST", "/services/", sequence());
        fake.always("POST", "/services/", Reply::Json(200, json!({})));
        let outcome = format!("{:?}", change(&fake, &SCALE, &before).await);
        assert!(outcome.starts_with(want), "{name}: {outcome}");
        let versions: Vec<u64> = posts(&fake)
            .iter()
            .map(|line| line.split("version=").nth(1).unwrap().split('&').next().unwrap().parse().unwrap())
            .collect();
        assert_eq!(versions, sent, "{name}");
    }
    // Always too late: it ends all the same.
    let fake = manager(&shown(70, 2, "x"));
    fake.always("POST", "/services/", sequence());
    let outcome = change(&fake, &SCALE, &look(&fake).await).await;
    assert!(matches!(outcome, ActionOutcome::Failed { .. }), "{outcome:?}");
    assert_eq!(posts(&fake).len(), 5);
}

#[tokio::test]
async fn nothing_is_sent_to_a_service_that_is_not_as_it_was_decided_on() {
    let before = look(&manager(&shown(70, 2, "x"))).await;
    let mut updating = shown(71, 2, "x");
    updating["UpdateStatus"] = json!({"State": "updating"});
    let mut another = shown(71, 2, "x");
    another["ID"] = json!("z".repeat(25));
    for (name, found) in [
        ("scaled", shown(71, 4, "x")),
        ("deployed", shown(71, 2, "y")),
        ("updating", updating),
        ("another ID", another),
    ] {
        let fake = manager(&found);
        let outcome = change(&fake, &SCALE, &before).await;
        let ActionOutcome::Failed { error } = outcome else { panic!("{name}: {outcome:?}") };
        assert!(error.starts_with("not sent: "), "{name}: {error}");
        assert_eq!(posts(&fake), Vec::<String>::new(), "{name}");
    }
}

#[tokio::test]
async fn what_came_of_a_change_is_told_honestly_and_it_is_sent_once() {
    for (reply, want) in [
        (Reply::Cut, "Unknown"),
        (Reply::Silence, "Unknown"),
        (Reply::HungBody, "Unknown"),
        (Reply::Text(504, "text/html", String::new()), "Unknown"),
        (Reply::Text(403, "text/html", String::new()), "Failed"),
        (Reply::Json(400, json!({"message": "invalid"})), "Failed"),
        (Reply::Json(500, json!({"message": "rpc error: context deadline exceeded"})), "Unknown"),
        (Reply::Json(503, json!({"message": "rpc error: the swarm does not have a leader"})), "Unknown"),
        (Reply::Json(500, json!({"message": "rpc error: name conflicts"})), "Failed"),
        (Reply::Json(404, json!({"message": "no such service"})), "Failed"),
    ] {
        let fake = manager(&shown(70, 2, "x"));
        fake.always("POST", "/services/", reply.clone());
        let outcome = format!("{:?}", change(&fake, &SCALE, &look(&fake).await).await);
        assert!(outcome.starts_with(want), "{reply:?}: {outcome}");
        assert_eq!(posts(&fake).len(), 1, "{reply:?}");
    }
}

#[tokio::test]
async fn looking_tells_what_became_of_a_change() {
    let before = look(&manager(&shown(70, 2, "x"))).await;
    for (found, want) in [
        (shown(75, 3, "x"), Reconciled::Observed),
        (shown(75, 2, "x"), Reconciled::NotApplied),
        (shown(75, 9, "x"), Reconciled::Superseded),
        (shown(75, 3, "y"), Reconciled::Superseded),
    ] {
        let fake = manager(&found);
        let act = ActId { incident: IncidentId(Seq(1)), number: 1 };
        let (target, pre) = (TargetIdent::from(&before), TargetVitals::from(&before));
        let action = Action::Service(SCALE);
        let reconciliation = Reconciliation { act, action, target, pre, settle: Duration::ZERO, call: Duration::ZERO };
        let (finding, post, words) = reconcile(&clients(&fake).0, &reconciliation).await;
        assert_eq!(finding, want, "{words}");
        assert!(post.is_some_and(|post| post.service().is_some()), "{words}");
        assert_eq!(posts(&fake), Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_service_is_found_by_its_exact_name_on_a_manager() {
    let fake = manager(&shown(70, 2, "x"));
    let (reader, _) = clients(&fake);
    assert_eq!(resolve(&reader, &query("work")).await, TargetReport::Missing, "the filter takes a prefix");
    let found = look(&fake).await;
    assert_eq!((found.wanted, found.running, found.force_update, found.version), (2, 2, 3, 70));
    assert_eq!(found.previous.unwrap().image, "w:0");
    let words =
        "This node is not a swarm manager. Use \"docker swarm init\" to connect this node to swarm and try again.";
    fake.once("GET", "/nodes", Reply::Json(503, json!({"message": words})));
    for status in [403, 503] {
        let fake = FakeDocker::start();
        fake.always("GET", "/services", Reply::Json(status, json!({"message": words})));
        let report = resolve(&clients(&fake).0, &query("worker")).await;
        if status == 503 {
            assert_eq!(report, TargetReport::NoManager(words.to_owned()));
        } else {
            let TargetReport::Denied(told) = report else { panic!("{report:?}") };
            assert!(told.contains("GET /services was denied"), "{told}");
        }
    }
    let leaderless = json!({"message": "rpc error: code = Unknown desc = The swarm does not have a leader."});
    let fake = FakeDocker::start();
    fake.always("GET", "/services", Reply::Json(503, leaderless));
    let report = resolve(&clients(&fake).0, &query("worker")).await;
    assert!(matches!(report, TargetReport::Unavailable(_)), "it may have one later: {report:?}");
}

#[tokio::test]
async fn a_service_that_does_not_come_up_is_told_with_its_tasks_own_words() {
    let mut service = shown(70, 2, "x");
    let fake = FakeDocker::start();
    let task = json!({"ID": "t1", "Slot": 1, "NodeID": "", "Status": {
        "State": "pending", "Timestamp": "2026-01-01T00:00:00Z", "Err": "no suitable node (scheduling constraints)"}});
    fake.always("GET", "/tasks?", Reply::Json(200, json!([task])));
    shows(&fake, &service);
    let before = look(&fake).await;
    let watched = WatchedService { target: TargetIdent::from(&before), done: None, goal: ReplicasGoal::All };
    let spec = VerifySpec { within: Some(Duration::from_secs(2)), ..VerifySpec::default() };
    let (reader, _) = clients(&fake);
    let (_, ended) = service::verify(&reader, (&watched, &spec), Duration::ZERO).await;
    let StepResult::NotVerified(words) = ended else { panic!("{ended:?}") };
    assert!(words.contains("0 of 2 replicas run") && words.contains("no suitable node"), "{words}");
    // A manager that is away for a moment is waited for.
    let spec =
        VerifySpec { within: Some(Duration::from_secs(30)), stable_for: Duration::ZERO, ..VerifySpec::default() };
    service["Spec"]["UpdateConfig"] = json!({"Monitor": 1_000_000_000});
    service["Spec"]["RollbackConfig"] = json!({"Monitor": 1_000_000_000});
    let fake = FakeDocker::start();
    fake.once("GET", "/services/", Reply::Cut);
    fake.once("GET", "/nodes", Reply::Json(500, json!({"message": "the swarm does not have a leader"})));
    shows(&fake, &service);
    let (reader, _) = clients(&fake);
    let (_, ended) = service::verify(&reader, (&watched, &spec), Duration::ZERO).await;
    assert!(matches!(ended, StepResult::Verified(_)), "{ended:?}");
}

#[tokio::test]
async fn evidence_of_a_service_is_its_numbers_and_never_holds_anybody_up() {
    let mut shown = shown(70, 2, "x");
    shown["Spec"]["TaskTemplate"]["ContainerSpec"]["Env"] = json!(["PASSWORD=hunter2"]);
    let fake = manager(&shown);
    let (reader, _) = clients(&fake);
    let target = TargetIdent::from(&look(&fake).await);
    let evidence = capture(&reader, &target, &CaptureSpec::default()).await;
    let service = &evidence["service"];
    assert_eq!(
        (&service["replicas"], &service["running"], &service["image_pinned"]),
        (&json!(2), &json!(2), &json!(true))
    );
    assert_eq!(evidence["tasks"]["count"], 0, "{evidence}");
    assert!(!evidence.to_string().contains("hunter2"), "{evidence}");
    let silent = FakeDocker::start();
    silent.always("GET", "/services/", Reply::Silence);
    let begun = Instant::now();
    let evidence = capture(&clients(&silent).0, &target, &CaptureSpec::default()).await;
    assert!(evidence["error"].is_string() && begun.elapsed() < Duration::from_secs(4), "{evidence}");
}
