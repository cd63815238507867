//! What follows the end of an alert: when it is opened, and that a crash neither loses it nor does it twice.

use super::stage::Stage;
use super::world::*;
use crate::engine::effect::Effect;
use crate::engine::event::{Event, NewConfig};
use crate::engine::incident::Incident;
use crate::engine::ruleset::Ruleset;
use crate::engine::state::State;
use crate::model::alert::{Alert, Notification};
use crate::model::fact::{Answer, Branch, Cause, Fact, StepResult};
use crate::model::id::IncidentId;
use crate::model::incident::EpisodeEnd;
use crate::model::target::TargetQuery;
use crate::playbook::definition::{Attempts, Playbook, RestartSpec, StopSpec, Verb, VerifyStep};
use crate::playbook::index::Playbooks;
use std::time::Duration;

pub(super) const WAIT_S: u64 = 600;

/// As the world's own, and ten minutes after the alert's end a restart.
pub(super) fn followed() -> Playbook {
    let restart = RestartSpec { stop_timeout: None, start_if_stopped: true };
    let verify = Verb::Verify(VerifyStep::default());
    let wait = Verb::Wait(Duration::from_secs(WAIT_S));
    Playbook { on_resolved: vec![step(wait), step(Verb::Restart(restart)), step(verify)], ..restarting() }
}

/// Stops the target while the alert fires, and starts it afterwards.
pub(super) fn parking() -> Playbook {
    let attempts = Attempts::only(vec![step(Verb::Stop(StopSpec { stop_timeout: None }))]);
    Playbook { attempts, on_resolved: vec![step(Verb::Start)], ..restarting() }
}

fn well(_: u32) -> StepResult {
    StepResult::Verified("well".into())
}

/// A run of this playbook is over and its alert still fires.
pub(super) fn treated(playbook: Playbook) -> (Stage, Alert) {
    let mut stage = Stage { verify: well, ..Stage::new(playbook) };
    let alert = firing(stage.world.now_s);
    stage.world.fire(alert.clone());
    stage.rest();
    assert_eq!(stage.count("incident.closed"), 1, "{:?}", stage.world.kinds(0));
    (stage, alert)
}

pub(super) fn resolve(stage: &mut Stage, alert: &Alert) {
    let resolved = resolved(alert, stage.world.now_s);
    stage.world.fire(resolved);
}

/// The incidents that others opened, with what opened each.
pub(super) fn opened(stage: &Stage) -> Vec<(IncidentId, IncidentId, Cause)> {
    let one = |record: &crate::model::fact::Record| match &record.fact {
        Fact::IncidentOpened(opened) => Some((IncidentId(record.seq), opened.origin.of, opened.origin.cause.clone())),
        _ => None,
    };
    stage.world.log.iter().filter_map(one).collect()
}

pub(super) fn only_open(stage: &Stage) -> &Incident {
    let mut open = stage.world.state.incidents();
    let first = open.next().unwrap();
    assert!(open.next().is_none());
    first
}

pub(super) fn replays(stage: &Stage) {
    assert_eq!(stage.world.replayed(stage.world.log.len()), stage.world.state);
}

#[test]
fn the_end_of_an_alert_that_was_treated_opens_an_incident_that_does_what_on_resolved_says() {
    let (mut stage, alert) = treated(followed());
    let before = stage.world.log.len();
    resolve(&mut stage, &alert);
    assert_eq!(stage.world.kinds(before), ["alert.ended", "incident.opened"]);
    let id = only_open(&stage).id;
    assert_eq!(opened(&stage), [(id, first(), Cause::Resolved)]);
    assert!(matches!(&stage.world.effects[..], [Effect::ResolveTarget { query: TargetQuery::Name(_), .. }]));
    replays(&stage);
    stage.rest();
    assert_eq!(
        stage.world.kinds(before + 2),
        ["decision", "step.finished", "action.intent", "action.outcome", "step.finished", "incident.closed"]
    );
    assert_eq!(stage.actions, ["restart", "restart"]);
    assert_eq!(stage.world.verdict(), Some(("recovered", None)));
    let branches = stage.world.log[before..].iter().filter_map(|record| match &record.fact {
        Fact::StepFinished(finished) => Some(finished.step.branch),
        _ => None,
    });
    assert!(branches.into_iter().all(|branch| branch == Branch::OnResolved));
    replays(&stage);
}

