//! Changing a Swarm service: read, compare with what was decided, send back with one number changed and the version that
//! was read.
//!
//! A manager takes a change only of the version it has; that version moves without anybody's doing, too. So a no for its
//! sake changed nothing, and the definition is read and judged anew before it is sent again. If somebody else has changed
//! anything in it, nothing is sent: whoever deploys goes first. No mark of ours is left in the definition, which is the
//! owner's; what became of a call is told by its numbers. Read [`change`].

use super::definition::{Definition, with};
use super::{look, swarm};
use crate::docker::client::Writer;
use crate::docker::error::DockerError;
use crate::model::action::{Action, ActionOutcome, ServiceAction, TargetVitals};
use crate::model::docker_call::DockerCall;
use crate::model::reconcile::{Look, after_refusal};
use crate::model::service::ServiceVitals;
use crate::model::target::{SwarmId, TargetId};
use serde_json::Value;
use std::time::Duration;
use tokio::time::Instant;

/// How often a change is sent, each time after another look, while other changes come first.
const TRIES: u32 = 5;

/// The pause before another look; it grows with each.
const PAUSE_MS: u32 = 50;

/// How one try went.
enum Tried {
    /// The manager took it.
    Done,
    /// It has another version by now: nothing was changed.
    OutOfSequence,
    /// It is over.
    Over(ActionOutcome),
}

/// Does one thing to a Swarm service, once. `pre` is the service as it was when that was decided.
pub async fn change(
    writer: &Writer,
    id: &SwarmId,
    (pre, action): (&ServiceVitals, &ServiceAction),
    allowed: Duration,
) -> ActionOutcome {
    let deadline = Instant::now() + allowed;
    for tried in 1..=TRIES {
        match once(writer, id, (pre, action), deadline).await {
            Tried::Done => {
                let post = look(writer.reader(), &TargetId::Swarm(id.clone())).await.ok();
                return ActionOutcome::Succeeded { post: post.as_ref().map(TargetVitals::from) };
            }
            Tried::Over(outcome) => return outcome,
            Tried::OutOfSequence => tokio::time::sleep(pause(tried)).await,
        }
    }
    failed(format!("not done: {TRIES} times something else about the service moved first"))
}

async fn once(
    writer: &Writer,
    id: &SwarmId,
    (pre, action): (&ServiceVitals, &ServiceAction),
    deadline: Instant,
) -> Tried {
    let prepared = match writer.prepare().await {
        Ok(prepared) => prepared,
        Err(error) => return Tried::Over(failed(format!("not sent: {error}"))),
    };
    let (spec, version) = match decided(writer, id, (pre, action)).await {
        Ok(found) => found,
        Err(why) => return Tried::Over(failed(format!("not sent: {why}"))),
    };
    let back = if matches!(action, ServiceAction::Rollback { .. }) { "&rollback=previous" } else { "" };
    let path = format!("/services/{}/update?version={version}&registryAuthFrom=spec{back}", id.as_str());
    let left = deadline.saturating_duration_since(Instant::now());
    let error = match prepared.post(DockerCall::ServiceUpdate, &path, &spec, left).await {
        Ok(_warnings) => return Tried::Done,
        Err(error) => error,
    };
    match &error {
        DockerError::OutcomeUnknown(_) | DockerError::Invalid(_) => {
            Tried::Over(ActionOutcome::Unknown { error: error.to_string() })
        }
        DockerError::NotSent(_)
        | DockerError::Denied { .. }
        | DockerError::Rejected { .. }
        | DockerError::UnsupportedVersion { .. } => Tried::Over(failed(error.to_string())),
        DockerError::Server { message, .. } if message.contains("update out of sequence") => Tried::OutOfSequence,
        // It gave up waiting, or lost its leader: what it has proposed may still come about.
        DockerError::Server { status, message } if *status == 503 || gave_up(message) => {
            Tried::Over(ActionOutcome::Unknown { error: error.to_string() })
        }
        DockerError::NotFound(_) | DockerError::Conflict(_) | DockerError::Server { .. } => {
            Tried::Over(refused(writer, id, (pre, action), &error.to_string()).await)
        }
    }
}

/// Whether a manager says that it did not wait for the end of what it was asked for.
fn gave_up(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    ["deadline exceeded", "canceled", "leader", "unavailable"].iter().any(|word| message.contains(word))
}

/// What is to be sent, and the version it is sent for, by a look that is fresh.
async fn decided(
    writer: &Writer,
    id: &SwarmId,
    (pre, action): (&ServiceVitals, &ServiceAction),
) -> Result<(Value, u64), String> {
    let raw = swarm::inspect(writer.reader(), id).await.map_err(|error| error.to_string())?;
    let definition = Definition::read(&raw.json);
    definition.is_as_decided(pre, action)?;
    let spec = raw.json.get("Spec").ok_or_else(|| "docker shows no definition of it".to_owned())?;
    Ok((with(spec, action)?, definition.version))
}

/// What became of the service for which a manager said no.
async fn refused(
    writer: &Writer,
    id: &SwarmId,
    (pre, action): (&ServiceVitals, &ServiceAction),
    refusal: &str,
) -> ActionOutcome {
    let (pre, action) = (TargetVitals::Service(Box::new(pre.clone())), Action::Service(action.clone()));
    match &look(writer.reader(), &TargetId::Swarm(id.clone())).await {
        Ok(found) => after_refusal(refusal, (&pre, &action), Look::FoundService(found)),
        Err(DockerError::NotFound(_)) => after_refusal(refusal, (&pre, &action), Look::Gone),
        Err(unseen) => after_refusal(refusal, (&pre, &action), Look::Unseen(&unseen.to_string())),
    }
}

fn failed(error: String) -> ActionOutcome {
    ActionOutcome::Failed { error }
}

/// Longer each time, and never the same for two who wait for each other.
fn pause(tried: u32) -> Duration {
    let jitter = getrandom::u32().unwrap_or_default() % PAUSE_MS;
    Duration::from_millis(u64::from(PAUSE_MS * tried + jitter))
}
