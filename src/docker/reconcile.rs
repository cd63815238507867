//! Finding out what became of an action whose answer never came.
//!
//! It looks at the very target by its ID until Docker must be done. It never sends anything. What a look
//! means is decided in `model::reconcile`, without a clock or a socket; here is only the loop around it.

use super::client::Reader;
use super::error::DockerError;
use super::{compose, service};
use crate::model::container::Container;
use crate::model::reconcile::{Finding, Inquiry, Look};
use crate::model::service::Service;
use crate::model::step::Reconciliation;
use crate::model::target::TargetId;
use tokio::time::Instant;

/// Looks until it is settled what happened: the verdict, the target as found, and both in words.
pub async fn reconcile(reader: &Reader, reconciliation: &Reconciliation) -> Finding {
    let begun = Instant::now();
    let mut inquiry = Inquiry::new(reconciliation.clone());
    loop {
        let made = begun.elapsed();
        let found = look(reader, &reconciliation.target.id).await;
        let now = (made, begun.elapsed());
        let finding = match &found {
            Ok(Found::Container(found)) => inquiry.look(Look::Found(found), now),
            Ok(Found::Service(found)) => inquiry.look(Look::FoundService(found), now),
            Err(DockerError::NotFound(_)) => inquiry.look(Look::Gone, now),
            Err(error) if error.may_pass() => inquiry.look(Look::Unseen(&error.to_string()), now),
            Err(error) => inquiry.look(Look::Hidden(&error.to_string()), now),
        };
        match finding {
            Ok(finding) => return with_copies(reader, reconciliation, finding).await,
            Err(pause) => tokio::time::sleep(pause).await,
        }
    }
}

/// Of a Compose service, which replicas this very act has made: their labels tell.
async fn with_copies(reader: &Reader, of: &Reconciliation, (found, post, words): Finding) -> Finding {
    let TargetId::Compose(service) = &of.target.id else { return (found, post, words) };
    let words = match compose::made_by(reader, service, of.act).await {
        Ok(made) if made.is_empty() => format!("{words}; none of them was made by {}", of.act),
        Ok(made) => {
            let made: Vec<String> = made.iter().map(|(name, state)| format!("{name} ({})", state.as_str())).collect();
            format!("{words}; made by {}: {}", of.act, made.join(", "))
        }
        Err(error) => format!("{words}; which of them were made by {} is not known: {error}", of.act),
    };
    // What a rollback that broke off has left is put right by a person, who is told how.
    let words = match compose::left_behind(reader, service, of.act).await {
        Ok(left) if left.is_empty() => words,
        Ok(left) => {
            tracing::error!(act.id = %of.act, left, "a rollback broke off: look whether the service runs");
            format!("{words}. {left}")
        }
        Err(error) => format!("{words}; what it has left behind is not known: {error}"),
    };
    (found, post, words)
}

/// What an ID showed.
enum Found {
    Container(Box<Container>),
    Service(Box<Service>),
}

async fn look(reader: &Reader, id: &TargetId) -> Result<Found, DockerError> {
    Ok(match id {
        TargetId::Container(id) => Found::Container(Box::new(reader.inspect(id).await?)),
        TargetId::Swarm(_) | TargetId::Compose(_) => Found::Service(Box::new(service::look(reader, id).await?)),
    })
}
