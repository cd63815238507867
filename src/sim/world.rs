//! One machine with everything on it, and the queue of what is going to happen: the simulation's clockwork.
//!
//! [`World::happen`] and [`World::deliver`] are the ways in, [`World::step`] lets the next thing happen, and [`Seen`] is
//! what was really done, whatever the log says about it.

use super::alertmanager::Api;
use super::clock::{Clock, SimTime, UP_AT_START_MS};
use super::container::{ContainerSpec, Found, Turn};
use super::daemon::Daemon;
use super::disk::Disk;
use super::docker::{Call, CallVerb, Caller, Docker, Instant, Next, Phase, Reply, Turns};
use super::executor::{Asking, Inquiring, Looking, Watching, WatchingService};
use super::input::{Crash, Fate, Input, Touch};
use super::queue::Queue;
use super::service::{ServiceSpec, ServiceTurn, ServiceTurns};
use super::services::{ServiceCall, ServiceChange};
use super::vote::{AnsweredVote, SentBallot};
use crate::engine::event::{Event, NewConfig};
use crate::engine::receipt::AlertReceipt;
use crate::engine::ruleset::Ruleset;
use crate::model::action::{Action, ActionOutcome, TargetIdent};
use crate::model::id::{ActId, IncidentId, Seq};
use crate::model::label::Fingerprint;
use crate::model::request::Request;
use crate::model::target::{ContainerId, SwarmId, TargetName};
use chrono::{DateTime, Utc};
use std::collections::VecDeque;
use std::time::Duration;

/// How long one sync of the disk takes.
const SYNC_TAKES: Duration = Duration::from_millis(3);

/// How long the daemon takes to be there after the machine came up.
const STARTS_AFTER_BOOT: Duration = Duration::from_secs(2);

/// A simulated machine.
#[derive(Debug)]
pub struct World {
    /// What decisions are made by.
    pub ruleset: Ruleset,
    /// What was really done.
    pub seen: Seen,
    pub(super) clock: Clock,
    pub(super) docker: Docker,
    pub(super) disk: Disk,
    pub(super) weather: Weather,
    /// Alertmanager's API, if the daemon may ask it.
    pub(super) api: Option<Api>,
    pub(super) queue: Queue<Pending>,
    pub(super) daemon: Option<Daemon>,
    pub(super) has_power: bool,
    /// The daemon is killed as soon as there are so many records.
    armed: Option<(usize, Crash)>,
    /// Settings and playbooks that nobody has read yet.
    pub(super) unread: Option<NewConfig>,
    /// What to tell whoever reads the story; `None` if nobody does.
    pub(super) story: Option<Vec<(SimTime, String)>>,
}

/// One delivery of a notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeliveryId(pub u64);

/// What was really done, in the order of its time.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Calls of the daemon that change something.
    pub writes: Vec<Write>,
    /// Deliveries that were answered.
    pub acks: Vec<Ack>,
    /// Changes of what services are to be, whoever made them.
    pub service_changes: Vec<ServiceChange>,
    /// Messages that were sent.
    pub notices: Vec<SentNotice>,
    /// Ballots that reached the daemon.
    pub ballots: Vec<SentBallot>,
    /// Votes that were answered.
    pub votes: Vec<AnsweredVote>,
    /// Requests to other systems that were sent.
    pub requests: Vec<SentRequest>,
    /// How often the daemon was started.
    pub starts: usize,
    /// What each `config.loaded` loaded, by its number. One that was lost in a crash may stand before its successor.
    pub configs: Vec<(Seq, NewConfig)>,
}

/// A call of the daemon that changes something.
#[derive(Clone, Debug)]
pub struct Write {
    /// Whose.
    pub act: ActId,
    /// On what.
    pub target: TargetIdent,
    /// What.
    pub action: Action,
    /// When it was sent.
    pub sent: SimTime,
    /// How far the log was durable then.
    pub durable: Seq,
    /// What was to become of it.
    pub fate: Fate,
    /// When Docker had done it.
    pub done: Option<SimTime>,
}

/// An answered delivery.
#[derive(Clone, Debug)]
pub struct Ack {
    /// Which.
    pub id: DeliveryId,
    /// What the sender was told.
    pub receipts: Vec<AlertReceipt>,
    /// When.
    pub at: SimTime,
    /// All records before this number tell about it.
    pub before: Seq,
    /// How far the log was durable then.
    pub durable: Seq,
}

