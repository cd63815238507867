//! Several Docker hosts: which one is asked, and that what is alike on two of them is two things.

use super::world::*;
use crate::engine::effect::Effect;
use crate::engine::event::Event;
use crate::engine::receipt::{Reply, Switched};
use crate::model::action::ActionOutcome;
use crate::model::alert::Alert;
use crate::model::container::{Container, TargetReport, TargetView};
use crate::model::fact::{Fact, StepResult};
use crate::model::host::{Host, HostName};
use crate::model::id::IncidentId;
use crate::model::label::Labels;
use crate::model::limit::{Limits, MinHealthy, Scope, Window};
use crate::model::memory::{Ended, Help, Memory};
use crate::model::pause::Pause;
use crate::model::reason::Reason;
use crate::playbook::definition::{Playbook, TargetSpec, Which};
use std::time::Duration;

/// A playbook for whatever host its alert names.
fn anywhere() -> Playbook {
    let which = Which::Container(template("{{ labels.container }}"));
    let target = TargetSpec { which, host: Some(template("{{ labels.node }}")) };
    let mut playbook = Playbook { target: Some(target), ..restarting() };
    playbook.on_failure.clear();
    playbook
}

fn world(playbook: Playbook) -> World {
    let mut world = World::new(vec![playbook]);
    world.ruleset.policy.hosts = ["local", "web-2", "web-3"].map(str::to_owned).to_vec();
    world
}

/// An alert about a container on a host.
fn about(world: &World, (node, name): (&str, &str), serial: usize) -> Alert {
    let serial = serial.to_string();
    let labels = [("alertname", "Down"), ("container", name), ("node", node), ("serial", &serial)];
    let labels: Labels = labels.into_iter().collect();
    Alert { fingerprint: labels.fingerprint(), labels, ..firing(world.now_s) }
}

fn named(name: &str) -> Host {
    Host::Named(HostName::parse(name).unwrap())
}

/// A container of its own, whatever it is called elsewhere.
fn there(node: &str, name: &str) -> TargetReport {
    let id = container(&format!("{node}{name}")).id;
    found(Container { id, ..container(name) })
}

/// A new alert, and what the gates say of it: the incident if they say yes.
fn ask(world: &mut World, (node, name): (&str, &str), serial: usize) -> Result<IncidentId, Reason> {
    let receipt = world.fire(about(world, (node, name), serial));
    let incident = receipt.incident.expect("taken");
    if let Some(reason) = receipt.reason {
        return Err(reason);
    }
    world.docker(incident, there(node, name));
    match world.state.incident(incident).and_then(|incident| incident.run()) {
        Some(_) => Ok(incident),
        None => Err(world.last_refusal().expect("refused")),
    }
}

/// A whole run that ends as `result` says.
fn run(world: &mut World, (node, name): (&str, &str), serial: usize, result: &StepResult) -> Result<(), Reason> {
    let incident = ask(world, (node, name), serial)?;
    act(world, incident, (node, name));
    world.step(incident, 2, result.clone());
    Ok(())
}

fn act(world: &mut World, incident: IncidentId, (node, name): (&str, &str)) {
    world.step(incident, 0, StepResult::Captured(serde_json::json!({})));
    world.docker(incident, there(node, name));
    let act = world.permitted().expect("permitted");
    world.feed(Event::ActionReturned { act, outcome: ActionOutcome::Succeeded { post: None } });
}

fn well() -> StepResult {
    StepResult::Verified("well".into())
}

/// The hosts of all that is asked of Docker.
fn asked(world: &World) -> Vec<Host> {
    let host = |effect: &Effect| match effect {
        Effect::ResolveTarget { host, .. } | Effect::AskStep { host, .. } => Some(host.clone()),
        Effect::Capture { target, .. } => Some(target.name.host()),
        Effect::RunAction(permit) => Some(permit.clone().redeem().target.name.host()),
        Effect::Verify { watched, .. } => Some(watched[0].target.name.host()),
        _ => None,
    };
    world.effects.iter().filter_map(host).collect()
}

