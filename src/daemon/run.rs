//! The wiring: the caller binds the sockets and decides when to stop; everything else is put together here.
//!
//! Order of stopping: HTTP, then what was taken is decided, then actions get their grace, then the last record.

use super::clock::Clock;
use super::config::{Config, Sources};
use super::dispatcher::{Dispatcher, Incoming, LogPoisoned, LogStatus, Parts};
use super::executor::Executor;
use super::hosts::Hosts;
use super::parts::{self, VERSION};
use super::permits::{self, Permits};
use super::probe::probe;
use super::reload::Reloader;
use super::slack::answer_clicks;
use super::switches::Switches;
use super::tasks::Tasks;
use super::web_file::Follower as WebFileFollower;
use crate::docker::watch_events;
use crate::engine::event::Event;
use crate::engine::ruleset::Ruleset;
use crate::engine::snapshot::Snapshot;
use crate::engine::state::State;
use crate::inbox::Inbox;
use crate::incident_log::{self, LogEvent, LogWriter, OpenError};
use crate::model::id::Seq;
use crate::notifier::SlackAnswers;
use crate::playbook::index::Playbooks;
use crate::receiver::handler::{Webhook, WebhookLimits};
use crate::settings::Settings;
use crate::telemetry::logging::LevelSwitch;
use crate::telemetry::metrics::Metrics;
use crate::web::events::Streams;
use crate::web::guard::Guard;
use crate::web::health::{Condition, DockerCondition, LogCondition, Phase, Readiness};
use crate::web::incidents::Stories;
use crate::web::listener::Listener;
use crate::web::reload::{WISHES_LEN_MAX, Wish};
use crate::web::routes::{Mode, Site, router};
use crate::web::server::{ServerLimits, serve};
use crate::web::slack::{ANSWERS_LEN_MAX, Answer, Desk};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

/// How many results of effects may wait for the dispatcher.
const RESULTS_LEN_MAX: usize = 1024;

/// How long senders that are being answered get, after the log has failed.
const LAST_ANSWERS: Duration = Duration::from_millis(500);

/// What the daemon runs with.
#[derive(Debug)]
pub struct Daemon {
    /// Settings and playbooks.
    pub config: Config,
    /// Where they came from, for a reload.
    pub sources: Sources,
    /// How much is logged, for a reload.
    pub level: LevelSwitch,
    /// Bound sockets.
    pub listeners: Vec<Listener>,
    /// The time.
    pub clock: Clock,
}

