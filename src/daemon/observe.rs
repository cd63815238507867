//! What the daemon's own log and metrics say about a fact. Nothing is decided here.

use crate::model::action::ActionOutcome;
use crate::model::fact::{Answer, Decided, Fact, Record, Taken};
use crate::model::id::ActId;
use crate::model::notice::NoticeOutcome;
use crate::model::stamp::Stamp;
use crate::telemetry::metrics::Metrics;
use std::collections::HashMap;
use std::sync::Arc;

/// Turns facts into metrics and log lines.
#[derive(Debug)]
pub struct Observer {
    metrics: Arc<Metrics>,
    acting: HashMap<ActId, (&'static str, Stamp)>,
    runs: HashMap<crate::model::id::IncidentId, (Arc<str>, bool)>,
    telling: HashMap<ActId, String>,
}

impl Observer {
    /// Observes into these metrics.
    #[must_use]
    pub fn new(metrics: Arc<Metrics>) -> Self {
        Self { metrics, acting: HashMap::new(), runs: HashMap::new(), telling: HashMap::new() }
    }

    /// One fact was recorded.
    pub fn observe(&mut self, record: &Record) {
        let incident = record.fact.incident(record.seq);
        match &record.fact {
            Fact::AlertReceived(received) => match &received.taken {
                Taken::ByPlaybook { playbook, .. } => {
                    self.metrics.evaluated(playbook, "matched");
                    let alertname = received.labels.value("alertname");
                    tracing::info!(
                        incident.id = incident.map(tracing::field::display),
                        playbook.name = %playbook,
                        alert.name = alertname,
                        alert.fingerprint = %received.fingerprint,
                        "a playbook takes the alert"
                    );
                }
                Taken::ByNobody(reason) => self.metrics.evaluated("", reason.as_str()),
            },
            Fact::Decided(decided) => self.decided(decided),
            Fact::ActionIntended(intended) => {
                self.acting.insert(intended.act, (intended.action.op(), record.at));
            }
            Fact::ActionFinished(finished) => {
                let (outcome, error) = match &finished.outcome {
                    ActionOutcome::Succeeded { .. } => ("succeeded", None),
                    ActionOutcome::Failed { error } => ("failed", Some(error)),
                    ActionOutcome::Unknown { error } => ("unknown", Some(error)),
                    ActionOutcome::Rehearsed => ("rehearsed", None),
                };
                self.action_ended(finished.act, outcome, record.at);
                let error = error.map(String::as_str);
                tracing::info!(incident.id = %finished.act.incident, act.id = %finished.act, outcome, error, "action done");
            }
            Fact::ActionReconciled(reconciled) => {
                let (finding, detail) = (reconciled.finding.as_str(), &reconciled.detail);
                let act = reconciled.act;
                tracing::info!(incident.id = %act.incident, act.id = %act, finding, detail, "action reconciled");
            }
            Fact::NoticeIntended(intended) => {
                self.telling.insert(intended.notice.act, intended.notice.notifier.clone());
            }
            Fact::NoticeFinished(finished) => {
                let notifier = self.telling.remove(&finished.act).unwrap_or_default();
                match &finished.outcome {
                    NoticeOutcome::Delivered => self.metrics.notice_ended(&notifier, "delivered"),
                    NoticeOutcome::Failed { error } => {
                        self.metrics.notice_ended(&notifier, "failed");
                        let act = finished.act;
                        tracing::warn!(incident.id = %act.incident, act.id = %act, notifier.name = notifier, error, "a message was not delivered");
                    }
                }
            }
            Fact::IncidentClosed(closed) => {
                let (playbook, dry_run) = self.runs.remove(&closed.incident).unwrap_or_default();
                let verdict = closed.verdict.as_str();
                if !playbook.is_empty() {
                    self.metrics.run_ended(&playbook, verdict, dry_run);
                }
                tracing::info!(incident.id = %closed.incident, verdict, detail = closed.detail, "incident closed");
            }
            Fact::LogRecovered(recovered) => {
                let (bytes, quarantine) = (recovered.bytes, &recovered.quarantine);
                tracing::warn!(bytes, quarantine, "the incident log ended in a torn line, which was moved aside");
            }
            Fact::AlertsRejected(rejected) => {
                let (sender, first) = (&*rejected.sender, &rejected.first);
                tracing::warn!(sender.name = sender, count = rejected.count, first, "alerts could not be read");
            }
            Fact::LogOpened(_)
            | Fact::LogClosed
            | Fact::ConfigLoaded(_)
            | Fact::AlertEnded(_)
            | Fact::StepFinished(_) => {}
        }
    }

    fn decided(&mut self, decided: &Decided) {
        let target = decided.target.as_ref().map(|target| target.name.as_str());
        match &decided.answer {
            Answer::Run { dry_run, .. } => {
                self.runs.insert(decided.incident, (Arc::clone(&decided.playbook), *dry_run));
                self.metrics.evaluated(&decided.playbook, "run");
                tracing::info!(incident.id = %decided.incident, playbook.name = %decided.playbook, container.name = target, dry_run, "the gates say yes");
            }
            Answer::Refused(refusal) => {
                let reason = refusal.reason.as_str();
                self.metrics.suppressed(&decided.playbook, reason);
                tracing::warn!(
                    incident.id = %decided.incident,
                    playbook.name = %decided.playbook,
                    container.name = target,
                    gate = refusal.gate.as_str(),
                    reason,
                    detail = refusal.detail,
                    "refused"
                );
            }
        }
    }

    fn action_ended(&mut self, act: ActId, outcome: &'static str, at: Stamp) {
        if let Some((op, began)) = self.acting.remove(&act) {
            self.metrics.action_ended(op, outcome, at.since(&began));
        }
    }
}
