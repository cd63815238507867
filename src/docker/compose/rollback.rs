//! Taking a Compose service back to the image before, one replica after the other.
//!
//! The one of the other image is made while the present one still runs; only then is that stopped, put aside under another
//! name, and replaced. It is removed when the other one is well, and put back if it does not get well. Each call is sent
//! once; one without an answer is looked after. Whatever cannot be put right is said, with the commands that do. Read
//! [`roll_back`].

use super::copy::Copy;
use super::creation::{Created, create};
use super::look::{WayBack, way_back};
use super::replacement::{Becomes, replacement};
use super::scale::{CALL_WITHIN, DEFAULT_GRACE, LOOK_EVERY, LOOK_FOR, is_of, is_open};
use crate::docker::client::{Reader, Writer};
use crate::docker::convert::text;
use crate::docker::error::DockerError;
use crate::docker::service;
use crate::docker::service::compose::{Replica, replicas};
use crate::docker::verify::verify;
use crate::model::action::{Action, ActionOutcome, Goal, TargetIdent, TargetVitals, UNTIL_WELL};
use crate::model::container::{COMPOSE_CONFIG_HASH, Container, ContainerState};
use crate::model::docker_call::DockerCall;
use crate::model::fact::StepResult;
use crate::model::id::ActId;
use crate::model::step::{VerifySpec, Watched};
use crate::model::target::{ComposeService, ContainerId, ContainerName, TargetId};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::Instant;

/// What is to be done.
#[derive(Clone, Copy, Debug)]
pub(in crate::docker) struct Back<'a> {
    /// Which service.
    pub(in crate::docker) service: &'a ComposeService,
    /// By which act: what it makes carries its name.
    pub(in crate::docker) act: ActId,
    /// From which image to which, by ID.
    pub(in crate::docker) from_to: (&'a str, &'a str),
    /// The definition on which it was decided, as Compose's hash, and how many replicas there were.
    pub(in crate::docker) decided: (&'a str, u32),
}

/// Why it goes no further.
enum Stop {
    /// Everything is as it was before the replica's turn.
    Failed(String),
    /// Something is not as it was, or may yet change.
    Unknown(String),
}

/// Takes a Compose service back.
pub(in crate::docker) async fn roll_back(writer: &Writer, order: Back<'_>, deadline: Duration) -> ActionOutcome {
    let mut work = Work { writer, order, deadline: Instant::now() + deadline, done: Vec::new(), begun: false };
    match work.run().await {
        Ok(()) => {
            let id = TargetId::Compose(order.service.clone());
            let post = service::look(writer.reader(), &id).await.ok();
            ActionOutcome::Succeeded { post: post.as_ref().map(TargetVitals::from) }
        }
        Err(Stop::Failed(error)) if !work.begun => ActionOutcome::Failed { error: format!("not sent: {error}") },
        Err(Stop::Failed(error)) if work.done.is_empty() => ActionOutcome::Failed { error },
        Err(Stop::Failed(error)) => {
            let done = names(&work.done);
            ActionOutcome::Unknown { error: format!("{error}; {done} had been taken back before and stay so") }
        }
        Err(Stop::Unknown(error)) => {
            tracing::error!(act.id = %order.act, error, "a rollback has left a service in an unclear state");
            ActionOutcome::Unknown { error }
        }
    }
}

/// What an act that broke off has left behind, and the commands that put it right; empty if it has left nothing.
pub(in crate::docker) async fn left_behind(
    reader: &Reader,
    service: &ComposeService,
    act: ActId,
) -> Result<String, DockerError> {
    let all = replicas(reader, service).await?;
    let known: Vec<(String, bool)> =
        all.iter().map(|replica| (replica.container.name.to_string(), is_up(&replica.container))).collect();
    let (aside, waiting) = (format!("_before-{act}"), format!("_after-{act}"));
    let of = |name: &str| name.strip_suffix(&aside).or(name.strip_suffix(&waiting)).map(str::to_owned);
    let bases: BTreeSet<String> = known.iter().filter_map(|(name, _)| of(name)).collect();
    let told =
        bases.iter().map(|base| what_to_do(base, (&format!("{base}{aside}"), &format!("{base}{waiting}")), &known));
    Ok(told.collect::<Vec<_>>().join(". "))
}

