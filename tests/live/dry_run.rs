//! Dry run against the real engine: the same decisions as in earnest, marked, and nothing changed.

use crate::alerts::{firing, notification};
use crate::real_docker::{OBEDIENT, TestContainer};
use crate::sickbay_process::Sickbay;
use crate::support::{EngineEvents, OPTED_IN, WIDE_LIMITS, WIDE_SETTINGS, dead_container, down};
use serde_json::{Value, json};

/// Containers of which some are treated and some are not.
fn patients(purpose: &str) -> Vec<TestContainer> {
    let name = |what: &str| format!("{purpose}-{what}");
    vec![
        dead_container(&name("dead"), &[]),
        TestContainer::run(&name("running"), &OPTED_IN, &OBEDIENT),
        TestContainer::run(&name("plain"), &[], &OBEDIENT),
        dead_container(&name("protected"), &["--label", "sickbay.protect=true"]),
    ]
}

/// Sends one alert per container, the next when the one before is decided and done; what was decided.
fn decisions(sickbay: &Sickbay, patients: &[TestContainer]) -> Vec<Value> {
    for (index, container) in patients.iter().enumerate() {
        let alert = firing(&json!({"alertname": "Down", "container": container.name}));
        assert_eq!(sickbay.post(&notification(&[alert])).status, 200);
        let decided = &sickbay.wait_for("decision", index + 1)[index];
        if decided["result"] == "run" {
            let id = &decided["inc"];
            sickbay.until("the run ends", || {
                sickbay.records_of("incident.closed").iter().any(|closed| closed["inc"] == *id).then_some(())
            });
        }
    }
    sickbay.records_of("decision")
}

/// The decisions without what must differ: number, time, hashes, and the mark.
fn essence(decisions: &[Value]) -> Vec<Value> {
    let keep = ["playbook", "result", "gate", "reason", "detail", "target"];
    decisions.iter().map(|decision| keep.iter().map(|key| decision[key].clone()).collect()).collect()
}

#[test]
fn a_dry_run_decides_the_same_and_changes_nothing() {
    let patients = patients("dry");
    let mut dry = Sickbay::new(&down(WIDE_LIMITS), WIDE_SETTINGS);
    let events: Vec<_> = patients.iter().map(EngineEvents::of).collect();
    dry.start(&["--dry-run"]);
    let rehearsed = decisions(&dry, &patients);
    let runs: Vec<_> = rehearsed.iter().filter(|decision| decision["result"] == "run").collect();
    assert!(runs.len() == 2 && runs.iter().all(|decision| decision["dry_run"] == true), "{}", dry.story());
    let intents = dry.records_of("action.intent");
    assert!(intents.len() == 2 && intents.iter().all(|intent| intent["dry_run"] == true), "{}", dry.story());
    assert!(dry.records_of("action.outcome").iter().all(|outcome| outcome["result"] == "rehearsed"), "{}", dry.story());
    assert!(dry.records_of("incident.closed").iter().all(|closed| closed["reason"] == "dry_run"), "{}", dry.story());
    for (events, container) in events.into_iter().zip(&patients) {
        assert_eq!(events.until_now(), Vec::<String>::new(), "{}", container.name);
        // The mark has renamed it.
        crate::real_docker::docker(&["rename", &container.id, &container.name]);
    }

    let earnest = Sickbay::running(&down(WIDE_LIMITS), WIDE_SETTINGS);
    let events: Vec<_> = patients.iter().map(EngineEvents::of).collect();
    let done = decisions(&earnest, &patients);
    assert_eq!(essence(&rehearsed), essence(&done), "{}\n{}", dry.story(), earnest.story());
    assert!(done.iter().all(|decision| decision["dry_run"].is_null()), "{}", earnest.story());
    let touched: Vec<bool> = events.into_iter().map(|events| !events.until_now().is_empty()).collect();
    assert_eq!(touched, [true, true, false, false], "{}", earnest.story());
}

#[test]
fn a_playbook_in_dry_run_changes_nothing_while_its_neighbour_acts() {
    let (dead, other) = (dead_container("rehearsal", &[]), dead_container("neighbour", &[]));
    let rehearsal = down(WIDE_LIMITS).replace("  - name: down\n", "  - name: rehearsal\n    dry_run: true\n");
    let neighbour = down(WIDE_LIMITS).replace("alertname =~ \"Down|X\"", "alertname = \"Other\"");
    let rules = format!("{rehearsal}{}", neighbour.split_once("playbooks:\n").unwrap().1);
    let sickbay = Sickbay::running(&rules, WIDE_SETTINGS);
    let events = [EngineEvents::of(&dead), EngineEvents::of(&other)];
    let alerts = [("Down", &dead), ("Other", &other)]
        .map(|(name, container)| firing(&json!({"alertname": name, "container": container.name})));
    assert_eq!(sickbay.post(&notification(&alerts)).status, 200);
    sickbay.wait_for("incident.closed", 2);
    let seen = events.map(EngineEvents::until_now);
    assert_eq!(seen, [vec![], vec!["start".to_owned(), "restart".to_owned()]], "{}", sickbay.story());
    let marks: Vec<_> = sickbay.records_of("action.intent").iter().map(|intent| intent["dry_run"] == true).collect();
    assert!(marks.contains(&true) && marks.contains(&false), "{}", sickbay.story());
}

#[test]
fn check_online_asks_the_real_engine_and_changes_nothing() {
    let container = TestContainer::run("online", &OPTED_IN, &OBEDIENT);
    let events = EngineEvents::of(&container);
    let folder = tempfile::tempdir().unwrap();
    let rules = folder.path().join("rules.yaml");
    let check = |name: &str| {
        let text = down(WIDE_LIMITS).replace("'{{ labels.container }}'", name);
        assert!(text.contains(name), "{text}");
        std::fs::write(&rules, text).unwrap();
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_sickbay"));
        let output = command.args(["check", "--online"]).arg(&rules).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (code, said) = check(&container.name);
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = check("nobody-is-called-so");
    assert!(code == Some(1) && said.contains("Docker knows no") && said.contains("online.missing"), "{said}");
    assert_eq!(events.until_now(), Vec::<String>::new());
}
