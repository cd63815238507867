//! The incident log as files: one writer that owns the active segment, readers that never lock it.
//!
//! `record/` says what a line looks like; this module says when it is durable and what is done when it cannot be.
//! Read [`open()`] first, then [`LogWriter`].

mod layout;
mod lines;
mod open;
mod reader;
mod recover;
mod scan;
mod verify;
mod writer;

pub use open::{OpenError, OpenedLog, open};
pub use reader::{LogReader, ReadError};
pub use scan::{Damage, Problem, Tail};
pub use verify::{Conclusion, Report, verify};
pub use writer::{LogClosed, LogEvent, LogWriter, QUEUE_LEN_MAX, Slot};

#[cfg(test)]
mod tests;
