//! The kill switch: what each scope holds back, how a pause ends, and what goes on afterwards, over every restart.

use super::world::*;
use crate::engine::effect::Effect;
use crate::engine::event::Event;
use crate::engine::receipt::{Reply, Switched};
use crate::model::action::ActionOutcome;
use crate::model::container::TargetReport;
use crate::model::fact::{Answer, Fact, Refusal, StepResult};
use crate::model::id::ActId;
use crate::model::pause::{Pause, PauseScope};
use crate::model::reason::{Gate, Reason};
use crate::playbook::definition::Playbook;
use std::time::Duration;

fn pause(scope: &str, length_s: Option<u64>) -> Pause {
    let length = length_s.map(Duration::from_secs);
    Pause { scope: scope.parse().unwrap(), by: "ada".into(), reason: "looking".into(), length }
}

fn from_file() -> Pause {
    Pause::of_file(Some(0), "by hand".to_owned())
}

impl World {
    fn pause(&mut self, scope: &str, length_s: Option<u64>) {
        self.feed(Event::PauseRequested(pause(scope, length_s)));
    }

    fn resume(&mut self, scope: &str) -> Switched {
        let scope = scope.parse().unwrap();
        self.feed(Event::ResumeRequested { scope, by: "bob".into(), reason: "done".into() });
        match &self.reply {
            Reply::Switched(switched) => switched.clone(),
            Reply::Alerts(_) | Reply::Voted(_) | Reply::Reloaded(_) | Reply::NotReloaded => panic!("no answer"),
        }
    }

    /// A world that knows what this one's first records tell, started just now.
    fn restarted(&self, count: usize) -> Self {
        let mut after = World::new(self.ruleset.playbooks.iter().map(|playbook| Playbook::clone(playbook)).collect());
        after.state = self.replayed(count);
        after.log = self.log[..count].to_vec();
        after.now_s = self.now_s;
        after.feed(Event::Started { recovered: None, version: "0".into(), hostname: "h".into(), files: vec![] });
        after
    }

    /// The one open incident.
    fn only(&self) -> crate::model::id::IncidentId {
        self.state.incidents().next().unwrap().id
    }

    fn asks(&self) -> usize {
        self.effects.iter().filter(|effect| matches!(effect, Effect::ResolveTarget { .. })).count()
    }

    fn refusal(&self) -> Option<Refusal> {
        self.log.iter().rev().find_map(|record| match &record.fact {
            Fact::Decided(decided) => match &decided.answer {
                Answer::Refused(refusal) => Some(refusal.clone()),
                Answer::Run { .. } => None,
            },
            _ => None,
        })
    }

    fn intents(&self) -> usize {
        self.log.iter().filter(|record| matches!(record.fact, Fact::ActionIntended(_))).count()
    }
}

/// `web` and its dependent `sidecar`, as Docker shows them.
fn pair() -> TargetReport {
    let mut parent = view(container("web"));
    parent.dependents = vec![container("sidecar")];
    TargetReport::Found(Box::new(parent))
}

fn captured() -> StepResult {
    StepResult::Captured(serde_json::json!({}))
}

fn done(world: &mut World, act: ActId) {
    world.feed(Event::ActionReturned { act, outcome: ActionOutcome::Succeeded { post: None } });
}

/// A world in which `web` was restarted and `sidecar` is to follow.
fn between_target_and_dependent() -> World {
    let mut world = World::new(vec![restarting()]);
    world.fire(firing(world.now_s));
    world.docker(first(), pair());
    world.step(first(), 0, captured());
    world.docker(first(), pair());
    let act = world.permitted().unwrap();
    done(&mut world, act);
    assert_eq!(world.asks(), 1, "{:?}", world.effects);
    world
}

/// Lets `sidecar` be restarted and the run come to its end.
fn finish(world: &mut World) {
    world.docker(first(), found(container("sidecar")));
    let act = world.permitted().expect("the dependent is restarted");
    done(world, act);
    world.step(first(), 2, StepResult::Verified("well".into()));
    assert_eq!(world.verdict(), Some(("recovered", None)));
}

