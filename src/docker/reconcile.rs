//! Finding out what became of an action whose answer never came.
//!
//! It waits until Docker must be done and looks at the very container by its ID. It never sends anything. What a look
//! means is decided in `model::reconcile`, without a clock or a socket; here is only the loop around it.

use super::client::Reader;
use super::error::DockerError;
use crate::model::reconcile::{Finding, Inquiry, Look};
use crate::model::step::Reconciliation;
use tokio::time::Instant;

/// Waits, looks, and says what happened: the verdict, the container as found, and both in words.
pub async fn reconcile(reader: &Reader, reconciliation: &Reconciliation) -> Finding {
    tokio::time::sleep(reconciliation.settle).await;
    let begun = Instant::now();
    let mut inquiry = Inquiry::new(reconciliation.clone());
    loop {
        let found = reader.inspect(&reconciliation.target.id).await;
        let now = begun.elapsed();
        let finding = match &found {
            Ok(found) => inquiry.look(Look::Found(found), now),
            Err(DockerError::NotFound(_)) => inquiry.look(Look::Gone, now),
            Err(error) if error.may_pass() => inquiry.look(Look::Unseen(&error.to_string()), now),
            Err(error) => inquiry.look(Look::Hidden(&error.to_string()), now),
        };
        match finding {
            Ok(finding) => return finding,
            Err(pause) => tokio::time::sleep(pause).await,
        }
    }
}
