//! What goes over the wire to Docker, and what becomes of answers that a healthy engine never gives.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests too: a panic names its line")]

use crate::fake_docker::{FakeDocker, Reply, running};
use serde_json::json;
use sickbay::docker::client::{Observer, Reader, Writer};
use sickbay::docker::endpoint::DockerEndpoint;
use sickbay::docker::error::DockerError;
use sickbay::docker::evidence::capture;
use sickbay::docker::reconcile::reconcile;
use sickbay::docker::resolve::resolve;
use sickbay::docker::verify::verify;
use sickbay::model::action::{Action, ActionOutcome, Goal, Reconciled, TargetIdent, TargetVitals, Vitals};
use sickbay::model::container::{EventHistory, StopCause, TargetReport, Touch, TouchAction};
use sickbay::model::fact::StepResult;
use sickbay::model::id::{ActId, IncidentId, Seq};
use sickbay::model::step::{CaptureSpec, HealthGoal, Reconciliation, VerifySpec, Watched};
use sickbay::model::target::{ContainerId, ContainerName, TargetId, TargetQuery};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

fn endpoint(fake: &FakeDocker) -> DockerEndpoint {
    fake.url().parse().unwrap()
}

fn reader(fake: &FakeDocker) -> Reader {
    Reader::new(&endpoint(fake), None)
}

fn writer(fake: &FakeDocker) -> Writer {
    Writer::new(&endpoint(fake), reader(fake), None)
}

async fn perform(
    writer: &Writer,
    id: &ContainerId,
    pre: &Vitals,
    action: &Action,
    deadline: Duration,
) -> ActionOutcome {
    let pre = TargetVitals::Container(pre.clone());
    sickbay::docker::perform(writer, (ACT, &TargetId::from(id)), (&pre, action), deadline).await
}

fn id(pair: &str) -> ContainerId {
    ContainerId::parse(&pair.repeat(32)).unwrap()
}

fn name(name: &str) -> TargetQuery {
    TargetQuery::Name(ContainerName::parse(name).unwrap())
}

async fn ident(reader: &Reader, pair: &str) -> (TargetIdent, Vitals) {
    let container = reader.inspect(&id(pair)).await.unwrap();
    (TargetIdent::from(&container), Vitals::from(&container))
}

async fn restart_it(fake: &FakeDocker, deadline: Duration) -> ActionOutcome {
    let writer = writer(fake);
    let (_, pre) = ident(writer.reader(), "ab").await;
    let action = Action::Restart { stop_timeout: Some(Duration::from_secs(7)) };
    perform(&writer, &id("ab"), &pre, &action, deadline).await
}

const ACT: ActId = ActId { incident: IncidentId(Seq(1)), number: 1 };

const RESTART: Action = Action::Restart { stop_timeout: None };

#[tokio::test]
async fn every_call_carries_the_common_version() {
    let fake = FakeDocker::start();
    fake.set_versions("1.24", "1.45");
    fake.put(running("ab", "web"));
    let outcome = restart_it(&fake, Duration::from_secs(5)).await;
    assert!(matches!(outcome, ActionOutcome::Succeeded { post: Some(_) }), "{outcome:?}");
    resolve(&reader(&fake), &name("web")).await;
    let requests = fake.requests();
    let web = "ab".repeat(32);
    assert!(requests.contains(&format!("POST /v1.45/containers/{web}/restart?t=7")), "{requests:?}");
    assert!(requests.contains(&format!("GET /v1.45/containers/{web}/json")), "{requests:?}");
    for line in &requests {
        assert!(line.contains(" /v1.45/") || line == "GET /version", "{line}");
    }
    assert_eq!(fake.count("POST", ""), 1);
}

