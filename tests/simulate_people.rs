//! `sickbay simulate --diff` and what people agreed to: a vote follows the question it was given to, by what was asked.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use serde_json::{Value, json};
use sickbay::engine::event::NewConfig;
use sickbay::engine::ruleset::Ruleset;
use sickbay::model::alert::{Alert, AlertStatus, Notification};
use sickbay::model::container::{HealthCheck, RestartPolicy};
use sickbay::model::fact::Fact;
use sickbay::model::label::Labels;
use sickbay::model::policy::Policy;
use sickbay::model::target::ContainerName;
use sickbay::playbook::index::Playbooks;
use sickbay::playbook::{RuleFile, load};
use sickbay::record::{Hash, LogId, encode};
use sickbay::sim::container::ContainerSpec;
use sickbay::sim::input::Input;
use sickbay::sim::vote::SimVote;
use sickbay::sim::world::{DeliveryId, World};
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

const RULES: &str = "version: 1
playbooks:
  - name: noise
    matchers: ['alertname = \"Noise\"']
    steps:
      - notify: {to: [log], message: noise}
  - name: down
    matchers: ['alertname = \"Down\"']
    target: {container: '{{ labels.container }}'}
    limits: {runs: 1000, per: 1h, cooldown: 0s}
    approval: {required: 1, from: [dba], timeout: 15m}
    steps:
      - restart: {stop_timeout: 10s}
      - verify: {within: 1m, stable_for: 5s}
";

fn playbooks(text: &str) -> Playbooks {
    let loaded = load(&[RuleFile { path: "rules.yaml".to_owned(), text: text.to_owned() }]);
    assert!(!loaded.has_errors(), "{:?}", loaded.problems);
    Playbooks::new(loaded.playbooks)
}

fn container(name: &str) -> ContainerSpec {
    let second = Duration::from_secs(1);
    ContainerSpec {
        image: Some("app:1".to_owned()),
        restart_policy: RestartPolicy::Always,
        health_check: Some(HealthCheck { interval: second * 2, timeout: second, retries: 2, start_period: second * 3 }),
        ..ContainerSpec::new(&ContainerName::parse(name).unwrap())
    }
}

/// A world that writes a log.
struct Day {
    world: World,
    delivered: u64,
}

impl Day {
    fn with(rules: &str) -> Self {
        let ruleset = Ruleset::new(playbooks(rules), Policy::default());
        let mut day = Self { world: World::new(ruleset, ["web", "db", "api"].map(container).into()), delivered: 0 };
        day.pass(300);
        day
    }

    fn pass(&mut self, secs: u64) {
        let until = self.world.now().after(Duration::from_secs(secs));
        self.world.run_until(until);
    }

    fn fire(&mut self, name: &str, container: &str) {
        let labels: Labels = [("alertname", name), ("container", container)].into_iter().collect();
        let alert = Alert {
            fingerprint: labels.fingerprint(),
            status: AlertStatus::Firing,
            labels,
            annotations: Labels::default(),
            starts_at: Some(self.world.clock().wall()),
            ends_at: None,
            generator_url: "".into(),
        };
        self.delivered += 1;
        let notification = Notification { alerts: vec![alert], ..Notification::default() };
        assert!(self.world.deliver(DeliveryId(self.delivered), notification));
        self.pass(60);
    }

    fn agree(&mut self) {
        self.world.happen(&Input::Vote(SimVote::new("dora", &["dba"], true)));
        self.pass(120);
        assert!(self.world.seen.votes.last().unwrap().voted.answer.counts());
    }

    fn reload(&mut self, rules: &str) {
        let new = NewConfig { playbooks: playbooks(rules), policy: Policy::default(), files: Vec::new(), by: None };
        self.world.happen(&Input::Reload(Box::new(new)));
        self.pass(60);
    }

    /// The log and these two sets of rules in files.
    fn home(&self, rules: (&str, &str)) -> Home {
        self.home_with(rules, |_| {})
    }

    /// The same, by a version that did not record the terms of a question.
    fn home_of_older(&self, rules: (&str, &str)) -> Home {
        self.home_with(rules, |fact| {
            if let Fact::ApprovalRequested(asked) = fact {
                asked.terms.clear();
            }
        })
    }

