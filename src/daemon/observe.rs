//! What the daemon's own log and metrics say about a fact. Nothing is decided here.

use crate::engine::receipt::{Reply, Switched};
use crate::model::action::ActionOutcome;
use crate::model::approval::{ApprovalEnded, ApprovalRequested, VoteCast};
use crate::model::fact::{
    ActionFinished, ActionReconciled, AlertReceived, Answer, Decided, Fact, IncidentClosed, IncidentOpened,
    NoticeFinished, Origin, Record, RequestFinished, Taken,
};
use crate::model::id::{ActId, IncidentId, Seq};
use crate::model::notice::NoticeOutcome;
use crate::model::reason::Reason;
use crate::model::request::RequestOutcome;
use crate::model::stamp::Stamp;
use crate::telemetry::metrics::Metrics;
use std::collections::HashMap;
use std::sync::Arc;

/// Turns facts into metrics and log lines.
#[derive(Debug)]
pub struct Observer {
    metrics: Arc<Metrics>,
    acting: HashMap<ActId, (&'static str, Stamp)>,
    runs: HashMap<IncidentId, (Arc<str>, bool)>,
    telling: HashMap<ActId, String>,
    asking: HashMap<ActId, (Arc<str>, Stamp)>,
}

impl Observer {
    /// Observes into these metrics.
    #[must_use]
    pub fn new(metrics: Arc<Metrics>) -> Self {
        let (acting, runs, telling, asking) = (HashMap::new(), HashMap::new(), HashMap::new(), HashMap::new());
        Self { metrics, acting, runs, telling, asking }
    }

    /// One fact was recorded.
    pub fn observe(&mut self, record: &Record) {
        match &record.fact {
            Fact::AlertReceived(received) => self.received(received, record.seq),
            Fact::IncidentOpened(opened) => self.opened(opened, record.seq),
            Fact::Decided(decided) => self.decided(decided),
            Fact::ActionIntended(intended) => {
                self.acting.insert(intended.act, (intended.action.op(), record.at));
            }
            Fact::ActionFinished(finished) => self.action_finished(finished, record.at),
            Fact::ActionReconciled(reconciled) => action_reconciled(reconciled),
            Fact::NoticeIntended(intended) => {
                self.telling.insert(intended.notice.act, intended.notice.notifier.clone());
            }
            Fact::NoticeFinished(finished) => self.notice_finished(finished),
            Fact::RequestIntended(intended) => {
                self.acting.insert(intended.act, ("http", record.at));
            }
            Fact::RequestFinished(finished) => self.request_finished(finished, record.at),
            Fact::IncidentClosed(closed) => self.closed(closed),
            Fact::LogRecovered(recovered) => {
                let (bytes, quarantine) = (recovered.bytes, &recovered.quarantine);
                tracing::warn!(bytes, quarantine, "the incident log ended in a torn line, which was moved aside");
            }
            Fact::AlertsRejected(rejected) => {
                let (sender, first) = (&*rejected.sender, &rejected.first);
                tracing::warn!(sender.name = sender, count = rejected.count, first, "alerts could not be read");
            }
            Fact::ClockJumped(jump) => {
                let (by_ms, rebooted) = (jump.by_ms, jump.rebooted);
                tracing::warn!(by_ms, rebooted, "the wall clock was set; limits go by the boot clock");
            }
            Fact::ConfigLoaded(loaded) => self.metrics.config_loaded(loaded.playbooks.len(), seconds(&record.at)),
            Fact::ConfigRejected(rejected) => {
                self.metrics.config_rejected();
                tracing::error!(problem = rejected.problem, "not reloaded; what was loaded stays");
            }
            Fact::AttemptEnded(ended) => {
                let (incident, verdict) = (ended.incident, ended.verdict.as_str());
                tracing::warn!(incident.id = %incident, attempt = ended.attempt, verdict, detail = ended.detail, "a try did not help");
            }
            Fact::IncidentRelapsed(relapsed) => {
                tracing::warn!(incident.id = %relapsed.incident, by = %relapsed.by, "what had recovered fell ill again");
            }
            Fact::PauseSet(_)
            | Fact::PauseCleared(_)
            | Fact::BreakerOpened(_)
            | Fact::BreakerReset(_)
            | Fact::StormFrozen(_) => brake(&record.fact),
            Fact::ApprovalRequested(asked) => self.asked(asked, record.at),
            Fact::VoteCast(vote) => voted(vote),
            Fact::ApprovalEnded(ended) => self.approval_ended(ended, record.at),
            Fact::LogOpened(_)
            | Fact::LogClosed
            | Fact::AlertEnded(_)
            | Fact::StateSaved(_)
            | Fact::TargetVerified(_)
            | Fact::StepMarked(_)
            | Fact::StepFinished(_) => {}
        }
    }

