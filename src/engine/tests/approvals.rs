//! People's consent: who counts, for what, until when, and what becomes of a yes that comes too late, twice, or for
//! another plan.

use super::stage::Stage;
use super::world::*;
use crate::engine::event::Event;
use crate::engine::receipt::{Reply, Voted};
use crate::model::approval::{ApprovalEnded, ApprovalOutcome, ApprovalRequested, Ballot, ReasonFor, VoteAnswer};
use crate::model::fact::{Fact, Record, StepResult};
use crate::model::id::{ActId, IncidentId};
use crate::model::pause::Pause;
use crate::model::reason::Reason;
use crate::playbook::definition::{ApprovalSpec, NotifySpec, Playbook, Verb};
use std::time::Duration;

pub(super) const TIMEOUT_S: u64 = 900;
pub(super) const EXECUTE_WITHIN_S: u64 = 900;

pub(super) fn spec(required: u32) -> ApprovalSpec {
    ApprovalSpec {
        required,
        from: vec!["dba".into(), "alice".into()],
        timeout: Duration::from_secs(TIMEOUT_S),
        approve_on_timeout: false,
        prevent_self_approval: true,
        links: true,
        reason: ReasonFor::Never,
        ask: vec![],
        message: None,
    }
}

fn told(message: &str) -> Verb {
    let roots = &["labels", "target", "run", "approval"];
    let message = crate::playbook::template::Template::parse(message, roots).unwrap();
    Verb::Notify(NotifySpec { to: vec!["log".into()], severity: "info".into(), title: Some(message.clone()), message })
}

/// A restart that people must agree to first.
pub(super) fn gated(required: u32) -> Playbook {
    let on_denied = vec![step(told("{{ approval.outcome }} by {{ approval.by }}: {{ approval.reason }}"))];
    Playbook { approval: Some(spec(required)), on_denied, ..restarting() }
}

/// An alert came, and people are asked.
pub(super) fn asked(playbook: Playbook) -> Stage {
    let mut stage = Stage::new(playbook);
    stage.verify = |_| StepResult::Verified("well".into());
    let now_s = stage.world.now_s;
    stage.world.fire(firing(now_s));
    stage.rest();
    assert_eq!(stage.count("approval.requested"), 1, "{:?}", stage.world.kinds(0));
    stage
}

pub(super) fn questions(log: &[Record]) -> Vec<&ApprovalRequested> {
    let mut found = Vec::new();
    for record in log {
        if let Fact::ApprovalRequested(asked) = &record.fact {
            found.push(&**asked);
        }
    }
    found
}

pub(super) fn ends(log: &[Record]) -> Vec<&ApprovalEnded> {
    let mut found = Vec::new();
    for record in log {
        if let Fact::ApprovalEnded(ended) = &record.fact {
            found.push(ended);
        }
    }
    found
}

pub(super) fn ballot(stage: &Stage, person: &str, approve: bool) -> Ballot {
    let questions = questions(&stage.world.log);
    let asked = questions.last().expect("people were asked");
    let groups = if person.starts_with("dba") { vec!["dba".to_owned()] } else { vec![] };
    Ballot {
        approval: asked.approval,
        plan: asked.plan.clone(),
        person: person.to_owned(),
        groups,
        channel: "cli".into(),
        approve,
        comment: String::new(),
    }
}

impl Stage {
    pub(super) fn cast(&mut self, ballot: Ballot) -> Voted {
        // What was under way stays so.
        let under_way = std::mem::take(&mut self.world.effects);
        self.world.feed(Event::VoteCast(ballot));
        self.world.effects.extend(under_way);
        let Reply::Voted(voted) = self.world.reply else { panic!("no answer") };
        voted
    }

    /// Somebody votes on the last question; `dba…` are of the group.
    pub(super) fn say(&mut self, person: &str, approve: bool) -> VoteAnswer {
        let ballot = ballot(self, person, approve);
        self.cast(ballot).answer
    }

    pub(super) fn yes(&mut self, person: &str) -> VoteAnswer {
        self.say(person, true)
    }

    /// The same log, read by a daemon that starts now.
    pub(super) fn restart(&mut self) {
        self.world.state = self.world.replayed(self.world.log.len());
        self.world.effects.clear();
        let event = Event::Started { recovered: None, version: "0".into(), hostname: "h".into(), files: vec![] };
        self.world.feed(event);
    }

    pub(super) fn pause(&mut self, scope: &str) {
        let scope = scope.parse().unwrap();
        let pause = Pause { scope, by: "bob".into(), reason: "looking".into(), length: None };
        self.world.feed(Event::PauseRequested(pause));
    }

