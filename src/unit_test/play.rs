//! A test on a simulated machine: its containers are brought up, its timeline happens, and at each expectation the world
//! is looked at.
//!
//! The machine runs for a while before the test begins, so that containers and sickbay are older than the first alert.
//! Whoever sends notifications here delivers again what was not acknowledged, as Alertmanager does.

use super::calls;
use super::compare::{self, Failure};
use super::definition::{Happening, Placed, PlacedService, Sent, Stock, Test, TestFile, Timed};
use super::observe::Observer;
use crate::engine::ruleset::Ruleset;
use crate::model::alert::{Alert, AlertStatus, Notification};
use crate::model::fact::Record;
use crate::model::label::{Fingerprint, Labels};
use crate::model::target::TargetName;
use crate::sim::clock::SimTime;
use crate::sim::input::Input;
use crate::sim::service::ServiceTouch;
use crate::sim::vote::{SimVote, VoteOn};
use crate::sim::world::{DeliveryId, World};
use chrono::TimeDelta;
use std::collections::BTreeMap;
use std::time::Duration;

/// How long the machine runs before anything that a test speaks of.
const LEAD: Duration = Duration::from_secs(3600);

/// After so long without an answer, a notification is delivered again.
const AGAIN_AFTER: Duration = Duration::from_secs(10);

/// How often at most.
const DELIVERIES_MAX: u32 = 30;

/// How a test went.
#[derive(Clone, Debug)]
pub struct Played {
    /// What was not as expected; none: the test passed.
    pub failures: Vec<Failure>,
    /// All records, each with its time after the start in milliseconds.
    pub records: Vec<(i64, Record)>,
    /// What happened from outside, in words, with its time.
    pub happened: Vec<(i64, String)>,
}

/// Plays a test.
#[must_use]
pub fn play(file: &TestFile, test: &Test) -> Played {
    let stock = &test.stock;
    let since = stock.containers.iter().map(|placed| placed.since);
    let longest = since.chain(stock.services.iter().map(|service| service.since)).max().unwrap_or_default();
    let lead = LEAD + longest;
    let began = test.start - TimeDelta::from_std(lead).unwrap_or_default();
    let ruleset = Ruleset::new(file.playbooks.clone(), file.policy.clone());
    let mut world = World::beginning_at(began, ruleset);
    if test.asks_alertmanager {
        world.list_alerts([]);
    }
    bring_up(&mut world, stock, lead);
    world.run_until(SimTime(0).after(lead));
    world.tell_the_story();
    let start = world.now();
    let mut stage = Stage { world, start, sender: Sender::default(), asks_alertmanager: test.asks_alertmanager };
    let failures = stage.perform(test);
    stage.told(failures)
}

/// Something of the stock that is put into its state before the test begins.
#[derive(Clone, Copy)]
enum Coming<'s> {
    Container(&'s Placed),
    Deployment(&'s PlacedService),
}

impl Coming<'_> {
    fn since(self) -> Duration {
        match self {
            Self::Container(placed) => placed.since,
            Self::Deployment(service) => service.since,
        }
    }
}

