//! One delivery from the first header to the answer: method, sender, encoding, size, shape, then the inbox.
//!
//! The sender is known before one byte of the body is read. A 200 means that everything the delivery caused is durable;
//! what becomes of the actions never changes the answer. Routes and metrics are the web module's. Read [`Webhook`] first.

use super::answer::{self, Refusal};
use super::auth::Senders;
use super::payload;
use crate::engine::receipt::{AlertAnswer, AlertReceipt};
use crate::inbox::Inbox;
use crate::model::alert::{AlertStatus, Notification};
use axum::body::{Body, HttpBody};
use axum::extract::Request;
use axum::http::{HeaderMap, Method, header};
use axum::response::Response;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use http_body_util::BodyExt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

/// Tells the time; handed in, so that tests can set it.
pub type Clock = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;

/// Refusals are logged at most this often: a sender that is set up wrongly must not fill the disk.
const REFUSALS_LOGGED_EVERY: Duration = Duration::from_secs(60);

/// What a delivery may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WebhookLimits {
    /// The largest body, in bytes.
    pub max_body: usize,
    /// How long a body may take to arrive.
    pub body_deadline: Duration,
    /// How long its records may take to become durable.
    pub accept_deadline: Duration,
}

impl Default for WebhookLimits {
    fn default() -> Self {
        Self {
            max_body: 16 * 1024 * 1024,
            body_deadline: Duration::from_secs(10),
            accept_deadline: Duration::from_secs(5),
        }
    }
}

/// The webhook endpoint.
pub struct Webhook {
    inbox: Inbox,
    /// Fixed for one delivery; the next one may find another.
    door: RwLock<Arc<Door>>,
    limits: WebhookLimits,
    clock: Clock,
    /// Random, so that delivery ids of two runs of the daemon differ.
    run: u32,
    deliveries: AtomicU64,
    refusals: RefusalLog,
}

/// Who is let in, and how much of a body.
struct Door {
    senders: Senders,
    max_body: usize,
}

/// The answer to one request, and what to count.
#[derive(Debug)]
pub struct Received {
    /// What the sender is told.
    pub response: Response,
    /// What was in the body; all zero if it was refused.
    pub tally: Tally,
}

/// What was in a body that was taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Firing alerts.
    pub firing: u64,
    /// Resolved alerts.
    pub resolved: u64,
    /// Alerts that could not be read.
    pub rejected: u64,
    /// Alerts that the sender left out.
    pub truncated: u64,
}

impl Tally {
    fn of(notification: &Notification) -> Self {
        let firing = notification.alerts.iter().filter(|alert| alert.status == AlertStatus::Firing).count();
        Self {
            firing: firing as u64,
            resolved: (notification.alerts.len() - firing) as u64,
            rejected: notification.rejected.len() as u64,
            truncated: notification.truncated_alerts,
        }
    }
}

impl Webhook {
    /// Makes the endpoint.
    #[must_use]
    pub fn new(inbox: Inbox, senders: Senders, limits: WebhookLimits, clock: Clock) -> Self {
        let door = RwLock::new(Arc::new(Door { senders, max_body: limits.max_body }));
        Self {
            inbox,
            door,
            limits,
            clock,
            // Without randomness ids still differ within this run, which is all that correctness needs of them.
            run: getrandom::u32().unwrap_or(0),
            deliveries: AtomicU64::new(0),
            refusals: RefusalLog::default(),
        }
    }

    /// From the next delivery on, these senders are let in, with bodies of up to this length.
    pub fn change(&self, senders: Senders, max_body: usize) {
        *self.door.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(Door { senders, max_body });
    }

    /// Takes one request, whatever its method.
    pub async fn receive(&self, request: Request) -> Received {
        let number = self.deliveries.fetch_add(1, Ordering::Relaxed);
        let delivery = format!("{:08x}-{number}", self.run);
        let door = Arc::clone(&self.door.read().unwrap_or_else(PoisonError::into_inner));
        match self.take(request, &door, &delivery).await {
            Ok((tally, receipts, rejected)) => {
                log_taken(&delivery, &receipts, rejected);
                Received { response: answer::accepted(&delivery, &receipts, rejected), tally }
            }
            Err(refusal) => {
                self.refusals.note(&delivery, &refusal);
                Received { response: refusal.response(|| door.senders.challenge()), tally: Tally::default() }
            }
        }
    }

    /// Whether the headers prove that a configured sender sends it. Where none is configured, nobody's do.
    #[must_use]
    pub fn knows(&self, headers: &HeaderMap) -> bool {
        let door = Arc::clone(&self.door.read().unwrap_or_else(PoisonError::into_inner));
        !door.senders.is_empty() && door.senders.verify(headers).is_ok()
    }

    async fn take(
        &self,
        request: Request,
        door: &Door,
        delivery: &str,
    ) -> Result<(Tally, Vec<AlertReceipt>, usize), Refusal> {
        let (head, body) = request.into_parts();
        if head.method != Method::POST && head.method != Method::PUT {
            return Err(Refusal::Method(head.method.as_str().chars().take(20).collect()));
        }
        let verified = door.senders.verify(&head.headers).map_err(Refusal::Unauthorized)?;
        refuse_encoding(&head.headers)?;
        refuse_page(&head.headers)?;
        let body = self.read(body, door.max_body).await?;
        let notification = payload::decode(&body, verified.sender(), (self.clock)()).map_err(Refusal::Payload)?;
        drop(body);
        note_losses(delivery, &notification);
        let tally = Tally::of(&notification);
        let rejected = notification.rejected.len();
        let receipts = self.submit(notification).await?;
        Ok((tally, receipts, rejected))
    }

