//! Looks every second whether `web.config_file`, or a file that it names, has changed, and takes what is new.
//!
//! What cannot be read, and what would take a protection away, changes nothing: what was there before stays, and the log
//! and a metric say so. Files are written bit by bit, so one counts as changed when it has stayed so for a second. Read
//! [`Follower::follow`] first.

use super::parts;
use crate::settings::web_file::{FilesDigest, WebFile};
use crate::telemetry::metrics::Metrics;
use crate::web::front::Front;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How often is looked.
const EVERY: Duration = Duration::from_secs(1);

/// What is in force. Cheap to clone.
#[derive(Clone)]
pub struct Follower {
    front: Arc<Front>,
    metrics: Arc<Metrics>,
    current: Arc<Mutex<Option<Arc<WebFile>>>>,
}

/// What was seen and not taken.
#[derive(Default)]
struct Seen {
    digest: Option<FilesDigest>,
    refused: Option<String>,
}

impl Follower {
    /// Puts what was read at the start in force.
    #[must_use]
    pub fn new(file: Option<Arc<WebFile>>, front: Arc<Front>, metrics: Arc<Metrics>) -> Self {
        let follower = Self { front, metrics, current: Arc::default() };
        follower.take(file);
        follower
    }

    /// Puts what a reload has read in force.
    pub fn take(&self, file: Option<Arc<WebFile>>) {
        self.front.change(parts::door(file.as_deref()));
        if let Some(file) = &file {
            self.metrics.web_config_taken(file.tls.as_ref().map(|tls| tls.expires));
        }
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = file;
    }

    /// Looks for as long as the daemon runs.
    pub async fn follow(self) {
        let mut seen = Seen::default();
        loop {
            tokio::time::sleep(EVERY).await;
            let Some(current) = self.current() else { continue };
            let follower = self.clone();
            // Files may be slow, and nothing else waits for them.
            let looked = tokio::task::spawn_blocking(move || {
                follower.look(&current, &mut seen);
                seen
            });
            seen = looked.await.unwrap_or_default();
        }
    }

    fn current(&self) -> Option<Arc<WebFile>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Looks once.
    fn look(&self, current: &Arc<WebFile>, seen: &mut Seen) {
        let digest = current.digest_now();
        if digest == current.digest {
            if seen.refused.take().is_some() {
                tracing::info!(file = %current.path.display(), "the files of web.config_file are as they were");
                self.metrics.web_config_taken(None);
            }
            seen.digest = None;
            return;
        }
        if seen.digest != Some(digest) {
            seen.digest = Some(digest);
            return;
        }
        let read = WebFile::read(&current.path).map_err(|problems| problems.join("; "));
        let new = read.and_then(|new| current.may_become(&new).map(|()| new));
        match new {
            Ok(new) => {
                *seen = Seen::default();
                self.replace(current, Arc::new(new));
            }
            Err(problem) => {
                self.metrics.web_config_refused();
                if seen.refused.as_ref() != Some(&problem) {
                    tracing::error!(
                        problem,
                        "web.config_file has changed and is not taken; what was read before stays"
                    );
                    seen.refused = Some(problem);
                }
            }
        }
    }

    /// Unless a reload has been quicker.
    fn replace(&self, current: &Arc<WebFile>, new: Arc<WebFile>) {
        if self.current().is_some_and(|now| Arc::ptr_eq(&now, current)) {
            tracing::info!(file = %new.path.display(), "took the new files of web.config_file");
            self.take(Some(new));
        }
    }
}
