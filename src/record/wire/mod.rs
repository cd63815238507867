//! The body of each kind of record: one struct per kind, written from a fact and read back into one.
//!
//! The order of the members here is the order in the line, and part of the public format: a member may be added, never
//! moved or given another meaning. Read [`alert::ReceivedLine`] first.

mod action;
mod alert;
mod approval;
mod brake;
mod decision;
mod log;
mod look;
mod look_service;
mod notice;
mod opened;
mod parts;
mod remembered;
mod request;
mod state;
mod step;

use super::json::write_json;
use super::text::Cap;
use crate::model::approval::ApprovalOutcome;
use crate::model::fact::Fact;
use crate::model::id::Seq;
use serde::Deserialize;
use std::sync::Arc;

/// Why a body does not make a fact, in words.
type Problem = String;

/// Appends the body of a fact as one JSON object.
pub(super) fn write_body(fact: &Fact, seq: Seq, cap: Cap, out: &mut Vec<u8>) {
    match fact {
        Fact::LogOpened(opened) => write_json(&log::OpenLine::new(opened), out),
        Fact::LogClosed => out.extend_from_slice(b"{}"),
        Fact::LogRecovered(recovered) => write_json(&log::RecoveredLine::new(recovered), out),
        Fact::ConfigLoaded(loaded) => write_json(&log::ConfigLine::new(loaded, cap), out),
        Fact::ConfigRejected(rejected) => write_json(&log::RejectedConfigLine::new(rejected, cap), out),
        Fact::ClockJumped(jump) => write_json(&log::JumpLine::from(jump), out),
        Fact::AlertReceived(received) => {
            write_json(&alert::ReceivedLine::new(received, fact.incident(seq), cap), out);
        }
        Fact::AlertEnded(ended) => write_json(&alert::EndedLine::from(ended), out),
        Fact::IncidentOpened(opened) => {
            write_json(&opened::OpenedLine::new(opened, fact.incident(seq), cap), out);
        }
        Fact::AlertsRejected(rejected) => write_json(&alert::RejectedLine::new(rejected, cap), out),
        Fact::Decided(decided) => write_json(&decision::DecisionLine::new(decided, cap), out),
        Fact::StepFinished(finished) => write_json(&step::StepLine::new(finished, cap), out),
        Fact::StepMarked(marked) => write_json(&step::MarkedLine::new(marked, cap), out),
        Fact::RequestIntended(intended) => write_json(&request::IntentLine::new(intended, cap), out),
        Fact::RequestFinished(finished) => write_json(&request::OutcomeLine::new(finished, cap), out),
        Fact::ActionIntended(intended) => write_json(&action::IntentLine::new(intended, cap), out),
        Fact::ActionFinished(finished) => write_json(&action::OutcomeLine::new(finished, cap), out),
        Fact::ActionReconciled(reconciled) => write_json(&action::ReconciledLine::new(reconciled, cap), out),
        Fact::NoticeIntended(intended) => write_json(&notice::IntentLine::new(intended, cap), out),
        Fact::NoticeFinished(finished) => write_json(&notice::OutcomeLine::new(finished, cap), out),
        Fact::TargetVerified(verified) => write_json(&step::TargetVerifiedLine::new(verified, cap), out),
        Fact::AttemptEnded(ended) => write_json(&decision::AttemptLine::new(ended, cap), out),
        Fact::IncidentClosed(closed) => write_json(&decision::ClosedLine::new(closed, cap), out),
        Fact::IncidentRelapsed(relapsed) => write_json(&decision::RelapsedLine::from(relapsed), out),
        Fact::PauseSet(pause) => write_json(&brake::PauseLine::new(pause, cap), out),
        Fact::PauseCleared(cleared) => write_json(&brake::ClearedLine::new(cleared, cap), out),
        Fact::BreakerOpened(opened) => write_json(&brake::OpenedLine::from(opened), out),
        Fact::BreakerReset(reset) => write_json(&brake::ResetLine::new(reset, cap), out),
        Fact::StormFrozen(storm) => write_json(&brake::StormLine::from(storm), out),
        Fact::ApprovalRequested(asked) => write_json(&approval::RequestedLine::new(asked, cap), out),
        Fact::VoteCast(vote) => write_json(&approval::VoteLine::new(vote, cap), out),
        Fact::ApprovalEnded(ended) => write_json(&approval::EndedLine::new(ended, cap), out),
        Fact::StateSaved(memory) => write_json(&state::StateLine::from(&**memory), out),
    }
}

