//! Adding and taking away replicas, one after the other. Each call is sent once, and the count is read before each step.
//!
//! Adding is all or nothing: if one of them cannot be made, those that were made are removed again. A call without an
//! answer is looked after, never sent again; what remains open is for the engine to find out by looking. Read [`scale`].

use super::copy::{Copy, copy};
use super::creation::{Created, create};
use super::{ACT, choice, look};
use crate::docker::client::{READ_WITHIN, Reader, Writer};
use crate::docker::convert::text;
use crate::docker::error::DockerError;
use crate::docker::service;
use crate::docker::service::compose::{Replica, replicas};
use crate::model::action::{Action, ActionOutcome, TargetVitals};
use crate::model::container::{COMPOSE_CONFIG_HASH, Container, ContainerState};
use crate::model::docker_call::DockerCall;
use crate::model::id::ActId;
use crate::model::target::{ComposeService, ContainerId, ContainerName, TargetId};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;

/// How long one call may take; a stop may take its grace longer.
pub(super) const CALL_WITHIN: Duration = Duration::from_secs(30);

/// How long it is looked for what a call without an answer was to do.
pub(super) const LOOK_FOR: Duration = Duration::from_secs(10);

/// The pause between two such looks.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How many names are tried if some are taken by containers that are no replicas.
const NAMES_MAX: u32 = 3;

/// How long Docker lets a container stop if nobody says otherwise.
pub(super) const DEFAULT_GRACE: Duration = Duration::from_secs(10);

/// What is to be done.
#[derive(Clone, Copy, Debug)]
pub(in crate::docker) struct Order<'a> {
    /// To which service.
    pub(in crate::docker) service: &'a ComposeService,
    /// By which act: its copies carry its name.
    pub(in crate::docker) act: ActId,
    /// From how many replicas to how many.
    pub(in crate::docker) from_to: (u32, u32),
    /// The definition on which it was decided, as Compose's hash.
    pub(in crate::docker) template: &'a str,
}

/// Why it goes no further.
enum Stop {
    /// Nothing is under way.
    Failed(String),
    /// A call may still do something.
    Unknown(String),
}

/// Scales a Compose service.
pub(in crate::docker) async fn scale(writer: &Writer, order: Order<'_>, deadline: Duration) -> ActionOutcome {
    let mut work =
        Work { writer, order, deadline: Instant::now() + deadline, made: Vec::new(), taken: Vec::new(), begun: false };
    match work.run().await {
        Ok(()) => {
            let id = TargetId::Compose(order.service.clone());
            let post = service::look(writer.reader(), &id).await.ok();
            ActionOutcome::Succeeded { post: post.as_ref().map(TargetVitals::from) }
        }
        Err(Stop::Unknown(error)) => ActionOutcome::Unknown { error },
        Err(Stop::Failed(error)) if !work.begun => ActionOutcome::Failed { error: format!("not sent: {error}") },
        Err(Stop::Failed(error)) => work.end(error).await,
    }
}

/// The names and states of the copies that an act has made.
pub(in crate::docker) async fn made_by(
    reader: &Reader,
    service: &ComposeService,
    act: ActId,
) -> Result<Vec<(ContainerName, ContainerState)>, DockerError> {
    let all = replicas(reader, service).await?;
    let own = all.into_iter().filter(|replica| is_of(&replica.container, act));
    Ok(own.map(|replica| (replica.container.name, replica.container.state)).collect())
}

pub(super) fn is_of(container: &Container, act: ActId) -> bool {
    container.labels.get(ACT).is_some_and(|label| *label == act.to_string())
}

/// One act, under way.
struct Work<'a> {
    writer: &'a Writer,
    order: Order<'a>,
    deadline: Instant,
    /// What was made, oldest first.
    made: Vec<(ContainerId, ContainerName)>,
    /// What was taken away.
    taken: Vec<ContainerName>,
    /// Whether anything was sent.
    begun: bool,
}

