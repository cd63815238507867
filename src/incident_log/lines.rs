//! Lines of a file, read in large pieces and by position, so that a file that still grows can be read on.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;

const PIECE_LEN: usize = 256 << 10;
/// Far more than any record: a file with longer lines is not a log.
const LINE_LEN_MAX: usize = 64 << 20;

/// One line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line<'a> {
    /// Where it begins in the file.
    pub(super) offset: u64,
    /// Its bytes, without the newline.
    pub(super) bytes: &'a [u8],
    /// Whether a newline ends it. Only the last line of a file can lack one.
    pub(super) terminated: bool,
}

/// Reads a file line by line.
#[derive(Debug)]
pub(super) struct LineReader {
    file: File,
    /// Where `buffer` begins in the file.
    base: u64,
    buffer: Vec<u8>,
    /// The unread part of the buffer.
    start: usize,
    end: usize,
    /// The line read last.
    line: Range<usize>,
}

impl LineReader {
    pub(super) fn new(file: File, offset: u64) -> Self {
        Self { file, base: offset, buffer: Vec::new(), start: 0, end: 0, line: 0..0 }
    }

    /// The next line, terminated or not; `None` at the end of the file.
    pub(super) fn next_line(&mut self) -> io::Result<Option<Line<'_>>> {
        if self.advance()? {
            let offset = self.base + self.line.start as u64;
            return Ok(Some(Line { offset, bytes: self.line(), terminated: true }));
        }
        let offset = self.base + self.start as u64;
        self.line = self.start..self.end;
        self.start = self.end;
        let bytes = self.line();
        Ok((!bytes.is_empty()).then_some(Line { offset, bytes, terminated: false }))
    }

    /// Goes on to the next terminated line; `false` if there is none yet, and asking again later is fine.
    pub(super) fn advance(&mut self) -> io::Result<bool> {
        let mut searched = 0;
        loop {
            let unread = self.buffer.get(self.start..self.end).unwrap_or_default();
            if let Some(at) = memchr::memchr(b'\n', unread.get(searched..).unwrap_or_default()) {
                self.line = self.start..self.start + searched + at;
                self.start = self.line.end + 1;
                return Ok(true);
            }
            searched = unread.len();
            if self.fill()? == 0 {
                return Ok(false);
            }
        }
    }

    /// The line gone on to last, without its newline.
    pub(super) fn line(&self) -> &[u8] {
        self.buffer.get(self.line.clone()).unwrap_or_default()
    }

    /// Forgets the unfinished line at the end, which may still change, so that it is read anew.
    pub(super) fn forget_unfinished(&mut self) {
        self.end = self.start;
    }

    /// Reads one more piece behind what is there; how many bytes came.
    fn fill(&mut self) -> io::Result<usize> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.base += self.start as u64;
        self.end -= self.start;
        self.start = 0;
        if LINE_LEN_MAX < self.end {
            let text = format!("the line at byte {} is longer than {LINE_LEN_MAX} bytes: this is not a log", self.base);
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        if self.buffer.len() < self.end + PIECE_LEN {
            let mut larger = vec![0; self.end + 2 * PIECE_LEN];
            larger.split_at_mut(self.buffer.len()).0.copy_from_slice(&self.buffer);
            self.buffer = larger;
        }
        let room = self.buffer.get_mut(self.end..).unwrap_or_default();
        let count = loop {
            match self.file.read_at(room, self.base + self.end as u64) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => break result?,
            }
        };
        self.end += count;
        Ok(count)
    }
}
