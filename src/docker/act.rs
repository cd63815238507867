//! Restarting a container: sent exactly once, and an honest word about how it went.
//!
//! A call that was sent and not answered is unknown, never failed: Docker goes on without us. What Docker calls a
//! failure is looked at, because a restart hides every cause behind one status. Read [`restart`] first.

use super::client::Writer;
use super::error::DockerError;
use crate::model::action::{ActionOutcome, Vitals};
use crate::model::container::{Container, ContainerState};
use crate::model::target::ContainerId;
use std::time::Duration;

/// How long Docker lets a container stop if nobody says otherwise.
const DEFAULT_GRACE: Duration = Duration::from_secs(10);

/// What Docker may take beyond the grace: killing, reaping, starting.
const BEYOND_GRACE: Duration = Duration::from_secs(30);

/// The longest grace that is believed: a container's own setting is anybody's number.
const GRACE_MAX: Duration = Duration::from_secs(24 * 3600);

/// How long to wait for the answer to a restart. The step's own setting comes before the container's.
#[must_use]
pub fn call_deadline(container_stop_timeout: Option<Duration>, step_stop_timeout: Option<Duration>) -> Duration {
    step_stop_timeout.or(container_stop_timeout).unwrap_or(DEFAULT_GRACE).min(GRACE_MAX) + BEYOND_GRACE
}

/// Restarts a container, once. `pre` is the container as it was when the restart was decided.
pub async fn restart(
    writer: &Writer,
    id: &ContainerId,
    pre: &Vitals,
    stop_timeout: Option<Duration>,
    deadline: Duration,
) -> ActionOutcome {
    if let Err(error) = writer.prepare().await {
        return ActionOutcome::Failed { error: format!("not sent: {error}") };
    }
    let error = match writer.restart(id, stop_timeout.map(whole_seconds), deadline).await {
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
            judge(&error, pre, writer.reader().inspect(id).await)
        }
    }
}

/// What Docker's "no" means in the light of what became of the container.
fn judge(refusal: &DockerError, pre: &Vitals, found: Result<Container, DockerError>) -> ActionOutcome {
    match found {
        Ok(container) if container.started_at != pre.started_at && container.state == ContainerState::Running => {
            ActionOutcome::Succeeded { post: Some(Vitals::from(&container)) }
        }
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

/// Docker takes whole seconds; a part of one is rounded up, so that nobody gets less grace than was asked for.
fn whole_seconds(timeout: Duration) -> i32 {
    let secs = timeout.as_secs().saturating_add(u64::from(timeout.subsec_nanos() != 0));
    i32::try_from(secs).unwrap_or(i32::MAX)
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
    fn the_deadline_leaves_the_grace_and_more() {
        let secs = Duration::from_secs;
        for (container, step, want) in [
            (None, None, 40),
            (Some(secs(60)), None, 90),
            (Some(secs(60)), Some(secs(5)), 35),
            (None, Some(secs(0)), 30),
            (Some(Duration::MAX), None, 24 * 3600 + 30),
        ] {
            assert_eq!(call_deadline(container, step), secs(want));
        }
        assert_eq!(whole_seconds(Duration::from_millis(1200)), 2);
        assert_eq!(whole_seconds(Duration::MAX), i32::MAX);
    }

    #[test]
    fn a_failure_is_believed_only_after_looking() {
        let pre = Vitals::from(&seen("t1", "running"));
        let server = || DockerError::Server { status: 500, message: "no".to_owned() };
        let gone = || DockerError::NotFound("gone".to_owned());
        for (name, found, want) in [
            ("moved and running", Ok(seen("t2", "running")), "Succeeded"),
            ("moved and down", Ok(seen("t2", "exited")), "Failed"),
            ("not moved", Ok(seen("t1", "running")), "Failed"),
            ("not moved and down", Ok(seen("t1", "exited")), "Failed"),
            ("gone", Err(gone()), "Failed"),
            ("cannot be seen", Err(DockerError::OutcomeUnknown("cut".to_owned())), "Unknown"),
        ] {
            let outcome = format!("{:?}", judge(&server(), &pre, found));
            assert!(outcome.starts_with(want), "{name}: {outcome}");
        }
        let ActionOutcome::Failed { error } = judge(&server(), &pre, Ok(seen("t1", "exited"))) else { panic!() };
        assert!(error.contains("exited") && error.contains("port is already allocated"), "{error}");
    }
}
