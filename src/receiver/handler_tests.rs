//! Every answer of the endpoint, against a stand-in for the dispatcher that answers the inbox.

use super::auth::{Credential, Sender, Senders};
use super::handler::{Received, Tally, Webhook, WebhookLimits};
use crate::engine::event::Event;
use crate::engine::receipt::{AlertAnswer, AlertReceipt, Reply};
use crate::engine::snapshot::Snapshot;
use crate::inbox::{Delivery, Inbox};
use axum::body::Body;
use axum::extract::Request;
use http_body_util::BodyExt;
use secrecy::SecretString;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

const GOOD: &str = r#"{"version":"4","alerts":[{"status":"firing","labels":{"alertname":"X"}}]}"#;
const MIXED: &str = r#"{"truncatedAlerts":3,"alerts":[{"status":"firing","labels":{"alertname":"X"}},
    {"status":"resolved","labels":{"alertname":"Y"}},5]}"#;

fn limits() -> WebhookLimits {
    let short = Duration::from_millis(150);
    WebhookLimits { max_body: 1000, body_deadline: short, accept_deadline: short }
}

fn webhook() -> (Webhook, mpsc::Receiver<Delivery>) {
    let (_, snapshot) = watch::channel(Arc::new(Snapshot::default()));
    let (inbox, deliveries) = Inbox::new(snapshot);
    let token = Credential::Bearer(SecretString::from("token"));
    let senders = Senders::new(&[Sender { name: "alertmanager".to_owned(), credential: token }]);
    let clock = Arc::new(|| chrono::DateTime::from_timestamp(1_795_000_000, 0).unwrap());
    (Webhook::new(inbox, senders, limits(), clock), deliveries)
}

/// Says "accepted" to every alert, as the dispatcher would.
async fn stand_in(mut deliveries: mpsc::Receiver<Delivery>) {
    while let Some(Delivery { event, ack }) = deliveries.recv().await {
        let Event::NotificationReceived(notification) = event else { continue };
        assert_eq!(&*notification.sender, "alertmanager");
        let accept = |alert: &crate::model::alert::Alert| AlertReceipt {
            fingerprint: alert.fingerprint,
            answer: AlertAnswer::Accepted,
            incident: None,
            playbook: None,
            reason: None,
        };
        let _gone = ack.send(Reply::Alerts(notification.alerts.iter().map(accept).collect()));
    }
}

fn post(body: impl Into<Body>) -> Request {
    Request::post("/api/v1/webhook").header("Authorization", "Bearer token").body(body.into()).unwrap()
}

async fn receive(request: Request) -> Received {
    let (webhook, deliveries) = webhook();
    let mut tasks = JoinSet::new();
    tasks.spawn(stand_in(deliveries));
    webhook.receive(request).await
}

