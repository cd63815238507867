//! Why the health check fails, by its own last words. Checks from before the last start say nothing.

use super::findings::{Class, Findings};
use super::listening::{Listening, listening};
use super::log_line::has_any;
use super::look::{Look, number};
use super::words::{quote, span};
use crate::model::diagnosis::DiagnosisCode as Code;
use serde_json::Value;

/// Longer than this, a start is no start any more, whatever the check's own patience says.
const STARTING_SECS: i64 = 600;

/// The last check that failed.
struct Failure<'a> {
    code: i64,
    output: &'a str,
    /// The program, as far as it is told.
    program: &'a str,
    /// Docker has a shell run it.
    by_shell: bool,
    name: &'a str,
}

pub(super) fn find(look: &Look<'_>, findings: &mut Findings) {
    if !look.runs() {
        return;
    }
    let status = look.text("/container/state/health");
    let streak = look.number("/container/state/failing_streak").unwrap_or(0);
    let failed = last_failure(look);
    match (status, failed) {
        ("unhealthy", Some(failure)) => {
            let (code, what, next) = judge(look, &failure);
            let what = format!("It is unhealthy: {what}");
            findings.cause(Class::Health, code, (what, seen(&failure, streak), next));
        }
        ("unhealthy", None) => findings.cause(
            Class::Health,
            Code::HealthFailing,
            (
                "It is unhealthy, and Docker keeps no failed check since its start.".to_owned(),
                format!("health unhealthy, {streak} checks in a row failed"),
                by_hand(look.name()),
            ),
        ),
        ("starting" | "healthy", Some(failure)) if 0 < streak => {
            let (code, what, next) = judge(look, &failure);
            let what = format!("Its health check fails, though not yet often enough to make it unhealthy: {what}");
            findings.risk(Class::Health, code, (what, seen(&failure, streak), next));
        }
        // In the start period Docker counts no failure.
        ("starting", Some(failure)) => starting(look, &failure, findings),
        ("starting", None) if look.running_secs().is_some_and(|secs| STARTING_SECS < secs) => {
            let running = span(look.running_secs().unwrap_or(0));
            findings.risk(
                Class::Health,
                Code::HealthStarting,
                (
                    format!("It has been starting for {running}, and no check has passed."),
                    "health starting".to_owned(),
                    "Look at the check's interval and start period, and run the check by hand.".to_owned(),
                ),
            );
        }
        _ => {}
    }
}

/// Its newest check failed, and Docker calls it starting. What can never pass is told as that.
fn starting(look: &Look<'_>, failure: &Failure<'_>, findings: &mut Findings) {
    let (code, what, next) = judge(look, failure);
    let never = [Code::HealthCommandMissing, Code::HealthNotExecutable].contains(&code);
    let period = look.positive("/container/health_check/start_period_ms").and_then(|millis| i64::try_from(millis).ok());
    let period = period.map_or_else(String::new, |millis| format!(", {} by its configuration", span(millis / 1000)));
    let running = look.running_secs().map_or_else(String::new, |secs| format!(" for {}", span(secs)));
    let counted = format!("Docker counts no failure while it starts{period}, so it is not called unhealthy");
    findings.risk(
        Class::Health,
        if never { code } else { Code::HealthStarting },
        (
            format!("It has been starting{running}, and its health check fails: {what} {counted}."),
            last_one(failure),
            next,
        ),
    );
}

/// The newest check since the start, if it failed.
fn last_failure<'a>(look: &Look<'a>) -> Option<Failure<'a>> {
    let checks = look.list("/health_log").iter().rev();
    let mut own = checks.filter(|check| check.get("before_start").and_then(Value::as_bool) != Some(true));
    let last = own.next()?;
    let code = last.get("exit_code").and_then(number)?;
    (code != 0).then_some(Failure {
        code,
        output: last.get("output").and_then(Value::as_str).unwrap_or_default(),
        program: look.text("/container/health_check/program"),
        by_shell: look.text("/container/health_check/kind") == "CMD-SHELL",
        name: look.name(),
    })
}

fn seen(failure: &Failure<'_>, streak: i64) -> String {
    format!("{streak} checks in a row failed; {}", last_one(failure))
}

