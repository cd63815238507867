//! People: who is asked in a story, who votes when, and what must hold of it, by what was really said at which true time.

use crate::cast::{Cast, one_in, secs};
use crate::invariants::Verdict;
use crate::schedule::{Entry, What};
use crate::witness::Witness;
use fastrand::Rng;
use sickbay::model::approval::{ApprovalOutcome, ApprovalRequested, EXECUTE_WITHIN, VoteAnswer};
use sickbay::model::fact::{ActionIntended, Answer, Fact, Record};
use sickbay::model::id::{ActId, IncidentId};
use sickbay::playbook::definition::{ApprovalSpec, Playbook, Step, Verb};
use sickbay::playbook::{RuleFile, load};
use sickbay::sim::clock::SimTime;
use sickbay::sim::input::Input;
use sickbay::sim::vote::{PlanSaid, SentBallot, SimVote, VoteOn};
use sickbay::sim::world::World;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;
use std::time::Duration;

/// The playbook that asks, read once.
static ASKS: LazyLock<Playbook> = LazyLock::new(|| {
    let file = RuleFile { path: "approvals.yaml".to_owned(), text: include_str!("approvals.yaml").to_owned() };
    let mut loaded = load(&[file]);
    assert!(!loaded.has_errors(), "{:?}", loaded.problems);
    loaded.playbooks.remove(0)
});

/// Who votes, each with their groups. The last one only looks like the first.
const PEOPLE: [(&str, &[&str]); 6] =
    [("ann", &["g0"]), ("bob", &["g0", "g1"]), ("cyd", &["g1"]), ("dan", &["g0"]), ("eve", &[]), ("\u{430}nn", &[])];

/// Who may be asked.
const FROM: [&[&str]; 4] = [&["g0"], &["g0", "g1"], &["ann", "cyd"], &["g1", "eve"]];

fn spec(rng: &mut Rng) -> ApprovalSpec {
    let from = FROM[rng.usize(..FROM.len())];
    ApprovalSpec {
        required: rng.u32(1..=2),
        from: from.iter().map(|who| (*who).to_owned()).collect(),
        timeout: if one_in(rng, 4) { secs(rng.u64(20..90)) } else { secs(rng.u64(90..1200)) },
        approve_on_timeout: one_in(rng, 4),
        links: true,
        reason: sickbay::model::approval::ReasonFor::Never,
        prevent_self_approval: true,
        ask: if rng.bool() { vec!["chat".to_owned(), "log".to_owned()] } else { Vec::new() },
        message: None,
    }
}

/// Some playbooks ask people, before anything is done or right before the act.
pub(crate) fn ask(rng: &mut Rng, mut playbook: Playbook) -> Playbook {
    if !one_in(rng, 4) {
        return playbook;
    }
    playbook.on_denied = ASKS.on_denied.clone();
    if rng.bool() {
        playbook.approval = Some(spec(rng));
        return playbook;
    }
    let asking = |rng: &mut Rng, steps: &mut Vec<Step>| {
        let first_act = steps.iter().position(|step| step.verb.acts()).unwrap_or(0);
        steps.insert(first_act, Step::from(Verb::Approve(spec(rng))));
    };
    asking(rng, &mut playbook.attempts.first.steps);
    playbook.attempts.more.iter_mut().for_each(|attempt| asking(rng, &mut attempt.steps));
    playbook
}

/// People vote when they like, in twos and threes, twice, about what is long over, and some who may not.
pub(crate) fn votes(rng: &mut Rng, cast: &Cast, length: Duration, entries: &mut Vec<Entry>) {
    let asks = |playbook: &Playbook| {
        let in_steps = |step: &Step| matches!(step.verb, Verb::Approve(_));
        playbook.approval.is_some() || playbook.attempts.iter().any(|attempt| attempt.steps.iter().any(in_steps))
    };
    if !cast.ruleset.playbooks.iter().any(|playbook| asks(playbook)) {
        return;
    }
    let last = u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
    for _ in 0..rng.usize(2..=25) {
        let mut at = SimTime(rng.u64(1_000..last));
        for _ in 0..rng.usize(1..=3) {
            let vote = vote(rng);
            let again = one_in(rng, 4).then(|| vote.clone());
            entries.push(Entry { at, what: What::World(Input::Vote(vote)) });
            let after = Duration::from_millis(if rng.bool() { rng.u64(..3) } else { rng.u64(..20_000) });
            entries.extend(again.map(|vote| Entry { at: at.after(after), what: What::World(Input::Vote(vote)) }));
            at = at.after(after);
        }
    }
}

fn vote(rng: &mut Rng) -> SimVote {
    let (person, groups) = PEOPLE[rng.usize(..PEOPLE.len())];
    SimVote {
        on: if one_in(rng, 4) { VoteOn::Newest } else { VoteOn::Oldest },
        plan: match rng.u32(..8) {
            0 => PlanSaid::OfTheOneBefore,
            1 => PlanSaid::Text("0".repeat(64)),
            2 | 3 => PlanSaid::Digits,
            _ => PlanSaid::AsAsked,
        },
        channel: ["cli", "web"][rng.usize(..2)].to_owned(),
        comment: if rng.bool() { "so be it".to_owned() } else { String::new() },
        ..SimVote::new(person, groups, !one_in(rng, 6))
    }
}

