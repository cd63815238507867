//! Asks Docker now and then whether it is there, for readiness and metrics. Decides nothing.

use crate::docker::Reader;
use crate::telemetry::metrics::Metrics;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How often Docker is asked.
const EVERY: Duration = Duration::from_secs(10);

/// What Docker last said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum DockerStatus {
    /// It has not been asked yet.
    #[default]
    NotAsked,
    /// It answered: its version and the API version spoken.
    Answered(String),
    /// It did not, and why.
    Silent(String),
}

/// Asks for ever, and reports each change.
pub async fn probe(reader: Reader, metrics: Arc<Metrics>, status: watch::Sender<DockerStatus>) {
    loop {
        let now = match reader.version().await {
            Ok(version) => {
                metrics.docker_answered();
                DockerStatus::Answered(version.to_string())
            }
            Err(error) => {
                metrics.docker_silent();
                DockerStatus::Silent(format!("{:#}", anyhow::Error::from(error)))
            }
        };
        status.send_if_modified(|before| {
            let changed = *before != now;
            if changed {
                match &now {
                    DockerStatus::Silent(error) => tracing::warn!(error, "Docker does not answer"),
                    DockerStatus::Answered(version) => tracing::info!(docker.version = version, "Docker answers"),
                    DockerStatus::NotAsked => {}
                }
                before.clone_from(&now);
            }
            changed
        });
        tokio::time::sleep(EVERY).await;
    }
}