    /// Reads the body, at most one byte more than is allowed.
    #[expect(clippy::disallowed_methods, reason = "a half-read body is dropped whole; nothing was done for it yet")]
    async fn read(&self, body: Body, len_max: usize) -> Result<Bytes, Refusal> {
        let deadline = self.limits.body_deadline;
        let read = tokio::time::timeout(deadline, collect(body, len_max));
        read.await.unwrap_or(Err(Refusal::SlowBody(deadline)))
    }

    /// Hands in and waits. A delivery that is given up here may still be carried out: its repeat is then a duplicate.
    #[expect(clippy::disallowed_methods, reason = "only the wait for the answer is dropped, never the delivery")]
    async fn submit(&self, notification: Notification) -> Result<Vec<AlertReceipt>, Refusal> {
        let deadline = self.limits.accept_deadline;
        match tokio::time::timeout(deadline, self.inbox.submit(notification)).await {
            Ok(answer) => answer.map_err(Refusal::Unavailable),
            Err(_elapsed) => Err(Refusal::SlowLog(deadline)),
        }
    }
}

/// Ties the delivery to the incidents it opened: from there on, log lines carry the incident's id down to Docker.
fn log_taken(delivery: &str, receipts: &[AlertReceipt], rejected: usize) {
    tracing::debug!(delivery.id = %delivery, alerts = receipts.len(), rejected, "delivery taken");
    for receipt in receipts.iter().filter(|receipt| receipt.answer == AlertAnswer::Accepted) {
        if let Some(incident) = receipt.incident {
            tracing::info!(delivery.id = %delivery, incident.id = %incident, "the delivery opened an incident");
        }
    }
}

/// Whatever page somebody looks at on this machine could send alerts here, and have containers treated. Browsers say that it
/// was a page, and nothing that sends alerts says so; whose page it is does not matter, for a name can be made to lead here.
fn refuse_page(headers: &HeaderMap) -> Result<(), Refusal> {
    let by_page = headers.contains_key(header::ORIGIN) || headers.contains_key("sec-fetch-site");
    if by_page { Err(Refusal::Page) } else { Ok(()) }
}

/// Compressed bodies are not unpacked: a small one could hold more than the machine's memory.
fn refuse_encoding(headers: &HeaderMap) -> Result<(), Refusal> {
    for value in headers.get_all(header::CONTENT_ENCODING) {
        let plain = value.as_bytes().trim_ascii();
        if !plain.is_empty() && !plain.eq_ignore_ascii_case(b"identity") {
            return Err(Refusal::Encoding(String::from_utf8_lossy(plain).chars().take(40).collect()));
        }
    }
    Ok(())
}

/// Gathers the body; one that arrives in a single piece is not copied.
async fn collect(mut body: Body, len_max: usize) -> Result<Bytes, Refusal> {
    let too_large = || Refusal::TooLarge(len_max);
    if len_max < usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX) {
        return Err(too_large());
    }
    let mut first = Bytes::new();
    let mut all = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Refusal::BrokenBody(error.to_string()))?;
        let Ok(piece) = frame.into_data() else { continue };
        if len_max < first.len().max(all.len()) + piece.len() {
            return Err(too_large());
        }
        if first.is_empty() && all.is_empty() {
            first = piece;
        } else {
            all.extend_from_slice(&std::mem::take(&mut first));
            all.extend_from_slice(&piece);
        }
    }
    Ok(if all.is_empty() { first } else { all.into() })
}

/// What was in the group and never reaches a decision is told to the operator.
fn note_losses(delivery: &str, notification: &Notification) {
    if let Some(first) = notification.rejected.first() {
        tracing::warn!(
            delivery.id = %delivery,
            rejected = notification.rejected.len(),
            alert.index = first.index,
            problem = %first.problem,
            "some alerts of a delivery cannot be read; the others are handled"
        );
    }
    if notification.truncated_alerts > 0 {
        tracing::warn!(
            delivery.id = %delivery,
            truncated = notification.truncated_alerts,
            "the sender left alerts out; set `max_alerts: 0` for this webhook in alertmanager.yml"
        );
    }
}

/// Logs the first refusal of a minute and counts the others.
#[derive(Debug, Default)]
struct RefusalLog {
    last: Mutex<Option<Instant>>,
    unlogged: AtomicU64,
}

impl RefusalLog {
    fn note(&self, delivery: &str, refusal: &Refusal) {
        let now = Instant::now();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_some_and(|last| now.duration_since(last) < REFUSALS_LOGGED_EVERY) {
            self.unlogged.fetch_add(1, Ordering::Relaxed);
            return;
        }
        *last = Some(now);
        drop(last);
        let unlogged = self.unlogged.swap(0, Ordering::Relaxed);
        tracing::warn!(
            delivery.id = %delivery,
            code = refusal.status().as_u16(),
            refused.before = unlogged,
            "webhook delivery refused: {refusal}"
        );
    }
}