/// One approval, as the records tell it.
#[derive(Clone, Debug)]
pub(crate) struct AskedSeen {
    asked: ApprovalRequested,
    at: SimTime,
    /// When enough had agreed, as far as it is recorded.
    approved: Option<SimTime>,
    /// Whether the vote that made it enough is recorded: its end may have been lost in a crash.
    settled: bool,
    /// How it ended last.
    outcome: Option<ApprovalOutcome>,
    /// A run or a step has begun by it.
    used: bool,
}

/// All approvals so far.
#[derive(Debug, Default)]
pub(crate) struct ApprovalsSeen {
    all: BTreeMap<ActId, AskedSeen>,
    latest: BTreeMap<IncidentId, ActId>,
}

impl ApprovalsSeen {
    pub(crate) fn learn(&mut self, record: &Record, at: SimTime) {
        match &record.fact {
            Fact::ApprovalRequested(asked) => {
                let seen = AskedSeen {
                    asked: (**asked).clone(),
                    at,
                    approved: None,
                    settled: false,
                    outcome: None,
                    used: false,
                };
                self.latest.insert(asked.approval.incident, asked.approval);
                self.all.insert(asked.approval, seen);
            }
            Fact::VoteCast(vote) => {
                if let Some(seen) = self.all.get_mut(&vote.ballot.approval) {
                    seen.settled |= vote.answer == VoteAnswer::Approved;
                }
            }
            Fact::ApprovalEnded(ended) => {
                if let Some(seen) = self.all.get_mut(&ended.approval) {
                    seen.outcome = Some(ended.outcome);
                    seen.approved = (ended.outcome == ApprovalOutcome::Approved).then_some(at).or(seen.approved);
                }
            }
            Fact::Decided(decided) if matches!(decided.answer, Answer::Run { .. }) => {
                let latest = self.latest.get(&decided.incident);
                if let Some(seen) = latest.and_then(|latest| self.all.get_mut(latest))
                    && seen.asked.step.is_none()
                {
                    seen.used = true;
                }
            }
            _ => {}
        }
    }

    fn latest(&self, incident: IncidentId) -> Option<&AskedSeen> {
        self.all.get(self.latest.get(&incident)?)
    }
}

/// Whether this playbook's act, in this try, needs people's consent.
fn needs_consent(witness: &Witness, intended: &ActionIntended) -> bool {
    let Some(playbook) = witness.playbook(intended.act.incident) else { return false };
    // What follows the end of an alert follows a run, and that had its own.
    if witness.is_aftercare(intended.act.incident) {
        return false;
    }
    let tried = witness.tries.get(&intended.act.incident).map_or(0, |(number, _)| *number);
    let steps = playbook.attempts.steps(tried + 1);
    let first_act = steps.iter().position(|step| step.verb.acts()).unwrap_or(steps.len());
    playbook.approval.is_some() || steps.iter().take(first_act).any(|step| matches!(step.verb, Verb::Approve(_)))
}

/// Who really said yes to this very plan, in time, and may.
fn consent<'w>(seen: &AskedSeen, ballots: &'w [SentBallot]) -> BTreeSet<&'w str> {
    let asked = &seen.asked;
    let until = seen.approved.unwrap_or(seen.at);
    ballots
        .iter()
        .filter(|sent| sent.at <= until && sent.at.since(seen.at) < asked.timeout)
        .filter(|sent| sent.ballot.approval == asked.approval && sent.ballot.approve)
        .filter(|sent| 12 <= sent.ballot.plan.len() && asked.plan.starts_with(&sent.ballot.plan))
        .filter(|sent| {
            let ballot = &sent.ballot;
            asked.from.iter().any(|who| *who == ballot.person || ballot.groups.contains(who))
        })
        .map(|sent| sent.ballot.person.as_str())
        .collect()
}

/// Nothing but people, or silence where playbook and settings both take it for a yes, lets an act through.
pub(crate) fn no_act_without_consent_to_this_very_plan(
    witness: &Witness,
    world: &World,
    record: &Record,
    _: SimTime,
) -> Verdict {
    let Fact::ActionIntended(intended) = &record.fact else { return Ok(()) };
    if intended.dependent || !needs_consent(witness, intended) {
        return Ok(());
    }
    let Some(seen) = witness.approvals.latest(intended.act.incident) else {
        return Err(format!("{} was done and nobody was asked", intended.act));
    };
    let asked = &seen.asked;
    let Some(approved) = seen.approved.filter(|_| seen.outcome == Some(ApprovalOutcome::Approved)) else {
        return Err(format!("{} was done, and {} is {:?}", intended.act, asked.approval, seen.outcome));
    };
    if asked.target.as_ref() != Some(&intended.target) || (asked.step.is_none() && asked.plan != intended.plan) {
        return Err(format!("{} is not what {} asked about", intended.act, asked.approval));
    }
    // Where nobody can know how long the machine was off, nobody can be blamed.
    let clocks_tell = world.clock().boots() == 1 || !witness.wall_was_set;
    let silence = asked.approve_on_timeout && world.ruleset.policy.approve_on_timeout_allowed;
    if silence && asked.timeout <= approved.since(seen.at) {
        return Ok(());
    }
    let said = consent(seen, &world.seen.ballots);
    let enough = usize::try_from(asked.required).is_ok_and(|required| required <= said.len());
    if !enough && clocks_tell {
        return Err(format!("{} was done, and {said:?} said yes to {asked:?}", intended.act));
    }
    Ok(())
}