#[tokio::test]
async fn starts_and_stops_are_sent_once_and_nothing_to_do_is_a_success() {
    let stop = Action::Stop { stop_timeout: Some(Duration::from_millis(6500)) };
    for (action, status, path) in [
        (&Action::Start, "exited", "/start"),
        (&Action::Start, "running", "/start"),
        (&stop, "running", "/stop?t=7"),
        (&stop, "exited", "/stop?t=7"),
    ] {
        let fake = FakeDocker::start();
        let mut container = running("ab", "web");
        container["State"]["Status"] = json!(status);
        fake.put(container);
        let writer = writer(&fake);
        let (_, pre) = ident(writer.reader(), "ab").await;
        let outcome = perform(&writer, &id("ab"), &pre, action, Duration::from_secs(5)).await;
        let ActionOutcome::Succeeded { post: Some(post) } = outcome else { panic!("{action:?}: {outcome:?}") };
        let want = if *action == Action::Start { "running" } else { "exited" };
        assert_eq!(post.container().unwrap().state, want, "{action:?} of what is {status}");
        let sent: Vec<String> = fake.requests().into_iter().filter(|line| line.starts_with("POST")).collect();
        assert_eq!(sent, [format!("POST /v1.41/containers/{}{path}", "ab".repeat(32))]);
        // An answer that never comes is unknown.
        for reply in [Reply::Cut, Reply::Silence, Reply::Text(504, "text/html", String::new())] {
            fake.once("POST", "/containers/", reply.clone());
            let outcome = perform(&writer, &id("ab"), &pre, action, Duration::from_secs(1)).await;
            assert!(matches!(outcome, ActionOutcome::Unknown { .. }), "{action:?} {reply:?}: {outcome:?}");
        }
        assert_eq!(fake.count("POST", ""), 4, "{action:?}");
    }
}

#[tokio::test]
async fn a_failed_start_is_told_with_dockers_words() {
    let fake = FakeDocker::start();
    let mut container = running("ab", "web");
    container["State"]["Status"] = json!("exited");
    container["State"]["Error"] = json!("port is already allocated");
    fake.put(container);
    fake.always("POST", "/start", Reply::Json(500, json!({"message": "driver failed"})));
    let writer = writer(&fake);
    let (_, pre) = ident(writer.reader(), "ab").await;
    let outcome = perform(&writer, &id("ab"), &pre, &Action::Start, Duration::from_secs(5)).await;
    let ActionOutcome::Failed { error } = outcome else { panic!("{outcome:?}") };
    assert!(error.contains("driver failed") && error.contains("exited (port is already"), "{error}");
}

#[tokio::test]
async fn a_proxy_on_tcp_is_spoken_to_alike() {
    let mut fake = FakeDocker::start();
    fake.put(running("ab", "web"));
    let endpoint: DockerEndpoint = fake.also_on_tcp().await.parse().unwrap();
    let writer = Writer::new(&endpoint, Reader::new(&endpoint, None), None);
    let (_, pre) = ident(writer.reader(), "ab").await;
    let outcome = perform(&writer, &id("ab"), &pre, &RESTART, Duration::from_secs(5)).await;
    assert!(matches!(outcome, ActionOutcome::Succeeded { post: Some(_) }), "{outcome:?}");
    let fired = format!("POST /v1.41/containers/{}/restart", "ab".repeat(32));
    assert!(fake.requests().contains(&fired), "{:?}", fake.requests());
}

#[tokio::test]
async fn an_engine_exchanged_behind_our_back_is_asked_for_its_version_again() {
    let fake = FakeDocker::start();
    fake.put(running("ab", "web"));
    let reader = reader(&fake);
    reader.inspect(&id("ab")).await.unwrap();
    fake.set_versions("1.44", "1.60");
    let too_old = json!({"message": "client version 1.41 is too old. Minimum supported API version is 1.44"});
    fake.always("GET", "/v1.41/", Reply::Json(400, too_old));
    fake.always("GET", "/v1.53/", Reply::Json(200, running("ab", "web")));
    reader.inspect(&id("ab")).await.unwrap();
    assert!(fake.requests().last().unwrap().starts_with("GET /v1.53/"));
    assert_eq!(fake.count("GET", "/version"), 2);
    fake.set_versions("1.54", "1.60");
    let error = Reader::new(&endpoint(&fake), None).inspect(&id("ab")).await.unwrap_err();
    assert!(matches!(error, DockerError::UnsupportedVersion { .. }), "{error}");
}