impl Work<'_> {
    async fn run(&mut self) -> Result<(), Stop> {
        let (from, to) = self.order.from_to;
        loop {
            let replicas = self.count().await?;
            if u32::try_from(replicas.len()) == Ok(to) {
                return Ok(());
            }
            if from < to { self.add(&replicas).await? } else { self.take(&replicas).await? }
        }
    }

    fn reader(&self) -> &Reader {
        self.writer.reader()
    }

    /// The replicas as they are now, if they are what we left and nobody has deployed meanwhile.
    async fn count(&self) -> Result<Vec<Replica>, Stop> {
        let found = replicas(self.reader(), self.order.service).await;
        let found = found.map_err(|error| Stop::Failed(format!("the replicas cannot be counted: {error}")))?;
        let expected = usize::try_from(self.order.from_to.0).unwrap_or(usize::MAX) + self.made.len() - self.taken.len();
        if found.len() != expected {
            let found = found.len();
            let words = format!("somebody else scales it: {found} replicas, and there were to be {expected}");
            return Err(Stop::Failed(words));
        }
        let hash = |replica: &Replica| replica.container.labels.get(COMPOSE_CONFIG_HASH).cloned().unwrap_or_default();
        let image = found.first().map(|first| first.container.image_id.clone());
        let same = |replica: &Replica| {
            hash(replica) == self.order.template && Some(&replica.container.image_id) == image.as_ref()
        };
        if !found.iter().all(same) {
            return Err(Stop::Failed("somebody has deployed another definition or image since".to_owned()));
        }
        if self.left().is_zero() {
            return Err(Stop::Failed("it took longer than it may".to_owned()));
        }
        Ok(found)
    }

    fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// Makes one more: created, connected, counted once more, started.
    async fn add(&mut self, replicas: &[Replica]) -> Result<(), Stop> {
        let template = choice::template(replicas).map_err(|(_, words)| Stop::Failed(words))?;
        let image = look::copyable(self.reader(), template).await.map_err(|error| Stop::Failed(error.to_string()))?;
        let image = image.map_err(|(_, words)| Stop::Failed(words))?;
        let first = choice::next_number(replicas);
        for number in first..first.saturating_add(NAMES_MAX) {
            let seen = (&template.container, &template.json);
            let copied = copy(seen, &image, number, self.order.act);
            let copied = copied.ok_or_else(|| Stop::Failed("its replicas have names of their own".to_owned()))?;
            let Some((id, name)) = self.create(&copied).await? else {
                // Taken by somebody who scales as well, or by a container that is no replica: counting tells.
                self.count().await?;
                continue;
            };
            self.made.push((id.clone(), name));
            return self.finish((&id, number), &copied, template).await;
        }
        Err(Stop::Failed(format!("{NAMES_MAX} names after the highest number are taken by other containers")))
    }

    /// Creates a container; `None` if its name is taken.
    async fn create(&mut self, copied: &Copy) -> Result<Option<(ContainerId, ContainerName)>, Stop> {
        let name = ContainerName::parse(&copied.name).map_err(|bad| Stop::Failed(bad.to_string()))?;
        let prepared = self.writer.prepare().await.map_err(|error| Stop::Failed(error.to_string()))?;
        self.begun = true;
        let whose = (self.order.service, self.order.act);
        match create((self.reader(), prepared), whose, (&name, &copied.body), self.deadline).await {
            Created::Is(id) => Ok(Some((id, name))),
            Created::NameTaken(_) => Ok(None),
            Created::Not(words) => Err(Stop::Failed(words)),
            Created::Open(words) | Created::Unseen(words) => Err(Stop::Unknown(words)),
        }
    }

    /// Everything after the creation. Whatever fails here, the container is removed again by [`Self::end`].
    async fn finish(&self, (id, number): (&ContainerId, u32), copied: &Copy, of: &Replica) -> Result<(), Stop> {
        let name = &copied.name;
        let seen = self.inspect(id).await?;
        if seen.image_id != of.container.image_id {
            return Err(Stop::Failed(format!("{name} would run another image, {}", seen.image_id)));
        }
        for (network, endpoint) in &copied.networks {
            let known_as = networks(&of.json).find(|(_, seen)| text(seen, "/NetworkID") == network);
            let known_as = known_as.map_or(network.as_str(), |(name, _)| name);
            self.connect((id, name), (network, known_as), endpoint).await?;
        }
        let all = self.count().await?;
        if all.iter().any(|other| other.number == number && other.container.id != *id) {
            return Err(Stop::Failed(format!("somebody else has made a replica number {number} as well")));
        }
        self.start((id, name)).await
    }

    async fn connect(
        &self,
        (id, name): (&ContainerId, &str),
        (network, known_as): (&str, &str),
        endpoint: &Value,
    ) -> Result<(), Stop> {
        let prepared = self.writer.prepare().await.map_err(|error| Stop::Failed(error.to_string()))?;
        let path = format!("/networks/{network}/connect");
        let body = json!({"Container": id.as_str(), "EndpointConfig": endpoint});
        let Err(error) = prepared.post(DockerCall::Connect, &path, &body, self.within(CALL_WITHIN)).await else {
            return Ok(());
        };
        let failed = || Stop::Failed(format!("{name} was not connected to the network {network}: {error}"));
        if !is_open(&error) {
            return Err(failed());
        }
        let Ok(seen) = self.reader().inspect_fully(id, READ_WITHIN).await else { return Err(failed()) };
        // Until it starts, only the network's name tells.
        let is_it = |name: &str, id: &str| id == network || id.is_empty() && name == known_as;
        let connected = networks(&seen.json).any(|(name, seen)| is_it(name, text(seen, "/NetworkID")));
        if connected { Ok(()) } else { Err(failed()) }
    }

    async fn start(&self, (id, name): (&ContainerId, &str)) -> Result<(), Stop> {
        let prepared = self.writer.prepare().await.map_err(|error| Stop::Failed(error.to_string()))?;
        let Err(error) = prepared.send(id, &Action::Start, self.within(CALL_WITHIN)).await else { return Ok(()) };
        let until = Instant::now() + self.within(LOOK_FOR);
        loop {
            let seen = self.inspect(id).await?;
            if is_open(&error) && seen.state == ContainerState::Running {
                return Ok(());
            }
            if !matches!(error, DockerError::OutcomeUnknown(_)) || until <= Instant::now() {
                let more = no_port_left(&error.to_string());
                return Err(Stop::Failed(format!("{name} did not start: {error}{more}")));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Takes one away: stopped with its own grace, then removed; its anonymous volumes only if they are ours.
    async fn take(&mut self, replicas: &[Replica]) -> Result<(), Stop> {
        let one = choice::goes(replicas).map_err(|(_, words)| Stop::Failed(words))?;
        let Container { id, name, stop_timeout, .. } = &one.container;
        let grace = stop_timeout.unwrap_or(DEFAULT_GRACE).saturating_add(CALL_WITHIN);
        let prepared = self.writer.prepare().await.map_err(|error| Stop::Failed(error.to_string()))?;
        self.begun = true;
        let stop = Action::Stop { stop_timeout: None };
        if let Err(error) = prepared.send(id, &stop, self.within(grace)).await {
            let words = format!("{name} was not stopped: {error}");
            if !is_open(&error) {
                return Err(Stop::Failed(words));
            }
            if self.inspect(id).await?.state == ContainerState::Running {
                let late = matches!(error, DockerError::OutcomeUnknown(_));
                return Err(if late { Stop::Unknown(words) } else { Stop::Failed(words) });
            }
        }
        self.remove(id, (false, choice::is_ours(&one.container))).await.map_err(|error| {
            let words = format!("{name} is stopped and was not removed: {error}");
            if is_open(&error) { Stop::Unknown(words) } else { Stop::Failed(words) }
        })?;
        self.taken.push(name.clone());
        Ok(())
    }

    /// Removes a container, and waits until it is gone if Docker does not say so.
    async fn remove(&self, id: &ContainerId, how: (bool, bool)) -> Result<(), DockerError> {
        let Err(error) = self.writer.prepare().await?.remove(id, how, CALL_WITHIN).await else { return Ok(()) };
        if matches!(error, DockerError::NotFound(_)) {
            return Ok(());
        }
        // A conflict is that it is being removed already.
        if !is_open(&error) && !matches!(error, DockerError::Conflict(_)) {
            return Err(error);
        }
        let until = Instant::now() + LOOK_FOR;
        while Instant::now() < until {
            if matches!(self.reader().inspect(id).await, Err(DockerError::NotFound(_))) {
                return Ok(());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Err(error)
    }

    /// After a failure: what was made is removed again. What was taken away cannot be brought back, so the engine looks.
    async fn end(&mut self, error: String) -> ActionOutcome {
        if !self.taken.is_empty() {
            let taken = names(self.taken.iter());
            return ActionOutcome::Unknown { error: format!("{error}; {taken} had been taken away before") };
        }
        if self.made.is_empty() {
            return ActionOutcome::Failed { error };
        }
        let made = names(self.made.iter().map(|(_, name)| name));
        let mut left = Vec::new();
        while let Some((id, name)) = self.made.pop() {
            if let Err(error) = self.remove(&id, (true, true)).await {
                tracing::error!(container.name = %name, container.id = id.short(), %error, "a copy is left behind");
                left.push((name, error));
            }
        }
        match left_behind(&left) {
            Some(left) => ActionOutcome::Unknown { error: format!("{error}; {left}") },
            None => ActionOutcome::Failed { error: format!("{error}; {made} was removed again") },
        }
    }

    async fn inspect(&self, id: &ContainerId) -> Result<Container, Stop> {
        self.reader().inspect(id).await.map_err(|error| Stop::Failed(format!("{}: {error}", id.short())))
    }

    fn within(&self, time: Duration) -> Duration {
        self.left().min(time)
    }
}

/// The networks of a container by their names.
fn networks(json: &Value) -> impl Iterator<Item = (&String, &Value)> {
    json.pointer("/NetworkSettings/Networks").and_then(Value::as_object).into_iter().flatten()
}

fn names<'a>(names: impl Iterator<Item = &'a ContainerName>) -> String {
    names.map(ContainerName::as_str).collect::<Vec<_>>().join(", ")
}

/// What could not be removed again, each with why and how to; `None` if nothing is left.
fn left_behind(left: &[(ContainerName, DockerError)]) -> Option<String> {
    let told = left.iter().map(|(name, error)| {
        format!("{name} is left behind, because it could not be removed again: {error}; remove it with `docker rm -f -v {name}`")
    });
    (!left.is_empty()).then(|| told.collect::<Vec<_>>().join("; "))
}

/// What helps where no host port of a range is free any more, if that is what Docker says.
fn no_port_left(said: &str) -> &'static str {
    if said.contains("all ports are allocated") {
        ": every host port of its range is taken; widen the range, or leave the host port out, and a free one is taken"
    } else {
        ""
    }
}

/// Whether a call may have been carried out all the same.
pub(super) fn is_open(error: &DockerError) -> bool {
    match error {
        DockerError::OutcomeUnknown(_) | DockerError::Invalid(_) | DockerError::Server { .. } => true,
        DockerError::NotSent(_)
        | DockerError::Denied { .. }
        | DockerError::NotFound(_)
        | DockerError::Conflict(_)
        | DockerError::Rejected { .. }
        | DockerError::UnsupportedVersion { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_behind_is_told_by_name_with_why_and_what_to_do() {
        let denied = || DockerError::Denied { method: "DELETE", path: "/containers/ab".to_owned(), status: 403 };
        let name = |name: &str| ContainerName::parse(name).unwrap();
        assert_eq!(left_behind(&[]), None);
        let told = left_behind(&[(name("shop-web-3"), denied()), (name("shop-web-2"), denied())]).unwrap();
        for part in [
            "DELETE /containers/ab was denied by the socket proxy",
            "`sickbay permissions`",
            "`docker rm -f -v shop-web-3`",
            "`docker rm -f -v shop-web-2`",
        ] {
            assert!(told.contains(part), "{part}: {told}");
        }
    }

    #[test]
    fn a_range_of_ports_that_is_used_up_is_told_with_what_helps() {
        for (said, want) in [
            ("driver failed programming external connectivity on endpoint w: all ports are allocated", true),
            ("driver failed: Bind for 0.0.0.0:8080 failed: port is already allocated", false),
            ("no such file", false),
        ] {
            assert_eq!(no_port_left(said).contains("widen the range"), want, "{said}");
        }
    }
}
