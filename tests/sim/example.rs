//! The third example of the language, played out: two people, a deadline, and only in working hours.

use sickbay::engine::receipt::AlertAnswer;
use sickbay::engine::ruleset::Ruleset;
use sickbay::model::alert::{Alert, AlertStatus, Notification};
use sickbay::model::approval::VoteAnswer;
use sickbay::model::container::{HealthCheck, RestartPolicy};
use sickbay::model::fact::{Answer, Fact};
use sickbay::model::incident::Verdict;
use sickbay::model::label::Labels;
use sickbay::model::policy::Policy;
use sickbay::model::reason::Reason;
use sickbay::model::target::ContainerName;
use sickbay::playbook::index::Playbooks;
use sickbay::playbook::{RuleFile, load};
use sickbay::sim::clock::SimTime;
use sickbay::sim::container::ContainerSpec;
use sickbay::sim::input::Input;
use sickbay::sim::vote::SimVote;
use sickbay::sim::world::{DeliveryId, World};
use std::time::Duration;

/// A Friday, nine in the morning in Berlin, and a database.
fn world() -> World {
    let text = include_str!("../fixtures/playbooks/language.yaml").replace("run.url", "run.id");
    let loaded = load(&[RuleFile { path: "language.yaml".to_owned(), text }]);
    assert!(!loaded.has_errors(), "{:?}", loaded.problems);
    let second = Duration::from_secs(1);
    let database = ContainerSpec {
        image: Some("postgres:16".to_owned()),
        image_id: "sha256:16".to_owned(),
        restart_policy: RestartPolicy::Always,
        health_check: Some(HealthCheck { interval: second * 2, timeout: second, retries: 2, start_period: second * 3 }),
        ..ContainerSpec::new(&ContainerName::parse("postgres-primary").unwrap())
    };
    let mut world = World::new(Ruleset::new(Playbooks::new(loaded.playbooks), Policy::default()), vec![database]);
    world.run_until(SimTime(60_000));
    world
}

fn fire(world: &mut World) {
    let labels: Labels = [("alertname", "PostgresConnectionsExhausted")].into_iter().collect();
    let alert = Alert {
        fingerprint: labels.fingerprint(),
        status: AlertStatus::Firing,
        labels,
        annotations: [("value", "97")].into_iter().collect(),
        starts_at: Some(world.clock().wall()),
        ends_at: None,
        generator_url: "".into(),
    };
    assert!(world.deliver(DeliveryId(1), Notification { alerts: vec![alert], ..Notification::default() }));
    pass(world, 1);
    assert_eq!(world.seen.acks[0].receipts[0].answer, AlertAnswer::Accepted);
}

fn pass(world: &mut World, secs: u64) {
    let until = world.now().after(Duration::from_secs(secs));
    world.run_until(until);
}

fn vote(world: &mut World, person: &str, group: &str, approve: bool) -> VoteAnswer {
    world.happen(&Input::Vote(SimVote::new(person, &[group], approve)));
    pass(world, 1);
    world.seen.votes.last().unwrap().voted.answer
}

/// Each message: to whom, and what.
fn messages(world: &World) -> Vec<(&str, &str)> {
    let mut told = Vec::new();
    for record in world.disk().records() {
        if let Fact::NoticeIntended(intended) = &record.fact {
            told.push((intended.notice.notifier.as_str(), intended.notice.message.as_str()));
        }
    }
    told
}

fn verdict(world: &World) -> Option<Verdict> {
    world.disk().records().iter().rev().find_map(|record| match &record.fact {
        Fact::IncidentClosed(closed) => Some(closed.verdict),
        _ => None,
    })
}

#[test]
fn two_people_agree_and_the_database_is_restarted() {
    let mut world = world();
    fire(&mut world);
    let asked = world.approvals();
    assert_eq!((asked.len(), &*asked[0].asked.playbook), (1, "restart-primary-database"));
    let told = messages(&world);
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].0, "sre-chat");
    assert!(told[0].1.starts_with("Restart postgres-primary? Open connections: 97.\nApproval i"), "{}", told[0].1);
    assert!(told[0].1.contains("2 different people of dba, sre-lead"), "{}", told[0].1);
    assert_eq!(vote(&mut world, "ann", "dba", true), VoteAnswer::Counted);
    assert_eq!(vote(&mut world, "ann", "dba", true), VoteAnswer::Repeated);
    assert_eq!(vote(&mut world, "eve", "sre", true), VoteAnswer::NotEligible);
    assert!(world.seen.writes.is_empty());
    assert_eq!(vote(&mut world, "bob", "sre-lead", true), VoteAnswer::Approved);
    pass(&mut world, 120);
    assert_eq!((world.seen.writes.len(), verdict(&world)), (1, Some(Verdict::Recovered)));
}

#[test]
fn nobody_agrees_in_time_and_somebody_is_called() {
    let mut world = world();
    fire(&mut world);
    vote(&mut world, "ann", "dba", true);
    pass(&mut world, 20 * 60);
    assert_eq!((world.seen.writes.len(), verdict(&world)), (0, Some(Verdict::Expired)));
    let last = messages(&world).last().copied();
    assert_eq!(last, Some(("pagerduty", "Nobody approved restarting postgres-primary: expired.")));
}

#[test]
fn one_of_them_says_no_and_somebody_is_called() {
    let mut world = world();
    fire(&mut world);
    vote(&mut world, "ann", "dba", true);
    assert_eq!(vote(&mut world, "bob", "dba", false), VoteAnswer::Denied);
    pass(&mut world, 60);
    assert_eq!((world.seen.writes.len(), verdict(&world)), (0, Some(Verdict::Denied)));
    let last = messages(&world).last().copied();
    assert_eq!(last, Some(("pagerduty", "Nobody approved restarting postgres-primary: denied.")));
}

#[test]
fn nobody_is_asked_at_night() {
    let mut world = world();
    world.happen(&Input::SetWall(10 * 3_600_000));
    fire(&mut world);
    pass(&mut world, 60);
    assert!(world.approvals().is_empty() && messages(&world).is_empty());
    let refused = world.disk().records().iter().any(|record| match &record.fact {
        Fact::Decided(decided) => {
            matches!(&decided.answer, Answer::Refused(refusal) if refusal.reason == Reason::OutsideTimeInterval)
        }
        _ => false,
    });
    assert!(refused);
}
