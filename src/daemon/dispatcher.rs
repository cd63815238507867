//! The one owner of all state: takes events one by one, decides, hands the facts to the log, and releases answers and
//! effects once they are durable.
//!
//! It never waits for anything but the next thing to happen. Read [`Dispatcher::run`].

use super::clock::Clock;
use super::executor::Executor;
use super::observe::Observer;
use crate::engine::effect::Effect;
use crate::engine::event::Event;
use crate::engine::hold::{Held, Hold};
use crate::engine::receipt::Reply;
use crate::engine::ruleset::Ruleset;
use crate::engine::snapshot::Snapshot;
use crate::engine::state::State;
use crate::engine::{Decision, decide};
use crate::inbox::Delivery;
use crate::incident_log::{LogClosed, LogWriter};
use crate::model::fact::{Fact, Record};
use crate::model::id::Seq;
use crate::model::pause::PauseScope;
use crate::model::stamp::Stamp;
use crate::telemetry::metrics::Metrics;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Interval, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// Deliveries taken in one go, so that their records share one sync of the disk.
const DELIVERIES_PER_TURN: usize = 64;

/// While this many records wait for the disk, no new delivery is taken: the inbox fills and senders get 503.
const UNSYNCED_MAX: u64 = 20_000;

/// How often readers get a new copy of the state, if it changed.
const SNAPSHOT_EVERY: Duration = Duration::from_millis(250);

/// How often time alone may bring something about.
const TICK_EVERY: Duration = Duration::from_secs(60);

/// How often it is looked whether the time of a pause, or of a question to people, is over.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How long stopping waits for effects to end, and again for the disk.
const DRAIN_MAX: Duration = Duration::from_secs(20);

/// The way to a sender that waits.
type Answer = oneshot::Sender<Reply>;

/// How far the log is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogStatus {
    /// The number after the last durable record.
    pub durable: Seq,
    /// Why the log will never be written again by this process, if so.
    pub poisoned: Option<String>,
}

/// The ends of the queues that lead to the dispatcher.
#[derive(Debug)]
pub struct Incoming {
    /// Notifications.
    pub inbox: mpsc::Receiver<Delivery>,
    /// Results of effects.
    pub results: mpsc::Receiver<Event>,
    /// The log's progress.
    pub log: watch::Receiver<LogStatus>,
    /// The daemon is to stop.
    pub stopping: CancellationToken,
}

/// The incident log can no longer be written: the process must end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the incident log cannot be written any more: {0}; nothing is recorded or done from here on: check the disk, then \
     start sickbay again, and it goes on from what the disk holds"
)]
pub struct LogPoisoned(pub String);

/// The owner of all state.
#[derive(Debug)]
pub struct Dispatcher {
    state: State,
    ruleset: Ruleset,
    clock: Clock,
    log: LogWriter,
    /// `None` once the daemon is stopping.
    executor: Option<Executor>,
    observer: Observer,
    metrics: Arc<Metrics>,
    hold: Hold<Answer>,
    /// Records of this turn, not handed to the log yet: one turn is one batch.
    batch: Vec<Record>,
    /// Batches for which the writer's queue had no place yet, in order.
    backlog: VecDeque<Vec<Record>>,
    /// Events that came of effects without anything outside being asked.
    due: VecDeque<Event>,
    snapshot: watch::Sender<Arc<Snapshot>>,
    changed: bool,
}

/// What a dispatcher is made of.
#[derive(Debug)]
pub struct Parts {
    /// The state that the log replayed to.
    pub state: State,
    /// What decisions are made by.
    pub ruleset: Ruleset,
    /// The time.
    pub clock: Clock,
    /// Where facts go.
    pub log: LogWriter,
    /// What carries out effects.
    pub executor: Executor,
    /// What the daemon counts.
    pub metrics: Arc<Metrics>,
    /// Where copies of the state go.
    pub snapshot: watch::Sender<Arc<Snapshot>>,
}

