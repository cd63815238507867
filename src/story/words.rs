//! What a record tells, as one line of plain words.

use super::printable::{printable, span};
use crate::model::action::{Action, ActionOutcome, ServiceAction, TargetIdent, TargetVitals, Vitals};
use crate::model::approval::{ApprovalEnded, ApprovalRequested, VoteAnswer, VoteCast};
use crate::model::diagnosis::Diagnosis;
use crate::model::fact::{
    ActionFinished, ActionIntended, ActionReconciled, AlertEnded, AlertReceived, Answer, AttemptEnded, BreakerOpened,
    BreakerReset, Cause, ClockJumped, ConfigLoaded, ConfigRejected, Decided, Fact, IncidentClosed, IncidentOpened,
    LogOpened, LogRecovered, NoticeFinished, Origin, PauseCleared, Refusal, RequestFinished, RequestIntended,
    StepFinished, StepResult, StormFrozen, Taken,
};
use crate::model::incident::EpisodeEnd;
use crate::model::notice::{Notice, NoticeOutcome};
use crate::model::pause::Pause;
use crate::model::reason::Reason;
use crate::model::request::RequestOutcome;
use crate::model::service::ServiceVitals;
use crate::model::step::StepMark;
use crate::model::testimony::{Says, Testimony};
use serde_json::Value;
use std::time::Duration;