    pub(super) fn resume(&mut self, scope: &str) {
        let scope = scope.parse().unwrap();
        self.world.feed(Event::ResumeRequested { scope, by: "bob".into(), reason: "done".into() });
    }

    pub(super) fn verdict(&self) -> Option<(&'static str, Option<Reason>)> {
        self.world.verdict()
    }
}

#[test]
fn nothing_is_done_until_enough_different_people_agreed_and_then_once() {
    let mut stage = asked(gated(2));
    assert!(stage.world.effects.is_empty() && stage.actions.is_empty());
    assert_eq!(stage.yes("dba-1"), VoteAnswer::Counted);
    // The same person again, and by another channel: it counts once.
    assert_eq!(stage.yes("dba-1"), VoteAnswer::Repeated);
    let other_channel = Ballot { channel: "web".into(), ..ballot(&stage, "dba-1", true) };
    assert_eq!(stage.cast(other_channel).answer, VoteAnswer::Repeated);
    stage.rest();
    assert!(stage.actions.is_empty(), "one of two is not enough");
    let last = ballot(&stage, "alice", true);
    let voted = stage.cast(last.clone());
    let approved = Some(ApprovalOutcome::Approved);
    assert_eq!(voted, Voted { answer: VoteAnswer::Approved, outcome: approved, yes: 2, required: 2 });
    stage.rest();
    assert_eq!((stage.actions.as_slice(), stage.verdict()), (["restart"].as_slice(), Some(("recovered", None))));
    // A replay of the last vote, when everything is over.
    assert_eq!(stage.cast(last).answer, VoteAnswer::Unknown);
    assert_eq!(stage.count("approval.vote"), 2);
    assert_eq!(ends(&stage.world.log)[0].by, ["dba-1", "alice"]);
    assert_eq!(stage.world.replayed(stage.world.log.len()), stage.world.state);
}

#[test]
fn what_people_see_is_what_is_done() {
    let stage = asked(gated(2));
    let asked = questions(&stage.world.log)[0].clone();
    assert_eq!(asked.approval, ActId { incident: first(), number: 1 });
    let id = container("web").id;
    let want =
        format!("on web ({}, image box:1, sha256:1): capture; restart (started if it is stopped); verify", id.short());
    assert_eq!(asked.what, want);
    let mut stage = stage;
    stage.yes("dba-1");
    stage.yes("dba-2");
    stage.rest();
    let intended = stage.world.log.iter().find_map(|record| match &record.fact {
        Fact::ActionIntended(intended) => Some(intended.plan.clone()),
        _ => None,
    });
    assert_eq!(intended, Some(asked.plan), "the act bears the very plan that was agreed to");
}

#[test]
fn votes_that_do_not_count_are_refused_with_the_reason_and_recorded() {
    let mut stage = asked(gated(1));
    let fine = ballot(&stage, "alice", true);
    for (name, ballot, want) in [
        ("a stranger", Ballot { person: "mallory".into(), ..fine.clone() }, VoteAnswer::NotEligible),
        ("a look-alike", Ballot { person: "\u{430}lice".into(), ..fine.clone() }, VoteAnswer::NotEligible),
        (
            "another group",
            Ballot { person: "bob".into(), groups: vec!["sre".into()], ..fine.clone() },
            VoteAnswer::NotEligible,
        ),
        (
            "nobody",
            Ballot { person: String::new(), groups: vec!["dba".into()], ..fine.clone() },
            VoteAnswer::NotEligible,
        ),
        (
            "a name without end",
            Ballot { person: "a".repeat(200), groups: vec!["dba".into()], ..fine.clone() },
            VoteAnswer::NotEligible,
        ),
        (
            "a stranger's no",
            Ballot { person: "mallory".into(), approve: false, ..fine.clone() },
            VoteAnswer::NotEligible,
        ),
        ("another plan", Ballot { plan: "0".repeat(64), ..fine.clone() }, VoteAnswer::WrongPlan),
        ("no plan", Ballot { plan: String::new(), ..fine.clone() }, VoteAnswer::WrongPlan),
    ] {
        let before = stage.count("approval.vote");
        assert_eq!(stage.cast(ballot).answer, want, "{name}");
        assert_eq!(stage.count("approval.vote"), before + 1, "{name}");
    }
    for (name, approval) in [
        ("another approval", ActId { number: 9, ..fine.approval }),
        ("another incident", ActId { incident: IncidentId(crate::model::id::Seq(77)), number: 1 }),
    ] {
        assert_eq!(stage.cast(Ballot { approval, ..fine.clone() }).answer, VoteAnswer::Unknown, "{name}");
    }
    stage.rest();
    assert!(stage.actions.is_empty());
    // The digits that people are shown are enough.
    let plan = fine.plan.chars().take(12).collect::<String>();
    assert_eq!(stage.cast(Ballot { plan, ..fine }).answer, VoteAnswer::Approved);
}

