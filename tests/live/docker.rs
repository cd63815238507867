//! What a real Docker engine shows: the same calls as in production, on containers made for the purpose.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests are tests too: a panic names its line")]

use crate::real_docker::{OBEDIENT, TestContainer, docker, engine, unique};
use sickbay::docker::act::perform;
use sickbay::docker::client::{Reader, Writer};
use sickbay::docker::evidence::capture;
use sickbay::docker::reconcile::reconcile;
use sickbay::docker::resolve::resolve;
use sickbay::docker::verify::verify;
use sickbay::model::action::{Action, ActionOutcome, Goal, Reconciled, TargetIdent, TargetVitals, Vitals};
use sickbay::model::container::{Container, StopCause, TargetReport, TargetView};
use sickbay::model::fact::StepResult;
use sickbay::model::id::{ActId, IncidentId, Seq};
use sickbay::model::step::{CaptureSpec, HealthGoal, Reconciliation, VerifySpec, Watched};
use sickbay::model::target::{ContainerId, ContainerName, TargetId, TargetQuery};
use std::time::Duration;

fn reader() -> Reader {
    Reader::new(&engine(), None)
}

async fn inspect(container: &TestContainer) -> Container {
    reader().inspect(&ContainerId::parse(&container.id).unwrap()).await.unwrap()
}

async fn report(name: &str) -> TargetReport {
    resolve(&reader(), &TargetQuery::Name(ContainerName::parse(name).unwrap())).await
}

async fn view(container: &TestContainer) -> TargetView {
    match report(&container.name).await {
        TargetReport::Found(view) => *view,
        other @ (TargetReport::FoundService(_)
        | TargetReport::Missing
        | TargetReport::Several { .. }
        | TargetReport::Ambiguous(_)
        | TargetReport::Unavailable(_)
        | TargetReport::Denied(_)
        | TargetReport::NoManager(_)) => panic!("{other:?}"),
    }
}

/// Does one thing to a container, as the daemon does it.
async fn act(before: &Container, action: &Action) -> ActionOutcome {
    let writer = Writer::new(&engine(), reader(), None);
    let (id, pre) = (TargetId::from(&before.id), TargetVitals::from(before));
    let act = ActId { incident: IncidentId(Seq(1)), number: 1 };
    perform(&writer, (act, &id), (&pre, action), action.deadline(before.stop_timeout)).await
}

/// Restarts a container with one second of grace.
async fn restart_it(container: &TestContainer) -> (Container, ActionOutcome) {
    let before = inspect(container).await;
    let action = Action::Restart { stop_timeout: Some(Duration::from_secs(1)) };
    let outcome = act(&before, &action).await;
    (before, outcome)
}

/// Restarts a container and watches it: whether it recovered, and what was seen.
async fn restart_and_verify(container: &TestContainer) -> (bool, String) {
    let (before, outcome) = restart_it(container).await;
    let ActionOutcome::Succeeded { post: Some(post) } = outcome else { panic!("{outcome:?}") };
    assert_ne!(post.container().unwrap().started_at, before.started_at);
    let watched = [Watched {
        target: TargetIdent::from(&before),
        before: Some(Vitals::from(&before)),
        goal: Goal::Up,
        limits: None,
    }];
    let spec = VerifySpec {
        alert_resolved: false,
        health: HealthGoal::Auto,
        within: Some(Duration::from_secs(20)),
        every: Duration::from_secs(1),
        stable_for: Duration::from_secs(2),
    };
    match verify(&reader(), (&watched, &spec, None), Duration::ZERO, |_| async { Ok(String::new()) }).await {
        StepResult::Verified(words) => (true, words),
        StepResult::NotVerified(words) => (false, words),
        other @ (StepResult::Captured(_)
        | StepResult::Failed(_)
        | StepResult::Waited
        | StepResult::Notified
        | StepResult::Skipped
        | StepResult::ConditionFalse(_)
        | StepResult::Paused(_)
        | StepResult::NotNeeded(_)
        | StepResult::Approved(_)) => {
            panic!("{other:?}")
        }
    }
}

