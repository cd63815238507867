//! Races about approvals, on the real daemon: in each round two things come at once, and whichever is first, what is done is
//! done once at most, and never without consent. `ROUNDS=1000` plays so many of each.

use crate::alerts::{firing, notification, resolved};
use crate::fake_docker::{FakeDocker, running};
use crate::http::{Answer, request};
use crate::rules::{DOWN, settings};
use crate::sickbay_process::{Sickbay, wait_until};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Barrier;
use std::thread;
use std::time::Duration;
use std::{fs, io};

/// How many rounds of each race.
#[expect(clippy::disallowed_methods, reason = "how long to play is no setting of the product")]
fn rounds() -> usize {
    std::env::var("ROUNDS").map_or(20, |rounds| rounds.parse().expect("ROUNDS is a number"))
}

/// A daemon whose one playbook asks so many of `sre`, who are `ada` and `bob`.
fn asking(docker: &FakeDocker, required: usize, timeout: &str) -> Sickbay {
    let approval = format!("    approval: {{required: {required}, from: [sre], timeout: {timeout}}}\n    steps:");
    let people = "
people:
  - {name: ada, groups: [sre], token_file: ada.token}
  - {name: bob, groups: [sre], token_file: bob.token}
";
    // What a round leaves behind must not keep the next one from being asked about.
    let rules = DOWN.replace("    steps:", &approval).replace("within: 30s", "within: 2s");
    // A thousand rounds are no storm of alerts.
    let settings =
        settings(docker).replace("max_parallel: 100", "max_parallel: 100, storm: {alerts: 10000, per: 1m, freeze: 1s}");
    let mut sickbay = Sickbay::new(&rules, &format!("{settings}{people}"));
    let home = sickbay.storage().parent().unwrap().to_owned();
    for name in ["ada", "bob"] {
        fs::write(home.join(format!("{name}.token")), format!("{}\n", token(name))).unwrap();
    }
    sickbay.start(&[]);
    sickbay
}

fn token(name: &str) -> String {
    format!("t0ken-of-{name}-long-enough")
}

/// One round's container, alert and question.
struct Round {
    container: Value,
    alert: Value,
    asked: Value,
}

impl Round {
    /// Lets people be asked about a container of its own.
    fn begin(sickbay: &Sickbay, docker: &FakeDocker, number: usize) -> Self {
        let name = format!("web-{number}");
        let mut container = running("ab", &name);
        container["Id"] = format!("{number:064x}").into();
        container["Number"] = number.into();
        container["Config"]["Labels"]["sickbay.enable"] = "true".into();
        docker.put(container.clone());
        let alert = firing(&json!({"alertname": "Down", "container": name}));
        assert_eq!(sickbay.post(&notification(std::slice::from_ref(&alert))).status, 200);
        let asked = wait_until(|| {
            let open = request(sickbay.port, "GET /api/v1/approvals", &[], "").unwrap().json();
            let open = open["approvals"].as_array().unwrap().clone();
            open.into_iter().find(|asked| asked["target"] == *name)
        });
        Self { container, alert, asked: asked.unwrap_or_else(|| panic!("nobody is asked\n{}", sickbay.story())) }
    }

    fn vote(&self, sickbay: &Sickbay, (who, vote): (&str, &str)) -> Answer {
        self.try_vote(sickbay.port, (who, vote)).unwrap()
    }

    fn try_vote(&self, port: u16, (who, vote): (&str, &str)) -> io::Result<Answer> {
        let bearer = format!("Bearer {}", token(who));
        let headers = [("Content-Type", "application/json"), ("Authorization", &*bearer)];
        let body = json!({"vote": vote, "plan": self.asked["plan"], "comment": "as it should be"}).to_string();
        request(port, &format!("POST /api/v1/approvals/{}", self.id()), &headers, &body)
    }

    fn id(&self) -> &str {
        self.asked["id"].as_str().unwrap()
    }

    fn incident(&self) -> &str {
        self.asked["incident"].as_str().unwrap()
    }
}

/// What somebody or something does in a round, and the answer, if it gets one.
type Act<'a> = &'a (dyn Fn(&Round) -> Option<Answer> + Sync);

/// A round that is over: what both were answered, and the records of its incident.
struct Played {
    round: Round,
    answers: [Option<Answer>; 2],
    records: Vec<Value>,
}

/// Plays rounds in which both come at once, waits until all incidents are closed, and looks at what is common to them.
fn race((sickbay, docker): (&Sickbay, &FakeDocker), one: Act<'_>, other: Act<'_>) -> Vec<Played> {
    let mut played = Vec::new();
    for number in 0..rounds() {
        let round = Round::begin(sickbay, docker, number);
        let together = Barrier::new(2);
        let at_once = |act: Act<'_>, late: Duration| {
            together.wait();
            thread::sleep(late);
            act(&round)
        };
        let late = lateness(number);
        let answers = thread::scope(|scope| {
            let first = scope.spawn(|| at_once(one, late[0]));
            let second = at_once(other, late[1]);
            [first.join().unwrap(), second]
        });
        played.push((round, answers));
    }
    let played = closed(sickbay, played);
    played.iter().for_each(|played| fair(played, docker));
    played
}

