//! The daemon's own switches: the file `PAUSE` in its storage directory, and the signals SIGUSR1 and SIGUSR2.
//!
//! They need no network, no token and no other program. Nothing is decided here: what the file says and which signal came
//! are events like any other. Read [`Switches`] first.

use super::tasks::Tasks;
use crate::engine::event::Event;
use crate::model::pause::{Pause, PauseScope};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

/// The file's name in the storage directory.
pub const FILE_NAME: &str = "PAUSE";

/// How often the file is looked for.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How much of the file is read, in bytes: its first line is the reason.
const READ_MAX: u64 = 4096;

/// The longest reason, in characters.
const REASON_MAX: usize = 500;

/// The file and the signals.
#[derive(Debug)]
pub struct Switches {
    file: PathBuf,
    pause: Signal,
    resume: Signal,
}

impl Switches {
    /// Listens to the signals from now on; until then they would end the process.
    ///
    /// # Errors
    /// Why the signals cannot be listened to.
    pub fn listen(storage: &Path) -> io::Result<Self> {
        let pause = signal(SignalKind::user_defined1())?;
        let resume = signal(SignalKind::user_defined2())?;
        Ok(Self { file: storage.join(FILE_NAME), pause, resume })
    }

    /// Watches from here on; what the file says now, to be known before anything is done.
    pub async fn watch(self, tasks: &Tasks, events: mpsc::Sender<Event>) -> Event {
        let Self { file, pause, resume } = self;
        let seen = read(&file).await;
        tasks.watch("pause file", follow_file(file, events.clone(), seen.clone()));
        tasks.watch("pause signals", follow_signals((pause, resume), events));
        Event::PauseFileRead(seen)
    }
}

async fn follow_file(file: PathBuf, events: mpsc::Sender<Event>, mut seen: Option<Pause>) {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let now = read(&file).await;
        if now != seen {
            seen.clone_from(&now);
            if events.send(Event::PauseFileRead(now)).await.is_err() {
                return;
            }
        }
    }
}

async fn follow_signals((mut pause, mut resume): (Signal, Signal), events: mpsc::Sender<Event>) {
    let by = || "signal".to_owned();
    loop {
        let event = tokio::select! {
            Some(()) = pause.recv() => {
                let reason = "SIGUSR1".to_owned();
                Event::PauseRequested(Pause { scope: PauseScope::All, by: by(), reason, length: None })
            }
            Some(()) = resume.recv() => {
                Event::ResumeRequested { scope: PauseScope::All, by: by(), reason: "SIGUSR2".to_owned() }
            }
            else => return,
        };
        if events.send(event).await.is_err() {
            return;
        }
    }
}

/// Whatever is there counts, also what cannot be read: only a name that does not exist is no pause.
async fn read(file: &Path) -> Option<Pause> {
    let found = match tokio::fs::symlink_metadata(file).await {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
        Err(error) => {
            return Some(Pause::of_file(None, format!("whether {FILE_NAME} is there cannot be told: {error}")));
        }
    };
    let reason = match first_line(file).await {
        Ok(line) if line.is_empty() => format!("the file {FILE_NAME} is there and names no reason"),
        Ok(line) => line,
        Err(error) => format!("the file {FILE_NAME} is there and cannot be read: {error}"),
    };
    Some(Pause::of_file(Some(found.uid()), reason))
}

async fn first_line(file: &Path) -> io::Result<String> {
    // Opening a pipe would wait for its writer.
    if !tokio::fs::metadata(file).await?.is_file() {
        return Err(io::Error::other("it is not an ordinary file"));
    }
    let mut bytes = Vec::new();
    tokio::fs::File::open(file).await?.take(READ_MAX).read_to_end(&mut bytes).await?;
    let text = String::from_utf8_lossy(&bytes);
    let line = text.lines().next().unwrap_or_default().trim();
    Ok(line.chars().map(|sign| if sign.is_control() { ' ' } else { sign }).take(REASON_MAX).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[tokio::test]
    async fn whatever_has_the_name_pauses() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(FILE_NAME);
        assert_eq!(read(&file).await, None);
        let own = rustix::process::getuid().as_raw();
        for (content, want) in [
            (&b"moving the database\nmore"[..], "moving the database"),
            (b"", "names no reason"),
            (b"\n second line", "names no reason"),
            (b"a\x1b[31mb\xff", "a [31mb\u{fffd}"),
            (&[b'x'; 9000], &"x".repeat(500)),
        ] {
            fs::write(&file, content).unwrap();
            let pause = read(&file).await.unwrap();
            assert!(pause.reason.contains(want), "{pause:?}");
            assert_eq!((pause.by, pause.scope), (format!("file:{own}"), PauseScope::All));
        }
        fs::remove_file(&file).unwrap();
        fs::create_dir(&file).unwrap();
        assert!(read(&file).await.unwrap().reason.contains("cannot be read"));
        fs::remove_dir(&file).unwrap();
        std::os::unix::fs::symlink("nowhere", &file).unwrap();
        assert!(read(&file).await.unwrap().reason.contains("cannot be read"));
        // A directory that is none does not say "no file": nobody knows.
        fs::write(folder.path().join("plain"), "").unwrap();
        assert!(read(&folder.path().join("plain").join(FILE_NAME)).await.unwrap().reason.contains("cannot be told"));
    }
}
