//! People decide over the API and the command line, on the real engine: what is done after which votes, and what never.

use crate::alerts::{firing, notification, resolved};
use crate::http::{Answer, request};
use crate::real_docker::{TestContainer, docker};
use crate::sickbay_process::Sickbay;
use crate::steps::examples;
use crate::support::{EngineEvents, WIDE_LIMITS, WIDE_SETTINGS, dead_container, down, restarts};
use serde_json::{Value, json};
use std::fs;
use std::time::Duration;

/// Where `ada`, `bob` and `eve` are of `sre`, and `zoe` is not; each has a token, and `ada` the password `sesame` as well.
const PEOPLE: &str = "
people:
  - {name: ada, groups: [sre, dba], token_file: ada.token, password_hash_file: ada.hash}
  - {name: bob, groups: [sre, sre-lead], token_file: bob.token}
  - {name: eve, groups: [sre], roles: [view], token_file: eve.token}
  - {name: zoe, groups: [db], roles: [approve, operate], token_file: zoe.token}
";

/// The password of `ada`.
const PASSWORD: &str = "sesame-of-ada";

/// As [`down`], for which so many of `sre` must agree, within this time.
fn asking(required: usize, timeout: &str) -> String {
    let approval =
        format!("approval: {{required: {required}, from: [sre], timeout: {timeout}, ask: [log]}}\n    steps:");
    let denied = "    on_denied:\n      - notify: {to: [log], severity: warning, message: '{{ approval.outcome }} {{ approval.by }}'}\n";
    format!("{}{denied}", down(WIDE_LIMITS).replace("steps:", &approval))
}

fn token(name: &str) -> String {
    format!("t0ken-of-{name}-long-enough")
}

/// Not started yet.
fn with_people(rules: &str) -> Sickbay {
    let sickbay = Sickbay::new(rules, &format!("{WIDE_SETTINGS}{PEOPLE}"));
    let home = sickbay.storage().parent().unwrap().to_owned();
    for name in ["ada", "bob", "eve", "zoe"] {
        fs::write(home.join(format!("{name}.token")), format!("{}\n", token(name))).unwrap();
    }
    let hash = sickbay::people::PasswordHash::make(PASSWORD).unwrap();
    fs::write(home.join("ada.hash"), hash).unwrap();
    sickbay
}

fn asked_about(container: &TestContainer, rules: &str) -> Sickbay {
    let mut sickbay = with_people(rules);
    sickbay.start(&[]);
    alarm(&sickbay, container);
    pending(&sickbay);
    sickbay
}

fn alarm(sickbay: &Sickbay, container: &TestContainer) {
    let alert = firing(&json!({"alertname": "Down", "container": container.name}));
    assert_eq!(sickbay.post(&notification(&[alert])).status, 200);
}

fn get(sickbay: &Sickbay, path: &str) -> Value {
    request(sickbay.port, &format!("GET {path}"), &[], "").unwrap().json()
}

/// Waits until people are asked; the question.
fn pending(sickbay: &Sickbay) -> Value {
    sickbay.until("people are asked", || {
        let list = get(sickbay, "/api/v1/approvals");
        list["approvals"].get(0).filter(|asked| asked["approved"] == false).cloned()
    })
}

fn vote(sickbay: &Sickbay, (who, vote): (&str, &str), asked: &Value) -> Answer {
    let bearer = format!("Bearer {}", token(who));
    let headers = [("Content-Type", "application/json"), ("Authorization", &*bearer)];
    let body = json!({"vote": vote, "plan": asked["plan"], "comment": format!("{who} says so")}).to_string();
    let line = format!("POST /api/v1/approvals/{}", asked["id"].as_str().unwrap());
    request(sickbay.port, &line, &headers, &body).unwrap()
}

fn cli(sickbay: &Sickbay, who: &str, args: &[&str]) -> (Option<i32>, String, String) {
    let (url, file) = (format!("http://127.0.0.1:{}", sickbay.port), format!("{who}.token"));
    let output = sickbay.run(&[args, &["--url", &url, "--token-file", &file]].concat());
    let [out, err] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    (output.status.code(), out, err)
}