#[tokio::test]
async fn the_engine_introduces_itself() {
    let version = reader().version().await.unwrap_or_else(|error| {
        panic!("no docker engine answers, start one (dockerd >/tmp/dockerd.log 2>&1 &): {error}")
    });
    assert!(version.api.starts_with("1.") && !version.engine.is_empty(), "{version:?}");
}

#[tokio::test]
async fn a_restarted_container_without_a_check_is_seen_running() {
    let container = TestContainer::run("running", &[], &OBEDIENT);
    let (well, words) = restart_and_verify(&container).await;
    assert!(well, "{words}");
    assert_eq!(words, format!("{}: running on the same start, stable for 2 s", container.name));
}

#[tokio::test]
async fn a_health_check_decides_after_the_restart() {
    let options = ["--health-interval", "1s", "--health-timeout", "5s", "--health-retries", "2", "--health-cmd"];
    let sound = TestContainer::run("healthy", &[&options[..], &["true"]].concat(), &OBEDIENT);
    let (well, words) = restart_and_verify(&sound).await;
    assert!(well && words.contains(": healthy ") && words.contains(" s after its start, stable for 2 s"), "{words}");
    let sick = TestContainer::run("unhealthy", &[&options[..], &["false"]].concat(), &OBEDIENT);
    let (well, words) = restart_and_verify(&sick).await;
    assert!(!well && words.ends_with(": unhealthy"), "{words}");
}

#[tokio::test]
async fn a_crash_loop_is_told_at_once() {
    let script = "test -e /tmp/ran && exit 3; touch /tmp/ran && echo ready; sleep 1000";
    let container = TestContainer::run("crashloop", &["--restart", "always"], &["sh", "-c", script]);
    container.wait_for_output("ready");
    let (well, words) = restart_and_verify(&container).await;
    assert!(!well && words.contains("crash loop"), "{words}");
}

#[tokio::test]
async fn an_exit_is_told_with_its_code() {
    let script = "test -e /tmp/ran && exit 7; touch /tmp/ran && echo ready; sleep 1000";
    let container = TestContainer::run("exits", &[], &["sh", "-c", script]);
    container.wait_for_output("ready");
    let (well, words) = restart_and_verify(&container).await;
    assert!(!well && words.ends_with("exited with code 7"), "{words}");
}

#[tokio::test]
async fn a_restart_whose_start_fails_is_a_failure_with_dockers_words() {
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("source");
    std::fs::create_dir(&source).unwrap();
    let mount = format!("type=bind,src={},dst=/mnt", source.display());
    let container = TestContainer::run("startfails", &["--mount", &mount], &OBEDIENT);
    std::fs::remove_dir(&source).unwrap();
    let (_, outcome) = restart_it(&container).await;
    let ActionOutcome::Failed { error } = outcome else { panic!("{outcome:?}") };
    assert!(error.contains("http 500") && error.contains("now exited"), "{error}");
}

#[tokio::test]
async fn a_restart_of_what_is_gone_is_a_failure() {
    let container = TestContainer::run("gone", &[], &OBEDIENT);
    let before = inspect(&container).await;
    docker(&["rm", "-f", "-v", &container.id]);
    let outcome = act(&before, &Action::Restart { stop_timeout: None }).await;
    assert!(matches!(&outcome, ActionOutcome::Failed { error } if error.contains("gone")), "{outcome:?}");
    assert_eq!(resolve(&reader(), &TargetQuery::Id(before.id)).await, TargetReport::Missing);
}