#[tokio::test]
async fn a_cut_connection_makes_the_version_uncertain() {
    let fake = FakeDocker::start();
    fake.put(running("ab", "web"));
    let reader = reader(&fake);
    reader.inspect(&id("ab")).await.unwrap();
    fake.once("GET", "/json", Reply::Cut);
    let error = reader.inspect(&id("ab")).await.unwrap_err();
    assert!(matches!(error, DockerError::OutcomeUnknown(_)), "{error}");
    fake.set_versions("1.12", "1.43");
    reader.inspect(&id("ab")).await.unwrap();
    assert!(fake.requests().last().unwrap().starts_with("GET /v1.43/"));
}

#[tokio::test]
async fn a_missing_socket_fails_each_call_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("docker.sock");
    let endpoint = DockerEndpoint::Unix(path.clone());
    let reader = Reader::new(&endpoint, None);
    let error = reader.version().await.unwrap_err();
    assert!(matches!(&error, DockerError::NotSent(text) if text.contains("no docker socket at")), "{error}");
    let TargetReport::Unavailable(_) = resolve(&reader, &name("web")).await else { panic!() };
    let pre = Vitals { started_at: "t".to_owned(), restart_count: 0, state: "running".to_owned(), health: None };
    let writer = Writer::new(&endpoint, reader, None);
    let outcome = perform(&writer, &id("ab"), &pre, &RESTART, Duration::from_secs(1)).await;
    assert!(matches!(&outcome, ActionOutcome::Failed { error } if error.starts_with("not sent: ")), "{outcome:?}");
    // A socket that nobody listens on is refused, which is another sentence.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let error = Reader::new(&endpoint, None).version().await.unwrap_err();
    assert!(matches!(&error, DockerError::NotSent(text) if text.contains("refused")), "{error}");
}

