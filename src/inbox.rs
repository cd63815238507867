//! The bounded way in: receivers put events here and wait until what they caused is durable.
//!
//! The dispatcher is the only reader. A full or closed inbox is an answer, not a wait: the sender gets 503 and tries again.

use crate::engine::event::{Event, NewConfig};
use crate::engine::receipt::{AlertReceipt, Reply, Switched, Voted};
use crate::engine::ruleset::Changes;
use crate::engine::snapshot::Snapshot;
use crate::model::alert::Notification;
use crate::model::approval::Ballot;
use crate::model::id::IncidentId;
use crate::model::pause::{Pause, PauseScope};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot, watch};

/// How many deliveries may wait for the dispatcher.
pub const INBOX_LEN_MAX: usize = 1024;

/// One event with the way to answer whoever brought it.
#[derive(Debug)]
pub struct Delivery {
    /// What happened.
    pub event: Event,
    /// Answered once the event's records are durable; dropped if they cannot become so.
    pub ack: oneshot::Sender<Reply>,
}

/// Why a delivery was not taken. Every one of them means: try again later (503).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    /// Too many deliveries are waiting.
    #[error("the inbox is full")]
    Full,
    /// The daemon is stopping, or its log cannot be written.
    #[error("the incident log cannot be written or the daemon is stopping")]
    Closed,
}

/// The senders' end, cheap to clone.
#[derive(Clone, Debug)]
pub struct Inbox {
    deliveries: mpsc::Sender<Delivery>,
    snapshot: watch::Receiver<Arc<Snapshot>>,
}

impl Inbox {
    /// Makes an inbox and the dispatcher's end of it.
    #[must_use]
    pub fn new(snapshot: watch::Receiver<Arc<Snapshot>>) -> (Self, mpsc::Receiver<Delivery>) {
        let (deliveries, receiver) = mpsc::channel(INBOX_LEN_MAX);
        (Self { deliveries, snapshot }, receiver)
    }

    /// Hands in a notification and waits until everything it caused is durable.
    ///
    /// # Errors
    /// [`Unavailable`] if it was not taken or could not be made durable; nothing was done for it then.
    pub async fn submit(&self, notification: Notification) -> Result<Vec<AlertReceipt>, Unavailable> {
        let (delivery, answer) = question(Event::NotificationReceived(notification));
        self.deliveries.try_send(delivery).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(_) => Unavailable::Full,
            mpsc::error::TrySendError::Closed(_) => Unavailable::Closed,
        })?;
        match answer.await.map_err(|_dropped| Unavailable::Closed)? {
            Reply::Alerts(receipts) => Ok(receipts),
            Reply::Switched(_) | Reply::Voted(_) | Reply::Reloaded(_) | Reply::NotReloaded => Err(Unavailable::Closed),
        }
    }

    /// Sets a pause, and waits until it is durable.
    ///
    /// # Errors
    /// As [`Self::submit`].
    pub async fn pause(&self, pause: Pause) -> Result<Switched, Unavailable> {
        self.switch(Event::PauseRequested(pause)).await
    }

    /// Ends a pause, and waits until that is durable.
    ///
    /// # Errors
    /// As [`Self::submit`].
    pub async fn resume(&self, scope: PauseScope, by: String, reason: String) -> Result<Switched, Unavailable> {
        self.switch(Event::ResumeRequested { scope, by, reason }).await
    }

    /// Hands in what a reload read, and waits until the record of it is durable.
    ///
    /// # Errors
    /// As [`Self::submit`].
    pub async fn reload(&self, new: NewConfig) -> Result<Changes, Unavailable> {
        match self.ask(Event::Reloaded(Box::new(new))).await? {
            Reply::Reloaded(changes) => Ok(changes),
            Reply::Alerts(_) | Reply::Switched(_) | Reply::Voted(_) | Reply::NotReloaded => Err(Unavailable::Closed),
        }
    }

    /// Has it recorded why nothing was reloaded, and waits until that is durable.
    ///
    /// # Errors
    /// As [`Self::submit`].
    pub async fn reload_failed(&self, problem: String, by: Option<String>) -> Result<(), Unavailable> {
        self.ask(Event::ReloadFailed { problem, by }).await.map(|_reply| ())
    }

    /// Resets the breaker of a target, and waits until that is durable.
    ///
    /// # Errors
    /// As [`Self::submit`].
    pub async fn reset(&self, target: Arc<str>, by: String, reason: String) -> Result<Switched, Unavailable> {
        self.switch(Event::BreakerResetRequested { target, by, reason }).await
    }

    /// Ends an incident, and waits until that is durable.
    ///
    /// # Errors
    /// As [`Self::submit`].
    pub async fn abort(&self, incident: IncidentId, by: String, reason: String) -> Result<Switched, Unavailable> {
        self.switch(Event::AbortRequested { incident, by, reason }).await
    }

    /// Hands in somebody's vote, and waits until it is durable.
    ///
    /// # Errors
    /// As [`Self::submit`].
    pub async fn vote(&self, ballot: Ballot) -> Result<Voted, Unavailable> {
        match self.ask(Event::VoteCast(ballot)).await? {
            Reply::Voted(voted) => Ok(voted),
            Reply::Alerts(_) | Reply::Switched(_) | Reply::Reloaded(_) | Reply::NotReloaded => Err(Unavailable::Closed),
        }
    }

    /// Waits for a place: in a storm of alerts, the switch is needed most.
    async fn switch(&self, event: Event) -> Result<Switched, Unavailable> {
        match self.ask(event).await? {
            Reply::Switched(switched) => Ok(switched),
            Reply::Alerts(_) | Reply::Voted(_) | Reply::Reloaded(_) | Reply::NotReloaded => Err(Unavailable::Closed),
        }
    }

    /// Waits for a place: in a storm of alerts, the switch is needed most.
    async fn ask(&self, event: Event) -> Result<Reply, Unavailable> {
        let (delivery, answer) = question(event);
        self.deliveries.send(delivery).await.map_err(|_closed| Unavailable::Closed)?;
        answer.await.map_err(|_dropped| Unavailable::Closed)
    }

    /// Each copy of the state, from the latest on.
    #[must_use]
    pub fn snapshots(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.snapshot.clone()
    }

    /// The latest copy of the state.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshot.borrow())
    }
}

fn question(event: Event) -> (Delivery, oneshot::Receiver<Reply>) {
    let (ack, answer) = oneshot::channel();
    (Delivery { event, ack }, answer)
}
