//! What the incident log tells, in the words in which people are told: the same on the command line and on the pages.
//!
//! It reads the log and changes nothing. Read [`read()`] for the story of an alert, [`course()`] for one incident
//! moment by moment, [`words()`] for one record,
//! [`Tally`] for what came of all of them.

mod advice;
mod course;
mod evidence;
mod printable;
mod read;
mod saw;
mod tally;
mod told;
mod words;

pub use course::{Course, course};
pub use evidence::{evidence_lines, evidence_of};
pub use printable::{printable, span};
pub use read::{Story, Subject, Unread, read};
pub use tally::{Debt, PlaybookTally, Tally};
pub use told::{in_order, inputs, labels, text};
pub use words::{action_outcome, approval_end, finding, heading, notice_outcome, origin, request_outcome, vote, words};
