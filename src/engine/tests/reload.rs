//! A reload in the middle of things: what was begun ends by its old steps, what begins goes by the new ones.

use super::world::*;
use crate::engine::effect::Effect;
use crate::engine::event::{Event, NewConfig};
use crate::engine::receipt::{AlertAnswer, Reply};
use crate::engine::ruleset::Changes;
use crate::model::action::{ActionOutcome, Reconciled};
use crate::model::alert::AlertStatus;
use crate::model::container::TargetReport;
use crate::model::fact::{Fact, StepResult, Taken};
use crate::model::incident::FirstSight;
use crate::model::policy::{Policy, ProtectedName};
use crate::model::reason::Reason;
use crate::playbook::definition::{Playbook, Verb};
use crate::playbook::index::Playbooks;
use std::time::Duration;

/// The playbook in another revision: it only waits.
fn waiting() -> Playbook {
    let mut playbook = restarting();
    playbook.revision = "r2".into();
    playbook.attempts.first.steps = vec![step(Verb::Wait(Duration::from_secs(60)))];
    playbook
}

fn disabled() -> Playbook {
    Playbook { enabled: false, revision: "r3".into(), ..restarting() }
}

fn reload(world: &mut World, playbooks: Vec<Playbook>, policy: Policy) {
    let files = vec![("rules/test.yaml".to_owned(), "ab".repeat(32))];
    let new = NewConfig { playbooks: Playbooks::new(playbooks), policy, files, by: None };
    world.feed(Event::Reloaded(Box::new(new)));
    assert_eq!(world.replayed(world.log.len()), world.state, "a replay knows the same");
}

/// An alert is taken; Docker was not asked yet.
fn taken() -> World {
    let mut world = World::new(vec![restarting()]);
    world.fire(firing(world.now_s));
    world
}

/// A run at its first step.
fn begun() -> World {
    let mut world = taken();
    world.docker(first(), found(container("web")));
    world
}

fn captured(world: &mut World) {
    world.step(first(), 0, StepResult::Captured(serde_json::json!({})));
}

/// From the first step to the verdict, by capture, restart and verify.
fn run_to_its_end(world: &mut World) {
    captured(world);
    world.docker(first(), found(container("web")));
    let act = world.permitted().expect("permitted");
    world.feed(Event::ActionReturned { act, outcome: ActionOutcome::Succeeded { post: None } });
    world.step(first(), 2, StepResult::Verified("web: healthy".into()));
    assert_eq!(world.verdict(), Some(("recovered", None)));
}

#[test]
fn a_run_ends_by_the_steps_it_began_with_and_the_next_episode_goes_by_the_new_ones() {
    for playbooks in [vec![waiting()], vec![disabled()], vec![], vec![restarting()]] {
        let goes_on = playbooks.iter().any(|playbook| playbook.enabled);
        let kept = usize::from(playbooks.iter().all(|playbook| &*playbook.revision != "r1"));
        let mut world = begun();
        let next = playbooks.first().cloned();
        reload(&mut world, playbooks, Policy::default());
        assert_eq!(world.ruleset.kept(), kept);
        run_to_its_end(&mut world);
        world.ruleset.forget_unused(&world.state);
        assert_eq!(world.ruleset.kept(), 0, "nobody goes by it any more");

        world.now_s += 3600;
        let mut again = firing(world.now_s);
        again.labels = [("alertname", "Down"), ("container", "db")].into_iter().collect();
        again.fingerprint = again.labels.fingerprint();
        let receipt = world.fire(again);
        assert_eq!(receipt.playbook.is_some(), goes_on, "{next:?}");
        if let Some(id) = receipt.incident {
            let incident = world.state.incident(id).unwrap();
            assert_eq!(incident.revision, next.unwrap().revision);
        }
    }
}

