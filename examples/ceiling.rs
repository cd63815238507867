//! The reference for `make bench`: the least a durable receiver can do, in the same frameworks and on the same machine.
//!
//! `POST /durable` parses the body with types and appends each alert's labels as one line; requests that come together
//! share one write and one `fdatasync`. `POST /parse` only parses. No decision, no chain, no limits.
//! Usage: `ceiling ADDRESS FILE`.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::routing::post;
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use tokio::sync::{mpsc, oneshot};

#[derive(Deserialize)]
#[expect(dead_code, reason = "decoded to cost what decoding costs")]
struct Body<'a> {
    #[serde(borrow)]
    status: Cow<'a, str>,
    #[serde(borrow, rename = "groupKey")]
    group_key: Cow<'a, str>,
    #[serde(borrow)]
    alerts: Vec<Alert<'a>>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "decoded to cost what decoding costs")]
struct Alert<'a> {
    #[serde(borrow)]
    status: Cow<'a, str>,
    #[serde(borrow)]
    labels: BTreeMap<Cow<'a, str>, Cow<'a, str>>,
    #[serde(borrow)]
    annotations: BTreeMap<Cow<'a, str>, Cow<'a, str>>,
    #[serde(borrow, rename = "startsAt")]
    starts_at: Cow<'a, str>,
}

type Commit = (Vec<u8>, oneshot::Sender<()>);

async fn durable(State(log): State<mpsc::Sender<Commit>>, body: Bytes) -> StatusCode {
    let Ok(parsed) = serde_json::from_slice::<Body<'_>>(&body) else { return StatusCode::BAD_REQUEST };
    let mut lines = Vec::with_capacity(body.len());
    for alert in &parsed.alerts {
        if serde_json::to_writer(&mut lines, &alert.labels).is_err() {
            return StatusCode::INTERNAL_SERVER_ERROR;
        }
        lines.push(b'\n');
    }
    let (done, committed) = oneshot::channel();
    if log.send((lines, done)).await.is_err() || committed.await.is_err() {
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    StatusCode::OK
}

async fn parse(body: Bytes) -> StatusCode {
    match serde_json::from_slice::<Body<'_>>(&body) {
        Ok(parsed) if !parsed.alerts.is_empty() => StatusCode::OK,
        Ok(_) | Err(_) => StatusCode::BAD_REQUEST,
    }
}

fn write(mut file: File, mut queue: mpsc::Receiver<Commit>) -> std::io::Result<()> {
    let mut group = Vec::new();
    let mut waiting = Vec::new();
    while let Some((lines, done)) = queue.blocking_recv() {
        group.extend(lines);
        waiting.push(done);
        while let Ok((lines, done)) = queue.try_recv() {
            group.extend(lines);
            waiting.push(done);
        }
        file.write_all(&group)?;
        file.sync_data()?;
        group.clear();
        for done in waiting.drain(..) {
            _ = done.send(());
        }
    }
    Ok(())
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let mut args = std::env::args().skip(1);
    let (Some(address), Some(path)) = (args.next(), args.next()) else {
        return Err(std::io::Error::other("usage: ceiling ADDRESS FILE"));
    };
    let file = OpenOptions::new().create(true).append(true).open(path)?;
    let (log, queue) = mpsc::channel(1024);
    std::thread::spawn(move || write(file, queue));
    let router = Router::new()
        .route("/durable", post(durable))
        .route("/parse", post(parse))
        .layer(DefaultBodyLimit::max(16 << 20))
        .with_state(log);
    let listener = tokio::net::TcpListener::bind(address).await?;
    axum::serve(listener, router).await
}
