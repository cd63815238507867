//! What a record tells, as one line of plain words.

use super::printable::{printable, span};
use crate::model::action::{Action, ActionOutcome, TargetIdent, Vitals};
use crate::model::fact::{
    ActionFinished, ActionIntended, ActionReconciled, AlertEnded, AlertReceived, Answer, AttemptEnded, BreakerOpened,
    BreakerReset, ClockJumped, ConfigLoaded, Decided, Fact, IncidentClosed, LogOpened, LogRecovered, NoticeFinished,
    PauseCleared, Refusal, StepFinished, StepResult, StormFrozen, Taken,
};
use crate::model::incident::EpisodeEnd;
use crate::model::notice::{Notice, NoticeOutcome};
use crate::model::pause::Pause;
use crate::model::testimony::{Says, Testimony};
use serde_json::Value;
use std::time::Duration;

/// A fact in words, safe for a terminal.
pub(in crate::cli) fn words(fact: &Fact) -> String {
    let text = match fact {
        Fact::LogOpened(opened) => log_opened(opened),
        Fact::LogClosed => "sickbay stopped in good order".to_owned(),
        Fact::LogRecovered(LogRecovered { bytes, quarantine, .. }) => {
            format!("the log ended in a torn record: {bytes} bytes were moved to {quarantine}")
        }
        Fact::ConfigLoaded(ConfigLoaded { files, playbooks, dry_run, reloaded }) => {
            let verb = if *reloaded { "reloaded" } else { "loaded" };
            format!("{verb} {} playbooks from {} files{}", playbooks.len(), files.len(), dry(*dry_run))
        }
        Fact::ConfigRejected(rejected) => format!("not reloaded, what was loaded stays: {}", rejected.problem),
        Fact::ClockJumped(jump) => clock_jumped(*jump),
        Fact::AlertReceived(received) => alert_received(received),
        Fact::AlertEnded(ended) => alert_ended(ended),
        Fact::AlertsRejected(rejected) => {
            format!("{} alerts from {} could not be read: {}", rejected.count, rejected.sender, rejected.first)
        }
        Fact::Decided(decided) => decision(decided),
        Fact::StepFinished(finished) => step(finished),
        Fact::ActionIntended(intended) => intent(intended),
        Fact::ActionFinished(ActionFinished { act, outcome }) => format!("{act} {}", action_outcome(outcome)),
        Fact::ActionReconciled(reconciled) => format!("{} {}", reconciled.act, finding(reconciled)),
        Fact::NoticeIntended(intended) => notice(&intended.notice),
        Fact::NoticeFinished(NoticeFinished { act, outcome }) => format!("{act} {}", notice_outcome(outcome)),
        Fact::TargetVerified(verified) => {
            format!(
                "the target recovered, seen for {}: {}; its alert still fires",
                span(verified.elapsed),
                verified.detail
            )
        }
        Fact::AttemptEnded(AttemptEnded { attempt, verdict, detail, .. }) => {
            format!("try {attempt} ended as {verdict}: {detail}")
        }
        Fact::IncidentClosed(closed) => closing(closed),
        Fact::IncidentRelapsed(relapsed) => format!("it did not last: {} is about the same target", relapsed.by),
        Fact::PauseSet(_)
        | Fact::PauseCleared(_)
        | Fact::BreakerOpened(_)
        | Fact::BreakerReset(_)
        | Fact::StormFrozen(_) => brake(fact),
        Fact::StateSaved(memory) => format!(
            "all that is known: {} episodes, {} open incidents, {} attempts",
            memory.episodes.len(),
            memory.incidents.len(),
            memory.attempts.len()
        ),
    };
    printable(&text).into_owned()
}

/// What kind of line it is in the tree of an incident.
pub(in crate::cli) fn heading(fact: &Fact) -> &'static str {
    match fact {
        Fact::LogOpened(_) | Fact::LogClosed | Fact::LogRecovered(_) => "log",
        Fact::ConfigLoaded(_) | Fact::ConfigRejected(_) => "config",
        Fact::ClockJumped(_) => "clock",
        Fact::AlertReceived(_) | Fact::AlertEnded(_) | Fact::AlertsRejected(_) => "alert",
        Fact::Decided(_) => "decision",
        Fact::StepFinished(finished) => finished.step.verb,
        Fact::ActionIntended(_) | Fact::ActionFinished(_) | Fact::ActionReconciled(_) => "action",
        Fact::NoticeIntended(_) | Fact::NoticeFinished(_) => "notice",
        Fact::TargetVerified(_) => "verify",
        Fact::AttemptEnded(_) => "try",
        Fact::IncidentClosed(_) => "closed",
        Fact::IncidentRelapsed(_) => "relapsed",
        Fact::PauseSet(_) | Fact::PauseCleared(_) => "pause",
        Fact::BreakerOpened(_) | Fact::BreakerReset(_) => "breaker",
        Fact::StormFrozen(_) => "storm",
        Fact::StateSaved(_) => "state",
    }
}

