//! SIGKILL at every call of a Compose scaling, and answers that are cut off, on a real engine: no replica is made twice, what
//! was left half made is removed, and the verdict says what became of it.

use crate::alerts::{firing, notification};
use crate::real_docker::docker;
use crate::sickbay_process::Sickbay;
use crate::support::between::{Between, Fate, Meant};
use crate::support::{Generation, Project, WIDE_LIMITS, number};
use serde_json::{Value, json};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

/// A replica has two networks: the second one is connected after it was created.
const SERVICE: &str = r#"
version: "2.4"
services:
  web:
    image: IMAGE
    command: [sh, -c, "trap 'exit 0' TERM; while true; do sleep 1000 & wait $$!; done"]
    labels: {sickbay.enable: "true", sickbay.scale.enable: "true", sickbay.scale.remove: any}
    stop_grace_period: 2s
    networks: {front: {}, back: {}}
networks: {front: {}, back: {}}
"#;

pub(crate) fn create(line: &str) -> bool {
    // It also asks whether it may, for a container of no possible name.
    line.starts_with("POST ") && line.contains("/containers/create?") && !line.contains("name=%3F")
}

fn connect(line: &str) -> bool {
    line.starts_with("POST ") && line.contains("/connect") && is_real(line)
}

pub(crate) fn start(line: &str) -> bool {
    line.starts_with("POST ") && line.contains("/start") && is_real(line)
}

pub(crate) fn stop(line: &str) -> bool {
    line.starts_with("POST ") && line.contains("/stop") && is_real(line)
}

pub(crate) fn remove(line: &str) -> bool {
    line.starts_with("DELETE ") && line.contains("/containers/") && is_real(line)
}

/// Whether it is about something that exists. The daemon also asks whether it may, with IDs of nothing.
fn is_real(line: &str) -> bool {
    let whole = |part: &&str| part.len() == 64 && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    let exists =
        |id: &str| Command::new("docker").args(["inspect", "--format", "x", id]).output().unwrap().status.success();
    line.split(['/', '?', ' ']).filter(whole).any(exists)
}

fn rules(project: &Project, to: u32) -> String {
    format!(
        "version: 1\nplaybooks:\n  - name: scale\n    matchers: ['alertname = \"Busy\"']\n    target: {{compose: {{project: {}, \
         service: web}}}}\n    limits: {WIDE_LIMITS}\n    steps:\n      - scale: {{to: {to}, max: 9}}\n      - verify: \
         {{replicas_running: all, within: 30s, every: 1s, stable_for: 1s}}\n    on_failure:\n      - notify: {{to: [log], \
         severity: critical, message: 'x'}}\n",
        project.name
    )
}

/// How it ended: what was found (if anything had to be), the verdict, and each replica's number and state.
type End = (Option<String>, String, Vec<(u32, String)>);

/// Scales from one number to another while the calls that are meant have this fate, and kills the daemon at the first of them
/// if it is to be killed.
fn scaled(name: &str, (from, to): (u32, u32), (meant, fate, killed): (Meant, Fate, bool)) -> End {
    let project = Project::of(Generation::Two, name, SERVICE).expect("Compose 2");
    project.compose(&["up", "-d", "--scale", &format!("web={from}")]);
    let between = Between::start(meant, fate);
    let mut sickbay = Sickbay::running(&rules(&project, to), &between.settings());
    let body = notification(&[firing(&json!({"alertname": "Busy", "service": name}))]);
    let mut posted = None;
    sickbay.until("the call is held", || {
        // Again now and then, as senders do: an engine that is busy may not have answered in time.
        if posted.is_none_or(|at: Instant| Duration::from_secs(5) < at.elapsed()) {
            assert_eq!(sickbay.post(&body).status, 200);
            posted = Some(Instant::now());
        }
        (between.held() == 1).then_some(())
    });
    if killed {
        sickbay.kill();
        assert_eq!(sickbay.records_of("action.outcome").len(), 0, "{}", sickbay.story());
        between.let_pass();
        sickbay.start(&[]);
    } else {
        between.let_pass();
    }
    let verdict = sickbay.verdict_of(1);
    assert_eq!(sickbay.records_of("action.intent").len(), 1, "nothing is begun again: {}", sickbay.story());
    let found = sickbay.records_of("action.reconciled").pop();
    let found = found.map(|record| record["result"].as_str().unwrap().to_owned());
    let replicas = project.replicas("web");
    if found.as_deref() != Some("partly") {
        // Compose takes them for its own, and has nothing to mend.
        let ids = |all: &[Value]| all.iter().map(|one| one["Id"].clone()).collect::<Vec<Value>>();
        project.compose(&["up", "-d", "--scale", &format!("web={}", replicas.len())]);
        assert_eq!(ids(&project.replicas("web")), ids(&replicas), "{name}");
    }
    for network in ["front", "back"] {
        let on =
            docker(&["network", "inspect", &format!("{}_{network}", project.name), "--format", "{{len .Containers}}"]);
        let running = replicas.iter().filter(|one| one["State"]["Running"] == true).count();
        assert_eq!(on.trim(), running.to_string(), "{name}: all that run are connected to {network}");
    }
    let state = |one: &Value| (number(one), one["State"]["Status"].as_str().unwrap().to_owned());
    (found, verdict, replicas.iter().map(state).collect())
}

