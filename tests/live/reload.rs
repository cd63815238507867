//! A reload while the engine is busy with a stop: what was begun by the old playbook is ended by it.

use crate::alerts::{firing, notification};
use crate::real_docker::{TestContainer, docker};
use crate::sickbay_process::Sickbay;
use crate::support::{EngineEvents, OPTED_IN, WIDE_LIMITS, WIDE_SETTINGS, down};
use rustix::process::Signal;
use serde_json::json;

/// It takes three seconds to end.
const SLOW: [&str; 3] = ["sh", "-c", "trap 'sleep 3; exit 0' TERM; while true; do sleep 1000 & wait $!; done"];

#[test]
fn a_slow_stop_is_followed_by_its_start_although_the_playbook_is_gone_meanwhile() {
    let container = TestContainer::run("reload", &OPTED_IN, &SLOW);
    let steps = "- stop: {stop_timeout: 10s}\n      - start: {}";
    let rules = down(WIDE_LIMITS).replace("- restart: {start_if_stopped: true, stop_timeout: 1s}", steps);
    let sickbay = Sickbay::running(&rules, WIDE_SETTINGS);
    let events = EngineEvents::of(&container);
    let alert = firing(&json!({"alertname": "Down", "container": container.name}));
    assert_eq!(sickbay.post(&notification(&[alert])).status, 200);
    sickbay.wait_for("action.intent", 1);
    sickbay.write(&rules.replace("name: down", "name: another"), WIDE_SETTINGS);
    sickbay.signal(Signal::HUP);
    let loaded = sickbay.wait_for("config.loaded", 2).remove(1);
    assert_eq!(loaded["reloaded"], true, "{loaded}");
    assert_eq!(sickbay.records_of("action.outcome").len(), 0, "it was in the middle: {}", sickbay.story());

    assert_eq!(sickbay.verdict_of(1), "recovered", "{}", sickbay.story());
    let calls: Vec<String> =
        events.until_now().into_iter().filter(|action| action != "kill" && action != "die").collect();
    assert_eq!(calls, ["stop", "start"], "{}", sickbay.story());
    assert_eq!(docker(&["inspect", "-f", "{{.State.Status}}", &container.id]), "running");
}
