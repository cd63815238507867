//! What owners say by labels, on a real engine: times, dependents, scopes and a prefix of the settings. A label only narrows.

use crate::alerts::{firing, notification};
use crate::real_docker::{OBEDIENT, TestContainer, docker};
use crate::sickbay_process::Sickbay;
use crate::support::{EngineEvents, OPTED_IN, WIDE_LIMITS, WIDE_SETTINGS, down, restarts};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// It is killed once Docker has waited for it in vain.
const DEAF: [&str; 2] = ["sleep", "1000"];

fn labelled(labels: &[&str]) -> Vec<String> {
    labels.iter().flat_map(|label| ["--label".to_owned(), (*label).to_owned()]).collect()
}

fn run(purpose: &str, labels: &[&str], (more, command): (&[&str], &[&str])) -> TestContainer {
    let labels = labelled(labels);
    let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
    TestContainer::run(purpose, &[&labels, more].concat(), command)
}

fn alarm(sickbay: &Sickbay, container: &TestContainer) {
    let alert = firing(&json!({"alertname": "Down", "container": container.name}));
    assert_eq!(sickbay.post(&notification(&[alert])).status, 200);
}

/// The decision about a container's alert, so many having been made before.
fn decided(sickbay: &Sickbay, container: &TestContainer, before: usize) -> Value {
    alarm(sickbay, container);
    sickbay.wait_for("decision", before + 1).remove(before)
}

#[test]
fn how_long_a_stop_may_take_is_its_owners_word_where_the_playbook_says_nothing() {
    let silent = down(WIDE_LIMITS).replace(", stop_timeout: 1s", "");
    assert_ne!(silent, down(WIDE_LIMITS));
    // Docker itself waits for ten seconds, and this container for twenty.
    for (purpose, rules, label, want) in [
        ("label-short", &silent, "sickbay.stop-timeout=2", Some(2)),
        ("label-second", &down(WIDE_LIMITS), "sickbay.stop-timeout=60s", Some(1)),
        ("label-none", &silent, "sickbay.stop-timeout=soon", None),
    ] {
        let labels = ["sickbay.enable=true", label];
        let command = if want.is_some() { &DEAF[..] } else { &OBEDIENT[..] };
        let container = run(purpose, &labels, (&["--stop-timeout", "20"], command));
        let sickbay = Sickbay::running(rules, WIDE_SETTINGS);
        let asked = Instant::now();
        alarm(&sickbay, &container);
        sickbay.wait_for("action.outcome", 1);
        let took = asked.elapsed();
        let intent = sickbay.records_of("action.intent").remove(0);
        assert_eq!(intent["args"]["stop_timeout_s"].as_u64(), want, "{intent}");
        let least = Duration::from_secs(want.unwrap_or(0));
        assert!(least <= took && took < Duration::from_secs(18), "{label}: {took:?}\n{}", sickbay.story());
        assert_eq!(sickbay.verdict_of(1), "recovered", "{}", sickbay.story());
        let told = sickbay.story().contains("sickbay.stop-timeout=soon cannot be read");
        assert_eq!(told, want.is_none(), "{}", sickbay.story());
    }
}

#[test]
fn a_mistyped_label_protects_and_the_daemons_log_says_what_was_meant() {
    for (purpose, label, meant) in [
        ("label-protected", "sickbay.protected=true", "did you mean sickbay.protect?"),
        ("label-action", "sickbay.action=none", "did you mean sickbay.actions?"),
    ] {
        let container = run(purpose, &["sickbay.enable=true", label], (&[], &OBEDIENT));
        let sickbay = Sickbay::running(&down(WIDE_LIMITS), WIDE_SETTINGS);
        let events = EngineEvents::of(&container);
        let decision = decided(&sickbay, &container, 0);
        assert_eq!(decision["reason"], "protected", "{decision}");
        assert!(decision["detail"].as_str().is_some_and(|detail| detail.contains(meant)), "{decision}");
        assert_eq!(restarts(&events.until_now()), 0, "{}", sickbay.story());
        assert!(sickbay.story().contains("a label has the safest meaning"), "{}", sickbay.story());
    }
}