/// Nothing of what proves who somebody is stands in anything that the daemon wrote or answers.
fn nothing_leaked(sickbay: &Sickbay) {
    let home = sickbay.storage().parent().unwrap().to_owned();
    let mut told = sickbay.story();
    told.push_str(&fs::read_to_string(home.join("stderr")).unwrap());
    for path in ["/", "/metrics", "/api/v1/status", "/api/v1/approvals", "/incidents/i4", "/-/ready"] {
        told.push_str(&request(sickbay.port, &format!("GET {path}"), &[], "").unwrap().body);
    }
    for record in sickbay.records() {
        told.push_str(&record.to_string());
    }
    let hash = fs::read_to_string(home.join("ada.hash")).unwrap();
    for secret in ["t0ken-of-", PASSWORD, &*hash, "argon2id"] {
        assert!(!told.contains(secret), "{secret} stands in what is told");
    }
}

/// The third example, at an hour when it may act.
fn third_example(container: &TestContainer) -> String {
    let intervals = "time_intervals:
  - {name: business-hours, time_intervals: [{times: [{start_time: '00:00', end_time: '24:00'}]}]}
  - {name: release-freeze, time_intervals: [{years: ['2000']}]}
playbooks:
";
    let rules = examples(&["restart-primary-database"]).replace("playbooks:\n", intervals);
    let rules = rules.replace("postgres-primary", &container.name).replace("stop_timeout: 1m", "stop_timeout: 1s");
    rules.replace("[sre-chat]", "[log]").replace("[pagerduty]", "[log]")
}

/// Its health check passes once it was started a second time.
fn database() -> TestContainer {
    let script = "if [ -e /tmp/again ]; then touch /tmp/well; fi; touch /tmp/again; trap 'exit 0' TERM; \
                  while true; do sleep 1000 & wait $!; done";
    let options = ["--label", "sickbay.enable=true", "--health-cmd", "test -e /tmp/well", "--health-interval", "1s"];
    TestContainer::run("database", &options, &["sh", "-c", script])
}

#[test]
fn the_third_example_restarts_the_database_when_two_agree_and_not_when_one_denies() {
    for (votes, verdict, count) in [
        (["ada", "bob"].map(|who| (who, "approve")), "recovered", 1),
        ([("ada", "approve"), ("bob", "deny")], "denied", 0),
    ] {
        let container = database();
        let mut sickbay = with_people(&third_example(&container));
        sickbay.start(&[]);
        let events = EngineEvents::of(&container);
        let mut alert = firing(&json!({"alertname": "PostgresConnectionsExhausted"}));
        alert["annotations"] = json!({"value": "99"});
        assert_eq!(sickbay.post(&notification(&[alert])).status, 200);
        let asked = pending(&sickbay);
        for voted in votes {
            assert_eq!(vote(&sickbay, voted, &asked).status, 200, "{}", sickbay.story());
        }
        sickbay.wait_for("incident.closed", 1);
        assert_eq!(sickbay.records_of("incident.closed")[0]["verdict"], verdict, "{}", sickbay.story());
        assert_eq!(restarts(&events.until_now()), count, "{}", sickbay.story());
    }
}

/// What is the matter with this very container stands with the question, in the log and on the page; in words.
fn asked_with_its_diagnosis(sickbay: &Sickbay, asked: &Value, container: &TestContainer) -> String {
    let evidence = &asked["evidence"];
    assert_eq!((&evidence["container"], &evidence["error"]), (&container.id.clone().into(), &Value::Null), "{asked}");
    assert_eq!(evidence["findings"][0]["weight"], "cause", "{asked}");
    let (what, recorded) =
        (evidence["findings"][0]["what"].as_str().unwrap(), &sickbay.records_of("approval.requested")[0]);
    assert_eq!(recorded["evidence"]["container"]["id"], container.id, "{recorded}");
    assert_eq!(recorded["evidence"]["diagnosis"]["findings"][0]["what"], what, "{recorded}");
    let browser = [("Accept", "text/html"), ("Authorization", "Basic YWRhOnNlc2FtZS1vZi1hZGE=")];
    let page = request(sickbay.port, "GET /", &browser, "").unwrap().body;
    assert!(page.contains("<dt>Diagnosis</dt><dd>State: exited with code 137."), "{page}");
    what.to_owned()
}

