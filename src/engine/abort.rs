//! A person ends an incident: nothing more is done about it, and the log says who ended it and why.
//!
//! What was sent is not called back. While an answer is awaited, nobody can say what the end would be, so the person is told
//! to ask again: it takes as long as Docker takes.

use super::decide::Draft;
use super::incident::{Incident, Stage};
use super::receipt::{Reply, Switched};
use crate::model::approval::{ApprovalEnded, ApprovalOutcome};
use crate::model::fact::{Fact, IncidentClosed};
use crate::model::id::IncidentId;
use crate::model::incident::Verdict;
use crate::model::reason::Reason;

/// Why a question to people ends with its incident.
const OF_ITS_QUESTION: &str = "the incident was aborted";

/// What stands between who aborted it and why, in the words of its end.
const ABORTED: &str = " aborted it: ";

/// What follows the reason there, if nothing had been done, and if something had.
const SO_FAR: [&str; 2] = ["nothing was done", "the steps that were left are not done"];

/// Who has asked for the end that this record tells of, and why, if a person has.
#[must_use]
pub fn asked_by(fact: &Fact) -> Option<(String, String)> {
    if let Fact::ApprovalEnded(ended) = fact {
        let aborted = ended.outcome == ApprovalOutcome::Cancelled && ended.detail == OF_ITS_QUESTION;
        return aborted.then(|| (ended.by.join(", "), ended.reason.clone()));
    }
    let Fact::IncidentClosed(IncidentClosed { reason: Some(Reason::Aborted), detail, .. }) = fact else { return None };
    let (by, rest) = detail.split_once(ABORTED)?;
    let said = SO_FAR.iter().find_map(|so_far| rest.strip_suffix(so_far)?.strip_suffix("; "))?;
    Some((by.to_owned(), said.to_owned()))
}

/// Somebody says that nothing more is to be done about an incident.
pub(super) fn abort(draft: &mut Draft<'_>, (id, by, reason): (IncidentId, String, String)) {
    let Some(incident) = draft.state.incident(id) else {
        draft.decision.reply = Reply::Switched(Switched::NoSuchIncident(id));
        return;
    };
    if awaits_an_answer(incident) {
        draft.decision.reply = Reply::Switched(Switched::ActUnderWay(id));
        return;
    }
    let begun = incident.has_begun() && incident.run().is_none_or(super::incident::Run::has_acted);
    let [nothing, rest] = SO_FAR;
    let (verdict, so_far) = if begun { (Verdict::Abandoned, rest) } else { (Verdict::Cancelled, nothing) };
    let detail = format!("{by}{ABORTED}{reason}; {so_far}");
    let question = incident.open_approval().map(|approval| {
        let (approval, outcome, by) = (approval.asked.approval, ApprovalOutcome::Cancelled, vec![by.clone()]);
        let detail = OF_ITS_QUESTION.to_owned();
        Fact::ApprovalEnded(ApprovalEnded { approval, outcome, by, reason: reason.clone(), detail, look: None })
    });
    let closed = IncidentClosed { incident: id, verdict, reason: Some(Reason::Aborted), detail };
    draft.end(incident.clone(), question.into_iter().chain([Fact::IncidentClosed(closed)]));
    draft.decision.reply = Reply::Switched(Switched::Aborted { incident: id, verdict, by, reason });
}

/// Whether something was sent, or is about to be, that may change something and has not come back.
fn awaits_an_answer(incident: &Incident) -> bool {
    incident.run().is_some_and(|run| match run.stage {
        Stage::Acting(..) | Stage::InDoubt(..) | Stage::Requesting(..) => true,
        Stage::Ready | Stage::Telling { .. } | Stage::Told(_) | Stage::AwaitingAlert(_) | Stage::AwaitingApproval => {
            false
        }
    })
}
