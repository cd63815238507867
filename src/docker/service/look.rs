//! The service that a question means, or that an ID names.

use super::{compose, swarm};
use crate::docker::client::Reader;
use crate::docker::error::DockerError;
use crate::model::container::TargetReport;
use crate::model::service::Service;
use crate::model::target::{TargetId, TargetQuery};

/// The service that a question means. Nothing but a service is found here.
pub(in crate::docker) async fn find(reader: &Reader, query: &TargetQuery) -> Result<TargetReport, DockerError> {
    let found = match query {
        TargetQuery::Service(name) => swarm::by_name(reader, name).await?,
        TargetQuery::ServiceId(id) => Some(swarm::by_id(reader, id).await?),
        TargetQuery::ComposeService(service) => compose::look_closely(reader, service).await?,
        TargetQuery::Name(_) | TargetQuery::Compose { .. } | TargetQuery::Selector(_) | TargetQuery::Id(_) => None,
    };
    Ok(found.map_or(TargetReport::Missing, |service| TargetReport::FoundService(Box::new(service))))
}

/// The service of an ID.
///
/// # Errors
/// [`DockerError`]; `NotFound` if there is none, or it is no service's.
pub(in crate::docker) async fn look(reader: &Reader, id: &TargetId) -> Result<Service, DockerError> {
    let found = match id {
        TargetId::Swarm(id) => Some(swarm::by_id(reader, id).await?),
        TargetId::Compose(service) => compose::look(reader, service).await?,
        TargetId::Container(_) => None,
    };
    found.ok_or_else(|| DockerError::NotFound(format!("service {id}")))
}
