//! What `sickbay permissions` prints, against a real engine: every call of a run is on its list, every action works through
//! a socket proxy that is configured by it, and what is not on it is denied and told as that.

use crate::alerts::{firing, notification};
use crate::real_docker::{OBEDIENT, TestContainer};
use crate::sickbay_process::Sickbay;
use crate::socket_proxy::{HaProxy, Seen, SocketProxy};
use crate::support::{OPTED_IN, WIDE_LIMITS, WIDE_SETTINGS, treatment};
use regex::Regex;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

/// All that is ever asked about one container, and all that is ever done to it: for each alert its steps.
const EVERYTHING: [(&str, &str); 3] = [
    (
        "restart",
        "- capture: {logs: 10, inspect: true, stats: true, top: true, changes: true, events: true}
      - restart: {start_if_stopped: true, stop_timeout: 1s}",
    ),
    ("stop-start", "- stop: {stop_timeout: 1s}\n      - start: {}"),
    ("limits", "- update_limits: {memory: {factor: 1.5, max: 96MiB}}"),
];

/// What proxies that go by groups of calls can allow without being wide open.
const GROUPED: &[(&str, &str)] = &[EVERYTHING[0], EVERYTHING[1]];

fn rules(playbooks: &[(&str, &str)]) -> String {
    let playbook =
        |(alertname, steps): &(&str, &str)| treatment(alertname, "{container: '{{ labels.container }}'}", steps);
    format!("version: 1\nplaybooks:\n{}", playbooks.iter().map(playbook).collect::<String>())
}

fn victim(purpose: &str) -> TestContainer {
    TestContainer::run(purpose, &[&OPTED_IN[..], &["-m", "48m"]].concat(), &OBEDIENT)
}

