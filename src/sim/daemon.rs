//! The daemon's dispatcher, as it takes events, decides, and lets out answers and effects once their records are durable.
//!
//! The deciding, the state and the holding back are the daemon's own code; this is the loop around them.

use super::world::{Ack, DeliveryId, Pending, World};
use crate::engine::event::{Event, NewConfig};
use crate::engine::hold::{Held, Hold};
use crate::engine::receipt::Reply;
use crate::engine::ruleset::Ruleset;
use crate::engine::state::State;
use crate::engine::{Decision, decide};
use crate::model::alert::Notification;
use crate::model::fact::{Fact, Record};
use crate::model::id::{ActId, IncidentId};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

/// How often time alone may bring something about.
const TICK_EVERY: Duration = Duration::from_secs(60);

/// How long stopping waits for what is under way.
const DRAIN_MAX: Duration = Duration::from_secs(20);

/// A running daemon.
#[derive(Debug)]
pub struct Daemon {
    pub(super) state: State,
    pub(super) hold: Hold<DeliveryId>,
    /// Events that came of effects at once.
    pub(super) due: VecDeque<Event>,
    /// How many effects are under way for each incident.
    pub(super) under_way: BTreeMap<IncidentId, usize>,
    /// Calls without an answer so far.
    pub(super) calls: BTreeSet<ActId>,
    stopping: Stopping,
}

/// How far a daemon is on its way to the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stopping {
    No,
    /// What was begun may end; then it is down for this long.
    Draining(Duration),
    /// Its last record is made.
    Closing(Duration),
}

impl Daemon {
    /// What it knows.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Whether it takes anything new.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.stopping != Stopping::No
    }

    /// Whether something is under way or held back for an incident.
    #[must_use]
    pub fn awaits(&self, incident: IncidentId) -> bool {
        let held = |held: &Held<DeliveryId>| held.effects.iter().any(|effect| effect.incident() == incident);
        self.under_way.contains_key(&incident) || self.hold.iter().any(held)
    }
}

impl World {
    /// Reads the log and goes on.
    pub(super) fn start_daemon(&mut self) {
        if self.daemon.is_some() {
            return;
        }
        // What was kept for the runs of before is gone with the process.
        let (playbooks, policy) = match self.unread.take() {
            Some(new) => (new.playbooks, new.policy),
            None => (self.ruleset.playbooks.clone(), self.ruleset.policy.clone()),
        };
        self.ruleset = Ruleset::new(playbooks, policy);
        let mut state = State::default();
        self.disk.records().iter().for_each(|record| state.apply(record));
        state.continue_at(self.disk.durable());
        let hold = Hold::new(state.next_seq());
        let (due, under_way, calls) = (VecDeque::new(), BTreeMap::new(), BTreeSet::new());
        self.daemon = Some(Daemon { state, hold, due, under_way, calls, stopping: Stopping::No });
        self.seen.starts += 1;
        self.tell(|| "the daemon starts".to_owned());
        self.later(TICK_EVERY, Pending::Ticked);
        let (version, hostname) = ("sim".to_owned(), "sim".to_owned());
        self.handle(Event::Started { recovered: None, version, hostname, files: Vec::new() }, None);
        self.after_each();
    }

    /// A webhook body reaches the daemon; false if nobody takes it.
    pub fn deliver(&mut self, id: DeliveryId, notification: Notification) -> bool {
        if self.daemon.as_ref().is_none_or(Daemon::is_stopping) {
            return false;
        }
        self.handle(Event::NotificationReceived(notification), Some(id));
        self.after_each();
        true
    }

    /// Settings and playbooks change.
    pub(super) fn reload(&mut self, new: &NewConfig) {
        if self.daemon.as_ref().is_some_and(|daemon| !daemon.is_stopping()) {
            self.handle(Event::Reloaded(Box::new(new.clone())), None);
        } else {
            self.unread = Some(new.clone());
        }
    }

    /// Somebody is at the kill switch, or reloads in vain. A daemon that does not run cannot be asked.
    pub(super) fn switch(&mut self, event: Event) {
        if self.daemon.as_ref().is_some_and(|daemon| !daemon.is_stopping()) {
            self.handle(event, None);
        }
    }

    pub(super) fn reload_in_vain(&mut self) {
        self.switch(Event::ReloadFailed { problem: "rules.yaml:1:1: no".to_owned(), by: None });
    }

    /// One event, and those that come of it at once.
    pub(super) fn handle(&mut self, event: Event, sender: Option<DeliveryId>) {
        self.handle_one(event, sender);
        while let Some(event) = self.daemon.as_mut().and_then(|daemon| daemon.due.pop_front()) {
            self.handle_one(event, None);
        }
    }

