//! The playbooks of these tests, and the containers they treat.

use super::engine_events::EngineEvents;
use crate::real_docker::{OBEDIENT, TestContainer, docker};

/// The label without which nothing is touched.
pub(crate) const OPTED_IN: [&str; 2] = ["--label", "sickbay.enable=true"];

/// Limits that refuse nothing: whatever is not done twice has another reason.
pub(crate) const WIDE_LIMITS: &str = "{runs: 1000, per: 1h, cooldown: 0s}";

/// The same for the settings.
pub(crate) const WIDE_SETTINGS: &str =
    "limits: {global: [{runs: 1000, per: 1h}], per_target: [{runs: 1000, per: 1h}], max_parallel: 100}\n";

/// A playbook for the alert `Down`, on the container the alert names.
pub(crate) fn down(limits: &str) -> String {
    down_for("{container: '{{ labels.container }}'}", limits)
}

/// As [`down`], on this target.
pub(crate) fn down_for(target: &str, limits: &str) -> String {
    format!(
        "version: 1
playbooks:
  - name: down
    matchers: ['alertname =~ \"Down|X\"']
    target: {target}
    limits: {limits}
    steps:
      - restart: {{start_if_stopped: true, stop_timeout: 1s}}
      - verify: {{within: 30s, every: 1s, stable_for: 1s}}
    on_failure:
      - notify: {{to: [log], severity: critical, message: '{{{{ failed.error }}}}'}}
"
    )
}

/// One playbook that has the alert's name, on this target, with these steps and a verification behind them; a failure is told
/// in the log.
pub(crate) fn treatment(alertname: &str, target: &str, steps: &str) -> String {
    format!(
        "  - name: {}
    matchers: ['alertname = \"{alertname}\"']
    target: {target}
    limits: {WIDE_LIMITS}
    steps:
      {steps}
      - verify: {{within: 60s, every: 1s, stable_for: 1s}}
    on_failure:
      - notify: {{to: [log], severity: critical, message: '{{{{ failed.error }}}}'}}
",
        alertname.to_lowercase()
    )
}

/// A container that was killed, opted in, with these further options. Whoever listens from now on hears nothing of its death.
pub(crate) fn dead_container(purpose: &str, options: &[&str]) -> TestContainer {
    let container = TestContainer::run(purpose, &[&OPTED_IN, options].concat(), &OBEDIENT);
    let events = EngineEvents::of(&container);
    docker(&["kill", &container.id]);
    events.until_dead();
    container
}
