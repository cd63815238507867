//! One simulated container: what it is, how its process behaves, and how it moves from state to state.

use super::clock::SimTime;
use crate::model::container::{
    Container, ContainerState, EventHistory, Health, HealthCheck, Predecessor, RestartPolicy, StopCause, Touch,
    TouchAction,
};
use crate::model::owner;
use crate::model::resources::ResourceLimits;
use crate::model::target::{ContainerId, ContainerName, TargetName};
use chrono::{DateTime, SecondsFormat, Utc};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// How many events the engine remembers of one container.
const EVENTS_MAX: usize = 64;

/// Which events sickbay reads: from so long before the end of the run.
const EVENTS_BEFORE: Duration = Duration::from_secs(120);

/// And until so long after it.
const EVENTS_AFTER: Duration = Duration::from_secs(60);

/// The first pause before the restart policy starts a container again; it doubles up to [`BACKOFF_MAX`].
const BACKOFF_MIN: Duration = Duration::from_millis(100);

/// The longest pause.
const BACKOFF_MAX: Duration = Duration::from_secs(60);

/// A run this long sets the pause back.
const RAN_WELL: Duration = Duration::from_secs(10);

/// How long Docker lets a container stop if nobody says otherwise.
const DEFAULT_GRACE: Duration = Duration::from_secs(10);

/// What Docker writes for a time that never was.
const NEVER: &str = "0001-01-01T00:00:00Z";

/// What a container is made with.
#[derive(Clone, Debug)]
pub struct ContainerSpec {
    /// Its name, as sickbay calls it: on another host than the first, that host's name stands before it.
    pub name: TargetName,
    /// The image name it was created with; `None`: `app` at its digest.
    pub image: Option<String>,
    /// `sha256:…` of its image.
    pub image_id: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// What Docker does when it ends.
    pub restart_policy: RestartPolicy,
    /// `--rm`
    pub auto_remove: bool,
    /// Its own grace.
    pub stop_timeout: Option<Duration>,
    /// Its health check.
    pub health_check: Option<HealthCheck>,
    /// In whose network namespace it lives.
    pub lives_with: Option<TargetName>,
    /// How much memory and CPU it may use.
    pub limits: ResourceLimits,
    /// How much memory its process uses after a start.
    pub memory_in_use: u64,
    /// How its process behaves.
    pub nature: Nature,
}

impl ContainerSpec {
    /// One that behaves well: opted in with `sickbay.enable`, from the image `app` at its digest, without a restart policy,
    /// a health check or limits.
    #[must_use]
    pub fn new(name: &ContainerName) -> Self {
        Self {
            name: TargetName::from(name),
            image: None,
            image_id: "sha256:1".to_owned(),
            labels: [(owner::ENABLE.to_owned(), "true".to_owned())].into(),
            restart_policy: RestartPolicy::No,
            auto_remove: false,
            stop_timeout: None,
            health_check: None,
            lives_with: None,
            limits: ResourceLimits::default(),
            memory_in_use: 0,
            nature: Nature::default(),
        }
    }
}

/// How a container's process behaves.
#[derive(Clone, Debug)]
pub struct Nature {
    /// How long it takes to stop when asked to.
    pub stop_takes: Duration,
    /// How long a start takes.
    pub start_takes: Duration,
    /// The first start lives the first of these lives, and so on; the last one is lived again and again.
    pub lives: Vec<Life>,
}

/// One run of a process.
#[derive(Clone, Copy, Debug, Default)]
pub struct Life {
    /// The start itself fails.
    pub fails_to_start: bool,
    /// It ends by itself after this time, with this exit code.
    pub dies: Option<(Duration, i64)>,
    /// Its health check first passes after this time; `None`: never.
    pub healthy_after: Option<Duration>,
}

/// How a container is found when a story begins, where that is not as its start left it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// Its process ended with this exit code, and Docker has not started it again.
    Died(i64),
    /// A person stopped it.
    Stopped,
    /// A person paused it.
    Paused,
}

impl Default for Nature {
    /// Stops and starts within half a second, and is well after two.
    fn default() -> Self {
        let well = Life { healthy_after: Some(Duration::from_secs(2)), ..Life::default() };
        Self { stop_takes: Duration::from_millis(200), start_takes: Duration::from_millis(300), lives: vec![well] }
    }
}

/// Something that will happen to a container by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Its process ends.
    Dies(i64),
    /// Its restart policy starts it again.
    StartsAgain,
    /// Its health check comes to a verdict.
    Healthy,
    /// Its health check comes to the other verdict.
    Unhealthy,
}

/// A turn that comes after a while.
pub(super) type Later = (Duration, Turn);