fn last_one(failure: &Failure<'_>) -> String {
    let said = if failure.output.trim().is_empty() { "nothing".to_owned() } else { quote(failure.output) };
    format!("the last one with exit code {}, and it said {said}", failure.code)
}

fn by_hand(name: &str) -> String {
    format!(
        "Run the check by hand: `docker inspect -f '{{{{json .Config.Healthcheck.Test}}}}' {name}` shows it, `docker exec \
         {name} …` runs it."
    )
}

/// Which kind of failure: the code, what it means, what to do.
fn judge(look: &Look<'_>, failure: &Failure<'_>) -> (Code, String, String) {
    let output = failure.output.to_lowercase();
    let says = |words: &[&str]| has_any(&output, words);
    // What curl means by its exit code.
    let curl = |code: i64| failure.code == code && (failure.program.ends_with("curl") || output.contains("curl"));
    if says(&["exceeded timeout"]) {
        return timeout(look);
    }
    if let Some(found) = missing(failure, &output) {
        return found;
    }
    if says(&["connection refused", "couldn't connect", "could not connect", "failed to connect", "econnrefused"])
        || curl(7)
    {
        return refused(look, failure);
    }
    if let Some(status) = http_status(&output) {
        return http_error(look, status);
    }
    if curl(22) || says(&["returned error", "unexpected status"]) {
        return http_error(look, "");
    }
    if curl(28) || says(&["timed out", "timeout"]) {
        return timeout(look);
    }
    if curl(6) || says(&["bad address", "could not resolve", "name resolution", "not known", "no such host"]) {
        let what = "the check asks for a host name that nobody resolves.".to_owned();
        let next = "Ask 127.0.0.1 in the check: it runs inside the container itself.".to_owned();
        return (Code::HealthDns, what, next);
    }
    if curl(60) || curl(35) || says(&["certificate", "ssl", "tls"]) {
        let what = "the check does not trust the certificate, or cannot agree on TLS.".to_owned();
        let next =
            "Look whether the certificate has expired; a check of the container itself may skip the verification, \
                    or ask a port without TLS."
                .to_owned();
        return (Code::HealthTls, what, next);
    }
    let what = format!("the check ends with exit code {}.", failure.code);
    (Code::HealthFailing, what, by_hand(failure.name))
}

fn missing(failure: &Failure<'_>, output: &str) -> Option<(Code, String, String)> {
    let program = if failure.program.is_empty() { "the check's command".to_owned() } else { quote(failure.program) };
    let code = failure.code;
    let not_executable = code == 126 && output.contains("permission denied")
        || output.contains("exec failed") && output.contains("permission denied");
    let absent = code == 127
        || has_any(output, &["executable file not found", "command not found"])
        || output.contains(": not found") && http_status(output).is_none()
        || output.contains("exec") && output.contains("no such file or directory");
    if (not_executable || absent)
        && let Some(shell) = without_shell(failure)
    {
        return Some(no_shell(failure, shell, not_executable));
    }
    if not_executable {
        let what = format!("{program} may not be executed (exit code {code}).");
        let next = "`chmod +x` it where the image is built, or call it by its interpreter.".to_owned();
        return Some((Code::HealthNotExecutable, what, next));
    }
    absent.then(|| {
        let what = format!(
            "{program} is not in the image (exit code {code}): the check cannot run, whatever the application does."
        );
        let next = "Use a program that the image has (many have wget and no curl, some have no shell), or install it; \
                    without a shell, write the check as a list: `[\"CMD\", \"/app\", \"health\"]`."
            .to_owned();
        (Code::HealthCommandMissing, what, next)
    })
}

/// The shell that Docker could not start to run the check: its words name what it could not start, and of a check in the
/// form of a text that is the shell and never the check's own program.
fn without_shell<'a>(failure: &Failure<'a>) -> Option<&'a str> {
    let by_docker = failure.code < 0 || failure.output.contains("OCI runtime exec failed");
    let (_, behind) = failure.output.split_once("exec: \"").filter(|_| failure.by_shell && by_docker)?;
    let (shell, _) = behind.split_once('"')?;
    (shell != failure.program).then_some(shell)
}

