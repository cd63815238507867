//! What people said: in a replay, a recorded vote follows the question it was given to.
//!
//! The hash of a plan names its incident and the revision of its playbook, and both are others in a replay where the same is
//! asked. So a vote counts for a question about the same incident that asks the same of people, and for nothing else: nobody
//! agreed to another action, another target, or other arguments, also where the words of the question do not tell them. A
//! question has its terms for that; one of a log that does not tell them is the same only where the playbook is. Read
//! [`asks_the_same`] first.

use super::cause;
use super::play::Player;
use crate::engine::event::Event;
use crate::model::action::TargetIdent;
use crate::model::approval::{ApprovalRequested, Ballot, VoteAnswer, VoteCast};
use crate::model::fact::{Fact, Record};
use crate::model::id::{ActId, IncidentId};

/// Whether who answered the one question would be asked nothing else by the other; of the same text if the incidents go by
/// the same revision of the playbook. A yes to a dry run is none to the act.
pub(super) fn asks_the_same(recorded: &ApprovalRequested, asked: &ApprovalRequested, same_text: bool) -> bool {
    let on = |asked: &ApprovalRequested| {
        let ident = |target: &TargetIdent| (target.id.clone(), target.name.clone(), target.image_id.clone());
        (asked.target.as_ref().map(ident), asked.attempt.number, asked.step.is_some())
    };
    let same_terms = !recorded.terms.is_empty() && recorded.terms == asked.terms;
    let to_less = asked.dry_run || !recorded.dry_run;
    on(recorded) == on(asked) && (same_text || same_terms) && limits(recorded) == limits(asked) && to_less
}

/// The numbers that come from the look at the target, which no terms hold.
fn limits(asked: &ApprovalRequested) -> Vec<&str> {
    let word = "update_limits: ";
    asked.what.split("; ").filter_map(|step| step.split_once(word)).map(|(_, numbers)| numbers).collect()
}

