//! Containers that must be left alone, each for its own reason; the engine's event stream shows that they were.

use crate::alerts::{firing, notification};
use crate::real_docker::{OBEDIENT, TestContainer, docker, unique};
use crate::sickbay_process::Sickbay;
use crate::support::{EngineEvents, OPTED_IN, WIDE_LIMITS, dead_container, down, down_for, restarts};
use serde_json::json;

/// Sends the alert `Down` about a container; what is refused, and that nothing happened to the container meanwhile.
fn refused(container: &TestContainer, rules: &str, settings: &str) -> (String, String) {
    let sickbay = Sickbay::running(rules, settings);
    let before = state(container);
    let events = EngineEvents::of(container);
    let alert = firing(&json!({"alertname": "Down", "container": container.name}));
    // Twice: being asked again is no reason to change one's mind.
    for _ in 0..2 {
        assert_eq!(sickbay.post(&notification(std::slice::from_ref(&alert))).status, 200);
        sickbay.wait_for("decision", 1);
    }
    let after = state(container);
    assert_eq!(events.until_now(), Vec::<String>::new(), "{}", sickbay.story());
    assert_eq!(before, after, "{}", sickbay.story());
    refusal(&sickbay)
}

/// The only decision: a refusal with its gate, its reason and words for people. Nothing was intended.
fn refusal(sickbay: &Sickbay) -> (String, String) {
    let decisions = sickbay.wait_for("decision", 1);
    let text = |key: &str| decisions[0][key].as_str().unwrap_or_default().to_owned();
    assert_eq!((decisions.len(), text("result")), (1, "refused".to_owned()), "{}", sickbay.story());
    assert!(!text("detail").is_empty(), "{}", sickbay.story());
    assert_eq!(sickbay.records_of("action.intent").len(), 0, "{}", sickbay.story());
    (text("gate"), text("reason"))
}

fn state(container: &TestContainer) -> String {
    let format = "{{.State.Status}} {{.State.StartedAt}} {{.State.FinishedAt}} {{.RestartCount}}";
    docker(&["inspect", "-f", format, &container.id])
}

/// The gate `target` refuses with this reason, whatever the limits.
fn assert_refused(container: &TestContainer, reason: &str) {
    assert_eq!(refused(container, &down(WIDE_LIMITS), ""), ("target".to_owned(), reason.to_owned()));
}

#[test]
fn without_the_opt_in_label() {
    let container = TestContainer::run("plain", &[], &OBEDIENT);
    assert_refused(&container, "not_opted_in");
}

#[test]
fn with_the_opt_in_label_set_to_something_else_than_yes() {
    let container = TestContainer::run("undecided", &["--label", "sickbay.enable=perhaps"], &OBEDIENT);
    assert_refused(&container, "not_opted_in");
}

#[test]
fn protected_by_its_label_although_opted_in() {
    let container = dead_container("protected", &["--label", "sickbay.protect=true"]);
    assert_refused(&container, "protected");
}

#[test]
fn protected_by_the_settings() {
    let container = dead_container("settings", &[]);
    for protect in [container.name.clone(), "regex:.*-settings-.*".to_owned()] {
        let settings = format!("docker: {{protect: ['{protect}']}}\n");
        // The mark of the round before has renamed it.
        docker(&["rename", &container.id, &unique("settings-again")]);
        docker(&["rename", &container.id, &container.name]);
        let want = ("target".to_owned(), "protected".to_owned());
        assert_eq!(refused(&container, &down(WIDE_LIMITS), &settings), want);
    }
}

#[test]
fn with_other_actions_allowed_only() {
    let container = dead_container("actions", &["--label", "sickbay.actions=scale"]);
    assert_refused(&container, "action_not_allowed");
}

#[test]
fn missing() {
    let sickbay = Sickbay::running(&down(WIDE_LIMITS), "");
    let alert = firing(&json!({"alertname": "Down", "container": unique("nobody")}));
    assert_eq!(sickbay.post(&notification(&[alert])).status, 200);
    assert_eq!(refusal(&sickbay), ("target".to_owned(), "target_missing".to_owned()));
}

