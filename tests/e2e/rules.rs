//! The playbook of these tests, and the container it treats on an engine that only pretends.

use crate::fake_docker::{FakeDocker, running};

/// For the alert `Down`: restart the container it names, and tell the log.
pub(crate) const DOWN: &str = "version: 1
playbooks:
  - name: down
    matchers: ['alertname = \"Down\"']
    target: {container: '{{ labels.container }}'}
    limits: {runs: 1000, per: 1h, cooldown: 0s}
    steps:
      - restart: {stop_timeout: 0s}
      - verify: {within: 30s, every: 1s, stable_for: 1s}
    on_failure:
      - notify: {to: [log], severity: critical, message: '{{ failed.error }}'}
";

/// Settings that name this engine. Its containers are as old as its clock, so hands off would be all of the time.
pub(crate) fn settings(docker: &FakeDocker) -> String {
    format!(
        "docker: {{hands_off: 0s, hosts: [{{name: local, url: '{}'}}]}}\n\
         limits: {{global: [{{runs: 1000, per: 1h}}], per_target: [{{runs: 1000, per: 1h}}], max_parallel: 100}}\n",
        docker.url()
    )
}

/// An engine with one container that runs and may be treated: `web`.
pub(crate) fn engine() -> FakeDocker {
    let docker = FakeDocker::start();
    let mut container = running("ab", "web");
    container["Config"]["Labels"]["sickbay.enable"] = "true".into();
    docker.put(container);
    docker
}
