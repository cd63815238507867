//! Opens files that may be no files: a pipe whose other end never writes must not hold up a start or a check for ever.
//!
//! What a shell hands over as `<(…)` is such a pipe and is read as usual.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

/// How long the other end of a pipe may take for its next bytes.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often is looked whether there are some.
const EVERY: Duration = Duration::from_millis(5);

/// A file that is read without waiting for ever.
#[derive(Debug)]
pub(super) struct Patient(File);

/// Opens a file; a pipe that nobody writes to is empty.
pub(super) fn open(path: &Path) -> io::Result<Patient> {
    let flags = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or_default();
    OpenOptions::new().read(true).custom_flags(flags).open(path).map(Patient)
}

impl Read for Patient {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut waited = Duration::ZERO;
        loop {
            match self.0.read(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock && waited < PATIENCE => {
                    std::thread::sleep(EVERY);
                    waited += EVERY;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    let words = format!("nothing came for {} s from whoever writes to it", PATIENCE.as_secs());
                    return Err(io::Error::new(ErrorKind::TimedOut, words));
                }
                result => return result,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{CWD, Mode, mkfifoat};
    use std::io::Write;

    #[test]
    fn a_pipe_nobody_writes_to_is_empty_and_a_slow_one_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        mkfifoat(CWD, &path, Mode::RUSR | Mode::WUSR).unwrap();
        let mut text = String::new();
        open(&path).unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "");
        let mut reader = open(&path).unwrap();
        let mut writer = OpenOptions::new().write(true).open(&path).unwrap();
        let late = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(100));
            writer.write_all(b"late").unwrap();
        });
        reader.read_to_string(&mut text).unwrap();
        late.join().unwrap();
        assert_eq!(text, "late");
    }
}