/// A container on the simulated engine.
#[derive(Clone, Debug)]
pub struct SimContainer {
    spec: ContainerSpec,
    shown: Container,
    /// How often it was started: turns of an earlier run do not count.
    starts: usize,
    started: SimTime,
    finished: SimTime,
    backoff: Duration,
    memory_in_use: u64,
    /// A person or an API call stopped it.
    stopped_by_hand: bool,
    predecessor: Option<Predecessor>,
    events: VecDeque<(SimTime, DateTime<Utc>, &'static str)>,
}

impl SimContainer {
    /// Created, not started.
    #[must_use]
    pub(super) fn new(
        (id, name): (ContainerId, ContainerName),
        spec: ContainerSpec,
        (network_mode, predecessor): (String, Option<Predecessor>),
        wall: DateTime<Utc>,
    ) -> Self {
        let shown = Container {
            id,
            name,
            image: spec.image.clone().unwrap_or_else(|| format!("app@{}", spec.image_id)),
            image_id: spec.image_id.clone(),
            state: ContainerState::Created,
            health: spec.health_check.map(|_| Health::Starting),
            health_check: spec.health_check,
            created: written(wall),
            started_at: NEVER.to_owned(),
            finished_at: NEVER.to_owned(),
            restart_count: 0,
            exit_code: 0,
            oom_killed: false,
            start_error: String::new(),
            restart_policy: spec.restart_policy,
            auto_remove: spec.auto_remove,
            stop_timeout: spec.stop_timeout,
            network_mode,
            limits: spec.limits,
            labels: spec.labels.clone(),
        };
        let (started, finished) = (SimTime(0), SimTime(0));
        let events = VecDeque::new();
        let (backoff, memory_in_use) = (BACKOFF_MIN, spec.memory_in_use);
        Self {
            spec,
            shown,
            starts: 0,
            started,
            finished,
            backoff,
            memory_in_use,
            stopped_by_hand: false,
            predecessor,
            events,
        }
    }

    /// As inspect shows it.
    #[must_use]
    pub fn shown(&self) -> &Container {
        &self.shown
    }

    /// What it was made with.
    #[must_use]
    pub fn spec(&self) -> &ContainerSpec {
        &self.spec
    }

    /// How often it was started.
    #[must_use]
    pub fn starts(&self) -> usize {
        self.starts
    }

    /// Whether a person or an API call stopped it, and nothing has started it since.
    #[must_use]
    pub fn stopped_by_hand(&self) -> bool {
        self.stopped_by_hand && self.shown.state == ContainerState::Exited
    }

    /// Whether its process exists.
    pub(super) fn is_alive(&self) -> bool {
        matches!(self.shown.state, ContainerState::Running | ContainerState::Paused)
    }

    /// How long a stop takes: until its process ends, or is killed.
    pub(super) fn stop_takes(&self, timeout: Option<Duration>) -> Duration {
        let grace = timeout.or(self.spec.stop_timeout).unwrap_or(DEFAULT_GRACE);
        self.spec.nature.stop_takes.min(grace)
    }

    /// What the engine's history tells about the end of its last run.
    #[must_use]
    pub fn stop_cause(&self) -> StopCause {
        if self.shown.state != ContainerState::Exited {
            return StopCause::NotAsked;
        }
        let ended = self.finished;
        let recent = |at: SimTime| ended.since(at) <= EVENTS_BEFORE && at.since(ended) <= EVENTS_AFTER;
        StopCause::from_events(self.events.iter().filter(|(at, ..)| recent(*at)).map(|(.., action)| *action))
    }

    /// What the engine's history tells about who was at it, by the machine's wall clock.
    #[must_use]
    pub fn history(&self, now: DateTime<Utc>) -> EventHistory {
        let touch = |(_, at, action): &(SimTime, DateTime<Utc>, &str)| {
            Some(Touch { action: TouchAction::parse(action)?, at: *at })
        };
        EventHistory::Known {
            now,
            touches: self.events.iter().filter_map(touch).collect(),
            complete_since: self.events.front().map(|(_, at, _)| *at),
            predecessor: self.predecessor.clone(),
        }
    }

    pub(super) fn forget_events(&mut self) {
        self.events.clear();
    }

    pub(super) fn event(&mut self, now: SimTime, wall: DateTime<Utc>, action: &'static str) {
        if EVENTS_MAX <= self.events.len() {
            self.events.pop_front();
        }
        self.events.push_back((now, wall, action));
    }

    /// Starts it: the lives to come. `by_policy` if nobody asked.
    ///
    /// # Errors
    /// Why it did not start. Its restart policy does not try again then.
    pub(super) fn start(&mut self, now: SimTime, wall: DateTime<Utc>, by_policy: bool) -> Result<Vec<Later>, String> {
        let life = self.spec.nature.lives.get(self.starts).or(self.spec.nature.lives.last()).copied();
        let life = life.unwrap_or_default();
        self.starts += 1;
        self.stopped_by_hand = false;
        if by_policy {
            self.shown.restart_count += 1;
        } else {
            self.shown.restart_count = 0;
            self.backoff = BACKOFF_MIN;
        }
        if life.fails_to_start {
            "port is already allocated".clone_into(&mut self.shown.start_error);
            self.shown.state = if self.starts == 1 { ContainerState::Created } else { ContainerState::Exited };
            self.shown.exit_code = 128;
            return Err(self.shown.start_error.clone());
        }
        self.shown.start_error.clear();
        self.shown.state = ContainerState::Running;
        self.shown.started_at = written(wall);
        self.shown.exit_code = 0;
        self.started = now;
        self.memory_in_use = self.spec.memory_in_use;
        self.event(now, wall, "start");
        let mut later: Vec<Later> =
            life.dies.into_iter().map(|(after, exit_code)| (after, Turn::Dies(exit_code))).collect();
        if let Some(check) = self.spec.health_check {
            self.shown.health = Some(Health::Starting);
            later.push(match life.healthy_after {
                Some(after) => (after, Turn::Healthy),
                None => (check.settles_within(), Turn::Unhealthy),
            });
        }
        Ok(later)
    }