#[test]
fn each_scope_holds_back_what_it_names_and_nothing_else() {
    for (scope, held_back) in [
        ("all", true),
        ("host:local", true),
        ("host:other", false),
        ("playbook:restart", true),
        ("playbook:restart-other", false),
        ("target:web", true),
        ("target:sidecar", true),
        ("target:we", false),
        ("target:restart", false),
    ] {
        for dry_run in [false, true] {
            let mut world = World::new(vec![Playbook { dry_run, ..restarting() }]);
            world.pause(scope, None);
            world.fire(firing(world.now_s));
            let incident = world.only();
            world.docker(incident, pair());
            assert_eq!(world.last_refusal(), held_back.then_some(Reason::Paused), "{scope}");
            if !held_back {
                assert!(matches!(world.effects[..], [Effect::Capture { .. }]), "{scope}: {:?}", world.effects);
            }
        }
    }
}

#[test]
fn a_refusal_says_which_pause_it_was_and_how_long_it_lasts() {
    let mut world = World::new(vec![restarting()]);
    world.pause("target:web", Some(90));
    world.now_s += 29;
    world.fire(firing(world.now_s));
    let incident = world.only();
    world.docker(incident, found(container("web")));
    let refusal = world.refusal().unwrap();
    assert_eq!((refusal.gate, refusal.reason), (Gate::Pause, Reason::Paused));
    assert_eq!(refusal.detail, "target:web is paused by ada for 1m1s more: looking");
    let inputs = [("scope", "target:web"), ("by", "ada"), ("reason", "looking"), ("remaining", "1m1s")];
    assert_eq!(refusal.inputs, inputs.map(|(name, value)| (name.to_owned(), value.to_owned())));
    assert_eq!(refusal.retry_after, Duration::from_secs(61));
}

#[test]
fn a_pause_has_the_word_before_docker_does() {
    let mut world = World::new(vec![restarting()]);
    world.pause("all", None);
    world.fire(firing(world.now_s));
    let incident = world.only();
    world.docker(incident, TargetReport::Unavailable("no answer".into()));
    assert_eq!(world.last_refusal(), Some(Reason::Paused));
}

#[test]
fn a_pause_with_a_length_ends_by_itself_and_never_early() {
    let mut world = World::new(vec![restarting()]);
    world.pause("all", Some(600));
    world.fire(firing(world.now_s));
    let incident = world.only();
    world.docker(incident, found(container("web")));
    assert_eq!(world.last_refusal(), Some(Reason::Paused));
    for (name, later_s, ended) in [("just before", 599, false), ("on time", 1, true), ("once", 60, false)] {
        world.now_s += later_s;
        let before = world.log.len();
        world.feed(Event::Ticked);
        let cleared = world.kinds(before) == ["pause.cleared"];
        assert_eq!((cleared, world.asks()), (ended, usize::from(ended)), "{name}: {:?}", world.kinds(before));
    }
    let by = world.log.iter().find_map(|record| match &record.fact {
        Fact::PauseCleared(cleared) => Some((cleared.by.as_str(), cleared.reason.as_str())),
        _ => None,
    });
    assert_eq!(by, Some(("sickbay", "its time is over")));
    world.docker(incident, found(container("web")));
    assert!(matches!(world.effects[..], [Effect::Capture { .. }]), "it goes on at once: {:?}", world.effects);
}

#[test]
fn any_event_records_the_end_before_it_is_decided() {
    let mut world = World::new(vec![restarting()]);
    world.pause("all", Some(60));
    world.fire(firing(world.now_s));
    world.now_s += 60;
    let before = world.log.len();
    let incident = world.only();
    world.docker(incident, found(container("web")));
    assert_eq!(world.kinds(before), ["pause.cleared", "decision"]);
    assert_eq!(world.last_refusal(), None);
    assert_eq!(world.asks(), 0, "what is decided already is not asked about again");
}