impl Player<'_> {
    /// A recorded vote on the question that an incident of the replay asks.
    pub(super) fn vote(&self, id: IncidentId, vote: &VoteCast) -> Option<Event> {
        // That a yes counts no more follows from the settings.
        if vote.answer == VoteAnswer::Lapsed {
            return None;
        }
        let asked = &self.state.incident(id)?.approval.as_deref()?.asked;
        let recorded = self.recorded_question(vote.ballot.approval).map(|(_, recorded)| recorded);
        Some(self.said(&vote.ballot, (recorded, asked)))
    }

    /// A recorded vote, where the replay's incident goes its own way: it counts if the same is asked.
    pub(super) fn say_all_the_same(&mut self, vote: &VoteCast) {
        let Some((_, recorded)) = self.recorded_question(vote.ballot.approval) else { return };
        let Some(id) = self.stories.get(&vote.ballot.approval.incident).and_then(|story| story.replayed) else {
            return;
        };
        let approval = self.state.incident(id).and_then(|incident| incident.open_approval());
        let asked = approval.map(|approval| &approval.asked).filter(|asked| self.asks_the_same(recorded, asked));
        if let Some(asked) = asked.filter(|_| vote.answer != VoteAnswer::Lapsed) {
            let event = self.said(&vote.ballot, (Some(recorded), asked));
            self.feed(event);
        }
    }

    /// Whether the log tells of this question of an incident.
    pub(super) fn is_recorded(&self, id: IncidentId, asked: &ApprovalRequested) -> bool {
        self.alike(id, asked).is_some()
    }

    /// People are asked later than the log tells: they take as long for their answers as they did then.
    pub(super) fn answer_later(&mut self, id: IncidentId, asked: &ApprovalRequested) {
        let Some((question, recorded)) = self.alike(id, asked) else { return };
        // What is still to come is said in its time.
        let passed = self.records.iter().take(self.entry + 1);
        let votes = passed.filter_map(|record| Some((record.at, vote_on(record, recorded.approval)?)));
        let answers: Vec<(u64, Event)> = votes
            .map(|(at, vote)| {
                let after = u64::try_from(at.since(&question.at).as_millis()).unwrap_or(u64::MAX);
                (self.clock.ms.saturating_add(after), self.said(&vote.ballot, (Some(recorded), asked)))
            })
            .collect();
        for (at_ms, event) in answers {
            self.timetable.put(at_ms, id, event);
        }
    }

    /// Whether the log ends while people are asked about this incident, so that nobody knows what they would have said.
    pub(super) fn is_left_open(&self, id: IncidentId) -> bool {
        let story = self.followed.get(&id).and_then(|followed| self.stories.get(&followed.recorded?));
        let facts = story.into_iter().flat_map(|story| &story.records).filter_map(|place| self.records.get(*place));
        let opens = |fact: &Fact| matches!(fact, Fact::ApprovalRequested(_));
        let ends = |fact: &Fact| matches!(fact, Fact::ApprovalEnded(_) | Fact::IncidentClosed(_));
        let open = facts.fold(false, |open, record| opens(&record.fact) || (open && !ends(&record.fact)));
        open && self.state.incident(id).is_some_and(|incident| incident.waits_for_people())
    }

    /// The recorded question of the same incident that asks the same.
    fn alike(&self, id: IncidentId, asked: &ApprovalRequested) -> Option<(&Record, &ApprovalRequested)> {
        let story = self.stories.get(&self.followed.get(&id)?.recorded?)?;
        let records = story.records.iter().filter_map(|place| self.records.get(*place));
        records.filter_map(question).find(|(_, recorded)| self.asks_the_same(recorded, asked))
    }

    /// The question that a recorded vote is about.
    fn recorded_question(&self, approval: ActId) -> Option<(&Record, &ApprovalRequested)> {
        let story = self.stories.get(&approval.incident)?;
        let records = story.records.iter().filter_map(|place| self.records.get(*place));
        records.filter_map(question).find(|(_, recorded)| recorded.approval == approval)
    }

    /// Whether a recorded question and one of the replay are the same.
    fn asks_the_same(&self, recorded: &ApprovalRequested, asked: &ApprovalRequested) -> bool {
        asks_the_same(recorded, asked, self.same_text(recorded.approval.incident, asked.approval.incident))
    }

    /// Whether a recorded incident and one of the replay go by the same revision of their playbook.
    fn same_text(&self, recorded: IncidentId, replayed: IncidentId) -> bool {
        let recorded = self.stories.get(&recorded).and_then(|story| story.revision.as_ref());
        let replayed = self.state.incident(replayed).map(|incident| &incident.revision);
        recorded.is_some() && recorded == replayed
    }

    /// Whether a recorded fact and one of the replay tell the same.
    pub(super) fn same(&self, recorded: &Fact, fact: &Fact) -> bool {
        if let (Fact::ApprovalRequested(recorded), Fact::ApprovalRequested(asked)) = (recorded, fact) {
            let who = |asked: &ApprovalRequested| (asked.required, asked.from.clone(), asked.dry_run);
            return self.asks_the_same(recorded, asked) && who(recorded) == who(asked);
        }
        cause::same(recorded, fact)
    }

    /// What somebody said, about the question of the replay. Who named another plan than the one they were asked about
    /// still does.
    fn said(&self, ballot: &Ballot, (recorded, asked): (Option<&ApprovalRequested>, &ApprovalRequested)) -> Event {
        let same =
            recorded.is_some_and(|recorded| recorded.is_about(&ballot.plan) && self.asks_the_same(recorded, asked));
        let plan = if same && !asked.is_about(&ballot.plan) { asked.plan.clone() } else { ballot.plan.clone() };
        Event::VoteCast(Ballot { approval: asked.approval, plan, ..ballot.clone() })
    }
}

fn question(record: &Record) -> Option<(&Record, &ApprovalRequested)> {
    if let Fact::ApprovalRequested(asked) = &record.fact { Some((record, asked)) } else { None }
}

fn vote_on(record: &Record, approval: ActId) -> Option<&VoteCast> {
    if let Fact::VoteCast(vote) = &record.fact {
        Some(vote).filter(|vote| vote.ballot.approval == approval && vote.answer != VoteAnswer::Lapsed)
    } else {
        None
    }
}
