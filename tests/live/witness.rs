//! A real Alertmanager, asked over its API whether an alert still fires. It is told to keep the ends of alerts to itself,
//! so whatever is known of an end was asked for.

use crate::alerts::{firing, notification, resolved};
use crate::real_docker::{TestContainer, docker};
use crate::sickbay_process::{Sickbay, free_port};
use crate::support::{Aged, Alertmanager, EngineEvents, WIDE_LIMITS, WIDE_SETTINGS, dead_container, down};
use rustix::process::Signal;
use serde_json::{Value, json};

/// A playbook whose run waits for its alert to end.
fn patient(within: &str) -> String {
    let verify = "verify: {within: 30s, every: 1s, stable_for: 1s}";
    let rules = down(WIDE_LIMITS);
    assert!(rules.contains(verify));
    rules.replace(verify, &format!("verify: {{within: {within}, every: 1s, stable_for: 1s, alert_resolved: true}}"))
}

fn asking(port: u16) -> String {
    format!("{WIDE_SETTINGS}alertmanagers: [{{url: 'http://127.0.0.1:{port}/'}}]\n")
}

/// Labels that need every escape there is.
fn awkward(container: &TestContainer) -> Value {
    firing(&json!({"alertname": "Down", "container": container.name, "path": "C:\\new \"dir\"\n{a=~'b'}, ü"}))
}

fn of_kind(record: &Value, pointer: &str) -> String {
    record.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}

#[test]
fn an_alert_that_ends_is_seen_to_have_ended_without_any_notification() {
    let container = dead_container("witness-ends", &[]);
    let mut sickbay = Sickbay::new(&patient("80s"), "");
    let alertmanager = Alertmanager::start_keeping_ends(sickbay.port);
    let aged = Aged::before(alertmanager.port);
    sickbay.configure(&asking(aged.port));
    sickbay.start(&[]);
    let alert = awkward(&container);
    alertmanager.alert(std::slice::from_ref(&alert));
    // The target is well, and the alert still fires: the run waits, and asks.
    sickbay.wait_for("verify.target", 1);
    let questions = aged.asked().len();
    sickbay.until("it is asked again", || (questions < aged.asked().len()).then_some(()));
    assert!(sickbay.records_of("alert.ended").is_empty(), "{}", sickbay.story());
    alertmanager.alert(&[resolved(&alert)]);
    assert_eq!(sickbay.verdict_of(1), "recovered", "{}", sickbay.story());
    let [ended] = &sickbay.records_of("alert.ended")[..] else { panic!("{}", sickbay.story()) };
    assert_eq!(ended["end"], "not_firing", "{}", sickbay.story());
    let [intent] = &sickbay.records_of("action.intent")[..] else { panic!("{}", sickbay.story()) };
    let name = format!("127.0.0.1:{} lists it", aged.port);
    assert_eq!((&intent["witness"]["alert"], of_kind(intent, "/witness/detail")), (&"firing".into(), name));
    assert!(1.0 < sickbay.metric("sickbay_alertmanager_requests_total{operation=\"alerts\",code=\"200\"}"));
    assert!(0.0 < sickbay.metric("sickbay_alertmanager_requests_total{operation=\"status\",code=\"200\"}"));
}

#[test]
fn one_that_has_just_started_is_not_believed_that_an_alert_ended() {
    let container = dead_container("witness-fresh", &[]);
    let mut sickbay = Sickbay::new(&patient("20s"), "");
    let alertmanager = Alertmanager::start_keeping_ends(sickbay.port);
    sickbay.configure(&asking(alertmanager.port));
    sickbay.start(&[]);
    let alert = awkward(&container);
    alertmanager.alert(std::slice::from_ref(&alert));
    sickbay.wait_for("verify.target", 1);
    alertmanager.alert(&[resolved(&alert)]);
    assert_eq!(sickbay.verdict_of(1), "ineffective", "{}", sickbay.story());
    let closed = of_kind(&sickbay.records_of("incident.closed")[0], "/detail");
    assert!(closed.contains("does not list it, but started only"), "{closed}");
    assert!(sickbay.records_of("alert.ended").is_empty(), "{}", sickbay.story());
}

