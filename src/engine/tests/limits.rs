//! Limits that a run raised are taken back when its alert has ended: what the run itself set, on the very container, and
//! only where what runs in it has room.

use super::afterwards::{replays, resolve};
use super::stage::Stage;
use super::world::*;
use crate::engine::effect::Effect;
use crate::engine::limits::takes_back_next;
use crate::engine::state::State;
use crate::model::action::Action;
use crate::model::alert::Alert;
use crate::model::container::{Container, ContainerState, MemoryInUse, TargetReport, TargetView};
use crate::model::fact::{Fact, StepResult};
use crate::model::reason::Reason;
use crate::model::resources::{ResourceLimits, in_use_max};
use crate::model::target::ContainerId;
use crate::playbook::definition::{
    Attempts, CaptureSpec, LimitsSpec, Playbook, RaiseCpus, RaiseMemory, Step, Verb, VerifyStep,
};
use std::time::Duration;

const MIB: u64 = 1 << 20;
const CPU: u64 = 1_000_000_000;
/// Before the run, and as it leaves them.
const BEFORE: (u64, i64, u64) = (512, 1024, CPU / 2);
const RAISED: (u64, i64, u64) = (1024, 2048, CPU);

fn original() -> Step {
    step(Verb::UpdateLimits(LimitsSpec::ToOriginal))
}

/// Twice the memory and the CPUs while the alert fires.
fn lending() -> Playbook {
    let memory = Some(RaiseMemory { factor: 2.0, max: 4096 * MIB });
    let cpus = Some(RaiseCpus { factor: 2.0, max: 4.0 });
    let attempts = Attempts::only(vec![step(Verb::UpdateLimits(LimitsSpec::Raise { memory, cpus }))]);
    let verify = step(Verb::Verify(VerifyStep::default()));
    Playbook { attempts, on_resolved: vec![original(), verify], ..restarting() }
}

fn limited((memory, swap, nano_cpus): (u64, i64, u64)) -> Container {
    let limits = ResourceLimits { memory: memory * MIB, memory_swap: swap << 20, nano_cpus, cpu_quota: false };
    Container { limits, ..container("web") }
}

fn seen(container: Container, memory_in_use: MemoryInUse) -> TargetReport {
    TargetReport::Found(Box::new(TargetView { memory_in_use, ..view(container) }))
}

fn well(_: u32) -> StepResult {
    StepResult::Verified("well".into())
}

/// The run has raised the limits, and its alert still fires.
fn lent(playbook: Playbook) -> (Stage, Alert) {
    let mut stage = Stage { verify: well, web: seen(limited(BEFORE), MemoryInUse::NotAsked), ..Stage::new(playbook) };
    let alert = firing(stage.world.now_s);
    stage.world.fire(alert.clone());
    assert!(matches!(&stage.world.effects[..], [Effect::ResolveTarget { memory: false, .. }]), "nothing is lowered");
    stage.rest();
    assert_eq!((stage.count("incident.closed"), changes(&stage).len()), (1, 1), "{:?}", stage.world.kinds(0));
    (stage, alert)
}

/// The limits that acts were to leave: MiB of memory, of both together, and billionths of a CPU.
fn changes(stage: &Stage) -> Vec<(u64, i64, u64)> {
    let of = |limits: &ResourceLimits| (limits.memory / MIB, limits.memory_swap >> 20, limits.nano_cpus);
    let intents = stage.world.log.iter().filter_map(|record| match &record.fact {
        Fact::ActionIntended(intended) => match &intended.action {
            Action::UpdateLimits(change) => Some(of(&change.to)),
            _ => None,
        },
        _ => None,
    });
    intents.collect()
}

fn not_needed(stage: &Stage) -> Option<String> {
    stage.world.log.iter().rev().find_map(|record| match &record.fact {
        Fact::StepFinished(finished) => match &finished.result {
            StepResult::NotNeeded(words) => Some(words.clone()),
            _ => None,
        },
        _ => None,
    })
}

/// How taking back came out.
#[derive(Debug, PartialEq)]
enum Came {
    Back((u64, i64, u64)),
    Refused(Reason),
    NotNeeded,
}