/// Reads the body of a line; `None` if this version does not know the kind.
pub(super) fn read_body(kind: &str, line: &[u8]) -> Option<Result<Fact, Problem>> {
    let fact = match kind {
        "log.open" => read(line, |body: log::OpenLine<'_>| Ok(Fact::LogOpened(body.into()))),
        "log.close" => Ok(Fact::LogClosed),
        "log.recovered" => read(line, |body: log::RecoveredLine<'_>| Ok(Fact::LogRecovered(body.into()))),
        "config.loaded" => read(line, |body: log::ConfigLine<'_>| Ok(Fact::ConfigLoaded(body.into()))),
        "config.rejected" => read(line, |body: log::RejectedConfigLine<'_>| Ok(Fact::ConfigRejected(body.into()))),
        "clock.jump" => read(line, |body: log::JumpLine| Ok(Fact::ClockJumped(body.into()))),
        "alert.received" => {
            read(line, |body: alert::ReceivedLine<'_>| Ok(Fact::AlertReceived(Arc::new(body.try_into()?))))
        }
        "alert.ended" => read(line, |body: alert::EndedLine| Ok(Fact::AlertEnded(body.into()))),
        "incident.opened" => read(line, |body: opened::OpenedLine<'_>| Ok(Fact::IncidentOpened(body.try_into()?))),
        "alert.rejected_summary" => read(line, |body: alert::RejectedLine<'_>| Ok(Fact::AlertsRejected(body.into()))),
        "decision" => read(line, |body: decision::DecisionLine<'_>| Ok(Fact::Decided(body.try_into()?))),
        "step.finished" => read(line, |body: step::StepLine<'_>| Ok(Fact::StepFinished(body.try_into()?))),
        "step.marked" => read(line, |body: step::MarkedLine<'_>| Ok(Fact::StepMarked(body.try_into()?))),
        "http.intent" => read(line, |body: request::IntentLine<'_>| Ok(Fact::RequestIntended(body.try_into()?))),
        "http.outcome" => read(line, |body: request::OutcomeLine<'_>| Ok(Fact::RequestFinished(body.try_into()?))),
        "action.intent" => read(line, |body: action::IntentLine<'_>| Ok(Fact::ActionIntended(body.try_into()?))),
        "action.outcome" => read(line, |body: action::OutcomeLine<'_>| Ok(Fact::ActionFinished(body.try_into()?))),
        "action.reconciled" => read(line, |body: action::ReconciledLine<'_>| Ok(Fact::ActionReconciled(body.into()))),
        "notify.intent" => read(line, |body: notice::IntentLine<'_>| Ok(Fact::NoticeIntended(body.into()))),
        "notify.outcome" => read(line, |body: notice::OutcomeLine<'_>| Ok(Fact::NoticeFinished(body.try_into()?))),
        "incident.closed" => read(line, |body: decision::ClosedLine<'_>| Ok(Fact::IncidentClosed(body.into()))),
        "verify.target" => read(line, |body: step::TargetVerifiedLine<'_>| Ok(Fact::TargetVerified(body.try_into()?))),
        "attempt.ended" => read(line, |body: decision::AttemptLine<'_>| Ok(Fact::AttemptEnded(body.into()))),
        "incident.relapsed" => read(line, |body: decision::RelapsedLine| Ok(Fact::IncidentRelapsed(body.into()))),
        "pause.set" => read(line, |body: brake::PauseLine<'_>| Ok(Fact::PauseSet(body.into()))),
        "pause.cleared" => read(line, |body: brake::ClearedLine<'_>| Ok(Fact::PauseCleared(body.into()))),
        "breaker.opened" => read(line, |body: brake::OpenedLine<'_>| Ok(Fact::BreakerOpened(body.into()))),
        "breaker.reset" => read(line, |body: brake::ResetLine<'_>| Ok(Fact::BreakerReset(body.into()))),
        "state.saved" => read(line, |body: state::StateLine<'_>| Ok(Fact::StateSaved(Box::new(body.try_into()?)))),
        "storm.frozen" => read(line, |body: brake::StormLine| Ok(Fact::StormFrozen(body.into()))),
        "approval.requested" => {
            read(line, |body: approval::RequestedLine<'_>| Ok(Fact::ApprovalRequested(Box::new(body.try_into()?))))
        }
        "approval.vote" => read(line, |body: approval::VoteLine<'_>| Ok(Fact::VoteCast(body.into()))),
        newer => {
            let outcome = newer.strip_prefix("approval.").and_then(ApprovalOutcome::parse)?;
            read(line, |body: approval::EndedLine<'_>| Ok(Fact::ApprovalEnded(body.ended(outcome)?)))
        }
    };
    Some(fact)
}

fn read<'a, B: Deserialize<'a>>(
    line: &'a [u8],
    into_fact: impl FnOnce(B) -> Result<Fact, Problem>,
) -> Result<Fact, Problem> {
    into_fact(serde_json::from_slice(line).map_err(|error| error.to_string())?)
}
