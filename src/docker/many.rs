//! Looks at many containers at once.
//!
//! Docker may be unable to show one container for as long as something is stuck in it, and shows the others all the
//! same. So what fails for one is told of that one, and the caller judges whether it can do without. Read [`inspect_all`].

use super::client::{Inspected, READ_WITHIN, Reader};
use super::error::DockerError;
use crate::model::target::ContainerId;
use std::sync::Mutex;
use std::time::Duration;
use tokio::time::Instant;

/// How long all of them may take: a few that are stuck must not add up.
const ALL_WITHIN: Duration = READ_WITHIN.saturating_mul(2);

/// A container that was inspected, or why Docker does not show it.
pub(super) type Seen = (ContainerId, Result<Inspected, DockerError>);

/// Inspects many, eight at a time. One that is gone by now is left out.
///
/// # Errors
/// [`DockerError`] if it is about more than one container: Docker is not reached, or does not allow it.
pub(super) async fn inspect_all(reader: &Reader, ids: Vec<ContainerId>) -> Result<Vec<Seen>, DockerError> {
    let deadline = Instant::now() + ALL_WITHIN;
    let queue = Mutex::new(ids.into_iter());
    let next = || queue.lock().ok().and_then(|mut queue| queue.next());
    let work = async || -> Result<Vec<Seen>, DockerError> {
        let mut found = Vec::new();
        while let Some(id) = next() {
            let left = deadline.saturating_duration_since(Instant::now());
            match reader.inspect_fully(&id, READ_WITHIN.min(left)).await {
                Err(DockerError::NotFound(_)) => {}
                Err(error) if !error.may_be_of_one() => return Err(error),
                seen => found.push((id, seen)),
            }
        }
        Ok(found)
    };
    let worker = || Box::pin(work());
    let (a, b, c, d, e, f, g, h) =
        tokio::try_join!(worker(), worker(), worker(), worker(), worker(), worker(), worker(), worker())?;
    Ok([a, b, c, d, e, f, g, h].into_iter().flatten().collect())
}