#[test]
fn nothing_follows_what_was_only_refused_nor_an_end_that_nobody_told() {
    let unwell = |reason: &str| format!("{reason}: {}", 0);
    // Refused alone: nobody opted in.
    let mut stage = Stage::new(followed());
    let mut web = container("web");
    web.labels.clear();
    stage.web = found(web);
    let alert = firing(stage.world.now_s);
    stage.world.fire(alert.clone());
    stage.rest();
    resolve(&mut stage, &alert);
    assert_eq!((stage.world.verdict().map(|(verdict, _)| verdict), opened(&stage).len()), (Some("cancelled"), 0));

    // A new episode took the place of the one that was treated, whose end nobody saw.
    let (mut stage, alert) = treated(followed());
    stage.world.now_s += 30;
    let later = firing(stage.world.now_s + 20);
    assert_ne!(later.starts_at, alert.starts_at);
    stage.world.fire(later);
    assert!(opened(&stage).is_empty(), "{}", unwell("superseded"));

    // Nobody spoke of it for a week.
    let (mut stage, _) = treated(followed());
    stage.later(8 * 24 * 3600);
    assert_eq!(stage.count("alert.ended"), 1);
    assert!(opened(&stage).is_empty());
    assert_eq!(stage.world.state.aftermath().iter().count(), 0, "and it is not waited for any longer");
}

#[test]
fn duplicates_of_the_end_open_it_once_and_an_end_during_the_run_opens_it_after_the_run() {
    let (mut stage, alert) = treated(followed());
    for _ in 0..3 {
        resolve(&mut stage, &alert);
    }
    stage.rest();
    resolve(&mut stage, &alert);
    assert_eq!(opened(&stage).len(), 1);

    let mut stage = Stage { verify: well, ..Stage::new(followed()) };
    let alert = firing(stage.world.now_s);
    stage.world.fire(alert.clone());
    stage.world.docker(first(), found(container("web")));
    stage.world.step(first(), 0, StepResult::Captured(serde_json::json!({})));
    stage.world.docker(first(), found(container("web")));
    let act = stage.world.permitted().unwrap();
    resolve(&mut stage, &alert);
    assert!(opened(&stage).is_empty(), "the run is under way");
    let outcome = crate::model::action::ActionOutcome::Succeeded { post: None };
    stage.world.feed(Event::ActionReturned { act, outcome });
    assert!(opened(&stage).is_empty());
    stage.rest();
    assert_eq!((opened(&stage).len(), stage.actions.len()), (1, 1));
    replays(&stage);
}

#[test]
fn also_a_run_that_failed_and_tries_that_ended_are_followed() {
    let (mut stage, alert) = treated(followed());
    assert_eq!(stage.world.verdict(), Some(("recovered", None)));
    resolve(&mut stage, &alert);
    assert_eq!(opened(&stage).len(), 1);

    let mut stage = Stage::new(followed());
    let alert = firing(stage.world.now_s);
    stage.world.fire(alert.clone());
    stage.rest();
    assert_eq!(stage.world.verdict(), Some(("ineffective", None)));
    resolve(&mut stage, &alert);
    assert_eq!(opened(&stage).len(), 1);

    let ladder = Playbook { on_resolved: followed().on_resolved, ..super::stage::ladder() };
    let mut stage = Stage::between(ladder);
    resolve(&mut stage, &alert);
    assert_eq!(stage.world.kinds(stage.world.log.len() - 3), ["alert.ended", "incident.closed", "incident.opened"]);
}

#[test]
fn it_goes_by_what_is_loaded_when_the_alert_ends() {
    for (name, playbooks, want) in [
        ("the same", vec![followed()], 1),
        ("none of that name", vec![], 0),
        ("without on_resolved", vec![Playbook { revision: "r2".into(), ..restarting() }], 0),
        ("disabled", vec![Playbook { enabled: false, revision: "r2".into(), ..followed() }], 0),
        ("another text", vec![Playbook { revision: "r2".into(), on_resolved: vec![notify()], ..followed() }], 1),
    ] {
        let (mut stage, alert) = treated(followed());
        let policy = stage.world.ruleset.policy.clone();
        let new = NewConfig { playbooks: Playbooks::new(playbooks), policy, files: Vec::new(), by: None };
        stage.world.feed(Event::Reloaded(Box::new(new)));
        resolve(&mut stage, &alert);
        stage.rest();
        assert_eq!(opened(&stage).len(), want, "{name}");
        let acted = usize::from(name == "the same");
        assert_eq!(stage.actions.len(), 1 + acted, "{name}");
        // What did not follow then does not follow by what is loaded later.
        stage.world.now_s += 60;
        let policy = stage.world.ruleset.policy.clone();
        let new = NewConfig { playbooks: Playbooks::new(vec![followed()]), policy, files: Vec::new(), by: None };
        stage.world.feed(Event::Reloaded(Box::new(new)));
        assert_eq!(opened(&stage).len(), want, "{name}, loaded later");
        replays(&stage);
    }
}

