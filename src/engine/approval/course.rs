//! What follows: from the question over the end to what was agreed to, and what time alone brings about.

use super::Approval;
use super::question::{ROUNDS_MAX, ask};
use crate::engine::advance::{self, Move};
use crate::engine::attempts;
use crate::engine::decide::Draft;
use crate::engine::effect::Effect;
use crate::engine::gate::{self, Question};
use crate::engine::incident::{Incident, Phase, Run, Stage};
use crate::model::approval::{ApprovalEnded, ApprovalOutcome, EXECUTE_WITHIN};
use crate::model::duration::format_duration;
use crate::model::fact::{Fact, StepFinished, StepResult};
use crate::model::incident::Verdict;
use crate::model::moment::Moment;
use crate::model::policy::Policy;
use crate::model::reason::Reason;
use crate::playbook::definition::{Playbook, Verb};

/// The end of an approval because there is nothing left to decide: its alert ended, or its playbook is gone.
pub(in crate::engine) fn moot(incident: &Incident, playbook: Option<&Playbook>) -> Option<Fact> {
    let approval = incident.open_approval()?;
    if let Some(run) = incident.run()
        && (run.stage != Stage::AwaitingApproval || (run.stopped && playbook.is_some()))
    {
        return None;
    }
    if incident.alert_ended {
        return Some(ended(approval, ApprovalOutcome::Cancelled, "the alert ended before anything was done about it"));
    }
    let changed = "the playbook was changed, removed or disabled";
    playbook.is_none().then(|| ended(approval, ApprovalOutcome::Superseded, changed))
}

/// What comes next for an incident that waits for its first yes.
pub(in crate::engine) fn next_move(
    incident: &Incident,
    (playbook, policy): (Option<&Playbook>, &Policy),
    (now, resuming): (&Moment, bool),
) -> Move {
    let Some(approval) = &incident.approval else { return Move::Rest };
    match (approval.outcome(), playbook) {
        (Some(ApprovalOutcome::Cancelled), _) => {
            let reason = Some(Reason::ResolvedFirst);
            let nothing = || {
                let detail = "the alert ended before people had decided, or right after; nothing was done".to_owned();
                advance::closed(incident, Verdict::Cancelled, reason, detail)
            };
            Move::Record(attempts::ended_between(incident, reason).unwrap_or_else(nothing))
        }
        (Some(ApprovalOutcome::Superseded | ApprovalOutcome::Approved) | None, None) => {
            Move::Record(advance::playbook_changed(incident))
        }
        (Some(ApprovalOutcome::Superseded), Some(_)) => {
            let detail = format!("what would be done changed {ROUNDS_MAX} times while people were asked");
            Move::Record(advance::closed(incident, Verdict::Superseded, Some(Reason::ApprovalSuperseded), detail))
        }
        (Some(ApprovalOutcome::Approved), Some(playbook)) => {
            if approval.is_too_old(now) {
                return Move::Record(not_carried_out(approval));
            }
            // Everything is looked at anew, the name of the target included: it may be another container by now.
            match advance::ask_target(incident, playbook) {
                Ok(effect) => Move::Do(effect),
                Err(detail) => Move::Record(advance::target_invalid((incident, playbook), detail)),
            }
        }
        (None, Some(playbook)) => match &playbook.approval {
            Some(spec) => ask(incident, approval, (playbook, spec, policy), (now, resuming)),
            None => Move::Rest,
        },
        // It went on to `on_denied`.
        (Some(ApprovalOutcome::Denied | ApprovalOutcome::Expired), _) => Move::Rest,
    }
}

/// What comes next in an `approve` step.
pub(in crate::engine) fn next_in_step(
    incident: &Incident,
    run: &Run,
    (playbook, policy): (Option<&Playbook>, &Policy),
    (now, resuming): (&Moment, bool),
) -> Move {
    let step = playbook.and_then(|playbook| Some((playbook, advance::steps_of(playbook, run).get(run.index)?)));
    let (Some(approval), Some((playbook, step))) = (&incident.approval, step) else {
        return Move::Record(advance::playbook_changed(incident));
    };
    match approval.outcome() {
        Some(ApprovalOutcome::Approved) if approval.is_too_old(now) => Move::Record(not_carried_out(approval)),
        Some(ApprovalOutcome::Approved) => {
            let result = StepResult::Approved(agreed(approval));
            let (elapsed, step) = (now.since(&run.since), advance::step_ref(run, step));
            Move::Record(Fact::StepFinished(StepFinished { incident: incident.id, step, elapsed, result }))
        }
        Some(ApprovalOutcome::Cancelled) => Move::Record(alert_over(incident, run)),
        Some(ApprovalOutcome::Superseded) => Move::Record(advance::playbook_changed(incident)),
        Some(ApprovalOutcome::Denied | ApprovalOutcome::Expired) => Move::Rest,
        None => match &step.verb {
            Verb::Approve(spec) => ask(incident, approval, (playbook, spec, policy), (now, resuming)),
            Verb::Capture(_)
            | Verb::Restart(_)
            | Verb::Start
            | Verb::Stop(_)
            | Verb::Scale(_)
            | Verb::Rollback(_)
            | Verb::UpdateLimits(_)
            | Verb::Verify(_)
            | Verb::Wait(_)
            | Verb::Notify(_)
            | Verb::Http(_)
            | Verb::PausePlaybook(_) => Move::Rest,
        },
    }
}

