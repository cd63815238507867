//! A daemon that runs and cannot do its work: it says why, refuses what it cannot take, and does not end.

use crate::real_daemon::{Answer, Daemon, Home, alert, complaints, get, notification, post, until};
use crate::start::{as_nobody, mode};
use serde_json::Value;
use std::fs;
use std::os::unix::net::UnixListener;

/// Waits until `/-/ready` gives all of these words as its reasons.
fn not_ready(daemon: &Daemon, words: &[&str]) -> Answer {
    let ready = || get(daemon.address, "/-/ready").unwrap();
    until(&format!("/-/ready says {words:?}"), || words.iter().all(|word| ready().body.contains(word)));
    let answer = ready();
    assert_eq!(answer.status, 503, "{answer:?}");
    answer
}

/// An alert that a playbook takes is recorded, and refused because Docker is away.
fn refused_for_docker(daemon: &Daemon, home: &Home, reason: &str, words: &[&str]) {
    let answer = post(daemon.address, &notification(&[alert("Down", "web", "1")])).unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    let decision = || {
        let text = fs::read_to_string(home.segment()).unwrap();
        let mut records = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        records.find(|record| record["kind"] == "decision")
    };
    until("the decision is recorded", || decision().is_some());
    let decision = decision().unwrap().to_string();
    assert!(decision.contains(reason), "{decision}");
    for word in words {
        assert!(decision.contains(word), "{word:?} is missing in {decision}");
    }
}

#[test]
fn without_a_docker_socket_it_runs_is_not_ready_and_refuses_each_alert() {
    let home = Home::new();
    let mut command = home.command();
    command.env("DOCKER_HOST", format!("unix://{}/docker.sock", home.dir.path().display()));
    let daemon = Daemon::start(command);
    let words = ["no docker socket at unix:///", "start docker, mount the socket here"];
    not_ready(&daemon, &words);
    refused_for_docker(&daemon, &home, "docker_unavailable", &words);
    let ended = daemon.stop();
    assert!(ended.status.success(), "{ended:?}");
    // The probe tells it once, however often it asks.
    let told = complaints(&ended.said);
    assert_eq!(told.iter().filter(|line| line.contains("Docker does not answer")).count(), 1, "{told:#?}");
}

#[test]
fn a_docker_socket_it_may_not_open_names_the_group() {
    let home = Home::new();
    let socket = home.dir.path().join("docker.sock");
    let _listener = UnixListener::bind(&socket).unwrap();
    mode(&socket, 0o600);
    fs::create_dir(home.data()).unwrap();
    mode(&home.data(), 0o777);
    if !rustix::process::geteuid().is_root() {
        mode(&socket, 0o000);
    }
    let mut command = as_nobody(&home);
    command.env("DOCKER_HOST", format!("unix://{}", socket.display()));
    let daemon = Daemon::start(command);
    let words = ["permission denied on the docker socket", "SupplementaryGroups=docker", "group_add"];
    not_ready(&daemon, &words);
    until("the log is there", || home.segment().exists());
    assert!(daemon.stop().status.success());
}

#[test]
fn a_damaged_log_means_safe_mode_until_it_is_stopped() {
    let home = Home::new();
    let daemon = Daemon::start(home.command());
    for number in 0..3 {
        let body = notification(&[alert("Noise", "none", &number.to_string())]);
        assert_eq!(post(daemon.address, &body).unwrap().status, 200);
    }
    assert!(daemon.stop().status.success());
    let good = fs::read_to_string(home.segment()).unwrap();
    let bad = good.replace("\"serial\":\"1\"", "\"serial\":\"7\"");
    assert_ne!(good, bad);
    fs::write(home.segment(), &bad).unwrap();
    let record = format!("record {}", good.lines().position(|line| line.contains("\"serial\":\"1\"")).unwrap());

    let daemon = Daemon::start(home.command());
    not_ready(&daemon, &["the incident log cannot be written", &record, "sickbay log verify", "move the whole"]);
    let refused = post(daemon.address, &notification(&[alert("Noise", "none", "9")])).unwrap();
    assert!(refused.status == 503 && refused.body.contains("incident log"), "{refused:?}");
    for page in ["/", "/-/healthy", "/metrics", "/api/v1/status"] {
        assert_eq!(get(daemon.address, page).unwrap().status, 200, "{page}");
    }
    let ended = daemon.stop();
    assert_eq!(ended.status.code(), Some(65), "{ended:?}");
    let reasons = ended.said.lines().filter(|line| line.contains("sickbay does not act on a log it cannot trust"));
    assert_eq!(reasons.count(), 1, "{}", ended.said);
    assert_eq!(fs::read_to_string(home.segment()).unwrap(), bad, "evidence is left alone");

    // The way back that the message names.
    fs::rename(home.data().join("incident_log"), home.data().join("incident_log.damaged")).unwrap();
    let daemon = Daemon::start(home.command());
    assert_eq!(post(daemon.address, &notification(&[alert("Noise", "none", "9")])).unwrap().status, 200);
    assert!(daemon.stop().status.success());
}
