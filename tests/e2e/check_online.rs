//! `check --online`: what is named and is not there is told at its place, and nothing is sent or changed.

use crate::fake_docker::{FakeDocker, Reply, running};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;

const RULES: &str = "version: 1
playbooks:
  - name: web
    matchers:
      - alertname = \"Down\"
    target: {container: web-1}
    steps:
      - restart: {}
      - verify: {health: healthy, within: 1m}
    on_failure:
      - notify: {to: [log], message: it did not recover}
  - name: shop
    matchers:
      - alertname = \"Slow\"
    target:
      compose: {project: shop, service: web}
    steps:
      - restart: {}
    on_failure:
      - notify: {to: [log], message: it did not recover}
  - name: whichever
    matchers:
      - alertname = \"Any\"
    target: {container: \"{{ labels.container }}\"}
    steps:
      - restart: {}
    on_failure:
      - notify: {to: [log], message: it did not recover}
";

fn write(folder: &Path, settings: &str) {
    std::fs::write(folder.join("rules.yaml"), RULES).unwrap();
    std::fs::write(folder.join("sickbay.yml"), format!("rules: {{paths: [rules.yaml]}}\n{settings}")).unwrap();
}

/// The exit code, and the report as JSON.
async fn check(folder: &Path) -> (i32, Value) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sickbay"));
    command.args(["check", "--online", "-o", "json", "--config.file=sickbay.yml"]);
    command.current_dir(folder).env_remove("DOCKER_HOST");
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.code().unwrap(), serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}")))
}

/// Code, line and message of each.
fn problems(report: &Value) -> Vec<(String, u64, String)> {
    let files = report["files"].as_array().unwrap();
    let all = files.iter().flat_map(|file| file["problems"].as_array().unwrap());
    let text = |problem: &Value, key: &str| problem[key].as_str().unwrap().to_owned();
    all.map(|problem| (text(problem, "code"), problem["line"].as_u64().unwrap(), text(problem, "message"))).collect()
}

fn places(found: &[(String, u64, String)]) -> Vec<(&str, u64)> {
    found.iter().map(|(code, line, _)| (code.as_str(), *line)).collect()
}

fn with_labels(id_pair: &str, name: &str, labels: Value) -> Value {
    let mut container = running(id_pair, name);
    container["Config"]["Labels"] = labels;
    container
}

fn opted_in() -> Value {
    json!({"sickbay.enable": "true"})
}

fn replica() -> Value {
    json!({"com.docker.compose.project": "shop", "com.docker.compose.service": "web", "sickbay.enable": "true"})
}

/// An engine, and a directory whose settings name it.
fn engine() -> (FakeDocker, tempfile::TempDir) {
    let (docker, folder) = (FakeDocker::start(), tempfile::tempdir().unwrap());
    write(folder.path(), &format!("docker: {{hosts: [{{name: local, url: \"{}\"}}]}}\n", docker.url()));
    (docker, folder)
}

/// `web-1` with a health check, opted in.
fn healthy() -> Value {
    let mut healthy = with_labels("aa", "web-1", opted_in());
    healthy["State"]["Health"] = json!({"Status": "healthy"});
    healthy["Config"]["Healthcheck"] = json!({"Test": ["CMD", "true"]});
    healthy
}

