//! The whole chain, as in production: a container dies, Prometheus sees it, Alertmanager tells, sickbay treats.

use crate::real_docker::{TestContainer, docker};
use crate::sickbay_process::{Sickbay, free_port};
use crate::support::{Alertmanager, EngineEvents, OPTED_IN, Prometheus, WIDE_LIMITS, WIDE_SETTINGS, down, restarts};

/// A web server with one metric, on the host's loopback so that its port stays the same.
fn web_server(port: u16) -> TestContainer {
    let script = format!("echo well 1 > /tmp/metrics; exec busybox httpd -f -p 127.0.0.1:{port} -h /tmp");
    TestContainer::run("chain", &[&OPTED_IN[..], &["--network", "host"]].concat(), &["sh", "-c", &script])
}

#[test]
fn a_killed_container_is_restarted_exactly_once_and_its_alert_resolves() {
    let web_port = free_port();
    let web = web_server(web_port);
    let sickbay = Sickbay::running(&down(WIDE_LIMITS), WIDE_SETTINGS);
    let alertmanager = Alertmanager::start(sickbay.port, "1h");
    let _prometheus = Prometheus::start(alertmanager.port, &web.name, web_port);

    let events = EngineEvents::of(&web);
    docker(&["kill", &web.id]);
    assert_eq!(sickbay.verdict_of(1), "recovered", "{}", sickbay.story());
    let ended = sickbay.wait_for("alert.ended", 1);
    assert_eq!(ended[0]["end"], "resolved", "{}", sickbay.story());

    let seen = events.until_now();
    assert_eq!(seen, ["kill", "die", "start", "restart"], "{}", sickbay.story());
    assert_eq!(restarts(&seen), 1);
    let received = sickbay.records_of("alert.received");
    assert_eq!(received.len(), 1, "{}", sickbay.story());
    assert_eq!(received[0]["labels"]["container"], web.name, "{received:?}");
    let intents = sickbay.records_of("action.intent");
    assert_eq!((intents.len(), &intents[0]["target"]["id"]), (1, &web.id.as_str().into()), "{intents:?}");
    let verified = sickbay.run(&["log", "verify", "data"]);
    assert!(verified.status.success(), "{verified:?}");
}
