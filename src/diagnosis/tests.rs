//! Each kind of trouble, as evidence shows it, is named first.

use super::{diagnose, with_diagnosis};
use crate::model::diagnosis::{Diagnosis, DiagnosisCode as Code, Weight};
use serde_json::{Value, json};

const NOW: &str = "2026-01-01T12:00:00Z";

/// A container that has been running well for two hours.
fn well() -> Value {
    json!({
        "container": {
            "name": "web-1", "image": "web:1", "seen_at": NOW, "created": "2026-01-01T10:00:00Z",
            "program": "serve", "restart_count": 0, "restart_policy": "no", "network_mode": "front",
            "limits": {"memory": 104_857_600, "pids": 100},
            "state": {
                "status": "running", "started_at": "2026-01-01T10:00:00Z", "exit_code": 0, "oom_killed": false,
                "error": "", "health": "healthy", "failing_streak": 0,
            },
            "health_check": {"kind": "CMD-SHELL", "program": "curl", "timeout_ms": 2000},
        },
        "health_log": [{"exit_code": 0, "output": "ok", "before_start": false}],
        "logs": {"lines": ["2026-01-01T11:59:00Z ready"], "truncated": false},
        "stats": {"memory_usage": 10_485_760, "memory_limit": 104_857_600, "pids": 4, "cpus": 2},
        "events": {"events": [], "count": 0},
        "past": {"stop_cause": "not_asked", "predecessor": null},
    })
}

/// Evidence that differs from [`well`] at these places.
fn seen(changes: &[(&str, Value)]) -> Value {
    let mut evidence = well();
    for (pointer, value) in changes {
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        let parent = evidence.pointer_mut(parent).unwrap_or_else(|| panic!("{pointer}"));
        parent.as_object_mut().unwrap().insert(key.to_owned(), value.clone());
    }
    evidence
}

fn ended(code: i64) -> Vec<(&'static str, Value)> {
    vec![
        ("/container/state/status", json!("exited")),
        ("/container/state/exit_code", json!(code)),
        ("/container/state/finished_at", json!("2026-01-01T11:59:00Z")),
        ("/past/stop_cause", json!("died")),
        ("/stats", Value::Null),
    ]
}

fn logged(line: &str) -> (&'static str, Value) {
    ("/logs/lines", json!([format!("2026-01-01T11:59:00Z {line}")]))
}

fn events(events: &[(&str, Option<&str>, Option<&str>)]) -> (&'static str, Value) {
    let event = |(action, code, signal): &(&str, Option<&str>, Option<&str>)| json!({"at": NOW, "action": action, "exit_code": code, "signal": signal});
    ("/events/events", events.iter().map(event).collect())
}

fn failing(code: i64, output: &str) -> Vec<(&'static str, Value)> {
    vec![
        ("/container/state/health", json!("unhealthy")),
        ("/container/state/failing_streak", json!(4)),
        ("/health_log", json!([{"exit_code": code, "output": output, "before_start": false}])),
    ]
}

fn first(changes: &[(&str, Value)]) -> (Option<Code>, Diagnosis) {
    let diagnosis = diagnose(&seen(changes));
    (diagnosis.first().map(|finding| finding.code), diagnosis)
}

#[test]
fn of_a_container_that_does_well_nothing_is_said() {
    let (code, diagnosis) = first(&[]);
    assert_eq!((code, diagnosis.findings.len()), (None, 0), "{diagnosis:?}");
}

#[test]
fn an_exit_code_is_told_with_its_meaning() {
    for (code, want) in [
        (0, Code::ExitNormal),
        (1, Code::ExitApplication),
        (3, Code::ExitApplication),
        (125, Code::ExitDocker),
        (126, Code::CommandNotExecutable),
        (127, Code::CommandNotFound),
        (130, Code::Signal),
        (134, Code::Abort),
        (137, Code::KilledUnknown),
        (139, Code::Segfault),
        (143, Code::Terminated),
        (255, Code::ExitApplication),
    ] {
        let (got, diagnosis) = first(&ended(code));
        assert_eq!(got, Some(want), "{code}");
        assert!(diagnosis.findings[0].what.contains(&code.to_string()), "{diagnosis:?}");
    }
}