#[test]
fn the_second_of_two_people_has_it_done_once_and_verified() {
    let container = dead_container("approve", &[]);
    let sickbay = asked_about(&container, &asking(2, "10m"));
    let events = EngineEvents::of(&container);
    let asked = pending(&sickbay);
    assert_eq!((&asked["target"], &asked["required"]), (&container.name.clone().into(), &2.into()));
    assert_eq!(asked["calls"], json!([format!("POST /containers/{}/restart?t=1", container.id)]));
    assert_eq!((&asked["target_id"], &asked["deciders"]), (&container.id.clone().into(), &json!(["ada", "bob"])));
    assert_eq!(asked["image"], docker(&["inspect", "-f", "{{.Image}}", &container.id]));
    let name = asked["target"].clone();
    let whole = json!({
        "whose": "playbook", "of": name, "runs": 1000, "per": "1h", "used": 0, "left": 1000, "next": null,
    });
    assert_eq!(asked["limits"][0], whole);
    let what = asked_with_its_diagnosis(&sickbay, &asked, &container);
    assert_eq!(sickbay.metric("sickbay_approvals_pending"), 1.0);
    let notice = &sickbay.wait_for("notify.intent", 1)[0];
    let message = notice["message"].as_str().unwrap();
    let id = asked["id"].as_str().unwrap();
    assert!(
        message
            .contains(&format!("sickbay approve {id} --plan {}", asked["plan"].as_str().unwrap().get(..12).unwrap()))
    );
    assert!(message.contains(&format!("http://127.0.0.1:{}/", sickbay.port)), "{message}");

    let first = vote(&sickbay, ("ada", "approve"), &asked);
    assert_eq!((first.status, &first.json()["result"]), (200, &"counted".into()));
    // A double click, and the same person by another way, count once.
    assert_eq!(vote(&sickbay, ("ada", "approve"), &asked).json()["result"], "repeated");
    let basic = [("Content-Type", "application/json"), ("Authorization", "Basic YWRhOnNlc2FtZS1vZi1hZGE=")];
    let body = json!({"vote": "approve", "plan": asked["plan"]}).to_string();
    let again = request(sickbay.port, &format!("POST /api/v1/approvals/{id}"), &basic, &body).unwrap();
    assert_eq!((again.status, &again.json()["result"]), (200, &"repeated".into()), "{again:?}");
    assert!(sickbay.records_of("action.intent").is_empty(), "{}", sickbay.story());

    let (code, out, err) = cli(&sickbay, "bob", &["pending"]);
    assert!(code == Some(0) && out.contains("ada agreed") && out.contains(&container.id), "{out}{err}");
    assert!(
        out.contains(&format!("cause: {what}")) && out.contains("1000 left, 0 of 1000 used in the last 1h"),
        "{out}"
    );
    let (code, out, err) = cli(&sickbay, "bob", &["approve", id, "--comment", "I looked at it"]);
    assert!(code == Some(0) && out.contains("as bob: approved"), "{out}{err}");
    assert_eq!(sickbay.verdict_of(1), "recovered", "{}", sickbay.story());
    assert_eq!(restarts(&events.until_now()), 1, "{}", sickbay.story());
    let approved = &sickbay.records_of("approval.approved")[0];
    assert_eq!((&approved["by"], &approved["reason"]), (&json!(["ada", "bob"]), &"I looked at it".into()));
    // What was done counts, as the gate counts, on this target alone.
    let left = sickbay.until("the run is counted", || {
        let playbook = get(&sickbay, "/api/v1/playbooks")["playbooks"][0].clone();
        let own =
            playbook["budget"]["limits"].as_array().unwrap().iter().find(|left| left["whose"] == "playbook").cloned();
        own.filter(|left| left["used"] == 1)
    });
    assert_eq!((&left["of"], &left["left"]), (&container.name.clone().into(), &999.into()), "{left}");
    // What is done is not done again, whoever says what.
    let late = vote(&sickbay, ("ada", "deny"), &asked);
    assert!(late.status == 404 || late.status == 409, "{late:?}");
    assert_eq!(sickbay.metric("sickbay_approvals_total{playbook=\"down\",outcome=\"approved\"}"), 1.0);
    nothing_leaked(&sickbay);
}

