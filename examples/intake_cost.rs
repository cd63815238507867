//! What one alert costs on the intake path, stage by stage, on one core and without disk or network.
//!
//! Bodies of 100 new alerts against 1,000 playbooks, of which one matches and has no room left: each alert is received
//! and refused. Prints nanoseconds per alert, the median of many bodies.

use sickbay::engine::effect::Effect;
use sickbay::engine::event::Event;
use sickbay::engine::ruleset::Ruleset;
use sickbay::engine::state::State;
use sickbay::engine::{Decision, decide};
use sickbay::model::fact::Record;
use sickbay::model::policy::Policy;
use sickbay::model::stamp::{BootId, Stamp};
use sickbay::playbook::index::Playbooks;
use sickbay::playbook::{RuleFile, load};
use sickbay::receiver::payload;
use sickbay::record::{Hash, LogId, encode};
use std::fmt::Write as _;
use std::io::Write as _;
use std::time::{Duration, Instant};

const BODIES: usize = 300;
const ALERTS: usize = 100;

fn rules() -> RuleFile {
    let mut text = "version: 1\nplaybooks:\n".to_owned();
    let notify = "    steps:\n      - notify: {to: [log], message: \"{{ labels.alertname }}\"}\n";
    for number in 1..1000 {
        _ = write!(text, "  - name: other-{number}\n    matchers:\n      - alertname = \"Other{number}\"\n{notify}");
    }
    let limits = "    limits: {runs: 1, per: 1d, cooldown: 0s, scope: playbook}\n";
    _ = write!(text, "  - name: bench\n    matchers:\n      - alertname = \"BenchAlert\"\n{limits}{notify}");
    RuleFile { path: "bench.yaml".to_owned(), text }
}

fn body(number: usize, starts: &str) -> String {
    let mut alerts = String::new();
    for index in 0..ALERTS {
        let comma = if index == 0 { "" } else { "," };
        _ = write!(
            alerts,
            r#"{comma}{{"status":"firing","labels":{{"alertname":"BenchAlert","container":"bench-{index}","instance":"10.0.0.1:9100","job":"node","severity":"warning","n":"{number}-{index}"}},"annotations":{{"summary":"The service is not answering","runbook":"https://runbooks.example/bench"}},"startsAt":"{starts}","endsAt":"0001-01-01T00:00:00Z","generatorURL":"http://prometheus.example:9090/graph?g0.expr=up+%3D%3D+0","fingerprint":"0000000000000000"}}"#
        );
    }
    format!(
        r#"{{"receiver":"bench","status":"firing","alerts":[{alerts}],"groupLabels":{{"alertname":"BenchAlert"}},"commonLabels":{{}},"commonAnnotations":{{}},"externalURL":"http://alertmanager.example:9093","version":"4","groupKey":"{{}}:{{alertname=\"BenchAlert\"}}","truncatedAlerts":0}}"#
    )
}

struct Bench {
    state: State,
    ruleset: Ruleset,
    at: Stamp,
    spent: [Vec<Duration>; 4],
}

impl Bench {
    fn commit(&mut self, decision: Decision, records: &mut Vec<Record>) -> Vec<Effect> {
        for fact in decision.facts {
            let record = Record { seq: self.state.next_seq(), at: self.at, fact };
            self.state.apply(&record);
            records.push(record);
        }
        decision.effects
    }

    fn one(&mut self, text: &str, line: &mut Vec<u8>) {
        let begun = Instant::now();
        let Ok(notification) = payload::decode(text.as_bytes(), "bench", self.at.wall) else { return };
        let decoded = Instant::now();
        let mut records = Vec::new();
        let decision = decide(&self.state, &self.ruleset, Event::NotificationReceived(notification), &self.at);
        let effects = self.commit(decision, &mut records);
        let received = Instant::now();
        for effect in effects {
            let Effect::SkipTarget { incident } = effect else { continue };
            let decision = decide(&self.state, &self.ruleset, Event::TargetSkipped { incident }, &self.at);
            self.commit(decision, &mut records);
        }
        let judged = Instant::now();
        line.clear();
        let mut head = Hash::GENESIS;
        for record in &records {
            head = encode(record, LogId(1), &head, line);
        }
        let [decode, receive, judge, write] = &mut self.spent;
        decode.push(decoded - begun);
        receive.push(received - decoded);
        judge.push(judged - received);
        write.push(judged.elapsed());
    }
}

fn main() -> std::io::Result<()> {
    let loaded = load(&[rules()]);
    let ruleset = Ruleset::new(Playbooks::new(loaded.playbooks), Policy::default());
    let wall = chrono::DateTime::from_timestamp(1_800_000_000, 0).unwrap_or_default();
    let at = Stamp { wall, up_ms: 1_000_000, boot: BootId(1) };
    let spent = [Vec::new(), Vec::new(), Vec::new(), Vec::new()];
    let mut bench = Bench { state: State::default(), ruleset, at, spent };
    let starts = wall.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    let mut line = Vec::new();
    for number in 0..BODIES {
        bench.one(&body(number, &starts), &mut line);
    }
    let mut out = std::io::stdout().lock();
    for (name, times) in ["decode", "receive", "judge", "encode"].iter().zip(&mut bench.spent) {
        times.sort_unstable();
        let median = times.get(times.len() / 2).copied().unwrap_or_default();
        writeln!(out, "{name:8} {:6} ns per alert", median.as_nanos() / ALERTS as u128)?;
    }
    Ok(())
}
