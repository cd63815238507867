//! A wall clock that can be set while the daemon runs, by libfaketime. What measures lengths of time is not touched.

use std::fs;
use std::path::{Path, PathBuf};

/// The wall clock of whatever is started by [`Self::launcher`].
pub(crate) struct FakeClock(PathBuf);

impl FakeClock {
    /// Right, and kept in this directory.
    pub(crate) fn new(directory: &Path) -> Self {
        let clock = Self(directory.join("wall_clock"));
        clock.set(0);
        clock
    }

    /// From now on it is off by so many seconds.
    pub(crate) fn set(&self, off: i64) {
        // At once: whoever reads it meanwhile must not find half of it.
        let new = self.0.with_extension("new");
        fs::write(&new, format!("{off:+}\n")).unwrap();
        fs::rename(new, &self.0).unwrap();
    }

    /// The command that runs a program by this clock.
    pub(crate) fn launcher(&self) -> Vec<String> {
        let preload = format!("LD_PRELOAD={}", libfaketime().display());
        let file = format!("FAKETIME_TIMESTAMP_FILE={}", self.0.display());
        let words = ["env", "FAKETIME_DONT_FAKE_MONOTONIC=1", "FAKETIME_NO_CACHE=1", &file, &preload];
        words.map(str::to_owned).to_vec()
    }
}

fn libfaketime() -> PathBuf {
    let places = fs::read_dir("/usr/lib").unwrap().map(|entry| entry.unwrap().path());
    let libraries = places.map(|place| place.join("faketime/libfaketime.so.1"));
    libraries.into_iter().find(|library| library.exists()).expect("apt-get install faketime")
}
