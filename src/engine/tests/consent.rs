//! What becomes of people's consent: restarts, pauses, reloads, gates that say no, and steps that ask in the middle of a run.

use super::approvals::*;
use super::stage::Stage;
use super::world::*;
use crate::engine::effect::Effect;
use crate::engine::event::{Event, NewConfig};
use crate::model::approval::VoteAnswer;
use crate::model::container::TargetReport;
use crate::model::fact::{Fact, Record, StepResult};
use crate::model::limit::Window;
use crate::model::notice::NoticeOutcome;
use crate::model::policy::Policy;
use crate::model::reason::Reason;
use crate::playbook::definition::{CaptureSpec, Playbook, RestartSpec, StopSpec, Verb, VerifyStep};
use crate::playbook::index::Playbooks;
use std::time::Duration;

#[test]
fn a_restart_between_vote_and_execution_executes_once_or_expires() {
    for (down_s, actions, verdict) in [(5, 1, "recovered"), (EXECUTE_WITHIN_S + 1, 0, "expired")] {
        let mut stage = asked(gated(1));
        stage.yes("alice");
        // Killed before Docker was asked.
        stage.world.now_s += down_s;
        stage.restart();
        stage.rest();
        stage.restart();
        stage.rest();
        assert_eq!((stage.actions.len(), stage.verdict().unwrap().0), (actions, verdict), "{down_s}");
    }
}

#[test]
fn a_crash_at_any_record_executes_at_most_once_and_never_without_consent() {
    let mut whole = asked(gated(2));
    whole.yes("dba-1");
    whole.yes("alice");
    whole.rest();
    let records = whole.world.log.len();
    for cut in 1..=records {
        let mut stage = asked(gated(2));
        stage.yes("dba-1");
        stage.yes("alice");
        stage.rest();
        stage.world.log.truncate(cut);
        stage.actions.clear();
        stage.restart();
        stage.rest();
        let votes = stage.count("approval.vote");
        let intents = stage.count("action.intent");
        assert!(intents <= 1 && stage.actions.len() <= 1, "{cut}");
        assert!(intents == 0 || votes == 2, "{cut}: {:?}", stage.world.kinds(0));
        assert_eq!(stage.world.replayed(stage.world.log.len()), stage.world.state, "{cut}");
        let memory = stage.world.state.memory();
        let saved = Record {
            seq: stage.world.state.next_seq(),
            at: stage.world.now(),
            fact: Fact::StateSaved(Box::new(memory)),
        };
        let mut recalled = crate::engine::state::State::default();
        recalled.continue_at(saved.seq);
        recalled.apply(&saved);
        let mut same = stage.world.state.clone();
        same.apply(&Record { fact: Fact::LogClosed, ..saved });
        assert_eq!(recalled, same, "{cut}");
    }
}

#[test]
fn an_alert_that_ends_cancels_what_people_were_asked_or_agreed_to() {
    for agreed in [false, true] {
        let mut stage = asked(gated(1));
        let late = if agreed {
            stage.yes("alice");
            stage.world.effects.clone()
        } else {
            vec![]
        };
        let now_s = stage.world.now_s;
        stage.world.feed(Event::NotificationReceived(crate::model::alert::Notification {
            alerts: vec![resolved(&firing(100_000), now_s)],
            ..Default::default()
        }));
        stage.world.effects.extend(late);
        stage.rest();
        assert_eq!(stage.count("approval.cancelled"), 1);
        assert_eq!(stage.verdict(), Some(("cancelled", Some(Reason::ResolvedFirst))), "{agreed}");
        assert!(stage.actions.is_empty() && stage.told.is_empty());
    }
}

