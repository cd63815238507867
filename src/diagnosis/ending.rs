//! How the main process ended, by its exit code and by what the kernel and Docker say about it, and whether it does so again
//! and again.

use super::findings::{Class, Findings};
use super::look::{Ending, Look};
use super::signals::{convention, signal_of, usual};
use super::state::is_told_by_whom;
use super::words::{bytes, quote, span, times};
use crate::model::diagnosis::DiagnosisCode as Code;

/// How much of the memory limit must have been used for the kernel to be suspected.
const SUSPECT_PERCENT: u64 = 98;

pub(super) fn find(look: &Look<'_>, findings: &mut Findings) {
    let ending = look.ending().filter(|_| look.runs() || look.text("/container/state/error").is_empty());
    let killed_for_memory = out_of_memory(look, ending, findings);
    if let Some(ending) = ending
        && !killed_for_memory
    {
        code(look, ending, findings);
    }
    if look.loops() {
        looping(look, ending, findings);
    }
}

/// A sentence about how often, if it was more than once.
pub(super) fn again(look: &Look<'_>) -> String {
    match look.restarts() {
        0 => String::new(),
        _ if !look.loops() => String::new(),
        restarts => format!(" It is in a crash loop: Docker has restarted it {}.", times(restarts)),
    }
}

/// Docker's flag says it, and its history; both may tell of an earlier run, or of a process that is not the main one.
fn out_of_memory(look: &Look<'_>, ending: Option<Ending>, findings: &mut Findings) -> bool {
    let flag = look.flag("/container/state/oom_killed");
    let before = look.past().iter().any(|past| past.action == "oom");
    // The flag of a container that was started anew tells of an earlier run.
    let ended = ending.is_some_and(|ending| !ending.runs_again);
    let lately = look.loops() || look.running_secs().is_some_and(|secs| secs < 3600);
    let limit = look.positive("/container/limits/memory");
    let limit_words = limit.map_or_else(
        || "It has no memory limit of its own.".to_owned(),
        |limit| format!("Its memory limit is {}.", bytes(limit)),
    );
    let worker = worker_killed(look);
    if worker.is_none() && ((flag && (ended || lately)) || (ended && in_this_run(look)) || (look.loops() && before)) {
        let when = if ended { "" } else { " in an earlier run; it has been started anew since" };
        let what =
            format!("The kernel killed it because its memory was used up (OOM){when}. {limit_words}{}", again(look));
        let seen = oom_evidence(look, ending, flag);
        findings.cause(Class::OutOfMemory, Code::OomKilled, (what, seen, format!("{RAISE}.")));
        // After another exit code the flag may be an old one, or the main process ended for want of the killed one.
        return ending.is_none_or(|ending| ending.code == 137);
    }
    if let Some(seen) = worker.or_else(|| worker_likely_killed(look, limit)) {
        let what = format!(
            "The kernel killed a process inside it because its memory was used up (OOM); its main process lives on. \
             {limit_words}"
        );
        let next = format!("{RAISE}, or start fewer workers.");
        findings.cause(Class::OutOfMemory, Code::OomChild, (what, seen, next));
    }
    false
}

/// What is done about it.
const RAISE: &str = "Raise the limit if it is too small for the work (`docker update --memory`, or the step update_limits); if \
                     the memory only ever grows, look for a leak";

/// Whether Docker's history has an OOM since the last start.
fn in_this_run(look: &Look<'_>) -> bool {
    look.past_of_this_run().iter().any(|past| past.action == "oom")
}

/// What shows that the kernel killed a process while the main one runs on. In a crash loop nobody can tell: the main one may
/// be about to die of it.
fn worker_killed(look: &Look<'_>) -> Option<String> {
    if !look.runs() || look.loops() {
        return None;
    }
    if in_this_run(look) {
        return Some("Docker's history has an oom event since its start".to_owned());
    }
    let engine = look.text("/engine/version");
    let flagged = look.flag("/container/state/oom_killed") && flag_is_of_this_run(engine);
    flagged.then(|| format!("Docker's OOMKilled is true, and Docker {engine} clears it at each start"))
}