/// What is printed for the playbooks of a daemon that does not run yet.
fn printed(sickbay: &Sickbay) -> Value {
    let output = sickbay.run(&["permissions", "--config.file=sickbay.yml", "-o", "json"]);
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn arguments(printed: &Value) -> Vec<String> {
    let arguments = printed["allow_lists"]["wollomatic"]["instances"][0]["command"].as_array().unwrap();
    arguments.iter().map(|argument| argument.as_str().unwrap().to_owned()).collect()
}

/// Starts it with this way to Docker.
fn start(sickbay: &mut Sickbay, (rules, urls): (&str, &str)) {
    let docker = format!("docker: {{hands_off: 0s, hosts: [{{name: local, {urls}}}]}}\n");
    sickbay.write(rules, &format!("{docker}{WIDE_SETTINGS}"));
    sickbay.start(&[]);
}

/// Sends an alert and waits for its end; `before` were closed already.
fn treat(sickbay: &Sickbay, (alertname, container): (&str, &TestContainer), before: usize) -> String {
    let alert = firing(&json!({"alertname": alertname, "container": container.name}));
    assert_eq!(sickbay.post(&notification(&[alert])).status, 200);
    sickbay.verdict_of(before + 1)
}

fn assert_on_the_list(printed: &Value, seen: &[Seen], sickbay: &Sickbay) {
    let calls: Vec<(&str, Regex)> = printed["calls"]
        .as_array()
        .unwrap()
        .iter()
        .map(|call| {
            let pattern = format!(r"^(/v1\.[0-9]{{2}})?{}$", call["pattern"].as_str().unwrap());
            (call["method"].as_str().unwrap(), Regex::new(&pattern).unwrap())
        })
        .collect();
    let is_listed = |one: &Seen| calls.iter().any(|(method, path)| *method == one.method && path.is_match(&one.path));
    let beyond: Vec<&Seen> = seen.iter().filter(|one| !is_listed(one)).collect();
    assert!(beyond.is_empty(), "not printed: {beyond:#?}\n{}", sickbay.story());
}

/// The printed calls that change something and were not made, by their operation.
fn not_made(printed: &Value, seen: &[Seen]) -> Vec<String> {
    let writes = printed["calls"].as_array().unwrap().iter().filter(|call| call["power"] != "look");
    let made = |call: &Value| {
        let pattern = Regex::new(&format!(r"^(/v1\.[0-9]{{2}})?{}$", call["pattern"].as_str().unwrap())).unwrap();
        seen.iter().any(|one| call["method"] == *one.method && pattern.is_match(&one.path))
    };
    writes.filter(|call| !made(call)).map(|call| call["operation"].as_str().unwrap().to_owned()).collect()
}

/// What the proxy at this socket answers to a request that nobody needs.
fn status_of(socket: &Path, method: &str, path: &str) -> u16 {
    let mut stream = UnixStream::connect(socket).unwrap();
    let request = format!("{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).unwrap();
    String::from_utf8_lossy(&answer).rsplit(' ').next().unwrap().parse().unwrap()
}

/// What no playbook ever needs. The container does not exist, so that nothing comes of it where it gets through.
fn assert_denied(socket: &Path, besides: &[(&str, &str)]) {
    let id = "ab".repeat(32);
    let never = [
        ("POST", format!("/v1.41/containers/{id}/exec")),
        ("POST", format!("/v1.41/containers/{id}/attach")),
        ("PUT", format!("/v1.41/containers/{id}/archive?path=/")),
        ("POST", "/v1.41/images/create?fromImage=x".to_owned()),
        ("POST", "/v1.41/build".to_owned()),
        ("GET", "/v1.41/secrets".to_owned()),
        ("POST", "/v1.41/volumes/prune".to_owned()),
        ("POST", "/v1.41/swarm/leave".to_owned()),
    ];
    let besides = besides.iter().map(|(method, path)| (*method, (*path).to_owned()));
    for (method, path) in never.into_iter().chain(besides) {
        let status = status_of(socket, method, &path);
        assert!([403, 405].contains(&status), "{method} {path}: {status}");
    }
}

fn socket(proxy: &SocketProxy) -> std::path::PathBuf {
    proxy.url().strip_prefix("unix://").unwrap().into()
}

#[test]
fn every_call_of_a_run_is_printed_and_every_action_works_through_a_proxy_that_lets_nothing_else_pass() {
    let rules = rules(&EVERYTHING);
    let mut sickbay = Sickbay::new(&rules, WIDE_SETTINGS);
    let printed = printed(&sickbay);
    let mut ended = 0;
    for (kind, proxy) in
        [("recording", SocketProxy::recording()), ("wollomatic", SocketProxy::wollomatic(&arguments(&printed)))]
    {
        let container = victim(&format!("permits-{kind}"));
        start(&mut sickbay, (&rules, &format!("url: '{}'", proxy.url())));
        for (alertname, _) in EVERYTHING {
            let verdict = treat(&sickbay, (alertname, &container), ended);
            ended += 1;
            assert_eq!(verdict, "recovered", "{kind}, {alertname}: {}", sickbay.story());
        }
        let seen = proxy.seen();
        assert_on_the_list(&printed, &seen, &sickbay);
        assert_eq!(not_made(&printed, &seen), Vec::<String>::new(), "{kind}: what is printed is needed");
        assert!(seen.iter().all(|one| one.refused == 0), "{seen:#?}");
        sickbay.stop();
        if kind == "wollomatic" {
            // Those that go by groups of calls let what only begins like one of them go on to the engine.
            let upwards = ("GET", "/v1.41/containers/x/../../secrets");
            let besides = [("POST", "/v1.41/containers/create"), ("DELETE", "/v1.41/containers/x"), upwards];
            assert_denied(&socket(&proxy), &besides);
        }
    }
}

#[test]
fn what_the_proxy_denies_is_told_at_the_start_and_recorded_as_a_denial() {
    let stopping = rules(&[("down", "- stop: {stop_timeout: 1s}")]);
    let mut sickbay = Sickbay::new(&rules(&[("down", "- restart: {}")]), WIDE_SETTINGS);
    let proxy = SocketProxy::wollomatic(&arguments(&printed(&sickbay)));
    let container = victim("permits-denied");
    start(&mut sickbay, (&stopping, &format!("url: '{}'", proxy.url())));
    sickbay.until("the start tells what is denied", || {
        sickbay.story().contains("a proxy denies POST /containers/{container}/stop, which `down` needs").then_some(())
    });
    assert_eq!(treat(&sickbay, ("down", &container), 0), "failed", "{}", sickbay.story());
    let outcome = sickbay.records_of("action.outcome").remove(0);
    let want = format!("POST /containers/{}/stop was denied by the socket proxy", container.id);
    assert!(outcome["error"].as_str().unwrap().contains(&want), "{outcome}");
    let check = sickbay.run(&["check", "--online", "--config.file=sickbay.yml"]);
    let said = String::from_utf8_lossy(&check.stdout);
    assert!(check.status.code() == Some(1) && said.contains("online.denied"), "{said}");
}

#[test]
fn proxies_that_go_by_groups_of_calls_let_through_what_is_printed_for_them() {
    let rules = rules(GROUPED);
    let mut sickbay = Sickbay::new(&rules, WIDE_SETTINGS);
    let printed = printed(&sickbay);
    let mut ended = 0;
    for kind in ["linuxserver", "tecnativa"] {
        let instances = printed["allow_lists"][kind]["instances"].as_array().unwrap();
        let proxies: Vec<HaProxy> =
            instances.iter().map(|instance| HaProxy::start(kind, &instance["environment"])).collect();
        let urls: Vec<String> = ["url", "write_url"]
            .iter()
            .zip(&proxies)
            .map(|(key, proxy)| format!("{key}: 'unix://{}'", proxy.socket().display()))
            .collect();
        assert_eq!(urls.len(), if kind == "tecnativa" { 2 } else { 1 });
        let container = victim(&format!("permits-{kind}"));
        start(&mut sickbay, (&rules, &urls.join(", ")));
        for (alertname, _) in GROUPED {
            let verdict = treat(&sickbay, (alertname, &container), ended);
            ended += 1;
            assert_eq!(verdict, "recovered", "{kind}, {alertname}: {}", sickbay.story());
        }
        assert!(!sickbay.story().contains("denied by"), "{kind}: {}", sickbay.story());
        sickbay.stop();
        for proxy in &proxies {
            assert_denied(&proxy.socket(), &[("POST", "/v1.41/containers/create"), ("DELETE", "/v1.41/containers/x")]);
        }
    }
}

#[test]
fn a_page_of_haproxy_is_told_as_a_denial_in_plain_words() {
    let rules = rules(&[("down", "- restart: {stop_timeout: 1s}")]);
    let mut sickbay = Sickbay::new(&rules, WIDE_SETTINGS);
    let mut environment = printed(&sickbay)["allow_lists"]["linuxserver"]["instances"][0]["environment"].clone();
    environment["ALLOW_RESTARTS"] = json!(0);
    let proxy = HaProxy::start("linuxserver", &environment);
    let container = victim("permits-page");
    start(&mut sickbay, (&rules, &format!("url: 'unix://{}'", proxy.socket().display())));
    assert_eq!(treat(&sickbay, ("down", &container), 0), "failed", "{}", sickbay.story());
    let outcome = sickbay.records_of("action.outcome").remove(0);
    let error = outcome["error"].as_str().unwrap();
    assert!(error.contains("was denied by the socket proxy") && !error.contains('<'), "{error}");
}

mod compose {
    use super::*;
    use crate::compose_back::{BAD, GOOD, Images, PLAIN, alarm, once, rules, up};
    use crate::real_docker::unique;
    use crate::support::{Generation, Project};

    const FILE: &str = r#"
version: "2.4"
services:
  web:
    image: IMAGE
    command: [sh, -c, "trap 'exit 0' TERM; while true; do sleep 1000 & wait $$!; done"]
    labels: {sickbay.enable: "true", sickbay.scale.enable: "true"}
    stop_grace_period: 1s
    networks: [front, back]
networks: {front: {}, back: {}}
"#;

    #[test]
    fn a_compose_service_is_scaled_both_ways_through_a_proxy_that_lets_nothing_else_pass() {
        let project = Project::of(Generation::Two, "permits", FILE).unwrap();
        project.compose(&["up", "-d"]);
        let playbook = |name: &str, to: u32| {
            let target = format!("{{compose: {{project: {}, service: web}}}}", project.name);
            format!(
                "  - name: {name}\n    matchers: ['alertname = \"{name}\"']\n    target: {target}\n    limits: \
                 {WIDE_LIMITS}\n    steps:\n      - scale: {{to: {to}, max: 4}}\n      - verify: {{replicas_running: all, \
                 within: 60s, every: 1s, stable_for: 1s}}\n    on_failure:\n      - notify: {{to: [log], message: no}}\n"
            )
        };
        let rules = format!("version: 1\nplaybooks:\n{}{}", playbook("out", 2), playbook("in", 1));
        let mut sickbay = Sickbay::new(&rules, WIDE_SETTINGS);
        let printed = printed(&sickbay);
        let proxy = SocketProxy::wollomatic(&arguments(&printed));
        start(&mut sickbay, (&rules, &format!("url: '{}'", proxy.url())));
        for (runs, alertname) in [(1, "out"), (2, "in")] {
            assert_eq!(sickbay.post(&notification(&[firing(&json!({"alertname": alertname}))])).status, 200);
            assert_eq!(sickbay.verdict_of(runs), "recovered", "{alertname}: {}", sickbay.story());
        }
        let seen = proxy.seen();
        assert_on_the_list(&printed, &seen, &sickbay);
        assert!(seen.iter().all(|one| one.refused == 0), "{seen:#?}");
        assert_eq!(not_made(&printed, &seen), Vec::<String>::new());
        assert_denied(&socket(&proxy), &[("POST", "/v1.41/networks/create"), ("DELETE", "/v1.41/networks/x")]);
        drop(project);
    }

    #[test]
    fn a_compose_service_is_taken_back_and_put_back_through_a_proxy_that_lets_nothing_else_pass() {
        for (purpose, before, verdict) in [("permits-back", GOOD, "recovered"), ("permits-undone", BAD, "failed")] {
            let (mut images, tag) = (Images::none(), unique(purpose));
            let (first, second) = (format!("{tag}:1"), format!("{tag}:2"));
            images.make(&first, before, "1");
            images.make(&second, BAD, "2");
            let networks = "    networks: [front, back]\nnetworks: {front: {}, back: {}}\n";
            let file = |image: &str| format!("{}{networks}", PLAIN.replace("APP", image));
            let project = Project::of(Generation::Two, purpose, &file(&first)).unwrap();
            let rules = rules(&project, "");
            let mut sickbay = Sickbay::new(&rules, WIDE_SETTINGS);
            let printed = printed(&sickbay);
            let proxy = SocketProxy::wollomatic(&arguments(&printed));
            let docker = format!("docker: {{hands_off: 0s, hosts: [{{name: local, url: '{}'}}]}}\n", proxy.url());
            sickbay.write(&rules, &format!("{docker}{WIDE_SETTINGS}"));
            // It is to tell what it looks at.
            sickbay.start(&["--log.level=debug"]);
            up(&project, &file(&first), &[]);
            once((&sickbay, &project), |all| all[0]["State"]["Running"] == true);
            up(&project, &file(&second), &[]);
            let bad = once((&sickbay, &project), |all| all[0]["State"]["Health"]["Status"] == "unhealthy");
            alarm(&sickbay, "web", "first");
            assert_eq!(sickbay.verdict_of(1), verdict, "{purpose}: {}", sickbay.story());
            let now = project.replicas("web");
            let is_put_back = now.len() == 1 && now[0]["Id"] == bad[0]["Id"];
            assert_eq!(is_put_back, verdict == "failed", "{purpose}: {now:#?}\n{}", sickbay.story());
            let seen = proxy.seen();
            assert_on_the_list(&printed, &seen, &sickbay);
            assert!(seen.iter().all(|one| one.refused == 0), "{purpose}: {seen:#?}");
            assert_eq!(not_made(&printed, &seen), Vec::<String>::new(), "{purpose}: what is printed is needed");
            let besides =
                [("POST", "/v1.41/networks/create"), ("DELETE", "/v1.41/images/x"), ("POST", "/v1.41/commit")];
            assert_denied(&socket(&proxy), &besides);
        }
    }
}

mod swarm {
    use super::*;
    use crate::real_swarm::{Swarm, TestService};
    use crate::swarm::{busy, treating};

    #[test]
    fn a_swarm_service_is_scaled_and_restarted_through_a_proxy_that_lets_nothing_else_pass() {
        let _swarm = Swarm::borrow();
        let service = TestService::create("permits", &["--label", "sickbay.enable=true"], &OBEDIENT);
        let rules = treating("- capture: {}\n      - scale: {by: 1, max: 3}\n      - restart: {}");
        let mut sickbay = Sickbay::new(&rules, WIDE_SETTINGS);
        let printed = printed(&sickbay);
        let proxy = SocketProxy::wollomatic(&arguments(&printed));
        start(&mut sickbay, (&rules, &format!("url: '{}'", proxy.url())));
        assert_eq!(sickbay.post(&notification(&[busy(&service)])).status, 200);
        assert_eq!(sickbay.verdict_of(1), "recovered", "{}", sickbay.story());
        let seen = proxy.seen();
        assert_on_the_list(&printed, &seen, &sickbay);
        assert!(seen.iter().all(|one| one.refused == 0), "{seen:#?}");
        assert_eq!(not_made(&printed, &seen), Vec::<String>::new());
        assert_denied(&socket(&proxy), &[("POST", "/v1.41/services/create"), ("DELETE", "/v1.41/services/x")]);
    }
}
