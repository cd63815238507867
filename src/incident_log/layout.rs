//! Where things stand in the data directory.
//!
//! ```text
//! DIR/lock                          held while a daemon runs
//! DIR/incident_log/<20 digits>.jsonl   segments, named by their first record
//! DIR/incident_log.jsonl            a symlink to the active segment, for people
//! DIR/quarantine/<seq>-<n>.bin      torn ends that were cut off
//! ```

use crate::model::id::Seq;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

const SEGMENT_SUFFIX: &str = ".jsonl";
const SEGMENT_DIGITS: usize = 20;

/// One data directory.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    dir: PathBuf,
}

impl Layout {
    pub(super) fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(super) fn lock(&self) -> PathBuf {
        self.dir.join("lock")
    }

    pub(super) fn segments(&self) -> PathBuf {
        self.dir.join("incident_log")
    }

    pub(super) fn symlink(&self) -> PathBuf {
        self.dir.join("incident_log.jsonl")
    }

    pub(super) fn quarantine(&self) -> PathBuf {
        self.dir.join("quarantine")
    }

    pub(super) fn segment(&self, first: Seq) -> PathBuf {
        self.segments().join(segment_name(first))
    }
}

/// One file of the log.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Segment {
    /// The record its name says it begins with.
    pub(super) first: Seq,
    /// The file.
    pub(super) path: PathBuf,
}

pub(super) fn segment_name(first: Seq) -> String {
    format!("{:020}{SEGMENT_SUFFIX}", first.0)
}

/// The segments of a directory, in the order of the log. Other files are left alone.
pub(super) fn list_segments(dir: &Path) -> io::Result<Vec<Segment>> {
    let mut segments = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if let Some(first) = entry.file_name().to_str().and_then(first_seq) {
            segments.push(Segment { first, path: entry.path() });
        }
    }
    segments.sort();
    Ok(segments)
}

fn first_seq(name: &str) -> Option<Seq> {
    let digits = name.strip_suffix(SEGMENT_SUFFIX)?;
    let plain = digits.len() == SEGMENT_DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| digits.parse().ok()).flatten().map(Seq)
}

/// The log a person means by a path: a data directory, its `incident_log` directory, or one file.
pub(super) enum Found {
    /// A directory of segments.
    Directory(PathBuf),
    /// One file.
    File(PathBuf),
    /// Neither.
    Nothing,
}

pub(super) fn find(path: &Path) -> io::Result<Found> {
    let is_dir = match fs::metadata(path) {
        Ok(metadata) => metadata.is_dir(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Nothing),
        Err(error) => return Err(error),
    };
    if !is_dir {
        return Ok(Found::File(path.to_owned()));
    }
    let inner = Layout::new(path).segments();
    if inner.is_dir() {
        return Ok(Found::Directory(inner));
    }
    let has_segments = !list_segments(path)?.is_empty();
    Ok(if has_segments { Found::Directory(path.to_owned()) } else { Found::Nothing })
}
