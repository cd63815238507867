//! The only place that writes the log: one thread that owns the file and commits in groups.
//!
//! Whatever waits in the queue becomes one `write` and one `fdatasync`; only then is it reported durable. A write that
//! fails is taken back and tried again; anything that leaves in doubt what the disk holds poisons the file, and it is
//! never written again (`docs/decisions/0001-log-write-failures.md`). Read [`LogWriter`] first.

use super::open::OpenedLog;
use crate::model::fact::Record;
use crate::model::id::Seq;
use crate::record::{Hash, encode};
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// How many batches may wait to be written.
pub const QUEUE_LEN_MAX: usize = 1024;
const GROUP_RECORDS_MAX: u64 = 4096;
const GROUP_LEN_MAX: usize = 4 << 20;
const RETRY_EVERY: Duration = Duration::from_secs(1);

/// What became of batches, in the order in which it happened. Told on the writer's own thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogEvent {
    /// Everything up to and including `last` is on disk.
    Durable {
        /// The last durable record.
        last: Seq,
        /// Its hash.
        head: Hash,
        /// The active segment's size.
        size: u64,
        /// How long write and sync took.
        took: Duration,
    },
    /// The log cannot be written now; it is tried again every second. Nothing that waits is durable.
    Stalled {
        /// Why.
        error: String,
    },
    /// It can be written again; what waited is about to be reported durable.
    Resumed,
    /// The log will not be written again by this process. Nothing that waits is durable.
    Poisoned {
        /// Why.
        error: String,
    },
}

/// The log is no longer written: poisoned, or closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the incident log is no longer written")]
pub struct LogClosed;

/// Hands batches to the writer's thread.
#[derive(Debug)]
pub struct LogWriter {
    batches: mpsc::Sender<Vec<Record>>,
    thread: JoinHandle<()>,
}

impl LogWriter {
    /// Starts the thread. It tells `notify` what becomes of the batches.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn start(log: OpenedLog, notify: impl FnMut(LogEvent) + Send + 'static) -> io::Result<Self> {
        let (batches, queue) = mpsc::channel(QUEUE_LEN_MAX);
        let worker = Worker { log, queue, notify, group: Vec::with_capacity(64 * 1024) };
        let thread = thread::Builder::new().name("incident-log".to_owned()).spawn(move || worker.run())?;
        Ok(Self { batches, thread })
    }

    /// Waits for a place in the queue. Have one before deciding: what was decided can then always be handed over.
    ///
    /// # Errors
    /// [`LogClosed`] once the log is poisoned.
    pub async fn reserve(&self) -> Result<Slot<'_>, LogClosed> {
        self.batches.reserve().await.map(Slot).map_err(|_closed| LogClosed)
    }

    /// A place in the queue, if one is free now; `None` while the queue is full.
    ///
    /// # Errors
    /// [`LogClosed`] once the log is poisoned.
    pub fn try_reserve(&self) -> Result<Option<Slot<'_>>, LogClosed> {
        match self.batches.try_reserve() {
            Ok(permit) => Ok(Some(Slot(permit))),
            Err(mpsc::error::TrySendError::Full(())) => Ok(None),
            Err(mpsc::error::TrySendError::Closed(())) => Err(LogClosed),
        }
    }

    /// Waits until everything handed over is written, or given up because it cannot be, and lets go of the log. Blocks:
    /// not for an async task.
    pub fn close(self) {
        drop(self.batches);
        // A panic in the thread was already reported by its hook, and nothing of it counts as durable.
        self.thread.join().unwrap_or_default();
    }
}

/// A place in the writer's queue.
#[derive(Debug)]
pub struct Slot<'w>(mpsc::Permit<'w, Vec<Record>>);

impl Slot<'_> {
    /// Hands over records, which must be numbered on from the ones before.
    pub fn append(self, records: Vec<Record>) {
        self.0.send(records);
    }
}

/// How a group ended.
enum Commit {
    Durable { took: Duration },
    GivenUp,
}

/// Why the file must not be written again.
struct Poison(String);

struct Worker<N> {
    log: OpenedLog,
    queue: mpsc::Receiver<Vec<Record>>,
    notify: N,
    /// The encoded lines of the group under way.
    group: Vec<u8>,
}