/// How one replica is put right whose turn broke off, by the containers that there are and whether they are up.
fn what_to_do(name: &str, (aside, waiting): (&str, &str), known: &[(String, bool)]) -> String {
    let find = |wanted: &str| known.iter().find(|(known, _)| known == wanted).map(|(_, up)| *up);
    match (find(aside), find(waiting)) {
        (None, _) => {
            let start = if find(name) == Some(false) { format!("; docker start {name}") } else { String::new() };
            format!("{waiting} was made and not used: docker rm -f -v {waiting}{start}")
        }
        (Some(_), Some(_)) => format!("{aside} was put aside: {}", how_to_put_back(name, aside, waiting)),
        (Some(_), None) if find(name) == Some(true) => format!(
            "{aside} was put aside, and {name} runs in its place. If that is well: docker rm {aside}. If not: {}",
            how_to_put_back(name, aside, name)
        ),
        (Some(_), None) => format!("{aside} was put aside: {}", how_to_put_back(name, aside, name)),
    }
}

/// The commands, of which the first removes the other one.
fn how_to_put_back(name: &str, aside: &str, other: &str) -> String {
    format!("docker rm -f {other}; docker rename {aside} {name}; docker start {name}")
}

fn names(names: &[ContainerName]) -> String {
    names.iter().map(ContainerName::as_str).collect::<Vec<_>>().join(", ")
}

/// One act, under way.
struct Work<'a> {
    writer: &'a Writer,
    order: Back<'a>,
    deadline: Instant,
    /// Whose place others have taken.
    done: Vec<ContainerName>,
    /// Whether anything was sent.
    begun: bool,
}

/// One replica whose turn it is, with the names that are used in it.
struct Turn<'a> {
    old: &'a Container,
    /// What the old one is called while it is kept.
    aside: ContainerName,
    /// What the new one is called until the old one has made room.
    waiting: ContainerName,
}