#[test]
fn while_a_pause_covers_it_votes_count_nothing_is_done_and_nothing_expires() {
    for scope in ["all", "playbook:restart", "target:web", "host:local"] {
        // Agreed to in the pause, and carried out after it.
        let mut stage = asked(gated(1));
        stage.pause(scope);
        assert_eq!(stage.yes("alice"), VoteAnswer::Approved, "{scope}");
        stage.rest();
        assert!(stage.actions.is_empty(), "{scope}");
        stage.later(120);
        stage.rest();
        assert!(stage.actions.is_empty(), "{scope}");
        stage.resume(scope);
        stage.rest();
        assert_eq!(stage.actions.len(), 1, "{scope}");
        // Nobody decides: nothing is told until the pause ends.
        let mut stage = asked(gated(1));
        stage.pause(scope);
        stage.later(TIMEOUT_S * 2);
        stage.rest();
        assert_eq!((stage.count("approval.expired"), stage.told.len()), (0, 0), "{scope}");
        stage.resume(scope);
        stage.later(1);
        stage.rest();
        assert_eq!((stage.count("approval.expired"), stage.told.len()), (1, 1), "{scope}");
        // Agreed to long ago when the pause ends: nobody means it any more.
        let mut stage = asked(gated(1));
        stage.pause(scope);
        stage.yes("alice");
        stage.rest();
        stage.later(EXECUTE_WITHIN_S + 1);
        stage.rest();
        stage.resume(scope);
        stage.rest();
        stage.later(1);
        stage.rest();
        assert_eq!((stage.actions.len(), stage.verdict().unwrap().0), (0, "expired"), "{scope}");
    }
}

#[test]
fn every_gate_is_asked_again_after_the_last_yes_and_a_no_that_passes_soon_is_waited_out() {
    let mut stage = asked(gated(1));
    stage.web = TargetReport::Unavailable("away".into());
    stage.yes("alice");
    stage.rest();
    assert_eq!((stage.world.last_refusal(), stage.actions.len()), (Some(Reason::DockerUnavailable), 0));
    stage.web = found(container("web"));
    stage.later(60);
    stage.rest();
    assert_eq!((stage.actions.len(), stage.count("approval.requested")), (1, 1));
}

