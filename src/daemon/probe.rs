//! Asks each Docker now and then whether it is there, for readiness and metrics; and when it begins to answer, what it lets
//! us do. Decides nothing.

use super::clock::Clock;
use super::hosts::DockerHost;
use super::permits::{self, Permits};
use crate::docker;
use crate::model::docker_call::DockerCall;
use crate::model::permission::Need;
use crate::telemetry::metrics::Metrics;
use crate::web::health::{Condition, DockerCondition};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How often a Docker is asked.
const EVERY: Duration = Duration::from_secs(10);

/// Asks one for ever, and reports each change.
pub async fn probe(
    (host, permits): (DockerHost, Permits),
    (metrics, clock): (Arc<Metrics>, Clock),
    condition: Arc<watch::Sender<Condition>>,
) {
    let name = &*host.name;
    let mut asked = None;
    loop {
        let begins = changed(&condition, name, &DockerCondition::Answering);
        let docker = match host.reader().version().await {
            Ok(version) => {
                metrics.docker_answered(name, seconds(&clock));
                if begins {
                    tracing::info!(
                        docker.host = name,
                        docker.version = version.engine,
                        docker.api = version.api,
                        "Docker answers"
                    );
                }
                DockerCondition::Answering
            }
            Err(error) => {
                metrics.docker_silent(name);
                let error = format!("{:#}", anyhow::Error::from(error));
                let docker = DockerCondition::Silent { error: error.clone() };
                if changed(&condition, name, &docker) {
                    tracing::warn!(docker.host = name, error, "Docker does not answer");
                }
                docker
            }
        };
        condition.send_if_modified(|known| {
            let changed = known.docker_of(name) != Some(&docker);
            known.set_docker(name, docker.clone());
            changed
        });
        // A reload may have brought other playbooks.
        let needs = condition.borrow().needs.get(name).cloned().unwrap_or_default();
        if docker == DockerCondition::Answering && (begins || asked.as_ref() != Some(&needs)) {
            remember(&host, &needs).await;
            ask(&permits, &needs, (&metrics, &condition)).await;
            asked = Some(needs);
        }
        tokio::time::sleep(EVERY).await;
    }
}

/// What Compose services are made of is looked at as long as a playbook may take one back.
async fn remember(host: &DockerHost, needs: &[Need]) {
    let goes_back = |need: &Need| need.call == DockerCall::Events && need.why.iter().any(|why| why.what == "rollback");
    if let Err(error) = docker::remember(host.reader(), needs.iter().any(goes_back)).await {
        let error = format!("{:#}", anyhow::Error::from(error));
        tracing::warn!(docker.host = &*host.name, error, "what Compose services run now will not be known later");
    }
}

/// What a Docker lets us do may have changed while it, or the proxy before it, was away.
async fn ask(permits: &Permits, needs: &[Need], (metrics, condition): (&Metrics, &watch::Sender<Condition>)) {
    let grants = permits.ask(needs).await;
    permits::tell(permits.host(), &grants, metrics);
    permits::warn(permits.host(), needs, &grants);
    condition.send_modify(|condition| {
        condition.grants.insert(permits.host().to_owned(), grants);
    });
}

fn changed(condition: &watch::Sender<Condition>, name: &str, docker: &DockerCondition) -> bool {
    condition.borrow().docker_of(name) != Some(docker)
}

#[expect(clippy::cast_precision_loss, reason = "a gauge of seconds")]
fn seconds(clock: &Clock) -> f64 {
    clock.now().wall.timestamp_millis() as f64 / 1000.0
}
