//! A real Alertmanager that sends everything to one webhook.

use super::program::Program;
use crate::alerts::{NO_END, now};
use crate::http::request;
use crate::sickbay_process::free_port;
use serde_json::{Value, json};
use std::fs;

pub(crate) struct Alertmanager {
    directory: tempfile::TempDir,
    /// Where it listens whenever it runs.
    pub(crate) port: u16,
    program: Program,
}

impl Alertmanager {
    /// Starts one that sends at once, all alerts in one group, and repeats after so long.
    pub(crate) fn start(webhook_port: u16, repeat_interval: &str) -> Self {
        Self::start_as(webhook_port, repeat_interval, true)
    }

    /// Starts one that sends at once, and keeps to itself when an alert ends.
    pub(crate) fn start_keeping_ends(webhook_port: u16) -> Self {
        Self::start_as(webhook_port, "1h", false)
    }

    /// Starts one that sends over TLS, with this as `http_config`.
    pub(crate) fn start_secured(webhook_port: u16, http_config: &str) -> Self {
        let url = format!("https://127.0.0.1:{webhook_port}/api/v1/webhook");
        Self::start_to(&format!("url: '{url}', http_config: {http_config}"), "1h", true)
    }

    fn start_as(webhook_port: u16, repeat_interval: &str, send_resolved: bool) -> Self {
        let url = format!("http://127.0.0.1:{webhook_port}/api/v1/webhook");
        Self::start_to(&format!("url: '{url}'"), repeat_interval, send_resolved)
    }

    fn start_to(webhook: &str, repeat_interval: &str, send_resolved: bool) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let settings = format!(
            "route: {{receiver: sickbay, group_by: [none], group_wait: 0s, group_interval: 1s, \
                repeat_interval: {repeat_interval}}}\n\
             receivers:\n\
             - name: sickbay\n  \
               webhook_configs: [{{{webhook}, send_resolved: {send_resolved}}}]\n"
        );
        fs::write(directory.path().join("alertmanager.yml"), settings).unwrap();
        let port = free_port();
        let program = run(&directory, port);
        Self { directory, port, program }
    }

    /// Ends it without a chance to save what it has sent, and starts it again.
    pub(crate) fn kill_and_start(&mut self) {
        self.program.kill();
        self.program = run(&self.directory, self.port);
    }

    /// Tells it that these alerts fire, or, if they have an end, that they are over.
    pub(crate) fn alert(&self, alerts: &[Value]) {
        let alerts: Vec<Value> = alerts.iter().map(pushed).collect();
        let headers = [("Content-Type", "application/json")];
        let answer = request(self.port, "POST /api/v2/alerts", &headers, &json!(alerts).to_string()).unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
    }
}

fn run(directory: &tempfile::TempDir, port: u16) -> Program {
    let args = ["--config.file=alertmanager.yml", "--storage.path=data", "--cluster.listen-address="];
    Program::start("prometheus-alertmanager", directory, (port, &args.map(str::to_owned)))
}

/// As Prometheus pushes it: without a status, and with an end only if it has one.
fn pushed(alert: &Value) -> Value {
    let mut pushed = json!({"labels": alert["labels"], "annotations": {}, "startsAt": alert["startsAt"]});
    if alert["endsAt"] != NO_END {
        // It counts as over from the moment it names.
        pushed["endsAt"] = now().into();
    }
    pushed
}
