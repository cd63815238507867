//! A reload in the middle of things: what was begun ends by its old steps, what begins goes by the new ones.

use super::world::*;
use crate::engine::effect::Effect;
use crate::engine::event::{Event, NewConfig};
use crate::engine::receipt::Reply;
use crate::engine::ruleset::Changes;
use crate::model::action::{ActionOutcome, Reconciled};
use crate::model::fact::{Fact, StepResult};
use crate::model::policy::{Policy, ProtectedName};
use crate::model::reason::Reason;
use crate::playbook::definition::{Playbook, Verb};
use crate::playbook::index::Playbooks;
use std::time::Duration;

/// The playbook in another revision: it only waits.
fn waiting() -> Playbook {
    let mut playbook = restarting();
    playbook.revision = "r2".into();
    playbook.steps = vec![step(Verb::Wait(Duration::from_secs(60)))];
    playbook
}

fn disabled() -> Playbook {
    Playbook { enabled: false, revision: "r3".into(), ..restarting() }
}

fn reload(world: &mut World, playbooks: Vec<Playbook>, policy: Policy) {
    let files = vec![("rules/test.yaml".to_owned(), "ab".repeat(32))];
    let new = NewConfig { playbooks: Playbooks::new(playbooks), policy, files };
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

#[test]
fn what_has_not_begun_goes_on_by_its_own_revision_while_its_playbook_is_in_use() {
    let mut world = taken();
    reload(&mut world, vec![waiting()], Policy::default());
    world.docker(first(), found(container("web")));
    run_to_its_end(&mut world);
}

#[test]
fn what_has_not_begun_never_begins_once_its_playbook_is_removed_or_disabled() {
    for playbooks in [vec![], vec![disabled()]] {
        // Docker is being asked.
        let mut world = taken();
        reload(&mut world, playbooks.clone(), Policy::default());
        assert_eq!(world.verdict(), Some(("abandoned", Some(Reason::PlaybookChanged))));
        world.docker(first(), found(container("web")));
        assert!(world.effects.is_empty(), "{:?}", world.effects);

        // A gate had said no.
        let mut world = taken();
        world.docker(first(), crate::model::container::TargetReport::Missing);
        reload(&mut world, playbooks.clone(), Policy::default());
        assert_eq!(world.verdict(), Some(("abandoned", Some(Reason::PlaybookChanged))));

        // A gate says no right before the act: there is no way back to being asked again.
        let mut world = begun();
        reload(&mut world, playbooks, Policy::default());
        captured(&mut world);
        world.docker(first(), crate::model::container::TargetReport::Missing);
        assert_eq!(world.verdict(), Some(("abandoned", Some(Reason::PlaybookChanged))));
        assert_eq!(world.state.open_incidents(), 0);
    }
}

#[test]
fn a_refused_incident_is_asked_about_again_by_its_own_revision() {
    let mut world = taken();
    world.docker(first(), crate::model::container::TargetReport::Missing);
    reload(&mut world, vec![waiting()], Policy::default());
    world.now_s += 3600;
    world.fire(firing(world.now_s - 3600));
    let [Effect::ResolveTarget { .. }] = &world.effects[..] else { panic!("{:?}", world.effects) };
    world.docker(first(), found(container("web")));
    assert!(matches!(world.effects[..], [Effect::Capture { .. }]), "{:?}", world.effects);
}

#[test]
fn a_stricter_policy_stops_a_run_right_before_its_act() {
    let protect = Policy { protect: vec![ProtectedName::Exact("web".into())], ..Policy::default() };
    let mut world = begun();
    captured(&mut world);
    reload(&mut world, vec![waiting()], protect);
    world.docker(first(), found(container("web")));
    assert_eq!(world.permitted(), None);
    assert_eq!(world.last_refusal(), Some(Reason::Protected));

    // A wider one lets it go on.
    reload(&mut world, vec![waiting()], Policy::default());
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
    let mut world = taken();
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
    world.feed(Event::ReloadFailed { problem: "rules.yaml:1:1: no".into() });
    let Some(Fact::ConfigRejected(rejected)) = world.log.last().map(|record| &record.fact) else { panic!() };
    assert_eq!(rejected.problem, "rules.yaml:1:1: no");
    assert_eq!(world.ruleset.changes_to(&before.playbooks), before.changes_to(&before.playbooks));
}