/// A fact in words, safe for a terminal.
#[must_use]
pub fn words(fact: &Fact) -> String {
    let text = match fact {
        Fact::LogOpened(opened) => log_opened(opened),
        Fact::LogClosed => "sickbay stopped in good order".to_owned(),
        Fact::LogRecovered(LogRecovered { bytes, quarantine, .. }) => {
            format!("the log ended in a torn record: {bytes} bytes were moved to {quarantine}")
        }
        Fact::ConfigLoaded(ConfigLoaded { files, playbooks, dry_run, reloaded, by }) => {
            let verb = if *reloaded { "reloaded" } else { "loaded" };
            let (playbooks, files) = (playbooks.len(), files.len());
            format!("{verb} {playbooks} playbooks from {files} files{}{}", by_whom(by.as_deref()), dry(*dry_run))
        }
        Fact::ConfigRejected(ConfigRejected { problem, by }) => {
            format!("not reloaded{}, what was loaded stays: {problem}", by_whom(by.as_deref()))
        }
        Fact::ClockJumped(jump) => clock_jumped(*jump),
        Fact::AlertReceived(received) => alert_received(received),
        Fact::AlertEnded(ended) => alert_ended(ended),
        Fact::IncidentOpened(opened) => incident_opened(opened),
        Fact::AlertsRejected(rejected) => {
            format!("{} alerts from {} could not be read: {}", rejected.count, rejected.sender, rejected.first)
        }
        Fact::Decided(decided) => decision(decided),
        Fact::StepFinished(finished) => step(finished),
        Fact::ActionIntended(intended) => intent(intended),
        Fact::ActionFinished(ActionFinished { act, outcome }) => format!("{act} {}", action_outcome(outcome)),
        Fact::ActionReconciled(reconciled) => format!("{} {}", reconciled.act, finding(reconciled)),
        Fact::StepMarked(marked) => format!("{}: {}", mark(marked.mark), marked.detail),
        Fact::RequestIntended(intended) => request(intended),
        Fact::RequestFinished(RequestFinished { act, outcome }) => format!("{act} {}", request_outcome(outcome)),
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
        Fact::ApprovalRequested(asked) => question(asked),
        Fact::VoteCast(vote) => ballot(vote),
        Fact::ApprovalEnded(ended) => format!("{} {}", ended.approval, approval_end(ended)),
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
#[must_use]
pub fn heading(fact: &Fact) -> &'static str {
    match fact {
        Fact::LogOpened(_) | Fact::LogClosed | Fact::LogRecovered(_) => "log",
        Fact::ConfigLoaded(_) | Fact::ConfigRejected(_) => "config",
        Fact::ClockJumped(_) => "clock",
        Fact::AlertReceived(_) | Fact::AlertEnded(_) | Fact::AlertsRejected(_) => "alert",
        Fact::IncidentOpened(_) => "opened",
        Fact::Decided(_) => "decision",
        Fact::StepFinished(finished) => finished.step.verb,
        Fact::ActionIntended(_) | Fact::ActionFinished(_) | Fact::ActionReconciled(_) => "action",
        Fact::StepMarked(marked) => marked.step.verb,
        Fact::RequestIntended(_) | Fact::RequestFinished(_) => "http",
        Fact::NoticeIntended(_) | Fact::NoticeFinished(_) => "notice",
        Fact::TargetVerified(_) => "verify",
        Fact::AttemptEnded(_) => "try",
        Fact::IncidentClosed(_) => "closed",
        Fact::IncidentRelapsed(_) => "relapsed",
        Fact::PauseSet(_) | Fact::PauseCleared(_) => "pause",
        Fact::BreakerOpened(_) | Fact::BreakerReset(_) => "breaker",
        Fact::StormFrozen(_) => "storm",
        Fact::ApprovalRequested(_) | Fact::VoteCast(_) | Fact::ApprovalEnded(_) => "approval",
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
        | Fact::IncidentOpened(_)
        | Fact::AlertsRejected(_)
        | Fact::Decided(_)
        | Fact::StepFinished(_)
        | Fact::StepMarked(_)
        | Fact::RequestIntended(_)
        | Fact::RequestFinished(_)
        | Fact::TargetVerified(_)
        | Fact::AttemptEnded(_)
        | Fact::ActionIntended(_)
        | Fact::ActionFinished(_)
        | Fact::ActionReconciled(_)
        | Fact::NoticeIntended(_)
        | Fact::NoticeFinished(_)
        | Fact::IncidentClosed(_)
        | Fact::ApprovalRequested(_)
        | Fact::VoteCast(_)
        | Fact::ApprovalEnded(_)
        | Fact::IncidentRelapsed(_) => String::new(),
    }
}

fn by_whom(by: Option<&str>) -> String {
    by.map(|by| format!(" by {by}")).unwrap_or_default()
}

fn question(asked: &ApprovalRequested) -> String {
    let (id, plan, within) = (asked.approval, asked.digits(), span(asked.timeout));
    let cause = asked.cause.as_ref().map(|cause| format!("; caused by {cause}")).unwrap_or_default();
    let silence = if asked.approve_on_timeout { "; silence counts as a yes" } else { "" };
    let seen = asked.evidence.as_ref().map(|evidence| format!("; seen: {}", summary(evidence))).unwrap_or_default();
    format!(
        "{id} asks {} within {within}: plan {plan}, {}{cause}{silence}{seen}{}",
        asked.who(),
        asked.what,
        dry(asked.dry_run)
    )
}

/// A vote, without the approval's name.
pub fn vote(VoteCast { ballot, answer }: &VoteCast) -> String {
    let said = if ballot.approve { "yes" } else { "no" };
    let comment = if ballot.comment.is_empty() { String::new() } else { format!(": {}", ballot.comment) };
    let why = match answer {
        VoteAnswer::Counted | VoteAnswer::Approved | VoteAnswer::Denied => "",
        VoteAnswer::Repeated => "; said so before, it counts once",
        VoteAnswer::NotEligible => "; does not count: may not decide about it",
        VoteAnswer::SelfApproval => "; does not count: caused the run",
        VoteAnswer::WrongPlan => "; does not count: meant another plan",
        VoteAnswer::TooLate => "; does not count: the time was over",
        VoteAnswer::AlreadyDecided => "; does not count: it was decided",
        VoteAnswer::Unknown => "; does not count: there was nothing to decide",
        VoteAnswer::NoReason => "; does not count: no reason was given, and the playbook wants one",
        VoteAnswer::NoLinks => "; does not count: no link is taken for it",
        VoteAnswer::WrongLink => return "somebody tried a link or a code that fits nobody".to_owned(),
        VoteAnswer::Lapsed => return format!("{}'s yes counts no more: may no longer decide about it", ballot.person),
    };
    format!("{} said {said} by {}{comment}{why}", ballot.person, ballot.channel)
}

fn ballot(cast: &VoteCast) -> String {
    format!("{} {}", cast.ballot.approval, vote(cast))
}

/// How an approval ended, without its name.
pub fn approval_end(ended: &ApprovalEnded) -> String {
    format!("{}: {}", ended.outcome, ended.detail)
}

fn clock_jumped(ClockJumped { by_ms, rebooted }: ClockJumped) -> String {
    let by = span(Duration::from_millis(by_ms.unsigned_abs()));
    let way = if by_ms < 0 { "back" } else { "ahead" };
    let rebooted = if rebooted { ", across a reboot" } else { "" };
    format!("the wall clock was set {way} by {by}{rebooted}; limits go by the boot clock")
}

fn log_opened(LogOpened { version, hostname, dry_run, first_host: _ }: &LogOpened) -> String {
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
        Taken::ByPlaybook { playbook, revision, host, .. } => {
            let on = host.name().map(|host| format!(", on the host {host}")).unwrap_or_default();
            format!("taken by playbook {playbook} (revision {revision}){on}")
        }
        Taken::ByNobody(reason) => format!("nothing is done: {reason}"),
    };
    format!("{name}{labels} from {}{}; {taken}", received.sender, since.unwrap_or_default())
}