/// Creates the containers and services, starts each container as long before the start as it is to be old, and puts all
/// into their states.
fn bring_up(world: &mut World, stock: &Stock, lead: Duration) {
    for placed in &stock.containers {
        world.create(placed.spec.clone(), false);
    }
    let at_first = stock.services.iter().map(|service| {
        let mut spec = service.spec.clone();
        if let Some(previous) = &service.previous {
            spec.definition.image.clone_from(previous);
        }
        spec
    });
    world.add_services(at_first.collect());
    for (service, image, since) in &stock.images_before {
        world.script_image_before(service.clone(), image.clone(), lead.saturating_sub(*since));
    }
    for (service, lives) in &stock.replicas {
        world.script_replicas(service.clone(), lives.clone());
    }
    // What is not found running was started at first, long before.
    for placed in stock.containers.iter().filter(|placed| placed.started && placed.found.is_some()) {
        world.start(&placed.spec.name);
    }
    let containers = stock.containers.iter().filter(|placed| placed.started).map(Coming::Container);
    let deployed = stock.services.iter().filter(|service| service.previous.is_some()).map(Coming::Deployment);
    let mut by_age: Vec<Coming<'_>> = containers.chain(deployed).collect();
    by_age.sort_by_key(|coming| std::cmp::Reverse(coming.since()));
    for coming in by_age {
        world.run_until(SimTime(0).after(lead.saturating_sub(coming.since())));
        match coming {
            Coming::Container(Placed { found: Some(found), spec, .. }) => world.find(&spec.name, *found),
            Coming::Container(placed) => world.start(&placed.spec.name),
            Coming::Deployment(PlacedService { spec, .. }) => {
                let touch = ServiceTouch::Deploy(spec.definition.image.clone());
                world.happen(&Input::TouchService(TargetName::from(&spec.name), touch));
            }
        }
    }
}

/// The world with its sender of notifications.
struct Stage {
    world: World,
    start: SimTime,
    sender: Sender,
    asks_alertmanager: bool,
}

/// The Alertmanager of a test: what fires, since when, and what was not acknowledged yet.
#[derive(Default)]
struct Sender {
    firing: BTreeMap<Fingerprint, i64>,
    listed: BTreeMap<Fingerprint, ()>,
    deliveries: u64,
    outstanding: Vec<Outstanding>,
}

/// A notification that has not been acknowledged.
struct Outstanding {
    id: DeliveryId,
    next: SimTime,
    tries: u32,
    notification: Notification,
}

impl Stage {
    fn perform(&mut self, test: &Test) -> Vec<Failure> {
        let mut failures = Vec::new();
        let mut coming = test.timeline.iter().peekable();
        let mut since = SimTime(self.start.0.saturating_sub(1));
        for expectation in &test.expectations {
            while let Some(timed) = coming.next_if(|timed| timed.at <= expectation.at) {
                self.go_on_until(self.start.after(timed.at));
                failures.extend(self.happen(timed));
            }
            let now = self.start.after(expectation.at);
            self.go_on_until(now);
            let observer = Observer::new(&self.world, since);
            for expected in &expectation.aspects {
                failures.extend(compare::list(expectation.at, expected, observer.list(expected.aspect)));
            }
            since = now;
        }
        for timed in coming {
            self.go_on_until(self.start.after(timed.at));
            failures.extend(self.happen(timed));
        }
        self.go_on_until(self.start.after(test.end()));
        if let Some(expected) = &test.docker_calls {
            failures.extend(compare::calls(expected, calls::sent(&self.world)));
        }
        failures
    }

    /// Lets everything happen until a time, deliveries that have to be repeated among it.
    fn go_on_until(&mut self, until: SimTime) {
        loop {
            self.sender.outstanding.retain(|one| self.world.seen.acks.iter().all(|ack| ack.id != one.id));
            let due = self.sender.outstanding.iter().map(|one| one.next).min().filter(|next| *next <= until);
            let Some(due) = due else { break };
            self.world.run_until(due);
            let mut outstanding = std::mem::take(&mut self.sender.outstanding);
            for one in outstanding.iter_mut().filter(|one| one.next <= due) {
                if self.world.seen.acks.iter().any(|ack| ack.id == one.id) {
                    continue;
                }
                self.world.deliver(one.id, one.notification.clone());
                one.tries += 1;
                one.next = due.after(AGAIN_AFTER);
            }
            outstanding.retain(|one| one.tries < DELIVERIES_MAX);
            self.sender.outstanding = outstanding;
        }
        self.world.run_until(until);
    }

    /// Lets one input happen; a failure if nothing could come of it.
    fn happen(&mut self, timed: &Timed) -> Option<Failure> {
        match &timed.what {
            Happening::World(input) => {
                if let Input::Vote(vote) = &**input {
                    return self.answer(vote).err().map(|words| compare::in_vain(timed.at, timed.line, words));
                }
                self.world.happen(input);
            }
            Happening::Notification(sent) => self.send(sent),
            Happening::Forgotten(alerts) => {
                for labels in alerts {
                    self.sender.listed.remove(&labels.fingerprint());
                }
                self.list_alerts();
            }
        }
        None
    }

