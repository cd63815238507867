//! The torn end of a log: moved aside, cut off, and reported. Nothing is ever thrown away.

use super::layout::Layout;
use super::open::{OpenError, create_private_dir, sync_dir};
use crate::model::fact::LogRecovered;
use crate::model::id::Seq;
use crate::record::Hash;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Moves everything from `offset` on out of the active segment. If the power fails in between, the next start does it
/// again under another name.
pub(super) fn quarantine_tail(
    layout: &Layout,
    segment: (&Path, &File),
    offset: u64,
    next: Seq,
) -> Result<LogRecovered, OpenError> {
    let (path, file) = segment;
    let tail = read_tail(file, offset).map_err(OpenError::io("reading the torn end of", path))?;
    create_private_dir(&layout.quarantine())?;
    let (name, kept) = write_aside(&layout.quarantine(), next, &tail)
        .map_err(OpenError::io("keeping the torn end of the log in", &layout.quarantine()))?;
    sync_dir(&layout.quarantine())?;
    sync_dir(layout.dir())?;
    drop(kept);
    file.set_len(offset).and_then(|()| file.sync_data()).map_err(OpenError::io("cutting the torn end off", path))?;
    Ok(LogRecovered {
        bytes: tail.len() as u64,
        sha256: Hash::of(&tail).to_string(),
        offset,
        quarantine: format!("quarantine/{name}"),
    })
}

fn read_tail(file: &File, offset: u64) -> io::Result<Vec<u8>> {
    let len = usize::try_from(file.metadata()?.len() - offset).map_err(io::Error::other)?;
    let mut tail = vec![0; len];
    file.read_exact_at(&mut tail, offset)?;
    Ok(tail)
}

fn write_aside(dir: &Path, next: Seq, tail: &[u8]) -> io::Result<(String, File)> {
    let (name, mut file) = (1_u32..)
        .find_map(|number| {
            let name = format!("{next}-{number}.bin");
            match create_new(dir.join(&name)) {
                Ok(file) => Some(Ok((name, file))),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => None,
                Err(error) => Some(Err(error)),
            }
        })
        .unwrap_or_else(|| Err(io::ErrorKind::AlreadyExists.into()))?;
    file.write_all(tail)?;
    file.sync_all()?;
    Ok((name, file))
}

fn create_new(path: PathBuf) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}