#[test]
fn nothing_is_done_for_an_alert_that_alertmanager_no_longer_lists_in_a_dry_run_as_well() {
    let container = dead_container("witness-gone", &[]);
    let mut sickbay = Sickbay::new(&down(WIDE_LIMITS), "");
    let alertmanager = Alertmanager::start_keeping_ends(sickbay.port);
    let aged = Aged::before(alertmanager.port);
    sickbay.configure(&asking(aged.port));
    let events = EngineEvents::of(&container);
    for (flags, incidents) in [(&["--dry-run"][..], 1), (&[], 2)] {
        sickbay.start(flags);
        // Somebody delivers what Alertmanager does not know any more.
        let late = firing(&json!({"alertname": "Down", "container": container.name, "serial": incidents.to_string()}));
        sickbay.post(&notification(&[late]));
        assert_eq!(sickbay.verdict_of(incidents), "cancelled", "{}", sickbay.story());
        sickbay.stop();
    }
    let refusals = sickbay.records_of("decision");
    let refused: Vec<&Value> = refusals.iter().filter(|decision| decision["result"] == "refused").collect();
    assert_eq!(refused.len(), 2, "{}", sickbay.story());
    for refusal in refused {
        assert_eq!((&refusal["gate"], &refusal["reason"]), (&"fresh".into(), &"resolved_first".into()), "{refusal}");
        let witness = format!("no longer listed by 127.0.0.1:{}", aged.port);
        assert_eq!(of_kind(refusal, "/inputs/witness"), witness, "{refusal}");
    }
    assert!(sickbay.records_of("action.intent").is_empty(), "{}", sickbay.story());
    assert_eq!(events.until_now(), Vec::<String>::new(), "{}", sickbay.story());
}

#[test]
fn a_witness_that_is_away_does_not_stop_first_aid() {
    let container = dead_container("witness-away", &[]);
    let nobody = free_port();
    let sickbay = Sickbay::running(&down(WIDE_LIMITS), &asking(nobody));
    for serial in ["1", "2"] {
        let alert = firing(&json!({"alertname": "Down", "container": container.name, "serial": serial}));
        sickbay.post(&notification(&[alert]));
        sickbay.verdict_of(serial.parse().unwrap());
        docker(&["kill", &container.id]);
    }
    assert_eq!(sickbay.verdict_of(1), "recovered", "{}", sickbay.story());
    let intents = sickbay.records_of("action.intent");
    assert_eq!(intents.len(), 2, "{}", sickbay.story());
    for intent in intents {
        assert_eq!(intent["witness"]["alert"], "cannot_tell", "{intent}");
        assert!(of_kind(&intent, "/witness/detail").contains("refused"), "{intent}");
    }
    let told = sickbay.story().matches("Alertmanager gives no answer that can be used").count();
    assert_eq!(told, 1, "told once, and not for each question\n{}", sickbay.story());
}

#[test]
fn whom_a_reload_names_is_asked_from_then_on() {
    let container = dead_container("witness-reload", &[]);
    let mut sickbay = Sickbay::new(&down(WIDE_LIMITS), WIDE_SETTINGS);
    let alertmanager = Alertmanager::start_keeping_ends(sickbay.port);
    let aged = Aged::before(alertmanager.port);
    sickbay.start(&[]);
    let late = |serial: &str| {
        notification(&[firing(&json!({"alertname": "Down", "container": container.name, "serial": serial}))])
    };
    sickbay.post(&late("1"));
    assert_eq!(sickbay.verdict_of(1), "recovered", "nobody is asked\n{}", sickbay.story());
    assert_eq!(sickbay.records_of("action.intent")[0]["witness"], Value::Null, "{}", sickbay.story());
    sickbay.configure(&format!("alertmanagers: [{{url: 'http://127.0.0.1:{}'}}]\n", aged.port));
    sickbay.signal(Signal::HUP);
    sickbay.wait_for("config.loaded", 2);
    sickbay.until("it was told", || sickbay.story().contains("reloaded").then_some(()));
    docker(&["kill", &container.id]);
    sickbay.post(&late("2"));
    assert_eq!(sickbay.verdict_of(2), "cancelled", "{}", sickbay.story());
}