#[test]
fn strangers_wrong_tokens_and_wrong_plans_decide_nothing() {
    let container = dead_container("strangers", &[]);
    let sickbay = asked_about(&container, &asking(1, "10m"));
    let events = EngineEvents::of(&container);
    let asked = pending(&sickbay);
    // Not of the group; without the role; nobody.
    let zoe = vote(&sickbay, ("zoe", "approve"), &asked);
    assert_eq!((zoe.status, &zoe.json()["code"]), (403, &"not_eligible".into()), "{zoe:?}");
    assert_eq!(vote(&sickbay, ("eve", "approve"), &asked).status, 403);
    assert_eq!(vote(&sickbay, ("mallory", "approve"), &asked).status, 401);
    let mut other = asked.clone();
    other["plan"] = "0".repeat(64).into();
    let wrong = vote(&sickbay, ("ada", "approve"), &other);
    assert_eq!((wrong.status, &wrong.json()["code"]), (409, &"wrong_plan".into()), "{wrong:?}");
    other["id"] = "i9999.1".into();
    assert_eq!(vote(&sickbay, ("ada", "approve"), &other).status, 404);
    let (code, _, err) = cli(&sickbay, "zoe", &["approve", asked["id"].as_str().unwrap()]);
    assert!(code == Some(1) && err.contains("403"), "{err}");
    for method in ["GET", "HEAD", "OPTIONS"] {
        for path in ["", "?vote=approve", "/approve"] {
            let line = format!("{method} /api/v1/approvals/{}{path}", asked["id"].as_str().unwrap());
            request(sickbay.port, &line, &[("User-Agent", "Slackbot-LinkExpanding 1.0")], "").unwrap();
        }
    }
    assert!(sickbay.records_of("action.intent").is_empty(), "{}", sickbay.story());
    assert_eq!(pending(&sickbay)["yes"], json!([]));

    let denied = vote(&sickbay, ("bob", "deny"), &asked);
    assert_eq!((denied.status, &denied.json()["result"]), (200, &"denied".into()));
    assert_eq!(sickbay.verdict_of(1), "denied", "{}", sickbay.story());
    assert_eq!(restarts(&events.until_now()), 0);
    let told = sickbay.records_of("notify.intent").pop().unwrap();
    assert_eq!(told["message"], "denied bob");
    nothing_leaked(&sickbay);
}

#[test]
fn silence_never_acts() {
    let container = dead_container("silence", &[]);
    let sickbay = asked_about(&container, &asking(2, "3s"));
    let events = EngineEvents::of(&container);
    let asked = pending(&sickbay);
    assert_eq!(vote(&sickbay, ("ada", "approve"), &asked).status, 200);
    assert_eq!(sickbay.verdict_of(1), "expired", "{}", sickbay.story());
    assert_eq!(restarts(&events.until_now()), 0);
    // Whoever comes too late is told how it ended.
    let id = asked["id"].as_str().unwrap();
    let want = format!("{id} is not open any more: expired: 1 of 2 agreed within 3s (");
    let late = vote(&sickbay, ("bob", "approve"), &asked);
    assert!(late.status == 404 && late.json()["error"].as_str().unwrap().starts_with(&want), "{late:?}");
    let (code, _, err) = cli(&sickbay, "bob", &["approve", id]);
    assert!(code == Some(1) && err.contains(&want), "{err}");
    let (code, _, err) = cli(&sickbay, "bob", &["approve", "i9999.1"]);
    assert!(code == Some(1) && err.contains("no approval of this name is open"), "{err}");
}

#[test]
fn another_container_of_the_name_is_another_question() {
    let container = dead_container("changed", &[]);
    let sickbay = asked_about(&container, &asking(1, "10m"));
    let asked = pending(&sickbay);
    let name = container.name.clone();
    docker(&["rm", "-f", "-v", &container.id]);
    drop(container);
    let recreated = TestContainer::run_as(&name, &crate::support::OPTED_IN, &crate::real_docker::OBEDIENT);
    docker(&["kill", &recreated.id]);
    assert_eq!(vote(&sickbay, ("ada", "approve"), &asked).status, 200);
    sickbay.wait_for("approval.superseded", 1);
    sickbay.wait_for("approval.requested", 2);
    assert!(sickbay.records_of("action.intent").is_empty(), "{}", sickbay.story());
    let anew =
        sickbay.until("people are asked anew", || Some(pending(&sickbay)).filter(|anew| anew["id"] != asked["id"]));
    assert_eq!(vote(&sickbay, ("ada", "approve"), &anew).json()["result"], "approved");
    assert_eq!(sickbay.verdict_of(1), "recovered", "{}", sickbay.story());
    assert_eq!(sickbay.records_of("action.intent").len(), 1);
}

