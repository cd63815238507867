//! Every thing that can be recorded, in the past tense. [`Fact`] is the closed list; `record/` writes each as one line.
//!
//! `State::apply` changes the state from facts alone, so whatever must survive a restart is in here.

use super::action::{Action, ActionOutcome, Reconciled, TargetIdent, TargetVitals};
use super::approval::{ApprovalEnded, ApprovalOutcome, ApprovalRequested, VoteCast};
use super::container::TargetReport;
use super::id::{ActId, IncidentId, Seq};
use super::incident::{AttemptNumber, EpisodeEnd, FirstSight, Verdict};
use super::label::{Fingerprint, Labels};
use super::limit::LimitKey;
use super::memory::Memory;
use super::notice::{Notice, NoticeOutcome};
use super::pause::{Pause, PauseScope};
use super::reason::{Gate, Reason};
use super::request::RequestOutcome;
use super::stamp::Stamp;
use super::step::StepMark;
pub use super::taken::Taken;
use super::target::{ContainerId, ContainerName};
use super::testimony::Testimony;
use chrono::{DateTime, Utc};
use std::sync::Arc;
use std::time::Duration;

/// A fact with its place in the log.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Its number.
    pub seq: Seq,
    /// When it was decided.
    pub at: Stamp,
    /// What happened.
    pub fact: Fact,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Fact {
    /// The daemon started to write.
    LogOpened(LogOpened),
    /// The daemon stopped in good order.
    LogClosed,
    /// The log ended in a torn line, which was moved aside.
    LogRecovered(LogRecovered),
    /// Settings and playbooks were loaded.
    ConfigLoaded(ConfigLoaded),
    /// Settings or playbooks could not be loaded; the ones before stay.
    ConfigRejected(ConfigRejected),
    /// The wall clock was found to have been set.
    ClockJumped(ClockJumped),
    /// An episode was seen for the first time.
    AlertReceived(Arc<AlertReceived>),
    /// An episode ended.
    AlertEnded(AlertEnded),
    /// An incident opened another one, which bears this record's number.
    IncidentOpened(IncidentOpened),
    /// Alerts of a notification could not be read.
    AlertsRejected(AlertsRejected),
    /// The gates said yes or no.
    Decided(Decided),
    /// A step that changed nothing came to its end: capture, verify, wait, notify, approve, a pause of the playbook, and
    /// whatever was not needed, not wanted, or refused.
    StepFinished(StepFinished),
    /// Something about a step that is not its end.
    StepMarked(StepMarked),
    /// A request to another system is about to be sent.
    RequestIntended(RequestIntended),
    /// It was answered, or not.
    RequestFinished(RequestFinished),
    /// An action is about to be sent.
    ActionIntended(ActionIntended),
    /// The call came back, or not.
    ActionFinished(ActionFinished),
    /// Looking showed what became of an action without an answer.
    ActionReconciled(ActionReconciled),
    /// A message is about to be sent.
    NoticeIntended(NoticeIntended),
    /// Sending it went well, or not.
    NoticeFinished(NoticeFinished),
    /// The target recovered; a verify step still waits for its alert to end.
    TargetVerified(TargetVerified),
    /// A try came to its end without success, and it was not the last: another may follow.
    AttemptEnded(AttemptEnded),
    /// An incident came to its end.
    IncidentClosed(IncidentClosed),
    /// What an incident had recovered fell ill again too soon.
    IncidentRelapsed(IncidentRelapsed),
    /// Somebody held something back.
    PauseSet(Pause),
    /// A pause ended.
    PauseCleared(PauseCleared),
    /// A target failed to recover too often: nothing is done to it until it is due a trial, or somebody resets it.
    BreakerOpened(BreakerOpened),
    /// Somebody closed a breaker.
    BreakerReset(BreakerReset),
    /// Too many alerts came at once: nothing is done for a while.
    StormFrozen(StormFrozen),
    /// People are asked whether a plan may be carried out.
    ApprovalRequested(Box<ApprovalRequested>),
    /// Somebody said yes or no to it, or tried to.
    VoteCast(VoteCast),
    /// It is decided, or there is nothing to decide any more.
    ApprovalEnded(ApprovalEnded),
    /// All that is known, in one record: what came before need not be read any more.
    StateSaved(Box<Memory>),
}

/// See [`Fact::LogOpened`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogOpened {
    /// Version of the daemon.
    pub version: String,
    /// Name of the machine or container.
    pub hostname: String,
    /// Whether the whole daemon is in dry-run.
    pub dry_run: bool,
    /// What the first Docker host is called: where a record names no host, it means this one. `None` in older logs.
    pub first_host: Option<String>,
}