    fn handle_one(&mut self, event: Event, sender: Option<DeliveryId>) {
        let (at, now) = (self.clock.stamp(), self.clock.now());
        let Some(daemon) = &mut self.daemon else { return };
        let Decision { facts, effects, reply, ruleset } = decide(&daemon.state, &self.ruleset, event, &at);
        let decides_by = ruleset.as_ref().unwrap_or(&self.ruleset);
        for fact in facts {
            let record = Record { seq: daemon.state.next_seq(), at, fact };
            if let Fact::ConfigLoaded(_) = record.fact {
                let (playbooks, policy) = (decides_by.playbooks.clone(), decides_by.policy.clone());
                self.seen.configs.push((record.seq, NewConfig { playbooks, policy, files: Vec::new(), by: None }));
            }
            daemon.state.apply(&record);
            self.disk.queue(record, now);
        }
        if let Some(ruleset) = ruleset {
            self.ruleset = ruleset;
        }
        let answer = sender.map(|sender| (sender, reply));
        let held = Held { at, before: daemon.state.next_seq(), answer, effects };
        let mut released = Vec::new();
        daemon.hold.push(held, &mut |held| released.push(held));
        released.into_iter().for_each(|held| self.release(held));
    }

    pub(super) fn synced(&mut self) {
        self.disk.end_sync();
        let durable = self.disk.durable();
        let mut released = Vec::new();
        if let Some(daemon) = &mut self.daemon {
            daemon.hold.durable(durable, &mut |held| released.push(held));
        }
        released.into_iter().for_each(|held| self.release(held));
        while let Some(event) = self.daemon.as_mut().and_then(|daemon| daemon.due.pop_front()) {
            self.handle_one(event, None);
        }
    }

    fn release(&mut self, held: Held<DeliveryId>) {
        let Held { at, before, answer, effects } = held;
        match answer {
            Some((id, Reply::Alerts(receipts))) => {
                let (at, durable) = (self.clock.now(), self.disk.durable());
                self.seen.acks.push(Ack { id, receipts, at, before, durable });
            }
            Some((id, Reply::Voted(voted))) => self.vote_answered(id, voted),
            Some((_, Reply::Switched(_) | Reply::Reloaded(_) | Reply::NotReloaded)) | None => {}
        }
        if self.daemon.as_ref().is_some_and(Daemon::is_stopping) {
            return;
        }
        let waited = self.clock.stamp().since(&at);
        effects.into_iter().for_each(|effect| self.begin(effect, waited));
    }

    pub(super) fn ticked(&mut self) {
        self.later(TICK_EVERY, Pending::Ticked);
        self.handle(Event::Ticked, None);
        if let Some(daemon) = &self.daemon {
            self.ruleset.forget_unused(&daemon.state);
        }
    }

    /// An effect's event is there. Looks that end while the daemon stops are dropped: the next start begins them again.
    pub(super) fn returned(&mut self, incident: IncidentId, event: Event) {
        let Some(daemon) = &mut self.daemon else { return };
        if let Some(left) = daemon.under_way.get_mut(&incident) {
            *left -= 1;
            if *left == 0 {
                daemon.under_way.remove(&incident);
            }
        }
        let told = matches!(event, Event::NoticeReturned { .. } | Event::ActionReturned { .. });
        if told || !daemon.is_stopping() {
            self.handle(event, None);
        }
    }

    pub(super) fn stop(&mut self, down: Duration) {
        let Some(daemon) = self.daemon.as_mut().filter(|daemon| !daemon.is_stopping()) else { return };
        daemon.stopping = Stopping::Draining(down);
        self.later(DRAIN_MAX, Pending::StopsNow);
    }

    pub(super) fn stops_now(&mut self) {
        let Some(Daemon { stopping, .. }) = &mut self.daemon else { return };
        if let Stopping::Draining(down) = *stopping {
            *stopping = Stopping::Closing(down);
            self.handle(Event::Stopping, None);
        }
    }

    /// A stop goes on once nothing is under way that changes or tells something, and ends once all is durable.
    pub(super) fn end_stop(&mut self) {
        let Some(daemon) = &self.daemon else { return };
        match daemon.stopping {
            Stopping::No => {}
            Stopping::Draining(_) if daemon.calls.is_empty() => {
                self.stops_now();
                self.after_each();
            }
            Stopping::Draining(_) => {}
            Stopping::Closing(down) if self.disk.durable() == daemon.state.next_seq() => {
                self.crash(super::input::Crash { kept_permille: 1000, down, requests_arrive: true });
            }
            Stopping::Closing(_) => {}
        }
    }
}
