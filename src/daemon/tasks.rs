//! The only place that spawns tasks, so that stopping knows every one of them.
//!
//! Work that changes or tells something is waited for when the daemon stops; work that only looks is dropped, because
//! the next start begins it again from the log.

use std::future::Future;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The daemon's tasks.
#[derive(Clone, Debug)]
pub struct Tasks {
    tracker: TaskTracker,
    stopping: CancellationToken,
    broken: CancellationToken,
}

impl Tasks {
    /// No task yet. `stopping` ends those that only look; `broken` is set if one of them panics.
    #[must_use]
    pub fn new(stopping: CancellationToken, broken: CancellationToken) -> Self {
        Self { tracker: TaskTracker::new(), stopping, broken }
    }

    /// Starts work that must be allowed to end: it is waited for.
    pub fn finish(&self, name: &'static str, work: impl Future<Output = ()> + Send + 'static) {
        let inner = self.tracker.spawn(work);
        let broken = self.broken.clone();
        self.tracker.spawn(async move {
            if let Err(error) = inner.await
                && error.is_panic()
            {
                // An effect without an answer would leave its incident waiting for ever. The next start picks it up.
                tracing::error!(task.name = name, "a task panicked: the daemon stops so that its log is replayed");
                broken.cancel();
            }
        });
    }

    /// Starts work that only looks: dropped when the daemon stops.
    pub fn watch(&self, name: &'static str, work: impl Future<Output = ()> + Send + 'static) {
        let stopping = self.stopping.clone();
        self.finish(name, async move {
            tokio::select! {
                () = stopping.cancelled() => {}
                () = work => {}
            }
        });
    }

    /// Waits until every task has ended. Call it with a deadline of one's own.
    pub async fn drained(&self) {
        self.tracker.close();
        self.tracker.wait().await;
    }
}
