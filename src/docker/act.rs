//! Acting on a container: sent exactly once, and an honest word about how it went.
//!
//! A call that was sent and not answered is unknown, never failed: Docker goes on without us. What Docker calls a
//! failure is looked at, because a restart hides every cause behind one status. Read [`perform`] first.

use super::client::Writer;
use super::error::DockerError;
use crate::model::action::{Action, ActionOutcome, Vitals};
use crate::model::container::{Container, ContainerState};
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
            judge(&error, (pre, action), writer.reader().inspect(id).await)
        }
    }
}

/// What Docker's "no" means in the light of what became of the container.
fn judge(
    refusal: &DockerError,
    (pre, action): (&Vitals, &Action),
    found: Result<Container, DockerError>,
) -> ActionOutcome {
    let reached = |container: &Container| match action {
        Action::Restart { .. } => container.started_at != pre.started_at && container.state == ContainerState::Running,
        Action::Start => container.state == ContainerState::Running,
        Action::Stop { .. } => container.state == ContainerState::Exited,
    };
    match found {
        Ok(container) if reached(&container) => ActionOutcome::Succeeded { post: Some(Vitals::from(&container)) },
        Ok(container) => {
            let state = container.state.as_str();
            let cause = Some(container.start_error.as_str()).filter(|cause| !cause.is_empty());
            let cause = cause.map(|cause| format!(" ({})", super::redact::clean(cause, 300))).unwrap_or_default();
            ActionOutcome::Failed { error: format!("{refusal}: the container is now {state}{cause}") }
        }
        Err(DockerError::NotFound(_)) => ActionOutcome::Failed { error: format!("{refusal}: the container is gone") },
        Err(unseen) => ActionOutcome::Unknown { error: format!("{refusal}, and then: {unseen}") },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docker::convert::container;
    use serde_json::json;

    fn seen(started_at: &str, status: &str) -> Container {
        let state = json!({"StartedAt": started_at, "Status": status, "Error": "port is already allocated"});
        container(&json!({"Id": "ab".repeat(32), "Name": "/web", "State": state})).unwrap()
    }

    #[test]
    fn a_failure_is_believed_only_after_looking() {
        let pre = Vitals::from(&seen("t1", "running"));
        let server = || DockerError::Server { status: 500, message: "no".to_owned() };
        let gone = || DockerError::NotFound("gone".to_owned());
        let restart = Action::Restart { stop_timeout: None };
        let stop = Action::Stop { stop_timeout: None };
        let unseen = || Err(DockerError::OutcomeUnknown("cut".to_owned()));
        for (name, action, found, want) in [
            ("moved and running", &restart, Ok(seen("t2", "running")), "Succeeded"),
            ("moved and down", &restart, Ok(seen("t2", "exited")), "Failed"),
            ("not moved", &restart, Ok(seen("t1", "running")), "Failed"),
            ("not moved and down", &restart, Ok(seen("t1", "exited")), "Failed"),
            ("gone", &restart, Err(gone()), "Failed"),
            ("cannot be seen", &restart, unseen(), "Unknown"),
            ("started", &Action::Start, Ok(seen("t2", "running")), "Succeeded"),
            ("not started", &Action::Start, Ok(seen("t1", "exited")), "Failed"),
            ("start cannot be seen", &Action::Start, unseen(), "Unknown"),
            ("stopped", &stop, Ok(seen("t1", "exited")), "Succeeded"),
            ("not stopped", &stop, Ok(seen("t1", "running")), "Failed"),
            ("to be stopped, and gone", &stop, Err(gone()), "Failed"),
        ] {
            let outcome = format!("{:?}", judge(&server(), (&pre, action), found));
            assert!(outcome.starts_with(want), "{name}: {outcome}");
        }
        let outcome = judge(&server(), (&pre, &restart), Ok(seen("t1", "exited")));
        let ActionOutcome::Failed { error } = outcome else { panic!() };
        assert!(error.contains("exited") && error.contains("port is already allocated"), "{error}");
    }
}
