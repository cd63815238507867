//! Acting on a target: sent exactly once, and an honest word about how it went.
//!
//! A call that was sent and not answered is unknown, never failed: Docker goes on without us. What Docker calls a
//! failure is looked at, because a restart hides every cause behind one status. Read [`perform`] first.

use super::client::{Prepared, Writer};
use super::error::DockerError;
use super::{compose, service};
use crate::model::action::{Action, ActionOutcome, ServiceAction, TargetVitals, Vitals};
use crate::model::docker_call::DockerCall;
use crate::model::id::ActId;
use crate::model::reconcile::{Look, after_refusal};
use crate::model::resources::LimitsChange;
use crate::model::target::{ContainerId, TargetId};
use serde_json::{Map, Value};
use std::time::Duration;

/// Does one thing to a target, once. `pre` is the target as it was when that was decided.
pub async fn perform(
    writer: &Writer,
    (act, id): (ActId, &TargetId),
    (pre, action): (&TargetVitals, &Action),
    deadline: Duration,
) -> ActionOutcome {
    match (id, pre, action) {
        (TargetId::Container(id), TargetVitals::Container(pre), action) => {
            to_container(writer, id, (pre, action), deadline).await
        }
        (TargetId::Swarm(id), TargetVitals::Service(pre), Action::Service(action)) => {
            service::change(writer, id, (pre, action), deadline).await
        }
        (
            TargetId::Compose(service),
            TargetVitals::Service(pre),
            Action::Service(ServiceAction::Scale { from, to, .. }),
        ) => {
            let order = compose::Order { service, act, from_to: (*from, *to), template: &pre.template };
            compose::scale(writer, order, deadline).await
        }
        (
            TargetId::Compose(service),
            TargetVitals::Service(pre),
            Action::Service(ServiceAction::Rollback { from_image, to_image }),
        ) => {
            let order =
                compose::Back { service, act, from_to: (from_image, to_image), decided: (&pre.template, pre.wanted) };
            compose::roll_back(writer, order, deadline).await
        }
        // The gates let nothing else pass.
        (TargetId::Compose(_) | TargetId::Swarm(_) | TargetId::Container(_), _, action) => {
            let error = format!("not sent: this version does not do {} to {id}", action.op());
            ActionOutcome::Failed { error }
        }
    }
}

/// To start what runs and to stop what is stopped is a success: Docker answers 304, and nothing has changed.
async fn to_container(
    writer: &Writer,
    id: &ContainerId,
    (pre, action): (&Vitals, &Action),
    deadline: Duration,
) -> ActionOutcome {
    let prepared = match writer.prepare().await {
        Ok(prepared) => prepared,
        Err(error) => return ActionOutcome::Failed { error: format!("not sent: {error}") },
    };
    let error = match send(prepared, id, action, deadline).await {
        Ok(()) => {
            let post = writer.reader().inspect(id).await.ok();
            return ActionOutcome::Succeeded { post: post.as_ref().map(TargetVitals::from) };
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
            let (refusal, pre) = (error.to_string(), &TargetVitals::Container(pre.clone()));
            match &writer.reader().inspect(id).await {
                Ok(found) => after_refusal(&refusal, (pre, action), Look::Found(found)),
                Err(DockerError::NotFound(_)) => after_refusal(&refusal, (pre, action), Look::Gone),
                Err(unseen) => after_refusal(&refusal, (pre, action), Look::Unseen(&unseen.to_string())),
            }
        }
    }
}

async fn send(
    prepared: Prepared<'_>,
    id: &ContainerId,
    action: &Action,
    deadline: Duration,
) -> Result<(), DockerError> {
    match action {
        Action::UpdateLimits(change) => {
            let path = format!("/containers/{id}/update");
            prepared.post(DockerCall::Update, &path, &limits(change), deadline).await.map(|_warnings| ())
        }
        Action::Restart { .. } | Action::Start | Action::Stop { .. } | Action::Service(_) => {
            prepared.send(id, action, deadline).await
        }
    }
}

/// Only what changes is named. Memory never goes without swap: Docker refuses more memory than both together.
fn limits(change: &LimitsChange) -> Value {
    let LimitsChange { from, to } = change;
    let mut body = Map::new();
    if (from.memory, from.memory_swap) != (to.memory, to.memory_swap) {
        body.insert("Memory".to_owned(), to.memory.into());
        body.insert("MemorySwap".to_owned(), to.memory_swap.into());
    }
    if from.nano_cpus != to.nano_cpus {
        body.insert("NanoCpus".to_owned(), to.nano_cpus.into());
    }
    Value::Object(body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::resources::ResourceLimits;
    use serde_json::json;

    #[test]
    fn only_what_changes_is_sent_and_memory_never_without_swap() {
        let from = ResourceLimits { memory: 100, memory_swap: 200, nano_cpus: 5, cpu_quota: false };
        for (to, want) in [
            (from.with_memory(150), json!({"Memory": 150, "MemorySwap": 300})),
            (ResourceLimits { nano_cpus: 7, ..from }, json!({"NanoCpus": 7})),
            (
                ResourceLimits { nano_cpus: 7, ..from.with_memory(150) },
                json!({"Memory": 150, "MemorySwap": 300, "NanoCpus": 7}),
            ),
            (from, json!({})),
        ] {
            assert_eq!(limits(&LimitsChange { from, to }), want);
        }
    }
}
