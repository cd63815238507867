//! A real Prometheus that scrapes one container and sends what fires to an Alertmanager.

use super::program::Program;
use crate::http::request;
use crate::sickbay_process::free_port;
use std::fs;

pub(crate) struct Prometheus {
    #[expect(dead_code, reason = "it ends when this is dropped")]
    program: Program,
    #[expect(dead_code, reason = "it is removed when this is dropped")]
    directory: tempfile::TempDir,
    port: u16,
}

impl Prometheus {
    /// Starts one. The alert `Down` fires while the container's port cannot be scraped.
    pub(crate) fn start(alertmanager_port: u16, container: &str, container_port: u16) -> Self {
        let scrape = format!(
            "job_name: victim\n  \
               static_configs: [{{targets: ['127.0.0.1:{container_port}'], labels: {{container: '{container}'}}}}]"
        );
        Self::start_to(alertmanager_port, &scrape)
    }

    /// Starts one that scrapes what this says. The alert `Down` fires while that fails.
    pub(crate) fn start_to(alertmanager_port: u16, scrape: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let settings = format!(
            "global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}\n\
             rule_files: [rules.yml]\n\
             alerting: {{alertmanagers: [{{static_configs: [{{targets: ['127.0.0.1:{alertmanager_port}']}}]}}]}}\n\
             scrape_configs:\n\
             - {scrape}\n"
        );
        fs::write(directory.path().join("prometheus.yml"), settings).unwrap();
        let rules = "groups: [{name: victim, rules: [{alert: Down, expr: 'up == 0', for: 1s}]}]\n";
        fs::write(directory.path().join("rules.yml"), rules).unwrap();
        let args = ["--config.file=prometheus.yml", "--storage.tsdb.path=data", "--rules.alert.resend-delay=1s"];
        let port = free_port();
        let program = Program::start("prometheus", &directory, (port, &args.map(str::to_owned)));
        Self { program, directory, port }
    }

    /// Whether it has scraped a job by now.
    pub(crate) fn is_up(&self, job: &str) -> bool {
        let line = format!("GET /api/v1/query?query=up%7Bjob%3D%22{job}%22%7D");
        let answer = request(self.port, &line, &[], "").unwrap().json();
        answer["data"]["result"][0]["value"][1] == "1"
    }
}
