//! Two tries on a container that neither mends: what is done, who is told, and what is refused afterwards.

use crate::alerts::{firing, notification};
use crate::real_docker::{OBEDIENT, TestContainer};
use crate::sickbay_process::Sickbay;
use crate::sink::Sink;
use crate::support::{EngineEvents, OPTED_IN, WIDE_SETTINGS};
use serde_json::{Value, json};

const RULES: &str = "version: 1
playbooks:
  - name: stubborn
    matchers: ['alertname = \"Down\"']
    target: {container: '{{ labels.container }}'}
    limits: {runs: 1000, per: 1h, cooldown: 3s}
    attempts:
      - steps:
          - restart: {stop_timeout: 1s}
          - verify: {within: 30s, every: 1s, stable_for: 1s}
      - steps:
          - stop: {stop_timeout: 1s}
          - start: {}
          - verify: {within: 30s, every: 1s, stable_for: 1s}
    on_failure:
      - notify: {to: [people], severity: critical, message: '{{ run.attempt }} of {{ run.attempts }}: {{ failed.error }}'}
";

fn alarm(container: &TestContainer, serial: &str) -> Value {
    notification(&[firing(&json!({"alertname": "Down", "container": container.name, "serial": serial}))])
}

fn text<'a>(record: &'a Value, key: &str) -> &'a str {
    record[key].as_str().unwrap_or_default()
}

#[test]
fn a_second_try_is_made_without_being_told_and_after_it_a_person_is_called() {
    let health =
        ["--health-interval", "1s", "--health-timeout", "5s", "--health-retries", "2", "--health-cmd", "false"];
    let container = TestContainer::run("stubborn", &[&OPTED_IN[..], &health].concat(), &OBEDIENT);
    let sink = Sink::start();
    let notifier = format!("notifiers: [{{name: people, http: {{url: 'http://127.0.0.1:{}/hook'}}}}]\n", sink.port);
    let sickbay = Sickbay::running(RULES, &format!("{WIDE_SETTINGS}{notifier}"));
    let events = EngineEvents::of(&container);
    assert_eq!(sickbay.post(&alarm(&container, "1")).status, 200);

    let ended = &sickbay.wait_for("attempt.ended", 1)[0];
    assert_eq!((&ended["attempt"], text(ended, "verdict")), (&1.into(), "ineffective"), "{ended}");
    assert_eq!(sink.bodies().len(), 0, "nobody is called before the last try");
    // It is not delivered again: the second try comes by itself, within a minute after the cooldown.
    sickbay.wait_for("action.intent", 3);
    assert_eq!(sickbay.verdict_of(1), "ineffective", "{}", sickbay.story());

    let runs: Vec<(u64, u64)> = sickbay
        .records_of("decision")
        .iter()
        .filter(|decision| text(decision, "result") == "run")
        .map(|decision| (decision["attempt"].as_u64().unwrap(), decision["attempts"].as_u64().unwrap()))
        .collect();
    assert_eq!(runs, [(1, 2), (2, 2)], "{}", sickbay.story());
    let first = sickbay.records_of("attempt.ended")[0]["up_ms"].as_u64().unwrap();
    let second = sickbay.records_of("action.intent")[1]["up_ms"].as_u64().unwrap();
    assert!(first + 3_000 <= second, "the cooldown lies between them");
    let told: Vec<Value> = sink.bodies().iter().map(|body| serde_json::from_str(body).unwrap()).collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(text(&told[0], "message").starts_with("2 of 2: "), "{told:?}");
    assert!(text(&told[0], "title").ends_with("(after 2 of 2 tries)"), "{told:?}");
    assert_eq!(sickbay.wait_for("breaker.opened", 1)[0]["failures"], 2, "{}", sickbay.story());

    assert_eq!(sickbay.post(&alarm(&container, "2")).status, 200);
    let refusal = sickbay.until("the second alert is refused", || {
        sickbay.records_of("decision").into_iter().rev().find(|decision| text(decision, "result") == "refused")
    });
    // A cooldown of three seconds may still be running; then the breaker has the word when it is over.
    if text(&refusal, "reason") == "cooldown" {
        sickbay.until("the breaker refuses", || {
            sickbay.post(&alarm(&container, "2"));
            sickbay.records_of("decision").into_iter().find(|decision| text(decision, "reason") == "breaker_open")
        });
    } else {
        assert_eq!((text(&refusal, "gate"), text(&refusal, "reason")), ("breaker", "breaker_open"), "{refusal}");
    }
    assert_eq!(sickbay.records_of("action.intent").len(), 3, "{}", sickbay.story());

    let calls: Vec<String> =
        events.until_now().into_iter().filter(|action| ["restart", "stop", "start"].contains(&&**action)).collect();
    // A restart is a stop, a start and a restart to the engine.
    assert_eq!(calls, ["stop", "start", "restart", "stop", "start"], "{}", sickbay.story());
}
