//! Acting on a container: sent exactly once, and an honest word about how it went.
//!
//! A call that was sent and not answered is unknown, never failed: Docker goes on without us. What Docker calls a
//! failure is looked at, because a restart hides every cause behind one status. Read [`perform`] first.

use super::client::Writer;
use super::error::DockerError;
use crate::model::action::{Action, ActionOutcome, Vitals};
use crate::model::reconcile::{Look, after_refusal};
use crate::model::target::ContainerId;
use std::time::Duration;

/// Does one thing to a container, once. `pre` is the container as it was when that was decided. To start what runs and
/// to stop what is stopped is a success: Docker answers 304, and nothing has changed.
pub async fn perform(
    writer: &Writer,
    id: &ContainerId,
    pre: &Vitals,
    action: &Action,
    deadline: Duration,
) -> ActionOutcome {
    let prepared = match writer.prepare().await {
        Ok(prepared) => prepared,
        Err(error) => return ActionOutcome::Failed { error: format!("not sent: {error}") },
    };
    let error = match prepared.send(id, action, deadline).await {
        Ok(()) => {
            let post = writer.reader().inspect(id).await.ok();
            return ActionOutcome::Succeeded { post: post.as_ref().map(Vitals::from) };
        }
        Err(error) => error,
    };
    match &error {
        DockerError::OutcomeUnknown(_) | DockerError::Invalid(_) => ActionOutcome::Unknown { error: error.to_string() },
        DockerError::NotSent(_)
        | DockerError::Denied { .. }
        | DockerError::Rejected { .. }
        | DockerError::UnsupportedVersion { .. } => ActionOutcome::Failed { error: error.to_string() },
        DockerError::NotFound(_) | DockerError::Conflict(_) | DockerError::Server { .. } => {
            let refusal = error.to_string();
            match &writer.reader().inspect(id).await {
                Ok(found) => after_refusal(&refusal, (pre, action), Look::Found(found)),
                Err(DockerError::NotFound(_)) => after_refusal(&refusal, (pre, action), Look::Gone),
                Err(unseen) => after_refusal(&refusal, (pre, action), Look::Unseen(&unseen.to_string())),
            }
        }
    }
}