#[test]
fn everything_about_an_incident_is_asked_of_the_host_that_its_alert_names() {
    for (node, host) in [("local", Host::First), ("web-2", named("web-2")), ("web-3", named("web-3"))] {
        let mut world = world(anywhere());
        let incident = world.fire(about(&world, (node, "web"), 0)).incident.unwrap();
        let mut seen = asked(&world);
        world.docker(incident, there(node, "web"));
        seen.extend(asked(&world));
        world.step(incident, 0, StepResult::Captured(serde_json::json!({})));
        seen.extend(asked(&world));
        world.docker(incident, there(node, "web"));
        seen.extend(asked(&world));
        let act = world.permitted().unwrap();
        world.feed(Event::ActionReturned { act, outcome: ActionOutcome::Succeeded { post: None } });
        seen.extend(asked(&world));
        assert_eq!(seen, vec![host.clone(); 5], "resolve, capture, resolve, act, verify on {node}");
        // A restart finds it there too.
        assert_eq!(world.replayed(world.log.len()).incident(incident).unwrap().host(), &host);
        let name = world.state.incident(incident).unwrap().run().unwrap().target.as_ref().unwrap().name.clone();
        assert_eq!((name.bare(), name.host()), ("web", host), "{name}");
    }
}

#[test]
fn with_several_hosts_nobody_guesses() {
    let on = |host: Option<&str>| {
        let which = Which::Container(template("{{ labels.container }}"));
        Playbook { target: Some(TargetSpec { which, host: host.map(template) }), ..restarting() }
    };
    for (host, want) in [
        (Some("local"), None),
        (Some(" web-3 "), None),
        (Some("{{ labels.node }}"), Some(Reason::UnknownHost)),
        (Some("{{ labels.container }}"), Some(Reason::UnknownHost)),
        (Some("{{ labels.nothing }}"), Some(Reason::TargetInvalid)),
        (None, Some(Reason::UnknownHost)),
    ] {
        let mut world = world(on(host));
        let receipt = world.fire(about(&world, ("web-9", "web"), 0));
        assert_eq!(receipt.reason, want, "{host:?}");
        assert_eq!(world.effects.is_empty(), want.is_some(), "nobody is asked: {host:?}");
    }
}

#[test]
fn an_incident_never_moves_to_another_host() {
    let mut world = world(anywhere());
    let incident = world.fire(about(&world, ("web-3", "web"), 0)).incident.unwrap();
    world.ruleset.policy.hosts.pop();
    world.docker(incident, there("web-3", "web"));
    assert_eq!(world.last_refusal(), Some(Reason::UnknownHost), "the settings have lost it");

    // Recorded when there was one host; since then another one has come before it.
    let mut world = World::new(vec![anywhere()]);
    let incident = world.fire(about(&world, ("local", "web"), 0)).incident.unwrap();
    world.ruleset.policy.hosts.insert(0, "web-2".into());
    world.docker(incident, there("local", "web"));
    assert_eq!(world.last_refusal(), Some(Reason::UnknownHost), "the first host is another one");
}

#[test]
fn the_same_name_on_two_hosts_is_two_targets_to_limits_and_flights() {
    let mut playbook = anywhere();
    playbook.limits.windows[0].runs = 1;
    let mut world = world(playbook);
    assert_eq!(run(&mut world, ("web-2", "web"), 0, &well()), Ok(()));
    assert_eq!(run(&mut world, ("web-2", "web"), 1, &well()), Err(Reason::BudgetExhausted));
    assert!(ask(&mut world, ("web-3", "web"), 2).is_ok());
    assert_eq!(ask(&mut world, ("web-3", "web"), 3), Err(Reason::Busy));
    assert!(ask(&mut world, ("local", "web"), 4).is_ok());
}

#[test]
fn a_limit_of_the_host_counts_one_hosts_runs() {
    let mut playbook = anywhere();
    let windows = vec![Window { runs: 1, per: Duration::from_secs(3600) }];
    playbook.limits = Limits { windows, scope: Scope::Host, ..playbook.limits };
    let mut world = world(playbook);
    assert_eq!(run(&mut world, ("web-2", "a"), 0, &well()), Ok(()));
    assert_eq!(run(&mut world, ("web-2", "b"), 1, &well()), Err(Reason::BudgetExhausted));
    assert_eq!(run(&mut world, ("local", "b"), 2, &well()), Ok(()));
    assert_eq!(run(&mut world, ("local", "c"), 3, &well()), Err(Reason::BudgetExhausted));
    assert_eq!(run(&mut world, ("web-3", "b"), 4, &well()), Ok(()));
}