async fn text(received: Received) -> String {
    String::from_utf8(received.response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

#[tokio::test]
async fn a_good_body_is_answered_when_its_records_are_durable() {
    let received = receive(post(MIXED)).await;
    assert_eq!(received.response.status(), 200);
    assert_eq!(received.tally, Tally { firing: 1, resolved: 1, rejected: 1, truncated: 3 });
    let text = text(received).await;
    assert!(
        text.contains(r#""accepted":2,"duplicates":0,"no_match":0,"refused":0,"resolved":0,"rejected":1"#),
        "{text}"
    );
    let mut put = post(GOOD);
    *put.method_mut() = axum::http::Method::PUT;
    put.headers_mut().insert("Content-Type", "text/plain".parse().unwrap());
    put.headers_mut().insert("Content-Encoding", "identity".parse().unwrap());
    assert_eq!(receive(put).await.response.status(), 200);
}

#[tokio::test]
async fn every_refusal_has_its_code_and_says_why_in_less_than_a_kilobyte() {
    let with = |name: &str, value: &str| {
        let mut request = post(GOOD);
        request.headers_mut().insert(axum::http::HeaderName::try_from(name).unwrap(), value.parse().unwrap());
        request
    };
    let anonymous = || Request::post("/webhook").body(Body::from(GOOD)).unwrap();
    let get = || Request::get("/webhook").body(Body::empty()).unwrap();
    let long = format!(r#"{{"alerts":[],"x":"{}"}}"#, "y".repeat(1000));
    for (request, code, why) in [
        (post("{"), 400, "not JSON"),
        (post(""), 400, "it is empty"),
        (post("[]"), 400, "Prometheus' own alert push"),
        (post(r#"{"text":"x"}"#), 400, "no `alerts` list"),
        (post(r#"{"alerts":[{}]}"#), 400, "none of the 1 alerts can be read; alert 0: `labels` is empty"),
        (anonymous(), 401, "no credentials"),
        (with("authorization", "Bearer tokem"), 401, "fit no sender"),
        (get(), 405, "use POST or PUT"),
        (post(long.clone()), 413, "larger than 1000 bytes; set `max_alerts`"),
        (with("content-encoding", "gzip"), 415, "gzip"),
        (with("origin", "http://evil.example"), 403, "no page sends alerts"),
        (with("origin", "null"), 403, "no page sends alerts"),
        (with("sec-fetch-site", "cross-site"), 403, "no page sends alerts"),
        // A name that was made to lead here is a page's own origin.
        (with("sec-fetch-site", "same-origin"), 403, "no page sends alerts"),
    ] {
        let received = receive(request).await;
        assert_eq!(received.response.status(), code, "{why}");
        assert_eq!(received.tally, Tally::default());
        let headers = received.response.headers().clone();
        assert_eq!(headers.contains_key("www-authenticate"), code == 401);
        assert_eq!(headers.get("allow").map(|allow| allow.as_bytes()), (code == 405).then_some(&b"POST, PUT"[..]));
        let text = text(received).await;
        assert!(text.contains(why) && text.len() < 1024, "{text}");
    }
}

#[tokio::test]
async fn a_body_of_unknown_length_is_cut_at_the_limit() {
    let pieces = (0..1_000_000).map(|_| Ok::<_, std::io::Error>(axum::body::Bytes::from_static(&[b' '; 100])));
    let read = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counter = Arc::clone(&read);
    let frames = pieces.inspect(move |_| {
        counter.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    });
    let body = Body::new(Frames(frames));
    assert_eq!(receive(post(body)).await.response.status(), 413);
    assert!(read.load(std::sync::atomic::Ordering::Relaxed) <= 11);
}

/// A body that never ends arriving.
struct Frames<I>(I);

impl<I: Iterator<Item = Result<axum::body::Bytes, std::io::Error>> + Unpin> axum::body::HttpBody for Frames<I> {
    type Data = axum::body::Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<Self::Data>, Self::Error>>> {
        std::task::Poll::Ready(self.0.next().map(|piece| piece.map(hyper::body::Frame::data)))
    }
}

#[tokio::test]
async fn the_sender_is_checked_before_the_body_is_read() {
    let mut request = post(Body::new(Never));
    request.headers_mut().remove("authorization");
    assert_eq!(receive(request).await.response.status(), 401);
    let slow = receive(post(Body::new(Never))).await;
    assert_eq!(slow.response.status(), 408);
    assert!(text(slow).await.contains("did not arrive within 0.15 seconds"));
}

/// A body that never arrives.
struct Never;

impl axum::body::HttpBody for Never {
    type Data = axum::body::Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<Self::Data>, Self::Error>>> {
        std::task::Poll::Pending
    }
}

#[tokio::test]
async fn what_cannot_be_made_durable_is_a_503() {
    let (closed, deliveries) = webhook();
    drop(deliveries);
    let received = closed.receive(post(GOOD)).await;
    assert_eq!(received.response.status(), 503);

    let (slow, mut kept) = webhook();
    let received = slow.receive(post(GOOD)).await;
    assert_eq!(received.response.status(), 503);
    assert!(text(received).await.contains("not durable within 0.15 seconds"));
    assert!(kept.recv().await.is_some(), "the delivery itself was handed in");

    let (dropped, mut deliveries) = webhook();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { drop(deliveries.recv().await) });
    assert_eq!(dropped.receive(post(GOOD)).await.response.status(), 503);
}

#[tokio::test]
async fn a_full_inbox_is_a_503_at_once() {
    let (webhook, _deliveries) = webhook();
    let webhook = Arc::new(webhook);
    let mut waiting = JoinSet::new();
    for _ in 0..crate::inbox::INBOX_LEN_MAX + 1 {
        let webhook = Arc::clone(&webhook);
        waiting.spawn(async move { text(webhook.receive(post(GOOD)).await).await });
    }
    let answers = waiting.join_all().await;
    assert_eq!(answers.iter().filter(|text| text.contains("the inbox is full")).count(), 1);
}