#[test]
fn a_pause_outlives_a_restart_a_reboot_and_every_clock() {
    let mut world = World::new(vec![restarting()]);
    world.pause("all", Some(600));
    world.pause("playbook:restart", None);
    world.feed(Event::PauseFileRead(Some(from_file())));
    for count in 1..=world.log.len() {
        let mut after = world.restarted(count);
        assert_eq!(after.state.pauses().count(), count);
        after.fire(firing(after.now_s));
        let incident = after.only();
        after.docker(incident, found(container("web")));
        assert_eq!(after.last_refusal(), Some(Reason::Paused), "after {count} records");
    }
    // A day by the wall clock, a minute since the new boot: the pause is not over.
    let state = world.replayed(1);
    let later = crate::model::stamp::Stamp {
        wall: wall(world.now_s + 86_400),
        up_ms: 60_000,
        boot: crate::model::stamp::BootId(2),
    };
    let moment = state.timeline().moment(&later);
    assert_eq!(state.pauses().over(&moment).count(), 0);
}

#[test]
fn a_pause_between_capture_and_act_sends_a_run_back_to_be_asked_about_again() {
    let mut world = World::new(vec![restarting()]);
    world.fire(firing(world.now_s));
    world.docker(first(), found(container("web")));
    world.pause("all", None);
    world.step(first(), 0, captured());
    world.docker(first(), found(container("web")));
    assert_eq!((world.permitted(), world.last_refusal()), (None, Some(Reason::Paused)));
    assert_eq!(world.state.running().count(), 0);
    assert!(matches!(world.resume("all"), Switched::Resumed(_)));
    assert_eq!(world.asks(), 1, "not only when Alertmanager repeats the alert");
    world.docker(first(), found(container("web")));
    world.step(first(), 0, captured());
    world.docker(first(), found(container("web")));
    let act = world.permitted().expect("permitted");
    done(&mut world, act);
    world.step(first(), 2, StepResult::Verified("well".into()));
    assert_eq!((world.verdict(), world.intents()), (Some(("recovered", None)), 1));
}

#[test]
fn a_pause_between_target_and_dependent_holds_the_run_and_does_not_fail_it() {
    for (scope, report) in [
        ("all", found(container("sidecar"))),
        ("target:web", found(container("sidecar"))),
        ("target:sidecar", found(container("sidecar"))),
        ("playbook:restart", TargetReport::Unavailable("no answer".into())),
        ("host:local", TargetReport::Missing),
    ] {
        let mut world = between_target_and_dependent();
        world.pause(scope, None);
        let before = world.log.len();
        world.docker(first(), report);
        assert_eq!(world.kinds(before), ["decision"], "{scope}");
        assert_eq!(world.refusal().unwrap().inputs[0].1, scope);
        assert!(world.effects.is_empty(), "{scope}: {:?}", world.effects);
        let shown = world.snapshot().incidents.remove(0);
        assert_eq!((shown.doing, shown.reason), ("held", Some(Reason::Paused)));
        // Asked again, it says nothing new.
        let before = world.log.len();
        world.docker(first(), found(container("sidecar")));
        assert_eq!(world.kinds(before), [""; 0], "{scope}");
        assert!(matches!(world.resume(scope), Switched::Resumed(_)));
        assert_eq!(world.asks(), 1, "{scope}");
        finish(&mut world);
    }
}

#[test]
fn a_held_run_goes_on_after_a_restart_at_any_record() {
    let mut world = between_target_and_dependent();
    world.pause("all", None);
    world.docker(first(), found(container("sidecar")));
    let held = world.log.len();
    world.resume("all");
    for count in held - 1..=world.log.len() {
        let mut after = world.restarted(count);
        let paused = after.state.pauses().count() == 1;
        // Held and paused, there is nothing to ask.
        assert_eq!(after.asks(), usize::from(count != held), "after {count} records: {:?}", after.effects);
        if paused {
            after.docker(first(), found(container("sidecar")));
            assert_eq!((after.permitted(), after.asks()), (None, 0), "after {count} records");
            after.resume("all");
            assert_eq!(after.asks(), 1, "after {count} records");
        }
        finish(&mut after);
        assert_eq!(after.intents(), 2, "after {count} records");
    }
}

#[test]
fn what_was_refused_is_asked_about_after_a_stop_right_behind_the_resume() {
    let mut world = World::new(vec![restarting()]);
    world.pause("all", None);
    world.fire(firing(world.now_s));
    let incident = world.only();
    world.docker(incident, found(container("web")));
    assert_eq!(world.restarted(world.log.len()).asks(), 0, "still paused");
    world.resume("all");
    assert_eq!(world.restarted(world.log.len()).asks(), 1);
}