fn no_shell(failure: &Failure<'_>, shell: &str, not_executable: bool) -> (Code, String, String) {
    let (kind, lacks) = match not_executable {
        true => (Code::HealthNotExecutable, "may not be executed"),
        false => (Code::HealthCommandMissing, "is not in the image"),
    };
    let what = format!(
        "the check is run by a shell, and {} {lacks} (exit code {}): the check cannot run, whatever the application does.",
        quote(shell),
        failure.code
    );
    let program = if failure.program.is_empty() { "/app" } else { failure.program };
    let next = format!(
        "Write the check as a list, which needs no shell: `[\"CMD\", \"{program}\", …]` (`test` in Compose, `HEALTHCHECK CMD` \
         with a list in a Dockerfile; `docker run --health-cmd` always uses a shell), or take an image that has one."
    );
    (kind, what, next)
}

fn timeout(look: &Look<'_>) -> (Code, String, String) {
    let allowed = look.positive("/container/health_check/timeout_ms").unwrap_or(0);
    let allowed = match allowed {
        0 => String::new(),
        millis if millis % 1000 == 0 => format!(" ({} s)", millis / 1000),
        millis => format!(" ({millis} ms)"),
    };
    let what = format!(
        "the check does not end within its timeout{allowed}: the application hangs or is overloaded, or the check is slow."
    );
    let next = format!(
        "Run the check by hand and look how long it takes; look at the CPU and at `docker top {}`; if the application is \
         fine, give the check more time.",
        look.name()
    );
    (Code::HealthTimeout, what, next)
}

fn refused(look: &Look<'_>, failure: &Failure<'_>) -> (Code, String, String) {
    let mut what =
        "nobody listens where the check asks (connection refused): the application has not opened its port, or \
                    listens on another port or address."
            .to_owned();
    let heard: Vec<Listening<'_>> =
        look.lines().into_iter().filter_map(listening).filter(|heard| !heard.aside).collect();
    if let Some(Listening { port, address, .. }) = heard.last() {
        what.push_str(&format!(" By its log it listens on {address}:{port}."));
    }
    let starting = look.running_secs().filter(|secs| *secs < 60);
    if let Some(secs) = starting {
        what.push_str(&format!(" It has been running for {secs} s only."));
    }
    let next = if failure.output.contains("localhost") {
        "Compare the check's port with the application's; `localhost` may mean ::1 first, so write 127.0.0.1. Look into the \
         log for why it did not open the port."
    } else {
        "Compare the check's port and address with the application's, and look into its log for why it did not open the \
         port; if it only needs longer to start, give the check a start period."
    };
    (Code::HealthRefused, what, next.to_owned())
}

fn http_error(look: &Look<'_>, status: &str) -> (Code, String, String) {
    let (means, next) = match status.chars().next() {
        Some('5') => (
            "the application runs and says itself that something is wrong",
            format!(
                "Look into its log (`docker logs --tail 50 {}`): most likely something that it needs is missing.",
                look.name()
            ),
        ),
        Some('4') => (
            "the application answers, and not at what the check asks for",
            "Correct the path of the check, or give it the credentials that it needs.".to_owned(),
        ),
        Some('3') => (
            "the application sends the check elsewhere",
            "Let the check ask for the page that is meant, or follow redirects.".to_owned(),
        ),
        _ => (
            "the application answers with an error",
            format!("Run the check by hand to see the status, and look into `docker logs --tail 50 {}`.", look.name()),
        ),
    };
    let status = if status.is_empty() { String::new() } else { format!(" {status}") };
    (Code::HealthHttpStatus, format!("the check is answered with an HTTP error{status}: {means}."), next)
}

/// The three digits of an HTTP status that is an error.
fn http_status(output: &str) -> Option<&str> {
    const BEFORE: [&str; 7] =
        ["http/1.1 ", "http/1.0 ", "http/2 ", "returned error: ", "status code ", "status code: ", "http error "];
    BEFORE.iter().find_map(|before| {
        let (_, behind) = output.split_once(before)?;
        let digits = behind.get(..3)?;
        let is_status = digits.bytes().all(|byte| byte.is_ascii_digit())
            && ["3", "4", "5"].iter().any(|first| digits.starts_with(first));
        is_status.then_some(digits)
    })
}
