//! What is seen of people's part: what they were asked, what they answered, and which requests other systems got.

use super::observe::{Seen, Value, text};
use crate::model::approval::{ApprovalEnded, ApprovalOutcome, ApprovalRequested, VoteCast};
use crate::model::fact::Fact;
use crate::model::id::ActId;
use crate::sim::clock::SimTime;
use crate::sim::world::{SentRequest, World};

/// How an approval is told that has not ended.
pub(super) const PENDING: &str = "pending";

/// The words for how an approval stands.
pub(super) fn outcomes() -> Vec<&'static str> {
    let ended = ApprovalOutcome::ALL.iter().map(|outcome| outcome.as_str());
    std::iter::once(PENDING).chain(ended).collect()
}

/// Everything that people were asked.
#[derive(Clone, Debug, Default)]
pub(super) struct Questions(Vec<Question>);

#[derive(Clone, Debug)]
struct Question {
    asked: ApprovalRequested,
    /// Who agreed so far; once it has ended, who decided.
    by: Vec<String>,
    comment: String,
    end: Option<(SimTime, ApprovalOutcome)>,
}

impl Questions {
    /// Takes in what a record tells.
    pub(super) fn add(&mut self, fact: &Fact, at: SimTime) {
        if let Fact::ApprovalRequested(asked) = fact {
            let (asked, by, comment) = ((**asked).clone(), Vec::new(), String::new());
            self.0.push(Question { asked, by, comment, end: None });
        } else if let Fact::VoteCast(VoteCast { ballot, answer }) = fact {
            if let Some(question) = self.of(ballot.approval).filter(|_| answer.counts() && ballot.approve) {
                question.by.push(ballot.person.clone());
                question.comment.clone_from(&ballot.comment);
            }
        } else if let Fact::ApprovalEnded(ApprovalEnded { approval, outcome, by, reason, .. }) = fact
            && let Some(question) = self.of(*approval)
        {
            question.end = Some((at, *outcome));
            question.by.clone_from(by);
            question.comment.clone_from(reason);
        }
    }

    fn of(&mut self, approval: ActId) -> Option<&mut Question> {
        self.0.iter_mut().find(|question| question.asked.approval == approval)
    }

    /// Those that were open at some time since.
    pub(super) fn approvals(&self, since: SimTime) -> Vec<Seen> {
        let open = |question: &&Question| question.end.is_none_or(|(at, _)| since < at);
        self.0.iter().filter(open).map(seen).collect()
    }

    /// What people answered since, and what they were told.
    pub(super) fn votes(&self, world: &World, since: SimTime) -> Vec<Seen> {
        let votes = world.seen.votes.iter().filter(|vote| since < vote.at);
        let seen = votes.map(|vote| {
            let question = self.0.iter().find(|question| question.asked.approval == vote.ballot.approval);
            let mut seen = vec![text("by", &vote.ballot.person), text("answer", vote.voted.answer.as_str())];
            seen.extend(question.map(|question| text("playbook", &question.asked.playbook)));
            Seen(seen)
        });
        seen.collect()
    }
}

fn seen(Question { asked, by, comment, end }: &Question) -> Seen {
    let mut seen = vec![text("playbook", &asked.playbook)];
    seen.extend(asked.target.iter().map(|target| text("target", target.name.as_str())));
    seen.push(text("outcome", end.map_or(PENDING, |(_, outcome)| outcome.as_str())));
    seen.push(("by", Value::Texts(by.clone())));
    seen.push(text("comment", comment));
    seen.push(("required", Value::Number(asked.required.into())));
    seen.push(("from", Value::Texts(asked.from.clone())));
    seen.push(text("plan", &asked.what));
    Seen(seen)
}

/// A request that was sent to another system.
pub(super) fn request(sent: &SentRequest, playbook: Option<&str>) -> Seen {
    let SentRequest { request, .. } = sent;
    let mut seen = vec![text("method", request.method), text("url", &request.url)];
    seen.push(text("body", request.body.as_deref().unwrap_or_default()));
    seen.extend(playbook.map(|playbook| text("playbook", playbook)));
    Seen(seen)
}
