//! Reading settings and playbooks anew while the daemon runs: all of it is taken, or nothing.
//!
//! Whoever asks comes by `POST /-/reload` or SIGHUP; one is served after the other. Everything that can be wrong is found
//! before anything changes. Then the dispatcher takes the new ruleset in one go, and once the record of that is durable,
//! senders, token and log level follow. Read `Reloader::reload` first.

use super::config::{self, Config, ConfigError, Sources};
use super::executor::Outside;
use super::parts;
use super::permits;
use super::web_file::Follower as WebFileFollower;
use crate::alertmanager::Witnesses;
use crate::engine::event::NewConfig;
use crate::engine::ruleset::Changes;
use crate::inbox::Inbox;
use crate::model::permission::Needs;
use crate::settings::Settings;
use crate::telemetry::logging::LevelSwitch;
use crate::web::health::Condition;
use crate::web::reload::{Outcome, Wish};
use crate::web::routes::Site;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::signal::unix::Signal;
use tokio::sync::{mpsc, watch};

/// Who asked, where a signal did: as for a pause.
const BY_SIGNAL: &str = "signal";

/// How many problems are told: a file with more of them is no playbook.
const TOLD_MAX: usize = 500;

/// Reads anew whenever somebody asks.
pub struct Reloader {
    /// Where everything is read from, as at the start.
    pub sources: Sources,
    /// What is in force.
    pub settings: Settings,
    /// The first address it listens on.
    pub listening: Option<SocketAddr>,
    /// The way to the dispatcher.
    pub inbox: Inbox,
    /// Where senders and token are checked.
    pub site: Arc<Site>,
    /// What `web.config_file` says.
    pub web_file: WebFileFollower,
    /// Where messages go, and who is asked whether an alert still fires.
    pub outside: Outside,
    /// How much is logged.
    pub level: LevelSwitch,
    /// What readiness says.
    pub condition: Arc<watch::Sender<Condition>>,
}

impl Reloader {
    /// Serves those who ask, for as long as somebody may.
    pub async fn run(mut self, mut wishes: mpsc::Receiver<Wish>, mut hangups: Signal) {
        loop {
            let wish = tokio::select! {
                Some(wish) = wishes.recv() => Some(wish),
                Some(()) = hangups.recv() => None,
                else => return,
            };
            let (by, answer) = match wish {
                Some(Wish { by, answer }) => (by, Some(answer)),
                None => (BY_SIGNAL.to_owned(), None),
            };
            let outcome = self.reload(by).await;
            tell(&outcome, answer.is_none());
            if let Some(answer) = answer {
                // Whoever asked may have gone; what was done stays done.
                _ = answer.send(outcome);
            }
        }
    }

    /// Takes everything, or nothing.
    async fn reload(&mut self, by: String) -> Outcome {
        let by = Some(by);
        let prepared = match self.prepare().await {
            Ok(prepared) => prepared,
            Err(problems) => return self.rejected(problems, by).await,
        };
        let Prepared { config: Config { settings, playbooks, files }, notifiers, witnesses } = prepared;
        // Those that are new must be there before the first playbook that names them.
        self.outside.notifiers.add(notifiers);
        let policy = settings.policy_at(self.listening);
        let needs = permits::needed(&settings, &playbooks);
        let changes = match self.inbox.reload(NewConfig { playbooks, policy, files, by }).await {
            Ok(changes) => changes,
            Err(unavailable) => return Outcome::Unavailable(unavailable.to_string()),
        };
        self.outside.witnesses.replace_by(&witnesses);
        self.take(settings, &changes, needs);
        Outcome::Reloaded(changes)
    }

    /// Everything that can fail.
    async fn prepare(&self) -> Result<Prepared, Vec<String>> {
        let (sources, before) = (self.sources.clone(), self.settings.clone());
        // Files may be slow, and nothing else waits for them.
        let read = tokio::task::spawn_blocking(move || read(&sources, &before)).await;
        let config = read.unwrap_or_else(|error| Err(vec![format!("reading them failed: {error}")]))?;
        let notifiers = parts::notifiers(&config.settings).map_err(|problem| vec![problem])?;
        let witnesses = parts::alertmanagers(&config.settings, &self.site.metrics).map_err(|problem| vec![problem])?;
        Ok(Prepared { config, notifiers, witnesses })
    }

    /// The rest of what changes: nothing of it can fail.
    fn take(&mut self, settings: Settings, changes: &Changes, needs: Needs) {
        self.site.webhook.change(parts::senders(&settings), settings.webhook.max_body);
        self.site.guard.change(parts::access(&settings));
        self.web_file.take(settings.web.file.clone());
        self.outside.links.change(&settings);
        if let Err(error) = self.level.set(settings.log.level.as_str()) {
            tracing::error!(%error, "the log level stays");
        }
        self.condition.send_modify(|condition| {
            condition.playbooks = Some(changes.playbooks);
            condition.needs = needs;
        });
        self.settings = settings;
    }

    async fn rejected(&self, mut problems: Vec<String>, by: Option<String>) -> Outcome {
        let more = problems.len().saturating_sub(1);
        let first = problems.first().cloned().unwrap_or_default();
        let problem = if more == 0 { first } else { format!("{first} (and {more} more)") };
        if self.inbox.reload_failed(problem, by).await.is_err() {
            tracing::error!("that nothing was reloaded cannot be recorded");
        }
        if TOLD_MAX < problems.len() {
            let untold = problems.len() - TOLD_MAX;
            problems.truncate(TOLD_MAX);
            problems.push(format!("and {untold} more"));
        }
        Outcome::Rejected(problems)
    }
}

/// What a reload takes.
struct Prepared {
    config: Config,
    notifiers: parts::Named,
    witnesses: Witnesses,
}

/// Reads everything as the start does, and finds what only a start may change.
fn read(sources: &Sources, before: &Settings) -> Result<Config, Vec<String>> {
    let told = |error: ConfigError| error.problems;
    let settings = sources.settings().map_err(told)?;
    let mut problems: Vec<String> = before.fixed_but_changed(&settings).iter().map(ToString::to_string).collect();
    match config::playbooks(settings) {
        Ok(config) if problems.is_empty() => Ok(config),
        Ok(_) => Err(problems),
        Err(error) => {
            problems.extend(error.problems);
            Err(problems)
        }
    }
}

/// What became of it, for the daemon's own log. Nobody reads an answer to a signal, so it has all problems there.
fn tell(outcome: &Outcome, by_signal: bool) {
    match outcome {
        Outcome::Reloaded(Changes { playbooks, added, changed, removed }) => {
            let [added, changed, removed] = [added, changed, removed].map(|names| names.join(", "));
            tracing::info!(playbooks, added, changed, removed, "reloaded");
        }
        Outcome::Rejected(problems) => {
            for problem in problems.iter().filter(|_| by_signal) {
                tracing::error!(problem, "not reloaded because of this");
            }
        }
        Outcome::Unavailable(why) => tracing::error!(why, "not reloaded"),
    }
}