fn dry(dry_run: bool) -> &'static str {
    if dry_run { " (dry run)" } else { "" }
}

/// What holds actions back beyond one decision.
fn brake(fact: &Fact) -> String {
    match fact {
        Fact::PauseSet(Pause { scope, by, reason, length }) => {
            let length =
                length.map_or_else(|| "until somebody resumes".to_owned(), |length| format!("for {}", span(length)));
            format!("{scope} paused {length} by {by}: {reason}")
        }
        Fact::PauseCleared(PauseCleared { scope, by, reason }) => format!("{scope} resumed by {by}: {reason}"),
        Fact::BreakerOpened(BreakerOpened { target, failures, open_for, .. }) => {
            format!("{failures} runs on {target} did not help: nothing is done to it for {}", span(*open_for))
        }
        Fact::BreakerReset(BreakerReset { target, by, reason }) => format!("{target} reset by {by}: {reason}"),
        Fact::StormFrozen(StormFrozen { alerts, per, freeze }) => {
            format!("{alerts} alerts within {}: nothing is done for {}", span(*per), span(*freeze))
        }
        Fact::LogOpened(_)
        | Fact::LogClosed
        | Fact::LogRecovered(_)
        | Fact::ConfigLoaded(_)
        | Fact::ConfigRejected(_)
        | Fact::ClockJumped(_)
        | Fact::StateSaved(_)
        | Fact::AlertReceived(_)
        | Fact::AlertEnded(_)
        | Fact::AlertsRejected(_)
        | Fact::Decided(_)
        | Fact::StepFinished(_)
        | Fact::TargetVerified(_)
        | Fact::AttemptEnded(_)
        | Fact::ActionIntended(_)
        | Fact::ActionFinished(_)
        | Fact::ActionReconciled(_)
        | Fact::NoticeIntended(_)
        | Fact::NoticeFinished(_)
        | Fact::IncidentClosed(_)
        | Fact::IncidentRelapsed(_) => String::new(),
    }
}

fn clock_jumped(ClockJumped { by_ms, rebooted }: ClockJumped) -> String {
    let by = span(Duration::from_millis(by_ms.unsigned_abs()));
    let way = if by_ms < 0 { "back" } else { "ahead" };
    let rebooted = if rebooted { ", across a reboot" } else { "" };
    format!("the wall clock was set {way} by {by}{rebooted}; limits go by the boot clock")
}

fn log_opened(LogOpened { version, hostname, dry_run }: &LogOpened) -> String {
    format!("sickbay {version} started on {hostname}{}", dry(*dry_run))
}

fn alert_received(received: &AlertReceived) -> String {
    let name = match received.labels.value("alertname") {
        "" => "an alert without a name",
        name => name,
    };
    let others: Vec<String> = received
        .labels
        .iter()
        .filter(|(name, _)| *name != "alertname")
        .map(|(name, value)| format!("{name}={value:?}"))
        .collect();
    let labels = if others.is_empty() { String::new() } else { format!(" {{{}}}", others.join(", ")) };
    let since = received.starts_at.map(|start| format!(", firing since {}", start.format("%F %T UTC")));
    let taken = match &received.taken {
        Taken::ByPlaybook { playbook, revision } => format!("taken by playbook {playbook} (revision {revision})"),
        Taken::ByNobody(reason) => format!("nothing is done: {reason}"),
    };
    format!("{name}{labels} from {}{}; {taken}", received.sender, since.unwrap_or_default())
}

fn alert_ended(AlertEnded { end, ends_at, .. }: &AlertEnded) -> String {
    if *end == EpisodeEnd::NotFiring {
        return "ended: Alertmanager was asked and no longer lists it".to_owned();
    }
    let at = ends_at.map(|end| format!(" at {}", end.format("%F %T UTC"))).unwrap_or_default();
    format!("ended: {end}{at}")
}

fn target(target: &TargetIdent) -> String {
    format!("{} ({})", target.name, target.id.short())
}

fn decision(Decided { playbook, target: on, answer, .. }: &Decided) -> String {
    let on = on.as_ref().map(|on| format!(" on {}", target(on))).unwrap_or_default();
    match answer {
        Answer::Run { dry_run, attempt, .. } => {
            let which = if attempt.is_one_of_several() { format!(", try {attempt}") } else { String::new() };
            format!("run {playbook}{on}{which}: every gate said yes{}", dry(*dry_run))
        }
        Answer::Refused(Refusal { gate, reason, detail, inputs: _, retry_after }) => {
            let detail = if detail.is_empty() { String::new() } else { format!(": {detail}") };
            let again = if retry_after.is_zero() {
                String::new()
            } else {
                format!("; asked again if the alert still fires, not before {}", span(*retry_after))
            };
            format!("refused{on} by gate {gate}, {reason}{detail}{again}")
        }
    }
}