#[tokio::test(flavor = "multi_thread")]
async fn what_docker_knows_is_told_where_the_playbook_names_it() {
    let (docker, folder) = engine();
    let (code, report) = check(folder.path()).await;
    let found = problems(&report);
    assert_eq!((code, places(&found)), (1, vec![("online.missing", 6), ("online.missing", 15)]), "{found:?}");
    assert!(found[0].2.contains("web-1"), "{found:?}");

    docker.put(running("aa", "web-1"));
    docker.put(with_labels("bb", "shop-web-1", replica()));
    // This engine does not filter by itself.
    let listed = json!([{"Id": "bb".repeat(32), "Names": ["/shop-web-1"], "HostConfig": {"NetworkMode": "bridge"}}]);
    docker.always("GET", "com.docker.compose", Reply::Json(200, listed));
    let (code, report) = check(folder.path()).await;
    let found = problems(&report);
    let expected = vec![("online.not-treatable", 6), ("online.no-health-check", 9)];
    assert_eq!((code, places(&found)), (1, expected), "{found:?}");
    assert!(found[0].2.contains("lacks the label sickbay.enable=true"), "{found:?}");

    docker.put(healthy());
    let (code, report) = check(folder.path()).await;
    assert_eq!((code, problems(&report)), (0, vec![]), "{report}");
    // It looks, and never touches.
    assert!(docker.requests().iter().all(|line| line.starts_with("GET ")), "{:?}", docker.requests());
    let knows = |line: &String| ["aa", "bb"].iter().any(|pair| line.contains(&pair.repeat(32)));
    assert!(docker.probes().iter().any(|line| line.starts_with("POST ")), "{:?}", docker.probes());
    assert!(!docker.probes().iter().any(knows), "only what nobody has is named: {:?}", docker.probes());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_owners_say_under_the_prefix_of_the_settings_is_heard() {
    let (docker, folder) = engine();
    docker.put(with_labels("bb", "shop-web-1", replica()));
    // This engine does not filter by itself.
    let listed = json!([{"Id": "bb".repeat(32), "Names": ["/shop-web-1"], "HostConfig": {"NetworkMode": "bridge"}}]);
    docker.always("GET", "com.docker.compose", Reply::Json(200, listed));
    let labelled = |labels: Value| {
        let mut web = healthy();
        web["Config"]["Labels"] = labels;
        web
    };
    let prefixed =
        std::fs::read_to_string(folder.path().join("sickbay.yml")).unwrap() + "labels: {prefix: org.example}\n";
    docker.put(labelled(json!({"org.example.enable": "true"})));
    assert_eq!(places(&problems(&check(folder.path()).await.1)), [("online.not-treatable", 6)], "nobody reads it");
    std::fs::write(folder.path().join("sickbay.yml"), prefixed).unwrap();
    assert_eq!(problems(&check(folder.path()).await.1), vec![]);
    docker.put(labelled(json!({"sickbay.enable": "true", "org.example.protect": "true"})));
    let found = problems(&check(folder.path()).await.1);
    assert_eq!(places(&found), [("online.not-treatable", 6)], "{found:?}");
    assert!(found[0].2.contains("sickbay.protect"), "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn labels_that_say_nothing_to_sickbay_are_told_with_what_was_meant() {
    let (docker, folder) = engine();
    docker.put(with_labels("bb", "shop-web-1", replica()));
    // This engine does not filter by itself.
    let listed = json!([{"Id": "bb".repeat(32), "Names": ["/shop-web-1"], "HostConfig": {"NetworkMode": "bridge"}}]);
    docker.always("GET", "com.docker.compose", Reply::Json(200, listed));
    let labelled = |label: &str, value: &str| {
        let mut web = healthy();
        web["Config"]["Labels"][label] = json!(value);
        web
    };
    for (label, value, want, words) in [
        ("sickbay.protected", "true", &["online.label", "online.not-treatable"][..], "did you mean sickbay.protect?"),
        ("sickbay.action", "none", &["online.label", "online.not-treatable"], "did you mean sickbay.actions?"),
        ("sickbay.stop-timeout", "soon", &["online.label"], "sickbay.stop-timeout=soon cannot be read"),
        ("sickbay.stop-timeout", "30s", &[], ""),
    ] {
        docker.put(labelled(label, value));
        let (code, report) = check(folder.path()).await;
        let found = problems(&report);
        let codes: Vec<&str> = found.iter().map(|(code, ..)| code.as_str()).collect();
        assert_eq!((code, &*codes), (i32::from(!want.is_empty()), want), "{label}={value}: {found:?}");
        assert!(found.iter().all(|(_, line, told)| *line == 6 && told.contains(words)), "{label}={value}: {found:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn several_containers_and_a_proxy_that_says_no_are_told_apart() {
    let (docker, folder) = engine();
    docker.put(healthy());
    docker.put(with_labels("bb", "shop-web-1", replica()));
    docker.put(with_labels("cc", "shop-web-2", replica()));
    let found = problems(&check(folder.path()).await.1);
    assert_eq!(places(&found), [("online.ambiguous", 15)], "{found:?}");
    assert!(found[0].2.contains("shop-web-1, shop-web-2"), "{found:?}");
    docker.always("GET", "/containers/json", Reply::Text(403, "Forbidden", "no".to_owned()));
    let found = problems(&check(folder.path()).await.1);
    assert_eq!(places(&found), [("online.denied", 6), ("online.denied", 15), ("online.denied", 24)], "{found:?}");
    assert!(found[0].2.ends_with("denies what `target` needs: GET /containers/json"), "{found:?}");
    assert!(docker.requests().iter().all(|line| line.starts_with("GET ")), "{:?}", docker.requests());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_playbooks_need_and_a_proxy_denies_is_told_at_the_step_that_needs_it() {
    let (docker, folder) = engine();
    docker.put(healthy());
    let no = || Reply::Text(403, "text/html", "<html><h1>403 Forbidden</h1></html>".to_owned());
    docker.always("POST", "/restart", no());
    // Evidence is no condition, and nobody needs to create anything.
    docker.always("GET", "/logs", no());
    docker.always("POST", "/create", no());
    let (code, report) = check(folder.path()).await;
    let found = problems(&report);
    let expected = vec![("online.denied", 8), ("online.denied", 18), ("online.denied", 26), ("online.missing", 15)];
    assert_eq!((code, places(&found)), (1, expected), "{found:?}");
    assert!(found[0].2.ends_with("denies what `restart` needs: POST /containers/{container}/restart"), "{found:?}");
    // Whoever changes nothing needs nothing of that.
    let settings = std::fs::read_to_string(folder.path().join("sickbay.yml")).unwrap() + "dry_run: true\n";
    std::fs::write(folder.path().join("sickbay.yml"), settings).unwrap();
    let before = docker.probes().len();
    assert_eq!(places(&problems(&check(folder.path()).await.1)), [("online.missing", 15)]);
    assert!(docker.probes().iter().skip(before).all(|line| line.starts_with("GET ")), "{:?}", docker.probes());
}

/// What is wrong with the settings, each as `FILE:LINE:COLUMN: MESSAGE`.
fn told(report: &Value) -> Vec<String> {
    let problems = report["settings"]["problems"].as_array().unwrap().iter();
    let text = |problem: &Value, part: &str| problem[part].as_str().unwrap_or_default().to_owned();
    let told = |problem: &Value| {
        let (file, words) =
            (text(&report["settings"], "path"), text(problem, "message") + " " + &text(problem, "hint"));
        format!("{file}:{}:{}: {words}", problem["line"], problem["column"])
    };
    problems.map(told).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_docker_that_cannot_be_reached_is_told_in_clear_words() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "docker:\n  hosts:\n    - {name: local, url: \"unix:///nowhere/docker.sock\"}\n");
    let (code, report) = check(folder.path()).await;
    let said = told(&report).remove(0);
    assert_eq!((code, &report["settings"]["verdict"]), (1, &json!("failed")));
    assert!(said.starts_with("sickbay.yml:3:") && said.contains("no docker socket at unix:///nowhere"), "{said}");
    assert!(said.contains("no target was looked for"), "{said}");
    let mut command = Command::new(env!("CARGO_BIN_EXE_sickbay"));
    command
        .args(["check", "--online", "rules.yaml"])
        .current_dir(folder.path())
        .env("DOCKER_HOST", "tcp://127.0.0.1:1");
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("docker cannot be reached at tcp://127.0.0.1:1") && said.contains("DOCKER_HOST"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn notifiers_and_alertmanagers_are_asked_and_no_message_is_sent() {
    let (docker, folder) = (FakeDocker::start(), tempfile::tempdir().unwrap());
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let settings = format!(
        "docker: {{hosts: [{{name: local, url: \"{}\"}}]}}
notifiers:
  - {{name: there, http: {{url: \"http://{}/secret\"}}}}
  - {{name: gone, http: {{url: \"http://127.0.0.1:1/secret\"}}}}
alertmanagers:
  - {{url: \"http://127.0.0.1:1\"}}
",
        docker.url(),
        listener.local_addr().unwrap()
    );
    write(folder.path(), &settings);
    let knocked = tokio::task::spawn_blocking(move || {
        use std::io::Read;
        let (mut stream, _) = listener.accept().unwrap();
        let mut said = Vec::new();
        _ = stream.read_to_end(&mut said);
        said
    });
    let (code, report) = check(folder.path()).await;
    let said = told(&report);
    assert_eq!((code, said.len()), (1, 2), "{said:?}");
    assert!(said[0].starts_with("sickbay.yml:5:") && said[0].contains("`gone` cannot be told anything"), "{said:?}");
    assert!(said[1].starts_with("sickbay.yml:7:") && said[1].contains("127.0.0.1:1"), "{said:?}");
    assert!(said.iter().all(|said| !said.contains("secret")), "{said:?}");
    assert_eq!(knocked.await.unwrap(), b"", "nothing is said to whoever takes notices");
}

const SERVICES: &str = "version: 1
playbooks:
  - name: out
    matchers:
      - alertname = \"Busy\"
    target: {service: worker}
    steps:
      - scale: {by: 1, max: 4}
      - verify: {replicas_running: all, within: 1m}
    on_failure:
      - notify: {to: [log], message: it did not recover}
  - name: chosen
    matchers:
      - alertname = \"Down\"
    target:
      selector: {role: web}
    steps:
      - restart: {}
    on_failure:
      - notify: {to: [log], message: it did not recover}
";

#[tokio::test(flavor = "multi_thread")]
async fn services_and_selectors_are_asked_about_too() {
    let (docker, folder) = engine();
    std::fs::write(folder.path().join("rules.yaml"), SERVICES).unwrap();
    let words = "This node is not a swarm manager. Use \"docker swarm init\"";
    docker.once("GET", "/services", Reply::Json(503, json!({"message": words})));
    let found = problems(&check(folder.path()).await.1);
    assert_eq!(places(&found), [("online.no-swarm-manager", 6), ("online.missing", 15)], "{found:?}");
    assert!(found[0].2.contains("not a swarm manager"), "{found:?}");

    let service = |name: &str, labels: Value| {
        json!([{"ID": "a".repeat(25), "Version": {"Index": 1}, "Spec": {
            "Name": name, "Labels": labels, "TaskTemplate": {"ContainerSpec": {"Image": "w:1"}},
            "Mode": {"Replicated": {"Replicas": 1}}}}])
    };
    docker.always("GET", "/tasks", Reply::Json(200, json!([])));
    docker.always("GET", "/nodes", Reply::Json(200, json!([])));
    let mut web = with_labels("bb", "web-1", opted_in());
    web["Config"]["Labels"]["role"] = json!("web");
    docker.put(web);
    for (name, labels, want) in [
        ("worker2", opted_in(), vec![("online.missing", 6)]),
        ("worker", json!({}), vec![("online.not-treatable", 6)]),
        ("worker", opted_in(), vec![]),
    ] {
        docker.once("GET", "/services", Reply::Json(200, service(name, labels)));
        let found = problems(&check(folder.path()).await.1);
        assert_eq!(places(&found), want, "{found:?}");
    }
    assert!(docker.requests().iter().all(|line| line.starts_with("GET ")), "{:?}", docker.requests());
}