fn came(stage: &Stage) -> Came {
    match (changes(stage).get(1), stage.world.last_refusal(), not_needed(stage)) {
        (Some(limits), None, None) => Came::Back(*limits),
        (None, Some(reason), None) => Came::Refused(reason),
        (None, None, Some(_)) => Came::NotNeeded,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_was_raised_is_taken_back_when_the_alert_has_ended() {
    let (mut stage, alert) = lent(lending());
    assert_eq!(changes(&stage), [RAISED]);
    stage.web = seen(limited(RAISED), MemoryInUse::Known(100 * MIB));
    resolve(&mut stage, &alert);
    assert!(matches!(&stage.world.effects[..], [Effect::ResolveTarget { memory: true, .. }]), "before the run");
    replays(&stage);
    let Some(Effect::ResolveTarget { incident, .. }) = stage.world.effects.pop() else { panic!() };
    stage.world.docker(incident, stage.web.clone());
    assert!(matches!(&stage.world.effects[..], [Effect::ResolveTarget { memory: true, .. }]), "right before the act");
    stage.rest();
    assert_eq!(changes(&stage), [RAISED, BEFORE]);
    assert_eq!(stage.actions, ["update_limits", "update_limits"]);
    assert_eq!(stage.count("incident.closed"), 2);
    replays(&stage);
    // With it, nothing before that record needs to be read.
    let memory = stage.world.state.memory();
    assert_eq!(memory.raised.len(), 1, "{:?}", memory.raised);
    let mut record = stage.world.log.last().unwrap().clone();
    (record.seq, record.fact) = (stage.world.state.next_seq(), Fact::StateSaved(Box::new(memory)));
    let mut recalled = State::default();
    recalled.apply(&record);
    assert_eq!(recalled.raised(), stage.world.state.raised());
}

#[test]
fn what_somebody_else_has_changed_is_left_alone() {
    let (little, unknown) = (|| MemoryInUse::Known(MIB), || MemoryInUse::Unknown("denied".into()));
    let changed = Came::Refused(Reason::LimitsChanged);
    for (name, limits, in_use, want) in [
        ("as the run left them", RAISED, little(), Came::Back(BEFORE)),
        ("more memory", (1536, 3072, CPU), little(), changed),
        ("less memory", (768, 2048, CPU), little(), Came::Refused(Reason::LimitsChanged)),
        ("other swap", (1024, 1024, CPU), little(), Came::Refused(Reason::LimitsChanged)),
        ("no memory limit any more", (0, 0, CPU), little(), Came::Refused(Reason::LimitsChanged)),
        ("other CPUs", (1024, 2048, 2 * CPU), little(), Came::Refused(Reason::LimitsChanged)),
        // Nothing of the memory is changed, so nothing needs to be known of it.
        ("the memory is back", (512, 1024, CPU), unknown(), Came::Back(BEFORE)),
        ("the CPUs are back", (1024, 2048, CPU / 2), little(), Came::Back(BEFORE)),
        ("everything is back", BEFORE, unknown(), Came::NotNeeded),
    ] {
        let (mut stage, alert) = lent(lending());
        stage.web = seen(limited(limits), in_use);
        resolve(&mut stage, &alert);
        stage.rest();
        assert_eq!(came(&stage), want, "{name}");
        replays(&stage);
    }
}

#[test]
fn a_limit_is_not_lowered_to_what_the_container_may_need() {
    let room = in_use_max(512 * MIB);
    for (name, in_use, want) in [
        ("next to nothing", MemoryInUse::Known(1), Came::Back(BEFORE)),
        ("a fifth is free", MemoryInUse::Known(room), Came::Back(BEFORE)),
        ("a byte less", MemoryInUse::Known(room + 1), Came::Refused(Reason::MemoryInUse)),
        ("more than the old limit", MemoryInUse::Known(600 * MIB), Came::Refused(Reason::MemoryInUse)),
        ("Docker does not tell", MemoryInUse::Unknown("denied".into()), Came::Refused(Reason::MemoryUseUnknown)),
        ("nobody asked", MemoryInUse::NotAsked, Came::Refused(Reason::MemoryUseUnknown)),
    ] {
        let (mut stage, alert) = lent(lending());
        stage.web = seen(limited(RAISED), in_use);
        resolve(&mut stage, &alert);
        stage.rest();
        assert_eq!(came(&stage), want, "{name}");
        replays(&stage);
    }
    // Between the decision and the act the container has grown.
    let (mut stage, alert) = lent(lending());
    stage.web = seen(limited(RAISED), MemoryInUse::Known(room));
    resolve(&mut stage, &alert);
    let Some(Effect::ResolveTarget { incident, .. }) = stage.world.effects.pop() else { panic!() };
    stage.world.docker(incident, stage.web.clone());
    stage.web = seen(limited(RAISED), MemoryInUse::Known(room + 1));
    stage.rest();
    assert_eq!(came(&stage), Came::Refused(Reason::MemoryInUse));
    // It is asked again, and taken back once there is room.
    stage.later(60);
    stage.rest();
    assert_eq!(changes(&stage), [RAISED]);
    stage.web = seen(limited(RAISED), MemoryInUse::Known(room));
    stage.later(60);
    stage.rest();
    assert_eq!(changes(&stage), [RAISED, BEFORE]);
}

#[test]
fn a_stopped_container_gets_its_limits_back_and_is_not_started() {
    let stopped = |limits| Container {
        state: ContainerState::Exited,
        exit_code: 137,
        finished_at: "2026-01-01T00:00:00Z".to_owned(),
        ..limited(limits)
    };
    let unknown = || MemoryInUse::Unknown("Docker shows no memory usage".to_owned());
    for (name, limits, want) in [
        ("nothing runs in it", RAISED, Came::Back(BEFORE)),
        ("somebody has changed them", (1536, 3072, CPU), Came::Refused(Reason::LimitsChanged)),
        ("they are back", BEFORE, Came::NotNeeded),
    ] {
        let (mut stage, alert) = lent(lending());
        stage.web = seen(stopped(limits), unknown());
        resolve(&mut stage, &alert);
        stage.rest();
        assert_eq!(came(&stage), want, "{name}");
        assert!(stage.actions.iter().all(|action| *action == "update_limits"), "{name}: {:?}", stage.actions);
        replays(&stage);
    }
    // Started in the meantime, it is asked what it uses.
    let (mut stage, alert) = lent(lending());
    stage.web = seen(stopped(RAISED), unknown());
    resolve(&mut stage, &alert);
    let Some(Effect::ResolveTarget { incident, .. }) = stage.world.effects.pop() else { panic!() };
    stage.world.docker(incident, stage.web.clone());
    stage.web = seen(limited(RAISED), MemoryInUse::Known(600 * MIB));
    stage.rest();
    assert_eq!(came(&stage), Came::Refused(Reason::MemoryInUse));
    // Nothing is raised where nothing runs.
    let mut stage = Stage { verify: well, web: seen(stopped(BEFORE), unknown()), ..Stage::new(lending()) };
    let alert = firing(stage.world.now_s);
    stage.world.fire(alert);
    stage.rest();
    assert_eq!((changes(&stage).len(), stage.world.last_refusal()), (0, Some(Reason::ContainerStopped)));
}

#[test]
fn a_container_that_was_made_anew_has_nothing_to_take_back() {
    let (mut stage, alert) = lent(lending());
    let anew = Container { id: ContainerId::parse(&"ef".repeat(32)).unwrap(), ..limited(RAISED) };
    stage.web = seen(anew, MemoryInUse::Known(MIB));
    resolve(&mut stage, &alert);
    stage.rest();
    assert_eq!(came(&stage), Came::NotNeeded);
    assert_eq!(stage.world.verdict().map(|(verdict, _)| verdict), Some("recovered"), "the step has succeeded");
}

#[test]
fn what_no_run_raised_is_not_taken_back() {
    let notes = vec![step(Verb::Capture(CaptureSpec::default()))];
    let mut stage = Stage {
        verify: well,
        web: seen(limited(RAISED), MemoryInUse::Known(MIB)),
        ..Stage::new(Playbook { attempts: Attempts::only(notes), ..lending() })
    };
    let alert = firing(stage.world.now_s);
    stage.world.fire(alert.clone());
    stage.rest();
    resolve(&mut stage, &alert);
    stage.rest();
    assert_eq!((changes(&stage).len(), stage.world.last_refusal()), (0, Some(Reason::NoOriginal)));
}

#[test]
fn a_dry_run_raises_nothing_and_takes_nothing_back() {
    let (mut stage, alert) = lent(Playbook { dry_run: true, ..lending() });
    stage.web = seen(limited(BEFORE), MemoryInUse::Known(MIB));
    resolve(&mut stage, &alert);
    stage.rest();
    assert_eq!(came(&stage), Came::NotNeeded);
    assert!(stage.actions.is_empty());
}

#[test]
fn swap_comes_back_as_it_was() {
    for (before, raised) in [((512, -1), (1024, -1)), ((512, 512), (1024, 1024)), ((512, 600), (1024, 1200))] {
        let mut stage = Stage::new(lending());
        let of = |(memory, swap): (u64, i64), nano_cpus| {
            let mut web = limited((memory, 0, nano_cpus));
            web.limits.memory_swap = if swap < 0 { -1 } else { swap << 20 };
            seen(web, MemoryInUse::Known(MIB))
        };
        (stage.verify, stage.web) = (well, of(before, CPU / 2));
        let alert = firing(stage.world.now_s);
        stage.world.fire(alert.clone());
        stage.rest();
        stage.web = of(raised, CPU);
        resolve(&mut stage, &alert);
        stage.rest();
        assert_eq!(changes(&stage), [(raised.0, raised.1, CPU), (before.0, before.1, CPU / 2)], "{before:?}");
    }
}

#[test]
fn what_is_in_use_matters_only_to_what_is_done_next() {
    let raise = || step(Verb::UpdateLimits(LimitsSpec::Raise { memory: None, cpus: None }));
    let (wait, verify) = (step(Verb::Wait(Duration::from_secs(1))), step(Verb::Verify(VerifyStep::default())));
    for (name, steps, want) in [
        ("nothing", vec![], false),
        ("alone", vec![original()], true),
        ("after a look", vec![verify, original()], true),
        ("after a wait", vec![wait, original()], false),
        ("after another act", vec![step(Verb::Start), original()], false),
        ("raising", vec![raise(), original()], false),
    ] {
        assert_eq!(takes_back_next(steps.iter()), want, "{name}");
    }
    // Before its wait the run begins whatever is in use; after it, the container is looked at once more.
    let (mut stage, alert) =
        lent(Playbook { on_resolved: vec![step(Verb::Wait(Duration::from_secs(60))), original()], ..lending() });
    stage.web = seen(limited(RAISED), MemoryInUse::NotAsked);
    resolve(&mut stage, &alert);
    let Some(Effect::ResolveTarget { incident, memory: false, .. }) = stage.world.effects.pop() else { panic!() };
    stage.world.docker(incident, stage.web.clone());
    assert!(stage.world.state.incident(incident).is_some_and(|it| it.run().is_some()), "it has begun");
    assert!(matches!(&stage.world.effects[..], [Effect::Sleep { .. }]), "{:?}", stage.world.effects);
    stage.world.effects.clear();
    stage.world.step(incident, 0, StepResult::Waited);
    assert!(matches!(&stage.world.effects[..], [Effect::ResolveTarget { memory: true, .. }]));
}

#[test]
fn who_has_no_limit_that_can_be_raised_is_told_how_to_have_one() {
    for (quota, want) in [(true, "as `cpus` in place of `cpu_quota`"), (false, "give it one as `cpus`")] {
        let mut web = limited((512, 1024, 0));
        web.limits.cpu_quota = quota;
        let mut stage = Stage { web: seen(web, MemoryInUse::NotAsked), ..Stage::new(lending()) };
        stage.world.fire(firing(stage.world.now_s));
        stage.rest();
        assert!(stage.world.last_words().contains(want), "{}", stage.world.last_words());
    }
}