#[tokio::test]
async fn a_stop_by_a_person_is_told_from_a_death() {
    let container = TestContainer::run("cause", &[], &OBEDIENT);
    assert_eq!(view(&container).await.stop_cause, StopCause::NotAsked);
    docker(&["stop", "-t", "1", &container.id]);
    assert_eq!(view(&container).await.stop_cause, StopCause::Stopped);
    docker(&["start", &container.id]);
    docker(&["kill", &container.id]);
    assert_eq!(view(&container).await.stop_cause, StopCause::Died);
    // A restart stops too, but only what came after it counts.
    docker(&["start", &container.id]);
    docker(&["restart", "-t", "1", &container.id]);
    container.end_from_within();
    docker(&["wait", &container.id]);
    let view = view(&container).await;
    assert_eq!((view.stop_cause, view.container.exit_code), (StopCause::Died, 0));
}

#[tokio::test]
async fn a_compose_service_is_one_container_or_nobody() {
    let project = unique("project");
    let query = |service: &str| TargetQuery::Compose { project: project.clone(), service: service.to_owned() };
    let member = |name: &str, service: &str, oneoff: &str| {
        let labels = [
            format!("com.docker.compose.project={project}"),
            format!("com.docker.compose.service={service}"),
            format!("com.docker.compose.oneoff={oneoff}"),
        ];
        let options: Vec<&str> = labels.iter().flat_map(|label| ["--label", label.as_str()]).collect();
        TestContainer::run(name, &options, &OBEDIENT)
    };
    let web_1 = member("web-1", "web", "False");
    let _run = member("web-run", "web", "True");
    let _db = member("db-1", "db", "False");
    let TargetReport::Found(view) = resolve(&reader(), &query("web")).await else { panic!() };
    assert_eq!(view.container.id.as_str(), web_1.id);
    let web_2 = member("web-2", "web", "False");
    docker(&["stop", "-t", "1", &web_2.id]);
    let want = TargetReport::Ambiguous(vec![web_1.name.clone(), web_2.name.clone()]);
    assert_eq!(resolve(&reader(), &query("web")).await, want);
    assert_eq!(resolve(&reader(), &query("we")).await, TargetReport::Missing);
    // The stopped one is a replica too, and the one-off run is none.
    let seen = self::view(&web_1).await;
    let names: Vec<&str> = seen.peers.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, [web_1.name.as_str(), &web_2.name]);
    assert_eq!(TargetIdent::from(&seen.container).service.as_deref(), Some(&*format!("{project}/web")));
}

#[tokio::test]
async fn a_name_means_the_name_and_never_an_id() {
    let first = TestContainer::run("first", &[], &OBEDIENT);
    let short_id = first.id.get(..12).unwrap();
    assert_eq!(report(short_id).await, TargetReport::Missing);
    let namesake = TestContainer::run_as(short_id, &[], &OBEDIENT);
    assert_eq!(view(&namesake).await.container.id.as_str(), namesake.id);
    assert_eq!(report(first.name.get(..first.name.len() - 1).unwrap()).await, TargetReport::Missing);
}

#[tokio::test]
async fn running_containers_in_the_targets_namespaces_depend_on_it() {
    let target = TestContainer::run("parent", &["--ipc", "shareable"], &OBEDIENT);
    let shared = format!("container:{}", target.name);
    let network = TestContainer::run("child-net", &["--network", &shared], &OBEDIENT);
    let pid = TestContainer::run("child-pid", &["--pid", &shared], &OBEDIENT);
    let ipc = TestContainer::run("child-ipc", &["--ipc", &shared], &OBEDIENT);
    let stopped = TestContainer::run("child-stopped", &["--network", &shared], &OBEDIENT);
    docker(&["stop", "-t", "1", &stopped.id]);
    let mut want = [network.name.as_str(), pid.name.as_str(), ipc.name.as_str()];
    want.sort_unstable();
    let view = view(&target).await;
    let names: Vec<&str> = view.dependents.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, want);
}