fn step(StepFinished { elapsed, result, .. }: &StepFinished) -> String {
    let took = span(*elapsed);
    match result {
        StepResult::Captured(evidence) => format!("kept in {took}: {}", summary(evidence)),
        StepResult::Verified(seen) => format!("recovered, seen for {took}: {seen}"),
        StepResult::NotVerified(seen) => format!("not recovered after {took}: {seen}"),
        StepResult::Failed(error) => format!("failed after {took}: {error}"),
        StepResult::Waited => format!("waited {took}"),
        StepResult::Notified => format!("all messages are sent or given up after {took}"),
        StepResult::NotNeeded(seen) => format!("nothing to do: {seen}"),
        StepResult::Skipped => "left out: the dry run changed nothing".to_owned(),
    }
}

fn intent(intended: &ActionIntended) -> String {
    let action = &intended.action;
    let what = match action {
        Action::Restart { stop_timeout: Some(timeout) } | Action::Stop { stop_timeout: Some(timeout) } => {
            format!("{}, {} to stop,", action.word(), span(*timeout))
        }
        Action::Restart { stop_timeout: None } | Action::Start | Action::Stop { stop_timeout: None } => {
            action.word().to_owned()
        }
    };
    let dependent = if intended.dependent { ", a dependent of the target" } else { "" };
    let dry = dry(intended.dry_run);
    let (act, on, before) = (intended.act, target(&intended.target), vitals(&intended.pre));
    let witness = intended.witness.as_ref().map(alert_witness).unwrap_or_default();
    format!("{act} {what} {on}{dependent}{dry}; before: {before}{witness}")
}

fn alert_witness(Testimony { says, detail }: &Testimony) -> String {
    let word = match says {
        Says::Firing => "the alert still fires",
        Says::NotFiring => "the alert no longer fires",
        Says::CannotTell => "Alertmanager cannot tell whether the alert still fires",
    };
    format!("; {word}: {detail}")
}

fn vitals(Vitals { started_at, restart_count, state, health }: &Vitals) -> String {
    let health = health.as_ref().map(|health| format!(", {health}")).unwrap_or_default();
    format!("{state}{health}, started {started_at}, {restart_count} restarts by Docker")
}

/// How an action went, without its name.
pub(super) fn action_outcome(outcome: &ActionOutcome) -> String {
    match outcome {
        ActionOutcome::Succeeded { post: Some(post) } => format!("succeeded; now: {}", vitals(post)),
        ActionOutcome::Succeeded { post: None } => "succeeded".to_owned(),
        ActionOutcome::Failed { error } => format!("failed: {error}"),
        ActionOutcome::Unknown { error } => format!("got no answer, so sickbay looks: {error}"),
        ActionOutcome::Rehearsed => "was only rehearsed: nothing was sent".to_owned(),
    }
}

/// What looking showed, without the action's name.
pub(super) fn finding(ActionReconciled { finding, post, detail, .. }: &ActionReconciled) -> String {
    let post = post.as_ref().map(|post| format!("; now: {}", vitals(post))).unwrap_or_default();
    format!("was looked at: {finding}, {detail}{post}")
}

fn notice(notice: &Notice) -> String {
    let Notice { act, notifier, severity, title, dry_run, .. } = notice;
    format!("{act} to {notifier} ({severity}): {title}{}", dry(*dry_run))
}

/// How sending went, without the message's name.
pub(super) fn notice_outcome(outcome: &NoticeOutcome) -> String {
    match outcome {
        NoticeOutcome::Delivered => "delivered".to_owned(),
        NoticeOutcome::Failed { error } => format!("not delivered: {error}"),
    }
}

fn closing(IncidentClosed { verdict, reason, detail, .. }: &IncidentClosed) -> String {
    let reason = reason.map(|reason| format!(", {reason}")).unwrap_or_default();
    let detail = if detail.is_empty() { String::new() } else { format!(": {detail}") };
    format!("{verdict}{reason}{detail}")
}

/// What the evidence holds, in a few words per member.
fn summary(evidence: &Value) -> String {
    let Some(members) = evidence.as_object() else { return "evidence".to_owned() };
    let parts: Vec<String> = members.iter().map(|(name, member)| format!("{name} {}", gist(member))).collect();
    if parts.is_empty() { "nothing".to_owned() } else { parts.join("; ") }
}

/// Room for the ID of an image, which nobody wants shortened to something that looks like one.
const WORDS_MAX: usize = 72;

fn gist(member: &Value) -> String {
    match member {
        Value::Array(items) => format!("({} entries)", items.len()),
        Value::String(text) if text.contains('\n') => format!("({} lines)", text.lines().count()),
        Value::Object(inner) => {
            if let Some(error) = inner.get("error").filter(|_| inner.len() == 1) {
                return format!("missing: {}", gist(error));
            }
            let parts = inner.iter().filter(|(_, value)| !value.is_object() && !value.is_null());
            let parts: Vec<String> = parts.take(6).map(|(name, value)| format!("{name} {}", gist(value))).collect();
            format!("({})", parts.join(", "))
        }
        Value::String(text) if text.chars().count() <= WORDS_MAX => text.clone(),
        Value::String(text) => text.chars().take(WORDS_MAX).chain(['…']).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => member.to_string(),
    }
}
