//! `sickbay status` and `sickbay healthcheck`: what a running daemon says about itself, over HTTP.

use super::ask::{Question, UNREACHABLE, ask, understood};
use super::check::Output;
use super::pause::standing;
use super::reach::Reach;
use super::reset::{frozen, open};
use super::{complain, print_json};
use crate::model::approval::who;
use crate::model::duration::format_duration;
use crate::story::printable;
use crate::web::api::{OpenApproval, OpenIncident, Permission, Status};
use clap::Args;
use hyper::StatusCode;
use std::io::{self, Write};
use std::time::Duration;

/// Show what a running daemon is doing.
#[derive(Args, Clone, Debug)]
pub struct StatusArgs {
    #[command(flatten)]
    reach: Reach,
    /// How to print
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

/// Exit with 0 if a daemon answers.
#[derive(Args, Clone, Debug)]
pub struct HealthcheckArgs {
    #[command(flatten)]
    reach: Reach,
    /// Ask whether it is ready (playbooks, log, Docker), not only alive
    #[arg(long)]
    ready: bool,
}

/// Prints the daemon's status; the exit code.
///
/// # Errors
/// If the result cannot be printed.
pub fn run(args: &StatusArgs, out: &mut dyn Write) -> io::Result<u8> {
    let way = match args.reach.way() {
        Ok(way) => way,
        Err(code) => return Ok(code),
    };
    let status: Status = match understood(&way.url, ask(Question::get(&way, "/api/v1/status"))) {
        Ok(status) => status,
        // Whoever answers otherwise is no daemon that could be asked.
        Err(_) => return Ok(UNREACHABLE),
    };
    match args.output {
        Output::Json => print_json(&status, out)?,
        Output::Text => print(&status, out)?,
    }
    Ok(0)
}

/// Asks for life or readiness; the exit code.
#[must_use]
pub fn healthcheck(args: &HealthcheckArgs) -> u8 {
    let path = if args.ready { "/-/ready" } else { "/-/healthy" };
    let way = match args.reach.way() {
        Ok(way) => way,
        // Docker knows 0 and 1 alone.
        Err(_told) => return 1,
    };
    match ask(Question::get(&way, path)) {
        Ok((StatusCode::OK, _)) => 0,
        Ok((code, body)) => {
            complain(&format!("{}{path} answered {code}: {}", way.url, String::from_utf8_lossy(&body).trim()));
            1
        }
        Err(problem) => {
            complain(&problem);
            1
        }
    }
}

/// What people are asked, in one line.
fn asked(approval: &OpenApproval) -> String {
    let OpenApproval { id, playbook, what, required, from, yes, .. } = approval;
    if approval.approved {
        format!("{id}  {playbook}  approved by {}, not begun yet: {what}", yes.join(", "))
    } else {
        let (who, left) = (who(*required, from), format_duration(Duration::from_secs(approval.seconds_left)));
        format!("{id}  {playbook}  asks {who} for another {left}, {} agreed: {what}", yes.len())
    }
}

fn print(status: &Status, out: &mut dyn Write) -> io::Result<()> {
    // Names come from alerts, containers and proxies; a terminal would obey what is in them.
    let mut line = |text: String| writeln!(out, "{}", printable(&text));
    for pause in &status.pauses {
        line(standing(pause))?;
    }
    for breaker in &status.breakers {
        line(open(breaker))?;
    }
    for approval in &status.approvals {
        line(asked(approval))?;
    }
    if let Some(storm) = &status.storm {
        line(frozen(storm))?;
    }
    let mode = if status.dry_run { ", dry-run" } else { "" };
    let ready = if status.ready { "ready" } else { "NOT READY" };
    line(format!("sickbay {}, up {} s{mode}: {ready}", status.version, status.uptime_seconds))?;
    for reason in &status.not_ready_because {
        line(format!("  - {reason}"))?;
    }
    let last = status.log.last_seq.map_or_else(|| "none".to_owned(), |seq| seq.to_string());
    line(format!("incident log  {}, last record {last}", status.log.state))?;
    line(format!("docker        {}", status.docker.state))?;
    for host in status.docker.hosts.iter().filter(|_| 1 < status.docker.hosts.len()) {
        let error = host.error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
        line(format!("  {}  {}{error}", host.name, host.state))?;
    }
    for permission in status.permissions.iter().filter(|permission| !permission.missed_by.is_empty()) {
        let Permission { host, ability, denied, missed_by, .. } = permission;
        let (denied, missed_by) = (denied.join(", "), missed_by.join(", "));
        line(format!("  - {host}: {ability} is denied by a proxy ({denied}) and needed by {missed_by}"))?;
    }
    line(format!("playbooks     {}", status.playbooks.unwrap_or_default()))?;
    line(format!("open episodes {}", status.open_episodes))?;
    if status.withheld {
        return line("the rest is for those who prove who they are: --token-file".to_owned());
    }
    line(format!("incidents     {}", status.incidents.len()))?;
    for incident in &status.incidents {
        let target = incident.target.as_deref().unwrap_or("-");
        let reason = incident.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
        let (id, alert, playbook, doing) = (&incident.id, &incident.alertname, &incident.playbook, &incident.doing);
        let origin = origin(incident);
        line(format!("  {id}  {alert}  {playbook}  {target}  {doing}{reason}{origin}"))?;
    }
    Ok(())
}

/// Which incident opened this one, if one did.
fn origin(incident: &OpenIncident) -> String {
    match (&incident.of, incident.cause.as_deref()) {
        (Some(of), Some("resolved")) => format!(", after {of}, because the alert resolved"),
        (Some(of), _) => format!(", beside {of}"),
        (None, _) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::caller::Changed;
    use crate::web::api::{BreakerReset, IncidentAborted, PauseChanged};
    use serde_json::json;

    /// Clears the screen, colours, turns what follows around, and hides.
    const EVIL: &str = "x\u{1b}[2J\u{9b}31m\u{202e}y\u{200b}\nz";

    /// What stands on the screen, where nothing hides.
    fn shown(print: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> String {
        let mut out = Vec::new();
        print(&mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        let hidden: Vec<char> = text.replace('\n', "").chars().filter(|c| crate::model::hidden::hides(*c)).collect();
        assert!(hidden.is_empty(), "{hidden:?} in {text}");
        text
    }

    #[test]
    fn no_name_moves_the_cursor_or_turns_a_line_around() {
        let pause = json!({"scope": format!("target:{EVIL}"), "by": EVIL, "reason": EVIL, "since": "t", "for": null, "until": null});
        let breaker = json!({"target": EVIL, "failures": 3, "since": "t", "until": null});
        let status = json!({
            "version": "0.1.0", "uptime_seconds": 1, "dry_run": false, "ready": false, "not_ready_because": [EVIL],
            "playbooks": 1, "log": {"state": "writable", "reason": null, "last_seq": 1, "head": null},
            "docker": {"state": "silent", "error": EVIL, "hosts": [
                {"name": "a", "state": "silent", "error": EVIL}, {"name": "b", "state": "answering", "error": null},
            ]},
            "permissions": [{"host": "a", "ability": "look", "state": "denied", "denied": [EVIL], "missed_by": [EVIL]}],
            "pauses": [pause], "breakers": [breaker], "open_episodes": 1,
            "incidents": [{"id": "i1", "playbook": EVIL, "alertname": EVIL, "target": EVIL, "doing": "running", "reason": null}],
        });
        let status: Status = serde_json::from_value(status).unwrap();
        let text = shown(|out| super::print(&status, out));
        assert_eq!(text.lines().count(), 13, "{text}");
        assert!(text.contains("i1  x\\u{1b}[2J\\u{9b}31m\\u{202e}y\\u{200b}\\nz  x"), "{text}");

        let brief = json!({"scope": "all", "by": EVIL, "reason": EVIL, "for": null});
        let paused = json!({"result": "paused", "pause": brief, "replaced": brief, "warning": null, "pauses": [pause]});
        let paused: PauseChanged = serde_json::from_value(paused).unwrap();
        assert_eq!(shown(|out| paused.print(out)).lines().count(), 3);
        let reset = json!({
            "result": "reset", "target": EVIL, "failures": 3, "by": EVIL, "reason": EVIL, "breakers": [breaker],
        });
        let reset: BreakerReset = serde_json::from_value(reset).unwrap();
        assert_eq!(shown(|out| reset.print(out)).lines().count(), 2);
        let aborted =
            json!({"result": "aborted", "incident": "i1", "verdict": "cancelled", "by": EVIL, "reason": EVIL});
        let aborted: IncidentAborted = serde_json::from_value(aborted).unwrap();
        assert_eq!(shown(|out| aborted.print(out)).lines().count(), 1);
    }
}
