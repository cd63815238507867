//! People who vote in a simulated world, and what they are told.
//!
//! Which plan they mean is said without knowing its name beforehand: [`SimVote`] is resolved when it is cast.

use super::clock::SimTime;
use super::daemon::Daemon;
use super::world::{DeliveryId, World};
use crate::engine::event::Event;
use crate::engine::receipt::Voted;
use crate::engine::snapshot::ApprovalSummary;
use crate::model::approval::{ApprovalRequested, Ballot};
use crate::model::fact::Fact;
use crate::model::id::IncidentId;
use std::fmt;
use std::sync::Arc;

/// Ballots are numbered from here, so that their numbers are no notification's.
const BALLOTS_FROM: u64 = 1 << 62;

/// A vote as somebody means it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimVote {
    /// About which question.
    pub on: VoteOn,
    /// The plan they name.
    pub plan: PlanSaid,
    /// Who.
    pub person: String,
    /// Their groups.
    pub groups: Vec<String>,
    /// By which way.
    pub channel: String,
    /// Yes or no.
    pub approve: bool,
    /// What they say about it.
    pub comment: String,
}

/// Which question a vote is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VoteOn {
    /// The oldest that is open.
    Oldest,
    /// The newest that was ever put, open or not.
    Newest,
    /// The oldest open one of this playbook, or else the last one that it ever put.
    Playbook(Arc<str>),
    /// The open one of this incident.
    Incident(IncidentId),
}

/// Which plan a vote names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlanSaid {
    /// The one of that question.
    AsAsked,
    /// Its first digits, as people are shown them.
    Digits,
    /// The one of the question before it.
    OfTheOneBefore,
    /// This text.
    Text(String),
}

impl SimVote {
    /// Somebody of these groups on the oldest open question.
    #[must_use]
    pub fn new(person: &str, groups: &[&str], approve: bool) -> Self {
        Self {
            on: VoteOn::Oldest,
            plan: PlanSaid::AsAsked,
            person: person.to_owned(),
            groups: groups.iter().map(|group| (*group).to_owned()).collect(),
            channel: "cli".to_owned(),
            approve,
            comment: String::new(),
        }
    }
}

impl fmt::Display for SimVote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { on, plan, person, groups, channel, approve, comment: _ } = self;
        let said = if *approve { "yes" } else { "no" };
        let groups = if groups.is_empty() { "no group".to_owned() } else { groups.join(", ") };
        write!(f, "{person} of {groups} says {said} by {channel}, to ")?;
        match on {
            VoteOn::Oldest => write!(f, "what is asked")?,
            VoteOn::Newest => write!(f, "what was asked last")?,
            VoteOn::Playbook(playbook) => write!(f, "what {playbook} asks")?,
            VoteOn::Incident(incident) => write!(f, "what {incident} asks")?,
        }
        match plan {
            PlanSaid::AsAsked => Ok(()),
            PlanSaid::Digits => write!(f, ", by the first digits of its plan"),
            PlanSaid::OfTheOneBefore => write!(f, ", by the plan of the question before"),
            PlanSaid::Text(text) => write!(f, ", by the plan {text:?}"),
        }
    }
}

/// A ballot that reached the daemon.
#[derive(Clone, Debug)]
pub struct SentBallot {
    /// What it said.
    pub ballot: Ballot,
    /// When.
    pub at: SimTime,
}

/// A vote that was answered, once its records were durable.
#[derive(Clone, Debug)]
pub struct AnsweredVote {
    /// What it said.
    pub ballot: Ballot,
    /// What the person was told.
    pub voted: Voted,
    /// When.
    pub at: SimTime,
}

impl World {
    /// Somebody aborts whatever is open longest.
    pub(super) fn abort_the_oldest(&mut self) {
        let oldest = self.daemon().and_then(|daemon| daemon.state().incidents().next()).map(|incident| incident.id);
        if let Some(incident) = oldest {
            let (by, reason) = ("somebody".to_owned(), "looked at; not needed".to_owned());
            self.switch(Event::AbortRequested { incident, by, reason });
        }
    }

    /// What people are asked now, oldest first, with what they agreed to and has not begun yet. Nothing while no daemon
    /// runs.
    #[must_use]
    pub fn approvals(&self) -> Vec<ApprovalSummary> {
        let Some(daemon) = self.daemon() else { return Vec::new() };
        let now = daemon.state().timeline().moment(&self.clock.stamp());
        let open = daemon.state().waiting_for_people().filter_map(|incident| incident.open_approval());
        open.map(|approval| ApprovalSummary::of(approval, &now)).collect()
    }

    /// Whether there is, or was, a question that this vote could be about.
    #[must_use]
    pub fn is_asked(&self, vote: &SimVote) -> bool {
        self.ballot(vote).is_some()
    }

    pub(super) fn vote(&mut self, vote: &SimVote) {
        let listens = self.daemon.as_ref().is_some_and(|daemon| !Daemon::is_stopping(daemon));
        let Some(ballot) = self.ballot(vote).filter(|_| listens) else { return };
        let number = BALLOTS_FROM + u64::try_from(self.seen.ballots.len()).unwrap_or_default();
        self.seen.ballots.push(SentBallot { ballot: ballot.clone(), at: self.clock.now() });
        self.handle(Event::VoteCast(ballot), Some(DeliveryId(number)));
    }

    pub(super) fn vote_answered(&mut self, id: DeliveryId, voted: Voted) {
        let place = id.0.checked_sub(BALLOTS_FROM).and_then(|place| usize::try_from(place).ok());
        if let Some(sent) = place.and_then(|place| self.seen.ballots.get(place)) {
            self.seen.votes.push(AnsweredVote { ballot: sent.ballot.clone(), voted, at: self.clock.now() });
        }
    }

    /// What a vote means, as things stand.
    fn ballot(&self, vote: &SimVote) -> Option<Ballot> {
        let ever: Vec<&ApprovalRequested> = self
            .disk
            .records()
            .iter()
            .filter_map(|record| if let Fact::ApprovalRequested(asked) = &record.fact { Some(&**asked) } else { None })
            .collect();
        let open: Vec<ApprovalRequested> = self.approvals().into_iter().map(|summary| summary.asked).collect();
        let asked = match &vote.on {
            VoteOn::Oldest => open.first(),
            VoteOn::Newest => ever.last().copied(),
            VoteOn::Playbook(name) => {
                let of = |asked: &&ApprovalRequested| asked.playbook == *name;
                open.iter().find(of).or_else(|| ever.iter().rev().copied().find(of))
            }
            VoteOn::Incident(incident) => open.iter().find(|asked| asked.approval.incident == *incident),
        }?;
        let plan = match &vote.plan {
            PlanSaid::AsAsked => asked.plan.clone(),
            PlanSaid::Digits => asked.digits().to_owned(),
            PlanSaid::OfTheOneBefore => {
                let before = ever.iter().rev().find(|before| before.approval != asked.approval);
                before.map(|before| before.plan.clone()).unwrap_or_default()
            }
            PlanSaid::Text(text) => text.clone(),
        };
        Some(Ballot {
            approval: asked.approval,
            plan,
            person: vote.person.clone(),
            groups: vote.groups.clone(),
            channel: vote.channel.clone(),
            approve: vote.approve,
            comment: vote.comment.clone(),
        })
    }
}
