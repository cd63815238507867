//! The incident log on a disk that fails: no room, a limit on file sizes, sync errors, a kill at any system call.
//!
//! Each test runs itself again as a child process in the environment it needs, so that the fault touches nobody else.
//! The child is told what to do by `SICKBAY_FAULT_DIR`; without it the child's half of a test does nothing.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

use sickbay::incident_log::{Conclusion, LogEvent, LogWriter, open, verify};
use sickbay::model::fact::{AlertsRejected, Fact, Record};
use sickbay::model::id::Seq;
use sickbay::model::stamp::{BootId, Stamp};
use std::ffi::OsString;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

const DIR: &str = "SICKBAY_FAULT_DIR";

fn child_dir() -> Option<PathBuf> {
    std::env::var_os(DIR).map(PathBuf::from)
}

fn record(seq: u64, len: usize) -> Record {
    let at = Stamp { wall: chrono::DateTime::UNIX_EPOCH, up_ms: seq, boot: BootId(1) };
    let rejected = AlertsRejected { sender: "a".into(), count: 1, first: "x".repeat(len) };
    Record { seq: Seq(seq), at, fact: Fact::AlertsRejected(rejected) }
}

fn start(dir: &Path) -> (LogWriter, Receiver<LogEvent>, u64) {
    let (events, told) = channel();
    let log = open(dir, drop).unwrap();
    let next = log.next_seq().0;
    (LogWriter::start(log, move |event| events.send(event).unwrap_or_default()).unwrap(), told, next)
}

fn append(writer: &LogWriter, record: Record) {
    writer.try_reserve().unwrap().expect("room in the queue").append(vec![record]);
}

fn next(told: &Receiver<LogEvent>) -> LogEvent {
    told.recv_timeout(Duration::from_secs(20)).unwrap()
}

/// Appends until the log stalls, then calls `make_room` and expects everything to become durable by itself.
fn stall_and_resume(dir: &Path, want: &str, make_room: impl FnOnce()) {
    let (writer, told, mut seq) = start(dir);
    let error = loop {
        append(&writer, record(seq, 3_000));
        match next(&told) {
            LogEvent::Durable { last, .. } => assert_eq!(last, Seq(seq)),
            LogEvent::Stalled { error } => break error,
            other @ (LogEvent::Resumed | LogEvent::Poisoned { .. }) => panic!("{other:?}"),
        }
        seq += 1;
    };
    assert!(error.contains(want), "{error}");
    let report = verify(dir).unwrap();
    assert_eq!((report.conclusion, report.records), (Conclusion::Clean, seq), "a short write is taken back");

    append(&writer, record(seq + 1, 10));
    make_room();
    assert_eq!(next(&told), LogEvent::Resumed);
    while !matches!(next(&told), LogEvent::Durable { last, .. } if last == Seq(seq + 1)) {}
    writer.close();
    let report = verify(dir).unwrap();
    assert_eq!((report.conclusion, report.records), (Conclusion::Clean, seq + 2));
}

/// Runs a test of this file again, alone, by way of a shell script that ends in `exec "$@"`.
fn again(test: &str, script: &str, dir: &Path) -> Output {
    let this = std::env::current_exe().unwrap();
    let args: [OsString; 5] = ["-c".into(), script.into(), "sh".into(), this.into(), "--exact".into()];
    let child = Command::new("sh").args(args).args([test, "--nocapture"]).env(DIR, dir).output().unwrap();
    let text = [child.stdout.as_slice(), &child.stderr].concat();
    assert!(child.status.success(), "{}", String::from_utf8_lossy(&text));
    assert!(String::from_utf8_lossy(&text).contains("1 passed"), "the child ran no test");
    child
}

#[test]
fn a_limit_on_file_size_stalls_the_log_and_lifting_it_resumes() {
    if let Some(dir) = child_dir() {
        return stall_and_resume(&dir, "File too large", || {
            let resource = rustix::process::Resource::Fsize;
            let limit = rustix::process::Rlimit { current: None, maximum: None };
            rustix::process::setrlimit(resource, limit).unwrap();
        });
    }
    let dir = tempfile::tempdir().unwrap();
    // The limit is no multiple of the records' length, so the last write is short.
    let script = "trap '' XFSZ; ulimit -S -f 40; exec \"$@\"";
    again("a_limit_on_file_size_stalls_the_log_and_lifting_it_resumes", script, dir.path());
}

#[test]
fn a_full_disk_stalls_the_log_and_room_resumes_it() {
    if let Some(dir) = child_dir() {
        let filler = dir.join("filler");
        fs::write(&filler, vec![0; 100_000]).unwrap();
        return stall_and_resume(&dir, "No space left on device", || fs::remove_file(&filler).unwrap());
    }
    let dir = tempfile::tempdir().unwrap();
    // The mount lives in a namespace of its own and goes away with the child.
    let script = "exec unshare --user --map-root-user --mount sh -c \
                  'mount -t tmpfs -o size=160k tmpfs \"$SICKBAY_FAULT_DIR\" && exec \"$@\"' sh \"$@\"";
    again("a_full_disk_stalls_the_log_and_room_resumes_it", script, dir.path());
}

