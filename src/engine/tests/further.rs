//! Selectors: how many containers, which incident takes which, and that a crash in between opens none twice.

use super::world::*;
use crate::engine::effect::Effect;
use crate::engine::event::Event;
use crate::engine::incident::Phase;
use crate::engine::receipt::AlertAnswer;
use crate::model::alert::Alert;
use crate::model::container::TargetReport;
use crate::model::fact::{Cause, Fact};
use crate::model::id::IncidentId;
use crate::model::reason::Reason;
use crate::model::target::{ContainerId, ContainerName, TargetQuery};
use crate::playbook::definition::{Playbook, TargetSpec, Which};
use std::collections::BTreeMap;

/// Restarts up to three containers of a role.
fn selecting() -> Playbook {
    let labels = vec![("role".to_owned(), template("{{ labels.container }}"))];
    Playbook { target: Some(Which::Selector { labels, max: 3 }.into()), ..restarting() }
}

/// `b` and `c` beside `a`.
fn several(first: &str, others: &[&str]) -> TargetReport {
    let other = |name: &&str| (container(name).id, ContainerName::parse(name).unwrap());
    let first = Box::new(view(container(first)));
    TargetReport::Several { first, others: others.iter().map(other).collect() }
}

fn fired(playbook: Playbook) -> (World, Alert) {
    let mut world = World::new(vec![playbook]);
    let alert = firing(world.now_s);
    world.fire(alert.clone());
    (world, alert)
}

/// The incidents that were opened, by the container of each.
fn opened(world: &World) -> BTreeMap<String, IncidentId> {
    let mut found = BTreeMap::new();
    for record in &world.log {
        if let Fact::IncidentOpened(opened) = &record.fact {
            assert!(matches!(opened.origin.cause, Cause::FurtherTarget(_)));
            assert_eq!(opened.origin.of, first());
            let name = opened.origin.left.container.as_ref().unwrap().to_string();
            assert!(found.insert(name, IncidentId(record.seq)).is_none(), "twice");
        }
    }
    found
}

fn asked(world: &World) -> Vec<(IncidentId, ContainerId)> {
    let by_id = |effect: &Effect| match effect {
        Effect::ResolveTarget { incident, query: TargetQuery::Id(id), .. } => Some((*incident, id.clone())),
        _ => None,
    };
    world.effects.iter().filter_map(by_id).collect()
}

#[test]
fn labels_are_rendered_and_an_empty_one_is_refused_at_once() {
    let (world, _) = fired(selecting());
    let [Effect::ResolveTarget { query: TargetQuery::Selector(selector), .. }] = &world.effects[..] else {
        panic!("{:?}", world.effects)
    };
    assert_eq!((&selector.labels[..], selector.max), (&[("role".to_owned(), "web".to_owned())][..], 3));

    let labels = vec![("role".to_owned(), template("{{ annotations.role or '' }}"))];
    let empty = Playbook { target: Some(Which::Selector { labels, max: 3 }.into()), ..restarting() };
    let mut world = World::new(vec![empty]);
    let receipt = world.fire(firing(world.now_s));
    assert_eq!((receipt.answer, receipt.reason), (AlertAnswer::Refused, Some(Reason::TargetInvalid)));
    assert!(world.effects.is_empty());
}

#[test]
fn none_or_too_many_are_refused_and_none_of_them_is_touched() {
    let too_many = TargetReport::Ambiguous(["a", "b", "c", "d"].map(str::to_owned).to_vec());
    for (report, want) in [(TargetReport::Missing, Reason::TargetMissing), (too_many, Reason::TargetAmbiguous)] {
        let (mut world, _) = fired(selecting());
        world.docker(first(), report);
        assert_eq!(world.last_refusal(), Some(want));
        assert!(world.effects.is_empty() && opened(&world).is_empty());
    }
}

#[test]
fn the_first_by_name_is_its_own_and_every_other_gets_an_incident_with_gates_of_its_own() {
    let (mut world, alert) = fired(selecting());
    let before = world.log.len();
    world.docker(first(), several("a", &["b", "c"]));
    assert_eq!(world.kinds(before), ["incident.opened", "incident.opened", "decision"]);
    let others = opened(&world);
    let want = [("b", others["b"]), ("c", others["c"])].map(|(name, id)| (id, container(name).id));
    assert_eq!(asked(&world), want);
    assert_eq!(world.replayed(world.log.len()), world.state);
    // One is not opted in: the others do not care.
    let mut closed = container("b");
    closed.labels.clear();
    world.docker(others["b"], found(closed));
    assert_eq!(world.last_refusal(), Some(Reason::NotOptedIn));
    // Two at once are allowed by the settings, and no more.
    world.docker(others["c"], found(container("c")));
    assert!(matches!(world.state.incident(others["c"]).unwrap().phase, Phase::Running(_)));
    // When the alert is delivered again, what was refused is asked about again.
    world.now_s += 60;
    world.fire(alert.clone());
    assert_eq!(asked(&world), [(others["b"], container("b").id)]);
    // Its end ends what has not begun, and leaves what has.
    world.fire(resolved(&alert, world.now_s));
    assert!(world.state.incident(others["b"]).is_none());
    assert_eq!(world.verdict(), Some(("cancelled", Some(Reason::NotOptedIn))));
    assert!(world.state.incident(others["c"]).unwrap().alert_ended);
    assert_eq!(world.replayed(world.log.len()), world.state);
}

