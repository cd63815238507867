//! `sickbay diagnose` on containers that are broken in known ways: the first finding names the cause. The program itself is
//! run, against the real engine; nothing of it is told in advance.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

use crate::alerts::{firing, notification};
use crate::real_docker::{OBEDIENT, TestContainer, docker, unique};
use crate::sickbay_process::Sickbay;
use crate::sink::Sink;
use crate::support::{OPTED_IN, WIDE_SETTINGS};
use serde_json::{Value, json};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Runs `sickbay diagnose -o json` with further arguments: its exit code and what it printed.
fn diagnose(container: &str, arguments: &[&str]) -> (i32, Value) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sickbay"));
    let output = command.args(["diagnose", "-o", "json"]).args(arguments).arg(container).output().unwrap();
    let json = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!("{error}: {}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
    });
    (output.status.code().unwrap(), json)
}

/// The first finding must have this code, and its texts these words; what it does not know at once, it may learn within
/// some seconds.
fn first_is(container: &TestContainer, arguments: &[&str], code: &str, words: &[&str]) {
    let begun = Instant::now();
    loop {
        let (exit, told) = diagnose(&container.name, arguments);
        let first = &told["findings"][0];
        let text = first.to_string();
        if exit == 1 && first["code"] == code && words.iter().all(|word| text.contains(word)) {
            assert_eq!(told["container"]["name"], container.name.as_str());
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "not {code} with {words:?}: {told:#}");
        std::thread::sleep(Duration::from_millis(300));
    }
}

