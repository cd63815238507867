//! What a log tells after a test, and the rules it must keep whatever was done to the daemon.

use crate::real_daemon::{Home, until};
use crate::real_docker::TestContainer;
use crate::victims::Victims;
use sickbay::engine::state::State;
use sickbay::incident_log::{Conclusion, LogReader, verify};
use sickbay::model::action::{ActionOutcome, Reconciled};
use sickbay::model::fact::{ActionIntended, Fact, Record, Taken};
use sickbay::model::id::{ActId, IncidentId};
use sickbay::model::incident::Verdict;
use sickbay::record::{decode, encode};
use std::collections::{BTreeMap, BTreeSet};

/// All records of a log.
pub(crate) struct Story(pub(crate) Vec<Record>);

impl Story {
    /// Reads what is there now.
    pub(crate) fn read(home: &Home) -> Self {
        let mut log = LogReader::open(&home.data()).unwrap();
        let mut records = Vec::new();
        while let Some(line) = log.next_line().unwrap() {
            records.push(decode(line).unwrap().into_record().expect("we know all kinds that we write"));
        }
        Self(records)
    }

    /// The serials of the alerts that are recorded.
    pub(crate) fn serials(&self) -> BTreeSet<&str> {
        let mut serials = BTreeSet::new();
        for record in &self.0 {
            if let Fact::AlertReceived(received) = &record.fact {
                serials.insert(received.labels.value("serial"));
            }
        }
        serials
    }

    /// How often something was recorded.
    pub(crate) fn count(&self, kind: &str) -> usize {
        self.0.iter().filter(|record| record.fact.kind() == kind).count()
    }

    /// Incidents that have no verdict yet.
    pub(crate) fn open_incidents(&self) -> usize {
        self.0.iter().filter(|record| opens(record)).count() - self.count("incident.closed")
    }

    /// Acts that were begun and of whose end the log knows nothing.
    pub(crate) fn in_doubt(&self) -> BTreeSet<ActId> {
        let mut acts = BTreeSet::new();
        for record in &self.0 {
            if let Fact::ActionIntended(intended) = &record.fact {
                acts.insert(intended.act);
            } else if let Fact::ActionFinished(finished) = &record.fact
                && !matches!(finished.outcome, ActionOutcome::Unknown { .. })
            {
                acts.remove(&finished.act);
            } else if let Fact::ActionReconciled(reconciled) = &record.fact {
                acts.remove(&reconciled.act);
            }
        }
        acts
    }

    /// What was intended for a container.
    pub(crate) fn intents(&self, victim: &TestContainer) -> impl Iterator<Item = &ActionIntended> {
        let all = self.0.iter().filter_map(|record| {
            let Fact::ActionIntended(intended) = &record.fact else { return None };
            Some(intended)
        });
        all.filter(|intended| intended.target.id.to_string() == victim.id)
    }

    /// How often the log says that a container was restarted.
    fn restarts_told(&self) -> BTreeMap<String, usize> {
        let mut target_of: BTreeMap<ActId, String> = BTreeMap::new();
        let mut told = BTreeMap::new();
        for record in &self.0 {
            let mut done = None;
            if let Fact::ActionIntended(intended) = &record.fact {
                if intended.action.word() == "restart" {
                    target_of.insert(intended.act, intended.target.id.to_string());
                }
            } else if let Fact::ActionFinished(finished) = &record.fact {
                done = matches!(finished.outcome, ActionOutcome::Succeeded { .. }).then_some(finished.act);
            } else if let Fact::ActionReconciled(reconciled) = &record.fact {
                done = (reconciled.finding == Reconciled::Observed).then_some(reconciled.act);
            }
            if let Some(act) = done {
                // Of other actions the engine tells with other events.
                let Some(target) = target_of.get(&act) else { continue };
                *told.entry(target.clone()).or_default() += 1;
            }
        }
        told
    }

    /// The verdict of each incident; exactly one.
    pub(crate) fn verdicts(&self) -> BTreeMap<IncidentId, Verdict> {
        let mut verdicts = BTreeMap::new();
        for record in &self.0 {
            if let Fact::IncidentClosed(closed) = &record.fact {
                let before = verdicts.insert(closed.incident, closed.verdict);
                assert_eq!(before, None, "{} was closed twice", closed.incident);
            }
        }
        verdicts
    }
}

fn opens(record: &Record) -> bool {
    matches!(&record.fact, Fact::AlertReceived(received) if matches!(received.taken, Taken::ByPlaybook { .. }))
}

/// What must be true of every log, whatever happened to its daemon.
pub(crate) fn check(name: &str, home: &Home, victims: &Victims) -> Story {
    let report = verify(&home.data()).unwrap();
    assert_eq!(report.conclusion, Conclusion::Clean, "{name}");
    same_in_bytes_and_in_state(home);
    let story = Story::read(home);
    assert_eq!(story.in_doubt(), BTreeSet::new(), "{name}: every intent has an end");
    assert_eq!(story.open_incidents(), 0, "{name}");
    assert_eq!(story.verdicts().len(), story.0.iter().filter(|record| opens(record)).count(), "{name}");

    let told = story.restarts_told();
    for victim in &victims.boxes {
        let intents = story.0.iter().filter(
            |record| matches!(&record.fact, Fact::ActionIntended(intended) if intended.target.id.to_string() == victim.id),
        );
        let told = told.get(&victim.id).copied().unwrap_or(0);
        let heard = || victims.events.count("restart", victim);
        // The engine's own word of what was done may come later than the daemon's look at the container.
        until(&format!("{name}: the engine tells of {told} restarts of {}", victim.name), || told <= heard());
        let (intents, done) = (intents.count(), heard());
        assert!(done <= intents, "{name}: {} has {intents} intents and was restarted {done} times", victim.name);
        assert!(intents <= 1, "{name}: one episode of {}, {intents} intents", victim.name);
        // What the log says was done is what the engine says was done.
        assert_eq!(told, done, "{name}: {}", victim.name);
    }
    story
}

/// Every line says exactly what its record says, and reading a log twice gives the same state.
fn same_in_bytes_and_in_state(home: &Home) {
    let mut log = LogReader::open(&home.data()).unwrap();
    let (mut once, mut again) = (State::default(), State::default());
    while let Some(line) = log.next_line().unwrap() {
        let decoded = decode(line).unwrap();
        let (id, prev) = (decoded.log, decoded.prev);
        let record = decoded.into_record().unwrap();
        let mut bytes = Vec::new();
        encode(&record, id, &prev, &mut bytes);
        assert_eq!(bytes.strip_suffix(b"\n").map(String::from_utf8_lossy), Some(String::from_utf8_lossy(line)));
        once.apply(&record);
    }
    Story::read(home).0.iter().for_each(|record| again.apply(record));
    assert!(once == again, "two replays of one log differ:\n{once:?}\n{again:?}");
    assert_ne!(once, State::default(), "the log is empty");
}
