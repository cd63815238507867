//! What the last lines of the log point to. A log is a hint and no proof: of a container that ended its last lines count
//! for much, of one that runs they are told behind all that was measured.

use super::cause::Cause;
use super::ending::again;
use super::findings::{Class, Findings};
use super::log_line::{Pointer, goes_on, pointer_of};
use super::look::Look;
use super::words::quote;
use crate::model::diagnosis::DiagnosisCode as Code;
use serde_json::Value;

/// Of a container that ended, so many of the last lines are read.
const LINES_ENDED: usize = 15;

/// Of one that runs.
const LINES_RUNNING: usize = 40;

/// The most causes told from one log.
const CAUSES_MAX: usize = 3;

/// A line and what it points to.
#[derive(Clone, Copy)]
struct Told<'a> {
    pointer: Pointer,
    line: &'a str,
    /// The next line that is not indented: where a line only announces something, the message stands there.
    after: Option<&'a str>,
    /// By its own words it keeps nothing from working.
    mild: bool,
}

pub(super) fn find(look: &Look<'_>, findings: &mut Findings) {
    let ending = look.ending();
    // What was ended from outside did not end for what its log says.
    let by_itself = ending.filter(|ending| ending.code != 0 && ending.code != 137 && ending.code != 143);
    // Docker's history may have forgotten how it ended.
    let ended = by_itself.is_some() || (ending.is_none() && look.loops());
    let window = if ended { LINES_ENDED } else { LINES_RUNNING };
    for told in told(look, window) {
        let cause = told.pointer.cause;
        let how = by_itself.map(|ending| format!("It ended with exit code {}, and its", ending.code));
        let what = format!("{} log says that {}.{}", how.as_deref().unwrap_or("Its"), cause.what, again(look));
        let said = (what, format!("its log: {}", in_full(told)), next(look, cause, told.line));
        match (ended, told.mild) {
            (true, false) => findings.cause(class(cause.code), cause.code, said),
            (true, true) => findings.risk(Class::Hint, cause.code, said),
            (false, _) if told.pointer.is_vague() && look.runs() => {}
            (false, false) => findings.risk(Class::Hint, cause.code, said),
            (false, true) => findings.note(cause.code, said),
        }
    }
}

/// What the last lines point to: what says most first, among the others the newest.
fn told<'a>(look: &Look<'a>, window: usize) -> Vec<Told<'a>> {
    let mut told: Vec<Told<'a>> = Vec::new();
    let mut after = None;
    for line in look.lines().into_iter().rev().take(window) {
        if let Some(pointer) = pointer_of(line) {
            let new = Told { pointer, line, after, mild: goes_on(pointer.cause, line) };
            match told.iter_mut().find(|known| known.pointer.cause.code == pointer.cause.code) {
                // Of two that say the same, the newer, unless it says less.
                Some(known) if new.weakness() < known.weakness() => *known = new,
                Some(_) => {}
                None => told.push(new),
            }
        }
        if !line.starts_with(char::is_whitespace) {
            after = Some(line);
        }
    }
    // "It stopped at an error" says least; what is no trouble by its own words, nothing.
    told.sort_by_key(|told| (told.mild, told.pointer.is_vague()));
    told.truncate(CAUSES_MAX);
    told
}

impl Told<'_> {
    fn weakness(&self) -> (bool, usize) {
        (self.mild, self.pointer.place)
    }
}

/// `panicked at src/main.rs:4:5:` and `Traceback (most recent call last):` say what is the matter behind them.
fn in_full(told: Told<'_>) -> String {
    let announced = told.after.filter(|_| told.line.trim_end().ends_with(':'));
    announced.map_or_else(|| quote(told.line), |after| quote(&format!("{} {after}", told.line.trim_end())))
}

/// A program that cannot even be run explains more than anything that it could have logged.
fn class(code: Code) -> Class {
    let program = [Code::Architecture, Code::InterpreterMissing, Code::LibraryMissing, Code::HeapExhausted];
    if program.contains(&code) { Class::Loading } else { Class::Log }
}

/// The cause's advice, with what this container's configuration adds to it.
fn next(look: &Look<'_>, cause: &Cause, line: &str) -> String {
    let is_one_of = |codes: &[Code]| codes.contains(&cause.code);
    let more = if is_one_of(&[Code::Architecture]) {
        architecture(look)
    } else if is_one_of(&[Code::DnsFailed, Code::DependencyUnreachable]) {
        network(look)
    } else if is_one_of(&[Code::FileMissing, Code::DirectoryForFile, Code::PermissionDenied, Code::ReadOnly]) {
        mount(look, line)
    } else {
        None
    };
    let user = look.text("/container/user");
    let whose = if is_one_of(&[Code::PermissionDenied]) && !user.is_empty() {
        Some(format!("It runs as user {}.", quote(user)))
    } else if is_one_of(&[Code::ReadOnly]) && look.flag("/container/read_only") {
        Some("Its root file system is read-only by its own configuration (`read_only`).".to_owned())
    } else {
        None
    };
    let parts = more.into_iter().chain(whose).chain([cause.next.to_owned()]);
    parts.collect::<Vec<String>>().join(" ")
}

fn architecture(look: &Look<'_>) -> Option<String> {
    let (image, engine) = (look.text("/image/architecture"), look.text("/engine/architecture"));
    (!image.is_empty() && !engine.is_empty() && image != engine)
        .then(|| format!("The image is made for {image}, and this machine is {engine}."))
}

/// Names of containers are known in networks that somebody made, and not in Docker's default one.
fn network(look: &Look<'_>) -> Option<String> {
    match look.text("/container/network_mode") {
        "none" => Some("It has no network at all (`network_mode: none`).".to_owned()),
        "default" | "bridge" => Some(
            "It is in Docker's default network, where containers do not find each other by name: use a network of your own."
                .to_owned(),
        ),
        _ => None,
    }
}

/// Whether the path that a line names lies on a mount.
fn mount(look: &Look<'_>, line: &str) -> Option<String> {
    let mounts = look.list("/container/mounts").iter();
    let part = |mount: &Value, key: &str| mount.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let named = mounts.map(|mount| (part(mount, "destination"), part(mount, "source"), mount));
    let (destination, source, mount) = named
        .filter(|(destination, ..)| 1 < destination.len() && line.contains(destination.as_str()))
        .max_by_key(|(destination, ..)| destination.len())?;
    let read_only = mount.get("rw").and_then(Value::as_bool) == Some(false);
    let how = if read_only { ", mounted read-only" } else { "" };
    Some(format!("{destination} is a mount of {source}{how}: look there."))
}
