//! Restarting a container: sent exactly once, and an honest word about how it went.
//!
//! A call that was sent and not answered is unknown, never failed: Docker goes on without us. What Docker calls a
//! failure is looked at, because a restart hides every cause behind one status. Read [`restart`] first.

use super::client::Writer;
use super::error::DockerError;
use crate::model::action::{ActionOutcome, Vitals};
use crate::model::reconcile::{Look, after_refusal};
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
    let prepared = match writer.prepare().await {
        Ok(prepared) => prepared,
        Err(error) => return ActionOutcome::Failed { error: format!("not sent: {error}") },
    };
    let error = match prepared.restart(id, stop_timeout.map(whole_seconds), deadline).await {
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
                Ok(found) => after_refusal(&refusal, pre, Look::Found(found)),
                Err(DockerError::NotFound(_)) => after_refusal(&refusal, pre, Look::Gone),
                Err(unseen) => after_refusal(&refusal, pre, Look::Unseen(&unseen.to_string())),
            }
        }
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
}
