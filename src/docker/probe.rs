//! Which calls are allowed: each is made once in a way that cannot change anything, and who answers tells.
//!
//! Docker itself says 400 or 404 about a thing that does not exist; a socket proxy or an authorization plugin says 401, 403
//! or 405 before that. The thing is an ID drawn by chance for each [`Prober`], and its transport lets nothing else through
//! that writes. Read [`Prober::ask`].

use super::client::{Link, Observer, READ_WITHIN, percent_encode};
use super::endpoint::DockerEndpoint;
use super::error::DockerError;
use super::transport::{Methods, service_id};
use crate::model::docker_call::{DockerCall, Subject};
use crate::model::permission::{Grant, Grants};
use crate::model::target::ContainerId;
use serde_json::json;
use std::fmt;
use tokio::time::Instant;

/// What is sent where Docker reads a body: nothing that it could take for one.
const NO_BODY_OF_ANYTHING: &str = "nothing is meant by this";

/// Asks which calls are allowed. It cannot change anything.
pub struct Prober {
    link: Link,
    endpoint: DockerEndpoint,
    nothing: ContainerId,
}

impl Prober {
    /// One for the engine, or the proxy before it, at an address.
    ///
    /// # Errors
    /// If the system has no randomness.
    pub fn new(endpoint: &DockerEndpoint, observer: Option<Observer>) -> Result<Self, String> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(|error| format!("the system gives no random numbers: {error}"))?;
        let id: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let nothing = ContainerId::parse(&id).ok_or_else(|| format!("{id} is not the form of an ID"))?;
        let link = Link::new(endpoint, Methods::Probing(nothing.clone()), observer);
        Ok(Self { link, endpoint: endpoint.clone(), nothing })
    }

    /// Asks about each of these calls, one after the other. If nobody answers one, the rest is not asked.
    pub async fn ask(&self, calls: impl IntoIterator<Item = DockerCall>) -> Grants {
        let calls: Vec<DockerCall> = calls.into_iter().collect();
        let unknown = |calls: &[DockerCall], why: &DockerError| -> Grants {
            calls.iter().map(|call| (*call, Grant::Unknown(why.to_string()))).collect()
        };
        let version = self.link.negotiate(Instant::now() + READ_WITHIN).await;
        let minor = match version {
            Ok((_, minor)) => minor,
            Err(error) => {
                let mut grants = unknown(&calls, &error);
                if matches!(error, DockerError::Denied { .. }) {
                    grants.insert(DockerCall::Version, Grant::Denied);
                }
                return grants;
            }
        };
        let mut grants = Grants::new();
        let mut left = calls.as_slice();
        while let [call, rest @ ..] = left {
            match self.one(*call, minor).await {
                Ok(grant) => grants.insert(*call, grant),
                Err(error) => {
                    grants.extend(unknown(left, &error));
                    return grants;
                }
            };
            left = rest;
        }
        grants
    }

    /// What is known of one call, or why nobody answers.
    async fn one(&self, call: DockerCall, minor: u16) -> Result<Grant, DockerError> {
        // The version was told a moment ago.
        if call == DockerCall::Version {
            return Ok(Grant::Allowed);
        }
        let path = format!("{}{}", call.path(&self.subject(call)), self.query(call));
        let deadline = Instant::now() + READ_WITHIN;
        let error = match self.link.knock(call, (&path, body(call)), (minor, deadline)).await {
            Ok(()) => return Ok(Grant::Allowed),
            Err(error) => error,
        };
        let manages_no_swarm = error.no_manager().is_some();
        match error {
            DockerError::Denied { .. } => Ok(Grant::Denied),
            DockerError::NotFound(_) | DockerError::Rejected { .. } | DockerError::Conflict(_) => Ok(Grant::Allowed),
            DockerError::Server { .. } if manages_no_swarm => Ok(Grant::Allowed),
            DockerError::Server { .. } | DockerError::Invalid(_) => Ok(Grant::Unknown(error.to_string())),
            DockerError::NotSent(_) | DockerError::OutcomeUnknown(_) | DockerError::UnsupportedVersion { .. } => {
                Err(error)
            }
        }
    }

    /// What does not exist.
    fn subject(&self, call: DockerCall) -> String {
        match call.subject() {
            None => String::new(),
            Some(Subject::Container | Subject::Network) => self.nothing.to_string(),
            Some(Subject::Service) => service_id(&self.nothing).to_owned(),
            Some(Subject::Image) => format!("sha256:{}", self.nothing),
        }
    }

    /// So that as little as possible is answered.
    fn query(&self, call: DockerCall) -> String {
        let none = || format!("?filters={}", percent_encode(&json!({"id": [service_id(&self.nothing)]}).to_string()));
        match call {
            DockerCall::List => "?limit=1".to_owned(),
            DockerCall::Events => "?since=1&until=1".to_owned(),
            DockerCall::Logs => "?stdout=true&tail=1".to_owned(),
            DockerCall::Stats => "?stream=false&one-shot=true".to_owned(),
            DockerCall::Services | DockerCall::Tasks | DockerCall::Nodes => none(),
            // No container can have this name.
            DockerCall::Create => "?name=%3F".to_owned(),
            DockerCall::ServiceUpdate => "?version=0".to_owned(),
            DockerCall::Version
            | DockerCall::Inspect
            | DockerCall::Top
            | DockerCall::Changes
            | DockerCall::Image
            | DockerCall::Info
            | DockerCall::Service
            | DockerCall::Restart
            | DockerCall::Start
            | DockerCall::Stop
            | DockerCall::Update
            | DockerCall::Connect
            | DockerCall::Remove => String::new(),
            // Without a name it is refused.
            DockerCall::Rename => "?name=".to_owned(),
        }
    }
}

/// What is sent with a call that Docker reads a body of.
fn body(call: DockerCall) -> Option<&'static str> {
    let reads = [DockerCall::Update, DockerCall::Create, DockerCall::Connect, DockerCall::ServiceUpdate];
    reads.contains(&call).then_some(NO_BODY_OF_ANYTHING)
}

impl fmt::Debug for Prober {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Prober({})", self.endpoint)
    }
}