/// Where an incident comes from that no alert opened by itself.
pub fn origin(Origin { of, cause, left }: &Origin) -> String {
    let container = left.container.as_ref().map(|container| format!(" for {container}")).unwrap_or_default();
    match cause {
        Cause::Resolved => format!("after {of}{container}, because the alert resolved"),
        Cause::FurtherTarget(id) => {
            format!("beside {of}{container} ({}), because its selector matches this container as well", id.short())
        }
    }
}

fn incident_opened(opened: &IncidentOpened) -> String {
    let (playbook, revision) = match &opened.alert.taken {
        Taken::ByPlaybook { playbook, revision, .. } => (&**playbook, &**revision),
        Taken::ByNobody(_) => ("", ""),
    };
    let what = match opened.origin.cause {
        Cause::Resolved => "on_resolved of ",
        Cause::FurtherTarget(_) => "",
    };
    let dry = dry(opened.origin.left.dry_run);
    format!("{}: {what}playbook {playbook} (revision {revision}){dry}", origin(&opened.origin))
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
            let again = if *reason == Reason::Paused {
                "; asked again when the pause ends".to_owned()
            } else if retry_after.is_zero() {
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
        StepResult::Approved(seen) => format!("{seen}, after {took}"),
        StepResult::ConditionFalse(seen) => format!("left out: {seen}"),
        StepResult::Paused(words) => words.clone(),
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
        Action::UpdateLimits(change) => {
            let word = if change.raises() { "raise" } else { "take back" };
            format!("{word} {} of", change.words())
        }
        Action::Service(ServiceAction::Scale { from, to, original }) if original == from => {
            format!("scale from {from} to {to}")
        }
        Action::Service(ServiceAction::Scale { from, to, original }) => {
            format!("scale from {from} to {to} ({original} before the run)")
        }
        Action::Service(ServiceAction::ForceUpdate { counter }) => {
            format!("restart all tasks, for the {} time,", ordinal(*counter))
        }
        Action::Service(ServiceAction::Rollback { from_image, to_image }) => {
            format!("roll back from {from_image} to {to_image}")
        }
    };
    let dependent = if intended.dependent { ", a dependent of the target" } else { "" };
    let dry = dry(intended.dry_run);
    let (act, on, before) = (intended.act, target(&intended.target), vitals(&intended.pre));
    let witness = intended.witness.as_ref().map(alert_witness).unwrap_or_default();
    format!("{act} {what} {on}{dependent}{dry}; before: {before}{witness}")
}

/// What is noted of a step beside its end.
fn mark(mark: StepMark) -> &'static str {
    match mark {
        StepMark::Allowed => "it is done",
        StepMark::Tolerated => "it failed, and the run goes on",
        StepMark::Counted => "the run has failed by a step it went on after",
    }
}