#[test]
fn a_reload_at_any_moment_of_a_run_changes_nothing_about_it() {
    let story = |at: usize| {
        let mut world = begun();
        let mut moment = 0;
        let mut perhaps = |world: &mut World| {
            if moment == at {
                let effects = std::mem::take(&mut world.effects);
                reload(world, vec![waiting()], Policy::default());
                assert!(world.effects.is_empty(), "nothing is asked for twice: {:?}", world.effects);
                world.effects = effects;
            }
            moment += 1;
        };
        perhaps(&mut world);
        captured(&mut world);
        perhaps(&mut world);
        world.docker(first(), found(container("web")));
        let act = world.permitted().expect("permitted");
        perhaps(&mut world);
        world.feed(Event::ActionReturned { act, outcome: ActionOutcome::Unknown { error: "cut".into() } });
        perhaps(&mut world);
        let (finding, post) = (Reconciled::Observed, None);
        world.feed(Event::ActionObserved { act, finding, post, detail: "seen".into() });
        perhaps(&mut world);
        world.step(first(), 2, StepResult::NotVerified("still sick".into()));
        perhaps(&mut world);
        let [Effect::SendNotice { notice, .. }] = &world.effects[..] else { panic!("{:?}", world.effects) };
        let outcome = crate::model::notice::NoticeOutcome::Delivered;
        world.feed(Event::NoticeReturned { act: notice.act, outcome });
        perhaps(&mut world);
        let facts = world.log.iter().map(|record| record.fact.clone());
        facts.filter(|fact| !matches!(fact, Fact::ConfigLoaded(_))).collect::<Vec<_>>()
    };
    let undisturbed = story(usize::MAX);
    for at in 0..7 {
        assert_eq!(story(at), undisturbed, "reloaded at {at}");
    }
}

/// The last sight of the alert, with who has it since then, whether or not it tells the playbook's text.
fn last_sight(world: &World) -> (FirstSight, Taken) {
    let sights = world.log.iter().rev().filter_map(|record| match &record.fact {
        Fact::AlertReceived(received) => Some((received.sight, received.taken.clone())),
        _ => None,
    });
    let (sight, mut taken) = sights.into_iter().next().unwrap();
    if let Taken::ByPlaybook { text, .. } = &mut taken {
        *text = None;
    }
    (sight, taken)
}

fn taken_by(playbook: &Playbook) -> Taken {
    Taken::ByPlaybook {
        playbook: playbook.name.clone(),
        revision: playbook.revision.clone(),
        host: crate::model::host::Host::First,
        text: None,
    }
}

#[test]
fn what_is_just_being_decided_is_taken_by_what_is_loaded_now() {
    let other = || Playbook { name: "other".into(), ..waiting() };
    for (playbooks, next) in [
        (vec![restarting(), other()], None),
        (vec![waiting()], Some(taken_by(&waiting()))),
        (vec![disabled(), other()], Some(taken_by(&other()))),
        (vec![other()], Some(taken_by(&other()))),
        (vec![disabled()], Some(Taken::ByNobody(Reason::NoMatch))),
        (vec![], Some(Taken::ByNobody(Reason::NoMatch))),
    ] {
        let mut world = taken();
        reload(&mut world, playbooks, Policy::default());
        let goes_on = matches!(&next, Some(Taken::ByPlaybook { .. }));
        let Some(next) = next else {
            assert!(world.effects.is_empty(), "it is being asked already");
            run_to_its_end_from_the_answer(&mut world);
            continue;
        };
        assert_eq!(last_sight(&world), (FirstSight::Reconsidered, next));
        assert_eq!(world.verdict(), Some(("abandoned", Some(Reason::PlaybookChanged))));
        let asked = world.effects.iter().any(|effect| matches!(effect, Effect::ResolveTarget { .. }));
        assert_eq!((asked, world.state.open_incidents()), (goes_on, usize::from(goes_on)));
        // The answer to the question of before is nobody's any more.
        world.docker(first(), found(container("web")));
        assert!(world.effects.is_empty(), "{:?}", world.effects);
        assert_eq!(world.state.episodes().filter(|(_, episode)| episode.ended.is_none()).count(), 1);
    }
}

