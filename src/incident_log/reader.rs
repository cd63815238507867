//! Reading the log without the lock: over all segments, from the end, and on as it grows.

use super::layout::{Found, Segment, find, list_segments};
use super::lines::LineReader;
use crate::model::id::Seq;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Why a log could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// There is none.
    #[error("there is no incident log in {}: name the data directory with --path, or start sickbay there once", .0.display())]
    NoLog(PathBuf),
    /// The file system says no.
    #[error("reading {}: {source}", path.display())]
    Io {
        /// What was read.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl ReadError {
    pub(super) fn io(path: &Path) -> impl Fn(io::Error) -> Self {
        move |source| Self::Io { path: path.to_owned(), source }
    }
}

/// The segments a path means; the directory they stand in, if it is not a single file.
pub(super) fn segments_of(path: &Path) -> Result<(Option<PathBuf>, Vec<Segment>), ReadError> {
    match find(path).map_err(ReadError::io(path))? {
        Found::Nothing => Err(ReadError::NoLog(path.to_owned())),
        Found::File(file) => Ok((None, vec![Segment { first: Seq(0), path: file }])),
        Found::Directory(dir) => {
            let segments = list_segments(&dir).map_err(ReadError::io(&dir))?;
            if segments.is_empty() { Err(ReadError::NoLog(path.to_owned())) } else { Ok((Some(dir), segments)) }
        }
    }
}

/// Yields whole lines, oldest first. At the end it yields nothing until more is written.
#[derive(Debug)]
pub struct LogReader {
    dir: Option<PathBuf>,
    current: Segment,
    lines: LineReader,
}

impl LogReader {
    /// Begins at the first record of a data directory, an `incident_log` directory or one file.
    ///
    /// # Errors
    /// [`ReadError`] if there is no log or it cannot be read.
    pub fn open(path: &Path) -> Result<Self, ReadError> {
        let (dir, segments) = segments_of(path)?;
        let first = segments.into_iter().next().ok_or_else(|| ReadError::NoLog(path.to_owned()))?;
        Self::at(dir, first, 0)
    }

    /// Begins at the segment that holds this record, if the path means a directory.
    ///
    /// # Errors
    /// [`ReadError`] if there is no log or it cannot be read.
    pub fn open_from(path: &Path, seq: Seq) -> Result<Self, ReadError> {
        let (dir, mut segments) = segments_of(path)?;
        let later = segments.iter().take_while(|segment| segment.first <= seq).count();
        let holds = segments.drain(..).nth(later.saturating_sub(1));
        Self::at(dir, holds.ok_or_else(|| ReadError::NoLog(path.to_owned()))?, 0)
    }

    /// Begins such that `count` records are still to come, or all there are.
    ///
    /// # Errors
    /// [`ReadError`] if there is no log or it cannot be read.
    pub fn open_at_last(path: &Path, count: usize) -> Result<Self, ReadError> {
        let (dir, mut segments) = segments_of(path)?;
        let mut wanted = count;
        loop {
            let segment = segments.pop().ok_or_else(|| ReadError::NoLog(path.to_owned()))?;
            let (offset, found) = last_lines(&segment.path, wanted).map_err(ReadError::io(&segment.path))?;
            wanted -= found;
            if wanted == 0 || segments.is_empty() {
                return Self::at(dir, segment, offset);
            }
        }
    }

    fn at(dir: Option<PathBuf>, current: Segment, offset: u64) -> Result<Self, ReadError> {
        let file = File::open(&current.path).map_err(ReadError::io(&current.path))?;
        Ok(Self { dir, current, lines: LineReader::new(file, offset) })
    }

    /// The next whole line, without its newline; `None` at the end, for now.
    ///
    /// # Errors
    /// [`ReadError`] if the file system fails.
    pub fn next_line(&mut self) -> Result<Option<&[u8]>, ReadError> {
        while !self.lines.advance().map_err(ReadError::io(&self.current.path))? {
            self.lines.forget_unfinished();
            let Some(next) = self.next_segment()? else { return Ok(None) };
            *self = Self::at(self.dir.take(), next, 0)?;
        }
        Ok(Some(self.lines.line()))
    }

    fn next_segment(&self) -> Result<Option<Segment>, ReadError> {
        let Some(dir) = &self.dir else { return Ok(None) };
        let segments = list_segments(dir).map_err(ReadError::io(dir))?;
        Ok(segments.into_iter().find(|segment| self.current.first < segment.first))
    }
}

/// Where the last `wanted` whole lines of a file begin, and how many there are of them.
fn last_lines(path: &Path, wanted: usize) -> io::Result<(u64, usize)> {
    const PIECE_LEN: u64 = 64 * 1024;
    let file = File::open(path)?;
    let size = file.metadata()?.len();
    let (mut end, mut newlines) = (size, 0);
    let mut piece = Vec::new();
    while 0 < end {
        let start = end.saturating_sub(PIECE_LEN);
        piece.resize(usize::try_from(end - start).map_err(io::Error::other)?, 0);
        file.read_exact_at(&mut piece, start)?;
        for at in memchr::memrchr_iter(b'\n', &piece) {
            if newlines == wanted {
                return Ok((start + at as u64 + 1, wanted));
            }
            newlines += 1;
        }
        end = start;
    }
    Ok((0, newlines))
}