fn agreed(approval: &Approval) -> String {
    let by = approval.end.as_ref().map(|end| end.by.join(", ")).unwrap_or_default();
    if by.is_empty() { "nobody objected in time".to_owned() } else { format!("approved by {by}") }
}

/// The alert ended while people were asked in the middle of a run: what follows is not needed any more.
pub(super) fn alert_over(incident: &Incident, run: &Run) -> Fact {
    let (verdict, reason) = match (run.has_acted(), run.verified) {
        (false, _) => (Verdict::Cancelled, Some(Reason::ResolvedFirst)),
        (true, true) if !run.dry_run => (Verdict::Recovered, None),
        (true, true) => (Verdict::Unknown, Some(Reason::DryRun)),
        (true, false) => (Verdict::Unknown, Some(Reason::NotVerified)),
    };
    let detail = "the alert ended before people were asked or had decided; the steps after that are not done";
    advance::closed(incident, verdict, reason, detail.to_owned())
}

/// How a run ends to which nobody agreed.
pub(in crate::engine) fn not_agreed(incident: &Incident) -> Fact {
    let end = incident.approval.as_ref().and_then(|approval| approval.end.as_ref());
    let expired = end.is_some_and(|end| end.outcome == ApprovalOutcome::Expired);
    let (verdict, reason) =
        if expired { (Verdict::Expired, Reason::ApprovalTimeout) } else { (Verdict::Denied, Reason::ApprovalDenied) };
    let detail = end.map(|end| end.detail.clone()).unwrap_or_default();
    advance::closed(incident, verdict, Some(reason), detail)
}

/// What time alone makes of an approval. While a pause covers it, nothing.
pub(in crate::engine) fn run_out(draft: &Draft<'_>, incident: &Incident) -> Option<Fact> {
    let approval = incident.open_approval()?;
    let playbook = advance::playbook_of(incident, draft.ruleset)?;
    let (state, policy, now) = (draft.state, &draft.ruleset.policy, draft.now);
    let question = Question { state, policy, playbook, incident, view: None, service: None, testimony: None, now };
    if gate::paused(&question).is_err() {
        return None;
    }
    if approval.is_agreed() {
        return approval.is_too_old(now).then(|| not_carried_out(approval));
    }
    let over = approval.is_surely_over(now);
    let (within, asked) = (format_duration(approval.asked.timeout), &approval.asked);
    over.then(|| {
        if asked.approve_on_timeout && policy.approve_on_timeout_allowed {
            let detail = format!("nobody objected within {within}, and playbook and settings take that for a yes");
            return ended(approval, ApprovalOutcome::Approved, detail);
        }
        let (yes, required) = (approval.yes.len(), asked.required);
        ended(approval, ApprovalOutcome::Expired, format!("{yes} of {required} agreed within {within}"))
    })
}

/// Time passed: what is over ends.
pub(in crate::engine) fn expire(draft: &mut Draft<'_>) {
    let state = draft.state;
    for incident in state.waiting_for_people() {
        // Its alert may have ended in this very decision.
        if draft.has_told_of(incident.id) {
            continue;
        }
        if let Some(fact) = run_out(draft, incident) {
            draft.came_back(incident.id, fact);
        }
    }
}

/// The question for a run that people agreed to and a gate refused since: it is asked again while they may still mean it.
pub(in crate::engine) fn question(draft: &Draft<'_>, incident: &Incident) -> Option<Effect> {
    let agreed = incident.open_approval().is_some_and(Approval::is_agreed) && !incident.alert_ended;
    let due = match &incident.phase {
        Phase::Refused { refusal, at } => {
            refusal.reason != Reason::Paused && refusal.retry_after <= draft.now.since(at)
        }
        Phase::AwaitingTarget | Phase::AwaitingApproval | Phase::BetweenTries | Phase::Running(_) => false,
    };
    if !agreed || !due || draft.has_told_of(incident.id) {
        return None;
    }
    let playbook = advance::playbook_of(incident, draft.ruleset)?;
    advance::ask_target(incident, playbook).ok()
}

pub(super) fn ended(approval: &Approval, outcome: ApprovalOutcome, detail: impl Into<String>) -> Fact {
    let (by, reason, detail) = (Vec::new(), String::new(), detail.into());
    Fact::ApprovalEnded(ApprovalEnded { approval: approval.asked.approval, outcome, by, reason, detail, look: None })
}

/// What people agreed to had no chance to begin in time.
pub(super) fn not_carried_out(approval: &Approval) -> Fact {
    let within = format_duration(EXECUTE_WITHIN);
    ended(approval, ApprovalOutcome::Expired, format!("approved, and not carried out within {within}"))
}