/// Why the daemon ended, other than by being told to.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A notifier cannot be made, or the first Docker host is another one than the log's.
    #[error("{0}")]
    Settings(String),
    /// The incident log cannot be opened.
    #[error(transparent)]
    Log(#[from] OpenError),
    /// The incident log failed while running.
    #[error(transparent)]
    Poisoned(#[from] LogPoisoned),
    /// The system gave no thread.
    #[error("the incident log's thread cannot be started: {0}")]
    Thread(std::io::Error),
    /// The system does not pass on signals.
    #[error("the signals that pause, resume and reload cannot be listened to: {0}")]
    Signals(std::io::Error),
    /// One of our own tasks panicked.
    #[error("an internal task failed; the log above says where. Start sickbay again: it goes on from its incident log")]
    Broken,
}

/// Runs until `stopping` is cancelled.
///
/// # Errors
/// [`RunError`] if it cannot start, or must end. Each says what to do.
pub async fn run(daemon: Daemon, stopping: CancellationToken) -> Result<(), RunError> {
    let Daemon { config, sources, level, listeners, clock } = daemon;
    let Config { settings, playbooks, files } = config;
    let switches = Switches::listen(&settings.storage_path).map_err(RunError::Signals)?;
    let hangups = signal(SignalKind::hangup()).map_err(RunError::Signals)?;
    let metrics = parts::metrics(seconds(&clock));
    let outside = parts::outside(&settings, &metrics).map_err(RunError::Settings)?;
    let hosts = parts::hosts(&settings, &metrics).map_err(RunError::Settings)?;
    let permits = Permits::all(&settings, &metrics).map_err(RunError::Settings)?;
    let condition = loaded(&settings, &playbooks, (&metrics, &clock));
    let broken = CancellationToken::new();
    let tasks = Tasks::new(stopping.clone(), broken.clone());
    let (snapshot, snapshots) = watch::channel(Arc::new(Snapshot::default()));
    let (inbox, deliveries) = Inbox::new(snapshots);
    let (reloads, wishes) = mpsc::channel(WISHES_LEN_MAX);
    let (web_stopping, listening) = (CancellationToken::new(), bound(&listeners));
    let site = site(&settings, (&clock, listening), (inbox.clone(), reloads, clicks(&tasks)?), (&metrics, &condition));
    let (web, web_file) = web(listeners, (&site, &settings), (&tasks, &web_stopping));
    listen_to((&hosts, permits), &tasks, (&metrics, &clock, &condition));

    let mut state = State::default();
    let opened = match incident_log::open(&settings.storage_path, |record| state.apply(&record)) {
        Ok(opened) => opened,
        Err(error @ OpenError::Damaged(_)) => {
            drop((deliveries, wishes));
            safe_mode(&error, &condition, web, (web_stopping, stopping)).await;
            return Err(error.into());
        }
        Err(error) => return Err(error.into()),
    };
    continue_with(&mut state, opened.next_seq(), &settings)?;
    let (recovered, log_name) = (opened.recovered().cloned(), opened.log_id().to_string());
    let (writer, log) = write_log(opened, state.next_seq(), (&metrics, &condition, &clock))?;

    let (results, returned) = mpsc::channel(RESULTS_LEN_MAX);
    let file_read = switches.watch(&tasks, results.clone()).await;
    let executor = Executor::new(hosts, outside.clone(), results, tasks.clone(), log_name);
    let ruleset = Ruleset::new(playbooks, settings.policy_at(listening));
    let told = Arc::clone(&condition);
    let reloader = Reloader { sources, listening, settings, inbox, site, web_file, outside, level, condition: told };
    tasks.watch("reload", reloader.run(wishes, hangups));
    let dispatcher = Dispatcher::new(Parts { state, ruleset, clock, log: writer, executor, metrics, snapshot });
    let incoming = Incoming { inbox: deliveries, results: returned, log, stopping: stopping.clone() };
    let started = Event::Started { recovered, version: VERSION.to_owned(), hostname: hostname(), files };

    let mut web = std::pin::pin!(web);
    let mut dispatching = std::pin::pin!(dispatcher.run(incoming, [started, file_read]));
    let outcome = tokio::select! {
        () = &mut web => Ok(()),
        outcome = &mut dispatching => outcome.map_err(RunError::from),
        () = broken.cancelled() => Err(RunError::Broken),
        () = stopping.cancelled() => {
            tracing::info!("stopping: no new notification is taken, actions under way may end");
            condition.send_modify(|condition| condition.phase = Phase::Stopping);
            web_stopping.cancel();
            let ((), outcome) = tokio::join!(web, dispatching);
            return outcome.map_err(RunError::from);
        }
    };
    web_stopping.cancel();
    last_answers(web).await;
    outcome
}

/// Serves the pages, and follows the files that say who comes in and over which TLS.
fn web(
    listeners: Vec<Listener>,
    (site, settings): (&Arc<Site>, &Settings),
    (tasks, stopping): (&Tasks, &CancellationToken),
) -> (impl Future<Output = ()> + use<>, WebFileFollower) {
    let file = settings.web.file.clone();
    let follower = WebFileFollower::new(file, Arc::clone(&site.front), Arc::clone(&site.metrics));
    tasks.watch("web file", follower.clone().follow());
    let routed = (router(Arc::clone(site)), Arc::clone(&site.front));
    (serve(listeners, routed, ServerLimits::default(), stopping.clone()), follower)
}

/// Hears each Docker's events, and asks it now and then whether it is there, and what it lets us do.
fn listen_to(
    (hosts, permits): (&Hosts, Vec<Permits>),
    tasks: &Tasks,
    (metrics, clock, condition): (&Arc<Metrics>, &Clock, &Arc<watch::Sender<Condition>>),
) {
    for (host, permits) in hosts.iter().zip(permits) {
        tasks.watch("docker events", watch_events(host.reader().clone()));
        let told = (Arc::clone(metrics), clock.clone());
        tasks.watch("probe", probe((host.clone(), permits), told, Arc::clone(condition)));
    }
}

/// Takes what is to be posted to Slack about clicks.
fn clicks(tasks: &Tasks) -> Result<mpsc::Sender<Answer>, RunError> {
    let (answers, clicks) = mpsc::channel(ANSWERS_LEN_MAX);
    tasks.watch("slack", answer_clicks(SlackAnswers::new().map_err(RunError::Settings)?, clicks));
    Ok(answers)
}

/// What records say of targets without a host must go on to mean the same Docker.
fn continue_with(state: &mut State, next: Seq, settings: &Settings) -> Result<(), RunError> {
    // Records of kinds this version does not know count all the same.
    state.continue_at(next);
    let Some(first) = settings.docker.hosts.first() else { return Ok(()) };
    state.accepts_first_host(&first.name, first.renamed_from.as_deref()).map_err(RunError::Settings)
}

/// The first address that is listened on.
fn bound(listeners: &[Listener]) -> Option<SocketAddr> {
    listeners.iter().find_map(|listener| match listener {
        Listener::Tcp(listener) => listener.local_addr().ok(),
        Listener::Unix(_) => None,
    })
}

/// Settings and so many playbooks are there; nothing else is known yet, and no Docker was asked.
fn loaded(
    settings: &Settings,
    playbooks: &Playbooks,
    (metrics, clock): (&Metrics, &Clock),
) -> Arc<watch::Sender<Condition>> {
    let needs = permits::needed(settings, playbooks);
    let count = playbooks.iter().count();
    metrics.config_loaded(count, seconds(clock));
    let docker = settings.docker.hosts.iter().map(|host| (host.name.clone(), DockerCondition::Unasked)).collect();
    let condition = Condition { playbooks: Some(count), needs, docker, ..Condition::default() };
    Arc::new(watch::channel(condition).0)
}

/// Senders that are still waiting get their 503 before the process ends.
async fn last_answers(web: impl Future<Output = ()>) {
    tokio::select! {
        () = web => {}
        () = tokio::time::sleep(LAST_ANSWERS) => {}
    }
}

/// Starts the log's writer, and follows how far it is.
fn write_log(
    opened: incident_log::OpenedLog,
    durable: Seq,
    (metrics, condition, clock): (&Arc<Metrics>, &Arc<watch::Sender<Condition>>, &Clock),
) -> Result<(LogWriter, watch::Receiver<LogStatus>), RunError> {
    let (status, log) = watch::channel(LogStatus { durable, ..LogStatus::default() });
    let (metrics, condition) = (Arc::clone(metrics), Arc::clone(condition));
    let follower = Follower { status, metrics, condition: Arc::clone(&condition), clock: clock.clone() };
    let writer = LogWriter::start(opened, move |event| follower.follow(event)).map_err(RunError::Thread)?;
    condition.send_modify(|condition| condition.log = LogCondition::Writable);
    Ok((writer, log))
}

fn site(
    settings: &Settings,
    (clock, listening): (&Clock, Option<SocketAddr>),
    (inbox, reloads, answers): (Inbox, mpsc::Sender<Wish>, mpsc::Sender<Answer>),
    (metrics, condition): (&Arc<Metrics>, &watch::Sender<Condition>),
) -> Arc<Site> {
    let limits = WebhookLimits { max_body: settings.webhook.max_body, ..WebhookLimits::default() };
    let now = clock.clone();
    let wall: crate::receiver::handler::Clock = Arc::new(move || now.now().wall);
    Arc::new(Site {
        webhook: Webhook::new(inbox.clone(), parts::senders(settings), limits, Arc::clone(&wall)),
        inbox,
        front: Arc::default(),
        guard: Guard::new(parts::access(settings)),
        reloads,
        readiness: Readiness::new(condition.subscribe()),
        metrics: Arc::clone(metrics),
        slack: Desk { clock: Arc::clone(&wall), answers },
        stories: Stories::new(settings.storage_path.clone(), wall),
        streams: Streams::default(),
        version: VERSION.to_owned(),
        mode: if settings.dry_run { Mode::DryRun } else { Mode::Live },
        url: settings.web.url(listening),
        root: settings.web.root(),
        started: Instant::now(),
    })
}

/// A log that cannot be trusted: pages and metrics are served, notifications get 503, and nothing is done.
async fn safe_mode(
    error: &OpenError,
    condition: &watch::Sender<Condition>,
    web: impl Future<Output = ()>,
    (web_stopping, stopping): (CancellationToken, CancellationToken),
) {
    let reason = error.to_string();
    tracing::error!(reason, "safe mode: notifications are answered with 503 and nothing is done");
    condition.send_modify(|condition| condition.log = LogCondition::Unwritable { reason });
    tokio::select! {
        () = web => {}
        () = stopping.cancelled() => web_stopping.cancel(),
    }
}

/// Passes on what the log's writer reports. Runs on the writer's thread, so it never waits.
struct Follower {
    status: watch::Sender<LogStatus>,
    metrics: Arc<Metrics>,
    condition: Arc<watch::Sender<Condition>>,
    clock: Clock,
}

impl Follower {
    fn follow(&self, event: LogEvent) {
        let condition = |log| self.condition.send_modify(|condition| condition.log = log);
        match event {
            LogEvent::Durable { last, head, size, took: _ } => {
                let durable = last.next();
                let before = self.status.borrow().durable;
                self.metrics.log_written(durable.0.saturating_sub(before.0), seconds(&self.clock));
                self.metrics.log_position(last.0, head.as_bytes(), size);
                self.status.send_modify(|status| status.durable = durable);
                self.condition.send_if_modified(|condition| {
                    condition.log_head = Some(head.to_string());
                    false
                });
            }
            LogEvent::Stalled { error } => {
                tracing::error!(
                    error,
                    "the incident log cannot be written: notifications get 503 and nothing is done until it can. \
                     Make room on the disk; it is tried again every second"
                );
                self.metrics.log_write_failed();
                self.metrics.log_stalled(true);
                condition(LogCondition::Unwritable { reason: error });
            }
            LogEvent::Resumed => {
                tracing::info!("the incident log can be written again");
                self.metrics.log_stalled(false);
                condition(LogCondition::Writable);
            }
            LogEvent::Poisoned { error } => {
                self.metrics.log_write_failed();
                self.metrics.log_poisoned(true);
                condition(LogCondition::Unwritable { reason: error.clone() });
                self.status.send_modify(|status| status.poisoned = Some(error));
            }
        }
    }
}

/// The machine's name, for the record.
fn hostname() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

#[expect(clippy::cast_precision_loss, reason = "a gauge of seconds")]
fn seconds(clock: &Clock) -> f64 {
    clock.now().wall.timestamp_millis() as f64 / 1000.0
}