#[test]
fn where_a_reason_is_wanted_no_vote_counts_without_one() {
    let say = |stage: &Stage, approve: bool, comment: &str| Ballot {
        comment: comment.into(),
        ..ballot(stage, "alice", approve)
    };
    // Blanks and letters that nobody sees are no reason.
    let nothing = ["", "  \t", "\u{200b}\u{2060} \u{ad}"];
    for (reason, yes, no) in [
        (ReasonFor::Never, VoteAnswer::Approved, VoteAnswer::Denied),
        (ReasonFor::OnDeny, VoteAnswer::Approved, VoteAnswer::NoReason),
        (ReasonFor::Always, VoteAnswer::NoReason, VoteAnswer::NoReason),
    ] {
        for (approve, want) in [(true, yes), (false, no)] {
            for comment in nothing {
                let mut stage = asked(Playbook { approval: Some(ApprovalSpec { reason, ..spec(1) }), ..gated(1) });
                let vote = say(&stage, approve, comment);
                assert_eq!(stage.cast(vote).answer, want, "{reason} {approve} {comment:?}");
                if want == VoteAnswer::NoReason {
                    let vote = say(&stage, approve, "the disk is full");
                    let counts = if approve { VoteAnswer::Approved } else { VoteAnswer::Denied };
                    assert_eq!(stage.cast(vote).answer, counts, "said again, with a reason");
                }
                stage.rest();
                assert_eq!(stage.actions.len(), usize::from(approve), "{reason} {approve} {comment:?}");
            }
        }
    }
}

#[test]
fn what_somebody_pours_in_fills_no_disk() {
    let mut stage = asked(gated(1));
    let vain = Ballot { person: "mallory".into(), comment: "x".repeat(100_000), ..ballot(&stage, "alice", true) };
    for _ in 0..150 {
        assert_eq!(stage.cast(vain.clone()).answer, VoteAnswer::NotEligible);
    }
    assert_eq!(stage.count("approval.vote"), 100);
    assert_eq!(stage.yes("alice"), VoteAnswer::Approved, "whoever may decide still can");
}

#[test]
fn who_caused_a_run_cannot_agree_to_it_by_any_channel_but_may_say_no() {
    for (prevent, channel, approve, want) in [
        (true, "cli", true, VoteAnswer::SelfApproval),
        (true, "web", true, VoteAnswer::SelfApproval),
        (true, "web", false, VoteAnswer::Denied),
        (false, "cli", true, VoteAnswer::Approved),
    ] {
        let mut stage = asked(gated(1));
        // Nothing but alerts causes runs so far: the record is told as a later version will.
        for record in &mut stage.world.log {
            if let Fact::ApprovalRequested(asked) = &mut record.fact {
                asked.cause = Some("alice".into());
                asked.prevent_self_approval = prevent;
            }
        }
        stage.world.state = stage.world.replayed(stage.world.log.len());
        let ballot = Ballot { channel: channel.into(), ..ballot(&stage, "alice", approve) };
        assert_eq!(stage.cast(ballot).answer, want, "{prevent} {channel} {approve}");
        if want == VoteAnswer::SelfApproval {
            assert_eq!(stage.yes("dba-1"), VoteAnswer::Approved, "somebody else may");
        }
    }
}

#[test]
fn a_vote_on_one_approval_is_none_on_another() {
    let other = |name: &str| Playbook {
        name: name.into(),
        matchers: crate::model::matcher::parse_matchers(&format!("container=\"{name}\"")).unwrap().matchers,
        ..gated(1)
    };
    let mut stage = Stage::new(other("web"));
    stage.world = World::new(vec![other("web"), other("db")]);
    for name in ["web", "db"] {
        let mut alert = firing(stage.world.now_s);
        alert.labels = [("alertname", "Down"), ("container", name)].into_iter().collect();
        alert.fingerprint = alert.labels.fingerprint();
        stage.web = found(container(name));
        stage.world.fire(alert);
        stage.rest();
    }
    let questions: Vec<ApprovalRequested> = questions(&stage.world.log).into_iter().cloned().collect();
    let [a, b] = questions.as_slice() else { panic!("two questions") };
    let of_a = Ballot { approval: a.approval, plan: a.plan.clone(), ..ballot(&stage, "alice", true) };
    assert_eq!(stage.cast(Ballot { approval: b.approval, ..of_a.clone() }).answer, VoteAnswer::WrongPlan);
    assert_eq!(stage.cast(of_a).answer, VoteAnswer::Approved);
    assert_eq!(ends(&stage.world.log).len(), 1);
}

