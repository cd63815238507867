//! The real daemon on a disk that fails: a sync that reports an error, writes that find no room, a write cut in two.

use crate::real_daemon::{Answer, Daemon, Home, alert, complaints, get, notification, post, until};
use crate::real_docker::OBEDIENT;
use crate::sender::Sender;
use crate::story::{Story, check};
use crate::victims::Victims;
use sickbay::incident_log::{Conclusion, verify};
use sickbay::model::fact::Fact;
use sickbay::model::incident::Verdict;
use std::fs;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::thread;
use std::time::Duration;

/// The calls of the log's writer in the short run: 1 is the start, 2 the alert, 3 the decision, 4 the evidence, 5 the
/// intent, 6 the outcome.
const INTENT: usize = 5;

/// Puts a fault into system calls of the log.
fn injected(home: &Home, call: &str, fault: &str) -> Command {
    let (trace, inject) = (format!("trace={call}"), format!("inject={call}:{fault}"));
    let segment = home.segment();
    let path = segment.to_str().unwrap();
    home.command_under(&["strace", "-D", "-f", "-qq", "-o", "/dev/null", "-e", &trace, "-e", &inject, "-P", path])
}

/// Waits for the first write, so that the alert is not part of it and the calls are counted as described.
fn start_is_written(home: &Home) {
    until("the start is recorded", || fs::metadata(home.segment()).is_ok_and(|segment| 0 < segment.len()));
}

fn down(victims: &Victims) -> String {
    let name = &victims.boxes[0].name;
    notification(&[alert("Down", name, name)])
}

#[test]
fn after_a_failed_sync_nothing_is_acknowledged_or_done_and_the_next_start_goes_on() {
    thread::scope(|scope| {
        for at in 2..=8 {
            scope.spawn(move || fail_sync_at(at));
        }
    });
}

fn fail_sync_at(at: usize) {
    let name = format!("sync {at}");
    let victims = Victims::start(&format!("eio-{at}"), 1, &OBEDIENT);
    let home = Home::new();
    let daemon = Daemon::start(injected(&home, "fdatasync", &format!("error=EIO:when={at}")));
    start_is_written(&home);
    let body = down(&victims);
    let answer = post(daemon.address, &body).unwrap();
    assert_eq!(answer.status, if at == 2 { 503 } else { 200 }, "{name}: {answer:?}");
    let ended = daemon.wait();
    assert_eq!(ended.status.code(), Some(70), "{name}: {ended:?}");
    let told: Vec<&str> = complaints(&ended.said).into_iter().filter(|line| line.contains("/output error")).collect();
    let words = ["sickbay: ", "check the disk", "start sickbay again"];
    let clear = matches!(told.as_slice(), [only] if words.iter().all(|words| only.contains(words)));
    assert!(clear, "{name}: {}", ended.said);
    // The intent stands in the file, but nobody knows whether on the disk as well.
    let story = Story::read(&home);
    assert_eq!(story.count("action.intent"), usize::from(INTENT <= at), "{name}");
    let restarts = || victims.events.count("restart", &victims.boxes[0]);
    if at <= INTENT {
        thread::sleep(Duration::from_millis(500));
        assert_eq!(restarts(), 0, "{name}: acted without a durable intent");
    } else {
        until("Docker has restarted it", || restarts() == 1);
    }

    let daemon = Daemon::start(home.command());
    daemon.ready();
    assert!(post(daemon.address, &body).unwrap().body.contains("\"duplicates\":1,"), "{name}");
    Sender::new(&daemon, body).all_closed(&home);
    assert!(daemon.stop().status.success(), "{name}");
    check(&name, &home, &victims);
}

#[test]
fn a_start_whose_sync_fails_is_refused() {
    let home = Home::new();
    let ended = Daemon::run_to_end(injected(&home, "fdatasync", "error=EIO:when=1"));
    assert_eq!(ended.status.code(), Some(74), "{ended:?}");
    assert!(matches!(complaints(&ended.said).as_slice(), [only] if only.contains("Input/output error")), "{ended:?}");
}

#[test]
fn while_nothing_can_be_written_senders_get_503_and_then_it_goes_on_by_itself() {
    let victims = Victims::start("enospc", 1, &OBEDIENT);
    let home = Home::new();
    let daemon = Daemon::start(injected(&home, "write", "error=ENOSPC:when=2..9"));
    start_is_written(&home);
    let body = down(&victims);
    let answer = post(daemon.address, &body).unwrap();
    assert!(answer.status == 503 && answer.body.contains("send again later"), "{answer:?}");
    not_ready(&get(daemon.address, "/-/ready").unwrap());
    daemon.says("log can be written again");
    daemon.ready();
    let again = post(daemon.address, &body).unwrap();
    assert!(again.status == 200 && again.body.contains("\"duplicates\":1,"), "{again:?}");
    Sender::new(&daemon, body).all_closed(&home);
    let ended = daemon.stop();
    assert!(ended.status.success(), "{ended:?}");
    assert_eq!(ended.said.matches("Make room on the disk").count(), 1, "told once, not every second: {}", ended.said);
    let story = check("write", &home, &victims);
    assert_eq!(story.verdicts().into_values().collect::<Vec<_>>(), [Verdict::Recovered]);
}

