//! Watching a service recover: looks at it about once a second until it is well, will not be, or time is up.
//!
//! What a look means is decided in `model::convergence`, without a clock or a socket; here is only the loop around it.

use super::{look, swarm};
use crate::docker::client::Reader;
use crate::docker::convert::text;
use crate::docker::error::DockerError;
use crate::model::convergence::{ServiceSight, ServiceWatch};
use crate::model::fact::StepResult;
use crate::model::redact::clean;
use crate::model::step::{VerifySpec, WatchedService};
use crate::model::target::TargetId;
use std::time::Duration;
use tokio::time::Instant;

/// How much of a task's own words is told.
const WORDS_LEN_MAX: usize = 200;

/// Watches until the service is well and stayed so, or will not be. `already` is how long ago the step began.
///
/// Answers how long the step took in all, and [`StepResult::Verified`] or [`StepResult::NotVerified`] with what was seen.
pub async fn verify(
    reader: &Reader,
    (watched, spec): (&WatchedService, &VerifySpec),
    already: Duration,
) -> (Duration, StepResult) {
    let begun = Instant::now();
    let mut watch = ServiceWatch::new(watched, spec);
    loop {
        let seen = look(reader, &watched.target.id).await;
        let now = already + begun.elapsed();
        let step = match &seen {
            Ok(service) => watch.step(ServiceSight::Seen(service), now),
            Err(DockerError::NotFound(_)) => watch.step(ServiceSight::Gone, now),
            Err(error) if error.may_pass() => watch.step(ServiceSight::Unseen(&error.to_string()), now),
            Err(error) => watch.step(ServiceSight::Hidden(&error.to_string()), now),
        };
        match step {
            Ok(StepResult::NotVerified(words)) => {
                let trouble = trouble(reader, &watched.target.id).await;
                return (now, StepResult::NotVerified(format!("{words}{trouble}")));
            }
            Ok(end) => return (now, end),
            Err(pause) => tokio::time::sleep(pause).await,
        }
    }
}

/// What the task that failed last says: most often the cause, such as that no node takes it.
async fn trouble(reader: &Reader, id: &TargetId) -> String {
    let TargetId::Swarm(id) = id else { return String::new() };
    let troubles = swarm::troubles(reader, id).await.unwrap_or_default();
    let Some(latest) = troubles.first() else { return String::new() };
    format!("; the last task in trouble says: {}", clean(text(latest, "/Status/Err"), WORDS_LEN_MAX))
}