/// A container whose start fails, which is what it is made for.
fn unstartable(purpose: &str, options: &[&str], command: &[&str]) -> TestContainer {
    let container = TestContainer::made(&["create"], &unique(purpose), (options, command));
    let mut start = Command::new("docker");
    let started = start.args(["start", &container.id]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    assert!(!started.unwrap().success(), "{purpose} could be started");
    container
}

const ONCE: [&str; 2] = ["--samples", "1"];

fn checked(purpose: &str, check: &str, command: &[&str]) -> TestContainer {
    let timing = ["--health-interval", "1s", "--health-timeout", "1s", "--health-retries", "1", "--health-cmd", check];
    TestContainer::run(purpose, &timing, command)
}

#[test]
fn a_command_that_is_not_there_or_may_not_run_is_named() {
    let absent = unstartable("diag-127", &[], &["nosuch-program"]);
    first_is(&absent, &ONCE, "command.not-found", &["nosuch-program", "127"]);
    let within = TestContainer::run("diag-127-sh", &[], &["sh", "-c", "nosuch-program --x"]);
    first_is(&within, &ONCE, "command.not-found", &["nosuch-program", "127"]);
    let directory = unstartable("diag-126", &[], &["/tmp"]);
    first_is(&directory, &ONCE, "command.not-executable", &["/tmp", "126"]);
}

#[test]
fn memory_that_was_used_up_is_named_with_its_limit() {
    let main = TestContainer::run("diag-oom", &["--memory", "16m"], &["tail", "/dev/zero"]);
    first_is(&main, &ONCE, "memory.oom-killed", &["16.0 MiB", "137"]);
    let again = TestContainer::run("diag-oomloop", &["--memory", "16m", "--restart", "always"], &["tail", "/dev/zero"]);
    first_is(&again, &ONCE, "memory.oom-killed", &["crash loop"]);
    let script = "while true; do tail /dev/zero; sleep 1; done";
    let child = TestContainer::run("diag-oomchild", &["--memory", "16m"], &["sh", "-c", script]);
    first_is(&child, &ONCE, "memory.oom-child", &["16.0 MiB"]);
}

#[test]
fn a_crash_is_named_with_its_code_and_a_loop_with_its_count() {
    let fault = TestContainer::run("diag-139", &[], &["sh", "-c", "sh -c 'kill -SEGV $$'; exit $?"]);
    first_is(&fault, &ONCE, "crash.segfault", &["139", "SIGSEGV"]);
    let looping = TestContainer::run("diag-loop", &["--restart", "always"], &["sh", "-c", "echo bye; exit 3"]);
    first_is(&looping, &ONCE, "exit.application", &["exit code 3", "crash loop", "bye"]);
    let slowly = ["sh", "-c", "sleep 1; echo bye; exit 4"];
    let slowly = TestContainer::run("diag-slowloop", &["--restart", "always"], &slowly);
    first_is(&slowly, &ONCE, "exit.application", &["exit code 4", "crash loop"]);
}

#[test]
fn whoever_stopped_it_goes_before_its_exit_code() {
    let script = "trap 'exit 143' TERM; while true; do sleep 0.1; done";
    let asked = TestContainer::run("diag-143", &[], &["sh", "-c", script]);
    docker(&["stop", "-t", "5", &asked.id]);
    first_is(&asked, &ONCE, "stopped.by-hand", &["143", "SIGTERM"]);
    let deaf = TestContainer::run("diag-137", &[], &["sleep", "1000"]);
    docker(&["stop", "-t", "1", &deaf.id]);
    first_is(&deaf, &ONCE, "stopped.by-hand", &["137", "grace"]);
    let killed = TestContainer::run("diag-kill", &[], &OBEDIENT);
    docker(&["kill", &killed.id]);
    first_is(&killed, &ONCE, "killed.by-hand", &["137"]);
}

#[test]
fn who_killed_it_is_known_at_the_first_look() {
    // Docker tells the time to the second: the kill mostly stands in the second that is not over yet.
    for _ in 0..4 {
        let killed = TestContainer::run("diag-kill-now", &[], &OBEDIENT);
        docker(&["kill", &killed.id]);
        let (exit, told) = diagnose(&killed.name, &ONCE);
        assert_eq!((exit, &told["findings"][0]["code"]), (1, &Value::from("killed.by-hand")), "{told:#}");
    }
}

#[test]
fn a_failing_check_is_named_with_its_reason() {
    // The image of the tests has no client, so the check says what one would say.
    let words = "echo \"wget: can't connect to remote host (127.0.0.1): Connection refused\"; exit 1";
    let refused = checked("diag-refused", words, &OBEDIENT);
    first_is(&refused, &ONCE, "health.refused", &["Connection refused"]);
    let absent = checked("diag-nocheck", "curl -f http://127.0.0.1/", &OBEDIENT);
    first_is(&absent, &ONCE, "health.command-missing", &["curl", "127"]);
    let slow = checked("diag-slow", "sleep 30", &OBEDIENT);
    first_is(&slow, &ONCE, "health.timeout", &["1 s"]);
    // Docker counts no failure of it for ten minutes.
    let options = ["--health-interval", "1s", "--health-start-period", "10m", "--health-cmd", words];
    let starting = TestContainer::run("diag-starting", &options, &OBEDIENT);
    first_is(&starting, &ONCE, "health.starting", &["Connection refused", "10 min"]);
}

#[test]
fn what_is_paused_is_named() {
    let container = TestContainer::run("diag-paused", &[], &OBEDIENT);
    docker(&["pause", &container.id]);
    first_is(&container, &ONCE, "paused", &["docker unpause"]);
}

#[test]
fn a_port_that_is_taken_is_named() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    // Whoever listens on the machine has it, be it a container or not.
    let publish = format!("{}:80", free.local_addr().unwrap());
    let second = unstartable("diag-port", &["--network", "bridge", "-p", &publish], &OBEDIENT);
    let address = publish.trim_end_matches(":80");
    first_is(&second, &ONCE, "port.taken", &[address]);
}

#[test]
fn a_network_that_died_with_its_owner_is_named() {
    let owner = TestContainer::run("diag-owner", &[], &OBEDIENT);
    let shared = format!("container:{}", owner.name);
    let child = TestContainer::run("diag-child", &["--network", &shared], &OBEDIENT);
    let stopped = TestContainer::run("diag-child2", &["--network", &shared], &OBEDIENT);
    docker(&["stop", "-t", "1", &stopped.id]);
    assert_eq!(diagnose(&child.name, &ONCE).0, 0);
    docker(&["restart", "-t", "1", &owner.id]);
    first_is(&child, &ONCE, "network.parent-restarted", &[&owner.name]);
    docker(&["stop", "-t", "1", &owner.id]);
    first_is(&child, &ONCE, "network.parent-stopped", &[&owner.name]);
    docker(&["rm", "-f", "-v", &owner.id]);
    first_is(&child, &ONCE, "network.parent-gone", &["container:"]);
    drop(Command::new("docker").args(["start", &stopped.id]).output());
    first_is(&stopped, &ONCE, "network.parent-gone", &["No such container"]);
}