/// See [`Fact::LogRecovered`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRecovered {
    /// How many bytes were cut off.
    pub bytes: u64,
    /// SHA-256 of those bytes, hex.
    pub sha256: String,
    /// Where in the segment they stood.
    pub offset: u64,
    /// The file they were moved to, relative to the log's directory.
    pub quarantine: String,
}

/// See [`Fact::ConfigLoaded`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigLoaded {
    /// Each file with the SHA-256 of its bytes, hex.
    pub files: Vec<(String, String)>,
    /// Each playbook's name and revision.
    pub playbooks: Vec<(String, String)>,
    /// Whether the whole daemon is in dry-run.
    pub dry_run: bool,
    /// Whether a running daemon was told to read them anew.
    pub reloaded: bool,
    /// Who told it so; `None` at a start, and in logs of earlier versions.
    pub by: Option<String>,
}

/// See [`Fact::ConfigRejected`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigRejected {
    /// The first problem, with its place, and how many more there are.
    pub problem: String,
    /// Who told it to; `None` in logs of earlier versions.
    pub by: Option<String>,
}

/// See [`Fact::TargetVerified`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetVerified {
    /// The incident.
    pub incident: IncidentId,
    /// The step.
    pub step: StepRef,
    /// How long it took.
    pub elapsed: Duration,
    /// In words, what was seen.
    pub detail: String,
}

/// See [`Fact::AttemptEnded`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptEnded {
    /// The incident.
    pub incident: IncidentId,
    /// Which try, from 1.
    pub attempt: u32,
    /// How it ended; never `recovered`.
    pub verdict: Verdict,
    /// In words.
    pub detail: String,
}

/// See [`Fact::IncidentRelapsed`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IncidentRelapsed {
    /// The incident that had closed as recovered.
    pub incident: IncidentId,
    /// The incident that shows that it did not last.
    pub by: IncidentId,
}

/// See [`Fact::PauseCleared`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PauseCleared {
    /// What is no longer held back.
    pub scope: PauseScope,
    /// Who ended it; `sickbay` where its time was over.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// See [`Fact::BreakerOpened`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BreakerOpened {
    /// The incident whose end opened it.
    pub incident: IncidentId,
    /// The target's name.
    pub target: Arc<str>,
    /// How many runs in a row did not help.
    pub failures: u32,
    /// How long nothing is done; after that, one trial.
    pub open_for: Duration,
}

/// See [`Fact::BreakerReset`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BreakerReset {
    /// The target's name.
    pub target: Arc<str>,
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// See [`Fact::StormFrozen`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StormFrozen {
    /// How many alerts were taken by acting playbooks.
    pub alerts: u32,
    /// In which time.
    pub per: Duration,
    /// For how long nothing is done.
    pub freeze: Duration,
}

/// See [`Fact::ClockJumped`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockJumped {
    /// By how many milliseconds: ahead if positive, back if negative.
    pub by_ms: i64,
    /// Whether the machine was rebooted in between: then only a clock that was set back is noticed.
    pub rebooted: bool,
}

/// See [`Fact::AlertReceived`]. If a playbook took the alert, this record opens the incident, which bears its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertReceived {
    /// The alert's identity.
    pub fingerprint: Fingerprint,
    /// Its labels.
    pub labels: Labels,
    /// Its annotations.
    pub annotations: Labels,
    /// When the sender says it began.
    pub starts_at: Option<DateTime<Utc>>,
    /// Link to the expression that fired.
    pub generator_url: Box<str>,
    /// Which sender.
    pub sender: Arc<str>,
    /// The sender's receiver name.
    pub receiver_name: Arc<str>,
    /// The sender's group key.
    pub group_key: Arc<str>,
    /// Why it is a new record.
    pub sight: FirstSight,
    /// What became of it at once.
    pub taken: Taken,
}

/// See [`Fact::AlertEnded`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertEnded {
    /// The alert's identity.
    pub fingerprint: Fingerprint,
    /// The incident of this episode, if there was one.
    pub incident: Option<IncidentId>,
    /// How we know.
    pub end: EpisodeEnd,
    /// When the sender says it ended.
    pub ends_at: Option<DateTime<Utc>>,
}

/// See [`Fact::IncidentOpened`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IncidentOpened {
    /// The alert, as taken by the new incident's playbook in its revision.
    pub alert: Arc<AlertReceived>,
    /// Which incident opened it, and why.
    pub origin: Origin,
}

