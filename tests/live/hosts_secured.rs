//! A real engine behind TLS and the machine's own behind a real SSH server: who has the right keys gets in and acts, and who
//! has not is told which one is wrong.

use crate::alerts::{firing, notification};
use crate::http::request;
use crate::real_docker::{OBEDIENT, TestContainer, engine};
use crate::sickbay_process::Sickbay;
use crate::support::{Certificates, Engine, OPTED_IN, Sshd, WIDE_LIMITS, WIDE_SETTINGS, down_for};
use serde_json::{Value, json};

/// Playbooks that act on the host that the alert names.
fn rules() -> String {
    down_for("{container: '{{ labels.container }}', host: '{{ labels.host }}'}", WIDE_LIMITS)
}

/// Settings with these hosts: a name, an address, and what else stands there.
fn settings(hosts: &[(&str, &str, String)]) -> String {
    let line = |(name, url, more): &(&str, &str, String)| format!("    - {{name: {name}, url: '{url}'{more}}}\n");
    let hosts: String = hosts.iter().map(line).collect();
    format!("docker:\n  hands_off: 0s\n  hosts:\n{hosts}{WIDE_SETTINGS}")
}

/// How each host is by now, once all were asked: its error, or nothing.
fn errors(sickbay: &Sickbay) -> Vec<String> {
    let told = sickbay.until("every host was asked", || {
        let status = request(sickbay.port, "GET /api/v1/status", &[], "").unwrap().json();
        let hosts = status["docker"]["hosts"].as_array().unwrap().clone();
        hosts.iter().all(|host| host["state"] != "unasked").then_some(hosts)
    });
    told.iter().map(|host: &Value| host["error"].as_str().unwrap_or_default().to_owned()).collect()
}

/// An alert about a container of a host ends in a recovery.
fn is_treated(sickbay: &Sickbay, host: &str, container: &str) {
    let alert = firing(&json!({"alertname": "Down", "container": container, "host": host}));
    assert_eq!(sickbay.post(&notification(&[alert])).status, 200);
    assert_eq!(sickbay.verdict_of(1), "recovered", "{}", sickbay.story());
}

#[test]
fn only_the_right_certificates_get_into_an_engine_behind_tls() {
    let engine = Engine::start(true);
    engine.container("web");
    let (right, other) = (engine.certificates(), Certificates::for_host("127.0.0.1"));
    let url = engine.tcp();
    let ca_alone = |certificates: &Certificates| format!(", tls: {{ca_file: {}}}", certificates.ca());
    let tls = |settings: String| format!(", tls: {settings}");
    // The engine's authority, and the certificate of another.
    let stranger = other.settings().replace(&other.ca(), &right.ca());
    let hosts = [
        ("right", &*url, tls(right.settings())),
        ("wrong-ca", &*url, tls(other.settings())),
        ("no-certificate", &*url, ca_alone(right)),
        ("stranger", &*url, tls(stranger)),
        ("plain", &*url, String::new()),
    ];
    let sickbay = Sickbay::running(&rules(), &settings(&hosts));
    let errors = errors(&sickbay);
    for (error, words) in errors.iter().zip([
        "",
        "its certificate is not signed by the authority in tls.ca_file",
        "it wants a certificate from us: set tls.cert_file and tls.key_file",
        "it refuses the certificate in tls.cert_file",
        "HTTPS server",
    ]) {
        assert!(error.contains(words) && error.is_empty() == words.is_empty(), "{words}: {error}");
    }
    let before = engine.started_at("web");
    is_treated(&sickbay, "right", "web");
    assert_ne!(engine.started_at("web"), before);

    let check = sickbay.run(&["check", "--online", "--config.file=sickbay.yml"]);
    let said = [check.stdout, check.stderr].map(|text| String::from_utf8(text).unwrap()).concat();
    assert!(!check.status.success() && said.contains("docker.hosts[1]") && said.contains("tls.ca_file"), "{said}");
    assert!(!said.contains("docker.hosts[0]"), "{said}");
}

#[test]
fn an_engine_behind_ssh_is_reached_with_the_right_key_alone() {
    let sshd = Sshd::start();
    let container = TestContainer::run("ssh", &OPTED_IN, &OBEDIENT);
    let user = String::from_utf8(std::process::Command::new("id").arg("-un").output().unwrap().stdout).unwrap();
    let engine = engine().to_string();
    let socket = engine.strip_prefix("unix://").expect("the machine's engine listens on a socket");
    let url = format!("ssh://{}@127.0.0.1:{}{socket}", user.trim(), sshd.port);
    let config = |name: &str| format!(", ssh_config: {}", sshd.config(name));
    let hosts = [
        ("right", &*url, config("good")),
        ("stranger", &*url, config("stranger_config")),
        ("unknown", &*url, config("unknown")),
    ];
    let sickbay = Sickbay::running(&rules(), &settings(&hosts));
    let errors = errors(&sickbay);
    for (error, words) in errors.iter().zip(["", "ssh says: ", "ssh says: Host key verification failed"]) {
        assert!(error.contains(words) && error.is_empty() == words.is_empty(), "{words}: {error}\n{}", sshd.said());
    }
    assert!(errors[1].contains("Permission denied"), "{errors:?}");
    is_treated(&sickbay, "right", &container.name);
}