    /// A wish that nobody waits to hear about, because it came by a signal, was not fulfilled.
    pub fn unheard(&self, reply: &Reply) {
        match reply {
            Reply::Switched(Switched::HeldByFile(pause)) => {
                tracing::warn!(by = pause.by, reason = pause.reason, "not resumed: the file PAUSE is there; delete it");
            }
            Reply::Switched(Switched::NotPaused(scope)) => tracing::warn!(pause.scope = %scope, "it was not paused"),
            Reply::Switched(Switched::TooMany) => tracing::error!("not paused: too many pauses stand already"),
            Reply::Switched(Switched::NotOpen(target)) => {
                tracing::warn!(container.name = &**target, "its breaker is not open");
            }
            Reply::Switched(
                Switched::Paused { .. }
                | Switched::Resumed(_)
                | Switched::Reset { .. }
                | Switched::Aborted { .. }
                | Switched::ActUnderWay(_)
                | Switched::NoSuchIncident(_),
            )
            | Reply::Alerts(_)
            | Reply::Voted(_)
            | Reply::Reloaded(_)
            | Reply::NotReloaded => {}
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

    fn received(&self, received: &AlertReceived, seq: Seq) {
        match &received.taken {
            Taken::ByPlaybook { playbook, .. } => {
                self.metrics.evaluated(playbook, "matched");
                tracing::info!(
                    incident.id = %IncidentId(seq),
                    playbook.name = %playbook,
                    alert.name = received.labels.value("alertname"),
                    alert.fingerprint = %received.fingerprint,
                    "a playbook takes the alert"
                );
            }
            Taken::ByNobody(Reason::NoMatch | Reason::Duplicate) => self.metrics.evaluated("", "no_match"),
            Taken::ByNobody(reason) => {
                self.metrics.evaluated("", reason.as_str());
                tracing::warn!(
                    reason = reason.as_str(),
                    alert.name = received.labels.value("alertname"),
                    alert.fingerprint = %received.fingerprint,
                    alert.starts_at = received.starts_at.map(tracing::field::display),
                    "refused at first sight"
                );
            }
        }
    }

    fn opened(&mut self, opened: &IncidentOpened, seq: Seq) {
        let Taken::ByPlaybook { playbook, .. } = &opened.alert.taken else { return };
        let Origin { of, cause, left } = &opened.origin;
        let container = left.container.as_ref().map(|container| container.as_str());
        self.metrics.incident_opened(playbook, cause.as_str());
        tracing::info!(
            incident.id = %IncidentId(seq),
            playbook.name = %playbook,
            container.name = container,
            of = %of,
            cause = cause.as_str(),
            "an incident opens another one"
        );
    }

    fn action_finished(&mut self, finished: &ActionFinished, at: Stamp) {
        let (outcome, error) = match &finished.outcome {
            ActionOutcome::Succeeded { .. } => ("succeeded", None),
            ActionOutcome::Failed { error } => ("failed", Some(error.as_str())),
            ActionOutcome::Unknown { error } => ("unknown", Some(error.as_str())),
            ActionOutcome::Rehearsed => ("rehearsed", None),
        };
        self.action_ended(finished.act, outcome, at);
        tracing::info!(incident.id = %finished.act.incident, act.id = %finished.act, outcome, error, "action done");
    }

    fn request_finished(&mut self, finished: &RequestFinished, at: Stamp) {
        let (outcome, error) = match &finished.outcome {
            RequestOutcome::Answered { expected: true, .. } => ("succeeded", None),
            RequestOutcome::Answered { expected: false, .. } => ("failed", Some("another status than expected")),
            RequestOutcome::Failed { error } => ("failed", Some(error.as_str())),
            RequestOutcome::Unknown { error } => ("unknown", Some(error.as_str())),
            RequestOutcome::Rehearsed => ("rehearsed", None),
        };
        self.action_ended(finished.act, outcome, at);
        tracing::info!(incident.id = %finished.act.incident, act.id = %finished.act, outcome, error, "request done");
    }

    fn notice_finished(&mut self, finished: &NoticeFinished) {
        let act = finished.act;
        let notifier = self.telling.remove(&act).unwrap_or_default();
        match &finished.outcome {
            NoticeOutcome::Delivered => self.metrics.notice_ended(&notifier, "delivered"),
            NoticeOutcome::Failed { error } => {
                self.metrics.notice_ended(&notifier, "failed");
                let incident = act.incident;
                tracing::warn!(incident.id = %incident, act.id = %act, notifier.name = notifier, error, "not delivered");
            }
        }
    }

    fn closed(&mut self, closed: &IncidentClosed) {
        let (playbook, dry_run) = self.runs.remove(&closed.incident).unwrap_or_default();
        let verdict = closed.verdict.as_str();
        if !playbook.is_empty() {
            self.metrics.run_ended(&playbook, verdict, dry_run);
        }
        tracing::info!(incident.id = %closed.incident, verdict, detail = closed.detail, "incident closed");
    }

    fn asked(&mut self, asked: &ApprovalRequested, at: Stamp) {
        let (id, what, who) = (asked.approval, &asked.what, asked.who());
        self.asking.insert(id, (Arc::clone(&asked.playbook), at));
        tracing::warn!(incident.id = %id.incident, act.id = %id, playbook.name = %asked.playbook, what, who, "people are asked");
    }

    fn approval_ended(&mut self, ended: &ApprovalEnded, at: Stamp) {
        let (id, outcome) = (ended.approval, ended.outcome.as_str());
        if let Some((playbook, since)) = self.asking.remove(&id) {
            self.metrics.approval_ended(&playbook, outcome, at.since(&since));
        }
        tracing::info!(incident.id = %id.incident, act.id = %id, outcome, detail = ended.detail, "approval ended");
    }

    fn action_ended(&mut self, act: ActId, outcome: &'static str, at: Stamp) {
        if let Some((op, began)) = self.acting.remove(&act) {
            self.metrics.action_ended(op, outcome, at.since(&began));
        }
    }
}

fn voted(vote: &VoteCast) {
    let (id, person, channel) = (vote.ballot.approval, &vote.ballot.person, &vote.ballot.channel);
    let (approve, answer) = (vote.ballot.approve, vote.answer.as_str());
    tracing::info!(incident.id = %id.incident, act.id = %id, person, channel, approve, answer, "a vote");
}

fn action_reconciled(reconciled: &ActionReconciled) {
    let (act, finding, detail) = (reconciled.act, reconciled.finding.as_str(), &reconciled.detail);
    tracing::info!(incident.id = %act.incident, act.id = %act, finding, detail, "action reconciled");
}

/// What holds actions back beyond one decision: an operator must see when it begins and when it ends.
fn brake(fact: &Fact) {
    if let Fact::PauseSet(pause) = fact {
        let scope = pause.scope.to_string();
        tracing::warn!(pause.scope = scope, by = pause.by, reason = pause.reason, "paused");
    } else if let Fact::PauseCleared(cleared) = fact {
        let scope = cleared.scope.to_string();
        tracing::warn!(pause.scope = scope, by = cleared.by, reason = cleared.reason, "resumed");
    } else if let Fact::BreakerOpened(opened) = fact {
        let (target, failures) = (&*opened.target, opened.failures);
        tracing::error!(container.name = target, failures, "runs do not help: the breaker is open, somebody must look");
    } else if let Fact::BreakerReset(reset) = fact {
        tracing::warn!(container.name = &*reset.target, by = reset.by, reason = reset.reason, "breaker reset");
    } else if let Fact::StormFrozen(storm) = fact {
        tracing::error!(alerts = storm.alerts, "a storm of alerts: nothing is done for a while");
    }
}

#[expect(clippy::cast_precision_loss, reason = "a gauge of seconds")]
fn seconds(at: &Stamp) -> f64 {
    at.wall.timestamp_millis() as f64 / 1000.0
}
