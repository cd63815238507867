//! The real daemon with several Docker hosts, of which one hangs and one is not there: neither delays anybody, and each is
//! seen, paused and reset by its name.

use crate::alerts::{firing, notification};
use crate::fake_docker::{FakeDocker, Reply};
use crate::http::request;
use crate::rules::{DOWN, engine};
use crate::sickbay_process::Sickbay;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// On the host that the alert names.
fn rules() -> String {
    DOWN.replace("target: {", "target: {host: '{{ labels.node }}', ")
}

/// The first host, one that hangs, one that is not there, and another good one.
fn settings(good: &FakeDocker, hung: &FakeDocker, other: &FakeDocker) -> String {
    format!(
        "docker:\n  hands_off: 0s\n  hosts:\n    - {{name: local, url: '{}'}}\n    - {{name: hung, url: '{}'}}\n    \
         - {{name: gone, url: 'unix:///nonexistent/docker.sock'}}\n    - {{name: other, url: '{}'}}\n\
         limits: {{global: [{{runs: 1000, per: 1h}}], max_parallel: 1, breaker: {{failures: 2, per: 1d, open_for: 1h}}}}\n",
        good.url(),
        hung.url(),
        other.url()
    )
}

/// An engine that answers nothing, as one does whose containerd is stuck.
fn hung() -> FakeDocker {
    let docker = engine();
    docker.always("GET", "", Reply::Silence);
    docker.always("POST", "", Reply::Silence);
    docker
}

fn alert(node: &str, serial: usize) -> Value {
    firing(&json!({"alertname": "Down", "container": "web", "node": node, "serial": serial.to_string()}))
}

fn status(sickbay: &Sickbay) -> Value {
    request(sickbay.port, "GET /api/v1/status", &[], "").unwrap().json()
}

