//! People's consent to one exact plan: what they are asked, what each of them says, and how it ends.
//!
//! An approval is for one plan, once. Who somebody is, whoever carries the vote has found out before. Read
//! [`ApprovalRequested`] first.

use super::action::TargetIdent;
use super::container::TargetReport;
use super::fact::StepRef;
use super::hidden::hides;
use super::id::ActId;
use super::incident::AttemptNumber;
use super::reason::codes;
use chrono::{DateTime, TimeDelta, Utc};
use std::sync::Arc;
use std::time::Duration;

/// An approved plan is carried out this soon, or not at all.
pub const EXECUTE_WITHIN: Duration = Duration::from_secs(15 * 60);

/// The digits of a plan that people are shown, and the fewest that name it in a vote.
pub const PLAN_DIGITS: usize = 12;

/// The channel of a vote that a signed link, or its code, has brought.
pub const BY_LINK: &str = "link";

/// After so many links and codes that fit nobody, none is taken for this approval any more.
pub const WRONG_LINKS_MAX: u32 = 10;

/// The question that people are asked, once it is recorded.
#[expect(clippy::struct_excessive_bools, reason = "each is a question of its own, and a member of the record")]
#[derive(Clone, Debug, PartialEq)]
pub struct ApprovalRequested {
    /// Names it.
    pub approval: ActId,
    /// The playbook that asks.
    pub playbook: Arc<str>,
    /// What would be treated; `None` if the playbook has no target.
    pub target: Option<TargetIdent>,
    /// SHA-256 of the plan, hex: any change of what would be done makes another.
    pub plan: String,
    /// SHA-256 of all that would be done, hex, without the incident's number: the same question has the same in a replay.
    /// Empty if an earlier version asked.
    pub terms: String,
    /// The plan in words. Untrusted: it holds names from outside.
    pub what: String,
    /// How many different people must agree.
    pub required: u32,
    /// Groups or people who may decide.
    pub from: Vec<String>,
    /// How long they have.
    pub timeout: Duration,
    /// Whether no decision in time counts as a yes, if the settings allow it then.
    pub approve_on_timeout: bool,
    /// Whether who caused the run may not agree to it.
    pub prevent_self_approval: bool,
    /// The person who caused the run; `None` where an alert alone did.
    pub cause: Option<String>,
    /// The `approve` step that asks; `None` for the playbook's own `approval`.
    pub step: Option<StepRef>,
    /// For which try.
    pub attempt: AttemptNumber,
    /// Nothing will be changed in any case.
    pub dry_run: bool,
    /// Whether the playbook takes no votes by signed links: whoever reads somebody's mail has those.
    pub no_links: bool,
    /// Which votes count only with a reason.
    pub reason: ReasonFor,
    /// What was found to be the matter with the target right before: its diagnosis and the end of its log, or why nobody
    /// could look; in the middle of a run, the diagnosis of its own capture. `None` where nobody looked. Untrusted.
    pub evidence: Option<serde_json::Value>,
    /// What Docker showed of the target, as far as the gates read it.
    pub look: Option<Arc<TargetReport>>,
}

impl ApprovalRequested {
    /// Whether somebody of this name and these groups may decide. Names are compared byte by byte: what only looks alike
    /// is somebody else.
    #[must_use]
    pub fn may_decide(&self, person: &str, groups: &[String]) -> bool {
        !person.is_empty() && self.from.iter().any(|who| who == person || groups.contains(who))
    }

    /// Whether a vote means this very plan: all of its digits, or the first ones that people are shown.
    #[must_use]
    pub fn is_about(&self, plan: &str) -> bool {
        PLAN_DIGITS <= plan.len() && self.plan.starts_with(plan)
    }

    /// The first digits of the plan.
    #[must_use]
    pub fn digits(&self) -> &str {
        self.plan.get(..PLAN_DIGITS).unwrap_or(&self.plan)
    }

    /// Until when people may decide, by the wall clock of when they were asked; `None` where no calendar goes that far.
    #[must_use]
    pub fn until(&self, since: DateTime<Utc>) -> Option<DateTime<Utc>> {
        since.checked_add_signed(TimeDelta::from_std(self.timeout).ok()?)
    }