#[test]
fn ambiguous() {
    let project = unique("project");
    let label = |key: &str, value: &str| format!("com.docker.compose.{key}={value}");
    let labels = [label("project", &project), label("service", "web"), label("oneoff", "False")];
    let options: Vec<&str> = labels.iter().flat_map(|label| ["--label", label.as_str()]).collect();
    let (first, second) = (dead_container("replica-1", &options), dead_container("replica-2", &options));
    let other = EngineEvents::of(&second);
    let rules = down_for(&format!("{{compose: {{project: {project}, service: web}}}}"), WIDE_LIMITS);
    assert_eq!(refused(&first, &rules, ""), ("target".to_owned(), "target_ambiguous".to_owned()));
    // Newer engines may still be telling how it died.
    let happened: Vec<String> = other.until_now().into_iter().filter(|action| action != "die").collect();
    assert_eq!(happened, Vec::<String>::new());
}

#[test]
fn paused() {
    let container = TestContainer::run("paused", &OPTED_IN, &OBEDIENT);
    docker(&["pause", &container.id]);
    assert_refused(&container, "container_paused");
}

#[test]
fn stopped_by_a_person() {
    let container = TestContainer::run("stopped", &OPTED_IN, &OBEDIENT);
    docker(&["stop", "-t", "5", &container.id]);
    assert_refused(&container, "stopped_by_human");
}

#[test]
fn stopped_by_a_person_although_its_policy_would_start_it() {
    let policy = [&OPTED_IN[..], &["--restart", "unless-stopped"]].concat();
    // It does not listen to the polite signal, so it ends as if it had been killed.
    let container = TestContainer::run("stubborn", &policy, &["sleep", "1000"]);
    docker(&["stop", "-t", "1", &container.id]);
    assert_refused(&container, "stopped_by_human");
}

#[test]
fn a_job_that_is_finished() {
    let container = TestContainer::run("job", &OPTED_IN, &["true"]);
    docker(&["wait", &container.id]);
    assert_refused(&container, "container_finished");
}

#[test]
fn down_where_the_playbook_does_not_start_what_is_down() {
    let container = dead_container("down", &[]);
    let rules = down(WIDE_LIMITS).replace("start_if_stopped: true, ", "");
    assert_eq!(refused(&container, &rules, ""), ("target".to_owned(), "container_stopped".to_owned()));
}

#[test]
fn a_crash_loop() {
    let policy = [&OPTED_IN[..], &["--restart", "always"]].concat();
    let container = TestContainer::run("loop", &policy, &["sh", "-c", "exit 3"]);
    let sickbay = Sickbay::running(&down(WIDE_LIMITS), "");
    let rounds = || docker(&["inspect", "-f", "{{.RestartCount}}", &container.id]).parse::<u64>().unwrap();
    sickbay.until("it has crashed some times", || (4 <= rounds()).then_some(()));
    let events = EngineEvents::of(&container);
    let alert = firing(&json!({"alertname": "Down", "container": container.name}));
    assert_eq!(sickbay.post(&notification(&[alert])).status, 200);
    assert_eq!(refusal(&sickbay), ("target".to_owned(), "crash_loop".to_owned()));
    assert_eq!(sickbay.records_of("action.intent").len(), 0, "{}", sickbay.story());
    // Docker's own policy goes on; a restart would have set its counter back.
    assert!(4 <= rounds(), "{}", sickbay.story());
    assert_eq!(restarts(&events.until_removed()), 0, "{}", sickbay.story());
}

#[test]
fn created_and_never_started() {
    let name = unique("created");
    let container = TestContainer::made(&["create"], &name, (&OPTED_IN, &OBEDIENT));
    assert_refused(&container, "container_created");
}

#[test]
fn removed_when_it_stops() {
    let container = TestContainer::run("rm", &[&OPTED_IN[..], &["--rm"]].concat(), &OBEDIENT);
    assert_refused(&container, "auto_remove");
}

#[test]
fn a_target_that_is_no_name() {
    let bystander = dead_container("bystander", &[]);
    let events = EngineEvents::of(&bystander);
    let sickbay = Sickbay::running(&down(WIDE_LIMITS), "");
    let sly = format!("{}/../{}", bystander.name, bystander.name);
    assert_eq!(sickbay.post(&notification(&[firing(&json!({"alertname": "Down", "container": sly}))])).status, 200);
    assert_eq!(refusal(&sickbay), ("target".to_owned(), "target_invalid".to_owned()));
    assert_eq!(events.until_now(), Vec::<String>::new());
}