    /// Its process ends without anybody's doing: what its restart policy makes of it.
    pub(super) fn die(&mut self, now: SimTime, wall: DateTime<Utc>, exit_code: i64) -> Option<Later> {
        self.end(now, wall, exit_code);
        let again = match self.spec.restart_policy {
            RestartPolicy::No => false,
            RestartPolicy::OnFailure => exit_code != 0,
            RestartPolicy::Always | RestartPolicy::UnlessStopped => true,
        };
        if !again {
            return None;
        }
        if RAN_WELL <= now.since(self.started) {
            self.backoff = BACKOFF_MIN;
        }
        self.shown.state = ContainerState::Restarting;
        let pause = self.backoff;
        self.backoff = (pause * 2).min(BACKOFF_MAX);
        Some((pause, Turn::StartsAgain))
    }

    /// A call stops it.
    pub(super) fn stop(&mut self, now: SimTime, wall: DateTime<Utc>) {
        if self.is_alive() {
            self.event(now, wall, "kill");
            self.end(now, wall, 143);
        }
        self.shown.state = ContainerState::Exited;
        self.event(now, wall, "stop");
        self.stopped_by_hand = true;
    }

    fn end(&mut self, now: SimTime, wall: DateTime<Utc>, exit_code: i64) {
        self.shown.state = ContainerState::Exited;
        self.shown.exit_code = exit_code;
        self.shown.finished_at = written(wall);
        self.finished = now;
        self.event(now, wall, "die");
    }

    /// The machine lost its power: whether the engine starts it again when it comes up.
    pub(super) fn lose_power(&mut self, now: SimTime, wall: DateTime<Utc>) -> bool {
        let was_up = self.is_alive() || self.shown.state == ContainerState::Restarting;
        if was_up {
            self.end(now, wall, 255);
        }
        self.events.clear();
        match self.spec.restart_policy {
            RestartPolicy::No => false,
            RestartPolicy::OnFailure => was_up,
            RestartPolicy::Always => 0 < self.starts,
            RestartPolicy::UnlessStopped => 0 < self.starts && !self.stopped_by_hand,
        }
    }

    pub(super) fn pause(&mut self, now: SimTime, wall: DateTime<Utc>) -> bool {
        let may = self.shown.state == ContainerState::Running;
        if may {
            self.event(now, wall, "pause");
            self.shown.state = ContainerState::Paused;
        }
        may
    }

    pub(super) fn unpause(&mut self, now: SimTime, wall: DateTime<Utc>) {
        if self.shown.state == ContainerState::Paused {
            self.event(now, wall, "unpause");
            self.shown.state = ContainerState::Running;
        }
    }

    /// It gets other limits; false if they cannot be had.
    pub(super) fn limit(&mut self, now: SimTime, wall: DateTime<Utc>, limits: ResourceLimits) -> bool {
        let swap_suffices = u64::try_from(limits.memory_swap).map_or(true, |swap| limits.memory <= swap);
        if swap_suffices {
            self.event(now, wall, "update");
            self.shown.limits = limits;
        }
        swap_suffices
    }

    /// How much memory its process uses now.
    pub(super) fn memory_in_use(&self) -> u64 {
        self.memory_in_use
    }

    /// Its process uses so much memory from now on.
    pub(super) fn use_memory(&mut self, bytes: u64) {
        self.memory_in_use = bytes;
    }

    /// Whether its process uses more memory than it may: the kernel kills it.
    pub(super) fn lacks_memory(&self) -> bool {
        let limit = self.shown.limits.memory;
        self.is_alive() && limit != 0 && limit < self.memory_in_use
    }

    /// Puts it into a state, whatever its restart policy would say.
    pub(super) fn put(&mut self, found: Found, now: SimTime, wall: DateTime<Utc>) {
        match found {
            Found::Died(exit_code) => self.end(now, wall, exit_code),
            Found::Stopped => self.stop(now, wall),
            Found::Paused => _ = self.pause(now, wall),
        }
    }

    /// Its health check's verdict, as long as it runs.
    pub(super) fn turn(&mut self, health: Health) {
        if self.shown.state == ContainerState::Running && self.spec.health_check.is_some() {
            self.shown.health = Some(health);
        }
    }
}

fn written(wall: DateTime<Utc>) -> String {
    wall.to_rfc3339_opts(SecondsFormat::Nanos, true)
}
