//! A real Alertmanager and a real Prometheus against a daemon that speaks TLS and asks for a user.

use crate::alerts::firing;
use crate::real_docker::TestContainer;
use crate::sickbay_process::Sickbay;
use crate::support::{Alertmanager, Prometheus, WIDE_LIMITS, WIDE_SETTINGS, dead_container, down};
use serde_json::json;
use std::fs;
use std::process::Command;

/// `password`
const HASH: &str = "$2y$05$bvIG6Nmid91Mu9RcmmWZfO5HJIMCT8riNW0hEp8f6/FuA2/mHZFpe";
const SENDERS: &str = "webhook: {senders: [{name: am, bearer_token: opensesame}]}\n";

/// Runs with the certificate of `tests/fixtures/tls` and one user, and clients need a certificate.
fn secured() -> Sickbay {
    let settings = format!("{WIDE_SETTINGS}{SENDERS}web: {{config_file: web.yml}}\n");
    let mut sickbay = Sickbay::new(&down(WIDE_LIMITS), &settings);
    for entry in fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/tls")).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, sickbay.directory().join(path.file_name().unwrap())).unwrap();
    }
    let web = format!(
        "tls_server_config: {{cert_file: server.pem, key_file: server.key, client_ca_file: ca.pem, \
         client_auth_type: RequireAndVerifyClientCert}}\nbasic_auth_users: {{prometheus: {HASH}}}\n"
    );
    sickbay.write_file("web.yml", &web);
    let (port, directory) = (sickbay.port, sickbay.directory().to_owned());
    sickbay.ready_when(move || {
        let url = format!("https://127.0.0.1:{port}/-/ready");
        let args =
            ["-sf", "--cacert", "ca.pem", "--cert", "client.pem", "--key", "client.key", "-u", "prometheus:password"];
        Command::new("curl").args(args).arg(url).current_dir(&directory).output().is_ok_and(|out| out.status.success())
    });
    sickbay.start(&[]);
    sickbay
}

#[test]
fn alertmanager_delivers_and_prometheus_scrapes_over_tls_with_their_proofs() {
    let container: TestContainer = dead_container("tls", &[]);
    let sickbay = secured();
    let directory = sickbay.directory().display().to_string();
    let tls = format!(
        "tls_config: {{ca_file: {directory}/ca.pem, cert_file: {directory}/client.pem, key_file: {directory}/client.key}}"
    );
    let bearer = format!("{{authorization: {{credentials: opensesame}}, {tls}}}");
    let alertmanager = Alertmanager::start_secured(sickbay.port, &bearer);
    let scrape = format!(
        "{{job_name: sickbay, scheme: https, basic_auth: {{username: prometheus, password: password}}, {tls}, \
         static_configs: [{{targets: ['127.0.0.1:{}']}}]}}",
        sickbay.port
    );
    let prometheus = Prometheus::start_to(alertmanager.port, &scrape);
    alertmanager.alert(&[firing(&json!({"alertname": "Down", "container": container.name}))]);
    assert_eq!(sickbay.verdict_of(1), "recovered", "{}", sickbay.story());
    let received = sickbay.records_of("alert.received");
    assert!(received.iter().any(|alert| alert["sender"] == "am"), "{received:?}");
    sickbay.until("Prometheus has scraped it", || prometheus.is_up("sickbay").then_some(()));
}