#[test]
fn memory_that_is_nearly_used_up_or_grows_is_named() {
    // What lies in /dev/shm is memory of the container.
    let options = ["--memory", "32m", "--shm-size", "64m"];
    let script = "busybox head -c 30408704 /dev/zero >/dev/shm/x; sleep 1000";
    let full = TestContainer::run("diag-near", &options, &["sh", "-c", script]);
    first_is(&full, &ONCE, "memory.near-limit", &["of 32.0 MiB"]);
    let options = ["--memory", "512m", "--shm-size", "512m"];
    let script = "while true; do busybox head -c 524288 /dev/zero >>/dev/shm/x; sleep 0.2; done";
    let leaking = TestContainer::run("diag-leak", &options, &["sh", "-c", script]);
    first_is(
        &leaking,
        &["--samples", "5", "--interval", "1s"],
        "memory.growing",
        &["a second", "reaches its limit in"],
    );
}

#[test]
fn a_mount_whose_source_is_gone_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("source");
    std::fs::create_dir(&source).unwrap();
    let mount = format!("type=bind,src={},dst=/mnt", source.display());
    let container = TestContainer::run("diag-mount", &["--mount", &mount], &OBEDIENT);
    docker(&["stop", "-t", "1", &container.id]);
    std::fs::remove_dir(&source).unwrap();
    drop(Command::new("docker").args(["start", &container.id]).output());
    first_is(&container, &ONCE, "mount.source-missing", &[&source.display().to_string()]);
}

#[test]
fn what_the_log_says_goes_before_the_bare_exit_code() {
    for (purpose, script, code) in [
        ("diag-inuse", "echo 'bind: address already in use' >&2; exit 1", "address.in-use"),
        ("diag-dns", "echo 'dial tcp: lookup db: no such host' >&2; exit 1", "dns.failed"),
        ("diag-env", "set -u; echo $DATABASE_URL", "config.variable-missing"),
        ("diag-file", "cat /config/app.yml || exit 1", "file.missing"),
        (
            "diag-panic",
            "echo 'panic: no license' >&2; echo; echo 'goroutine 1 [running]:'; exit 2",
            "application.error",
        ),
    ] {
        let container = TestContainer::run(purpose, &[], &["sh", "-c", script]);
        first_is(&container, &ONCE, code, &["its log"]);
    }
    let denied = TestContainer::run("diag-user", &["--user", "1000"], &["sh", "-c", "touch /data || exit 1"]);
    first_is(&denied, &ONCE, "permission.denied", &["1000"]);
    let read_only = TestContainer::run("diag-ro", &["--read-only"], &["sh", "-c", "touch /data || exit 1"]);
    first_is(&read_only, &ONCE, "read-only", &["read_only"]);
}

#[test]
fn a_well_container_has_nothing_and_whoever_is_not_there_is_an_error() {
    let options = ["--memory", "64m", "--health-interval", "1s", "--health-cmd", "true"];
    let well = TestContainer::run("diag-well", &options, &OBEDIENT);
    let short_id = well.id.get(..12).unwrap();
    let (exit, told) = diagnose(short_id, &["--samples", "2", "--interval", "100ms"]);
    assert_eq!((exit, &told["container"]["name"]), (0, &Value::from(well.name.as_str())), "{told:#}");
    assert_eq!(told["evidence"]["samples"].as_array().unwrap().len(), 2);
    let mut command = Command::new(env!("CARGO_BIN_EXE_sickbay"));
    let nobody = command.args(["diagnose", well.name.get(..well.name.len() - 1).unwrap()]).output().unwrap();
    let said = String::from_utf8_lossy(&nobody.stderr).into_owned();
    assert_eq!(nobody.status.code(), Some(4), "{said}");
    assert!(
        nobody.stdout.is_empty() && said.contains("docker knows no container") && said.contains("did you mean"),
        "{said}"
    );
    let mut command = Command::new(env!("CARGO_BIN_EXE_sickbay"));
    let away =
        command.env("DOCKER_HOST", "unix:///nonexistent/docker.sock").args(["diagnose", "web"]).output().unwrap();
    assert_eq!(away.status.code(), Some(4));
    assert!(String::from_utf8_lossy(&away.stderr).contains("no docker socket at"), "{away:?}");
}

