//! What a proxy lets through is asked at the start and told; a denied action is recorded as that; reading and writing may
//! go different ways.

use crate::alerts::{firing, notification};
use crate::fake_docker::{FakeDocker, Reply};
use crate::http::request;
use crate::rules::{DOWN, engine, settings};
use crate::sickbay_process::Sickbay;
use serde_json::{Value, json};

fn denied() -> Reply {
    Reply::Text(403, "text/html", "<html><body><h1>403 Forbidden</h1>go away</body></html>".to_owned())
}

fn status(sickbay: &Sickbay) -> Value {
    request(sickbay.port, "GET /api/v1/status", &[], "").unwrap().json()
}

/// The entry of one ability, once there is one.
fn ability(sickbay: &Sickbay, name: &str) -> Value {
    sickbay.until("it was asked what is allowed", || {
        let status = status(sickbay);
        status["permissions"].as_array()?.iter().find(|entry| entry["ability"] == name).cloned()
    })
}

fn alarm(sickbay: &Sickbay) {
    let alert = firing(&json!({"alertname": "Down", "container": "web"}));
    assert_eq!(sickbay.post(&notification(&[alert])).json()["accepted"], 1, "{}", sickbay.story());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_proxy_denies_is_told_at_the_start_and_a_denied_action_is_recorded_as_that() {
    let docker = engine();
    docker.always("POST", "/restart", denied());
    let sickbay = Sickbay::running(DOWN, &settings(&docker));
    let restart = ability(&sickbay, "restart");
    let want = json!({
        "host": "local", "ability": "restart", "state": "denied", "denied": ["POST /containers/{container}/restart"],
        "missed_by": ["down"],
    });
    assert_eq!(restart, want);
    assert_eq!(ability(&sickbay, "look")["state"], "allowed");
    let allowed = |operation: &str| {
        sickbay.metric(&format!("sickbay_docker_call_allowed{{host=\"local\",operation=\"{operation}\"}}"))
    };
    assert!(allowed("restart") < 0.1 && 0.9 < allowed("inspect"), "{}", sickbay.story());
    let story = sickbay.story();
    assert!(story.contains("restart: denied by a proxy (POST /containers/{container}/restart)"), "{story}");
    assert!(story.contains("a proxy denies POST /containers/{container}/restart, which `down` needs"), "{story}");
    let needless = |line: &String| line.starts_with("POST ") && !line.ends_with("/restart");
    assert!(!docker.probes().iter().any(needless), "what nobody needs is not asked about: {:?}", docker.probes());

    alarm(&sickbay);
    assert_eq!(sickbay.verdict_of(1), "failed", "{}", sickbay.story());
    let outcome = &sickbay.records_of("action.outcome")[0];
    let error = outcome["error"].as_str().unwrap();
    assert!(error.contains("/restart was denied by the socket proxy") && error.contains("http 403"), "{error}");
    assert!(!error.contains('<') && error.contains("sickbay permissions"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_asks_about_looking_alone() {
    let docker = engine();
    let sickbay = Sickbay::running(DOWN, &format!("{}dry_run: true\n", settings(&docker)));
    assert_eq!(ability(&sickbay, "look")["state"], "allowed");
    let all = status(&sickbay)["permissions"].to_string();
    assert!(!all.contains("restart"), "{all}");
    assert!(docker.probes().iter().all(|line| line.starts_with("GET ")), "{:?}", docker.probes());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_read_and_what_is_written_go_their_own_ways() {
    let (reading, writing) = (engine(), engine());
    reading.always("POST", "", denied());
    writing.always("GET", "/containers", denied());
    let hosts = format!(
        "docker: {{hands_off: 0s, hosts: [{{name: local, url: \"{}\", write_url: \"{}\"}}]}}\n",
        reading.url(),
        writing.url()
    );
    let sickbay = Sickbay::running(DOWN, &hosts);
    assert_eq!(ability(&sickbay, "restart")["state"], "allowed");
    assert_eq!(ability(&sickbay, "look")["state"], "allowed");
    assert_eq!(writing.count("GET", "/version"), 1, "once for all calls: {:?}", writing.requests());
    alarm(&sickbay);
    sickbay.wait_for("action.outcome", 1);
    assert_eq!((reading.count("POST", ""), writing.count("POST", "/restart")), (0, 1), "{}", sickbay.story());
    let only = |docker: &FakeDocker, what: &str| docker.requests().iter().all(|line| line.contains(what));
    assert!(only(&reading, "GET ") && !reading.requests().is_empty(), "{:?}", reading.requests());
    let looks = writing.requests().into_iter().filter(|line| line.starts_with("GET ")).collect::<Vec<_>>();
    assert!(looks.iter().all(|line| line == "GET /version"), "{looks:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_way_of_writing_that_denies_the_version_is_told() {
    let (reading, writing) = (engine(), engine());
    writing.always("GET", "/version", denied());
    let hosts = format!(
        "docker: {{hands_off: 0s, hosts: [{{name: local, url: \"{}\", write_url: \"{}\"}}]}}\n",
        reading.url(),
        writing.url()
    );
    let sickbay = Sickbay::running(DOWN, &hosts);
    let look = ability(&sickbay, "look");
    assert_eq!((&look["state"], &look["denied"]), (&json!("denied"), &json!(["GET /version"])), "{look}");
    assert_eq!(ability(&sickbay, "restart")["state"], "unknown");
}