fn end(found: Option<&str>, verdict: &str, running: &[u32], exited: &[u32]) -> End {
    let states = running.iter().map(|number| (*number, "running".to_owned()));
    let states = states.chain(exited.iter().map(|number| (*number, "exited".to_owned())));
    (found.map(str::to_owned), verdict.to_owned(), states.collect())
}

#[test]
fn killed_at_any_call_while_it_adds_a_replica_it_leaves_none_half_made() {
    thread::scope(|scope| {
        let killed =
            |name: &'static str, meant: Meant, fate| scope.spawn(move || scaled(name, (1, 2), (meant, fate, true)));
        let cases = [
            (
                "before create",
                killed("ck-create", create, Fate::Swallowed),
                end(Some("not_applied"), "abandoned", &[1], &[]),
            ),
            (
                "after create",
                killed("ck-created", create, Fate::Unheard),
                end(Some("not_applied"), "abandoned", &[1], &[]),
            ),
            (
                "before connect",
                killed("ck-connect", connect, Fate::Swallowed),
                end(Some("not_applied"), "abandoned", &[1], &[]),
            ),
            (
                "before start",
                killed("ck-start", start, Fate::Swallowed),
                end(Some("not_applied"), "abandoned", &[1], &[]),
            ),
            (
                "after start",
                killed("ck-started", start, Fate::Unheard),
                end(Some("observed"), "recovered", &[1, 2], &[]),
            ),
        ];
        for (when, ended, want) in cases {
            assert_eq!(ended.join().unwrap(), want, "{when}");
        }
    });
}

#[test]
fn killed_at_any_call_while_it_takes_a_replica_away_it_finds_out_how_far_it_came() {
    thread::scope(|scope| {
        let killed =
            |name: &'static str, meant: Meant, fate| scope.spawn(move || scaled(name, (2, 1), (meant, fate, true)));
        let cases = [
            (
                "before stop",
                killed("ck-stop", stop, Fate::Swallowed),
                end(Some("not_applied"), "abandoned", &[1, 2], &[]),
            ),
            ("after stop", killed("ck-stopped", stop, Fate::Unheard), end(Some("partly"), "abandoned", &[1], &[2])),
            (
                "before remove",
                killed("ck-remove", remove, Fate::Swallowed),
                end(Some("partly"), "abandoned", &[1], &[2]),
            ),
            (
                "after remove",
                killed("ck-removed", remove, Fate::Unheard),
                end(Some("observed"), "recovered", &[1], &[]),
            ),
        ];
        for (when, ended, want) in cases {
            assert_eq!(ended.join().unwrap(), want, "{when}");
        }
    });
}

#[test]
fn an_answer_that_is_cut_off_makes_no_second_replica() {
    thread::scope(|scope| {
        let cut =
            |name: &'static str, meant: Meant| scope.spawn(move || scaled(name, (1, 2), (meant, Fate::CutOff, false)));
        let cases = [
            ("create", cut("cc-create", create)),
            ("connect", cut("cc-connect", connect)),
            ("start", cut("cc-start", start)),
        ];
        for (call, ended) in cases {
            assert_eq!(ended.join().unwrap(), end(None, "recovered", &[1, 2], &[]), "{call}");
        }
    });
}