    /// Somebody answers what is asked, or what was asked last. An answer that is lost would show nothing, so it fails.
    fn answer(&mut self, vote: &SimVote) -> Result<(), &'static str> {
        if self.world.daemon().is_none() {
            return Err("sickbay does not run at this time: it cannot be told");
        }
        let late = SimVote { on: VoteOn::Newest, ..vote.clone() };
        let vote = if vote.on == VoteOn::Oldest && !self.world.is_asked(vote) { late } else { vote.clone() };
        if !self.world.is_asked(&vote) {
            return Err("nobody has been asked anything that this would answer");
        }
        self.world.happen(&Input::Vote(vote));
        Ok(())
    }

    fn list_alerts(&mut self) {
        if self.asks_alertmanager {
            self.world.list_alerts(self.sender.listed.keys().copied());
        }
    }

    fn send(&mut self, sent: &Sent) {
        let now_ms = self.ms(self.world.now());
        let mut alerts = Vec::new();
        for labels in &sent.firing {
            let fingerprint = labels.fingerprint();
            let known = self.sender.firing.get(&fingerprint).copied();
            let starts_ms = sent.starts_ms.or(known).unwrap_or(now_ms);
            self.sender.firing.insert(fingerprint, starts_ms);
            self.sender.listed.insert(fingerprint, ());
            alerts.push(self.alert((labels, &sent.annotations), AlertStatus::Firing, (starts_ms, None)));
        }
        for labels in &sent.resolved {
            let fingerprint = labels.fingerprint();
            let starts_ms = self.sender.firing.remove(&fingerprint).unwrap_or(now_ms);
            self.sender.listed.remove(&fingerprint);
            alerts.push(self.alert((labels, &sent.annotations), AlertStatus::Resolved, (starts_ms, Some(now_ms))));
        }
        self.list_alerts();
        let group = alerts.first().map(|alert| alert.labels.value("alertname").to_owned()).unwrap_or_default();
        let notification = Notification {
            sender: "test".into(),
            receiver_name: "sickbay".into(),
            group_key: format!("{{}}:{{alertname={group:?}}}").into(),
            truncated_alerts: sent.truncated,
            alerts,
            rejected: Vec::new(),
        };
        self.sender.deliveries += 1;
        let id = DeliveryId(self.sender.deliveries);
        self.world.deliver(id, notification.clone());
        let next = self.world.now().after(AGAIN_AFTER);
        self.sender.outstanding.push(Outstanding { id, next, tries: 1, notification });
    }

    fn alert(
        &self,
        (labels, annotations): (&Labels, &Labels),
        status: AlertStatus,
        (starts_ms, ends_ms): (i64, Option<i64>),
    ) -> Alert {
        let start = self.world.clock().true_wall(self.start);
        let at = |ms: i64| start + TimeDelta::milliseconds(ms);
        Alert {
            fingerprint: labels.fingerprint(),
            status,
            labels: labels.clone(),
            annotations: annotations.clone(),
            starts_at: Some(at(starts_ms)),
            ends_at: ends_ms.map(at),
            generator_url: "".into(),
        }
    }

    /// A time after the start, in milliseconds.
    fn ms(&self, time: SimTime) -> i64 {
        let ms = |time: SimTime| i64::try_from(time.0).unwrap_or(i64::MAX);
        ms(time) - ms(self.start)
    }

    fn told(self, failures: Vec<Failure>) -> Played {
        let disk = self.world.disk();
        let records = disk.records().iter().enumerate();
        let records = records.map(|(place, record)| (self.ms(disk.made(place)), record.clone())).collect();
        let happened = self.world.story().iter().map(|(at, words)| (self.ms(*at), words.clone())).collect();
        Played { failures, records, happened }
    }
}