#[test]
fn runs_that_hang_on_one_host_hold_back_none_on_another() {
    let mut world = world(anywhere());
    assert!(ask(&mut world, ("web-2", "a"), 0).is_ok());
    assert!(ask(&mut world, ("web-2", "b"), 1).is_ok());
    assert_eq!(ask(&mut world, ("web-2", "c"), 2), Err(Reason::MaxParallel));
    assert!(ask(&mut world, ("web-3", "c"), 3).is_ok());
    assert!(ask(&mut world, ("local", "c"), 4).is_ok());
}

#[test]
fn a_service_is_not_the_service_of_another_host() {
    let replica = |node: &str, name: &str| {
        let labels =
            [("sickbay.enable", "true"), ("com.docker.compose.project", "shop"), ("com.docker.compose.service", "web")];
        let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        Container { id: container(&format!("{node}{name}")).id, labels, ..container(name) }
    };
    let mut playbook = anywhere();
    playbook.limits.max_parallel = 1;
    playbook.limits.min_healthy = Some(MinHealthy::Count(1));
    let mut world = world(playbook);
    let mut decide = |node: &str, name: &str, serial| {
        let incident = world.fire(about(&world, (node, name), serial)).incident.unwrap();
        let peers = vec![replica(node, "web-1"), replica(node, "web-2")];
        let view = TargetView { peers, ..view(replica(node, name)) };
        world.docker(incident, TargetReport::Found(Box::new(view)));
        let runs = world.state.incident(incident).is_some_and(|incident| incident.run().is_some());
        (!runs).then(|| world.last_refusal()).flatten()
    };
    assert_eq!(decide("web-2", "web-1", 0), None);
    assert_eq!(decide("web-2", "web-2", 1), Some(Reason::ServiceBusy));
    assert_eq!(decide("web-3", "web-2", 2), None, "whoever is treated on the other host is none of its replicas");
}

#[test]
fn a_pause_holds_back_its_host_or_its_target_alone() {
    for (scope, held) in [
        ("host:web-2", vec!["web-2"]),
        ("host:local", vec!["local"]),
        ("target:web", vec!["local"]),
        ("target:local:web", vec!["local"]),
        ("target:web-3:web", vec!["web-3"]),
        ("all", vec!["local", "web-2", "web-3"]),
    ] {
        let mut world = world(anywhere());
        let pause = Pause { scope: scope.parse().unwrap(), by: "ada".into(), reason: "x".into(), length: None };
        world.feed(Event::PauseRequested(pause));
        assert!(matches!(world.reply, Reply::Switched(Switched::Paused { known: true, .. })), "{scope}");
        for (serial, node) in ["local", "web-2", "web-3"].into_iter().enumerate() {
            let want = if held.contains(&node) { Some(Reason::Paused) } else { None };
            assert_eq!(ask(&mut world, (node, "web"), serial).err(), want, "{scope} {node}");
        }
    }
}

#[test]
fn a_breaker_is_of_one_host_and_reset_by_its_whole_name() {
    let mut playbook = anywhere();
    playbook.limits.windows[0].runs = 1000;
    let mut world = world(playbook);
    let sick = StepResult::NotVerified("still sick".into());
    for serial in 0..3 {
        assert_eq!(run(&mut world, ("web-2", "web"), serial, &sick), Ok(()));
        assert_eq!(run(&mut world, ("local", "web"), 10 + serial, &sick), Ok(()));
    }
    assert_eq!(ask(&mut world, ("web-2", "web"), 20), Err(Reason::BreakerOpen));
    assert_eq!(ask(&mut world, ("local", "web"), 21), Err(Reason::BreakerOpen));
    assert!(ask(&mut world, ("web-3", "web"), 22).is_ok());
    let reset = |world: &mut World, target: &str| {
        let (by, reason) = ("ada".to_owned(), "mended".to_owned());
        world.feed(Event::BreakerResetRequested { target: target.into(), by, reason });
        let told =
            |fact: &Fact| if let Fact::BreakerReset(reset) = fact { Some(reset.target.to_string()) } else { None };
        world.log.iter().rev().find_map(|record| told(&record.fact))
    };
    assert_eq!(reset(&mut world, "web-2:web").as_deref(), Some("web-2:web"));
    assert!(ask(&mut world, ("web-2", "web"), 23).is_ok());
    assert_eq!(ask(&mut world, ("local", "web"), 24), Err(Reason::BreakerOpen));
    assert_eq!(reset(&mut world, "local:web").as_deref(), Some("web"), "the first host has no name in records");
}