fn not_ready(answer: &Answer) {
    let said = answer.body.contains("the incident log cannot be written") && answer.body.contains("No space left");
    assert!(answer.status == 503 && said, "{answer:?}");
}

#[test]
fn an_act_whose_intent_became_durable_too_late_is_not_sent() {
    let victims = Victims::start("late", 1, &OBEDIENT);
    let home = Home::new();
    let daemon = Daemon::start(injected(&home, "write", &format!("error=ENOSPC:when={INTENT}..{}", INTENT + 7)));
    start_is_written(&home);
    assert_eq!(post(daemon.address, &down(&victims)).unwrap().status, 200);
    Sender::new(&daemon, down(&victims)).all_closed(&home);
    assert!(daemon.stop().status.success());
    let story = check("late intent", &home, &victims);
    assert_eq!(story.verdicts().into_values().collect::<Vec<_>>(), [Verdict::Failed]);
    assert_eq!(victims.events.count("restart", &victims.boxes[0]), 0);
}

#[test]
fn a_write_cut_in_two_is_mended_at_the_next_start() {
    thread::scope(|scope| {
        for limit in [1500, 2222, 3001, 4096, 5555, 7777] {
            scope.spawn(move || cut_at(limit));
        }
    });
}

/// The system cuts the write at the limit on file sizes and kills the process with SIGXFSZ.
fn cut_at(limit: usize) {
    let home = Home::new();
    let daemon = Daemon::start(home.command_under(&["prlimit", &format!("--fsize={limit}")]));
    // Each is the same alert when it is sent again, with the same beginning.
    let one = |number: usize| notification(&[alert("Noise", "none", &format!("{limit}-{number}"))]);
    let bodies: Vec<String> = (0..100).map(one).collect();
    let taken = |body: &&String| post(daemon.address, body).is_ok_and(|answer| answer.status == 200);
    let acknowledged = bodies.iter().take_while(taken).count();
    assert_eq!(daemon.wait().status.signal(), Some(25), "{limit}");
    let bytes = fs::read(home.segment()).unwrap();
    let torn = bytes.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
    assert!(bytes.len() == limit && !torn.is_empty(), "{limit}: no torn end: the test tests nothing");

    let daemon = Daemon::start(home.command());
    daemon.ready();
    for body in &bodies[..acknowledged] {
        let again = post(daemon.address, body).unwrap();
        assert!(again.body.contains("\"duplicates\":1,"), "{limit}: acknowledged and lost: {again:?}");
    }
    assert_eq!(post(daemon.address, &bodies[acknowledged]).unwrap().status, 200);
    assert!(daemon.stop().status.success());
    assert_eq!(verify(&home.data()).unwrap().conclusion, Conclusion::Clean);
    let story = Story::read(&home);
    let recovered = story.0.iter().find_map(|record| {
        let Fact::LogRecovered(recovered) = &record.fact else { return None };
        Some(recovered.clone())
    });
    let recovered = recovered.expect("log.recovered is recorded");
    assert_eq!(recovered.bytes, torn.len() as u64);
    assert_eq!(fs::read(home.data().join(recovered.quarantine)).unwrap(), torn, "{limit}: nothing is thrown away");
}

#[test]
fn on_a_full_disk_senders_get_503_and_room_is_all_it_needs() {
    let home = Home::new();
    fs::create_dir(home.data()).unwrap();
    // The mount lives in a namespace of the daemon's own and goes away with it. An ext4 where an image may be mounted; a
    // tmpfs of the same size does elsewhere.
    let root = rustix::process::geteuid().is_root();
    let mount = "{ truncate -s 4M disk && mkfs.ext4 -q disk && mount -o loop disk data; } 2>/dev/null \
                 || mount -t tmpfs -o size=4m tmpfs data";
    let script = format!("{{ {mount}; }} && exec \"$@\"");
    let namespace: &[&str] = if root { &["--mount"] } else { &["--user", "--map-root-user", "--mount"] };
    let wrapper = [&["unshare"], namespace, &["sh", "-c", &script, "sh"]].concat();
    let daemon = Daemon::start(home.command_under(&wrapper));
    daemon.ready();
    let one = |serial: &str| post(daemon.address, &notification(&[alert("Noise", "none", serial)])).unwrap();
    assert_eq!(one("before").status, 200);

    let data = format!("/proc/{}/cwd/data", daemon.child.id());
    let filler = format!("{data}/filler");
    let mut file = fs::File::create(&filler).unwrap();
    while file.write(&[0; 4096]).is_ok_and(|written| 0 < written) {}
    drop(file);
    // The last block of the log may have room for some more.
    let refused = (0..200).find_map(|number| Some(one(&number.to_string())).filter(|answer| answer.status != 200));
    let refused = refused.expect("a full disk cannot take everything");
    assert!(refused.status == 503 && refused.body.contains("send again later"), "{refused:?}");
    not_ready(&get(daemon.address, "/-/ready").unwrap());
    let said = daemon.said();
    assert_eq!(said.matches("Make room on the disk").count(), 1, "told once, not every second: {said}");

    fs::remove_file(&filler).unwrap();
    daemon.says("log can be written again");
    daemon.ready();
    assert_eq!(one("after").status, 200);
    let report = verify(data.as_ref()).unwrap();
    assert_eq!(report.conclusion, Conclusion::Clean);
    let ended = daemon.stop();
    assert!(ended.status.success(), "{ended:?}");
}