/// How late both are in a round: neither, or one of them by up to ten milliseconds. So each is first in some rounds.
fn lateness(number: usize) -> [Duration; 2] {
    let late = Duration::from_millis(u64::try_from(number % 11).unwrap());
    if (number / 11).is_multiple_of(2) { [Duration::ZERO, late] } else { [late, Duration::ZERO] }
}

/// Waits until all incidents are closed.
fn closed(sickbay: &Sickbay, played: Vec<(Round, [Option<Answer>; 2])>) -> Vec<Played> {
    sickbay.wait_for("incident.closed", played.len());
    let mut of: HashMap<String, Vec<Value>> = HashMap::new();
    for record in sickbay.records() {
        if let Some(incident) = record["inc"].as_str() {
            of.entry(incident.to_owned()).or_default().push(record);
        }
    }
    let played = played.into_iter();
    played.map(|(round, answers)| Played { records: of.remove(round.incident()).unwrap(), round, answers }).collect()
}

impl Played {
    /// How the round's question ended, and what came after its end.
    fn ends(&self) -> Vec<&str> {
        let of_it = self.records.iter().filter(|record| record["act"] == self.round.id());
        let kinds = of_it.filter_map(|record| record["kind"].as_str()).filter(|kind| kind.starts_with("approval."));
        kinds.filter(|kind| !["approval.requested", "approval.vote"].contains(kind)).collect()
    }

    fn acts(&self) -> usize {
        self.records.iter().filter(|record| record["kind"] == "action.intent").count()
    }

    fn statuses(&self) -> [Option<u16>; 2] {
        [0, 1].map(|place: usize| self.answers[place].as_ref().map(|answer| answer.status))
    }
}

/// One end of the question, or a late no; at most one act, on the container that was asked about, and none without a yes.
fn fair(played: &Played, docker: &FakeDocker) {
    let (ends, acts) = (played.ends(), played.acts());
    let sent = docker.count("POST", &format!("/{}/restart", played.round.container["Id"].as_str().unwrap()));
    let told = format!("{} ended as {ends:?}, {acts} acts, {sent} sent: {:#?}", played.round.id(), played.records);
    // Killed right between, it looks, and says that nothing was done.
    let unsent = played.records.iter().any(|record| record["result"] == "not_applied");
    assert!(acts <= 1 && (sent == acts || (sent == 0 && unsent)), "{told}");
    assert!(acts == 0 || ends == ["approval.approved"], "{told}");
    let withdrawn = ends.len() == 2 && ends[0] == "approval.approved";
    assert!(ends.len() == 1 || withdrawn, "{told}");
}

/// Somebody votes on the round's question.
fn votes<'a>(sickbay: &'a Sickbay, who: &'a str, vote: &'a str) -> impl Fn(&Round) -> Option<Answer> + Sync + 'a {
    move |round| Some(round.vote(sickbay, (who, vote)))
}