    /// Who must agree, in words, and whether they must say why.
    #[must_use]
    pub fn who(&self) -> String {
        format!("{}{}", who(self.required, &self.from), self.reason.in_words())
    }

    /// Whether a vote says as much about its reason as it must. Blanks and letters that are not seen say nothing.
    #[must_use]
    pub fn is_reasoned(&self, approve: bool, comment: &str) -> bool {
        !self.reason.is_for(approve) || comment.chars().any(|letter| !letter.is_whitespace() && !hides(letter))
    }
}

/// Who must agree, in words.
#[must_use]
pub fn who(required: u32, from: &[String]) -> String {
    let of = from.join(", ");
    if required == 1 { format!("one of {of}") } else { format!("{required} different people of {of}") }
}

/// Which plan a message asks about, for those that carry an answer back: buttons and links.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskedPlan {
    /// Names the approval.
    pub approval: ActId,
    /// SHA-256 of the plan, hex, whole.
    pub plan: String,
    /// Whose signed links are taken, and until when; `None` if nobody's are.
    pub links: Option<LinksFor>,
}

/// Whose signed links may answer a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinksFor {
    /// Groups or people who may decide.
    pub from: Vec<String>,
    /// Until when, by the wall clock.
    pub until: DateTime<Utc>,
}

/// What somebody says about a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ballot {
    /// About which approval.
    pub approval: ActId,
    /// The plan they were shown: its SHA-256, or at least the first [`PLAN_DIGITS`] digits.
    pub plan: String,
    /// Who. The same person has the same name on every channel.
    pub person: String,
    /// Their groups.
    pub groups: Vec<String>,
    /// By which way it came: `api`, `web`, [`BY_LINK`] and the like.
    pub channel: String,
    /// Yes or no.
    pub approve: bool,
    /// What they say about it; may be empty.
    pub comment: String,
}

/// A vote, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VoteCast {
    /// What somebody said.
    pub ballot: Ballot,
    /// Whether it counts.
    pub answer: VoteAnswer,
}

/// The end of an approval.
#[derive(Clone, Debug, PartialEq)]
pub struct ApprovalEnded {
    /// Which.
    pub approval: ActId,
    /// How it ended. An approved one may still end otherwise until it is carried out.
    pub outcome: ApprovalOutcome,
    /// Who decided it; empty if nobody did.
    pub by: Vec<String>,
    /// What they said about it; may be empty.
    pub reason: String,
    /// In words.
    pub detail: String,
    /// What Docker showed of the target, if that ended it.
    pub look: Option<Arc<TargetReport>>,
}

codes! {
    /// Which votes count only with a reason.
    ReasonFor {
        /// None.
        Never = "never",
        /// A no.
        OnDeny = "on_deny",
        /// Each.
        Always = "always",
    }
}

impl ReasonFor {
    /// Whether a yes, or a no, needs a reason.
    #[must_use]
    pub fn is_for(self, approve: bool) -> bool {
        match self {
            Self::Never => false,
            Self::OnDeny => !approve,
            Self::Always => true,
        }
    }

    /// What is said of it behind who must agree; empty if none does.
    #[must_use]
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Never => "",
            Self::OnDeny => "; a no needs a reason",
            Self::Always => "; each vote needs a reason",
        }
    }
}

codes! {
    /// How an approval ended.
    ApprovalOutcome {
        /// Enough people agreed: the plan may be carried out once, soon.
        Approved = "approved",
        /// Somebody who may decide said no.
        Denied = "denied",
        /// Too few agreed in time, or what they agreed to was not carried out in time.
        Expired = "expired",
        /// What would be done is another thing now.
        Superseded = "superseded",
        /// Nothing is to be done any more.
        Cancelled = "cancelled",
    }
}

impl ApprovalOutcome {
    /// Whether nobody agreed: then `on_denied` is done.
    #[must_use]
    pub fn is_no(self) -> bool {
        match self {
            Self::Denied | Self::Expired => true,
            Self::Approved | Self::Superseded | Self::Cancelled => false,
        }
    }
}

