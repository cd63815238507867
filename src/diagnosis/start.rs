//! Docker tried to start the container and could not: its own words say why.

use super::findings::{Class, Findings};
use super::look::Look;
use super::start_causes::cause_of;
use super::words::quote;
use crate::model::container::ContainerState;
use crate::model::diagnosis::DiagnosisCode as Code;
use serde_json::Value;

pub(super) fn find(look: &Look<'_>, findings: &mut Findings) {
    sources(look, findings);
    let words = look.text("/container/state/error");
    // A start that works forgets the words of the one before.
    if words.is_empty() || look.runs() || look.state() == ContainerState::Paused {
        return;
    }
    let seen = format!("Docker says: {}", quote(essence(words)));
    let Some(cause) = cause_of(words) else {
        let what = "Docker could not start it.".to_owned();
        let next = format!("Mend what Docker names, then `docker start {}`.", look.name());
        findings.cause(Class::Start, Code::StartFailed, (what, seen, next));
        return;
    };
    let is_one_of = |codes: &[Code]| codes.contains(&cause.code);
    let of_the_command = is_one_of(&[Code::CommandNotFound, Code::CommandNotExecutable, Code::Architecture]);
    let what = if of_the_command {
        format!("{} The command: {}.", cause.what, quote(look.text("/container/program")))
    } else if is_one_of(&[Code::PortTaken, Code::PortAddress]) {
        format!("{} {}", cause.what, ports(look)).trim_end().to_owned()
    } else if is_one_of(&[Code::UserUnknown]) {
        format!("{} The user: {}.", cause.what, quote(look.text("/container/user")))
    } else {
        cause.what.to_owned()
    };
    let next = match hiding_mount(look).filter(|_| of_the_command) {
        Some(mount) => {
            format!("The program lies under the mount {mount}, which hides what the image has there. {}", cause.next)
        }
        None => cause.next.to_owned(),
    };
    findings.cause(Class::Start, cause.code, (what, seen, next));
}

/// Where the machine itself could be asked, it says which sources of mounts are gone. Docker keeps no word of that.
fn sources(look: &Look<'_>, findings: &mut Findings) {
    let gone: Vec<&str> = look.list("/machine/missing_sources").iter().filter_map(Value::as_str).collect();
    if gone.is_empty() {
        return;
    }
    let seen = format!("not on the machine: {}", gone.join(", "));
    let next = "Mount the disk that holds it, or make it again with what belongs in it.".to_owned();
    if look.runs() || look.state() == ContainerState::Paused {
        let what =
            "What is mounted into it is no longer on the machine: the next start fails, or finds an empty directory.";
        findings.risk(Class::Hint, Code::MountSourceMissing, (what.to_owned(), seen, next));
    } else {
        let what = "It cannot be started: what is to be mounted into it is not on the machine (bind source missing).";
        findings.cause(Class::Start, Code::MountSourceMissing, (what.to_owned(), seen, next));
    }
}

/// What the runtime says, without who said it to whom.
fn essence(words: &str) -> &str {
    let behind = |words: &'_ str, mark: &str| words.find(mark).map(|at| at + mark.len());
    let start = ["unable to start container process: ", "OCI runtime create failed: "];
    let start = start.iter().find_map(|mark| behind(words, mark)).unwrap_or(0);
    words.get(start..).unwrap_or(words).trim_end_matches(": unknown")
}

fn ports(look: &Look<'_>) -> String {
    let port = |port: &Value| {
        let part = |key: &str| port.get(key).and_then(Value::as_str).unwrap_or_default();
        let address = if part("host_ip").is_empty() { "0.0.0.0" } else { part("host_ip") };
        format!("{address}:{}", part("host_port"))
    };
    let ports: Vec<String> = look.list("/container/ports").iter().take(8).map(port).collect();
    if ports.is_empty() { String::new() } else { format!("It publishes {}.", ports.join(", ")) }
}

/// The mount below which the program lies, if one does.
fn hiding_mount<'a>(look: &Look<'a>) -> Option<&'a str> {
    let program = look.text("/container/program");
    let mounts = look.list("/container/mounts").iter();
    let targets = mounts.filter_map(|mount| mount.get("destination").and_then(Value::as_str));
    targets.into_iter().find(|target| {
        program.strip_prefix(*target).is_some_and(|rest| rest.starts_with('/'))
            || (*target == look.text("/container/workdir") && program.starts_with("./"))
    })
}