#[test]
fn who_ended_it_goes_before_how_it_ended() {
    let with = |code, more: Vec<(&'static str, Value)>| first(&[ended(code), more].concat()).0.unwrap();
    let oom = ("/container/state/oom_killed", json!(true));
    let stop =
        events(&[("start", None, None), ("kill", None, Some("15")), ("die", Some("137"), None), ("stop", None, None)]);
    let kill = events(&[("start", None, None), ("kill", None, Some("9")), ("die", Some("137"), None)]);
    let earlier = events(&[
        ("kill", None, Some("9")),
        ("die", Some("137"), None),
        ("stop", None, None),
        ("start", None, None),
        ("die", Some("137"), None),
    ]);
    for (name, got, want) in [
        ("oom flag", with(137, vec![oom.clone()]), Code::OomKilled),
        (
            "oom event",
            with(137, vec![events(&[("start", None, None), ("oom", None, None), ("die", Some("137"), None)])]),
            Code::OomKilled,
        ),
        ("oom of a worker", with(1, vec![oom.clone()]), Code::OomKilled),
        ("stopped", with(137, vec![stop.clone()]), Code::StoppedByHand),
        (
            "stopped, by the daemon's memory",
            with(143, vec![("/past/stop_cause", json!("stopped"))]),
            Code::StoppedByHand,
        ),
        ("stopped and fine", with(0, vec![stop]), Code::StoppedByHand),
        ("killed", with(137, vec![kill]), Code::KilledByHand),
        ("an earlier run was stopped", with(137, vec![earlier]), Code::KilledUnknown),
        (
            "Docker would have started it",
            with(1, vec![("/container/restart_policy", json!("always"))]),
            Code::StoppedByHand,
        ),
    ] {
        assert_eq!(got, want, "{name}");
    }
}

#[test]
fn what_docker_tells_is_not_guessed_at_as_well() {
    let by = |signal, more: &[(&'static str, Option<&str>, Option<&str>)]| {
        events(&[&[("start", None, None), ("kill", None, Some(signal)), ("die", Some("137"), None)], more].concat())
    };
    for (code, history) in [(137, by("9", &[])), (137, by("15", &[("stop", None, None)])), (143, by("15", &[]))] {
        let found = first(&[ended(code), vec![history]].concat()).1;
        let codes: Vec<Code> = found.findings.iter().map(|finding| finding.code).collect();
        assert!(!codes.contains(&Code::KilledUnknown) && !codes.contains(&Code::Terminated), "{codes:?}");
        assert!(codes.contains(&Code::KilledByHand) || codes.contains(&Code::StoppedByHand), "{codes:?}");
    }
}

#[test]
fn that_it_was_not_docker_is_only_said_where_the_history_has_its_death() {
    for (name, history, certain) in [
        ("its death", events(&[("start", None, None), ("die", Some("137"), None)]), true),
        ("its start alone", events(&[("create", None, None), ("start", None, None)]), false),
        ("the death of the run before", events(&[("die", Some("137"), None), ("start", None, None)]), false),
        ("nothing", events(&[]), false),
        ("no answer", ("/events", json!({"error": "late"})), false),
    ] {
        let (code, found) = first(&[ended(137), vec![history]].concat());
        assert_eq!(code, Some(Code::KilledUnknown), "{name}");
        let what = &found.findings[0].what;
        assert_eq!(what.contains("It was not Docker"), certain, "{name}: {what}");
        assert_eq!(what.contains("Docker's history does not tell by whom"), !certain, "{name}: {what}");
    }
}

#[test]
fn the_kernel_killed_the_main_process_or_another_one() {
    let flag = ("/container/state/oom_killed", json!(true));
    let engine = |version: &str| ("/engine", json!({"version": version}));
    let young = [("/container/state/started_at", json!("2026-01-01T11:59:58Z"))];
    let looping = [&young[..], &[("/container/restart_count", json!(7))]].concat();
    let before = events(&[("oom", None, None), ("die", Some("137"), None), ("start", None, None)]);
    let since = events(&[("start", None, None), ("oom", None, None)]);
    let (main, other) = (Some(Code::OomKilled), Some(Code::OomChild));
    for (name, changes, want) in [
        ("an event since the start", vec![since.clone()], other),
        ("the flag as well", vec![since.clone(), flag.clone(), engine("26.1.5+dfsg1")], other),
        ("the flag as well, and nobody says which engine", vec![since.clone(), flag.clone()], other),
        ("an engine that clears the flag", vec![flag.clone(), engine("25.0.0")], other),
        ("one that clears it, and an old event", vec![before.clone(), flag.clone(), engine("28.2.2")], other),
        ("one that leaves it", [&young[..], &[before.clone(), flag.clone(), engine("24.0.9")]].concat(), main),
        ("nobody says which engine", [&young[..], &[before.clone(), flag.clone()]].concat(), main),
        ("long ago", vec![flag.clone(), engine("20.10.24+dfsg1")], None),
        ("it may be about to die of it", [&looping[..], &[since, flag.clone(), engine("26.1.5")]].concat(), main),
        ("it has died of it before", [&looping[..], &[before, engine("26.1.5")]].concat(), main),
        ("it has died of it now", [ended(137), vec![flag, engine("26.1.5")]].concat(), main),
    ] {
        assert_eq!(first(&changes).0, want, "{name}");
    }
}

#[test]
fn a_loop_is_told_with_why_it_ends() {
    let looping = |code: i64| {
        vec![
            ("/container/state/status", json!("restarting")),
            ("/container/state/exit_code", json!(code)),
            ("/container/restart_count", json!(7)),
            ("/container/restart_policy", json!("always")),
        ]
    };
    for (code, want) in
        [(3, Code::ExitApplication), (0, Code::ExitNormal), (139, Code::Segfault), (127, Code::CommandNotFound)]
    {
        let (got, diagnosis) = first(&looping(code));
        assert_eq!(got, Some(want));
        assert!(diagnosis.findings[0].what.contains("crash loop: Docker has restarted it 7 times"), "{diagnosis:?}");
        assert!(diagnosis.findings.iter().any(|finding| finding.code == Code::CrashLoop), "{diagnosis:?}");
    }
    // Caught in the moment in which it runs, the history knows how the run before ended.
    let young =
        [("/container/state/started_at", json!("2026-01-01T11:59:58Z")), ("/container/restart_count", json!(7))];
    let died = events(&[("die", Some("3"), None), ("start", None, None)]);
    assert_eq!(first(&[young.to_vec(), vec![died]].concat()).0, Some(Code::ExitApplication));
    assert_eq!(first(&young).0, Some(Code::CrashLoop));
    // What happened long ago is a note.
    let (none, diagnosis) = first(&[("/container/restart_count", json!(7))]);
    assert_eq!((none, diagnosis.findings[0].code), (None, Code::RestartsEarlier));
}

#[test]
fn the_log_says_why_it_ended() {
    for (code, line, want) in [
        (1, "listen tcp :80: bind: address already in use", Code::AddressInUse),
        (1, "exec /app: exec format error", Code::Architecture),
        (
            127,
            "./app: error while loading shared libraries: libssl.so: cannot open shared object file",
            Code::LibraryMissing,
        ),
        (134, "JavaScript heap out of memory", Code::HeapExhausted),
        (1, "KeyError: 'DATABASE_URL'", Code::VariableMissing),
        (1, "something odd", Code::ExitApplication),
        (1, "fatal: something odd", Code::ApplicationError),
        (2, "panic: runtime error: invalid memory address or nil pointer dereference", Code::ApplicationError),
        (101, "thread 'main' panicked at src/main.rs:4:5:", Code::ApplicationError),
        (78, "ERROR: Elasticsearch did not exit normally - check the logs", Code::ApplicationError),
        (1, "FATAL:  database files are incompatible with server", Code::ApplicationError),
        (139, "panic: runtime error", Code::Segfault),
        (127, "/entrypoint.sh: 12: exec: gunicorn: not found", Code::CommandNotFound),
        (127, "/usr/bin/env: 'bash\\r': No such file or directory", Code::InterpreterMissing),
        (
            1,
            "standard_init_linux.go:228: exec user process caused: no such file or directory",
            Code::InterpreterMissing,
        ),
        (
            1,
            "redis.exceptions.AuthenticationError: invalid username-password pair or user is disabled.",
            Code::CredentialsRefused,
        ),
        (1, "Error: DATABASE_URL is not set and SQLite is disabled", Code::VariableMissing),
        // What it goes on without is not why it ended.
        (1, "WARN SENTRY_DSN is not set, error reporting disabled", Code::ExitApplication),
        // What was ended from outside did not end for what its log says.
        (137, "connection refused", Code::KilledUnknown),
        (143, "connection refused", Code::Terminated),
        (139, "connection refused", Code::Segfault),
        (127, "sh: nosuch: not found", Code::CommandNotFound),
    ] {
        assert_eq!(first(&[ended(code), vec![logged(line)]].concat()).0, Some(want), "{code} {line}");
    }
    // The newest line counts for most.
    let lines = ("/logs/lines", json!(["lookup db: no such host", "mkdir /data: permission denied", "bye"]));
    assert_eq!(first(&[ended(1), vec![lines]].concat()).0, Some(Code::PermissionDenied));
}

/// Of programs in several languages: exit code, lines of the log, and what is to be told of them.
const SAYING_MOST: &[(&str, i64, &[&str], &str)] = &[
    (
        "Go",
        2,
        &["panic: license expired", "", "goroutine 1 [running]:", "main.main()", "\t/app/main.go:9 +0x22"],
        "“panic: license expired”",
    ),
    (
        "Rust",
        101,
        &["thread 'main' panicked at src/main.rs:4:5:", "license expired", "note: run with `RUST_BACKTRACE=1`"],
        "“thread 'main' panicked at src/main.rs:4:5: license expired”",
    ),
    (
        "Python",
        1,
        &["Traceback (most recent call last):", "  File \"x.py\", line 1", "    main()", "app.LicenseExpired: gone"],
        "“Traceback (most recent call last): app.LicenseExpired: gone”",
    ),
    (
        "Java",
        1,
        &[
            "Exception in thread \"main\" app.StartException: no",
            "\tat app.Main(Main.java:5)",
            "Caused by: app.Expired: gone",
        ],
        "“Caused by: app.Expired: gone”",
    ),
    (
        "Ruby",
        1,
        &["app.rb:3:in `start': license expired (RuntimeError)", "\tfrom app.rb:9:in `<main>'"],
        "(RuntimeError)",
    ),
    (
        "C++",
        134,
        &["terminate called after throwing an instance of 'Expired'", "Aborted (core dumped)"],
        "exit code 134",
    ),
    ("a last word", 1, &["FATAL: license expired", "error: shutting down"], "“FATAL: license expired”"),
    (
        "a setting of the kernel",
        78,
        &[
            "bootstrap check failure [1] of [1]: max virtual memory areas vm.max_map_count [65530] is too low, increase to at least [262144]",
            "ERROR: Elasticsearch did not exit normally - check the logs",
        ],
        "vm.max_map_count [65530]",
    ),
];

#[test]
fn of_several_lines_the_one_that_says_most_is_told() {
    let seen = |code: i64, lines: &[&str]| {
        first(&[ended(code), vec![("/logs/lines", json!(lines))]].concat()).1.findings[0].clone()
    };
    for (name, code, lines, want) in SAYING_MOST {
        let told = seen(*code, lines);
        assert!(told.seen.contains(want), "{name}: {told:?}");
    }
}

#[test]
fn what_a_running_container_goes_on_without_is_a_note() {
    for (line, want) in [
        ("WARN  SENTRY_DSN is not set, error reporting disabled", Weight::Note),
        (
            "time=x level=warning msg=\"The \\\"TAG\\\" variable is not set. Defaulting to a blank string.\"",
            Weight::Note,
        ),
        (
            "2024 [error] 7#7: *1 open() \"/usr/share/nginx/html/favicon.ico\" failed (2: No such file or directory), client: 10.0.0.1",
            Weight::Note,
        ),
        ("INFO: 10.0.0.1:5000 - \"GET /admin HTTP/1.1\" 403 Forbidden", Weight::Note),
        ("{\"level\":40,\"msg\":\"config file /etc/app.yml: no such file or directory\"}", Weight::Note),
        (
            "10-listen-on-ipv6-by-default.sh: info: can not modify /etc/nginx/conf.d/default.conf (read-only file system?)",
            Weight::Note,
        ),
        ("WARN dial tcp 10.0.0.3:5432: connect: connection refused, retrying", Weight::Risk),
        (
            "[error] connect() failed (111: Connection refused) while connecting to upstream, client: 10.0.0.1",
            Weight::Risk,
        ),
        ("open /config/app.yml: no such file or directory", Weight::Risk),
        ("ERROR: SENTRY_DSN is not set", Weight::Risk),
    ] {
        let (_, diagnosis) = first(&[logged(line)]);
        assert_eq!(diagnosis.findings.iter().map(|finding| finding.weight).collect::<Vec<_>>(), [want], "{line}");
    }
}

#[test]
fn advice_knows_the_containers_configuration() {
    let next = |line: &str, more: Vec<(&'static str, Value)>| {
        let (_, diagnosis) = first(&[ended(1), vec![logged(line)], more].concat());
        diagnosis.findings[0].next.clone()
    };
    let mounts = ("/container/mounts", json!([{"destination": "/config", "source": "/srv/config", "rw": false}]));
    assert!(
        next("open /config/app.yml: no such file or directory", vec![mounts])
            .starts_with("/config is a mount of /srv/config, mounted read-only")
    );
    assert!(
        next("lookup db: no such host", vec![("/container/network_mode", json!("default"))])
            .contains("do not find each other by name")
    );
    let arm = [("/image", json!({"architecture": "arm64"})), ("/engine", json!({"architecture": "amd64"}))];
    assert!(
        next("exec /app: exec format error", arm.to_vec())
            .starts_with("The image is made for arm64, and this machine is amd64.")
    );
    assert!(
        next("touch /data: permission denied", vec![("/container/user", json!("1000"))])
            .contains("runs as user “1000”")
    );
}

#[test]
fn a_failing_check_says_why() {
    for (code, output, want) in [
        (127, "/bin/sh: curl: not found", Code::HealthCommandMissing),
        (
            -1,
            "OCI runtime exec failed: exec failed: unable to start container process: exec: \"curl\": executable file not found in $PATH: unknown",
            Code::HealthCommandMissing,
        ),
        (-1, "exec: \"/bin/sh\": stat /bin/sh: no such file or directory", Code::HealthCommandMissing),
        (126, "/bin/sh: /check: Permission denied", Code::HealthNotExecutable),
        (-1, "Health check exceeded timeout (1s)", Code::HealthTimeout),
        (1, "wget: can't connect to remote host (127.0.0.1): Connection refused", Code::HealthRefused),
        (7, "", Code::HealthRefused),
        (
            7,
            "curl: (7) Failed to connect to localhost port 80 after 0 ms: Couldn't connect to server",
            Code::HealthRefused,
        ),
        (22, "curl: (22) The requested URL returned error: 503", Code::HealthHttpStatus),
        (1, "Connecting to 127.0.0.1\nwget: server returned error: HTTP/1.1 404 Not Found", Code::HealthHttpStatus),
        (22, "", Code::HealthHttpStatus),
        (28, "", Code::HealthTimeout),
        (1, "wget: bad address 'nosuch'", Code::HealthDns),
        (60, "curl: (60) SSL certificate problem: certificate has expired", Code::HealthTls),
        (1, "", Code::HealthFailing),
        (2, "/tmp:5432 - no response", Code::HealthFailing),
        (1, "urllib.error.HTTPError: HTTP Error 404: Not Found", Code::HealthHttpStatus),
    ] {
        let (got, diagnosis) = first(&failing(code, output));
        assert_eq!(got, Some(want), "{code} {output}");
        assert_eq!(diagnosis.findings[0].weight, Weight::Cause);
    }
    // A check from before the start says nothing about this run.
    let old = ("/health_log", json!([{"exit_code": 7, "output": "", "before_start": true}]));
    assert_eq!(first(&[failing(7, ""), vec![old]].concat()).0, Some(Code::HealthFailing));
    // Not yet unhealthy.
    let (code, diagnosis) = first(&[failing(7, ""), vec![("/container/state/health", json!("starting"))]].concat());
    assert_eq!((code, diagnosis.findings[0].weight), (Some(Code::HealthRefused), Weight::Risk));
    // Health is stale on what does not run.
    assert_eq!(first(&[failing(7, ""), ended(3)].concat()).0, Some(Code::ExitApplication));
}

type WithoutShell = (&'static str, (&'static str, &'static str), i64, &'static str, Code, &'static str, &'static str);

/// The check's form and program, its exit code and output; the code, what is to be told and what is not.
const WITHOUT_SHELL: &[WithoutShell] = &[
    (
        "no shell",
        ("CMD-SHELL", "/bin/prog"),
        -1,
        "{}exec: \"/bin/sh\": stat /bin/sh: no such file or directory: unknown",
        Code::HealthCommandMissing,
        "“/bin/sh” is not in the image (exit code -1)",
        "“/bin/prog”",
    ),
    (
        "no shell of another name",
        ("CMD-SHELL", "curl"),
        127,
        "{}exec: \"bash\": executable file not found in $PATH: unknown",
        Code::HealthCommandMissing,
        "“bash” is not in the image (exit code 127)",
        "“curl”",
    ),
    (
        "a shell that may not run",
        ("CMD-SHELL", "curl"),
        -1,
        "{}exec: \"/bin/sh\": permission denied: unknown",
        Code::HealthNotExecutable,
        "“/bin/sh” may not be executed (exit code -1)",
        "“curl”",
    ),
    (
        "a list",
        ("CMD", "/bin/check"),
        -1,
        "{}exec: \"/bin/check\": stat /bin/check: no such file or directory: unknown",
        Code::HealthCommandMissing,
        "“/bin/check” is not in the image (exit code -1)",
        "by a shell",
    ),
    (
        "a shell that finds no program",
        ("CMD-SHELL", "curl"),
        127,
        "/bin/sh: curl: not found",
        Code::HealthCommandMissing,
        "“curl” is not in the image (exit code 127)",
        "by a shell",
    ),
    (
        "a program that finds no program",
        ("CMD-SHELL", "gosu"),
        1,
        "error: exec: \"check\": executable file not found in $PATH",
        Code::HealthCommandMissing,
        "(exit code 1)",
        "by a shell",
    ),
];

#[test]
fn a_check_without_a_shell_accuses_the_shell_and_nobody_else() {
    for (name, (kind, program), code, output, want, says, says_not) in WITHOUT_SHELL {
        let output = output.replace("{}", "OCI runtime exec failed: exec failed: unable to start container process: ");
        let check = ("/container/health_check", json!({"kind": kind, "program": program}));
        let (got, diagnosis) = first(&[failing(*code, &output), vec![check]].concat());
        let told = &diagnosis.findings[0];
        assert_eq!(got, Some(*want), "{name}");
        assert!(told.what.contains(says) && !told.what.contains(says_not), "{name}: {told:?}");
        assert_eq!(told.next.contains("always uses a shell"), told.what.contains("by a shell"), "{name}: {told:?}");
    }
}

#[test]
fn a_check_that_fails_while_it_starts_is_told() {
    let started = |code: i64, output: &str| {
        let mut changes = failing(code, output);
        changes.push(("/container/state/health", json!("starting")));
        changes.push(("/container/state/failing_streak", json!(0)));
        changes.push(("/container/state/started_at", json!("2026-01-01T11:59:30Z")));
        changes
    };
    let refused = "wget: can't connect to remote host (127.0.0.1): Connection refused";
    let (code, diagnosis) = first(&started(1, refused));
    assert_eq!((code, diagnosis.findings[0].weight), (Some(Code::HealthStarting), Weight::Risk));
    assert!(diagnosis.findings[0].what.contains("nobody listens where the check asks"), "{diagnosis:?}");
    // What can never pass is named as that.
    assert_eq!(first(&started(127, "/bin/sh: curl: not found")).0, Some(Code::HealthCommandMissing));
    for (name, check) in [
        ("passed", json!([{"exit_code": 0, "output": "ok", "before_start": false}])),
        ("none yet", json!([])),
        ("of the run before", json!([{"exit_code": 1, "output": refused, "before_start": true}])),
    ] {
        assert_eq!(first(&[started(1, refused), vec![("/health_log", check)]].concat()).0, None, "{name}");
    }
}

#[test]
fn limits_that_are_nearly_reached_are_told() {
    let used = |bytes: u64| vec![("/stats/memory_usage", json!(bytes))];
    assert_eq!(first(&used(90 * 1_048_576)).0, Some(Code::MemoryNearLimit));
    assert_eq!(first(&used(80 * 1_048_576)).0, None);
    // Cache is given back.
    assert_eq!(
        first(&[used(95 * 1_048_576), vec![("/stats/memory_inactive_file", json!(60 * 1_048_576))]].concat()).0,
        None
    );
    assert_eq!(first(&[("/stats/pids", json!(95))]).0, Some(Code::PidsNearLimit));
    let throttled = [("/stats/cpu_periods", json!(100)), ("/stats/cpu_throttled_periods", json!(80))];
    assert_eq!(first(&throttled).0, Some(Code::CpuThrottled));
    assert_eq!(first(&[("/stats/cpu_periods", json!(5)), ("/stats/cpu_throttled_periods", json!(5))]).0, None);
}

#[test]
fn memory_that_grows_is_told_with_the_time_that_is_left() {
    let samples = |step: u64| {
        let sample = |at: u64| json!({"at": format!("2026-01-01T12:00:0{}Z", at * 2), "memory_usage": 10_485_760 + at * step, "memory_limit": 104_857_600});
        ("/samples", (0..5).map(sample).collect::<Value>())
    };
    let (code, diagnosis) = first(&[samples(2_097_152), ("/stats/memory_usage", json!(18_874_368))]);
    assert_eq!(code, Some(Code::MemoryGrowing));
    // 82 MiB are left, and a MiB a second goes.
    assert!(
        diagnosis.findings[0]
            .what
            .contains("grows by 1.0 MiB a second, like a leak: at this rate it reaches its limit in 82 s"),
        "{diagnosis:?}"
    );
    assert_eq!(first(&[samples(1024)]).0, None);
    assert_eq!(first(&[samples(0)]).0, None);
    // What a health check uses for a moment is no growth, and processes that stay are.
    let with_pids = |samples: &[(u64, u64)]| {
        let sample = |(at, (kib, pids)): (usize, &(u64, u64))| json!({"at": format!("2026-01-01T12:00:0{at}Z"), "memory_usage": kib * 1024, "memory_limit": 104_857_600, "pids": pids});
        first(&[("/samples", samples.iter().enumerate().map(sample).collect::<Value>())]).0
    };
    for (name, samples, want) in [
        ("checks in some samples", [(1000, 1), (1000, 1), (2000, 4), (3000, 6), (3500, 7), (1000, 1)], None),
        ("a check in the last sample", [(1000, 1), (1000, 1), (1000, 1), (1010, 1), (1010, 1), (5000, 7)], None),
        (
            "checks while it leaks",
            [(1000, 1), (2000, 1), (3900, 4), (4000, 1), (5000, 1), (6000, 1)],
            Some(Code::MemoryGrowing),
        ),
        (
            "processes that pile up",
            [(1000, 1), (2000, 2), (3000, 3), (4000, 4), (5000, 5), (6000, 6)],
            Some(Code::MemoryGrowing),
        ),
    ] {
        assert_eq!(with_pids(&samples), want, "{name}");
    }
}

#[test]
fn a_namespace_or_a_state_goes_before_everything_else() {
    let parent = |parent: Value| {
        let mode = ("/container/network_mode", json!("container:abababababab"));
        first(&[failing(7, ""), vec![mode, ("/network_parent", parent)]].concat()).0
    };
    assert_eq!(parent(json!({"gone": true})), Some(Code::ParentGone));
    assert_eq!(parent(json!({"name": "vpn", "status": "exited"})), Some(Code::ParentStopped));
    let started = |at: &str| json!({"name": "vpn", "status": "running", "started_at": at});
    assert_eq!(parent(started("2026-01-01T11:00:00Z")), Some(Code::ParentRestarted));
    assert_eq!(parent(started("2026-01-01T09:00:00Z")), Some(Code::HealthRefused));
    for (status, want) in
        [("paused", Code::Paused), ("dead", Code::Dead), ("removing", Code::Removing), ("created", Code::NeverStarted)]
    {
        assert_eq!(first(&[failing(7, ""), vec![("/container/state/status", json!(status))]].concat()).0, Some(want));
    }
}

#[test]
fn dockers_own_words_about_a_start_go_before_the_exit_code() {
    let error = |words: &str| vec![("/container/state/error", json!(words))];
    assert_eq!(first(&[ended(137), error("No such container: abab")].concat()).0, Some(Code::ParentGone));
    assert_eq!(
        first(&[ended(128), error("Bind for 0.0.0.0:80 failed: port is already allocated")].concat()).0,
        Some(Code::PortTaken)
    );
    let (code, diagnosis) = first(&[ended(128), error("something new")].concat());
    assert_eq!((code, diagnosis.findings.len()), (Some(Code::StartFailed), 1), "{diagnosis:?}");
    // It may publish no port at all.
    let (code, diagnosis) = first(&[ended(128), error("Address already in use")].concat());
    assert_eq!(code, Some(Code::AddressTaken));
    assert!(!diagnosis.findings[0].what.contains("port"), "{diagnosis:?}");
    // What runs has been started since.
    assert_eq!(first(&error("something old")).0, None);
    let gone = json!({"missing_sources": ["/srv/x"]});
    assert_eq!(first(&[ended(137), vec![("/machine", gone)]].concat()).0, Some(Code::MountSourceMissing));
}

#[test]
fn ports_are_compared_with_what_the_log_says() {
    let published = ("/container/ports", json!([{"container": "8080/tcp", "host_ip": "", "host_port": "80"}]));
    let of = |line: &str| first(&[published.clone(), logged(line)]).0;
    assert_eq!(of("Listening on 127.0.0.1:8080"), Some(Code::ListensOnLoopback));
    assert_eq!(of("Listening on 0.0.0.0:8080"), None);
    assert_eq!(of("Listening on port 3000"), Some(Code::PortMismatch));
    assert_eq!(of("ready"), None);
    // What only connects, pushes or is looked after elsewhere, runs well.
    for line in [
        "Started; connected to database db:5432",
        "metrics exporter running, pushing to http://pushgateway:9091",
        "Debugger listening on ws://127.0.0.1:9229/abc",
        "admin interface running on 0.0.0.0:9901",
        "job started at 2026-01-01 12:30:45",
    ] {
        assert_eq!(of(line), None, "{line}");
    }
    let two = |first: &str, second: &str| {
        let lines = ("/logs/lines", json!([first, second]));
        diagnose(&seen(&[published.clone(), lines])).first().cloned()
    };
    assert_eq!(two("listening on :3000", "listening on :4000"), None);
    let mismatch = two("listening on :3000", "Debugger listening on ws://127.0.0.1:9229/abc").unwrap();
    // A log is a hint.
    assert_eq!((mismatch.code, mismatch.weight), (Code::PortMismatch, Weight::Risk));
    assert!(mismatch.next.contains("Publish port 3000"), "{mismatch:?}");
    // What listens on loopback is not opened to the network.
    let local = two("listening on 127.0.0.1:3000", "ready").unwrap();
    assert!(local.next.contains("0.0.0.0:8080") && !local.next.contains("Publish"), "{local:?}");
}

#[test]
fn a_service_is_told_by_its_tasks() {
    let service = |error: &str| {
        let task = json!({"slot": 1, "state": "rejected", "exit_code": 0, "error": error});
        let evidence = json!({"service": {"name": "web", "replicas": 3, "running": 1}, "tasks": {"in_trouble": [task], "count": 4}});
        diagnose(&evidence)
    };
    let diagnosis = service("invalid mount config for type \"bind\": bind source path does not exist: /x");
    assert_eq!(diagnosis.first().map(|finding| finding.code), Some(Code::TasksFailing));
    assert!(diagnosis.findings[0].what.contains("mounted does not exist"), "{diagnosis:?}");
    assert!(service("no suitable node (insufficient resources)").findings[0].what.contains("no node"));
    assert!(service("x").findings.iter().any(|finding| finding.code == Code::ReplicasMissing));
}

#[test]
fn what_could_not_be_had_is_told_and_nothing_fails() {
    let (code, diagnosis) = first(&[("/logs", json!({"error": "http 501"}))]);
    assert_eq!((code, diagnosis.findings[0].code), (None, Code::EvidenceMissing));
    for evidence in
        [Value::Null, json!({}), json!([]), json!({"container": {"error": "late"}}), json!({"error": "late"})]
    {
        assert_eq!(diagnose(&evidence).first(), None, "{evidence}");
    }
}

#[test]
fn evidence_always_gives_the_diagnosis_that_stands_in_it() {
    for changes in [vec![], ended(137), failing(7, ""), [ended(1), vec![logged("connection refused")]].concat()] {
        let recorded = with_diagnosis(seen(&changes));
        assert_eq!(Diagnosis::in_evidence(&recorded), diagnose(&recorded));
        assert_eq!(with_diagnosis(recorded.clone()), recorded);
        assert!(recorded["diagnosis"].to_string().len() < 12 * 1024);
    }
}