#[test]
fn it_must_stay_well_as_long_as_its_owner_says_and_never_for_less_than_the_playbook_says() {
    // It lives for a few seconds, and looks well as long as it does.
    let brief = ["sh", "-c", "sleep 5; exit 3"];
    let patient = down(WIDE_LIMITS).replace("stable_for: 1s", "stable_for: 8s");
    for (purpose, rules, label, want) in [
        ("label-brief", &down(WIDE_LIMITS), "sickbay.stable-for=1s", "recovered"),
        ("label-stable", &down(WIDE_LIMITS), "sickbay.stable-for=8s", "ineffective"),
        ("label-stable-less", &patient, "sickbay.stable-for=1s", "ineffective"),
    ] {
        let container = run(purpose, &["sickbay.enable=true", label], (&[], &brief));
        docker(&["wait", &container.id]);
        let sickbay = Sickbay::running(rules, WIDE_SETTINGS);
        alarm(&sickbay, &container);
        assert_eq!(sickbay.verdict_of(1), want, "{label}: {}", sickbay.story());
    }
}

#[test]
fn dependents_are_left_alone_or_keep_their_parent_as_its_owner_says() {
    for (purpose, word, reason, restarted) in [
        ("deps-restart", "restart", None, [1, 1]),
        ("deps-warn", "warn", None, [1, 0]),
        ("deps-refuse", "refuse", Some("dependent_refused"), [0, 0]),
        ("deps-unread", "perhaps", Some("dependent_refused"), [0, 0]),
    ] {
        let word = format!("sickbay.dependents={word}");
        let parent = run(purpose, &["sickbay.enable=true", &word], (&[], &OBEDIENT));
        let network = format!("container:{}", parent.name);
        let child = run(&format!("{purpose}-child"), &["sickbay.enable=true"], (&["--network", &network], &OBEDIENT));
        let sickbay = Sickbay::running(&down(WIDE_LIMITS), WIDE_SETTINGS);
        let events = [EngineEvents::of(&parent), EngineEvents::of(&child)];
        let decision = decided(&sickbay, &parent, 0);
        assert_eq!(decision["reason"].as_str(), reason, "{decision}");
        if reason.is_none() {
            assert_eq!(sickbay.verdict_of(1), "recovered", "{}", sickbay.story());
        }
        assert_eq!(events.map(|events| restarts(&events.until_now())), restarted, "{word}: {}", sickbay.story());
        let warned = sickbay.story().contains("are not restarted after it because of sickbay.dependents=warn");
        assert_eq!(warned, purpose == "deps-warn", "{}", sickbay.story());
    }
}

#[test]
fn to_leave_a_dependent_alone_is_no_leave_to_take_its_namespace_away() {
    let parent = run("deps-plain", &["sickbay.enable=true", "sickbay.dependents=warn"], (&[], &OBEDIENT));
    let network = format!("container:{}", parent.name);
    let child = run("deps-plain-child", &[], (&["--network", &network], &OBEDIENT));
    let sickbay = Sickbay::running(&down(WIDE_LIMITS), WIDE_SETTINGS);
    let events = [EngineEvents::of(&parent), EngineEvents::of(&child)];
    assert_eq!(decided(&sickbay, &parent, 0)["reason"], "dependent_refused", "{}", sickbay.story());
    for events in events {
        assert_eq!(events.until_now(), Vec::<String>::new(), "{}", sickbay.story());
    }
}

