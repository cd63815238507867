//! How often, and for how long, sending is tried: the same for every way out. Read [`Pace::tries`].

use crate::model::notice::{Notice, NoticeOutcome};
use std::time::Duration;

/// How often, and for how long, sending is tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pace {
    /// How long one try may take.
    pub deadline: Duration,
    /// The pauses between tries: one more try than pauses.
    pub pauses: Vec<Duration>,
}

impl Default for Pace {
    /// Three tries within 35 seconds.
    fn default() -> Self {
        Self { deadline: Duration::from_secs(10), pauses: vec![Duration::from_secs(1), Duration::from_secs(4)] }
    }
}

/// One try that did not succeed.
#[derive(Debug)]
pub(super) struct Failure {
    /// Why, without secrets.
    pub(super) error: String,
    /// Whether the other side may not have seen it, or asks for another try.
    pub(super) try_again: bool,
}

impl Pace {
    /// Tries until it is delivered, or another try is not worth it, or there is none left.
    pub(super) async fn tries<W>(&self, notice: &Notice, once: impl Fn() -> W) -> NoticeOutcome
    where
        W: Future<Output = Result<(), Failure>>,
    {
        let mut pauses = self.pauses.iter();
        loop {
            let Err(failure) = once().await else { return NoticeOutcome::Delivered };
            match pauses.next().filter(|_| failure.try_again) {
                Some(pause) => {
                    tracing::debug!(act.id = %notice.act, error = %failure.error, "a notice is tried again");
                    tokio::time::sleep(*pause).await;
                }
                None => return NoticeOutcome::Failed { error: failure.error },
            }
        }
    }
}
