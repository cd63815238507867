//! `log verify`: reads a whole log, or one file of it, and says whether anything was changed after it was written.
//!
//! What a chain by itself cannot show is listed in `docs/INCIDENT_LOG.md`: above all, whole records missing at the end.

use super::layout::Segment;
use super::lines::LineReader;
use super::reader::{ReadError, segments_of};
use super::scan::{Damage, ScanError, Tail, scan_segment};
use crate::model::id::Seq;
use crate::record::{Chain, Hash, Header, LogId};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

/// What was read, and what it is worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// How many files were read.
    pub segments: usize,
    /// How many records follow from one another.
    pub records: u64,
    /// How many bytes they take.
    pub bytes: u64,
    /// The last of them.
    pub last: Option<Seq>,
    /// Its hash: compare it with what a witness has.
    pub head: Hash,
    /// The log's name.
    pub log: Option<LogId>,
    /// The conclusion.
    pub conclusion: Conclusion,
}

/// The conclusion of a verification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Conclusion {
    /// Every record follows from the one before it.
    Clean,
    /// All is well up to an unfinished record at the very end, as a crash leaves it.
    Torn {
        /// The segment.
        file: PathBuf,
        /// Where the unfinished record begins.
        offset: u64,
    },
    /// Something was changed, removed or put in.
    Damaged(Damage),
}

/// Verifies a data directory, an `incident_log` directory or one file. Takes no lock.
///
/// # Errors
/// [`ReadError`] if there is no log or it cannot be read; what is wrong with its content is in the report.
pub fn verify(path: &Path) -> Result<Report, ReadError> {
    // A running daemon may be in the middle of a write: what looks torn may be whole a moment later.
    for _attempt in 0..3 {
        let (report, size) = verify_once(path)?;
        let Conclusion::Torn { file, .. } = &report.conclusion else { return Ok(report) };
        thread::sleep(Duration::from_millis(50));
        if size_of(file)? == size {
            return Ok(report);
        }
    }
    Ok(verify_once(path)?.0)
}

/// The report, and the last file's size before it was read.
fn verify_once(path: &Path) -> Result<(Report, u64), ReadError> {
    let (dir, mut segments) = segments_of(path)?;
    let mut chain = Chain::default();
    if let (None, [only]) = (dir, segments.as_mut_slice()) {
        chain = chain_of_file(only)?;
    }
    let mut report = Report {
        segments: segments.len(),
        records: 0,
        bytes: 0,
        last: None,
        head: Hash::GENESIS,
        log: None,
        conclusion: Conclusion::Clean,
    };
    let mut size = 0;
    for (index, segment) in segments.iter().enumerate() {
        size = size_of(&segment.path)?;
        let file = File::open(&segment.path).map_err(ReadError::io(&segment.path))?;
        let mut each = |line: &[u8]| {
            report.records += 1;
            report.bytes += line.len() as u64 + 1;
            Ok(())
        };
        match scan_segment(segment, file, index + 1 == segments.len(), &mut chain, &mut each) {
            Ok(Tail::Clean) => {}
            Ok(Tail::Torn { offset }) => report.conclusion = Conclusion::Torn { file: segment.path.clone(), offset },
            Err(ScanError::Damaged(damage)) => {
                report.conclusion = Conclusion::Damaged(damage);
                break;
            }
            Err(ScanError::Io(source)) => return Err(ReadError::io(&segment.path)(source)),
        }
    }
    if 0 < report.records {
        report.last = Some(Seq(chain.next_seq().0 - 1));
        report.head = chain.head();
        report.log = chain.log();
    }
    Ok((report, size))
}

fn size_of(path: &Path) -> Result<u64, ReadError> {
    std::fs::metadata(path).map(|metadata| metadata.len()).map_err(ReadError::io(path))
}

/// A single file may be one of several: its first line says where it begins, and only what follows is checked.
fn chain_of_file(segment: &mut Segment) -> Result<Chain, ReadError> {
    let file = File::open(&segment.path).map_err(ReadError::io(&segment.path))?;
    let mut lines = LineReader::new(file, 0);
    let first = lines.next_line().map_err(ReadError::io(&segment.path))?;
    let seq = first.and_then(|line| Header::of(line.bytes).ok()).map_or(Seq(0), |header| header.seq);
    segment.first = seq;
    Ok(if seq == Seq(0) { Chain::default() } else { Chain::from_anywhere(seq) })
}