/// What people agreed to begins soon, and once.
pub(crate) fn what_was_agreed_to_begins_in_time_and_once(
    witness: &Witness,
    world: &World,
    record: &Record,
    now: SimTime,
) -> Verdict {
    let Fact::Decided(decided) = &record.fact else { return Ok(()) };
    let asks = witness.playbook(decided.incident).is_some_and(|playbook| playbook.approval.is_some());
    if !asks || !matches!(decided.answer, Answer::Run { .. }) || witness.is_aftercare(decided.incident) {
        return Ok(());
    }
    let Some(seen) = witness.approvals.latest(decided.incident) else {
        return Err(format!("{} begins and nobody was asked", decided.incident));
    };
    if seen.used {
        return Err(format!("{} begins twice by {}", decided.incident, seen.asked.approval));
    }
    let Some(approved) = seen.approved else {
        return Err(format!("{} begins and nobody agreed to {}", decided.incident, seen.asked.approval));
    };
    let clocks_tell = world.clock().boots() == 1 || !witness.wall_was_set;
    if clocks_tell && EXECUTE_WITHIN < now.since(approved) {
        return Err(format!("{} begins {:?} after people agreed", decided.incident, now.since(approved)));
    }
    Ok(())
}

/// Neither a clock that was set nor a pause makes people's time shorter, and silence is never more than silence.
pub(crate) fn no_question_ends_before_its_true_time_or_in_a_pause(
    witness: &Witness,
    world: &World,
    record: &Record,
    now: SimTime,
) -> Verdict {
    let Fact::ApprovalEnded(ended) = &record.fact else { return Ok(()) };
    let Some(seen) = witness.approvals.all.get(&ended.approval) else {
        return Err(format!("{} ended and was never asked", ended.approval));
    };
    let by_time = ended.outcome == ApprovalOutcome::Expired || ended.by.is_empty();
    let settled = matches!(ended.outcome, ApprovalOutcome::Superseded | ApprovalOutcome::Cancelled);
    if settled || !by_time {
        return Ok(());
    }
    // What people agreed to and no crash let begin ends when it may be too old by one of the clocks.
    let agreed = seen.approved.is_some() || (seen.settled && ended.outcome == ApprovalOutcome::Expired);
    if !agreed && now.since(seen.at) < seen.asked.timeout {
        return Err(format!("{} ends by time after {:?}", ended.approval, now.since(seen.at)));
    }
    let silence = seen.asked.approve_on_timeout && world.ruleset.policy.approve_on_timeout_allowed;
    if ended.outcome == ApprovalOutcome::Approved && !silence {
        return Err(format!("silence lets {} through", ended.approval));
    }
    let on = |name: &str| seen.asked.target.as_ref().is_some_and(|target| target.name.as_str() == name);
    // What begins too late is found out by the very question that follows the end of the pause.
    match witness.pause_over((ended.approval.incident, &seen.asked.playbook), on) {
        Some(scope) if seen.approved.is_none() => Err(format!("{} ends while {scope} is paused", ended.approval)),
        Some(_) | None => Ok(()),
    }
}

/// Each question has an end, at the latest with its incident.
pub(crate) fn every_question_ends(witness: &Witness, _: &World) -> Verdict {
    match witness.approvals.all.values().find(|seen| seen.outcome.is_none()) {
        Some(seen) => Err(format!("{} never ended", seen.asked.approval)),
        None => Ok(()),
    }
}

/// Who was told that a vote counts finds it in the log, whatever happened since; and what was decided, only once.
pub(crate) fn votes_that_were_answered_are_kept(_: &Witness, world: &World) -> Verdict {
    let records = world.disk().records();
    for answered in &world.seen.votes {
        let kept = |record: &Record| matches!(&record.fact, Fact::VoteCast(vote) if vote.ballot == answered.ballot);
        if answered.voted.answer.counts() && !records.iter().any(kept) {
            return Err(format!("{:?} was told to count and is not in the log", answered.ballot));
        }
    }
    let mut last = BTreeSet::new();
    for record in records {
        if let Fact::VoteCast(vote) = &record.fact
            && vote.answer == VoteAnswer::Approved
            && !last.insert(vote.ballot.approval)
        {
            return Err(format!("{} was approved twice", vote.ballot.approval));
        }
    }
    Ok(())
}