/// A request that left.
#[derive(Clone, Debug)]
pub struct SentRequest {
    /// Which.
    pub act: ActId,
    /// What.
    pub request: Request,
    /// When.
    pub sent: SimTime,
    /// How far the log was durable then.
    pub durable: Seq,
}

/// A message that left.
#[derive(Clone, Copy, Debug)]
pub struct SentNotice {
    /// Which.
    pub act: ActId,
    /// How far the log was durable then.
    pub durable: Seq,
}

/// What is wrong with the world for a while.
#[derive(Clone, Debug, Default)]
pub(super) struct Weather {
    pub(super) docker_away: SimTime,
    pub(super) docker_blocked: SimTime,
    pub(super) docker_slow: (SimTime, Duration),
    pub(super) disk_stalled: SimTime,
    pub(super) notices_lost: SimTime,
    /// Until when other systems answer otherwise, and how.
    pub(super) requests: (SimTime, Option<u16>),
    pub(super) fates: VecDeque<Fate>,
}

/// Something that is going to happen.
#[derive(Clone, Debug)]
pub(super) enum Pending {
    /// The disk has done what it was at.
    Synced,
    /// A minute is over for the daemon.
    Ticked,
    /// A question reaches Docker.
    Asked(Asking),
    /// Alertmanager answers, or does not, whether an alert fires.
    Inquired(Box<Inquiring>),
    /// An effect's event reaches the daemon.
    Returned(IncidentId, Event),
    /// A call's answer, or the end of waiting for it, reaches the daemon.
    CallEnds(ActId, ActionOutcome),
    /// A verify step looks at its containers.
    Watched(Box<Watching>),
    /// A verify step looks at its service.
    WatchedService(Box<WatchingService>),
    /// Somebody looks what became of an action.
    Looked(Box<Looking>),
    /// The daemon no longer waits for what is under way.
    StopsNow,
    /// A call is a phase further.
    Call(Call, Phase),
    /// A call that changes a service arrives.
    ServiceCall(ServiceCall),
    /// A service does something by itself.
    ServiceTurn(SwarmId, ServiceTurn),
    /// A container does something by itself.
    Turn(ContainerId, usize, Turn),
    /// The daemon starts.
    Starts,
    /// The machine comes up, and its engine starts these.
    Boots(Vec<ContainerId>),
}

impl Pending {
    /// Whether it ends with the daemon's process.
    fn dies_with_the_daemon(&self, requests_arrive: bool) -> bool {
        match self {
            Self::Synced
            | Self::Ticked
            | Self::Asked(_)
            | Self::Inquired(_)
            | Self::Returned(..)
            | Self::CallEnds(..)
            | Self::Watched(_)
            | Self::WatchedService(_)
            | Self::Looked(_)
            | Self::StopsNow => true,
            Self::Call(call, Phase::Arrived) => matches!(call.by, Caller::Daemon(_)) && !requests_arrive,
            Self::ServiceCall(call) => matches!(call.by, Caller::Daemon(_)) && !requests_arrive,
            Self::ServiceTurn(..) | Self::Call(..) | Self::Turn(..) | Self::Starts | Self::Boots(_) => false,
        }
    }
}

impl World {
    /// A machine that runs these containers, started in this order, and a daemon with an empty log.
    #[must_use]
    pub fn new(ruleset: Ruleset, containers: Vec<ContainerSpec>) -> Self {
        let mut world = Self::empty(ruleset, Clock::default());
        for spec in containers {
            world.create(spec, true);
        }
        world.start_daemon();
        world
    }

    /// A machine whose wall clock shows this time, without containers, and a daemon with an empty log.
    #[must_use]
    pub fn beginning_at(wall: DateTime<Utc>, ruleset: Ruleset) -> Self {
        let mut world = Self::empty(ruleset, Clock::beginning_at(wall));
        world.start_daemon();
        world
    }

    fn empty(ruleset: Ruleset, clock: Clock) -> Self {
        Self {
            ruleset,
            seen: Seen::default(),
            clock,
            docker: Docker::default(),
            disk: Disk::default(),
            weather: Weather::default(),
            api: None,
            queue: Queue::new(),
            daemon: None,
            has_power: true,
            armed: None,
            unread: None,
            story: None,
        }
    }

