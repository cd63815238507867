//! Creates a container, once, and finds out what became of it where Docker does not say. Read [`create`].

use super::scale::{CALL_WITHIN, LOOK_EVERY, LOOK_FOR, is_of, is_open};
use crate::docker::client::{Prepared, Reader};
use crate::docker::convert::text;
use crate::docker::error::DockerError;
use crate::docker::service::compose::replicas;
use crate::model::docker_call::DockerCall;
use crate::model::id::ActId;
use crate::model::target::{ComposeService, ContainerId, ContainerName};
use serde_json::Value;
use tokio::time::Instant;

/// What became of it.
pub(super) enum Created {
    /// It is there.
    Is(ContainerId),
    /// It is not: the name is taken.
    NameTaken(String),
    /// It is not, and will not be.
    Not(String),
    /// It was not there for as long as it was looked for, and may be created yet.
    Open(String),
    /// Nobody could look.
    Unseen(String),
}

/// Sends the creation of a replica, which carries the name of its act. It ends by the deadline.
pub(super) async fn create(
    (reader, prepared): (&Reader, Prepared<'_>),
    whose: (&ComposeService, ActId),
    (name, body): (&ContainerName, &Value),
    deadline: Instant,
) -> Created {
    let path = format!("/containers/create?name={name}");
    let within = deadline.saturating_duration_since(Instant::now()).min(CALL_WITHIN);
    let error = match prepared.post(DockerCall::Create, &path, body, within).await {
        Ok(reply) => match reply.json().ok().and_then(|json| ContainerId::parse(text(&json, "/Id"))) {
            Some(id) => return Created::Is(id),
            None => DockerError::Invalid("a created container without an ID".to_owned()),
        },
        Err(error) => error,
    };
    let words = format!("{name} was not created: {error}");
    if let DockerError::Conflict(_) = error {
        return Created::NameTaken(words);
    }
    if !is_open(&error) {
        return Created::Not(words);
    }
    match adopted(reader, whose, name, deadline).await {
        Ok(Some(id)) => Created::Is(id),
        Ok(None) if matches!(error, DockerError::Server { .. }) => Created::Not(words),
        Ok(None) => Created::Open(words),
        Err(unseen) => Created::Unseen(format!("{words}; {unseen}")),
    }
}

/// The container of this name that this very act has made, looked for a while: a call without an answer may have been
/// carried out.
async fn adopted(
    reader: &Reader,
    (service, act): (&ComposeService, ActId),
    name: &ContainerName,
    deadline: Instant,
) -> Result<Option<ContainerId>, DockerError> {
    let until = deadline.min(Instant::now() + LOOK_FOR);
    loop {
        let found = replicas(reader, service).await?;
        let own = found.into_iter().map(|replica| replica.container);
        let own = own.filter(|one| one.name == *name && is_of(one, act)).map(|one| one.id).next();
        if own.is_some() || until <= Instant::now() {
            return Ok(own);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