/// Where an incident comes from that no alert opened by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The incident that opened it.
    pub of: IncidentId,
    /// Why.
    pub cause: Cause,
    /// What that incident left.
    pub left: Left,
}

/// Why an incident opened another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Its run is over and its alert has resolved: the playbook's `on_resolved` is next.
    Resolved,
    /// Its playbook's selector matches this container as well.
    FurtherTarget(ContainerId),
}

impl Cause {
    /// The stable code, as written in the log.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Resolved => "resolved",
            Self::FurtherTarget(_) => "further_target",
        }
    }
}

/// What an incident leaves to the one that it opens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Left {
    /// The name of the container that is meant; `None` if it had no target.
    pub container: Option<ContainerName>,
    /// The container that it stopped and did not start again, if it did that.
    pub stopped: Option<Stopped>,
    /// Whether it changed nothing because it was a dry run: then neither does the next.
    pub dry_run: bool,
}

/// A container as a run left it down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// Which.
    pub container: ContainerId,
    /// When it had been started before it was stopped: with another start it is not as it was left.
    pub started_at: String,
}

/// See [`Fact::AlertsRejected`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertsRejected {
    /// Which sender.
    pub sender: Arc<str>,
    /// How many.
    pub count: u64,
    /// The first one's place in the body and what was wrong with it.
    pub first: String,
}

/// See [`Fact::Decided`].
#[derive(Clone, Debug, PartialEq)]
pub struct Decided {
    /// The incident it is about.
    pub incident: IncidentId,
    /// The playbook.
    pub playbook: Arc<str>,
    /// The target, once known.
    pub target: Option<TargetIdent>,
    /// Yes or no.
    pub answer: Answer,
    /// What Docker showed of the target, as far as a gate may look at it; `None` if nobody asked. For replays: the state
    /// does not keep it.
    pub look: Option<Arc<TargetReport>>,
}

/// What the gates said.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// Go ahead.
    Run {
        /// Nothing will be changed.
        dry_run: bool,
        /// SHA-256 of the plan, hex, or `None` if the playbook has no action.
        plan: Option<String>,
        /// Which try of the playbook begins.
        attempt: AttemptNumber,
        /// The labels by which `limits` count, each with its value; empty where they count by `scope`.
        key: LimitKey,
    },
    /// No.
    Refused(Refusal),
}

/// A gate's no.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    /// Which gate.
    pub gate: Gate,
    /// Why.
    pub reason: Reason,
    /// In words, with the values the gate saw.
    pub detail: String,
    /// The values the gate saw, by name: durations in Prometheus' grammar, numbers in decimal digits.
    pub inputs: Vec<(String, String)>,
    /// How long until the same question may have another answer. Asked again when the alert is delivered again, and
    /// between two tries by itself.
    pub retry_after: Duration,
}

impl Refusal {
    /// Notes a value that the gate saw.
    #[must_use]
    pub fn saw(mut self, name: &str, value: impl std::fmt::Display) -> Self {
        self.inputs.push((name.to_owned(), value.to_string()));
        self
    }
}

/// Which list of a playbook a step stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Branch {
    /// `steps`
    Steps,
    /// `on_failure`
    OnFailure,
    /// `on_denied`
    OnDenied,
    /// `on_resolved`
    OnResolved,
}

impl Branch {
    /// Every list.
    pub const ALL: [Self; 4] = [Self::Steps, Self::OnFailure, Self::OnDenied, Self::OnResolved];

    /// The key in the playbook.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Steps => "steps",
            Self::OnFailure => "on_failure",
            Self::OnDenied => "on_denied",
            Self::OnResolved => "on_resolved",
        }
    }
}

/// A step's place in its playbook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepRef {
    /// Which list.
    pub branch: Branch,
    /// Its place in the list, from 0.
    pub index: usize,
    /// Its `id` if it has one.
    pub id: Option<Arc<str>>,
    /// Its key in the playbook.
    pub verb: &'static str,
}

/// See [`Fact::StepFinished`].
#[derive(Clone, Debug, PartialEq)]
pub struct StepFinished {
    /// The incident.
    pub incident: IncidentId,
    /// The step.
    pub step: StepRef,
    /// How long it took.
    pub elapsed: Duration,
    /// How it went.
    pub result: StepResult,
}