#[test]
fn a_reload_before_it_began_lets_the_new_text_follow_in_its_place() {
    let (mut stage, alert) = treated(followed());
    resolve(&mut stage, &alert);
    let policy = stage.world.ruleset.policy.clone();
    let text = Playbook { revision: "r2".into(), on_resolved: vec![notify()], ..followed() };
    let new = NewConfig { playbooks: Playbooks::new(vec![text]), policy, files: Vec::new(), by: None };
    let before = stage.world.log.len();
    stage.world.feed(Event::Reloaded(Box::new(new)));
    assert_eq!(stage.world.kinds(before), ["config.loaded", "incident.closed", "incident.opened"]);
    stage.rest();
    assert_eq!((stage.told.len(), stage.actions.len()), (1, 1));
    assert!(stage.told[0].ends_with("(after the alert resolved)"), "{:?}", stage.told);
    replays(&stage);
}

#[test]
fn a_crash_at_any_record_neither_loses_it_nor_acts_twice() {
    let (mut stage, alert) = treated(followed());
    let until = stage.world.log.len();
    let ended = Notification { alerts: vec![resolved(&alert, stage.world.now_s)], ..Notification::default() };
    stage.world.feed(Event::NotificationReceived(ended));
    stage.rest();
    let whole = stage.world.log.clone();
    let acts = |log: &[crate::model::fact::Record]| {
        log.iter().filter(|record| matches!(record.fact, Fact::ActionIntended(_))).count()
    };
    assert_eq!(acts(&whole), 2);
    for kept in until + 1..=whole.len() {
        let mut after = Stage { verify: well, ..Stage::new(followed()) };
        after.world.log = whole[..kept].to_vec();
        after.world.state = after.world.replayed(kept);
        after.world.now_s += 5;
        let started = Event::Started { recovered: None, version: "0".into(), hostname: "h".into(), files: Vec::new() };
        after.world.feed(started);
        after.rest();
        assert_eq!(opened(&after).len(), 1, "cut after {:?}", whole[kept - 1].fact.kind());
        assert_eq!(acts(&after.world.log), 2, "cut after {:?}", whole[kept - 1].fact.kind());
        assert_eq!(after.world.state.open_incidents(), 0);
        assert_eq!(after.world.replayed(after.world.log.len()), after.world.state);
    }
}

#[test]
fn the_whole_of_it_is_in_one_record() {
    let (mut stage, alert) = treated(followed());
    let saved = |state: &State| {
        let mut saved = state.clone();
        let fact = Fact::StateSaved(Box::new(state.memory()));
        let at = crate::model::stamp::Stamp { wall: wall(0), up_ms: 0, boot: crate::model::stamp::BootId(1) };
        let mut fresh = State::default();
        let record = crate::model::fact::Record { seq: state.next_seq(), at, fact };
        fresh.apply(&record);
        saved.apply(&record);
        assert_eq!(fresh, saved);
    };
    saved(&stage.world.state);
    resolve(&mut stage, &alert);
    saved(&stage.world.state);
    let id = only_open(&stage).id;
    stage.world.docker(id, found(container("web")));
    saved(&stage.world.state);
    stage.world.fire(alert);
    saved(&stage.world.state);
}

#[test]
fn an_end_that_alertmanager_told_counts_as_well() {
    let (mut stage, _) = treated(followed());
    let episode = stage.world.state.episodes().next().unwrap().0;
    let mut aftermath = stage.world.state.aftermath().clone();
    let now = stage.world.state.timeline().moment(&stage.world.now());
    for (end, due) in [(EpisodeEnd::NotFiring, 1), (EpisodeEnd::Inferred, 0)] {
        aftermath.ended(episode, end, now);
        assert_eq!(aftermath.due().count(), due, "{end}");
    }
    stage.later(0);
    let unloaded = Ruleset::new(Playbooks::default(), stage.world.ruleset.policy.clone());
    assert_eq!(unloaded.kept(), 0);
    let answers = stage.world.log.iter().filter(|record| match &record.fact {
        Fact::Decided(decided) => matches!(decided.answer, Answer::Run { .. }),
        _ => false,
    });
    assert_eq!(answers.count(), 1);
}
