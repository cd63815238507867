//! Votes of people who may decide no longer, because the settings have become others since.

use super::approvals::{asked, ballot, ends, gated, questions};
use super::stage::Stage;
use super::world::*;
use crate::engine::event::{Event, NewConfig};
use crate::model::approval::{ApprovalOutcome, VoteAnswer};
use crate::model::fact::Fact;
use crate::model::policy::Policy;
use crate::model::reason::Reason;
use crate::playbook::definition::Playbook;
use crate::playbook::index::Playbooks;

/// The settings as they are when these may decide, each with these groups.
fn policy(voters: &[(&str, &[&str])]) -> Policy {
    let groups = |groups: &[&str]| groups.iter().map(|group| (*group).to_owned()).collect();
    let voters = voters.iter().map(|(name, of)| ((*name).to_owned(), groups(of))).collect();
    Policy { voters: Some(voters), ..Policy::default() }
}

const ALL: &[(&str, &[&str])] = &[("alice", &[]), ("dba-1", &["dba"]), ("dba-2", &["dba"])];

/// A reload that changes nothing but who may decide.
fn reload(stage: &mut Stage, playbook: Playbook, voters: &[(&str, &[&str])]) {
    let playbooks = Playbooks::new(vec![playbook]);
    let new = NewConfig { playbooks, policy: policy(voters), files: vec![], by: Some("eve".into()) };
    let under_way = std::mem::take(&mut stage.world.effects);
    stage.world.feed(Event::Reloaded(Box::new(new)));
    stage.world.effects.extend(under_way);
}

fn lapsed(stage: &Stage) -> Vec<String> {
    let vote = |fact: &Fact| match fact {
        Fact::VoteCast(vote) if vote.answer == VoteAnswer::Lapsed => Some(vote.ballot.person.clone()),
        _ => None,
    };
    stage.world.log.iter().filter_map(|record| vote(&record.fact)).collect()
}

#[test]
fn a_yes_of_somebody_who_may_decide_no_longer_counts_no_more_and_that_is_recorded() {
    for (kept, want) in [
        // Alice is gone; dba-1 has left the group; nothing that concerns them has changed.
        (&[("dba-1", &["dba"][..]), ("dba-2", &["dba"])][..], &["alice"][..]),
        (&[("alice", &[]), ("dba-1", &["sre"]), ("dba-2", &["dba"])], &["dba-1"]),
        (&[], &["alice", "dba-1"]),
        (ALL, &[]),
    ] {
        let mut stage = asked(gated(3));
        reload(&mut stage, gated(3), ALL);
        assert_eq!([stage.yes("alice"), stage.yes("dba-1")], [VoteAnswer::Counted; 2]);
        reload(&mut stage, gated(3), kept);
        assert_eq!(lapsed(&stage), want, "{kept:?}");
        let last = if want.is_empty() { VoteAnswer::Approved } else { VoteAnswer::Counted };
        let answer = stage.yes("dba-2");
        assert_eq!(answer, if kept.is_empty() { VoteAnswer::NotEligible } else { last }, "{kept:?}");
        let yes = stage.world.state.incident(first()).unwrap().approval.as_ref().unwrap().yes.len();
        assert_eq!(yes, 3 - want.len() - usize::from(kept.is_empty()), "{kept:?}");
        assert_eq!(stage.world.replayed(stage.world.log.len()), stage.world.state);
        // A second reload finds nothing more.
        reload(&mut stage, gated(3), kept);
        assert_eq!(lapsed(&stage).len(), want.len());
    }
}

#[test]
fn a_start_with_other_settings_counts_again_before_anything_goes_on() {
    let mut stage = asked(gated(2));
    reload(&mut stage, gated(2), ALL);
    stage.yes("alice");
    stage.world.ruleset.policy = policy(&[("dba-1", &["dba"]), ("dba-2", &["dba"])]);
    stage.restart();
    assert_eq!(lapsed(&stage), ["alice"]);
    assert_eq!([stage.yes("dba-1"), stage.yes("dba-2")], [VoteAnswer::Counted, VoteAnswer::Approved]);
    assert_eq!(ends(&stage.world.log)[0].by, ["dba-1", "dba-2"]);
}