/// Starts the daemon on what is in the log, with these hosts in the settings.
fn started(world: &mut World, hosts: &[&str]) {
    world.ruleset.policy.hosts = hosts.iter().map(|host| (*host).to_owned()).collect();
    world.feed(Event::Started { recovered: None, version: "0".into(), hostname: "h".into(), files: Vec::new() });
}

#[test]
fn another_host_may_not_become_the_one_that_records_do_not_name() {
    let mut world = world(anywhere());
    let accepts = |world: &World, first: &str, renamed_from| {
        world.replayed(world.log.len()).accepts_first_host(first, renamed_from)
    };
    started(&mut world, &["local", "web-2", "web-3"]);
    assert_eq!(accepts(&world, "web-2", None), Ok(()), "nothing is bound to it");
    // What is on another host is recorded under its name.
    let there = ask(&mut world, ("web-2", "web"), 1).unwrap();
    assert!(world.state.incident(there).is_some());
    assert_eq!(accepts(&world, "web-2", None), Ok(()));
    ask(&mut world, ("local", "web"), 2).unwrap();
    assert_eq!(accepts(&world, "local", None), Ok(()));
    let said = accepts(&world, "web-2", None).unwrap_err();
    for word in ["\"web-2\"", "\"local\"", "1 open incidents", "renamed_from: local", "storage.path", "first again"] {
        assert!(said.contains(word), "{word}: {said}");
    }
    assert!(accepts(&world, "web-2", Some("web-3")).is_err(), "that is not what it was called");
    assert_eq!(accepts(&world, "main", Some("local")), Ok(()));
    // It is what the last start says, and no earlier one.
    started(&mut world, &["main", "web-2"]);
    assert_eq!(accepts(&world, "main", None), Ok(()));
    assert!(accepts(&world, "local", None).is_err());
    // As it is saved, too.
    let mut saved = crate::engine::state::State::default();
    let memory = Box::new(world.state.memory());
    saved.apply(&crate::model::fact::Record { fact: Fact::StateSaved(memory), ..world.log[0].clone() });
    assert!(saved.accepts_first_host("local", None).is_err());
}

#[test]
fn limits_breakers_and_pauses_are_bound_to_the_first_host_as_well() {
    let bound = |fact: Option<Fact>, word: &str| {
        let mut world = world(anywhere());
        started(&mut world, &["local", "web-2"]);
        let record = fact.map(|fact| crate::model::fact::Record { fact, ..world.log[0].clone() });
        record.iter().for_each(|record| world.state.apply(record));
        let said = world.state.accepts_first_host("web-2", None);
        assert_eq!(said.is_err(), !word.is_empty(), "{word}: {said:?}");
        assert!(said.err().unwrap_or_default().contains(word));
        world
    };
    let pause = |scope: &str| {
        let pause = Pause { scope: scope.parse().unwrap(), by: "a".into(), reason: "b".into(), length: None };
        Some(Fact::PauseSet(pause))
    };
    bound(None, "");
    bound(pause("all"), "");
    bound(pause("target:web-2:web"), "");
    bound(pause("target:web"), "1 pauses");
    let world = bound(pause("host:local"), "1 pauses");
    let said = world.state.accepts_first_host("main", Some("local")).unwrap_err();
    assert!(said.contains("sickbay resume host:local"), "under its new name it would not be paused: {said}");
    let at = world.state.timeline().moment(&world.now());
    let ended = |target: &str, help| {
        let (incident, at) = (first(), at);
        let ends = vec![Ended { incident, playbook: "restart".into(), target: target.into(), at, help }];
        let first_host = Some("local".to_owned());
        Some(Fact::StateSaved(Box::new(Memory { ends, first_host, ..Memory::default() })))
    };
    bound(ended("web-2:web", Help::No), "");
    bound(ended("web", Help::Yes), "");
    bound(ended("web", Help::No), "1 runs that count for breakers");
}