codes! {
    /// What became of a vote.
    VoteAnswer {
        /// It counts; more people must agree.
        Counted = "counted",
        /// It counts, and it was the last one needed.
        Approved = "approved",
        /// It counts: the plan is denied.
        Denied = "denied",
        /// This person has agreed already, perhaps by another channel: it counts once.
        Repeated = "repeated",
        /// This person may not decide about this plan.
        NotEligible = "not_eligible",
        /// Who caused the run may not agree to it.
        SelfApproval = "self_approval",
        /// The vote is about another plan than the one that people are asked about.
        WrongPlan = "wrong_plan",
        /// The time is over by one of the clocks.
        TooLate = "too_late",
        /// It had ended before.
        AlreadyDecided = "already_decided",
        /// There is no such approval, or its incident is closed.
        Unknown = "unknown",
        /// The vote came by a signed link, and none is taken here: the playbook wants none, or too many wrong ones were tried.
        NoLinks = "no_links",
        /// The playbook wants a reason with it, and none was given.
        NoReason = "no_reason",
        /// No vote: somebody tried a link or a code that fits nobody.
        WrongLink = "wrong_link",
        /// No vote: an earlier yes of this person counts no more, because the settings let them decide no longer.
        Lapsed = "lapsed",
    }
}

impl VoteAnswer {
    /// Whether the vote counts.
    #[must_use]
    pub fn counts(self) -> bool {
        match self {
            Self::Counted | Self::Approved | Self::Denied => true,
            Self::Repeated
            | Self::NotEligible
            | Self::SelfApproval
            | Self::WrongPlan
            | Self::TooLate
            | Self::AlreadyDecided
            | Self::Unknown
            | Self::NoLinks
            | Self::NoReason
            | Self::WrongLink
            | Self::Lapsed => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::id::{IncidentId, Seq};

    fn asked(from: &[&str]) -> ApprovalRequested {
        ApprovalRequested {
            approval: ActId { incident: IncidentId(Seq(1)), number: 1 },
            playbook: "p".into(),
            target: None,
            plan: "0123456789abcdef".repeat(4),
            terms: String::new(),
            what: String::new(),
            required: 2,
            from: from.iter().map(|who| (*who).to_owned()).collect(),
            timeout: Duration::from_secs(900),
            approve_on_timeout: false,
            prevent_self_approval: true,
            cause: None,
            step: None,
            attempt: AttemptNumber::ONLY,
            evidence: None,
            dry_run: false,
            no_links: false,
            reason: ReasonFor::Never,
            look: None,
        }
    }

    #[test]
    fn only_those_named_may_decide_and_what_looks_alike_is_somebody_else() {
        let asked = asked(&["dba", "alice"]);
        for (person, groups, want) in [
            ("alice", "", true),
            ("bob", "dba", true),
            ("bob", "sre", false),
            ("bob", "", false),
            ("Alice", "", false),
            // A Cyrillic first letter; an invisible one; a decomposed accent; a blank.
            ("\u{430}lice", "", false),
            ("alice\u{200b}", "", false),
            ("alic\u{65}\u{301}", "", false),
            ("alice ", "", false),
            ("bob", "db\u{430}", false),
            ("", "", false),
            ("", "dba", false),
        ] {
            let groups: Vec<String> = groups.split(',').filter(|group| !group.is_empty()).map(str::to_owned).collect();
            assert_eq!(asked.may_decide(person, &groups), want, "{person:?} of {groups:?}");
        }
    }

    #[test]
    fn a_vote_names_the_plan_by_all_digits_or_by_those_people_are_shown() {
        let asked = asked(&["dba"]);
        let plan = asked.plan.clone();
        for (said, want) in [
            (plan.as_str(), true),
            (asked.digits(), true),
            ("0123456789a", false),
            ("", false),
            ("0123456789ac", false),
            (&format!("{plan}0"), false),
        ] {
            assert_eq!(asked.is_about(said), want, "{said}");
        }
        assert_eq!(asked.who(), "2 different people of dba");
    }
}