#[test]
fn what_a_well_container_says_of_others_is_no_trouble() {
    let options = ["-p", "127.0.0.1::8080", "--network", "bridge"];
    for (purpose, line) in [
        ("diag-okdb", "Started; connected to database db:5432"),
        ("diag-okpush", "metrics exporter running, pushing to http://pushgateway:9091"),
        ("diag-okdebug", "Debugger listening on ws://127.0.0.1:9229/abc"),
        ("diag-okwarn", "WARN SENTRY_DSN is not set, error reporting disabled"),
    ] {
        let script = format!("echo '{line}'; exec sleep 1000");
        let well = TestContainer::run(purpose, &options, &["sh", "-c", &script]);
        let begun = Instant::now();
        let (exit, told) = loop {
            let (exit, told) = diagnose(&well.name, &ONCE);
            if told["evidence"]["logs"].to_string().contains(line) {
                break (exit, told);
            }
            assert!(begun.elapsed() < Duration::from_secs(20), "it never said {line:?}: {told:#}");
        };
        assert_eq!(exit, 0, "{told:#}");
    }
}

#[test]
fn people_get_no_secret_and_nothing_that_a_terminal_obeys() {
    const SCRIPT: &str =
        "echo password=hunter2; printf '\\033[2Jred\\n'; echo 'connect --token hunter2: connection refused'; exit 1";
    let container = TestContainer::run("diag-secret", &["-e", "TOKEN=hunter2"], &["sh", "-c", SCRIPT]);
    docker(&["wait", &container.id]);
    let mut command = Command::new(env!("CARGO_BIN_EXE_sickbay"));
    let output = command.args(["diagnose", &container.name]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!text.contains("hunter2") && !text.contains('\u{1b}'), "{text}");
    for part in [
        "1. It ended with exit code 1",
        "[dependency.unreachable]",
        "next: ",
        "\nSeen\n",
        "exit code 1",
        "The end of its log",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn a_capture_keeps_the_diagnosis_and_a_message_names_it() {
    let rules = "version: 1
playbooks:
  - name: told
    matchers: ['alertname = \"Down\"']
    target: {container: '{{ labels.container }}'}
    steps:
      - capture: {}
      - notify: {to: [chat], message: '{{ diagnosis.code }}: {{ diagnosis.what }}'}
";
    let sink = Sink::start();
    let url = format!("http://127.0.0.1:{}/", sink.port);
    let settings = format!("{WIDE_SETTINGS}notifiers:\n  - {{name: chat, http: {{url: '{url}', method: POST}}}}\n");
    let check = ["--health-interval", "1s", "--health-retries", "1", "--health-cmd", "nosuch-check"];
    let container = TestContainer::run("diag-told", &[&OPTED_IN[..], &check].concat(), &OBEDIENT);
    first_is(&container, &ONCE, "health.command-missing", &["nosuch-check"]);
    let sickbay = Sickbay::running(rules, &settings);
    let labels = json!({"alertname": "Down", "container": container.name});
    assert_eq!(sickbay.post(&notification(&[firing(&labels)])).status, 200);
    sickbay.wait_for("notify.outcome", 1);
    let evidence = sickbay.records_of("step.finished")[0]["evidence"].clone();
    let told = evidence["diagnosis"]["findings"][0].clone();
    assert_eq!(told["code"], "health.command-missing", "{evidence:#}");
    // The same evidence gives the same diagnosis, also out of the log.
    assert_eq!(sickbay::diagnosis::with_diagnosis(evidence.clone()), evidence);
    let message = sink.bodies().concat();
    assert!(message.contains("health.command-missing: It is unhealthy: “nosuch-check”"), "{message}");
}