#[tokio::test]
async fn a_hung_body_ends_at_the_deadline() {
    let fake = FakeDocker::start();
    fake.put(running("ab", "web"));
    fake.once("GET", "/json", Reply::HungBody);
    let begun = Instant::now();
    let error = reader(&fake).inspect(&id("ab")).await.unwrap_err();
    assert!(matches!(error, DockerError::OutcomeUnknown(_)), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(7), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn an_endless_body_is_cut_off() {
    let fake = FakeDocker::start();
    fake.once("GET", "/json", Reply::Endless);
    let error = reader(&fake).inspect(&id("ab")).await.unwrap_err();
    assert!(matches!(&error, DockerError::Invalid(text) if text.contains("8 MiB")), "{error}");
    // The typed call is under the same cap.
    fake.once("GET", "/version", Reply::Endless);
    let error = reader(&fake).version().await.unwrap_err();
    assert!(matches!(&error, DockerError::Invalid(text) if text.contains("8 MiB")), "{error}");
}

#[tokio::test]
async fn a_slow_head_is_waited_for() {
    let fake = FakeDocker::start();
    fake.once("GET", "/json", Reply::SlowHead(Duration::from_millis(1500), running("ab", "web")));
    assert_eq!(reader(&fake).inspect(&id("ab")).await.unwrap().name.as_str(), "web");
}

#[tokio::test]
async fn a_restart_without_an_answer_is_unknown_and_sent_once() {
    for reply in [Reply::Cut, Reply::Silence, Reply::Text(504, "text/html", "<h1>Gateway Timeout</h1>".to_owned())] {
        let fake = FakeDocker::start();
        fake.put(running("ab", "web"));
        fake.always("POST", "/restart", reply.clone());
        let outcome = restart_it(&fake, Duration::from_secs(1)).await;
        assert!(matches!(outcome, ActionOutcome::Unknown { .. }), "{reply:?}: {outcome:?}");
        assert_eq!(fake.count("POST", "/restart"), 1, "{reply:?}");
    }
}

#[tokio::test]
async fn a_proxys_page_names_the_call_it_blocked() {
    let fake = FakeDocker::start();
    fake.put(running("ab", "web"));
    let page = || Reply::Text(403, "text/html", "<html><h1>403 Forbidden</h1></html>".to_owned());
    fake.always("POST", "/restart", page());
    let ActionOutcome::Failed { error } = restart_it(&fake, Duration::from_secs(5)).await else { panic!() };
    let want = format!("POST /containers/{}/restart was denied by the socket proxy", "ab".repeat(32));
    assert!(error.starts_with(&want) && !error.contains("<h1>"), "{error}");
    fake.always("GET", "/containers/json", page());
    let report = resolve(&reader(&fake), &name("web")).await;
    let TargetReport::Denied(words) = report else { panic!("{report:?}") };
    assert!(words.contains("container web: GET /containers/json was denied by the socket proxy"), "{words}");
}

#[tokio::test]
async fn a_failed_restart_is_looked_at() {
    let broken = json!({"message": "Cannot restart container web: port is already allocated"});
    let fake = FakeDocker::start();
    fake.put(running("ab", "web"));
    fake.always("POST", "/restart", Reply::Json(500, broken.clone()));
    let outcome = restart_it(&fake, Duration::from_secs(5)).await;
    assert!(matches!(&outcome, ActionOutcome::Failed { error } if error.contains("port is already")), "{outcome:?}");
    // The same words, but the container has a new start: somebody's restart went through.
    let writer = writer(&fake);
    let (_, pre) = ident(writer.reader(), "ab").await;
    let mut moved = running("ab", "web");
    moved["State"]["StartedAt"] = json!("2026-08-20T11:00:00Z");
    fake.put(moved);
    let outcome = perform(&writer, &id("ab"), &pre, &RESTART, Duration::from_secs(5)).await;
    assert!(matches!(outcome, ActionOutcome::Succeeded { post: Some(_) }), "{outcome:?}");
}

#[tokio::test]
async fn values_of_newer_engines_do_not_blind_us() {
    let fake = FakeDocker::start();
    let mut odd = running("ab", "web");
    odd["State"]["Status"] = json!("hibernating");
    odd["State"]["Health"] = json!({"Status": "degraded"});
    odd["HostConfig"]["RestartPolicy"]["Name"] = json!("sometimes");
    odd["HostConfig"]["CgroupnsMode"] = json!(7);
    fake.put(odd);
    let TargetReport::Found(view) = resolve(&reader(&fake), &name("web")).await else { panic!() };
    assert_eq!(view.container.state.as_str(), "hibernating");
    assert_eq!(view.stop_cause, StopCause::NotAsked);
}

#[tokio::test]
async fn a_name_is_never_an_id_prefix_or_part_of_another_name() {
    let fake = FakeDocker::start();
    fake.put(running("ab", "web-2"));
    fake.put(running("cd", "web"));
    let TargetReport::Found(view) = resolve(&reader(&fake), &name("web")).await else { panic!() };
    assert_eq!(view.container.id, id("cd"));
    for query in [name("abab"), name("we"), TargetQuery::Id(id("ef"))] {
        assert_eq!(resolve(&reader(&fake), &query).await, TargetReport::Missing, "{query}");
    }
}

#[tokio::test]
async fn dependents_are_found_by_every_shared_namespace() {
    let fake = FakeDocker::start();
    fake.put(running("ab", "web"));
    for (pair, other, key) in [("c1", "net", "NetworkMode"), ("c2", "pid", "PidMode"), ("c3", "ipc", "IpcMode")] {
        let mut container = running(pair, other);
        container["HostConfig"][key] = json!(format!("container:{}", "ab".repeat(32)));
        fake.put(container);
    }
    for number in 10..40 {
        fake.put(running(&number.to_string(), &format!("other-{number}")));
    }
    let TargetReport::Found(view) = resolve(&reader(&fake), &name("web")).await else { panic!() };
    let names: Vec<&str> = view.dependents.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["ipc", "net", "pid"]);
}

#[tokio::test]
async fn a_container_that_docker_cannot_show_does_not_keep_others_from_being_treated() {
    let fake = FakeDocker::start();
    let mut shared = running("c1", "child");
    shared["HostConfig"]["PidMode"] = json!(format!("container:{}", "ab".repeat(32)));
    for container in [running("ab", "web"), shared, running("c2", "stuck"), running("c3", "other")] {
        fake.put(container);
    }
    let inspects = |pair: &str| fake.count("GET", &format!("/containers/{}/json", pair.repeat(32)));
    let children = async |reader: &Reader| {
        let report = resolve(reader, &name("web")).await;
        let TargetReport::Found(view) = report else { return Err(format!("{report:?}")) };
        Ok(view.dependents.iter().map(|one| one.name.to_string()).collect::<Vec<_>>())
    };

    // Never seen before, and stuck: whether it shares a namespace is not known, and the rest is.
    let stuck = format!("/containers/{}/json", "c2".repeat(32));
    fake.once("GET", &stuck, Reply::Silence);
    let reader_of_all = reader(&fake);
    assert_eq!(children(&reader_of_all).await, Ok(vec!["child".to_owned()]));
    assert_eq!(children(&reader_of_all).await, Ok(vec!["child".to_owned()]));
    // Namespaces stay as they are: who shares none is asked once, who shares one each time.
    assert_eq!((inspects("c1"), inspects("c2"), inspects("c3")), (2, 2, 1));
    fake.always("GET", &stuck, Reply::Silence);
    assert_eq!(children(&reader_of_all).await, Ok(vec!["child".to_owned()]));
    assert_eq!(inspects("c2"), 2);

    // One that is known to share must be seen: it would be left behind broken.
    fake.once("GET", &format!("/containers/{}/json", "c1".repeat(32)), Reply::Json(500, json!({"message": "stuck"})));
    assert!(children(&reader_of_all).await.unwrap_err().contains("stuck"));
    // Its owner wants no restart beside others, so not knowing is a no.
    let mut alone = running("ab", "web");
    alone["Config"]["Labels"]["sickbay.dependents"] = json!("refuse");
    fake.put(alone);
    assert!(children(&reader(&fake)).await.unwrap_err().contains("in time"));
}

/// A container of the Compose service `shop/web`, or of another one.
fn replica(pair: &str, name: &str, (service, oneoff): (&str, &str)) -> serde_json::Value {
    let mut container = running(pair, name);
    container["Config"]["Labels"] = json!({
        "com.docker.compose.project": "shop",
        "com.docker.compose.service": service,
        "com.docker.compose.oneoff": oneoff,
    });
    container
}

#[tokio::test]
async fn all_replicas_of_a_compose_service_are_counted_or_nobody_is() {
    let fake = FakeDocker::start();
    fake.put(replica("ab", "shop-web-2", ("web", "False")));
    let mut stopped = replica("cd", "shop-web-1", ("web", "False"));
    stopped["State"]["Status"] = json!("exited");
    fake.put(stopped);
    fake.put(replica("c1", "shop-web-run", ("web", "True")));
    fake.put(replica("c2", "shop-db-1", ("db", "False")));
    fake.put(running("c3", "web"));
    let reader = reader(&fake);
    let names = async |pair: &str| match resolve(&reader, &TargetQuery::Id(id(pair))).await {
        TargetReport::Found(view) => view.peers.iter().map(|peer| peer.name.to_string()).collect::<Vec<_>>(),
        other @ (TargetReport::FoundService(_)
        | TargetReport::Missing
        | TargetReport::Several { .. }
        | TargetReport::Ambiguous(_)
        | TargetReport::Unavailable(_)
        | TargetReport::Denied(_)
        | TargetReport::NoManager(_)) => vec![format!("{other:?}")],
    };
    assert_eq!(names("ab").await, ["shop-web-1", "shop-web-2"]);
    assert_eq!(names("c2").await, ["shop-db-1"]);
    assert_eq!((names("c1").await, names("c3").await), (vec![], vec![]));
    // A replica that cannot be read makes the number worthless.
    let mut nameless = replica("c4", "x", ("web", "False"));
    nameless["Name"] = json!("");
    nameless["State"]["Status"] = json!("exited");
    fake.put(nameless);
    assert!(names("ab").await[0].starts_with("Unavailable"), "{:?}", names("ab").await);
}

#[tokio::test]
async fn more_replicas_than_are_looked_at_are_an_error() {
    let fake = FakeDocker::start();
    let pairs: Vec<String> = (0..201).map(|number| format!("{number:04x}")).collect();
    for (number, pair) in pairs.iter().enumerate() {
        let mut container = replica("ab", &format!("shop-web-{number}"), ("web", "False"));
        container["Id"] = json!(pair.repeat(16));
        fake.put(container);
    }
    let target = ContainerId::parse(&pairs[0].repeat(16)).unwrap();
    let report = resolve(&reader(&fake), &TargetQuery::Id(target)).await;
    assert!(matches!(&report, TargetReport::Unavailable(error) if error.contains("201 containers")), "{report:?}");
}

#[tokio::test]
async fn the_history_of_a_stopped_container_decides_or_is_admitted_to_be_missing() {
    let fake = FakeDocker::start();
    let mut exited = running("ab", "web");
    exited["State"]["Status"] = json!("exited");
    exited["State"]["FinishedAt"] = json!("2026-08-20T10:00:05Z");
    fake.put(exited);
    let reader = reader(&fake);
    let actor = json!({"ID": "ab".repeat(32)});
    let history = format!(
        "{}\n{}\n",
        json!({"Action": "die", "Actor": actor, "timeNano": 1}),
        json!({"Action": "stop", "Actor": actor, "timeNano": 2})
    );
    fake.once("GET", "/events", Reply::Bytes(history.into_bytes()));
    fake.once("GET", "/events", Reply::Json(500, json!({"message": "no"})));
    fake.once("GET", "/events", Reply::Text(403, "text/html", String::new()));
    let mut seen = Vec::new();
    for _ in 0..2 {
        let TargetReport::Found(view) = resolve(&reader, &name("web")).await else { panic!() };
        seen.push(view.stop_cause);
    }
    assert_eq!(seen, [StopCause::Stopped, StopCause::Forgotten]);
    let report = resolve(&reader, &name("web")).await;
    assert!(matches!(&report, TargetReport::Denied(words) if words.contains("GET /events was denied")), "{report:?}");
    // The fake's clock says 10:00:30. A running container's history is read too, but is not needed to act.
    let now = 1_787_220_030;
    let window = format!("since={}&until={now}&", now - 86_400);
    assert_eq!(fake.count("GET", &window), 3, "{:?}", fake.requests().last());
    fake.put(running("ab", "web"));
    fake.once("GET", "/events", Reply::Text(403, "text/html", String::new()));
    let TargetReport::Found(view) = resolve(&reader, &name("web")).await else { panic!() };
    assert!(matches!(&view.history, EventHistory::Unknown(why) if why.contains("/events")), "{:?}", view.history);
}

#[tokio::test]
async fn what_was_done_to_a_container_is_read_from_dockers_history() {
    let fake = FakeDocker::start();
    fake.put(running("ab", "web"));
    let started = 1_787_220_000;
    let entry = |action: &str, second: i64| {
        json!({"Action": action, "Actor": {"ID": "ab".repeat(32)}, "timeNano": (started + second) * 1_000_000_000})
            .to_string()
    };
    let history = [entry("start", 0), entry("update", 20), entry("die", 25)].join("\n");
    fake.once("GET", "/events", Reply::Bytes(history.into_bytes()));
    let TargetReport::Found(view) = resolve(&reader(&fake), &name("web")).await else { panic!() };
    let at = |second: i64| chrono::DateTime::from_timestamp(started + second, 0).unwrap();
    let touches = vec![Touch { action: TouchAction::Update, at: at(20) }];
    let complete_since = Some(at(0));
    assert_eq!(view.history, EventHistory::Known { now: at(30), touches, complete_since, predecessor: None });
    assert_eq!(fake.count("GET", "/events"), 1);
}

#[tokio::test]
async fn evidence_survives_every_failing_part() {
    let fake = FakeDocker::start();
    fake.put(running("ab", "web"));
    let reader = reader(&fake);
    let (target, _) = ident(&reader, "ab").await;
    fake.always("GET", "/json", Reply::Silence);
    fake.always("GET", "/logs", Reply::HungBody);
    fake.always("GET", "/stats", Reply::Json(500, json!({"message": "no"})));
    let begun = Instant::now();
    let evidence = capture(&reader, &target, &CaptureSpec::default()).await;
    assert!(begun.elapsed() < Duration::from_millis(3500), "{:?}", begun.elapsed());
    for part in ["container", "logs", "stats"] {
        assert!(evidence[part]["error"].is_string(), "{part}: {evidence}");
    }
}

fn reconciliation(target: TargetIdent, pre: Vitals) -> Reconciliation {
    let act = ACT;
    let action = Action::Restart { stop_timeout: None };
    let pre = TargetVitals::Container(pre);
    let (settle, call) = (Duration::from_millis(50), Duration::from_millis(50));
    Reconciliation { act, action, target, pre, settle, call }
}

#[tokio::test]
async fn looking_tells_what_became_of_a_restart() {
    let fake = FakeDocker::start();
    fake.put(running("ab", "web"));
    let reader = reader(&fake);
    let (target, pre) = ident(&reader, "ab").await;
    let reconciliation = reconciliation(target, pre);
    assert_eq!(reconcile(&reader, &reconciliation).await.0, Reconciled::NotApplied);
    let mut moved = running("ab", "web");
    moved["State"]["StartedAt"] = json!("2026-08-20T10:07:00Z");
    fake.put(moved);
    // An engine that is just coming back is asked again.
    fake.once("GET", "/json", Reply::Cut);
    let (verdict, post, words) = reconcile(&reader, &reconciliation).await;
    assert_eq!(
        (verdict, words.as_str()),
        (Reconciled::Observed, "web: restarted at 2026-08-20T10:07:00Z, now running")
    );
    assert_eq!(post.unwrap().container().unwrap().started_at, "2026-08-20T10:07:00Z");
    fake.once("GET", "/json", Reply::Json(404, json!({"message": "No such container"})));
    assert_eq!(reconcile(&reader, &reconciliation).await.0, Reconciled::Superseded);
    let reconciliation = Reconciliation { settle: Duration::ZERO, ..reconciliation };
    fake.once("GET", "/json", Reply::Text(403, "text/html", String::new()));
    assert_eq!(reconcile(&reader, &reconciliation).await.0, Reconciled::Unknown);
    assert_eq!(fake.count("POST", ""), 0);
}

#[tokio::test]
async fn a_silent_engine_is_not_recovery() {
    let fake = FakeDocker::start();
    fake.put(running("ab", "web"));
    let reader = reader(&fake);
    let (target, before) = ident(&reader, "ab").await;
    fake.always("GET", "/json", Reply::Cut);
    let watched = [Watched { target, before: Some(before), goal: Goal::Up, limits: None }];
    let spec = VerifySpec {
        alert_resolved: false,
        health: HealthGoal::Auto,
        within: Some(Duration::from_secs(3)),
        every: Duration::from_secs(1),
        stable_for: Duration::ZERO,
    };
    let result =
        verify(&reader, (&watched, &spec, None), Duration::from_secs(1), |_| async { Ok(String::new()) }).await;
    let StepResult::NotVerified(words) = result else { panic!("{result:?}") };
    assert!(words.starts_with("web: not recovered within 3 s: not seen: the connection to docker was cut"), "{words}");
}

#[tokio::test]
async fn the_observer_hears_of_every_call() {
    let fake = FakeDocker::start();
    fake.put(running("ab", "web"));
    let heard = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&heard);
    let observer: Observer = Arc::new(move |operation, code| sink.lock().unwrap().push(format!("{operation} {code}")));
    let reader = Reader::new(&endpoint(&fake), Some(Arc::clone(&observer)));
    let (_, pre) = ident(&reader, "ab").await;
    let writer = Writer::new(&endpoint(&fake), reader, Some(observer));
    fake.once("POST", "/restart", Reply::Cut);
    perform(&writer, &id("ab"), &pre, &RESTART, Duration::from_secs(2)).await;
    perform(&writer, &id("ab"), &pre, &RESTART, Duration::from_secs(2)).await;
    let want =
        ["version 200", "inspect 200", "version 200", "restart no_answer", "version 200", "restart 204", "inspect 200"];
    assert_eq!(*heard.lock().unwrap(), want);
}
