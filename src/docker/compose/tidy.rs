//! What is left of an act that was cut off: copies that it had made and never started. Read [`remove_half_made`].
//!
//! Nothing has ever run in such a container, and by its label it is that very act's own. Nothing else is touched: not what
//! runs, not what has run, not what Compose or another act has made.

use super::scale::is_of;
use crate::docker::client::Writer;
use crate::docker::error::DockerError;
use crate::docker::service::compose::replicas;
use crate::model::action::{Action, ServiceAction};
use crate::model::container::ContainerState;
use crate::model::step::Reconciliation;
use crate::model::target::{ContainerName, TargetId};
use std::time::Duration;

/// How long the removal of one container may take: there is nothing to stop.
const REMOVE_WITHIN: Duration = Duration::from_secs(30);

/// Waits until Docker must be done with an act, and removes what it made and never started. The names of what was removed.
///
/// The wait is taken off the reconciliation, which is to follow.
pub async fn remove_half_made(writer: &Writer, cut_off: &mut Reconciliation) -> Vec<ContainerName> {
    let TargetId::Compose(service) = cut_off.target.id.clone() else { return Vec::new() };
    if !matches!(&cut_off.action, Action::Service(ServiceAction::Scale { from, to, .. }) if from < to) {
        return Vec::new();
    }
    tokio::time::sleep(std::mem::take(&mut cut_off.settle)).await;
    let all = match replicas(writer.reader(), &service).await {
        Ok(all) => all,
        Err(error) => {
            tracing::warn!(%service, %error, "what was left half made is not known");
            return Vec::new();
        }
    };
    let half_made = all.into_iter().map(|replica| replica.container);
    let half_made = half_made.filter(|one| is_of(one, cut_off.act) && one.state == ContainerState::Created);
    let mut removed = Vec::new();
    for one in half_made {
        let gone = async {
            // Not by force: what somebody starts at this very moment stays.
            writer.prepare().await?.remove(&one.id, (false, true), REMOVE_WITHIN).await
        };
        match gone.await {
            Ok(()) | Err(DockerError::NotFound(_)) => removed.push(one.name),
            Err(error) => tracing::error!(container.name = %one.name, %error, "a half-made copy is left behind"),
        }
    }
    removed
}