    /// A container that is older than the story, started now or never.
    pub fn create(&mut self, spec: ContainerSpec, started: bool) {
        let (at, mut turns) = (self.instant(), Turns::new());
        if let Some(id) = self.docker.create(spec, at.wall - chrono::TimeDelta::days(2))
            && started
        {
            self.docker.start_now(&id, at, &mut turns);
        }
        self.put(turns);
    }

    /// Starts a container, as it comes up with its world: no call, nobody's doing.
    pub fn start(&mut self, name: &TargetName) {
        let (at, mut turns) = (self.instant(), Turns::new());
        if let Some(id) = self.docker.by_name(name.as_str()).map(|known| known.shown().id.clone()) {
            self.docker.start_now(&id, at, &mut turns);
        }
        self.put(turns);
    }

    /// Puts a container into a state, as it is found when a story begins: no call, nobody's restart policy.
    pub fn find(&mut self, name: &TargetName, found: Found) {
        let at = self.instant();
        if let Some(id) = self.docker.by_name(name.as_str()).map(|known| known.shown().id.clone()) {
            self.docker.put(&id, found, at);
        }
    }

    /// Swarm services that have been running for long.
    pub fn add_services(&mut self, services: Vec<ServiceSpec>) {
        let at = self.instant();
        for spec in services {
            let turns = self.docker.create_service(spec, at, at.wall - chrono::TimeDelta::days(2));
            self.put_service_turns(turns);
        }
    }

    /// True time.
    #[must_use]
    pub fn now(&self) -> SimTime {
        self.clock.now()
    }

    /// The machine's clocks.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The engine.
    #[must_use]
    pub fn docker(&self) -> &Docker {
        &self.docker
    }

    /// The incident log.
    #[must_use]
    pub fn disk(&self) -> &Disk {
        &self.disk
    }

    /// Alertmanager's API, if the daemon may ask it.
    #[must_use]
    pub fn api(&self) -> Option<&Api> {
        self.api.as_ref()
    }

    /// From here on, the daemon asks Alertmanager's API, which lists these alerts and no others.
    pub fn list_alerts(&mut self, firing: impl IntoIterator<Item = Fingerprint>) {
        let now = self.clock.now();
        self.api.get_or_insert_default().list(firing, now);
    }

    /// The daemon, while it runs.
    #[must_use]
    pub fn daemon(&self) -> Option<&Daemon> {
        self.daemon.as_ref()
    }

    /// From here on, what happens is written down for a reader.
    pub fn tell_the_story(&mut self) {
        self.story.get_or_insert_default();
    }

    /// What happened, if it was written down.
    #[must_use]
    pub fn story(&self) -> &[(SimTime, String)] {
        self.story.as_deref().unwrap_or_default()
    }

    pub(super) fn tell(&mut self, words: impl FnOnce() -> String) {
        let now = self.clock.now();
        if let Some(story) = &mut self.story {
            story.push((now, words()));
        }
    }

    pub(super) fn instant(&self) -> Instant {
        Instant { now: self.clock.now(), wall: self.clock.wall() }
    }

    pub(super) fn later(&mut self, after: Duration, what: Pending) {
        let at = self.clock.now().after(after);
        self.queue.push(at, what);
    }

    pub(super) fn put(&mut self, turns: Turns) {
        for (id, starts, (after, turn)) in turns {
            self.later(after, Pending::Turn(id, starts, turn));
        }
    }

    /// Lets the next thing happen, if it is due by `until`. If nothing is, the clock goes on to `until`.
    pub fn step(&mut self, until: SimTime) -> bool {
        if self.queue.next_at().is_none_or(|next| until < next) {
            self.clock.advance_to(until);
            return false;
        }
        if let Some((at, what)) = self.queue.pop() {
            self.clock.advance_to(at);
            self.take(what);
            self.after_each();
        }
        true
    }

    /// Lets everything happen until `until`.
    pub fn run_until(&mut self, until: SimTime) {
        while self.step(until) {}
    }