#[test]
fn any_no_of_somebody_who_may_decide_ends_it_and_on_denied_tells_who_and_why() {
    let mut stage = asked(gated(2));
    stage.yes("dba-1");
    let no = Ballot { comment: "a backup runs".into(), ..ballot(&stage, "dba-1", false) };
    assert_eq!(stage.cast(no).answer, VoteAnswer::Denied, "whoever agreed may change their mind");
    stage.rest();
    assert_eq!(stage.told, ["denied by dba-1: a backup runs"]);
    assert_eq!(stage.verdict(), Some(("denied", Some(Reason::ApprovalDenied))));
    assert_eq!(stage.detail().as_deref(), Some("dba-1 said no: a backup runs"));
    assert!(stage.actions.is_empty());
    // The same start comes back: people have decided about it.
    let alert = firing(100_000);
    let now_s = stage.world.now_s;
    stage.world.feed(Event::NotificationReceived(crate::model::alert::Notification {
        alerts: vec![resolved(&alert, now_s)],
        ..Default::default()
    }));
    stage.world.now_s += 60;
    stage.world.fire(alert);
    stage.rest();
    assert_eq!(stage.count("approval.requested"), 1);
}

#[test]
fn deny_wins_over_a_late_approve_and_over_a_yes_that_is_not_carried_out_yet() {
    // The no came first.
    let mut stage = asked(gated(1));
    assert_eq!(stage.say("dba-1", false), VoteAnswer::Denied);
    assert_eq!(stage.yes("alice"), VoteAnswer::AlreadyDecided);
    stage.rest();
    assert_eq!((stage.actions.len(), stage.verdict().unwrap().0), (0, "denied"));
    // The yes came first, and Docker has not answered yet.
    let mut stage = asked(gated(1));
    assert_eq!(stage.yes("alice"), VoteAnswer::Approved);
    assert_eq!(stage.say("dba-1", false), VoteAnswer::Denied);
    stage.rest();
    assert_eq!((stage.actions.len(), stage.verdict().unwrap().0), (0, "denied"));
    // Once it has begun, it is too late for a no.
    let mut stage = asked(gated(1));
    stage.yes("alice");
    stage.world.docker(first(), found(container("web")));
    assert_eq!(stage.say("dba-1", false), VoteAnswer::AlreadyDecided);
}

#[test]
fn of_two_votes_at_once_one_decides_a_thousand_times() {
    for round in 0..1000_u32 {
        let mut stage = asked(gated(2));
        stage.yes("dba-0");
        // Both were sent before either was answered; some are doubled on their way.
        let last_say_no = round % 3 == 0;
        let mut ballots = vec![ballot(&stage, "dba-1", true), ballot(&stage, "alice", !last_say_no)];
        if round % 2 == 0 {
            ballots.reverse();
        }
        if round % 5 == 0 {
            ballots.push(ballots[0].clone());
        }
        for ballot in ballots {
            stage.cast(ballot);
            if round % 7 == 0 {
                stage.restart();
            }
        }
        stage.rest();
        let decided: Vec<&str> = ends(&stage.world.log).iter().map(|end| end.outcome.as_str()).collect();
        let denied = decided.contains(&"denied");
        let approved = decided.iter().filter(|outcome| **outcome == "approved").count();
        assert!(approved <= 1, "{round}: {decided:?}");
        assert_eq!(stage.actions.len(), usize::from(!denied), "{round}: {decided:?}");
        assert_eq!(denied, last_say_no, "{round}: {decided:?}");
    }
}