#[tokio::test]
async fn looking_finds_out_who_restarted_it() {
    let container = TestContainer::run("reconcile", &["--restart", "always"], &OBEDIENT);
    let look = async |pre: &Container| {
        let reconciliation = Reconciliation {
            act: ActId { incident: IncidentId(Seq(1)), number: 1 },
            action: Action::Restart { stop_timeout: None },
            target: TargetIdent::from(pre),
            pre: TargetVitals::from(pre),
            settle: Duration::from_secs(1),
            call: Duration::from_secs(1),
        };
        reconcile(&reader(), &reconciliation).await.0
    };
    let pre = inspect(&container).await;
    assert_eq!(look(&pre).await, Reconciled::NotApplied);
    docker(&["restart", "-t", "1", &container.id]);
    assert_eq!(look(&pre).await, Reconciled::Observed);
    let pre = inspect(&container).await;
    container.end_from_within();
    assert_eq!(look(&pre).await, Reconciled::RestartPolicy);
    docker(&["rm", "-f", "-v", &container.id]);
    assert_eq!(look(&pre).await, Reconciled::Superseded);
}

async fn evidence(container: &TestContainer) -> serde_json::Value {
    let target = TargetIdent::from(&inspect(container).await);
    capture(&reader(), &target, &CaptureSpec::default()).await
}

#[tokio::test]
async fn evidence_is_readable_and_keeps_secrets() {
    const SCRIPT: &str = r"echo oops >&2; printf '\001\000\000\000\000\000\000\004evil\n'; echo password=hunter2; \
        printf '\033[31mred\033[0m\n'; sleep 1000";
    let options = ["-e", "DB_PASSWORD=hunter2", "--label", "secret=hunter2", "--memory", "32m"];
    let plain = TestContainer::run("evidence", &options, &["sh", "-c", SCRIPT]);
    let tty = TestContainer::run("evidence-tty", &["-t", "-e", "DB_PASSWORD=hunter2"], &["sh", "-c", SCRIPT]);
    for container in [&plain, &tty] {
        container.wait_for_output("red");
        let evidence = evidence(container).await;
        let text = evidence.to_string();
        assert!(!text.contains("hunter2") && !text.contains("\\u001b"), "{text}");
        assert!(text.contains("DB_PASSWORD") && text.len() < 48 * 1024, "{text}");
        let lines = evidence["logs"]["lines"].as_array().unwrap();
        let has = |end: &str| lines.iter().any(|line| line.as_str().unwrap().ends_with(end));
        assert!(
            lines.len() == 4 && has("evil") && has(" password=[redacted]") && has(" red") && has(" oops"),
            "{text}"
        );
        assert!(0 < evidence["stats"]["memory_usage"].as_u64().unwrap(), "{text}");
        assert!(0 < evidence["stats"]["pids"].as_u64().unwrap(), "{text}");
        assert_eq!(evidence["container"]["state"]["status"], "running");
    }
}

#[tokio::test]
async fn evidence_of_a_container_without_a_log_or_a_process_says_so() {
    let container = TestContainer::run("evidence-none", &["--log-driver", "none"], &OBEDIENT);
    docker(&["stop", "-t", "1", &container.id]);
    let evidence = evidence(&container).await;
    assert!(evidence["logs"]["error"].as_str().unwrap().contains("http 501"), "{evidence}");
    assert!(evidence["stats"].is_null(), "{evidence}");
    assert_eq!(evidence["container"]["log_driver"], "none");
}

#[tokio::test]
async fn an_out_of_memory_kill_is_named() {
    let script = "test -e /tmp/ran && exec tail /dev/zero; touch /tmp/ran && echo ready; sleep 1000";
    let options = ["--memory", "16m", "--memory-swap", "16m"];
    let container = TestContainer::run("oom", &options, &["sh", "-c", script]);
    container.wait_for_output("ready");
    let (well, words) = restart_and_verify(&container).await;
    assert!(!well && words.ends_with("exited with code 137 (killed), out of memory"), "{words}");
}
