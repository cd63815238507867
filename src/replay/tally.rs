//! What a replay decided about each alert, gathered while it is played.

use super::play::{Origin, Seen};
use crate::model::fact::{AlertReceived, Answer, Fact, Taken};
use crate::model::id::{IncidentId, Seq};
use crate::model::incident::Verdict;
use crate::model::label::Fingerprint;
use crate::model::reason::{Gate, Reason};
use chrono::{DateTime, Utc};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// One alert, from its first sight on.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The place in the history where it came.
    pub entry: usize,
    /// When.
    pub at: DateTime<Utc>,
    /// The alert.
    pub alert: Arc<AlertReceived>,
    /// What the gates said, one after the other.
    pub decisions: Vec<Decision>,
    /// What would be done to containers.
    pub actions: Vec<Act>,
    /// How often people were asked to agree.
    pub approvals: usize,
    /// How many of these questions nobody was asked in the log, so that nobody is assumed to answer them.
    pub unanswered: usize,
    /// Whom the playbook told.
    pub notices: Vec<Arc<str>>,
    /// How it ended; `None` while it is open, or if nobody took it.
    pub verdict: Option<(Verdict, Option<Reason>)>,
    /// How many of the decisions rest on an assumption.
    pub assumed: usize,
    /// How many were taken from the record as they stand.
    pub copied: usize,
}

/// One answer of the gates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// A run began.
    Run {
        /// On what, if it has a target.
        target: Option<Arc<str>>,
        /// Nothing would be changed.
        dry_run: bool,
    },
    /// A refusal.
    Refused {
        /// By which gate.
        gate: Gate,
        /// Why.
        reason: Reason,
        /// About what, if that is known.
        target: Option<Arc<str>>,
    },
}

/// One action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Act {
    /// Its name: `container.restart`.
    pub op: &'static str,
    /// On what.
    pub target: Arc<str>,
    /// Nothing would be changed.
    pub dry_run: bool,
    /// When, in milliseconds since the replay began.
    pub at_ms: u64,
}

impl Outcome {
    /// Which alert it is, in two replays of one history.
    #[must_use]
    pub fn key(&self) -> (usize, Fingerprint) {
        (self.entry, self.alert.fingerprint)
    }

    /// The playbook that took it.
    #[must_use]
    pub fn playbook(&self) -> Option<&Arc<str>> {
        match &self.alert.taken {
            Taken::ByPlaybook { playbook, .. } => Some(playbook),
            Taken::ByNobody(_) => None,
        }
    }

    /// Why nobody took it.
    #[must_use]
    pub fn nobody(&self) -> Option<Reason> {
        match self.alert.taken {
            Taken::ByPlaybook { .. } => None,
            Taken::ByNobody(reason) => Some(reason),
        }
    }
}

/// Everything that a replay decided.
#[derive(Debug, Default)]
pub struct Tally {
    /// In the order in which the alerts came.
    pub outcomes: Vec<Outcome>,
    /// How many alerts could not be read, by the log's own word or by ours.
    pub unreadable: u64,
    of_incident: HashMap<IncidentId, usize>,
    /// Incidents that others opened: the verdict of an alert is that of its own.
    opened: HashSet<IncidentId>,
}

impl Tally {
    /// Takes in one more thing. For `play`.
    pub fn see(&mut self, seen: &Seen<'_>) {
        let (seq, fact) = (seen.record.seq, &seen.record.fact);
        if let Fact::AlertReceived(alert) = fact {
            self.came(seen, (seq, alert));
        } else if let Fact::IncidentOpened(opened) = fact {
            // What an incident opens belongs to its alert.
            let place = self.of_incident.get(&opened.origin.of).copied();
            let id = fact.incident(seq);
            self.of_incident.extend(id.zip(place));
            self.opened.extend(id);
        } else if let Fact::AlertsRejected(rejected) = fact {
            self.unreadable += rejected.count;
        } else if let Some(place) = fact.incident(seq).and_then(|id| self.of_incident.get(&id).copied())
            && let Some(outcome) = self.outcomes.get_mut(place)
        {
            let own = fact.incident(seq).is_none_or(|id| !self.opened.contains(&id));
            outcome.see(seen, own);
        }
    }

    fn came(&mut self, seen: &Seen<'_>, (seq, alert): (Seq, &Arc<AlertReceived>)) {
        if let Some(incident) = seen.record.fact.incident(seq) {
            self.of_incident.insert(incident, self.outcomes.len());
        }
        self.outcomes.push(Outcome {
            entry: seen.entry,
            at: seen.record.at.wall,
            alert: Arc::clone(alert),
            decisions: Vec::new(),
            actions: Vec::new(),
            approvals: 0,
            unanswered: 0,
            notices: Vec::new(),
            verdict: None,
            assumed: 0,
            copied: 0,
        });
    }
}

impl Outcome {
    fn see(&mut self, seen: &Seen<'_>, own: bool) {
        let fact = &seen.record.fact;
        if let Fact::Decided(decided) = fact {
            let target = decided.target.as_ref().map(|target| Arc::from(target.name.as_str()));
            self.decisions.push(match &decided.answer {
                Answer::Run { dry_run, .. } => Decision::Run { target, dry_run: *dry_run },
                Answer::Refused(refusal) => Decision::Refused { gate: refusal.gate, reason: refusal.reason, target },
            });
            match seen.origin {
                Origin::Told => {}
                Origin::Assumed => self.assumed += 1,
                Origin::Copied => self.copied += 1,
            }
        } else if let Fact::ActionIntended(intended) = fact {
            self.actions.push(Act {
                op: intended.action.op(),
                target: intended.target.name.as_str().into(),
                dry_run: intended.dry_run,
                at_ms: seen.state.timeline().remembered().map_or(0, |(_, passed_ms)| passed_ms),
            });
        } else if let Fact::ApprovalRequested(_) = fact {
            self.approvals += 1;
            self.unanswered += usize::from(seen.origin == Origin::Assumed);
        } else if let Fact::NoticeIntended(intended) = fact {
            self.notices.push(intended.notice.notifier.as_str().into());
        } else if let Fact::IncidentClosed(closed) = fact
            && own
        {
            self.verdict = Some((closed.verdict, closed.reason));
        }
    }
}