#[test]
fn a_vote_is_weighed_by_the_settings_of_now_whatever_carried_it_believes() {
    let mut stage = asked(gated(1));
    reload(&mut stage, gated(1), &[("alice", &[]), ("dba-1", &["sre"])]);
    // Its groups are those of settings that a reload has just replaced.
    assert_eq!(ballot(&stage, "dba-1", true).groups, ["dba"]);
    assert_eq!(stage.yes("dba-1"), VoteAnswer::NotEligible);
    assert_eq!(stage.yes("alice"), VoteAnswer::Approved);
}

#[test]
fn what_people_agreed_to_is_asked_anew_if_one_of_them_may_decide_no_longer_when_it_begins() {
    let mut stage = asked(gated(2));
    reload(&mut stage, gated(2), ALL);
    assert_eq!([stage.yes("alice"), stage.yes("dba-1")], [VoteAnswer::Counted, VoteAnswer::Approved]);
    // Docker is being asked which container it is by now.
    reload(&mut stage, gated(2), &[("dba-1", &["dba"]), ("dba-2", &["dba"])]);
    let before = stage.world.log.len();
    stage.rest();
    assert_eq!(stage.world.kinds(before), ["approval.superseded", "approval.vote", "approval.requested"]);
    assert_eq!(lapsed(&stage), ["alice"]);
    let log = &stage.world.log;
    assert_eq!(ends(log).last().unwrap().detail, "alice agreed, and may no longer decide about it");
    let [old, new] = questions(log)[..] else { panic!() };
    assert!(old.plan == new.plan && old.approval != new.approval);
    assert!(stage.actions.is_empty());
    assert_eq!(stage.world.replayed(stage.world.log.len()), stage.world.state);
    assert_eq!([stage.yes("dba-1"), stage.yes("dba-2")], [VoteAnswer::Counted, VoteAnswer::Approved]);
    stage.rest();
    assert_eq!(stage.actions, ["restart"]);
}

#[test]
fn right_before_the_act_the_gate_looks_once_more_at_who_agreed() {
    for (kept, want) in [(ALL, &["restart"][..]), (&[("dba-1", &["dba"])], &[])] {
        let mut stage = asked(gated(1));
        reload(&mut stage, gated(1), ALL);
        stage.yes("alice");
        stage.world.effects.clear();
        stage.world.docker(first(), found(container("web")));
        assert!(stage.world.state.incident(first()).unwrap().run().is_some(), "it has begun");
        reload(&mut stage, gated(1), kept);
        stage.rest();
        assert_eq!(stage.actions, want, "{kept:?}");
        assert_eq!(stage.world.last_refusal() == Some(Reason::ApprovalMissing), want.is_empty());
    }
}

#[test]
fn silence_that_counted_as_a_yes_is_nobodys_and_stays() {
    let mut silent = gated(1);
    silent.approval.as_mut().unwrap().approve_on_timeout = true;
    let mut stage = asked(silent.clone());
    stage.world.ruleset.policy = Policy { approve_on_timeout_allowed: true, ..policy(ALL) };
    stage.later(super::approvals::TIMEOUT_S + 1);
    stage.rest();
    assert_eq!(ends(&stage.world.log)[0].outcome, ApprovalOutcome::Approved);
    assert_eq!(stage.actions, ["restart"]);
}

#[test]
fn silence_counts_as_a_yes_only_as_long_as_the_settings_allow_it() {
    for (allowed, want) in [(true, &["restart"][..]), (false, &[])] {
        let mut silent = gated(1);
        silent.approval.as_mut().unwrap().approve_on_timeout = true;
        let mut stage = asked(silent);
        stage.world.ruleset.policy = Policy { approve_on_timeout_allowed: true, ..policy(ALL) };
        stage.later(super::approvals::TIMEOUT_S + 1);
        stage.world.effects.clear();
        stage.world.docker(first(), found(container("web")));
        assert!(stage.world.state.incident(first()).unwrap().run().is_some(), "it has begun");
        stage.world.ruleset.policy.approve_on_timeout_allowed = allowed;
        stage.rest();
        assert_eq!(stage.actions, want, "{allowed}");
        assert_eq!(stage.world.last_refusal() == Some(Reason::ApprovalMissing), !allowed);
    }
}