#[test]
fn an_alert_that_ends_meanwhile_leaves_nothing_to_decide() {
    let container = dead_container("resolved", &[]);
    let mut sickbay = with_people(&asking(1, "10m"));
    sickbay.start(&[]);
    let alert = firing(&json!({"alertname": "Down", "container": container.name}));
    assert_eq!(sickbay.post(&notification(std::slice::from_ref(&alert))).status, 200);
    let asked = pending(&sickbay);
    assert_eq!(sickbay.post(&notification(&[resolved(&alert)])).status, 200);
    assert_eq!(sickbay.verdict_of(1), "cancelled", "{}", sickbay.story());
    let late = vote(&sickbay, ("ada", "approve"), &asked);
    assert!(late.status == 404 && late.body.contains("is not open any more: cancelled"), "{late:?}");
    assert!(sickbay.records_of("action.intent").is_empty());
}

#[test]
fn a_kill_between_vote_and_execution_executes_once() {
    for round in 0..3_u64 {
        let container = dead_container(&format!("kill-{round}"), &[]);
        let mut sickbay = asked_about(&container, &asking(1, "10m"));
        let events = EngineEvents::of(&container);
        let asked = pending(&sickbay);
        assert_eq!(vote(&sickbay, ("ada", "approve"), &asked).status, 200);
        std::thread::sleep(Duration::from_millis(round * 40));
        sickbay.kill();
        sickbay.start(&[]);
        // Killed between intent and call, it finds out that nothing was done, and does not do it after all.
        let (verdict, restarts) = (sickbay.verdict_of(1), restarts(&events.until_now()));
        let right = matches!((&*verdict, restarts), ("recovered" | "unknown", 1) | ("abandoned", 0));
        assert!(right, "{verdict} {restarts} {}", sickbay.story());
        assert_eq!(sickbay.records_of("approval.vote").len(), 1, "what was answered is in the log");
        assert_eq!(sickbay.records_of("action.intent").len(), 1, "{}", sickbay.story());
    }
}

#[test]
fn of_many_votes_at_once_each_person_counts_once_and_it_is_done_once() {
    let container = dead_container("race", &[]);
    let sickbay = asked_about(&container, &asking(2, "10m"));
    let events = EngineEvents::of(&container);
    let asked = pending(&sickbay);
    std::thread::scope(|threads| {
        for round in 0..20 {
            let (sickbay, asked) = (&sickbay, &asked);
            threads.spawn(move || vote(sickbay, (if round % 2 == 0 { "ada" } else { "bob" }, "approve"), asked));
        }
    });
    assert_eq!(sickbay.verdict_of(1), "recovered", "{}", sickbay.story());
    assert_eq!(restarts(&events.until_now()), 1, "{}", sickbay.story());
    assert_eq!(sickbay.records_of("approval.vote").len(), 2, "{}", sickbay.story());
    assert_eq!(sickbay.records_of("approval.approved").len(), 1);
}

#[test]
fn people_who_are_taken_out_of_the_settings_decide_no_more_after_a_reload() {
    let container = dead_container("reload", &[]);
    let sickbay = asked_about(&container, &asking(1, "10m"));
    let asked = pending(&sickbay);
    let url = format!("http://127.0.0.1:{}", sickbay.port);
    let fewer: String =
        PEOPLE.lines().filter(|line| !line.contains("name: bob")).map(|line| format!("{line}\n")).collect();
    sickbay.write(&asking(1, "10m"), &format!("{WIDE_SETTINGS}{fewer}"));
    let reload = |who: &str| sickbay.run(&["reload", "--url", &url, "--token-file", &format!("{who}.token")]);
    let refused = reload("ada");
    assert_eq!(refused.status.code(), Some(1), "ada may not operate");
    assert!(reload("zoe").status.success(), "{}", sickbay.story());
    assert_eq!(vote(&sickbay, ("bob", "approve"), &asked).status, 401);
    assert_eq!(vote(&sickbay, ("ada", "approve"), &asked).status, 200);
    assert_eq!(sickbay.verdict_of(1), "recovered", "{}", sickbay.story());
    // Nobody is left who could agree: such settings are refused as a whole.
    sickbay.write(&asking(2, "10m"), &format!("{WIDE_SETTINGS}{fewer}"));
    let refused = String::from_utf8(reload("zoe").stderr).unwrap();
    assert!(refused.contains("2 of sre must agree, and the settings have 1 of them"), "{refused}");
}
