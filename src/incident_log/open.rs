//! The start: lock the directory, make sure that what is read is what is on disk, read it, mend a torn end.
//!
//! The order matters. A write error that the kernel reported to a dead process leaves pages in memory that never reached
//! the disk; reading those would put new records behind a hole. So the file is synced and dropped from the page cache
//! before it is read. Read [`open`] first.

use super::layout::{Layout, Segment, list_segments, segment_name};
use super::recover::quarantine_tail;
use super::scan::{Damage, ScanError, Tail, scan_segment};
use crate::model::fact::{LogRecovered, Record};
use crate::model::id::Seq;
use crate::record::{Chain, Content, Decoded, Hash, LogId, decode};
use rustix::fs::{Advice, OFlags, fadvise};
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Why a log could not be opened for writing.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another daemon has it.
    #[error(
        "another sickbay{holder} already uses {}: stop it, or give this one its own directory with --storage.path",
        dir.display()
    )]
    Locked {
        /// The data directory.
        dir: PathBuf,
        /// ` (process 123)` if the other one said so, else nothing.
        holder: String,
    },
    /// The file system says no.
    #[error(
        "no permission while {doing} {}: the directory and everything in it must belong to the user sickbay runs as",
        path.display()
    )]
    PermissionDenied {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: PathBuf,
    },
    /// Something else stands where a directory or a link belongs.
    #[error("{} is not {wanted}: move it away, or use another directory with --storage.path", path.display())]
    InTheWay {
        /// What stands there.
        path: PathBuf,
        /// What belongs there.
        wanted: &'static str,
    },
    /// The file system is mounted read-only.
    #[error("{} is on a read-only file system: mount it writable, or use another directory with --storage.path", path.display())]
    ReadOnly {
        /// What could not be written.
        path: PathBuf,
    },
    /// No room is left.
    #[error("no space is left for {}: make room and start again", path.display())]
    Full {
        /// What could not be written.
        path: PathBuf,
    },
    /// The log was changed or broken in a way no crash explains. Nothing was touched.
    #[error(
        "{0}; sickbay does not act on a log it cannot trust: keep a copy of the directory, see what `sickbay log verify` \
         says, then restore the file or move the whole incident_log directory away to begin a new log"
    )]
    Damaged(Damage),
    /// Anything else.
    #[error("{doing} {}: {source}", path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl OpenError {
    /// Names what was being done, and to what, when an I/O error struck.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the system's kinds of error are not ours and grow")]
    pub(super) fn io(doing: &'static str, path: &Path) -> impl Fn(io::Error) -> Self {
        move |source| {
            let path = path.to_owned();
            match source.kind() {
                io::ErrorKind::PermissionDenied => Self::PermissionDenied { doing, path },
                io::ErrorKind::ReadOnlyFilesystem => Self::ReadOnly { path },
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                    Self::Full { path }
                }
                io::ErrorKind::NotADirectory => Self::InTheWay { path, wanted: "a directory" },
                _other => Self::Io { doing, path, source },
            }
        }
    }
}

/// A log that is locked, read and ready to be written.
#[derive(Debug)]
pub struct OpenedLog {
    pub(super) path: PathBuf,
    pub(super) file: File,
    pub(super) size: u64,
    pub(super) next: Seq,
    pub(super) head: Hash,
    pub(super) log: LogId,
    recovered: Option<LogRecovered>,
    unknown: u64,
    /// Held until the log is dropped.
    _lock: File,
}

impl OpenedLog {
    /// The number of the first record that will be written.
    #[must_use]
    pub fn next_seq(&self) -> Seq {
        self.next
    }

    /// The hash of the last record.
    #[must_use]
    pub fn head(&self) -> Hash {
        self.head
    }

    /// The log's name.
    #[must_use]
    pub fn log_id(&self) -> LogId {
        self.log
    }

    /// The torn end that was moved aside, if there was one. The engine records it.
    #[must_use]
    pub fn recovered(&self) -> Option<&LogRecovered> {
        self.recovered.as_ref()
    }

    /// How many records were of a kind this version does not know.
    #[must_use]
    pub fn unknown_records(&self) -> u64 {
        self.unknown
    }
}