    fn take(&mut self, what: Pending) {
        match what {
            Pending::Synced => self.synced(),
            Pending::Ticked => self.ticked(),
            Pending::Asked(asking) => self.ask(asking),
            Pending::Inquired(inquiring) => self.inquire(*inquiring),
            Pending::Returned(incident, event) => self.returned(incident, event),
            Pending::CallEnds(act, outcome) => self.call_ended(act, outcome),
            Pending::Watched(watching) => self.watch(watching),
            Pending::WatchedService(watching) => self.watch_service(watching),
            Pending::ServiceCall(call) => self.change_service(&call),
            Pending::ServiceTurn(id, turn) => self.turn_service(&id, turn),
            Pending::Looked(looking) => self.look(looking),
            Pending::StopsNow => self.stops_now(),
            Pending::Call(call, phase) => self.carry_on(call, phase),
            Pending::Turn(id, starts, turn) => {
                let (at, mut turns) = (self.instant(), Turns::new());
                self.docker.turn((&id, starts, turn), at, &mut turns);
                self.put(turns);
            }
            Pending::Starts => self.start_daemon(),
            Pending::Boots(again) => self.boot(again),
        }
    }

    /// What follows from any step: a sync of what was queued, a crash that was waiting, the end of a stop.
    pub(super) fn after_each(&mut self) {
        if self.daemon.is_some() && self.disk.begin_sync() {
            let stalled = self.weather.disk_stalled.since(self.clock.now());
            self.later(SYNC_TAKES.max(stalled), Pending::Synced);
        }
        if let Some((records, crash)) = self.armed
            && records <= self.disk.records().len()
        {
            self.armed = None;
            self.crash(crash);
        }
        self.end_stop();
    }

    fn carry_on(&mut self, call: Call, phase: Phase) {
        let (at, mut turns) = (self.instant(), Turns::new());
        let next = self.docker.carry_on(&call, phase, at, &mut turns);
        self.put(turns);
        match next {
            Next::Wait(after, phase) => self.later(after, Pending::Call(call, phase)),
            Next::Over(reply) => {
                if let Caller::Daemon(write) = call.by {
                    self.call_replied(write, &reply);
                }
            }
        }
    }

    /// Something happens from outside.
    pub fn happen(&mut self, input: &Input) {
        self.tell(|| input.to_string());
        let now = self.clock.now();
        match input {
            Input::Crash(crash) => self.crash(*crash),
            Input::CrashAfter(records, crash) => {
                let records = usize::try_from(*records).unwrap_or(usize::MAX);
                self.armed = Some((self.disk.records().len().saturating_add(records), *crash));
            }
            Input::Stop(down) => self.stop(*down),
            Input::Reboot(crash) => self.lose_power(*crash),
            Input::SetWall(by_ms) => self.clock.set_wall_by(*by_ms),
            Input::Suspend(span) => {
                self.clock.advance_to(now.after(*span));
                self.queue.postpone(*span);
            }
            Input::StallDisk(span) => self.weather.disk_stalled = now.after(*span),
            Input::LoseDocker(span) => self.weather.docker_away = now.after(*span),
            Input::BlockDocker(span) => self.weather.docker_blocked = now.after(*span),
            Input::SlowDocker { by, lasts } => self.weather.docker_slow = (now.after(*lasts), *by),
            Input::ForgetHistory => self.docker.forget_history(),
            Input::NextWrite(fate) => self.weather.fates.push_back(*fate),
            Input::LoseNotices(span) => self.weather.notices_lost = now.after(*span),
            Input::AnswerRequests { status, lasts } => self.weather.requests = (now.after(*lasts), *status),
            Input::LoseAlertmanager(_) | Input::SlowAlertmanager { .. } | Input::RestartAlertmanager(_) => {
                self.befall_alertmanager(input);
            }
            Input::Pause(pause) => self.switch(Event::PauseRequested(pause.clone())),
            Input::Resume(scope) => {
                let (by, reason) = ("somebody".to_owned(), "enough".to_owned());
                self.switch(Event::ResumeRequested { scope: scope.clone(), by, reason });
            }
            Input::Vote(vote) => self.vote(vote),
            Input::Abort => self.abort_the_oldest(),
            Input::ResetBreaker(target) => {
                let (by, reason) = ("somebody".to_owned(), "looked at".to_owned());
                self.switch(Event::BreakerResetRequested { target: target.as_str().into(), by, reason });
            }
            Input::Reload(new) => self.reload(new),
            Input::ReloadInVain => self.reload_in_vain(),
            Input::Touch(name, touch) => self.touch(name, touch),
            Input::TouchService(name, touch) => self.touch_service(name, touch),
        }
        self.after_each();
    }