/// The round's alert has ended.
fn ends(sickbay: &Sickbay) -> impl Fn(&Round) -> Option<Answer> + Sync {
    |round| Some(sickbay.post(&notification(&[resolved(&round.alert)])))
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_yeses_at_once_one_decides_and_it_is_done_once() {
    let docker = FakeDocker::start();
    let sickbay = asking(&docker, 1, "10m");
    let both = (votes(&sickbay, "ada", "approve"), votes(&sickbay, "bob", "approve"));
    for played in race((&sickbay, &docker), &both.0, &both.1) {
        assert_eq!((played.ends(), played.acts()), (vec!["approval.approved"], 1), "{:#?}", played.records);
        let mut said = played.statuses();
        said.sort_unstable();
        assert!(said[0] == Some(200) && [200, 404, 409].contains(&said[1].unwrap()), "{said:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_yes_and_a_no_at_once_the_no_wins_unless_it_comes_after_the_act() {
    let docker = FakeDocker::start();
    let sickbay = asking(&docker, 1, "10m");
    let both = (votes(&sickbay, "ada", "approve"), votes(&sickbay, "bob", "deny"));
    for played in race((&sickbay, &docker), &both.0, &both.1) {
        let counted = played.statuses()[1] == Some(200);
        assert_eq!(counted, played.acts() == 0, "{:#?}", played.records);
        assert_eq!(counted, played.ends().contains(&"approval.denied"), "{:#?}", played.records);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_person_in_two_places_at_once_is_one() {
    let docker = FakeDocker::start();
    let sickbay = asking(&docker, 2, "10m");
    let url = format!("http://127.0.0.1:{}", sickbay.port);
    // Once both have come, the end of the alert ends the round.
    let come = Barrier::new(2);
    let by_command = |round: &Round| {
        let said = sickbay.run(&["approve", round.id(), "--url", &url, "--token-file", "ada.token"]);
        come.wait();
        assert!(said.status.success(), "{said:?}");
        None
    };
    let by_api = |round: &Round| {
        let answer = round.vote(&sickbay, ("ada", "approve"));
        come.wait();
        assert_eq!(answer.status, 200, "{answer:?}");
        ends(&sickbay)(round)
    };
    for played in race((&sickbay, &docker), &by_command, &by_api) {
        assert_eq!((played.ends(), played.acts()), (vec!["approval.cancelled"], 0), "{:#?}", played.records);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_yes_and_the_end_of_the_alert_at_once_nothing_is_done_after_the_end() {
    let docker = FakeDocker::start();
    let sickbay = asking(&docker, 1, "10m");
    let both = (votes(&sickbay, "ada", "approve"), ends(&sickbay));
    for played in race((&sickbay, &docker), &both.0, &both.1) {
        let place = |kind: &str| played.records.iter().position(|record| record["kind"] == kind);
        if let (Some(ended), Some(meant)) = (place("alert.ended"), place("action.intent")) {
            assert!(meant < ended, "{:#?}", played.records);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_yes_at_the_last_moment_is_in_time_or_too_late_and_never_both() {
    let docker = FakeDocker::start();
    let sickbay = asking(&docker, 1, "1s");
    let late = |round: &Round| {
        let millis = round.asked["until"].as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>().unwrap();
        let now = crate::alerts::now().parse::<chrono::DateTime<chrono::Utc>>().unwrap();
        // From 5 ms before to 4 ms after.
        let off = chrono::TimeDelta::milliseconds(round.container["Number"].as_i64().unwrap() % 10 - 5);
        thread::sleep((millis - now + off).to_std().unwrap_or_default());
        Some(round.vote(&sickbay, ("ada", "approve")))
    };
    for played in race((&sickbay, &docker), &late, &|_| None) {
        let counted = played.statuses()[0] == Some(200);
        assert_eq!(counted, played.acts() == 1, "{:?}: {:#?}", played.answers, played.records);
        assert_eq!(!counted, played.ends() == ["approval.expired"], "{:#?}", played.records);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_agreed_to_is_not_done_to_a_container_that_takes_the_name_at_that_moment() {
    let docker = FakeDocker::start();
    let sickbay = asking(&docker, 1, "10m");
    let replaced = |round: &Round| {
        let (mut old, mut new) = (round.container.clone(), round.container.clone());
        old["Name"] = format!("{}-old", old["Name"].as_str().unwrap()).into();
        new["Id"] = new["Id"].as_str().unwrap().replacen('0', "f", 1).into();
        docker.put(old);
        docker.put(new);
        None
    };
    let approve = votes(&sickbay, "ada", "approve");
    let approved = |round: &Round| {
        let answer = approve(round);
        // What is being done goes on. A question about the other one, or waiting for one where nothing or something
        // renamed was found in between, is ended with the alert.
        let waits = wait_until(|| {
            let records = sickbay.records();
            let mut of = records.iter().filter(|record| record["inc"] == round.incident());
            of.find_map(|record| match record["kind"].as_str().unwrap() {
                "incident.closed" => Some(false),
                "approval.superseded" => Some(true),
                "decision" if record["result"] == "refused" => Some(true),
                _ => None,
            })
        });
        if waits.unwrap_or_else(|| panic!("neither done nor refused\n{}", sickbay.story())) {
            ends(&sickbay)(round);
        }
        answer
    };
    for played in race((&sickbay, &docker), &approved, &replaced) {
        let other = played.round.container["Id"].as_str().unwrap().replacen('0', "f", 1);
        assert_eq!(docker.count("POST", &format!("/{other}/restart")), 0, "{:#?}", played.records);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_at_any_moment_after_a_yes_leaves_it_done_once_or_never() {
    let docker = FakeDocker::start();
    let mut sickbay = asking(&docker, 1, "10m");
    let mut played = Vec::new();
    for number in 0..rounds() {
        let round = Round::begin(&sickbay, &docker, number);
        let answer = thread::scope(|scope| {
            let voting = scope.spawn(|| round.try_vote(sickbay.port, ("ada", "approve")).ok());
            thread::sleep(Duration::from_micros(u64::try_from(number % 20).unwrap() * 500));
            sickbay.signal(rustix::process::Signal::KILL);
            voting.join().unwrap()
        });
        sickbay.kill();
        sickbay.start(&[]);
        if answer.as_ref().is_none_or(|answer| answer.status != 200) {
            // Whether it counted is not known to whoever voted: so they look, and say it again.
            round.vote(&sickbay, ("ada", "approve"));
        }
        played.push((round, [answer, None]));
    }
    for played in closed(&sickbay, played) {
        fair(&played, &docker);
        assert_eq!((played.ends(), played.acts()), (vec!["approval.approved"], 1), "{:#?}", played.records);
    }
}
