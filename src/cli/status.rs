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
    let text = if approval.approved {
        format!("{id}  {playbook}  approved by {}, not begun yet: {what}", yes.join(", "))
    } else {
        let (who, left) = (who(*required, from), format_duration(Duration::from_secs(approval.seconds_left)));
        format!("{id}  {playbook}  asks {who} for another {left}, {} agreed: {what}", yes.len())
    };
    printable(&text).into_owned()
}

fn print(status: &Status, out: &mut dyn Write) -> io::Result<()> {
    for pause in &status.pauses {
        writeln!(out, "{}", standing(pause))?;
    }
    for breaker in &status.breakers {
        writeln!(out, "{}", open(breaker))?;
    }
    for approval in &status.approvals {
        writeln!(out, "{}", asked(approval))?;
    }
    if let Some(storm) = &status.storm {
        writeln!(out, "{}", frozen(storm))?;
    }
    let mode = if status.dry_run { ", dry-run" } else { "" };
    let ready = if status.ready { "ready" } else { "NOT READY" };
    writeln!(out, "sickbay {}, up {} s{mode}: {ready}", status.version, status.uptime_seconds)?;
    for reason in &status.not_ready_because {
        writeln!(out, "  - {reason}")?;
    }
    let last = status.log.last_seq.map_or_else(|| "none".to_owned(), |seq| seq.to_string());
    writeln!(out, "incident log  {}, last record {last}", status.log.state)?;
    writeln!(out, "docker        {}", status.docker.state)?;
    for host in status.docker.hosts.iter().filter(|_| 1 < status.docker.hosts.len()) {
        let error = host.error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
        writeln!(out, "  {}  {}{error}", host.name, host.state)?;
    }
    for permission in status.permissions.iter().filter(|permission| !permission.missed_by.is_empty()) {
        let Permission { host, ability, denied, missed_by, .. } = permission;
        let (denied, missed_by) = (denied.join(", "), missed_by.join(", "));
        writeln!(out, "  - {host}: {ability} is denied by a proxy ({denied}) and needed by {missed_by}")?;
    }
    writeln!(out, "playbooks     {}", status.playbooks.unwrap_or_default())?;
    writeln!(out, "open episodes {}", status.open_episodes)?;
    if status.withheld {
        return writeln!(out, "the rest is for those who prove who they are: --token-file");
    }
    writeln!(out, "incidents     {}", status.incidents.len())?;
    for incident in &status.incidents {
        let target = incident.target.as_deref().unwrap_or("-");
        let reason = incident.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
        let (id, alert, playbook, doing) = (&incident.id, &incident.alertname, &incident.playbook, &incident.doing);
        let origin = origin(incident);
        writeln!(out, "  {id}  {alert}  {playbook}  {target}  {doing}{reason}{origin}")?;
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