#[test]
fn verify_and_notify_go_on_while_everything_is_paused() {
    let mut world = between_target_and_dependent();
    world.docker(first(), found(container("sidecar")));
    let act = world.permitted().unwrap();
    world.pause("all", None);
    done(&mut world, act);
    assert!(matches!(world.effects[..], [Effect::Verify { .. }]), "{:?}", world.effects);
    world.step(first(), 2, StepResult::NotVerified("sick".into()));
    assert!(matches!(world.effects[..], [Effect::SendNotice { .. }]), "{:?}", world.effects);
}

#[test]
fn what_ended_meanwhile_is_not_asked_about() {
    let mut world = World::new(vec![restarting()]);
    world.pause("all", None);
    let alert = firing(world.now_s);
    world.fire(alert.clone());
    let incident = world.only();
    world.docker(incident, found(container("web")));
    world.fire(resolved(&alert, world.now_s));
    assert_eq!(world.verdict(), Some(("cancelled", Some(Reason::Paused))));
    world.resume("all");
    assert_eq!(world.asks(), 0);
}

#[test]
fn the_end_of_one_pause_does_not_end_another() {
    let mut world = World::new(vec![restarting()]);
    world.pause("all", None);
    world.pause("target:web", None);
    world.fire(firing(world.now_s));
    let incident = world.only();
    world.docker(incident, found(container("web")));
    world.resume("all");
    world.docker(incident, found(container("web")));
    assert_eq!(world.refusal().unwrap().inputs[0].1, "target:web", "the log names the pause that holds it now");
    world.resume("target:web");
    assert_eq!(world.asks(), 1);
}

#[test]
fn the_file_is_ended_by_its_removal_alone_and_ends_nothing_else() {
    let mut world = World::new(vec![restarting()]);
    world.pause("all", None);
    world.feed(Event::PauseFileRead(Some(from_file())));
    let before = world.log.len();
    world.feed(Event::PauseFileRead(Some(from_file())));
    assert_eq!(world.kinds(before), [""; 0], "nothing new");
    assert_eq!(world.resume("all"), Switched::HeldByFile(from_file()));
    assert_eq!((world.kinds(before), world.state.pauses().count()), (vec![], 2));
    world.feed(Event::PauseFileRead(None));
    assert_eq!(world.kinds(before), ["pause.cleared"]);
    assert_eq!(world.state.pauses().of(&PauseScope::All).map(|standing| &*standing.pause.by), Some("ada"));
    assert_eq!(world.resume("all"), Switched::Resumed(pause("all", None)));
    assert_eq!(world.resume("all"), Switched::NotPaused(PauseScope::All));
}

#[test]
fn a_new_pause_takes_the_place_of_the_old_and_says_so() {
    let mut world = World::new(vec![restarting()]);
    world.pause("all", Some(60));
    world.pause("all", None);
    let Reply::Switched(Switched::Paused { replaced, .. }) = &world.reply else { panic!("{:?}", world.reply) };
    assert_eq!(replaced.as_ref(), Some(&pause("all", Some(60))));
    world.now_s += 3600;
    world.feed(Event::Ticked);
    assert_eq!(world.state.pauses().count(), 1, "the old one's time does not end the new one");
    for (scope, want) in
        [("playbook:restart", true), ("playbook:typo", false), ("host:typo", false), ("target:x", true)]
    {
        world.pause(scope, None);
        assert!(matches!(&world.reply, Reply::Switched(Switched::Paused { known, .. }) if *known == want), "{scope}");
    }
}

#[test]
fn there_is_an_end_to_how_many_pauses_there_are() {
    let mut world = World::new(vec![]);
    for number in 0..1000 {
        world.pause(&format!("target:c{number}"), None);
    }
    world.pause("all", None);
    assert_eq!(world.reply, Reply::Switched(Switched::TooMany));
    world.pause("target:c5", Some(5));
    assert!(matches!(&world.reply, Reply::Switched(Switched::Paused { replaced: Some(_), .. })));
}