    fn home_with(&self, (old, new): (&str, &str), change: fn(&mut Fact)) -> Home {
        let home = Home(tempfile::tempdir().unwrap());
        let (mut text, mut prev) = (Vec::new(), Hash::GENESIS);
        for record in self.world.disk().records() {
            let mut record = record.clone();
            change(&mut record.fact);
            prev = encode(&record, LogId(1), &prev, &mut text);
        }
        fs::write(home.path().join("log.jsonl"), text).unwrap();
        fs::write(home.path().join("old.yaml"), old).unwrap();
        fs::write(home.path().join("new.yaml"), new).unwrap();
        home
    }
}

struct Home(tempfile::TempDir);

impl Home {
    fn path(&self) -> &Path {
        self.0.path()
    }

    fn simulate(&self, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sickbay"));
        command.args(["simulate", "log.jsonl", "--rules", "new.yaml"]).args(args).env_remove("SICKBAY_CONFIG_FILE");
        command.current_dir(self.path()).output().unwrap()
    }

    fn report(&self, args: &[&str]) -> Value {
        let output = self.simulate(&[args, &["-o", "json"]].concat());
        assert!(output.status.success(), "{output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn diff(&self) -> Value {
        self.report(&["--diff", "old.yaml", "--fail-on", "none"])
    }

    /// How each alert ends by the new rules: alert and container, verdict, questions without an answer.
    fn ends(&self) -> Vec<String> {
        let report = self.report(&["--alerts"]);
        let alerts = report["alerts"].as_array().unwrap().iter();
        let one = |alert: &Value| {
            let word = |value: &Value| value.as_str().unwrap_or("open").to_owned();
            let (container, verdict) = (word(&alert["labels"]["container"]), word(&alert["verdict"]));
            format!("{} {container}: {verdict} {}", word(&alert["alertname"]), alert["approvals_unanswered"])
        };
        alerts.map(one).collect()
    }
}

/// Something unrelated, a plan that somebody agrees to, and one that nobody has said anything about when the log ends.
fn day() -> Day {
    let mut day = Day::with(RULES);
    day.fire("Noise", "x");
    day.fire("Down", "web");
    day.agree();
    day.fire("Down", "db");
    day
}

/// What is different about the alert for a container: what, before, now.
fn changes(diff: &Value, container: &str) -> Vec<[String; 3]> {
    let differences = diff["differences"].as_array().unwrap().iter();
    let about = differences.filter(|difference| difference["labels"]["container"] == container);
    let changes = about.flat_map(|difference| difference["changes"].as_array().unwrap());
    changes.map(|change| ["what", "old", "new"].map(|part| change[part].as_str().unwrap().to_owned())).collect()
}

#[test]
fn other_words_about_the_same_plan_leave_what_people_agreed_to() {
    let described = RULES.replace("  - name: down\n", "  - name: down\n    description: in other words\n");
    let home = day().home((RULES, &described));
    assert_eq!(home.ends(), ["Noise x: unknown 0", "Down web: recovered 0", "Down db: open 0"]);
    let diff = home.diff();
    assert_eq!(diff["different"], 0, "{diff:#}");
}

#[test]
fn a_vote_follows_its_incident_where_the_records_before_it_are_others() {
    let disabled = RULES.replace("  - name: noise\n", "  - name: noise\n    enabled: false\n");
    let home = day().home((RULES, &disabled));
    let diff = home.diff();
    assert_eq!(diff["different"], 1, "{diff:#}");
    assert!(!changes(&diff, "x").is_empty(), "{diff:#}");
    // The other way round, too.
    let home = day().home((&disabled, RULES));
    assert_eq!(home.diff()["different"], 1);
}

#[test]
fn who_is_told_of_the_question_changes_nothing_about_the_answer() {
    let told = RULES.replace("timeout: 15m}", "timeout: 15m, ask: [log]}");
    let home = day().home((RULES, &told));
    assert_eq!(home.ends(), ["Noise x: unknown 0", "Down web: recovered 0", "Down db: open 0"]);
    let diff = home.diff();
    for container in ["web", "db"] {
        let what: Vec<String> = changes(&diff, container).into_iter().map(|[what, ..]| what).collect();
        assert_eq!(what, ["notices"], "{diff:#}");
    }
}

#[test]
fn nobody_agreed_to_something_else() {
    for (name, was, is) in [
        ("arguments", "restart: {stop_timeout: 10s}", "restart: {stop_timeout: 60s}"),
        ("words", "restart: {stop_timeout: 10s}", "restart: {stop_timeout: 10s, start_if_stopped: true}"),
        ("what follows", "verify: {within: 1m, ", "verify: {within: 2m, "),
        (
            "failure",
            "    steps:\n      - restart",
            "    on_failure:\n      - notify: {to: [log], message: f}\n    steps:\n      - restart",
        ),
        ("action", "restart: {stop_timeout: 10s}", "stop: {}"),
        ("target", "'{{ labels.container }}'", "'{{ \"api\" if labels.container == \"web\" else \"db\" }}'"),
    ] {
        let home = day().home((RULES, &RULES.replace(was, is)));
        let diff = home.diff();
        let found = changes(&diff, "web");
        let of =
            |what: &str| found.iter().find(|change| change[0] == what).unwrap_or_else(|| panic!("{name}: {diff:#}"));
        assert!(of("verdict")[1] == "recovered" && of("verdict")[2].starts_with("expired"), "{name}: {diff:#}");
        assert_eq!(of("unanswered")[1], "0", "{name}");
        assert!(of("unanswered")[2].contains("a new approval would be asked"), "{name}: {diff:#}");
        assert!(changes(&diff, "db").iter().all(|[what, ..]| what != "verdict"), "nobody knows: {name}: {diff:#}");
        let text = String::from_utf8(home.simulate(&[]).stdout).unwrap();
        assert!(text.contains("of these anew: nobody is assumed to answer"), "{name}: {text}");
    }
}

/// With a request whose body tells the incident, before the restart.
fn with_request(body: &str) -> String {
    let call =
        format!("      - http: {{url: \"http://lb.example/drain\", method: POST, body: \"{body}\"}}\n      - restart");
    RULES.replace("      - restart", &call)
}

fn day_by(rules: &str) -> Day {
    let mut day = Day::with(rules);
    day.fire("Noise", "x");
    day.fire("Down", "web");
    day.agree();
    day
}

#[test]
fn nobody_agreed_to_another_body_of_a_request() {
    let rules = with_request("{{ run.id }} {{ labels.container }}");
    let other = with_request("{{ run.id }} of {{ labels.container }}");
    assert_eq!(day_by(&rules).home((&rules, &other)).ends()[1], "Down web: expired 1");
    // The incidents have other numbers here, and so has the body: people would be asked the same.
    let renumbered = rules.replace("  - name: noise\n", "  - name: noise\n    enabled: false\n");
    assert_eq!(day_by(&rules).home((&rules, &renumbered)).ends()[1], "Down web: recovered 0");
    let described = renumbered.replace("  - name: down\n", "  - name: down\n    description: in other words\n");
    assert_eq!(day_by(&rules).home((&rules, &described)).ends()[1], "Down web: recovered 0");
}

#[test]
fn a_log_that_does_not_tell_the_terms_is_believed_only_for_the_very_same_playbook() {
    let described = RULES.replace("  - name: down\n", "  - name: down\n    description: in other words\n");
    let home = day().home_of_older((RULES, &described));
    assert_eq!(home.ends()[1], "Down web: expired 1");
    assert_eq!(day().home_of_older((RULES, RULES)).ends()[1], "Down web: recovered 0");
}

#[test]
fn fewer_people_who_may_decide_make_a_vote_count_no_more() {
    let others = RULES.replace("from: [dba]", "from: [sre]");
    let home = day().home((RULES, &others));
    assert_eq!(home.ends(), ["Noise x: unknown 0", "Down web: expired 0", "Down db: open 0"]);
    let two = RULES.replace("required: 1", "required: 2");
    assert_eq!(day().home((RULES, &two)).ends()[1], "Down web: expired 0");
}

#[test]
fn a_dry_run_in_the_log_changes_nothing_about_what_was_agreed_to_later() {
    let dry = RULES.replace("    steps:\n      - restart", "    dry_run: true\n    steps:\n      - restart");
    let mut day = Day::with(&dry);
    day.fire("Down", "api");
    day.agree();
    day.reload(RULES);
    day.fire("Down", "web");
    day.agree();
    let home = day.home((&dry, RULES));
    // Who agreed to a dry run did not agree to the act.
    assert_eq!(home.ends(), ["Down api: expired 1", "Down web: recovered 0"]);
    let rehearsed = day.home((RULES, &dry));
    assert_eq!(rehearsed.ends(), ["Down api: unknown 0", "Down web: unknown 0"], "a yes to the act is one to less");
    assert_eq!(rehearsed.diff()["acts_more"], json!(0));
}