fn run_to_its_end_from_the_answer(world: &mut World) {
    world.docker(first(), found(container("web")));
    run_to_its_end(world);
}

#[test]
fn an_alert_that_ended_while_docker_was_asked_is_not_taken_anew() {
    let mut world = taken();
    let mut over = firing(world.now_s);
    over.status = AlertStatus::Resolved;
    over.ends_at = Some(wall(world.now_s + 1));
    world.fire(over);
    reload(&mut world, vec![waiting()], Policy::default());
    assert_eq!(last_sight(&world).0, FirstSight::New);
    assert_eq!(world.state.open_incidents(), 0);
}

#[test]
fn what_was_refused_is_taken_by_what_is_loaded_now_when_it_is_delivered_again() {
    for (playbooks, next) in [
        (vec![restarting()], None),
        (vec![waiting()], Some(taken_by(&waiting()))),
        (vec![disabled()], Some(Taken::ByNobody(Reason::PlaybookChanged))),
        (vec![], Some(Taken::ByNobody(Reason::PlaybookChanged))),
    ] {
        let mut world = taken();
        let began_s = world.now_s;
        world.docker(first(), TargetReport::Missing);
        reload(&mut world, playbooks, Policy::default());
        assert!(world.effects.is_empty(), "nothing is done until it is known to go on: {:?}", world.effects);
        let unchanged = next.is_none();
        assert_eq!(world.verdict().is_none(), unchanged);

        // Hours later: it was fresh when it was first taken.
        world.now_s += 3 * 3600;
        let records = world.log.len();
        let receipt = world.fire(firing(began_s));
        match next {
            None => assert_eq!((receipt.incident, world.log.len()), (Some(first()), records)),
            Some(Taken::ByNobody(reason)) => {
                assert_eq!((receipt.reason, world.log.len()), (Some(reason), records), "told once");
                assert!(world.effects.is_empty(), "{:?}", world.effects);
                continue;
            }
            Some(next) => assert_eq!(last_sight(&world), (FirstSight::Reconsidered, next)),
        }
        assert!(matches!(world.effects[..], [Effect::ResolveTarget { .. }]), "{:?}", world.effects);
    }
}

#[test]
fn a_gate_that_says_no_right_before_the_act_leaves_the_rest_to_what_is_loaded_now() {
    let mut world = begun();
    let began_s = world.now_s;
    reload(&mut world, vec![waiting()], Policy::default());
    captured(&mut world);
    world.docker(first(), TargetReport::Missing);
    assert_eq!(world.verdict(), Some(("abandoned", Some(Reason::PlaybookChanged))));
    assert_eq!(world.state.open_incidents(), 0);
    world.fire(firing(began_s));
    assert_eq!(last_sight(&world), (FirstSight::Reconsidered, taken_by(&waiting())));
}

#[test]
fn an_alert_that_nobody_took_may_be_taken_by_a_new_playbook_if_it_is_fresh() {
    for (age_s, answer) in [(600, AlertAnswer::Accepted), (7200, AlertAnswer::Refused)] {
        let mut world = World::new(vec![]);
        let began_s = world.now_s;
        assert_eq!(world.fire(firing(began_s)).answer, AlertAnswer::NoMatch);
        world.now_s += age_s;
        assert_eq!(world.fire(firing(began_s)).answer, AlertAnswer::Duplicate);
        reload(&mut world, vec![disabled()], Policy::default());
        assert_eq!(world.fire(firing(began_s)).answer, AlertAnswer::Duplicate);
        reload(&mut world, vec![restarting()], Policy::default());
        assert_eq!(world.fire(firing(began_s)).answer, answer, "{age_s}");
        let records = world.log.len();
        assert_eq!(world.fire(firing(began_s)).answer, AlertAnswer::Duplicate);
        assert_eq!(world.log.len(), records, "decided once");
    }
}

