//! The stream: what it tells at once, when it tells more, and when it ends.

use super::guard::Peer;
use super::health::{Condition, Phase};
use super::routes_tests::{TestSite, peopled_site, ready};
use crate::engine::snapshot::Snapshot;
use axum::body::Body;
use axum::http::{Request, Response};
use http_body_util::BodyExt;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tower::ServiceExt;

async fn begin(site: &TestSite, token: &str) -> Response<Body> {
    let request = Request::get("/api/v1/stream")
        .extension(Peer::Address("192.0.2.7".parse().unwrap()))
        .header("authorization", format!("Bearer {token}"));
    site.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
}

/// What comes next, as text; `None` at the end.
async fn next(body: &mut Body) -> Option<String> {
    let frame = body.frame().await?;
    Some(String::from_utf8(frame.unwrap().into_data().unwrap().to_vec()).unwrap())
}

fn data(text: &str, event: &str) -> Option<Value> {
    let line = text.split("\n\n").find_map(|part| part.strip_prefix(&format!("event: {event}\ndata: ")))?;
    Some(serde_json::from_str(line).unwrap())
}

#[tokio::test(start_paused = true)]
async fn it_tells_what_is_open_and_then_what_changes_and_ends_in_time() {
    let site = peopled_site(None);
    site.condition.send_replace(ready());
    assert_eq!(begin(&site, "bob-has-another-token").await.status(), 401);
    let response = begin(&site, "bob-has-a-long-token").await;
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut body = response.into_body();
    assert_eq!(next(&mut body).await.unwrap(), "retry: 1000\n\n");
    let first = next(&mut body).await.unwrap();
    assert_eq!(data(&first, "approvals").unwrap()["approvals"][0]["id"], "i12.1");
    assert_eq!(data(&first, "incidents").unwrap()["incidents"][0]["id"], "i12");

    // Only what changed, and no second that has passed.
    let mut snapshot = Snapshot::clone(&site.site.inbox.snapshot());
    snapshot.approvals[0].left = Duration::from_secs(1);
    site.snapshots.send_replace(Arc::new(snapshot.clone()));
    snapshot.incidents.clear();
    site.snapshots.send_replace(Arc::new(snapshot.clone()));
    let second = next(&mut body).await.unwrap();
    assert_eq!(
        (data(&second, "approvals"), data(&second, "incidents").unwrap()["incidents"].as_array().unwrap().len()),
        (None, 0)
    );
    snapshot.approvals[0].yes.push("ada".to_owned());
    site.snapshots.send_replace(Arc::new(snapshot));
    let third = next(&mut body).await.unwrap();
    assert_eq!(data(&third, "approvals").unwrap()["approvals"][0]["yes"][0], "ada");
    assert_eq!(data(&third, "incidents"), None);

    // Nothing happens: a sign of life now and then, and an end before the server takes it for dead.
    let began = tokio::time::Instant::now();
    let mut signs = 0;
    while let Some(sign) = next(&mut body).await {
        assert_eq!(sign, ":\n\n");
        signs += 1;
    }
    assert!(signs == 3 && began.elapsed() < Duration::from_secs(60), "{signs} in {:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn it_ends_when_the_daemon_stops_and_there_are_not_more_than_there_may_be() {
    let site = peopled_site(None);
    site.condition.send_replace(ready());
    let mut streams = Vec::new();
    for _ in 0..64 {
        streams.push(begin(&site, "bob-has-a-long-token").await);
    }
    assert!(streams.iter().all(|stream| stream.status() == 200));
    assert_eq!(begin(&site, "bob-has-a-long-token").await.status(), 503);
    let mut body = streams.pop().unwrap().into_body();
    for _ in 0..2 {
        next(&mut body).await.unwrap();
    }
    site.condition.send_replace(Condition { phase: Phase::Stopping, ..ready() });
    assert_eq!(next(&mut body).await, None);
    drop(body);
    assert_eq!(begin(&site, "bob-has-a-long-token").await.status(), 200);
}