fn request(RequestIntended { act, method, url, body_len, dry_run, witness, .. }: &RequestIntended) -> String {
    let body = if *body_len == 0 { String::new() } else { format!(" with {body_len} bytes") };
    let witness = witness.as_ref().map(alert_witness).unwrap_or_default();
    format!("{act} {method} {url}{body}{}{witness}", dry(*dry_run))
}

/// How a request went, without its name.
#[must_use]
pub fn request_outcome(outcome: &RequestOutcome) -> String {
    match outcome {
        RequestOutcome::Answered { status, expected, detail } => {
            let judged = if *expected { "as expected" } else { "which is not expected" };
            format!("was answered with {status}, {judged}: {detail}")
        }
        RequestOutcome::Failed { error } => format!("failed: {error}"),
        RequestOutcome::Unknown { error } => format!("got no answer, and nobody knows what it did: {error}"),
        RequestOutcome::Rehearsed => "was only rehearsed: nothing was sent".to_owned(),
    }
}

fn alert_witness(Testimony { says, detail }: &Testimony) -> String {
    let word = match says {
        Says::Firing => "the alert still fires",
        Says::NotFiring => "the alert no longer fires",
        Says::CannotTell => "Alertmanager cannot tell whether the alert still fires",
    };
    format!("; {word}: {detail}")
}

/// 1st, 2nd, 3rd, 4th.
fn ordinal(number: u64) -> String {
    let ending = match (number % 10, number % 100) {
        (1, rest) if rest != 11 => "st",
        (2, rest) if rest != 12 => "nd",
        (3, rest) if rest != 13 => "rd",
        (_, _) => "th",
    };
    format!("{number}{ending}")
}

fn vitals(vitals: &TargetVitals) -> String {
    match vitals {
        TargetVitals::Container(vitals) => of_container(vitals),
        TargetVitals::Service(vitals) => of_service(vitals),
    }
}

fn of_service(vitals: &ServiceVitals) -> String {
    let ServiceVitals { wanted, running, healthy, image, update, .. } = vitals;
    let update = update.as_ref().map(|update| format!(", {update}")).unwrap_or_default();
    format!("{running} of {wanted} replicas of {image} run, {healthy} healthy{update}")
}

fn of_container(Vitals { started_at, restart_count, state, health }: &Vitals) -> String {
    let health = health.as_ref().map(|health| format!(", {health}")).unwrap_or_default();
    format!("{state}{health}, started {started_at}, {restart_count} restarts by Docker")
}

/// How an action went, without its name.
#[must_use]
pub fn action_outcome(outcome: &ActionOutcome) -> String {
    match outcome {
        ActionOutcome::Succeeded { post: Some(post) } => format!("succeeded; now: {}", vitals(post)),
        ActionOutcome::Succeeded { post: None } => "succeeded".to_owned(),
        ActionOutcome::Failed { error } => format!("failed: {error}"),
        ActionOutcome::Unknown { error } => format!("got no answer, so sickbay looks: {error}"),
        ActionOutcome::Rehearsed => "was only rehearsed: nothing was sent".to_owned(),
    }
}

/// What looking showed, without the action's name.
#[must_use]
pub fn finding(ActionReconciled { finding, post, detail, .. }: &ActionReconciled) -> String {
    let post = post.as_ref().map(|post| format!("; now: {}", vitals(post))).unwrap_or_default();
    format!("was looked at: {finding}, {detail}{post}")
}

fn notice(notice: &Notice) -> String {
    let Notice { act, notifier, severity, title, dry_run, .. } = notice;
    format!("{act} to {notifier} ({severity}): {title}{}", dry(*dry_run))
}

/// How sending went, without the message's name.
#[must_use]
pub fn notice_outcome(outcome: &NoticeOutcome) -> String {
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
    let first = Diagnosis::in_evidence(evidence).first().map(|finding| format!("{} ({})", finding.what, finding.code));
    let members = members.iter().filter(|(name, _)| *name != "diagnosis");
    let members = members.map(|(name, member)| format!("{name} {}", gist(member)));
    let parts: Vec<String> = first.into_iter().chain(members).collect();
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