impl Dispatcher {
    /// Takes over the state.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let Parts { state, ruleset, clock, log, executor, metrics, snapshot } = parts;
        let hold = Hold::new(state.next_seq());
        let observer = Observer::new(Arc::clone(&metrics));
        let executor = Some(executor);
        let (batch, backlog, due) = (Vec::new(), VecDeque::new(), VecDeque::new());
        Self {
            state,
            ruleset,
            clock,
            log,
            executor,
            observer,
            metrics,
            hold,
            batch,
            backlog,
            due,
            snapshot,
            changed: true,
        }
    }

    /// Runs until `stopping`, then until everything taken is decided and durable.
    ///
    /// # Errors
    /// [`LogPoisoned`] at once when the log fails for good; whatever was held is dropped.
    pub async fn run(
        mut self,
        mut incoming: Incoming,
        first: impl IntoIterator<Item = Event>,
    ) -> Result<(), LogPoisoned> {
        self.count_pauses();
        first.into_iter().for_each(|event| self.handle(event, None));
        self.flush();
        let mut deliveries = Vec::with_capacity(DELIVERIES_PER_TURN);
        let (mut ticks, mut copies) = (every(TICK_EVERY), every(SNAPSHOT_EVERY));
        let mut pauses = every(LOOK_EVERY);
        let mut stopping = std::pin::pin!(incoming.stopping.clone().cancelled_owned());
        loop {
            let room = self.has_room();
            tokio::select! {
                biased;
                changed = incoming.log.changed() => {
                    let status = incoming.log.borrow_and_update().clone();
                    self.log_progressed(&status)?;
                    if changed.is_err() {
                        return Err(LogPoisoned("its writer has ended".to_owned()));
                    }
                }
                Some(event) = incoming.results.recv() => self.handle(event, None),
                () = &mut stopping => break,
                taken = incoming.inbox.recv_many(&mut deliveries, DELIVERIES_PER_TURN), if room => {
                    if taken == 0 {
                        break;
                    }
                    // What came together came at one time.
                    let at = self.clock.now();
                    for Delivery { event, ack } in deliveries.drain(..) {
                        self.handle_at(at, event, Some(ack));
                    }
                    self.handle_due();
                    self.metrics.queue_length(incoming.inbox.len());
                }
                _ = ticks.tick() => {
                    self.handle(Event::Ticked, None);
                    self.ruleset.forget_unused(&self.state);
                }
                _ = pauses.tick() => {
                    self.end_what_is_over();
                    // What ends by time alone leaves no record.
                    self.changed |= self.snapshot.borrow().runs_out();
                }
                _ = copies.tick() => self.publish(),
            }
            self.flush();
        }
        self.drain(incoming).await
    }

    /// Stopping: what was taken is decided, what was begun may end, and the last record is made durable. Effects that
    /// come up now are not begun: the next start finds them in the log.
    async fn drain(mut self, mut incoming: Incoming) -> Result<(), LogPoisoned> {
        incoming.inbox.close();
        // Whoever may still report holds a sender of its own: when the last is gone, every effect has ended.
        self.executor = None;
        while let Ok(Delivery { event, ack }) = incoming.inbox.try_recv() {
            self.handle(event, Some(ack));
        }
        self.flush();
        let mut give_up = std::pin::pin!(tokio::time::sleep(DRAIN_MAX));
        let mut reporting = true;
        while reporting {
            tokio::select! {
                _ = incoming.log.changed() => self.log_progressed(&incoming.log.borrow_and_update().clone())?,
                event = incoming.results.recv() => match event {
                    Some(event) => self.handle(event, None),
                    None => reporting = false,
                },
                () = &mut give_up => reporting = false,
            }
            self.flush();
        }
        self.handle(Event::Stopping, None);
        self.flush();
        let mut give_up = std::pin::pin!(tokio::time::sleep(DRAIN_MAX));
        while self.hold.durable_before() < self.state.next_seq() {
            tokio::select! {
                _ = incoming.log.changed() => self.log_progressed(&incoming.log.borrow_and_update().clone())?,
                () = &mut give_up => return Err(LogPoisoned("the last records could not be written in time".to_owned())),
            }
        }
        Ok(())
    }

    fn has_room(&self) -> bool {
        self.backlog.is_empty() && self.state.next_seq().0.saturating_sub(self.hold.durable_before().0) < UNSYNCED_MAX
    }

    fn handle(&mut self, event: Event, ack: Option<Answer>) {
        let at = self.clock.now();
        self.handle_at(at, event, ack);
    }

    fn handle_at(&mut self, at: Stamp, event: Event, ack: Option<Answer>) {
        let known_before = self.state.next_seq();
        let from_outside = matches!(event, Event::NotificationReceived(_));
        let Decision { facts, mut effects, reply, ruleset } = decide(&self.state, &self.ruleset, event, &at);
        if from_outside {
            effects.retain(|effect| !self.asks_again_too_soon(effect, known_before));
        }
        self.changed |= !facts.is_empty();
        let switched = facts.iter().any(is_switch);
        for fact in facts {
            let record = Record { seq: self.state.next_seq(), at, fact };
            self.state.apply(&record);
            self.observer.observe(&record);
            self.batch.push(record);
        }
        if let Some(ruleset) = ruleset {
            // What comes next is decided by the new one, and released only once the record of it is durable.
            self.ruleset = ruleset;
        }
        if switched {
            self.count_pauses();
            // Whoever was at a switch may look at once what stands.
            self.publish();
        }
        if ack.is_none() {
            self.observer.unheard(&reply);
        }
        let answer = ack.map(|ack| (ack, reply));
        let held = Held { at, before: self.state.next_seq(), answer, effects };
        let (executor, due) = (&mut self.executor, &mut self.due);
        self.hold.push(held, &mut |held| release(executor.as_mut(), due, held, &at));
    }

    /// Lets pauses and questions to people end whose time is over: any event does that, and this is one.
    fn end_what_is_over(&mut self) {
        let now = self.state.timeline().moment(&self.clock.now());
        let asked = self.state.waiting_for_people().filter_map(|incident| incident.open_approval());
        let unanswered = asked.filter(|approval| approval.is_pending()).any(|approval| approval.is_surely_over(&now));
        if unanswered || self.state.pauses().over(&now).next().is_some() {
            self.handle(Event::Ticked, None);
        }
    }

    fn count_pauses(&self) {
        for kind in PauseScope::KINDS {
            let of_kind = self.state.pauses().iter().filter(|standing| standing.pause.scope.kind() == kind);
            self.metrics.paused(kind, of_kind.count());
        }
    }

    /// Takes the events that came of effects at once.
    fn handle_due(&mut self) {
        if self.due.is_empty() {
            return;
        }
        let at = self.clock.now();
        while let Some(event) = self.due.pop_front() {
            self.handle_at(at, event, None);
        }
    }

    /// A repeat may ask about a refused incident again, but a storm of repeats must not become a storm of questions.
    fn asks_again_too_soon(&mut self, effect: &Effect, known_before: Seq) -> bool {
        match effect {
            Effect::ResolveTarget { incident, .. } | Effect::SkipTarget { incident } if incident.0 < known_before => {
                self.executor.as_mut().is_some_and(|executor| executor.asked_lately(*incident))
            }
            Effect::ResolveTarget { .. }
            | Effect::SkipTarget { .. }
            | Effect::Capture { .. }
            | Effect::RunAction(_)
            | Effect::Reconcile(_)
            | Effect::Verify { .. }
            | Effect::VerifyService { .. }
            | Effect::Sleep { .. }
            | Effect::AwaitAlert { .. }
            | Effect::AskStep { .. }
            | Effect::SendRequest(_)
            | Effect::SendNotice { .. } => false,
        }
    }

    /// Ends a turn: its records become one batch.
    fn flush(&mut self) {
        if !self.batch.is_empty() {
            self.backlog.push_back(std::mem::take(&mut self.batch));
            self.hand_over();
        }
    }

    /// Gives the writer what it has room for. Once it has ended, its status says so.
    fn hand_over(&mut self) {
        while let Some(records) = self.backlog.pop_front() {
            match self.log.try_reserve() {
                Ok(Some(slot)) => slot.append(records),
                Ok(None) => return self.backlog.push_front(records),
                Err(LogClosed) => return,
            }
        }
    }

    fn log_progressed(&mut self, status: &LogStatus) -> Result<(), LogPoisoned> {
        if let Some(error) = &status.poisoned {
            return Err(LogPoisoned(error.clone()));
        }
        self.hand_over();
        self.changed |= self.hold.durable_before() < status.durable;
        let (executor, due, now) = (&mut self.executor, &mut self.due, self.clock.now());
        self.hold.durable(status.durable, &mut |held| release(executor.as_mut(), due, held, &now));
        self.handle_due();
        Ok(())
    }

    fn publish(&mut self) {
        if !self.changed {
            return;
        }
        self.changed = false;
        let durable = self.hold.durable_before().0.checked_sub(1).map(Seq);
        let now = self.state.timeline().moment(&self.clock.now());
        let snapshot = self.state.snapshot(durable, &self.ruleset, &now);
        self.metrics.brakes(snapshot.breakers.len(), snapshot.storm.is_some());
        self.metrics.approvals_pending(snapshot.approvals.iter().filter(|approval| !approval.approved).count());
        self.metrics.open_episodes(snapshot.open_episodes);
        self.metrics.incidents_open(self.state.open_incidents());
        self.snapshot.send_replace(Arc::new(snapshot));
    }
}

/// Whether somebody was at a switch: a pause, a breaker, or a vote.
fn is_switch(fact: &Fact) -> bool {
    matches!(fact, Fact::PauseSet(_) | Fact::PauseCleared(_) | Fact::BreakerReset(_) | Fact::VoteCast(_))
}

/// Answers the sender and begins the effects. A sender that has gone away is nobody's loss: its alert is durable.
fn release(executor: Option<&mut Executor>, due: &mut VecDeque<Event>, held: Held<Answer>, now: &Stamp) {
    if let Some((ack, reply)) = held.answer {
        _ = ack.send(reply);
    }
    if let Some(executor) = executor {
        let waited = now.since(&held.at);
        due.extend(held.effects.into_iter().filter_map(|effect| executor.start(effect, waited)));
    }
}

fn every(period: Duration) -> Interval {
    let mut interval = interval(period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}