#[test]
fn no_yes_counts_after_the_time_by_either_clock_and_silence_never_acts() {
    for (name, passed_s, wall_ahead_s, late, expired) in [
        ("in time", TIMEOUT_S - 1, 0, false, false),
        ("over", TIMEOUT_S, 0, true, true),
        ("the wall clock was set ahead", 60, 86_400, true, false),
        ("the wall clock was set back", TIMEOUT_S, -86_400, true, true),
        ("set back, and in time", TIMEOUT_S - 1, -86_400, false, false),
    ] {
        let mut stage = asked(gated(1));
        stage.world.now_s += passed_s;
        stage.world.wall_ahead_s = wall_ahead_s;
        let want = if late { VoteAnswer::TooLate } else { VoteAnswer::Approved };
        assert_eq!(stage.yes("alice"), want, "{name}");
        stage.rest();
        stage.later(0);
        stage.rest();
        assert_eq!(stage.actions.len(), usize::from(!late), "{name}");
        assert_eq!(stage.count("approval.expired") == 1, expired, "{name}");
        if expired {
            assert_eq!(stage.told, ["expired by : "], "{name}");
            assert_eq!(stage.verdict(), Some(("expired", Some(Reason::ApprovalTimeout))), "{name}");
            assert_eq!(stage.detail().as_deref(), Some("0 of 1 agreed within 15m"), "{name}");
        }
        if name == "the wall clock was set ahead" {
            // It is set right again: nothing was lost.
            stage.world.wall_ahead_s = 0;
            assert_eq!(stage.yes("alice"), VoteAnswer::Approved);
        }
    }
}

#[test]
fn a_machine_that_was_off_brings_nobody_a_yes_too_late() {
    let mut stage = asked(gated(1));
    // Off for two hours; nobody but the wall clock knows how long.
    stage.world.now_s += 7200;
    stage.world.boot = (2, stage.world.now_s - 30);
    stage.restart();
    stage.rest();
    assert_eq!(stage.yes("alice"), VoteAnswer::TooLate);
    assert_eq!(stage.count("approval.expired"), 0, "30 s are all that surely passed");
    stage.later(TIMEOUT_S);
    stage.rest();
    assert_eq!((stage.verdict().unwrap().0, stage.actions.len()), ("expired", 0));
}

#[test]
fn silence_is_a_yes_only_where_playbook_and_settings_both_say_so() {
    for (playbook, settings, want) in
        [(false, false, "expired"), (true, false, "expired"), (false, true, "expired"), (true, true, "recovered")]
    {
        let mut gated = gated(1);
        gated.approval.as_mut().unwrap().approve_on_timeout = playbook;
        let mut stage = asked(gated);
        stage.world.ruleset.policy.approve_on_timeout_allowed = settings;
        // By the wall clock alone nothing happens in any case.
        stage.world.wall_ahead_s = 86_400;
        stage.later(60);
        stage.rest();
        assert_eq!(stage.verdict(), None);
        stage.later(TIMEOUT_S);
        stage.rest();
        assert_eq!(stage.verdict().unwrap().0, want, "{playbook} {settings}");
    }
}

#[test]
fn a_plan_that_changed_between_view_and_vote_is_asked_about_anew() {
    let mut stage = asked(gated(1));
    let mut redeployed = container("web");
    redeployed.id = crate::model::target::ContainerId::parse(&"cd".repeat(32)).unwrap();
    stage.web = found(redeployed);
    stage.yes("alice");
    stage.rest();
    assert!(stage.actions.is_empty(), "nobody agreed to this container");
    let outcomes: Vec<&str> = ends(&stage.world.log).iter().map(|end| end.outcome.as_str()).collect();
    assert_eq!((outcomes.as_slice(), stage.count("approval.requested")), (["approved", "superseded"].as_slice(), 2));
    // Who looks at the old question does not agree to the new one.
    let questions: Vec<ApprovalRequested> = questions(&stage.world.log).into_iter().cloned().collect();
    let old = Ballot { plan: questions[0].plan.clone(), ..ballot(&stage, "dba-1", true) };
    assert_eq!(stage.cast(old.clone()).answer, VoteAnswer::WrongPlan);
    assert_eq!(stage.cast(Ballot { approval: questions[0].approval, ..old }).answer, VoteAnswer::Unknown);
    assert_eq!(stage.yes("dba-1"), VoteAnswer::Approved);
    stage.rest();
    assert_eq!((stage.actions.len(), stage.verdict().unwrap().0), (1, "recovered"));
}

#[test]
fn another_image_is_another_plan() {
    let mut stage = asked(gated(1));
    let mut rebuilt = container("web");
    rebuilt.image_id = "sha256:2".into();
    stage.web = found(rebuilt);
    stage.yes("alice");
    stage.rest();
    assert_eq!((stage.actions.len(), stage.count("approval.requested")), (0, 2));
}

#[test]
fn people_are_not_asked_for_ever_about_what_never_stays_the_same() {
    let mut stage = asked(gated(1));
    for round in 0..10 {
        let mut other = container("web");
        other.image_id = format!("sha256:{round}0");
        stage.web = found(other);
        stage.yes("alice");
        stage.rest();
    }
    assert_eq!(stage.count("approval.requested"), 5);
    assert_eq!(stage.verdict(), Some(("superseded", Some(Reason::ApprovalSuperseded))));
}