/// The work the next tests disturb: open, append twenty records one by one, close. Says on standard error what was
/// acknowledged, byte for byte as it happens.
#[test]
fn twenty_records() {
    let Some(dir) = child_dir() else { return };
    let (writer, told, first) = start(&dir);
    for seq in first..first + 20 {
        append(&writer, record(seq, 100));
        match next(&told) {
            LogEvent::Durable { last, .. } => eprintln!("ACK {last}"),
            LogEvent::Poisoned { error } => return eprintln!("POISONED {error}"),
            other @ (LogEvent::Resumed | LogEvent::Stalled { .. }) => panic!("{other:?}"),
        }
    }
    writer.close();
}

/// Runs the twenty records under strace with a fault put into one system call.
fn disturbed(dir: &Path, inject: &str) -> Output {
    let this = std::env::current_exe().unwrap();
    let calls = inject.split(':').next().unwrap();
    Command::new("strace")
        .args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={calls}"), "-e", &format!("inject={inject}")])
        .arg("-P")
        .arg(dir.join("incident_log/00000000000000000000.jsonl"))
        .arg(this)
        .args(["--exact", "twenty_records", "--nocapture"])
        .env(DIR, dir)
        .output()
        .expect("strace (apt-get install strace)")
}

fn acknowledged(output: &Output) -> u64 {
    let text = String::from_utf8_lossy(&output.stderr);
    text.lines().filter(|line| line.starts_with("ACK ")).count() as u64
}

/// Whatever happened: what was acknowledged is there, and the next run goes on.
fn recovers(dir: &Path, acked: u64, what: &str) {
    let report = verify(dir);
    if acked == 0 && report.is_err() {
        return;
    }
    let mut replayed = 0;
    let log = open(dir, |_record| replayed += 1).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert!(acked <= replayed, "{what}: {acked} acknowledged, {replayed} there");
    drop(log);
    assert_eq!(verify(dir).unwrap().conclusion, Conclusion::Clean, "{what}");
}

#[test]
fn a_kill_at_any_write_or_sync_loses_nothing_acknowledged() {
    for call in ["write", "fdatasync"] {
        for at in 1..=21 {
            let dir = tempfile::tempdir().unwrap();
            let inject = format!("{call}:signal=KILL:when={at}");
            let output = disturbed(dir.path(), &inject);
            let acked = acknowledged(&output);
            // strace counts per thread. The first sync of all is the start's, so the writer's own first one is not hit.
            assert_eq!(output.status.signal() == Some(9), at <= 20, "{inject}: {output:?}");
            assert_eq!(acked, at - 1, "{inject}");
            recovers(dir.path(), acked, &inject);
        }
    }
}

#[test]
fn after_a_failed_sync_the_file_is_never_written_again() {
    for at in [2, 3, 12, 20] {
        let dir = tempfile::tempdir().unwrap();
        let inject = format!("fdatasync:error=EIO:when={at}");
        let output = disturbed(dir.path(), &inject);
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(acknowledged(&output), at - 1, "{text}");
        assert!(text.contains("POISONED syncing "), "{text}");
        let written = verify(dir.path()).unwrap();
        assert!(written.records <= at, "nothing is written behind the failed sync");
        recovers(dir.path(), at - 1, &inject);
    }
}

#[test]
fn a_start_whose_sync_fails_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let output = disturbed(dir.path(), "fdatasync:error=EIO:when=1");
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(acknowledged(&output), 0);
    assert!(text.contains("syncing"), "{text}");
}

#[test]
fn a_failed_write_is_taken_back_and_tried_again() {
    if let Some(dir) = child_dir() {
        let (writer, told, _) = start(&dir);
        append(&writer, record(0, 100));
        assert!(matches!(next(&told), LogEvent::Stalled { .. }));
        assert_eq!(next(&told), LogEvent::Resumed);
        assert!(matches!(next(&told), LogEvent::Durable { last: Seq(0), .. }));
        return writer.close();
    }
    for error in ["ENOSPC", "EIO"] {
        let dir = tempfile::tempdir().unwrap();
        let script = format!(
            "exec strace -f -qq -o /dev/null -e trace=write -e inject=write:error={error}:when=1 \
             -P \"$SICKBAY_FAULT_DIR/incident_log/00000000000000000000.jsonl\" \"$@\""
        );
        again("a_failed_write_is_taken_back_and_tried_again", &script, dir.path());
        recovers(dir.path(), 1, error);
    }
}