#[test]
fn what_belongs_to_another_sickbay_is_left_alone() {
    let ours = run("scope-ours", &["sickbay.enable=true", "sickbay.scope=prod"], (&[], &OBEDIENT));
    let others = run("scope-others", &["sickbay.enable=true", "sickbay.scope=test"], (&[], &OBEDIENT));
    let anybodys = run("scope-anybodys", &["sickbay.enable=true"], (&[], &OBEDIENT));
    for (settings, want) in [
        (format!("{WIDE_SETTINGS}labels: {{scope: prod}}\n"), [None, Some("other_scope"), None]),
        (WIDE_SETTINGS.to_owned(), [Some("other_scope"), Some("other_scope"), None]),
    ] {
        let sickbay = Sickbay::running(&down(WIDE_LIMITS), &format!("docker: {{hands_off: 0s}}\n{settings}"));
        for (index, (container, want)) in [&ours, &others, &anybodys].into_iter().zip(want).enumerate() {
            let events = EngineEvents::of(container);
            let decision = decided(&sickbay, container, index);
            assert_eq!(decision["reason"].as_str(), want, "{decision}");
            if want.is_none() {
                let id = &decision["inc"];
                let closed = || sickbay.records_of("incident.closed").into_iter().find(|closed| closed["inc"] == *id);
                assert_eq!(sickbay.until("it ends", closed)["verdict"], "recovered", "{}", sickbay.story());
            }
            assert_eq!(restarts(&events.until_now()), usize::from(want.is_none()), "{}", sickbay.story());
            // Its name is back for the next one.
            docker(&["rename", &container.id, &container.name]);
        }
    }
}

#[test]
fn labels_under_the_prefix_of_the_settings_count_and_neither_lifts_what_the_other_forbids() {
    let prefixed = format!("docker: {{hands_off: 0s}}\n{WIDE_SETTINGS}labels: {{prefix: org.example.heal}}\n");
    let sickbay = Sickbay::running(&down(WIDE_LIMITS), &prefixed);
    for (index, (purpose, labels, want)) in [
        ("prefix-alone", &["org.example.heal.enable=true"][..], None),
        ("prefix-protects", &["sickbay.enable=true", "org.example.heal.protect=true"], Some("protected")),
        (
            "prefix-lifts",
            &["sickbay.enable=true", "sickbay.protect=true", "org.example.heal.protect=false"],
            Some("protected"),
        ),
        ("prefix-consents", &["sickbay.enable=false", "org.example.heal.enable=true"], Some("not_opted_in")),
        (
            "prefix-actions",
            &["sickbay.enable=true", "sickbay.actions=stop", "org.example.heal.actions=restart"],
            Some("action_not_allowed"),
        ),
        ("prefix-scope", &["sickbay.enable=true", "org.example.heal.scope=elsewhere"], Some("other_scope")),
        ("prefix-other", &["org.example.enable=true", "org.example.healenable=true"], Some("not_opted_in")),
    ]
    .into_iter()
    .enumerate()
    {
        let container = run(purpose, labels, (&[], &OBEDIENT));
        let events = EngineEvents::of(&container);
        let decision = decided(&sickbay, &container, index);
        assert_eq!(decision["reason"].as_str(), want, "{purpose}: {decision}");
        if want.is_none() {
            assert_eq!(sickbay.verdict_of(1), "recovered", "{}", sickbay.story());
        }
        assert_eq!(restarts(&events.until_now()), usize::from(want.is_none()), "{purpose}: {}", sickbay.story());
    }
}

#[test]
fn nobody_reads_another_prefix_unless_the_settings_name_it() {
    let container = run("prefix-unread", &["org.example.heal.enable=true"], (&[], &OBEDIENT));
    let sickbay = Sickbay::running(&down(WIDE_LIMITS), WIDE_SETTINGS);
    assert_eq!(decided(&sickbay, &container, 0)["reason"], "not_opted_in", "{}", sickbay.story());
    let protected = run("prefix-unheard", &[OPTED_IN[1], "org.example.heal.protect=true"], (&[], &OBEDIENT));
    alarm(&sickbay, &protected);
    assert_eq!(sickbay.verdict_of(1), "recovered", "{}", sickbay.story());
}
