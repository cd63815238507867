//! SIGKILL at the N-th sync and at the N-th write of the log, one by one, on one short run of the real daemon.
//!
//! strace kills the process on its way into the system call. Each point has its own daemon and container; several are
//! tried side by side because the reconciliation after a kill is mostly waiting.

use crate::real_daemon::{Daemon, Home, alert, is_ready, notification, post, until};
use crate::real_docker::OBEDIENT;
use crate::sender::{DELIVERED_AGAIN_AFTER, Sender};
use crate::story::{Story, check};
use crate::victims::Victims;
use sickbay::model::incident::Verdict;
use std::os::unix::process::ExitStatusExt;
use std::panic::resume_unwind;
use std::sync::Mutex;
use std::thread;
use std::time::Instant;

/// More writes than the short run makes, so that the last points are not reached: none is left out. On a busy machine
/// Docker may answer too late, and the refusal that follows is written as well.
const POINTS: std::ops::RangeInclusive<usize> = 1..=20;

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
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic)))
            .collect::<Vec<_>>()
    });
    outcomes.sort_by_key(|(point, _)| *point);
    let reached = outcomes.iter().take_while(|(_, outcome)| outcome.killed).count();
    assert!(15 <= reached, "{call}: only {reached} points were reached: the run is not what it was");
    assert!(reached < outcomes.len(), "{call}: the run makes more than {reached} calls, so some were not tried");
    for (point, outcome) in outcomes {
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
    let alerts: Vec<String> = victims.boxes.iter().map(|victim| alert("Down", &victim.name, &victim.name)).collect();
    let bodies: Vec<String> = alerts.iter().map(|alert| notification(std::slice::from_ref(alert))).collect();

    let (acknowledged, killed) = match Daemon::try_start(home.command_under(&strace)) {
        Err(ended) => (0, ended.status.signal() == Some(9)),
        Ok(mut daemon) => {
            let mut take = |body: &String| {
                let mut ended = || daemon.child.try_wait().unwrap().is_some();
                // Until then it answers 503.
                until("it is killed or ready", || ended() || is_ready(daemon.address));
                let before = home.closed();
                let answer = post(daemon.address, body);
                let taken = answer.as_ref().is_ok_and(|answer| answer.status == 200);
                let what = format!("{name}: it is killed or done, having answered {answer:?}");
                let mut told = Instant::now();
                until(&what, || {
                    if DELIVERED_AGAIN_AFTER < told.elapsed() {
                        told = Instant::now();
                        // It may be killed over it.
                        drop(post(daemon.address, body));
                    }
                    ended() || (taken && before < home.closed())
                });
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
    Sender::new(&daemon, notification(&alerts)).all_closed(&home);
    let ended = daemon.stop();
    assert!(ended.status.success(), "{name}: {ended:?}");
    let verdicts: Vec<Verdict> = check(&name, &home, &victims).verdicts().into_values().collect();
    assert_eq!(verdicts.len(), 2, "{name}");
    Outcome { killed, verdicts }
}