impl<N: FnMut(LogEvent)> Worker<N> {
    fn run(mut self) {
        while let Some(batch) = self.queue.blocking_recv() {
            match self.encode_group(batch).and_then(|()| self.commit()) {
                Ok(Commit::Durable { took }) => {
                    let OpenedLog { next, head, size, .. } = self.log;
                    (self.notify)(LogEvent::Durable { last: Seq(next.0.saturating_sub(1)), head, size, took });
                }
                Ok(Commit::GivenUp) => return,
                Err(Poison(error)) => {
                    self.queue.close();
                    return (self.notify)(LogEvent::Poisoned { error });
                }
            }
        }
    }

    /// Encodes a batch and whatever else waits, up to the group's bounds.
    fn encode_group(&mut self, batch: Vec<Record>) -> Result<(), Poison> {
        self.group.clear();
        let first = self.log.next;
        let mut batch = Some(batch);
        while let Some(records) = batch {
            for record in records {
                self.encode_one(&record)?;
            }
            let full = GROUP_RECORDS_MAX <= self.log.next.0 - first.0 || GROUP_LEN_MAX <= self.group.len();
            batch = if full { None } else { self.queue.try_recv().ok() };
        }
        Ok(())
    }

    fn encode_one(&mut self, record: &Record) -> Result<(), Poison> {
        let OpenedLog { next, head, log, .. } = &mut self.log;
        if record.seq != *next {
            // A gap in the file could never be repaired, so nothing is written at all.
            return Err(Poison(format!("record {} was handed over where {next} belongs", record.seq)));
        }
        *head = encode(record, *log, head, &mut self.group);
        *next = next.next();
        Ok(())
    }

    /// Makes the group durable, however long that takes.
    fn commit(&mut self) -> Result<Commit, Poison> {
        let mut stalled = false;
        loop {
            self.check_untouched()?;
            let begun = Instant::now();
            match self.log.file.write_all(&self.group) {
                Ok(()) => {
                    // Invariant: after a failed sync nobody knows what the disk holds, so it is never tried again.
                    self.log.file.sync_data().map_err(|error| self.poison("syncing", &error))?;
                    self.log.size += self.group.len() as u64;
                    if stalled {
                        (self.notify)(LogEvent::Resumed);
                    }
                    return Ok(Commit::Durable { took: begun.elapsed() });
                }
                Err(error) => {
                    self.take_back()?;
                    if !stalled {
                        stalled = true;
                        let error = format!("writing {}: {error}", self.log.path.display());
                        (self.notify)(LogEvent::Stalled { error });
                    }
                }
            }
            if self.queue.is_closed() {
                return Ok(Commit::GivenUp);
            }
            thread::sleep(RETRY_EVERY);
        }
    }

    /// Removes what a failed write left behind.
    fn take_back(&self) -> Result<(), Poison> {
        let OpenedLog { file, size, .. } = &self.log;
        file.set_len(*size).map_err(|error| self.poison("cutting off a half-written group in", &error))?;
        file.sync_data().map_err(|error| self.poison("syncing", &error))
    }

    /// Whether the file is still the one we wrote, as we left it: `logrotate` and people change files.
    fn check_untouched(&self) -> Result<(), Poison> {
        let OpenedLog { file, path, size, .. } = &self.log;
        let ours = file.metadata().map_err(|error| self.poison("looking at", &error))?;
        if ours.len() != *size {
            let text = format!("has {} bytes where sickbay wrote {size}", ours.len());
            return Err(self.changed_by_another(&text));
        }
        let there = fs::symlink_metadata(path)
            .map_err(|error| self.changed_by_another(&format!("was moved or removed ({error})")))?;
        if (there.dev(), there.ino()) != (ours.dev(), ours.ino()) {
            return Err(self.changed_by_another("was replaced by another file"));
        }
        Ok(())
    }

    fn poison(&self, doing: &str, error: &io::Error) -> Poison {
        Poison(format!("{doing} {}: {error}", self.log.path.display()))
    }

    fn changed_by_another(&self, what: &str) -> Poison {
        let path = self.log.path.display();
        Poison(format!("{path} {what}: somebody else changed the log (logrotate must leave it alone)"))
    }
}