/// How a step that changes nothing went.
#[derive(Clone, Debug, PartialEq)]
pub enum StepResult {
    /// Evidence, as one JSON object: bounded, redacted, untrusted.
    Captured(serde_json::Value),
    /// The target recovered; in words, what was seen.
    Verified(String),
    /// The target did not recover; in words, what was seen.
    NotVerified(String),
    /// It could not be done; in words, why.
    Failed(String),
    /// The time is over.
    Waited,
    /// All messages of a notify step were sent or given up.
    Notified,
    /// Left out, because a dry run changed nothing that could be verified.
    Skipped,
    /// Nothing was sent: the target was already as the step wants it; in words, how.
    NotNeeded(String),
    /// People agreed to what follows; in words, who.
    Approved(String),
    /// Left out, because its `if` is false; in words, with the values it saw.
    ConditionFalse(String),
    /// Its playbook is paused; in words, for how long and by whom.
    Paused(String),
}

/// See [`Fact::StepMarked`].
#[derive(Clone, Debug, PartialEq)]
pub struct StepMarked {
    /// The incident.
    pub incident: IncidentId,
    /// The step.
    pub step: StepRef,
    /// What is noted.
    pub mark: StepMark,
    /// In words.
    pub detail: String,
    /// What Docker showed of the target, if its `if` looks at it.
    pub look: Option<Arc<TargetReport>>,
    /// What Alertmanager said about the alert, if it was asked before an act or a request.
    pub witness: Option<Testimony>,
}

/// See [`Fact::RequestIntended`]. What is sent is kept without secrets, and cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestIntended {
    /// Names the request.
    pub act: ActId,
    /// The playbook, for the limits.
    pub playbook: Arc<str>,
    /// The step.
    pub step: StepRef,
    /// `GET`, `POST`, `PUT`, `PATCH` or `DELETE`.
    pub method: String,
    /// Where.
    pub url: String,
    /// What is sent, in one line; `None` for nothing.
    pub body: Option<String>,
    /// How long the body is, in bytes.
    pub body_len: u64,
    /// After this time without an answer nobody waits any longer.
    pub deadline: Duration,
    /// Nothing will be sent.
    pub dry_run: bool,
    /// What Alertmanager said about the alert right before; `None` if it was not asked.
    pub witness: Option<Testimony>,
}

/// See [`Fact::RequestFinished`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestFinished {
    /// Names the request.
    pub act: ActId,
    /// How it went.
    pub outcome: RequestOutcome,
}

/// See [`Fact::ActionIntended`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionIntended {
    /// Names the action.
    pub act: ActId,
    /// The playbook, for the limits.
    pub playbook: Arc<str>,
    /// What.
    pub action: Action,
    /// On what.
    pub target: TargetIdent,
    /// The target before.
    pub pre: TargetVitals,
    /// After this time without an answer, look instead of waiting.
    pub deadline: Duration,
    /// The step's own `timeout`, from its first act on: what it has not begun by then is not begun, and what comes back
    /// later has failed. It never shortens the waiting for an answer.
    pub timeout: Option<Duration>,
    /// SHA-256 of the plan, hex.
    pub plan: String,
    /// The target is a dependent of the incident's own target.
    pub dependent: bool,
    /// Running containers in the target's namespaces, to be restarted after it.
    pub dependents: Vec<TargetIdent>,
    /// Nothing will be sent.
    pub dry_run: bool,
    /// What Alertmanager said about the alert right before; `None` if it was not asked.
    pub witness: Option<Testimony>,
    /// As in a decision: what the gates saw when they were asked for the last time.
    pub look: Option<Arc<TargetReport>>,
}

/// See [`Fact::ActionFinished`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionFinished {
    /// Names the action.
    pub act: ActId,
    /// How the call went.
    pub outcome: ActionOutcome,
}

/// See [`Fact::ActionReconciled`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionReconciled {
    /// Names the action.
    pub act: ActId,
    /// What looking showed.
    pub finding: Reconciled,
    /// The target as found, if there is one.
    pub post: Option<TargetVitals>,
    /// In words.
    pub detail: String,
}

/// See [`Fact::NoticeIntended`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoticeIntended {
    /// The message.
    pub notice: Notice,
}

/// See [`Fact::NoticeFinished`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoticeFinished {
    /// Names the message.
    pub act: ActId,
    /// How it went.
    pub outcome: NoticeOutcome,
}

/// See [`Fact::IncidentClosed`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IncidentClosed {
    /// The incident.
    pub incident: IncidentId,
    /// How it ended.
    pub verdict: Verdict,
    /// Why, where the verdict alone does not say.
    pub reason: Option<Reason>,
    /// In words.
    pub detail: String,
}

