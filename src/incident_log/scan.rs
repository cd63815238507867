//! One pass over a segment: every line must follow from the one before it.
//!
//! The end of the last segment may be torn, as a crash leaves it. Anything else that is wrong is damage, and damage is
//! never repaired silently. The start of the daemon and `log verify` share this pass. Read [`scan_segment`] first.

use super::layout::Segment;
use super::lines::{Line, LineReader};
use crate::model::id::Seq;
use crate::record::{Break, Chain, LineError, Seal};
use std::fs::File;
use std::io;
use std::path::PathBuf;

/// Something wrong with a log that no crash explains.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: at byte {offset}, where record {seq} belongs: {problem}", file.display())]
pub struct Damage {
    /// The segment.
    pub file: PathBuf,
    /// Where in it.
    pub offset: u64,
    /// The record that belongs there.
    pub seq: Seq,
    /// The first rule that is broken.
    pub problem: Problem,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// A line does not follow from the one before it.
    #[error("{0}")]
    Line(#[from] Break),
    /// A line cannot be read, and whole records stand behind it.
    #[error("{0}, and at byte {1} a whole record follows")]
    Middle(Break, u64),
    /// A segment that is not the last one ends in the middle of a record.
    #[error("the file ends within a record, and another file follows")]
    Unfinished,
    /// The files' names show that one is missing.
    #[error("the file's name says that it begins with record {0}")]
    Gap(Seq),
}

/// What stands at the end of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tail {
    /// A whole record, or nothing.
    Clean,
    /// The beginning of a record that was never finished, or the NUL bytes of one that never reached the disk.
    Torn {
        /// Where it begins.
        offset: u64,
    },
}

/// Why a pass stopped.
#[derive(Debug)]
pub(super) enum ScanError {
    Damaged(Damage),
    Io(io::Error),
}

impl From<io::Error> for ScanError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// A line without a newline was never acknowledged, even if only the newline is missing.
const UNFINISHED: Break = Break::Line(LineError::NotARecord("it is not finished"));

/// Walks one segment. `each` gets every line that follows from the one before it.
pub(super) fn scan_segment(
    segment: &Segment,
    file: File,
    is_last: bool,
    chain: &mut Chain,
    each: &mut dyn FnMut(&[u8]) -> Result<(), LineError>,
) -> Result<Tail, ScanError> {
    let damage = |offset, seq, problem| ScanError::Damaged(Damage { file: segment.path.clone(), offset, seq, problem });
    if segment.first != chain.next_seq() {
        return Err(damage(0, chain.next_seq(), Problem::Gap(segment.first)));
    }
    let mut lines = LineReader::new(file, 0);
    while let Some(line) = lines.next_line()? {
        let Line { offset, bytes, terminated } = line;
        let seq = chain.next_seq();
        let accepted = if terminated { chain.accept(bytes) } else { Err(UNFINISHED) };
        let Err(broken) = accepted else {
            each(bytes).map_err(|error| damage(offset, seq, Problem::Line(error.into())))?;
            continue;
        };
        if !may_be_torn(&line, &broken) || was_never_a_log(&line, seq) {
            return Err(damage(offset, seq, Problem::Line(broken)));
        }
        let hidden = record_behind_nul(&line);
        return match hidden.map_or_else(|| next_whole_record(&mut lines), |later| Ok(Some(later)))? {
            Some(later) => Err(damage(offset, seq, Problem::Middle(broken, later))),
            None if is_last => Ok(Tail::Torn { offset }),
            None => Err(damage(offset, seq, Problem::Unfinished)),
        };
    }
    Ok(Tail::Clean)
}

/// Whether a crash could have left this line. A line that is whole in shape and does not hash was changed later: to cut
/// it off would lose a record that was acknowledged.
fn may_be_torn(line: &Line<'_>, broken: &Break) -> bool {
    match broken {
        Break::Seq { .. } | Break::Prev { .. } | Break::Log { .. } => false,
        Break::Line(_) | Break::Hash { .. } => {
            let looks_whole = line.bytes.starts_with(b"{\"v\":") || Seal::find(line.bytes).is_some();
            !line.terminated || line.bytes.contains(&0) || !looks_whole
        }
    }
}

/// Whether nothing in front of a finished line is a record: a crash leaves the beginning of a record, never a finished
/// line of something else. To begin anew would forget every limit.
fn was_never_a_log(line: &Line<'_>, seq: Seq) -> bool {
    seq == Seq(0) && line.terminated && !line.bytes.contains(&0)
}

/// Where a whole record begins in a line that begins with NUL bytes: a hole with good records behind it.
fn record_behind_nul(line: &Line<'_>) -> Option<u64> {
    let start = line.bytes.iter().rposition(|byte| *byte == 0)? + 1;
    let whole = line.bytes.get(start..).is_some_and(Chain::is_self_consistent);
    whole.then(|| line.offset + start as u64)
}

/// Looks for a record that is whole by itself in the rest of the file.
fn next_whole_record(lines: &mut LineReader) -> io::Result<Option<u64>> {
    while let Some(line) = lines.next_line()? {
        if Chain::is_self_consistent(line.bytes) {
            return Ok(Some(line.offset));
        }
        if let Some(later) = record_behind_nul(&line) {
            return Ok(Some(later));
        }
    }
    Ok(None)
}