/// The same from what it says itself, where Docker says nothing.
fn worker_likely_killed(look: &Look<'_>, limit: Option<u64>) -> Option<String> {
    let killed_line = look.lines().into_iter().rev().take(20).any(|line| line == "Killed");
    let at_limit = look.positive("/stats/memory_max").zip(limit);
    let at_limit = at_limit.is_some_and(|(most, limit)| limit / 100 * SUSPECT_PERCENT <= most);
    let likely = look.runs() && killed_line && at_limit;
    likely.then(|| "its log has “Killed”, and it has used all of its memory limit".to_owned())
}

/// Engines before 25 leave the flag as it is when they start a container again.
fn flag_is_of_this_run(engine: &str) -> bool {
    let major = engine.split('.').next().and_then(|major| major.parse::<u32>().ok());
    major.is_some_and(|major| 25 <= major)
}

fn oom_evidence(look: &Look<'_>, ending: Option<Ending>, flag: bool) -> String {
    let code = ending.map(|ending| format!(", exit code {}", ending.code)).unwrap_or_default();
    let said = if flag { "Docker's OOMKilled is true" } else { "Docker's history has an oom event" };
    let restarts = look.restarts();
    let restarts = if restarts == 0 { String::new() } else { format!(", restarted {}", times(restarts)) };
    format!("{said}{code}{restarts}")
}

/// What the exit code means.
fn code(look: &Look<'_>, ending: Ending, findings: &mut Findings) {
    let code = ending.code;
    let seen = format!("exit code {code}{}", last_line(look));
    let again = again(look);
    let logs = format!("Read its last lines: `docker logs --tail 50 {}`.", look.name());
    let fixed = FIXED.iter().find(|fixed| fixed.number == code);
    if let Some(Fixed { number: _, class, code, what, next }) = fixed {
        let next = if next.is_empty() { logs } else { (*next).to_owned() };
        return findings.cause(*class, *code, (format!("{what}{again}"), seen, next));
    }
    match code {
        // Docker's history says it, and stands among the findings.
        137 | 143 if is_told_by_whom(look) => {}
        0 => normal(look, findings, seen),
        137 => killed(look, findings, (seen, again)),
        143 => {
            let what = "It was asked to end (SIGTERM, exit code 143), and did: by a stop, a deployment, or the shutdown \
                        of the machine.";
            let seen = format!("{seen}; Docker's history does not say who");
            let next = format!("Ask who stopped it, then `docker start {}`.", look.name());
            findings.cause(Class::Signal, Code::Terminated, (format!("{what}{again}"), seen, next));
        }
        code => match signal_of(code) {
            Some(signal) => {
                let what = format!("It was ended by a signal ({signal}, exit code {code}).{again}");
                findings.cause(Class::Signal, Code::Signal, (what, seen, usual(code).to_owned()));
            }
            None => {
                let means = convention(code);
                let what = format!(
                    "The application ended by itself with exit code {code}, an error of its own.{means}{again}"
                );
                findings.cause(Class::Exit, Code::ExitApplication, (what, seen, logs));
            }
        },
    }
}

/// An exit code that means the same whatever else is known.
struct Fixed {
    number: i64,
    class: Class,
    code: Code,
    what: &'static str,
    /// Empty: read the log.
    next: &'static str,
}

const FIXED: [Fixed; 5] = [
    Fixed {
        number: 125,
        class: Class::Exit,
        code: Code::ExitDocker,
        what: "It ended with exit code 125: that is how Docker's own command says that it failed itself.",
        next: "",
    },
    Fixed {
        number: 126,
        class: Class::Program,
        code: Code::CommandNotExecutable,
        what: "A command could not be executed (exit code 126): the file is there, and may not be run.",
        next: "`chmod +x` it where the image is built; look whether it is a directory, or lies on a mount with noexec.",
    },
    Fixed {
        number: 127,
        class: Class::Program,
        code: Code::CommandNotFound,
        what: "A command was not found (exit code 127): it is not in the image, or not in PATH.",
        next: "Look for a typing mistake in `command` or in the script that it runs, and install what is missing in the \
               image.",
    },
    Fixed {
        number: 134,
        class: Class::Signal,
        code: Code::Abort,
        what: "It ended itself because of an error that it noticed (SIGABRT, exit code 134): a failed assertion, or no \
               memory left in its heap.",
        next: "",
    },
    Fixed {
        number: 139,
        class: Class::Signal,
        code: Code::Segfault,
        what: "It crashed with a segmentation fault (SIGSEGV, exit code 139): it used memory that is not its own.",
        next: "A fault of the application or of a native library: go back to the version before, and report it with its \
               core dump or the machine's `dmesg`.",
    },
];