impl Work<'_> {
    async fn run(&mut self) -> Result<(), Stop> {
        let all = self.replicas().await?;
        self.as_decided(&all)?;
        let way = way_back(self.reader(), self.order.service, &all).await;
        let way = way.map_err(|error| Stop::Failed(error.to_string()))?.map_err(|(_, words)| Stop::Failed(words))?;
        let (from, to) = self.order.from_to;
        if way.before.image_id != to || all.iter().any(|replica| replica.container.image_id != from) {
            return Err(Stop::Failed("somebody has deployed another image since".to_owned()));
        }
        for replica in &all {
            self.undisturbed(&all).await?;
            self.replace(replica, &way).await?;
            self.done.push(replica.container.name.clone());
        }
        Ok(())
    }

    fn reader(&self) -> &Reader {
        self.writer.reader()
    }

    async fn replicas(&self) -> Result<Vec<Replica>, Stop> {
        let found = replicas(self.reader(), self.order.service).await;
        found.map_err(|error| Stop::Failed(format!("the replicas cannot be looked at: {error}")))
    }

    fn as_decided(&self, all: &[Replica]) -> Result<(), Stop> {
        let (template, count) = self.order.decided;
        let as_decided =
            |replica: &Replica| replica.container.labels.get(COMPOSE_CONFIG_HASH).is_some_and(|hash| hash == template);
        if u32::try_from(all.len()) != Ok(count) || !all.iter().all(as_decided) {
            return Err(Stop::Failed("somebody has scaled it or deployed another definition since".to_owned()));
        }
        Ok(())
    }

    /// Whether there is time left, and what is not done yet is as it was: otherwise somebody else is at it.
    async fn undisturbed(&self, all: &[Replica]) -> Result<(), Stop> {
        if self.left().is_zero() {
            return Err(Stop::Failed("it took longer than it may".to_owned()));
        }
        let now = self.replicas().await?;
        let to_do = all.iter().skip(self.done.len());
        let are_there = to_do.clone().all(|one| now.iter().any(|other| other.container.id == one.container.id));
        let ours = now.iter().filter(|replica| is_of(&replica.container, self.order.act)).count();
        if !are_there || ours != self.done.len() || now.len() != all.len() {
            return Err(Stop::Failed("somebody else scales or deploys".to_owned()));
        }
        Ok(())
    }

    fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// One replica's turn, with everything as it was if it fails.
    async fn replace(&mut self, replica: &Replica, way: &WayBack) -> Result<(), Stop> {
        let old = &replica.container;
        let act = self.order.act;
        let name = |text: String| ContainerName::parse(&text).map_err(|bad| Stop::Failed(bad.to_string()));
        let turn = Turn {
            old,
            aside: name(format!("{}_before-{act}", old.name))?,
            waiting: name(format!("{}_after-{act}", old.name))?,
        };
        let becomes = Becomes { from: &way.image, image_id: &way.before.image_id, config_hash: &way.config_hash, act };
        let made = replacement((old, &replica.json), &becomes);
        let made = made.ok_or_else(|| Stop::Failed(format!("docker does not show what {} is made of", old.name)))?;
        let new = self.create(&turn, &made).await?;
        let failed = match self.exchange(&turn, &new, &made).await {
            Ok(()) => return self.remove_old(&turn).await,
            Err(error) => error,
        };
        self.put_back(&turn, &new, failed).await
    }

    /// Everything from the new one's creation to its being well.
    async fn exchange(&self, turn: &Turn<'_>, new: &ContainerId, made: &Copy) -> Result<(), Stop> {
        let name = &turn.old.name;
        let seen =
            self.reader().inspect(new).await.map_err(|error| Stop::Failed(format!("{}: {error}", turn.waiting)))?;
        if seen.image_id != self.order.from_to.1 {
            return Err(Stop::Failed(format!("{name} would run another image, {}", seen.image_id)));
        }
        for (network, endpoint) in &made.networks {
            self.connect((new, &turn.waiting), (network, endpoint)).await?;
        }
        self.stop(turn.old).await?;
        self.rename((&turn.old.id, name), &turn.aside).await?;
        self.rename((new, &turn.waiting), name).await?;
        self.start(new, name).await?;
        self.watch(new).await
    }

    async fn create(&mut self, turn: &Turn<'_>, made: &Copy) -> Result<ContainerId, Stop> {
        let prepared = self.writer.prepare().await.map_err(|error| Stop::Failed(error.to_string()))?;
        self.begun = true;
        let (name, whose) = (&turn.waiting, (self.order.service, self.order.act));
        // A replica's turn that has begun is brought to an end, however late it is.
        let deadline = Instant::now() + CALL_WITHIN + LOOK_FOR;
        match create((self.reader(), prepared), whose, (name, &made.body), deadline).await {
            Created::Is(id) => Ok(id),
            Created::NameTaken(words) | Created::Not(words) => Err(Stop::Failed(words)),
            Created::Open(words) => Err(Stop::Unknown(format!("{words}. It may be created yet: then remove it"))),
            Created::Unseen(words) => Err(Stop::Unknown(words)),
        }
    }

    async fn connect(
        &self,
        (id, name): (&ContainerId, &ContainerName),
        (network, endpoint): (&str, &Value),
    ) -> Result<(), Stop> {
        let prepared = self.writer.prepare().await.map_err(|error| not_sent(&error))?;
        let path = format!("/networks/{network}/connect");
        let body = json!({"Container": id.as_str(), "EndpointConfig": endpoint});
        let Err(error) = prepared.post(DockerCall::Connect, &path, &body, CALL_WITHIN).await else { return Ok(()) };
        let seen = self.reader().inspect_fully(id, CALL_WITHIN).await;
        let is_connected = |json: &Value| {
            let networks = json.pointer("/NetworkSettings/Networks").and_then(Value::as_object);
            networks.is_some_and(|all| all.values().any(|seen| text(seen, "/NetworkID") == network))
        };
        match seen {
            Ok(seen) if is_open(&error) && is_connected(&seen.json) => Ok(()),
            Ok(_) | Err(_) => Err(Stop::Failed(format!("{name} was not connected to the network {network}: {error}"))),
        }
    }

    /// Stops one with its own grace. What is stopped already stays so.
    async fn stop(&self, one: &Container) -> Result<(), Stop> {
        let grace = one.stop_timeout.unwrap_or(DEFAULT_GRACE).saturating_add(CALL_WITHIN);
        let prepared = self.writer.prepare().await.map_err(|error| not_sent(&error))?;
        let stop = Action::Stop { stop_timeout: None };
        let Err(error) = prepared.send(&one.id, &stop, grace).await else { return Ok(()) };
        let stopped = self.comes_about(&error, &one.id, |seen| !is_up(seen)).await;
        stopped.map_err(|()| open_or_failed(&error, format!("{} was not stopped: {error}", one.name)))
    }

    async fn rename(&self, (id, from): (&ContainerId, &ContainerName), to: &ContainerName) -> Result<(), Stop> {
        let prepared = self.writer.prepare().await.map_err(|error| not_sent(&error))?;
        let Err(error) = prepared.rename(id, to, CALL_WITHIN).await else { return Ok(()) };
        let renamed = self.comes_about(&error, id, |seen| seen.name == *to).await;
        renamed.map_err(|()| open_or_failed(&error, format!("{from} was not renamed to {to}: {error}")))
    }

    async fn start(&self, id: &ContainerId, name: &ContainerName) -> Result<(), Stop> {
        let prepared = self.writer.prepare().await.map_err(|error| not_sent(&error))?;
        let Err(error) = prepared.send(id, &Action::Start, CALL_WITHIN).await else { return Ok(()) };
        let started = self.comes_about(&error, id, is_up).await;
        // Where it goes, its start goes with it.
        started.map_err(|()| Stop::Failed(format!("{name} did not start: {error}")))
    }

    /// Whether what a call without a clear answer was to do has come about, looked for a while.
    async fn comes_about(
        &self,
        error: &DockerError,
        id: &ContainerId,
        is_so: impl Fn(&Container) -> bool,
    ) -> Result<(), ()> {
        let until = Instant::now() + LOOK_FOR;
        while is_open(error) {
            if self.reader().inspect(id).await.is_ok_and(|seen| is_so(&seen)) {
                return Ok(());
            }
            if !matches!(error, DockerError::OutcomeUnknown(_)) || until <= Instant::now() {
                return Err(());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Err(())
    }

    /// Watches the new one until it is well and stays so.
    async fn watch(&self, id: &ContainerId) -> Result<(), Stop> {
        let seen = self.reader().inspect(id).await.map_err(|error| not_sent(&error))?;
        let watched = Watched { target: TargetIdent::from(&seen), before: None, goal: Goal::Up, limits: None };
        let nobody = |_url: String| async { Err("nobody asks".to_owned()) };
        let settles = seen.health_check.map_or(Duration::ZERO, |check| check.settles_within());
        let spec = VerifySpec { within: Some(settles + UNTIL_WELL), ..VerifySpec::default() };
        match verify(self.reader(), (&[watched], &spec, None), Duration::ZERO, nobody).await {
            StepResult::Verified(_) => Ok(()),
            StepResult::NotVerified(words) | StepResult::Failed(words) => Err(Stop::Failed(words)),
            other @ (StepResult::Captured(_)
            | StepResult::Waited
            | StepResult::Notified
            | StepResult::Skipped
            | StepResult::NotNeeded(_)
            | StepResult::Approved(_)
            | StepResult::ConditionFalse(_)
            | StepResult::Paused(_)) => Err(Stop::Failed(format!("it was not watched: {other:?}"))),
        }
    }

    /// The old one is no longer needed. Its volumes stay: the new one has them.
    async fn remove_old(&self, turn: &Turn<'_>) -> Result<(), Stop> {
        let aside = &turn.aside;
        self.remove(&turn.old.id, (false, false)).await.map_err(|error| {
            let words = format!("{} runs the image before, and {aside} was not removed: {error}", turn.old.name);
            Stop::Unknown(format!("{words}. Remove it: docker rm {aside}"))
        })
    }

    /// The new one goes, and the old one is what it was: under its name, and up if it was.
    async fn put_back(&self, turn: &Turn<'_>, new: &ContainerId, stop: Stop) -> Result<(), Stop> {
        let name = &turn.old.name;
        match (self.undo(turn, new).await, stop) {
            (Ok(()), Stop::Failed(error)) => Err(Stop::Failed(format!("{error}; {name} was put back as it was"))),
            (Ok(()), Stop::Unknown(error)) => {
                let words = "was put back as it was, unless docker still does what it did not answer";
                Err(Stop::Unknown(format!("{error}; {name} {words}")))
            }
            (Err(Stop::Failed(undone) | Stop::Unknown(undone)), Stop::Failed(error) | Stop::Unknown(error)) => {
                // What is left and what to do about it is found by looking, once nothing is under way any more.
                let words = format!("{error}; and {name} could not be put back, and may be down: {undone}");
                Err(Stop::Unknown(words))
            }
        }
    }

    async fn undo(&self, turn: &Turn<'_>, new: &ContainerId) -> Result<(), Stop> {
        let name = &turn.old.name;
        // Only what it made itself goes with it: volumes that it was given are named in it.
        let removed = self.remove(new, (true, true)).await;
        removed.map_err(|error| Stop::Failed(format!("the new one was not removed: {error}")))?;
        let old = self.reader().inspect(&turn.old.id).await.map_err(|error| not_sent(&error))?;
        if old.name != *name {
            self.rename((&old.id, &old.name), name).await?;
        }
        if is_up(turn.old) && !is_up(&old) {
            self.start(&old.id, name).await?;
        }
        Ok(())
    }

    /// Removes a container, and waits until it is gone if Docker does not say so.
    async fn remove(&self, id: &ContainerId, how: (bool, bool)) -> Result<(), DockerError> {
        let Err(error) = self.writer.prepare().await?.remove(id, how, CALL_WITHIN).await else { return Ok(()) };
        let until = Instant::now() + LOOK_FOR;
        while is_open(&error) && Instant::now() < until {
            if matches!(self.reader().inspect(id).await, Err(DockerError::NotFound(_))) {
                return Ok(());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        if matches!(error, DockerError::NotFound(_)) { Ok(()) } else { Err(error) }
    }
}

fn not_sent(error: &DockerError) -> Stop {
    Stop::Failed(error.to_string())
}

/// What Docker has not answered it may yet do.
fn open_or_failed(error: &DockerError, words: String) -> Stop {
    if matches!(error, DockerError::OutcomeUnknown(_)) { Stop::Unknown(words) } else { Stop::Failed(words) }
}

/// Whether its process exists, or Docker starts it again and again.
fn is_up(container: &Container) -> bool {
    matches!(container.state, ContainerState::Running | ContainerState::Restarting | ContainerState::Paused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commands_put_right_what_is_there() {
        let known = |all: &[(&str, bool)]| all.iter().map(|(name, up)| ((*name).to_owned(), *up)).collect::<Vec<_>>();
        let back = "docker rename w_b w; docker start w";
        for (all, want) in [
            (&[("w", true), ("w_a", false)][..], "w_a was made and not used: docker rm -f -v w_a".to_owned()),
            (
                &[("w", false), ("w_a", false)],
                "w_a was made and not used: docker rm -f -v w_a; docker start w".to_owned(),
            ),
            (&[("w_b", false), ("w_a", false)], format!("w_b was put aside: docker rm -f w_a; {back}")),
            (&[("w_b", false), ("w", false)], format!("w_b was put aside: docker rm -f w; {back}")),
            (
                &[("w_b", false), ("w", true)],
                format!(
                    "w_b was put aside, and w runs in its place. If that is well: docker rm w_b. If not: docker rm -f w; {back}"
                ),
            ),
        ] {
            assert_eq!(what_to_do("w", ("w_b", "w_a"), &known(all)), want);
        }
    }
}