#[test]
fn what_was_treated_is_not_treated_again_because_of_a_reload() {
    let mut world = begun();
    let began_s = world.now_s;
    run_to_its_end(&mut world);
    for playbooks in [vec![], vec![waiting()], vec![restarting()]] {
        reload(&mut world, playbooks, Policy::default());
        assert_eq!(world.fire(firing(began_s)).answer, AlertAnswer::Duplicate);
        assert!(world.effects.is_empty(), "{:?}", world.effects);
    }
}

#[test]
fn after_a_restart_the_same_holds_for_what_has_not_begun() {
    let world = taken();
    let mut after = World::new(vec![waiting()]);
    after.state = world.replayed(world.log.len());
    after.now_s = world.now_s + 5;
    after.feed(Event::Started { recovered: None, version: "0".into(), hostname: "h".into(), files: Vec::new() });
    assert_eq!(after.verdict(), Some(("abandoned", Some(Reason::PlaybookChanged))));
    after.fire(firing(world.now_s));
    assert_eq!(last_sight(&after), (FirstSight::Reconsidered, taken_by(&waiting())));
}

#[test]
fn a_stricter_policy_stops_a_run_right_before_its_act() {
    let protect = Policy { protect: vec![ProtectedName::Exact("web".into())], ..Policy::default() };
    let mut world = begun();
    captured(&mut world);
    reload(&mut world, vec![restarting()], protect);
    world.docker(first(), found(container("web")));
    assert_eq!(world.permitted(), None);
    assert_eq!(world.last_refusal(), Some(Reason::Protected));

    // A wider one lets it go on.
    reload(&mut world, vec![restarting()], Policy::default());
    world.now_s += 3600;
    world.fire(firing(world.now_s - 3600));
    world.docker(first(), found(container("web")));
    captured(&mut world);
    world.docker(first(), found(container("web")));
    assert!(world.permitted().is_some());
}

#[test]
fn after_a_restart_a_revision_that_is_no_longer_loaded_is_gone() {
    let mut world = begun();
    reload(&mut world, vec![waiting()], Policy::default());
    let mut after = World::new(vec![waiting()]);
    after.state = world.replayed(world.log.len());
    after.now_s = world.now_s + 5;
    after.feed(Event::Started { recovered: None, version: "0".into(), hostname: "h".into(), files: Vec::new() });
    assert_eq!(after.verdict(), Some(("abandoned", Some(Reason::PlaybookChanged))));
}

#[test]
fn a_reload_is_recorded_with_what_it_read_and_a_failed_one_with_what_is_wrong() {
    let mut world = begun();
    let other = Playbook { name: "other".into(), ..restarting() };
    let changes = world.ruleset.changes_to(&Playbooks::new(vec![other]));
    assert_eq!((changes.added, changes.removed), (vec!["other".to_owned()], vec!["restart".to_owned()]));
    assert_eq!(changes.changed, Vec::<String>::new());

    reload(&mut world, vec![waiting()], Policy::default());
    let Reply::Reloaded(changes) = &world.reply else { panic!("{:?}", world.reply) };
    let changed = vec!["restart".to_owned()];
    assert_eq!(changes, &Changes { playbooks: 1, changed, ..Changes::default() });
    let Some(Fact::ConfigLoaded(loaded)) = world.log.last().map(|record| &record.fact) else { panic!() };
    assert!(loaded.reloaded);
    assert_eq!(loaded.playbooks, [("restart".to_owned(), "r2".to_owned())]);
    assert_eq!(loaded.files, [("rules/test.yaml".to_owned(), "ab".repeat(32))]);

    let before = world.ruleset.clone();
    world.feed(Event::ReloadFailed { problem: "rules.yaml:1:1: no".into(), by: Some("ada".into()) });
    let Some(Fact::ConfigRejected(rejected)) = world.log.last().map(|record| &record.fact) else { panic!() };
    assert_eq!(rejected.problem, "rules.yaml:1:1: no");
    assert_eq!(world.ruleset.changes_to(&before.playbooks), before.changes_to(&before.playbooks));
}