/// By SIGKILL, and Docker's history has no kill: either it has forgotten, or it was not Docker. Only a history that reaches
/// to the death says that nobody asked for it.
fn killed(look: &Look<'_>, findings: &mut Findings, (seen, again): (String, String)) {
    let memory = match look.positive("/container/limits/memory") {
        Some(limit) => format!(
            "the kernel for want of memory (its limit is {}, and Docker saw no OOM of the container as a whole)",
            bytes(limit)
        ),
        None => "the kernel because the machine's memory was used up (it has no limit of its own)".to_owned(),
    };
    let by_docker = "a `docker stop` whose grace passed, or a `docker kill`";
    let tells = look.past_of_this_run().iter().any(|past| past.action == "die");
    let guess = match look.text("/past/stop_cause") {
        "died" if tells => format!("It was not Docker: most likely it was {memory}, or somebody on the machine."),
        _ => format!("Docker's history does not tell by whom: most likely {by_docker}; or it was {memory}."),
    };
    findings.cause(
        Class::Signal,
        Code::KilledUnknown,
        (
            format!("It was killed (SIGKILL, exit code 137). {guess}{again}"),
            format!("{seen}, OOMKilled is false"),
            "Ask who stopped it; look for the kernel's words on the machine: `dmesg -T | grep -i -E 'oom|killed process'`."
                .to_owned(),
        ),
    );
}

/// Without an error: a job that is done, or a main process that should have stayed.
fn normal(look: &Look<'_>, findings: &mut Findings, seen: String) {
    let policy = look.text("/container/restart_policy");
    let (what, next) = if look.loops() && policy != "on-failure" {
        (
            format!(
                "Its main process ends at once, and without an error (exit code 0), though it is to stay.{}",
                again(look)
            ),
            "Run the program in the foreground: what goes into the background, or has nothing to read, ends the \
             container. A job that is to run once wants another restart policy.",
        )
    } else {
        (
            "It ended by itself and without an error (exit code 0): a job that is done, or a main process that went \
             into the background."
                .to_owned(),
            "If it is to stay, run the program in the foreground, and give it a restart policy.",
        )
    };
    findings.cause(Class::Exit, Code::ExitNormal, (what, seen, next.to_owned()));
}

fn looping(look: &Look<'_>, ending: Option<Ending>, findings: &mut Findings) {
    let code = ending.map_or_else(
        || "; with which exit code, Docker no longer says".to_owned(),
        |ending| format!(" with exit code {}", ending.code),
    );
    let now = match look.running_secs() {
        Some(secs) => format!("it has been running for {} now", span(secs)),
        None if look.state().as_str() == "restarting" => "it waits for its next start".to_owned(),
        None => "Docker has given up".to_owned(),
    };
    let deaths = look.past().iter().filter(|past| past.action == "die").count();
    let deaths = if deaths == 0 { String::new() } else { format!(", {deaths} deaths in Docker's history") };
    findings.cause(
        Class::Exit,
        Code::CrashLoop,
        (
            format!("It is in a crash loop: it ends{code}, and its restart policy starts it again; {now}."),
            format!("restarted {}{deaths}, policy {}", times(look.restarts()), look.text("/container/restart_policy")),
            "Mend why it ends: a restart helps nothing here. `docker stop` ends the loop.".to_owned(),
        ),
    );
}

/// The last line of its log: most programs say why they end.
pub(super) fn last_line(look: &Look<'_>) -> String {
    look.lines().last().map(|line| format!(", last line of its log: {}", quote(line))).unwrap_or_default()
}
