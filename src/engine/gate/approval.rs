//! Approval: right before an act, people have agreed to this very plan, and did so lately.
//!
//! Before a run this gate says yes: then `engine::approval` asks people, after every other gate had its say. What it
//! guards is the act itself, whatever came between: a pause, a crash, a night.

use super::{Question, refuse};
use crate::engine::approval::{Approval, End, Terms, plan_of_step};
use crate::engine::incident::Run;
use crate::model::approval::{ApprovalOutcome, EXECUTE_WITHIN};
use crate::model::duration::format_duration;
use crate::model::fact::{Branch, Refusal};
use crate::model::reason::{Gate, Reason};
use crate::playbook::definition::{Step, Verb};
use std::time::Duration;

/// What one act may take, from its intent to the look at it.
const ACT_TAKES: Duration = Duration::from_secs(11 * 60);

/// What a verify step may take where the playbook does not say, once for the target and once for its alert.
const VERIFY_TAKES: Duration = Duration::from_secs(20 * 60);

/// Asks whether the act has an approval that still holds.
pub(super) fn ask(question: &Question<'_>) -> Result<(), Refusal> {
    let (incident, playbook) = (question.incident, question.playbook);
    let Some(run) = incident.run() else { return Ok(()) };
    let approval = incident.approval.as_deref();
    let of_step = approval.is_some_and(|known| known.asked.step.is_some() && known.asked.attempt == run.attempt);
    // What follows the end of an alert belongs to a run that people have agreed to.
    if incident.is_aftercare() || (playbook.approval.is_none() && !of_step) {
        return Ok(());
    }
    let no = |detail: String| {
        let id = approval.map_or_else(|| "none".to_owned(), |approval| approval.asked.approval.to_string());
        refuse(Gate::Approval, Reason::ApprovalMissing, detail).saw("approval", id)
    };
    let Some(approval) = approval.filter(|approval| covers(question, run, approval)) else {
        return Err(no("nobody agreed to this very plan".to_owned()));
    };
    let Some(end) = &approval.end else { return Err(no("people have not decided yet".to_owned())) };
    still_holds((question, run), (approval, end))
}

/// Whether the settings let those who agreed decide to this day, and they did so lately.
fn still_holds((question, run): (&Question<'_>, &Run), (approval, end): (&Approval, &End)) -> Result<(), Refusal> {
    let id = approval.asked.approval;
    let no = |detail: String| Err(refuse(Gate::Approval, Reason::ApprovalMissing, detail).saw("approval", id));
    let gone = approval.lapsed(question.policy);
    if !gone.is_empty() {
        return no(format!("{} agreed, and may no longer decide about it", gone.join(", ")));
    }
    if end.by.is_empty() && !question.policy.approve_on_timeout_allowed {
        return no("nobody objected in time, and the settings do not take that for a yes any more".to_owned());
    }
    let since = question.now.perhaps_since(&end.at);
    let from = approval.asked.step.as_ref().map_or(0, |step| step.index + 1);
    let between = question.steps().get(from..run.index).unwrap_or_default();
    let allowed = EXECUTE_WITHIN + between.iter().map(takes).sum::<Duration>();
    if allowed < since {
        let (since, allowed) = (format_duration(whole(since)), format_duration(whole(allowed)));
        let refusal = no(format!("people agreed {since} ago, and what they agreed to was to begin within {allowed}"));
        return refusal.map_err(|refusal| refusal.saw("since", since).saw("allowed", allowed));
    }
    Ok(())
}

/// Whether it is the approval of this run, and a yes.
fn covers(question: &Question<'_>, run: &Run, approval: &Approval) -> bool {
    let agreed = approval.outcome() == Some(ApprovalOutcome::Approved) && approval.used;
    let asked = &approval.asked;
    let same = match &asked.step {
        Some(step) => {
            asked.plan == plan_of_step((question.incident, run), (step.index, &asked.terms)) && hold(question, approval)
        }
        None => run.plan.as_ref() == Some(&asked.plan),
    };
    agreed && same && asked.attempt == run.attempt
}

/// Whether they would be asked in the same terms now.
fn hold(question: &Question<'_>, approval: &Approval) -> bool {
    let Question { incident, playbook, policy, now, .. } = *question;
    Terms { incident, playbook, policy }.hold(&approval.asked, now)
}

/// Asks whether a request is still what people agreed to, if they were asked about this try, and their yes still holds.
/// What follows a no is not; what tells of a failure is sent whoever has gone meanwhile.
pub(super) fn of_request(question: &Question<'_>, run: &Run) -> Result<(), Refusal> {
    let approval = question.incident.approval.as_deref().filter(|approval| approval.asked.attempt == run.attempt);
    let agreed = approval.and_then(|approval| Some((approval, approval.end.as_ref()?)));
    let Some((approval, end)) = agreed.filter(|(_, end)| end.outcome == ApprovalOutcome::Approved) else {
        return Ok(());
    };
    if !hold(question, approval) {
        let detail = "what would be sent, or its plan, is no longer what people agreed to";
        let refusal = refuse(Gate::Approval, Reason::ApprovalMissing, detail);
        return Err(refusal.saw("approval", approval.asked.approval));
    }
    match run.branch {
        // What the run has stopped it also starts, and what stands in between belongs to that.
        Branch::Steps if !run.stopped => still_holds((question, run), (approval, end)),
        Branch::Steps | Branch::OnFailure | Branch::OnDenied | Branch::OnResolved => Ok(()),
    }
}

/// How long a step may take by its own text: people saw it when they agreed.
fn takes(step: &Step) -> Duration {
    match &step.verb {
        Verb::Wait(span) => *span,
        Verb::Verify(verify) => verify.spec.within.map_or(VERIFY_TAKES, |within| within * 2),
        Verb::Restart(_) | Verb::Start | Verb::Stop(_) | Verb::Scale(_) | Verb::Rollback(_) | Verb::UpdateLimits(_) => {
            ACT_TAKES
        }
        Verb::Capture(_) | Verb::Notify(_) | Verb::Http(_) | Verb::Approve(_) | Verb::PausePlaybook(_) => {
            step.timeout.unwrap_or_default()
        }
    }
}

fn whole(span: Duration) -> Duration {
    Duration::from_secs(span.as_secs())
}