impl Fact {
    /// Its name in the log.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::LogOpened(_) => "log.open",
            Self::LogClosed => "log.close",
            Self::LogRecovered(_) => "log.recovered",
            Self::ConfigLoaded(_) => "config.loaded",
            Self::ConfigRejected(_) => "config.rejected",
            Self::ClockJumped(_) => "clock.jump",
            Self::AlertReceived(_) => "alert.received",
            Self::AlertEnded(_) => "alert.ended",
            Self::IncidentOpened(_) => "incident.opened",
            Self::AlertsRejected(_) => "alert.rejected_summary",
            Self::Decided(_) => "decision",
            Self::StepFinished(_) => "step.finished",
            Self::StepMarked(_) => "step.marked",
            Self::RequestIntended(_) => "http.intent",
            Self::RequestFinished(_) => "http.outcome",
            Self::ActionIntended(_) => "action.intent",
            Self::ActionFinished(_) => "action.outcome",
            Self::ActionReconciled(_) => "action.reconciled",
            Self::NoticeIntended(_) => "notify.intent",
            Self::NoticeFinished(_) => "notify.outcome",
            Self::TargetVerified(_) => "verify.target",
            Self::AttemptEnded(_) => "attempt.ended",
            Self::IncidentClosed(_) => "incident.closed",
            Self::IncidentRelapsed(_) => "incident.relapsed",
            Self::PauseSet(_) => "pause.set",
            Self::PauseCleared(_) => "pause.cleared",
            Self::BreakerOpened(_) => "breaker.opened",
            Self::BreakerReset(_) => "breaker.reset",
            Self::StormFrozen(_) => "storm.frozen",
            Self::ApprovalRequested(_) => "approval.requested",
            Self::VoteCast(_) => "approval.vote",
            Self::ApprovalEnded(ended) => match ended.outcome {
                ApprovalOutcome::Approved => "approval.approved",
                ApprovalOutcome::Denied => "approval.denied",
                ApprovalOutcome::Expired => "approval.expired",
                ApprovalOutcome::Superseded => "approval.superseded",
                ApprovalOutcome::Cancelled => "approval.cancelled",
            },
            Self::StateSaved(_) => "state.saved",
        }
    }

    /// The incident it belongs to. A record that opens an incident is named by its own number.
    #[must_use]
    pub fn incident(&self, seq: Seq) -> Option<IncidentId> {
        match self {
            Self::LogOpened(_)
            | Self::LogClosed
            | Self::LogRecovered(_)
            | Self::ConfigLoaded(_)
            | Self::ConfigRejected(_)
            | Self::ClockJumped(_)
            | Self::PauseSet(_)
            | Self::PauseCleared(_)
            | Self::BreakerReset(_)
            | Self::StormFrozen(_)
            | Self::StateSaved(_)
            | Self::AlertsRejected(_) => None,
            Self::AlertReceived(received) => match received.taken {
                Taken::ByPlaybook { .. } => Some(IncidentId(seq)),
                Taken::ByNobody(_) => None,
            },
            Self::AlertEnded(ended) => ended.incident,
            Self::IncidentOpened(_) => Some(IncidentId(seq)),
            Self::Decided(decided) => Some(decided.incident),
            Self::StepFinished(step) => Some(step.incident),
            Self::StepMarked(marked) => Some(marked.incident),
            Self::RequestIntended(intended) => Some(intended.act.incident),
            Self::RequestFinished(finished) => Some(finished.act.incident),
            Self::ActionIntended(intended) => Some(intended.act.incident),
            Self::ActionFinished(finished) => Some(finished.act.incident),
            Self::ActionReconciled(reconciled) => Some(reconciled.act.incident),
            Self::NoticeIntended(intended) => Some(intended.notice.act.incident),
            Self::NoticeFinished(finished) => Some(finished.act.incident),
            Self::TargetVerified(verified) => Some(verified.incident),
            Self::AttemptEnded(ended) => Some(ended.incident),
            Self::IncidentClosed(closed) => Some(closed.incident),
            Self::IncidentRelapsed(relapsed) => Some(relapsed.incident),
            Self::BreakerOpened(opened) => Some(opened.incident),
            Self::ApprovalRequested(requested) => Some(requested.approval.incident),
            Self::VoteCast(vote) => Some(vote.ballot.approval.incident),
            Self::ApprovalEnded(ended) => Some(ended.approval.incident),
        }
    }
}