/// The verdict of the incident about a host, by the log; the reason of its refusal if it has none.
fn end_on(sickbay: &Sickbay, node: &str) -> Option<String> {
    let opened = sickbay.records_of("alert.received").into_iter().find(|record| record["labels"]["node"] == *node)?;
    let of_it = |record: &&Value| record["inc"] == opened["inc"];
    let closed = sickbay.records_of("incident.closed");
    let refused = sickbay.records_of("decision");
    let word = |record: Option<&Value>, key: &str| record.and_then(|record| record[key].as_str().map(str::to_owned));
    word(closed.iter().find(of_it), "verdict").or_else(|| word(refused.iter().find(of_it), "reason"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_hangs_and_one_that_is_gone_delay_no_other() {
    let (good, hung, other) = (engine(), hung(), engine());
    let sickbay = Sickbay::running(&rules(), &settings(&good, &hung, &other));
    // Far more than would be looked for at a time, all of them for the host that hangs.
    let flood: Vec<Value> = (0..40).map(|serial| alert("hung", serial)).collect();
    assert_eq!(sickbay.post(&notification(&flood)).status, 200);
    let began = Instant::now();
    let alerts = ["gone", "local", "other", "nowhere"].map(|node| alert(node, 0));
    assert_eq!(sickbay.post(&notification(&alerts)).status, 200);
    for (node, want) in
        [("local", "recovered"), ("other", "recovered"), ("gone", "docker_unavailable"), ("nowhere", "unknown_host")]
    {
        let end = sickbay.until(&format!("the end on {node}"), || {
            end_on(&sickbay, node).filter(|end| end == want || end != "docker_unavailable")
        });
        assert_eq!(end, want, "{node}\n{}", sickbay.story());
    }
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}\n{}", began.elapsed(), sickbay.story());
    assert_eq!((good.count("POST", "/restart"), other.count("POST", "/restart")), (1, 1));
    assert_eq!(sickbay.until("the end on hung", || end_on(&sickbay, "hung")), "docker_unavailable");
    // On the records: the first host has no name, the other has.
    let names: Vec<Value> =
        sickbay.records_of("action.intent").into_iter().map(|intent| intent["target"]["name"].clone()).collect();
    assert!(names.contains(&"web".into()) && names.contains(&"other:web".into()), "{names:?}");
    let told = sickbay.until("every host was asked", || {
        let told = status(&sickbay)["docker"]["hosts"].clone();
        let unasked = told.as_array().unwrap().iter().any(|host| host["state"] == "unasked");
        (!unasked).then_some(told)
    });
    let states: Vec<(&str, &str)> = told
        .as_array()
        .unwrap()
        .iter()
        .map(|host| (host["name"].as_str().unwrap(), host["state"].as_str().unwrap()))
        .collect();
    let want = [("local", "answering"), ("hung", "silent"), ("gone", "silent"), ("other", "answering")];
    assert_eq!(states, want, "in the order of the settings");
    for (host, up) in [("local", 1.0), ("hung", 0.0), ("gone", 0.0), ("other", 1.0)] {
        let value = sickbay.metric(&format!("sickbay_docker_up{{host=\"{host}\"}}"));
        assert!((value - up).abs() < 0.1, "{host}: {value}");
    }
    assert_eq!(request(sickbay.port, "GET /-/ready", &[], "").unwrap().status, 200, "others are there");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_unready_only_once_no_docker_answers() {
    let (good, hung, other) = (engine(), hung(), engine());
    let sickbay = Sickbay::running(&rules(), &settings(&good, &hung, &other));
    let ready = || request(sickbay.port, "GET /-/ready", &[], "").unwrap();
    good.always("GET", "/version", Reply::Cut);
    sickbay
        .until("the first is silent", || (status(&sickbay)["docker"]["hosts"][0]["state"] == "silent").then_some(()));
    assert_eq!(ready().status, 200);
    other.always("GET", "/version", Reply::Cut);
    let unready = sickbay.until("it is not ready", || Some(ready()).filter(|answer| answer.status == 503));
    for host in ["Docker does not answer: local: ", "hung: ", "gone: ", "other: "] {
        assert!(unready.body.contains(host), "{}", unready.body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn people_pause_a_host_and_reset_a_target_there() {
    let (good, hung, other) = (engine(), hung(), engine());
    other.always("POST", "/restart", Reply::Json(500, json!({"message": "no such luck"})));
    let sickbay = Sickbay::running(&rules(), &settings(&good, &hung, &other));
    let url = format!("http://127.0.0.1:{}", sickbay.port);
    let cli = |args: &[&str]| {
        let output = sickbay.run(&[args, &["--reason", "looking", "--url", &url]].concat());
        let [out, err] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
        (output.status.code(), out, err)
    };
    let (code, _, err) = cli(&["pause", "host:other"]);
    assert_eq!(code, Some(0), "{err}");
    let alerts = ["other", "local"].map(|node| alert(node, 0));
    assert_eq!(sickbay.post(&notification(&alerts)).status, 200);
    sickbay.until("it recovers", || end_on(&sickbay, "local").filter(|end| end == "recovered"));
    assert_eq!(end_on(&sickbay, "other").as_deref(), Some("paused"));
    assert_eq!(cli(&["resume", "host:other"]).0, Some(0));
    sickbay.until("it goes on", || end_on(&sickbay, "other").filter(|end| end == "failed"));
    assert_eq!(sickbay.post(&notification(&[alert("other", 1)])).status, 200);
    sickbay.wait_for("breaker.opened", 1);
    sickbay.until("its breaker shows", || {
        let breakers = status(&sickbay)["breakers"].clone();
        (breakers[0]["target"] == "other:web").then_some(())
    });
    let (code, _, err) = cli(&["reset", "web"]);
    assert!(code != Some(0) && err.contains("not open"), "{err}");
    let (code, out, err) = cli(&["reset", "other:web"]);
    assert!(code == Some(0) && out.contains("reset other:web"), "{out}{err}");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_does_not_start_with_another_first_host_than_its_log_was_written_with() {
    let (first, second) = (engine(), engine());
    let hosts = |names: [(&str, &FakeDocker); 2], more: &str| {
        let [(one, docker), (other, behind)] = names;
        let (url, behind) = (docker.url(), behind.url());
        format!(
            "docker: {{hands_off: 0s, hosts: [{{name: {one}, url: '{url}'{more}}}, {{name: {other}, url: '{behind}'}}]}}\n"
        )
    };
    let mut sickbay = Sickbay::running(&rules(), &hosts([("one", &first), ("two", &second)], ""));
    assert_eq!(sickbay.wait_for("log.open", 1)[0]["first_host"], "one");
    assert_eq!(sickbay.post(&notification(&[alert("one", 0)])).status, 200);
    sickbay.until("the end", || end_on(&sickbay, "one").filter(|end| end == "recovered"));
    sickbay.stop();
    sickbay.write(&rules(), &hosts([("two", &second), ("one", &first)], ""));
    let ended = sickbay.run(&["--config.file=sickbay.yml", "--web.listen-address=127.0.0.1:0"]);
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(78), "{said}");
    for words in ["\"two\"", "\"one\" as the first", "runs that count against limits", "renamed_from: one"] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert_eq!(sickbay.records_of("log.open").len(), 1, "nothing was written");
    sickbay.write(&rules(), &hosts([("main", &first), ("two", &second)], ", renamed_from: one"));
    sickbay.start(&[]);
    assert_eq!(sickbay.wait_for("log.open", 2)[1]["first_host"], "main");
    sickbay.stop();
    sickbay.write(&rules(), &hosts([("main", &first), ("two", &second)], ""));
    sickbay.start(&[]);
}
