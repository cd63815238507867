//! Votes by signed links: when they count, and when none is taken any more.

use super::approvals::{asked, ballot, gated, spec};
use super::stage::Stage;
use crate::engine::effect::Effect;
use crate::model::approval::{BY_LINK, Ballot, VoteAnswer, WRONG_LINKS_MAX};
use crate::model::fact::Fact;
use crate::playbook::definition::{ApprovalSpec, Playbook};

fn by_link(stage: &Stage, person: &str) -> Ballot {
    Ballot { channel: BY_LINK.into(), ..ballot(stage, person, true) }
}

/// A link or a code that fits nobody.
fn wrong(stage: &Stage) -> Ballot {
    Ballot { person: String::new(), groups: vec![], approve: false, ..by_link(stage, "nobody") }
}

fn answers(stage: &Stage) -> Vec<&'static str> {
    let answer = |fact: &Fact| if let Fact::VoteCast(vote) = fact { Some(vote.answer.as_str()) } else { None };
    stage.world.log.iter().filter_map(|record| answer(&record.fact)).collect()
}

#[test]
fn a_vote_by_link_counts_as_any_other_and_each_person_once() {
    let mut stage = asked(gated(2));
    for (vote, want) in [
        (by_link(&stage, "dba-1"), VoteAnswer::Counted),
        (by_link(&stage, "dba-1"), VoteAnswer::Repeated),
        (ballot(&stage, "dba-1", true), VoteAnswer::Repeated),
        (by_link(&stage, "eve"), VoteAnswer::NotEligible),
        (Ballot { plan: "00".repeat(32), ..by_link(&stage, "alice") }, VoteAnswer::WrongPlan),
        (ballot(&stage, "alice", true), VoteAnswer::Approved),
        (by_link(&stage, "dba-2"), VoteAnswer::AlreadyDecided),
    ] {
        assert_eq!(stage.cast(vote.clone()).answer, want, "{vote:?}");
    }
    stage.rest();
    assert_eq!(stage.actions, ["restart"]);
}

#[test]
fn a_playbook_that_wants_no_links_takes_none() {
    let playbook = Playbook { approval: Some(ApprovalSpec { links: false, ..spec(1) }), ..gated(1) };
    let mut stage = asked(playbook);
    let no = Ballot { approve: false, ..by_link(&stage, "alice") };
    for vote in [by_link(&stage, "alice"), no, wrong(&stage)] {
        assert_eq!(stage.cast(vote).answer, VoteAnswer::NoLinks);
    }
    assert_eq!(answers(&stage), ["no_links", "no_links"], "what fits nobody is not even recorded");
    assert!(!stage.world.snapshot().approvals[0].takes_links);
    assert_eq!(stage.yes("alice"), VoteAnswer::Approved, "another channel counts");
}

#[test]
fn after_ten_links_that_fit_nobody_none_is_taken_also_after_a_restart_and_whoever_was_asked_is_told() {
    let spec = ApprovalSpec { ask: vec!["ada-mail".into(), "team".into()], ..spec(2) };
    let mut stage = asked(Playbook { approval: Some(spec), ..gated(2) });
    assert_eq!(stage.told.len(), 2);
    assert_eq!(stage.cast(by_link(&stage, "dba-1")).answer, VoteAnswer::Counted);
    for number in 1..WRONG_LINKS_MAX {
        if number == 5 {
            stage.restart();
        }
        assert_eq!(stage.cast(wrong(&stage)).answer, VoteAnswer::WrongLink);
        assert!(stage.world.snapshot().approvals[0].takes_links, "{number}");
    }
    stage.rest();
    assert_eq!(stage.told.len(), 2, "nobody is told before");
    assert_eq!(stage.cast(wrong(&stage)).answer, VoteAnswer::WrongLink);
    let carries = |effect: &Effect| matches!(effect, Effect::SendNotice { asks: Some(_), .. });
    assert!(!stage.world.effects.iter().any(carries), "what tells of it asks nothing");
    stage.rest();
    assert_eq!(stage.told.len(), 4, "{:?}", stage.told);
    assert!(stage.told[2..].iter().all(|title| title.contains("links are closed for approval")), "{:?}", stage.told);

    stage.restart();
    stage.rest();
    assert_eq!(stage.told.len(), 4, "once");
    let recorded = stage.world.log.len();
    for _ in 0..200 {
        assert_eq!(stage.cast(wrong(&stage)).answer, VoteAnswer::NoLinks);
    }
    assert_eq!(stage.world.log.len(), recorded, "who goes on guessing writes nothing");
    assert_eq!(stage.cast(by_link(&stage, "alice")).answer, VoteAnswer::NoLinks, "not even the right one");
    assert_eq!(answers(&stage).iter().filter(|answer| **answer == "wrong_link").count(), 10);
    assert_eq!(stage.yes("alice"), VoteAnswer::Approved, "the earlier yes and another channel count");
    stage.rest();
    assert_eq!(stage.actions, ["restart"]);
}

#[test]
fn a_question_carries_its_terms_for_links_only_where_they_are_taken() {
    for links in [true, false] {
        let spec = ApprovalSpec { ask: vec!["ada-mail".into()], links, ..spec(1) };
        let mut stage = Stage::new(Playbook { approval: Some(spec), ..gated(1) });
        let now_s = stage.world.now_s;
        stage.world.fire(super::world::firing(now_s));
        stage.rest_but(|effect| matches!(effect, Effect::SendNotice { .. }));
        let [Effect::SendNotice { asks: Some(asks), .. }] = &stage.world.effects[..] else { panic!("nobody is asked") };
        let since = stage.world.snapshot().approvals[0].since;
        let want = links.then(|| (since.timestamp() + 900, vec!["dba".to_owned(), "alice".to_owned()]));
        assert_eq!(asks.links.clone().map(|links| (links.until.timestamp(), links.from)), want);
    }
}