#[test]
fn one_after_the_other_where_no_more_may_be_treated_at_once() {
    let (mut world, _) = fired(selecting());
    world.ruleset.policy.max_parallel = 1;
    world.docker(first(), several("a", &["b"]));
    let other = opened(&world)["b"];
    world.docker(other, found(container("b")));
    assert_eq!(world.last_refusal(), Some(Reason::MaxParallel));
}

#[test]
fn a_refused_one_asks_anew_without_those_that_others_have() {
    let (mut world, alert) = fired(selecting());
    let mut closed = view(container("a"));
    closed.container.labels.clear();
    let others = vec![(container("b").id, ContainerName::parse("b").unwrap())];
    world.docker(first(), TargetReport::Several { first: Box::new(closed), others });
    assert_eq!((world.last_refusal(), opened(&world).len()), (Some(Reason::NotOptedIn), 1));
    world.now_s += 60;
    world.fire(alert);
    let besides = world.effects.iter().find_map(|effect| match effect {
        Effect::ResolveTarget { query: TargetQuery::Selector(selector), .. } => Some(selector.besides.clone()),
        _ => None,
    });
    assert_eq!(besides, Some(vec![container("b").id]));
    // A container that came meanwhile gets one as well, and no container two.
    world.docker(first(), several("a", &["c"]));
    assert_eq!(opened(&world).keys().collect::<Vec<_>>(), ["b", "c"]);
    assert_eq!(world.replayed(world.log.len()), world.state);
}

#[test]
fn a_container_that_has_an_incident_never_gets_another_one() {
    let (mut world, _) = fired(selecting());
    let mut closed = view(container("a"));
    closed.container.labels.clear();
    let others = vec![(container("b").id, ContainerName::parse("b").unwrap())];
    let answer = TargetReport::Several { first: Box::new(closed), others };
    world.docker(first(), answer.clone());
    // An answer to an earlier question, which did not leave out what others have by now.
    world.docker(first(), answer);
    assert_eq!(opened(&world).len(), 1);
}

#[test]
fn what_was_done_for_one_of_them_was_done_for_the_episode() {
    let (mut world, alert) = fired(selecting());
    let mut closed = view(container("a"));
    closed.container.labels.clear();
    let others = vec![(container("b").id, ContainerName::parse("b").unwrap())];
    world.docker(first(), TargetReport::Several { first: Box::new(closed), others });
    let other = opened(&world)["b"];
    world.docker(other, found(container("b")));
    world.step(other, 0, crate::model::fact::StepResult::Captured(serde_json::json!({})));
    world.docker(other, found(container("b")));
    assert!(world.permitted().is_some());
    world.fire(resolved(&alert, world.now_s));
    world.now_s += 60;
    let receipt = world.fire(alert);
    assert_eq!(receipt.answer, AlertAnswer::Duplicate, "handled already");
}

#[test]
fn a_crash_between_opening_and_deciding_opens_none_twice_and_forgets_none() {
    let (mut world, _) = fired(selecting());
    let before = world.log.len();
    world.docker(first(), several("a", &["b", "c"]));
    let whole = world.log.clone();
    for kept in before..=whole.len() {
        let mut after = World::new(vec![selecting()]);
        after.log = whole[..kept].to_vec();
        after.state = after.replayed(kept);
        after.feed(Event::Started { recovered: None, version: "0".into(), hostname: "h".into(), files: Vec::new() });
        let left: Vec<&str> = ["b", "c"].into_iter().filter(|name| !opened(&after).contains_key(*name)).collect();
        let waits = after.state.incident(first()).unwrap().phase == Phase::AwaitingTarget;
        if waits {
            let report = if left.is_empty() { found(container("a")) } else { several("a", &left) };
            after.docker(first(), report);
        }
        assert_eq!(opened(&after).keys().collect::<Vec<_>>(), ["b", "c"], "cut after {kept}");
        assert_eq!(after.replayed(after.log.len()), after.state);
    }
}

#[test]
fn the_host_of_the_target_must_be_the_one_that_is_driven() {
    let on = |host: &str| {
        let which = Which::Container(template("{{ labels.container }}"));
        let target = TargetSpec { which, host: Some(template(host)) };
        Playbook { target: Some(target), ..restarting() }
    };
    for (host, want) in [("local", None), ("{{ labels.alertname }}", Some(Reason::UnknownHost))] {
        let mut world = World::new(vec![on(host)]);
        let receipt = world.fire(firing(world.now_s));
        assert_eq!(receipt.reason, want, "{host}");
        assert_eq!(world.effects.is_empty(), want.is_some(), "nobody is asked: {host}");
    }
    // Asked again right before the act: the settings may have changed since.
    let mut world = World::new(vec![on("local")]);
    world.fire(firing(world.now_s));
    world.ruleset.policy.hosts = vec!["other".into()];
    world.docker(first(), found(container("web")));
    assert_eq!(world.last_refusal(), Some(Reason::UnknownHost));
}
