//! Asks Docker now and then whether it is there, for readiness and metrics. Decides nothing.

use super::clock::Clock;
use crate::docker::Reader;
use crate::telemetry::metrics::Metrics;
use crate::web::health::{Condition, DockerCondition};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How often Docker is asked.
const EVERY: Duration = Duration::from_secs(10);

/// Asks for ever, and reports each change.
pub async fn probe(reader: Reader, (metrics, clock): (Arc<Metrics>, Clock), condition: Arc<watch::Sender<Condition>>) {
    loop {
        let docker = match reader.version().await {
            Ok(version) => {
                metrics.docker_answered(seconds(&clock));
                changed(&condition, &DockerCondition::Answering).then(|| {
                    tracing::info!(docker.version = version.engine, docker.api = version.api, "Docker answers");
                });
                DockerCondition::Answering
            }
            Err(error) => {
                metrics.docker_silent();
                let error = format!("{:#}", anyhow::Error::from(error));
                let docker = DockerCondition::Silent { error: error.clone() };
                changed(&condition, &docker).then(|| tracing::warn!(error, "Docker does not answer"));
                docker
            }
        };
        condition.send_if_modified(|known| {
            let changed = known.docker != docker;
            known.docker = docker;
            changed
        });
        tokio::time::sleep(EVERY).await;
    }
}

fn changed(condition: &watch::Sender<Condition>, docker: &DockerCondition) -> bool {
    condition.borrow().docker != *docker
}

#[expect(clippy::cast_precision_loss, reason = "a gauge of seconds")]
fn seconds(clock: &Clock) -> f64 {
    clock.now().wall.timestamp_millis() as f64 / 1000.0
}