#[test]
fn whoever_waits_for_people_holds_nothing_and_two_who_were_agreed_to_never_act_at_once() {
    let plain = Playbook {
        name: "first-aid".into(),
        matchers: crate::model::matcher::parse_matchers(r#"alertname="Slow""#).unwrap().matchers,
        limits: crate::model::limit::Limits {
            windows: vec![Window { runs: 9, per: Duration::from_secs(3600) }],
            ..restarting().limits
        },
        ..restarting()
    };
    let mut stage = asked(gated(1));
    stage.world.ruleset =
        crate::engine::ruleset::Ruleset::new(Playbooks::new(vec![gated(1), plain]), Policy::default());
    let mut alert = firing(stage.world.now_s);
    alert.labels = [("alertname", "Slow"), ("container", "web")].into_iter().collect();
    alert.fingerprint = alert.labels.fingerprint();
    stage.world.fire(alert);
    let other = stage.world.state.incidents().last().unwrap().id;
    stage.world.docker(other, found(container("web")));
    assert!(stage.world.state.incident(other).unwrap().run().is_some(), "first aid is not held up");
    // People agree while it is under way.
    stage.yes("alice");
    stage.world.docker(first(), found(container("web")));
    assert_eq!(stage.world.last_refusal(), Some(Reason::Busy));
    assert!(stage.world.state.incident(first()).unwrap().run().is_none());
}

#[test]
fn a_reload_that_changes_the_playbook_ends_the_question() {
    let mut stage = asked(gated(1));
    let changed = Playbook { revision: "r2".into(), ..gated(1) };
    let new =
        NewConfig { playbooks: Playbooks::new(vec![changed]), policy: Policy::default(), files: vec![], by: None };
    stage.world.feed(Event::Reloaded(Box::new(new)));
    assert_eq!(stage.count("approval.superseded"), 1);
    assert_eq!(stage.verdict(), Some(("abandoned", Some(Reason::PlaybookChanged))));
    // Its alert is free: when it is delivered again, people are asked by the new text.
    stage.world.now_s += 60;
    stage.world.fire(firing(100_000));
    stage.rest();
    assert_eq!(stage.count("approval.requested"), 2);
}

#[test]
fn the_question_reaches_every_notifier_once_and_says_what_who_and_until_when() {
    let mut gated = gated(2);
    let ask = gated.approval.as_mut().unwrap();
    ask.ask = vec!["chat".into(), "mail".into()];
    ask.message = Some(template("Restart {{ target.name }}?"));
    let mut stage = Stage::new(gated);
    stage.world.fire(firing(stage.world.now_s));
    stage.world.docker(first(), found(container("web")));
    let Some(Effect::SendNotice { notice, repeat: false, .. }) = stage.world.effects.first().cloned() else { panic!() };
    let plan = questions(&stage.world.log)[0].digits().to_owned();
    assert_eq!(notice.notifier, "chat");
    let want = format!("Restart web?\nApproval i0.1, plan {plan}: on web (");
    assert!(notice.message.starts_with(&want), "{}", notice.message);
    let want = format!(
        "2 different people of dba, alice until 2027-01-16 12:01:40 UTC. Look at http://127.0.0.1:10112/, then: sickbay \
         approve i0.1 --plan {plan}, or: sickbay deny i0.1 --plan {plan}"
    );
    assert!(notice.message.ends_with(&want), "{}", notice.message);
    // A crash: nobody knows whether it went out.
    stage.restart();
    assert!(matches!(stage.world.effects.as_slice(), [Effect::SendNotice { repeat: true, .. }]));
    stage.world.feed(Event::NoticeReturned { act: notice.act, outcome: NoticeOutcome::Delivered });
    let Some(Effect::SendNotice { notice: second, .. }) = stage.world.effects.first().cloned() else { panic!() };
    assert_eq!(second.notifier, "mail");
    // People decide before the second one is through: what comes next is not begun twice.
    stage.world.effects.clear();
    stage.yes("dba-1");
    stage.yes("alice");
    assert_eq!(stage.world.effects.len(), 1);
    let question = stage.world.effects.clone();
    stage.world.feed(Event::NoticeReturned { act: second.act, outcome: NoticeOutcome::Delivered });
    assert!(stage.world.effects.is_empty(), "{:?}", stage.world.effects);
    stage.world.effects = question;
    stage.verify = |_| StepResult::Verified("well".into());
    stage.rest();
    assert_eq!((stage.actions.len(), stage.count("notify.outcome")), (1, 2));
}

#[test]
fn a_dry_run_asks_people_and_changes_nothing() {
    let mut stage = asked(Playbook { dry_run: true, ..gated(1) });
    assert!(questions(&stage.world.log)[0].dry_run);
    stage.yes("alice");
    stage.rest();
    assert_eq!((stage.actions.len(), stage.count("action.intent")), (0, 1));
    assert_eq!(stage.verdict(), Some(("unknown", Some(Reason::DryRun))));
}

#[test]
fn whoever_agreed_to_a_dry_run_has_not_agreed_to_the_act() {
    let mut stage = Stage::new(gated(2));
    stage.verify = |_| StepResult::Verified("well".into());
    stage.world.ruleset.policy.dry_run = true;
    let now_s = stage.world.now_s;
    stage.world.fire(firing(now_s));
    stage.rest();
    stage.yes("alice");
    // The next start is none any more.
    stage.world.ruleset.policy.dry_run = false;
    stage.restart();
    assert_eq!(stage.yes("dba-1"), VoteAnswer::Approved);
    stage.rest();
    let last = ends(&stage.world.log).last().unwrap().detail.clone();
    assert_eq!(last, "people agreed to a dry run, and this would be none any more");
    let asked: Vec<_> = questions(&stage.world.log).iter().map(|asked| (asked.dry_run, asked.plan.clone())).collect();
    let [(true, old), (false, new)] = asked.as_slice() else { panic!("{asked:?}") };
    assert!(old != new && stage.actions.is_empty(), "{:?}", stage.actions);
    stage.yes("alice");
    stage.yes("dba-1");
    stage.rest();
    assert_eq!(stage.actions, ["restart"]);
    assert_eq!(stage.world.replayed(stage.world.log.len()), stage.world.state);
}

#[test]
fn readers_see_what_people_are_asked() {
    let mut stage = asked(gated(2));
    stage.yes("dba-1");
    stage.world.now_s += 100;
    let snapshot = stage.world.snapshot();
    let [pending] = snapshot.approvals.as_slice() else { panic!("one question") };
    assert_eq!((pending.yes.as_slice(), pending.left.as_secs()), (["dba-1".to_owned()].as_slice(), TIMEOUT_S - 100));
    assert_eq!(snapshot.incidents[0].doing, "awaiting_approval");
    assert_eq!(snapshot.incidents[0].reason, Some(Reason::ApprovalPending));
    assert_eq!(snapshot.incidents[0].target.as_deref(), Some("web"));
}

/// capture, then `before`, a question, `after`, verify.
fn in_steps(before: Vec<Verb>, after: Vec<Verb>) -> Playbook {
    let mut verbs = vec![Verb::Capture(CaptureSpec::default())];
    verbs.extend(before);
    verbs.push(Verb::Approve(spec(1)));
    verbs.extend(after);
    verbs.push(Verb::Verify(VerifyStep::default()));
    let mut playbook = Playbook { approval: None, ..gated(1) };
    playbook.attempts.first.steps = verbs.into_iter().map(step).collect();
    playbook
}

fn restart() -> Verb {
    Verb::Restart(RestartSpec { stop_timeout: None, start_if_stopped: true })
}

#[test]
fn a_step_that_asks_lets_what_follows_happen_or_not() {
    for (approve, actions, verdict) in [(true, vec!["restart"], "recovered"), (false, vec![], "denied")] {
        let mut stage = asked(in_steps(vec![], vec![restart()]));
        let question = questions(&stage.world.log)[0].clone();
        assert!(question.what.ends_with(": restart (started if it is stopped); verify"), "{}", question.what);
        assert_eq!(question.step.as_ref().map(|step| step.index), Some(1));
        stage.say("alice", approve);
        stage.rest();
        assert_eq!((&stage.actions, stage.verdict().unwrap().0), (&actions, verdict));
        assert_eq!(stage.told.len(), usize::from(!approve));
        assert_eq!(stage.world.replayed(stage.world.log.len()), stage.world.state);
    }
}

#[test]
fn a_step_that_asks_after_an_act_lets_go_of_the_target_unless_it_was_stopped() {
    let busy = |before: Vec<Verb>, after: Vec<Verb>| {
        let stage = asked(in_steps(before, after));
        stage.world.state.running().next().unwrap().run().unwrap().holds_its_target()
    };
    assert!(!busy(vec![], vec![restart()]));
    assert!(!busy(vec![restart()], vec![restart()]));
    assert!(busy(vec![Verb::Stop(StopSpec::default())], vec![Verb::Start]));
}

#[test]
fn a_step_that_asks_expires_and_is_cancelled_like_any_other_question() {
    let mut stage = asked(in_steps(vec![restart()], vec![restart()]));
    stage.later(TIMEOUT_S);
    stage.rest();
    assert_eq!((stage.actions.as_slice(), stage.verdict().unwrap().0), (["restart"].as_slice(), "expired"));
    for (before, verdict) in [
        (vec![], ("cancelled", Some(Reason::ResolvedFirst))),
        (vec![restart()], ("unknown", Some(Reason::NotVerified))),
    ] {
        let mut stage = asked(in_steps(before, vec![restart()]));
        let now_s = stage.world.now_s;
        stage.world.feed(Event::NotificationReceived(crate::model::alert::Notification {
            alerts: vec![resolved(&firing(100_000), now_s)],
            ..Default::default()
        }));
        stage.rest();
        assert_eq!(stage.verdict(), Some(verdict));
        assert_eq!(stage.count("approval.cancelled"), 1);
    }
}

#[test]
fn what_was_agreed_to_is_not_done_hours_later() {
    // Agreed to; the daemon is away between the step that keeps the evidence and the act.
    let mut stage = asked(gated(1));
    stage.yes("alice");
    stage.world.docker(first(), found(container("web")));
    stage.world.now_s += 4 * 3600;
    stage.restart();
    stage.rest();
    assert_eq!((stage.actions.len(), stage.world.last_refusal()), (0, Some(Reason::ApprovalMissing)));
    // Asked anew when the alert is delivered again.
    let now_s = stage.world.now_s;
    stage.world.now_s += 60;
    stage.world.fire(firing(100_000));
    stage.rest();
    assert_eq!(stage.count("approval.requested"), 2, "{now_s}");
    // A wait that people saw when they agreed counts as theirs.
    let mut patient = gated(1);
    patient.attempts.first.steps.insert(0, step(Verb::Wait(Duration::from_secs(3600))));
    let mut stage = asked(patient);
    stage.yes("alice");
    stage.world.docker(first(), found(container("web")));
    stage.world.effects.clear();
    stage.world.now_s += 3600;
    stage.world.step(first(), 0, StepResult::Waited);
    stage.rest();
    assert_eq!(stage.actions.len(), 1);
}

#[test]
fn each_try_is_agreed_to_by_itself() {
    let mut ladder = super::stage::ladder();
    ladder.approval = Some(spec(1));
    let mut stage = Stage::new(ladder);
    stage.world.fire(firing(stage.world.now_s));
    stage.rest();
    assert_eq!(stage.yes("alice"), VoteAnswer::Approved);
    stage.rest();
    assert_eq!(stage.actions, ["restart"]);
    stage.later(super::stage::COOLDOWN_S);
    stage.rest();
    assert_eq!((stage.actions.len(), stage.count("approval.requested")), (1, 2));
    let questions = questions(&stage.world.log);
    assert_ne!(questions[0].plan, questions[1].plan);
    assert_eq!(stage.say("alice", false), VoteAnswer::Denied);
    stage.rest();
    assert_eq!((stage.actions.len(), stage.verdict().unwrap().0), (1, "denied"));
}

#[test]
fn a_run_that_a_gate_refused_before_its_first_act_asks_again() {
    let mut stage = asked(gated(1));
    stage.yes("alice");
    stage.world.docker(first(), found(container("web")));
    // The run has begun by what was agreed to. Docker is away when it is to act.
    stage.web = TargetReport::Unavailable("away".into());
    stage.rest();
    assert_eq!(stage.world.last_refusal(), Some(Reason::DockerUnavailable));
    stage.web = found(container("web"));
    stage.later(60);
    stage.rest();
    assert!(stage.actions.is_empty(), "what was agreed to is used up");
    stage.world.fire(firing(100_000));
    stage.rest();
    assert_eq!((stage.actions.len(), stage.count("approval.requested")), (0, 2));
}

#[test]
fn a_crash_between_the_last_vote_and_its_record_loses_neither() {
    for (approve, down_s, verdict) in
        [(true, 5, "recovered"), (true, EXECUTE_WITHIN_S + 1, "expired"), (false, 5, "denied")]
    {
        let mut gated = gated(1);
        gated.approval.as_mut().unwrap().timeout = Duration::from_secs(4 * 3600);
        let mut stage = asked(gated);
        stage.say("alice", approve);
        let vote = stage.world.log.iter().position(|record| matches!(record.fact, Fact::VoteCast(_))).unwrap();
        stage.world.log.truncate(vote + 1);
        stage.world.now_s += down_s;
        stage.restart();
        stage.rest();
        assert_eq!(stage.verdict().unwrap().0, verdict, "{approve} {down_s}");
        assert_eq!(stage.actions.len(), usize::from(verdict == "recovered"));
    }
}