    fn befall_alertmanager(&mut self, input: &Input) {
        let now = self.clock.now();
        let Some(api) = &mut self.api else { return };
        if let Input::LoseAlertmanager(span) = input {
            api.lose(now.after(*span));
        } else if let Input::SlowAlertmanager { by, lasts } = input {
            api.slow_down(*by, now.after(*lasts));
        } else if let Input::RestartAlertmanager(down) = input {
            api.restart(now.after(*down));
        }
    }

    /// The weather clears: from here on, nothing goes wrong but what is under way.
    pub fn calm(&mut self) {
        self.weather = Weather::default();
        self.armed = None;
        if let Some(api) = &mut self.api {
            api.calm();
        }
    }

    fn touch(&mut self, name: &TargetName, touch: &Touch) {
        let Some(id) = self.docker.by_name(name.as_str()).map(|found| found.shown().id.clone()) else {
            // Whoever deploys brings it, also if it is gone.
            if let (Touch::Recreate(spec), true) = (touch, self.has_power)
                && let Some(id) = self.docker.create((**spec).clone(), self.clock.wall())
            {
                let (at, mut turns) = (self.instant(), Turns::new());
                self.docker.start_now(&id, at, &mut turns);
                self.put(turns);
            }
            return;
        };
        if !self.has_power {
            return;
        }
        let verb = match touch {
            Touch::Stop => Some(CallVerb::Stop(None)),
            Touch::Start => Some(CallVerb::Start),
            Touch::Restart => Some(CallVerb::Restart(None)),
            Touch::Pause | Touch::Unpause | Touch::Remove | Touch::Recreate(_) | Touch::Die(_) => None,
            Touch::Sicken | Touch::Recover | Touch::Limit { .. } | Touch::UseMemory(_) => None,
        };
        if let Some(verb) = verb {
            self.later(Duration::ZERO, Pending::Call(Call { id, verb, by: Caller::Person }, Phase::Arrived));
            return;
        }
        let (at, mut turns) = (self.instant(), Turns::new());
        self.docker.touch(&id, touch, at, &mut turns);
        self.put(turns);
    }

    pub(super) fn crash(&mut self, crash: Crash) {
        if self.daemon.take().is_none() {
            return;
        }
        self.tell(|| "the daemon is dead".to_owned());
        self.disk.crash(crash.kept_permille);
        self.queue.retain(|what| !what.dies_with_the_daemon(crash.requests_arrive));
        self.later(crash.down, Pending::Starts);
    }

    fn lose_power(&mut self, crash: Crash) {
        if !self.has_power {
            return;
        }
        self.crash(crash);
        self.queue.retain(|_| false);
        self.has_power = false;
        let at = self.instant();
        let again = self.docker.lose_power(at);
        // A machine is not up for longer than it has had power again.
        let down = crash.down.max(Duration::from_millis(UP_AT_START_MS));
        self.later(down, Pending::Boots(again));
    }

    fn boot(&mut self, again: Vec<ContainerId>) {
        self.clock.boot();
        self.has_power = true;
        self.tell(|| "the machine comes up".to_owned());
        let (at, mut turns) = (self.instant(), Turns::new());
        for id in again {
            self.docker.start_now(&id, at, &mut turns);
        }
        self.put(turns);
        let mut turns = ServiceTurns::new();
        self.docker.boot_services(at, &mut turns);
        self.put_service_turns(turns);
        self.later(STARTS_AFTER_BOOT, Pending::Starts);
    }

    /// What an engine's answer to a call of the daemon tells it, if it still waits.
    pub(super) fn call_replied(&mut self, write: usize, reply: &Reply) {
        let now = self.clock.now();
        let Some(write) = self.seen.writes.get_mut(write) else { return };
        if matches!(reply, Reply::Done) {
            write.done = Some(now);
        }
        let write = write.clone();
        self.tell(|| format!("Docker is through with {} on {}: {reply:?}", write.act, write.target.name));
        self.answer(&write, reply);
    }
}
