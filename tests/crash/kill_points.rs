//! SIGKILL at the N-th sync and at the N-th write of the log, one by one, on one short run of the real daemon.
//!
//! strace kills the process on its way into the system call. Each point has its own daemon and container; several are
//! tried side by side because the reconciliation after a kill is mostly waiting.

use crate::real_daemon::{Daemon, Home, alert, notification, post, until};
use crate::real_docker::{OBEDIENT, TestContainer};
use crate::story::{Story, all_closed, check};
use crate::victims::Victims;
use sickbay::model::incident::Verdict;
use std::os::unix::process::ExitStatusExt;
use std::sync::Mutex;
use std::thread;

/// More writes than the short run makes, so that the last points are not reached: none is left out.
const POINTS: std::ops::RangeInclusive<usize> = 1..=18;

/// How many points are tried at once.
const SIDE_BY_SIDE: usize = 6;

#[test]
fn killed_at_any_sync_of_the_log_it_goes_on() {
    at_every("fdatasync");
}

#[test]
fn killed_at_any_write_of_the_log_it_goes_on() {
    at_every("write");
}

fn at_every(call: &str) {
    let points = Mutex::new(POINTS);
    let mut outcomes = thread::scope(|scope| {
        let threads: Vec<_> = (0..SIDE_BY_SIDE)
            .map(|_| {
                scope.spawn(|| {
                    let next = || points.lock().unwrap().next();
                    std::iter::from_fn(next).map(|point| (point, kill_at(call, point))).collect::<Vec<_>>()
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    outcomes.sort_by_key(|(point, _)| *point);
    let reached = outcomes.iter().filter(|(_, outcome)| outcome.killed).count();
    assert!(15 <= reached, "{call}: only {reached} points were reached: the run is not what it was");
    assert!(reached < outcomes.len(), "{call}: the run makes more than {reached} calls, so some were not tried");
    for (point, outcome) in outcomes {
        assert_eq!(outcome.killed, point <= reached, "{call} {point}: points are reached in order");
        let undone = outcome.verdicts.iter().filter(|verdict| **verdict != Verdict::Recovered).count();
        assert!(undone <= usize::from(outcome.killed), "{call} {point}: one kill costs at most one act: {outcome:?}");
    }
}

#[derive(Debug)]
struct Outcome {
    killed: bool,
    verdicts: Vec<Verdict>,
}

/// The short run: two alerts, the second once the first has its verdict; then stop. After the kill: both again.
fn kill_at(call: &str, point: usize) -> Outcome {
    let name = format!("{call}-{point}");
    let victims = Victims::start(&format!("kill-{name}"), 2, &OBEDIENT);
    let home = Home::new();
    let (trace, inject) = (format!("trace={call}"), format!("inject={call}:signal=KILL:when={point}"));
    let segment = home.segment();
    let path = segment.to_str().unwrap();
    // With -D the daemon is our child and strace the grandchild, so that we see how the daemon itself ends.
    let strace = ["strace", "-D", "-f", "-qq", "-o", "/dev/null", "-e", &trace, "-e", &inject, "-P", path];
    let down = |victim: &TestContainer| notification(&[alert("Down", &victim.name, &victim.name)]);
    let bodies: Vec<String> = victims.boxes.iter().map(down).collect();

    let (acknowledged, killed) = match Daemon::try_start(home.command_under(&strace)) {
        Err(ended) => (0, ended.status.signal() == Some(9)),
        Ok(mut daemon) => {
            let mut take = |body: &String| {
                let before = home.closed();
                let taken = post(daemon.address, body).is_ok_and(|answer| answer.status == 200);
                let done = || taken && before < home.closed();
                until("it is killed or done", || done() || daemon.child.try_wait().unwrap().is_some());
                taken
            };
            let acknowledged = bodies.iter().map_while(|body| take(body).then_some(())).count();
            (acknowledged, daemon.stop().status.signal() == Some(9))
        }
    };

    let daemon = Daemon::start(home.command());
    daemon.ready();
    let recorded = Story::read(&home).serials().len();
    assert!(acknowledged <= recorded, "{name}: {acknowledged} acknowledged, {recorded} there");
    for (number, body) in bodies.iter().enumerate() {
        let again = post(daemon.address, body).unwrap();
        let want = if number < recorded { "\"duplicates\":1," } else { "\"accepted\":1," };
        assert!(again.status == 200 && again.body.contains(want), "{name}: {again:?}");
    }
    all_closed(&home);
    let ended = daemon.stop();
    assert!(ended.status.success(), "{name}: {ended:?}");
    let verdicts: Vec<Verdict> = check(&name, &home, &victims).verdicts().into_values().collect();
    assert_eq!(verdicts.len(), 2, "{name}");
    Outcome { killed, verdicts }
}