/// Opens the log in a data directory, creating both where they do not exist, and hands every record to `replay`.
///
/// # Errors
/// [`OpenError`]: what, where, and what to do. On [`OpenError::Damaged`] nothing was changed.
pub fn open(dir: &Path, mut replay: impl FnMut(Record)) -> Result<OpenedLog, OpenError> {
    let layout = Layout::new(dir);
    let parent_is_new = !dir.exists();
    create_private_dir(dir)?;
    if parent_is_new {
        sync_dir(dir.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")))?;
    }
    let lock = lock(&layout)?;
    create_private_dir(&layout.segments())?;
    let mut segments = list_segments(&layout.segments()).map_err(OpenError::io("listing", &layout.segments()))?;
    let active = segments.pop().unwrap_or_else(|| Segment { first: Seq(0), path: layout.segment(Seq(0)) });

    let mut past = Past { chain: Chain::default(), unknown: 0, replay: &mut replay };
    for sealed in &segments {
        let file = File::open(&sealed.path).map_err(OpenError::io("opening", &sealed.path))?;
        past.read(sealed, file, false)?;
    }
    let file = open_active(&layout, &active.path)?;
    let read_handle = file.try_clone().map_err(OpenError::io("opening", &active.path))?;
    let recovered = match past.read(&active, read_handle, true)? {
        Tail::Clean => None,
        Tail::Torn { offset } => Some(quarantine_tail(&layout, (&active.path, &file), offset, past.chain.next_seq())?),
    };
    link_active(&layout, &active)?;
    let size = file.metadata().map_err(OpenError::io("measuring", &active.path))?.len();
    let Past { chain, unknown, .. } = past;
    let log = match chain.log() {
        Some(log) => log,
        None => LogId(getrandom::u32().map_err(|error| OpenError::Io {
            doing: "drawing a random name for",
            path: active.path.clone(),
            source: io::Error::other(error.to_string()),
        })?),
    };
    let (next, head) = (chain.next_seq(), chain.head());
    Ok(OpenedLog { path: active.path, file, size, next, head, log, recovered, unknown, _lock: lock })
}

/// What the log tells so far.
struct Past<'r> {
    chain: Chain,
    unknown: u64,
    replay: &'r mut dyn FnMut(Record),
}

impl Past<'_> {
    fn read(&mut self, segment: &Segment, file: File, is_last: bool) -> Result<Tail, OpenError> {
        let Self { chain, unknown, replay } = self;
        let mut each = |line: &[u8]| {
            let Decoded { seq, at, content, .. } = decode(line)?;
            match content {
                Content::Fact(fact) => replay(Record { seq, at, fact }),
                Content::Unknown { .. } => *unknown += 1,
            }
            Ok(())
        };
        // A torn end leaves the chain behind its last whole record.
        scan_segment(segment, file, is_last, chain, &mut each).map_err(|error| match error {
            ScanError::Damaged(damage) => OpenError::Damaged(damage),
            ScanError::Io(source) => OpenError::io("reading", &segment.path)(source),
        })
    }
}

fn lock(layout: &Layout) -> Result<File, OpenError> {
    let path = layout.lock();
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(NO_FOLLOW)
        .open(&path)
        .map_err(OpenError::io("opening", &path))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            let named = file.read_to_string(&mut holder).is_ok() && holder.trim().parse::<u32>().is_ok();
            let holder = if named { format!(" (process {})", holder.trim()) } else { String::new() };
            return Err(OpenError::Locked { dir: layout.dir().to_owned(), holder });
        }
        Err(TryLockError::Error(error)) => return Err(OpenError::io("locking", &path)(error)),
    }
    // The number is only for the other one's error message, so it may fail on a full disk.
    let written = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
    written.unwrap_or_default();
    Ok(file)
}

const NO_FOLLOW: i32 = OFlags::NOFOLLOW.bits().cast_signed();

/// Opens the active segment such that what is read from it is what the disk holds.
fn open_active(layout: &Layout, path: &Path) -> Result<File, OpenError> {
    let is_new = !path.exists();
    let file = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(0o600)
        .custom_flags(NO_FOLLOW)
        .open(path)
        .map_err(OpenError::io("opening", path))?;
    if is_new {
        sync_dir(&layout.segments())?;
        sync_dir(layout.dir())?;
    }
    file.sync_data().map_err(OpenError::io("syncing", path))?;
    fadvise(&file, 0, None, Advice::DontNeed)
        .map_err(|error| OpenError::io("dropping the page cache of", path)(error.into()))?;
    Ok(file)
}

/// Points `incident_log.jsonl` at the active segment.
fn link_active(layout: &Layout, active: &Segment) -> Result<(), OpenError> {
    let link = layout.symlink();
    let wanted = Path::new("incident_log").join(segment_name(active.first));
    match fs::read_link(&link) {
        Ok(target) if target == wanted => return Ok(()),
        Ok(_old) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
            return Err(OpenError::InTheWay { path: link, wanted: "a symlink" });
        }
        Err(error) => return Err(OpenError::io("reading", &link)(error)),
    }
    let fresh = layout.dir().join("incident_log.jsonl.new");
    match fs::remove_file(&fresh) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(OpenError::io("replacing", &fresh)(error)),
        Ok(()) | Err(_) => {}
    }
    std::os::unix::fs::symlink(&wanted, &fresh)
        .and_then(|()| fs::rename(&fresh, &link))
        .map_err(OpenError::io("linking", &link))?;
    sync_dir(layout.dir())
}

pub(super) fn create_private_dir(dir: &Path) -> Result<(), OpenError> {
    let created = DirBuilder::new().recursive(true).mode(0o700).create(dir);
    created.map_err(|error| {
        if error.kind() == io::ErrorKind::AlreadyExists {
            return OpenError::InTheWay { path: dir.to_owned(), wanted: "a directory" };
        }
        OpenError::io("creating", dir)(error)
    })
}

/// Makes the names in a directory durable.
pub(super) fn sync_dir(dir: &Path) -> Result<(), OpenError> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(OpenError::io("syncing", dir))
}
