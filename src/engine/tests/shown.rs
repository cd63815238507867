//! What people read before they agree: addresses as they will be sent, numbers, and what follows the end of the alert.

use super::approvals::questions;
use super::stage::Stage;
use super::steps::playbook;
use super::world::*;
use crate::model::resources::ResourceLimits;

const TEXT: &str = r#"    target: {container: web}
    approval: {from: [sre], timeout: 10m}
    steps:
      - capture: none
      - update_limits: {memory: {factor: 1.5, max: 1GiB}, cpus: {factor: 2, max: 1.5}}
      - id: drain
        http: {url: "http://lb.example/drain/{{ labels.container }}?token=s3cret&by={{ run.playbook }}", method: POST}
      - http: {url: "http://lb.example/told/{{ steps.drain.outcome }}"}
      - verify: none
    on_resolved:
      - capture: none
      - update_limits: {to: original}
      - verify: none
      - http: {url: "http://lb.example/undrain/{{ labels.container }}", method: PUT}
"#;

#[test]
fn a_request_is_shown_as_it_will_be_sent_and_limits_with_their_numbers_what_follows_the_alert_too() {
    let mut web = container("web");
    web.limits = ResourceLimits { memory: 512 << 20, memory_swap: 1 << 30, nano_cpus: 500_000_000, cpu_quota: false };
    let mut stage = Stage::new(playbook(TEXT));
    stage.web = found(web);
    stage.world.fire(firing(stage.world.now_s));
    stage.rest();
    let what = &questions(&stage.world.log)[0].what;
    for part in [
        "update_limits: memory from 512.0 MiB to 768.0 MiB, CPUs from 0.50 to 1.00 (memory x 1.5, to 1024.0 MiB at most, \
         CPUs x 2, to 1.50 at most)",
        "http POST http://lb.example/drain/web?token=[redacted]",
        "http POST http://lb.example/told/skipped (as far as it is known now, from http://lb.example/told/{{ \
         steps.drain.outcome }})",
        "; when the alert has ended: update_limits: the limits from before the run; http PUT \
         http://lb.example/undrain/web",
    ] {
        assert!(what.contains(part), "{part}\n{what}");
    }
    let snapshot = stage.world.snapshot();
    let calls = &snapshot.approvals[0].calls;
    assert!(
        calls[0].ends_with("/update with memory x 1.5, to 1024.0 MiB at most, CPUs x 2, to 1.50 at most"),
        "{calls:?}"
    );
    assert!(calls[1].starts_with("POST http://lb.example/drain/web?token=[redacted]"), "{calls:?}");
    assert_eq!(calls.last().unwrap(), "when the alert has ended: PUT http://lb.example/undrain/web");
    let back = calls.iter().rev().nth(1).unwrap();
    assert!(back.starts_with("when the alert has ended: POST /containers/"), "{calls:?}");
    assert!(back.ends_with("/update with the limits from before the run"), "{calls:?}");
    assert!(!format!("{what}{calls:?}").contains("s3cret"));
}
