//! Who counts: each vote against the question as it stands, and what the votes so far decide.

use super::Approval;
use super::course::not_carried_out;
use crate::engine::decide::Draft;
use crate::engine::incident::Incident;
use crate::engine::receipt::{Reply, Voted};
use crate::model::approval::{ApprovalEnded, ApprovalOutcome, BY_LINK, Ballot, EXECUTE_WITHIN, VoteAnswer, VoteCast};
use crate::model::fact::Fact;
use crate::model::moment::Moment;
use crate::model::policy::Policy;

/// So many votes on one approval are recorded that do not count. Further ones are only answered.
const VAIN_VOTES_MAX: u32 = 100;

/// The longest comment that is kept, in characters.
const COMMENT_MAX: usize = 1000;

/// The most groups of one voter, and the longest name of a person, group or channel, in characters.
const GROUPS_MAX: usize = 64;
const NAME_MAX: usize = 128;

/// Somebody said yes or no.
pub(in crate::engine) fn vote(draft: &mut Draft<'_>, ballot: Ballot) {
    let ballot = bounded(ballot);
    let incident = draft.state.incident(ballot.approval.incident);
    let known = incident.and_then(|incident| incident.approval.as_deref());
    let Some((incident, approval)) = incident.zip(known.filter(|known| known.asked.approval == ballot.approval)) else {
        draft.decision.reply = Reply::Voted(Voted { answer: VoteAnswer::Unknown, outcome: None, yes: 0, required: 0 });
        return;
    };
    let answer = answer(approval, &ballot, (&draft.ruleset.policy, draft.now));
    let (yes, required) =
        (approval.yes.len() + usize::from(answer.counts() && ballot.approve), approval.asked.required);
    let outcome = match answer {
        VoteAnswer::Approved => Some(ApprovalOutcome::Approved),
        VoteAnswer::Denied => Some(ApprovalOutcome::Denied),
        VoteAnswer::Counted
        | VoteAnswer::Repeated
        | VoteAnswer::NotEligible
        | VoteAnswer::SelfApproval
        | VoteAnswer::WrongPlan
        | VoteAnswer::TooLate
        | VoteAnswer::AlreadyDecided
        | VoteAnswer::Unknown
        | VoteAnswer::NoLinks
        | VoteAnswer::NoReason
        | VoteAnswer::WrongLink
        | VoteAnswer::Lapsed => approval.outcome(),
    };
    draft.decision.reply =
        Reply::Voted(Voted { answer, outcome, yes: u32::try_from(yes).unwrap_or(u32::MAX), required });
    let recorded = match answer {
        VoteAnswer::Repeated | VoteAnswer::AlreadyDecided | VoteAnswer::Unknown | VoteAnswer::Lapsed => false,
        VoteAnswer::Counted | VoteAnswer::Approved | VoteAnswer::Denied | VoteAnswer::WrongLink => true,
        // Once they are closed, who goes on guessing is only answered.
        VoteAnswer::NoLinks if ballot.person.is_empty() => false,
        VoteAnswer::NoLinks
        | VoteAnswer::NoReason
        | VoteAnswer::NotEligible
        | VoteAnswer::SelfApproval
        | VoteAnswer::WrongPlan
        | VoteAnswer::TooLate => approval.vain < VAIN_VOTES_MAX,
    };
    if !recorded {
        return;
    }
    let (mut after, fact) = (incident.clone(), Fact::VoteCast(VoteCast { ballot, answer }));
    after.apply(&fact, *draft.now);
    draft.decision.facts.push(fact);
    let closes_links = answer == VoteAnswer::WrongLink && !after.open_approval().is_some_and(Approval::takes_links);
    if matches!(answer, VoteAnswer::Approved | VoteAnswer::Denied) || (closes_links && after.waits_for_people()) {
        draft.carry_on(after, false);
    }
}

/// An incident with the votes that still count: the settings may be others than when people voted. What counts no more is
/// recorded. What people have agreed to by then is looked at again before it is carried out.
pub(in crate::engine) fn recounted(draft: &mut Draft<'_>, incident: &Incident) -> Incident {
    let mut after = incident.clone();
    let Some(approval) = incident.open_approval().filter(|approval| approval.is_pending()) else { return after };
    for fact in lapses(approval, &draft.ruleset.policy) {
        after.apply(&fact, *draft.now);
        draft.decision.facts.push(fact);
    }
    after
}

