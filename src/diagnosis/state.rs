//! What the state alone says: paused, being removed, never started, a network that died with its owner, or ended by hand.

use super::findings::{Class, Findings};
use super::look::Look;
use super::words::span;
use crate::model::container::ContainerState;
use crate::model::diagnosis::DiagnosisCode as Code;

/// Signals that ask a process to end, by number and by name.
const KILLING: [&str; 6] = ["9", "15", "KILL", "TERM", "SIGKILL", "SIGTERM"];

pub(super) fn find(look: &Look<'_>, findings: &mut Findings) {
    let name = look.name();
    match look.state() {
        ContainerState::Paused => findings.cause(
            Class::State,
            Code::Paused,
            (
                "It is paused: its processes are frozen, and nobody gets an answer.".to_owned(),
                "state paused".to_owned(),
                format!("Find out who paused it, perhaps a backup; then `docker unpause {name}`."),
            ),
        ),
        ContainerState::Removing => findings.cause(
            Class::State,
            Code::Removing,
            (
                "It is being removed.".to_owned(),
                "state removing".to_owned(),
                "Wait; if it stays so, look into the engine's log for what holds its files.".to_owned(),
            ),
        ),
        ContainerState::Dead => findings.cause(
            Class::State,
            Code::Dead,
            (
                "It is dead: Docker tried to remove it and could not.".to_owned(),
                format!("state dead {}", look.text("/container/state/error")).trim_end().to_owned(),
                format!("Find out what still uses its files or mounts, then `docker rm -f {name}`, and make it anew."),
            ),
        ),
        ContainerState::Created if look.text("/container/state/error").is_empty() => findings.cause(
            Class::State,
            Code::NeverStarted,
            (
                "It was made and never started.".to_owned(),
                "state created, without an error".to_owned(),
                format!("`docker start {name}`, or ask who made it without starting it."),
            ),
        ),
        ContainerState::Exited => by_hand(look, findings),
        ContainerState::Created | ContainerState::Running | ContainerState::Restarting | ContainerState::Other(_) => {}
    }
    if look.runs() {
        parent(look, findings);
    }
}

/// What Docker's history says about who ended it: a stop always leaves its event behind the death.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Stopped,
    Killed,
}

fn told(look: &Look<'_>) -> Option<Told> {
    if look.state() != ContainerState::Exited || !look.text("/container/state/error").is_empty() {
        return None;
    }
    let past = look.past_of_this_run();
    let has = |action: &str| past.iter().any(|event| event.action == action);
    let killed = past.iter().any(|event| event.action == "kill" && KILLING.contains(&event.signal));
    if has("stop") || look.text("/past/stop_cause") == "stopped" {
        Some(Told::Stopped)
    } else {
        (killed && !has("oom") && !look.flag("/container/state/oom_killed")).then_some(Told::Killed)
    }
}

/// Whether Docker's history says that somebody ended it: then nobody need guess by whom a signal came.
pub(super) fn is_told_by_whom(look: &Look<'_>) -> bool {
    told(look).is_some()
}

/// Somebody ended it, as the history or the restart policy shows.
fn by_hand(look: &Look<'_>, findings: &mut Findings) {
    if !look.text("/container/state/error").is_empty() {
        return;
    }
    let code = look.number("/container/state/exit_code").unwrap_or(0);
    let ago = look.time("/container/seen_at").zip(look.time("/container/state/finished_at"));
    let ago = ago.map_or_else(String::new, |(now, then)| format!(" {} ago", span((now - then).num_seconds().max(0))));
    let told = told(look);
    // With such a policy Docker itself would have started it again.
    let policy = look.text("/container/restart_policy");
    let stopped = told == Some(Told::Stopped) || ["always", "unless-stopped"].contains(&policy);
    if stopped {
        let how = match code {
            137 => {
                " It did not end when it was asked to (exit code 137), so Docker killed it after its grace: its main \
                 process ignores the stop signal, or needs longer."
            }
            143 => " It ended by SIGTERM (exit code 143), as it was asked to.",
            _ => "",
        };
        findings.cause(
            Class::ByHand,
            Code::StoppedByHand,
            (
                format!("Somebody stopped it{ago}: a person, a deployment, or the shutdown of the machine.{how}"),
                if told == Some(Told::Stopped) {
                    format!("Docker's history has a stop; exit code {code}")
                } else {
                    format!("it is not started again though its restart policy is {policy}; exit code {code}")
                },
                format!("Ask before you start it: somebody meant it. Then `docker start {}`.", look.name()),
            ),
        );
    } else if told == Some(Told::Killed) {
        findings.cause(
            Class::ByHand,
            Code::KilledByHand,
            (
                format!("Somebody killed it through Docker{ago} (`docker kill`, or a program that uses Docker)."),
                format!("Docker's history has a kill and no stop; exit code {code}"),
                format!("Find out who did it, then `docker start {}`.", look.name()),
            ),
        );
    }
}

/// A container that lives in the network of another one loses it when that one ends, and goes on running.
fn parent(look: &Look<'_>, findings: &mut Findings) {
    let Some(parent) = look.text("/container/network_mode").strip_prefix("container:") else { return };
    let named = match look.text("/network_parent/name") {
        "" => parent.get(..12).unwrap_or(parent),
        name => name,
    };
    let recreate = format!(
        "Make {} anew beside the new owner of the network (`docker compose up -d` does it); a restart helps only if the \
         owner is the same container.",
        look.name()
    );
    if look.flag("/network_parent/gone") {
        let what = "It lives in the network of another container, and that one is gone: it has no network any more.";
        let seen = format!("network mode container:{named}, and Docker knows no such container");
        findings.cause(Class::Namespace, Code::ParentGone, (what.to_owned(), seen, recreate));
        return;
    }
    let status = look.text("/network_parent/status");
    let began = look.time("/network_parent/started_at").zip(look.time("/container/state/started_at"));
    if !status.is_empty() && !["running", "paused", "restarting"].contains(&status) {
        findings.cause(
            Class::Namespace,
            Code::ParentStopped,
            (
                format!("It lives in the network of {named}, which does not run: its network is dead."),
                format!("{named} is {status}"),
                format!("Start {named} first, then restart {}.", look.name()),
            ),
        );
    } else if began.is_some_and(|(parent, own)| own < parent) {
        findings.cause(
            Class::Namespace,
            Code::ParentRestarted,
            (
                format!("It lives in the network of {named}, which was started after it: its network died then."),
                format!("{named} started at {}", look.text("/network_parent/started_at")),
                format!("Restart {} after {named}, each time {named} is restarted.", look.name()),
            ),
        );
    }
}