/// Each yes that counts no more, as it is recorded.
pub(super) fn lapses(approval: &Approval, policy: &Policy) -> Vec<Fact> {
    let asked = &approval.asked;
    let lapse = |person: &str| {
        let ballot = Ballot {
            approval: asked.approval,
            plan: asked.plan.clone(),
            person: person.to_owned(),
            groups: Vec::new(),
            channel: "settings".to_owned(),
            approve: true,
            comment: String::new(),
        };
        Fact::VoteCast(VoteCast { ballot, answer: VoteAnswer::Lapsed })
    };
    approval.lapsed(policy).into_iter().map(lapse).collect()
}

/// What comes from outside is kept within bounds.
fn bounded(ballot: Ballot) -> Ballot {
    let cut = |text: &str, most: usize| text.chars().take(most).collect::<String>();
    let Ballot { approval, plan, person, groups, channel, approve, comment } = ballot;
    // A name that is too long is nobody's, and must not become somebody's by being cut.
    let person = if NAME_MAX < person.chars().count() { String::new() } else { person };
    let fits = |group: &String| group.chars().count() <= NAME_MAX;
    Ballot {
        approval,
        plan: cut(&plan, NAME_MAX),
        person,
        groups: groups.into_iter().filter(fits).take(GROUPS_MAX).collect(),
        channel: cut(&channel, NAME_MAX),
        approve,
        comment: cut(&comment, COMMENT_MAX),
    }
}

/// What a vote counts for, as things stand.
fn answer(approval: &Approval, ballot: &Ballot, (policy, now): (&Policy, &Moment)) -> VoteAnswer {
    let asked = &approval.asked;
    // A no counts until what was agreed to has begun: whoever sees the mistake late still sees it in time.
    if !approval.is_pending() && (ballot.approve || !approval.is_agreed()) {
        return VoteAnswer::AlreadyDecided;
    }
    if ballot.channel == BY_LINK && !approval.takes_links() {
        return VoteAnswer::NoLinks;
    }
    // Whoever carries it has found nobody whom the link fits.
    if ballot.channel == BY_LINK && ballot.person.is_empty() {
        return VoteAnswer::WrongLink;
    }
    // Whoever carries the vote may go by settings that a reload has just replaced.
    if !asked.may_decide(&ballot.person, &ballot.groups) || !policy.lets_decide(asked, &ballot.person) {
        return VoteAnswer::NotEligible;
    }
    if !asked.is_about(&ballot.plan) {
        return VoteAnswer::WrongPlan;
    }
    if !asked.is_reasoned(ballot.approve, &ballot.comment) {
        return VoteAnswer::NoReason;
    }
    if !ballot.approve {
        return VoteAnswer::Denied;
    }
    if asked.prevent_self_approval && asked.cause.as_ref() == Some(&ballot.person) {
        return VoteAnswer::SelfApproval;
    }
    if approval.is_perhaps_over(now) {
        return VoteAnswer::TooLate;
    }
    if approval.yes.contains(&ballot.person) {
        return VoteAnswer::Repeated;
    }
    let enough = usize::try_from(asked.required).is_ok_and(|required| required <= approval.yes.len() + 1);
    if enough { VoteAnswer::Approved } else { VoteAnswer::Counted }
}

/// The end that the votes so far bring. Recorded right after the last of them, or by the next start if a crash came between.
pub(in crate::engine) fn settled(incident: &Incident, now: &Moment) -> Option<Fact> {
    let approval = incident.open_approval()?;
    let (id, reason) = (approval.asked.approval, approval.said.clone());
    if let Some(person) = &approval.no {
        let said = if reason.is_empty() { String::new() } else { format!(": {reason}") };
        let (by, detail) = (vec![person.clone()], format!("{person} said no{said}"));
        let ended = ApprovalEnded { approval: id, outcome: ApprovalOutcome::Denied, by, reason, detail, look: None };
        return Some(Fact::ApprovalEnded(ended));
    }
    let enough = usize::try_from(approval.asked.required).is_ok_and(|required| required <= approval.yes.len());
    if !approval.is_pending() || !enough {
        return None;
    }
    if EXECUTE_WITHIN < now.perhaps_since(&approval.voted) {
        return Some(not_carried_out(approval));
    }
    let by = approval.yes.clone();
    let detail = format!("{} agreed", by.join(", "));
    Some(Fact::ApprovalEnded(ApprovalEnded {
        approval: id,
        outcome: ApprovalOutcome::Approved,
        by,
        reason,
        detail,
        look: None,
    }))
}
